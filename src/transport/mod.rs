//! A transport is anything that yields a mapper's stdin, stdout and stderr. All above it is the same code.

mod child;
pub mod conversation;
mod exec;
mod local;
pub mod patience;
mod ssh;

use std::io;
use std::path::PathBuf;
use std::pin::Pin;

use jobspec::job::{HostSpec, TransportSpec};
use log::debug;
use reducer::report::{HostState, Phase};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

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

/// A pipe that is being made.
pub type Opening<'a> = Pin<Box<dyn Future<Output = Result<Pipe, AttemptError>> + Send + 'a>>;

/// Ways to hosts.
pub trait Ways: Send + Sync {
    /// Starts what leads to a mapper on the host; `bootstrap` is the command that becomes one, where one is deployed.
    /// `first` goes to its stdin with the same breath: a round trip less.
    fn open<'a>(&'a self, host: &'a HostSpec, bootstrap: &'a str, first: &'a [u8]) -> Opening<'a>;

    /// Whether a script stands at the far end that is to become the mapper.
    fn deploys(&self, transport: &TransportSpec) -> bool;
}

/// Those that really lead somewhere.
pub struct Transports {
    /// The job's folder.
    pub folder: PathBuf,
}

impl Ways for Transports {
    fn open<'a>(&'a self, host: &'a HostSpec, bootstrap: &'a str, first: &'a [u8]) -> Opening<'a> {
        Box::pin(async move {
            match &host.transport {
                TransportSpec::Local => local::open(first).await,
                TransportSpec::Ssh(spec) => ssh::open(spec, &self.folder, bootstrap, first).await,
                TransportSpec::Exec { command } => exec::open(command, bootstrap, first).await,
            }
        })
    }

    fn deploys(&self, transport: &TransportSpec) -> bool {
        match transport {
            TransportSpec::Local => false,
            TransportSpec::Ssh(_) => true,
            TransportSpec::Exec { command } => exec::deploys(command),
        }
    }
}

/// Says the first words. What the far end says before it ends is worth more than that it did not take them.
async fn begin(stdin: &mut (impl AsyncWrite + Unpin), first: &[u8]) {
    if let Err(error) = async {
        stdin.write_all(first).await?;
        stdin.flush().await
    }
    .await
    {
        debug!("the first words were not taken: {error}");
    }
}
