//! Lines that people read: a leading timestamp in any known shape, then level, component and message as far as they
//! are there. What does not begin with a timestamp, a stack trace say, belongs to the entry before.

use std::borrow::Cow;

use jobspec::expr::Pattern;
use jobspec::zone::Zone;

use super::header::{self, Header};
use super::{Format, Parsed, Wanted};
use crate::entry::{Field, FieldKind};
use crate::time::{TimeFormat, TimeReader, YearRule};

pub struct Plain {
    name: String,
    /// What the first line of an entry looks like; a timestamp where None.
    start: Option<Pattern>,
    time_format: Option<TimeFormat>,
}

impl Plain {
    pub fn new(name: &str, start: Option<Pattern>, time_format: Option<TimeFormat>) -> Plain {
        Plain {
            name: name.to_owned(),
            start,
            time_format,
        }
    }

    fn header<'a>(&self, raw: &'a [u8], times: &mut TimeReader) -> Option<Header<'a>> {
        header::read(raw, self.time_format.as_ref(), times)
    }
}

impl Format for Plain {
    fn name(&self) -> &str {
        &self.name
    }

    fn starts(&self, line: &[u8]) -> bool {
        match (&self.start, &self.time_format) {
            (Some(start), _) => start.is_match(line),
            (None, None) => header::starts(line),
            (None, Some(_)) => self.header(line, &mut any_times()).is_some(),
        }
    }

    fn is_multiline(&self) -> bool {
        true
    }

    fn parse<'a>(
        &self,
        raw: &'a [u8],
        wanted: &Wanted,
        times: &mut TimeReader,
        parsed: &mut Parsed<'a>,
    ) {
        let Some(header) = self.header(raw, times) else {
            parsed.refuse(raw, times);
            // Whoever says what a first line looks like need not give it a time.
            parsed.valid = self.start.as_ref().is_some_and(|start| start.is_match(raw));
            return;
        };
        parsed.stamp = header.stamp;
        parsed.level = header.level;
        parsed.message = Some(Field::text(header.message));
        for (path, field) in wanted.paths.iter().zip(&mut parsed.fields) {
            *field = own_fields(&header)
                .into_iter()
                .find(|(name, _)| path.text == *name)
                .and_then(|(_, field)| field);
        }
    }

    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
        let Some(header) = self.header(raw, &mut any_times()) else {
            return;
        };
        for (name, field) in own_fields(&header) {
            if let Some(field) = field {
                visit(Cow::Borrowed(name.as_bytes()), field);
            }
        }
    }
}

/// For a reading in which only the parts count, not the moment.
pub(super) fn any_times() -> TimeReader {
    TimeReader::new(Zone::UTC, YearRule::Fixed(2000))
}

fn own_fields<'a>(header: &Header<'a>) -> [(&'static str, Option<Field<'a>>); 4] {
    let number = |text| Field {
        text,
        kind: FieldKind::Number,
    };
    [
        ("component", header.component.map(Field::text)),
        ("thread", header.thread.map(Field::text)),
        ("pid", header.pid.map(number)),
        ("file_line", header.file_line.map(Field::text)),
    ]
}
