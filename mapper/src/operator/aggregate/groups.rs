//! The groups of an aggregate in memory: a hash table of numbers, and behind them a few long arrays.
//!
//! High cardinalities are the common hard case, so a group is small (its key, a byte for each of its values, its
//! measures) and nothing of it is an allocation of its own.

use hashbrown::HashTable;

use super::shown::Kind;
use crate::measure::MeasurePartial;
use crate::measure::hash::Keyed;
use std::hash::BuildHasher;

#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    table: HashTable<Slot>,
    heads: Vec<Head>,
    /// Of each group its key, then a byte for the kind of each of its values.
    keys: Vec<u8>,
    /// As many of each group as there are slots.
    measures: Vec<MeasurePartial>,
    hasher: Keyed,
}

/// Where a group is: enough to tell it by its key without a look anywhere else.
#[derive(Clone, Copy, Debug)]
struct Slot {
    hash: u32,
    index: u32,
    key: Head,
}

/// The place of a key.
#[derive(Clone, Copy, Debug)]
struct Head {
    start: u32,
    length: u32,
}

impl Head {
    fn of(self, keys: &[u8]) -> &[u8] {
        &keys[self.start as usize..][..self.length as usize]
    }
}

/// One group on its way out, or in.
pub(super) struct Group<'a> {
    pub key: &'a [u8],
    pub kinds: &'a [u8],
    pub measures: &'a mut [MeasurePartial],
}

impl Groups {
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    /// The measures of a group, which is made if it is not there: of as many slots as `empty` gives.
    pub fn of(
        &mut self,
        key: &[u8],
        kinds: &[u8],
        empty: impl FnOnce(&mut Vec<MeasurePartial>),
    ) -> &mut [MeasurePartial] {
        let hash = self.hasher.hash_one(key) as u32;
        let keys = &self.keys;
        let found = self.table.find(spread(hash), |slot| {
            slot.hash == hash && slot.key.of(keys) == key
        });
        let index = match found {
            Some(slot) => {
                let end = slot.key.start as usize + key.len();
                Kind::keep_plainer(&mut self.keys[end..][..kinds.len()], kinds);
                slot.index as usize
            }
            None => {
                let number = |length: usize| {
                    u32::try_from(length).expect("a partial is far smaller than that")
                };
                let index = self.heads.len();
                let head = Head {
                    start: number(self.keys.len()),
                    length: number(key.len()),
                };
                let slot = Slot {
                    hash,
                    index: number(index),
                    key: head,
                };
                self.heads.push(head);
                self.keys.extend_from_slice(key);
                self.keys.extend_from_slice(kinds);
                empty(&mut self.measures);
                let rehash = |slot: &Slot| spread(slot.hash);
                self.table.insert_unique(spread(hash), slot, rehash);
                index
            }
        };
        let slots = self.measures.len() / self.heads.len();
        &mut self.measures[index * slots..][..slots]
    }

    /// Calls with every group, in the order in which they came.
    pub fn for_each(&mut self, mut visit: impl FnMut(Group<'_>)) {
        for index in 0..self.heads.len() {
            visit(self.group(index));
        }
    }

    /// Calls with every group, keys rising.
    pub fn for_each_sorted(&mut self, mut visit: impl FnMut(Group<'_>)) {
        // By the first words of the keys, which tell most of them apart where they lie side by side.
        let mut order: Vec<([u64; 3], u32)> = self
            .heads
            .iter()
            .enumerate()
            .map(|(index, head)| (first_words(head.of(&self.keys)), index as u32))
            .collect();
        order.sort_unstable_by(|left, right| {
            left.0.cmp(&right.0).then_with(|| {
                let key = |index: u32| self.heads[index as usize].of(&self.keys);
                key(left.1).cmp(key(right.1))
            })
        });
        for (_, index) in order {
            visit(self.group(index as usize));
        }
    }

    pub fn measures(&self) -> &[MeasurePartial] {
        &self.measures
    }

    /// About so many bytes of memory, but for what measures hold elsewhere.
    pub fn bytes(&self) -> usize {
        self.keys.len()
            + self.table.capacity() * (size_of::<Slot>() + 1)
            + self.heads.len() * size_of::<Head>()
            + self.measures.len() * size_of::<MeasurePartial>()
    }

    fn group(&mut self, index: usize) -> Group<'_> {
        let slots = self.measures.len() / self.heads.len();
        let head = self.heads[index];
        let end = match self.heads.get(index + 1) {
            Some(next) => next.start as usize,
            None => self.keys.len(),
        };
        let (key, kinds) = self.keys[head.start as usize..end].split_at(head.length as usize);
        Group {
            key,
            kinds,
            measures: &mut self.measures[index * slots..][..slots],
        }
    }
}

/// The table takes its bucket from the low bits and a tag from the highest.
fn spread(hash: u32) -> u64 {
    u64::from(hash) | u64::from(hash) << 32
}

/// The first 24 bytes, as numbers that order as they do.
fn first_words(key: &[u8]) -> [u64; 3] {
    let mut bytes = [0; 24];
    let length = key.len().min(24);
    bytes[..length].copy_from_slice(&key[..length]);
    let (words, _) = bytes.as_chunks::<8>();
    [0, 1, 2].map(|index| u64::from_be_bytes(words[index]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Measures;
    use jobspec::expr::Measure;

    #[test]
    fn groups_come_out_sorted_and_each_once() {
        let measures = Measures::new(&[Measure::Count]);
        let mut groups = Groups::default();
        let key = |number: u32| format!("{:-<30}{}", "a long common head", number % 1000);
        for number in (0..3000_u32).rev() {
            let text = key(number * 7);
            groups.of(text.as_bytes(), b"", |all| measures.push_empty(all));
        }
        assert_eq!(groups.len(), 1000);
        let mut sorted: Vec<String> = (0..1000).map(key).collect();
        sorted.sort();
        let mut seen = Vec::new();
        groups.for_each_sorted(|group| seen.push(String::from_utf8(group.key.to_vec()).unwrap()));
        assert_eq!(seen, sorted);
    }

    #[test]
    fn the_plainer_kind_of_a_text_stays() {
        let measures = Measures::new(&[Measure::Count]);
        let mut groups = Groups::default();
        for kinds in [[Kind::Text as u8], [Kind::Int as u8], [Kind::Text as u8]] {
            groups.of(b"200", &kinds, |all| measures.push_empty(all));
        }
        groups.for_each(|group| assert_eq!(group.kinds, [Kind::Int as u8]));
        assert_eq!(groups.len(), 1);
    }
}
