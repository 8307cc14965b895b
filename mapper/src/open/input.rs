//! The bytes of a file as they lie on disk, up to the size it had when it was listed: by position, or through a map
//! that falls back on that; and buffered, as decoders read them.

use std::fs::File;
use std::io::{self, BufRead, Read};
use std::sync::Arc;

use super::Reading;
use super::map::Map;

const BUFFER_BYTES: usize = 64 << 10;

/// Where bytes come from.
pub(super) struct Source {
    file: Arc<File>,
    map: Mapping,
}

enum Mapping {
    None,
    /// So many bytes, once the first of them are asked for.
    Wanted(u64),
    Made(Map),
}

impl Source {
    pub(super) fn new(file: Arc<File>, size: u64, reading: Reading) -> Source {
        let map = match reading {
            Reading::Positional => Mapping::None,
            Reading::Mapped => Mapping::Wanted(size),
        };
        Source { file, map }
    }

    /// Fills a part of `to`; 0 is the end of the file as it is now.
    pub(super) fn read_at(&mut self, to: &mut [u8], at: u64) -> io::Result<usize> {
        if let Mapping::Wanted(size) = self.map {
            self.map = Map::new(&self.file, size).map_or(Mapping::None, Mapping::Made);
        }
        if let Mapping::Made(map) = &self.map {
            let count = map.copy(to, at);
            // What lies behind the end of a file that was cut short reads as zeros.
            let there = self.file.metadata()?.len().saturating_sub(at);
            let count = count.min(there.try_into().unwrap_or(usize::MAX));
            if count > 0 || to.is_empty() {
                return Ok(count);
            }
            // Lost pages, or the end: a read says which.
            self.map = Mapping::None;
        }
        super::read_at(&self.file, to, at)
    }

    #[cfg(test)]
    pub(super) fn is_mapped(&self) -> bool {
        matches!(self.map, Mapping::Made(_))
    }
}

/// A buffered reader by position, which can look ahead without taking.
pub(super) struct Input {
    source: Source,
    at: u64,
    limit: u64,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Input {
    /// The bytes from `at` up to `limit`, both offsets in the file.
    pub(super) fn new(source: Source, at: u64, limit: u64) -> Input {
        Input {
            source,
            at,
            limit,
            buffer: vec![0; BUFFER_BYTES].into(),
            start: 0,
            end: 0,
        }
    }

    /// Where in the file the next bytes are read from.
    pub(super) fn taken(&self) -> u64 {
        self.at
    }

    /// The next bytes, `count` of them unless the input ends before.
    pub(super) fn peek(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.end - self.start < count && self.refill()? {}
        let end = self.end.min(self.start + count);
        Ok(&self.buffer[self.start..end])
    }

    fn refill(&mut self) -> io::Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let left = self.limit.saturating_sub(self.at);
        let room = &mut self.buffer[self.end..];
        let wanted = room.len().min(left.try_into().unwrap_or(usize::MAX));
        let count = self.source.read_at(&mut room[..wanted], self.at)?;
        self.at += count as u64;
        self.end += count;
        Ok(count > 0)
    }
}

impl Read for Input {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let from = self.fill_buf()?;
        let count = from.len().min(to.len());
        to[..count].copy_from_slice(&from[..count]);
        self.consume(count);
        Ok(count)
    }
}

impl BufRead for Input {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.start == self.end {
            self.refill()?;
        }
        Ok(&self.buffer[self.start..self.end])
    }

    fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
    }
}
