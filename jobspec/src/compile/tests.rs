//! Whole jobs: the one that the language is explained by, every broken one under `testdata/broken`, and inputs
//! that no person would write (`hostile`).

mod broken;
mod hostile;

use std::path::{Path, PathBuf};

use super::*;
use crate::expr::Column;
use crate::job::*;
use crate::plan::*;

/// 2026-01-20 10:30 UTC.
const NOW: i64 = 1_768_905_000_000_000_000;

fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata")
        .join(name)
}

fn compile_text(text: &str) -> Result<Job, Diagnostics> {
    compile_bytes(text.as_bytes(), &Request::at(NOW))
}

fn compile_bytes(bytes: &[u8], request: &Request<'_>) -> Result<Job, Diagnostics> {
    let source = Source {
        name: "job.toml",
        bytes,
        folder: Path::new("."),
    };
    compile(&source, request)
}

/// Lists beside the job file; no command is asked.
fn list_in(folder: &Path, list: &ListSource) -> Result<Option<Vec<u8>>, String> {
    match list {
        ListSource::File(file) => std::fs::read(folder.join(file))
            .map(Some)
            .map_err(|error| error.kind().to_string()),
        ListSource::Command(_) => Ok(None),
    }
}

fn design() -> Job {
    let folder = testdata("design");
    let text = std::fs::read(folder.join("job.toml")).unwrap();
    let request = Request {
        host_list: &|list| list_in(&folder, list),
        ..Request::at(NOW)
    };
    compile_bytes(&text, &request).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

const SMALL: &str = "
[hosts.node]
local = ['node-a', 'node-b']
[logs.app]
paths = ['logs/{host}.jsonl']
";

fn small(more: &str) -> Result<Job, Diagnostics> {
    compile_text(&format!("{SMALL}{more}"))
}

#[test]
fn the_example_of_the_design_compiles() {
    let job = design();
    let plan = &job.plan;
    assert_eq!(job.name, "checkout-incident");
    assert_eq!(plan.range.from_ns, Some(1_768_831_200_000_000_000));
    assert_eq!(
        plan.logs
            .iter()
            .map(|log| log.name.as_str())
            .collect::<Vec<_>>(),
        ["app", "nginx"]
    );
    let operators: Vec<_> = plan
        .operators
        .iter()
        .map(|operator| (operator.kind.name(), operator.name.as_str()))
        .collect();
    assert_eq!(
        operators,
        [
            ("context", "errors"),
            ("sequence", "lockout"),
            ("session", "request"),
            ("aggregate", "latency"),
            ("select", "slow"),
            ("patterns", "messages"),
            ("anomaly", "spikes"),
            ("aggregate", "worst"),
        ]
    );
    assert_eq!(plan.operators[7].logs, [0], "FROM app");
    let OperatorKind::Anomaly(anomaly) = &plan.operators[6].kind else {
        panic!()
    };
    assert_eq!((anomaly.of, anomaly.value, anomaly.threshold), (3, 3, 4.0));
    let OperatorKind::Sequence(sequence) = &plan.operators[1].kind else {
        panic!()
    };
    let steps: Vec<_> = sequence
        .steps
        .iter()
        .map(|step| (step.min, step.max, step.absent, step.key.is_some()))
        .collect();
    assert_eq!(
        steps,
        [
            (5, None, false, false),
            (1, Some(1), false, true),
            (1, Some(1), true, false)
        ]
    );

    let groups: Vec<_> = job
        .groups
        .iter()
        .map(|group| (group.name.as_str(), group.hosts))
        .collect();
    assert_eq!(
        groups,
        [
            ("web", 21),
            ("db", 1),
            ("fleet", 2),
            ("node", 2),
            ("pods", 2)
        ]
    );
    // Only web and db hold logs.
    assert_eq!(job.hosts.len(), 22);
    assert!(job.hosts.is_sorted_by_key(|host| host.name.as_bytes()));
    let odd = job
        .hosts
        .iter()
        .find(|host| host.name == "web21:2222")
        .unwrap();
    let TransportSpec::Ssh(ssh) = &odd.transport else {
        panic!()
    };
    assert_eq!(
        (ssh.user.as_deref(), ssh.port, ssh.target.as_str()),
        (Some("deploy"), Some(2222), "web21")
    );
    assert_eq!(odd.logs, [0, 1]);
    assert_eq!(
        job.hosts
            .iter()
            .find(|host| host.name == "db1")
            .unwrap()
            .logs,
        [0]
    );
    assert_eq!(job.output.dir, "out/checkout-incident/{run}");
    assert_eq!(job.run.require, Require { percent: 90.0 });
    assert_eq!(job.run.state.as_deref(), Some("state/checkout-incident"));
    assert_eq!(plan.limits.read_bytes_per_second, Some(200_000_000));
}

#[test]
fn the_first_job_of_the_reference_compiles() {
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let start = readme.find("```toml\n").unwrap() + 8;
    let end = start + readme[start..].find("```").unwrap();
    let job = compile_text(&readme[start..end]).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!((job.hosts.len(), job.plan.operators.len()), (20, 1));
}

/// A job that can be run is not refused; what is refused is shown at its place.
#[test]
fn what_cannot_be_run_is_shown() {
    let job = small("[select.s]\n[aggregate.a]\nselect = { n = 'count(*)' }\n[query.q]\nsql = 'SELECT time FROM app'\n").unwrap();
    assert!(job.refusals().is_none());
    let mut job = small("").unwrap();
    job.not_yet.push((
        Place::new(0, 1..13),
        "`[hosts.node]` cannot be run by this version".to_owned(),
    ));
    assert_eq!(
        job.refusals().unwrap().to_string(),
        "job.toml:2:1: error: `[hosts.node]` cannot be run by this version\n    [hosts.node]\n    ^^^^^^^^^^^^\n"
    );
}

#[test]
fn a_small_job_has_every_default() {
    let job = small("").unwrap();
    assert_eq!(job.name, "job");
    assert!(job.not_yet.is_empty() && job.refusals().is_none());
    assert_eq!(job.output.dir, "out/job/{run}");
    assert_eq!(job.output.formats, [OutputFormat::Jsonl]);
    assert_eq!(
        job.run,
        RunSpec {
            parallel_hosts: 64,
            retries: 3,
            host_timeout_ns: 600_000_000_000,
            require: Require { percent: 100.0 },
            memory_bytes: 1 << 30,
            incremental: false,
            state: None,
            wait_ns: 86_400_000_000_000,
            mapper: None,
            deploy_dir: None,
        }
    );
    let plan = &job.plan;
    assert!(plan.range.is_open());
    assert_eq!(plan.timezone, "UTC");
    assert_eq!(
        (
            plan.limits.memory_bytes,
            plan.limits.nice,
            plan.limits.threads
        ),
        (Some(256 << 20), Some(10), None)
    );
    assert_eq!(plan.logs[0].disorder_ns, Some(3_600_000_000_000));
    assert_eq!(plan.logs[0].format, FormatChoice::Auto);
    assert_eq!(
        job.hosts
            .iter()
            .map(|host| (host.name.as_str(), &host.logs[..]))
            .collect::<Vec<_>>(),
        [("node-a", &[0][..]), ("node-b", &[0][..])]
    );
}

#[test]
fn every_key_outside_the_example_is_compiled() {
    let job = small(
        r#"
[hosts.web]
ssh = ["[2001:db8::1]:22", "web[a,c]"]
user = "deploy"
port = 2222
identity = "~/.ssh/id_logs"
via = ["edge@bastion-1:22", "bastion-2"]
clock = "+2s"
[hosts.pods]
exec = ["ns/pod-1"]
command = ["kubectl", "exec", "{host}", "--", "sh", "-c", "{bootstrap}"]
clock = "measured"
[logs.syslog]
hosts = ["web", "ns/pod-1"]
paths = ["/var/log/syslog*"]
year = 2025
disorder = "unlimited"
rotation = '(?<base>.+)\.old(?<n>\d+)$'
timezone = "Europe/Berlin"
nested = "json"
redact = [{ field = "password" }, { pattern = 'x', with = "" }, "ip", "token"]
[logs.table]
paths = ["t.csv"]
format = "mine"
[format.mine]
base = "csv"
time_key = "at"
level_key = "sev"
message_key = "text"
delimiter = "\t"
columns = ["at", "sev", "text"]
types = { sev = "number" }
[context.c]
where = "level = ERROR"
before = "10s"
max = 50
[sequence.s]
scope = "host"
pick = "tightest"
steps = [{ name = "a", where = "a = 1", times = "2..2" }, { name = "b", where = "b = 1", within = "5s" }]
[session.s2]
link = ["request_id", "fields.trace"]
hub = 7
max = 9
starts = "message LIKE 'start%'"
ends = "message LIKE 'end%'"
[aggregate.flat]
group = ["service", "host"]
select = { n = "count(*)" }
[query.rows]
sql = "SELECT time, message FROM logs WHERE level >= ERROR"
[output]
keep = 5
metrics = "metrics/{job}.prom"
[run]
deploy_dir = "/opt/cache"
mapper = "bin/mapper"
[limits]
max_decoded = "10GB"
open_files = 100
[[check]]
name = "few"
that = "rows(flat) < 10"
baseline = "last/{job}"
[[alert]]
name = "many"
when = "rows(flat) >= 10"
send = "mail"
repeat = "1h"
[notify.mail.smtp]
server = "mail.example.net:587"
from = "logs@example.net"
to = ["ops@example.net"]
user = "logs"
password = "file:/run/secrets/smtp"
[notify.page]
pagerduty = "$PAGER"
[notify.alerts]
alertmanager = "http://alerts:9093"
[notify.hook]
command = ["tee", "alert.json"]
"#,
    )
    .unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let log = &job.plan.logs[1];
    assert_eq!(
        (
            log.name.as_str(),
            log.year,
            log.disorder_ns,
            log.nested_json
        ),
        ("syslog", Some(2025), None, true)
    );
    assert!(
        matches!(&log.redact[..], [Redact::Ip, Redact::Token, Redact::Field(_), Redact::Pattern { with, .. }] if with.is_empty())
    );
    let format = &job.plan.formats[0];
    assert_eq!((format.delimiter, format.types.len()), (Some(b'\t'), 1));
    assert_eq!(job.plan.logs[2].format, FormatChoice::Custom(0));
    let names: Vec<_> = job.hosts.iter().map(|host| host.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "[2001:db8::1]:22",
            "node-a",
            "node-b",
            "ns/pod-1",
            "weba",
            "webc"
        ]
    );
    assert_eq!(job.hosts[0].clock, ClockSpec::FixedNs(2_000_000_000));
    let TransportSpec::Ssh(ssh) = &job.hosts[4].transport else {
        panic!()
    };
    assert_eq!(
        (ssh.user.as_deref(), ssh.port, ssh.via.len()),
        (Some("deploy"), Some(2222), 2)
    );
    assert_eq!(
        job.hosts[3].transport,
        TransportSpec::Exec {
            command: [
                "kubectl",
                "exec",
                "ns/pod-1",
                "--",
                "sh",
                "-c",
                "{bootstrap}"
            ]
            .map(str::to_owned)
            .to_vec()
        }
    );
    let OperatorKind::Sequence(sequence) = &job.plan.operators[1].kind else {
        panic!()
    };
    assert_eq!(
        (sequence.scope, sequence.pick, sequence.steps[0].max),
        (crate::plan::Scope::Host, Pick::Tightest, Some(2))
    );
    let OperatorKind::Aggregate(flat) = &job.plan.operators[3].kind else {
        panic!()
    };
    assert_eq!(
        flat.columns
            .iter()
            .map(|named| named.name.as_str())
            .collect::<Vec<_>>(),
        ["service", "host", "n"]
    );
    assert_eq!(job.plan.operators[4].logs, [0, 1, 2]);
    assert_eq!(job.checks[0].baseline.as_deref(), Some("last/job"));
    assert_eq!(job.alerts[0].repeat_ns, Some(3_600_000_000_000));
    assert_eq!(job.notify.len(), 4);
    assert_eq!(job.output.metrics.as_deref(), Some("metrics/job.prom"));
}

fn with<'a>(set: &'a [String], hosts: &'a [String]) -> Request<'a> {
    Request {
        set,
        hosts,
        ..Request::at(NOW)
    }
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

#[test]
fn the_command_line_goes_over_the_file() {
    let text = format!("[job]\nfrom = 'nonsense'\n{SMALL}[limits]\nthreads = 2\n");
    let set = strings(&[
        "limits.threads=4",
        "job.timezone=Europe/Berlin",
        "select.all={ limit = 3 }",
        "output.formats=['jsonl']",
    ]);
    let request = Request {
        from: Some("2026-01-19"),
        to: Some("now"),
        ..with(&set, &[])
    };
    let job =
        compile_bytes(text.as_bytes(), &request).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert_eq!(job.plan.limits.threads, Some(4));
    assert_eq!(
        job.plan.range.from_ns,
        Some(1_768_777_200_000_000_000),
        "midnight in Berlin"
    );
    assert_eq!(job.plan.range.to_ns, Some(NOW));
    assert_eq!(job.plan.operators[0].name, "all");
}

#[test]
fn its_mistakes_are_shown_as_typed() {
    let set = strings(&[
        "limits.threds=4",
        "select.s.where=level >= WARNIG",
        "run.retries=[",
        "job.name.x=1",
        "run.memory=5",
    ]);
    let hosts = strings(&["node-z"]);
    let request = Request {
        from: Some("yesteryear"),
        ..with(&set, &hosts)
    };
    let text = format!("[job]\nname = 'x'\n{SMALL}");
    let shown = compile_bytes(text.as_bytes(), &request)
        .unwrap_err()
        .to_string();
    let expected = "\
--set:1:8: error: unknown key `threds`, did you mean `threads`?
    limits.threds=4
           ^^^^^^
--set:1:25: error: `WARNIG` is no level
    select.s.where=level >= WARNIG
                            ^^^^^^
help: did you mean WARN?
--set:1:14: error: unclosed array, expected `]`
    run.retries=[
                 ^
--set:1:10: error: `x` is inside a text, not a table
    job.name.x=1
             ^
help: a list is set as a whole
--set:1:12: error: `memory` must be a size, as \"256MiB\", not a whole number
    run.memory=5
               ^
help: a size has a unit: \"256MiB\"
--from:1:1: error: not a moment: write \"2026-01-19T14:00:00Z\", \"2026-01-19 14:00\" in the job's timezone, \"-24h\", \"now\", \"today\" or \"yesterday 14:00\"
    yesteryear
    ^^^^^^^^^^
--host:1:1: error: unknown host or group `node-z`, did you mean `node-a`?
    node-z
    ^^^^^^
";
    assert_eq!(shown, expected, "{shown}");
}

#[test]
fn hosts_are_picked_by_name_group_and_range() {
    let text = "[hosts.web]\nssh = ['web[1-5]']\n[hosts.db]\nssh = ['db1']\n[hosts.spare]\nlocal = ['s']\n[logs.app]\nhosts = ['web', 'db']\npaths = ['/x']\n";
    let kept = |hosts: &[&str]| {
        compile_bytes(text.as_bytes(), &with(&[], &strings(hosts)))
            .map(|job| {
                job.hosts
                    .into_iter()
                    .map(|host| host.name)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .map_err(|mistakes| mistakes.to_string())
    };
    assert_eq!(kept(&[]).unwrap(), "db1 web1 web2 web3 web4 web5");
    assert_eq!(kept(&["db", "web[2-3]"]).unwrap(), "db1 web2 web3");
    assert_eq!(kept(&["web4"]).unwrap(), "web4");
    assert!(
        kept(&["spare"])
            .unwrap_err()
            .contains("no host that it keeps holds a log")
    );
    assert!(kept(&["wbe"]).unwrap_err().contains("did you mean `web`?"));
}

#[test]
fn host_lists_come_from_the_caller() {
    let text = "[hosts.fleet]\nssh = { command = ['ansible', 'all', '--list-hosts'] }\n[logs.app]\nhosts = ['fleet', 'x1']\npaths = ['/x']\n[select.s]\nwhere = \"host = 'x9'\"\n";
    let answer = |answer: Result<Option<Vec<u8>>, String>| {
        let list = move |source: &ListSource| {
            assert_eq!(
                *source,
                ListSource::Command(strings(&["ansible", "all", "--list-hosts"]))
            );
            answer.clone()
        };
        let request = Request {
            host_list: &list,
            ..Request::at(NOW)
        };
        compile_bytes(text.as_bytes(), &request).map_err(|mistakes| mistakes.to_string())
    };
    // Not asked: known, empty and marked; names that it may hold are no mistakes.
    let job = answer(Ok(None)).unwrap();
    assert_eq!(
        (job.groups[0].hosts, job.groups[0].asked, job.hosts.len()),
        (0, false, 0)
    );
    let job = answer(Ok(Some(b"  hosts (3):\n    x1\n    x9\n    x1\n".to_vec()))).unwrap();
    assert_eq!(
        (job.groups[0].hosts, job.groups[0].asked, job.hosts.len()),
        (2, true, 2)
    );
    let shown = answer(Ok(Some(b"a\n-b\n".to_vec()))).unwrap_err();
    assert!(
        shown.contains("output of ansible all --list-hosts:2:1: error: `-b`"),
        "{shown}"
    );
    assert!(
        shown.contains("unknown host or group `x1`") && shown.contains("unknown host `x9`"),
        "{shown}"
    );
    assert!(
        answer(Ok(Some(Vec::new())))
            .unwrap_err()
            .contains("names no host")
    );
    assert!(
        answer(Err("exit status 1".to_owned()))
            .unwrap_err()
            .contains("cannot read the host list: exit status 1")
    );
}

#[test]
fn a_plan_knows_which_columns_nobody_reads() {
    let reads = |log: &str, operator: &str| {
        let job = compile_text(&format!("{SMALL}{log}\n{operator}")).unwrap();
        (
            job.plan.reads(Column::Level),
            job.plan.reads(Column::Message),
        )
    };
    let count = "[aggregate.a]\nselect = { n = 'count(*)' }";
    assert_eq!(reads("", count), (false, false));
    for (log, operator, expected) in [
        ("", "where = 'level >= ERROR'", (true, false)),
        ("", "group = { l = 'level' }", (true, false)),
        ("", "having = 'n > 3'", (false, false)),
        ("drop = \"message LIKE '%x%'\"", "", (false, true)),
        (
            "derive = { long = 'length(message) > 9' }",
            "",
            (false, true),
        ),
        ("tag = { bad = 'level = ERROR' }", "", (true, false)),
        ("nested = 'json'", "", (true, true)),
        ("redact = ['email']", "", (true, true)),
        ("", "[select.s]\nwhere = 'a = 1'", (true, true)),
    ] {
        assert_eq!(
            reads(log, &format!("{count}\n{operator}")),
            expected,
            "{log} {operator}"
        );
    }
    let measured =
        "[aggregate.a]\nselect = { n = 'count_if(level = ERROR)', t = 'top(message, 3)' }";
    assert_eq!(reads("", measured), (true, true));
}
