//! What a mapper is on a host while it runs: as the kernel sees it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::ssh::{slow_job, summary};
use crate::sshd::{Site, children, signal, wait_until};

/// A line of a file below /proc.
pub fn field(process: u32, file: &str, name: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{process}/{file}")).unwrap();
    let line = text.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| panic!("no {name} in {text}"));
    line[name.len()..].trim().to_owned()
}

fn environment(process: u32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{process}/environ")).unwrap();
    let variables = bytes.split(|byte| *byte == 0).filter(|one| !one.is_empty());
    variables
        .map(|one| String::from_utf8_lossy(one).into_owned())
        .collect()
}

/// Waits until the mapper has set all that it sets: the last of it is its filter.
fn wait_for_filter(process: u32) {
    assert!(wait_until(|| field(process, "status", "Seccomp:") == "2"));
}

fn job(site: &Site, hosts: &str) -> PathBuf {
    let more = "[limits]\nthreads = 1\nread_rate = \"1kB/s\"\nnice = 7\nopen_files = 64";
    slow_job(site, hosts, 100, more)
}

#[test]
fn a_mapper_is_a_modest_guest() {
    let site = Site::new("manners", &["web"]);
    let job = job(&site, "ssh = [\"web\"]");
    let mut running = site.logstitch(&job, "out").start();
    assert!(wait_until(|| !site.sshd("web").mappers().is_empty()));
    let mapper = site.sshd("web").mappers()[0];
    wait_for_filter(mapper);
    assert_eq!(field(mapper, "status", "NoNewPrivs:"), "1");
    assert_eq!(field(mapper, "status", "Umask:"), "0077");
    let limit = |name: &str| {
        let figures = field(mapper, "limits", name);
        let figures: Vec<&str> = figures.split_whitespace().take(2).collect();
        figures.join(" ")
    };
    assert_eq!(limit("Max core file size"), "0 0");
    assert_eq!(limit("Max open files"), "64 64");
    let stat = std::fs::read_to_string(format!("/proc/{mapper}/stat")).unwrap();
    let nice = stat.rsplit_once(')').unwrap().1.split_whitespace().nth(16);
    assert_eq!(nice, Some("7"));
    let ionice = Command::new("ionice")
        .args(["-p", &mapper.to_string()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&ionice.stdout).trim(), "idle");
    assert_eq!(environment(mapper), Vec::<String>::new());
    // Every thread of it, not the first alone.
    for task in std::fs::read_dir(format!("/proc/{mapper}/task")).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(status.contains("Seccomp:\t2"), "{status}");
    }
    signal("TERM", running.id());
    running.wait().unwrap();
}

#[test]
fn a_local_node_does_not_see_the_runners_secrets() {
    let site = Site::new("secrets", &[]);
    let job = job(&site, "local = [\"web\"]");
    let mut running = site
        .logstitch(&job, "out")
        .env("OPS_WEBHOOK", "https://example.net/secret")
        .env("LOGSTITCH_SSH_PASSPHRASE", "open sesame")
        .env("LOGSTITCH_NO_PREFILTER", "1")
        .start();
    let mappers = || children(running.id());
    assert!(wait_until(|| !mappers().is_empty()));
    let mapper = mappers()[0];
    wait_for_filter(mapper);
    let seen = environment(mapper);
    assert!(
        seen.contains(&"LOGSTITCH_NO_PREFILTER=1".to_owned()),
        "{seen:?}"
    );
    let is_ours = |one: &String| one.starts_with("LOGSTITCH_") && !one.contains("sesame");
    assert!(seen.iter().all(is_ours), "{seen:?}");
    signal("TERM", running.id());
    running.wait().unwrap();
}

#[test]
fn what_could_not_be_kept_is_said() {
    let mut site = Site::new("notes", &[]);
    let bin = site.path("bin");
    std::fs::create_dir(&bin).unwrap();
    // A host without ionice: what a PATH-less program finds is behind this namespace's back.
    let script = format!(
        "mount --bind {}/false /usr/bin/ionice && exec \"$@\"",
        bin.display()
    );
    std::fs::copy("/bin/false", bin.join("false")).unwrap();
    let around = crate::sshd::Around {
        command: ["unshare", "-m", "sh", "-c", &script, "sh"]
            .map(str::to_owned)
            .into(),
        ..Default::default()
    };
    site.add_around("web", "", around);
    let job = slow_job(&site, "ssh = [\"web\"]", 10, "[limits]\nnice = 5");
    site.logstitch(&job, "out").ends_with(0);
    let notes = &summary(&site.out("out"))["hosts"][0]["notes"];
    let notes: Vec<&str> = notes
        .as_array()
        .unwrap()
        .iter()
        .map(|note| note.as_str().unwrap())
        .collect();
    assert!(
        matches!(notes[..], [note] if note.starts_with("idle I/O class: ionice: ")),
        "{notes:?}"
    );
    assert!(Path::new("/usr/bin/ionice").exists());
}
