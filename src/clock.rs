//! How far a host's clock is off: a few pings, of which the quickest says most. They go beside the scan; where the
//! offset is to be taken off, a burst of them goes before the plan, for one round trip.

use std::collections::VecDeque;
use std::time::SystemTime;

/// Pings of one attempt.
pub const PINGS: u32 = 5;

/// An offset from which on a person should know.
const WORTH_A_WARNING_NS: i64 = 1_000_000_000;

/// How far a clock is ahead of the runner's, and how far off that may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offset {
    pub ahead_ns: i64,
    pub error_ns: i64,
}

impl Offset {
    /// From one ping: the host's clock was read at some moment between sending and receiving.
    pub fn of_ping(sent_ns: i64, host_ns: i64, received_ns: i64) -> Offset {
        let trip_ns = received_ns.saturating_sub(sent_ns).max(0);
        let middle_ns = sent_ns.saturating_add(trip_ns / 2);
        Offset {
            ahead_ns: host_ns.saturating_sub(middle_ns),
            error_ns: trip_ns / 2 + trip_ns % 2,
        }
    }

    /// The surer of two.
    pub fn surer(self, other: Offset) -> Offset {
        if other.error_ns < self.error_ns {
            other
        } else {
            self
        }
    }

    /// What times are to be corrected by: an offset within its own error is none that is known.
    pub fn to_take_off(self) -> i64 {
        if self.ahead_ns.saturating_abs() <= self.error_ns {
            0
        } else {
            self.ahead_ns
        }
    }

    pub fn is_worth_a_warning(self) -> bool {
        self.ahead_ns.saturating_abs().saturating_sub(self.error_ns) > WORTH_A_WARNING_NS
    }
}

/// The pings of one attempt; their answers come in their order.
#[derive(Debug, Default)]
pub struct Pings {
    /// When those were sent that wait for their answers.
    waiting: VecDeque<i64>,
    sent: u32,
}

impl Pings {
    /// One is sent now.
    pub fn send(&mut self) {
        self.waiting.push_back(now_ns());
        self.sent += 1;
    }

    /// Whether another is to be sent.
    pub fn go_on(&self) -> bool {
        self.sent < PINGS
    }

    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The offset by an answer that came now; None where nothing was asked.
    pub fn answer(&mut self, host_ns: i64) -> Option<Offset> {
        let sent_ns = self.waiting.pop_front()?;
        Some(Offset::of_ping(sent_ns, host_ns, now_ns()))
    }
}

/// The runner's clock, nanoseconds UTC.
pub fn now_ns() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_truth_lies_within_the_error() {
        // The host is 500 ahead; the way there takes 10, the way back 30.
        let offset = Offset::of_ping(1000, 1000 + 10 + 500, 1040);
        assert_eq!(
            offset,
            Offset {
                ahead_ns: 490,
                error_ns: 20
            }
        );
        assert!((offset.ahead_ns - 500).abs() <= offset.error_ns);
    }

    #[test]
    fn the_quickest_ping_wins() {
        let slow = Offset {
            ahead_ns: 9,
            error_ns: 100,
        };
        let quick = Offset {
            ahead_ns: 3,
            error_ns: 5,
        };
        assert_eq!(slow.surer(quick), quick);
        assert_eq!(quick.surer(slow), quick);
    }

    #[test]
    fn an_answer_without_a_question_is_none() {
        let mut pings = Pings::default();
        assert_eq!(pings.answer(0), None);
        for _ in 0..PINGS {
            assert!(pings.go_on());
            pings.send();
        }
        assert!(!pings.go_on() && pings.is_waiting());
        for _ in 0..PINGS {
            assert!(pings.answer(0).is_some());
        }
        assert_eq!(pings.answer(0), None);
    }

    #[test]
    fn noise_is_not_taken_off() {
        assert_eq!(
            Offset {
                ahead_ns: -20,
                error_ns: 20
            }
            .to_take_off(),
            0
        );
        assert_eq!(
            Offset {
                ahead_ns: -21,
                error_ns: 20
            }
            .to_take_off(),
            -21
        );
    }

    #[test]
    fn hostile_clocks_do_not_overflow() {
        for host_ns in [i64::MIN, i64::MAX] {
            let offset = Offset::of_ping(
                1_700_000_000_000_000_000,
                host_ns,
                1_700_000_000_000_000_001,
            );
            assert!(offset.is_worth_a_warning());
        }
        // A runner's clock that was set back in between.
        assert_eq!(Offset::of_ping(10, 10, 5).error_ns, 0);
    }
}
