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
use jobspec::value::{OwnedValue, Value};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Serialize, Serializer};

use self::open::Open;
use self::piece::{Kept, Piece};
use super::gate::Gate;
use super::{Operator, OutputColumn, Rows, Segment, Sources, grouped};
use crate::entry::{Entry, Place};

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

    /// A window, cut into rows of at most `max` entries.
    fn rows<'a>(
        &self,
        window: &'a [Kept],
        sources: &dyn Sources,
    ) -> Vec<(&'a Kept, Vec<OwnedValue>)> {
        let parts = window
            .chunks(self.max)
            .enumerate()
            .filter_map(|(index, part)| {
                let (first, last) = (part.first()?, part.last()?);
                let source = sources.source(&first.record.place);
                let time = |kept: &Kept| kept.record.time().map_or(Value::Null, Value::Time);
                let entries = part.iter().map(|kept| {
                    let mut object = kept.record.to_object(sources);
                    object.push(("match".to_owned(), Value::Bool(kept.is_match)));
                    Value::Object(object)
                });
                let row = vec![
                    Value::owned_text(source.host.as_str()),
                    Value::owned_text(source.log.as_str()),
                    time(first),
                    time(last),
                    Value::Int(part.iter().filter(|kept| kept.is_match).count() as i128),
                    Value::List(entries.collect()),
                    if index > 0 {
                        Value::Bool(true)
                    } else {
                        Value::Null
                    },
                ];
                Some((first, row))
            });
        parts.collect()
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

    fn split(&self, mut partial: ContextPartial, most_bytes: usize) -> Vec<ContextPartial> {
        partial.close();
        let bytes = |kept: &[Kept]| kept.iter().map(Kept::bytes).sum::<usize>();
        let pieces = partial.streams.into_iter().flat_map(|(key, pieces)| {
            pieces
                .into_iter()
                .map(move |piece| (bytes(&piece.kept), (key, piece)))
        });
        let of_pieces = grouped(pieces, most_bytes).into_iter().map(|pieces| {
            ContextPartial::from(ContextParts {
                pieces,
                windows: Vec::new(),
                misfits: 0,
            })
        });
        let windows = partial
            .windows
            .into_iter()
            .map(|window| (bytes(&window), window));
        let of_windows = grouped(windows, most_bytes)
            .into_iter()
            .map(|windows| ContextPartial {
                windows,
                ..ContextPartial::default()
            });
        let mut parts: Vec<ContextPartial> = of_pieces.chain(of_windows).collect();
        match parts.first_mut() {
            Some(first) => first.misfits = partial.misfits,
            None => parts.push(ContextPartial {
                misfits: partial.misfits,
                ..self.empty()
            }),
        }
        parts
    }

    fn finish(&self, mut partial: ContextPartial, sources: &dyn Sources, rows: &mut dyn Rows) {
        partial.close();
        let mut windows: Vec<&[Kept]> = partial.windows.iter().map(Vec::as_slice).collect();
        for piece in partial.streams.values().flatten() {
            windows.extend(piece.windows());
        }
        let mut finished: Vec<_> = windows
            .into_iter()
            .flat_map(|window| self.rows(window, sources))
            .collect();
        finished.sort_by_key(|(first, _)| first.record.place);
        finished.into_iter().for_each(|(_, row)| rows.push(row));
    }

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
