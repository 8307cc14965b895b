//! A job file from disk to a compiled job: the files and commands that it names, what this build cannot run yet,
//! and the lock that keeps two runs of it apart.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use jobspec::job::Job;
use jobspec::job::ListSource;
use jobspec::{Request, Source};

use crate::args::JobArguments;
use crate::error::Error;

/// Bytes of a host list.
const LIST_BYTES: u64 = 16 << 20;

/// Whether commands that list hosts are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lists {
    /// Files are read, commands run.
    Read,
    /// Files are read, commands are not run.
    FilesOnly,
}

/// Reads and compiles the job.
pub fn load(arguments: &JobArguments, now_ns: i64, lists: Lists) -> Result<Job, Error> {
    let path = &arguments.job;
    let mut text = Vec::new();
    let file =
        File::open(path).map_err(|error| Error::Usage(format!("{}: {error}", path.display())))?;
    // One byte past the bound tells the job language that the file is too large.
    let read = file
        .take(jobspec::LARGEST_FILE as u64 + 1)
        .read_to_end(&mut text);
    read.map_err(|error| Error::Usage(format!("{}: {error}", path.display())))?;
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    compile(
        &path.display().to_string(),
        &text,
        &folder,
        arguments,
        now_ns,
        lists,
    )
}

/// Compiles a job whose text is at hand.
pub fn compile(
    name: &str,
    text: &[u8],
    folder: &Path,
    arguments: &JobArguments,
    now_ns: i64,
    lists: Lists,
) -> Result<Job, Error> {
    let read_list = |source: &ListSource| match source {
        ListSource::File(path) => read_file(&folder.join(path)).map(Some),
        ListSource::Command(_) if lists == Lists::FilesOnly => Ok(None),
        ListSource::Command(command) => output_of(command).map(Some),
    };
    let request = Request {
        now_ns,
        from: arguments.from.as_deref(),
        to: arguments.to.as_deref(),
        set: &arguments.set,
        hosts: &arguments.host,
        host_list: &read_list,
    };
    jobspec::compile(
        &Source {
            name,
            bytes: text,
            folder,
        },
        &request,
    )
    .map_err(Error::Job)
}

/// Refuses a job that asks for what this version cannot do, each with its place.
pub fn refuse_not_yet(job: &Job) -> Result<(), Error> {
    job.refusals()
        .map_or(Ok(()), |refusals| Err(Error::Job(refusals)))
}

/// Holds the job's lock until it is dropped; a second run of the same job into the same place is refused.
pub fn lock(job: &Job, place: &Path) -> Result<File, Error> {
    let path = beside(place, &format!(".{}.lock", file_name(&job.name)));
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|error| Error::failed(parent.display(), error))?;
    }
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = file.map_err(|error| Error::failed(path.display(), error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(Error::Running(format!(
            "{}: this job is running already (its lock is held)",
            path.display()
        ))),
        Err(std::fs::TryLockError::Error(error)) => Err(Error::failed(path.display(), error)),
    }
}

/// A file beside the folder of a run's outputs: what the runs of a job share.
pub fn beside(place: &Path, name: &str) -> PathBuf {
    match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.join(name),
        _ => Path::new(".").join(name),
    }
}

/// A job's name as part of one.
pub fn file_name(job: &str) -> String {
    job.replace(['/', '\0'], "_")
}

/// The time, nanoseconds UTC.
pub fn now_ns() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as i64)
}

fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LIST_BYTES).read_to_end(&mut bytes));
    read.map(|_| bytes)
        .map_err(|error| format!("{}: {error}", path.display()))
}

fn output_of(command: &[String]) -> Result<Vec<u8>, String> {
    let [program, arguments @ ..] = command else {
        return Err("an empty command".to_owned());
    };
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("{program}: {}", output.status))
    }
}
