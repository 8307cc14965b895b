//! Select: the entries that satisfy a predicate, whole or as some columns, in the total order or in one of their own.
//!
//! With a limit no more rows than that leave a segment: a row beyond the limit of a part is beyond that of the whole.

use std::cmp::Ordering;

use jobspec::expr::Misfits;
use jobspec::plan::{Named, Order, SelectPlan, TimeRange};
use jobspec::value::OwnedValue;
use serde::{Deserialize, Serialize};

use super::gate::Gate;
use super::row::{compare, order_value};
use super::{Operator, OutputColumn, Rows, Sources, grouped};
use crate::entry::{Entry, Place};
use crate::measure::{is_sound, value_bytes};
use crate::record::{EntryRecord, shown};

pub struct Select {
    gate: Gate,
    /// None: whole entries.
    columns: Option<Vec<Named>>,
    order: Vec<Order>,
    limit: Option<usize>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SelectPartial {
    /// Sorted up to `sorted`; with a limit, what the sorted part has in full shuts out what comes after its last.
    rows: Vec<SelectRow>,
    sorted: usize,
    misfits: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SelectRow {
    place: Place,
    order: Vec<OwnedValue>,
    body: Body,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Body {
    Columns(Vec<OwnedValue>),
    Entry(Box<EntryRecord>),
}

impl SelectRow {
    fn bytes(&self) -> usize {
        let order: usize = self.order.iter().map(value_bytes).sum();
        let body = match &self.body {
            Body::Columns(values) => values.iter().map(value_bytes).sum(),
            Body::Entry(record) => record.bytes(),
        };
        size_of::<SelectRow>() + order + body
    }
}

impl Select {
    pub fn new(plan: &SelectPlan, range: TimeRange) -> Select {
        Select {
            gate: Gate::new(range, plan.predicate.as_ref()),
            columns: plan.columns.clone(),
            order: plan.order.clone(),
            limit: plan
                .limit
                .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        }
    }

    fn compare(&self, left: (&[OwnedValue], &Place), right: (&[OwnedValue], &Place)) -> Ordering {
        compare(&self.order, left.0, right.0).then_with(|| left.1.cmp(right.1))
    }

    fn compare_rows(&self, left: &SelectRow, right: &SelectRow) -> Ordering {
        self.compare((&left.order, &left.place), (&right.order, &right.place))
    }

    /// Sorts, and forgets what is beyond the limit.
    fn settle(&self, partial: &mut SelectPartial) {
        if partial.sorted < partial.rows.len() {
            // Stable, as it is quick where the rows are runs already; no two of them are equal.
            partial
                .rows
                .sort_by(|left, right| self.compare_rows(left, right));
        }
        partial.rows.truncate(self.limit.unwrap_or(usize::MAX));
        partial.sorted = partial.rows.len();
    }

    /// The row that a new one must come before, once there are as many as the limit.
    fn bound<'a>(&self, partial: &'a SelectPartial) -> Option<&'a SelectRow> {
        let limit = self.limit.filter(|limit| *limit <= partial.sorted)?;
        partial.rows.get(limit.checked_sub(1)?)
    }
}

impl Operator for Select {
    type Partial = SelectPartial;

    fn empty(&self) -> SelectPartial {
        SelectPartial::default()
    }

    fn absorb(&self, partial: &mut SelectPartial, entry: &Entry<'_>) {
        let misfits = Misfits::default();
        if self.limit != Some(0) && self.gate.admits(entry, &misfits) {
            let order: Vec<OwnedValue> = self
                .order
                .iter()
                .map(|term| order_value(term.expr.eval(entry, &misfits)))
                .collect();
            let is_beyond = self.bound(partial).is_some_and(|bound| {
                self.compare((&order, &entry.place), (&bound.order, &bound.place))
                    .is_gt()
            });
            let body = match &self.columns {
                Some(columns) => Body::Columns(
                    columns
                        .iter()
                        .map(|column| column.expr.eval(entry, &misfits).into_owned())
                        .collect(),
                ),
                None if is_beyond => Body::Columns(Vec::new()),
                None => Body::Entry(Box::new(EntryRecord::new(entry))),
            };
            if !is_beyond {
                partial.rows.push(SelectRow {
                    place: entry.place,
                    order,
                    body,
                });
                // Twice the limit, so that sorting is a small share of the work.
                if self
                    .limit
                    .is_some_and(|limit| partial.rows.len() >= limit.saturating_mul(2).max(64))
                {
                    self.settle(partial);
                }
            }
        }
        partial.misfits += misfits.0.get();
    }

    /// Commutative.
    fn merge(&self, mut left: SelectPartial, right: SelectPartial) -> SelectPartial {
        left.rows.extend(right.rows);
        left.misfits = left.misfits.saturating_add(right.misfits);
        // Without a limit there is nothing to forget, and sorting once is enough.
        if self.limit.is_some() {
            self.settle(&mut left);
        }
        left
    }

    fn accepts(&self, partial: &SelectPartial) -> bool {
        let sorted = partial.rows.get(..partial.sorted);
        sorted.is_some_and(|rows| {
            rows.is_sorted_by(|left, right| self.compare_rows(left, right).is_le())
        }) && partial.rows.iter().all(|row| {
            row.order.len() == self.order.len()
                && row.order.iter().all(is_sound)
                && match (&row.body, &self.columns) {
                    (Body::Columns(values), Some(columns)) => {
                        values.len() == columns.len() && values.iter().all(is_sound)
                    }
                    (Body::Entry(record), None) => record.place == row.place && record.is_sound(),
                    (Body::Columns(_), None) | (Body::Entry(_), Some(_)) => false,
                }
        })
    }

    fn places(&self, partial: &SelectPartial, visit: &mut dyn FnMut(&Place)) {
        partial.rows.iter().for_each(|row| visit(&row.place));
    }

    fn bytes(&self, partial: &SelectPartial) -> usize {
        partial.rows.iter().map(SelectRow::bytes).sum()
    }

    fn split(&self, mut partial: SelectPartial, most_bytes: usize) -> Vec<SelectPartial> {
        self.settle(&mut partial);
        let sized = partial.rows.into_iter().map(|row| (row.bytes(), row));
        let parts = grouped(sized, most_bytes)
            .into_iter()
            .map(|rows| SelectPartial {
                sorted: rows.len(),
                rows,
                misfits: 0,
            });
        let mut parts: Vec<SelectPartial> = parts.collect();
        match parts.first_mut() {
            Some(first) => first.misfits = partial.misfits,
            None => parts.push(SelectPartial {
                misfits: partial.misfits,
                ..self.empty()
            }),
        }
        parts
    }

    fn finish(&self, mut partial: SelectPartial, sources: &dyn Sources, rows: &mut dyn Rows) {
        self.settle(&mut partial);
        for row in partial.rows {
            rows.push(match row.body {
                Body::Columns(values) => values.into_iter().map(shown).collect(),
                Body::Entry(record) => record.to_values(sources),
            });
        }
    }

    fn columns(&self) -> Vec<OutputColumn> {
        match &self.columns {
            Some(columns) => columns
                .iter()
                .map(|column| OutputColumn::new(&column.name))
                .collect(),
            None => EntryRecord::columns(),
        }
    }

    fn misfits(&self, partial: &SelectPartial) -> u64 {
        partial.misfits
    }
}
