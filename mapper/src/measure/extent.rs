//! The ends: `min` and `max` in the order of values, `first` and `last` in the order of entries.

use std::cmp::Ordering;

use jobspec::value::{OwnedValue, Value};
use serde::{Deserialize, Serialize};

use super::{number_form, to_owned};
use crate::entry::Place;

/// The least or the greatest value so far; NULL of nothing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Extreme(OwnedValue);

impl Default for Extreme {
    fn default() -> Extreme {
        Extreme(Value::Null)
    }
}

impl Extreme {
    /// The value must not be NULL; `wanted` is how a better value compares with what there is.
    pub fn add(&mut self, value: &Value<'_>, wanted: Ordering) {
        let better = match (value, &self.0) {
            (_, Value::Null) => true,
            (Value::Int(value), Value::Int(held)) => value.cmp(held) == wanted,
            (value, held) => number_form(value).total_cmp(held) == wanted,
        };
        if better {
            self.0 = to_owned(&number_form(value));
        }
    }

    pub fn merge(&mut self, other: Extreme, wanted: Ordering) {
        if !other.0.is_null() {
            self.add(&other.0, wanted);
        }
    }

    pub fn value(self) -> OwnedValue {
        self.0
    }

    pub fn held(&self) -> &OwnedValue {
        &self.0
    }
}

/// The value of the first or the last entry that has one.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Edge(Option<Box<(Place, OwnedValue)>>);

impl Edge {
    /// The value must not be NULL; `wanted` is how a better place compares with what there is.
    pub fn add(&mut self, place: &Place, value: &Value<'_>, wanted: Ordering) {
        if self.holds_worse(place, wanted) {
            self.0 = Some(Box::new((*place, to_owned(value))));
        }
    }

    pub fn merge(&mut self, other: Edge, wanted: Ordering) {
        let Some(edge) = other.0 else {
            return;
        };
        if self.holds_worse(&edge.0, wanted) {
            self.0 = Some(edge);
        }
    }

    fn holds_worse(&self, place: &Place, wanted: Ordering) -> bool {
        self.0
            .as_deref()
            .is_none_or(|(held, _)| place.cmp(held) == wanted)
    }

    pub fn value(self) -> OwnedValue {
        self.0.map_or(Value::Null, |edge| edge.1)
    }

    pub fn held(&self) -> Option<&(Place, OwnedValue)> {
        self.0.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extremes(values: &[Value<'static>]) -> (OwnedValue, OwnedValue) {
        let (mut min, mut max) = (Extreme::default(), Extreme::default());
        for value in values {
            min.add(value, Ordering::Less);
            max.add(value, Ordering::Greater);
        }
        (min.value(), max.value())
    }

    #[test]
    fn a_text_that_is_a_number_is_that_number() {
        let values = [Value::text(b"10"), Value::Int(9), Value::text(b"9.5")];
        assert_eq!(extremes(&values), (Value::Int(9), Value::Int(10)));
        let values = [Value::text(b"b"), Value::Int(9), Value::text(b"a")];
        assert_eq!(extremes(&values), (Value::Int(9), Value::text(b"b")));
        assert_eq!(extremes(&[]), (Value::Null, Value::Null));
    }
}
