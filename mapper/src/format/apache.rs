//! Apache's error logs, of 2.2 and 2.4.

use jobspec::value::Level;

use super::own::number_or_text;
use super::web::ErrorLine;
use crate::entry::Field;

/// `[Fri Sep 09 10:42:29.902022 2011] [core:error] [pid 35708:tid 4328636416] [client 72.15.99.187:4321] message`, and
/// without module, pid and port in 2.2.
pub(super) fn error_line(raw: &[u8]) -> Option<ErrorLine<'_>> {
    if raw.first() != Some(&b'[') || !raw.get(1)?.is_ascii_alphabetic() {
        return None;
    }
    let (time, rest) = bracket(raw)?;
    let (what, mut rest) = bracket(rest)?;
    let (module, word) = match memchr::memchr(b':', what) {
        Some(colon) => (Some(&what[..colon]), &what[colon + 1..]),
        None => (None, what),
    };
    // trace1 to trace8
    let word = match word.strip_prefix(b"trace") {
        Some(_) => b"trace",
        None => word,
    };
    let level = Level::from_word(word)?;
    let (mut pid, mut client) = (None, None);
    while let Some((inner, after)) = bracket(rest) {
        if let Some(process) = inner.strip_prefix(b"pid ") {
            pid = process.split(|byte| *byte == b':').next();
        } else if let Some(address) = inner.strip_prefix(b"client ") {
            client = Some(address);
        } else if !inner.starts_with(b"remote ") && !inner.starts_with(b"tid ") {
            break;
        }
        rest = after;
    }
    // 2.4 puts a system error before the client: `(13)Permission denied: [client …] AH00035: …`
    let mut errno = None;
    if let Some(error) = rest.strip_prefix(b"(") {
        let digits = error
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if (1..=9).contains(&digits) && error.get(digits) == Some(&b')') {
            errno = Some(&error[..digits]);
            client = client.or_else(|| {
                let at = memchr::memmem::find(rest, b": [client ")? + 2;
                bracket(&rest[at..])?.0.strip_prefix(b"client ")
            });
        }
    }
    let client = client.map(|address| match module {
        Some(_) => without_port(address),
        None => address,
    });
    Some(ErrorLine {
        time,
        level,
        message: rest,
        fields: [
            (
                "module",
                module.filter(|module| !module.is_empty()).map(Field::text),
            ),
            ("pid", pid.map(number_or_text)),
            ("client", client.map(Field::text)),
            ("errno", errno.map(number_or_text)),
        ],
    })
}

/// What a bracket at the head holds, and what follows it.
fn bracket(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inner = text.strip_prefix(b"[")?;
    let end = memchr::memchr(b']', inner)?;
    Some((&inner[..end], inner[end + 1..].trim_ascii_start()))
}

fn without_port(address: &[u8]) -> &[u8] {
    match memchr::memrchr(b':', address) {
        Some(colon) if address[colon + 1..].iter().all(u8::is_ascii_digit) => &address[..colon],
        _ => address,
    }
}
