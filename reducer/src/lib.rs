//! Partial states in, files and a verdict out.
//!
//! A run's partials are judged as they arrive (`arrival`) and lie in a `spool`, committed whole by the `ledger`; `reduce` merges them, operator by operator and key
//! by key (`merge`), in bounded memory: what does not fit goes to disk and back (`spill`), rows too, where they have to be
//! sorted (`rows`). The finished rows go to the `output`s, which appear whole or not at all. It knows no transport and
//! opens no log.

pub mod arrival;
pub mod check;
pub mod completeness;
pub mod ledger;
pub mod output;
pub mod reduce;
pub mod report;
pub mod spool;
pub mod verdict;

mod error;
mod in_order;
mod merge;
mod regroup;
mod row_bytes;
mod rows;
mod spill;
#[cfg(test)]
mod testing;

pub use error::Error;
