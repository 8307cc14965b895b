//! The order of rows: they go straight on where an operator makes them in order, and through a sort where it does not,
//! on disk where they do not fit into memory. The limit is taken as early as it is known to be safe.

mod sorter;

use std::sync::Arc;

use jobspec::value::Value;
use mapper::operator::Rows;

use crate::Error;
use crate::reduce::RowSink;
use crate::row_bytes::Form;
use crate::spill::Spill;
use sorter::{KeyedRows, Sorter};

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
            bound: self.sorter.bound(),
            room: bytes,
            rows: MadeRows::default(),
        }
    }

    /// Takes rows that were made.
    pub fn take(&mut self, made: MadeRows) -> Result<(), Error> {
        let MadeRows {
            placed,
            mut ends,
            keyed,
            notes,
        } = made;
        self.notes.extend(notes);
        self.sorter.take(keyed)?;
        ends.truncate(self.limit.saturating_sub(self.rows as usize));
        self.rows += ends.len() as u64;
        match ends.last() {
            Some(end) if self.form.is_line() => self.sink.lines(&placed[..*end]),
            _ => {
                let mut start = 0;
                ends.into_iter().try_for_each(|end| {
                    let row = &placed[std::mem::replace(&mut start, end)..end];
                    let given = self.form.give(row, self.sink);
                    given.expect("it was written here")
                })
            }
        }
    }

    /// What was said of the rows.
    pub fn take_notes(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notes)
    }

    /// The sorted rows last; how many there were in all.
    pub fn end(self) -> Result<u64, Error> {
        Ok(self.rows + self.sorter.end(self.form, self.sink)?)
    }
}

/// Rows as an operator makes them.
pub struct Made<'a> {
    form: &'a Form,
    /// As the sorter's, when this was begun.
    bound: Option<Arc<[u8]>>,
    /// For what comes first, rows in their place or others: most operators have one kind.
    room: usize,
    rows: MadeRows,
}

/// Rows to be taken, in this order.
#[derive(Default)]
pub struct MadeRows {
    /// Those that are in their place, one behind the other, and where each ends.
    placed: Vec<u8>,
    ends: Vec<usize>,
    /// Those that a sort puts there.
    keyed: KeyedRows,
    notes: Vec<String>,
}

impl Made<'_> {
    pub fn done(mut self) -> MadeRows {
        self.rows.keyed.trim();
        self.rows
    }
}

impl Rows for Made<'_> {
    fn push(&mut self, row: &[Value<'_>]) {
        let MadeRows { placed, ends, .. } = &mut self.rows;
        placed.reserve(std::mem::take(&mut self.room));
        self.form.append(row, placed);
        ends.push(placed.len());
    }

    fn push_keyed(&mut self, key: &[u8], row: &[Value<'_>]) {
        if self.wants(key) {
            let keyed = &mut self.rows.keyed;
            keyed.reserve(std::mem::take(&mut self.room));
            keyed.push(key, |bytes| self.form.append(row, bytes));
        }
    }

    fn wants(&self, key: &[u8]) -> bool {
        self.bound.as_ref().is_none_or(|bound| key < &bound[..])
    }

    fn note(&mut self, note: String) {
        self.rows.notes.push(note);
    }
}

#[cfg(test)]
mod tests;
