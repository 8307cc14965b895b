//! A finished row as conditions see it: cells by name, parts of a key among them.

use jobspec::expr::{Comparison, compare};
use jobspec::job::Cell;
use jobspec::value::Value;
use mapper::operator::OutputColumn;

use super::reach::{Change, Reach};

/// Where the columns of an operator's rows stand.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    names: Vec<String>,
    key: Option<usize>,
    certain: Option<usize>,
    continued: Option<usize>,
}

impl Layout {
    pub fn new(columns: &[OutputColumn]) -> Layout {
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let place = |name: &str| names.iter().position(|column| column == name);
        Layout {
            key: place("key"),
            certain: place("certain"),
            continued: place("continued"),
            names,
        }
    }

    /// Whether the row is the rest of the one before it, and does not count as one.
    pub fn is_rest(&self, row: &[Value<'_>]) -> bool {
        let flag = self.continued.and_then(|at| row.get(at));
        matches!(flag, Some(Value::Bool(true)))
    }

    /// Whether such a rest has figures of its own: that of a session has nothing but its timeline.
    pub fn rest_has_cells(&self) -> bool {
        self.key.is_none() && !self.names.iter().any(|name| name == "ids")
    }
}

/// One row of an operator.
pub struct RowView<'a> {
    pub layout: &'a Layout,
    pub reach: &'a Reach,
    pub values: &'a [Value<'a>],
}

impl<'a> RowView<'a> {
    /// NULL where the row has no such column.
    pub fn cell(&self, column: &str) -> Value<'a> {
        if let Some(at) = self.layout.names.iter().position(|name| name == column) {
            return self.values.get(at).map_or(Value::Null, Value::borrowed);
        }
        match self.layout.key.and_then(|at| self.values.get(at)) {
            Some(Value::Object(parts)) => {
                let part = parts.iter().find(|(name, _)| name == column);
                part.map_or(Value::Null, |(_, value)| value.borrowed())
            }
            _ => Value::Null,
        }
    }

    pub fn is_rest(&self) -> bool {
        self.layout.is_rest(self.values)
    }

    /// Whether it would be a row whatever else came.
    pub fn stays(&self) -> bool {
        let certain = self.layout.certain.and_then(|at| self.values.get(at));
        self.reach.rows_stay || matches!(certain, Some(Value::Bool(true)))
    }

    /// Whether a cell's filter leaves the row; NULL where a column of it is.
    pub fn matches(&self, cell: &Cell) -> Option<bool> {
        let mut answer = Some(true);
        for (column, value) in &cell.filter {
            match compare(Comparison::Equal, &self.cell(column), value) {
                Some(true) => {}
                Some(false) => return Some(false),
                None => answer = None,
            }
        }
        answer
    }

    /// Whether no loss could have changed that it does.
    pub fn surely_matches(&self, cell: &Cell) -> bool {
        let mut columns = cell.filter.iter();
        columns.all(|(column, _)| self.reach.change(column) == Change::Never)
    }
}
