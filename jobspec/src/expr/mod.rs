//! Expressions as they travel in the plan: a small typed tree, evaluated three-valued.
//!
//! `parse` makes the tree from SQL (in the runner only), `eval` gives its value for one entry or one row.
//! Names are resolved when it is made: an entry's own field is a `FieldId` into the plan's list of paths, a
//! column of a row (in `having`, `order`) its index. So nothing is looked up by name while entries go by.

mod arithmetic;
pub mod display;
mod eval;
pub mod function;
mod measure;
#[cfg(feature = "language")]
pub mod parse;
pub mod pattern;
mod relate;
pub mod search;
mod set;

pub use eval::{Misfits, Row};
pub use function::Function;
pub use measure::Measure;
pub use pattern::{Like, Pattern};
pub use search::{Search, SearchError};
pub use set::Set;

use std::cell::Cell;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::value::{Level, OwnedValue, Value};

/// Index into the plan's `fields`.
pub type FieldId = u16;

/// One expression, checked: every name is known, every constant has the type that its place wants.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self")]
pub enum Expr {
    Literal(OwnedValue),
    Column(Column),
    /// An entry's own field.
    Field(FieldId),
    /// A column of a finished row, by index: in `having` and `order`.
    Output(u16),
    Not(Box<Expr>),
    /// Flat, so that a chain of any length is no deeper than its terms.
    And(Vec<Expr>),
    Or(Vec<Expr>),
    Compare {
        operator: Comparison,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    /// `NOT BETWEEN`, `NOT IN`, `NOT LIKE` and `!~` are a `Not` around these.
    Between {
        value: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
    },
    In {
        value: Box<Expr>,
        list: Vec<Expr>,
    },
    /// `IN` of constants alone.
    InSet {
        value: Box<Expr>,
        set: Box<Set>,
    },
    Like {
        value: Box<Expr>,
        like: Like,
    },
    Matches {
        value: Box<Expr>,
        pattern: Pattern,
    },
    IsNull(Box<Expr>),
    Negate(Box<Expr>),
    Arithmetic {
        operator: Arithmetic,
        left: Box<Expr>,
        right: Box<Expr>,
    },
    Call {
        function: Function,
        arguments: Vec<Expr>,
    },
}

/// The columns that every entry has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Column {
    Time,
    Level,
    Message,
    Raw,
    Host,
    File,
    Offset,
    Log,
    Valid,
}

impl Column {
    pub const ALL: [Column; 9] = [
        Column::Time,
        Column::Level,
        Column::Message,
        Column::Raw,
        Column::Host,
        Column::File,
        Column::Offset,
        Column::Log,
        Column::Valid,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Column::Time => "time",
            Column::Level => "level",
            Column::Message => "message",
            Column::Raw => "raw",
            Column::Host => "host",
            Column::File => "file",
            Column::Offset => "offset",
            Column::Log => "log",
            Column::Valid => "valid",
        }
    }

    pub fn from_name(name: &str) -> Option<Column> {
        Column::ALL.into_iter().find(|column| column.name() == name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

/// Whether two values stand so to each other, by the rules of predicates; None where one is NULL, or of a type that has no
/// meaning beside the other.
pub fn compare(operator: Comparison, left: &Value<'_>, right: &Value<'_>) -> Option<bool> {
    match relate::relate(left, right) {
        relate::Related::Is(order) => Some(operator.holds(order)),
        relate::Related::Null | relate::Related::Misfit => None,
    }
}

/// NULL where one of them is no number, or there is no such number.
pub fn calculate(operator: Arithmetic, left: &Value<'_>, right: &Value<'_>) -> OwnedValue {
    arithmetic::apply(operator, left, right).unwrap_or(Value::Null)
}

/// What is known of an expression's value before it is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// An entry's own field: anything.
    Any,
    Bool,
    Number,
    Text,
    Time,
    Level,
}

/// Levels of a tree that is decoded: twice what one text may have, as a column named in another is put there whole.
const MAX_DECODED_DEPTH: u32 = 250;

impl Serialize for Expr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Expr::serialize(self, serializer)
    }
}

/// As derived, but for a bound on the depth: a tree is decoded recursively, and bytes may claim any depth.
impl<'de> Deserialize<'de> for Expr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Expr, D::Error> {
        thread_local! {
            static DEPTH: Cell<u32> = const { Cell::new(0) };
        }
        struct Level;
        impl Drop for Level {
            fn drop(&mut self) {
                DEPTH.set(DEPTH.get() - 1);
            }
        }
        DEPTH.set(DEPTH.get() + 1);
        let _level = Level;
        if DEPTH.get() > MAX_DECODED_DEPTH {
            return Err(serde::de::Error::custom(
                "an expression is nested too deeply",
            ));
        }
        Expr::deserialize(deserializer)
    }
}

impl Expr {
    pub fn literal_level(level: Level) -> Expr {
        Expr::Literal(OwnedValue::Level(level))
    }

    /// Calls `visit` with this expression and every one inside it.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Expr)) {
        visit(self);
        match self {
            Expr::Literal(_) | Expr::Column(_) | Expr::Field(_) | Expr::Output(_) => {}
            Expr::Not(inner) | Expr::IsNull(inner) | Expr::Negate(inner) => inner.walk(visit),
            Expr::And(list)
            | Expr::Or(list)
            | Expr::Call {
                arguments: list, ..
            } => {
                list.iter().for_each(|inner| inner.walk(visit));
            }
            Expr::Compare { left, right, .. } | Expr::Arithmetic { left, right, .. } => {
                left.walk(visit);
                right.walk(visit);
            }
            Expr::Between { value, low, high } => {
                [value, low, high]
                    .into_iter()
                    .for_each(|inner| inner.walk(visit));
            }
            Expr::In { value, list } => {
                value.walk(visit);
                list.iter().for_each(|inner| inner.walk(visit));
            }
            Expr::InSet { value, .. } | Expr::Like { value, .. } | Expr::Matches { value, .. } => {
                value.walk(visit)
            }
        }
    }

    /// Whether it looks at that column.
    pub fn reads(&self, column: Column) -> bool {
        let mut reads = false;
        self.walk(&mut |expr| {
            reads |= matches!(expr, Expr::Column(read) if *read == column);
        });
        reads
    }

    /// Calls `visit` with every own field that the expression reads.
    pub fn for_each_field(&self, visit: &mut dyn FnMut(FieldId)) {
        self.walk(&mut |expr| {
            if let Expr::Field(field) = expr {
                visit(*field);
            }
        });
    }
}
