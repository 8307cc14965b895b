//! What a format is: it says where entries start, and finds time, level, message and fields in one.

/// What a format that reads more out of another's entries leaves to that one: how lines become entries.
macro_rules! lines_of {
    ($inner:ident) => {
        fn name(&self) -> &str {
            self.$inner.name()
        }

        fn starts(&self, line: &[u8]) -> bool {
            self.$inner.starts(line)
        }

        fn is_multiline(&self) -> bool {
            self.$inner.is_multiline()
        }

        fn splittable(&self) -> bool {
            self.$inner.splittable()
        }

        fn joins_next(&self, entry_so_far: &[u8]) -> bool {
            self.$inner.joins_next(entry_so_far)
        }

        fn is_header(&self, line: &[u8]) -> bool {
            self.$inner.is_header(line)
        }

        fn wraps(&self) -> bool {
            self.$inner.wraps()
        }

        fn unwrap_line(&self, line: &[u8], out: &mut Vec<u8>) -> Unwrapped {
            self.$inner.unwrap_line(line, out)
        }

        fn wrapper_time(&self, line: &[u8]) -> Option<Time> {
            self.$inner.wrapper_time(line)
        }

        fn is_object_a_line(&self) -> bool {
            self.$inner.is_object_a_line()
        }
    };
}

mod access;
mod apache;
mod auto;
mod choose;
mod csv;
mod custom;
mod header;
pub mod json;
mod logfmt;
mod nested;
mod nginx;
mod own;
mod pattern;
mod plain;
mod raw;
mod specials;
mod syslog;
mod web;
mod wrapped;

use std::borrow::Cow;
use std::sync::OnceLock;

use jobspec::expr::Column;
use jobspec::plan::{FieldPath, FormatName, Plan};
use jobspec::value::{Level, Time};

use crate::entry::Field;
use crate::time::TimeReader;
#[cfg(test)]
pub(crate) use choose::built_in as built_in_of;
pub use choose::{Chosen, Recipe, choose, make};

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

    /// Whether a stream may be cut at any line end: not where what a line means rests on the lines before it.
    fn splittable(&self) -> bool {
        true
    }

    /// Whether an entry that is not whole yet takes the next line too, whatever that looks like: csv with an open
    /// quote. Asked after each line, and only while the answers were yes, so that it may look at the last line alone.
    fn joins_next(&self, _entry_so_far: &[u8]) -> bool {
        false
    }

    /// Whether a line names the columns of those after it: it is no entry, wherever it stands, but counted.
    fn is_header(&self, _line: &[u8]) -> bool {
        false
    }

    /// Whether lines are wrapped: each then goes through `unwrap_line` before all else.
    fn wraps(&self) -> bool {
        false
    }

    /// Appends what a wrapped line holds. A partial one goes on in the next line: the two are one line of the log.
    fn unwrap_line(&self, line: &[u8], out: &mut Vec<u8>) -> Unwrapped {
        out.extend_from_slice(line);
        Unwrapped::Whole
    }

    /// The wrapper's own time, which serves where the line inside has none.
    fn wrapper_time(&self, _line: &[u8]) -> Option<Time> {
        None
    }

    /// Whether no entry can have a time of its own, whatever its text: then none inherits one either, and an entry's time
    /// asks nothing of the entries before it. Not where a line that does not fit may have one that is plain to see.
    fn is_timeless(&self) -> bool {
        false
    }

    /// Whether message and fields stand in an entry's text as they are, but for escapes that begin with a backslash: so
    /// that a line can be ruled out by what it does not hold.
    fn holds_values(&self) -> bool {
        false
    }

    /// Whether a well-formed line is one object in braces.
    fn is_object_a_line(&self) -> bool {
        false
    }

    /// Whether `glance_level` is of any use.
    fn glances_at_level(&self) -> bool {
        false
    }

    /// The level of a line where it shows at once and for certain: exactly what `parse` would give, well-formed or not.
    /// Whoever has looked for the line's end knows whether there is a backslash before it.
    fn glance_level(&self, _line: &[u8], _has_backslash: bool) -> Option<Level> {
        None
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

    /// Whether the text of a valid entry is certainly the JSON object of what `fields` gives, as rows write it.
    fn is_fields(&self, _raw: &[u8]) -> bool {
        false
    }
}

/// What of an entry somebody may look at; not to be changed once an entry was read.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// The own fields that the plan reads, by `FieldId`.
    pub paths: Vec<FieldPath>,
    /// Columns that a format may leave out, where that saves it work.
    pub unread: Unread,
    filter: OnceLock<json::Filter>,
    access: OnceLock<access::Getters>,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Unread {
    pub level: bool,
    pub message: bool,
}

impl Wanted {
    pub fn of(plan: &Plan) -> Wanted {
        Wanted {
            paths: plan.fields.clone(),
            unread: Unread {
                level: !plan.reads(Column::Level),
                message: !plan.reads(Column::Message),
            },
            ..Wanted::default()
        }
    }

    /// These fields, and all else that a format gives.
    pub fn new(paths: Vec<FieldPath>) -> Wanted {
        Wanted {
            paths,
            ..Wanted::default()
        }
    }

    fn filter(&self) -> &json::Filter {
        self.filter.get_or_init(|| {
            let mut filter = json::Filter::default();
            self.paths.iter().for_each(|path| filter.add(path));
            filter
        })
    }

    fn access(&self) -> &access::Getters {
        self.access.get_or_init(|| access::getters(&self.paths))
    }
}

/// How much of a line of the log a wrapped line held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unwrapped {
    Whole,
    Partial,
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
    /// The format that the entry fits, where it is not the one that was chosen.
    pub fitted: Option<FormatName>,
    /// By `FieldId`: found under a flat key that is the whole path. As long as one was found, else empty.
    flat: Vec<bool>,
    /// Of the entries before, by format: kept from one to the next.
    memories: Vec<json::Memory>,
}

impl<'a> Parsed<'a> {
    /// Ready for the next entry.
    pub fn clear(&mut self, wanted: &Wanted) {
        self.valid = true;
        self.stamp = Stamp::None;
        self.level = None;
        self.message = None;
        self.fields.clear();
        self.fields.resize(wanted.paths.len(), None);
        self.fitted = None;
        self.flat.clear();
    }

    /// The same allocations and the same memory, for text that lives elsewhere.
    pub fn recycle<'to>(mut self) -> Parsed<'to> {
        self.fields.clear();
        Parsed {
            fields: self.fields.into_iter().map(|_| None).collect(),
            memories: self.memories,
            flat: self.flat,
            valid: false,
            stamp: Stamp::None,
            level: None,
            message: None,
            fitted: None,
        }
    }

    /// An entry that does not fit: its text is the message, time and level are what is plain to see.
    fn refuse(&mut self, raw: &'a [u8], times: &mut TimeReader) {
        (self.stamp, self.level) = header::plain_to_see(raw, times);
        self.valid = false;
        self.message = Some(Field::text(raw));
        self.fields.fill(None);
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

#[cfg(test)]
mod hostile;
#[cfg(test)]
pub(crate) mod tests;
