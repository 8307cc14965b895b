//! A session or a part of one, as a summary: what lies between two silences.

use jobspec::value::{Level, Time, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::timeline::Timeline;
use crate::entry::{Place, Source};
use crate::measure::{MeasurePartial, Measures, Partials};
use crate::operator::Sources;

#[derive(Clone, Debug)]
pub struct Fragment {
    /// The first entry, and the last of those that have a time.
    pub first: Edge,
    pub last: Edge,
    pub entries: u64,
    /// By level, in order; entries without one are in none.
    levels: [u64; 6],
    origins: Origins,
    pub measures: Partials,
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
#[derive(Clone, Debug)]
struct Origins {
    /// Most sessions have no other: nothing of it lies elsewhere.
    one: Origin,
    others: Others,
}

/// Small where there are none.
type Others = Option<Box<Vec<Origin>>>;

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
            others: None,
        }
    }

    fn others(&self) -> &[Origin] {
        self.others.as_deref().map_or(&[], Vec::as_slice)
    }

    fn iter(&self) -> impl Iterator<Item = Origin> + Clone {
        std::iter::once(self.one).chain(self.others().iter().copied())
    }

    /// Keeps them sorted, so that they are the same in whatever order they come.
    #[inline]
    fn add(&mut self, origin: Origin) {
        if origin.is_like(self.one) {
            self.one = self.one.min(origin);
        } else {
            self.add_other(origin);
        }
    }

    fn add_other(&mut self, origin: Origin) {
        let mut origin = origin;
        if origin < self.one {
            std::mem::swap(&mut self.one, &mut origin);
        }
        let key = (origin.host, origin.log);
        let others = self.others.get_or_insert_default();
        match others.binary_search_by_key(&key, |held| (held.host, held.log)) {
            Ok(at) => others[at] = others[at].min(origin),
            Err(at) => others.insert(at, origin),
        }
    }

    fn bytes(&self) -> usize {
        size_of_val(self.others())
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

    pub fn levels(&self) -> Value<'static> {
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
        let places = self.origins.iter();
        let sources = places.map(|origin| sources.source(&origin.place(self.first.place)));
        let names = |name: fn(&Source) -> &str| {
            let mut names: Vec<&str> = sources.clone().map(name).collect();
            names.sort_unstable();
            names.dedup();
            let names = names.into_iter().map(str::as_bytes);
            Value::List(names.map(Value::text).collect())
        };
        (names(|source| &source.host), names(|source| &source.log))
    }
}

/// A fragment as it travels: most are of one place in a log and a little time, and the last entry is told by the first.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Fragment")]
struct Parts<M, T> {
    first: Edge,
    last: LastEdge,
    entries: u64,
    levels: [u64; 6],
    /// None: that of the first entry.
    origin: Option<Origin>,
    others: Others,
    measures: M,
    timeline: T,
}

#[derive(Serialize, Deserialize)]
enum LastEdge {
    /// In the file of the first entry; what it is more than that, modulo 2^64.
    Near {
        ns: u64,
        offset: u64,
        digits: u8,
    },
    Elsewhere(Edge),
}

impl LastEdge {
    fn of(first: Edge, last: Edge) -> LastEdge {
        if Origin::of(first.place) != Origin::of(last.place) {
            return LastEdge::Elsewhere(last);
        }
        LastEdge::Near {
            ns: last.place.time_ns.wrapping_sub(first.place.time_ns) as u64,
            offset: last.place.offset.wrapping_sub(first.place.offset),
            digits: last.digits,
        }
    }

    fn edge(self, first: Edge) -> Edge {
        match self {
            LastEdge::Near { ns, offset, digits } => Edge {
                place: Place {
                    time_ns: first.place.time_ns.wrapping_add(ns as i64),
                    offset: first.place.offset.wrapping_add(offset),
                    ..first.place
                },
                digits,
            },
            LastEdge::Elsewhere(last) => last,
        }
    }
}

impl Serialize for Fragment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (first, one) = (self.first, self.origins.one);
        let parts = Parts {
            first,
            last: LastEdge::of(first, self.last),
            entries: self.entries,
            levels: self.levels,
            origin: (one != Origin::of(first.place)).then_some(one),
            others: self.origins.others.clone(),
            measures: &self.measures,
            timeline: &self.timeline,
        };
        parts.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Fragment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fragment, D::Error> {
        let parts: Parts<Partials, Timeline> = Parts::deserialize(deserializer)?;
        let first = parts.first;
        Ok(Fragment {
            first,
            last: parts.last.edge(first),
            entries: parts.entries,
            levels: parts.levels,
            origins: Origins {
                one: parts.origin.unwrap_or(Origin::of(first.place)),
                others: parts.others,
            },
            measures: parts.measures,
            timeline: parts.timeline,
        })
    }
}

#[cfg(test)]
mod tests {
    use jobspec::expr::Measure;

    use super::*;
    use crate::frame;
    use crate::operator::laws::corpus::Random;

    #[test]
    fn what_travels_is_the_same_fragment() {
        let measures = Measures::new(&[Measure::Count]);
        let mut random = Random::new(3);
        let numbers = [0, 1, 7, i64::MIN, Place::UNTIMED];
        for _ in 0..500 {
            let edges = [(); 3].map(|()| Edge {
                place: Place {
                    time_ns: random.pick(&numbers),
                    host: random.pick(&[0, 0, 0, 1]),
                    log: random.pick(&[0, 0, 1]),
                    stream: 0,
                    file: random.pick(&[0, 0, 2]),
                    offset: random.pick(&numbers) as u64,
                },
                digits: random.pick(&[0, 9]),
            });
            let fragments = edges.map(|edge| Fragment::new(edge, Some(Level::Info), &measures));
            let fragment = fragments.into_iter().reduce(|mut left, right| {
                left.merge(right, &measures, 0);
                left
            });
            let bytes = frame::to_bytes(&fragment);
            let again: Option<Fragment> = frame::from_bytes(&bytes).unwrap();
            assert_eq!(format!("{fragment:?}"), format!("{again:?}"));
        }
    }

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
