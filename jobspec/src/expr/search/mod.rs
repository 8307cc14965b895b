//! `search(text, query)`: words, phrases and wildcards, joined by AND, OR, NOT.
//!
//! A query is parsed when the job is compiled and again as the plan is decoded, into groups of terms that one
//! walk over the text's words answers. A word is a run of letters, digits and `_`; case does not count.

use std::ops::Range;

use serde::{Deserialize, Serialize};

mod query;
mod words;

use query::{Node, Term};

/// A query, parsed.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Search {
    source: String,
    parsed: Box<Parsed>,
}

#[derive(Clone, Debug)]
struct Parsed {
    terms: Vec<Term>,
    tree: Node,
}

/// What is wrong with a query, and where: bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchError {
    pub span: Range<usize>,
    pub message: String,
}

impl Search {
    pub fn new(source: &str) -> Result<Search, SearchError> {
        let (terms, tree) = query::parse(source)?;
        Ok(Search {
            source: source.to_owned(),
            parsed: Box::new(Parsed { terms, tree }),
        })
    }

    pub fn source(&self) -> &str {
        &self.source
    }

    pub fn is_match(&self, text: &[u8]) -> bool {
        let Parsed { terms, tree } = &*self.parsed;
        words::found(terms, text, |found| tree.holds(found))
    }
}

impl PartialEq for Search {
    fn eq(&self, other: &Search) -> bool {
        self.source == other.source
    }
}

impl TryFrom<String> for Search {
    type Error = String;

    fn try_from(source: String) -> Result<Search, String> {
        Search::new(&source).map_err(|error| error.message)
    }
}

impl From<Search> for String {
    fn from(search: Search) -> String {
        search.source
    }
}

#[cfg(test)]
mod tests;
