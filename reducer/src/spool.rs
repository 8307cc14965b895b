//! The spool: what every host has sent, as it was committed. An artifact of a run, from which `reduce` makes the
//! outputs, now or later.
//!
//! A folder: `plan` (the head, one message) and `<host index>.parts` (manifest, parts, the host's report). A part is the
//! runs of its operators, in chunks that can be read one by one, and after them its record, which makes it whole.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jobspec::plan::Plan;
use log::warn;
use mapper::chunks::{self, KIND_CHUNK};
use mapper::frame::{self, Blob, Decoder, FrameError, HEADER_BYTES, Header, Message};
use mapper::message::{BUILD, Manifest, Part, SegmentRange, SplitPartial};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::report::{HostReport, HostState};
use crate::spill::{Run, RunFile};

const KIND_HEAD: u8 = 16;
const KIND_RECORD: u8 = 17;

/// What all of a run's hosts share.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Head {
    pub build: String,
    pub plan: Plan,
    /// By index: sorted by name.
    pub hosts: Vec<HostHead>,
    /// When the run began, nanoseconds UTC.
    pub started_ns: i64,
    /// The share of hosts that must be complete.
    pub require_percent: f64,
    /// What the job demands of the results.
    pub checks: Vec<KeptCheck>,
}

/// A check as its job wrote it: a condition is read again by whoever asks it, for bytes may claim any tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCheck {
    pub name: String,
    pub text: String,
    /// From no folder in particular.
    pub baseline: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostHead {
    pub name: String,
    pub group: String,
    /// Indices into the plan's `logs` that it holds.
    pub logs: Vec<u16>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Record {
    Manifest(Manifest),
    Part(PartRecord),
    Report(HostReport),
}

/// A part without its runs, which lie before it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PartRecord {
    pub range: SegmentRange,
    /// An `AnyPartial` for every operator of the plan: what has to meet in memory.
    pub cores: Vec<Blob>,
    /// A `StreamTally`.
    pub tally: Blob,
    runs: Vec<RunRecord>,
}

/// The run of an operator, in the order of the plan.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct RunRecord {
    raw_bytes: u64,
    /// As chunks.
    bytes: u64,
}

/// Hosts whose files stay open while they are reduced; with more of them each is opened for each chunk.
const OPEN_HOSTS: usize = 128;

/// Writes a spool.
pub struct Writer {
    folder: PathBuf,
    files: BTreeMap<u32, File>,
    buffer: Vec<u8>,
}

impl Writer {
    pub fn create(folder: &Path, head: &Head) -> Result<Writer, Error> {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let mut bytes = Vec::new();
        frame::encode_value(KIND_HEAD, head, &mut bytes);
        let path = folder.join("plan");
        // Whole or not at all: by it a spool is known.
        let temporary = folder.join(".plan");
        std::fs::write(&temporary, &bytes).map_err(Error::io(&temporary))?;
        std::fs::rename(&temporary, &path).map_err(Error::io(&path))?;
        Ok(Writer {
            folder: folder.to_owned(),
            files: BTreeMap::new(),
            buffer: Vec::new(),
        })
    }

    /// Goes on with the spool of a run that was stopped: what was written whole stays, what comes after it is cut off.
    pub fn resume(folder: &Path) -> Result<(Writer, Spool), Error> {
        let head = Spool::read_head(folder)?;
        for host in 0..head.hosts.len() {
            salvage(&parts_path(folder, host as u32))?;
        }
        let writer = Writer {
            folder: folder.to_owned(),
            files: BTreeMap::new(),
            buffer: Vec::new(),
        };
        Ok((writer, Spool::open_one(folder)?))
    }

    pub fn manifest(&mut self, host: u32, manifest: Manifest) -> Result<(), Error> {
        self.write(host, &Record::Manifest(manifest))
    }

    pub fn part(&mut self, host: u32, part: Part) -> Result<(), Error> {
        let mut runs = Vec::with_capacity(part.partials.len());
        let mut cores = Vec::with_capacity(part.partials.len());
        self.buffer.clear();
        for SplitPartial { core, run } in part.partials {
            let raw_bytes = chunks::raw_bytes(&run.0).map_err(|error| Error::Frame {
                what: format!("a part of host {host}"),
                error,
            })?;
            runs.push(RunRecord {
                raw_bytes,
                bytes: run.0.len() as u64,
            });
            self.buffer.extend_from_slice(&run.0);
            cores.push(core);
        }
        let record = PartRecord {
            range: part.range,
            cores,
            tally: part.tally,
            runs,
        };
        self.append(host, &Record::Part(record))
    }

    pub fn report(&mut self, host: u32, report: HostReport) -> Result<(), Error> {
        self.write(host, &Record::Report(report))
    }

    fn write(&mut self, host: u32, record: &Record) -> Result<(), Error> {
        self.buffer.clear();
        self.append(host, record)
    }

    /// Writes what is in the buffer, and the record after it.
    fn append(&mut self, host: u32, record: &Record) -> Result<(), Error> {
        let path = parts_path(&self.folder, host);
        frame::encode_value(KIND_RECORD, record, &mut self.buffer);
        let file = match self.files.entry(host) {
            std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::btree_map::Entry::Vacant(entry) => {
                let file = OpenOptions::new().create(true).append(true).open(&path);
                entry.insert(file.map_err(Error::io(&path))?)
            }
        };
        file.write_all(&self.buffer).map_err(Error::io(&path))?;
        // A report is a host's last record: with thousands of hosts their files must not stay open.
        if let Record::Report(_) = record {
            self.files.remove(&host);
        }
        Ok(())
    }
}

/// Reads the spool of a run, or of several of the same job: their index at once, their parts one by one.
pub struct Spool {
    pub head: Head,
    /// By host index.
    pub hosts: Vec<SpooledHost>,
}

/// What a spool holds of one host.
#[derive(Clone, Debug, Default)]
pub struct SpooledHost {
    pub manifest: Option<Manifest>,
    pub report: Option<HostReport>,
    /// Sorted by range.
    pub parts: Vec<SpooledPart>,
    path: PathBuf,
    /// Where the runs of its parts lie; None without parts.
    file: Option<Arc<RunFile>>,
}

impl SpooledHost {
    /// How much of the host is there: of several runs the fullest one counts.
    fn fullness(&self) -> (bool, usize) {
        let is_ok = self
            .report
            .as_ref()
            .is_some_and(|report| report.state == HostState::Ok);
        let segments = self
            .parts
            .iter()
            .map(|part| (part.range.end - part.range.first) as usize);
        (is_ok, segments.sum())
    }
}

/// Where a part lies.
#[derive(Clone, Debug)]
pub struct SpooledPart {
    pub range: SegmentRange,
    /// Its record.
    offset: u64,
    length: u64,
    /// By operator of the plan.
    runs: Vec<SpooledRun>,
}

#[derive(Clone, Copy, Debug)]
struct SpooledRun {
    start: u64,
    end: u64,
    raw_bytes: u64,
}

impl Spool {
    /// Opens the spools of several runs of one job as one: each host's entries come from the run that has most of it.
    pub fn open(folders: &[PathBuf]) -> Result<Spool, Error> {
        let mut whole: Option<Spool> = None;
        for folder in folders {
            let spool = Spool::open_one(folder)?;
            let Some(whole) = &mut whole else {
                whole = Some(spool);
                continue;
            };
            if spool.head.plan != whole.head.plan || spool.head.hosts != whole.head.hosts {
                return Err(Error::Other(format!(
                    "{}: of another job or time range than {}; only runs of one plan can be reduced together",
                    folder.display(),
                    folders[0].display()
                )));
            }
            for (host, other) in whole.hosts.iter_mut().zip(spool.hosts) {
                if other.fullness() > host.fullness() {
                    *host = other;
                }
            }
        }
        whole.ok_or_else(|| Error::Other("no spool to reduce".to_owned()))
    }

    /// What all hosts of the spool share: what run it is of.
    pub fn read_head(folder: &Path) -> Result<Head, Error> {
        let path = folder.join("plan");
        let bytes = std::fs::read(&path).map_err(Error::io(&path))?;
        let what = |error| Error::Frame {
            what: format!("{}: no spool of this program", path.display()),
            error,
        };
        let message = first_message(&bytes).map_err(what)?;
        if message.kind != KIND_HEAD {
            return Err(what(FrameError::Kind(message.kind)));
        }
        let head: Head = frame::from_bytes(&message.payload).map_err(what)?;
        if head.build != BUILD {
            return Err(Error::Other(format!(
                "{}: written by build {}, this is {BUILD}",
                folder.display(),
                head.build
            )));
        }
        Ok(head)
    }

    fn open_one(folder: &Path) -> Result<Spool, Error> {
        let head = Spool::read_head(folder)?;
        let keep_open = head.hosts.len() <= OPEN_HOSTS;
        let hosts =
            (0..head.hosts.len()).map(|host| index(parts_path(folder, host as u32), keep_open));
        let hosts = hosts.collect::<Result<_, _>>()?;
        Ok(Spool { head, hosts })
    }

    /// One part without its runs, from disk.
    pub fn part(&self, host: u32, part: &SpooledPart) -> Result<PartRecord, Error> {
        let path = &self.hosts[host as usize].path;
        let what = |error| Error::Frame {
            what: path.display().to_string(),
            error,
        };
        let mut bytes = vec![0; part.length as usize];
        let read = File::open(path).and_then(|file| file.read_exact_at(&mut bytes, part.offset));
        read.map_err(Error::io(path))?;
        let message = first_message(&bytes).map_err(what)?;
        match frame::from_bytes(&message.payload).map_err(what)? {
            Record::Part(part) => Ok(part),
            _ => Err(Error::Other(format!(
                "{}: changed while it was read",
                path.display()
            ))),
        }
    }

    /// The runs of an operator, of all parts; those without a record are left out.
    pub fn runs(&self, operator: usize) -> Vec<Run> {
        let mut runs = Vec::new();
        for host in &self.hosts {
            let Some(file) = &host.file else {
                continue;
            };
            let of_parts = host.parts.iter();
            let of_parts = of_parts.filter_map(|part| part.runs.get(operator));
            for run in of_parts.filter(|run| run.raw_bytes > 0) {
                runs.push(Run::of_host(
                    file.clone(),
                    run.start,
                    run.end,
                    run.raw_bytes,
                ));
            }
        }
        runs
    }

    /// Bytes of all runs, unpacked.
    pub fn run_bytes(&self) -> u64 {
        let parts = self.hosts.iter().flat_map(|host| &host.parts);
        parts
            .flat_map(|part| &part.runs)
            .map(|run| run.raw_bytes)
            .sum()
    }
}

fn first_message(bytes: &[u8]) -> Result<Message, FrameError> {
    let mut decoder = Decoder::without_marker();
    decoder.push(bytes);
    decoder.next_message()?.ok_or(FrameError::Torn)
}

fn parts_path(folder: &Path, host: u32) -> PathBuf {
    folder.join(format!("{host}.parts"))
}

/// Reads a host's records once; a torn end (a run that was killed) ends it. Chunks are passed over, they are checked when
/// they are read.
fn index(path: PathBuf, keep_open: bool) -> Result<SpooledHost, Error> {
    let file = match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(SpooledHost {
                path,
                ..SpooledHost::default()
            });
        }
        file => file.map_err(Error::io(&path))?,
    };
    let mut walk = Walk::new(&path);
    walk.go(&file, false)?;
    let mut spooled = walk.spooled;
    if !spooled.parts.is_empty() {
        let file = keep_open.then_some(file);
        spooled.file = Some(Arc::new(RunFile::new(path.clone(), file)));
    }
    spooled.parts.sort_by_key(|part| part.range);
    spooled.path = path;
    Ok(spooled)
}

/// Cuts off what comes after the last whole record, chunks and all checked on the way: a machine that went down may have
/// left anything there.
fn salvage(path: &Path) -> Result<(), Error> {
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(Error::io(path))?,
    };
    let mut walk = Walk::new(path);
    if let Err(error) = walk.go(&file, true) {
        warn!("{error}; what is before that stays");
    }
    file.set_len(walk.whole).map_err(Error::io(path))
}

/// A reader of a host's records.
struct Walk<'a> {
    path: &'a Path,
    spooled: SpooledHost,
    /// The place after the last record.
    whole: u64,
}

impl Walk<'_> {
    fn new(path: &Path) -> Walk<'_> {
        Walk {
            path,
            spooled: SpooledHost::default(),
            whole: 0,
        }
    }

    fn go(&mut self, file: &File, checks_chunks: bool) -> Result<(), Error> {
        let path = self.path;
        let what = |error| Error::Frame {
            what: path.display().to_string(),
            error,
        };
        let length = file.metadata().map_err(Error::io(path))?.len();
        let mut reader = BufReader::with_capacity(256 << 10, file);
        let mut decoder = Decoder::without_marker();
        // The place after the last frame; where the record that is being read begins.
        let (mut offset, mut record_start) = (0, None);
        let mut frame = Vec::new();
        while offset + HEADER_BYTES as u64 <= length {
            let mut header_bytes = [0; HEADER_BYTES];
            reader
                .read_exact(&mut header_bytes)
                .map_err(Error::io(path))?;
            let header = Header::read(&header_bytes).map_err(what)?;
            let end = offset + (HEADER_BYTES + header.length) as u64;
            if end > length {
                break;
            }
            if header.kind == KIND_CHUNK && !checks_chunks {
                reader
                    .seek_relative(header.length as i64)
                    .map_err(Error::io(path))?;
                offset = end;
                continue;
            }
            frame.clear();
            frame.resize(header.length, 0);
            reader.read_exact(&mut frame).map_err(Error::io(path))?;
            if header.kind == KIND_CHUNK {
                header.unpack(&frame).map_err(what)?;
                offset = end;
                continue;
            }
            decoder.push(&header_bytes);
            decoder.push(&frame);
            let start = *record_start.get_or_insert(offset);
            offset = end;
            if let Some(message) = decoder.next_message().map_err(what)? {
                let record = frame::from_bytes(&message.payload).map_err(what)?;
                self.take(record, start, offset)?;
                record_start = None;
            }
        }
        Ok(())
    }

    /// A record between `start` and `end`, its runs before it.
    fn take(&mut self, record: Record, start: u64, end: u64) -> Result<(), Error> {
        match record {
            Record::Manifest(manifest) => self.spooled.manifest = Some(manifest),
            Record::Report(report) => self.spooled.report = Some(report),
            Record::Part(part) => {
                let runs = spooled_runs(&part.runs, self.whole, start).ok_or_else(|| {
                    Error::Other(format!("{}: a part without its runs", self.path.display()))
                })?;
                self.spooled.parts.push(SpooledPart {
                    range: part.range,
                    offset: start,
                    length: end - start,
                    runs,
                });
            }
        }
        self.whole = end;
        Ok(())
    }
}

/// The places of runs that fill what lies between `start` and `end`.
fn spooled_runs(runs: &[RunRecord], mut start: u64, end: u64) -> Option<Vec<SpooledRun>> {
    let mut spooled = Vec::with_capacity(runs.len());
    for run in runs {
        let run_end = start.checked_add(run.bytes)?;
        spooled.push(SpooledRun {
            start,
            end: run_end,
            raw_bytes: run.raw_bytes,
        });
        start = run_end;
    }
    (start == end).then_some(spooled)
}

#[cfg(test)]
mod tests;
