//! logfmt: `time=… level=info msg="two words" took=15ms`.

use std::borrow::Cow;

use jobspec::plan::PathPart;
use memchr::memchr2;

use super::json::{Best, Keys, flat_name, hash};
use super::own::unique;
use super::{Format, Parsed, Stamp, Wanted};
use crate::entry::{Field, FieldKind};
use crate::time::{TimeFormat, TimeReader};

pub struct Logfmt {
    name: String,
    keys: Keys,
    time_format: Option<TimeFormat>,
}

impl Logfmt {
    pub fn new(name: &str, keys: Keys, time_format: Option<TimeFormat>) -> Logfmt {
        Logfmt {
            name: name.to_owned(),
            keys,
            time_format,
        }
    }
}

impl Format for Logfmt {
    fn name(&self) -> &str {
        &self.name
    }

    fn holds_values(&self) -> bool {
        true
    }

    fn parse<'a>(
        &self,
        raw: &'a [u8],
        wanted: &Wanted,
        times: &mut TimeReader,
        parsed: &mut Parsed<'a>,
    ) {
        let filter = wanted.filter();
        let mut best = Best::default();
        let valid = pairs(raw, |name, field| {
            let hash = hash(name);
            best.note(&self.keys, hash, name, field);
            if filter.has(hash) {
                for (path, slot) in wanted.paths.iter().zip(&mut parsed.fields) {
                    if path.text.as_bytes() == name {
                        *slot = Some(field);
                    }
                }
            }
        });
        if !valid {
            parsed.refuse(raw, times);
            return;
        }
        let lookup = |path: &[PathPart]| {
            let (name, mut found) = (flat_name(path), None);
            pairs(raw, |other, field| {
                if other == name.as_bytes() {
                    found = Some(field);
                }
            });
            found
        };
        parsed.stamp = best.stamp(&self.keys, &lookup, self.time_format.as_ref(), times);
        parsed.level = best.level(&self.keys, &lookup);
        parsed.message = best.message(&self.keys, &lookup);
        // auditd's time stands in its message: `msg=audit(1768831200.123:42):`
        if let Some(message) = parsed.message
            && parsed.stamp == Stamp::None
            && message.text.starts_with(b"audit(")
        {
            parsed.stamp = times.somewhere(message.text);
        }
    }

    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
        let mut members = Vec::new();
        if pairs(raw, |name, field| {
            members.push((Cow::Borrowed(name), field))
        }) {
            unique(members, visit);
        }
    }
}

/// Calls `visit` with each pair. A word without `=` is a flag: true. The text is logfmt where it begins with a pair,
/// closes its quotes, and has no more flags than pairs: a sentence with a pair in it is something else.
fn pairs<'a>(raw: &'a [u8], mut visit: impl FnMut(&'a [u8], Field<'a>)) -> bool {
    let (mut pairs, mut flags) = (0_usize, 0_usize);
    let mut at = 0;
    loop {
        at += raw[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_whitespace())
            .count();
        if at == raw.len() {
            return pairs > 0 && flags <= pairs;
        }
        let rest = &raw[at..];
        let length = rest
            .iter()
            .position(|byte| matches!(byte, b'=' | b'"' | 0..=b' '))
            .unwrap_or(rest.len());
        let name = &rest[..length];
        at += length;
        match rest.get(length) {
            Some(b'=') if length > 0 => {}
            None | Some(0..=b' ') if pairs > 0 && length > 0 => {
                flags += 1;
                let truth = Field {
                    text: b"true",
                    kind: FieldKind::Bool,
                };
                visit(name, truth);
                continue;
            }
            _ => return false,
        }
        at += 1;
        let Some((field, end)) = value(raw, at) else {
            return false;
        };
        visit(name, field);
        pairs += 1;
        at = end;
    }
}

fn value(raw: &[u8], at: usize) -> Option<(Field<'_>, usize)> {
    if raw.get(at) != Some(&b'"') {
        let length = raw[at..]
            .iter()
            .position(u8::is_ascii_whitespace)
            .unwrap_or(raw.len() - at);
        return Some((Field::text(&raw[at..at + length]), at + length));
    }
    let (end, is_escaped) = quote_end(raw, at + 1)?;
    let kind = if is_escaped {
        FieldKind::Escaped
    } else {
        FieldKind::Text
    };
    let field = Field {
        text: &raw[at + 1..end],
        kind,
    };
    matches!(raw.get(end + 1), None | Some(b' ' | b'\t' | b'\n' | b'\r'))
        .then_some((field, end + 1))
}

/// The quote that ends a text in which a backslash guards one byte, and whether it does so anywhere.
pub(super) fn quote_end(text: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut is_escaped = false;
    loop {
        at += memchr2(b'"', b'\\', text.get(at..)?)?;
        if text[at] == b'"' {
            return Some((at, is_escaped));
        }
        is_escaped = true;
        at += 2;
    }
}
