//! Finished rows as expressions see them.

use jobspec::expr::{Column, FieldId, Row};
use jobspec::value::Value;

/// A group's values, then its measures.
pub struct InnerRow<'a>(pub &'a [Value<'a>]);

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
