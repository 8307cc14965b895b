//! Random sequences, over a handful of entries that fill their steps.

use jobspec::expr::Expr;
use jobspec::plan::{OperatorKind, Pick, Scope, SequencePlan, StepPlan, TimeRange};
use jobspec::value::{Time, Value};

use super::corpus::{Cell, Corpus, Event, FIELDS, Random, SERVICE, STATUS, USER};
use super::{Case, field, named};

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_768_831_200 * SECOND;
const LETTERS: [&str; 5] = ["a", "b", "c", "x", "u"];

/// Few entries and many ties; mostly one key.
pub fn corpus(random: &mut Random) -> Corpus {
    let count = random.pick(&[2, 5, 7, 8, 9, 9, 9]);
    let seconds = random.pick(&[3, 9, 25]);
    let letters = random.pick(&[&LETTERS[..2], &LETTERS[..3], &LETTERS[..4], &LETTERS]);
    let user = |random: &mut Random| match random.below(20) {
        0 => Cell::Text("7"),
        1 => Cell::Int(7),
        2 => random.pick(&[Cell::Missing, Cell::Null]),
        _ => Cell::Text("alice"),
    };
    let times: Vec<i64> = (0..count).map(|_| random.below(seconds) as i64).collect();
    let mut corpus = Corpus::random(random, 0);
    let streams = random.pick(&[1, 2, 8]);
    for time in times {
        let stream = random.below(streams);
        let mut word = String::new();
        let chosen = random.below(letters.len());
        for (index, letter) in letters.iter().enumerate() {
            if index == chosen || random.one_in(5) {
                word.push_str(letter);
            }
        }
        let mut cells = vec![Cell::Missing; FIELDS.len()];
        cells[SERVICE] = Cell::Text(word.leak());
        cells[USER] = user(random);
        cells[STATUS] = user(random);
        let time = match random.below(15) {
            0 => None,
            _ => Some(Time::from_ns(START + time * SECOND)),
        };
        let before = corpus.streams[stream].last();
        let (file, offset) = before.map_or((0, 0), |event| (event.place.file, event.place.offset));
        let file = if random.one_in(4) {
            (file + 1).min(2)
        } else {
            file
        };
        let place = crate::entry::Place {
            time_ns: time.map_or(crate::entry::Place::UNTIMED, |time| time.ns),
            host: stream as u32 / 4,
            log: (stream / 2 % 2) as u16,
            stream: stream as u32 % 2,
            file,
            offset: offset + 10,
        };
        corpus.streams[stream].push(Event::new(place, time, cells));
    }
    corpus
}

pub fn leftmost(random: &mut Random) -> Case {
    case(random, Pick::Leftmost)
}

pub fn tightest(random: &mut Random) -> Case {
    case(random, Pick::Tightest)
}

fn case(random: &mut Random, pick: Pick) -> Case {
    let plan = plan(random, pick);
    let range = match random.below(4) {
        0 => TimeRange {
            from_ns: random.one_in(2).then_some(START + 2 * SECOND),
            to_ns: random
                .one_in(2)
                .then(|| START + random.pick(&[6, 12]) * SECOND),
        },
        _ => TimeRange::default(),
    };
    Case {
        kind: OperatorKind::Sequence(plan),
        range,
    }
}

fn plan(random: &mut Random, pick: Pick) -> SequencePlan {
    let within = |random: &mut Random, chance| {
        random
            .one_in(chance)
            .then(|| random.pick(&[1, 3, 6, 12, 20]) * SECOND)
    };
    let within_ns = within(random, 2);
    let mut steps: Vec<StepPlan> = Vec::new();
    let taking = random.pick(&[1, 1, 2, 2, 2, 2, 3, 3, 4]);
    for index in 0..=taking {
        let silences = if random.one_in(if index == 0 { 7 } else { 4 }) {
            1 + random.below(2)
        } else {
            0
        };
        for _ in 0..silences {
            // Between two others it has none of its own; else there is one.
            let own = match index {
                0 => within(random, 2),
                index if index == taking => within(random, 2),
                _ => None,
            };
            let must = (index == 0 || index == taking) && within_ns.is_none() && own.is_none();
            steps.push(StepPlan {
                absent: true,
                within_ns: if must { Some(3 * SECOND) } else { own },
                ..step(random, steps.len(), &["x", "x", "a", "b", "u"])
            });
        }
        if index < taking {
            let (min, max) = match pick {
                Pick::Tightest => {
                    random.pick(&[(1, Some(1)), (1, Some(1)), (2, Some(2)), (3, Some(3))])
                }
                Pick::Leftmost => random.pick(&[
                    (1, Some(1)),
                    (1, Some(1)),
                    (2, Some(2)),
                    (3, Some(3)),
                    (1, None),
                    (2, None),
                    (1, Some(2)),
                    (1, Some(3)),
                    (2, Some(3)),
                    (2, Some(4)),
                ]),
            };
            let letters = [
                ["a", "a", "b"],
                ["b", "b", "a"],
                ["c", "a", "b"],
                ["b", "c", "a"],
            ][index];
            steps.push(StepPlan {
                min,
                max,
                within_ns: if index > 0 { within(random, 4) } else { None },
                ..step(random, steps.len(), &letters)
            });
        }
    }
    SequencePlan {
        key: vec![named("user", field(USER))],
        within_ns,
        steps,
        until: random
            .one_in(3)
            .then(|| has(random.pick(&["u", "u", "x", "a", "b"]))),
        pick,
        scope: random.pick(&[
            Scope::Everywhere,
            Scope::Everywhere,
            Scope::Everywhere,
            Scope::Host,
            Scope::File,
        ]),
    }
}

fn step(random: &mut Random, index: usize, letters: &[&'static str]) -> StepPlan {
    StepPlan {
        name: format!("step{index}"),
        predicate: has(random.pick(letters)),
        min: 1,
        max: Some(1),
        key: random.one_in(8).then(|| vec![field(STATUS)]),
        absent: false,
        within_ns: None,
    }
}

/// Whether a letter stands in the service.
fn has(letter: &str) -> Expr {
    let words = (1..1 << LETTERS.len()).map(|bits: usize| {
        let chosen = LETTERS.iter().enumerate();
        let chosen = chosen.filter(|(index, _)| bits >> index & 1 == 1);
        chosen.map(|(_, letter)| *letter).collect::<String>()
    });
    let words = words.filter(|word| word.contains(letter));
    Expr::In {
        value: Box::new(field(SERVICE)),
        list: words
            .map(|word| Expr::Literal(Value::owned_text(word)))
            .collect(),
    }
}
