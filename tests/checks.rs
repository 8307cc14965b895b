//! Checks: their exit codes, their lines, junit.xml and the summary; over hosts that are lost; against a baseline.

use serde_json::Value;

use crate::harness::{Folder, logstitch};
use crate::python;

/// Two hosts, and a third whose command fails where the job asks for it.
const JOB: &str = r#"
[job]
name = "ci"
[hosts.node]
local = ["a", "b"]
[logs.app]
hosts = ["HOSTS"]
paths = ["logs/{host}.jsonl"]
format = "json"
[hosts.gone]
exec = ["c"]
command = ["false", "{bootstrap}"]
[aggregate.latency]
group = { service = "service" }
select = { n = "count(*)", p95 = "percentile(ms, 95)" }
[select.errors]
where = "level >= ERROR"
[run]
retries = 0
"#;

fn job(folder: &Folder, is_lost: bool, checks: &str) {
    let hosts = if is_lost { "node\", \"gone" } else { "node" };
    folder.write("job.toml", JOB.replace("HOSTS", hosts) + checks);
    let line = |service: &str, ms: u32, level: &str| {
        format!("{{\"service\":\"{service}\",\"ms\":{ms},\"level\":\"{level}\"}}\n")
    };
    folder.write(
        "logs/a.jsonl",
        line("pay", 250, "info") + &line("cart", 90, "info"),
    );
    folder.write(
        "logs/b.jsonl",
        line("pay", 10, "info") + &line("cart", 120, "error"),
    );
}

fn summary(folder: &Folder) -> Value {
    serde_json::from_str(&folder.read("out/summary.json")).unwrap()
}

const CHECKS: &str = r#"
[[check]]
that = "max(latency.p95) < 300"
[[check]]
name = "pay is <fast> & \"good\""
that = "latency.p95[service='pay'] < 200"
[[check]]
that = "completeness = 1"
"#;

/// Reads junit.xml by two parsers that know nothing of this program.
const JUNIT: &str = r#"
import sys, xml.etree.ElementTree as tree
from junitparser import JUnitXml, Failure
root = tree.parse(sys.argv[1]).getroot()
assert root.tag == 'testsuites', root.tag
assert [suite.tag for suite in root] == ['testsuite']
assert all(case.tag == 'testcase' for case in root[0])
for suite in JUnitXml.fromfile(sys.argv[1]):
    suite_counts = (suite.tests, suite.failures, suite.errors)
    print(suite.name, *suite_counts)
    for case in suite:
        assert case.classname == suite.name
        kinds = [(result.type, result.message) for result in case.result if isinstance(result, Failure)]
        print(case.name, kinds)
"#;

#[test]
fn a_check_that_fails_is_exit_3_and_a_junit_failure() {
    let folder = Folder::new("checks");
    job(&folder, false, CHECKS);
    let run = || logstitch(["run", "job.toml", "--out", "out"]).folder(folder.path());
    let ended = run().ends_with(3);
    assert_eq!(ended.stdout, "");
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ended.stderr);
    assert!(
        lines[0].contains(
            "check failed: pay is <fast> & \"good\": latency.p95[service='pay'] < 200 \
             (1 of 1 rows of latency do not satisfy it; it is service \"pay\", p95 250)"
        ),
        "{}",
        ended.stderr
    );
    assert!(
        lines[1].contains(", 2 of 3 checks passed; "),
        "{}",
        ended.stderr
    );
    let checks = summary(&folder)["checks"].clone();
    let outcomes: Vec<_> = checks
        .as_array()
        .unwrap()
        .iter()
        .map(|check| &check["outcome"])
        .collect();
    assert_eq!(outcomes, ["passed", "failed", "passed"]);
    assert_eq!(checks[0]["figures"]["max(latency.p95)"], 250);
    assert_eq!(checks[2]["figures"]["completeness"], 1);
    let junit = || {
        let path = folder.path().join("out/junit.xml");
        python::script(&["junitparser"], JUNIT, &[&path])
    };
    let read = junit();
    let read: Vec<&str> = read.lines().collect();
    assert_eq!(read[0], "ci 3 1 0");
    assert_eq!(read[1], "max(latency.p95) < 300 []");
    assert!(
        read[2].starts_with(
            "pay is <fast> & \"good\" [('failed', '1 of 1 rows of latency do not satisfy it"
        ),
        "{read:?}"
    );
    // Every line of the passed ones on request.
    let ended = run().env("RUST_LOG", "info").ends_with(3);
    assert!(
        ended
            .stderr
            .contains("check passed: max(latency.p95) < 300 (max(latency.p95) is 250)"),
        "{}",
        ended.stderr
    );
    // Quiet where all is well.
    let all = ["--set", "check=[{that=\"rows(errors) = 1\"}]"];
    let ended = run().args(all).ends_with(0);
    assert_eq!(ended.stderr.lines().count(), 1, "{}", ended.stderr);
    assert!(
        ended.stderr.contains("1 of 1 checks passed"),
        "{}",
        ended.stderr
    );
    assert_eq!(junit(), "ci 1 0 0\nrows(errors) = 1 []\n");
}

#[test]
fn a_lost_host_passes_nothing_that_it_could_have_changed() {
    let folder = Folder::new("checks-lost");
    job(
        &folder,
        true,
        r#"
[[check]]
that = "rows(errors) = 0"
[[check]]
that = "rows(errors) < 5"
[[check]]
that = "rows(errors) >= 1"
[[check]]
that = "completeness = 1"
"#,
    );
    let out = folder.path().join("out");
    let run = logstitch(["run", "job.toml", "--out"])
        .arg(&out)
        .folder(folder.path());
    let ended = run.ends_with(3);
    for line in [
        "check failed: rows(errors) = 0 (rows(errors) is 1)",
        "check unknown: rows(errors) < 5 (rows(errors) is 1; what was lost could have changed it)",
        "check failed: completeness = 1 (completeness is 0.6666666666666666)",
        "1 of 4 checks passed",
    ] {
        assert!(
            ended.stderr.contains(line),
            "no {line} in\n{}",
            ended.stderr
        );
    }
    // The spool knows what was asked; another job may ask it something else, of the same operators.
    let reduce = |out: &str| {
        let spool = folder.path().join("out/spool");
        let reduce = logstitch(["reduce"]).arg(spool).args(["--out", out]);
        reduce.folder(folder.path())
    };
    let again = reduce("again").ends_with(3);
    assert!(
        again.stderr.contains("1 of 4 checks passed"),
        "{}",
        again.stderr
    );
    assert_eq!(
        folder.read("out/junit.xml").len(),
        folder.read("again/junit.xml").len()
    );
    job(&folder, true, "[[check]]\nthat = \"rows(errors) > 0\"\n");
    // What is left is that a host is missing.
    let other = reduce("other").args(["--job", "job.toml"]).ends_with(4);
    assert!(
        other.stderr.contains("1 of 1 checks passed"),
        "{}",
        other.stderr
    );
    let text = folder
        .read("job.toml")
        .replace("level >= ERROR", "level >= WARN");
    folder.write("job.toml", text);
    let wrong = reduce("wrong").args(["--job", "job.toml"]).ends_with(2);
    assert!(
        wrong
            .stderr
            .contains("its operators are not those of the spool"),
        "{}",
        wrong.stderr
    );
}

#[test]
fn a_baseline_is_written_on_request_and_held() {
    let folder = Folder::new("checks-baseline");
    let checks = r#"
[[check]]
that = "latency.p95 <= baseline * 1.1"
baseline = "ci/{job}.json"
[[check]]
that = "rows(errors) <= baseline"
baseline = "ci/{job}.json"
"#;
    job(&folder, false, checks);
    let run = || logstitch(["run", "job.toml", "--out", "out"]).folder(folder.path());
    let ended = run().ends_with(3);
    assert!(
        ended
            .stderr
            .contains("ci/ci.json has no latency.p95; `run --update-baseline` puts it there"),
        "{}",
        ended.stderr
    );
    run().arg("--update-baseline").ends_with(0);
    let written: Value = serde_json::from_str(&folder.read("ci/ci.json")).unwrap();
    assert_eq!(written["figures"]["rows(errors)"]["value"], 1);
    let rows = &written["figures"]["latency.p95"]["rows"];
    assert_eq!(rows[1]["key"]["service"], "pay");
    assert_eq!(rows[1]["value"], 250);
    run().ends_with(0);
    // 132 is the most that is let through of 120.
    let line = |ms: u32| format!("{{\"service\":\"cart\",\"ms\":{ms},\"level\":\"error\"}}\n");
    folder.write("logs/b.jsonl", line(132));
    run().ends_with(0);
    folder.write("logs/b.jsonl", line(133) + &line(1));
    let ended = run().ends_with(3);
    assert!(
        ended
            .stderr
            .contains("1 of 2 rows of latency do not satisfy it; it is service \"cart\", p95 133"),
        "{}",
        ended.stderr
    );
    assert!(
        ended
            .stderr
            .contains("check failed: rows(errors) <= baseline (rows(errors) is 2)")
    );
    logstitch(["reduce", "out/spool", "--out", "again"])
        .folder(folder.path())
        .ends_with(3);
    // Less than all is no baseline.
    let before = folder.read("ci/ci.json");
    job(&folder, true, checks);
    let ended = run().arg("--update-baseline").ends_with(1);
    assert!(
        ended.stderr.contains("the baseline stays as it was"),
        "{}",
        ended.stderr
    );
    assert_eq!(folder.read("ci/ci.json"), before);
    folder.write("ci/ci.json", "[]");
    let ended = run().ends_with(2);
    assert!(
        ended.stderr.contains("no baseline of this program"),
        "{}",
        ended.stderr
    );
}
