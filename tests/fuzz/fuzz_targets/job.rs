//! Any bytes as a job file: a job or mistakes, never a panic. What comes after the first NUL is the command line,
//! a `--set` a line, and the answer of every host list.
#![no_main]

mod room;

use std::path::Path;

use jobspec::{Request, Source, compile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| room::in_room(bytes, read));

fn read(bytes: &[u8]) {
    let mut parts = bytes.splitn(2, |byte| *byte == 0);
    let file = parts.next().unwrap_or_default();
    let beside = parts.next();
    let set: Vec<String> = beside
        .map(|text| {
            String::from_utf8_lossy(text)
                .lines()
                .take(20)
                .map(str::to_owned)
                .collect()
        })
        .unwrap_or_default();
    let source = Source {
        name: "job.toml",
        bytes: file,
        folder: Path::new("."),
    };
    let request = Request {
        set: &set,
        host_list: &|_| Ok(beside.map(<[u8]>::to_vec)),
        ..Request::at(1_768_905_000_000_000_000)
    };
    match compile(&source, &request) {
        Ok(job) => {
            if let Some(refusals) = job.refusals() {
                assert!(!refusals.to_string().is_empty());
            }
        }
        Err(mistakes) => {
            let shown = mistakes.to_string();
            assert!(shown.contains(": error: "));
            assert!(!shown.contains('\u{1b}'));
        }
    }
}
