//! Where the kept part of a stream begins and ends: files by their first times, then a bisection inside a plain one.
//!
//! Every border is proven by what was read at it, whatever the search assumed on its way there: the log may be less
//! sorted than that, and only more of it is kept. What is read is read by the reader of segments itself, so that both
//! have one idea of what an entry is and when.

use super::{Kept, MTIME_GRACE_NS, Span};
use crate::format::Wanted;
use crate::segment::{self, Cut, MAX_LINE, Position, ReadContext};
use crate::stream::{Stream, StreamFile};

/// How finely to search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grain {
    /// Bytes that are looked at first: several entries, so that one with a wrong time decides nothing.
    pub(super) probe_bytes: u64,
    /// What is no larger is not divided further.
    pub(super) least_bytes: u64,
}

pub(super) const GRAIN: Grain = Grain {
    probe_bytes: 8 << 10,
    least_bytes: 256 << 10,
};

/// Bytes without an entry after which a place says nothing, and up to which entries are counted in a file that cannot
/// be read backwards.
const FARTHEST_BYTES: u64 = 1 << 20;

pub(super) struct Search<'a> {
    pub(super) stream: &'a Stream,
    pub(super) span: &'a Span,
    pub(super) context: &'a ReadContext<'a>,
    pub(super) grain: Grain,
}

/// The least and the greatest time at a place.
#[derive(Clone, Copy)]
struct Times {
    least_ns: i64,
    greatest_ns: i64,
}

impl<'a> Search<'a> {
    pub(super) fn new(
        stream: &'a Stream,
        span: &'a Span,
        context: &'a ReadContext<'a>,
    ) -> Search<'a> {
        Search {
            stream,
            span,
            context,
            grain: GRAIN,
        }
    }

    pub(super) fn kept(&self) -> Kept {
        let files = &self.stream.files;
        if self.is_order_doubtful() {
            return Kept::everything();
        }
        let (mut first, mut written_before) = (Position::default(), u32::MAX);
        if let Some(file) = (0..files.len()).rfind(|&file| self.is_before(file)) {
            first = self.first_inside(file);
            if first.offset == 0 && !self.is_searchable(file) && self.is_written_before(file) {
                written_before = file as u32;
                first = head(file + 1);
            }
        }
        let mut end = (0..files.len()).find(|&file| self.is_after(file)).map(head);
        let before_end = end.map_or(files.len(), |end| end.file as usize);
        let last = (0..before_end).rfind(|&file| files[file].size > 0);
        if let Some(file) = last.filter(|&file| file >= first.file as usize) {
            end = self.end_inside(file, first).or(end);
        }
        let is_empty = end.is_some_and(|end| end <= first) || first.file as usize >= files.len();
        if !is_empty || self.span.as_witness {
            end = end.and_then(|end| self.forth(end, self.span.after as usize));
            let back = self.back(first, self.span.before as usize);
            if back.file <= written_before {
                written_before = u32::MAX;
            }
            first = back;
        } else {
            end = Some(end.unwrap_or(first));
        }
        Kept {
            first,
            end,
            written_before,
        }
    }

    /// Whether files were put in the order of first times that are so near to each other that disorder alone may have
    /// turned them round: what the promise says is not of this order then.
    fn is_order_doubtful(&self) -> bool {
        let timed = self.stream.files.iter();
        let timed: Vec<(i64, u32)> = timed
            .filter_map(|file| Some((file.first_ns?, file.place_by_name)))
            .collect();
        timed.windows(2).any(|pair| {
            let is_turned = pair[0].1 > pair[1].1;
            is_turned && pair[1].0.saturating_sub(pair[0].0) <= self.span.disorder_ns
        })
    }

    fn is_before(&self, file: usize) -> bool {
        self.first_ns(file)
            .is_some_and(|ns| self.span.is_before(ns))
    }

    fn is_after(&self, file: usize) -> bool {
        self.first_ns(file).is_some_and(|ns| self.span.is_after(ns))
    }

    fn first_ns(&self, file: usize) -> Option<i64> {
        let logged = self.stream.files[file].first_ns?;
        Some(logged.saturating_sub(self.context.clock_ahead_ns))
    }

    /// Whether all of a file was written before the range. Its modification time counts with a day of grace, and not
    /// where it contradicts the content: copies and archives may have any.
    fn is_written_before(&self, file: usize) -> bool {
        let StreamFile {
            mtime_ns, first_ns, ..
        } = self.stream.files[file];
        let latest_ns = mtime_ns
            .saturating_sub(self.context.clock_ahead_ns)
            .saturating_add(MTIME_GRACE_NS);
        first_ns.is_some_and(|first_ns| first_ns <= mtime_ns) && self.span.is_before(latest_ns)
    }

    /// Whether an entry can be found from any place of the file.
    fn is_searchable(&self, file: usize) -> bool {
        self.stream.files[file].is_plain() && self.context.format.splittable()
    }

    /// The last place found in a file, whose head is before the range, where that still holds.
    fn first_inside(&self, file: usize) -> Position {
        let (mut low, mut high) = (0, self.stream.files[file].size);
        while self.is_searchable(file) && high - low > self.grain.least_bytes {
            let middle = low + (high - low) / 2;
            match self.times_at(file, middle) {
                Some(times) if self.span.is_before(times.greatest_ns) => low = middle,
                _ => high = middle,
            }
        }
        Position {
            file: file as u32,
            offset: low,
        }
    }

    /// The first place found in a file that is after the range; None where there is none.
    fn end_inside(&self, file: usize, first: Position) -> Option<Position> {
        let is_first = file == first.file as usize;
        let mut low = if is_first { first.offset } else { 0 };
        let mut high = self.stream.files[file].size;
        let mut found = None;
        while self.is_searchable(file) && high.saturating_sub(low) > self.grain.least_bytes {
            let middle = low + (high - low) / 2;
            match self.times_at(file, middle) {
                Some(times) if self.span.is_after(times.least_ns) => {
                    high = middle;
                    found = Some(middle);
                }
                _ => low = middle,
            }
        }
        found.map(|offset| Position {
            file: file as u32,
            offset,
        })
    }

    /// The times of the valid entries that begin just after a place of a plain file.
    fn times_at(&self, file: usize, offset: u64) -> Option<Times> {
        let mut alone = Stream {
            log: self.stream.log,
            name: self.stream.name.clone(),
            files: vec![self.stream.files[file].clone()],
        };
        let size = self.stream.files[file].size;
        let mut window = self.grain.probe_bytes;
        loop {
            let end = offset.saturating_add(window);
            // An entry that goes on and on is not followed.
            alone.files[0].size = size.min(end.saturating_add(MAX_LINE as u64));
            let mut times: Option<Times> = None;
            self.read(
                &alone,
                Position { file: 0, offset },
                end,
                &mut |_, valid, time_ns| {
                    if let (true, Some(ns)) = (valid, time_ns) {
                        let known = times.unwrap_or(Times {
                            least_ns: ns,
                            greatest_ns: ns,
                        });
                        times = Some(Times {
                            least_ns: known.least_ns.min(ns),
                            greatest_ns: known.greatest_ns.max(ns),
                        });
                    }
                },
            );
            if times.is_some() || end >= size || window >= FARTHEST_BYTES {
                return times;
            }
            window *= 16;
        }
    }

    /// A place so many entries earlier, or more.
    fn back(&self, mut at: Position, mut entries: usize) -> Position {
        let mut window = self.grain.probe_bytes;
        while entries > 0 && at != Position::default() {
            if at.offset == 0 {
                // What can be read from its head alone is read whole, as many entries as are seen to be in it count.
                at = head(at.file as usize - 1);
                let file = at.file as usize;
                if self.is_searchable(file) {
                    at.offset = self.stream.files[file].size;
                } else {
                    entries = entries.saturating_sub(self.count(at, FARTHEST_BYTES));
                }
                continue;
            }
            let first = Position {
                offset: at.offset.saturating_sub(window),
                ..at
            };
            let found = self.count(first, at.offset);
            if found >= entries {
                return first;
            }
            if first.offset == 0 {
                entries -= found;
                at = first;
            }
            window = window.saturating_mul(4);
        }
        at
    }

    /// A place so many entries later, or more; None is the end of the stream.
    fn forth(&self, mut at: Position, mut entries: usize) -> Option<Position> {
        let mut window = self.grain.probe_bytes;
        while entries > 0 {
            let file = self.stream.files.get(at.file as usize)?;
            let end = at.offset.saturating_add(window);
            let mut seen = 0;
            let mut place = None;
            self.read(self.stream, at, end, &mut |position, _, _| {
                if seen == entries {
                    place = Some(position);
                }
                seen += 1;
            });
            if place.is_some() {
                return place;
            }
            let is_through = match file.is_plain() {
                true => end >= file.size,
                false => window >= FARTHEST_BYTES,
            };
            if is_through {
                entries = entries.saturating_sub(seen);
                at = head(at.file as usize + 1);
                window = self.grain.probe_bytes;
            } else {
                window = window.saturating_mul(4);
            }
        }
        ((at.file as usize) < self.stream.files.len()).then_some(at)
    }

    fn count(&self, first: Position, end: u64) -> usize {
        let mut count = 0;
        self.read(self.stream, first, end, &mut |_, _, _| count += 1);
        count
    }

    /// Reads a segment inside a file: where each entry is, whether it is valid, and its time.
    fn read(
        &self,
        stream: &Stream,
        first: Position,
        end: u64,
        visit: &mut dyn FnMut(Position, bool, Option<i64>),
    ) {
        let cut = Cut {
            first,
            end: Some(Position {
                offset: end,
                ..first
            }),
            after_pruned: false,
        };
        let wanted = Wanted::default();
        let context = ReadContext {
            wanted: &wanted,
            line_counts: None,
            window_bytes: self.grain.probe_bytes as usize,
            ..*self.context
        };
        segment::read(stream, &cut, &context, &mut |entry| {
            let position = Position {
                file: entry.place.file,
                offset: entry.place.offset,
            };
            visit(position, entry.valid, entry.time.map(|time| time.ns));
        });
    }
}

fn head(file: usize) -> Position {
    Position {
        file: file as u32,
        offset: 0,
    }
}
