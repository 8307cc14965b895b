//! The functions of an expression, as they travel: constant arguments (a regex, a width, a network) are
//! compiled into them, the others are the call's arguments.

use serde::{Deserialize, Serialize};

use super::{Pattern, Search};

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
    /// buckets overlap, and an aggregate puts the entry into each (`starts` gives them all); in any other
    /// place the value is the last bucket's start.
    Bucket {
        width_ns: i64,
        step_ns: i64,
    },
    /// 0 to 23, in the job's timezone.
    Hour {
        zone: String,
    },
    /// 1 (Monday) to 7 (Sunday), in the job's timezone.
    Weekday {
        zone: String,
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
