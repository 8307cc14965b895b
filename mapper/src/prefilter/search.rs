//! The parts of a prefilter, each of which looks for the next line that may be wanted.

use aho_corasick::{AhoCorasick, MatchKind, packed};
use memchr::memmem::Finder;

use super::Searched;
use super::levels::Levels;
use crate::format::Format;

/// Up to so many needles are looked for one after the other: each alone is several times as quick as all at once.
const FEW: usize = 4;
/// Shorter needles make looking for all at once slow.
const LONG: usize = 3;

#[derive(Debug)]
pub(super) enum Part {
    One(Box<Finder<'static>>),
    /// With vector instructions, where the machine has them.
    Packed(Box<packed::Searcher>),
    Many(AhoCorasick),
    Levels(Levels),
}

impl Part {
    pub fn of_needles(needles: Vec<Vec<u8>>) -> Option<Vec<Part>> {
        let one = |needle: &Vec<u8>| Part::One(Box::new(Finder::new(needle).into_owned()));
        let (long, short): (Vec<_>, Vec<_>) =
            needles.into_iter().partition(|needle| needle.len() >= LONG);
        let mut parts: Vec<Part> = short.iter().map(one).collect();
        if long.len() + parts.len() <= FEW || long.len() == 1 {
            parts.extend(long.iter().map(one));
            return Some(parts);
        }
        let packed = packed::Config::new()
            .match_kind(packed::MatchKind::LeftmostFirst)
            .builder()
            .extend(&long)
            .build();
        parts.push(match packed {
            Some(packed) => Part::Packed(Box::new(packed)),
            None => Part::many(&long)?,
        });
        Some(parts)
    }

    fn many(needles: &[Vec<u8>]) -> Option<Part> {
        let searcher = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostFirst)
            .build(needles);
        searcher.ok().map(Part::Many)
    }

    /// Looks for the first line that may be wanted in a text of whole lines.
    pub fn find(&self, text: &[u8], format: &dyn Format) -> Searched {
        let hit = match self {
            Part::One(finder) => finder.find(text),
            Part::Packed(searcher) => searcher.find(text).map(|found| found.start()),
            Part::Many(searcher) => searcher.find(text).map(|found| found.start()),
            Part::Levels(levels) => return levels.find(text, format),
        };
        Searched {
            hit,
            plain_lines: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use jobspec::plan::FormatName;

    use super::*;
    use crate::format::built_in_of;

    /// Which of them a machine has is not for it to say what is found.
    #[test]
    fn every_way_to_look_for_many_finds_the_same() {
        let format = built_in_of(FormatName::Json, b"");
        let needles: Vec<Vec<u8>> = (0..9)
            .map(|index| format!("needle{index}").into())
            .collect();
        let parts = Part::of_needles(needles.clone()).unwrap();
        let [all] = &parts[..] else {
            panic!("nine needles are looked for at once")
        };
        let many = Part::many(&needles).unwrap();
        for text in [
            "",
            "needle",
            "no needle9\n",
            "needle4 needle2\n",
            "\nneeneedle0",
        ] {
            let found = needles.iter().filter_map(|needle| {
                let needle = std::str::from_utf8(needle).unwrap();
                text.find(needle)
            });
            let first = found.min();
            assert_eq!(all.find(text.as_bytes(), &*format).hit, first, "{text}");
            assert_eq!(many.find(text.as_bytes(), &*format).hit, first, "{text}");
        }
    }
}
