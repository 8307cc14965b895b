//! What is kept of sessions by key, in memory and as it travels.

use std::borrow::Cow;

use bstr::{BStr, BString};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};
use smallvec::SmallVec;

use super::compact::Compact;
use super::fragment::Fragment;
use super::link::Links;
use crate::entry::Place;
use crate::operator::Mismatch;
use crate::operator::keys::Keys;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(try_from = "SessionParts")]
pub struct SessionPartial {
    pub(super) keys: Keys,
    /// Of each key.
    pub(super) sessions: Vec<Sessions>,
    pub(super) misfits: u64,
    /// The key of the entry at hand, and the kinds of its values: room that is used again.
    pub(super) key: Vec<u8>,
    pub(super) kinds: Vec<u8>,
    /// In the reducer, where ids are linked: what joins them. It does not travel.
    pub(super) links: Option<Box<Links>>,
}

/// What is kept of a key beside its text, as it travels: borrowed from bytes, or from a partial.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeyRecord<K, S> {
    /// Of each of the key's values.
    pub kinds: K,
    pub sessions: S,
}

/// As it was decoded, and joined with others.
pub type KeyPartial<'v> = KeyRecord<Cow<'v, BStr>, Sessions>;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Sessions {
    /// By time, more than a gap between any two. Most keys have one.
    Fragments(SmallVec<[Fragment; 1]>),
    Entries(Vec<Compact>),
}

#[derive(Deserialize)]
#[serde(rename = "SessionPartial")]
struct SessionParts {
    run: Vec<(BString, KeyRecord<BString, Sessions>)>,
    misfits: u64,
}

impl TryFrom<SessionParts> for SessionPartial {
    type Error = Mismatch;

    fn try_from(parts: SessionParts) -> Result<SessionPartial, Mismatch> {
        let mut partial = SessionPartial {
            misfits: parts.misfits,
            ..SessionPartial::default()
        };
        let values = parts.run.first().map(|(_, first)| first.kinds.len());
        for (key, KeyRecord { kinds, sessions }) in parts.run {
            // Of the same key as many as before: their room is.
            if Some(kinds.len()) != values {
                return Err(Mismatch);
            }
            let hash = partial.keys.hash(&key);
            let (_, is_new) = partial.keys.number(hash, &key, &kinds);
            if !is_new {
                return Err(Mismatch);
            }
            partial.sessions.push(sessions);
        }
        Ok(partial)
    }
}

impl Serialize for SessionPartial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let run = self.keys.sorted().map(|index| {
            let (key, record) = self.record(index);
            (BStr::new(key), record)
        });
        let mut state = serializer.serialize_struct("SessionPartial", 2)?;
        state.serialize_field("run", &run.collect::<Vec<_>>())?;
        state.serialize_field("misfits", &self.misfits)?;
        state.end()
    }
}

impl SessionPartial {
    /// By number.
    pub fn records(&self) -> impl Iterator<Item = (&[u8], KeyRecord<&BStr, &Sessions>)> {
        (0..self.keys.len()).map(|index| self.record(index))
    }

    pub fn record(&self, index: usize) -> (&[u8], KeyRecord<&BStr, &Sessions>) {
        let (key, kinds) = self.keys.get(index);
        let record = KeyRecord {
            kinds: BStr::new(kinds),
            sessions: &self.sessions[index],
        };
        (key, record)
    }
}

impl Sessions {
    pub fn places(&self, visit: &mut dyn FnMut(&Place)) {
        match self {
            Sessions::Fragments(fragments) => {
                fragments.iter().for_each(|fragment| fragment.places(visit));
            }
            Sessions::Entries(entries) => entries.iter().for_each(|entry| entry.places(visit)),
        }
    }

    pub fn bytes(&self) -> usize {
        match self {
            // The first lies inside.
            Sessions::Fragments(fragments) => {
                let all: usize = fragments.iter().map(Fragment::bytes).sum();
                all.max(size_of::<Sessions>())
            }
            Sessions::Entries(entries) => {
                size_of::<Sessions>() + entries.iter().map(Compact::bytes).sum::<usize>()
            }
        }
    }
}
