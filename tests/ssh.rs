//! Hosts beyond local ones, over real sshds: the same rows as from local nodes, whatever happens on the way; and every
//! refusal that trust asks for.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Folder, logstitch, root, rows};
use crate::sshd::{Site, free_port, public_key, run, signal, wait_until};

const NODES: [&str; 3] = ["node-a", "node-b", "node-c"];

/// The incident with its nodes reached by `hosts`, a line of `[hosts.node]`.
fn incident(folder: &Folder, hosts: &str, more: &str) -> PathBuf {
    let job = root().join("testdata/jobs/incident/job.toml");
    let text = std::fs::read_to_string(&job).unwrap();
    let logs = job.parent().unwrap().join("logs");
    let text = text
        .replace("local = [\"node-a\", \"node-b\", \"node-c\"]", hosts)
        .replace("\"logs/{host}", &format!("\"{}/{{host}}", logs.display()));
    assert!(text.contains(hosts));
    folder.write("job.toml", format!("{text}\n{more}"))
}

/// One host with a log of so many lines, and what makes it slow to read.
pub fn slow_job(site: &Site, host: &str, lines: u32, more: &str) -> PathBuf {
    let mut log = String::new();
    for line in 0..lines {
        log.push_str(&format!(
            "{{\"time\":\"2026-01-19T14:{:02}:{:02}Z\",\"level\":\"info\",\"n\":{line},\"message\":\"{}\"}}\n",
            line / 60 % 60,
            line % 60,
            "x".repeat(150)
        ));
    }
    let log = site.folder.write("logs/app.jsonl", log);
    site.folder.write(
        "slow.toml",
        format!(
            "[job]\nname = \"slow\"\n[hosts.web]\n{host}\n[logs.app]\nhosts = [\"web\"]\npaths = [\"{}\"]\nformat = \"json\"\n\
             [aggregate.count]\nselect = {{ lines = \"count(*)\", total = \"sum(n)\" }}\n{more}\n",
            log.display()
        ),
    )
}

/// So many lines of a log that no compression makes much shorter.
pub fn noise(lines: u32) -> String {
    let mut number = 1_u64;
    let mut next = || {
        number = number
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        number
    };
    let lines = (0..lines).map(|line| {
        let (minute, second) = (line / 60 % 60, line % 60);
        let text: String = (0..10).map(|_| format!("{:016x}", next())).collect();
        format!("{{\"time\":\"2026-01-19T14:{minute:02}:{second:02}Z\",\"text\":\"{text}\"}}\n")
    });
    lines.collect()
}

pub fn summary(out: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(out.join("summary.json")).unwrap()).unwrap()
}

#[test]
fn hosts_give_the_rows_that_local_nodes_give() {
    let site = Site::new("ssh", &NODES);
    let local = incident(
        &site.folder,
        "local = [\"node-a\", \"node-b\", \"node-c\"]",
        "",
    );
    site.logstitch(&local, "local").ends_with(0);
    let far = incident(
        &site.folder,
        "ssh = [\"node-a\", \"node-b\", \"node-c\"]",
        "",
    );
    site.logstitch(&far, "far").ends_with(0);
    assert_eq!(rows(&site.out("local")), rows(&site.out("far")));
    let sent = |out: &str| {
        let summary = summary(&site.out(out));
        let hosts = summary["hosts"].as_array().unwrap();
        hosts
            .iter()
            .map(|host| host["sent_bytes"].as_u64().unwrap())
            .max()
    };
    assert!(sent("far") > Some(1_000_000), "{:?}", sent("far"));
    // The second time the mapper is there.
    site.logstitch(&far, "again").ends_with(0);
    assert_eq!(rows(&site.out("local")), rows(&site.out("again")));
    assert!(sent("again") < Some(20_000), "{:?}", sent("again"));
    for sshd in &site.sshds {
        assert_eq!(sshd.deployed().len(), 1, "{:?}", sshd.deployed());
    }
    // A mapper that arrived by half, or was changed since, is replaced.
    let deployed = site.sshds[0].deployed().remove(0);
    let half = std::fs::read(&deployed).unwrap();
    std::fs::write(&deployed, &half[..half.len() / 2]).unwrap();
    site.logstitch(&far, "half").ends_with(0);
    assert_eq!(rows(&site.out("local")), rows(&site.out("half")));
    assert_eq!(std::fs::read(&deployed).unwrap(), half);
}

#[test]
fn host_keys_that_are_not_known_are_refused() {
    let site = Site::new("keys", &["web"]);
    let job = slow_job(&site, "ssh = [\"web\"]", 10, "");
    let own = site.sshd("web").public_key();
    let other = public_key(&site.key("other").with_extension("pub"));
    for (name, known, said) in [
        ("unknown", String::new(), "is not known"),
        ("changed", format!("web {other}\n"), "has changed"),
        (
            "revoked",
            format!("web {own}\n@revoked * {own}\n"),
            "is revoked",
        ),
        (
            "authority",
            format!("@cert-authority * {own}\n"),
            "certificate authority",
        ),
    ] {
        site.folder.write("known_hosts", &known);
        let ended = site.logstitch(&job, name).ends_with(4);
        assert!(ended.stderr.contains(said), "{name}: {}", ended.stderr);
        assert!(ended.stderr.contains("SHA256:"), "{name}: {}", ended.stderr);
        assert_eq!(
            summary(&site.out(name))["hosts"][0]["phase"],
            "host key",
            "{name}"
        );
        assert_eq!(
            site.folder.read("known_hosts"),
            known,
            "{name}: it is never written"
        );
    }
    site.write_known_hosts();
    site.logstitch(&job, "known").ends_with(0);
}

/// Every file means to us what it means to OpenSSH's own client.
#[test]
fn known_hosts_are_read_as_openssh_reads_them() {
    let site = Site::new("known", &["web"]);
    let job = slow_job(&site, "ssh = [\"web\"]", 1, "[run]\nretries = 0");
    let port = site.sshd("web").port;
    let own = site.sshd("web").public_key();
    let other = public_key(&site.key("other").with_extension("pub"));
    run(Command::new("ssh-keygen")
        .args(["-q", "-t", "ecdsa", "-N", "", "-f"])
        .arg(site.path("ecdsa")));
    let ecdsa = public_key(&site.path("ecdsa.pub"));
    let hashed = |name: &str| {
        let file = site.folder.write("to_hash", format!("{name} {own}\n"));
        run(Command::new("ssh-keygen")
            .args(["-q", "-H", "-f"])
            .arg(&file));
        site.folder.read("to_hash")
    };
    // By its address and port, so that both kinds of names are looked for.
    let name = format!("[127.0.0.1]:{port}");
    site.write_config(&format!(
        "Host web\n  HostName 127.0.0.1\n  Port {port}\n  HostKeyAlias none\n"
    ));
    let config = site.folder.read("ssh_config");
    let config = config
        .replace("  HostKeyAlias none\n", "")
        .replace("  HostKeyAlias web\n", "");
    site.folder.write("ssh_config", config);
    for (number, (text, expected)) in [
        (format!("{name} {own}\n"), true),
        (format!("127.0.0.1 {own}\n"), true),
        (format!("127.0.0.? {own}\n"), true),
        (format!("* {own}"), true),
        (format!("[127.0.0.1]:* {own}\n"), true),
        (format!("*,![127.0.0.1]:{port} {own}\n"), true),
        (format!("*,![*,!127.0.0.1 {own}\n"), false),
        (format!("a,{name},b {own}\n"), true),
        (format!("[127.0.0.1]:1 {own}\n"), false),
        (hashed(&name), true),
        (hashed("127.0.0.1"), true),
        (hashed("127.0.0.2"), false),
        (format!("{name} {other}\n"), false),
        (format!("{name} {other}\n{name} {own}\n"), true),
        (format!("{name} {other}\n127.0.0.1 {own}\n"), false),
        (format!("{name} {ecdsa}\n"), false),
        (format!("{name} {ecdsa}\n{name} {own}\n"), true),
        (format!("{name} {own}\n@revoked {name} {own}\n"), false),
        (format!("@revoked * {own}\n{name} {own}\n"), false),
        (format!("{name} {own}\n@revoked {name} {other}\n"), true),
        (format!("@cert-authority {name} {own}\n"), false),
        (format!("# {name} {own}\n"), false),
        (format!("  \t{name}\t{own}\tcomment here\n"), true),
        (format!("{name} {own}\r\n"), true),
        (
            format!("{name} ssh-rsa {}\n", own.split_once(' ').unwrap().1),
            false,
        ),
        (format!("{name} {}\n", &own[..own.len() - 9]), false),
        (format!("garbage\n\n{name}\n{name} {own}\n"), true),
        (String::new(), false),
    ]
    .into_iter()
    .enumerate()
    {
        site.folder.write("known_hosts", &text);
        assert_eq!(
            site.ssh("web", "true"),
            expected,
            "OpenSSH, {number}: {text}"
        );
        let ended = site.logstitch(&job, &format!("out-{number}")).end();
        let wanted = if expected { 0 } else { 4 };
        assert_eq!(ended.code, wanted, "{number}: {text}{}", ended.stderr);
    }
}

#[test]
fn who_may_not_log_in_is_told_what_was_tried() {
    let site = Site::new("auth", &["web"]);
    let job = slow_job(&site, "ssh = [\"web\"]", 10, "");
    site.sshd("web").authorize("");
    let ended = site.logstitch(&job, "denied").ends_with(4);
    assert!(
        ended.stderr.contains("permission denied for user `root`") && ended.stderr.contains("/id"),
        "{}",
        ended.stderr
    );
    let host = &summary(&site.out("denied"))["hosts"][0];
    assert_eq!(host["phase"], "auth");
    assert_eq!(host["attempts"], 1, "it would be denied again");
}

#[test]
fn keys_come_from_agents_files_and_certificates() {
    let mut site = Site::new("offers", &["web"]);
    let job = slow_job(&site, "ssh = [\"web\"]", 10, "[run]\nretries = 0");
    // A second key in a file: the first is offered and refused.
    let second = site.key("second");
    let authorized = public_key(&second.with_extension("pub"));
    site.sshd("web").authorize(&authorized);
    site.write_config(&format!(
        "Host web\n  IdentityFile {0}/id\n  IdentityFile {0}/second\n",
        site.folder.path().display()
    ));
    site.logstitch(&job, "second").ends_with(0);
    // The job's own identity needs no configuration.
    site.write_config("");
    site.logstitch(&job, "refused").ends_with(4);
    let named = slow_job(
        &site,
        "ssh = [\"web\"]\nidentity = \"second\"",
        10,
        "[run]\nretries = 0",
    );
    site.logstitch(&named, "named").ends_with(0);
    // With a passphrase.
    run(Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "", "-N", "open sesame", "-f"])
        .arg(&second));
    let ended = site.logstitch(&named, "locked").ends_with(4);
    assert!(ended.stderr.contains("passphrase"), "{}", ended.stderr);
    let secret = site.folder.write("secret", "open sesame\n");
    site.logstitch(&named, "unlocked")
        .env("LOGSTITCH_SSH_PASSPHRASE_FILE", &secret)
        .ends_with(0);
    // The variable itself comes before the file; a wrong one is said, and never asked for again.
    site.logstitch(&named, "told")
        .env("LOGSTITCH_SSH_PASSPHRASE", "open sesame")
        .env("LOGSTITCH_SSH_PASSPHRASE_FILE", site.path("nowhere"))
        .ends_with(0);
    let ended = site
        .logstitch(&named, "mistold")
        .env("LOGSTITCH_SSH_PASSPHRASE", "close sesame")
        .ends_with(4);
    let said = "with the passphrase that was given";
    assert!(ended.stderr.contains(said), "{}", ended.stderr);
    assert!(!ended.stderr.contains("close sesame"), "{}", ended.stderr);
    // An agent, by its socket in the configuration and by the environment's.
    run(Command::new("ssh-keygen")
        .args(["-q", "-p", "-P", "open sesame", "-N", "", "-f"])
        .arg(&second));
    let socket = site.path("agent");
    let mut agent = Command::new("ssh-agent")
        .args(["-D", "-a"])
        .arg(&socket)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    assert!(wait_until(|| socket.exists()));
    run(Command::new("ssh-add")
        .arg("-q")
        .arg(&second)
        .env("SSH_AUTH_SOCK", &socket));
    std::fs::rename(&second, site.path("hidden")).unwrap();
    let job = slow_job(&site, "ssh = [\"web\"]", 10, "[run]\nretries = 0");
    site.write_config(&format!(
        "Host web\n  IdentityAgent {0}/agent\n  IdentitiesOnly no\n",
        site.folder.path().display()
    ));
    site.logstitch(&job, "agent").ends_with(0);
    site.write_config(&format!(
        "Host web\n  IdentityAgent SSH_AUTH_SOCK\n  IdentityFile {0}/second\n",
        site.folder.path().display()
    ));
    site.logstitch(&job, "env-agent")
        .env("SSH_AUTH_SOCK", &socket)
        .ends_with(0);
    let _ = agent.kill();
    let _ = agent.wait();
    let ended = site
        .logstitch(&job, "no-agent")
        .env("SSH_AUTH_SOCK", &socket)
        .ends_with(4);
    assert!(ended.stderr.contains("agent"), "{}", ended.stderr);
    // A certificate beside the key: the server knows only who signs.
    let authority = site.key("authority");
    run(Command::new("ssh-keygen")
        .args(["-q", "-I", "me", "-n", "root", "-s"])
        .arg(&authority)
        .arg(site.path("id.pub")));
    let trusted = format!("TrustedUserCAKeys {}.pub", authority.display());
    site.add("certified", &trusted).authorize("");
    let job = slow_job(&site, "ssh = [\"certified\"]", 10, "[run]\nretries = 0");
    site.logstitch(&job, "certificate").ends_with(0);
}

#[test]
fn a_host_that_is_not_there_fails_alone() {
    let site = Site::new("gone", &["web"]);
    let port = free_port();
    site.write_config(&format!(
        "Host gone\n  HostName 127.0.0.1\n  Port {port}\nHost nowhere\n  HostName nowhere.invalid\n"
    ));
    let job = slow_job(
        &site,
        "ssh = [\"web\", \"gone\", \"nowhere\"]",
        10,
        "[run]\nretries = 1\nrequire = \"30%\"",
    );
    let ended = site.logstitch(&job, "out").ends_with(0);
    assert!(ended.stderr.contains("1 of 3 hosts"), "{}", ended.stderr);
    let summary = summary(&site.out("out"));
    assert_eq!(summary["hosts"][0]["phase"], "connect");
    assert_eq!(summary["hosts"][0]["attempts"], 2);
    assert_eq!(summary["hosts"][1]["phase"], "resolve");
}

#[test]
fn jump_hosts_lead_on_and_are_checked_by_their_own_names() {
    let site = Site::new("jump", &["bastion", "inner", "web"]);
    // Only the configuration of the one before leads to it.
    for (name, hosts, config) in [
        ("via", "ssh = [\"web\"]\nvia = \"bastion\"", ""),
        (
            "chain",
            "ssh = [\"web\"]\nvia = [\"bastion\", \"inner\"]",
            "",
        ),
        (
            "configured",
            "ssh = [\"web\"]",
            "Host web\n  ProxyJump bastion,inner\n",
        ),
        (
            "nested",
            "ssh = [\"web\"]\nvia = \"inner\"",
            "Host inner\n  ProxyJump bastion\n",
        ),
    ] {
        site.write_config(config);
        let job = slow_job(&site, hosts, 10, "");
        site.logstitch(&job, name).ends_with(0);
    }
    site.write_config(&format!(
        "Host web\n  ProxyCommand ssh -F {0}/plain -W %h:%p bastion\n",
        site.folder.path().display()
    ));
    let plain = site.folder.read("ssh_config").replace("ProxyCommand", "# ");
    site.folder.write("plain", plain);
    let job = slow_job(&site, "ssh = [\"web\"]", 10, "");
    site.logstitch(&job, "command").ends_with(0);
    site.write_config("");
    let job = slow_job(&site, "ssh = [\"web\"]\nvia = \"bastion\"", 10, "");
    let web = format!("web {}\n", site.sshd("web").public_key());
    site.folder.write("known_hosts", web);
    let ended = site.logstitch(&job, "unknown").ends_with(4);
    assert!(
        ended.stderr.contains("jump host bastion")
            && ended.stderr.contains("the host key of bastion"),
        "{}",
        ended.stderr
    );
}

#[test]
fn what_a_login_shell_prints_is_skipped() {
    let mut site = Site::new("banner", &[]);
    let shell = site.folder.write(
        "shell",
        "#!/bin/sh\necho 'Welcome to this host!'\nprintf 'no line end'\nexec sh -c \"$SSH_ORIGINAL_COMMAND\"\n",
    );
    run(Command::new("chmod").arg("755").arg(&shell));
    site.add("web", &format!("ForceCommand {}", shell.display()));
    let job = slow_job(&site, "ssh = [\"web\"]", 10, "");
    site.logstitch(&job, "first").ends_with(0);
    site.logstitch(&job, "again").ends_with(0);
    let mut silent = Site::new("nologin", &[]);
    silent.add("web", "ForceCommand echo This account is not available.");
    let job = slow_job(&silent, "ssh = [\"web\"]", 10, "[run]\nretries = 0");
    let ended = silent.logstitch(&job, "out").ends_with(4);
    assert!(ended.stderr.contains("not available"), "{}", ended.stderr);
}

#[test]
fn an_account_whose_command_is_a_mapper_needs_no_other() {
    let site = Site::new("installed", &["web"]);
    let job = slow_job(&site, "ssh = [\"web\"]", 10, "[run]\nretries = 0");
    site.logstitch(&job, "deployed").ends_with(0);
    let own = public_key(&site.path("id.pub"));
    let mapper = env!("CARGO_BIN_EXE_logstitch");
    for file in site.sshd("web").deployed() {
        std::fs::remove_file(file).unwrap();
    }
    site.sshd("web")
        .authorize(&format!("restrict,command=\"{mapper} map\" {own}\n"));
    site.logstitch(&job, "installed").ends_with(0);
    assert_eq!(rows(&site.out("deployed")), rows(&site.out("installed")));
    assert!(site.sshd("web").deployed().is_empty());
    site.command("hosts", &job).ends_with(0);
}

/// Runs a slow job, does something to it once its mapper runs, and expects the rows that it gives undisturbed.
pub fn disturbed(name: &str, disturb: impl Fn(&Site, u32)) {
    let site = Site::new(name, &["web"]);
    // Small segments are committed one by one, so that there is something to go on from.
    let job = slow_job(
        &site,
        "ssh = [\"web\"]",
        2000,
        "[limits]\nthreads = 1\nread_rate = \"400kB/s\"",
    );
    let quick = job.with_file_name("quick.toml");
    let text = std::fs::read_to_string(&job).unwrap();
    std::fs::write(&quick, text.split("[limits]").next().unwrap()).unwrap();
    site.logstitch(&quick, "quick").ends_with(0);
    let mut running = site
        .logstitch(&job, "slow")
        .env("LOGSTITCH_SILENCE_MS", "3000")
        .env("LOGSTITCH_SEGMENT_BYTES", "100000")
        .start();
    assert!(wait_until(|| !site.sshd("web").mappers().is_empty()));
    let mapper = site.sshd("web").mappers()[0];
    disturb(&site, mapper);
    assert!(wait_until(|| running.try_wait().unwrap().is_some()));
    let output = running.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(rows(&site.out("quick")), rows(&site.out("slow")));
    let host = &summary(&site.out("slow"))["hosts"][0];
    // A slow machine may seem silent once more.
    assert!(host["attempts"].as_u64() >= Some(2), "{stderr}");
    assert_eq!(host["state"], "ok");
}

#[test]
fn a_mapper_that_is_killed_is_started_again() {
    disturbed("killed", |_, mapper| signal("KILL", mapper));
}

#[test]
fn a_connection_that_is_cut_is_made_again() {
    disturbed("cut", |site, _| {
        for session in site.sshd("web").sessions() {
            signal("KILL", session);
        }
    });
}

#[test]
fn a_host_that_hangs_is_found_by_its_silence() {
    disturbed("frozen", |site, mapper| {
        signal("STOP", mapper);
        for session in site.sshd("web").sessions() {
            signal("STOP", session);
        }
    });
}

#[test]
fn a_runner_that_is_stopped_leaves_no_mapper_behind() {
    let site = Site::new("stopped", &["web"]);
    let job = slow_job(
        &site,
        "ssh = [\"web\"]",
        2000,
        "[limits]\nthreads = 1\nread_rate = \"10kB/s\"",
    );
    for (name, code) in [("INT", Some(130)), ("TERM", Some(143)), ("KILL", None)] {
        let mut running = site.logstitch(&job, name).start();
        assert!(wait_until(|| !site.sshd("web").mappers().is_empty()));
        signal(name, running.id());
        let ended = running.wait().unwrap();
        assert_eq!(ended.code(), code, "{name}");
        assert!(
            wait_until(|| site.sshd("web").mappers().is_empty()),
            "{name}: a mapper lives on"
        );
        assert_eq!(site.sshd("web").deployed().len(), 1, "{name}: litter");
    }
}

#[test]
fn a_measured_clock_changes_nothing_where_clocks_agree() {
    let site = Site::new("clock", &["web"]);
    let trusted = slow_job(&site, "ssh = [\"web\"]", 10, "[select.all]");
    site.logstitch(&trusted, "trusted").ends_with(0);
    let measured = slow_job(
        &site,
        "ssh = [\"web\"]\nclock = \"measured\"",
        10,
        "[select.all]",
    );
    site.logstitch(&measured, "measured").ends_with(0);
    assert_eq!(rows(&site.out("trusted")), rows(&site.out("measured")));
    let clock = &summary(&site.out("measured"))["hosts"][0]["clock"];
    assert!(clock["offset_ms"].is_number() && clock["error_ms"].is_number());
}

#[test]
fn a_job_over_ssh_is_refused_nothing() {
    let folder = Folder::new("refused");
    let job = incident(
        &folder,
        "ssh = [\"node-a\", \"node-b\"]\nclock = \"measured\"",
        "[run]\ndeploy_dir = \"/opt\"\n[limits]\nnice = 5\nopen_files = 100\n",
    );
    logstitch([Path::new("check"), &job]).ends_with(0);
}
