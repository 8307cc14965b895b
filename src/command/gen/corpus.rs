//! Corpora of any length for benches: JSON application logs, nginx access logs, plain logs with stack traces.
//! Many requests are open at once and every one is told from its start to its end, so that sessions and
//! sequences have something to join; fast enough (hundreds of MB/s) that writing is not what is measured.

mod access;
mod json;
mod plain;
mod traffic;

use std::io::{self, Write};

use access::Access;
use json::Json;
use plain::Plain;

use super::calendar::DAY_MS;
use super::random::Random;

/// 2026-01-12T00:00:00Z.
const BEGIN: u64 = 20_465 * DAY_MS;

/// How much is gathered before it is written.
const BUFFER_BYTES: usize = 256 << 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corpus {
    /// One JSON object a line, about 290 bytes.
    Json,
    /// nginx's combined format.
    Access,
    /// A log4j log; one entry in fifty has a stack trace.
    Plain,
}

impl Corpus {
    /// With the names that the command line knows them by.
    pub const ALL: [(&'static str, Corpus); 3] = [
        ("json", Corpus::Json),
        ("access", Corpus::Access),
        ("plain", Corpus::Plain),
    ];
}

/// Whole entries, until there are at least `bytes` of them.
pub fn corpus(corpus: Corpus, bytes: u64, seed: u64, out: &mut dyn Write) -> io::Result<()> {
    let random = Random::new(seed).fork(corpus as u64 + 1);
    match corpus {
        Corpus::Json => entries(&mut Json::new(random), bytes, out),
        Corpus::Access => entries(&mut Access::new(random), bytes, out),
        Corpus::Plain => entries(&mut Plain::new(random), bytes, out),
    }
}

trait Entries {
    /// One entry with its line end.
    fn next(&mut self, out: &mut Vec<u8>);
}

fn entries(source: &mut impl Entries, bytes: u64, out: &mut dyn Write) -> io::Result<()> {
    let mut buffer = Vec::with_capacity(BUFFER_BYTES + 8192);
    let mut written = 0;
    while written + (buffer.len() as u64) < bytes {
        source.next(&mut buffer);
        if buffer.len() >= BUFFER_BYTES {
            out.write_all(&buffer)?;
            written += buffer.len() as u64;
            buffer.clear();
        }
    }
    out.write_all(&buffer)
}

fn add(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}
