//! Lines as a container's runtime stores them: what the program wrote, inside docker's JSON or after CRI's time and
//! stream. Any format may be inside; a long line comes in parts.

use std::borrow::Cow;

use jobspec::value::Time;
use serde::{Deserialize, Serialize};

use super::json::{for_each_member, unescape};
use super::plain::any_times;
use super::{Format, Parsed, Stamp, Unwrapped, Wanted};
use crate::entry::{Field, FieldKind};
use crate::time::TimeReader;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Wrapper {
    /// `{"log":"text\n","stream":"stdout","time":"2026-01-19T14:00:00.123456789Z"}`
    Docker,
    /// `2026-01-19T14:00:00.123456789Z stdout F text`
    Cri,
}

/// What one wrapped line holds.
pub(super) struct Inside<'a> {
    text: Field<'a>,
    time: &'a [u8],
    is_whole: bool,
}

impl Wrapper {
    pub fn open<'a>(self, line: &'a [u8]) -> Option<Inside<'a>> {
        match self {
            Wrapper::Docker => docker(line),
            Wrapper::Cri => cri(line),
        }
    }
}

fn docker(line: &[u8]) -> Option<Inside<'_>> {
    let (mut log, mut stream, mut time) = (None, None, None);
    let mut others = false;
    let is_object = for_each_member(line, |name, field| match name {
        b"log" => log = Some(field),
        b"stream" => stream = Some(field),
        b"time" => time = Some(field),
        b"attrs" => {}
        _ => others = true,
    });
    let (text, time) = (log?, time?);
    let is_text = matches!(text.kind, FieldKind::Text | FieldKind::Escaped);
    if !is_object || others || stream.is_none() || !is_text {
        return None;
    }
    Some(Inside {
        text,
        time: time.text,
        is_whole: ends_in_line_end(text.text),
    })
}

/// Whether a JSON string's inside ends in `\n`, and not in a backslash and an n.
fn ends_in_line_end(inside: &[u8]) -> bool {
    inside.strip_suffix(b"n").is_some_and(|rest| {
        let backslashes = rest.iter().rev().take_while(|byte| **byte == b'\\').count();
        backslashes % 2 == 1
    })
}

fn cri(line: &[u8]) -> Option<Inside<'_>> {
    let mut words = line.splitn(4, |byte| *byte == b' ');
    let (time, stream, tag) = (words.next()?, words.next()?, words.next()?);
    let text = words.next().unwrap_or(b"");
    let is_wrapped = matches!(stream, b"stdout" | b"stderr")
        && matches!(tag.first(), Some(b'F' | b'P'))
        && matches!(tag.get(1), None | Some(b':'))
        && time.len() > 19
        && time[0].is_ascii_digit();
    is_wrapped.then(|| Inside {
        text: Field::text(text),
        time,
        is_whole: tag[0] == b'F',
    })
}

impl Inside<'_> {
    /// Appends the text without its line end.
    pub fn append(&self, out: &mut Vec<u8>) -> Unwrapped {
        let text = match self.text.kind {
            FieldKind::Escaped => unescape(self.text.text),
            _ => Cow::Borrowed(self.text.text),
        };
        let text = match text.strip_suffix(b"\n") {
            Some(text) => text.strip_suffix(b"\r").unwrap_or(text),
            None => &text,
        };
        out.extend_from_slice(text);
        match self.is_whole {
            true => Unwrapped::Whole,
            false => Unwrapped::Partial,
        }
    }
}

/// A format inside a wrapper. Lines come to it unwrapped, so that only the wrapping is told here.
pub(super) struct Wrapped {
    pub wrapper: Wrapper,
    pub inner: Box<dyn Format>,
}

impl Format for Wrapped {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn starts(&self, line: &[u8]) -> bool {
        self.inner.starts(line)
    }

    fn is_multiline(&self) -> bool {
        self.inner.is_multiline()
    }

    fn splittable(&self) -> bool {
        false
    }

    fn joins_next(&self, entry_so_far: &[u8]) -> bool {
        self.inner.joins_next(entry_so_far)
    }

    fn is_header(&self, line: &[u8]) -> bool {
        self.inner.is_header(line)
    }

    fn wraps(&self) -> bool {
        true
    }

    fn unwrap_line(&self, line: &[u8], out: &mut Vec<u8>) -> Unwrapped {
        match self.wrapper.open(line) {
            Some(inside) => inside.append(out),
            None => {
                out.extend_from_slice(line);
                Unwrapped::Whole
            }
        }
    }

    fn wrapper_time(&self, line: &[u8]) -> Option<Time> {
        match any_times().read(self.wrapper.open(line)?.time) {
            Stamp::At(time) => Some(time),
            Stamp::None | Stamp::Impossible => None,
        }
    }

    fn parse<'a>(
        &self,
        raw: &'a [u8],
        wanted: &Wanted,
        times: &mut TimeReader,
        parsed: &mut Parsed<'a>,
    ) {
        self.inner.parse(raw, wanted, times, parsed);
    }

    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
        self.inner.fields(raw, visit);
    }
}
