//! What can go wrong between a partial and a file.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use mapper::frame::FrameError;

#[derive(Debug)]
pub enum Error {
    Io {
        path: PathBuf,
        error: io::Error,
    },
    /// A spool or a frame that is not what it should be.
    Frame {
        what: String,
        error: FrameError,
    },
    Other(String),
}

impl Error {
    pub fn io(path: &Path) -> impl FnOnce(io::Error) -> Error + '_ {
        move |error| Error::Io {
            path: path.to_owned(),
            error,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { path, error } => write!(formatter, "{}: {error}", path.display()),
            Error::Frame { what, error } => write!(formatter, "{what}: {error}"),
            Error::Other(text) => formatter.write_str(text),
        }
    }
}

impl std::error::Error for Error {}
