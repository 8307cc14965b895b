//! Whether two files hold the same text, packed or not.

use super::StreamFile;
use crate::open;

/// Decoded bytes after which two files that are still alike count as the same.
const COMPARED_BYTES: u64 = 64 << 20;

/// The left file's text, held against the right one's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Same,
    /// The right one begins with it.
    Begins,
    /// It begins with the right one.
    Continues,
    Other,
}

pub(super) fn compare(left: &StreamFile, right: &StreamFile) -> Content {
    let (Ok(left), Ok(right)) = (left.content(0, u64::MAX), right.content(0, u64::MAX)) else {
        return Content::Other;
    };
    let (mut left, mut right) = (Side::new(left), Side::new(right));
    let mut compared = 0;
    loop {
        left.fill();
        right.fill();
        let (left_rest, right_rest) = (left.rest(), right.rest());
        match (left_rest.is_empty(), right_rest.is_empty()) {
            // Nothing is no copy of anything.
            _ if compared == 0 && (left_rest.is_empty() || right_rest.is_empty()) => {
                return Content::Other;
            }
            (true, true) => return Content::Same,
            (true, false) => return Content::Begins,
            (false, true) => return Content::Continues,
            (false, false) => {}
        }
        let count = left_rest.len().min(right_rest.len());
        if left_rest[..count] != right_rest[..count] {
            return Content::Other;
        }
        left.start += count;
        right.start += count;
        compared += count as u64;
        if compared >= COMPARED_BYTES {
            return Content::Same;
        }
    }
}

struct Side {
    content: open::Content,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

impl Side {
    fn new(content: open::Content) -> Side {
        Side {
            content,
            buffer: vec![0; 64 << 10],
            start: 0,
            end: 0,
        }
    }

    fn fill(&mut self) {
        if self.start == self.end {
            self.start = 0;
            self.end = self.content.read(&mut self.buffer);
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }
}
