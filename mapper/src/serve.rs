//! Plan in, frames out, until every segment is sent: a mapper's whole life.
//!
//! It reads its stdin to the end of its life: when that closes the runner is gone, and the mapper ends at once,
//! whatever it is doing.

mod fruit;

use std::fmt;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime};

use jobspec::plan::{LogPlan, Plan};
use jobspec::zone::Zone;

use self::fruit::Fruit;
use crate::chunks;
use crate::format::{self, Format, Wanted};
use crate::frame::{Blob, Decoder, FrameError, MARKER, to_bytes};
use crate::limits::{self, Budget, ReadRate};
use crate::message::{
    BUILD, Clock, FromMapper, Manifest, Part, PlannedStream, SegmentRange, SplitPartial, Start,
    ToMapper, Usage,
};
use crate::open::Reading;
use crate::open::frames::LEAST_APART;
use crate::operator::{AnyOperator, AnyPartial, Run, Segment};
use crate::prefilter::Prefilter;
use crate::prune::{Kept, Span};
use crate::scan::{self, Work};
use crate::segment::{self, LineCounts, ReadContext, Spare, WINDOW_BYTES};
use crate::stream::{self, Stream};
use crate::survey;

/// Neighbours merge up to so many bytes of log: what a lost connection may cost.
pub const RUN_BYTES: u64 = 512 << 20;

/// For tests, and for whoever wants every line parsed and counted as what it is.
const NO_PREFILTER: &str = "LOGSTITCH_NO_PREFILTER";

/// Why a mapper ended without being done.
#[derive(Debug)]
pub enum Error {
    Io(io::Error),
    Frame(FrameError),
    /// The runner is of another build.
    Build(String),
    Other(String),
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io(error) => write!(formatter, "{error}"),
            Error::Frame(error) => write!(formatter, "stdin: {error}"),
            Error::Build(build) => {
                write!(
                    formatter,
                    "the runner is of build {}, this mapper of {BUILD}",
                    build.escape_debug()
                )
            }
            Error::Other(text) => formatter.write_str(text),
        }
    }
}

impl std::error::Error for Error {}

/// Serves one runner on stdin and stdout, until that hangs up. Comes back with an error alone.
pub fn serve() -> Result<(), Error> {
    let began = Instant::now();
    let runner = Arc::new(Runner {
        out: Mutex::new(io::stdout()),
    });
    runner.write(MARKER).map_err(Error::Io)?;
    runner
        .say(&FromMapper::Hello {
            build: BUILD.to_owned(),
        })
        .map_err(Error::Io)?;
    let mut heard = Heard {
        runner: runner.clone(),
        decoder: Decoder::without_marker(),
    };
    let order = heard.order()?;
    let (ToMapper::Start(start) | ToMapper::Look(start)) = &order else {
        unreachable!("a ping is no order");
    };
    if start.build != BUILD {
        return Err(Error::Build(start.build.clone()));
    }
    // Before any other thread is there: threads inherit most of it.
    let manners = limits::apply(&start.plan.limits);
    // As many as scan: a host with many cores would otherwise start more than its memory bears.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = Budget::of(&start.plan.limits, cores, 1).threads;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    pool.build_global()
        .map_err(|error| Error::Other(format!("cannot start threads: {error}")))?;
    std::thread::spawn(move || heard.listen_to_the_end());
    let scanned_bytes = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let (runner, scanned_bytes) = (&*runner, &scanned_bytes);
        let heartbeat = Duration::from_millis(start.heartbeat_ms.max(1));
        scope.spawn(move || {
            while stopped.recv_timeout(heartbeat) == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                let scanned_bytes = scanned_bytes.load(Ordering::Relaxed);
                if runner
                    .say(&FromMapper::Heartbeat { scanned_bytes })
                    .is_err()
                {
                    return;
                }
            }
        });
        let result = match order {
            ToMapper::Look(_) => look(start, runner),
            _ => {
                let say = |message: &FromMapper| runner.say(message);
                let read_rate = manners.read_rate.as_ref();
                run(start, RUN_BYTES, &say, scanned_bytes, read_rate)
            }
        };
        drop(stop);
        if let Err(Error::Other(text)) = &result {
            // The runner hears it too; if it does not, stderr has it.
            let _ = runner.say(&FromMapper::Failed(text.clone()));
        }
        result
    })?;
    runner
        .say(&FromMapper::Done(usage(began, manners.notes)))
        .map_err(Error::Io)?;
    // The runner hangs up when it has heard that, and this process ends; what it still asks is answered.
    loop {
        std::thread::park();
    }
}

/// The runner's end of stdout; frames of several threads never mix.
struct Runner {
    out: Mutex<io::Stdout>,
}

impl Runner {
    fn say(&self, message: &FromMapper) -> io::Result<()> {
        let mut bytes = Vec::new();
        message.encode(&mut bytes);
        self.write(&bytes)
    }

    fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let mut out = self.out.lock().expect("no writer panics");
        out.write_all(bytes)?;
        out.flush()
    }
}

/// The runner's words on stdin. Its pings are answered at any time.
struct Heard {
    runner: Arc<Runner>,
    decoder: Decoder,
}

impl Heard {
    /// Waits for the order.
    fn order(&mut self) -> Result<ToMapper, Error> {
        let mut buffer = vec![0; 64 << 10];
        loop {
            if let Some(order) = self.answer()? {
                return Ok(order);
            }
            match io::stdin().lock().read(&mut buffer) {
                Ok(0) => return Err(Error::Frame(FrameError::Torn)),
                Ok(read) => self.decoder.push(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Io(error)),
            }
        }
    }

    /// Answers the pings that have come, up to an order.
    fn answer(&mut self) -> Result<Option<ToMapper>, Error> {
        while let Some(message) = self.decoder.next_message().map_err(Error::Frame)? {
            match ToMapper::decode(&message).map_err(Error::Frame)? {
                ToMapper::Ping => {
                    let clock_ns = now_ns();
                    let said = self.runner.say(&FromMapper::Pong { clock_ns });
                    said.map_err(Error::Io)?;
                }
                order => return Ok(Some(order)),
            }
        }
        Ok(None)
    }

    /// Answers until the runner closes stdin, and ends the process then. What came with the order waits already.
    fn listen_to_the_end(mut self) {
        let mut buffer = [0; 4096];
        loop {
            match self.answer() {
                Ok(None) => {}
                // A second order, or no words of a runner's: whoever says that is none.
                Ok(Some(_)) | Err(_) => std::process::exit(1),
            }
            match io::stdin().lock().read(&mut buffer) {
                Ok(0) => std::process::exit(0),
                Ok(read) => self.decoder.push(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => std::process::exit(0),
            }
        }
    }
}

/// A stream, ready to be read.
struct Source<'a> {
    planned: &'a PlannedStream,
    log: &'a LogPlan,
    format: Box<dyn Format>,
    timezone: Zone,
    line_counts: Option<LineCounts>,
    /// The operators that read its log, by index.
    operators: Vec<usize>,
    prefilter: Option<Prefilter>,
}

/// Where a mapper's messages go; an error is a runner that is gone.
pub type Say<'a> = dyn Fn(&FromMapper) -> io::Result<()> + Sync + 'a;

/// What comes between start and done, for one who has no pipe: the manifest, if it has to be found, and the parts of what
/// is not committed, each of about so many bytes of log. Limits are the process's, and not set here.
pub fn answer(start: &Start, run_bytes: u64, say: &Say<'_>) -> Result<(), Error> {
    run(start, run_bytes, say, &AtomicU64::new(0), None)
}

fn run(
    start: &Start,
    run_bytes: u64,
    say: &Say<'_>,
    scanned_bytes: &AtomicU64,
    read_rate: Option<&ReadRate>,
) -> Result<(), Error> {
    enter(&start.folder)?;
    let found;
    let manifest = match &start.manifest {
        Some(manifest) => manifest,
        None => {
            found = find(start)?;
            say(&FromMapper::Manifest(found.clone())).map_err(Error::Io)?;
            &found
        }
    };
    let work = work(manifest, &start.committed);
    let hand_on = |part: Part| say(&FromMapper::Part(part)).is_ok();
    scan_parts(
        start,
        manifest,
        work,
        run_bytes,
        scanned_bytes,
        read_rate,
        &hand_on,
    )
}

fn look(start: &Start, runner: &Runner) -> Result<(), Error> {
    enter(&start.folder)?;
    let survey = survey::survey(start, &find(start)?);
    let said = runner.say(&FromMapper::Survey(Box::new(survey)));
    said.map_err(Error::Io)
}

/// Relative paths are then as the job has them, in rows too.
fn enter(folder: &Blob) -> Result<(), Error> {
    Reading::from_environment().map_err(Error::Other)?;
    let folder = Path::new(std::ffi::OsStr::from_bytes(&folder.0));
    if !folder.as_os_str().is_empty() {
        let entered = std::env::set_current_dir(folder);
        entered.map_err(|error| Error::Other(format!("{}: {error}", folder.display())))?;
    }
    Ok(())
}

/// Scans segments of a manifest; hands on what runs of neighbours among them gave.
pub fn scan_parts(
    start: &Start,
    manifest: &Manifest,
    work: Vec<Work>,
    run_bytes: u64,
    scanned_bytes: &AtomicU64,
    read_rate: Option<&ReadRate>,
    hand_on: &(dyn Fn(Part) -> bool + Sync),
) -> Result<(), Error> {
    let plan = &start.plan;
    let wait = |bytes: u64| {
        if let Some(read_rate) = read_rate {
            read_rate.wait(bytes);
        }
    };
    let operators = plan
        .operators
        .iter()
        .map(|operator| AnyOperator::new(plan, operator));
    let operators: Vec<AnyOperator> = operators.collect::<Result<_, _>>().map_err(Error::Other)?;
    let sources: Vec<Source<'_>> = manifest
        .streams
        .iter()
        .map(|planned| source(plan, planned))
        .collect::<Result<_, _>>()?;
    let wanted = Wanted::of(plan);

    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let Budget {
        threads,
        held_bytes,
        ..
    } = Budget::of(&plan.limits, cores, plan.operators.len());
    let spare = Spare::new(threads, work.len());
    let scan = |work: Work, mut left: Option<Fruit<'_>>| {
        let source = &sources[work.stream as usize];
        let cut = &source.planned.cuts[work.segment as usize];
        let context = ReadContext {
            host: &start.host,
            log: &source.log.name,
            host_index: start.host_index,
            log_index: source.planned.stream.log,
            stream_index: work.stream,
            format: &*source.format,
            wanted: &wanted,
            prefilter: source.prefilter.as_ref(),
            timezone: source.timezone,
            year: source.log.year,
            clock_ahead_ns: start.clock_ahead_ns,
            max_decoded_bytes: plan.limits.max_decoded_bytes.unwrap_or(u64::MAX),
            window_bytes: WINDOW_BYTES,
            spare: Some(&spare),
            line_counts: source.line_counts.as_ref(),
            pace: read_rate.map(|_| &wait as &(dyn Fn(u64) + Sync)),
        };
        let stream = &source.planned.stream;
        let segment = Segment {
            host: start.host_index,
            log: stream.log,
            stream: work.stream,
            index: work.segment,
        };
        let began = Instant::now();
        let mut partials: Vec<AnyPartial> = operators.iter().map(AnyOperator::empty).collect();
        let left_partials = left.as_mut().map(Fruit::take_partials);
        let mut left_partials = left_partials.unwrap_or_default();
        for &operator in &source.operators {
            partials[operator] = match left_partials.get_mut(operator) {
                Some(left) if operators[operator].goes_on() => {
                    std::mem::replace(left, operators[operator].empty())
                }
                _ => operators[operator].begin(segment),
            };
        }
        let tally = segment::read(stream, cut, &context, &mut |entry| {
            for &operator in &source.operators {
                operators[operator]
                    .absorb(&mut partials[operator], entry)
                    .expect("it was begun by this very operator");
            }
        });
        scanned_bytes.fetch_add(tally.total().bytes, Ordering::Relaxed);
        let pairs = left_partials.into_iter().zip(&operators);
        for (partial, (left, operator)) in partials.iter_mut().zip(pairs) {
            if !operator.goes_on() {
                let right = std::mem::replace(partial, operator.empty());
                let merged = operator.merge(left, right);
                *partial = merged.expect("each was made by this very operator");
            }
        }
        Fruit::new(&operators, held_bytes, left, partials, tally, began)
    };
    let hand_on_merged = |range: SegmentRange, fruit: Fruit<'_>| {
        let part = Part {
            range,
            partials: operators
                .iter()
                .zip(fruit.partials)
                .map(|(operator, partial)| split(operator, partial))
                .collect(),
            tally: Blob(to_bytes(&fruit.tally)),
        };
        hand_on(part)
    };
    scan::scan(work, threads, run_bytes, &scan, &hand_on_merged, &|| {
        spare.give();
    });
    Ok(())
}

fn split(operator: &AnyOperator, mut partial: AnyPartial) -> SplitPartial {
    let mut run = Run::default();
    operator
        .take_records(&mut partial, &mut run)
        .expect("it was made by this very operator");
    SplitPartial {
        core: Blob(to_bytes(&partial)),
        run: Blob(chunks::pack(&run.into_bytes())),
    }
}

/// What this host holds of the job's logs.
pub fn find(start: &Start) -> Result<Manifest, Error> {
    let plan = &start.plan;
    let mut logs = Vec::new();
    for &log in &start.logs {
        let log_plan = plan.logs.get(usize::from(log));
        logs.push((
            log,
            log_plan.ok_or_else(|| Error::Other(format!("a plan without log {log}")))?,
        ));
    }
    let found = stream::discover(&start.host, Path::new(""), &logs);
    let mut manifest = Manifest {
        streams: Vec::new(),
        findings: found.findings,
        clock: Clock::default(),
    };
    for mut stream in found.streams {
        let log = &plan.logs[usize::from(stream.log)];
        let chosen = format::choose(log.format, log, &plan.formats, &stream.head());
        let findings = stream.settle(&*chosen.format, timezone(plan, log)?, log.year);
        manifest
            .findings
            .extend(findings.into_iter().map(|finding| (stream.log, finding)));
        let kept = match Span::of(plan, stream.log) {
            Some(span) => Kept::of(
                &stream,
                &span,
                &ReadContext {
                    host: &start.host,
                    log: &log.name,
                    host_index: start.host_index,
                    log_index: stream.log,
                    stream_index: manifest.streams.len() as u32,
                    format: &*chosen.format,
                    wanted: &Wanted::default(),
                    timezone: timezone(plan, log)?,
                    year: log.year,
                    clock_ahead_ns: start.clock_ahead_ns,
                    max_decoded_bytes: plan.limits.max_decoded_bytes.unwrap_or(u64::MAX),
                    window_bytes: WINDOW_BYTES,
                    prefilter: None,
                    spare: None,
                    line_counts: None,
                    pace: None,
                },
            ),
            None => Kept::everything(),
        };
        for (index, file) in stream.files.iter_mut().enumerate() {
            if kept.has(index as u32) {
                file.find_frames(LEAST_APART);
            }
        }
        let most = Budget::of(&plan.limits, 1, plan.operators.len()).segment_bytes;
        let segment_bytes = start.segment_bytes.min(most);
        let cuts = segment::cuts(&stream, chosen.format.splittable(), segment_bytes);
        manifest.streams.push(PlannedStream {
            format: chosen.format.name().to_owned(),
            why: chosen.why,
            recipe: chosen.recipe,
            cuts: kept.clip(cuts),
            pruned: kept.pruned(&stream),
            stream,
        });
    }
    Ok(manifest)
}

/// Of timestamps that carry none.
pub(crate) fn timezone(plan: &Plan, log: &LogPlan) -> Result<Zone, Error> {
    let name = log.timezone.as_ref().unwrap_or(&plan.timezone);
    name.parse().map_err(Error::Other)
}

fn source<'a>(plan: &'a Plan, planned: &'a PlannedStream) -> Result<Source<'a>, Error> {
    let stream: &Stream = &planned.stream;
    let log = plan.logs.get(usize::from(stream.log));
    let log = log.ok_or_else(|| {
        Error::Other(format!(
            "a manifest with log {}, which the plan has not",
            stream.log
        ))
    })?;
    let operators = plan.operators.iter().enumerate();
    let operators: Vec<usize> = operators
        .filter(|(_, operator)| operator.logs.contains(&stream.log))
        .map(|(index, _)| index)
        .collect();
    let format = format::make(&planned.recipe, log, &plan.formats);
    let readers = operators.iter().map(|index| &plan.operators[*index]);
    let prefilter = match std::env::var_os(NO_PREFILTER) {
        Some(_) => None,
        None => Prefilter::new(plan, log, readers, &*format),
    };
    Ok(Source {
        planned,
        log,
        format,
        prefilter,
        timezone: timezone(plan, log)?,
        line_counts: plan.line_numbers.then(LineCounts::default),
        operators,
    })
}

/// Every segment that is not committed yet.
fn work(manifest: &Manifest, committed: &[SegmentRange]) -> Vec<Work> {
    let mut work = Vec::new();
    for (stream, planned) in manifest.streams.iter().enumerate() {
        let stream = stream as u32;
        let segments = planned.cuts.len().max(1) as u64;
        let weight = planned.stream.size() / segments;
        for segment in 0..planned.cuts.len() as u32 {
            let done = committed
                .iter()
                .any(|range| range.stream == stream && (range.first..range.end).contains(&segment));
            if !done {
                work.push(Work {
                    stream,
                    segment,
                    weight,
                });
            }
        }
    }
    work
}

fn now_ns() -> i64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_nanos() as i64)
}

/// What this process has spent, as the kernel counts it.
fn usage(began: Instant, notes: Vec<String>) -> Usage {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields 14 and 15, counted after the name in parentheses, in ticks of 10 ms.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|text| text.parse::<u64>().ok())
        .sum();
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak_kib: u64 = peak
        .and_then(|text| text.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    Usage {
        cpu_ms: ticks * 10,
        wall_ms: began.elapsed().as_millis() as u64,
        peak_memory_bytes: peak_kib << 10,
        notes,
    }
}
