//! The text of a search to its terms and what joins them.

use std::ops::Range;

use super::SearchError;

const MAX_BYTES: usize = 16 << 10;
/// Each is looked for at each word of the text.
const MAX_TERMS: usize = 256;
/// What follows a phrase's first word is looked at wherever that word stands.
const MAX_PHRASE: usize = 64;
const MAX_NESTING: usize = 50;

/// Words that must stand beside each other, lower case; a plain word is a phrase of one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) words: Vec<Shape>,
}

/// What one word must look like.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Shape {
    Word(String),
    /// `retry*`
    Prefix(String),
    /// `*ing`
    Suffix(String),
    /// `*time*`
    Inside(String),
}

/// How terms are joined; a term by its index.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    Term(usize),
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
}

impl Node {
    pub(super) fn holds(&self, found: &[bool]) -> bool {
        match self {
            Node::Term(index) => found[*index],
            Node::Not(inner) => !inner.holds(found),
            Node::And(list) => list.iter().all(|inner| inner.holds(found)),
            Node::Or(list) => list.iter().any(|inner| inner.holds(found)),
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    Term(Term),
}

struct Reader {
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    end: usize,
    nesting: usize,
    terms: Vec<Term>,
}

pub(super) fn parse(source: &str) -> Result<(Vec<Term>, Node), SearchError> {
    if source.len() > MAX_BYTES {
        return Err(wrong(
            0..source.len(),
            format!("the search has more than {MAX_BYTES} bytes"),
        ));
    }
    let tokens = tokens_of(source)?;
    if tokens.is_empty() {
        return Err(wrong(0..source.len(), "the search has no words"));
    }
    let mut reader = Reader {
        tokens,
        at: 0,
        end: source.len(),
        nesting: 0,
        terms: Vec::new(),
    };
    let tree = reader.either()?;
    match reader.tokens.get(reader.at) {
        None => Ok((reader.terms, tree)),
        Some((_, span)) => Err(wrong(span.clone(), "`)` closes nothing")),
    }
}

impl Reader {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn either(&mut self) -> Result<Node, SearchError> {
        let mut list = vec![self.all()?];
        while self.peek() == Some(&Token::Or) {
            self.at += 1;
            list.push(self.all()?);
        }
        Ok(one_or(list, Node::Or))
    }

    fn all(&mut self) -> Result<Node, SearchError> {
        let mut list = vec![self.not()?];
        loop {
            match self.peek() {
                Some(Token::And) => self.at += 1,
                // Side by side means AND.
                Some(Token::Open | Token::Not | Token::Term(_)) => {}
                None | Some(Token::Or | Token::Close) => return Ok(one_or(list, Node::And)),
            }
            list.push(self.not()?);
        }
    }

    fn not(&mut self) -> Result<Node, SearchError> {
        let mut is_negated = false;
        while self.peek() == Some(&Token::Not) {
            is_negated = !is_negated;
            self.at += 1;
        }
        let inner = self.single()?;
        Ok(if is_negated {
            Node::Not(Box::new(inner))
        } else {
            inner
        })
    }

    fn single(&mut self) -> Result<Node, SearchError> {
        let Some((token, span)) = self.tokens.get(self.at).cloned() else {
            let last = self
                .tokens
                .last()
                .map_or(0..self.end, |(_, span)| span.clone());
            return Err(wrong(last, "expected a word after this"));
        };
        self.at += 1;
        match token {
            Token::Term(term) => {
                if self.terms.len() == MAX_TERMS {
                    return Err(wrong(
                        span,
                        format!("the search has more than {MAX_TERMS} words and phrases"),
                    ));
                }
                self.terms.push(term);
                Ok(Node::Term(self.terms.len() - 1))
            }
            Token::Open => {
                self.nesting += 1;
                if self.nesting > MAX_NESTING {
                    return Err(wrong(
                        span,
                        format!("more than {MAX_NESTING} parentheses inside each other"),
                    ));
                }
                let inner = self.either()?;
                if self.peek() != Some(&Token::Close) {
                    return Err(wrong(span, "`(` is never closed"));
                }
                self.at += 1;
                self.nesting -= 1;
                Ok(inner)
            }
            Token::Close => Err(wrong(span, "expected a word, found `)`")),
            Token::And => Err(wrong(span, "expected a word, found `AND`")),
            Token::Or => Err(wrong(span, "expected a word, found `OR`")),
            Token::Not => Err(wrong(span, "expected a word, found `NOT`")),
        }
    }
}

fn one_or(mut list: Vec<Node>, join: impl FnOnce(Vec<Node>) -> Node) -> Node {
    match list.len() {
        1 => list.remove(0),
        _ => join(list),
    }
}

fn tokens_of(source: &str) -> Result<Vec<(Token, Range<usize>)>, SearchError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(char) = source[at..].chars().next() {
        let start = at;
        at += char.len_utf8();
        let token = match char {
            '(' => Token::Open,
            ')' => Token::Close,
            '"' => {
                let Some(length) = source[at..].find('"') else {
                    return Err(wrong(start..source.len(), "this phrase is never closed"));
                };
                let inside = at..at + length;
                at = inside.end + 1;
                Token::Term(term(&source[inside], start..at)?)
            }
            char if char.is_whitespace() => continue,
            _ => {
                let rest = &source[start..];
                let length = rest
                    .find(|char: char| char.is_whitespace() || matches!(char, '(' | ')' | '"'))
                    .unwrap_or(rest.len());
                at = start + length;
                match &source[start..at] {
                    "AND" => Token::And,
                    "OR" => Token::Or,
                    "NOT" => Token::Not,
                    text => Token::Term(term(text, start..at)?),
                }
            }
        };
        tokens.push((token, start..at));
    }
    Ok(tokens)
}

/// The words of a phrase, or of one run like `10.0.0.1`, which is a phrase of four.
fn term(text: &str, span: Range<usize>) -> Result<Term, SearchError> {
    let mut words = Vec::new();
    let mut rest = text;
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    while let Some(start) = rest.find(|char: char| is_word(char) || char == '*') {
        rest = &rest[start..];
        let length = rest
            .find(|char: char| !is_word(char) && char != '*')
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(length);
        rest = after;
        if words.len() == MAX_PHRASE {
            return Err(wrong(
                span,
                format!("the phrase has more than {MAX_PHRASE} words"),
            ));
        }
        let inner = word.trim_matches('*');
        if inner.is_empty() {
            return Err(wrong(span, "`*` needs a part of a word, like `retry*`"));
        }
        if inner.contains('*') {
            return Err(wrong(
                span,
                "`*` stands at the start or the end of a word only",
            ));
        }
        let lower = fold_word(inner);
        words.push(match (word.starts_with('*'), word.ends_with('*')) {
            (false, false) => Shape::Word(lower),
            (false, true) => Shape::Prefix(lower),
            (true, false) => Shape::Suffix(lower),
            (true, true) => Shape::Inside(lower),
        });
    }
    if words.is_empty() {
        return Err(wrong(span, "there is no word in this"));
    }
    Ok(Term { words })
}

/// Lower case, character by character, so that a word folds alike wherever it stands.
pub(super) fn fold_word(word: &str) -> String {
    word.chars().flat_map(char::to_lowercase).collect()
}

fn wrong(span: Range<usize>, message: impl Into<String>) -> SearchError {
    SearchError {
        span,
        message: message.into(),
    }
}
