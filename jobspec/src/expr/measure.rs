//! The aggregate functions, as they travel: what is measured over the entries of a group.

use serde::{Deserialize, Serialize};

use super::Expr;

/// One aggregate function and what it is taken of. `mapper::measure` has the partial of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Measure {
    /// `count(*)`
    Count,
    /// `count(x)`: the entries where x is not NULL.
    CountOf(Expr),
    CountIf(Expr),
    Sum(Expr),
    Avg(Expr),
    Min(Expr),
    Max(Expr),
    Stddev(Expr),
    /// `percentile(x, p)` with p from 0 to 100; `median(x)` is p = 50.
    Percentile(Expr, f64),
    Distinct(Expr),
    Top(Expr, u32),
    First(Expr),
    Last(Expr),
    /// `rate(p)`: the share of entries that satisfy p.
    Rate(Expr),
}

impl Measure {
    /// What it is taken of; None for `count(*)`.
    pub fn argument(&self) -> Option<&Expr> {
        match self {
            Measure::Count => None,
            Measure::CountOf(expr)
            | Measure::CountIf(expr)
            | Measure::Sum(expr)
            | Measure::Avg(expr)
            | Measure::Min(expr)
            | Measure::Max(expr)
            | Measure::Stddev(expr)
            | Measure::Percentile(expr, _)
            | Measure::Distinct(expr)
            | Measure::Top(expr, _)
            | Measure::First(expr)
            | Measure::Last(expr)
            | Measure::Rate(expr) => Some(expr),
        }
    }
}
