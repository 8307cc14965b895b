//! Partial states in, files and a verdict out.
//!
//! A run's partials lie in a `spool`, committed whole by the `ledger`; `reduce` merges them, operator by operator, and
//! hands the finished rows to the `output`s, which appear whole or not at all. It knows no transport and opens no log.

pub mod ledger;
pub mod output;
pub mod reduce;
pub mod report;
pub mod spool;

mod error;

pub use error::Error;
