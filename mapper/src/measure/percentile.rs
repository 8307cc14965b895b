//! Percentiles by nearest rank: exact up to 4,096 values of a group, a sketch beyond.
//!
//! How many values there were decides which of the two it is, not how they came together: a merged partial turns
//! into a sketch when the merged count says so, and the sketch of two halves is the sketch of the whole.

use jobspec::value::{Number, OwnedValue, Value};
use serde::{Deserialize, Serialize};

use super::sketch::Sketch;
use super::{is_sound, to_owned, value_bytes};

/// Values that a group keeps as they are.
pub const EXACT: usize = 4096;

/// Whole numbers up to here are doubles too.
const EXACT_DOUBLE: f64 = 9_007_199_254_740_992.0;

/// One partial serves all percentiles of an expression.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Percentiles {
    Exact(Box<Exact>),
    Sketch(Box<Sketch>),
}

/// The values, the common kinds apart so that they are small.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Deltas", into = "Deltas")]
pub struct Exact {
    ints: Vec<i64>,
    floats: Vec<f64>,
    others: Vec<OwnedValue>,
}

/// As they travel: numbers sorted, each as what it is more than the one before.
#[derive(Serialize, Deserialize)]
struct Deltas {
    ints: Rising,
    /// Doubles with few decimals, as whole numbers of the last of them.
    decimals: Rising,
    scale: u8,
    /// All others.
    floats: Vec<f64>,
    others: Vec<OwnedValue>,
}

#[derive(Default, Serialize, Deserialize)]
struct Rising {
    first: i64,
    deltas: Vec<u64>,
}

impl From<Vec<i64>> for Rising {
    fn from(mut ints: Vec<i64>) -> Rising {
        ints.sort_unstable();
        let mut before = ints.first().copied().unwrap_or(0);
        let first = before;
        let deltas = ints
            .iter()
            .map(|int| int.wrapping_sub(std::mem::replace(&mut before, *int)) as u64)
            .collect();
        Rising { first, deltas }
    }
}

impl Rising {
    fn ints(&self) -> impl Iterator<Item = i64> {
        let mut int = self.first;
        self.deltas.iter().map(move |delta| {
            int = int.wrapping_add(*delta as i64);
            int
        })
    }
}

/// Powers of ten by which doubles are tried as whole numbers.
const SCALES: [f64; 4] = [1e1, 1e2, 1e3, 1e6];

/// The double as a whole number of decimals, where that gives exactly the same double back.
fn scaled(float: f64, scale: f64) -> Option<i64> {
    let product = float * scale;
    if product.abs() >= EXACT_DOUBLE {
        return None;
    }
    let whole = (product + 0.5_f64.copysign(product)) as i64;
    ((whole as f64 / scale).to_bits() == float.to_bits()).then_some(whole)
}

impl From<Exact> for Deltas {
    fn from(exact: Exact) -> Deltas {
        let (mut decimals, mut floats, mut used) = (Vec::new(), exact.floats, 0);
        for (index, scale) in SCALES.iter().enumerate() {
            let all: Option<Vec<i64>> = floats.iter().map(|float| scaled(*float, *scale)).collect();
            if let Some(all) = all {
                (decimals, floats, used) = (all, Vec::new(), index as u8);
                break;
            }
        }
        Deltas {
            ints: exact.ints.into(),
            decimals: decimals.into(),
            scale: used,
            floats,
            others: exact.others,
        }
    }
}

impl From<Deltas> for Exact {
    fn from(parts: Deltas) -> Exact {
        let scale = SCALES[usize::from(parts.scale) % SCALES.len()];
        let mut floats = parts.floats;
        floats.extend(parts.decimals.ints().map(|int| int as f64 / scale));
        Exact {
            ints: parts.ints.ints().collect(),
            floats,
            others: parts.others,
        }
    }
}

impl Default for Percentiles {
    fn default() -> Percentiles {
        Percentiles::Exact(Box::default())
    }
}

impl Exact {
    fn count(&self) -> usize {
        self.ints.len() + self.floats.len() + self.others.len()
    }

    fn push(&mut self, value: &Value<'_>) {
        match value.number() {
            Some(number) => self.push_number(number),
            None => self.others.push(to_owned(value)),
        }
    }

    #[inline]
    fn push_number(&mut self, number: Number) {
        match number {
            Number::Int(number) => match i64::try_from(number) {
                Ok(number) => self.ints.push(number),
                Err(_) => self.others.push(Value::Int(number)),
            },
            Number::Float(number) => self.floats.push(number),
        }
    }

    /// All values as doubles, where they are the same so.
    fn as_doubles(&self) -> Option<Vec<f64>> {
        let is_exact = |int: &i64| int.unsigned_abs() <= EXACT_DOUBLE as u64;
        if !self.others.is_empty() || !self.ints.iter().all(is_exact) {
            return None;
        }
        let ints = self.ints.iter().map(|int| *int as f64);
        Some(ints.chain(self.floats.iter().copied()).collect())
    }

    fn into_values(self) -> Vec<OwnedValue> {
        let mut values = self.others;
        values.extend(self.ints.into_iter().map(|int| Value::Int(int.into())));
        values.extend(self.floats.into_iter().map(Value::float));
        values
    }

    fn into_sketch(self) -> Sketch {
        let mut sketch = Sketch::default();
        for value in self.into_values() {
            sketch.add(&value, 1);
        }
        sketch
    }
}

impl Percentiles {
    /// The value must not be NULL.
    pub fn add(&mut self, value: &Value<'_>) {
        match self {
            Percentiles::Exact(exact) => exact.push(value),
            Percentiles::Sketch(sketch) => sketch.add(value, 1),
        }
        self.coarsen_if_many();
    }

    #[inline]
    pub fn add_number(&mut self, number: Number) {
        match self {
            Percentiles::Exact(exact) => exact.push_number(number),
            Percentiles::Sketch(sketch) => sketch.add_number(number, 1),
        }
        self.coarsen_if_many();
    }

    #[inline]
    fn coarsen_if_many(&mut self) {
        if let Percentiles::Exact(exact) = self
            && exact.count() > EXACT
        {
            let sketch = std::mem::take(&mut **exact).into_sketch();
            *self = Percentiles::Sketch(Box::new(sketch));
        }
    }

    pub fn merge(&mut self, other: Percentiles) {
        let (bigger, smaller) = match (std::mem::take(self), other) {
            (left @ Percentiles::Sketch(_), right) => (left, right),
            (left, right) => (right, left),
        };
        *self = bigger;
        match (&mut *self, smaller) {
            (Percentiles::Sketch(sketch), Percentiles::Sketch(other)) => sketch.merge(*other),
            (Percentiles::Sketch(sketch), Percentiles::Exact(other)) => {
                other
                    .into_values()
                    .iter()
                    .for_each(|value| sketch.add(value, 1));
            }
            (Percentiles::Exact(exact), Percentiles::Exact(other)) => {
                exact.ints.extend_from_slice(&other.ints);
                exact.floats.extend_from_slice(&other.floats);
                exact.others.extend(other.others);
                self.coarsen_if_many();
            }
            // Only the smaller of the two may be exact while the other is not.
            (Percentiles::Exact(_), Percentiles::Sketch(_)) => {}
        }
    }

    pub fn is_sound(&self) -> bool {
        match self {
            Percentiles::Exact(exact) => {
                exact.count() <= EXACT && exact.others.iter().all(is_sound)
            }
            // It was checked as it was decoded.
            Percentiles::Sketch(_) => true,
        }
    }

    pub fn bytes(&self) -> usize {
        match self {
            Percentiles::Exact(exact) => {
                8 * (exact.ints.capacity() + exact.floats.capacity())
                    + exact.others.iter().map(value_bytes).sum::<usize>()
            }
            Percentiles::Sketch(sketch) => sketch.bytes(),
        }
    }

    /// The value of each percentile (0 to 100) in turn; NULL of nothing.
    pub fn percentiles(self, wanted: &[f64]) -> Vec<OwnedValue> {
        match self {
            Percentiles::Exact(exact) => {
                if let Some(mut values) = exact.as_doubles() {
                    let at = |percent: &f64| {
                        let rank = nearest_rank(*percent, values.len() as u64);
                        rank.map_or(Value::Null, |rank| {
                            let (_, value, _) =
                                values.select_nth_unstable_by(rank as usize, f64::total_cmp);
                            Value::float(*value)
                        })
                    };
                    return wanted.iter().map(at).collect();
                }
                let mut values = exact.into_values();
                values.sort_by(Value::total_cmp);
                wanted
                    .iter()
                    .map(
                        |percent| match nearest_rank(*percent, values.len() as u64) {
                            Some(rank) => values[rank as usize].clone(),
                            None => Value::Null,
                        },
                    )
                    .collect()
            }
            Percentiles::Sketch(sketch) => wanted
                .iter()
                .map(|percent| match nearest_rank(*percent, sketch.count()) {
                    Some(rank) => sketch.value_at(rank),
                    None => Value::Null,
                })
                .collect(),
        }
    }
}

/// The index of the least value that at least so many percent of all values do not exceed; None of nothing.
fn nearest_rank(percent: f64, count: u64) -> Option<u64> {
    let last = count.checked_sub(1)?;
    // In whole billionths of a percent: 99.9 is no double, and 99.9 % of 1,000 is the 999th, not the one after.
    let billionths = (percent.clamp(0.0, 100.0) * 1e9).round() as u128;
    let rank = (billionths * u128::from(count)).div_ceil(100_000_000_000) as u64;
    Some(rank.saturating_sub(1).min(last))
}

#[cfg(test)]
mod tests {
    use jobspec::value::Level;

    use super::*;
    use crate::frame;

    fn of(values: impl IntoIterator<Item = Value<'static>>, percent: f64) -> OwnedValue {
        let mut percentiles = Percentiles::default();
        values.into_iter().for_each(|value| percentiles.add(&value));
        percentiles.percentiles(&[percent]).remove(0)
    }

    #[test]
    fn it_is_the_nearest_rank() {
        let hundred = || (1..=100).map(Value::Int);
        for percent in 1..=100 {
            assert_eq!(of(hundred(), percent.into()), Value::Int(percent.into()));
        }
        assert_eq!(of(hundred(), 0.0), Value::Int(1));
        assert_eq!(of(hundred(), 99.5), Value::Int(100));
        assert_eq!(of((1..=4).map(Value::Int), 50.0), Value::Int(2));
        assert_eq!(of([], 50.0), Value::Null);
        for tenths in 1..=1000 {
            let rank = nearest_rank(f64::from(tenths) / 10.0, 1000);
            assert_eq!(
                rank,
                Some(tenths as u64 - 1),
                "{tenths} tenths of a percent"
            );
        }
    }

    #[test]
    fn numbers_come_before_texts() {
        let values = [
            Value::text(b"x"),
            Value::text(b"20"),
            Value::Int(3),
            Value::text(b"1.5"),
        ];
        let at = |percent| of(values.clone(), percent);
        assert_eq!(at(25.0), Value::Float(1.5));
        assert_eq!(at(75.0), Value::Int(20));
        assert_eq!(at(100.0), Value::text(b"x"));
    }

    #[test]
    fn the_count_alone_decides_when_it_turns_into_a_sketch() {
        let half = |from: i128| {
            let mut half = Percentiles::default();
            (0..2048).for_each(|index| half.add(&Value::Int(1000 + 7 * (from + index))));
            half
        };
        let mut whole = half(0);
        whole.merge(half(2048));
        assert!(matches!(whole, Percentiles::Exact(_)));
        assert_eq!(
            whole.clone().percentiles(&[50.0])[0],
            Value::Int(1000 + 7 * 2047)
        );
        let mut one = Percentiles::default();
        one.add(&Value::Int(0));
        one.merge(whole);
        assert!(matches!(one, Percentiles::Sketch(_)));
    }

    #[test]
    fn numbers_alone_are_taken_as_values_are() {
        let numbers = (0..=EXACT as i64).map(|index| match index % 3 {
            0 => Number::Int(i128::from(index) - 1000),
            1 => Number::Float(0.25 * index as f64),
            // More than 64 bits.
            _ => Number::Int(i128::from(index) << 80),
        });
        let (mut of_numbers, mut of_values) = (Percentiles::default(), Percentiles::default());
        let wanted: Vec<f64> = (0..=10).map(|tenth| f64::from(10 * tenth)).collect();
        for (count, number) in numbers.chain([Number::Int(7)]).enumerate() {
            of_numbers.add_number(number);
            of_values.add(&match number {
                Number::Int(number) => Value::Int(number),
                Number::Float(number) => Value::float(number),
            });
            if count == 1000 || count > EXACT - 2 {
                let shown = of_numbers.clone().percentiles(&wanted);
                assert_eq!(shown, of_values.clone().percentiles(&wanted), "{count}");
            }
        }
        assert!(matches!(of_numbers, Percentiles::Sketch(_)));
        let nothing = Percentiles::Sketch(Box::default());
        assert_eq!(nothing.percentiles(&[50.0]), [Value::Null]);
    }

    #[test]
    fn of_one_thing_alone_it_is_that_thing() {
        let times = jobspec::value::Time::from_ns(5);
        for value in [
            Value::Level(Level::Fatal),
            Value::Bool(true),
            Value::Time(times),
            Value::text(b"x"),
            Value::Int(7),
        ] {
            assert_eq!(of(vec![value.clone(); 9_000], 50.0), value);
        }
    }

    /// 9,000 values of all kinds: numbers, texts that are numbers, texts, times, levels, truths.
    fn many() -> Vec<OwnedValue> {
        let value = |index: i64| match index % 9 {
            0 => Value::owned_text(format!("text {:x}", index * 2_654_435_761 % 5_000)),
            1 => Value::owned_text(format!("{}.5", index % 700)),
            2 => Value::Time(jobspec::value::Time::from_ns(index * 1_000_003)),
            3 if index % 2 == 0 => Value::Float(-0.001 * index as f64),
            3 if index % 5 == 0 => Value::Bool(index % 3 == 0),
            3 => Value::Level(Level::ALL[index as usize % 6]),
            _ => Value::Int((index * 7919 % 100_000).into()),
        };
        (0..9_000).map(value).collect()
    }

    #[test]
    fn however_they_are_cut_it_is_one_answer() {
        let (values, wanted) = (
            many(),
            [0.0, 1.0, 25.0, 50.0, 61.0, 75.0, 90.0, 99.0, 100.0],
        );
        let mut whole = Percentiles::default();
        values.iter().for_each(|value| whole.add(value));
        let whole = whole.percentiles(&wanted);
        for size in [1, 700, 4096, 4500, 5000] {
            // The last comes first, and neighbours are merged before strangers.
            let mut parts: Vec<Percentiles> = values
                .chunks(size)
                .rev()
                .map(|chunk| {
                    let mut part = Percentiles::default();
                    chunk.iter().for_each(|value| part.add(value));
                    assert!(part.is_sound() && part.bytes() > 0);
                    frame::from_bytes(&frame::to_bytes(&part)).expect("and comes back")
                })
                .collect();
            while parts.len() > 1 {
                let pairs = parts.chunks(2).map(|pair| {
                    let mut left = pair[0].clone();
                    pair[1..].iter().for_each(|right| left.merge(right.clone()));
                    left
                });
                parts = pairs.collect();
            }
            assert_eq!(
                parts.remove(0).percentiles(&wanted),
                whole,
                "chunks of {size}"
            );
        }
    }

    #[test]
    fn they_travel_as_they_are() {
        let (small, tiny, large) = (0.07, 1.0 / 3.0, 1e300);
        for floats in [
            vec![118.04, -0.5, small, 2141.77],
            vec![0.000_001, 3.25],
            vec![small, tiny, large, -large, f64::MIN_POSITIVE],
            vec![0.5, large],
            vec![],
        ] {
            let exact = Exact {
                ints: vec![7, i64::MIN, 7, i64::MAX],
                floats: floats.clone(),
                others: vec![Value::owned_text("x")],
            };
            let bytes = frame::to_bytes(&exact);
            let mut back: Exact = frame::from_bytes(&bytes).unwrap();
            back.floats.sort_by(f64::total_cmp);
            let mut floats = floats;
            floats.sort_by(f64::total_cmp);
            assert_eq!(back.floats, floats);
            assert_eq!(back.ints, [i64::MIN, 7, 7, i64::MAX]);
            assert_eq!(back.others, exact.others);
        }
        // Two bytes a value where they lie close together.
        let exact = Exact {
            floats: (0..1000).map(|index| f64::from(index) + 0.25).collect(),
            ..Exact::default()
        };
        assert!(frame::to_bytes(&exact).len() < 3000);
    }

    #[test]
    fn a_sketch_is_near_the_truth() {
        let mut values = many();
        let wanted: Vec<f64> = (0..=1000).map(|tenth| f64::from(tenth) / 10.0).collect();
        let mut sketch = Percentiles::default();
        values.iter().for_each(|value| sketch.add(value));
        values.sort_by(Value::total_cmp);
        for (percent, shown) in wanted.iter().zip(sketch.percentiles(&wanted)) {
            let exact = &values[nearest_rank(*percent, 9_000).unwrap() as usize];
            match (exact.as_f64(), shown.as_f64()) {
                (Some(exact), Some(shown)) => {
                    assert!(
                        (shown - exact).abs() <= 0.01 * exact.abs(),
                        "{percent}: {exact} as {shown}"
                    );
                }
                (None, None) => {
                    let same_kind = std::mem::discriminant(exact) == std::mem::discriminant(&shown);
                    assert!(
                        same_kind && shown.total_cmp(exact).is_le(),
                        "{percent}: {exact:?} as {shown:?}"
                    );
                }
                _ => panic!("{percent}: {exact:?} as {shown:?}"),
            }
        }
    }
}
