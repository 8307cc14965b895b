//! One segment read: lines are put together to entries, which the sink takes.

use super::draft::Draft;
use super::lines::{Line, Lines, Next};
use super::sink::{Sink, Verdict, Whole};
use super::{Cut, Position, ReadContext};
use crate::entry::Entry;
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
        }
    }

    pub(super) fn run(mut self, visit: &mut dyn FnMut(&Entry<'_>)) -> StreamTally {
        self.lines.seek(self.cut.first);
        self.read(visit);
        let mut tally = self.sink.into_tally();
        for (file, finding) in self.lines.findings {
            tally.file(file).findings.insert(finding);
        }
        tally
    }

    fn read(&mut self, visit: &mut dyn FnMut(&Entry<'_>)) {
        let format = self.context.format;
        let is_multiline = format.is_multiline();
        loop {
            let line = match self.lines.next() {
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
                file: self.lines.file,
                offset: line.offset,
            };
            let is_beyond = self.sink.is_beyond(position);
            if is_beyond {
                self.tell_end(position, &line);
                if !self.sink.started && !self.draft.open {
                    return;
                }
            }
            let text = self.lines.bytes(line.start, line.end);
            if self.draft.open
                && self.draft.position.file == position.file
                && !self.draft.is_full()
                && format.joins_next(self.draft.text(&self.lines))
            {
                self.draft.push(&mut self.lines, &line, false);
            } else if text.iter().all(u8::is_ascii_whitespace) {
                self.blank(&line, is_multiline);
            } else if is_multiline && !format.starts(text) {
                if self.draft.open {
                    self.draft.push(&mut self.lines, &line, false);
                } else if self.sink.started {
                    self.draft.begin(&mut self.lines, &line, distance);
                    self.draft.orphan = true;
                }
            } else {
                if self.draft.open && self.finish(visit) == Verdict::Next {
                    return;
                }
                if is_beyond && !self.sink.started {
                    return;
                }
                self.draft.begin(&mut self.lines, &line, distance);
            }
        }
        if self.draft.open && self.finish(visit) == Verdict::Next {
            return;
        }
        self.sink.break_off(visit);
    }

    fn blank(&mut self, line: &Line, is_multiline: bool) {
        if self.draft.open {
            self.draft.push_blank(&mut self.lines, line, is_multiline);
        } else if self.sink.started {
            let tally = self.sink.tally(self.lines.file);
            tally.lines += 1;
            tally.blank += 1;
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
        };
        let verdict = self.sink.take(self.draft.text(&self.lines), whole, visit);
        self.lines.release();
        if verdict == Verdict::Ours {
            for part in &self.draft.lines {
                let tally = self.sink.tally(part.file);
                tally.bytes += part.bytes;
                tally.lines += part.inside + part.blank;
                tally.continuation += part.inside;
                tally.blank += part.blank;
                tally.cut += part.cut + part.blank_cut;
            }
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
