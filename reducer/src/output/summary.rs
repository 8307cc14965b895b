//! `summary.json`: what the result rests on. Every host ends in one state, every file in one; what was not seen is
//! named, and what that makes of each operator's figures.

use std::path::Path;

use jobspec::plan::OperatorKind;
use jobspec::value::Time;
use mapper::message::Manifest;
use mapper::prune::Pruned;
use mapper::stream::StreamFile;
use mapper::tally::{FileTally, Finding, FindingKind, add_up};
use serde_json::{Map, Value, json};

use super::digest::Digest;
use crate::Error;
use crate::completeness::{Completeness, HostCompleteness, is_in};
use crate::reduce::OperatorReport;
use crate::report::{HostReport, HostState};
use crate::spool::Spool;
use crate::verdict::Verdict;

/// What every finished folder holds, and by which one that may be replaced is known.
pub const SIGN: &str = "summary.json";

/// Columns of an operator whose extremes are kept.
const EXTREMES: usize = 8;

/// What leaving out parts of logs rests on.
const RESTS_ON: &str = "no entry of a log is earlier than one before it by more than the log's `disorder`; \
                        disorder = \"unlimited\" reads everything";

/// Findings that the log shows; all of them are in the file.
const SHOWN_FINDINGS: usize = 20;

/// The summary, and what of it the runner says and does.
pub struct Summary {
    pub job: String,
    /// One line for a person.
    pub line: String,
    /// Whether as many hosts are complete as the job requires.
    pub is_enough: bool,
    /// What went wrong, a line each.
    pub findings: Vec<String>,
    /// Hosts of which something is missing.
    pub missing: Vec<String>,
    json: Value,
}

/// What a run has seen of what there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    hosts: u64,
    hosts_expected: u64,
    files: u64,
    files_expected: u64,
    bytes: u64,
    bytes_expected: u64,
    entries: u64,
    malformed: u64,
    unparsed: u64,
    untimed: u64,
    /// Files that the time range cannot touch, and bytes of those and of others: they count as seen.
    skipped_files: u64,
    skipped_bytes: u64,
}

impl Seen {
    fn add(&mut self, other: &Seen) {
        add_up([
            (&mut self.hosts, other.hosts),
            (&mut self.hosts_expected, other.hosts_expected),
            (&mut self.files, other.files),
            (&mut self.files_expected, other.files_expected),
            (&mut self.bytes, other.bytes),
            (&mut self.bytes_expected, other.bytes_expected),
            (&mut self.entries, other.entries),
            (&mut self.malformed, other.malformed),
            (&mut self.unparsed, other.unparsed),
            (&mut self.untimed, other.untimed),
            (&mut self.skipped_files, other.skipped_files),
            (&mut self.skipped_bytes, other.skipped_bytes),
        ]);
    }

    fn is_complete(&self) -> bool {
        self.hosts == self.hosts_expected && self.files == self.files_expected
    }
}

/// One host as the summary has it.
struct HostSummary {
    json: Value,
    seen: Seen,
    findings: Vec<String>,
    /// By log of the plan: whether it has a file here.
    matched_logs: Vec<bool>,
}

impl Summary {
    pub fn new(
        spool: &Spool,
        completeness: &Completeness,
        operators: &[OperatorReport],
    ) -> Result<Summary, Error> {
        let head = &spool.head;
        let mut seen = Seen::default();
        let mut hosts = Vec::new();
        for index in 0..head.hosts.len() {
            let host = summarize(spool, completeness.host(index as u32), index as u32)?;
            seen.add(&host.seen);
            hosts.push(host);
        }
        let share = if seen.hosts_expected == 0 {
            100.0
        } else {
            100.0 * seen.hosts as f64 / seen.hosts_expected as f64
        };
        let is_enough = share >= head.require_percent;
        let mut findings: Vec<String> = hosts
            .iter()
            .flat_map(|host| host.findings.iter().cloned())
            .collect();
        for (log, plan) in head.plan.logs.iter().enumerate() {
            if seen.hosts > 0 && !hosts.iter().any(|host| host.matched_logs[log]) {
                findings.push(format!(
                    "log {}: no file matches {} on any host",
                    plan.name,
                    plan.paths.join(", ")
                ));
            }
        }
        if findings.len() > SHOWN_FINDINGS {
            let more = findings.len() - SHOWN_FINDINGS;
            findings.truncate(SHOWN_FINDINGS);
            findings.push(format!("{more} more are in summary.json"));
        }
        let rests_on = operators
            .iter()
            .zip(&head.plan.operators)
            .map(|(report, plan)| {
                let complete = plan.logs.iter().all(|log| completeness.is_whole(*log));
                json!({
                    "name": report.name,
                    "kind": report.kind,
                    "rows": report.rows,
                    "wrong_type": report.misfits,
                    "runs": report.runs,
                    "spilled_bytes": report.spilled_bytes,
                    "spilled_runs": report.spilled_runs,
                    "notes": report.notes,
                    "figures": if complete { "complete" } else { figures_of_less(&plan.kind) },
                })
            });
        let missing: Vec<&str> = hosts
            .iter()
            .zip(&head.hosts)
            .filter(|(host, _)| !host.seen.is_complete())
            .map(|(_, head)| head.name.as_str())
            .collect();
        let range = &head.plan.range;
        let json = json!({
            "job": head.plan.job,
            "build": head.build,
            "started": Time::from_ns(head.started_ns).to_string(),
            "from": range.from_ns.map(|ns| Time::from_ns(ns).to_string()),
            "to": range.to_ns.map(|ns| Time::from_ns(ns).to_string()),
            "completeness": {
                "complete": seen.is_complete(),
                "enough": is_enough,
                "required_percent": head.require_percent,
                "hosts": { "expected": seen.hosts_expected, "complete": seen.hosts },
                "files": { "expected": seen.files_expected, "complete": seen.files },
                "bytes": { "expected": seen.bytes_expected, "read": seen.bytes },
                "missing": missing,
            },
            "skipped": {
                "files": seen.skipped_files,
                "bytes": seen.skipped_bytes,
                "rests_on": (seen.skipped_bytes > 0).then_some(RESTS_ON),
            },
            "entries": { "read": seen.entries, "malformed": seen.malformed, "unparsed": seen.unparsed, "untimed": seen.untimed },
            "operators": rests_on.collect::<Vec<_>>(),
            "hosts": hosts.iter().map(|host| &host.json).collect::<Vec<_>>(),
        });
        let lost = if missing.is_empty() {
            String::new()
        } else {
            format!(", INCOMPLETE: {}", shortened(&missing))
        };
        let line = format!(
            "{} of {} hosts, {} of {} files, {} entries ({} malformed){lost}",
            seen.hosts,
            seen.hosts_expected,
            seen.files,
            seen.files_expected,
            seen.entries,
            seen.malformed
        );
        Ok(Summary {
            job: head.plan.job.clone(),
            line,
            is_enough,
            findings,
            missing: missing.into_iter().map(str::to_owned).collect(),
            json,
        })
    }

    pub fn json(&self) -> &Value {
        &self.json
    }

    /// The least and the greatest number of columns, for who compares runs.
    pub fn add_extremes(&mut self, digest: &Digest<'_>) {
        for (index, operator) in digest.operators().iter().enumerate() {
            let columns = operator.columns.iter().zip(&operator.extremes);
            let extremes = columns.filter(|(column, _)| !column.is_group);
            let extremes = extremes.filter_map(|(column, extreme)| {
                let (least, greatest) = (*extreme)?;
                Some((column.name.clone(), json!([least, greatest])))
            });
            let extremes: Map<String, Value> = extremes.take(EXTREMES).collect();
            if let (false, Some(json)) =
                (extremes.is_empty(), self.json["operators"].get_mut(index))
            {
                json["extremes"] = Value::Object(extremes);
            }
        }
    }

    /// Puts the checks and alerts in; of these nothing is told yet.
    pub fn judged(&mut self, verdict: &Verdict) {
        for part in verdict.lines() {
            self.line.push_str(", ");
            self.line.push_str(&part);
        }
        if !verdict.checks.is_empty() {
            self.add("checks", verdict.checks_json());
        }
        if !verdict.alerts.is_empty() {
            self.add("alerts", verdict.alerts_json("waiting"));
        }
    }

    pub fn add(&mut self, key: &str, value: Value) {
        if let Value::Object(json) = &mut self.json {
            json.insert(key.to_owned(), value);
        }
    }

    /// The folder may be in its place already: whoever reads sees the old summary or the new one.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let mut text =
            serde_json::to_string_pretty(&self.json).expect("a tree of JSON values is JSON");
        text.push('\n');
        super::replace(&folder.join(SIGN), text.as_bytes())
    }
}

fn summarize(spool: &Spool, came: &HostCompleteness, index: u32) -> Result<HostSummary, Error> {
    let head = &spool.head.hosts[index as usize];
    let spooled = &spool.hosts[index as usize];
    let report = spooled.report.clone().unwrap_or_else(|| HostReport {
        error: Some("the run ended before this host did".to_owned()),
        ..HostReport::default()
    });
    let default = Manifest::default();
    let manifest = spooled.manifest.as_ref().unwrap_or(&default);

    let mut seen = Seen {
        hosts_expected: 1,
        ..Seen::default()
    };
    let mut findings = Vec::new();
    let mut matched_logs = vec![false; spool.head.plan.logs.len()];
    if let Some(error) = &report.error {
        findings.push(format!("{}: {}: {error}", head.name, report.state.name()));
    }
    for (_, finding) in &manifest.findings {
        // A log that one host has not got is normal; one that no host has is said once, for all.
        if finding.kind != FindingKind::NoMatch {
            findings.push(format!("{}: {finding}", head.name));
        }
        if finding.kind.is_loss() {
            seen.files_expected += 1;
        }
    }
    let mut files = Vec::new();
    for (stream, (planned, tally)) in manifest.streams.iter().zip(&came.tallies).enumerate() {
        let log = usize::from(planned.stream.log);
        let is_in = is_in(spooled, stream, planned.cuts.len());
        if let Some(matched) = matched_logs.get_mut(log) {
            *matched = true;
        }
        for (place, file) in planned.stream.files.iter().enumerate() {
            let tally = tally
                .files
                .get(&(place as u32))
                .cloned()
                .unwrap_or_default();
            let lost = tally.findings.iter().any(|finding| finding.kind.is_loss());
            let complete = is_in && !lost;
            let pruned = planned.pruned.iter();
            let pruned: Vec<&Pruned> = pruned.filter(|part| part.file == place as u32).collect();
            findings.extend(
                tally
                    .findings
                    .iter()
                    .map(|finding| format!("{}: {finding}", head.name)),
            );
            let skipped = pruned.iter().map(|part| part.bytes(file));
            seen.add(&Seen {
                files: u64::from(complete),
                files_expected: 1,
                bytes: match complete {
                    true => file.size,
                    false => tally.bytes.min(file.size),
                },
                bytes_expected: file.size,
                entries: tally.entries,
                malformed: tally.malformed,
                unparsed: tally.unparsed,
                untimed: tally.untimed,
                skipped_files: u64::from(pruned.iter().any(|part| part.is_whole())),
                skipped_bytes: skipped.fold(0, u64::saturating_add),
                ..Seen::default()
            });
            let log = spool.head.plan.logs.get(log);
            let name = log.map_or("", |log| log.name.as_str());
            let mut json = file_json(name, &planned.format, &planned.why, file, &tally, complete);
            if !pruned.is_empty() {
                let disorder_ns = log.and_then(|log| log.disorder_ns);
                let is_whole = pruned.iter().any(|part| part.is_whole());
                if let (true, Some(state)) = (is_whole && complete, json.get_mut("state")) {
                    *state = json!("skipped");
                }
                json.insert(
                    "skipped".to_owned(),
                    skipped_json(&pruned, file, disorder_ns),
                );
            }
            files.push(Value::Object(json));
        }
    }
    seen.hosts = u64::from(report.state == HostState::Ok && seen.files == seen.files_expected);
    let json = json!({
        "name": head.name,
        "group": head.group,
        "state": report.state.name(),
        "phase": match report.state {
            HostState::Failed(phase) => Some(phase.name()),
            _ => None,
        },
        "error": report.error,
        "attempts": report.attempts,
        "clock": {
            "offset_ms": report.clock_offset_ns.map(|ns| ns as f64 / 1e6),
            "error_ms": report.clock_error_ns.map(|ns| ns as f64 / 1e6),
        },
        "build": report.build,
        "received_bytes": report.received_bytes,
        "sent_bytes": report.sent_bytes,
        "wall_ms": report.wall_ms,
        "cpu_ms": report.usage.cpu_ms,
        "peak_memory_bytes": report.usage.peak_memory_bytes,
        "notes": report.usage.notes,
        "findings": manifest.findings.iter().map(|(_, finding)| finding_json(finding)).collect::<Vec<_>>(),
        "files": files,
    });
    Ok(HostSummary {
        json,
        seen,
        findings,
        matched_logs,
    })
}

fn file_json(
    log: &str,
    format: &str,
    why: &str,
    file: &StreamFile,
    tally: &FileTally,
    complete: bool,
) -> Map<String, Value> {
    let mut json = Map::new();
    let mut put = |key: &str, value: Value| {
        json.insert(key.to_owned(), value);
    };
    put("path", json!(String::from_utf8_lossy(&file.path)));
    put("log", json!(log));
    put(
        "state",
        json!(if complete { "complete" } else { "incomplete" }),
    );
    put("format", json!(format));
    put("why", json!(why));
    put("compression", json!(file.compression.name()));
    put("bytes", json!(file.size));
    put("decoded_bytes", json!(tally.bytes));
    put("lines", json!(tally.lines));
    put("entries", json!(tally.entries));
    put("malformed", json!(tally.malformed));
    put("unparsed", json!(tally.unparsed));
    put("continuation_lines", json!(tally.continuation));
    put("blank_lines", json!(tally.blank));
    put("cut_lines", json!(tally.cut));
    put("untimed", json!(tally.untimed));
    put("first", json!(tally.first.map(|time| time.to_string())));
    put("last", json!(tally.last.map(|time| time.to_string())));
    put("fitted", json!(tally.formats));
    let samples = tally.samples.iter().map(
        |sample| json!({ "offset": sample.offset, "text": String::from_utf8_lossy(&sample.text) }),
    );
    put("malformed_samples", json!(samples.collect::<Vec<_>>()));
    put(
        "findings",
        json!(tally.findings.iter().map(finding_json).collect::<Vec<_>>()),
    );
    json
}

/// The parts of a file that the time range cannot touch, if the log keeps its promise.
fn skipped_json(pruned: &[&Pruned], file: &StreamFile, disorder_ns: Option<i64>) -> Value {
    let parts = pruned.iter().map(|part| {
        json!({
            "first": part.first,
            "end": part.end,
            "bytes": part.bytes(file),
            "why": part.why.text(),
            "disorder_ms": disorder_ns.map(|ns| ns as f64 / 1e6),
        })
    });
    parts.collect()
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "path": String::from_utf8_lossy(&finding.path),
        "what": finding.kind.text(),
        "detail": finding.detail,
        "loss": finding.kind.is_loss(),
    })
}

/// What an operator's rows are when something in its scope is missing.
fn figures_of_less(kind: &OperatorKind) -> &'static str {
    match kind {
        // Every row is there on its own account: more hosts, more rows.
        OperatorKind::Select(plan) if plan.limit.is_none() => "lower bound",
        OperatorKind::Context(_) => "lower bound",
        _ => "of what was observed",
    }
}

fn shortened(names: &[&str]) -> String {
    let shown = names[..names.len().min(5)].join(", ");
    if names.len() > 5 {
        format!("{shown} and {} more", names.len() - 5)
    } else {
        shown
    }
}
