//! syslog, as it goes over the wire and as daemons write it to files: RFC 3164 with and without its priority, year
//! and host, RFC 5424 with structured data, and rsyslog's and journald's lines with ISO times.

use std::borrow::Cow;

use jobspec::value::Level;
use jobspec::zone::Zone;

use super::header::{level_at_head, plain_to_see};
use super::own::{self, number_or_text};
use super::{Format, Parsed, Stamp, Wanted};
use crate::entry::{Field, FieldKind};
use crate::time::{TimeReader, YearRule};

const FACILITIES: [&str; 24] = [
    "kern",
    "user",
    "mail",
    "daemon",
    "auth",
    "syslog",
    "lpr",
    "news",
    "uucp",
    "cron",
    "authpriv",
    "ftp",
    "ntp",
    "security",
    "console",
    "solaris-cron",
    "local0",
    "local1",
    "local2",
    "local3",
    "local4",
    "local5",
    "local6",
    "local7",
];
const SEVERITIES: [&str; 8] = [
    "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
];

pub struct Syslog {
    name: String,
    is_strict: bool,
}

impl Syslog {
    pub fn new(name: &str) -> Syslog {
        Syslog {
            name: name.to_owned(),
            is_strict: false,
        }
    }

    /// Takes only lines that are hardly anything else: for a look at lines of unknown format.
    pub fn strict() -> Syslog {
        Syslog {
            name: "syslog".to_owned(),
            is_strict: true,
        }
    }

    fn line<'a>(&self, raw: &'a [u8], times: &mut TimeReader) -> Option<Line<'a>> {
        Line::read(raw, times).filter(|line| !self.is_strict || line.is_plainly_syslog)
    }
}

impl Format for Syslog {
    fn name(&self) -> &str {
        &self.name
    }

    fn holds_values(&self) -> bool {
        true
    }

    fn parse<'a>(
        &self,
        raw: &'a [u8],
        wanted: &Wanted,
        times: &mut TimeReader,
        parsed: &mut Parsed<'a>,
    ) {
        let Some(line) = self.line(raw, times) else {
            (parsed.stamp, parsed.level) = plain_to_see(raw, times);
            parsed.valid = false;
            parsed.message = Some(Field::text(raw));
            return;
        };
        parsed.stamp = line.stamp;
        parsed.level = line.level();
        parsed.message = Some(Field::text(line.message));
        own::fill(&line.own(), wanted, parsed);
        if line.data.is_empty() {
            return;
        }
        for (path, slot) in wanted.paths.iter().zip(&mut parsed.fields) {
            if let Some(name) = path.text.strip_prefix("sd.") {
                elements(line.data, |id, parameter, field| {
                    let rest = name.as_bytes().strip_prefix(id);
                    if rest.and_then(|rest| rest.strip_prefix(b".")) == Some(parameter) {
                        *slot = Some(field);
                    }
                });
            }
        }
    }

    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
        let mut times = TimeReader::new(Zone::UTC, YearRule::Fixed(2000));
        let Some(line) = self.line(raw, &mut times) else {
            return;
        };
        own::visit_own(&line.own(), visit);
        let mut members = Vec::new();
        elements(line.data, |id, parameter, field| {
            let name = [b"sd.", id, b".", parameter].concat();
            members.push((Cow::Owned(name), field));
        });
        own::unique(members, visit);
    }
}

#[derive(Default)]
struct Line<'a> {
    priority: Option<u8>,
    stamp: Stamp,
    hostname: Option<&'a [u8]>,
    app: Option<&'a [u8]>,
    pid: Option<&'a [u8]>,
    msgid: Option<&'a [u8]>,
    /// Structured data, checked; empty where there is none.
    data: &'a [u8],
    message: &'a [u8],
    is_plainly_syslog: bool,
}

impl<'a> Line<'a> {
    fn read(raw: &'a [u8], times: &mut TimeReader) -> Option<Line<'a>> {
        let (priority, rest) = match priority(raw) {
            Some((priority, rest)) => (Some(priority), rest),
            None => (None, raw),
        };
        if let Some(rest) = rest.strip_prefix(b"1 ")
            && priority.is_some()
        {
            return Line::protocol(priority, rest, times);
        }
        let mut line = Line {
            priority,
            ..Line::default()
        };
        let Some((stamp, length)) = times.leading(rest) else {
            // Over the wire a line may lack its time; in a file nothing else would make it syslog.
            priority?;
            line.message = line.tag(rest);
            line.is_plainly_syslog = true;
            return Some(line);
        };
        line.stamp = stamp;
        let written = &rest[..length];
        let rest = &rest[length..];
        // Cisco ends its time with a colon and names no host.
        if let Some(rest) = rest.strip_prefix(b": ")
            && priority.is_some()
        {
            line.message = line.tag(rest);
            line.is_plainly_syslog = true;
            return Some(line);
        }
        let rest = rest.strip_prefix(b" ")?;
        // A program with a colon or a pid is no host.
        let length = word_length(rest);
        let word = &rest[..length];
        let is_tag = word.ends_with(b":") || word.contains(&b'[');
        let rest = if is_tag || word.is_empty() {
            rest
        } else {
            line.hostname = Some(word);
            rest[length..].trim_ascii_start()
        };
        if line.hostname.is_none() && (priority.is_none() || word.is_empty()) {
            return None;
        }
        line.message = line.tag(rest);
        let is_level = [word, line.app.unwrap_or(b"")]
            .into_iter()
            .any(|word| word.len() > 2 && Level::from_word(word).is_some());
        let is_month = written[0].is_ascii_alphabetic()
            && written.get(3) == Some(&b' ')
            && !written.contains(&b',');
        let is_iso = written.get(10) == Some(&b'T') && line.app.is_some();
        line.is_plainly_syslog = priority.is_some() || !is_level && (is_month || is_iso);
        Some(line)
    }

    /// RFC 5424, after its version.
    fn protocol(priority: Option<u8>, rest: &'a [u8], times: &mut TimeReader) -> Option<Line<'a>> {
        let mut rest = rest;
        let mut next = || {
            let length = word_length(rest);
            let word = &rest[..length];
            rest = rest.get(length + 1..).unwrap_or(b"");
            (!word.is_empty()).then_some(word)
        };
        let (time, hostname, app) = (next()?, next()?, next()?);
        let (pid, msgid) = (next()?, next()?);
        let stamp = match time {
            b"-" => Stamp::None,
            _ => match times.read(time) {
                Stamp::None => return None,
                stamp => stamp,
            },
        };
        let length = match rest.first()? {
            b'-' => 1,
            _ => elements(rest, |_, _, _| {})?,
        };
        let (data, message) = rest.split_at(length);
        let message = match message {
            [] => message,
            [b' ', message @ ..] => message,
            _ => return None,
        };
        Some(Line {
            priority,
            stamp,
            hostname: Some(hostname),
            app: Some(app),
            pid: Some(pid),
            msgid: Some(msgid),
            data: if data == b"-" { b"" } else { data },
            message: message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message),
            is_plainly_syslog: true,
        })
    }

    /// Takes `app[pid]: ` or `app: ` off the head; gives the rest.
    fn tag(&mut self, text: &'a [u8]) -> &'a [u8] {
        let end = text
            .iter()
            .take(128)
            .position(|byte| matches!(byte, b'[' | b':' | 0..=b' '));
        let Some(end) = end.filter(|end| *end > 0) else {
            return text;
        };
        let app = &text[..end];
        match text[end] {
            b':' if matches!(text.get(end + 1), None | Some(b' ')) => {
                self.app = Some(app);
                text[end + 1..].trim_ascii_start()
            }
            b'[' => {
                let inner = &text[end + 1..];
                let Some(length) = inner.iter().take(64).position(|byte| *byte == b']') else {
                    return text;
                };
                let rest = &inner[length + 1..];
                let Some(rest) = rest.strip_prefix(b":").or(rest.strip_prefix(b" ")) else {
                    return text;
                };
                self.app = Some(app);
                self.pid = Some(&inner[..length]);
                rest.trim_ascii_start()
            }
            _ => text,
        }
    }

    fn level(&self) -> Option<Level> {
        match self.priority {
            Some(priority) => Level::from_syslog(priority & 7),
            None => level_at_head(self.message),
        }
    }

    fn own(&self) -> [(&'static str, Option<Field<'a>>); 6] {
        let facility = self
            .priority
            .map(|priority| FACILITIES[usize::from(priority >> 3)]);
        let severity = self
            .priority
            .map(|priority| SEVERITIES[usize::from(priority & 7)]);
        [
            (
                "facility",
                facility.map(|word| Field::text(word.as_bytes())),
            ),
            (
                "severity",
                severity.map(|word| Field::text(word.as_bytes())),
            ),
            ("hostname", self.hostname.map(own::dash_is_null)),
            ("app", self.app.map(own::dash_is_null)),
            ("pid", self.pid.map(number_or_text)),
            ("msgid", self.msgid.map(own::dash_is_null)),
        ]
    }
}

/// `<PRI>`, 0 to 191.
fn priority(text: &[u8]) -> Option<(u8, &[u8])> {
    let rest = text.strip_prefix(b"<")?;
    let digits = rest
        .iter()
        .take(4)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let value: u8 = std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()?;
    let rest = rest[digits..].strip_prefix(b">")?;
    (value < 192).then_some((value, rest))
}

fn word_length(text: &[u8]) -> usize {
    memchr::memchr(b' ', text).unwrap_or(text.len())
}

/// Calls `visit` with each parameter of structured data, `[id name="value" …][…]`; gives its length, None where it
/// is malformed.
fn elements<'a>(
    text: &'a [u8],
    mut visit: impl FnMut(&'a [u8], &'a [u8], Field<'a>),
) -> Option<usize> {
    let name_length = |at: usize| {
        let length = text[at..]
            .iter()
            .position(|byte| matches!(byte, b'=' | b' ' | b']' | b'"'))?;
        (length > 0).then_some(length)
    };
    let mut at = 0;
    while text.get(at) == Some(&b'[') {
        at += 1;
        let length = name_length(at)?;
        let id = &text[at..at + length];
        at += length;
        while text.get(at) == Some(&b' ') {
            at += 1;
            let length = name_length(at)?;
            let name = &text[at..at + length];
            at += length;
            if text.get(at..at + 2) != Some(b"=\"") {
                return None;
            }
            let (end, is_escaped) = super::logfmt::quote_end(text, at + 2)?;
            let kind = if is_escaped {
                FieldKind::Escaped
            } else {
                FieldKind::Text
            };
            let value = Field {
                text: &text[at + 2..end],
                kind,
            };
            visit(id, name, value);
            at = end + 1;
        }
        if text.get(at) != Some(&b']') {
            return None;
        }
        at += 1;
    }
    (at > 0).then_some(at)
}
