//! `reduce`: the outputs again, from the spools of one or several runs.

use std::path::{Path, PathBuf};
use std::time::Instant;

use log::info;
use reducer::output::Folder;
use reducer::reduce::MEMORY_BYTES;
use reducer::spool::Spool;

use crate::args::{JobArguments, ReduceArguments};
use crate::asked::{Asked, Baselines};
use crate::error::{Error, Outcome};
use crate::job;

pub fn reduce(arguments: &ReduceArguments) -> Result<Outcome, Error> {
    let began = Instant::now();
    let failed = |error: reducer::Error| Error::Failed(error.to_string());
    let asked = match &arguments.job {
        Some(path) => Some(asked_by(path, &arguments.spools)?),
        None => None,
    };
    let folder = Folder::create(&arguments.out).map_err(failed)?;
    let written = match super::run::write_outputs(
        &arguments.spools,
        &folder,
        &arguments.formats,
        MEMORY_BYTES,
        false,
        asked,
    ) {
        Ok(written) => written,
        Err(error) => {
            folder.discard().map_err(failed)?;
            return Err(error);
        }
    };
    let (summary, verdict) = (&written.summary, &written.verdict);
    super::run::tell(summary, verdict);
    let place = folder.place().display().to_string();
    folder.publish().map_err(failed)?;
    info!(target: "summary", "{}: {}; {} ms; {place}", summary.job, summary.line, began.elapsed().as_millis());
    Ok(super::run::outcome(summary, verdict))
}

/// What a job asks of spools that came of the same operators. Its times are those of the run.
fn asked_by(path: &Path, spools: &[PathBuf]) -> Result<Asked, Error> {
    let spool = Spool::open(spools).map_err(|error| Error::Failed(error.to_string()))?;
    let arguments = JobArguments {
        job: path.to_owned(),
        set: Vec::new(),
        from: None,
        to: None,
        host: Vec::new(),
    };
    let job = job::load(&arguments, spool.head.started_ns, job::Lists::FilesOnly)?;
    job::refuse_not_yet(&job)?;
    let kept = &spool.head.plan;
    if job.plan.operators != kept.operators || job.plan.fields != kept.fields {
        return Err(Error::Usage(format!(
            "{}: its operators are not those of the spool",
            path.display()
        )));
    }
    Asked::of_job(&job, Baselines::Read)
}
