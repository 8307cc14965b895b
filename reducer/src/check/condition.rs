//! A condition taken apart: what is asked of every row, and what is known when all rows have gone by.
//!
//! Negations are pushed down to the comparisons. A comparison of one operator's columns, under one filter and beside
//! nothing that only the last row settles, is asked row by row; comparisons of the same rows that are joined are asked
//! together, so that `a.x < 5 OR a.y < 5` is of one row. In any other comparison a column is that of a single row.

use jobspec::expr::Comparison;
use jobspec::job::{Cell, ResultExpr};
use jobspec::value::OwnedValue;

/// A condition in parts.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Known(ResultExpr),
    /// Of the rows that the filter leaves.
    Rows {
        rows: RowSet,
        predicate: ResultExpr,
    },
    And(Vec<Part>),
    Or(Vec<Part>),
}

/// Rows of one operator.
#[derive(Clone, Debug, PartialEq)]
pub struct RowSet {
    pub operator: u16,
    pub filter: Vec<(String, OwnedValue)>,
}

impl RowSet {
    fn of(cell: &Cell) -> RowSet {
        RowSet {
            operator: cell.operator,
            filter: cell.filter.clone(),
        }
    }

    /// Any of its cells, to ask whether a row is one of these.
    pub fn cell(&self) -> Cell {
        Cell {
            operator: self.operator,
            column: String::new(),
            filter: self.filter.clone(),
        }
    }
}

impl Part {
    pub fn of(condition: &ResultExpr) -> Part {
        part(pushed_down(condition, false))
    }
}

fn part(expr: ResultExpr) -> Part {
    let (list, is_and) = match expr {
        ResultExpr::And(list) => (list, true),
        ResultExpr::Or(list) => (list, false),
        expr => {
            return match row_set(&expr) {
                Some(rows) => Part::Rows {
                    rows,
                    predicate: expr,
                },
                None => Part::Known(expr),
            };
        }
    };
    let mut parts: Vec<Part> = Vec::new();
    for inner in list.into_iter().map(part) {
        let together = match &inner {
            Part::Rows { rows, .. } => parts
                .iter_mut()
                .find(|part| matches!(part, Part::Rows { rows: other, .. } if other == rows)),
            _ => None,
        };
        match (together, inner) {
            (
                Some(Part::Rows { predicate, .. }),
                Part::Rows {
                    predicate: more, ..
                },
            ) => join(predicate, more, is_and),
            (_, inner) => parts.push(inner),
        }
    }
    match parts.len() {
        1 => parts.remove(0),
        _ if is_and => Part::And(parts),
        _ => Part::Or(parts),
    }
}

fn join(predicate: &mut ResultExpr, more: ResultExpr, is_and: bool) {
    match (&mut *predicate, is_and) {
        (ResultExpr::And(list), true) | (ResultExpr::Or(list), false) => list.push(more),
        _ => {
            let first = std::mem::replace(predicate, ResultExpr::Completeness);
            let list = vec![first, more];
            *predicate = match is_and {
                true => ResultExpr::And(list),
                false => ResultExpr::Or(list),
            };
        }
    }
}

/// The rows that a comparison can be asked of one by one.
fn row_set(atom: &ResultExpr) -> Option<RowSet> {
    let mut rows = None;
    for figure in atom.figures() {
        let ResultExpr::Cell(cell) = figure else {
            return None;
        };
        let set = RowSet::of(cell);
        if *rows.get_or_insert_with(|| set.clone()) != set {
            return None;
        }
    }
    rows
}

/// The condition, or what denies it, with NOT before nothing but values.
fn pushed_down(expr: &ResultExpr, is_denied: bool) -> ResultExpr {
    let each = |list: &[ResultExpr]| {
        let list = list.iter();
        list.map(|expr| pushed_down(expr, is_denied)).collect()
    };
    match (expr, is_denied) {
        (ResultExpr::Not(inner), _) => pushed_down(inner, !is_denied),
        (ResultExpr::And(list), false) | (ResultExpr::Or(list), true) => {
            ResultExpr::And(each(list))
        }
        (ResultExpr::Or(list), false) | (ResultExpr::And(list), true) => ResultExpr::Or(each(list)),
        (
            ResultExpr::Compare {
                operator,
                left,
                right,
            },
            true,
        ) => ResultExpr::Compare {
            operator: opposite(*operator),
            left: left.clone(),
            right: right.clone(),
        },
        (expr, false) => expr.clone(),
        (expr, true) => ResultExpr::Not(Box::new(expr.clone())),
    }
}

pub fn opposite(operator: Comparison) -> Comparison {
    match operator {
        Comparison::Equal => Comparison::NotEqual,
        Comparison::NotEqual => Comparison::Equal,
        Comparison::Less => Comparison::GreaterOrEqual,
        Comparison::LessOrEqual => Comparison::Greater,
        Comparison::Greater => Comparison::LessOrEqual,
        Comparison::GreaterOrEqual => Comparison::Less,
    }
}
