//! nginx' error log.

use jobspec::value::Level;
use memchr::memmem;

use super::own::number_or_text;
use super::web::ErrorLine;
use crate::entry::Field;

/// `2026/01/19 14:00:00 [error] 31#32: *7 open() "/x" failed (2: No such file or directory), client: 10.0.0.1, …`
pub(super) fn error_line(raw: &[u8]) -> Option<ErrorLine<'_>> {
    let time = raw.get(..19)?;
    if time[4] != b'/' || time[7] != b'/' || time[13] != b':' || raw.get(19..21) != Some(b" [") {
        return None;
    }
    let close = 21 + memchr::memchr(b']', &raw[21..raw.len().min(40)])?;
    let level = Level::from_word(&raw[21..close])?;
    let rest = raw[close + 1..].trim_ascii_start();
    let colon = memmem::find(&rest[..rest.len().min(40)], b": ")?;
    let (process, thread) = split_at_byte(&rest[..colon], b'#')?;
    if ![process, thread]
        .iter()
        .all(|digits| !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
    {
        return None;
    }
    let mut message = &rest[colon + 2..];
    if let Some(connection) = message.strip_prefix(b"*") {
        let digits = connection
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits > 0 {
            message = connection[digits..].trim_ascii_start();
        }
    }
    // Texts of the client may hold the same words: its address is the first thing after what happened.
    let client = memmem::find(message, b", client: ").map(|at| {
        let rest = &message[at + 10..];
        &rest[..memchr::memchr(b',', rest).unwrap_or(rest.len())]
    });
    Some(ErrorLine {
        time,
        level,
        message,
        fields: [
            ("module", None),
            ("pid", Some(number_or_text(process))),
            ("client", client.map(Field::text)),
            ("errno", errno(message).map(number_or_text)),
        ],
    })
}

/// The number of a system error: `(2: No such file or directory)`.
fn errno(message: &[u8]) -> Option<&[u8]> {
    memchr::memchr_iter(b'(', message).find_map(|open| {
        let rest = &message[open + 1..];
        let digits = rest
            .iter()
            .take(10)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        (digits > 0 && rest.get(digits..digits + 2) == Some(b": ")).then(|| &rest[..digits])
    })
}

fn split_at_byte(text: &[u8], byte: u8) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(byte, text)?;
    Some((&text[..at], &text[at + 1..]))
}
