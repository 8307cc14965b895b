//! Finished rows as expressions see them, and how `order` compares.

use std::cmp::Ordering;

use jobspec::expr::{Column, FieldId, Row};
use jobspec::plan::Order;
use jobspec::value::{OwnedValue, Time, Value};

use crate::measure::same_kind;

/// A group's values, then its measures.
pub struct InnerRow<'a>(pub &'a [OwnedValue]);

impl Row for InnerRow<'_> {
    // An entry's columns and fields are no part of a finished row: the job language resolves names by their place.
    fn column(&self, _column: Column) -> Value<'_> {
        Value::Null
    }

    fn field(&self, _field: FieldId) -> Option<Value<'_>> {
        None
    }

    fn output(&self, index: u16) -> Value<'_> {
        self.0
            .get(usize::from(index))
            .map_or(Value::Null, Value::borrowed)
    }
}

/// A value as `order` compares it: a text that is a number is that number, and the digits of a time do not count.
pub fn order_value(value: Value<'_>) -> OwnedValue {
    match value {
        Value::Time(time) => Value::Time(Time::new(time.ns, 0)),
        value => value.as_number().unwrap_or_else(|| value.into_owned()),
    }
}

/// Compares by the terms of `order` in turn. NULL comes last, falling too.
pub fn compare(order: &[Order], left: &[OwnedValue], right: &[OwnedValue]) -> Ordering {
    order
        .iter()
        .zip(left.iter().zip(right))
        .map(
            |(term, (left, right))| match (left.is_null(), right.is_null()) {
                (false, false) if term.descending => right.total_cmp(left),
                (false, false) => left.total_cmp(right),
                (left, right) => left.cmp(&right),
            },
        )
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// Compares group values or key values in turn. Values of one text are one value: 200 and "200" tie.
pub fn compare_values(left: &[OwnedValue], right: &[OwnedValue]) -> Ordering {
    left.iter()
        .zip(right)
        .map(|(left, right)| match left.total_cmp(right) {
            ordering if same_kind(left, right) || left.is_null() || right.is_null() => ordering,
            _ if left.to_text() == right.to_text() => Ordering::Equal,
            ordering => ordering,
        })
        .find(|ordering| ordering.is_ne())
        .unwrap_or(Ordering::Equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_comes_last_in_both_directions() {
        let sorted = |descending| {
            let order = [Order {
                expr: jobspec::expr::Expr::Output(0),
                descending,
            }];
            let values = [
                Value::text(b"b"),
                Value::Null,
                Value::text(b"10"),
                Value::Int(9),
                Value::text(b"a"),
            ];
            let mut rows = values.map(|value| [order_value(value)]);
            rows.sort_by(|left, right| compare(&order, left, right));
            rows.map(|[value]| String::from_utf8(value.to_text().into_owned()).unwrap())
        };
        assert_eq!(sorted(false), ["9", "10", "a", "b", ""]);
        assert_eq!(sorted(true), ["b", "a", "10", "9", ""]);
    }

    #[test]
    fn values_of_one_text_tie() {
        let pair = |status: Value<'static>, user: &'static [u8]| [status, Value::text(user)];
        let ordering = compare_values(
            &pair(Value::Int(200), b"bob"),
            &pair(Value::text(b"200"), b"alice"),
        );
        assert_eq!(ordering, Ordering::Greater);
        assert_eq!(
            compare_values(&[Value::Null], &[Value::text(b"")]),
            Ordering::Greater
        );
    }
}
