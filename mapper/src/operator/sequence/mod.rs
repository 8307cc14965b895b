//! Sequences: entries of one key that follow one another step by step, and entries that must not come.
//!
//! The hosts send candidates, the entries that satisfy a step or `until`; what follows what is decided in the reducer,
//! key by key, as the total order goes across hosts. `leftmost` and `tightest` hold the search, `chain` why it is exact.

mod certainty;
mod chain;
mod leftmost;
mod partial;
mod shape;
#[cfg(test)]
mod tests;
mod tightest;
mod track;

use std::borrow::Cow;
use std::collections::BTreeSet;

use jobspec::expr::{Expr, Misfits};
use jobspec::plan::{Named, Pick, Scope, SequencePlan, TimeRange};
use jobspec::value::{OwnedValue, Value};

use self::certainty::Certainty;
use self::partial::{Candidate, KeyPartial, push_part};
use self::shape::{Bits, Shape, UNTIL};
use self::track::{Match, Taken, Track};
use super::{Mismatch, Operator, OutputColumn, Rows, Run, SortKey, Sources};
use crate::entry::{Entry, Place};
use crate::frame;
use crate::measure::is_sound;
use crate::record::EntryRecord;

pub use self::partial::SequencePartial;

/// Entries of a step that a row shows.
const SHOWN: usize = 100;

pub struct Sequence {
    range: TimeRange,
    /// That it reads.
    logs: Vec<u16>,
    names: Vec<String>,
    roles: Vec<Role>,
    scope: Scope,
    shape: Shape,
    /// Steps whose entries are shown.
    shown: Bits,
    known: Bits,
}

/// The steps that have one key.
struct Role {
    key: Vec<Expr>,
    predicates: Vec<(Bits, Expr)>,
}

impl Sequence {
    /// None for steps that the job language refuses.
    pub fn new(plan: &SequencePlan, range: TimeRange, logs: &[u16]) -> Option<Sequence> {
        let shape = Shape::new(plan)?;
        let own = || plan.key.iter().map(|named: &Named| named.expr.clone());
        let mut roles: Vec<Role> = Vec::new();
        let steps = plan.steps.iter().enumerate().map(|(index, step)| {
            let key = step.key.clone().unwrap_or_else(|| own().collect());
            (key, 1 << index, &step.predicate)
        });
        let until = plan.until.iter();
        let until = until.map(|predicate| (own().collect(), UNTIL, predicate));
        for (key, bit, predicate) in steps.chain(until) {
            let predicate = (bit, predicate.clone());
            match roles.iter_mut().find(|role| role.key == key) {
                Some(role) => role.predicates.push(predicate),
                None => roles.push(Role {
                    key,
                    predicates: vec![predicate],
                }),
            }
        }
        Some(Sequence {
            range,
            logs: logs.to_vec(),
            names: plan.key.iter().map(|named| named.name.clone()).collect(),
            scope: plan.scope,
            shown: shape.shown(),
            known: roles
                .iter()
                .flat_map(|role| &role.predicates)
                .fold(0, |bits, (bit, _)| bits | bit),
            roles,
            shape,
        })
    }

    /// Appends what parts the keys of one scope from those of another.
    fn push_scope(&self, key: &mut Vec<u8>, place: &Place) {
        if self.scope != Scope::Everywhere {
            key.extend_from_slice(&place.host.to_be_bytes());
        }
        if self.scope == Scope::File {
            key.extend_from_slice(&place.log.to_be_bytes());
            key.extend_from_slice(&place.stream.to_be_bytes());
            key.extend_from_slice(&place.file.to_be_bytes());
        }
    }

    fn accepts_key(&self, held: &KeyPartial) -> bool {
        let is_of_plan = |candidate: &Candidate| {
            let record = candidate.record.as_ref();
            candidate.bits & !self.known == 0
                && (candidate.bits & self.shown != 0) == record.is_some()
                && record.is_none_or(|record| record.place == candidate.place && record.is_sound())
        };
        held.values.len() == self.names.len()
            && held.values.iter().all(is_sound)
            && held.is_settled()
            && held.candidates.iter().all(is_of_plan)
    }

    /// The partial of a key. What is decoded is of this operator, and of this key.
    fn join_keys(&self, key: &[u8], values: &[&[u8]]) -> Result<KeyPartial, Mismatch> {
        let mut whole: Option<KeyPartial> = None;
        let mut own_key = Vec::with_capacity(key.len());
        for value in values {
            let held: KeyPartial = frame::from_bytes(value).map_err(|_| Mismatch)?;
            let first = held.candidates.first().ok_or(Mismatch)?;
            own_key.clear();
            let parts = held.values.iter();
            parts.for_each(|part| push_part(&mut own_key, part));
            self.push_scope(&mut own_key, &first.place);
            if own_key != key || !self.accepts_key(&held) {
                return Err(Mismatch);
            }
            match &mut whole {
                Some(whole) => whole.merge_key(held),
                None => whole = Some(held),
            }
        }
        whole.ok_or(Mismatch)
    }

    fn certainty<'a>(&'a self, core: &SequencePartial, sources: &'a dyn Sources) -> Certainty<'a> {
        let scope = (self.scope, self.logs.as_slice());
        Certainty::new(&self.shape, self.range, core.extent, scope, sources)
    }

    /// The rows of one key, in order, each keyed by the place of its first entry.
    fn finish_key(
        &self,
        mut partial: KeyPartial,
        certainty: &Certainty<'_>,
        sources: &dyn Sources,
        rows: &mut dyn Rows,
    ) {
        partial.settle();
        let track = Track::new(&partial.candidates, &self.shape);
        let matches = match self.shape.pick {
            Pick::Leftmost => leftmost::leftmost(&self.shape, &track),
            Pick::Tightest => tightest::tightest(&self.shape, &track),
        };
        if matches.is_empty() {
            return;
        }
        let names = self.names.iter().map(|name| Cow::Borrowed(name.as_str()));
        let key = names.zip(partial.values.iter().map(Value::borrowed));
        let key = Value::Object(key.collect());
        for found in matches {
            if let Some((place, row)) = self.row(&key, &track, &found, certainty, sources) {
                let mut key = SortKey::new();
                key.place(&place);
                rows.push_keyed(&key.into_bytes(), &row);
            }
        }
    }

    fn row<'a>(
        &'a self,
        key: &'a Value<'_>,
        track: &Track<'a>,
        found: &Match,
        certainty: &Certainty<'_>,
        sources: &'a dyn Sources,
    ) -> Option<(Place, Vec<Value<'a>>)> {
        let taken = |step: usize, taken: &Taken| {
            let list = &track.lists[step];
            taken
                .ranks()
                .map(|rank| &track.candidates[list[rank]])
                .collect::<Vec<&Candidate>>()
        };
        let steps = found.iter().enumerate();
        let steps: Vec<Vec<&Candidate>> = steps.map(|(step, found)| taken(step, found)).collect();
        let first = *steps.first()?.first()?;
        let last = *steps.last()?.last()?;

        let hosts: BTreeSet<u32> = steps
            .iter()
            .flatten()
            .map(|entry| entry.place.host)
            .collect();
        let host_name = |host: &u32| {
            let mut of_host = steps.iter().flatten();
            let entry = of_host.find(|entry| entry.place.host == *host)?;
            Some(Value::text(sources.source(&entry.place).host.as_bytes()))
        };
        let time = |candidate: &Candidate| {
            let record = candidate.record.as_ref();
            record
                .and_then(|record| record.time())
                .map_or(Value::Null, Value::Time)
        };
        let named = |name: &'static str, value| (Cow::Borrowed(name), value);
        let shown = self.shape.steps.iter().zip(&steps).map(|(step, entries)| {
            let records = entries.iter().take(SHOWN);
            let records = records.filter_map(|entry| entry.record.as_ref());
            let records = records.map(|record| Value::Object(record.to_object(sources)));
            Value::Object(vec![
                named("name", Value::text(step.name.as_bytes())),
                named("count", Value::Int(entries.len() as i128)),
                named("entries", Value::List(records.collect())),
            ])
        });
        let row = vec![
            key.borrowed(),
            time(first),
            time(last),
            duration_ms(first, last),
            Value::List(hosts.iter().filter_map(host_name).collect()),
            Value::Bool(certainty.is_certain(first, last)),
            Value::List(shown.collect()),
        ];
        Some((first.place, row))
    }
}

/// NULL where one of them has no time.
fn duration_ms(first: &Candidate, last: &Candidate) -> OwnedValue {
    let Some((first, last)) = first.time_ns().zip(last.time_ns()) else {
        return Value::Null;
    };
    Value::float(last.saturating_sub(first) as f64 / 1e6)
}

impl Operator for Sequence {
    type Partial = SequencePartial;

    fn empty(&self) -> SequencePartial {
        SequencePartial::default()
    }

    fn absorb(&self, partial: &mut SequencePartial, entry: &Entry<'_>) {
        if let Some(time) = entry.time {
            partial.extent.see(time);
        }
        if !self.range.contains(entry.time.map(|time| time.ns)) {
            return;
        }
        let misfits = Misfits::default();
        let mut record = None;
        for role in &self.roles {
            let holds = role.predicates.iter();
            let holds = holds.filter(|(_, predicate)| predicate.holds(entry, &misfits));
            let bits = holds.fold(0, |bits, (bit, _)| bits | bit);
            if bits == 0 {
                continue;
            }
            let values = role.key.iter().map(|expr| expr.eval(entry, &misfits));
            let values: Vec<Value<'_>> = values.collect();
            if values.iter().any(Value::is_null) {
                continue;
            }
            let mut key = Vec::new();
            values.iter().for_each(|value| push_part(&mut key, value));
            self.push_scope(&mut key, &entry.place);
            let is_shown = bits & self.shown != 0;
            let candidate = Candidate {
                place: entry.place,
                bits,
                record: is_shown.then(|| {
                    let record = record.get_or_insert_with(|| EntryRecord::new(entry));
                    Box::new(record.clone())
                }),
            };
            partial.add(&key, &values, candidate);
        }
        partial.misfits += misfits.0.get();
    }

    /// Commutative.
    fn merge(&self, left: SequencePartial, right: SequencePartial) -> SequencePartial {
        left.merge(right)
    }

    fn accepts(&self, partial: &SequencePartial) -> bool {
        partial.keys.values().all(|held| self.accepts_key(held))
    }

    fn places(&self, partial: &SequencePartial, visit: &mut dyn FnMut(&Place)) {
        for key in partial.keys.values() {
            key.candidates
                .iter()
                .for_each(|candidate| visit(&candidate.place));
        }
    }

    fn bytes(&self, partial: &SequencePartial) -> usize {
        let keys = partial.keys.iter();
        keys.map(|(key, held)| key.len() + held.bytes()).sum()
    }

    /// A record for each key.
    fn take_records(&self, partial: &mut SequencePartial, run: &mut Run) {
        for (key, mut held) in std::mem::take(&mut partial.keys) {
            held.settle();
            run.push(&key, &held);
        }
    }

    fn check_record(
        &self,
        key: &[u8],
        value: &[u8],
        visit: &mut dyn FnMut(&Place),
    ) -> Result<(), Mismatch> {
        let held = self.join_keys(key, &[value])?;
        let candidates = held.candidates.iter();
        candidates.for_each(|candidate| visit(&candidate.place));
        Ok(())
    }

    fn join_values(&self, key: &[u8], values: &[&[u8]]) -> Result<Vec<u8>, Mismatch> {
        let mut held = self.join_keys(key, values)?;
        held.settle();
        Ok(frame::to_bytes(&held))
    }

    fn finish_record(
        &self,
        core: &SequencePartial,
        key: &[u8],
        values: &[&[u8]],
        sources: &dyn Sources,
        rows: &mut dyn Rows,
    ) -> Result<(), Mismatch> {
        let held = self.join_keys(key, values)?;
        let certainty = self.certainty(core, sources);
        self.finish_key(held, &certainty, sources, rows);
        Ok(())
    }

    /// Every row is one of a record.
    fn finish(&self, _core: SequencePartial, _sources: &dyn Sources, _rows: &mut dyn Rows) {}

    fn columns(&self) -> Vec<OutputColumn> {
        [
            "key",
            "start",
            "end",
            "duration_ms",
            "hosts",
            "certain",
            "steps",
        ]
        .map(OutputColumn::new)
        .to_vec()
    }

    fn misfits(&self, partial: &SequencePartial) -> u64 {
        partial.misfits
    }
}
