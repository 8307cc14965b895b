//! How values are spread, roughly: counts in buckets whose bounds depend on nothing but the value.
//!
//! A bucket is a double's exponent and the first 6 bits of its mantissa, so no two machines ever disagree about it
//! (logarithms would), and its middle is within 0.8 % of all that is in it. What is no number is counted by a prefix
//! of its bytes in order, as long a prefix as leaves at most 4,096 of them: that too depends on the values alone.

use std::collections::BTreeMap;

use bstr::{BString, ByteSlice};
use jobspec::value::{Level, Number, OwnedValue, Time, Value};
use serde::{Deserialize, Serialize};

/// Bits of the mantissa that a bucket leaves open.
const OPEN_BITS: u32 = 52 - 6;
/// Prefixes of values that are no numbers.
const PREFIXES: usize = 4096;
/// Of a text so much is held at most.
const PREFIX_BYTES: u32 = 256;

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "SketchParts")]
pub struct Sketch {
    count: u64,
    /// Whether all numbers were whole: then so is the answer.
    whole: bool,
    /// By bucket, in the order of the numbers; 0 is zero.
    numbers: BTreeMap<i32, u64>,
    prefix_bytes: u32,
    others: BTreeMap<BString, u64>,
}

#[derive(Deserialize)]
struct SketchParts {
    count: u64,
    whole: bool,
    numbers: BTreeMap<i32, u64>,
    prefix_bytes: u32,
    others: BTreeMap<BString, u64>,
}

impl TryFrom<SketchParts> for Sketch {
    type Error = &'static str;

    fn try_from(parts: SketchParts) -> Result<Sketch, &'static str> {
        let fits = parts.prefix_bytes <= PREFIX_BYTES
            && parts.others.len() <= PREFIXES
            && parts
                .others
                .keys()
                .all(|prefix| prefix.len() <= parts.prefix_bytes as usize);
        if !fits {
            return Err("a percentile sketch holds more than it can");
        }
        Ok(Sketch {
            count: parts.count,
            whole: parts.whole,
            numbers: parts.numbers,
            prefix_bytes: parts.prefix_bytes,
            others: parts.others,
        })
    }
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch {
            count: 0,
            whole: true,
            numbers: BTreeMap::new(),
            prefix_bytes: PREFIX_BYTES,
            others: BTreeMap::new(),
        }
    }
}

impl Sketch {
    /// The value must not be NULL.
    pub fn add(&mut self, value: &Value<'_>, times: u64) {
        match value.number() {
            Some(number) => self.add_number(number, times),
            None => {
                self.count = self.count.saturating_add(times);
                self.add_prefix(ordered_bytes(value).into(), times);
            }
        }
    }

    pub fn add_number(&mut self, number: Number, times: u64) {
        self.count = self.count.saturating_add(times);
        self.whole &= matches!(number, Number::Int(_));
        let held = self.numbers.entry(bucket(number.as_f64())).or_default();
        *held = held.saturating_add(times);
    }

    fn add_prefix(&mut self, mut bytes: BString, times: u64) {
        bytes.truncate(self.prefix_bytes as usize);
        let held = self.others.entry(bytes).or_default();
        *held = held.saturating_add(times);
        self.shorten();
    }

    /// Shortens the prefixes until there are few enough of them.
    fn shorten(&mut self) {
        if self.others.len() <= PREFIXES {
            return;
        }
        // The longest length that leaves few enough: a neighbour that differs first at byte i stays apart from i + 1 on.
        let mut apart = vec![0_usize; self.prefix_bytes as usize + 1];
        let mut before: Option<&BString> = None;
        for bytes in self.others.keys() {
            let common = before.map_or(0, |before| {
                before
                    .iter()
                    .zip(bytes.iter())
                    .take_while(|(left, right)| left == right)
                    .count()
            });
            apart[before.map_or(0, |_| common + 1)] += 1;
            before = Some(bytes);
        }
        let mut distinct = 0;
        let length = apart.iter().take_while(|count| {
            distinct += **count;
            distinct <= PREFIXES
        });
        self.prefix_bytes = (length.count() as u32).saturating_sub(1);
        self.recut();
    }

    fn recut(&mut self) {
        for (mut bytes, times) in std::mem::take(&mut self.others) {
            bytes.truncate(self.prefix_bytes as usize);
            let held = self.others.entry(bytes).or_default();
            *held = held.saturating_add(times);
        }
    }

    pub fn merge(&mut self, other: Sketch) {
        self.count = self.count.saturating_add(other.count);
        self.whole &= other.whole;
        for (bucket, times) in other.numbers {
            let held = self.numbers.entry(bucket).or_default();
            *held = held.saturating_add(times);
        }
        if other.prefix_bytes < self.prefix_bytes {
            self.prefix_bytes = other.prefix_bytes;
            self.recut();
        }
        for (bytes, times) in other.others {
            self.add_prefix(bytes, times);
        }
    }

    pub fn count(&self) -> u64 {
        self.count
    }

    pub fn bytes(&self) -> usize {
        // A node of a tree is mostly full of pairs.
        24 * self.numbers.len() + (48 + self.prefix_bytes as usize) * self.others.len()
    }

    /// The value of a rank, from 0.
    pub fn value_at(&self, rank: u64) -> OwnedValue {
        let mut before = 0_u64;
        for (bucket, times) in &self.numbers {
            before = before.saturating_add(*times);
            if rank < before {
                return middle(*bucket, self.whole);
            }
        }
        for (bytes, times) in &self.others {
            before = before.saturating_add(*times);
            if rank < before {
                return from_ordered_bytes(bytes);
            }
        }
        Value::Null
    }
}

/// In the order of the numbers; a bucket below zero mirrors the one above.
fn bucket(number: f64) -> i32 {
    let magnitude = (number.abs().to_bits() >> OPEN_BITS) as i32 + 1;
    match number {
        0.0 => 0,
        _ if number < 0.0 => -magnitude,
        _ => magnitude,
    }
}

fn middle(bucket: i32, whole: bool) -> OwnedValue {
    if bucket == 0 {
        return Value::Int(0);
    }
    let magnitude = u64::from(bucket.unsigned_abs() - 1);
    let low = f64::from_bits(magnitude << OPEN_BITS);
    let high = f64::from_bits((magnitude + 1) << OPEN_BITS);
    let high = if high.is_finite() { high } else { f64::MAX };
    let mut middle = low + (high - low) / 2.0;
    if whole {
        // Of the whole numbers in it; up to 128 there is but one.
        let (least, greatest) = (low.ceil(), (high - 1.0).ceil().max(low.ceil()));
        middle = least + ((greatest - least) / 2.0).floor();
    }
    Value::float(if bucket < 0 { -middle } else { middle })
}

/// Bytes that order as the values do, and from whose prefix a value can be made again.
fn ordered_bytes(value: &Value<'_>) -> Vec<u8> {
    let (rank, bytes) = match value {
        Value::Time(time) => (1, (time.ns as u64 ^ 1 << 63).to_be_bytes().to_vec()),
        Value::Level(level) => (2, vec![*level as u8]),
        Value::Bool(bool) => (3, vec![u8::from(*bool)]),
        _ => {
            let text = value.to_text();
            let length = text.len().min(PREFIX_BYTES as usize);
            (4, text[..length].to_vec())
        }
    };
    let mut out = vec![rank];
    out.extend(bytes);
    out
}

fn from_ordered_bytes(bytes: &[u8]) -> OwnedValue {
    match bytes.split_first() {
        Some((1, rest)) => {
            let mut ns = [0; 8];
            for (to, from) in ns.iter_mut().zip(rest) {
                *to = *from;
            }
            Value::Time(Time::from_ns((u64::from_be_bytes(ns) ^ 1 << 63) as i64))
        }
        Some((2, rest)) => {
            let index = usize::from(rest.first().copied().unwrap_or(0));
            Level::ALL
                .get(index)
                .map_or(Value::Null, |level| Value::Level(*level))
        }
        Some((3, rest)) => Value::Bool(rest.first() == Some(&1)),
        Some((_, rest)) => Value::owned_text(rest.as_bstr().to_vec()),
        None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_within_a_hundredth() {
        let mut number = 1e-300;
        while number < 1e300 {
            for sign in [1.0, -1.0] {
                let exact = sign * number;
                let shown = middle(bucket(exact), false).as_f64().unwrap();
                assert!(
                    (shown - exact).abs() <= 0.008 * exact.abs(),
                    "{exact} as {shown}"
                );
            }
            number *= 1.618;
        }
        assert_eq!(
            middle(bucket(f64::MAX), false).as_f64().map(f64::is_finite),
            Some(true)
        );
    }

    #[test]
    fn small_whole_numbers_stay_what_they_are() {
        for number in -127..=127 {
            assert_eq!(middle(bucket(number as f64), true), Value::Int(number));
        }
        for number in 128..100_000_i128 {
            let Value::Int(shown) = middle(bucket(number as f64), true) else {
                panic!("not whole")
            };
            assert!(
                (shown - number).abs() * 100 <= number,
                "{number} as {shown}"
            );
        }
    }

    #[test]
    fn buckets_order_as_numbers_do() {
        let numbers = [-1e9, -5.0, -4.9, -1e-9, 0.0, 1e-9, 4.9, 5.0, 1e9];
        assert!(numbers.map(bucket).is_sorted());
    }

    #[test]
    fn prefixes_depend_on_the_texts_alone() {
        let texts: Vec<_> = (0..6000)
            .map(|index| Value::owned_text(format!("{:x}/{index:05}", index % 7)))
            .collect();
        let sketch = |texts: &mut dyn Iterator<Item = &OwnedValue>| {
            let mut sketch = Sketch::default();
            texts.for_each(|text| sketch.add(text, 1));
            sketch
        };
        let forth = sketch(&mut texts.iter());
        let mut halves = sketch(&mut texts[4000..].iter().rev());
        halves.merge(sketch(&mut texts[..4000].iter()));
        let (forth, halves) = (format!("{forth:?}"), format!("{halves:?}"));
        assert_eq!(forth, halves);
        assert!(forth.contains("prefix_bytes: 6,"), "{forth:.200}");
        // What is short by itself is cut by what it meets, whichever is asked to.
        let few = || sketch(&mut texts[5000..].iter());
        let mut left = few();
        left.merge(sketch(&mut texts[..5000].iter()));
        let mut right = sketch(&mut texts[..5000].iter());
        right.merge(few());
        assert_eq!(format!("{left:?}"), forth);
        assert_eq!(format!("{right:?}"), forth);
        // Also where both together are few.
        let one = || sketch(&mut [Value::owned_text("z/99999")].iter());
        let (mut left, mut right) = (one(), sketch(&mut texts.iter()));
        left.merge(sketch(&mut texts.iter()));
        right.merge(one());
        assert_eq!((left.prefix_bytes, left.others.len()), (6, 421));
        assert_eq!(format!("{left:?}"), format!("{right:?}"));
    }

    #[test]
    fn it_is_whole_where_both_are() {
        let of = |value: Value<'_>| {
            let mut sketch = Sketch::default();
            sketch.add(&value, 1);
            sketch
        };
        let whole = |left: Value<'_>, right: Value<'_>| {
            let mut sketch = of(left);
            sketch.merge(of(right));
            sketch.whole
        };
        let (int, float) = (Value::Int(1000), Value::Float(1000.5));
        assert!(whole(int.clone(), int.clone()));
        assert!(!whole(int.clone(), float.clone()));
        assert!(!whole(float.clone(), int));
        assert!(!whole(float.clone(), float));
    }

    #[test]
    fn a_hostile_sketch_is_refused() {
        let parts = |prefix_bytes, others: usize, length: usize| SketchParts {
            count: 1,
            whole: true,
            numbers: BTreeMap::new(),
            prefix_bytes,
            others: (0..others)
                .map(|index| (BString::from(format!("{index:0length$}")), 1))
                .collect(),
        };
        assert!(Sketch::try_from(parts(8, 3, 8)).is_ok());
        assert!(Sketch::try_from(parts(7, 3, 8)).is_err());
        assert!(Sketch::try_from(parts(PREFIX_BYTES + 1, 3, 8)).is_err());
        assert!(Sketch::try_from(parts(8, PREFIXES + 1, 8)).is_err());
        // Ranks that nothing has, and prefixes that are of nothing.
        let hollow = Sketch::try_from(parts(8, 0, 8)).unwrap();
        assert_eq!(hollow.value_at(0), Value::Null);
        assert_eq!(from_ordered_bytes(b""), Value::Null);
        assert_eq!(from_ordered_bytes(&[2, 99]), Value::Null);
    }
}
