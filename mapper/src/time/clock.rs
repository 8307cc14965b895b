//! The clock of a timestamp, its fraction, and the zone after it.

use super::digits::{digit_run, is_word, number, space_run, two};
use super::shape::{Civil, Found, Moment};

/// As `finish`, for shapes that are mere digits: what is impossible is something else.
pub(super) fn finish_possible(civil: Civil, text: &[u8], at: usize) -> Found {
    civil.is_possible().then(|| finish(civil, text, at))?
}

/// Reads AM or PM and a zone.
pub(super) fn finish(mut civil: Civil, text: &[u8], mut at: usize) -> Found {
    let spaces = space_run(text, at);
    if let Some(&[half, b'm' | b'M']) = text.get(at + spaces..at + spaces + 2)
        && matches!(half, b'a' | b'A' | b'p' | b'P')
        && !text
            .get(at + spaces + 2)
            .is_some_and(u8::is_ascii_alphanumeric)
    {
        let is_pm = half.eq_ignore_ascii_case(&b'p');
        // `13:00 PM` is written too, and says no more than the hour does.
        if (1..=12).contains(&civil.hour) {
            civil.hour = civil.hour % 12 + if is_pm { 12 } else { 0 };
        }
        at += spaces + 2;
    }
    let (zone, at) = zone(text, at);
    match zone {
        Zone::None => {}
        Zone::Offset(seconds) => civil.offset_seconds = Some(seconds),
        Zone::Impossible => return Some((Moment::Impossible, at)),
    }
    Some((Moment::Civil(civil), at))
}

pub(super) struct Clock {
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
    pub nanos: u32,
    pub digits: u8,
    pub has_second: bool,
}

impl Civil {
    pub fn at(self, clock: Clock) -> Civil {
        Civil {
            hour: clock.hour,
            minute: clock.minute,
            second: clock.second,
            nanos: clock.nanos,
            digits: clock.digits,
            ..self
        }
    }
}

/// `14:00`, `14:00:00`, `14:00:00.123`, `14.00.00.123456`
pub(super) fn clock(text: &[u8], at: usize) -> Option<(Clock, usize)> {
    let (hour, at) = number(text, at, 2)?;
    let separator = *text.get(at)?;
    if !matches!(separator, b':' | b'.') {
        return None;
    }
    let minute = two(text, at + 1)?;
    let at = at + 3;
    let mut clock = Clock {
        hour: hour as u8,
        minute,
        second: 0,
        nanos: 0,
        digits: 0,
        has_second: false,
    };
    if text.get(at) != Some(&separator) {
        let ends = separator == b':' && !text.get(at).is_some_and(u8::is_ascii_digit);
        return ends.then_some((clock, at));
    }
    clock.second = two(text, at + 1)?;
    clock.has_second = true;
    let (nanos, digits, at) = fraction(text, at + 3);
    (clock.nanos, clock.digits) = (nanos, digits);
    Some((clock, at))
}

/// `140000`
pub(super) fn compact_clock(text: &[u8], at: usize) -> Option<(Clock, usize)> {
    if digit_run(text, at, 7) != 6 {
        return None;
    }
    let (nanos, digits, end) = fraction(text, at + 6);
    let clock = Clock {
        hour: two(text, at)?,
        minute: two(text, at + 2)?,
        second: two(text, at + 4)?,
        nanos,
        digits,
        has_second: true,
    };
    Some((clock, end))
}

/// The fraction of a second: nanoseconds, digits, end. More than nine digits are cut.
#[inline]
pub(super) fn fraction(text: &[u8], at: usize) -> (u32, u8, usize) {
    match text.get(at) {
        Some(b'.' | b',') => {}
        // WebSphere's `14:00:00:123`
        Some(b':') if digit_run(text, at + 1, 4) == 3 && text.get(at + 4) != Some(&b':') => {}
        _ => return (0, 0, at),
    }
    let run = digit_run(text, at + 1, text.len());
    let used = run.min(9);
    let mut nanos = 0;
    for &digit in &text[at + 1..at + 1 + used] {
        nanos = nanos * 10 + u32::from(digit - b'0');
    }
    for _ in used..9 {
        nanos *= 10;
    }
    match run {
        0 => (0, 0, at),
        _ => (nanos, used as u8, at + 1 + run),
    }
}

enum Zone {
    None,
    Offset(i32),
    Impossible,
}

/// The minutes that a zone's name means wherever it is written; Some(None) for names that do not mean one: the
/// timestamp is in the log's zone then.
fn named_minutes(name: &[u8]) -> Option<Option<i32>> {
    Some(Some(match name {
        b"UTC" | b"GMT" | b"UT" | b"WET" => 0,
        b"WEST" | b"CET" => 60,
        b"CEST" | b"EET" | b"SAST" => 120,
        b"EEST" | b"MSK" => 180,
        b"EST" | b"CDT" => -300,
        b"EDT" => -240,
        b"MST" | b"PDT" => -420,
        b"MDT" => -360,
        b"PST" | b"AKDT" => -480,
        b"AKST" => -540,
        b"HST" => -600,
        b"JST" | b"KST" => 540,
        b"HKT" | b"SGT" => 480,
        b"AEST" => 600,
        b"AEDT" => 660,
        b"ACST" => 570,
        b"ACDT" => 630,
        b"NZST" => 720,
        b"NZDT" => 780,
        b"CST" | b"IST" | b"BST" => return Some(None),
        _ => return None,
    }))
}

/// The zone after a clock, at most one space away.
fn zone(text: &[u8], at: usize) -> (Zone, usize) {
    let spaced = text.get(at) == Some(&b' ');
    let start = at + usize::from(spaced);
    match text.get(start) {
        Some(b'Z' | b'z') if !is_word(text.get(start + 1)) => {
            (Zone::Offset(0), region_end(text, start + 1))
        }
        Some(b'+' | b'-') => match offset(text, start) {
            Some((Some(seconds), end)) => {
                // Go prints a zone's name after its offset.
                let end = match zone_name(text, end + 1) {
                    Some((_, name_end)) if text.get(end) == Some(&b' ') => name_end,
                    _ => region_end(text, end),
                };
                (Zone::Offset(seconds), end)
            }
            Some((None, end)) if !spaced => (Zone::Impossible, end),
            _ => (Zone::None, at),
        },
        Some(b'A'..=b'Z') => match zone_name(text, start) {
            // `GMT+0200`
            Some((Some(0), end)) if matches!(text.get(end), Some(b'+' | b'-')) => {
                match offset(text, end) {
                    Some((Some(seconds), end)) => (Zone::Offset(seconds), end),
                    _ => (Zone::Offset(0), end),
                }
            }
            Some((Some(seconds), end)) => (Zone::Offset(seconds), end),
            Some((None, end)) => (Zone::None, end),
            None => (Zone::None, at),
        },
        _ => (Zone::None, at),
    }
}

/// `+02:00`, `+0200`, `+02`: seconds (None where impossible) and end.
fn offset(text: &[u8], at: usize) -> Option<(Option<i32>, usize)> {
    let (hours, minutes, end) = match digit_run(text, at + 1, 5) {
        4 => (two(text, at + 1)?, two(text, at + 3)?, at + 5),
        2 if text.get(at + 3) == Some(&b':') && digit_run(text, at + 4, 3) == 2 => {
            (two(text, at + 1)?, two(text, at + 4)?, at + 6)
        }
        2 => (two(text, at + 1)?, 0, at + 3),
        _ => return None,
    };
    if is_word(text.get(end)) {
        return None;
    }
    let seconds = i32::from(hours) * 3600 + i32::from(minutes) * 60;
    let seconds = if text[at] == b'-' { -seconds } else { seconds };
    Some(((hours < 24 && minutes < 60).then_some(seconds), end))
}

fn zone_name(text: &[u8], at: usize) -> Option<(Option<i32>, usize)> {
    let rest = text.get(at..)?;
    let length = rest
        .iter()
        .take(6)
        .take_while(|byte| byte.is_ascii_uppercase())
        .count();
    if !(2..=4).contains(&length) || is_word(rest.get(length)) {
        return None;
    }
    let minutes = named_minutes(&rest[..length])?;
    Some((minutes.map(|minutes| minutes * 60), at + length))
}

/// Java's `[Europe/Berlin]` right after an offset.
fn region_end(text: &[u8], at: usize) -> usize {
    let Some(rest) = text.get(at..) else {
        return at;
    };
    if rest.first() == Some(&b'[')
        && let Some(length) = rest.iter().take(48).position(|byte| *byte == b']')
        && (rest[..length].contains(&b'/') || rest.starts_with(b"[UTC]"))
    {
        return at + length + 1;
    }
    at
}
