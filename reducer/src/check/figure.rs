//! What conditions take of an operator's rows, gathered while they go by: a count, an extreme, a sum, the one row that a
//! filter leaves. Nothing holds a row.

use std::cmp::Ordering;

use jobspec::job::{Cell, Fold, ResultExpr};
use jobspec::value::{OwnedValue, Value};
use mapper::measure::sum::Sum;

use super::reach::{Change, Reach};
use super::row::RowView;
use super::truth::{Could, Ranged};

/// One figure in the making.
#[derive(Clone, Debug)]
pub struct Figure {
    pub of: ResultExpr,
    pub operator: u16,
    /// Over all rows, and over those that a loss leaves as they are.
    all: Gathered,
    staying: Gathered,
}

#[derive(Clone, Debug, Default)]
struct Gathered {
    rows: u64,
    least: Option<OwnedValue>,
    most: Option<OwnedValue>,
    sum: Sum,
    values: u64,
    first: Option<OwnedValue>,
}

impl Gathered {
    fn add(&mut self, value: Value<'_>) {
        if self.rows == 0 {
            self.first = Some(value.clone().into_owned());
        }
        self.rows += 1;
        if value.is_null() {
            return;
        }
        self.values += 1;
        let is_new = |held: &Option<OwnedValue>, wanted: Ordering| {
            held.as_ref()
                .is_none_or(|held| value.total_cmp(held) == wanted)
        };
        if is_new(&self.least, Ordering::Less) {
            self.least = Some(value.clone().into_owned());
        }
        if is_new(&self.most, Ordering::Greater) {
            self.most = Some(value.clone().into_owned());
        }
        if let Some(number) = value.number() {
            self.sum.add(number);
        }
    }
}

impl Figure {
    /// None of what is no figure.
    pub fn new(of: &ResultExpr) -> Option<Figure> {
        let operator = match of {
            ResultExpr::Rows(operator) => *operator,
            ResultExpr::Fold { cell, .. } | ResultExpr::Cell(cell) => cell.operator,
            _ => return None,
        };
        Some(Figure {
            of: of.clone(),
            operator,
            all: Gathered::default(),
            staying: Gathered::default(),
        })
    }

    fn cell(&self) -> Option<&Cell> {
        match &self.of {
            ResultExpr::Fold { cell, .. } | ResultExpr::Cell(cell) => Some(cell),
            _ => None,
        }
    }

    pub fn row(&mut self, row: &RowView<'_>) {
        let Some(cell) = self.cell() else {
            let own = u64::from(!row.is_rest());
            self.all.rows += own;
            self.staying.rows += own * u64::from(row.stays());
            return;
        };
        if row.matches(cell) != Some(true) {
            return;
        }
        let value = row.cell(&cell.column);
        let stays = row.stays() && row.surely_matches(cell);
        self.all.add(value.clone());
        if stays {
            self.staying.add(value);
        }
    }

    /// The figure, now that all rows have gone by.
    pub fn value(&self, reach: &Reach) -> Ranged {
        match &self.of {
            ResultExpr::Rows(_) => self.rows(reach),
            ResultExpr::Fold { fold, cell } => self.folded(*fold, cell, reach),
            ResultExpr::Cell(cell) => self.one(cell, reach),
            _ => Ranged::sure(Value::Null),
        }
    }

    /// Why a figure of a single row has no value.
    pub fn why_null(&self, name: &str) -> Option<String> {
        match (&self.of, self.all.rows) {
            (ResultExpr::Cell(_), rows) if rows > 1 => Some(format!(
                "{name} is of {rows} rows, and one is wanted; take max(…), min(…), or a filter that leaves one"
            )),
            (ResultExpr::Rows(_), _) => None,
            (_, 0) => Some(format!("no row has {name}")),
            (_, _) if self.all.values == 0 => Some(format!("{name} is NULL")),
            _ => None,
        }
    }

    fn rows(&self, reach: &Reach) -> Ranged {
        let observed = count(self.all.rows);
        if reach.is_whole || (!reach.rows_can_come && reach.count_stays) {
            return Ranged::sure(observed);
        }
        let least = match reach.count_stays {
            true => self.all.rows,
            false => self.staying.rows,
        };
        Ranged {
            observed,
            could: Could::Between(Some(count(least)), reach.most_rows.map(count)),
        }
    }

    fn folded(&self, fold: Fold, cell: &Cell, reach: &Reach) -> Ranged {
        let observed = of(fold, &self.all);
        if reach.is_whole {
            return Ranged::sure(observed);
        }
        if fold == Fold::Count {
            return Ranged::at_least(observed, of(fold, &self.staying));
        }
        let staying = of(fold, &self.staying);
        let change = reach.change(&cell.column);
        let is_bound = !staying.is_null()
            && match fold {
                Fold::Max => matches!(change, Change::Never | Change::Counts | Change::Grows),
                Fold::Min => matches!(change, Change::Never | Change::Shrinks),
                // Further entries of a count are none below 0.
                Fold::Sum => change == Change::Counts,
                Fold::Avg | Fold::Count => false,
            };
        match fold {
            _ if !is_bound => Ranged::open(observed),
            Fold::Min => Ranged::at_most(observed, staying),
            _ => Ranged::at_least(observed, staying),
        }
    }

    fn one(&self, cell: &Cell, reach: &Reach) -> Ranged {
        let observed = match (self.all.rows, &self.all.first) {
            (1, Some(value)) => value.clone(),
            _ => Value::Null,
        };
        let is_the_one = self.staying.rows == 1
            && self.all.rows == 1
            && (!reach.rows_can_come || reach.is_one_row(cell));
        if reach.is_whole {
            return Ranged::sure(observed);
        }
        if !is_the_one || observed.is_null() {
            return Ranged::open(observed);
        }
        under(observed, reach.change(&cell.column))
    }
}

/// A cell of a row that stays.
pub fn under(value: OwnedValue, change: Change) -> Ranged {
    match change {
        Change::Never => Ranged::sure(value),
        _ if value.is_null() => Ranged::open(value),
        Change::Counts | Change::Grows => Ranged::at_least(value.clone(), value),
        Change::Shrinks => Ranged::at_most(value.clone(), value),
        Change::Any => Ranged::open(value),
    }
}

fn of(fold: Fold, gathered: &Gathered) -> OwnedValue {
    match fold {
        Fold::Max => gathered.most.clone().unwrap_or(Value::Null),
        Fold::Min => gathered.least.clone().unwrap_or(Value::Null),
        Fold::Sum => gathered.sum.sum(),
        Fold::Avg => gathered.sum.avg(),
        Fold::Count => count(gathered.values),
    }
}

fn count(number: u64) -> OwnedValue {
    Value::Int(number.into())
}
