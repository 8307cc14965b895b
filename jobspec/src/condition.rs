//! Conditions over the finished rows of operators: what a check demands, and when an alert tells. A small tree that stays
//! in the runner; the reducer judges it while rows go by.

use std::fmt;

use crate::expr::{Arithmetic, Comparison, Expr};
use crate::plan::{Named, OperatorKind, OperatorPlan};
use crate::value::{OwnedValue, Value};

/// An expression over the finished rows of operators.
#[derive(Clone, Debug, PartialEq)]
pub enum ResultExpr {
    Literal(OwnedValue),
    /// `rows(errors)`; the operator by index into the plan's.
    Rows(u16),
    /// `max(latency.p95)`
    Fold {
        fold: Fold,
        cell: Cell,
    },
    /// `latency.p95[service = 'pay']`: of every row that the filter leaves.
    Cell(Cell),
    Completeness,
    /// What this had been in the run that wrote the baseline.
    Baseline(Box<ResultExpr>),
    Not(Box<ResultExpr>),
    And(Vec<ResultExpr>),
    Or(Vec<ResultExpr>),
    Compare {
        operator: Comparison,
        left: Box<ResultExpr>,
        right: Box<ResultExpr>,
    },
    Arithmetic {
        operator: Arithmetic,
        left: Box<ResultExpr>,
        right: Box<ResultExpr>,
    },
    Negate(Box<ResultExpr>),
    IsNull(Box<ResultExpr>),
}

/// A column of an operator's rows, and which rows of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    pub operator: u16,
    pub column: String,
    /// Columns and the values they must have.
    pub filter: Vec<(String, OwnedValue)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fold {
    Max,
    Min,
    Sum,
    Avg,
    Count,
}

impl Fold {
    pub fn name(self) -> &'static str {
        match self {
            Fold::Max => "max",
            Fold::Min => "min",
            Fold::Sum => "sum",
            Fold::Avg => "avg",
            Fold::Count => "count",
        }
    }
}

impl ResultExpr {
    /// Calls `visit` with this expression and every one inside it, but for what a baseline is of.
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a ResultExpr)) {
        visit(self);
        match self {
            ResultExpr::Not(inner) | ResultExpr::Negate(inner) | ResultExpr::IsNull(inner) => {
                inner.walk(visit);
            }
            ResultExpr::And(list) | ResultExpr::Or(list) => {
                list.iter().for_each(|inner| inner.walk(visit));
            }
            ResultExpr::Compare { left, right, .. }
            | ResultExpr::Arithmetic { left, right, .. } => {
                left.walk(visit);
                right.walk(visit);
            }
            ResultExpr::Literal(_)
            | ResultExpr::Rows(_)
            | ResultExpr::Fold { .. }
            | ResultExpr::Cell(_)
            | ResultExpr::Completeness
            | ResultExpr::Baseline(_) => {}
        }
    }

    /// What the expression takes of the results, each once: `rows`, folds and cells.
    pub fn figures(&self) -> Vec<&ResultExpr> {
        let mut figures: Vec<&ResultExpr> = Vec::new();
        self.walk(&mut |expr| {
            let is_figure = matches!(
                expr,
                ResultExpr::Rows(_) | ResultExpr::Fold { .. } | ResultExpr::Cell(_)
            );
            if is_figure && !figures.contains(&expr) {
                figures.push(expr);
            }
        });
        figures
    }

    /// The expression as a job would write it; `operators` are the names of the plan's.
    pub fn show<'a>(&'a self, operators: &'a [String]) -> Shown<'a> {
        Shown {
            expr: self,
            operators,
        }
    }
}

/// A condition as text.
pub struct Shown<'a> {
    expr: &'a ResultExpr,
    operators: &'a [String],
}

impl Shown<'_> {
    fn inner<'b>(&'b self, expr: &'b ResultExpr) -> Shown<'b> {
        expr.show(self.operators)
    }

    fn name(&self, operator: u16) -> &str {
        self.operators
            .get(usize::from(operator))
            .map_or("?", String::as_str)
    }

    fn cell(&self, cell: &Cell, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.name(cell.operator), cell.column)?;
        for (index, (column, value)) in cell.filter.iter().enumerate() {
            formatter.write_str(if index == 0 { "[" } else { " AND " })?;
            write!(formatter, "{column} = {}", constant(value))?;
        }
        formatter.write_str(if cell.filter.is_empty() { "" } else { "]" })
    }

    fn list(
        &self,
        list: &[ResultExpr],
        word: &str,
        formatter: &mut fmt::Formatter<'_>,
    ) -> fmt::Result {
        formatter.write_str("(")?;
        for (index, expr) in list.iter().enumerate() {
            formatter.write_str(if index == 0 { "" } else { word })?;
            write!(formatter, "{}", self.inner(expr))?;
        }
        formatter.write_str(")")
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expr {
            ResultExpr::Literal(value) => formatter.write_str(&constant(value)),
            ResultExpr::Rows(operator) => write!(formatter, "rows({})", self.name(*operator)),
            ResultExpr::Fold { fold, cell } => {
                write!(formatter, "{}(", fold.name())?;
                self.cell(cell, formatter)?;
                formatter.write_str(")")
            }
            ResultExpr::Cell(cell) => self.cell(cell, formatter),
            ResultExpr::Completeness => formatter.write_str("completeness"),
            ResultExpr::Baseline(_) => formatter.write_str("baseline"),
            ResultExpr::Not(inner) => write!(formatter, "NOT {}", self.inner(inner)),
            ResultExpr::Negate(inner) => write!(formatter, "-{}", self.inner(inner)),
            ResultExpr::IsNull(inner) => write!(formatter, "{} IS NULL", self.inner(inner)),
            ResultExpr::And(list) => self.list(list, " AND ", formatter),
            ResultExpr::Or(list) => self.list(list, " OR ", formatter),
            ResultExpr::Compare {
                operator,
                left,
                right,
            } => write!(
                formatter,
                "{} {} {}",
                self.inner(left),
                operator.symbol(),
                self.inner(right)
            ),
            ResultExpr::Arithmetic {
                operator,
                left,
                right,
            } => write!(
                formatter,
                "({} {} {})",
                self.inner(left),
                operator.symbol(),
                self.inner(right)
            ),
        }
    }
}

fn constant(value: &OwnedValue) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Text(text) => format!("'{}'", text.to_string().replace('\'', "''")),
        value => String::from_utf8_lossy(&value.to_text()).into_owned(),
    }
}

/// The columns that name a row of an operator, so that the same one is found among those of an earlier run; None where
/// two rows may have the same.
pub fn row_key(operator: &OperatorPlan) -> Option<Vec<&str>> {
    match &operator.kind {
        OperatorKind::Aggregate(plan) => {
            let groups = 0..plan.group.len() as u16;
            let column_of = |group: u16| {
                let is_group = |column: &&Named| column.expr == Expr::Output(group);
                let column = plan.columns.iter().find(is_group);
                column.map(|column| column.name.as_str())
            };
            groups.map(column_of).collect()
        }
        OperatorKind::Patterns(plan) => {
            let group = plan.group.iter().map(|named| named.name.as_str());
            Some(group.chain(["template"]).collect())
        }
        OperatorKind::Context(_)
        | OperatorKind::Sequence(_)
        | OperatorKind::Session(_)
        | OperatorKind::Select(_)
        | OperatorKind::Anomaly(_) => None,
    }
}
