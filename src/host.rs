//! One host from connect to last frame, with its retries.
//!
//! An attempt that is lost loses nothing committed: the next one is given the first one's manifest and what is in.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jobspec::job::{ClockSpec, HostSpec, TransportSpec};
use log::{info, warn};
use mapper::frame::Blob;
use mapper::message::{BUILD, FromMapper, Manifest, Part, Start, ToMapper, Usage};
use reducer::ledger::Ledger;
use reducer::report::{HostReport, HostState, Phase};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use crate::clock::{self, Offset};
use crate::deploy;
use crate::fleet::{Event, Settings};
use crate::transport::conversation::{Conversation, LastWords};
use crate::transport::{self, AttemptError, Pipe};

/// How long a host that has failed is listened to for the reason.
const LAST_WORDS: Duration = Duration::from_millis(500);

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
    /// The first attempt's: what it took off times, later ones take off too.
    clock: Option<Offset>,
}

impl Host {
    /// Runs the host to its end, whatever that is.
    pub async fn run(self) -> HostReport {
        let started = Instant::now();
        let mut progress = Progress::default();
        let limit = self.settings.host_timeout;
        if timeout(limit, self.attempts(&mut progress)).await.is_err() {
            progress.report.state = HostState::Failed(Phase::Timeout);
            progress.report.error = Some(format!(
                "not done within host_timeout, {} s",
                limit.as_secs()
            ));
        }
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
            if !error.passing || attempt > self.settings.retries {
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
        let mut pipe = {
            let turn = self.settings.dialling.acquire().await;
            let _turn = turn.expect("nobody closes it");
            transport::open(&self.spec, &self.settings.folder).await?
        };
        let last_words = LastWords::follow(&mut pipe);
        let result = self.talk(&mut pipe, progress).await;
        let Err(error) = result else {
            return Ok(());
        };
        if !error.passing {
            return Err(error);
        }
        // The mapper's own last words say more than a broken pipe.
        let Pipe { stdin, process, .. } = pipe;
        let mut process = process;
        drop(stdin);
        let end = match timeout(LAST_WORDS, process.wait()).await {
            Ok(Ok(end)) => format!(" ({end})"),
            Ok(Err(error)) => format!(" ({error})"),
            Err(_) => String::new(),
        };
        let said = last_words.listen(LAST_WORDS).await;
        let said = if said.is_empty() {
            said
        } else {
            format!(", it said: {said}")
        };
        Err(AttemptError {
            message: format!("{}{end}{said}", error.message),
            ..error
        })
    }

    async fn talk(&self, pipe: &mut Pipe, progress: &mut Progress) -> Result<(), AttemptError> {
        let silence = self.settings.silence;
        let report = &mut progress.report;
        let early = if transport::deploys(&self.spec.transport) {
            let mappers = self.settings.mappers.mappers();
            let deploy_dir = self.settings.deploy_dir.as_deref();
            deploy::deploy(pipe, mappers, deploy_dir, silence, &mut report.sent_bytes).await?
        } else {
            Vec::new()
        };
        report.received_bytes += early.len() as u64;
        let mut conversation = Conversation::new(pipe, early, silence);
        let result = self.converse(&mut conversation, progress).await;
        progress.report.sent_bytes += conversation.sent_bytes;
        progress.report.received_bytes += conversation.received_bytes;
        result
    }

    async fn converse(
        &self,
        conversation: &mut Conversation<'_>,
        progress: &mut Progress,
    ) -> Result<(), AttemptError> {
        match conversation.hear().await? {
            FromMapper::Hello { build } if build == BUILD => progress.report.build = Some(build),
            FromMapper::Hello { build } => {
                let build = build.escape_debug();
                let text = format!("its mapper is of build {build}, this is {BUILD}");
                return Err(AttemptError::lasting(Phase::Protocol, text));
            }
            _ => return Err(refused("no greeting")),
        }
        self.measure_clock(conversation, progress).await?;
        conversation
            .say(&ToMapper::Start(Box::new(self.start(progress.clock))))
            .await?;
        while !progress.done {
            let message = conversation.hear().await?;
            self.take(message, progress).await?;
        }
        Ok(())
    }

    /// A few pings, of which the quickest counts.
    async fn measure_clock(
        &self,
        conversation: &mut Conversation<'_>,
        progress: &mut Progress,
    ) -> Result<(), AttemptError> {
        let mut best: Option<Offset> = None;
        for _ in 0..clock::PINGS {
            let sent_ns = clock::now_ns();
            conversation.say(&ToMapper::Ping).await?;
            let FromMapper::Pong { clock_ns } = conversation.hear().await? else {
                return Err(refused("something else than its clock"));
            };
            let offset = Offset::of_ping(sent_ns, clock_ns, clock::now_ns());
            best = Some(best.map_or(offset, |best| best.surer(offset)));
        }
        if progress.clock.is_none()
            && let Some(offset) = best
        {
            progress.clock = best;
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
        Ok(())
    }

    async fn take(&self, message: FromMapper, progress: &mut Progress) -> Result<(), AttemptError> {
        match message {
            FromMapper::Hello { .. } | FromMapper::Pong { .. } => {
                return Err(refused("a greeting in the middle of its work"));
            }
            FromMapper::Manifest(manifest) => self.manifest(manifest).await?,
            FromMapper::Part(part) => self.part(part).await?,
            FromMapper::Heartbeat { scanned_bytes } => {
                info!(
                    "{}: {} MB scanned",
                    self.spec.name,
                    scanned_bytes / 1_000_000
                );
            }
            FromMapper::Done(usage) => self.done(usage, progress)?,
            FromMapper::Failed(text) => {
                return Err(AttemptError::lasting(
                    Phase::Read,
                    text.escape_debug().to_string(),
                ));
            }
        }
        Ok(())
    }

    async fn manifest(&self, manifest: Manifest) -> Result<(), AttemptError> {
        {
            let mut ledger = self.ledger.lock().expect("no holder of the ledger panics");
            ledger
                .set_manifest(self.index, manifest.clone())
                .map_err(refused)?;
        }
        self.send(Event::Manifest(self.index, manifest)).await
    }

    async fn part(&self, part: Part) -> Result<(), AttemptError> {
        let fresh = {
            let mut ledger = self.ledger.lock().expect("no holder of the ledger panics");
            ledger.commit(self.index, part.range).map_err(refused)?
        };
        if fresh {
            self.send(Event::Part(self.index, part)).await
        } else {
            Ok(())
        }
    }

    fn done(&self, usage: Usage, progress: &mut Progress) -> Result<(), AttemptError> {
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

    async fn send(&self, event: Event) -> Result<(), AttemptError> {
        let sent = self.events.send(event).await;
        sent.map_err(|_| AttemptError::lasting(Phase::Limit, "the run has ended"))
    }

    fn start(&self, clock: Option<Offset>) -> Start {
        // Paths of other hosts are theirs: absolute, or from where a login starts.
        let folder = match self.spec.transport {
            TransportSpec::Local => self.settings.folder.as_os_str().as_encoded_bytes().to_vec(),
            TransportSpec::Ssh(_) | TransportSpec::Exec { .. } => Vec::new(),
        };
        let ledger = self.ledger.lock().expect("no holder of the ledger panics");
        Start {
            build: BUILD.to_owned(),
            plan: self.settings.plan.clone(),
            host: self.spec.name.clone(),
            host_index: self.index,
            logs: self.spec.logs.clone(),
            folder: Blob(folder),
            clock_ahead_ns: match self.spec.clock {
                ClockSpec::FixedNs(ahead_ns) => ahead_ns,
                ClockSpec::Measured => clock.map_or(0, Offset::to_take_off),
                ClockSpec::Trusted => 0,
            },
            segment_bytes: self.settings.segment_bytes,
            // Often enough that some may be late.
            heartbeat_ms: self.settings.silence.as_millis() as u64 / 6,
            manifest: ledger.manifest(self.index).cloned(),
            committed: ledger.committed(self.index),
        }
    }
}

fn refused(what: impl std::fmt::Display) -> AttemptError {
    AttemptError::passing(Phase::Protocol, format!("sent {what}"))
}

/// 1 s, 2 s, 4 s … up to a minute, each with a jitter of its own so that hosts do not come back together.
fn backoff(attempt: u32, host: u32) -> Duration {
    let base = 1000_u64 << (attempt - 1).min(6);
    let jitter =
        u64::from(host.wrapping_mul(2_654_435_761) ^ attempt.wrapping_mul(40_503)) % (base / 2);
    Duration::from_millis((base.min(60_000)) * 3 / 4 + jitter)
}
