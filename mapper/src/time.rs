//! Timestamps: every known shape, missing years, missing zones.

/// Reads the timestamps of one file: knows the zone and year of those that carry none, and what the entry before
/// had, so that neighbours within a second cost little.
#[derive(Clone, Debug)]
pub struct TimeReader {}
