//! What rotation made of a file's name: the base that all files of a stream share, and the place among them.
//!
//! Known are numbers at the end (`app.log.1`, a higher one is older), dates with or without a clock at the end or
//! before the extension (`app.log-20260119`, `app-2026-01-19.log`), and a counter after a date (a higher one is
//! newer). A number before the extension (`app.1.log`) counts only where `app.log` stands beside it, and `app-1.log`
//! never: such names mostly tell workers apart.

use std::cmp::Reverse;
use std::sync::LazyLock;

use bstr::ByteSlice;
use jobspec::expr::Pattern;
use regex::bytes::Regex;

/// Oldest first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Dated {
        date: u32,
        /// Hour, minute, second and fraction as digits, filled up to fifteen.
        clock: u64,
        counter: u64,
    },
    /// What a rotation pattern of the job gave that is no number.
    Text(Vec<u8>),
    Numbered(Reverse<u64>),
    Current,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) base: Vec<u8>,
    pub(super) rank: Rank,
}

static DATED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x-u)^ (?: (?<base>.+?) [-._] )?
        (?<date> \d{4}-\d\d-\d\d | \d{4}_\d\d_\d\d | \d{4}\.\d\d\.\d\d | \d{8} )
        (?: [-_T]? (?<clock> \d\d (?: [-:]?\d\d (?: [-:]?\d\d (?: [.,]\d{3,9} )? )? )? ) Z? )?
        (?: [-._] (?<counter> \d{1,10} ) )? $",
    )
    .expect("the pattern of dated names is a regex")
});

static NUMBERED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?-u)^(?<base>.+)\.(?<n>\d{1,10})$").expect("the pattern of numbers is a regex")
});

/// The name without what compression added.
pub(super) fn without_compression(name: &[u8]) -> &[u8] {
    [".gz", ".zst", ".bz2", ".xz"]
        .iter()
        .find_map(|suffix| name.strip_suffix(suffix.as_bytes()))
        .filter(|stem| !stem.is_empty())
        .unwrap_or(name)
}

/// Takes a name apart. `stands_beside` says whether the folder has a file of that name, packed or not.
pub(super) fn take_apart(
    name: &[u8],
    rotation: Option<&Pattern>,
    stands_beside: &dyn Fn(&[u8]) -> bool,
) -> Name {
    let stem = without_compression(name);
    rotation
        .and_then(|pattern| by_pattern(name, pattern).or_else(|| by_pattern(stem, pattern)))
        .or_else(|| at_end(stem))
        .or_else(|| before_extension(stem, stands_beside))
        .unwrap_or_else(|| Name {
            base: stem.to_vec(),
            rank: Rank::Current,
        })
}

fn by_pattern(name: &[u8], pattern: &Pattern) -> Option<Name> {
    let groups = pattern.regex().captures(name)?;
    let text = |group| {
        groups
            .name(group)
            .map_or(&b""[..], |found| found.as_bytes())
    };
    let n = text("n");
    let rank = match dated(n) {
        Some((b"", rank)) => rank,
        _ => match number(n) {
            Some(number) => numbered(number),
            None if n.is_empty() => Rank::Current,
            None => Rank::Text(n.to_vec()),
        },
    };
    Some(Name {
        base: text("base").to_vec(),
        rank,
    })
}

fn at_end(stem: &[u8]) -> Option<Name> {
    if let Some((base, rank)) = dated(stem) {
        let base = base.to_vec();
        return Some(Name { base, rank });
    }
    let groups = NUMBERED.captures(stem)?;
    let base = groups.name("base")?.as_bytes();
    // Several numbers are an address or a version.
    if NUMBERED.is_match(base) || base.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(Name {
        base: base.to_vec(),
        rank: numbered(number(groups.name("n")?.as_bytes())?),
    })
}

fn before_extension(stem: &[u8], stands_beside: &dyn Fn(&[u8]) -> bool) -> Option<Name> {
    let dot = stem.rfind_byte(b'.')?;
    let (left, extension) = stem.split_at(dot);
    let is_extension = (2..=9).contains(&extension.len())
        && extension[1].is_ascii_alphabetic()
        && extension[1..].iter().all(u8::is_ascii_alphanumeric);
    if !is_extension {
        return None;
    }
    let name = at_end(left)?;
    let base = [&name.base, extension].concat();
    let is_rotated = matches!(name.rank, Rank::Dated { .. }) || stands_beside(&base);
    is_rotated.then_some(Name {
        base,
        rank: name.rank,
    })
}

/// What comes before a date at the end, and the rank that it gives.
fn dated(text: &[u8]) -> Option<(&[u8], Rank)> {
    let groups = DATED.captures(text)?;
    let digits = |group| -> Vec<u8> {
        let text = groups
            .name(group)
            .map_or(&b""[..], |found| found.as_bytes());
        text.iter().copied().filter(u8::is_ascii_digit).collect()
    };
    let date = number(&digits("date"))? as u32;
    let (year, month, day) = (date / 10_000, date / 100 % 100, date % 100);
    let mut clock = digits("clock");
    let hour = number(&clock[..clock.len().min(2)]).unwrap_or(0);
    if !(1970..2262).contains(&year)
        || !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 24
    {
        return None;
    }
    clock.resize(15, b'0');
    let base = groups.name("base").map_or(&b""[..], |base| base.as_bytes());
    let rank = Rank::Dated {
        date,
        clock: number(&clock)?,
        counter: number(&digits("counter")).unwrap_or(0),
    };
    Some((base, rank))
}

/// Of ten digits, a number is a moment, and a higher one newer.
fn numbered(number: u64) -> Rank {
    if number < 1_000_000_000 {
        Rank::Numbered(Reverse(number))
    } else {
        Rank::Dated {
            date: 0,
            clock: number,
            counter: 0,
        }
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(name: &str) -> String {
        let name = take_apart(name.as_bytes(), None, &|base| base == b"beside.log");
        String::from_utf8(name.base).unwrap()
    }

    #[test]
    fn names_have_the_base_of_their_stream() {
        for (name, expected) in [
            ("app.log", "app.log"),
            ("app.log.1", "app.log"),
            ("app.log.2.gz", "app.log"),
            ("app.log.10.zst", "app.log"),
            ("app.log.gz", "app.log"),
            ("app.log.3.bz2", "app.log"),
            ("app.log.4.xz", "app.log"),
            ("syslog.1", "syslog"),
            ("messages-20260119", "messages"),
            ("messages-20260119.gz", "messages"),
            ("app.log-20260119", "app.log"),
            ("app.log-20260119-140000", "app.log"),
            ("app.log-20260119-1400.gz", "app.log"),
            ("app.log-20260119-1768831200", "app.log"),
            ("app.log-2026-01-19", "app.log"),
            ("app.log.2026-01-19", "app.log"),
            ("app.log.2026-01-19.1", "app.log"),
            ("app.log.2026-01-19-14", "app.log"),
            ("app.log.2026-01-19_14", "app.log"),
            ("app.log.2026011914", "app.log"),
            ("app.log.20260119", "app.log"),
            ("app.log.1768831200", "app.log"),
            ("app-2026-01-19.log", "app.log"),
            ("app.2026-01-19.log", "app.log"),
            ("app_2026_01_19.log", "app.log"),
            ("app.2026-01-19.10.log.gz", "app.log"),
            ("app-2026-01-19T14-00-00.000.log", "app.log"),
            ("postgresql-2026-01-19_140000.log", "postgresql.log"),
            (
                "localhost_access_log.2026-01-19.txt",
                "localhost_access_log.txt",
            ),
            ("2026-01-19.log", ".log"),
            ("0.log.20260119-140000.gz", "0.log"),
            ("3f2a-json.log.1", "3f2a-json.log"),
            ("beside.1.log", "beside.log"),
            ("alone.1.log", "alone.1.log"),
            ("worker-1.log", "worker-1.log"),
            ("10.0.0.1", "10.0.0.1"),
            ("10.0.0.1.log", "10.0.0.1.log"),
            ("access.10.0.0.1", "access.10.0.0.1"),
            ("build.12345678", "build"),
            ("report-12345678", "report-12345678"),
            ("app.log.20261340", "app.log"),
            ("app-v2.1.log", "app-v2.1.log"),
            (".gz", ".gz"),
            ("1", "1"),
            ("app.log.old", "app.log.old"),
        ] {
            assert_eq!(base(name), expected, "{name}");
        }
    }

    #[test]
    fn older_files_come_first() {
        for names in [
            &["a.log.10.gz", "a.log.9", "a.log.2.gz", "a.log.1", "a.log"][..],
            &[
                "a.log-20251231",
                "a.log-20260101.gz",
                "a.log-20260119-0100",
                "a.log",
            ],
            &[
                "a.2026-01-18.log",
                "a.2026-01-19.0.log",
                "a.2026-01-19.2.log",
                "a.2026-01-19.10.log",
                "a.log",
            ],
            &["a.log.2026-01-19-09", "a.log.2026-01-19-10", "a.log"],
            &["a.log.1768831200", "a.log.1768917600", "a.log"],
        ] {
            let ranks: Vec<_> = names
                .iter()
                .map(|name| take_apart(name.as_bytes(), None, &|_| true).rank)
                .collect();
            assert!(
                ranks.is_sorted_by(|left, right| left < right),
                "{names:?}: {ranks:?}"
            );
        }
    }

    #[test]
    fn a_pattern_of_the_job_names_other_schemes() {
        let pattern = Pattern::new(r"^(?<base>.+)_part(?<n>\w*)\.log$", false).unwrap();
        let name = |text: &[u8]| take_apart(text, Some(&pattern), &|_| false);
        assert_eq!(name(b"app_part7.log").base, b"app");
        assert_eq!(name(b"app_part7.log.gz").rank, Rank::Numbered(Reverse(7)));
        assert_eq!(name(b"app_part20260119.log").rank, name(b"x-20260119").rank);
        assert_eq!(name(b"app_partab.log").rank, Rank::Text(b"ab".to_vec()));
        assert_eq!(name(b"app_part.log").rank, Rank::Current);
        assert_eq!(name(b"other.log.1").base, b"other.log");
    }
}
