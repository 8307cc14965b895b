//! `report.html`: one file for the person who was not there. Whether it is complete stands first, then a section an operator.
//!
//! Nothing is asked of any network. Log text is data: it is escaped, bounded and freed of what cannot be seen, and a policy
//! allows one style and one script, each by its hash, so that a line which got past all that would still do nothing. Without
//! the script everything can be read; it only sorts tables.

mod chart;
mod entries;
mod lanes;
mod links;
pub mod runs;
mod section;
mod table;
mod verdict;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use self::links::Links;
use self::section::{About, section};
use self::verdict::text;
use super::report::Report;
use super::shown::shown_line;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("sort.js");

/// What the sections share, so that a page is smaller than 2 MB whatever the rows; what one of them takes at most, and what
/// it needs at least.
const SECTIONS_BYTES: usize = 1_500_000;
const SECTION_BYTES: usize = 400_000;
const LEAST_BYTES: usize = 4_000;

/// The whole page.
pub fn page(report: &Report<'_>) -> String {
    let summary = report.summary.json();
    let links = Links::new(report.digest);
    let operators = report.digest.operators();
    let mut left = SECTIONS_BYTES;
    let mut sections = Vec::new();
    for (index, operator) in operators.iter().enumerate() {
        let share = (left / (operators.len() - index)).min(SECTION_BYTES);
        if share < LEAST_BYTES {
            break;
        }
        let about = about(report, index);
        // A heading and its notes come on top of the rows.
        let section = section(operator, index, &about, &links, share - LEAST_BYTES / 2);
        left = left.saturating_sub(section.0.len());
        sections.push(section);
    }
    let more = operators.len() - sections.len();
    let job = shown_line(report.summary.job.as_bytes(), 200);
    let body = html! {
        a.skip href="#main" { "To the results" }
        header {
            h1 { (job) }
            p.dim {
                @if !summary["from"].is_null() || !summary["to"].is_null() {
                    "from " (or(&text(&summary["from"], 40), "the beginning")) " to " (or(&text(&summary["to"], 40), "the end")) "; "
                }
                @let started = text(&summary["started"], 40);
                "run of " time datetime=(started) { (started.get(..19).unwrap_or(&started)) "Z" }
            }
            (verdict::verdict(report))
        }
        nav.contents aria-label="operators" {
            ul {
                @for (index, operator) in operators.iter().enumerate().take(sections.len()) {
                    li { a href={ "#o" (index) } { (operator.name) } " " span.dim { (operator.rows) } }
                }
            }
        }
        main id="main" {
            @for section in &sections { (section) }
            @if more > 0 { p.dim { (more) " more operators stand in files of their own" } }
        }
        footer {
            p {
                "Made by logstitch " (text(&summary["build"], 80)) ". What all of this rests on: "
                a href="summary.json" { "summary.json" } ". Times are UTC."
            }
        }
    };
    links::without_dead_ends(&document(&job, "logstitch report", body))
}

/// A page of ours around a body.
fn document(title: &str, generator: &str, body: Markup) -> String {
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="generator" content=(generator);
                meta name="referrer" content="no-referrer";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (body)
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    page.into_string()
}

fn hash(text: &str) -> String {
    format!(
        "sha256-{}",
        STANDARD.encode(Sha256::digest(text.as_bytes()))
    )
}

fn or<'t>(text: &'t str, other: &'t str) -> &'t str {
    if text.is_empty() { other } else { text }
}

fn about(report: &Report<'_>, index: usize) -> About {
    let operator = &report.summary.json()["operators"][index];
    let notes = operator["notes"].as_array().into_iter().flatten();
    About {
        figures: text(&operator["figures"], 60),
        notes: notes.take(5).map(|note| text(note, 400)).collect(),
        file: report
            .rows_in
            .map(|extension| format!("{}.{extension}", report.digest.operators()[index].name)),
    }
}
