//! Values as bytes, at the speed at which a file takes them: rows by the million go through here, so that nothing is
//! allocated and nothing goes through a formatter that need not.

use std::io::Write;

use super::Value;

impl Value<'_> {
    /// Appends the text that a person sees; nothing for NULL.
    pub fn write_text(&self, out: &mut Vec<u8>) {
        match self {
            Value::Int(number) => write_int(*number, out),
            Value::Float(number) => write_float(*number, out),
            Value::Time(time) => {
                let (text, length) = time.rfc3339();
                out.extend_from_slice(&text[..length]);
            }
            Value::List(_) | Value::Object(_) => self.write_json(out),
            Value::Null => {}
            Value::Bool(true) => out.extend_from_slice(b"true"),
            Value::Bool(false) => out.extend_from_slice(b"false"),
            Value::Level(level) => out.extend_from_slice(level.name().as_bytes()),
            Value::Text(text) | Value::Json(text) => out.extend_from_slice(text),
        }
    }

    /// Appends the value as JSON. Invalid UTF-8 is shown as U+FFFD.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(_) | Value::Int(_) | Value::Float(_) => self.write_text(out),
            Value::Json(text) => out.extend_from_slice(text),
            Value::Text(text) => write_json_text(text, out),
            // Neither holds a character that would have to be escaped.
            Value::Time(_) | Value::Level(_) => {
                out.push(b'"');
                self.write_text(out);
                out.push(b'"');
            }
            Value::List(list) => {
                out.push(b'[');
                for (index, value) in list.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    value.write_json(out);
                }
                out.push(b']');
            }
            Value::Object(object) => {
                out.push(b'{');
                for (index, (name, value)) in object.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_json_text(name.as_bytes(), out);
                    out.push(b':');
                    value.write_json(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// Appends the text as a JSON string, invalid UTF-8 as U+FFFD.
pub fn write_json_text(text: &[u8], out: &mut Vec<u8>) {
    // Mostly there is nothing to escape, and nothing but ASCII; told without a branch for each byte.
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') & (*byte != b'"') & (*byte != b'\\');
    if text.iter().fold(true, |all, byte| all & is_plain(byte)) {
        out.reserve(text.len() + 2);
        out.push(b'"');
        out.extend_from_slice(text);
        out.push(b'"');
        return;
    }
    out.reserve(text.len() + text.len() / 8 + 2);
    out.push(b'"');
    match std::str::from_utf8(text) {
        Ok(text) => write_escaped(text.as_bytes(), out),
        Err(_) => {
            for chunk in text.utf8_chunks() {
                write_escaped(chunk.valid().as_bytes(), out);
                if !chunk.invalid().is_empty() {
                    out.extend_from_slice("\u{fffd}".as_bytes());
                }
            }
        }
    }
    out.push(b'"');
}

fn write_escaped(mut text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    while let Some(at) = first_escaped(text) {
        out.extend_from_slice(&text[..at]);
        let byte = text[at];
        let escape = match byte {
            b'"' => b'"',
            b'\\' => b'\\',
            b'\n' => b'n',
            b'\r' => b'r',
            b'\t' => b't',
            _ => b'u',
        };
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            out.extend_from_slice(b"00");
            out.extend_from_slice(&[HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
        text = &text[at + 1..];
    }
    out.extend_from_slice(text);
}

/// Where the first byte stands that JSON wants escaped, or a terminal would obey: a quote, a backslash, a control.
fn first_escaped(text: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGH: u64 = ONES << 7;
    // Eight bytes at a time: the high bit of each that is 0, or less than a bound.
    let has_zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let has = |word: u64, byte: u8| has_zero(word ^ (ONES * u64::from(byte)));
    let is_escaped = |byte: &u8| matches!(byte, 0..0x20 | b'"' | b'\\' | 0x7f);
    let mut words = text.chunks_exact(8);
    let mut start = 0;
    for word in words.by_ref() {
        let word = u64::from_ne_bytes(word.try_into().expect("eight bytes"));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        if controls | has(word, b'"') | has(word, b'\\') | has(word, 0x7f) != 0 {
            break;
        }
        start += 8;
    }
    text[start..]
        .iter()
        .position(is_escaped)
        .map(|at| start + at)
}

fn write_int(number: i128, out: &mut Vec<u8>) {
    let Ok(rest) = u64::try_from(number.unsigned_abs()) else {
        let _ = write!(out, "{number}");
        return;
    };
    if number < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(digits(rest, &mut [0; 20]));
}

/// The digits of a whole number, at the end of the room for them: many times as quick as formatting it.
#[inline]
pub fn digits(mut number: u64, room: &mut [u8; 20]) -> &[u8] {
    let mut start = room.len();
    loop {
        start -= 1;
        room[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &room[start..];
        }
    }
}

/// The shortest text that reads back as the same double, as JSON: `0.1`, `1e300`.
fn write_float(number: f64, out: &mut Vec<u8>) {
    // Writing into a vector cannot fail.
    let _ = if (1e-7..1e21).contains(&number.abs()) {
        write!(out, "{number}")
    } else {
        write!(out, "{number:e}")
    };
}

#[cfg(test)]
mod tests {
    use super::super::Time;
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_as_the_formatter_has_them() {
        let mut numbers = vec![0, 1, -1, 9, 10, 99, 100, i128::MAX, i128::MIN];
        for edge in [
            u64::MAX as i128,
            i64::MAX as i128,
            i64::MIN as i128,
            1 << 53,
        ] {
            numbers.extend([edge - 1, edge, edge + 1, -edge]);
        }
        for number in numbers {
            assert_eq!(text(|out| write_int(number, out)), number.to_string());
        }
    }

    #[test]
    fn times_are_those_of_a_calendar() {
        const DAY: i64 = 86_400_000_000_000;
        let edges = [i64::MIN, i64::MAX, 0, -1, 1, DAY - 1, -DAY];
        // Every day of six hundred years, each at another time of the day.
        let days = (-106_000..106_000).map(|day| day * DAY + (day * 7_919_333_331).rem_euclid(DAY));
        for ns in edges.into_iter().chain(days) {
            let moment = chrono::DateTime::from_timestamp_nanos(ns);
            for (digits, format) in [(0, "%Y-%m-%dT%H:%M:%SZ"), (9, "%Y-%m-%dT%H:%M:%S.%9fZ")] {
                let shown = text(|out| Value::Time(Time::new(ns, digits)).write_text(out));
                assert_eq!(shown, moment.format(format).to_string(), "{ns}");
            }
        }
        let time = Time::new(1_234_567_890_123_456_789, 4);
        assert_eq!(
            text(|out| Value::Time(time).write_text(out)),
            "2009-02-13T23:31:30.1234Z"
        );
    }

    #[test]
    fn texts_are_escaped_wherever_the_byte_stands() {
        for byte in 0..=255_u8 {
            for at in 0..20 {
                let mut plain = vec![b'x'; 20];
                plain[at] = byte;
                let shown = text(|out| write_json_text(&plain, out));
                let read: String = serde_json::from_str(&shown).unwrap();
                assert_eq!(read, String::from_utf8_lossy(&plain), "{byte} at {at}");
                assert!(!shown.bytes().any(|byte| byte < 0x20 || byte == 0x7f));
            }
        }
    }
}
