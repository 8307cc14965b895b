//! The job language: text in, a compiled job out.
//!
//! `compile` reads the TOML (and the SQL in it) and gives a [`job::Job`], or every mistake at once. What travels to
//! a host is its [`plan::Plan`] alone. Nothing here opens a file, dials a host, knows the time or runs a command:
//! the caller passes in `now` and a way to read host lists.

#[cfg(feature = "language")]
mod compile;
pub mod diagnostic;
pub mod expr;
pub mod job;
#[cfg(feature = "language")]
mod language;
#[cfg(feature = "language")]
mod names;
pub mod plan;
#[cfg(feature = "language")]
mod schema;
#[cfg(feature = "language")]
mod table;
#[cfg(feature = "language")]
mod units;
pub mod value;
#[cfg(feature = "language")]
mod when;

#[cfg(feature = "language")]
pub use compile::{LARGEST_FILE, Request, Source, compile};
#[cfg(feature = "language")]
pub use schema::schema;
#[cfg(feature = "language")]
pub use units::{duration, size};
