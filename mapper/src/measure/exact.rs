//! Sums of doubles and large integers without rounding: a fixed-point number as wide as it needs to be.
//!
//! Float addition depends on order, and rows must not. So every double is added exactly, and the exact sum is
//! rounded once, when a row is made. A sum of everyday numbers takes three or four limbs.

use jobspec::value::Value;
use serde::{Deserialize, Serialize};

/// The sum of limbs[i] * 2^(32 * (low + i)). Limbs are signed and carry only now and then.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "WideParts", into = "WideParts")]
pub struct Wide {
    low: i32,
    limbs: Vec<i64>,
    /// Additions since the last carry: a limb holds 2^30 of them.
    pending: u32,
}

/// Squares of doubles reach from 2^-2148 to 2^2048, sums and products of sums of them further.
const LIMBS: i32 = 320;
const PENDING: u32 = 1 << 28;

#[derive(Serialize, Deserialize)]
struct WideParts {
    low: i32,
    limbs: Vec<i64>,
}

impl From<Wide> for WideParts {
    fn from(mut wide: Wide) -> WideParts {
        wide.settle();
        WideParts {
            low: wide.low,
            limbs: wide.limbs,
        }
    }
}

impl TryFrom<WideParts> for Wide {
    type Error = &'static str;

    fn try_from(parts: WideParts) -> Result<Wide, &'static str> {
        let fits = parts.limbs.len() <= LIMBS as usize
            && (-LIMBS..=LIMBS).contains(&parts.low)
            && parts
                .limbs
                .iter()
                .all(|limb| limb.unsigned_abs() <= 1 << 32);
        if !fits {
            return Err("an exact sum is wider than any sum can be");
        }
        Ok(Wide {
            low: parts.low,
            limbs: parts.limbs,
            pending: 1,
        })
    }
}

impl Wide {
    pub fn add_int(&mut self, number: i128) {
        self.add_scaled(number < 0, number.unsigned_abs(), 0);
    }

    /// The double must be finite.
    pub fn add_float(&mut self, number: f64) {
        let (negative, mantissa, exponent) = float_parts(number);
        self.add_scaled(negative, mantissa.into(), exponent);
    }

    /// Adds (or takes off) magnitude * 2^exponent.
    pub fn add_scaled(&mut self, negative: bool, magnitude: u128, exponent: i32) {
        if magnitude == 0 {
            return;
        }
        let lowest = (exponent + magnitude.trailing_zeros() as i32).div_euclid(32);
        let highest = (exponent + 127 - magnitude.leading_zeros() as i32).div_euclid(32);
        self.reach(lowest, highest);
        let (digit, shift) = (exponent.div_euclid(32), exponent.rem_euclid(32));
        for index in 0..4 {
            let piece = u64::from((magnitude >> (32 * index)) as u32) << shift;
            for (half, at) in [(piece & 0xffff_ffff, 0), (piece >> 32, 1)] {
                if half != 0 {
                    let limb = &mut self.limbs[(digit + index + at - self.low) as usize];
                    *limb += if negative {
                        -(half as i64)
                    } else {
                        half as i64
                    };
                }
            }
        }
        self.pending += 2;
        if self.pending >= PENDING {
            self.settle();
        }
    }

    pub fn add(&mut self, other: &Wide) {
        let Some(last) = other.limbs.len().checked_sub(1) else {
            return;
        };
        if self.pending + other.pending >= PENDING {
            self.settle();
        }
        self.reach(other.low, other.low + last as i32);
        let start = (other.low - self.low) as usize;
        for (limb, added) in self.limbs[start..].iter_mut().zip(&other.limbs) {
            *limb += added;
        }
        self.pending += other.pending;
        if self.pending >= PENDING {
            self.settle();
        }
    }

    fn reach(&mut self, lowest: i32, highest: i32) {
        if self.limbs.is_empty() {
            self.low = lowest;
        }
        if lowest < self.low {
            let more = (self.low - lowest) as usize;
            self.limbs.splice(0..0, std::iter::repeat_n(0, more));
            self.low = lowest;
        }
        let length = (highest - self.low + 1) as usize;
        if length > self.limbs.len() {
            self.limbs.resize(length, 0);
        }
    }

    /// Carries: all limbs but the last become digits, the last keeps the sign; zeros at both ends go.
    fn settle(&mut self) {
        let mut carry = 0_i64;
        let count = self.limbs.len();
        for limb in self.limbs.iter_mut().take(count.saturating_sub(1)) {
            let value = *limb + carry;
            *limb = value & 0xffff_ffff;
            carry = value >> 32;
        }
        if let Some(last) = self.limbs.last_mut() {
            let mut value = *last + carry;
            let mut more = Vec::new();
            while value.unsigned_abs() >= 1 << 32 {
                more.push(value & 0xffff_ffff);
                value >>= 32;
            }
            more.push(value);
            *last = more[0];
            self.limbs.extend_from_slice(&more[1..]);
        }
        while self.limbs.last() == Some(&0) {
            self.limbs.pop();
        }
        let zeros = self.limbs.iter().take_while(|limb| **limb == 0).count();
        self.limbs.drain(..zeros);
        self.low += zeros as i32;
        self.pending = 1;
    }

    pub fn magnitude(&self) -> Magnitude {
        let mut wide = self.clone();
        wide.settle();
        let negative = wide.limbs.last().is_some_and(|limb| *limb < 0);
        if negative {
            wide.limbs.iter_mut().for_each(|limb| *limb = -*limb);
            wide.settle();
        }
        Magnitude {
            negative,
            low: wide.low,
            digits: wide.limbs.iter().map(|limb| *limb as u32).collect(),
            rest: false,
        }
    }
}

/// Sign, mantissa and exponent of a finite double: ±mantissa * 2^exponent.
pub fn float_parts(number: f64) -> (bool, u64, i32) {
    let bits = number.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32;
    let mantissa = bits & ((1 << 52) - 1);
    let (mantissa, exponent) = match exponent {
        0 => (mantissa, -1074),
        _ => (mantissa | 1 << 52, exponent - 1075),
    };
    let zeros = if mantissa == 0 {
        0
    } else {
        mantissa.trailing_zeros()
    };
    (
        number.is_sign_negative(),
        mantissa >> zeros,
        exponent + zeros as i32,
    )
}

/// A sign and digits: the sum of digits[i] * 2^(32 * (low + i)), and whether something smaller was left over by a division.
#[derive(Clone, Debug)]
pub struct Magnitude {
    pub negative: bool,
    pub low: i32,
    pub digits: Vec<u32>,
    rest: bool,
}

impl Magnitude {
    /// Divides by a number that is not zero, to more digits than a double has.
    pub fn divide(mut self, divisor: u64) -> Magnitude {
        if divisor == 1 || self.digits.is_empty() {
            return self;
        }
        self.digits.splice(0..0, [0; 4]);
        self.low -= 4;
        let mut remainder = 0_u64;
        for digit in self.digits.iter_mut().rev() {
            let part = u128::from(remainder) << 32 | u128::from(*digit);
            *digit = (part / u128::from(divisor)) as u32;
            remainder = (part % u128::from(divisor)) as u64;
        }
        self.rest |= remainder != 0;
        while self.digits.last() == Some(&0) {
            self.digits.pop();
        }
        self
    }

    /// The value in its one form, rounded once: whole numbers that fit are exact. Too large for a double is NULL.
    pub fn value(&self) -> Value<'static> {
        if let Some(whole) = self.whole() {
            return Value::Int(whole);
        }
        let number = self.top().to_f64();
        Value::float(if self.negative { -number } else { number })
    }

    /// The square root of the magnitude.
    pub fn sqrt(&self) -> f64 {
        let mut top = self.top();
        if top.bits == 0 {
            return 0.0;
        }
        let odd = top.exponent.rem_euclid(2);
        let half = (top.exponent - odd) / 2;
        top.exponent = odd;
        // Two steps, as a power of two below 2^-1022 is no normal number.
        let step = half / 2;
        top.to_f64().sqrt() * power_of_two(step) * power_of_two(half - step)
    }

    fn whole(&self) -> Option<i128> {
        if self.rest {
            return None;
        }
        let mut whole = 0_u128;
        for (index, digit) in self
            .digits
            .iter()
            .enumerate()
            .filter(|(_, digit)| **digit != 0)
        {
            let at = u32::try_from(self.low + index as i32)
                .ok()
                .filter(|at| *at < 4)?;
            whole |= u128::from(*digit) << (32 * at);
        }
        let whole = i128::try_from(whole).ok()?;
        Some(if self.negative { -whole } else { whole })
    }

    fn top(&self) -> Top {
        let mut bits = 0_u64;
        let mut rest = self.rest;
        let Some(last) = self.digits.last() else {
            return Top {
                bits,
                exponent: 0,
                rest,
            };
        };
        let exponent = 32 * (self.low + self.digits.len() as i32) - 1 - last.leading_zeros() as i32;
        let mut free = 64_i32;
        let mut width = 32 - last.leading_zeros() as i32;
        for digit in self.digits.iter().rev() {
            let digit = u64::from(*digit);
            if free >= width {
                bits |= digit << (free - width);
            } else if free > 0 {
                bits |= digit >> (width - free);
                rest |= digit << (64 - (width - free)) != 0;
            } else {
                rest |= digit != 0;
            }
            free -= width;
            width = 32;
        }
        Top {
            bits,
            exponent,
            rest,
        }
    }
}

/// The first 64 bits of a magnitude, the power of two of the first, and whether more follow.
struct Top {
    bits: u64,
    exponent: i32,
    rest: bool,
}

impl Top {
    /// To the nearest double, ties to even.
    fn to_f64(&self) -> f64 {
        if self.bits == 0 {
            return 0.0;
        }
        if self.exponent > 1023 {
            return f64::INFINITY;
        }
        // A subnormal has fewer bits.
        let shift = 11 + (-1022 - self.exponent).max(0);
        if shift > 64 {
            return 0.0;
        }
        let wide = u128::from(self.bits);
        let kept = (wide >> shift) as u64;
        let lost = wide & ((1 << shift) - 1);
        let half = 1_u128 << (shift - 1);
        let up = lost > half || lost == half && (self.rest || kept & 1 == 1);
        let mantissa = kept + u64::from(up);
        // A carry out of the mantissa is the exponent's next: the bits of a double are made so.
        if self.exponent >= -1022 {
            f64::from_bits((((self.exponent + 1023) as u64) << 52) + (mantissa - (1 << 52)))
        } else {
            f64::from_bits(mantissa)
        }
    }
}

fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((exponent.clamp(-1022, 1023) + 1023) as u64) << 52)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(numbers: &[f64]) -> Value<'static> {
        let mut wide = Wide::default();
        numbers.iter().for_each(|number| wide.add_float(*number));
        wide.magnitude().value()
    }

    #[test]
    fn a_sum_rounds_once() {
        assert_eq!(sum(&[1e300, 1.0, -1e300]), Value::Int(1));
        assert_eq!(sum(&[0.1; 10]), Value::float(1.0));
        assert_eq!(sum(&[1e-320, 1e308, -1e308]), Value::Float(1e-320));
        assert_eq!(
            sum(&[f64::MAX, f64::MAX, -f64::MAX]),
            Value::Float(f64::MAX)
        );
        assert_eq!(sum(&[f64::MAX, f64::MAX]), Value::Null);
        assert_eq!(sum(&[-0.5, -0.25]), Value::Float(-0.75));
        assert_eq!(sum(&[0.5, -0.5]), Value::Int(0));
        assert_eq!(sum(&[]), Value::Int(0));
        // Half between two doubles goes to the even one, a little more goes up.
        assert_eq!(sum(&[2f64.powi(53), 0.5, 0.5]), Value::Int((1 << 53) + 1));
        assert_eq!(
            sum(&[2f64.powi(53), 1.0, 0.5]),
            Value::Float(2f64.powi(53) + 2.0)
        );
        assert_eq!(
            sum(&[2f64.powi(54), 2.0, f64::MIN_POSITIVE]),
            Value::Float(2f64.powi(54) + 4.0)
        );
    }

    #[test]
    fn every_double_comes_back() {
        let mut number = 1u64;
        for _ in 0..20_000 {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let double = f64::from_bits(number);
            if double.is_finite() {
                let mut wide = Wide::default();
                wide.add_float(double);
                let Magnitude { negative, .. } = wide.magnitude();
                assert_eq!(negative, double < 0.0);
                assert_eq!(wide.magnitude().top().to_f64(), double.abs());
            }
        }
    }

    #[test]
    fn a_quotient_is_the_nearest_double() {
        let mut wide = Wide::default();
        wide.add_int(1);
        assert_eq!(wide.magnitude().divide(3).value(), Value::Float(1.0 / 3.0));
        wide.add_int(-11);
        assert_eq!(
            wide.magnitude().divide(7).value(),
            Value::Float(-10.0 / 7.0)
        );
        assert_eq!(wide.magnitude().divide(5).value(), Value::Int(-2));
        wide.add_float(f64::MAX);
        wide.add_float(f64::MAX);
        assert_eq!(wide.magnitude().divide(2).value(), Value::Float(f64::MAX));
        let mut least = Wide::default();
        least.add_float(5e-324);
        assert_eq!(least.magnitude().divide(2).value(), Value::Int(0));
        assert_eq!(least.magnitude().divide(u64::MAX).value(), Value::Int(0));
    }

    #[test]
    fn many_carries_do_not_overflow() {
        let mut wide = Wide {
            pending: PENDING - 4,
            ..Wide::default()
        };
        for _ in 0..8 {
            wide.add_int(i128::MIN);
            wide.add_int(i128::MAX);
        }
        assert_eq!(wide.magnitude().value(), Value::Int(-8));
        // Also of floats, and of sums that are added.
        wide.pending = PENDING - 1;
        wide.add_float(0.5);
        assert!(wide.pending < PENDING - 1);
        let other = Wide {
            pending: PENDING - 1,
            ..wide.clone()
        };
        wide.add(&other);
        assert!(wide.pending < PENDING);
        assert_eq!(wide.magnitude().value(), Value::Int(-15));
        for _ in 0..100 {
            wide.settle();
        }
        assert!(wide.limbs.len() <= 4, "{wide:?}");
    }

    #[test]
    fn a_hostile_sum_is_refused() {
        assert!(
            Wide::try_from(WideParts {
                low: i32::MIN,
                limbs: vec![1]
            })
            .is_err()
        );
        assert!(
            Wide::try_from(WideParts {
                low: 0,
                limbs: vec![i64::MAX]
            })
            .is_err()
        );
        assert!(
            Wide::try_from(WideParts {
                low: 0,
                limbs: vec![1; 1000]
            })
            .is_err()
        );
    }
}
