//! `pick = "tightest"`: the match that ends first, and backwards from its end each step as late as can be.
//!
//! The search of `leftmost` in a mirror, without its further entries: ends are tried in order, and for each the start
//! must stand in a range, whose ends rise with the end.

use std::ops::Range;

use super::chain::{Bounds, Chain, Link};
use super::shape::{Shape, Takes, UNTIL};
use super::track::{Match, Taken, Track};

pub fn tightest(shape: &Shape, track: &Track<'_>) -> Vec<Match> {
    let mut matches = Vec::new();
    let (Some(ends), Some(starts)) = (track.lists.last(), track.lists.first()) else {
        return matches;
    };
    let takes: Vec<Takes> = shape.steps.iter().rev().map(|step| step.takes).collect();
    let bounds: Vec<Vec<Bounds>> = (1..shape.steps.len())
        .rev()
        .map(|step| mirrored(&track.bounds(shape, step), track.lists[step - 1].len()))
        .collect();
    let quiet_starts = track.quiet_starts(shape);
    let quiet_ends = track.quiet_ends(shape);
    // Before each rank of the first step, the last that has silence before it.
    let mut last_quiet = vec![None];
    for (rank, is_quiet) in quiet_starts.iter().enumerate() {
        let before = last_quiet[rank];
        last_quiet.push(if *is_quiet { Some(rank) } else { before });
    }
    let min = shape.steps[0].takes.min;
    // A single first entry is where the way ends; of several the first can be earlier.
    let is_final = |rank: usize| min > 1 || quiet_starts[starts.len() - 1 - rank];
    let chain = Chain::new(&takes, &bounds, &is_final);

    let mut limits = Limits::default();
    // Where the next match may start.
    let mut free = 0;
    let mut way = Vec::new();
    for (end, &at) in ends.iter().enumerate() {
        if at < free || !quiet_ends[end] {
            continue;
        }
        let range = limits.starts(shape, track, at, free);
        if range.is_empty() {
            continue;
        }
        // In the mirror.
        let most = if min > 1 {
            starts.len()
        } else {
            starts.len() - range.start
        };
        let least = if min > 1 { 0 } else { starts.len() - range.end };
        let Some(reached) = chain.way(ends.len() - 1 - end, least..most, &mut way) else {
            continue;
        };
        let last = starts.len() - 1 - reached;
        let start = if min == 1 {
            Some(last).filter(|start| range.contains(start) && quiet_starts[*start])
        } else {
            let latest = (last + 1).saturating_sub(min - 1).min(range.end);
            last_quiet[latest].filter(|start| range.contains(start))
        };
        let Some(start) = start else {
            continue;
        };
        matches.push(found(shape, track, (start, end), &way));
        free = at + 1;
    }
    matches
}

/// Where a match of a given end may start, found by moving forwards only.
#[derive(Default)]
struct Limits {
    seen: usize,
    until: usize,
    /// The first candidate that is within the sequence's `within`.
    begin: usize,
    /// The first one after the end that breaks the silence of an absent last step.
    broken: usize,
    /// The first from which the silence would last until there.
    heard: usize,
    starts: Range<usize>,
}

impl Limits {
    /// The ranks of the first step among which the first entry must be; `free` is what the match before leaves.
    fn starts(&mut self, shape: &Shape, track: &Track<'_>, at: usize, free: usize) -> Range<usize> {
        let count = track.candidates.len();
        let passed = self.seen..at + 1;
        self.until = passed
            .rev()
            .find(|&at| track.has(at, UNTIL))
            .unwrap_or(self.until);
        self.seen = at + 1;
        while self.begin < at && !track.is_within(self.begin, at, shape.within_ns) {
            self.begin += 1;
        }
        let mut end = count;
        if shape.after_first != 0 {
            self.broken = self.broken.max(at + 1);
            while self.broken < count && !track.has(self.broken, shape.after_first | UNTIL) {
                self.broken += 1;
            }
            if self.broken < count && track.candidates[self.broken].time_ns().is_some() {
                while self.heard < self.broken
                    && !track.is_within(self.heard, self.broken, shape.within_ns)
                {
                    self.heard += 1;
                }
                end = self.heard;
            }
        }
        let begin = free.max(self.until).max(self.begin);
        let list = &track.lists[0];
        while list.get(self.starts.start).is_some_and(|&at| at < begin) {
            self.starts.start += 1;
        }
        while list.get(self.starts.end).is_some_and(|&at| at < end) {
            self.starts.end += 1;
        }
        self.starts.clone()
    }
}

/// The bounds of a step turned round: for each entry of the step before, from its last, where this step can begin.
fn mirrored(bounds: &[Bounds], before: usize) -> Vec<Bounds> {
    let (mut low, mut high) = (bounds.len(), bounds.len());
    let ends = (0..before).rev();
    ends.map(|end| {
        while low > 0 && bounds[low - 1].high > end {
            low -= 1;
        }
        while high > 0 && bounds[high - 1].low > end {
            high -= 1;
        }
        Bounds {
            low: bounds.len() - high,
            high: bounds.len() - low,
        }
    })
    .collect()
}

/// The whole match, from the way backwards.
fn found(shape: &Shape, track: &Track<'_>, ends: (usize, usize), way: &[Link]) -> Match {
    let (start, mut last) = ends;
    let mut found = Vec::with_capacity(way.len() + 1);
    for (step, link) in (0..shape.steps.len()).rev().zip(way) {
        let min = shape.steps[step].takes.min;
        let first = match min {
            1 => last,
            // Earlier only where what comes before is too far from it otherwise.
            _ => {
                let latest = track.lists[step].len() - 1 - link.bounds.low;
                (last + 1).saturating_sub(min).min(latest)
            }
        };
        found.push(taken(first, last, min));
        last = track.lists[step - 1].len() - 1 - link.to;
    }
    found.push(taken(start, last, shape.steps[0].takes.min));
    found.reverse();
    found
}

/// The first entry, and the others in a row up to the last.
fn taken(first: usize, last: usize, min: usize) -> Taken {
    Taken {
        head: first..first + usize::from(min > 1),
        rest: last + 2 - min.max(2)..last + 1,
    }
}
