//! Which run a job's `--resume` goes on with: the last one, if it was not finished.
//!
//! A run that was stopped has left its folder in the making, with the spool in it. That it began is known by the spool's
//! head, and what it was asked by the plan in it: from then on the job means what it meant then, `-24h` too.

use std::path::{Path, PathBuf};

use jobspec::job::Job;
use reducer::output::{Folder, SPOOL};
use reducer::spool::{Head, Spool};

use crate::error::Error;
use crate::fleet;

/// What stands in an output folder's name for the start of its run.
const RUN: &str = "{run}";

/// A run that was stopped.
pub struct Unfinished {
    /// Where its outputs go.
    pub place: PathBuf,
    pub head: Head,
}

/// The run to go on with; None where the last one was finished, or there was none.
pub fn find(dir: &str, out: Option<&Path>) -> Result<Option<Unfinished>, Error> {
    let place = match out {
        Some(out) => Some(out.to_owned()),
        None => last_place(dir),
    };
    let Some(place) = place else {
        return Ok(None);
    };
    let failed = |error: reducer::Error| Error::Failed(error.to_string());
    let temporary = Folder::temporary(&place).map_err(failed)?;
    let spool = temporary.join(SPOOL);
    if !spool.join("plan").is_file() {
        return Ok(None);
    }
    let head = Spool::read_head(&spool).map_err(failed)?;
    Ok(Some(Unfinished { place, head }))
}

impl Unfinished {
    /// Whether the job is still the one that this run was of, compiled for the time when it began.
    pub fn check(&self, job: &Job) -> Result<(), Error> {
        let now = fleet::head(job, self.head.started_ns);
        let what = if now.plan != self.head.plan {
            "the job"
        } else if now.hosts != self.head.hosts {
            "the list of its hosts"
        } else {
            return Ok(());
        };
        Err(Error::Usage(format!(
            "{}: {what} has changed since this run was stopped; `run` without --resume begins a new one",
            self.place.display()
        )))
    }
}

/// The folder of the last run, finished or not, by the names of what is there.
fn last_place(dir: &str) -> Option<PathBuf> {
    if !dir.contains(RUN) {
        return Some(PathBuf::from(dir));
    }
    let mut base = PathBuf::new();
    for part in Path::new(dir) {
        if part.to_string_lossy().contains(RUN) {
            break;
        }
        base.push(part);
    }
    if base.as_os_str().is_empty() {
        base.push(".");
    }
    let entries = std::fs::read_dir(base).ok()?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let runs: std::collections::BTreeSet<String> = names
        .filter_map(|name| run_in(&name).map(str::to_owned))
        .collect();
    let places = runs
        .into_iter()
        .rev()
        .map(|run| PathBuf::from(dir.replace(RUN, &run)));
    let mut places = places.filter(|place| {
        place.is_dir() || Folder::temporary(place).is_ok_and(|temporary| temporary.is_dir())
    });
    places.next()
}

/// The start of a run in a name: `20260119T140000Z`.
fn run_in(name: &str) -> Option<&str> {
    const LENGTH: usize = "20260119T140000Z".len();
    let starts = 0..=name.len().checked_sub(LENGTH)?;
    starts
        .filter_map(|start| name.get(start..start + LENGTH))
        .find(|part| {
            let mut bytes = part.bytes().enumerate();
            bytes.all(|(at, byte)| match at {
                8 => byte == b'T',
                15 => byte == b'Z',
                _ => byte.is_ascii_digit(),
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_known_by_their_names() {
        assert_eq!(run_in("20260119T140000Z"), Some("20260119T140000Z"));
        assert_eq!(
            run_in(".x-20260119T140000Z.partial"),
            Some("20260119T140000Z")
        );
        for name in ["", "20260119T14000Z", "20260119 140000Z", "é20260119T140"] {
            assert_eq!(run_in(name), None, "{name}");
        }
    }

    #[test]
    fn the_last_run_counts_finished_or_not() {
        let base = std::env::temp_dir().join(format!("logstitch-resume-{}", std::process::id()));
        let dir = base.join("{run}").to_str().unwrap().to_owned();
        assert!(find(&dir, None).unwrap().is_none());
        let place = |run: &str| base.join(run);
        std::fs::create_dir_all(base.join(".20260119T140000Z.partial")).unwrap();
        assert_eq!(last_place(&dir), Some(place("20260119T140000Z")));
        std::fs::create_dir_all(place("20260120T140000Z")).unwrap();
        assert_eq!(last_place(&dir), Some(place("20260120T140000Z")));
        std::fs::create_dir_all(base.join(".20260121T140000Z.partial")).unwrap();
        assert_eq!(last_place(&dir), Some(place("20260121T140000Z")));
        // It had not come as far as its spool.
        assert!(find(&dir, None).unwrap().is_none());
        std::fs::remove_dir_all(&base).unwrap();
    }
}
