//! The oracle of sessions: all entries of a key, or all that ids join, in order, cut one after the other.

use std::collections::{BTreeMap, BTreeSet};

use jobspec::expr::{Comparison, Expr};
use jobspec::plan::{OperatorKind, SessionKey, SessionPlan};
use jobspec::value::{Level, Value};

use super::aggregate::{What, measure, measured};
use super::corpus::{Cell, Corpus, Event, Random, SERVICE, STATUS, TOOK, USER};
use super::{Case, field, is_inside, named, predicate, range, select};

pub fn case(random: &mut Random, corpus: &Corpus) -> Case {
    let by = random.pick(&[&[SERVICE][..], &[USER], &[USER, STATUS]]);
    case_of(random, corpus, by, None)
}

pub fn linked_case(random: &mut Random, corpus: &Corpus) -> Case {
    let ids = random.pick(&[
        &[USER, STATUS][..],
        &[TOOK, USER],
        &[SERVICE],
        &[STATUS, TOOK, SERVICE],
    ]);
    let hub = random.pick(&[0, 1, 2, 3, 5, 8, 1000]);
    case_of(random, corpus, ids, Some(hub))
}

fn case_of(random: &mut Random, corpus: &Corpus, by: &[usize], hub: Option<u32>) -> Case {
    let (condition, admits) = predicate(random);
    let range = range(random);
    let gap_ns = random.pick(&[None, Some(0), Some(1_000_000_000), Some(20_000_000_000)]);
    let (starts, is_start) = edge_predicate(random, 503);
    let (ends, is_end) = edge_predicate(random, 200);
    let timeline = random.pick(&[0, 1, 2, 3, 5, 1000]);
    let max = random.pick(&[2, 10_000]);
    let whats = [
        What::Count,
        What::Sum,
        What::Max,
        What::Percentile(50.0),
        What::Last,
        What::Distinct,
    ];
    let measures: Vec<(What, usize)> = (0..random.below(3))
        .map(|_| (random.pick(&whats), random.pick(&[TOOK, STATUS])))
        .collect();
    let at_least = random.one_in(3).then(|| random.below(4) as u64);

    let admitted: Vec<&Event> = corpus
        .events()
        .filter(|event| is_inside(&range, event) && admits(event))
        .collect();
    let links = Links::new(&admitted, by, hub.unwrap_or(0) as usize);
    let groups = match hub {
        Some(_) => links.components(&admitted),
        None => keys(&admitted, by),
    };
    let mut rows = Vec::new();
    for mut events in groups {
        events.sort_by_key(|event| event.place);
        let sessions = events.chunk_by(|before, event| {
            let silence_ns = i128::from(event.place.time_ns) - i128::from(before.place.time_ns);
            gap_ns.is_none_or(|gap_ns: i64| silence_ns <= gap_ns.into())
                && !is_end(before)
                && !is_start(event)
        });
        for session in
            sessions.filter(|session| at_least.is_none_or(|least| session.len() as u64 >= least))
        {
            let times: Vec<_> = session.iter().filter_map(|event| event.time).collect();
            let is_certain = gap_ns.is_none_or(|gap_ns| {
                times.iter().all(|time| {
                    range.from_ns.is_none_or(|from| time.ns - from > gap_ns)
                        && range.to_ns.is_none_or(|to| to - time.ns > gap_ns)
                })
            });
            let names = |name: &dyn Fn(&Event) -> String| {
                let names: BTreeSet<String> = session
                    .iter()
                    .map(|event| format!("\"{}\"", name(event)))
                    .collect();
                names.into_iter().collect::<Vec<_>>().join(",")
            };
            let levels = Level::ALL.into_iter().filter_map(|level| {
                let count = session
                    .iter()
                    .filter(|event| event.level == Some(level))
                    .count();
                (count > 0).then(|| format!("\"{}\":{count}", level.name()))
            });
            let key = match hub {
                Some(_) => links.json(session, &events),
                None => key_json(&events, by),
            };
            let time = |time: Option<&jobspec::value::Time>| {
                time.map_or(Cell::Null, |time| Cell::Time(*time)).json()
            };
            let duration = match (times.first(), times.last()) {
                (Some(first), Some(last)) => Cell::Float((last.ns - first.ns) as f64 / 1e6),
                _ => Cell::Null,
            };
            let head = format!(
                "{{{key},\"start\":{},\"end\":{},\"duration_ms\":",
                time(times.first()),
                time(times.last()),
            );
            let shown: Vec<&Event> = match session.len() {
                count if count <= timeline => session.to_vec(),
                count => [
                    &session[..timeline.div_ceil(2)],
                    &session[count - timeline / 2..],
                ]
                .concat(),
            };
            let shown: Vec<String> = shown
                .iter()
                .map(|event| select::entry(corpus, event))
                .collect();
            let measured: String = measures
                .iter()
                .enumerate()
                .map(|(index, (what, field))| {
                    format!(",\"c{index}\":{}", measured(*what, session, *field))
                })
                .collect();
            let mut parts = shown.chunks(max);
            let row = format!(
                "{head}{},\"entries\":{},\"levels\":{{{}}},\"hosts\":[{}],\"logs\":[{}],\"certain\":{is_certain}{measured},\"timeline\":[{}],\"left_out\":{}}}",
                duration.json(),
                session.len(),
                levels.collect::<Vec<_>>().join(","),
                names(&|event| corpus.source(event).host.clone()),
                names(&|event| corpus.source(event).log.clone()),
                parts.next().unwrap_or_default().join(","),
                session.len() - shown.len(),
            );
            rows.push((session[0].place, 0, row));
            for (index, part) in parts.enumerate() {
                let nulls: String = (0..measures.len())
                    .map(|index| format!(",\"c{index}\":null"))
                    .collect();
                let row = format!(
                    "{head}null,\"entries\":null,\"levels\":null,\"hosts\":null,\"logs\":null,\"certain\":{is_certain}{nulls},\"timeline\":[{}],\"continued\":true}}",
                    part.join(","),
                );
                rows.push((session[0].place, index + 1, row));
            }
        }
    }
    rows.sort();

    let mut inner: Vec<_> = measures
        .iter()
        .map(|(what, field)| measure(*what, *field))
        .collect();
    inner.push(measure(What::Count, TOOK));
    let parts = by
        .iter()
        .map(|index| named(&format!("k{index}"), field(*index)));
    let kind = OperatorKind::Session(SessionPlan {
        predicate: condition,
        key: match hub {
            Some(hub) => SessionKey::Link {
                ids: parts.collect(),
                hub,
            },
            None => SessionKey::By(parts.collect()),
        },
        gap_ns,
        starts,
        ends,
        timeline: timeline as u32,
        select: (0..measures.len())
            .map(|index| named(&format!("c{index}"), Expr::Output(index as u16)))
            .collect(),
        having: at_least.map(|least| Expr::Compare {
            operator: Comparison::GreaterOrEqual,
            left: Box::new(Expr::Output(measures.len() as u16)),
            right: Box::new(Expr::Literal(Value::Int(least.into()))),
        }),
        measures: inner,
        max: max as u32,
    });
    Case {
        range,
        rows: rows.into_iter().map(|(_, _, row)| row).collect(),
        kind,
    }
}

/// The entries of each key.
fn keys<'a>(events: &[&'a Event], by: &[usize]) -> Vec<Vec<&'a Event>> {
    let mut keys: BTreeMap<Vec<String>, Vec<&Event>> = BTreeMap::new();
    for event in events {
        let texts = by.iter().map(|index| event.cells[*index].text());
        if let Some(texts) = texts.collect() {
            keys.entry(texts).or_default().push(event);
        }
    }
    keys.into_values().collect()
}

/// The key of entries that have one: of values of one text a number is shown.
fn key_json(events: &[&Event], by: &[usize]) -> String {
    let parts = by.iter().map(|index| {
        let mut cells = events.iter().map(|event| &event.cells[*index]);
        let number = cells.find(|cell| !matches!(cell, Cell::Text(_)));
        let cell = number.unwrap_or(&events[0].cells[*index]);
        format!("\"k{index}\":{}", cell.json())
    });
    format!("\"key\":{{{}}}", parts.collect::<Vec<_>>().join(","))
}

/// An id: its field and its text.
type Id = (usize, String);

/// All ids of a job.
struct Links {
    fields: Vec<usize>,
    hubs: BTreeSet<Id>,
}

impl Links {
    fn new(events: &[&Event], fields: &[usize], hub: usize) -> Links {
        let mut links = Links {
            fields: fields.to_vec(),
            hubs: BTreeSet::new(),
        };
        let mut beside: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
        for event in events {
            for id in links.ids(event) {
                let others = beside.entry(id.clone()).or_default();
                others.extend(links.ids(event).into_iter().filter(|other| *other != id));
            }
        }
        let hubs = beside.into_iter().filter(|(_, others)| others.len() > hub);
        links.hubs = hubs.map(|(id, _)| id).collect();
        links
    }

    fn ids(&self, event: &Event) -> BTreeSet<Id> {
        let id = |field: &usize| Some((*field, event.cells[*field].text()?));
        self.fields.iter().filter_map(id).collect()
    }

    /// Takes an entry, and then all that stand beside an id of what was taken, until there is none; entries that have
    /// nothing but hubs are together where they have the same.
    fn components<'a>(&self, events: &[&'a Event]) -> Vec<Vec<&'a Event>> {
        let mut left: Vec<&Event> = events.to_vec();
        left.retain(|event| !self.ids(event).is_empty());
        let mut components = Vec::new();
        while let Some(first) = left.pop() {
            let mut component = vec![first];
            let first_ids = self.ids(first);
            let mut joins: BTreeSet<Id> = first_ids.difference(&self.hubs).cloned().collect();
            loop {
                let (beside, others): (Vec<&Event>, Vec<&Event>) =
                    left.into_iter().partition(|event| match joins.is_empty() {
                        true => self.ids(event) == first_ids,
                        false => !self.ids(event).is_disjoint(&joins),
                    });
                left = others;
                if beside.is_empty() {
                    break;
                }
                for event in beside {
                    joins.extend(self.ids(event).difference(&self.hubs).cloned());
                    component.push(event);
                }
            }
            components.push(component);
        }
        components
    }

    /// The ids of some entries of a component. An id is shown as a number if it is one anywhere in it.
    fn json(&self, events: &[&Event], component: &[&Event]) -> String {
        let mut shown: BTreeMap<Id, &Cell> = BTreeMap::new();
        for event in component {
            for id in self.ids(event) {
                let cell = &event.cells[id.0];
                if !matches!(cell, Cell::Text(_)) || !shown.contains_key(&id) {
                    shown.insert(id, cell);
                }
            }
        }
        let ids: BTreeSet<Id> = events.iter().flat_map(|event| self.ids(event)).collect();
        let fields = self.fields.iter().map(|field| {
            let ids = ids.iter().filter(|id| id.0 == *field);
            let mut cells: Vec<&Cell> = ids.map(|id| shown[id]).collect();
            cells.sort_by(|left, right| match (left.number(), right.number()) {
                (Some(left), Some(right)) => left.total_cmp(&right),
                (None, None) => left.text().cmp(&right.text()),
                (left, right) => left.is_none().cmp(&right.is_none()),
            });
            let cells: Vec<String> = cells.into_iter().map(Cell::json).collect();
            format!("\"k{field}\":[{}]", cells.join(","))
        });
        format!("\"ids\":{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}

/// Sometimes a predicate that a status satisfies.
fn edge_predicate(
    random: &mut Random,
    status: i64,
) -> (Option<Expr>, impl Fn(&Event) -> bool + use<>) {
    let there = random.one_in(4);
    let expr = Expr::Compare {
        operator: Comparison::Equal,
        left: Box::new(field(STATUS)),
        right: Box::new(Expr::Literal(Value::Int(status.into()))),
    };
    let is_status = move |event: &Event| event.cells[STATUS].number() == Some(status as f64);
    (there.then_some(expr), move |event: &Event| {
        there && is_status(event)
    })
}
