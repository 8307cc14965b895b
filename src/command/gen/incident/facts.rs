//! What the incident holds, counted while it is made and not by reading it again: tests hold readers and
//! operators against it.

use std::collections::BTreeMap;
use std::fmt;

/// One file, before compression. A line is an entry (valid or malformed), a continuation or blank.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileFacts {
    /// Below the folder `logs`.
    pub path: String,
    pub bytes: u64,
    pub lines: u64,
    /// Entries that begin in this file and parse in the log's format.
    pub valid: u64,
    /// Entries that do not: `valid = false`.
    pub malformed: u64,
    pub blank: u64,
    /// Lines that belong to an entry before them, be it in the file before.
    pub continuations: u64,
}

/// The whole corpus. What is counted is counted within the job's hour, half-open, by the entry's own
/// timestamp, unless it says otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    pub seed: u64,
    pub files: Vec<FileFacts>,
    /// Entries by service (`checkout`, `payments`, `ledger`, `postgres`) and level. What has no level, a DETAIL or
    /// STATEMENT of postgres, counts under `""`; what has no service either, malformed lines of the JSON logs and
    /// `{}`, under `("", "")`, at the time of the entry before it.
    pub levels: BTreeMap<(&'static str, &'static str), u64>,
    /// Lines of nginx by status.
    pub statuses: BTreeMap<u64, u64>,
    /// Entries `checkout started`, and what became of them.
    pub checkouts: u64,
    pub checkouts_done: u64,
    pub checkouts_declined: u64,
    pub checkouts_failed: u64,
    /// Of those done, the ones that took more than one attempt.
    pub checkouts_done_after_retry: u64,
    /// Entries of checkout with the message `payments: timeout after 1200ms`.
    pub timeouts: u64,
    /// Entries of checkout, payments and ledger (first line) whose message says `connection refused`, in any case.
    pub refused: u64,
    /// `ERROR:  cannot execute … in a read-only transaction` in postgres.log.
    pub read_only: u64,
    /// `ERROR:  duplicate key value …` in postgres.log: a retry of what had been posted.
    pub duplicates: u64,
    /// Prefixed `STATEMENT:` lines in postgres.log.
    pub failed_statements: u64,
    /// Checkouts that left entries on all three nodes, over the whole corpus.
    pub crossing: u64,
    /// The checkout that took longest.
    pub slowest_request_id: String,
    pub slowest_ms: u64,
    /// Locked out by an alarm after six failed passwords, then unlocked.
    pub locked_out: String,
    /// In after five failed passwords, and no alarm: what the job should find.
    pub unnoticed: String,
    /// In after five failed passwords, and an alarm four seconds later.
    pub noticed: String,
}

/// As README.md shows it.
impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| file | bytes | lines | valid entries | malformed | blank | continuation lines |"
        )?;
        writeln!(f, "|---|---:|---:|---:|---:|---:|---:|")?;
        for file in &self.files {
            writeln!(
                f,
                "| {} | {} | {} | {} | {} | {} | {} |",
                file.path,
                file.bytes,
                file.lines,
                file.valid,
                file.malformed,
                file.blank,
                file.continuations
            )?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "- checkouts {}: done {} (of these after a retry {}), declined {}, failed {}",
            self.checkouts,
            self.checkouts_done,
            self.checkouts_done_after_retry,
            self.checkouts_declined,
            self.checkouts_failed
        )?;
        for service in ["checkout", "payments", "ledger", "postgres", ""] {
            let levels = self.levels.iter().filter(|((of, _), _)| *of == service);
            let levels = levels.map(|((_, level), count)| {
                let level = if level.is_empty() { "no level" } else { level };
                format!("{level} {count}")
            });
            let levels = levels.collect::<Vec<_>>().join(", ");
            let service = if service.is_empty() {
                "no service"
            } else {
                service
            };
            writeln!(f, "- entries of {service} by level: {levels}")?;
        }
        let statuses = self.statuses.iter();
        let statuses = statuses.map(|(status, count)| format!("{status} {count}"));
        let statuses = statuses.collect::<Vec<_>>().join(", ");
        writeln!(f, "- requests at nginx by status: {statuses}")?;
        writeln!(
            f,
            "- slowest checkout: {} with {} ms",
            self.slowest_request_id, self.slowest_ms
        )?;
        writeln!(f, "- `timeout after 1200ms` in checkout: {}", self.timeouts)?;
        writeln!(
            f,
            "- `connection refused` in checkout, payments and ledger: {}",
            self.refused
        )?;
        writeln!(
            f,
            "- in postgres.log: failed statements {}, of these read-only {}, duplicate key {}",
            self.failed_statements, self.read_only, self.duplicates
        )?;
        writeln!(
            f,
            "- checkouts with entries on all three nodes, over the whole corpus: {}",
            self.crossing
        )?;
        writeln!(f, "- locked out by an alarm: {}", self.locked_out)?;
        writeln!(
            f,
            "- in after five failures, alarm four seconds later: {}",
            self.noticed
        )?;
        writeln!(f, "- in after five failures, no alarm: {}", self.unnoticed)
    }
}
