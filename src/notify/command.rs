//! A command of the user's own: the message as JSON on its stdin. Nothing of the message is in its arguments.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use jobspec::diagnostic::shown;

use super::{Failure, Message};

/// How long it may take.
const MOST: Duration = Duration::from_secs(30);

/// Bytes of what it says on stderr.
const SAID_BYTES: u64 = 4 << 10;

pub fn send(command: &[String], folder: &Path, message: &Message) -> Result<(), Failure> {
    let [program, arguments @ ..] = command else {
        return Err(Failure::lasting("an empty command"));
    };
    let name = shown(program.as_bytes(), 200);
    let child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.map_err(|error| Failure::lasting(format!("{name}: {error}")))?;
    let stdin = child.stdin.take();
    let stderr = child.stderr.take();
    let text = message.json().to_string() + "\n";
    // A command that does not read, or does not end, must not keep the run: both pipes have threads of their own.
    std::thread::spawn(move || {
        // One that reads nothing has its reasons; its exit status says whether it took the message.
        let _ = stdin.map(|mut stdin| stdin.write_all(text.as_bytes()));
    });
    let (sender, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut text = Vec::new();
        if let Some(mut stderr) = stderr {
            let _ = stderr.by_ref().take(SAID_BYTES).read_to_end(&mut text);
            let _ = sender.send(text);
            let _ = std::io::copy(&mut stderr, &mut std::io::sink());
        }
    });
    let began = Instant::now();
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if began.elapsed() < MOST => std::thread::sleep(Duration::from_millis(10)),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(Failure::passing(format!(
                    "{name}: did not end within {} s",
                    MOST.as_secs()
                )));
            }
            Err(error) => return Err(Failure::passing(format!("{name}: {error}"))),
        }
    };
    if status.success() {
        return Ok(());
    }
    let said = said
        .recv_timeout(Duration::from_secs(1))
        .unwrap_or_default();
    let last = said.trim_ascii_end().rsplit(|byte| *byte == b'\n').next();
    let last = shown(last.unwrap_or_default(), 200);
    Err(Failure::passing(format!("{name}: {status}: {last}")))
}
