//! What some neighbouring segments gave, and how heavy that is: a run of them is handed on when it has grown, has waited
//! long, or fills the room that there is.

use std::time::{Duration, Instant};

use crate::operator::{AnyOperator, AnyPartial};
use crate::scan::Yield;
use crate::tally::StreamTally;

/// A run waits so long: where a host reads slowly, that is less than a run's bytes take.
const RUN_TIME: Duration = Duration::from_secs(10);

pub(super) struct Fruit<'a> {
    operators: &'a [AnyOperator],
    /// As heavy as can be, from so many bytes of partials on.
    held_bytes: u64,
    pub partials: Vec<AnyPartial>,
    pub tally: StreamTally,
    weighed: Weighed,
    /// When the first of them was begun.
    began: Instant,
}

/// What partials took when they were last looked at one by one.
#[derive(Clone, Copy)]
struct Weighed {
    bytes: u64,
    /// After so many entries, and bytes of log.
    entries: u64,
    log_bytes: u64,
}

impl<'a> Fruit<'a> {
    /// Of one more segment, which was begun at that time and counted apart; its partials went on with those of `left`.
    pub fn new(
        operators: &'a [AnyOperator],
        held_bytes: u64,
        left: Option<Fruit<'_>>,
        partials: Vec<AnyPartial>,
        tally: StreamTally,
        began: Instant,
    ) -> Fruit<'a> {
        let (tally, weighed, began) = match left {
            Some(left) => (left.tally.merge(tally), Some(left.weighed), left.began),
            None => (tally, None, began),
        };
        let weighed = weighed.filter(|weighed| weighed.holds_for(&tally, held_bytes));
        Fruit {
            operators,
            held_bytes,
            weighed: weighed.unwrap_or_else(|| Weighed::new(operators, &partials, &tally)),
            partials,
            tally,
            began,
        }
    }

    /// The partials, for the next segment to go on with.
    pub fn take_partials(&mut self) -> Vec<AnyPartial> {
        std::mem::take(&mut self.partials)
    }
}

impl Weighed {
    fn new(operators: &[AnyOperator], partials: &[AnyPartial], tally: &StreamTally) -> Weighed {
        let partials = operators.iter().zip(partials);
        let bytes: usize = partials
            .map(|(operator, partial)| operator.bytes(partial))
            .sum();
        let total = tally.total();
        Weighed {
            bytes: bytes as u64,
            entries: total.entries,
            log_bytes: total.bytes,
        }
    }

    /// To weigh is a look at every key, so it is done again only when an eighth more has come, or so much log that the room
    /// could be full of it.
    fn holds_for(&self, tally: &StreamTally, held_bytes: u64) -> bool {
        let total = tally.total();
        total.entries <= self.entries + self.entries / 8
            && total.bytes - self.log_bytes <= held_bytes.saturating_mul(2)
    }

    /// With what has come since, if it is like what came before.
    fn bytes_now(&self, tally: &StreamTally) -> u64 {
        let entries = u128::from(tally.total().entries.max(1));
        let bytes = u128::from(self.bytes) * entries / u128::from(self.entries.max(1));
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }

    fn and(self, other: Weighed) -> Weighed {
        Weighed {
            bytes: self.bytes + other.bytes,
            entries: self.entries + other.entries,
            log_bytes: self.log_bytes + other.log_bytes,
        }
    }
}

impl Yield for Fruit<'_> {
    fn merge(self, right: Self) -> Self {
        let pairs = self.operators.iter().zip(self.partials).zip(right.partials);
        let partials = pairs.map(|((operator, left), right)| {
            operator
                .merge(left, right)
                .expect("each was made by this very operator")
        });
        Fruit {
            operators: self.operators,
            held_bytes: self.held_bytes,
            partials: partials.collect(),
            weighed: self.weighed.and(right.weighed),
            tally: self.tally.merge(right.tally),
            began: self.began.min(right.began),
        }
    }

    /// In bytes of log; as heavy as can be where the partials are, or have waited long.
    fn weight(&self) -> u64 {
        let is_heavy = self.weighed.bytes_now(&self.tally) >= self.held_bytes;
        if is_heavy || self.began.elapsed() >= RUN_TIME {
            u64::MAX
        } else {
            self.tally.total().bytes
        }
    }
}
