//! What is told of an alert: the same for every way it goes. Its texts may hold what logs say: they are cut and escaped
//! here, and once more by each way for its own marks.

use jobspec::diagnostic::shown;
use reducer::verdict::{AlertResult, figures_json};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Characters of a text.
const MOST_TEXT: usize = 2_000;

/// Hosts that a message names.
const MOST_MISSING: usize = 20;

/// What every message of a run says of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Run {
    pub job: String,
    /// When it began, RFC 3339.
    pub at: String,
    #[serde(skip)]
    pub now_ns: i64,
    /// The first hosts of which something is missing, and how many there are.
    pub missing: Vec<String>,
    pub missing_hosts: usize,
    /// The folder of its outputs.
    pub outputs: String,
}

impl Run {
    pub fn new(job: &str, at: String, now_ns: i64, missing: &[String], outputs: &str) -> Run {
        let named = missing.iter().take(MOST_MISSING);
        Run {
            job: job.to_owned(),
            at,
            now_ns,
            missing: named.map(|name| shown(name.as_bytes(), 200)).collect(),
            missing_hosts: missing.len(),
            outputs: shown(outputs.as_bytes(), MOST_TEXT),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Firing,
    Unknown,
    Resolved,
}

impl State {
    pub fn name(self) -> &'static str {
        match self {
            State::Firing => "firing",
            State::Unknown => "unknown",
            State::Resolved => "resolved",
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Message {
    /// The same whenever this message is sent: who got it once may leave it out.
    pub id: String,
    /// The same for all messages of an alert of a job.
    pub incident: String,
    pub alert: String,
    pub when: String,
    pub state: State,
    /// False where what was lost could have changed the state.
    pub certain: bool,
    pub why: String,
    pub figures: Map<String, Value>,
    /// When it began to be told, RFC 3339.
    pub since: String,
    /// Name of the `[notify.NAME]`.
    pub send: String,
    pub run: Run,
    pub repeat_ns: Option<i64>,
}

impl Message {
    pub fn new(run: &Run, alert: &AlertResult, state: State, since: &str) -> Message {
        let incident = incident(&run.job, alert);
        Message {
            id: digest(&[&incident, state.name(), since, &run.at]),
            incident,
            alert: shown(alert.name.as_bytes(), MOST_TEXT),
            when: shown(alert.text.as_bytes(), MOST_TEXT),
            state,
            certain: alert.certain,
            why: shown(alert.why.as_bytes(), MOST_TEXT),
            figures: figures(alert),
            since: since.to_owned(),
            send: alert.send.clone(),
            run: run.clone(),
            repeat_ns: alert.repeat_ns,
        }
    }

    /// One line: `nightly: rows(errors) > 100 is firing`.
    pub fn title(&self) -> String {
        let state = match self.state {
            State::Firing => "is firing",
            State::Unknown => "cannot be told",
            State::Resolved => "is over",
        };
        let doubt = match self.certain {
            false if self.state == State::Firing => ", on incomplete logs",
            _ => "",
        };
        format!("{}: {} {state}{doubt}", self.run.job, self.alert)
    }

    /// The rest of what a person wants to know, a line each.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if self.alert != self.when {
            lines.push(format!("condition: {}", self.when));
        }
        lines.push(self.why.clone());
        if self.run.missing_hosts > 0 {
            let mut names = self.run.missing.join(", ");
            let more = self.run.missing_hosts - self.run.missing.len();
            if more > 0 {
                names.push_str(&format!(" and {more} more"));
            }
            lines.push(format!("INCOMPLETE, missing: {names}"));
        }
        lines.push(format!("since {}, as of {}", self.since, self.run.at));
        lines.push(format!("outputs: {}", self.run.outputs));
        lines
    }

    pub fn json(&self) -> Value {
        json!({
            "version": 1,
            "id": self.id,
            "incident": self.incident,
            "job": self.run.job,
            "alert": self.alert,
            "when": self.when,
            "state": self.state.name(),
            "title": self.title(),
            "why": self.why,
            "figures": self.figures,
            "certain": self.certain,
            "complete": self.run.missing_hosts == 0,
            "missing": self.run.missing,
            "missing_hosts": self.run.missing_hosts,
            "since": self.since,
            "at": self.run.at,
            "outputs": self.run.outputs,
        })
    }
}

/// Figures as JSON, texts of them cut.
fn figures(alert: &AlertResult) -> Map<String, Value> {
    let mut figures = figures_json(&alert.figures);
    for value in figures.values_mut() {
        if let Value::String(text) = value {
            *text = shown(text.as_bytes(), MOST_TEXT);
        }
    }
    figures
}

pub fn incident(job: &str, alert: &AlertResult) -> String {
    digest(&[job, &alert.name, &alert.send])
}

fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let hash = hash.finalize();
    hash.iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
