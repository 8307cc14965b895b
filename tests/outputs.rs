//! Every file of rows, read again by readers that share no code with us: the csv by the csv crate and Python's, the parquet by
//! DuckDB, each held against the jsonl. And where outputs go: a full disk, the newest run, and how many are kept.

use std::path::Path;
use std::process::Command;

use jobspec::value::Time;
use serde_json::Value;

use crate::harness::{Folder, logstitch, names, root};
use crate::python;
use crate::report::assert_conforming;

/// Values that are hard to write: of every kind, hostile, and of several kinds in one column.
const HARD: &str = r#"
{"time":"2026-01-19T14:00:00.123456789Z","n":1,"mixed":1,"text":"=HYPERLINK(\"http://x\")","nested":{"a":[1,"b\"c"]},"big":18446744073709551615,"half":0.5}
{"time":"2026-01-19T14:00:01Z","n":-2,"mixed":"two","text":"a,b\r\n\"c\"","nested":[],"big":0,"half":2}
{"time":"2026-01-19T14:00:02.5Z","n":9007199254740993,"mixed":{"three":3},"text":"","nested":{},"big":7,"half":-1e300}
{"time":"2026-01-19T14:00:03Z","n":null,"mixed":true,"text":"\u202eline\u0000\u001b[31m","nested":null,"big":1,"half":null}
{"time":"2026-01-19T14:00:04Z","text":"+49 30 1234","huge":12345678901234567890123456789012345678}
{"time":"2026-01-19T14:00:05Z","text":"-5","huge":-1}
"#;

const JOB: &str = r#"
[job]
name = "hard"
[hosts.here]
local = ["here"]
[logs.app]
hosts = ["here"]
paths = ["*.jsonl"]
format = "json"
[select.values]
columns = ["time", "n", "mixed", "text", "nested", "big", "half", "huge", "level"]
[select.entries]
[select.none]
where = "n = 77"
columns = ["time", "text"]
[aggregate.minutes]
group = { minute = "bucket(time, '1m')" }
select = { n = "count(*)", half = "max(half)", texts = "top(text, 2)" }
[output]
formats = ["jsonl", "csv", "parquet"]
"#;

fn hard_run() -> (Folder, std::path::PathBuf) {
    let folder = Folder::new("outputs");
    folder.write("app.jsonl", HARD.trim_start());
    let job = folder.write("job.toml", JOB);
    let out = folder.path().join("out");
    logstitch(["run", "--verify", "--out"])
        .arg(&out)
        .arg(&job)
        .ends_with(0);
    (folder, out)
}

/// The rows of a jsonl file, with the columns that its header would have.
fn jsonl(path: &Path, columns: &[String]) -> Vec<Vec<Value>> {
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().map(|line| {
        let row: Value = serde_json::from_str(line).unwrap();
        columns
            .iter()
            .map(|column| row.get(column).cloned().unwrap_or(Value::Null))
            .collect()
    });
    rows.collect()
}

fn operators(out: &Path) -> Vec<String> {
    let names = names(out).into_iter();
    names
        .filter_map(|name| name.strip_suffix(".jsonl").map(str::to_owned))
        .collect()
}

/// What a cell of the csv must be for a value of the jsonl.
fn assert_cell(what: &str, cell: &str, value: &Value) {
    match value {
        Value::Null => assert_eq!(cell, "", "{what}"),
        Value::Array(_) | Value::Object(_) => {
            let read: Value = serde_json::from_str(cell)
                .unwrap_or_else(|error| panic!("{what}: {cell}: {error}"));
            assert_eq!(read, *value, "{what}");
        }
        Value::String(text) => {
            let text = text.replace('\0', "\u{fffd}");
            let is_guarded = cell.strip_prefix('\'') == Some(&text);
            assert!(cell == text || is_guarded, "{what}: {cell:?} for {text:?}");
            let begins = text.trim_start().chars().next();
            if matches!(begins, Some('=' | '@')) {
                assert!(is_guarded, "{what}: a spreadsheet would run {cell:?}");
            }
        }
        // Numbers as they stand: the reader of JSON here may round what we do not.
        Value::Number(number) => {
            assert!(
                cell.parse::<f64>().unwrap() == number.as_f64().unwrap(),
                "{what}: {cell} for {number}"
            );
        }
        Value::Bool(bool) => assert_eq!(cell, bool.to_string(), "{what}"),
    }
}

fn assert_csv(out: &Path) {
    for operator in operators(out) {
        let path = out.join(format!("{operator}.csv"));
        let mut reader = csv::ReaderBuilder::new()
            .flexible(false)
            .has_headers(false)
            .from_path(&path)
            .unwrap();
        let by_crate: Vec<Vec<String>> = reader
            .records()
            .map(|record| record.unwrap().iter().map(str::to_owned).collect())
            .collect();
        let by_python: Vec<Vec<String>> =
            python::script(&[], include_str!("readers/csv_rows.py"), &[&path])
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect();
        assert_eq!(by_crate, by_python, "{operator}");
        let (columns, cells) = by_crate.split_first().expect("a header");
        let rows = jsonl(&out.join(format!("{operator}.jsonl")), columns);
        assert_eq!(cells.len(), rows.len(), "{operator}");
        for (number, (cells, row)) in cells.iter().zip(&rows).enumerate() {
            for ((column, cell), value) in columns.iter().zip(cells).zip(row) {
                assert_cell(
                    &format!("{operator}.csv, row {number}, {column}"),
                    cell,
                    value,
                );
            }
        }
    }
}

/// The columns of every parquet file with DuckDB's types, after all rows were held against the jsonl.
fn assert_parquet(out: &Path) -> Vec<(String, Vec<(String, String)>)> {
    let operators = operators(out).into_iter();
    let read = operators.map(|operator| {
        let path = out.join(format!("{operator}.parquet"));
        let text = python::script(
            &["duckdb"],
            include_str!("readers/parquet_rows.py"),
            &[&path],
        );
        let (head, rows) = text.split_once('\n').unwrap();
        let columns: Vec<(String, String)> = serde_json::from_str(head).unwrap();
        let names: Vec<String> = columns.iter().map(|(name, _)| name.clone()).collect();
        let rows: Vec<Vec<Value>> = rows
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let expected = jsonl(&out.join(format!("{operator}.jsonl")), &names);
        assert_eq!(rows.len(), expected.len(), "{operator}");
        for (number, (row, expected)) in rows.iter().zip(&expected).enumerate() {
            for (((name, kind), read), value) in columns.iter().zip(row).zip(expected) {
                let what = format!("{operator}.parquet, row {number}, {name} {kind}");
                match (kind.as_str(), value) {
                    (_, Value::Null) => assert_eq!(read, value, "{what}"),
                    (kind, Value::String(text)) if kind.starts_with("TIMESTAMP") => {
                        let ns = Time::parse(text.as_bytes()).unwrap().ns;
                        assert_eq!(read.as_i64(), Some(ns), "{what}");
                    }
                    ("JSON", value) => {
                        let text = read.as_str().unwrap();
                        assert_eq!(
                            serde_json::from_str::<Value>(text).unwrap(),
                            *value,
                            "{what}"
                        );
                    }
                    ("VARCHAR", Value::String(_)) | ("BOOLEAN", _) => {
                        assert_eq!(read, value, "{what}")
                    }
                    ("VARCHAR", value) => {
                        let text = read.as_str().unwrap();
                        assert_eq!(
                            serde_json::from_str::<Value>(text).unwrap(),
                            *value,
                            "{what}"
                        );
                    }
                    ("BIGINT" | "UBIGINT", value) => assert_eq!(read, value, "{what}"),
                    ("DOUBLE", value) => assert_eq!(read.as_f64(), value.as_f64(), "{what}"),
                    _ => panic!("{what}: no such type is written"),
                }
            }
        }
        (operator, columns)
    });
    read.collect()
}

#[test]
fn hard_values_come_back_from_every_file() {
    let (_folder, out) = hard_run();
    assert_csv(&out);
    let files = assert_parquet(&out);
    let type_of = |operator: &str, column: &str| {
        let (_, columns) = files.iter().find(|(name, _)| name == operator).unwrap();
        let (_, kind) = columns.iter().find(|(name, _)| name == column).unwrap();
        kind.clone()
    };
    for (operator, column, expected) in [
        ("values", "time", "TIMESTAMP"),
        ("values", "n", "BIGINT"),
        ("values", "mixed", "VARCHAR"),
        ("values", "text", "VARCHAR"),
        ("values", "nested", "JSON"),
        ("values", "big", "UBIGINT"),
        ("values", "half", "DOUBLE"),
        ("values", "huge", "VARCHAR"),
        ("entries", "offset", "BIGINT"),
        ("entries", "fields", "JSON"),
        // Nothing but the plan tells the types of a file without rows.
        ("none", "time", "TIMESTAMP"),
        ("minutes", "minute", "TIMESTAMP"),
        ("minutes", "n", "BIGINT"),
        ("minutes", "half", "DOUBLE"),
        ("minutes", "texts", "JSON"),
    ] {
        let kind = type_of(operator, column);
        assert!(kind.starts_with(expected), "{operator}.{column}: {kind}");
    }
}

#[test]
fn the_incident_comes_back_from_every_file() {
    let folder = Folder::new("outputs-incident");
    let out = folder.path().join("out");
    let job = root().join("testdata/jobs/incident/job.toml");
    logstitch([
        "run",
        "--set",
        "output.formats=['jsonl', 'csv', 'parquet', 'text']",
        "--out",
    ])
    .arg(&out)
    .arg(&job)
    .ends_with(0);
    assert_csv(&out);
    let files = assert_parquet(&out);
    assert_eq!(files.len(), 12);
    let (_, latency) = files.iter().find(|(name, _)| name == "latency").unwrap();
    let kinds: Vec<&str> = latency
        .iter()
        .map(|(_, kind)| kind.split('_').next().unwrap())
        .collect();
    assert_eq!(kinds[2..], ["BIGINT", "DOUBLE", "DOUBLE", "BIGINT"]);
    let text = folder.read("out/report.txt");
    for line in [
        "incident: complete",
        "  3 of 3 hosts, 12 of 12 files, 5898 entries (5 malformed), 3 of 3 checks passed, 1 of 1 alerts firing",
        "latency (aggregate, 120 rows)",
        "  … 100 more in latency.csv",
        "      14:39:05.640 node-a INFO [in] Accepted password for s.okafor",
        "    > 14:42:31.012 node-a ERROR Alarm raised for h.brandt: account locked after 6 failed passwords",
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\n{text}");
    }
    assert!(
        text.chars()
            .all(|character| character == '\n' || !character.is_control())
    );
    // The same from the spool, in another format only.
    let again = folder.path().join("again");
    logstitch(["reduce", "--formats", "csv", "--out"])
        .arg(&again)
        .arg(out.join("spool"))
        .ends_with(0);
    for operator in operators(&out) {
        let read = |folder: &Path| std::fs::read(folder.join(format!("{operator}.csv"))).unwrap();
        assert!(read(&out) == read(&again), "{operator}");
    }
    assert!(!again.join("latency.jsonl").exists());
    logstitch(["reduce", "--formats", "xml", "--out", "x", "y"]).ends_with(2);
}

/// A disk of so many kilobytes, gone at the end of the test.
struct SmallDisk<'a>(&'a Path);

impl SmallDisk<'_> {
    fn new(place: &Path, kilobytes: u32) -> SmallDisk<'_> {
        std::fs::create_dir_all(place).unwrap();
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={kilobytes}k"), "tmpfs"])
            .arg(place);
        let output = mount.output().unwrap();
        assert!(
            output.status.success(),
            "a full disk needs a tmpfs of its own, which only root may mount: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        SmallDisk(place)
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

#[test]
fn a_full_disk_leaves_the_old_outputs() {
    let folder = Folder::new("full");
    let place = folder.path().join("disk");
    let _disk = SmallDisk::new(&place, 600);
    let line =
        |number: u32| format!("{{\"id\":\"a text of some length that is different {number}\"}}\n");
    folder.write("app.jsonl", (0..10).map(line).collect::<String>());
    let job = folder.write("job.toml", JOB.replace("*.jsonl", "app.jsonl"));
    let out = place.join("out");
    for formats in [
        "'jsonl'",
        "'csv'",
        "'jsonl', 'csv', 'parquet', 'html', 'text'",
    ] {
        let run = || {
            logstitch([
                "run",
                "--set",
                &format!("output.formats=[{formats}]"),
                "--out",
            ])
            .arg(&out)
            .arg(&job)
        };
        folder.write("app.jsonl", (0..10).map(line).collect::<String>());
        run().ends_with(0);
        let content = |folder: &Path| -> Vec<(String, Vec<u8>)> {
            let names = names(folder).into_iter().filter(|name| name != "spool");
            names
                .map(|name| (name.clone(), std::fs::read(folder.join(&name)).unwrap()))
                .collect()
        };
        let before = content(&out);
        folder.write("app.jsonl", (0..6000).map(line).collect::<String>());
        let ended = run().ends_with(1);
        assert!(
            ended.stderr.contains("No space left on device"),
            "{formats}: {}",
            ended.stderr
        );
        assert!(
            content(&out) == before,
            "{formats}: the old outputs are as they were"
        );
    }
    // Enough for what the hosts sent, not for the rows: the spool is kept, and named.
    let ended = logstitch(["run", "--out"]).arg(&out).arg(&job).ends_with(1);
    let (_, rest) = ended
        .stderr
        .split_once("`logstitch reduce ")
        .expect(&ended.stderr);
    let (spool, _) = rest.split_once(" --out").unwrap();
    let elsewhere = folder.path().join("elsewhere");
    logstitch(["reduce", spool, "--out"])
        .arg(&elsewhere)
        .ends_with(0);
    let rows = std::fs::read_to_string(elsewhere.join("values.jsonl")).unwrap();
    assert_eq!(rows.lines().count(), 6000);
}

#[test]
fn runs_stand_beside_each_other_and_the_oldest_go() {
    let folder = Folder::new("keep");
    folder.write("app.jsonl", HARD.trim_start());
    let job = JOB.replace("[output]\n", "[output]\ndir = \"runs/{run}\"\nkeep = 2\n");
    let job = job.replace("\"parquet\"", "\"html\"");
    let job = folder.write("job.toml", job);
    let runs = folder.path().join("runs");
    // Runs of other days: copies under other names.
    logstitch(["run"])
        .arg(&job)
        .folder(folder.path())
        .ends_with(0);
    let first = std::fs::read_link(runs.join("latest")).unwrap();
    for old in ["20250101T000000Z", "20250102T000000Z"] {
        let copied = Command::new("cp")
            .arg("-r")
            .arg(runs.join(&first))
            .arg(runs.join(old))
            .status();
        assert!(copied.unwrap().success());
    }
    std::fs::create_dir(runs.join("20240101T000000Z")).unwrap();
    // Two runs may not begin within a second: their folders are named so.
    std::fs::rename(runs.join(&first), runs.join("20260101T000000Z")).unwrap();
    logstitch(["run"])
        .arg(&job)
        .folder(folder.path())
        .ends_with(0);
    let latest = std::fs::read_link(runs.join("latest"))
        .unwrap()
        .into_os_string()
        .into_string()
        .unwrap();
    let left = names(&runs);
    let expected = [
        ".hard.lock",
        "20240101T000000Z",
        "20260101T000000Z",
        &latest,
        "index.html",
        "latest",
    ];
    assert_eq!(left, expected);
    let page = std::fs::read_to_string(runs.join("index.html")).unwrap();
    for run in ["20260101T000000Z", &latest] {
        assert!(page.contains(&format!("./{run}/report.html")), "{run}");
    }
    assert!(!page.contains("20240101"));
    assert_conforming(&runs.join("index.html"));
    // Where runs do not stand beside each other nothing can be kept, and --out is one folder.
    let job = folder.write(
        "other.toml",
        JOB.replace("[output]\n", "[output]\ndir = \"out\"\nkeep = 2\n"),
    );
    let ended = logstitch(["run"])
        .arg(&job)
        .folder(folder.path())
        .ends_with(2);
    assert!(
        ended.stderr.contains("`keep` needs a folder for each run"),
        "{}",
        ended.stderr
    );
}
