//! Sessions and sequences over hosts: all of them along the time of the job, and each as lanes, one a host, on which its
//! entries stand.

use jobspec::value::{Level, OwnedValue, Time, Value};
use maud::{Markup, html};

use super::chart::{anchor, number, percent, ticks};
use crate::output::digest::member;
use crate::output::shown::{shown_line, time_of_day};

/// Lanes and marks of one drawing.
const LANES: usize = 12;
const MARKS: usize = 60;
const LANE_HEIGHT: usize = 38;

/// One bar of the overview.
pub struct Span {
    pub anchor: String,
    pub title: String,
    pub start_ns: i64,
    pub end_ns: i64,
    pub is_failed: bool,
}

/// Every row that is told as a bar from its start to its end.
pub fn overview(spans: &[Span], title: &str, id: &str) -> Option<Markup> {
    let first = spans.iter().map(|span| span.start_ns).min()?;
    let last = spans.iter().map(|span| span.end_ns).max()?;
    let width = (last.saturating_sub(first)).max(1) as f64;
    let share = |ns: i64| ns.saturating_sub(first) as f64 / width;
    let height = spans.len() * 12 + 24;
    Some(html! {
        figure {
            figcaption { (title) }
            svg width="100%" height=(height) role="group" aria-labelledby={ (id) "-title" } {
                title id={ (id) "-title" } { (title) }
                @for (at, label) in ticks(first as f64 / 1e9, last as f64 / 1e9) {
                    @let at = (at * 1e9 - first as f64) / width;
                    line.grid x1=(percent(at)) x2=(percent(at)) y1="0" y2=(height - 20) {}
                    text x=(percent(at)) y=(height - 5) text-anchor=(anchor(at)) { (label) }
                }
                @for (index, span) in spans.iter().enumerate() {
                    a.hit href={ "#" (span.anchor) } aria-label=(span.title) {
                        title { (span.title) }
                        // What took no time is still there to be seen.
                        rect.bar.failed[span.is_failed] y=(index * 12 + 2) height="8" rx="2"
                            x=(percent(share(span.start_ns).min(0.994)))
                            width=(percent((share(span.end_ns) - share(span.start_ns)).max(0.006))) {}
                    }
                }
            }
        }
    })
}

/// The entries of one row on the lanes of their hosts.
pub fn lanes(entries: &[&OwnedValue], steps: &[String], title: &str, id: &str) -> Option<Markup> {
    let mut hosts: Vec<String> = Vec::new();
    let mut marks = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let (Some(Value::Time(time)), Some(host)) = (member(entry, "time"), member(entry, "host"))
        else {
            continue;
        };
        let host = shown_line(&host.to_text(), 60);
        let lane = match hosts.iter().position(|known| *known == host) {
            Some(lane) => lane,
            None if hosts.len() < LANES => {
                hosts.push(host);
                hosts.len() - 1
            }
            None => continue,
        };
        if marks.len() < MARKS {
            marks.push((time, lane, *entry, steps.get(index)));
        }
    }
    let first = marks.iter().map(|mark| mark.0.ns).min()?;
    let last = marks.iter().map(|mark| mark.0.ns).max()?;
    let width = last.saturating_sub(first).max(1) as f64;
    let x = |time: &Time| match first == last {
        true => 0.5,
        false => 0.02 + 0.96 * time.ns.saturating_sub(first) as f64 / width,
    };
    let y = |lane: usize| lane * LANE_HEIGHT + 26;
    let height = hosts.len() * LANE_HEIGHT + 22;
    let mut named: Vec<&String> = Vec::new();
    let mut is_first = |step: &String| {
        let is_new = named.iter().all(|known| **known != *step);
        if is_new {
            named.push(
                marks
                    .iter()
                    .find_map(|mark| mark.3.filter(|known| *known == step))
                    .expect("the step of a mark"),
            );
        }
        is_new
    };
    Some(html! {
        svg width="100%" height=(height) role="img" aria-labelledby={ (id) "-title" } {
            title id={ (id) "-title" } { (title) }
            @for (lane, host) in hosts.iter().enumerate() {
                line.lane x1="0" x2="100%" y1=(y(lane)) y2=(y(lane)) {}
                text.name x="0" y=(y(lane) - 11) { (host) }
            }
            @for pair in marks.windows(2) {
                line.hop x1=(percent(x(pair[0].0))) y1=(y(pair[0].1)) x2=(percent(x(pair[1].0))) y2=(y(pair[1].1)) {}
            }
            @for (time, lane, entry, step) in &marks {
                @let level = match member(entry, "level") { Some(Value::Level(level)) => Some(*level), _ => None };
                @let is_grave = level.is_some_and(|level| level >= Level::Error);
                circle.mark.(level.map_or("", Level::name)) cx=(percent(x(time))) cy=(y(*lane)) r=(if is_grave { 6 } else { 4 }) {
                    title { (hint(time, level, entry)) }
                }
                @if let Some(step) = step && is_first(step) {
                    text x=(percent(x(time))) y=(y(*lane) + 16) text-anchor=(anchor(x(time))) { (step) }
                }
            }
            @for (at, label) in ticks(first as f64 / 1e9, last as f64 / 1e9) {
                @let share = match first == last {
                    true => 0.5,
                    false => 0.02 + 0.96 * (at * 1e9 - first as f64) / width,
                };
                text x=(percent(share)) y=(number(height as f64 - 4.0)) text-anchor=(anchor(share)) { (label) }
            }
        }
    })
}

fn hint(time: &Time, level: Option<Level>, entry: &OwnedValue) -> String {
    let message = member(entry, "message").map(|message| shown_line(&message.to_text(), 90));
    format!(
        "{} {} {}",
        time_of_day(time),
        level.map_or("", Level::name),
        message.unwrap_or_default()
    )
}
