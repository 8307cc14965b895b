//! How two values stand to each other: the rules of a predicate's comparisons.

use std::cmp::Ordering;

use crate::value::{Level, Time, Value};

/// An answer, or why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Related<T> {
    Is(T),
    /// One of them is NULL.
    Null,
    /// One of them is of a type that has no meaning beside the other.
    Misfit,
}

/// Two texts as texts, by bytes; a number with a text that is a number as numbers; a boolean, level or time with a
/// text that is one. Objects and arrays are their text.
pub(super) fn relate(left: &Value<'_>, right: &Value<'_>) -> Related<Ordering> {
    use Value::{Bool, Float, Int, Json, Level as LevelValue, Null, Text, Time as TimeValue};
    match (left, right) {
        (Null, _) | (_, Null) => Related::Null,
        (Text(left) | Json(left), Text(right) | Json(right)) => {
            Related::Is(left.as_ref().cmp(right.as_ref()))
        }
        (Int(left), Int(right)) => Related::Is(left.cmp(right)),
        (Int(_) | Float(_), Int(_) | Float(_)) => Related::Is(left.number_cmp(right)),
        (Int(_) | Float(_), Text(text)) => match Value::parse_number(text) {
            Some(right) => Related::Is(left.number_cmp(&right)),
            None => Related::Misfit,
        },
        (Bool(left), Bool(right)) => Related::Is(left.cmp(right)),
        (Bool(left), Text(text)) => match parse_bool(text) {
            Some(right) => Related::Is(left.cmp(&right)),
            None => Related::Misfit,
        },
        (LevelValue(left), LevelValue(right)) => Related::Is(left.cmp(right)),
        (LevelValue(left), Text(text)) => match Level::from_word(text) {
            Some(right) => Related::Is(left.cmp(&right)),
            None => Related::Misfit,
        },
        // The digits that a log gave do not make two times differ.
        (TimeValue(left), TimeValue(right)) => Related::Is(left.ns.cmp(&right.ns)),
        (TimeValue(left), Text(text)) => match Time::parse(text) {
            Some(right) => Related::Is(left.ns.cmp(&right.ns)),
            None => Related::Misfit,
        },
        (Text(_), Int(_) | Float(_) | Bool(_) | LevelValue(_) | TimeValue(_)) => {
            match relate(right, left) {
                Related::Is(order) => Related::Is(order.reverse()),
                other => other,
            }
        }
        (Value::List(_) | Value::Object(_), Value::List(_) | Value::Object(_)) => {
            Related::Is(left.to_text().cmp(&right.to_text()))
        }
        _ => Related::Misfit,
    }
}

pub(super) fn parse_bool(text: &[u8]) -> Option<bool> {
    match text {
        b"true" => Some(true),
        b"false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_their_texts() {
        let list = |number| Value::List(vec![Value::Int(number), Value::text(b"x")]);
        assert_eq!(relate(&list(1), &list(1)), Related::Is(Ordering::Equal));
        assert_eq!(relate(&list(1), &list(2)), Related::Is(Ordering::Less));
        assert_eq!(relate(&list(1), &Value::Int(1)), Related::Misfit);
    }
}
