//! The job language: text in, a compiled job out.
//!
//! `compile` reads the TOML (and the SQL in it) and gives a [`job::Job`], or every mistake at once. What travels to
//! a host is its [`plan::Plan`] alone. Nothing here opens a file, dials a host, knows the time or runs a command:
//! the caller passes in `now` and a way to read host lists.
//!
#![cfg_attr(feature = "language", doc = "```")]
#![cfg_attr(not(feature = "language"), doc = "```text")]
//! use std::path::Path;
//!
//! use jobspec::{Request, Source, compile};
//!
//! let text = r#"
//! [job]
//! name = "errors"
//! from = "yesterday"
//! to   = "today"
//!
//! [hosts.web]
//! local = ["web[1-3]"]
//!
//! [logs.app]
//! hosts = ["web"]
//! paths = ["logs/{host}/app.jsonl*"]
//!
//! [aggregate.errors]
//! where  = "level >= ERROR"
//! group  = { service = "service" }
//! select = { n = "count(*)" }
//! order  = "n DESC"
//! "#;
//! let source = Source { name: "errors.toml", bytes: text.as_bytes(), folder: Path::new(".") };
//! // 2026-01-20 10:30 UTC
//! let request = Request::at(1_768_905_000_000_000_000);
//!
//! let job = compile(&source, &request).unwrap();
//! assert_eq!(job.hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["web1", "web2", "web3"]);
//! assert_eq!(job.plan.range.from_ns, Some(1_768_780_800_000_000_000));
//! assert_eq!(job.plan.operators[0].kind.name(), "aggregate");
//!
//! let typo = text.replace("where ", "were ");
//! let mistakes = compile(&Source { bytes: typo.as_bytes(), ..source }, &request).unwrap_err();
//! assert_eq!(mistakes.to_string(), r#"errors.toml:15:1: error: unknown key `were`, did you mean `where`?
//!     were  = "level >= ERROR"
//!     ^^^^
//! "#);
//! ```

#[cfg(feature = "language")]
mod compile;
#[cfg(feature = "language")]
mod language;
#[cfg(feature = "language")]
mod schema;
#[cfg(feature = "language")]
mod table;

mod condition;
pub mod diagnostic;
pub mod expr;
pub mod job;
#[cfg(feature = "language")]
mod names;
pub mod plan;
#[cfg(feature = "language")]
mod room;
#[cfg(feature = "language")]
mod units;
pub mod value;
#[cfg(feature = "language")]
mod when;
pub mod zone;

#[cfg(feature = "language")]
pub use compile::{HostLists, LARGEST_FILE, Request, Source, compile, read_check};
#[cfg(feature = "language")]
pub use names::Target;
#[cfg(feature = "language")]
pub use room::with_room;
#[cfg(feature = "language")]
pub use schema::schema;
#[cfg(feature = "language")]
pub use units::{duration, size};
