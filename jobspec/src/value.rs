//! The words that entries and rows share: a value, a level, a time.
//!
//! A number has one form here: whatever is a whole number and fits is an `Int`, all else is the nearest
//! double, and neither NaN nor an infinity exists. So `1`, `1.0` and `1e0` are one value and print alike.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;
use std::fmt;

use bstr::{BStr, ByteSlice};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One value of an entry's field, a column or an expression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub enum Value<'a> {
    Null,
    Bool(bool),
    Int(i128),
    /// Always finite, and never a whole number that `Int` could hold exactly.
    Float(f64),
    Time(Time),
    Level(Level),
    Text(Cow<'a, BStr>),
    /// An object or array as logged; compared as its text, written as JSON.
    Json(Cow<'a, BStr>),
    /// These two are made of finished rows and never travel, so that nobody can send a value nested without end.
    #[serde(skip)]
    List(Vec<Value<'a>>),
    /// What `top` gives: names and values, in order.
    #[serde(skip)]
    Object(Vec<(String, Value<'a>)>),
}

/// A value that borrows nothing.
pub type OwnedValue = Value<'static>;

/// Lists and objects inside each other, as decoded; `top` makes two levels.
const MAX_DECODED_DEPTH: u32 = 16;

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Value::serialize(self, serializer)
    }
}

/// As derived, but for a bound on the depth and the one form of numbers: bytes may claim anything.
impl<'de> Deserialize<'de> for Value<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        thread_local! {
            static DEPTH: Cell<u32> = const { Cell::new(0) };
        }
        struct Level;
        impl Drop for Level {
            fn drop(&mut self) {
                DEPTH.set(DEPTH.get() - 1);
            }
        }
        DEPTH.set(DEPTH.get() + 1);
        let _level = Level;
        if DEPTH.get() > MAX_DECODED_DEPTH {
            return Err(serde::de::Error::custom("a value is nested too deeply"));
        }
        Ok(match Value::deserialize(deserializer)? {
            Value::Float(number) => Value::float(number),
            Value::Time(time) => Value::Time(Time::new(time.ns, time.digits)),
            value => value,
        })
    }
}

/// Whole doubles up to here are exact, so they are `Int`s.
const EXACT_WHOLE: f64 = 9_007_199_254_740_992.0;

impl<'a> Value<'a> {
    pub fn text(text: &'a [u8]) -> Value<'a> {
        Value::Text(Cow::Borrowed(text.as_bstr()))
    }

    pub fn owned_text(text: impl Into<Vec<u8>>) -> OwnedValue {
        Value::Text(Cow::Owned(text.into().into()))
    }

    /// The double in its one form; what is not finite is NULL.
    pub fn float(number: f64) -> Value<'static> {
        if !number.is_finite() {
            Value::Null
        } else if number.fract() == 0.0 && number.abs() <= EXACT_WHOLE {
            Value::Int(number as i128)
        } else {
            Value::Float(number)
        }
    }

    /// The number that a text is, in decimal notation with an optional sign and exponent; None for any other text.
    pub fn parse_number(text: &[u8]) -> Option<Value<'static>> {
        let digits = match text.first()? {
            b'+' | b'-' => &text[1..],
            _ => text,
        };
        if digits.is_empty() || !digits[0].is_ascii_digit() || text.len() > 400 {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        if digits.len() <= 38 && digits.iter().all(u8::is_ascii_digit) {
            return text.parse().ok().map(Value::Int);
        }
        if !digits
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
            || digits.last() == Some(&b'.')
        {
            return None;
        }
        match Value::float(text.parse().ok()?) {
            Value::Null => None,
            number => Some(number),
        }
    }

    /// The value as a number: a number itself, or a text that is one.
    pub fn as_number(&self) -> Option<Value<'static>> {
        match self {
            Value::Int(number) => Some(Value::Int(*number)),
            Value::Float(number) => Some(Value::Float(*number)),
            Value::Text(text) => Value::parse_number(text),
            _ => None,
        }
    }

    pub fn as_f64(&self) -> Option<f64> {
        match self.as_number()? {
            Value::Int(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    /// The same value, borrowed.
    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Text(text) => Value::text(text),
            Value::Json(text) => Value::Json(Cow::Borrowed(text.as_ref())),
            value => value.clone(),
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// The text that a person sees, and by which keys and groups are told apart; empty for NULL.
    pub fn to_text(&self) -> Cow<'_, [u8]> {
        match self {
            Value::Null => Cow::Borrowed(b""),
            Value::Bool(true) => Cow::Borrowed(b"true"),
            Value::Bool(false) => Cow::Borrowed(b"false"),
            Value::Int(number) => Cow::Owned(number.to_string().into_bytes()),
            Value::Float(number) => Cow::Owned(float_text(*number).into_bytes()),
            Value::Time(time) => Cow::Owned(time.to_string().into_bytes()),
            Value::Level(level) => Cow::Borrowed(level.name().as_bytes()),
            Value::Text(text) | Value::Json(text) => Cow::Borrowed(text.as_bytes()),
            Value::List(_) | Value::Object(_) => {
                let mut text = Vec::new();
                self.write_json(&mut text);
                Cow::Owned(text)
            }
        }
    }

    pub fn into_owned(self) -> OwnedValue {
        match self {
            Value::Null => Value::Null,
            Value::Bool(bool) => Value::Bool(bool),
            Value::Int(number) => Value::Int(number),
            Value::Float(number) => Value::Float(number),
            Value::Time(time) => Value::Time(time),
            Value::Level(level) => Value::Level(level),
            Value::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Value::Json(text) => Value::Json(Cow::Owned(text.into_owned())),
            Value::List(list) => Value::List(list.into_iter().map(Value::into_owned).collect()),
            Value::Object(object) => Value::Object(
                object
                    .into_iter()
                    .map(|(name, value)| (name, value.into_owned()))
                    .collect(),
            ),
        }
    }

    /// The order of `order`, min, max and percentiles: numbers first (a text that is a number is that number),
    /// then times, levels, booleans, texts by bytes, NULL last. `1`, `'1'` and `'1.0'` are equal here, as are times
    /// of one moment that were logged with more digits or fewer.
    pub fn order_cmp(&self, other: &Value<'_>) -> Ordering {
        let rank = |value: &Value<'_>, number: &Option<Value<'_>>| match value {
            _ if number.is_some() => 0,
            Value::Int(_) | Value::Float(_) => 0,
            Value::Time(_) => 1,
            Value::Level(_) => 2,
            Value::Bool(_) => 3,
            Value::Text(_) | Value::Json(_) | Value::List(_) | Value::Object(_) => 4,
            Value::Null => 5,
        };
        let (left, right) = (self.as_number(), other.as_number());
        if let (Some(left), Some(right)) = (&left, &right) {
            return left.number_cmp(right);
        }
        rank(self, &left)
            .cmp(&rank(other, &right))
            .then_with(|| match (self, other) {
                (Value::Time(left), Value::Time(right)) => left.ns.cmp(&right.ns),
                (Value::Level(left), Value::Level(right)) => left.cmp(right),
                (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
                _ => self.to_text().cmp(&other.to_text()),
            })
    }

    /// `order_cmp`, and values that it calls equal told apart by their text and kind: which of them is the least
    /// or the greatest must not depend on who came first.
    pub fn total_cmp(&self, other: &Value<'_>) -> Ordering {
        self.order_cmp(other)
            .then_with(|| match (self, other) {
                (Value::Int(_) | Value::Float(_), Value::Int(_) | Value::Float(_)) => {
                    Ordering::Equal
                }
                _ => self.to_text().cmp(&other.to_text()),
            })
            .then_with(|| self.kind().cmp(&other.kind()))
    }

    /// Compares two numbers exactly, a whole one with a double too. Both must be numbers.
    pub fn number_cmp(&self, other: &Value<'_>) -> Ordering {
        match (self, other) {
            (Value::Int(left), Value::Int(right)) => left.cmp(right),
            (Value::Float(left), Value::Float(right)) => left.total_cmp(right),
            (Value::Int(left), Value::Float(right)) => int_float_cmp(*left, *right),
            (Value::Float(left), Value::Int(right)) => int_float_cmp(*right, *left).reverse(),
            _ => unreachable!("number_cmp is for numbers"),
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Value::Int(_) => 0,
            Value::Float(_) => 1,
            Value::Time(_) => 2,
            Value::Level(_) => 3,
            Value::Bool(_) => 4,
            Value::Text(_) => 5,
            Value::Json(_) => 6,
            Value::List(_) => 7,
            Value::Object(_) => 8,
            Value::Null => 9,
        }
    }

    /// Appends the value as JSON. Invalid UTF-8 is shown as U+FFFD.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => {
                out.extend_from_slice(&self.to_text())
            }
            Value::Json(text) => out.extend_from_slice(text),
            Value::Text(text) => write_json_text(text, out),
            Value::Time(_) | Value::Level(_) => write_json_text(&self.to_text(), out),
            Value::List(list) => {
                out.push(b'[');
                for (index, value) in list.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    value.write_json(out);
                }
                out.push(b']');
            }
            Value::Object(object) => {
                out.push(b'{');
                for (index, (name, value)) in object.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_json_text(name.as_bytes(), out);
                    out.push(b':');
                    value.write_json(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// Appends the text as a JSON string, invalid UTF-8 as U+FFFD.
pub fn write_json_text(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for chunk in text.utf8_chunks() {
        let valid = chunk.valid().as_bytes();
        let mut start = 0;
        for (index, &byte) in valid.iter().enumerate() {
            let escape = match byte {
                b'"' => b'"',
                b'\\' => b'\\',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                0..0x20 | 0x7f => b'u',
                _ => continue,
            };
            out.extend_from_slice(&valid[start..index]);
            out.extend_from_slice(&[b'\\', escape]);
            if escape == b'u' {
                out.extend_from_slice(b"00");
                out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
            }
            start = index + 1;
        }
        out.extend_from_slice(&valid[start..]);
        if !chunk.invalid().is_empty() {
            out.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    out.push(b'"');
}

/// The shortest text that reads back as the same double, as JSON: `0.1`, `1e300`.
fn float_text(number: f64) -> String {
    if (1e-7..1e21).contains(&number.abs()) {
        format!("{number}")
    } else {
        format!("{number:e}")
    }
}

fn int_float_cmp(int: i128, float: f64) -> Ordering {
    // i128 holds every whole double below 2^127; beyond, the double decides by its sign.
    if float >= 1.7e38 {
        return Ordering::Less;
    }
    if float <= -1.7e38 {
        return Ordering::Greater;
    }
    let whole = float.trunc();
    int.cmp(&(whole as i128))
        .then_with(|| 0.0_f64.total_cmp(&(float - whole)))
}

/// A moment in UTC, and how many digits of its second the log gave. Years 1678 to 2261.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Time {
    pub ns: i64,
    /// Digits after the second's point, 0 to 9: what is printed.
    pub digits: u8,
}

impl Time {
    pub fn new(ns: i64, digits: u8) -> Time {
        Time {
            ns,
            digits: digits.min(9),
        }
    }

    /// RFC 3339, also with a space between date and time; None for any other text.
    pub fn parse(text: &[u8]) -> Option<Time> {
        if text.len() > 64 || text.len() < 20 {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        let moment = chrono::DateTime::parse_from_rfc3339(text).ok()?;
        let digits = text.split_once('.').map_or(0, |(_, rest)| {
            rest.bytes().take_while(u8::is_ascii_digit).count()
        });
        Some(Time::new(
            moment.timestamp_nanos_opt()?,
            digits.min(9) as u8,
        ))
    }

    /// The time with as many digits as its value needs.
    pub fn from_ns(ns: i64) -> Time {
        let mut digits = 9;
        let mut fraction = ns.rem_euclid(1_000_000_000);
        while digits > 0 && fraction % 10 == 0 {
            fraction /= 10;
            digits -= 1;
        }
        Time { ns, digits }
    }
}

/// RFC 3339 in UTC.
impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.ns.div_euclid(1_000_000_000);
        let fraction = self.ns.rem_euclid(1_000_000_000);
        let moment = chrono::DateTime::from_timestamp(seconds, 0)
            .expect("an i64 of nanoseconds is a chrono date");
        write!(formatter, "{}", moment.format("%Y-%m-%dT%H:%M:%S"))?;
        // The field is public, and may come from a frame.
        let digits = self.digits.min(9);
        if digits > 0 {
            let shown = fraction / 10_i64.pow(9 - u32::from(digits));
            write!(formatter, ".{shown:0width$}", width = usize::from(digits))?;
        }
        formatter.write_str("Z")
    }
}

/// How grave an entry is, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Level {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Fatal,
}

impl Level {
    pub const ALL: [Level; 6] = [
        Level::Trace,
        Level::Debug,
        Level::Info,
        Level::Warn,
        Level::Error,
        Level::Fatal,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Level::Trace => "TRACE",
            Level::Debug => "DEBUG",
            Level::Info => "INFO",
            Level::Warn => "WARN",
            Level::Error => "ERROR",
            Level::Fatal => "FATAL",
        }
    }

    /// The level that a log's word or one letter means, in any case.
    pub fn from_word(word: &[u8]) -> Option<Level> {
        let mut lower = [0; 11];
        let lower = lower.get_mut(..word.len())?;
        for (to, from) in lower.iter_mut().zip(word) {
            *to = from.to_ascii_lowercase();
        }
        Some(match &*lower {
            b"trace" | b"finest" | b"finer" | b"t" | b"v" => Level::Trace,
            b"debug" | b"fine" | b"verbose" | b"config" | b"d" => Level::Debug,
            b"info" | b"information" | b"notice" | b"log" | b"i" | b"n" => Level::Info,
            b"warn" | b"warning" | b"w" => Level::Warn,
            b"error" | b"err" | b"severe" | b"e" => Level::Error,
            b"fatal" | b"critical" | b"crit" | b"alert" | b"emerg" | b"emergency" | b"panic"
            | b"f" | b"c" => Level::Fatal,
            _ => return None,
        })
    }

    /// The level of a syslog severity, 7 (debug) to 0 (emergency).
    pub fn from_syslog(severity: u8) -> Option<Level> {
        Some(match severity {
            0..=2 => Level::Fatal,
            3 => Level::Error,
            4 => Level::Warn,
            5 | 6 => Level::Info,
            7 => Level::Debug,
            _ => return None,
        })
    }

    /// The level of a number in a log: syslog's 0 to 7, or pino's and bunyan's 10 to 60.
    pub fn from_number(number: i128) -> Option<Level> {
        match number {
            0..=7 => Level::from_syslog(number as u8),
            10 => Some(Level::Trace),
            20 => Some(Level::Debug),
            30 => Some(Level::Info),
            40 => Some(Level::Warn),
            50 => Some(Level::Error),
            60 => Some(Level::Fatal),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form() {
        for text in ["1", "1.0", "1e0", "+1", "10e-1"] {
            assert_eq!(
                Value::parse_number(text.as_bytes()),
                Some(Value::Int(1)),
                "{text}"
            );
        }
        for text in [
            "", "+", "1.", ".5", "0x1", "NaN", "inf", "1e999", "1 ", "--1", "1_000",
        ] {
            assert_eq!(Value::parse_number(text.as_bytes()), None, "{text}");
        }
        assert_eq!(Value::parse_number(b"0.1"), Some(Value::Float(0.1)));
        assert_eq!(
            Value::parse_number(b"18446744073709551615"),
            Some(Value::Int(u64::MAX.into()))
        );
    }

    #[test]
    fn whole_numbers_and_doubles_compare_exactly() {
        let big = Value::Int(9_007_199_254_740_993);
        assert_eq!(
            big.number_cmp(&Value::Float(9_007_199_254_740_992.5)),
            Ordering::Greater
        );
        assert_eq!(
            Value::Int(0).number_cmp(&Value::Float(-0.5)),
            Ordering::Greater
        );
        assert_eq!(
            Value::Int(-1).number_cmp(&Value::Float(-1.5)),
            Ordering::Greater
        );
        assert_eq!(
            Value::Int(1).number_cmp(&Value::Float(1e300)),
            Ordering::Less
        );
    }

    #[test]
    fn the_order_puts_numbers_first_and_null_last() {
        let mut values = [
            Value::Null,
            Value::text(b"b"),
            Value::text(b"10"),
            Value::Int(9),
            Value::text(b"a"),
            Value::Float(9.5),
        ];
        values.sort_by(Value::total_cmp);
        let texts: Vec<_> = values
            .iter()
            .map(|value| value.to_text().into_owned())
            .collect();
        assert_eq!(texts, [&b"9"[..], b"9.5", b"10", b"a", b"b", b""]);
    }

    #[test]
    fn what_is_equal_in_order_is_told_apart_in_total() {
        let time = |digits| Value::Time(Time::new(1_000_000_000, digits));
        let pairs = [
            (Value::Int(1), Value::text(b"1")),
            (Value::text(b"1"), Value::text(b"1.0")),
            (time(0), time(3)),
        ];
        for (left, right) in &pairs {
            assert_eq!(left.order_cmp(right), Ordering::Equal);
            assert_ne!(left.total_cmp(right), Ordering::Equal);
            assert_eq!(left.total_cmp(right), right.total_cmp(left).reverse());
        }
        assert_eq!(
            Value::Bool(false).order_cmp(&Value::Bool(true)),
            Ordering::Less
        );
        // Every pair of kinds: one order, whoever asks.
        let kinds = [
            Value::Null,
            Value::Bool(true),
            Value::Int(5),
            Value::Float(0.5),
            time(0),
            Value::Level(Level::Warn),
            Value::text(b"5"),
            Value::text(b"x"),
            Value::Json(Cow::Borrowed(b"{}".as_bstr())),
            Value::List(vec![Value::Int(1)]),
            Value::Object(vec![("a".to_owned(), Value::Null)]),
        ];
        for left in &kinds {
            for right in &kinds {
                assert_eq!(left.total_cmp(right), right.total_cmp(left).reverse());
                assert_eq!(left.total_cmp(right).is_eq(), left == right);
                for third in &kinds {
                    if left.total_cmp(right).is_le() && right.total_cmp(third).is_le() {
                        assert!(
                            left.total_cmp(third).is_le(),
                            "{left:?} {right:?} {third:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn decoded_values_keep_their_form() {
        let config = bincode::config::standard().with_limit::<65536>();
        let encode = |value: &Value<'_>| bincode::serde::encode_to_vec(value, config).unwrap();
        let decode = |bytes: &[u8]| -> Option<OwnedValue> {
            let decoded = bincode::serde::decode_from_slice(bytes, config);
            decoded.ok().map(|(value, _)| value)
        };
        let object = Value::Object(vec![(
            "a".to_owned(),
            Value::List(vec![Value::text(b"\xff")]),
        )]);
        assert_eq!(decode(&encode(&object)), Some(object.into_owned()));
        assert_eq!(decode(&encode(&Value::Float(f64::NAN))), Some(Value::Null));
        assert_eq!(decode(&encode(&Value::Float(3.0))), Some(Value::Int(3)));
        let time = Time { ns: 5, digits: 200 };
        assert_eq!(
            decode(&encode(&Value::Time(time))),
            Some(Value::Time(Time::new(5, 9)))
        );
        assert!(time.to_string().ends_with(":00.000000005Z"));
        let mut deep = Value::Null;
        for _ in 0..100 {
            deep = Value::List(vec![deep]);
        }
        assert_eq!(decode(&encode(&deep)), None);
    }

    #[test]
    fn times_are_read_in_one_shape() {
        let read = |text: &str| Time::parse(text.as_bytes()).map(|time| time.to_string());
        for (text, time) in [
            ("2026-01-19T14:00:00Z", "2026-01-19T14:00:00Z"),
            ("2026-01-19 15:00:00.120+01:00", "2026-01-19T14:00:00.120Z"),
            (
                "2026-01-19t14:00:00.123456789z",
                "2026-01-19T14:00:00.123456789Z",
            ),
        ] {
            assert_eq!(read(text).as_deref(), Some(time), "{text}");
        }
        for text in [
            "",
            "2026-01-19",
            "2026-01-19T14:00:00",
            "9999-01-01T00:00:00Z",
            "x",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn json_escapes_what_it_must() {
        let mut out = Vec::new();
        write_json_text(b"a\"\\\n\x01\xff\xc3\xa9", &mut out);
        assert_eq!(
            out.as_bstr(),
            "\"a\\\"\\\\\\n\\u0001\u{fffd}\u{e9}\"".as_bytes().as_bstr()
        );
    }

    #[test]
    fn times_print_the_digits_they_had() {
        assert_eq!(
            Time::new(1_768_831_200_120_000_000, 3).to_string(),
            "2026-01-19T14:00:00.120Z"
        );
        assert_eq!(
            Time::from_ns(1_768_831_200_120_000_000).to_string(),
            "2026-01-19T14:00:00.12Z"
        );
        assert_eq!(
            Time::from_ns(-1).to_string(),
            "1969-12-31T23:59:59.999999999Z"
        );
    }

    #[test]
    fn hostile_digits_are_cut() {
        let time = Time { ns: 5, digits: 200 };
        assert_eq!(time.to_string(), "1970-01-01T00:00:00.000000005Z");
    }

    #[test]
    fn what_nests_does_not_travel() {
        assert!(serde_json::to_string(&Value::List(Vec::new())).is_err());
        assert!(serde_json::from_str::<OwnedValue>(r#"{"List":[]}"#).is_err());
        assert!(serde_json::from_str::<OwnedValue>(r#"{"Int":7}"#).is_ok());
    }
}
