//! Times as logs write them, without a date library: days to dates, and digits straight into bytes. A moment is
//! milliseconds since the Unix epoch, UTC.

pub const DAY_MS: u64 = 86_400_000;

pub const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// Year, month (1 to 12) and day of the month, of so many days after 1970-01-01 (Hinnant's `civil_from_days`).
pub fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

pub fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0u8; 20];
    let mut start = digits.len();
    let mut rest = value;
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

/// The last `width` digits (at most 20), with leading zeros.
pub fn padded(out: &mut Vec<u8>, value: u64, width: usize) {
    let mut digits = [b'0'; 20];
    let mut rest = value;
    for digit in digits[..width].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&digits[..width]);
}

/// The lowest `width` hexadecimal digits.
pub fn hex(out: &mut Vec<u8>, value: u64, width: u32) {
    for place in (0..width).rev() {
        out.push(b"0123456789abcdef"[((value >> (4 * place)) & 15) as usize]);
    }
}

/// `2026-01-19`
fn day(out: &mut Vec<u8>, at: u64) {
    let (year, month, day) = date(at / DAY_MS);
    padded(out, year, 4);
    out.push(b'-');
    padded(out, month, 2);
    out.push(b'-');
    padded(out, day, 2);
}

/// `14:05:12`
fn clock(out: &mut Vec<u8>, at: u64) {
    let seconds = at / 1000;
    padded(out, seconds / 3600 % 24, 2);
    out.push(b':');
    padded(out, seconds / 60 % 60, 2);
    out.push(b':');
    padded(out, seconds % 60, 2);
}

/// `2026-01-19T14:05:12.123Z`
pub fn rfc3339(out: &mut Vec<u8>, at: u64) {
    day(out, at);
    out.push(b'T');
    clock(out, at);
    out.push(b'.');
    padded(out, at % 1000, 3);
    out.push(b'Z');
}

/// `2026-01-19 14:05:12.123`, with the separator that stands before the milliseconds.
pub fn spaced(out: &mut Vec<u8>, at: u64, separator: u8) {
    day(out, at);
    out.push(b' ');
    clock(out, at);
    out.push(separator);
    padded(out, at % 1000, 3);
}

/// `19/Jan/2026:14:05:12 +0000`
pub fn common_log(out: &mut Vec<u8>, at: u64) {
    let (year, month, day) = date(at / DAY_MS);
    padded(out, day, 2);
    out.push(b'/');
    out.extend_from_slice(MONTHS[(month - 1) as usize].as_bytes());
    out.push(b'/');
    padded(out, year, 4);
    out.push(b':');
    clock(out, at);
    out.extend_from_slice(b" +0000");
}

/// What one of the writers above writes.
pub fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::with_capacity(32);
    write(&mut out);
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(date(20_472), (2026, 1, 19));
        assert_eq!(date(19_782), (2024, 2, 29));
        assert_eq!(date(19_783), (2024, 3, 1));
        assert_eq!(date(11_016), (2000, 2, 29));
        assert_eq!(date(20_453), (2025, 12, 31));
    }

    #[test]
    fn times_as_logs_write_them() {
        let at = 20_472 * DAY_MS + ((14 * 60 + 5) * 60 + 12) * 1000 + 7;
        assert_eq!(text(|out| rfc3339(out, at)), "2026-01-19T14:05:12.007Z");
        assert_eq!(text(|out| spaced(out, at, b',')), "2026-01-19 14:05:12,007");
        assert_eq!(
            text(|out| common_log(out, at)),
            "19/Jan/2026:14:05:12 +0000"
        );
        assert_eq!(text(|out| number(out, u64::MAX)), "18446744073709551615");
        assert_eq!(text(|out| hex(out, 0xabc, 4)), "0abc");
    }
}
