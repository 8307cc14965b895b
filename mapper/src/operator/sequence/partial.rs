//! The candidates of every key: what a sequence learns on the hosts.
//!
//! On the wire it is a run sorted by key, and each key's candidates stand in the total order, so that the bytes are the
//! same however it came about and runs can be merged key by key.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;

use bstr::{BStr, BString};
use jobspec::value::{OwnedValue, Time, Value};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use super::shape::Bits;
use crate::entry::Place;
use crate::measure::{plainer, to_owned, value_bytes, with_text};
use crate::record::EntryRecord;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "SequenceParts")]
pub struct SequencePartial {
    pub keys: BTreeMap<Box<[u8]>, KeyPartial>,
    pub extent: Extent,
    pub misfits: u64,
}

/// What is known of one key.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KeyPartial {
    /// The key's parts, of values with one text the plainer.
    pub values: Box<[OwnedValue]>,
    /// Sorted by `settle`.
    pub candidates: Vec<Candidate>,
}

/// An entry that satisfies a step or `until`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    pub place: Place,
    pub bits: Bits,
    /// Where a row could show it.
    pub record: Option<Box<EntryRecord>>,
}

/// The first and the last time of all entries in scope, of whatever key and inside from/to or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extent(pub Option<(i64, i64)>);

impl Extent {
    pub fn see(&mut self, time: Time) {
        self.merge(Extent(Some((time.ns, time.ns))));
    }

    pub fn merge(&mut self, other: Extent) {
        self.0 = match (self.0, other.0) {
            (Some(held), Some(other)) => Some((held.0.min(other.0), held.1.max(other.1))),
            (held, other) => held.or(other),
        };
    }
}

impl Candidate {
    pub fn bytes(&self) -> usize {
        let record = self.record.as_ref();
        size_of::<Candidate>() + record.map_or(0, |record| record.bytes())
    }

    pub fn time_ns(&self) -> Option<i64> {
        (self.place.time_ns != Place::UNTIMED).then_some(self.place.time_ns)
    }
}

impl KeyPartial {
    pub fn bytes(&self) -> usize {
        let values: usize = self.values.iter().map(value_bytes).sum();
        let candidates: usize = self.candidates.iter().map(Candidate::bytes).sum();
        size_of::<KeyPartial>() + values + candidates
    }

    pub fn merge_key(&mut self, mut other: KeyPartial) {
        for (held, value) in self.values.iter_mut().zip(&other.values) {
            plainer(held, value);
        }
        // Either order will do: they are sorted once, when they are looked at.
        if self.candidates.len() < other.candidates.len() {
            std::mem::swap(&mut self.candidates, &mut other.candidates);
        }
        self.candidates.extend(other.candidates);
    }

    /// Puts the candidates into the total order, each entry once.
    pub fn settle(&mut self) {
        if self.is_settled() {
            return;
        }
        // Stable, as it is quick where the candidates are runs already.
        self.candidates.sort_by_key(|candidate| candidate.place);
        self.candidates.dedup_by(|next, held| {
            let same = next.place == held.place;
            if same {
                held.bits |= next.bits;
                held.record = held.record.take().or(next.record.take());
            }
            same
        });
    }

    pub fn is_settled(&self) -> bool {
        self.candidates
            .is_sorted_by(|left, right| left.place < right.place)
    }
}

impl SequencePartial {
    /// Adds an entry to a key, once however many steps give it this key.
    pub fn add(&mut self, key: &[u8], values: &[Value<'_>], candidate: Candidate) {
        if let Some(held) = self.keys.get_mut(key) {
            for (held, value) in held.values.iter_mut().zip(values) {
                plainer(held, value);
            }
            match held.candidates.last_mut() {
                Some(last) if last.place == candidate.place => {
                    last.bits |= candidate.bits;
                    last.record = last.record.take().or(candidate.record);
                }
                _ => held.candidates.push(candidate),
            }
            return;
        }
        let held = KeyPartial {
            values: values.iter().map(to_owned).collect(),
            candidates: vec![candidate],
        };
        self.keys.insert(key.into(), held);
    }

    /// Commutative.
    pub fn merge(mut self, mut other: SequencePartial) -> SequencePartial {
        if self.keys.len() < other.keys.len() {
            std::mem::swap(&mut self.keys, &mut other.keys);
        }
        for (key, partial) in other.keys {
            self.add_key(key, partial);
        }
        self.extent.merge(other.extent);
        self.misfits = self.misfits.saturating_add(other.misfits);
        self
    }

    fn add_key(&mut self, key: Box<[u8]>, partial: KeyPartial) {
        match self.keys.entry(key) {
            Slot::Occupied(mut held) => held.get_mut().merge_key(partial),
            Slot::Vacant(slot) => {
                slot.insert(partial);
            }
        }
    }
}

/// Appends the text of one part of a key, its length before it.
pub fn push_part(key: &mut Vec<u8>, value: &Value<'_>) {
    with_text(value, |text| {
        key.extend_from_slice(&(text.len() as u32).to_be_bytes());
        key.extend_from_slice(text);
    });
}

impl Serialize for SequencePartial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let run: Vec<(&BStr, SortedKey<'_>)> = self
            .keys
            .iter()
            .map(|(key, partial)| (BStr::new(key), SortedKey(partial)))
            .collect();
        let mut state = serializer.serialize_struct("SequencePartial", 3)?;
        state.serialize_field("run", &run)?;
        state.serialize_field("extent", &self.extent)?;
        state.serialize_field("misfits", &self.misfits)?;
        state.end()
    }
}

/// A key whose candidates go out in the total order, sorted or not.
struct SortedKey<'a>(&'a KeyPartial);

impl Serialize for SortedKey<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let KeyPartial { values, candidates } = self.0;
        if self.0.is_settled() {
            return (values, candidates).serialize(serializer);
        }
        let mut sorted: Vec<&Candidate> = candidates.iter().collect();
        sorted.sort_by_key(|candidate| candidate.place);
        (values, sorted).serialize(serializer)
    }
}

type KeyParts = (Box<[OwnedValue]>, Vec<Candidate>);

#[derive(Deserialize)]
#[serde(rename = "SequencePartial")]
struct SequenceParts {
    run: Vec<(BString, KeyParts)>,
    extent: Extent,
    misfits: u64,
}

impl From<SequenceParts> for SequencePartial {
    fn from(parts: SequenceParts) -> SequencePartial {
        let keys = parts.run.into_iter().map(|(key, (values, candidates))| {
            let partial = KeyPartial { values, candidates };
            (Vec::from(key).into_boxed_slice(), partial)
        });
        SequencePartial {
            keys: keys.collect(),
            extent: parts.extent,
            misfits: parts.misfits,
        }
    }
}
