//! The value of an expression for one entry or one row: three-valued, never an abort.
//!
//! Values are borrowed from the row or the expression wherever they can be. A value of the wrong type for its place
//! is NULL there, and counted.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;
use std::net::IpAddr;

use bstr::ByteSlice;
use chrono::{DateTime, Datelike, Timelike};

use super::arithmetic;
use super::relate::{Related, parse_bool, relate};
use super::{Column, Comparison, Expr, FieldId, Function};
use crate::value::{Number, Time, Value};

/// What an expression is evaluated over: an entry in the mapper, a finished row in the reducer.
pub trait Row {
    fn column(&self, column: Column) -> Value<'_>;

    /// An own field; None where the entry has none (`exists` tells it from JSON's null).
    fn field(&self, field: FieldId) -> Option<Value<'_>>;

    /// The same where it is a number as logged, and that is at hand without a value being made.
    fn number(&self, _field: FieldId) -> Option<Number> {
        None
    }

    /// A column of a finished row.
    fn output(&self, index: u16) -> Value<'_>;
}

/// Counts values that were of the wrong type for their place, and so NULL there.
#[derive(Debug, Default)]
pub struct Misfits(pub Cell<u64>);

impl Misfits {
    fn add(&self) {
        self.0.set(self.0.get().saturating_add(1));
    }

    fn none<T>(&self) -> Option<T> {
        self.add();
        None
    }

    fn known<T>(&self, related: Related<T>) -> Option<T> {
        match related {
            Related::Is(answer) => Some(answer),
            Related::Null => None,
            Related::Misfit => self.none(),
        }
    }
}

impl Comparison {
    pub(super) fn holds(self, order: Ordering) -> bool {
        match self {
            Comparison::Equal => order.is_eq(),
            Comparison::NotEqual => order.is_ne(),
            Comparison::Less => order.is_lt(),
            Comparison::LessOrEqual => order.is_le(),
            Comparison::Greater => order.is_gt(),
            Comparison::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Expr {
    pub fn eval<'a, R: Row + ?Sized>(&'a self, row: &'a R, misfits: &Misfits) -> Value<'a> {
        match self {
            Expr::Literal(value) => value.borrowed(),
            Expr::Column(column) => row.column(*column),
            Expr::Field(field) => row.field(*field).unwrap_or(Value::Null),
            Expr::Output(index) => row.output(*index),
            Expr::Negate(inner) => {
                let value = inner.eval(row, misfits);
                arithmetic::negate(&value).unwrap_or_else(|| null(&value, misfits))
            }
            Expr::Arithmetic {
                operator,
                left,
                right,
            } => {
                let (left, right) = (left.eval(row, misfits), right.eval(row, misfits));
                if left.is_null() || right.is_null() {
                    return Value::Null;
                }
                arithmetic::apply(*operator, &left, &right).unwrap_or_else(|| null(&left, misfits))
            }
            Expr::Call {
                function,
                arguments,
            } => function.eval(arguments, row, misfits),
            // What is left is a condition.
            _ => self.truth(row, misfits).map_or(Value::Null, Value::Bool),
        }
    }

    /// Whether its value is never anything but what `truth` says.
    pub fn is_condition(&self) -> bool {
        matches!(
            self,
            Expr::Not(_)
                | Expr::And(_)
                | Expr::Or(_)
                | Expr::Compare { .. }
                | Expr::Between { .. }
                | Expr::In { .. }
                | Expr::InSet { .. }
                | Expr::Like { .. }
                | Expr::Matches { .. }
                | Expr::IsNull(_)
        )
    }

    /// Whether a row satisfies a predicate: NULL does not.
    pub fn holds<R: Row + ?Sized>(&self, row: &R, misfits: &Misfits) -> bool {
        self.truth(row, misfits) == Some(true)
    }

    /// The expression as a condition; None is NULL.
    pub fn truth<R: Row + ?Sized>(&self, row: &R, misfits: &Misfits) -> Option<bool> {
        match self {
            Expr::Not(inner) => inner.truth(row, misfits).map(|truth| !truth),
            Expr::And(terms) => {
                let mut all = Some(true);
                for term in terms {
                    match term.truth(row, misfits) {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => all = None,
                    }
                }
                all
            }
            Expr::Or(terms) => {
                let mut any = Some(false);
                for term in terms {
                    match term.truth(row, misfits) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => any = None,
                    }
                }
                any
            }
            Expr::Compare {
                operator,
                left,
                right,
            } => {
                let related = match (&**left, &**right) {
                    (left, Expr::Literal(right)) => relate(&left.eval(row, misfits), right),
                    (Expr::Literal(left), right) => relate(left, &right.eval(row, misfits)),
                    (left, right) => relate(&left.eval(row, misfits), &right.eval(row, misfits)),
                };
                misfits.known(related).map(|order| operator.holds(order))
            }
            Expr::Between { value, low, high } => {
                let value = value.eval(row, misfits);
                let low = misfits
                    .known(relate(&value, &low.eval(row, misfits)))
                    .map(Ordering::is_ge);
                if low == Some(false) {
                    return low;
                }
                let high = misfits
                    .known(relate(&value, &high.eval(row, misfits)))
                    .map(Ordering::is_le);
                match (low, high) {
                    (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                }
            }
            Expr::In { value, list } => {
                let value = value.eval(row, misfits);
                let (mut is_null, mut is_misfit) = (value.is_null(), false);
                for item in list {
                    match relate(&value, &item.eval(row, misfits)) {
                        Related::Is(Ordering::Equal) => return Some(true),
                        Related::Is(_) => {}
                        Related::Null => is_null = true,
                        Related::Misfit => is_misfit = true,
                    }
                }
                match (is_misfit, is_null) {
                    (true, _) => misfits.none(),
                    (false, true) => None,
                    (false, false) => Some(false),
                }
            }
            Expr::InSet { value, set } => misfits.known(set.holds(&value.eval(row, misfits))),
            Expr::Like { value, like } => {
                let value = value.eval(row, misfits);
                text_of(&value).map(|text| like.is_match(&text))
            }
            Expr::Matches { value, pattern } => {
                let value = value.eval(row, misfits);
                text_of(&value).map(|text| pattern.is_match(&text))
            }
            Expr::IsNull(inner) => Some(inner.eval(row, misfits).is_null()),
            Expr::Literal(_)
            | Expr::Column(_)
            | Expr::Field(_)
            | Expr::Output(_)
            | Expr::Negate(_)
            | Expr::Arithmetic { .. }
            | Expr::Call { .. } => match self.eval(row, misfits) {
                Value::Bool(truth) => Some(truth),
                Value::Null => None,
                Value::Text(text) => match parse_bool(&text) {
                    Some(truth) => Some(truth),
                    None => misfits.none(),
                },
                _ => misfits.none(),
            },
        }
    }
}

impl Function {
    fn eval<'a, R: Row + ?Sized>(
        &'a self,
        arguments: &'a [Expr],
        row: &'a R,
        misfits: &Misfits,
    ) -> Value<'a> {
        if let (Function::Exists, [Expr::Field(field)]) = (self, arguments) {
            return Value::Bool(row.field(*field).is_some());
        }
        let Some(first) = arguments.first() else {
            return Value::Null;
        };
        let value = first.eval(row, misfits);
        if value.is_null() && !matches!(self, Function::Coalesce | Function::Exists) {
            return Value::Null;
        }
        match self {
            Function::Search(search) => Value::Bool(search.is_match(&value.to_text())),
            Function::Extract { pattern, group } => {
                let (text, regex) = (value.to_text(), pattern.regex());
                let range = match group {
                    0 => regex.find(&text).map(|found| found.range()),
                    group => regex
                        .captures(&text)
                        .and_then(|found| found.get(*group as usize))
                        .map(|found| found.range()),
                };
                drop(text);
                match (range, value) {
                    (None, _) => Value::Null,
                    // What is found in a text that lives on needs no copy.
                    (Some(range), Value::Text(Cow::Borrowed(text))) => Value::text(&text[range]),
                    (Some(range), value) => Value::owned_text(&value.to_text()[range]),
                }
            }
            Function::Bucket { .. } => {
                let start = time_of(&value).and_then(|time| self.last_bucket(time.ns));
                start.map_or_else(|| null(&value, misfits), Value::Time)
            }
            Function::Hour { zone } => match time_of(&value) {
                Some(time) => {
                    let local = DateTime::from_timestamp_nanos(time.ns).with_timezone(zone);
                    Value::Int(local.hour().into())
                }
                None => null(&value, misfits),
            },
            Function::Weekday { zone } => match time_of(&value) {
                Some(time) => {
                    let local = DateTime::from_timestamp_nanos(time.ns).with_timezone(zone);
                    Value::Int(local.weekday().number_from_monday().into())
                }
                None => null(&value, misfits),
            },
            Function::Lower => recased(value, is_lower, fold_lower),
            Function::Upper => recased(value, is_upper, fold_upper),
            Function::Length => {
                let text = value.to_text();
                Value::Int(match text.is_ascii() {
                    true => text.len() as i128,
                    false => text.chars().count() as i128,
                })
            }
            Function::Coalesce => {
                if !value.is_null() {
                    return value;
                }
                arguments[1..]
                    .iter()
                    .map(|argument| argument.eval(row, misfits))
                    .find(|value| !value.is_null())
                    .unwrap_or(Value::Null)
            }
            Function::Cidr { network, bits } => {
                let address = match &value {
                    Value::Text(text) => text.to_str().ok().and_then(|text| text.parse().ok()),
                    _ => None,
                };
                let address = match address {
                    Some(IpAddr::V4(address)) => address.to_ipv6_mapped(),
                    Some(IpAddr::V6(address)) => address,
                    None => return null(&value, misfits),
                };
                let shift = 128 - u32::from((*bits).min(128));
                let differ = (u128::from(address) ^ network)
                    .checked_shr(shift)
                    .unwrap_or_default();
                Value::Bool(differ == 0)
            }
            Function::Exists => Value::Bool(!value.is_null()),
            Function::Number => value.as_number().unwrap_or(Value::Null),
        }
    }
}

/// NULL for a value that does not fit here; counted, unless it is NULL itself.
fn null(value: &Value<'_>, misfits: &Misfits) -> Value<'static> {
    if !value.is_null() {
        misfits.add();
    }
    Value::Null
}

/// What patterns and searches see: a text itself, else the value as a person would read it.
fn text_of<'v>(value: &'v Value<'_>) -> Option<Cow<'v, [u8]>> {
    match value {
        Value::Null => None,
        value => Some(value.to_text()),
    }
}

fn time_of(value: &Value<'_>) -> Option<Time> {
    match value {
        Value::Time(time) => Some(*time),
        Value::Text(text) => Time::parse(text),
        _ => None,
    }
}

/// A text in another case, of what is not NULL; one that is in it already is not copied.
fn recased<'v>(value: Value<'v>, is_done: fn(u8) -> bool, fold: fn(&[u8]) -> Vec<u8>) -> Value<'v> {
    match value {
        Value::Text(text) if text.iter().copied().all(is_done) => Value::Text(text),
        value => Value::owned_text(fold(&value.to_text())),
    }
}

fn is_lower(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_uppercase()
}

fn is_upper(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_lowercase()
}

fn fold_lower(text: &[u8]) -> Vec<u8> {
    text.to_lowercase()
}

fn fold_upper(text: &[u8]) -> Vec<u8> {
    text.to_uppercase()
}

#[cfg(all(test, feature = "language"))]
mod tests;
