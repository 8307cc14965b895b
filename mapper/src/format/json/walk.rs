//! A walk over one JSON text, exact and in one pass: no tree, no allocation, no recursion.
//!
//! What the walk accepts is JSON by RFC 8259, but that texts may hold invalid UTF-8 and that nesting ends at
//! `DEEPEST`. Whatever it skips it has checked.

use std::borrow::Cow;

use jobspec::plan::PathPart;

use crate::entry::{Field, FieldKind};

/// Objects and arrays inside each other. Deeper is malformed: the stack of kinds is one word.
pub(super) const DEEPEST: u32 = 128;

/// A key as it stands between its quotes.
#[derive(Clone, Copy)]
pub(super) struct Key<'a> {
    pub text: &'a [u8],
    pub is_escaped: bool,
}

/// Calls `visit` with each member of the object that `text` is. False where it is not well-formed; members before
/// the fault have been visited then.
#[inline]
pub(super) fn object<'a>(text: &'a [u8], mut visit: impl FnMut(Key<'a>, Field<'a>)) -> bool {
    members(text, &mut visit).is_some()
}

#[inline(always)]
fn members<'a>(text: &'a [u8], visit: &mut impl FnMut(Key<'a>, Field<'a>)) -> Option<()> {
    let mut at = space(text, 0);
    if text.get(at) != Some(&b'{') {
        return None;
    }
    at = space(text, at + 1);
    if text.get(at) == Some(&b'}') {
        return (space(text, at + 1) == text.len()).then_some(());
    }
    loop {
        let (key, colon) = key(text, at)?;
        let (field, end) = value(text, colon)?;
        visit(key, field);
        at = space(text, end);
        match text.get(at)? {
            b',' => at = space(text, at + 1),
            b'}' => return (space(text, at + 1) == text.len()).then_some(()),
            _ => return None,
        }
    }
}

/// The value of the first member of that name among the first few, and its end. None where another key before it is
/// written with escapes.
pub(super) fn first_of<'a>(text: &'a [u8], name: &[u8], most: usize) -> Option<(Field<'a>, usize)> {
    let mut at = space(text, 0);
    if text.get(at) != Some(&b'{') {
        return None;
    }
    at = space(text, at + 1);
    for _ in 0..most {
        let (key, colon) = key(text, at)?;
        let (field, end) = value(text, colon)?;
        if key.is_escaped {
            return None;
        }
        if key.text == name {
            return Some((field, end));
        }
        at = space(text, end);
        if text.get(at) != Some(&b',') {
            return None;
        }
        at = space(text, at + 1);
    }
    None
}

/// A key and the place of its value.
#[inline(always)]
fn key(text: &[u8], at: usize) -> Option<(Key<'_>, usize)> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let (end, is_escaped) = string_end(text, at + 1)?;
    let key = Key {
        text: &text[at + 1..end],
        is_escaped,
    };
    let at = space(text, end + 1);
    (text.get(at) == Some(&b':')).then(|| (key, space(text, at + 1)))
}

/// One value and its end.
#[inline(always)]
fn value(text: &[u8], at: usize) -> Option<(Field<'_>, usize)> {
    let (kind, start, end, next) = match text.get(at)? {
        b'"' => {
            let (end, is_escaped) = string_end(text, at + 1)?;
            let kind = if is_escaped {
                FieldKind::Escaped
            } else {
                FieldKind::Text
            };
            (kind, at + 1, end, end + 1)
        }
        b'{' | b'[' => {
            let end = nested_end(text, at)?;
            (FieldKind::Json, at, end, end)
        }
        _ => {
            let (kind, end) = scalar_end(text, at)?;
            (kind, at, end, end)
        }
    };
    let field = Field {
        text: &text[start..end],
        kind,
    };
    Some((field, next))
}

/// The end of a number, `true`, `false` or `null`.
#[inline]
fn scalar_end(text: &[u8], at: usize) -> Option<(FieldKind, usize)> {
    let rest = &text[at..];
    match rest.first()? {
        b't' if rest.starts_with(b"true") => Some((FieldKind::Bool, at + 4)),
        b'f' if rest.starts_with(b"false") => Some((FieldKind::Bool, at + 5)),
        b'n' if rest.starts_with(b"null") => Some((FieldKind::Null, at + 4)),
        b'-' | b'0'..=b'9' => Some((FieldKind::Number, number_end(text, at)?)),
        _ => None,
    }
}

fn number_end(text: &[u8], at: usize) -> Option<usize> {
    let digits = |at: usize| {
        let run = text[at..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        (run > 0).then_some(at + run)
    };
    let mut at = at + usize::from(text[at] == b'-');
    at = match text.get(at)? {
        b'0' => at + 1,
        _ => digits(at)?,
    };
    if text.get(at) == Some(&b'.') {
        at = digits(at + 1)?;
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        at = digits(at)?;
    }
    Some(at)
}

/// The end of the object or array that begins at `at`, all of it checked.
fn nested_end(text: &[u8], mut at: usize) -> Option<usize> {
    // Bit by bit from the outside in: whether it is an object.
    let mut kinds: u128 = 0;
    let mut depth = 0;
    loop {
        // A value stands here.
        match *text.get(at)? {
            open @ (b'{' | b'[') => {
                if depth == DEEPEST {
                    return None;
                }
                depth += 1;
                kinds = kinds << 1 | u128::from(open == b'{');
                at = space(text, at + 1);
                // In both ASCII pairs the end is two beyond the beginning.
                if *text.get(at)? != open + 2 {
                    if open == b'{' {
                        at = key(text, at)?.1;
                    }
                    continue;
                }
                at += 1;
                depth -= 1;
                kinds >>= 1;
            }
            b'"' => at = string_end(text, at + 1)?.0 + 1,
            _ => at = scalar_end(text, at)?.1,
        }
        // A value ended here.
        loop {
            if depth == 0 {
                return Some(at);
            }
            at = space(text, at);
            let is_object = kinds & 1 == 1;
            match *text.get(at)? {
                b',' => {
                    at = space(text, at + 1);
                    if is_object {
                        at = key(text, at)?.1;
                    }
                    break;
                }
                b'}' if is_object => {}
                b']' if !is_object => {}
                _ => return None,
            }
            at += 1;
            depth -= 1;
            kinds >>= 1;
        }
    }
}

/// The place of the quote that ends a string, and whether there are escapes before it.
#[inline(always)]
fn string_end(text: &[u8], mut at: usize) -> Option<(usize, bool)> {
    let mut is_escaped = false;
    loop {
        at = special(text, at)?;
        match text[at] {
            b'"' => return Some((at, is_escaped)),
            b'\\' => {
                is_escaped = true;
                at = escape_end(text, at + 1)?;
            }
            _ => return None,
        }
    }
}

fn escape_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => {
            let digits = text.get(at + 1..at + 5)?;
            digits.iter().all(u8::is_ascii_hexdigit).then_some(at + 5)
        }
        _ => None,
    }
}

/// The place of the next quote, backslash or control character, eight bytes a step.
#[inline(always)]
fn special(text: &[u8], mut at: usize) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    while let Some(bytes) = text.get(at..at + 8) {
        let word = u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        // A byte's high bit is set where it is the one looked for; bits above the lowest may be false.
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let found = (zero(word ^ (ONES * u64::from(b'"')))
            | zero(word ^ (ONES * u64::from(b'\\')))
            | (word.wrapping_sub(ONES * 0x20) & !word))
            & HIGHS;
        if found != 0 {
            return Some(at + (found.trailing_zeros() / 8) as usize);
        }
        at += 8;
    }
    text[at..]
        .iter()
        .position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20))
        .map(|index| at + index)
}

#[inline(always)]
fn space(text: &[u8], mut at: usize) -> usize {
    while matches!(text.get(at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
        at += 1;
    }
    at
}

/// The value that the rest of a path leads to, inside a value that is well-formed.
pub(super) fn descend<'a>(field: Field<'a>, rest: &[PathPart]) -> Option<Field<'a>> {
    let mut field = field;
    for part in rest {
        if field.kind != FieldKind::Json {
            return None;
        }
        field = match part {
            PathPart::Name(name) => member(field.text, name.as_bytes())?,
            PathPart::Index(index) => element(field.text, *index)?,
        };
    }
    Some(field)
}

/// The last member of that name, by its name as meant.
pub(super) fn member<'a>(text: &'a [u8], name: &[u8]) -> Option<Field<'a>> {
    let mut found = None;
    object(text, |key, field| {
        if key.is(name) {
            found = Some(field);
        }
    });
    found
}

fn element(text: &[u8], index: u32) -> Option<Field<'_>> {
    if text.first() != Some(&b'[') {
        return None;
    }
    let mut at = space(text, 1);
    for place in 0.. {
        let (field, end) = value(text, at)?;
        if place == index {
            return Some(field);
        }
        at = space(text, end);
        if text.get(at) != Some(&b',') {
            return None;
        }
        at = space(text, at + 1);
    }
    None
}

impl<'a> Key<'a> {
    /// The name as meant.
    #[inline]
    pub fn name(&self) -> Cow<'a, [u8]> {
        match self.is_escaped {
            true => super::unescape(self.text),
            false => Cow::Borrowed(self.text),
        }
    }

    pub fn is(&self, name: &[u8]) -> bool {
        *self.name() == *name
    }
}
