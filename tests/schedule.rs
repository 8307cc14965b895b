//! What the README offers to run a job on a schedule, tried: units by systemd itself, the cron line by a shell, the steps of
//! CI as their files say them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::{Folder, root};
use crate::python;

fn file(name: &str) -> PathBuf {
    root().join("testdata/schedule").join(name)
}

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

/// A job with one check over one line of log.
fn job(folder: &Folder, name: &str, most_errors: u32) {
    let base = Path::new(name).parent().unwrap();
    folder.write(
        name,
        format!(
            "[hosts.node]\nlocal = [\"a\"]\n[logs.app]\npaths = [\"logs/*.jsonl\"]\n\
             [select.errors]\nwhere = \"level >= ERROR\"\n[[check]]\nthat = \"rows(errors) <= {most_errors}\"\n"
        ),
    );
    let log = base.join("logs/a.jsonl");
    folder.write(log.to_str().unwrap(), "{\"level\":\"error\"}\n");
}

/// A shell in the folder, with the program on its path.
fn shell(folder: &Folder, command: &str) -> Output {
    let program = Path::new(env!("CARGO_BIN_EXE_logstitch"));
    let path = format!(
        "{}:{}",
        program.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    );
    let mut shell = Command::new("sh");
    shell.args(["-ec", command]).current_dir(folder.path());
    shell
        .env("PATH", path)
        .env_remove("RUST_LOG")
        .output()
        .unwrap()
}

#[test]
fn systemd_takes_the_units() {
    let folder = Folder::new("units");
    let service = read("logstitch-nightly.service");
    let service = service.replace("/usr/local/bin/logstitch", env!("CARGO_BIN_EXE_logstitch"));
    let units = [
        folder.write("logstitch-nightly.service", service),
        folder.write("logstitch-nightly.timer", read("logstitch-nightly.timer")),
    ];
    let output = Command::new("systemd-analyze")
        .arg("verify")
        .args(units)
        .output();
    let output = output.expect("systemd-analyze, which tests/run installs");
    let said = String::from_utf8_lossy(&output.stderr);
    // It looks at units of the machine as well: what it says of ours counts.
    let ours: Vec<&str> = said
        .lines()
        .filter(|line| line.contains("nightly"))
        .collect();
    assert!(
        output.status.success() && ours.is_empty(),
        "{}\n{said}",
        output.status
    );
    let calendar = Command::new("systemd-analyze")
        .args(["calendar", "*-*-* 02:30:00"])
        .output();
    assert!(calendar.unwrap().status.success());
}

#[test]
fn the_cron_line_is_silent_on_a_good_night() {
    let crontab = read("crontab");
    let lines = crontab
        .lines()
        .filter(|line| line.starts_with(|char: char| char.is_ascii_digit()));
    let lines: Vec<&str> = lines.collect();
    assert_eq!(lines.len(), 1, "{crontab}");
    let (times, command) = lines[0].split_once("  ").unwrap();
    assert_eq!(
        times.split(' ').collect::<Vec<_>>(),
        ["30", "2", "*", "*", "*"]
    );
    assert!(
        !command.contains('%'),
        "cron would take it for a line's end"
    );
    let folder = Folder::new("cron");
    let command = command
        .replace("/srv/logstitch", folder.path().to_str().unwrap())
        .replace("/usr/local/bin/logstitch", env!("CARGO_BIN_EXE_logstitch"));
    job(&folder, "nightly.toml", 1);
    let output = shell(&folder, &command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && output.stdout.is_empty() && said.is_empty(),
        "{said}"
    );
    assert!(folder.path().join("out/nightly").is_dir());
    job(&folder, "nightly.toml", 0);
    let output = shell(&folder, &command);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("check failed: rows(errors) <= 0") && said.lines().count() == 1,
        "{said}"
    );
}

/// A YAML file as JSON, by a parser of its own.
fn yaml(name: &str) -> Value {
    let text =
        "import json, sys, yaml; print(json.dumps(yaml.load(open(sys.argv[1]), yaml.BaseLoader)))";
    let json = python::script(&["pyyaml"], text, &[&file(name)]);
    serde_json::from_str(&json).unwrap()
}

/// Runs the commands of a step: over good logs, and over such as fail a check.
fn step_fails_when_a_check_does(commands: &[&str]) -> Folder {
    let folder = Folder::new("ci");
    for (most_errors, code) in [(1, 0), (0, 3)] {
        job(&folder, "ci/job.toml", most_errors);
        let output = shell(&folder, &commands.join("\n"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
    }
    folder
}

#[test]
fn github_runs_its_step() {
    let workflow = yaml("github-actions.yml");
    let steps = workflow["jobs"]["logs"]["steps"].as_array().unwrap();
    let commands: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["run"].as_str())
        .collect();
    let folder = step_fails_when_a_check_does(&commands);
    let kept = steps
        .iter()
        .find_map(|step| step["with"]["path"].as_str())
        .unwrap();
    assert!(folder.path().join(kept).join("summary.json").is_file());
}

#[test]
fn gitlab_runs_its_script() {
    let pipeline = yaml("gitlab-ci.yml");
    let limits = &pipeline["log-limits"];
    let script = limits["script"].as_array().unwrap();
    let commands: Vec<&str> = script.iter().map(|line| line.as_str().unwrap()).collect();
    let folder = step_fails_when_a_check_does(&commands);
    let artifacts = &limits["artifacts"];
    assert_eq!(artifacts["when"], "always");
    for path in [&artifacts["paths"][0], &artifacts["reports"]["junit"]] {
        assert!(
            folder.path().join(path.as_str().unwrap()).exists(),
            "{path}"
        );
    }
}
