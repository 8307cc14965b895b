//! Lines that the prefilter rules out, passed over where they lie: searched a buffer at a time, counted, never parsed.
//!
//! A line without a time of its own inherits that of the entry before, which may have been passed over. So the lines
//! passed since the last parsed one are remembered as long as they are in the buffer, and one of them, mostly the last,
//! is parsed for its time before they leave it. An entry that is parsed learns it from them in the same way.

use std::ops::Range;

use super::lines::Lines;
use super::sink::Sink;
use super::{Cut, MAX_LINE};
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
    /// Entries to come that are read whatever they hold: beside a line that may be wanted, and at a segment's head.
    to_read: u64,
}

/// How far one search of the prefilter has come.
#[derive(Clone, Copy, Default)]
struct Found {
    /// It rules out all lines of the current file from where it began up to this offset; not the line there, if `is_hit`.
    clear_to: u64,
    is_hit: bool,
    /// Where the lines from an offset on were seen to be plain: the offset, and how many they are.
    plain_from: Option<(u64, u64)>,
}

impl<'a> Passing<'a> {
    pub(super) fn new(prefilter: &'a Prefilter) -> Passing<'a> {
        Passing {
            prefilter: Some(prefilter),
            found: vec![Found::default(); prefilter.parts()],
            passed: 0..0,
            passed_lines: 0,
            other_lines: 0,
            to_read: prefilter.beside().map_or(0, |beside| beside.after),
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
                self.not_judged();
                break;
            };
            if ahead.is_empty() {
                self.catch_up(lines, sink);
                if lines.read_on() {
                    continue;
                }
                self.not_judged();
                break;
            }
            let text = lines.bytes(ahead.start, ahead.end);
            let offset = lines.offset_of(ahead.start);
            let mut nearest = Found {
                clear_to: offset + text.len() as u64,
                ..Found::default()
            };
            for (part, found) in self.found.iter_mut().enumerate() {
                if !found.is_hit || offset > found.clear_to {
                    // What was searched before and is still ahead holds nothing.
                    let from = usize::try_from(found.clear_to.saturating_sub(offset));
                    let from = from.unwrap_or(usize::MAX).min(text.len());
                    let searched = prefilter.find(part, &text[from..], format);
                    let clear = match searched.hit {
                        Some(at) => {
                            memchr::memrchr(b'\n', &text[..from + at]).map_or(0, |end| end + 1)
                        }
                        None => text.len(),
                    };
                    *found = Found {
                        clear_to: offset + clear as u64,
                        is_hit: searched.hit.is_some(),
                        plain_from: searched
                            .plain_lines
                            .map(|lines| (offset + from as u64, lines)),
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
            let mut text = &text[..clear.min(text.len())];
            if let Some(beside) = prefilter.beside() {
                if text.is_empty() {
                    // It may be wanted.
                    self.to_read = self.to_read.max(1 + beside.after);
                }
                let kept = entries_before_end(text, beside.before.max(1));
                if self.to_read == 0 && kept == 0 {
                    let is_end = limit.is_some_and(|limit| offset + text.len() as u64 >= limit);
                    let may_grow = !nearest.is_hit && !is_end && lines.buffered() < MAX_LINE;
                    self.to_read = beside.before.max(1);
                    if may_grow {
                        // What comes next may reach back to all that is here.
                        self.catch_up(lines, sink);
                        if lines.read_on() {
                            self.to_read = 0;
                            continue;
                        }
                        self.to_read -= 1;
                        break;
                    }
                }
                if self.to_read > 0 {
                    // A blank line is no entry.
                    let is_entry = lines.bytes(ahead.start, ahead.start + 1)[0] > b' ';
                    self.to_read -= u64::from(is_entry);
                    break;
                }
                text = &text[..kept];
            }
            let (bytes, count) = match nearest.plain_from {
                Some((from, lines)) if from == offset && text.len() == clear => (clear, lines),
                _ => prefilter.plain_lines(text),
            };
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
            let is_hit_next = nearest.is_hit && offset + bytes as u64 == nearest.clear_to;
            if !all || is_hit_next && prefilter.beside().is_none() {
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

    /// The next line is read without having been searched: it may be wanted.
    pub(super) fn not_judged(&mut self) {
        let beside = self.prefilter.and_then(Prefilter::beside);
        self.to_read = self.to_read.max(beside.map_or(0, |beside| beside.after));
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

/// Where the last so many entries of a text of whole lines begin, as far as that is seen without parsing: a line that
/// begins with a space may be none.
fn entries_before_end(text: &[u8], mut entries: u64) -> usize {
    let mut start = text.len();
    while entries > 0 && start > 0 {
        start = memchr::memrchr(b'\n', &text[..start - 1]).map_or(0, |end| end + 1);
        entries -= u64::from(text[start] > b' ');
    }
    start
}
