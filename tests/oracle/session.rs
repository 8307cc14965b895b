//! Sessions: all entries of a key, or all that ids join, in order, cut one after the other.

use std::collections::{BTreeMap, BTreeSet};

use super::aggregate::What;
use super::predicate::{Predicate, optional};
use super::world::SECOND_NS;
use super::{Cell, Entry, Facts, LEVELS, Question, Random, json_text, list, names};

pub fn by_key(random: &mut Random, facts: &Facts) -> Question {
    let fields = random.pick(&[&["user"][..], &["status"], &["user", "status"]]);
    question(random, facts, "keyed", fields, None)
}

pub fn linked(random: &mut Random, facts: &Facts) -> Question {
    let fields = random.pick(&[
        &["user", "trace"][..],
        &["trace", "status"],
        &["user"],
        &["status", "user", "trace"],
    ]);
    let hub = random.pick(&[1, 2, 3, 5, 1000]);
    question(random, facts, "linked", fields, Some(hub))
}

fn question(
    random: &mut Random,
    facts: &Facts,
    name: &'static str,
    fields: &[&'static str],
    hub: Option<usize>,
) -> Question {
    let (logs, facts) = facts.some_logs(random);
    let (condition, admits) = optional(random);
    let gap_ns = random
        .pick(&[None, Some(1), Some(4), Some(20)])
        .map(|gap| gap * SECOND_NS);
    let edge = |random: &mut Random| random.one_in(4).then(|| Predicate::random(random));
    let (starts, ends) = (edge(random), edge(random));
    let timeline = random.pick(&[0, 1, 2, 3, 5, 1000]);
    let max = random.pick(&[2, 10_000]);
    let measures: Vec<What> = (0..random.below(3)).map(|_| What::random(random)).collect();
    let least = random.one_in(3).then(|| random.below(4));

    let admitted = facts.entries();
    let admitted = admitted.filter(|entry| facts.is_inside(entry) && admits(entry));
    let admitted: Vec<&Entry> = admitted.collect();
    let links = Links::new(&admitted, fields, hub.unwrap_or(0));
    let groups = match hub {
        Some(_) => links.components(&admitted),
        None => keys(&admitted, fields),
    };
    let is_whole = facts.lost.is_empty();
    let mut rows = Vec::new();
    for mut entries in groups {
        entries.sort_by_key(|entry| entry.order());
        let holds = |predicate: &Option<Predicate>, entry: &Entry| {
            predicate
                .as_ref()
                .is_some_and(|predicate| predicate.admits(entry))
        };
        let sessions = entries.chunk_by(|before, entry| {
            let is_silent = gap_ns.is_some_and(|gap_ns| match (before.time, entry.time) {
                (Some(before), Some(time)) => time.ns - before.ns > gap_ns,
                (before, time) => before.is_some() != time.is_some(),
            });
            !is_silent && !holds(&ends, before) && !holds(&starts, entry)
        });
        for session in sessions.filter(|session| least.is_none_or(|least| session.len() >= least)) {
            let key = match hub {
                Some(_) => links.json(session, &entries),
                None => key_json(&entries, fields),
            };
            let is_certain =
                is_whole && gap_ns.is_none_or(|gap_ns| is_clear(&facts, session, gap_ns));
            for (part, row) in parts(session, &key, is_certain, &measures, (timeline, max)) {
                rows.push((session[0].order(), part, row));
            }
        }
    }
    rows.sort();

    let quoted: Vec<String> = fields.iter().map(|field| json_text(field)).collect();
    let mut toml =
        format!("[session.{name}]\n{logs}{condition}timeline = {timeline}\nmax = {max}\n");
    toml += &match hub {
        Some(hub) => format!("link = [{}]\nhub = {hub}\n", quoted.join(", ")),
        None => format!("by = [{}]\n", quoted.join(", ")),
    };
    if let Some(gap_ns) = gap_ns {
        toml += &format!("gap = \"{}s\"\n", gap_ns / SECOND_NS);
    }
    for (name, predicate) in [("starts", starts), ("ends", ends)] {
        if let Some(predicate) = predicate {
            toml += &format!("{name} = {}\n", json_text(&predicate.sql()));
        }
    }
    if !measures.is_empty() {
        let columns = measures.iter().enumerate();
        let columns = columns.map(|(index, what)| format!("c{index} = {}", json_text(&what.sql())));
        toml += &format!(
            "select = {{ {} }}\n",
            columns.collect::<Vec<_>>().join(", ")
        );
    }
    if let Some(least) = least {
        toml += &format!("having = \"count(*) >= {least}\"\n");
    }
    Question {
        name,
        toml,
        rows: rows.into_iter().map(|(_, _, row)| row).collect(),
    }
}

/// Whether it keeps clear of the edges of from/to.
fn is_clear(facts: &Facts, session: &[&Entry], gap_ns: i64) -> bool {
    session.iter().filter_map(|entry| entry.time).all(|time| {
        facts.from_ns.is_none_or(|from| time.ns - from > gap_ns)
            && facts.to_ns.is_none_or(|to| to - time.ns > gap_ns)
    })
}

/// The rows of a session: one, and more of them where its timeline is long.
fn parts(
    session: &[&Entry],
    key: &str,
    is_certain: bool,
    measures: &[What],
    (timeline, max): (usize, usize),
) -> Vec<(usize, String)> {
    let times: Vec<_> = session.iter().filter_map(|entry| entry.time).collect();
    let time =
        |time: Option<&super::Time>| time.map_or(Cell::Null, |time| Cell::Time(*time)).json();
    let duration = match (times.first(), times.last()) {
        (Some(first), Some(last)) => Cell::Float((last.ns - first.ns) as f64 / 1e6),
        _ => Cell::Null,
    };
    let head = format!(
        "{{{key},\"start\":{},\"end\":{},\"duration_ms\":",
        time(times.first()),
        time(times.last()),
    );
    let levels = LEVELS.into_iter().filter_map(|level| {
        let entries = session.iter();
        let count = entries.filter(|entry| entry.level == Some(level)).count();
        (count > 0).then(|| format!("\"{level}\":{count}"))
    });
    let shown = match session.len() {
        count if count <= timeline => session.to_vec(),
        count => {
            let (first, last) = (timeline.div_ceil(2), count - timeline / 2);
            [&session[..first], &session[last..]].concat()
        }
    };
    let figures = |value: &dyn Fn(&What) -> String| -> String {
        let figures = measures.iter().enumerate();
        let figures = figures.map(|(index, what)| format!(",\"c{index}\":{}", value(what)));
        figures.collect()
    };
    let mut chunks = shown.chunks(max);
    let mut rows = vec![(
        0,
        format!(
            "{head}{},\"entries\":{},\"levels\":{{{}}},\"hosts\":{},\"logs\":{},\"certain\":{is_certain}{},\"timeline\":{},\"left_out\":{}}}",
            duration.json(),
            session.len(),
            levels.collect::<Vec<_>>().join(","),
            names(session, |entry| &entry.host),
            names(session, |entry| entry.log),
            figures(&|what| what.of(session)),
            list(chunks.next().unwrap_or_default()),
            session.len() - shown.len(),
        ),
    )];
    for (index, chunk) in chunks.enumerate() {
        let row = format!(
            "{head}null,\"entries\":null,\"levels\":null,\"hosts\":null,\"logs\":null,\"certain\":{is_certain}{},\"timeline\":{},\"continued\":true}}",
            figures(&|_| "null".to_owned()),
            list(chunk),
        );
        rows.push((index + 1, row));
    }
    rows
}

/// The entries of each key.
fn keys<'a>(entries: &[&'a Entry], fields: &[&str]) -> Vec<Vec<&'a Entry>> {
    let mut keys: BTreeMap<Vec<String>, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        let texts = fields.iter().map(|field| entry.cell(field).text());
        if let Some(texts) = texts.collect() {
            keys.entry(texts).or_default().push(entry);
        }
    }
    keys.into_values().collect()
}

/// The key of entries that have one: of values of one text a number is shown.
fn key_json(entries: &[&Entry], fields: &[&str]) -> String {
    let parts = fields.iter().map(|field| {
        let cells: Vec<Cell> = entries.iter().map(|entry| entry.cell(field)).collect();
        let number = cells.iter().find(|cell| cell.is_number());
        format!(
            "{}:{}",
            json_text(field),
            number.unwrap_or(&cells[0]).json()
        )
    });
    format!("\"key\":{{{}}}", parts.collect::<Vec<_>>().join(","))
}

/// An id: its field and its text.
type Id = (&'static str, String);

/// All ids of a job.
struct Links {
    fields: Vec<&'static str>,
    hubs: BTreeSet<Id>,
}

impl Links {
    fn new(entries: &[&Entry], fields: &[&'static str], hub: usize) -> Links {
        let mut links = Links {
            fields: fields.to_vec(),
            hubs: BTreeSet::new(),
        };
        let mut beside: BTreeMap<Id, BTreeSet<Id>> = BTreeMap::new();
        for entry in entries {
            for id in links.ids(entry) {
                let others = beside.entry(id.clone()).or_default();
                others.extend(links.ids(entry).into_iter().filter(|other| *other != id));
            }
        }
        let hubs = beside.into_iter().filter(|(_, others)| others.len() > hub);
        links.hubs = hubs.map(|(id, _)| id).collect();
        links
    }

    fn ids(&self, entry: &Entry) -> BTreeSet<Id> {
        let id = |field: &&'static str| Some((*field, entry.cell(field).text()?));
        self.fields.iter().filter_map(id).collect()
    }

    /// Takes an entry, and then all that stand beside an id of what was taken, until there is none; entries that have
    /// nothing but hubs are together where they have the same.
    fn components<'a>(&self, entries: &[&'a Entry]) -> Vec<Vec<&'a Entry>> {
        let mut left: Vec<&Entry> = entries.to_vec();
        left.retain(|entry| !self.ids(entry).is_empty());
        let mut components = Vec::new();
        while let Some(first) = left.pop() {
            let mut component = vec![first];
            let first_ids = self.ids(first);
            let mut joins: BTreeSet<Id> = first_ids.difference(&self.hubs).cloned().collect();
            loop {
                let (beside, others): (Vec<&Entry>, Vec<&Entry>) =
                    left.into_iter().partition(|entry| match joins.is_empty() {
                        true => self.ids(entry) == first_ids,
                        false => !self.ids(entry).is_disjoint(&joins),
                    });
                left = others;
                if beside.is_empty() {
                    break;
                }
                for entry in beside {
                    joins.extend(self.ids(entry).difference(&self.hubs).cloned());
                    component.push(entry);
                }
            }
            components.push(component);
        }
        components
    }

    /// The ids of some entries of a component. An id is shown as a number if it is one anywhere in it.
    fn json(&self, entries: &[&Entry], component: &[&Entry]) -> String {
        let mut shown: BTreeMap<Id, Cell> = BTreeMap::new();
        for entry in component {
            for id in self.ids(entry) {
                let cell = entry.cell(id.0);
                if cell.is_number() || !shown.contains_key(&id) {
                    shown.insert(id, cell);
                }
            }
        }
        let ids: BTreeSet<Id> = entries.iter().flat_map(|entry| self.ids(entry)).collect();
        let fields = self.fields.iter().map(|field| {
            let ids = ids.iter().filter(|id| id.0 == *field);
            let mut cells: Vec<&Cell> = ids.map(|id| &shown[id]).collect();
            cells.sort_by(|left, right| left.compare(right));
            let cells: Vec<String> = cells.into_iter().map(Cell::json).collect();
            format!("{}:[{}]", json_text(field), cells.join(","))
        });
        format!("\"ids\":{{{}}}", fields.collect::<Vec<_>>().join(","))
    }
}
