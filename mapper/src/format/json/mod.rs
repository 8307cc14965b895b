//! JSON, an object a line.
//!
//! One walk over the top level gives time, level, message and every wanted field; objects inside are only gone into
//! where a path leads there. Of a key written twice the last counts, so the walk never ends early.

mod keys;
mod text;
mod walk;

use std::borrow::Cow;
use std::collections::HashSet;

use jobspec::plan::{FieldPath, PathPart};
use jobspec::value::{Level, Value};

pub use keys::{Keys, LEVEL_KEYS, MESSAGE_KEYS, TIME_KEYS};
use keys::{Meaning, hash};
pub use text::{byte_list, unescape};

use super::header::plain_to_see;
use super::{Format, Parsed, Stamp, Wanted};
use crate::entry::{Field, FieldKind};
use crate::time::{TimeFormat, TimeReader};

pub struct Json {
    name: String,
    keys: Keys,
    time_format: Option<TimeFormat>,
}

impl Json {
    pub fn new(name: &str, keys: Keys, time_format: Option<TimeFormat>) -> Json {
        Json {
            name: name.to_owned(),
            keys,
            time_format,
        }
    }

    /// The time of the first key that is there and is a timestamp.
    fn stamp(&self, raw: &[u8], best: Best<'_>, times: &mut TimeReader) -> Stamp {
        let mut read = |field: Field<'_>| match read_time(field, self.time_format.as_ref(), times) {
            Stamp::None => None,
            stamp => Some(stamp),
        };
        let first = best.field.and_then(&mut read);
        first
            .or_else(|| self.later(raw, Meaning::Time, best, &mut read))
            .unwrap_or(Stamp::None)
    }

    fn level(&self, raw: &[u8], best: Best<'_>) -> Option<Level> {
        let field = match best.field? {
            field if field.kind == FieldKind::Null => {
                self.later(raw, Meaning::Level, best, &mut |field| {
                    (field.kind != FieldKind::Null).then_some(field)
                })?
            }
            field => field,
        };
        read_level(field)
    }

    fn message<'a>(&self, raw: &'a [u8], best: Best<'a>) -> Option<Field<'a>> {
        let field = best.field?;
        if !matches!(field.kind, FieldKind::Null | FieldKind::Json) {
            return Some(field);
        }
        self.later(raw, Meaning::Message, best, &mut |field| {
            (!matches!(field.kind, FieldKind::Null | FieldKind::Json)).then_some(field)
        })
        .or((field.kind == FieldKind::Json).then_some(field))
    }

    /// What `take` makes of the first key after the best one that it takes. Rare: the best key's value was no good.
    fn later<'a, T>(
        &self,
        raw: &'a [u8],
        meaning: Meaning,
        best: Best<'a>,
        take: &mut dyn FnMut(Field<'a>) -> Option<T>,
    ) -> Option<T> {
        best.field?;
        self.keys
            .ranked(meaning)
            .filter(|(rank, _)| *rank > best.rank)
            .find_map(|(_, path)| take(self.keys.lookup(raw, path)?))
    }
}

/// The value of the key that comes first in the list of its meaning.
#[derive(Clone, Copy)]
struct Best<'a> {
    rank: u8,
    field: Option<Field<'a>>,
}

impl Format for Json {
    fn name(&self) -> &str {
        &self.name
    }

    fn parse<'a>(
        &self,
        raw: &'a [u8],
        wanted: &Wanted,
        times: &mut TimeReader,
        parsed: &mut Parsed<'a>,
    ) {
        let mut filter = Filter::default();
        for path in &wanted.paths {
            filter.add(path);
        }
        let mut best = [Best {
            rank: u8::MAX,
            field: None,
        }; 3];
        let valid = walk::object(raw, |key, field| {
            let name = match key.is_escaped {
                true => unescape(key.text),
                false => Cow::Borrowed(key.text),
            };
            let hash = hash(&name);
            self.keys.each(hash, &name, field, |meaning, rank, field| {
                let best = &mut best[meaning as usize];
                if rank <= best.rank {
                    *best = Best {
                        rank,
                        field: Some(field),
                    };
                }
            });
            if filter.has(hash) {
                note(&name, field, wanted, parsed);
            }
        });
        let [time, level, message] = best;
        parsed.stamp = self.stamp(raw, time, times);
        parsed.level = self.level(raw, level);
        if valid {
            parsed.message = self.message(raw, message);
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

    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
        for_each_field(raw, visit);
    }
}

/// Every member of the object that a text is, of a key written twice the last.
pub(super) fn for_each_field<'a>(raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
    let mut members = Vec::new();
    let valid = walk::object(raw, |key, field| {
        let name = match key.is_escaped {
            true => unescape(key.text),
            false => Cow::Borrowed(key.text),
        };
        members.push((name, field));
    });
    if !valid {
        return;
    }
    let mut seen = HashSet::with_capacity(members.len());
    let is_last: Vec<bool> = members
        .iter()
        .rev()
        .map(|(name, _)| seen.insert(name.clone()))
        .collect();
    for ((name, field), _) in members
        .into_iter()
        .zip(is_last.iter().rev())
        .filter(|(_, is_last)| **is_last)
    {
        visit(name, field);
    }
}

/// Whether a text is one well-formed JSON object.
pub fn is_object(text: &[u8]) -> bool {
    walk::object(text, |_, _| {})
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

/// Tells most names that nobody wants without a comparison.
#[derive(Default)]
struct Filter {
    bits: [u64; 4],
}

impl Filter {
    fn add(&mut self, path: &FieldPath) {
        self.set(hash(path.text.as_bytes()));
        if let [PathPart::Name(first), _, ..] = &path.parts[..] {
            self.set(hash(first.as_bytes()));
        }
    }

    fn set(&mut self, hash: u8) {
        self.bits[usize::from(hash >> 6)] |= 1 << (hash & 63);
    }

    #[inline]
    fn has(&self, hash: u8) -> bool {
        self.bits[usize::from(hash >> 6)] >> (hash & 63) & 1 == 1
    }
}

#[cfg(test)]
mod tests;
