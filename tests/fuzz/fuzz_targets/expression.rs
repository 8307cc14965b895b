//! Any text is an expression, a query, a check or mistakes with places inside it; any bytes are an expression or an
//! error; and whatever was read is evaluated and goes through bytes and back.
#![no_main]

mod room;

use jobspec::expr::parse::{self, FieldTable, Inner, Mistake, ResultOperator, Scope};
use jobspec::expr::{Column, Expr, FieldId, Misfits, Row, Search};
use jobspec::value::{Level, Time, Value};
use libfuzzer_sys::fuzz_target;

const LIMIT: usize = 1 << 20;

/// An entry whose fields are pieces of the input.
struct Entry<'a> {
    text: &'a [u8],
}

impl Row for Entry<'_> {
    fn column(&self, column: Column) -> Value<'_> {
        match column {
            Column::Time => Value::Time(Time::new(1_768_831_628_500_000_000, 3)),
            Column::Level => Value::Level(Level::Warn),
            Column::Offset => Value::Int(1 << 40),
            Column::Valid => Value::Bool(true),
            _ => Value::text(self.text),
        }
    }

    fn field(&self, field: FieldId) -> Option<Value<'_>> {
        match field % 6 {
            0 => Some(Value::text(self.text)),
            1 => Value::parse_number(self.text).or(Some(Value::Int(i128::MAX))),
            2 => Some(Value::float(-0.5)),
            3 => Some(Value::Bool(false)),
            4 => Some(Value::Null),
            _ => None,
        }
    }

    fn output(&self, index: u16) -> Value<'_> {
        Value::Int(index.into())
    }
}

fn check<T>(text: &str, made: Result<T, Vec<Mistake>>) -> Option<T> {
    match made {
        Ok(made) => Some(made),
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            for mistake in mistakes {
                assert!(text.get(mistake.span.clone()).is_some(), "{mistake:?}");
            }
            None
        }
    }
}

fn evaluate(expr: &Expr, data: &[u8]) {
    let config = bincode::config::standard().with_limit::<LIMIT>();
    if let Ok(bytes) = bincode::serde::encode_to_vec(expr, config) {
        // Sets and patterns are built anew as they are decoded.
        let (again, _): (Expr, usize) =
            bincode::serde::decode_from_slice(&bytes, config).expect("what was encoded is decoded");
        assert_eq!(&again, expr);
    }
    let entry = Entry { text: data };
    let _ = expr.eval(&entry, &Misfits::default());
    let _ = expr.holds(&entry, &Misfits::default());
}

fuzz_target!(|data: &[u8]| room::in_room(data, read));

fn read(data: &[u8]) {
    let config = bincode::config::standard().with_limit::<LIMIT>();
    if let Ok((expr, _)) = bincode::serde::decode_from_slice::<Expr, _>(data, config) {
        evaluate(&expr, data);
    }
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(search) = Search::new(text) {
        let _ = search.is_match(data);
    }
    let mut fields = FieldTable::default();
    let mut scope = Scope {
        fields: &mut fields,
        timezone: "Europe/Berlin",
    };
    if let Some(expr) = check(text, parse::predicate(text, &mut scope)) {
        evaluate(&expr, data);
    }
    let mut inner = Inner::default();
    if let Some(expr) = check(text, parse::column(text, &mut inner, &mut scope)) {
        evaluate(&expr, data);
    }
    check(text, parse::entry_order(text, &mut scope));
    check(text, parse::query(text, &["app".to_owned()], &mut scope));
    let operators = [ResultOperator {
        name: "latency".to_owned(),
        has_key: true,
        columns: vec!["service".to_owned(), "p95".to_owned()],
    }];
    check(text, parse::result(text, &operators, true));
}
