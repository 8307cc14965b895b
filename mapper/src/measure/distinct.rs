//! `distinct`: exact up to 10,000 texts, a HyperLogLog of 2^14 registers beyond (0.8 % standard error).
//!
//! Texts are held by 64 bits of their hash, so a text of any length costs 8 bytes; at 10,000 texts the chance that any
//! two share them is 1 in 10^11. The registers of a union are the greater of each: they depend on the set alone.

use std::collections::HashSet;

use bstr::BString;
use serde::{Deserialize, Serialize};

use super::hash::{Keyed, hash};

/// Hashes that a group keeps as they are.
pub const EXACT: usize = 10_000;
const PRECISION: u32 = 14;
const REGISTERS: usize = 1 << PRECISION;
/// The greatest rank: one more than the bits that are not the register's index.
const MOST: usize = 64 - PRECISION as usize + 1;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "DistinctParts", into = "DistinctParts")]
pub enum Distinct {
    Exact(HashSet<u64, Keyed>),
    Registers(Box<[u8]>),
}

#[derive(Serialize, Deserialize)]
enum DistinctParts {
    Exact(Vec<u64>),
    Registers(BString),
}

impl From<Distinct> for DistinctParts {
    fn from(distinct: Distinct) -> DistinctParts {
        match distinct {
            Distinct::Exact(set) => {
                let mut hashes: Vec<u64> = set.into_iter().collect();
                hashes.sort_unstable();
                DistinctParts::Exact(hashes)
            }
            Distinct::Registers(registers) => DistinctParts::Registers(registers.into_vec().into()),
        }
    }
}

impl TryFrom<DistinctParts> for Distinct {
    type Error = &'static str;

    fn try_from(parts: DistinctParts) -> Result<Distinct, &'static str> {
        match parts {
            DistinctParts::Exact(hashes) if hashes.len() <= EXACT => {
                Ok(Distinct::Exact(hashes.into_iter().collect()))
            }
            DistinctParts::Registers(registers)
                if registers.len() == REGISTERS
                    && registers.iter().all(|rank| usize::from(*rank) <= MOST) =>
            {
                Ok(Distinct::Registers(Vec::from(registers).into()))
            }
            _ => Err("a distinct count holds more than it can"),
        }
    }
}

impl Default for Distinct {
    fn default() -> Distinct {
        Distinct::Exact(HashSet::default())
    }
}

impl Distinct {
    pub fn add(&mut self, text: &[u8]) {
        self.add_hash(hash(text));
    }

    fn add_hash(&mut self, hash: u64) {
        match self {
            Distinct::Exact(set) => {
                set.insert(hash);
                if set.len() > EXACT {
                    let mut registers = vec![0; REGISTERS].into_boxed_slice();
                    set.iter().for_each(|hash| record(&mut registers, *hash));
                    *self = Distinct::Registers(registers);
                }
            }
            Distinct::Registers(registers) => record(registers, hash),
        }
    }

    pub fn merge(&mut self, other: Distinct) {
        let (mut bigger, smaller) = match (std::mem::take(self), other) {
            (Distinct::Exact(left), Distinct::Exact(right)) if left.len() < right.len() => {
                (Distinct::Exact(right), Distinct::Exact(left))
            }
            (left @ Distinct::Exact(_), right @ Distinct::Registers(_)) => (right, left),
            (left, right) => (left, right),
        };
        match (&mut bigger, smaller) {
            (bigger, Distinct::Exact(set)) => set.iter().for_each(|hash| bigger.add_hash(*hash)),
            (Distinct::Registers(left), Distinct::Registers(right)) => {
                for (left, right) in left.iter_mut().zip(&right) {
                    *left = (*left).max(*right);
                }
            }
            // Registers are never the smaller of the two.
            (Distinct::Exact(_), Distinct::Registers(_)) => {}
        }
        *self = bigger;
    }

    pub fn bytes(&self) -> usize {
        match self {
            Distinct::Exact(set) => 9 * set.capacity(),
            Distinct::Registers(registers) => registers.len(),
        }
    }

    pub fn count(&self) -> u64 {
        match self {
            Distinct::Exact(set) => set.len() as u64,
            Distinct::Registers(registers) => estimate(registers),
        }
    }
}

fn record(registers: &mut [u8], hash: u64) {
    let index = (hash >> (64 - PRECISION)) as usize;
    let rank = ((hash << PRECISION).leading_zeros() as usize + 1).min(MOST) as u8;
    registers[index] = registers[index].max(rank);
}

/// Ertl's improved estimator (arXiv:1702.01284): no bias at any size, and no table.
fn estimate(registers: &[u8]) -> u64 {
    let mut ranks = [0_u32; MOST + 1];
    registers
        .iter()
        .for_each(|rank| ranks[usize::from(*rank)] += 1);
    let size = REGISTERS as f64;
    let mut sum = size * tau(1.0 - f64::from(ranks[MOST]) / size);
    for rank in ranks[1..MOST].iter().rev() {
        sum = 0.5 * (sum + f64::from(*rank));
    }
    sum += size * sigma(f64::from(ranks[0]) / size);
    let alpha = 0.5 / std::f64::consts::LN_2;
    (alpha * size * size / sum).round() as u64
}

fn sigma(mut share: f64) -> f64 {
    if share == 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, share);
    loop {
        share *= share;
        let before = sum;
        sum += share * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

fn tau(mut share: f64) -> f64 {
    if share == 0.0 || share == 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - share);
    loop {
        share = share.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - share) * (1.0 - share) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame;

    fn of(numbers: std::ops::Range<u64>) -> Distinct {
        let mut distinct = Distinct::default();
        numbers.for_each(|number| distinct.add(number.to_string().as_bytes()));
        distinct
    }

    #[test]
    fn exact_up_to_ten_thousand() {
        let mut distinct = of(0..10_000);
        distinct.merge(of(5_000..10_000));
        assert_eq!(distinct.count(), 10_000);
        distinct.add(b"one more");
        assert!(matches!(distinct, Distinct::Registers(_)));
    }

    #[test]
    fn near_beyond() {
        for count in [10_001, 20_000, 40_000, 60_000, 80_000, 200_000, 1_000_000] {
            let estimate = of(0..count).count();
            let error = (estimate as f64 - count as f64).abs() / count as f64;
            assert!(error < 0.025, "{count} as {estimate}");
        }
    }

    #[test]
    fn registers_depend_on_the_set_alone() {
        let whole = DistinctParts::from(of(0..30_000));
        let mut parts = of(20_000..30_000);
        parts.merge(of(0..12_000));
        parts.merge(of(9_000..21_000));
        // Exact counts and registers, in either order and through bytes.
        let travelled = |distinct: Distinct| -> Distinct {
            assert!(distinct.bytes() > 0);
            frame::from_bytes(&frame::to_bytes(&distinct)).expect("and comes back")
        };
        let mut again = travelled(of(0..9_000));
        again.merge(travelled(of(8_000..30_000)));
        let registers = |parts| match parts {
            DistinctParts::Registers(registers) => registers,
            DistinctParts::Exact(_) => BString::default(),
        };
        let whole = registers(whole);
        assert_eq!(whole.len(), REGISTERS);
        assert!(whole == registers(parts.into()));
        assert!(whole == registers(again.into()));
    }

    #[test]
    fn registers_that_no_set_makes_are_harmless() {
        assert_eq!(estimate(&vec![0; REGISTERS]), 0);
        let mut registers = vec![MOST as u8; REGISTERS];
        assert!(estimate(&registers) > 1 << 60);
        registers[..REGISTERS / 2].fill(1);
        assert!(estimate(&registers) > EXACT as u64);
    }

    #[test]
    fn hostile_registers_are_refused() {
        assert!(Distinct::try_from(DistinctParts::Registers(vec![0; 3].into())).is_err());
        assert!(Distinct::try_from(DistinctParts::Registers(vec![60; REGISTERS].into())).is_err());
        assert!(Distinct::try_from(DistinctParts::Exact(vec![0; EXACT + 1])).is_err());
    }
}
