//! Lines that the prefilter rules out, passed over where they lie: searched a buffer at a time, counted, never parsed.
//!
//! A line without a time of its own inherits that of the entry before, which may have been passed over. So the lines
//! passed since the last parsed one are remembered as long as they are in the buffer, and one of them, mostly the last,
//! is parsed for its time before they leave it. An entry that is parsed learns it from them in the same way.

use std::ops::Range;

use super::Cut;
use super::lines::Lines;
use super::sink::Sink;
use crate::prefilter::Prefilter;

/// Lines to judge by whether ruling out is worth its while.
const TRIAL_LINES: u64 = 4096;

pub(super) struct Passing<'a> {
    /// None once it has shown that it rules too little out.
    prefilter: Option<&'a Prefilter>,
    /// No line of the current file up to this offset holds a needle, from where the search began; the line there does,
    /// if `is_hit`.
    clear_to: u64,
    is_hit: bool,
    /// In the buffer: what was passed since the time to inherit was learnt.
    passed: Range<usize>,
    passed_lines: u64,
    other_lines: u64,
}

impl<'a> Passing<'a> {
    pub(super) fn new(prefilter: &'a Prefilter) -> Passing<'a> {
        Passing {
            prefilter: Some(prefilter),
            clear_to: 0,
            is_hit: false,
            passed: 0..0,
            passed_lines: 0,
            other_lines: 0,
        }
    }

    pub(super) fn begin_file(&mut self) {
        (self.clear_to, self.is_hit) = (0, false);
    }

    /// Passes over what can be: afterwards the next line is to be read. Gives the bytes passed.
    pub(super) fn pass(&mut self, cut: &Cut, lines: &mut Lines<'_>, sink: &mut Sink<'_>) -> u64 {
        let Some(prefilter) = self.prefilter else {
            return 0;
        };
        let mut passed_bytes = 0;
        loop {
            let file = lines.file;
            let limit = match cut.end {
                Some(end) if end.file <= file => {
                    let is_here = end.file == file;
                    Some(if is_here { end.offset } else { 0 })
                }
                _ => None,
            };
            let Some(ahead) = lines.ahead(limit) else {
                self.catch_up(lines, sink);
                break;
            };
            if ahead.is_empty() {
                self.catch_up(lines, sink);
                match lines.read_on() {
                    true => continue,
                    false => break,
                }
            }
            let text = lines.bytes(ahead.start, ahead.end);
            let offset = lines.offset_of(ahead.start);
            if offset > self.clear_to || offset == self.clear_to && !self.is_hit {
                let found = prefilter.find(text);
                let clear = match found {
                    Some(at) => memchr::memrchr(b'\n', &text[..at]).map_or(0, |end| end + 1),
                    None => text.len(),
                };
                self.is_hit = found.is_some();
                self.clear_to = offset + clear as u64;
            }
            let clear = usize::try_from(self.clear_to - offset).unwrap_or(usize::MAX);
            let text = &text[..clear.min(text.len())];
            let (bytes, count) = prefilter.plain_lines(text);
            let all = bytes == text.len();
            if bytes > 0 {
                sink.pass(file, bytes as u64, count);
                lines.pass(bytes, count);
                if self.passed.is_empty() {
                    self.passed.start = ahead.start;
                }
                self.passed.end = ahead.start + bytes;
                self.passed_lines += count;
                passed_bytes += bytes as u64;
            }
            if !all || self.is_hit && offset + bytes as u64 == self.clear_to {
                break;
            }
        }
        self.other_lines += 1;
        if self.other_lines > TRIAL_LINES && self.other_lines > self.passed_lines {
            self.catch_up(lines, sink);
            self.prefilter = None;
        }
        passed_bytes
    }

    /// The lines that were passed over before the one at hand, which asks them if it has no time of its own.
    pub(super) fn take_passed(&mut self) -> Range<usize> {
        std::mem::take(&mut self.passed)
    }

    /// Learns the time that the next entry would inherit: the buffer is free to move then.
    fn catch_up(&mut self, lines: &Lines<'_>, sink: &mut Sink<'_>) {
        let passed = self.take_passed();
        sink.inherit_from(lines.file, lines.bytes(passed.start, passed.end));
    }
}
