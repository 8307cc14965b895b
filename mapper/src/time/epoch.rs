//! Numbers as moments.

use jobspec::value::Time;

use super::digits::{digit_run, number};
use super::shape::Moment;

/// A number as an epoch: seconds, milliseconds, microseconds or nanoseconds by size, with a fraction and an exponent.
/// What is below 10^8 (1973) or beyond the nanoseconds of an i64 is something else.
pub(super) fn epoch(text: &[u8]) -> Option<Moment> {
    let whole = digit_run(text, 0, 31);
    if whole == 0 || whole > 30 {
        return None;
    }
    let mut mantissa = decimal(&text[..whole]);
    let mut at = whole;
    let mut scale: i32 = 0;
    let mut given: i32 = 0;
    if text.get(at) == Some(&b'.') {
        let run = digit_run(text, at + 1, text.len());
        let used = run.min(36_usize.saturating_sub(whole));
        mantissa = mantissa * 10_i128.pow(used as u32) + decimal(&text[at + 1..at + 1 + used]);
        scale = -(used as i32);
        given = run.min(99) as i32;
        at += 1 + run;
        if run == 0 {
            return None;
        }
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        let (is_negative, start) = match text.get(at + 1) {
            Some(b'-') => (true, at + 2),
            Some(b'+') => (false, at + 2),
            _ => (false, at + 1),
        };
        let (exponent, end) = number(text, start, 2)?;
        let exponent = if is_negative {
            -(exponent as i32)
        } else {
            exponent as i32
        };
        scale += exponent;
        given = (given - exponent).max(0);
        at = end;
    }
    if at != text.len() {
        return None;
    }
    let whole_part = match scale {
        0.. => mantissa.checked_mul(10_i128.checked_pow(scale as u32)?)?,
        _ => mantissa / 10_i128.checked_pow(scale.unsigned_abs())?,
    };
    let unit: i32 = match whole_part {
        100_000_000..100_000_000_000 => 9,
        100_000_000_000..100_000_000_000_000 => 6,
        100_000_000_000_000..100_000_000_000_000_000 => 3,
        100_000_000_000_000_000..9_223_372_036_854_775_807 => 0,
        _ => return None,
    };
    let shift = scale + unit;
    let ns = match shift {
        0.. => mantissa.checked_mul(10_i128.checked_pow(shift as u32)?)?,
        _ => mantissa / 10_i128.checked_pow(shift.unsigned_abs())?,
    };
    let digits = (9 - unit + given).clamp(0, 9) as u8;
    match i64::try_from(ns) {
        Ok(ns) if ns != i64::MAX => Some(Moment::Epoch(Time::new(ns, digits))),
        _ => Some(Moment::Impossible),
    }
}

fn decimal(digits: &[u8]) -> i128 {
    digits
        .iter()
        .fold(0, |value, digit| value * 10 + i128::from(digit - b'0'))
}
