//! Rotated files, oldest first, as one stream: found by globs, grouped by name, settled by their first times.

mod discover;
mod file;
mod glob;
mod rotation;
mod same;
mod settle;
#[cfg(test)]
mod tests;

use bstr::BString;
use serde::{Deserialize, Serialize};

pub use discover::{Found, discover};
pub use file::{Fingerprint, HEAD_BYTES, StreamFile};

/// The files of one rotated log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Index into the plan's `logs`. A file that two logs match is in a stream of each.
    pub log: u16,
    /// Folder and base name, without what rotation adds: what streams of a log are sorted by.
    pub name: BString,
    /// Oldest first.
    pub files: Vec<StreamFile>,
}

/// Decoded bytes by which a stream's format is chosen.
pub const SAMPLE_BYTES: usize = 64 << 10;

impl Stream {
    /// The stream's first lines, for the choice of its format: up to 64 KiB, whole lines as far as there are any. They
    /// are the same before and after the stream is settled.
    pub fn head(&self) -> Vec<u8> {
        let mut head = Vec::new();
        let mut files: Vec<&StreamFile> = self.files.iter().collect();
        files.sort_by_key(|file| file.place_by_name);
        for file in files {
            let room = SAMPLE_BYTES - head.len();
            let mut part = file.head(room);
            let is_cut = part.len() == room;
            if is_cut && let Some(last) = memchr::memrchr(b'\n', &part) {
                part.truncate(last + 1);
            }
            head.extend_from_slice(&part);
            if is_cut || head.len() == SAMPLE_BYTES {
                break;
            }
            if head.last().is_some_and(|&byte| byte != b'\n') {
                head.push(b'\n');
            }
        }
        head
    }

    /// Bytes on disk.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}
