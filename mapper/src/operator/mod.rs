//! An operator is a partial state with an associative merge.
//!
//! `map` absorbs entries into a partial, on the host; `merge` joins two of them, wherever they meet; `finish` makes
//! rows, once, in the reducer. The law: however the same entries are cut and in whatever order the pieces arrive, the
//! rows are the same bytes.

mod aggregate;
mod any;
mod context;
mod gate;
mod key;
mod keys;
mod kind;
#[cfg(test)]
pub(crate) mod laws;
mod placed;
mod row;
mod run;
mod select;
mod sequence;
mod session;
mod sort_key;

pub use self::aggregate::{Aggregate, AggregatePartial};
pub use self::any::{AnyOperator, AnyPartial, Mismatch};
pub use self::context::{Context, ContextPartial};
pub use self::run::{RECORD_HEADER_BYTES, Run, append_record, record_lengths};
pub use self::select::{Select, SelectPartial};
pub use self::sequence::{Sequence, SequencePartial};
pub use self::session::{Session, SessionPartial};
pub use self::sort_key::{SortKey, last_place};

use jobspec::value::Value;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::entry::{Entry, Place, Source};

/// One named analysis. It holds its plan; its partial holds only what was learnt, so two partials of a job cannot
/// disagree about a limit.
pub trait Operator: Sync {
    type Partial: Serialize + DeserializeOwned + Send;

    /// The identity of `merge`.
    fn empty(&self) -> Self::Partial;

    /// The partial of a segment of which nothing was absorbed yet. Only an operator that joins neighbours asks which.
    fn begin(&self, _segment: Segment) -> Self::Partial {
        self.empty()
    }

    /// One entry more, of the segment that the partial was begun for, and of a log that the operator names; time range
    /// and predicate are the operator's to test.
    fn absorb(&self, partial: &mut Self::Partial, entry: &Entry<'_>);

    /// Associative and commutative: an operator that joins neighbours knows its segments, and joins two pieces when
    /// what lies between them has come.
    fn merge(&self, left: Self::Partial, right: Self::Partial) -> Self::Partial;

    /// Whether a partial is one of this operator's, in all its parts: whatever was decoded is asked before it is merged.
    fn accepts(&self, partial: &Self::Partial) -> bool;

    /// Calls with every place whose names `finish` would ask for: what was decoded may name any.
    fn places(&self, partial: &Self::Partial, visit: &mut dyn FnMut(&Place));

    /// About so many bytes of memory.
    fn bytes(&self, partial: &Self::Partial) -> usize;

    /// Moves what a partial keeps by key into a run, keys rising. What is left of it is its core: what has to meet in
    /// memory. Core and records together are the partial; both may travel, wait and merge apart.
    fn take_records(&self, partial: &mut Self::Partial, run: &mut Run);

    /// The same of the one core that is left when all have met: nothing more will join it.
    fn take_last_records(&self, core: &mut Self::Partial, run: &mut Run) {
        self.take_records(core, run);
    }

    /// A mismatch where a record is none of this operator's, as `accepts` is of partials: to be asked of whatever comes
    /// from elsewhere, once. Calls with every place whose names its rows would show, as `places` does.
    fn check_record(
        &self,
        key: &[u8],
        value: &[u8],
        visit: &mut dyn FnMut(&Place),
    ) -> Result<(), Mismatch>;

    /// The one value that several values of a key are, as bytes. Associative and commutative, as `merge` is.
    fn join_values(&self, key: &[u8], values: &[&[u8]]) -> Result<Vec<u8>, Mismatch>;

    /// Whether which records are of one row is known only when all keys have come. Then `learn` is called with every key,
    /// after that `regroup` with every record, and what it gives is the record's key from there on.
    fn is_regrouped(&self) -> bool {
        false
    }

    /// Takes the key of a record, each once, keys rising.
    fn learn(&self, _core: &mut Self::Partial, _key: &[u8]) -> Result<(), Mismatch> {
        Err(Mismatch)
    }

    /// The key of a record among those of its row; keys rising as before.
    fn regroup(
        &self,
        _core: &mut Self::Partial,
        _key: &[u8],
        _value: &[u8],
    ) -> Result<Vec<u8>, Mismatch> {
        Err(Mismatch)
    }

    /// The rows of a key; `values` are all that it has. Called for one key after the other, keys rising.
    fn finish_record(
        &self,
        core: &Self::Partial,
        key: &[u8],
        values: &[&[u8]],
        sources: &dyn Sources,
        rows: &mut dyn Rows,
    ) -> Result<(), Mismatch>;

    /// How many rows there are at most. Rows that are pushed with a key are cut off there by whoever sorts them.
    fn limit(&self) -> Option<usize> {
        None
    }

    /// The rows of the last core; all of them where nothing is kept by key.
    fn finish(&self, partial: Self::Partial, sources: &dyn Sources, rows: &mut dyn Rows);

    /// The columns of a row.
    fn columns(&self) -> Vec<OutputColumn>;

    /// Values that were of the wrong type for their place, and so NULL there.
    fn misfits(&self, partial: &Self::Partial) -> u64;
}

/// Which segment of which stream, by the indices of `Place`. The segments of a stream are counted from 0 and in order,
/// also those that are not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Segment {
    pub host: u32,
    pub log: u16,
    pub stream: u32,
    pub index: u32,
}

/// Takes finished rows. Values stand in the order of the operator's `columns`.
pub trait Rows {
    /// The next row: these come in the order that DESIGN's outputs give them.
    fn push(&mut self, row: &[Value<'_>]);

    /// A row in any order: rows are sorted by their keys (see `SortKey`), and those of one key stay as they came. An
    /// operator pushes all its rows so, or none, and makes all keys of the same parts.
    fn push_keyed(&mut self, key: &[u8], row: &[Value<'_>]);

    /// Whether a row could be of use whose key begins so: not where a limit is full of lesser ones.
    fn wants(&self, _key: &[u8]) -> bool {
        true
    }

    /// A sentence for the summary, about the rows of this operator.
    fn note(&mut self, _note: String) {}
}

/// The names behind places, and what of them did not come.
pub trait Sources: Sync {
    fn source(&self, place: &Place) -> &Source;

    /// Whether all of a log came: not where one of its hosts or files was lost.
    fn is_complete(&self, _log: u16) -> bool {
        true
    }

    /// Whether all came that one host has of a log.
    fn is_complete_on(&self, _host: u32, log: u16) -> bool {
        self.is_complete(log)
    }
}

/// A column of a row as outputs show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputColumn {
    pub name: String,
    /// Left out of jsonl where it is NULL.
    pub optional: bool,
}

impl OutputColumn {
    pub fn new(name: impl Into<String>) -> OutputColumn {
        OutputColumn {
            name: name.into(),
            optional: false,
        }
    }

    pub fn optional(name: impl Into<String>) -> OutputColumn {
        OutputColumn {
            name: name.into(),
            optional: true,
        }
    }
}
