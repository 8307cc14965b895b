//! Segments in parallel, largest first; neighbours merge as soon as both are there.
//!
//! A run of neighbours is handed on when its stream is through, or earlier when it has grown heavy: memory is bounded
//! by a few heavy runs, not by the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::message::SegmentRange;

/// One segment to scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    pub stream: u32,
    pub segment: u32,
    /// About how much there is to read: what to begin with.
    pub weight: u64,
}

/// What a segment or a run of them gave.
pub trait Yield: Send {
    /// `self` is of the segments just before `right`.
    fn merge(self, right: Self) -> Self;

    /// About how many bytes it holds.
    fn weight(&self) -> u64;
}

/// Scans all work on `threads` threads; calls `scan` for each segment and `hand_on` for merged runs. Stops early where
/// `hand_on` says that nobody listens any more. `idle` is called by each thread that has nothing left to do, if it ever had.
pub fn scan<Y: Yield>(
    mut work: Vec<Work>,
    threads: usize,
    heavy: u64,
    scan: &(dyn Fn(Work) -> Y + Sync),
    hand_on: &(dyn Fn(SegmentRange, Y) -> bool + Sync),
    idle: &(dyn Fn() + Sync),
) {
    let joiner = Joiner::new(&work, heavy);
    work.sort_by_key(|work| (std::cmp::Reverse(work.weight), work.stream, work.segment));
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let worker = || {
        let mut has_worked = false;
        while !stopped.load(Ordering::Relaxed) {
            let Some(&work) = work.get(next.fetch_add(1, Ordering::Relaxed)) else {
                if has_worked {
                    idle();
                }
                return;
            };
            has_worked = true;
            let fruit = scan(work);
            if let Some((range, fruit)) = joiner.join(work, fruit)
                && !hand_on(range, fruit)
            {
                stopped.store(true, Ordering::Relaxed);
            }
        }
    };
    rayon::scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| worker());
        }
        worker();
    });
}

/// Merges neighbours and knows when a run is ready.
struct Joiner<Y> {
    heavy: u64,
    runs: Mutex<BTreeMap<(u32, u32), Run<Y>>>,
    /// The segments that are still to come, by stream.
    waiting: Mutex<BTreeMap<u32, BTreeSet<u32>>>,
}

struct Run<Y> {
    end: u32,
    fruit: Y,
}

impl<Y: Yield> Joiner<Y> {
    fn new(work: &[Work], heavy: u64) -> Joiner<Y> {
        let mut waiting: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for work in work {
            waiting.entry(work.stream).or_default().insert(work.segment);
        }
        Joiner {
            heavy,
            runs: Mutex::new(BTreeMap::new()),
            waiting: Mutex::new(waiting),
        }
    }

    /// Takes in what a segment gave; gives a run that nothing more can join, or that is heavy.
    fn join(&self, work: Work, fruit: Y) -> Option<(SegmentRange, Y)> {
        let (mut first, mut end, mut fruit) = (work.segment, work.segment + 1, fruit);
        loop {
            // Merging is done outside the lock: neighbours are taken out, and what has come meanwhile is looked for again.
            let (left, right) = {
                let mut runs = self.runs.lock().expect("no holder panics");
                let left = runs
                    .range((work.stream, 0)..(work.stream, first))
                    .next_back();
                let left = left.filter(|(_, run)| run.end == first).map(|(&at, _)| at);
                let left = left.and_then(|at| Some((at.1, runs.remove(&at)?)));
                let right = runs.remove(&(work.stream, end));
                if left.is_none() && right.is_none() {
                    let mut waiting = self.waiting.lock().expect("no holder panics");
                    let waiting = waiting.entry(work.stream).or_default();
                    waiting.remove(&work.segment);
                    let joins = first
                        .checked_sub(1)
                        .is_some_and(|before| waiting.contains(&before))
                        || waiting.contains(&end);
                    let range = SegmentRange {
                        stream: work.stream,
                        first,
                        end,
                    };
                    if !joins || fruit.weight() >= self.heavy {
                        return Some((range, fruit));
                    }
                    runs.insert((work.stream, first), Run { end, fruit });
                    return None;
                }
                (left, right)
            };
            if let Some((at, run)) = left {
                first = at;
                fruit = run.fruit.merge(fruit);
            }
            if let Some(run) = right {
                end = run.end;
                fruit = fruit.merge(run.fruit);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Yield for Vec<u32> {
        fn merge(mut self, right: Self) -> Self {
            self.extend(right);
            self
        }

        fn weight(&self) -> u64 {
            self.len() as u64
        }
    }

    #[test]
    fn runs_cover_every_segment_once_and_in_order() {
        for (threads, heavy) in [(1, u64::MAX), (4, u64::MAX), (3, 5), (2, 1)] {
            let work: Vec<Work> = (0..3)
                .flat_map(|stream| {
                    (0..40).map(move |segment| Work {
                        stream,
                        segment,
                        weight: u64::from(segment * 7 % 11),
                    })
                })
                .filter(|work| work.stream != 1 || !(10..13).contains(&work.segment))
                .collect();
            let runs = Mutex::new(Vec::new());
            scan(
                work.clone(),
                threads,
                heavy,
                &|work| vec![work.segment],
                &|range, fruit: Vec<u32>| {
                    assert_eq!(fruit, (range.first..range.end).collect::<Vec<_>>());
                    runs.lock().unwrap().push(range);
                    true
                },
                &|| {},
            );
            let mut seen: Vec<(u32, u32)> = runs
                .into_inner()
                .unwrap()
                .iter()
                .flat_map(|run| (run.first..run.end).map(|at| (run.stream, at)))
                .collect();
            seen.sort_unstable();
            assert_eq!(
                seen,
                work.iter()
                    .map(|work| (work.stream, work.segment))
                    .collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn a_runner_that_is_gone_stops_the_scan() {
        let work = (0..100)
            .map(|segment| Work {
                stream: segment,
                segment: 0,
                weight: 1,
            })
            .collect();
        let scanned = AtomicUsize::new(0);
        let count = |work: Work| {
            scanned.fetch_add(1, Ordering::Relaxed);
            vec![work.segment]
        };
        scan(work, 1, 1, &count, &|_, _| false, &|| {});
        assert_eq!(scanned.load(Ordering::Relaxed), 1);
    }
}
