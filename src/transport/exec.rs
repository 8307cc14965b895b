//! Any command that reaches a host: `kubectl exec -i`, `docker exec -i`, `srun`, the user's own `ssh`.
//!
//! `{bootstrap}` in it is the script that finds or takes the mapper; a command without it starts a mapper by itself.

use tokio::process::Command;

use super::{AttemptError, Pipe, child};

const BOOTSTRAP: &str = "{bootstrap}";

/// Whether the script runs first, and the mapper is to be deployed.
pub fn deploys(command: &[String]) -> bool {
    command.iter().any(|part| part.contains(BOOTSTRAP))
}

/// The argument vector: never a string that a shell of ours would read.
pub async fn open(
    arguments: &[String],
    bootstrap: &str,
    first: &[u8],
) -> Result<Pipe, AttemptError> {
    let parts = arguments
        .iter()
        .map(|part| part.replace(BOOTSTRAP, bootstrap));
    let parts: Vec<String> = parts.collect();
    let [program, arguments @ ..] = &parts[..] else {
        return Err(AttemptError::lasting(
            reducer::report::Phase::Connect,
            "an empty command",
        ));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    child::open(command, &format!("`{}`", program.escape_debug()), first).await
}
