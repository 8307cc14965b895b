//! Timestamps: every known shape, missing years, missing zones.
//!
//! `shape` finds what a text says (a date and a clock as written, or an epoch), `strftime` does so by a format of the
//! job, and the reader here makes a moment of it: the zone and year that a file's timestamps lack are its own.

mod clock;
mod digits;
mod epoch;
mod names;
mod shape;
mod somewhere;
mod strftime;

use chrono::{Datelike, NaiveDate, NaiveDateTime, Offset, TimeZone, Timelike};
use jobspec::value::Time;
use jobspec::zone::Zone;

use crate::format::Stamp;
pub use shape::starts_with_time;
use shape::{Civil, Moment};
pub use strftime::TimeFormat;

const SECOND_NS: i64 = 1_000_000_000;
const MINUTE_NS: i64 = 60 * SECOND_NS;
const DAY_NS: i64 = 86_400 * SECOND_NS;

/// The year of timestamps that carry none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YearRule {
    Fixed(i32),
    /// The latest year that puts the time no later than a day after the file's modification time.
    LatestBefore {
        mtime_ns: i64,
    },
}

/// Reads the timestamps of one file: knows the zone and year of those that carry none, and remembers the last minute
/// it resolved, so that a look into the zone's table is paid once a minute of log.
#[derive(Clone, Debug)]
pub struct TimeReader {
    timezone: Zone,
    is_utc: bool,
    year: YearRule,
    /// The last moment of the year rule, and how the zone's clock shows it.
    limit_ns: Option<i64>,
    limit: Option<NaiveDateTime>,
    /// The last local minute resolved, packed, and its first moment. 0 is no minute.
    minute_key: u64,
    minute_ns: i64,
    second: LastSecond,
    whole: LastText,
    /// Whether nobody asks for a time that stands somewhere in a text.
    is_blind: bool,
}

/// The last short text that was read, as a whole: access logs write many entries a second, and nothing smaller.
#[derive(Clone, Copy, Debug)]
struct LastText {
    text: [u8; 32],
    length: u8,
    stamp: Stamp,
}

/// The last second read of a text like `2026-01-19T14:00:00Z`, fraction aside: most of a log's entries share theirs with
/// the one before.
#[derive(Clone, Copy, Debug)]
struct LastSecond {
    text: [u8; 19],
    ns: i64,
}

impl TimeReader {
    pub fn new(timezone: Zone, year: YearRule) -> TimeReader {
        let limit_ns = match year {
            YearRule::Fixed(_) => None,
            YearRule::LatestBefore { mtime_ns } => Some(mtime_ns.saturating_add(DAY_NS)),
        };
        TimeReader {
            timezone,
            limit_ns,
            limit: limit_ns.map(|ns| {
                timezone
                    .from_utc_datetime(&chrono::DateTime::from_timestamp_nanos(ns).naive_utc())
                    .naive_local()
            }),
            is_utc: timezone.is_utc(),
            year,
            minute_key: 0,
            minute_ns: 0,
            second: LastSecond {
                text: [0; 19],
                ns: 0,
            },
            whole: LastText {
                text: [0; 32],
                length: 0,
                stamp: Stamp::None,
            },
            is_blind: false,
        }
    }

    /// The timestamp at the head of a line, and how many bytes it takes. A clock without a date is one too, but says
    /// no time: `Stamp::None`.
    pub fn leading(&mut self, line: &[u8]) -> Option<(Stamp, usize)> {
        let (moment, length) = shape::leading(line)?;
        Some((self.resolve(&moment), length))
    }

    /// The time that a whole text is: `Stamp::None` where it is of no known shape.
    #[inline(always)]
    pub fn read(&mut self, text: &[u8]) -> Stamp {
        let mut stamp = Stamp::None;
        self.read_into(text, &mut stamp);
        stamp
    }

    /// As `read`, into its place, where nothing has to wait for all of it.
    #[inline(always)]
    pub fn read_into(&mut self, text: &[u8], stamp: &mut Stamp) {
        if let Some(time) = self.read_in_second(text) {
            *stamp = Stamp::At(time);
        } else if text == &self.whole.text[..usize::from(self.whole.length)] {
            *stamp = self.whole.stamp;
        } else {
            *stamp = self.read_new(text);
        }
    }

    /// As `read`, of a text that shares its second with the one before.
    #[inline(always)]
    pub fn read_in_second(&self, text: &[u8]) -> Option<Time> {
        let (second, rest) = text.split_first_chunk()?;
        if *second != self.second.text {
            return None;
        }
        let (nanos, digits) = shape::utc_fraction(rest)?;
        Some(Time::new(self.second.ns + i64::from(nanos), digits))
    }

    /// As `read`, of a text that is not like the one before.
    #[inline(never)]
    fn read_new(&mut self, text: &[u8]) -> Stamp {
        let stamp = match shape::whole(text) {
            Some(moment) => self.resolve(&moment),
            None => Stamp::None,
        };
        if let Stamp::At(time) = stamp
            && let Some((second, rest)) = text.split_first_chunk()
            && let Some((nanos, _)) = shape::utc_fraction(rest)
            && shape::is_usual(text)
        {
            self.second = LastSecond {
                text: *second,
                ns: time.ns - i64::from(nanos),
            };
        } else if let Some(held) = self.whole.text.get_mut(..text.len()) {
            held.copy_from_slice(text);
            (self.whole.length, self.whole.stamp) = (text.len() as u8, stamp);
        }
        stamp
    }

    /// The time that a whole text is, by a format of the job.
    pub fn read_as(&mut self, format: &TimeFormat, text: &[u8]) -> Stamp {
        match format.read(text) {
            Some(moment) => self.resolve(&moment),
            None => Stamp::None,
        }
    }

    /// The timestamp at the head of a line, by a format of the job.
    pub fn leading_as(&mut self, format: &TimeFormat, line: &[u8]) -> Option<(Stamp, usize)> {
        let (moment, length) = format.leading(line)?;
        Some((self.resolve(&moment), length))
    }

    /// The first date with a year and a clock anywhere in a text, for texts that fit no format.
    pub fn somewhere(&mut self, text: &[u8]) -> Stamp {
        if self.is_blind {
            return Stamp::None;
        }
        match somewhere::somewhere(text) {
            Some(moment) => self.resolve(&moment),
            None => Stamp::None,
        }
    }

    /// Finds no time somewhere in a text from here on, or does again: for texts that are known to have none.
    pub fn set_blind(&mut self, is_blind: bool) {
        self.is_blind = is_blind;
    }

    fn resolve(&mut self, moment: &Moment) -> Stamp {
        match moment {
            Moment::Epoch(time) => Stamp::At(*time),
            Moment::Clock => Stamp::None,
            Moment::Impossible => Stamp::Impossible,
            Moment::Civil(civil) => match self.resolve_civil(civil) {
                Some(ns) => Stamp::At(Time::new(ns, civil.digits)),
                None => Stamp::Impossible,
            },
        }
    }

    fn resolve_civil(&mut self, civil: &Civil) -> Option<i64> {
        if !civil.is_possible() {
            return None;
        }
        let year = match civil.year {
            Some(year) => year,
            None => self.missing_year(civil)?,
        };
        let minute_ns = if civil.offset_seconds.is_some() || self.is_utc {
            self.local_minute(year, civil)?
        } else {
            let key = civil.minute_key(year);
            if key != self.minute_key {
                self.minute_ns = self.local_minute(year, civil)?;
                // Zones change at whole minutes only since 1972.
                self.minute_key = if year < 1972 { 0 } else { key };
            }
            self.minute_ns
        };
        Some(minute_ns + i64::from(civil.second) * SECOND_NS + i64::from(civil.nanos))
    }

    fn missing_year(&self, civil: &Civil) -> Option<i32> {
        let limit = match self.year {
            YearRule::Fixed(year) => return Some(year),
            YearRule::LatestBefore { .. } => match civil.offset_seconds {
                None => self.limit,
                Some(offset) => self.limit_ns.and_then(|limit_ns| {
                    let seconds = limit_ns.div_euclid(SECOND_NS) + i64::from(offset);
                    Some(chrono::DateTime::from_timestamp(seconds, 0)?.naive_utc())
                }),
            }?,
        };
        let clock = |month, day, hour, minute, second| (month, day, hour, minute, second);
        let is_later = clock(
            civil.month.into(),
            civil.day.into(),
            civil.hour.into(),
            civil.minute.into(),
            civil.second.into(),
        ) > clock(
            limit.month(),
            limit.day(),
            limit.hour(),
            limit.minute(),
            limit.second(),
        );
        let latest = limit.year() - i32::from(is_later);
        // A leap day is there in one of any nine years.
        (latest - 8..=latest)
            .rev()
            .find(|year| days_of(*year, civil.month, civil.day).is_some())
    }

    /// The first moment of a local minute. One that a zone's clock skips is read by the clock before the gap, so it
    /// lies after the gap; of one that it shows twice, it is the earlier.
    fn local_minute(&self, year: i32, civil: &Civil) -> Option<i64> {
        let utc_ns = utc_minute(year, civil)?;
        if let Some(offset) = civil.offset_seconds {
            return Some(utc_ns - i64::from(offset) * SECOND_NS);
        }
        if self.is_utc {
            return Some(utc_ns);
        }
        let mut local =
            chrono::DateTime::from_timestamp(utc_ns.div_euclid(SECOND_NS), 0)?.naive_utc();
        // No gap is longer than a day; Samoa's of 2011 was one.
        for _ in 0..=25 * 4 {
            if let Some(offset) = self.timezone.offset_from_local_datetime(&local).earliest() {
                return Some(utc_ns - i64::from(offset.fix().local_minus_utc()) * SECOND_NS);
            }
            local -= chrono::TimeDelta::minutes(15);
        }
        None
    }
}

/// The first moment of a minute of UTC; None for a date that is none or that nanoseconds cannot reach.
fn utc_minute(year: i32, civil: &Civil) -> Option<i64> {
    if !(1678..=2261).contains(&year) {
        return None;
    }
    let days = days_of(year, civil.month, civil.day)?;
    Some(days * DAY_NS + (i64::from(civil.hour) * 60 + i64::from(civil.minute)) * MINUTE_NS)
}

/// Days since 1970-01-01.
fn days_of(year: i32, month: u8, day: u8) -> Option<i64> {
    if day > 28 && NaiveDate::from_ymd_opt(year, month.into(), day.into()).is_none() {
        return None;
    }
    // Years that begin in March, so that the leap day is the last of its year.
    let (month, day) = (i64::from(month), i64::from(day));
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    Some(era * 146_097 + day_of_era - 719_468)
}

#[cfg(test)]
mod tests;
