//! A format that was found by looking: lines that do not fit it are tried by themselves against the others.

use std::borrow::Cow;

use jobspec::plan::FormatName;

use super::plain::any_times;
use super::{Format, Parsed, Unwrapped, Wanted};
use crate::entry::Field;
use crate::time::TimeReader;
use jobspec::value::Time;

/// The chosen format decides where entries start.
pub(super) struct Auto {
    pub chosen: Box<dyn Format>,
    pub others: Vec<(FormatName, Box<dyn Format>)>,
}

impl Format for Auto {
    fn name(&self) -> &str {
        self.chosen.name()
    }

    fn starts(&self, line: &[u8]) -> bool {
        self.chosen.starts(line)
    }

    fn is_multiline(&self) -> bool {
        self.chosen.is_multiline()
    }

    fn splittable(&self) -> bool {
        self.chosen.splittable()
    }

    fn joins_next(&self, entry_so_far: &[u8]) -> bool {
        self.chosen.joins_next(entry_so_far)
    }

    fn is_header(&self, line: &[u8]) -> bool {
        self.chosen.is_header(line)
    }

    fn wraps(&self) -> bool {
        self.chosen.wraps()
    }

    fn unwrap_line(&self, line: &[u8], out: &mut Vec<u8>) -> Unwrapped {
        self.chosen.unwrap_line(line, out)
    }

    fn wrapper_time(&self, line: &[u8]) -> Option<Time> {
        self.chosen.wrapper_time(line)
    }

    fn holds_values(&self) -> bool {
        self.chosen.holds_values() && self.others.iter().all(|(_, other)| other.holds_values())
    }

    fn is_object_a_line(&self) -> bool {
        self.chosen.is_object_a_line()
    }

    fn parse<'a>(
        &self,
        raw: &'a [u8],
        wanted: &Wanted,
        times: &mut TimeReader,
        parsed: &mut Parsed<'a>,
    ) {
        self.chosen.parse(raw, wanted, times, parsed);
        if parsed.valid {
            return;
        }
        for (name, other) in &self.others {
            parsed.clear(wanted);
            other.parse(raw, wanted, times, parsed);
            if parsed.valid {
                parsed.fitted = Some(*name);
                return;
            }
        }
        parsed.clear(wanted);
        parsed.refuse(raw, times);
    }

    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
        let mut parsed = Parsed::default();
        let wanted = Wanted::default();
        let others = self.others.iter().map(|(_, other)| other);
        for format in std::iter::once(&self.chosen).chain(others) {
            parsed.clear(&wanted);
            format.parse(raw, &wanted, &mut any_times(), &mut parsed);
            if parsed.valid {
                return format.fields(raw, visit);
            }
        }
    }
}
