//! Where a row stands among the rows, as bytes: they compare as the values do that they were made of, so that rows are
//! sorted, spilled and merged without looking into them.
//!
//! Every part of a key ends itself: no encoding is the beginning of another, so keys of several parts compare part by
//! part, and a part that falls is the same bytes inverted.

use bstr::ByteSlice;
use jobspec::value::{OwnedValue, Value};

use crate::entry::Place;

/// A key in the making.
#[derive(Clone, Debug, Default)]
pub struct SortKey(Vec<u8>);

const PLACE_BYTES: usize = 30;

/// Before every value, so that NULL comes last, falling too.
const VALUE: u8 = 0;
const NULL: u8 = 1;

/// What comes before what, as `Value::total_cmp` has it.
const NUMBER: u8 = 0;
const TIME: u8 = 1;
const LEVEL: u8 = 2;
const BOOL: u8 = 3;
const TEXT: u8 = 4;

impl SortKey {
    pub fn new() -> SortKey {
        // Room for a number or a short text: most keys have no more.
        SortKey(Vec::with_capacity(32))
    }

    /// That goes on after these parts of a key.
    pub fn after(parts: Vec<u8>) -> SortKey {
        SortKey(parts)
    }

    /// In the room of a key that is needed no longer.
    pub fn reuse(mut bytes: Vec<u8>) -> SortKey {
        bytes.clear();
        SortKey(bytes)
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// A term of `order`: a text that is a number is that number, and the digits of a time do not count.
    pub fn order(&mut self, value: &Value<'_>, descending: bool) {
        if value.is_null() {
            return self.0.push(NULL);
        }
        self.0.push(VALUE);
        let start = self.0.len();
        match (value, value.as_number()) {
            (_, Some(number)) => {
                self.0.push(NUMBER);
                self.number(&number);
            }
            (Value::Time(time), None) => {
                self.0.push(TIME);
                self.signed(time.ns);
            }
            (value, None) => self.other(value),
        }
        if descending {
            self.0[start..].iter_mut().for_each(|byte| *byte = !*byte);
        }
    }

    /// A value of a group or of a key: as in `order`, and values of two texts never tie.
    pub fn group(&mut self, value: &Value<'_>) {
        if value.is_null() {
            return self.0.push(NULL);
        }
        self.0.push(VALUE);
        match (value, value.as_number()) {
            (_, Some(number)) => {
                self.0.push(NUMBER);
                self.number(&number);
                self.text(&value.to_text());
            }
            (Value::Time(time), None) => {
                self.0.push(TIME);
                self.signed(time.ns);
                self.0.push(time.digits);
            }
            (value, None) => self.other(value),
        }
    }

    /// The total order of entries.
    pub fn place(&mut self, place: &Place) {
        let start = self.0.len();
        self.signed(place.time_ns);
        self.0.extend_from_slice(&place.host.to_be_bytes());
        self.0.extend_from_slice(&place.log.to_be_bytes());
        self.0.extend_from_slice(&place.stream.to_be_bytes());
        self.0.extend_from_slice(&place.file.to_be_bytes());
        self.0.extend_from_slice(&place.offset.to_be_bytes());
        debug_assert_eq!(self.0.len() - start, PLACE_BYTES);
    }

    fn other(&mut self, value: &Value<'_>) {
        match value {
            Value::Level(level) => self.0.extend([LEVEL, *level as u8]),
            Value::Bool(bool) => self.0.extend([BOOL, u8::from(*bool)]),
            value => {
                self.0.push(TEXT);
                self.text(&value.to_text());
            }
        }
    }

    /// 0 is written as 0 255, so that 0 0 ends it before whatever goes on.
    fn text(&mut self, mut text: &[u8]) {
        while let Some(zero) = text.find_byte(0) {
            self.0.extend_from_slice(&text[..zero]);
            self.0.extend([0, 255]);
            text = &text[zero + 1..];
        }
        self.0.extend_from_slice(text);
        self.0.extend([0, 0]);
    }

    fn signed(&mut self, number: i64) {
        let biased = (number as u64) ^ (1 << 63);
        self.0.extend_from_slice(&biased.to_be_bytes());
    }

    /// The greatest double that is no greater, and what it lacks: doubles and whole numbers compare exactly.
    fn number(&mut self, number: &OwnedValue) {
        let (double, rest) = match number {
            Value::Int(whole) => floor(*whole),
            Value::Float(double) => (*double, 0),
            _ => unreachable!("a number is whole or a double"),
        };
        let bits = double.to_bits();
        let ordered = if bits >> 63 == 0 {
            bits | 1 << 63
        } else {
            !bits
        };
        self.0.extend_from_slice(&ordered.to_be_bytes());
        self.0.push(u8::from(rest > 0));
        if rest > 0 {
            self.0.extend_from_slice(&rest.to_be_bytes());
        }
    }
}

/// The place that a key ends with.
pub fn last_place(key: &[u8]) -> Option<Place> {
    let bytes = key.last_chunk::<PLACE_BYTES>()?;
    let mut at = 0;
    let mut take = |length: usize| {
        let part = bytes[at..at + length].iter();
        at += length;
        part.fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    Some(Place {
        time_ns: (take(8) ^ 1 << 63) as i64,
        host: take(4) as u32,
        log: take(2) as u16,
        stream: take(4) as u32,
        file: take(4) as u32,
        offset: take(8),
    })
}

fn floor(whole: i128) -> (f64, u128) {
    /// 2^127: the one double that an i128 rounds to and cannot hold.
    const BEYOND: f64 = 170_141_183_460_469_231_731_687_303_715_884_105_728.0;
    let near = whole as f64;
    let double = if near == BEYOND || near as i128 > whole {
        near.next_down()
    } else {
        near
    };
    (double, whole.abs_diff(double as i128))
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use jobspec::value::{Level, Time};

    use super::*;

    fn values() -> Vec<OwnedValue> {
        let mut values = vec![
            Value::Null,
            Value::Bool(false),
            Value::Bool(true),
            Value::Level(Level::Trace),
            Value::Level(Level::Fatal),
            Value::Time(Time::new(-5, 0)),
            Value::Time(Time::new(7_000_000_000, 0)),
        ];
        for number in [
            i128::MIN,
            i128::MIN + 1,
            -(1 << 60) - 1,
            -(1 << 60),
            -1,
            0,
            1,
            200,
            (1 << 53) + 1,
            1 << 60,
            (1 << 60) + 1,
            i128::MAX - 1,
            i128::MAX,
        ] {
            values.push(Value::Int(number));
        }
        for number in [
            -1e300,
            -1.8e38,
            -1e30,
            -0.5,
            1e-300,
            0.5,
            199.999,
            1e30,
            1.8e38,
            f64::MAX,
            9_007_199_254_740_994.0,
            1_152_921_504_606_846_976.0,
        ] {
            values.push(Value::float(number));
        }
        for text in [
            "", "\0", "\0\u{1}", "a", "a\0", "a\0b", "ab", "b", "é", "1x",
        ] {
            values.push(Value::owned_text(text));
        }
        values
    }

    /// As `order` is meant, written as comparisons.
    fn compare(left: &OwnedValue, right: &OwnedValue, descending: bool) -> Ordering {
        match (left.is_null(), right.is_null()) {
            (false, false) => {
                let ordering = match (left, right) {
                    (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
                        left.number_cmp(right)
                    }
                    _ => left.total_cmp(right),
                };
                if descending {
                    ordering.reverse()
                } else {
                    ordering
                }
            }
            (left, right) => left.cmp(&right),
        }
    }

    #[test]
    fn bytes_compare_as_values_do() {
        for descending in [false, true] {
            for left in values() {
                for right in values() {
                    let key = |value: &OwnedValue| {
                        let mut key = SortKey::new();
                        key.order(value, descending);
                        key.into_bytes()
                    };
                    let (left_key, right_key) = (key(&left), key(&right));
                    assert_eq!(
                        left_key.cmp(&right_key),
                        compare(&left, &right, descending),
                        "{left:?} and {right:?}, falling: {descending}"
                    );
                    assert!(
                        left_key == right_key
                            || !(left_key.starts_with(&right_key)
                                || right_key.starts_with(&left_key)),
                        "{left:?} and {right:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_text_that_is_a_number_is_that_number() {
        let order = |text: &str| {
            let mut key = SortKey::new();
            key.order(&Value::owned_text(text), false);
            key.into_bytes()
        };
        assert!(order("9") < order("10"));
        assert_eq!(order("10"), order("1e1"));
        assert!(order("1e30") < order("x"));
        let group = |value: Value<'_>| {
            let mut key = SortKey::new();
            key.group(&value);
            key.into_bytes()
        };
        assert_eq!(group(Value::Int(200)), group(Value::text(b"200")));
        assert!(group(Value::Int(200)) < group(Value::text(b"200.0")));
        assert!(group(Value::text(b"200.0")) < group(Value::Int(201)));
    }

    #[test]
    fn a_place_is_found_again() {
        let place = Place {
            time_ns: -3,
            host: 1,
            log: 2,
            stream: 3,
            file: 4,
            offset: 1 << 40,
        };
        let mut key = SortKey::new();
        key.order(&Value::Int(7), true);
        key.place(&place);
        let bytes = key.into_bytes();
        assert_eq!(last_place(&bytes), Some(place));
        assert_eq!(last_place(&bytes[..PLACE_BYTES - 1]), None);
        let later = Place {
            time_ns: Place::UNTIMED,
            host: 0,
            ..place
        };
        let mut key = SortKey::new();
        key.order(&Value::Int(7), true);
        key.place(&later);
        assert!(bytes < key.into_bytes());
    }
}
