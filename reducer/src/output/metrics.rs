//! Figures of a run for Prometheus, as node_exporter's textfile collector takes them: one file, replaced as a whole.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use jobspec::diagnostic::shown;

use crate::Error;
use crate::completeness::Completeness;
use crate::reduce::OperatorReport;
use crate::report::HostState;
use crate::spool::Spool;
use crate::verdict::{AlertState, CheckOutcome, Verdict};

/// Characters of a label's value.
const MOST: usize = 200;

/// The figures of a run that its spool and rows tell.
pub struct Metrics {
    job: String,
    text: String,
}

impl Metrics {
    pub fn new(
        spool: &Spool,
        completeness: &Completeness,
        operators: &[OperatorReport],
        verdict: &Verdict,
    ) -> Metrics {
        let mut metrics = Metrics {
            job: spool.head.plan.job.clone(),
            text: String::new(),
        };
        let started = spool.head.started_ns as f64 / 1e9;
        metrics.one(
            "run_start_time_seconds",
            "When the run began.",
            &[],
            started,
        );
        let share = completeness.share().as_f64().unwrap_or_default();
        let help = "The share of hosts of which everything came.";
        metrics.one("completeness_ratio", help, &[], share);
        metrics.hosts(spool, completeness);
        metrics.head("rows", "Rows that an operator gave.");
        for operator in operators {
            let labels = [
                ("operator", operator.name.as_str()),
                ("kind", operator.kind),
            ];
            metrics.sample("rows", &labels, operator.rows as f64);
        }
        metrics.verdict(verdict);
        metrics
    }

    fn hosts(&mut self, spool: &Spool, completeness: &Completeness) {
        let hosts = || spool.head.hosts.iter().zip(&spool.hosts);
        self.head("host_complete", "Whether all came that a host has.");
        for (index, (head, _)) in hosts().enumerate() {
            let is_whole = completeness.host(index as u32).is_whole;
            self.sample("host_complete", &[("host", &head.name)], is_whole.into());
        }
        self.head(
            "host_state",
            "The state that a host ended in: 1 for that state.",
        );
        for (head, spooled) in hosts() {
            let state = spooled.report.as_ref().map(|report| report.state);
            let state = state.unwrap_or_default().name();
            for name in HostState::NAMES {
                let labels = [("host", head.name.as_str()), ("state", name)];
                self.sample("host_state", &labels, (name == state).into());
            }
        }
        self.head("host_received_bytes", "Bytes that a host sent.");
        for (head, spooled) in hosts() {
            let bytes = spooled
                .report
                .as_ref()
                .map_or(0, |report| report.received_bytes);
            self.sample("host_received_bytes", &[("host", &head.name)], bytes as f64);
        }
    }

    fn verdict(&mut self, verdict: &Verdict) {
        // Conditions without names of their own may be there twice.
        let mut seen = BTreeSet::new();
        if !verdict.checks.is_empty() {
            self.head("check_state", "What a check came to: 1 for that state.");
        }
        for check in &verdict.checks {
            for outcome in [
                CheckOutcome::Passed,
                CheckOutcome::Failed,
                CheckOutcome::Unknown,
            ] {
                let name = outcome.name();
                if seen.insert((check.name.as_str(), "", name)) {
                    let labels = [("check", check.name.as_str()), ("state", name)];
                    self.sample("check_state", &labels, (check.outcome == outcome).into());
                }
            }
        }
        if !verdict.alerts.is_empty() {
            self.head("alert_state", "What an alert came to: 1 for that state.");
        }
        seen.clear();
        for alert in &verdict.alerts {
            for state in [AlertState::Firing, AlertState::Clear, AlertState::Unknown] {
                let (name, send) = (state.name(), alert.send.as_str());
                if seen.insert((alert.name.as_str(), send, name)) {
                    let labels = [
                        ("alert", alert.name.as_str()),
                        ("send", send),
                        ("state", name),
                    ];
                    self.sample("alert_state", &labels, (alert.state == state).into());
                }
            }
        }
    }

    /// Puts the file in its place: whoever reads sees the old one or this one.
    pub fn write(mut self, path: &Path, seconds: f64) -> Result<(), Error> {
        self.one(
            "run_duration_seconds",
            "How long the run took.",
            &[],
            seconds,
        );
        super::replace(path, self.text.as_bytes())
    }

    fn one(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        self.head(name, help);
        self.sample(name, labels, value);
    }

    fn head(&mut self, name: &str, help: &str) {
        let _ = writeln!(
            self.text,
            "# HELP logstitch_{name} {help}\n# TYPE logstitch_{name} gauge"
        );
    }

    fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let _ = write!(
            self.text,
            "logstitch_{name}{{logstitch_job={}",
            quoted(&self.job)
        );
        for (label, text) in labels {
            let _ = write!(self.text, ",{label}={}", quoted(text));
        }
        let _ = writeln!(self.text, "}} {value}");
    }
}

/// A label's value, in quotes.
fn quoted(text: &str) -> String {
    let text = shown(text.as_bytes(), MOST);
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}
