//! The spool: what every host has sent, as it was committed. An artifact of a run, from which `reduce` makes the
//! outputs, now or later.
//!
//! A folder: `plan` (the head, one message) and `<host index>.parts` (manifest, parts, the host's report).

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use jobspec::plan::Plan;
use mapper::frame::{self, Decoder, FrameError, Message};
use mapper::message::{BUILD, Manifest, Part, SegmentRange};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::report::{HostReport, HostState};

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
    Part(Part),
    Report(HostReport),
}

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
        frame::encode_message(KIND_HEAD, &frame::to_bytes(head), &mut bytes);
        let path = folder.join("plan");
        std::fs::write(&path, &bytes).map_err(Error::io(&path))?;
        Ok(Writer {
            folder: folder.to_owned(),
            files: BTreeMap::new(),
            buffer: Vec::new(),
        })
    }

    pub fn manifest(&mut self, host: u32, manifest: Manifest) -> Result<(), Error> {
        self.write(host, &Record::Manifest(manifest))
    }

    pub fn part(&mut self, host: u32, part: Part) -> Result<(), Error> {
        self.write(host, &Record::Part(part))
    }

    pub fn report(&mut self, host: u32, report: HostReport) -> Result<(), Error> {
        self.write(host, &Record::Report(report))
    }

    fn write(&mut self, host: u32, record: &Record) -> Result<(), Error> {
        let path = parts_path(&self.folder, host);
        self.buffer.clear();
        frame::encode_message(KIND_RECORD, &frame::to_bytes(record), &mut self.buffer);
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
#[derive(Clone, Copy, Debug)]
pub struct SpooledPart {
    pub range: SegmentRange,
    offset: u64,
    length: u64,
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

    fn open_one(folder: &Path) -> Result<Spool, Error> {
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
        let hosts = (0..head.hosts.len()).map(|host| index(parts_path(folder, host as u32)));
        let hosts = hosts.collect::<Result<_, _>>()?;
        Ok(Spool { head, hosts })
    }

    /// One part, from disk.
    pub fn part(&self, host: u32, part: &SpooledPart) -> Result<Part, Error> {
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
}

fn first_message(bytes: &[u8]) -> Result<Message, FrameError> {
    let mut decoder = Decoder::without_marker();
    decoder.push(bytes);
    decoder.next_message()?.ok_or(FrameError::Torn)
}

fn parts_path(folder: &Path, host: u32) -> PathBuf {
    folder.join(format!("{host}.parts"))
}

/// Reads a host's records once; a torn end (a run that was killed) ends it.
fn index(path: PathBuf) -> Result<SpooledHost, Error> {
    let mut spooled = SpooledHost {
        path,
        ..SpooledHost::default()
    };
    let path = &spooled.path;
    let mut reader = match File::open(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(spooled),
        file => file.map_err(Error::io(path))?,
    };
    let mut decoder = Decoder::without_marker();
    let mut offset = 0;
    let mut bytes = vec![0; 1 << 20];
    loop {
        let read = reader.read(&mut bytes).map_err(Error::io(path))?;
        decoder.push(&bytes[..read]);
        let what = |error| Error::Frame {
            what: path.display().to_string(),
            error,
        };
        while let Some(message) = decoder.next_message().map_err(what)? {
            let end = decoder.position();
            match frame::from_bytes(&message.payload).map_err(what)? {
                Record::Manifest(manifest) => spooled.manifest = Some(manifest),
                Record::Report(report) => spooled.report = Some(report),
                Record::Part(part) => {
                    spooled.parts.push(SpooledPart {
                        range: part.range,
                        offset,
                        length: end - offset,
                    });
                }
            }
            offset = end;
        }
        if read == 0 {
            break;
        }
    }
    spooled.parts.sort_by_key(|part| part.range);
    Ok(spooled)
}
