//! The reference in README.md against the language: its tables of keys are made from it. BLESS=1 writes them.

use super::*;

fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Text(form) => match form {
            Form::Any | Form::Free => "text",
            Form::Duration => "duration",
            Form::Size => "size",
            Form::Rate => "rate",
            Form::Percent => "percentage",
            Form::Times => "times",
            Form::Moment => "moment",
            Form::Expression => "expression",
            Form::Regex => "regex",
            Form::Query => "SQL",
            Form::Path => "path",
            Form::Secret => "secret",
            Form::Clock => "\"trusted\", \"measured\", offset",
            Form::Disorder => "duration, \"unlimited\"",
        }
        .to_owned(),
        Shape::Word(words) => words.join(", "),
        Shape::Integer { min, max } if *max == i64::MAX => format!("{min} or more"),
        Shape::Integer { min, max } => format!("{min} to {max}"),
        Shape::Number { min, .. } => format!("number from {min}"),
        Shape::Bool => "true, false".to_owned(),
        Shape::List { of, .. } => format!("list of {}", plural(of)),
        Shape::Table(_) => "table".to_owned(),
        Shape::Map(of) => format!("names and {}", plural(of)),
        Shape::OneOf(shapes) => shapes.iter().map(kind).collect::<Vec<_>>().join("; or "),
    }
}

fn plural(shape: &Shape) -> String {
    match shape {
        Shape::Text(_) | Shape::Table(_) => format!("{}s", kind(shape)),
        Shape::OneOf(shapes) => shapes.iter().map(plural).collect::<Vec<_>>().join(", "),
        _ => kind(shape),
    }
}

fn rows(shape: &TableShape) -> String {
    let mut rows = "\n| key | value | default | meaning |\n|---|---|---|---|\n".to_owned();
    for key in shape.keys {
        let default = match key.default {
            "" if key.required => "required".to_owned(),
            "" => String::new(),
            default => format!("`{default}`"),
        };
        rows += &format!(
            "| `{}` | {} | {default} | {} |\n",
            key.name,
            kind(&key.shape),
            key.doc
        );
    }
    rows + "\n"
}

fn table_of(shape: &'static Shape) -> Option<&'static TableShape> {
    match shape {
        Shape::Table(table) => Some(table),
        Shape::Map(of) | Shape::List { of, .. } => table_of(of),
        Shape::OneOf(shapes) => shapes.iter().find_map(table_of),
        _ => None,
    }
}

/// Every table of the language by the path that its marker has.
fn tables(shape: &'static TableShape, path: &str, found: &mut Vec<(String, &'static TableShape)>) {
    for key in shape.keys {
        let Some(table) = table_of(&key.shape) else {
            continue;
        };
        let star = if matches!(key.shape, Shape::Map(_)) {
            ".*"
        } else {
            ""
        };
        let path = format!("{path}{}{star}", key.name);
        // Lists of hosts are the same table for each transport.
        if found.iter().any(|(_, known)| std::ptr::eq(*known, table)) {
            continue;
        }
        found.push((path.clone(), table));
        tables(table, &format!("{path}."), found);
    }
}

#[test]
fn the_reference_has_every_key() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let mut expected = readme.clone();
    let mut found = Vec::new();
    tables(&JOB_FILE, "", &mut found);
    assert!(found.len() > 20, "{found:?}");
    for (path, table) in found {
        let marker = format!("<!-- keys: {path} -->\n");
        let start = expected
            .find(&marker)
            .unwrap_or_else(|| panic!("README.md has no {marker}"))
            + marker.len();
        let end = start
            + expected[start..]
                .find("<!-- end -->")
                .expect("an end to every table");
        expected.replace_range(start..end, &rows(table));
    }
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &expected).unwrap();
    } else {
        assert!(
            readme == expected,
            "README.md is not what the language says; BLESS=1 writes its tables"
        );
    }
}

#[test]
fn no_two_alternatives_are_of_one_kind() {
    fn walk(shape: &'static Shape, path: &str) {
        if let Shape::OneOf(shapes) = shape {
            let kinds: Vec<_> = shapes
                .iter()
                .map(|shape| match shape {
                    Shape::Text(_) | Shape::Word(_) => "text",
                    Shape::Integer { .. } | Shape::Number { .. } => "number",
                    Shape::Bool => "bool",
                    Shape::List { .. } => "list",
                    Shape::Table(_) | Shape::Map(_) => "table",
                    Shape::OneOf(_) => panic!("{path}: alternatives inside alternatives"),
                })
                .collect();
            let mut once = kinds.clone();
            once.sort_unstable();
            once.dedup();
            assert_eq!(once.len(), kinds.len(), "{path}: {kinds:?}");
        }
    }
    let mut found = Vec::new();
    tables(&JOB_FILE, "", &mut found);
    for (path, table) in found {
        for key in table.keys {
            walk(&key.shape, &format!("{path}.{}", key.name));
            if let Shape::List { of, .. } = &key.shape {
                walk(of, &format!("{path}.{}", key.name));
            }
        }
    }
}
