//! Sequences: entries are tried for the steps one after the other, in the order in which the rule prefers them, and
//! each way to fill all steps is held against the rules one by one; the first that keeps them is the match.

use std::collections::BTreeMap;

use super::predicate::Predicate;
use super::world::{LETTERS, SECOND_NS};
use super::{Cell, Entry, Facts, Question, Random, json_text, list, names};

/// A sequence as a job has it; durations in seconds.
struct Plan {
    within: Option<i64>,
    steps: Vec<Step>,
    until: Option<Predicate>,
    scope: &'static str,
}

struct Step {
    predicate: Predicate,
    min: usize,
    max: Option<usize>,
    /// Whether its key stands in the field `trace`.
    own_key: bool,
    absent: bool,
    within: Option<i64>,
}

/// By a name of its own; `pick` is leftmost or tightest.
pub fn question(random: &mut Random, facts: &Facts, name: &'static str, pick: &str) -> Question {
    let (logs, facts) = facts.some_logs(random);
    let plan = Plan::random(random, pick);
    let mut rows = Vec::new();
    let times: Vec<i64> = facts
        .entries()
        .filter_map(|entry| entry.time.map(|time| time.ns))
        .collect();
    for ((key, _), (words, is_number)) in &plan.keys(&facts) {
        let key_json = if *is_number {
            key.clone()
        } else {
            json_text(key)
        };
        let mut free = 0;
        while let Some(found) = match pick {
            "leftmost" => plan.earliest(words, free, &mut Vec::new()),
            _ => plan.nearest(words, free),
        } {
            free = last_of(&found) + 1;
            let is_certain = plan.is_certain(&facts, &times, words, &found);
            rows.push((
                (words[found[0][0]].entry.order(), key.len(), key.clone()),
                plan.row(words, &found, &key_json, is_certain),
            ));
        }
    }
    rows.sort();
    Question {
        name,
        toml: format!(
            "[sequence.{name}]\n{logs}pick = \"{pick}\"\n{}",
            plan.toml()
        ),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    }
}

impl Plan {
    fn random(random: &mut Random, pick: &str) -> Plan {
        let some = |random: &mut Random, chance| {
            random
                .one_in(chance)
                .then(|| random.pick(&[1, 3, 6, 12, 40, 100]))
        };
        let within = some(random, 2);
        let mut steps: Vec<Step> = Vec::new();
        let taking = random.pick(&[1, 1, 2, 2, 2, 3, 4]);
        for index in 0..=taking {
            let chance = if index == 0 { 9 } else { 6 };
            let silences = if random.one_in(chance) {
                1 + random.below(2)
            } else {
                0
            };
            for _ in 0..silences {
                // Between two others it has none of its own; else there must be one.
                let is_edge = index == 0 || index == taking;
                let own = some(random, 2).or((within.is_none()).then_some(3));
                steps.push(Step {
                    absent: true,
                    within: own.filter(|_| is_edge),
                    ..Step::random(random, &["x", "x", "a", "b", "u"])
                });
            }
            if index < taking {
                let exact = [(1, Some(1)), (1, Some(1)), (2, Some(2)), (3, Some(3))];
                let open = [
                    (1, None),
                    (2, None),
                    (1, Some(2)),
                    (1, Some(3)),
                    (2, Some(4)),
                ];
                let (min, max) = match pick {
                    "leftmost" if random.one_in(2) => random.pick(&open),
                    _ => random.pick(&exact),
                };
                let letters = [
                    ["a", "a", "b"],
                    ["b", "b", "a"],
                    ["c", "a", "b"],
                    ["b", "c", "a"],
                ];
                steps.push(Step {
                    min,
                    max,
                    within: some(random, 4).filter(|_| index > 0),
                    ..Step::random(random, &letters[index])
                });
            }
        }
        let until = random.pick(&["u", "u", "x", "a", "b"]);
        Plan {
            within,
            steps,
            until: random.one_in(3).then_some(Predicate::Letter(until)),
            scope: random.pick(&["everywhere", "everywhere", "everywhere", "host", "file"]),
        }
    }

    fn toml(&self) -> String {
        let within = |within: Option<i64>| match within {
            Some(within) => format!("within = \"{within}s\""),
            None => String::new(),
        };
        let steps = self.steps.iter().enumerate().map(|(index, step)| {
            let mut parts = vec![
                format!("name = \"step{index}\""),
                format!("where = {}", json_text(&step.predicate.sql())),
            ];
            match (step.absent, step.min, step.max) {
                (true, ..) => parts.push("absent = true".to_owned()),
                (_, min, Some(max)) if min == max => parts.push(format!("times = {min}")),
                (_, min, Some(max)) => parts.push(format!("times = \"{min}..{max}\"")),
                (_, min, None) => parts.push(format!("times = \"{min}..\"")),
            }
            if step.own_key {
                parts.push("by = [\"trace\"]".to_owned());
            }
            if step.within.is_some() {
                parts.push(within(step.within));
            }
            format!("  {{ {} }},\n", parts.join(", "))
        });
        let until = self.until.as_ref().map_or(String::new(), |until| {
            format!("until = {}\n", json_text(&until.sql()))
        });
        format!(
            "by = [\"user\"]\nscope = \"{}\"\n{}\n{until}steps = [\n{}]\n",
            self.scope,
            within(self.within),
            steps.collect::<String>(),
        )
    }

    /// What each key has seen, and whether it was ever logged as a number; a scope's keys are keys of their own.
    fn keys<'a>(&self, facts: &'a Facts) -> BTreeMap<(String, String), (Vec<Word<'a>>, bool)> {
        let mut keys: BTreeMap<_, (Vec<Word<'a>>, bool)> = BTreeMap::new();
        let mut entries: Vec<&Entry> = facts.entries().collect();
        entries.sort_by_key(|entry| entry.order());
        for entry in entries.into_iter().filter(|entry| facts.is_inside(entry)) {
            let scope = match self.scope {
                "host" => entry.host.clone(),
                "file" => format!("{} {}", entry.host, entry.file),
                _ => String::new(),
            };
            for field in ["user", "trace"] {
                let cell = entry.cell(field);
                let Some(text) = cell.text() else {
                    continue;
                };
                let steps = self.steps.iter().map(|step| {
                    let own = if step.own_key { "trace" } else { "user" };
                    own == field && step.predicate.admits(entry)
                });
                let steps: Vec<bool> = steps.collect();
                let until = self.until.as_ref().filter(|_| field == "user");
                let until = until.is_some_and(|until| until.admits(entry));
                if !until && !steps.contains(&true) {
                    continue;
                }
                let (words, is_number) = keys.entry((text, scope.clone())).or_default();
                *is_number |= cell.is_number();
                match words.last_mut() {
                    Some(word) if std::ptr::eq(word.entry, entry) => {
                        word.until |= until;
                        for (held, step) in word.steps.iter_mut().zip(steps) {
                            *held |= step;
                        }
                    }
                    _ => words.push(Word {
                        entry,
                        steps,
                        until,
                    }),
                }
            }
        }
        keys
    }

    /// The steps that take entries.
    fn taking(&self) -> Vec<usize> {
        let steps = self.steps.iter().enumerate();
        let taking = steps.filter(|(_, step)| !step.absent);
        taking.map(|(index, _)| index).collect()
    }

    /// For each entry that a match must have, the step that it is for.
    fn musts(&self) -> Vec<usize> {
        let taking = self.taking().into_iter();
        let musts = taking.flat_map(|step| std::iter::repeat_n(step, self.steps[step].min));
        musts.collect()
    }

    /// The earliest entries first.
    fn earliest(
        &self,
        words: &[Word<'_>],
        from: usize,
        chosen: &mut Vec<usize>,
    ) -> Option<Vec<Vec<usize>>> {
        let musts = self.musts();
        let Some(step) = musts.get(chosen.len()) else {
            let found = self.filled(words, chosen);
            return self.is_match(words, &found).then_some(found);
        };
        for at in from..words.len() {
            if words[at].steps[*step] {
                chosen.push(at);
                let found = self.earliest(words, at + 1, chosen);
                chosen.pop();
                if found.is_some() {
                    return found;
                }
            }
            // Nothing that lies beyond can go on with what has begun.
            if let Some(first) = chosen.first()
                && (words[at].until || !is_within(words, *first, at, self.within))
            {
                break;
            }
        }
        None
    }

    /// The earliest end, and from there backwards the latest entries first.
    fn nearest(&self, words: &[Word<'_>], free: usize) -> Option<Vec<Vec<usize>>> {
        (free..words.len()).find_map(|end| self.latest(words, free, end + 1, &mut Vec::new()))
    }

    fn latest(
        &self,
        words: &[Word<'_>],
        free: usize,
        end: usize,
        chosen: &mut Vec<usize>,
    ) -> Option<Vec<Vec<usize>>> {
        let musts = self.musts();
        if chosen.len() == musts.len() {
            let in_order: Vec<usize> = chosen.iter().rev().copied().collect();
            let found = self.filled(words, &in_order);
            return self.is_match(words, &found).then_some(found);
        }
        let step = musts[musts.len() - 1 - chosen.len()];
        for at in (free..end).rev() {
            if words[at].steps[step] {
                chosen.push(at);
                let found = self.latest(words, free, at, chosen);
                chosen.pop();
                if found.is_some() {
                    return found;
                }
            }
            // The last entry is the one that was asked for.
            if chosen.is_empty() {
                break;
            }
        }
        None
    }

    /// What each step takes beside what it must: all that come before the next step, as many as it may.
    fn filled(&self, words: &[Word<'_>], chosen: &[usize]) -> Vec<Vec<usize>> {
        let stop = (chosen[0] + 1..words.len())
            .find(|at| words[*at].until || !is_within(words, chosen[0], *at, self.within))
            .unwrap_or(words.len());
        let mut rest = chosen;
        let mut found = Vec::new();
        for step in self.taking() {
            let (must, after) = rest.split_at(self.steps[step].min);
            rest = after;
            let next = rest.first().copied().unwrap_or(stop);
            let coming = must[must.len() - 1] + 1..next;
            let coming = coming.filter(|at| words[*at].steps[step]);
            let most = self.steps[step].max.unwrap_or(usize::MAX) - must.len();
            found.push(must.iter().copied().chain(coming.take(most)).collect());
        }
        found
    }

    /// The rules, one by one.
    fn is_match(&self, words: &[Word<'_>], found: &[Vec<usize>]) -> bool {
        let taking = self.taking();
        let (first, last) = (found[0][0], last_of(found));
        if !is_within(words, first, last, self.within) {
            return false;
        }
        if (first + 1..=last).any(|at| words[at].until) {
            return false;
        }
        for (index, entries) in found.iter().enumerate().skip(1) {
            let before = *found[index - 1].last().unwrap();
            if !is_within(words, before, entries[0], self.steps[taking[index]].within) {
                return false;
            }
            let absent = taking[index - 1] + 1..taking[index];
            let mut between = words[before + 1..entries[0]].iter();
            if between.any(|word| absent.clone().any(|absent| word.steps[absent])) {
                return false;
            }
        }
        for (absent, step) in self.steps.iter().enumerate() {
            let within = step.within.or(self.within);
            if absent < taking[0] {
                let is_near = |at: usize| is_within(words, at, first, within);
                if words[first].entry.time.is_none()
                    || (0..first).any(|at| words[at].steps[absent] && is_near(at))
                {
                    return false;
                }
            }
            if absent > taking[taking.len() - 1] {
                let anchor = if step.within.is_some() { last } else { first };
                let breaks = |at: usize| words[at].steps[absent] || words[at].until;
                let is_near = |at: usize| is_within(words, anchor, at, within);
                if words[anchor].entry.time.is_none()
                    || (last + 1..words.len()).any(|at| breaks(at) && is_near(at))
                {
                    return false;
                }
            }
        }
        true
    }

    /// Whether the logs tell of every silence that it rests on, and nothing in scope is lost.
    fn is_certain(
        &self,
        facts: &Facts,
        times: &[i64],
        words: &[Word<'_>],
        found: &[Vec<usize>],
    ) -> bool {
        if self.scope == "everywhere" && !facts.lost.is_empty() {
            return false;
        }
        let taking = self.taking();
        let time_ns = |at: usize| words[at].entry.time.map(|time| time.ns);
        let (first, last) = (time_ns(found[0][0]), time_ns(last_of(found)));
        self.steps.iter().enumerate().all(|(index, step)| {
            let within_ns = step.within.or(self.within).unwrap_or(0) * SECOND_NS;
            let edge_ns = if index < taking[0] {
                first.unwrap() - within_ns
            } else if index > taking[taking.len() - 1] {
                let anchor = if step.within.is_some() { last } else { first };
                anchor.unwrap() + within_ns
            } else {
                return true;
            };
            *times.iter().min().unwrap() <= edge_ns
                && edge_ns <= *times.iter().max().unwrap()
                && facts.from_ns.is_none_or(|from| from <= edge_ns)
                && facts.to_ns.is_none_or(|to| edge_ns < to)
        })
    }

    fn row(&self, words: &[Word<'_>], found: &[Vec<usize>], key: &str, is_certain: bool) -> String {
        let entries =
            |found: &[usize]| -> Vec<&Entry> { found.iter().map(|at| words[*at].entry).collect() };
        let all = entries(&found.concat());
        let (first, last) = (all[0], all[all.len() - 1]);
        let duration = match (first.time, last.time) {
            (Some(first), Some(last)) => Cell::Float((last.ns - first.ns) as f64 / 1e6),
            _ => Cell::Null,
        };
        let steps = self.taking().into_iter().zip(found).map(|(step, found)| {
            format!(
                "{{\"name\":\"step{step}\",\"count\":{},\"entries\":{}}}",
                found.len(),
                list(&entries(found)),
            )
        });
        format!(
            "{{\"key\":{{\"user\":{key}}},\"start\":{},\"end\":{},\"duration_ms\":{},\"hosts\":{},\"certain\":{is_certain},\"steps\":[{}]}}",
            first.time_cell().json(),
            last.time_cell().json(),
            duration.json(),
            names(&all, |entry| &entry.host),
            steps.collect::<Vec<_>>().join(",")
        )
    }
}

impl Step {
    fn random(random: &mut Random, letters: &[&'static str]) -> Step {
        let letter = random.pick(letters);
        assert!(LETTERS.contains(&letter));
        Step {
            predicate: Predicate::Letter(letter),
            min: 1,
            max: Some(1),
            own_key: random.one_in(16),
            absent: false,
            within: None,
        }
    }
}

/// An entry as one key sees it.
struct Word<'a> {
    entry: &'a Entry,
    steps: Vec<bool>,
    until: bool,
}

fn last_of(found: &[Vec<usize>]) -> usize {
    *found.last().and_then(|entries| entries.last()).unwrap()
}

/// Known, and no longer than that.
fn is_within(words: &[Word<'_>], first: usize, last: usize, within: Option<i64>) -> bool {
    let time = |at: usize| words[at].entry.time.map(|time| time.ns);
    within.is_none_or(|within| match (time(first), time(last)) {
        (Some(first), Some(last)) => last - first <= within * SECOND_NS,
        _ => false,
    })
}
