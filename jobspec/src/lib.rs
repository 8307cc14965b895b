//! The job language: text in, a compiled job out.
//!
//! `compile` reads the TOML (and the SQL in it) and gives a [`job::Job`], or every mistake at once. What travels to
//! a host is its [`plan::Plan`] alone. Nothing here opens a file, dials a host, knows the time or runs a command:
//! the caller passes in `now` and a way to read host lists.

pub mod diagnostic;
pub mod expr;
pub mod job;
pub mod plan;
pub mod value;
