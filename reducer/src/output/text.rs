//! `report.txt`: what a person pastes into a ticket. The verdict, then the first rows of every operator, in columns that
//! stand below each other, no line longer than a ticket shows, and nothing in it that a terminal would obey.

use std::fmt::Write;

use jobspec::plan::OperatorKind;
use jobspec::value::{OwnedValue, Value};

use super::digest::{KeptRow, OperatorDigest, list, member};
use super::report::Report;
use super::shown::{counted, duration, shown_line, shown_value, time_of_day};

/// Rows of a table, rows that are told one by one, and lines of each.
const TABLE_ROWS: usize = 20;
const TOLD_ROWS: usize = 5;
const LINES: usize = 12;
/// Characters of a cell, and of a line of a log.
const CELL: usize = 40;
const LINE: usize = 140;
/// Lost hosts and findings that are named.
const NAMED: usize = 20;

pub fn page(report: &Report<'_>) -> String {
    let summary = report.summary.json();
    let member = |name: &str| {
        summary[name]
            .as_str()
            .map(|text| shown_line(text.as_bytes(), 60))
    };
    let mut out = String::new();
    let mut say = |line: String| {
        out.push_str(line.trim_end());
        out.push('\n');
    };
    let word = match (
        summary["completeness"]["complete"] == true,
        summary["completeness"]["enough"] == true,
    ) {
        (true, _) => "complete",
        (false, true) => "INCOMPLETE",
        (false, false) => "LESS COMPLETE THAN REQUIRED",
    };
    let job = shown_line(report.summary.job.as_bytes(), 200);
    say(format!("{job}: {word}"));
    say(format!(
        "  {}",
        shown_line(report.summary.line.as_bytes(), 400)
    ));
    say(format!(
        "  from {} to {}; run of {}",
        member("from").unwrap_or("the beginning".to_owned()),
        member("to").unwrap_or("the end".to_owned()),
        member("started").unwrap_or_default()
    ));
    for line in report.lines {
        let text = format!("{}: {}: {}", line.outcome, line.name, line.why);
        say(format!("  {}", shown_line(text.as_bytes(), 300)));
    }
    for finding in report.summary.findings.iter().take(NAMED) {
        say(format!("  ! {}", shown_line(finding.as_bytes(), 300)));
    }
    for (index, operator) in report.digest.operators().iter().enumerate() {
        let figures = summary["operators"][index]["figures"]
            .as_str()
            .unwrap_or_default();
        let figures = match figures {
            "complete" => String::new(),
            less => format!(", {less}"),
        };
        say(String::new());
        say(format!(
            "{} ({}, {} {}{figures})",
            operator.name,
            operator.kind.name(),
            operator.rows,
            if operator.rows == 1 { "row" } else { "rows" },
        ));
        let lines = match operator.kind {
            OperatorKind::Session(_) | OperatorKind::Sequence(_) | OperatorKind::Context(_) => {
                told(operator)
            }
            _ => table(operator),
        };
        for line in lines.0 {
            say(format!("  {line}"));
        }
        let more = operator.rows - lines.1 as u64;
        if more > 0 {
            let file = report
                .rows_in
                .map(|extension| format!(" in {}.{extension}", operator.name));
            say(format!("  … {more} more{}", file.unwrap_or_default()));
        }
    }
    out
}

/// The lines of a table, and how many rows they are.
fn table(operator: &OperatorDigest<'_>) -> (Vec<String>, usize) {
    let is_entry = operator.column("raw").is_some() && operator.column("fields").is_some();
    let shown =
        |name: &str| !(is_entry && matches!(name, "raw" | "fields" | "offset" | "line" | "valid"));
    let columns: Vec<usize> = operator
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| shown(&column.name))
        .map(|(index, _)| index)
        .collect();
    let rows: Vec<&KeptRow> = operator.kept.iter().take(TABLE_ROWS).collect();
    let is_number = |index: usize| {
        rows.iter().all(|kept| {
            matches!(
                kept.row[index],
                Value::Int(_) | Value::Float(_) | Value::Null
            )
        })
    };
    let mut lines = vec![String::new(); rows.len() + 1];
    for (place, index) in columns.iter().enumerate() {
        let most = if place + 1 == columns.len() {
            LINE
        } else {
            CELL
        };
        let head = shown_line(operator.columns[*index].name.as_bytes(), 80);
        let cells = rows.iter().map(|kept| cell(&kept.row[*index]));
        let cells: Vec<String> = std::iter::once(head)
            .chain(cells)
            .map(|cell| cut(&cell, most))
            .collect();
        let width = cells
            .iter()
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0);
        for (line, cell) in lines.iter_mut().zip(&cells) {
            if !line.is_empty() || place > 0 {
                line.push_str("  ");
            }
            let _ = match is_number(*index) {
                true => write!(line, "{cell:>width$}"),
                false => write!(line, "{cell:<width$}"),
            };
        }
    }
    if rows.is_empty() {
        lines.clear();
    }
    (lines, rows.len())
}

fn cell(value: &OwnedValue) -> String {
    match value {
        Value::Null => "-".to_owned(),
        value => shown_value(value, 600),
    }
}

/// Rows one by one, with their first lines, and how many rows they are.
fn told(operator: &OperatorDigest<'_>) -> (Vec<String>, usize) {
    let mut lines = Vec::new();
    let rows = operator.kept.iter().take(TOLD_ROWS);
    let count = rows.len();
    for kept in rows {
        let value = |name: &str| operator.value(kept, name);
        let mut head = match operator.kind {
            OperatorKind::Context(_) => format!(
                "{} {}: {}",
                shown_value(value("host"), 60),
                shown_value(value("log"), 60),
                match value("matches") {
                    Value::Int(count) => counted(*count, "match", "matches"),
                    _ => String::new(),
                }
            ),
            _ => {
                let key = match value("ids") {
                    Value::Null => value("key"),
                    ids => ids,
                };
                let took = value("duration_ms").as_f64().unwrap_or(0.0);
                format!(
                    "{}: {} on {}",
                    shown_value(key, 200),
                    duration(took),
                    shown_value(value("hosts"), 200)
                )
            }
        };
        if value("certain") == &Value::Bool(false) {
            head.push_str(", uncertain");
        }
        if let OperatorKind::Session(plan) = operator.kind {
            for named in &plan.select {
                let _ = write!(head, ", {} {}", named.name, cell(value(&named.name)));
            }
        }
        lines.push(cut(&head, LINE));
        let entries = entries(operator, kept);
        let shown = entries.len().min(LINES);
        lines.extend(
            entries[..shown]
                .iter()
                .map(|(step, entry)| line(step, entry)),
        );
        if entries.len() > shown {
            lines.push(format!("    … {} more entries", entries.len() - shown));
        }
    }
    (lines, count)
}

/// Entries of a row, each with its step; of a window those about the first match.
fn entries<'r>(operator: &OperatorDigest<'_>, kept: &'r KeptRow) -> Vec<(String, &'r OwnedValue)> {
    let plain = |name: &str| -> Vec<(String, &'r OwnedValue)> {
        let entries = list(operator.value(kept, name)).iter();
        entries.map(|entry| (String::new(), entry)).collect()
    };
    match operator.kind {
        OperatorKind::Context(_) => {
            let mut entries = plain("entries");
            let is_match = |(_, entry): &(String, &OwnedValue)| {
                member(entry, "match") == Some(&Value::Bool(true))
            };
            let first = entries.iter().position(is_match).unwrap_or(0);
            entries.drain(..first.saturating_sub(LINES / 2));
            entries
        }
        OperatorKind::Session(_) => plain("timeline"),
        _ => {
            let steps = list(operator.value(kept, "steps")).iter();
            let of_step = |step: &'r OwnedValue| {
                let name = member(step, "name").map_or(String::new(), |name| shown_value(name, 30));
                let entries = member(step, "entries").map_or(&[][..], |entries| list(entries));
                entries.iter().map(move |entry| (name.clone(), entry))
            };
            steps.flat_map(of_step).collect()
        }
    }
}

fn line(step: &str, entry: &OwnedValue) -> String {
    if let Value::Int(left_out) = entry {
        return format!("    … {left_out} entries");
    }
    let is_match = member(entry, "match") == Some(&Value::Bool(true));
    let mut line = String::from(if is_match { "  > " } else { "    " });
    if let Some(Value::Time(time)) = member(entry, "time") {
        let _ = write!(line, "{} ", time_of_day(time));
    }
    for name in ["host", "level"] {
        if let Some(value) = member(entry, name).filter(|value| !value.is_null()) {
            let _ = write!(line, "{} ", shown_value(value, 40));
        }
    }
    if !step.is_empty() {
        let _ = write!(line, "[{step}] ");
    }
    let message = member(entry, "message").filter(|message| !message.is_null());
    let text = message
        .or(member(entry, "raw"))
        .map(|text| text.to_text().into_owned());
    let text = text.unwrap_or_default();
    // Of several lines the first: a trace is in the rows.
    line.push_str(&shown_line(
        text.split(|byte| *byte == b'\n').next().unwrap_or_default(),
        400,
    ));
    cut(&line, LINE)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => {
            let end = text[..end]
                .char_indices()
                .next_back()
                .map_or(0, |(end, _)| end);
            format!("{}…", &text[..end])
        }
        None => text.to_owned(),
    }
}
