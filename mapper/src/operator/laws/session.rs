//! The oracle of sessions: all entries of a key in order, cut one after the other.

use std::collections::{BTreeMap, BTreeSet};

use jobspec::expr::{Comparison, Expr};
use jobspec::plan::{OperatorKind, SessionKey, SessionPlan};
use jobspec::value::{Level, Value};

use super::aggregate::{What, measure, measured};
use super::corpus::{Cell, Corpus, Event, Random, SERVICE, STATUS, TOOK, USER};
use super::{Case, field, is_inside, named, predicate, range, select};

pub fn case(random: &mut Random, corpus: &Corpus) -> Case {
    let (condition, admits) = predicate(random);
    let range = range(random);
    let by = random.pick(&[&[SERVICE][..], &[USER], &[USER, STATUS]]);
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

    let mut keys: BTreeMap<Vec<String>, (Vec<Cell>, Vec<&Event>)> = BTreeMap::new();
    for event in corpus
        .events()
        .filter(|event| is_inside(&range, event) && admits(event))
    {
        let cells: Vec<Cell> = by.iter().map(|index| event.cells[*index].clone()).collect();
        let Some(texts) = cells.iter().map(Cell::text).collect() else {
            continue;
        };
        let held = keys
            .entry(texts)
            .or_insert_with(|| (cells.clone(), Vec::new()));
        for (shown, cell) in held.0.iter_mut().zip(cells) {
            if matches!(cell, Cell::Int(_)) {
                *shown = cell;
            }
        }
        held.1.push(event);
    }
    let mut rows = Vec::new();
    for (key, events) in keys.values_mut() {
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
            let key = by.iter().zip(key.iter());
            let key = key
                .map(|(index, cell)| format!("\"k{index}\":{}", cell.json()))
                .collect::<Vec<_>>();
            let time = |time: Option<&jobspec::value::Time>| {
                time.map_or(Cell::Null, |time| Cell::Time(*time)).json()
            };
            let duration = match (times.first(), times.last()) {
                (Some(first), Some(last)) => Cell::Float((last.ns - first.ns) as f64 / 1e6),
                _ => Cell::Null,
            };
            let head = format!(
                "{{\"key\":{{{}}},\"start\":{},\"end\":{},\"duration_ms\":",
                key.join(","),
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
    let kind = OperatorKind::Session(SessionPlan {
        predicate: condition,
        key: SessionKey::By(
            by.iter()
                .map(|index| named(&format!("k{index}"), field(*index)))
                .collect(),
        ),
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
