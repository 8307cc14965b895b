//! Runs of any records come back as they were; a file that was damaged is an error with its path, whatever the damage.

use super::*;
use crate::testing::{Folder, Random};

type Record = (Vec<u8>, Vec<u8>);

fn records(random: &mut Random, count: usize, longest: usize) -> Vec<Record> {
    let mut records: Vec<Record> = (0..count)
        .map(|_| (random.bytes(12), random.bytes(longest)))
        .collect();
    records.sort();
    records.dedup_by(|right, left| right.0 == left.0);
    records
}

fn spilled(spill: &mut Spill, records: &[Record]) -> Run {
    let mut writer = spill.begin().unwrap();
    for (key, value) in records {
        writer.push(key, value).unwrap();
    }
    writer.end().unwrap()
}

fn read(run: Run) -> Result<Vec<Record>, Error> {
    let mut cursor = Cursor::new(run);
    let mut records = Vec::new();
    while cursor.advance()? {
        records.push((cursor.key().to_vec(), cursor.value().to_vec()));
    }
    assert!(!cursor.advance()?, "an end stays the end");
    Ok(records)
}

#[test]
fn runs_come_back_as_they_were() {
    let folder = Folder::new("spill");
    for seed in 1..=60 {
        let mut random = Random::new(seed);
        let memory_bytes = random.pick(&[0, 40_000, 1 << 30]);
        let path = folder.path().join(format!("{seed}"));
        let mut spill = Spill::new(path.clone(), memory_bytes);
        let runs: Vec<_> = (0..3)
            .map(|_| {
                let count = random.pick(&[0, 1, 10, 500]);
                let longest = random.pick(&[0, 20, 3_000]);
                records(&mut random, count, longest)
            })
            .collect();
        let spilled: Vec<Run> = runs.iter().map(|run| spilled(&mut spill, run)).collect();
        assert_eq!(spill.runs(), 3);
        for (run, spilled) in runs.iter().zip(spilled) {
            let raw_bytes: usize = run
                .iter()
                .map(|(key, value)| 8 + key.len() + value.len())
                .sum();
            assert_eq!(spilled.raw_bytes, raw_bytes as u64, "seed {seed}");
            assert_eq!(read(spilled).unwrap(), *run, "seed {seed}");
            let mut bytes = Vec::new();
            for (key, value) in run {
                append_record(key, value, &mut bytes);
            }
            assert_eq!(read(Run::of_bytes(bytes)).unwrap(), *run, "seed {seed}");
        }
        drop(spill);
        assert!(!path.exists(), "a spill removes its file");
    }
}

#[test]
fn a_spill_is_its_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("spill-mode");
    let path = folder.path().join("file");
    let mut spill = Spill::new(path.clone(), 0);
    assert!(!path.exists(), "without a run there is no file");
    spilled(&mut spill, &[(b"key".to_vec(), Vec::new())]);
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // Whatever is there already is somebody else's.
    let mut other = Spill::new(path.clone(), 0);
    assert!(other.begin().is_err());
    drop(other);
    assert!(path.exists());
}

#[test]
fn a_damaged_file_is_an_error_with_its_path() {
    let folder = Folder::new("spill-damage");
    let mut random = Random::new(7);
    let path = folder.path().join("file");
    let mut spill = Spill::new(path.clone(), 40_000);
    let records = records(&mut random, 400, 60);
    let run = spilled(&mut spill, &records);
    let whole = std::fs::read(&path).unwrap();
    let fails = |bytes: &[u8], what: &str| {
        std::fs::write(&path, bytes).unwrap();
        let error = read(run.clone()).expect_err(what).to_string();
        assert!(error.contains("file"), "{what}: {error}");
    };
    for _ in 0..300 {
        let at = random.below(whole.len());
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << random.below(8);
        fails(&bytes, &format!("a bit of byte {at}"));
        fails(&whole[..at], &format!("cut at {at}"));
    }
    std::fs::write(&path, &whole).unwrap();
    assert_eq!(read(run).unwrap(), records);
}

#[test]
fn a_run_that_is_none_is_refused() {
    let record = |key: &[u8]| {
        let mut bytes = Vec::new();
        append_record(key, b"value", &mut bytes);
        bytes
    };
    for (bytes, error) in [
        ([record(b"b"), record(b"a")].concat(), "not sorted"),
        ([record(b"a"), record(b"a")].concat(), "not sorted"),
        (record(b"a")[..9].to_vec(), "ended inside"),
        (record(b"a")[..3].to_vec(), "ended inside"),
        ([255; 8].to_vec(), "ended inside"),
    ] {
        let found = read(Run::of_bytes(bytes)).unwrap_err().to_string();
        assert!(found.contains(error), "{found}");
    }
}

/// Whether the key before is still there to be compared with, or what was read since has taken its place.
#[test]
fn a_run_that_is_not_sorted_is_refused_wherever_its_chunks_end() {
    let folder = Folder::new("spill-order");
    let mut spill = Spill::new(folder.path().join("file"), 0);
    let value = [7; 40];
    for twice in 1..100_u8 {
        let keys = (0..100).map(|key| if key == twice { key - 1 } else { key });
        let records: Vec<Record> = keys.map(|key| (vec![key; 9], value.to_vec())).collect();
        let run = spilled(&mut spill, &records);
        let error = read(run).unwrap_err().to_string();
        assert!(error.contains("not sorted"), "{error}");
    }
}
