//! Contexts: whole streams at once, and for each match a walk to both sides.

use super::predicate::Predicate;
use super::world::SECOND_NS;
use super::{Entry, Facts, Question, Random, json_text};

/// How far a window goes to one side.
#[derive(Clone, Copy)]
enum Reach {
    Entries(usize),
    Halves(i64),
}

pub fn question(random: &mut Random, facts: &Facts) -> Question {
    let (logs, facts) = facts.some_logs(random);
    let predicate = Predicate::random(random);
    let mut reach = || match random.below(2) {
        0 => Reach::Entries(random.pick(&[0, 1, 2, 5, 100])),
        _ => Reach::Halves(random.pick(&[0, 1, 2, 6, 80])),
    };
    let (before, after) = (reach(), reach());
    let max = random.pick(&[1, 3, 10_000]);

    let is_match = |entry: &Entry| facts.is_inside(entry) && predicate.admits(entry);
    let mut rows = Vec::new();
    for stream in &facts.streams {
        let mut covered = vec![false; stream.len()];
        for index in (0..stream.len()).filter(|index| is_match(&stream[*index])) {
            covered[index] = true;
            for (far, other) in (0..index).rev().enumerate() {
                if !reaches(before, &stream[index], &stream[other], far + 1) {
                    break;
                }
                covered[other] = true;
            }
            for (far, other) in (index + 1..stream.len()).enumerate() {
                if !reaches(after, &stream[index], &stream[other], far + 1) {
                    break;
                }
                covered[other] = true;
            }
        }
        let mut index = 0;
        while index < stream.len() {
            let window = covered[index..].iter().take_while(|covered| **covered);
            let length = window.count();
            for (part, window) in stream[index..index + length].chunks(max).enumerate() {
                rows.push((window[0].order(), row(window, part > 0, &is_match)));
            }
            index += length.max(1);
        }
    }
    rows.sort();
    Question {
        name: "around",
        toml: format!(
            "[context.around]\n{logs}where = {}\nbefore = {}\nafter = {}\nmax = {max}\n",
            json_text(&predicate.sql()),
            before.toml(),
            after.toml(),
        ),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    }
}

impl Reach {
    fn toml(self) -> String {
        match self {
            Reach::Entries(entries) => entries.to_string(),
            Reach::Halves(halves) => format!("\"{}ms\"", halves * 500),
        }
    }
}

/// Whether a window still goes on at an entry so many entries away.
fn reaches(reach: Reach, entry: &Entry, other: &Entry, far: usize) -> bool {
    match reach {
        Reach::Entries(most) => far <= most,
        Reach::Halves(halves) => match (entry.time, other.time) {
            (Some(time), Some(other)) => (time.ns - other.ns).abs() <= halves * SECOND_NS / 2,
            _ => false,
        },
    }
}

fn row(window: &[Entry], continued: bool, is_match: &dyn Fn(&Entry) -> bool) -> String {
    let entries = window.iter().map(|entry| {
        let json = entry.json();
        format!(
            "{},\"match\":{}}}",
            &json[..json.len() - 1],
            is_match(entry)
        )
    });
    format!(
        "{{\"host\":{},\"log\":{},\"start\":{},\"end\":{},\"matches\":{},\"entries\":[{}]{}}}",
        json_text(&window[0].host),
        json_text(window[0].log),
        window[0].time_cell().json(),
        window[window.len() - 1].time_cell().json(),
        window.iter().filter(|entry| is_match(entry)).count(),
        entries.collect::<Vec<_>>().join(","),
        if continued { ",\"continued\":true" } else { "" },
    )
}
