//! Expressions and their values over one entry that has a field of every kind.

use std::borrow::Cow;

use bstr::ByteSlice;

use super::*;
use crate::expr::parse::{FieldTable, Scope, value};
use crate::plan::FieldPath;
use crate::value::{Level, OwnedValue};

const CONFIG: bincode::config::Configuration<
    bincode::config::LittleEndian,
    bincode::config::Varint,
    bincode::config::Limit<{ 1 << 20 }>,
> = bincode::config::standard().with_limit::<{ 1 << 20 }>();

struct Entry {
    paths: Vec<FieldPath>,
}

impl Row for Entry {
    fn column(&self, column: Column) -> Value<'_> {
        match column {
            Column::Time => Value::Time(Time::new(1_768_831_628_500_000_000, 3)),
            Column::Level => Value::Level(Level::Error),
            Column::Message => Value::text(b"database timeout: connection reset by peer"),
            Column::Raw => Value::text(b"raw"),
            Column::Host => Value::text(b"web1"),
            Column::File => Value::text(b"/var/log/app.log"),
            Column::Offset => Value::Int(100),
            Column::Log => Value::text(b"app"),
            Column::Valid => Value::Bool(true),
        }
    }

    fn field(&self, field: FieldId) -> Option<Value<'_>> {
        Some(match self.paths[usize::from(field)].text.as_str() {
            "n" => Value::Int(5),
            "f" => Value::Float(0.5),
            "huge" => Value::Int(i128::MAX),
            "least" => Value::Int(i128::MIN),
            "large" => Value::Float(1e308),
            "t" => Value::text(b"text"),
            "num" => Value::text(b"42"),
            "dec" => Value::text(b"4.50"),
            "yes" => Value::Bool(true),
            "no" => Value::Bool(false),
            "yes_text" => Value::text(b"true"),
            "null" => Value::Null,
            "obj" => Value::Json(Cow::Borrowed(b"{\"a\":1}".as_bstr())),
            "lvl" => Value::text(b"warning"),
            "when" => Value::text(b"2026-01-19T14:00:00Z"),
            "path" => Value::text(b"/api/pay?x=1"),
            "ip" => Value::text(b"10.1.2.3"),
            "ip6" => Value::text(b"2001:db8::1"),
            "mapped" => Value::text(b"::ffff:10.1.2.3"),
            "bad" => Value::text(b"\xffab"),
            "word" => Value::text("ÄRGER".as_bytes()),
            "empty" => Value::text(b""),
            _ => return None,
        })
    }

    fn output(&self, index: u16) -> Value<'_> {
        Value::Int(index.into())
    }
}

/// The value, and how many values did not fit; the tree went through bytes and back.
fn valued(text: &str) -> (OwnedValue, u64) {
    let mut fields = FieldTable::default();
    let mut scope = Scope {
        fields: &mut fields,
        timezone: "Europe/Berlin",
    };
    let made = value(text, &mut scope).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:?}"));
    let bytes = bincode::serde::encode_to_vec(&made, CONFIG).unwrap();
    let (expr, _): (Expr, usize) = bincode::serde::decode_from_slice(&bytes, CONFIG).unwrap();
    assert_eq!(expr, made, "{text}");
    let entry = Entry {
        paths: fields.into_paths(),
    };
    let misfits = Misfits::default();
    let value = expr.eval(&entry, &misfits).into_owned();
    // A condition is what it is as a value.
    if let Value::Bool(_) | Value::Null = value {
        let truth = match value {
            Value::Bool(truth) => Some(truth),
            _ => None,
        };
        assert_eq!(expr.truth(&entry, &Misfits::default()), truth, "{text}");
        assert_eq!(expr.holds(&entry, &Misfits::default()), truth == Some(true));
    }
    (value, misfits.0.get())
}

fn shown(value: &OwnedValue) -> String {
    let mut json = Vec::new();
    value.write_json(&mut json);
    String::from_utf8_lossy(&json).into_owned()
}

/// Expression, value as JSON, misfits.
fn check(cases: &[(&str, &str, u64)]) {
    for (text, wanted, misfits) in cases {
        let (value, found) = valued(text);
        assert_eq!(
            (shown(&value).as_str(), found),
            (*wanted, *misfits),
            "{text}"
        );
    }
}

#[test]
fn comparisons() {
    check(&[
        ("n = 5", "true", 0),
        ("n <> 5", "false", 0),
        ("n < 5.5 AND n <= 5 AND n > 4.5 AND n >= 5", "true", 0),
        ("f = 0.5 AND f < 1 AND huge > 1e30", "true", 0),
        // Two texts are texts.
        ("num < '5'", "true", 0),
        ("num = '42.0'", "false", 0),
        ("t > 'Text' AND t < 'text!'", "true", 0),
        ("word = 'ÄRGER' AND bad <> 'ab' AND empty = ''", "true", 0),
        // A number beside a text that is one.
        (
            "num = 42 AND num > 5 AND 42.0 = num AND dec = 4.5",
            "true",
            0,
        ),
        ("n = '5' AND n < '10' AND '5.0' = n", "true", 0),
        ("t = 5", "null", 1),
        ("5 < t", "null", 1),
        ("empty = 0", "null", 1),
        ("n = fields.t", "null", 1),
        ("n = yes", "null", 1),
        // NULL is never equal to anything.
        ("missing = 5", "null", 0),
        ("missing <> 5", "null", 0),
        ("fields.null = fields.null", "null", 0),
        ("n = NULL", "null", 0),
        ("yes = true AND no = false AND no < yes", "true", 0),
        ("yes_text = true AND true = yes_text", "true", 0),
        ("t = true", "null", 1),
        (
            "level = ERROR AND level > 'warn' AND level < FATAL AND level <> INFO",
            "true",
            0,
        ),
        ("level > fields.lvl AND fields.lvl < level", "true", 0),
        ("level = fields.t", "null", 1),
        ("level = fields.n", "null", 1),
        (
            "time > '2026-01-19T14:07:08Z' AND time < '2026-01-19 15:07:09'",
            "true",
            0,
        ),
        ("time > when AND when < time", "true", 0),
        // The digits that a log gave do not matter.
        ("time = '2026-01-19T14:07:08.500000Z'", "true", 0),
        ("time = t", "null", 1),
        ("time = n", "null", 1),
        ("obj = '{\"a\":1}' AND obj > '{'", "true", 0),
        ("obj = 5", "null", 1),
        (
            "host = 'web1' AND log = 'app' AND offset = 100 AND valid AND raw = 'raw'",
            "true",
            0,
        ),
        ("file LIKE '/var/%'", "true", 0),
    ]);
}

#[test]
fn conditions_with_null() {
    check(&[
        ("true AND true", "true", 0),
        ("true AND false", "false", 0),
        ("true AND NULL", "null", 0),
        ("false AND NULL", "false", 0),
        ("NULL AND false", "false", 0),
        ("NULL AND NULL", "null", 0),
        ("true OR NULL", "true", 0),
        ("NULL OR true", "true", 0),
        ("false OR NULL", "null", 0),
        ("false OR false", "false", 0),
        ("NULL OR NULL", "null", 0),
        ("NOT true", "false", 0),
        ("NOT false", "true", 0),
        ("NOT NULL", "null", 0),
        ("NOT missing = 1", "null", 0),
        (
            "missing IS NULL AND fields.null IS NULL AND n IS NOT NULL",
            "true",
            0,
        ),
        ("(missing = 1) IS NULL", "true", 0),
        // Fields that are conditions themselves.
        ("yes AND NOT no AND yes_text", "true", 0),
        ("NOT t", "null", 1),
        ("n OR yes", "true", 1),
        ("n OR no", "null", 1),
        ("missing AND yes", "null", 0),
    ]);
}

#[test]
fn between_and_in() {
    check(&[
        ("n BETWEEN 5 AND 5", "true", 0),
        ("n BETWEEN 6 AND 7", "false", 0),
        ("n NOT BETWEEN 6 AND 7", "true", 0),
        ("n BETWEEN NULL AND 4", "false", 0),
        ("n BETWEEN NULL AND 6", "null", 0),
        ("n BETWEEN 6 AND NULL", "false", 0),
        ("missing BETWEEN 1 AND 2", "null", 0),
        (
            "num BETWEEN 41 AND 43 AND level BETWEEN WARN AND ERROR",
            "true",
            0,
        ),
        ("t BETWEEN 1 AND 2", "null", 2),
        ("n IN (1, 5)", "true", 0),
        ("n IN (1, 2)", "false", 0),
        ("n NOT IN (1, 2)", "true", 0),
        ("n IN (1, NULL)", "null", 0),
        ("n IN (5, NULL)", "true", 0),
        ("n NOT IN (1, NULL)", "null", 0),
        ("missing IN (1, 2)", "null", 0),
        ("n IN ('5', 'x')", "true", 0),
        ("n IN ('6', 'x')", "null", 1),
        ("f IN (0.5) AND f IN ('0.50') AND 5.0 IN (n, 1)", "true", 0),
        ("t IN ('a', 'text')", "true", 0),
        ("t IN ('a', 'b')", "false", 0),
        ("t IN (1, 'text')", "true", 0),
        ("t IN (1, 'b')", "null", 1),
        ("num IN (1, 42)", "true", 0),
        ("num IN ('42.0')", "false", 0),
        (
            "yes IN (true) AND yes_text IN (true, false) AND NOT no IN (true)",
            "true",
            0,
        ),
        (
            "yes IN ('true') AND NOT no IN ('true', 'false') IS NULL",
            "true",
            0,
        ),
        (
            "level IN (ERROR, FATAL) AND level NOT IN (INFO) AND lvl IN ('warning')",
            "true",
            0,
        ),
        ("time IN ('2026-01-19T14:07:08.5Z')", "true", 0),
        ("obj IN ('{\"a\":1}')", "true", 0),
        ("obj IN (1)", "null", 1),
        ("n IN (t, n)", "true", 0),
        ("n IN (t, 6)", "null", 1),
        ("n IN (missing, 6)", "null", 0),
    ]);
}

#[test]
fn patterns() {
    check(&[
        ("message LIKE '%timeout%'", "true", 0),
        ("message LIKE 'timeout%'", "false", 0),
        ("message NOT LIKE 'timeout%'", "true", 0),
        (
            "message ILIKE 'DATABASE%PEER' AND word ILIKE 'ärg__'",
            "true",
            0,
        ),
        ("word LIKE 'ärg__'", "false", 0),
        ("missing LIKE '%'", "null", 0),
        ("missing NOT LIKE '%'", "null", 0),
        (
            "message ~ 'time(out)?' AND message !~ '^timeout' AND message ~* 'TIME'",
            "true",
            0,
        ),
        ("message !~* 'TIME'", "false", 0),
        ("missing ~ '.'", "null", 0),
        (
            "bad ~ '(?-u:\\xff)ab' AND bad LIKE '_ab' AND bad LIKE '%ab'",
            "true",
            0,
        ),
        // What is no text is matched as it is written.
        (
            "n LIKE '5' AND f LIKE '0.%' AND level ~ '^ERR' AND obj LIKE '{%'",
            "true",
            0,
        ),
        ("yes LIKE 'tr%' AND time LIKE '2026-01-19T14:%'", "true", 0),
        (
            "search(message, 'timeout AND NOT \"reset connection\"')",
            "true",
            0,
        ),
        ("search(message, '\"connection reset\" conn*')", "true", 0),
        ("search(message, 'connect')", "false", 0),
        ("search(missing, 'NOT x')", "null", 0),
        ("search(n, '5')", "true", 0),
    ]);
}

#[test]
fn arithmetic_is_exact_where_it_can_be() {
    check(&[
        ("n + 1", "6", 0),
        ("n - 7", "-2", 0),
        ("n * n", "25", 0),
        ("n / 5", "1", 0),
        ("n / 2", "2.5", 0),
        ("1 / 3", "0.3333333333333333", 0),
        ("n % 3", "2", 0),
        ("-n % 3", "-2", 0),
        ("n % -3", "2", 0),
        ("-n / 2", "-2.5", 0),
        ("5.5 % 2", "1.5", 0),
        ("-5.5 % 2", "-1.5", 0),
        ("0.1 + 0.2", "0.30000000000000004", 0),
        ("0.5 + f", "1", 0),
        ("f * 4", "2", 0),
        ("num + 1", "43", 0),
        ("dec * 2", "9", 0),
        ("-num", "-42", 0),
        ("9007199254740993 + 0", "9007199254740993", 0),
        ("huge - 1", "170141183460469231731687303715884105726", 0),
        ("huge + 1", "null", 1),
        ("huge * huge", "null", 1),
        ("-least", "null", 1),
        ("least / -1", "null", 1),
        ("least % -1", "0", 0),
        ("large * 10", "null", 1),
        ("-f", "-0.5", 0),
        ("n / 0", "null", 1),
        ("n % 0", "null", 1),
        ("f / 0", "null", 1),
        ("f % 0.0", "null", 1),
        ("missing + 1", "null", 0),
        ("1 / missing", "null", 0),
        ("-missing", "null", 0),
        ("t + 1", "null", 1),
        ("1 + t", "null", 1),
        ("-t", "null", 1),
        ("yes + 1", "null", 1),
        ("obj + 1", "null", 1),
        ("2 + 3 * 4 - 6 / 2", "11", 0),
        ("f - 0.25", "0.25", 0),
        ("f / 2", "0.25", 0),
    ]);
}

#[test]
fn functions() {
    check(&[
        ("extract(path, '^/([a-z]+)/([a-z]+)', 2)", "\"pay\"", 0),
        ("extract(path, '^/[a-z]+', 0)", "\"/api\"", 0),
        ("extract(path, '(x)?$', 1)", "null", 0),
        ("extract(path, 'nothing')", "null", 0),
        ("extract(missing, '.')", "null", 0),
        ("extract(n, '.')", "\"5\"", 0),
        ("extract(lower(word), 'r(.)')", "\"g\"", 0),
        ("lower(word)", "\"ärger\"", 0),
        ("upper(t)", "\"TEXT\"", 0),
        ("lower(t)", "\"text\"", 0),
        ("upper(lower(word)) = word", "true", 0),
        ("lower(level)", "\"error\"", 0),
        ("lower(missing)", "null", 0),
        ("lower(bad) = bad", "true", 0),
        ("length(word)", "5", 0),
        ("length(t)", "4", 0),
        ("length(empty)", "0", 0),
        ("length(bad)", "3", 0),
        ("length(missing)", "null", 0),
        ("length(num)", "2", 0),
        ("number(num)", "42", 0),
        ("number(dec)", "4.5", 0),
        ("number(n)", "5", 0),
        ("number(t)", "null", 0),
        ("number(missing)", "null", 0),
        ("coalesce(missing, fields.null, n, t)", "5", 0),
        ("coalesce(missing)", "null", 0),
        ("coalesce(t, n)", "\"text\"", 0),
        ("exists(n)", "true", 0),
        ("exists(fields.null)", "true", 0),
        ("exists(missing)", "false", 0),
        ("exists(level)", "true", 0),
        ("cidr(ip, '10.0.0.0/8')", "true", 0),
        ("cidr(ip, '10.1.2.3')", "true", 0),
        ("cidr(ip, '10.2.0.0/16')", "false", 0),
        ("cidr(ip, '0.0.0.0/0')", "true", 0),
        ("cidr(ip6, '0.0.0.0/0')", "false", 0),
        ("cidr(ip6, '2001:db8::/32')", "true", 0),
        ("cidr(ip6, '10.0.0.0/8')", "false", 0),
        ("cidr(mapped, '10.0.0.0/8')", "true", 0),
        ("cidr(ip, '::ffff:0:0/96')", "true", 0),
        ("cidr(ip, '::/0')", "true", 0),
        ("cidr(t, '10.0.0.0/8')", "null", 1),
        ("cidr(n, '10.0.0.0/8')", "null", 1),
        ("cidr(missing, '10.0.0.0/8')", "null", 0),
        ("hour(time)", "15", 0),
        ("weekday(time)", "1", 0),
        ("hour(when)", "15", 0),
        ("hour(missing)", "null", 0),
        ("hour(t)", "null", 1),
        ("weekday(n)", "null", 1),
        ("bucket(time, '1m')", "\"2026-01-19T14:07:00Z\"", 0),
        ("bucket(time, '1s')", "\"2026-01-19T14:07:08Z\"", 0),
        ("bucket(time, '400ms')", "\"2026-01-19T14:07:08.4Z\"", 0),
        ("bucket(time, '1d')", "\"2026-01-19T00:00:00Z\"", 0),
        ("bucket(when, '2h')", "\"2026-01-19T14:00:00Z\"", 0),
        ("bucket(time, '5m', '1m')", "\"2026-01-19T14:07:00Z\"", 0),
        ("bucket(missing, '1m')", "null", 0),
        ("bucket(t, '1m')", "null", 1),
    ]);
}

#[test]
fn calls_that_no_text_makes_are_harmless() {
    let call = |function, arguments| Expr::Call {
        function,
        arguments,
    };
    let entry = Entry { paths: Vec::new() };
    let misfits = Misfits::default();
    let nothing = call(Function::Lower, Vec::new());
    assert_eq!(nothing.eval(&entry, &misfits), Value::Null);
    for (literal, wanted) in [(Value::Int(1), true), (Value::Null, false)] {
        let exists = call(Function::Exists, vec![Expr::Literal(literal)]);
        assert_eq!(exists.eval(&entry, &misfits), Value::Bool(wanted));
    }
}

#[test]
fn values_are_borrowed() {
    let mut fields = FieldTable::default();
    let mut made = |text: &str| {
        let mut scope = Scope {
            fields: &mut fields,
            timezone: "UTC",
        };
        value(text, &mut scope).unwrap()
    };
    let exprs = [
        made("path"),
        made("'constant'"),
        made("lower(t)"),
        made("extract(path, '[a-z]+', 0)"),
        made("coalesce(missing, path)"),
        made("message"),
    ];
    let entry = Entry {
        paths: fields.into_paths(),
    };
    for expr in &exprs {
        let value = expr.eval(&entry, &Misfits::default());
        assert!(matches!(value, Value::Text(Cow::Borrowed(_))), "{expr:?}");
    }
}

#[test]
fn an_output_is_read_by_its_index() {
    let entry = Entry { paths: Vec::new() };
    let expr = Expr::Compare {
        operator: Comparison::Greater,
        left: Box::new(Expr::Output(3)),
        right: Box::new(Expr::Output(2)),
    };
    assert!(expr.holds(&entry, &Misfits::default()));
}

#[test]
fn a_large_list_is_as_quick_as_a_small_one() {
    let numbers: Vec<OwnedValue> = (0..10_000).map(|number| Value::Int(number * 3)).collect();
    let set = crate::expr::Set::new(numbers);
    let is_in = |value: Value<'_>| set.holds(&value);
    assert_eq!(is_in(Value::Int(29_997)), Related::Is(true));
    assert_eq!(is_in(Value::Int(29_998)), Related::Is(false));
    assert_eq!(is_in(Value::text(b"300")), Related::Is(true));
    assert_eq!(is_in(Value::text(b"x")), Related::Misfit);
}

#[test]
fn bytes_that_claim_too_much_are_refused() {
    let mut deep = Expr::Column(Column::Valid);
    for _ in 0..300 {
        deep = Expr::Not(Box::new(deep));
    }
    let bytes = bincode::serde::encode_to_vec(&deep, CONFIG).unwrap();
    let decoded: Result<(Expr, usize), _> = bincode::serde::decode_from_slice(&bytes, CONFIG);
    assert!(
        decoded
            .unwrap_err()
            .to_string()
            .contains("nested too deeply")
    );
    // And the next one is read as ever.
    let fine = Expr::Not(Box::new(Expr::Column(Column::Valid)));
    let bytes = bincode::serde::encode_to_vec(&fine, CONFIG).unwrap();
    let (decoded, _): (Expr, usize) = bincode::serde::decode_from_slice(&bytes, CONFIG).unwrap();
    assert_eq!(decoded, fine);
    // Every cut of valid bytes is an error, never a panic.
    for end in 0..bytes.len() {
        let cut: Result<(Expr, usize), _> =
            bincode::serde::decode_from_slice(&bytes[..end], CONFIG);
        assert!(cut.is_err());
    }
}
