//! Arithmetic on numbers and on texts that are numbers: whole ones exact, all others the nearest double.

use super::Arithmetic;
use crate::value::Value;

/// Whole numbers up to here are doubles exactly.
const EXACT_WHOLE: u128 = 1 << 53;

/// None where a value is no number, the divisor is 0, or the result is beyond what a number can be.
pub(super) fn apply(
    operator: Arithmetic,
    left: &Value<'_>,
    right: &Value<'_>,
) -> Option<Value<'static>> {
    if let (Value::Int(left), Value::Int(right)) = (left, right) {
        return whole(operator, *left, *right);
    }
    match (left.as_number()?, right.as_number()?) {
        (Value::Int(left), Value::Int(right)) => whole(operator, left, right),
        (left, right) => {
            let (left, right) = (left.as_f64()?, right.as_f64()?);
            let result = match operator {
                Arithmetic::Add => left + right,
                Arithmetic::Subtract => left - right,
                Arithmetic::Multiply => left * right,
                Arithmetic::Divide | Arithmetic::Remainder if right == 0.0 => return None,
                Arithmetic::Divide => left / right,
                Arithmetic::Remainder => left % right,
            };
            finite(result)
        }
    }
}

pub(super) fn negate(value: &Value<'_>) -> Option<Value<'static>> {
    match value.as_number()? {
        Value::Int(number) => number.checked_neg().map(Value::Int),
        Value::Float(number) => finite(-number),
        _ => None,
    }
}

fn whole(operator: Arithmetic, left: i128, right: i128) -> Option<Value<'static>> {
    let exact = match operator {
        Arithmetic::Add => left.checked_add(right),
        Arithmetic::Subtract => left.checked_sub(right),
        Arithmetic::Multiply => left.checked_mul(right),
        Arithmetic::Remainder if right == -1 => Some(0),
        // By the sign of the dividend.
        Arithmetic::Remainder => left.checked_rem(right),
        Arithmetic::Divide => {
            let quotient = left.checked_div(right)?;
            if quotient * right != left {
                return finite(ratio(left, right));
            }
            Some(quotient)
        }
    };
    exact.map(Value::Int)
}

/// The double nearest to `left / right`; the divisor is not 0.
fn ratio(left: i128, right: i128) -> f64 {
    let (dividend, divisor) = (left.unsigned_abs(), right.unsigned_abs());
    if dividend <= EXACT_WHOLE && divisor <= EXACT_WHOLE {
        return left as f64 / right as f64;
    }
    // Long division until there are two bits more than a double has; the last one then stands for all that is left.
    let (mut quotient, mut rest) = (dividend / divisor, dividend % divisor);
    let mut halvings = 0;
    while quotient < 1 << 55 {
        rest <<= 1;
        quotient <<= 1;
        if rest >= divisor {
            rest -= divisor;
            quotient |= 1;
        }
        halvings += 1;
    }
    if rest > 0 {
        quotient |= 1;
    }
    let size = quotient as f64 * 0.5_f64.powi(halvings);
    if (left < 0) == (right < 0) {
        size
    } else {
        -size
    }
}

fn finite(number: f64) -> Option<Value<'static>> {
    match Value::float(number) {
        Value::Null => None,
        number => Some(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_the_nearest_double() {
        assert_eq!(ratio(1, 3), 1.0 / 3.0);
        assert_eq!(ratio(-7, 2), -3.5);
        // Exact by hand: 2^54 + 3 over 2 is 2^53 + 1.5, between the doubles 2^53 and 2^53 + 2.
        assert_eq!(ratio((1 << 54) + 3, 2), 9_007_199_254_740_994.0);
        assert_eq!(ratio((1 << 54) + 1, 2), 9_007_199_254_740_992.0);
        assert_eq!(ratio(1, i128::MAX), 0.5_f64.powi(127));
        assert_eq!(ratio(i128::MIN, 3), -(2.0_f64.powi(127) / 3.0));
    }
}
