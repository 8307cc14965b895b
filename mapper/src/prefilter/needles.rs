//! The texts that an entry's line must hold for a predicate to be true.
//!
//! A value is not always written as it is: a backslash may stand before some of its characters, any of them may be
//! `\uXXXX` or `\xXX`, a number has many forms. So of a value only runs of characters that cannot be guarded and that
//! are of no number count, and a line with such an escape is never ruled out.

use jobspec::expr::{Column, Comparison, Expr, Like};
use jobspec::plan::{LogPlan, Plan};
use jobspec::value::Value;

use super::pattern;

/// More needles than this are slower to look for than entries are to parse.
const MOST: usize = 48;
/// Shorter needles are in too many lines.
pub(super) const SHORTEST: usize = 3;
/// A needle in any case is taken apart into all its spellings: of so many letters.
const MOST_LETTERS: usize = 4;

/// At least one of these is in every line that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Needles(Vec<Vec<u8>>);

/// Whose predicates they are.
pub(super) struct Scope<'a> {
    pub plan: &'a Plan,
    pub log: &'a LogPlan,
    /// Messages and fields stand in the line as they are, but for escapes.
    pub holds_values: bool,
}

/// Which text a predicate looks at.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Subject {
    Raw,
    Message,
    Field,
}

impl Needles {
    /// None: too many, or one that is too short.
    pub fn new(mut texts: Vec<Vec<u8>>) -> Option<Needles> {
        texts.sort();
        texts.dedup();
        let is_useful = !texts.is_empty() && texts.len() <= MOST;
        (is_useful && texts.iter().all(|text| text.len() >= 2)).then_some(Needles(texts))
    }

    pub fn into_texts(self) -> Vec<Vec<u8>> {
        self.0
    }

    pub fn or(mut self, other: Needles) -> Option<Needles> {
        self.0.extend(other.0);
        Needles::new(self.0)
    }

    /// How few lines they are likely to be in: long ones in few, many in more.
    fn rarity(&self) -> usize {
        let shortest = self.0.iter().map(Vec::len).min().unwrap_or(0);
        shortest.min(12) * 16 / (15 + self.0.len())
    }
}

/// Of a predicate; None where a line could satisfy it whatever it holds.
pub(super) fn of(expr: &Expr, scope: &Scope<'_>) -> Option<Needles> {
    match expr {
        // All are true, so the best of them will do.
        Expr::And(terms) => terms
            .iter()
            .filter_map(|term| of(term, scope))
            .max_by_key(Needles::rarity),
        Expr::Or(terms) => of_any(terms.iter(), scope),
        Expr::Like { value, like } => {
            let subject = scope.subject(value)?;
            scope.with_escapes(subject, of_like(like, subject)?)
        }
        Expr::Matches { value, pattern } => {
            let subject = scope.subject(value)?;
            let texts = pattern::literals(pattern)?;
            let texts = texts.iter().map(|text| piece(text, subject));
            scope.with_escapes(subject, texts.collect::<Option<_>>()?)
        }
        Expr::Compare {
            operator: Comparison::Equal,
            left,
            right,
        } => {
            let (value, text) = match (&**left, &**right) {
                (value, Expr::Literal(Value::Text(text)))
                | (Expr::Literal(Value::Text(text)), value) => (value, text),
                _ => return None,
            };
            let subject = scope.subject(value)?;
            scope.with_escapes(subject, vec![piece(text, subject)?])
        }
        Expr::InSet { value, set } => {
            let subject = scope.subject(value)?;
            let texts = set.values().iter().filter(|value| !value.is_null());
            let texts = texts.map(|value| match value {
                Value::Text(text) => piece(text, subject),
                _ => None,
            });
            scope.with_escapes(subject, texts.collect::<Option<_>>()?)
        }
        _ => None,
    }
}

/// Of predicates of which one is to be true.
pub(super) fn of_any<'a>(
    predicates: impl Iterator<Item = &'a Expr>,
    scope: &Scope<'_>,
) -> Option<Needles> {
    let mut all: Option<Needles> = None;
    for predicate in predicates {
        let needles = of(predicate, scope)?;
        all = Some(match all {
            Some(all) => all.or(needles)?,
            None => needles,
        });
    }
    all
}

impl Scope<'_> {
    fn subject(&self, value: &Expr) -> Option<Subject> {
        match value {
            Expr::Column(Column::Raw) => Some(Subject::Raw),
            Expr::Column(Column::Message) if self.holds_values => Some(Subject::Message),
            Expr::Field(field) if self.holds_values => {
                let path = self.plan.fields.get(usize::from(*field))?;
                let is_made = self.log.derive.iter().any(|(derived, _)| derived == field)
                    || !self.log.tag.is_empty()
                    // syslog writes them as one number.
                    || matches!(path.text.as_str(), "facility" | "severity");
                (!is_made).then_some(Subject::Field)
            }
            _ => None,
        }
    }

    fn with_escapes(&self, subject: Subject, mut texts: Vec<Vec<u8>>) -> Option<Needles> {
        if texts.is_empty() {
            return None;
        }
        if subject != Subject::Raw {
            texts.extend([br"\u".to_vec(), br"\x".to_vec()]);
        }
        if subject == Subject::Message {
            // journald writes a text that is no UTF-8 as a list of numbers.
            texts.push(b"MESSAGE".to_vec());
        }
        Needles::new(texts)
    }
}

fn of_like(like: &Like, subject: Subject) -> Option<Vec<Vec<u8>>> {
    if like.any_case {
        let runs = like.literals().filter_map(|text| {
            // These two are also what other letters become in lower case.
            let pieces = text.split(|byte| matches!(byte, b'i' | b'k') || !byte.is_ascii());
            pieces
                .filter_map(|text| piece(text, subject))
                .max_by_key(Vec::len)
        });
        return Some(spellings(&runs.max_by_key(Vec::len)?));
    }
    let runs = like.literals().filter_map(|text| piece(text, subject));
    Some(vec![runs.max_by_key(Vec::len)?])
}

/// The longest run of a text that stands in every line with it, whatever the format.
pub(super) fn piece(text: &[u8], subject: Subject) -> Option<Vec<u8>> {
    let can_break = |byte: &u8| match subject {
        Subject::Raw => matches!(byte, b'\n' | b'\r'),
        Subject::Message | Subject::Field => {
            byte.is_ascii_control() || matches!(byte, b'"' | b'\\' | b'/' | b']' | b'\'')
        }
    };
    let run = text.split(can_break).max_by_key(|run| run.len())?;
    let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let is_within = |word: &[u8]| word.windows(run.len()).any(|window| window == run);
    let is_text = match subject {
        Subject::Raw => true,
        // A number and a boolean have a text that need not be in the line.
        Subject::Message | Subject::Field => {
            !run.iter().all(is_number) && !is_within(b"true") && !is_within(b"false")
        }
    };
    (run.len() >= SHORTEST && is_text).then(|| run.to_vec())
}

/// All ways to write the head of a text in capitals and small letters.
pub(super) fn spellings(text: &[u8]) -> Vec<Vec<u8>> {
    let mut all = vec![Vec::new()];
    let mut letters = 0;
    for byte in text.iter().take(8) {
        let is_letter = byte.is_ascii_alphabetic();
        letters += usize::from(is_letter);
        if letters > MOST_LETTERS {
            break;
        }
        let mut more = Vec::new();
        for spelling in &mut all {
            if is_letter {
                let mut upper = spelling.clone();
                upper.push(byte.to_ascii_uppercase());
                more.push(upper);
            }
            spelling.push(byte.to_ascii_lowercase());
        }
        all.extend(more);
    }
    all
}
