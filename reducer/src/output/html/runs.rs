//! The index page of a job's runs: what became of its key figures, and every run with its verdict and its report.

use maud::{Markup, html};

use super::chart::spark;
use super::document;
use crate::output::runs::RunSummary;
use crate::output::shown::{short_number, shown_line};

/// By which the page is known as one that may be written anew.
pub const INDEX_SIGN: &str = "logstitch index";

/// Figures that have a line.
const FIGURES: usize = 16;

/// The page; `runs` the newest first.
pub fn index(job: &str, runs: &[RunSummary]) -> String {
    let job = shown_line(job.as_bytes(), 200);
    let body = html! {
        header {
            h1 { (job) }
            p.dim { "The newest " (runs.len()) " runs" }
        }
        main id="main" {
            div.scroll tabindex="0" role="region" aria-label="runs" {
                table.sorts {
                    caption { "Runs, the newest first; times are UTC" }
                    thead {
                        tr {
                            th scope="col" { "run" } th scope="col" { "verdict" }
                            th.number scope="col" { "entries" } th.number scope="col" { "malformed" } th.number scope="col" { "rows" }
                        }
                    }
                    tbody { @for run in runs { (row(run)) } }
                }
            }
            @if runs.len() > 1 { (figures(runs)) }
        }
        footer { p { "Made by logstitch" } }
    };
    document(&format!("{job}: runs"), INDEX_SIGN, body)
}

fn row(run: &RunSummary) -> Markup {
    // A run's name is digits and what the job puts about them: of that, only what a path may hold.
    let folder: String = run.name.bytes().map(escaped).collect();
    let page = if run.has_report {
        "report.html"
    } else {
        "summary.json"
    };
    let failed = run
        .checks
        .iter()
        .filter(|check| check.outcome != "passed")
        .count();
    html! {
        tr {
            th scope="row" {
                a href={ "./" (folder) "/" (page) } {
                    time datetime=(shown_line(run.started.as_bytes(), 40)) { (started(run)) }
                }
            }
            td {
                @if run.completeness.complete && failed == 0 { span.good { "complete" } }
                @if !run.completeness.complete {
                    span.bad { @if run.completeness.enough { "incomplete" } @else { "less complete than required" } }
                    @let missing = &run.completeness.missing;
                    " " (shown_line(missing[..missing.len().min(5)].join(", ").as_bytes(), 200))
                    @if missing.len() > 5 { " and " (missing.len() - 5) " more" }
                }
                @if failed > 0 { " " span.bad { (failed) @if failed == 1 { " check failed" } @else { " checks failed" } } }
            }
            td.number { (run.entries.read) }
            td.number { (run.entries.malformed) }
            td.number { (run.operators.iter().map(|operator| operator.rows).sum::<u64>()) }
        }
    }
}

fn started(run: &RunSummary) -> String {
    let text = shown_line(run.started.as_bytes(), 40);
    match text.get(..19) {
        Some(whole) => whole.replace('T', " "),
        None => text,
    }
}

fn escaped(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
            char::from(byte).to_string()
        }
        byte => format!("%{byte:02X}"),
    }
}

/// Figures over runs: of the newest run's, each from the oldest to the newest.
fn figures(runs: &[RunSummary]) -> Markup {
    let newest = &runs[0];
    let over = |figure: &dyn Fn(&RunSummary) -> Option<f64>| -> Vec<f64> {
        runs.iter()
            .rev()
            .map(|run| figure(run).unwrap_or(f64::NAN))
            .collect()
    };
    let mut figures: Vec<(String, Vec<f64>)> = vec![
        (
            "entries".to_owned(),
            over(&|run| Some(run.entries.read as f64)),
        ),
        (
            "malformed".to_owned(),
            over(&|run| Some(run.entries.malformed as f64)),
        ),
    ];
    for operator in &newest.operators {
        let find = |run: &RunSummary| {
            run.operators
                .iter()
                .find(|other| other.name == operator.name)
                .cloned()
        };
        figures.push((
            format!("rows of {}", operator.name),
            over(&|run| find(run).map(|operator| operator.rows as f64)),
        ));
    }
    for operator in &newest.operators {
        let find = |run: &RunSummary| {
            run.operators
                .iter()
                .find(|other| other.name == operator.name)
                .cloned()
        };
        for column in operator.extremes.keys() {
            let greatest = |run: &RunSummary| find(run)?.extremes.get(column)?.get(1)?.as_f64();
            figures.push((
                format!("greatest {column} of {}", operator.name),
                over(&greatest),
            ));
        }
    }
    // What never changes tells nothing.
    figures.retain(|(_, values)| {
        values
            .iter()
            .any(|value| *value != values[0] && value.is_finite())
    });
    html! {
        @if !figures.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="figures over the runs" {
                table {
                    caption { "Figures over these runs, the newest last" }
                    thead { tr { th scope="col" { "figure" } th scope="col" { "over the runs" } th.number scope="col" { "now" } } }
                    tbody {
                        @for (name, values) in figures.iter().take(FIGURES) {
                            @let name = shown_line(name.as_bytes(), 120);
                            @let now = values.last().copied().unwrap_or(f64::NAN);
                            tr {
                                th scope="row" { (name) }
                                td { (spark(values, &format!("{name} over {} runs", values.len()))) }
                                td.number { @if now.is_finite() { (short_number(now)) } @else { "–" } }
                            }
                        }
                    }
                }
            }
        }
    }
}
