//! What formats share in handing out an entry's own fields.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{Parsed, Wanted};
use crate::entry::{Field, FieldKind};

/// The fields of a format whose names are fixed; None is not there.
pub(super) type Own<'a> = [(&'static str, Option<Field<'a>>)];

/// Puts the wanted ones where the plan wants them.
pub(super) fn fill<'a>(own: &Own<'a>, wanted: &Wanted, parsed: &mut Parsed<'a>) {
    for (path, slot) in wanted.paths.iter().zip(&mut parsed.fields) {
        *slot = own
            .iter()
            .find(|(name, _)| path.text == *name)
            .and_then(|(_, field)| *field);
    }
}

pub(super) fn visit_own<'a>(own: &Own<'a>, visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
    for (name, field) in own {
        if let Some(field) = field {
            visit(Cow::Borrowed(name.as_bytes()), *field);
        }
    }
}

/// So many members are sooner held against each other than hashed.
const FEW: usize = 24;

/// Visits each name once, of those written twice the last.
pub(super) fn unique<'a>(
    members: Vec<(Cow<'a, [u8]>, Field<'a>)>,
    visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>),
) {
    if members.len() <= FEW {
        let is_last = |index: usize| {
            let (later, name) = (&members[index + 1..], &members[index].0);
            !later.iter().any(|(other, _)| other == name)
        };
        for index in (0..members.len()).filter(|index| is_last(*index)) {
            let (name, field) = &members[index];
            visit(name.clone(), *field);
        }
        return;
    }
    let mut seen = HashSet::with_capacity(members.len());
    let is_last: Vec<bool> = members
        .iter()
        .rev()
        .map(|(name, _)| seen.insert(name.clone()))
        .collect();
    for ((name, field), is_last) in members.into_iter().zip(is_last.into_iter().rev()) {
        if is_last {
            visit(name, field);
        }
    }
}

/// A text of digits is a number, `-` and nothing are no value, all else is text.
pub(super) fn number_or_text(text: &[u8]) -> Field<'_> {
    let kind = match text {
        b"-" | b"" => FieldKind::Null,
        _ if text.len() < 20 && text.iter().all(u8::is_ascii_digit) => FieldKind::Number,
        _ => FieldKind::Text,
    };
    Field { text, kind }
}

/// A text in which `-` is no value.
pub(super) fn dash_is_null(text: &[u8]) -> Field<'_> {
    let kind = match text {
        b"-" => FieldKind::Null,
        _ => FieldKind::Text,
    };
    Field { text, kind }
}
