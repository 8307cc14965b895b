//! The tests of the whole program: one binary, this file its table of contents.

mod checks;
mod cli;
mod deploy;
mod formats;
mod harness;
mod jobs;
mod memory;
mod oracle;
mod partition;
mod prune;
mod python;
mod schema;
mod ssh;
mod sshd;
mod tidy;
