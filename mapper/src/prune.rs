//! What of a stream cannot matter to the job's time range, so that it is not even read: whole files by their first
//! times, parts of plain files by a search.
//!
//! All of it rests on one promise of a log, its `disorder`: no entry's time is more than that earlier than an entry
//! before it. So an entry that is more than `disorder` before `from` has nothing of the range before it, and one that
//! is `disorder` or more after `to` has nothing of it behind. Where an operator looks beyond the range, so far it is
//! kept. Without such an entry in sight, everything is.

mod search;
#[cfg(test)]
mod tests;

use jobspec::plan::{OperatorKind, Plan, Reach, SequencePlan, TimeRange};
use serde::{Deserialize, Serialize};

use crate::segment::{Cut, Position, ReadContext};
use crate::stream::{Stream, StreamFile};
use search::Search;

/// How far a file's clock may be from that of its entries before its modification time says nothing of them: enough
/// for any zone.
const MTIME_GRACE_NS: i64 = 86_400_000_000_000;

/// A part of a file that is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Its place in the stream.
    pub file: u32,
    /// Decoded bytes, nominal as those of cuts; to the end of the file where `end` is None.
    pub first: u64,
    pub end: Option<u64>,
    pub why: Why,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Why {
    BeforeFrom,
    AfterTo,
    /// Packed, so that its last time cannot be looked up; but last written long before `from`.
    WrittenBeforeFrom,
}

impl Pruned {
    pub fn is_whole(&self) -> bool {
        self.first == 0 && self.end.is_none()
    }

    /// How many bytes on disk that is; a part of a packed file is none.
    pub fn bytes(&self, file: &StreamFile) -> u64 {
        if self.is_whole() {
            file.size
        } else if file.is_plain() {
            let end = self.end.unwrap_or(file.size).min(file.size);
            end.saturating_sub(self.first)
        } else {
            0
        }
    }
}

impl Why {
    pub fn text(self) -> &'static str {
        match self {
            Why::BeforeFrom => "its times are before from",
            Why::AfterTo => "its times are after to",
            Why::WrittenBeforeFrom => "it was last written before from",
        }
    }
}

/// What the operators that read a log need of it: the entries of a time range, and so many beyond.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Nothing before is needed, or from `to_ns` on; None: everything is.
    from_ns: Option<i64>,
    to_ns: Option<i64>,
    /// And so many entries beside the range.
    before: u32,
    after: u32,
    /// Those are needed even where the stream has nothing inside the range: they show how far the log goes.
    as_witness: bool,
    disorder_ns: i64,
}

impl Span {
    /// None where everything is needed.
    pub fn of(plan: &Plan, log: u16) -> Option<Span> {
        let log_plan = plan.logs.get(usize::from(log))?;
        let disorder_ns = log_plan.disorder_ns?;
        let operators = plan.operators.iter();
        let mut span: Option<Span> = None;
        for operator in operators.filter(|operator| operator.logs.contains(&log)) {
            let (before, after) = reach(&operator.kind);
            let range = hull(&operator.kind, plan.range);
            let mut needed = Span {
                from_ns: range
                    .from_ns
                    .map(|from| from.saturating_sub(before.duration_ns())),
                to_ns: range.to_ns.map(|to| to.saturating_add(after.duration_ns())),
                before: before.entries(),
                after: after.entries(),
                as_witness: rests_on_silence(&operator.kind),
                disorder_ns,
            };
            if log_plan.drop.is_some() {
                // Entries are counted here before any are dropped.
                needed.from_ns = needed.from_ns.filter(|_| needed.before == 0);
                needed.to_ns = needed.to_ns.filter(|_| needed.after == 0);
            }
            span = Some(span.map_or(needed, |span| span.and(needed)));
        }
        span.filter(|span| span.from_ns.is_some() || span.to_ns.is_some())
    }

    fn and(self, other: Span) -> Span {
        Span {
            from_ns: self
                .from_ns
                .zip(other.from_ns)
                .map(|(left, right)| left.min(right)),
            to_ns: self
                .to_ns
                .zip(other.to_ns)
                .map(|(left, right)| left.max(right)),
            before: self.before.max(other.before),
            after: self.after.max(other.after),
            as_witness: self.as_witness || other.as_witness,
            disorder_ns: self.disorder_ns,
        }
    }

    /// Whether nothing before an entry of this time is of the range, nor the entry itself.
    fn is_before(&self, ns: i64) -> bool {
        let latest = ns.saturating_add(self.disorder_ns);
        self.from_ns.is_some_and(|from| latest < from)
    }

    /// Whether nothing behind an entry of this time is of the range, nor the entry itself.
    fn is_after(&self, ns: i64) -> bool {
        let earliest = ns.saturating_sub(self.disorder_ns);
        self.to_ns.is_some_and(|to| earliest >= to)
    }
}

/// How far an operator looks beyond the range that it takes its entries from: before it, and after it. One that reads
/// the range alone reaches nowhere, a session too: what it says of its edges comes from the range.
pub fn reach(kind: &OperatorKind) -> (Reach, Reach) {
    const NOWHERE: Reach = Reach::Entries(0);
    match kind {
        OperatorKind::Context(plan) => (plan.before, plan.after),
        // An absence is certain only as far as the log goes: an entry on either side shows that it goes on.
        OperatorKind::Sequence(_) if rests_on_silence(kind) => {
            (Reach::Entries(1), Reach::Entries(1))
        }
        OperatorKind::Sequence(_)
        | OperatorKind::Session(_)
        | OperatorKind::Aggregate(_)
        | OperatorKind::Select(_)
        | OperatorKind::Patterns(_)
        | OperatorKind::Anomaly(_) => (NOWHERE, NOWHERE),
    }
}

fn rests_on_silence(kind: &OperatorKind) -> bool {
    match kind {
        OperatorKind::Sequence(SequencePlan { steps, .. }) => steps.iter().any(|step| step.absent),
        _ => false,
    }
}

/// The range that an operator takes its entries from, with its baseline.
fn hull(kind: &OperatorKind, range: TimeRange) -> TimeRange {
    let OperatorKind::Patterns(plan) = kind else {
        return range;
    };
    plan.baseline.map_or(range, |baseline| TimeRange {
        from_ns: range
            .from_ns
            .zip(baseline.from_ns)
            .map(|(left, right)| left.min(right)),
        to_ns: range
            .to_ns
            .zip(baseline.to_ns)
            .map(|(left, right)| left.max(right)),
    })
}

trait Beyond {
    fn duration_ns(&self) -> i64;
    fn entries(&self) -> u32;
}

impl Beyond for Reach {
    fn duration_ns(&self) -> i64 {
        match self {
            Reach::Entries(_) => 0,
            Reach::DurationNs(duration_ns) => *duration_ns,
        }
    }

    fn entries(&self) -> u32 {
        match self {
            Reach::Entries(entries) => *entries,
            Reach::DurationNs(_) => 0,
        }
    }
}

/// The part of a stream that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    first: Position,
    /// None: to the end.
    end: Option<Position>,
    /// Files from here on, up to `first`, are left out by their modification times.
    written_before: u32,
}

impl Kept {
    /// Of a settled stream what can matter.
    pub fn of(stream: &Stream, span: &Span, context: &ReadContext<'_>) -> Kept {
        Search::new(stream, span, context).kept()
    }

    pub fn everything() -> Kept {
        Kept {
            first: Position::default(),
            end: None,
            written_before: u32::MAX,
        }
    }

    /// Whether anything of a file is read.
    pub fn has(&self, file: u32) -> bool {
        let head = Position { file, offset: 0 };
        file >= self.first.file && self.end.is_none_or(|end| end > head && end > self.first)
    }

    /// What is not read.
    pub fn pruned(&self, stream: &Stream) -> Vec<Pruned> {
        let mut pruned = Vec::new();
        for file in 0..stream.files.len() as u32 {
            let mut part = |first, end, why| {
                pruned.push(Pruned {
                    file,
                    first,
                    end,
                    why,
                });
            };
            if file < self.first.file {
                let is_by_mtime = file >= self.written_before;
                let why = match is_by_mtime {
                    true => Why::WrittenBeforeFrom,
                    false => Why::BeforeFrom,
                };
                part(0, None, why);
            } else if !self.has(file) {
                part(0, None, Why::AfterTo);
            } else {
                if file == self.first.file && self.first.offset > 0 {
                    part(0, Some(self.first.offset), Why::BeforeFrom);
                }
                if let Some(end) = self.end.filter(|end| end.file == file) {
                    part(end.offset, None, Why::AfterTo);
                }
            }
        }
        pruned
    }

    /// The cuts of the stream without what is not read.
    pub fn clip(&self, cuts: Vec<Cut>) -> Vec<Cut> {
        let is_kept = |cut: &Cut| {
            cut.end.is_none_or(|end| end > self.first)
                && self
                    .end
                    .is_none_or(|end| cut.first < end && self.first < end)
        };
        let mut cuts: Vec<Cut> = cuts.into_iter().filter(is_kept).collect();
        if let Some(first) = cuts.first_mut() {
            first.first = first.first.max(self.first);
            first.after_pruned = first.first != Position::default();
        }
        if let (Some(last), Some(end)) = (cuts.last_mut(), self.end) {
            last.end = Some(last.end.map_or(end, |own| own.min(end)));
        }
        cuts
    }
}
