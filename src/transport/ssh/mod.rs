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
use russh::ChannelMsg;
use russh::client::Msg;
use tokio::io::AsyncWriteExt;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::{AttemptError, Pipe, Process};
use connect::Connection;

/// Bytes that wait between the connection and the reader of a stream.
const PIPE_BYTES: usize = 256 << 10;

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
    if timeout(STARTING, super::begin(&mut stdin, first))
        .await
        .is_err()
    {
        return Err(not_started());
    }
    // The answer may come after the first bytes; what it refuses, it has not started.
    let mut early = Vec::new();
    loop {
        match timeout(STARTING, messages.wait()).await {
            Ok(Some(ChannelMsg::Success)) => break,
            Ok(Some(ChannelMsg::Failure)) => {
                return Err(AttemptError::lasting(
                    Phase::Deploy,
                    "the host refuses to run a command",
                ));
            }
            Ok(Some(message @ (ChannelMsg::Data { .. } | ChannelMsg::ExtendedData { .. }))) => {
                early.push(message);
                if early.len() > 64 {
                    break;
                }
            }
            Ok(Some(ChannelMsg::WindowAdjusted { .. })) => {}
            Ok(Some(_) | None) => {
                return Err(AttemptError::passing(
                    Phase::Connect,
                    "connection lost before the command had started",
                ));
            }
            Err(_) => return Err(not_started()),
        }
    }
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
