//! JSON, an object a line.
//!
//! One walk over the top level gives time, level, message and every wanted field; objects inside are only gone into
//! where a path leads there. Of a key written twice the last counts, so the walk never ends early.

mod keys;
mod memory;
mod text;
mod walk;
mod written;

use std::borrow::Cow;

use jobspec::plan::PathPart;
use jobspec::value::{Level, Value};
use memchr::memmem::{Finder, find};
use multiversion::multiversion;

pub use keys::Keys;
pub(super) use keys::{Best, Filter, flat_name, hash};
pub(super) use memory::Memory;
use memory::Role;
pub(super) use text::escape;
pub use text::{byte_list, unescape};

use super::header::plain_to_see;
use super::own::unique;
use super::{Format, Parsed, Stamp, Wanted};
use crate::entry::{Field, FieldKind};
use crate::time::{TimeFormat, TimeReader};

/// Members from the head of a line that are looked at for its level.
const GLANCED_MEMBERS: usize = 6;

pub struct Json {
    name: String,
    keys: Keys,
    /// The key of the level that is looked for first, if it is one word, and the quote after it.
    level_key: Option<Finder<'static>>,
    time_format: Option<TimeFormat>,
}

impl Json {
    pub fn new(name: &str, keys: Keys, time_format: Option<TimeFormat>) -> Json {
        Json {
            name: name.to_owned(),
            level_key: keys
                .first_level()
                .map(|key| Finder::new(&[key, b"\""].concat()).into_owned()),
            keys,
            time_format,
        }
    }
}

impl Format for Json {
    fn name(&self) -> &str {
        &self.name
    }

    fn holds_values(&self) -> bool {
        true
    }

    fn is_object_a_line(&self) -> bool {
        true
    }

    fn glances_at_level(&self) -> bool {
        self.level_key.is_some()
    }

    fn glance_level(&self, line: &[u8], has_backslash: bool) -> Option<Level> {
        glance_level(self, line, has_backslash)
    }

    fn parse<'a>(
        &self,
        raw: &'a [u8],
        wanted: &Wanted,
        times: &mut TimeReader,
        parsed: &mut Parsed<'a>,
    ) {
        parse(self, raw, wanted, times, parsed);
    }

    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
        for_each_field(raw, visit);
    }

    fn is_fields(&self, raw: &[u8]) -> bool {
        written::is_as_written(raw)
    }
}

/// `Json::glance_level`, with the wide instructions that the processor has.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
fn glance_level(json: &Json, line: &[u8], has_backslash: bool) -> Option<Level> {
    let key = json.level_key.as_ref()?;
    let (field, end) = walk::first_of(line, key.needle().strip_suffix(b"\"")?, GLANCED_MEMBERS)?;
    // The last of a key that is written twice counts, and escapes may write it.
    let rest = &line[end..];
    let is_plain = matches!(field.kind, FieldKind::Text | FieldKind::Number)
        && key.find(rest).is_none()
        && (!has_backslash || find(rest, br"\u").is_none());
    is_plain.then(|| read_level(field))?
}

/// `Json::parse`, with the wide instructions that the processor has.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
fn parse<'a>(
    json: &Json,
    raw: &'a [u8],
    wanted: &Wanted,
    times: &mut TimeReader,
    parsed: &mut Parsed<'a>,
) {
    let mut best = Best::default();
    let mut memories = std::mem::take(&mut parsed.memories);
    let memory = Memory::of(&json.keys, &mut memories);
    let valid = walk::object_known(raw, memory, &json.keys, wanted, |role, key, field| {
        if let Role::Plain { meaning, field: id } = role {
            if let Some((meaning, rank)) = meaning {
                best.note_as(meaning, rank, field);
            }
            if let Some(id) = id {
                parsed.fields[usize::from(id)] = Some(field);
            }
        } else if let Some(key) = key {
            note_any(&json.keys, key, field, wanted, &mut best, parsed);
        }
    })
    .is_some();
    parsed.memories = memories;
    let lookup = |path: &[PathPart]| json.keys.lookup(raw, path);
    let text = best.time_text().filter(|_| json.time_format.is_none());
    match text.and_then(|text| times.read_in_second(text)) {
        Some(time) => parsed.stamp = Stamp::At(time),
        None => {
            let format = json.time_format.as_ref();
            parsed.stamp = best.stamp(&json.keys, &lookup, format, times);
        }
    }
    parsed.level = best.level(&json.keys, &lookup);
    if valid {
        parsed.message = best.message(&json.keys, &lookup);
        return;
    }
    parsed.valid = false;
    parsed.message = Some(Field::text(raw));
    parsed.fields.fill(None);
    if parsed.stamp == Stamp::None || parsed.level.is_none() {
        let (stamp, level) = plain_to_see(raw, times);
        if parsed.stamp == Stamp::None {
            parsed.stamp = stamp;
        }
        parsed.level = parsed.level.or(level);
    }
}

/// Every member of the object that a text is, of a key written twice the last.
pub(super) fn for_each_field<'a>(raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
    let mut members = Vec::new();
    if walk::object(raw, |key, field| members.push((key.name(), field))) {
        unique(members, visit);
    }
}

/// Calls `visit` with each member of the object that a text is, as often as it is written; false where it is none.
pub(super) fn for_each_member<'a>(text: &'a [u8], mut visit: impl FnMut(&[u8], Field<'a>)) -> bool {
    walk::object(text, |key, field| visit(&key.name(), field))
}

/// Whether a text is one well-formed JSON object.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
pub fn is_object(text: &[u8]) -> bool {
    walk::members(text, &mut |_, _| {}).is_some()
}

/// Notes a member for all that its name may be good for.
#[inline(never)]
fn note_any<'a>(
    keys: &Keys,
    key: walk::Key<'a>,
    field: Field<'a>,
    wanted: &Wanted,
    best: &mut Best<'a>,
    parsed: &mut Parsed<'a>,
) {
    let name = key.name();
    let hash = hash(&name);
    best.note(keys, hash, &name, field);
    if wanted.filter().has(hash) {
        note(&name, field, wanted, parsed);
    }
}

/// Puts a member where the plan wants it. A later one of the same name replaces an earlier one, also by nothing; a
/// flat key that is a whole path stays.
fn note<'a>(name: &[u8], field: Field<'a>, wanted: &Wanted, parsed: &mut Parsed<'a>) {
    for (id, path) in wanted.paths.iter().enumerate() {
        if path.text.as_bytes() == name {
            parsed.fields[id] = Some(field);
            if path.parts.len() > 1 {
                parsed.flat.resize(wanted.paths.len(), false);
                parsed.flat[id] = true;
            }
        } else if let Some(first) = path.parts.first()
            && matches!(first, PathPart::Name(part) if part.as_bytes() == name)
            && !parsed.flat.get(id).is_some_and(|flat| *flat)
        {
            parsed.fields[id] = walk::descend(field, &path.parts[1..]);
        }
    }
}

/// The time that a value of a time key is.
pub(super) fn read_time(
    field: Field<'_>,
    format: Option<&TimeFormat>,
    times: &mut TimeReader,
) -> Stamp {
    let mut read = |text: &[u8]| match format {
        Some(format) => times.read_as(format, text),
        None => times.read(text),
    };
    match field.kind {
        FieldKind::Text | FieldKind::Number => read(field.text),
        FieldKind::Escaped | FieldKind::Doubled => read(&field.value().to_text()),
        // MongoDB's `{"$date": …}`
        FieldKind::Json => match walk::member(field.text, b"$date") {
            Some(date) if matches!(date.kind, FieldKind::Text | FieldKind::Number) => {
                read(date.text)
            }
            _ => Stamp::None,
        },
        _ => Stamp::None,
    }
}

/// The level that a value of a level key is: a word or a number.
pub(super) fn read_level(field: Field<'_>) -> Option<Level> {
    let text = match field.kind {
        FieldKind::Text | FieldKind::Number => Cow::Borrowed(field.text),
        FieldKind::Escaped | FieldKind::Doubled => match field.value() {
            Value::Text(text) => Cow::Owned(text.into_owned().into()),
            _ => return None,
        },
        _ => return None,
    };
    let text = text.trim_ascii();
    Level::from_word(text).or_else(|| match Value::parse_number(text)? {
        Value::Int(number) => Level::from_number(number),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
