//! The entry that is being put together: its text where it lies in the buffer as long as its lines join there by
//! LF, in a scratch buffer of its own otherwise, and the lines that are counted if it is kept.

use jobspec::value::Time;

use super::lines::{Line, Lines};
use super::{MAX_ENTRY, Position};

#[derive(Default)]
pub(super) struct Draft {
    pub(super) open: bool,
    /// Continuation lines with nothing before them.
    pub(super) orphan: bool,
    pub(super) position: Position,
    pub(super) number: u64,
    /// Bytes of the stream that this reader saw before it.
    pub(super) distance: u64,
    pub(super) wrapper_time: Option<Time>,
    /// The text is in `scratch`.
    moved: bool,
    /// Bytes of text up to the last line that is not blank.
    length: usize,
    /// And with the blank lines after that.
    extent: usize,
    /// The last line joins the next one in the buffer.
    joins: bool,
    scratch: Vec<u8>,
    pub(super) lines: Vec<FileLines>,
}

/// Lines of the draft in one file.
pub(super) struct FileLines {
    pub(super) file: u32,
    pub(super) bytes: u64,
    pub(super) inside: u64,
    /// Blank lines that are inside only if another line follows.
    pub(super) blank: u64,
    pub(super) cut: u64,
    pub(super) header: u64,
    /// Of the blank lines: those cut by their own length, and those cut if they are inside.
    pub(super) blank_cut: u64,
    blank_cut_inside: u64,
}

impl Draft {
    /// The entry's first line, as it lies in the buffer or as it was unwrapped.
    pub(super) fn begin(&mut self, lines: &mut Lines<'_>, line: &Line, unwrapped: Option<&[u8]>) {
        self.open = true;
        self.orphan = false;
        self.position = Position {
            file: line.file,
            offset: line.offset,
        };
        self.number = line.number;
        self.joins = line.joins;
        self.moved = unwrapped.is_some();
        self.length = match unwrapped {
            Some(text) => {
                self.scratch.clear();
                self.scratch.extend_from_slice(text);
                text.len()
            }
            None => {
                lines.keep(line);
                line.end - line.start
            }
        };
        self.extent = self.length;
        self.lines.clear();
        self.count(line, false, line.cut);
    }

    /// One line more, which belongs to the entry; a blank one only if another follows.
    pub(super) fn push(
        &mut self,
        lines: &mut Lines<'_>,
        line: &Line,
        unwrapped: Option<&[u8]>,
        is_blank: bool,
    ) {
        let size = unwrapped.map_or(line.end - line.start, <[u8]>::len);
        let mut cut = line.cut;
        let in_place = !self.moved && unwrapped.is_none() && self.joins;
        if in_place && self.extent + 1 + size <= MAX_ENTRY {
            debug_assert_eq!(lines.kept() + self.extent + 1, line.start);
            self.extent += 1 + size;
        } else {
            self.move_out(lines);
            let room = MAX_ENTRY.saturating_sub(self.scratch.len());
            if room > 0 {
                self.scratch.push(b'\n');
                let text = unwrapped.unwrap_or_else(|| lines.bytes(line.start, line.end));
                self.scratch.extend_from_slice(&text[..size.min(room - 1)]);
            }
            cut |= room < 1 + size;
            self.extent = self.scratch.len();
        }
        self.joins = line.joins;
        self.count(line, is_blank, cut);
        if !is_blank {
            self.length = self.extent;
            for part in &mut self.lines {
                part.inside += std::mem::take(&mut part.blank);
                part.cut += std::mem::take(&mut part.blank_cut_inside);
                part.blank_cut = 0;
            }
        }
    }

    /// A line after it that is of no entry: it is only counted.
    pub(super) fn push_aside(&mut self, line: &Line, is_header: bool) {
        self.count(line, true, line.cut);
        if is_header && let Some(part) = self.lines.last_mut() {
            part.blank -= line.count;
            part.header += line.count;
        }
    }

    /// Whether all further text is cut off.
    pub(super) fn is_full(&self) -> bool {
        self.extent >= MAX_ENTRY
    }

    /// Takes the text out of the buffer, which is free to go on to another file then.
    pub(super) fn move_out(&mut self, lines: &mut Lines<'_>) {
        if self.moved {
            return;
        }
        let start = lines.kept();
        self.scratch.clear();
        self.scratch
            .extend_from_slice(lines.bytes(start, start + self.extent));
        self.moved = true;
        lines.release();
    }

    pub(super) fn text<'t>(&'t self, lines: &'t Lines<'_>) -> &'t [u8] {
        if self.moved {
            &self.scratch[..self.length]
        } else {
            lines.bytes(lines.kept(), lines.kept() + self.length)
        }
    }

    fn count(&mut self, line: &Line, is_blank: bool, cut: bool) {
        if self.lines.last().is_none_or(|part| part.file != line.file) {
            self.lines.push(FileLines {
                file: line.file,
                bytes: 0,
                inside: 0,
                blank: 0,
                header: 0,
                cut: 0,
                blank_cut: 0,
                blank_cut_inside: 0,
            });
        }
        if let Some(part) = self.lines.last_mut() {
            part.bytes += line.bytes;
            if is_blank {
                part.blank += line.count;
                part.blank_cut += u64::from(line.cut);
                part.blank_cut_inside += u64::from(cut);
            } else {
                part.inside += line.count;
                part.cut += u64::from(cut);
            }
        }
    }
}
