//! From a spool to rows: of every operator the cores are merged in memory, neighbours first, and the runs key by key from
//! disk; each key is finished once, and its rows are put in order.
//!
//! What a record may be and whose places it may name was asked when it arrived (see `arrival`), of all records and before
//! they were in any spool, and is not asked again: that would decode each a second time. One that is none all the same, as
//! it is decoded to be joined or finished, is an error with its file's name.
//!
//! By the law of the operators neither the order nor the grouping shows in the rows; `Order::Shuffled` and a smaller
//! budget are how a test, or a user who asks with `--verify`, hold it to that.

use std::ops::ControlFlow;
use std::path::Path;

use jobspec::value::Value;
use mapper::entry::{Place, Source};
use mapper::frame;
use mapper::message::Manifest;
use mapper::operator::{self, AnyOperator, AnyPartial, Mismatch, OutputColumn, Sources};

use crate::Error;
use crate::completeness::Completeness;
use crate::in_order::in_order;
use crate::merge::{Batch, Merged, Records, Refused, narrow};
use crate::regroup::regroup;
use crate::row_bytes::Form;
use crate::rows::{Finished, Made};
use crate::spill::{self, Run, Spill};
use crate::spool::{Spool, SpooledPart};

/// The budget where no job says another.
pub const MEMORY_BYTES: u64 = 1 << 30;

/// How a spool is reduced.
#[derive(Clone, Copy, Debug)]
pub struct Reduction<'a> {
    pub order: Order,
    /// What runs and rows may take before they go to disk.
    pub memory_bytes: u64,
    /// Where they go: a folder of this reduction alone.
    pub folder: &'a Path,
}

/// In which order and grouping partials meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    AsSpooled,
    Shuffled { seed: u64 },
}

/// What a run's operators gave, beside their rows.
#[derive(Clone, Debug)]
pub struct OperatorReport {
    pub name: String,
    pub kind: &'static str,
    pub rows: u64,
    /// Values that were of the wrong type for their place.
    pub misfits: u64,
    /// Sorted runs that the hosts sent.
    pub runs: u64,
    /// What went to disk, merged runs and sorted rows, and in how many runs.
    pub spilled_bytes: u64,
    pub spilled_runs: u64,
    /// What else is to be said of the rows.
    pub notes: Vec<String>,
}

/// Takes the rows of one operator after the other. A row is lent, so that several can take it.
pub trait RowSink {
    fn begin(&mut self, operator: &str, columns: &[OutputColumn]) -> Result<(), Error>;

    /// What it wants to be given of each row.
    fn takes(&self) -> Takes {
        Takes {
            values: true,
            lines: false,
        }
    }

    fn row(&mut self, row: &[Value<'_>]) -> Result<(), Error>;

    /// The same rows as their lines of jsonl, which many threads have made: one or more, one behind the other.
    fn lines(&mut self, _lines: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error>;
}

/// In which forms rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takes {
    pub values: bool,
    pub lines: bool,
}

impl Takes {
    pub fn and(self, other: Takes) -> Takes {
        Takes {
            values: self.values || other.values,
            lines: self.lines || other.lines,
        }
    }
}

/// Merges and finishes every operator of the plan.
pub fn reduce(
    spool: &Spool,
    completeness: &Completeness,
    how: &Reduction<'_>,
    sink: &mut dyn RowSink,
) -> Result<Vec<OperatorReport>, Error> {
    let names = Names::new(spool, completeness);
    let mut random = match how.order {
        Order::AsSpooled => None,
        Order::Shuffled { seed } => Some(Random(seed)),
    };
    let mut reports = Vec::new();
    for (index, plan) in spool.head.plan.operators.iter().enumerate() {
        let operator = AnyOperator::new(&spool.head.plan, plan).map_err(Error::Other)?;
        let mut core = merge_cores(spool, index, &operator, &names, &mut random)?;
        let misfits = operator.misfits(&core);
        let mut runs = spool.runs(index);
        let from_hosts = runs.len() as u64;
        let mut last_run = operator::Run::default();
        operator
            .take_last_records(&mut core, &mut last_run)
            .map_err(mismatch)?;
        if !last_run.is_empty() {
            runs.push(Run::of_bytes(last_run.into_bytes()));
        }
        if let Some(random) = &mut random {
            random.shuffle(&mut runs);
        }
        let mut spill = Spill::new(spill::path(how.folder, index), how.memory_bytes);
        // Half of the budget for the runs that are read, half for the rows that are sorted.
        let memory_bytes = how.memory_bytes / 2;
        let mut runs = narrow(runs, memory_bytes, &mut spill, &operator)?;
        if operator.is_regrouped() {
            runs = regroup(&operator, &mut core, runs, memory_bytes, &mut spill)?;
            runs = narrow(runs, memory_bytes, &mut spill, &operator)?;
        }
        sink.begin(&plan.name, &operator.columns())?;
        let form = Form::new(sink.takes(), &operator.columns());
        let mut rows = Finished::new(sink, &form, operator.limit(), memory_bytes, &mut spill);
        let finish = |batch: &Batch, made: &mut Made<'_>| {
            batch.each_key(&mut |key, values| {
                operator.finish_record(&core, key, values, &names, made)?;
                Ok(ControlFlow::Continue(()))
            })
        };
        finish_all(runs, &finish, memory_bytes, &mut rows)?;
        let mut last = rows.begin(0);
        operator.finish(core, &names, &mut last).map_err(mismatch)?;
        let last = last.done();
        rows.take(last)?;
        let notes = rows.take_notes();
        let rows = rows.end()?;
        sink.end()?;
        reports.push(OperatorReport {
            name: plan.name.clone(),
            kind: plan.kind.name(),
            rows,
            misfits,
            runs: from_hosts,
            spilled_bytes: spill.bytes(),
            spilled_runs: spill.runs(),
            notes,
        });
    }
    Ok(reports)
}

impl Records for AnyOperator {
    fn join(&self, key: &[u8], values: &[&[u8]]) -> Result<Vec<u8>, Mismatch> {
        self.join_values(key, values)
    }
}

/// Bytes of records that are finished in one go, at most.
const BATCH_BYTES: usize = 256 << 10;

/// Finishes all keys, on many threads and in the order of the keys, while the next ones are merged. Batches are small at
/// first, so that what ends after a few rows ends soon.
fn finish_all(
    runs: Vec<Run>,
    finish: &(dyn Fn(&Batch, &mut Made<'_>) -> Result<(), Refused> + Sync),
    memory_bytes: u64,
    rows: &mut Finished<'_>,
) -> Result<(), Error> {
    let threads = rayon::current_num_threads();
    let most_bytes = usize::try_from(memory_bytes / (16 * threads as u64)).unwrap_or(usize::MAX);
    let most_bytes = most_bytes.min(BATCH_BYTES);
    let mut merged = Merged::new(runs)?;
    let mut bytes = most_bytes.min(4 << 10);
    let make =
        |(mut made, batch): (Made<'_>, Batch)| finish(&batch, &mut made).map(|()| made.done());
    in_order(&make, |queue| {
        loop {
            while !queue.is_full() && !rows.is_full() {
                let batch = merged.batch(bytes)?;
                if batch.is_empty() {
                    break;
                }
                bytes = most_bytes.min(2 * bytes);
                // Rows are longer than records, as a rule.
                queue.push((rows.begin(2 * bytes), batch));
            }
            let Some(made) = queue.pop() else {
                return Ok(());
            };
            let made = made.map_err(|refused| merged.error(refused))?;
            if !rows.is_full() {
                rows.take(made)?;
            }
        }
    })
}

fn merge_cores(
    spool: &Spool,
    index: usize,
    operator: &AnyOperator,
    names: &Names<'_>,
    random: &mut Option<Random>,
) -> Result<AnyPartial, Error> {
    let mut neighbours = neighbours(spool);
    if let Some(random) = random {
        random.shuffle(&mut neighbours);
    }
    let mut whole = operator.empty();
    for parts in neighbours {
        let merged = merge_neighbours(&parts, spool, index, operator, names, random)?;
        whole = merge(operator, whole, merged)?;
    }
    Ok(whole)
}

/// Neighbouring parts of one stream.
type Neighbours<'a> = Vec<(u32, &'a SpooledPart)>;

/// All parts, as the longest rows of neighbours in which nothing is missing.
fn neighbours(spool: &Spool) -> Vec<Neighbours<'_>> {
    let mut neighbours: Vec<Neighbours<'_>> = Vec::new();
    for (host, spooled) in spool.hosts.iter().enumerate() {
        let mut end = None;
        for part in &spooled.parts {
            if end == Some((part.range.stream, part.range.first)) {
                neighbours
                    .last_mut()
                    .expect("an end comes from a part")
                    .push((host as u32, part));
            } else {
                neighbours.push(vec![(host as u32, part)]);
            }
            end = Some((part.range.stream, part.range.end));
        }
    }
    neighbours
}

/// Merges the cores of neighbours: from left to right, or by a random tree.
fn merge_neighbours(
    parts: &[(u32, &SpooledPart)],
    spool: &Spool,
    index: usize,
    operator: &AnyOperator,
    names: &Names<'_>,
    random: &mut Option<Random>,
) -> Result<AnyPartial, Error> {
    match parts {
        [] => Ok(operator.empty()),
        [(host, part)] => {
            let part = spool.part(*host, part)?;
            let blob = part.cores.get(index).map_or(&[][..], |blob| &blob.0);
            let core: AnyPartial = decode(spool, *host, blob)?;
            let mut is_own = operator.accepts(&core);
            operator.places(&core, &mut |place| is_own &= names.knows(*host, place));
            if is_own {
                Ok(core)
            } else {
                Err(Error::Other(format!(
                    "{}: a partial of another operator or host",
                    host_name(spool, *host)
                )))
            }
        }
        _ => match random {
            Some(source) => {
                let at = 1 + source.below(parts.len() - 1);
                let right = merge_neighbours(&parts[at..], spool, index, operator, names, random)?;
                let left = merge_neighbours(&parts[..at], spool, index, operator, names, random)?;
                merge(operator, left, right)
            }
            None => parts.iter().try_fold(operator.empty(), |left, part| {
                let right = merge_neighbours(&[*part], spool, index, operator, names, random)?;
                merge(operator, left, right)
            }),
        },
    }
}

fn merge(operator: &AnyOperator, left: AnyPartial, right: AnyPartial) -> Result<AnyPartial, Error> {
    operator.merge(left, right).map_err(mismatch)
}

fn mismatch(mismatch: Mismatch) -> Error {
    Error::Other(mismatch.to_string())
}

fn decode<T: serde::de::DeserializeOwned>(
    spool: &Spool,
    host: u32,
    bytes: &[u8],
) -> Result<T, Error> {
    frame::from_bytes(bytes).map_err(|error| Error::Frame {
        what: host_name(spool, host).to_owned(),
        error,
    })
}

fn host_name(spool: &Spool, host: u32) -> &str {
    &spool.head.hosts[host as usize].name
}

/// The names behind every place of a spool.
struct Names<'a> {
    completeness: &'a Completeness,
    /// By host, stream: its log, and its files.
    sources: Vec<Vec<(u16, Vec<Source>)>>,
    unknown: Source,
}

impl Names<'_> {
    fn new<'a>(spool: &Spool, completeness: &'a Completeness) -> Names<'a> {
        let logs = &spool.head.plan.logs;
        let of_host = |host: &str, manifest: &Manifest| {
            let streams = manifest.streams.iter().map(|planned| {
                let log = logs
                    .get(usize::from(planned.stream.log))
                    .map_or("", |log| log.name.as_str());
                let files = planned.stream.files.iter().map(|file| Source {
                    host: host.to_owned(),
                    log: log.to_owned(),
                    file: String::from_utf8_lossy(&file.path).into_owned(),
                });
                (planned.stream.log, files.collect())
            });
            streams.collect()
        };
        let hosts = spool.head.hosts.iter().zip(&spool.hosts);
        let sources = hosts.map(|(head, host)| {
            host.manifest
                .as_ref()
                .map_or(Vec::new(), |manifest| of_host(&head.name, manifest))
        });
        let unknown = Source {
            host: String::new(),
            log: String::new(),
            file: String::new(),
        };
        Names {
            completeness,
            sources: sources.collect(),
            unknown,
        }
    }
}

impl Names<'_> {
    fn find(&self, place: &Place) -> Option<&Source> {
        let streams = self.sources.get(place.host as usize)?;
        let (log, files) = streams.get(place.stream as usize)?;
        files.get(place.file as usize).filter(|_| *log == place.log)
    }

    /// Whether the place is one of this host's.
    fn knows(&self, host: u32, place: &Place) -> bool {
        place.host == host && self.find(place).is_some()
    }
}

impl Sources for Names<'_> {
    /// A place comes out of a frame: one that the manifest does not know has no names.
    fn source(&self, place: &Place) -> &Source {
        self.find(place).unwrap_or(&self.unknown)
    }

    fn is_complete(&self, log: u16) -> bool {
        self.completeness.is_whole(log)
    }

    fn is_complete_on(&self, host: u32, log: u16) -> bool {
        self.completeness.is_whole_on(host, log)
    }
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn shuffle<T>(&mut self, list: &mut [T]) {
        for at in (1..list.len()).rev() {
            list.swap(at, self.below(at + 1));
        }
    }
}
