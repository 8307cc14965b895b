//! Names the build, so that a runner never speaks to a mapper of another one.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

fn main() {
    // What the two sides share is what these folders say.
    let mut hasher = DefaultHasher::new();
    for folder in ["src", "../jobspec/src"] {
        println!("cargo::rerun-if-changed={folder}");
        hash_folder(Path::new(folder), &mut hasher);
    }
    println!("cargo::rustc-env=LOGSTITCH_BUILD={:016x}", hasher.finish());
}

fn hash_folder(folder: &Path, hasher: &mut DefaultHasher) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return;
    };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            hash_folder(&path, hasher);
        } else if let Ok(bytes) = std::fs::read(&path) {
            path.file_name().hash(hasher);
            bytes.hash(hasher);
        }
    }
}
