//! The kept incident is what the generator writes, and the facts are what a plain look at the bytes finds.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

use super::incident::{self, Facts, File};
use super::{Corpus, Request, SEED, corpus, run};

/// What the kept logs may weigh, as they lie in the repository.
const KEPT_BYTES: u64 = 1_200_000;

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/jobs/incident")
}

/// Every file below the folder, by its path in it.
fn listing(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(current) = folders.pop() {
        for item in
            fs::read_dir(&current).unwrap_or_else(|error| panic!("{}: {error}", current.display()))
        {
            let path = item.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path
                    .strip_prefix(folder)
                    .unwrap()
                    .to_str()
                    .unwrap()
                    .to_owned();
                found.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn decompressed(path: &str, bytes: Vec<u8>) -> Vec<u8> {
    if !path.ends_with(".gz") {
        return bytes;
    }
    let mut plain = Vec::new();
    MultiGzDecoder::new(bytes.as_slice())
        .read_to_end(&mut plain)
        .unwrap();
    plain
}

fn stream(files: &[File], prefix: &str) -> String {
    let parts = files.iter().filter(|file| file.path.starts_with(prefix));
    parts
        .map(|file| String::from_utf8_lossy(&file.bytes))
        .collect()
}

fn text(line: &str, key: &str) -> Option<String> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    value.get(key)?.as_str().map(str::to_owned)
}

#[test]
fn the_kept_incident_is_what_the_generator_writes() {
    let (files, _) = incident::build(SEED);
    let mut found = listing(&kept().join("logs"));
    let weight: u64 = found.values().map(|bytes| bytes.len() as u64).sum();
    assert!(weight <= KEPT_BYTES, "{weight} bytes are kept");
    for file in files {
        let bytes = found
            .remove(&file.path)
            .unwrap_or_else(|| panic!("{} is not kept", file.path));
        let same = decompressed(&file.path, bytes) == file.bytes;
        assert!(
            same,
            "{} differs: write it anew with `logstitch gen incident`",
            file.path
        );
    }
    assert!(found.is_empty(), "no one writes {:?}", found.keys());
}

#[test]
fn a_folder_is_written_whole_and_twice_the_same() {
    let folder = std::env::temp_dir().join(format!("logstitch-gen-{}", std::process::id()));
    let request = Request::Incident {
        folder: folder.clone(),
        seed: SEED,
    };
    let mut out = Vec::new();
    run(&request, &mut out).unwrap();
    let first = listing(&folder);
    run(&request, &mut out).unwrap();
    let second = listing(&folder);
    fs::remove_dir_all(&folder).unwrap();
    let facts = incident::facts(SEED).to_string();
    assert_eq!(String::from_utf8(out).unwrap(), facts.repeat(2));
    assert!(first == second);
    assert_eq!(first.len(), incident::facts(SEED).files.len() + 1);
    assert_eq!(first["job.toml"], incident::JOB.as_bytes());
}

#[test]
fn the_readme_tells_the_facts() {
    let readme = fs::read_to_string(kept().join("README.md")).unwrap();
    let facts = incident::facts(SEED).to_string();
    assert!(
        readme.contains(&facts),
        "testdata/jobs/incident/README.md does not contain:\n{facts}"
    );
}

#[test]
fn another_seed_tells_the_same_story_otherwise() {
    let (first, second) = (incident::facts(1), incident::facts(2));
    assert_ne!(first.files, second.files);
    for facts in [&first, &second] {
        story_holds(facts);
    }
}

#[test]
fn the_facts_hold_against_the_bytes() {
    let (files, facts) = incident::build(SEED);
    story_holds(&facts);
    for file in &files {
        let facts = &file.facts;
        let ends = file.bytes.iter().filter(|&&byte| byte == b'\n').count() as u64;
        assert_eq!(
            facts.lines,
            ends + u64::from(!file.bytes.ends_with(b"\n")),
            "{}",
            file.path
        );
        assert_eq!(
            facts.lines,
            facts.valid + facts.malformed + facts.blank + facts.continuations
        );
        assert_eq!(facts.bytes, file.bytes.len() as u64);
        if file.path.contains(".jsonl") {
            let lines = file
                .bytes
                .split(|&byte| byte == b'\n')
                .filter(|line| !line.trim_ascii().is_empty());
            // JSON as such, whatever the bytes inside its texts.
            let valid = lines.filter(|line| {
                serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(
                    &String::from_utf8_lossy(line),
                )
                .is_ok()
            });
            assert_eq!(facts.valid, valid.count() as u64, "{}", file.path);
        }
        if file.path.starts_with("node-c") {
            let starts = String::from_utf8_lossy(&file.bytes)
                .lines()
                .filter(|line| line.starts_with("2026-"))
                .count();
            assert_eq!(facts.valid, starts as u64, "{}", file.path);
        }
    }
    let postgres = stream(&files, "node-c/postgres");
    assert_eq!(facts.failed_statements, hour(&postgres, "STATEMENT:"));
    assert_eq!(facts.duplicates, hour(&postgres, "duplicate key"));
    assert_eq!(
        facts.read_only,
        hour(&postgres, "in a read-only transaction")
    );
    let checkout = stream(&files, "node-a/checkout");
    assert_eq!(facts.checkouts, hour(&checkout, "\"checkout started\""));
    assert_eq!(
        facts.timeouts,
        hour(&checkout, "\"payments: timeout after 1200ms\"")
    );
    let refused = checkout + &stream(&files, "node-b/payments") + &stream(&files, "node-c/ledger");
    assert_eq!(facts.refused, hour(&refused, ": connection refused"));
    let last = files
        .iter()
        .find(|file| file.path == "node-b/payments.jsonl")
        .unwrap();
    assert!(last.bytes.ends_with(b"}"));
    let border = files
        .iter()
        .find(|file| file.path == "node-c/postgres.log")
        .unwrap();
    assert!(border.bytes.starts_with(b"\t"));
}

/// Lines of the hour that hold the text.
fn hour(log: &str, needle: &str) -> u64 {
    let lines = log
        .lines()
        .filter(|line| line.contains(" 14:") || line.contains("T14:"));
    lines.filter(|line| line.contains(needle)).count() as u64
}

fn story_holds(facts: &Facts) {
    assert_eq!(
        facts.checkouts,
        facts.checkouts_done + facts.checkouts_declined + facts.checkouts_failed
    );
    for (what, count) in [
        ("failed checkouts", facts.checkouts_failed),
        ("done after a retry", facts.checkouts_done_after_retry),
        ("declined", facts.checkouts_declined),
        ("timeouts", facts.timeouts),
        ("refused", facts.refused),
        ("read-only", facts.read_only),
        ("duplicates", facts.duplicates),
    ] {
        assert!(count >= 3, "{what}: {count}");
    }
    assert!(facts.slowest_ms > 4_000);
}

#[test]
fn levels_and_statuses_hold_against_the_bytes() {
    let (files, facts) = incident::build(SEED);
    let mut levels: BTreeMap<(String, String), u64> = BTreeMap::new();
    let mut count = |service: &str, level: &str| {
        *levels
            .entry((service.to_owned(), level.to_owned()))
            .or_default() += 1;
    };
    for name in ["node-a/checkout", "node-b/payments"] {
        // A line without a time of its own has that of the line before.
        let mut inside = false;
        for line in stream(&files, name).lines().filter(|line| !line.is_empty()) {
            if let Some(time) = text(line, "timestamp") {
                inside = time.starts_with("2026-01-19T14:");
            }
            if inside {
                let level = text(line, "level").unwrap_or_default().to_uppercase();
                count(&text(line, "service").unwrap_or_default(), &level);
            }
        }
    }
    for (name, service) in [("node-c/ledger", "ledger"), ("node-c/postgres", "postgres")] {
        for line in stream(&files, name).lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.len() < 5 || words[0] != "2026-01-19" || !words[1].starts_with("14:") {
                continue;
            }
            match (service, words[2], words[4]) {
                ("ledger", level, _) => count(service, level),
                (_, _, "LOG:") => count(service, "INFO"),
                (_, _, level @ ("ERROR:" | "FATAL:")) => {
                    count(service, level.trim_end_matches(':'))
                }
                _ => count(service, ""),
            }
        }
    }
    let expected = facts
        .levels
        .iter()
        .map(|((service, level), &count)| ((service.to_string(), level.to_string()), count));
    assert_eq!(expected.collect::<BTreeMap<_, _>>(), levels);

    let mut statuses: BTreeMap<u64, u64> = BTreeMap::new();
    for line in stream(&files, "node-a/access").lines() {
        let (_, after) = line.split_once("/Jan/2026:").unwrap();
        let status = line
            .split('"')
            .nth(2)
            .unwrap()
            .split_whitespace()
            .next()
            .unwrap();
        if after.starts_with("14:") {
            *statuses.entry(status.parse().unwrap()).or_default() += 1;
        }
    }
    assert_eq!(facts.statuses, statuses);
}

#[test]
fn only_the_three_mistype_five_times() {
    let (files, facts) = incident::build(SEED);
    let mut failures: BTreeMap<String, u64> = BTreeMap::new();
    for line in stream(&files, "node-a/checkout").lines() {
        let message = text(line, "message").unwrap_or_default();
        if let Some(user) = message.strip_prefix("Failed password for ") {
            assert_eq!(text(line, "user").as_deref(), Some(user));
            *failures.entry(user.to_owned()).or_default() += 1;
        }
    }
    assert!(failures.len() > 6, "{failures:?}");
    for (user, count) in failures {
        let expected = match user {
            _ if user == facts.locked_out => 6..=6,
            _ if user == facts.unnoticed || user == facts.noticed => 5..=5,
            _ => 1..=4,
        };
        assert!(expected.contains(&count), "{user}: {count}");
    }
}

#[test]
fn ids_join_across_the_nodes() {
    let (files, facts) = incident::build(SEED);
    let checkout = stream(&files, "node-a/checkout");
    let ledger = stream(&files, "node-c/ledger");
    let payments = stream(&files, "node-b/payments");
    let traces = checkout.lines().filter_map(|line| text(line, "trace_id"));
    let crossing =
        traces.filter(|trace| ledger.contains(trace.as_str()) && payments.contains(trace.as_str()));
    assert_eq!(facts.crossing, crossing.count() as u64);
    assert!(facts.crossing > 250);
}

#[test]
fn corpora_are_seeded_whole_and_long_enough() {
    for (name, kind) in Corpus::ALL {
        let mut first = Vec::new();
        corpus::corpus(kind, 300_000, 7, &mut first).unwrap();
        let mut second = Vec::new();
        run(
            &Request::Corpus {
                corpus: kind,
                bytes: 300_000,
                seed: 7,
            },
            &mut second,
        )
        .unwrap();
        let mut other = Vec::new();
        corpus::corpus(kind, 300_000, 8, &mut other).unwrap();
        assert!(first == second, "{name}: the same seed, other bytes");
        assert!(first != other, "{name}: another seed, the same bytes");
        assert!(
            (300_000..310_000).contains(&first.len()),
            "{name}: {} bytes",
            first.len()
        );
        assert!(first.ends_with(b"\n"), "{name}");
        let text = std::str::from_utf8(&first).unwrap();
        match kind {
            Corpus::Json => {
                for line in text.lines() {
                    assert!(
                        serde_json::from_str::<serde_json::Value>(line).is_ok(),
                        "{line}"
                    );
                }
                assert!((260..320).contains(&(first.len() / text.lines().count())));
            }
            Corpus::Access => assert!(text.lines().all(|line| line.split('"').count() == 7)),
            Corpus::Plain => {
                let starts = text
                    .lines()
                    .filter(|line| line.starts_with("2026-01-12 "))
                    .count();
                assert!(text.contains("\n\tat ") && starts > 1000);
            }
        }
    }
}
