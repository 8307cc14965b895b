//! The oracle of sequences: every way to fill the steps from a handful of entries, held against the rules one by one;
//! of those that keep all of them the first in the words of the rule that picks.

use std::collections::BTreeMap;

use jobspec::expr::Expr;
use jobspec::plan::{OperatorKind, Pick, Scope, SequencePlan, StepPlan, TimeRange};
use jobspec::value::{Time, Value};

use super::corpus::{Cell, Corpus, Event, FIELDS, Random, SERVICE, STATUS, USER};
use super::{Case, field, is_inside, named, select};

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

pub fn leftmost(random: &mut Random, corpus: &Corpus) -> Case {
    case(random, corpus, Pick::Leftmost)
}

pub fn tightest(random: &mut Random, corpus: &Corpus) -> Case {
    case(random, corpus, Pick::Tightest)
}

fn case(random: &mut Random, corpus: &Corpus, pick: Pick) -> Case {
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
    let rows = rows(corpus, &plan, &range);
    Case {
        kind: OperatorKind::Sequence(plan),
        range,
        rows,
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

/// Whether a letter stands in the service. The oracle reads the letter back from the literals.
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

fn satisfies(predicate: &Expr, event: &Event) -> bool {
    let Expr::In { list, .. } = predicate else {
        unreachable!("made by `has`");
    };
    let text = event.cells[SERVICE].text();
    let words = list.iter().map(|word| match word {
        Expr::Literal(Value::Text(word)) => word.to_string(),
        _ => unreachable!("made by `has`"),
    });
    words.into_iter().any(|word| Some(word) == text)
}

/// An entry as one key sees it.
struct Word<'a> {
    event: &'a Event,
    steps: Vec<bool>,
    until: bool,
}

impl Word<'_> {
    fn time(&self) -> Option<i64> {
        self.event.time.map(|time| time.ns)
    }
}

fn rows(corpus: &Corpus, plan: &SequencePlan, range: &TimeRange) -> Vec<String> {
    // By key and scope: the words, and whether the key was ever logged as a number.
    type Keys<'a> = BTreeMap<(String, Vec<u32>), (Vec<Word<'a>>, bool)>;
    let mut keys: Keys<'_> = BTreeMap::new();
    let mut events: Vec<&Event> = corpus.events().collect();
    events.sort_by_key(|event| event.place);
    for event in events.iter().filter(|event| is_inside(range, event)) {
        let place = event.place;
        let scope = match plan.scope {
            Scope::Everywhere => vec![],
            Scope::Host => vec![place.host],
            Scope::File => vec![place.host, place.log.into(), place.stream, place.file],
        };
        for by in [USER, STATUS] {
            let Some(text) = event.cells[by].text() else {
                continue;
            };
            let steps = plan.steps.iter().map(|step| {
                let own = if step.key.is_some() { STATUS } else { USER };
                own == by && satisfies(&step.predicate, event)
            });
            let steps: Vec<bool> = steps.collect();
            let until = plan.until.as_ref();
            let until = by == USER && until.is_some_and(|until| satisfies(until, event));
            if !until && !steps.contains(&true) {
                continue;
            }
            let (words, is_number) = keys.entry((text, scope.clone())).or_default();
            *is_number |= matches!(event.cells[by], Cell::Int(_));
            match words.last_mut() {
                Some(word) if word.event.place == place => {
                    word.until |= until;
                    for (held, step) in word.steps.iter_mut().zip(steps) {
                        *held |= step;
                    }
                }
                _ => words.push(Word {
                    event,
                    steps,
                    until,
                }),
            }
        }
    }

    let times: Vec<i64> = events
        .iter()
        .filter_map(|event| event.time.map(|time| time.ns))
        .collect();
    let mut rows = Vec::new();
    for ((key, _), (words, is_number)) in &keys {
        let key_json = if *is_number {
            key.clone()
        } else {
            Cell::json_text(key)
        };
        let mut free = 0;
        while let Some(found) = best(plan, words, free) {
            let entries: Vec<usize> = found.concat();
            free = entries[entries.len() - 1] + 1;
            let is_certain = is_certain(plan, range, &times, words, &found);
            let place = words[entries[0]].event.place;
            rows.push((
                (place, key.len(), key),
                row(corpus, plan, words, &found, &key_json, is_certain),
            ));
        }
    }
    rows.sort();
    rows.into_iter().map(|(_, row)| row).collect()
}

fn taking(plan: &SequencePlan) -> Vec<usize> {
    (0..plan.steps.len())
        .filter(|step| !plan.steps[*step].absent)
        .collect()
}

/// What each step takes, of the match that wins among all that begin at `free` or later.
fn best(plan: &SequencePlan, words: &[Word<'_>], free: usize) -> Option<Vec<Vec<usize>>> {
    let taking = taking(plan);
    let mut all = Vec::new();
    fill(plan, &taking, words, free, &mut vec![vec![]], &mut all);
    match plan.pick {
        // Step by step and entry by entry the earliest; what follows from them is not chosen.
        Pick::Leftmost => all.into_iter().min_by_key(|found| {
            let chosen = found.iter().zip(&taking);
            chosen
                .flat_map(|(entries, step)| &entries[..plan.steps[*step].min as usize])
                .copied()
                .collect::<Vec<_>>()
        }),
        // The earliest end, and backwards from there the latest.
        Pick::Tightest => all.into_iter().min_by_key(|found| {
            let mut entries = found.concat();
            let last = entries.pop();
            entries.reverse();
            let late: Vec<_> = entries.into_iter().map(std::cmp::Reverse).collect();
            (last, late)
        }),
    }
}

/// All ways to fill the steps with entries that satisfy them, in order, that are matches.
fn fill(
    plan: &SequencePlan,
    taking: &[usize],
    words: &[Word<'_>],
    from: usize,
    filled: &mut Vec<Vec<usize>>,
    all: &mut Vec<Vec<Vec<usize>>>,
) {
    let step = filled.len() - 1;
    let step_plan = &plan.steps[taking[step]];
    if filled.len() == taking.len()
        && filled[step].len() >= step_plan.min as usize
        && is_match(plan, taking, words, filled)
    {
        all.push(filled.clone());
    }
    for at in from..words.len() {
        let most = step_plan.max.unwrap_or(u32::MAX) as usize;
        if words[at].steps[taking[step]] && filled[step].len() < most {
            filled[step].push(at);
            fill(plan, taking, words, at + 1, filled, all);
            filled[step].pop();
        }
        if filled[step].len() >= step_plan.min as usize
            && step + 1 < taking.len()
            && words[at].steps[taking[step + 1]]
        {
            filled.push(vec![at]);
            fill(plan, taking, words, at + 1, filled, all);
            filled.pop();
        }
    }
}

/// Known, and no longer than that.
fn is_within(words: &[Word<'_>], first: usize, last: usize, within_ns: Option<i64>) -> bool {
    within_ns.is_none_or(
        |within_ns| match (words[first].time(), words[last].time()) {
            (Some(first), Some(last)) => last - first <= within_ns,
            _ => false,
        },
    )
}

/// The rules, one by one.
fn is_match(
    plan: &SequencePlan,
    taking: &[usize],
    words: &[Word<'_>],
    filled: &[Vec<usize>],
) -> bool {
    let first = filled[0][0];
    let last = *filled[filled.len() - 1].last().unwrap();
    if !is_within(words, first, last, plan.within_ns) {
        return false;
    }
    if (first + 1..=last).any(|at| words[at].until) {
        return false;
    }
    let stop = (first + 1..words.len())
        .find(|at| words[*at].until || !is_within(words, first, *at, plan.within_ns))
        .unwrap_or(words.len());
    for (index, entries) in filled.iter().enumerate() {
        let step = &plan.steps[taking[index]];
        if index > 0 {
            let before = *filled[index - 1].last().unwrap();
            if !is_within(words, before, entries[0], step.within_ns) {
                return false;
            }
            let absent = taking[index - 1] + 1..taking[index];
            let mut between = words[before + 1..entries[0]].iter();
            if between.any(|word| absent.clone().any(|absent| word.steps[absent])) {
                return false;
            }
        }
        // After those that it must have it takes all that come, as many as it may.
        let (must, further) = entries.split_at(step.min as usize);
        let until = filled.get(index + 1).map_or(stop, |next| next[0]);
        let mut coming: Vec<usize> = (must[must.len() - 1] + 1..until)
            .filter(|at| words[*at].steps[taking[index]])
            .collect();
        if let Some(max) = step.max {
            coming.truncate((max - step.min) as usize);
        }
        if further != coming {
            return false;
        }
    }
    for (absent, step) in plan.steps.iter().enumerate() {
        let own = step.within_ns.or(plan.within_ns);
        if absent < taking[0] {
            if words[first].time().is_none() {
                return false;
            }
            if (0..first).any(|at| words[at].steps[absent] && is_within(words, at, first, own)) {
                return false;
            }
        }
        if absent > taking[taking.len() - 1] {
            let anchor = if step.within_ns.is_some() {
                last
            } else {
                first
            };
            if words[anchor].time().is_none() {
                return false;
            }
            let mut after = last + 1..words.len();
            if after.any(|at| {
                (words[at].steps[absent] || words[at].until) && is_within(words, anchor, at, own)
            }) {
                return false;
            }
        }
    }
    true
}

fn is_certain(
    plan: &SequencePlan,
    range: &TimeRange,
    times: &[i64],
    words: &[Word<'_>],
    found: &[Vec<usize>],
) -> bool {
    let taking = taking(plan);
    let first = words[found[0][0]].time();
    let last = words[*found[found.len() - 1].last().unwrap()].time();
    plan.steps.iter().enumerate().all(|(index, step)| {
        let within = step.within_ns.or(plan.within_ns).unwrap_or(0);
        let edge = if index < taking[0] {
            first.unwrap() - within
        } else if index > taking[taking.len() - 1] {
            let anchor = if step.within_ns.is_some() {
                last
            } else {
                first
            };
            anchor.unwrap() + within
        } else {
            return true;
        };
        *times.iter().min().unwrap() <= edge
            && edge <= *times.iter().max().unwrap()
            && range.from_ns.is_none_or(|from| from <= edge)
            && range.to_ns.is_none_or(|to| edge < to)
    })
}

fn row(
    corpus: &Corpus,
    plan: &SequencePlan,
    words: &[Word<'_>],
    found: &[Vec<usize>],
    key: &str,
    is_certain: bool,
) -> String {
    let entries: Vec<&Event> = found
        .concat()
        .into_iter()
        .map(|at| words[at].event)
        .collect();
    let (first, last) = (entries[0], entries[entries.len() - 1]);
    let time = |event: &Event| event.time.map_or(Cell::Null, Cell::Time).json();
    let duration = match (first.time, last.time) {
        (Some(first), Some(last)) => ((last.ns - first.ns) / 1_000_000).to_string(),
        _ => "null".to_owned(),
    };
    let mut hosts: Vec<String> = entries
        .iter()
        .map(|event| Cell::json_text(&corpus.source(event).host))
        .collect();
    hosts.sort();
    hosts.dedup();
    let steps = taking(plan).into_iter().zip(found).map(|(step, entries)| {
        let shown = entries
            .iter()
            .map(|at| select::entry(corpus, words[*at].event));
        format!(
            "{{\"name\":\"{}\",\"count\":{},\"entries\":[{}]}}",
            plan.steps[step].name,
            entries.len(),
            shown.collect::<Vec<_>>().join(",")
        )
    });
    format!(
        "{{\"key\":{{\"user\":{key}}},\"start\":{},\"end\":{},\"duration_ms\":{duration},\"hosts\":[{}],\"certain\":{is_certain},\"steps\":[{}]}}",
        time(first),
        time(last),
        hosts.join(","),
        steps.collect::<Vec<_>>().join(",")
    )
}
