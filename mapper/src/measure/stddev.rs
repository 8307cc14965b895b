//! `stddev`, the sample's: from the exact sums of x and of its square, so that neither order nor a large mean spoils it.

use jobspec::value::{Number, Value};
use serde::{Deserialize, Serialize};

use super::exact::{Wide, float_parts};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Stddev {
    count: u64,
    sum: Wide,
    squares: Wide,
}

impl Stddev {
    /// A whole number beyond 64 bits is its nearest double here.
    pub fn add(&mut self, number: Number) {
        let (negative, magnitude, exponent) = match number {
            Number::Int(number) => match u64::try_from(number.unsigned_abs()) {
                Ok(magnitude) => (number < 0, magnitude, 0),
                Err(_) => float_parts(number as f64),
            },
            Number::Float(number) => float_parts(number),
        };
        self.count = self.count.saturating_add(1);
        let magnitude = u128::from(magnitude);
        self.sum.add_scaled(negative, magnitude, exponent);
        self.squares
            .add_scaled(false, magnitude * magnitude, 2 * exponent);
    }

    pub fn merge(&mut self, other: Stddev) {
        self.count = self.count.saturating_add(other.count);
        self.sum.add(&other.sum);
        self.squares.add(&other.squares);
    }

    /// NULL of fewer than two values.
    pub fn stddev(&self) -> Value<'static> {
        if self.count < 2 {
            return Value::Null;
        }
        // (n * sum of squares - square of the sum) / (n * (n - 1)): exact up to the division.
        let mut numerator = Wide::default();
        let squares = self.squares.magnitude();
        for (digit, exponent) in squares.digits.iter().zip((squares.low..).map(|at| 32 * at)) {
            numerator.add_scaled(false, u128::from(*digit) * u128::from(self.count), exponent);
        }
        let sum = self.sum.magnitude();
        for (left, low) in sum.digits.iter().zip(2 * sum.low..) {
            for (right, at) in sum.digits.iter().zip(low..) {
                numerator.add_scaled(true, u128::from(*left) * u128::from(*right), 32 * at);
            }
        }
        Value::float(
            numerator
                .magnitude()
                .divide(self.count)
                .divide(self.count - 1)
                .sqrt(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stddev(numbers: &[f64]) -> Value<'static> {
        let mut stddev = Stddev::default();
        numbers
            .iter()
            .for_each(|number| stddev.add(Value::float(*number).number().unwrap()));
        stddev.stddev()
    }

    #[test]
    fn it_is_the_samples() {
        assert_eq!(stddev(&[]), Value::Null);
        assert_eq!(stddev(&[1.0]), Value::Null);
        assert_eq!(stddev(&[3.0, 3.0]), Value::Int(0));
        assert_eq!(stddev(&[2.0, 4.0, 6.0]), Value::Int(2));
        assert_eq!(stddev(&[1.0, 2.0]), Value::Float(0.5_f64.sqrt()));
        // Whole numbers beyond 64 bits, as doubles.
        let mut large = Stddev::default();
        large.add(Number::Int(1 << 80));
        large.add(Number::Int((1 << 80) + (1 << 40)));
        let wanted = ((1_u128 << 79) as f64).sqrt();
        assert_eq!(large.stddev(), Value::Float(wanted));
    }

    #[test]
    fn a_large_mean_does_not_spoil_it() {
        assert_eq!(stddev(&[1e15 + 2.0, 1e15 + 4.0, 1e15 + 6.0]), Value::Int(2));
        assert_eq!(stddev(&[1e300, -1e300]), Value::Float(2e300 / 2f64.sqrt()));
        assert_eq!(
            stddev(&[0.0, 1e-320]).as_f64().map(|number| number > 0.0),
            Some(true)
        );
    }

    #[test]
    fn it_depends_on_the_values_alone() {
        let numbers: Vec<f64> = (0..300)
            .map(|index| f64::from(index * 7919 % 1000) * 0.1 - 1e7)
            .collect();
        let forth = stddev(&numbers);
        for size in [1, 7, 150] {
            let parts = numbers.chunks(size).rev().map(|chunk| {
                let mut part = Stddev::default();
                chunk
                    .iter()
                    .for_each(|number| part.add(Value::float(*number).number().unwrap()));
                part
            });
            let merged = parts.reduce(|mut left, right| {
                left.merge(right);
                left
            });
            assert_eq!(merged.unwrap_or_default().stddev(), forth);
        }
    }
}
