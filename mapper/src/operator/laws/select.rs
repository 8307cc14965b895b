//! The oracle of selects: filter, sort, cut off.

use std::cmp::Ordering;

use jobspec::expr::{Column, Expr};
use jobspec::plan::{OperatorKind, Order, SelectPlan};

use super::corpus::{Corpus, Event, FIELDS, Random, TOOK, USER};
use super::{Case, field, is_inside, named, predicate, range};

pub fn case(random: &mut Random, corpus: &Corpus) -> Case {
    let (predicate, admits) = predicate(random);
    let range = range(random);
    let mut events: Vec<&Event> = corpus
        .events()
        .filter(|event| is_inside(&range, event) && admits(event))
        .collect();
    events.sort_by_key(|event| event.place);

    let descending = random.one_in(2);
    let order = random.pick(&[None, Some(TOOK), Some(USER), Some(usize::MAX)]);
    if let Some(by) = order {
        events.sort_by(|left, right| match rank(left, by).cmp(&rank(right, by)) {
            // NULL last, whatever the direction.
            Ordering::Equal if rank(left, by) == 2 => Ordering::Equal,
            ordering if rank(left, by) == 2 || rank(right, by) == 2 => ordering,
            ordering => {
                let ordering = ordering.then_with(|| within(left, right, by));
                if descending {
                    ordering.reverse()
                } else {
                    ordering
                }
            }
        });
    }
    let limit = random
        .one_in(2)
        .then(|| random.pick(&[0, 1, 2, 5, 40, 1_000_000]));
    events.truncate(limit.unwrap_or(u64::MAX).try_into().unwrap_or(usize::MAX));

    let whole = random.one_in(2);
    let rows = events.iter().map(|event| match whole {
        true => entry(corpus, event),
        false => format!(
            "{{\"took\":{},\"host\":\"{}\"}}",
            event.cells[TOOK].json(),
            corpus.source(event).host
        ),
    });
    let columns = vec![
        named("took", field(TOOK)),
        named("host", Expr::Column(Column::Host)),
    ];
    let order = order.map(|by| Order {
        expr: if by == usize::MAX {
            Expr::Column(Column::Time)
        } else {
            field(by)
        },
        descending,
    });
    let kind = OperatorKind::Select(SelectPlan {
        predicate,
        columns: (!whole).then_some(columns),
        order: order.into_iter().collect(),
        limit,
        from_sql: false,
    });
    Case {
        range,
        rows: rows.collect(),
        kind,
    }
}

/// Numbers, texts and times, NULL.
fn rank(event: &Event, by: usize) -> u8 {
    match event.cells.get(by) {
        Some(cell) if cell.text().is_none() => 2,
        Some(cell) if cell.number().is_some() => 0,
        Some(_) => 1,
        None if event.time.is_none() => 2,
        None => 1,
    }
}

fn within(left: &Event, right: &Event, by: usize) -> Ordering {
    match (left.cells.get(by), right.cells.get(by)) {
        (Some(left), Some(right)) => match (left.number(), right.number()) {
            (Some(left), Some(right)) => left.total_cmp(&right),
            _ => left.text().cmp(&right.text()),
        },
        _ => left.place.time_ns.cmp(&right.place.time_ns),
    }
}

/// A whole entry, as DESIGN's outputs have it.
pub fn entry(corpus: &Corpus, event: &Event) -> String {
    let source = corpus.source(event);
    let quoted = |text: &str| super::corpus::Cell::json_text(text);
    let mut parts = vec![
        format!(
            "\"time\":{}",
            event
                .time
                .map_or("null".to_owned(), |time| quoted(&time.to_string()))
        ),
        format!("\"host\":{}", quoted(&source.host)),
        format!("\"log\":{}", quoted(&source.log)),
        format!("\"file\":{}", quoted(&source.file)),
        format!("\"offset\":{}", event.place.offset),
        format!("\"line\":{}", event.line),
        format!(
            "\"level\":{}",
            event
                .level
                .map_or("null".to_owned(), |level| quoted(level.name()))
        ),
    ];
    let raw = String::from_utf8_lossy(&event.raw);
    let message = raw.chars().next().map(String::from);
    parts.push(format!(
        "\"message\":{}",
        message.map_or("null".to_owned(), |message| quoted(&message))
    ));
    parts.push(format!("\"raw\":{}", quoted(&raw)));
    let mut fields = Vec::new();
    if event.valid {
        for (name, cell) in FIELDS.iter().zip(&event.cells) {
            if *cell != super::corpus::Cell::Missing {
                fields.push(format!("{}:{}", quoted(name), cell.json()));
            }
        }
    } else {
        parts.push("\"valid\":false".to_owned());
    }
    parts.push(format!("\"fields\":{{{}}}", fields.join(",")));
    format!("{{{}}}", parts.join(","))
}
