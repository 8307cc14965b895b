//! The JSON Schema (2020-12) of the job file, for editors, made from the same description that the reader checks.

use serde_json::{Map, Value, json};

use crate::language::{Form, JOB_FILE, NAME_PATTERN, Shape, TableShape};

/// The schema that `logstitch schema` prints.
pub fn schema() -> Value {
    let mut schema = Map::new();
    schema.insert(
        "$schema".into(),
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    schema.insert("title".into(), json!("logstitch job"));
    schema.extend(table(&JOB_FILE));
    Value::Object(schema)
}

fn table(shape: &TableShape) -> Map<String, Value> {
    let mut properties = Map::new();
    for key in shape.keys {
        let mut property = value(&key.shape);
        property.insert("description".into(), json!(key.doc));
        if !key.default.is_empty() {
            property.insert("default".into(), default(key.default, &key.shape));
        }
        properties.insert(key.name.into(), Value::Object(property));
    }
    let mut schema = object([
        ("type", json!("object")),
        ("additionalProperties", json!(false)),
        ("properties", Value::Object(properties)),
    ]);
    let required: Vec<_> = shape
        .keys
        .iter()
        .filter(|key| key.required)
        .map(|key| key.name)
        .collect();
    if !required.is_empty() {
        schema.insert("required".into(), json!(required));
    }
    if !shape.exactly_one.is_empty() {
        let one_of: Vec<_> = shape
            .exactly_one
            .iter()
            .map(|key| json!({ "required": [key] }))
            .collect();
        schema.insert("oneOf".into(), json!(one_of));
    }
    schema
}

fn value(shape: &Shape) -> Map<String, Value> {
    match shape {
        Shape::Text(form) => {
            let mut schema = object([("type", json!("string"))]);
            if *form != Form::Free {
                schema.insert("minLength".into(), json!(1));
            }
            if let Some(pattern) = form.schema_pattern() {
                schema.insert("pattern".into(), json!(pattern));
            }
            if *form == Form::Regex {
                schema.insert("format".into(), json!("regex"));
            }
            schema
        }
        Shape::Word(words) => object([("type", json!("string")), ("enum", json!(words))]),
        Shape::Integer { min, max } => {
            let mut schema = object([("type", json!("integer")), ("minimum", json!(min))]);
            if *max < i64::MAX {
                schema.insert("maximum".into(), json!(max));
            }
            schema
        }
        Shape::Number { min, max } => object([
            ("type", json!("number")),
            ("minimum", json!(min)),
            ("maximum", json!(max)),
        ]),
        Shape::Bool => object([("type", json!("boolean"))]),
        Shape::List { of, most } => object([
            ("type", json!("array")),
            ("items", Value::Object(value(of))),
            ("maxItems", json!(most)),
            ("minItems", json!(of.least())),
        ]),
        Shape::Table(shape) => table(shape),
        Shape::Map(of) => {
            let mut schema = object([("type", json!("object"))]);
            let of_value = Value::Object(value(of));
            // Names of tables are bound to a pattern, so nothing else may stand beside them; a column's name is free.
            if matches!(of, Shape::Table(_)) {
                schema.insert(
                    "patternProperties".into(),
                    json!({ NAME_PATTERN: of_value }),
                );
            } else {
                schema.insert("patternProperties".into(), json!({ "": of_value }));
            }
            schema.insert("additionalProperties".into(), json!(false));
            schema.insert("maxProperties".into(), json!(crate::language::MOST));
            schema
        }
        Shape::OneOf(shapes) => {
            let choices: Vec<_> = shapes
                .iter()
                .map(|shape| Value::Object(value(shape)))
                .collect();
            object([("anyOf", json!(choices))])
        }
    }
}

fn default(text: &str, shape: &Shape) -> Value {
    let number = || {
        text.parse::<i64>()
            .map(|number| json!(number))
            .or_else(|_| text.parse::<f64>().map(|number| json!(number)))
    };
    match shape {
        Shape::Bool => json!(text == "true"),
        Shape::Integer { .. } | Shape::Number { .. } => number().unwrap_or(json!(text)),
        Shape::OneOf(shapes)
            if shapes
                .iter()
                .any(|shape| matches!(shape, Shape::Integer { .. })) =>
        {
            number().unwrap_or(json!(text))
        }
        _ => json!(text),
    }
}

fn object<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;
    use crate::language::check;
    use crate::table::{self, Node, Written};

    fn json(node: &Node) -> Value {
        match &node.value {
            Written::Text(text) | Written::Date(text) => json!(text),
            Written::Integer(number) => json!(number),
            Written::Float(number) => json!(number),
            Written::Bool(bool) => json!(bool),
            Written::List(list) => list.iter().map(json).collect(),
            Written::Table(table) => {
                let pairs = table
                    .entries
                    .iter()
                    .map(|entry| (entry.key.clone(), json(&entry.node)));
                Value::Object(pairs.collect())
            }
        }
    }

    fn jobs(folder: &str) -> Vec<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../testdata")
            .join(folder);
        let mut files: Vec<_> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        files.retain(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        });
        files
    }

    /// What the check refuses the schema refuses too, and the other way round but for what only a regex says.
    #[test]
    fn the_schema_and_the_check_agree() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        let mut refused = 0;
        for path in jobs("broken").into_iter().chain(jobs("design")) {
            let text = std::fs::read_to_string(&path).unwrap();
            let mut mistakes = Vec::new();
            let node = table::read(&text, 0, &mut mistakes);
            if !mistakes.is_empty() {
                continue;
            }
            check(&node, &JOB_FILE, &mut |mistake| mistakes.push(mistake));
            let errors: Vec<String> = validator
                .iter_errors(&json(&node))
                .map(|error| error.to_string())
                .filter(|error| !error.contains("does not match"))
                .collect();
            assert_eq!(
                mistakes.is_empty(),
                errors.is_empty(),
                "{}: {mistakes:?} {errors:?}",
                path.display()
            );
            refused += usize::from(!mistakes.is_empty());
        }
        assert!(refused >= 20, "only {refused} jobs were refused");
    }

    #[test]
    fn the_example_is_valid() {
        let validator = jsonschema::validator_for(&schema()).unwrap();
        for path in jobs("design") {
            let text = std::fs::read_to_string(&path).unwrap();
            let node = table::read(&text, 0, &mut Vec::new());
            let errors: Vec<_> = validator
                .iter_errors(&json(&node))
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "{errors:?}");
        }
    }

    /// No table lets an unknown key through, and every key says what it means.
    #[test]
    fn every_table_is_closed_and_described() {
        let mut open = vec![schema()];
        let mut tables = 0;
        while let Some(value) = open.pop() {
            if value.get("type") == Some(&json!("object")) {
                tables += 1;
                assert_eq!(value["additionalProperties"], json!(false), "{value}");
            }
            for property in value
                .get("properties")
                .and_then(Value::as_object)
                .into_iter()
                .flat_map(Map::values)
            {
                assert!(
                    property["description"]
                        .as_str()
                        .is_some_and(|text| text.len() > 5),
                    "{property}"
                );
            }
            match value {
                Value::Object(object) => open.extend(object.into_values()),
                Value::Array(array) => open.extend(array),
                _ => {}
            }
        }
        assert!(tables > 30, "{tables}");
    }

    #[test]
    fn texts_in_units_match_their_regex() {
        use crate::units;
        let matches = |form: Form, text: &str| {
            regex::Regex::new(form.schema_pattern().unwrap())
                .unwrap()
                .is_match(text)
        };
        for text in ["90s", "1h30m", "500ms", "3µs", "7d", "2w"] {
            assert!(
                units::duration(text).is_ok() && matches(Form::Duration, text),
                "{text}"
            );
            assert!(
                matches(Form::Disorder, text) && matches(Form::Clock, &format!("+{text}")),
                "{text}"
            );
        }
        for text in ["", "5", "5 m", "-5s", "1.5h", "5x"] {
            assert!(
                units::duration(text).is_err() && !matches(Form::Duration, text),
                "{text}"
            );
        }
        for text in ["256MiB", "1GB", "1 kB", "5B", "2TiB", "1PB", "7KB"] {
            assert!(
                units::size(text).is_ok() && matches(Form::Size, text),
                "{text}"
            );
            assert!(
                units::rate(&format!("{text}/s")).is_ok()
                    && matches(Form::Rate, &format!("{text}/s")),
                "{text}"
            );
        }
        for text in ["5mb", "1.5GB", "MB", "5"] {
            assert!(
                units::size(text).is_err() && !matches(Form::Size, text),
                "{text}"
            );
        }
        for text in ["3", "2..5", "5.."] {
            assert!(
                units::times(text).is_some() && matches(Form::Times, text),
                "{text}"
            );
        }
        assert!(units::percent("99.5%").is_ok() && matches(Form::Percent, "99.5%"));
    }
}
