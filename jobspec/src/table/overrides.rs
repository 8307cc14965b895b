//! `--set key=value`: one value put over what the file says, before anything is judged.

use toml::de::{DeTable, DeValue};

use super::{Entry, Node, Table, Written, node_from, shortened, syntax};
use crate::diagnostic::{Diagnostic, Place};

/// Keys are dotted as in TOML; what is no TOML value is taken for a text, so that `job.from=-24h` needs no quotes.
/// `argument` is text number `text` of the job.
pub fn override_with(root: &mut Node, argument: &str, text: u32, mistakes: &mut Vec<Diagnostic>) {
    let before = mistakes.len();
    let Some((path, value)) = parse(argument, text, mistakes) else {
        if mistakes.len() == before {
            mistakes.push(Diagnostic {
                place: Place::new(text, 0..argument.len()),
                message: "not of the form key=value".to_owned(),
                help: Some("as in --set limits.threads=4".to_owned()),
            });
        }
        return;
    };
    put(root, path, value, mistakes);
}

type Path = Vec<(String, Place)>;

fn parse(argument: &str, text: u32, mistakes: &mut Vec<Diagnostic>) -> Option<(Path, Node)> {
    let equals = unquoted_equals(argument)?;
    let key = format!("{}=0", &argument[..equals]);
    if super::overlong_key(&key).is_some() {
        return None;
    }
    let mut path = Path::new();
    match DeTable::parse(&key) {
        Err(error) => {
            mistakes.push(syntax(&error, argument, text));
            return None;
        }
        Ok(table) => {
            let mut table = table.into_inner();
            loop {
                if table.len() != 1 {
                    return None;
                }
                let (key, value) = table.into_iter().next()?;
                path.push((key.get_ref().to_string(), Place::new(text, key.span())));
                match value.into_inner() {
                    DeValue::Table(inner) => table = inner,
                    _ => break,
                }
            }
        }
    }

    let written = argument[equals + 1..].trim();
    let start = argument.len() - argument[equals + 1..].trim_start().len();
    let span = start..start + written.len();
    let value = match DeValue::parse(written) {
        Ok(value) => {
            let before = mistakes.len();
            let mut node = node_from(value, text, mistakes);
            shift(&mut node, start);
            mistakes[before..]
                .iter_mut()
                .for_each(|mistake| shift_place(&mut mistake.place, start));
            node
        }
        Err(error) if written.starts_with(['[', '{', '"', '\'']) => {
            let mut mistake = syntax(&error, written, text);
            shift_place(&mut mistake.place, start);
            mistakes.push(mistake);
            return None;
        }
        Err(_) => Node {
            place: Place::new(text, span),
            value: Written::Text(written.to_owned()),
        },
    };
    Some((path, value))
}

/// The value was read by itself; its places are those in the argument.
fn shift(node: &mut Node, by: usize) {
    shift_place(&mut node.place, by);
    match &mut node.value {
        Written::List(list) => list.iter_mut().for_each(|node| shift(node, by)),
        Written::Table(table) => {
            for entry in &mut table.entries {
                shift_place(&mut entry.key_place, by);
                shift(&mut entry.node, by);
            }
        }
        _ => {}
    }
}

fn shift_place(place: &mut Place, by: usize) {
    place.start += by;
    place.end += by;
}

fn unquoted_equals(argument: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in argument.bytes().enumerate() {
        match (quote, byte) {
            (None, b'=') => return Some(at),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

fn put(root: &mut Node, path: Path, value: Node, mistakes: &mut Vec<Diagnostic>) {
    let mut node = root;
    let last = path.len() - 1;
    for (index, (key, place)) in path.into_iter().enumerate() {
        let kind = node.kind();
        let Written::Table(table) = &mut node.value else {
            mistakes.push(Diagnostic {
                place,
                message: format!("`{}` is inside {kind}, not a table", shortened(&key)),
                help: Some("a list is set as a whole".to_owned()),
            });
            return;
        };
        let position = table.entries.iter().position(|entry| entry.key == key);
        let position = position.unwrap_or_else(|| {
            table.entries.push(Entry {
                key,
                key_place: place.clone(),
                node: Node {
                    place: place.clone(),
                    value: Written::Table(Table::default()),
                },
            });
            table.entries.len() - 1
        });
        let entry = &mut table.entries[position];
        if index == last {
            entry.key_place = place;
            entry.node = value;
            return;
        }
        node = &mut entry.node;
    }
}

/// A text that is no part of any TOML, put over a key: `--from` and `--to`.
pub fn put_text(root: &mut Node, path: [&str; 2], value: &str, text: u32) {
    let place = Place::new(text, 0..value.len());
    let node = Node {
        place: place.clone(),
        value: Written::Text(value.to_owned()),
    };
    let path = path
        .into_iter()
        .map(|key| (key.to_owned(), place.clone()))
        .collect();
    // Where `[job]` is no table at all, that has its own mistake.
    put(root, path, node, &mut Vec::new());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(argument: &str) -> (Node, Vec<Diagnostic>) {
        let mut mistakes = Vec::new();
        let mut root = super::super::read("[limits]\nthreads = 2\nnice = 3\n", 0, &mut mistakes);
        override_with(&mut root, argument, 1, &mut mistakes);
        (root, mistakes)
    }

    fn get<'a>(root: &'a Node, path: &[&str]) -> &'a Written {
        let mut node = root;
        for key in path {
            node = &node.as_table().unwrap().get(key).unwrap().node;
        }
        &node.value
    }

    #[test]
    fn a_value_is_put_over_the_file() {
        let (root, mistakes) = set("limits.threads=4");
        assert!(mistakes.is_empty());
        assert!(matches!(
            get(&root, &["limits", "threads"]),
            Written::Integer(4)
        ));
        assert!(matches!(
            get(&root, &["limits", "nice"]),
            Written::Integer(3)
        ));
        let (root, _) = set("job.from=-24h");
        assert!(matches!(get(&root, &["job", "from"]), Written::Text(text) if text == "-24h"));
        let (root, _) = set("logs.\"a=b\".paths = ['/x', \"y\"]");
        assert!(
            matches!(get(&root, &["logs", "a=b", "paths"]), Written::List(list) if list.len() == 2)
        );
        let (root, _) = set("aggregate.x.where=a = 'b'");
        assert!(
            matches!(get(&root, &["aggregate", "x", "where"]), Written::Text(text) if text == "a = 'b'")
        );
    }

    #[test]
    fn its_mistakes_have_their_own_place() {
        for (argument, start) in [
            ("limits", 0),
            ("=4", 0),
            ("limits.threads.more=4", 15),
            ("limits.threads=[1", 17),
            ("", 0),
            ("limits..x=1", 7),
        ] {
            let (_, mistakes) = set(argument);
            assert_eq!(mistakes.len(), 1, "{argument}: {mistakes:?}");
            assert_eq!(
                (mistakes[0].place.text, mistakes[0].place.start),
                (1, start),
                "{argument}"
            );
        }
    }

    #[test]
    fn a_bare_word_stands_where_it_was_typed() {
        let (root, _) = set("job.from =  yesterday");
        let table = root
            .as_table()
            .unwrap()
            .get("job")
            .unwrap()
            .node
            .as_table()
            .unwrap();
        let place = &table.get("from").unwrap().node.place;
        assert_eq!((place.start, place.end), (12, 21));
    }
}
