//! The bytes of a file as they lie on disk, up to the size it had when it was listed: what decoders read.

use std::fs::File;
use std::io::{self, BufRead, Read};

const BUFFER_BYTES: usize = 64 << 10;

/// A buffered reader by position, which can look ahead without taking.
pub(super) struct Input {
    file: File,
    at: u64,
    size: u64,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl Input {
    pub(super) fn new(file: File, size: u64) -> Input {
        Input {
            file,
            at: 0,
            size,
            buffer: vec![0; BUFFER_BYTES].into(),
            start: 0,
            end: 0,
        }
    }

    /// Bytes read from the file so far.
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
        let left = self.size.saturating_sub(self.at);
        let room = &mut self.buffer[self.end..];
        let wanted = room.len().min(left.try_into().unwrap_or(usize::MAX));
        let count = super::read_at(&self.file, &mut room[..wanted], self.at)?;
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
