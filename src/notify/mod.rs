//! Alerts on their way to people: a file each for where they go.
//!
//! What is to be said is put into the outbox, on disk, before anything is sent; it leaves it when it was taken. So a crash
//! loses nothing, and what is sent again has the key of before. Secrets are looked up when they are needed, and stand in no
//! message, error or log.

mod alertmanager;
mod command;
mod http;
mod message;
mod outbox;
mod pagerduty;
mod secret;
mod slack;
mod smtp;
mod webhook;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use jobspec::job::{Job, NotifySpec};
use log::warn;
use reducer::output::summary::Summary;
use reducer::verdict::Verdict;
use serde_json::{Value, json};

use crate::error::Error;
use crate::{fleet, job};
pub use message::{Message, Run};
use outbox::{Outbox, Told};

/// Attempts at a message in one run, and how long all of them may take: what is left waits for the next run.
const ATTEMPTS: u32 = 4;
const ALL_IN: Duration = Duration::from_secs(90);

/// Between the first attempts; then twice as long each time.
const PAUSE_MS: u64 = 1_000;

/// One attempt.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Why a message was not taken.
#[derive(Debug)]
pub struct Failure {
    pub why: String,
    /// Another attempt at once would end the same way.
    pub is_final: bool,
}

impl Failure {
    fn passing(why: impl Into<String>) -> Failure {
        Failure {
            why: why.into(),
            is_final: false,
        }
    }

    fn lasting(why: impl Into<String>) -> Failure {
        Failure {
            why: why.into(),
            is_final: true,
        }
    }
}

/// Where the alerts of a job go. Made before the run begins, so that a secret that is missing is told by day.
pub struct Notifier {
    outbox: Outbox,
    /// By alert, what was decided.
    told: Vec<Told>,
    notify: BTreeMap<String, NotifySpec>,
    folder: PathBuf,
    pause: Duration,
}

impl Notifier {
    /// None where the job has no alerts and nothing is left of them. `place` is the folder of the run's outputs.
    pub fn new(job: &Job, place: &Path) -> Result<Option<Notifier>, Error> {
        for alert in &job.alerts {
            if let Some(spec) = job.notify.get(&alert.send) {
                secret::check(spec, &job.folder)
                    .map_err(|error| Error::Usage(format!("[notify.{}]: {error}", alert.send)))?;
            }
        }
        let path = job::beside(
            place,
            &format!(".{}.alerts.json", job::file_name(&job.name)),
        );
        if job.alerts.is_empty() && !path.exists() {
            return Ok(None);
        }
        Ok(Some(Notifier {
            outbox: Outbox::open(&path)?,
            told: Vec::new(),
            notify: job.notify.clone(),
            folder: job.folder.clone(),
            pause: Duration::from_millis(fleet::for_tests("LOGSTITCH_ALERT_PAUSE_MS", PAUSE_MS)?),
        }))
    }

    /// Puts what is to be told of these alerts into the outbox, beside what earlier runs could not tell.
    pub fn decide(&mut self, run: &Run, verdict: &Verdict) -> Result<(), Error> {
        self.told = self.outbox.decide(run, &verdict.alerts);
        let notify = &self.notify;
        self.outbox
            .give_up(|message| !notify.contains_key(&message.send));
        for lost in self.outbox.take_lost() {
            warn!("{lost}");
        }
        self.outbox.save()
    }

    /// Delivers what is in the outbox. What became of each alert is for the summary; an error is a signal, or an outbox that
    /// cannot be written.
    pub fn deliver_all(mut self, verdict: &Verdict) -> Result<Delivered, Error> {
        let told = std::mem::take(&mut self.told);
        let mut failures = BTreeMap::new();
        if !self.outbox.is_empty() {
            // Deliveries block; a signal ends the run, and what is not yet delivered stays in the outbox.
            let work = move || {
                let failures = self.attempt_all();
                (self, failures)
            };
            let done = fleet::block_on(async { tokio::task::spawn_blocking(work).await })?;
            let (notifier, delivered) = done.map_err(|error| Error::failed("a thread", error))?;
            self = notifier;
            failures = delivered?;
        }
        let alerts = verdict.alerts.iter().zip(&told).map(|(alert, told)| {
            let mut json = alert.json();
            let failure = told.id().and_then(|id| failures.get(id));
            let (delivery, error) = match (told, failure) {
                (Told::Nothing, _) => ("nothing to tell", None),
                (Told::Silent, _) => ("silent", None),
                (Told::Message(_), None) => ("delivered", None),
                (Told::Message(_), Some(why)) => ("undelivered", Some(why.clone())),
            };
            json.insert("delivery".to_owned(), json!(delivery));
            json.insert("error".to_owned(), json!(error));
            Value::Object(json)
        });
        Ok(Delivered {
            alerts: alerts.collect(),
            undelivered: self.outbox.len(),
        })
    }

    /// By message that is left: why.
    fn attempt_all(&mut self) -> Result<BTreeMap<String, String>, Error> {
        let began = Instant::now();
        let mut failures: BTreeMap<String, Failure> = BTreeMap::new();
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(self.pause * 2_u32.pow(attempt - 1));
            }
            // Messages of one incident stay in order: none goes ahead of one that waits.
            let mut waiting: Vec<String> = Vec::new();
            for message in self.outbox.messages() {
                let is_done = failures
                    .get(&message.id)
                    .is_some_and(|failure| failure.is_final);
                if is_done || waiting.contains(&message.incident) || began.elapsed() > ALL_IN {
                    waiting.push(message.incident.clone());
                    let late = || {
                        Failure::passing("not tried: an earlier message of it waits, or time is up")
                    };
                    failures.entry(message.id.clone()).or_insert_with(late);
                    continue;
                }
                match self.deliver(&message) {
                    Ok(()) => {
                        failures.remove(&message.id);
                        self.outbox.remove(&message.id);
                        self.outbox.save()?;
                    }
                    Err(failure) => {
                        waiting.push(message.incident.clone());
                        failures.insert(message.id.clone(), failure);
                    }
                }
            }
            if failures.values().all(|failure| failure.is_final) || began.elapsed() > ALL_IN {
                break;
            }
        }
        let left = self.outbox.messages();
        for message in &left {
            if let Some(failure) = failures.get(&message.id) {
                let kind = self
                    .notify
                    .get(&message.send)
                    .map_or("none", NotifySpec::kind);
                log::error!(
                    "alert not delivered: {} by [notify.{}] ({kind}): {}; the next run tries again",
                    message.title(),
                    message.send,
                    failure.why
                );
            }
        }
        let failures = failures.into_iter();
        Ok(failures.map(|(id, failure)| (id, failure.why)).collect())
    }

    fn deliver(&self, message: &Message) -> Result<(), Failure> {
        let spec = self.notify.get(&message.send);
        let spec = spec.ok_or_else(|| Failure::lasting("the job has no such table"))?;
        let secret = |text: &str| secret::value(text, &self.folder).map_err(Failure::lasting);
        match spec {
            NotifySpec::Webhook { url } => webhook::send(&secret(url)?, message),
            NotifySpec::Slack { url } => slack::send(&secret(url)?, message),
            NotifySpec::Pagerduty { key, endpoint } => {
                let endpoint = endpoint.as_deref().unwrap_or(pagerduty::ENDPOINT);
                pagerduty::send(&secret(endpoint)?, &secret(key)?, message)
            }
            NotifySpec::Alertmanager { url } => alertmanager::send(&secret(url)?, message),
            NotifySpec::Command { command } => command::send(command, &self.folder, message),
            NotifySpec::Smtp {
                server,
                from,
                to,
                user,
                password,
                tls,
            } => {
                let password = match password {
                    Some(password) => Some(secret(password)?),
                    None => None,
                };
                let account = user.clone().zip(password);
                smtp::send(server, *tls, account, from, to, message)
            }
        }
    }
}

/// What became of the alerts of a run.
pub struct Delivered {
    /// For the summary, in the order of the job.
    pub alerts: Value,
    /// Messages that wait for the next run.
    pub undelivered: usize,
}

/// What messages say of a run.
pub fn run_of(summary: &Summary, at: String, now_ns: i64, place: &str) -> Run {
    Run::new(&summary.job, at, now_ns, &summary.missing, place)
}
