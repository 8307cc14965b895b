//! What becomes of a whole entry: whose it is, when it was, who sees it, and how it is counted.

use std::mem;

use jobspec::plan::FormatName;
use jobspec::value::Time;

use super::waiting::{Held, Waiting};
use super::{Cut, Position, ReadContext};
use crate::entry::{Entry, Place, Source};
use crate::format::{Parsed, Stamp};
use crate::stream::Stream;
use crate::tally::{FileTally, StreamTally};
use crate::time::{TimeReader, YearRule};

pub(super) struct Sink<'a> {
    stream: &'a Stream,
    cut: &'a Cut,
    context: &'a ReadContext<'a>,
    /// Whether the entries that come are this segment's: from the head of the stream, or from the first entry with
    /// a time of its own, or from the first one where none can have any.
    pub(super) started: bool,
    is_timeless: bool,
    /// The time of the entry before; None at the head of a stream and after a file not read to its end.
    inherited: Option<Time>,
    waiting: Waiting,
    parsed: Parsed<'static>,
    /// Entries passed over since the last one that was shown.
    skipped: u64,
    /// By file, from the first of the segment on.
    files: Vec<FileState>,
}

/// What the entries of one file share.
struct FileState {
    source: Source,
    times: TimeReader,
    tally: FileTally,
    /// Valid entries that fit another format than the chosen one.
    fitted: [u64; FormatName::ALL.len()],
}

/// A whole entry but for its text.
#[derive(Clone, Copy)]
pub(super) struct Whole {
    pub(super) position: Position,
    pub(super) number: u64,
    /// Continuation lines with nothing before them.
    pub(super) orphan: bool,
    /// Bytes of the stream that the reader saw before it.
    pub(super) distance: u64,
    /// Serves where the entry has no time of its own.
    pub(super) wrapper_time: Option<Time>,
}

#[derive(Clone, Copy, PartialEq)]
pub(super) enum Verdict {
    Ours,
    /// Of the segment before.
    Before,
    /// The first of the next segment: this one is read.
    Next,
}

impl<'a> Sink<'a> {
    pub(super) fn new(stream: &'a Stream, cut: &'a Cut, context: &'a ReadContext<'a>) -> Sink<'a> {
        Sink {
            stream,
            cut,
            context,
            started: cut.first == Position::default(),
            is_timeless: context.format.is_timeless(),
            inherited: None,
            waiting: Waiting::default(),
            parsed: Parsed::default(),
            skipped: 0,
            files: Vec::new(),
        }
    }

    pub(super) fn is_beyond(&self, position: Position) -> bool {
        self.cut.end.is_some_and(|end| position >= end)
    }

    /// `passed` is the text of lines that were passed over since the entry before: one without a time asks them.
    pub(super) fn take(
        &mut self,
        raw: &[u8],
        whole: Whole,
        passed: &[u8],
        visit: &mut dyn FnMut(&Entry<'_>),
    ) -> Verdict {
        let mut parsed: Parsed<'_> = mem::take(&mut self.parsed);
        self.parse(raw, &whole, &mut parsed);
        let own = own_time(&parsed, &whole, self.context);
        let is_anchor = parsed.valid && (own.is_some() || self.is_timeless);
        let verdict = match self.started {
            false if !is_anchor => Verdict::Before,
            _ if is_anchor && self.is_beyond(whole.position) => Verdict::Next,
            _ => Verdict::Ours,
        };
        if verdict == Verdict::Before {
            self.parsed = parsed.recycle();
            return verdict;
        }
        self.started = true;
        match own {
            Some(_) if self.inherited.is_none() => self.lend(own, whole.distance, visit),
            None if self.inherited.is_none() && !self.is_timeless => {
                self.parsed = parsed.recycle();
                self.lend(None, whole.distance, visit);
                self.waiting.push(raw, whole);
                return verdict;
            }
            _ => {}
        }
        if verdict == Verdict::Ours {
            if own.is_none() {
                self.inherit_from(whole.position.file, passed);
            }
            // Not by way of the field: what was just written in parts is slow to read as a whole.
            let time = own.or(self.inherited);
            self.inherited = time;
            self.emit(raw, &whole, &parsed, time, visit);
        }
        self.parsed = parsed.recycle();
        verdict
    }

    /// Whether an entry may go uncounted but for its shape: it is this segment's, and knows whose time it would inherit,
    /// or that nobody has one.
    pub(super) fn can_pass(&self) -> bool {
        self.started && (self.is_timeless || self.inherited.is_some())
    }

    /// Entries that were ruled out unparsed.
    pub(super) fn pass(&mut self, file: u32, bytes: u64, lines: u64) {
        self.skipped += lines;
        let tally = self.tally(file);
        tally.bytes += bytes;
        tally.lines += lines;
        tally.entries += lines;
        tally.unparsed += lines;
    }

    /// Learns the time that the next entry would inherit of lines that were passed over; their text ends with a LF.
    pub(super) fn inherit_from(&mut self, file: u32, mut passed: &[u8]) {
        if self.is_timeless {
            return;
        }
        while let Some(text) = passed.strip_suffix(b"\n") {
            let start = memchr::memrchr(b'\n', text).map_or(0, |found| found + 1);
            let line = &text[start..];
            let raw = line.strip_suffix(b"\r").unwrap_or(line);
            let whole = Whole {
                position: Position { file, offset: 0 },
                number: 0,
                orphan: false,
                distance: 0,
                wrapper_time: None,
            };
            let mut parsed: Parsed<'_> = mem::take(&mut self.parsed);
            self.parse(raw, &whole, &mut parsed);
            let own = own_time(&parsed, &whole, self.context);
            self.parsed = parsed.recycle();
            if let Some(time) = own {
                self.tally(file).see_time(time);
                self.inherited = own;
                return;
            }
            passed = &passed[..start];
        }
    }

    /// At the end, and before bytes that are missing: what waits has no time, and nobody inherits one.
    pub(super) fn break_off(&mut self, visit: &mut dyn FnMut(&Entry<'_>)) {
        self.inherited = None;
        self.lend(None, u64::MAX, visit);
    }

    /// Gives the time to those that wait and are near enough; those that are too far from `distance` go without.
    fn lend(&mut self, time: Option<Time>, distance: u64, visit: &mut dyn FnMut(&Entry<'_>)) {
        while let Some(held) = self.waiting.pop_beyond(distance) {
            self.emit_held(held, None, visit);
        }
        if time.is_some() {
            while let Some(held) = self.waiting.pop() {
                self.emit_held(held, time, visit);
            }
        }
    }

    fn emit_held(&mut self, held: Held, time: Option<Time>, visit: &mut dyn FnMut(&Entry<'_>)) {
        // The queue lends its bytes while everything else of the sink is at work.
        let mut waiting = mem::take(&mut self.waiting);
        let raw = waiting.text(&held);
        let mut parsed: Parsed<'_> = mem::take(&mut self.parsed);
        // It waits as it has no time: to look for one again could take longer than all else.
        let file = held.whole.position.file;
        self.file(file).times.set_blind(true);
        self.parse(raw, &held.whole, &mut parsed);
        self.file(file).times.set_blind(false);
        self.emit(raw, &held.whole, &parsed, time, visit);
        self.parsed = parsed.recycle();
        self.waiting = waiting;
    }

    #[inline(always)]
    fn parse<'r>(&mut self, raw: &'r [u8], whole: &Whole, parsed: &mut Parsed<'r>) {
        let (wanted, format) = (self.context.wanted, self.context.format);
        parsed.clear(wanted);
        let file = self.file(whole.position.file);
        format.parse(raw, wanted, &mut file.times, parsed);
        parsed.valid &= !whole.orphan;
    }

    #[inline(always)]
    fn emit(
        &mut self,
        raw: &[u8],
        whole: &Whole,
        parsed: &Parsed<'_>,
        time: Option<Time>,
        visit: &mut dyn FnMut(&Entry<'_>),
    ) {
        let context = self.context;
        let skipped = mem::take(&mut self.skipped);
        let Position { file, offset } = whole.position;
        let state = self.file(file);
        let tally = &mut state.tally;
        tally.entries += 1;
        match time {
            Some(time) => tally.see_time(time),
            None => tally.untimed += 1,
        }
        if !parsed.valid {
            tally.see_malformed(offset, raw);
        } else if let Some(format) = parsed.fitted {
            state.fitted[format as usize] += 1;
        }
        visit(&Entry {
            place: Place {
                time_ns: time.map_or(Place::UNTIMED, |time| time.ns),
                host: context.host_index,
                log: context.log_index,
                stream: context.stream_index,
                file,
                offset,
            },
            source: &state.source,
            time,
            level: parsed.level,
            message: parsed.message,
            raw,
            line: whole.number,
            valid: parsed.valid,
            skipped,
            fields: &parsed.fields,
            format: context.format,
        });
    }

    pub(super) fn tally(&mut self, file: u32) -> &mut FileTally {
        &mut self.file(file).tally
    }

    #[inline]
    fn file(&mut self, file: u32) -> &mut FileState {
        let index = (file - self.cut.first.file) as usize;
        if index >= self.files.len() {
            self.begin_files(index);
        }
        &mut self.files[index]
    }

    #[cold]
    fn begin_files(&mut self, last: usize) {
        let first = self.cut.first.file;
        while self.files.len() <= last {
            let next = &self.stream.files[first as usize + self.files.len()];
            let year = match self.context.year {
                Some(year) => YearRule::Fixed(year),
                None => YearRule::LatestBefore {
                    mtime_ns: next.mtime_ns,
                },
            };
            self.files.push(FileState {
                source: Source {
                    host: self.context.host.to_owned(),
                    log: self.context.log.to_owned(),
                    file: next.path.to_string(),
                },
                times: TimeReader::new(self.context.timezone, year),
                tally: FileTally::default(),
                fitted: [0; FormatName::ALL.len()],
            });
        }
    }

    pub(super) fn into_tally(self) -> StreamTally {
        let mut tally = StreamTally::default();
        for (index, state) in self.files.into_iter().enumerate() {
            let mut file = state.tally;
            let chosen = file.parsed() - state.fitted.iter().sum::<u64>();
            let chosen = (self.context.format.name(), chosen);
            let others =
                FormatName::ALL.map(|format| (format.name(), state.fitted[format as usize]));
            for (name, entries) in others.into_iter().chain([chosen]) {
                if entries > 0 {
                    *file.formats.entry(name.to_owned()).or_default() += entries;
                }
            }
            if file != FileTally::default() {
                tally.files.insert(self.cut.first.file + index as u32, file);
            }
        }
        tally
    }
}

fn own_time(parsed: &Parsed<'_>, whole: &Whole, context: &ReadContext<'_>) -> Option<Time> {
    let time = match parsed.stamp {
        Stamp::At(time) => time,
        Stamp::None | Stamp::Impossible => whole.wrapper_time?,
    };
    Some(Time {
        ns: time.ns.saturating_sub(context.clock_ahead_ns),
        ..time
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_keep_their_allocation_from_entry_to_entry() {
        let mut parsed = Parsed::default();
        parsed.fields.resize(100, None);
        let place = parsed.fields.as_ptr().addr();
        let recycled = parsed.recycle();
        assert_eq!(recycled.fields.as_ptr().addr(), place);
        assert!(recycled.fields.capacity() >= 100 && recycled.fields.is_empty());
    }
}
