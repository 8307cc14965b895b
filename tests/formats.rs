//! `formats`: what it says of the formats' own samples, of packed and damaged files, and of what is no log.

use std::io::Write;
use std::process::Command;

use serde_json::Value;

use crate::harness::{Folder, logstitch, names, root};

/// What `--json` says of files, in order.
fn seen(paths: &[String], code: i32) -> Vec<Value> {
    let ended = logstitch(["formats", "--json"]).args(paths).ends_with(code);
    let lines = ended.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The format of every sample that comes without a word from a job.
const FOUND: [(&str, &str); 35] = [
    ("apache-error", "apache"),
    ("audit", "logfmt"),
    ("auto-mixed", "json"),
    ("bytes-invalid-utf8", "json"),
    ("cri", "wrapped logfmt"),
    ("csv", "csv"),
    ("docker-plain", "wrapped plain"),
    ("json-duplicate-keys", "json"),
    ("json-journald", "json"),
    ("json-logstash", "json"),
    ("json-mongodb", "json"),
    ("json-nested", "json"),
    ("json-pino-bunyan", "json"),
    ("json-zap", "json"),
    ("logfmt", "logfmt"),
    ("nginx-error", "nginx"),
    ("plain-dotnet", "plain"),
    ("plain-generic", "plain"),
    ("plain-glog", "plain"),
    ("plain-go", "plain"),
    ("plain-log4j", "plain"),
    ("plain-logcat", "plain"),
    ("plain-nested", "plain"),
    ("plain-postgres", "plain"),
    ("plain-python", "plain"),
    ("plain-rails", "plain"),
    ("plain-rust", "plain"),
    ("plain-spring", "plain"),
    ("plain-tomcat", "plain"),
    ("raw", "raw"),
    ("syslog-5424", "syslog"),
    ("syslog-bsd", "syslog"),
    ("syslog-iso", "syslog"),
    ("tsv", "csv"),
    ("zstd-frames", "logfmt"),
];

#[test]
fn samples_are_told_by_their_lines() {
    let folder = root().join("testdata/formats");
    let mut found = Vec::new();
    for name in names(&folder) {
        let case = std::fs::read_to_string(folder.join(&name).join("case.toml"));
        let is_auto = case.is_ok_and(|case| case.contains("log ="));
        if is_auto {
            continue;
        }
        let input = names(&folder.join(&name));
        let input = input
            .iter()
            .find(|file| file.starts_with("input."))
            .unwrap();
        let path = folder.join(&name).join(input).display().to_string();
        let [seen] = &seen(&[path], 0)[..] else {
            panic!("{name}: one object");
        };
        let entries = seen["entries"].as_u64().unwrap();
        let fitted = seen["fitted"].as_object().unwrap().values();
        let fitted: u64 = fitted.map(|count| count.as_u64().unwrap()).sum();
        let malformed = seen["malformed"].as_u64().unwrap();
        assert_eq!(entries, fitted + malformed, "{name}");
        assert!(
            entries > 0 && !seen["why"].as_str().unwrap().is_empty(),
            "{name}"
        );
        assert_eq!(
            seen["samples"].as_array().unwrap().len() as u64,
            fitted.min(3),
            "{name}"
        );
        found.push((name, seen["format"].as_str().unwrap().to_owned()));
    }
    let found: Vec<_> = found
        .iter()
        .map(|(name, format)| (&**name, &**format))
        .collect();
    assert_eq!(found, FOUND);
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_file_is_described_for_a_person() {
    let folder = Folder::new("formats");
    let text = "{\"time\":\"2026-01-19T14:00:00Z\",\"level\":\"warn\",\"message\":\"a\\u001b[31mb\",\"user\":\"ann\"}\n\
                {broken\n\n\
                {\"time\":\"2026-01-19T20:00:00Z\",\"message\":\"c\",\"ms\":7}\n";
    folder.write("app.jsonl.1.gz", gzip(text.as_bytes()));
    let ended = logstitch(["formats", "app.jsonl.1.gz"])
        .folder(folder.path())
        .ends_with(0);
    for part in [
        "app.jsonl.1.gz\n",
        "  file       gzip, UTF-8, ",
        &format!(", {} bytes of text\n", text.len()),
        "  format     json: 2 of the first 3 lines are json\n",
        "  entries    3 in 4 lines: 1 malformed, 1 blank\n",
        "  fitted     66.7 % json, 33.3 % nothing\n",
        "  times      2026-01-19T14:00:00Z to 2026-01-19T20:00:00Z\n",
        "  a day      about ",
        "  fields     time level message user ms\n",
        "  entry      2026-01-19T14:00:00Z WARN a\\u{1b}[31mb\n",
        "  user=ann\n",
        "  malformed  at byte 85: {broken\n",
    ] {
        assert!(ended.stdout.contains(part), "{part}\n{}", ended.stdout);
    }
    assert!(!ended.stdout.contains('\u{1b}'));
    let [seen] = &seen(
        &[folder.path().join("app.jsonl.1.gz").display().to_string()],
        0,
    )[..] else {
        panic!("one object");
    };
    assert_eq!(seen["bytes_per_day"], text.len() as u64 * 4);
    assert_eq!(seen["samples"][0]["message"], "a\u{1b}[31mb");
    assert_eq!(seen["malformed_samples"][0]["text"], "{broken");
    assert_eq!(seen["partial"], false);
}

#[test]
fn what_cannot_be_read_is_said_and_the_others_are_read() {
    let folder = Folder::new("formats");
    folder.write("log", "a=1 b=2\n");
    folder.write("empty", "");
    folder.write(
        "binary",
        [b"\x7fELF\x02\x01\x01\0".repeat(100), b"\n".to_vec()].concat(),
    );
    folder.write("damaged.gz", &gzip(&b"a=1 b=2\n".repeat(1000))[..8]);
    let made = Command::new("mkfifo")
        .arg(folder.path().join("fifo"))
        .status()
        .unwrap();
    assert!(made.success());
    let all = ["fifo", "gone", ".", "damaged.gz", "empty", "binary", "log"];
    let ended = logstitch(["formats"])
        .args(all)
        .folder(folder.path())
        .ends_with(1);
    for part in [
        "fifo\n  is no regular file, not read: a FIFO\n",
        "gone\n  cannot be read: there is no such file\n",
        ".\n  is no regular file, not read: a folder\n",
        "damaged.gz\n  is damaged, read up to there: its compressed data end too early\n",
        "  it is empty\n",
        "it is no text: it has NUL bytes\n",
        "  format     logfmt: ",
    ] {
        assert!(ended.stdout.contains(part), "{part}\n{}", ended.stdout);
    }
    assert!(
        ended
            .stderr
            .contains("formats: 4 of 7 files could not be read"),
        "{}",
        ended.stderr
    );
    let paths = all.map(|name| folder.path().join(name).display().to_string());
    let objects = seen(&paths, 1);
    assert_eq!(objects.len(), all.len());
    assert!(
        objects[..4]
            .iter()
            .all(|object| object["error"].is_string()),
        "{objects:?}"
    );
    assert_eq!(objects[4]["entries"], 0);
    assert_eq!(objects[5]["binary"], true);
    assert!(!ended.stdout.contains("ELF"), "{}", ended.stdout);
    logstitch(["formats", "log", "empty", "binary"])
        .folder(folder.path())
        .ends_with(0);
    logstitch(["formats"]).ends_with(2);
}

#[test]
fn no_more_than_64_mebibytes_are_read() {
    let folder = Folder::new("formats");
    let line = format!("2026-01-19T14:00:00Z INFO {}\n", "x".repeat(9970));
    let count = (70 << 20) / line.len();
    let text = line.repeat(count).into_bytes();
    folder.write("large.log.gz", gzip(&text));
    folder.write("large.log", text);
    for name in ["large.log", "large.log.gz"] {
        let path = folder.path().join(name).display().to_string();
        let object = &seen(&[path], 0)[0];
        assert_eq!(object["partial"], true);
        let bytes = object["decoded_bytes"].as_u64().unwrap();
        assert!((64 << 20) - bytes <= line.len() as u64, "{bytes}");
        let entries = object["entries"].as_u64().unwrap();
        assert!(entries.abs_diff(bytes / line.len() as u64) <= 1);
        assert_eq!(object["findings"].as_array().unwrap().len(), 0);
    }
    let ended = logstitch(["formats", "large.log"])
        .folder(folder.path())
        .ends_with(0);
    assert!(
        ended
            .stdout
            .contains(", the first 67.1 MB of its text read\n"),
        "{}",
        ended.stdout
    );
}
