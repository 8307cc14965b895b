//! What is kept of a run of a stream's entries: those that a window covers; of the others the head, as far as a match
//! before the run could reach, and the tail, as far as one after it could.
//!
//! The reach of a duration is the unbroken run of entries whose times lie within it. The times of any such run lie
//! within twice the duration of each other: so far go head and tail, whatever the time of the match will be.

use std::collections::BTreeSet;

use jobspec::plan::Reach;
use serde::{Deserialize, Serialize};

use super::{Reaches, StreamKey};
use crate::record::EntryRecord;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Piece {
    /// Its segments, both inclusive.
    pub first: u32,
    pub last: u32,
    /// Entries of the run, kept or not.
    pub count: u64,
    /// Entries of the head, and of the tail; they may overlap.
    pub head: u64,
    pub tail: u64,
    /// In order.
    pub kept: Vec<Kept>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Place in the run, from 0.
    pub ordinal: u64,
    pub is_match: bool,
    /// By the window of a match of this run; a match covers itself.
    pub is_covered: bool,
    pub record: EntryRecord,
}

impl Kept {
    pub fn bytes(&self) -> usize {
        size_of::<Kept>() + self.record.bytes()
    }

    /// Whether no entry stands between the two.
    fn is_before(&self, next: &Kept) -> bool {
        self.ordinal.checked_add(1) == Some(next.ordinal)
    }

    pub fn time_ns(&self) -> Option<i64> {
        self.record.time().map(|time| time.ns)
    }
}

impl Piece {
    /// What came from outside is joined by its own counts, and shown under the names of its stream.
    pub fn is_sound(&self, key: &StreamKey) -> bool {
        self.first <= self.last
            && self.head <= self.count
            && self.tail <= self.count
            && self.count <= 1 << 60
            && self
                .kept
                .is_sorted_by(|left, right| left.ordinal < right.ordinal)
            && self
                .kept
                .last()
                .is_none_or(|last| last.ordinal < self.count)
            && self.kept.iter().all(|kept| {
                let place = &kept.record.place;
                (place.host, place.log, place.stream) == *key && kept.record.is_sound()
            })
    }

    /// Takes out the windows that no neighbour can reach: on both sides lies an entry that is not kept, as no window will
    /// ever cover it.
    pub fn release(&mut self) -> Vec<Vec<Kept>> {
        let tail_start = self.count - self.tail;
        let follows = |left: &Kept, right: &Kept| left.is_before(right);
        let (mut start, mut end) = (0, 0);
        for run in self.kept.chunk_by(follows) {
            let is_reached_from_left = run[0].ordinal <= self.head;
            let is_reached_from_right = run[run.len() - 1].ordinal.saturating_add(1) >= tail_start;
            if is_reached_from_left {
                start += run.len();
                end = start;
            } else if !is_reached_from_right {
                end += run.len();
            }
        }
        let mut windows: Vec<Vec<Kept>> = Vec::new();
        for kept in self.kept.drain(start..end) {
            match windows.last_mut() {
                Some(window) if window.last().is_some_and(|last| follows(last, &kept)) => {
                    window.push(kept);
                }
                _ => windows.push(vec![kept]),
            }
        }
        windows
    }

    /// The covered entries, window by window.
    pub fn into_windows(self) -> Vec<Vec<Kept>> {
        let mut windows: Vec<Vec<Kept>> = Vec::new();
        let covered = self.kept.into_iter().filter(|kept| kept.is_covered);
        for kept in covered {
            match windows.last_mut() {
                Some(window) if window.last().is_some_and(|last| last.is_before(&kept)) => {
                    window.push(kept);
                }
                _ => windows.push(vec![kept]),
            }
        }
        windows
    }

    /// Joins the run that comes next. Counts are what hosts claim: they end at their type's end.
    pub fn join(&mut self, mut right: Piece, reach: Reaches) {
        self.cover_across(&mut right, reach);
        let head = match self.head == self.count {
            true => self
                .count
                .saturating_add(right.head_after(self, reach.after)),
            false => self.head,
        };
        let tail = match right.tail == right.count {
            true => right
                .count
                .saturating_add(self.tail_before(&right, reach.before)),
            false => right.tail,
        };
        let shift = self.count;
        let count = shift.saturating_add(right.count);
        let stays =
            |kept: &Kept| kept.is_covered || kept.ordinal < head || kept.ordinal >= count - tail;
        // Only the old tail and the old head can hold what is needed no longer.
        let old_tail = self
            .kept
            .partition_point(|kept| kept.ordinal < shift - self.tail);
        let tail_entries = self.kept.split_off(old_tail);
        self.kept.extend(tail_entries.into_iter().filter(stays));
        for kept in &mut right.kept {
            kept.ordinal = kept.ordinal.saturating_add(shift);
        }
        let old_head = shift.saturating_add(right.head);
        let right_entries = right.kept.into_iter();
        self.kept
            .extend(right_entries.filter(|kept| kept.ordinal >= old_head || stays(kept)));
        (self.count, self.head, self.tail, self.last) = (count, head, tail, right.last);
    }

    /// Covers what the matches of either run reach in the other.
    fn cover_across(&mut self, right: &mut Piece, reach: Reaches) {
        let from_left = Alive::of(self.near_end(), reach.after);
        let from_right = Alive::of(right.near_start(), reach.before);
        let count = self.count;
        let back = self.kept.iter_mut().rev().zip(1..);
        from_right.cover(
            back.take_while(|(kept, back)| kept.ordinal.checked_add(*back) == Some(count))
                .map(|(kept, _)| kept),
        );
        let forth = right.kept.iter_mut().zip(0..);
        from_left.cover(
            forth
                .take_while(|(kept, at)| kept.ordinal == *at)
                .map(|(kept, _)| kept),
        );
    }

    /// The kept entries at the start of the run, without a hole.
    fn near_start(&self) -> impl Iterator<Item = &Kept> {
        let kept = self.kept.iter().zip(0..);
        kept.take_while(|(kept, at)| kept.ordinal == *at)
            .map(|(kept, _)| kept)
    }

    /// The same from the end backwards.
    fn near_end(&self) -> impl Iterator<Item = &Kept> {
        let kept = self.kept.iter().rev().zip(1..);
        kept.take_while(|(kept, back)| kept.ordinal.checked_add(*back) == Some(self.count))
            .map(|(kept, _)| kept)
    }

    /// How many entries of this run belong to the head that all of `left` is.
    fn head_after(&self, left: &Piece, reach: Reach) -> u64 {
        match reach {
            Reach::Entries(most) => u64::from(most).saturating_sub(left.count).min(self.count),
            Reach::DurationNs(duration_ns) => {
                further(left.near_start(), self.near_start(), duration_ns)
            }
        }
    }

    /// How many entries of this run belong to the tail that all of `right` is.
    fn tail_before(&self, right: &Piece, reach: Reach) -> u64 {
        match reach {
            Reach::Entries(most) => u64::from(most).saturating_sub(right.count).min(self.count),
            Reach::DurationNs(duration_ns) => {
                further(right.near_end(), self.near_end(), duration_ns)
            }
        }
    }
}

/// Whether a window from outside is one of entries of one stream.
pub fn is_sound_window(window: &[Kept]) -> bool {
    let stream = |kept: &Kept| {
        let place = kept.record.place;
        (place.host, place.log, place.stream)
    };
    !window.is_empty()
        && window
            .iter()
            .all(|kept| stream(kept) == stream(&window[0]) && kept.record.is_sound())
}

/// How many of `more`, after all of `known`, still lie within twice the duration of each other.
fn further<'a>(
    known: impl Iterator<Item = &'a Kept>,
    more: impl Iterator<Item = &'a Kept>,
    duration_ns: i64,
) -> u64 {
    let mut spread = Spread::default();
    known
        .filter_map(Kept::time_ns)
        .for_each(|ns| spread.add(ns));
    let within = more.take_while(|kept| {
        kept.time_ns().is_some_and(|ns| {
            spread.add(ns);
            spread.is_within(duration_ns)
        })
    });
    within.count() as u64
}

/// The least and the greatest of some times.
#[derive(Clone, Copy, Debug, Default)]
pub struct Spread(Option<(i64, i64)>);

impl Spread {
    pub fn add(&mut self, ns: i64) {
        let (least, greatest) = self.0.unwrap_or((ns, ns));
        self.0 = Some((least.min(ns), greatest.max(ns)));
    }

    /// Whether some time could have all of them within the duration.
    pub fn is_within(&self, duration_ns: i64) -> bool {
        self.0.is_none_or(|(least, greatest)| {
            greatest.saturating_sub(least) <= duration_ns.saturating_mul(2)
        })
    }

    fn is_near(&self, ns: i64, duration_ns: i64) -> bool {
        self.0.is_none_or(|(least, greatest)| {
            greatest.saturating_sub(ns) <= duration_ns && ns.saturating_sub(least) <= duration_ns
        })
    }
}

/// Matches whose reach goes on across the border of their run.
enum Alive {
    /// So many entries of the other run.
    Entries(u64),
    /// The times of the matches whose unbroken run goes up to the border.
    Times(Times),
}

impl Alive {
    /// Of the entries from the border on.
    fn of<'a>(entries: impl Iterator<Item = &'a Kept>, reach: Reach) -> Alive {
        match reach {
            Reach::Entries(most) => {
                let distance = entries.take(most as usize).position(|kept| kept.is_match);
                Alive::Entries(distance.map_or(0, |distance| u64::from(most) - distance as u64))
            }
            Reach::DurationNs(duration_ns) => {
                let mut times = Times::new(duration_ns);
                let mut between = Spread::default();
                for kept in entries {
                    let Some(ns) = kept.time_ns().filter(|_| between.is_within(duration_ns)) else {
                        break;
                    };
                    if kept.is_match && between.is_near(ns, duration_ns) {
                        times.insert(ns);
                    }
                    between.add(ns);
                }
                Alive::Times(times)
            }
        }
    }

    /// Covers the entries from the border on, as far as it goes.
    fn cover<'a>(self, entries: impl Iterator<Item = &'a mut Kept>) {
        match self {
            Alive::Entries(most) => entries
                .take(usize::try_from(most).unwrap_or(usize::MAX))
                .for_each(|kept| kept.is_covered = true),
            Alive::Times(mut times) => {
                for kept in entries {
                    if times.is_empty() || !times.pass(kept.time_ns()) {
                        break;
                    }
                    kept.is_covered = true;
                }
            }
        }
    }
}

/// The times of matches whose runs are unbroken so far.
#[derive(Clone, Debug)]
pub struct Times {
    duration_ns: i64,
    times: BTreeSet<i64>,
}

impl Times {
    pub fn new(duration_ns: i64) -> Times {
        Times {
            duration_ns,
            times: BTreeSet::new(),
        }
    }

    pub fn insert(&mut self, ns: i64) {
        self.times.insert(ns);
    }

    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The next entry of the run: breaks the runs that it is too far from, and all of them where it has no time. Whether
    /// any goes on.
    pub fn pass(&mut self, time_ns: Option<i64>) -> bool {
        let Some(ns) = time_ns else {
            self.times.clear();
            return false;
        };
        while self
            .times
            .first()
            .is_some_and(|first| ns.saturating_sub(*first) > self.duration_ns)
        {
            self.times.pop_first();
        }
        while self
            .times
            .last()
            .is_some_and(|last| last.saturating_sub(ns) > self.duration_ns)
        {
            self.times.pop_last();
        }
        !self.times.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::super::open::Open;
    use super::*;
    use crate::operator::Segment;
    use crate::operator::laws::corpus::{Corpus, Event, Random};

    /// Of one segment, with so many entries, the first and the last of them kept.
    fn piece(segment: u32, count: u64, (head, tail): (u64, u64)) -> Piece {
        let corpus = Corpus::random(&mut Random::new(3), 3);
        let mut kept = Vec::new();
        let event = corpus.events().next().expect("there are entries");
        corpus.with_entry(event, |entry| {
            kept = [0, count - 1]
                .map(|ordinal| Kept {
                    ordinal,
                    is_match: true,
                    is_covered: true,
                    record: EntryRecord::new(entry),
                })
                .into();
        });
        Piece {
            first: segment,
            last: segment,
            count,
            head,
            tail,
            kept,
        }
    }

    #[test]
    fn counts_that_no_log_has_end_at_the_greatest() {
        const COUNT: u64 = 1 << 60;
        for reach in [Reach::Entries(3), Reach::DurationNs(1_000_000_000)] {
            let reach = Reaches {
                before: reach,
                after: reach,
            };
            for ends in [(0, 0), (COUNT, 0), (0, COUNT), (COUNT, COUNT)] {
                let mut whole = piece(0, COUNT, ends);
                for segment in 1..40 {
                    whole.join(piece(segment, COUNT, ends), reach);
                    whole.release();
                    assert!(whole.head <= whole.count && whole.tail <= whole.count);
                }
                assert_eq!(whole.count, u64::MAX, "{ends:?}");
                whole.into_windows();
            }
        }
    }

    #[test]
    fn runs_that_are_joined_keep_what_one_run_keeps() {
        for seed in 1..=500 {
            let mut random = Random::new(seed);
            let corpus = Corpus::random(&mut random, 40);
            let events: Vec<&Event> = corpus.events().collect();
            let mut reach = || match random.one_in(2) {
                true => Reach::Entries(random.pick(&[0, 1, 3, 50])),
                false => Reach::DurationNs(random.pick(&[0, 500_000_000, 2_000_000_000])),
            };
            let reach = Reaches {
                before: reach(),
                after: reach(),
            };
            let chance = random.pick(&[2, 7, 30]);
            let matches: Vec<bool> = events.iter().map(|_| random.one_in(chance)).collect();
            let run = |index: u32, range: std::ops::Range<usize>| {
                let segment = Segment {
                    host: 0,
                    log: 0,
                    stream: 0,
                    index,
                };
                let mut open = Open::new(segment, reach);
                for at in range {
                    corpus.with_entry(events[at], |entry| open.push(entry, matches[at]));
                }
                open.close().1
            };
            let mut runs = Vec::new();
            let mut first = 0;
            for next in 0..=events.len() {
                while next == events.len() || random.one_in(4) {
                    runs.push(run(runs.len() as u32, first..next));
                    first = next;
                    if random.one_in(2) {
                        break;
                    }
                }
            }
            while runs.len() > 1 {
                let at = random.below(runs.len() - 1);
                let right = runs.remove(at + 1);
                runs[at].join(right, reach);
            }
            let shown = |run: &Piece| {
                let kept = run.kept.iter();
                let kept = kept.map(|kept| (kept.ordinal, kept.is_match, kept.is_covered));
                (run.count, run.head, run.tail, kept.collect::<Vec<_>>())
            };
            let whole = run(0, 0..events.len());
            assert_eq!(shown(&runs[0]), shown(&whole), "seed {seed}: {reach:?}");
        }
    }
}
