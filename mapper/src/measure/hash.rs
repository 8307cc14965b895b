//! One hash for two uses: unkeyed, so that `distinct` gives the same registers on every host; and keyed by a secret
//! of the process, for tables in memory, so that hostile texts cannot be made to fall into one chain.

use std::hash::{BuildHasher, Hasher};
use std::sync::OnceLock;

use jobspec::value::word;

const PRIMES: [u64; 4] = [
    0xa076_1d64_78bd_642f,
    0xe703_7ed1_a0b4_28db,
    0x8ebc_6af0_9c88_c6e3,
    0x5899_65cc_7537_4cc3,
];

fn fold(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right);
    product as u64 ^ (product >> 64) as u64
}

/// 64 well mixed bits of a text: the same on every machine.
pub fn hash(bytes: &[u8]) -> u64 {
    hash_keyed(bytes, 0)
}

fn hash_keyed(bytes: &[u8], key: u64) -> u64 {
    let mut state = key ^ fold(key ^ PRIMES[0], PRIMES[1]);
    let mut chunks = bytes.chunks_exact(16);
    for chunk in &mut chunks {
        state = fold(word(&chunk[..8]) ^ PRIMES[1], word(&chunk[8..]) ^ state);
    }
    let rest = chunks.remainder();
    let (left, right) = rest.split_at(rest.len().min(8));
    let length = bytes.len() as u64;
    fold(
        PRIMES[1] ^ length,
        fold(
            word(left) ^ PRIMES[2] ^ state.rotate_left(23),
            word(right) ^ state ^ PRIMES[3],
        ),
    )
}

/// Builds the hashers of tables in memory. All of a process have one key, so that tables can be merged cheaply.
#[derive(Clone, Debug)]
pub struct Keyed(u64);

impl Default for Keyed {
    fn default() -> Keyed {
        static KEY: OnceLock<u64> = OnceLock::new();
        Keyed(*KEY.get_or_init(|| std::hash::RandomState::new().hash_one(0_u64)))
    }
}

impl BuildHasher for Keyed {
    type Hasher = KeyedHasher;

    fn build_hasher(&self) -> KeyedHasher {
        KeyedHasher(self.0)
    }
}

pub struct KeyedHasher(u64);

impl Hasher for KeyedHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = hash_keyed(bytes, self.0);
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = fold(
            self.0 ^ number ^ PRIMES[0],
            self.0.rotate_left(32) ^ PRIMES[3],
        );
    }

    // The length of a slice comes before its bytes, which are hashed with their length anyway.
    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_byte_and_the_length_count() {
        let mut seen = HashSet::new();
        let text: Vec<u8> = (0..100).collect();
        for end in 0..=text.len() {
            assert!(seen.insert(hash(&text[..end])));
            for index in 0..end {
                let mut changed = text[..end].to_vec();
                changed[index] ^= 0x80;
                assert!(seen.insert(hash(&changed)), "byte {index} of {end}");
            }
        }
        for zeros in 2..40 {
            assert!(seen.insert(hash(&vec![0; zeros])), "{zeros} zeros");
        }
    }

    #[test]
    fn it_never_changes() {
        // Registers of two builds meet in the reducer of a spool.
        assert_eq!(hash(b"alice"), 15_637_419_422_276_274_780);
    }
}
