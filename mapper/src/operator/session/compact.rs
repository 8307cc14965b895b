//! Entries of sessions that predicates cut: what each says of the session that it will be of.

use jobspec::expr::Misfits;
use jobspec::value::{Level, OwnedValue};
use serde::{Deserialize, Serialize};

use super::fragment::{Edge, Fragment};
use super::{Session, edge_of};
use crate::entry::{Entry, Place};
use crate::measure::value_bytes;
use crate::record::EntryRecord;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Compact {
    edge: Edge,
    level: Option<Level>,
    starts: bool,
    ends: bool,
    /// What the measures take of it.
    values: Box<[OwnedValue]>,
    /// Where there is a timeline: which entries it keeps is known when all have come.
    record: Option<Box<EntryRecord>>,
}

impl Compact {
    pub fn places(&self, visit: &mut dyn FnMut(&Place)) {
        visit(&self.edge.place);
    }

    pub fn bytes(&self) -> usize {
        let values: usize = self.values.iter().map(value_bytes).sum();
        size_of::<Compact>() + values + self.record.as_ref().map_or(0, |record| record.bytes())
    }
}

impl Session {
    pub(super) fn compact(&self, entry: &Entry<'_>, misfits: &Misfits) -> Compact {
        let holds = |predicate: &Option<_>| {
            let predicate: Option<&jobspec::expr::Expr> = predicate.as_ref();
            predicate.is_some_and(|predicate| predicate.holds(entry, misfits))
        };
        Compact {
            edge: edge_of(entry),
            level: entry.level,
            starts: holds(&self.starts),
            ends: holds(&self.ends),
            values: self.measures.values(entry, misfits),
            record: (self.timeline > 0).then(|| Box::new(EntryRecord::new(entry))),
        }
    }

    pub(super) fn accepts_compact(&self, compact: &Compact) -> bool {
        self.measures.accepts_values(&compact.values)
            && match &compact.record {
                Some(record) => {
                    self.timeline > 0 && record.place == compact.edge.place && record.is_sound()
                }
                None => self.timeline == 0,
            }
    }

    /// Cuts the entries of one key into sessions.
    pub(super) fn cut_of_key(&self, entries: Vec<Compact>) -> Vec<Fragment> {
        let sessions = self.cut(entries.into_iter().map(|entry| (entry, ())).collect());
        sessions.into_iter().map(|(session, _)| session).collect()
    }

    /// Cuts the entries of one key, or of keys that are linked, into sessions, and what is said of each entry with them.
    pub(super) fn cut<T>(&self, mut entries: Vec<(Compact, T)>) -> Vec<(Fragment, Vec<T>)> {
        entries.sort_unstable_by_key(|(entry, _)| entry.edge.place);
        let mut sessions: Vec<(Fragment, Vec<T>)> = Vec::new();
        // Where the entry before stands, if it does not end its session.
        let mut before_ns = None;
        for (entry, said) in entries {
            let place = entry.edge.place;
            let goes_on = !entry.starts
                && before_ns.is_some_and(|before| self.is_near(before, place.time_ns));
            match sessions.last_mut() {
                Some((session, _)) if goes_on => session.add(entry.edge, entry.level),
                _ => {
                    let session = Fragment::new(entry.edge, entry.level, &self.measures);
                    sessions.push((session, Vec::new()));
                }
            }
            if let Some((session, all_said)) = sessions.last_mut() {
                all_said.push(said);
                self.measures
                    .add_values(&mut session.measures, &entry.values, &place);
                if let Some(record) = entry.record {
                    session.timeline.add(record, self.timeline);
                }
            }
            before_ns = (!entry.ends).then_some(place.time_ns);
        }
        sessions
    }
}
