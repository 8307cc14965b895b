//! CSV by RFC 4180: a header, CRLF, and quotes where they are needed. NULL is an empty field, an empty text `""`; lists
//! and objects are their JSON.
//!
//! Spreadsheets run what begins like a formula, and log lines are hostile: a text that one would take for a formula has an
//! apostrophe before it, which spreadsheets show as text.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use bstr::ByteSlice;
use jobspec::value::Value;
use mapper::operator::OutputColumn;

use crate::Error;
use crate::reduce::RowSink;

/// Writes `<operator>.csv` for every operator.
pub struct Csv {
    folder: PathBuf,
    open: Option<(PathBuf, BufWriter<File>)>,
    line: Vec<u8>,
    scratch: Vec<u8>,
}

impl Csv {
    pub fn new(folder: &Path) -> Csv {
        Csv {
            folder: folder.to_owned(),
            open: None,
            line: Vec::new(),
            scratch: Vec::new(),
        }
    }

    fn write_line(&mut self) -> Result<(), Error> {
        let (path, file) = self
            .open
            .as_mut()
            .expect("a row comes between begin and end");
        self.line.extend_from_slice(b"\r\n");
        file.write_all(&self.line).map_err(Error::io(path))
    }
}

impl RowSink for Csv {
    fn begin(&mut self, operator: &str, columns: &[OutputColumn]) -> Result<(), Error> {
        let path = self.folder.join(format!("{operator}.csv"));
        let file = File::create(&path).map_err(Error::io(&path))?;
        self.open = Some((path, BufWriter::with_capacity(1 << 20, file)));
        self.line.clear();
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                self.line.push(b',');
            }
            write_text(column.name.as_bytes(), &mut self.line);
        }
        self.write_line()
    }

    fn row(&mut self, row: &[Value<'_>]) -> Result<(), Error> {
        self.line.clear();
        for (index, value) in row.iter().enumerate() {
            if index > 0 {
                self.line.push(b',');
            }
            write_value(value, &mut self.scratch, &mut self.line);
        }
        self.write_line()
    }

    fn end(&mut self) -> Result<(), Error> {
        let (path, file) = self.open.take().expect("an end comes after a begin");
        let file = file.into_inner().map_err(|error| error.into_error());
        file.and_then(|file| file.sync_all())
            .map_err(Error::io(&path))
    }
}

fn write_value(value: &Value<'_>, scratch: &mut Vec<u8>, line: &mut Vec<u8>) {
    match value {
        Value::Null => {}
        Value::Text(text) => write_text(text, line),
        Value::Json(_) | Value::List(_) | Value::Object(_) => {
            scratch.clear();
            value.write_json(scratch);
            write_text(scratch, line);
        }
        // None of these needs quotes, and a number below zero is no formula.
        Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Time(_) | Value::Level(_) => {
            value.write_text(line)
        }
    }
}

fn write_text(text: &[u8], line: &mut Vec<u8>) {
    let is_plain = |byte: &u8| !matches!(byte, b',' | b'"' | b'\r' | b'\n' | b' ' | b'\t' | b';');
    let is_quoted = text.is_empty() || !text.iter().all(is_plain);
    if is_quoted {
        line.push(b'"');
    }
    if is_formula(text) {
        line.push(b'\'');
    }
    let mut rest = text;
    while let Some(at) = rest.find_byteset(b"\"\0") {
        append_text(&rest[..at], line);
        match rest[at] {
            b'"' => line.extend_from_slice(b"\"\""),
            // Most readers of CSV take a NUL for the end.
            _ => line.extend_from_slice("\u{fffd}".as_bytes()),
        }
        rest = &rest[at + 1..];
    }
    append_text(rest, line);
    if is_quoted {
        line.push(b'"');
    }
}

/// Invalid UTF-8 is shown as U+FFFD.
fn append_text(text: &[u8], line: &mut Vec<u8>) {
    for chunk in text.utf8_chunks() {
        line.extend_from_slice(chunk.valid().as_bytes());
        if !chunk.invalid().is_empty() {
            line.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
}

/// Whether a spreadsheet may take a text for a formula: its first character that is no space is one of `= + - @`, also in
/// their wide forms, or a tab or line end stands before. A text that is a number is none.
fn is_formula(text: &[u8]) -> bool {
    let Some(first) = text.first() else {
        return false;
    };
    let start = match first {
        b'\t' | b'\r' | b'\n' => return true,
        b' ' | 0xc2 | 0xe3 => text.trim_start(),
        _ => text,
    };
    let begins = |with: &str| start.starts_with(with.as_bytes());
    match start.first() {
        Some(b'=' | b'@') => true,
        Some(b'+' | b'-') => Value::parse_number(start).is_none(),
        Some(0xef) => ["＝", "＋", "－", "＠"].into_iter().any(begins),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use jobspec::value::{Level, Time};

    use super::*;

    fn line(row: &[Value<'_>]) -> String {
        let folder = crate::testing::Folder::new("csv");
        let mut csv = Csv::new(folder.path());
        let columns: Vec<_> = (0..row.len())
            .map(|index| OutputColumn::new(format!("c{index}")))
            .collect();
        csv.begin("rows", &columns).unwrap();
        csv.row(row).unwrap();
        csv.end().unwrap();
        let text = std::fs::read_to_string(folder.path().join("rows.csv")).unwrap();
        let (_, line) = text.split_once("\r\n").unwrap();
        line.strip_suffix("\r\n").unwrap().to_owned()
    }

    #[test]
    fn every_kind_of_value_has_its_form() {
        let row = [
            Value::Null,
            Value::owned_text(""),
            Value::Bool(true),
            Value::Int(-7),
            Value::float(-0.5),
            Value::Time(Time::new(1_500_000_000, 1)),
            Value::Level(Level::Error),
            Value::owned_text("plain"),
            Value::owned_text("a, \"b\"\nc"),
            Value::Json(Cow::Owned(r#"{"a":1}"#.into())),
            Value::List(vec![Value::owned_text("x"), Value::Null]),
            Value::owned_text(b"\xff\0".to_vec()),
        ];
        assert_eq!(
            line(&row),
            ",\"\",true,-7,-0.5,1970-01-01T00:00:01.5Z,ERROR,plain,\"a, \"\"b\"\"\nc\",\"{\"\"a\"\":1}\",\
             \"[\"\"x\"\",null]\",\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn formulas_are_guarded_and_numbers_are_not() {
        for text in [
            "=1+1",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "@SUM(A1)",
            " =1",
            "\u{a0}=1",
            "\t=1",
            "\rx",
            "＝1",
            "-",
        ] {
            let line = line(&[Value::owned_text(text)]);
            assert!(
                line.trim_start_matches('"').starts_with('\''),
                "{text:?}: {line:?}"
            );
        }
        for text in ["-5", "+5.25", "1-2", "a=b", "-1e9", "{}", "'x"] {
            assert_eq!(line(&[Value::owned_text(text)]), text);
        }
    }
}
