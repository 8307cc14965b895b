//! What `certain` says of a match: whether the silence that it rests on was listened to from end to end, and whether a
//! host or a file that is lost could change it.

use jobspec::plan::{Scope, TimeRange};

use super::partial::{Candidate, Extent};
use super::shape::Shape;
use crate::operator::Sources;

pub struct Certainty<'a> {
    before_ns: Option<i64>,
    after_first_ns: Option<i64>,
    after_last_ns: Option<i64>,
    range: TimeRange,
    extent: Extent,
    scope: Scope,
    logs: &'a [u16],
    sources: &'a dyn Sources,
    is_complete: bool,
}

impl<'a> Certainty<'a> {
    pub fn new(
        shape: &Shape,
        range: TimeRange,
        extent: Extent,
        (scope, logs): (Scope, &'a [u16]),
        sources: &'a dyn Sources,
    ) -> Certainty<'a> {
        let (before_ns, after_first_ns, after_last_ns) = shape.silences_ns();
        Certainty {
            before_ns,
            after_first_ns,
            after_last_ns,
            range,
            extent,
            scope,
            logs,
            sources,
            is_complete: logs.iter().all(|log| sources.is_complete(*log)),
        }
    }

    pub fn is_certain(&self, first: &Candidate, last: &Candidate) -> bool {
        let from = self
            .before_ns
            .map(|within_ns| (first, -i128::from(within_ns)));
        let to = self
            .after_first_ns
            .map(|within_ns| (first, i128::from(within_ns)));
        let own = self
            .after_last_ns
            .map(|within_ns| (last, i128::from(within_ns)));
        let mut windows = [from, to, own].into_iter().flatten();
        let is_covered = windows.all(|(candidate, within_ns)| {
            let time_ns = candidate.time_ns().map(i128::from);
            time_ns.is_some_and(|time_ns| self.is_covered(time_ns + within_ns))
        });
        is_covered && self.is_whole(first)
    }

    /// Whether the logs tell what happened at this time, and the job looked.
    fn is_covered(&self, time_ns: i128) -> bool {
        let (from, to) = (self.range.from_ns, self.range.to_ns);
        from.is_none_or(|from| i128::from(from) <= time_ns)
            && to.is_none_or(|to| time_ns < i128::from(to))
            && self.extent.0.is_some_and(|(first, last)| {
                i128::from(first) <= time_ns && time_ns <= i128::from(last)
            })
    }

    /// Whether nothing that a match of this place could rest on is lost. An entry more could begin a match earlier, or
    /// end one, so that anything lost in scope could change any of its rows.
    fn is_whole(&self, candidate: &Candidate) -> bool {
        match self.scope {
            Scope::Everywhere => self.is_complete,
            Scope::Host | Scope::File => {
                let host = candidate.place.host;
                let mut logs = self.logs.iter();
                self.is_complete || logs.all(|log| self.sources.is_complete_on(host, *log))
            }
        }
    }
}
