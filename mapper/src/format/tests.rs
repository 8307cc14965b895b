//! Every folder of `testdata/formats`: an input, read as the segment reader does, against what is expected of it.
//! `BLESS=1 cargo test -p logstitch-mapper` writes the expectations anew; read what it wrote.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use bstr::ByteSlice;
use jobspec::expr::Pattern;
use jobspec::plan::{FieldType, FormatChoice, FormatPlan, LogPlan};
use jobspec::value::{Value, write_json_text};
use jobspec::zone::Zone;
use proptest::prelude::*;

use super::*;
use crate::time::YearRule;

/// What `case.toml` says: as much of a log's and a format's table as formats read.
struct Case {
    input: Vec<u8>,
    choice: FormatChoice,
    log: LogPlan,
    formats: Vec<FormatPlan>,
    timezone: Zone,
    year: YearRule,
}

impl Case {
    fn read(folder: &Path) -> Case {
        let input = fs::read_dir(folder)
            .expect("a folder")
            .map(|file| file.expect("a file").path())
            .find(|path| path.file_stem().is_some_and(|stem| stem == "input"))
            .expect("an input");
        let table: toml::Table = match fs::read_to_string(folder.join("case.toml")) {
            Ok(text) => text.parse().expect("toml"),
            Err(_) => toml::Table::new(),
        };
        let text = |key: &str| table.get(key).and_then(|value| value.as_str());
        let formats: Vec<FormatPlan> = table
            .get("format")
            .and_then(|value| value.as_table())
            .into_iter()
            .flatten()
            .map(|(name, value)| format_plan(name, value.as_table().expect("a table")))
            .collect();
        let choice = match text("log").unwrap_or("auto") {
            "auto" => FormatChoice::Auto,
            name => match FormatName::from_name(name) {
                Some(name) => FormatChoice::Named(name),
                None => FormatChoice::Custom(0),
            },
        };
        let packed = fs::read(input).expect("an input");
        let (input, finding) = crate::open::tests::read(&packed, u64::MAX, 1 << 16);
        assert_eq!(finding, None, "{}", folder.display());
        Case {
            input,
            choice,
            log: log_plan(text("nested") == Some("json")),
            formats,
            timezone: text("timezone").unwrap_or("UTC").parse().expect("a zone"),
            year: match table.get("year").and_then(|value| value.as_integer()) {
                Some(year) => YearRule::Fixed(year as i32),
                // Files of 2026-01-20.
                None => YearRule::LatestBefore {
                    mtime_ns: 1_768_867_200_000_000_000,
                },
            },
        }
    }
}

pub(super) fn log_plan(nested_json: bool) -> LogPlan {
    LogPlan {
        name: "log".to_owned(),
        paths: Vec::new(),
        format: FormatChoice::Auto,
        timezone: None,
        year: None,
        disorder_ns: None,
        rotation: None,
        nested_json,
        derive: Vec::new(),
        drop: None,
        tag: Vec::new(),
        redact: Vec::new(),
    }
}

pub(crate) fn format_plan(name: &str, table: &toml::Table) -> FormatPlan {
    let text = |key: &str| {
        table
            .get(key)
            .and_then(|value| value.as_str())
            .map(str::to_owned)
    };
    let pattern =
        |key: &str| text(key).map(|source| Pattern::new(&source, false).expect("a pattern"));
    FormatPlan {
        name: name.to_owned(),
        base: text("base").and_then(|name| FormatName::from_name(&name)),
        pattern: pattern("pattern"),
        multiline: pattern("multiline"),
        time: text("time"),
        time_key: text("time_key"),
        level_key: text("level_key"),
        message_key: text("message_key"),
        types: table
            .get("types")
            .and_then(|value| value.as_table())
            .into_iter()
            .flatten()
            .map(|(name, kind)| {
                let kind = match kind.as_str() {
                    Some("number") => FieldType::Number,
                    Some("bool") => FieldType::Bool,
                    _ => FieldType::Text,
                };
                (name.clone(), kind)
            })
            .collect(),
        delimiter: text("delimiter").map(|text| text.as_bytes()[0]),
        columns: table
            .get("columns")
            .and_then(|value| value.as_array())
            .map(|columns| {
                let name = |column: &toml::Value| column.as_str().expect("a name").to_owned();
                columns.iter().map(name).collect()
            }),
    }
}

/// The entries of an input with what their wrapper says of the time, as a segment reader groups lines.
pub(super) fn entries(format: &dyn Format, input: &[u8]) -> Vec<(Vec<u8>, Option<Time>)> {
    let mut entries: Vec<(Vec<u8>, Option<Time>)> = Vec::new();
    let mut partial: Option<(Vec<u8>, Option<Time>)> = None;
    let mut joins = false;
    let input = input.strip_suffix(b"\n").unwrap_or(input);
    let mut lines = input.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (mut text, time) = partial
            .take()
            .unwrap_or_else(|| (Vec::new(), format.wrapper_time(line)));
        if format.unwrap_line(line, &mut text) == Unwrapped::Partial && lines.peek().is_some() {
            partial = Some((text, time));
            continue;
        }
        let is_blank = text.trim_ascii().is_empty();
        let continues =
            joins || format.is_multiline() && !entries.is_empty() && !format.starts(&text);
        if let Some((entry, _)) = entries.last_mut().filter(|_| continues) {
            entry.push(b'\n');
            entry.extend_from_slice(&text);
        } else if !is_blank && !format.is_header(&text) {
            entries.push((text, time));
        } else {
            continue;
        }
        joins = entries
            .last()
            .is_some_and(|(entry, _)| format.joins_next(entry));
    }
    for (entry, _) in &mut entries {
        while let Some(end) = memchr::memrchr(b'\n', entry)
            && entry[end..].trim_ascii().is_empty()
        {
            entry.truncate(end);
        }
    }
    entries
}

fn json(value: &Value<'_>) -> String {
    let mut out = Vec::new();
    value.write_json(&mut out);
    out.to_str_lossy().into_owned()
}

fn run(case: &Case) -> String {
    let head_end = case.input.len().min(64 << 10);
    let chosen = choose(
        case.choice,
        &case.log,
        &case.formats,
        &case.input[..head_end],
    );
    let format = &*chosen.format;
    let mut times = TimeReader::new(case.timezone, case.year);
    let mut out = format!(
        "{{\"format\":\"{}\",\"why\":\"{}\"}}\n",
        format.name(),
        chosen.why
    );
    let mut parsed = Parsed::default();
    for (raw, wrapper_time) in entries(format, &case.input) {
        let mut names = Vec::new();
        let mut fields = Vec::new();
        format.fields(&raw, &mut |name, field| {
            names.push(name.to_str_lossy().into_owned());
            fields.push(field);
        });
        // What `fields` gives is what the plan finds under the same name.
        let wanted = Wanted::new(
            names
                .iter()
                .map(|name| FieldPath {
                    text: name.clone(),
                    parts: vec![jobspec::plan::PathPart::Name(name.clone())],
                })
                .collect(),
        );
        let mut parsed_here = std::mem::take(&mut parsed);
        parsed_here.clear(&wanted);
        format.parse(&raw, &wanted, &mut times, &mut parsed_here);
        if parsed_here.valid {
            for ((name, field), found) in names.iter().zip(&fields).zip(&parsed_here.fields) {
                assert_eq!(
                    found.map(|found| found.value()),
                    Some(field.value()),
                    "{name} of {}",
                    raw.as_bstr()
                );
            }
        }
        let time = match parsed_here.stamp {
            Stamp::At(time) => json(&Value::Time(time)),
            Stamp::Impossible => "\"impossible\"".to_owned(),
            Stamp::None => wrapper_time.map_or("null".to_owned(), |time| json(&Value::Time(time))),
        };
        let level = parsed_here.level.map_or(Value::Null, Value::Level);
        let message = parsed_here
            .message
            .map_or(Value::Null, |message| message.value());
        write!(
            out,
            "{{\"time\":{time},\"level\":{},\"message\":{}",
            json(&level),
            json(&message)
        )
        .expect("a string");
        if !parsed_here.valid {
            out += ",\"valid\":false";
        }
        if let Some(fitted) = parsed_here.fitted {
            write!(out, ",\"fitted\":\"{}\"", fitted.name()).expect("a string");
        }
        out += ",\"fields\":{";
        for (index, (name, field)) in names.iter().zip(&fields).enumerate() {
            let mut quoted = Vec::new();
            write_json_text(name.as_bytes(), &mut quoted);
            let comma = if index > 0 { "," } else { "" };
            write!(
                out,
                "{comma}{}:{}",
                quoted.to_str_lossy(),
                json(&field.value())
            )
            .expect("a string");
        }
        out += "}}\n";
        parsed = Parsed::default();
    }
    out
}

fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata/formats")
}

#[test]
fn every_case_reads_as_expected() {
    let mut folders: Vec<PathBuf> = fs::read_dir(testdata())
        .expect("testdata/formats")
        .map(|folder| folder.expect("a folder").path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    assert!(folders.len() > 30, "the cases are gone: {folders:?}");
    let mut wrong = Vec::new();
    for folder in folders {
        let found = run(&Case::read(&folder));
        let expected = folder.join("expected.jsonl");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &found).expect("a file");
        }
        let expected = fs::read_to_string(&expected).unwrap_or_default();
        let mut lines = found.lines().zip(expected.lines());
        if let Some((found, expected)) = lines.find(|(found, expected)| found != expected) {
            wrong.push(format!(
                "{}:\n  found    {found}\n  expected {expected}",
                folder.display()
            ));
        } else if found.lines().count() != expected.lines().count() {
            wrong.push(format!("{}: another number of entries", folder.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every line of every case.
fn all_lines() -> Vec<Vec<u8>> {
    let mut lines = Vec::new();
    for folder in fs::read_dir(testdata()).expect("testdata/formats") {
        let case = Case::read(&folder.expect("a folder").path());
        lines.extend(case.input.split(|byte| *byte == b'\n').map(<[u8]>::to_vec));
    }
    lines.sort();
    lines
}

/// A line of some case with bytes of others put in, cut out and changed.
fn mutated(lines: &[Vec<u8>], line: prop::sample::Index, edits: &[Edit]) -> Vec<u8> {
    let mut text = line.get(lines).clone();
    for (place, kind, byte, other) in edits {
        let at = place.index(text.len() + 1);
        match kind {
            0 => text.truncate(at),
            1 => text.insert(at, *byte),
            2 if at < text.len() => text[at] = *byte,
            3 if at < text.len() => drop(text.remove(at)),
            4 => {
                let other = other.get(lines);
                text.splice(at..at, other[..other.len().min(30)].iter().copied());
            }
            _ => text.insert(at, b" \"\\[]{}:=,|\n\t0-<>"[usize::from(*byte) % 17]),
        }
    }
    text
}

type Edit = (prop::sample::Index, u8, u8, prop::sample::Index);

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn fields_and_wanted_fields_are_the_same(
        line: prop::sample::Index,
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..6_u8, any::<u8>(), any::<prop::sample::Index>()), 0..6),
        nested: bool,
    ) {
        thread_local!(static LINES: Vec<Vec<u8>> = all_lines());
        let raw = LINES.with(|lines| mutated(lines, line, &edits));
        let named = FormatName::ALL.map(FormatChoice::Named);
        for choice in named.into_iter().chain([FormatChoice::Auto]) {
            let format = choose(choice, &log_plan(nested), &[], &raw).format;
            for raw in raw.split(|byte| *byte == b'\n').chain([&raw[..]]) {
                check_law(&*format, raw);
            }
        }
    }
}

/// What `fields` gives is what `parse` finds under the same name, and another entry before changes nothing.
fn check_law(format: &dyn Format, raw: &[u8]) {
    let (mut wanted, mut values) = (Wanted::default(), Vec::new());
    format.fields(raw, &mut |name, field| {
        if let Ok(name) = String::from_utf8(name.into_owned()) {
            wanted.paths.push(FieldPath {
                text: name.clone(),
                parts: vec![jobspec::plan::PathPart::Name(name)],
            });
            values.push(field.value().into_owned());
        }
    });
    let mut times = TimeReader::new("Europe/Berlin".parse().unwrap(), YearRule::Fixed(2024));
    let mut parsed = Parsed::default();
    parsed.clear(&wanted);
    format.starts(raw);
    format.joins_next(raw);
    format.parse(raw, &wanted, &mut times, &mut parsed);
    let found: Vec<_> = parsed
        .fields
        .iter()
        .map(|field| field.map(|field| field.value().into_owned()))
        .collect();
    if parsed.valid {
        let values: Vec<_> = values.into_iter().map(Some).collect();
        assert_eq!(found, values, "{:?}", raw.as_bstr());
    } else {
        assert_eq!(parsed.message, Some(Field::text(raw)));
        assert!(
            values.is_empty() && found.iter().all(Option::is_none),
            "{:?}",
            raw.as_bstr()
        );
    }
    let first = (
        parsed.stamp,
        parsed.level,
        parsed.message.map(|message| message.value().into_owned()),
    );
    parsed.clear(&wanted);
    format.parse(raw, &wanted, &mut times, &mut parsed);
    let again = (
        parsed.stamp,
        parsed.level,
        parsed.message.map(|message| message.value().into_owned()),
    );
    assert_eq!(first, again);
}
