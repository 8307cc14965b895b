//! Every folder of testdata/jobs: run whole, finely cut and merged in other orders, to the same bytes, which are those
//! in its `expected`. `BLESS=1` writes them anew, to be read before they are committed.

use std::path::Path;

use crate::harness::{Folder, logstitch, names, root, rows};

/// Bytes of a plain file to a segment: whole, a few lines, less than a line. And the reducer's budget: its own, one that
/// a case may exceed, one that it does.
const ROUNDS: [(&str, &str); 4] = [
    ("1000000000", "1GiB"),
    ("3000", "64KiB"),
    ("64", "1GiB"),
    ("3000", "1KiB"),
];

#[test]
fn every_job_gives_its_rows_however_it_is_cut() {
    let jobs = root().join("testdata/jobs");
    let bless = std::env::var_os("BLESS").is_some();
    for name in names(&jobs) {
        let case = jobs.join(&name);
        let expected = case.join("expected");
        for (round, (segments, memory)) in ROUNDS.iter().enumerate() {
            let folder = Folder::new(&name);
            let out = folder.path().join("out");
            let job = case.join("job.toml");
            let run = logstitch([
                Path::new("run"),
                &job,
                Path::new("--verify"),
                Path::new("--out"),
                &out,
            ]);
            run.args(["--set", &format!("run.memory={memory}")])
                .env("LOGSTITCH_SEGMENT_BYTES", segments)
                .ends_with(0);
            assert!(
                !names(&out).iter().any(|name| name.contains("spill")),
                "{name}: nothing of a spill stays"
            );
            let rows = rows(&out);
            assert!(!rows.is_empty(), "{name}: no operator wrote rows");
            if bless && round == 0 {
                let _ = std::fs::remove_dir_all(&expected);
                std::fs::create_dir_all(&expected).unwrap();
                for (file, text) in &rows {
                    std::fs::write(expected.join(file), text).unwrap();
                }
            }
            let wanted = self::rows(&expected);
            let files = |rows: &[(String, String)]| {
                rows.iter()
                    .map(|(file, _)| file.clone())
                    .collect::<Vec<_>>()
            };
            assert_eq!(files(&rows), files(&wanted), "{name}");
            for ((file, text), (_, wanted)) in rows.iter().zip(&wanted) {
                same(
                    &format!(
                        "{name}/{file} in segments of {segments} bytes and {memory} of memory"
                    ),
                    text,
                    wanted,
                );
            }
        }
    }
}

/// Compares line by line: a failure shows the first line that differs, not two files.
pub fn same(what: &str, text: &str, wanted: &str) {
    for (number, (line, wanted)) in text.lines().zip(wanted.lines()).enumerate() {
        assert_eq!(line, wanted, "{what}, row {}", number + 1);
    }
    assert_eq!(
        text.lines().count(),
        wanted.lines().count(),
        "{what}: number of rows"
    );
    assert_eq!(text, wanted, "{what}");
}
