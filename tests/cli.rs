//! The command line as a user meets it: exit codes, what goes to stdout and what to stderr, mistakes.

use std::io::Write;

use crate::harness::{Folder, logstitch, names, root};

const INCIDENT: &str = "testdata/jobs/incident/job.toml";

#[test]
fn run_is_quiet_but_for_one_line() {
    let folder = Folder::new("quiet");
    let out = folder.path().join("out");
    let ended = logstitch(["run", INCIDENT, "--out"]).arg(&out).ends_with(0);
    assert_eq!(ended.stdout, "");
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(ended.stderr.contains("3 of 3 hosts, "), "{}", ended.stderr);
    assert!(out.join("summary.json").is_file() && out.join("spool").is_dir());
    assert_eq!(
        names(folder.path()),
        [".incident.alerts.json", ".incident.lock", "out"],
        "nothing else is left beside the outputs"
    );
}

#[test]
fn outputs_go_where_the_job_says() {
    let folder = Folder::new("dir");
    folder.write(
        "logs/a.jsonl",
        "{\"time\":\"2026-01-19T14:00:00Z\",\"n\":1}\n",
    );
    folder.write(
        "job.toml",
        job("[select.all]\n", "[output]\ndir = \"results/{job}\"\n"),
    );
    logstitch(["run", "job.toml"])
        .folder(folder.path())
        .ends_with(0);
    let rows = folder.read("results/small/all.jsonl");
    assert_eq!(
        rows,
        "{\"time\":\"2026-01-19T14:00:00Z\",\"host\":\"a\",\"log\":\"app\",\"file\":\"logs/a.jsonl\",\"offset\":0,\
         \"level\":null,\"message\":null,\"raw\":\"{\\\"time\\\":\\\"2026-01-19T14:00:00Z\\\",\\\"n\\\":1}\",\
         \"fields\":{\"time\":\"2026-01-19T14:00:00Z\",\"n\":1}}\n"
    );
    // Again into the same place: replaced whole.
    folder.write("logs/a.jsonl", "");
    logstitch(["run", "job.toml"])
        .folder(folder.path())
        .ends_with(0);
    assert_eq!(folder.read("results/small/all.jsonl"), "");
}

#[test]
fn a_folder_that_holds_other_things_is_refused() {
    let folder = Folder::new("taken");
    folder.write("out/thesis.tex", "years of work");
    let ended = logstitch(["run", INCIDENT, "--out"])
        .arg(folder.path().join("out"))
        .ends_with(1);
    assert!(
        ended.stderr.contains("no outputs of a run"),
        "{}",
        ended.stderr
    );
    assert_eq!(folder.read("out/thesis.tex"), "years of work");
}

#[test]
fn every_mistake_of_a_job_is_told_and_exits_2() {
    let folder = Folder::new("broken");
    folder.write(
        "job.toml",
        "[job]\nnam = \"x\"\n[logs.app]\nhosts = [\"nowhere\"]\npaths = []\nfmt = 1\n",
    );
    let ended = logstitch(["run", "job.toml"])
        .folder(folder.path())
        .ends_with(2);
    assert_eq!(ended.stdout, "");
    for part in [
        "job.toml:2:1: ",
        "did you mean `name`?",
        "job.toml:4:",
        "job.toml:6:1: ",
    ] {
        assert!(
            ended.stderr.contains(part),
            "no {part} in\n{}",
            ended.stderr
        );
    }
    logstitch(["check", "job.toml"])
        .folder(folder.path())
        .ends_with(2);
    logstitch(["run", "nowhere.toml"])
        .folder(folder.path())
        .ends_with(2);
    assert_eq!(
        names(folder.path()),
        ["job.toml"],
        "a job that is refused writes nothing"
    );
}

#[test]
fn what_cannot_be_run_yet_is_refused_with_its_place() {
    let folder = Folder::new("later");
    folder.write("job.toml", job("[patterns.messages]\n", ""));
    let ended = logstitch(["run", "job.toml"])
        .folder(folder.path())
        .ends_with(2);
    assert!(ended.stderr.contains("job.toml:9:"), "{}", ended.stderr);
    assert!(ended.stderr.contains("patterns"), "{}", ended.stderr);
    let checked = logstitch(["check", "job.toml"])
        .folder(folder.path())
        .ends_with(0);
    assert!(
        checked.stdout.contains("patterns messages of app"),
        "{}",
        checked.stdout
    );
}

#[test]
fn the_design_job_compiles() {
    let ended = logstitch(["check", "testdata/design/job.toml"]).ends_with(0);
    for part in [
        "aggregate latency of ",
        "sequence lockout of ",
        "session request of ",
        "on the hosts    where ",
    ] {
        assert!(
            ended.stdout.contains(part),
            "no {part} in\n{}",
            ended.stdout
        );
    }
}

#[test]
fn options_that_are_near_are_suggested() {
    let ended = logstitch(["run", INCIDENT, "--form", "today"]).ends_with(2);
    assert!(ended.stderr.contains("--from"), "{}", ended.stderr);
    let ended = logstitch(["chekc", INCIDENT]).ends_with(2);
    assert!(ended.stderr.contains("check"), "{}", ended.stderr);
    logstitch(["--help"]).ends_with(0);
    logstitch(["run", "--help"]).ends_with(0);
    logstitch(["--version"]).ends_with(0);
}

#[test]
fn a_key_can_be_set_on_the_command_line() {
    let folder = Folder::new("set");
    let out = folder.path().join("out");
    let set = [
        "--set",
        "select.slow.limit=3",
        "--from",
        "2026-01-19T14:20:00Z",
        // They ask of minutes that are left out.
        "--set",
        "check=[]",
    ];
    logstitch(["run", INCIDENT])
        .args(set)
        .arg("--out")
        .arg(&out)
        .ends_with(0);
    let rows = folder.read("out/slow.jsonl");
    assert_eq!(rows.lines().count(), 3);
    assert!(!rows.contains("T14:1"), "{rows}");
    let ended = logstitch(["run", INCIDENT, "--set", "select.slow.limti=3"]).ends_with(2);
    assert!(
        ended.stderr.contains("did you mean `limit`?"),
        "{}",
        ended.stderr
    );
}

#[test]
fn one_host_can_be_picked() {
    let folder = Folder::new("host");
    let out = folder.path().join("out");
    // What the job checks is of all hosts.
    logstitch(["run", INCIDENT, "--set", "check=[]"])
        .args(["--host", "node-b", "--out"])
        .arg(&out)
        .ends_with(0);
    let levels = folder.read("out/levels.jsonl");
    assert!(
        levels.contains("payments") && !levels.contains("\"checkout\""),
        "{levels}"
    );
    let ended = logstitch(["run", INCIDENT, "--host", "node-d"]).ends_with(2);
    assert!(ended.stderr.contains("node-"), "{}", ended.stderr);
}

#[test]
fn a_second_run_of_the_same_job_exits_5() {
    let folder = Folder::new("lock");
    folder.write("logs/a.jsonl", "{\"n\":1}\n");
    folder.write(
        "job.toml",
        job("[select.all]\n", "[output]\ndir = \"results\"\n"),
    );
    let lock = folder.write(".small.lock", "");
    let held = std::fs::File::open(lock).unwrap();
    held.lock().unwrap();
    let ended = logstitch(["run", "job.toml"])
        .folder(folder.path())
        .ends_with(5);
    assert!(ended.stderr.contains("running already"), "{}", ended.stderr);
    drop(held);
    logstitch(["run", "job.toml"])
        .folder(folder.path())
        .ends_with(0);
}

#[test]
fn a_query_prints_its_rows() {
    let sql = "SELECT service, count(*) AS n FROM logs WHERE level >= ERROR GROUP BY service ORDER BY n DESC";
    let ended = logstitch(["query", sql, "testdata/jobs/incident/logs/*/*.jsonl*"]).ends_with(0);
    assert_eq!(ended.stdout.lines().count(), 2, "{}", ended.stdout);
    assert!(
        ended.stdout.starts_with("{\"service\":\"payments\",\"n\":"),
        "{}",
        ended.stdout
    );
    let ended = logstitch(["query", "SELECT sevice FROM logs GROUP BY service", "x"]).ends_with(2);
    assert!(
        ended.stderr.contains("query:") && ended.stderr.contains('^'),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_spool_gives_the_same_outputs_again() {
    let folder = Folder::new("reduce");
    let (first, again) = (folder.path().join("first"), folder.path().join("again"));
    logstitch(["run", INCIDENT, "--out"])
        .arg(&first)
        .ends_with(0);
    logstitch(["reduce"])
        .arg(first.join("spool"))
        .arg("--out")
        .arg(&again)
        .ends_with(0);
    assert_eq!(crate::harness::rows(&first), crate::harness::rows(&again));
    let ended = logstitch(["reduce", "testdata", "--out"])
        .arg(folder.path().join("third"))
        .ends_with(1);
    assert!(ended.stderr.contains("plan"), "{}", ended.stderr);
    let all = [".incident.alerts.json", ".incident.lock", "again", "first"];
    assert_eq!(names(folder.path()), all);
}

#[test]
fn a_late_host_joins_a_run_that_went_without_it() {
    let folder = Folder::new("late");
    let whole = folder.path().join("whole");
    logstitch(["run", INCIDENT, "--out"])
        .arg(&whole)
        .ends_with(0);
    let parts = ["a", "b"].map(|name| folder.path().join(name));
    for (out, lost) in parts.iter().zip(["1.parts", "2.parts"]) {
        logstitch(["run", INCIDENT, "--out"]).arg(out).ends_with(0);
        std::fs::remove_file(out.join("spool").join(lost)).unwrap();
    }
    let late = folder.path().join("late");
    let ended = logstitch(["reduce"])
        .arg(parts[0].join("spool"))
        .arg("--out")
        .arg(&late)
        .ends_with(3);
    assert!(
        ended.stderr.contains("0 of 3 checks passed"),
        "what holds of every host is unknown\n{}",
        ended.stderr
    );
    assert!(
        ended.stderr.contains("2 of 3 hosts") && ended.stderr.contains("INCOMPLETE: node-b"),
        "{}",
        ended.stderr
    );
    let spools = parts.map(|part| part.join("spool"));
    logstitch(["reduce"])
        .args(spools)
        .arg("--out")
        .arg(&late)
        .ends_with(0);
    assert_eq!(crate::harness::rows(&whole), crate::harness::rows(&late));
}

#[test]
fn a_damaged_file_is_used_as_far_as_it_goes_and_said() {
    let folder = Folder::new("damaged");
    let lines: String = (0..2000)
        .map(|n| {
            format!(
                "{{\"time\":\"2026-01-19T14:00:00Z\",\"n\":{n},\"id\":\"{:x}\"}}\n",
                n * 7919 % 10007
            )
        })
        .collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(lines.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    folder.write("logs/a.jsonl.1.gz", &packed[..packed.len() / 2]);
    folder.write(
        "logs/a.jsonl",
        "{\"time\":\"2026-01-19T15:00:00Z\",\"n\":7}\nnot json\n",
    );
    let text = job(
        "[session.each]\nby = [\"n\"]\n[aggregate.all]\nselect = { n = \"count(*)\", last = \"max(n)\" }\n",
        "",
    )
    .replace("*.jsonl", "*.jsonl*");
    folder.write("job.toml", &text);
    let ended = logstitch(["run", "job.toml", "--out", "out"])
        .folder(folder.path())
        .ends_with(4);
    assert!(ended.stderr.contains("INCOMPLETE: a"), "{}", ended.stderr);
    let rows = folder.read("out/all.jsonl");
    let row: serde_json::Value = serde_json::from_str(&rows).unwrap();
    assert!((100..2000).contains(&row["n"].as_u64().unwrap()), "{rows}");
    let summary: serde_json::Value =
        serde_json::from_str(&folder.read("out/summary.json")).unwrap();
    assert_eq!(summary["completeness"]["complete"], false);
    assert_eq!(summary["completeness"]["files"]["complete"], 1);
    assert_eq!(summary["operators"][1]["figures"], "of what was observed");
    assert_eq!(
        summary["entries"]["malformed"], 2,
        "the line that is no JSON, and the one that was torn"
    );
    let sessions = folder.read("out/each.jsonl");
    assert!(sessions.contains("\"certain\":false") && !sessions.contains("\"certain\":true"));
    // Where the job allows it the same is a success, and still said.
    let set = ["--set", "run.require=0%"];
    let ended = logstitch(["run", "job.toml", "--out", "out"])
        .args(set)
        .folder(folder.path())
        .ends_with(0);
    assert!(ended.stderr.contains("INCOMPLETE: a"), "{}", ended.stderr);
}

#[test]
fn a_log_that_no_host_has_is_said() {
    let folder = Folder::new("nothing");
    folder.write("job.toml", job("[select.all]\n", ""));
    let ended = logstitch(["run", "job.toml", "--out", "out"])
        .folder(folder.path())
        .ends_with(0);
    assert!(
        ended
            .stderr
            .contains("log app: no file matches logs/*.jsonl on any host"),
        "{}",
        ended.stderr
    );
    assert_eq!(folder.read("out/all.jsonl"), "");
}

#[test]
fn generated_logs_are_the_same_for_a_seed() {
    let json = || {
        logstitch(["gen", "json", "--bytes", "20kB", "--seed", "7"])
            .ends_with(0)
            .stdout
    };
    assert!(json().len() >= 20_000);
    assert_eq!(json(), json());
    logstitch(["gen", "novel"]).ends_with(2);
}

#[test]
fn a_node_that_hears_no_plan_says_so() {
    let ended = logstitch(["map"]).ends_with(1);
    assert!(ended.stderr.contains("stdin"), "{}", ended.stderr);
    assert!(
        ended.stdout.starts_with("\0\u{fffd}logstitch/1"),
        "its greeting alone"
    );
}

/// A small job over `logs/*.jsonl` beside it.
fn job(operators: &str, rest: &str) -> String {
    format!(
        "[job]\nname = \"small\"\n[hosts.node]\nlocal = [\"a\"]\n[logs.app]\nhosts = [\"node\"]\n\
         paths = [\"logs/*.jsonl\"]\nformat = \"json\"\n{operators}{rest}"
    )
}

#[test]
fn the_readme_commands_are_these() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.contains("cargo run --release -- run testdata/jobs/incident/job.toml"));
    assert!(readme.contains("tests/run"));
}
