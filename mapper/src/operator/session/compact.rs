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
    pub(super) fn cut(&self, mut entries: Vec<Compact>) -> Vec<Fragment> {
        entries.sort_unstable_by_key(|entry| entry.edge.place);
        let mut sessions: Vec<Fragment> = Vec::new();
        // Where the entry before stands, if it does not end its session.
        let mut before_ns = None;
        for entry in entries {
            let place = entry.edge.place;
            let goes_on = !entry.starts
                && before_ns.is_some_and(|before| self.is_near(before, place.time_ns));
            match sessions.last_mut() {
                Some(session) if goes_on => session.add(entry.edge, entry.level),
                _ => sessions.push(Fragment::new(entry.edge, entry.level, &self.measures)),
            }
            if let Some(session) = sessions.last_mut() {
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
