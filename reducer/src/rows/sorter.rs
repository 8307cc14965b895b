//! The sort of rows by their keys. Rows stay in the blocks in which they were made, and a block's index is made where its
//! rows are: what is done here, on one thread, is little. Blocks that hold little of what is wanted are given back.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

use mapper::operator::Mismatch;
use rayon::prelude::*;

use crate::Error;
use crate::in_order::in_order;
use crate::merge::{Fault, Records, each_key, narrow, prefix};
use crate::reduce::RowSink;
use crate::row_bytes::Form;
use crate::spill::{Run, Spill};

/// Bytes of lines that are gathered in one go: not many more, and less where memory is short.
const GATHERED_BYTES: usize = 1 << 20;

/// Rows with the keys by which they are sorted, in one block.
#[derive(Default)]
pub struct KeyedRows {
    /// Of every row its key, then itself: a tenth of what values would take.
    bytes: Vec<u8>,
    rows: Vec<KeyedRow>,
}

#[derive(Clone, Copy)]
struct KeyedRow {
    /// The key's first bytes: most rows are told apart by them.
    prefix: u128,
    /// Which of the sorter's, in the order in which they came.
    block: usize,
    /// In its block.
    start: usize,
    key_length: usize,
    row_length: usize,
}

impl KeyedRows {
    /// Room for so many bytes more.
    pub fn reserve(&mut self, bytes: usize) {
        self.bytes.reserve(bytes);
    }

    /// The next row, which `append` writes.
    pub fn push(&mut self, key: &[u8], append: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        append(&mut self.bytes);
        self.rows.push(KeyedRow {
            prefix: prefix(key),
            block: 0,
            start,
            key_length: key.len(),
            row_length: self.bytes.len() - start - key.len(),
        });
    }

    /// Gives back room that was not needed: it may be held for long.
    pub fn trim(&mut self) {
        self.bytes.shrink_to_fit();
    }
}

impl KeyedRow {
    fn length(&self) -> usize {
        self.key_length + self.row_length
    }

    fn whole<'b>(&self, blocks: &'b [Vec<u8>]) -> &'b [u8] {
        &blocks[self.block][self.start..][..self.length()]
    }

    fn key<'b>(&self, blocks: &'b [Vec<u8>]) -> &'b [u8] {
        &self.whole(blocks)[..self.key_length]
    }

    fn row<'b>(&self, blocks: &'b [Vec<u8>]) -> &'b [u8] {
        &self.whole(blocks)[self.key_length..]
    }

    fn compare(&self, other: &KeyedRow, blocks: &[Vec<u8>]) -> Ordering {
        self.prefix
            .cmp(&other.prefix)
            .then_with(|| self.key(blocks).cmp(other.key(blocks)))
            .then_with(|| (self.block, self.start).cmp(&(other.block, other.start)))
    }
}

/// Sorts rows by their keys; those of one key stay as they came.
pub struct Sorter<'a> {
    limit: usize,
    memory_bytes: u64,
    spill: &'a mut Spill,
    /// Rows of one key in the order of their blocks, and of where they begin.
    rows: Vec<KeyedRow>,
    blocks: Vec<Vec<u8>>,
    /// What the blocks take, and what of it is of `rows`.
    held_bytes: usize,
    wanted_bytes: usize,
    /// Once there are as many rows as the limit: what a row's key must be less than.
    bound: Option<Arc<[u8]>>,
    runs: Vec<Run>,
    /// Rows that were spilled.
    spilled: u64,
}

/// Rows were written here, each under a key of its own.
struct OwnRows;

impl Records for OwnRows {
    fn join(&self, _key: &[u8], _values: &[&[u8]]) -> Result<Vec<u8>, Mismatch> {
        Err(Mismatch)
    }
}

impl<'a> Sorter<'a> {
    pub fn new(limit: usize, memory_bytes: u64, spill: &'a mut Spill) -> Sorter<'a> {
        Sorter {
            limit,
            memory_bytes,
            spill,
            rows: Vec::new(),
            blocks: Vec::new(),
            held_bytes: 0,
            wanted_bytes: 0,
            // No key is less than the empty one.
            bound: (limit == 0).then(|| Arc::from([])),
            runs: Vec::new(),
            spilled: 0,
        }
    }

    /// What a row's key must be less than, where it is known by now.
    pub fn bound(&self) -> Option<Arc<[u8]>> {
        self.bound.clone()
    }

    pub fn take(&mut self, made: KeyedRows) -> Result<(), Error> {
        let KeyedRows { bytes, rows } = made;
        let (block, before) = (self.blocks.len(), self.rows.len());
        // They were made before the bound was what it is.
        let is_wanted = |row: &KeyedRow| {
            let key = &bytes[row.start..][..row.key_length];
            self.bound.as_ref().is_none_or(|bound| key < &bound[..])
        };
        let wanted = rows.into_iter().filter(is_wanted);
        self.rows
            .extend(wanted.map(|row| KeyedRow { block, ..row }));
        let wanted_bytes = self.rows[before..].iter().map(KeyedRow::length);
        self.wanted_bytes += wanted_bytes.sum::<usize>();
        if self.rows.len() > before {
            self.held_bytes += bytes.capacity();
            self.blocks.push(bytes);
        }
        // Twice the limit, so that sorting is a small share of the work.
        if self.rows.len() >= self.limit.saturating_mul(2).max(64) {
            self.settle();
        }
        // What is copied is less than what is given back.
        if self.held_bytes > 2 * self.wanted_bytes {
            self.compact();
        }
        let held_bytes = self.held_bytes + self.rows.len() * size_of::<KeyedRow>();
        if held_bytes as u64 > self.memory_bytes / 2 {
            self.spill()?;
        }
        Ok(())
    }

    /// Sorts, and forgets what is beyond the limit.
    fn settle(&mut self) {
        let blocks = &self.blocks;
        self.rows
            .par_sort_unstable_by(|left, right| left.compare(right, blocks));
        if self.rows.len() > self.limit {
            let beyond = self.rows.drain(self.limit..);
            self.wanted_bytes -= beyond.map(|row| row.length()).sum::<usize>();
        }
        if self.rows.len() == self.limit
            && let Some(last) = self.rows.last()
        {
            self.bound = Some(last.key(&self.blocks).into());
        }
    }

    /// One block of nothing but what is wanted.
    fn compact(&mut self) {
        let mut kept = Vec::with_capacity(self.wanted_bytes);
        for row in &mut self.rows {
            let start = kept.len();
            kept.extend_from_slice(row.whole(&self.blocks));
            (row.block, row.start) = (0, start);
        }
        self.held_bytes = kept.capacity();
        self.blocks = vec![kept];
    }

    fn spill(&mut self) -> Result<(), Error> {
        self.settle();
        let mut writer = self.spill.begin()?;
        let mut key = Vec::new();
        for row in self.rows.drain(..) {
            // A number makes keys differ and keeps equal ones in order.
            key.clear();
            key.extend_from_slice(row.key(&self.blocks));
            key.extend_from_slice(&self.spilled.to_be_bytes());
            self.spilled += 1;
            writer.push(&key, row.row(&self.blocks))?;
        }
        self.runs.push(writer.end()?);
        self.blocks.clear();
        (self.held_bytes, self.wanted_bytes) = (0, 0);
        Ok(())
    }

    /// Gives all rows to the sink, in order; how many there were.
    pub fn end(mut self, form: &Form, sink: &mut dyn RowSink) -> Result<u64, Error> {
        if self.runs.is_empty() {
            self.settle();
            if form.is_line() {
                self.give_lines(sink)?;
            } else {
                self.rows.iter().try_for_each(|row| {
                    let given = form.give(row.row(&self.blocks), sink);
                    given.expect("it was written here")
                })?;
            }
            return Ok(self.rows.len() as u64);
        }
        if !self.rows.is_empty() {
            self.spill()?;
        }
        (self.rows, self.blocks) = (Vec::new(), Vec::new());
        let runs = narrow(self.runs, self.memory_bytes, self.spill, &OwnRows)?;
        let mut rows = 0;
        each_key(runs, &mut |_, values| {
            let [value] = values else {
                return Err(Fault::Mismatch);
            };
            form.give(value, sink).ok_or(Fault::Mismatch)??;
            rows += 1;
            Ok(match rows < self.limit {
                true => ControlFlow::Continue(()),
                false => ControlFlow::Break(()),
            })
        })?;
        Ok(rows as u64)
    }

    /// Gathers the lines of rows, which lie anywhere, on many threads.
    fn give_lines(&self, sink: &mut dyn RowSink) -> Result<(), Error> {
        let gather = |(rows, mut lines): (&[KeyedRow], Vec<u8>)| {
            for row in rows {
                lines.extend_from_slice(row.row(&self.blocks));
            }
            lines
        };
        let share = self.memory_bytes / (16 * rayon::current_num_threads() as u64);
        let bytes = GATHERED_BYTES.min(usize::try_from(share).unwrap_or(usize::MAX));
        let mut left = &self.rows[..];
        let mut free: Vec<Vec<u8>> = Vec::new();
        in_order(&gather, |queue| {
            loop {
                while !queue.is_full() && !left.is_empty() {
                    let (rows, after) = left.split_at(count_of(left, bytes));
                    queue.push((rows, free.pop().unwrap_or_default()));
                    left = after;
                }
                let Some(mut lines) = queue.pop() else {
                    return Ok(());
                };
                sink.lines(&lines)?;
                lines.clear();
                free.push(lines);
            }
        })
    }
}

/// How many rows are so many bytes, or the first to be more.
fn count_of(rows: &[KeyedRow], bytes: usize) -> usize {
    let ends = rows.iter().scan(0, |end, row| {
        *end += row.row_length;
        Some(*end)
    });
    rows.len()
        .min(1 + ends.take_while(|end| *end < bytes).count())
}

#[cfg(test)]
mod tests {
    use jobspec::value::Value;
    use mapper::operator::OutputColumn;

    use super::*;
    use crate::reduce::Takes;
    use crate::testing::{Folder, Random};

    const ROW_BYTES: usize = 1000;

    /// What it is given, and in how many calls.
    #[derive(Default)]
    struct Lines {
        bytes: Vec<u8>,
        calls: usize,
    }

    impl RowSink for Lines {
        fn begin(&mut self, _operator: &str, _columns: &[OutputColumn]) -> Result<(), Error> {
            Ok(())
        }

        fn takes(&self) -> Takes {
            LINES
        }

        fn row(&mut self, _row: &[Value<'_>]) -> Result<(), Error> {
            Err(Error::Other("it takes lines".to_owned()))
        }

        fn lines(&mut self, lines: &[u8]) -> Result<(), Error> {
            self.bytes.extend_from_slice(lines);
            self.calls += 1;
            Ok(())
        }

        fn end(&mut self) -> Result<(), Error> {
            Ok(())
        }
    }

    const LINES: Takes = Takes {
        values: false,
        lines: true,
    };

    /// Rows are their lines.
    fn form() -> Form {
        Form::new(LINES, &[])
    }

    /// A block of rows, as threads make them.
    fn block(keys: &[u32]) -> KeyedRows {
        let mut rows = KeyedRows::default();
        rows.reserve(2 * ROW_BYTES * keys.len());
        for key in keys {
            let row = [key.to_be_bytes()[3]; ROW_BYTES];
            rows.push(&key.to_be_bytes(), |bytes| bytes.extend_from_slice(&row));
        }
        rows.trim();
        rows
    }

    /// What the sorter takes, whatever comes, is of the rows that are wanted and of one block more.
    #[test]
    fn a_limit_gives_memory_back() {
        let folder = Folder::new("sorter-limit");
        let limit = 50;
        let falling = |block: u32| (0..10).map(|row| 1_000_000 - 10 * block - row).collect();
        // Nine rows of ten are beyond any bound, once there is one; the tenth is always wanted.
        let mostly_beyond = |block: u32| {
            let beyond = (0..9).map(|row| 2_000_000 + 10 * block + row);
            beyond.chain([1_000_000 - block]).collect()
        };
        let ways: [&dyn Fn(u32) -> Vec<u32>; 2] = [&falling, &mostly_beyond];
        for (way, keys) in ways.into_iter().enumerate() {
            let mut spill = Spill::new(folder.path().join(format!("{way}")), 1 << 30);
            let mut sorter = Sorter::new(limit, 1 << 30, &mut spill);
            let mut all = Vec::new();
            let mut most_bytes = 0;
            for number in 0..500 {
                let keys = keys(number);
                sorter.take(block(&keys)).unwrap();
                all.extend(keys);
                let held: usize = sorter.blocks.iter().map(Vec::capacity).sum();
                assert_eq!(sorter.held_bytes, held);
                let wanted: usize = sorter.rows.iter().map(KeyedRow::length).sum();
                assert_eq!(sorter.wanted_bytes, wanted);
                most_bytes = most_bytes.max(held);
            }
            let row_bytes = ROW_BYTES + 4;
            assert!(
                most_bytes <= 2 * (2 * limit + 10) * row_bytes,
                "{most_bytes}"
            );
            all.sort_unstable();
            let mut given = Lines::default();
            assert_eq!(sorter.end(&form(), &mut given).unwrap(), limit as u64);
            let rows = all[..limit].iter().map(|key| [*key as u8; ROW_BYTES]);
            assert!(given.bytes == rows.collect::<Vec<_>>().concat());
            assert_eq!(spill.runs(), 0);
        }
    }

    /// Rows of one key stay as they came, through blocks that are compacted and runs that are spilled.
    #[test]
    fn rows_of_one_key_stay_as_they_came() {
        let folder = Folder::new("sorter-stable");
        let (mut spilled, mut compacted) = (0, 0);
        for seed in 1..=60 {
            let mut random = Random::new(seed);
            let limit = random.pick(&[20, 100, usize::MAX]);
            let memory_bytes = random.pick(&[2_000, 1 << 30]);
            let mut spill = Spill::new(folder.path().join(format!("{seed}")), memory_bytes);
            let mut sorter = Sorter::new(limit, memory_bytes, &mut spill);
            let mut expected = Vec::new();
            for _ in 0..random.below(60) {
                let mut rows = KeyedRows::default();
                for _ in 0..random.below(30) {
                    // Of one length, as no key may begin another; some are told apart beyond the prefix alone.
                    let mut key = [b'k'; 18];
                    key[random.pick(&[0, 17])] = random.below(4) as u8;
                    let row = (expected.len() as u32).to_be_bytes();
                    rows.push(&key, |bytes| bytes.extend_from_slice(&row));
                    expected.push((key, row));
                }
                let before = sorter.blocks.len();
                sorter.take(rows).unwrap();
                compacted += usize::from(sorter.blocks.len() < before && !sorter.rows.is_empty());
            }
            expected.sort_by_key(|(key, _)| *key);
            expected.truncate(limit);
            let mut given = Lines::default();
            let count = sorter.end(&form(), &mut given).unwrap();
            assert_eq!(count, expected.len() as u64);
            let rows: Vec<[u8; 4]> = expected.into_iter().map(|(_, row)| row).collect();
            assert_eq!(given.bytes, rows.concat(), "seed {seed}");
            spilled += spill.runs();
        }
        assert!(spilled > 100 && compacted > 20, "{spilled} {compacted}");
    }

    /// Few calls, each of about as many bytes as are gathered, however long a row is.
    #[test]
    fn lines_are_given_many_at_a_time() {
        let folder = Folder::new("sorter-lines");
        let mut spill = Spill::new(folder.path().join("file"), 1 << 30);
        let mut sorter = Sorter::new(usize::MAX, 1 << 30, &mut spill);
        let mut random = Random::new(3);
        let mut expected = Vec::new();
        for _ in 0..40 {
            let mut rows = KeyedRows::default();
            for _ in 0..100 {
                let key = random.below(1 << 30) as u32;
                let length = random.pick(&[10, 1000, GATHERED_BYTES]);
                let length = if random.below(50) == 0 {
                    length
                } else {
                    length.min(1000)
                };
                let row = vec![key as u8; length];
                rows.push(&key.to_be_bytes(), |bytes| bytes.extend_from_slice(&row));
                expected.push((key, row));
            }
            sorter.take(rows).unwrap();
        }
        expected.sort_by_key(|(key, _)| *key);
        let bytes: Vec<u8> = expected.into_iter().flat_map(|(_, row)| row).collect();
        let mut given = Lines::default();
        sorter.end(&form(), &mut given).unwrap();
        assert!(given.bytes == bytes);
        let calls = bytes.len() / (2 * GATHERED_BYTES)..=bytes.len() / GATHERED_BYTES + 1;
        assert!(
            calls.contains(&given.calls),
            "{} in {}",
            given.calls,
            bytes.len()
        );
    }
}
