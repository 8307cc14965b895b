//! `pick = "leftmost"`: the earliest start for which the rest can be completed, and each step as early as can be.
//!
//! Starts are tried in order; what limits a match as a whole (`within`, `until`, the silence of absent last steps) is
//! for a given start a range of ranks in which its last entry must stand, and the ends of these ranges rise with the
//! start. The way to the earliest first entry of the last step that is late enough comes from the chain. A step of
//! two entries or more takes the first ones in a row and chooses only the last that it must have: as early as what
//! follows allows. So a match costs its own entries, and a start that leads nowhere a few steps of a binary search.

use std::ops::Range;

use super::chain::{Bounds, Chain, Link};
use super::shape::{Shape, Takes, UNBOUNDED, UNTIL};
use super::track::{Match, Taken, Track};

pub fn leftmost(shape: &Shape, track: &Track<'_>) -> Vec<Match> {
    let mut matches = Vec::new();
    let Some(last) = shape.steps.len().checked_sub(1) else {
        return matches;
    };
    let search = Search::new(shape, track, last);
    let quiet = track.quiet_starts(shape);
    let mut limits = Limits::default();
    // Where the next match may start.
    let mut free = 0;
    let mut way = Vec::new();
    for (start, &at) in track.lists[0].iter().enumerate() {
        if at < free || !quiet[start] {
            continue;
        }
        let Some(ends) = limits.ends(shape, track, at) else {
            continue;
        };
        let Some(rest) = search.last_step(start, &ends, &mut way) else {
            continue;
        };
        let found = search.found(start, &way, rest);
        let end = found.last().map_or(at, |taken| {
            track.lists[last][taken.rest.end.saturating_sub(1)]
        });
        free = end + 1;
        matches.push(found);
    }
    matches
}

/// Where a match of a given start may end, found by moving forwards only.
#[derive(Default)]
struct Limits {
    until: usize,
    /// The first candidate that is not within the sequence's `within`.
    beyond: usize,
    /// The last one within it that breaks the silence of an absent last step.
    broken: usize,
    ends: Range<usize>,
}

impl Limits {
    /// The ranks of the last step among which the last entry must be; None where it must fail.
    fn ends(&mut self, shape: &Shape, track: &Track<'_>, at: usize) -> Option<Range<usize>> {
        let count = track.candidates.len();
        self.until = self.until.max(at + 1);
        while self.until < count && !track.has(self.until, UNTIL) {
            self.until += 1;
        }
        while self.beyond < count
            && (self.beyond <= at || track.is_within(at, self.beyond, shape.within_ns))
        {
            if track.has(self.beyond, shape.after_first) {
                self.broken = self.beyond;
            }
            self.beyond += 1;
        }
        let list = track.lists.last()?;
        let end = self.until.min(self.beyond);
        while list
            .get(self.ends.start)
            .is_some_and(|&at| at < self.broken)
        {
            self.ends.start += 1;
        }
        while list.get(self.ends.end).is_some_and(|&at| at < end) {
            self.ends.end += 1;
        }
        let is_ended = shape.after_first != 0 && self.until < self.beyond;
        (!is_ended && self.ends.start < self.ends.end).then(|| self.ends.clone())
    }
}

struct Search<'a> {
    shape: &'a Shape,
    takes: Takes,
    /// To any first entry of the last step from which all can be well; and to any at all where that depends.
    chain: Chain,
    any: Option<Chain>,
    quiet: Vec<bool>,
    /// From each rank of the last step the first that has silence after it; one more than ranks.
    next_quiet: Vec<usize>,
}

impl<'a> Search<'a> {
    fn new(shape: &'a Shape, track: &Track<'_>, last: usize) -> Search<'a> {
        let takes: Vec<Takes> = shape.steps.iter().map(|step| step.takes).collect();
        let bounds: Vec<Vec<Bounds>> = (1..=last).map(|step| track.bounds(shape, step)).collect();
        let quiet = track.quiet_ends(shape);
        let mut next_quiet = vec![quiet.len(); quiet.len() + 1];
        for rank in (0..quiet.len()).rev() {
            next_quiet[rank] = if quiet[rank] {
                rank
            } else {
                next_quiet[rank + 1]
            };
        }
        let step = takes[last];
        // A single entry with at most so many more after it: its first entry settles where it ends, and whether there
        // is silence.
        let is_settled = step.min == 1 && step.spare != UNBOUNDED;
        let is_final =
            |rank: usize| !is_settled || quiet.get(rank + step.spare).copied().unwrap_or(false);
        let needs_silence = is_settled && !shape.after_last.is_empty();
        let chain = match needs_silence {
            true => Chain::new(&takes, &bounds, &is_final),
            false => Chain::new(&takes, &bounds, &|_| true),
        };
        let any = (needs_silence && step.spare > 0).then(|| Chain::new(&takes, &bounds, &|_| true));
        Search {
            shape,
            takes: step,
            chain,
            any,
            quiet,
            next_quiet,
        }
    }

    /// What the last step takes of the earliest match of this start, `way` being how it is reached.
    fn last_step(&self, start: usize, ends: &Range<usize>, way: &mut Vec<Link>) -> Option<Taken> {
        let Takes { min, spare } = self.takes;
        if min > 1 {
            let first = self.chain.way(start, 0..ends.end, way)?;
            return self.several(first, ends);
        }
        let least = ends.start.saturating_sub(spare);
        if self.any.is_none() {
            let first = self.chain.way(start, least..ends.end, way)?;
            return self.single(first, ends);
        }
        // Either all that it may take come before the limit, or the limit ends it.
        let full = least..ends.end.saturating_sub(spare);
        if let Some(first) = self.chain.way(start, full, way) {
            return self.single(first, ends);
        }
        let cut = ends.end.saturating_sub(spare).max(least)..ends.end;
        let first = self.any.as_ref()?.way(start, cut, way)?;
        self.single(first, ends)
    }

    /// One entry and what may not be skipped after it.
    fn single(&self, first: usize, ends: &Range<usize>) -> Option<Taken> {
        let end = first.saturating_add(self.takes.spare).min(ends.end - 1);
        (ends.contains(&end) && self.quiet[end]).then(|| Taken {
            head: first..first,
            rest: first..end + 1,
        })
    }

    /// The first entries in a row; the last that it must have as early as leaves the end in its limits and in silence.
    fn several(&self, first: usize, ends: &Range<usize>) -> Option<Taken> {
        let Takes { min, spare } = self.takes;
        let least = first.saturating_add(min - 1);
        let end = self.next_quiet[least
            .saturating_add(spare)
            .max(ends.start)
            .min(self.quiet.len())];
        let (must, end) = if end < ends.end {
            (end - spare, end)
        } else {
            // The limit comes before it has taken all that it may.
            let end = ends.end - 1;
            let is_well = least <= end && ends.contains(&end) && self.quiet[end];
            (is_well.then(|| least.max(end.saturating_sub(spare)))?, end)
        };
        Some(Taken {
            head: first..first + min - 1,
            rest: must..end + 1,
        })
    }

    /// The whole match from the way that it takes.
    fn found(&self, start: usize, way: &[Link], rest: Taken) -> Match {
        let mut found = Vec::with_capacity(way.len() + 1);
        let mut first = start;
        for (step, link) in self.shape.steps.iter().zip(way) {
            let Takes { min, spare } = step.takes;
            let must = match min {
                1 => first,
                // Later only where what follows is too far from it otherwise.
                _ => (first + min - 1).max(link.bounds.low.saturating_sub(spare)),
            };
            let end = must.saturating_add(spare).min(link.bounds.high - 1);
            found.push(Taken {
                head: first..first + min - 1,
                rest: must..end + 1,
            });
            first = link.to;
        }
        found.push(rest);
        found
    }
}
