//! A simulated node: a child of this very executable.

use reducer::report::Phase;
use tokio::process::Command;

use super::{AttemptError, Pipe, child};

pub fn open() -> Result<Pipe, AttemptError> {
    let executable = std::env::current_exe().map_err(|error| {
        AttemptError::lasting(
            Phase::Connect,
            format!("cannot start a local node: {error}"),
        )
    })?;
    let mut command = Command::new(executable);
    command.arg("map");
    child::open(command, "a local node")
}
