//! Logs in, partial states out: all that happens on one host.
//!
//! In reading order: `entry` is one log event; `open` and `stream` find the bytes, `segment` cuts them between
//! entries, `prune` leaves out what the time range cannot touch, `format` and `time` read them; an `operator` absorbs
//! entries into a partial; `scan` does so for all segments at once; `serve` speaks to the runner in frames, and sends
//! runs of records in `chunks`.

pub mod chunks;
pub mod confine;
pub mod entry;
pub mod format;
pub mod frame;
pub mod limits;
pub mod measure;
pub mod message;
pub mod open;
pub mod operator;
pub mod prefilter;
pub mod prune;
pub mod record;
pub mod scan;
pub mod segment;
pub mod serve;
pub mod stream;
pub mod survey;
pub mod tally;
pub mod time;
