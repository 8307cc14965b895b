//! The entries of a session that are shown: all of them up to the limit, else the first half and the last.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::entry::Place;
use crate::record::EntryRecord;

/// Entries by place. The first half is full before the last has any.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Timeline {
    #[expect(
        clippy::vec_box,
        reason = "entries are moved about, and a record is not small"
    )]
    first: Vec<Box<EntryRecord>>,
    last: VecDeque<Box<EntryRecord>>,
}

impl Timeline {
    /// Whether an entry of this place would stay.
    pub fn wants(&self, place: &Place, limit: u32) -> bool {
        let (first_limit, last_limit) = halves(limit);
        self.first.len() < first_limit
            || self.last.len() < last_limit
            || self.first.last().is_some_and(|last| *place < last.place)
            || self.last.front().is_some_and(|first| first.place < *place)
    }

    pub fn add(&mut self, record: Box<EntryRecord>, limit: u32) {
        let (first_limit, last_limit) = halves(limit);
        let place = record.place;
        if self.first.len() < first_limit
            || self.first.last().is_some_and(|last| place < last.place)
        {
            let at = self.first.partition_point(|held| held.place < place);
            self.first.insert(at, record);
            if self.first.len() > first_limit
                && let Some(middle) = self.first.pop()
            {
                self.last.push_front(middle);
            }
        } else {
            // Entries come nearly in order: the place is near the end.
            let after = self
                .last
                .iter()
                .rev()
                .take_while(|held| held.place > place)
                .count();
            self.last.insert(self.last.len() - after, record);
        }
        if self.last.len() > last_limit {
            self.last.pop_front();
        }
    }

    pub fn merge(&mut self, other: Timeline, limit: u32) {
        for record in other.into_entries() {
            self.add(record, limit);
        }
    }

    pub fn len(&self) -> usize {
        self.first.len() + self.last.len()
    }

    /// In order.
    pub fn into_entries(self) -> impl Iterator<Item = Box<EntryRecord>> {
        self.first.into_iter().chain(self.last)
    }

    fn entries(&self) -> impl Iterator<Item = &EntryRecord> {
        self.first.iter().chain(&self.last).map(|record| &**record)
    }

    pub fn places(&self, visit: &mut dyn FnMut(&Place)) {
        self.entries().for_each(|record| visit(&record.place));
    }

    pub fn bytes(&self) -> usize {
        self.entries().map(EntryRecord::bytes).sum()
    }

    pub fn is_sound(&self, limit: u32) -> bool {
        let (first_limit, last_limit) = halves(limit);
        self.first.len() <= first_limit
            && self.last.len() <= last_limit
            && (self.last.is_empty() || self.first.len() == first_limit)
            && self.entries().is_sorted_by_key(|record| record.place)
            && self.entries().all(EntryRecord::is_sound)
    }
}

fn halves(limit: u32) -> (usize, usize) {
    (limit.div_ceil(2) as usize, limit as usize / 2)
}
