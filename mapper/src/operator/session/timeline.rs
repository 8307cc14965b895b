//! The entries of a session that are shown: all of them up to the limit, else the first half and the last.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::entry::Place;
use crate::record::EntryRecord;

/// Entries by place. Sessions are many, and most jobs want none of their entries: small then.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Timeline(Option<Box<Halves>>);

/// The first half is full before the last has any.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Halves {
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
        let Some(halves) = &self.0 else {
            return limit > 0;
        };
        let (first_limit, last_limit) = limits(limit);
        halves.first.len() < first_limit
            || halves.last.len() < last_limit
            || halves.first.last().is_some_and(|last| *place < last.place)
            || halves
                .last
                .front()
                .is_some_and(|first| first.place < *place)
    }

    pub fn add(&mut self, record: Box<EntryRecord>, limit: u32) {
        let Halves { first, last } = &mut **self.0.get_or_insert_default();
        let (first_limit, last_limit) = limits(limit);
        let place = record.place;
        if first.len() < first_limit || first.last().is_some_and(|last| place < last.place) {
            let at = first.partition_point(|held| held.place < place);
            first.insert(at, record);
            if first.len() > first_limit
                && let Some(middle) = first.pop()
            {
                last.push_front(middle);
            }
        } else {
            // Entries come nearly in order: the place is near the end.
            let after = last.iter().rev();
            let after = after.take_while(|held| held.place > place).count();
            last.insert(last.len() - after, record);
        }
        if last.len() > last_limit {
            last.pop_front();
        }
    }

    pub fn merge(&mut self, other: Timeline, limit: u32) {
        for record in other.into_entries() {
            self.add(record, limit);
        }
    }

    /// In order.
    pub fn into_entries(self) -> impl Iterator<Item = Box<EntryRecord>> {
        let halves = self.0.into_iter();
        halves.flat_map(|halves| halves.first.into_iter().chain(halves.last))
    }

    fn entries(&self) -> impl Iterator<Item = &EntryRecord> {
        let halves = self.0.iter();
        let entries = halves.flat_map(|halves| halves.first.iter().chain(&halves.last));
        entries.map(|record| &**record)
    }

    pub fn places(&self, visit: &mut dyn FnMut(&Place)) {
        self.entries().for_each(|record| visit(&record.place));
    }

    pub fn bytes(&self) -> usize {
        self.entries().map(EntryRecord::bytes).sum()
    }

    pub fn is_sound(&self, limit: u32) -> bool {
        let Some(halves) = &self.0 else {
            return true;
        };
        let (first_limit, last_limit) = limits(limit);
        halves.first.len() <= first_limit
            && halves.last.len() <= last_limit
            && (halves.last.is_empty() || halves.first.len() == first_limit)
            && self.entries().is_sorted_by_key(|record| record.place)
            && self.entries().all(EntryRecord::is_sound)
    }
}

fn limits(limit: u32) -> (usize, usize) {
    (limit.div_ceil(2) as usize, limit as usize / 2)
}
