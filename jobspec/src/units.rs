//! Durations, sizes, rates and shares as a job writes them: "90s", "1h30m", "256MiB", "200MB/s", "90%".
//!
//! Each is a whole number and a unit that is never guessed, so a value means one thing or is a mistake.

const NS: i64 = 1_000_000_000;

/// Units of a duration, in nanoseconds; the longest names of one letter first does not matter, as a unit is all
/// letters up to the next digit.
const DURATIONS: [(&str, i64); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", NS),
    ("m", 60 * NS),
    ("h", 3_600 * NS),
    ("d", 86_400 * NS),
    ("w", 7 * 86_400 * NS),
];

const SIZES: [(&str, u64); 12] = [
    ("B", 1),
    ("kB", 1_000),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PB", 1_000_000_000_000_000),
    ("PiB", 1 << 50),
];

/// The longest duration: a hundred years.
const LONGEST_NS: i64 = 36_525 * 86_400 * NS;

/// "1h30m" in nanoseconds, or what is wrong with it.
pub fn duration(text: &str) -> Result<i64, String> {
    let wrong = || {
        "not a duration: write a number and a unit, as \"90s\", \"10m\", \"1h30m\", \"500ms\" or \"7d\"".to_owned()
    };
    let mut rest = text;
    let mut total: i64 = 0;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at(digits);
        let letters = after
            .find(|char: char| char.is_ascii_digit())
            .unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if number.is_empty() {
            return Err(wrong());
        }
        let Some((_, unit_ns)) = DURATIONS.iter().find(|(name, _)| *name == unit) else {
            return Err(if unit.is_empty() {
                format!(
                    "`{text}` has no unit: ns us ms s m h d w",
                    text = crate::table::shortened(text)
                )
            } else {
                wrong()
            });
        };
        total = number
            .parse::<i64>()
            .ok()
            .and_then(|number| number.checked_mul(*unit_ns))
            .and_then(|part| total.checked_add(part))
            .filter(|total| *total <= LONGEST_NS)
            .ok_or_else(|| "longer than a hundred years".to_owned())?;
        rest = after;
    }
    Ok(total)
}

/// "256MiB" in bytes.
pub fn size(text: &str) -> Result<u64, String> {
    let wrong = || "not a size: write a number and a unit, as \"256MiB\" or \"1GB\"".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start();
    if number.is_empty() {
        return Err(wrong());
    }
    let Some((_, unit_bytes)) = SIZES.iter().find(|(name, _)| *name == unit) else {
        return Err(if unit.is_empty() {
            format!(
                "`{}` has no unit: B kB MB GB TB, or KiB MiB GiB TiB",
                crate::table::shortened(text)
            )
        } else {
            wrong()
        });
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*unit_bytes))
        .filter(|bytes| *bytes <= 1 << 60)
        .ok_or_else(|| "larger than 1024 PiB".to_owned())
}

/// "200MB/s" in bytes a second.
pub fn rate(text: &str) -> Result<u64, String> {
    match text.strip_suffix("/s").map(size) {
        Some(Ok(bytes)) if bytes > 0 => Ok(bytes),
        Some(Ok(_)) => Err("a rate of nothing reads nothing".to_owned()),
        _ => Err("not a rate: write a size a second, as \"200MB/s\"".to_owned()),
    }
}

/// "90%" as 90.0.
pub fn percent(text: &str) -> Result<f64, String> {
    text.strip_suffix('%')
        .filter(|number| {
            number
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
        })
        .and_then(|number| number.trim().parse::<f64>().ok())
        .filter(|number| (0.0..=100.0).contains(number))
        .ok_or_else(|| "not a share: write a percentage from \"0%\" to \"100%\"".to_owned())
}

/// "+2s" or "-150ms" in nanoseconds: how far a clock runs ahead.
pub fn offset(text: &str) -> Option<Result<i64, String>> {
    let (sign, rest) = match text.as_bytes().first()? {
        b'+' => (1, &text[1..]),
        b'-' => (-1, &text[1..]),
        _ => return None,
    };
    Some(duration(rest).map(|ns| sign * ns))
}

/// How often a step takes an entry: "5..", "2..5", "3".
pub fn times(text: &str) -> Option<(u32, Option<u32>)> {
    let number = |text: &str| text.trim().parse::<u32>().ok();
    match text.split_once("..") {
        None => number(text).map(|exact| (exact, Some(exact))),
        Some((least, most)) if most.trim().is_empty() => number(least).map(|least| (least, None)),
        Some((least, most)) => Some((number(least)?, Some(number(most)?))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ns) in [
            ("90s", 90 * NS),
            ("10m", 600 * NS),
            ("24h", 86_400 * NS),
            ("7d", 604_800 * NS),
            ("1h30m", 5_400 * NS),
            ("500ms", NS / 2),
            ("3µs", 3_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(ns), "{text}");
        }
        for text in [
            "",
            "s",
            "5",
            "5 m",
            "-5s",
            "1.5h",
            "5x",
            "h5",
            "99999999999999999999s",
            "200000000000h",
            "40000d",
            "5mm",
            "五s",
        ] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes_and_rates() {
        assert_eq!(size("256MiB"), Ok(256 << 20));
        assert_eq!(size("1GB"), Ok(1_000_000_000));
        assert_eq!(size("1 GiB"), Ok(1 << 30));
        for text in [
            "",
            "5",
            "MB",
            "5mb",
            "-1B",
            "1.5GB",
            "99999999999999999999B",
            "10000PB",
        ] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(rate("200MB/s"), Ok(200_000_000));
        for text in ["200MB", "0B/s", "/s", "fast", "1MB/m"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shares_offsets_and_counts() {
        assert_eq!(percent("90%"), Ok(90.0));
        assert_eq!(percent("99.5%"), Ok(99.5));
        for text in ["90", "%", "101%", "-1%", "NaN%", "inf%", "1e1%"] {
            assert!(percent(text).is_err(), "{text}");
        }
        assert_eq!(offset("+2s"), Some(Ok(2 * NS)));
        assert_eq!(offset("-150ms"), Some(Ok(-NS * 15 / 100)));
        assert_eq!(offset("2s"), None);
        assert_eq!(times("5.."), Some((5, None)));
        assert_eq!(times("2..5"), Some((2, Some(5))));
        assert_eq!(times("3"), Some((3, Some(3))));
        for text in ["", "..", "..5", "a", "-1", "1..2..3", "99999999999"] {
            assert_eq!(times(text), None, "{text}");
        }
    }
}
