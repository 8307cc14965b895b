//! Independent readers of what is written: Python in a venv under target/, its packages installed by whoever needs them
//! first. Without a network that is an error that says so.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::harness::root;

/// The interpreter of the venv, with these packages in it.
pub fn python(packages: &[&str]) -> PathBuf {
    let target = root().join("target");
    std::fs::create_dir_all(&target).unwrap();
    let folder = target.join("venv");
    // One at a time, over all threads and processes.
    let lock = File::create(target.join("venv.lock")).unwrap();
    lock.lock().unwrap();
    let python = folder.join("bin/python");
    if !python.exists() {
        done(Command::new("python3").arg("-m").arg("venv").arg(&folder));
    }
    for package in packages {
        let sign = folder.join(format!("installed-{package}"));
        if !sign.exists() {
            let pip = ["-m", "pip", "install", "--quiet", package];
            done(Command::new(&python).args(pip));
            File::create(&sign).unwrap();
        }
    }
    python
}

/// Runs a script with these arguments; what it prints.
pub fn script(packages: &[&str], text: &str, arguments: &[&Path]) -> String {
    let mut command = Command::new(python(packages));
    done(command.arg("-c").arg(text).args(arguments))
}

fn done(command: &mut Command) -> String {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}
