//! Which keys of an object mean time, level and message, and how they are found among all others.

use jobspec::plan::PathPart;

use super::walk;
use crate::entry::{Field, FieldKind};

/// DESIGN's lists: the first that is there counts. journald's names come last.
pub const TIME_KEYS: [&str; 9] = [
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
pub const LEVEL_KEYS: [&str; 7] = [
    "level",
    "severity",
    "lvl",
    "loglevel",
    "log.level",
    "severity_text",
    "PRIORITY",
];
pub const MESSAGE_KEYS: [&str; 7] = ["message", "msg", "event", "text", "log", "body", "MESSAGE"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Time,
    Level,
    Message,
}

/// The keys of one format. A key with dots is a flat key or a path, whichever is there.
#[derive(Clone, Debug)]
pub struct Keys {
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
    /// The usual keys, but where the job names one.
    pub fn new(time: Option<&str>, level: Option<&str>, message: Option<&str>) -> Keys {
        let mut keys = Keys {
            slots: Vec::new(),
            heads: [0; 256],
            paths: Default::default(),
        };
        keys.add(Meaning::Time, time, &TIME_KEYS);
        keys.add(Meaning::Level, level, &LEVEL_KEYS);
        keys.add(Meaning::Message, message, &MESSAGE_KEYS);
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
    pub(super) fn each<'a>(
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

    /// The paths of a meaning, first to last.
    pub(super) fn ranked(&self, meaning: Meaning) -> impl Iterator<Item = (u8, &[PathPart])> {
        let paths = self.paths[meaning as usize].iter();
        (0..).zip(paths.map(|path| &path[..]))
    }

    /// The value of one path in an object: a flat key of the whole path's name first.
    pub(super) fn lookup<'a>(&self, raw: &'a [u8], path: &[PathPart]) -> Option<Field<'a>> {
        let [PathPart::Name(first), rest @ ..] = path else {
            return None;
        };
        let flat = rest.iter().fold(first.clone(), |name, part| match part {
            PathPart::Name(part) => name + "." + part,
            PathPart::Index(index) => format!("{name}[{index}]"),
        });
        match walk::member(raw, flat.as_bytes()) {
            Some(field) => Some(with_bytes(flat.as_bytes(), field)),
            None => walk::descend(walk::member(raw, first.as_bytes())?, rest),
        }
    }
}

/// journald writes a text that is no UTF-8 as a list of its bytes.
fn with_bytes<'a>(name: &[u8], field: Field<'a>) -> Field<'a> {
    if name == b"MESSAGE" && field.kind == FieldKind::Json && field.text.starts_with(b"[") {
        return Field {
            kind: FieldKind::Bytes,
            ..field
        };
    }
    field
}

/// `a.b.c` in its parts.
fn split_path(name: &str) -> Vec<PathPart> {
    name.split('.')
        .map(|part| PathPart::Name(part.to_owned()))
        .collect()
}

/// Spreads the names of fields over a byte.
#[inline]
pub(super) fn hash(name: &[u8]) -> u8 {
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
