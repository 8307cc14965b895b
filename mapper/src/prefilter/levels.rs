//! Lines by their level, where the format tells it without parsing the whole line.

use jobspec::expr::{Column, Expr, FieldId, Misfits, Row};
use jobspec::value::{Level, Value};

use super::Searched;
use crate::format::Format;

/// The levels that a wanted line may have. A line whose level does not show at once may have any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Levels {
    /// By `Level`.
    wanted: [bool; Level::ALL.len()],
}

/// An entry of which only the level is known.
struct OfLevel(Level);

impl Row for OfLevel {
    fn column(&self, column: Column) -> Value<'_> {
        match column {
            Column::Level => Value::Level(self.0),
            _ => Value::Null,
        }
    }

    fn field(&self, _field: FieldId) -> Option<Value<'_>> {
        None
    }

    fn output(&self, _index: u16) -> Value<'_> {
        Value::Null
    }
}

impl Levels {
    /// Of predicates of which one is to be true; None where that rules no level out.
    pub fn of_any<'a>(predicates: impl Iterator<Item = &'a Expr>) -> Option<Levels> {
        let mut wanted = [false; Level::ALL.len()];
        for predicate in predicates {
            or(&mut wanted, &of(predicate));
        }
        (!wanted.iter().all(|wanted| *wanted)).then_some(Levels { wanted })
    }

    pub fn find(&self, text: &[u8], format: &dyn Format) -> Searched {
        let (mut at, mut lines, mut are_plain) = (0, 0, format.is_object_a_line());
        while at < text.len() {
            let rest = &text[at..];
            // Most lines have no backslash: one look finds both out.
            let mut end = memchr::memchr2(b'\n', b'\\', rest).unwrap_or(rest.len());
            let has_backslash = rest.get(end) == Some(&b'\\');
            if has_backslash {
                let more = &rest[end..];
                end += memchr::memchr(b'\n', more).unwrap_or(more.len());
            }
            let line = &rest[..end];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            match format.glance_level(line, has_backslash) {
                Some(level) if !self.wanted[level as usize] => {
                    are_plain &= matches!(line, [b'{', .., b'}']);
                    lines += 1;
                    at += end + 1;
                }
                _ => break,
            }
        }
        Searched {
            hit: (at < text.len()).then_some(at),
            plain_lines: are_plain.then_some(lines),
        }
    }
}

type Mask = [bool; Level::ALL.len()];

fn or(left: &mut Mask, right: &Mask) {
    left.iter_mut()
        .zip(right)
        .for_each(|(left, right)| *left |= right);
}

/// The levels with which a predicate may be true.
fn of(expr: &Expr) -> Mask {
    let mut wanted = [true; Level::ALL.len()];
    match expr {
        Expr::And(terms) => {
            for term in terms {
                let term = of(term);
                wanted
                    .iter_mut()
                    .zip(term)
                    .for_each(|(left, right)| *left &= right);
            }
        }
        Expr::Or(terms) => {
            wanted.fill(false);
            terms.iter().for_each(|term| or(&mut wanted, &of(term)));
        }
        _ => {
            let mut is_level_alone = true;
            expr.walk(&mut |inner| match inner {
                Expr::Field(_) | Expr::Output(_) => is_level_alone = false,
                Expr::Column(column) => is_level_alone &= *column == Column::Level,
                _ => {}
            });
            if is_level_alone {
                wanted = Level::ALL.map(|level| expr.holds(&OfLevel(level), &Misfits::default()));
            }
        }
    }
    wanted
}
