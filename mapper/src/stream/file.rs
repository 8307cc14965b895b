//! One file of a stream: described when it is listed, and found again when it is read.
//!
//! Between the two, logs rotate: the file may have another name, be packed, or be copied and emptied. It is known by
//! its inode, and where that is gone or begins otherwise, by the hash of its first bytes.

use std::fs::{self, File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use bstr::{BString, ByteSlice};
use serde::{Deserialize, Serialize};

use super::{glob, rotation};
use crate::open::frames::{self, FrameStart};
use crate::open::{self, BOM, Compression, Content, Encoding, Reading, Shape};
use crate::tally::{Finding, FindingKind};

/// One file as it was when it was listed.
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
    /// Its place in the stream by name alone: the format is chosen by that order, which nothing changes later.
    pub place_by_name: u32,
    /// Where it can be decoded from, its head included; empty where that is the only place known.
    pub frames: Vec<FrameStart>,
}

/// What a file begins with: a hash of its first decoded bytes. A file that grows, moves or is packed keeps it.
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

/// Names of a folder among which a file is looked for that lost its own.
const MOST_NAMES: usize = 10_000;

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
            place_by_name: 0,
            frames: Vec::new(),
        };
        let head = |described: &StreamFile, count| {
            head_of(
                Content::new(path, clone(&file, path)?, described.shape(u64::MAX), 0),
                count,
            )
        };
        described.compression = Compression::of(&head(&described, 8)?);
        described.encoding = Encoding::of(&head(&described, 2)?);
        described.head = Fingerprint::of(&head(&described, HEAD_BYTES)?);
        if described.is_plain() {
            described.last_line_end = open::last_line_end(&file, described.size);
        }
        Ok(described)
    }

    /// Looks for places to decode it from, `least_apart` decoded bytes from each other. Headers alone are read.
    pub fn find_frames(&mut self, least_apart: u64) {
        if self.compression != Compression::Zstd || self.encoding != Encoding::Utf8 {
            return;
        }
        if let Ok((file, metadata)) = open::open(&self.path)
            && (metadata.dev(), metadata.ino()) == (self.device, self.inode)
        {
            self.frames = frames::starts(&file, self.size, least_apart);
        }
    }

    /// Whether it can be cut between its lines, by position.
    pub fn is_plain(&self) -> bool {
        self.compression == Compression::Plain && self.encoding == Encoding::Utf8
    }

    /// The decoded content from an offset on, wherever the file is by now.
    pub fn content(&self, offset: u64, max_decoded_bytes: u64) -> Result<Content, Finding> {
        let shape = self.shape(max_decoded_bytes);
        let vanished = |detail| Finding::new(&self.path, FindingKind::Vanished, detail);
        let opened = open::open(&self.path).and_then(|(file, metadata)| {
            if (metadata.dev(), metadata.ino()) != (self.device, self.inode) {
                return Err(vanished("another file has its name now"));
            }
            match self.state(&file, &metadata) {
                State::Anew => Err(vanished("it was written anew")),
                state => Ok((file, state)),
            }
        });
        let framed = |file| Content::framed(&self.path, file, shape, &self.frames, offset);
        if let Ok((file, State::Whole)) = opened {
            return Ok(framed(file));
        }
        match self.found_again(offset, max_decoded_bytes) {
            Some(content) => Ok(content),
            // What a file that was cut short lacks is said as it is read.
            None => opened.map(|(file, _)| framed(file)),
        }
    }

    /// The first decoded bytes, at most `count`, without a byte order mark.
    pub fn head(&self, count: usize) -> Vec<u8> {
        self.content(0, u64::MAX)
            .and_then(|content| head_of(content, count))
            .unwrap_or_default()
    }

    fn shape(&self, max_decoded_bytes: u64) -> Shape {
        Shape {
            compression: self.compression,
            encoding: self.encoding,
            size: self.size,
            max_decoded_bytes,
            decoded_end: u64::MAX,
            reading: Reading::chosen(),
        }
    }

    /// What became of the file while it kept its inode.
    fn state(&self, file: &File, metadata: &Metadata) -> State {
        let is_long_enough = metadata.len() >= self.size;
        if is_long_enough && open::mtime_ns(metadata) == self.mtime_ns {
            return State::Whole;
        }
        let length = self.head.length as usize;
        let head = clone(file, &self.path)
            .map(|file| Content::new(&self.path, file, self.shape(u64::MAX), 0))
            .and_then(|content| head_of(content, length))
            .unwrap_or_default();
        if Fingerprint::of(&head) == self.head && is_long_enough {
            State::Whole
        } else if Fingerprint::of(&head) == self.head || head.len() < length {
            State::Short
        } else {
            State::Anew
        }
    }

    /// The content under another name in the same folder: the inode if it has moved, else a file of the stream that
    /// begins with the same bytes.
    fn found_again(&self, offset: u64, max_decoded_bytes: u64) -> Option<Content> {
        let (folder, name) = split(&self.path);
        let base = base_of(name);
        let mut alike = Vec::new();
        for entry in fs::read_dir(glob::as_path(folder))
            .ok()?
            .take(MOST_NAMES)
            .flatten()
        {
            let path = [folder, entry.file_name().as_bytes()].concat();
            if path == *self.path || !entry.file_type().is_ok_and(|kind| kind.is_file()) {
                continue;
            }
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if (metadata.dev(), metadata.ino()) == (self.device, self.inode)
                && let Ok((file, metadata)) = open::open(&path)
                && self.state(&file, &metadata) == State::Whole
            {
                let shape = self.shape(max_decoded_bytes);
                return Some(Content::framed(&path, file, shape, &self.frames, offset));
            }
            if base_of(entry.file_name().as_bytes()) == base {
                alike.push(path);
            }
        }
        alike.sort();
        alike
            .into_iter()
            .filter_map(|path| StreamFile::describe(&path).ok())
            .find(|other| self.is_copied_in(other))
            .and_then(|other| {
                let (file, _) = open::open(&other.path).ok()?;
                let mut shape = other.shape(max_decoded_bytes);
                if self.is_plain() {
                    // What was appended before it was packed or copied does not belong to this run.
                    shape.decoded_end = self.size;
                    shape.size = if other.is_plain() {
                        self.size
                    } else {
                        other.size
                    };
                }
                Some(Content::new(&other.path, file, shape, offset))
            })
    }

    fn is_copied_in(&self, other: &StreamFile) -> bool {
        let length = self.head.length as usize;
        length > 0
            && (!self.is_plain() || !other.is_plain() || other.size >= self.size)
            && Fingerprint::of(&other.head(length)) == self.head
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// All that was listed is there.
    Whole,
    Short,
    Anew,
}

/// The folder of a path with its slash, and the name.
pub(super) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    path.split_at(path.rfind_byte(b'/').map_or(0, |slash| slash + 1))
}

fn base_of(name: &[u8]) -> Vec<u8> {
    rotation::take_apart(name, None, &|_| true).base
}

fn clone(file: &File, path: &[u8]) -> Result<File, Finding> {
    file.try_clone()
        .map_err(|error| Finding::new(path, FindingKind::Unreadable, open::reason(&error)))
}

/// The first bytes, without a byte order mark; an error where not even they can be read.
fn head_of(mut content: Content, count: usize) -> Result<Vec<u8>, Finding> {
    let mut head = vec![0; count + BOM.len()];
    let mut end = 0;
    while end < head.len() {
        match content.read(&mut head[end..]) {
            0 => break,
            read => end += read,
        }
    }
    if end == 0
        && let Some(finding) = content.finding()
        && finding.kind == FindingKind::Unreadable
    {
        return Err(finding.clone());
    }
    head.truncate(end);
    if head.starts_with(BOM) {
        head.drain(..BOM.len());
    }
    head.truncate(count);
    Ok(head)
}
