//! The pieces that heads are made of, each told by itself: marks between, words, brackets, levels, loggers.

use jobspec::value::Level;

/// Spaces and the marks that part one piece of the head from the next: ` - `, `|`, `:`, `---`.
pub(super) fn separators(line: &[u8], mut at: usize) -> usize {
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

pub(super) fn space_end(line: &[u8], at: usize) -> usize {
    line[at..]
        .iter()
        .position(|byte| !matches!(byte, b' ' | b'\t'))
        .map_or(line.len(), |spaces| at + spaces)
}

pub(super) fn word_at(line: &[u8], at: usize) -> &[u8] {
    let rest = &line[at..];
    let length = rest
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\t' | b'|' | b'[' | b']'))
        .unwrap_or(rest.len());
    &rest[..length]
}

/// The length of a bracket with what it holds, brackets in it included.
pub(super) fn bracket_length(text: &[u8]) -> Option<usize> {
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

/// A level in a bracket. One letter is one only in capitals.
pub(super) fn guarded(inner: &[u8]) -> Option<Level> {
    let is_letter = inner.len() == 1 && !inner[0].is_ascii_uppercase();
    Level::from_word(inner).filter(|_| !is_letter)
}

/// A level in a bracket, alone or after a thread's name and a slash.
pub(super) fn level_inside(inner: &[u8]) -> Option<(Option<&[u8]>, Level)> {
    if let Some(level) = guarded(inner) {
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

/// Words that are hardly ever anything but a level after a timestamp.
fn is_usual(name: &[u8]) -> bool {
    [
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
    .any(|usual| usual.eq_ignore_ascii_case(name))
}

/// A level that stands bare: in capitals, or with a colon, or one of the words that are hardly ever anything else
/// after a timestamp. Gives level, a thread bound to it by a slash, and its end.
pub(super) fn bare_level(line: &[u8], at: usize) -> Option<(Level, Option<&[u8]>, usize)> {
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
            let next = &line[space_end(line, end)..];
            let is_parted = matches!(next, [b'|', ..] | [b'-' | b':', b' ', ..]);
            (is_upper || is_usual(name) || is_parted && letters > 1).then_some((level, None, end))
        }
        [b':'] => {
            let is_label = [
                &b"err"[..],
                b"crit",
                b"alert",
                b"emerg",
                b"emergency",
                b"panic",
                b"verbose",
            ]
            .into_iter()
            .any(|label| label.eq_ignore_ascii_case(name));
            (is_upper || is_usual(name) || is_label).then_some((level, None, end + 1))
        }
        [b'/', thread @ ..] if is_upper && !thread.is_empty() => {
            Some((level, Some(thread), at + word.len()))
        }
        _ => None,
    }
}

/// `server.go:42`: a source file and a line, told from a host and a port by the file's extension.
pub(super) fn file_line(word: &[u8]) -> Option<usize> {
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
pub(super) fn logger(
    line: &[u8],
    at: usize,
    after_bracket: bool,
    is_logcat: bool,
) -> Option<(&[u8], usize)> {
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
