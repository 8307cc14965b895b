//! What a check says of incomplete logs, held against the same check over all of them: an answer that is given in spite of
//! a loss is the answer that would have been given without it. Conditions and logs are random; the seed is printed.

use std::io::Write;

use serde_json::Value;

use crate::harness::{Folder, logstitch};

const SEEDS: u64 = 6;
const CHECKS: usize = 150;

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    fn pick<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }
}

const OPERATORS: &str = r#"
[aggregate.groups]
group = { service = "service" }
select = { n = "count(*)", bad = "count_if(level >= ERROR)", least = "min(ms)", most = "max(ms)", p50 = "median(ms)", total = "sum(ms)" }
[aggregate.busy]
group = { service = "service" }
select = { n = "count(*)" }
having = "n > 4"
[aggregate.top]
group = { user = "user" }
select = { n = "count(*)" }
order = "n DESC"
limit = 2
[aggregate.all]
select = { n = "count(*)", most = "max(ms)" }
[select.slow]
where = "ms > 50"
columns = ["ms", "service"]
[select.slowest]
columns = ["ms", "service"]
order = "ms DESC"
limit = 3
[context.around]
where = "level >= ERROR"
before = 1
after = 1
[session.users]
by = ["user"]
select = { most = "max(ms)" }
[session.visits]
by = ["user"]
gap = "10s"
[sequence.twice]
by = ["user"]
within = "20s"
steps = [{ name = "bad", where = "level >= ERROR" }, { name = "good", where = "level < ERROR" }]
"#;

/// Operators, and their columns that hold numbers.
const NUMBERS: [(&str, &[&str]); 10] = [
    ("groups", &["n", "bad", "least", "most", "p50", "total"]),
    ("busy", &["n"]),
    ("top", &["n"]),
    ("all", &["n", "most"]),
    ("slow", &["ms"]),
    ("slowest", &["ms"]),
    ("around", &["matches"]),
    ("users", &["entries", "duration_ms", "most"]),
    ("visits", &["entries", "duration_ms"]),
    ("twice", &["duration_ms"]),
];

fn comparison(random: &mut Random) -> String {
    let (operator, columns) = NUMBERS[random.below(NUMBERS.len())];
    let column = random.pick(columns);
    let sign = random.pick(&["<", "<=", ">", ">=", "=", "<>"]);
    let number = match column {
        "n" | "bad" | "matches" | "entries" => random.below(14),
        "duration_ms" => random.below(8) * 5_000,
        "total" => random.below(600),
        _ => random.below(100),
    };
    let fold = random.pick(&["max", "min", "sum", "avg", "count"]);
    match random.below(6) {
        0 => format!("rows({operator}) {sign} {}", random.below(14)),
        1 | 2 => format!("{fold}({operator}.{column}) {sign} {number}"),
        3 if operator == "groups" => {
            let service = random.pick(&["pay", "cart", "mail"]);
            format!("groups.{column}[service = '{service}'] {sign} {number}")
        }
        4 => format!(
            "{fold}({operator}.{column}) - {} {sign} rows(groups) * 2",
            random.below(9)
        ),
        _ => format!("{operator}.{column} {sign} {number}"),
    }
}

fn condition(random: &mut Random) -> String {
    let first = comparison(random);
    match random.below(6) {
        0 => format!("NOT ({first} AND {})", comparison(random)),
        1 => format!("{first} AND {}", comparison(random)),
        2 => format!("{first} OR {}", comparison(random)),
        _ => first,
    }
}

fn log(random: &mut Random) -> String {
    let mut log = String::new();
    let mut seconds = 0;
    for _ in 0..random.below(12) {
        seconds += random.below(9);
        let level = random.pick(&["info", "info", "error"]);
        let service = random.pick(&["pay", "cart", "mail"]);
        let (user, ms) = (random.below(4), random.below(100));
        log.push_str(&format!(
            "{{\"time\":\"2026-01-19T14:00:{:02}Z\",\"level\":\"{level}\",\"service\":\"{service}\",\"user\":\"u{user}\",\"ms\":{ms}}}\n",
            seconds.min(59)
        ));
    }
    log
}

/// What every check came to.
fn outcomes(folder: &Folder, job: &str) -> Vec<String> {
    let run = logstitch(["run", job, "--out", "out"])
        .folder(folder.path())
        .end();
    assert!([0, 3, 4].contains(&run.code), "{run:?}");
    let summary: Value = serde_json::from_str(&folder.read("out/summary.json")).unwrap();
    let checks = summary["checks"].as_array().unwrap().iter();
    checks
        .map(|check| check["outcome"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn an_answer_given_in_spite_of_a_loss_is_the_answer() {
    let mut kept = 0;
    for seed in 0..SEEDS {
        let mut random = Random(seed);
        let folder = Folder::new("sound");
        let conditions: Vec<String> = (0..CHECKS).map(|_| condition(&mut random)).collect();
        let checks: String = conditions
            .iter()
            .map(|that| format!("[[check]]\nthat = \"{that}\"\n"))
            .collect();
        let job = |groups: &str| {
            format!(
                "{groups}[logs.app]\npaths = [\"logs/{{host}}*.jsonl*\"]\nformat = \"json\"\n[run]\nretries = 0\n{OPERATORS}{checks}"
            )
        };
        folder.write(
            "whole.toml",
            job("[hosts.node]\nlocal = [\"a\", \"b\", \"c\"]\n"),
        );
        folder.write(
            "lost.toml",
            job("[hosts.node]\nlocal = [\"a\", \"b\"]\n[hosts.gone]\nexec = [\"c\"]\ncommand = [\"false\", \"{bootstrap}\"]\n"),
        );
        for host in ["a", "b", "c"] {
            folder.write(&format!("logs/{host}.jsonl"), log(&mut random));
        }
        // Older than what host c still writes: whole, and torn.
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        packed
            .write_all((log(&mut random) + &log(&mut random)).as_bytes())
            .unwrap();
        let packed = packed.finish().unwrap();
        folder.write("logs/c.jsonl.1.gz", &packed);
        let whole = outcomes(&folder, "whole.toml");
        let without_host = outcomes(&folder, "lost.toml");
        folder.write("logs/c.jsonl.1.gz", &packed[..packed.len() * 2 / 3]);
        let torn = outcomes(&folder, "whole.toml");
        for (loss, lossy) in [("a host", without_host), ("a file's end", torn)] {
            for ((condition, whole), lossy) in conditions.iter().zip(&whole).zip(&lossy) {
                assert!(
                    lossy == "unknown" || lossy == whole,
                    "seed {seed}: {condition} is {whole}, and {lossy} without {loss}"
                );
                kept += usize::from(lossy != "unknown");
            }
        }
    }
    // Not by knowing nothing.
    assert!(kept > 100, "{kept} answers");
}
