//! Holds what was written against the language: unknown keys, missing keys, values of another kind. What passes
//! can be taken out by its kind without a second look; what does not is left out by the reader.

use super::{Form, Key, Shape, TableShape, is_name};
use crate::diagnostic::{Diagnostic, Place, nearest};
use crate::table::{Node, Table, Written, shortened};

/// Every mistake of shape in `node`, which should be a table of this shape.
pub fn check(node: &Node, shape: &'static TableShape, report: &mut dyn FnMut(Diagnostic)) {
    if let Written::Table(table) = &node.value {
        table_shape(table, &node.place, shape, report);
    }
}

fn table_shape(
    table: &Table,
    place: &Place,
    shape: &'static TableShape,
    report: &mut dyn FnMut(Diagnostic),
) {
    // A key that was probably meant is not missed as well.
    let mut meant: Vec<&str> = Vec::new();
    for entry in &table.entries {
        match shape.key(&entry.key) {
            Some(key) => value(&entry.node, key.name, &key.shape, report),
            None => {
                let near = nearest(&entry.key, shape.keys.iter().map(|key| key.name));
                meant.extend(near);
                report(unknown_key(&entry.key, near, &entry.key_place, shape));
            }
        }
    }
    for key in shape.keys.iter().filter(|key| key.required) {
        if table.get(key.name).is_none() && !meant.contains(&key.name) {
            report(missing(key, place));
        }
    }
    if !shape.exactly_one.is_empty() {
        let given: Vec<_> = table
            .entries
            .iter()
            .filter(|entry| shape.exactly_one.contains(&entry.key.as_str()))
            .collect();
        let words = words(shape.exactly_one);
        match given.as_slice() {
            [] if shape.exactly_one.iter().any(|key| meant.contains(key)) => {}
            [] => report(Diagnostic {
                place: place.clone(),
                message: format!("exactly one of {words} is needed here"),
                help: None,
            }),
            [_] => {}
            [first, others @ ..] => {
                for other in others {
                    report(Diagnostic {
                        place: other.key_place.clone(),
                        message: format!("`{}` beside `{}`", other.key, first.key),
                        help: Some(format!("exactly one of {words} stands here")),
                    });
                }
            }
        }
    }
}

fn unknown_key(
    word: &str,
    near: Option<&str>,
    place: &Place,
    shape: &'static TableShape,
) -> Diagnostic {
    let (message, help) = match near {
        Some(near) => (
            format!("unknown key `{}`, did you mean `{near}`?", shortened(word)),
            None,
        ),
        None => {
            let known: Vec<_> = shape.keys.iter().map(|key| key.name).collect();
            (
                format!("unknown key `{}`", shortened(word)),
                Some(format!("known here: {}", known.join(", "))),
            )
        }
    };
    Diagnostic {
        place: place.clone(),
        message,
        help,
    }
}

fn missing(key: &Key, place: &Place) -> Diagnostic {
    Diagnostic {
        place: place.clone(),
        message: format!("missing key `{}`", key.name),
        help: Some(format!("{}: {}", key.name, key.doc)),
    }
}

fn value(node: &Node, name: &str, shape: &'static Shape, report: &mut dyn FnMut(Diagnostic)) {
    let number = match &node.value {
        Written::Integer(number) => Some(*number as f64),
        Written::Float(number) => Some(*number),
        _ => None,
    };
    match (shape, &node.value) {
        (Shape::Text(form), Written::Text(text)) => {
            if text.is_empty() && *form != Form::Free {
                report(Diagnostic {
                    place: node.place.clone(),
                    message: format!("`{name}` is empty"),
                    help: None,
                });
            }
        }
        (Shape::Text(Form::Moment), Written::Date(_)) | (Shape::Bool, Written::Bool(_)) => {}
        (Shape::Word(known), Written::Text(text)) => {
            if !known.contains(&text.as_str()) {
                report(unknown_word(text, known, &node.place));
            }
        }
        (Shape::Integer { min, max }, Written::Integer(number)) => {
            if !(*min..=*max).contains(number) {
                let message = if *max == i64::MAX {
                    format!("`{name}` is {number}, less than {min}")
                } else {
                    format!("`{name}` is {number}, not within {min} to {max}")
                };
                report(Diagnostic {
                    place: node.place.clone(),
                    message,
                    help: None,
                });
            }
        }
        (Shape::Number { min, max }, _) if number.is_some() => {
            if !number.is_some_and(|number| (*min..=*max).contains(&number)) {
                report(Diagnostic {
                    place: node.place.clone(),
                    message: format!("`{name}` is not within {min} to {max}"),
                    help: None,
                });
            }
        }
        (Shape::List { of, most }, Written::List(items)) => {
            if items.len() > *most {
                report(Diagnostic {
                    place: node.place.clone(),
                    message: format!("`{name}` has {} items, more than {most}", items.len()),
                    help: None,
                });
                return;
            }
            if items.is_empty() && needs_item(of) {
                report(Diagnostic {
                    place: node.place.clone(),
                    message: format!("`{name}` is empty"),
                    help: None,
                });
            }
            for item in items {
                value(item, name, of, report);
            }
        }
        (Shape::Table(shape), Written::Table(table)) => {
            table_shape(table, &node.place, shape, report);
        }
        (Shape::Map(of), Written::Table(table)) => {
            if table.entries.len() > super::MOST {
                report(Diagnostic {
                    place: node.place.clone(),
                    message: format!(
                        "`{name}` has {} names, more than {}",
                        table.entries.len(),
                        super::MOST
                    ),
                    help: None,
                });
                return;
            }
            for entry in &table.entries {
                if is_named_thing(of) && !is_name(&entry.key) {
                    report(Diagnostic {
                        place: entry.key_place.clone(),
                        message: format!("`{}` is no name", shortened(&entry.key)),
                        help: Some(
                            "a name is letters, digits, `_` and `-`, and begins with a letter"
                                .to_owned(),
                        ),
                    });
                }
                value(&entry.node, &entry.key, of, report);
            }
        }
        (Shape::OneOf(shapes), _) => {
            match shapes.iter().find(|shape| accepts(shape, &node.value)) {
                Some(shape) => value(node, name, shape, report),
                None => report(wrong_kind(node, name, shape)),
            }
        }
        _ => report(wrong_kind(node, name, shape)),
    }
}

/// A list of texts is there to name something; a list of tables may be emptied by `--set`.
pub(super) fn needs_item(of: &Shape) -> bool {
    matches!(of, Shape::Text(_) | Shape::Word(_))
}

/// Names of tables are also parts of paths, columns and messages; names of columns may be anything.
fn is_named_thing(shape: &Shape) -> bool {
    matches!(shape, Shape::Table(_))
}

fn accepts(shape: &Shape, value: &Written) -> bool {
    matches!(
        (shape, value),
        (Shape::Text(_) | Shape::Word(_), Written::Text(_))
            | (Shape::Integer { .. }, Written::Integer(_))
            | (
                Shape::Number { .. },
                Written::Integer(_) | Written::Float(_)
            )
            | (Shape::Bool, Written::Bool(_))
            | (Shape::List { .. }, Written::List(_))
            | (Shape::Table(_) | Shape::Map(_), Written::Table(_))
    )
}

fn wrong_kind(node: &Node, name: &str, shape: &Shape) -> Diagnostic {
    Diagnostic {
        place: node.place.clone(),
        message: format!(
            "`{}` must be {}, not {}",
            shortened(name),
            kind(shape),
            node.kind()
        ),
        help: match (shape, &node.value) {
            (
                Shape::List {
                    of: Shape::Text(_), ..
                },
                Written::Text(_),
            ) => Some("in brackets it is a list of one: [\"…\"]".to_owned()),
            (
                Shape::List {
                    of: Shape::Table(_),
                    ..
                },
                Written::Table(_),
            ) => Some("a table of a list stands in double brackets: [[…]]".to_owned()),
            (Shape::Text(Form::Duration), Written::Integer(_)) => {
                Some("a duration has a unit: \"10s\", \"5m\"".to_owned())
            }
            (Shape::Text(Form::Size), Written::Integer(_)) => {
                Some("a size has a unit: \"256MiB\"".to_owned())
            }
            (Shape::Text(Form::Percent), Written::Integer(_) | Written::Float(_)) => {
                Some("a share is a percentage: \"90%\"".to_owned())
            }
            _ => None,
        },
    }
}

fn kind(shape: &Shape) -> String {
    match shape {
        Shape::Text(Form::Duration) => "a duration, as \"10m\"".to_owned(),
        Shape::Text(Form::Size) => "a size, as \"256MiB\"".to_owned(),
        Shape::Text(Form::Rate) => "a rate, as \"200MB/s\"".to_owned(),
        Shape::Text(Form::Percent) => "a percentage, as \"90%\"".to_owned(),
        Shape::Text(Form::Expression) => "an expression in a text".to_owned(),
        Shape::Text(_) | Shape::Word(_) => "a text".to_owned(),
        Shape::Integer { .. } => "a whole number".to_owned(),
        Shape::Number { .. } => "a number".to_owned(),
        Shape::Bool => "true or false".to_owned(),
        Shape::List { of, .. } => match of {
            Shape::Table(_) => "a list of tables".to_owned(),
            _ => "a list of texts".to_owned(),
        },
        Shape::Table(_) => "a table".to_owned(),
        Shape::Map(of) => match of {
            Shape::Table(_) => "a table of named tables".to_owned(),
            _ => "a table of names and their values".to_owned(),
        },
        Shape::OneOf(shapes) => shapes.iter().map(kind).collect::<Vec<_>>().join(" or "),
    }
}

fn unknown_word(word: &str, known: &[&str], place: &Place) -> Diagnostic {
    let known = known.iter().copied();
    match nearest(word, known.clone()) {
        Some(near) => Diagnostic {
            place: place.clone(),
            message: format!("unknown word `{}`, did you mean `{near}`?", shortened(word)),
            help: None,
        },
        None => Diagnostic {
            place: place.clone(),
            message: format!("unknown word `{}`", shortened(word)),
            help: Some(format!("one of {}", known.collect::<Vec<_>>().join(", "))),
        },
    }
}

fn words(words: &[&str]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
