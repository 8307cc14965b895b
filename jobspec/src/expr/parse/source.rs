//! The text before it is a tree: tokens with their bytes and the limits; and where pieces of the tree stand in it.

use std::ops::Range;

use sqlparser::ast::{Ident, Spanned};
use sqlparser::dialect::Dialect;
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};

use super::Mistake;
use super::words::ends_operand;

const MAX_BYTES: usize = 64 << 10;
const MAX_TOKENS: usize = 20_000;
/// Parentheses and brackets inside each other.
const MAX_NESTING: usize = 64;
/// What sqlparser counts: nested parentheses, and runs of NOT or signs.
const RECURSION_LIMIT: usize = 200;

/// Which words have a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Expression,
    Order,
    Query,
    Result,
}

/// SQL of no vendor: names may begin with `@`, and nothing is an operator that DESIGN does not name.
#[derive(Debug)]
struct JobDialect;

impl Dialect for JobDialect {
    fn is_delimited_identifier_start(&self, char: char) -> bool {
        char == '"' || char == '`'
    }

    fn is_identifier_start(&self, char: char) -> bool {
        char.is_alphabetic() || char == '_' || char == '@'
    }

    fn is_identifier_part(&self, char: char) -> bool {
        char.is_alphanumeric() || matches!(char, '_' | '@' | '$')
    }

    /// Whatever still is a keyword after `check_words` is no name.
    fn is_reserved_for_identifier(&self, keyword: Keyword) -> bool {
        keyword != Keyword::NoKeyword
    }
}

/// A text, taken apart.
pub(super) struct Source<'t> {
    text: &'t str,
    /// Without white space and comments.
    pub(super) tokens: Vec<TokenWithSpan>,
    /// The bytes of each token.
    bytes: Vec<Range<usize>>,
}

/// Runs the work where a deep tree has room.
pub(super) fn with_room<T: Send>(
    work: impl FnOnce() -> Result<T, Vec<Mistake>> + Send,
) -> Result<T, Vec<Mistake>> {
    crate::room::with_room(work).unwrap_or_else(|error| {
        Err(vec![Mistake {
            span: 0..0,
            message: format!("no thread to read the expression with: {error}"),
            help: None,
        }])
    })
}

impl<'t> Source<'t> {
    pub(super) fn new(text: &'t str, language: Language) -> Result<Source<'t>, Vec<Mistake>> {
        if text.len() > MAX_BYTES {
            return Err(vec![Mistake {
                span: 0..0,
                message: format!(
                    "the text has {} bytes, more than an expression's {MAX_BYTES}",
                    text.len()
                ),
                help: None,
            }]);
        }
        let mut tokens = Vec::new();
        let read = Tokenizer::new(&JobDialect, text).tokenize_with_location_into_buf(&mut tokens);
        if let Err(error) = read {
            let start = byte_at(text, error.location);
            return Err(vec![unreadable(text, start, &error.message)]);
        }
        tokens.retain(|token| !matches!(token.token, Token::Whitespace(_)));
        if language == Language::Query {
            while matches!(tokens.last(), Some(last) if last.token == Token::SemiColon) {
                tokens.pop();
            }
        }
        let mut source = Source {
            text,
            bytes: bytes_of(text, &tokens),
            tokens,
        };
        if source.tokens.len() > MAX_TOKENS {
            return Err(vec![Mistake {
                span: source.bytes[MAX_TOKENS].clone(),
                message: format!("the expression has more than {MAX_TOKENS} words and signs"),
                help: None,
            }]);
        }
        if source.tokens.is_empty() {
            return Err(vec![Mistake {
                span: 0..text.len(),
                message: match language {
                    Language::Query => "expected `SELECT`, found nothing".to_owned(),
                    _ => "expected an expression, found nothing".to_owned(),
                },
                help: None,
            }]);
        }
        if language == Language::Query
            && !matches!(&source.tokens[0].token, Token::Word(word) if word.keyword == Keyword::SELECT)
            && source.foreign(0, language).is_none()
        {
            let message = "a query begins with `SELECT`".to_owned();
            return Err(vec![source.at_token(0, message, None)]);
        }
        source.check_brackets()?;
        source.check_words(language)?;
        Ok(source)
    }

    /// The tree of sqlparser, which must take every token.
    pub(super) fn parse<T>(
        &self,
        language: Language,
        read: impl FnOnce(&mut Parser<'_>) -> Result<T, ParserError>,
    ) -> Result<T, Vec<Mistake>> {
        let mut tokens = self.tokens.clone();
        if language == Language::Result {
            // A filter `[a = 1, b = 2]` is read as a subscript only if parentheses stand around it.
            tokens = Vec::with_capacity(self.tokens.len());
            for token in &self.tokens {
                let inserted = |paren| TokenWithSpan::new(paren, token.span);
                match token.token {
                    Token::LBracket => tokens.extend([token.clone(), inserted(Token::LParen)]),
                    Token::RBracket => tokens.extend([inserted(Token::RParen), token.clone()]),
                    _ => tokens.push(token.clone()),
                }
            }
        }
        let mut parser = Parser::new(&JobDialect)
            .with_recursion_limit(RECURSION_LIMIT)
            .with_tokens_with_locations(tokens);
        let tree = read(&mut parser).map_err(|error| vec![self.refused(&error)])?;
        let next = parser.peek_token();
        if next.token == Token::EOF {
            return Ok(tree);
        }
        let at = self.index_at(next.span.start);
        let shown = self.shown(at);
        let (message, help) = match (&next.token, language) {
            (Token::Word(word), Language::Query)
                if matches!(word.keyword, Keyword::GROUP | Keyword::ORDER)
                    && !matches!(self.after(at), Some(Token::Word(by)) if by.keyword == Keyword::BY) =>
            {
                (format!("expected `BY` after {shown}"), None)
            }
            (_, Language::Query) => {
                let clauses = "SELECT … FROM … WHERE … GROUP BY … HAVING … ORDER BY … LIMIT";
                let help = format!("a query is {clauses}, in this order");
                (format!("expected the end, found {shown}"), Some(help))
            }
            _ => (
                format!("expected an operator or the end, found {shown}"),
                None,
            ),
        };
        Err(vec![self.at_token(at, message, help)])
    }

    pub(super) fn text_of(&self, tokens: Range<usize>) -> &'t str {
        match (self.bytes.get(tokens.start), tokens.end.checked_sub(1)) {
            (Some(first), Some(last)) if last >= tokens.start => {
                &self.text[first.start..self.bytes[last].end]
            }
            _ => "",
        }
    }

    pub(super) fn text_at(&self, bytes: Range<usize>) -> &'t str {
        &self.text[bytes]
    }

    /// Where a query says DISTINCT.
    pub(super) fn distinct(&self) -> Range<usize> {
        let is_distinct = |token: &TokenWithSpan| matches!(&token.token, Token::Word(word) if word.keyword == Keyword::DISTINCT);
        match self.tokens.iter().position(is_distinct) {
            Some(at) => self.bytes[at].clone(),
            None => 0..self.text.len(),
        }
    }

    /// The mistake that a name is a word of the language: sqlparser takes one for a name where nothing else fits.
    pub(super) fn reserved(&self, name: &Ident) -> Option<Mistake> {
        let at = self.index_at(name.span.start);
        match self.tokens.get(at).map(|token| &token.token) {
            Some(Token::Word(word)) if word.keyword != Keyword::NoKeyword => {
                Some(self.misplaced(at))
            }
            _ => None,
        }
    }

    /// A word of the language where an expression should stand.
    pub(super) fn misplaced(&self, at: usize) -> Mistake {
        let after = match at.checked_sub(1) {
            Some(last) => format!(" after {}", self.shown(last)),
            None => String::new(),
        };
        let wanted = match self.before(at) {
            Some(Token::Word(word)) if word.keyword == Keyword::AS => "a name",
            _ => "an expression",
        };
        let message = format!("expected {wanted}{after}, found {}", self.shown(at));
        self.at_token(at, message, None)
    }

    /// Where a piece of the tree stands. sqlparser leaves out parentheses and signs at the edges, so the
    /// tokens are widened until they balance.
    pub(super) fn place(&self, tree: &impl Spanned) -> Range<usize> {
        self.place_of(tree.span())
    }

    pub(super) fn place_of(&self, span: Span) -> Range<usize> {
        if span == Span::empty() {
            return 0..self.text.len();
        }
        let mut first = self
            .tokens
            .partition_point(|token| token.span.end <= span.start);
        let mut end = self
            .tokens
            .partition_point(|token| token.span.start < span.end);
        if first >= end {
            return 0..self.text.len();
        }
        let (mut open, mut missing) = (0_usize, 0_usize);
        for token in &self.tokens[first..end] {
            match token.token {
                Token::LParen | Token::LBracket => open += 1,
                Token::RParen | Token::RBracket if open == 0 => missing += 1,
                Token::RParen | Token::RBracket => open -= 1,
                _ => {}
            }
        }
        // `f()` has no arguments that would lead to its parentheses.
        if end < self.tokens.len()
            && matches!(self.tokens[end].token, Token::LParen)
            && matches!(self.tokens[end - 1].token, Token::Word(_))
            && ends_operand(&self.tokens[end - 1].token)
        {
            open += 1;
            end += 1;
        }
        while missing > 0 && first > 0 {
            first -= 1;
            match self.tokens[first].token {
                Token::LParen | Token::LBracket => missing -= 1,
                Token::RParen | Token::RBracket => missing += 1,
                _ => {}
            }
        }
        while open > 0 && end < self.tokens.len() {
            match self.tokens[end].token {
                Token::LParen | Token::LBracket => open += 1,
                Token::RParen | Token::RBracket => open -= 1,
                _ => {}
            }
            end += 1;
        }
        self.bytes[first].start..self.bytes[end - 1].end
    }

    fn check_brackets(&self) -> Result<(), Vec<Mistake>> {
        let mut open: Vec<usize> = Vec::new();
        for (index, token) in self.tokens.iter().enumerate() {
            let wanted = match token.token {
                Token::LParen | Token::LBracket => {
                    open.push(index);
                    if open.len() > MAX_NESTING {
                        let message =
                            format!("more than {MAX_NESTING} parentheses inside each other");
                        return Err(vec![self.at_token(index, message, None)]);
                    }
                    continue;
                }
                Token::RParen => Token::LParen,
                Token::RBracket => Token::LBracket,
                _ => continue,
            };
            let opened = open.pop();
            if opened.is_none_or(|opened| self.tokens[opened].token != wanted) {
                let message = format!("{} closes nothing", self.shown(index));
                return Err(vec![self.at_token(index, message, None)]);
            }
        }
        match open.last() {
            None => Ok(()),
            Some(&index) => {
                let message = format!("{} is never closed", self.shown(index));
                Err(vec![self.at_token(index, message, None)])
            }
        }
    }

    /// A mistake at a token; beyond the last one, at the last one.
    pub(super) fn at_token(&self, index: usize, message: String, help: Option<String>) -> Mistake {
        let span = match self.bytes.get(index).or(self.bytes.last()) {
            Some(bytes) => bytes.clone(),
            None => 0..self.text.len(),
        };
        Mistake {
            span,
            message,
            help,
        }
    }

    fn index_at(&self, start: Location) -> usize {
        self.tokens
            .partition_point(|token| token.span.start < start)
    }

    pub(super) fn shown(&self, index: usize) -> String {
        match self.bytes.get(index) {
            None => "the end".to_owned(),
            Some(bytes) => {
                let mut text: String = self.text[bytes.clone()].chars().take(41).collect();
                if text.chars().count() > 40 {
                    text.truncate(text.char_indices().nth(40).map_or(0, |(at, _)| at));
                    text.push('…');
                }
                if text.chars().any(char::is_control) {
                    text = text.escape_default().to_string();
                }
                format!("`{text}`")
            }
        }
    }

    /// A refusal of sqlparser, in words for people.
    fn refused(&self, error: &ParserError) -> Mistake {
        let message = match error {
            ParserError::RecursionLimitExceeded => {
                return Mistake {
                    span: 0..self.text.len(),
                    message: "the expression is nested too deeply".to_owned(),
                    help: None,
                };
            }
            ParserError::TokenizerError(message) | ParserError::ParserError(message) => message,
        };
        let (what, at) = match message.rsplit_once(" at Line: ") {
            Some((what, place)) => {
                let mut numbers = place
                    .split(", Column: ")
                    .map(|number| number.trim().parse().unwrap_or(0));
                let line = numbers.next().unwrap_or(0);
                let column = numbers.next().unwrap_or(0);
                (what, self.index_at(Location { line, column }))
            }
            None => (message.as_str(), self.tokens.len()),
        };
        let Some(expected) = what
            .strip_prefix("Expected: ")
            .map(|what| what.rsplit_once(", found: ").map_or(what, |(what, _)| what))
        else {
            return self.at_token(at, format!("{} is not understood", self.shown(at)), None);
        };
        let expected = match expected {
            "an expression" => "an expression".to_owned(),
            "identifier" => "a name".to_owned(),
            "end of statement" => "the end".to_owned(),
            text if text.chars().all(|char| !char.is_lowercase()) => format!("`{text}`"),
            text => text.to_owned(),
        };
        let after = match at.checked_sub(1) {
            Some(last) => format!(" after {}", self.shown(last)),
            None => String::new(),
        };
        if at >= self.tokens.len() {
            self.at_token(at, format!("expected {expected}{after}"), None)
        } else {
            let message = format!("expected {expected}{after}, found {}", self.shown(at));
            self.at_token(at, message, None)
        }
    }
}

fn unreadable(text: &str, start: usize, message: &str) -> Mistake {
    let message = if message.contains("string literal") || message.contains("string value") {
        "this text has no closing `'`".to_owned()
    } else if message.contains("close delimiter") {
        "this quoted name is never closed".to_owned()
    } else if message.contains("comment") {
        "this comment is never closed".to_owned()
    } else {
        "this is not understood".to_owned()
    };
    Mistake {
        span: start.min(text.len())..text.len(),
        message,
        help: None,
    }
}

/// The byte of a place that sqlparser gives in lines and characters.
fn byte_at(text: &str, location: Location) -> usize {
    let (mut line, mut column) = (1, 1);
    for (byte, char) in text.char_indices() {
        if (line, column) >= (location.line, location.column) {
            return byte;
        }
        if char == '\n' {
            (line, column) = (line + 1, 1);
        } else {
            column += 1;
        }
    }
    text.len()
}

/// The bytes of all tokens, in one pass over the text.
fn bytes_of(text: &str, tokens: &[TokenWithSpan]) -> Vec<Range<usize>> {
    let mut chars = text.char_indices().peekable();
    let (mut line, mut column) = (1, 1);
    let mut byte_of = |location: Location| loop {
        match chars.peek() {
            Some(&(byte, char)) => {
                if (line, column) >= (location.line, location.column) {
                    return byte;
                }
                if char == '\n' {
                    (line, column) = (line + 1, 1);
                } else {
                    column += 1;
                }
                chars.next();
            }
            None => return text.len(),
        }
    };
    tokens
        .iter()
        .map(|token| byte_of(token.span.start)..byte_of(token.span.end))
        .collect()
}
