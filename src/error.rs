//! Why a command ends without its answer, and the exit code that says so.

use std::fmt;

use jobspec::diagnostic::Diagnostics;

/// How a command ended when it ended as planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Done,
    Incomplete,
    CheckFailed,
}

/// How a command ended when it did not.
#[derive(Debug)]
pub enum Error {
    /// The command line is wrong.
    Usage(String),
    /// The job file is wrong.
    Job(Diagnostics),
    /// This job is running already.
    Running(String),
    /// Stopped by a signal, by number.
    Signal(i32),
    Failed(String),
}

impl Error {
    /// What failed, with where: `Error::failed("out/rows.jsonl", error)`.
    pub fn failed(what: impl fmt::Display, error: impl fmt::Display) -> Error {
        Error::Failed(format!("{what}: {error}"))
    }

    pub fn exit_code(&self) -> u8 {
        match self {
            Error::Failed(_) => 1,
            Error::Usage(_) | Error::Job(_) => 2,
            Error::Running(_) => 5,
            Error::Signal(signal) => 128 + *signal as u8,
        }
    }
}

impl Outcome {
    pub fn exit_code(self) -> u8 {
        match self {
            Outcome::Done => 0,
            Outcome::CheckFailed => 3,
            Outcome::Incomplete => 4,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Usage(text) | Error::Running(text) | Error::Failed(text) => {
                write!(formatter, "logstitch: {text}")
            }
            Error::Job(diagnostics) => write!(formatter, "{diagnostics}"),
            Error::Signal(signal) => write!(formatter, "logstitch: stopped by signal {signal}"),
        }
    }
}
