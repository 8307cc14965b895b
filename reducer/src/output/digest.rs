//! What a report shows of every operator, in bounded memory whatever the number of its rows: the first rows of a table, the
//! failed and slowest sessions, and the points of a chart.

use std::cmp::Ordering;
use std::collections::HashMap;

use jobspec::plan::{OperatorKind, Plan};
use jobspec::value::{Level, OwnedValue, Value};
use mapper::operator::OutputColumn;

use super::columns::{ColumnPlan, Kind, columns};
use crate::Error;
use crate::reduce::RowSink;

/// Rows of a table, and of those that are told one by one.
const TABLE_ROWS: usize = 500;
const TOLD_ROWS: usize = 40;
/// Of a text so much is kept, of a list so many items, of an operator so many bytes.
pub const TEXT_BYTES: usize = 2_000;
const LIST_ITEMS: usize = 120;
const OPERATOR_BYTES: usize = 8 << 20;
/// Points and lines of an operator's charts, and figures of a point.
const POINTS: usize = 200_000;
const LINES: usize = 500;
pub const MEASURES: usize = 6;

/// Collects what a report shows.
pub struct Digest<'a> {
    plan: &'a Plan,
    operators: Vec<OperatorDigest<'a>>,
}

pub struct OperatorDigest<'a> {
    pub name: String,
    pub kind: &'a OperatorKind,
    pub columns: Vec<ColumnPlan>,
    pub rows: u64,
    /// The rows that a report may show, in the order in which it shows them.
    pub kept: Vec<KeptRow>,
    pub points: Option<Points>,
    /// By column: the least and the greatest of its numbers.
    pub extremes: Vec<Option<(f64, f64)>>,
    kept_bytes: usize,
    /// Told one by one, the worst first.
    is_told: bool,
    /// The least of the worst, once rows were left out.
    bound: Option<Rank>,
}

pub struct KeptRow {
    /// Its number among all rows, from 0.
    pub ordinal: u64,
    pub row: Vec<OwnedValue>,
    rank: Rank,
}

/// What failed comes first, then what took longest.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rank {
    failed: bool,
    duration_ms: f64,
}

/// The rows of an aggregate over time: of each combination of its other groups a line.
pub struct Points {
    /// The columns that are drawn.
    pub measures: Vec<usize>,
    pub lines: Vec<Line>,
    /// Rows that no line has any more.
    pub left_out: u64,
    time: usize,
    others: Vec<usize>,
    count: usize,
    index: HashMap<Vec<u8>, usize>,
}

pub struct Line {
    pub name: String,
    pub points: Vec<Point>,
}

pub struct Point {
    pub ns: i64,
    /// By measure; NULL is NaN.
    pub values: [f64; MEASURES],
}

impl<'a> Digest<'a> {
    pub fn new(plan: &'a Plan) -> Digest<'a> {
        Digest {
            plan,
            operators: Vec::new(),
        }
    }

    pub fn operators(&self) -> &[OperatorDigest<'a>] {
        &self.operators
    }
}

impl RowSink for Digest<'_> {
    fn begin(&mut self, operator: &str, output: &[OutputColumn]) -> Result<(), Error> {
        let mut operators = self.plan.operators.iter();
        let Some(planned) = operators.find(|planned| planned.name == operator) else {
            return Err(Error::Other(format!("{operator}: no operator of the plan")));
        };
        let columns = columns(self.plan, planned, output);
        let is_told = matches!(
            planned.kind,
            OperatorKind::Session(_) | OperatorKind::Sequence(_)
        );
        self.operators.push(OperatorDigest {
            name: operator.to_owned(),
            kind: &planned.kind,
            rows: 0,
            kept: Vec::new(),
            points: Points::of(&columns),
            extremes: vec![None; columns.len()],
            columns,
            kept_bytes: 0,
            is_told,
            bound: None,
        });
        Ok(())
    }

    fn row(&mut self, row: &[Value<'_>]) -> Result<(), Error> {
        let operator = self.operators.last_mut();
        operator
            .expect("a row comes between begin and end")
            .add(row);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        if let Some(operator) = self.operators.last_mut() {
            operator.settle();
        }
        Ok(())
    }
}

impl OperatorDigest<'_> {
    /// Where a column stands.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    pub fn value<'r>(&self, row: &'r KeptRow, name: &str) -> &'r OwnedValue {
        self.column(name)
            .and_then(|index| row.row.get(index))
            .unwrap_or(&Value::Null)
    }

    fn add(&mut self, row: &[Value<'_>]) {
        let ordinal = self.rows;
        self.rows += 1;
        for (extreme, value) in self.extremes.iter_mut().zip(row) {
            let number = match value {
                Value::Int(number) => *number as f64,
                Value::Float(number) => *number,
                _ => continue,
            };
            let (least, greatest) = extreme.unwrap_or((number, number));
            *extreme = Some((least.min(number), greatest.max(number)));
        }
        if let Some(points) = &mut self.points {
            points.add(row);
        }
        let rank = match self.is_told {
            true => self.rank(row),
            false => Rank {
                failed: false,
                duration_ms: 0.0,
            },
        };
        if self.is_told {
            if self
                .bound
                .is_some_and(|bound| rank.compare(&bound) != Ordering::Greater)
            {
                return;
            }
        } else {
            let most = match self.kind {
                OperatorKind::Context(_) => TOLD_ROWS,
                _ => TABLE_ROWS,
            };
            if self.kept.len() >= most || self.kept_bytes >= OPERATOR_BYTES {
                return;
            }
        }
        let row: Vec<OwnedValue> = row.iter().map(shortened).collect();
        self.kept_bytes += row.iter().map(weight).sum::<usize>();
        self.kept.push(KeptRow { ordinal, row, rank });
        let is_much = self.kept.len() >= 2 * TOLD_ROWS || self.kept_bytes >= 2 * OPERATOR_BYTES;
        if self.is_told && is_much {
            self.settle();
        }
    }

    /// Of rows that are told one by one the worst stay; from then on no row comes in that is no worse than they.
    fn settle(&mut self) {
        if !self.is_told {
            return;
        }
        self.kept.sort_by(|left, right| {
            let worse = right.rank.compare(&left.rank);
            worse.then(left.ordinal.cmp(&right.ordinal))
        });
        let before = self.kept.len();
        self.kept.truncate(TOLD_ROWS);
        let row_bytes = |row: &KeptRow| row.row.iter().map(weight).sum::<usize>();
        self.kept_bytes = self.kept.iter().map(row_bytes).sum();
        while self.kept_bytes > OPERATOR_BYTES && self.kept.len() > 1 {
            let last = self.kept.pop().expect("there is more than one");
            self.kept_bytes -= row_bytes(&last);
        }
        if self.kept.len() < before {
            self.bound = self.kept.last().map(|row| row.rank);
        }
    }

    fn rank(&self, row: &[Value<'_>]) -> Rank {
        let value = |name: &str| self.column(name).and_then(|index| row.get(index));
        let failed = match value("levels") {
            Some(Value::Object(levels)) => levels
                .iter()
                .any(|(name, _)| name == Level::Error.name() || name == Level::Fatal.name()),
            _ => value("steps").is_some_and(|steps| entries_of(steps).any(is_failure)),
        };
        Rank {
            failed,
            duration_ms: value("duration_ms").and_then(Value::as_f64).unwrap_or(0.0),
        }
    }
}

impl KeptRow {
    pub fn is_failed(&self) -> bool {
        self.rank.failed
    }
}

impl Rank {
    fn compare(&self, other: &Rank) -> Ordering {
        self.failed
            .cmp(&other.failed)
            .then(self.duration_ms.total_cmp(&other.duration_ms))
    }
}

impl Points {
    /// Where one of the groups is a time, and something can be drawn.
    fn of(columns: &[ColumnPlan]) -> Option<Points> {
        let groups = || {
            columns
                .iter()
                .enumerate()
                .filter(|(_, column)| column.is_group)
        };
        let (time, _) = groups().find(|(_, column)| column.kind == Some(Kind::Time))?;
        let is_number = |kind| matches!(kind, None | Some(Kind::Count | Kind::Number));
        let measures = columns.iter().enumerate();
        let measures = measures.filter(|(_, column)| !column.is_group && is_number(column.kind));
        Some(Points {
            measures: measures.map(|(index, _)| index).take(MEASURES).collect(),
            lines: Vec::new(),
            left_out: 0,
            time,
            others: groups()
                .map(|(index, _)| index)
                .filter(|index| *index != time)
                .collect(),
            count: 0,
            index: HashMap::new(),
        })
    }

    fn add(&mut self, row: &[Value<'_>]) {
        let Some(Value::Time(time)) = row.get(self.time) else {
            return;
        };
        let mut key = Vec::new();
        for other in &self.others {
            if !key.is_empty() {
                key.extend_from_slice(" · ".as_bytes());
            }
            match &row[*other] {
                Value::Null => key.extend_from_slice(b"NULL"),
                value => value.write_text(&mut key),
            }
        }
        key.truncate(TEXT_BYTES);
        let line = match self.index.get(&key) {
            Some(line) => *line,
            None if self.lines.len() < LINES => {
                self.lines.push(Line {
                    name: super::shown::shown_line(&key, 80),
                    points: Vec::new(),
                });
                self.index.insert(key, self.lines.len() - 1);
                self.lines.len() - 1
            }
            None => {
                self.left_out += 1;
                return;
            }
        };
        if self.count >= POINTS {
            self.left_out += 1;
            return;
        }
        self.count += 1;
        let mut values = [f64::NAN; MEASURES];
        for (value, column) in values.iter_mut().zip(&self.measures) {
            *value = match row[*column] {
                Value::Int(number) => number as f64,
                Value::Float(number) => number,
                _ => f64::NAN,
            };
        }
        self.lines[line].points.push(Point {
            ns: time.ns,
            values,
        });
    }
}

/// The entries of a sequence's steps.
fn entries_of<'v>(steps: &'v Value<'v>) -> impl Iterator<Item = &'v Value<'v>> {
    list(steps)
        .iter()
        .filter_map(|step| member(step, "entries"))
        .flat_map(|entries| list(entries))
}

fn is_failure(entry: &Value<'_>) -> bool {
    matches!(member(entry, "level"), Some(Value::Level(level)) if *level >= Level::Error)
}

/// The items of a list; none of anything else.
pub fn list<'v, 'a>(value: &'v Value<'a>) -> &'v [Value<'a>] {
    match value {
        Value::List(list) => list,
        _ => &[],
    }
}

/// The member of an object.
pub fn member<'v, 'a>(value: &'v Value<'a>, name: &str) -> Option<&'v Value<'a>> {
    match value {
        Value::Object(object) => object
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value),
        _ => None,
    }
}

/// The value with less of its texts and lists. In a list a number stands for so many items that are left out; of entries
/// those about a match stay, else the first and the last.
fn shortened(value: &Value<'_>) -> OwnedValue {
    match value {
        Value::Text(text) | Value::Json(text) if text.len() > TEXT_BYTES => {
            Value::owned_text(super::shown::shown(text, TEXT_BYTES))
        }
        Value::List(items) if items.len() > LIST_ITEMS => {
            let mut list = Vec::new();
            let mut left_out = 0;
            for (item, is_kept) in items.iter().zip(kept_items(items)) {
                if !is_kept {
                    left_out += 1;
                    continue;
                }
                if left_out > 0 {
                    list.push(Value::Int(std::mem::take(&mut left_out)));
                }
                list.push(shortened(item));
            }
            if left_out > 0 {
                list.push(Value::Int(left_out));
            }
            Value::List(list)
        }
        Value::List(items) => Value::List(items.iter().map(shortened).collect()),
        // What an entry's fields say stands in its text too.
        Value::Object(object) => Value::Object(
            object
                .iter()
                .filter(|(name, _)| name != "fields")
                .map(|(name, value)| (name.clone().into_owned().into(), shortened(value)))
                .collect(),
        ),
        value => value.clone().into_owned(),
    }
}

fn kept_items(items: &[Value<'_>]) -> Vec<bool> {
    const AROUND: usize = 4;
    let mut kept = vec![false; items.len()];
    let mut left = LIST_ITEMS;
    for (index, item) in items.iter().enumerate() {
        if left > 0 && member(item, "match") == Some(&Value::Bool(true)) {
            let end = (index + AROUND + 1).min(items.len());
            for kept in &mut kept[index.saturating_sub(AROUND)..end] {
                left = left.saturating_sub(usize::from(!*kept));
                *kept = true;
            }
        }
    }
    if left == LIST_ITEMS {
        let half = LIST_ITEMS / 2;
        kept[..half].fill(true);
        kept[items.len() - half..].fill(true);
    }
    kept
}

fn weight(value: &Value<'_>) -> usize {
    let beyond = match value {
        Value::Text(text) | Value::Json(text) => text.len(),
        Value::List(list) => list.iter().map(weight).sum(),
        Value::Object(object) => object
            .iter()
            .map(|(name, value)| name.len() + 24 + weight(value))
            .sum(),
        _ => 0,
    };
    size_of::<OwnedValue>() + beyond
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_about_a_match_stay() {
        let entry = |is_match| Value::Object(vec![("match".into(), Value::Bool(is_match))]);
        let items: Vec<_> = (0..1000).map(|index| entry(index == 500)).collect();
        let Value::List(kept) = shortened(&Value::List(items)) else {
            unreachable!("a list stays one");
        };
        assert_eq!(kept.len(), 11);
        assert_eq!((&kept[0], &kept[10]), (&Value::Int(496), &Value::Int(495)));
        assert_eq!(kept[5], entry(true));
        let Value::List(ends) = shortened(&Value::List(vec![Value::Null; 1000])) else {
            unreachable!("a list stays one");
        };
        assert_eq!(ends.len(), LIST_ITEMS + 1);
        assert_eq!(ends[LIST_ITEMS / 2], Value::Int(880));
    }
}
