//! The access log of web servers, Apache's and nginx' alike: common, combined, and either after the virtual host.

use super::json::unescape;
use super::logfmt::quote_end;
use super::own::{dash_is_null, number_or_text};
use super::{Parsed, Wanted, own};
use crate::entry::{Field, FieldKind};
use crate::time::TimeReader;

/// `[vhost] client ident user [time] "request" status bytes ["referrer" "agent" …]`
pub(super) struct Access<'a> {
    time: &'a [u8],
    request: Field<'a>,
    fields: [(&'static str, Option<Field<'a>>); 12],
}

impl<'a> Access<'a> {
    pub fn read(raw: &'a [u8]) -> Option<Access<'a>> {
        // The time is the first bracket after a space: an IPv6 client may stand in brackets too.
        let mut brackets = memchr::memchr_iter(b'[', raw);
        let open =
            brackets.find_map(|at| at.checked_sub(1).filter(|before| raw[*before] == b' '))?;
        let close = open + memchr::memchr(b']', &raw[open..])?;
        let time = &raw[open + 2..close];
        let (vhost, client, ident, user) = who(&raw[..open])?;
        let quote = close + 2;
        if raw.get(close + 1..quote + 1) != Some(b" \"") {
            return None;
        }
        let (request, end) = quoted(raw, quote)?;
        let (status, end) = word(raw, end)?;
        if status.len() != 3 || !status.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let (bytes, end) = word(raw, end)?;
        if bytes != b"-" && !bytes.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let (referrer, agent) = match quoted_after_space(raw, end) {
            None => (None, None),
            Some((referrer, end)) => (
                Some(referrer),
                quoted_after_space(raw, end).map(|(agent, _)| agent),
            ),
        };
        let (method, path, protocol) = request_parts(request);
        Some(Access {
            time,
            request,
            fields: [
                ("vhost", vhost.map(Field::text)),
                ("client", Some(dash_is_null(client))),
                ("ident", Some(dash_is_null(ident))),
                ("user", Some(dash_is_null(user))),
                ("request", Some(request)),
                ("method", method),
                ("path", path),
                ("protocol", protocol),
                ("status", Some(number_or_text(status))),
                ("bytes", Some(number_or_text(bytes))),
                ("referrer", referrer),
                ("agent", agent),
            ],
        })
    }

    pub fn give(&self, wanted: &Wanted, times: &mut TimeReader, parsed: &mut Parsed<'a>) {
        parsed.stamp = times.read(self.time);
        parsed.message = Some(self.request);
        own::fill(&self.fields, wanted, parsed);
    }

    pub fn fields(&self) -> &own::Own<'a> {
        &self.fields
    }
}

type Who<'a> = (Option<&'a [u8]>, &'a [u8], &'a [u8], &'a [u8]);

/// Virtual host, client, ident and user. A user may have spaces in its name.
fn who(text: &[u8]) -> Option<Who<'_>> {
    let mut words = text.splitn(3, |byte| *byte == b' ');
    let (first, second, rest) = (words.next()?, words.next()?, words.next()?);
    if first.is_empty() || second.is_empty() || rest.is_empty() {
        return None;
    }
    // After a virtual host the second word is an address, which no ident is.
    if second.iter().any(|byte| matches!(byte, b'.' | b':'))
        && let Some(space) = memchr::memchr(b' ', rest)
    {
        return Some((Some(first), second, &rest[..space], &rest[space + 1..]));
    }
    Some((None, first, second, rest))
}

/// The quoted text that begins at `at`, and the place after its quote.
fn quoted(raw: &[u8], at: usize) -> Option<(Field<'_>, usize)> {
    if raw.get(at) != Some(&b'"') {
        return None;
    }
    let (end, is_escaped) = quote_end(raw, at + 1)?;
    let text = &raw[at + 1..end];
    let kind = match text {
        b"-" => FieldKind::Null,
        _ if is_escaped => FieldKind::Escaped,
        _ => FieldKind::Text,
    };
    Some((Field { text, kind }, end + 1))
}

fn quoted_after_space(raw: &[u8], at: usize) -> Option<(Field<'_>, usize)> {
    (raw.get(at) == Some(&b' ')).then(|| quoted(raw, at + 1))?
}

/// The word after a space.
fn word(raw: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let rest = raw.get(at..)?.strip_prefix(b" ")?;
    let length = memchr::memchr(b' ', rest).unwrap_or(rest.len());
    (length > 0).then(|| (&rest[..length], at + 1 + length))
}

type Parts<'a> = (Option<Field<'a>>, Option<Field<'a>>, Option<Field<'a>>);

/// Method, path and protocol, where a request is one: scanners send anything.
fn request_parts(request: Field<'_>) -> Parts<'_> {
    let nothing = (None, None, None);
    let text = request.text;
    let Some(space) = memchr::memchr(b' ', text) else {
        return nothing;
    };
    let method = &text[..space];
    let is_method = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_');
    if method.is_empty() || !method.iter().all(is_method) {
        return nothing;
    }
    let part = |text| {
        Some(Field {
            text,
            kind: request.kind,
        })
    };
    let rest = &text[space + 1..];
    match memchr::memrchr(b' ', rest) {
        Some(last) if unescape(&rest[last + 1..]).starts_with(b"HTTP/") => {
            (part(method), part(&rest[..last]), part(&rest[last + 1..]))
        }
        _ => (part(method), part(rest), None),
    }
}
