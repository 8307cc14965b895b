//! Aggregates: measures over groups of entries, as SQL's GROUP BY.
//!
//! In memory a group is found by the texts of its values in a hash table; on the wire the partial is a run sorted by
//! these texts, so that it is the same bytes however it came about, and runs can be merged key by key.

mod groups;

use std::borrow::Cow;

use bstr::{BStr, BString};
use jobspec::expr::{Expr, Function, Misfits};
use jobspec::plan::{AggregatePlan, Named, Order, TimeRange};
use jobspec::value::{Time, Value};
use serde::de::Error as _;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use self::groups::Groups;
use super::gate::Gate;
use super::kind::{self, Kind};
use super::row::InnerRow;
use super::{Mismatch, Operator, OutputColumn, Rows, Run, SortKey, Sources, key};
use crate::entry::{Entry, Place};
use crate::frame;
use crate::measure::{MeasurePartial, Measures, Partials};
use crate::record::shown as shown_json;

pub struct Aggregate {
    gate: Gate,
    group: Vec<Group>,
    /// Whether any of its values slides.
    slides: bool,
    measures: Measures,
    /// All measures do nothing else.
    counts_entries: bool,
    columns: Vec<Named>,
    having: Option<Expr>,
    order: Vec<Order>,
    /// Whether that is known of a group by its measures alone.
    orders_measures: bool,
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
    groups: Groups,
    misfits: u64,
    /// Of the values of the entry at hand: room that is used again.
    kinds: Vec<u8>,
}

/// A group as it travels; its values are in its key.
#[derive(Debug, Deserialize)]
struct GroupRecord<'a> {
    /// Of each value.
    #[serde(borrow)]
    kinds: &'a BStr,
    measures: Partials,
}

/// The same, all of it borrowed.
#[derive(Serialize)]
#[serde(rename = "GroupRecord")]
struct GroupRecordOf<'a> {
    kinds: &'a BStr,
    measures: &'a [MeasurePartial],
}

impl Serialize for AggregatePartial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut groups = self.groups.clone();
        let mut run: Vec<(BString, BString)> = Vec::with_capacity(groups.len());
        groups.for_each_sorted(|group| {
            let record = GroupRecordOf {
                kinds: BStr::new(group.kinds),
                measures: group.measures,
            };
            run.push((group.key.into(), frame::to_bytes(&record).into()));
        });
        let mut state = serializer.serialize_struct("AggregatePartial", 2)?;
        state.serialize_field("run", &run)?;
        state.serialize_field("misfits", &self.misfits)?;
        state.end()
    }
}

#[derive(Deserialize)]
#[serde(rename = "AggregatePartial")]
struct AggregateParts {
    run: Vec<(BString, BString)>,
    misfits: u64,
}

impl<'de> Deserialize<'de> for AggregatePartial {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AggregatePartial, D::Error> {
        let parts = AggregateParts::deserialize(deserializer)?;
        let mut partial = AggregatePartial {
            misfits: parts.misfits,
            ..AggregatePartial::default()
        };
        let mut slots = None;
        for (key, record) in parts.run {
            let record: GroupRecord<'_> = frame::from_bytes(&record).map_err(D::Error::custom)?;
            let shape = (record.kinds.len(), record.measures.len());
            if *slots.get_or_insert(shape) != shape {
                return Err(D::Error::custom("groups of different operators"));
            }
            let before = partial.groups.len();
            partial.groups.of(&key, record.kinds, |measures| {
                measures.extend(record.measures);
            });
            if partial.groups.len() == before {
                return Err(D::Error::custom("a group comes twice"));
            }
        }
        Ok(partial)
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
        let group: Vec<Group> = group.collect();
        let measures = Measures::new(&plan.measures);
        Aggregate {
            gate: Gate::new(range, plan.predicate.as_ref()),
            slides: group.iter().any(|group| group.sliding.is_some()),
            group,
            counts_entries: measures.count_entries(),
            measures,
            columns: plan.columns.clone(),
            having: plan.having.clone(),
            orders_measures: plan.order.iter().all(|term| {
                let mut is_measure = true;
                term.expr.walk(&mut |inner| {
                    if let Expr::Output(index) = inner {
                        is_measure &= usize::from(*index) >= plan.group.len();
                    }
                });
                is_measure
            }),
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
        partial.kinds.clear();
        let key = partial.groups.room();
        for value in values {
            key::push(key, value);
            partial.kinds.push(Kind::of(value) as u8);
        }
        self.add_to_made(partial, entry, misfits);
    }

    /// Adds the entry to the group whose key was made.
    #[inline]
    fn add_to_made(&self, partial: &mut AggregatePartial, entry: &Entry<'_>, misfits: &Misfits) {
        let AggregatePartial { groups, kinds, .. } = partial;
        let empty = |measures: &mut Vec<MeasurePartial>| self.measures.push_empty(measures);
        if self.counts_entries {
            return groups.count_made(kinds, empty);
        }
        let measures = groups.of_made(kinds, empty);
        self.measures.add(measures, entry, &entry.place, misfits);
    }

    fn accepts_group(&self, key: &[u8], kinds: &[u8], measures: &[MeasurePartial]) -> bool {
        kinds.len() == self.group.len()
            && kind::are_values(key, kinds)
            && self.measures.accepts(measures)
    }

    /// Kinds and measures of a key's group. What is decoded is of this operator, and of this key.
    fn join_groups<'v>(
        &self,
        key: &[u8],
        values: &[&'v [u8]],
    ) -> Result<(Cow<'v, [u8]>, Partials), Mismatch> {
        let mut whole: Option<(Cow<'v, [u8]>, Partials)> = None;
        for value in values {
            let group: GroupRecord<'_> = frame::from_bytes(value).map_err(|_| Mismatch)?;
            if !self.accepts_group(key, group.kinds, &group.measures) {
                return Err(Mismatch);
            }
            match &mut whole {
                Some((kinds, measures)) => {
                    if **kinds != **group.kinds {
                        Kind::keep_plainer(kinds.to_mut(), group.kinds);
                    }
                    self.measures.merge(measures, group.measures);
                }
                None => whole = Some((Cow::Borrowed(group.kinds), group.measures)),
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
            if self.slides {
                let values = self.group.iter();
                let values = values.map(|group| group.expr.eval(entry, &misfits));
                let mut values: Vec<Value<'_>> = values.collect();
                self.add(partial, &mut values, 0, entry, &misfits);
            } else {
                partial.kinds.clear();
                let key = partial.groups.room();
                for group in &self.group {
                    let kind = kind::push(key, &group.expr, entry, &misfits);
                    partial.kinds.push(kind as u8);
                }
                self.add_to_made(partial, entry, &misfits);
            }
        }
        partial.misfits += misfits.0.get();
    }

    /// Commutative.
    fn merge(&self, mut left: AggregatePartial, mut right: AggregatePartial) -> AggregatePartial {
        if left.groups.len() < right.groups.len() {
            std::mem::swap(&mut left, &mut right);
        }
        right.groups.for_each(|group| {
            let held = left.groups.of(group.key, group.kinds, |measures| {
                self.measures.push_empty(measures);
            });
            let measures = group.measures.iter_mut();
            self.measures
                .merge(held, measures.map(MeasurePartial::take));
        });
        left.misfits = left.misfits.saturating_add(right.misfits);
        left
    }

    fn accepts(&self, partial: &AggregatePartial) -> bool {
        let mut groups = partial.groups.clone();
        let mut accepted = true;
        groups.for_each(|group| {
            accepted &= self.accepts_group(group.key, group.kinds, group.measures);
        });
        accepted
    }

    fn places(&self, _partial: &AggregatePartial, _visit: &mut dyn FnMut(&Place)) {}

    fn bytes(&self, partial: &AggregatePartial) -> usize {
        let elsewhere = match self.measures.are_counts() {
            true => 0,
            false => {
                let measures = partial.groups.measures().iter();
                measures.map(MeasurePartial::bytes_elsewhere).sum()
            }
        };
        partial.groups.bytes() + elsewhere
    }

    /// A record for each group.
    fn take_records(&self, partial: &mut AggregatePartial, run: &mut Run) {
        let mut groups = std::mem::take(&mut partial.groups);
        groups.for_each_sorted(|group| {
            let record = GroupRecordOf {
                kinds: BStr::new(group.kinds),
                measures: group.measures,
            };
            run.push(group.key, &record);
        });
    }

    fn take_last_records(&self, core: &mut AggregatePartial, run: &mut Run) {
        if self.group.is_empty() && core.groups.len() == 0 {
            // As SQL: without GROUP BY there is one row, also over nothing.
            core.groups
                .of(b"", b"", |measures| self.measures.push_empty(measures));
        }
        self.take_records(core, run);
    }

    fn check_record(
        &self,
        key: &[u8],
        value: &[u8],
        _visit: &mut dyn FnMut(&Place),
    ) -> Result<(), Mismatch> {
        self.join_groups(key, &[value]).map(|_| ())
    }

    fn join_values(&self, key: &[u8], values: &[&[u8]]) -> Result<Vec<u8>, Mismatch> {
        let (kinds, measures) = self.join_groups(key, values)?;
        Ok(frame::to_bytes(&GroupRecordOf {
            kinds: BStr::new(&kinds),
            measures: &measures,
        }))
    }

    fn finish_record(
        &self,
        _core: &AggregatePartial,
        key: &[u8],
        values: &[&[u8]],
        _sources: &dyn Sources,
        rows: &mut dyn Rows,
    ) -> Result<(), Mismatch> {
        let (kinds, measures) = self.join_groups(key, values)?;
        let misfits = Misfits::default();
        let mut inner = Vec::with_capacity(self.group.len() + self.measures.results());
        inner.resize(self.group.len(), Value::Null);
        self.measures.finish(measures, &mut inner);
        let order = |row: &InnerRow<'_>| {
            let mut order = SortKey::new();
            for term in &self.order {
                order.order(&term.expr.eval(row, &misfits), term.descending);
            }
            order.into_bytes()
        };
        // Of many groups few are among the first: the others are not even named.
        let early = self.orders_measures.then(|| order(&InnerRow(&inner)));
        if early.as_ref().is_some_and(|order| !rows.wants(order)) {
            return Ok(());
        }
        let values = kind::values(key, &kinds).ok_or(Mismatch)?;
        inner.splice(..self.group.len(), values);
        let row = InnerRow(&inner);
        let having = self.having.as_ref();
        if having.is_none_or(|having| having.holds(&row, &misfits)) {
            let mut key = SortKey::after(early.unwrap_or_else(|| order(&row)));
            for value in &inner[..self.group.len()] {
                key.group(value);
            }
            let columns = self.columns.iter();
            let columns = columns.map(|column| shown_json(column.expr.eval(&row, &misfits)));
            rows.push_keyed(&key.into_bytes(), &columns.collect::<Vec<_>>());
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

#[cfg(test)]
mod tests {
    use jobspec::expr::Measure;

    use super::*;

    #[test]
    fn groups_that_no_operator_has_are_refused() {
        let record = |measures: usize| -> BString {
            let empty = Measures::new(&[Measure::Count]).empty();
            let measures = vec![empty[0].clone(); measures];
            let kinds = BStr::new(b"");
            let record = GroupRecordOf {
                kinds,
                measures: &measures,
            };
            frame::to_bytes(&record).into()
        };
        let decoded = |run: &[(&[u8], usize)]| {
            let run = run.iter();
            let run = run.map(|(key, measures)| (BString::from(*key), record(*measures)));
            let parts: (Vec<(BString, BString)>, u64) = (run.collect(), 7);
            frame::from_bytes::<AggregatePartial>(&frame::to_bytes(&parts))
        };
        assert_eq!(decoded(&[(b"a", 1), (b"b", 1)]).unwrap().misfits, 7);
        assert!(decoded(&[(b"a", 1), (b"b", 2)]).is_err());
        assert!(decoded(&[(b"a", 1), (b"a", 1)]).is_err());
    }
}
