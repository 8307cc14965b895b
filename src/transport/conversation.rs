//! Messages over a pipe, each awaited no longer than a host may be silent; and what it says on its stderr.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use log::debug;
use mapper::frame::{Decoder, FrameError};
use mapper::message::{FromMapper, ToMapper};
use reducer::report::Phase;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::patience::within;
use super::{AttemptError, Pipe};

/// Bytes that are read at once.
const BUFFER_BYTES: usize = 256 << 10;

/// The last bytes of a host's stderr that an error shows.
const STDERR_BYTES: usize = 2000;

/// The runner's side of talking to a mapper.
pub struct Conversation {
    pub pipe: Pipe,
    silence: Duration,
    decoder: Decoder,
    buffer: Vec<u8>,
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

impl Conversation {
    /// `early` is what of the mapper's output is read already.
    pub fn new(pipe: Pipe, early: Vec<u8>, silence: Duration) -> Conversation {
        let mut decoder = Decoder::new();
        decoder.push(&early);
        Conversation {
            pipe,
            silence,
            decoder,
            buffer: vec![0; BUFFER_BYTES],
            sent_bytes: 0,
            received_bytes: 0,
        }
    }

    /// Sends a message. A mapper that does not take it says why on its own side of the pipe, so that is heard first.
    pub async fn say(&mut self, message: &ToMapper) -> Result<(), AttemptError> {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.sent_bytes += bytes.len() as u64;
        for chunk in bytes.chunks(BUFFER_BYTES) {
            let sending = async {
                self.pipe.stdin.write_all(chunk).await?;
                self.pipe.stdin.flush().await
            };
            match within(self.silence, sending).await {
                Some(Ok(())) => {}
                Some(Err(error)) => {
                    debug!("a message was not taken: {error}");
                    return Ok(());
                }
                None => return Err(self.silent()),
            }
        }
        Ok(())
    }

    /// The mapper's next message.
    pub async fn hear(&mut self) -> Result<FromMapper, AttemptError> {
        loop {
            if let Some(message) = self.decoder.next_message().map_err(broken)? {
                return FromMapper::decode(&message).map_err(broken);
            }
            let reading = self.pipe.stdout.read(&mut self.buffer);
            let read = match within(self.silence, reading).await {
                Some(read) => read.map_err(lost)?,
                None => return Err(self.silent()),
            };
            if read == 0 {
                self.decoder.end().map_err(broken)?;
                return Err(AttemptError::passing(
                    Phase::Read,
                    "the mapper ended before it was done",
                ));
            }
            self.received_bytes += read as u64;
            self.decoder.push(&self.buffer[..read]);
        }
    }

    fn silent(&self) -> AttemptError {
        let text = format!("no sign of life for {} s", self.silence.as_secs_f32());
        AttemptError::passing(Phase::Timeout, text)
    }
}

fn lost(error: io::Error) -> AttemptError {
    AttemptError::passing(Phase::Read, format!("connection lost: {error}"))
}

fn broken(error: FrameError) -> AttemptError {
    AttemptError::passing(Phase::Protocol, error.to_string())
}

/// Reads a host's stderr to its end, so that it never fills up, and keeps the last of it.
pub struct LastWords {
    kept: Arc<Mutex<VecDeque<u8>>>,
    reading: JoinHandle<()>,
}

impl LastWords {
    /// Takes the pipe's stderr.
    pub fn follow(pipe: &mut Pipe) -> LastWords {
        let mut stderr = std::mem::replace(&mut pipe.stderr, Box::pin(tokio::io::empty()));
        let kept = Arc::new(Mutex::new(VecDeque::new()));
        let keeping = kept.clone();
        let reading = tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut buffer).await {
                let mut kept = keeping.lock().expect("no holder panics");
                kept.extend(&buffer[..read]);
                let excess = kept.len().saturating_sub(STDERR_BYTES);
                kept.drain(..excess);
            }
        });
        LastWords { kept, reading }
    }

    /// What was said, once nothing more comes or the time is over.
    pub async fn listen(mut self, time: Duration) -> String {
        let _ = timeout(time, &mut self.reading).await;
        let kept = self.kept.lock().expect("no holder panics");
        let bytes: Vec<u8> = kept.iter().copied().collect();
        String::from_utf8_lossy(&bytes)
            .trim()
            .escape_debug()
            .to_string()
    }
}

impl Drop for LastWords {
    fn drop(&mut self) {
        self.reading.abort();
    }
}
