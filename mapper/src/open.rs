//! A file's decoded bytes: opened with care, told by magic bytes, read by position.
//!
//! Paths are hostile until checked: a glob may name a FIFO that blocks whoever opens it, a device, or a file that
//! shrinks while it is read. Files are opened read-only and non-blocking, regular ones alone are read, and only as far
//! as they reached when they were listed. Files are read by position into the caller's buffer, which on a cached file
//! is quicker than a memory map; `LOGSTITCH_READ=map` in the mapper's environment asks for maps all the same.

mod decode;
mod decoded;
pub mod frames;
mod input;
mod map;
#[cfg(test)]
pub(crate) mod tests;
mod utf16;

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Serialize};

use crate::tally::{Finding, FindingKind};
use decoded::Decoded;
use frames::FrameStart;
use input::Source;

/// How a file is packed, by its magic bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Compression {
    Plain,
    Gzip,
    Zstd,
    Bzip2,
    Xz,
}

impl Compression {
    pub fn of(head: &[u8]) -> Compression {
        match head {
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            // A skippable frame, as seekable zstd and pzstd write them.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Compression::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            _ => Compression::Plain,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Compression::Plain => "plain",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Bzip2 => "bzip2",
            Compression::Xz => "xz",
        }
    }
}

/// How its text is written, by the byte order mark at its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Encoding {
    Utf8,
    Utf16Little,
    Utf16Big,
}

impl Encoding {
    pub fn of(head: &[u8]) -> Encoding {
        match head {
            [0xff, 0xfe, ..] => Encoding::Utf16Little,
            [0xfe, 0xff, ..] => Encoding::Utf16Big,
            _ => Encoding::Utf8,
        }
    }
}

pub const BOM: &[u8] = b"\xef\xbb\xbf";

/// Opens a regular file for reading, or says why not. Never blocks, never becomes the terminal of anything.
pub fn open(path: &[u8]) -> Result<(File, Metadata), Finding> {
    let refuse = |kind, detail: String| Finding::new(path, kind, detail);
    let failed = |error: &io::Error| match error.raw_os_error() {
        Some(libc::ENOENT) => refuse(FindingKind::Vanished, String::new()),
        // What opening a socket gives, and a device that nothing drives.
        Some(libc::ENXIO) => refuse(FindingKind::NotRegular, "a socket or a device".to_owned()),
        _ => refuse(FindingKind::Unreadable, reason(error)),
    };
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(Path::new(std::ffi::OsStr::from_bytes(path)))
        .map_err(|error| failed(&error))?;
    let metadata = file.metadata().map_err(|error| failed(&error))?;
    let kind = metadata.file_type();
    let what = if kind.is_file() {
        return Ok((file, metadata));
    } else if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a FIFO"
    } else if kind.is_char_device() || kind.is_block_device() {
        "a device"
    } else {
        "a socket or the like"
    };
    Err(refuse(FindingKind::NotRegular, what.to_owned()))
}

/// An error as a person reads it, without the number.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_lowercase(),
        None => text,
    }
}

/// Nanoseconds since the epoch of the last change; as far as they fit.
pub fn mtime_ns(metadata: &Metadata) -> i64 {
    metadata
        .mtime()
        .saturating_mul(1_000_000_000)
        .saturating_add(metadata.mtime_nsec())
}

/// The offset behind the last LF before `size`; `size` itself where none is near.
pub fn last_line_end(file: &File, size: u64) -> u64 {
    const BLOCK: u64 = 64 << 10;
    const BLOCKS: u64 = 32;
    let mut block = vec![0; BLOCK as usize];
    let mut end = size;
    for _ in 0..BLOCKS {
        let start = end.saturating_sub(BLOCK);
        let part = &mut block[..(end - start) as usize];
        if part.is_empty() || !read_at(file, part, start).is_ok_and(|count| count == part.len()) {
            break;
        }
        if let Some(last) = memchr::memrchr(b'\n', part) {
            return start + last as u64 + 1;
        }
        end = start;
    }
    size
}

/// How a file's bytes are come by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    #[default]
    Positional,
    /// Through a memory map that survives a file that shrinks; by position where none can be made.
    Mapped,
}

impl Reading {
    /// What `LOGSTITCH_READ` says: `map`, or `read` as without it.
    pub fn from_environment() -> Result<Reading, String> {
        match std::env::var_os("LOGSTITCH_READ") {
            None => Ok(Reading::Positional),
            Some(text) if text == "read" => Ok(Reading::Positional),
            Some(text) if text == "map" => Ok(Reading::Mapped),
            Some(text) => Err(format!(
                "LOGSTITCH_READ={}: wants read or map",
                text.display()
            )),
        }
    }

    /// The same, asked once.
    pub fn chosen() -> Reading {
        static CHOSEN: LazyLock<Reading> =
            LazyLock::new(|| Reading::from_environment().unwrap_or_default());
        *CHOSEN
    }
}

/// What opening a file's content needs to know of it.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub compression: Compression,
    pub encoding: Encoding,
    /// Bytes on disk that count, whatever was appended since.
    pub size: u64,
    /// Decoded bytes after which a file that is not plain is cut off.
    pub max_decoded_bytes: u64,
    /// Decoded bytes that belong to the file: what a copy of it holds beyond them is not looked at.
    pub decoded_end: u64,
    pub reading: Reading,
}

/// The decoded bytes of one file, in order from some offset.
pub struct Content {
    path: Vec<u8>,
    bytes: Bytes,
    finding: Option<Finding>,
    /// Bytes on disk that were read and not told yet.
    unpaid: u64,
    taken: u64,
}

enum Bytes {
    Plain { source: Source, at: u64, size: u64 },
    Decoded(Box<Decoded>),
    Ended,
}

impl Content {
    /// The content from its decoded byte `offset` on: at once in plain files, by decoding up to there in others.
    pub fn new(path: &[u8], file: File, shape: Shape, offset: u64) -> Content {
        Content::framed(path, file, shape, &[], offset)
    }

    /// The same of a file of which the starts of some frames are known: decoded from the nearest of them on.
    pub fn framed(
        path: &[u8],
        file: File,
        shape: Shape,
        starts: &[FrameStart],
        offset: u64,
    ) -> Content {
        let mut content = Content {
            path: path.to_vec(),
            bytes: Bytes::Ended,
            finding: None,
            unpaid: 0,
            taken: 0,
        };
        if shape.compression == Compression::Plain && shape.encoding == Encoding::Utf8 {
            content.bytes = Bytes::Plain {
                source: Source::new(Arc::new(file), shape.size, shape.reading),
                at: offset,
                size: shape.size,
            };
        } else {
            let decoded = Decoded::new(file, shape, starts, offset);
            let start = decoded.start();
            content.taken = start.disk;
            content.bytes = Bytes::Decoded(Box::new(decoded));
            content.skip(offset.saturating_sub(start.decoded));
        }
        content
    }

    /// Fills a part of `to`; 0 is the end of what can be read, or the beginning of what is damaged.
    pub fn read(&mut self, to: &mut [u8]) -> usize {
        match &mut self.bytes {
            Bytes::Ended => 0,
            Bytes::Plain { source, at, size } => {
                let wanted = to
                    .len()
                    .min(size.saturating_sub(*at).try_into().unwrap_or(usize::MAX));
                match source.read_at(&mut to[..wanted], *at) {
                    Ok(0) if *at < *size => {
                        let detail = format!("{} of {} bytes are there", at, size);
                        self.end(FindingKind::Truncated, detail)
                    }
                    Ok(0) => {
                        self.bytes = Bytes::Ended;
                        0
                    }
                    Ok(count) => {
                        *at += count as u64;
                        self.unpaid += count as u64;
                        count
                    }
                    Err(error) => self.end(FindingKind::Unreadable, reason(&error)),
                }
            }
            Bytes::Decoded(decoded) => loop {
                if let Some(count) = decoded.serve(to) {
                    return count;
                }
                if let Some(end) = decoded.end() {
                    self.finding = end.finding.clone();
                    if decoded.next_start().is_none() {
                        self.bytes = Bytes::Ended;
                    }
                    return 0;
                }
                decoded.next_piece(&self.path);
                let taken = decoded.taken().max(self.taken);
                self.unpaid += taken - std::mem::replace(&mut self.taken, taken);
            },
        }
    }

    /// Where reading can go on behind something that is damaged: the decoded offset, known once `read` gave 0.
    pub fn next_start(&self) -> Option<u64> {
        match &self.bytes {
            Bytes::Decoded(decoded) => decoded.next_start(),
            Bytes::Plain { .. } | Bytes::Ended => None,
        }
    }

    /// Goes on there: `read` gives bytes again, and what is to be said of the file is of those.
    pub fn go_on(&mut self) {
        if let Bytes::Decoded(decoded) = &mut self.bytes {
            decoded.go_on();
            self.finding = None;
        }
    }

    /// Whether reading it takes more than a copy.
    pub fn is_decoded(&self) -> bool {
        matches!(self.bytes, Bytes::Decoded(_))
    }

    /// Bytes read from disk since this was last asked.
    pub fn take_disk_bytes(&mut self) -> u64 {
        std::mem::take(&mut self.unpaid)
    }

    /// What is to be said of the file, known once `read` gave 0.
    pub fn finding(&self) -> Option<&Finding> {
        self.finding.as_ref()
    }

    /// Whether all of it could be read, known once `read` gave 0.
    pub fn is_whole(&self) -> bool {
        !self
            .finding
            .as_ref()
            .is_some_and(|finding| finding.kind.is_loss())
    }

    fn end(&mut self, kind: FindingKind, detail: String) -> usize {
        self.finding = Some(Finding::new(&self.path, kind, detail));
        self.bytes = Bytes::Ended;
        0
    }

    fn skip(&mut self, mut count: u64) {
        let mut buffer = [0; 4096];
        while count > 0 {
            let wanted = count.min(buffer.len() as u64) as usize;
            match self.read(&mut buffer[..wanted]) {
                0 => return,
                read => count -= read as u64,
            }
        }
    }
}

fn read_at(file: &File, to: &mut [u8], at: u64) -> io::Result<usize> {
    loop {
        match file.read_at(to, at) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
