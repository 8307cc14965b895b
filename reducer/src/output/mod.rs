//! Files of finished rows. They are written into a temporary folder beside their place and renamed into it, so that
//! they appear whole or not at all.

mod folder;
mod jsonl;
pub mod junit;
mod metrics;
mod replace;
pub mod summary;

pub use folder::{Folder, SPOOL};
pub use jsonl::Jsonl;
pub use metrics::Metrics;
pub use replace::{replace, replace_private};
