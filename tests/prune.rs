//! Time pruning from end to end: a job gives the same rows where parts of its logs are left out and where everything
//! is read, and its summary says what was left out.

use std::io::Write;

use serde_json::Value;

use crate::harness::{Folder, logstitch, rows};

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end
    }
}

const BEGIN: i64 = 1_768_780_800;
const HOUR: i64 = 3600;

fn time(second: i64) -> String {
    chrono::DateTime::from_timestamp(second, 0)
        .unwrap()
        .format("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// A rotated log of a day whose times go back by up to ten minutes; some files are packed.
fn write_logs(folder: &Folder, random: &mut Random, current_bytes: usize) {
    for (name, is_plain) in [("api", false), ("worker", true)] {
        let mut clock = BEGIN;
        let mut files = vec![Vec::new()];
        while clock < BEGIN + 24 * HOUR {
            clock += 1 + random.below(60) as i64;
            let second = clock - random.below(600) as i64;
            let line = match (is_plain, random.below(20)) {
                (_, 0) => "a line without a time\n".to_owned(),
                (true, 1) => format!(
                    "{} ERROR job failed\n\tat a.b.C\n\tat a.b.D\n",
                    time(second)
                ),
                (true, _) => format!("{} INFO job {} done\n", time(second), random.below(50)),
                (false, 1) => format!(
                    "{{\"time\":\"{}\",\"level\":\"error\",\"message\":\"no\"}}\n",
                    time(second)
                ),
                (false, _) => format!(
                    "{{\"time\":\"{}\",\"level\":\"info\",\"message\":\"ok\",\"user\":\"u{}\",\"ms\":{}}}\n",
                    time(second),
                    random.below(30),
                    random.below(900)
                ),
            };
            let file = files.last_mut().unwrap();
            file.extend_from_slice(line.as_bytes());
            if file.len() > 8000 && random.below(60) == 0 {
                files.push(Vec::new());
            }
        }
        // The last one is large enough to be searched.
        let file = files.last_mut().unwrap();
        while file.len() < current_bytes {
            clock += 1 + random.below(5) as i64;
            let second = clock - random.below(600) as i64;
            file.extend_from_slice(
                format!("{} INFO late {}\n", time(second), "x".repeat(60)).as_bytes(),
            );
        }
        let last = files.len() - 1;
        for (index, text) in files.into_iter().enumerate() {
            match (last - index, random.below(2)) {
                (0, _) => folder.write(&format!("logs/{name}.log"), text),
                (age, 0) => folder.write(&format!("logs/{name}.log.{age}.gz"), gzip(&text)),
                (age, _) => folder.write(&format!("logs/{name}.log.{age}"), text),
            };
        }
    }
}

fn job(disorder: &str, from: i64, to: i64, random: &mut Random) -> String {
    let mut reach = || match random.below(2) {
        0 => random.below(12).to_string(),
        _ => format!("\"{}s\"", random.below(900)),
    };
    format!(
        "[job]\nname = \"pruned\"\nfrom = \"{}\"\nto = \"{}\"\n[hosts.node]\nlocal = [\"a\"]\n\
         [logs.api]\nhosts = [\"node\"]\npaths = [\"logs/api.log*\"]\ndisorder = \"{disorder}\"\n\
         [logs.worker]\nhosts = [\"node\"]\npaths = [\"logs/worker.log*\"]\ndisorder = \"{disorder}\"\n\
         [context.failed]\nwhere = \"level >= ERROR\"\nbefore = {}\nafter = {}\n\
         [aggregate.levels]\ngroup = {{ log = \"log\", level = \"level\", hour = \"bucket(time, '10m')\" }}\n\
         select = {{ n = \"count(*)\", first = \"min(time)\", last = \"max(time)\" }}\n\
         [select.slow]\nlogs = [\"api\"]\nwhere = \"ms > 700\"\ncolumns = [\"time\", \"file\", \"offset\", \"user\"]\n\
         [session.users]\nlogs = [\"api\"]\nby = [\"user\"]\ngap = \"20m\"\n\
         [sequence.quiet]\nlogs = [\"api\"]\nby = [\"user\"]\nwithin = \"30m\"\nsteps = [\
         {{ name = \"slow\", where = \"ms > 600\" }}, {{ name = \"more\", where = \"ms > 300\", absent = true }}]\n",
        time(from),
        time(to),
        reach(),
        reach(),
    )
}

#[test]
fn rows_are_the_same_where_parts_are_left_out() {
    let mut skipped_files = 0;
    let mut skipped_bytes = 0;
    for seed in 1..=12 {
        let mut random = Random(seed);
        let folder = Folder::new("prune");
        let current_bytes = if seed % 4 == 0 { 1 << 20 } else { 0 };
        write_logs(&folder, &mut random, current_bytes);
        let from = BEGIN + random.below(26 * HOUR as u64) as i64 - HOUR;
        let to = from + 60 + random.below(6 * HOUR as u64) as i64;
        let choices = random.0;
        let run = |disorder: &str| {
            let name = format!("{}.toml", disorder.len());
            let job = folder.write(&name, job(disorder, from, to, &mut Random(choices)));
            let out = folder.path().join(disorder);
            logstitch(["run"])
                .arg(job)
                .arg("--out")
                .arg(&out)
                .env(
                    "LOGSTITCH_SEGMENT_BYTES",
                    ["3000", "1000000000"][seed as usize % 2],
                )
                .ends_with(0);
            let summary = std::fs::read_to_string(out.join("summary.json")).unwrap();
            let summary: Value = serde_json::from_str(&summary).unwrap();
            (rows(&out), summary)
        };
        let (all, unpruned) = run("unlimited");
        let (some, pruned) = run("10m");
        assert_eq!(all, some, "seed {seed}");
        assert_eq!(unpruned["skipped"]["bytes"], 0);
        assert_eq!(unpruned["skipped"]["rests_on"], Value::Null);
        assert_eq!(pruned["completeness"]["complete"], true);
        assert_eq!(
            pruned["completeness"]["bytes"],
            unpruned["completeness"]["bytes"]
        );
        skipped_files += pruned["skipped"]["files"].as_u64().unwrap();
        skipped_bytes += pruned["skipped"]["bytes"].as_u64().unwrap();
        for file in pruned["hosts"][0]["files"].as_array().unwrap() {
            let parts = file["skipped"].as_array();
            let is_whole =
                parts.is_some_and(|parts| parts[0]["first"] == 0 && parts[0]["end"].is_null());
            assert_eq!(file["state"] == "skipped", is_whole, "{file}");
            if let Some(parts) = parts {
                assert!(
                    parts.iter().all(|part| part["disorder_ms"] == 600_000.0),
                    "{file}"
                );
                assert!(
                    pruned["skipped"]["rests_on"]
                        .as_str()
                        .unwrap()
                        .contains("disorder")
                );
            }
        }
    }
    assert!(skipped_files > 50, "{skipped_files} files");
    assert!(skipped_bytes > 3_000_000, "{skipped_bytes} bytes");
}
