//! The head of a report: whether the figures below can be trusted, what is missing in red, and what checks and alerts said.

use maud::{Markup, html};
use serde_json::Value;

use crate::output::report::{Report, ReportLine};
use crate::output::shown::{bytes, duration, shown_line};

/// Hosts that are named, findings, and hosts in the table.
const MISSING: usize = 50;
const FINDINGS: usize = 50;
const HOSTS: usize = 300;

/// The text of a member of the summary, fit to be seen.
pub fn text(value: &Value, most_bytes: usize) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => shown_line(text.as_bytes(), most_bytes),
        other => shown_line(other.to_string().as_bytes(), most_bytes),
    }
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or(0)
}

pub fn verdict(report: &Report<'_>) -> Markup {
    let summary = report.summary.json();
    let completeness = &summary["completeness"];
    let is_complete = completeness["complete"] == true;
    let is_enough = completeness["enough"] == true;
    let count_of = |is_counted: &dyn Fn(&ReportLine) -> bool| {
        let lines = report.lines.iter();
        lines.filter(|line| is_counted(line)).count()
    };
    let bad = count_of(&|line| !line.is_good);
    let failed = count_of(&|line| !line.is_good && !line.is_alert);
    let firing = count_of(&|line| line.is_alert && line.outcome == "firing");
    let hosts = summary["hosts"].as_array().map_or(&[][..], |hosts| hosts);
    let missing: Vec<&str> = completeness["missing"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let is_missing = |host: &&Value| {
        host["name"]
            .as_str()
            .is_some_and(|name| missing.contains(&name))
    };
    let lost: Vec<&Value> = hosts.iter().filter(is_missing).collect();
    html! {
        div.verdict.(if is_complete && bad == 0 { "is-good" } else { "is-bad" }) {
            p.word {
                @if is_complete { "Complete" } @else if is_enough { "Incomplete" } @else { "Less complete than required" }
                @if failed > 0 { ", " (failed) @if failed == 1 { " check failed" } @else { " checks failed" } }
                @if firing > 0 { ", " (firing) @if firing == 1 { " alert firing" } @else { " alerts firing" } }
            }
            p { (shown_line(report.summary.line.as_bytes(), 400)) }
            @if !lost.is_empty() {
                ul {
                    @for host in lost.iter().take(MISSING) {
                        li {
                            span.bad { (text(&host["name"], 100)) }
                            " " (text(&host["state"], 20))
                            @if !host["phase"].is_null() { " (" (text(&host["phase"], 20)) ")" }
                            @if !host["error"].is_null() { ": " (text(&host["error"], 300)) }
                        }
                    }
                    @if lost.len() > MISSING { li { (lost.len() - MISSING) " more in summary.json" } }
                }
            }
        }
        (lines(report.lines))
        (figures(summary))
        (findings(&report.summary.findings))
        (host_table(hosts, is_complete))
    }
}

fn lines(lines: &[ReportLine]) -> Markup {
    html! {
        @if !lines.is_empty() {
            div.scroll tabindex="0" role="region" aria-label="checks and alerts" {
                table.sorts {
                    caption { "Checks and alerts" }
                    thead { tr { th scope="col" { "name" } th scope="col" { "outcome" } th scope="col" { "why" } } }
                    tbody {
                        @for line in lines.iter().take(500) {
                            tr {
                                td { (shown_line(line.name.as_bytes(), 200)) }
                                td { span.(if line.is_good { "good" } else { "bad" }) { (shown_line(line.outcome.as_bytes(), 40)) } }
                                td { (shown_line(line.why.as_bytes(), 400)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn figures(summary: &Value) -> Markup {
    let completeness = &summary["completeness"];
    let of = |what: &str, part: &str| {
        format!(
            "{} of {}",
            count(&completeness[what][part]),
            count(&completeness[what]["expected"])
        )
    };
    let entries = &summary["entries"];
    html! {
        dl.figures {
            div { dt { "hosts" } dd { (of("hosts", "complete")) } }
            div { dt { "files" } dd { (of("files", "complete")) } }
            div { dt { "read" } dd { (bytes(count(&completeness["bytes"]["read"]))) } }
            @if count(&summary["skipped"]["bytes"]) > 0 {
                div { dt { "outside the time range" } dd { (bytes(count(&summary["skipped"]["bytes"]))) } }
            }
            div { dt { "entries" } dd { (count(&entries["read"])) } }
            @if count(&entries["malformed"]) > 0 { div { dt { "malformed" } dd { (count(&entries["malformed"])) } } }
            @if count(&entries["untimed"]) > 0 { div { dt { "without a time" } dd { (count(&entries["untimed"])) } } }
        }
    }
}

fn findings(findings: &[String]) -> Markup {
    html! {
        @if !findings.is_empty() {
            details {
                summary { (findings.len()) @if findings.len() == 1 { " finding" } @else { " findings" } " about what was read" }
                ul {
                    @for finding in findings.iter().take(FINDINGS) { li { (shown_line(finding.as_bytes(), 400)) } }
                    @if findings.len() > FINDINGS { li.dim { (findings.len() - FINDINGS) " more in summary.json" } }
                }
            }
        }
    }
}

fn host_table(hosts: &[Value], is_complete: bool) -> Markup {
    let files = |host: &Value| -> (usize, u64, u64) {
        let files = host["files"].as_array().map_or(&[][..], |files| files);
        let sum = |name: &str| {
            let counts = files.iter().map(|file| count(&file[name]));
            counts.fold(0, u64::saturating_add)
        };
        (files.len(), sum("bytes"), sum("malformed"))
    };
    html! {
        details open[!is_complete && hosts.len() <= 20] {
            summary { "Hosts" }
            div.scroll tabindex="0" role="region" aria-label="hosts" {
                table.sorts {
                    caption { "Every host of the job" }
                    thead {
                        tr {
                            th scope="col" { "host" } th scope="col" { "state" }
                            th.number scope="col" { "files" } th.number scope="col" { "bytes" }
                            th.number scope="col" { "malformed" } th.number scope="col" { "clock" }
                            th.number scope="col" { "took" }
                        }
                    }
                    tbody {
                        @for host in hosts.iter().take(HOSTS) {
                            @let (files, size, malformed) = files(host);
                            tr {
                                th scope="row" { (text(&host["name"], 100)) }
                                td { span.(if host["state"] == "ok" { "good" } else { "bad" }) { (text(&host["state"], 20)) } }
                                td.number { (files) }
                                td.number data-v=(size) { (bytes(size)) }
                                td.number { (malformed) }
                                td.number { @if let Some(offset) = host["clock"]["offset_ms"].as_f64() { (duration(offset)) } }
                                td.number data-v=(count(&host["wall_ms"])) { (duration(count(&host["wall_ms"]) as f64)) }
                            }
                        }
                    }
                }
            }
            @if hosts.len() > HOSTS { p.dim { (hosts.len() - HOSTS) " more in summary.json" } }
        }
    }
}
