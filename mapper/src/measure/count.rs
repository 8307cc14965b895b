//! `count` in its forms and `rate`: how many entries there were, and how many of them counted.

use jobspec::value::Value;
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    pub all: u64,
    pub hits: u64,
}

impl Count {
    pub fn add(&mut self, hit: bool) {
        self.all = self.all.saturating_add(1);
        self.hits = self.hits.saturating_add(hit.into());
    }

    pub fn merge(&mut self, other: Count) {
        self.all = self.all.saturating_add(other.all);
        self.hits = self.hits.saturating_add(other.hits);
    }

    pub fn count(&self) -> Value<'static> {
        Value::Int(self.hits.into())
    }

    /// NULL of nothing.
    pub fn rate(&self) -> Value<'static> {
        match self.all {
            0 => Value::Null,
            all => Value::float(self.hits as f64 / all as f64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_share() {
        let mut count = Count::default();
        assert_eq!(count.rate(), Value::Null);
        [true, false, true, false]
            .into_iter()
            .for_each(|hit| count.add(hit));
        assert_eq!(
            (count.count(), count.rate()),
            (Value::Int(2), Value::Float(0.5))
        );
        count.merge(Count { all: 0, hits: 0 });
        assert_eq!(count, Count { all: 4, hits: 2 });
    }
}
