//! `run`: a job from its file to its outputs.

use std::path::{Path, PathBuf};
use std::time::Instant;

use jobspec::job::OutputFormat;
use jobspec::value::Time;
use log::{error, info, warn};
use reducer::completeness::Completeness;
use reducer::output::{
    Csv, Digest, Folder, Jsonl, Metrics, Parquet, Report, ReportLine, Runs, SPOOL, Together, junit,
    summary,
};
use reducer::reduce::{self, Order, Reduction, RowSink};
use reducer::spool::Spool;
use reducer::verdict::{AlertState, CheckOutcome, Verdict};

use crate::args::RunArguments;
use crate::asked::{Asked, Baselines};
use crate::error::{Error, Outcome};
use crate::notify::{self, Notifier};
use crate::{fleet, job, resume};

/// The budget of `--verify` for a spool that is small.
const LEAST_VERIFY_BYTES: u64 = 2 << 10;

pub fn run(arguments: &RunArguments) -> Result<Outcome, Error> {
    let began = Instant::now();
    let mut started_ns = job::now_ns();
    let mut job = job::load(&arguments.job, started_ns, job::Lists::Read)?;
    let unfinished = match arguments.resume {
        true => resume::find(&job.output.dir, arguments.out.as_deref())?,
        false => None,
    };
    if let Some(unfinished) = &unfinished {
        started_ns = unfinished.head.started_ns;
        job = job::load(&arguments.job, started_ns, job::Lists::Read)?;
        unfinished.check(&job)?;
    }
    job::refuse_not_yet(&job)?;
    let place = match (&unfinished, &arguments.out) {
        (Some(unfinished), _) => unfinished.place.clone(),
        (None, Some(out)) => out.clone(),
        (None, None) => PathBuf::from(job.output.dir.replace("{run}", &run_name(started_ns))),
    };
    let baselines = match arguments.update_baseline {
        true => Baselines::Written,
        false => Baselines::Read,
    };
    let asked = Asked::of_job(&job, baselines)?;
    let _lock = job::lock(&job, &place)?;
    let is_whole_job = arguments.job.host.is_empty();
    let mut notifier = match is_whole_job {
        true => Notifier::new(&job, &place)?,
        false => None,
    };
    let folder = match &unfinished {
        Some(_) => Folder::resume(&place),
        None => Folder::create(&place),
    }
    .map_err(failed)?;
    let spool = folder.path().join(SPOOL);
    let ran = match &unfinished {
        Some(_) => fleet::resume(&job, &spool),
        None => {
            if arguments.resume {
                warn!(
                    "{}: there is no run to go on with, this is a new one",
                    job.name
                );
            }
            fleet::run(&job, &spool, started_ns)
        }
    };
    if let Err(error) = ran {
        if !matches!(error, Error::Signal(_)) {
            folder.discard().map_err(failed)?;
        }
        return Err(error);
    }
    let memory_bytes = job.run.memory_bytes;
    let formats = &job.output.formats;
    let written = write_outputs(
        std::slice::from_ref(&spool),
        &folder,
        formats,
        memory_bytes,
        arguments.verify,
        Some(asked),
    );
    let written = written.map_err(|error| keep_spool(error, &folder, &spool))?;
    let (mut summary, verdict) = (written.summary, written.verdict);
    tell(&summary, &verdict);
    let place = folder.place().to_owned();
    if let Some(notifier) = &mut notifier {
        let outputs = std::path::absolute(&place).unwrap_or_else(|_| place.clone());
        let outputs = outputs.display().to_string();
        let run = notify::run_of(&summary, run_time(started_ns), started_ns, &outputs);
        // Before anything can be seen of the run: what is decided is told, by this run or by the next.
        notifier.decide(&run, &verdict)?;
    } else if !is_whole_job && !verdict.alerts.is_empty() {
        warn!("--host: of some hosts alone no alert is told");
        summary.add("alerts", verdict.alerts_json("not told"));
        summary.write(folder.path()).map_err(failed)?;
    }
    folder.publish().map_err(failed)?;
    if arguments.out.is_none()
        && let Some(runs) = Runs::new(&job.output.dir, &job.name)
    {
        let with_index = formats.contains(&OutputFormat::Html);
        for finding in runs.tidy(job.output.keep, with_index) {
            warn!("{finding}");
        }
    }
    let mut undelivered = 0;
    if let Some(notifier) = notifier {
        let delivered = notifier.deliver_all(&verdict)?;
        undelivered = delivered.undelivered;
        if !verdict.alerts.is_empty() {
            summary.add("alerts", delivered.alerts);
            summary.write(&place).map_err(failed)?;
        }
    }
    info!(target: "summary", "{}: {}; {} ms; {}", job.name, summary.line, began.elapsed().as_millis(), place.display());
    if let Some(path) = &job.output.metrics {
        let seconds = began.elapsed().as_secs_f64();
        written
            .metrics
            .write(Path::new(path), seconds)
            .map_err(failed)?;
    }
    let asked = written.asked;
    asked.write_baselines(&job.name, &run_time(started_ns))?;
    if undelivered > 0 {
        return Err(Error::Failed(format!(
            "messages of alerts that were not delivered: {undelivered}; the next run tries again"
        )));
    }
    Ok(outcome(&summary, &verdict))
}

/// What was made of a spool.
pub struct Written {
    pub summary: summary::Summary,
    pub verdict: Verdict,
    metrics: Metrics,
    asked: Asked,
}

/// Says on stderr what went wrong, and what checks came to.
pub fn tell(summary: &summary::Summary, verdict: &Verdict) {
    for finding in &summary.findings {
        warn!("{finding}");
    }
    for check in &verdict.checks {
        match check.outcome {
            CheckOutcome::Passed => info!("{}", check.line()),
            CheckOutcome::Failed | CheckOutcome::Unknown => error!("{}", check.line()),
        }
    }
}

pub fn outcome(summary: &summary::Summary, verdict: &Verdict) -> Outcome {
    match (verdict.is_passed(), summary.is_enough) {
        (false, _) => Outcome::CheckFailed,
        (true, false) => Outcome::Incomplete,
        (true, true) => Outcome::Done,
    }
}

/// Makes a run's outputs from its spools, and judges them; by what the run of the spool asked, where nothing is asked now.
pub fn write_outputs(
    spools: &[PathBuf],
    folder: &Folder,
    formats: &[OutputFormat],
    memory_bytes: u64,
    verify: bool,
    asked: Option<Asked>,
) -> Result<Written, Error> {
    let began = Instant::now();
    let spool = Spool::open(spools).map_err(failed)?;
    let mut asked = match asked {
        Some(asked) => asked,
        None => Asked::of_spool(&spool.head)?,
    };
    let how = Reduction {
        order: Order::AsSpooled,
        memory_bytes,
        folder: folder.path(),
    };
    let completeness = Completeness::of(&spool).map_err(failed)?;
    let mut judge = asked.judge(&spool.head.plan, &completeness);
    let (path, plan) = (folder.path(), &spool.head.plan);
    let has = |format| formats.contains(&format);
    let mut jsonl = has(OutputFormat::Jsonl).then(|| Jsonl::new(path));
    let mut csv = has(OutputFormat::Csv).then(|| Csv::new(path));
    let mut parquet = has(OutputFormat::Parquet).then(|| Parquet::new(path, plan));
    let has_report = has(OutputFormat::Html) || has(OutputFormat::Text);
    let mut digest = has_report.then(|| Digest::new(plan));
    let sinks: [Option<&mut dyn RowSink>; 5] = [
        jsonl.as_mut().map(|sink| sink as _),
        csv.as_mut().map(|sink| sink as _),
        parquet.as_mut().map(|sink| sink as _),
        digest.as_mut().map(|sink| sink as _),
        Some(&mut judge as _),
    ];
    let mut sinks = Together(sinks.into_iter().flatten().collect());
    let operators = reduce::reduce(&spool, &completeness, &how, &mut sinks).map_err(failed)?;
    let verdict = asked.verdict(judge);
    if verify {
        verify_outputs(&spool, &completeness, path, has(OutputFormat::Jsonl))?;
    }
    let mut summary = summary::Summary::new(&spool, &completeness, &operators).map_err(failed)?;
    summary.judged(&verdict);
    if let Some(digest) = &digest {
        summary.add_extremes(digest);
        let lines = report_lines(&verdict);
        let report = Report {
            summary: &summary,
            digest,
            lines: &lines,
            rows_in: rows_in(formats),
        };
        if has(OutputFormat::Html) {
            report.write_html(path).map_err(failed)?;
        }
        if has(OutputFormat::Text) {
            report.write_text(path).map_err(failed)?;
        }
    }
    summary.write(path).map_err(failed)?;
    let head = &spool.head;
    let started = run_time(head.started_ns);
    let seconds = began.elapsed().as_secs_f64();
    junit::write(folder.path(), &head.plan.job, &started, seconds, &verdict).map_err(failed)?;
    Ok(Written {
        metrics: Metrics::new(&spool, &completeness, &operators, &verdict),
        summary,
        verdict,
        asked,
    })
}

fn report_lines(verdict: &Verdict) -> Vec<ReportLine> {
    let checks = verdict.checks.iter().map(|check| ReportLine {
        name: check.name.clone(),
        outcome: check.outcome.name().to_owned(),
        is_alert: false,
        is_good: check.outcome == CheckOutcome::Passed,
        why: check.why.clone(),
    });
    let alerts = verdict.alerts.iter().map(|alert| ReportLine {
        name: alert.name.clone(),
        outcome: alert.state.name().to_owned(),
        is_alert: true,
        is_good: alert.state == AlertState::Clear,
        why: alert.why.clone(),
    });
    checks.chain(alerts).collect()
}

/// The extension of the files to which a report sends who wants all rows: what people read most easily.
fn rows_in(formats: &[OutputFormat]) -> Option<&'static str> {
    let files = [
        (OutputFormat::Csv, "csv"),
        (OutputFormat::Jsonl, "jsonl"),
        (OutputFormat::Parquet, "parquet"),
    ];
    let mut files = files.into_iter();
    files
        .find(|(format, _)| formats.contains(format))
        .map(|(_, extension)| extension)
}

/// Outputs that could not be written make room, what the hosts sent stays: it need not be fetched again.
fn keep_spool(error: Error, folder: &Folder, spool: &Path) -> Error {
    let Error::Failed(text) = error else {
        return error;
    };
    for entry in std::fs::read_dir(folder.path())
        .into_iter()
        .flatten()
        .flatten()
    {
        let path = entry.path();
        // What cannot be removed is removed by the next run.
        if path != spool && std::fs::remove_file(&path).is_err() {
            let _ = std::fs::remove_dir_all(&path);
        }
    }
    let spool = spool.display();
    Error::Failed(format!(
        "{text}; no output was changed, and what the hosts sent is kept until the next run: `run --resume` goes on with it, \
         `logstitch reduce {spool} --out DIR` makes the outputs elsewhere"
    ))
}

/// Reduces again in other orders and groupings, and on disk for the most part: by the law, to the same bytes.
fn verify_outputs(
    spool: &Spool,
    completeness: &Completeness,
    folder: &Path,
    has_jsonl: bool,
) -> Result<(), Error> {
    let reference = folder.join(".verify-as-spooled");
    let folder_of_rows = match has_jsonl {
        true => folder,
        false => {
            std::fs::create_dir(&reference)
                .map_err(|error| Error::failed(reference.display(), error))?;
            let how = Reduction {
                order: Order::AsSpooled,
                memory_bytes: spool.run_bytes().max(LEAST_VERIFY_BYTES),
                folder: &reference,
            };
            reduce::reduce(spool, completeness, &how, &mut Jsonl::new(&reference))
                .map_err(failed)?;
            &reference
        }
    };
    for seed in [1, 2] {
        let again = folder.join(".verify");
        std::fs::create_dir(&again).map_err(|error| Error::failed(again.display(), error))?;
        let how = Reduction {
            order: Order::Shuffled { seed },
            // So little that all runs are merged in several passes, and not so little that these are many.
            memory_bytes: (spool.run_bytes() / (seed * 16)).max(LEAST_VERIFY_BYTES),
            folder: &again,
        };
        let operators =
            reduce::reduce(spool, completeness, &how, &mut Jsonl::new(&again)).map_err(failed)?;
        for operator in &operators {
            let name = format!("{}.jsonl", operator.name);
            let read = |path: PathBuf| {
                std::fs::read(&path).map_err(|error| Error::failed(path.display(), error))
            };
            if read(folder_of_rows.join(&name))? != read(again.join(&name))? {
                return Err(Error::Failed(format!(
                    "verify: {name} depends on the order in which its parts were merged (seed {seed}); \
                     this is a fault of logstitch, the rows are not to be trusted"
                )));
            }
        }
        std::fs::remove_dir_all(&again).map_err(|error| Error::failed(again.display(), error))?;
    }
    if !has_jsonl {
        let removed = std::fs::remove_dir_all(&reference);
        removed.map_err(|error| Error::failed(reference.display(), error))?;
    }
    info!(target: "summary", "verify: the same bytes in two other orders, groupings and spill sizes");
    Ok(())
}

/// The start of a run as outputs have it: whole seconds.
fn run_time(started_ns: i64) -> String {
    Time::new(started_ns, 0).to_string()
}

/// `{run}`: the start in UTC, as a name that sorts by time.
fn run_name(started_ns: i64) -> String {
    chrono::DateTime::from_timestamp_nanos(started_ns)
        .format("%Y%m%dT%H%M%SZ")
        .to_string()
}

fn failed(error: reducer::Error) -> Error {
    Error::Failed(error.to_string())
}
