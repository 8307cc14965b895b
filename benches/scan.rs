//! Bytes a second of one thread over a log in the page cache: opened, parsed, filtered, absorbed by operators. What the
//! whole program takes beside others is in `benches/peers.py`.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use jobspec::plan::Plan;
use jobspec::zone::Zone;
use jobspec::{Request, Source, compile};
use mapper::format::{self, Format, Wanted};
use mapper::operator::{AnyOperator, Segment};
use mapper::prefilter::Prefilter;
use mapper::segment::{self, ReadContext, WINDOW_BYTES};
use mapper::stream::{self, Stream};

const LINES: usize = 20_000;

/// The same numbers on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % bound
    }

    fn pick<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len() as u64) as usize]
    }
}

fn lines(line: impl Fn(&mut String, usize, &mut Random)) -> String {
    let (mut text, mut random) = (String::new(), Random(7));
    for index in 0..LINES {
        line(&mut text, index, &mut random);
        text.push('\n');
    }
    text
}

fn clock(index: usize) -> String {
    let second = index / 40;
    format!(
        "{:02}:{:02}:{:02}",
        10 + second / 3600,
        second / 60 % 60,
        second % 60
    )
}

const SERVICES: [&str; 5] = ["checkout", "payments", "search", "billing", "shipping"];
const MESSAGES: [&str; 5] = [
    "step completed for tenant, partition renewed",
    "cache miss, reading through",
    "slow query on orders: full scan of many rows, consider an index",
    "published event to topic audit",
    "request succeeded after a retry of the upstream call",
];

fn message(random: &mut Random) -> String {
    match random.below(200) {
        0 => format!("connection timeout after {}ms", random.below(9000)),
        _ => random.pick(&MESSAGES).to_owned(),
    }
}

/// Logs by name, with the name of their format.
fn logs() -> Vec<(&'static str, String)> {
    let json = lines(|text, index, random| {
        let level = random.pick(&["INFO", "INFO", "INFO", "DEBUG", "WARN", "ERROR"]);
        let (clock, service, message) = (clock(index), random.pick(&SERVICES), message(random));
        let _ = write!(
            text,
            r#"{{"timestamp":"2026-01-19T{clock}.{:03}Z","level":"{level}","service":"{service}","message":"{message}","request_id":"{:016x}","status":{},"duration_ms":{}.{:02}}}"#,
            index % 1000,
            random.below(1 << 40),
            200 + random.below(5) * 100,
            random.below(3000),
            random.below(100),
        );
    });
    let logfmt = lines(|text, index, random| {
        let (clock, service, message) = (clock(index), random.pick(&SERVICES), message(random));
        let _ = write!(
            text,
            r#"ts=2026-01-19T{clock}Z level=info service={service} msg="{message}" duration_ms={}"#,
            random.below(3000)
        );
    });
    let apache = lines(|text, index, random| {
        let (clock, service) = (clock(index), random.pick(&SERVICES));
        let _ = write!(
            text,
            r#"10.0.{}.{} - - [19/Jan/2026:{clock} +0000] "GET /api/{service}/{} HTTP/1.1" {} {} "-" "curl/8.5.0""#,
            random.below(256),
            random.below(256),
            random.below(500),
            200 + random.below(4) * 100,
            random.below(100_000)
        );
    });
    let syslog = lines(|text, index, random| {
        let (clock, message) = (clock(index), message(random));
        let _ = write!(
            text,
            "Jan 19 {clock} web1 app[{}]: {message}",
            random.below(30_000)
        );
    });
    let plain = lines(|text, index, random| {
        let (clock, message) = (clock(index), message(random));
        let _ = write!(
            text,
            "2026-01-19 {clock},{:03} INFO [main] c.e.Shop - {message}",
            index % 1000
        );
        if random.below(50) == 0 {
            text.push_str(
                "\njava.lang.IllegalStateException: no\n\tat c.e.Shop.sell(Shop.java:42)",
            );
        }
    });
    vec![
        ("json", json),
        ("logfmt", logfmt),
        ("apache", apache),
        ("syslog", syslog),
        ("plain", plain),
    ]
}

/// A job over one file.
struct Job {
    plan: Plan,
    stream: Stream,
    format: Box<dyn Format>,
    operators: Vec<AnyOperator>,
    prefilter: Option<Prefilter>,
    wanted: Wanted,
}

impl Job {
    fn new(path: &Path, format: &str, operator: &str) -> Job {
        let text = format!(
            "[job]\nname = \"bench\"\n[hosts.node]\nlocal = [\"node\"]\n[logs.app]\nhosts = [\"node\"]\n\
             paths = ['{}']\nformat = \"{format}\"\n{operator}\n",
            path.display()
        );
        let source = Source {
            name: "bench.toml",
            bytes: text.as_bytes(),
            folder: Path::new("."),
        };
        let plan = match compile(&source, &Request::at(1_768_905_000_000_000_000)) {
            Ok(job) => job.plan,
            Err(mistakes) => panic!("{mistakes}"),
        };
        let found = stream::discover("node", Path::new(""), &[(0, &plan.logs[0])]);
        let stream = found.streams.into_iter().next().expect("the file is there");
        let log = &plan.logs[0];
        let format = format::choose(log.format, log, &plan.formats, &stream.head()).format;
        let operators = plan
            .operators
            .iter()
            .map(|operator| AnyOperator::new(&plan, operator));
        Job {
            operators: operators
                .collect::<Result<_, _>>()
                .expect("it can be executed"),
            prefilter: Prefilter::new(&plan, log, plan.operators.iter(), &*format),
            wanted: Wanted::of(&plan),
            plan,
            stream,
            format,
        }
    }

    fn scan(&self, prefilter: Option<&Prefilter>) -> u64 {
        let context = ReadContext {
            host: "node",
            log: &self.plan.logs[0].name,
            host_index: 0,
            log_index: 0,
            stream_index: 0,
            format: &*self.format,
            wanted: &self.wanted,
            prefilter,
            timezone: Zone::UTC,
            year: None,
            clock_ahead_ns: 0,
            max_decoded_bytes: u64::MAX,
            window_bytes: WINDOW_BYTES,
            spare: None,
            line_counts: None,
            pace: None,
        };
        let place = Segment {
            host: 0,
            log: 0,
            stream: 0,
            index: 0,
        };
        let begun = self.operators.iter().map(|operator| operator.begin(place));
        let mut partials: Vec<_> = begun.collect();
        let cuts = segment::cuts(&self.stream, self.format.splittable(), u64::MAX);
        let tally = segment::read(&self.stream, &cuts[0], &context, &mut |entry| {
            for (operator, partial) in self.operators.iter().zip(&mut partials) {
                operator.absorb(partial, entry).expect("its own partial");
            }
        });
        black_box(partials);
        tally.total().entries
    }
}

const NOTHING: &str = "[select.a]\nwhere = \"false\"\nlimit = 1";
const OPERATORS: [(&str, &str); 5] = [
    ("count", "[aggregate.a]\nselect = { n = \"count(*)\" }"),
    (
        "level and number",
        "[aggregate.a]\nwhere = \"level >= ERROR AND duration_ms > 1000\"\nselect = { n = \"count(*)\" }",
    ),
    (
        "groups",
        "[aggregate.a]\ngroup = { service = \"service\", minute = \"bucket(time, '1m')\" }\n\
         select = { n = \"count(*)\", p95 = \"percentile(duration_ms, 95)\" }",
    ),
    (
        "session",
        "[session.a]\nby = [\"request_id\"]\nselect = { n = \"count_if(level >= ERROR)\" }",
    ),
    (
        "select",
        "[select.a]\nwhere = \"status = 500\"\ncolumns = [\"time\", \"service\", \"message\"]",
    ),
];
const PREDICATES: [(&str, &str); 2] = [
    ("literal", "raw LIKE '%connection timeout%'"),
    ("regex", "message ~ '(timeout|refused) after [0-9]{3,}ms'"),
];

fn scan(criterion: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("logstitch-bench-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let logs = logs();
    let path = |name: &str| -> PathBuf { folder.join(format!("{name}.log")) };
    for (name, text) in &logs {
        fs::write(path(name), text).expect("room for a log");
    }
    let mut group = criterion.benchmark_group("scan");
    group.sample_size(20);

    for (name, text) in &logs {
        group.throughput(Throughput::Bytes(text.len() as u64));
        let job = Job::new(&path(name), name, NOTHING);
        group.bench_function(format!("parse/{name}"), |bencher| {
            bencher.iter(|| job.scan(None))
        });
    }

    let text = &logs[0].1;
    group.throughput(Throughput::Bytes(text.len() as u64));
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gzip.write_all(text.as_bytes()).expect("room");
    fs::write(path("gzip"), gzip.finish().expect("room")).expect("room for a log");
    for name in ["json", "gzip"] {
        let job = Job::new(&path(name), "raw", NOTHING);
        let mut buffer = vec![0; WINDOW_BYTES];
        group.bench_function(format!("open/{name}"), |bencher| {
            bencher.iter(|| {
                let file = &job.stream.files[0];
                let mut content = file.content(0, u64::MAX).expect("it is there");
                let mut bytes = 0;
                loop {
                    match content.read(&mut buffer) {
                        0 => break,
                        more => bytes += more,
                    }
                }
                assert_eq!(bytes, text.len());
            });
        });
    }
    for (name, predicate) in PREDICATES {
        let operator =
            format!("[aggregate.a]\nwhere = \"{predicate}\"\nselect = {{ n = \"count(*)\" }}");
        let job = Job::new(&path("json"), "json", &operator);
        let prefilter = job.prefilter.as_ref();
        assert!(prefilter.is_some(), "{predicate}");
        group.bench_function(format!("predicate/{name}"), |bencher| {
            bencher.iter(|| job.scan(prefilter))
        });
        group.bench_function(format!("predicate/{name}, all parsed"), |bencher| {
            bencher.iter(|| job.scan(None))
        });
    }
    for (name, operator) in OPERATORS {
        let job = Job::new(&path("json"), "json", operator);
        group.bench_function(format!("operator/{name}"), |bencher| {
            bencher.iter(|| job.scan(job.prefilter.as_ref()));
        });
    }
    group.finish();
    let _ = fs::remove_dir_all(&folder);
}

criterion_group!(benches, scan);
criterion_main!(benches);
