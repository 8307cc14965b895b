//! Sessions: the entries of one key, split where silence exceeds a gap, and where an entry starts or ends one.
//!
//! Cut by a gap alone, a key's partial is a list of summaries with more than a gap between any two: adding an entry or
//! another list joins those that have come near each other, in whatever order. Where predicates cut, an entry between
//! two others changes both, so entries travel one by one, as small as they can be.

mod compact;
mod fragment;
mod link;
mod partial;
#[cfg(test)]
mod tests;
mod timeline;

use std::borrow::Cow;

use bstr::BStr;
use jobspec::expr::{Expr, Misfits};
use jobspec::plan::{Named, SessionKey, SessionPlan, TimeRange};
use jobspec::value::Value;
use smallvec::SmallVec;

use self::fragment::{Edge, Fragment};
pub use self::partial::SessionPartial;
use self::partial::{KeyPartial, KeyRecord, Sessions};
use super::gate::Gate;
use super::kind::{self, Kind};
use super::row::InnerRow;
use super::{Mismatch, Operator, OutputColumn, Rows, Run, SortKey, Sources};
use crate::entry::{Entry, Place};
use crate::frame;
use crate::measure::Measures;
use crate::record::{EntryRecord, shown};

pub struct Session {
    gate: Gate,
    logs: Vec<u16>,
    /// The key, or the ids of which an entry has some.
    key: Vec<Named>,
    /// Where ids are linked: how many others one may have.
    hub: Option<u32>,
    gap_ns: Option<i64>,
    starts: Option<Expr>,
    ends: Option<Expr>,
    timeline: u32,
    measures: Measures,
    select: Vec<Named>,
    having: Option<Expr>,
    max: usize,
}

impl Session {
    pub fn new(plan: &SessionPlan, range: TimeRange, logs: &[u16]) -> Session {
        let (key, hub) = match &plan.key {
            SessionKey::By(key) => (key, None),
            SessionKey::Link { ids, hub } => (ids, Some(*hub)),
        };
        Session {
            gate: Gate::new(range, plan.predicate.as_ref()),
            logs: logs.to_vec(),
            key: key.clone(),
            hub,
            gap_ns: plan.gap_ns,
            starts: plan.starts.clone(),
            ends: plan.ends.clone(),
            timeline: plan.timeline,
            measures: Measures::new(&plan.measures),
            select: plan.select.clone(),
            having: plan.having.clone(),
            max: plan.max.max(1) as usize,
        }
    }

    fn is_cut_by_predicates(&self) -> bool {
        self.starts.is_some() || self.ends.is_some()
    }

    /// Whether what ends and what starts then are of one session, as far as silence goes.
    fn is_near(&self, end_ns: i64, start_ns: i64) -> bool {
        self.gap_ns
            .is_none_or(|gap_ns| start_ns.saturating_sub(end_ns) <= gap_ns)
    }

    /// Adds an entry to the sessions of its key.
    fn add_to_key(&self, partial: &mut SessionPartial, entry: &Entry<'_>, misfits: &Misfits) {
        let SessionPartial {
            keys,
            sessions,
            key,
            kinds,
            ..
        } = partial;
        key.clear();
        kinds.clear();
        for part in &self.key {
            kinds.push(kind::push(key, &part.expr, entry, misfits) as u8);
        }
        let is_null = |kind: &u8| *kind == Kind::Null as u8;
        let takes_part = match self.hub {
            Some(_) => !kinds.iter().all(is_null),
            None => !kinds.iter().any(is_null),
        };
        if !takes_part {
            return;
        }
        let (index, is_new) = keys.number(keys.hash(key), key, kinds);
        if is_new {
            sessions.push(match self.is_cut_by_predicates() {
                true => Sessions::Entries(Vec::new()),
                false => Sessions::Fragments(SmallVec::new()),
            });
        }
        self.add(&mut sessions[index], entry, misfits);
    }

    fn add(&self, sessions: &mut Sessions, entry: &Entry<'_>, misfits: &Misfits) {
        match sessions {
            Sessions::Fragments(fragments) => self.add_to_fragments(fragments, entry, misfits),
            Sessions::Entries(entries) => entries.push(self.compact(entry, misfits)),
        }
    }

    fn add_to_fragments(
        &self,
        fragments: &mut SmallVec<[Fragment; 1]>,
        entry: &Entry<'_>,
        misfits: &Misfits,
    ) {
        let edge = edge_of(entry);
        let ns = edge.place.time_ns;
        let at = fragments.partition_point(|fragment| !self.is_near(fragment.end_ns(), ns));
        match fragments.get_mut(at) {
            Some(fragment) if self.is_near(ns, fragment.start_ns()) => {
                fragment.add(edge, entry.level)
            }
            _ => fragments.insert(at, Fragment::new(edge, entry.level, &self.measures)),
        }
        let fragment = &mut fragments[at];
        self.measures
            .add(&mut fragment.measures, entry, &entry.place, misfits);
        if fragment.timeline.wants(&entry.place, self.timeline) {
            fragment
                .timeline
                .add(Box::new(EntryRecord::new(entry)), self.timeline);
        }
        // It may have filled the silence before the next.
        if fragments
            .get(at + 1)
            .is_some_and(|next| self.is_near(fragments[at].end_ns(), next.start_ns()))
        {
            let next = fragments.remove(at + 1);
            fragments[at].merge(next, &self.measures, self.timeline);
        }
    }

    fn joined(&self, mut fragments: SmallVec<[Fragment; 1]>) -> SmallVec<[Fragment; 1]> {
        fragments.sort_by_key(Fragment::start_ns);
        let mut joined: SmallVec<[Fragment; 1]> = SmallVec::new();
        for fragment in fragments {
            match joined.last_mut() {
                Some(last) if self.is_near(last.end_ns(), fragment.start_ns()) => {
                    last.merge(fragment, &self.measures, self.timeline);
                }
                _ => joined.push(fragment),
            }
        }
        joined
    }

    /// Whether entries beyond from/to could not be of it.
    fn is_certain(&self, fragment: &Fragment) -> bool {
        let (Some(gap_ns), range) = (self.gap_ns, self.gate.range) else {
            return true;
        };
        let is_far = |early: i64, late: i64| late.saturating_sub(early) > gap_ns;
        range
            .from_ns
            .is_none_or(|from| is_far(from, fragment.start_ns()))
            && range.to_ns.is_none_or(|to| is_far(fragment.end_ns(), to))
    }

    /// The rows of a session: one, and more of them where its timeline is longer than `max`.
    fn push_rows(
        &self,
        key: &Value<'_>,
        fragment: Fragment,
        misfits: &Misfits,
        sources: &dyn Sources,
        rows: &mut dyn Rows,
    ) {
        let mut place = SortKey::new();
        place.place(&fragment.first.place);
        let place = place.into_bytes();
        // What was lost could have been of any session.
        let is_whole = self.logs.iter().all(|log| sources.is_complete(*log));
        let certain = is_whole && self.is_certain(&fragment);
        let (hosts, logs) = fragment.hosts_and_logs(sources);
        let (levels, entries) = (fragment.levels(), fragment.entries);
        let (start, end) = (fragment.first.time(), fragment.last.time());
        let mut inner = Vec::with_capacity(self.measures.results());
        self.measures.finish(fragment.measures, &mut inner);
        let row = InnerRow(&inner);
        if self
            .having
            .as_ref()
            .is_some_and(|having| !having.holds(&row, misfits))
        {
            return;
        }
        let records: Vec<_> = fragment.timeline.into_entries().collect();
        let left_out = entries.saturating_sub(records.len() as u64);
        let objects = records.iter();
        let objects = objects.map(|record| Value::Object(record.to_object(sources)));
        let objects: Vec<Value<'_>> = objects.collect();
        let mut parts = objects
            .chunks(self.max)
            .map(|part| Value::List(part.to_vec()));
        let first_part = parts.next().unwrap_or(Value::List(Vec::new()));

        let duration_ns = match (start, end) {
            (Some(start), Some(end)) => Some(end.ns.saturating_sub(start.ns)),
            _ => None,
        };
        let mut values = Vec::with_capacity(12 + self.select.len());
        values.extend([
            key.borrowed(),
            start.map_or(Value::Null, Value::Time),
            end.map_or(Value::Null, Value::Time),
            duration_ns.map_or(Value::Null, |ns| Value::float(ns as f64 / 1e6)),
            Value::Int(entries.into()),
            levels,
            hosts,
            logs,
            Value::Bool(certain),
        ]);
        let select = self.select.iter();
        values.extend(select.map(|named| shown(named.expr.eval(&row, misfits))));
        values.extend([first_part, Value::Int(left_out.into()), Value::Null]);
        rows.push_keyed(&place, &values);

        for part in parts {
            // What was said of the session is not said twice.
            let end = values.len();
            for (column, value) in values.iter_mut().enumerate() {
                if ![0, 1, 2, 8].contains(&column) {
                    *value = Value::Null;
                }
            }
            values[end - 3] = part;
            values[end - 1] = Value::Bool(true);
            rows.push_keyed(&place, &values);
        }
    }

    fn key_object<'k>(&'k self, values: Vec<Value<'k>>) -> Value<'k> {
        let names = self.key.iter();
        let names = names.map(|named| Cow::Borrowed(named.name.as_str()));
        Value::Object(names.zip(values.into_iter().map(shown)).collect())
    }
}

impl Session {
    /// Puts the sessions of both together; to be settled when all have come. Commutative then.
    fn add_sessions(&self, held: &mut Sessions, other: Sessions) {
        match (held, other) {
            (Sessions::Fragments(held), Sessions::Fragments(more)) => held.extend(more),
            (Sessions::Entries(held), Sessions::Entries(more)) => held.extend(more),
            (Sessions::Fragments(_), Sessions::Entries(_))
            | (Sessions::Entries(_), Sessions::Fragments(_)) => {
                debug_assert!(false, "accepts has let through the partial of another plan");
            }
        }
    }

    /// The same of two partials of one key.
    fn add_key(&self, held: &mut KeyPartial<'_>, other: KeyPartial<'_>) {
        if held.kinds != other.kinds {
            Kind::keep_plainer(held.kinds.to_mut(), &other.kinds);
        }
        self.add_sessions(&mut held.sessions, other.sessions);
    }

    fn settle(&self, held: &mut Sessions) {
        if let Sessions::Fragments(fragments) = held
            && fragments.len() > 1
        {
            *fragments = self.joined(std::mem::take(fragments));
        }
    }

    fn accepts_key(&self, key: &[u8], kinds: &[u8], sessions: &Sessions) -> bool {
        kinds.len() == self.key.len()
            && kind::are_values(key, kinds)
            && match sessions {
                Sessions::Fragments(fragments) => {
                    !self.is_cut_by_predicates()
                        && fragments.iter().all(|fragment| {
                            self.measures.accepts(&fragment.measures)
                                && fragment.timeline.is_sound(self.timeline)
                                && fragment.first.place <= fragment.last.place
                        })
                        && fragments
                            .windows(2)
                            .all(|pair| !self.is_near(pair[0].end_ns(), pair[1].start_ns()))
                }
                Sessions::Entries(entries) => {
                    self.is_cut_by_predicates()
                        && entries.iter().all(|entry| self.accepts_compact(entry))
                }
            }
    }

    /// The partial of a key, as it has travelled. What is decoded is of this operator, and of this key.
    #[inline(always)]
    fn decoded<'v>(
        &self,
        key: &[u8],
        record: KeyRecord<&'v BStr, Sessions>,
    ) -> Result<KeyPartial<'v>, Mismatch> {
        let KeyRecord { kinds, sessions } = record;
        if !self.accepts_key(key, kinds, &sessions) {
            return Err(Mismatch);
        }
        let kinds = Cow::Borrowed(kinds);
        Ok(KeyRecord { kinds, sessions })
    }

    fn join_keys<'v>(&self, key: &[u8], values: &[&'v [u8]]) -> Result<KeyPartial<'v>, Mismatch> {
        let mut whole: Option<KeyPartial<'v>> = None;
        for value in values {
            let held = self.decoded(key, frame::from_bytes(value).map_err(|_| Mismatch)?)?;
            match &mut whole {
                Some(whole) => self.add_key(whole, held),
                None => whole = Some(held),
            }
        }
        let mut whole = whole.ok_or(Mismatch)?;
        self.settle(&mut whole.sessions);
        Ok(whole)
    }
}

fn edge_of(entry: &Entry<'_>) -> Edge {
    Edge {
        place: entry.place,
        digits: entry.time.map_or(0, |time| time.digits),
    }
}

impl Operator for Session {
    type Partial = SessionPartial;

    fn empty(&self) -> SessionPartial {
        SessionPartial::default()
    }

    fn absorb(&self, partial: &mut SessionPartial, entry: &Entry<'_>) {
        let misfits = Misfits::default();
        if self.gate.admits(entry, &misfits) {
            self.add_to_key(partial, entry, &misfits);
        }
        partial.misfits += misfits.0.get();
    }

    /// Commutative.
    fn merge(&self, mut left: SessionPartial, mut right: SessionPartial) -> SessionPartial {
        if left.keys.len() < right.keys.len() {
            std::mem::swap(&mut left, &mut right);
        }
        for (index, sessions) in right.sessions.into_iter().enumerate() {
            let (key, kinds) = right.keys.get(index);
            match left.keys.number(left.keys.hash(key), key, kinds) {
                (_, true) => left.sessions.push(sessions),
                (index, false) => {
                    let held = &mut left.sessions[index];
                    self.add_sessions(held, sessions);
                    self.settle(held);
                }
            }
        }
        left.misfits = left.misfits.saturating_add(right.misfits);
        left
    }

    fn accepts(&self, partial: &SessionPartial) -> bool {
        partial.records().all(|(key, record)| {
            let KeyRecord { kinds, sessions } = record;
            self.accepts_key(key, kinds, sessions)
        })
    }

    fn places(&self, partial: &SessionPartial, visit: &mut dyn FnMut(&Place)) {
        let sessions = partial.sessions.iter();
        sessions.for_each(|sessions| sessions.places(visit));
    }

    fn bytes(&self, partial: &SessionPartial) -> usize {
        let sessions = partial.sessions.iter().map(Sessions::bytes);
        partial.keys.bytes() + sessions.sum::<usize>()
    }

    /// A record for each key; of what is linked a record holds several keys once ids have joined them.
    fn take_records(&self, partial: &mut SessionPartial, run: &mut Run) {
        for index in partial.keys.sorted() {
            let (key, record) = partial.record(index);
            match self.hub {
                Some(_) => run.push(key, &[(BStr::new(key), record)][..]),
                None => run.push(key, &record),
            }
        }
        (partial.keys, partial.sessions) = Default::default();
    }

    fn check_record(
        &self,
        key: &[u8],
        value: &[u8],
        visit: &mut dyn FnMut(&Place),
    ) -> Result<(), Mismatch> {
        match self.hub {
            // What a host sends is of one key, and says itself of which.
            Some(_) => match self.join_linked(&[value])?.as_slice() {
                [(held_key, held)] if *held_key == key => held.sessions.places(visit),
                _ => return Err(Mismatch),
            },
            None => self.join_keys(key, &[value])?.sessions.places(visit),
        }
        Ok(())
    }

    fn join_values(&self, key: &[u8], values: &[&[u8]]) -> Result<Vec<u8>, Mismatch> {
        match self.hub {
            Some(_) => self.join_linked(values).map(|held| frame::to_bytes(&held)),
            None => self
                .join_keys(key, values)
                .map(|held| frame::to_bytes(&held)),
        }
    }

    fn is_regrouped(&self) -> bool {
        self.hub.is_some()
    }

    fn learn(&self, core: &mut SessionPartial, key: &[u8]) -> Result<(), Mismatch> {
        core.links.get_or_insert_default().learn(key)
    }

    fn regroup(
        &self,
        core: &mut SessionPartial,
        key: &[u8],
        value: &[u8],
    ) -> Result<Vec<u8>, Mismatch> {
        // A host's record is of one key, and says itself of which.
        match self.join_linked(&[value])?.as_slice() {
            [(held, _)] if *held == key => {}
            _ => return Err(Mismatch),
        }
        let links = core.links.get_or_insert_default();
        links.component(key, self.hub.unwrap_or(0))
    }

    fn finish_record(
        &self,
        _core: &SessionPartial,
        key: &[u8],
        values: &[&[u8]],
        sources: &dyn Sources,
        rows: &mut dyn Rows,
    ) -> Result<(), Mismatch> {
        let misfits = Misfits::default();
        if self.hub.is_some() {
            return self.finish_linked(self.join_linked(values)?, sources, rows);
        }
        let held = self.join_keys(key, values)?;
        let fragments = match held.sessions {
            Sessions::Fragments(fragments) => fragments,
            Sessions::Entries(entries) => self.cut_of_key(entries).into(),
        };
        let key = self.key_object(kind::values(key, &held.kinds).ok_or(Mismatch)?);
        for fragment in fragments {
            self.push_rows(&key, fragment, &misfits, sources, rows);
        }
        Ok(())
    }

    /// Every row is one of a record.
    fn finish(&self, core: SessionPartial, _sources: &dyn Sources, rows: &mut dyn Rows) {
        if let (Some(hub), Some(links)) = (self.hub, &core.links) {
            links.note_hubs(&self.key, hub, rows);
        }
    }

    fn columns(&self) -> Vec<OutputColumn> {
        let before = [
            self.hub.map_or("key", |_| "ids"),
            "start",
            "end",
            "duration_ms",
            "entries",
            "levels",
            "hosts",
            "logs",
            "certain",
        ];
        let select = self
            .select
            .iter()
            .map(|named| OutputColumn::new(&named.name));
        let mut columns: Vec<_> = before
            .into_iter()
            .map(OutputColumn::new)
            .chain(select)
            .collect();
        columns.extend([
            OutputColumn::new("timeline"),
            OutputColumn::optional("left_out"),
            OutputColumn::optional("continued"),
        ]);
        columns
    }

    fn misfits(&self, partial: &SessionPartial) -> u64 {
        partial.misfits
    }
}
