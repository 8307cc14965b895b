//! Linked sessions of a scan, regrouped within any budget, are the same records; as many runs are spilled as must be.

use std::sync::Mutex;

use jobspec::{Request, Source};
use mapper::frame::Blob;
use mapper::message::{BUILD, FromMapper, Start};
use mapper::serve;

use super::*;
use crate::testing::{Folder, unpacked};

/// Bundles of three requests that one trace joins, and every other request stands in two segments or more.
const TRACES: usize = 30;

struct Linked {
    operator: AnyOperator,
    runs: Vec<Run>,
}

impl Linked {
    /// Scans a log and keeps what its segments gave.
    fn scanned(folder: &Folder) -> Linked {
        let mut log = String::new();
        for number in 0..TRACES * 6 {
            let (trace, request) = (100 + number % TRACES, 100 + number % (3 * TRACES));
            log += &format!(
                "{{\"time\":\"2026-01-19T14:{:02}:{:02}Z\",\"trace\":{trace},\"request\":{request}}}\n",
                number / 60,
                number % 60
            );
        }
        std::fs::write(folder.path().join("app.log"), log).unwrap();
        let text = "[job]\nname = \"regroup\"\n[hosts.node]\nlocal = [\"node\"]\n[logs.app]\nhosts = [\"node\"]\n\
                    paths = [\"app.log\"]\nformat = \"json\"\n[session.a]\nlink = [\"request\", \"trace\"]\n";
        let source = Source {
            name: "job",
            bytes: text.as_bytes(),
            folder: folder.path(),
        };
        let job = jobspec::compile(&source, &Request::at(0)).unwrap();
        let start = Start {
            build: BUILD.to_owned(),
            plan: job.plan.clone(),
            host: "node".to_owned(),
            host_index: 0,
            logs: vec![0],
            folder: Blob(folder.path().as_os_str().as_encoded_bytes().to_vec()),
            clock_ahead_ns: 0,
            segment_bytes: 700,
            heartbeat_ms: 1000,
            manifest: None,
            committed: Vec::new(),
        };
        let runs = Mutex::new(Vec::new());
        let say = |message: &FromMapper| {
            if let FromMapper::Part(part) = message {
                let run = unpacked(&part.partials[0].run.0);
                runs.lock().unwrap().push(Run::of_bytes(run));
            }
            Ok(())
        };
        serve::answer(&start, 1, &say).unwrap();
        let runs = runs.into_inner().unwrap();
        assert!(runs.len() > 5, "{}", runs.len());
        let operator = AnyOperator::new(&job.plan, &job.plan.operators[0]).unwrap();
        Linked { operator, runs }
    }

    /// Every key of these runs with its values joined.
    fn joined(&self, runs: Vec<Run>) -> BTreeMap<Vec<u8>, Vec<u8>> {
        let mut joined = BTreeMap::new();
        each_key(runs, &mut |key, values| {
            joined.insert(key.to_vec(), self.operator.join_values(key, values)?);
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        joined
    }

    fn regrouped(&self, memory_bytes: u64, spill: &mut Spill) -> Vec<Run> {
        let mut core = self.operator.empty();
        let runs = self.runs.clone();
        regroup(&self.operator, &mut core, runs, memory_bytes, spill).unwrap()
    }
}

#[test]
fn records_of_any_budget_are_the_same() {
    let folder = Folder::new("regroup");
    let linked = Linked::scanned(&folder);
    let mut spill = Spill::new(folder.path().join("none"), 1 << 30);
    let whole = linked.regrouped(1 << 30, &mut spill);
    assert_eq!((whole.len(), spill.runs()), (1, 0), "nothing is spilled");
    let wanted = linked.joined(whole);
    assert_eq!(wanted.len(), TRACES, "a trace is one");

    // Of one length, so that it is known when a budget is full.
    let before = linked.joined(linked.runs.clone());
    assert_eq!(before.len(), 3 * TRACES, "a request and its trace are one");
    let length = wanted.first_key_value().unwrap().0.len();
    assert!(wanted.keys().all(|key| key.len() == length));
    let costs: Vec<u64> = before
        .values()
        .map(|value| (length + value.len()) as u64 + 96)
        .collect();
    let first_two = costs[0] + costs[1];
    for memory_bytes in [0, costs[0] - 1, costs[0], first_two - 1, first_two, 3000] {
        let (mut full, mut held) = (0, 0);
        for cost in &costs {
            held += cost;
            if held > memory_bytes {
                (full, held) = (full + 1, 0);
            }
        }
        let mut spill = Spill::new(folder.path().join(memory_bytes.to_string()), memory_bytes);
        let runs = linked.regrouped(memory_bytes, &mut spill);
        assert_eq!(spill.runs(), full, "{memory_bytes} bytes");
        assert_eq!(runs.len() as u64, full + u64::from(held > 0));
        assert_eq!(linked.joined(runs), wanted, "{memory_bytes} bytes");
    }
}

#[test]
fn a_record_of_another_operator_is_an_error() {
    let folder = Folder::new("regroup-mismatch");
    let mut linked = Linked::scanned(&folder);
    let mut bytes = Vec::new();
    append_record(b"key", b"short", &mut bytes);
    linked.runs = vec![Run::of_bytes(bytes)];
    let mut core = linked.operator.empty();
    let mut spill = Spill::new(folder.path().join("file"), 0);
    let runs = linked.runs.clone();
    let error = regroup(&linked.operator, &mut core, runs, 0, &mut spill).unwrap_err();
    assert!(error.to_string().contains("not of its operator"), "{error}");
}
