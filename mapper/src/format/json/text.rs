//! Escapes undone: of JSON first of all, and of the other formats that put a backslash before a byte.

use std::borrow::Cow;

use memchr::memchr;

/// The text of a JSON string's inside. Half a surrogate pair is U+FFFD. Beyond JSON it knows `\xHH` (web servers),
/// and takes what else a backslash guards as it is, so that logfmt and syslog share it.
pub fn unescape(inside: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr(b'\\', inside) else {
        return Cow::Borrowed(inside);
    };
    let mut out = Vec::with_capacity(inside.len());
    let mut rest = inside;
    let mut next = Some(first);
    while let Some(at) = next {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + escape(&rest[at..], &mut out)..];
        next = memchr(b'\\', rest);
    }
    out.extend_from_slice(rest);
    Cow::Owned(out)
}

/// Undoes the escape at the head of `text`; gives its length.
pub(in crate::format) fn escape(text: &[u8], out: &mut Vec<u8>) -> usize {
    let byte = match text.get(1) {
        None => {
            out.push(b'\\');
            return 1;
        }
        Some(b'n') => b'\n',
        Some(b't') => b'\t',
        Some(b'r') => b'\r',
        Some(b'b') => 8,
        Some(b'f') => 12,
        Some(b'u') => return unicode(text, out),
        Some(b'x') => match text.get(2..4).and_then(hex) {
            Some(code) => {
                out.push(code as u8);
                return 4;
            }
            None => {
                out.extend_from_slice(b"\\x");
                return 2;
            }
        },
        Some(byte @ (b'"' | b'\\' | b'/' | b']' | b'\'')) => *byte,
        Some(_) => {
            out.extend_from_slice(&text[..2]);
            return 2;
        }
    };
    out.push(byte);
    2
}

/// The bytes of `[72, 101]`; None where it is another list.
pub fn byte_list(list: &[u8]) -> Option<Vec<u8>> {
    let inner = list.strip_prefix(b"[")?.strip_suffix(b"]")?.trim_ascii();
    if inner.is_empty() {
        return Some(Vec::new());
    }
    inner
        .split(|byte| *byte == b',')
        .map(|number| std::str::from_utf8(number.trim_ascii()).ok()?.parse().ok())
        .collect()
}

fn unicode(text: &[u8], out: &mut Vec<u8>) -> usize {
    let Some(code) = text.get(2..6).and_then(hex) else {
        out.extend_from_slice(b"\\u");
        return 2;
    };
    let mut length = 6;
    let mut character = char::from_u32(code);
    if let 0xd800..0xdc00 = code
        && text.get(6..8) == Some(b"\\u")
        && let Some(low @ 0xdc00..0xe000) = text.get(8..12).and_then(hex)
    {
        character = char::from_u32(0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00));
        length = 12;
    }
    let mut utf8 = [0; 4];
    out.extend_from_slice(
        character
            .unwrap_or(char::REPLACEMENT_CHARACTER)
            .encode_utf8(&mut utf8)
            .as_bytes(),
    );
    length
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |code, digit| {
        Some(code << 4 | char::from(*digit).to_digit(16)?)
    })
}
