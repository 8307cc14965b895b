//! Which words of a text have a meaning, and which SQL is none of ours.
//!
//! sqlparser knows hundreds of keywords, which would take names like `user`, `date` or `extract` from the log's own
//! fields. So the words of the language are told here, by what stands beside them, and every other word is a name.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Word};

use super::source::{Language, Source};
use super::{MAX_MISTAKES, Mistake};

impl Source<'_> {
    /// Takes their meaning from all words that have none here, and refuses what DESIGN does not have.
    pub(super) fn check_words(&mut self, language: Language) -> Result<(), Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut demoted = Vec::new();
        for index in 0..self.tokens.len() {
            if let Some((what, help)) = self.foreign(index, language) {
                let message = match language {
                    Language::Query => format!("{what} is not part of job queries"),
                    _ => format!("{what} is not part of job expressions"),
                };
                mistakes.push(self.at_token(index, message, help));
                if index == 0 || mistakes.len() == MAX_MISTAKES {
                    break;
                }
            }
            let Token::Word(word) = &self.tokens[index].token else {
                continue;
            };
            if word.keyword == Keyword::NoKeyword {
                continue;
            }
            if !self.keeps(index, word.keyword, language) {
                demoted.push(index);
            } else if self.lacks_operand(index, word.keyword) {
                mistakes.push(self.misplaced(index));
                break;
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        for index in demoted {
            if let Token::Word(word) = &mut self.tokens[index].token {
                word.keyword = Keyword::NoKeyword;
            }
        }
        Ok(())
    }

    pub(super) fn before(&self, index: usize) -> Option<&Token> {
        index.checked_sub(1).map(|index| &self.tokens[index].token)
    }

    pub(super) fn after(&self, index: usize) -> Option<&Token> {
        self.tokens.get(index + 1).map(|token| &token.token)
    }

    /// Whether a word stands between two operands, as an operator or a clause would.
    fn is_between(&self, index: usize) -> bool {
        self.before(index).is_some_and(ends_operand)
            && self.after(index).is_some_and(starts_operand)
    }

    /// Whether a word that joins, or begins a clause, has nothing before it that could end there. sqlparser would
    /// take it for a name.
    fn lacks_operand(&self, index: usize, keyword: Keyword) -> bool {
        let before = self.before(index);
        let has_operand = before.is_some_and(ends_operand);
        let follows_not = matches!(before, Some(Token::Word(word)) if word.keyword == Keyword::NOT);
        match keyword {
            Keyword::AND | Keyword::OR | Keyword::IS | Keyword::ESCAPE => !has_operand,
            Keyword::IN | Keyword::BETWEEN | Keyword::LIKE | Keyword::ILIKE => {
                !has_operand && !follows_not
            }
            Keyword::FROM
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::HAVING
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::AS => !has_operand && before != Some(&Token::Mul),
            _ => false,
        }
    }

    fn keeps(&self, index: usize, keyword: Keyword, language: Language) -> bool {
        // After a point, and before one, a word is a part of a name.
        if self.before(index) == Some(&Token::Period) || self.after(index) == Some(&Token::Period) {
            return false;
        }
        let ends_here = matches!(self.after(index), None | Some(Token::Comma));
        match keyword {
            Keyword::AND
            | Keyword::OR
            | Keyword::NOT
            | Keyword::IN
            | Keyword::BETWEEN
            | Keyword::LIKE
            | Keyword::ILIKE
            | Keyword::ESCAPE
            | Keyword::IS
            | Keyword::NULL
            | Keyword::TRUE
            | Keyword::FALSE => true,
            Keyword::DISTINCT => match self.before(index) {
                Some(Token::LParen) => self.after(index).is_some_and(starts_operand),
                Some(Token::Word(word)) => word.keyword == Keyword::SELECT,
                _ => false,
            },
            Keyword::ASC | Keyword::DESC => match language {
                Language::Order => ends_here,
                Language::Query => {
                    self.before(index).is_some_and(ends_operand)
                        && (ends_here
                            || matches!(self.after(index), Some(Token::Word(word)) if word.keyword == Keyword::LIMIT))
                }
                _ => false,
            },
            Keyword::SELECT
            | Keyword::FROM
            | Keyword::WHERE
            | Keyword::GROUP
            | Keyword::BY
            | Keyword::HAVING
            | Keyword::ORDER
            | Keyword::LIMIT
            | Keyword::AS => language == Language::Query,
            _ => false,
        }
    }

    /// What a token would mean in SQL, if that is nothing that job expressions have.
    pub(super) fn foreign(
        &self,
        index: usize,
        language: Language,
    ) -> Option<(String, Option<String>)> {
        let token = &self.tokens[index].token;
        let shown = self.shown(index);
        let (before, after) = (self.before(index), self.after(index));
        let word = match token {
            Token::Word(word) if word.quote_style.is_none() => word,
            Token::Word(_)
            | Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::Comma
            | Token::Eq
            | Token::DoubleEq
            | Token::Neq
            | Token::Lt
            | Token::Gt
            | Token::LtEq
            | Token::GtEq
            | Token::Plus
            | Token::Minus
            | Token::Mul
            | Token::Div
            | Token::Mod
            | Token::LParen
            | Token::RParen
            | Token::Period
            | Token::LBracket
            | Token::RBracket
            | Token::TildeAsterisk
            | Token::ExclamationMarkTilde
            | Token::ExclamationMarkTildeAsterisk => return None,
            Token::Tilde if before.is_some_and(ends_operand) => return None,
            Token::Overlap => return Some((shown, Some("write AND".to_owned()))),
            Token::StringConcat => {
                return Some((
                    shown,
                    Some("for either of two conditions write OR".to_owned()),
                ));
            }
            Token::ExclamationMark => return Some((shown, Some("write NOT".to_owned()))),
            Token::DoubleColon => {
                return Some((
                    format!("the cast {shown}"),
                    Some("number(x) makes a number of a text".to_owned()),
                ));
            }
            _ => return Some((shown, None)),
        };
        let is_between = self.is_between(index);
        let calls = after == Some(&Token::LParen);
        let follows = |wanted: &[Keyword]| matches!(after, Some(Token::Word(word)) if wanted.contains(&word.keyword));
        let is_foreign = match word.keyword {
            Keyword::CASE => {
                follows(&[Keyword::WHEN])
                    || (!before.is_some_and(ends_operand)
                        && matches!(
                            after,
                            Some(Token::Word(_) | Token::Number(..) | Token::SingleQuotedString(_))
                        )
                        && after.is_some_and(starts_operand))
            }
            Keyword::CAST | Keyword::TRY_CAST | Keyword::CONVERT => calls,
            Keyword::INTERVAL | Keyword::DATE | Keyword::TIME | Keyword::TIMESTAMP => {
                matches!(after, Some(Token::SingleQuotedString(_)))
                    || (word.keyword == Keyword::INTERVAL
                        && matches!(after, Some(Token::Number(..))))
            }
            Keyword::SELECT => {
                let is_subquery = match language {
                    Language::Query => index > 0 && before == Some(&Token::LParen),
                    _ => after.is_some_and(|after| starts_operand(after) || *after == Token::Mul),
                };
                if is_subquery {
                    return Some((format!("a subquery ({shown})"), None));
                }
                false
            }
            Keyword::OVER => {
                if before == Some(&Token::RParen)
                    && (calls || matches!(after, Some(Token::Word(_))))
                {
                    return Some((format!("a window ({shown})"), None));
                }
                false
            }
            Keyword::FILTER | Keyword::WITHIN => {
                before == Some(&Token::RParen) && (calls || follows(&[Keyword::GROUP]))
            }
            Keyword::ANY | Keyword::ALL | Keyword::SOME => {
                calls && before.is_some_and(|before| !ends_operand(before))
            }
            Keyword::SIMILAR => is_between && follows(&[Keyword::TO]),
            Keyword::REGEXP | Keyword::RLIKE => {
                if is_between {
                    return Some((shown, Some("write ~".to_owned())));
                }
                false
            }
            Keyword::XOR
            | Keyword::DIV
            | Keyword::GLOB
            | Keyword::MATCH
            | Keyword::OVERLAPS
            | Keyword::COLLATE => is_between,
            Keyword::AT => follows(&[Keyword::TIME]) && before.is_some_and(ends_operand),
            Keyword::JOIN
            | Keyword::UNION
            | Keyword::EXCEPT
            | Keyword::INTERSECT
            | Keyword::OFFSET
            | Keyword::FETCH
            | Keyword::WINDOW
            | Keyword::QUALIFY => language == Language::Query && is_between,
            Keyword::NULLS => {
                matches!(language, Language::Query | Language::Order)
                    && follows(&[Keyword::FIRST, Keyword::LAST])
            }
            Keyword::WITH
            | Keyword::INSERT
            | Keyword::UPDATE
            | Keyword::DELETE
            | Keyword::CREATE
            | Keyword::DROP
            | Keyword::ALTER => language == Language::Query && index == 0,
            _ => false,
        };
        is_foreign.then(|| (format!("`{}`", word.value.to_uppercase()), None))
    }
}

fn word_is(word: &Word, keywords: &[Keyword]) -> bool {
    word.quote_style.is_none() && keywords.contains(&word.keyword)
}

/// Words that stand between operands or clauses, never for a value.
const JOINING: &[Keyword] = &[
    Keyword::AND,
    Keyword::OR,
    Keyword::NOT,
    Keyword::IN,
    Keyword::BETWEEN,
    Keyword::LIKE,
    Keyword::ILIKE,
    Keyword::ESCAPE,
    Keyword::IS,
    Keyword::SELECT,
    Keyword::DISTINCT,
    Keyword::FROM,
    Keyword::WHERE,
    Keyword::BY,
    Keyword::HAVING,
    Keyword::AS,
    Keyword::LIMIT,
];

pub(super) fn ends_operand(token: &Token) -> bool {
    match token {
        Token::Word(word) => !word_is(word, JOINING),
        Token::Number(..) | Token::SingleQuotedString(_) | Token::RParen | Token::RBracket => true,
        _ => false,
    }
}

fn starts_operand(token: &Token) -> bool {
    match token {
        Token::Word(word) => {
            word_is(word, &[Keyword::NOT, Keyword::SELECT]) || !word_is(word, JOINING)
        }
        Token::Number(..) | Token::SingleQuotedString(_) | Token::LParen => true,
        _ => false,
    }
}
