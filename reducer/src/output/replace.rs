//! A single file that is there whole or not at all: written beside its place and renamed into it.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::Error;

/// Puts a file in its place, with the folders above it. What stood there stays until the new one is on disk.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    replace_with(path, content, 0o666)
}

/// The same, and nobody else may read it.
pub fn replace_private(path: &Path, content: &[u8]) -> Result<(), Error> {
    replace_with(path, content, 0o600)
}

/// `mode` is cut by the process's umask.
fn replace_with(path: &Path, content: &[u8], mode: u32) -> Result<(), Error> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(parent).map_err(Error::io(parent))?;
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".partial");
    let partial = parent.join(name);
    // What a run that was killed has left may have another mode.
    let _ = std::fs::remove_file(&partial);
    let mut options = OpenOptions::new();
    let created = options.write(true).create_new(true).mode(mode);
    let written = created.open(&partial).and_then(|mut file| {
        file.write_all(content)?;
        file.sync_all()
    });
    let placed = written
        .map_err(Error::io(&partial))
        .and_then(|()| std::fs::rename(&partial, path).map_err(Error::io(path)));
    if placed.is_err() {
        // Nothing half written is left on a disk that is full; what is told is the first failure.
        let _ = std::fs::remove_file(&partial);
    }
    placed?;
    let synced = File::open(parent).and_then(|folder| folder.sync_all());
    synced.map_err(Error::io(parent))
}
