//! A mapper over SSH: the chain of connections to its host, one channel, one command.
//!
//! The command is the constant bootstrap. stdin is never ended while the mapper is wanted: its end is the mapper's end.

mod auth;
mod config;
mod connect;
mod known_hosts;

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use jobspec::job::SshSpec;
use reducer::report::Phase;
use russh::client::Msg;
use russh::{ChannelMsg, ChannelReadHalf};
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{AttemptError, Pipe, Process};
use connect::Connection;

/// Bytes that wait between the connection and the reader of a stream.
const PIPE_BYTES: usize = 256 << 10;

/// What a command may say before the host says that it has started it.
const EARLY_MESSAGES: usize = 64;

const STARTING: Duration = Duration::from_secs(30);

/// Starts the command on the host, and gives it its first words without waiting for an answer. `folder` is where a
/// relative `identity` starts.
pub async fn open(
    spec: &SshSpec,
    folder: &Path,
    command: &str,
    first: &[u8],
) -> Result<Pipe, AttemptError> {
    let hops = config::chain(spec, folder).await;
    let hops = hops.map_err(|error| AttemptError::lasting(Phase::Connect, error))?;
    let connection = connect::connect(&hops).await?;
    let channel = connection.channel().await?;
    let started = channel.exec(true, command).await;
    started.map_err(|error| {
        AttemptError::passing(
            Phase::Connect,
            format!("the command was not taken: {error}"),
        )
    })?;
    let (mut messages, write_half) = channel.split();
    let mut stdin = write_half.make_writer();
    // Neither waits for the other: a host that refuses the command takes no words for it.
    let starting = async {
        let begun = async {
            super::begin(&mut stdin, first).await;
            Ok(())
        };
        tokio::try_join!(begun, taken(&mut messages)).map(|((), early)| early)
    };
    let early = match timeout(STARTING, starting).await {
        Ok(started) => started?,
        Err(_) => return Err(not_started()),
    };
    let (mut stdout, stdout_reader) = tokio::io::duplex(PIPE_BYTES);
    let (mut stderr, stderr_reader) = tokio::io::duplex(PIPE_BYTES);
    let (ended, end) = oneshot::channel();
    let reading = tokio::spawn(async move {
        let mut end = None;
        let mut early = early.into_iter();
        loop {
            let message = match early.next() {
                Some(message) => message,
                None => match messages.wait().await {
                    Some(message) => message,
                    None => break,
                },
            };
            // Data may still come after the exit status. A reader that is gone ends nothing but its own stream.
            match message {
                ChannelMsg::Data { data } => {
                    let _ = stdout.write_all(&data).await;
                }
                ChannelMsg::ExtendedData { data, ext: 1 } => {
                    let _ = stderr.write_all(&data).await;
                }
                ChannelMsg::ExitStatus { exit_status } => {
                    end = Some(format!("exit status: {exit_status}"));
                }
                ChannelMsg::ExitSignal { signal_name, .. } => {
                    end = Some(format!("signal: {signal_name:?}"));
                }
                _ => {}
            }
        }
        let _ = ended.send(end);
    });
    Ok(Pipe {
        stdin: Box::pin(stdin),
        stdout: Box::pin(stdout_reader),
        stderr: Box::pin(stderr_reader),
        process: Box::new(Remote {
            end,
            reading,
            _write_half: write_half,
            _connection: connection,
        }),
    })
}

/// Waits until the host has taken the command. Gives what the command has said by then: the answer may come after its
/// first bytes.
async fn taken(messages: &mut ChannelReadHalf) -> Result<Vec<ChannelMsg>, AttemptError> {
    let mut early = Vec::new();
    while early.len() <= EARLY_MESSAGES {
        match messages.wait().await {
            Some(ChannelMsg::Success) => break,
            Some(ChannelMsg::Failure) => {
                return Err(AttemptError::lasting(
                    Phase::Deploy,
                    "the host refuses to run a command",
                ));
            }
            Some(message @ (ChannelMsg::Data { .. } | ChannelMsg::ExtendedData { .. })) => {
                early.push(message);
            }
            Some(ChannelMsg::WindowAdjusted { .. }) => {}
            Some(_) | None => {
                return Err(AttemptError::passing(
                    Phase::Connect,
                    "connection lost before the command had started",
                ));
            }
        }
    }
    Ok(early)
}

fn not_started() -> AttemptError {
    AttemptError::passing(Phase::Timeout, "the command did not start in time")
}

/// The far end of a channel. Dropping it closes the connection, and with that the mapper's stdin.
struct Remote {
    end: oneshot::Receiver<Option<String>>,
    reading: JoinHandle<()>,
    _write_half: russh::ChannelWriteHalf<Msg>,
    _connection: Connection,
}

impl Process for Remote {
    fn wait(&mut self) -> Pin<Box<dyn Future<Output = io::Result<String>> + Send + '_>> {
        Box::pin(async {
            match (&mut self.end).await {
                Ok(Some(end)) => Ok(end),
                _ => Err(io::Error::other("the connection was lost")),
            }
        })
    }
}

impl Drop for Remote {
    fn drop(&mut self) {
        self.reading.abort();
    }
}
