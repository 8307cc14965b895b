//! Inputs that would hurt a reader with quadratic steps or recursion, megabytes of each. The tests are that they end.

use jobspec::plan::{FieldPath, FormatChoice, FormatName, PathPart};

use super::choose::built_in;
use super::nested::Nested;
use super::plain::any_times;
use super::tests::{entries, log_plan};
use super::*;

const LENGTH: usize = 2 << 20;

fn repeated(head: &str, part: &str) -> Vec<u8> {
    let mut text = head.as_bytes().to_vec();
    while text.len() < LENGTH {
        text.extend_from_slice(part.as_bytes());
    }
    text
}

/// Reads a text by every format; gives the formats that take it.
fn read_by_all(raw: &[u8]) -> Vec<FormatName> {
    let wanted = Wanted::new(
        ["a", "a.b.c", "b[7]", "sd.x.y", "client", "component"]
            .map(|text| FieldPath {
                text: text.to_owned(),
                parts: match text {
                    "a.b.c" => ["a", "b", "c"]
                        .map(|name| PathPart::Name(name.to_owned()))
                        .to_vec(),
                    "b[7]" => vec![PathPart::Name("b".to_owned()), PathPart::Index(7)],
                    _ => vec![PathPart::Name(text.to_owned())],
                },
            })
            .to_vec(),
    );
    let head = &raw[..raw.len().min(64 << 10)];
    choose(FormatChoice::Auto, &log_plan(true), &[], head);
    let mut taken = Vec::new();
    for name in FormatName::ALL {
        let plain = built_in(name, b"time,level,message");
        let nested: Box<dyn Format> = Box::new(Nested::new(built_in(name, b"time,level,message")));
        for format in [plain, nested] {
            let mut parsed = Parsed::default();
            parsed.clear(&wanted);
            format.starts(raw);
            format.joins_next(raw);
            format.parse(raw, &wanted, &mut any_times(), &mut parsed);
            format.fields(raw, &mut |_, field| drop(field.value()));
            if parsed.valid && !taken.contains(&name) {
                taken.push(name);
            }
        }
    }
    taken
}

#[test]
fn one_long_line() {
    for (head, part) in [
        ("2026-01-19 14:00:00 INFO ", "x"),
        ("2026-01-19 14:00:00.", "1"),
        ("2026-01-19 14:00:00 ", "["),
        ("2026-01-19 14:00:00 INFO [a] ", "[b] "),
        ("", " "),
        ("", "a "),
        ("", "a.b:1 "),
        ("", "2026-01-19 14:00:00 "),
        ("Jan 19 14:00:00 host ", "app[1]"),
        ("<14>1 - - - - - ", "[x y=\"z\"]"),
        ("10.0.0.1 - - [19/Jan/2026:14:00:00 +0000] \"GET ", "/ "),
        ("10.0.0.1 - - ", " ["),
        ("[Mon Jan 19 14:00:00 2026] [core:error] ", "[client a] "),
        ("2026/01/19 14:00:00 [error] 1#1: ", "(1"),
    ] {
        let taken = read_by_all(&repeated(head, part));
        assert!(taken.contains(&FormatName::Raw), "{head}{part}");
    }
}

#[test]
fn deep_and_wide_json() {
    for (head, part) in [
        ("", "{\"a\":"),
        ("{\"a\":", "["),
        ("{\"a\":", "{\"b\":"),
        ("{", "\"a\":1,"),
        ("{\"a\":1", ",\"a\":{\"b\":{\"c\":1}}"),
        ("{\"a\":1", ",\"a.b.c\":1"),
        ("{\"b\":[0", ",0"),
        ("{\"a\":\"", "\\\\"),
        ("{\"a\":\"", "\\u00e9"),
        ("{\"time\":1", ",\"time\":null"),
        ("{\"a\":\"", "\\"),
        ("{\"a\":1e", "1"),
    ] {
        assert!(
            !read_by_all(&repeated(head, part)).contains(&FormatName::Json),
            "{head}{part}"
        );
        for tail in ["}", "]}", "\"}"] {
            let mut raw = repeated(head, part);
            raw.extend_from_slice(tail.as_bytes());
            read_by_all(&raw);
        }
    }
}

#[test]
fn json_inside_a_message() {
    let inside = repeated("{\\\"a\\\":1", ",\\\"k\\\":\\\"\\\\u00e9\\\"");
    let raw = [b"{\"msg\":\"", &inside[..], b"}\"}"].concat();
    let format = Nested::new(built_in(FormatName::Json, b""));
    let mut names = Vec::new();
    format.fields(&raw, &mut |name, _| names.push(name.into_owned()));
    assert_eq!(names, [b"a", b"k"]);

    let mut inside = b"{\\\"a\\\":1".to_vec();
    for index in 0..100_000 {
        inside.extend_from_slice(format!(",\\\"k{index}\\\":\\\"\\\\u00e9\\\"").as_bytes());
    }
    let raw = [b"{\"msg\":\"", &inside[..], b"}\"}"].concat();
    let mut count = 0;
    format.fields(&raw, &mut |_, _| count += 1);
    assert_eq!(count, 100_001);
}

#[test]
fn csv_with_an_unclosed_quote() {
    let head = b"time,level,message\n";
    let format = built_in(FormatName::Csv, head);
    let input = repeated("time,level,message\n1768831200,info,\"open\n", "a,b\n");
    let read = entries(&*format, &input);
    assert_eq!(read.len(), 1);
    assert!(!read_by_all(&read[0].0).contains(&FormatName::Csv));
    read_by_all(&repeated("", "\""));
    read_by_all(&repeated("", "\"\","));
    read_by_all(&repeated("", ","));
}

#[test]
fn logfmt_of_nothing_but_pairs() {
    for part in [
        "a=1 ",
        "a=\"\\\"\" ",
        "a ",
        "=",
        "a=\"",
        "\"",
        "a= ",
        "\u{1}",
        "a\u{1}",
    ] {
        read_by_all(&repeated("", part));
        read_by_all(&repeated("a=1 ", part));
    }
}

#[test]
fn many_distinct_fields() {
    let mut json = b"{\"x\":0".to_vec();
    let mut logfmt = Vec::new();
    for index in 0..200_000 {
        json.extend_from_slice(format!(",\"k{index}\":{index}").as_bytes());
        logfmt.extend_from_slice(format!("k{index}={index} ").as_bytes());
    }
    json.push(b'}');
    assert!(read_by_all(&json).contains(&FormatName::Json));
    assert!(read_by_all(&logfmt).contains(&FormatName::Logfmt));
}
