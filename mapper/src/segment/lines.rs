//! The lines of a stream's files, one after the other, in one buffer: found where they lie and never copied.
//!
//! The buffer holds what its user asked to keep (the entry it is putting together), the current line, and a window
//! of what follows. A line beyond `MAX_LINE` is cut and the rest of it forgotten as it is read.

use std::ops::Range;

use memchr::{memchr, memchr_iter, memrchr};

use super::decoding::Bytes;
use super::{MAX_LINE, Position, ReadContext};
use crate::open::BOM;
use crate::stream::Stream;
use crate::tally::Finding;

pub(super) struct Lines<'a> {
    stream: &'a Stream,
    context: &'a ReadContext<'a>,
    content: Option<Bytes<'a>>,
    pub(super) file: u32,
    buffer: Vec<u8>,
    /// Bytes from here on stay in the buffer; `usize::MAX`: none before the next line.
    keep: usize,
    /// Start of the next line.
    at: usize,
    end: usize,
    /// Offset in the file of the buffer's first byte, as far as bytes from `at` on are concerned.
    base: u64,
    /// Bytes of a byte order mark before the next line.
    mark: u64,
    /// Number of the next line; 0 where nobody counts.
    number: u64,
    /// Whether what comes next of the file is damaged, and that has been told.
    at_gap: bool,
    /// What could not be read, by file.
    pub(super) findings: Vec<(u32, Finding)>,
}

/// A line, by its place in the buffer. It holds until the next one is asked for.
#[derive(Clone, Copy)]
pub(super) struct Line {
    pub(super) start: usize,
    pub(super) end: usize,
    pub(super) file: u32,
    pub(super) offset: u64,
    /// In the file, with terminator and what was cut.
    pub(super) bytes: u64,
    pub(super) number: u64,
    /// A LF follows directly, so that the next line's text joins it as an entry's lines are joined.
    pub(super) joins: bool,
    pub(super) cut: bool,
    /// Lines of the file: several where a wrapper had taken one apart.
    pub(super) count: u64,
}

pub(super) enum Next {
    Line(Line),
    /// The end of a file, read whole or with something missing; or a place inside it where something is missing.
    File {
        whole: bool,
    },
    End,
}

impl<'a> Lines<'a> {
    pub(super) fn new(stream: &'a Stream, context: &'a ReadContext<'a>) -> Lines<'a> {
        Lines {
            stream,
            context,
            content: None,
            file: 0,
            buffer: Vec::new(),
            keep: usize::MAX,
            at: 0,
            end: 0,
            base: 0,
            mark: 0,
            number: 0,
            at_gap: false,
            findings: Vec::new(),
        }
    }

    /// Goes to the first line that begins at or after the position.
    pub(super) fn seek(&mut self, position: Position) {
        self.file = position.file;
        if position.offset == 0 || self.file as usize >= self.stream.files.len() {
            return;
        }
        // The byte before says whether a line begins right here.
        let from = position.offset - 1;
        if !self.open(from) {
            // Not tried again: read from its head, it would give what is not this segment's.
            self.file += 1;
            return;
        }
        self.skip_line();
        if self.context.line_counts.is_some() {
            self.number = self.count_lines(self.base + self.at as u64);
        }
    }

    /// Goes behind the next line end, over what is damaged. False at the end of the file.
    fn skip_line(&mut self) -> bool {
        loop {
            if let Some(found) = memchr(b'\n', &self.buffer[self.at..self.end]) {
                self.at += found + 1;
                return true;
            }
            self.at = self.end;
            if !self.fill() {
                let finding = self.content.as_ref().and_then(Bytes::finding).cloned();
                if !self.cross_gap() {
                    return false;
                }
                self.findings.extend(finding.map(|it| (self.file, it)));
            }
        }
    }

    /// Goes on behind what is damaged, in the middle of some line. The buffer is empty then.
    fn cross_gap(&mut self) -> bool {
        let Some(content) = &mut self.content else {
            return false;
        };
        let Some(offset) = content.next_start() else {
            return false;
        };
        content.go_on();
        (self.at, self.end, self.base, self.mark) = (0, 0, offset, 0);
        true
    }

    /// The whole lines that are read already and begin before an offset of the current file, at most `MAX_LINE` bytes
    /// of them, so that none of them is too long. None where reading on would not help.
    pub(super) fn ahead(&self, limit: Option<u64>) -> Option<Range<usize>> {
        self.content.as_ref()?;
        let text = &self.buffer[self.at..self.end];
        let text = &text[..text.len().min(MAX_LINE)];
        let offset = self.base + self.at as u64;
        let left = limit.map_or(u64::MAX, |limit| limit.saturating_sub(offset));
        if left == 0 {
            return None;
        }
        let end = match usize::try_from(left) {
            // The line that holds the last byte before the limit is the last.
            Ok(left) if left <= text.len() => {
                memchr(b'\n', &text[left - 1..]).map(|found| left + found)
            }
            _ => memrchr(b'\n', text).map(|found| found + 1),
        };
        match end {
            Some(end) => Some(self.at..self.at + end),
            None => (text.len() < MAX_LINE).then_some(self.at..self.at),
        }
    }

    /// Bytes that are read already.
    pub(super) fn buffered(&self) -> usize {
        self.end - self.at
    }

    /// Reads on, for more to be ahead; places in the buffer move. False at the end of the file.
    pub(super) fn read_on(&mut self) -> bool {
        self.fill()
    }

    /// Goes over whole lines that lie ahead.
    pub(super) fn pass(&mut self, bytes: usize, lines: u64) {
        self.at += bytes;
        if self.number > 0 {
            self.number += lines;
        }
    }

    /// Where a place in the buffer lies in the file.
    pub(super) fn offset_of(&self, at: usize) -> u64 {
        self.base + at as u64
    }

    /// Bytes of the current line or entry.
    pub(super) fn bytes(&self, start: usize, end: usize) -> &[u8] {
        &self.buffer[start..end]
    }

    /// From now on the line's bytes stay, and `kept` says where.
    pub(super) fn keep(&mut self, line: &Line) {
        self.keep = line.start;
    }

    pub(super) fn kept(&self) -> usize {
        self.keep
    }

    pub(super) fn release(&mut self) {
        self.keep = usize::MAX;
    }

    #[inline(always)]
    pub(super) fn next(&mut self) -> Next {
        if let Some(length) = memchr(b'\n', &self.buffer[self.at..self.end])
            && length <= MAX_LINE
        {
            return Next::Line(self.whole(length, 1));
        }
        self.next_slowly()
    }

    #[inline(never)]
    fn next_slowly(&mut self) -> Next {
        if self.content.is_none() {
            if self.file as usize >= self.stream.files.len() {
                return Next::End;
            }
            if !self.open(0) {
                self.file += 1;
                return Next::File { whole: false };
            }
            self.number = u64::from(self.context.line_counts.is_some());
            while self.end - self.at < BOM.len() && self.fill() {}
            if self.buffer[self.at..self.end].starts_with(BOM) {
                self.at += BOM.len();
                self.mark = BOM.len() as u64;
            }
        }
        if std::mem::take(&mut self.at_gap) {
            debug_assert_eq!(self.keep, usize::MAX, "no entry goes on across a gap");
            if self.cross_gap() && self.skip_line() {
                self.number += u64::from(self.number > 0);
            }
        }
        let mut searched = 0;
        loop {
            if let Some(found) = memchr(b'\n', &self.buffer[self.at + searched..self.end]) {
                return Next::Line(self.line_of(searched + found, 1));
            }
            searched = self.end - self.at;
            // One more than a whole line, for a CR.
            if searched > MAX_LINE + 1 {
                return Next::Line(self.cut_line());
            }
            if !self.fill() {
                break;
            }
        }
        if searched > 0 {
            return Next::Line(self.line_of(searched, 0));
        }
        let content = self.content.as_ref();
        let finding = content.and_then(Bytes::finding);
        let whole = content.is_none_or(Bytes::is_whole);
        if let Some(finding) = finding {
            self.findings.push((self.file, finding.clone()));
        }
        self.at_gap = content.is_some_and(|content| content.next_start().is_some());
        if !self.at_gap {
            self.content = None;
            self.file += 1;
        }
        Next::File { whole }
    }

    /// Whether the file could be opened. The buffer is empty then.
    fn open(&mut self, offset: u64) -> bool {
        debug_assert_eq!(
            self.keep,
            usize::MAX,
            "entries are moved before their file ends"
        );
        (self.at, self.end, self.base, self.mark) = (0, 0, offset, 0);
        let file = &self.stream.files[self.file as usize];
        match file.content(offset, self.context.max_decoded_bytes) {
            Ok(content) => {
                self.content = Some(Bytes::new(content, self.context.spare));
                true
            }
            Err(finding) => {
                self.findings.push((self.file, finding));
                false
            }
        }
    }

    /// A line whose terminator is at `length` and has `ending` bytes.
    fn line_of(&mut self, length: usize, ending: usize) -> Line {
        let text = &self.buffer[self.at..self.at + length];
        let length_without = length - usize::from(text.last() == Some(&b'\r'));
        if length_without <= MAX_LINE {
            return self.whole(length, ending);
        }
        let mut line = self.whole(length, ending);
        line.end = line.start + MAX_LINE;
        line.joins = false;
        line.cut = true;
        line
    }

    #[inline(always)]
    fn whole(&mut self, length: usize, ending: usize) -> Line {
        let start = self.at;
        let mut end = start + length;
        let mut joins = ending > 0;
        if length > 0 && self.buffer[end - 1] == b'\r' {
            end -= 1;
            joins = false;
        }
        let mark = std::mem::take(&mut self.mark);
        let line = Line {
            start,
            end,
            offset: self.base + start as u64 - mark,
            bytes: (length + ending) as u64 + mark,
            number: self.number,
            joins,
            cut: false,
            file: self.file,
            count: 1,
        };
        self.at = start + length + ending;
        // Numbers count line ends: behind a gap, what may be the rest of this line has its number.
        self.number += u64::from(self.number > 0 && ending > 0);
        line
    }

    /// A line that goes on beyond what is read of it.
    fn cut_line(&mut self) -> Line {
        let mark = std::mem::take(&mut self.mark);
        let offset = self.base + self.at as u64;
        let (ending, is_ended) = loop {
            let rest = self.at + MAX_LINE;
            if let Some(found) = memchr(b'\n', &self.buffer[rest..self.end]) {
                break (rest + found + 1, true);
            }
            self.base += (self.end - rest) as u64;
            self.end = rest;
            if !self.fill() {
                break (self.end, false);
            }
        };
        let line = Line {
            start: self.at,
            end: self.at + MAX_LINE,
            offset: offset - mark,
            bytes: self.base + ending as u64 - offset + mark,
            number: self.number,
            joins: false,
            cut: true,
            file: self.file,
            count: 1,
        };
        self.at = ending;
        self.number += u64::from(self.number > 0 && is_ended);
        line
    }

    /// Reads on; false at the end of the file. Places in the buffer move, `keep` and `at` with them.
    fn fill(&mut self) -> bool {
        let Some(content) = &mut self.content else {
            return false;
        };
        let window = self.context.window_bytes.max(1);
        if self.buffer.len() - self.end < window {
            let first = self.keep.min(self.at);
            if first > 0 {
                self.buffer.copy_within(first..self.end, 0);
                self.base += first as u64;
                self.at -= first;
                self.end -= first;
                if self.keep != usize::MAX {
                    self.keep -= first;
                }
            }
            if self.buffer.len() - self.end < window {
                // By half at least, so that a small window does not make a long line slow.
                let more = window
                    .max(self.buffer.len() / 2)
                    .min(super::WINDOW_BYTES.max(window));
                self.buffer.resize(self.end + more, 0);
            }
        }
        let to = (self.end + window).min(self.buffer.len());
        let count = content.read(&mut self.buffer[self.end..to]);
        self.end += count;
        if let Some(pace) = self.context.pace {
            pace(content.take_disk_bytes());
        }
        count > 0
    }

    /// The number of the line that begins at the offset of the current file.
    fn count_lines(&self, offset: u64) -> u64 {
        let Some(counts) = self.context.line_counts else {
            return 0;
        };
        let position = Position {
            file: self.file,
            offset,
        };
        let (mut at, mut number) = counts.before(position);
        let file = &self.stream.files[self.file as usize];
        if at < offset
            && let Ok(mut content) = file.content(at, self.context.max_decoded_bytes)
        {
            let mut buffer = vec![0; super::WINDOW_BYTES];
            while at < offset {
                let wanted = buffer
                    .len()
                    .min((offset - at).try_into().unwrap_or(usize::MAX));
                let count = content.read(&mut buffer[..wanted]);
                if count == 0 {
                    let Some(next) = content.next_start() else {
                        break;
                    };
                    content.go_on();
                    at = next;
                }
                number += memchr_iter(b'\n', &buffer[..count]).count() as u64;
                at += count as u64;
                if let Some(pace) = self.context.pace {
                    pace(content.take_disk_bytes());
                }
            }
        }
        counts.learn(position, number);
        number
    }
}
