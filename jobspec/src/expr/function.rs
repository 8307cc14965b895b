//! The functions of an expression, as they travel: constant arguments (a regex, a width, a network) are
//! compiled into them, the others are the call's arguments.

use serde::{Deserialize, Serialize};

use super::{Pattern, Search};
use crate::value::Time;
use crate::zone::Zone;

/// Buckets that one time may be in, where buckets slide.
pub const MAX_OVERLAP: i64 = 1_000;

/// One scalar function.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Function {
    /// `search(text, 'database AND "connection reset" NOT retry*')`
    Search(Search),
    /// `extract(x, regex, group)`: the group's text where the regex matches first, else NULL.
    Extract {
        pattern: Pattern,
        group: u32,
    },
    /// `bucket(time, '1m')`: the start of the time's bucket, counted from the Unix epoch. With a step the
    /// buckets overlap, and an aggregate puts the entry into each (`bucket_starts` gives them all); in any other
    /// place the value is the last bucket's start.
    Bucket {
        width_ns: i64,
        step_ns: i64,
    },
    /// 0 to 23, in the job's timezone.
    Hour {
        zone: Zone,
    },
    /// 1 (Monday) to 7 (Sunday), in the job's timezone.
    Weekday {
        zone: Zone,
    },
    Lower,
    Upper,
    /// In characters.
    Length,
    Coalesce,
    /// `cidr(ip, '10.0.0.0/8')`; an IPv4 address is held against an IPv6 network as its mapped form.
    Cidr {
        network: u128,
        bits: u8,
    },
    /// Whether the entry has the field at all, be it JSON's null.
    Exists,
    /// The number that a text is, else NULL.
    Number,
}

impl Function {
    /// The start of the last bucket that a time is in; None for another function.
    #[inline]
    pub fn last_bucket(&self, time_ns: i64) -> Option<Time> {
        match self {
            Function::Bucket { step_ns, .. } => Some(Time::from_ns(last_start(time_ns, *step_ns))),
            _ => None,
        }
    }

    /// The starts of all buckets that a time is in, earliest first; none for another function.
    pub fn bucket_starts(&self, time_ns: i64) -> BucketStarts {
        match *self {
            Function::Bucket { width_ns, step_ns } if width_ns > 0 && step_ns > 0 => {
                let last = last_start(time_ns, step_ns);
                let past = i128::from(time_ns) - i128::from(width_ns);
                // The first start after the time a width ago, and no earlier than a time can be.
                let first = (past.div_euclid(step_ns.into()) + 1) * i128::from(step_ns);
                let least = i128::from(last) - i128::from(MAX_OVERLAP) * i128::from(step_ns);
                BucketStarts {
                    next: first.max(least),
                    last: last.into(),
                    step: step_ns.into(),
                }
            }
            _ => BucketStarts {
                next: 1,
                last: 0,
                step: 1,
            },
        }
    }
}

/// The last multiple of a step at or before a time; the earliest time there is has none before it.
fn last_start(time_ns: i64, step_ns: i64) -> i64 {
    time_ns.saturating_sub(time_ns.rem_euclid(step_ns.max(1)))
}

/// Starts of buckets, in nanoseconds since the Unix epoch.
#[derive(Clone, Debug)]
pub struct BucketStarts {
    next: i128,
    last: i128,
    step: i128,
}

impl Iterator for BucketStarts {
    type Item = i64;

    fn next(&mut self) -> Option<i64> {
        if self.next > self.last {
            return None;
        }
        let start = self.next.max(i64::MIN.into());
        self.next += self.step;
        // Starts before the earliest time there is are one.
        while self.next <= self.last && self.next < i64::MIN.into() {
            self.next += self.step;
        }
        i64::try_from(start).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(width_ns: i64, step_ns: i64, time_ns: i64) -> Vec<i64> {
        Function::Bucket { width_ns, step_ns }
            .bucket_starts(time_ns)
            .collect()
    }

    #[test]
    fn a_time_is_in_every_bucket_that_holds_it() {
        assert_eq!(starts(10, 10, 25), [20]);
        assert_eq!(starts(10, 10, 20), [20]);
        assert_eq!(starts(10, 5, 25), [20, 25]);
        assert_eq!(starts(10, 5, 24), [15, 20]);
        assert_eq!(starts(10, 3, 9), [0, 3, 6, 9]);
        assert_eq!(starts(10, 3, 10), [3, 6, 9]);
        // Against the definition: start <= time < start + width.
        for time in -40..40 {
            for (width, step) in [(10, 10), (10, 5), (10, 3), (7, 2), (1, 1)] {
                let wanted: Vec<i64> = (-100..100)
                    .map(|index| index * step)
                    .filter(|start| *start <= time && time < start + width)
                    .collect();
                assert_eq!(starts(width, step, time), wanted, "{time} {width} {step}");
            }
        }
    }

    #[test]
    fn only_a_bucket_has_a_last_one() {
        let bucket = Function::Bucket {
            width_ns: 10,
            step_ns: 5,
        };
        assert_eq!(bucket.last_bucket(24), Some(Time::from_ns(20)));
        assert_eq!(Function::Number.last_bucket(24), None);
    }

    #[test]
    fn the_ends_of_time_do_not_overflow() {
        assert_eq!(starts(10, 10, i64::MAX), [i64::MAX - i64::MAX % 10]);
        assert_eq!(starts(10, 10, i64::MIN), [i64::MIN]);
        assert_eq!(starts(i64::MAX, i64::MAX, -1), [-i64::MAX]);
        assert!(
            starts(10, 5, i64::MIN + 2)
                .iter()
                .all(|start| *start <= i64::MIN + 2)
        );
        // Bytes from outside may claim any width: at most so many buckets are given.
        assert!(starts(i64::MAX, 1, 0).len() <= 1 + MAX_OVERLAP as usize);
        assert!(starts(0, 0, 5).is_empty() && starts(-5, -5, 5).is_empty());
        assert_eq!(Function::Lower.bucket_starts(5).count(), 0);
    }
}
