//! Whole jobs: the one that the language is explained by, every broken one under `testdata/broken`, and inputs
//! that no person would write.

use std::path::{Path, PathBuf};

use super::*;
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
    let refused = job.refusals().unwrap().to_string();
    assert!(
        refused.contains("`[context.errors]` cannot be run by this version"),
        "{refused}"
    );
    assert!(
        !refused.contains("[aggregate.")
            && !refused.contains("[select.")
            && !refused.contains("[query."),
        "{refused}"
    );
}

/// Every file of `testdata/broken` against what it must say. BLESS=1 writes that anew.
#[test]
fn broken_jobs_say_what_is_wrong() {
    let folder = testdata("broken");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    assert!(files.len() >= 70, "{} files", files.len());
    let bless = std::env::var_os("BLESS").is_some();
    let mut seen: HashMap<String, String> = HashMap::new();
    let mut wrong = Vec::new();
    for path in files {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let source = Source {
            name: &name,
            bytes: &bytes,
            folder: &folder,
        };
        let request = Request {
            host_list: &|list| list_in(&folder, list),
            ..Request::at(NOW)
        };
        let shown = match compile(&source, &request) {
            Ok(_) => {
                wrong.push(format!("{name} compiles"));
                continue;
            }
            Err(mistakes) => mistakes.to_string(),
        };
        assert!(shown.contains(": error: "), "{name}:\n{shown}");
        let said = shown.replace(&name, "");
        if let Some(other) = seen.insert(said, name.clone()) {
            wrong.push(format!("{name} and {other} say the same"));
        }
        let expected = path.with_extension("expected");
        if bless {
            std::fs::write(&expected, &shown).unwrap();
        } else if std::fs::read_to_string(&expected).unwrap_or_default() != shown {
            wrong.push(format!("{name} says:\n{shown}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
