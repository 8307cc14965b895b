//! `search(text, query)`: words, phrases and wildcards, joined by AND, OR, NOT.

use serde::{Deserialize, Serialize};

/// A query, parsed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Search {
    pub source: String,
}
