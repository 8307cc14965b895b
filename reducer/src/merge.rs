//! Runs merged key by key, within a budget: as many at once as their cursors fit into it, the smallest first into
//! longer ones, until what is left can be read at once.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::{ControlFlow, Range};

use mapper::operator::Mismatch;

use crate::Error;
use crate::spill::{Cursor, Run, Spill};

/// What is known of the records that are merged.
pub trait Records {
    /// Makes one value of several of a key.
    fn join(&self, key: &[u8], values: &[&[u8]]) -> Result<Vec<u8>, Mismatch>;
}

/// Takes a key and its values.
pub type Visit<'a> = dyn FnMut(&[u8], &[&[u8]]) -> Result<ControlFlow<()>, Fault> + 'a;

/// What stops a merge.
#[derive(Debug)]
pub enum Fault {
    /// A value that is not of its operator.
    Mismatch,
    Error(Error),
}

impl From<Mismatch> for Fault {
    fn from(_: Mismatch) -> Fault {
        Fault::Mismatch
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Fault {
        Fault::Error(error)
    }
}

/// Merges runs into fewer ones, until all of them can be read within the budget; two can always be.
pub fn narrow(
    runs: Vec<Run>,
    memory_bytes: u64,
    spill: &mut Spill,
    records: &dyn Records,
) -> Result<Vec<Run>, Error> {
    let mut total: u64 = runs.iter().map(Run::cost).sum();
    if total <= memory_bytes {
        return Ok(runs);
    }
    let mut places: Vec<Option<Run>> = Vec::with_capacity(runs.len());
    let mut smallest = BinaryHeap::with_capacity(runs.len());
    for run in runs {
        smallest.push(Reverse((run.raw_bytes, places.len())));
        places.push(Some(run));
    }
    while total > memory_bytes && smallest.len() > 2 {
        let mut group: Vec<Run> = Vec::new();
        let mut held = 0;
        while let Some(&Reverse((_, place))) = smallest.peek() {
            let cost = places[place].as_ref().map_or(0, Run::cost);
            // What the run costs that this group becomes is no more than what any one of it does, or little more.
            let is_enough = total - held + cost <= memory_bytes;
            if group.len() >= 2 && (held + cost > memory_bytes || is_enough) {
                break;
            }
            smallest.pop();
            group.extend(places[place].take());
            held += cost;
        }
        let mut writer = spill.begin()?;
        each_key(group, &mut |key, values| {
            match values {
                [value] => writer.push(key, value)?,
                values => writer.push(key, &records.join(key, values)?)?,
            }
            Ok(ControlFlow::Continue(()))
        })?;
        let run = writer.end()?;
        total = total - held + run.cost();
        smallest.push(Reverse((run.raw_bytes, places.len())));
        places.push(Some(run));
    }
    Ok(places.into_iter().flatten().collect())
}

/// Calls for every key, rising, with its values in all runs, until that says to break.
pub fn each_key(runs: Vec<Run>, visit: &mut Visit<'_>) -> Result<(), Error> {
    let mut merged = Merged::new(runs)?;
    while merged.advance()? {
        let cursors = &merged.heap.cursors;
        let values = merged.equal.iter().map(|&cursor| cursors[cursor].value());
        let flow = with_all(values, |values| visit(merged.key(), values));
        let cursor = merged.equal[0];
        if flow
            .map_err(|fault| merged.error(Refused { fault, cursor }))?
            .is_break()
        {
            break;
        }
    }
    Ok(())
}

/// Runs side by side, at one key after the other.
pub struct Merged {
    heap: Heap,
    /// The cursors at the key, by index. One that is alone is still in the heap.
    equal: Vec<usize>,
}

impl Merged {
    pub fn new(runs: Vec<Run>) -> Result<Merged, Error> {
        Ok(Merged {
            heap: Heap::new(runs)?,
            equal: Vec::new(),
        })
    }

    /// Goes on to the next key, at first to the first; false at the end.
    fn advance(&mut self) -> Result<bool, Error> {
        let Merged { heap, equal } = self;
        if let [alone] = equal[..] {
            match heap.cursors[alone].advance()? {
                true => heap.advanced(),
                false => {
                    heap.pop();
                }
            }
        } else {
            for &cursor in &*equal {
                if heap.cursors[cursor].advance()? {
                    heap.push(cursor);
                }
            }
        }
        equal.clear();
        let Some(&first) = heap.order.first() else {
            return Ok(false);
        };
        equal.push(first.cursor);
        if heap.is_next_equal() {
            heap.pop();
            while let Some(&next) = heap.order.first()
                && heap.is_equal(first, next)
            {
                equal.push(heap.pop().cursor);
            }
        }
        Ok(true)
    }

    fn first(&self) -> &Cursor {
        &self.heap.cursors[self.equal[0]]
    }

    fn key(&self) -> &[u8] {
        self.first().key()
    }

    /// Copies out the next keys and their values: about so many bytes of them, and one key at least where one is left.
    pub fn batch(&mut self, bytes: usize) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        while (batch.is_empty() || batch.bytes.len() < bytes) && self.advance()? {
            let first_value = batch.values.len();
            let key = batch.push(self.key());
            for &cursor in &self.equal {
                let value = batch.push(self.heap.cursors[cursor].value());
                batch.values.push(value);
            }
            batch.keys.push(BatchKey {
                key,
                values: first_value..batch.values.len(),
                cursor: self.equal[0],
            });
        }
        Ok(batch)
    }

    /// Why a key of these runs is refused, with the name of its file.
    pub fn error(&self, refused: Refused) -> Error {
        match refused.fault {
            Fault::Error(error) => error,
            Fault::Mismatch => Error::Other(format!(
                "{}: a record that is not of its operator, here or under the same key in another run",
                self.heap.cursors[refused.cursor].name()
            )),
        }
    }
}

/// Neighbouring keys with all of their values, apart from the runs that they come from.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    keys: Vec<BatchKey>,
    values: Vec<Range<usize>>,
}

struct BatchKey {
    key: Range<usize>,
    values: Range<usize>,
    /// That of its first value.
    cursor: usize,
}

/// Why a key is refused, and the cursor of its first value.
#[derive(Debug)]
pub struct Refused {
    fault: Fault,
    cursor: usize,
}

impl Batch {
    fn push(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(bytes);
        start..self.bytes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// As the function of this name, for the keys of the batch.
    pub fn each_key(&self, visit: &mut Visit<'_>) -> Result<(), Refused> {
        for BatchKey {
            key,
            values,
            cursor,
        } in &self.keys
        {
            let key = &self.bytes[key.clone()];
            let values = self.values[values.clone()].iter();
            let values = values.map(|value| &self.bytes[value.clone()]);
            let flow = with_all(values, |values| visit(key, values));
            let cursor = *cursor;
            if flow.map_err(|fault| Refused { fault, cursor })?.is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Calls with all values; of one, which is most often so, without an allocation.
fn with_all<'v, T>(
    mut values: impl Iterator<Item = &'v [u8]>,
    call: impl FnOnce(&[&'v [u8]]) -> T,
) -> T {
    match (values.next(), values.next()) {
        (Some(only), None) => call(&[only]),
        (first, second) => {
            let first_two = first.into_iter().chain(second);
            call(&first_two.chain(values).collect::<Vec<_>>())
        }
    }
}

/// Cursors with the least key first; of equal keys the first run's.
struct Heap {
    cursors: Vec<Cursor>,
    order: Vec<At>,
}

/// A cursor at its key.
#[derive(Clone, Copy)]
struct At {
    /// The key's: most keys are told apart by it.
    prefix: u128,
    cursor: usize,
}

impl Heap {
    fn new(runs: Vec<Run>) -> Result<Heap, Error> {
        let mut heap = Heap {
            cursors: Vec::with_capacity(runs.len()),
            order: Vec::with_capacity(runs.len()),
        };
        for run in runs {
            let mut cursor = Cursor::new(run);
            if cursor.advance()? {
                heap.cursors.push(cursor);
                heap.push(heap.cursors.len() - 1);
            }
        }
        Ok(heap)
    }

    fn at(&self, cursor: usize) -> At {
        At {
            prefix: prefix(self.cursors[cursor].key()),
            cursor,
        }
    }

    fn is_less(&self, left: At, right: At) -> bool {
        if left.prefix != right.prefix {
            return left.prefix < right.prefix;
        }
        let key = |at: At| self.cursors[at.cursor].key();
        (key(left), left.cursor) < (key(right), right.cursor)
    }

    fn is_equal(&self, left: At, right: At) -> bool {
        left.prefix == right.prefix
            && self.cursors[left.cursor].key() == self.cursors[right.cursor].key()
    }

    /// Whether another cursor stands at the key of the first.
    fn is_next_equal(&self) -> bool {
        let (first, others) = self.order.split_first().expect("there is a first");
        let mut next = others.iter().take(2);
        next.any(|next| self.is_equal(*first, *next))
    }

    fn push(&mut self, cursor: usize) {
        let new = self.at(cursor);
        let mut at = self.order.len();
        self.order.push(new);
        while at > 0 && self.is_less(new, self.order[(at - 1) / 2]) {
            self.order[at] = self.order[(at - 1) / 2];
            at = (at - 1) / 2;
        }
        self.order[at] = new;
    }

    /// Takes out the first.
    fn pop(&mut self) -> At {
        let first = self.order.swap_remove(0);
        if let Some(&moved) = self.order.first() {
            self.sift_down(moved);
        }
        first
    }

    /// The first has gone on to another key.
    fn advanced(&mut self) {
        self.sift_down(self.at(self.order[0].cursor));
    }

    /// Puts this one in the place of the first, or below that.
    fn sift_down(&mut self, new: At) {
        let mut at = 0;
        loop {
            let mut child = 2 * at + 1;
            if child + 1 < self.order.len()
                && self.is_less(self.order[child + 1], self.order[child])
            {
                child += 1;
            }
            if child >= self.order.len() || !self.is_less(self.order[child], new) {
                break;
            }
            self.order[at] = self.order[child];
            at = child;
        }
        self.order[at] = new;
    }
}

/// The first bytes of a key, as if 0 followed its end: less where the key is less, or the same.
pub fn prefix(key: &[u8]) -> u128 {
    let mut bytes = [0; 16];
    match key.first_chunk() {
        Some(first) => bytes = *first,
        None => bytes[..key.len()].copy_from_slice(key),
    }
    u128::from_be_bytes(bytes)
}

#[cfg(test)]
mod tests;
