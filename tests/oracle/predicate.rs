//! A few predicates, as SQL and as three-valued logic.

use super::world::LETTERS;
use super::{Entry, LEVELS, Random};

#[derive(Clone, Debug)]
pub enum Predicate {
    /// `field > number`
    Above(&'static str, i64),
    /// The field's text.
    Is(&'static str, &'static str),
    IsNull(&'static str),
    /// At least so grave.
    Level(&'static str),
    /// In the message.
    Letter(&'static str),
    Log(&'static str),
    Not(Box<Predicate>),
    And(Box<Predicate>, Box<Predicate>),
    Or(Box<Predicate>, Box<Predicate>),
}

impl Predicate {
    pub fn random(random: &mut Random) -> Predicate {
        let pair = |random: &mut Random| {
            let simple = |random: &mut Random| Box::new(Predicate::simple(random));
            (simple(random), simple(random))
        };
        match random.below(8) {
            0 => {
                let (left, right) = pair(random);
                Predicate::And(left, right)
            }
            1 => {
                let (left, right) = pair(random);
                Predicate::Or(left, right)
            }
            2 => Predicate::Not(Box::new(Predicate::Above("n", 5))),
            3 => Predicate::Not(Box::new(Predicate::Letter("a"))),
            _ => Predicate::simple(random),
        }
    }

    fn simple(random: &mut Random) -> Predicate {
        match random.below(6) {
            0 => Predicate::Above("n", random.pick(&[-5, 0, 12, 60])),
            1 => Predicate::Is("user", random.pick(&["alice", "bob"])),
            2 => Predicate::IsNull(random.pick(&["user", "n", "status"])),
            3 => Predicate::Level(random.pick(&["INFO", "WARN", "ERROR"])),
            4 => Predicate::Letter(random.pick(&LETTERS)),
            _ => Predicate::Log(random.pick(&["app", "svc"])),
        }
    }

    pub fn sql(&self) -> String {
        match self {
            Predicate::Above(field, number) => format!("{field} > {number}"),
            Predicate::Is(field, text) => format!("{field} = '{text}'"),
            Predicate::IsNull(field) => format!("{field} IS NULL"),
            Predicate::Level(level) => format!("level >= {level}"),
            Predicate::Letter(letter) => format!("message LIKE '%{letter}%'"),
            Predicate::Log(log) => format!("log = '{log}'"),
            Predicate::Not(inner) => format!("NOT ({})", inner.sql()),
            Predicate::And(left, right) => format!("({}) AND ({})", left.sql(), right.sql()),
            Predicate::Or(left, right) => format!("({}) OR ({})", left.sql(), right.sql()),
        }
    }

    pub fn admits(&self, entry: &Entry) -> bool {
        self.truth(entry) == Some(true)
    }

    fn truth(&self, entry: &Entry) -> Option<bool> {
        match self {
            Predicate::Above(field, number) => Some(entry.cell(field).number()? > *number as f64),
            Predicate::Is(field, text) => Some(entry.cell(field).text()? == *text),
            Predicate::IsNull(field) => Some(entry.cell(field).text().is_none()),
            Predicate::Level(least) => {
                let rank = |level: &str| LEVELS.iter().position(|known| *known == level);
                Some(rank(entry.level?) >= rank(least))
            }
            Predicate::Letter(letter) => Some(entry.message.as_ref()?.contains(letter)),
            Predicate::Log(log) => Some(entry.log == *log),
            Predicate::Not(inner) => inner.truth(entry).map(|truth| !truth),
            Predicate::And(left, right) => match (left.truth(entry), right.truth(entry)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Predicate::Or(left, right) => match (left.truth(entry), right.truth(entry)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }
}

/// A `where`, or none, as a line of an operator's table.
pub fn optional(random: &mut Random) -> (String, impl Fn(&Entry) -> bool + use<>) {
    let predicate = (!random.one_in(3)).then(|| Predicate::random(random));
    let line = match &predicate {
        Some(predicate) => format!("where = {}\n", super::json_text(&predicate.sql())),
        None => String::new(),
    };
    let admits = move |entry: &Entry| match &predicate {
        Some(predicate) => predicate.admits(entry),
        None => true,
    };
    (line, admits)
}
