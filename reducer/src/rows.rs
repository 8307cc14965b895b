//! The order of rows: they go straight on where an operator makes them in order, and through a sort where it does not,
//! on disk where they do not fit into memory. The limit is taken as early as it is known to be safe.

use std::cmp::Ordering;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use jobspec::value::Value;
use mapper::operator::{Mismatch, Rows};
use rayon::prelude::*;

use crate::Error;
use crate::merge::{Fault, Records, each_key, narrow};
use crate::reduce::RowSink;
use crate::row_bytes::Form;
use crate::spill::{Run, Spill};

/// Takes the rows that an operator finishes; gives them to the sink, in order and no more than the limit.
pub struct Finished<'a> {
    sink: &'a mut dyn RowSink,
    form: &'a Form,
    limit: usize,
    rows: u64,
    sorter: Sorter<'a>,
    notes: Vec<String>,
}

impl<'a> Finished<'a> {
    pub fn new(
        sink: &'a mut dyn RowSink,
        form: &'a Form,
        limit: Option<usize>,
        memory_bytes: u64,
        spill: &'a mut Spill,
    ) -> Finished<'a> {
        let limit = limit.unwrap_or(usize::MAX);
        Finished {
            sink,
            form,
            limit,
            rows: 0,
            sorter: Sorter::new(limit, memory_bytes, spill),
            notes: Vec::new(),
        }
    }

    /// Whether no row that is still to come will be wanted.
    pub fn is_full(&self) -> bool {
        self.rows >= self.limit as u64
    }

    /// Where the next rows can be made, apart from this: about so many bytes of them.
    pub fn begin(&self, bytes: usize) -> Made<'a> {
        Made {
            form: self.form,
            bound: self.sorter.bound.clone(),
            rows: MadeRows {
                bytes: Vec::with_capacity(bytes),
                ..MadeRows::default()
            },
        }
    }

    /// Takes rows that were made.
    pub fn take(&mut self, made: MadeRows) -> Result<(), Error> {
        self.notes.extend(made.notes);
        for MadeRow { key, row } in made.rows {
            let row = &made.bytes[row];
            match key {
                Some(key) => self.sorter.push(&made.bytes[key], row)?,
                None if self.is_full() => {}
                None => {
                    self.rows += 1;
                    let given = self.form.give(row, self.sink);
                    given.expect("it was written here")?;
                }
            }
        }
        Ok(())
    }

    /// What was said of the rows.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// The sorted rows last; how many there were in all.
    pub fn end(self) -> Result<u64, Error> {
        let (sink, form, mut rows) = (self.sink, self.form, self.rows);
        self.sorter.end(&mut |row| {
            rows += 1;
            form.give(row, sink)
        })?;
        Ok(rows)
    }
}

/// Rows as an operator makes them.
pub struct Made<'a> {
    form: &'a Form,
    /// As the sorter's, when this was begun.
    bound: Option<Arc<[u8]>>,
    rows: MadeRows,
}

/// Rows to be taken, in this order.
#[derive(Default)]
pub struct MadeRows {
    bytes: Vec<u8>,
    rows: Vec<MadeRow>,
    notes: Vec<String>,
}

struct MadeRow {
    /// None: it is in its place.
    key: Option<Range<usize>>,
    row: Range<usize>,
}

impl Made<'_> {
    pub fn done(self) -> MadeRows {
        self.rows
    }

    fn add(&mut self, key: Option<&[u8]>, row: &[Value<'_>]) {
        let bytes = &mut self.rows.bytes;
        let key = key.map(|key| {
            let start = bytes.len();
            bytes.extend_from_slice(key);
            start..bytes.len()
        });
        let start = bytes.len();
        self.form.append(row, bytes);
        let row = start..bytes.len();
        self.rows.rows.push(MadeRow { key, row });
    }
}

impl Rows for Made<'_> {
    fn push(&mut self, row: &[Value<'_>]) {
        self.add(None, row);
    }

    fn push_keyed(&mut self, key: &[u8], row: &[Value<'_>]) {
        if self.wants(key) {
            self.add(Some(key), row);
        }
    }

    fn wants(&self, key: &[u8]) -> bool {
        self.bound.as_ref().is_none_or(|bound| key < &bound[..])
    }

    fn note(&mut self, note: String) {
        self.rows.notes.push(note);
    }
}

/// Takes a row's bytes; None where they are of none.
type Visit<'a> = dyn FnMut(&[u8]) -> Option<Result<(), Error>> + 'a;

/// Sorts rows by their keys; those of one key stay as they came.
struct Sorter<'a> {
    limit: usize,
    memory_bytes: u64,
    spill: &'a mut Spill,
    rows: Vec<KeyedRow>,
    /// Of every row its key, then itself: a tenth of what values would take.
    bytes: Vec<u8>,
    next: u64,
    /// Once there are as many rows as the limit: what a row's key must be less than.
    bound: Option<Arc<[u8]>>,
    runs: Vec<Run>,
}

#[derive(Clone, Copy)]
struct KeyedRow {
    /// The key's first bytes: most rows are told apart by them.
    prefix: u128,
    ordinal: u64,
    /// In `bytes`.
    start: usize,
    key_length: usize,
    row_length: usize,
}

impl KeyedRow {
    fn key<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        &bytes[self.start..][..self.key_length]
    }

    fn row<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        &bytes[self.start + self.key_length..][..self.row_length]
    }

    fn compare(&self, other: &KeyedRow, bytes: &[u8]) -> Ordering {
        self.prefix
            .cmp(&other.prefix)
            .then_with(|| self.key(bytes).cmp(other.key(bytes)))
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
            bytes: Vec::new(),
            next: 0,
            bound: None,
            runs: Vec::new(),
        }
    }

    fn push(&mut self, key: &[u8], row: &[u8]) -> Result<(), Error> {
        if self.limit == 0 || self.bound.as_ref().is_some_and(|bound| key >= &bound[..]) {
            return Ok(());
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(row);
        self.rows.push(KeyedRow {
            prefix: prefix(key),
            ordinal: self.next,
            start,
            key_length: key.len(),
            row_length: row.len(),
        });
        self.next += 1;
        // Twice the limit, so that sorting is a small share of the work.
        if self.rows.len() >= self.limit.saturating_mul(2).max(64) {
            self.settle();
        }
        let held_bytes = self.bytes.len() + self.rows.len() * size_of::<KeyedRow>();
        if held_bytes as u64 > self.memory_bytes / 2 {
            self.spill()?;
        }
        Ok(())
    }

    /// Sorts, and forgets what is beyond the limit.
    fn settle(&mut self) {
        let bytes = &self.bytes;
        self.rows
            .par_sort_unstable_by(|left, right| left.compare(right, bytes));
        if self.rows.len() > self.limit {
            self.rows.truncate(self.limit);
            let mut kept = Vec::new();
            for row in &mut self.rows {
                let length = row.key_length + row.row_length;
                kept.extend_from_slice(&self.bytes[row.start..][..length]);
                row.start = kept.len() - length;
            }
            self.bytes = kept;
        }
        if self.rows.len() == self.limit
            && let Some(last) = self.rows.last()
        {
            self.bound = Some(last.key(&self.bytes).into());
        }
    }

    fn spill(&mut self) -> Result<(), Error> {
        self.settle();
        let mut writer = self.spill.begin()?;
        let mut key = Vec::new();
        for row in self.rows.drain(..) {
            // The ordinal makes keys differ and keeps equal ones in order.
            key.clear();
            key.extend_from_slice(row.key(&self.bytes));
            key.extend_from_slice(&row.ordinal.to_be_bytes());
            writer.push(&key, row.row(&self.bytes))?;
        }
        self.runs.push(writer.end()?);
        self.bytes.clear();
        Ok(())
    }

    fn end(mut self, visit: &mut Visit<'_>) -> Result<(), Error> {
        if self.runs.is_empty() {
            self.settle();
            let bytes = &self.bytes;
            let mut rows = self.rows.iter();
            return rows.try_for_each(|row| visit(row.row(bytes)).expect("it was written here"));
        }
        if !self.rows.is_empty() {
            self.spill()?;
        }
        (self.rows, self.bytes) = (Vec::new(), Vec::new());
        let runs = narrow(self.runs, self.memory_bytes, self.spill, &OwnRows)?;
        let mut left = self.limit;
        each_key(runs, &OwnRows, &mut |_, values| {
            let [value] = values else {
                return Err(Fault::Mismatch);
            };
            visit(value).ok_or(Fault::Mismatch)??;
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
