//! A JSON object written member by member, in order: the corpus needs control over order, repetition and
//! escapes that a serializer would not give.

use std::fmt::Write;

pub struct Object(String);

impl Object {
    pub fn new() -> Self {
        Object(String::from("{"))
    }

    pub fn text(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        self.0.push('"');
        for character in value.chars() {
            match character {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '\t' => self.0.push_str("\\t"),
                // As encoders that keep to ASCII do it: pairs of surrogates beyond the first plane.
                _ if !character.is_ascii() => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        let _ = write!(self.0, "\\u{unit:04x}");
                    }
                }
                _ => self.0.push(character),
            }
        }
        self.0.push('"');
        self
    }

    pub fn number(self, key: &str, value: u64) -> Self {
        self.raw(key, &value.to_string())
    }

    /// Milliseconds with two decimals, from hundredths.
    pub fn hundredths(self, key: &str, value: u64) -> Self {
        self.raw(key, &format!("{}.{:02}", value / 100, value % 100))
    }

    pub fn object(self, key: &str, value: Object) -> Self {
        self.raw(key, &value.end())
    }

    /// What is JSON already.
    pub fn raw(mut self, key: &str, value: &str) -> Self {
        self.key(key);
        self.0.push_str(value);
        self
    }

    pub fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        let _ = write!(self.0, "\"{key}\":");
    }
}
