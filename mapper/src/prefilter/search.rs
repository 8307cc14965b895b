//! Several texts looked for at once.

use aho_corasick::{AhoCorasick, MatchKind, packed};
use memchr::memmem::Finder;

/// Finds the first of some needles.
#[derive(Debug)]
pub(super) enum Searcher {
    One(Box<Finder<'static>>),
    /// With vector instructions, where the machine has them.
    Packed(Box<packed::Searcher>),
    Many(AhoCorasick),
}

impl Searcher {
    pub fn new(needles: Vec<Vec<u8>>) -> Option<Searcher> {
        if let [needle] = &needles[..] {
            return Some(Searcher::One(Box::new(Finder::new(needle).into_owned())));
        }
        let packed = packed::Config::new()
            .match_kind(packed::MatchKind::LeftmostFirst)
            .builder()
            .extend(&needles)
            .build();
        match packed {
            Some(packed) => Some(Searcher::Packed(Box::new(packed))),
            None => AhoCorasick::builder()
                .match_kind(MatchKind::LeftmostFirst)
                .build(&needles)
                .ok()
                .map(Searcher::Many),
        }
    }

    pub fn find(&self, text: &[u8]) -> Option<usize> {
        match self {
            Searcher::One(finder) => finder.find(text),
            Searcher::Packed(searcher) => searcher.find(text).map(|found| found.start()),
            Searcher::Many(searcher) => searcher.find(text).map(|found| found.start()),
        }
    }
}
