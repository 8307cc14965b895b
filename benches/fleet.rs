//! Many hosts on one machine, each reading no faster than it is allowed, so that the machine is not the limit: what the
//! runner adds to the slowest host's own time, what memory it takes, how soon a warm host begins to scan, and after how
//! many round trips; how soon all ends that is stopped. Prints figures and what they are held against; `cargo bench --bench fleet -- warm` runs one of them.

#[path = "../tests/harness.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod harness;
#[path = "../tests/sshd.rs"]
#[allow(dead_code, reason = "tests need more of it")]
mod sshd;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use harness::{Folder, logstitch};
use sshd::Site;

fn main() {
    let wanted: Vec<String> = { std::env::args().skip(1) }
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let benches: [(&str, fn()); 6] = [
        ("warm", warm),
        ("trips", trips),
        ("efficiency", efficiency),
        ("hosts", hosts),
        ("memory", memory),
        ("ends", ends),
    ];
    for (name, bench) in benches {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            bench();
        }
    }
}

/// So many bytes of lines.
fn log(bytes: usize) -> String {
    let mut log = String::with_capacity(bytes + 200);
    let mut line = 0;
    while log.len() < bytes {
        log.push_str(&format!(
            "{{\"time\":\"2026-01-19T14:{:02}:{:02}Z\",\"n\":{line},\"message\":\"{}\"}}\n",
            line / 60 % 60,
            line % 60,
            "x".repeat(100)
        ));
        line += 1;
    }
    log
}

/// A job that counts; every host reads its own file.
fn job(folder: &Folder, hosts: &str, more: &str) -> PathBuf {
    let logs = folder.path().join("logs");
    folder.write(
        "job.toml",
        format!(
            "[job]\nname = \"bench\"\n[hosts.h]\n{hosts}\n[logs.app]\nhosts = [\"h\"]\npaths = [\"{}/{{host}}.jsonl\"]\n\
             format = \"json\"\n[aggregate.count]\ngroup = {{ host = \"host\" }}\n\
             select = {{ lines = \"count(*)\", total = \"sum(n)\" }}\n{more}\n",
            logs.display()
        ),
    )
}

/// Seconds of a run that must end well.
fn timed(run: harness::Run) -> f64 {
    let began = Instant::now();
    run.ends_with(0);
    began.elapsed().as_secs_f64()
}

/// Waits until the mapper below a folder has its orders: it confines itself then, and begins.
fn until_it_scans(cache: &Path) -> Instant {
    loop {
        for mapper in sshd::mappers_below(cache) {
            let status = std::fs::read_to_string(format!("/proc/{mapper}/status"));
            if status.is_ok_and(|status| status.contains("Seccomp:\t2")) {
                return Instant::now();
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A job that reads slowly enough to be watched.
fn slow(site: &Site) -> PathBuf {
    site.folder.write("logs/web.jsonl", log(20_000));
    let limits = "[limits]\nthreads = 1\nread_rate = \"20kB/s\"";
    job(&site.folder, "ssh = [\"web\"]", limits)
}

fn ended(mut running: Child) {
    assert!(running.wait().unwrap().success());
}

fn warm() {
    let site = Site::new("bench-warm", &["web"]);
    let job = slow(&site);
    timed(site.logstitch(&job, "cold"));
    let mut starts: Vec<f64> = (0..5)
        .map(|number| {
            let began = Instant::now();
            let running = site.logstitch(&job, &format!("warm-{number}")).start();
            let start = until_it_scans(&site.sshd("web").cache);
            ended(running);
            (start - began).as_secs_f64()
        })
        .collect();
    starts.sort_by(f64::total_cmp);
    println!(
        "warm start: {:.3} s from the command to the scan (at most 0.3)",
        starts[2]
    );
}

/// Each way; what a longer way costs is trips, what both cost is the machine.
const DELAYS: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(300)];

/// Carries bytes one way, each piece later.
fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (sender, pieces) = mpsc::channel::<(Instant, Vec<u8>)>();
    std::thread::spawn(move || {
        for (due, piece) in pieces {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&piece).is_err() {
                return;
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
    std::thread::spawn(move || {
        let mut buffer = [0; 64 << 10];
        while let Ok(read @ 1..) = from.read(&mut buffer) {
            if sender
                .send((Instant::now() + delay, buffer[..read].to_vec()))
                .is_err()
            {
                return;
            }
        }
    });
}

/// A way to a port that takes its time; its own port.
fn far_away(port: u16, delay: Duration) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let near = near.unwrap();
            let far = TcpStream::connect(("127.0.0.1", port)).unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            carry(near.try_clone().unwrap(), far.try_clone().unwrap(), delay);
            carry(far, near, delay);
        }
    });
    own
}

fn trips() {
    for (clock, most) in [("trusted", 3), ("measured", 4)] {
        let site = Site::new("bench-trips", &["web"]);
        let job = slow(&site);
        let text = std::fs::read_to_string(&job).unwrap();
        let clocked = format!("ssh = [\"web\"]\nclock = \"{clock}\"");
        std::fs::write(&job, text.replace("ssh = [\"web\"]", &clocked)).unwrap();
        timed(site.logstitch(&job, "cold"));
        let seconds = DELAYS.map(|delay| {
            let port = far_away(site.sshd("web").port, delay);
            from_login_to_scan(&site, &job, port)
        });
        let trip = 2.0 * (DELAYS[1] - DELAYS[0]).as_secs_f64();
        println!(
            "round trips, clock {clock}: {:.2} from login to scan (at most {most})",
            (seconds[1] - seconds[0]) / trip
        );
    }
}

/// Seconds from when the server has accepted the key, until the mapper has its orders.
fn from_login_to_scan(site: &Site, job: &Path, port: u16) -> f64 {
    site.write_config(&format!(
        "Host web\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias web\n"
    ));
    let before = site.sshd("web").log().matches("Accepted").count();
    let running = site.logstitch(job, &format!("far-{port}")).start();
    while site.sshd("web").log().matches("Accepted").count() == before {
        std::thread::sleep(Duration::from_millis(1));
    }
    let accepted = Instant::now();
    let start = until_it_scans(&site.sshd("web").cache);
    ended(running);
    (start - accepted).as_secs_f64()
}

fn efficiency() {
    let folder = Folder::new("bench-efficiency");
    let text = log(12_000_000);
    let limits = "[limits]\nthreads = 1\nread_rate = \"2MB/s\"";
    let mut one = 0.0;
    for nodes in [1, 2, 4, 8] {
        for node in 1..=nodes {
            folder.write(&format!("logs/n{node}.jsonl"), &text);
        }
        let job = job(&folder, &format!("local = [\"n[1-{nodes}]\"]"), limits);
        let out = folder.path().join("out");
        let seconds = timed(logstitch([
            "run".as_ref(),
            job.as_path(),
            "--out".as_ref(),
            &out,
        ]));
        if nodes == 1 {
            one = seconds;
        }
        println!(
            "efficiency: {nodes} nodes, {seconds:.2} s, {:.1} % of {nodes} times one (at least 95)",
            100.0 * one / seconds
        );
    }
}

/// Each host reads for ten seconds, so slowly that 64 of them are no work for this machine. What is no work of a fleet of
/// machines is the start of all 64 on this one: 64 sshds that exchange keys, 64 shells, 64 mappers. It is shown by itself,
/// as the time until the last host scans, and it is in the ratio: start-up is what one host alone takes to start.
fn hosts() {
    let names: Vec<String> = (1..=64).map(|number| format!("h{number:02}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let site = Site::new("bench-hosts", &names);
    let text = log(10_000_000);
    for name in &names {
        site.folder.write(&format!("logs/{name}.jsonl"), &text);
    }
    let mapper = "[limits]\nthreads = 1\nread_rate = \"1MB/s\"\n[run]\ndeploy_dir = \"";
    let more = format!("{mapper}{}\"", site.path("mappers").display());
    let job = job(&site.folder, "ssh = [\"h[01-64]\"]", &more);
    // The mapper is there after it; what a host alone takes beyond its own time is start-up.
    let one = site.logstitch(&job, "one").args(["--host", "h01"]);
    let alone = timed(one) - slowest(&site.out("one"));
    let began = Instant::now();
    let running = site.logstitch(&job, "out").start();
    let scans = |spool: reducer::spool::Spool| {
        let mut hosts = spool.hosts.iter();
        hosts.all(|host| host.manifest.is_some())
    };
    sshd::wait_until(|| site.spooled("out").is_some_and(scans));
    let all_scan = began.elapsed().as_secs_f64();
    ended(running);
    let seconds = began.elapsed().as_secs_f64();
    let own = slowest(&site.out("out"));
    println!(
        "64 hosts: {seconds:.2} s, slowest host {own:.2} s, start-up of one {alone:.2} s: {:.2} (at most 1.25); \
         the last of them scans after {all_scan:.2} s, the mapper has {} bytes",
        seconds / (own + alone),
        deployed_bytes(&site.path("mappers"))
    );
}

/// Bytes of the mapper that was sent: the small one, where it lies beside the runner.
fn deployed_bytes(folder: &Path) -> u64 {
    let [user] = &harness::names(folder)[..] else {
        panic!("not one user");
    };
    let [mapper] = &harness::names(&folder.join(user))[..] else {
        panic!("not one mapper");
    };
    let mapper = folder.join(user).join(mapper);
    std::fs::metadata(mapper).unwrap().len()
}

/// The longest that a mapper of the run took by its own clock, seconds.
fn slowest(out: &Path) -> f64 {
    let spool = reducer::spool::Spool::open(&[out.join("spool")]).unwrap();
    let reports = spool.hosts.iter().filter_map(|host| host.report.as_ref());
    let slowest = reports.map(|report| report.usage.wall_ms).max().unwrap();
    slowest as f64 / 1000.0
}

/// How soon a run ends that is told to, and its mappers after it, however it went; the same where the mapper stands
/// still and answers nothing.
fn ends() {
    let site = Site::new("bench-ends", &["web"]);
    let job = slow(&site);
    timed(site.logstitch(&job, "cold"));
    let cache = &site.sshd("web").cache;
    for name in ["INT", "TERM", "KILL"] {
        for hangs in [false, true] {
            let mut running = site.logstitch(&job, &format!("{name}-{hangs}")).start();
            until_it_scans(cache);
            let mapper = sshd::mappers_below(cache)[0];
            if hangs {
                sshd::signal("STOP", mapper);
            }
            let began = Instant::now();
            sshd::signal(name, running.id());
            let _ = running.wait();
            let run = began.elapsed().as_secs_f64();
            // One that stands still ends when it goes on.
            if hangs {
                sshd::signal("CONT", mapper);
            }
            let began = Instant::now();
            sshd::wait_until(|| sshd::mappers_below(cache).is_empty());
            let mapper = began.elapsed().as_secs_f64();
            let hangs = if hangs { ", its mapper hangs" } else { "" };
            println!(
                "ends: {name}{hangs}: the run after {run:.2} s (at most 5), its mapper {mapper:.2} s later (at most 10)"
            );
        }
    }
}

fn memory() {
    let folder = Folder::new("bench-memory");
    const HOSTS: u64 = 2000;
    for host in 1..=HOSTS {
        folder.write(&format!("logs/n{host:04}.jsonl"), log(2000));
    }
    let more = "[limits]\nthreads = 1\n[run]\nmemory = \"64MiB\"";
    let job = job(&folder, "local = [\"n[0001-2000]\"]", more);
    let out = folder.path().join("out");
    let mut running = logstitch(["run".as_ref(), job.as_path(), "--out".as_ref(), &out]).start();
    let mut peak_kib = 0;
    while running.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", running.id()));
        let status = status.unwrap_or_default();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = peak.and_then(|text| text.split_whitespace().next()?.parse().ok());
        peak_kib = kib.unwrap_or(0).max(peak_kib);
        std::thread::sleep(Duration::from_millis(20));
    }
    let most = 64 + 64 + HOSTS / 4;
    println!(
        "memory: {} MiB for {HOSTS} hosts (at most {most})",
        peak_kib >> 10
    );
}
