//! One key's candidates as the search for matches sees them: by step, and where silences are broken.

use std::ops::Range;

use super::chain::Bounds;
use super::partial::Candidate;
use super::shape::{Bits, Shape, Silence, UNTIL};

pub struct Track<'a> {
    /// In the total order, so that their times rise and those without one come last.
    pub candidates: &'a [Candidate],
    /// Of each step the candidates that it can take, by their place in `candidates`.
    pub lists: Vec<Vec<usize>>,
}

/// Ranks of what a step takes: its first entries and the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub head: Range<usize>,
    pub rest: Range<usize>,
}

/// What each step takes.
pub type Match = Vec<Taken>;

impl Taken {
    pub fn ranks(&self) -> impl Iterator<Item = usize> + use<> {
        self.head.clone().chain(self.rest.clone())
    }
}

impl<'a> Track<'a> {
    pub fn new(candidates: &'a [Candidate], shape: &Shape) -> Track<'a> {
        let lists = shape.steps.iter().map(|step| {
            let is_of_step = |candidate: &Candidate| {
                // An entry with no time is within nothing.
                candidate.bits & step.bit != 0
                    && (shape.within_ns.is_none() || candidate.time_ns().is_some())
            };
            let places = candidates.iter().enumerate();
            places
                .filter(|(_, candidate)| is_of_step(candidate))
                .map(|(at, _)| at)
                .collect()
        });
        Track {
            candidates,
            lists: lists.collect(),
        }
    }

    pub fn has(&self, at: usize, bits: Bits) -> bool {
        self.candidates[at].bits & bits != 0
    }

    /// Whether the time from one candidate to a later one is known and no longer than this, if it must be at all.
    pub fn is_within(&self, first: usize, last: usize, within_ns: Option<i64>) -> bool {
        let Some(within_ns) = within_ns else {
            return true;
        };
        let times = self.candidates[first]
            .time_ns()
            .zip(self.candidates[last].time_ns());
        times.is_some_and(|(first, last)| last.saturating_sub(first) <= within_ns)
    }

    /// For each entry of a step but the first, where the step before can end if the entry is this step's first: before
    /// it, not longer ago than its `within`, and with nothing between them that must be absent. A later end is always
    /// as good, so that it is a range up to the entry; and its beginning rises with the entry.
    pub fn bounds(&self, shape: &Shape, step: usize) -> Vec<Bounds> {
        let before = &self.lists[step - 1];
        let step_plan = &shape.steps[step];
        let mut bounds = Bounds { low: 0, high: 0 };
        let (mut seen, mut broken) = (0, 0);
        let list = self.lists[step].iter();
        list.map(|&at| {
            while before.get(bounds.high).is_some_and(|&end| end < at) {
                bounds.high += 1;
            }
            if step_plan.silent != 0 {
                let between = seen..at;
                broken = between
                    .rev()
                    .find(|&at| self.has(at, step_plan.silent))
                    .unwrap_or(broken);
                seen = at;
            }
            while bounds.low < bounds.high
                && (before[bounds.low] < broken
                    || !self.is_within(before[bounds.low], at, step_plan.within_ns))
            {
                bounds.low += 1;
            }
            bounds
        })
        .collect()
    }

    /// Which entries of the first step have silence before them.
    pub fn quiet_starts(&self, shape: &Shape) -> Vec<bool> {
        let starts = &self.lists[0];
        let mut quiet = vec![true; starts.len()];
        for silence in &shape.before {
            let (mut seen, mut broken) = (0, None);
            for (quiet, &at) in quiet.iter_mut().zip(starts) {
                let between = seen..at;
                broken = between
                    .rev()
                    .find(|&at| self.has(at, silence.bits))
                    .or(broken);
                seen = at;
                *quiet &= self.candidates[at].time_ns().is_some()
                    && !broken.is_some_and(|broken| self.is_in(silence, broken, at));
            }
        }
        quiet
    }

    /// Which entries of the last step have silence after them, where absent steps measure it from there.
    pub fn quiet_ends(&self, shape: &Shape) -> Vec<bool> {
        let ends = self.lists.last().map_or(&[][..], Vec::as_slice);
        let mut quiet = vec![true; ends.len()];
        for silence in &shape.after_last {
            let (mut seen, mut broken) = (self.candidates.len(), None);
            for (quiet, &at) in quiet.iter_mut().zip(ends).rev() {
                let mut between = at + 1..seen;
                broken = between
                    .find(|&at| self.has(at, silence.bits | UNTIL))
                    .or(broken);
                seen = at + 1;
                *quiet &= self.candidates[at].time_ns().is_some()
                    && !broken.is_some_and(|broken| self.is_in(silence, at, broken));
            }
        }
        quiet
    }

    fn is_in(&self, silence: &Silence, first: usize, last: usize) -> bool {
        self.is_within(first, last, Some(silence.within_ns))
    }
}
