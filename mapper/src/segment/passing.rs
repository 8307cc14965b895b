//! Lines that the prefilter rules out, passed over where they lie: searched a buffer at a time, counted, never parsed.
//!
//! A line without a time of its own inherits that of the entry before, which may have been passed over. So the lines
//! passed since the last parsed one are remembered as long as they are in the buffer, and one of them, mostly the last,
//! is parsed for its time before they leave it. An entry that is parsed learns it from them in the same way.

use std::ops::Range;

use super::Cut;
use super::lines::Lines;
use super::sink::Sink;
use crate::format::Format;
use crate::prefilter::Prefilter;

/// Lines to judge by whether ruling out is worth its while.
const TRIAL_LINES: u64 = 4096;

pub(super) struct Passing<'a> {
    /// None once it has shown that it rules too little out.
    prefilter: Option<&'a Prefilter>,
    /// By part of the prefilter.
    found: Vec<Found>,
    /// In the buffer: what was passed since the time to inherit was learnt.
    passed: Range<usize>,
    passed_lines: u64,
    other_lines: u64,
}

/// How far one search of the prefilter has come.
#[derive(Clone, Copy, Default)]
struct Found {
    /// It rules out all lines of the current file from where it began up to this offset; not the line there, if `is_hit`.
    clear_to: u64,
    is_hit: bool,
}

impl<'a> Passing<'a> {
    pub(super) fn new(prefilter: &'a Prefilter) -> Passing<'a> {
        Passing {
            prefilter: Some(prefilter),
            found: vec![Found::default(); prefilter.parts()],
            passed: 0..0,
            passed_lines: 0,
            other_lines: 0,
        }
    }

    pub(super) fn begin_file(&mut self) {
        self.found.fill(Found::default());
    }

    /// Passes over what can be: afterwards the next line is to be read. Gives the bytes passed.
    pub(super) fn pass(
        &mut self,
        format: &dyn Format,
        cut: &Cut,
        lines: &mut Lines<'_>,
        sink: &mut Sink<'_>,
    ) -> u64 {
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
            let mut nearest = Found {
                clear_to: offset + text.len() as u64,
                is_hit: false,
            };
            for (part, found) in self.found.iter_mut().enumerate() {
                if offset > found.clear_to || offset == found.clear_to && !found.is_hit {
                    let hit = prefilter.find(part, text, format);
                    let clear = match hit {
                        Some(at) => memchr::memrchr(b'\n', &text[..at]).map_or(0, |end| end + 1),
                        None => text.len(),
                    };
                    *found = Found {
                        clear_to: offset + clear as u64,
                        is_hit: hit.is_some(),
                    };
                }
                if found.clear_to <= nearest.clear_to {
                    let is_same = found.clear_to == nearest.clear_to;
                    nearest = Found {
                        is_hit: found.is_hit || is_same && nearest.is_hit,
                        ..*found
                    };
                }
            }
            let clear = usize::try_from(nearest.clear_to - offset).unwrap_or(usize::MAX);
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
            if !all || nearest.is_hit && offset + bytes as u64 == nearest.clear_to {
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
