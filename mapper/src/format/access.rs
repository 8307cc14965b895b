//! The access log of web servers, Apache's and nginx' alike: common, combined, and either after the virtual host.

use jobspec::plan::FieldPath;

use super::json::unescape;
use super::own::{dash_is_null, number_or_text};
use super::specials::{Quotes, Spaces, Specials};
use super::{Parsed, Wanted};
use crate::entry::{Field, FieldKind};
use crate::time::TimeReader;

/// `[vhost] client ident user [time] "request" status bytes ["referrer" "agent" …]`
pub(super) struct Access<'a> {
    who: Who<'a>,
    time: &'a [u8],
    request: Field<'a>,
    status: &'a [u8],
    bytes: &'a [u8],
    referrer: Option<Field<'a>>,
    agent: Option<Field<'a>>,
}

type Getter = for<'a> fn(&Access<'a>) -> Option<Field<'a>>;

const FIELDS: [(&str, Getter); 12] = [
    ("vhost", |access| access.who.vhost.map(Field::text)),
    ("client", |access| Some(dash_is_null(access.who.client))),
    ("ident", |access| Some(dash_is_null(access.who.ident))),
    ("user", |access| Some(dash_is_null(access.who.user))),
    ("request", |access| Some(access.request)),
    ("method", |access| {
        Some(request_parts(access.request)?.method)
    }),
    ("path", |access| Some(request_parts(access.request)?.path)),
    ("protocol", |access| request_parts(access.request)?.protocol),
    ("status", |access| Some(number_or_text(access.status))),
    ("bytes", |access| Some(number_or_text(access.bytes))),
    ("referrer", |access| access.referrer),
    ("agent", |access| access.agent),
];

/// How each wanted field is got, if there is one of that name.
pub(super) type Getters = Box<[Option<Getter>]>;

pub(super) fn getters(paths: &[FieldPath]) -> Getters {
    let getter = |path: &FieldPath| {
        let mut fields = FIELDS.iter();
        Some(fields.find(|(name, _)| path.text == *name)?.1)
    };
    paths.iter().map(getter).collect()
}

impl<'a> Access<'a> {
    #[inline(always)]
    pub fn read(raw: &'a [u8]) -> Option<Access<'a>> {
        let (who, open) = Who::read_usual(raw).or_else(|| Who::read(raw))?;
        let close = open + memchr::memchr(b']', &raw[open..])?;
        if raw.get(close + 1) != Some(&b' ') {
            return None;
        }
        let quotes = &mut Specials::new();
        let (request, end) = quoted(raw, quotes, close + 2)?;
        let (status, end) = word(raw, end, |status| match status {
            [one, two, three, ..] => {
                [one, two, three].iter().all(|byte| byte.is_ascii_digit()) as usize * 3
            }
            _ => 0,
        })?;
        let (bytes, end) = word(raw, end, |bytes| match bytes {
            [b'-', ..] => 1,
            bytes => bytes
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count(),
        })?;
        let (referrer, agent) = match quoted_after_space(raw, quotes, end) {
            None => (None, None),
            Some((referrer, end)) => {
                let agent = quoted_after_space(raw, quotes, end);
                (Some(referrer), agent.map(|(agent, _)| agent))
            }
        };
        Some(Access {
            who,
            time: &raw[open + 1..close],
            request,
            status,
            bytes,
            referrer,
            agent,
        })
    }

    #[inline(always)]
    pub fn give(&self, wanted: &Wanted, times: &mut TimeReader, parsed: &mut Parsed<'a>) {
        times.read_into(self.time, &mut parsed.stamp);
        parsed.message = Some(self.request);
        for (slot, getter) in parsed.fields.iter_mut().zip(wanted.access()) {
            *slot = getter.and_then(|getter| getter(self));
        }
    }

    pub fn fields(&self) -> [(&'static str, Option<Field<'a>>); FIELDS.len()] {
        FIELDS.map(|(name, getter)| (name, getter(self)))
    }
}

struct Who<'a> {
    vhost: Option<&'a [u8]>,
    client: &'a [u8],
    ident: &'a [u8],
    user: &'a [u8],
}

impl<'a> Who<'a> {
    /// Client, ident and user where they are three words, as in most lines, and the bracket after them.
    #[inline(always)]
    fn read_usual(raw: &'a [u8]) -> Option<(Who<'a>, usize)> {
        let spaces = &mut Specials::<Spaces>::of_head();
        let first = spaces.next(raw, 0)?;
        let second = spaces.next(raw, first + 1)?;
        let third = spaces.next(raw, second + 1)?;
        let (client, ident, user) = (
            &raw[..first],
            &raw[first + 1..second],
            &raw[second + 1..third],
        );
        let is_word = |word: &[u8]| !matches!(word, [] | [b'[', ..]);
        let is_usual = !client.is_empty() && is_word(ident) && is_word(user);
        let who = Who {
            vhost: None,
            client,
            ident,
            user,
        };
        (is_usual && raw.get(third + 1) == Some(&b'[')).then_some((who, third + 1))
    }

    /// Virtual host, client, ident and user, and the bracket after them. A user may have spaces in its name.
    #[inline(never)]
    fn read(raw: &'a [u8]) -> Option<(Who<'a>, usize)> {
        // The time is the first bracket after a space: an IPv6 client may stand in brackets too.
        let mut brackets = memchr::memchr_iter(b'[', raw);
        let open =
            brackets.find(|at| at.checked_sub(1).is_some_and(|before| raw[before] == b' '))?;
        let mut words = raw[..open - 1].splitn(3, |byte| *byte == b' ');
        let (first, second, rest) = (words.next()?, words.next()?, words.next()?);
        if first.is_empty() || second.is_empty() || rest.is_empty() {
            return None;
        }
        // After a virtual host the second word is an address, which no ident is.
        let is_address = second.iter().any(|byte| matches!(byte, b'.' | b':'));
        let space = memchr::memchr(b' ', rest).filter(|_| is_address);
        let who = match space {
            Some(space) => Who {
                vhost: Some(first),
                client: second,
                ident: &rest[..space],
                user: &rest[space + 1..],
            },
            None => Who {
                vhost: None,
                client: first,
                ident: second,
                user: rest,
            },
        };
        Some((who, open))
    }
}

/// The quoted text that begins at `at`, and the place after its quote. A backslash guards one byte.
#[inline(always)]
fn quoted<'a>(
    raw: &'a [u8],
    quotes: &mut Specials<Quotes>,
    at: usize,
) -> Option<(Field<'a>, usize)> {
    if raw.get(at) != Some(&b'"') {
        return None;
    }
    let start = at + 1;
    let mut kind = FieldKind::Text;
    let mut end = quotes.next(raw, start)?;
    while raw[end] == b'\\' {
        kind = FieldKind::Escaped;
        end = quotes.next(raw, end + 2)?;
    }
    let text = &raw[start..end];
    if text == b"-" {
        kind = FieldKind::Null;
    }
    Some((Field { text, kind }, end + 1))
}

#[inline(always)]
fn quoted_after_space<'a>(
    raw: &'a [u8],
    quotes: &mut Specials<Quotes>,
    at: usize,
) -> Option<(Field<'a>, usize)> {
    (raw.get(at) == Some(&b' ')).then(|| quoted(raw, quotes, at + 1))?
}

/// The word after a space, if it is all that `length` says it is, and its end.
#[inline(always)]
fn word(raw: &[u8], at: usize, length: impl Fn(&[u8]) -> usize) -> Option<(&[u8], usize)> {
    let rest = raw.get(at..)?.strip_prefix(b" ")?;
    let length = length(rest);
    let is_whole = length > 0 && matches!(rest.get(length), None | Some(b' '));
    is_whole.then(|| (&rest[..length], at + 1 + length))
}

struct RequestParts<'a> {
    method: Field<'a>,
    path: Field<'a>,
    protocol: Option<Field<'a>>,
}

/// Method, path and protocol, where a request is one: scanners send anything. Who wants one of them pays for that one.
#[inline(always)]
fn request_parts(request: Field<'_>) -> Option<RequestParts<'_>> {
    let Field { text, kind } = request;
    let is_method = |byte: &u8| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_');
    let space = text.iter().take_while(|byte| is_method(byte)).count();
    if space == 0 || text.get(space) != Some(&b' ') {
        return None;
    }
    let rest = &text[space + 1..];
    let last = match rest {
        [
            ..,
            b' ',
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            b'0'..=b'9',
            b'.',
            b'0'..=b'9',
        ] => Some(rest.len() - 9),
        _ => memchr::memrchr(b' ', rest)
            .filter(|last| unescape(&rest[last + 1..]).starts_with(b"HTTP/")),
    };
    let (path, protocol) = match last {
        Some(last) => (&rest[..last], Some(&rest[last + 1..])),
        None => (rest, None),
    };
    Some(RequestParts {
        method: Field {
            text: &text[..space],
            kind,
        },
        path: Field { text: path, kind },
        protocol: protocol.map(|text| Field { text, kind }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lines as they are and as nobody writes them, of a few pieces each.
    fn lines() -> Vec<Vec<u8>> {
        const PIECES: &[&str] = &[
            "10.0.0.7",
            "[::1]",
            "-",
            "shop.example:443",
            "al ice",
            "",
            " ",
            "[",
            "]",
            "\"",
            "\\",
            " [10/Mar/2025:00:00:00 +0000]",
            " \"GET /a HTTP/1.1\"",
            " \"GET /a b\"",
            " \"-\"",
            " 200",
            " 20",
            " 2000",
            " 5853",
            " -",
            " 12x",
            " \"a\\\"b\" \"c\"",
        ];
        let mut state = 7_u64;
        let mut pick = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % below
        };
        let usual = r#"10.0.0.7 - alice [10/Mar/2025:00:00:00 +0000] "GET /a?b=1 HTTP/1.1" 200 16 "-" "curl/8""#;
        let mut lines = Vec::new();
        for _ in 0..20_000 {
            let mut line = usual.as_bytes().to_vec();
            for _ in 0..pick(3) {
                let at = pick(line.len() + 1);
                let end = (at + pick(4)).min(line.len());
                line.splice(at..end, PIECES[pick(PIECES.len())].bytes());
            }
            lines.push(line);
            let pieces = (0..pick(9)).map(|_| PIECES[pick(PIECES.len())]);
            lines.push(pieces.collect::<Vec<_>>().join(" ").into_bytes());
        }
        lines
    }

    fn parts<'a>(who: &Who<'a>) -> [Option<&'a [u8]>; 4] {
        [who.vhost, Some(who.client), Some(who.ident), Some(who.user)]
    }

    #[test]
    fn the_usual_way_to_read_who_it_was_is_the_careful_one() {
        let mut usual = 0;
        for line in lines() {
            let Some((who, open)) = Who::read_usual(&line) else {
                continue;
            };
            usual += 1;
            let careful = Who::read(&line).map(|(who, open)| (parts(&who), open));
            let shown = line.escape_ascii();
            assert_eq!(Some((parts(&who), open)), careful, "{shown}");
        }
        assert!(usual > 5_000, "{usual}");
    }

    /// As one would write it down: split at quotes that nothing guards, then at spaces.
    fn expected(line: &[u8]) -> Option<(Vec<u8>, Vec<u8>, Vec<u8>)> {
        let (_, open) = Who::read(line)?;
        let close = open + line[open..].iter().position(|byte| *byte == b']')?;
        let rest = line[close + 1..].strip_prefix(b" \"")?;
        let mut end = 0;
        while *rest.get(end)? != b'"' {
            end += if rest[end] == b'\\' { 2 } else { 1 };
        }
        let after = rest[end + 1..].strip_prefix(b" ")?;
        let mut words = after.split(|byte| *byte == b' ');
        let (status, bytes) = (words.next()?, words.next()?);
        let is_number = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_digit);
        let is_access =
            status.len() == 3 && is_number(status) && (bytes == b"-" || is_number(bytes));
        is_access.then(|| (rest[..end].to_vec(), status.to_vec(), bytes.to_vec()))
    }

    #[test]
    fn a_line_is_what_its_words_and_quotes_say() {
        let mut read = 0;
        for line in lines() {
            let access = Access::read(&line);
            let found = access.map(|access| {
                read += 1;
                let request = access.request.text.to_vec();
                (request, access.status.to_vec(), access.bytes.to_vec())
            });
            assert_eq!(found, expected(&line), "{}", line.escape_ascii());
        }
        assert!(read > 5_000, "{read}");
    }

    #[test]
    fn a_request_has_its_protocol_after_the_last_space() {
        let parts = |text: &'static str| {
            let field = |field: Field<'_>| String::from_utf8(field.text.to_vec()).unwrap();
            request_parts(Field::text(text.as_bytes())).map(|parts| {
                (
                    field(parts.method),
                    field(parts.path),
                    parts.protocol.map(field),
                )
            })
        };
        let some = |method: &str, path: &str, protocol: Option<&str>| {
            Some((method.into(), path.into(), protocol.map(str::to_owned)))
        };
        assert_eq!(parts("GET / HTTP/1.1"), some("GET", "/", Some("HTTP/1.1")));
        assert_eq!(
            parts("GET /a b HTTP/2"),
            some("GET", "/a b", Some("HTTP/2"))
        );
        assert_eq!(parts("GET  HTTP/1.1"), some("GET", "", Some("HTTP/1.1")));
        assert_eq!(parts("GET HTTP/1.1"), some("GET", "HTTP/1.1", None));
        assert_eq!(parts("GET /a"), some("GET", "/a", None));
        assert_eq!(parts("GET /a XHTTP/1.1"), some("GET", "/a XHTTP/1.1", None));
        assert_eq!(parts(" / HTTP/1.1"), None);
        assert_eq!(parts("GET"), None);
        assert_eq!(parts("\\x16\\x03 / HTTP/1.1"), None);
    }
}
