//! One walk over a text's words, holding them against all terms.

use bstr::ByteSlice;

use super::query::{Shape, Term};

/// Tells which terms are in the text, then asks what that means.
pub(super) fn found(terms: &[Term], text: &[u8], holds: impl FnOnce(&[bool]) -> bool) -> bool {
    let mut small = [false; 16];
    let mut large = Vec::new();
    let found: &mut [bool] = match small.get_mut(..terms.len()) {
        Some(small) => small,
        None => {
            large.resize(terms.len(), false);
            &mut large
        }
    };
    let mut missing = terms.len();
    let mut lower = String::new();
    let mut words = Words { rest: text };
    while missing > 0 {
        let Some(word) = words.next() else { break };
        for (term, found) in terms.iter().zip(&mut *found) {
            if !*found && starts(term, word, &words, &mut lower) {
                *found = true;
                missing -= 1;
            }
        }
    }
    holds(found)
}

/// Whether the term's words are this word and those after it.
fn starts(term: &Term, word: &str, after: &Words<'_>, lower: &mut String) -> bool {
    let mut shapes = term.words.iter();
    if !shapes.next().is_some_and(|shape| shape.fits(word, lower)) {
        return false;
    }
    let mut after = after.clone();
    shapes.all(|shape| after.next().is_some_and(|word| shape.fits(word, lower)))
}

impl Shape {
    fn fits(&self, word: &str, lower: &mut String) -> bool {
        let (Shape::Word(wanted)
        | Shape::Prefix(wanted)
        | Shape::Suffix(wanted)
        | Shape::Inside(wanted)) = self;
        if word.is_ascii() && wanted.is_ascii() {
            let (word, wanted) = (word.as_bytes(), wanted.as_bytes());
            return match self {
                _ if word.len() < wanted.len() => false,
                Shape::Word(_) => word.eq_ignore_ascii_case(wanted),
                Shape::Prefix(_) => word[..wanted.len()].eq_ignore_ascii_case(wanted),
                Shape::Suffix(_) => word[word.len() - wanted.len()..].eq_ignore_ascii_case(wanted),
                Shape::Inside(_) => {
                    fold_into(word, lower);
                    lower.as_bytes().find(wanted).is_some()
                }
            };
        }
        lower.clear();
        lower.extend(word.chars().flat_map(char::to_lowercase));
        match self {
            Shape::Word(wanted) => lower == wanted,
            Shape::Prefix(wanted) => lower.starts_with(wanted.as_str()),
            Shape::Suffix(wanted) => lower.ends_with(wanted.as_str()),
            Shape::Inside(wanted) => lower.contains(wanted.as_str()),
        }
    }
}

fn fold_into(word: &[u8], lower: &mut String) {
    lower.clear();
    lower.extend(
        word.iter()
            .map(|byte| char::from(byte.to_ascii_lowercase())),
    );
}

/// Runs of letters, digits and `_`; what is no UTF-8 separates.
#[derive(Clone)]
struct Words<'t> {
    rest: &'t [u8],
}

impl<'t> Iterator for Words<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let mut at = 0;
        let mut start = None;
        while at < self.rest.len() {
            let (is_word, size) = match self.rest[at] {
                byte @ 0..0x80 => (byte.is_ascii_alphanumeric() || byte == b'_', 1),
                _ => match bstr::decode_utf8(&self.rest[at..]) {
                    (Some(char), size) => (char.is_alphanumeric(), size),
                    (None, size) => (false, size.max(1)),
                },
            };
            match (start, is_word) {
                (None, true) => start = Some(at),
                (Some(_), false) => break,
                _ => {}
            }
            at += size;
        }
        let (word, rest) = self.rest.split_at(at);
        self.rest = rest;
        // Every character of it was decoded above.
        start.and_then(|start| std::str::from_utf8(&word[start..]).ok())
    }
}
