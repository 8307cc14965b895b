//! One host from connect to last frame, with its retries.
//!
//! An attempt that is lost loses nothing committed: the next one is given the first one's manifest and what is in.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jobspec::job::{ClockSpec, HostSpec};
use log::{info, warn};
use mapper::message::{Clock, FromMapper, Manifest, Part, Start, ToMapper, Usage};
use reducer::ledger::Ledger;
use reducer::report::{HostReport, HostState, Phase};
use tokio::sync::mpsc::{Permit, Sender};
use tokio::time::timeout;

use crate::clock::Offset;
use crate::contact::{self, Contact, refused, shown};
use crate::fleet::{Event, Settings};
use crate::transport::AttemptError;

/// Bytes of a part, its runs packed, that are judged at once; more of them go to a thread of their own.
const JUDGED_BYTES: usize = 256 << 10;

/// Notes of a host that are kept.
const MOST_NOTES: usize = 16;

/// A host of a run, and where what it sends goes.
pub struct Host {
    pub index: u32,
    pub spec: HostSpec,
    pub settings: Arc<Settings>,
    pub ledger: Arc<Mutex<Ledger>>,
    pub events: Sender<Event>,
}

/// What attempts have learnt so far.
#[derive(Default)]
struct Progress {
    report: HostReport,
    done: bool,
    clock: Option<Offset>,
    /// The first attempt's: what it took off times, later ones take off too.
    ahead_ns: Option<i64>,
}

impl Host {
    /// Runs the host to its end, whatever that is.
    pub async fn run(self) -> HostReport {
        let started = Instant::now();
        let mut progress = self.progress();
        let limit = self.settings.host_timeout;
        if !progress.done && timeout(limit, self.attempts(&mut progress)).await.is_err() {
            progress.report.state = HostState::Failed(Phase::Timeout);
            progress.report.error = Some(format!(
                "not done within host_timeout, {} s",
                limit.as_secs()
            ));
        }
        if self.is_all_in() {
            // Nothing is lost but what it would have said of itself.
            progress.report.state = HostState::Ok;
            if let Some(error) = progress.report.error.take() {
                info!("{}: all is in, then: {error}", self.spec.name);
            }
        }
        self.tell_clock(&mut progress);
        let mut report = progress.report;
        report.wall_ms = started.elapsed().as_millis() as u64;
        let ledger = self.ledger.lock().expect("no holder of the ledger panics");
        if matches!(report.state, HostState::Failed(_)) && !ledger.committed(self.index).is_empty()
        {
            report.state = HostState::Partial;
        }
        match &report.error {
            None => info!(
                "{}: {} in {} ms",
                self.spec.name,
                report.state.name(),
                report.wall_ms
            ),
            Some(error) => info!("{}: {}: {error}", self.spec.name, report.state.name()),
        }
        report
    }

    /// Where a run that was stopped has come to.
    fn progress(&self) -> Progress {
        let mut progress = Progress::default();
        let ledger = self.ledger.lock().expect("no holder of the ledger panics");
        if let Some(manifest) = ledger.manifest(self.index) {
            progress.ahead_ns = Some(manifest.clock.ahead_ns);
            progress.clock = manifest
                .clock
                .measured_ns
                .map(|(ahead_ns, error_ns)| Offset { ahead_ns, error_ns });
        }
        if ledger.missing(self.index) == Some(0) {
            progress.done = true;
            progress.report.state = HostState::Ok;
        }
        progress
    }

    fn tell_clock(&self, progress: &mut Progress) {
        let Some(offset) = progress.clock else {
            return;
        };
        progress.report.clock_offset_ns = Some(offset.ahead_ns);
        progress.report.clock_error_ns = Some(offset.error_ns);
        if offset.is_worth_a_warning() && self.spec.clock == ClockSpec::Trusted {
            warn!(
                "{}: its clock is off by {:.1} s, and its times are taken as they are; \
                 clock = \"measured\" of its group takes that off",
                self.spec.name,
                offset.ahead_ns as f64 / 1e9
            );
        }
    }

    fn is_all_in(&self) -> bool {
        let ledger = self.ledger.lock().expect("no holder of the ledger panics");
        ledger.missing(self.index) == Some(0)
    }

    async fn attempts(&self, progress: &mut Progress) {
        loop {
            progress.report.attempts += 1;
            let Err(error) = self.attempt(progress).await else {
                progress.report.state = HostState::Ok;
                progress.report.error = None;
                return;
            };
            progress.report.state = error.state;
            progress.report.error = Some(error.message.clone());
            let attempt = progress.report.attempts;
            if !error.passing || attempt > self.settings.retries || self.is_all_in() {
                return;
            }
            let pause = backoff(attempt, self.index);
            warn!(
                "{}: {}; attempt {} in {} ms",
                self.spec.name,
                error.message,
                attempt + 1,
                pause.as_millis()
            );
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt(&self, progress: &mut Progress) -> Result<(), AttemptError> {
        // Only an offset that is to be taken off is worth a round trip of its own before the order.
        let waits_for_clock = self.spec.clock == ClockSpec::Measured
            && progress.ahead_ns.is_none()
            && progress.clock.is_none();
        let order = (!waits_for_clock).then(|| self.start(progress));
        let ahead_ns = order.as_ref().map(|start| start.clock_ahead_ns);
        let order = order.map(|start| ToMapper::Start(Box::new(start)));
        let report = &mut progress.report;
        let mut contact = Contact::make(&self.spec, &self.settings, report, order.as_ref()).await?;
        drop(order);
        let result = self.converse(&mut contact, ahead_ns, progress).await;
        contact.end(result, &mut progress.report).await
    }

    /// Hears the mapper out; `ahead_ns` is what it was told of its clock, if it has its order already.
    async fn converse(
        &self,
        contact: &mut Contact,
        ahead_ns: Option<i64>,
        progress: &mut Progress,
    ) -> Result<(), AttemptError> {
        let ahead_ns = match ahead_ns {
            Some(ahead_ns) => {
                contact.ping().await?;
                ahead_ns
            }
            None => {
                progress.clock = Some(contact.measure_clock().await?);
                let start = self.start(progress);
                let ahead_ns = start.clock_ahead_ns;
                contact.say(&ToMapper::Start(Box::new(start))).await?;
                ahead_ns
            }
        };
        while !progress.done {
            match contact.hear().await? {
                FromMapper::Hello { .. } | FromMapper::Survey(_) => {
                    return Err(refused("what nobody asked for"));
                }
                FromMapper::Pong { clock_ns } => {
                    let offset = contact.pong(clock_ns).await?;
                    let best = progress.clock.map_or(offset, |best| best.surer(offset));
                    progress.clock = Some(best);
                }
                FromMapper::Manifest(manifest) => {
                    self.manifest(manifest, ahead_ns, progress).await?;
                }
                FromMapper::Part(part) => self.part(part).await?,
                FromMapper::Heartbeat { scanned_bytes } => {
                    let name = &self.spec.name;
                    info!("{name}: {} MB scanned", scanned_bytes / 1_000_000);
                }
                FromMapper::Done(usage) => self.done(usage, progress)?,
                FromMapper::Failed(text) => {
                    return Err(AttemptError::lasting(Phase::Read, shown(&text)));
                }
            }
        }
        // A mapper may be done before the first answer is here.
        if progress.clock.is_none() {
            progress.clock = contact.last_pong().await;
        }
        Ok(())
    }

    async fn manifest(
        &self,
        mut manifest: Manifest,
        ahead_ns: i64,
        progress: &mut Progress,
    ) -> Result<(), AttemptError> {
        let arrivals = &self.settings.arrivals;
        arrivals
            .manifest(&self.spec.logs, &manifest)
            .map_err(refused)?;
        manifest.clock = Clock {
            ahead_ns,
            measured_ns: progress
                .clock
                .map(|offset| (offset.ahead_ns, offset.error_ns)),
        };
        let place = self.place().await?;
        {
            let mut ledger = self.ledger.lock().expect("no holder of the ledger panics");
            ledger
                .set_manifest(self.index, manifest.clone())
                .map_err(refused)?;
        }
        progress.ahead_ns = Some(ahead_ns);
        place.send(Event::Manifest(self.index, manifest));
        Ok(())
    }

    async fn part(&self, part: Part) -> Result<(), AttemptError> {
        let origin = {
            let ledger = self.ledger.lock().expect("no holder of the ledger panics");
            ledger.origin(self.index, part.range.stream)
        };
        let origin = origin.ok_or_else(|| refused("a part of a stream that it does not have"))?;
        let partials = part.partials.iter();
        let bytes = partials.map(|partial| partial.core.0.len() + partial.run.0.len());
        let bytes: usize = bytes.sum();
        let settings = self.settings.clone();
        let judge = move || (settings.arrivals.part(origin, &part), part);
        let (judged, part) = if bytes > JUDGED_BYTES {
            let judged = tokio::task::spawn_blocking(judge).await;
            judged
                .map_err(|_| AttemptError::lasting(Phase::Protocol, "sent a part that broke us"))?
        } else {
            judge()
        };
        judged.map_err(refused)?;
        let place = self.place().await?;
        let fresh = {
            let mut ledger = self.ledger.lock().expect("no holder of the ledger panics");
            ledger.commit(self.index, part.range).map_err(refused)?
        };
        if fresh {
            place.send(Event::Part(self.index, part));
        }
        Ok(())
    }

    fn done(&self, mut usage: Usage, progress: &mut Progress) -> Result<(), AttemptError> {
        usage.notes.truncate(MOST_NOTES);
        for note in &mut usage.notes {
            *note = shown(note);
        }
        progress.report.usage = usage;
        let ledger = self.ledger.lock().expect("no holder of the ledger panics");
        match ledger.missing(self.index) {
            Some(0) => {
                progress.done = true;
                Ok(())
            }
            Some(missing) => Err(AttemptError::passing(
                Phase::Protocol,
                format!("says it is done, but {missing} segments are missing"),
            )),
            None => Err(AttemptError::passing(
                Phase::Protocol,
                "says it is done, but sent no manifest",
            )),
        }
    }

    /// Waits until the spool will take something: what is committed then goes there without another wait, so that
    /// whoever is stopped in between has either done both or neither.
    async fn place(&self) -> Result<Permit<'_, Event>, AttemptError> {
        let place = self.events.reserve().await;
        place.map_err(|_| AttemptError::lasting(Phase::Limit, "the run has ended"))
    }

    fn start(&self, progress: &Progress) -> Start {
        let taken_off = contact::taken_off(&self.spec, progress.clock);
        let ledger = self.ledger.lock().expect("no holder of the ledger panics");
        Start {
            clock_ahead_ns: progress.ahead_ns.unwrap_or(taken_off),
            manifest: ledger.manifest(self.index).cloned(),
            committed: ledger.committed(self.index),
            ..contact::start(&self.spec, self.index, &self.settings)
        }
    }
}

/// 1 s, 2 s, 4 s … up to a minute, each with a jitter of its own so that hosts do not come back together.
fn backoff(attempt: u32, host: u32) -> Duration {
    let base = 1000_u64 << (attempt - 1).min(6);
    let jitter =
        u64::from(host.wrapping_mul(2_654_435_761) ^ attempt.wrapping_mul(40_503)) % (base / 2);
    Duration::from_millis((base.min(60_000)) * 3 / 4 + jitter)
}
