//! Keys in memory, each with a number: a hash table of numbers, and all texts one behind the other.
//!
//! Many keys are the common hard case, so nothing of a key is an allocation of its own. What is kept of a key beside its
//! text lies in lists of whoever holds this, by the key's number.

use std::hash::BuildHasher;

use hashbrown::HashTable;

use super::kind::Kind;
use crate::measure::hash::Keyed;

#[derive(Clone, Debug, Default)]
pub struct Keys {
    table: HashTable<Slot>,
    heads: Vec<Head>,
    /// Of each key its text, then a byte for the kind of each of its values.
    texts: Vec<u8>,
    hasher: Keyed,
}

/// Where a key is: enough to tell it without a look anywhere but at its text.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    hash: u32,
    index: u32,
    head: Head,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    start: u32,
    length: u32,
}

impl Head {
    fn of(self, texts: &[u8]) -> &[u8] {
        &texts[self.start as usize..][..self.length as usize]
    }
}

impl Slot {
    pub fn index(self) -> usize {
        self.index as usize
    }
}

impl Keys {
    pub fn len(&self) -> usize {
        self.heads.len()
    }

    pub fn hash(&self, key: &[u8]) -> u32 {
        self.hasher.hash_one(key) as u32
    }

    /// The number of a key; whether it is a new one, and the next. Of its values the plainer kinds are kept.
    #[inline(always)]
    pub fn number(&mut self, hash: u32, key: &[u8], kinds: &[u8]) -> (usize, bool) {
        let texts = &self.texts;
        let found = self.table.find(spread(hash), |slot| {
            slot.hash == hash && slot.head.of(texts) == key
        });
        let Some(slot) = found else {
            return (self.add(hash, key, kinds), true);
        };
        let end = slot.head.start as usize + key.len();
        Kind::keep_plainer(&mut self.texts[end..][..kinds.len()], kinds);
        (slot.index(), false)
    }

    #[inline(never)]
    fn add(&mut self, hash: u32, key: &[u8], kinds: &[u8]) -> usize {
        let number =
            |length: usize| u32::try_from(length).expect("a partial is far smaller than that");
        let index = self.heads.len();
        let head = Head {
            start: number(self.texts.len()),
            length: number(key.len()),
        };
        let slot = Slot {
            hash,
            index: number(index),
            head,
        };
        self.heads.push(head);
        self.texts.extend_from_slice(key);
        self.texts.extend_from_slice(kinds);
        let rehash = |slot: &Slot| spread(slot.hash);
        self.table.insert_unique(spread(hash), slot, rehash);
        index
    }

    /// Where a key of this hash is, without a look at its text: mostly the one that is meant.
    pub fn likely(&self, hash: u32) -> Option<Slot> {
        self.table
            .find(spread(hash), |slot| slot.hash == hash)
            .copied()
    }

    /// Something of both ends of the text, to have them in the cache.
    #[inline]
    pub fn touch(&self, slot: Slot) -> u8 {
        let text = slot.head.of(&self.texts);
        text.first().unwrap_or(&0) ^ text.last().unwrap_or(&0)
    }

    /// The text of a key and the kinds of its values.
    pub fn get(&self, index: usize) -> (&[u8], &[u8]) {
        let head = self.heads[index];
        let end = match self.heads.get(index + 1) {
            Some(next) => next.start as usize,
            None => self.texts.len(),
        };
        self.texts[head.start as usize..end].split_at(head.length as usize)
    }

    /// The numbers of all keys, texts rising.
    pub fn sorted(&self) -> impl Iterator<Item = usize> + use<> {
        // By the first words of the keys, which tell most of them apart where they lie side by side.
        let mut order: Vec<([u64; 3], u32)> = self
            .heads
            .iter()
            .enumerate()
            .map(|(index, head)| (first_words(head.of(&self.texts)), index as u32))
            .collect();
        order.sort_unstable_by(|left, right| {
            left.0.cmp(&right.0).then_with(|| {
                let key = |index: u32| self.heads[index as usize].of(&self.texts);
                key(left.1).cmp(key(right.1))
            })
        });
        order.into_iter().map(|(_, index)| index as usize)
    }

    /// About so many bytes of memory.
    pub fn bytes(&self) -> usize {
        self.texts.len()
            + self.table.capacity() * (size_of::<Slot>() + 1)
            + self.heads.len() * size_of::<Head>()
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

    #[test]
    fn keys_come_out_sorted_and_each_once() {
        let mut keys = Keys::default();
        let key = |number: u32| format!("{:-<30}{}", "a long common head", number % 1000);
        for number in (0..3000_u32).rev() {
            let text = key(number * 7);
            let (hash, held) = (keys.hash(text.as_bytes()), keys.len());
            let (index, is_new) = keys.number(hash, text.as_bytes(), b"");
            assert_eq!(is_new, index == held);
            assert_eq!(keys.get(index).0, text.as_bytes());
            assert_eq!(keys.likely(hash).map(Slot::index), Some(index));
        }
        assert_eq!(keys.len(), 1000);
        let mut sorted: Vec<String> = (0..1000).map(key).collect();
        sorted.sort();
        let seen = keys.sorted().map(|index| keys.get(index).0.to_vec());
        assert!(seen.eq(sorted.into_iter().map(String::into_bytes)));
    }

    #[test]
    fn the_plainer_kind_of_a_text_stays() {
        let mut keys = Keys::default();
        for kinds in [[Kind::Text as u8], [Kind::Int as u8], [Kind::Text as u8]] {
            keys.number(keys.hash(b"200"), b"200", &kinds);
        }
        assert_eq!(keys.get(0), (&b"200"[..], &[Kind::Int as u8][..]));
        assert_eq!(keys.len(), 1);
    }
}
