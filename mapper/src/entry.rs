//! One log event, borrowed: who it is, when it was, and the fields that someone asked for.

use std::borrow::Cow;

use bstr::ByteSlice;
use jobspec::expr::{Column, FieldId, Row};
use jobspec::value::{Level, Number, Time, Value};
use serde::{Deserialize, Serialize};

use crate::format::Format;
use crate::format::json::{byte_list, unescape};

/// Where an entry stands in the total order: (time, host, log, stream, file, offset). Host, log and stream are
/// indices of lists sorted by name, so they order as the names do; `file` is the place in the stream, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// `Place::UNTIMED` for an entry that has no time: it comes last.
    pub time_ns: i64,
    pub host: u32,
    pub log: u16,
    pub stream: u32,
    pub file: u32,
    /// In the decoded bytes of the file.
    pub offset: u64,
}

impl Place {
    pub const UNTIMED: i64 = i64::MAX;
}

/// The names behind a place, for all entries of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub host: String,
    pub log: String,
    /// The path as opened, lossy where it is no UTF-8.
    pub file: String,
}

/// The text of a field as it stands in the entry, and what kind of thing the format says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    pub text: &'a [u8],
    pub kind: FieldKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldKind {
    Text,
    /// The inside of a JSON string with escapes in it.
    Escaped,
    /// A JSON string inside a JSON string: escaped twice.
    Twice,
    /// The inside of a csv field with doubled quotes in it.
    Doubled,
    /// A JSON list of byte values: journald's way to write a text that is no UTF-8.
    Bytes,
    /// A number as logged.
    Number,
    /// `true` or `false`.
    Bool,
    /// The field is there and has no value: JSON's null, nginx's `-`.
    Null,
    /// An object or array, well-formed JSON.
    Json,
    /// An object or array inside a JSON string: escaped.
    EscapedJson,
}

impl<'a> Field<'a> {
    pub fn text(text: &'a [u8]) -> Field<'a> {
        Field {
            text,
            kind: FieldKind::Text,
        }
    }

    /// The text by which its value is told apart from others, where that is its own as it stands.
    #[inline]
    pub fn plain_text(&self) -> Option<&'a [u8]> {
        let is_plain = match self.kind {
            FieldKind::Text => true,
            // A whole number without leading zeros.
            FieldKind::Number => match self.text {
                [b'0'] => true,
                [b'1'..=b'9', digits @ ..] => {
                    digits.len() < 15 && digits.iter().all(u8::is_ascii_digit)
                }
                _ => false,
            },
            _ => false,
        };
        is_plain.then_some(self.text)
    }

    pub fn value(&self) -> Value<'a> {
        match self.kind {
            FieldKind::Null => Value::Null,
            FieldKind::Bool => Value::Bool(self.text == b"true"),
            FieldKind::Number => Value::parse_number(self.text).unwrap_or(Value::text(self.text)),
            FieldKind::Json => Value::Json(Cow::Borrowed(self.text.as_bstr())),
            FieldKind::Text => Value::text(self.text),
            FieldKind::Twice => Value::owned_text(unescape(&unescape(self.text)).into_owned()),
            FieldKind::EscapedJson => {
                Value::Json(Cow::Owned(unescape(self.text).into_owned().into()))
            }
            FieldKind::Doubled => Value::owned_text(self.text.replace(b"\"\"", b"\"")),
            FieldKind::Bytes => match byte_list(self.text) {
                Some(text) => Value::owned_text(text),
                None => Value::Json(Cow::Borrowed(self.text.as_bstr())),
            },
            FieldKind::Escaped => match unescape(self.text) {
                Cow::Borrowed(text) => Value::text(text),
                Cow::Owned(text) => Value::owned_text(text),
            },
        }
    }
}

/// One log event.
pub struct Entry<'a> {
    pub place: Place,
    pub source: &'a Source,
    /// Its own time or the one it inherits.
    pub time: Option<Time>,
    pub level: Option<Level>,
    pub message: Option<Field<'a>>,
    /// All its lines, joined by LF, without the last terminator.
    pub raw: &'a [u8],
    /// Number of its first line in its file, from 1; 0 where nobody counts lines.
    pub line: u64,
    pub valid: bool,
    /// Entries of its segment that nobody wanted and nobody parsed, since the one before.
    pub skipped: u64,
    /// The own fields that the plan reads, by `FieldId`.
    pub fields: &'a [Option<Field<'a>>],
    /// How to find all the others.
    pub format: &'a dyn Format,
}

impl Entry<'_> {
    pub fn message_value(&self) -> Value<'_> {
        self.message.map_or(Value::Null, |message| message.value())
    }
}

impl Row for Entry<'_> {
    fn column(&self, column: Column) -> Value<'_> {
        match column {
            Column::Time => self.time.map_or(Value::Null, Value::Time),
            Column::Level => self.level.map_or(Value::Null, Value::Level),
            Column::Message => self.message_value(),
            Column::Raw => Value::text(self.raw),
            Column::Host => Value::text(self.source.host.as_bytes()),
            Column::File => Value::text(self.source.file.as_bytes()),
            Column::Offset => Value::Int(self.place.offset.into()),
            Column::Log => Value::text(self.source.log.as_bytes()),
            Column::Valid => Value::Bool(self.valid),
        }
    }

    fn field(&self, field: FieldId) -> Option<Value<'_>> {
        self.fields
            .get(usize::from(field))
            .copied()
            .flatten()
            .map(|field| field.value())
    }

    #[inline(always)]
    fn number(&self, field: FieldId) -> Option<Number> {
        match self.fields.get(usize::from(field)) {
            Some(Some(field)) if field.kind == FieldKind::Number => Number::parse(field.text),
            _ => None,
        }
    }

    fn output(&self, _index: u16) -> Value<'_> {
        unreachable!(
            "an entry has no output columns: the job language resolves names by their place"
        )
    }
}
