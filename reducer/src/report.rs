//! How a host of a run ended: one state, and what it cost.

use mapper::message::Usage;
use serde::{Deserialize, Serialize};

/// One host of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HostReport {
    pub state: HostState,
    /// What went wrong last, for a person.
    pub error: Option<String>,
    pub attempts: u32,
    /// How far the host's clock is ahead of the runner's, and how far off that may be.
    pub clock_offset_ns: Option<i64>,
    pub clock_error_ns: Option<i64>,
    pub build: Option<String>,
    pub received_bytes: u64,
    pub sent_bytes: u64,
    pub wall_ms: u64,
    pub usage: Usage,
}

/// The one state that a host ends in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum HostState {
    Ok,
    /// Some of its segments are in.
    Partial,
    Failed(Phase),
    #[default]
    Skipped,
}

/// Where a host failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    Resolve,
    Connect,
    HostKey,
    Auth,
    Deploy,
    Read,
    Protocol,
    Timeout,
    Limit,
}

impl HostState {
    /// Every name that a state may have.
    pub const NAMES: [&str; 4] = ["ok", "partial", "failed", "skipped"];

    /// As the summary says it.
    pub fn name(self) -> &'static str {
        match self {
            HostState::Ok => "ok",
            HostState::Partial => "partial",
            HostState::Failed(_) => "failed",
            HostState::Skipped => "skipped",
        }
    }
}

impl Phase {
    pub fn name(self) -> &'static str {
        match self {
            Phase::Resolve => "resolve",
            Phase::Connect => "connect",
            Phase::HostKey => "host key",
            Phase::Auth => "auth",
            Phase::Deploy => "deploy",
            Phase::Read => "read",
            Phase::Protocol => "protocol",
            Phase::Timeout => "timeout",
            Phase::Limit => "limit",
        }
    }
}
