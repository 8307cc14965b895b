//! The manners of a guest: low priority, few open files, no core dumps, reading no faster than asked.
//!
//! A limit that cannot be set is a note to the runner, not an end: the host's own limits still hold.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use jobspec::plan::Limits;
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit};

use crate::confine;

/// Longest sleep at once, so that a mapper with a low rate still ends soon.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);

/// What came of the manners that were asked for.
#[derive(Debug, Default)]
pub struct Manners {
    /// What may be read a second, where that is limited.
    pub read_rate: Option<ReadRate>,
    /// What could not be set, and why.
    pub notes: Vec<String>,
}

/// What a process takes before it holds anything.
const BASE_BYTES: u64 = 12 << 20;
/// What a thread takes beside its partials: windows, decoders, a part on its way.
const THREAD_BYTES: u64 = 3 << 20;
/// Partials of a thread that are worth holding: beyond that, sending them costs no more than merging them would.
const HELD_BYTES: u64 = 8 << 20;
/// How far beyond its limit a process gets before the kernel gives it no more: stacks count, and what an allocator has set
/// aside; and a log of which one segment yields much is better read than given up.
const SLACK_BYTES: u64 = 64 << 20;
const SLACK_TIMES: u64 = 4;

/// How a mapper divides the memory that it may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    pub threads: usize,
    /// A thread sends its partial once it takes so many bytes.
    pub held_bytes: u64,
    /// No segment is longer than this: what one yields may take several times as much.
    pub segment_bytes: u64,
}

impl Budget {
    /// As many threads as asked for, if each has room to work in.
    pub fn of(limits: &Limits, cores: usize, operators: usize) -> Budget {
        let wanted = limits.threads.map_or(cores, |threads| threads as usize);
        let memory_bytes = limits.memory_bytes.unwrap_or(u64::MAX);
        let room = memory_bytes.saturating_sub(BASE_BYTES);
        let most = usize::try_from(room / (2 * THREAD_BYTES)).unwrap_or(usize::MAX);
        let threads = wanted.min(most).max(1);
        // A partial is there twice while it goes out, and tables have room to grow.
        let left = room.saturating_sub(threads as u64 * THREAD_BYTES) / (threads as u64 * 3);
        Budget {
            threads,
            held_bytes: left.clamp(256 << 10, HELD_BYTES),
            segment_bytes: (memory_bytes / 64 / (1 + operators as u64 / 4)).max(256 << 10),
        }
    }
}

/// Sets what the plan asks of this process.
///
/// To be called before any other thread is there: threads inherit it from the one that starts them.
pub fn apply(limits: &Limits) -> Manners {
    let mut notes = Vec::new();
    let mut note = |what: String, result: Result<(), String>| {
        if let Err(error) = result {
            notes.push(format!("{what}: {error}"));
        }
    };
    rustix::process::umask(Mode::from_raw_mode(0o077));
    // A core would hold log text, and land wherever the host puts cores.
    note("no core dumps".to_owned(), limit(Resource::Core, 0));
    if let Some(files) = limits.open_files {
        let files = u64::from(files);
        note(
            format!("open_files {files}"),
            limit(Resource::Nofile, files),
        );
    }
    if let Some(memory_bytes) = limits.memory_bytes {
        // What keeps the process within its memory is what it sends early; this is for what nobody foresaw.
        let most = memory_bytes.saturating_mul(SLACK_TIMES);
        let most = most.saturating_add(SLACK_BYTES);
        note("memory".to_owned(), limit(Resource::Data, most));
    }
    if let Some(nice) = limits.nice {
        let set = rustix::process::setpriority_process(None, nice);
        let set = set.map_err(|error| error.to_string());
        note(format!("nice {nice}"), set);
        if nice > 0 {
            note("idle I/O class".to_owned(), idle_io());
        }
    }
    note("no network".to_owned(), confine::confine());
    Manners {
        read_rate: limits.read_bytes_per_second.map(ReadRate::new),
        notes,
    }
}

/// At most so many, and never more than the host allows.
fn limit(resource: Resource, most: u64) -> Result<(), String> {
    let old = rustix::process::getrlimit(resource);
    let maximum = old.maximum.map_or(most, |maximum| maximum.min(most));
    let new = Rlimit {
        current: Some(maximum),
        maximum: Some(maximum),
    };
    rustix::process::setrlimit(resource, new).map_err(|error| error.to_string())
}

/// The idle class, by the host's own command for it; without it the kernel derives an I/O priority from niceness.
fn idle_io() -> Result<(), String> {
    let process = std::process::id().to_string();
    let status = Command::new("ionice")
        .args(["-c", "3", "-p", &process])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("ionice: {status}")),
        Err(error) => Err(format!("ionice: {error}")),
    }
}

/// Bytes a second, over all threads.
#[derive(Debug)]
pub struct ReadRate {
    bytes_per_second: u64,
    /// When all that was read so far would have been read at the rate.
    due: Mutex<Instant>,
}

impl ReadRate {
    pub fn new(bytes_per_second: u64) -> ReadRate {
        ReadRate {
            bytes_per_second: bytes_per_second.max(1),
            due: Mutex::new(Instant::now()),
        }
    }

    /// So many bytes were just read: sleeps until they were due.
    pub fn wait(&self, bytes: u64) {
        let mut pause = self.owed(bytes, Instant::now());
        while !pause.is_zero() {
            let sleep = pause.min(LONGEST_SLEEP);
            std::thread::sleep(sleep);
            pause -= sleep;
        }
    }

    /// How long the reader of these bytes is too early. What an idle second left over is not saved up.
    fn owed(&self, bytes: u64, now: Instant) -> Duration {
        let takes = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_second);
        let takes = Duration::from_nanos(u64::try_from(takes).unwrap_or(u64::MAX).min(1 << 56));
        let mut due = self.due.lock().unwrap_or_else(|error| error.into_inner());
        *due = (*due).max(now) + takes;
        due.saturating_duration_since(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_divided_among_the_threads_that_have_room() {
        let budget = |threads, memory_bytes| {
            let limits = Limits {
                threads,
                memory_bytes,
                ..Limits::default()
            };
            let budget = Budget::of(&limits, 4, 1);
            (budget.threads, budget.held_bytes)
        };
        assert_eq!(budget(None, None), (4, HELD_BYTES));
        assert_eq!(budget(Some(2), Some(256 << 20)), (2, HELD_BYTES));
        assert_eq!(budget(None, Some(1)), (1, 256 << 10));
        let (threads, held_bytes) = budget(Some(64), Some(256 << 20));
        assert!((30..64).contains(&threads), "{threads}");
        assert!(BASE_BYTES + threads as u64 * (THREAD_BYTES + 3 * held_bytes) <= 256 << 20);
    }

    #[test]
    fn readers_share_one_rate() {
        let rate = ReadRate::new(1000);
        let start = Instant::now() + Duration::from_secs(1);
        // Two readers at the same moment: the second is due after the first.
        assert_eq!(rate.owed(500, start), Duration::from_millis(500));
        assert_eq!(rate.owed(250, start), Duration::from_millis(750));
        let later = start + Duration::from_millis(700);
        assert_eq!(rate.owed(100, later), Duration::from_millis(150));
    }

    #[test]
    fn what_an_idle_second_left_is_not_saved_up() {
        let rate = ReadRate::new(1000);
        let start = Instant::now() + Duration::from_secs(1);
        assert_eq!(rate.owed(10, start), Duration::from_millis(10));
        let later = start + Duration::from_secs(60);
        assert_eq!(rate.owed(1000, later), Duration::from_secs(1));
    }

    #[test]
    fn hostile_rates_do_not_overflow() {
        let rate = ReadRate::new(0);
        assert!(rate.owed(u64::MAX, Instant::now()) > Duration::from_secs(1000));
    }
}
