//! `sum` and `avg`, exact: whole numbers in one integer, the rest in a `Wide`. One partial serves both.

use jobspec::value::{Number, Value};
use serde::{Deserialize, Serialize};

use super::exact::Wide;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Sum {
    count: u64,
    whole: i128,
    /// Doubles, and what `whole` could not hold.
    wide: Option<Box<Wide>>,
}

impl Sum {
    pub fn add(&mut self, number: Number) {
        self.count = self.count.saturating_add(1);
        match number {
            Number::Int(number) => self.add_whole(number),
            Number::Float(number) => self.wide.get_or_insert_default().add_float(number),
        }
    }

    fn add_whole(&mut self, number: i128) {
        match self.whole.checked_add(number) {
            Some(sum) => self.whole = sum,
            None => {
                let wide = self.wide.get_or_insert_default();
                wide.add_int(self.whole);
                self.whole = number;
            }
        }
    }

    pub fn merge(&mut self, other: Sum) {
        self.count = self.count.saturating_add(other.count);
        self.add_whole(other.whole);
        match (&mut self.wide, other.wide) {
            (Some(wide), Some(other)) => wide.add(&other),
            (None, other) => self.wide = other,
            (Some(_), None) => {}
        }
    }

    /// NULL of nothing.
    pub fn sum(&self) -> Value<'static> {
        self.divided(1)
    }

    /// NULL of nothing.
    pub fn avg(&self) -> Value<'static> {
        self.divided(self.count)
    }

    fn divided(&self, divisor: u64) -> Value<'static> {
        if self.count == 0 {
            return Value::Null;
        }
        let mut wide = self.wide.as_deref().cloned().unwrap_or_default();
        wide.add_int(self.whole);
        wide.magnitude().divide(divisor).value()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(numbers: &[i128]) -> Sum {
        let mut sum = Sum::default();
        numbers
            .iter()
            .for_each(|number| sum.add(Number::Int(*number)));
        sum
    }

    #[test]
    fn whole_numbers_are_exact_beyond_their_integer() {
        let mut left = sum(&[i128::MAX, i128::MAX]);
        left.merge(sum(&[i128::MIN, i128::MIN]));
        assert_eq!(left.sum(), Value::Int(-2));
        assert_eq!(left.avg(), Value::Float(-0.5));
    }

    #[test]
    fn nothing_is_null_and_zero_is_zero() {
        assert_eq!(sum(&[]).sum(), Value::Null);
        assert_eq!(sum(&[]).avg(), Value::Null);
        assert_eq!(sum(&[0]).avg(), Value::Int(0));
    }

    #[test]
    fn less_than_half_of_the_least_double_is_zero() {
        let mut sum = sum(&[0, 0, 0]);
        sum.add(Number::Float(f64::from_bits(1)));
        assert_eq!(sum.sum(), Value::Float(f64::from_bits(1)));
        assert_eq!(sum.avg(), Value::Int(0));
    }
}
