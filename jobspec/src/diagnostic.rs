//! All mistakes of a job file at once: each with its place, the source line, a caret and what would help.

use std::ops::Range;

/// A piece of the job file, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub span: Range<usize>,
}
