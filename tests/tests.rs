//! The tests of the whole program: one binary, this file its table of contents.

mod alerts;
mod checks;
mod cli;
mod deploy;
mod formats;
mod harness;
mod jobs;
mod memory;
mod metrics;
mod oracle;
mod partition;
mod prune;
mod python;
mod schedule;
mod schema;
mod server;
mod sound;
mod ssh;
mod sshd;
mod tidy;
