//! A format of the job: a regex whose named groups are the fields.
//!
//! The pattern is matched on an entry's first line; its group `message` takes the further lines too.

use std::borrow::Cow;

use jobspec::expr::Pattern;
use jobspec::plan::{FieldType, FormatPlan};

use super::json::{Keys, read_level, read_time};
use super::{Format, Parsed, Wanted};
use crate::entry::{Field, FieldKind};
use crate::time::{TimeFormat, TimeReader};

pub(super) struct PatternFormat {
    name: String,
    pattern: Pattern,
    groups: Vec<Group>,
    time_format: Option<TimeFormat>,
}

struct Group {
    name: String,
    index: usize,
    role: Role,
    kind: FieldType,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Time,
    Level,
    Message,
    Field,
}

impl PatternFormat {
    pub fn new(
        plan: &FormatPlan,
        pattern: Pattern,
        time_format: Option<TimeFormat>,
    ) -> PatternFormat {
        let names: Vec<(usize, &str)> = pattern
            .regex()
            .capture_names()
            .enumerate()
            .filter_map(|(index, name)| Some((index, name?)))
            .collect();
        let all: Vec<&str> = names.iter().map(|(_, name)| *name).collect();
        let key = |named: &Option<String>, role: &str, usual: &[&str]| {
            named
                .clone()
                .or_else(|| all.contains(&role).then(|| role.to_owned()))
                .or_else(|| {
                    let known = usual.iter().find(|known| all.contains(known));
                    known.map(|known| (*known).to_owned())
                })
        };
        let time = key(&plan.time_key, "time", Keys::TIME);
        let level = key(&plan.level_key, "level", Keys::LEVEL);
        let message = key(&plan.message_key, "message", Keys::MESSAGE);
        let groups = names
            .into_iter()
            .map(|(index, name)| {
                let is = |key: &Option<String>| key.as_deref() == Some(name);
                Group {
                    name: name.to_owned(),
                    index,
                    role: match () {
                        () if is(&time) => Role::Time,
                        () if is(&level) => Role::Level,
                        () if is(&message) => Role::Message,
                        () => Role::Field,
                    },
                    kind: plan
                        .types
                        .iter()
                        .find(|(other, _)| other == name)
                        .map_or(FieldType::Text, |(_, kind)| *kind),
                }
            })
            .collect();
        PatternFormat {
            name: plan.name.clone(),
            groups,
            pattern,
            time_format,
        }
    }

    /// Calls `visit` with each group that took part. False where the pattern does not match.
    fn groups<'a>(&self, raw: &'a [u8], mut visit: impl FnMut(&Group, Field<'a>)) -> bool {
        let line_end = memchr::memchr(b'\n', raw).unwrap_or(raw.len());
        let line = &raw[..line_end];
        let regex = self.pattern.regex();
        let mut places = regex.capture_locations();
        if regex.captures_read(&mut places, line).is_none() {
            return false;
        }
        for group in &self.groups {
            let Some((start, end)) = places.get(group.index) else {
                continue;
            };
            let is_last = line[end..].trim_ascii().is_empty();
            let end = if group.role == Role::Message && is_last && line_end < raw.len() {
                raw.len()
            } else {
                end
            };
            visit(group, typed(Field::text(&raw[start..end]), group.kind));
        }
        true
    }
}

impl Format for PatternFormat {
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
        let valid = self.groups(raw, |group, field| {
            match group.role {
                Role::Time => parsed.stamp = read_time(field, self.time_format.as_ref(), times),
                Role::Level => parsed.level = read_level(field),
                Role::Message => parsed.message = Some(field),
                Role::Field => {}
            }
            for (path, slot) in wanted.paths.iter().zip(&mut parsed.fields) {
                if path.text == group.name {
                    *slot = Some(field);
                }
            }
        });
        if !valid {
            parsed.refuse(raw, times);
        }
    }

    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
        self.groups(raw, |group, field| {
            // Groups that are named as a column are that column and need not come twice.
            let is_column = ["time", "level", "message"].contains(&group.name.as_str());
            if !(is_column && group.role != Role::Field) {
                visit(Cow::Owned(group.name.clone().into_bytes()), field);
            }
        });
    }
}

/// A text as the kind that the job says it is, where it can be.
pub(super) fn typed(field: Field<'_>, kind: FieldType) -> Field<'_> {
    let kind = match (kind, field.kind, field.text) {
        (FieldType::Number, FieldKind::Text, _) => FieldKind::Number,
        (FieldType::Bool, FieldKind::Text, b"true" | b"false") => FieldKind::Bool,
        (FieldType::Text, FieldKind::Number | FieldKind::Bool, _) => FieldKind::Text,
        (_, kind, _) => kind,
    };
    Field { kind, ..field }
}
