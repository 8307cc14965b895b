//! Moments as a job writes them: RFC 3339, a date or a date and time in the job's timezone, or a word that is
//! counted from now. Nothing here asks a clock.

use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, TimeZone};

use crate::units;
use crate::zone::Zone;

const HELP: &str = "not a moment: write \"2026-01-19T14:00:00Z\", \"2026-01-19 14:00\" in the job's timezone, \"-24h\", \"now\", \"today\" or \"yesterday 14:00\"";

/// The timezone of an IANA name, or the name that was probably meant.
pub fn zone(name: &str) -> Result<Zone, Option<&'static str>> {
    name.parse().map_err(|_| {
        let is_meant = |known: &&str| {
            let city = known.rsplit('/').next();
            known.eq_ignore_ascii_case(name)
                || city.is_some_and(|city| city.eq_ignore_ascii_case(name))
        };
        Zone::names()
            .find(is_meant)
            .or_else(|| crate::diagnostic::nearest(name, Zone::names()))
    })
}

/// A moment in nanoseconds UTC, or what is wrong with it.
pub fn moment(text: &str, now_ns: i64, zone: Zone) -> Result<i64, String> {
    let text = text.trim();
    if text.len() > 100 {
        return Err(HELP.to_owned());
    }
    if text == "now" {
        return Ok(now_ns);
    }
    if let Some(offset) = units::offset(text) {
        return now_ns
            .checked_add(offset?)
            .ok_or_else(|| "out of the years 1678 to 2261".to_owned());
    }
    let (word, rest) = match text.split_once(' ') {
        Some((word, rest)) => (word, Some(rest.trim())),
        None => (text, None),
    };
    if matches!(word, "today" | "yesterday") {
        let today = DateTime::from_timestamp_nanos(now_ns)
            .with_timezone(&zone)
            .date_naive();
        let date = match word {
            "yesterday" => today.checked_sub_days(Days::new(1)).ok_or(HELP)?,
            _ => today,
        };
        let time = match rest {
            None => NaiveTime::MIN,
            Some(rest) => time_of_day(rest).ok_or(HELP)?,
        };
        return in_zone(date.and_time(time), zone);
    }
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return within_years(moment.timestamp_nanos_opt());
    }
    let (date, time) = match text.split_once([' ', 'T', 't']) {
        Some((date, time)) => (date, Some(time.trim())),
        None => (text, None),
    };
    let date = day(date).ok_or(HELP)?;
    let time = match time {
        None => NaiveTime::MIN,
        Some(time) => time_of_day(time).ok_or(HELP)?,
    };
    in_zone(date.and_time(time), zone)
}

fn day(text: &str) -> Option<NaiveDate> {
    let digits = |range: std::ops::Range<usize>| {
        text.get(range)
            .filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if text.len() != 10 || text.as_bytes()[4] != b'-' || text.as_bytes()[7] != b'-' {
        return None;
    }
    NaiveDate::from_ymd_opt(
        digits(0..4)?.parse().ok()?,
        digits(5..7)?.parse().ok()?,
        digits(8..10)?.parse().ok()?,
    )
}

/// `14:00`, `14:00:05`, `14:00:05.25`.
fn time_of_day(text: &str) -> Option<NaiveTime> {
    let (whole, fraction) = match text.split_once('.') {
        Some((whole, fraction)) if whole.len() == 8 => (whole, fraction),
        Some(_) => return None,
        None => (text, "0"),
    };
    let mut parts = whole.split(':').map(|part| {
        Some(part)
            .filter(|part| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|part| part.parse::<u32>().ok())
    });
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = parts.next().unwrap_or(Some(0))?;
    if parts.next().is_some()
        || fraction.is_empty()
        || fraction.len() > 9
        || !fraction.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let nano = fraction.parse::<u32>().ok()? * 10_u32.pow(9 - fraction.len() as u32);
    NaiveTime::from_hms_nano_opt(hour, minute, second, nano)
}

/// The moment of a local time: the earlier where clocks were set back and it came twice, the first after the gap
/// where they were set forward and it never came.
pub fn in_zone(local: NaiveDateTime, zone: Zone) -> Result<i64, String> {
    let earliest = |local: NaiveDateTime| zone.from_local_datetime(&local).earliest();
    if let Some(moment) = earliest(local) {
        return within_years(moment.timestamp_nanos_opt());
    }
    // No zone ever skipped more than a day or so (Samoa did one).
    let mut after = local;
    let mut found = None;
    for _ in 0..48 * 60 {
        let Some(next) = after.checked_add_signed(TimeDelta::minutes(1)) else {
            break;
        };
        after = next;
        if earliest(after).is_some() {
            found = Some(after);
            break;
        }
    }
    let Some(mut first) = found else {
        return Err("a time that never was in this timezone".to_owned());
    };
    // The last minute's step went past the end of the gap; gaps end on whole seconds.
    if let Some(whole) = chrono::Timelike::with_nanosecond(&first, 0)
        && earliest(whole).is_some()
    {
        first = whole;
    }
    for _ in 0..60 {
        match first.checked_sub_signed(TimeDelta::seconds(1)) {
            Some(before) if earliest(before).is_some() => first = before,
            _ => break,
        }
    }
    within_years(earliest(first).and_then(|moment| moment.timestamp_nanos_opt()))
}

fn within_years(ns: Option<i64>) -> Result<i64, String> {
    ns.ok_or_else(|| "out of the years 1678 to 2261".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Time;

    /// 2026-01-20 10:30 UTC.
    const NOW: i64 = 1_768_905_000_000_000_000;

    fn at(text: &str, zone: &str) -> String {
        Time::from_ns(moment(text, NOW, zone.parse().unwrap()).unwrap()).to_string()
    }

    #[test]
    fn moments() {
        for (text, zone, moment) in [
            (
                "2026-01-19T14:00:00Z",
                "Europe/Berlin",
                "2026-01-19T14:00:00Z",
            ),
            (
                "2026-01-19T14:00:00.5+02:00",
                "UTC",
                "2026-01-19T12:00:00.5Z",
            ),
            ("2026-01-19", "Europe/Berlin", "2026-01-18T23:00:00Z"),
            ("2026-01-19 14:00", "Europe/Berlin", "2026-01-19T13:00:00Z"),
            ("2026-01-19 14:00:05.25", "UTC", "2026-01-19T14:00:05.25Z"),
            ("2026-01-19T14:00:05", "UTC", "2026-01-19T14:00:05Z"),
            ("-24h", "UTC", "2026-01-19T10:30:00Z"),
            ("+1h30m", "UTC", "2026-01-20T12:00:00Z"),
            ("now", "UTC", "2026-01-20T10:30:00Z"),
            ("today", "Asia/Tokyo", "2026-01-19T15:00:00Z"),
            ("yesterday", "UTC", "2026-01-19T00:00:00Z"),
            (
                "yesterday 14:00",
                "America/New_York",
                "2026-01-19T19:00:00Z",
            ),
            ("today 06:00", "UTC", "2026-01-20T06:00:00Z"),
        ] {
            assert_eq!(at(text, zone), moment, "{text} {zone}");
        }
    }

    #[test]
    fn clocks_set_forward_and_back() {
        // Berlin: 02:00 to 03:00 on 2026-03-29 never was; 02:00 to 03:00 on 2026-10-25 was twice.
        for local in [
            "2026-03-29 02:00",
            "2026-03-29 02:30",
            "2026-03-29 02:59:59.5",
        ] {
            assert_eq!(
                at(local, "Europe/Berlin"),
                "2026-03-29T01:00:00Z",
                "{local}"
            );
        }
        assert_eq!(
            at("2026-10-25 02:30", "Europe/Berlin"),
            "2026-10-25T00:30:00Z"
        );
        // Samoa had no 30 December 2011 at all.
        assert_eq!(
            at("2011-12-30 12:00", "Pacific/Apia"),
            "2011-12-30T10:00:00Z"
        );
    }

    #[test]
    fn what_is_no_moment() {
        for text in [
            "",
            "tomorrow",
            "yesterday noon",
            "2026-13-01",
            "2026-02-30",
            "2026-1-1",
            "14:00",
            "-",
            "-24",
            "24h",
            "2026-01-19 25:00",
            "2026-01-19 14",
            "9999-01-01",
            "-99999d",
            "2026-01-19 14:00.5",
            "1500-01-01",
        ] {
            assert!(moment(text, NOW, Zone::UTC).is_err(), "{text}");
        }
        assert!(moment("-100d", i64::MIN + 5, Zone::UTC).is_err());
    }

    #[test]
    fn a_zone_is_known_or_guessed() {
        assert!(zone("Europe/Berlin").is_ok());
        assert_eq!(zone("Europe/Berln"), Err(Some("Europe/Berlin")));
        assert_eq!(zone("berlin"), Err(Some("Europe/Berlin")));
        assert_eq!(zone("nowhere at all"), Err(None));
    }
}
