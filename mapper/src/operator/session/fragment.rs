//! A session or a part of one, as a summary: what lies between two silences.

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
    origins: Origins,
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

/// Of each host and log a stream and a file, the least: enough to find their names.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Origins {
    /// Most sessions have no other: nothing of it lies elsewhere.
    one: Origin,
    others: Vec<Origin>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Origin {
    host: u32,
    log: u16,
    stream: u32,
    file: u32,
}

impl Origin {
    fn of(place: Place) -> Origin {
        Origin {
            host: place.host,
            log: place.log,
            stream: place.stream,
            file: place.file,
        }
    }

    /// A place of it.
    fn place(self, like: Place) -> Place {
        Place {
            host: self.host,
            log: self.log,
            stream: self.stream,
            file: self.file,
            ..like
        }
    }

    fn is_like(self, other: Origin) -> bool {
        (self.host, self.log) == (other.host, other.log)
    }
}

impl Origins {
    fn of(place: Place) -> Origins {
        Origins {
            one: Origin::of(place),
            others: Vec::new(),
        }
    }

    fn iter(&self) -> impl Iterator<Item = Origin> {
        std::iter::once(self.one).chain(self.others.iter().copied())
    }

    /// Keeps them sorted, so that they are the same in whatever order they come.
    fn add(&mut self, origin: Origin) {
        if origin.is_like(self.one) {
            self.one = self.one.min(origin);
            return;
        }
        let mut origin = origin;
        if origin < self.one {
            std::mem::swap(&mut self.one, &mut origin);
        }
        let key = (origin.host, origin.log);
        match self
            .others
            .binary_search_by_key(&key, |held| (held.host, held.log))
        {
            Ok(at) => self.others[at] = self.others[at].min(origin),
            Err(at) => self.others.insert(at, origin),
        }
    }

    fn bytes(&self) -> usize {
        size_of::<Origin>() * self.others.len()
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
            origins: Origins::of(edge.place),
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
        self.origins.add(Origin::of(place));
    }

    pub fn merge(&mut self, other: Fragment, measures: &Measures, timeline: u32) {
        self.reach(other.first, other.last);
        self.entries = self.entries.saturating_add(other.entries);
        for (level, more) in self.levels.iter_mut().zip(other.levels) {
            *level = level.saturating_add(more);
        }
        for origin in other.origins.iter() {
            self.origins.add(origin);
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

    pub fn start_ns(&self) -> i64 {
        self.first.place.time_ns
    }

    pub fn end_ns(&self) -> i64 {
        self.last.place.time_ns
    }

    pub fn places(&self, visit: &mut dyn FnMut(&Place)) {
        for origin in self.origins.iter() {
            visit(&origin.place(self.first.place));
        }
        self.timeline.places(visit);
    }

    pub fn bytes(&self) -> usize {
        let measures: usize = self.measures.iter().map(MeasurePartial::bytes).sum();
        size_of::<Fragment>() + self.origins.bytes() + measures + self.timeline.bytes()
    }

    pub fn levels(&self) -> OwnedValue {
        let counts = Level::ALL
            .into_iter()
            .zip(self.levels)
            .filter(|(_, count)| *count > 0);
        Value::Object(
            counts
                .map(|(level, count)| (level.name().into(), Value::Int(count.into())))
                .collect(),
        )
    }

    /// The names of the hosts, and of the logs, sorted.
    pub fn hosts_and_logs<'s>(&self, sources: &'s dyn Sources) -> (Value<'s>, Value<'s>) {
        let sources: Vec<_> = self
            .origins
            .iter()
            .map(|origin| sources.source(&origin.place(self.first.place)))
            .collect();
        let names = |mut names: Vec<&'s str>| {
            names.sort_unstable();
            names.dedup();
            let names = names.into_iter().map(str::as_bytes);
            Value::List(names.map(Value::text).collect())
        };
        (
            names(sources.iter().map(|source| source.host.as_str()).collect()),
            names(sources.iter().map(|source| source.log.as_str()).collect()),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_each_host_and_log_the_least_file_is_named() {
        let edge = |(host, log, stream, file): (u32, u16, u32, u32)| Edge {
            place: Place {
                time_ns: i64::from(host),
                host,
                log,
                stream,
                file,
                offset: 7,
            },
            digits: 0,
        };
        let measures = Measures::new(&[]);
        let of = |places: &[(u32, u16, u32, u32)]| {
            let edges = places.iter().map(|place| edge(*place));
            let fragments = edges.map(|edge| Fragment::new(edge, None, &measures));
            let fragment = fragments.reduce(|mut left, right| {
                left.merge(right, &measures, 0);
                left
            });
            let mut named = Vec::new();
            fragment.unwrap().places(&mut |place| {
                named.push((place.host, place.log, place.stream, place.file));
            });
            named
        };
        let places = [
            (2, 1, 3, 4),
            (1, 2, 5, 6),
            (2, 1, 3, 3),
            (1, 0, 9, 1),
            (1, 0, 8, 2),
        ];
        let least = [(1, 0, 8, 2), (1, 2, 5, 6), (2, 1, 3, 3)];
        assert_eq!(of(&places), least);
        let mut reversed = places;
        reversed.reverse();
        assert_eq!(of(&reversed), least);
    }
}
