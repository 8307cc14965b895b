//! The runs of a job, folders beside each other (`out/incident/20261120T065200Z`): `latest` points to the newest, an index
//! page shows them all, and old ones go. A folder is a run only if its name is a run's, it is no link, and it holds a summary
//! that names this job; nothing else is ever touched.

use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::html::runs::{INDEX_SIGN, index};
use super::summary::SIGN;
use crate::Error;

/// Bytes of a summary, and runs on the index page.
const SUMMARY_BYTES: u64 = 256 << 20;
const SHOWN_RUNS: usize = 60;

/// The folder in which a job's runs are.
pub struct Runs {
    folder: PathBuf,
    /// What stands about `{run}` in a run's name.
    before: String,
    after: String,
    job: String,
}

/// What the index page says of a run.
#[derive(Clone, Debug, Deserialize)]
pub struct RunSummary {
    #[serde(skip)]
    pub name: String,
    #[serde(skip)]
    pub has_report: bool,
    job: String,
    pub started: String,
    pub completeness: RunCompleteness,
    pub entries: RunEntries,
    pub operators: Vec<RunOperator>,
    #[serde(default)]
    pub checks: Vec<RunCheck>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct RunCompleteness {
    pub complete: bool,
    pub enough: bool,
    #[serde(default)]
    pub missing: Vec<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct RunEntries {
    pub read: u64,
    pub malformed: u64,
}

#[derive(Clone, Debug, Deserialize)]
pub struct RunOperator {
    pub name: String,
    pub rows: u64,
    /// The least and the greatest number of a column.
    #[serde(default)]
    pub extremes: serde_json::Map<String, serde_json::Value>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct RunCheck {
    #[serde(default)]
    pub outcome: String,
}

impl Runs {
    /// The runs of a job whose folders are named so; None where `{run}` is not in the last part of the name.
    pub fn new(dir: &str, job: &str) -> Option<Runs> {
        let path = Path::new(dir);
        let (before, after) = path.file_name()?.to_str()?.split_once("{run}")?;
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let is_plain = !after.contains("{run}") && !folder.to_string_lossy().contains("{run}");
        is_plain.then(|| Runs {
            folder: folder.to_owned(),
            before: before.to_owned(),
            after: after.to_owned(),
            job: job.to_owned(),
        })
    }

    /// After a run was published: the link, the index page if the job has reports, and fewer old runs. What goes wrong here
    /// does not take the run back, it is said.
    pub fn tidy(&self, keep: Option<u32>, with_index: bool) -> Vec<String> {
        let mut findings = Vec::new();
        let mut say = |result: Result<(), Error>| {
            findings.extend(result.err().map(|error| error.to_string()))
        };
        match self.names() {
            Ok(names) => {
                if let Some(keep) = keep {
                    say(self.remove_old(&names, keep.max(1) as usize));
                }
                if let Some(newest) = names.first() {
                    say(self.point_latest(newest));
                }
                if with_index {
                    say(self.write_index(&names));
                }
            }
            Err(error) => say(Err(error)),
        }
        findings
    }

    /// The folders that are named as runs, the newest first.
    fn names(&self) -> Result<Vec<String>, Error> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(Error::io(&self.folder))? {
            let entry = entry.map_err(Error::io(&self.folder))?;
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if let (true, Ok(name)) = (is_folder, entry.file_name().into_string())
                && self.is_run_name(&name)
            {
                names.push(name);
            }
        }
        // All are as long, so that names order as times do.
        names.sort_by(|left, right| right.cmp(left));
        Ok(names)
    }

    /// `20261120T065200Z`, with what the job puts about it.
    fn is_run_name(&self, name: &str) -> bool {
        let run = name
            .strip_prefix(&self.before)
            .and_then(|rest| rest.strip_suffix(&self.after));
        run.is_some_and(|run| {
            run.len() == 16
                && run.bytes().enumerate().all(|(index, byte)| match index {
                    8 => byte == b'T',
                    15 => byte == b'Z',
                    _ => byte.is_ascii_digit(),
                })
        })
    }

    /// The summary of a folder, if that is a run of this job.
    fn summary(&self, name: &str) -> Option<RunSummary> {
        let folder = self.folder.join(name);
        let mut text = Vec::new();
        let file = fs::File::open(folder.join(SIGN)).ok()?;
        file.take(SUMMARY_BYTES).read_to_end(&mut text).ok()?;
        let mut summary: RunSummary = serde_json::from_slice(&text).ok()?;
        summary.name = name.to_owned();
        summary.has_report = folder.join("report.html").is_file();
        (summary.job == self.job).then_some(summary)
    }

    /// Removes the runs beyond the newest so many.
    fn remove_old(&self, names: &[String], keep: usize) -> Result<(), Error> {
        let runs = names.iter().filter(|name| self.summary(name).is_some());
        for name in runs.skip(keep) {
            let place = self.folder.join(name);
            // A folder that is half removed must not look like a run.
            let aside = self.folder.join(format!(".{name}.removed"));
            fs::rename(&place, &aside).map_err(Error::io(&place))?;
            fs::remove_dir_all(&aside).map_err(Error::io(&aside))?;
        }
        Ok(())
    }

    fn point_latest(&self, newest: &str) -> Result<(), Error> {
        let place = self.folder.join("latest");
        match fs::symlink_metadata(&place) {
            Ok(found) if !found.is_symlink() => {
                return Err(Error::Other(format!(
                    "{}: is no link, so it does not point to the newest run",
                    place.display()
                )));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(&place)(error)),
        }
        let fresh = self.folder.join(format!(".latest.{}", std::process::id()));
        let linked = std::os::unix::fs::symlink(newest, &fresh);
        linked.map_err(Error::io(&fresh))?;
        fs::rename(&fresh, &place).map_err(Error::io(&place))
    }

    fn write_index(&self, names: &[String]) -> Result<(), Error> {
        let place = self.folder.join("index.html");
        match fs::read(&place) {
            Ok(found)
                if !String::from_utf8_lossy(&found[..found.len().min(4096)])
                    .contains(INDEX_SIGN) =>
            {
                return Err(Error::Other(format!(
                    "{}: is no index of runs, so it is not written anew",
                    place.display()
                )));
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(&place)(error)),
        }
        let runs = names.iter().filter_map(|name| self.summary(name));
        let runs: Vec<RunSummary> = runs.take(SHOWN_RUNS).collect();
        let fresh = self.folder.join(format!(".index.{}", std::process::id()));
        fs::write(&fresh, index(&self.job, &runs)).map_err(Error::io(&fresh))?;
        fs::rename(&fresh, &place).map_err(Error::io(&place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Folder;

    fn make_run(folder: &Path, name: &str, job: &str) {
        let run = folder.join(name);
        fs::create_dir_all(&run).unwrap();
        let summary = format!(
            r#"{{"job":"{job}","started":"2026-01-19T14:00:00Z","completeness":{{"complete":true,"enough":true}},
            "entries":{{"read":5,"malformed":1}},"operators":[{{"name":"latency","rows":3}}],"hosts":[{{"any":1}}]}}"#
        );
        fs::write(run.join(SIGN), summary).unwrap();
    }

    #[test]
    fn only_runs_of_this_job_are_removed() {
        let folder = Folder::new("runs");
        let dir = format!("{}/x-{{run}}-y", folder.path().display());
        let runs = Runs::new(&dir, "job").unwrap();
        let name = |day: u32| format!("x-202601{day:02}T000000Z-y");
        for day in 1..=5 {
            make_run(folder.path(), &name(day), "job");
        }
        // Another job's, no run at all, a link, a file, and names that are none of a run.
        make_run(folder.path(), "x-20250101T000000Z-y", "other");
        fs::create_dir(folder.path().join("x-20240101T000000Z-y")).unwrap();
        let elsewhere = Folder::new("elsewhere");
        make_run(elsewhere.path(), "run", "job");
        std::os::unix::fs::symlink(
            elsewhere.path().join("run"),
            folder.path().join("x-20230101T000000Z-y"),
        )
        .unwrap();
        make_run(folder.path(), "x-2022-01-01T00Z-y", "job");
        fs::write(folder.path().join("notes.txt"), "").unwrap();

        assert_eq!(runs.tidy(Some(2), true), Vec::<String>::new());
        let mut left: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(
            left,
            [
                "index.html",
                "latest",
                "notes.txt",
                "x-2022-01-01T00Z-y",
                "x-20230101T000000Z-y",
                "x-20240101T000000Z-y",
                "x-20250101T000000Z-y",
                &name(4),
                &name(5),
            ]
        );
        assert_eq!(
            fs::read_link(folder.path().join("latest")).unwrap(),
            Path::new(&name(5))
        );
        assert!(elsewhere.path().join("run").join(SIGN).is_file());
        // Again: the link moves on, the page is ours and written anew.
        make_run(folder.path(), &name(6), "job");
        assert_eq!(runs.tidy(None, true), Vec::<String>::new());
        assert_eq!(
            fs::read_link(folder.path().join("latest")).unwrap(),
            Path::new(&name(6))
        );
        let page = fs::read_to_string(folder.path().join("index.html")).unwrap();
        assert!(page.contains(&name(6)) && page.contains(&name(4)) && !page.contains("x-2025"));
    }

    #[test]
    fn what_is_not_ours_stays_and_is_said() {
        let folder = Folder::new("runs");
        let runs = Runs::new(&format!("{}/{{run}}", folder.path().display()), "job").unwrap();
        make_run(folder.path(), "20260101T000000Z", "job");
        fs::write(folder.path().join("index.html"), "<h1>mine</h1>").unwrap();
        fs::write(folder.path().join("latest"), "mine").unwrap();
        let findings = runs.tidy(Some(1), true);
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert_eq!(
            fs::read(folder.path().join("index.html")).unwrap(),
            b"<h1>mine</h1>"
        );
        assert_eq!(fs::read(folder.path().join("latest")).unwrap(), b"mine");
        for dir in ["out", "{run}/out", "{run}/{run}", "{run}{run}", "/"] {
            assert!(Runs::new(dir, "job").is_none(), "{dir}");
        }
    }
}
