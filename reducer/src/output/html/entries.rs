//! Log lines: time, level, message and where it stands in which file, with the match marked and links to the other places
//! that show the line.

use jobspec::value::{OwnedValue, Value};
use maud::{Markup, html};

use super::links::{Links, line_anchor};
use crate::output::digest::member;
use crate::output::shown::{shown, shown_line, time_of_day};

/// Of a line so much is shown at once, and so much where it is opened.
const LINE_BYTES: usize = 300;
const OPENED_BYTES: usize = 1_500;

/// Lines as a list. `step` says what an entry is in its row: the name of a sequence's step.
pub fn lines(
    entries: &[&OwnedValue],
    steps: &[String],
    links: &Links,
    row: &str,
    with_host: bool,
) -> Vec<Markup> {
    let lines = entries.iter().enumerate();
    lines
        .map(|(index, entry)| match entry {
            Value::Int(left_out) => html! { li.gap { "… " (left_out) " entries left out" } },
            entry => line(entry, steps.get(index), links, row, index, with_host),
        })
        .collect()
}

fn line(
    entry: &OwnedValue,
    step: Option<&String>,
    links: &Links,
    row: &str,
    index: usize,
    with_host: bool,
) -> Markup {
    let text = |name: &str| match member(entry, name) {
        Some(value) => value.to_text().into_owned(),
        None => Vec::new(),
    };
    let is_match = member(entry, "match") == Some(&Value::Bool(true));
    let raw = text("raw");
    let message = match text("message") {
        message if message.is_empty() => raw.clone(),
        message => message,
    };
    let first = message
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let is_whole = first.len() == message.len() && message.len() <= LINE_BYTES && raw == message;
    let place = format!(
        "{}:{}",
        shown_line(&text("file"), 200),
        match member(entry, "line") {
            Some(line) => format!("line {}", shown_line(&line.to_text(), 20)),
            None => String::from_utf8_lossy(&text("offset")).into_owned(),
        }
    );
    html! {
        li id=(line_anchor(row, index)) class=[is_match.then_some("match")] {
            @if is_match { strong.hidden { "match: " } }
            @match member(entry, "time") {
                Some(Value::Time(time)) => time datetime=(time) { (time_of_day(time)) },
                _ => span.dim { "no time" },
            }
            " "
            @if with_host { span.dim { (shown_line(&text("host"), 60)) } " " }
            @if let Some(Value::Level(level)) = member(entry, "level") {
                span.level.(level.name()) { (level.name()) } " "
            }
            @if let Some(step) = step { b { "[" (step) "]" } " " }
            @if is_match { mark { (shown(first, LINE_BYTES)) } } @else { (shown(first, LINE_BYTES)) }
            @for target in links.of_entry(entry, row) {
                " " a.small href={ "#" (target.anchor) } { "in " (target.label) }
            }
            @if !is_whole {
                " " details {
                    summary.small.dim { "as logged" }
                    pre { (shown(&raw, OPENED_BYTES)) }
                    p.small.dim { (place) }
                }
            } @else {
                " " span.small.dim { (place) }
            }
        }
    }
}
