//! From the globs of the logs to streams: files found, looked at, each content taken once, and grouped by what
//! their names share.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use bstr::BString;
use jobspec::plan::LogPlan;

use super::file::split;
use super::rotation::{self, Rank};
use super::same::{Content, compare};
use super::{Stream, StreamFile, glob};
use crate::tally::{Finding, FindingKind};

/// Files of one log beyond which no more are looked at.
const MOST_FILES: usize = 100_000;

/// What a host has of the logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Sorted by log and name: an index orders as the names do.
    pub streams: Vec<Stream>,
    /// By log: what is not in a stream, and why.
    pub findings: Vec<(u16, Finding)>,
}

/// Lists the files of the logs as one host sees them. Relative globs start at `folder`. Their files' order is that of
/// their names until a stream is settled.
pub fn discover(host: &str, folder: &Path, logs: &[(u16, &LogPlan)]) -> Found {
    let mut found = Found::default();
    for &(log, plan) in logs {
        let mut findings = BTreeSet::new();
        let files = list(host, folder.as_os_str().as_bytes(), plan, &mut findings);
        found.streams.extend(group(log, plan, files, &mut findings));
        found
            .findings
            .extend(findings.into_iter().map(|finding| (log, finding)));
    }
    found
        .streams
        .sort_by(|left, right| (left.log, &left.name).cmp(&(right.log, &right.name)));
    found
}

/// All regular files that the log's globs lead to, each inode once.
fn list(
    host: &str,
    folder: &[u8],
    plan: &LogPlan,
    findings: &mut BTreeSet<Finding>,
) -> Vec<StreamFile> {
    let mut paths = BTreeSet::new();
    for path in &plan.paths {
        if !glob::expand(path, host, folder, &mut paths, findings) {
            let shown = glob::shown(path, host);
            findings.insert(Finding::new(&shown, FindingKind::NoMatch, ""));
        }
    }
    if paths.len() > MOST_FILES {
        let detail = format!("{} files; the first {MOST_FILES} are read", paths.len());
        findings.insert(Finding::new(
            plan.name.as_bytes(),
            FindingKind::TooMany,
            detail,
        ));
    }
    let mut by_inode: BTreeMap<(u64, u64), StreamFile> = BTreeMap::new();
    for path in paths.into_iter().take(MOST_FILES) {
        let file = match StreamFile::describe(&path) {
            Ok(file) => file,
            Err(mut finding) => {
                if finding.kind == FindingKind::Vanished && is_link(&path) {
                    finding.kind = FindingKind::Unreadable;
                    finding.detail = "a link to nothing".to_owned();
                }
                findings.insert(finding);
                continue;
            }
        };
        let key = (file.device, file.inode);
        match by_inode.get_mut(&key) {
            None => {
                by_inode.insert(key, file);
            }
            Some(known) => {
                // A file goes by its own name rather than a link's, else by the first name.
                let gone = if is_link(&known.path) && !is_link(&file.path) {
                    std::mem::replace(known, file)
                } else {
                    file
                };
                let detail = format!("it is {}", known.path);
                findings.insert(Finding::new(&gone.path, FindingKind::Duplicate, detail));
            }
        }
    }
    let mut files: Vec<_> = by_inode.into_values().collect();
    files.sort_by(|left, right| left.path.cmp(&right.path));
    files
}

fn is_link(path: &[u8]) -> bool {
    fs::symlink_metadata(glob::as_path(path)).is_ok_and(|metadata| metadata.is_symlink())
}

fn group(
    log: u16,
    plan: &LogPlan,
    files: Vec<StreamFile>,
    findings: &mut BTreeSet<Finding>,
) -> Vec<Stream> {
    let stems: BTreeSet<Vec<u8>> = files
        .iter()
        .map(|file| rotation::without_compression(&file.path).to_vec())
        .collect();
    let mut groups: BTreeMap<BString, Vec<(Rank, StreamFile)>> = BTreeMap::new();
    for file in files {
        let (folder, name) = split(&file.path);
        let beside = |base: &[u8]| stems.contains(&[folder, base].concat());
        let name = rotation::take_apart(name, plan.rotation.as_ref(), &beside);
        let base = [folder, &name.base].concat();
        groups
            .entry(base.into())
            .or_default()
            .push((name.rank, file));
    }
    groups
        .into_iter()
        .map(|(name, mut files)| {
            // Of one rank, what is packed comes first.
            files.sort_by(|(left_rank, left), (right_rank, right)| {
                (left_rank, left.is_plain(), &left.path).cmp(&(
                    right_rank,
                    right.is_plain(),
                    &right.path,
                ))
            });
            let files = files.into_iter().map(|(_, file)| file).collect();
            let mut files = without_copies(files, findings);
            for (place, file) in files.iter_mut().enumerate() {
                file.place_by_name = place as u32;
            }
            Stream { log, name, files }
        })
        .collect()
}

/// Drops the packed copy of a file whose original is still there, also while it is being written.
fn without_copies(files: Vec<StreamFile>, findings: &mut BTreeSet<Finding>) -> Vec<StreamFile> {
    let mut kept: Vec<StreamFile> = Vec::with_capacity(files.len());
    for file in files {
        let stem = rotation::without_compression(&file.path);
        let twin = kept
            .last_mut()
            .filter(|last| rotation::without_compression(&last.path) == stem);
        let Some(last) = twin else {
            kept.push(file);
            continue;
        };
        let gone = match compare(last, &file) {
            // The later of the two is the plain one, if any is.
            Content::Same | Content::Begins => std::mem::replace(last, file),
            Content::Continues => file,
            Content::Other => {
                kept.push(file);
                continue;
            }
        };
        let detail = match kept.last() {
            Some(last) => format!("it is in {}", last.path),
            None => String::new(),
        };
        findings.insert(Finding::new(&gone.path, FindingKind::Duplicate, detail));
    }
    kept
}
