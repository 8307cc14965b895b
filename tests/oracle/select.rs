//! Rows: filter, sort, cut off.

use std::cmp::Ordering;

use super::predicate::optional;
use super::{Cell, Entry, Facts, Question, Random, json_text};

pub fn question(random: &mut Random, facts: &Facts) -> Question {
    let (logs, facts) = facts.some_logs(random);
    let (condition, admits) = optional(random);
    let mut entries: Vec<&Entry> = facts
        .entries()
        .filter(|entry| facts.is_inside(entry) && admits(entry))
        .collect();
    entries.sort_by_key(|entry| entry.order());

    let mut toml = format!("[select.rows]\n{logs}{condition}");
    let descending = random.one_in(2);
    if random.one_in(2) {
        let by = random.pick(&["n", "user", "status", "time"]);
        let direction = if descending { " DESC" } else { "" };
        toml += &format!("order = \"{by}{direction}\"\n");
        let cell = |entry: &Entry| match by {
            "time" => entry.time_cell(),
            field => entry.cell(field),
        };
        // Stable: ties stay in the total order.
        entries.sort_by(|left, right| by_value(&cell(left), &cell(right), descending));
    }
    if random.one_in(2) {
        let limit = random.pick(&[1, 2, 5, 40, 1_000_000]);
        toml += &format!("limit = {limit}\n");
        entries.truncate(limit);
    }
    let is_whole = random.one_in(2);
    if !is_whole {
        toml += "columns = [\"n\", \"host\", \"time\"]\n";
    }
    let rows = entries.iter().map(|entry| match is_whole {
        true => entry.json(),
        false => format!(
            "{{\"n\":{},\"host\":{},\"time\":{}}}",
            entry.cell("n").json(),
            json_text(&entry.host),
            entry.time_cell().json()
        ),
    });
    Question {
        name: "rows",
        rows: rows.collect(),
        toml,
    }
}

/// NULL last, whatever the direction. One number or one moment is one value, however it was written.
pub fn by_value(left: &Cell, right: &Cell, descending: bool) -> Ordering {
    let is_null = |cell: &Cell| cell.text().is_none();
    let ordering = match (left, right, left.number(), right.number()) {
        (_, _, Some(left), Some(right)) => left.total_cmp(&right),
        (Cell::Time(left), Cell::Time(right), ..) => left.ns.cmp(&right.ns),
        _ => left.compare(right),
    };
    match is_null(left).cmp(&is_null(right)) {
        Ordering::Equal if descending => ordering.reverse(),
        Ordering::Equal => ordering,
        null_last => null_last,
    }
}
