//! JSON lines: an object a row, keys in the order of the columns.

use std::path::{Path, PathBuf};

use jobspec::value::{Value, write_json_text};
use mapper::operator::OutputColumn;

use super::behind::Behind;
use crate::Error;
use crate::reduce::{RowSink, Takes};

/// Writes `<operator>.jsonl` for every operator.
pub struct Jsonl {
    folder: PathBuf,
    open: Option<Table>,
    line: Vec<u8>,
}

struct Table {
    path: PathBuf,
    file: Behind,
    lines: Lines,
}

/// Makes lines of rows.
pub struct Lines {
    keys: Vec<Key>,
}

struct Key {
    /// `"name":`
    text: Vec<u8>,
    optional: bool,
}

impl Lines {
    pub fn new(columns: &[OutputColumn]) -> Lines {
        let keys = columns.iter().map(|column| {
            let mut text = Vec::new();
            write_json_text(column.name.as_bytes(), &mut text);
            text.push(b':');
            Key {
                text,
                optional: column.optional,
            }
        });
        Lines {
            keys: keys.collect(),
        }
    }

    /// Appends the line of a row.
    pub fn append(&self, row: &[Value<'_>], line: &mut Vec<u8>) {
        let mut before = b'{';
        for (key, value) in self.keys.iter().zip(row) {
            if key.optional && value.is_null() {
                continue;
            }
            line.push(before);
            before = b',';
            line.extend_from_slice(&key.text);
            value.write_json(line);
        }
        if before == b'{' {
            line.push(before);
        }
        line.extend_from_slice(b"}\n");
    }
}

impl Jsonl {
    pub fn new(folder: &Path) -> Jsonl {
        Jsonl {
            folder: folder.to_owned(),
            open: None,
            line: Vec::new(),
        }
    }

    fn table(&mut self) -> &mut Table {
        let table = self.open.as_mut();
        table.expect("a row comes between begin and end")
    }
}

impl RowSink for Jsonl {
    fn begin(&mut self, operator: &str, columns: &[OutputColumn]) -> Result<(), Error> {
        let path = self.folder.join(format!("{operator}.jsonl"));
        let file = Behind::create(&path).map_err(Error::io(&path))?;
        self.open = Some(Table {
            path,
            file,
            lines: Lines::new(columns),
        });
        Ok(())
    }

    fn takes(&self) -> Takes {
        Takes {
            values: false,
            lines: true,
        }
    }

    fn row(&mut self, row: &[Value<'_>]) -> Result<(), Error> {
        let mut line = std::mem::take(&mut self.line);
        line.clear();
        self.table().lines.append(row, &mut line);
        let written = self.lines(&line);
        self.line = line;
        written
    }

    fn lines(&mut self, lines: &[u8]) -> Result<(), Error> {
        let table = self.table();
        table.file.write(lines).map_err(Error::io(&table.path))
    }

    fn end(&mut self) -> Result<(), Error> {
        let table = self.open.take().expect("an end comes after a begin");
        table.file.end().map_err(Error::io(&table.path))
    }
}
