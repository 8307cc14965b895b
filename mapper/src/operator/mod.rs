//! An operator is a partial state with an associative merge.
//!
//! `map` absorbs entries into a partial, on the host; `merge` joins two of them, wherever they meet; `finish` makes
//! rows, once, in the reducer. The law: however the same entries are cut and in whatever order the pieces arrive, the
//! rows are the same bytes.

use jobspec::value::OwnedValue;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::entry::Entry;

/// One named analysis. It holds its plan; its partial holds only what was learnt, so two partials of a job cannot
/// disagree about a limit.
pub trait Operator: Sync {
    type Partial: Serialize + DeserializeOwned + Send;

    /// The identity of `merge`.
    fn empty(&self) -> Self::Partial;

    /// One entry more. It is of a log that the operator names; time range and predicate are the operator's to test.
    fn absorb(&self, partial: &mut Self::Partial, entry: &Entry<'_>);

    /// Associative; `left` is of entries before `right` wherever the two are neighbours in a stream.
    fn merge(&self, left: Self::Partial, right: Self::Partial) -> Self::Partial;

    /// All rows, in the order that DESIGN's outputs give them.
    fn finish(&self, partial: Self::Partial, rows: &mut dyn Rows);
}

/// Takes finished rows. Values stand in the order of the operator's `columns`.
pub trait Rows {
    fn push(&mut self, row: Vec<OwnedValue>);
}
