//! JSON lines: an object a row, keys in the order of the columns.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use jobspec::value::{OwnedValue, write_json_text};
use mapper::operator::OutputColumn;

use crate::Error;
use crate::reduce::RowSink;

/// Writes `<operator>.jsonl` for every operator.
pub struct Jsonl {
    folder: PathBuf,
    open: Option<Table>,
    line: Vec<u8>,
}

struct Table {
    path: PathBuf,
    file: BufWriter<File>,
    keys: Vec<Key>,
}

struct Key {
    /// `"name":`
    text: Vec<u8>,
    optional: bool,
}

impl Jsonl {
    pub fn new(folder: &Path) -> Jsonl {
        Jsonl {
            folder: folder.to_owned(),
            open: None,
            line: Vec::new(),
        }
    }
}

impl RowSink for Jsonl {
    fn begin(&mut self, operator: &str, columns: &[OutputColumn]) -> Result<(), Error> {
        let path = self.folder.join(format!("{operator}.jsonl"));
        let file =
            BufWriter::with_capacity(1 << 20, File::create(&path).map_err(Error::io(&path))?);
        let keys = columns.iter().map(|column| {
            let mut text = Vec::new();
            write_json_text(column.name.as_bytes(), &mut text);
            text.push(b':');
            Key {
                text,
                optional: column.optional,
            }
        });
        self.open = Some(Table {
            path,
            file,
            keys: keys.collect(),
        });
        Ok(())
    }

    fn row(&mut self, row: &[OwnedValue]) -> Result<(), Error> {
        let table = self
            .open
            .as_mut()
            .expect("a row comes between begin and end");
        write_row(&table.keys, row, &mut self.line);
        table
            .file
            .write_all(&self.line)
            .map_err(Error::io(&table.path))
    }

    fn end(&mut self) -> Result<(), Error> {
        let table = self.open.take().expect("an end comes after a begin");
        let file = table.file.into_inner().map_err(|error| error.into_error());
        file.and_then(|file| file.sync_all())
            .map_err(Error::io(&table.path))
    }
}

fn write_row(keys: &[Key], row: &[OwnedValue], line: &mut Vec<u8>) {
    line.clear();
    line.push(b'{');
    for (key, value) in keys.iter().zip(row) {
        if key.optional && value.is_null() {
            continue;
        }
        if line.len() > 1 {
            line.push(b',');
        }
        line.extend_from_slice(&key.text);
        value.write_json(line);
    }
    line.extend_from_slice(b"}\n");
}
