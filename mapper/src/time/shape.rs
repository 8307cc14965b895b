//! What a text says of a moment, as written: the shapes that logs have for a date and a clock.
//!
//! Nothing here knows a zone's table or a missing year; it tells the parts apart and how many bytes they take. Each
//! shape is told by its first bytes, so a text is looked at once, and no shape is longer than some sixty bytes.

use jobspec::value::Time;

use super::clock::{clock, compact_clock, finish, finish_possible, fraction};
use super::digits::{Pairs, digit_run, number, space_run, two};
use super::epoch::epoch;
use super::names::{self, month_name, name_end, small_letters};

/// A date and a clock as written; values may be impossible.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Civil {
    pub year: Option<i32>,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    /// 60 is the next minute's first.
    pub second: u8,
    pub nanos: u32,
    /// Digits of the fraction.
    pub digits: u8,
    pub offset_seconds: Option<i32>,
}

impl Civil {
    pub fn is_possible(&self) -> bool {
        (1..=12).contains(&self.month)
            && (1..=31).contains(&self.day)
            && self.hour < 24
            && self.minute < 60
            && self.second <= 60
    }

    /// Tells minutes apart; never 0 for one that is possible.
    pub fn minute_key(&self, year: i32) -> u64 {
        [self.month, self.day, self.hour, self.minute]
            .into_iter()
            .fold(year as u32 as u64, |key, part| key << 8 | u64::from(part))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    Civil(Civil),
    Epoch(Time),
    /// A clock without a date.
    Clock,
    /// Of the right shape, with a value that cannot be.
    Impossible,
}

pub(super) type Found = Option<(Moment, usize)>;

/// Whether a line begins with a timestamp, and how long it is.
pub fn starts_with_time(line: &[u8]) -> Option<usize> {
    Some(leading(line)?.1)
}

/// The timestamp at the head of a text, and its length.
pub(super) fn leading(text: &[u8]) -> Found {
    let first = *text.first()?;
    let found = if first.is_ascii_digit() {
        numeric(text)
    } else if first.is_ascii_alphabetic() {
        worded(text)
    } else {
        None
    }?;
    let next = text.get(found.1);
    (!next.is_some_and(u8::is_ascii_digit)).then_some(found)
}

/// The timestamp that a whole text is, in brackets or spaces or not. A date alone is its midnight, and a number is an
/// epoch.
pub(super) fn whole(text: &[u8]) -> Option<Moment> {
    let text = text.trim_ascii();
    let text = match text {
        [b'[', inner @ .., b']'] => inner.trim_ascii(),
        _ => text,
    };
    if let Some((moment, length)) = leading(text) {
        // Go's `time.String()` ends in a monotonic reading.
        let rest = &text[length..];
        if rest.is_empty() || rest.starts_with(b" m=+") || rest.starts_with(b" m=-") {
            return (moment != Moment::Clock).then_some(moment);
        }
    }
    if let Some(moment) = epoch(text) {
        return Some(moment);
    }
    match date_ymd(text) {
        Some((civil, length)) if length == text.len() => Some(Moment::Civil(civil)),
        _ if text.len() == 8 => {
            let civil = date_compact(text)?;
            civil.is_possible().then_some(Moment::Civil(civil))
        }
        _ => None,
    }
}

fn numeric(text: &[u8]) -> Found {
    if let Some(found) = usual(text).or_else(|| of_access_logs(text)) {
        return Some(found);
    }
    let run = digit_run(text, 0, 20);
    match (run, text.get(run).unwrap_or(&b'\n')) {
        (4, b'-' | b'/' | b'.') => {
            let (civil, at) = date_ymd(text)?;
            let at = date_end(text, at)?;
            with_clock(civil, text, at)
        }
        (8, b'T' | b't' | b' ' | b'-' | b'_') => {
            let civil = date_compact(text)?;
            // The digits of a day must be one: a number and a clock stand side by side in other lines too.
            if !civil.is_possible() {
                return None;
            }
            match compact_clock(text, 9) {
                Some((clock, at)) => finish(civil.at(clock), text, at),
                None => with_clock(civil, text, 9),
            }
        }
        (6, b' ') => {
            let civil = date_short(text)?;
            let at = 6 + space_run(text, 6);
            match compact_clock(text, at) {
                Some((clock, at)) => finish_possible(civil.at(clock), text, at),
                None => with_clock(civil, text, at).filter(|_| civil.is_possible()),
            }
        }
        (14, _) => {
            let civil = date_compact(text)?;
            let (clock, at) = compact_clock(text, 8)?;
            finish_possible(civil.at(clock), text, at)
        }
        (1 | 2, b'/') if text.get(run + 1)?.is_ascii_alphabetic() => day_month(text, run, b'/'),
        (2, b'/') => {
            // Spark's and Hadoop's `yy/MM/dd HH:mm:ss`. A day or month first is anybody's guess.
            let (month, day) = (two(text, 3)?, two(text, 6)?);
            if text.get(5) != Some(&b'/') || text.get(8) != Some(&b' ') {
                return None;
            }
            let civil = Civil {
                year: Some(short_year(two(text, 0)?)),
                month,
                day,
                ..Civil::default()
            };
            with_clock(civil, text, 9)
        }
        (1 | 2, b'-') if text.get(run + 1)?.is_ascii_alphabetic() => day_month(text, run, b'-'),
        (2, b'-') => {
            // Android's `MM-dd HH:mm:ss.SSS`.
            if text.get(5) != Some(&b' ') {
                return None;
            }
            let civil = Civil {
                month: two(text, 0)?,
                day: two(text, 3)?,
                ..Civil::default()
            };
            let (clock, at) = clock(text, 6)?;
            if clock.digits == 0 {
                return None;
            }
            finish(civil.at(clock), text, at)
        }
        (1 | 2, b' ') => day_month(text, run, b' '),
        (1 | 2, b'.') => {
            // Where dots stand in a date, the day comes first.
            let (day, at) = number(text, 0, 2)?;
            let (month, at) = number(text, at + 1, 2)?;
            if text.get(at) != Some(&b'.') || digit_run(text, at + 1, 5) != 4 {
                return None;
            }
            let civil = Civil {
                year: Some(number(text, at + 1, 4)?.0 as i32),
                month: month as u8,
                day: day as u8,
                ..Civil::default()
            };
            let at = date_end(text, at + 5)?;
            with_clock(civil, text, at)
        }
        (1 | 2, b':') => {
            let (clock, at) = clock(text, 0)?;
            (clock.has_second && matches!(text.get(at), None | Some(b' ' | b'\t' | b']' | b'|')))
                .then_some((Moment::Clock, at))
        }
        // 2001 to 2128
        (10 | 13 | 16 | 19, next) if (b'1'..=b'4').contains(&text[0]) => {
            let mut at = run;
            if *next == b'.' {
                at += 1 + digit_run(text, run + 1, 10);
            }
            if !matches!(text.get(at), Some(b' ' | b'\t' | b']' | b':' | b'|' | b',')) {
                return None;
            }
            Some((epoch(&text[..at])?, at))
        }
        _ => None,
    }
}

/// `2026-01-19T14:00:00` and what may follow: by far the most of all timestamps, by fixed places.
#[inline]
fn usual(text: &[u8]) -> Found {
    let head: &[u8; 19] = text.first_chunk()?;
    if head[4] != head[7]
        || !matches!(head[4], b'-' | b'/')
        || !matches!(head[10], b'T' | b' ' | b't' | b'_')
        || head[13] != b':'
        || head[16] != b':'
    {
        return None;
    }
    let mut pairs = Pairs::new(head);
    let civil = Civil {
        year: Some(pairs.year(0)),
        month: pairs.pair(5),
        day: pairs.pair(8),
        hour: pairs.pair(11),
        minute: pairs.pair(14),
        second: pairs.pair(17),
        ..Civil::default()
    };
    if !pairs.are_digits() {
        return None;
    }
    let (nanos, digits, at) = fraction(text, 19);
    let civil = Civil {
        nanos,
        digits,
        ..civil
    };
    let (civil, at) = match text.get(at) {
        Some(b'Z') => {
            let civil = Civil {
                offset_seconds: Some(0),
                ..civil
            };
            (civil, at + 1)
        }
        Some(b' ') | None if !may_be_zone(text.get(at + 1)) => (civil, at),
        _ => return finish(civil, text, at),
    };
    Some((Moment::Civil(civil), at))
}

/// Whether a text begins with a date and a clock to the second, of 19 bytes.
pub(super) fn is_usual(text: &[u8]) -> bool {
    usual(text).is_some()
}

/// What follows a second of UTC: `Z` or `.123Z`, as nanoseconds and digits.
#[inline]
pub(super) fn utc_fraction(rest: &[u8]) -> Option<(u32, u8)> {
    let digits = match rest {
        [b'Z'] => return Some((0, 0)),
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => digits,
        _ => return None,
    };
    let mut nanos = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        nanos = nanos * 10 + u32::from(digit - b'0');
    }
    let missing = 9 - digits.len() as u32;
    Some((nanos * 10_u32.pow(missing), digits.len() as u8))
}

/// `10/Oct/2000:13:55:36 -0700`, by fixed places.
#[inline]
fn of_access_logs(text: &[u8]) -> Found {
    let head: &[u8; 20] = text.first_chunk()?;
    if head[2] != b'/'
        || head[6] != b'/'
        || head[11] != b':'
        || head[14] != b':'
        || head[17] != b':'
    {
        return None;
    }
    let month = match &head[3..6] {
        b"Jan" => 1,
        b"Feb" => 2,
        b"Mar" => 3,
        b"Apr" => 4,
        b"May" => 5,
        b"Jun" => 6,
        b"Jul" => 7,
        b"Aug" => 8,
        b"Sep" => 9,
        b"Oct" => 10,
        b"Nov" => 11,
        b"Dec" => 12,
        _ => return None,
    };
    let mut pairs = Pairs::new(head);
    let civil = Civil {
        year: Some(pairs.year(7)),
        month,
        day: pairs.pair(0),
        hour: pairs.pair(12),
        minute: pairs.pair(15),
        second: pairs.pair(18),
        ..Civil::default()
    };
    if !pairs.are_digits() {
        return None;
    }
    let (nanos, digits, at) = fraction(text, 20);
    let civil = Civil {
        nanos,
        digits,
        ..civil
    };
    finish(civil, text, at)
}

/// Whether a zone or a half of the day may begin with this byte.
fn may_be_zone(byte: Option<&u8>) -> bool {
    matches!(byte, Some(b'A'..=b'Z' | b'+' | b'-' | b'a' | b'p' | b'z'))
}

/// A year, month and day with a separator: `2026-01-19`, `2026/1/9`, `2026.01.19`.
fn date_ymd(text: &[u8]) -> Option<(Civil, usize)> {
    if digit_run(text, 0, 5) != 4 {
        return None;
    }
    let separator = *text.get(4)?;
    if !matches!(separator, b'-' | b'/' | b'.') {
        return None;
    }
    let (month, at) = number(text, 5, 2)?;
    if text.get(at) != Some(&separator) {
        return None;
    }
    let (day, at) = number(text, at + 1, 2)?;
    if text.get(at).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let civil = Civil {
        year: Some(number(text, 0, 4)?.0 as i32),
        month: month as u8,
        day: day as u8,
        ..Civil::default()
    };
    Some((civil, at))
}

/// `20260119`
fn date_compact(text: &[u8]) -> Option<Civil> {
    Some(Civil {
        year: Some(i32::from(two(text, 0)?) * 100 + i32::from(two(text, 2)?)),
        month: two(text, 4)?,
        day: two(text, 6)?,
        ..Civil::default()
    })
}

/// `260119`
fn date_short(text: &[u8]) -> Option<Civil> {
    Some(Civil {
        year: Some(short_year(two(text, 0)?)),
        month: two(text, 2)?,
        day: two(text, 4)?,
        ..Civil::default()
    })
}

/// `19/Jan/2026:14:00:00`, `19-Jan-2026 14:00:00`, `19 Jan 2026 14:00:00`, also with a year of two digits.
fn day_month(text: &[u8], day_length: usize, separator: u8) -> Found {
    let (day, _) = number(text, 0, day_length)?;
    let (month, at) = month_name(text, day_length + 1)?;
    if text.get(at) != Some(&separator) {
        return None;
    }
    let (year, at) = match digit_run(text, at + 1, 5) {
        4 => (number(text, at + 1, 4)?.0 as i32, at + 5),
        2 => (short_year(two(text, at + 1)?), at + 3),
        _ => return None,
    };
    let civil = Civil {
        year: Some(year),
        month,
        day: day as u8,
        ..Civil::default()
    };
    let at = match text.get(at)? {
        b':' => at + 1,
        _ => date_end(text, at)?,
    };
    with_clock(civil, text, at)
}

/// Shapes that begin with a letter: a weekday, a month, or glog's level.
fn worded(text: &[u8]) -> Found {
    let head = small_letters(text)?;
    if text[1].is_ascii_digit() {
        return glog(text);
    }
    if let Some(at) = weekday(head, text) {
        let rest = &text[at..];
        let (moment, length) = if rest.first()?.is_ascii_digit() {
            numeric(rest)?
        } else {
            month_first(rest)?
        };
        // A weekday makes a date of a date only: `Fri 14:00:00` says no day.
        return (moment != Moment::Clock).then_some((moment, at + length));
    }
    month_first(text)
}

/// `I0119 14:00:00.123456`
fn glog(text: &[u8]) -> Found {
    if !matches!(text[0], b'I' | b'W' | b'E' | b'F' | b'D' | b'V') || text.get(5) != Some(&b' ') {
        return None;
    }
    let civil = Civil {
        month: two(text, 1)?,
        day: two(text, 3)?,
        ..Civil::default()
    };
    let (clock, at) = clock(text, 6)?;
    (clock.digits > 0).then_some((Moment::Civil(civil.at(clock)), at))
}

/// The place after a weekday's name and what parts it from the date.
fn weekday(head: [u8; 3], text: &[u8]) -> Option<usize> {
    let at = name_end(text, 0, names::weekday(head)?)?;
    let at = at + usize::from(text.get(at) == Some(&b','));
    match space_run(text, at) {
        0 => None,
        spaces => Some(at + spaces),
    }
}

/// `Jan  5 03:04:05`, `Jan 19, 2026 2:00:00 PM`, `Sep 09 10:42:29.902022 2011`, `Jan 19 14:00:00 UTC 2026`.
fn month_first(text: &[u8]) -> Found {
    let (month, at) = month_name(text, 0)?;
    let spaces = space_run(text, at);
    let (day, at) = number(text, at + spaces, 2)?;
    let at_comma = at;
    let at = at + usize::from(text.get(at) == Some(&b','));
    if spaces == 0 || space_run(text, at) == 0 {
        return None;
    }
    let at = at + space_run(text, at);
    let mut civil = Civil {
        month,
        day: day as u8,
        ..Civil::default()
    };
    if digit_run(text, at, 5) == 4 {
        civil.year = Some(number(text, at, 4)?.0 as i32);
        let mut at = at + 4;
        at += usize::from(matches!(text.get(at), Some(b',' | b':')));
        at += space_run(text, at);
        return with_clock(civil, text, at);
    }
    if text.get(at_comma) == Some(&b',') {
        return None;
    }
    let (clock, at) = clock(text, at)?;
    if !clock.has_second {
        return None;
    }
    let (Moment::Civil(mut civil), mut at) = finish(civil.at(clock), text, at)? else {
        return Some((Moment::Impossible, at));
    };
    if text.get(at) == Some(&b' ') && digit_run(text, at + 1, 5) == 4 {
        let year = number(text, at + 1, 4)?.0 as i32;
        let ends = matches!(
            text.get(at + 5),
            None | Some(b' ' | b'\t' | b']' | b':' | b',')
        );
        if ends && (1970..2200).contains(&year) {
            civil.year = Some(year);
            at += 5;
        }
    }
    Some((Moment::Civil(civil), at))
}

/// What stands between a date and its clock.
fn date_end(text: &[u8], at: usize) -> Option<usize> {
    match text.get(at)? {
        b'T' | b't' | b'_' | b'-' => Some(at + 1),
        b',' => Some(at + 1 + space_run(text, at + 1)),
        b' ' => Some(at + space_run(text, at)),
        _ => None,
    }
}

fn with_clock(civil: Civil, text: &[u8], at: usize) -> Found {
    let (clock, at) = clock(text, at)?;
    finish(civil.at(clock), text, at)
}

fn short_year(year: u8) -> i32 {
    i32::from(year) + if year < 70 { 2000 } else { 1900 }
}
