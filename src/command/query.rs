//! `query`: a job in one line, over local files, its rows on stdout.

use std::path::Path;

use jobspec::job::OutputFormat;
use reducer::output::Folder;

use crate::args::{JobArguments, QueryArguments};
use crate::error::{Error, Outcome};
use crate::{fleet, job};

pub fn query(arguments: &QueryArguments) -> Result<Outcome, Error> {
    let started_ns = job::now_ns();
    let text = job_text(arguments);
    let options = JobArguments {
        job: "query".into(),
        set: Vec::new(),
        from: arguments.from.clone(),
        to: arguments.to.clone(),
        host: Vec::new(),
    };
    let job = job::compile(
        "query",
        text.as_bytes(),
        Path::new("."),
        &options,
        started_ns,
        job::Lists::FilesOnly,
    )?;
    job::refuse_not_yet(&job)?;
    let place = std::env::temp_dir().join(format!("logstitch-query-{}", std::process::id()));
    let failed = |error: reducer::Error| Error::Failed(error.to_string());
    let folder = Folder::create(&place).map_err(failed)?;
    let answer = answer(&job, &folder, started_ns);
    folder.discard().map_err(failed)?;
    let (rows, is_enough) = answer?;
    super::print(&rows)?;
    Ok(if is_enough {
        Outcome::Done
    } else {
        Outcome::Incomplete
    })
}

fn answer(
    job: &jobspec::job::Job,
    folder: &Folder,
    started_ns: i64,
) -> Result<(Vec<u8>, bool), Error> {
    let spool = folder.path().join("spool");
    fleet::run(job, &spool, started_ns)?;
    let formats = [OutputFormat::Jsonl];
    let memory_bytes = job.run.memory_bytes;
    let written = super::run::write_outputs(&[spool], folder, &formats, memory_bytes, false, None)?;
    for line in &written.summary.findings {
        log::warn!("{line}");
    }
    let path = folder.path().join("query.jsonl");
    let rows = std::fs::read(&path).map_err(|error| Error::failed(path.display(), error))?;
    Ok((rows, written.summary.is_enough))
}

/// The job that the question stands for. A mistake in it is shown in this text.
fn job_text(arguments: &QueryArguments) -> String {
    let quote = |text: &str| {
        let mut quoted = Vec::new();
        jobspec::value::write_json_text(text.as_bytes(), &mut quoted);
        String::from_utf8(quoted).expect("JSON of a text is UTF-8")
    };
    let paths: Vec<String> = arguments.paths.iter().map(|path| quote(path)).collect();
    format!(
        "[job]\nname = \"query\"\n[hosts.here]\nlocal = [\"localhost\"]\n\
         [logs.files]\nhosts = [\"here\"]\nformat = {}\npaths = [{}]\n[query.query]\nsql = {}\n",
        quote(&arguments.format),
        paths.join(", "),
        quote(&arguments.sql)
    )
}
