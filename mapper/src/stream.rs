//! Rotated files, oldest first, as one stream, and where a stream is cut into segments.

mod discover;
mod glob;
mod rotation;
mod same;
mod settle;
#[cfg(test)]
mod tests;

use std::os::unix::fs::MetadataExt;

use bstr::BString;
use serde::{Deserialize, Serialize};

use crate::open::{self, BOM, Compression, Content, Encoding, Shape};
use crate::tally::{Finding, FindingKind};
pub use discover::{Found, discover};

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

/// One file as it was when it was listed: enough to find it again after a rotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamFile {
    pub path: BString,
    pub device: u64,
    pub inode: u64,
    /// Bytes on disk; what is appended later is not read.
    pub size: u64,
    pub mtime_ns: i64,
    pub compression: Compression,
    pub encoding: Encoding,
    pub head: Fingerprint,
    /// Behind the last line end of a plain file; its size in others.
    pub last_line_end: u64,
    /// Its first time as logged, as far as it is near its head; known once the stream is settled.
    pub first_ns: Option<i64>,
}

/// What a file begins with: a hash of its first decoded bytes. A file that grows, moves or is compressed keeps it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Fingerprint {
    /// Bytes that are hashed, at most `HEAD_BYTES`.
    pub length: u32,
    pub hash: u128,
}

/// Decoded bytes of a head that are hashed.
pub const HEAD_BYTES: usize = 4096;

impl Fingerprint {
    /// FNV-1a, which stays the same from build to build.
    pub fn of(head: &[u8]) -> Fingerprint {
        let head = &head[..head.len().min(HEAD_BYTES)];
        let mut hash = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d_u128;
        for &byte in head {
            hash ^= u128::from(byte);
            hash = hash.wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
        Fingerprint {
            length: head.len() as u32,
            hash,
        }
    }
}

impl StreamFile {
    /// Looks at a file: what it is, how far it reaches, how it begins. Nothing but its two ends is read.
    pub fn describe(path: &[u8]) -> Result<StreamFile, Finding> {
        let (file, metadata) = open::open(path)?;
        let mut described = StreamFile {
            path: path.into(),
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.len(),
            mtime_ns: open::mtime_ns(&metadata),
            compression: Compression::Plain,
            encoding: Encoding::Utf8,
            head: Fingerprint::default(),
            last_line_end: metadata.len(),
            first_ns: None,
        };
        let raw = described.head(8);
        described.compression = Compression::of(&raw);
        let decoded = described.head(2);
        described.encoding = Encoding::of(&decoded);
        described.head = Fingerprint::of(&described.head(HEAD_BYTES));
        if described.is_plain() {
            described.last_line_end = open::last_line_end(&file, described.size);
        }
        Ok(described)
    }

    /// Whether it can be cut between its lines, by position.
    pub fn is_plain(&self) -> bool {
        self.compression == Compression::Plain && self.encoding == Encoding::Utf8
    }

    /// The decoded content from an offset on, if this very file is still there.
    pub fn content(&self, offset: u64, max_decoded_bytes: u64) -> Result<Content, Finding> {
        let (file, metadata) = open::open(&self.path)?;
        if (metadata.dev(), metadata.ino()) != (self.device, self.inode) {
            let detail = "another file has its name now";
            return Err(Finding::new(&self.path, FindingKind::Vanished, detail));
        }
        let shape = Shape {
            compression: self.compression,
            encoding: self.encoding,
            size: self.size,
            max_decoded_bytes,
        };
        Ok(Content::new(&self.path, file, shape, offset))
    }

    /// The first decoded bytes, at most `count`, without a byte order mark.
    pub fn head(&self, count: usize) -> Vec<u8> {
        let Ok(mut content) = self.content(0, u64::MAX) else {
            return Vec::new();
        };
        let mut head = vec![0; count + BOM.len()];
        let mut end = 0;
        while end < head.len() {
            match content.read(&mut head[end..]) {
                0 => break,
                read => end += read,
            }
        }
        head.truncate(end);
        if head.starts_with(BOM) {
            head.drain(..BOM.len());
        }
        head.truncate(count);
        head
    }
}

/// Decoded bytes by which a stream's format is chosen.
pub const SAMPLE_BYTES: usize = 64 << 10;

impl Stream {
    /// The stream's first lines, for the choice of its format: up to 64 KiB, whole lines as far as there are any.
    pub fn head(&self) -> Vec<u8> {
        let mut head = Vec::new();
        for file in &self.files {
            let room = SAMPLE_BYTES - head.len();
            let mut part = file.head(room);
            if part.len() == room
                && let Some(last) = memchr::memrchr(b'\n', &part)
            {
                part.truncate(last + 1);
                head.extend_from_slice(&part);
                break;
            }
            head.extend_from_slice(&part);
            if head.len() == SAMPLE_BYTES {
                break;
            }
            if head.last().is_some_and(|&byte| byte != b'\n') {
                head.push(b'\n');
            }
        }
        head.truncate(SAMPLE_BYTES);
        head
    }

    /// Bytes on disk.
    pub fn size(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }
}
