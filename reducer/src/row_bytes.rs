//! Finished rows as bytes, on their way to where they belong: through the sort, which may go to disk. Values that are
//! made of finished rows (lists, objects) have no other way to be written: they never travel.

use std::borrow::Cow;

use bstr::ByteSlice;
use jobspec::value::{Level, Time, Value};
use mapper::operator::OutputColumn;

use crate::Error;
use crate::output::Lines;
use crate::reduce::{RowSink, Takes};

/// Lists and objects inside each other: more than any row has.
const MAX_DEPTH: u32 = 64;

/// What of a row is kept until it is in its place: what will be wanted of it.
pub struct Form {
    takes: Takes,
    lines: Lines,
}

impl Form {
    pub fn new(takes: Takes, columns: &[OutputColumn]) -> Form {
        Form {
            takes,
            lines: Lines::new(columns),
        }
    }

    /// Whether what is kept of a row is its line and nothing else.
    pub fn is_line(&self) -> bool {
        self.takes.lines && !self.takes.values
    }

    /// Appends a row.
    pub fn append(&self, row: &[Value<'_>], out: &mut Vec<u8>) {
        if self.is_line() {
            return self.lines.append(row, out);
        }
        if self.takes.lines {
            let start = out.len();
            out.extend_from_slice(&[0; 8]);
            self.lines.append(row, out);
            let length = (out.len() - start - 8) as u64;
            out[start..start + 8].copy_from_slice(&length.to_le_bytes());
        }
        if self.takes.values {
            append_row(row, out);
        }
    }

    /// Gives a row to the sink; None where the bytes are of none.
    pub fn give(&self, mut bytes: &[u8], sink: &mut dyn RowSink) -> Option<Result<(), Error>> {
        if self.is_line() {
            return Some(sink.lines(bytes));
        }
        let mut given = Ok(());
        if self.takes.lines {
            given = sink.lines(take_bytes(&mut bytes)?);
        }
        if self.takes.values {
            let row = read_row(bytes)?;
            given = given.and_then(|()| sink.row(&row));
        }
        Some(given)
    }
}

/// Appends the values of a row.
pub fn append_row(row: &[Value<'_>], out: &mut Vec<u8>) {
    row.iter().for_each(|value| append(value, out));
}

/// The row of these bytes; None where they are of none.
pub fn read_row(mut bytes: &[u8]) -> Option<Vec<Value<'_>>> {
    let mut row = Vec::new();
    while !bytes.is_empty() {
        row.push(read(&mut bytes, 0)?);
    }
    Some(row)
}

fn append(value: &Value<'_>, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(0),
        Value::Bool(bool) => out.extend([1, u8::from(*bool)]),
        Value::Int(number) => match i64::try_from(*number) {
            Ok(number) => {
                out.push(2);
                out.extend_from_slice(&number.to_le_bytes());
            }
            Err(_) => {
                out.push(3);
                out.extend_from_slice(&number.to_le_bytes());
            }
        },
        Value::Float(number) => {
            out.push(4);
            out.extend_from_slice(&number.to_le_bytes());
        }
        Value::Time(time) => {
            out.push(5);
            out.extend_from_slice(&time.ns.to_le_bytes());
            out.push(time.digits);
        }
        Value::Level(level) => out.extend([6, *level as u8]),
        Value::Text(text) => {
            out.push(7);
            append_bytes(text, out);
        }
        Value::Json(text) => {
            out.push(8);
            append_bytes(text, out);
        }
        Value::List(list) => {
            out.push(9);
            out.extend_from_slice(&(list.len() as u64).to_le_bytes());
            list.iter().for_each(|value| append(value, out));
        }
        Value::Object(object) => {
            out.push(10);
            out.extend_from_slice(&(object.len() as u64).to_le_bytes());
            for (name, value) in object {
                append_bytes(name.as_bytes(), out);
                append(value, out);
            }
        }
    }
}

fn append_bytes(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    out.extend_from_slice(bytes);
}

fn read<'a>(bytes: &mut &'a [u8], depth: u32) -> Option<Value<'a>> {
    if depth > MAX_DEPTH {
        return None;
    }
    let [tag] = take(bytes)?;
    Some(match tag {
        0 => Value::Null,
        1 => Value::Bool(take::<1>(bytes)? != [0]),
        2 => Value::Int(i64::from_le_bytes(take(bytes)?).into()),
        3 => Value::Int(i128::from_le_bytes(take(bytes)?)),
        4 => Value::Float(f64::from_le_bytes(take(bytes)?)),
        5 => {
            let ns = i64::from_le_bytes(take(bytes)?);
            let [digits] = take(bytes)?;
            Value::Time(Time::new(ns, digits))
        }
        6 => {
            let [level] = take(bytes)?;
            Value::Level(*Level::ALL.get(usize::from(level))?)
        }
        7 => Value::text(take_bytes(bytes)?),
        8 => Value::Json(Cow::Borrowed(take_bytes(bytes)?.as_bstr())),
        9 => {
            let length = take_length(bytes)?;
            let mut list = Vec::with_capacity(length);
            for _ in 0..length {
                list.push(read(bytes, depth + 1)?);
            }
            Value::List(list)
        }
        10 => {
            let length = take_length(bytes)?;
            let mut object = Vec::with_capacity(length);
            for _ in 0..length {
                let name = Cow::Borrowed(take_bytes(bytes)?.to_str().ok()?);
                object.push((name, read(bytes, depth + 1)?));
            }
            Value::Object(object)
        }
        _ => return None,
    })
}

fn take<const LENGTH: usize>(bytes: &mut &[u8]) -> Option<[u8; LENGTH]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

/// A number of things of at least one byte each, so that it is never more than the bytes that are left.
fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    let length = usize::try_from(u64::from_le_bytes(take(bytes)?)).ok()?;
    (length <= bytes.len()).then_some(length)
}

fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = take_length(bytes)?;
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_whole() {
        let row = vec![
            Value::Null,
            Value::Bool(true),
            Value::Int(-7),
            Value::Int(i128::MAX),
            Value::float(0.1),
            Value::Time(Time::new(-1, 3)),
            Value::Level(Level::Error),
            Value::owned_text(b"\xff\0text".to_vec()),
            Value::Json(Cow::Owned("{\"a\":[1]}".into())),
            Value::List(vec![Value::Int(1), Value::List(Vec::new())]),
            Value::Object(vec![
                ("é".into(), Value::Null),
                ("b".into(), Value::owned_text("x")),
            ]),
        ];
        let mut bytes = Vec::new();
        append_row(&row, &mut bytes);
        assert_eq!(read_row(&bytes), Some(row));
        // Cut anywhere, or with another byte anywhere: no row, or another one, and never a panic.
        for at in 0..bytes.len() {
            let _ = read_row(&bytes[..at]);
            for byte in [0, 9, 10, 255] {
                let mut bytes = bytes.clone();
                bytes[at] = byte;
                let _ = read_row(&bytes);
            }
        }
        assert_eq!(read_row(&[9; 2000]), None);
        assert_eq!(read_row(&[11]), None);
    }
}
