//! What a condition asks of rows one by one: whether every row satisfies it, or some row does, and which was the first
//! that tells.

use jobspec::diagnostic::shown;
use jobspec::job::{Cell, ResultExpr};
use jobspec::value::{OwnedValue, Value};

use super::baseline::Baseline;
use super::condition::RowSet;
use super::figure::under;
use super::reach::Reach;
use super::row::RowView;
use super::truth::{Ranged, Truth};
use super::{Quantifier, SHOWN_VALUE, Values, truth_of, value_of, value_text};

/// Columns that tell a reader which row it is, where no key does.
const TELLING: [&str; 4] = ["time", "start", "host", "key"];

/// One question to the rows of an operator.
#[derive(Debug)]
pub struct RowQuestion {
    pub rows: RowSet,
    cell: Cell,
    predicate: ResultExpr,
    quantifier: Quantifier,
    truth: Truth,
    asked: u64,
    /// Rows that decide: those that do not satisfy it, or do.
    deciding: u64,
    nulls: u64,
    first: Option<String>,
    first_null: Option<String>,
    /// What the baseline does not have of some row.
    missing: Option<ResultExpr>,
}

impl RowQuestion {
    pub fn new(rows: &RowSet, predicate: &ResultExpr, quantifier: Quantifier) -> RowQuestion {
        RowQuestion {
            rows: rows.clone(),
            cell: rows.cell(),
            predicate: predicate.clone(),
            quantifier,
            truth: Truth::sure(Some(quantifier == Quantifier::Every)),
            asked: 0,
            deciding: 0,
            nulls: 0,
            first: None,
            first_null: None,
            missing: None,
        }
    }

    pub fn row(
        &mut self,
        row: &RowView<'_>,
        names: &[String],
        completeness: &Ranged,
        baseline: Option<&mut Baseline>,
    ) {
        if row.matches(&self.cell) != Some(true) {
            return;
        }
        self.asked += 1;
        let stays = row.stays() && row.surely_matches(&self.cell);
        let mut values = OfRow {
            row,
            stays,
            names,
            completeness,
            baseline,
            missing: &mut self.missing,
        };
        let truth = truth_of(&self.predicate, &mut values);
        let truth = match stays {
            true => truth,
            false => Truth::open(truth.observed),
        };
        let decides = self.quantifier == Quantifier::Some;
        match truth.observed {
            None => {
                self.nulls += 1;
                if self.first_null.is_none() {
                    self.first_null = Some(self.told(row));
                }
            }
            Some(observed) if observed == decides => {
                self.deciding += 1;
                if self.first.is_none() {
                    self.first = Some(self.told(row));
                }
            }
            Some(_) => {}
        }
        self.add(truth);
    }

    fn add(&mut self, truth: Truth) {
        self.truth = match self.quantifier {
            Quantifier::Every => self.truth.and(truth),
            Quantifier::Some => self.truth.or(truth),
        };
    }

    /// All rows have gone by.
    pub fn end(&mut self, reach: &Reach) {
        if self.asked == 0 && !self.rows.filter.is_empty() {
            self.truth = Truth::sure(None);
        }
        let is_the_one = self.asked > 0 && reach.is_one_row(&self.cell);
        if reach.rows_can_come && !is_the_one {
            // A row more, of which nothing is known, and which may as well not be there.
            let observed = self.truth.observed;
            self.add(Truth::open(None));
            self.truth.observed = observed;
        }
    }

    pub fn truth(&self) -> Truth {
        self.truth
    }

    pub fn missing_baseline(&self) -> Option<&ResultExpr> {
        self.missing.as_ref()
    }

    /// What a reader wants to know of the rows.
    pub fn why(&self, names: &[String]) -> Option<String> {
        let name = names.get(usize::from(self.rows.operator));
        let name = name.map_or("?", String::as_str);
        let asked = self.asked;
        if asked == 0 {
            let filtered = if self.rows.filter.is_empty() {
                "no row"
            } else {
                "no row that the filter leaves"
            };
            return Some(format!("{name} has {filtered}"));
        }
        let part = |count: u64, what: &str, first: &Option<String>| {
            let first = first.as_deref().unwrap_or_default();
            let one = if count == 1 { "it is" } else { "the first is" };
            format!("{count} of {asked} rows of {name} {what}; {one} {first}")
        };
        match (self.deciding, self.quantifier) {
            (0, _) if self.nulls > 0 => Some(part(self.nulls, "have no answer", &self.first_null)),
            (0, Quantifier::Every) if asked == 1 => Some(format!("the row of {name} satisfies it")),
            (0, Quantifier::Every) => Some(format!("{asked} rows of {name} satisfy it")),
            (0, Quantifier::Some) => Some(format!("none of {asked} rows of {name} satisfies it")),
            (count, Quantifier::Every) => Some(part(count, "do not satisfy it", &self.first)),
            (count, Quantifier::Some) => Some(part(count, "satisfy it", &self.first)),
        }
    }

    /// The row by what names it, and its cells that were asked for.
    fn told(&self, row: &RowView<'_>) -> String {
        let mut columns: Vec<&str> = row.reach.key.iter().map(String::as_str).collect();
        if columns.is_empty() {
            columns.extend(TELLING);
        }
        for figure in self.predicate.figures() {
            if let ResultExpr::Cell(cell) = figure
                && !columns.contains(&cell.column.as_str())
            {
                columns.push(&cell.column);
            }
        }
        let cells = columns.into_iter().filter_map(|column| {
            let value = row.cell(column).into_owned();
            let is_wanted = !TELLING.contains(&column) || !value.is_null();
            is_wanted.then(|| format!("{column} {}", shown(&value_text(&value), SHOWN_VALUE)))
        });
        cells.collect::<Vec<_>>().join(", ")
    }
}

/// The values of one row.
struct OfRow<'a, 'b> {
    row: &'a RowView<'b>,
    stays: bool,
    names: &'a [String],
    completeness: &'a Ranged,
    baseline: Option<&'a mut Baseline>,
    missing: &'a mut Option<ResultExpr>,
}

impl OfRow<'_, '_> {
    fn key(&self) -> String {
        let parts = self.row.reach.key.iter();
        let parts = parts.map(|column| (column.as_str().into(), self.row.cell(column)));
        let mut text = Vec::new();
        Value::Object(parts.collect()).write_json(&mut text);
        // As serde_json writes what it has read: keys in order, nothing between them.
        serde_json::from_slice::<serde_json::Value>(&text)
            .map_or(String::new(), |key| key.to_string())
    }
}

impl Values for OfRow<'_, '_> {
    fn figure(&mut self, figure: &ResultExpr) -> Ranged {
        let ResultExpr::Cell(cell) = figure else {
            return Ranged::open(Value::Null);
        };
        let value = self.row.cell(&cell.column).into_owned();
        match self.stays {
            true => under(value, self.row.reach.change(&cell.column)),
            false => Ranged::open(value),
        }
    }

    fn baseline(&mut self, of: &ResultExpr) -> Ranged {
        let measured = value_of(of, self);
        let key = self.key();
        let name = of.show(self.names).to_string();
        let Some(baseline) = &mut self.baseline else {
            return Ranged::sure(OwnedValue::Null);
        };
        if baseline.is_written() {
            if !self.row.reach.is_whole {
                baseline.refuse(format!("{name} rests on less than all"));
            }
            baseline.measure_row(&name, &key, &measured.observed);
            return Ranged::sure(measured.observed);
        }
        let held = baseline.row(&name, &key);
        if held.is_null() {
            self.missing.get_or_insert_with(|| of.clone());
        }
        Ranged::sure(held)
    }

    fn completeness(&mut self) -> Ranged {
        self.completeness.clone()
    }
}
