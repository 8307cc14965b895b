//! Globs, expanded here and never by a shell: `*`, `?`, `[a-z]`, `{a,b}` and `**`, over names that may be any bytes.
//!
//! The host's name is put in as it is, so that nothing in it is a glob. Links are followed; a folder is listed once
//! for each part of the pattern, by its device and inode, so a loop of links ends.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::open;
use crate::tally::{Finding, FindingKind};

/// Patterns that braces may make of one, and names that one glob may look at.
const MOST_PATTERNS: usize = 1000;
const MOST_NAMES: usize = 1_000_000;

#[derive(Clone, Debug, PartialEq)]
enum Token {
    /// A byte that stands for itself.
    Byte(u8),
    One,
    Run,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    Slash,
    Open,
    Comma,
    Close,
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq)]
enum Part {
    Literal(Vec<u8>),
    Pattern(Vec<Token>),
    /// `**`: any number of folders.
    Deep,
}

/// The paths that a glob leads to, in `paths`; false where it leads nowhere.
pub(super) fn expand(
    glob: &str,
    host: &str,
    folder: &[u8],
    paths: &mut BTreeSet<Vec<u8>>,
    findings: &mut BTreeSet<Finding>,
) -> bool {
    let tokens = tokens(glob, host);
    let before = paths.len();
    let mut found = BTreeSet::new();
    let patterns = alternatives(tokens);
    if patterns.len() >= MOST_PATTERNS {
        let detail = "its braces stand for more than 1000 paths";
        findings.insert(Finding::new(glob.as_bytes(), FindingKind::TooMany, detail));
    }
    for pattern in patterns {
        let root: &[u8] = match pattern.first() {
            Some(Token::Slash) => b"/",
            _ => folder,
        };
        let mut walk = Walk {
            glob: glob.as_bytes(),
            parts: parts(&pattern),
            seen: HashSet::new(),
            names: 0,
            found: &mut found,
            findings,
        };
        walk.run(root.to_vec());
    }
    let any = !found.is_empty();
    paths.extend(found);
    debug_assert!(paths.len() >= before);
    any
}

/// The text of a glob for a message: the host's name is in it.
pub(super) fn shown(glob: &str, host: &str) -> Vec<u8> {
    glob.replace("{host}", host).into_bytes()
}

fn tokens(glob: &str, host: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = glob;
    while let Some(char) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("{host}") {
            tokens.extend(host.bytes().map(Token::Byte));
            rest = after;
            continue;
        }
        let mut after = &rest[char.len_utf8()..];
        match char {
            '*' => tokens.push(Token::Run),
            '?' => tokens.push(Token::One),
            '/' => tokens.push(Token::Slash),
            '{' => tokens.push(Token::Open),
            ',' => tokens.push(Token::Comma),
            '}' => tokens.push(Token::Close),
            '[' => match class(after) {
                Some((token, end)) => {
                    tokens.push(token);
                    after = end;
                }
                None => tokens.push(Token::Byte(b'[')),
            },
            '\\' if !after.is_empty() => {
                let next = after.chars().next().map_or(0, char::len_utf8);
                tokens.extend(after[..next].bytes().map(Token::Byte));
                after = &after[next..];
            }
            _ => tokens.extend(rest[..char.len_utf8()].bytes().map(Token::Byte)),
        }
        rest = after;
    }
    tokens
}

/// The class after its `[`, and what follows its `]`.
fn class(text: &str) -> Option<(Token, &str)> {
    let negated = text.starts_with(['!', '^']);
    let mut rest = &text[usize::from(negated)..];
    let mut ranges = Vec::new();
    loop {
        let mut chars = rest.chars();
        let first = chars.next()?;
        if first == ']' && !ranges.is_empty() {
            return Some((Token::Class { negated, ranges }, chars.as_str()));
        }
        if first == '/' {
            return None;
        }
        let after = chars.as_str();
        let mut ahead = after.chars();
        let last = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(last)) if last != ']' => {
                rest = ahead.as_str();
                last
            }
            _ => {
                rest = after;
                first
            }
        };
        ranges.push((first, last));
    }
}

/// The patterns that braces stand for, at most `MOST_PATTERNS`.
fn alternatives(tokens: Vec<Token>) -> Vec<Vec<Token>> {
    let mut work = vec![tokens];
    let mut done = Vec::new();
    while let Some(mut tokens) = work.pop() {
        if done.len() + work.len() >= MOST_PATTERNS {
            break;
        }
        match first_braces(&tokens) {
            None => {
                for token in &mut tokens {
                    match token {
                        Token::Open => *token = Token::Byte(b'{'),
                        Token::Comma => *token = Token::Byte(b','),
                        Token::Close => *token = Token::Byte(b'}'),
                        _ => {}
                    }
                }
                done.push(tokens);
            }
            Some(marks) => {
                let (start, end) = (marks[0], marks[marks.len() - 1]);
                for pair in marks.windows(2) {
                    let inner = &tokens[pair[0] + 1..pair[1]];
                    work.push([&tokens[..start], inner, &tokens[end + 1..]].concat());
                }
            }
        }
    }
    done
}

/// Where the first braces with a comma open, part and close.
fn first_braces(tokens: &[Token]) -> Option<Vec<usize>> {
    let mut open: Vec<Vec<usize>> = Vec::new();
    let mut best: Option<Vec<usize>> = None;
    for (index, token) in tokens.iter().enumerate() {
        match token {
            Token::Open => open.push(vec![index]),
            Token::Comma => {
                if let Some(marks) = open.last_mut() {
                    marks.push(index);
                }
            }
            Token::Close => {
                if let Some(mut marks) = open.pop()
                    && marks.len() > 1
                {
                    marks.push(index);
                    if best.as_ref().is_none_or(|best| marks[0] < best[0]) {
                        best = Some(marks);
                    }
                }
            }
            _ => {}
        }
        if open.is_empty() && best.is_some() {
            break;
        }
    }
    best
}

fn parts(pattern: &[Token]) -> Vec<Part> {
    pattern
        .split(|token| *token == Token::Slash)
        .filter(|part| !part.is_empty())
        .map(|part| {
            if part == [Token::Run, Token::Run] {
                return Part::Deep;
            }
            let bytes: Option<Vec<u8>> = part
                .iter()
                .map(|token| match token {
                    Token::Byte(byte) => Some(*byte),
                    _ => None,
                })
                .collect();
            bytes.map_or_else(|| Part::Pattern(part.to_vec()), Part::Literal)
        })
        .collect()
}

/// Whether a name fits; two places to go back to are enough, so time is at most pattern times name.
fn fits(pattern: &[Token], name: &[u8]) -> bool {
    if name.first() == Some(&b'.') && pattern.first() != Some(&Token::Byte(b'.')) {
        return false;
    }
    let (mut at, mut next) = (0, 0);
    let mut resume: Option<(usize, usize)> = None;
    loop {
        let (char, size) = bstr::decode_utf8(&name[at..]);
        let step = match pattern.get(next) {
            None if at == name.len() => return true,
            None => None,
            Some(Token::Run) => {
                next += 1;
                resume = Some((at, next));
                continue;
            }
            _ if at == name.len() => None,
            Some(Token::One) => Some(size),
            Some(Token::Byte(byte)) => (name[at] == *byte).then_some(1),
            Some(Token::Class { negated, ranges }) => {
                let inside = char.is_some_and(|char| {
                    ranges
                        .iter()
                        .any(|&(first, last)| (first..=last).contains(&char))
                });
                (inside != *negated).then_some(size)
            }
            Some(Token::Slash | Token::Open | Token::Comma | Token::Close) => None,
        };
        match (step, &mut resume) {
            (Some(size), _) => {
                at += size;
                next += 1;
            }
            (None, Some((from, back))) if *from < name.len() => {
                *from += 1;
                (at, next) = (*from, *back);
            }
            _ => return false,
        }
    }
}

struct Walk<'w> {
    glob: &'w [u8],
    parts: Vec<Part>,
    /// Folders by device and inode, and the part that looked into them.
    seen: HashSet<(u64, u64, usize)>,
    names: usize,
    found: &'w mut BTreeSet<Vec<u8>>,
    findings: &'w mut BTreeSet<Finding>,
}

impl Walk<'_> {
    fn run(&mut self, root: Vec<u8>) {
        // Folders that are reached without a link come first, so that their own names are the ones found.
        let mut real = VecDeque::from([(root, 0)]);
        let mut linked: VecDeque<(Vec<u8>, usize)> = VecDeque::new();
        while let Some((folder, index)) = real.pop_front().or_else(|| linked.pop_front()) {
            let is_last = index + 1 >= self.parts.len();
            match self.parts.get(index) {
                None => {}
                Some(Part::Literal(name)) => {
                    let path = join(&folder, name);
                    if !is_last {
                        real.push_back((path, index + 1));
                    } else if fs::symlink_metadata(as_path(&path)).is_ok() {
                        self.found.insert(path);
                    }
                }
                Some(Part::Pattern(pattern)) => {
                    let pattern = pattern.clone();
                    for entry in self.list(&folder) {
                        let name = entry.file_name();
                        if !fits(&pattern, name.as_bytes()) {
                            continue;
                        }
                        let path = join(&folder, name.as_bytes());
                        if is_last {
                            self.found.insert(path);
                        } else if let Some(is_link) = folder_kind(&entry) {
                            let queue = if is_link { &mut linked } else { &mut real };
                            queue.push_back((path, index + 1));
                        }
                    }
                }
                Some(Part::Deep) => {
                    let key = fs::metadata(as_path(&folder))
                        .map(|metadata| (metadata.dev(), metadata.ino(), index));
                    if !key.is_ok_and(|key| self.seen.insert(key)) {
                        continue;
                    }
                    if !is_last {
                        real.push_back((folder.clone(), index + 1));
                    }
                    for entry in self.list(&folder) {
                        let name = entry.file_name();
                        if name.as_bytes().starts_with(b".") {
                            continue;
                        }
                        let path = join(&folder, name.as_bytes());
                        match folder_kind(&entry) {
                            Some(false) => real.push_back((path, index)),
                            Some(true) => linked.push_back((path, index)),
                            None if is_last => {
                                self.found.insert(path);
                            }
                            None => {}
                        }
                    }
                }
            }
        }
    }

    /// The names in a folder, sorted; none where it is no folder.
    fn list(&mut self, folder: &[u8]) -> Vec<DirEntry> {
        let mut entries = Vec::new();
        let listed = fs::read_dir(as_path(folder)).and_then(|names| {
            for name in names {
                if self.names >= MOST_NAMES {
                    let detail = format!("more than {MOST_NAMES} names; a narrower path helps");
                    self.findings
                        .insert(Finding::new(self.glob, FindingKind::TooMany, detail));
                    break;
                }
                self.names += 1;
                entries.push(name?);
            }
            Ok(())
        });
        if let Err(error) = listed
            && !matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            )
        {
            let reason = open::reason(&error);
            self.findings
                .insert(Finding::new(folder, FindingKind::Unreadable, reason));
        }
        entries.sort_by_key(DirEntry::file_name);
        entries
    }
}

/// Whether an entry is a folder, and then whether it is so by a link.
fn folder_kind(entry: &DirEntry) -> Option<bool> {
    let kind = entry.file_type().ok()?;
    if kind.is_symlink() {
        let target = fs::metadata(entry.path()).ok()?;
        return target.is_dir().then_some(true);
    }
    kind.is_dir().then_some(false)
}

fn join(folder: &[u8], name: &[u8]) -> Vec<u8> {
    match folder {
        b"" => name.to_vec(),
        _ if folder.ends_with(b"/") => [folder, name].concat(),
        _ => [folder, b"/", name].concat(),
    }
}

pub(super) fn as_path(path: &[u8]) -> &Path {
    match path {
        b"" => Path::new("."),
        _ => Path::new(OsStr::from_bytes(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(glob: &str, name: &[u8]) -> bool {
        alternatives(tokens(glob, "web[1]"))
            .iter()
            .any(|pattern| fits(pattern, name))
    }

    #[test]
    fn names_fit_as_a_shell_would_say() {
        for (glob, name, expected) in [
            ("access.log*", "access.log", true),
            ("access.log*", "access.log.1", true),
            ("access.log*", "xaccess.log", false),
            ("*.log", ".log", false),
            (".*", ".log", true),
            ("?.log", "\u{e9}.log", true),
            ("?.log", "ab.log", false),
            ("[a-c]x", "bx", true),
            ("[!a-c]x", "bx", false),
            ("[^a-c]x", "dx", true),
            ("[]a]", "]", true),
            ("[a", "[a", true),
            ("[-a]", "-", true),
            ("{a,b}.log", "b.log", true),
            ("{a,b{c,d}}", "bd", true),
            ("{a}", "{a}", true),
            ("a,b", "a,b", true),
            ("{a,", "{a,", true),
            ("x{,.gz}", "x", true),
            ("x{,.gz}", "x.gz", true),
            ("{host}.log", "web[1].log", true),
            ("{host}.log", "web1.log", false),
            ("{a,{host}}", "web[1]", true),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "a-c-b", false),
            ("*", "", true),
        ] {
            assert_eq!(
                matches(glob, name.as_bytes()),
                expected,
                "{glob} and {name}"
            );
        }
        assert!(matches("*.log", b"\xff\xfe.log"));
        assert!(matches("?[!a]x", b"\xff\xfex"));
    }

    #[test]
    fn braces_and_stars_are_bounded() {
        let many = "{a,b}".repeat(40);
        assert!(alternatives(tokens(&many, "h")).len() <= MOST_PATTERNS);
        let stars = "*a".repeat(200);
        assert!(!matches(&stars, "a".repeat(150).as_bytes()));
    }
}
