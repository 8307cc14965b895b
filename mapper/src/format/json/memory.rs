//! What a reader remembers of a log's keys: which there are, what each is good for, and which follows which.
//!
//! The lines of a log are mostly alike, so the key that followed the last time is held against the text as it stands,
//! quotes, colon and all. Where it matches, nothing has to be searched, hashed or looked up. A memory is a guess and no
//! more: what does not match is read as if there were none.

use jobspec::expr::FieldId;
use jobspec::plan::PathPart;
use wide::u8x16;

use super::keys::{Keys, Meaning, hash};
use super::walk::Key;
use crate::format::Wanted;

/// More keys are read, and not remembered.
const MOST: usize = 1 << 10;
const NONE: u16 = u16::MAX;
/// Bytes of a key that are compared in one look.
const SHORT: usize = 16;

#[derive(Debug)]
pub(in crate::format) struct Memory {
    /// Of which `Keys` it holds.
    owner: u64,
    known: Vec<Known>,
    /// By hash of the name: the last key with it.
    heads: Box<[u16; 256]>,
    /// The key that began the last line.
    first: u16,
}

#[derive(Debug)]
struct Known {
    name: Vec<u8>,
    /// From the key's quote to its value, as it stood the last time.
    text: Vec<u8>,
    /// The same where it is short enough, and a bit for each of its bytes; else none.
    word: [u8; SHORT],
    mask: u32,
    role: Role,
    /// The one before it with that hash.
    same_hash: u16,
    /// What followed the last time.
    next: u16,
}

/// What a member is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Nothing,
    /// A time, level or message, by the rank of its key; a field; or both.
    Plain {
        meaning: Option<(Meaning, u8)>,
        field: Option<FieldId>,
    },
    /// Several things, or a part of it: to be asked by its name.
    Any,
}

/// A key of the memory, or none.
#[derive(Clone, Copy)]
pub(super) struct Place(u16);

impl Place {
    pub const START: Place = Place(NONE);
}

impl Memory {
    /// The one for these keys, made if there is none.
    #[inline(always)]
    pub fn of<'m>(keys: &Keys, memories: &'m mut Vec<Memory>) -> &'m mut Memory {
        let is_mine = |memory: &Memory| memory.owner == keys.number();
        let index = memories.iter().position(is_mine).unwrap_or_else(|| {
            memories.push(Memory::new(keys));
            memories.len() - 1
        });
        &mut memories[index]
    }

    #[cold]
    fn new(keys: &Keys) -> Memory {
        Memory {
            owner: keys.number(),
            known: Vec::new(),
            heads: Box::new([NONE; 256]),
            first: NONE,
        }
    }

    /// The key that followed the last time and the place of its value, if it stands here.
    #[inline(always)]
    pub(super) fn follow(&self, before: Place, text: &[u8], at: usize) -> Option<(Place, usize)> {
        let next = match self.known.get(usize::from(before.0)) {
            Some(known) => known.next,
            None => self.first,
        };
        let known = self.known.get(usize::from(next))?;
        let rest = text.get(at..)?;
        let matches = match rest.first_chunk::<SHORT>() {
            Some(chunk) if known.mask != 0 => {
                let same = u8x16::new(*chunk).simd_eq(u8x16::new(known.word));
                !same.to_bitmask() & known.mask == 0
            }
            _ => rest.starts_with(&known.text),
        };
        matches.then(|| (Place(next), at + known.text.len()))
    }

    #[inline(always)]
    pub(super) fn role(&self, place: Place) -> Role {
        let known = self.known.get(usize::from(place.0));
        known.map_or(Role::Any, |known| known.role)
    }

    /// Learns that a key stood there; `text` is all of it up to its value.
    #[cold]
    pub(super) fn learn(
        &mut self,
        before: Place,
        key: Key<'_>,
        text: &[u8],
        keys: &Keys,
        wanted: &Wanted,
    ) -> Place {
        if key.is_escaped {
            return Place::START;
        }
        let hash = usize::from(hash(key.text));
        let mut index = self.heads[hash];
        while let Some(known) = self.known.get(usize::from(index))
            && known.name != key.text
        {
            index = known.same_hash;
        }
        if index == NONE {
            if self.known.len() == MOST {
                return Place::START;
            }
            index = self.known.len() as u16;
            self.known.push(Known {
                name: key.text.to_vec(),
                text: Vec::new(),
                word: [0; SHORT],
                mask: 0,
                role: role(key.text, keys, wanted),
                same_hash: std::mem::replace(&mut self.heads[hash], index),
                next: NONE,
            });
        }
        self.known[usize::from(index)].see(text);
        match self.known.get_mut(usize::from(before.0)) {
            Some(known) => known.next = index,
            None => self.first = index,
        }
        Place(index)
    }
}

impl Known {
    fn see(&mut self, text: &[u8]) {
        if self.text == text {
            return;
        }
        self.text.clear();
        self.text.extend_from_slice(text);
        self.mask = 0;
        if let Some(word) = self.word.get_mut(..text.len()) {
            word.copy_from_slice(text);
            self.mask = !(u32::MAX << text.len());
        }
    }
}

/// What every member of that name is good for.
fn role(name: &[u8], keys: &Keys, wanted: &Wanted) -> Role {
    let mut fields = wanted.paths.iter().enumerate().filter(|(_, path)| {
        let is_first =
            matches!(path.parts.first(), Some(PathPart::Name(first)) if first.as_bytes() == name);
        is_first || path.text.as_bytes() == name
    });
    let field = match (fields.next(), fields.next()) {
        (None, _) => None,
        (Some((id, path)), None) if path.parts.len() == 1 => Some(id as FieldId),
        _ => return Role::Any,
    };
    let Ok(meaning) = keys.meaning(name) else {
        return Role::Any;
    };
    let meaning = meaning.filter(|(meaning, _)| match meaning {
        Meaning::Time => true,
        Meaning::Level => !wanted.unread.level,
        Meaning::Message => !wanted.unread.message,
    });
    match (meaning, field) {
        (None, None) => Role::Nothing,
        _ => Role::Plain { meaning, field },
    }
}
