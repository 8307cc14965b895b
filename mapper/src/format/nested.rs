//! A message that holds JSON of its own (`nested = "json"`): its fields are the entry's, and its time, level and
//! message too where it has them.
//!
//! Where the message is itself a string of JSON, its text is escaped. It is read unescaped, and what was found is
//! handed out by its place in the entry: escaped texts then are escaped twice.

use std::borrow::Cow;

use super::json::{Json, Keys, escape, for_each_field, is_object, unescape};
use super::own::unique;
use super::plain::any_times;
use super::{Format, Parsed, Stamp, Unwrapped, Wanted};
use crate::entry::{Field, FieldKind};
use crate::time::TimeReader;
use jobspec::value::Time;

pub(super) struct Nested {
    inner: Box<dyn Format>,
    json: Json,
}

impl Nested {
    pub fn new(inner: Box<dyn Format>) -> Nested {
        Nested {
            inner,
            json: Json::new("json", Keys::new(None, None, None), None),
        }
    }

    /// The message of an entry, where it looks like an object.
    fn message<'a>(parsed: &Parsed<'a>) -> Option<Field<'a>> {
        parsed.message.filter(|message| {
            parsed.valid
                && matches!(message.kind, FieldKind::Text | FieldKind::Escaped)
                && message.text.trim_ascii_start().starts_with(b"{")
        })
    }
}

impl Format for Nested {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn starts(&self, line: &[u8]) -> bool {
        self.inner.starts(line)
    }

    fn is_multiline(&self) -> bool {
        self.inner.is_multiline()
    }

    fn splittable(&self) -> bool {
        self.inner.splittable()
    }

    fn joins_next(&self, entry_so_far: &[u8]) -> bool {
        self.inner.joins_next(entry_so_far)
    }

    fn is_header(&self, line: &[u8]) -> bool {
        self.inner.is_header(line)
    }

    fn wraps(&self) -> bool {
        self.inner.wraps()
    }

    fn unwrap_line(&self, line: &[u8], out: &mut Vec<u8>) -> Unwrapped {
        self.inner.unwrap_line(line, out)
    }

    fn wrapper_time(&self, line: &[u8]) -> Option<Time> {
        self.inner.wrapper_time(line)
    }

    fn parse<'a>(
        &self,
        raw: &'a [u8],
        wanted: &Wanted,
        times: &mut TimeReader,
        parsed: &mut Parsed<'a>,
    ) {
        self.inner.parse(raw, wanted, times, parsed);
        let Some(message) = Nested::message(parsed) else {
            return;
        };
        let text = match message.kind {
            FieldKind::Escaped => unescape(message.text),
            _ => Cow::Borrowed(message.text),
        };
        let mut own = Parsed::default();
        own.clear(wanted);
        self.json.parse(&text, wanted, times, &mut own);
        if !own.valid {
            return;
        }
        if own.stamp != Stamp::None {
            parsed.stamp = own.stamp;
        }
        parsed.level = own.level.or(parsed.level);
        let place = |field: Field<'_>| match &text {
            Cow::Borrowed(text) => Some(same(field, text, message.text)),
            Cow::Owned(text) => escaped(field, text, message.text),
        };
        parsed.message = own.message.and_then(place).or(parsed.message);
        for (slot, field) in parsed.fields.iter_mut().zip(&own.fields) {
            *slot = field.and_then(place).or(*slot);
        }
    }

    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
        let wanted = Wanted::default();
        let mut parsed = Parsed::default();
        parsed.clear(&wanted);
        self.inner
            .parse(raw, &wanted, &mut any_times(), &mut parsed);
        let message = Nested::message(&parsed);
        let text = message.map(|message| match message.kind {
            FieldKind::Escaped => unescape(message.text),
            _ => Cow::Borrowed(message.text),
        });
        let (Some(message), Some(text)) = (message, text.filter(|text| is_object(text))) else {
            return self.inner.fields(raw, visit);
        };
        let mut members = Vec::new();
        self.inner.fields(raw, &mut |name, field| {
            // The message that is taken apart need not come whole as well.
            if !std::ptr::eq(field.text, message.text) {
                members.push((name, field));
            }
        });
        for_each_field(&text, &mut |name, field| {
            let placed = match &text {
                Cow::Borrowed(text) => Some(same(field, text, message.text)),
                Cow::Owned(text) => escaped(field, text, message.text),
            };
            members.extend(placed.map(|field| (Cow::Owned(name.into_owned()), field)));
        });
        unique(members, visit);
    }
}

/// The place of a part in its text.
fn offset(part: &[u8], text: &[u8]) -> usize {
    part.as_ptr() as usize - text.as_ptr() as usize
}

/// A field of a text by its place in the entry, which holds the text as it is.
fn same<'a>(field: Field<'_>, text: &[u8], inside: &'a [u8]) -> Field<'a> {
    let start = offset(field.text, text);
    Field {
        text: &inside[start..start + field.text.len()],
        kind: field.kind,
    }
}

/// A field of a text by its place in the entry, where the text stands escaped.
fn escaped<'a>(field: Field<'_>, text: &[u8], inside: &'a [u8]) -> Option<Field<'a>> {
    // `true` of a flag and the like are of no text.
    let range = text.as_ptr_range();
    if !range.contains(&field.text.as_ptr()) && field.text.as_ptr() != range.end {
        return None;
    }
    let start = offset(field.text, text);
    let first = place_escaped(inside, 0, start);
    let last = place_escaped(inside, first, field.text.len());
    let part = &inside[first..last];
    let has_escapes = part.contains(&b'\\');
    let kind = match field.kind {
        FieldKind::Text if has_escapes => FieldKind::Escaped,
        FieldKind::Escaped => FieldKind::Twice,
        FieldKind::Json if has_escapes => FieldKind::EscapedJson,
        FieldKind::Bytes if has_escapes => return None,
        // Nobody writes the digits of a number as escapes; it is not worth a kind.
        FieldKind::Number | FieldKind::Bool if has_escapes => return None,
        kind => kind,
    };
    Some(Field { text: part, kind })
}

/// The place in an escaped text that lies `length` unescaped bytes after `at`.
fn place_escaped(inside: &[u8], mut at: usize, mut length: usize) -> usize {
    let mut scratch = Vec::new();
    while length > 0 {
        let plain = memchr::memchr(b'\\', &inside[at..]).unwrap_or(inside.len() - at);
        if plain >= length {
            return at + length;
        }
        at += plain;
        length -= plain;
        scratch.clear();
        at += escape(&inside[at..], &mut scratch);
        length = length.saturating_sub(scratch.len());
    }
    at
}
