//! The head of a line that people read: a timestamp, then level, thread, component and the like, then the message.
//!
//! log4j, logback, Python, .NET, Go, Rails, PostgreSQL, glog, logcat and their kin all write these parts, in another
//! order and with other brackets. They are taken from the left as long as they are plain to see; the rest is message.

use jobspec::value::Level;

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
    let (start, is_open) = time_place(raw);
    let (stamp, length) = match format {
        Some(format) => times.leading_as(format, &raw[start..])?,
        None => times.leading(&raw[start..])?,
    };
    let line_end =
        memchr::memchr(b'\n', &raw[..raw.len().min(REACH)]).unwrap_or(raw.len().min(REACH));
    let mut reader = Reader {
        line: &raw[..line_end],
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
    header.message = raw[at.min(raw.len())..].trim_ascii_start();
    if header.level.is_none() {
        java_util_logging(raw, &mut header);
    }
    Some(header)
}

fn is_glog(raw: &[u8]) -> bool {
    raw[0].is_ascii_uppercase() && raw.get(1).is_some_and(u8::is_ascii_digit)
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
        match Level::from_word(rest[..length].trim_ascii()) {
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

/// Spaces and the marks that part one piece of the head from the next: ` - `, `|`, `:`, `---`.
fn separators(line: &[u8], mut at: usize) -> usize {
    loop {
        at = space_end(line, at);
        let dashes = line[at..]
            .iter()
            .take(4)
            .take_while(|byte| **byte == b'-')
            .count();
        let after = line.get(at + dashes);
        match line.get(at) {
            Some(b'|') => at += 1,
            Some(b':' | b',') if matches!(line.get(at + 1), None | Some(b' ' | b'\t')) => at += 1,
            Some(b'-') if matches!(after, None | Some(b' ' | b'\t')) => at += dashes,
            _ => return at,
        }
    }
}

fn space_end(line: &[u8], at: usize) -> usize {
    line[at..]
        .iter()
        .position(|byte| !matches!(byte, b' ' | b'\t'))
        .map_or(line.len(), |spaces| at + spaces)
}

fn word_at(line: &[u8], at: usize) -> &[u8] {
    let rest = &line[at..];
    let length = rest
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t' | b'|' | b'[' | b']'))
        .unwrap_or(rest.len());
    &rest[..length]
}

/// The length of a bracket with what it holds, brackets in it included.
fn bracket_length(text: &[u8]) -> Option<usize> {
    let mut depth = 0;
    for (index, byte) in text.iter().enumerate() {
        match byte {
            b'[' => depth += 1,
            b']' if depth == 1 => return Some(index + 1),
            b']' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A level in a bracket, alone or after a thread's name and a slash.
fn level_inside(inner: &[u8]) -> Option<(Option<&[u8]>, Level)> {
    if let Some(level) = Level::from_word(inner) {
        return Some((None, level));
    }
    let slash = memchr::memrchr(b'/', inner)?;
    let level = &inner[slash + 1..];
    let is_upper = level.len() > 2 && level.iter().all(u8::is_ascii_uppercase);
    Some((
        Some(&inner[..slash]),
        Level::from_word(level).filter(|_| is_upper)?,
    ))
}

/// A level that stands bare: in capitals, or with a colon, or one of the words that are hardly ever anything else
/// after a timestamp. Gives level, a thread bound to it by a slash, and its end.
fn bare_level(line: &[u8], at: usize) -> Option<(Level, Option<&[u8]>, usize)> {
    let word = word_at(line, at);
    let letters = word
        .iter()
        .take(14)
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let name = &word[..letters];
    let level = Level::from_word(name)?;
    let is_upper = name.iter().all(u8::is_ascii_uppercase);
    let end = at + letters;
    match &word[letters..] {
        [] if letters == 1 => {
            let next = line.get(space_end(line, end));
            (is_upper && matches!(next, Some(b'A'..=b'Z' | b'[')) && line.get(end) != Some(&b'['))
                .then_some((level, None, end))
        }
        [] => {
            let is_usual = [
                &b"trace"[..],
                b"debug",
                b"info",
                b"information",
                b"notice",
                b"warn",
                b"warning",
                b"error",
                b"severe",
                b"critical",
                b"fatal",
            ]
            .into_iter()
            .any(|usual| usual.eq_ignore_ascii_case(name));
            let next = &line[space_end(line, end)..];
            let is_parted = matches!(next, [b'|', ..] | [b'-' | b':', b' ', ..]);
            (is_upper || is_usual || is_parted).then_some((level, None, end))
        }
        [b':'] => Some((level, None, end + 1)),
        [b'/', thread @ ..] if is_upper && !thread.is_empty() => {
            Some((level, Some(thread), at + word.len()))
        }
        _ => None,
    }
}

/// `server.go:42`: a source file and a line, told from a host and a port by the file's extension.
fn file_line(word: &[u8]) -> Option<usize> {
    const EXTENSIONS: [&[u8]; 22] = [
        b"go", b"rs", b"py", b"rb", b"c", b"cc", b"cpp", b"cxx", b"h", b"hpp", b"java", b"kt",
        b"scala", b"js", b"mjs", b"ts", b"tsx", b"php", b"cs", b"swift", b"erl", b"ex",
    ];
    let colon = memchr::memchr(b':', word)?;
    let dot = memchr::memrchr(b'.', &word[..colon])?;
    let digits = word[colon + 1..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let is_end = matches!(word.get(colon + 1 + digits), None | Some(b':' | b','));
    (dot > 0 && digits > 0 && is_end && EXTENSIONS.contains(&&word[dot + 1..colon]))
        .then_some(colon + 1 + digits)
}

/// A logger's name and its end: one word that a colon, a dash or a bar parts from what follows. With a colon it must
/// look like a name (dots, say), as messages begin with a word and a colon too.
fn logger(line: &[u8], at: usize, after_bracket: bool, is_logcat: bool) -> Option<(&[u8], usize)> {
    let word = word_at(line, at);
    let (name, has_colon) = match word.strip_suffix(b":") {
        Some(name) => (name, true),
        None => (word, false),
    };
    let is_name = name.first()?.is_ascii_alphabetic() || name[0] == b'_';
    let is_plain = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'$' | b':' | b'-' | b'/' | b'#' | b'@')
    };
    if !is_name || !name.iter().all(is_plain) || name.ends_with(b".") {
        return None;
    }
    let has_dots = name.contains(&b'.') || name.windows(2).any(|pair| pair == b"::");
    let is_marked = has_dots || name.contains(&b'$') || name.contains(&b'_');
    let end = at + word.len();
    let next = &line[space_end(line, end)..];
    let is_parted = matches!(next, [b'|', ..])
        || matches!(next, [b'-' | b':', b' ' | b'\t', ..] | [b'-' | b':'])
            && line.get(end) == Some(&b' ');
    let is_class = has_dots
        && name.iter().any(u8::is_ascii_uppercase)
        && name.iter().filter(|byte| **byte == b'.').count() > 1;
    let is_logger = (has_colon && (is_marked || is_logcat))
        || (!has_colon && is_parted)
        || (after_bracket && (is_class || has_colon))
        || (has_dots && !has_colon && next.starts_with(b"[") && next.len() < line.len() - end);
    is_logger.then_some((name, end))
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
