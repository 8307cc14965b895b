//! Any runs, merged with any budget, are one sorted map.

use std::collections::BTreeMap;

use mapper::operator::append_record;

use super::*;
use crate::testing::{Folder, Random};

/// Sums of numbers.
struct Sums;

impl Records for Sums {
    /// Commutative, and told from a value that was lost or counted twice.
    fn join(&self, _key: &[u8], values: &[&[u8]]) -> Result<Vec<u8>, Mismatch> {
        let mut sum = 0_u64;
        for value in values {
            let value = <[u8; 8]>::try_from(*value).map_err(|_| Mismatch)?;
            sum += u64::from_le_bytes(value);
        }
        Ok(sum.to_le_bytes().to_vec())
    }
}

fn merged(runs: Vec<Run>, memory_bytes: u64, spill: &mut Spill) -> BTreeMap<Vec<u8>, u64> {
    let runs = narrow(runs, memory_bytes, spill, &Sums).unwrap();
    let cost: u64 = runs.iter().map(Run::cost).sum();
    assert!(runs.len() <= 2 || cost <= memory_bytes);
    let mut merged = BTreeMap::new();
    each_key(runs, &mut |key, values| {
        let last = merged
            .last_key_value()
            .map(|(last, _): (&Vec<u8>, _)| last.clone());
        assert!(last.is_none_or(|last| last.as_slice() < key), "keys rise");
        let sum = Sums.join(key, values)?;
        let sum = u64::from_le_bytes(sum.try_into().unwrap());
        merged.insert(key.to_vec(), sum);
        Ok(ControlFlow::Continue(()))
    })
    .unwrap();
    merged
}

#[test]
fn any_runs_with_any_budget_are_one_sorted_map() {
    let folder = Folder::new("merge");
    for seed in 1..=80 {
        let mut random = Random::new(seed);
        let mut expected: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
        let memory_bytes = random.pick(&[0, 3_000, 30_000, 1 << 30]);
        let mut spill = Spill::new(folder.path().join(format!("{seed}")), memory_bytes);
        let mut runs = Vec::new();
        let most_runs = random.pick(&[1, 2, 3, 40]);
        let key_length = random.pick(&[1, 2, 9]);
        // Told apart by their first bytes, or beyond these alone.
        let head = random.pick(&[&b""[..], b"all keys begin so"]);
        for _ in 0..most_runs {
            let mut records: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
            for _ in 0..random.below(200) {
                let value = random.below(1000) as u64;
                let key = [head, &random.bytes(key_length)].concat();
                records.insert(key, value);
            }
            for (key, value) in &records {
                *expected.entry(key.clone()).or_default() += value;
            }
            if random.below(2) == 0 {
                let mut bytes = Vec::new();
                for (key, value) in &records {
                    append_record(key, &value.to_le_bytes(), &mut bytes);
                }
                runs.push(Run::of_bytes(bytes));
            } else {
                let mut writer = spill.begin().unwrap();
                for (key, value) in &records {
                    writer.push(key, &value.to_le_bytes()).unwrap();
                }
                runs.push(writer.end().unwrap());
            }
        }
        assert_eq!(
            merged(runs, memory_bytes, &mut spill),
            expected,
            "seed {seed}"
        );
    }
}

/// What each key comes with.
fn listed(each_key: impl FnOnce(&mut Visit<'_>), list: &mut Vec<(Vec<u8>, Vec<Vec<u8>>)>) {
    each_key(&mut |key, values| {
        let values = values.iter().map(|value| value.to_vec());
        list.push((key.to_vec(), values.collect()));
        Ok(ControlFlow::Continue(()))
    });
}

#[test]
fn batches_are_the_same_keys_a_few_at_a_time() {
    let mut random = Random::new(5);
    let runs: Vec<Run> = (0..5_u64)
        .map(|run| {
            let mut bytes = Vec::new();
            for key in 0..100_u64 {
                if random.below(3) > 0 {
                    append_record(&key.to_be_bytes(), &run.to_le_bytes(), &mut bytes);
                }
            }
            Run::of_bytes(bytes)
        })
        .collect();
    let mut expected = Vec::new();
    listed(
        |visit| each_key(runs.clone(), visit).unwrap(),
        &mut expected,
    );
    assert!(expected.len() > 90);
    for bytes in [0, 1, 16, 17, 300, 1 << 20] {
        let mut merged = Merged::new(runs.clone()).unwrap();
        let mut found = Vec::new();
        loop {
            let batch = merged.batch(bytes).unwrap();
            if batch.is_empty() {
                break;
            }
            // It ends with the key that fills it.
            let before = found.len();
            listed(|visit| assert!(batch.each_key(visit).is_ok()), &mut found);
            let lengths = found[before..].iter();
            let mut lengths: Vec<usize> = lengths.map(|(_, values)| 8 + 8 * values.len()).collect();
            let last = lengths.pop().unwrap();
            let others: usize = lengths.iter().sum();
            let is_last = found.len() == expected.len();
            assert!(others == 0 || others < bytes);
            assert!(others + last >= bytes || is_last);
        }
        assert_eq!(found, expected, "{bytes}");
    }
    let batch = Merged::new(runs).unwrap().batch(1 << 20).unwrap();
    let mut visited = 0;
    let ended = batch.each_key(&mut |_, _| {
        visited += 1;
        Ok(match visited {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    });
    assert!(ended.is_ok() && visited == 3);
}

#[test]
fn a_merge_ends_where_it_is_told_to() {
    let mut bytes = Vec::new();
    for key in 0..10_u8 {
        append_record(&[key], &[], &mut bytes);
    }
    let mut seen = Vec::new();
    each_key(vec![Run::of_bytes(bytes)], &mut |key, _| {
        seen.push(key[0]);
        Ok(match key[0] {
            3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        })
    })
    .unwrap();
    assert_eq!(seen, [0, 1, 2, 3]);
}

#[test]
fn a_value_of_another_operator_is_an_error() {
    let folder = Folder::new("merge-mismatch");
    let mut bytes = Vec::new();
    append_record(b"key", b"short", &mut bytes);
    let runs = vec![Run::of_bytes(bytes); 3];
    let mut spill = Spill::new(folder.path().join("file"), 0);
    let error = narrow(runs, 0, &mut spill, &Sums).unwrap_err();
    assert!(error.to_string().contains("not of its operator"), "{error}");
}

#[test]
fn a_fault_of_who_takes_the_keys_ends_the_merge() {
    let mut bytes = Vec::new();
    append_record(b"key", b"value", &mut bytes);
    let run = || vec![Run::of_bytes(bytes.clone())];
    let full = || Error::Other("the disk is full".to_owned());
    let error = each_key(run(), &mut |_, _| Err(full().into())).unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");
    let error = each_key(run(), &mut |_, _| Err(Mismatch.into())).unwrap_err();
    assert!(error.to_string().contains("not of its operator"), "{error}");
}

/// On disk it is named by its file; a batch says it of the first of the key's runs.
#[test]
fn a_key_that_is_refused_is_named_by_its_file() {
    let folder = Folder::new("merge-refused");
    let path = folder.path().join("file");
    let mut spill = Spill::new(path.clone(), 0);
    let mut writer = spill.begin().unwrap();
    writer.push(b"a", b"value").unwrap();
    writer.push(b"c", b"value").unwrap();
    let on_disk = writer.end().unwrap();
    let mut bytes = Vec::new();
    append_record(b"b", b"value", &mut bytes);
    append_record(b"c", b"value", &mut bytes);
    // The first has no key at all, and so no cursor.
    let mixed = vec![Run::of_bytes(Vec::new()), on_disk, Run::of_bytes(bytes)];
    for (refused, name) in [(b"a", path.to_str().unwrap()), (b"b", "a run in memory")] {
        let visit = &mut |key: &[u8], _: &[&[u8]]| match key == refused {
            true => Err(Fault::Mismatch),
            false => Ok(ControlFlow::Continue(())),
        };
        let alone = each_key(mixed.clone(), visit).unwrap_err().to_string();
        let mut merged = Merged::new(mixed.clone()).unwrap();
        let batch = merged.batch(1 << 20).unwrap();
        let in_batch = merged.error(batch.each_key(visit).unwrap_err()).to_string();
        for error in [alone, in_batch] {
            assert!(
                error.starts_with(&format!("{name}: a record that is not of its")),
                "{error}"
            );
        }
    }
}

#[test]
fn values_of_a_key_come_in_the_order_of_their_runs() {
    for seed in 1..=50 {
        let mut random = Random::new(seed);
        let runs: Vec<Run> = (0..20_u64)
            .map(|run| {
                let mut bytes = Vec::new();
                for key in 0..10_u8 {
                    if random.below(3) > 0 {
                        append_record(&[key], &run.to_le_bytes(), &mut bytes);
                    }
                }
                Run::of_bytes(bytes)
            })
            .collect();
        let mut keys = Vec::new();
        each_key(runs, &mut |key, values| {
            keys.push(key[0]);
            let numbers = values
                .iter()
                .map(|value| u64::from_le_bytes((*value).try_into().unwrap()));
            let numbers: Vec<u64> = numbers.collect();
            assert!(
                numbers.is_sorted_by(|left, right| left < right),
                "seed {seed}: {numbers:?}"
            );
            Ok(ControlFlow::Continue(()))
        })
        .unwrap();
        assert_eq!(keys, (0..10).collect::<Vec<u8>>(), "seed {seed}");
    }
}

/// Runs of so many records in memory, whose costs are known.
fn runs_of(lengths: &[u64]) -> Vec<Run> {
    let runs = lengths.iter().map(|length| {
        let mut bytes = Vec::new();
        for key in 0..*length {
            append_record(&key.to_be_bytes(), &1_u64.to_le_bytes(), &mut bytes);
        }
        Run::of_bytes(bytes)
    });
    runs.collect()
}

#[test]
fn no_more_is_merged_than_must_be() {
    let folder = Folder::new("merge-little");
    // The smallest are merged, wherever they stand; keys are the same, so that the sum is as long as the longest.
    let lengths = [900, 30, 800, 20, 65, 10];
    let costs: Vec<u64> = runs_of(&lengths).iter().map(Run::cost).collect();
    let total: u64 = costs.iter().sum();
    let narrowed = |memory_bytes: u64| {
        let path = folder.path().join(memory_bytes.to_string());
        let mut spill = Spill::new(path, memory_bytes);
        let runs = narrow(runs_of(&lengths), memory_bytes, &mut spill, &Sums).unwrap();
        let lengths: Vec<u64> = runs.iter().map(|run| run.raw_bytes / 24).collect();
        (lengths, spill.runs())
    };
    assert_eq!(narrowed(total), (lengths.to_vec(), 0), "all fits");
    assert_eq!(narrowed(total - 1), (vec![900, 30, 800, 65, 20], 1));
    // A run on disk costs its bytes twice: what this leaves is as much as there may be, to the byte.
    let spilled = |length: u64| costs[5] - 10 * 24 + 2 * length * 24;
    let left = total - costs[5] - costs[3] + spilled(20);
    assert!(left < total - 1);
    assert_eq!(narrowed(left), (vec![900, 30, 800, 65, 20], 1));
    // As long as what comes of them is taken for no more than the next, three are enough; then all that fit at once.
    let three = total - costs[5] - costs[3] - costs[1] + costs[4];
    assert_eq!(narrowed(three), (vec![900, 800, 65, 30], 1));
    assert_eq!(narrowed(three - 1), (vec![900, 800], 1));
    // The three smallest just fit, and those after them two by two; two are left however little there is.
    let smallest = costs[5] + costs[3] + costs[1];
    assert_eq!(narrowed(smallest), (vec![900, 800], 3));
    assert_eq!(narrowed(smallest - 1), (vec![900, 800], 4));
    assert_eq!(narrowed(0), (vec![900, 800], 4));
}
