//! A `[format.NAME]` over a built-in base: another way to tell where entries start, and what kind fields are.

use std::borrow::Cow;

use jobspec::expr::Pattern;
use jobspec::plan::FieldType;
use jobspec::value::Level;

use super::pattern::typed;
use super::{Format, Parsed, Wanted};
use crate::entry::Field;
use crate::time::TimeReader;

pub(super) struct Custom {
    pub inner: Box<dyn Format>,
    /// What the first line of an entry looks like; as the base says where None.
    pub start: Option<Pattern>,
    pub types: Vec<(String, FieldType)>,
}

impl Custom {
    fn typed<'a>(&self, name: &[u8], field: Field<'a>) -> Field<'a> {
        let found = self
            .types
            .iter()
            .find(|(other, _)| other.as_bytes() == name);
        found.map_or(field, |(_, kind)| typed(field, *kind))
    }
}

impl Format for Custom {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn starts(&self, line: &[u8]) -> bool {
        match &self.start {
            Some(start) => start.is_match(line),
            None => self.inner.starts(line),
        }
    }

    fn is_multiline(&self) -> bool {
        self.start.is_some() || self.inner.is_multiline()
    }

    fn splittable(&self) -> bool {
        self.inner.splittable()
    }

    fn joins_next(&self, entry_so_far: &[u8]) -> bool {
        self.inner.joins_next(entry_so_far)
    }

    fn is_header(&self, line: &[u8]) -> bool {
        self.inner.is_header(line)
    }

    fn is_timeless(&self) -> bool {
        self.inner.is_timeless()
    }

    fn holds_values(&self) -> bool {
        self.inner.holds_values()
    }

    fn is_object_a_line(&self) -> bool {
        self.inner.is_object_a_line()
    }

    fn glances_at_level(&self) -> bool {
        self.inner.glances_at_level()
    }

    fn glance_level(&self, line: &[u8], has_backslash: bool) -> Option<Level> {
        self.inner.glance_level(line, has_backslash)
    }

    fn parse<'a>(
        &self,
        raw: &'a [u8],
        wanted: &Wanted,
        times: &mut TimeReader,
        parsed: &mut Parsed<'a>,
    ) {
        self.inner.parse(raw, wanted, times, parsed);
        for (path, slot) in wanted.paths.iter().zip(&mut parsed.fields) {
            *slot = slot.map(|field| self.typed(path.text.as_bytes(), field));
        }
    }

    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
        self.inner.fields(raw, &mut |name, field| {
            let field = self.typed(&name, field);
            visit(name, field);
        });
    }
}
