//! Constants: numbers, and what is written as text: durations, moments, networks.

use std::net::IpAddr;
use std::str::FromStr;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeZone};

use crate::value::{OwnedValue, Time, Value};
use crate::zone::Zone;

/// A number as SQL writes it, which is also `.5` and `1.`; None beyond what a number can be.
pub(super) fn number(text: &str) -> Option<OwnedValue> {
    let lead = if text.starts_with('.') { "0" } else { "" };
    let text = format!("{lead}{}", text.strip_suffix('.').unwrap_or(text));
    let text = text.replace(".e", "e").replace(".E", "E");
    Value::parse_number(text.as_bytes())
}

/// `10s`, `1h30m`, `250ms`: nanoseconds, more than none.
pub fn duration_ns(text: &str) -> Result<i64, String> {
    let wrong = || {
        format!(
            "`{}` is no duration; write it like '30s', '5m', '1h30m' or '7d'",
            text.escape_debug()
        )
    };
    let mut rest = text.trim();
    let mut total: i64 = 0;
    if rest.is_empty() || rest.len() > 40 {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let after = after.trim_start();
        let letters = after
            .find(|char: char| !char.is_alphabetic())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        let number: i64 = number.parse().map_err(|_| wrong())?;
        let unit_ns: i64 = match unit {
            "ns" => 1,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" | "sec" => 1_000_000_000,
            "m" | "min" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            "w" => 604_800_000_000_000,
            _ => return Err(wrong()),
        };
        total = number
            .checked_mul(unit_ns)
            .and_then(|part| total.checked_add(part))
            .ok_or_else(|| format!("`{text}` is longer than 292 years"))?;
        rest = after.trim_start();
    }
    if total == 0 {
        return Err(format!("`{text}` is no time at all"));
    }
    Ok(total)
}

/// RFC 3339, or without a zone and then in `timezone`, or a date alone: its midnight there.
pub fn moment(text: &str, timezone: &str) -> Result<Time, String> {
    if let Some(time) = Time::parse(text.as_bytes()) {
        return Ok(time);
    }
    let wrong = || {
        format!(
            "`{}` is no time; write it like '2026-01-19T14:00:00Z'",
            text.escape_debug()
        )
    };
    let text = text.trim();
    let day_end = text.char_indices().nth(10).map_or(text.len(), |(at, _)| at);
    let (day, clock) = text.split_at(day_end);
    let day = NaiveDate::parse_from_str(day, "%Y-%m-%d").map_err(|_| wrong())?;
    let clock = clock.trim_start_matches([' ', 'T', 't']);
    let (clock, digits) = if clock.is_empty() {
        (NaiveTime::MIN, 0)
    } else {
        let digits = match clock.split_once('.') {
            Some((_, digits)) if digits.len() > 9 => return Err(wrong()),
            Some((_, digits)) => digits.len() as u8,
            None => 0,
        };
        let clock = NaiveTime::parse_from_str(clock, "%H:%M:%S%.f")
            .or_else(|_| NaiveTime::parse_from_str(clock, "%H:%M"))
            .map_err(|_| wrong())?;
        (clock, digits)
    };
    let zone: Zone = timezone.parse()?;
    // Of an hour that comes twice, the first; one that is left out is none.
    let moment = zone
        .from_local_datetime(&NaiveDateTime::new(day, clock))
        .earliest()
        .ok_or_else(|| {
            format!("`{text}` is left out in {timezone}: the clock goes forward there")
        })?;
    let ns = moment
        .timestamp_nanos_opt()
        .ok_or_else(|| format!("`{text}` is outside the years 1678 to 2261"))?;
    Ok(Time::new(ns, digits))
}

/// `10.0.0.0/8`, `2001:db8::/32`, or one address: the network as IPv6, IPv4 in its mapped form.
pub fn network(text: &str) -> Result<(u128, u8), String> {
    let wrong = || {
        format!(
            "`{}` is no network; write it like '10.0.0.0/8' or '2001:db8::/32'",
            text.escape_debug()
        )
    };
    let (address, bits) = match text.trim().split_once('/') {
        Some((address, bits)) => (address, Some(bits)),
        None => (text.trim(), None),
    };
    let address = IpAddr::from_str(address).map_err(|_| wrong())?;
    let (address, shift, most) = match address {
        IpAddr::V4(address) => (address.to_ipv6_mapped(), 96, 32),
        IpAddr::V6(address) => (address, 0, 128),
    };
    let bits = match bits {
        None => most,
        Some(bits) => {
            let is_number = !bits.is_empty() && bits.bytes().all(|byte| byte.is_ascii_digit());
            let bits: u8 = is_number
                .then(|| bits.parse().ok())
                .flatten()
                .ok_or_else(wrong)?;
            if bits > most {
                return Err(format!("`/{bits}` is more than an address' {most} bits"));
            }
            bits
        }
    };
    let bits = bits + shift;
    Ok((u128::from(address) & network_mask(bits), bits))
}

pub(crate) fn network_mask(bits: u8) -> u128 {
    u128::MAX
        .checked_shl(128 - u32::from(bits))
        .unwrap_or_default()
}
