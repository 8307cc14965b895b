//! Objects and what they give, against serde_json where both must agree.

use bstr::ByteSlice;
use proptest::prelude::*;

use jobspec::plan::FieldPath;

use super::*;
use crate::format::Unread;
use crate::format::plain::any_times;

fn json() -> Json {
    Json::new("json", Keys::new(None, None, None), None)
}

fn path(text: &str) -> FieldPath {
    let parts = text
        .split('.')
        .flat_map(|part| {
            let (name, index) = part.split_once('[').unwrap_or((part, ""));
            let index = index.strip_suffix(']').and_then(|index| index.parse().ok());
            std::iter::once(PathPart::Name(name.to_owned())).chain(index.map(PathPart::Index))
        })
        .collect();
    FieldPath {
        text: text.to_owned(),
        parts,
    }
}

fn wanted(paths: &[&str]) -> Wanted {
    Wanted::new(paths.iter().map(|text| path(text)).collect())
}

fn parse<'a>(raw: &'a str, paths: &[&str]) -> Parsed<'a> {
    let wanted = wanted(paths);
    let mut parsed = Parsed::default();
    parsed.clear(&wanted);
    json().parse(raw.as_bytes(), &wanted, &mut any_times(), &mut parsed);
    parsed
}

fn texts(raw: &str, paths: &[&str]) -> Vec<String> {
    parse(raw, paths)
        .fields
        .iter()
        .map(|field| match field {
            None => "-".to_owned(),
            Some(field) => field.value().to_text().to_str_lossy().into_owned(),
        })
        .collect()
}

fn message(raw: &str) -> String {
    let parsed = parse(raw, &[]);
    let value = parsed.message.map(|message| message.value());
    value.map_or("-".to_owned(), |value| {
        value.to_text().to_str_lossy().into_owned()
    })
}

fn time(raw: &str) -> String {
    match parse(raw, &[]).stamp {
        Stamp::At(time) => time.to_string(),
        stamp => format!("{stamp:?}"),
    }
}

#[test]
fn paths_lead_into_objects_and_lists() {
    let raw = r#"{"a":{"b":{"c":1}},"list":[{"x":"y"},[2,3]],"s":"t","n":null}"#;
    assert_eq!(
        texts(
            raw,
            &[
                "a.b.c",
                "list[0].x",
                "list[1]",
                "list[2]",
                "a.b",
                "s.t",
                "n",
                "none"
            ]
        ),
        ["1", "y", "[2,3]", "-", r#"{"c":1}"#, "-", "", "-"]
    );
    assert_eq!(
        parse(raw, &["n"]).fields[0].map(|field| field.kind),
        Some(FieldKind::Null)
    );
}

#[test]
fn of_a_key_written_twice_the_last_counts() {
    assert_eq!(texts(r#"{"a":1,"a":2}"#, &["a"]), ["2"]);
    assert_eq!(texts(r#"{"a":1,"\u0061":2}"#, &["a"]), ["2"]);
    assert_eq!(
        texts(r#"{"a":{"b":1},"a":{"c":2}}"#, &["a.b", "a.c"]),
        ["-", "2"]
    );
    assert_eq!(texts(r#"{"a":{"b":1,"b":2}}"#, &["a.b"]), ["2"]);
    assert_eq!(
        message(r#"{"msg":"one","message":"two","message":"three"}"#),
        "three"
    );
    let names = |raw: &str| {
        let mut names = Vec::new();
        json().fields(raw.as_bytes(), &mut |name, field| {
            names.push(format!(
                "{}={}",
                name.to_str_lossy(),
                field.text.to_str_lossy()
            ));
        });
        names.join(" ")
    };
    assert_eq!(
        names(r#"{"a":1,"b":2,"a":3,"\u0062":4,"c":[5]}"#),
        "a=3 b=4 c=[5]"
    );
}

#[test]
fn a_flat_key_that_is_the_whole_path_wins() {
    assert_eq!(texts(r#"{"a.b":1,"a":{"b":2}}"#, &["a.b"]), ["1"]);
    assert_eq!(texts(r#"{"a":{"b":2},"a.b":1}"#, &["a.b"]), ["1"]);
    assert_eq!(
        texts(r#"{"a":{"b":2},"a.b":1,"a.b":3,"a":{"b":4}}"#, &["a.b"]),
        ["3"]
    );
}

#[test]
fn time_level_and_message_are_the_first_of_their_lists() {
    assert_eq!(
        time(r#"{"ts":1768831200,"time":"2026-01-19T15:00:00Z"}"#),
        "2026-01-19T15:00:00Z"
    );
    assert_eq!(
        time(r#"{"ts":1768831200,"time":0.25}"#),
        "2026-01-19T14:00:00Z"
    );
    assert_eq!(
        time(r#"{"ts":1768831200,"time":null}"#),
        "2026-01-19T14:00:00Z"
    );
    assert_eq!(
        time(r#"{"ts":1768831200,"time":"2026-13-19T15:00:00Z"}"#),
        "Impossible"
    );
    assert_eq!(
        time(r#"{"__REALTIME_TIMESTAMP":"1768831200123456"}"#),
        "2026-01-19T14:00:00.123456Z"
    );
    assert_eq!(
        time(r#"{"t":{"$date":"2026-01-19T14:00:00.123+00:00"}}"#),
        "2026-01-19T14:00:00.123Z"
    );
    assert_eq!(
        time(r#"{"time":"2026-01-19T14:00:00\u005a"}"#),
        "2026-01-19T14:00:00Z"
    );
    for (raw, level) in [
        (r#"{"level":"warn"}"#, Some(Level::Warn)),
        (r#"{"level":50}"#, Some(Level::Error)),
        (r#"{"level":"30"}"#, Some(Level::Info)),
        (r#"{"level":7}"#, Some(Level::Debug)),
        (r#"{"PRIORITY":"3"}"#, Some(Level::Error)),
        (r#"{"severity":"NOTICE","level":null}"#, Some(Level::Info)),
        (r#"{"log.level":"error"}"#, Some(Level::Error)),
        (
            r#"{"log":{"level":"error"},"message":"m"}"#,
            Some(Level::Error),
        ),
        (r#"{"level":"odd","severity":"error"}"#, None),
        (r#"{"level":true}"#, None),
    ] {
        assert_eq!(parse(raw, &[]).level, level, "{raw}");
    }
    assert_eq!(message(r#"{"log":"l","msg":"m","body":"b"}"#), "m");
    assert_eq!(message(r#"{"message":{"a":1},"msg":"m"}"#), "m");
    assert_eq!(message(r#"{"message":{"a":1}}"#), r#"{"a":1}"#);
    assert_eq!(message(r#"{"MESSAGE":[72,195,169]}"#), "H\u{e9}");
    assert_eq!(message(r#"{"message":null,"event":"e"}"#), "e");
    assert_eq!(message(r#"{"a":1}"#), "-");
}

#[test]
fn other_keys_where_the_job_says_so() {
    let format = Json::new(
        "mine",
        Keys::new(Some("meta.at"), Some("lv"), Some("what")),
        None,
    );
    let mut parsed = Parsed::default();
    let raw =
        br#"{"meta":{"at":1768831200},"lv":"E","what":"w","time":1,"level":"info","message":"m"}"#;
    format.parse(raw, &Wanted::default(), &mut any_times(), &mut parsed);
    assert_eq!(
        parsed.stamp,
        Stamp::At(jobspec::value::Time::new(1_768_831_200_000_000_000, 0))
    );
    assert_eq!(parsed.level, Some(Level::Error));
    assert_eq!(parsed.message, Some(Field::text(b"w")));
}

#[test]
fn malformed_text_keeps_what_is_plain_to_see() {
    let raw = r#"{"time":"2026-01-19T14:00:00Z","level":"error","a":1,"msg":"cut of"#;
    let parsed = parse(raw, &["a"]);
    assert!(!parsed.valid);
    assert_eq!(parsed.fields, [None]);
    assert_eq!(parsed.message, Some(Field::text(raw.as_bytes())));
    assert_eq!(parsed.level, Some(Level::Error));
    assert_eq!(time(raw), "2026-01-19T14:00:00Z");
    let raw = "panic at 2026-01-19 14:00:00 [error] x";
    assert_eq!(
        (time(raw), parse(raw, &[]).level),
        ("2026-01-19T14:00:00Z".to_owned(), Some(Level::Error))
    );
}

#[test]
fn escapes() {
    for (inside, text) in [
        (r#"a\"b\\c\/d"#, "a\"b\\c/d"),
        (r"\n\t\r\b\f", "\n\t\r\u{8}\u{c}"),
        (r"\u00e9\ud83d\ude00", "\u{e9}\u{1f600}"),
        (r"\ud83d", "\u{fffd}"),
        (r"\ud83d\u0041", "\u{fffd}A"),
        (r"\ude00x", "\u{fffd}x"),
        (r"\x41\xzz\u12", "A\\xzz\\u12"),
        (r"\", "\\"),
        (r"\]\q", "]\\q"),
    ] {
        assert_eq!(unescape(inside.as_bytes()).to_str_lossy(), text, "{inside}");
    }
}

#[test]
fn only_json_is_valid() {
    for raw in [
        "{}",
        " {} ",
        r#"{"a":[]}"#,
        r#"{"a":[{},[],{"b":[1,2.5e-3,-0]}]}"#,
        r#"{"":"","a":"\u00e9\ud800"}"#,
        "{\"a\" : \t1 , \"b\":true}",
    ] {
        assert!(is_object(raw.as_bytes()), "{raw}");
    }
    for raw in [
        "",
        "{",
        "}",
        "[]",
        "1",
        "{}}",
        "{} x",
        "{,}",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r#"{"a":1,}"#,
        r#"{"a":1 "b":2}"#,
        r#"{a:1}"#,
        r#"{"a":01}"#,
        r#"{"a":1.}"#,
        r#"{"a":.5}"#,
        r#"{"a":+1}"#,
        r#"{"a":-}"#,
        r#"{"a":1e}"#,
        r#"{"a":NaN}"#,
        r#"{"a":tru}"#,
        r#"{"a":truex}"#,
        r#"{"a":"x}"#,
        r#"{"a":"\q"}"#,
        r#"{"a":"\u12g4"}"#,
        "{\"a\":\"\t\"}",
        r#"{"a":[1,]}"#,
        r#"{"a":[1}"#,
        r#"{"a":{"b":1]}"#,
        r#"{"a":{1:2}}"#,
        r#"{"a":[}"#,
        r#"{'a':1}"#,
    ] {
        assert!(!is_object(raw.as_bytes()), "{raw}");
    }
}

#[test]
fn nesting_ends_at_its_bound() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(is_object(nested(walk::DEEPEST as usize).as_bytes()));
    assert!(!is_object(nested(walk::DEEPEST as usize + 1).as_bytes()));
    assert!(!is_object(nested(1_000_000).as_bytes()));
    assert!(!is_object("{\"a\":".repeat(1_000_000).as_bytes()));
}

/// Texts of JSON's own characters, so that many are nearly JSON.
fn nearly_json() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("{"),
        Just("}"),
        Just("["),
        Just("]"),
        Just(","),
        Just(":"),
        Just("\"a\""),
        Just("\"a\":"),
        Just("1"),
        Just("-0.5e+7"),
        Just("true"),
        Just("null"),
        Just(" "),
        Just("\"\\u00e9\""),
        Just("\"\\"),
        Just("\"long enough for a word\""),
        Just("\""),
        Just("{\"k\":[1,{}]}"),
        Just("\u{1}"),
        Just("0"),
        Just("é"),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| format!("{{\"x\":{}}}", pieces.concat()))
}

proptest! {
    #[test]
    fn accepts_what_another_parser_accepts(raw in nearly_json()) {
        let theirs = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&raw);
        // `5e700` is JSON, and no double: theirs has no other place for it.
        let is_too_large = |error: &serde_json::Error| error.to_string().contains("out of range");
        prop_assume!(!theirs.as_ref().is_err_and(is_too_large));
        prop_assert_eq!(is_object(raw.as_bytes()), theirs.is_ok(), "{}", raw);
    }

    #[test]
    fn any_bytes_are_read_without_panic(raw in prop::collection::vec(any::<u8>(), 0..200)) {
        let wanted = wanted(&["a.b", "c[0]"]);
        let mut parsed = Parsed::default();
        parsed.clear(&wanted);
        json().parse(&raw, &wanted, &mut any_times(), &mut parsed);
        json().fields(&raw, &mut |_, field| drop(field.value()));
        unescape(&raw);
    }
}

#[test]
fn what_nobody_reads_is_left_out_and_fields_of_its_name_are_not() {
    let mut wanted = wanted(&["level", "msg"]);
    wanted.unread = Unread {
        level: true,
        message: true,
    };
    let raw = br#"{"time":"2026-01-19T14:00:00Z","level":"error","msg":"text","severity":"info"}"#;
    let mut parsed = Parsed::default();
    // The second line is read with what the first one taught.
    for _ in 0..2 {
        parsed.clear(&wanted);
        json().parse(raw, &wanted, &mut any_times(), &mut parsed);
        assert!(parsed.valid && parsed.level.is_none() && parsed.message.is_none());
        assert!(matches!(parsed.stamp, Stamp::At(_)));
        let text = |id: usize| parsed.fields[id].map(|field| field.text);
        assert_eq!(
            (text(0), text(1)),
            (Some(&b"error"[..]), Some(&b"text"[..]))
        );
    }
}
