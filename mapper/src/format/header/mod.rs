//! The head of a line that people read: a timestamp, then level, thread, component and the like, then the message.
//!
//! log4j, logback, Python, .NET, Go, Rails, PostgreSQL, glog, logcat and their kin all write these parts, in another
//! order and with other brackets. They are taken from the left as long as they are plain to see; the rest is message.

mod piece;

use jobspec::value::Level;

use piece::{
    bare_level, bracket_length, file_line, guarded, level_inside, logger, separators, space_end,
    word_at,
};

use super::Stamp;
use crate::time::{TimeFormat, TimeReader, starts_with_time};

/// Parts of a head beyond the timestamp; no layout in use has more.
const MOST_PARTS: usize = 10;
/// How far into a line the head may reach, and how far one looks for a time or level that is plain to see.
const REACH: usize = 512;

/// What the head of an entry gave.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Header<'a> {
    pub stamp: Stamp,
    pub level: Option<Level>,
    pub component: Option<&'a [u8]>,
    pub thread: Option<&'a [u8]>,
    pub pid: Option<&'a [u8]>,
    pub file_line: Option<&'a [u8]>,
    /// The rest of the entry, its further lines too.
    pub message: &'a [u8],
}

/// Whether a line begins with a timestamp, in brackets or not.
pub(super) fn starts(line: &[u8]) -> bool {
    starts_with_time(&line[time_place(line).0..]).is_some()
}

/// The head of an entry; None where no timestamp leads it.
pub(super) fn read<'a>(
    raw: &'a [u8],
    format: Option<&TimeFormat>,
    times: &mut TimeReader,
) -> Option<Header<'a>> {
    let reach = &raw[..raw.len().min(REACH)];
    let line = &reach[..memchr::memchr(b'\n', reach).unwrap_or(reach.len())];
    let (start, is_open) = time_place(line);
    let (stamp, length) = match format {
        Some(format) => times.leading_as(format, &line[start..])?,
        None => times.leading(&line[start..])?,
    };
    let mut reader = Reader {
        line,
        at: start + length,
        is_open,
        is_logcat: false,
        bracket: None,
        header: Header {
            stamp,
            ..Header::default()
        },
    };
    if start == 4 {
        reader.ruby();
    } else {
        // glog's level stands before the time.
        if is_glog(raw) {
            reader.header.level = Level::from_word(&raw[..1]);
        }
        reader.parts();
    }
    let Reader { at, mut header, .. } = reader;
    header.message = raw[at..].trim_ascii_start();
    if header.level.is_none() {
        java_util_logging(raw, &mut header);
    }
    Some(header)
}

fn is_glog(raw: &[u8]) -> bool {
    matches!(raw, [b'A'..=b'Z', b'0'..=b'9', ..])
}

/// Where the timestamp begins, and whether it stands in a bracket: `[2026…`, Ruby's `I, [2026…`.
fn time_place(line: &[u8]) -> (usize, bool) {
    match line {
        [b'[', ..] => (1, true),
        [b'A'..=b'Z', b',', b' ', b'[', ..] => (4, true),
        _ => (0, false),
    }
}

/// `Jan 19, 2026 2:00:00 PM org.example.Server start`, and on the next line `INFO: message`.
fn java_util_logging<'a>(raw: &'a [u8], header: &mut Header<'a>) {
    let Some(line_end) = memchr::memchr(b'\n', &raw[..raw.len().min(2 * REACH)]) else {
        return;
    };
    let next = &raw[line_end + 1..];
    let word = next
        .iter()
        .take(12)
        .take_while(|byte| byte.is_ascii_uppercase())
        .count();
    if word < 3 || next.get(word) != Some(&b':') {
        return;
    }
    let Some(level) = Level::from_word(&next[..word]) else {
        return;
    };
    let class = header.message.split(u8::is_ascii_whitespace).next();
    header.component = header
        .component
        .or(class.filter(|class| class.contains(&b'.')));
    header.level = Some(level);
    header.message = next[word + 1..].trim_ascii_start();
}

struct Reader<'a> {
    /// The first line.
    line: &'a [u8],
    at: usize,
    /// The timestamp's bracket is still open.
    is_open: bool,
    /// The level was one bare letter: a tag with a colon follows.
    is_logcat: bool,
    /// A bracket that is a thread where a component follows, else the component.
    bracket: Option<&'a [u8]>,
    header: Header<'a>,
}

impl<'a> Reader<'a> {
    fn parts(&mut self) {
        for _ in 0..MOST_PARTS {
            self.at = separators(self.line, self.at);
            let is_part = match self.line.get(self.at) {
                None => false,
                Some(b']') if self.is_open => {
                    self.is_open = false;
                    self.at += 1;
                    true
                }
                Some(b'[') => self.square(),
                Some(b'<') => self.guarded_level(b'>'),
                Some(b'(') => self.guarded_level(b')'),
                Some(_) => self.word(),
            };
            if !is_part {
                break;
            }
        }
        if self.header.component.is_none() {
            self.header.component = self.bracket;
        } else if self.header.thread.is_none() {
            self.header.thread = self.bracket;
        }
    }

    /// `I, [2026-01-19T14:00:00.123456 #42]  INFO -- web: message`, after the time.
    fn ruby(&mut self) {
        let rest = &self.line[self.at..];
        let Some(close) = memchr::memchr(b']', rest) else {
            return;
        };
        let pid = rest[..close].trim_ascii().strip_prefix(b"#");
        self.header.pid = pid.filter(|pid| !pid.is_empty() && pid.iter().all(u8::is_ascii_digit));
        self.header.level = Level::from_word(&self.line[..1]);
        self.at += close + 1;
        let rest = &self.line[self.at..];
        let Some(dashes) = memchr::memmem::find(rest, b" -- ").filter(|dashes| *dashes < 16) else {
            return;
        };
        self.header.level = Level::from_word(rest[..dashes].trim_ascii()).or(self.header.level);
        self.at += dashes + 4;
        let rest = &self.line[self.at..];
        if let Some(colon) = memchr::memchr(b':', &rest[..rest.len().min(64)]) {
            self.header.component =
                Some(rest[..colon].trim_ascii()).filter(|name| !name.is_empty());
            self.at += colon + 1;
        }
    }

    /// Spring's `--- [application] [thread] logger : message`: its loggers may hold anything but spaces.
    fn spring(&mut self, at: usize) -> bool {
        let Some(rest) = self
            .line
            .get(at..)
            .and_then(|rest| rest.strip_prefix(b"---"))
        else {
            return false;
        };
        let Some(colon) = memchr::memmem::find(rest, b" : ") else {
            return false;
        };
        let head = rest[..colon].trim_ascii_end();
        let logger = memchr::memrchr(b' ', head).map_or(0, |space| space + 1);
        if let Some(inner) = head[..logger].trim_ascii().strip_suffix(b"]")
            && let Some(open) = memchr::memrchr(b'[', inner)
        {
            self.header.thread = Some(inner[open + 1..].trim_ascii());
        }
        self.header.component = Some(&head[logger..]).filter(|name| !name.is_empty());
        self.at = at + 3 + colon + 3;
        true
    }

    /// `[INFO]`, `[main]`, `[123]`, `[Server thread/INFO]`
    fn square(&mut self) -> bool {
        let Some(length) = bracket_length(&self.line[self.at..]) else {
            return false;
        };
        let inner = self.line[self.at + 1..self.at + length - 1].trim_ascii();
        let end = self.at + length;
        let digits = inner.strip_prefix(b"#").unwrap_or(inner);
        if self.header.level.is_none()
            && let Some((thread, level)) = level_inside(inner)
        {
            self.header.level = Some(level);
            self.header.thread = self.header.thread.or(thread);
            self.settle_bracket();
        } else if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit) {
            if self.header.pid.is_some() {
                return false;
            }
            self.header.pid = Some(digits);
        } else if inner.is_empty() {
            return false;
        } else if self.bracket.is_none() && self.header.component.is_none() {
            self.bracket = Some(inner);
        } else if self.header.component.is_none()
            && self.header.thread.is_none()
            && logger(self.line, separators(self.line, end), true, false).is_some()
        {
            // Two brackets and then a logger: application, thread.
            self.header.thread = Some(inner);
            self.bracket = None;
        } else {
            return false;
        }
        self.at = end;
        true
    }

    fn guarded_level(&mut self, close: u8) -> bool {
        let rest = &self.line[self.at + 1..];
        let Some(length) = rest.iter().take(14).position(|byte| *byte == close) else {
            return false;
        };
        match guarded(rest[..length].trim_ascii()) {
            Some(level) if self.header.level.is_none() => {
                self.header.level = Some(level);
                self.settle_bracket();
                self.at += length + 2;
                true
            }
            _ => false,
        }
    }

    /// A bracket before the level is the thread.
    fn settle_bracket(&mut self) {
        if self.header.thread.is_none() {
            self.header.thread = self.bracket.take();
        }
    }

    fn word(&mut self) -> bool {
        let word = word_at(self.line, self.at);
        if self.header.level.is_none() {
            if let Some((level, thread, end)) = bare_level(self.line, self.at) {
                self.header.level = Some(level);
                self.header.thread = self.header.thread.or(thread);
                self.is_logcat = end == self.at + 1;
                self.settle_bracket();
                self.at = end;
                return true;
            }
            // PostgreSQL's `user@database`
            if word.contains(&b'@') {
                let next = space_end(self.line, self.at + word.len());
                let label = word_at(self.line, next).strip_suffix(b":");
                if label.is_some_and(|label| {
                    label.len() > 2 && label.iter().all(u8::is_ascii_uppercase)
                }) {
                    self.at = next;
                    return true;
                }
            }
        }
        if word.len() <= 10 && word.iter().all(u8::is_ascii_digit) {
            let next = space_end(self.line, self.at + word.len());
            if self.header.level.is_some() && self.spring(next) {
                self.header.pid = self.header.pid.or(Some(word));
                return false;
            }
            return self.number(word);
        }
        if self.header.file_line.is_none()
            && let Some(length) = file_line(word)
        {
            self.header.file_line = Some(&word[..length]);
            self.at += length;
            // glog ends its head with a lone bracket.
            if self.line.get(self.at) == Some(&b']') && !self.is_open {
                self.at += 1;
                return false;
            }
            return true;
        }
        if self.header.component.is_none() {
            let has_level = self.header.level.is_some();
            let after_bracket =
                has_level && (self.bracket.is_some() || self.header.thread.is_some());
            if let Some((name, end)) = logger(self.line, self.at, after_bracket, self.is_logcat)
                && (has_level || self.level_follows(end))
            {
                self.header.component = Some(name);
                if self.header.thread.is_none() {
                    self.header.thread = self.bracket.take();
                }
                self.at = end;
                return true;
            }
            if self.is_open && has_level {
                // env_logger's `[time LEVEL target]`
                let end = self.at + word.len();
                if self.line.get(end) == Some(&b']') {
                    self.header.component = Some(word);
                    self.at = end;
                    return true;
                }
            }
        }
        false
    }

    /// A process or thread, where more of the head follows: elsewhere a number begins the message.
    fn number(&mut self, digits: &'a [u8]) -> bool {
        let end = self.at + digits.len();
        let next = space_end(self.line, end);
        let is_part = next > end
            && match self.header.level {
                None => {
                    self.level_follows(end) || {
                        let other = word_at(self.line, next);
                        other.iter().all(u8::is_ascii_digit)
                            && self.level_follows(next + other.len())
                    }
                }
                Some(_) => file_line(word_at(self.line, next)).is_some(),
            };
        if !is_part {
            return false;
        }
        if self.header.pid.is_none() {
            self.header.pid = Some(digits);
        } else {
            self.header.thread = self.header.thread.or(Some(digits));
        }
        self.at = end;
        true
    }

    fn level_follows(&self, at: usize) -> bool {
        let at = separators(self.line, at);
        match self.line.get(at) {
            Some(b'[') => bracket_length(&self.line[at..]).is_some_and(|length| {
                Level::from_word(self.line[at + 1..at + length - 1].trim_ascii()).is_some()
            }),
            _ => bare_level(self.line, at).is_some(),
        }
    }
}

/// The time and level of a text that fits nothing, where they are plain to see: at its head, else a whole date and
/// clock, and a level in capitals or brackets, near it.
pub(super) fn plain_to_see(raw: &[u8], times: &mut TimeReader) -> (Stamp, Option<Level>) {
    let head = &raw[..raw.len().min(REACH)];
    let line = head.split(|byte| *byte == b'\n').next().unwrap_or(head);
    if let Some(header) = read(raw, None, times) {
        return (header.stamp, header.level.or_else(|| level_in(line)));
    }
    (times.somewhere(line), level_in(line))
}

/// The level that a message without a time begins with, in brackets, capitals or before a colon.
pub(super) fn level_at_head(message: &[u8]) -> Option<Level> {
    match message.first()? {
        b'[' => Level::from_word(
            message[1..bracket_length(&message[..message.len().min(16)])? - 1].trim_ascii(),
        ),
        b'<' | b'(' => {
            let close = if message[0] == b'<' { b'>' } else { b')' };
            let length = message.iter().take(14).position(|byte| *byte == close)?;
            Level::from_word(&message[1..length])
        }
        _ => {
            let (level, _, end) = bare_level(&message[..message.len().min(32)], 0)?;
            let is_upper = message[..end].iter().all(|byte| !byte.is_ascii_lowercase());
            (end > 1 && (is_upper || message[end - 1] == b':')).then_some(level)
        }
    }
}

fn level_in(line: &[u8]) -> Option<Level> {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let mut at = 0;
    while at < line.len() {
        let length = line[at..].iter().take_while(|byte| is_letter(byte)).count();
        if length == 0 {
            at += 1;
            continue;
        }
        let word = &line[at..at + length];
        let before = at.checked_sub(1).map(|before| line[before]);
        let after = line.get(at + length);
        let is_guarded = matches!(
            (before, after),
            (Some(b'['), Some(b']')) | (Some(b'<'), Some(b'>'))
        );
        let is_upper = length > 3 && word.iter().all(u8::is_ascii_uppercase);
        let is_label = length > 2 && at == 0 && after == Some(&b':');
        if (is_upper || is_label || is_guarded && length > 2)
            && let Some(level) = Level::from_word(word)
        {
            return Some(level);
        }
        at += length;
    }
    None
}
