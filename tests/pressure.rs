//! A runner that takes nothing for a while: its mappers wait for it, holding no more than before, and when it wakes
//! it takes none of them for dead.

use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::harness::{names, rows};
use crate::manners::field;
use crate::ssh::{noise, slow_job, summary};
use crate::sshd::{Site, signal, wait_until};

/// How long a host may be silent here; every runner is stopped for longer.
const SILENCE: Duration = Duration::from_secs(4);

/// Starts a run that reads slowly, and stops it once so many parts are spooled; and its mapper's number.
fn stopped(site: &Site, job: &Path, read_rate: &str, parts: usize) -> (Child, u32) {
    let running = site
        .logstitch(job, "stopped")
        .args(["--set", &format!("limits.read_rate={read_rate}")])
        .env("LOGSTITCH_SILENCE_MS", SILENCE.as_millis().to_string())
        .start();
    site.wait_for_parts("stopped", parts);
    let mapper = site.sshd("web").mappers()[0];
    signal("STOP", running.id());
    (running, mapper)
}

/// Lets the runner go on; the rows are then those of a run that was never stopped, and its mapper the first.
fn goes_on(site: &Site, running: Child) {
    signal("CONT", running.id());
    let ended = running.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(0), "{stderr}");
    assert_eq!(
        summary(&site.out("stopped"))["hosts"][0]["attempts"],
        1,
        "{stderr}"
    );
    assert!(
        rows(&site.out("quick")) == rows(&site.out("stopped")),
        "other rows"
    );
}

#[test]
fn a_mapper_waits_for_a_runner_that_takes_nothing() {
    const MEMORY_BYTES: u64 = 24 << 20;
    let site = Site::new("pressure", &["web"]);
    let select = "[select.all]\ncolumns = [\"text\"]\n[limits]\nthreads = 1\nmemory = \"24MiB\"";
    let job = slow_job(&site, "ssh = [\"web\"]", 0, select);
    let log = noise(260_000);
    // What does not wait has to be held, and then it shows.
    assert!(log.len() as u64 > 2 * MEMORY_BYTES);
    site.folder.write("logs/app.jsonl", &log);
    site.logstitch(&job, "quick").ends_with(0);
    let (running, mapper) = stopped(&site, &job, "10MB/s", 1);
    // Of its threads: the figures of the whole process are those of the script before it too.
    let bytes = |name: &str| -> u64 {
        let tasks = names(format!("/proc/{mapper}/task").as_ref());
        let files = tasks.iter().map(|task| format!("task/{task}/io"));
        let figures = files.map(|file| field(mapper, &file, name));
        figures.map(|text| text.parse::<u64>().unwrap()).sum()
    };
    let (mut seen, mut since) = ((0, 0), Instant::now());
    // So long that heartbeats would have been written too, could anything be.
    let stands_still = wait_until(|| {
        let now = (bytes("rchar:"), bytes("wchar:"));
        if now != seen {
            (seen, since) = (now, Instant::now());
        }
        since.elapsed() > SILENCE
    });
    assert!(stands_still, "it never waits");
    let (read, written) = seen;
    assert!(
        read < log.len() as u64 / 2 && written < log.len() as u64 / 2,
        "{read} bytes read and {written} written of {}",
        log.len()
    );
    let peak = field(mapper, "status", "VmHWM:");
    let kib: u64 = peak.trim_end_matches(" kB").parse().unwrap();
    assert!(kib << 10 < MEMORY_BYTES, "{peak}");
    goes_on(&site, running);
}

#[test]
fn a_runner_that_wakes_takes_no_mapper_for_dead() {
    let site = Site::new("wakes", &["web"]);
    let limits = "[limits]\nthreads = 1";
    let job = slow_job(&site, "ssh = [\"web\"]", 3000, limits);
    site.logstitch(&job, "quick").ends_with(0);
    // It has little to say but that it lives: the runner was stopped while it listened.
    let (running, _) = stopped(&site, &job, "100kB/s", 0);
    let since = Instant::now();
    assert!(wait_until(|| since.elapsed() > SILENCE + SILENCE / 2));
    goes_on(&site, running);
}
