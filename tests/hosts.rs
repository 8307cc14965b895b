//! `hosts`: what a preflight tells of hosts that are well, of dead ones, and of those where something is amiss.

use std::path::PathBuf;

use serde_json::Value;

use crate::harness::{Folder, logstitch, root};
use crate::sshd::{Site, free_port, run};

fn json(stdout: &str) -> Vec<Value> {
    let lines = stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// A job over real sshds, a command, a local node, and hosts that are not there.
fn job(site: &Site, hosts: &str, more: &str) -> PathBuf {
    let log = "{\"time\":\"2026-01-19T14:00:00Z\",\"n\":1}\n{\"time\":\"2026-01-19T15:30:00.5Z\",\"n\":2}\n";
    for host in ["web", "gone", "pod", "node"] {
        site.folder.write(&format!("logs/{host}/app.jsonl"), log);
        site.folder.write(
            &format!("logs/{host}/app.jsonl.1"),
            "{\"time\":\"2026-01-19T13:00:00Z\",\"n\":0}\n",
        );
        run(std::process::Command::new("gzip").arg(site.path(&format!("logs/{host}/app.jsonl.1"))));
    }
    site.folder.write("logs/web/access.log", "");
    let cache = site.path("pod-cache");
    let pod = format!(
        "[hosts.pods]\nexec = [\"pod\"]\ncommand = [\"env\", \"XDG_CACHE_HOME={}\", \"sh\", \"-c\", \"{{bootstrap}}\"]\n",
        cache.display()
    );
    site.folder.write(
        "job.toml",
        format!(
            "[job]\nname = \"preflight\"\n[hosts.far]\nssh = [{hosts}]\n[hosts.here]\nlocal = [\"node\"]\n{pod}\
             [logs.app]\nhosts = [\"far\", \"here\", \"pods\"]\npaths = [\"{0}/{{host}}/app.jsonl*\"]\n\
             [logs.access]\nhosts = [\"far\"]\npaths = [\"{0}/{{host}}/access.log\"]\nformat = \"nginx\"\n\
             [select.all]\n[run]\nretries = 3\n{more}\n",
            site.path("logs").display()
        ),
    )
}

#[test]
fn hosts_that_are_well_are_shown_with_what_they_hold() {
    let site = Site::new("preflight", &["web"]);
    let job = job(&site, "\"web\"", "");
    let seen = site.command("hosts", &job).ends_with(0);
    for part in [
        "3 of 3 hosts are well, 7 files",
        "2026-01-19T13:00:00Z to 2026-01-19T15:30:00Z",
        "Linux",
    ] {
        assert!(seen.stdout.contains(part), "{part}: {}", seen.stdout);
    }
    let hosts = json(
        &site
            .command("hosts", &job)
            .arg("--json")
            .ends_with(0)
            .stdout,
    );
    let named: Vec<(&str, &str, &str)> = hosts
        .iter()
        .map(|host| {
            let text = |key: &str| host[key].as_str().unwrap();
            (text("name"), text("transport"), text("state"))
        })
        .collect();
    assert_eq!(
        named,
        [
            ("node", "local", "ok"),
            ("pod", "exec", "ok"),
            ("web", "ssh", "ok")
        ]
    );
    for host in &hosts {
        assert!(
            host["clock"]["offset_ms"].as_f64().unwrap().abs() < 60_000.0,
            "{host}"
        );
        assert!(
            host["clock"]["error_ms"].is_number() && host["user_id"].is_number(),
            "{host}"
        );
        assert!(host["mapper"]["free_bytes"].as_u64() > Some(0), "{host}");
        let app = { host["logs"].as_array().unwrap().iter() }
            .find(|log| log["log"] == "app")
            .unwrap();
        let files = app["files"].as_array().unwrap();
        let file = |place: usize, key: &str| files[place][key].clone();
        assert_eq!(files.len(), 2);
        // Oldest first; a packed file has no last time.
        assert_eq!(file(0, "compression"), "gzip");
        assert_eq!(file(0, "first"), "2026-01-19T13:00:00Z");
        assert_eq!(file(0, "last"), Value::Null);
        assert_eq!(file(1, "format"), "json");
        assert_eq!(file(1, "bytes"), 78);
        assert_eq!(file(1, "last"), "2026-01-19T15:30:00.5Z");
    }
    // The mapper is there now: what is sent again is little.
    assert_eq!(site.sshd("web").deployed().len(), 1);
    assert!(
        hosts[2]["sent_bytes"].as_u64() < Some(20_000),
        "{}",
        hosts[2]["sent_bytes"]
    );
    assert!(!site.path("out").exists(), "it writes nothing");
}

#[test]
fn hosts_that_are_not_well_are_told_from_the_rest() {
    let site = Site::new("unwell", &["web", "stranger", "closed"]);
    let port = free_port();
    site.write_config(&format!(
        "Host gone\n  HostName 127.0.0.1\n  Port {port}\nHost nowhere\n  HostName nowhere.invalid\n"
    ));
    let known = site.folder.read("known_hosts");
    let known = known.lines().filter(|line| !line.starts_with("stranger"));
    site.folder.write(
        "known_hosts",
        known.map(|line| format!("{line}\n")).collect::<String>(),
    );
    site.sshd("closed").authorize("");
    let hosts = "\"web\", \"gone\", \"nowhere\", \"stranger\", \"closed\"";
    let job = job(&site, hosts, "");
    std::fs::create_dir(site.path("logs/web/app.jsonl.2")).unwrap();
    let seen = site.command("hosts", &job).ends_with(4);
    for part in [
        "3 of 7 hosts are well",
        "failed (connect)",
        "failed (resolve)",
        "failed (host key)",
        "failed (auth)",
        "stranger: the host key",
        "closed: permission denied",
        "app.jsonl.2: is no regular file",
    ] {
        assert!(seen.stdout.contains(part), "{part}: {}", seen.stdout);
    }
    let hosts = json(
        &site
            .command("hosts", &job)
            .arg("--json")
            .ends_with(4)
            .stdout,
    );
    let phase = |name: &str| {
        let host = hosts.iter().find(|host| host["name"] == name).unwrap();
        host["phase"].as_str().map(str::to_owned)
    };
    assert_eq!(phase("gone").as_deref(), Some("connect"));
    assert_eq!(phase("nowhere").as_deref(), Some("resolve"));
    assert_eq!(phase("web"), None);
    // As much as a run would have to be: and only those that are asked for.
    site.command("hosts", &job)
        .args(["--set", "run.require=40%"])
        .ends_with(0);
    let one = site
        .command("hosts", &job)
        .args(["--host", "web", "--host", "here"])
        .ends_with(0);
    assert!(
        one.stdout.contains("2 of 2 hosts are well"),
        "{}",
        one.stdout
    );
}

#[test]
fn a_log_that_no_host_has_is_said() {
    let folder = Folder::new("nothing");
    folder.write(
        "job.toml",
        "[job]\nname = \"x\"\n[hosts.node]\nlocal = [\"a\"]\n[logs.app]\nhosts = [\"node\"]\npaths = [\"nowhere/*\"]\n\
         [select.all]\n",
    );
    let seen = logstitch(["hosts", "job.toml"])
        .folder(folder.path())
        .ends_with(0);
    assert!(
        seen.stdout
            .contains("log app: no file matches nowhere/* on any host"),
        "{}",
        seen.stdout
    );
    logstitch(["hosts", "nowhere.toml"])
        .folder(root())
        .ends_with(2);
}
