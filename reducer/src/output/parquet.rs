//! Parquet with typed columns. A file's types stand before its rows, and what a column holds is known for certain when
//! the last row has come: rows are kept as bytes, on disk beyond a row group, and written typed at the end.
//!
//! A column is what its rows hold (whole numbers, doubles, times, booleans, texts, JSON), widened to what the plan says of it,
//! so that one night's file has the types of the next; values of several kinds make it text, as the csv has them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jobspec::plan::Plan;
use jobspec::value::Value;
use mapper::operator::OutputColumn;
use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::Type;

use super::columns::{Kind, columns};
use crate::Error;
use crate::reduce::RowSink;
use crate::row_bytes::{append_row, read_row};
use crate::spill::{Cursor, Run, Spill};

/// A row group ends at so many rows, or so many bytes of them: that much is in memory, and once more as columns.
const GROUP_ROWS: usize = 1 << 17;
const GROUP_BYTES: usize = 32 << 20;

/// Whole numbers up to here are doubles too.
const EXACT_WHOLE: u128 = 1 << 53;

/// Writes `<operator>.parquet` for every operator.
pub struct Parquet<'a> {
    plan: &'a Plan,
    folder: PathBuf,
    properties: WriterPropertiesPtr,
    open: Option<Table>,
}

struct Table {
    path: PathBuf,
    columns: Vec<SeenColumn>,
    /// The rows of the group that is being filled, and where each ends.
    bytes: Vec<u8>,
    ends: Vec<usize>,
    spill: Spill,
    /// Full groups, each a run of its rows.
    groups: Vec<Run>,
}

impl<'a> Parquet<'a> {
    pub fn new(folder: &Path, plan: &'a Plan) -> Parquet<'a> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(format!("logstitch {}", env!("CARGO_PKG_VERSION")))
            // Log lines are long: what a reader skips by is their beginning.
            .set_statistics_truncate_length(Some(64))
            .set_max_row_group_row_count(None);
        Parquet {
            plan,
            folder: folder.to_owned(),
            properties: Arc::new(properties.build()),
            open: None,
        }
    }
}

impl RowSink for Parquet<'_> {
    fn begin(&mut self, operator: &str, output: &[OutputColumn]) -> Result<(), Error> {
        let mut operators = self.plan.operators.iter();
        let planned = operators
            .find(|planned| planned.name == operator)
            .map_or(Vec::new(), |planned| columns(self.plan, planned, output));
        let columns = output.iter().enumerate().map(|(index, column)| SeenColumn {
            name: column.name.clone(),
            planned: planned.get(index).and_then(|column| column.kind),
            seen: Seen::default(),
        });
        self.open = Some(Table {
            path: self.folder.join(format!("{operator}.parquet")),
            columns: columns.collect(),
            bytes: Vec::new(),
            ends: Vec::new(),
            spill: Spill::new(
                self.folder.join(format!(".{operator}.parquet-rows")),
                GROUP_BYTES as u64,
            ),
            groups: Vec::new(),
        });
        Ok(())
    }

    fn row(&mut self, row: &[Value<'_>]) -> Result<(), Error> {
        let table = self
            .open
            .as_mut()
            .expect("a row comes between begin and end");
        for (column, value) in table.columns.iter_mut().zip(row) {
            column.seen.add(value);
        }
        append_row(row, &mut table.bytes);
        table.ends.push(table.bytes.len());
        if table.ends.len() >= GROUP_ROWS || table.bytes.len() >= GROUP_BYTES {
            table.spill_group()?;
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        let table = self.open.take().expect("an end comes after a begin");
        table.write(self.properties.clone())
    }
}

impl Table {
    fn spill_group(&mut self) -> Result<(), Error> {
        let mut run = self.spill.begin()?;
        let mut start = 0;
        for (ordinal, end) in self.ends.iter().enumerate() {
            run.push(&(ordinal as u64).to_be_bytes(), &self.bytes[start..*end])?;
            start = *end;
        }
        self.groups.push(run.end()?);
        self.bytes.clear();
        self.ends.clear();
        Ok(())
    }

    fn write(mut self, properties: WriterPropertiesPtr) -> Result<(), Error> {
        let types: Vec<ColumnType> = self.columns.iter().map(SeenColumn::column_type).collect();
        let failed = |error| failed(&self.path, error);
        let fields = self
            .columns
            .iter()
            .zip(&types)
            .map(|(column, column_type)| {
                let builder = Type::primitive_type_builder(&column.name, column_type.physical())
                    .with_logical_type(column_type.logical())
                    .with_repetition(Repetition::OPTIONAL);
                builder.build().map(Arc::new)
            });
        let fields = fields.collect::<Result<Vec<_>, _>>().map_err(failed)?;
        let schema = Type::group_type_builder("row").with_fields(fields).build();
        let file = File::create(&self.path).map_err(Error::io(&self.path))?;
        let schema = Arc::new(schema.map_err(failed)?);
        let mut writer = SerializedFileWriter::new(file, schema, properties).map_err(failed)?;
        let mut write_group = |columns: Vec<Values>| -> Result<(), ParquetError> {
            let mut group = writer.next_row_group()?;
            for values in columns {
                let column = group.next_column()?;
                values.write(column.expect("a column of the schema for each of the row"))?;
            }
            group.close().map(|_| ())
        };
        let empty = || -> Vec<Values> { types.iter().map(|column| Values::new(*column)).collect() };
        for run in std::mem::take(&mut self.groups) {
            let mut columns = empty();
            let mut cursor = Cursor::new(run);
            while cursor.advance()? {
                add_row(&mut columns, cursor.value(), &self.path)?;
            }
            write_group(columns).map_err(failed)?;
        }
        if !self.ends.is_empty() {
            let mut columns = empty();
            let mut start = 0;
            for end in &self.ends {
                add_row(&mut columns, &self.bytes[start..*end], &self.path)?;
                start = *end;
            }
            write_group(columns).map_err(failed)?;
        }
        let file = writer.into_inner().map_err(failed)?;
        file.sync_all().map_err(Error::io(&self.path))
    }
}

fn add_row(columns: &mut [Values], bytes: &[u8], path: &Path) -> Result<(), Error> {
    let row = read_row(bytes).filter(|row| row.len() == columns.len());
    let row = row.ok_or_else(|| {
        Error::Other(format!(
            "{}: a row came back broken from disk",
            path.display()
        ))
    })?;
    for (column, value) in columns.iter_mut().zip(row) {
        column.push(value);
    }
    Ok(())
}

fn failed(path: &Path, error: ParquetError) -> Error {
    match error {
        ParquetError::External(error) => match error.downcast() {
            Ok(error) => Error::io(path)(*error),
            Err(error) => Error::Other(format!("{}: {error}", path.display())),
        },
        error => Error::Other(format!("{}: {error}", path.display())),
    }
}

struct SeenColumn {
    name: String,
    planned: Option<Kind>,
    seen: Seen,
}

/// What the rows of a column hold.
#[derive(Default)]
struct Seen {
    bools: bool,
    ints: bool,
    floats: bool,
    times: bool,
    texts: bool,
    nested: bool,
    least: i128,
    greatest: i128,
}

impl Seen {
    fn add(&mut self, value: &Value<'_>) {
        match value {
            Value::Null => {}
            Value::Bool(_) => self.bools = true,
            Value::Int(number) => {
                self.ints = true;
                self.least = self.least.min(*number);
                self.greatest = self.greatest.max(*number);
            }
            Value::Float(_) => self.floats = true,
            Value::Time(_) => self.times = true,
            Value::Level(_) | Value::Text(_) => self.texts = true,
            Value::Json(_) | Value::List(_) | Value::Object(_) => self.nested = true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ColumnType {
    Bool,
    Int,
    /// Beyond 63 bits, never below zero.
    UnsignedInt,
    Double,
    Time,
    Text,
    Json,
}

impl SeenColumn {
    fn column_type(&self) -> ColumnType {
        let seen = &self.seen;
        let numbers = seen.ints || seen.floats;
        match (seen.bools, numbers, seen.times, seen.texts, seen.nested) {
            // Nothing but NULL.
            (false, false, false, false, false) => match self.planned {
                Some(Kind::Bool) => ColumnType::Bool,
                Some(Kind::Count) => ColumnType::Int,
                Some(Kind::Number) => ColumnType::Double,
                Some(Kind::Time) => ColumnType::Time,
                Some(Kind::Nested) => ColumnType::Json,
                Some(Kind::Level | Kind::Text) | None => ColumnType::Text,
            },
            (true, false, false, false, false) => ColumnType::Bool,
            (false, true, false, false, false) => self.number_type(),
            (false, false, true, false, false) => ColumnType::Time,
            (false, false, false, false, true) => ColumnType::Json,
            _ => ColumnType::Text,
        }
    }

    /// No number is rounded: what fits neither whole numbers nor doubles exactly is text.
    fn number_type(&self) -> ColumnType {
        let seen = &self.seen;
        let (least, greatest) = (seen.least, seen.greatest);
        let is_exact =
            least.unsigned_abs() <= EXACT_WHOLE && greatest.unsigned_abs() <= EXACT_WHOLE;
        if is_exact && (seen.floats || self.planned == Some(Kind::Number)) {
            ColumnType::Double
        } else if seen.floats {
            ColumnType::Text
        } else if i64::try_from(least).is_ok() && i64::try_from(greatest).is_ok() {
            ColumnType::Int
        } else if least >= 0 && u64::try_from(greatest).is_ok() {
            ColumnType::UnsignedInt
        } else {
            ColumnType::Text
        }
    }
}

impl ColumnType {
    fn physical(self) -> Physical {
        match self {
            ColumnType::Bool => Physical::BOOLEAN,
            ColumnType::Int | ColumnType::UnsignedInt | ColumnType::Time => Physical::INT64,
            ColumnType::Double => Physical::DOUBLE,
            ColumnType::Text | ColumnType::Json => Physical::BYTE_ARRAY,
        }
    }

    fn logical(self) -> Option<LogicalType> {
        match self {
            ColumnType::Bool | ColumnType::Int | ColumnType::Double => None,
            ColumnType::UnsignedInt => Some(LogicalType::integer(64, false)),
            ColumnType::Time => Some(LogicalType::timestamp(true, TimeUnit::NANOS)),
            ColumnType::Text => Some(LogicalType::String),
            ColumnType::Json => Some(LogicalType::Json),
        }
    }
}

/// A column of one row group: which rows have a value, and these.
struct Values {
    levels: Vec<i16>,
    values: Typed,
    is_json: bool,
}

enum Typed {
    Bools(Vec<bool>),
    Ints(Vec<i64>),
    Doubles(Vec<f64>),
    Bytes(Vec<ByteArray>),
}

impl Values {
    fn new(column: ColumnType) -> Values {
        let values = match column {
            ColumnType::Bool => Typed::Bools(Vec::new()),
            ColumnType::Int | ColumnType::UnsignedInt | ColumnType::Time => Typed::Ints(Vec::new()),
            ColumnType::Double => Typed::Doubles(Vec::new()),
            ColumnType::Text | ColumnType::Json => Typed::Bytes(Vec::new()),
        };
        Values {
            levels: Vec::new(),
            values,
            is_json: column == ColumnType::Json,
        }
    }

    fn push(&mut self, value: Value<'_>) {
        self.levels.push(i16::from(!value.is_null()));
        match (&mut self.values, value) {
            (_, Value::Null) => {}
            (Typed::Bools(list), Value::Bool(bool)) => list.push(bool),
            (Typed::Ints(list), Value::Time(time)) => list.push(time.ns),
            // Unsigned numbers keep their bits.
            (Typed::Ints(list), Value::Int(number)) => list.push(number as i64),
            (Typed::Doubles(list), Value::Int(number)) => list.push(number as f64),
            (Typed::Doubles(list), Value::Float(number)) => list.push(number),
            (Typed::Bytes(list), value) => {
                let mut text = Vec::new();
                match self.is_json {
                    true => value.write_json(&mut text),
                    false => value.write_text(&mut text),
                }
                // Readers refuse a text that is no UTF-8.
                let text = String::from_utf8(text)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
                list.push(text.into_bytes().into());
            }
            _ => unreachable!("a column's type was chosen by all its values"),
        }
    }

    fn write(self, mut column: SerializedColumnWriter<'_>) -> Result<(), ParquetError> {
        let levels = Some(&self.levels[..]);
        match self.values {
            Typed::Bools(values) => column
                .typed::<BoolType>()
                .write_batch(&values, levels, None),
            Typed::Ints(values) => column
                .typed::<Int64Type>()
                .write_batch(&values, levels, None),
            Typed::Doubles(values) => column
                .typed::<DoubleType>()
                .write_batch(&values, levels, None),
            Typed::Bytes(values) => column
                .typed::<ByteArrayType>()
                .write_batch(&values, levels, None),
        }?;
        column.close()
    }
}

#[cfg(test)]
mod tests;
