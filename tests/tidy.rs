//! What a test can check of the tree: who may depend on whom, and what is deliberately absent.

use std::path::{Path, PathBuf};

use crate::harness::root;

/// Every Rust file below a folder, with its text.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path, text));
            }
        }
    }
    assert!(!found.is_empty(), "{folder}");
    found
}

/// A file's text without comments and what is only tested.
fn code(path: &Path, text: &str) -> String {
    let parts = ["tests", "tests.rs", "laws"];
    if path
        .components()
        .any(|part| parts.iter().any(|name| part.as_os_str() == *name))
    {
        return String::new();
    }
    let tested = text
        .split(
            "#[cfg(test)]
mod",
        )
        .next()
        .unwrap();
    let lines = tested
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join(
        "
",
    )
}

fn is(path: &Path, end: &str) -> bool {
    path.ends_with(end)
}

#[test]
fn dependencies_point_one_way() {
    for (folder, absent) in [
        (
            "jobspec/src",
            &[
                "mapper::",
                "reducer::",
                "tokio",
                "std::fs",
                "TcpStream",
                "UdpSocket",
                "SystemTime::now",
            ][..],
        ),
        (
            "mapper/src",
            &["reducer::", "tokio", "sqlparser", "toml::"][..],
        ),
        (
            "reducer/src",
            &[
                "tokio",
                "sqlparser",
                "toml::",
                "async fn",
                "mapper::open",
                "mapper::format",
            ][..],
        ),
    ] {
        for (path, text) in sources(folder) {
            let code = code(&path, &text);
            for word in absent {
                assert!(
                    !code.contains(word),
                    "{}: `{word}` does not belong there",
                    path.display()
                );
            }
        }
    }
    for package in ["jobspec", "mapper"] {
        let manifest = std::fs::read_to_string(root().join(package).join("Cargo.toml")).unwrap();
        for heavy in ["tokio", "parquet", "async-ssh2-tokio"] {
            assert!(
                !manifest.contains(heavy),
                "{package} is uploaded to hosts: {heavy} is too heavy for it"
            );
        }
    }
}

#[test]
fn values_become_bytes_in_one_place() {
    for folder in ["src", "jobspec/src", "mapper/src", "reducer/src"] {
        for (path, text) in sources(folder) {
            let code = code(&path, &text);
            if !is(&path, "mapper/src/frame.rs") && !is(&path, "reducer/src/spill.rs") {
                assert!(
                    !code.contains("bincode::"),
                    "{}: bincode is for frames and spilled runs",
                    path.display()
                );
            }
            if !is(&path, "mapper/src/open.rs") && !path.starts_with(root().join("mapper/src/open"))
            {
                assert!(
                    !code.contains("allow(unsafe_code)"),
                    "{}: unsafe is for opening files",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn every_file_says_what_it_is() {
    for folder in [
        "src",
        "jobspec/src",
        "mapper/src",
        "reducer/src",
        "tests",
        "benches",
    ] {
        if !root().join(folder).is_dir() {
            continue;
        }
        for (path, text) in sources(folder) {
            if path
                .components()
                .any(|part| part.as_os_str() == "fuzz" || part.as_os_str() == "target")
            {
                continue;
            }
            let header = text
                .lines()
                .take_while(|line| line.starts_with("//!"))
                .count();
            assert!(
                header >= 1,
                "{}: a file begins with what it is for (//!)",
                path.display()
            );
        }
    }
}
