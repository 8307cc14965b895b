//! Texts that match: regexes of the linear engine, and SQL's LIKE.
//!
//! Both travel as they were written and are compiled as the plan is decoded, so a plan that cannot be
//! evaluated is found before the first entry.

use bstr::ByteSlice;
use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

/// Compiled size beyond which a regex is refused: no pattern of a person comes near it.
const REGEX_BYTES: usize = 2 << 20;

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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Like {
    pub source: String,
    pub any_case: bool,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Part {
    Text(Vec<u8>),
    One,
    Run,
}

impl Like {
    /// The pattern, or what is wrong with it.
    pub fn new(source: &str, escape: Option<char>, any_case: bool) -> Result<Like, String> {
        let escape = escape.unwrap_or('\\');
        let mut parts: Vec<Part> = Vec::new();
        let mut chars = source.chars();
        while let Some(char) = chars.next() {
            let literal = match char {
                _ if char == escape => match chars.next() {
                    Some(next) => next,
                    None => {
                        return Err(format!(
                            "the pattern ends in its escape character `{escape}`"
                        ));
                    }
                },
                '%' => {
                    if parts.last() != Some(&Part::Run) {
                        parts.push(Part::Run);
                    }
                    continue;
                }
                '_' => {
                    parts.push(Part::One);
                    continue;
                }
                _ => char,
            };
            let mut bytes = [0; 4];
            let bytes = if any_case {
                fold(literal.encode_utf8(&mut bytes).as_bytes())
            } else {
                literal.encode_utf8(&mut bytes).as_bytes().to_vec()
            };
            match parts.last_mut() {
                Some(Part::Text(text)) => text.extend_from_slice(&bytes),
                _ => parts.push(Part::Text(bytes)),
            }
        }
        Ok(Like {
            source: source.to_owned(),
            any_case,
            parts,
        })
    }

    /// Linear but for `_` beside `%`, where it is bounded by text times pattern.
    pub fn is_match(&self, text: &[u8]) -> bool {
        if self.any_case {
            self.matches(&fold(text))
        } else {
            self.matches(text)
        }
    }

    /// The texts that every match holds, for a prefilter; bytes as they stand in the value, folded if
    /// `any_case`.
    pub fn literals(&self) -> impl Iterator<Item = &[u8]> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(text) => Some(text.as_slice()),
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
                    resume = match self.parts.get(part) {
                        None => return true,
                        // Go straight to where the text after the run stands next.
                        Some(Part::Text(next)) => match text[at..].find(next) {
                            Some(found) => {
                                at += found;
                                Some((at, part))
                            }
                            None => return false,
                        },
                        Some(_) => Some((at, part)),
                    };
                    continue;
                }
                Some(Part::One) => Some(bstr::decode_utf8(&text[at..]).1).filter(|&size| size > 0),
                Some(Part::Text(wanted)) => text[at..].starts_with(wanted).then_some(wanted.len()),
            };
            match (step, resume) {
                (Some(size), _) => {
                    at += size;
                    part += 1;
                }
                (None, Some((from, back))) if from < text.len() => {
                    at = match &self.parts[back] {
                        Part::Text(wanted) => match text[from + 1..].find(wanted) {
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
