//! One host from connect to last frame, with its retries.
//!
//! An attempt that is lost loses nothing committed: the next one is given the first one's manifest and what is in.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use jobspec::job::{ClockSpec, HostSpec};
use log::{debug, info, warn};
use mapper::frame::{Blob, Decoder};
use mapper::message::{BUILD, FromMapper, Manifest, Part, Start, Usage};
use reducer::ledger::Ledger;
use reducer::report::{HostReport, HostState, Phase};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc::Sender;
use tokio::time::timeout;

use crate::fleet::{Event, Settings};
use crate::transport::{self, AttemptError, Pipe};

/// Silence after which a host counts as hanging; a mapper sends a heartbeat every few seconds.
const SILENCE: Duration = Duration::from_secs(30);

/// Bytes of a host's stderr that an error shows.
const STDERR_BYTES: usize = 2000;

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
        let mut pipe = transport::open(&self.spec).await?;
        let result = self.talk(&mut pipe, progress).await;
        let Err(error) = result else {
            return Ok(());
        };
        if !error.passing {
            return Err(error);
        }
        // The mapper's own last words say more than a broken pipe.
        drop(pipe.stdin);
        let mut stderr = Vec::new();
        let mut tail = pipe.stderr.take(STDERR_BYTES as u64);
        let _ = timeout(Duration::from_millis(500), tail.read_to_end(&mut stderr)).await;
        let end = match timeout(Duration::from_millis(500), pipe.process.wait()).await {
            Ok(Ok(status)) => format!(" ({status})"),
            _ => String::new(),
        };
        let said = String::from_utf8_lossy(&stderr)
            .trim()
            .escape_debug()
            .to_string();
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
        let sent_at = SystemTime::now();
        let mut bytes = Vec::new();
        self.start().encode(&mut bytes);
        progress.report.sent_bytes += bytes.len() as u64;
        let lost = |error: std::io::Error| {
            AttemptError::passing(Phase::Read, format!("connection lost: {error}"))
        };
        // A mapper that ends before it has read its plan says why on its own side of the pipe.
        let sending = async {
            pipe.stdin.write_all(&bytes).await?;
            pipe.stdin.flush().await
        };
        let sent = timeout(SILENCE, sending).await;
        if let Ok(Err(error)) = sent {
            debug!("{}: the plan was not taken: {error}", self.spec.name);
        }

        let mut decoder = Decoder::new();
        let mut buffer = vec![0; 256 << 10];
        loop {
            let read = match timeout(SILENCE, pipe.stdout.read(&mut buffer)).await {
                Ok(read) => read.map_err(lost)?,
                Err(_) => {
                    let text = format!("no sign of life for {} s", SILENCE.as_secs());
                    return Err(AttemptError::passing(Phase::Timeout, text));
                }
            };
            progress.report.received_bytes += read as u64;
            decoder.push(&buffer[..read]);
            let broken = |error: mapper::frame::FrameError| {
                AttemptError::passing(Phase::Protocol, error.to_string())
            };
            while let Some(message) = decoder.next_message().map_err(broken)? {
                let message = FromMapper::decode(&message).map_err(broken)?;
                self.take(message, sent_at, progress).await?;
                if progress.done {
                    return Ok(());
                }
            }
            if read == 0 {
                decoder.end().map_err(broken)?;
                return Err(AttemptError::passing(
                    Phase::Read,
                    "the mapper ended before it was done",
                ));
            }
        }
    }

    async fn take(
        &self,
        message: FromMapper,
        sent_at: SystemTime,
        progress: &mut Progress,
    ) -> Result<(), AttemptError> {
        match message {
            FromMapper::Hello { build, clock_ns } => {
                if build != BUILD {
                    let text = format!("its mapper is of build {build}, this is {BUILD}");
                    return Err(AttemptError::lasting(Phase::Protocol, text));
                }
                let received_ns = unix_ns(SystemTime::now());
                let sent_ns = unix_ns(sent_at);
                progress.report.clock_offset_ns =
                    Some(clock_ns.saturating_sub(sent_ns / 2 + received_ns / 2));
                progress.report.clock_error_ns = Some((received_ns - sent_ns).max(0) / 2);
                progress.report.build = Some(build);
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

    fn start(&self) -> Start {
        let ledger = self.ledger.lock().expect("no holder of the ledger panics");
        Start {
            build: BUILD.to_owned(),
            plan: self.settings.plan.clone(),
            host: self.spec.name.clone(),
            host_index: self.index,
            logs: self.spec.logs.clone(),
            folder: Blob(self.settings.folder.as_os_str().as_encoded_bytes().to_vec()),
            clock_ahead_ns: match self.spec.clock {
                ClockSpec::FixedNs(ahead_ns) => ahead_ns,
                ClockSpec::Trusted | ClockSpec::Measured => 0,
            },
            segment_bytes: self.settings.segment_bytes,
            manifest: ledger.manifest(self.index).cloned(),
            committed: ledger.committed(self.index),
        }
    }
}

fn refused(text: String) -> AttemptError {
    AttemptError::passing(Phase::Protocol, format!("sent {text}"))
}

/// 1 s, 2 s, 4 s … up to a minute, each with a jitter of its own so that hosts do not come back together.
fn backoff(attempt: u32, host: u32) -> Duration {
    let base = 1000_u64 << (attempt - 1).min(6);
    let jitter =
        u64::from(host.wrapping_mul(2_654_435_761) ^ attempt.wrapping_mul(40_503)) % (base / 2);
    Duration::from_millis((base.min(60_000)) * 3 / 4 + jitter)
}

fn unix_ns(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as i64)
}
