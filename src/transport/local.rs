//! A simulated node: a child of this very executable.

use std::io;
use std::pin::Pin;
use std::process::Stdio;

use tokio::process::{Child, Command};

use reducer::report::Phase;

use super::{AttemptError, Pipe, Process};

pub fn open() -> Result<Pipe, AttemptError> {
    let failed = |error: io::Error| {
        AttemptError::lasting(
            Phase::Connect,
            format!("cannot start a local node: {error}"),
        )
    };
    let executable = std::env::current_exe().map_err(failed)?;
    let mut child = Command::new(executable)
        .arg("map")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    match (stdin, stdout, stderr) {
        (Some(stdin), Some(stdout), Some(stderr)) => Ok(Pipe {
            stdin: Box::pin(stdin),
            stdout: Box::pin(stdout),
            stderr: Box::pin(stderr),
            process: Box::new(Node(child)),
        }),
        _ => unreachable!("all three are piped"),
    }
}

struct Node(Child);

impl Process for Node {
    fn wait(&mut self) -> Pin<Box<dyn Future<Output = io::Result<String>> + Send + '_>> {
        Box::pin(async { Ok(self.0.wait().await?.to_string()) })
    }
}
