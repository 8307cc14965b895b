//! More keys than fit into the reducer's budget: it says what went to disk, and the rows are the same bytes.

use std::fmt::Write;

use crate::harness::{Folder, logstitch};

const KEYS: u64 = 200_000;

#[test]
fn more_groups_than_fit_into_memory_are_the_same_rows() {
    let folder = Folder::new("memory");
    for part in 0..2 {
        let mut log = String::new();
        for number in 0..KEYS {
            // Every id in both files, in another order.
            let id = number * 7919 % KEYS;
            let took = number % 1000 + part;
            writeln!(log, "{{\"id\":\"id-{id}\",\"took\":{took}}}").unwrap();
        }
        folder.write(&format!("logs/{part}.log"), log);
    }
    let job = folder.write(
        "job.toml",
        r#"
[job]
name = "memory"
[hosts.here]
local = ["here"]
[logs.app]
hosts = ["here"]
paths = ["logs/*.log"]
format = "json"
[aggregate.by_id]
logs = ["app"]
group = { id = "id" }
select = { entries = "count(*)", slowest = "max(took)" }
[aggregate.slowest]
logs = ["app"]
group = { id = "id" }
select = { slowest = "max(took)", all = "sum(took)" }
order = "slowest DESC"
limit = 1000
[select.entries]
logs = ["app"]
where = "took > 900"
columns = ["id"]
order = "id"
"#,
    );
    let run = |name: &str, memory: &str| {
        let out = folder.path().join(name);
        logstitch(["run"])
            .arg(&job)
            .args(["--set", &format!("run.memory={memory}"), "--out"])
            .arg(&out)
            .env("LOGSTITCH_SEGMENT_BYTES", "300000")
            .ends_with(0);
        let summary = folder.read(&format!("{name}/summary.json"));
        let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
        let figures = |key: &str| -> Vec<u64> {
            let operators = summary["operators"].as_array().unwrap().iter();
            operators
                .map(|operator| operator[key].as_u64().unwrap())
                .collect()
        };
        (
            figures("rows"),
            figures("spilled_runs"),
            figures("spilled_bytes"),
        )
    };
    let (rows, runs, bytes) = run("unbounded", "1GiB");
    assert_eq!(rows, [KEYS, 1000, 2 * (KEYS / 1000 * 99) + KEYS / 1000]);
    assert_eq!((runs, bytes), (vec![0; 3], vec![0; 3]));
    let (bounded, runs, bytes) = run("bounded", "1MiB");
    assert_eq!(bounded, rows);
    assert!(
        runs[0] > 10,
        "rows of {KEYS} groups were sorted on disk: {runs:?}"
    );
    assert!(bytes[0] > 1 << 20, "{bytes:?}");
    for name in ["by_id", "slowest", "entries"] {
        let read = |run: &str| folder.read(&format!("{run}/{name}.jsonl"));
        assert!(read("unbounded") == read("bounded"), "{name} differs");
    }
}

/// Six requests of two traces of one order are a session: what joins them lies in different files.
#[test]
fn more_ids_than_fit_into_memory_are_the_same_sessions() {
    const ORDERS: u64 = 5000;
    let folder = Folder::new("linked");
    let (mut requests, mut traces) = (String::new(), String::new());
    for number in 0..6 * ORDERS {
        let request = number * 7919 % (6 * ORDERS);
        let trace = request / 3;
        writeln!(requests, "{{\"request\":{request},\"trace\":\"t{trace}\"}}").unwrap();
    }
    for trace in 0..2 * ORDERS {
        let order = trace / 2;
        writeln!(traces, "{{\"trace\":\"t{trace}\",\"order\":{order}}}").unwrap();
    }
    folder.write("logs/requests.log", requests);
    folder.write("logs/traces.log", traces);
    let job = folder.write(
        "job.toml",
        r#"
[job]
name = "linked"
[hosts.here]
local = ["here"]
[logs.app]
hosts = ["here"]
paths = ["logs/*.log"]
format = "json"
[session.orders]
link = ["request", "trace", "order"]
"#,
    );
    let run = |name: &str, memory: &str| {
        logstitch(["run"])
            .arg(&job)
            .args(["--set", &format!("run.memory={memory}"), "--out"])
            .arg(folder.path().join(name))
            .env("LOGSTITCH_SEGMENT_BYTES", "100000")
            .ends_with(0);
        let summary = folder.read(&format!("{name}/summary.json"));
        let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
        let spilled = summary["operators"][0]["spilled_runs"].as_u64().unwrap();
        (folder.read(&format!("{name}/orders.jsonl")), spilled)
    };
    let (rows, spilled) = run("unbounded", "1GiB");
    assert_eq!(spilled, 0);
    let mut orders: Vec<u64> = Vec::new();
    for row in rows.lines() {
        let row: serde_json::Value = serde_json::from_str(row).unwrap();
        let order = row["ids"]["order"][0].as_u64().unwrap();
        let requests: Vec<u64> = (6 * order..6 * order + 6).collect();
        assert_eq!(row["ids"]["request"], serde_json::json!(requests));
        assert_eq!(row["ids"]["order"], serde_json::json!([order]));
        assert_eq!(row["entries"], 8);
        orders.push(order);
    }
    orders.sort_unstable();
    assert!(orders.into_iter().eq(0..ORDERS), "every order is a session");
    let (bounded, spilled) = run("bounded", "1MiB");
    assert!(spilled > 3, "{spilled}");
    assert!(rows == bounded);
}

/// A mapper that may hold little sends its partials sooner, and the rows are the same bytes.
#[test]
fn a_mapper_keeps_to_its_memory() {
    let folder = Folder::new("mapper-memory");
    let mut log = String::new();
    for number in 0..600_000_u64 {
        let id = number * 7919 % 400_000;
        let second = number / 1000;
        let time = format!("2026-01-19T14:{:02}:{:02}Z", second / 60, second % 60);
        writeln!(
            log,
            "{{\"time\":\"{time}\",\"id\":\"an id of some length {id}\",\"took\":{number}}}"
        )
        .unwrap();
    }
    folder.write("app.log", log);
    let job = folder.write(
        "job.toml",
        r#"
[job]
name = "memory"
[hosts.here]
local = ["here"]
[logs.app]
hosts = ["here"]
paths = ["app.log"]
format = "json"
[aggregate.by_id]
group = { id = "id" }
select = { entries = "count(*)", last = "max(took)" }
"#,
    );
    let run = |name: &str, memory: &str| {
        let out = folder.path().join(name);
        logstitch(["run"])
            .arg(&job)
            .args(["--set", &format!("limits.memory={memory}"), "--out"])
            .arg(&out)
            .env("LOGSTITCH_SEGMENT_BYTES", "1000000")
            .ends_with(0);
        let summary = folder.read(&format!("{name}/summary.json"));
        let summary: serde_json::Value = serde_json::from_str(&summary).unwrap();
        (
            summary["hosts"][0]["peak_memory_bytes"].as_u64().unwrap(),
            summary["operators"][0]["runs"].as_u64().unwrap(),
            folder.read(&format!("{name}/by_id.jsonl")),
        )
    };
    let (much, few_runs, rows) = run("much", "1GiB");
    let (little, many_runs, same) = run("little", "24MiB");
    assert!(rows == same, "rows differ");
    assert!(little < 24 << 20, "{little} bytes");
    assert!(
        little < much && few_runs < many_runs,
        "{much} {few_runs} {many_runs}"
    );
}
