//! Sequences and sessions: operators that follow the entries of one key, and the rules of what may follow what.

use std::collections::HashSet;

use super::Compiler;
use super::view::View;
use crate::expr::parse::{self, Inner};
use crate::plan::{Named, Pick, Scope, SequencePlan, SessionKey, SessionPlan, StepPlan};
use crate::table::{Node, Written, shortened};
use crate::units;

/// Entries that a step may ask for.
const MOST_TIMES: u32 = 1_000_000;
/// What a session's row has beside its `select`.
const SESSION_COLUMNS: [&str; 13] = [
    "key",
    "ids",
    "start",
    "end",
    "duration_ms",
    "entries",
    "levels",
    "hosts",
    "logs",
    "certain",
    "timeline",
    "left_out",
    "continued",
];

impl Compiler<'_> {
    pub(super) fn sequence(&mut self, view: View<'_>) -> Option<SequencePlan> {
        let key = self.named(view.pairs("by").unwrap_or_default());
        let within_ns = self.positive(view, "within");
        let tightest = view
            .text("pick")
            .is_some_and(|pick| pick.value == "tightest");
        let views = view.tables("steps");
        let mut names = HashSet::new();
        let mut steps = Vec::new();
        for step in &views {
            if let Some(name) = step.written("name")
                && !names.insert(name.value.clone())
            {
                self.mistake(
                    &name.place,
                    format!("the step `{}` is there twice", shortened(&name.value)),
                );
            }
            steps.push(self.step(*step, key.len(), tightest));
        }
        self.step_order(view, &views);
        let until = self.predicate_of(view, "until");
        Some(SequencePlan {
            key,
            within_ns,
            steps: steps.into_iter().collect::<Option<Vec<_>>>()?,
            until,
            pick: if tightest {
                Pick::Tightest
            } else {
                Pick::Leftmost
            },
            scope: match view.text("scope")?.value.as_str() {
                "host" => Scope::Host,
                "file" => Scope::File,
                _ => Scope::Everywhere,
            },
        })
    }

    fn step(&mut self, view: View<'_>, key_parts: usize, tightest: bool) -> Option<StepPlan> {
        let predicate = self.predicate_of(view, "where");
        let absent = view.bool("absent");
        let times = self.times(view);
        if let (Some(entry), true) = (view.entry("times"), absent) {
            self.mistake(
                &entry.key_place,
                "`times` beside `absent`: a step that must not come is not counted",
            );
        } else if let (Some((min, max)), true) = (times, tightest)
            && max != Some(min)
        {
            self.mistake_with(
                view.place_of("times"),
                "`pick = \"tightest\"` needs an exact number of times",
                "as in times = 5",
            );
        }
        let key = view.pairs("by").map(|pairs| {
            if pairs.len() != key_parts {
                let message = format!(
                    "`by` has {} here, the sequence's `by` has {}",
                    parts(pairs.len()),
                    parts(key_parts)
                );
                self.mistake(view.place_of("by"), message);
            }
            pairs
                .into_iter()
                .map(|pair| self.expression(&pair.text, parse::value))
                .collect::<Option<Vec<_>>>()
        });
        let within_ns = self.positive(view, "within");
        let (min, max) = times?;
        Some(StepPlan {
            name: view.written("name")?.value,
            predicate: predicate?,
            min,
            max,
            key: match key {
                None => None,
                Some(key) => Some(key?),
            },
            absent,
            within_ns,
        })
    }

    fn times(&mut self, view: View<'_>) -> Option<(u32, Option<u32>)> {
        let node: &Node = match view.node("times") {
            None => return Some((1, Some(1))),
            Some(node) => node,
        };
        let times = match &node.value {
            // What is not within 1 and the most was reported with its shape.
            Written::Integer(number) => {
                let exact = u32::try_from(*number).ok().filter(|exact| *exact > 0)?;
                Some((exact, Some(exact)))
            }
            Written::Text(text) => units::times(text),
            _ => return None,
        };
        match times {
            None => {
                self.mistake(
                    &node.place,
                    "not a number of times: write 3, \"2..5\" or \"5..\"",
                );
                None
            }
            Some((0, _)) => {
                self.mistake_with(
                    &node.place,
                    "a step takes at least one entry",
                    "a step that must not come has absent = true",
                );
                None
            }
            Some((min, Some(max))) if max < min => {
                self.mistake(
                    &node.place,
                    format!("at most {max} is less than at least {min}"),
                );
                None
            }
            Some((min, max)) if min > MOST_TIMES || max.is_some_and(|max| max > MOST_TIMES) => {
                self.mistake(&node.place, format!("more than {MOST_TIMES} times"));
                None
            }
            times => times,
        }
    }

    /// Where absent steps stand, and what `within` means there.
    fn step_order(&mut self, view: View<'_>, steps: &[View<'_>]) {
        let Some(first) = steps.iter().position(|step| !step.bool("absent")) else {
            if view.entry("steps").is_some() {
                let message = if steps.is_empty() {
                    "`steps` names no step"
                } else {
                    "at least one step must not be absent"
                };
                self.mistake(view.place_of("steps"), message);
            }
            return;
        };
        let last = steps
            .iter()
            .rposition(|step| !step.bool("absent"))
            .unwrap_or(first);
        let whole = view.entry("within").is_some();
        for (index, step) in steps.iter().enumerate() {
            let own = step.entry("within");
            let absent = step.bool("absent");
            if absent && index > first && index < last {
                if let Some(own) = own {
                    self.mistake_with(
                        &own.key_place,
                        "an absent step between two others takes no `within`",
                        "its silence lasts from the step before to the step after",
                    );
                }
            } else if absent && own.is_none() && !whole {
                self.mistake_with(
                    step.place,
                    format!(
                        "an absent {} step needs a `within`",
                        if index < first { "first" } else { "last" }
                    ),
                    "its own, or that of the sequence: how long the silence lasts",
                );
            } else if let (Some(own), true) = (own, index == first) {
                self.mistake_with(
                    &own.key_place,
                    "`within` of the first step: there is no step before it",
                    "the whole sequence's `within` stands beside `steps`",
                );
            }
        }
    }

    pub(super) fn session(&mut self, view: View<'_>) -> Option<SessionPlan> {
        let predicate = self.predicate_of(view, "where");
        let linked = view.entry("link").is_some();
        let parts = self.named(
            view.pairs(if linked { "link" } else { "by" })
                .unwrap_or_default(),
        );
        if !linked && view.entry("hub").is_some() {
            self.mistake(view.place_of("hub"), "`hub` has no meaning without `link`");
        }
        let select = view.pairs("select").unwrap_or_default();
        for pair in &select {
            if SESSION_COLUMNS.contains(&pair.name.as_str()) {
                self.mistake(
                    &pair.name_place,
                    format!("`{}` is a column that every session has", pair.name),
                );
            }
        }
        let mut inner = Inner::default();
        let select: Vec<Named> = select
            .into_iter()
            .map(|pair| self.figure(pair, &mut inner))
            .collect();
        let having = self.having(view, &select, &mut inner);
        Some(SessionPlan {
            predicate,
            key: if linked {
                SessionKey::Link {
                    ids: parts,
                    hub: view.count("hub")?,
                }
            } else {
                SessionKey::By(parts)
            },
            gap_ns: self.positive(view, "gap"),
            starts: self.predicate_of(view, "starts"),
            ends: self.predicate_of(view, "ends"),
            timeline: view.count("timeline")?,
            measures: inner.measures,
            select,
            having,
            max: view.count("max")?,
        })
    }
}

fn parts(count: usize) -> String {
    match count {
        1 => "1 part".to_owned(),
        count => format!("{count} parts"),
    }
}
