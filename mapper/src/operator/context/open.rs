//! A segment while its entries come: the same piece that joining its entries one by one would give, in constant time an
//! entry.

use std::collections::VecDeque;

use jobspec::plan::Reach;

use super::piece::{Kept, Piece, Spread, Times};
use super::{Reaches, StreamKey};
use crate::entry::Entry;
use crate::operator::Segment;
use crate::record::EntryRecord;

#[derive(Clone, Debug)]
pub struct Open {
    segment: Segment,
    reach: Reaches,
    count: u64,
    head: u64,
    /// Times of the head.
    head_spread: Spread,
    /// What is kept for good, up to the tail.
    settled: Vec<Kept>,
    /// Where the tail begins.
    tail_start: u64,
    tail: VecDeque<Kept>,
    /// What was last let go of.
    spare: Option<EntryRecord>,
    /// The least and the greatest time from here to the end of the tail, and from every later point on: rising and
    /// falling, each with its ordinal.
    least: VecDeque<(u64, i64)>,
    greatest: VecDeque<(u64, i64)>,
    /// Windows that the tail touches: first and last ordinal, no two of them adjacent.
    windows: VecDeque<(u64, u64)>,
    /// The entries to come that the last match covers, or the matches whose runs go on.
    after_entries: u64,
    after_times: Times,
}

impl Open {
    pub fn new(segment: Segment, reach: Reaches) -> Open {
        let duration_ns = match reach.after {
            Reach::Entries(_) => 0,
            Reach::DurationNs(duration_ns) => duration_ns,
        };
        Open {
            segment,
            reach,
            count: 0,
            head: 0,
            head_spread: Spread::default(),
            settled: Vec::new(),
            tail_start: 0,
            tail: VecDeque::new(),
            spare: None,
            least: VecDeque::new(),
            greatest: VecDeque::new(),
            windows: VecDeque::new(),
            after_entries: 0,
            after_times: Times::new(duration_ns),
        }
    }

    pub fn push(&mut self, entry: &Entry<'_>, is_match: bool) {
        let time_ns = entry.time.map(|time| time.ns);
        // No match is among them, and none reaches so far.
        self.count += entry.skipped;
        let ordinal = self.count;
        self.count += 1;
        let is_head = self.extend_head(ordinal, time_ns);
        let is_after = self.is_after(time_ns);
        self.move_tail(ordinal, time_ns);
        if is_match {
            self.start_after(time_ns);
            self.cover(self.reach_back(ordinal, time_ns), ordinal);
        } else if is_after {
            self.cover(ordinal, ordinal);
        }
        if is_match || is_after || is_head || self.tail_start <= ordinal {
            let record = EntryRecord::in_place_of(self.spare.take(), entry);
            self.tail.push_back(Kept {
                ordinal,
                is_match,
                is_covered: false,
                record,
            });
        }
        while self
            .tail
            .front()
            .is_some_and(|kept| kept.ordinal < self.tail_start)
        {
            self.settle_first();
        }
    }

    pub fn close(mut self) -> (StreamKey, Piece) {
        while !self.tail.is_empty() {
            self.settle_first();
        }
        let Segment {
            host,
            log,
            stream,
            index,
        } = self.segment;
        let piece = Piece {
            first: index,
            last: index,
            count: self.count,
            head: self.head,
            tail: self.count - self.tail_start,
            kept: self.settled,
        };
        ((host, log, stream), piece)
    }

    pub fn bytes(&self) -> usize {
        self.settled.iter().chain(&self.tail).map(Kept::bytes).sum()
    }

    fn extend_head(&mut self, ordinal: u64, time_ns: Option<i64>) -> bool {
        let is_head = self.head == ordinal
            && match self.reach.after {
                Reach::Entries(most) => ordinal < u64::from(most),
                Reach::DurationNs(duration_ns) => time_ns.is_some_and(|ns| {
                    self.head_spread.add(ns);
                    self.head_spread.is_within(duration_ns)
                }),
            };
        self.head += u64::from(is_head);
        is_head
    }

    /// Whether the entry lies behind a match, within its reach.
    fn is_after(&mut self, time_ns: Option<i64>) -> bool {
        match self.reach.after {
            Reach::Entries(_) => {
                let is_after = self.after_entries > 0;
                self.after_entries -= u64::from(is_after);
                is_after
            }
            Reach::DurationNs(_) => !self.after_times.is_empty() && self.after_times.pass(time_ns),
        }
    }

    fn start_after(&mut self, time_ns: Option<i64>) {
        match (self.reach.after, time_ns) {
            (Reach::Entries(most), _) => self.after_entries = most.into(),
            (Reach::DurationNs(_), Some(ns)) => self.after_times.insert(ns),
            (Reach::DurationNs(_), None) => {}
        }
    }

    fn move_tail(&mut self, ordinal: u64, time_ns: Option<i64>) {
        match (self.reach.before, time_ns) {
            (Reach::Entries(most), _) => self.tail_start = self.count.saturating_sub(most.into()),
            (Reach::DurationNs(_), None) => {
                self.tail_start = self.count;
                self.least.clear();
                self.greatest.clear();
            }
            (Reach::DurationNs(duration_ns), Some(ns)) => {
                while self.least.back().is_some_and(|(_, least)| *least >= ns) {
                    self.least.pop_back();
                }
                while self
                    .greatest
                    .back()
                    .is_some_and(|(_, greatest)| *greatest <= ns)
                {
                    self.greatest.pop_back();
                }
                self.least.push_back((ordinal, ns));
                self.greatest.push_back((ordinal, ns));
                while let (Some(&(least_at, least)), Some(&(greatest_at, greatest))) =
                    (self.least.front(), self.greatest.front())
                {
                    if greatest.saturating_sub(least) <= duration_ns.saturating_mul(2) {
                        break;
                    }
                    self.tail_start = least_at.min(greatest_at) + 1;
                    for ends in [&mut self.least, &mut self.greatest] {
                        while ends.front().is_some_and(|(at, _)| *at < self.tail_start) {
                            ends.pop_front();
                        }
                    }
                }
            }
        }
    }

    /// The first entry that a match covers.
    fn reach_back(&self, ordinal: u64, time_ns: Option<i64>) -> u64 {
        match (self.reach.before, time_ns) {
            (Reach::Entries(most), _) => ordinal.saturating_sub(most.into()),
            (Reach::DurationNs(_), None) => ordinal,
            (Reach::DurationNs(duration_ns), Some(ns)) => {
                // The last entry that is too early or too late breaks the run; each is the end of what it was before.
                let early = self
                    .least
                    .partition_point(|(_, least)| ns.saturating_sub(*least) > duration_ns);
                let late = self
                    .greatest
                    .partition_point(|(_, greatest)| greatest.saturating_sub(ns) > duration_ns);
                let after = |ends: &VecDeque<(u64, i64)>, count: usize| match count {
                    0 => self.tail_start,
                    _ => ends[count - 1].0 + 1,
                };
                after(&self.least, early).max(after(&self.greatest, late))
            }
        }
    }

    /// Adds a window that ends at the last entry.
    fn cover(&mut self, mut first: u64, last: u64) {
        while let Some(&(start, end)) = self.windows.back()
            && end + 1 >= first
        {
            first = first.min(start);
            self.windows.pop_back();
        }
        self.windows.push_back((first, last));
    }

    fn settle_first(&mut self) {
        let Some(mut kept) = self.tail.pop_front() else {
            return;
        };
        while self
            .windows
            .front()
            .is_some_and(|(_, end)| *end < kept.ordinal)
        {
            self.windows.pop_front();
        }
        kept.is_covered = self
            .windows
            .front()
            .is_some_and(|(start, _)| *start <= kept.ordinal);
        if kept.is_covered || kept.ordinal < self.head || kept.ordinal >= self.tail_start {
            self.settled.push(kept);
        } else {
            self.spare = Some(kept.record);
        }
    }
}
