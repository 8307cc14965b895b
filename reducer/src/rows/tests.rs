//! Rows sorted with any budget and limit are those of a sort in memory.

use jobspec::value::{OwnedValue, Value};
use mapper::operator::{OutputColumn, SortKey};

use super::*;
use crate::output::Lines;
use crate::reduce::Takes;
use crate::testing::{Folder, Random};

#[derive(Default)]
struct Collected(Vec<Vec<OwnedValue>>);

impl RowSink for Collected {
    fn begin(&mut self, _operator: &str, _columns: &[OutputColumn]) -> Result<(), Error> {
        Ok(())
    }

    fn row(&mut self, row: &[Value<'_>]) -> Result<(), Error> {
        self.0
            .push(row.iter().cloned().map(Value::into_owned).collect());
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

#[test]
fn rows_are_sorted_whatever_the_budget_and_the_limit() {
    let folder = Folder::new("rows");
    let mut spilled = 0;
    for seed in 1..=120 {
        let mut random = Random::new(seed);
        let memory_bytes = random.pick(&[0, 2_000, 50_000, 1 << 30]);
        let limit = random.pick(&[None, Some(0), Some(1), Some(7), Some(100)]);
        let keys = random.pick(&[1, 5, 1000]);
        let count = random.below(800);
        let rows: Vec<Vec<OwnedValue>> = (0..count)
            .map(|ordinal| {
                let key = match random.below(4) {
                    0 => Value::Int(random.below(keys) as i128),
                    1 => Value::owned_text(random.below(keys).to_string()),
                    2 => Value::owned_text(random.bytes(20)),
                    _ => Value::Null,
                };
                let list = Value::List(vec![key.clone()]);
                vec![key, Value::Int(ordinal as i128), list]
            })
            .collect();
        let descending = random.below(2) == 0;
        let key = |row: &[OwnedValue]| {
            let mut key = SortKey::new();
            key.order(&row[0], descending);
            key.into_bytes()
        };
        let mut expected = rows.clone();
        expected.sort_by_key(|row| key(row));
        expected.truncate(limit.unwrap_or(usize::MAX));

        let mut spill = Spill::new(folder.path().join(format!("{seed}")), memory_bytes);
        let mut sink = Collected::default();
        let form = Form::new(sink.takes(), &[]);
        let mut finished = Finished::new(&mut sink, &form, limit, memory_bytes, &mut spill);
        let batch = random.pick(&[1, 10, 1000]);
        for rows in rows.chunks(batch) {
            let mut made = finished.begin(0);
            for row in rows {
                made.push_keyed(&key(row), row);
            }
            finished.take(made.done()).unwrap();
        }
        let count = finished.end().unwrap();
        spilled += spill.runs();
        assert_eq!(count, sink.0.len() as u64);
        assert_eq!(sink.0, expected, "seed {seed}");
    }
    assert!(spilled > 1000, "{spilled}");
}

#[test]
fn rows_in_order_go_straight_on() {
    let folder = Folder::new("rows-in-order");
    let mut spill = Spill::new(folder.path().join("file"), 0);
    let mut sink = Collected::default();
    let form = Form::new(sink.takes(), &[]);
    let mut finished = Finished::new(&mut sink, &form, Some(2), 0, &mut spill);
    for number in [3, 1, 2] {
        assert_eq!(finished.is_full(), number == 2);
        let mut made = finished.begin(0);
        made.push(&[Value::Int(number)]);
        finished.take(made.done()).unwrap();
    }
    assert!(finished.is_full());
    assert_eq!(finished.end().unwrap(), 2);
    assert_eq!(sink.0, [[Value::Int(3)], [Value::Int(1)]]);
    assert_eq!(spill.bytes(), 0);
}

/// Takes lines, and counts values where it wants them.
struct LinesAnd {
    values: bool,
    lines: Vec<u8>,
    rows: u64,
}

impl RowSink for LinesAnd {
    fn begin(&mut self, _operator: &str, _columns: &[OutputColumn]) -> Result<(), Error> {
        Ok(())
    }

    fn takes(&self) -> Takes {
        Takes {
            values: self.values,
            lines: true,
        }
    }

    fn row(&mut self, _row: &[Value<'_>]) -> Result<(), Error> {
        self.rows += 1;
        Ok(())
    }

    fn lines(&mut self, lines: &[u8]) -> Result<(), Error> {
        self.lines.extend_from_slice(lines);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Many at a time or one by one, beside values or alone, spilled or not: the lines are the same bytes.
#[test]
fn lines_are_the_same_bytes_whatever_else_is_taken() {
    let folder = Folder::new("rows-lines");
    let columns = [OutputColumn::new("number"), OutputColumn::new("text")];
    let mut spilled = 0;
    for seed in 1..=60 {
        let mut random = Random::new(seed);
        let limit = random.pick(&[None, Some(0), Some(3), Some(60)]);
        let is_keyed = random.below(3) > 0;
        let rows: Vec<Vec<OwnedValue>> = (0..random.below(400))
            .map(|ordinal| {
                let text = random.bytes(40);
                vec![Value::Int(ordinal as i128), Value::owned_text(text)]
            })
            .collect();
        let key = |row: &[OwnedValue]| {
            let mut key = SortKey::new();
            key.order(&row[1], false);
            key.into_bytes()
        };
        let mut sorted = rows.clone();
        if is_keyed {
            sorted.sort_by_key(|row| key(row));
        }
        sorted.truncate(limit.unwrap_or(usize::MAX));
        let mut expected = Vec::new();
        let form = Lines::new(&columns);
        sorted
            .iter()
            .for_each(|row| form.append(row, &mut expected));

        let batch = random.pick(&[1, 7, 100]);
        for (way, (values, memory_bytes)) in [
            (false, 1 << 30),
            (true, 1 << 30),
            (false, 5_000),
            (true, 5_000),
        ]
        .into_iter()
        .enumerate()
        {
            let path = folder.path().join(format!("{seed}-{way}"));
            let mut spill = Spill::new(path, memory_bytes);
            let mut sink = LinesAnd {
                values,
                lines: Vec::new(),
                rows: 0,
            };
            let form = Form::new(sink.takes(), &columns);
            let mut finished = Finished::new(&mut sink, &form, limit, memory_bytes, &mut spill);
            for rows in rows.chunks(batch) {
                let mut made = finished.begin(100);
                for row in rows {
                    match is_keyed {
                        true => made.push_keyed(&key(row), row),
                        false => made.push(row),
                    }
                }
                finished.take(made.done()).unwrap();
            }
            assert_eq!(finished.end().unwrap(), sorted.len() as u64);
            assert!(sink.lines == expected, "seed {seed}, way {way}");
            assert_eq!(sink.rows, if values { sorted.len() as u64 } else { 0 });
            spilled += spill.runs();
        }
    }
    assert!(spilled > 100, "{spilled}");
}
