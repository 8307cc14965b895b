//! Numbers in one form, the orders, times and JSON.

use super::*;

#[test]
fn a_number_has_one_form() {
    for text in ["1", "1.0", "1e0", "+1", "10e-1"] {
        assert_eq!(
            Value::parse_number(text.as_bytes()),
            Some(Value::Int(1)),
            "{text}"
        );
    }
    for text in [
        "", "+", "1.", ".5", "0x1", "NaN", "inf", "1e999", "1 ", "--1", "1_000",
    ] {
        assert_eq!(Value::parse_number(text.as_bytes()), None, "{text}");
    }
    assert_eq!(Value::parse_number(b"0.1"), Some(Value::Float(0.1)));
    assert_eq!(
        Value::parse_number(b"18446744073709551615"),
        Some(Value::Int(u64::MAX.into()))
    );
}

#[test]
fn whole_numbers_and_doubles_compare_exactly() {
    let big = Value::Int(9_007_199_254_740_993);
    assert_eq!(
        big.number_cmp(&Value::Float(9_007_199_254_740_992.5)),
        Ordering::Greater
    );
    assert_eq!(
        Value::Int(0).number_cmp(&Value::Float(-0.5)),
        Ordering::Greater
    );
    assert_eq!(
        Value::Int(-1).number_cmp(&Value::Float(-1.5)),
        Ordering::Greater
    );
    assert_eq!(
        Value::Int(1).number_cmp(&Value::Float(1e300)),
        Ordering::Less
    );
}

#[test]
fn the_order_puts_numbers_first_and_null_last() {
    let mut values = [
        Value::Null,
        Value::text(b"b"),
        Value::text(b"10"),
        Value::Int(9),
        Value::text(b"a"),
        Value::Float(9.5),
    ];
    values.sort_by(Value::total_cmp);
    let texts: Vec<_> = values
        .iter()
        .map(|value| value.to_text().into_owned())
        .collect();
    assert_eq!(texts, [&b"9"[..], b"9.5", b"10", b"a", b"b", b""]);
}

#[test]
fn what_is_equal_in_order_is_told_apart_in_total() {
    let time = |digits| Value::Time(Time::new(1_000_000_000, digits));
    let pairs = [
        (Value::Int(1), Value::text(b"1")),
        (Value::text(b"1"), Value::text(b"1.0")),
        (time(0), time(3)),
    ];
    for (left, right) in &pairs {
        assert_eq!(left.order_cmp(right), Ordering::Equal);
        assert_ne!(left.total_cmp(right), Ordering::Equal);
        assert_eq!(left.total_cmp(right), right.total_cmp(left).reverse());
    }
    assert_eq!(
        Value::Bool(false).order_cmp(&Value::Bool(true)),
        Ordering::Less
    );
    // Every pair of kinds: one order, whoever asks.
    let kinds = [
        Value::Null,
        Value::Bool(true),
        Value::Int(5),
        Value::Float(0.5),
        time(0),
        Value::Level(Level::Warn),
        Value::text(b"5"),
        Value::text(b"x"),
        Value::Json(Cow::Borrowed(b"{}".as_bstr())),
        Value::List(vec![Value::Int(1)]),
        Value::Object(vec![("a".into(), Value::Null)]),
    ];
    for left in &kinds {
        for right in &kinds {
            assert_eq!(left.total_cmp(right), right.total_cmp(left).reverse());
            assert_eq!(left.total_cmp(right).is_eq(), left == right);
            for third in &kinds {
                if left.total_cmp(right).is_le() && right.total_cmp(third).is_le() {
                    assert!(
                        left.total_cmp(third).is_le(),
                        "{left:?} {right:?} {third:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn decoded_values_keep_their_form() {
    let config = bincode::config::standard().with_limit::<65536>();
    let encode = |value: &Value<'_>| bincode::serde::encode_to_vec(value, config).unwrap();
    let decode = |bytes: &[u8]| -> Option<OwnedValue> {
        let decoded = bincode::serde::decode_from_slice(bytes, config);
        decoded.ok().map(|(value, _)| value)
    };
    assert_eq!(decode(&encode(&Value::Float(f64::NAN))), Some(Value::Null));
    assert_eq!(decode(&encode(&Value::Float(3.0))), Some(Value::Int(3)));
    let time = Time { ns: 5, digits: 200 };
    assert_eq!(
        decode(&encode(&Value::Time(time))),
        Some(Value::Time(Time::new(5, 9)))
    );
    assert!(time.to_string().ends_with(":00.000000005Z"));
}

#[test]
fn times_are_read_in_one_shape() {
    let read = |text: &str| Time::parse(text.as_bytes()).map(|time| time.to_string());
    for (text, time) in [
        ("2026-01-19T14:00:00Z", "2026-01-19T14:00:00Z"),
        ("2026-01-19 15:00:00.120+01:00", "2026-01-19T14:00:00.120Z"),
        (
            "2026-01-19t14:00:00.123456789z",
            "2026-01-19T14:00:00.123456789Z",
        ),
    ] {
        assert_eq!(read(text).as_deref(), Some(time), "{text}");
    }
    for text in [
        "",
        "2026-01-19",
        "2026-01-19T14:00:00",
        "9999-01-01T00:00:00Z",
        "x",
    ] {
        assert_eq!(read(text), None, "{text}");
    }
}

#[test]
fn json_escapes_what_it_must() {
    let mut out = Vec::new();
    write_json_text(b"a\"\\\n\x01\xff\xc3\xa9", &mut out);
    assert_eq!(
        out.as_bstr(),
        "\"a\\\"\\\\\\n\\u0001\u{fffd}\u{e9}\"".as_bytes().as_bstr()
    );
}

#[test]
fn times_print_the_digits_they_had() {
    assert_eq!(
        Time::new(1_768_831_200_120_000_000, 3).to_string(),
        "2026-01-19T14:00:00.120Z"
    );
    assert_eq!(
        Time::from_ns(1_768_831_200_120_000_000).to_string(),
        "2026-01-19T14:00:00.12Z"
    );
    assert_eq!(
        Time::from_ns(-1).to_string(),
        "1969-12-31T23:59:59.999999999Z"
    );
}

#[test]
fn hostile_digits_are_cut() {
    let time = Time { ns: 5, digits: 200 };
    assert_eq!(time.to_string(), "1970-01-01T00:00:00.000000005Z");
}

#[test]
fn what_nests_does_not_travel() {
    assert!(serde_json::to_string(&Value::List(Vec::new())).is_err());
    assert!(serde_json::from_str::<OwnedValue>(r#"{"List":[]}"#).is_err());
    assert!(serde_json::from_str::<OwnedValue>(r#"{"Int":7}"#).is_ok());
}

#[test]
fn every_day_is_printed_as_the_calendar_has_it() {
    const DAY_NS: i64 = 86_400_000_000_000;
    for day in i64::MIN / DAY_NS - 1..=i64::MAX / DAY_NS {
        let ns = day
            .saturating_mul(DAY_NS)
            .saturating_add(day * 7_919 % DAY_NS);
        let expected = chrono::DateTime::from_timestamp_nanos(ns);
        let digits = day.rem_euclid(10) as u8;
        let expected = match digits {
            0 => expected.format("%Y-%m-%dT%H:%M:%SZ").to_string(),
            digits => {
                let fraction = expected.format("%9f").to_string();
                let fraction = &fraction[..usize::from(digits)];
                expected
                    .format(&format!("%Y-%m-%dT%H:%M:%S.{fraction}Z"))
                    .to_string()
            }
        };
        assert_eq!(Time::new(ns, digits).to_string(), expected);
    }
}

#[test]
fn a_short_number_is_the_nearest_double() {
    for text in [
        "0",
        "-0",
        "-0.0",
        "7",
        "118.04",
        "-0.5",
        "0.1",
        "123456789012.345",
        "999999999999999",
        "00.10",
        "1.",
        ".5",
        "-",
        "",
        "1e3",
        "1.5.5",
        "+3",
        "0.30000000000000004",
        "9007199254740993",
        "-12.",
        "1_0",
    ] {
        let any = Number::parse_any(text.as_bytes()).map(Value::from);
        assert_eq!(Value::parse_number(text.as_bytes()), any, "{text}");
    }
    let mut state = 7_u64;
    for _ in 0..20_000 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let (whole, part) = (state >> 44, (state >> 20) % 1_000_000);
        for text in [
            format!("{whole}.{part}"),
            format!("-{whole}.{part:06}"),
            format!("{part}"),
        ] {
            assert_eq!(
                Value::parse_number(text.as_bytes()),
                Number::parse_any(text.as_bytes()).map(Value::from),
                "{text}"
            );
        }
    }
}
