//! Linked sessions: ids that stand in one entry are joined, transitively, and what is joined is one session.
//!
//! The ids of an entry are its key, NULL for those that it has not, so the partial is that of sessions by key. Which ids
//! join is settled when all keys have come: whether an id is a hub depends on every entry of the job, and a decision
//! taken earlier would depend on which came first. So the keys alone are read first, of which a few bytes an id are held;
//! then records meet again by the component that their ids are of.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::BuildHasher;

use bstr::{BStr, ByteSlice};
use jobspec::expr::Misfits;
use jobspec::plan::Named;
use jobspec::value::Value;

use super::Session;
use super::compact::Compact;
use super::fragment::Fragment;
use super::partial::{KeyPartial, KeyRecord, Sessions};
use crate::frame;
use crate::measure::hash::Keyed;
use crate::operator::kind::{self, Kind};
use crate::operator::{Mismatch, Rows, Sources, key};
use crate::record::shown;

/// Hubs that are named, and the bytes of an id that its name shows.
const NAMED_HUBS: usize = 100;
const SHOWN_BYTES: usize = 200;
/// Pairs that are kept before it is looked for those that are there twice.
const LEAST_PAIRS: usize = 1 << 16;

/// All ids of a job by number, and what they join.
#[derive(Clone, Debug, Default)]
pub struct Links {
    /// By a fingerprint under this process' secret.
    numbers: HashMap<u128, u32, Keyed>,
    /// Ids that stand in one entry, either way round; up to `distinct` sorted, none twice.
    pairs: Vec<(u32, u32)>,
    distinct: usize,
    settled: Option<Settled>,
}

/// An id of a key: its field, its number, and as the key has it.
type Id<'a> = (usize, u32, &'a [u8]);

#[derive(Clone, Debug)]
struct Settled {
    /// By id: how many others stand beside it.
    others: Vec<u32>,
    /// A forest: an id's parent, itself where it is a root.
    parents: Vec<u32>,
    /// Keys that nothing joins, so far.
    alone: u64,
    /// The first hubs by field and text, cut short.
    hubs: BTreeSet<(usize, Vec<u8>, u32)>,
}

impl Links {
    pub fn learn(&mut self, key: &[u8]) -> Result<(), Mismatch> {
        let ids = self.ids(key)?;
        for (index, &(_, id, _)) in ids.iter().enumerate() {
            let others = ids.iter().enumerate().filter(|(other, _)| *other != index);
            self.pairs
                .extend(others.map(|(_, &(_, other, _))| (id, other)));
        }
        if self.pairs.len() > LEAST_PAIRS.max(2 * self.distinct) {
            self.compact();
        }
        Ok(())
    }

    fn compact(&mut self) {
        self.pairs.sort_unstable();
        self.pairs.dedup();
        self.distinct = self.pairs.len();
    }

    fn ids<'a>(&mut self, key: &'a [u8]) -> Result<Vec<Id<'a>>, Mismatch> {
        let hasher = Keyed::default();
        let parts = key::parts(key).enumerate();
        let ids = parts.filter_map(|(field, part)| Some((field, part.transpose()?)));
        let ids = ids.map(|(field, part)| {
            let part = part?;
            let half = |half: u64| u128::from(hasher.hash_one((field as u64, half, part)));
            let next = u32::try_from(self.numbers.len()).map_err(|_| Mismatch)?;
            let number = *self.numbers.entry(half(0) << 64 | half(1)).or_insert(next);
            Ok((field, number, part))
        });
        ids.collect()
    }

    fn settle(&mut self, hub: u32) {
        self.compact();
        let mut settled = Settled {
            others: vec![0; self.numbers.len()],
            parents: (0..self.numbers.len() as u32).collect(),
            alone: 0,
            hubs: BTreeSet::new(),
        };
        for (id, _) in &self.pairs {
            settled.others[*id as usize] += 1;
        }
        for (left, right) in std::mem::take(&mut self.pairs) {
            let joins = |id: u32| settled.others[id as usize] <= hub;
            if left < right && joins(left) && joins(right) {
                let (left, right) = (settled.root(left), settled.root(right));
                settled.parents[left.max(right) as usize] = left.min(right);
            }
        }
        self.settled = Some(settled);
    }

    /// What keys have in common that are of one component. The key has been learnt, and no other will be.
    pub fn component(&mut self, key: &[u8], hub: u32) -> Result<Vec<u8>, Mismatch> {
        if self.settled.is_none() {
            self.settle(hub);
        }
        let ids = self.ids(key)?;
        let settled = self.settled.as_mut().ok_or(Mismatch)?;
        let mut component = None;
        for (field, id, part) in ids {
            if *settled.others.get(id as usize).ok_or(Mismatch)? <= hub {
                component.get_or_insert(id);
                continue;
            }
            let text = key::text(part);
            let text = text[..text.len().min(SHOWN_BYTES)].to_vec();
            settled.hubs.insert((field, text, id));
            if settled.hubs.len() > NAMED_HUBS {
                settled.hubs.pop_last();
            }
        }
        let component = match component {
            Some(id) => u64::from(settled.root(id)),
            // Hubs alone join nothing: each such key is a component by itself.
            None => {
                settled.alone += 1;
                u64::from(u32::MAX) + settled.alone
            }
        };
        Ok(component.to_be_bytes().to_vec())
    }

    /// Says of every hub that it joins nothing, the first ones by name.
    pub fn note_hubs(&self, fields: &[Named], hub: u32, rows: &mut dyn Rows) {
        let Some(settled) = &self.settled else {
            return;
        };
        for (field, text, id) in &settled.hubs {
            let name = fields.get(*field).map_or("", |named| &named.name);
            let (text, others) = (text.to_str_lossy(), settled.others[*id as usize]);
            rows.note(format!(
                "{name} {text} joins nothing: it stands beside {others} other ids, more than hub = {hub}"
            ));
        }
        let hubs = settled.others.iter().filter(|others| **others > hub);
        let more = hubs.count() - settled.hubs.len();
        if more > 0 {
            rows.note(format!("{more} more ids join nothing"));
        }
    }
}

impl Settled {
    fn root(&mut self, mut id: u32) -> u32 {
        while self.parents[id as usize] != id {
            let above = self.parents[self.parents[id as usize] as usize];
            self.parents[id as usize] = above;
            id = above;
        }
        id
    }
}

impl Session {
    /// The partials of several keys, each key once, keys rising. What is decoded is of this operator.
    pub(super) fn join_linked<'v>(
        &self,
        values: &[&'v [u8]],
    ) -> Result<Vec<(&'v BStr, KeyPartial<'v>)>, Mismatch> {
        let mut whole: BTreeMap<&BStr, KeyPartial<'v>> = BTreeMap::new();
        for value in values {
            let keys: Vec<(&BStr, KeyRecord<&BStr, Sessions>)> =
                frame::from_bytes(value).map_err(|_| Mismatch)?;
            for (key, record) in keys {
                let held = self.decoded(key, record)?;
                match whole.get_mut(key) {
                    Some(whole) => self.add_key(whole, held),
                    None => {
                        whole.insert(key, held);
                    }
                }
            }
        }
        let mut keys: Vec<_> = whole.into_iter().collect();
        for (_, held) in &mut keys {
            self.settle(&mut held.sessions);
        }
        Ok(keys)
    }

    /// The rows of a component.
    pub(super) fn finish_linked(
        &self,
        keys: Vec<(&BStr, KeyPartial<'_>)>,
        sources: &dyn Sources,
        rows: &mut dyn Rows,
    ) -> Result<(), Mismatch> {
        let misfits = Misfits::default();
        let mut values = Vec::with_capacity(keys.len());
        let mut fragments: Vec<(Fragment, Vec<usize>)> = Vec::new();
        let mut entries: Vec<(Compact, usize)> = Vec::new();
        for (index, (key, held)) in keys.into_iter().enumerate() {
            values.push(kind::values(key, &held.kinds).ok_or(Mismatch)?);
            match held.sessions {
                Sessions::Fragments(held) => {
                    fragments.extend(held.into_iter().map(|held| (held, vec![index])));
                }
                Sessions::Entries(held) => {
                    entries.extend(held.into_iter().map(|held| (held, index)));
                }
            }
        }
        let ids = Ids::new(values);
        let mut sessions = self.joined_linked(fragments);
        sessions.extend(self.cut(entries));
        for (fragment, keys) in sessions {
            let ids = ids.of(&self.key, keys);
            self.push_rows(&ids, fragment, &misfits, sources, rows);
        }
        Ok(())
    }

    fn joined_linked(
        &self,
        mut fragments: Vec<(Fragment, Vec<usize>)>,
    ) -> Vec<(Fragment, Vec<usize>)> {
        fragments.sort_by_key(|(fragment, _)| fragment.start_ns());
        let mut joined: Vec<(Fragment, Vec<usize>)> = Vec::new();
        for (fragment, keys) in fragments {
            match joined.last_mut() {
                Some((last, held)) if self.is_near(last.end_ns(), fragment.start_ns()) => {
                    last.merge(fragment, &self.measures, self.timeline);
                    held.extend(keys);
                }
                _ => joined.push((fragment, keys)),
            }
        }
        joined
    }
}

/// The ids of a component, as rows show them.
struct Ids<'k> {
    /// By field and text.
    shown: BTreeMap<(usize, Vec<u8>), Value<'k>>,
    /// Of each key.
    values: Vec<Vec<Value<'k>>>,
}

impl<'k> Ids<'k> {
    fn new(values: Vec<Vec<Value<'k>>>) -> Ids<'k> {
        let mut shown: BTreeMap<(usize, Vec<u8>), Value<'k>> = BTreeMap::new();
        for (field, value) in values.iter().flat_map(|values| values.iter().enumerate()) {
            if value.is_null() {
                continue;
            }
            let held = shown.entry((field, value.to_text().into_owned()));
            let held = held.or_insert_with(|| value.clone());
            if Kind::of(value) < Kind::of(held) {
                *held = value.clone();
            }
        }
        Ids { shown, values }
    }

    /// Those of some keys by field, each once; hubs too.
    fn of(&self, fields: &[Named], mut keys: Vec<usize>) -> Value<'k> {
        keys.sort_unstable();
        keys.dedup();
        let named = fields.iter().enumerate().map(|(field, named)| {
            let values = keys.iter().filter_map(|key| self.values[*key].get(field));
            let texts: BTreeSet<(usize, Vec<u8>)> = values
                .filter(|value| !value.is_null())
                .map(|value| (field, value.to_text().into_owned()))
                .collect();
            let mut list: Vec<&Value<'k>> =
                texts.iter().filter_map(|id| self.shown.get(id)).collect();
            list.sort_by(|left, right| left.total_cmp(right));
            let list = list.into_iter().cloned().map(shown).collect();
            (Cow::Owned(named.name.clone()), Value::List(list))
        });
        Value::Object(named.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(ids: &[Value<'_>]) -> Vec<u8> {
        let mut key = Vec::new();
        ids.iter().for_each(|id| key::push(&mut key, id));
        key
    }

    #[derive(Default)]
    struct Notes(Vec<String>);

    impl Rows for Notes {
        fn push(&mut self, _row: &[Value<'_>]) {}

        fn push_keyed(&mut self, _key: &[u8], _row: &[Value<'_>]) {}

        fn note(&mut self, note: String) {
            self.0.push(note);
        }
    }

    /// A number for each component, in the order of its first key; and what is said of hubs.
    fn components(keys: &[Vec<u8>], hub: u32) -> (Vec<usize>, Vec<String>) {
        let mut links = Links::default();
        for key in keys {
            links.learn(key).unwrap();
        }
        let found: Vec<Vec<u8>> = keys
            .iter()
            .map(|key| links.component(key, hub).unwrap())
            .collect();
        let numbers = found
            .iter()
            .map(|one| found.iter().position(|other| other == one).unwrap());
        let fields = ["request", "user"].map(|name| Named {
            name: name.to_owned(),
            expr: jobspec::expr::Expr::Literal(Value::Null),
        });
        let mut notes = Notes::default();
        links.note_hubs(&fields, hub, &mut notes);
        (numbers.collect(), notes.0)
    }

    #[test]
    fn an_id_with_more_others_than_hub_joins_nothing() {
        let text = |text: &'static str| Value::text(text.as_bytes());
        let keys = [
            key(&[text("a"), Value::Int(7)]),
            key(&[text("b"), text("7")]),
            key(&[Value::Null, Value::Int(7)]),
            key(&[text("7"), Value::Null]),
        ];
        assert_eq!(components(&keys, 2), (vec![0, 0, 0, 3], vec![]));
        let user = |hub| {
            format!("user 7 joins nothing: it stands beside 2 other ids, more than hub = {hub}")
        };
        assert_eq!(components(&keys, 1), (vec![0, 1, 2, 3], vec![user(1)]));
        let request = |id| {
            format!("request {id} joins nothing: it stands beside 1 other ids, more than hub = 0")
        };
        let notes = vec![request("a"), request("b"), user(0)];
        assert_eq!(components(&keys, 0), (vec![0, 1, 2, 3], notes));
    }

    #[test]
    fn many_and_long_hubs_are_named_in_short() {
        let text = |number: u32| Value::owned_text(format!("{number:05}{}", "x".repeat(1000)));
        let keys: Vec<Vec<u8>> = (0..150)
            .map(|number| key(&[text(number), text(number)]))
            .collect();
        let (_, notes) = components(&keys, 0);
        assert_eq!(notes.len(), NAMED_HUBS + 1);
        assert!(notes.iter().all(|note| note.len() < 300));
        assert!(notes[0].starts_with("request 00000x"));
        assert_eq!(notes[NAMED_HUBS], "200 more ids join nothing");
    }

    #[test]
    fn a_chain_is_one_component_however_long() {
        let link = |from: i128, to: i128| key(&[Value::Int(from), Value::Int(to)]);
        let keys: Vec<Vec<u8>> = (0..100_000)
            .map(|step| link(step / 2 + step % 2, step / 2))
            .collect();
        let (components, notes) = components(&keys, 2);
        assert!(components.iter().all(|component| *component == 0));
        assert!(notes.is_empty());
    }

    #[test]
    fn pairs_are_looked_through_when_there_are_twice_as_many() {
        let three = |number: i128| key(&[number, -number, number].map(Value::Int));
        let mut links = Links::default();
        let mut fewest = 0;
        for _ in 0..30_000 {
            links.learn(&three(1)).unwrap();
            assert!(links.pairs.len() <= LEAST_PAIRS);
            fewest += usize::from(links.pairs.len() == 6);
        }
        // At first, and after every 65,536 pairs.
        assert_eq!(fewest, 3);
        // What is there once is not looked for again and again.
        let mut links = Links::default();
        let mut distinct = BTreeSet::new();
        for number in 1..=20_000 {
            links.learn(&three(number)).unwrap();
            distinct.insert(links.distinct);
        }
        assert_eq!(distinct, [0, LEAST_PAIRS + 2].into());
        let mut links = Links::default();
        let two = key(&[Value::Int(1), Value::Int(2)]);
        (0..LEAST_PAIRS / 2).for_each(|_| links.learn(&two).unwrap());
        assert_eq!(links.pairs.len(), LEAST_PAIRS);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let mut links = Links::default();
        assert_eq!(links.learn(&[9]), Err(Mismatch));
        assert_eq!(links.component(&key(&[Value::Int(1)]), 3), Err(Mismatch));
    }
}
