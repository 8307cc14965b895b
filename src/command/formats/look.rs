//! A file looked at as a stream of its own, by the mapper's own reader, up to a bound.

use std::collections::BTreeSet;

use jobspec::plan::{FormatChoice, LogPlan};
use jobspec::value::{Level, Time};
use jobspec::zone::Zone;
use mapper::entry::Entry;
use mapper::format::{self, Wanted};
use mapper::open::{self, Compression, Encoding};
use mapper::segment::{self, Cut, Position, ReadContext};
use mapper::stream::{Stream, StreamFile};
use mapper::tally::{FileTally, Finding, FindingKind};

/// Decoded bytes of each file that are read.
pub const MOST_BYTES: u64 = 64 << 20;

/// Entries whose fields are looked at, names of fields that are kept, and entries that are shown.
const FIELD_ENTRIES: u64 = 10_000;
const MOST_FIELDS: usize = 20;
const SAMPLES: usize = 3;

/// Bytes of a text that are kept to be shown.
const TEXT_BYTES: usize = 2000;

/// What a file is.
pub struct Seen {
    pub path: Vec<u8>,
    pub size: u64,
    pub compression: Compression,
    pub encoding: Encoding,
    pub format: String,
    pub why: String,
    /// NUL bytes at its head, which no text has.
    pub is_binary: bool,
    /// Only its first `MOST_BYTES` are read.
    pub is_partial: bool,
    pub tally: FileTally,
    /// In the order in which they were seen.
    pub fields: Vec<String>,
    pub samples: Vec<Sample>,
}

pub struct Sample {
    pub offset: u64,
    pub time: Option<Time>,
    pub level: Option<Level>,
    pub message: Vec<u8>,
    pub fields: Vec<(String, Vec<u8>)>,
}

impl Seen {
    /// A guess at the decoded bytes that a day of this log has; None where its times span no hour.
    pub fn bytes_per_day(&self) -> Option<u64> {
        const HOUR_NS: i64 = 3_600_000_000_000;
        let (first, last) = self.tally.first.zip(self.tally.last)?;
        let span_ns = last.ns.checked_sub(first.ns).filter(|ns| *ns >= HOUR_NS)?;
        let bytes = u128::from(self.tally.bytes) * 24 * HOUR_NS as u128 / span_ns as u128;
        u64::try_from(bytes).ok()
    }
}

/// Looks at a file; an error is why it cannot be read at all.
pub fn look(path: &[u8]) -> Result<Seen, Finding> {
    let mut file = StreamFile::describe(path).map_err(|finding| match finding.kind {
        FindingKind::Vanished => {
            Finding::new(path, FindingKind::Unreadable, "there is no such file")
        }
        _ => finding,
    })?;
    let size = file.size;
    let mut is_partial = false;
    if file.is_plain() && size > MOST_BYTES {
        let (opened, _) = open::open(path)?;
        file.size = open::last_line_end(&opened, MOST_BYTES);
        is_partial = true;
    }
    let (compression, encoding) = (file.compression, file.encoding);
    let stream = Stream {
        log: 0,
        name: path.into(),
        files: vec![file],
    };
    let log = log_plan();
    let head = stream.head();
    let chosen = format::choose(log.format, &log, &[], &head);
    let wanted = Wanted::default();
    let context = ReadContext {
        host: "",
        log: "",
        host_index: 0,
        log_index: 0,
        stream_index: 0,
        format: &*chosen.format,
        wanted: &wanted,
        prefilter: None,
        timezone: Zone::UTC,
        year: None,
        clock_ahead_ns: 0,
        max_decoded_bytes: MOST_BYTES,
        window_bytes: segment::WINDOW_BYTES,
        spare: None,
        line_counts: None,
        pace: None,
    };
    let cut = Cut {
        first: Position::default(),
        end: None,
        after_pruned: false,
    };
    let mut fields = Fields::default();
    let mut samples = Vec::new();
    let mut entries = 0;
    let mut tally = segment::read(&stream, &cut, &context, &mut |entry| {
        if samples.len() < SAMPLES && entry.valid {
            samples.push(sample(entry));
        }
        if entries < FIELD_ENTRIES && entry.valid {
            fields.see(entry);
        }
        entries += 1;
    });
    let mut tally = tally.files.remove(&0).unwrap_or_default();
    // The bound is ours, not a fault of the file.
    is_partial |= tally
        .findings
        .iter()
        .any(|finding| finding.kind == FindingKind::Capped);
    tally
        .findings
        .retain(|finding| finding.kind != FindingKind::Capped);
    if let Some(finding) = unread(&tally) {
        return Err(finding.clone());
    }
    Ok(Seen {
        path: path.to_vec(),
        size,
        compression,
        encoding,
        format: match chosen.format.wraps() {
            true => format!("wrapped {}", chosen.format.name()),
            false => chosen.format.name().to_owned(),
        },
        why: chosen.why,
        is_binary: head.contains(&0),
        is_partial,
        tally,
        fields: fields.names,
        samples,
    })
}

/// Why nothing at all came of a file that has something in it.
fn unread(tally: &FileTally) -> Option<&Finding> {
    let mut losses = tally.findings.iter();
    losses.find(|finding| finding.kind.is_loss() && tally.lines == 0)
}

fn log_plan() -> LogPlan {
    LogPlan {
        name: String::new(),
        paths: Vec::new(),
        format: FormatChoice::Auto,
        timezone: None,
        year: None,
        disorder_ns: None,
        rotation: None,
        nested_json: false,
        derive: Vec::new(),
        drop: None,
        tag: Vec::new(),
        redact: Vec::new(),
    }
}

/// The first names of fields.
#[derive(Default)]
struct Fields {
    known: BTreeSet<String>,
    names: Vec<String>,
}

impl Fields {
    fn see(&mut self, entry: &Entry<'_>) {
        if self.names.len() == MOST_FIELDS {
            return;
        }
        entry.format.fields(entry.raw, &mut |name, _| {
            let name = String::from_utf8_lossy(&name[..name.len().min(TEXT_BYTES)]);
            if self.names.len() < MOST_FIELDS && !self.known.contains(&*name) {
                self.known.insert(name.clone().into_owned());
                self.names.push(name.into_owned());
            }
        });
    }
}

fn sample(entry: &Entry<'_>) -> Sample {
    let cut = |text: &[u8]| text[..text.len().min(TEXT_BYTES)].to_vec();
    let mut fields = Vec::new();
    entry.format.fields(entry.raw, &mut |name, field| {
        if fields.len() < MOST_FIELDS {
            let name = String::from_utf8_lossy(&cut(&name)).into_owned();
            fields.push((name, cut(&field.value().to_text())));
        }
    });
    Sample {
        offset: entry.place.offset,
        time: entry.time,
        level: entry.level,
        message: cut(&entry.message_value().to_text()),
        fields,
    }
}
