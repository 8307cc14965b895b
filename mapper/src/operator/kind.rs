//! The values of a key as rows show them: each is made of a part of the key, which is its text, and of its kind.

use jobspec::expr::{Column, Expr, Misfits};
use jobspec::value::{Level, Value};

use super::key;
use crate::entry::{Entry, FieldKind};

/// What kind of value a text of a key was: of two kinds with one text the lesser is shown, the number 200 rather than
/// the text "200".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    Int,
    Float,
    Time,
    Level,
    Bool,
    Text,
    Json,
    Null,
}

impl Kind {
    pub fn of(value: &Value<'_>) -> Kind {
        match value {
            Value::Int(_) => Kind::Int,
            Value::Float(_) => Kind::Float,
            Value::Time(_) => Kind::Time,
            Value::Level(_) => Kind::Level,
            Value::Bool(_) => Kind::Bool,
            Value::Text(_) => Kind::Text,
            // Entries have no lists and objects but as JSON.
            Value::Json(_) | Value::List(_) | Value::Object(_) => Kind::Json,
            Value::Null => Kind::Null,
        }
    }

    /// Commutative.
    pub fn keep_plainer(held: &mut [u8], kinds: &[u8]) {
        for (held, kind) in held.iter_mut().zip(kinds) {
            *held = (*held).min(*kind);
        }
    }
}

/// Appends the value of an expression to a key: that of a field or a bucket of time, which most are, without making a
/// value of it.
#[inline(always)]
pub fn push(key: &mut Vec<u8>, expr: &Expr, entry: &Entry<'_>, misfits: &Misfits) -> Kind {
    match expr {
        Expr::Field(field) => {
            if let Some(Some(field)) = entry.fields.get(usize::from(*field))
                && let Some(text) = field.plain_text()
            {
                key::push_text(key, text);
                return match field.kind {
                    FieldKind::Number => Kind::Int,
                    _ => Kind::Text,
                };
            }
        }
        Expr::Call {
            function,
            arguments,
        } => {
            if let ([Expr::Column(Column::Time)], Some(time)) = (&arguments[..], entry.time)
                && let Some(start) = function.last_bucket(time.ns)
            {
                key::push_time(key, start);
                return Kind::Time;
            }
        }
        _ => {}
    }
    let value = expr.eval(entry, misfits);
    key::push(key, &value);
    Kind::of(&value)
}

/// The values of a key; None where they are none that an entry could have had.
pub fn values<'k>(key: &'k [u8], kinds: &[u8]) -> Option<Vec<Value<'k>>> {
    let mut values = Vec::with_capacity(kinds.len());
    for part in key::parts(key) {
        let kind = *kinds.get(values.len())?;
        values.push(value(part.ok()?, kind)?);
    }
    (values.len() == kinds.len()).then_some(values)
}

/// Whether `values` would give them.
pub fn are_values(key: &[u8], kinds: &[u8]) -> bool {
    // Texts need not be made for that.
    let is_value = |(part, kind): (Option<&[u8]>, &u8)| match part {
        Some(part) if *kind == Kind::Text as u8 => key::time(part).is_none(),
        part => value(part, *kind).is_some(),
    };
    let mut kinds = kinds.iter();
    let mut parts = key::parts(key);
    parts.all(
        |part| matches!((part, kinds.next()), (Ok(part), Some(kind)) if is_value((part, kind))),
    ) && kinds.next().is_none()
}

fn value(part: Option<&[u8]>, kind: u8) -> Option<Value<'_>> {
    let Some(part) = part else {
        return (kind == Kind::Null as u8).then_some(Value::Null);
    };
    if let Some(time) = key::time(part) {
        return (kind == Kind::Time as u8).then_some(Value::Time(time));
    }
    let text = key::text(part);
    let value = match kind {
        kind if kind == Kind::Text as u8 => Value::Text(text),
        kind if kind == Kind::Int as u8 => {
            let number = Value::Int(std::str::from_utf8(&text).ok()?.parse().ok()?);
            (*number.to_text() == *text).then_some(number)?
        }
        kind if kind == Kind::Float as u8 => {
            let number = Value::parse_number(&text)?;
            (Kind::of(&number) as u8 == kind && *number.to_text() == *text).then_some(number)?
        }
        kind if kind == Kind::Level as u8 => {
            let level = Level::ALL.into_iter();
            Value::Level(
                level
                    .into_iter()
                    .find(|level| level.name().as_bytes() == *text)?,
            )
        }
        kind if kind == Kind::Bool as u8 => match &**text {
            b"true" => Value::Bool(true),
            b"false" => Value::Bool(false),
            _ => return None,
        },
        kind if kind == Kind::Json as u8 => Value::Json(text),
        _ => return None,
    };
    Some(value)
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use jobspec::value::Time;

    use super::*;

    #[test]
    fn a_key_and_its_kinds_are_the_values_again() {
        let whole = [
            Value::Int(-7),
            Value::Int(i128::MAX),
            Value::Float(0.1),
            Value::Float(1e300),
            Value::Time(Time::new(1_768_831_200_500_000_000, 3)),
            Value::Level(Level::Warn),
            Value::Bool(false),
            Value::owned_text("200"),
            Value::owned_text(b"\xff"),
            Value::Json(Cow::Owned("[1, 2]".into())),
            Value::Null,
        ];
        let mut key = Vec::new();
        whole.iter().for_each(|value| key::push(&mut key, value));
        let kinds: Vec<u8> = whole.iter().map(|value| Kind::of(value) as u8).collect();
        assert_eq!(values(&key, &kinds).unwrap(), whole);
        // No other kind fits a number's text but a text's, and none a time's.
        let mut number = Vec::new();
        key::push(&mut number, &Value::Int(7));
        let fits = |key: &[u8]| -> Vec<u8> {
            let fits = |kind: &u8| values(key, &[*kind]).is_some();
            let all = (0..=u8::MAX).filter(fits);
            all.inspect(|kind| assert!(are_values(key, &[*kind])))
                .collect()
        };
        assert_eq!(
            fits(&number),
            [Kind::Int as u8, Kind::Text as u8, Kind::Json as u8]
        );
        let mut time = Vec::new();
        key::push(&mut time, &whole[4]);
        assert_eq!(fits(&time), [Kind::Time as u8]);
        assert_eq!(values(&key, &kinds[1..]), None);
        assert!(are_values(&key, &kinds) && !are_values(&key, &kinds[1..]));
        for kind in (0..=u8::MAX).filter(|kind| !fits(&time).contains(kind)) {
            assert!(!are_values(&time, &[kind]));
        }
    }
}
