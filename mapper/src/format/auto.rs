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
    lines_of!(chosen);

    fn holds_values(&self) -> bool {
        self.chosen.holds_values() && self.others.iter().all(|(_, other)| other.holds_values())
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

    fn is_fields(&self, raw: &[u8]) -> bool {
        self.chosen.is_fields(raw)
    }
}
