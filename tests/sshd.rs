//! Real sshds on the loopback, each with a key, a configuration and a cache folder of its own, and the user's side of
//! it: keys, known_hosts, a configuration that names them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::harness::{Folder, Run, logstitch};

/// Longer than anything here takes, but for a machine that hangs.
const PATIENCE: Duration = Duration::from_secs(300);

/// One sshd.
pub struct Sshd {
    pub name: String,
    pub address: String,
    pub port: u16,
    /// Its cache folder, where mappers are deployed.
    pub cache: PathBuf,
    folder: PathBuf,
    child: Child,
}

/// Where an sshd runs, if not plainly on this machine: its address, and the command that starts it there.
pub struct Around {
    pub address: String,
    pub command: Vec<String>,
}

impl Default for Around {
    fn default() -> Around {
        Around {
            address: "127.0.0.1".to_owned(),
            command: Vec::new(),
        }
    }
}

/// Some sshds and a user who may log in to them.
pub struct Site {
    pub folder: Folder,
    pub sshds: Vec<Sshd>,
}

impl Site {
    /// Sshds with these names, known and reachable by them.
    pub fn new(name: &str, hosts: &[&str]) -> Site {
        let mut site = Site {
            folder: Folder::new(name),
            sshds: Vec::new(),
        };
        site.key("id");
        for host in hosts {
            site.add(host, "");
        }
        site
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the outputs of that name go.
    pub fn out(&self, name: &str) -> PathBuf {
        self.path("out").join(name)
    }

    /// Makes a key pair.
    pub fn key(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"])
            .arg(&path));
        path
    }

    /// Starts one more sshd; `more` is of its configuration.
    pub fn add(&mut self, host: &str, more: &str) -> &Sshd {
        self.add_around(host, more, Around::default())
    }

    /// The same, somewhere else.
    pub fn add_around(&mut self, host: &str, more: &str, around: Around) -> &Sshd {
        let folder = self.path(host);
        std::fs::create_dir_all(&folder).unwrap();
        run(Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", host, "-f"])
            .arg(folder.join("host_key")));
        let authorized = std::fs::read(self.path("id.pub")).unwrap();
        std::fs::write(folder.join("authorized_keys"), authorized).unwrap();
        self.sshds.push(Sshd::start(host, &folder, more, around));
        self.write_config("");
        self.write_known_hosts();
        self.sshds.last().unwrap()
    }

    /// The user's configuration; `more` comes first, and so wins.
    pub fn write_config(&self, more: &str) {
        let mut text = more.to_owned();
        for sshd in &self.sshds {
            text.push_str(&format!(
                "Host {0}\n  HostName {1}\n  Port {2}\n  HostKeyAlias {0}\n",
                sshd.name, sshd.address, sshd.port
            ));
        }
        let folder = self.folder.path().display();
        text.push_str(&format!(
            "Host *\n  IdentityFile {folder}/id\n  IdentityAgent none\n  IdentitiesOnly yes\n  UserKnownHostsFile {folder}/known_hosts\n  \
             GlobalKnownHostsFile none\n  StrictHostKeyChecking yes\n"
        ));
        self.folder.write("ssh_config", text);
    }

    pub fn write_known_hosts(&self) {
        let lines = self
            .sshds
            .iter()
            .map(|sshd| format!("{} {}\n", sshd.name, sshd.public_key()));
        self.folder.write("known_hosts", lines.collect::<String>());
    }

    /// The program, with the user's configuration.
    pub fn logstitch(&self, job: &Path, out: &str) -> Run {
        self.command("run", job).arg("--out").arg(self.out(out))
    }

    /// Another command of it, on a job.
    pub fn command(&self, command: &str, job: &Path) -> Run {
        logstitch([Path::new(command), job])
            .env("LOGSTITCH_SSH_CONFIG", self.path("ssh_config"))
            .env("SSH_AUTH_SOCK", "")
    }

    /// What a run has spooled that is not finished yet; None before it has begun.
    pub fn spooled(&self, out: &str) -> Option<reducer::spool::Spool> {
        let spool = self.path("out").join(format!(".{out}.partial/spool"));
        reducer::spool::Spool::open(&[spool]).ok()
    }

    /// Waits until so many parts of a run's first host are spooled, or at least its manifest.
    pub fn wait_for_parts(&self, out: &str, parts: usize) {
        let is_there = || {
            self.spooled(out).is_some_and(|spool| {
                spool.hosts[0].manifest.is_some() && spool.hosts[0].parts.len() >= parts
            })
        };
        assert!(wait_until(is_there), "{parts} parts never came");
    }

    /// OpenSSH's own client, with the same configuration.
    pub fn ssh(&self, host: &str, command: &str) -> bool {
        let output = Command::new("ssh")
            .arg("-F")
            .arg(self.path("ssh_config"))
            .args(["-o", "BatchMode=yes", "-o", "LogLevel=ERROR", host, command])
            .env("SSH_AUTH_SOCK", "")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        output.status.success()
    }

    pub fn sshd(&self, name: &str) -> &Sshd {
        self.sshds.iter().find(|sshd| sshd.name == name).unwrap()
    }
}

impl Sshd {
    fn start(name: &str, folder: &Path, more: &str, around: Around) -> Sshd {
        // As root, this is where sshd keeps its unprivileged part.
        let _ = std::fs::create_dir_all("/run/sshd");
        let cache = folder.join("cache");
        loop {
            // Another process may take the port before sshd does: then another port.
            let port = free_port();
            let shown = folder.display();
            let address = &around.address;
            let penalties = penalties();
            // Of this one the last line counts, not the first.
            let startups = match more.contains("MaxStartups") {
                true => "",
                false => "MaxStartups 100",
            };
            // A home of its own: what this machine's user has a login shell do first is no part of any test.
            let config = format!(
                "{more}\n{penalties}\n{startups}\nPort {port}\nListenAddress {address}\nHostKey {shown}/host_key\nPidFile none\nUsePAM no\nStrictModes no\n\
                 PermitRootLogin yes\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n\
                 AuthorizedKeysFile {shown}/authorized_keys\nSetEnv HOME={shown} XDG_CACHE_HOME={}\n",
                cache.display()
            );
            std::fs::write(folder.join("sshd_config"), config).unwrap();
            let log = std::fs::File::create(folder.join("log")).unwrap();
            // A full path: sshd starts itself again for every connection.
            let mut arguments = around.command.iter().map(String::as_str);
            let mut arguments = { &mut arguments }.chain(["/usr/sbin/sshd", "-D", "-e", "-f"]);
            let mut child = Command::new(arguments.next().unwrap())
                .args(arguments)
                .arg(folder.join("sshd_config"))
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .expect("sshd is installed (tests/run does it)");
            let log_text = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            let is_up = || log_text().contains("Server listening on");
            wait_until(|| is_up() || child.try_wait().unwrap().is_some());
            if is_up() {
                return Sshd {
                    name: name.to_owned(),
                    address: around.address,
                    port,
                    cache,
                    folder: folder.to_owned(),
                    child,
                };
            }
            let _ = child.kill();
            let _ = child.wait();
            let log = log_text();
            assert!(log.contains("Address already in use"), "sshd: {log}");
        }
    }

    /// `type base64` of its host key.
    pub fn public_key(&self) -> String {
        public_key(&self.folder.join("host_key.pub"))
    }

    /// What it has said.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// Writes who may log in.
    pub fn authorize(&self, keys: &str) {
        std::fs::write(self.folder.join("authorized_keys"), keys).unwrap();
    }

    /// Its processes that each serve one connection.
    pub fn sessions(&self) -> Vec<u32> {
        children(self.child.id())
    }

    /// Mappers that run from its cache folder.
    pub fn mappers(&self) -> Vec<u32> {
        mappers_below(&self.cache)
    }

    /// Files of its cache folder that are mappers.
    pub fn deployed(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.cache.join("logstitch")) else {
            return Vec::new();
        };
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Also those that a test has stopped, which would not end by themselves.
        for process in self.sessions().into_iter().chain(self.mappers()) {
            signal("KILL", process);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Newer sshds shut out for a while who has often failed, and tests fail on purpose: a line that keeps them from it.
fn penalties() -> &'static str {
    static KNOWN: OnceLock<bool> = OnceLock::new();
    const OFF: &str = "PerSourcePenalties no";
    let is_known = *KNOWN.get_or_init(|| {
        let asked = Command::new("/usr/sbin/sshd")
            .args(["-t", "-f", "/dev/null", "-o", OFF])
            .output()
            .expect("sshd is installed (tests/run does it)");
        !String::from_utf8_lossy(&asked.stderr).contains("Bad configuration option")
    });
    if is_known { OFF } else { "" }
}

/// The processes that a process has started.
pub fn children(parent: u32) -> Vec<u32> {
    processes()
        .into_iter()
        .filter(|(_, of, _)| *of == parent)
        .map(|(process, _, _)| process)
        .collect()
}

/// Mappers whose executable is below the folder; not the one that only says its version.
pub fn mappers_below(folder: &Path) -> Vec<u32> {
    let serves = |process: u32| {
        let arguments = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        arguments.ends_with(b"\0map\0")
    };
    processes()
        .into_iter()
        .filter(|(process, _, executable)| executable.starts_with(folder) && serves(*process))
        .map(|(process, _, _)| process)
        .collect()
}

/// Every process: its number, its parent's, its executable.
fn processes() -> Vec<(u32, u32, PathBuf)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(process) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let parent = fields
            .split_whitespace()
            .nth(1)
            .and_then(|text| text.parse().ok());
        let executable = std::fs::read_link(entry.path().join("exe")).unwrap_or_default();
        found.push((process, parent.unwrap_or(0), executable));
    }
    found
}

pub fn signal(name: &str, process: u32) {
    let sent = Command::new("kill")
        .args(["-s", name, &process.to_string()])
        .stderr(Stdio::null())
        .status();
    sent.unwrap();
}

/// Waits until it is so; false where it never is.
pub fn wait_until(mut is_so: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if is_so() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}

/// `type base64` of a public key file.
pub fn public_key(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap();
    text.split_whitespace()
        .take(2)
        .collect::<Vec<_>>()
        .join(" ")
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

pub fn run(command: &mut Command) {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}
