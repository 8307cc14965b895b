//! What fits nothing else: a line is an entry and its text the message; time and level where they are plain to see.

use std::borrow::Cow;

use super::header::plain_to_see;
use super::{Format, Parsed, Wanted};
use crate::entry::Field;
use crate::time::TimeReader;

pub struct Raw {
    name: String,
}

impl Raw {
    pub fn new(name: &str) -> Raw {
        Raw {
            name: name.to_owned(),
        }
    }
}

impl Format for Raw {
    fn name(&self) -> &str {
        &self.name
    }

    fn holds_values(&self) -> bool {
        true
    }

    fn parse<'a>(
        &self,
        raw: &'a [u8],
        _wanted: &Wanted,
        times: &mut TimeReader,
        parsed: &mut Parsed<'a>,
    ) {
        (parsed.stamp, parsed.level) = plain_to_see(raw, times);
        parsed.message = Some(Field::text(raw));
    }

    fn fields<'a>(&self, _raw: &'a [u8], _visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {}
}
