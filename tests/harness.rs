//! A fresh folder and command for every test; a failure prints the command, the folder and both streams.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A folder of one test, removed when the test has passed.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    pub fn new(name: &str) -> Folder {
        Folder::within(&std::env::temp_dir(), name)
    }

    /// Where the machine has it, one of no disk: for very many small files.
    pub fn in_memory(name: &str) -> Folder {
        let memory = Path::new("/dev/shm");
        match memory.is_dir() {
            true => Folder::within(memory, name),
            false => Folder::new(name),
        }
    }

    fn within(parent: &Path, name: &str) -> Folder {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = parent.join(format!("logstitch-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder { path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file, with the folders above it.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> String {
        let path = self.path.join(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// One run of the program.
pub struct Run {
    command: Command,
    stderr: Option<std::fs::File>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    shown: String,
}

/// The program, with these arguments.
pub fn logstitch<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_logstitch"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .env_remove("RUST_LOG")
        .current_dir(root());
    Run {
        command,
        stderr: None,
    }
}

impl Run {
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Run {
        self.command.arg(argument);
        self
    }

    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Run {
        self.command.args(arguments);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Run {
        self.command.env(name, value);
        self
    }

    pub fn folder(mut self, folder: &Path) -> Run {
        self.command.current_dir(folder);
        self
    }

    /// Its stderr goes into a file, to be looked at while it runs.
    pub fn stderr_to(mut self, path: &Path) -> Run {
        self.stderr = Some(std::fs::File::create(path).unwrap());
        self
    }

    /// Starts it and comes back: for what happens while it runs.
    pub fn start(mut self) -> std::process::Child {
        let stderr = self.stderr.map_or_else(Stdio::piped, Stdio::from);
        self.command
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap()
    }

    pub fn end(mut self) -> Ended {
        let output = self.command.output().unwrap();
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let shown = format!(
            "{:?}\n{}\nstdout:\n{stdout}\nstderr:\n{stderr}",
            self.command, output.status
        );
        Ended {
            code: output.status.code().unwrap_or(-1),
            stdout,
            stderr,
            shown,
        }
    }

    /// Runs, and fails the test unless it exits with the code.
    #[track_caller]
    pub fn ends_with(self, code: i32) -> Ended {
        let ended = self.end();
        assert_eq!(ended.code, code, "{}", ended.shown);
        ended
    }
}

/// The names in a folder, sorted.
pub fn names(folder: &Path) -> Vec<String> {
    let entries =
        std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Every `.jsonl` of an output folder, by name.
pub fn rows(folder: &Path) -> Vec<(String, String)> {
    let jsonl = names(folder)
        .into_iter()
        .filter(|name| name.ends_with(".jsonl"));
    jsonl
        .map(|name| {
            (
                name.clone(),
                std::fs::read_to_string(folder.join(&name)).unwrap(),
            )
        })
        .collect()
}
