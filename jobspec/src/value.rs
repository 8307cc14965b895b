//! The words that entries and rows share: a value, a level, a time.
//!
//! A number has one form here: whatever is a whole number and fits is an `Int`, all else is the nearest
//! double, and neither NaN nor an infinity exists. So `1`, `1.0` and `1e0` are one value and print alike.

mod write;

pub use write::{digits, write_json_text};

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
    Object(Vec<(Cow<'a, str>, Value<'a>)>),
}

/// A number in its one form, as `Value` has it; nothing to give back when it is done with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Int(i128),
    Float(f64),
}

impl From<Number> for Value<'_> {
    fn from(number: Number) -> Self {
        match number {
            Number::Int(number) => Value::Int(number),
            Number::Float(number) => Value::Float(number),
        }
    }
}

impl Number {
    /// The number that a text is, in decimal notation with an optional sign and exponent; None for any other text.
    #[inline(always)]
    pub fn parse(text: &[u8]) -> Option<Number> {
        parse_short(text).or_else(|| Number::parse_any(text))
    }

    #[inline(never)]
    fn parse_any(text: &[u8]) -> Option<Number> {
        let digits = match text.first()? {
            b'+' | b'-' => &text[1..],
            _ => text,
        };
        if digits.is_empty() || !digits[0].is_ascii_digit() || text.len() > 400 {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        if digits.len() <= 38 && digits.iter().all(u8::is_ascii_digit) {
            // In 64 bits where they suffice, as that is several times as quick.
            return match digits.len() {
                ..=18 => text
                    .parse()
                    .ok()
                    .map(|number: i64| Number::Int(number.into())),
                _ => text.parse().ok().map(Number::Int),
            };
        }
        if !digits
            .iter()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
            || digits.last() == Some(&b'.')
        {
            return None;
        }
        Number::of(text.parse().ok()?)
    }

    pub fn as_f64(self) -> f64 {
        // The processor has no such instruction for 128 bits; the call is kept from where it might be made in vain.
        #[cold]
        fn of_wide(number: i128) -> f64 {
            number as f64
        }
        match self {
            Number::Int(number) => match i64::try_from(number) {
                Ok(number) => number as f64,
                Err(_) => of_wide(number),
            },
            Number::Float(number) => number,
        }
    }

    /// The double in its one form; None for what is not finite.
    fn of(number: f64) -> Option<Number> {
        // By way of a 64-bit integer, which the processor rounds to; a call would be slower than all else here.
        if number.abs() <= EXACT_WHOLE {
            let whole = number as i64;
            if whole as f64 == number {
                return Some(Number::Int(whole.into()));
            }
        }
        number.is_finite().then_some(Number::Float(number))
    }
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
        Number::of(number).map_or(Value::Null, Value::from)
    }

    /// The number that a text is: see `Number::parse`.
    pub fn parse_number(text: &[u8]) -> Option<Value<'static>> {
        Number::parse(text).map(Value::from)
    }

    /// The value as a number: a number itself, or a text that is one.
    pub fn as_number(&self) -> Option<Value<'static>> {
        self.number().map(Value::from)
    }

    pub fn number(&self) -> Option<Number> {
        match self {
            Value::Int(number) => Some(Number::Int(*number)),
            Value::Float(number) => Some(Number::Float(*number)),
            Value::Text(text) => Number::parse(text),
            _ => None,
        }
    }

    pub fn as_f64(&self) -> Option<f64> {
        self.number().map(Number::as_f64)
    }

    /// The same value, borrowed.
    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Value::Text(text) => Value::text(text),
            Value::Json(text) => Value::Json(Cow::Borrowed(text.as_ref())),
            Value::List(list) => Value::List(list.iter().map(Value::borrowed).collect()),
            Value::Object(object) => {
                let parts = object.iter();
                let parts = parts.map(|(name, value)| (Cow::Borrowed(&**name), value.borrowed()));
                Value::Object(parts.collect())
            }
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
            Value::Level(level) => Cow::Borrowed(level.name().as_bytes()),
            Value::Text(text) | Value::Json(text) => Cow::Borrowed(text.as_bytes()),
            Value::Int(_)
            | Value::Float(_)
            | Value::Time(_)
            | Value::List(_)
            | Value::Object(_) => {
                let mut text = Vec::new();
                self.write_text(&mut text);
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
                    .map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()))
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
}

/// A number as most logs have them: `200`, `-3`, `118.04`, in at most eight bytes. A double holds these digits exactly,
/// and the power of ten too, so that their quotient is the nearest double. All digits at once: a loop over so few is
/// mostly mispredicted.
#[inline(always)]
fn parse_short(text: &[u8]) -> Option<Number> {
    const POWERS: [f64; 7] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];
    const fn each(byte: u8) -> u64 {
        u64::from_le_bytes([byte; 8])
    }
    let (is_negative, text) = match text {
        [b'-', text @ ..] => (true, text),
        text => (false, text),
    };
    // The last in the highest byte, zeros before the first.
    let (1..=8) = text.len() else {
        return None;
    };
    let empty = 64 - 8 * text.len() as u32;
    let mut digits = (word(text) ^ each(b'0')) << empty;
    let points = digits ^ each(b'.' ^ b'0');
    let point = points.wrapping_sub(each(1)) & !points & each(0x80);
    let mut decimals = 0;
    if point != 0 {
        let place = point.trailing_zeros() / 8;
        if place == 7 || 8 * place == empty {
            return None;
        }
        // What is before the point moves over it.
        let after = u64::MAX << (8 * (place + 1));
        digits = digits & after | digits << 8 & !after;
        decimals = 7 - place as usize;
    }
    if (digits.wrapping_add(each(0x7f - 9)) | digits) & each(0x80) != 0 {
        return None;
    }
    let pairs = (digits * 10 + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let number = ((fours * 10_000 + (fours >> 32)) & 0xffff_ffff) as i64;
    let number = if is_negative { -number } else { number };
    match decimals {
        0 => Some(Number::Int(number.into())),
        decimals => Number::of(number as f64 / POWERS[decimals]),
    }
}

/// Up to eight bytes as a number, little-endian; of more the first eight. By reads that overlap: copying so few bytes is a
/// call.
#[inline(always)]
pub fn word(bytes: &[u8]) -> u64 {
    let four = |bytes: &[u8; 4]| u64::from(u32::from_le_bytes(*bytes));
    match (bytes.first_chunk(), bytes.last_chunk()) {
        (Some(first), Some(last)) => match bytes.first_chunk() {
            Some(eight) => u64::from_le_bytes(*eight),
            None => four(first) | four(last) << (8 * (bytes.len() - 4)),
        },
        _ => match bytes {
            [] => 0,
            [first, .., last] => {
                let middle = bytes.len() / 2;
                u64::from(*first)
                    | u64::from(bytes[middle]) << (8 * middle)
                    | u64::from(*last) << (8 * (bytes.len() - 1))
            }
            [only] => u64::from(*only),
        },
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
    #[inline]
    pub fn from_ns(ns: i64) -> Time {
        let mut digits = 9;
        let mut fraction = ns.rem_euclid(1_000_000_000);
        if fraction == 0 {
            return Time { ns, digits: 0 };
        }
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
        let (bytes, length) = self.rfc3339();
        formatter.write_str(std::str::from_utf8(&bytes[..length]).expect("digits and signs"))
    }
}

impl Time {
    /// `2026-01-19T14:00:00.123456789Z` and its length: by hand, as rows have many.
    fn rfc3339(&self) -> ([u8; 30], usize) {
        let seconds = self.ns.div_euclid(1_000_000_000);
        let (days, second) = (
            seconds.div_euclid(86_400),
            seconds.rem_euclid(86_400) as u32,
        );
        let (year, month, day) = date(days);
        let mut out = *b"0000-00-00T00:00:00.000000000Z";
        let mut put = |at: usize, digits: usize, mut number: u32| {
            for place in out[at..at + digits].iter_mut().rev() {
                *place = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        put(0, 4, year);
        put(5, 2, month);
        put(8, 2, day);
        put(11, 2, second / 3600);
        put(14, 2, second / 60 % 60);
        put(17, 2, second % 60);
        put(20, 9, self.ns.rem_euclid(1_000_000_000) as u32);
        // The field is public, and may come from a frame.
        let length = match usize::from(self.digits.min(9)) {
            0 => 20,
            digits => 21 + digits,
        };
        out[length - 1] = b'Z';
        (out, length)
    }
}

/// Year, month and day, so many days after 1970-01-01: of 1677 to 2262, which is where nanoseconds reach.
fn date(days: i64) -> (u32, u32, u32) {
    // Years that begin in March, so that the leap day is the last of its year, counted from the year 1600.
    let days = (days + 135_080) as u32;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = 1600 + era * 400 + year_of_era + u32::from(month <= 2);
    (year, month, day)
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
        // As most logs write them.
        match word {
            b"INFO" | b"info" => return Some(Level::Info),
            b"DEBUG" | b"debug" => return Some(Level::Debug),
            b"WARN" | b"warn" => return Some(Level::Warn),
            b"ERROR" | b"error" => return Some(Level::Error),
            b"FATAL" | b"fatal" => return Some(Level::Fatal),
            _ => {}
        }
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
mod tests;
