//! Every host at once, bounded; what they send goes into the spool, one writer for all.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobspec::job::{HostSpec, Job};
use jobspec::plan::Plan;
use log::info;
use mapper::message::{Manifest, Part};
use reducer::arrival::Arrivals;
use reducer::ledger::Ledger;
use reducer::report::{HostReport, HostState};
use reducer::spool::{Head, HostHead, Spool, Writer};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, Receiver};
use tokio::task::JoinSet;

use crate::asked;
use crate::deploy;
use crate::error::Error;
use crate::host::Host;
use crate::transport::{Transports, Ways};

/// Parts that wait for the spool; beyond, hosts wait.
const WAITING_PARTS: usize = 8;

/// A mapper sends heartbeats; one that is silent for so long hangs.
const SILENCE_MS: u64 = 30_000;

/// Connections that are made at once: sshd resets what goes beyond its MaxStartups, 10 by default.
const DIALLING: usize = 8;

/// What a stopped run waits for at most before it exits.
const STOPPING: Duration = Duration::from_secs(2);

/// Bytes of a plain file to a segment.
const SEGMENT_BYTES: u64 = 16 << 20;

/// What every host of a run is given.
pub struct Settings {
    pub plan: Plan,
    /// Where relative paths of local nodes start.
    pub folder: PathBuf,
    pub segment_bytes: u64,
    pub retries: u32,
    pub host_timeout: Duration,
    /// How long a host may say nothing.
    pub silence: Duration,
    pub ways: Box<dyn Ways>,
    /// Hosts that are being connected to at once.
    pub dialling: Semaphore,
    pub mappers: deploy::Shared,
    pub deploy_dir: Option<String>,
    /// Judges what hosts send.
    pub arrivals: Arrivals,
}

impl Settings {
    /// As the job has them.
    pub fn new(job: &Job) -> Result<Settings, Error> {
        let folder = std::path::absolute(&job.folder)
            .map_err(|error| Error::failed(job.folder.display(), error))?;
        let arrivals =
            Arrivals::new(&job.plan).map_err(|error| Error::Failed(error.to_string()))?;
        Ok(Settings {
            plan: job.plan.clone(),
            ways: Box::new(Transports {
                folder: folder.clone(),
            }),
            folder,
            segment_bytes: for_tests("LOGSTITCH_SEGMENT_BYTES", SEGMENT_BYTES)?,
            retries: job.run.retries,
            host_timeout: Duration::from_nanos(job.run.host_timeout_ns.max(0) as u64),
            silence: Duration::from_millis(for_tests("LOGSTITCH_SILENCE_MS", SILENCE_MS)?),
            dialling: Semaphore::new(DIALLING),
            mappers: deploy::Shared::new(job.run.mapper.as_ref().map(|path| job.folder.join(path))),
            deploy_dir: job.run.deploy_dir.clone(),
            arrivals,
        })
    }
}

/// What hosts send, on its way into the spool.
pub enum Event {
    Manifest(u32, Manifest),
    Part(u32, Part),
    Report(u32, HostReport),
}

/// What the spool of a run of this job says of itself.
pub fn head(job: &Job, started_ns: i64) -> Head {
    let hosts = job.hosts.iter();
    Head {
        build: mapper::message::BUILD.to_owned(),
        plan: job.plan.clone(),
        hosts: hosts
            .map(|host| HostHead {
                name: host.name.clone(),
                group: host.group.clone(),
                logs: host.logs.clone(),
            })
            .collect(),
        started_ns,
        require_percent: job.run.require.percent,
        checks: asked::kept(job),
    }
}

/// Sends the plan to every host of the job and spools what comes back. A host that fails is a report in the spool, not
/// an error; an error is a disk that is full, or a signal.
pub fn run(job: &Job, spool: &Path, started_ns: i64) -> Result<(), Error> {
    let writer = Writer::create(spool, &head(job, started_ns)).map_err(failed)?;
    let ledger = Ledger::new(job.hosts.len());
    run_hosts(job, writer, ledger, (0..job.hosts.len() as u32).collect())
}

/// Goes on with a run that was stopped: hosts that were done stay so, the others are given what of them is in.
pub fn resume(job: &Job, spool: &Path) -> Result<(), Error> {
    let (writer, spool) = Writer::resume(spool).map_err(failed)?;
    let ledger = Ledger::of(&spool).map_err(failed)?;
    let open = open_hosts(&spool);
    let parts: usize = spool.hosts.iter().map(|host| host.parts.len()).sum();
    let (done, all) = (job.hosts.len() - open.len(), job.hosts.len());
    info!(
        target: "summary",
        "{}: goes on with the run of {}: {done} of {all} hosts are done, {parts} parts are in",
        job.name,
        jobspec::value::Time::from_ns(spool.head.started_ns)
    );
    drop(spool);
    run_hosts(job, writer, ledger, open)
}

/// The hosts of a spool that are not done.
pub fn open_hosts(spool: &Spool) -> Vec<u32> {
    let hosts = (0..).zip(&spool.hosts);
    let is_done = |report: &HostReport| report.state == HostState::Ok;
    hosts
        .filter(|(_, host)| !host.report.as_ref().is_some_and(is_done))
        .map(|(index, _)| index)
        .collect()
}

fn run_hosts(job: &Job, writer: Writer, ledger: Ledger, open: Vec<u32>) -> Result<(), Error> {
    let settings = Arc::new(Settings::new(job)?);
    let (events, received) = mpsc::channel(WAITING_PARTS);
    let hosts = open
        .into_iter()
        .map(|index| (index, job.hosts[index as usize].clone()));
    let fleet = Fleet {
        hosts: hosts.collect(),
        parallel: job.run.parallel_hosts,
        settings,
        ledger,
    };
    // The spool is written by a thread of its own: a slow disk slows the hosts down, never the other way round.
    let spooling = std::thread::spawn(move || write(writer, received));
    let ended = block_on(fleet.run(events));
    let written = spooling.join().expect("the spool's thread does not panic");
    ended?;
    written.map_err(failed)
}

/// Runs to the end, or to a signal. Every host's task is dropped then, and with it its mapper; a resolver that hangs is
/// not waited for.
pub fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Error::failed("cannot start", error))?;
    let ended = runtime.block_on(async {
        tokio::select! {
            done = work => Ok(done),
            signal = stop_signal() => Err(Error::Signal(signal)),
        }
    });
    runtime.shutdown_timeout(STOPPING);
    ended
}

/// The hosts of a run that are still to be asked.
pub struct Fleet {
    pub hosts: Vec<(u32, HostSpec)>,
    /// So many of them at once.
    pub parallel: u32,
    pub settings: Arc<Settings>,
    pub ledger: Ledger,
}

impl Fleet {
    /// Runs every host to its end. Events end when it does.
    pub async fn run(self, events: mpsc::Sender<Event>) {
        let ledger = Arc::new(Mutex::new(self.ledger));
        let places = Arc::new(Semaphore::new(self.parallel.max(1) as usize));
        let mut tasks = JoinSet::new();
        for (index, spec) in self.hosts {
            let host = Host {
                index,
                spec,
                settings: self.settings.clone(),
                ledger: ledger.clone(),
                events: events.clone(),
            };
            let places = places.clone();
            let events = events.clone();
            tasks.spawn(async move {
                let _place = places.acquire_owned().await.expect("nobody closes it");
                let report = host.run().await;
                // A closed channel is a spool that cannot be written: its thread says so.
                let _ = events.send(Event::Report(index, report)).await;
            });
        }
        drop(events);
        while let Some(ended) = tasks.join_next().await {
            ended.expect("a host's task does not panic");
        }
    }
}

impl Event {
    pub fn write(self, writer: &mut Writer) -> Result<(), reducer::Error> {
        match self {
            Event::Manifest(host, manifest) => writer.manifest(host, manifest),
            Event::Part(host, part) => writer.part(host, part),
            Event::Report(host, report) => writer.report(host, report),
        }
    }
}

fn write(mut writer: Writer, mut events: Receiver<Event>) -> Result<(), reducer::Error> {
    while let Some(event) = events.blocking_recv() {
        event.write(&mut writer)?;
    }
    Ok(())
}

fn failed(error: reducer::Error) -> Error {
    Error::Failed(error.to_string())
}

/// A number that tests set to other than its value: the same job in other segments, a host that is soon silent.
pub fn for_tests(name: &str, value: u64) -> Result<u64, Error> {
    match std::env::var(name) {
        Ok(text) => match text.parse() {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(Error::Usage(format!("{name}={text}: wants a number"))),
        },
        Err(_) => Ok(value),
    }
}

/// The first of SIGINT and SIGTERM.
async fn stop_signal() -> i32 {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => 2,
        _ = terminate.recv() => 15,
    }
}

#[cfg(test)]
mod simulation;
