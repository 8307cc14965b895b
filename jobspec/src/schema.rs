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
