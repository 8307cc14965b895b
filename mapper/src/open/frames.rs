//! Where the frames of a zstd file begin, told by their headers alone: nothing is decoded.
//!
//! A frame says how many bytes it decodes to, and each of its blocks how long it is on disk; so one frame leads to the
//! next. All of it is hostile until it is decoded: reads and list are bounded, and the walk ends at the first thing that
//! is odd or unknown. What it has found before that holds; the last start is then that of everything behind it.

#[cfg(test)]
mod tests;

use std::fs::File;

use serde::{Deserialize, Serialize};

/// Where a frame begins that can be decoded without those before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameStart {
    /// Offset in the file, of the skippable frames just before it if there are any.
    pub disk: u64,
    /// Decoded bytes before it.
    pub decoded: u64,
}

/// Decoded bytes between two starts that are worth knowing.
pub const LEAST_APART: u64 = 1 << 20;

/// Starts of one file; of more, every second is forgotten, again and again.
const MOST_STARTS: usize = 1024;
/// Reads of one walk, of so many bytes.
const MOST_READS: u32 = 1 << 16;
const READ_BYTES: usize = 4096;

const MAGIC: u32 = 0xfd2f_b528;
const SKIPPABLE: std::ops::RangeInclusive<u32> = 0x184d_2a50..=0x184d_2a5f;
/// Magic, descriptor, window, dictionary and content size.
const LONGEST_HEADER: usize = 4 + 1 + 1 + 4 + 8;
/// No block decodes to more, nor is it longer on disk.
const LARGEST_BLOCK: u64 = 128 << 10;
/// After so many blocks of a frame it is guessed where it ends.
const BLOCKS_TO_GUESS_BY: u64 = 64;

/// The starts of a file's frames, the first of them its head; none at all where there is only that one. `least_apart`
/// decoded bytes lie between two of them.
pub fn starts(file: &File, size: u64, least_apart: u64) -> Vec<FrameStart> {
    let mut walk = Walk::new(file, size);
    let starts = walk.starts(least_apart.max(1));
    if starts.len() > 1 { starts } else { Vec::new() }
}

struct Walk<'a> {
    file: &'a File,
    size: u64,
    reads: u32,
    most_reads: u32,
    /// What was read last, and from where.
    buffer: [u8; READ_BYTES],
    length: usize,
    from: u64,
}

enum Head {
    /// Ends at this offset.
    Skippable(u64),
    Frame(Frame),
}

struct Frame {
    /// Offset of the first block.
    blocks: u64,
    /// None: it does not say.
    content: Option<u64>,
    largest_block: u64,
    has_checksum: bool,
}

impl<'a> Walk<'a> {
    fn new(file: &'a File, size: u64) -> Walk<'a> {
        Walk {
            file,
            size,
            reads: 0,
            most_reads: MOST_READS,
            buffer: [0; READ_BYTES],
            length: 0,
            from: 0,
        }
    }

    fn starts(&mut self, mut least_apart: u64) -> Vec<FrameStart> {
        let mut starts = vec![FrameStart::default()];
        let mut here = FrameStart::default();
        // Where a frame's header lies, behind the skippable frames that belong to it.
        let mut at = 0;
        while let Some(head) = self.head(at) {
            let frame = match head {
                Head::Skippable(end) => {
                    at = end;
                    continue;
                }
                Head::Frame(frame) => frame,
            };
            let last = starts.last().map_or(0, |last| last.decoded);
            if here.decoded - last >= least_apart {
                starts.push(here);
            }
            if starts.len() == MOST_STARTS {
                let mut index = 0;
                starts.retain(|_| {
                    index += 1;
                    index % 2 == 1
                });
                let apart = here.decoded / (MOST_STARTS as u64 / 2);
                least_apart = least_apart.saturating_mul(2).max(apart);
            }
            let after = self.end(&frame).and_then(|end| {
                let content = frame.content?;
                Some((end, here.decoded.checked_add(content)?))
            });
            let Some((disk, decoded)) = after else {
                break;
            };
            here = FrameStart { disk, decoded };
            at = disk;
        }
        starts
    }

    /// What begins here; None at the end of the file, and where it is no header that a decoder would take.
    fn head(&mut self, at: u64) -> Option<Head> {
        let header = self.bytes(at, LONGEST_HEADER)?;
        let magic = u32::from_le_bytes(*header.first_chunk()?);
        let number = |bytes: Option<&[u8]>| -> Option<u64> {
            let bytes = bytes?;
            let mut number = [0; 8];
            number[..bytes.len()].copy_from_slice(bytes);
            Some(u64::from_le_bytes(number))
        };
        if SKIPPABLE.contains(&magic) {
            let end = at.checked_add(8 + number(header.get(4..8))?)?;
            return (end <= self.size).then_some(Head::Skippable(end));
        }
        if magic != MAGIC {
            return None;
        }
        let descriptor = *header.get(4)?;
        let is_single = descriptor & 0x20 != 0;
        let is_reserved = descriptor & 0x08 != 0;
        let names_dictionary = descriptor & 0x03 != 0;
        if is_reserved || names_dictionary {
            return None;
        }
        let mut place = 5;
        let mut window = u64::MAX;
        if !is_single {
            let byte = *header.get(place)?;
            let base = 1_u64 << (10 + (byte >> 3));
            window = base + (base >> 3) * u64::from(byte & 0x07);
            place += 1;
        }
        let (width, least) = match (descriptor >> 6, is_single) {
            (0, false) => (0, 0),
            (0, true) => (1, 0),
            (1, _) => (2, 256),
            (2, _) => (4, 0),
            _ => (8, 0),
        };
        let content = number(header.get(place..place + width))?.checked_add(least)?;
        if is_single {
            window = content;
        }
        Some(Head::Frame(Frame {
            blocks: at + (place + width) as u64,
            content: (width > 0).then_some(content),
            largest_block: window.min(LARGEST_BLOCK),
            has_checksum: descriptor & 0x04 != 0,
        }))
    }

    /// Where a frame ends; None where that is odd, beyond the file, or not worth while: its last frame need not be
    /// followed.
    fn end(&mut self, frame: &Frame) -> Option<u64> {
        let mut at = frame.blocks;
        let mut blocks = 0;
        loop {
            let header = self.bytes(at, 3)?;
            let header =
                u32::from_le_bytes([*header.first()?, *header.get(1)?, *header.get(2)?, 0]);
            let (is_last, kind, size) = (header & 1 == 1, header >> 1 & 3, u64::from(header >> 3));
            if size > LARGEST_BLOCK {
                return None;
            }
            blocks += 1;
            at += 3 + match kind {
                0 | 2 => size,
                // One byte, so many times.
                1 => 1,
                _ => return None,
            };
            if is_last {
                break;
            }
            if blocks % BLOCKS_TO_GUESS_BY == 0
                && let Some(content) = frame.content
                && self.ends_with(frame, content, at, blocks)
            {
                return None;
            }
        }
        at += if frame.has_checksum { 4 } else { 0 };
        // It cannot hold what it says.
        let is_too_much = frame
            .content
            .is_some_and(|content| content > blocks * LARGEST_BLOCK);
        (at <= self.size && !is_too_much).then_some(at)
    }

    /// Whether the file will hardly go on behind the frame, from how long its blocks have been up to here: most files
    /// are one frame, and following it would be a read for each of its blocks.
    fn ends_with(&self, frame: &Frame, content: u64, at: u64, blocks: u64) -> bool {
        let decoded = u128::from(blocks * frame.largest_block.max(1));
        let length = u128::from(at - frame.blocks) * u128::from(content) / decoded;
        let left = u128::from(self.size.saturating_sub(frame.blocks));
        u128::from(content) > decoded && length > left / 8 * 7
    }

    /// The bytes from an offset on, at most `count`, fewer at the end of the file; None where they cannot be read, and
    /// once there were too many reads.
    fn bytes(&mut self, at: u64, count: usize) -> Option<&[u8]> {
        let left = self.size.checked_sub(at)?;
        let count = count.min(usize::try_from(left).unwrap_or(usize::MAX));
        let is_here = |from: u64, length: usize| {
            at >= from && at.saturating_add(count as u64) <= from + length as u64
        };
        if !is_here(self.from, self.length) {
            if self.reads == self.most_reads {
                return None;
            }
            self.reads += 1;
            self.from = at;
            self.length = 0;
            while self.length < count {
                let place = at + self.length as u64;
                let read =
                    super::read_at(self.file, &mut self.buffer[self.length..], place).ok()?;
                if read == 0 {
                    return None;
                }
                self.length += read;
            }
        }
        let start = (at - self.from) as usize;
        Some(&self.buffer[start..start + count])
    }
}
