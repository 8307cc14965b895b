//! `exec`, and with it what the script does on a host: which folders it takes, which mappers, what it says.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::{Ended, Folder, logstitch, names, rows};
use crate::sshd::run;

/// A job over one exec host; `command` starts what stands at its far end.
fn job(folder: &Folder, command: &[&str], more: &str) -> PathBuf {
    folder.write(
        "logs/pod.jsonl",
        "{\"time\":\"2026-01-19T14:00:00Z\",\"level\":\"error\",\"n\":1}\n",
    );
    let logs = folder.path().join("logs");
    folder.write(
        "job.toml",
        format!(
            "[job]\nname = \"pods\"\n[hosts.pods]\nexec = [\"pod\"]\ncommand = {command:?}\n[logs.app]\nhosts = [\"pods\"]\n\
             paths = [\"{}/{{host}}.jsonl\"]\n[select.all]\n[run]\nretries = 0\n{more}\n",
            logs.display()
        ),
    )
}

/// A far end with a cache folder of the test's own.
fn far(folder: &Folder) -> Vec<String> {
    let cache = format!("XDG_CACHE_HOME={}", folder.path().join("cache").display());
    ["env", &cache, "sh", "-c", "{bootstrap}"]
        .map(str::to_owned)
        .to_vec()
}

fn deploy(folder: &Folder, more: &str, code: i32) -> Ended {
    let far = far(folder);
    let far: Vec<&str> = far.iter().map(String::as_str).collect();
    let job = job(folder, &far, more);
    run_job(folder, &job, code)
}

fn run_job(folder: &Folder, job: &Path, code: i32) -> Ended {
    logstitch([Path::new("run"), job, Path::new("--out")])
        .arg(folder.path().join("out"))
        .ends_with(code)
}

fn row_count(folder: &Folder) -> usize {
    rows(&folder.path().join("out"))[0].1.lines().count()
}

fn uid() -> String {
    let output = Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn any_command_may_lead_to_a_host() {
    let folder = Folder::new("exec");
    deploy(&folder, "", 0);
    assert_eq!(row_count(&folder), 1);
    let cache = folder.path().join("cache/logstitch");
    let deployed = names(&cache);
    assert_eq!(deployed.len(), 1);
    assert_eq!(deployed[0].len(), 64, "{deployed:?}");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&cache), 0o700);
    assert_eq!(mode(&cache.join(&deployed[0])), 0o700);
    // A mapper that is there already, by its own command.
    let mapper = env!("CARGO_BIN_EXE_logstitch");
    let installed = job(&folder, &[mapper, "map"], "");
    run_job(&folder, &installed, 0);
    assert_eq!(row_count(&folder), 1);
}

#[test]
fn a_command_that_fails_is_quoted() {
    let folder = Folder::new("exec-fails");
    for (command, said) in [
        (
            &["sh", "-c", "echo no such pod: {host} >&2; exit 7"][..],
            "no such pod: pod",
        ),
        (
            &["no-such-program-anywhere"],
            "cannot start `no-such-program",
        ),
        (&["echo", "hello"], "hello"),
        (
            &["sh", "-c", "echo sorry, {host} is down; : {bootstrap}"],
            "sorry, pod is down",
        ),
    ] {
        let job = job(&folder, command, "");
        let ended = run_job(&folder, &job, 4);
        assert!(ended.stderr.contains(said), "{command:?}: {}", ended.stderr);
    }
}

#[test]
fn folders_that_others_could_write_to_are_passed_over() {
    let name = format!("logstitch-{}", uid());
    type Spoil = fn(&Path);
    let spoils: [(&str, Spoil); 4] = [
        ("open to all", |path| {
            std::fs::create_dir(path).unwrap();
            let all = std::fs::Permissions::from_mode(0o777);
            std::fs::set_permissions(path, all).unwrap();
        }),
        ("a link", |path| {
            let elsewhere = path.with_file_name("elsewhere");
            std::fs::create_dir(&elsewhere).unwrap();
            let own = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(&elsewhere, own).unwrap();
            symlink(elsewhere, path).unwrap();
        }),
        ("a file", |path| std::fs::write(path, "").unwrap()),
        ("another user's", |path| {
            std::fs::create_dir(path).unwrap();
            let own = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(path, own).unwrap();
            if uid() == "0" {
                run(Command::new("chown").arg("65534").arg(path));
            } else {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o750)).unwrap();
            }
        }),
    ];
    for (what, spoil) in spoils {
        let folder = Folder::new("spoilt");
        let asked = folder.path().join("asked");
        std::fs::create_dir(&asked).unwrap();
        spoil(&asked.join(&name));
        deploy(&folder, &format!("deploy_dir = \"{}\"", asked.display()), 0);
        assert_eq!(row_count(&folder), 1, "{what}");
        let cache = folder.path().join("cache/logstitch");
        assert_eq!(names(&cache).len(), 1, "{what}: it went to the next folder");
        assert!(
            !asked.join("elsewhere").exists() || names(&asked.join("elsewhere")).is_empty(),
            "{what}"
        );
    }
    // One that is as it should be is taken first.
    let folder = Folder::new("asked");
    let asked = folder.path().join("asked");
    deploy(&folder, &format!("deploy_dir = \"{}\"", asked.display()), 0);
    assert_eq!(names(&asked.join(name)).len(), 1);
    assert!(!folder.path().join("cache").exists());
}

/// A mount that is gone when the test is.
pub struct Mount(PathBuf);

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

pub fn mount(path: PathBuf, options: &str) -> Option<Mount> {
    std::fs::create_dir_all(&path).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(&path)
        .output()
        .unwrap();
    mounted.status.success().then_some(Mount(path))
}

#[test]
fn folders_where_nothing_runs_or_fits_are_passed_over() {
    for options in ["noexec", "size=64k", "ro"] {
        let folder = Folder::new("mounted");
        let asked = folder.path().join("asked");
        let Some(_mount) = mount(asked.clone(), options) else {
            assert_ne!(uid(), "0", "root can mount");
            return;
        };
        deploy(&folder, &format!("deploy_dir = \"{}\"", asked.display()), 0);
        assert_eq!(row_count(&folder), 1, "{options}");
        let cache = folder.path().join("cache/logstitch");
        assert_eq!(names(&cache).len(), 1, "{options}");
    }
}

/// A far end whose `uname`, or another command, is the test's.
fn far_with(folder: &Folder, program: &str, script: &str) -> PathBuf {
    let path = folder.write(&format!("bin/{program}"), format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!(
        "PATH={}:{}",
        folder.path().join("bin").display(),
        std::env::var("PATH").unwrap()
    );
    let far = far(folder);
    let mut command = vec!["env", &path];
    command.extend(far.iter().map(String::as_str));
    job(folder, &command, "")
}

#[test]
fn a_host_of_another_kind_is_told_which_mapper_is_missing() {
    let folder = Folder::new("arch");
    let job = far_with(&folder, "uname", "echo Linux riscv64");
    let ended = run_job(&folder, &job, 4);
    assert!(
        ended
            .stderr
            .contains("there is no mapper for Linux riscv64")
            && ended.stderr.contains("logstitch-mapper-riscv64"),
        "{}",
        ended.stderr
    );
}

#[test]
fn a_mapper_that_cannot_be_verified_does_not_run() {
    let folder = Folder::new("verify");
    // Whatever arrives, its sum is another one: every folder is tried, none is trusted.
    let job = far_with(&folder, "sha256sum", "echo 0000 -");
    let ended = run_job(&folder, &job, 4);
    assert!(
        ended.stderr.contains("did not arrive whole") && ended.stderr.contains("deploy_dir"),
        "{}",
        ended.stderr
    );
    assert!(names(&folder.path().join("cache/logstitch")).is_empty());
}

#[test]
fn a_mapper_of_another_build_is_not_sent() {
    let folder = Folder::new("build");
    let mapper = folder.write("mapper", "#!/bin/sh\n");
    let ended = deploy(&folder, &format!("mapper = \"{}\"", mapper.display()), 4);
    assert!(
        ended.stderr.contains("not an executable for Linux"),
        "{}",
        ended.stderr
    );
    std::fs::copy("/bin/sh", &mapper).unwrap();
    let ended = deploy(&folder, &format!("mapper = \"{}\"", mapper.display()), 4);
    assert!(
        ended.stderr.contains("of another build"),
        "{}",
        ended.stderr
    );
}

#[test]
fn the_mapper_that_the_job_names_is_sent() {
    let folder = Folder::new("named");
    let named = folder.path().join("mapper");
    let mut mapper = std::fs::read(env!("CARGO_BIN_EXE_logstitch")).unwrap();
    // Not the runner's own any more, and one of this build still.
    mapper.push(0);
    std::fs::write(&named, &mapper).unwrap();
    deploy(&folder, &format!("mapper = \"{}\"", named.display()), 0);
    assert_eq!(row_count(&folder), 1);
    let cache = folder.path().join("cache/logstitch");
    let deployed = names(&cache);
    assert_eq!(std::fs::read(cache.join(&deployed[0])).unwrap(), mapper);
}

#[test]
fn a_connection_that_is_cut_while_the_mapper_is_sent_leaves_nothing_behind() {
    let folder = Folder::new("cut");
    let cache = format!("XDG_CACHE_HOME={}", folder.path().join("cache").display());
    // A byte at a time, as what waits in a buffer is never heard; the shell lets go of its stdin, so that nobody reads on.
    let some = "dd bs=1 count=200000 <&3 3<&- 2>/dev/null";
    let cut = format!("exec 3<&0; {some} | {{ {{bootstrap}}; }} 3<&- & exec <&- 3<&-; wait");
    let job = job(&folder, &["env", &cache, "sh", "-c", &cut], "");
    let ended = run_job(&folder, &job, 4);
    assert!(
        ended.stderr.contains("did not arrive whole"),
        "{}",
        ended.stderr
    );
    assert!(names(&folder.path().join("cache/logstitch")).is_empty());
}

#[test]
fn builds_that_nobody_uses_any_more_are_swept() {
    let folder = Folder::new("sweep");
    let cache = folder.path().join("cache/logstitch");
    std::fs::create_dir_all(&cache).unwrap();
    std::fs::set_permissions(&cache, std::fs::Permissions::from_mode(0o700)).unwrap();
    for (name, age) in [("old", "60 days ago"), ("young", "2 days ago")] {
        let path = cache.join(name);
        std::fs::write(&path, "").unwrap();
        run(Command::new("touch").args(["-d", age]).arg(&path));
    }
    deploy(&folder, "", 0);
    let left = names(&cache);
    assert!(
        left.len() == 2 && left.contains(&"young".to_owned()),
        "{left:?}"
    );
}

#[test]
fn limits_are_kept() {
    let folder = Folder::new("limits");
    deploy(
        &folder,
        "[limits]\nnice = 7\nopen_files = 64\nread_rate = \"100MB/s\"\nthreads = 1",
        0,
    );
    assert_eq!(row_count(&folder), 1);
}
