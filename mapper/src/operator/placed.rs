//! Records of which each begins with an entry of its own: their keys end in its place.

use super::{Mismatch, last_place};
use crate::entry::Place;

/// The place that a key ends in.
pub fn place_of(key: &[u8]) -> Result<Place, Mismatch> {
    last_place(key).ok_or(Mismatch)
}

/// No two entries have one place: of what claims to begin with the same entry the least is taken.
pub fn least<'v>(values: &[&'v [u8]]) -> Result<&'v [u8], Mismatch> {
    values.iter().copied().min().ok_or(Mismatch)
}
