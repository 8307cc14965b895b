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
use super::row::InnerRow;
use super::{Mismatch, Operator, OutputColumn, Rows, Run, SortKey, Sources, grouped, key};
use crate::entry::{Entry, Place};
use crate::frame;
use crate::measure::hash::Keyed;
use crate::measure::{MeasurePartial, Measures, is_sound, plainer, to_owned, value_bytes};
use crate::record::shown;

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
struct Group {
    expr: Expr,
    /// Buckets that overlap: `expr` is the time then, and the entry is in each.
    sliding: Option<Function>,
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

impl GroupPartial {
    fn bytes(&self) -> usize {
        let values: usize = self.values.iter().map(value_bytes).sum();
        let measures: usize = self.measures.iter().map(MeasurePartial::bytes).sum();
        size_of::<GroupPartial>() + values + measures
    }
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
                function: function @ Function::Bucket { width_ns, step_ns },
                arguments,
            } if step_ns < width_ns && arguments.len() == 1 => Group {
                expr: arguments[0].clone(),
                sliding: Some(function.clone()),
            },
            expr => Group {
                expr: expr.clone(),
                sliding: None,
            },
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

    /// Adds the entry to its group, or where buckets slide to each: `values` are settled up to `index`.
    fn add(
        &self,
        partial: &mut AggregatePartial,
        values: &mut [Value<'_>],
        index: usize,
        entry: &Entry<'_>,
        misfits: &Misfits,
    ) {
        let is_sliding = |group: &Group| group.sliding.is_some();
        let next = self.group[index..]
            .iter()
            .position(is_sliding)
            .map(|next| index + next);
        let sliding = next.and_then(|next| Some((next, self.group[next].sliding.as_ref()?)));
        let Some((next, function)) = sliding else {
            return self.add_to_group(partial, values, entry, misfits);
        };
        let time = match &values[next] {
            Value::Time(time) => Some(*time),
            Value::Text(text) => Time::parse(text),
            _ => None,
        };
        let Some(time) = time else {
            if !values[next].is_null() {
                misfits.0.set(misfits.0.get() + 1);
                values[next] = Value::Null;
            }
            return self.add(partial, values, next + 1, entry, misfits);
        };
        for start_ns in function.bucket_starts(time.ns) {
            values[next] = Value::Time(Time::from_ns(start_ns));
            self.add(partial, values, next + 1, entry, misfits);
        }
        // As it came, for the next choice of the buckets before.
        values[next] = Value::Time(time);
    }

    fn add_to_group(
        &self,
        partial: &mut AggregatePartial,
        values: &[Value<'_>],
        entry: &Entry<'_>,
        misfits: &Misfits,
    ) {
        let AggregatePartial { groups, key, .. } = partial;
        key.clear();
        values.iter().for_each(|value| key::push(key, value));
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

    /// Commutative.
    fn join(&self, held: &mut GroupPartial, group: GroupPartial) {
        for (held, value) in held.values.iter_mut().zip(&group.values) {
            plainer(held, value);
        }
        self.measures.merge(&mut held.measures, group.measures);
    }

    fn accepts_group(&self, group: &GroupPartial) -> bool {
        group.values.len() == self.group.len()
            && group.values.iter().all(is_sound)
            && self.measures.accepts(&group.measures)
    }

    /// The group of a key. What is decoded is of this operator, and of this key.
    fn join_groups(&self, key: &[u8], values: &[&[u8]]) -> Result<GroupPartial, Mismatch> {
        let mut whole: Option<GroupPartial> = None;
        let mut own_key = Vec::with_capacity(key.len());
        for value in values {
            let group: GroupPartial = frame::from_bytes(value).map_err(|_| Mismatch)?;
            own_key.clear();
            let group_values = group.values.iter();
            group_values.for_each(|value| key::push(&mut own_key, value));
            if own_key != key || !self.accepts_group(&group) {
                return Err(Mismatch);
            }
            match &mut whole {
                Some(whole) => self.join(whole, group),
                None => whole = Some(group),
            }
        }
        whole.ok_or(Mismatch)
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
            // Without a sliding bucket nothing here allocates, up to four values.
            let mut few = [const { Value::Null }; 4];
            let mut many = Vec::new();
            let values = match self.group.len() {
                count @ ..=4 => &mut few[..count],
                count => {
                    many.resize(count, Value::Null);
                    &mut many
                }
            };
            for (value, group) in values.iter_mut().zip(&self.group) {
                *value = group.expr.eval(entry, &misfits);
            }
            self.add(partial, values, 0, entry, &misfits);
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
                Slot::Occupied(mut slot) => self.join(slot.get_mut(), group),
                Slot::Vacant(slot) => {
                    slot.insert(group);
                }
            }
        }
        left.misfits = left.misfits.saturating_add(right.misfits);
        left
    }

    fn accepts(&self, partial: &AggregatePartial) -> bool {
        let mut groups = partial.groups.values();
        groups.all(|group| self.accepts_group(group))
    }

    fn places(&self, _partial: &AggregatePartial, _visit: &mut dyn FnMut(&Place)) {}

    fn bytes(&self, partial: &AggregatePartial) -> usize {
        partial
            .groups
            .iter()
            .map(|(key, group)| key.len() + group.bytes())
            .sum()
    }

    fn split(&self, partial: AggregatePartial, most_bytes: usize) -> Vec<AggregatePartial> {
        let mut run: Vec<_> = partial.groups.into_iter().collect();
        run.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        let sized = run
            .into_iter()
            .map(|(key, group)| (key.len() + group.bytes(), (key, group)));
        let parts = grouped(sized, most_bytes)
            .into_iter()
            .map(|groups| AggregatePartial {
                groups: groups.into_iter().collect(),
                ..AggregatePartial::default()
            });
        let mut parts: Vec<AggregatePartial> = parts.collect();
        match parts.first_mut() {
            Some(first) => first.misfits = partial.misfits,
            None => parts.push(AggregatePartial {
                misfits: partial.misfits,
                ..self.empty()
            }),
        }
        parts
    }

    /// A record for each group.
    fn take_records(&self, partial: &mut AggregatePartial, run: &mut Run) {
        let mut groups: Vec<_> = std::mem::take(&mut partial.groups).into_iter().collect();
        groups.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        for (key, group) in groups {
            run.push(&key, &group);
        }
    }

    fn take_last_records(&self, core: &mut AggregatePartial, run: &mut Run) {
        if self.group.is_empty() && core.groups.is_empty() {
            // As SQL: without GROUP BY there is one row, also over nothing.
            let group = GroupPartial {
                values: Box::new([]),
                measures: self.measures.empty(),
            };
            core.groups.insert(Box::new([]), group);
        }
        self.take_records(core, run);
    }

    fn join_values(&self, key: &[u8], values: &[&[u8]]) -> Result<Vec<u8>, Mismatch> {
        self.join_groups(key, values)
            .map(|group| frame::to_bytes(&group))
    }

    fn finish_record(
        &self,
        _core: &AggregatePartial,
        key: &[u8],
        values: &[&[u8]],
        _sources: &dyn Sources,
        rows: &mut dyn Rows,
    ) -> Result<(), Mismatch> {
        let group = self.join_groups(key, values)?;
        let misfits = Misfits::default();
        let mut inner = group.values.into_vec();
        inner.extend(self.measures.finish(group.measures));
        let row = InnerRow(&inner);
        let having = self.having.as_ref();
        if having.is_none_or(|having| having.holds(&row, &misfits)) {
            let mut key = SortKey::new();
            for term in &self.order {
                key.order(&term.expr.eval(&row, &misfits), term.descending);
            }
            for value in &inner[..self.group.len()] {
                key.group(value);
            }
            let columns = self.columns.iter();
            let columns =
                columns.map(|column| shown(column.expr.eval(&row, &misfits).into_owned()));
            rows.push_keyed(key.into_bytes(), columns.collect());
        }
        Ok(())
    }

    /// Every row is one of a record.
    fn finish(&self, _core: AggregatePartial, _sources: &dyn Sources, _rows: &mut dyn Rows) {}

    fn limit(&self) -> Option<usize> {
        self.limit
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
