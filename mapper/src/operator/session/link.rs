//! Linked sessions: ids that stand in one entry are joined, transitively, and what is joined is one session.
//!
//! The ids of an entry are its key, NULL for those that it has not, so the partial is that of sessions by key. Which ids
//! join is settled when all keys have come: whether an id is a hub depends on every entry of the job, and a decision
//! taken earlier would depend on which came first.

use std::collections::HashMap;

use bstr::ByteSlice;
use jobspec::plan::Named;
use jobspec::value::{OwnedValue, Value};

use super::compact::Compact;
use super::fragment::Fragment;
use super::{KeyPartial, Session, Sessions};
use crate::measure::hash::Keyed;
use crate::measure::{plainer, with_text};
use crate::operator::Rows;
use crate::record::shown;

/// Hubs that are named, and the bytes of an id that its name shows.
const NAMED_HUBS: usize = 100;
const SHOWN_BYTES: usize = 200;

/// All ids of a job by number, and what they join.
struct Links {
    ids: Vec<Id>,
    /// By key, as many numbers as there are fields; `NONE` where the key has no such id.
    keys: Vec<u32>,
    /// A forest: an id's parent, itself where it is a root.
    parents: Vec<u32>,
}

struct Id {
    field: usize,
    value: OwnedValue,
    /// Other ids that stand beside it in an entry, each counted once.
    others: usize,
}

const NONE: u32 = u32::MAX;

impl Links {
    fn new(keys: &[KeyPartial], hub: usize) -> Links {
        let mut links = Links::number(keys);
        links.count_others(keys);
        links.parents = (0..links.ids.len() as u32).collect();
        for key in 0..keys.len() {
            let joins = links.joining(key, keys, hub);
            for pair in joins.windows(2) {
                let (left, right) = (links.root(pair[0]), links.root(pair[1]));
                links.parents[left.max(right) as usize] = left.min(right);
            }
        }
        links
    }

    fn number(keys: &[KeyPartial]) -> Links {
        let mut numbers: HashMap<Box<[u8]>, u32, Keyed> = HashMap::default();
        let mut links = Links {
            ids: Vec::new(),
            keys: Vec::new(),
            parents: Vec::new(),
        };
        let mut name = Vec::new();
        for key in keys {
            for (field, value) in key.values.iter().enumerate() {
                if value.is_null() {
                    links.keys.push(NONE);
                    continue;
                }
                name.clear();
                name.extend_from_slice(&(field as u32).to_be_bytes());
                with_text(value, |text| name.extend_from_slice(text));
                let number = match numbers.get(name.as_slice()) {
                    Some(number) => {
                        plainer(&mut links.ids[*number as usize].value, value);
                        *number
                    }
                    None => {
                        let number = links.ids.len() as u32;
                        numbers.insert(name.as_slice().into(), number);
                        links.ids.push(Id {
                            field,
                            value: value.clone(),
                            others: 0,
                        });
                        number
                    }
                };
                links.keys.push(number);
            }
        }
        links
    }

    fn count_others(&mut self, keys: &[KeyPartial]) {
        let mut pairs: Vec<(u32, u32)> = Vec::new();
        for key in 0..keys.len() {
            let ids = self.of_key(key, keys);
            for (index, &id) in ids.iter().enumerate() {
                let others = ids.iter().enumerate().filter(|(other, _)| *other != index);
                let others = others.filter(|(_, other)| id != NONE && **other != NONE);
                pairs.extend(others.map(|(_, other)| (id, *other)));
            }
        }
        pairs.sort_unstable();
        pairs.dedup();
        for (id, _) in pairs {
            self.ids[id as usize].others += 1;
        }
    }

    fn of_key(&self, key: usize, keys: &[KeyPartial]) -> &[u32] {
        let fields = keys[key].values.len();
        &self.keys[key * fields..][..fields]
    }

    fn joining(&self, key: usize, keys: &[KeyPartial], hub: usize) -> Vec<u32> {
        let ids = self.of_key(key, keys).iter().copied();
        ids.filter(|id| *id != NONE && self.ids[*id as usize].others <= hub)
            .collect()
    }

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
    /// Calls with every session and its ids.
    pub(super) fn linked(
        &self,
        keys: Vec<KeyPartial>,
        hub: u32,
        rows: &mut dyn Rows,
        each: &mut dyn FnMut(OwnedValue, Fragment),
    ) {
        let hub = hub as usize;
        let mut links = Links::new(&keys, hub);
        note_hubs(&self.key, &links, hub, rows);

        // Keys of hubs alone join nothing: each is a component by itself.
        let mut components: Vec<(u64, usize)> = Vec::with_capacity(keys.len());
        for key in 0..keys.len() {
            let component = match links.joining(key, &keys, hub).first() {
                Some(id) => u64::from(links.root(*id)),
                None => links.ids.len() as u64 + key as u64,
            };
            components.push((component, key));
        }
        components.sort_unstable();
        let mut keys: Vec<Option<KeyPartial>> = keys.into_iter().map(Some).collect();
        for component in components.chunk_by(|(left, _), (right, _)| left == right) {
            let mut fragments: Vec<(Fragment, Vec<usize>)> = Vec::new();
            let mut entries: Vec<(Compact, usize)> = Vec::new();
            for &(_, key) in component {
                match keys[key].take().map(|partial| partial.sessions) {
                    Some(Sessions::Fragments(held)) => {
                        fragments.extend(held.into_iter().map(|held| (held, vec![key])));
                    }
                    Some(Sessions::Entries(held)) => {
                        entries.extend(held.into_iter().map(|held| (held, key)));
                    }
                    None => {}
                }
            }
            let mut sessions = self.joined_linked(fragments);
            sessions.extend(self.cut(entries));
            for (fragment, keys) in sessions {
                each(self.ids(&links, keys), fragment);
            }
        }
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

    /// The ids of some keys by field, each once; hubs too.
    fn ids(&self, links: &Links, keys: Vec<usize>) -> OwnedValue {
        let fields = self.key.len();
        let mut numbers: Vec<u32> = keys
            .into_iter()
            .flat_map(|key| links.keys[key * fields..][..fields].iter().copied())
            .filter(|number| *number != NONE)
            .collect();
        numbers.sort_unstable();
        numbers.dedup();
        let mut lists: Vec<Vec<&OwnedValue>> = vec![Vec::new(); fields];
        for number in numbers {
            let id = &links.ids[number as usize];
            lists[id.field].push(&id.value);
        }
        let named = self.key.iter().zip(lists).map(|(named, mut list)| {
            list.sort_by(|left, right| left.total_cmp(right));
            let list = list.into_iter().cloned().map(shown).collect();
            (named.name.clone(), Value::List(list))
        });
        Value::Object(named.collect())
    }
}

/// Says of every hub that it joins nothing, the first ones by name.
fn note_hubs(fields: &[Named], links: &Links, hub: usize, rows: &mut dyn Rows) {
    let mut hubs: Vec<&Id> = links.ids.iter().filter(|id| id.others > hub).collect();
    let by_value = |left: &&Id, right: &&Id| left.value.total_cmp(&right.value);
    hubs.sort_by(|left, right| left.field.cmp(&right.field).then(by_value(left, right)));
    for id in hubs.iter().take(NAMED_HUBS) {
        let text = id.value.to_text();
        let text = text[..text.len().min(SHOWN_BYTES)].to_str_lossy();
        let (name, others) = (&fields[id.field].name, id.others);
        rows.note(format!(
            "{name} {text} joins nothing: it stands beside {others} other ids, more than hub = {hub}"
        ));
    }
    if let Some(more) = hubs.len().checked_sub(NAMED_HUBS).filter(|more| *more > 0) {
        rows.note(format!("{more} more ids join nothing"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(ids: &[Value<'static>]) -> KeyPartial {
        KeyPartial {
            values: ids.into(),
            sessions: Sessions::Fragments(Vec::new()),
        }
    }

    #[derive(Default)]
    struct Notes(Vec<String>);
    impl Rows for Notes {
        fn push_keyed(&mut self, _key: Vec<u8>, _row: Vec<OwnedValue>) {}

        fn push(&mut self, _row: Vec<OwnedValue>) {}

        fn note(&mut self, note: String) {
            self.0.push(note);
        }
    }

    /// Which of the keys are of one component.
    fn components(keys: &[KeyPartial], hub: usize) -> Vec<Option<u32>> {
        let mut links = Links::new(keys, hub);
        let of = |key| {
            let joining = links.joining(key, keys, hub);
            joining.first().map(|id| links.root(*id))
        };
        (0..keys.len()).map(of).collect()
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
        assert_eq!(components(&keys, 2), [Some(0), Some(0), Some(0), Some(3)]);
        assert_eq!(components(&keys, 1), [Some(0), Some(2), None, Some(3)]);
        assert_eq!(components(&keys, 0), [None, None, None, Some(3)]);

        let fields = ["request", "user"].map(|name| Named {
            name: name.to_owned(),
            expr: jobspec::expr::Expr::Literal(Value::Null),
        });
        let mut notes = Notes::default();
        note_hubs(&fields, &Links::new(&keys, 2), 2, &mut notes);
        assert!(notes.0.is_empty());
        note_hubs(&fields, &Links::new(&keys, 0), 0, &mut notes);
        let expected = [
            "request a joins nothing: it stands beside 1 other ids, more than hub = 0",
            "request b joins nothing: it stands beside 1 other ids, more than hub = 0",
            "user 7 joins nothing: it stands beside 2 other ids, more than hub = 0",
        ];
        assert_eq!(notes.0, expected);
    }

    #[test]
    fn many_and_long_hubs_are_named_in_short() {
        let text = |number: u32| Value::owned_text(format!("{number:05}{}", "x".repeat(1000)));
        let keys: Vec<KeyPartial> = (0..150)
            .map(|number| key(&[text(number), text(number)]))
            .collect();
        let fields = ["left", "right"].map(|name| Named {
            name: name.to_owned(),
            expr: jobspec::expr::Expr::Literal(Value::Null),
        });
        let mut notes = Notes::default();
        note_hubs(&fields, &Links::new(&keys, 0), 0, &mut notes);
        assert_eq!(notes.0.len(), NAMED_HUBS + 1);
        assert!(notes.0.iter().all(|note| note.len() < 300));
        assert!(notes.0[0].starts_with("left 00000x"));
        assert_eq!(notes.0[NAMED_HUBS], "200 more ids join nothing");
    }
}
