//! Whole jobs over random logs, against the oracle: hosts scan in one attempt or several, in segments and parts of random
//! sizes; what they send goes through frames' bytes, arrives in random order, some of it twice, and is reduced in several
//! orders within several budgets. The rows are the oracle's, byte for byte.
//!
//! `LOGSTITCH_LAWS=1000000` tries so many cases instead of the usual 1,000; `LOGSTITCH_LAWS_SEED=7` that one alone.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use jobspec::job::{ClockSpec, HostSpec, Job};
use jobspec::{Request, Source};
use mapper::frame::{Blob, Decoder};
use mapper::message::{BUILD, FromMapper, Start};
use mapper::serve;
use reducer::completeness::Completeness;
use reducer::ledger::Ledger;
use reducer::output::Jsonl;
use reducer::reduce::{Order, Reduction, reduce};
use reducer::report::{HostReport, HostState, Phase};
use reducer::spool::{Head, HostHead, Spool, Writer};

use crate::harness::Folder;
use crate::oracle::{self, Facts, Question, Random, World};

const CASES: u64 = 1000;

#[test]
fn whole_jobs_give_the_rows_of_the_oracle() {
    let number = |name: &str| {
        let text = std::env::var(name).ok();
        text.map(|text| text.parse::<u64>().expect("a number"))
    };
    let (first, last) = match number("LOGSTITCH_LAWS_SEED") {
        Some(seed) => (seed, seed),
        None => (1, number("LOGSTITCH_LAWS").unwrap_or(CASES)),
    };
    let folder = Folder::in_memory("partition");
    let next = AtomicU64::new(first);
    let tried = Mutex::new(Tried::default());
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for thread in 0..threads {
            let (folder, next, tried) = (folder.path().join(thread.to_string()), &next, &tried);
            scope.spawn(move || {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > last {
                        return;
                    }
                    let case = std::panic::AssertUnwindSafe(|| case(seed, &folder));
                    let Ok(rows) = std::panic::catch_unwind(case) else {
                        // Its files stay, so that they can be looked at; the other threads need not go on.
                        next.store(last, Ordering::Relaxed);
                        panic!("LOGSTITCH_LAWS_SEED={seed}, in {}", folder.display());
                    };
                    std::fs::remove_dir_all(&folder).unwrap();
                    tried.lock().unwrap().add(&rows);
                }
            });
        }
    });
    // A case without rows shows little: most have some, of every operator.
    let tried = tried.into_inner().unwrap();
    if first < last {
        assert_eq!(tried.cases, last);
        for (name, with_rows) in tried.with_rows {
            assert!(
                with_rows * 6 > tried.cases,
                "{name}: only {with_rows} cases have rows"
            );
        }
    }
}

/// How many cases there were, and how many of them had rows, by operator.
#[derive(Default)]
struct Tried {
    cases: u64,
    with_rows: Vec<(&'static str, u64)>,
}

impl Tried {
    fn add(&mut self, rows: &[(&'static str, usize)]) {
        self.cases += 1;
        for (name, rows) in rows {
            let found = self.with_rows.iter_mut().find(|(known, _)| known == name);
            match found {
                Some((_, count)) => *count += u64::from(*rows > 0),
                None => self.with_rows.push((name, u64::from(*rows > 0))),
            }
        }
    }
}

/// One case; gives how many rows each operator had.
fn case(seed: u64, folder: &Path) -> Vec<(&'static str, usize)> {
    let random = &mut Random::new(seed);
    let logs = folder.join("logs");
    std::fs::create_dir_all(&logs).unwrap();
    let world = World::write(random, &logs);
    let mut lost: Vec<String> = Vec::new();
    if world.hosts.len() > 1 && random.one_in(8) {
        lost.push(world.hosts[random.below(world.hosts.len())].name.to_owned());
    }
    let line_numbers = random.one_in(2);
    let from_ns = random.one_in(3).then(|| oracle::moment(random, 30));
    let to_ns = random.one_in(3).then(|| oracle::moment(random, 120));
    let facts = Facts {
        streams: world.read(&lost, line_numbers),
        from_ns,
        to_ns: to_ns.filter(|to| from_ns.is_none_or(|from| from < *to)),
        lost: lost.clone(),
        logs: vec!["app", "svc"],
    };
    let questions = oracle::questions(random, &facts);
    let text = job_text(random, &world, &logs, &facts, &questions, line_numbers);
    std::fs::write(folder.join("job.toml"), &text).unwrap();
    let job = compile(&text, folder);

    let spool = folder.join("spool");
    run(random, &job, &lost, &spool);
    let spool = Spool::open(&[spool]).unwrap();
    let completeness = Completeness::of(&spool).unwrap();
    for order in [Order::AsSpooled, Order::Shuffled { seed }] {
        let how = Reduction {
            order,
            memory_bytes: random.pick(&[1 << 10, 4 << 10, 64 << 10, 1 << 30]),
            folder,
        };
        let mut sink = Jsonl::new(folder);
        reduce(&spool, &completeness, &how, &mut sink).unwrap();
        for question in &questions {
            let path = folder.join(format!("{}.jsonl", question.name));
            same(question, &std::fs::read_to_string(path).unwrap(), &how);
        }
    }
    let rows = questions.iter();
    rows.map(|question| (question.name, question.rows.len()))
        .collect()
}

/// Row by row: a failure shows the first that differs.
fn same(question: &Question, text: &str, how: &Reduction<'_>) {
    let mut rows = text.lines();
    for (index, wanted) in question.rows.iter().enumerate() {
        let row = rows.next().unwrap_or("(no row)");
        assert_eq!(row, wanted, "row {index} of {}, {how:?}", question.toml);
    }
    assert_eq!(
        rows.next(),
        None,
        "a row too many of {}, {how:?}",
        question.toml
    );
}

fn job_text(
    random: &mut Random,
    world: &World,
    logs: &Path,
    facts: &Facts,
    questions: &[Question],
    line_numbers: bool,
) -> String {
    let mut text = "[job]\nname = \"partition\"\n".to_owned();
    for (key, bound) in [("from", facts.from_ns), ("to", facts.to_ns)] {
        if let Some(ns) = bound {
            let time = oracle::Time { ns, digits: 0 };
            text += &format!("{key} = \"{}\"\n", time.text());
        }
    }
    // Of what is lost too: a promise is one of the log.
    let disorder_ns = oracle::disorder_ns(&world.read(&[], false));
    text += &world.toml(random, logs, disorder_ns);
    for question in questions {
        text += &question.toml;
    }
    text + &format!("[output]\nformats = [\"jsonl\"]\nline_numbers = {line_numbers}\n")
}

fn compile(text: &str, folder: &Path) -> Job {
    let source = Source {
        name: "job.toml",
        bytes: text.as_bytes(),
        folder,
    };
    let job = jobspec::compile(&source, &Request::at(1_768_905_000_000_000_000));
    let job = job.unwrap_or_else(|mistakes| panic!("{mistakes}"));
    assert!(job.refusals().is_none());
    job
}

/// All hosts as the runner has them, in this process: what they send goes into the spool.
fn run(random: &mut Random, job: &Job, lost: &[String], spool: &Path) {
    let hosts = job.hosts.iter();
    let head = Head {
        build: BUILD.to_owned(),
        plan: job.plan.clone(),
        hosts: hosts
            .map(|host| HostHead {
                name: host.name.clone(),
                group: host.group.clone(),
                logs: host.logs.clone(),
            })
            .collect(),
        started_ns: 0,
        require_percent: 100.0,
        checks: Vec::new(),
    };
    let mut writer = Writer::create(spool, &head).unwrap();
    let mut ledger = Ledger::new(job.hosts.len());
    let mut reports: Vec<(u32, HostReport)> = Vec::new();
    let mut arriving: Vec<(u32, VecDeque<FromMapper>)> = Vec::new();
    for (index, host) in job.hosts.iter().enumerate() {
        let mut report = HostReport::default();
        if lost.contains(&host.name) {
            report.state = HostState::Failed(Phase::Connect);
        } else {
            report.state = HostState::Ok;
            arriving.push((index as u32, attempts(random, job, index as u32, host)));
        }
        reports.push((index as u32, report));
    }
    // The order of one host's messages stands; between hosts there is none.
    while !arriving.is_empty() {
        let at = random.below(arriving.len());
        let (host, messages) = &mut arriving[at];
        match messages.pop_front() {
            Some(FromMapper::Manifest(manifest)) => {
                ledger.set_manifest(*host, manifest.clone()).unwrap();
                writer.manifest(*host, manifest).unwrap();
            }
            Some(FromMapper::Part(part)) => {
                if ledger.commit(*host, part.range).unwrap() {
                    writer.part(*host, part).unwrap();
                }
            }
            Some(other) => panic!("{other:?}"),
            None => {
                assert_eq!(ledger.missing(*host), Some(0));
                arriving.swap_remove(at);
            }
        }
    }
    for (host, report) in reports {
        writer.report(host, report).unwrap();
    }
}

/// What a host sends until all of it is in: attempts that are lost after some of their messages, and one that is not.
fn attempts(random: &mut Random, job: &Job, index: u32, host: &HostSpec) -> VecDeque<FromMapper> {
    let mut plan = job.plan.clone();
    plan.limits.threads = Some(random.pick(&[1, 1, 2, 3]));
    let segment_bytes = random.pick(&[40, 150, 400, 1500, 1 << 20]);
    let run_bytes = random.pick(&[1, 300, 2000, u64::MAX]);
    let mut start = Start {
        build: BUILD.to_owned(),
        plan,
        host: host.name.clone(),
        host_index: index,
        logs: host.logs.clone(),
        folder: Blob(Vec::new()),
        clock_ahead_ns: match host.clock {
            ClockSpec::FixedNs(ahead_ns) => ahead_ns,
            ClockSpec::Measured | ClockSpec::Trusted => 0,
        },
        segment_bytes,
        heartbeat_ms: 1000,
        manifest: None,
        committed: Vec::new(),
    };
    let mut came: VecDeque<FromMapper> = VecDeque::new();
    loop {
        let patience = if random.one_in(3) {
            random.below(5)
        } else {
            usize::MAX
        };
        let said = Mutex::new(Said {
            bytes: Vec::new(),
            patience,
        });
        let say = |message: &FromMapper| said.lock().unwrap().say(message);
        let ended = serve::answer(&start, run_bytes, &say);
        let said = said.into_inner().unwrap();
        let messages = through_frames(random, &said.bytes);
        for message in messages {
            match &message {
                FromMapper::Manifest(manifest) => start.manifest = Some(manifest.clone()),
                FromMapper::Part(part) => {
                    start.committed.push(part.range);
                    // What was on its way when a connection broke may come again.
                    if random.one_in(5) {
                        came.push_back(message.clone());
                    }
                }
                _ => {}
            }
            came.push_back(message);
        }
        random.shuffle(&mut start.committed);
        match ended {
            Ok(()) if said.patience > 0 => return came,
            Ok(()) | Err(serve::Error::Io(_)) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// The runner's end of a pipe, which breaks after so many messages.
struct Said {
    bytes: Vec<u8>,
    patience: usize,
}

impl Said {
    fn say(&mut self, message: &FromMapper) -> io::Result<()> {
        if self.patience == 0 {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        self.patience -= 1;
        message.encode(&mut self.bytes);
        Ok(())
    }
}

/// The messages of these bytes, which come in pieces of any size.
fn through_frames(random: &mut Random, mut bytes: &[u8]) -> Vec<FromMapper> {
    let mut decoder = Decoder::without_marker();
    let mut messages = Vec::new();
    let most = random.pick(&[7, 1000, 1 << 20]);
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at(bytes.len().min(1 + random.below(most)));
        bytes = rest;
        decoder.push(piece);
        while let Some(message) = decoder.next_message().unwrap() {
            messages.push(FromMapper::decode(&message).unwrap());
        }
    }
    messages
}
