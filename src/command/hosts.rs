//! `hosts`: how the hosts of a job are, before it runs; a table, or JSON lines.

use std::collections::BTreeSet;

use jobspec::job::{HostSpec, Job, TransportSpec};
use jobspec::value::Time;
use mapper::survey::{Survey, SurveyedFile};
use mapper::tally::{Finding, FindingKind};
use reducer::report::{HostReport, HostState};
use serde_json::{Value, json};

use crate::args::HostsArguments;
use crate::contact::shown;
use crate::error::{Error, Outcome};
use crate::job;
use crate::look::{self, Looked};

const COLUMNS: [&str; 11] = [
    "HOST", "STATE", "CLOCK", "SYSTEM", "UID", "FREE", "LOG", "FILES", "SIZE", "FORMAT", "TIMES",
];

pub fn hosts(arguments: &HostsArguments) -> Result<Outcome, Error> {
    let job = job::load(&arguments.job, job::now_ns(), job::Lists::Read)?;
    let looked = look::look(&job)?;
    let text = match arguments.json {
        true => {
            let hosts = job.hosts.iter().zip(&looked);
            let lines = hosts.map(|(spec, looked)| format!("{}\n", json_of(&job, spec, looked)));
            lines.collect()
        }
        false => text_of(&job, &looked),
    };
    super::print(text.as_bytes())?;
    let well = looked.iter().filter(|looked| is_well(looked)).count();
    // As of a run: what is enough there is enough here.
    let share = match looked.len() {
        0 => 100.0,
        all => 100.0 * well as f64 / all as f64,
    };
    Ok(match share >= job.run.require.percent {
        true => Outcome::Done,
        false => Outcome::Incomplete,
    })
}

/// Whether a run could be complete there.
fn is_well(looked: &Looked) -> bool {
    let findings = looked.survey.iter().flat_map(|survey| &survey.findings);
    looked.report.state == HostState::Ok && !{ findings }.any(|(_, finding)| finding.kind.is_loss())
}

/// The table; what is wrong, a line each; all in one line.
fn text_of(job: &Job, looked: &[Looked]) -> String {
    let mut rows = vec![COLUMNS.map(str::to_owned).to_vec()];
    let mut problems = Vec::new();
    for (spec, looked) in job.hosts.iter().zip(looked) {
        rows.extend(rows_of(job, spec, looked));
        problems.extend(problems_of(spec, looked));
    }
    for (log, plan) in (0..).zip(&job.plan.logs) {
        let surveys = looked.iter().filter_map(|looked| looked.survey.as_ref());
        let mut files = surveys.clone().flat_map(|survey| &survey.files);
        if surveys.count() > 0 && !files.any(|file| file.log == log) {
            let paths = plan.paths.join(", ");
            problems.push(format!(
                "log {}: no file matches {paths} on any host",
                plan.name
            ));
        }
    }
    let mut text = aligned(&rows);
    if !problems.is_empty() {
        text.push('\n');
    }
    for problem in problems {
        text.push_str(&problem);
        text.push('\n');
    }
    let files = looked
        .iter()
        .filter_map(|looked| looked.survey.as_ref())
        .flat_map(|survey| &survey.files);
    let bytes = files.clone().map(|file| file.bytes);
    text.push_str(&format!(
        "\n{} of {} hosts are well, {} files, {}\n",
        looked.iter().filter(|looked| is_well(looked)).count(),
        looked.len(),
        files.count(),
        size(bytes.fold(0, u64::saturating_add))
    ));
    text
}

/// A row for each log of the host; one where there is nothing to say of its logs.
fn rows_of(job: &Job, spec: &HostSpec, looked: &Looked) -> Vec<Vec<String>> {
    let report = &looked.report;
    let none = || "-".to_owned();
    let mut host = vec![spec.name.clone(), state(report), clock(report)];
    host.extend(match &looked.survey {
        Some(survey) => [
            shown(
                &survey
                    .system
                    .split(' ')
                    .take(2)
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
            survey.user_id.to_string(),
            survey.free_bytes.map_or_else(none, size),
        ],
        None => [none(), none(), none()],
    });
    let Some(survey) = &looked.survey else {
        host.extend((host.len()..COLUMNS.len()).map(|_| none()));
        return vec![host];
    };
    let mut rows = Vec::new();
    for &log in &spec.logs {
        let files: Vec<&SurveyedFile> = { survey.files.iter() }
            .filter(|file| file.log == log)
            .collect();
        let mut row = match rows.is_empty() {
            true => std::mem::take(&mut host),
            false => vec![String::new(); 6],
        };
        let bytes = files.iter().map(|file| file.bytes);
        let formats: BTreeSet<&str> = files.iter().map(|file| file.format.as_str()).collect();
        let formats: Vec<&str> = formats.into_iter().take(3).collect();
        row.push(job.plan.logs[usize::from(log)].name.clone());
        row.push(files.len().to_string());
        row.push(size(bytes.fold(0, u64::saturating_add)));
        row.push(match formats.is_empty() {
            true => none(),
            false => shown(&formats.join(", ")),
        });
        row.push(times(&files));
        rows.push(row);
    }
    rows
}

/// From the first time to the last, in seconds. Where all files are packed, when the last was written has to do.
fn times(files: &[&SurveyedFile]) -> String {
    let second = |time: Time| Time::from_ns(time.ns.div_euclid(1_000_000_000) * 1_000_000_000);
    let first = files.iter().filter_map(|file| file.first).min();
    let last = files.iter().filter_map(|file| file.last).max();
    let modified = files.iter().map(|file| file.modified).max();
    match (first, last, modified) {
        (Some(first), Some(last), _) => format!("{} to {}", second(first), second(last)),
        (Some(first), None, Some(modified)) => {
            format!("{} to {} at most", second(first), second(modified))
        }
        _ => "-".to_owned(),
    }
}

fn problems_of(spec: &HostSpec, looked: &Looked) -> Vec<String> {
    let mut problems = Vec::new();
    if let Some(error) = &looked.report.error {
        problems.push(format!("{}: {error}", spec.name));
    }
    let findings = looked.survey.iter().flat_map(|survey| &survey.findings);
    for (_, finding) in findings {
        // A log that one host has not got is normal: the table shows it.
        if finding.kind != FindingKind::NoMatch {
            problems.push(format!("{}: {}", spec.name, shown(&finding.to_string())));
        }
    }
    for note in &looked.report.usage.notes {
        problems.push(format!("{}: not kept there: {}", spec.name, shown(note)));
    }
    problems
}

fn state(report: &HostReport) -> String {
    match report.state {
        HostState::Failed(phase) => format!("failed ({})", phase.name()),
        state => state.name().to_owned(),
    }
}

fn clock(report: &HostReport) -> String {
    match (report.clock_offset_ns, report.clock_error_ns) {
        (Some(offset), Some(error)) => {
            let ms = |ns: i64| ns as f64 / 1e6;
            format!("{:+.1} ms (± {:.1})", ms(offset), ms(error))
        }
        _ => "-".to_owned(),
    }
}

fn size(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut units = ["B", "kB", "MB", "GB", "TB", "PB"].into_iter();
    let mut unit = units.next().unwrap_or("B");
    while value >= 1000.0
        && let Some(next) = units.next()
    {
        value /= 1000.0;
        unit = next;
    }
    match unit {
        "B" => format!("{bytes} B"),
        _ => format!("{value:.1} {unit}"),
    }
}

/// Columns as wide as their widest cell, two spaces between them.
fn aligned(rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..COLUMNS.len()).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths);
        let line: String = cells
            .map(|(cell, width)| format!("{cell:width$}  "))
            .collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn json_of(job: &Job, spec: &HostSpec, looked: &Looked) -> Value {
    let report = &looked.report;
    let survey = looked.survey.as_ref();
    let ms = |ns: Option<i64>| ns.map(|ns| ns as f64 / 1e6);
    let logs = spec.logs.iter().map(|&log| {
        let of_log = |survey: &Survey| -> (Vec<Value>, Vec<Value>) {
            let files = survey.files.iter().filter(|file| file.log == log);
            let findings = survey.findings.iter().filter(|(of, _)| *of == log);
            (
                files.map(file_json).collect(),
                findings.map(|(_, finding)| finding_json(finding)).collect(),
            )
        };
        let (files, findings) = survey.map(of_log).unwrap_or_default();
        json!({ "log": job.plan.logs[usize::from(log)].name, "files": files, "findings": findings })
    });
    json!({
        "name": spec.name,
        "group": spec.group,
        "transport": match spec.transport {
            TransportSpec::Local => "local",
            TransportSpec::Ssh(_) => "ssh",
            TransportSpec::Exec { .. } => "exec",
        },
        "state": report.state.name(),
        "phase": match report.state {
            HostState::Failed(phase) => Some(phase.name()),
            _ => None,
        },
        "error": report.error,
        "attempts": report.attempts,
        "wall_ms": report.wall_ms,
        "clock": {
            "offset_ms": ms(report.clock_offset_ns),
            "error_ms": ms(report.clock_error_ns),
        },
        "build": report.build,
        "sent_bytes": report.sent_bytes,
        "system": survey.map(|survey| survey.system.as_str()),
        "user_id": survey.map(|survey| survey.user_id),
        "mapper": {
            "folder": survey.map(|survey| String::from_utf8_lossy(&survey.folder)),
            "free_bytes": survey.and_then(|survey| survey.free_bytes),
        },
        "notes": report.usage.notes,
        "logs": logs.collect::<Vec<_>>(),
    })
}

fn file_json(file: &SurveyedFile) -> Value {
    json!({
        "path": String::from_utf8_lossy(&file.path),
        "bytes": file.bytes,
        "format": file.format,
        "why": file.why,
        "compression": file.compression,
        "first": file.first.map(|time| time.to_string()),
        "last": file.last.map(|time| time.to_string()),
        "modified": file.modified.to_string(),
        "skipped": file.skipped,
    })
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "path": String::from_utf8_lossy(&finding.path),
        "what": finding.kind.text(),
        "detail": finding.detail,
        "loss": finding.kind.is_loss(),
    })
}
