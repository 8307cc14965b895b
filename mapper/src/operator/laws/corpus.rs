//! Random entries for the laws: few values, so that keys and times collide; every kind of value, and none; untimed
//! entries; streams of several files, times out of order.

use std::borrow::Cow;
use std::fmt::Write;

use jobspec::plan::FieldPath;
use jobspec::value::{Level, Time};

use crate::entry::{Entry, Field, FieldKind, Place, Source};
use crate::format::{Format, Parsed, Wanted};
use crate::operator::Sources;
use crate::time::TimeReader;

/// xorshift64*: the same on every machine.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    pub fn one_in(&mut self, chance: usize) -> bool {
        self.below(chance) == 0
    }

    pub fn pick<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())].clone()
    }

    pub fn shuffle<T>(&mut self, list: &mut [T]) {
        for index in (1..list.len()).rev() {
            list.swap(index, self.below(index + 1));
        }
    }
}

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Missing,
    Null,
    Int(i64),
    Float(f64),
    Text(&'static str),
}

impl Cell {
    /// None where it is NULL.
    pub fn text(&self) -> Option<String> {
        match self {
            Cell::Missing | Cell::Null => None,
            Cell::Int(number) => Some(number.to_string()),
            Cell::Float(number) => Some(number.to_string()),
            Cell::Text(text) => Some((*text).to_owned()),
        }
    }
}

/// One log event, owned.
#[derive(Clone, Debug)]
pub struct Event {
    pub place: Place,
    pub time: Option<Time>,
    pub level: Option<Level>,
    pub valid: bool,
    pub line: u64,
    /// By the names of `FIELDS`.
    pub cells: Vec<Cell>,
    pub raw: Vec<u8>,
}

impl Event {
    /// Valid, and without what only outputs show.
    pub fn new(place: Place, time: Option<Time>, cells: Vec<Cell>) -> Event {
        Event {
            place,
            time,
            level: None,
            valid: true,
            line: 1,
            raw: raw(&cells),
            cells,
        }
    }
}

/// The cells as `TestFormat` reads them.
fn raw(cells: &[Cell]) -> Vec<u8> {
    let mut raw = String::new();
    for (name, cell) in FIELDS.iter().zip(cells) {
        let kind = match cell {
            Cell::Missing => continue,
            Cell::Null => '0',
            Cell::Int(_) | Cell::Float(_) => '#',
            Cell::Text(_) => '"',
        };
        writeln!(raw, "{name}\x01{kind}{}", cell.text().unwrap_or_default()).unwrap();
    }
    raw.into_bytes()
}

pub const FIELDS: [&str; 4] = ["service", "status", "took", "user"];
pub const SERVICE: usize = 0;
pub const STATUS: usize = 1;
pub const TOOK: usize = 2;
pub const USER: usize = 3;

/// The entries of all streams, each stream's in its own order.
pub struct Corpus {
    pub streams: Vec<Vec<Event>>,
    pub sources: TestSources,
}

pub struct TestSources(pub Vec<Source>);

impl Sources for TestSources {
    fn source(&self, place: &Place) -> &Source {
        &self.0[source_index(place.host, place.log, place.stream, place.file)]
    }
}

impl TestSources {
    pub fn knows(&self, place: &Place) -> bool {
        place.host < 2 && place.log < 2 && place.stream < 2 && place.file < 3
    }
}

fn source_index(host: u32, log: u16, stream: u32, file: u32) -> usize {
    ((host * 2 + u32::from(log)) * 2 + stream) as usize * 3 + file as usize
}

impl Corpus {
    pub fn random(random: &mut Random, most: usize) -> Corpus {
        let mut sources = Vec::new();
        let mut streams = Vec::new();
        for (host, log, stream) in (0..2).flat_map(|host| {
            (0..2).flat_map(move |log| (0..2).map(move |stream| (host, log, stream)))
        }) {
            for file in 0..3 {
                sources.push(Source {
                    host: format!("host{host}"),
                    log: format!("log{log}"),
                    file: format!("/var/log/{log}/{stream}.{file}"),
                });
            }
            let count = if random.one_in(3) {
                0
            } else {
                random.below(most + 1)
            };
            streams.push(Corpus::stream(random, (host, log, stream), count));
        }
        Corpus {
            streams,
            sources: TestSources(sources),
        }
    }

    fn stream(
        random: &mut Random,
        (host, log, stream): (u32, u16, u32),
        count: usize,
    ) -> Vec<Event> {
        let (mut file, mut offset, mut line) = (0, 0, 1);
        let mut now = 1_768_831_200_000_000_000 + random.below(20) as i64 * 1_000_000_000;
        let mut events = Vec::new();
        for _ in 0..count {
            if file < 2 && random.one_in(12) {
                (file, offset, line) = (file + 1, 0, 1);
            }
            now += random.pick(&[0, 0, 1, 1, 2, 5, 30, 61, -1, -3, -9, -35]) * 500_000_000;
            let time = match random.below(25) {
                0 => None,
                1 => Some(Time::new(now, 3)),
                _ => Some(Time::from_ns(now)),
            };
            let cells = vec![
                random.pick(&[
                    Cell::Text("pay"),
                    Cell::Text("auth"),
                    Cell::Text(""),
                    Cell::Missing,
                    Cell::Null,
                ]),
                random.pick(&[
                    Cell::Int(200),
                    Cell::Text("200"),
                    Cell::Int(503),
                    Cell::Text("-"),
                    Cell::Null,
                ]),
                match random.below(8) {
                    0 => Cell::Missing,
                    1 => random.pick(&[
                        Cell::Text("n/a"),
                        Cell::Text("17"),
                        Cell::Text("2.5"),
                        Cell::Text("0.1"),
                    ]),
                    2 | 3 => Cell::Float(random.below(1000) as f64 / 8.0 + 0.1),
                    4 => Cell::Float(-(random.below(1000) as f64) * 1.000_001 - 0.3),
                    _ => Cell::Int(random.below(50) as i64 - 10),
                },
                random.pick(&[
                    Cell::Int(7),
                    Cell::Text("7"),
                    Cell::Text("alice"),
                    Cell::Text("bob"),
                    Cell::Missing,
                ]),
            ];
            let valid = !random.one_in(10);
            events.push(Event {
                place: Place {
                    time_ns: time.map_or(Place::UNTIMED, |time| time.ns),
                    host,
                    log,
                    stream,
                    file,
                    offset,
                },
                time,
                level: random.pick(&[
                    None,
                    Some(Level::Info),
                    Some(Level::Warn),
                    Some(Level::Error),
                ]),
                valid,
                line,
                raw: raw(&cells),
                cells,
            });
            offset += 1 + random.below(200) as u64;
            line += 1;
        }
        events
    }

    pub fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.streams.iter().flatten()
    }

    pub fn source(&self, event: &Event) -> &Source {
        self.sources.source(&event.place)
    }

    /// Calls with the event as operators see it.
    pub fn with_entry(&self, event: &Event, call: impl FnOnce(&Entry<'_>)) {
        let mut fields = vec![None; FIELDS.len()];
        TestFormat.each(&event.raw, &mut |name, field| {
            let index = FIELDS
                .iter()
                .position(|known| known.as_bytes() == name)
                .unwrap();
            fields[index] = Some(field);
        });
        call(&Entry {
            place: event.place,
            source: self.source(event),
            time: event.time,
            level: event.level,
            message: event.raw.get(..1).map(Field::text),
            raw: &event.raw,
            line: event.line,
            valid: event.valid,
            skipped: 0,
            fields: &fields,
            format: &TestFormat,
        });
    }
}

/// Lines of a name, a byte 1, a kind, and a value.
struct TestFormat;

impl TestFormat {
    fn each<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(&'a [u8], Field<'a>)) {
        for line in raw
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let at = line.iter().position(|byte| *byte == 1).unwrap();
            let kind = match line[at + 1] {
                b'0' => FieldKind::Null,
                b'#' => FieldKind::Number,
                _ => FieldKind::Text,
            };
            visit(
                &line[..at],
                Field {
                    text: &line[at + 2..],
                    kind,
                },
            );
        }
    }
}

impl Format for TestFormat {
    fn name(&self) -> &str {
        "test"
    }

    fn parse<'a>(&self, _: &'a [u8], _: &Wanted, _: &mut TimeReader, _: &mut Parsed<'a>) {}

    fn fields<'a>(&self, raw: &'a [u8], visit: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {
        self.each(raw, &mut |name, field| visit(Cow::Borrowed(name), field));
    }
}

pub fn field_paths() -> Vec<FieldPath> {
    FIELDS
        .iter()
        .map(|name| FieldPath {
            text: (*name).to_owned(),
            parts: vec![jobspec::plan::PathPart::Name((*name).to_owned())],
        })
        .collect()
}
