//! What belongs together in a report: a session, the sequences that share its key or its entries, and every place at which
//! one log line is shown. Only rows that are shown are linked.

use std::collections::{HashMap, HashSet};

use jobspec::plan::OperatorKind;
use jobspec::value::{OwnedValue, Value};

use crate::output::columns::key_names;
use crate::output::digest::{Digest, KeptRow, OperatorDigest, list, member};
use crate::output::shown::{shown_line, shown_value};

/// Links of one row or line.
const MOST: usize = 6;

/// Where the rows of a report are, by what they are about.
pub struct Links {
    /// Name and text of a part of a key.
    keys: HashMap<(String, Vec<u8>), Vec<Target>>,
    entries: HashMap<EntryId, Vec<Target>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub anchor: String,
    /// The row that it is in.
    pub row: String,
    pub label: String,
}

/// Host, log, file and offset.
type EntryId = (Vec<u8>, Vec<u8>, Vec<u8>, Vec<u8>);

impl Links {
    pub fn new(digest: &Digest<'_>) -> Links {
        let mut links = Links {
            keys: HashMap::new(),
            entries: HashMap::new(),
        };
        for (section, operator) in digest.operators().iter().enumerate() {
            if !is_told(operator.kind) {
                continue;
            }
            for (index, kept) in operator.kept.iter().enumerate() {
                let row = row_anchor(section, index);
                let label = format!("{}: {}", operator.name, title(operator, kept));
                for key in key_parts(operator, kept) {
                    let target = Target {
                        anchor: row.clone(),
                        row: row.clone(),
                        label: label.clone(),
                    };
                    links.keys.entry(key).or_default().push(target);
                }
                for (line, entry) in entries(operator, kept).into_iter().enumerate() {
                    if let Some(id) = entry_id(entry) {
                        links.entries.entry(id).or_default().push(Target {
                            anchor: line_anchor(&row, line),
                            row: row.clone(),
                            label: operator.name.clone(),
                        });
                    }
                }
            }
        }
        links
    }

    /// Other rows that a row belongs to, by its key or by an entry that both show.
    pub fn of_row(&self, operator: &OperatorDigest<'_>, kept: &KeptRow, own: &str) -> Vec<&Target> {
        let by_key = key_parts(operator, kept)
            .into_iter()
            .flat_map(|key| self.keys.get(&key).into_iter().flatten());
        let by_entry = entries(operator, kept)
            .into_iter()
            .filter_map(entry_id)
            .flat_map(|id| self.entries.get(&id).into_iter().flatten());
        let mut targets: Vec<&Target> = Vec::new();
        for target in by_key.chain(by_entry) {
            let is_new = targets.iter().all(|known| known.row != target.row);
            if target.row != own && is_new && targets.len() < MOST {
                targets.push(target);
            }
        }
        targets
    }

    /// Other places of a log line.
    pub fn of_entry(&self, entry: &OwnedValue, own_row: &str) -> Vec<&Target> {
        let targets = entry_id(entry).and_then(|id| self.entries.get(&id));
        let targets = targets.into_iter().flatten();
        targets
            .filter(|target| target.row != own_row)
            .take(MOST)
            .collect()
    }

    /// The row whose key has this part: what a cell of a table refers to.
    pub fn of_cell(&self, column: &str, value: &OwnedValue) -> Option<&Target> {
        if value.is_null() {
            return None;
        }
        let key = (column.to_owned(), value.to_text().into_owned());
        self.keys.get(&key).and_then(|targets| targets.first())
    }
}

/// Whether an operator's rows are told one by one, so that they can be linked to.
pub fn is_told(kind: &OperatorKind) -> bool {
    matches!(
        kind,
        OperatorKind::Session(_) | OperatorKind::Sequence(_) | OperatorKind::Context(_)
    )
}

pub fn row_anchor(section: usize, row: usize) -> String {
    format!("o{section}-{row}")
}

pub fn line_anchor(row: &str, line: usize) -> String {
    format!("{row}-{line}")
}

/// The parts of a row's key, by name and text.
fn key_parts(operator: &OperatorDigest<'_>, kept: &KeptRow) -> Vec<(String, Vec<u8>)> {
    let mut parts = Vec::new();
    let names = key_names(operator.kind);
    for column in ["key", "ids"] {
        let key = operator.value(kept, column);
        for name in &names {
            match member(key, name) {
                None | Some(Value::Null) => {}
                Some(Value::List(ids)) => {
                    parts.extend(
                        ids.iter()
                            .map(|id| ((*name).to_owned(), id.to_text().into_owned())),
                    );
                }
                Some(value) => parts.push(((*name).to_owned(), value.to_text().into_owned())),
            }
        }
    }
    parts
}

/// What a row is called.
pub fn title(operator: &OperatorDigest<'_>, kept: &KeptRow) -> String {
    match operator.kind {
        OperatorKind::Context(_) => {
            let text = |name| shown_line(&operator.value(kept, name).to_text(), 60);
            format!("{} · {}", text("host"), text("log"))
        }
        _ => match operator.value(kept, "ids") {
            Value::Null => match operator.value(kept, "key") {
                Value::Object(key) => {
                    let values = key.iter().map(|(_, value)| match value {
                        Value::Null => "NULL".to_owned(),
                        value => shown_line(&value.to_text(), 80),
                    });
                    values.collect::<Vec<_>>().join(" · ")
                }
                other => shown_value(other, 80),
            },
            Value::Object(ids) => {
                let ids = ids.iter().filter_map(|(_, ids)| {
                    let first = list(ids).first()?;
                    let more = match list(ids).len() {
                        1 => String::new(),
                        several => format!(" and {} more", several - 1),
                    };
                    Some(format!("{}{more}", shown_line(&first.to_text(), 60)))
                });
                ids.take(4).collect::<Vec<_>>().join(" · ")
            }
            other => shown_value(other, 80),
        },
    }
}

/// The entries that a row shows, in their order; a number among them says how many are left out there.
pub fn entries<'r>(operator: &OperatorDigest<'_>, kept: &'r KeptRow) -> Vec<&'r OwnedValue> {
    match operator.kind {
        OperatorKind::Context(_) => list(operator.value(kept, "entries")).iter().collect(),
        OperatorKind::Session(_) => list(operator.value(kept, "timeline")).iter().collect(),
        OperatorKind::Sequence(_) => list(operator.value(kept, "steps"))
            .iter()
            .filter_map(|step| member(step, "entries"))
            .flat_map(|entries| list(entries))
            .collect(),
        _ => Vec::new(),
    }
}

fn entry_id(entry: &OwnedValue) -> Option<EntryId> {
    let text = |name| member(entry, name).map(|value| value.to_text().into_owned());
    Some((text("host")?, text("log")?, text("file")?, text("offset")?))
}

/// The page with its links inside it that lead somewhere. A row is linked before it is known whether there is room for it.
/// In a page of ours a quotation mark of a log is never written as such, so that attributes are what they seem.
pub fn without_dead_ends(page: &str) -> String {
    const LINK: &str = " href=\"#";
    const ID: &str = " id=\"";
    let value = |rest: &'_ str| rest.find('"').unwrap_or(rest.len());
    let ids: HashSet<&str> = page
        .split(ID)
        .skip(1)
        .map(|rest| &rest[..value(rest)])
        .collect();
    let mut parts = page.split(LINK);
    let mut out = String::with_capacity(page.len());
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let end = value(part);
        if ids.contains(&part[..end]) {
            out.push_str(LINK);
            out.push_str(part);
        } else {
            out.push_str(part[end..].strip_prefix('"').unwrap_or_default());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_that_lead_nowhere_are_none() {
        let page = r##"<a href="#here">1</a><a class="x" href="#gone" title="t">2</a><p id="here">href=&quot;#gone</p><a href="a.csv">"##;
        let kept = r##"<a href="#here">1</a><a class="x" title="t">2</a><p id="here">href=&quot;#gone</p><a href="a.csv">"##;
        assert_eq!(without_dead_ends(page), kept);
    }
}
