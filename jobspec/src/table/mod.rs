//! The TOML as written: every key and value with its place, in the order of the file, nothing judged yet.
//!
//! The reading goes on after a syntax mistake, so that one missing quote does not hide the rest of a job.

mod overrides;
mod text;

pub use overrides::{override_with, put_text};
pub use text::locate;

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{Diagnostic, Place};

/// Beyond this size only the first syntax mistake is collected: such a file is generated or no job at all, and
/// every mistake holds a message.
const RECOVERABLE_BYTES: usize = 256 << 10;
/// Parts of a dotted key. The language itself has four; tables inside one another are dropped recursively.
const KEY_PARTS: usize = 16;

/// One value and where it stands. For a table written under a header, the header is its place.
#[derive(Clone, Debug)]
pub struct Node {
    pub place: Place,
    pub value: Written,
}

#[derive(Clone, Debug)]
pub enum Written {
    Text(String),
    Integer(i64),
    Float(f64),
    Bool(bool),
    /// A date or time, as written.
    Date(String),
    List(Vec<Node>),
    Table(Table),
}

/// Keys and their values, in the order of the file.
#[derive(Clone, Debug, Default)]
pub struct Table {
    pub entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
pub struct Entry {
    pub key: String,
    pub key_place: Place,
    pub node: Node,
}

/// A text value, taken out of its node.
#[derive(Clone, Debug)]
pub struct Text {
    pub value: String,
    pub place: Place,
}

impl Node {
    pub fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Written::Table(table) => Some(table),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Written::List(list) => Some(list),
            _ => None,
        }
    }

    pub fn as_text(&self) -> Option<Text> {
        match &self.value {
            Written::Text(value) | Written::Date(value) => Some(Text {
                value: value.clone(),
                place: self.place.clone(),
            }),
            _ => None,
        }
    }

    /// What kind of value it is, as a message says it.
    pub fn kind(&self) -> &'static str {
        match &self.value {
            Written::Text(_) => "a text",
            Written::Integer(_) => "a whole number",
            Written::Float(_) => "a number",
            Written::Bool(_) => "true or false",
            Written::Date(_) => "a date",
            Written::List(_) => "a list",
            Written::Table(_) => "a table",
        }
    }
}

impl Table {
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.key == key)
    }
}

/// Reads one text (number `text` of the job's texts). What could not be read is in `mistakes`; the table holds
/// the rest.
pub fn read(source: &str, text: u32, mistakes: &mut Vec<Diagnostic>) -> Node {
    let empty = || Node {
        place: Place::new(text, 0..0),
        value: Written::Table(Table::default()),
    };
    if let Some(span) = overlong_key(source) {
        mistakes.push(Diagnostic {
            place: Place::new(text, span),
            message: format!("a key of more than {KEY_PARTS} parts"),
            help: None,
        });
        return empty();
    }
    let (table, errors) = if source.len() <= RECOVERABLE_BYTES {
        DeTable::parse_recoverable(source)
    } else {
        match DeTable::parse(source) {
            Ok(table) => (table, Vec::new()),
            Err(error) => (Spanned::new(0..0, DeTable::default()), vec![error]),
        }
    };
    mistakes.extend(errors.iter().map(|error| syntax(error, source, text)));
    let mut node = Node {
        place: Place::new(text, 0..0),
        value: Written::Table(table_from(table.into_inner(), text, mistakes)),
    };
    if !errors.is_empty() {
        drop_broken(&mut node, mistakes);
    }
    node
}

/// A syntax error in our words.
pub(crate) fn syntax(error: &toml::de::Error, source: &str, text: u32) -> Diagnostic {
    let span = error.span().unwrap_or(source.len()..source.len());
    let message = match error.message() {
        // The parser's word for anything that is no value.
        "string values must be quoted, expected literal string" => {
            "a value is missing here, or has no quotes"
        }
        message => message,
    };
    let help = match message {
        "duplicate key" => Some(
            "a key or table may stand only once; tables of one kind need different names"
                .to_owned(),
        ),
        _ if message.contains("invalid unquoted") || message.contains("has no quotes") => {
            Some("texts stand in quotes: \"…\", or '…' where nothing is to be escaped".to_owned())
        }
        _ => None,
    };
    Diagnostic {
        place: Place::new(text, span),
        message: message.to_owned(),
        help,
    }
}

/// Takes out what a syntax error has left half read, so that no second mistake is made of the first.
fn drop_broken(root: &mut Node, mistakes: &[Diagnostic]) {
    let mut starts: Vec<usize> = mistakes.iter().map(|mistake| mistake.place.start).collect();
    starts.sort_unstable();
    let touches = |range: Range<usize>| {
        let first = starts.partition_point(|start| *start < range.start);
        starts.get(first).is_some_and(|start| *start <= range.end)
    };
    let Written::Table(table) = &mut root.value else {
        return;
    };
    let mut pending = vec![table];
    while let Some(table) = pending.pop() {
        table.entries.retain(|entry| {
            matches!(&entry.node.value, Written::Table(_))
                || matches!(&entry.node.value, Written::List(list) if matches!(list.first().map(|node| &node.value), Some(Written::Table(_))))
                // What could not be read at all has no place of its own.
                || entry.node.place.start >= entry.key_place.end
                    && !touches(entry.key_place.start..entry.node.place.end)
        });
        for entry in &mut table.entries {
            match &mut entry.node.value {
                Written::Table(table) => pending.push(table),
                Written::List(list) => {
                    pending.extend(list.iter_mut().filter_map(|node| match &mut node.value {
                        Written::Table(table) => Some(table),
                        _ => None,
                    }))
                }
                _ => {}
            }
        }
    }
}

fn table_from(table: DeTable<'_>, text: u32, mistakes: &mut Vec<Diagnostic>) -> Table {
    let mut entries: Vec<Entry> = table
        .into_iter()
        .map(|(key, value)| Entry {
            key_place: Place::new(text, key.span()),
            key: key.into_inner().into_owned(),
            node: node_from(value, text, mistakes),
        })
        .collect();
    entries.sort_by_key(|entry| entry.key_place.start);
    Table { entries }
}

pub(crate) fn node_from(
    value: Spanned<DeValue<'_>>,
    text: u32,
    mistakes: &mut Vec<Diagnostic>,
) -> Node {
    let place = Place::new(text, value.span());
    let mut out_of_range = |number: &str| {
        mistakes.push(Diagnostic {
            place: place.clone(),
            message: format!("the number {} is out of range", shortened(number)),
            help: None,
        });
    };
    let value = match value.into_inner() {
        DeValue::String(value) => Written::Text(value.into_owned()),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Written::Integer(number),
            Err(_) => {
                out_of_range(number.as_str());
                Written::Integer(0)
            }
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Written::Float(number),
            _ => {
                out_of_range(number.as_str());
                Written::Float(0.0)
            }
        },
        DeValue::Boolean(bool) => Written::Bool(bool),
        DeValue::Datetime(date) => Written::Date(date.to_string()),
        DeValue::Array(list) => Written::List(
            list.into_iter()
                .map(|node| node_from(node, text, mistakes))
                .collect(),
        ),
        DeValue::Table(table) => Written::Table(table_from(table, text, mistakes)),
    };
    Node { place, value }
}

/// A piece of hostile text, short enough for a message.
pub(crate) fn shortened(text: &str) -> String {
    if text.chars().nth(60).is_some() {
        let mut short: String = text.chars().take(57).collect();
        short.push('…');
        short
    } else {
        text.to_owned()
    }
}

/// The first dotted key that is deeper than any could be: the parser makes a table inside a table of each part.
fn overlong_key(source: &str) -> Option<Range<usize>> {
    use toml_parser::lexer::TokenKind;
    let mut dots = 0;
    let mut start = 0;
    for token in toml_parser::Source::new(source).lex() {
        match token.kind() {
            TokenKind::Dot => {
                dots += 1;
                if dots >= KEY_PARTS {
                    return Some(start..token.span().end());
                }
            }
            TokenKind::Whitespace => {}
            TokenKind::Atom
            | TokenKind::LiteralString
            | TokenKind::BasicString
            | TokenKind::MlLiteralString
            | TokenKind::MlBasicString => {
                if dots == 0 {
                    start = token.span().start();
                }
            }
            _ => dots = 0,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_places_and_the_order_of_the_file() {
        let source = "[logs.b]\nz = 1\na = 'x'\n[logs.a]\nd = 2026-01-19T14:00:00Z\n";
        let mut mistakes = Vec::new();
        let root = read(source, 0, &mut mistakes);
        assert!(mistakes.is_empty());
        let logs = &root.as_table().unwrap().get("logs").unwrap().node;
        let names: Vec<_> = logs
            .as_table()
            .unwrap()
            .entries
            .iter()
            .map(|entry| entry.key.as_str())
            .collect();
        assert_eq!(names, ["b", "a"]);
        let b = &logs.as_table().unwrap().get("b").unwrap().node;
        assert_eq!(&source[b.place.start..b.place.end], "[logs.b]");
        let keys: Vec<_> = b
            .as_table()
            .unwrap()
            .entries
            .iter()
            .map(|entry| &source[entry.key_place.start..entry.key_place.end])
            .collect();
        assert_eq!(keys, ["z", "a"]);
        let x = &b.as_table().unwrap().get("a").unwrap().node;
        assert_eq!(&source[x.place.start..x.place.end], "'x'");
    }

    #[test]
    fn reading_goes_on_after_a_mistake() {
        let source = "a = \"open\nb = 2\nc = = 3\nd = 4\n";
        let mut mistakes = Vec::new();
        let root = read(source, 0, &mut mistakes);
        assert!(mistakes.len() >= 2, "{mistakes:?}");
        let table = root.as_table().unwrap();
        assert!(matches!(
            table.get("b").unwrap().node.value,
            Written::Integer(2)
        ));
        assert!(matches!(
            table.get("d").unwrap().node.value,
            Written::Integer(4)
        ));
        assert!(
            table.get("a").is_none() && table.get("c").is_none(),
            "{mistakes:?} {table:?}"
        );
    }

    #[test]
    fn keys_of_many_parts_are_refused_before_they_nest() {
        let mut mistakes = Vec::new();
        let source = format!("{}x = 1", "a . ".repeat(1_000_000));
        read(&source, 0, &mut mistakes);
        assert_eq!(mistakes.len(), 1);
        let mut mistakes = Vec::new();
        read("a.b.c.d.e.f.g.h = [1.5, 2.5, '1.2.3']\n", 0, &mut mistakes);
        assert!(mistakes.is_empty());
    }
}
