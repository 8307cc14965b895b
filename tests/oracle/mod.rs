//! What rows must be: DESIGN's rules of meaning once more, slow and obvious, of one thread and of plain loops, sharing
//! no code with what they are held against.
//!
//! `world` writes random logs, `read` reads them back into entries in its own way, and each of the others makes a random
//! operator as a job has it, and its rows.

mod aggregate;
mod context;
mod predicate;
mod random;
mod read;
mod select;
mod sequence;
mod session;
mod world;

use std::cmp::Ordering;

pub use self::random::Random;
pub use self::read::disorder_ns;
pub use self::world::World;
use self::world::{SECOND_NS, START_NS};

/// An operator of a job, and the rows that it must give.
pub struct Question {
    /// As the job's table and the rows' file are named.
    pub name: &'static str,
    pub toml: String,
    pub rows: Vec<String>,
}

/// All operators are asked about the same logs.
pub fn questions(random: &mut Random, facts: &Facts) -> Vec<Question> {
    vec![
        context::question(random, facts),
        sequence::question(random, facts, "leftmost", "leftmost"),
        sequence::question(random, facts, "leftmost_too", "leftmost"),
        sequence::question(random, facts, "tightest", "tightest"),
        sequence::question(random, facts, "tightest_too", "tightest"),
        session::by_key(random, facts),
        session::linked(random, facts),
        aggregate::question(random, facts),
        select::question(random, facts),
    ]
}

/// A bound of from/to: a whole second, up to so many after the logs begin.
pub fn moment(random: &mut Random, seconds: usize) -> i64 {
    START_NS + random.below(seconds) as i64 * SECOND_NS
}

/// What came of some logs, and what a job asks of them.
pub struct Facts {
    /// The entries of each stream, in its own order.
    pub streams: Vec<Vec<Entry>>,
    pub from_ns: Option<i64>,
    pub to_ns: Option<i64>,
    /// Hosts that hold logs of which nothing came.
    pub lost: Vec<String>,
    pub logs: Vec<&'static str>,
}

impl Facts {
    /// What an operator sees that reads these logs.
    pub fn of(&self, logs: &[&str]) -> Facts {
        let streams = self.streams.iter();
        Facts {
            streams: streams
                .map(|stream| {
                    let stream = stream.iter().filter(|entry| logs.contains(&entry.log));
                    stream.cloned().collect()
                })
                .collect(),
            lost: self.lost.clone(),
            logs: self.logs.clone(),
            ..*self
        }
    }

    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.streams.iter().flatten()
    }

    /// Whether an entry lies in from/to; one without a time does where there is neither.
    pub fn is_inside(&self, entry: &Entry) -> bool {
        match entry.time {
            None => self.from_ns.is_none() && self.to_ns.is_none(),
            Some(time) => {
                self.from_ns.is_none_or(|from| time.ns >= from)
                    && self.to_ns.is_none_or(|to| time.ns < to)
            }
        }
    }

    /// The `logs` of an operator, often all of them, and what it then sees.
    fn some_logs(&self, random: &mut Random) -> (String, Facts) {
        if random.one_in(3) {
            let log = random.pick(&self.logs);
            (format!("logs = [\"{log}\"]\n"), self.of(&[log]))
        } else {
            (String::new(), self.of(&self.logs))
        }
    }
}

/// A moment, and the digits of its second that the log gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    pub ns: i64,
    pub digits: usize,
}

impl Time {
    pub fn text(self) -> String {
        let (days, second) = (
            self.ns.div_euclid(86_400_000_000_000),
            self.ns.div_euclid(1_000_000_000).rem_euclid(86_400),
        );
        let (mut year, mut day) = (1970, days);
        let is_leap = |year: i64| (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
        while day >= 365 + i64::from(is_leap(year)) {
            day -= 365 + i64::from(is_leap(year));
            year += 1;
        }
        let february = 28 + i64::from(is_leap(year));
        let mut month = 1;
        for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
            if day < length {
                break;
            }
            day -= length;
            month += 1;
        }
        let mut text = format!(
            "{year}-{month:02}-{:02}T{:02}:{:02}:{:02}",
            day + 1,
            second / 3600,
            second / 60 % 60,
            second % 60
        );
        if self.digits > 0 {
            let fraction = format!("{:09}", self.ns.rem_euclid(1_000_000_000));
            text = format!("{text}.{}", &fraction[..self.digits]);
        }
        text + "Z"
    }
}

/// A field's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Int(i64),
    Float(f64),
    Text(String),
    Time(Time),
}

impl Cell {
    /// None where it is NULL.
    pub fn text(&self) -> Option<String> {
        match self {
            Cell::Null => None,
            Cell::Int(number) => Some(number.to_string()),
            Cell::Float(number) => Some(number.to_string()),
            Cell::Text(text) => Some(text.clone()),
            Cell::Time(time) => Some(time.text()),
        }
    }

    pub fn number(&self) -> Option<f64> {
        match self {
            Cell::Int(number) => Some(*number as f64),
            Cell::Float(number) => Some(*number),
            Cell::Text(text) => text.parse().ok(),
            Cell::Null | Cell::Time(_) => None,
        }
    }

    pub fn is_number(&self) -> bool {
        matches!(self, Cell::Int(_) | Cell::Float(_))
    }

    pub fn json(&self) -> String {
        match self {
            Cell::Null => "null".to_owned(),
            Cell::Int(number) => number.to_string(),
            // Whole numbers have no fraction.
            Cell::Float(number) => number.to_string(),
            Cell::Text(text) => json_text(text),
            Cell::Time(time) => json_text(&time.text()),
        }
    }

    /// Numbers first, a text that is one too; then times, texts by bytes, NULL.
    pub fn compare(&self, other: &Cell) -> Ordering {
        let rank = |cell: &Cell| match (cell.number(), cell) {
            (Some(_), _) => 0,
            (None, Cell::Time(_)) => 1,
            (None, Cell::Text(_)) => 2,
            _ => 3,
        };
        let number = |cell: &Cell| cell.number().unwrap_or(0.0);
        let moment = |cell: &Cell| match cell {
            Cell::Time(time) => time.ns,
            _ => 0,
        };
        rank(self)
            .cmp(&rank(other))
            .then(number(self).total_cmp(&number(other)))
            .then(moment(self).cmp(&moment(other)))
            .then(self.text().cmp(&other.text()))
    }
}

pub fn json_text(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// One log event.
#[derive(Clone, Debug)]
pub struct Entry {
    pub host: String,
    pub log: &'static str,
    /// Name of its stream, and its file's place there.
    pub stream: String,
    pub place: usize,
    pub file: String,
    pub offset: usize,
    /// Where the job asks for it.
    pub line: Option<usize>,
    pub time: Option<Time>,
    pub level: Option<&'static str>,
    pub message: Option<String>,
    pub raw: String,
    pub valid: bool,
    pub fields: Vec<(String, Cell)>,
}

pub const LEVELS: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];

impl Entry {
    pub fn cell(&self, field: &str) -> Cell {
        let found = self.fields.iter().find(|(name, _)| name == field);
        found.map_or(Cell::Null, |(_, cell)| cell.clone())
    }

    /// Place in the total order: what has no time comes last.
    pub fn order(&self) -> (i128, &str, &str, &str, usize, usize) {
        let time = self.time.map_or(i128::MAX, |time| time.ns.into());
        let (host, stream) = (&self.host, &self.stream);
        (time, host, self.log, stream, self.place, self.offset)
    }

    /// As a time, or NULL.
    pub fn time_cell(&self) -> Cell {
        self.time.map_or(Cell::Null, Cell::Time)
    }

    /// As rows show it.
    pub fn json(&self) -> String {
        let text = |text: Option<&str>| text.map_or("null".to_owned(), json_text);
        let mut parts = vec![
            format!("\"time\":{}", self.time_cell().json()),
            format!("\"host\":{}", json_text(&self.host)),
            format!("\"log\":{}", json_text(self.log)),
            format!("\"file\":{}", json_text(&self.file)),
            format!("\"offset\":{}", self.offset),
        ];
        parts.extend(self.line.map(|line| format!("\"line\":{line}")));
        parts.push(format!("\"level\":{}", text(self.level)));
        parts.push(format!("\"message\":{}", text(self.message.as_deref())));
        parts.push(format!("\"raw\":{}", json_text(&self.raw)));
        if !self.valid {
            parts.push("\"valid\":false".to_owned());
        }
        let fields = self.fields.iter();
        let fields = fields.map(|(name, cell)| format!("{}:{}", json_text(name), cell.json()));
        parts.push(format!(
            "\"fields\":{{{}}}",
            fields.collect::<Vec<_>>().join(",")
        ));
        format!("{{{}}}", parts.join(","))
    }
}

/// Several of them, as a list.
fn list(entries: &[&Entry]) -> String {
    let entries: Vec<String> = entries.iter().map(|entry| entry.json()).collect();
    format!("[{}]", entries.join(","))
}

/// The names that entries have, sorted, each once, as a list.
fn names<'a>(entries: &[&'a Entry], name: impl Fn(&'a Entry) -> &'a str) -> String {
    let mut names: Vec<&str> = entries.iter().map(|entry| name(entry)).collect();
    names.sort_unstable();
    names.dedup();
    let names: Vec<String> = names.into_iter().map(json_text).collect();
    format!("[{}]", names.join(","))
}
