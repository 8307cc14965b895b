//! A look at every host before a run: as far as a run would come, and nothing is read but the ends of files.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jobspec::job::{HostSpec, Job};
use mapper::message::{FromMapper, ToMapper};
use mapper::survey::Survey;
use reducer::report::{HostReport, HostState, Phase};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::contact::{self, Contact, refused, shown};
use crate::error::Error;
use crate::fleet::{self, Settings};
use crate::transport::AttemptError;

/// A look says what is wrong now: what may pass gets one more chance, not minutes.
const MOST_RETRIES: u32 = 1;

const PAUSE: Duration = Duration::from_secs(1);

/// What was seen of a host.
pub struct Looked {
    pub report: HostReport,
    /// None where the look did not come so far.
    pub survey: Option<Survey>,
}

/// Looks at all hosts of the job, in their order.
pub fn look(job: &Job) -> Result<Vec<Looked>, Error> {
    let settings = Arc::new(Settings::new(job)?);
    let places = Arc::new(Semaphore::new(job.run.parallel_hosts.max(1) as usize));
    fleet::block_on(async {
        let mut tasks = JoinSet::new();
        for (index, spec) in (0..).zip(job.hosts.iter().cloned()) {
            let (settings, places) = (settings.clone(), places.clone());
            tasks.spawn(async move {
                let _place = places.acquire_owned().await.expect("nobody closes it");
                (index, look_at(index, &spec, &settings).await)
            });
        }
        let mut looked: Vec<(u32, Looked)> = Vec::new();
        while let Some(ended) = tasks.join_next().await {
            looked.push(ended.expect("a host's task does not panic"));
        }
        looked.sort_by_key(|(index, _)| *index);
        looked.into_iter().map(|(_, looked)| looked).collect()
    })
}

async fn look_at(index: u32, spec: &HostSpec, settings: &Settings) -> Looked {
    let started = Instant::now();
    let mut looked = Looked {
        report: HostReport::default(),
        survey: None,
    };
    let limit = settings.host_timeout;
    if timeout(limit, attempts(index, spec, settings, &mut looked))
        .await
        .is_err()
    {
        looked.report.state = HostState::Failed(Phase::Timeout);
        looked.report.error = Some(format!(
            "not done within host_timeout, {} s",
            limit.as_secs()
        ));
    }
    looked.report.wall_ms = started.elapsed().as_millis() as u64;
    looked
}

async fn attempts(index: u32, spec: &HostSpec, settings: &Settings, looked: &mut Looked) {
    loop {
        looked.report.attempts += 1;
        let report = &mut looked.report;
        let result = match Contact::make(spec, settings, report, None).await {
            Ok(mut contact) => {
                let seen = converse(&mut contact, index, spec, settings, report).await;
                let (result, survey) = match seen {
                    Ok(survey) => (Ok(()), Some(survey)),
                    Err(error) => (Err(error), None),
                };
                looked.survey = survey;
                contact.end(result, report).await
            }
            Err(error) => Err(error),
        };
        let Err(error) = result else {
            report.state = HostState::Ok;
            report.error = None;
            return;
        };
        report.state = error.state;
        report.error = Some(error.message);
        if !error.passing || report.attempts > settings.retries.min(MOST_RETRIES) {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn converse(
    contact: &mut Contact,
    index: u32,
    spec: &HostSpec,
    settings: &Settings,
    report: &mut HostReport,
) -> Result<Survey, AttemptError> {
    let offset = contact.measure_clock().await?;
    report.clock_offset_ns = Some(offset.ahead_ns);
    report.clock_error_ns = Some(offset.error_ns);
    let mut start = contact::start(spec, index, settings);
    start.clock_ahead_ns = contact::taken_off(spec, Some(offset));
    contact.say(&ToMapper::Look(Box::new(start))).await?;
    let mut survey: Option<Survey> = None;
    loop {
        match contact.hear().await? {
            FromMapper::Heartbeat { .. } => {}
            FromMapper::Survey(seen) if survey.is_none() => {
                let files = seen.files.iter().map(|file| file.log);
                let mut logs = files.chain(seen.findings.iter().map(|(log, _)| *log));
                if logs.any(|log| !spec.logs.contains(&log)) {
                    return Err(refused("a file of a log that is not its own"));
                }
                survey = Some(*seen);
            }
            FromMapper::Done(usage) => {
                report.usage = usage;
                return survey.ok_or_else(|| refused("no survey"));
            }
            FromMapper::Failed(text) => {
                return Err(AttemptError::lasting(Phase::Read, shown(&text)));
            }
            _ => return Err(refused("what nobody asked for")),
        }
    }
}
