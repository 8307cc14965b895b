//! Contexts: the entries around a match, in the order of its own stream, across files and segments.
//!
//! The partial of a run of segments keeps what windows cover, and at both ends as much as a neighbour's match could
//! reach. It is a function of the run alone (see `piece`), so runs may come in any order: two that are neighbours
//! are joined when they meet.

mod open;
mod piece;

use std::collections::BTreeMap;

use jobspec::expr::Misfits;
use jobspec::plan::{ContextPlan, Reach, TimeRange};
use jobspec::value::Value;
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use self::open::Open;
use self::piece::{Kept, Piece};
use super::gate::Gate;
use super::placed::{least, place_of};
use super::{Mismatch, Operator, OutputColumn, Rows, Run, Segment, SortKey, Sources};
use crate::entry::{Entry, Place};
use crate::frame;
use crate::record::EntryRecord;

pub struct Context {
    gate: Gate,
    reach: Reaches,
    max: usize,
}

/// How far a window goes beside a match.
#[derive(Clone, Copy, Debug)]
struct Reaches {
    before: Reach,
    after: Reach,
}

/// By host, log and stream.
type StreamKey = (u32, u16, u32);

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(from = "ContextParts")]
pub struct ContextPartial {
    /// Of each stream the runs of segments, first to last, no two of them neighbours.
    streams: BTreeMap<StreamKey, Vec<Piece>>,
    /// Windows that no neighbour can reach any more.
    windows: Vec<Vec<Kept>>,
    /// The segment that is being absorbed.
    open: Option<Box<Open>>,
    misfits: u64,
}

#[derive(Deserialize)]
#[serde(rename = "ContextPartial")]
struct ContextParts {
    pieces: Vec<(StreamKey, Piece)>,
    windows: Vec<Vec<Kept>>,
    misfits: u64,
}

impl From<ContextParts> for ContextPartial {
    fn from(parts: ContextParts) -> ContextPartial {
        let mut streams: BTreeMap<StreamKey, Vec<Piece>> = BTreeMap::new();
        for (key, piece) in parts.pieces {
            streams.entry(key).or_default().push(piece);
        }
        ContextPartial {
            streams,
            windows: parts.windows,
            open: None,
            misfits: parts.misfits,
        }
    }
}

impl Serialize for ContextPartial {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A segment that is still open is closed in a copy: frames are made of closed ones.
        if self.open.is_some() {
            let mut closed = self.clone();
            closed.close();
            return closed.serialize(serializer);
        }
        let streams = self.streams.iter();
        let pieces: Vec<(&StreamKey, &Piece)> = streams
            .flat_map(|(key, pieces)| pieces.iter().map(move |piece| (key, piece)))
            .collect();
        let mut state = serializer.serialize_struct("ContextPartial", 3)?;
        state.serialize_field("pieces", &pieces)?;
        state.serialize_field("windows", &self.windows)?;
        state.serialize_field("misfits", &self.misfits)?;
        state.end()
    }
}

impl ContextPartial {
    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            let (key, mut piece) = open.close();
            self.windows.extend(piece.release());
            self.streams.entry(key).or_default().push(piece);
        }
    }
}

impl Context {
    pub fn new(plan: &ContextPlan, range: TimeRange) -> Context {
        Context {
            gate: Gate::new(range, Some(&plan.predicate)),
            reach: Reaches {
                before: plan.before,
                after: plan.after,
            },
            max: plan.max.max(1) as usize,
        }
    }

    /// Records of windows, cut into rows of at most `max` entries: key and value of each row.
    fn records(&self, window: Vec<Kept>, records: &mut Vec<(Vec<u8>, ContextRow)>) {
        let mut entries = window.into_iter().peekable();
        let mut continued = false;
        while let Some(first) = entries.peek() {
            let mut key = SortKey::new();
            key.place(&first.record.place);
            let entries = entries.by_ref().take(self.max).map(|kept| RowEntry {
                is_match: kept.is_match,
                record: kept.record,
            });
            let row = ContextRow {
                continued,
                entries: entries.collect(),
            };
            records.push((key.into_bytes(), row));
            continued = true;
        }
    }

    fn push_records(&self, windows: Vec<Vec<Kept>>, run: &mut Run) {
        let mut records = Vec::new();
        for window in windows {
            self.records(window, &mut records);
        }
        records.sort_by(|left, right| left.0.cmp(&right.0));
        // No two entries have one place, unless a host says so.
        records.dedup_by(|right, left| right.0 == left.0);
        for (key, row) in records {
            run.push(&key, &row);
        }
    }
}

/// A row, as it travels.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct ContextRow {
    /// Not the first of its window.
    continued: bool,
    entries: Vec<RowEntry>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct RowEntry {
    is_match: bool,
    record: EntryRecord,
}

impl ContextRow {
    /// What is decoded is of this key.
    fn of_record(key: &[u8], values: &[&[u8]]) -> Result<ContextRow, Mismatch> {
        let row: ContextRow = frame::from_bytes(least(values)?).map_err(|_| Mismatch)?;
        match row.is_sound(&place_of(key)?) {
            true => Ok(row),
            false => Err(Mismatch),
        }
    }

    /// Whether it begins at this place, and is of its stream.
    fn is_sound(&self, place: &Place) -> bool {
        let first = self.entries.first();
        first.is_some_and(|first| first.record.place == *place)
            && self.entries.iter().all(|entry| {
                let Place {
                    host, log, stream, ..
                } = entry.record.place;
                (host, log, stream) == (place.host, place.log, place.stream)
                    && entry.record.is_sound()
            })
    }

    fn values<'a>(&'a self, sources: &'a dyn Sources) -> Option<Vec<Value<'a>>> {
        let (first, last) = (self.entries.first()?, self.entries.last()?);
        let source = sources.source(&first.record.place);
        let time = |entry: &RowEntry| entry.record.time().map_or(Value::Null, Value::Time);
        let entries = self.entries.iter().map(|entry| {
            let mut object = entry.record.to_object(sources);
            object.push(("match".into(), Value::Bool(entry.is_match)));
            Value::Object(object)
        });
        let matches = self.entries.iter().filter(|entry| entry.is_match).count();
        Some(vec![
            Value::text(source.host.as_bytes()),
            Value::text(source.log.as_bytes()),
            time(first),
            time(last),
            Value::Int(matches as i128),
            Value::List(entries.collect()),
            if self.continued {
                Value::Bool(true)
            } else {
                Value::Null
            },
        ])
    }
}

impl Operator for Context {
    type Partial = ContextPartial;

    fn empty(&self) -> ContextPartial {
        ContextPartial::default()
    }

    fn begin(&self, segment: Segment) -> ContextPartial {
        ContextPartial {
            open: Some(Box::new(Open::new(segment, self.reach))),
            ..self.empty()
        }
    }

    fn absorb(&self, partial: &mut ContextPartial, entry: &Entry<'_>) {
        let misfits = Misfits::default();
        let is_match = self.gate.admits(entry, &misfits);
        partial.misfits += misfits.0.get();
        let place = &entry.place;
        let segment = Segment {
            host: place.host,
            log: place.log,
            stream: place.stream,
            index: 0,
        };
        partial
            .open
            .get_or_insert_with(|| Box::new(Open::new(segment, self.reach)))
            .push(entry, is_match);
    }

    /// Commutative: neighbours are told by their segments.
    fn merge(&self, mut left: ContextPartial, mut right: ContextPartial) -> ContextPartial {
        left.close();
        right.close();
        for (key, pieces) in right.streams {
            let held = left.streams.entry(key).or_default();
            held.extend(pieces);
            // Two sorted lists, so nearly sorted: one pass joins what has become neighbours.
            held.sort_by_key(|piece| piece.first);
            let mut joined: Vec<Piece> = Vec::with_capacity(held.len());
            for piece in held.drain(..) {
                match joined.last_mut() {
                    Some(last) if last.last.checked_add(1) == Some(piece.first) => {
                        last.join(piece, self.reach);
                        left.windows.extend(last.release());
                    }
                    _ => joined.push(piece),
                }
            }
            *held = joined;
        }
        left.windows.extend(right.windows);
        left.misfits = left.misfits.saturating_add(right.misfits);
        left
    }

    fn accepts(&self, partial: &ContextPartial) -> bool {
        partial.open.is_none()
            && partial
                .windows
                .iter()
                .all(|window| piece::is_sound_window(window))
            && partial.streams.iter().all(|(key, pieces)| {
                pieces.iter().all(|piece| piece.is_sound(key))
                    && pieces.windows(2).all(|pair| pair[0].last < pair[1].first)
            })
    }

    fn places(&self, partial: &ContextPartial, visit: &mut dyn FnMut(&Place)) {
        // A piece joins others of its stream even where nothing of it is kept.
        for &(host, log, stream) in partial.streams.keys() {
            visit(&Place {
                time_ns: Place::UNTIMED,
                host,
                log,
                stream,
                file: 0,
                offset: 0,
            });
        }
        let pieces = partial.streams.values().flatten();
        let windows = partial.windows.iter().flatten();
        pieces
            .flat_map(|piece| &piece.kept)
            .chain(windows)
            .for_each(|kept| visit(&kept.record.place));
    }

    fn bytes(&self, partial: &ContextPartial) -> usize {
        let pieces = partial.streams.values().flatten();
        let kept = pieces.flat_map(|piece| &piece.kept);
        let kept = kept
            .chain(partial.windows.iter().flatten())
            .map(Kept::bytes);
        kept.sum::<usize>() + partial.open.as_ref().map_or(0, |open| open.bytes())
    }

    /// A record for each row of the windows that no neighbour can reach.
    fn take_records(&self, partial: &mut ContextPartial, run: &mut Run) {
        partial.close();
        self.push_records(std::mem::take(&mut partial.windows), run);
    }

    fn take_last_records(&self, core: &mut ContextPartial, run: &mut Run) {
        core.close();
        let mut windows = std::mem::take(&mut core.windows);
        let pieces = std::mem::take(&mut core.streams).into_values().flatten();
        pieces.for_each(|piece| windows.extend(piece.into_windows()));
        self.push_records(windows, run);
    }

    fn check_record(
        &self,
        key: &[u8],
        value: &[u8],
        visit: &mut dyn FnMut(&Place),
    ) -> Result<(), Mismatch> {
        let row = ContextRow::of_record(key, &[value])?;
        let entries = row.entries.iter();
        entries.for_each(|entry| visit(&entry.record.place));
        Ok(())
    }

    fn join_values(&self, _key: &[u8], values: &[&[u8]]) -> Result<Vec<u8>, Mismatch> {
        least(values).map(<[u8]>::to_vec)
    }

    fn finish_record(
        &self,
        _core: &ContextPartial,
        key: &[u8],
        values: &[&[u8]],
        sources: &dyn Sources,
        rows: &mut dyn Rows,
    ) -> Result<(), Mismatch> {
        let row = ContextRow::of_record(key, values)?;
        rows.push(&row.values(sources).ok_or(Mismatch)?);
        Ok(())
    }

    /// Every row is one of a record.
    fn finish(&self, _core: ContextPartial, _sources: &dyn Sources, _rows: &mut dyn Rows) {}

    fn columns(&self) -> Vec<OutputColumn> {
        vec![
            OutputColumn::new("host"),
            OutputColumn::new("log"),
            OutputColumn::new("start"),
            OutputColumn::new("end"),
            OutputColumn::new("matches"),
            OutputColumn::new("entries"),
            OutputColumn::optional("continued"),
        ]
    }

    fn misfits(&self, partial: &ContextPartial) -> u64 {
        partial.misfits
    }
}
