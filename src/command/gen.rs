//! `logstitch gen`: seeded corpora, so that a test, a bench and a first try need no real logs. The same kind,
//! size and seed give the same bytes on every platform: integer arithmetic alone, no clock, no environment.
//! `incident` is a folder with a story in it; `json`, `access` and `plain` are streams of any length.

mod calendar;
pub mod corpus;
pub mod incident;
pub mod random;

use std::io::{self, Write};
use std::path::PathBuf;

pub use corpus::Corpus;

/// The seed where the command line gives none, and of the incident kept under `testdata/jobs`.
pub const SEED: u64 = 20_260_119;

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// The logs of three nodes and their job file, into a folder.
    Incident { folder: PathBuf, seed: u64 },
    /// At least so many bytes of whole lines of one format, onto a writer.
    Corpus {
        corpus: Corpus,
        bytes: u64,
        seed: u64,
    },
}

/// `out` takes a corpus, or the facts of an incident.
pub fn run(request: &Request, out: &mut dyn Write) -> io::Result<()> {
    match request {
        Request::Incident { folder, seed } => {
            incident::write(folder, *seed)?;
            write!(out, "{}", incident::facts(*seed))
        }
        Request::Corpus {
            corpus,
            bytes,
            seed,
        } => corpus::corpus(*corpus, *bytes, *seed, out),
    }
}

#[cfg(test)]
mod tests;
