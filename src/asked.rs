//! What a job asks of its results: its checks with their baselines, and its alerts.

use std::path::{Path, PathBuf};

use jobspec::job::{AlertSpec, CheckSpec, Job};
use jobspec::plan::Plan;
use reducer::check::{Baseline, Judge, Quantifier, Question};
use reducer::completeness::Completeness;
use reducer::spool::{Head, KeptCheck};
use reducer::verdict::Verdict;

use crate::error::Error;

/// Whether baselines are read or written anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baselines {
    Read,
    Written,
}

pub struct Asked {
    checks: Vec<CheckSpec>,
    alerts: Vec<AlertSpec>,
    /// Each file once; by check, which of them is its.
    baselines: Vec<Baseline>,
    of_checks: Vec<Option<usize>>,
}

impl Asked {
    /// Opens the baselines: a file that is none is found before anything is done.
    pub fn of_job(job: &Job, baselines: Baselines) -> Result<Asked, Error> {
        if baselines == Baselines::Written
            && job.checks.iter().all(|check| check.baseline.is_none())
        {
            return Err(Error::Usage(
                "--update-baseline: no check of this job has a baseline".to_owned(),
            ));
        }
        Asked::new(
            job.checks.clone(),
            job.alerts.clone(),
            &job.folder,
            baselines,
        )
    }

    /// What the run of a spool asked. Alerts are told by runs alone.
    pub fn of_spool(head: &Head) -> Result<Asked, Error> {
        let checks = head.checks.iter().map(|check| {
            jobspec::read_check(
                &head.plan,
                &check.name,
                &check.text,
                check.baseline.as_deref(),
            )
            .map_err(|error| Error::Failed(format!("the spool's check `{}`: {error}", check.name)))
        });
        let checks = checks.collect::<Result<_, _>>()?;
        Asked::new(checks, Vec::new(), Path::new("."), Baselines::Read)
    }

    fn new(
        checks: Vec<CheckSpec>,
        alerts: Vec<AlertSpec>,
        folder: &Path,
        how: Baselines,
    ) -> Result<Asked, Error> {
        let mut baselines: Vec<Baseline> = Vec::new();
        let mut of_checks = Vec::new();
        for check in &checks {
            let Some(path) = check.baseline.as_ref().map(|path| folder.join(path)) else {
                of_checks.push(None);
                continue;
            };
            let known = baselines.iter().position(|known| known.path() == path);
            of_checks.push(Some(known.unwrap_or(baselines.len())));
            if known.is_none() {
                let opened = Baseline::open(&path, how == Baselines::Written);
                baselines.push(opened.map_err(|error| Error::Usage(error.to_string()))?);
            }
        }
        Ok(Asked {
            checks,
            alerts,
            baselines,
            of_checks,
        })
    }

    /// Begins to judge rows that are finished.
    pub fn judge(&mut self, plan: &Plan, completeness: &Completeness) -> Judge {
        let checks = self.checks.iter().zip(&self.of_checks);
        let checks = checks.map(|(check, baseline)| Question {
            condition: &check.that,
            quantifier: Quantifier::Every,
            baseline: *baseline,
        });
        let alerts = self.alerts.iter().map(|alert| Question {
            condition: &alert.when,
            quantifier: Quantifier::Some,
            baseline: None,
        });
        let questions: Vec<Question<'_>> = checks.chain(alerts).collect();
        let baselines = std::mem::take(&mut self.baselines);
        Judge::new(plan, completeness, &questions, baselines)
    }

    pub fn verdict(&mut self, judge: Judge) -> Verdict {
        let (judgements, baselines) = judge.finish();
        self.baselines = baselines;
        Verdict::new(&self.checks, &self.alerts, judgements)
    }

    /// Puts the measured baselines in their places.
    pub fn write_baselines(self, job: &str, now: &str) -> Result<(), Error> {
        for baseline in self.baselines {
            let written = baseline.write(job, now);
            written.map_err(|error| Error::Failed(error.to_string()))?;
        }
        Ok(())
    }
}

/// The checks as the spool keeps them.
pub fn kept(job: &Job) -> Vec<KeptCheck> {
    let folder = std::path::absolute(&job.folder).unwrap_or_else(|_| job.folder.clone());
    let checks = job.checks.iter();
    checks
        .map(|check| KeptCheck {
            name: check.name.clone(),
            text: check.text.clone(),
            baseline: check.baseline.as_ref().map(|path| {
                let path: PathBuf = folder.join(path);
                path.to_string_lossy().into_owned()
            }),
        })
        .collect()
}
