//! Any runs, merged with any budget, are one sorted map.

use std::collections::BTreeMap;

use mapper::operator::append_record;

use super::*;
use crate::testing::{Folder, Random};

struct Sums;

impl Records for Sums {
    fn check(&self, _host: u32, _key: &[u8], _value: &[u8]) -> Result<(), Mismatch> {
        Ok(())
    }

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
    each_key(runs, &Sums, &mut |key, values| {
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
        for _ in 0..most_runs {
            let mut records: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
            for _ in 0..random.below(200) {
                let value = random.below(1000) as u64;
                records.insert(random.bytes(key_length), value);
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

#[test]
fn a_merge_ends_where_it_is_told_to() {
    let mut bytes = Vec::new();
    for key in 0..10_u8 {
        append_record(&[key], &[], &mut bytes);
    }
    let mut seen = Vec::new();
    each_key(vec![Run::of_bytes(bytes)], &Sums, &mut |key, _| {
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
    let error = each_key(run(), &Sums, &mut |_, _| Err(full().into())).unwrap_err();
    assert_eq!(error.to_string(), "the disk is full");
    let error = each_key(run(), &Sums, &mut |_, _| Err(Mismatch.into())).unwrap_err();
    assert!(error.to_string().contains("not of its operator"), "{error}");
}
