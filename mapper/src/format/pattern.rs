//! A format of the job: a regex whose named groups are the fields.
//!
//! The pattern is matched on an entry's first line; its group `message` takes the further lines too.

use std::borrow::Cow;

use jobspec::expr::Pattern;
use jobspec::plan::{FieldType, FormatPlan};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::Look;

use super::json::{Keys, read_level, read_time};
use super::{Format, Parsed, Wanted};
use crate::entry::{Field, FieldKind};
use crate::time::{TimeFormat, TimeReader};

pub(super) struct PatternFormat {
    name: String,
    pattern: Pattern,
    groups: Vec<Group>,
    fits_every_line: bool,
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
            fits_every_line: fits_every_line(&pattern),
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

/// Whether the pattern matches any text: for certain where it may match nothing, and asks nothing of what follows.
fn fits_every_line(pattern: &Pattern) -> bool {
    let parsed = ParserBuilder::new()
        .utf8(false)
        .case_insensitive(pattern.any_case())
        .nest_limit(100)
        .build()
        .parse(pattern.source());
    parsed.is_ok_and(|hir| {
        let is_of_head = |look| matches!(look, Look::Start | Look::StartLF | Look::StartCRLF);
        let properties = hir.properties();
        properties.minimum_len() == Some(0) && properties.look_set().iter().all(is_of_head)
    })
}

impl Format for PatternFormat {
    fn name(&self) -> &str {
        &self.name
    }

    fn is_timeless(&self) -> bool {
        self.fits_every_line && self.groups.iter().all(|group| group.role != Role::Time)
    }

    /// Of lines that are passed over unparsed nobody would learn that they do not fit.
    fn holds_values(&self) -> bool {
        self.fits_every_line
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

#[cfg(test)]
mod tests {
    use jobspec::plan::{FormatChoice, FormatName};

    use super::super::tests::{format_plan, log_plan};
    use super::super::{Stamp, built_in_of, choose};
    use super::*;
    use crate::format::plain::any_times;

    const HEADED: &[u8] = b"2026-01-19T14:00:00Z words";

    fn format(pattern: &str, nested: bool, head: &[u8]) -> Box<dyn Format> {
        let table = toml::Table::from_iter([("pattern".to_owned(), pattern.into())]);
        let plan = format_plan("lines", &table);
        choose(FormatChoice::Custom(0), &log_plan(nested), &[plan], head).format
    }

    fn stamp(format: &dyn Format, line: &[u8]) -> Stamp {
        let wanted = Wanted::default();
        let mut parsed = Parsed::default();
        parsed.clear(&wanted);
        format.parse(line, &wanted, &mut any_times(), &mut parsed);
        parsed.stamp
    }

    #[test]
    fn timeless_is_what_every_line_fits_and_no_group_of_is_a_time() {
        for (pattern, timeless) in [
            ("(?<message>.*)", true),
            ("^(?<message>.*)", true),
            (r"^(?:(?<code>\d+) )?(?<rest>.*)", true),
            (r"(?m)^(?<a>x|)", true),
            (r"(?i)^(?<a>\w*)(?<b>[ab]*)", true),
            (r"(?-u)^(?<message>.*)", true),
            ("(?<message>.*)$", false),
            (r"^(?<user>\S+) (?<what>.*)", false),
            (r"^(?<a>\w*)\b", false),
            (r"(?<a>[a&&b])", false),
            (r"^(?<time>\S*)", false),
            (r"^(?<ts>\S*) ?(?<message>.*)", false),
        ] {
            let format = format(pattern, false, b"");
            assert_eq!(format.is_timeless(), timeless, "{pattern}");
            if !timeless {
                continue;
            }
            for line in [HEADED, b"", b"12", b"\xff\xfe", b"\r", b"a\xe2\x82", b"{}"] {
                let wanted = Wanted::default();
                let mut parsed = Parsed::default();
                parsed.clear(&wanted);
                format.parse(line, &wanted, &mut any_times(), &mut parsed);
                assert!(parsed.valid && parsed.stamp == Stamp::None, "{pattern}");
            }
        }
    }

    /// What follows such a line inherits that time, however far it is.
    #[test]
    fn any_other_format_may_have_a_time_in_a_line_that_does_not_fit() {
        let strict = format(r"^(?<user>\w+) did (?<what>\w+)$", false, b"");
        let built_in = FormatName::ALL.map(|name| built_in_of(name, b"name,note"));
        for format in built_in.iter().chain([&strict]) {
            assert!(!format.is_timeless(), "{}", format.name());
            let stamp = stamp(&**format, HEADED);
            assert!(matches!(stamp, Stamp::At(_)), "{}", format.name());
        }
    }

    #[test]
    fn what_is_around_or_inside_a_timeless_line_may_have_a_time() {
        let (every, nested_line) = ("^(?<message>.*)", b"{\"time\":\"2026-01-19T14:00:00Z\"}");
        let nested = format(every, true, b"");
        assert!(!nested.is_timeless());
        assert!(matches!(stamp(&*nested, nested_line), Stamp::At(_)));
        let wrapped = format(every, false, b"2026-01-19T14:00:00.1Z stdout F words\n");
        assert!(wrapped.wraps() && !wrapped.is_timeless());
    }
}
