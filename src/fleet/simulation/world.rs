//! The logs of a simulated run, and what any run of their segments gives: made once by the real mapper.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use jobspec::job::Job;
use mapper::frame;
use mapper::message::{Manifest, Part, SegmentRange, Start};
use mapper::scan::Work;
use mapper::tally::StreamTally;

use crate::args::JobArguments;
use crate::contact;
use crate::fleet::Settings;
use crate::job;

const JOB: &str = r#"
[job]
name = "simulated"
[hosts.plain]
local = ["a", "b", "c"]
[hosts.off]
local = ["d"]
clock = "measured"
[logs.app]
hosts = ["plain", "off"]
paths = ["{host}-*.jsonl"]
format = "json"
[select.all]
columns = ["host", "file", "offset", "n"]
[aggregate.sums]
group = { host = "host", user = "user" }
select = { lines = "count(*)", total = "sum(n)", users = "distinct(user)" }
[context.errors]
where = "level = 'error'"
before = 2
after = 2
[session.visits]
by = ["user"]
gap = "5m"
select = { lines = "count(*)" }
[sequence.pairs]
by = ["user"]
within = "10m"
steps = [{ name = "one", where = "n % 7 = 0" }, { name = "two", where = "n % 7 = 3" }]
[limits]
threads = 1
[run]
host_timeout = "30m"
"#;

/// Streams of a host, and segments of each, about.
const STREAMS: u32 = 2;
const LINES: u32 = 40;
const SEGMENT_BYTES: u64 = 700;

/// What there is.
pub struct World {
    pub job: Job,
    /// By host.
    pub hosts: Vec<WorldHost>,
    pub folder: std::path::PathBuf,
}

pub struct WorldHost {
    pub manifest: Manifest,
    /// What any neighbouring segments give together.
    pub parts: BTreeMap<SegmentRange, Part>,
}

impl World {
    pub fn new() -> World {
        let memory = std::path::Path::new("/dev/shm");
        let base = match memory.is_dir() {
            true => memory.to_owned(),
            false => std::env::temp_dir(),
        };
        let folder = base.join(format!("logstitch-simulation-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for host in ["a", "b", "c", "d"] {
            for stream in 0..STREAMS {
                let path = folder.join(format!("{host}-{stream}.jsonl"));
                std::fs::write(path, log(host, stream)).unwrap();
            }
        }
        let arguments = JobArguments {
            job: "job.toml".into(),
            set: Vec::new(),
            from: None,
            to: None,
            host: Vec::new(),
        };
        let job = job::compile(
            "job.toml",
            JOB.as_bytes(),
            &folder,
            &arguments,
            0,
            job::Lists::FilesOnly,
        );
        let mut job = job.unwrap_or_else(|error| panic!("{error}"));
        // The mapper's own folder is that of all tests here.
        for log in &mut job.plan.logs {
            for path in &mut log.paths {
                *path = folder.join(&*path).to_str().unwrap().to_owned();
            }
        }
        let settings = Settings {
            segment_bytes: SEGMENT_BYTES,
            ..Settings::new(&job).unwrap()
        };
        let hosts = (0..).zip(&job.hosts);
        let hosts =
            hosts.map(|(index, spec)| WorldHost::new(&contact::start(spec, index, &settings)));
        let hosts = hosts.collect();
        World { job, hosts, folder }
    }
}

impl WorldHost {
    fn new(start: &Start) -> WorldHost {
        let manifest = mapper::serve::find(start).unwrap();
        let mut parts = BTreeMap::new();
        for (stream, planned) in (0..).zip(&manifest.streams) {
            let segments = planned.cuts.len() as u32;
            assert!(segments > 3, "{segments} segments are too few");
            for (first, end) in
                (0..segments).flat_map(|first| (first + 1..=segments).map(move |end| (first, end)))
            {
                let work = (first..end).map(|segment| Work {
                    stream,
                    segment,
                    weight: 1,
                });
                let scanned = Mutex::new(Vec::new());
                let hand_on = |part| {
                    scanned.lock().unwrap().push(part);
                    true
                };
                let (work, bytes) = (work.collect(), AtomicU64::new(0));
                mapper::serve::scan_parts(
                    start,
                    &manifest,
                    work,
                    mapper::serve::RUN_BYTES,
                    &bytes,
                    None,
                    &hand_on,
                )
                .unwrap();
                let [part] = &scanned.into_inner().unwrap()[..] else {
                    panic!("neighbours are one part");
                };
                parts.insert(part.range, part.clone());
            }
        }
        WorldHost { manifest, parts }
    }

    /// Entries of a run of segments.
    pub fn entries(&self, range: SegmentRange) -> u64 {
        let tally: StreamTally = frame::from_bytes(&self.parts[&range].tally.0).unwrap();
        tally.total().entries
    }
}

/// Lines of a few users, in bursts.
fn log(host: &str, stream: u32) -> String {
    let seed = u32::from(host.as_bytes()[0]) + stream * 50;
    let mut second = seed % 60;
    let mut log = String::new();
    for line in 0..LINES {
        let number = line * 31 + seed;
        second += number % 97;
        let level = match number % 9 {
            0 => "error",
            _ => "info",
        };
        log.push_str(&format!(
            "{{\"time\":\"2026-01-19T{:02}:{:02}:{:02}Z\",\"level\":\"{level}\",\"n\":{line},\"user\":\"u{}\"}}\n",
            12 + second / 3600,
            second / 60 % 60,
            second % 60,
            number % 5
        ));
    }
    log
}
