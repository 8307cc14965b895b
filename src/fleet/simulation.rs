//! Whole runs without a network: the real fleet, hosts, ledger, spool and reducer over simulated mappers, under random
//! schedules of delays, faults, slow disks and runners that are killed and go on. Time is simulated, so that hours take
//! milliseconds. No row is wrong, nothing hangs, no segment counts twice.
//!
//! `LOGSTITCH_SCHEDULES=100000` tries more of them, `LOGSTITCH_SEED=7` that one alone.

mod hosts;
mod world;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use jobspec::value::Value;
use mapper::frame;
use mapper::message::SegmentRange;
use mapper::operator::OutputColumn;
use reducer::completeness::Completeness;
use reducer::ledger::Ledger;
use reducer::output::summary::Summary;
use reducer::reduce::{self, Order, Reduction, RowSink};
use reducer::report::{HostReport, HostState};
use reducer::spool::{Spool, Writer};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{sleep, timeout};

use self::hosts::Simulated;
use self::world::World;
use super::{Event, Fleet, Settings, head, open_hosts};
use crate::command::r#gen::random::Random;

const SCHEDULES: u64 = 2000;

/// Longer than any schedule, in simulated time.
const FOREVER: Duration = Duration::from_secs(7 * 86_400);

/// Times that a runner is killed, at most.
const KILLS: u64 = 3;

fn world() -> &'static Arc<World> {
    static WORLD: OnceLock<Arc<World>> = OnceLock::new();
    WORLD.get_or_init(|| Arc::new(World::new()))
}

#[test]
fn no_schedule_gives_a_wrong_row() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse().unwrap());
    let seeds = match number("LOGSTITCH_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("LOGSTITCH_SCHEDULES").unwrap_or(SCHEDULES),
    };
    let next = std::sync::atomic::AtomicU64::new(seeds.start);
    let seen = Mutex::new(BTreeMap::<String, u64>::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if seed >= seeds.end {
                        return;
                    }
                    let ends =
                        std::panic::catch_unwind(|| schedule(seed)).unwrap_or_else(|error| {
                            eprintln!("LOGSTITCH_SEED={seed} shows it again");
                            std::panic::resume_unwind(error)
                        });
                    let mut seen = seen.lock().unwrap();
                    for end in ends {
                        *seen.entry(end).or_default() += 1;
                    }
                }
            });
        }
    });
    let _ = std::fs::remove_dir_all(&world().folder);
    // That every kind of end was there: else the schedules are too kind to show anything.
    let seen = seen.into_inner().unwrap();
    if seeds.end - seeds.start >= SCHEDULES {
        for end in [
            "ok",
            "partial",
            "failed connect",
            "failed protocol",
            "failed timeout",
            "failed auth",
            "failed read",
            "retried",
            "resumed",
            "whole run",
        ] {
            assert!(seen.contains_key(end), "no {end} among {seen:?}");
        }
    }
}

/// One run; what kinds of ends it had.
fn schedule(seed: u64) -> Vec<String> {
    let world = world();
    let mut random = Random::new(seed);
    let folder = world.folder.join(format!("spool-{seed}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let faults = [0, 100, 400, 800][random.below(4) as usize];
    let mut resumed = false;
    let mut kills = random.below(KILLS + 1);
    runtime.block_on(async {
        let head = head(&world.job, 0);
        let mut writer = Writer::create(&folder, &head).unwrap();
        let mut ledger = Ledger::new(world.job.hosts.len());
        let mut open: Vec<u32> = (0..world.job.hosts.len() as u32).collect();
        loop {
            let fleet = fleet(&mut random, faults, ledger, &open);
            let life = match kills {
                0 => FOREVER,
                _ => Duration::from_millis(random.below(60_000)),
            };
            match timeout(life, run(fleet, writer, &mut random)).await {
                Ok(()) => break,
                Err(_) => assert!(kills > 0, "seed {seed} hangs"),
            }
            kills -= 1;
            resumed = true;
            tear(&folder, &mut random);
            let spool;
            (writer, spool) = Writer::resume(&folder).unwrap();
            ledger = Ledger::of(&spool).unwrap();
            open = open_hosts(&spool);
        }
    });
    drop(runtime);
    let mut ends = judge(&folder, seed);
    if resumed {
        ends.push("resumed".to_owned());
    }
    std::fs::remove_dir_all(&folder).unwrap();
    ends
}

fn fleet(random: &mut Random, faults: u64, ledger: Ledger, open: &[u32]) -> Fleet {
    let world = world();
    let label = random.next();
    let settings = Settings {
        ways: Box::new(Simulated {
            world: world.clone(),
            random: Mutex::new(random.fork(label)),
            faults,
        }),
        retries: random.below(6) as u32,
        dialling: Semaphore::new(1 + random.below(4) as usize),
        ..Settings::new(&world.job).unwrap()
    };
    let hosts = open
        .iter()
        .map(|&index| (index, world.job.hosts[index as usize].clone()));
    Fleet {
        hosts: hosts.collect(),
        parallel: 1 + random.below(5) as u32,
        settings: Arc::new(settings),
        ledger,
    }
}

/// The run, and a disk that is sometimes slow.
async fn run(fleet: Fleet, mut writer: Writer, random: &mut Random) {
    let (events, mut received) = mpsc::channel::<Event>(1 + random.below(8) as usize);
    let is_slow = random.chance(200);
    let writing = async {
        while let Some(event) = received.recv().await {
            if is_slow {
                sleep(Duration::from_millis(random.below(2000))).await;
            }
            event.write(&mut writer).unwrap();
        }
    };
    tokio::join!(fleet.run(events), writing);
}

/// What a runner that is killed while it writes leaves of its last records.
fn tear(folder: &Path, random: &mut Random) {
    for host in 0..world().job.hosts.len() {
        let path = folder.join(format!("{host}.parts"));
        let Ok(metadata) = std::fs::metadata(&path) else {
            continue;
        };
        if random.chance(300) {
            let lost = random.below(metadata.len().min(5000) + 1);
            let file = std::fs::File::options().write(true).open(&path).unwrap();
            file.set_len(metadata.len() - lost).unwrap();
        }
        if random.chance(100) {
            use std::io::Write;
            let mut file = std::fs::File::options().append(true).open(&path).unwrap();
            file.write_all(&vec![0; random.below(200) as usize])
                .unwrap();
        }
    }
}

/// Every row against what the segments that are in give, each once.
fn judge(folder: &Path, seed: u64) -> Vec<String> {
    let world = world();
    let spool = Spool::open(&[folder.to_owned()]).unwrap();
    let mut ends = Vec::new();
    let mut expected_entries = 0;
    for (host, spooled) in world.hosts.iter().zip(&spool.hosts) {
        let report = spooled.report.as_ref().expect("every host has an end");
        let segments = host.manifest.streams.iter().map(|stream| stream.cuts.len());
        let mut missing: usize = segments.sum();
        let mut last: Option<SegmentRange> = None;
        for part in &spooled.parts {
            let range = part.range;
            let follows = last.is_none_or(|last| {
                last.stream < range.stream || last.stream == range.stream && last.end <= range.first
            });
            assert!(follows, "seed {seed}: {last:?} and {range:?} are both in");
            last = Some(range);
            missing -= (range.end - range.first) as usize;
            expected_entries += host.entries(range);
        }
        let is_ok = report.state == HostState::Ok;
        assert_eq!(is_ok, missing == 0, "seed {seed}: {report:?}");
        assert_eq!(is_ok, report.error.is_none(), "seed {seed}: {report:?}");
        if report.state == HostState::Partial {
            assert!(!spooled.parts.is_empty(), "seed {seed}");
        }
        ends.push(match report.state {
            HostState::Failed(phase) => format!("failed {}", phase.name()),
            state => state.name().to_owned(),
        });
        if is_ok && report.attempts > 1 {
            ends.push("retried".to_owned());
        }
    }
    let (rows, summary) = reduced(&spool, folder, Order::Shuffled { seed });
    let entries = rows
        .iter()
        .filter(|(operator, _)| operator == "all")
        .count() as u64;
    assert_eq!(entries, expected_entries, "seed {seed}");
    let expected = clean(&spool, folder);
    assert!(
        rows == *expected,
        "seed {seed}: other rows than the segments that are in give"
    );
    let all_ok = ends.iter().filter(|end| *end == "ok").count() == world.hosts.len();
    assert_eq!(summary.is_enough, all_ok, "seed {seed}: {}", summary.line);
    assert_eq!(
        all_ok,
        !summary.line.contains("INCOMPLETE"),
        "{}",
        summary.line
    );
    if all_ok {
        ends.push("whole run".to_owned());
    }
    ends
}

type Rows = Vec<(String, String)>;

/// The rows of the same segments, one by one and undisturbed, as the mapper gave them.
fn clean(spool: &Spool, folder: &Path) -> Arc<Rows> {
    static KNOWN: Mutex<BTreeMap<Vec<u8>, Arc<Rows>>> = Mutex::new(BTreeMap::new());
    let world = world();
    // Most schedules end with all of it.
    let mut key = Vec::new();
    for spooled in &spool.hosts {
        let ranges = spooled.parts.iter().map(|part| part.range);
        let segments =
            ranges.flat_map(|range| (range.first..range.end).map(move |at| (range.stream, at)));
        let state = spooled.report.as_ref().unwrap().state;
        frame::append_bytes(&(segments.collect::<Vec<_>>(), state), &mut key);
    }
    if let Some(known) = KNOWN.lock().unwrap().get(&key) {
        return known.clone();
    }
    let folder = folder.join("clean");
    let mut writer = Writer::create(&folder, &spool.head).unwrap();
    for (host, spooled) in spool.hosts.iter().enumerate() {
        let (index, of) = (host as u32, &world.hosts[host]);
        if spooled.manifest.is_some() {
            writer.manifest(index, of.manifest.clone()).unwrap();
        }
        for part in &spooled.parts {
            for first in part.range.first..part.range.end {
                let range = SegmentRange {
                    first,
                    end: first + 1,
                    ..part.range
                };
                writer.part(index, of.parts[&range].clone()).unwrap();
            }
        }
        let report = HostReport {
            state: spooled.report.as_ref().unwrap().state,
            ..HostReport::default()
        };
        writer.report(index, report).unwrap();
    }
    drop(writer);
    let clean = Spool::open(std::slice::from_ref(&folder)).unwrap();
    let (rows, _) = reduced(&clean, &folder, Order::AsSpooled);
    let rows = Arc::new(rows);
    KNOWN.lock().unwrap().insert(key, rows.clone());
    rows
}

fn reduced(spool: &Spool, folder: &Path, order: Order) -> (Rows, Summary) {
    let how = Reduction {
        order,
        memory_bytes: 1 << 20,
        folder,
    };
    let completeness = Completeness::of(spool).unwrap();
    let mut rows = Captured::default();
    let operators = reduce::reduce(spool, &completeness, &how, &mut rows).unwrap();
    let summary = Summary::new(spool, &completeness, &operators).unwrap();
    (rows.rows, summary)
}

#[derive(Default)]
struct Captured {
    operator: String,
    rows: Rows,
}

impl RowSink for Captured {
    fn begin(&mut self, operator: &str, _columns: &[OutputColumn]) -> Result<(), reducer::Error> {
        operator.clone_into(&mut self.operator);
        Ok(())
    }

    fn row(&mut self, row: &[Value<'_>]) -> Result<(), reducer::Error> {
        self.rows.push((self.operator.clone(), format!("{row:?}")));
        Ok(())
    }

    fn end(&mut self) -> Result<(), reducer::Error> {
        Ok(())
    }
}
