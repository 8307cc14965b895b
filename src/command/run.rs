//! `run`: a job from its file to its outputs.

use std::path::{Path, PathBuf};
use std::time::Instant;

use jobspec::job::OutputFormat;
use log::{info, warn};
use reducer::output::{Folder, Jsonl, summary};
use reducer::reduce::{self, Order};
use reducer::spool::Spool;

use crate::args::RunArguments;
use crate::error::{Error, Outcome};
use crate::{fleet, job};

pub fn run(arguments: &RunArguments) -> Result<Outcome, Error> {
    let began = Instant::now();
    let started_ns = job::now_ns();
    let job = job::load(&arguments.job, started_ns, job::Lists::Read)?;
    job::refuse_not_yet(&job)?;
    let place = match &arguments.out {
        Some(out) => out.clone(),
        None => PathBuf::from(job.output.dir.replace("{run}", &run_name(started_ns))),
    };
    let _lock = job::lock(&job, &place)?;
    let folder = Folder::create(&place).map_err(failed)?;
    let spool = folder.path().join("spool");
    if let Err(error) = fleet::run(&job, &spool, started_ns) {
        if !matches!(error, Error::Signal(_)) {
            folder.discard().map_err(failed)?;
        }
        return Err(error);
    }
    let summary = write_outputs(&[spool], &folder, &job.output.formats, arguments.verify)?;
    for finding in &summary.findings {
        warn!("{finding}");
    }
    let place = folder.place().display().to_string();
    folder.publish().map_err(failed)?;
    info!(target: "summary", "{}: {}; {} ms; {place}", job.name, summary.line, began.elapsed().as_millis());
    Ok(if summary.is_enough {
        Outcome::Done
    } else {
        Outcome::Incomplete
    })
}

/// Makes a run's outputs from its spools.
pub fn write_outputs(
    spools: &[PathBuf],
    folder: &Folder,
    formats: &[OutputFormat],
    verify: bool,
) -> Result<summary::Summary, Error> {
    let spool = Spool::open(spools).map_err(failed)?;
    debug_assert!(
        formats.iter().all(|format| *format == OutputFormat::Jsonl),
        "others are refused before"
    );
    let operators =
        reduce::reduce(&spool, Order::AsSpooled, &mut Jsonl::new(folder.path())).map_err(failed)?;
    if verify {
        verify_outputs(&spool, folder.path())?;
    }
    let summary = summary::Summary::new(&spool, &operators).map_err(failed)?;
    summary.write(folder.path()).map_err(failed)?;
    Ok(summary)
}

/// Reduces again in other orders and groupings: by the law, to the same bytes.
fn verify_outputs(spool: &Spool, folder: &Path) -> Result<(), Error> {
    for seed in [1, 2] {
        let again = folder.join(".verify");
        std::fs::create_dir(&again).map_err(|error| Error::failed(again.display(), error))?;
        let operators = reduce::reduce(spool, Order::Shuffled { seed }, &mut Jsonl::new(&again))
            .map_err(failed)?;
        for operator in &operators {
            let name = format!("{}.jsonl", operator.name);
            let read = |path: PathBuf| {
                std::fs::read(&path).map_err(|error| Error::failed(path.display(), error))
            };
            if read(folder.join(&name))? != read(again.join(&name))? {
                return Err(Error::Failed(format!(
                    "verify: {name} depends on the order in which its parts were merged (seed {seed}); \
                     this is a fault of logstitch, the rows are not to be trusted"
                )));
            }
        }
        std::fs::remove_dir_all(&again).map_err(|error| Error::failed(again.display(), error))?;
    }
    info!(target: "summary", "verify: the same bytes in two other orders of merging");
    Ok(())
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
