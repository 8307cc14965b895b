//! Texts that match: regexes of the linear engine, and SQL's LIKE.
//!
//! Both travel as they were written and are compiled as the plan is decoded, so a plan that cannot be
//! evaluated is found before the first entry.

use std::cell::RefCell;

use bstr::ByteSlice;
use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// Compiled size beyond which a regex is refused: no pattern of a person comes near it.
const REGEX_BYTES: usize = 2 << 20;

/// Length of a LIKE pattern: `_` after `%` costs its length at every byte of a text.
const LIKE_BYTES: usize = 4 << 10;

/// A regex, compiled.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "PatternText", into = "PatternText")]
pub struct Pattern {
    text: PatternText,
    regex: Regex,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct PatternText {
    source: String,
    any_case: bool,
}

impl Pattern {
    /// The pattern, or what is wrong with it.
    pub fn new(source: &str, any_case: bool) -> Result<Pattern, String> {
        Pattern::try_from(PatternText {
            source: source.to_owned(),
            any_case,
        })
    }

    pub fn source(&self) -> &str {
        &self.text.source
    }

    pub fn any_case(&self) -> bool {
        self.text.any_case
    }

    pub fn regex(&self) -> &Regex {
        &self.regex
    }

    pub fn is_match(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Pattern) -> bool {
        self.text == other.text
    }
}

impl From<Pattern> for PatternText {
    fn from(pattern: Pattern) -> PatternText {
        pattern.text
    }
}

impl TryFrom<PatternText> for Pattern {
    type Error = String;

    fn try_from(text: PatternText) -> Result<Pattern, String> {
        let built = RegexBuilder::new(&text.source)
            .case_insensitive(text.any_case)
            .size_limit(REGEX_BYTES)
            .dfa_size_limit(REGEX_BYTES)
            .nest_limit(100)
            .build();
        match built {
            Ok(regex) => Ok(Pattern { text, regex }),
            Err(regex::Error::CompiledTooBig(_)) => Err(
                "the pattern is too large when compiled; a smaller repetition would help"
                    .to_owned(),
            ),
            // The crate prints the pattern and a caret over several lines; its last line says what is wrong.
            Err(error) => {
                let text = error.to_string();
                let last = text.lines().last().unwrap_or(&text).trim();
                Err(last.strip_prefix("error: ").unwrap_or(last).to_owned())
            }
        }
    }
}

/// SQL's LIKE: `%` is any run of bytes, `_` is one character, `\` takes away the meaning of what follows
/// (`ESCAPE` names another character).
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "LikeText", into = "LikeText")]
pub struct Like {
    pub source: String,
    pub any_case: bool,
    escape: char,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct LikeText {
    source: String,
    any_case: bool,
    escape: char,
}

#[derive(Clone, Debug)]
enum Part {
    Text(Box<Finder<'static>>),
    One,
    Run,
}

impl Like {
    /// The pattern, or what is wrong with it.
    pub fn new(source: &str, escape: Option<char>, any_case: bool) -> Result<Like, String> {
        Like::try_from(LikeText {
            source: source.to_owned(),
            any_case,
            escape: escape.unwrap_or('\\'),
        })
    }

    /// Linear but for `_` after `%`, where it is bounded by text times pattern.
    pub fn is_match(&self, text: &[u8]) -> bool {
        thread_local! {
            static FOLDED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        if !self.any_case {
            return self.matches(text);
        }
        if !text.is_ascii() {
            return self.matches(&fold(text));
        }
        FOLDED.with_borrow_mut(|folded| {
            folded.clear();
            folded.extend(text.iter().map(u8::to_ascii_lowercase));
            self.matches(folded)
        })
    }

    /// The texts that every match holds, for a prefilter; bytes as they stand in the value, folded if
    /// `any_case`.
    pub fn literals(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.needle()),
            _ => None,
        })
    }

    fn matches(&self, text: &[u8]) -> bool {
        // The classical two-pointer match: on a mismatch the last run takes one byte more.
        let (mut at, mut part) = (0, 0);
        let mut resume: Option<(usize, usize)> = None;
        loop {
            let step = match self.parts.get(part) {
                None if at == text.len() => return true,
                None => None,
                Some(Part::Run) => {
                    part += 1;
                    resume = match &self.parts[part..] {
                        [] => return true,
                        [Part::Text(last)] => return text[at..].ends_with(last.needle()),
                        // Go straight to where the text after the run stands next.
                        [Part::Text(next), ..] => match next.find(&text[at..]) {
                            Some(found) => {
                                at += found;
                                Some((at, part))
                            }
                            None => return false,
                        },
                        _ => Some((at, part)),
                    };
                    continue;
                }
                Some(Part::One) => Some(bstr::decode_utf8(&text[at..]).1).filter(|&size| size > 0),
                Some(Part::Text(wanted)) => {
                    let wanted = wanted.needle();
                    text[at..].starts_with(wanted).then_some(wanted.len())
                }
            };
            match (step, resume) {
                (Some(size), _) => {
                    at += size;
                    part += 1;
                }
                (None, Some((from, back))) if from < text.len() => {
                    at = match &self.parts[back] {
                        Part::Text(wanted) => match wanted.find(&text[from + 1..]) {
                            Some(found) => from + 1 + found,
                            None => return false,
                        },
                        _ => from + bstr::decode_utf8(&text[from..]).1.max(1),
                    };
                    part = back;
                    resume = Some((at, back));
                }
                _ => return false,
            }
        }
    }
}

impl PartialEq for Like {
    fn eq(&self, other: &Like) -> bool {
        (&self.source, self.any_case, self.escape) == (&other.source, other.any_case, other.escape)
    }
}

impl From<Like> for LikeText {
    fn from(like: Like) -> LikeText {
        LikeText {
            source: like.source,
            any_case: like.any_case,
            escape: like.escape,
        }
    }
}

impl TryFrom<LikeText> for Like {
    type Error = String;

    fn try_from(text: LikeText) -> Result<Like, String> {
        let LikeText {
            source,
            any_case,
            escape,
        } = text;
        if source.len() > LIKE_BYTES {
            return Err(format!("the pattern has more than {LIKE_BYTES} bytes"));
        }
        let mut parts: Vec<Part> = Vec::new();
        let mut literal = String::new();
        let mut chars = source.chars();
        loop {
            let char = chars.next();
            let wild = match char {
                Some(char) if char == escape => match chars.next() {
                    Some(next) => {
                        literal.push(next);
                        continue;
                    }
                    None => {
                        return Err(format!(
                            "the pattern ends in its escape character `{escape}`"
                        ));
                    }
                },
                Some('%') => Some(Part::Run),
                Some('_') => Some(Part::One),
                Some(char) => {
                    literal.push(char);
                    continue;
                }
                None => None,
            };
            if !literal.is_empty() {
                let bytes = match any_case {
                    true => fold(literal.as_bytes()),
                    false => literal.as_bytes().to_vec(),
                };
                parts.push(Part::Text(Box::new(Finder::new(&bytes).into_owned())));
                literal.clear();
            }
            match wild {
                None => break,
                Some(Part::Run) if matches!(parts.last(), Some(Part::Run)) => {}
                Some(wild) => parts.push(wild),
            }
        }
        Ok(Like {
            source,
            any_case,
            escape,
            parts,
        })
    }
}

/// Lower case, character by character; bytes that are no UTF-8 stay.
pub fn fold(text: &[u8]) -> Vec<u8> {
    if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(pattern: &str, text: &str) -> bool {
        Like::new(pattern, None, false)
            .unwrap()
            .is_match(text.as_bytes())
    }

    #[test]
    fn like_is_anchored_at_both_ends() {
        assert!(like("abc", "abc") && !like("abc", "abcd") && !like("bc", "abc"));
        assert!(like("", "") && !like("", "a") && like("%", "") && like("%", "anything\nat all"));
        assert!(like("a%c", "abcbc") && like("%b%", "abc") && !like("%b%d", "abc"));
        assert!(like("_b_", "abc") && like("_", "é") && !like("_", "ab") && !like("_", ""));
        assert!(like("%_x%_y", "aaxbby") && !like("%_x", "x") && like("%__", "ab"));
        assert!(like("%ab_d%e", "ababcdxe"));
        assert!(like(r"50\%", "50%") && !like(r"50\%", "500") && like(r"a\_b", "a_b"));
        assert!(
            Like::new("a!%b", Some('!'), false)
                .unwrap()
                .is_match(b"a%b")
        );
        assert!(Like::new(r"a\", None, false).is_err());
        assert!(Like::new(&"a".repeat(5_000), None, false).is_err());
    }

    /// Against a recursive match that follows the definition.
    #[test]
    fn like_is_what_its_definition_says() {
        fn slow(pattern: &[u8], text: &[u8]) -> bool {
            match pattern.split_first() {
                None => text.is_empty(),
                Some((b'%', rest)) => (0..=text.len()).any(|at| slow(rest, &text[at..])),
                Some((b'_', rest)) => !text.is_empty() && slow(rest, &text[1..]),
                Some((byte, rest)) => text.first() == Some(byte) && slow(rest, &text[1..]),
            }
        }
        let mut state = 1_u64;
        let mut random = |letters: &[u8], most: u64| -> String {
            let mut next = || {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                state >> 33
            };
            let size = next() % most;
            (0..size)
                .map(|_| char::from(letters[next() as usize % letters.len()]))
                .collect()
        };
        for _ in 0..5_000 {
            let (pattern, text) = (random(b"ab%_", 7), random(b"ab", 9));
            let wanted = slow(pattern.as_bytes(), text.as_bytes());
            assert_eq!(like(&pattern, &text), wanted, "{text} LIKE {pattern}");
        }
    }

    #[test]
    fn like_without_case_folds_more_than_ascii() {
        assert!(
            Like::new("%ÄRGER%", None, true)
                .unwrap()
                .is_match("viel ärger".as_bytes())
        );
        assert!(Like::new("%x", None, true).unwrap().is_match(b"\xff\xfeX"));
    }

    #[test]
    fn a_bomb_is_refused() {
        assert!(
            Pattern::new("((a{100}){100}){100}", false)
                .unwrap_err()
                .contains("too large")
        );
        assert!(
            Pattern::new("(a", false)
                .unwrap_err()
                .contains("unclosed group")
        );
    }
}
