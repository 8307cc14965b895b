//! What goes wrong on hosts: their files, their memory, their folders, their patience with those who log in.

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::deploy::mount;
use crate::harness::rows;
use crate::ssh::summary;
use crate::sshd::{Around, Site, run, signal, wait_until};

fn line(stream: &str, n: usize) -> String {
    format!(
        "{{\"time\":\"2026-01-19T14:{:02}:{:02}Z\",\"n\":{n},\"stream\":\"{stream}\",\"message\":\"{}\"}}\n",
        n / 60,
        n % 60,
        "x".repeat(150)
    )
}

/// A job over `broken` and `well`, each with logs of its own.
fn job(site: &Site, more: &str) -> PathBuf {
    for (host, stream, lines) in [
        ("broken", "a", 300),
        ("broken", "b", 100),
        ("broken", "c", 100),
        ("broken", "d", 100),
        ("broken", "e", 100),
        ("broken", "f", 100),
        ("well", "a", 50),
    ] {
        let lines: String = (0..lines).map(|n| line(stream, n)).collect();
        site.folder
            .write(&format!("logs/{host}/{stream}.jsonl"), lines);
    }
    let logs = site.path("logs");
    site.folder.write(
        "job.toml",
        format!(
            "[job]\nname = \"faults\"\n[hosts.all]\nssh = [\"broken\", \"well\"]\n[logs.app]\nhosts = [\"all\"]\n\
             paths = [\"{}/{{host}}/*.jsonl*\"]\nformat = \"json\"\n\
             [aggregate.sums]\ngroup = {{ host = \"host\", stream = \"stream\" }}\n\
             select = {{ lines = \"count(*)\", total = \"sum(n)\" }}\n\
             [select.all]\ncolumns = [\"host\", \"stream\", \"n\"]\n{more}\n",
            logs.display()
        ),
    )
}

fn lines_of(out: &Path, host: &str, stream: &str) -> usize {
    let (host, stream) = (
        format!("\"host\":\"{host}\""),
        format!("\"stream\":\"{stream}\""),
    );
    let rows = rows(out);
    let (_, all) = &rows[0];
    let of = |line: &&str| line.contains(&host) && line.contains(&stream);
    all.lines().filter(of).count()
}

fn of_well(out: &Path) -> Vec<String> {
    let rows = rows(out);
    let lines = rows.iter().flat_map(|(_, text)| text.lines());
    let well = lines.filter(|line| line.contains("\"host\":\"well\""));
    well.map(str::to_owned).collect()
}

/// Findings of the host's files, by their names.
fn findings(out: &Path) -> Vec<(String, String)> {
    let summary = summary(out);
    let host = &summary["hosts"][0];
    let files = host["files"].as_array().unwrap().iter();
    let of_files = files.flat_map(|file| file["findings"].as_array().unwrap());
    let all = of_files.chain(host["findings"].as_array().unwrap());
    let mut found: Vec<_> = all
        .map(|finding| {
            let path = Path::new(finding["path"].as_str().unwrap());
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, finding["what"].as_str().unwrap().to_owned())
        })
        .collect();
    found.sort();
    found
}

#[test]
fn files_that_change_while_they_are_read() {
    let site = Site::new("files", &["broken", "well"]);
    let job = job(&site, "[limits]\nthreads = 1\nread_rate = \"25kB/s\"");
    let quick = job.with_file_name("quick.toml");
    let text = std::fs::read_to_string(&job).unwrap();
    std::fs::write(&quick, text.split("[limits]").next().unwrap()).unwrap();
    site.logstitch(&quick, "quick").ends_with(0);
    let running = site.logstitch(&job, "out").start();
    site.wait_for_parts("out", 0);
    // The largest is read first: the others are listed, and not opened yet.
    let mapper = site.sshd("broken").mappers()[0];
    signal("STOP", mapper);
    let log = |name: &str| site.path("logs/broken").join(name);
    std::fs::remove_file(log("b.jsonl")).unwrap();
    let half = line("c", 0).len() as u64 * 10;
    let c = std::fs::File::options()
        .write(true)
        .open(log("c.jsonl"))
        .unwrap();
    c.set_len(half).unwrap();
    let mut d = std::fs::File::options()
        .append(true)
        .open(log("d.jsonl"))
        .unwrap();
    d.write_all(line("d", 1000).as_bytes()).unwrap();
    std::fs::rename(log("e.jsonl"), log("e.jsonl.1")).unwrap();
    std::fs::write(log("e.jsonl"), line("e", 2000)).unwrap();
    std::fs::copy(log("f.jsonl"), log("f.jsonl.1")).unwrap();
    std::fs::write(log("f.jsonl"), "").unwrap();
    signal("CONT", mapper);
    let ended = running.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(4), "{stderr}");
    assert!(stderr.contains("INCOMPLETE: broken"), "{stderr}");
    let out = site.out("out");
    let lines: Vec<usize> = ["a", "b", "c", "d", "e", "f"]
        .iter()
        .map(|stream| lines_of(&out, "broken", stream))
        .collect();
    // What was appended belongs to the next run, what was rotated is found where it is now.
    assert_eq!(lines, [300, 0, 10, 100, 100, 100]);
    assert_eq!(
        findings(&out),
        [
            (
                "b.jsonl".to_owned(),
                "is gone since it was listed".to_owned()
            ),
            (
                "c.jsonl".to_owned(),
                "became shorter while it was read".to_owned()
            ),
        ]
    );
    assert_eq!(of_well(&site.out("quick")), of_well(&out));
}

/// A server whose sessions are of a user who is not root.
fn unprivileged(site: &mut Site, host: &str) {
    let cache = site.path(host).join("cache");
    std::fs::create_dir_all(&cache).unwrap();
    run(Command::new("chown").arg("65534:65534").arg(&cache));
    let command =
        "setpriv --reuid=65534 --regid=65534 --clear-groups sh -c \"$SSH_ORIGINAL_COMMAND\"";
    site.add(host, &format!("ForceCommand {command}"));
}

#[test]
fn files_that_may_not_be_read_are_named() {
    let mut site = Site::new("unreadable", &["well"]);
    unprivileged(&mut site, "broken");
    let job = job(&site, "");
    let no_one = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(site.path("logs/broken/b.jsonl"), no_one).unwrap();
    let ended = site.logstitch(&job, "out").ends_with(4);
    assert!(
        ended
            .stderr
            .contains("b.jsonl: cannot be read: permission denied"),
        "{}",
        ended.stderr
    );
    let out = site.out("out");
    assert_eq!(lines_of(&out, "broken", "a"), 300);
    assert_eq!(lines_of(&out, "broken", "b"), 0);
    assert_eq!(of_well(&out).len(), 51);
    // The preflight says so too, before.
    let seen = site.command("hosts", &job).ends_with(4);
    assert!(
        seen.stdout
            .contains("b.jsonl: cannot be read: permission denied"),
        "{}",
        seen.stdout
    );
    assert!(seen.stdout.contains("65534"), "{}", seen.stdout);
}

/// A job over so many hosts, all of them one sshd; and the same over local nodes.
fn many(site: &Site, hosts: usize) -> (PathBuf, PathBuf) {
    let sshd = site.sshd("web");
    let (port, key) = (sshd.port, sshd.public_key());
    site.write_config(&format!(
        "Host h*\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias web\n"
    ));
    site.folder.write("known_hosts", format!("web {key}\n"));
    for host in 1..=hosts {
        let name = format!("logs/h{host:03}.jsonl");
        site.folder.write(&name, line("s", host));
    }
    let text = |way: &str| {
        format!(
            "[job]\nname = \"many\"\n[hosts.h]\n{way} = [\"h[001-{hosts:03}]\"]\n[logs.app]\nhosts = [\"h\"]\n\
             paths = [\"{}/{{host}}.jsonl\"]\nformat = \"json\"\n[select.all]\ncolumns = [\"host\", \"n\"]\n\
             [run]\nretries = 12\nparallel_hosts = 100\n",
            site.path("logs").display()
        )
    };
    (
        site.folder.write("far.toml", text("ssh")),
        site.folder.write("local.toml", text("local")),
    )
}

#[test]
fn a_hundred_hosts_at_once_are_not_too_many_for_maxstartups() {
    let mut site = Site::new("startups", &[]);
    site.add("web", "MaxStartups 10:30:100");
    let (far, local) = many(&site, 100);
    site.logstitch(&local, "local").ends_with(0);
    site.logstitch(&far, "far").ends_with(0);
    assert_eq!(rows(&site.out("local")), rows(&site.out("far")));
}

#[test]
fn an_sshd_that_hangs_up_on_newcomers_is_asked_again() {
    let mut site = Site::new("throttled", &[]);
    // Whoever never logs in keeps its place.
    let more = "MaxStartups 10:100:10\nLoginGraceTime 0";
    site.add("web", more);
    let (far, local) = many(&site, 12);
    site.logstitch(&local, "local").ends_with(0);
    let port = site.sshd("web").port;
    let idle: Vec<TcpStream> = (0..10)
        .map(|_| TcpStream::connect(("127.0.0.1", port)).unwrap())
        .collect();
    assert!(wait_until(|| site.sshd("web").sessions().len() == 10));
    let log = site.path("stderr");
    let mut running = site.logstitch(&far, "far").stderr_to(&log).start();
    let said = || std::fs::read_to_string(&log).unwrap();
    assert!(wait_until(|| said().contains("; attempt 2 in")));
    drop(idle);
    assert_eq!(running.wait().unwrap().code(), Some(0), "{}", said());
    assert_eq!(rows(&site.out("local")), rows(&site.out("far")));
    let refused = site.sshd("web").log();
    assert!(refused.contains("MaxStartups"), "{refused}");
    let summary = summary(&site.out("far"));
    let mut hosts = summary["hosts"].as_array().unwrap().iter();
    assert!(hosts.any(|host| host["attempts"].as_u64() > Some(1)));
}

#[test]
fn a_host_that_is_not_done_in_its_time_is_given_up() {
    let site = Site::new("host-timeout", &["broken", "well"]);
    let job = job(&site, "");
    let text = std::fs::read_to_string(&job).unwrap();
    // To read it takes minutes.
    let slow = format!(
        "{text}[run]\nhost_timeout = \"5s\"\nretries = 5\n[limits]\nthreads = 1\nread_rate = \"1kB/s\"\n"
    );
    std::fs::write(&job, slow).unwrap();
    let ended = site.logstitch(&job, "out").ends_with(4);
    let said = "not done within host_timeout, 5 s";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    let summary = summary(&site.out("out"));
    assert_ne!(summary["hosts"][0]["state"], "ok");
    assert_eq!(summary["hosts"][0]["attempts"], 1);
}

/// A memory control group, gone when the test is.
struct Cgroup(PathBuf);

impl Cgroup {
    /// One with a limit; where cgroups are of version 1 or 2.
    fn new(name: &str, bytes: u64) -> Cgroup {
        let first = Path::new("/sys/fs/cgroup/memory");
        let (base, limit) = match first.is_dir() {
            true => (first, "memory.limit_in_bytes"),
            false => (Path::new("/sys/fs/cgroup"), "memory.max"),
        };
        let path = base.join(format!("logstitch-{name}-{}", std::process::id()));
        std::fs::create_dir(&path).unwrap();
        std::fs::write(path.join(limit), bytes.to_string()).unwrap();
        let _ = std::fs::write(path.join("memory.swap.max"), "0");
        Cgroup(path)
    }

    fn around(&self) -> Around {
        let script = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.0.display());
        Around {
            command: vec!["sh".into(), "-c".into(), script, "sh".into()],
            ..Around::default()
        }
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Its last process may still be on its way out.
        wait_until(|| std::fs::remove_dir(&self.0).is_ok());
    }
}

#[test]
fn a_mapper_that_runs_out_of_memory_takes_nobody_along() {
    let cgroup = Cgroup::new("oom", 96 << 20);
    let mut site = Site::new("oom", &["well"]);
    site.add_around("broken", "", cgroup.around());
    // In a folder of both, so that its pages are the other's: the group's memory is what the mapper itself takes.
    let deploy_dir = site.path("mappers");
    let more = format!(
        "[limits]\nthreads = 1\n[run]\nretries = 3\ndeploy_dir = \"{}\"",
        deploy_dir.display()
    );
    let job = job(&site, &more);
    site.logstitch(&job, "well")
        .args(["--host", "well"])
        .ends_with(0);
    site.logstitch(&job, "whole").ends_with(0);
    // To decode it takes a window of 128 MiB.
    let mut zstd = Command::new("zstd")
        .args(["-q", "--long=27", "-1", "-o"])
        .arg(site.path("logs/broken/z.jsonl.zst"))
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut text = zstd.stdin.take().unwrap();
    let lines: String = (0..1000).map(|n| line("z", n)).collect();
    for _ in 0..800 {
        text.write_all(lines.as_bytes()).unwrap();
    }
    drop(text);
    assert!(zstd.wait().unwrap().success());
    let ended = site.logstitch(&job, "out").ends_with(4);
    assert!(ended.stderr.contains("KILL"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains("INCOMPLETE: broken"),
        "{}",
        ended.stderr
    );
    let host = &summary(&site.out("out"))["hosts"][0];
    assert_ne!(host["state"], "ok");
    assert_eq!(of_well(&site.out("whole")), of_well(&site.out("out")));
    drop(site);
}

#[test]
fn folders_for_the_mapper_that_will_not_do() {
    for spoilt in ["noexec", "size=64k", "ro", "foreign"] {
        let site = Site::new("folders", &["broken", "well"]);
        let asked = site.path("asked");
        let _mount = match spoilt {
            "foreign" => {
                let folder = asked.join("logstitch-0");
                std::fs::create_dir_all(&folder).unwrap();
                run(Command::new("chown").arg("65534").arg(&folder));
                None
            }
            options => Some(mount(asked.clone(), options).expect("root can mount")),
        };
        let job = job(
            &site,
            &format!("[run]\ndeploy_dir = \"{}\"", asked.display()),
        );
        site.logstitch(&job, "out").ends_with(0);
        assert_eq!(lines_of(&site.out("out"), "broken", "a"), 300, "{spoilt}");
        assert_eq!(site.sshd("broken").deployed().len(), 1, "{spoilt}");
    }
}

#[test]
fn a_host_of_another_architecture_is_told_apart() {
    let mut site = Site::new("arch", &["well"]);
    let uname = "#!/bin/sh\necho Linux riscv64\n";
    let path = site.folder.write("bin/uname", uname);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let bin = site.path("bin");
    let command = format!(
        "PATH={}:$PATH sh -c \"$SSH_ORIGINAL_COMMAND\"",
        bin.display()
    );
    site.add("broken", &format!("ForceCommand {command}"));
    let job = job(&site, "");
    let ended = site.logstitch(&job, "out").ends_with(4);
    assert!(
        ended.stderr.contains("logstitch-mapper-riscv64"),
        "{}",
        ended.stderr
    );
    let host = &summary(&site.out("out"))["hosts"][0];
    assert_eq!(
        (&host["phase"], &host["attempts"]),
        (&"deploy".into(), &1.into())
    );
    assert_eq!(of_well(&site.out("out")).len(), 51);
}
