//! Keys as bytes: the texts of some values, so that equal bytes are equal keys and bytes sort runs.

use std::borrow::Cow;

use jobspec::value::{Time, Value};

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

/// The parts of a key, each as it was pushed; None is NULL. Not one of ours if there are none.
pub fn parts(mut key: &[u8]) -> Option<Vec<Option<&[u8]>>> {
    let mut parts = Vec::new();
    while let Some(kind) = key.first() {
        let length = match kind {
            0 => 1,
            1 => 5 + u32::from_be_bytes(*key.get(1..)?.first_chunk()?) as usize,
            2 => 10,
            _ => return None,
        };
        let (part, rest) = key.split_at_checked(length)?;
        parts.push((*kind != 0).then_some(part));
        key = rest;
    }
    Some(parts)
}

/// The text of a part that is not NULL.
pub fn text(part: &[u8]) -> Cow<'_, [u8]> {
    match time(part) {
        Some(time) => Cow::Owned(time.to_string().into_bytes()),
        None => Cow::Borrowed(part.get(5..).unwrap_or_default()),
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
        let texts = parts(&whole).unwrap().into_iter().map(|part| {
            let text = text(part?).into_owned();
            String::from_utf8(text).ok()
        });
        let texts: Vec<Option<String>> = texts.collect();
        let expected = ["ab", "", "2026-01-19T14:00:00.500Z", "-7"].map(str::to_owned);
        let expected = expected.map(|text| Some(text).filter(|text| !text.is_empty()));
        assert_eq!(texts, expected);
        for end in 0..whole.len() {
            assert!(parts(&whole[..end]).is_none_or(|parts| parts.len() < 4));
        }
        assert_eq!(parts(&[3]), None);
        assert_eq!(parts(&[1, 255, 255, 255, 255]), None);
    }
}
