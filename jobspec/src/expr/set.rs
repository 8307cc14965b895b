//! The constants of an `IN`, sorted as the plan is decoded, so that a list of thousands costs a few steps.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::relate::{Related, relate};
use crate::value::{OwnedValue, Value};

/// Constants to be one of.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "Vec<OwnedValue>", into = "Vec<OwnedValue>")]
pub struct Set {
    values: Vec<OwnedValue>,
    /// Sorted by bytes.
    texts: Vec<Box<[u8]>>,
    /// Sorted; and those that texts are.
    numbers: Vec<OwnedValue>,
    text_numbers: Vec<OwnedValue>,
    /// Times, levels, booleans: few.
    others: Vec<OwnedValue>,
    has_null: bool,
    has_words: bool,
}

impl Set {
    pub fn new(values: Vec<OwnedValue>) -> Set {
        let mut set = Set {
            values: Vec::new(),
            texts: Vec::new(),
            numbers: Vec::new(),
            text_numbers: Vec::new(),
            others: Vec::new(),
            has_null: false,
            has_words: false,
        };
        for value in &values {
            match value {
                Value::Null => set.has_null = true,
                Value::Text(text) => {
                    set.texts.push(Box::from(&***text));
                    match Value::parse_number(text) {
                        Some(number) => set.text_numbers.push(number),
                        None => set.has_words = true,
                    }
                }
                Value::Int(_) | Value::Float(_) => set.numbers.push(value.clone()),
                value => set.others.push(value.clone()),
            }
        }
        set.texts.sort();
        set.texts.dedup();
        for numbers in [&mut set.numbers, &mut set.text_numbers] {
            numbers.sort_by(Value::number_cmp);
            numbers.dedup();
        }
        set.values = values;
        set
    }

    /// The constants as written.
    pub fn values(&self) -> &[OwnedValue] {
        &self.values
    }

    /// Whether a value equals one of them.
    pub(super) fn holds(&self, value: &Value<'_>) -> Related<bool> {
        let mut is_misfit = false;
        let is_in = match value {
            Value::Null => return Related::Null,
            Value::Text(text) => {
                let number = if self.numbers.is_empty() {
                    None
                } else {
                    let number = Value::parse_number(text);
                    is_misfit = number.is_none();
                    number
                };
                self.has_text(text)
                    || number.is_some_and(|number| has_number(&self.numbers, &number))
            }
            Value::Int(_) | Value::Float(_) => {
                is_misfit = self.has_words;
                has_number(&self.numbers, value) || has_number(&self.text_numbers, value)
            }
            value => {
                let texts = self.texts.iter().map(|text| Value::text(text));
                let numbers = self.numbers.iter().map(Value::borrowed);
                self.is_one_of(value, texts.chain(numbers), &mut is_misfit)
            }
        };
        let others = self.others.iter().map(Value::borrowed);
        if is_in || self.is_one_of(value, others, &mut is_misfit) {
            Related::Is(true)
        } else if is_misfit {
            Related::Misfit
        } else if self.has_null {
            Related::Null
        } else {
            Related::Is(false)
        }
    }

    fn has_text(&self, text: &[u8]) -> bool {
        self.texts
            .binary_search_by(|known| known.as_ref().cmp(text))
            .is_ok()
    }

    fn is_one_of<'v>(
        &self,
        value: &Value<'_>,
        mut list: impl Iterator<Item = Value<'v>>,
        is_misfit: &mut bool,
    ) -> bool {
        list.any(|known| match relate(value, &known) {
            Related::Is(order) => order == Ordering::Equal,
            Related::Misfit => {
                *is_misfit = true;
                false
            }
            Related::Null => false,
        })
    }
}

impl PartialEq for Set {
    fn eq(&self, other: &Set) -> bool {
        self.values == other.values
    }
}

impl From<Vec<OwnedValue>> for Set {
    fn from(values: Vec<OwnedValue>) -> Set {
        Set::new(values)
    }
}

impl From<Set> for Vec<OwnedValue> {
    fn from(set: Set) -> Vec<OwnedValue> {
        set.values
    }
}

fn has_number(numbers: &[OwnedValue], number: &Value<'_>) -> bool {
    numbers
        .binary_search_by(|known| known.number_cmp(number))
        .is_ok()
}
