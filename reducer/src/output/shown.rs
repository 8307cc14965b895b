//! Text from logs as people may see it: bounded, valid, and with nothing in it that a terminal or a browser would obey.
//! What cannot be seen or turns the reading direction is written as its number, so that nobody is deceived by a line.

use std::fmt::Write;

use jobspec::value::{OwnedValue, Time, Value};

/// The text, at most so many bytes of it; what is cut off is counted. Line ends and tabs stay.
pub fn shown(text: &[u8], most_bytes: usize) -> String {
    let mut end = text.len().min(most_bytes);
    // Not inside a character; a continuation byte is 10xxxxxx.
    while end < text.len() && end > 0 && text[end] & 0xc0 == 0x80 && most_bytes - end < 4 {
        end -= 1;
    }
    let mut out = String::with_capacity(end);
    for character in String::from_utf8_lossy(&text[..end]).chars() {
        match character {
            '\n' | '\t' => out.push(character),
            // The pictures of control characters stand in their order.
            '\0'..='\u{1f}' => {
                out.extend(char::from_u32(0x2400 + u32::from(character)));
            }
            '\u{7f}' => out.push('\u{2421}'),
            _ if is_hidden(character) => {
                let _ = write!(out, "\u{27e8}U+{:04X}\u{27e9}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    if end < text.len() {
        let _ = write!(out, " \u{2026} {} more", bytes((text.len() - end) as u64));
    }
    out
}

/// On one line: line ends become a sign.
pub fn shown_line(text: &[u8], most_bytes: usize) -> String {
    shown(text, most_bytes)
        .replace('\n', " \u{23ce} ")
        .replace('\t', " ")
}

/// A value on one line, as a person reads it.
pub fn shown_value(value: &OwnedValue, most_bytes: usize) -> String {
    match value {
        Value::Null => String::new(),
        Value::List(list) if list.len() <= 20 => {
            let items: Vec<String> = list
                .iter()
                .map(|item| shown_item(item, most_bytes))
                .collect();
            shown_line(items.join(", ").as_bytes(), most_bytes)
        }
        Value::Object(object) if object.len() <= 20 => {
            let parts: Vec<String> = object
                .iter()
                .map(|(name, value)| format!("{name} {}", shown_item(value, most_bytes)))
                .collect();
            shown_line(parts.join(", ").as_bytes(), most_bytes)
        }
        value => shown_line(&value.to_text(), most_bytes),
    }
}

/// What `top` gives reads as `value count`.
fn shown_item(value: &OwnedValue, most_bytes: usize) -> String {
    match value {
        Value::Object(object) => {
            let values = object
                .iter()
                .map(|(_, value)| shown_line(&value.to_text(), most_bytes));
            values.collect::<Vec<_>>().join(" ")
        }
        Value::List(list) if list.len() <= 20 => {
            let items = list
                .iter()
                .map(|item| shown_line(&item.to_text(), most_bytes));
            items.collect::<Vec<_>>().join(" ")
        }
        value => shown_line(&value.to_text(), most_bytes),
    }
}

fn is_hidden(character: char) -> bool {
    matches!(character,
        '\u{80}'..='\u{9f}'
        | '\u{ad}' | '\u{61c}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fdd0}'..='\u{fdef}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
        || u32::from(character) & 0xfffe == 0xfffe
}

/// `1 match`, `2 matches`
pub fn counted(count: impl Into<i128>, one: &str, many: &str) -> String {
    match count.into() {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    }
}

/// `1.5 MB`
pub fn bytes(count: u64) -> String {
    scaled(count as f64, 1000.0, &["bytes", "kB", "MB", "GB", "TB"])
}

/// `1.5 M`, for an axis.
pub fn short_number(number: f64) -> String {
    scaled(number, 1000.0, &["", "k", "M", "G", "T"])
}

fn scaled(number: f64, step: f64, units: &[&str]) -> String {
    let (mut number, mut unit) = (number, 0);
    while number.abs() >= step && unit + 1 < units.len() {
        number /= step;
        unit += 1;
    }
    let text = if number == number.trunc() || number.abs() >= 100.0 {
        format!("{number:.0}")
    } else {
        let decimals = if number.abs() >= 1.0 { 1 } else { 3 };
        let text = format!("{number:.decimals$}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match units[unit] {
        "" => text,
        unit => format!("{text} {unit}"),
    }
}

/// `6.5 s`, `2 min 55 s`
pub fn duration(milliseconds: f64) -> String {
    let seconds = milliseconds / 1000.0;
    if seconds.abs() < 1.0 {
        format!("{} ms", short_number(milliseconds))
    } else if seconds < 60.0 {
        format!("{} s", short_number(seconds))
    } else {
        let whole = seconds.round() as i64;
        match (
            whole / 86_400,
            whole / 3600 % 24,
            whole / 60 % 60,
            whole % 60,
        ) {
            (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
            (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
            (days, hours, _, _) => format!("{days} d {hours} h"),
        }
    }
}

/// The time of the day, to the millisecond where the log has that much: `14:20:01.135`.
pub fn time_of_day(time: &Time) -> String {
    let short = Time::new(time.ns, time.digits.min(3)).to_string();
    short[11..].trim_end_matches('Z').to_owned()
}

/// `2026-01-19`
pub fn day(time: &Time) -> String {
    time.to_string()[..10].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_obeyed() {
        for (text, expected) in [
            (&b"plain\ttext\n"[..], "plain\ttext\n"),
            (b"\x1b[31mred\x07\x7f", "\u{241b}[31mred\u{2407}\u{2421}"),
            (
                "a\u{202e}b\u{2066}".as_bytes(),
                "a\u{27e8}U+202E\u{27e9}b\u{27e8}U+2066\u{27e9}",
            ),
            ("\u{9b}31m".as_bytes(), "\u{27e8}U+009B\u{27e9}31m"),
            (
                "\u{ffff}\u{1fffe}".as_bytes(),
                "\u{27e8}U+FFFF\u{27e9}\u{27e8}U+1FFFE\u{27e9}",
            ),
            (b"\xff\0", "\u{fffd}\u{2400}"),
            ("grüße 👩‍💻".as_bytes(), "grüße 👩‍💻"),
        ] {
            assert_eq!(shown(text, 1000), expected);
        }
    }

    #[test]
    fn every_length_is_bounded() {
        assert_eq!(shown(&[b'x'; 1 << 20], 10), "xxxxxxxxxx \u{2026} 1 MB more");
        for most in 0..12 {
            let cut = shown("äöüß€".as_bytes(), most);
            assert!(!cut.contains('\u{fffd}'), "{most}: {cut}");
        }
        // Bytes that continue nothing are not searched without end.
        assert!(shown(&[0x80; 100], 50).contains('\u{fffd}'));
    }

    #[test]
    fn figures_read_well() {
        for (milliseconds, expected) in [
            (0.0, "0 ms"),
            (0.25, "0.25 ms"),
            (135.21, "135 ms"),
            (6508.0, "6.5 s"),
            (174_782.0, "2 min 55 s"),
            (7_260_000.0, "2 h 1 min"),
            (90_000_000.0, "1 d 1 h"),
        ] {
            assert_eq!(duration(milliseconds), expected);
        }
        assert_eq!(bytes(999), "999 bytes");
        assert_eq!(bytes(1_536_000), "1.5 MB");
        assert_eq!(time_of_day(&Time::new(1_135_000_000, 9)), "00:00:01.135");
        assert_eq!(day(&Time::new(0, 0)), "1970-01-01");
    }
}
