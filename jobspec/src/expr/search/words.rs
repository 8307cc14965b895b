//! One walk over a text's words, holding them against all terms.

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
    let (mut lower, mut lower_after) = (Lower::default(), Lower::default());
    let mut words = Words { rest: text };
    while missing > 0 {
        let Some(word) = words.next() else { break };
        lower.is_done = false;
        for (term, found) in terms.iter().zip(&mut *found) {
            if *found {
                continue;
            }
            let Some((first, rest)) = term.words.split_first() else {
                continue;
            };
            if !first.fits(word, &mut lower) {
                continue;
            }
            let mut after = words.clone();
            *found = rest.iter().all(|shape| {
                lower_after.is_done = false;
                after
                    .next()
                    .is_some_and(|word| shape.fits(word, &mut lower_after))
            });
            missing -= usize::from(*found);
        }
    }
    holds(found)
}

/// A word in lower case, made when first asked for.
#[derive(Default)]
struct Lower {
    text: String,
    is_done: bool,
}

impl Lower {
    fn of(&mut self, word: &str) -> &str {
        if !self.is_done {
            self.is_done = true;
            self.text.clear();
            self.text.extend(word.chars().flat_map(char::to_lowercase));
        }
        &self.text
    }
}

impl Shape {
    fn fits(&self, word: &str, lower: &mut Lower) -> bool {
        let (Shape::Word(wanted)
        | Shape::Prefix(wanted)
        | Shape::Suffix(wanted)
        | Shape::Inside(wanted)) = self;
        if word.is_ascii() && wanted.is_ascii() {
            let (letters, wanted) = (word.as_bytes(), wanted.as_bytes());
            let size = wanted.len();
            return match self {
                _ if letters.len() < size => false,
                Shape::Word(_) => letters.eq_ignore_ascii_case(wanted),
                Shape::Prefix(_) => letters[..size].eq_ignore_ascii_case(wanted),
                Shape::Suffix(_) => letters[letters.len() - size..].eq_ignore_ascii_case(wanted),
                Shape::Inside(wanted) => lower.of(word).contains(wanted.as_str()),
            };
        }
        let lower = lower.of(word);
        match self {
            Shape::Word(wanted) => lower == wanted,
            Shape::Prefix(wanted) => lower.starts_with(wanted.as_str()),
            Shape::Suffix(wanted) => lower.ends_with(wanted.as_str()),
            Shape::Inside(wanted) => lower.contains(wanted.as_str()),
        }
    }
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
