//! What the language has and this version cannot run. Such a job compiles and is checked whole; `run` refuses it.

use crate::diagnostic::Place;
use crate::table::{Entry, Node, Written};

/// One line each, as a path of keys: `*` is any name, a last `=` asks for a value (in a list: an item).
const NOT_YET: &[&str] = &[
    "sequence.*",
    "session.*",
    "patterns.*",
    "anomaly.*",
    "logs.*.derive",
    "logs.*.drop",
    "logs.*.tag",
    "logs.*.redact",
    "hosts.*.ssh",
    "hosts.*.exec",
    "hosts.*.clock=measured",
    "check",
    "alert",
    "run.incremental=true",
    "run.memory",
    "run.mapper",
    "run.deploy_dir",
    "limits.memory",
    "limits.nice",
    "limits.read_rate",
    "limits.open_files",
    "output.keep",
    "output.metrics",
    "output.formats=csv",
    "output.formats=parquet",
    "output.formats=html",
    "output.formats=text",
];

/// Every place of the job that asks for one of them.
pub(super) fn not_yet(root: &Node) -> Vec<(Place, String)> {
    let mut found = Vec::new();
    for pattern in NOT_YET {
        let (path, value) = match pattern.split_once('=') {
            Some((path, value)) => (path, Some(value)),
            None => (*pattern, None),
        };
        let mut entries: Vec<(Vec<&str>, &Entry)> = Vec::new();
        let mut nodes: Vec<(Vec<&str>, &Node)> = vec![(Vec::new(), root)];
        for part in path.split('.') {
            entries.clear();
            for (path, node) in nodes.drain(..) {
                for entry in node.as_table().map_or(&[][..], |table| &table.entries) {
                    if part == "*" || part == entry.key {
                        let mut path = path.clone();
                        path.push(&entry.key);
                        entries.push((path, entry));
                    }
                }
            }
            nodes.extend(
                entries
                    .iter()
                    .map(|(path, entry)| (path.clone(), &entry.node)),
            );
        }
        for (path, entry) in entries {
            match (value, &entry.node.value) {
                (None, Written::List(list))
                    if list.iter().all(|node| node.as_table().is_some())
                        && !list.is_empty()
                        && path.len() == 1 =>
                {
                    for node in list {
                        found.push((node.place.clone(), sentence(&format!("[[{}]]", entry.key))));
                    }
                }
                (None, Written::Table(_)) if path.len() == 2 => {
                    found.push((
                        entry.key_place.clone(),
                        sentence(&format!("[{}]", path.join("."))),
                    ));
                }
                (None, _) => {
                    let (key, table) = path.split_last().expect("a path has a part");
                    found.push((
                        entry.key_place.clone(),
                        sentence(&format!("[{}] {key}", table.join("."))),
                    ));
                }
                (Some(value), node) => {
                    let is = |node: &Node| match &node.value {
                        Written::Text(text) => text == value,
                        Written::Bool(bool) => bool.to_string() == value,
                        _ => false,
                    };
                    let place = match node {
                        Written::List(list) => {
                            list.iter().find(|node| is(node)).map(|node| &node.place)
                        }
                        _ => Some(&entry.node.place).filter(|_| is(&entry.node)),
                    };
                    if let Some(place) = place {
                        let (key, table) = path.split_last().expect("a path has a part");
                        found.push((
                            place.clone(),
                            sentence(&format!("[{}] {key} = {value}", table.join("."))),
                        ));
                    }
                }
            }
        }
    }
    found.sort_by(|left, right| left.0.cmp(&right.0));
    found
}

fn sentence(what: &str) -> String {
    format!("`{what}` cannot be run by this version")
}
