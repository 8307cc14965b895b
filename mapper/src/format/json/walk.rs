//! A walk over one JSON text, exact and in one pass: no tree, no allocation, no recursion.
//!
//! What the walk accepts is JSON by RFC 8259, but that texts may hold invalid UTF-8 and that nesting ends at
//! `DEEPEST`. Whatever it skips it has checked.

use std::borrow::Cow;

use jobspec::plan::PathPart;
use wide::u8x16;

use super::keys::Keys;
use super::memory::{Memory, Place, Role};
use crate::entry::{Field, FieldKind};
use crate::format::Wanted;
use crate::format::specials::{self, StringEnds};

type Specials = specials::Specials<StringEnds>;

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

/// As `object`, to be compiled for several processors.
#[inline(always)]
pub(super) fn members<'a>(
    text: &'a [u8],
    visit: &mut impl FnMut(Key<'a>, Field<'a>),
) -> Option<()> {
    let specials = &mut Specials::new();
    let mut at = inside(text)?;
    if text.get(at) == Some(&b'}') {
        return closed(text, at);
    }
    loop {
        let (key, colon) = key(text, specials, at)?;
        let (field, end) = value(text, specials, colon)?;
        visit(key, field);
        at = space(text, end);
        match text.get(at)? {
            b',' => at = space(text, at + 1),
            b'}' => return closed(text, at),
            _ => return None,
        }
    }
}

/// The place behind the brace that begins an object.
#[inline(always)]
fn inside(text: &[u8]) -> Option<usize> {
    let at = space(text, 0);
    (text.get(at) == Some(&b'{')).then(|| space(text, at + 1))
}

/// Whether nothing follows the brace that ends it.
#[inline(always)]
fn closed(text: &[u8], brace: usize) -> Option<()> {
    (space(text, brace + 1) == text.len()).then_some(())
}

/// As `object`, with the place that the memory has for each key. Keys come with their names only where it has none or
/// does not say what they are good for. No closure of its own: it is compiled for several processors.
#[inline(always)]
pub(super) fn object_known<'a>(
    text: &'a [u8],
    memory: &mut Memory,
    keys: &Keys,
    wanted: &Wanted,
    mut visit: impl FnMut(Role, Option<Key<'a>>, Field<'a>),
) -> Option<()> {
    let specials = &mut Specials::new();
    let mut at = inside(text)?;
    if text.get(at) == Some(&b'}') {
        return closed(text, at);
    }
    let mut before = Place::START;
    loop {
        let (place, value_at) = match memory.follow(before, text, at) {
            Some((place, end)) => (place, space(text, end)),
            None => {
                let (key, end) = key(text, specials, at)?;
                (memory.learn(before, key, &text[at..end], keys, wanted), end)
            }
        };
        let (field, end) = value(text, specials, value_at)?;
        match memory.role(place) {
            Role::Nothing => {}
            role @ Role::Plain { .. } => visit(role, None, field),
            Role::Any => visit(Role::Any, Some(key(text, specials, at)?.0), field),
        }
        before = place;
        at = space(text, end);
        match text.get(at)? {
            b',' => at = space(text, at + 1),
            b'}' => return closed(text, at),
            _ => return None,
        }
    }
}

/// The value of the first member of that name among the first few, and its end. None where another key before it is
/// written with escapes.
#[inline(always)]
pub(super) fn first_of<'a>(text: &'a [u8], name: &[u8], most: usize) -> Option<(Field<'a>, usize)> {
    let specials = &mut Specials::of_head();
    let mut at = inside(text)?;
    for _ in 0..most {
        let (key, colon) = key(text, specials, at)?;
        let (field, end) = value(text, specials, colon)?;
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
fn key<'a>(text: &'a [u8], specials: &mut Specials, at: usize) -> Option<(Key<'a>, usize)> {
    if text.get(at) != Some(&b'"') {
        return None;
    }
    let (end, is_escaped) = string_end(text, specials, at + 1)?;
    let key = Key {
        text: &text[at + 1..end],
        is_escaped,
    };
    let at = space(text, end + 1);
    (text.get(at) == Some(&b':')).then(|| (key, space(text, at + 1)))
}

/// One value and its end.
#[inline(always)]
fn value<'a>(text: &'a [u8], specials: &mut Specials, at: usize) -> Option<(Field<'a>, usize)> {
    let (kind, start, end, next) = match text.get(at)? {
        b'"' => {
            let (end, is_escaped) = string_end(text, specials, at + 1)?;
            let kind = if is_escaped {
                FieldKind::Escaped
            } else {
                FieldKind::Text
            };
            (kind, at + 1, end, end + 1)
        }
        b'{' | b'[' => {
            let end = nested_end(text, specials, at)?;
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
#[inline(always)]
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

#[inline(always)]
fn number_end(text: &[u8], at: usize) -> Option<usize> {
    short_number_end(text, at).or_else(|| any_number_end(text, at))
}

/// The end of `200` or `118.04`: digits with at most one point among them, in one look. None for what may be a number
/// all the same.
#[inline(always)]
fn short_number_end(text: &[u8], at: usize) -> Option<usize> {
    const SEEN: usize = 16;
    let rest = text.get(at..)?;
    // At the end of a text, its last bytes, shifted: what is behind them is no digit.
    let bytes = match rest.first_chunk::<SEEN>() {
        Some(chunk) => *chunk,
        None => {
            let last = u128::from_le_bytes(*text.last_chunk::<SEEN>()?);
            (last >> (8 * (SEEN - rest.len()))).to_le_bytes()
        }
    };
    let bytes = u8x16::new(bytes);
    let digits = bytes - u8x16::splat(b'0');
    let digits = digits.min(u8x16::splat(9)).simd_eq(digits).to_bitmask();
    let points = bytes.simd_eq(u8x16::splat(b'.')).to_bitmask();
    let length = (!(digits | points)).trailing_zeros() as usize;
    if length >= SEEN {
        return None;
    }
    let points = points & !(u32::MAX << length);
    // A digit at both ends, no zero before another digit, and no exponent.
    let is_plain = digits & 1 == 1
        && digits >> (length - 1) & 1 == 1
        && points & points.wrapping_sub(1) == 0
        && (rest[0] != b'0' || digits & 2 == 0)
        && !matches!(rest.get(length), Some(b'e' | b'E'));
    is_plain.then_some(at + length)
}

fn any_number_end(text: &[u8], at: usize) -> Option<usize> {
    let digits = |at: usize| {
        let mut end = at;
        while text.get(end).is_some_and(u8::is_ascii_digit) {
            end += 1;
        }
        (end > at).then_some(end)
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
fn nested_end(text: &[u8], specials: &mut Specials, mut at: usize) -> Option<usize> {
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
                        at = key(text, specials, at)?.1;
                    }
                    continue;
                }
                at += 1;
                depth -= 1;
                kinds >>= 1;
            }
            b'"' => at = string_end(text, specials, at + 1)?.0 + 1,
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
                        at = key(text, specials, at)?.1;
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
fn string_end(text: &[u8], specials: &mut Specials, mut at: usize) -> Option<(usize, bool)> {
    let mut is_escaped = false;
    loop {
        at = specials.next(text, at)?;
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
    let specials = &mut Specials::new();
    let mut at = space(text, 1);
    for place in 0.. {
        let (field, end) = value(text, specials, at)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_ends_where_the_slow_look_says() {
        let mut numbers = vec![String::new()];
        // Every text of up to five of these, and longer ones.
        for length in 0..5 {
            let shorter = numbers.iter().filter(|text| text.len() == length);
            let longer =
                shorter.flat_map(|text| "03.eE-+ ".chars().map(move |c| format!("{text}{c}")));
            numbers.extend(longer.collect::<Vec<_>>());
        }
        for length in 6..20 {
            numbers.push("1234567890123456789"[..length].to_owned());
            numbers.push(format!("0.{}", &"1234567890123456789"[..length]));
        }
        for number in numbers {
            for after in ["", ",", "}", ",\"a long tail\":true}"] {
                let text = format!("{number}{after}");
                if text.is_empty() {
                    continue;
                }
                let text = text.as_bytes();
                let short = short_number_end(text, 0);
                if let Some(end) = short {
                    assert_eq!(
                        any_number_end(text, 0),
                        Some(end),
                        "{}",
                        text.escape_ascii()
                    );
                }
            }
        }
        assert_eq!(short_number_end(b"118.04,\"status\":", 0), Some(6));
        assert_eq!(short_number_end(b"\"duration_ms\":118.04}", 14), Some(20));
    }
}
