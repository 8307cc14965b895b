//! What of an entry travels when a whole entry is kept: enough to show it, at most 1 MiB of each of its parts.

use std::borrow::Cow;
use std::cell::RefCell;

use bstr::{BStr, BString, ByteSlice};
use jobspec::value::{Level, OwnedValue, Time, Value, write_json_text};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::entry::{Entry, Field, FieldKind, Place};
use crate::format::json::is_object;
use crate::measure::{is_sound, value_bytes};
use crate::operator::{OutputColumn, Sources};

/// Of an entry's text, of its message and of its fields each so much is kept.
pub const KEPT_BYTES: usize = 1 << 20;

/// As DESIGN's outputs have an entry; whether it is left out where it is NULL.
const COLUMNS: [(&str, bool); 11] = [
    ("time", false),
    ("host", false),
    ("log", false),
    ("file", false),
    ("offset", false),
    ("line", true),
    ("level", false),
    ("message", false),
    ("raw", false),
    ("valid", true),
    ("fields", false),
];

/// A whole entry, with the names behind its place left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EntryRecord {
    pub place: Place,
    /// Digits of the time's second.
    pub digits: u8,
    pub level: Option<Level>,
    pub valid: bool,
    /// 0 where nobody counts lines.
    pub line: u64,
    pub raw: BString,
    message: Message,
    /// A JSON object; None where `raw` is it.
    fields: Option<BString>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Message {
    /// A range of `raw`, as it mostly is.
    Within(u32, u32),
    Own(OwnedValue),
}

impl EntryRecord {
    pub fn new(entry: &Entry<'_>) -> EntryRecord {
        EntryRecord::in_place_of(None, entry)
    }

    /// The record of an entry, in the memory of one that nobody needs any more.
    pub fn in_place_of(spare: Option<EntryRecord>, entry: &Entry<'_>) -> EntryRecord {
        let mut raw = spare.map_or_else(Default::default, |spare| spare.raw);
        raw.clear();
        raw.extend_from_slice(kept(entry.raw));
        EntryRecord {
            place: entry.place,
            digits: entry.time.map_or(0, |time| time.digits),
            level: entry.level,
            valid: entry.valid,
            line: entry.line,
            raw,
            message: message(entry),
            fields: match is_fields(entry) {
                true => {
                    debug_assert!(with_fields(entry, |fields| fields == entry.raw));
                    None
                }
                false => with_fields(entry, |fields| {
                    (fields != kept(entry.raw)).then(|| fields.into())
                }),
            },
        }
    }

    pub fn time(&self) -> Option<Time> {
        (self.place.time_ns != Place::UNTIMED).then(|| Time::new(self.place.time_ns, self.digits))
    }

    /// The columns of `to_values`.
    pub fn columns() -> Vec<OutputColumn> {
        let columns = COLUMNS.iter().map(|(name, optional)| OutputColumn {
            name: (*name).to_owned(),
            optional: *optional,
        });
        columns.collect()
    }

    pub fn to_values<'a>(&'a self, sources: &'a dyn Sources) -> Vec<Value<'a>> {
        let source = sources.source(&self.place);
        let text = |text: &'a str| Value::text(text.as_bytes());
        vec![
            self.time().map_or(Value::Null, Value::Time),
            text(&source.host),
            text(&source.log),
            text(&source.file),
            Value::Int(self.place.offset.into()),
            match self.line {
                0 => Value::Null,
                line => Value::Int(line.into()),
            },
            self.level.map_or(Value::Null, Value::Level),
            self.message(),
            Value::text(&self.raw),
            match self.valid {
                true => Value::Null,
                false => Value::Bool(false),
            },
            self.fields(),
        ]
    }

    /// As it stands in a row's list of entries, optional columns only where they have a value.
    pub fn to_object<'a>(&'a self, sources: &'a dyn Sources) -> Vec<(Cow<'a, str>, Value<'a>)> {
        COLUMNS
            .iter()
            .zip(self.to_values(sources))
            .filter(|((_, optional), value)| !(*optional && value.is_null()))
            .map(|((name, _), value)| (Cow::Borrowed(*name), value))
            .collect()
    }

    fn message(&self) -> Value<'_> {
        match &self.message {
            Message::Within(start, end) => {
                let range = *start as usize..*end as usize;
                self.raw.get(range).map_or(Value::Null, Value::text)
            }
            Message::Own(value) => shown(value.borrowed()),
        }
    }

    /// What came over the network may be no JSON at all.
    fn fields(&self) -> Value<'_> {
        let fields = self.fields.as_ref().unwrap_or(&self.raw);
        match fields.first() {
            Some(b'{') => shown(Value::Json(Cow::Borrowed(fields.as_ref()))),
            _ => Value::text(fields),
        }
    }

    pub fn is_sound(&self) -> bool {
        match &self.message {
            Message::Within(start, end) => start <= end && *end as usize <= self.raw.len(),
            Message::Own(value) => is_sound(value),
        }
    }

    /// About so many bytes of memory.
    pub fn bytes(&self) -> usize {
        let message = match &self.message {
            Message::Within(..) => 0,
            Message::Own(value) => value_bytes(value),
        };
        let fields = self.fields.as_ref().map_or(0, |fields| fields.len());
        size_of::<EntryRecord>() + self.raw.len() + fields + message
    }
}

/// The text as JSON on one line, invalid UTF-8 as U+FFFD; None where it is no JSON.
fn json_line(text: &[u8]) -> Option<Cow<'_, BStr>> {
    let mut line = match text.to_str_lossy() {
        Cow::Borrowed(text) => Cow::Borrowed(BStr::new(text)),
        Cow::Owned(text) => Cow::Owned(text.into()),
    };
    if memchr::memchr2(b'\n', b'\r', &line).is_some() {
        // Line ends stand between tokens alone: inside a string they are escaped.
        let bytes = line.to_mut().iter_mut();
        for byte in bytes.filter(|byte| matches!(byte, b'\n' | b'\r')) {
            *byte = b' ';
        }
    }
    // Mostly it is an object, and our own walk is quicker; it has a mind of its own about depth alone.
    let is_json = is_object(&line) || serde_json::from_slice::<IgnoredAny>(&line).is_ok();
    is_json.then_some(line)
}

/// A value as rows have it: what says that it is JSON is JSON, or else the text that it is. Formats take objects and
/// arrays as they find them, and a frame may say anything.
pub fn shown(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Json(Cow::Borrowed(text)) => match json_line(text) {
            Some(line) => Value::Json(line),
            None => Value::text(text),
        },
        Value::Json(Cow::Owned(text)) => match json_line(&text) {
            Some(line) => Value::Json(Cow::Owned(line.into_owned())),
            None => Value::Text(Cow::Owned(text)),
        },
        Value::List(list) => Value::List(list.into_iter().map(shown).collect()),
        Value::Object(object) => {
            let shown = object.into_iter().map(|(name, value)| (name, shown(value)));
            Value::Object(shown.collect())
        }
        value => value,
    }
}

fn kept(text: &[u8]) -> &[u8] {
    &text[..text.len().min(KEPT_BYTES)]
}

fn message(entry: &Entry<'_>) -> Message {
    let Some(field) = entry.message else {
        return Message::Own(Value::Null);
    };
    if field.kind == FieldKind::Text {
        // Where the text stands in the entry's own bytes, its range says it all.
        let start = (field.text.as_ptr() as usize).wrapping_sub(entry.raw.as_ptr() as usize);
        let kept_bytes = kept(entry.raw).len();
        if start <= kept_bytes && field.text.len() <= kept_bytes - start {
            return Message::Within(start as u32, (start + field.text.len()) as u32);
        }
    }
    Message::Own(match field.value() {
        Value::Text(text) => Value::owned_text(kept(&text)),
        Value::Json(text) if text.len() > KEPT_BYTES => Value::owned_text(kept(&text)),
        value => value.into_owned(),
    })
}

/// Whether `with_fields` would certainly give the entry's text.
fn is_fields(entry: &Entry<'_>) -> bool {
    entry.valid && entry.raw.len() < KEPT_BYTES && entry.format.is_fields(entry.raw)
}

/// Calls with all fields of an entry, as a JSON object.
fn with_fields<T>(entry: &Entry<'_>, call: impl FnOnce(&[u8]) -> T) -> T {
    thread_local! {
        // Most objects are looked at and not kept: a log of JSON says the same in its own lines.
        static ROOM: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    ROOM.with_borrow_mut(|room| {
        room.clear();
        fields(entry, room);
        call(room)
    })
}

fn fields(entry: &Entry<'_>, out: &mut Vec<u8>) {
    out.push(b'{');
    if entry.valid {
        let mut full = false;
        entry.format.fields(entry.raw, &mut |name, field| {
            let before = out.len();
            if full {
                return;
            }
            if before > 1 {
                out.push(b',');
            }
            write_json_text(&name, out);
            out.push(b':');
            write_field(&field, out);
            if out.len() >= KEPT_BYTES {
                out.truncate(before);
                full = true;
            }
        });
    }
    out.push(b'}');
}

/// A field's value as JSON, as logged wherever that is JSON.
fn write_field(field: &Field<'_>, out: &mut Vec<u8>) {
    match field.kind {
        FieldKind::Number if is_json_number(field.text) => out.extend_from_slice(field.text),
        FieldKind::Number | FieldKind::Text => write_json_text(field.text, out),
        FieldKind::Json => match json_line(field.text) {
            Some(line) => out.extend_from_slice(&line),
            None => write_json_text(field.text, out),
        },
        FieldKind::Null
        | FieldKind::Bool
        | FieldKind::Escaped
        | FieldKind::Doubled
        | FieldKind::Bytes
        | FieldKind::Twice
        | FieldKind::EscapedJson => field.value().write_json(out),
    }
}

/// `-0.5e3`, not `+1`, `01`, `.5`, `1.`.
fn is_json_number(text: &[u8]) -> bool {
    fn digits(text: &[u8]) -> Option<&[u8]> {
        let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        (count > 0).then(|| &text[count..])
    }
    let whole = text.strip_prefix(b"-").unwrap_or(text);
    let Some(mut rest) = digits(whole) else {
        return false;
    };
    if whole[0] == b'0' && whole.len() - rest.len() > 1 {
        return false;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        match digits(fraction) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', exponent @ ..] => exponent,
            _ => exponent,
        };
        return digits(exponent) == Some(b"");
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_json_are_told_from_others() {
        for text in ["0", "-1", "10", "0.5", "1e9", "1E+9", "-0.5e-3", "1.50"] {
            assert!(is_json_number(text.as_bytes()), "{text}");
            assert!(json_line(text.as_bytes()).is_some(), "{text}");
        }
        for text in [
            "", "-", "+1", "01", ".5", "1.", "1e", "1e+", "0x1", "1 ", "NaN", "--1", "1.5.2",
        ] {
            assert!(!is_json_number(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn fields_are_shown_as_logged() {
        let json = |kind, text: &str| {
            let mut out = Vec::new();
            write_field(
                &Field {
                    text: text.as_bytes(),
                    kind,
                },
                &mut out,
            );
            String::from_utf8(out).unwrap()
        };
        assert_eq!(json(FieldKind::Number, "1.50"), "1.50");
        assert_eq!(json(FieldKind::Number, "007"), "\"007\"");
        assert_eq!(json(FieldKind::Text, "a\"b"), r#""a\"b""#);
        assert_eq!(json(FieldKind::Json, "{\"a\":\n[1]}"), "{\"a\": [1]}");
        assert_eq!(json(FieldKind::Json, "{a:1}"), "\"{a:1}\"");
        assert_eq!(json(FieldKind::Bool, "true"), "true");
        assert_eq!(json(FieldKind::Null, "-"), "null");
    }

    #[test]
    fn what_is_no_json_is_shown_as_text() {
        let mut record = EntryRecord {
            place: Place {
                time_ns: 0,
                host: 0,
                log: 0,
                stream: 0,
                file: 0,
                offset: 0,
            },
            digits: 0,
            level: None,
            valid: true,
            line: 0,
            raw: "raw".into(),
            message: Message::Within(1, 3),
            fields: Some("{\"a\":1}".into()),
        };
        assert!(record.is_sound());
        assert_eq!(record.message(), Value::text(b"aw"));
        assert!(matches!(record.fields(), Value::Json(_)));
        for hostile in [
            "",
            "[]",
            "{\"a\":1}\n{}",
            "{\"a\":1} {}",
            "{\"a\":1},",
            "{",
            "{\"a\": NaN}",
        ] {
            record.fields = Some(hostile.into());
            assert!(matches!(record.fields(), Value::Text(_)), "{hostile}");
        }
        // Deeper than any stack, and still read without one.
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1 << 20), "]".repeat(1 << 20));
        record.fields = Some(deep.into());
        assert!(matches!(record.fields(), Value::Json(_)));
        for hostile in [Message::Within(2, 9), Message::Within(3, 1)] {
            record.message = hostile;
            assert!(!record.is_sound());
            assert_eq!(record.message(), Value::Null);
        }
    }
}
