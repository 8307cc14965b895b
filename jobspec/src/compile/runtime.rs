//! `[output]`, `[run]` and `[limits]`: how the job is run, and what it writes.

use super::Compiler;
use super::view::View;
use crate::job::{OutputFormat, OutputSpec, Require, RunSpec};
use crate::language::{JOB_FILE, Shape, TableShape};
use crate::plan::Limits;
use crate::table::{Table, Text};
use crate::units;

/// A table that the job leaves out is an empty one: every key has its default.
fn or_empty<'t>(view: View<'t>, key: &str, empty: &'t Table) -> View<'t> {
    view.table(key).unwrap_or(View {
        table: empty,
        place: view.place,
        shape: shape_of(key),
    })
}

fn shape_of(key: &str) -> &'static TableShape {
    match JOB_FILE.key(key).map(|key| &key.shape) {
        Some(Shape::Table(shape)) => shape,
        _ => unreachable!("`{key}` is a table of the job file"),
    }
}

impl Compiler<'_> {
    pub(super) fn output(&mut self, view: View<'_>, job: &str) -> OutputSpec {
        let empty = Table::default();
        let view = or_empty(view, "output", &empty);
        let mut formats: Vec<OutputFormat> = Vec::new();
        for word in view.texts("formats").unwrap_or_default() {
            let Some(format) = OutputFormat::from_name(&word.value) else {
                continue;
            };
            if formats.contains(&format) {
                self.mistake(
                    &word.place,
                    format!(
                        "the format `{}` is there twice",
                        crate::table::shortened(&word.value)
                    ),
                );
            } else {
                formats.push(format);
            }
        }
        if view.entry("formats").is_none() {
            formats.push(OutputFormat::Jsonl);
        }
        let dir = self
            .path(view, "dir", &["job", "run"], job)
            .unwrap_or_default();
        // The runs are told apart by the last part of the path.
        let last = dir.rsplit('/').find(|part| !part.is_empty());
        let is_run_folder = last.is_some_and(|last| last.matches("{run}").count() == 1)
            && dir.matches("{run}").count() == 1;
        if let (Some(keep), false) = (view.entry("keep"), is_run_folder) {
            self.mistake_with(
                &keep.key_place,
                "`keep` needs a folder for each run, beside each other",
                "`dir` must end in a name with `{run}` in it: \"out/{job}/{run}\"",
            );
        }
        OutputSpec {
            dir,
            formats,
            line_numbers: view.bool("line_numbers"),
            keep: view.count("keep"),
            metrics: self.path(view, "metrics", &["job"], job),
        }
    }

    /// A path in which `{job}` is replaced.
    fn path(&mut self, view: View<'_>, key: &str, known: &[&str], job: &str) -> Option<String> {
        let text: Text = view.text(key)?;
        if text.value.contains('\0') {
            self.mistake(&text.place, "no file has such a path");
        }
        self.placeholders(&text, known);
        Some(text.value.replace("{job}", job))
    }

    pub(super) fn run(&mut self, view: View<'_>, job: &str) -> RunSpec {
        let sessions = view.named("session");
        let empty = Table::default();
        let view = or_empty(view, "run", &empty);
        let incremental = view.bool("incremental");
        if incremental {
            for (_, session) in sessions {
                if let Some(link) = session.entry("link") {
                    self.mistake_with(
                        &link.key_place,
                        "a linked session cannot be `incremental`",
                        "an id of tomorrow may join sessions of today; take out `link`, or `[run] incremental`",
                    );
                }
            }
        }
        for key in ["state", "wait"] {
            if let (Some(entry), false) = (view.entry(key), incremental) {
                // Not a mistake where `--set run.incremental=false` says so for once.
                if view.entry("incremental").is_none() {
                    self.mistake(
                        &entry.key_place,
                        format!("`{key}` has no meaning without `incremental = true`"),
                    );
                }
            }
        }
        RunSpec {
            parallel_hosts: view.count("parallel_hosts").unwrap_or(1),
            retries: view.count("retries").unwrap_or_default(),
            host_timeout_ns: self.positive(view, "host_timeout").unwrap_or_default(),
            require: Require {
                percent: self
                    .measured(view, "require", units::percent)
                    .unwrap_or(100.0),
            },
            memory_bytes: self.size(view, "memory").unwrap_or_default(),
            incremental,
            state: self
                .path(view, "state", &["job"], job)
                .filter(|_| incremental),
            wait_ns: self.duration(view, "wait").unwrap_or_default(),
            mapper: self.path(view, "mapper", &[], job),
            deploy_dir: self.path(view, "deploy_dir", &[], job),
        }
    }

    pub(super) fn limits(&mut self, view: View<'_>) -> Limits {
        let empty = Table::default();
        let view = or_empty(view, "limits", &empty);
        Limits {
            threads: view.count("threads"),
            memory_bytes: self.size(view, "memory"),
            nice: view
                .integer("nice")
                .and_then(|nice| i32::try_from(nice).ok()),
            read_bytes_per_second: self.measured(view, "read_rate", units::rate),
            max_decoded_bytes: self.size(view, "max_decoded"),
            open_files: view.count("open_files"),
        }
    }
}
