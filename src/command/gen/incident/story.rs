//! What happened, and when: the hours of the day, how the database was at each moment, and how much slower it
//! made everything. Moments are true times; node-c's own clock runs ahead, so its logs add `AHEAD_MS`.

use super::super::calendar::DAY_MS;

/// 2026-01-19.
const DATE_DAYS: u64 = 20_472;

pub const fn at(hour: u64, minute: u64, second: u64) -> u64 {
    DATE_DAYS * DAY_MS + ((hour * 60 + minute) * 60 + second) * 1000
}

/// The first and the last moment of the logs.
pub const BEGIN: u64 = at(12, 50, 0);
pub const END: u64 = at(15, 4, 0);

/// The hour that the job looks at, half-open.
pub const HOUR_FROM: u64 = at(14, 0, 0);
pub const HOUR_TO: u64 = at(15, 0, 0);

pub const DEPLOY_STARTED: u64 = at(14, 2, 0);
/// The old checkout is gone, the new one does not listen yet.
pub const RESTART_FROM: u64 = at(14, 2, 35);
pub const RESTART_TO: u64 = at(14, 2, 42);
pub const DEPLOY_FINISHED: u64 = at(14, 3, 40);

pub const PRIMARY_LOST: u64 = at(14, 20, 0);
/// The proxy sends writes to the standby, which may not take them yet.
pub const PROXY_SWITCHED: u64 = at(14, 20, 50);
pub const PROMOTED: u64 = at(14, 21, 30) + 118;
pub const RECOVERED: u64 = at(14, 31, 0);

/// How far node-c's clock is ahead.
pub const AHEAD_MS: u64 = 2000;

pub const PRIMARY: &str = "10.20.0.31:5432";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Database {
    Healthy,
    /// The primary is gone: connections are refused or hang.
    Lost,
    /// Writes reach the standby: it refuses them.
    ReadOnly,
    /// Promoted, with cold caches and a queue of retries before it.
    Recovering,
}

pub fn database(at: u64) -> Database {
    match at {
        _ if at < PRIMARY_LOST => Database::Healthy,
        _ if at < PROXY_SWITCHED => Database::Lost,
        _ if at < PROMOTED => Database::ReadOnly,
        _ if at < RECOVERED => Database::Recovering,
        _ => Database::Healthy,
    }
}

/// How long the database takes in percent of a good day's time: 1800 when it is promoted, falling to 100, quick
/// at first and then in a long tail.
pub fn strain(at: u64) -> u64 {
    if (PROMOTED..RECOVERED).contains(&at) {
        let left = RECOVERED - at;
        let whole = RECOVERED - PROMOTED;
        100 + 1100 * left / whole + 600 * left / whole * left / whole
    } else {
        100
    }
}

pub fn version(at: u64) -> &'static str {
    if at < RESTART_TO { "2.13.4" } else { "2.14.0" }
}

/// How long checkout waits for payments, and how often it tries: what the deploy changed.
pub fn payments_timeout_ms(at: u64) -> u64 {
    if at < RESTART_TO { 3000 } else { 1200 }
}

pub fn payments_attempts(at: u64) -> u64 {
    if at < RESTART_TO { 2 } else { 4 }
}
