//! From a spool to rows: every operator's partials are merged, neighbours first, and finished once.
//!
//! By the law of the operators the order does not show in the rows; `Order::Shuffled` is how a test, or a user who
//! asks with `--verify`, holds it to that.

use jobspec::value::OwnedValue;
use mapper::entry::{Place, Source};
use mapper::frame;
use mapper::message::Manifest;
use mapper::operator::{AnyOperator, AnyPartial, Mismatch, OutputColumn, Rows, Sources};
use mapper::tally::StreamTally;

use crate::Error;
use crate::spool::{Spool, SpooledPart};

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
}

/// Takes the rows of one operator after the other.
pub trait RowSink {
    fn begin(&mut self, operator: &str, columns: &[OutputColumn]) -> Result<(), Error>;
    fn row(&mut self, row: Vec<OwnedValue>) -> Result<(), Error>;
    fn end(&mut self) -> Result<(), Error>;
}

/// Merges and finishes every operator of the plan.
pub fn reduce(
    spool: &Spool,
    order: Order,
    sink: &mut dyn RowSink,
) -> Result<Vec<OperatorReport>, Error> {
    let names = Names::new(spool);
    let mut random = match order {
        Order::AsSpooled => None,
        Order::Shuffled { seed } => Some(Random(seed)),
    };
    let mut reports = Vec::new();
    for (index, plan) in spool.head.plan.operators.iter().enumerate() {
        let operator = AnyOperator::new(&spool.head.plan, plan).map_err(Error::Other)?;
        let mut runs = runs(spool);
        if let Some(random) = &mut random {
            random.shuffle(&mut runs);
        }
        let mut whole = operator.empty();
        for run in runs {
            let merged = merge_run(&run, spool, index, &operator, &mut random)?;
            whole = merge(&operator, whole, merged)?;
        }
        let columns = operator.columns();
        let misfits = operator.misfits(&whole);
        sink.begin(&plan.name, &columns)?;
        let mut counted = Counted {
            sink,
            rows: 0,
            error: None,
        };
        operator
            .finish(whole, &names, &mut counted)
            .map_err(mismatch)?;
        if let Some(error) = counted.error {
            return Err(error);
        }
        let rows = counted.rows;
        sink.end()?;
        reports.push(OperatorReport {
            name: plan.name.clone(),
            kind: plan.kind.name(),
            rows,
            misfits,
        });
    }
    Ok(reports)
}

/// The tally of every stream of a host, by stream.
pub fn tallies(spool: &Spool, host: u32) -> Result<Vec<StreamTally>, Error> {
    let spooled = &spool.hosts[host as usize];
    let streams = spooled
        .manifest
        .as_ref()
        .map_or(0, |manifest| manifest.streams.len());
    let mut tallies: Vec<StreamTally> = (0..streams).map(|_| StreamTally::default()).collect();
    for part in &spooled.parts {
        let whole = spool.part(host, part)?;
        let tally: StreamTally = decode(spool, host, &whole.tally.0)?;
        if let Some(stream) = tallies.get_mut(part.range.stream as usize) {
            *stream = std::mem::take(stream).merge(tally);
        }
    }
    Ok(tallies)
}

/// Neighbouring parts of one stream.
type Run = Vec<(u32, SpooledPart)>;

/// All parts, as the longest runs in which nothing is missing.
fn runs(spool: &Spool) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (host, spooled) in spool.hosts.iter().enumerate() {
        let mut end = None;
        for part in &spooled.parts {
            if end == Some((part.range.stream, part.range.first)) {
                runs.last_mut()
                    .expect("an end comes from a run")
                    .push((host as u32, *part));
            } else {
                runs.push(vec![(host as u32, *part)]);
            }
            end = Some((part.range.stream, part.range.end));
        }
    }
    runs
}

/// Merges neighbours: from left to right, or by a random tree.
fn merge_run(
    run: &[(u32, SpooledPart)],
    spool: &Spool,
    index: usize,
    operator: &AnyOperator,
    random: &mut Option<Random>,
) -> Result<AnyPartial, Error> {
    match run {
        [] => Ok(operator.empty()),
        [(host, part)] => {
            let part = spool.part(*host, part)?;
            let blob = part.partials.get(index).map_or(&[][..], |blob| &blob.0);
            let partial: AnyPartial = decode(spool, *host, blob)?;
            if operator.accepts(&partial) {
                Ok(partial)
            } else {
                Err(Error::Other(format!(
                    "{}: a partial of another operator",
                    host_name(spool, *host)
                )))
            }
        }
        _ => match random {
            Some(source) => {
                let at = 1 + source.below(run.len() - 1);
                let right = merge_run(&run[at..], spool, index, operator, random)?;
                let left = merge_run(&run[..at], spool, index, operator, random)?;
                merge(operator, left, right)
            }
            None => run.iter().try_fold(operator.empty(), |left, part| {
                merge(
                    operator,
                    left,
                    merge_run(&[*part], spool, index, operator, random)?,
                )
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

struct Counted<'a> {
    sink: &'a mut dyn RowSink,
    rows: u64,
    error: Option<Error>,
}

impl Rows for Counted<'_> {
    fn push(&mut self, row: Vec<OwnedValue>) {
        if self.error.is_none() {
            self.rows += 1;
            self.error = self.sink.row(row).err();
        }
    }
}

/// The names behind every place of a spool.
struct Names {
    /// By host, stream, file.
    sources: Vec<Vec<Vec<Source>>>,
    unknown: Source,
}

impl Names {
    fn new(spool: &Spool) -> Names {
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
                files.collect()
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
            sources: sources.collect(),
            unknown,
        }
    }
}

impl Sources for Names {
    /// A place comes out of a frame: one that the manifest does not know has no names.
    fn source(&self, place: &Place) -> &Source {
        let host = self.sources.get(place.host as usize);
        let stream = host.and_then(|streams| streams.get(place.stream as usize));
        stream
            .and_then(|files| files.get(place.file as usize))
            .unwrap_or(&self.unknown)
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
