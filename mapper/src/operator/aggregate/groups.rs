//! The groups of an aggregate in memory: keys by number, and behind them one long list of measures.
//!
//! High cardinalities are the common hard case. Where they are more than the processor's caches hold, to look one up is to
//! wait for memory three times: for its slot, its key and its measures. So several are looked up together
//! (`Groups::count_made`), and wait at the same time.

use std::hint::black_box;

use crate::measure::MeasurePartial;
use crate::operator::keys::Keys;

#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    keys: Keys,
    /// Of each group `width`.
    measures: Vec<MeasurePartial>,
    width: usize,
    /// The group of the entry before, where there are few.
    last: usize,
    waiting: Waiting,
}

/// One group on its way out, or in.
pub(super) struct Group<'a> {
    pub key: &'a [u8],
    pub kinds: &'a [u8],
    pub measures: &'a mut [MeasurePartial],
}

impl Groups {
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// The measures of a group, which is made if it is not there: of as many slots as `empty` gives.
    pub fn of(
        &mut self,
        key: &[u8],
        kinds: &[u8],
        empty: impl FnOnce(&mut Vec<MeasurePartial>),
    ) -> &mut [MeasurePartial] {
        self.settle();
        let index = self.index_of(self.keys.hash(key), key, kinds, empty);
        self.measures_of(index)
    }

    /// Room for the key of an entry, for `of_made` or `count_made` to find its group.
    pub fn room(&mut self) -> &mut Vec<u8> {
        &mut self.waiting.texts
    }

    /// As `of`, by the key that was made in the room.
    pub fn of_made(
        &mut self,
        kinds: &[u8],
        empty: impl FnOnce(&mut Vec<MeasurePartial>),
    ) -> &mut [MeasurePartial] {
        if self.len() < FEW && self.is_last(kinds) {
            self.waiting.texts.clear();
            return self.measures_of(self.last);
        }
        self.settle();
        let mut texts = std::mem::take(&mut self.waiting.texts);
        let hash = self.keys.hash(&texts);
        self.last = self.index_of(hash, &texts, kinds, empty);
        texts.clear();
        self.waiting.texts = texts;
        self.measures_of(self.last)
    }

    /// Whether the key that was made is the one before it, kinds and all.
    fn is_last(&self, kinds: &[u8]) -> bool {
        self.last < self.len()
            && self.waiting.places.is_empty()
            && self.keys.get(self.last) == (&self.waiting.texts, kinds)
    }

    /// Counts an entry in the group whose key was made in the room, at once or later. All measures count entries.
    pub fn count_made(&mut self, kinds: &[u8], empty: impl FnOnce(&mut Vec<MeasurePartial>)) {
        if self.len() < MANY {
            let measures = self.of_made(kinds, empty);
            return measures.iter_mut().for_each(|measure| measure.count(true));
        }
        let hash = self.keys.hash(self.waiting.made());
        self.waiting.push(hash, kinds);
        if self.waiting.is_full() {
            self.settle();
        }
    }

    /// Counts what waits. A key that is still being made stays.
    fn settle(&mut self) {
        if self.waiting.places.is_empty() {
            return;
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        let mut likely = [None; TOGETHER];
        for (likely, (hash, ..)) in likely.iter_mut().zip(waiting.each()) {
            *likely = self.keys.likely(hash);
        }
        let width = self.width;
        let mut seen = 0;
        for slot in likely.into_iter().flatten() {
            seen ^= self.keys.touch(slot);
            let measure = self.measures.get(slot.index() * width);
            seen ^= u8::from(matches!(measure, Some(MeasurePartial::Count(_))));
        }
        // They are in the cache now.
        black_box(seen);
        for (hash, key, kinds) in waiting.each() {
            let index = self.index_of(hash, key, kinds, |measures| {
                let count = || MeasurePartial::Count(Default::default());
                measures.extend(std::iter::repeat_with(count).take(width));
            });
            let measures = self.measures_of(index);
            measures.iter_mut().for_each(|measure| measure.count(true));
        }
        waiting.clear();
        self.waiting = waiting;
    }

    fn measures_of(&mut self, index: usize) -> &mut [MeasurePartial] {
        &mut self.measures[index * self.width..][..self.width]
    }

    fn index_of(
        &mut self,
        hash: u32,
        key: &[u8],
        kinds: &[u8],
        empty: impl FnOnce(&mut Vec<MeasurePartial>),
    ) -> usize {
        let (index, is_new) = self.keys.number(hash, key, kinds);
        if is_new {
            let before = self.measures.len();
            empty(&mut self.measures);
            self.width = self.measures.len() - before;
        }
        index
    }

    /// Calls with every group, in the order in which they came.
    pub fn for_each(&mut self, mut visit: impl FnMut(Group<'_>)) {
        self.settle();
        for index in 0..self.len() {
            visit(self.group(index));
        }
    }

    /// Calls with every group, keys rising.
    pub fn for_each_sorted(&mut self, mut visit: impl FnMut(Group<'_>)) {
        self.settle();
        for index in self.keys.sorted() {
            visit(self.group(index));
        }
    }

    pub fn measures(&self) -> &[MeasurePartial] {
        &self.measures
    }

    /// About so many bytes of memory, but for what measures hold elsewhere.
    pub fn bytes(&self) -> usize {
        self.keys.bytes() + self.measures.len() * size_of::<MeasurePartial>()
    }

    fn group(&mut self, index: usize) -> Group<'_> {
        let (key, kinds) = self.keys.get(index);
        Group {
            key,
            kinds,
            measures: &mut self.measures[index * self.width..][..self.width],
        }
    }
}

/// From so many groups on they are looked up together, so many at once. Few where it is tested, so that all tests of
/// aggregates are of this too.
const MANY: usize = if cfg!(test) { 4 } else { 2048 };
const TOGETHER: usize = 32;
/// Of fewer groups than so many the one before is likely to come again, and is looked at first.
const FEW: usize = 32;
/// Long keys wait for fewer others.
const WAITING_BYTES: usize = 16 << 10;

/// Groups that entries were found to be of, to be counted later.
#[derive(Clone, Debug, Default)]
struct Waiting {
    /// Of each its key and the kinds of its values; behind them what is still being made.
    texts: Vec<u8>,
    places: Vec<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    hash: u32,
    key_end: u32,
    end: u32,
}

impl Waiting {
    fn end(&self) -> usize {
        self.places.last().map_or(0, |place| place.end as usize)
    }

    fn made(&self) -> &[u8] {
        &self.texts[self.end()..]
    }

    fn push(&mut self, hash: u32, kinds: &[u8]) {
        let key_end = self.texts.len() as u32;
        self.texts.extend_from_slice(kinds);
        self.places.push(Place {
            hash,
            key_end,
            end: self.texts.len() as u32,
        });
    }

    fn is_full(&self) -> bool {
        self.places.len() == TOGETHER || self.texts.len() >= WAITING_BYTES
    }

    fn clear(&mut self) {
        let end = self.end();
        self.texts.drain(..end);
        self.places.clear();
    }

    /// Of each its hash, key and kinds.
    fn each(&self) -> impl Iterator<Item = (u32, &[u8], &[u8])> {
        let mut start = 0;
        self.places.iter().map(move |place| {
            let (key_end, end) = (place.key_end as usize, place.end as usize);
            let key = &self.texts[start..key_end];
            start = end;
            (place.hash, key, &self.texts[key_end..end])
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Measures;
    use jobspec::expr::Measure;

    #[test]
    fn those_that_wait_are_counted_before_anybody_looks() {
        let measures = Measures::new(&[Measure::Count, Measure::Count]);
        let key = |number: usize| format!("key {}", number * 7 % 50);
        let (mut later, mut at_once) = (Groups::default(), Groups::default());
        for number in 0..3 * TOGETHER + 9 {
            later.room().extend_from_slice(key(number).as_bytes());
            later.count_made(b"k", |all| measures.push_empty(all));
            let held = at_once.of(key(number).as_bytes(), b"k", |all| measures.push_empty(all));
            held.iter_mut().for_each(|measure| measure.count(true));
        }
        assert!(!later.waiting.places.is_empty(), "some still wait");
        let listed = |groups: &mut Groups| {
            let mut listed = Vec::new();
            groups.for_each_sorted(|group| {
                let measures = format!("{:?}", group.measures);
                listed.push((group.key.to_vec(), group.kinds.to_vec(), measures));
            });
            listed
        };
        assert_eq!(listed(&mut later.clone()), listed(&mut at_once));
        // Of long keys few wait.
        for long in 0..TOGETHER {
            later.room().extend_from_slice(&[long as u8; 5000]);
            later.count_made(b"k", |all| measures.push_empty(all));
            assert!(later.waiting.texts.len() < WAITING_BYTES);
        }
        // A key that is being made when others are settled is not lost.
        later.room().extend_from_slice(b"another");
        later.of_made(b"k", |all| measures.push_empty(all));
        assert_eq!(listed(&mut later).len(), at_once.len() + TOGETHER + 1);
    }
}
