//! Every folder of testdata/jobs: run whole, finely cut and merged in other orders, to the same bytes, which are those
//! in its `expected`. `BLESS=1` writes them anew, to be read before they are committed.
//!
//! A case that all is not there for says in its `run.toml` how it ends (`exit`); `expected/gaps.txt` is what its summary
//! names then. Files whose modification time matters are given it before each run (`modified`).

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::harness::{Folder, logstitch, names, root, rows};
use crate::ssh::summary;

/// Bytes of a plain file to a segment: whole, a few lines, less than a line. And the reducer's budget: its own, one that
/// a case may exceed, one that it does.
const ROUNDS: [(&str, &str); 4] = [
    ("1000000000", "1GiB"),
    ("3000", "64KiB"),
    ("64", "1GiB"),
    ("3000", "1KiB"),
];

#[test]
fn every_job_gives_its_rows_however_it_is_cut() {
    let jobs = root().join("testdata/jobs");
    let bless = std::env::var_os("BLESS").is_some();
    for name in names(&jobs) {
        let case = jobs.join(&name);
        let expected = case.join("expected");
        let code = prepared(&case);
        for (round, (segments, memory)) in ROUNDS.iter().enumerate() {
            let folder = Folder::new(&name);
            let out = folder.path().join("out");
            let job = case.join("job.toml");
            let run = logstitch([
                Path::new("run"),
                &job,
                Path::new("--verify"),
                Path::new("--out"),
                &out,
            ]);
            run.args(["--set", &format!("run.memory={memory}")])
                .env("LOGSTITCH_SEGMENT_BYTES", segments)
                .ends_with(code);
            assert!(
                !names(&out).iter().any(|name| name.contains("spill")),
                "{name}: nothing of a spill stays"
            );
            let rows = rows(&out);
            assert!(!rows.is_empty(), "{name}: no operator wrote rows");
            let gaps = gaps(&out);
            if bless && round == 0 {
                let _ = std::fs::remove_dir_all(&expected);
                std::fs::create_dir_all(&expected).unwrap();
                for (file, text) in &rows {
                    std::fs::write(expected.join(file), text).unwrap();
                }
                if !gaps.is_empty() {
                    std::fs::write(expected.join("gaps.txt"), &gaps).unwrap();
                }
            }
            let wanted = std::fs::read_to_string(expected.join("gaps.txt")).unwrap_or_default();
            same(&format!("{name}/gaps.txt"), &gaps, &wanted);
            let wanted = self::rows(&expected);
            let files = |rows: &[(String, String)]| {
                rows.iter()
                    .map(|(file, _)| file.clone())
                    .collect::<Vec<_>>()
            };
            assert_eq!(files(&rows), files(&wanted), "{name}");
            for ((file, text), (_, wanted)) in rows.iter().zip(&wanted) {
                same(
                    &format!(
                        "{name}/{file} in segments of {segments} bytes and {memory} of memory"
                    ),
                    text,
                    wanted,
                );
            }
        }
    }
}

/// Gives a case's files the times that it asks for; how its runs end.
pub fn prepared(case: &Path) -> i32 {
    let asked = std::fs::read_to_string(case.join("run.toml")).unwrap_or_default();
    let asked: toml::Table = asked.parse().unwrap();
    let modified = asked.get("modified").and_then(toml::Value::as_table);
    for (file, time) in modified.into_iter().flatten() {
        let time = chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap()).unwrap();
        let since = Duration::from_secs(time.timestamp().try_into().unwrap());
        let file = std::fs::File::options().append(true).open(case.join(file));
        file.unwrap()
            .set_modified(SystemTime::UNIX_EPOCH + since)
            .unwrap();
    }
    let code = asked.get("exit").map(|code| code.as_integer().unwrap());
    code.unwrap_or(0).try_into().unwrap()
}

/// What the summary says is not all there: hosts that failed, and files that were not read, or not to their end.
fn gaps(out: &Path) -> String {
    let summary = summary(out);
    let mut gaps = String::new();
    for host in summary["hosts"].as_array().unwrap() {
        let name = host["name"].as_str().unwrap();
        if let Some(phase) = host["phase"].as_str() {
            writeln!(gaps, "{name}: failed ({phase})").unwrap();
        }
        let files = host["files"].as_array().unwrap().iter();
        for file in files.filter(|file| file["state"] != "complete") {
            let (path, state) = (file["path"].as_str().unwrap(), file["state"].as_str());
            let findings = file["findings"].as_array().unwrap().iter();
            let findings = findings.map(|finding| finding["what"].as_str().unwrap());
            let skipped = file.get("skipped").and_then(Value::as_array);
            let skipped = skipped.into_iter().flatten();
            let skipped = skipped.map(|part| part["why"].as_str().unwrap());
            let why: Vec<&str> = findings.chain(skipped).collect();
            let (state, why) = (state.unwrap(), why.join(", "));
            writeln!(gaps, "{name}: {path} {state}: {why}").unwrap();
        }
    }
    gaps
}

/// Compares line by line: a failure shows the first line that differs, not two files.
pub fn same(what: &str, text: &str, wanted: &str) {
    for (number, (line, wanted)) in text.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(line, wanted, "{what}, row {}", number + 1);
    }
    assert_eq!(
        text.lines().count(),
        wanted.lines().count(),
        "{what}: number of rows"
    );
    assert_eq!(text, wanted, "{what}");
}
