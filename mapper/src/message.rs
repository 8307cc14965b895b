//! What a runner and a mapper say to each other, and which part of the logs a partial is of.

use jobspec::plan::Plan;
use serde::{Deserialize, Serialize};

use crate::format::Recipe;
use crate::frame::{self, Blob, FrameError, Message};
use crate::prune::Pruned;
use crate::segment::Cut;
use crate::stream::Stream;
use crate::survey::Survey;
use crate::tally::Finding;

/// Name of this build: runner and mapper must be of the same one.
pub const BUILD: &str = concat!(env!("CARGO_PKG_VERSION"), "+", env!("LOGSTITCH_BUILD"));

/// From the runner: pings as it likes, one order, and more pings beside the work.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum ToMapper {
    /// Asks for the host's clock.
    Ping,
    Start(Box<Start>),
    /// Tell what there is to read, and read none of it.
    Look(Box<Start>),
}

/// What a mapper is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Start {
    pub build: String,
    pub plan: Plan,
    /// This host's name in rows and in `{host}`: what the runner dialled.
    pub host: String,
    /// Its index in the job's hosts, sorted by name.
    pub host_index: u32,
    /// Indices into the plan's `logs` that this host holds.
    pub logs: Vec<u16>,
    /// Where relative paths start.
    pub folder: Blob,
    /// How far its clock runs ahead: taken off every time.
    pub clock_ahead_ns: i64,
    /// Bytes of a plain file to a segment.
    pub segment_bytes: u64,
    /// A sign of life comes at least so often.
    pub heartbeat_ms: u64,
    /// A retry's fixed input: what the first attempt found.
    pub manifest: Option<Manifest>,
    /// What is committed already, in any order.
    pub committed: Vec<SegmentRange>,
}

/// From the mapper.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum FromMapper {
    /// First of all, unasked.
    Hello {
        build: String,
    },
    /// The answer to a ping: what this host's clock says, nanoseconds UTC.
    Pong {
        clock_ns: i64,
    },
    Manifest(Manifest),
    Part(Part),
    /// Still alive; so much is read.
    Heartbeat {
        scanned_bytes: u64,
    },
    /// What a look has found; `Done` follows.
    Survey(Box<Survey>),
    Done(Usage),
    /// The mapper cannot go on; nothing after this.
    Failed(String),
}

/// What a host holds, as its first attempt found it; later attempts obey it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Sorted by log, then name: an index orders as (log, name) does.
    pub streams: Vec<PlannedStream>,
    /// What was found and is not read, by log: a FIFO, a file without permission, a second copy.
    pub findings: Vec<(u16, Finding)>,
    /// The runner's to fill in: what all attempts take off times.
    pub clock: Clock,
}

/// How far a host's clock runs ahead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Clock {
    /// What is taken off every time.
    pub ahead_ns: i64,
    /// What was measured, and how far off that may be.
    pub measured_ns: Option<(i64, i64)>,
}

/// A stream, how it is read and where it is cut.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedStream {
    pub stream: Stream,
    /// Name of the format and why it was taken.
    pub format: String,
    pub why: String,
    /// The format itself: later attempts do not choose again.
    pub recipe: Recipe,
    pub cuts: Vec<Cut>,
    /// What the time range cannot touch: no cut is of it.
    pub pruned: Vec<Pruned>,
}

/// Neighbouring segments of one stream, `first` up to but not including `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SegmentRange {
    pub stream: u32,
    pub first: u32,
    pub end: u32,
}

/// What some neighbouring segments gave: committed whole or not at all.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Part {
    pub range: SegmentRange,
    /// For every operator of the plan, in its order. Bytes, so that the reducer decodes one operator at a time.
    pub partials: Vec<SplitPartial>,
    /// A `StreamTally`.
    pub tally: Blob,
}

/// An operator's partial on its way.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SplitPartial {
    /// An `AnyPartial`: what has to meet in memory.
    pub core: Blob,
    /// An `operator::Run`, as `chunks`: what is merged key by key.
    pub run: Blob,
}

/// What the host spent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    pub cpu_ms: u64,
    pub wall_ms: u64,
    pub peak_memory_bytes: u64,
    /// Manners that it was asked for and could not keep.
    pub notes: Vec<String>,
}

const KIND_TO_MAPPER: u8 = 1;
const KIND_FROM_MAPPER: u8 = 2;

impl ToMapper {
    pub fn encode(&self, out: &mut Vec<u8>) {
        frame::encode_value(KIND_TO_MAPPER, self, out);
    }

    pub fn decode(message: &Message) -> Result<ToMapper, FrameError> {
        decode(message, KIND_TO_MAPPER)
    }
}

impl FromMapper {
    pub fn encode(&self, out: &mut Vec<u8>) {
        frame::encode_value(KIND_FROM_MAPPER, self, out);
    }

    pub fn decode(message: &Message) -> Result<FromMapper, FrameError> {
        decode(message, KIND_FROM_MAPPER)
    }
}

fn decode<T: serde::de::DeserializeOwned>(message: &Message, kind: u8) -> Result<T, FrameError> {
    if message.kind != kind {
        return Err(FrameError::Kind(message.kind));
    }
    frame::from_bytes(&message.payload)
}
