//! A stream cut into segments between entries, and one segment read into entries.
//!
//! Cuts are nominal positions, made without looking: a segment begins at the first entry at or after its nominal
//! start that has a timestamp of its own, and goes on to the first such entry at or after its nominal end. The reader
//! before and the reader after apply one rule to one text, so any cuts give the same entries: continuation lines,
//! untimed entries and whole heads of files belong to the segment before, and no time is inherited across a cut. Where
//! the format says that no entry has a time of its own (`is_timeless`), there is none to inherit, and any first line of
//! an entry does.

mod decoding;
mod draft;
mod lines;
#[cfg(test)]
pub(crate) mod oracle;
mod passing;
mod reader;
mod sink;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Mutex;

pub use decoding::Spare;
use jobspec::zone::Zone;
use serde::{Deserialize, Serialize};

use crate::entry::Entry;
use crate::format::{Format, Wanted};
use crate::prefilter::Prefilter;
use crate::stream::Stream;
use crate::tally::StreamTally;

/// Longest line that is read whole, longest entry that is kept whole, and how far an entry at a stream's head looks
/// for a time.
pub const MAX_LINE: usize = 1 << 20;
pub const MAX_ENTRY: usize = 1 << 20;
const LOOK_AHEAD: u64 = 1 << 20;

/// Nominal bytes of a segment of plain files.
pub const TARGET_BYTES: u64 = 16 << 20;

/// A place in a stream.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    pub file: u32,
    /// In the decoded bytes of the file.
    pub offset: u64,
}

/// One segment, by its nominal borders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Cut {
    pub first: Position,
    /// None: the end of the stream.
    pub end: Option<Position>,
    /// Nobody reads the segment before: what would belong to it here is counted, as outside from/to.
    pub after_pruned: bool,
}

/// The segments of a stream, in order: cuts at the heads of files, and if the format bears it (`splittable`) inside
/// plain files every `target_bytes`, and inside packed ones where they can be decoded from and as many decoded bytes
/// have come. Small neighbouring files make one segment.
pub fn cuts(stream: &Stream, splittable: bool, target_bytes: u64) -> Vec<Cut> {
    let target_bytes = target_bytes.max(1);
    let mut starts = vec![Position { file: 0, offset: 0 }];
    let mut gathered = 0;
    for (index, file) in stream.files.iter().enumerate() {
        let index = index as u32;
        if gathered >= target_bytes {
            starts.push(Position {
                file: index,
                offset: 0,
            });
            gathered = 0;
        }
        let before = gathered;
        gathered += file.size;
        if splittable && file.is_plain() {
            // Every cut inside this file leaves what comes after it.
            while gathered > target_bytes {
                gathered -= target_bytes;
                starts.push(Position {
                    file: index,
                    offset: file.size - gathered,
                });
            }
        } else if splittable {
            // How many decoded bytes follow the last start is not known: those on disk have to do.
            let mut last = 0;
            for start in file.frames.iter().filter(|start| start.decoded > 0) {
                let before = if last == 0 { before } else { 0 };
                if before.saturating_add(start.decoded.saturating_sub(last)) >= target_bytes {
                    // The reader begins behind the line end that it finds from the byte before on.
                    starts.push(Position {
                        file: index,
                        offset: start.decoded + 1,
                    });
                    last = start.decoded;
                    gathered = file.size.saturating_sub(start.disk);
                }
            }
        }
    }
    let ends = starts[1..].iter().copied().map(Some).chain([None]);
    starts
        .iter()
        .zip(ends)
        .map(|(&first, end)| Cut {
            first,
            end,
            after_pruned: false,
        })
        .collect()
}

/// All that reading a segment needs beside the stream.
pub struct ReadContext<'a> {
    pub host: &'a str,
    pub log: &'a str,
    /// Places in the lists sorted by name: see `Place`.
    pub host_index: u32,
    pub log_index: u16,
    pub stream_index: u32,
    pub format: &'a dyn Format,
    pub wanted: &'a Wanted,
    /// What tells lines that nobody wants; None: every line is parsed.
    pub prefilter: Option<&'a Prefilter>,
    /// For timestamps that carry no zone.
    pub timezone: Zone,
    /// For timestamps that carry no year; None: the latest that the file's modification time allows.
    pub year: Option<i32>,
    /// How far this host's clock runs ahead: taken off every time.
    pub clock_ahead_ns: i64,
    /// Decoded bytes of one compressed file.
    pub max_decoded_bytes: u64,
    /// Bytes read at once; tests take tiny ones.
    pub window_bytes: usize,
    /// Threads that may decode ahead of this one.
    pub spare: Option<&'a Spare>,
    /// Where entries are to have line numbers.
    pub line_counts: Option<&'a LineCounts>,
    /// Called with the number of bytes just read from disk: the place to be slow.
    pub pace: Option<&'a (dyn Fn(u64) + Sync)>,
}

pub const WINDOW_BYTES: usize = 256 << 10;

/// Line numbers of places in a stream's plain files, shared by the readers of its segments so that nobody counts
/// twice what another has counted.
#[derive(Debug, Default)]
pub struct LineCounts {
    known: Mutex<BTreeMap<Position, u64>>,
}

impl LineCounts {
    /// The nearest known place at or before: a line's start and its number from 1.
    fn before(&self, position: Position) -> (u64, u64) {
        let head = Position {
            file: position.file,
            offset: 0,
        };
        let known = self.known.lock().unwrap_or_else(|error| error.into_inner());
        known
            .range(head..=position)
            .next_back()
            .map_or((0, 1), |(at, &number)| (at.offset, number))
    }

    fn learn(&self, position: Position, number: u64) {
        let mut known = self.known.lock().unwrap_or_else(|error| error.into_inner());
        known.insert(position, number);
    }
}

/// Reads one segment: every entry in order, each once over all segments of the stream. What could not be read is in
/// the tally.
pub fn read(
    stream: &Stream,
    cut: &Cut,
    context: &ReadContext<'_>,
    visit: &mut dyn FnMut(&Entry<'_>),
) -> StreamTally {
    reader::Reader::new(stream, cut, context).run(visit)
}
