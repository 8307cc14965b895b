//! A session or a part of one, as a summary: what lies between two silences.

use std::collections::BTreeMap;

use jobspec::value::{Level, OwnedValue, Time, Value};
use serde::{Deserialize, Serialize};

use super::timeline::Timeline;
use crate::entry::Place;
use crate::measure::{MeasurePartial, Measures};
use crate::operator::Sources;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Fragment {
    /// The first entry, and the last of those that have a time.
    pub first: Edge,
    pub last: Edge,
    pub entries: u64,
    /// By level, in order; entries without one are in none.
    levels: [u64; 6],
    /// A stream and a file of each host and log: enough to find their names.
    origins: BTreeMap<(u32, u16), (u32, u32)>,
    pub measures: Box<[MeasurePartial]>,
    pub timeline: Timeline,
}

/// Where an entry stands, and the digits of its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edge {
    pub place: Place,
    pub digits: u8,
}

impl Edge {
    pub fn time(&self) -> Option<Time> {
        (self.place.time_ns != Place::UNTIMED).then(|| Time::new(self.place.time_ns, self.digits))
    }

    /// Orders last edges: an entry without a time ends nothing while another has one.
    fn last_key(&self) -> (bool, Place) {
        (self.place.time_ns != Place::UNTIMED, self.place)
    }
}

impl Fragment {
    /// Of one entry, whose measures and timeline are still to be added.
    pub fn new(edge: Edge, level: Option<Level>, measures: &Measures) -> Fragment {
        let mut fragment = Fragment {
            first: edge,
            last: edge,
            entries: 0,
            levels: [0; 6],
            origins: BTreeMap::new(),
            measures: measures.empty(),
            timeline: Timeline::default(),
        };
        fragment.add(edge, level);
        fragment
    }

    pub fn add(&mut self, edge: Edge, level: Option<Level>) {
        let place = edge.place;
        self.reach(edge, edge);
        self.entries += 1;
        if let Some(level) = level {
            self.levels[level as usize] += 1;
        }
        self.originate((place.host, place.log), (place.stream, place.file));
    }

    pub fn merge(&mut self, other: Fragment, measures: &Measures, timeline: u32) {
        self.reach(other.first, other.last);
        self.entries = self.entries.saturating_add(other.entries);
        for (level, more) in self.levels.iter_mut().zip(other.levels) {
            *level = level.saturating_add(more);
        }
        for (origin, file) in other.origins {
            self.originate(origin, file);
        }
        measures.merge(&mut self.measures, other.measures);
        self.timeline.merge(other.timeline, timeline);
    }

    fn reach(&mut self, first: Edge, last: Edge) {
        if first.place < self.first.place {
            self.first = first;
        }
        if last.last_key() > self.last.last_key() {
            self.last = last;
        }
    }

    fn originate(&mut self, origin: (u32, u16), file: (u32, u32)) {
        let held = self.origins.entry(origin).or_insert(file);
        *held = (*held).min(file);
    }

    pub fn start_ns(&self) -> i64 {
        self.first.place.time_ns
    }

    pub fn end_ns(&self) -> i64 {
        self.last.place.time_ns
    }

    pub fn places(&self, visit: &mut dyn FnMut(&Place)) {
        for (&(host, log), &(stream, file)) in &self.origins {
            visit(&Place {
                host,
                log,
                stream,
                file,
                ..self.first.place
            });
        }
        self.timeline.places(visit);
    }

    pub fn bytes(&self) -> usize {
        let measures: usize = self.measures.iter().map(MeasurePartial::bytes).sum();
        size_of::<Fragment>() + 24 * self.origins.len() + measures + self.timeline.bytes()
    }

    pub fn levels(&self) -> OwnedValue {
        let counts = Level::ALL
            .into_iter()
            .zip(self.levels)
            .filter(|(_, count)| *count > 0);
        Value::Object(
            counts
                .map(|(level, count)| (level.name().to_owned(), Value::Int(count.into())))
                .collect(),
        )
    }

    /// The names of the hosts, and of the logs, sorted.
    pub fn hosts_and_logs(&self, sources: &dyn Sources) -> (OwnedValue, OwnedValue) {
        let sources: Vec<_> = self
            .origins
            .iter()
            .map(|(&(host, log), &(stream, file))| {
                sources.source(&Place {
                    host,
                    log,
                    stream,
                    file,
                    ..self.first.place
                })
            })
            .collect();
        let names = |mut names: Vec<&str>| {
            names.sort_unstable();
            names.dedup();
            Value::List(names.into_iter().map(Value::owned_text).collect())
        };
        (
            names(sources.iter().map(|source| source.host.as_str()).collect()),
            names(sources.iter().map(|source| source.log.as_str()).collect()),
        )
    }
}
