//! A runner that is killed with SIGKILL and started again with `--resume` gives the rows of a run that was not.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::harness::{Folder, logstitch, names, rows};
use crate::ssh::summary;
use crate::sshd::{Site, run, signal, wait_until};

const STREAMS: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// Logs of several streams, the first the largest, so that they are read in this order; slowly.
fn job(site: &Site, more: &str) -> PathBuf {
    for (number, stream) in STREAMS.iter().enumerate() {
        let lines = (0..100 - 3 * number).map(|line| {
            format!(
                "{{\"time\":\"2026-01-19T14:{:02}:{:02}Z\",\"n\":{line},\"stream\":\"{stream}\",\"message\":\"{}\"}}\n",
                line / 60,
                line % 60,
                "x".repeat(150)
            )
        });
        site.folder
            .write(&format!("logs/{stream}.jsonl"), lines.collect::<String>());
    }
    let logs = site.path("logs");
    site.folder.write(
        "job.toml",
        format!(
            "[job]\nname = \"long\"\n[hosts.web]\nssh = [\"web\", \"well\"]\n{more}\n\
             [logs.app]\nhosts = [\"web\"]\npaths = [\"{}/*.jsonl*\"]\nformat = \"json\"\n\
             [aggregate.by_stream]\ngroup = {{ host = \"host\", stream = \"stream\" }}\n\
             select = {{ lines = \"count(*)\", total = \"sum(n)\" }}\n[select.all]\ncolumns = [\"host\", \"stream\", \"n\"]\n\
             [limits]\nthreads = 1\nread_rate = \"25kB/s\"\n",
            logs.display()
        ),
    )
}

/// The same without the brake.
fn quick(job: &Path) -> PathBuf {
    let text = std::fs::read_to_string(job).unwrap();
    let path = job.with_file_name("quick.toml");
    std::fs::write(&path, text.split("[limits]").next().unwrap()).unwrap();
    path
}

/// Runs until some of it is in on both hosts, and kills the runner before half of it is.
fn killed(site: &Site, job: &Path, out: &str) {
    loop {
        let mut running = site.logstitch(job, out).start();
        let has_begun = || {
            site.spooled(out)
                .is_some_and(|spool| spool.hosts.iter().all(|host| !host.parts.is_empty()))
        };
        assert!(wait_until(has_begun));
        signal("KILL", running.id());
        running.wait().unwrap();
        assert!(wait_until(|| {
            site.sshds.iter().all(|sshd| sshd.mappers().is_empty())
        }));
        let left = site.spooled(out);
        if left.is_some_and(|spool| spool.hosts.iter().all(|host| host.parts.len() <= 3)) {
            return;
        }
        // This process was slow, and most of it is in: once more.
    }
}

#[test]
fn a_run_that_was_killed_goes_on() {
    let site = Site::new("resume", &["web", "well"]);
    let job = job(&site, "clock = \"measured\"");
    site.logstitch(&quick(&job), "whole").ends_with(0);
    killed(&site, &job, "out");
    let before = site.spooled("out").unwrap();
    // Half a record, as a runner leaves it that is killed while it writes.
    let parts = site.path("out/.out.partial/spool/0.parts");
    let mut file = std::fs::File::options().append(true).open(parts).unwrap();
    file.write_all(b"LgSt\x11").unwrap();
    site.folder
        .write("out/.out.partial/by_stream.jsonl", "half a fi");
    let ended = site.logstitch(&job, "out").arg("--resume").ends_with(0);
    assert!(
        ended.stderr.contains("goes on with the run of"),
        "{}",
        ended.stderr
    );
    assert_eq!(rows(&site.out("whole")), rows(&site.out("out")));
    let after = reducer::spool::Spool::open(&[site.out("out").join("spool")]).unwrap();
    assert_eq!(before.head.started_ns, after.head.started_ns);
    for (before, after) in before.hosts.iter().zip(&after.hosts) {
        for part in &before.parts {
            let stays = after.parts.iter().filter(|other| other.range == part.range);
            assert_eq!(stays.count(), 1, "{:?}", part.range);
        }
        // What the first attempt measured, and took off.
        let clock = |host: &reducer::spool::SpooledHost| host.manifest.as_ref().unwrap().clock;
        assert_eq!(clock(before), clock(after));
        assert!(clock(after).measured_ns.is_some());
    }
    assert_eq!(names(&site.path("out")), [".long.lock", "out", "whole"]);
}

#[test]
fn what_was_rotated_meanwhile_is_found_and_what_is_gone_is_said() {
    let site = Site::new("rotated", &["web", "well"]);
    let job = job(&site, "");
    site.logstitch(&quick(&job), "whole").ends_with(0);
    killed(&site, &job, "out");
    let log = |name: &str| site.path("logs").join(name);
    // Neither of these was read yet: the larger ones come first, and not half of them were in.
    std::fs::rename(log("d.jsonl"), log("d.jsonl.1")).unwrap();
    std::fs::write(log("d.jsonl"), "{\"n\":1000,\"stream\":\"new\"}\n").unwrap();
    run(std::process::Command::new("gzip").arg(log("e.jsonl")));
    std::fs::remove_file(log("f.jsonl")).unwrap();
    let ended = site.logstitch(&job, "out").arg("--resume").ends_with(4);
    assert!(
        ended.stderr.contains("f.jsonl: is gone"),
        "{}",
        ended.stderr
    );
    let without_f = |rows: Vec<(String, String)>| -> Vec<(String, String)> {
        let kept = |text: String| -> String {
            let lines = text
                .lines()
                .filter(|line| !line.contains("\"stream\":\"f\""));
            lines.map(|line| format!("{line}\n")).collect()
        };
        { rows.into_iter() }
            .map(|(name, text)| (name, kept(text)))
            .collect()
    };
    assert_eq!(without_f(rows(&site.out("whole"))), rows(&site.out("out")));
    let summary = summary(&site.out("out"));
    assert_eq!(summary["completeness"]["complete"], false);
    assert_eq!(summary["completeness"]["files"]["complete"], 10);
}

#[test]
fn a_job_that_has_changed_is_not_gone_on_with() {
    let site = Site::new("changed", &["web", "well"]);
    let job = job(&site, "");
    killed(&site, &job, "out");
    let parts = site.spooled("out").unwrap().hosts[0].parts.len();
    for (set, said) in [
        ("limits.threads=2", "the job has changed"),
        ("hosts.web.ssh=['web']", "the list of its hosts has changed"),
    ] {
        let ended = site.logstitch(&job, "out").args(["--resume", "--set", set]);
        let ended = ended.ends_with(2);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
    }
    let left = site.spooled("out").unwrap();
    assert_eq!(left.hosts[0].parts.len(), parts, "it is left as it was");
}

#[test]
fn without_a_run_to_go_on_with_a_new_one_begins() {
    let folder = Folder::new("anew");
    folder.write("logs/a.jsonl", "{\"n\":1}\n");
    folder.write(
        "job.toml",
        "[job]\nname = \"small\"\n[hosts.node]\nlocal = [\"a\"]\n[logs.app]\nhosts = [\"node\"]\n\
         paths = [\"logs/*\"]\n[select.all]\n[output]\ndir = \"results/{run}\"\n",
    );
    let resume = || logstitch(["run", "job.toml", "--resume"]).folder(folder.path());
    let ended = resume().ends_with(0);
    assert!(
        ended.stderr.contains("no run to go on with"),
        "{}",
        ended.stderr
    );
    let results = folder.path().join("results");
    let is_run = |name: &String| name.starts_with('2');
    let run = names(&results).into_iter().find(is_run).unwrap();
    // As a run that was stopped when all was in leaves it: then no host is asked again.
    let partial = format!(".{run}.partial");
    std::fs::rename(results.join(&run), results.join(&partial)).unwrap();
    std::fs::remove_dir_all(folder.path().join("logs")).unwrap();
    let ended = resume().ends_with(0);
    assert!(
        ended.stderr.contains("1 of 1 hosts are done"),
        "{}",
        ended.stderr
    );
    assert_eq!(names(&results), [".small.lock", &run, "latest"]);
    assert!(
        folder
            .read(&format!("results/{run}/all.jsonl"))
            .contains("\"n\":1")
    );
    // And as one that was stopped before anything was in.
    std::fs::create_dir_all(results.join(".20990101T000000Z.partial/spool")).unwrap();
    let ended = resume().ends_with(0);
    assert!(
        ended.stderr.contains("no run to go on with"),
        "{}",
        ended.stderr
    );
}
