//! Keys as bytes: the texts of some values, so that equal bytes are equal keys and bytes sort runs.

use jobspec::value::Value;

use crate::measure::with_text;

/// Appends one part of a key. NULL is no text, not even the empty one.
pub fn push(key: &mut Vec<u8>, value: &Value<'_>) {
    match value {
        Value::Null => key.push(0),
        // Times are many and slow to print; their nanoseconds and digits say the same.
        Value::Time(time) => {
            key.push(2);
            key.extend_from_slice(&(time.ns as u64 ^ 1 << 63).to_be_bytes());
            key.push(time.digits);
        }
        _ => with_text(value, |text| {
            key.push(1);
            key.extend_from_slice(&(text.len() as u32).to_be_bytes());
            key.extend_from_slice(text);
        }),
    }
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
        let time = |digits| Value::Time(jobspec::value::Time::new(1_000_000_000, digits));
        assert_ne!(key(&[time(0)]), key(&[time(3)]));
    }
}
