//! Three-valued answers under loss: what was observed, and what the answer could be had nothing been lost.
//!
//! Both are carried side by side. An answer is sure where it could be nothing else; bounds are kept wide where it is not
//! known how a figure depends on what is missing, so that what is called sure is.

use std::cmp::Ordering;

use jobspec::expr::{Arithmetic, Comparison, calculate, compare};
use jobspec::value::{OwnedValue, Value};

use super::condition::opposite;

/// True, false or NULL as observed, and those of the three that it could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Truth {
    pub observed: Option<bool>,
    possible: u8,
}

const ALL: [Option<bool>; 3] = [Some(true), Some(false), None];

fn bit(truth: Option<bool>) -> u8 {
    match truth {
        Some(true) => 1,
        Some(false) => 2,
        None => 4,
    }
}

impl Truth {
    /// It could be nothing else.
    pub fn sure(observed: Option<bool>) -> Truth {
        Truth {
            observed,
            possible: bit(observed),
        }
    }

    /// It could be anything.
    pub fn open(observed: Option<bool>) -> Truth {
        Truth {
            observed,
            possible: 7,
        }
    }

    fn of(observed: Option<bool>, possible: impl IntoIterator<Item = Option<bool>>) -> Truth {
        let possible = possible
            .into_iter()
            .map(bit)
            .fold(bit(observed), |a, b| a | b);
        Truth { observed, possible }
    }

    pub fn is_surely(self, truth: Option<bool>) -> bool {
        self.possible == bit(truth)
    }

    pub fn could_be(self, truth: Option<bool>) -> bool {
        self.possible & bit(truth) != 0
    }

    fn each(self) -> impl Iterator<Item = Option<bool>> {
        ALL.into_iter()
            .filter(move |truth| self.possible & bit(*truth) != 0)
    }

    fn both(self, other: Truth, join: fn(Option<bool>, Option<bool>) -> Option<bool>) -> Truth {
        let pairs = self
            .each()
            .flat_map(|left| other.each().map(move |right| join(left, right)));
        Truth::of(join(self.observed, other.observed), pairs)
    }

    pub fn and(self, other: Truth) -> Truth {
        self.both(other, |left, right| match (left, right) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (Some(true), Some(true)) => Some(true),
            _ => None,
        })
    }

    pub fn or(self, other: Truth) -> Truth {
        self.not().and(other.not()).not()
    }

    pub fn not(self) -> Truth {
        let turned = |truth: Option<bool>| truth.map(|truth| !truth);
        Truth::of(turned(self.observed), self.each().map(turned))
    }
}

/// A value as observed, and what it could be.
#[derive(Clone, Debug, PartialEq)]
pub struct Ranged {
    pub observed: OwnedValue,
    pub could: Could,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Could {
    Only,
    /// Nothing below the first, nothing above the second; None is no bound. Never NULL.
    Between(Option<OwnedValue>, Option<OwnedValue>),
    Anything,
}

impl Ranged {
    pub fn sure(observed: OwnedValue) -> Ranged {
        Ranged {
            observed,
            could: Could::Only,
        }
    }

    pub fn open(observed: OwnedValue) -> Ranged {
        Ranged {
            observed,
            could: Could::Anything,
        }
    }

    pub fn at_least(observed: OwnedValue, least: OwnedValue) -> Ranged {
        Ranged {
            observed,
            could: Could::Between(Some(least), None),
        }
    }

    pub fn at_most(observed: OwnedValue, most: OwnedValue) -> Ranged {
        Ranged {
            observed,
            could: Could::Between(None, Some(most)),
        }
    }

    /// Its bounds; None where it could be NULL, or of any type.
    fn bounds(&self) -> Option<(Option<&OwnedValue>, Option<&OwnedValue>)> {
        match &self.could {
            Could::Only if self.observed.is_null() => None,
            Could::Only => Some((Some(&self.observed), Some(&self.observed))),
            Could::Between(least, most) => Some((least.as_ref(), most.as_ref())),
            Could::Anything => None,
        }
    }

    pub fn is_null(&self) -> Truth {
        let observed = Some(self.observed.is_null());
        match self.could {
            Could::Only => Truth::sure(observed),
            Could::Between(..) => Truth::sure(Some(false)),
            Could::Anything => Truth::open(observed),
        }
    }

    /// The value as a condition: a column may hold true or false.
    pub fn truth(&self) -> Truth {
        let observed = match &*self.observed.to_text() {
            b"true" => Some(true),
            b"false" => Some(false),
            _ => None,
        };
        match self.could {
            Could::Only => Truth::sure(observed),
            _ => Truth::open(observed),
        }
    }

    pub fn negated(&self) -> Ranged {
        Ranged::sure(Value::Int(0)).calculated(Arithmetic::Subtract, self)
    }

    pub fn calculated(&self, operator: Arithmetic, right: &Ranged) -> Ranged {
        let observed = calculate(operator, &self.observed, &right.observed);
        if self.could == Could::Only && right.could == Could::Only {
            return Ranged::sure(observed);
        }
        let could = self.could_of(operator, right).unwrap_or(Could::Anything);
        Ranged { observed, could }
    }

    /// The bounds of a sum, a difference, or a product or quotient with a sure number; None where nothing is known.
    fn could_of(&self, operator: Arithmetic, right: &Ranged) -> Option<Could> {
        let (left_bounds, right_bounds) = (self.bounds()?, right.bounds()?);
        let end = |left: Option<&OwnedValue>, right: Option<&OwnedValue>| match (left, right) {
            (Some(left), Some(right)) => match calculate(operator, left, right) {
                Value::Null => Err(()),
                value => Ok(Some(value)),
            },
            _ => Ok(None),
        };
        let sign = |ranged: &Ranged| match ranged.could {
            Could::Only => compare(Comparison::Greater, &ranged.observed, &Value::Int(0)),
            _ => None,
        };
        let (least, most) = match operator {
            Arithmetic::Add => (
                end(left_bounds.0, right_bounds.0),
                end(left_bounds.1, right_bounds.1),
            ),
            Arithmetic::Subtract => (
                end(left_bounds.0, right_bounds.1),
                end(left_bounds.1, right_bounds.0),
            ),
            Arithmetic::Multiply | Arithmetic::Divide => {
                let factor = match operator {
                    Arithmetic::Multiply if self.could == Could::Only => self,
                    _ => right,
                };
                let ends = (
                    end(left_bounds.0, right_bounds.0),
                    end(left_bounds.1, right_bounds.1),
                );
                match sign(factor)? {
                    true => ends,
                    false => (ends.1, ends.0),
                }
            }
            Arithmetic::Remainder => return None,
        };
        Some(Could::Between(least.ok()?, most.ok()?))
    }

    pub fn compared(&self, operator: Comparison, right: &Ranged) -> Truth {
        let observed = compare(operator, &self.observed, &right.observed);
        if self.could == Could::Only && right.could == Could::Only {
            return Truth::sure(observed);
        }
        // Beside a NULL that is sure, the answer is NULL whatever the other is.
        let is_sure_null = |side: &Ranged| side.could == Could::Only && side.observed.is_null();
        if is_sure_null(self) || is_sure_null(right) {
            return Truth::sure(None);
        }
        let (Some(left), Some(right)) = (self.bounds(), right.bounds()) else {
            return Truth::open(observed);
        };
        // Whether some value of the one side stands so to some value of the other; None where they do not compare.
        let some = |operator: Comparison| {
            let pair = match operator {
                Comparison::Less | Comparison::LessOrEqual => (left.0, right.1),
                _ => (left.1, right.0),
            };
            match pair {
                (Some(left), Some(right)) => compare(operator, left, right),
                _ => Some(true),
            }
        };
        let overlap = || Some(some(Comparison::LessOrEqual)? && some(Comparison::GreaterOrEqual)?);
        let is_one = || {
            let is_point = |bounds: (Option<&OwnedValue>, Option<&OwnedValue>)| match bounds {
                (Some(least), Some(most)) => least.total_cmp(most) == Ordering::Equal,
                _ => false,
            };
            Some(is_point(left) && is_point(right) && overlap()?)
        };
        let could = |operator: Comparison| match operator {
            Comparison::Equal => overlap(),
            Comparison::NotEqual => Some(!is_one()?),
            operator => some(operator),
        };
        match (could(operator), could(opposite(operator))) {
            (Some(yes), Some(no)) => {
                let answers = [(yes, Some(true)), (no, Some(false))];
                let possible = answers.into_iter().filter(|(could, _)| *could);
                Truth::of(observed, possible.map(|(_, truth)| truth))
            }
            _ => Truth::open(observed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn int(number: i128) -> Ranged {
        Ranged::sure(Value::Int(number))
    }

    fn from(number: i128) -> Ranged {
        Ranged::at_least(Value::Int(number), Value::Int(number))
    }

    fn to(number: i128) -> Ranged {
        Ranged::at_most(Value::Int(number), Value::Int(number))
    }

    #[test]
    fn what_is_open_is_sure_only_where_it_cannot_matter() {
        let open = Truth::open(Some(true));
        assert!(open.and(Truth::sure(Some(false))).is_surely(Some(false)));
        assert!(open.or(Truth::sure(Some(true))).is_surely(Some(true)));
        assert!(!open.and(Truth::sure(Some(true))).is_surely(Some(true)));
        assert_eq!(open.not().observed, Some(false));
        assert!(
            Truth::sure(None)
                .and(Truth::sure(Some(true)))
                .is_surely(None)
        );
    }

    #[test]
    fn comparisons_of_lower_bounds() {
        let is = |truth: Truth| match (truth.is_surely(Some(true)), truth.is_surely(Some(false))) {
            (true, false) => "true",
            (false, true) => "false",
            _ => "open",
        };
        for (left, operator, right, wanted) in [
            (from(6), Comparison::Greater, int(5), "true"),
            (from(5), Comparison::Greater, int(5), "open"),
            (from(5), Comparison::GreaterOrEqual, int(5), "true"),
            (from(0), Comparison::Equal, int(0), "open"),
            (from(1), Comparison::Equal, int(0), "false"),
            (from(1), Comparison::NotEqual, int(0), "true"),
            (from(9), Comparison::Less, int(5), "false"),
            (from(5), Comparison::LessOrEqual, int(5), "open"),
            (to(4), Comparison::Less, int(5), "true"),
            (to(5), Comparison::Less, int(5), "open"),
            (to(4), Comparison::Greater, from(9), "false"),
            (from(4), Comparison::Greater, from(1), "open"),
            (
                Ranged::open(Value::Int(1)),
                Comparison::Equal,
                int(1),
                "open",
            ),
            (int(1), Comparison::Equal, int(1), "true"),
        ] {
            assert_eq!(
                is(left.compared(operator, &right)),
                wanted,
                "{left:?} {operator:?} {right:?}"
            );
        }
        assert!(
            Ranged::sure(Value::Null)
                .compared(Comparison::Equal, &from(1))
                .is_surely(None)
        );
    }

    #[test]
    fn bounds_follow_arithmetic() {
        let times = |left: &Ranged, right: &Ranged| left.calculated(Arithmetic::Multiply, right);
        assert_eq!(times(&from(3), &int(2)), from(6));
        assert_eq!(times(&int(-2), &from(3)), to(-6));
        assert_eq!(from(3).calculated(Arithmetic::Subtract, &int(1)), from(2));
        assert_eq!(int(10).calculated(Arithmetic::Subtract, &from(3)), to(7));
        assert_eq!(from(8).calculated(Arithmetic::Divide, &int(-2)), to(-4));
        assert_eq!(
            int(8).calculated(Arithmetic::Divide, &from(2)).could,
            Could::Anything
        );
        assert_eq!(from(3).negated(), to(-3));
    }
}
