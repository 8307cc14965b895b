//! Select: the entries that satisfy a predicate, whole or as some columns, in the total order or in one of their own.
//!
//! With a limit no more rows than that leave a segment: a row beyond the limit of a part is beyond that of the whole.

use jobspec::expr::Misfits;
use jobspec::plan::{Named, Order, SelectPlan, TimeRange};
use jobspec::value::OwnedValue;
use serde::{Deserialize, Serialize};

use super::gate::Gate;
use super::placed::{least, place_of};
use super::{Mismatch, Operator, OutputColumn, Rows, Run, SortKey, Sources, last_place};
use crate::entry::{Entry, Place};
use crate::frame::{self, Blob};
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
    /// The key of a row that was not taken: room that is used again.
    #[serde(skip)]
    key: Vec<u8>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct SelectRow {
    /// A `SortKey`: the terms of `order`, then the place. No two rows have the same.
    key: Blob,
    body: Body,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Body {
    Columns(Vec<OwnedValue>),
    Entry(Box<EntryRecord>),
}

impl SelectRow {
    fn bytes(&self) -> usize {
        let body = match &self.body {
            Body::Columns(values) => values.iter().map(value_bytes).sum(),
            Body::Entry(record) => record.bytes(),
        };
        size_of::<SelectRow>() + self.key.0.len() + body
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

    /// Sorts, and forgets what is beyond the limit.
    fn settle(&self, partial: &mut SelectPartial) {
        if partial.sorted < partial.rows.len() {
            // Stable, as it is quick where the rows are runs already; no two of them are equal.
            partial
                .rows
                .sort_by(|left, right| left.key.0.cmp(&right.key.0));
        }
        partial.rows.truncate(self.limit.unwrap_or(usize::MAX));
        partial.sorted = partial.rows.len();
    }

    /// The row that a new one must come before, once there are as many as the limit.
    fn bound<'a>(&self, partial: &'a SelectPartial) -> Option<&'a SelectRow> {
        let limit = self.limit.filter(|limit| *limit <= partial.sorted)?;
        partial.rows.get(limit.checked_sub(1)?)
    }

    /// What is decoded is of this operator, and of this key.
    fn body(&self, key: &[u8], values: &[&[u8]]) -> Result<Body, Mismatch> {
        let body: Body = frame::from_bytes(least(values)?).map_err(|_| Mismatch)?;
        match self.accepts_row(key, &body) {
            true => Ok(body),
            false => Err(Mismatch),
        }
    }

    fn accepts_row(&self, key: &[u8], body: &Body) -> bool {
        let place = last_place(key);
        match (body, &self.columns) {
            (Body::Columns(values), Some(columns)) => {
                place.is_some() && values.len() == columns.len() && values.iter().all(is_sound)
            }
            (Body::Entry(record), None) => place == Some(record.place) && record.is_sound(),
            (Body::Columns(_), None) | (Body::Entry(_), Some(_)) => false,
        }
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
            let mut key = SortKey::reuse(std::mem::take(&mut partial.key));
            for term in &self.order {
                key.order(&term.expr.eval(entry, &misfits), term.descending);
            }
            key.place(&entry.place);
            let key = key.into_bytes();
            let is_beyond = self.bound(partial).is_some_and(|bound| key > bound.key.0);
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
            if is_beyond {
                partial.key = key;
            } else {
                partial.rows.push(SelectRow {
                    key: Blob(key),
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
        sorted.is_some_and(|rows| rows.is_sorted_by(|left, right| left.key.0 <= right.key.0))
            && partial
                .rows
                .iter()
                .all(|row| self.accepts_row(&row.key.0, &row.body))
    }

    fn places(&self, partial: &SelectPartial, visit: &mut dyn FnMut(&Place)) {
        let places = partial.rows.iter().filter_map(|row| last_place(&row.key.0));
        places.for_each(|place| visit(&place));
    }

    fn bytes(&self, partial: &SelectPartial) -> usize {
        partial.rows.iter().map(SelectRow::bytes).sum()
    }

    /// A record for each row.
    fn take_records(&self, partial: &mut SelectPartial, run: &mut Run) {
        self.settle(partial);
        // No two entries have one place, unless a host says so.
        partial.rows.dedup_by(|right, left| right.key == left.key);
        for row in std::mem::take(&mut partial.rows) {
            run.push(&row.key.0, &row.body);
        }
        partial.sorted = 0;
    }

    fn check_record(
        &self,
        key: &[u8],
        value: &[u8],
        visit: &mut dyn FnMut(&Place),
    ) -> Result<(), Mismatch> {
        self.body(key, &[value])?;
        visit(&place_of(key)?);
        Ok(())
    }

    fn join_values(&self, _key: &[u8], values: &[&[u8]]) -> Result<Vec<u8>, Mismatch> {
        least(values).map(<[u8]>::to_vec)
    }

    fn finish_record(
        &self,
        _core: &SelectPartial,
        key: &[u8],
        values: &[&[u8]],
        sources: &dyn Sources,
        rows: &mut dyn Rows,
    ) -> Result<(), Mismatch> {
        match self.body(key, values)? {
            Body::Columns(values) => {
                let values: Vec<_> = values.into_iter().map(shown).collect();
                rows.push(&values);
            }
            Body::Entry(record) => rows.push(&record.to_values(sources)),
        }
        Ok(())
    }

    /// Every row is one of a record.
    fn finish(&self, _core: SelectPartial, _sources: &dyn Sources, _rows: &mut dyn Rows) {}

    fn limit(&self) -> Option<usize> {
        self.limit
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
