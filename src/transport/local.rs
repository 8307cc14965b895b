//! A simulated node: a child of this very executable.

use reducer::report::Phase;
use tokio::process::Command;

use super::{AttemptError, Pipe, child};

/// It sees none of the runner's environment but what is meant for it, as on any other host.
pub async fn open(first: &[u8]) -> Result<Pipe, AttemptError> {
    let executable = std::env::current_exe().map_err(|error| {
        AttemptError::lasting(
            Phase::Connect,
            format!("cannot start a local node: {error}"),
        )
    })?;
    let mut command = Command::new(executable);
    let own = std::env::vars_os().filter(|(name, _)| {
        let name = name.as_encoded_bytes();
        name.starts_with(b"LOGSTITCH_") && !name.starts_with(b"LOGSTITCH_SSH_")
    });
    command.arg("map").env_clear().envs(own);
    child::open(command, "a local node", first).await
}
