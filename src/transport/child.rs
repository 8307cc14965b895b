//! A child process as a pipe: what `local` and `exec` share.

use std::io;
use std::pin::Pin;
use std::process::Stdio;

use reducer::report::Phase;
use tokio::process::{Child, Command};

use super::{AttemptError, Pipe, Process};

/// Starts the command; it ends when what is returned is dropped.
pub async fn open(mut command: Command, what: &str, first: &[u8]) -> Result<Pipe, AttemptError> {
    let failed = |error: io::Error| {
        AttemptError::lasting(Phase::Connect, format!("cannot start {what}: {error}"))
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    match (stdin, stdout, stderr) {
        (Some(mut stdin), Some(stdout), Some(stderr)) => {
            // Less than a pipe holds, so that nobody has to read yet.
            super::begin(&mut stdin, first).await;
            Ok(Pipe {
                stdin: Box::pin(stdin),
                stdout: Box::pin(stdout),
                stderr: Box::pin(stderr),
                process: Box::new(Running(child)),
            })
        }
        _ => unreachable!("all three are piped"),
    }
}

struct Running(Child);

impl Process for Running {
    fn wait(&mut self) -> Pin<Box<dyn Future<Output = io::Result<String>> + Send + '_>> {
        Box::pin(async { Ok(self.0.wait().await?.to_string()) })
    }
}
