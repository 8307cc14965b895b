//! The value of an expression for one entry or one row: three-valued, never an abort.

use std::cell::Cell;

use super::{Column, Expr, FieldId};
use crate::value::Value;

/// What an expression is evaluated over: an entry in the mapper, a finished row in the reducer.
pub trait Row {
    fn column(&self, column: Column) -> Value<'_>;

    /// An own field; None where the entry has none (`exists` tells it from JSON's null).
    fn field(&self, field: FieldId) -> Option<Value<'_>>;

    /// A column of a finished row.
    fn output(&self, index: u16) -> Value<'_>;
}

/// Counts values that were of the wrong type for their place, and so NULL there.
#[derive(Debug, Default)]
pub struct Misfits(pub Cell<u64>);

impl Expr {
    pub fn eval<'a, R: Row + ?Sized>(&'a self, _row: &'a R, _misfits: &Misfits) -> Value<'a> {
        Value::Null
    }

    /// Whether a row satisfies a predicate: NULL does not.
    pub fn holds<R: Row + ?Sized>(&self, row: &R, misfits: &Misfits) -> bool {
        self.eval(row, misfits) == Value::Bool(true)
    }
}
