//! What the language has and this version cannot run. Such a job compiles and is checked whole; `run` refuses it.

use crate::diagnostic::Place;
use crate::table::{Entry, Node, Written};

/// One line each, as a path of keys: `*` is any name, a last `=` asks for a value (in a list: an item).
const NOT_YET: &[&str] = &[
    "patterns.*",
    "anomaly.*",
    "logs.*.derive",
    "logs.*.drop",
    "logs.*.tag",
    "logs.*.redact",
    "run.incremental=true",
];

/// Every place of the job that asks for one of them.
pub(super) fn not_yet(root: &Node) -> Vec<(Place, String)> {
    asked(root, NOT_YET)
}

fn asked(root: &Node, patterns: &[&str]) -> Vec<(Place, String)> {
    let mut found = Vec::new();
    for pattern in patterns {
        let (path, value) = match pattern.split_once('=') {
            Some((path, value)) => (path, Some(value)),
            None => (*pattern, None),
        };
        for (path, entry) in entries(root, path) {
            let (key, table) = path.split_last().expect("a path has a part");
            let table = table.join(".");
            match (value, &entry.node.value) {
                (None, Written::List(list)) if table.is_empty() => {
                    let what = format!("[[{key}]]");
                    found.extend(list.iter().map(|node| (node.place.clone(), what.clone())));
                }
                (None, Written::Table(_)) if path.len() == 2 => {
                    found.push((entry.key_place.clone(), format!("[{table}.{key}]")));
                }
                (None, _) => found.push((entry.key_place.clone(), format!("[{table}] {key}"))),
                (Some(value), _) => {
                    let place = match &entry.node.value {
                        Written::List(list) => list.iter().find(|node| is(node, value)),
                        _ => Some(&entry.node).filter(|node| is(node, value)),
                    };
                    let what = format!("[{table}] {key} = {value}");
                    found.extend(place.map(|node| (node.place.clone(), what)));
                }
            }
        }
    }
    found.sort();
    found
        .into_iter()
        .map(|(place, what)| (place, format!("`{what}` cannot be run by this version")))
        .collect()
}

/// The entries at a path in which `*` is any name, each with its own path.
fn entries<'t>(root: &'t Node, path: &str) -> Vec<(Vec<&'t str>, &'t Entry)> {
    let mut nodes: Vec<(Vec<&str>, &Node)> = vec![(Vec::new(), root)];
    let mut entries: Vec<(Vec<&str>, &Entry)> = Vec::new();
    for part in path.split('.') {
        entries.clear();
        for (path, node) in nodes.drain(..) {
            for entry in node.as_table().map_or(&[][..], |table| &table.entries) {
                if part == "*" || part == entry.key {
                    let path = path.iter().copied().chain([entry.key.as_str()]);
                    entries.push((path.collect(), entry));
                }
            }
        }
        nodes.extend(
            entries
                .iter()
                .map(|(path, entry)| (path.clone(), &entry.node)),
        );
    }
    entries
}

fn is(node: &Node, value: &str) -> bool {
    match &node.value {
        Written::Text(text) => text == value,
        Written::Bool(bool) => bool.to_string() == value,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_job_asks_for_is_found_by_its_path() {
        let text = "
[a.x]
[a.y]
deep = { k = 1 }
[b]
word = 'w'
list = ['v', 'w']
flag = true
off = false
empty = []
[[c]]
[[c]]
";
        let mut mistakes = Vec::new();
        let root = crate::table::read(text, 0, &mut mistakes);
        assert!(mistakes.is_empty());
        let patterns = [
            "c",
            "a.*",
            "a.*.deep",
            "b.word=w",
            "b.list=w",
            "b.list=u",
            "b.flag=true",
            "b.off=true",
            "none.*",
            "b.none",
        ];
        let found: Vec<_> = asked(&root, &patterns)
            .into_iter()
            .map(|(place, message)| {
                let what = message.trim_end_matches(" cannot be run by this version");
                (text[place.start..place.end].to_owned(), what.to_owned())
            })
            .collect();
        let expected = [
            ("x", "`[a.x]`"),
            ("y", "`[a.y]`"),
            ("deep", "`[a.y] deep`"),
            ("'w'", "`[b] word = w`"),
            ("'w'", "`[b] list = w`"),
            ("true", "`[b] flag = true`"),
            ("[[c]]", "`[[c]]`"),
            ("[[c]]", "`[[c]]`"),
        ];
        let expected = expected.map(|(text, what)| (text.to_owned(), what.to_owned()));
        assert_eq!(found, expected);
    }

    /// A line that names no key of the language would never refuse anything.
    #[test]
    fn every_line_is_a_path_of_the_language() {
        use crate::language::{JOB_FILE, Shape, TableShape};
        fn table_of(shape: &'static Shape) -> Option<&'static TableShape> {
            match shape {
                Shape::Table(table) => Some(table),
                Shape::Map(of) | Shape::List { of, .. } => table_of(of),
                _ => None,
            }
        }
        for line in NOT_YET {
            let mut table = &JOB_FILE;
            for part in line
                .split('=')
                .next()
                .unwrap()
                .split('.')
                .filter(|part| *part != "*")
            {
                let key = table.key(part).unwrap_or_else(|| panic!("{line}: {part}"));
                table = table_of(&key.shape).unwrap_or(table);
            }
        }
    }
}
