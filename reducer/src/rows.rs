//! The order of rows: they go straight on where an operator makes them in order, and through a sort where it does not,
//! on disk where they do not fit into memory. The limit is taken as early as it is known to be safe.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use jobspec::value::OwnedValue;
use mapper::operator::{Mismatch, Rows};

use crate::Error;
use crate::merge::{Fault, Records, each_key, narrow};
use crate::reduce::RowSink;
use crate::row_bytes::{append_row, read_row, weight};
use crate::spill::{Run, Spill};

/// Takes the rows that an operator finishes; gives them to the sink, in order and no more than the limit.
pub struct Finished<'a> {
    sink: &'a mut dyn RowSink,
    limit: usize,
    rows: u64,
    sorter: Sorter<'a>,
    notes: Vec<String>,
    error: Option<Error>,
}

impl<'a> Finished<'a> {
    pub fn new(
        sink: &'a mut dyn RowSink,
        limit: Option<usize>,
        memory_bytes: u64,
        spill: &'a mut Spill,
    ) -> Finished<'a> {
        let limit = limit.unwrap_or(usize::MAX);
        Finished {
            sink,
            limit,
            rows: 0,
            sorter: Sorter::new(limit, memory_bytes, spill),
            notes: Vec::new(),
            error: None,
        }
    }

    /// Whether no row that is still to come will be wanted.
    pub fn is_full(&self) -> bool {
        self.rows >= self.limit as u64 || self.error.is_some()
    }

    /// What was said of the rows.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// The sorted rows last; how many there were in all.
    pub fn end(self) -> Result<u64, Error> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let (sink, mut rows) = (self.sink, self.rows);
        self.sorter.end(&mut |row| {
            rows += 1;
            sink.row(&row)
        })?;
        Ok(rows)
    }
}

impl Rows for Finished<'_> {
    fn push(&mut self, row: Vec<OwnedValue>) {
        if !self.is_full() {
            self.rows += 1;
            self.error = self.sink.row(&row).err();
        }
    }

    fn push_keyed(&mut self, key: Vec<u8>, row: Vec<OwnedValue>) {
        if self.error.is_none() {
            self.error = self.sorter.push(key, row).err();
        }
    }

    fn note(&mut self, note: String) {
        self.notes.push(note);
    }
}

/// Sorts rows by their keys; those of one key stay as they came.
struct Sorter<'a> {
    limit: usize,
    memory_bytes: u64,
    spill: &'a mut Spill,
    rows: Vec<KeyedRow>,
    held_bytes: u64,
    next: u64,
    /// Once there are as many rows as the limit: what a row's key must be less than.
    bound: Option<Vec<u8>>,
    runs: Vec<Run>,
}

struct KeyedRow {
    /// The key's first bytes: most rows are told apart by them.
    prefix: u128,
    key: Vec<u8>,
    ordinal: u64,
    row: Vec<OwnedValue>,
}

impl KeyedRow {
    fn compare(&self, other: &KeyedRow) -> Ordering {
        self.prefix
            .cmp(&other.prefix)
            .then_with(|| self.key.cmp(&other.key))
            .then(self.ordinal.cmp(&other.ordinal))
    }
}

/// Rows were written here, each under a key of its own.
struct OwnRows;

impl Records for OwnRows {
    fn check(&self, _host: u32, _key: &[u8], _value: &[u8]) -> Result<(), Mismatch> {
        Err(Mismatch)
    }

    fn join(&self, _key: &[u8], _values: &[&[u8]]) -> Result<Vec<u8>, Mismatch> {
        Err(Mismatch)
    }
}

/// The first bytes of a key, as if 0 followed its end: less where the key is less, or the same.
fn prefix(key: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    let length = key.len().min(16);
    bytes[..length].copy_from_slice(&key[..length]);
    u128::from_be_bytes(bytes)
}

impl<'a> Sorter<'a> {
    fn new(limit: usize, memory_bytes: u64, spill: &'a mut Spill) -> Sorter<'a> {
        Sorter {
            limit,
            memory_bytes,
            spill,
            rows: Vec::new(),
            held_bytes: 0,
            next: 0,
            bound: None,
            runs: Vec::new(),
        }
    }

    fn push(&mut self, key: Vec<u8>, row: Vec<OwnedValue>) -> Result<(), Error> {
        if self.limit == 0 || self.bound.as_ref().is_some_and(|bound| key >= *bound) {
            return Ok(());
        }
        self.held_bytes += weight(&key, &row);
        self.rows.push(KeyedRow {
            prefix: prefix(&key),
            key,
            ordinal: self.next,
            row,
        });
        self.next += 1;
        // Twice the limit, so that sorting is a small share of the work.
        if self.rows.len() >= self.limit.saturating_mul(2).max(64) {
            self.settle();
        }
        if self.held_bytes > self.memory_bytes / 2 {
            self.spill()?;
        }
        Ok(())
    }

    /// Sorts, and forgets what is beyond the limit.
    fn settle(&mut self) {
        self.rows.sort_unstable_by(KeyedRow::compare);
        if self.rows.len() > self.limit {
            let beyond = self.rows.drain(self.limit..);
            let bytes: u64 = beyond.map(|row| weight(&row.key, &row.row)).sum();
            self.held_bytes -= bytes;
        }
        if self.rows.len() == self.limit
            && let Some(last) = self.rows.last()
        {
            self.bound = Some(last.key.clone());
        }
    }

    fn spill(&mut self) -> Result<(), Error> {
        self.settle();
        let mut writer = self.spill.begin()?;
        let (mut key, mut bytes) = (Vec::new(), Vec::new());
        for row in self.rows.drain(..) {
            // The ordinal makes keys differ and keeps equal ones in order.
            key.clear();
            key.extend_from_slice(&row.key);
            key.extend_from_slice(&row.ordinal.to_be_bytes());
            bytes.clear();
            append_row(&row.row, &mut bytes);
            writer.push(&key, &bytes)?;
        }
        self.runs.push(writer.end()?);
        self.held_bytes = 0;
        Ok(())
    }

    fn end(
        mut self,
        visit: &mut dyn FnMut(Vec<OwnedValue>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.runs.is_empty() {
            self.settle();
            return self.rows.into_iter().try_for_each(|row| visit(row.row));
        }
        if !self.rows.is_empty() {
            self.spill()?;
        }
        self.rows = Vec::new();
        let runs = narrow(self.runs, self.memory_bytes, self.spill, &OwnRows)?;
        let mut left = self.limit;
        each_key(runs, &OwnRows, &mut |_, values| {
            let [value] = values else {
                return Err(Fault::Mismatch);
            };
            visit(read_row(value).ok_or(Fault::Mismatch)?)?;
            left -= 1;
            Ok(match left {
                0 => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            })
        })
    }
}

#[cfg(test)]
mod tests;
