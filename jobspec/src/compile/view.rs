//! A table and what the language says of it: values come out by key and kind, with the language's default where
//! the job is silent. What has the wrong shape was reported before, and counts as left out.

use super::Compiler;
use crate::diagnostic::Place;
use crate::language::{Shape, TableShape};
use crate::table::{Entry, Node, Table, Text, Written};
use crate::units;

#[derive(Clone, Copy)]
pub(super) struct View<'t> {
    pub table: &'t Table,
    pub place: &'t Place,
    pub shape: &'static TableShape,
}

impl<'t> View<'t> {
    pub fn new(node: &'t Node, shape: &'static TableShape) -> Option<View<'t>> {
        node.as_table().map(|table| View {
            table,
            place: &node.place,
            shape,
        })
    }

    pub fn entry(&self, key: &str) -> Option<&'t Entry> {
        debug_assert!(
            self.shape.key(key).is_some(),
            "`{key}` is no key of this table"
        );
        self.table.get(key)
    }

    pub fn node(&self, key: &str) -> Option<&'t Node> {
        self.entry(key).map(|entry| &entry.node)
    }

    /// The place of a key, or of the table where it is left out.
    pub fn place_of(&self, key: &str) -> &'t Place {
        self.entry(key).map_or(self.place, |entry| &entry.key_place)
    }

    fn default(&self, key: &str) -> &'static str {
        self.shape.key(key).map_or("", |key| key.default)
    }

    /// A text that stands in the job.
    pub fn written(&self, key: &str) -> Option<Text> {
        self.node(key)?
            .as_text()
            .filter(|text| !text.value.is_empty())
    }

    /// The same, or the default.
    pub fn text(&self, key: &str) -> Option<Text> {
        self.written(key).or_else(|| {
            Some(self.default(key))
                .filter(|default| !default.is_empty())
                .map(|default| Text {
                    value: default.to_owned(),
                    place: self.place.clone(),
                })
        })
    }

    /// A list of texts; None where it is left out.
    pub fn texts(&self, key: &str) -> Option<Vec<Text>> {
        let list = self.node(key)?.as_list()?;
        Some(
            list.iter()
                .filter_map(Node::as_text)
                .filter(|text| !text.value.is_empty())
                .collect(),
        )
    }

    /// A list or table that stands there with nothing in it.
    pub fn is_empty(&self, key: &str) -> bool {
        match self.node(key).map(|node| &node.value) {
            Some(Written::List(list)) => list.is_empty(),
            Some(Written::Table(table)) => table.entries.is_empty(),
            _ => false,
        }
    }

    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.node(key).map(|node| &node.value) {
            Some(Written::Integer(number)) => Some(*number),
            _ => self.default(key).parse().ok(),
        }
    }

    pub fn count(&self, key: &str) -> Option<u32> {
        self.integer(key)
            .and_then(|number| u32::try_from(number).ok())
    }

    pub fn number(&self, key: &str) -> f64 {
        match self.node(key).map(|node| &node.value) {
            Some(Written::Integer(number)) => *number as f64,
            Some(Written::Float(number)) => *number,
            _ => self.default(key).parse().unwrap_or_default(),
        }
    }

    pub fn bool(&self, key: &str) -> bool {
        match self.node(key).map(|node| &node.value) {
            Some(Written::Bool(bool)) => *bool,
            _ => self.default(key) == "true",
        }
    }

    /// A table, whether it is the key's only shape or one of several.
    pub fn table(&self, key: &str) -> Option<View<'t>> {
        let shape = table_of(&self.shape.key(key)?.shape)?;
        View::new(self.node(key)?, shape)
    }

    /// The tables of `[KEY.NAME]`, with their names.
    pub fn named(&self, key: &str) -> Vec<(&'t Entry, View<'t>)> {
        let shape = match self.shape.key(key).map(|key| &key.shape) {
            Some(Shape::Map(of)) => table_of(of),
            _ => None,
        };
        let table = self.node(key).and_then(Node::as_table);
        match (shape, table) {
            (Some(shape), Some(table)) => table
                .entries
                .iter()
                .filter_map(|entry| Some((entry, View::new(&entry.node, shape)?)))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The tables of a list, in which other kinds may stand too.
    pub fn tables(&self, key: &str) -> Vec<View<'t>> {
        let shape = match self.shape.key(key).map(|key| &key.shape) {
            Some(Shape::List { of, .. }) => table_of(of),
            _ => None,
        };
        let list = self.node(key).and_then(Node::as_list);
        match (shape, list) {
            (Some(shape), Some(list)) => list
                .iter()
                .filter_map(|node| View::new(node, shape))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Names and their texts, or a list of texts that are their own names.
    pub fn pairs(&self, key: &str) -> Option<Vec<Pair>> {
        match &self.node(key)?.value {
            Written::Table(table) => Some(
                table
                    .entries
                    .iter()
                    .filter_map(|entry| {
                        let text = entry.node.as_text().filter(|text| !text.value.is_empty())?;
                        Some(Pair {
                            name: entry.key.clone(),
                            name_place: entry.key_place.clone(),
                            text,
                        })
                    })
                    .collect(),
            ),
            Written::List(_) => Some(
                self.texts(key)?
                    .into_iter()
                    .map(|text| Pair {
                        name: text.value.trim().to_owned(),
                        name_place: text.place.clone(),
                        text,
                    })
                    .collect(),
            ),
            _ => None,
        }
    }
}

/// A name and its expression.
pub(super) struct Pair {
    pub name: String,
    pub name_place: Place,
    pub text: Text,
}

fn table_of(shape: &'static Shape) -> Option<&'static TableShape> {
    match shape {
        Shape::Table(shape) => Some(shape),
        Shape::OneOf(shapes) => shapes.iter().find_map(table_of),
        _ => None,
    }
}

impl Compiler<'_> {
    /// A value in units, written or by default.
    pub(super) fn measured<T>(
        &mut self,
        view: View<'_>,
        key: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = view.text(key)?;
        match read(&text.value) {
            Ok(value) => Some(value),
            Err(message) => {
                self.mistake(&text.place, message);
                None
            }
        }
    }

    pub(super) fn duration(&mut self, view: View<'_>, key: &str) -> Option<i64> {
        self.measured(view, key, units::duration)
    }

    /// A duration that is longer than nothing.
    pub(super) fn positive(&mut self, view: View<'_>, key: &str) -> Option<i64> {
        self.measured(view, key, |text| match units::duration(text) {
            Ok(0) => Err(format!("`{key}` is no time at all")),
            other => other,
        })
    }

    /// A size that is larger than nothing.
    pub(super) fn size(&mut self, view: View<'_>, key: &str) -> Option<u64> {
        self.measured(view, key, |text| match units::size(text) {
            Ok(0) => Err(format!("`{key}` is nothing at all")),
            other => other,
        })
    }

    /// A path in which only these placeholders stand.
    pub(super) fn placeholders(&mut self, text: &Text, known: &[&str]) {
        let mut from = 0;
        while let Some(open) = text.value[from..].find('{').map(|at| from + at) {
            from = open + 1;
            let word: &str = &text.value[from..];
            let word = &word[..word
                .find(|char: char| !char.is_ascii_alphanumeric() && char != '_')
                .unwrap_or(word.len())];
            let end = from + word.len();
            if word.is_empty() || !text.value[end..].starts_with('}') || known.contains(&word) {
                continue;
            }
            let place = self.inside(text, open..end + 1);
            let known: Vec<_> = known.iter().map(|word| format!("{{{word}}}")).collect();
            let written = format!("{{{}}}", crate::table::shortened(word));
            if known.is_empty() {
                self.mistake(
                    &place,
                    format!("unknown placeholder `{written}`: none has a meaning here"),
                );
            } else {
                self.unknown(
                    &place,
                    "placeholder",
                    &written,
                    known.iter().map(String::as_str),
                );
            }
        }
    }
}
