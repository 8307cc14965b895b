//! Keys as bytes: the texts of some values, so that equal bytes are equal keys and bytes sort runs.

use std::borrow::Cow;

use bstr::BStr;
use jobspec::value::{Time, Value};

use super::Mismatch;
use crate::measure::with_text;

/// Appends one part of a key. NULL is no text, not even the empty one.
pub fn push(key: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => key.push(0),
        Value::Time(time) => push_time(key, *time),
        _ => with_text(value, |text| push_text(key, text)),
    }
}

/// Appends a time. Times are many and slow to print; their nanoseconds and digits say the same.
#[inline]
pub fn push_time(key: &mut Vec<u8>, time: Time) {
    let [a, b, c, d, e, f, g, h] = (time.ns as u64 ^ 1 << 63).to_be_bytes();
    key.extend_from_slice(&[2, a, b, c, d, e, f, g, h, time.digits]);
}

/// Appends the part that any value of this text is.
#[inline]
pub fn push_text(key: &mut Vec<u8>, text: &[u8]) {
    let [a, b, c, d] = (text.len() as u32).to_be_bytes();
    key.extend_from_slice(&[1, a, b, c, d]);
    key.extend_from_slice(text);
}

/// The parts of a key, each as it was pushed; None is NULL. An error, and the end, where it is none of ours.
pub fn parts(mut key: &[u8]) -> impl Iterator<Item = Result<Option<&[u8]>, Mismatch>> {
    std::iter::from_fn(move || {
        let kind = *key.first()?;
        let part = part_length(key).and_then(|length| key.split_at_checked(length));
        let (part, rest) = part.unzip();
        key = rest.unwrap_or_default();
        Some(part.map(|part| (kind != 0).then_some(part)).ok_or(Mismatch))
    })
}

/// Of the first part.
fn part_length(key: &[u8]) -> Option<usize> {
    Some(match key.first()? {
        0 => 1,
        1 => 5 + u32::from_be_bytes(*key.get(1..)?.first_chunk()?) as usize,
        2 => 10,
        _ => return None,
    })
}

/// The text of a part that is not NULL.
pub fn text(part: &[u8]) -> Cow<'_, BStr> {
    match time(part) {
        Some(time) => Cow::Owned(time.to_string().into()),
        None => Cow::Borrowed(part.get(5..).unwrap_or_default().into()),
    }
}

/// The time that a part is.
pub fn time(part: &[u8]) -> Option<Time> {
    let [2, ns @ .., digits] = part else {
        return None;
    };
    let ns = u64::from_be_bytes(*ns.first_chunk()?);
    Some(Time::new((ns ^ 1 << 63) as i64, *digits))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(values: &[Value<'_>]) -> Vec<u8> {
        let mut key = Vec::new();
        values.iter().for_each(|value| push(&mut key, value));
        key
    }

    #[test]
    fn equal_texts_are_one_key_and_parts_do_not_run_together() {
        assert_eq!(key(&[Value::Int(200)]), key(&[Value::text(b"200")]));
        assert_ne!(key(&[Value::Null]), key(&[Value::text(b"")]));
        assert_ne!(
            key(&[Value::text(b"ab"), Value::text(b"c")]),
            key(&[Value::text(b"a"), Value::text(b"bc")])
        );
        let time = |digits| Value::Time(Time::new(1_000_000_000, digits));
        assert_ne!(key(&[time(0)]), key(&[time(3)]));
    }

    #[test]
    fn a_key_comes_apart_again() {
        let time = Value::Time(Time::new(1_768_831_200_500_000_000, 3));
        let whole = key(&[Value::text(b"ab"), Value::Null, time, Value::Int(-7)]);
        let texts = parts(&whole).map(|part| {
            let text = Vec::from(text(part.unwrap()?).into_owned());
            String::from_utf8(text).ok()
        });
        let texts: Vec<Option<String>> = texts.collect();
        let expected = ["ab", "", "2026-01-19T14:00:00.500Z", "-7"].map(str::to_owned);
        let expected = expected.map(|text| Some(text).filter(|text| !text.is_empty()));
        assert_eq!(texts, expected);
        for end in 0..whole.len() {
            assert!(parts(&whole[..end]).filter(Result::is_ok).count() < 4);
        }
        for torn in [&[3][..], &[1, 255, 255, 255, 255], &[1, 0, 0, 0], &[2, 0]] {
            assert!(parts(torn).eq([Err(Mismatch)]));
        }
    }
}
