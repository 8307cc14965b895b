//! Entries at the head of a stream that wait for the first timestamp after them: a short queue with their bytes.

use std::collections::VecDeque;

use super::LOOK_AHEAD;
use super::sink::Whole;

#[derive(Default)]
pub(super) struct Waiting {
    bytes: Vec<u8>,
    /// Bytes of entries that are gone, at the front of `bytes`.
    gone: usize,
    entries: VecDeque<Held>,
}

pub(super) struct Held {
    pub(super) whole: Whole,
    length: usize,
}

impl Waiting {
    pub(super) fn push(&mut self, raw: &[u8], whole: Whole) {
        if self.gone > self.bytes.len() / 2 {
            self.bytes.drain(..self.gone);
            self.gone = 0;
        }
        self.bytes.extend_from_slice(raw);
        self.entries.push_back(Held {
            whole,
            length: raw.len(),
        });
    }

    /// The first entry, if what begins at `distance` is too far after it to lend it a time.
    pub(super) fn pop_beyond(&mut self, distance: u64) -> Option<Held> {
        let first = self.entries.front()?;
        if distance - first.whole.distance <= LOOK_AHEAD {
            return None;
        }
        self.pop()
    }

    pub(super) fn pop(&mut self) -> Option<Held> {
        self.entries.pop_front()
    }

    /// The text of the entry that was just taken; to be called once for each.
    pub(super) fn text(&mut self, held: &Held) -> &[u8] {
        let start = self.gone;
        self.gone += held.length;
        &self.bytes[start..self.gone]
    }
}
