//! Logs as entries: line by line, with nothing clever.

use super::world::{StreamWorld, World};
use super::{Cell, Entry, LEVELS, Time};

impl World {
    /// The entries of each stream, of all hosts that are not lost.
    pub fn read(&self, lost: &[String], line_numbers: bool) -> Vec<Vec<Entry>> {
        let hosts = self.hosts.iter();
        let hosts = hosts.filter(|host| !lost.iter().any(|lost| lost == host.name));
        let streams = hosts.flat_map(|host| host.streams.iter().map(move |stream| (host, stream)));
        streams
            .map(|(host, stream)| {
                let mut entries = read(stream, host.name);
                for entry in &mut entries {
                    let line = entry.line;
                    entry.line = line.filter(|_| line_numbers);
                    if let Some(time) = &mut entry.time {
                        time.ns -= host.ahead_s * 1_000_000_000;
                    }
                }
                entries
            })
            .collect()
    }
}

/// By how much any entry's time is earlier than one before it.
pub fn disorder_ns(streams: &[Vec<Entry>]) -> i64 {
    let mut most = 0;
    for stream in streams {
        let times: Vec<i64> = stream
            .iter()
            .filter_map(|entry| entry.time.map(|time| time.ns))
            .collect();
        for (index, before) in times.iter().enumerate() {
            for after in &times[index..] {
                most = most.max(before - after);
            }
        }
    }
    most
}

fn read(stream: &StreamWorld, host: &str) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    // Blank lines that belong to an entry if it goes on after them.
    let mut blank = String::new();
    for (place, (path, text)) in stream.files.iter().enumerate() {
        let text = std::str::from_utf8(text).unwrap();
        let (mut offset, mut number) = (0, 0);
        for whole in text.split_inclusive('\n') {
            let line = whole.strip_suffix('\n').unwrap_or(whole);
            let line = line.strip_suffix('\r').unwrap_or(line);
            let at = offset;
            offset += whole.len();
            number += 1;
            if line.trim().is_empty() {
                blank.push_str(line);
                blank.push('\n');
                continue;
            }
            let blank = std::mem::take(&mut blank);
            let starts = stream.log == "app" || is_dated(line);
            if !starts && let Some(entry) = entries.last_mut() {
                entry.raw = format!("{}\n{blank}{line}", entry.raw);
                continue;
            }
            entries.push(Entry {
                host: host.to_owned(),
                log: stream.log,
                stream: stream.name.clone(),
                place,
                file: path.display().to_string(),
                offset: at,
                line: Some(number),
                time: None,
                level: None,
                message: None,
                raw: line.to_owned(),
                valid: true,
                fields: Vec::new(),
            });
        }
    }
    for entry in &mut entries {
        let is_parsed = match stream.log {
            "app" => json(entry),
            _ => service(entry),
        };
        if !is_parsed {
            entry.valid = false;
            entry.message = Some(entry.raw.clone());
        }
    }
    // A missing time is that of the entry before, at the head that of the first which has one.
    let mut before = entries.iter().find_map(|entry| entry.time);
    for entry in &mut entries {
        before = entry.time.or(before);
        entry.time = before;
    }
    entries
}

/// Whether it begins with a year.
fn is_dated(line: &str) -> bool {
    let bytes = line.as_bytes();
    bytes.len() > 4 && bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-'
}

/// Such as `2026-01-19T14:00:00.250Z`; of the months only January.
fn time(text: &str) -> Option<Time> {
    let text = text.strip_prefix("2026-01-")?.strip_suffix('Z')?;
    let (text, fraction) = text.split_once('.').unwrap_or((text, ""));
    let (day, clock) = text.split_once('T')?;
    let mut second = (day.parse::<i64>().ok()? - 1) * 24;
    for (index, part) in clock.split(':').enumerate() {
        second += part.parse::<i64>().ok()?;
        second *= [60, 60, 1][index];
    }
    let fraction_ns = format!("{fraction:0<9}").parse::<i64>().ok()?;
    Some(Time {
        // 2026 begins 20,454 days after 1970.
        ns: (20_454 * 86_400 + second) * 1_000_000_000 + fraction_ns,
        digits: fraction.len(),
    })
}

fn level(text: &str) -> Option<&'static str> {
    let text = match text {
        "notice" => "info",
        text => text,
    };
    LEVELS
        .into_iter()
        .find(|level| level.eq_ignore_ascii_case(text))
}

fn json(entry: &mut Entry) -> bool {
    let parsed: Result<serde_json::Map<String, serde_json::Value>, _> =
        serde_json::from_str(&entry.raw);
    let Ok(parsed) = parsed else {
        return false;
    };
    for (name, value) in parsed {
        let cell = match &value {
            serde_json::Value::Null => Cell::Null,
            serde_json::Value::String(text) => Cell::Text(text.clone()),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(number) => Cell::Int(number),
                None => Cell::Float(number.as_f64().unwrap()),
            },
            _ => unreachable!("none are written"),
        };
        match (name.as_str(), &cell) {
            ("time", Cell::Text(text)) => entry.time = time(text),
            ("level", Cell::Text(text)) => entry.level = level(text),
            ("message", Cell::Text(text)) => entry.message = Some(text.clone()),
            _ => {}
        }
        entry.fields.push((name, cell));
    }
    true
}

fn service(entry: &mut Entry) -> bool {
    let (line, more) = match entry.raw.split_once('\n') {
        Some((line, more)) => (line, Some(more)),
        None => (entry.raw.as_str(), None),
    };
    let mut words = line.splitn(3, ' ');
    let (Some(first), Some(second), Some(rest)) = (words.next(), words.next(), words.next()) else {
        return false;
    };
    if !is_dated(line) {
        return false;
    }
    entry.time = time(first);
    entry.level = level(second);
    let mut rest = rest;
    for name in ["user", "trace", "status", "n"] {
        let value = rest
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='));
        let Some((value, after)) = value.and_then(|value| value.split_once(' ')) else {
            continue;
        };
        let cell = match (name, value.parse::<i64>(), value.parse::<f64>()) {
            ("n", Ok(number), _) => Cell::Int(number),
            ("n", _, Ok(number)) => Cell::Float(number),
            _ => Cell::Text(value.to_owned()),
        };
        entry.fields.push((name.to_owned(), cell));
        rest = after;
    }
    let more = more.map_or(String::new(), |more| format!("\n{more}"));
    entry.message = Some(format!("{rest}{more}"));
    true
}
