//! Types that rows and plan make of a column, and rows that come back from more than one group.

use std::borrow::Cow;

use jobspec::value::{Level, Time};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;

use super::*;
use crate::testing::Folder;

fn type_of(planned: Option<Kind>, values: &[Value<'_>]) -> ColumnType {
    let mut column = SeenColumn {
        name: String::new(),
        planned,
        seen: Seen::default(),
    };
    values.iter().for_each(|value| column.seen.add(value));
    column.column_type()
}

#[test]
fn a_column_has_the_type_of_its_rows() {
    let int = Value::Int;
    let text = || Value::owned_text("x");
    let time = || Value::Time(Time::new(0, 0));
    let json = || Value::Json(Cow::Owned("[]".into()));
    let half = || Value::float(0.5);
    let big = 1_i128 << 60;
    for (values, expected) in [
        (vec![], ColumnType::Text),
        (vec![Value::Null], ColumnType::Text),
        (vec![Value::Null, int(1), int(big)], ColumnType::Int),
        (vec![int(1), half()], ColumnType::Double),
        (vec![int(big), half()], ColumnType::Text),
        (vec![int(0), int(u64::MAX.into())], ColumnType::UnsignedInt),
        (vec![int(-1), int(u64::MAX.into())], ColumnType::Text),
        (vec![int(i128::MAX)], ColumnType::Text),
        (vec![time(), time()], ColumnType::Time),
        (vec![time(), text()], ColumnType::Text),
        (vec![Value::Bool(true), Value::Null], ColumnType::Bool),
        (vec![Value::Bool(true), int(1)], ColumnType::Text),
        (vec![Value::Level(Level::Warn), text()], ColumnType::Text),
        (vec![json(), Value::List(Vec::new())], ColumnType::Json),
        (vec![json(), text()], ColumnType::Text),
    ] {
        assert_eq!(type_of(None, &values), expected, "{values:?}");
    }
}

#[test]
fn the_plan_widens_it() {
    let int = Value::Int;
    assert_eq!(type_of(Some(Kind::Time), &[]), ColumnType::Time);
    assert_eq!(type_of(Some(Kind::Count), &[Value::Null]), ColumnType::Int);
    assert_eq!(type_of(Some(Kind::Number), &[int(7)]), ColumnType::Double);
    assert_eq!(
        type_of(Some(Kind::Number), &[int(1 << 60)]),
        ColumnType::Int
    );
    assert_eq!(
        type_of(Some(Kind::Number), &[Value::owned_text("x")]),
        ColumnType::Text
    );
}

#[test]
fn rows_of_several_groups_come_back() {
    let folder = Folder::new("parquet");
    let plan = Plan::default();
    let mut sink = Parquet::new(folder.path(), &plan);
    let columns = ["number", "mixed", "bytes"].map(OutputColumn::new);
    sink.begin("rows", &columns).unwrap();
    let rows = GROUP_ROWS * 2 + 3;
    for number in 0..rows {
        let mixed = match number % 3 {
            0 => Value::Null,
            1 => Value::Int(number as i128),
            _ => Value::List(vec![Value::Bool(true)]),
        };
        let bytes = Value::owned_text(b"a\xffb".to_vec());
        sink.row(&[Value::Int(number as i128), mixed, bytes])
            .unwrap();
    }
    sink.end().unwrap();
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "what was kept of rows is gone");
    let file = File::open(folder.path().join("rows.parquet")).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 3);
    let mut read = 0;
    for (number, row) in reader.get_row_iter(None).unwrap().enumerate() {
        let row: Vec<Field> = row
            .unwrap()
            .into_columns()
            .into_iter()
            .map(|(_, field)| field)
            .collect();
        let mixed = match number % 3 {
            0 => Field::Null,
            1 => Field::Str(number.to_string()),
            _ => Field::Str("[true]".to_owned()),
        };
        assert_eq!(
            row,
            [
                Field::Long(number as i64),
                mixed,
                Field::Str("a\u{fffd}b".to_owned())
            ]
        );
        read += 1;
    }
    assert_eq!(read, rows);
}
