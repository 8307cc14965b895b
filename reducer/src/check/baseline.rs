//! The figures of an earlier run, in a file: what `baseline` stands for in a check. A figure is found by its text
//! (`max(latency.p95)`), a row's by the columns that name the row.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use jobspec::value::{OwnedValue, Value};
use serde_json::{Map, json};

use crate::Error;

/// Bytes of a file.
const MOST_BYTES: u64 = 64 << 20;

/// Rows of a figure: beyond, one figure over all of them says more.
const MOST_ROWS: usize = 10_000;

/// The file of some checks.
#[derive(Debug)]
pub struct Baseline {
    path: PathBuf,
    held: BTreeMap<String, Figure>,
    /// Where the run writes it anew: what it has measured so far.
    measured: Option<BTreeMap<String, Figure>>,
    /// Why it is not written.
    refused: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Figure {
    One(OwnedValue),
    /// By the row's key as JSON.
    Rows(BTreeMap<String, OwnedValue>),
}

impl Baseline {
    /// A file that is not there holds nothing.
    pub fn open(path: &Path, is_written: bool) -> Result<Baseline, Error> {
        let mut text = Vec::new();
        match std::fs::File::open(path) {
            Ok(file) => {
                let read = file.take(MOST_BYTES + 1).read_to_end(&mut text);
                read.map_err(Error::io(path))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(path)(error)),
        }
        let held = match text.is_empty() {
            true => BTreeMap::new(),
            false => read(&text).ok_or_else(|| {
                Error::Other(format!(
                    "{}: no baseline of this program; `run --update-baseline` writes one where there is no file",
                    path.display()
                ))
            })?,
        };
        Ok(Baseline {
            path: path.to_owned(),
            held,
            measured: is_written.then(BTreeMap::new),
            refused: None,
        })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    pub fn is_written(&self) -> bool {
        self.measured.is_some()
    }

    pub fn value(&self, figure: &str) -> OwnedValue {
        match self.held.get(figure) {
            Some(Figure::One(value)) => value.clone(),
            _ => Value::Null,
        }
    }

    pub fn row(&self, figure: &str, key: &str) -> OwnedValue {
        match self.held.get(figure) {
            Some(Figure::Rows(rows)) => rows.get(key).cloned().unwrap_or(Value::Null),
            _ => Value::Null,
        }
    }

    pub fn measure(&mut self, figure: &str, value: &OwnedValue) {
        if let Some(measured) = &mut self.measured {
            measured.insert(figure.to_owned(), Figure::One(value.clone()));
        }
    }

    pub fn measure_row(&mut self, figure: &str, key: &str, value: &OwnedValue) {
        let Some(measured) = &mut self.measured else {
            return;
        };
        if !measured.contains_key(figure) {
            measured.insert(figure.to_owned(), Figure::Rows(BTreeMap::new()));
        }
        let Some(Figure::Rows(rows)) = measured.get_mut(figure) else {
            return;
        };
        if rows.len() < MOST_ROWS || rows.contains_key(key) {
            rows.insert(key.to_owned(), value.clone());
        } else {
            self.refuse(format!(
                "{figure} has more than {MOST_ROWS} rows; compare one figure of them, like max({figure})"
            ));
        }
    }

    /// The file stays as it was.
    pub fn refuse(&mut self, why: String) {
        self.refused.get_or_insert(why);
    }

    /// Writes what was measured; what the file holds of other checks stays.
    pub fn write(self, job: &str, now: &str) -> Result<(), Error> {
        let Some(measured) = self.measured else {
            return Ok(());
        };
        let path = &self.path;
        if let Some(why) = self.refused {
            return Err(Error::Other(format!(
                "{}: the baseline stays as it was: {why}",
                path.display()
            )));
        }
        let mut held = self.held;
        held.extend(measured);
        let mut text = serde_json::to_string_pretty(&json!({
            "job": job,
            "written": now,
            "figures": held.into_iter().map(|(name, figure)| (name, figure.json())).collect::<Map<_, _>>(),
        }))
        .expect("a tree of JSON values is JSON");
        text.push('\n');
        crate::output::replace(path, text.as_bytes())
    }
}

impl Figure {
    fn json(self) -> serde_json::Value {
        match self {
            Figure::One(value) => json!({ "value": value_json(&value) }),
            Figure::Rows(rows) => {
                let row = |(key, value): (String, OwnedValue)| {
                    let key: serde_json::Value =
                        serde_json::from_str(&key).unwrap_or(serde_json::Value::Null);
                    json!({ "key": key, "value": value_json(&value) })
                };
                json!({ "rows": rows.into_iter().map(row).collect::<Vec<_>>() })
            }
        }
    }
}

fn read(text: &[u8]) -> Option<BTreeMap<String, Figure>> {
    let json: serde_json::Value = serde_json::from_slice(text).ok()?;
    let mut figures = BTreeMap::new();
    for (name, figure) in json.get("figures")?.as_object()? {
        let figure = match (figure.get("value"), figure.get("rows")) {
            (Some(value), _) => Figure::One(value_of(value)?),
            (None, rows) => {
                let rows = rows?.as_array()?.iter().map(|row| {
                    let value = value_of(row.get("value")?)?;
                    Some((row.get("key")?.to_string(), value))
                });
                Figure::Rows(rows.collect::<Option<_>>()?)
            }
        };
        figures.insert(name.clone(), figure);
    }
    Some(figures)
}

/// The value as outputs have it.
pub fn value_json(value: &OwnedValue) -> serde_json::Value {
    let mut text = Vec::new();
    value.write_json(&mut text);
    serde_json::from_slice(&text).unwrap_or(serde_json::Value::Null)
}

fn value_of(json: &serde_json::Value) -> Option<OwnedValue> {
    Some(match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(truth) => Value::Bool(*truth),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number.into()),
            None => Value::float(number.as_f64()?),
        },
        serde_json::Value::String(text) => Value::owned_text(text.as_str()),
        _ => return None,
    })
}
