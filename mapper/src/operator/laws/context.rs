//! The oracle of contexts: whole streams at once, and for each match a walk to both sides.

use jobspec::expr::Expr;
use jobspec::plan::{ContextPlan, OperatorKind, Reach};
use jobspec::value::Value;

use super::corpus::{Cell, Corpus, Event, Random};
use super::{Case, is_inside, predicate, range, select};

pub fn case(random: &mut Random, corpus: &Corpus) -> Case {
    let (condition, admits) = predicate(random);
    let range = range(random);
    let mut reach = || match random.below(2) {
        0 => Reach::Entries(random.pick(&[0, 1, 2, 5, 100])),
        _ => Reach::DurationNs(random.pick(&[
            0,
            500_000_000,
            1_000_000_000,
            3_000_000_000,
            40_000_000_000,
        ])),
    };
    let (before, after) = (reach(), reach());
    let max = random.pick(&[1, 3, 10_000]);

    let mut rows = Vec::new();
    for events in &corpus.streams {
        let is_match = |event: &Event| is_inside(&range, event) && admits(event);
        let mut covered = vec![false; events.len()];
        for (index, event) in events
            .iter()
            .enumerate()
            .filter(|(_, event)| is_match(event))
        {
            covered[index] = true;
            let back = (0..index).rev().zip(1..);
            for (other, _) in
                back.take_while(|(other, far)| reaches(before, event, &events[*other], *far))
            {
                covered[other] = true;
            }
            let forth = (index + 1..events.len()).zip(1..);
            for (other, _) in
                forth.take_while(|(other, far)| reaches(after, event, &events[*other], *far))
            {
                covered[other] = true;
            }
        }
        let mut index = 0;
        while index < events.len() {
            let length = covered[index..]
                .iter()
                .take_while(|covered| **covered)
                .count();
            for (part, window) in events[index..index + length]
                .chunks(max as usize)
                .enumerate()
            {
                rows.push((window[0].place, row(corpus, window, part > 0, &is_match)));
            }
            index += length.max(1);
        }
    }
    rows.sort();
    let kind = OperatorKind::Context(ContextPlan {
        predicate: condition.unwrap_or(Expr::Literal(Value::Bool(true))),
        before,
        after,
        max,
    });
    Case {
        range,
        rows: rows.into_iter().map(|(_, row)| row).collect(),
        kind,
    }
}

/// Whether a window still goes on at an entry so many entries away.
fn reaches(reach: Reach, event: &Event, other: &Event, far: u32) -> bool {
    match reach {
        Reach::Entries(most) => far <= most,
        Reach::DurationNs(duration_ns) => match (event.time, other.time) {
            (Some(time), Some(other)) => (time.ns - other.ns).abs() <= duration_ns,
            _ => false,
        },
    }
}

fn row(
    corpus: &Corpus,
    window: &[Event],
    continued: bool,
    is_match: &dyn Fn(&Event) -> bool,
) -> String {
    let source = corpus.source(&window[0]);
    let time = |event: &Event| event.time.map_or(Cell::Null, Cell::Time).json();
    let entries = window.iter().map(|event| {
        let entry = select::entry(corpus, event);
        format!(
            "{},\"match\":{}}}",
            &entry[..entry.len() - 1],
            is_match(event)
        )
    });
    format!(
        "{{\"host\":\"{}\",\"log\":\"{}\",\"start\":{},\"end\":{},\"matches\":{},\"entries\":[{}]{}}}",
        source.host,
        source.log,
        time(&window[0]),
        time(&window[window.len() - 1]),
        window.iter().filter(|event| is_match(event)).count(),
        entries.collect::<Vec<_>>().join(","),
        if continued { ",\"continued\":true" } else { "" },
    )
}
