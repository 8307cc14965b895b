//! Segments in parallel, largest first; neighbours merge as soon as both are there.
//!
//! A run of neighbours is handed on when its stream is through, or earlier when it has grown heavy: memory is bounded
//! by a few heavy runs, not by the log.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

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
///
/// `scan` is given what the segments just before gave, where that is at hand: it goes on with it, as if they were one.
pub fn scan<Y: Yield>(
    mut work: Vec<Work>,
    threads: usize,
    heavy: u64,
    scan: &(dyn Fn(Work, Option<Y>) -> Y + Sync),
    hand_on: &(dyn Fn(SegmentRange, Y) -> bool + Sync),
    idle: &(dyn Fn() + Sync),
) {
    let joiner = Joiner::new(&work, heavy);
    work.sort_by_key(|work| (std::cmp::Reverse(work.weight), work.stream, work.segment));
    let queue = Mutex::new(Queue::new(work));
    let stopped = AtomicBool::new(false);
    let worker = || {
        let mut last = None;
        while !stopped.load(Ordering::Relaxed) {
            let claimed = queue.lock().expect("no holder panics").claim(last);
            let Some((place, work)) = claimed else {
                if last.is_some() {
                    idle();
                }
                return;
            };
            last = Some(place);
            let left = joiner.take_left(work);
            let (first, left) = left.map_or((work.segment, None), |(at, left)| (at, Some(left)));
            let range = SegmentRange {
                stream: work.stream,
                first,
                end: work.segment + 1,
            };
            let fruit = scan(work, left);
            if let Some((range, fruit)) = joiner.join(range, fruit)
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

/// What is still to be scanned, heavy segments first. A thread goes on with the neighbour of what it has just done, and
/// another begins in the middle of what is left of a stream, so that few runs have to be merged.
struct Queue {
    work: Vec<Work>,
    taken: Vec<bool>,
    /// Everything before is taken.
    first: usize,
}

impl Queue {
    fn new(work: Vec<Work>) -> Queue {
        Queue {
            taken: vec![false; work.len()],
            work,
            first: 0,
        }
    }

    fn claim(&mut self, last: Option<usize>) -> Option<(usize, Work)> {
        let next = last.map(|last| last + 1);
        let next = next.filter(|next| self.follows(*next) && !self.taken[*next]);
        let place = match next {
            Some(next) => next,
            None => self.elsewhere()?,
        };
        self.taken[place] = true;
        Some((place, self.work[place]))
    }

    /// Whether it is the segment after the one before it in the list.
    fn follows(&self, place: usize) -> bool {
        let pair = (
            place.checked_sub(1).and_then(|at| self.work.get(at)),
            self.work.get(place),
        );
        matches!(pair, (Some(left), Some(right))
            if left.stream == right.stream && left.segment + 1 == right.segment)
    }

    fn elsewhere(&mut self) -> Option<usize> {
        let is_free = |place: &usize| !self.taken[*place];
        self.first = (self.first..self.work.len()).find(is_free)?;
        let first = self.first;
        if !self.follows(first) {
            return Some(first);
        }
        // Somebody is at work just before: half of the longest run of its stream is left to them.
        let stream = self.work[first].stream;
        let (mut longest, mut run) = (first..first + 1, first..first);
        for place in first..self.work.len() {
            if self.work[place].stream != stream {
                break;
            }
            if self.taken[place] {
                run = place + 1..place + 1;
                continue;
            }
            run.end = place + 1;
            if run.len() > longest.len() {
                longest = run.clone();
            }
        }
        Some(longest.start + longest.len() / 2)
    }
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

    /// What the segments just before gave, to be gone on with, and where they begin.
    fn take_left(&self, work: Work) -> Option<(u32, Y)> {
        let mut runs = self.runs.lock().expect("no holder panics");
        let left = runs
            .range((work.stream, 0)..(work.stream, work.segment))
            .next_back();
        let (&at, _) = left.filter(|(_, run)| run.end == work.segment)?;
        let run = runs.remove(&at)?;
        // Whoever ends there waits for it again.
        let mut waiting = self.waiting.lock().expect("no holder panics");
        waiting.entry(work.stream).or_default().insert(at.1);
        Some((at.1, run.fruit))
    }

    /// Takes in what segments gave; gives a run that nothing more can join, or that is heavy.
    fn join(&self, range: SegmentRange, fruit: Y) -> Option<(SegmentRange, Y)> {
        let stream = range.stream;
        let (mut first, mut end, mut fruit) = (range.first, range.end, fruit);
        loop {
            // Merging is done outside the lock: neighbours are taken out, and what has come meanwhile is looked for again.
            let (left, right) = {
                let mut runs = self.runs.lock().expect("no holder panics");
                let left = runs.range((stream, 0)..(stream, first)).next_back();
                let left = left.filter(|(_, run)| run.end == first).map(|(&at, _)| at);
                let left = left.and_then(|at| Some((at.1, runs.remove(&at)?)));
                let right = runs.remove(&(stream, end));
                if left.is_none() && right.is_none() {
                    let mut waiting = self.waiting.lock().expect("no holder panics");
                    let waiting = waiting.entry(stream).or_default();
                    waiting.remove(&range.first);
                    waiting.remove(&(range.end - 1));
                    let joins = first
                        .checked_sub(1)
                        .is_some_and(|before| waiting.contains(&before))
                        || waiting.contains(&end);
                    let range = SegmentRange { stream, first, end };
                    if !joins || fruit.weight() >= self.heavy {
                        return Some((range, fruit));
                    }
                    runs.insert((stream, first), Run { end, fruit });
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
    use std::sync::atomic::AtomicUsize;

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
                &|work, left: Option<Vec<u32>>| match left {
                    Some(left) => left.merge(vec![work.segment]),
                    None => vec![work.segment],
                },
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
    fn a_thread_goes_on_where_it_is() {
        let of = |stream, segment| Work {
            stream,
            segment,
            weight: 1,
        };
        let mut queue = Queue::new(
            (0..8)
                .map(|segment| of(0, segment))
                .chain([of(1, 0)])
                .collect(),
        );
        let mut claim = |last| queue.claim(last).map(|(place, _)| place);
        assert_eq!(claim(None), Some(0));
        // In the middle of what is left: 1 to 7.
        assert_eq!(claim(None), Some(4));
        assert_eq!(
            [claim(Some(0)), claim(Some(4)), claim(Some(5))],
            [1, 5, 6].map(Some)
        );
        assert_eq!([claim(Some(6)), claim(Some(7))], [7, 3].map(Some));
        // What follows it is taken, and so it helps the other.
        assert_eq!([claim(Some(3)), claim(Some(1))], [2, 8].map(Some));
        assert_eq!(claim(Some(2)), None);
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
        let count = |work: Work, _| {
            scanned.fetch_add(1, Ordering::Relaxed);
            vec![work.segment]
        };
        scan(work, 1, 1, &count, &|_, _| false, &|| {});
        assert_eq!(scanned.load(Ordering::Relaxed), 1);
    }
}
