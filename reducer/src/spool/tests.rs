//! What was committed comes back; what a killed run has left half is not there; what was damaged is an error.

use jobspec::plan::{Limits, TimeRange};
use mapper::message::SplitPartial;
use mapper::operator::append_record;

use super::*;
use crate::spill::Cursor;
use crate::testing::{Folder, Random, unpacked};

fn head() -> Head {
    Head {
        build: BUILD.to_owned(),
        plan: Plan {
            job: "test".to_owned(),
            range: TimeRange::default(),
            timezone: "UTC".to_owned(),
            fields: Vec::new(),
            formats: Vec::new(),
            logs: Vec::new(),
            operators: Vec::new(),
            line_numbers: false,
            limits: Limits::default(),
        },
        hosts: vec![HostHead {
            name: "here".to_owned(),
            group: "here".to_owned(),
            logs: Vec::new(),
        }],
        started_ns: 0,
        require_percent: 100.0,
        checks: Vec::new(),
    }
}

/// Part number so and so: two operators, the first with records that differ from part to part.
fn part(number: u32, random: &mut Random) -> Part {
    let mut run = Vec::new();
    for key in 0..random.pick(&[0, 3, 4000]) {
        let value = random.bytes(60);
        append_record(&u32::to_be_bytes(key * 7 + number), &value, &mut run);
    }
    Part {
        range: SegmentRange {
            stream: 0,
            first: number,
            end: number + 1,
        },
        partials: vec![
            SplitPartial {
                core: Blob(vec![number as u8]),
                run: Blob(chunks::pack(&run)),
            },
            SplitPartial {
                core: Blob(b"core".to_vec()),
                run: Blob::default(),
            },
        ],
        tally: Blob(b"tally".to_vec()),
    }
}

fn records(run: Run) -> Result<Vec<u8>, Error> {
    let mut cursor = Cursor::new(run);
    let mut bytes = Vec::new();
    while cursor.advance()? {
        append_record(cursor.key(), cursor.value(), &mut bytes);
    }
    Ok(bytes)
}

/// The parts of a spool and their runs, as far as they are there.
fn read(folder: &Path) -> Result<Vec<(u32, Vec<u8>)>, Error> {
    let spool = Spool::open(&[folder.to_owned()])?;
    let mut runs = spool.runs(0).into_iter();
    assert!(spool.runs(1).is_empty() && spool.runs(2).is_empty());
    let mut found = Vec::new();
    for part in &spool.hosts[0].parts {
        let record = spool.part(0, part)?;
        assert_eq!(record.range, part.range);
        assert_eq!(record.cores[0].0, [part.range.first as u8]);
        let run = match part.runs[0].raw_bytes {
            0 => Vec::new(),
            _ => records(runs.next().expect("a run for each part that has records"))?,
        };
        found.push((part.range.first, run));
    }
    Ok(found)
}

#[test]
fn parts_come_back_as_far_as_they_are_whole() {
    let folder = Folder::new("spool");
    let mut random = Random::new(3);
    let mut writer = Writer::create(folder.path(), &head()).unwrap();
    let parts: Vec<Part> = (0..8).map(|number| part(number, &mut random)).collect();
    let written: Vec<(u32, Vec<u8>)> = parts
        .iter()
        .map(|part| (part.range.first, unpacked(&part.partials[0].run.0)))
        .collect();
    writer.manifest(0, Manifest::default()).unwrap();
    // Committed in any order, indexed in theirs.
    for part in parts.into_iter().rev() {
        writer.part(0, part).unwrap();
    }
    let report = HostReport {
        state: HostState::Ok,
        ..HostReport::default()
    };
    writer.report(0, report).unwrap();
    drop(writer);
    assert_eq!(read(folder.path()).unwrap(), written);

    let path = folder.path().join("0.parts");
    let whole = std::fs::read(&path).unwrap();
    let (mut cut, mut refused) = (0, 0);
    for _ in 0..200 {
        let at = random.below(whole.len());
        std::fs::write(&path, &whole[..at]).unwrap();
        let found = read(folder.path()).unwrap();
        cut += usize::from(!found.is_empty());
        assert!(written.ends_with(&found), "cut at {at}");

        let mut damaged = whole.clone();
        damaged[at] ^= 1 << random.below(8);
        std::fs::write(&path, &damaged).unwrap();
        match read(folder.path()) {
            // A length that reaches beyond the end is a torn end.
            Ok(found) => assert!(written.ends_with(&found), "damaged at {at}"),
            Err(error) => {
                refused += 1;
                assert!(error.to_string().contains("0.parts"), "{error}");
            }
        }
    }
    assert!(cut > 50 && refused > 150, "{cut} cut, {refused} refused");
}
