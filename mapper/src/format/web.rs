//! The logs of a web server: access (see `access`), and error lines of its own shape.

use std::borrow::Cow;

use jobspec::value::Level;
use multiversion::multiversion;

use super::access::Access;
use super::{Format, Parsed, Wanted, apache, nginx, own};
use crate::entry::Field;
use crate::time::TimeReader;

pub(super) struct Web {
    name: String,
    error_line: for<'a> fn(&'a [u8]) -> Option<ErrorLine<'a>>,
}

/// What an error log says of itself.
pub(super) struct ErrorLine<'a> {
    pub time: &'a [u8],
    pub level: Level,
    pub message: &'a [u8],
    pub fields: [(&'static str, Option<Field<'a>>); 4],
}

impl Web {
    pub fn apache(name: &str) -> Web {
        Web {
            name: name.to_owned(),
            error_line: apache::error_line,
        }
    }

    pub fn nginx(name: &str) -> Web {
        Web {
            name: name.to_owned(),
            error_line: nginx::error_line,
        }
    }
}

/// Reads a line of an access log; false where it is none. With the wide instructions that the processor has.
#[multiversion(targets("x86_64+avx2+bmi1+bmi2+lzcnt+popcnt"))]
fn parse_access<'a>(
    raw: &'a [u8],
    wanted: &Wanted,
    times: &mut TimeReader,
    parsed: &mut Parsed<'a>,
) -> bool {
    let Some(access) = Access::read(raw) else {
        return false;
    };
    access.give(wanted, times, parsed);
    true
}

impl Format for Web {
    fn name(&self) -> &str {
        &self.name
    }

    fn holds_values(&self) -> bool {
        true
    }

    fn parse<'a>(
        &self,
        raw: &'a [u8],
        wanted: &Wanted,
        times: &mut TimeReader,
        parsed: &mut Parsed<'a>,
    ) {
        if let Some(error) = (self.error_line)(raw) {
            parsed.stamp = times.read(error.time);
            parsed.level = Some(error.level);
            parsed.message = Some(Field::text(error.message));
            own::fill(&error.fields, wanted, parsed);
        } else if !parse_access(raw, wanted, times, parsed) {
            parsed.refuse(raw, times);
        }
    }

    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
        if let Some(error) = (self.error_line)(raw) {
            own::visit_own(&error.fields, visit);
        } else if let Some(access) = Access::read(raw) {
            own::visit_own(&access.fields(), visit);
        }
    }
}
