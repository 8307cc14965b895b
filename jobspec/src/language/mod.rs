//! The language as data: every table, every key, the shape of its value, its default and what it means. The check
//! while reading (`check`) and the JSON Schema (`schema`) both follow it, so they cannot disagree.

mod check;
mod operators;
mod tables;

pub use check::check;
pub use tables::JOB_FILE;

/// Names of one kind that a job may have, and items that a list may have where nothing else is said.
pub const MOST: usize = 1_000;

/// A table with known keys.
#[derive(Debug)]
pub struct TableShape {
    pub keys: &'static [Key],
    /// Exactly one of these keys stands in it.
    pub exactly_one: &'static [&'static str],
}

/// One key of a table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    pub name: &'static str,
    pub shape: Shape,
    pub required: bool,
    /// As TOML would have it, texts without their quotes; empty where there is none.
    pub default: &'static str,
    pub doc: &'static str,
}

/// What a value looks like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    Text(Form),
    /// One of these texts.
    Word(&'static [&'static str]),
    Integer {
        min: i64,
        max: i64,
    },
    Number {
        min: f64,
        max: f64,
    },
    Bool,
    List {
        of: &'static Shape,
        most: usize,
    },
    Table(&'static TableShape),
    /// A table whose keys are names that the user gives.
    Map(&'static Shape),
    /// Told apart by the kind of the value: no two of a kind.
    OneOf(&'static [Shape]),
}

/// What a text holds. Most are read by the compiler; the schema says as much of them as a regex can.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Any,
    /// Any text, an empty one too.
    Free,
    Duration,
    Size,
    Rate,
    Percent,
    /// "2..5", "5.."
    Times,
    /// A moment; a TOML date is one too.
    Moment,
    Expression,
    Regex,
    Query,
    Path,
    /// `$ENV` or `file:path`.
    Secret,
    /// "trusted", "measured" or an offset.
    Clock,
    /// A duration or "unlimited".
    Disorder,
}

impl Form {
    /// The regex that the schema gives for it.
    pub fn schema_pattern(self) -> Option<&'static str> {
        Some(match self {
            Form::Duration => r"^([0-9]+(ns|us|µs|ms|s|m|h|d|w))+$",
            Form::Size => r"^[0-9]+ *([kKMGTP]?B|[KMGTP]iB)$",
            Form::Rate => r"^[0-9]+ *([kKMGTP]?B|[KMGTP]iB)/s$",
            Form::Percent => r"^[0-9.]+%$",
            Form::Times => r"^[0-9]+(\.\.[0-9]*)?$",
            Form::Secret => r"^(\$[A-Za-z_][A-Za-z0-9_]*|file:.+)$",
            Form::Clock => r"^(trusted|measured|[+-]([0-9]+(ns|us|µs|ms|s|m|h|d|w))+)$",
            Form::Disorder => r"^(unlimited|([0-9]+(ns|us|µs|ms|s|m|h|d|w))+)$",
            Form::Any
            | Form::Free
            | Form::Moment
            | Form::Expression
            | Form::Regex
            | Form::Query
            | Form::Path => return None,
        })
    }
}

impl Shape {
    /// The least number of items of a list of these.
    pub fn least(&self) -> usize {
        usize::from(check::needs_item(self))
    }
}

impl TableShape {
    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }
}

impl Key {
    const fn required(mut self) -> Key {
        self.required = true;
        self
    }

    const fn default(mut self, default: &'static str) -> Key {
        self.default = default;
        self
    }
}

const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key {
        name,
        shape,
        required: false,
        default: "",
        doc,
    }
}

/// A name that the user gives: of a log, an operator, a group of hosts.
pub fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars
        .next()
        .is_some_and(|char| char.is_ascii_alphabetic() || char == '_')
        && name.len() <= 100
        && chars.all(|char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-'))
}

/// `is_name` as a regex, for the schema.
pub const NAME_PATTERN: &str = "^[A-Za-z_][A-Za-z0-9_-]{0,99}$";

#[cfg(test)]
mod tests;
