//! What lets an entry into an operator: the job's time range, and the operator's own predicate.

use jobspec::expr::{Expr, Misfits};
use jobspec::plan::TimeRange;

use crate::entry::Entry;

#[derive(Clone, Debug)]
pub struct Gate {
    pub range: TimeRange,
    pub predicate: Option<Expr>,
}

impl Gate {
    pub fn new(range: TimeRange, predicate: Option<&Expr>) -> Gate {
        Gate {
            range,
            predicate: predicate.cloned(),
        }
    }

    pub fn admits(&self, entry: &Entry<'_>, misfits: &Misfits) -> bool {
        self.range.contains(entry.time.map(|time| time.ns))
            && self
                .predicate
                .as_ref()
                .is_none_or(|predicate| predicate.holds(entry, misfits))
    }
}
