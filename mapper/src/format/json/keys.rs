//! Which keys mean time, level and message, and how they are found among all others: for json, logfmt and csv.

use std::sync::atomic::{AtomicU64, Ordering};

use jobspec::plan::{FieldPath, PathPart};
use jobspec::value::Level;

use super::{read_level, read_time, walk};
use crate::entry::{Field, FieldKind};
use crate::format::Stamp;
use crate::time::{TimeFormat, TimeReader};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Time,
    Level,
    Message,
}

/// The keys of one format. A key with dots is a flat key or a path, whichever is there.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Tells them from the keys of any other format in this process.
    number: u64,
    slots: Vec<Slot>,
    /// By hash: 1 + the first slot with it, 0 where there is none.
    heads: [u8; 256],
    paths: [Vec<Vec<PathPart>>; 3],
}

#[derive(Clone, Debug)]
struct Slot {
    name: Vec<u8>,
    rest: Vec<PathPart>,
    meaning: Meaning,
    rank: u8,
    /// As in `heads`.
    next: u8,
}

impl Keys {
    // Of each list the first that is there counts; journald's names come last.
    pub const TIME: &[&str] = &[
        "time",
        "timestamp",
        "@timestamp",
        "ts",
        "t",
        "date",
        "datetime",
        "eventTime",
        "__REALTIME_TIMESTAMP",
    ];
    pub const LEVEL: &[&str] = &[
        "level",
        "severity",
        "lvl",
        "loglevel",
        "log.level",
        "severity_text",
        "PRIORITY",
    ];
    pub const MESSAGE: &[&str] = &["message", "msg", "event", "text", "log", "body", "MESSAGE"];

    /// The usual keys, but where the job names one.
    pub fn new(time: Option<&str>, level: Option<&str>, message: Option<&str>) -> Keys {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let mut keys = Keys {
            number: NUMBERS.fetch_add(1, Ordering::Relaxed),
            slots: Vec::new(),
            heads: [0; 256],
            paths: Default::default(),
        };
        keys.add(Meaning::Time, time, Keys::TIME);
        keys.add(Meaning::Level, level, Keys::LEVEL);
        keys.add(Meaning::Message, message, Keys::MESSAGE);
        keys
    }

    fn add(&mut self, meaning: Meaning, named: Option<&str>, usual: &[&str]) {
        let names = named.as_ref().map_or(usual, std::slice::from_ref);
        for (rank, name) in names.iter().enumerate() {
            self.add_slot(name, Vec::new(), meaning, rank as u8);
            let path = split_path(name);
            if let [PathPart::Name(first), rest @ ..] = &path[..]
                && !rest.is_empty()
            {
                self.add_slot(first, rest.to_vec(), meaning, rank as u8);
            }
            self.paths[meaning as usize].push(path);
        }
    }

    fn add_slot(&mut self, name: &str, rest: Vec<PathPart>, meaning: Meaning, rank: u8) {
        let head = &mut self.heads[usize::from(hash(name.as_bytes()))];
        self.slots.push(Slot {
            name: name.as_bytes().to_vec(),
            rest,
            meaning,
            rank,
            next: *head,
        });
        *head = self.slots.len() as u8;
    }

    /// Calls `visit` with each meaning that a member has.
    #[inline]
    fn each<'a>(
        &self,
        hash: u8,
        name: &[u8],
        field: Field<'a>,
        mut visit: impl FnMut(Meaning, u8, Field<'a>),
    ) {
        let mut head = self.heads[usize::from(hash)];
        while head != 0 {
            let slot = &self.slots[usize::from(head) - 1];
            head = slot.next;
            if slot.name != name {
                continue;
            }
            if slot.rest.is_empty() {
                visit(slot.meaning, slot.rank, with_bytes(name, field));
            } else if let Some(field) = walk::descend(field, &slot.rest) {
                visit(slot.meaning, slot.rank, field);
            }
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// What a member of that name means as a whole, and the rank of its key; an error where that is not all.
    pub(super) fn meaning(&self, name: &[u8]) -> Result<Option<(Meaning, u8)>, ()> {
        let mut slots = self.slots.iter().filter(|slot| slot.name == name);
        match (slots.next(), slots.next()) {
            (None, _) => Ok(None),
            (Some(slot), None) if slot.rest.is_empty() && !is_byte_list_key(name) => {
                Ok(Some((slot.meaning, slot.rank)))
            }
            _ => Err(()),
        }
    }

    /// The name of the first key of the level, where it is one key and no path.
    pub(super) fn first_level(&self) -> Option<&[u8]> {
        let first = |slot: &&Slot| slot.meaning == Meaning::Level && slot.rank == 0;
        let mut first = self.slots.iter().filter(first);
        let slot = first.next()?;
        (slot.rest.is_empty() && first.next().is_none()).then_some(&slot.name)
    }

    /// Whether a name means anything.
    pub(in crate::format) fn knows(&self, name: &str) -> bool {
        self.slots
            .iter()
            .any(|slot| slot.rest.is_empty() && slot.name == name.as_bytes())
    }

    /// The value of one path in an object: a flat key of the whole path's name first.
    pub(super) fn lookup<'a>(&self, raw: &'a [u8], path: &[PathPart]) -> Option<Field<'a>> {
        let [PathPart::Name(first), rest @ ..] = path else {
            return None;
        };
        let flat = flat_name(path);
        match walk::member(raw, flat.as_bytes()) {
            Some(field) => Some(with_bytes(flat.as_bytes(), field)),
            None => walk::descend(walk::member(raw, first.as_bytes())?, rest),
        }
    }
}

/// journald writes a text that is no UTF-8 as a list of its bytes.
fn with_bytes<'a>(name: &[u8], field: Field<'a>) -> Field<'a> {
    if is_byte_list_key(name) && field.kind == FieldKind::Json && field.text.starts_with(b"[") {
        return Field {
            kind: FieldKind::Bytes,
            ..field
        };
    }
    field
}

fn is_byte_list_key(name: &[u8]) -> bool {
    name == b"MESSAGE"
}

/// `a.b.c` in its parts.
fn split_path(name: &str) -> Vec<PathPart> {
    name.split('.')
        .map(|part| PathPart::Name(part.to_owned()))
        .collect()
}

/// A path as one name: `a.b.c`.
pub(in crate::format) fn flat_name(path: &[PathPart]) -> String {
    let mut name = String::new();
    for part in path {
        match part {
            PathPart::Name(part) if name.is_empty() => name += part,
            PathPart::Name(part) => name = name + "." + part,
            PathPart::Index(index) => name += &format!("[{index}]"),
        }
    }
    name
}

/// What one entry says of its time, level and message: of each the value whose key comes first in its list.
#[derive(Default)]
pub(in crate::format) struct Best<'a> {
    /// By meaning: the rank and value of a key.
    found: [Option<(u8, Field<'a>)>; 3],
}

/// The value of a path, of a key that is written twice the last.
type Lookup<'a, 'b> = &'b dyn Fn(&[PathPart]) -> Option<Field<'a>>;

impl<'a> Best<'a> {
    #[inline]
    pub fn note(&mut self, keys: &Keys, hash: u8, name: &[u8], field: Field<'a>) {
        keys.each(hash, name, field, |meaning, rank, field| {
            self.note_as(meaning, rank, field);
        });
    }

    #[inline(always)]
    pub(super) fn note_as(&mut self, meaning: Meaning, rank: u8, field: Field<'a>) {
        let found = &mut self.found[meaning as usize];
        if found.is_none_or(|(best, _)| rank <= best) {
            *found = Some((rank, field));
        }
    }

    /// The text of the best time key, as it stands there.
    #[inline(always)]
    pub(super) fn time_text(&self) -> Option<&'a [u8]> {
        let (_, field) = self.found[Meaning::Time as usize]?;
        matches!(field.kind, FieldKind::Text | FieldKind::Number).then_some(field.text)
    }

    /// The time of the first key that is there and is a timestamp.
    pub fn stamp(
        &self,
        keys: &Keys,
        lookup: Lookup<'a, '_>,
        format: Option<&TimeFormat>,
        times: &mut TimeReader,
    ) -> Stamp {
        let found = self.first(keys, Meaning::Time, lookup, |field| {
            match read_time(field, format, times) {
                Stamp::None => None,
                stamp => Some(stamp),
            }
        });
        found.unwrap_or(Stamp::None)
    }

    /// The level of the first key that is there, if its value is one.
    #[inline(always)]
    pub fn level(&self, keys: &Keys, lookup: Lookup<'a, '_>) -> Option<Level> {
        self.first(keys, Meaning::Level, lookup, |field| {
            (field.kind != FieldKind::Null).then(|| read_level(field))
        })?
    }

    /// The value of the first key that is there; an object or a list only where no key has a plain value.
    #[inline(always)]
    pub fn message(&self, keys: &Keys, lookup: Lookup<'a, '_>) -> Option<Field<'a>> {
        self.first(keys, Meaning::Message, lookup, |field| {
            (!matches!(field.kind, FieldKind::Null | FieldKind::Json)).then_some(field)
        })
        .or_else(|| {
            let (_, field) = self.found[Meaning::Message as usize]?;
            (field.kind == FieldKind::Json).then_some(field)
        })
    }

    /// What `take` makes of the first value that it takes. Beyond the best key the entry is read again, which is
    /// rare: that key's value was no good.
    #[inline(always)]
    fn first<T>(
        &self,
        keys: &Keys,
        meaning: Meaning,
        lookup: Lookup<'a, '_>,
        mut take: impl FnMut(Field<'a>) -> Option<T>,
    ) -> Option<T> {
        let (rank, field) = self.found[meaning as usize]?;
        match take(field) {
            None => {
                let others = &keys.paths[meaning as usize];
                let others = others.get(usize::from(rank) + 1..).unwrap_or_default();
                first_of(others, lookup, &mut take)
            }
            taken => taken,
        }
    }
}

/// What `take` makes of the first of these paths that it takes.
#[cold]
fn first_of<'a, T>(
    paths: &[Vec<PathPart>],
    lookup: Lookup<'a, '_>,
    take: &mut dyn FnMut(Field<'a>) -> Option<T>,
) -> Option<T> {
    paths.iter().find_map(|path| take(lookup(path)?))
}

/// Tells most names that nobody wants without a comparison.
#[derive(Clone, Debug, Default)]
pub(in crate::format) struct Filter {
    bits: [u64; 4],
}

impl Filter {
    pub fn add(&mut self, path: &FieldPath) {
        self.set(hash(path.text.as_bytes()));
        if let [PathPart::Name(first), _, ..] = &path.parts[..] {
            self.set(hash(first.as_bytes()));
        }
    }

    fn set(&mut self, hash: u8) {
        self.bits[usize::from(hash >> 6)] |= 1 << (hash & 63);
    }

    #[inline]
    pub fn has(&self, hash: u8) -> bool {
        self.bits[usize::from(hash >> 6)] >> (hash & 63) & 1 == 1
    }
}

/// Spreads the names of fields over a byte.
#[inline]
pub(in crate::format) fn hash(name: &[u8]) -> u8 {
    let [first, .., last] = name else {
        return name.first().copied().unwrap_or(0);
    };
    let middle = name[name.len() / 2];
    first
        .wrapping_mul(31)
        .wrapping_add(last.wrapping_mul(7))
        .wrapping_add(middle.wrapping_mul(3))
        .wrapping_add((name.len() as u8).wrapping_mul(37))
}
