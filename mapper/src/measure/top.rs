//! `top`: how often each value came, exactly; the most frequent first, ties by value.

use std::collections::HashMap;

use bstr::BString;
use jobspec::value::{OwnedValue, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::hash::Keyed;
use super::{is_sound, plainer, to_owned, value_bytes};

#[derive(Clone, Debug, Default)]
pub struct Top {
    /// By text, as values are told apart by it.
    counts: HashMap<Box<[u8]>, Counted, Keyed>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Counted {
    value: OwnedValue,
    count: u64,
}

impl Serialize for Top {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut run: Vec<_> = self.counts.iter().collect();
        run.sort_unstable_by(|left, right| left.0.cmp(right.0));
        serializer.collect_seq(run.into_iter().map(|(_, counted)| counted))
    }
}

impl<'de> Deserialize<'de> for Top {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Top, D::Error> {
        let run = Vec::<Counted>::deserialize(deserializer)?;
        let mut top = Top::default();
        for counted in run {
            let text = BString::from(counted.value.to_text().into_owned());
            top.add_times(&text, &counted.value, counted.count);
        }
        Ok(top)
    }
}

impl Top {
    /// The value must not be NULL, and `text` be its text.
    pub fn add(&mut self, text: &[u8], value: &Value<'_>) {
        self.add_times(text, value, 1);
    }

    fn add_times(&mut self, text: &[u8], value: &Value<'_>, times: u64) {
        match self.counts.get_mut(text) {
            Some(counted) => {
                counted.count = counted.count.saturating_add(times);
                plainer(&mut counted.value, value);
            }
            None => {
                let counted = Counted {
                    value: to_owned(value),
                    count: times,
                };
                self.counts.insert(text.into(), counted);
            }
        }
    }

    pub fn merge(&mut self, mut other: Top) {
        if self.counts.len() < other.counts.len() {
            std::mem::swap(self, &mut other);
        }
        for (text, counted) in other.counts {
            self.add_times(&text, &counted.value, counted.count);
        }
    }

    /// A list of `{"value", "count"}`.
    pub fn top(self, limit: usize) -> OwnedValue {
        let mut counts: Vec<Counted> = self.counts.into_values().collect();
        counts.sort_unstable_by(|left, right| {
            right
                .count
                .cmp(&left.count)
                .then_with(|| left.value.total_cmp(&right.value))
        });
        counts.truncate(limit);
        let object = |counted: Counted| {
            Value::Object(vec![
                ("value".into(), counted.value),
                ("count".into(), Value::Int(counted.count.into())),
            ])
        };
        Value::List(counts.into_iter().map(object).collect())
    }

    pub fn is_sound(&self) -> bool {
        self.counts.values().all(|counted| is_sound(&counted.value))
    }

    pub fn bytes(&self) -> usize {
        let texts = self.counts.iter();
        texts
            .map(|(text, counted)| 32 + text.len() + value_bytes(&counted.value))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_its_text_are_one() {
        let mut top = Top::default();
        for value in [
            Value::text(b"200"),
            Value::text(b"b"),
            Value::Int(200),
            Value::text(b"a"),
            Value::text(b"2e2"),
        ] {
            top.add(&value.to_text(), &value);
        }
        let mut json = Vec::new();
        top.clone().top(3).write_json(&mut json);
        assert_eq!(
            String::from_utf8(json).unwrap(),
            r#"[{"value":200,"count":2},{"value":"2e2","count":1},{"value":"a","count":1}]"#
        );
        assert_eq!(top.top(0), Value::List(Vec::new()));
    }
}
