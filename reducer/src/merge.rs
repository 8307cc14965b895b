//! Runs merged key by key, within a budget: as many at once as their cursors fit into it, the smallest first into
//! longer ones, until what is left can be read at once.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::ops::ControlFlow;

use mapper::operator::Mismatch;

use crate::Error;
use crate::spill::{Cursor, Run, Spill};

/// What is known of the records that are merged.
pub trait Records {
    /// Whether a record may come from this host: asked once of each, before anything else.
    fn check(&self, host: u32, key: &[u8], value: &[u8]) -> Result<(), Mismatch>;

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
        each_key(group, records, &mut |key, values| {
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
pub fn each_key(runs: Vec<Run>, records: &dyn Records, visit: &mut Visit<'_>) -> Result<(), Error> {
    let mut heap = Heap::new(runs)?;
    let mut equal: Vec<usize> = Vec::new();
    while let Some(first) = heap.order.first().copied() {
        let is_alone = !heap.is_next_equal();
        let flow = if is_alone {
            let cursor = &heap.cursors[first];
            check(cursor, records)?;
            visit(cursor.key(), &[cursor.value()])
        } else {
            equal.clear();
            equal.push(heap.pop());
            while let Some(&next) = heap.order.first()
                && heap.cursors[next].key() == heap.cursors[first].key()
            {
                equal.push(heap.pop());
            }
            for &cursor in &equal {
                check(&heap.cursors[cursor], records)?;
            }
            let values: Vec<&[u8]> = equal
                .iter()
                .map(|&cursor| heap.cursors[cursor].value())
                .collect();
            visit(heap.cursors[first].key(), &values)
        };
        let flow = flow.map_err(|fault| match fault {
            Fault::Error(error) => error,
            Fault::Mismatch => mismatch(&heap.cursors[first]),
        })?;
        if flow.is_break() {
            return Ok(());
        }
        if is_alone {
            if !heap.cursors[first].advance()? {
                heap.pop();
            }
            heap.sift_down(0);
        } else {
            for &cursor in &equal {
                if heap.cursors[cursor].advance()? {
                    heap.push(cursor);
                }
            }
        }
    }
    Ok(())
}

fn check(cursor: &Cursor, records: &dyn Records) -> Result<(), Error> {
    match cursor.host() {
        Some(host) => records
            .check(host, cursor.key(), cursor.value())
            .map_err(|_| mismatch(cursor)),
        None => Ok(()),
    }
}

fn mismatch(cursor: &Cursor) -> Error {
    Error::Other(format!(
        "{}: a record that is not of its operator, or not of its host",
        cursor.name()
    ))
}

/// Cursors with the least key first; of equal keys the first run's.
struct Heap {
    cursors: Vec<Cursor>,
    order: Vec<usize>,
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

    fn compare(&self, left: usize, right: usize) -> Ordering {
        let (left, right) = (self.order[left], self.order[right]);
        self.cursors[left]
            .key()
            .cmp(self.cursors[right].key())
            .then(left.cmp(&right))
    }

    /// Whether another cursor stands at the key of the first.
    fn is_next_equal(&self) -> bool {
        let first = self.cursors[self.order[0]].key();
        let next = self.order.iter().skip(1).take(2);
        next.into_iter()
            .any(|&next| self.cursors[next].key() == first)
    }

    fn push(&mut self, cursor: usize) {
        self.order.push(cursor);
        let mut at = self.order.len() - 1;
        while at > 0 && self.compare(at, (at - 1) / 2).is_lt() {
            self.order.swap(at, (at - 1) / 2);
            at = (at - 1) / 2;
        }
    }

    /// Takes out the first.
    fn pop(&mut self) -> usize {
        let first = self.order.swap_remove(0);
        self.sift_down(0);
        first
    }

    fn sift_down(&mut self, mut at: usize) {
        loop {
            let children = [2 * at + 1, 2 * at + 2].into_iter();
            let children = children.filter(|&child| child < self.order.len());
            match children.min_by(|&left, &right| self.compare(left, right)) {
                Some(child) if self.compare(child, at).is_lt() => {
                    self.order.swap(child, at);
                    at = child;
                }
                _ => return,
            }
        }
    }
}

#[cfg(test)]
mod tests;
