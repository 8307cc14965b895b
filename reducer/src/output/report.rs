//! What a report is made of, for a browser and for a ticket alike: the summary, the rows it shows, and what checks and alerts
//! said.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use super::digest::Digest;
use super::summary::Summary;
use super::{html, text};
use crate::Error;

/// The parts of a report.
pub struct Report<'a> {
    pub summary: &'a Summary,
    pub digest: &'a Digest<'a>,
    pub lines: &'a [ReportLine],
    /// The extension of the files that hold all rows, if any does.
    pub rows_in: Option<&'static str>,
}

/// What one check or alert said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportLine {
    pub name: String,
    /// One word: `passed`, `failed`, `firing`, `clear`, `unknown`.
    pub outcome: String,
    pub is_alert: bool,
    pub is_good: bool,
    pub why: String,
}

impl Report<'_> {
    pub fn write_html(&self, folder: &Path) -> Result<(), Error> {
        write(&folder.join("report.html"), html::page(self).as_bytes())
    }

    pub fn write_text(&self, folder: &Path) -> Result<(), Error> {
        write(&folder.join("report.txt"), text::page(self).as_bytes())
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let written = File::create(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(Error::io(path))
}
