//! What a loss can do to the rows of an operator: which rows stay, which cells only grow, whether rows can come.
//!
//! Rows that say themselves whether they are certain are believed. Of the others little is promised: only where the plan
//! makes plain that more entries mean more rows, or larger figures.

use jobspec::expr::{Expr, Measure};
use jobspec::job::Cell;
use jobspec::plan::{Named, OperatorKind, OperatorPlan, SessionKey};

use crate::completeness::{Completeness, Loss};

/// How a cell of a row that stays can change when what was lost comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Never,
    /// A number of entries: never below 0, and it only grows.
    Counts,
    Grows,
    Shrinks,
    Any,
}

/// The rows of one operator under what was lost of its logs.
#[derive(Clone, Debug)]
pub struct Reach {
    pub is_whole: bool,
    /// Rows stay rows; else those stay that say they are certain.
    pub rows_stay: bool,
    /// There are no fewer rows.
    pub count_stays: bool,
    pub rows_can_come: bool,
    pub most_rows: Option<u64>,
    /// Columns that together no two rows share.
    pub key: Vec<String>,
    columns: Vec<(String, Change)>,
}

impl Reach {
    pub fn new(operator: &OperatorPlan, completeness: &Completeness) -> Reach {
        let losses = operator.logs.iter().map(|log| completeness.loss(*log));
        Reach::under(operator, losses.max().unwrap_or(Loss::None))
    }

    fn under(operator: &OperatorPlan, loss: Loss) -> Reach {
        let whole_entries = loss <= Loss::Segments;
        let key = jobspec::job::row_key(operator).unwrap_or_default();
        let mut reach = Reach {
            is_whole: loss == Loss::None,
            rows_stay: false,
            count_stays: false,
            rows_can_come: true,
            most_rows: None,
            key: key.into_iter().map(str::to_owned).collect(),
            columns: Vec::new(),
        };
        match &operator.kind {
            OperatorKind::Aggregate(plan) => {
                let is_one_row = plan.group.is_empty() && plan.having.is_none();
                let no_having = whole_entries && plan.having.is_none();
                reach.rows_can_come = !is_one_row;
                reach.most_rows = plan.limit.or(is_one_row.then_some(1));
                reach.count_stays = no_having;
                reach.rows_stay = is_one_row || (no_having && plan.limit.is_none());
                let groups = plan.group.len();
                let change = |named: &Named| match named.expr {
                    _ if !whole_entries => Change::Any,
                    Expr::Output(index) if usize::from(index) < groups => Change::Never,
                    Expr::Output(index) => of_measure(&plan.measures, usize::from(index) - groups),
                    _ => Change::Any,
                };
                reach.columns = columns(&plan.columns, change);
            }
            OperatorKind::Select(plan) => {
                reach.most_rows = plan.limit;
                reach.count_stays = whole_entries;
                reach.rows_stay = whole_entries && plan.limit.is_none();
            }
            OperatorKind::Context(_) => {
                // What is missing inside a stream may join two windows; a stream that is missing whole has its own.
                reach.rows_stay = loss <= Loss::Streams;
                reach.count_stays = reach.rows_stay;
            }
            OperatorKind::Session(plan) => {
                let by_key = matches!(plan.key, SessionKey::By(_));
                let one_a_key =
                    plan.gap_ns.is_none() && plan.starts.is_none() && plan.ends.is_none();
                reach.rows_stay = whole_entries && by_key && one_a_key && plan.having.is_none();
                reach.count_stays = reach.rows_stay;
                reach.columns = columns(&plan.select, |named| match named.expr {
                    Expr::Output(index) => of_measure(&plan.measures, usize::from(index)),
                    _ => Change::Any,
                });
                let own = [
                    ("entries", Change::Counts),
                    ("duration_ms", Change::Grows),
                    ("start", Change::Shrinks),
                    ("end", Change::Grows),
                    ("certain", Change::Any),
                ];
                let own = own.map(|(name, change)| (name.to_owned(), change));
                reach.columns.splice(0..0, own);
            }
            OperatorKind::Sequence(_) | OperatorKind::Patterns(_) | OperatorKind::Anomaly(_) => {}
        }
        if loss == Loss::None {
            reach.rows_stay = true;
            reach.count_stays = true;
            reach.rows_can_come = false;
        }
        reach
    }

    /// Whether no two rows can satisfy the filter.
    pub fn is_one_row(&self, cell: &Cell) -> bool {
        let named = |column: &String| cell.filter.iter().any(|(name, _)| name == column);
        !self.key.is_empty() && self.key.iter().all(named)
    }

    /// How a column of a row that stays can change.
    pub fn change(&self, column: &str) -> Change {
        if self.is_whole {
            return Change::Never;
        }
        let found = self.columns.iter().find(|(name, _)| name == column);
        found.map_or(Change::Never, |(_, change)| *change)
    }
}

fn columns(named: &[Named], change: impl Fn(&Named) -> Change) -> Vec<(String, Change)> {
    let columns = named.iter();
    columns
        .map(|named| (named.name.clone(), change(named)))
        .collect()
}

fn of_measure(measures: &[Measure], index: usize) -> Change {
    match measures.get(index) {
        Some(Measure::Count | Measure::CountOf(_) | Measure::CountIf(_)) => Change::Counts,
        Some(Measure::Max(_)) => Change::Grows,
        Some(Measure::Min(_)) => Change::Shrinks,
        _ => Change::Any,
    }
}
