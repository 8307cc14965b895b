//! `reduce`: the outputs again, from the spools of one or several runs.

use std::time::Instant;

use jobspec::job::OutputFormat;
use log::info;
use reducer::output::Folder;
use reducer::reduce::MEMORY_BYTES;

use crate::args::ReduceArguments;
use crate::error::{Error, Outcome};

pub fn reduce(arguments: &ReduceArguments) -> Result<Outcome, Error> {
    let began = Instant::now();
    let failed = |error: reducer::Error| Error::Failed(error.to_string());
    let folder = Folder::create(&arguments.out).map_err(failed)?;
    let summary = match super::run::write_outputs(
        &arguments.spools,
        &folder,
        &[OutputFormat::Jsonl],
        MEMORY_BYTES,
        false,
    ) {
        Ok(summary) => summary,
        Err(error) => {
            folder.discard().map_err(failed)?;
            return Err(error);
        }
    };
    let place = folder.place().display().to_string();
    folder.publish().map_err(failed)?;
    info!(target: "summary", "{}: {}; {} ms; {place}", summary.job, summary.line, began.elapsed().as_millis());
    Ok(if summary.is_enough {
        Outcome::Done
    } else {
        Outcome::Incomplete
    })
}
