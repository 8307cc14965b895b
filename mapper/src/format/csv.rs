//! CSV and TSV with a header: a record a line, but that a quoted field may hold line ends.
//!
//! The columns are those of the stream's first line, or the job's. A line that repeats the header, as each file of a
//! rotated log does, is no entry.

use std::borrow::Cow;

use jobspec::plan::PathPart;
use memchr::{memchr, memrchr};

use super::json::{Best, Keys, flat_name, hash};
use super::own::unique;
use super::{Format, Parsed, Stamp, Wanted};
use crate::entry::{Field, FieldKind};
use crate::time::{TimeFormat, TimeReader};

/// Told from the header, in this order where two are as many.
const DELIMITERS: [u8; 4] = [b',', b'\t', b';', b'|'];

pub struct Csv {
    name: String,
    delimiter: u8,
    columns: Vec<Column>,
    /// The line that named the columns; None where the job did.
    header: Option<Vec<u8>>,
    keys: Keys,
    time_format: Option<TimeFormat>,
    /// Columns of a date and of a clock, which are one timestamp together.
    date_and_clock: Option<(usize, usize)>,
}

struct Column {
    name: Vec<u8>,
    hash: u8,
}

impl Csv {
    /// `head` is the first text of the stream.
    pub fn new(
        name: &str,
        delimiter: Option<u8>,
        columns: Option<&[String]>,
        head: &[u8],
        keys: Keys,
        time_format: Option<TimeFormat>,
    ) -> Csv {
        let header = first_line(head);
        let delimiter = delimiter.unwrap_or_else(|| match columns {
            // Without a header the first record has to tell.
            Some(columns) => DELIMITERS
                .into_iter()
                .find(|delimiter| width(header, *delimiter) == Some(columns.len()))
                .unwrap_or(b','),
            None => delimiter_of(header),
        });
        let names: Vec<Vec<u8>> = match columns {
            Some(columns) => columns
                .iter()
                .map(|name| name.as_bytes().to_vec())
                .collect(),
            None => {
                let mut names = Vec::new();
                cells(header, delimiter, |field| {
                    names.push(field.value().to_text().trim_ascii().to_vec());
                });
                names
            }
        };
        let place = |wanted: &[u8]| {
            names
                .iter()
                .position(|name| name.eq_ignore_ascii_case(wanted))
        };
        Csv {
            name: name.to_owned(),
            delimiter,
            date_and_clock: place(b"date").zip(place(b"time")),
            columns: names
                .into_iter()
                .map(|name| Column {
                    hash: hash(&name),
                    name,
                })
                .collect(),
            header: columns.is_none().then(|| header.to_vec()),
            keys,
            time_format,
        }
    }

    /// Every cell with its column's name. False where they do not match the columns one by one.
    fn record<'a>(&self, raw: &'a [u8], mut visit: impl FnMut(&Column, Field<'a>)) -> bool {
        let mut count = 0;
        let is_whole = cells(raw, self.delimiter, |field| {
            if let Some(column) = self.columns.get(count) {
                visit(column, field);
            }
            count += 1;
        });
        is_whole && count == self.columns.len()
    }

    fn cell<'a>(&self, raw: &'a [u8], place: usize) -> Option<Field<'a>> {
        let (mut count, mut found) = (0, None);
        cells(raw, self.delimiter, |field| {
            if count == place {
                found = Some(field);
            }
            count += 1;
        });
        found
    }

    /// The time of `date` and `time` columns that are one only together.
    fn joined_stamp(&self, raw: &[u8], times: &mut TimeReader) -> Option<Stamp> {
        let (date, clock) = self.date_and_clock?;
        let (date, clock) = (self.cell(raw, date)?.text, self.cell(raw, clock)?.text);
        if date.len() + clock.len() > 60 || !clock.contains(&b':') || clock.len() > 24 {
            return None;
        }
        match times.read(&[date, b" ", clock].concat()) {
            Stamp::None => None,
            stamp => Some(stamp),
        }
    }
}

impl Format for Csv {
    fn name(&self) -> &str {
        &self.name
    }

    fn splittable(&self) -> bool {
        false
    }

    fn is_header(&self, line: &[u8]) -> bool {
        self.header.as_deref() == Some(line)
    }

    fn joins_next(&self, entry_so_far: &[u8]) -> bool {
        // Asked after each line while it was open, so that all before the last line is known to end in an open quote.
        match memrchr(b'\n', entry_so_far) {
            Some(end) => is_open_after(&entry_so_far[end + 1..], true, self.delimiter),
            None => is_open_after(entry_so_far, false, self.delimiter),
        }
    }

    fn parse<'a>(
        &self,
        raw: &'a [u8],
        wanted: &Wanted,
        times: &mut TimeReader,
        parsed: &mut Parsed<'a>,
    ) {
        let filter = wanted.filter();
        let mut best = Best::default();
        let valid = self.record(raw, |column, field| {
            best.note(&self.keys, column.hash, &column.name, field);
            if filter.has(column.hash) {
                for (path, slot) in wanted.paths.iter().zip(&mut parsed.fields) {
                    if path.text.as_bytes() == column.name {
                        *slot = Some(field);
                    }
                }
            }
        });
        if !valid {
            parsed.refuse(raw, times);
            return;
        }
        let lookup = |path: &[PathPart]| {
            let (name, mut found) = (flat_name(path), None);
            self.record(raw, |column, field| {
                if column.name == name.as_bytes() {
                    found = Some(field);
                }
            });
            found
        };
        let joined = match self.time_format {
            None => self.joined_stamp(raw, times),
            Some(_) => None,
        };
        parsed.stamp = joined
            .unwrap_or_else(|| best.stamp(&self.keys, &lookup, self.time_format.as_ref(), times));
        parsed.level = best.level(&self.keys, &lookup);
        parsed.message = best.message(&self.keys, &lookup);
    }

    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
        let mut members = Vec::new();
        let valid = self.record(raw, |column, field| {
            members.push((Cow::Owned(column.name.clone()), field));
        });
        if valid {
            unique(members, visit);
        }
    }
}

/// The header that a text has, if its first line looks like one: names, each once, and the records after it have as
/// many cells. Gives records that fit and all of them.
pub(super) fn look(lines: &[&[u8]]) -> Option<(usize, usize)> {
    let header = *lines.first()?;
    let delimiter = delimiter_of(header);
    let mut names = Vec::new();
    let is_whole = cells(header, delimiter, |field| names.push(field.text));
    let is_name = |name: &&[u8]| {
        name.first()
            .is_some_and(|first| first.is_ascii_alphabetic() || matches!(first, b'_' | b'@'))
            && name.len() < 64
            && !name
                .iter()
                .any(|byte| matches!(byte, b'=' | b'"' | b'{' | b'(' | b':'))
    };
    let mut unique = names.clone();
    unique.sort_unstable();
    unique.dedup();
    if !is_whole || names.len() < 2 || unique.len() < names.len() || !names.iter().all(is_name) {
        return None;
    }
    let keys = Keys::new(None, None, None);
    let is_known = names
        .iter()
        .any(|name| std::str::from_utf8(name).is_ok_and(|name| keys.knows(name)));
    let (mut records, mut fitting) = (0, 0);
    let mut record = Vec::new();
    for line in &lines[1..] {
        let was_open = !record.is_empty();
        if was_open {
            record.push(b'\n');
        }
        record.extend_from_slice(line);
        if is_open_after(line, was_open, delimiter) {
            continue;
        }
        records += 1;
        fitting += usize::from(width(&record, delimiter) == Some(names.len()));
        record.clear();
    }
    // A header that names what every log has needs less company.
    let is_enough = match is_known {
        true => fitting * 3 >= records * 2,
        false => names.len() > 2 && fitting > 1 && fitting * 10 >= records * 9,
    };
    is_enough.then_some((fitting, records))
}

/// The first line that is not blank.
pub(super) fn first_line(head: &[u8]) -> &[u8] {
    let mut lines = head.split(|byte| *byte == b'\n');
    let line = lines
        .find(|line| !line.trim_ascii().is_empty())
        .unwrap_or(b"");
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn delimiter_of(header: &[u8]) -> u8 {
    let count = |delimiter: &u8| width(header, *delimiter).unwrap_or(0);
    let most = DELIMITERS.iter().map(count).max().unwrap_or(0);
    DELIMITERS
        .into_iter()
        .find(|delimiter| count(delimiter) == most)
        .unwrap_or(b',')
}

fn width(record: &[u8], delimiter: u8) -> Option<usize> {
    let mut count = 0;
    cells(record, delimiter, |_| count += 1).then_some(count)
}

/// Calls `visit` with each cell. False where a quote is not closed or something follows it. A cell of nothing is no
/// value; `""` is the empty text.
fn cells<'a>(raw: &'a [u8], delimiter: u8, mut visit: impl FnMut(Field<'a>)) -> bool {
    let mut at = 0;
    loop {
        let end = if raw.get(at) == Some(&b'"') {
            let mut kind = FieldKind::Text;
            let mut end = at + 1;
            loop {
                match memchr(b'"', &raw[end..]) {
                    None => return false,
                    Some(quote) if raw.get(end + quote + 1) == Some(&b'"') => {
                        kind = FieldKind::Doubled;
                        end += quote + 2;
                    }
                    Some(quote) => {
                        end += quote;
                        break;
                    }
                }
            }
            visit(Field {
                text: &raw[at + 1..end],
                kind,
            });
            end + 1
        } else {
            let end = memchr(delimiter, &raw[at..]).map_or(raw.len(), |length| at + length);
            let kind = if end == at {
                FieldKind::Null
            } else {
                FieldKind::Text
            };
            visit(Field {
                text: &raw[at..end],
                kind,
            });
            end
        };
        match raw.get(end) {
            None => return true,
            Some(byte) if *byte == delimiter => at = end + 1,
            Some(_) => return false,
        }
    }
}

/// Whether a quote is open after a line, where one was open before it or not.
fn is_open_after(line: &[u8], was_open: bool, delimiter: u8) -> bool {
    let mut is_open = was_open;
    let mut at = 0;
    loop {
        if is_open {
            let Some(quote) = memchr(b'"', &line[at..]) else {
                return true;
            };
            at += quote + 1;
            if line.get(at) == Some(&b'"') {
                at += 1;
                continue;
            }
            is_open = false;
        } else if line.get(at) == Some(&b'"') {
            is_open = true;
            at += 1;
            continue;
        }
        match memchr(delimiter, &line[at..]) {
            Some(length) => at += length + 1,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open_after(lines: &[&str]) -> bool {
        let csv = Csv::new(
            "csv",
            None,
            None,
            b"a,b\n",
            Keys::new(None, None, None),
            None,
        );
        let mut entry = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                assert!(csv.joins_next(&entry), "asked after a whole record");
                entry.push(b'\n');
            }
            entry.extend_from_slice(line.as_bytes());
        }
        csv.joins_next(&entry)
    }

    #[test]
    fn an_open_quote_takes_the_next_line() {
        for lines in [
            &["a,b"][..],
            &["\"a\",b"],
            &["a\"b,c"],
            &["\"\"\"\",x"],
            &["\"a", "b\",c"],
            &["x,\"a,", ",", "\""],
            &[""],
        ] {
            assert!(!open_after(lines), "{lines:?}");
        }
        for lines in [
            &["\"a,b"][..],
            &["a,\"b"],
            &["\"a\"\""],
            &["\"a", "b"],
            &["\"a", "\"\",c"],
            &["\"a", "b\",\"c"],
            &["\""],
        ] {
            assert!(open_after(lines), "{lines:?}");
        }
    }

    #[test]
    fn the_delimiter_is_told_from_the_header() {
        for (header, delimiter) in [
            ("a,b", b','),
            ("a\tb;c\td", b'\t'),
            ("a;b", b';'),
            ("a|b|c", b'|'),
            ("a", b','),
            ("\"a;b\",c", b','),
        ] {
            assert_eq!(delimiter_of(header.as_bytes()), delimiter, "{header}");
        }
    }

    #[test]
    fn only_a_header_is_one() {
        let look = |lines: &[&str]| {
            let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
            look(&lines)
        };
        assert_eq!(look(&["time,message"]), Some((0, 0)));
        assert_eq!(look(&["time,message", "1,\"a", "b\"", "2,c"]), Some((2, 2)));
        assert_eq!(look(&["id,name,age", "1,bob,7", "2,eve,8"]), Some((2, 2)));
        assert_eq!(look(&["id,name,age"]), None);
        assert_eq!(look(&["Hello, world", "this, that"]), None);
        assert_eq!(look(&["time,time", "1,2"]), None);
        assert_eq!(look(&["1,2,3", "4,5,6", "7,8,9"]), None);
        assert_eq!(look(&[]), None);
    }
}
