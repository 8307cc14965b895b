//! What was told of each alert, and what is still to be delivered: one file beside the outputs, replaced as a whole, so
//! that both change together or not at all.

use std::io::Read;
use std::path::{Path, PathBuf};

use reducer::verdict::{AlertResult, AlertState};
use serde::{Deserialize, Serialize};

use super::message::{Message, Run, State, incident};
use crate::error::Error;

/// Bytes of the file, and messages in it: when none gets through for so long, the oldest are given up.
const MOST_BYTES: u64 = 64 << 20;
const MOST_MESSAGES: usize = 1_000;

#[derive(Debug)]
pub struct Outbox {
    path: PathBuf,
    held: Held,
    lost: Vec<String>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Held {
    version: u32,
    alerts: Vec<Standing>,
    messages: Vec<Message>,
}

/// An alert of which something was told that is not over.
#[derive(Debug, Serialize, Deserialize)]
struct Standing {
    incident: String,
    state: State,
    since: String,
    told_ns: i64,
}

/// What is told of an alert in this run.
#[derive(Debug, PartialEq)]
pub enum Told {
    Nothing,
    /// It stands, and was told.
    Silent,
    /// The message's id.
    Message(String),
}

impl Told {
    pub fn id(&self) -> Option<&String> {
        match self {
            Told::Message(id) => Some(id),
            Told::Nothing | Told::Silent => None,
        }
    }
}

impl Outbox {
    pub fn open(path: &Path) -> Result<Outbox, Error> {
        let failed = |error| Error::failed(path.display(), error);
        let mut text = Vec::new();
        match std::fs::File::open(path) {
            Ok(file) => {
                let read = file.take(MOST_BYTES).read_to_end(&mut text);
                read.map_err(failed)?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let held = match text.is_empty() {
            true => Held::default(),
            false => serde_json::from_slice(&text).map_err(|_| {
                Error::Failed(format!(
                    "{}: not what this program keeps of alerts; move it away to begin anew",
                    path.display()
                ))
            })?,
        };
        Ok(Outbox {
            path: path.to_owned(),
            held,
            lost: Vec::new(),
        })
    }

    pub fn save(&mut self) -> Result<(), Error> {
        self.held.version = 1;
        let text = serde_json::to_vec_pretty(&self.held).expect("names and texts are JSON");
        let written = reducer::output::replace_private(&self.path, &text);
        written.map_err(|error| Error::Failed(error.to_string()))
    }

    /// Puts in what is to be told of the alerts; by alert, what that is. An alert that stands unchanged is told again in
    /// every run, or after its `repeat`; one that is not in the job any more is forgotten.
    pub fn decide(&mut self, run: &Run, alerts: &[AlertResult]) -> Vec<Told> {
        let mut standing = std::mem::take(&mut self.held.alerts);
        let mut told = Vec::new();
        for alert in alerts {
            let incident = incident(&run.job, alert);
            let known = standing.iter().position(|known| known.incident == incident);
            let known = known.map(|at| standing.swap_remove(at));
            let state = match alert.state {
                AlertState::Firing => State::Firing,
                AlertState::Unknown => State::Unknown,
                AlertState::Clear => State::Resolved,
            };
            let is_same = known.as_ref().is_some_and(|known| known.state == state);
            let since = known.as_ref().map_or(&run.at, |known| &known.since).clone();
            let told_ns = known.as_ref().map_or(i64::MIN, |known| known.told_ns);
            let is_silent = is_same
                && alert
                    .repeat_ns
                    .is_some_and(|repeat_ns| run.now_ns < told_ns.saturating_add(repeat_ns));
            if state != State::Resolved {
                self.held.alerts.push(Standing {
                    incident,
                    state,
                    since: since.clone(),
                    told_ns: if is_silent { told_ns } else { run.now_ns },
                });
            } else if known.is_none() {
                told.push(Told::Nothing);
                continue;
            }
            if is_silent {
                told.push(Told::Silent);
                continue;
            }
            let message = Message::new(run, alert, state, &since);
            told.push(Told::Message(message.id.clone()));
            // One that says the same and never got through is overtaken.
            let messages = &mut self.held.messages;
            messages.retain(|old| old.incident != message.incident || old.state != state);
            messages.push(message);
        }
        let beyond = self.held.messages.len().saturating_sub(MOST_MESSAGES);
        let mut place = 0;
        self.give_up(|_| {
            place += 1;
            place <= beyond
        });
        told
    }

    /// Takes messages out that nobody will get, and says so.
    pub fn give_up(&mut self, mut is_lost: impl FnMut(&Message) -> bool) {
        let lost = &mut self.lost;
        self.held.messages.retain(|message| {
            let is_lost = is_lost(message);
            if is_lost {
                lost.push(format!(
                    "an alert was never delivered and is given up: {} by [notify.{}], of {}",
                    message.title(),
                    message.send,
                    message.run.at
                ));
            }
            !is_lost
        });
    }

    pub fn take_lost(&mut self) -> Vec<String> {
        std::mem::take(&mut self.lost)
    }

    pub fn messages(&self) -> Vec<Message> {
        self.held.messages.clone()
    }

    pub fn remove(&mut self, id: &str) {
        self.held.messages.retain(|message| message.id != id);
    }

    pub fn is_empty(&self) -> bool {
        self.held.messages.is_empty()
    }

    pub fn len(&self) -> usize {
        self.held.messages.len()
    }
}

#[cfg(test)]
mod tests {
    use jobspec::value::Time;

    use super::*;

    const HOUR_NS: i64 = 3_600_000_000_000;

    fn alert(state: AlertState, repeat_ns: Option<i64>) -> AlertResult {
        AlertResult {
            name: "many".to_owned(),
            text: "rows(x) > 1".to_owned(),
            send: "ops".to_owned(),
            repeat_ns,
            state,
            certain: true,
            why: "rows(x) is 2".to_owned(),
            figures: Vec::new(),
        }
    }

    fn outbox() -> Outbox {
        Outbox {
            path: PathBuf::new(),
            held: Held::default(),
            lost: Vec::new(),
        }
    }

    /// What is told over several runs, an hour apart.
    fn told(states: &[AlertState], repeat_ns: Option<i64>) -> Vec<&'static str> {
        let mut outbox = outbox();
        let runs = states.iter().enumerate().map(|(hour, state)| {
            let now_ns = hour as i64 * HOUR_NS;
            let at = Time::from_ns(now_ns).to_string();
            let run = Run::new("job", at, now_ns, &[], "out");
            let told = outbox.decide(&run, &[alert(*state, repeat_ns)]);
            match &told[0] {
                Told::Nothing => "-",
                Told::Silent => "silent",
                Told::Message(id) => {
                    let messages = outbox.messages();
                    let message = messages.iter().find(|message| message.id == *id).unwrap();
                    let state = message.state.name();
                    outbox.remove(id);
                    state
                }
            }
        });
        runs.collect()
    }

    #[test]
    fn an_alert_is_silent_while_unchanged_and_says_when_it_is_over() {
        use AlertState::{Clear, Firing, Unknown};
        let states = [Clear, Firing, Firing, Firing, Unknown, Firing, Clear, Clear];
        assert_eq!(
            told(&states, None),
            [
                "-", "firing", "firing", "firing", "unknown", "firing", "resolved", "-"
            ]
        );
        assert_eq!(
            told(&states, Some(2 * HOUR_NS)),
            [
                "-", "firing", "silent", "firing", "unknown", "firing", "resolved", "-"
            ]
        );
        assert_eq!(
            told(&[Unknown, Unknown, Clear], Some(HOUR_NS * 9)),
            ["unknown", "silent", "resolved"]
        );
    }

    #[test]
    fn what_waits_is_overtaken_by_the_same_and_followed_by_the_end() {
        let mut outbox = outbox();
        let mut run = Run::new("job", "now".to_owned(), 0, &[], "out");
        for (at, state) in [
            ("1", AlertState::Firing),
            ("2", AlertState::Firing),
            ("3", AlertState::Clear),
        ] {
            run.at = at.to_owned();
            outbox.decide(&run, &[alert(state, None)]);
        }
        let waiting: Vec<_> = outbox
            .messages()
            .into_iter()
            .map(|message| (message.run.at, message.state))
            .collect();
        assert_eq!(
            waiting,
            [
                ("2".to_owned(), State::Firing),
                ("3".to_owned(), State::Resolved)
            ]
        );
    }
}
