//! A transport is anything that yields a mapper's stdin, stdout and stderr. All above it is the same code.

mod child;
pub mod conversation;
mod exec;
mod local;
mod ssh;

use std::io;
use std::path::Path;
use std::pin::Pin;

use jobspec::job::{HostSpec, TransportSpec};
use reducer::report::{HostState, Phase};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::deploy;

/// A running mapper.
pub struct Pipe {
    pub stdin: Pin<Box<dyn AsyncWrite + Send>>,
    pub stdout: Pin<Box<dyn AsyncRead + Send>>,
    pub stderr: Pin<Box<dyn AsyncRead + Send>>,
    pub process: Box<dyn Process>,
}

/// The far end of a pipe, to be waited for. Dropping it ends it.
pub trait Process: Send {
    /// How it ended, once its stdout has: "exit status: 1", "signal: 9 (SIGKILL)".
    fn wait(&mut self) -> Pin<Box<dyn Future<Output = io::Result<String>> + Send + '_>>;
}

/// Why an attempt at a host failed.
#[derive(Debug)]
pub struct AttemptError {
    /// The state that the host ends in if no other attempt goes better.
    pub state: HostState,
    pub message: String,
    /// Whether another attempt may go better.
    pub passing: bool,
}

impl AttemptError {
    /// One that may pass.
    pub fn passing(phase: Phase, message: impl Into<String>) -> AttemptError {
        AttemptError {
            state: HostState::Failed(phase),
            message: message.into(),
            passing: true,
        }
    }

    /// One that would come again.
    pub fn lasting(phase: Phase, message: impl Into<String>) -> AttemptError {
        AttemptError {
            state: HostState::Failed(phase),
            message: message.into(),
            passing: false,
        }
    }
}

/// Starts what leads to a mapper on the host. `folder` is the job's.
pub async fn open(host: &HostSpec, folder: &Path) -> Result<Pipe, AttemptError> {
    match &host.transport {
        TransportSpec::Local => local::open(),
        TransportSpec::Ssh(spec) => ssh::open(spec, folder, deploy::bootstrap()).await,
        TransportSpec::Exec { command } => exec::open(command),
    }
}

/// Whether a script stands at the far end that is to become the mapper.
pub fn deploys(transport: &TransportSpec) -> bool {
    match transport {
        TransportSpec::Local => false,
        TransportSpec::Ssh(_) => true,
        TransportSpec::Exec { command } => exec::deploys(command),
    }
}
