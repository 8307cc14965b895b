//! What a format is: it says where entries start, and finds time, level, message and fields in one.

pub mod json;

use std::borrow::Cow;

use jobspec::plan::FieldPath;
use jobspec::value::{Level, Time};

use crate::entry::Field;
use crate::time::TimeReader;

/// One way to read the lines of a log. Chosen once per stream; then a plain loop.
pub trait Format: Send + Sync {
    /// The word of the job file, or the name of a `[format.NAME]`.
    fn name(&self) -> &str;

    /// Whether a line begins an entry; where not, it belongs to the entry before. Formats whose entries are one
    /// line each always say yes.
    fn starts(&self, _line: &[u8]) -> bool {
        true
    }

    /// Whether `starts` ever says no.
    fn is_multiline(&self) -> bool {
        false
    }

    /// Reads one entry: time, level, message and the wanted fields, in one pass and without allocation in the common
    /// case. What does not fit leaves `valid` false; time and level are then what is plain to see. `parsed` comes
    /// cleared.
    fn parse<'a>(
        &self,
        raw: &'a [u8],
        wanted: &Wanted,
        times: &mut TimeReader,
        parsed: &mut Parsed<'a>,
    );

    /// Gives every own field of a valid entry, in the order of the text, each once: of a duplicate key the last.
    /// This is what a whole entry's `fields` are made of; names that became time, level or message come too where
    /// they are fields of the entry (json, logfmt, csv) and not where they are not (plain).
    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>));
}

/// The own fields that the plan reads.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// By `FieldId`.
    pub paths: Vec<FieldPath>,
}

/// What one entry gave.
#[derive(Debug, Default)]
pub struct Parsed<'a> {
    pub valid: bool,
    pub stamp: Stamp,
    pub level: Option<Level>,
    pub message: Option<Field<'a>>,
    /// By `FieldId`, as many as are wanted.
    pub fields: Vec<Option<Field<'a>>>,
}

impl Parsed<'_> {
    /// Ready for the next entry.
    pub fn clear(&mut self, wanted: &Wanted) {
        self.valid = true;
        self.stamp = Stamp::None;
        self.level = None;
        self.message = None;
        self.fields.clear();
        self.fields.resize(wanted.paths.len(), None);
    }
}

/// An entry's own timestamp.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stamp {
    #[default]
    None,
    At(Time),
    /// Of the right shape, with an impossible value.
    Impossible,
}
