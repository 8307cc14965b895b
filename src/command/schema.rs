//! `schema`: the JSON Schema of job files.

use crate::error::{Error, Outcome};

pub fn schema() -> Result<Outcome, Error> {
    let mut text = serde_json::to_string_pretty(&jobspec::schema()).expect("a schema is JSON");
    text.push('\n');
    super::print(text.as_bytes())
}
