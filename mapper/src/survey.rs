//! What a host has to read, without reading it: for the preflight of a job.
//!
//! Of a file its two ends are looked at: the first entry's time, and the times in the last bytes of a plain file. The
//! last times of packed files would take decoding all of them; their modification time has to do.

use bstr::BString;
use jobspec::value::Time;
use serde::{Deserialize, Serialize};

use crate::format::{self, Wanted};
use crate::message::{Manifest, PlannedStream, Start};
use crate::segment::{self, Cut, Position, ReadContext, WINDOW_BYTES};
use crate::serve::timezone;
use crate::stream::StreamFile;
use crate::tally::Finding;

/// Bytes at the end of a file that are read for its last time.
const TAIL_BYTES: u64 = 64 << 10;

/// What a host has of a job's logs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    /// By log and stream, oldest first.
    pub files: Vec<SurveyedFile>,
    /// By log: what is not read, and why.
    pub findings: Vec<(u16, Finding)>,
    /// Operating system, architecture and release.
    pub system: String,
    /// Who the mapper runs as.
    pub user_id: u32,
    /// Where its executable lies.
    pub folder: BString,
    /// Bytes that are free there for such a user, if the system says so.
    pub free_bytes: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SurveyedFile {
    pub log: u16,
    pub path: BString,
    /// On disk.
    pub bytes: u64,
    pub format: String,
    pub why: String,
    pub compression: String,
    pub first: Option<Time>,
    /// The latest time near the end of a plain file.
    pub last: Option<Time>,
    pub modified: Time,
    /// Why the time range leaves all of it out.
    pub skipped: Option<String>,
}

/// What of the manifest's files can be told without reading them.
pub fn survey(start: &Start, manifest: &Manifest) -> Survey {
    let uname = rustix::system::uname();
    let words = [uname.sysname(), uname.machine(), uname.release()];
    let words = words.map(|word| word.to_string_lossy().into_owned());
    let executable = std::env::current_exe().unwrap_or_default();
    let folder = executable.parent().unwrap_or(std::path::Path::new("/"));
    let free = rustix::fs::statvfs(folder);
    let mut files = Vec::new();
    for (index, planned) in manifest.streams.iter().enumerate() {
        for place in 0..planned.stream.files.len() {
            files.push(look_at(start, planned, index as u32, place));
        }
    }
    Survey {
        files,
        findings: manifest.findings.clone(),
        system: words.join(" "),
        user_id: rustix::process::geteuid().as_raw(),
        folder: std::os::unix::ffi::OsStrExt::as_bytes(folder.as_os_str()).into(),
        free_bytes: free
            .ok()
            .map(|free| free.f_bavail.saturating_mul(free.f_frsize)),
    }
}

fn look_at(start: &Start, planned: &PlannedStream, stream: u32, place: usize) -> SurveyedFile {
    let file = &planned.stream.files[place];
    let pruned = planned.pruned.iter();
    let skipped = pruned
        .filter(|part| part.file as usize == place && part.is_whole())
        .map(|part| part.why.text().to_owned());
    let skipped = { skipped }.next();
    SurveyedFile {
        log: planned.stream.log,
        path: file.path.clone(),
        bytes: file.size,
        format: planned.format.clone(),
        why: planned.why.clone(),
        compression: file.compression.name().to_owned(),
        first: file.first_ns.map(Time::from_ns),
        last: last_time(start, planned, stream, place, file),
        modified: Time::from_ns(file.mtime_ns),
        skipped,
    }
}

/// The latest time among the last entries, read as any segment is.
fn last_time(
    start: &Start,
    planned: &PlannedStream,
    stream: u32,
    place: usize,
    file: &StreamFile,
) -> Option<Time> {
    if !file.is_plain() {
        return None;
    }
    let plan = &start.plan;
    let log = plan.logs.get(usize::from(planned.stream.log))?;
    let format = format::make(&planned.recipe, log, &plan.formats);
    let first = Position {
        file: place as u32,
        offset: file.size.saturating_sub(TAIL_BYTES),
    };
    let next = (place + 1 < planned.stream.files.len()).then_some(Position {
        file: place as u32 + 1,
        offset: 0,
    });
    let context = ReadContext {
        host: &start.host,
        log: &log.name,
        host_index: start.host_index,
        log_index: planned.stream.log,
        stream_index: stream,
        format: &*format,
        wanted: &Wanted::default(),
        prefilter: None,
        timezone: timezone(plan, log).ok()?,
        year: log.year,
        clock_ahead_ns: 0,
        max_decoded_bytes: u64::MAX,
        window_bytes: WINDOW_BYTES,
        spare: None,
        line_counts: None,
        pace: None,
    };
    let cut = Cut {
        first,
        end: next,
        after_pruned: first != Position::default(),
    };
    let tally = segment::read(&planned.stream, &cut, &context, &mut |_| {});
    tally.files.get(&(place as u32))?.last
}
