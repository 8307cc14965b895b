//! Aggregates: measures over groups of entries, as SQL's GROUP BY.
//!
//! In memory a group is found by the texts of its values in a hash table; on the wire the partial is a run sorted by
//! these texts, so that it is the same bytes however it came about, and runs can be merged key by key.

use std::collections::HashMap;
use std::collections::hash_map::Entry as Slot;

use bstr::{BStr, BString};
use jobspec::expr::{Expr, Function, Misfits};
use jobspec::plan::{AggregatePlan, Named, Order, TimeRange};
use jobspec::value::{OwnedValue, Time, Value};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::gate::Gate;
use super::row::{InnerRow, compare, compare_values, order_value};
use super::{Operator, OutputColumn, Rows, Sources, key};
use crate::entry::Entry;
use crate::measure::hash::Keyed;
use crate::measure::{MeasurePartial, Measures, plainer, to_owned};

pub struct Aggregate {
    gate: Gate,
    group: Vec<Group>,
    measures: Measures,
    columns: Vec<Named>,
    having: Option<Expr>,
    order: Vec<Order>,
    limit: Option<usize>,
}

/// One value of a group.
enum Group {
    One(Expr),
    /// Buckets that overlap: the entry is in each.
    Sliding {
        time: Expr,
        width_ns: i64,
        step_ns: i64,
    },
}

#[derive(Clone, Debug, Default)]
pub struct AggregatePartial {
    groups: HashMap<Box<[u8]>, GroupPartial, Keyed>,
    misfits: u64,
    /// The key of the entry at hand: room that is used again.
    key: Vec<u8>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct GroupPartial {
    values: Box<[OwnedValue]>,
    measures: Box<[MeasurePartial]>,
}

impl Serialize for AggregatePartial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut run: Vec<(&BStr, &GroupPartial)> = self
            .groups
            .iter()
            .map(|(key, group)| (BStr::new(key), group))
            .collect();
        run.sort_unstable_by_key(|(key, _)| *key);
        let mut state = serializer.serialize_struct("AggregatePartial", 2)?;
        state.serialize_field("run", &run)?;
        state.serialize_field("misfits", &self.misfits)?;
        state.end()
    }
}

#[derive(Deserialize)]
#[serde(rename = "AggregatePartial")]
struct AggregateParts {
    run: Vec<(BString, GroupPartial)>,
    misfits: u64,
}

impl<'de> Deserialize<'de> for AggregatePartial {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AggregatePartial, D::Error> {
        let parts = AggregateParts::deserialize(deserializer)?;
        let mut groups = HashMap::with_capacity_and_hasher(parts.run.len(), Keyed::default());
        for (key, group) in parts.run {
            groups.insert(Vec::from(key).into_boxed_slice(), group);
        }
        Ok(AggregatePartial {
            groups,
            misfits: parts.misfits,
            key: Vec::new(),
        })
    }
}

impl Aggregate {
    pub fn new(plan: &AggregatePlan, range: TimeRange) -> Aggregate {
        let group = plan.group.iter().map(|named| match &named.expr {
            Expr::Call {
                function: Function::Bucket { width_ns, step_ns },
                arguments,
            } if step_ns < width_ns && arguments.len() == 1 => Group::Sliding {
                time: arguments[0].clone(),
                width_ns: *width_ns,
                step_ns: *step_ns,
            },
            expr => Group::One(expr.clone()),
        });
        Aggregate {
            gate: Gate::new(range, plan.predicate.as_ref()),
            group: group.collect(),
            measures: Measures::new(&plan.measures),
            columns: plan.columns.clone(),
            having: plan.having.clone(),
            order: plan.order.clone(),
            limit: plan
                .limit
                .map(|limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        }
    }

    /// Whether the partial is one of this operator's.
    pub fn accepts(&self, partial: &AggregatePartial) -> bool {
        partial.groups.values().all(|group| {
            group.values.len() == self.group.len() && self.measures.accepts(&group.measures)
        })
    }

    /// Adds the entry to the group of these values and of every choice for the values to come.
    fn add<'a>(
        &'a self,
        partial: &mut AggregatePartial,
        values: &mut Vec<Value<'a>>,
        entry: &'a Entry<'a>,
        misfits: &Misfits,
    ) {
        let Some(group) = self.group.get(values.len()) else {
            return self.add_to_group(partial, values, entry, misfits);
        };
        let length = partial.key.len();
        match group {
            Group::One(expr) => {
                values.push(expr.eval(entry, misfits));
                key::push(&mut partial.key, &values[values.len() - 1]);
                self.add(partial, values, entry, misfits);
                values.pop();
            }
            Group::Sliding {
                time,
                width_ns,
                step_ns,
            } => {
                let starts = match time.eval(entry, misfits) {
                    Value::Time(time) => bucket_starts(time.ns, *width_ns, *step_ns),
                    _ => Vec::new(),
                };
                let values_of = starts.into_iter().map(|ns| Value::Time(Time::from_ns(ns)));
                let mut choices: Vec<Value<'a>> = values_of.collect();
                if choices.is_empty() {
                    choices.push(Value::Null);
                }
                for choice in choices {
                    key::push(&mut partial.key, &choice);
                    values.push(choice);
                    self.add(partial, values, entry, misfits);
                    values.pop();
                    partial.key.truncate(length);
                }
            }
        }
        partial.key.truncate(length);
    }

    fn add_to_group(
        &self,
        partial: &mut AggregatePartial,
        values: &[Value<'_>],
        entry: &Entry<'_>,
        misfits: &Misfits,
    ) {
        let AggregatePartial { groups, key, .. } = partial;
        if let Some(group) = groups.get_mut(key.as_slice()) {
            for (held, value) in group.values.iter_mut().zip(values) {
                plainer(held, value);
            }
            return self
                .measures
                .add(&mut group.measures, entry, &entry.place, misfits);
        }
        let mut group = GroupPartial {
            values: values.iter().map(to_owned).collect(),
            measures: self.measures.empty(),
        };
        self.measures
            .add(&mut group.measures, entry, &entry.place, misfits);
        groups.insert(key.as_slice().into(), group);
    }
}

impl Operator for Aggregate {
    type Partial = AggregatePartial;

    fn empty(&self) -> AggregatePartial {
        AggregatePartial::default()
    }

    fn absorb(&self, partial: &mut AggregatePartial, entry: &Entry<'_>) {
        let misfits = Misfits::default();
        if self.gate.admits(entry, &misfits) {
            partial.key.clear();
            self.add(
                partial,
                &mut Vec::with_capacity(self.group.len()),
                entry,
                &misfits,
            );
        }
        partial.misfits += misfits.0.get();
    }

    /// Commutative.
    fn merge(&self, mut left: AggregatePartial, mut right: AggregatePartial) -> AggregatePartial {
        if left.groups.len() < right.groups.len() {
            std::mem::swap(&mut left, &mut right);
        }
        for (key, group) in right.groups {
            match left.groups.entry(key) {
                Slot::Occupied(mut slot) => {
                    let held = slot.get_mut();
                    for (held, value) in held.values.iter_mut().zip(&group.values) {
                        plainer(held, value);
                    }
                    self.measures.merge(&mut held.measures, group.measures);
                }
                Slot::Vacant(slot) => {
                    slot.insert(group);
                }
            }
        }
        left.misfits = left.misfits.saturating_add(right.misfits);
        left
    }

    fn finish(&self, mut partial: AggregatePartial, _sources: &dyn Sources, rows: &mut dyn Rows) {
        if self.group.is_empty() && partial.groups.is_empty() {
            // As SQL: without GROUP BY there is one row, also over nothing.
            let group = GroupPartial {
                values: Box::new([]),
                measures: self.measures.empty(),
            };
            partial.groups.insert(Box::new([]), group);
        }
        let misfits = Misfits::default();
        let mut finished = Vec::new();
        for group in partial.groups.into_values() {
            let mut inner = group.values.into_vec();
            inner.extend(self.measures.finish(group.measures));
            let row = InnerRow(&inner);
            if self
                .having
                .as_ref()
                .is_some_and(|having| !having.holds(&row, &misfits))
            {
                continue;
            }
            let eval = |expr: &'_ Expr| expr.eval(&row, &misfits).into_owned();
            let order: Vec<_> = self
                .order
                .iter()
                .map(|term| order_value(eval(&term.expr)))
                .collect();
            let columns: Vec<_> = self
                .columns
                .iter()
                .map(|column| eval(&column.expr))
                .collect();
            inner.truncate(self.group.len());
            finished.push((order, inner, columns));
        }
        finished.sort_unstable_by(|left, right| {
            compare(&self.order, &left.0, &right.0).then_with(|| compare_values(&left.1, &right.1))
        });
        finished.truncate(self.limit.unwrap_or(usize::MAX));
        finished
            .into_iter()
            .for_each(|(_, _, columns)| rows.push(columns));
    }

    fn columns(&self) -> Vec<OutputColumn> {
        self.columns
            .iter()
            .map(|column| OutputColumn::new(&column.name))
            .collect()
    }

    fn misfits(&self, partial: &AggregatePartial) -> u64 {
        partial.misfits
    }
}

/// The starts of all buckets that hold a time, first to last.
fn bucket_starts(ns: i64, width_ns: i64, step_ns: i64) -> Vec<i64> {
    let last = ns - ns.rem_euclid(step_ns);
    let mut starts = Vec::new();
    let mut start = last;
    while ns - start < width_ns {
        starts.push(start);
        match start.checked_sub(step_ns) {
            Some(before) => start = before,
            None => break,
        }
    }
    starts.reverse();
    starts
}
