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
    lines_of!(inner);

    fn holds_values(&self) -> bool {
        self.inner.holds_values()
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
        let mut own = Parsed {
            memories: std::mem::take(&mut parsed.memories),
            ..Parsed::default()
        };
        own.clear(wanted);
        self.json.parse(&text, wanted, times, &mut own);
        parsed.memories = std::mem::take(&mut own.memories);
        if !own.valid {
            return;
        }
        if own.stamp != Stamp::None {
            parsed.stamp = own.stamp;
        }
        parsed.level = own.level.or(parsed.level);
        let mut places = Places::new(&text, message.text);
        let mut place = |field: Option<Field<'_>>| places.place(field?);
        parsed.message = place(own.message).or(parsed.message);
        for (slot, field) in parsed.fields.iter_mut().zip(&own.fields) {
            *slot = place(*field).or(*slot);
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
        let mut places = Places::new(&text, message.text);
        for_each_field(&text, &mut |name, field| {
            let placed = places.place(field);
            members.extend(placed.map(|field| (Cow::Owned(name.into_owned()), field)));
        });
        unique(members, visit);
    }
}

/// Turns the fields of a message into fields of the entry that holds it. Fields in the order of the text are found in
/// one pass over it.
struct Places<'t, 'a> {
    /// The message as read, and as it stands in the entry.
    text: &'t [u8],
    inside: &'a [u8],
    is_escaped: bool,
    /// How far the two are told to run together.
    text_at: usize,
    inside_at: usize,
}

impl<'t, 'a> Places<'t, 'a> {
    fn new(text: &'t Cow<'a, [u8]>, inside: &'a [u8]) -> Places<'t, 'a> {
        Places {
            text,
            inside,
            is_escaped: matches!(text, Cow::Owned(_)),
            text_at: 0,
            inside_at: 0,
        }
    }

    fn place(&mut self, field: Field<'_>) -> Option<Field<'a>> {
        let start = (field.text.as_ptr() as usize).checked_sub(self.text.as_ptr() as usize)?;
        let end = start + field.text.len();
        if end > self.text.len() {
            return None;
        }
        let (first, last) = (self.inside_of(start), self.inside_of(end));
        let part = &self.inside[first..last];
        let has_escapes = self.is_escaped && part.contains(&b'\\');
        let kind = match field.kind {
            FieldKind::Text if has_escapes => FieldKind::Escaped,
            FieldKind::Escaped if has_escapes => FieldKind::Twice,
            FieldKind::Json if has_escapes => FieldKind::EscapedJson,
            // Nobody writes the digits of a number as escapes: not worth a kind.
            FieldKind::Number | FieldKind::Bool | FieldKind::Bytes if has_escapes => return None,
            kind => kind,
        };
        Some(Field { text: part, kind })
    }

    /// The place in the entry of a place in the text.
    fn inside_of(&mut self, text_at: usize) -> usize {
        if !self.is_escaped {
            return text_at;
        }
        if text_at < self.text_at {
            (self.text_at, self.inside_at) = (0, 0);
        }
        let mut scratch = Vec::new();
        while self.text_at < text_at {
            let missing = text_at - self.text_at;
            let rest = &self.inside[self.inside_at..];
            let plain = memchr::memchr(b'\\', &rest[..rest.len().min(missing)]).unwrap_or(missing);
            if plain > 0 {
                self.text_at += plain;
                self.inside_at += plain;
                continue;
            }
            scratch.clear();
            self.inside_at += escape(rest, &mut scratch);
            self.text_at += scratch.len();
        }
        self.inside_at
    }
}

#[cfg(test)]
mod tests {
    use bstr::ByteSlice;
    use jobspec::plan::{FieldPath, FormatName, PathPart};

    use super::*;
    use crate::format::choose::built_in;

    fn nested(name: FormatName) -> Nested {
        Nested::new(built_in(name, b""))
    }

    fn fields(format: &Nested, raw: &str) -> Vec<String> {
        let mut fields = Vec::new();
        format.fields(raw.as_bytes(), &mut |name, field| {
            let text = field.value().to_text().to_str_lossy().into_owned();
            fields.push(format!("{}={text}", name.to_str_lossy()));
        });
        fields
    }

    #[test]
    fn fields_inside_an_escaped_message_are_found_where_they_stand() {
        let inner =
            r#"{"a":"x","b":"say \"hi\" \u00e9","n":-1.5,"o":{"k":["v"]},"z":null,"A":"\\"}"#;
        let raw = format!(r#"{{"msg":{},"a":1,"c":2}}"#, serde_json::json!(inner));
        assert_eq!(
            fields(&nested(FormatName::Json), &raw),
            [
                "c=2",
                "a=x",
                "b=say \"hi\" \u{e9}",
                "n=-1.5",
                r#"o={"k":["v"]}"#,
                "z=",
                "A=\\"
            ]
        );
        let path = |names: &[&str]| FieldPath {
            text: names.join("."),
            parts: names
                .iter()
                .map(|name| PathPart::Name((*name).to_owned()))
                .collect(),
        };
        let wanted = Wanted::new(vec![
            path(&["n"]),
            path(&["b"]),
            path(&["c"]),
            path(&["a"]),
            path(&["o", "k"]),
        ]);
        let mut parsed = Parsed::default();
        parsed.clear(&wanted);
        nested(FormatName::Json).parse(raw.as_bytes(), &wanted, &mut any_times(), &mut parsed);
        let texts: Vec<String> = parsed
            .fields
            .iter()
            .map(|field| {
                field
                    .expect("a field")
                    .value()
                    .to_text()
                    .to_str_lossy()
                    .into_owned()
            })
            .collect();
        assert_eq!(texts, ["-1.5", "say \"hi\" \u{e9}", "2", "x", r#"["v"]"#]);
    }

    #[test]
    fn a_message_that_is_no_object_stays_what_it_is() {
        for raw in [
            r#"{"msg":"{"}"#,
            r#"{"msg":"[1]"}"#,
            r#"{"msg":"words"}"#,
            r#"{"msg":7}"#,
        ] {
            let mut plain = Vec::new();
            built_in(FormatName::Json, b"").fields(raw.as_bytes(), &mut |name, _| {
                plain.push(name.to_str_lossy().into_owned());
            });
            assert_eq!(plain, ["msg"]);
            assert_eq!(fields(&nested(FormatName::Json), raw).len(), 1, "{raw}");
        }
    }
}
