//! One segment read: lines are put together to entries, which the sink takes.

use jobspec::value::Time;

use super::draft::Draft;
use super::lines::{Line, Lines, Next};
use super::passing::Passing;
use super::sink::{Sink, Verdict, Whole};
use super::{Cut, MAX_LINE, Position, ReadContext};
use crate::entry::Entry;
use crate::format::Unwrapped;
use crate::stream::Stream;
use crate::tally::StreamTally;

pub(super) struct Reader<'a> {
    cut: &'a Cut,
    context: &'a ReadContext<'a>,
    lines: Lines<'a>,
    draft: Draft,
    sink: Sink<'a>,
    /// Bytes of lines so far, to measure how far a time is from an entry.
    distance: u64,
    /// Whether the number of the first line beyond the nominal end is known to the next reader.
    told_end: bool,
    /// For wrapped lines: the text, the wrapper's time, and what came after a line that nothing completed.
    unwrapped: Vec<u8>,
    wrapper_time: Option<Time>,
    stashed: Option<Next>,
    /// How lines are ruled out unparsed, where that is possible.
    passing: Option<Passing<'a>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(
        stream: &'a Stream,
        cut: &'a Cut,
        context: &'a ReadContext<'a>,
    ) -> Reader<'a> {
        Reader {
            cut,
            context,
            lines: Lines::new(stream, context),
            draft: Draft::default(),
            sink: Sink::new(stream, cut, context),
            distance: 0,
            told_end: false,
            unwrapped: Vec::new(),
            wrapper_time: None,
            stashed: None,
            passing: context.prefilter.map(Passing::new),
        }
    }

    pub(super) fn run(mut self, visit: &mut dyn FnMut(&Entry<'_>)) -> StreamTally {
        self.lines.seek(self.cut.first);
        let format = self.context.format;
        match format.is_multiline() || format.wraps() || !format.splittable() {
            true => self.read(visit),
            false => self.read_lines(visit),
        }
        let mut tally = self.sink.into_tally();
        for (file, finding) in self.lines.findings {
            tally.file(file).findings.insert(finding);
        }
        tally
    }

    /// Of formats whose every line is an entry by itself.
    fn read_lines(&mut self, visit: &mut dyn FnMut(&Entry<'_>)) {
        loop {
            if let Some(passing) = &mut self.passing {
                if self.sink.can_pass() {
                    let (format, cut) = (self.context.format, self.cut);
                    self.distance += passing.pass(format, cut, &mut self.lines, &mut self.sink);
                } else {
                    passing.not_judged();
                }
            }
            let line = match self.lines.next() {
                Next::Line(line) => line,
                Next::File { whole } => {
                    if let Some(passing) = &mut self.passing {
                        passing.begin_file();
                    }
                    if !whole {
                        self.sink.break_off(visit);
                    }
                    continue;
                }
                Next::End => break,
            };
            let distance = self.distance;
            self.distance += line.bytes;
            let position = Position {
                file: line.file,
                offset: line.offset,
            };
            if self.sink.is_beyond(position) {
                self.tell_end(position, &line);
                if self.is_empty() {
                    return;
                }
            }
            let text = self.lines.bytes(line.start, line.end);
            if text.iter().all(u8::is_ascii_whitespace) {
                self.count_aside(&line, false);
                continue;
            }
            let passed = match &mut self.passing {
                Some(passing) => passing.take_passed(),
                None => 0..0,
            };
            let passed = self.lines.bytes(passed.start, passed.end);
            let whole = Whole {
                position,
                number: line.number,
                orphan: false,
                distance,
                wrapper_time: None,
            };
            match self.sink.take(text, whole, passed, visit) {
                Verdict::Next => return,
                Verdict::Before => self.count_outside(&line),
                Verdict::Ours => {
                    let tally = self.sink.tally(line.file);
                    tally.bytes += line.bytes;
                    tally.lines += line.count;
                    tally.cut += u64::from(line.cut);
                }
            }
        }
        self.sink.break_off(visit);
    }

    fn read(&mut self, visit: &mut dyn FnMut(&Entry<'_>)) {
        let format = self.context.format;
        let (is_multiline, wraps, joins) =
            (format.is_multiline(), format.wraps(), !format.splittable());
        loop {
            let next = if wraps {
                self.unwrap()
            } else {
                self.lines.next()
            };
            let line = match next {
                Next::Line(line) => line,
                Next::File { whole } => {
                    if self.draft.open {
                        self.draft.move_out(&mut self.lines);
                    }
                    if !whole {
                        // No entry goes on across bytes that are missing.
                        if self.draft.open && self.finish(visit) == Verdict::Next {
                            return;
                        }
                        self.sink.break_off(visit);
                    }
                    continue;
                }
                Next::End => break,
            };
            let distance = self.distance;
            self.distance += line.bytes;
            let position = Position {
                file: line.file,
                offset: line.offset,
            };
            let is_beyond = self.sink.is_beyond(position);
            if is_beyond {
                self.tell_end(position, &line);
                if self.is_empty() && !self.draft.open {
                    return;
                }
            }
            let unwrapped = wraps.then_some(&self.unwrapped[..]);
            let text = unwrapped.unwrap_or_else(|| self.lines.bytes(line.start, line.end));
            if joins
                && self.draft.open
                && self.draft.position.file == line.file
                && !self.draft.is_full()
                && format.joins_next(self.draft.text(&self.lines))
            {
                self.draft.push(&mut self.lines, &line, unwrapped, false);
            } else if text.iter().all(u8::is_ascii_whitespace) {
                if !self.draft.open {
                    self.count_aside(&line, false);
                } else if is_multiline {
                    self.draft.push(&mut self.lines, &line, unwrapped, true);
                } else {
                    self.draft.push_aside(&line, false);
                }
            } else if joins && format.is_header(text) {
                if self.draft.open {
                    self.draft.push_aside(&line, true);
                } else {
                    self.count_aside(&line, true);
                }
            } else {
                let starts = !is_multiline || format.starts(text);
                if !starts && self.draft.open {
                    self.draft.push(&mut self.lines, &line, unwrapped, false);
                    continue;
                }
                if !starts && !self.sink.started {
                    // The end of an entry of the segment before.
                    self.count_outside(&line);
                    continue;
                }
                if self.draft.open && self.finish(visit) == Verdict::Next {
                    return;
                }
                if is_beyond && self.is_empty() {
                    return;
                }
                let unwrapped = wraps.then_some(&self.unwrapped[..]);
                self.draft.begin(&mut self.lines, &line, unwrapped);
                self.draft.distance = distance;
                self.draft.wrapper_time = self.wrapper_time;
                self.draft.orphan = !starts;
            }
        }
        if self.draft.open && self.finish(visit) == Verdict::Next {
            return;
        }
        self.sink.break_off(visit);
    }

    /// The next line of the log in `unwrapped`, put together of as many lines of the file as its wrapper made of it.
    fn unwrap(&mut self) -> Next {
        if let Some(next) = self.stashed.take() {
            return next;
        }
        self.unwrapped.clear();
        self.wrapper_time = None;
        let mut line = match self.lines.next() {
            Next::Line(line) => line,
            other => return other,
        };
        let format = self.context.format;
        let text = self.lines.bytes(line.start, line.end);
        if text.iter().all(u8::is_ascii_whitespace) {
            return Next::Line(line);
        }
        self.wrapper_time = format.wrapper_time(text);
        let mut how = format.unwrap_line(text, &mut self.unwrapped);
        while how == Unwrapped::Partial {
            let more = match self.lines.next() {
                Next::Line(more) => more,
                other => {
                    self.stashed = Some(other);
                    break;
                }
            };
            let text = self.lines.bytes(more.start, more.end);
            how = format.unwrap_line(text, &mut self.unwrapped);
            line.bytes += more.bytes;
            line.count += 1;
            line.cut |= more.cut || self.unwrapped.len() > MAX_LINE;
            self.unwrapped.truncate(MAX_LINE);
        }
        line.cut |= self.unwrapped.len() > MAX_LINE;
        self.unwrapped.truncate(MAX_LINE);
        Next::Line(line)
    }

    /// Whether the segment has no entry at all, now that its end is reached.
    fn is_empty(&self) -> bool {
        !self.sink.started && !self.cut.after_pruned
    }

    /// A line that is of no entry, with none before it.
    fn count_aside(&mut self, line: &Line, is_header: bool) {
        if !self.sink.started {
            self.count_outside(line);
            return;
        }
        let tally = self.sink.tally(line.file);
        tally.lines += line.count;
        match is_header {
            true => tally.header += line.count,
            false => tally.blank += line.count,
        }
        tally.bytes += line.bytes;
        tally.cut += u64::from(line.cut);
    }

    /// A line of the segment before, which counts it unless it was pruned.
    fn count_outside(&mut self, line: &Line) {
        if self.cut.after_pruned {
            let tally = self.sink.tally(line.file);
            tally.lines += line.count;
            tally.outside += line.count;
            tally.bytes += line.bytes;
            tally.cut += u64::from(line.cut);
        }
    }

    /// The draft is whole.
    fn finish(&mut self, visit: &mut dyn FnMut(&Entry<'_>)) -> Verdict {
        self.draft.open = false;
        let whole = Whole {
            position: self.draft.position,
            number: self.draft.number,
            orphan: self.draft.orphan,
            distance: self.draft.distance,
            wrapper_time: self.draft.wrapper_time,
        };
        let verdict = self
            .sink
            .take(self.draft.text(&self.lines), whole, b"", visit);
        self.lines.release();
        let is_outside = verdict == Verdict::Before && self.cut.after_pruned;
        if verdict != Verdict::Ours && !is_outside {
            return verdict;
        }
        for part in &self.draft.lines {
            let tally = self.sink.tally(part.file);
            tally.bytes += part.bytes;
            tally.lines += part.inside + part.blank + part.header;
            tally.cut += part.cut + part.blank_cut;
            if is_outside {
                tally.outside += part.inside + part.blank + part.header;
            } else {
                tally.continuation += part.inside;
                tally.blank += part.blank;
                tally.header += part.header;
            }
        }
        if verdict == Verdict::Ours {
            // Its first line is the entry itself.
            self.sink.tally(whole.position.file).continuation -= 1;
        }
        verdict
    }

    /// The next reader starts at this line: it need not count what was counted here.
    fn tell_end(&mut self, position: Position, line: &Line) {
        if let Some(counts) = self.context.line_counts
            && !std::mem::replace(&mut self.told_end, true)
            && self.cut.end.is_some_and(|end| end.file == position.file)
        {
            counts.learn(position, line.number);
        }
    }
}
