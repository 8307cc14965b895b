//! What checks and alerts came to, as outputs and messages say it.

use jobspec::diagnostic::shown;
use jobspec::job::{AlertSpec, CheckSpec};
use jobspec::value::OwnedValue;
use serde_json::{Map, Value, json};

use crate::check::{Answer, Judgement, value_json};

/// Characters of a name or a condition on a line.
const SHOWN_TEXT: usize = 500;

/// The checks and alerts of a run, in the order of the job.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    pub checks: Vec<CheckResult>,
    pub alerts: Vec<AlertResult>,
}

#[derive(Clone, Debug)]
pub struct CheckResult {
    pub name: String,
    /// The condition as the job writes it.
    pub text: String,
    pub outcome: CheckOutcome,
    pub why: String,
    pub figures: Vec<(String, OwnedValue)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckOutcome {
    Passed,
    Failed,
    /// It may hold or not: that is no pass.
    Unknown,
}

#[derive(Clone, Debug)]
pub struct AlertResult {
    pub name: String,
    pub text: String,
    pub send: String,
    pub repeat_ns: Option<i64>,
    pub state: AlertState,
    /// Whether what was lost could not have changed the state.
    pub certain: bool,
    pub why: String,
    pub figures: Vec<(String, OwnedValue)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlertState {
    Firing,
    Clear,
    /// It does not fire over what was observed, and could over what was lost.
    Unknown,
}

impl CheckOutcome {
    pub fn name(self) -> &'static str {
        match self {
            CheckOutcome::Passed => "passed",
            CheckOutcome::Failed => "failed",
            CheckOutcome::Unknown => "unknown",
        }
    }
}

impl AlertState {
    pub fn name(self) -> &'static str {
        match self {
            AlertState::Firing => "firing",
            AlertState::Clear => "clear",
            AlertState::Unknown => "unknown",
        }
    }
}

impl Verdict {
    /// From the judgements of the checks and then the alerts.
    pub fn new(checks: &[CheckSpec], alerts: &[AlertSpec], judgements: Vec<Judgement>) -> Verdict {
        let mut judgements = judgements.into_iter();
        let checks = checks.iter().zip(judgements.by_ref());
        let checks = checks.map(|(spec, judgement)| CheckResult {
            name: spec.name.clone(),
            text: spec.text.clone(),
            outcome: match judgement.answer {
                Answer::True => CheckOutcome::Passed,
                Answer::False => CheckOutcome::Failed,
                Answer::Unknown => CheckOutcome::Unknown,
            },
            why: judgement.why,
            figures: judgement.figures,
        });
        let checks = checks.collect();
        let alerts = alerts.iter().zip(judgements);
        let alerts = alerts.map(|(spec, judgement)| AlertResult {
            name: spec.name.clone(),
            text: spec.text.clone(),
            send: spec.send.clone(),
            repeat_ns: spec.repeat_ns,
            state: match (judgement.observed, judgement.could_be_true) {
                (Some(true), _) => AlertState::Firing,
                (_, true) => AlertState::Unknown,
                (_, false) => AlertState::Clear,
            },
            certain: judgement.answer == Answer::True || !judgement.could_be_true,
            why: judgement.why,
            figures: judgement.figures,
        });
        Verdict {
            checks,
            alerts: alerts.collect(),
        }
    }

    pub fn is_passed(&self) -> bool {
        self.checks
            .iter()
            .all(|check| check.outcome == CheckOutcome::Passed)
    }

    /// For the summary line: what there is to say of checks and of alerts.
    pub fn lines(&self) -> Vec<String> {
        let passed = self.checks.iter();
        let passed = passed.filter(|check| check.outcome == CheckOutcome::Passed);
        let are = |state| {
            let alerts = self.alerts.iter();
            alerts.filter(|alert| alert.state == state).count()
        };
        let mut lines = Vec::new();
        if !self.checks.is_empty() {
            let checks = self.checks.len();
            lines.push(format!("{} of {checks} checks passed", passed.count()));
        }
        if !self.alerts.is_empty() {
            let alerts = self.alerts.len();
            lines.push(format!(
                "{} of {alerts} alerts firing",
                are(AlertState::Firing)
            ));
        }
        match are(AlertState::Unknown) {
            0 => {}
            unknown => lines.push(format!("{unknown} cannot be told")),
        }
        lines
    }

    /// `delivery` says what became of what is told of them.
    pub fn alerts_json(&self, delivery: &str) -> Value {
        let alerts = self.alerts.iter().map(|alert| {
            let mut json = alert.json();
            json.insert("delivery".to_owned(), json!(delivery));
            Value::Object(json)
        });
        alerts.collect()
    }

    pub fn checks_json(&self) -> Value {
        let checks = self.checks.iter().map(|check| {
            json!({
                "name": check.name,
                "that": check.text,
                "outcome": check.outcome.name(),
                "why": check.why,
                "figures": figures_json(&check.figures),
            })
        });
        checks.collect()
    }
}

impl CheckResult {
    /// One line for a person.
    pub fn line(&self) -> String {
        let text = shown(self.text.as_bytes(), SHOWN_TEXT);
        let name = match self.name == self.text {
            true => String::new(),
            false => format!("{}: ", shown(self.name.as_bytes(), SHOWN_TEXT)),
        };
        let outcome = self.outcome.name();
        format!("check {outcome}: {name}{text} ({})", self.why)
    }
}

impl AlertResult {
    pub fn json(&self) -> Map<String, Value> {
        let json = json!({
            "name": self.name,
            "when": self.text,
            "send": self.send,
            "state": self.state.name(),
            "certain": self.certain,
            "why": self.why,
            "figures": figures_json(&self.figures),
        });
        match json {
            Value::Object(json) => json,
            _ => Map::new(),
        }
    }
}

pub fn figures_json(figures: &[(String, OwnedValue)]) -> Map<String, Value> {
    let figures = figures.iter();
    figures
        .map(|(name, value)| (name.clone(), value_json(value)))
        .collect()
}
