//! The JSON Schema of job files, held by a validator that knows nothing of us: it accepts every job that compiles and
//! refuses what is broken in shape.

use std::path::Path;

use crate::harness::{logstitch, names, root};

fn validator() -> jsonschema::Validator {
    let schema = logstitch(["schema"]).ends_with(0).stdout;
    let schema = serde_json::from_str(&schema).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

/// The job as JSON, as an editor gives it to the schema; None where it is no TOML.
fn json(path: &Path) -> Option<serde_json::Value> {
    let text = std::fs::read_to_string(path).ok()?;
    serde_json::to_value(toml::from_str::<toml::Table>(&text).ok()?).ok()
}

#[test]
fn the_schema_is_a_schema() {
    let schema = logstitch(["schema"]).ends_with(0).stdout;
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    assert_eq!(
        schema["$schema"],
        "https://json-schema.org/draft/2020-12/schema"
    );
    jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn it_accepts_every_job() {
    let validator = validator();
    let jobs = root().join("testdata/jobs");
    let mut paths: Vec<_> = names(&jobs)
        .iter()
        .map(|name| jobs.join(name).join("job.toml"))
        .collect();
    paths.push(root().join("testdata/design/job.toml"));
    for path in paths {
        let json = json(&path).unwrap();
        let errors: Vec<_> = validator
            .iter_errors(&json)
            .map(|error| error.to_string())
            .collect();
        assert!(errors.is_empty(), "{}: {errors:#?}", path.display());
    }
}

#[test]
fn it_refuses_what_is_broken_in_shape() {
    let validator = validator();
    let broken = root().join("testdata/broken");
    // What the reader says of a mistake of shape, and of no other.
    let shapes = [
        "unknown key",
        "unknown word",
        "missing key",
        "exactly one of",
        "is needed here",
    ];
    let mut refused = 0;
    for name in names(&broken).iter().filter(|name| name.ends_with(".toml")) {
        let path = broken.join(name);
        let Some(json) = json(&path) else {
            continue;
        };
        let expected = std::fs::read_to_string(path.with_extension("expected")).unwrap();
        if shapes
            .iter()
            .any(|shape| expected.contains(&format!("error: {shape}")))
        {
            refused += 1;
            assert!(
                !validator.is_valid(&json),
                "{name}: broken in shape, accepted by the schema:\n{expected}"
            );
        }
    }
    assert!(
        refused >= 20,
        "only {refused} of the broken jobs are broken in shape"
    );
}
