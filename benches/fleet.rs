//! Many hosts on one machine, each reading no faster than it is allowed, so that the machine is not the limit: what the
//! runner adds to the slowest host's own time, what memory it takes, how soon a warm host begins to scan, and after how
//! many round trips. Prints figures and what they are held against; `cargo bench --bench fleet -- warm` runs one of them.

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
    let benches: [(&str, fn()); 5] = [
        ("warm", warm),
        ("trips", trips),
        ("efficiency", efficiency),
        ("hosts", hosts),
        ("memory", memory),
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

/// Each way.
const DELAY: Duration = Duration::from_millis(150);

/// Carries bytes one way, each piece later.
fn carry(mut from: TcpStream, mut to: TcpStream) {
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
                .send((Instant::now() + DELAY, buffer[..read].to_vec()))
                .is_err()
            {
                return;
            }
        }
    });
}

/// A way to a port that takes its time; its own port.
fn far_away(port: u16) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for near in listener.incoming() {
            let near = near.unwrap();
            let far = TcpStream::connect(("127.0.0.1", port)).unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            carry(near.try_clone().unwrap(), far.try_clone().unwrap());
            carry(far, near);
        }
    });
    own
}

fn trips() {
    for clock in ["trusted", "measured"] {
        let site = Site::new("bench-trips", &["web"]);
        let job = slow(&site);
        let text = std::fs::read_to_string(&job).unwrap();
        let clocked = format!("ssh = [\"web\"]\nclock = \"{clock}\"");
        std::fs::write(&job, text.replace("ssh = [\"web\"]", &clocked)).unwrap();
        timed(site.logstitch(&job, "cold"));
        let port = far_away(site.sshd("web").port);
        site.write_config(&format!(
            "Host web\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias web\n"
        ));
        let before = site.sshd("web").log().matches("Accepted").count();
        let running = site.logstitch(&job, "far").start();
        while site.sshd("web").log().matches("Accepted").count() == before {
            std::thread::sleep(Duration::from_millis(1));
        }
        let accepted = Instant::now();
        let start = until_it_scans(&site.sshd("web").cache);
        ended(running);
        // From when the server has accepted the key, until it has its orders.
        let trips = (start - accepted).as_secs_f64() / (2.0 * DELAY.as_secs_f64());
        println!("round trips, clock {clock}: {trips:.2} from login to scan");
    }
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
    let one = logstitch([
        "run".as_ref(),
        job.as_path(),
        "--host".as_ref(),
        "h01".as_ref(),
    ]);
    let one = one
        .env("LOGSTITCH_SSH_CONFIG", site.path("ssh_config"))
        .env("SSH_AUTH_SOCK", "");
    // The mapper is there after it; what a host alone takes beyond its own time is start-up.
    let alone = one.arg("--out").arg(site.out("one"));
    let alone = timed(alone) - slowest(&site.out("one"));
    let seconds = timed(site.logstitch(&job, "out"));
    let own = slowest(&site.out("out"));
    println!(
        "64 hosts: {seconds:.2} s, slowest host {own:.2} s, start-up of one {alone:.2} s: {:.2} (at most 1.25)",
        seconds / (own + alone)
    );
}

/// The longest that a mapper of the run took by its own clock, seconds.
fn slowest(out: &Path) -> f64 {
    let spool = reducer::spool::Spool::open(&[out.join("spool")]).unwrap();
    let reports = spool.hosts.iter().filter_map(|host| host.report.as_ref());
    let slowest = reports.map(|report| report.usage.wall_ms).max().unwrap();
    slowest as f64 / 1000.0
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
