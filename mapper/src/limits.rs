//! The manners of a guest: low priority, few open files, no core dumps, reading no faster than asked.
//!
//! A limit that cannot be set is a warning, not an end: the host's own limits still hold.

use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use jobspec::plan::Limits;
use log::warn;
use rustix::fs::Mode;
use rustix::process::{Resource, Rlimit};

/// Longest sleep at once, so that a mapper with a low rate still ends soon.
const LONGEST_SLEEP: Duration = Duration::from_millis(250);

/// Sets what the plan asks of this process; what it may read a second, where that is limited.
///
/// To be called before any other thread is there: threads inherit priorities from the one that starts them.
pub fn apply(limits: &Limits) -> Option<ReadRate> {
    rustix::process::umask(Mode::from_raw_mode(0o077));
    // A core would hold log text, and land wherever the host puts cores.
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    if let Err(error) = rustix::process::setrlimit(Resource::Core, none) {
        warn!("core dumps: {error}");
    }
    if let Some(files) = limits.open_files {
        open_files(u64::from(files));
    }
    if let Some(nice) = limits.nice {
        if let Err(error) = rustix::process::setpriority_process(None, nice) {
            warn!("nice {nice}: {error}");
        }
        if nice > 0 {
            idle_io();
        }
    }
    limits.read_bytes_per_second.map(ReadRate::new)
}

/// At most so many, and never more than the host allows.
fn open_files(files: u64) {
    let old = rustix::process::getrlimit(Resource::Nofile);
    let maximum = old.maximum.map_or(files, |maximum| maximum.min(files));
    let new = Rlimit {
        current: Some(maximum),
        maximum: Some(maximum),
    };
    if let Err(error) = rustix::process::setrlimit(Resource::Nofile, new) {
        warn!("open_files {files}: {error}");
    }
}

/// The idle class, where the host has a command for it; without it the kernel derives an I/O priority from niceness.
fn idle_io() {
    let process = std::process::id().to_string();
    let _ = Command::new("ionice")
        .args(["-c", "3", "-p", &process])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
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
