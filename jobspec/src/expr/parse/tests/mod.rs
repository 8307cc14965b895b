//! Texts and the trees or mistakes that they are. Trees are shown as nested lists: short, and the same for equal ones.

mod hostile;
mod mistakes;
mod query;
mod result;
mod trees;

use super::*;
use crate::expr::{Comparison, Function};
use crate::value::Value;

fn shown(expr: &Expr, fields: &FieldTable) -> String {
    let list = |name: &str, inner: &[&Expr]| {
        let inner: Vec<String> = inner.iter().map(|expr| shown(expr, fields)).collect();
        format!("({name} {})", inner.join(" "))
    };
    match expr {
        Expr::Literal(Value::Text(text)) => format!("'{text}'"),
        Expr::Literal(Value::Null) => "NULL".to_owned(),
        Expr::Literal(value) => String::from_utf8_lossy(&value.to_text()).into_owned(),
        Expr::Column(column) => column.name().to_owned(),
        Expr::Field(field) => format!("${}", fields.paths()[usize::from(*field)].text),
        Expr::Output(index) => format!("#{index}"),
        Expr::Not(inner) => list("not", &[inner]),
        Expr::And(inner) => list("and", &inner.iter().collect::<Vec<_>>()),
        Expr::Or(inner) => list("or", &inner.iter().collect::<Vec<_>>()),
        Expr::Compare {
            operator,
            left,
            right,
        } => {
            let sign = match operator {
                Comparison::Equal => "=",
                Comparison::NotEqual => "<>",
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
                Comparison::Greater => ">",
                Comparison::GreaterOrEqual => ">=",
            };
            list(sign, &[left, right])
        }
        Expr::Between { value, low, high } => list("between", &[value, low, high]),
        Expr::In { value, list: items } => {
            let mut inner = vec![&**value];
            inner.extend(items);
            list("in", &inner)
        }
        Expr::InSet { value, set } => {
            let items: Vec<Expr> = set.values().iter().cloned().map(Expr::Literal).collect();
            let mut inner = vec![&**value];
            inner.extend(&items);
            list("in", &inner)
        }
        Expr::Like { value, like } => {
            let sign = if like.any_case { "ilike" } else { "like" };
            list(&format!("{sign} '{}'", like.source), &[value])
        }
        Expr::Matches { value, pattern } => {
            let sign = if pattern.any_case() { "~*" } else { "~" };
            list(&format!("{sign} '{}'", pattern.source()), &[value])
        }
        Expr::IsNull(inner) => list("null?", &[inner]),
        Expr::Negate(inner) => list("-", &[inner]),
        Expr::Arithmetic {
            operator,
            left,
            right,
        } => list(&format!("{operator:?}").to_lowercase(), &[left, right]),
        Expr::Call {
            function,
            arguments,
        } => {
            let name = match function {
                Function::Search(search) => format!("search '{}'", search.source()),
                Function::Extract { pattern, group } => {
                    format!("extract '{}' {group}", pattern.source())
                }
                Function::Bucket { width_ns, step_ns } => format!("bucket {width_ns} {step_ns}"),
                Function::Hour { zone } => format!("hour {}", zone.name()),
                Function::Weekday { zone } => format!("weekday {}", zone.name()),
                Function::Cidr { network, bits } => format!("cidr {network:x}/{bits}"),
                other => format!("{other:?}").to_lowercase(),
            };
            list(&name, &arguments.iter().collect::<Vec<_>>())
        }
    }
}

fn made(text: &str) -> String {
    let mut fields = FieldTable::default();
    let mut scope = Scope {
        fields: &mut fields,
        timezone: "Europe/Berlin",
    };
    match value(text, &mut scope) {
        Ok(expr) => shown(&expr, &fields),
        Err(mistakes) => panic!("{text}: {mistakes:?}"),
    }
}

/// Each mistake with the piece of the text that it points at.
fn mistakes_of(text: &str, mistakes: &[Mistake]) -> Vec<String> {
    mistakes
        .iter()
        .map(|mistake| {
            let help = match &mistake.help {
                Some(help) => format!("; {help}"),
                None => String::new(),
            };
            format!(
                "[{}] {}{help}",
                &text[mistake.span.clone()],
                mistake.message
            )
        })
        .collect()
}

fn wrong(text: &str) -> Vec<String> {
    let mut fields = FieldTable::default();
    let mut scope = Scope {
        fields: &mut fields,
        timezone: "UTC",
    };
    match predicate(text, &mut scope) {
        Ok(expr) => panic!("{text} is {}", shown(&expr, &fields)),
        Err(mistakes) => mistakes_of(text, &mistakes),
    }
}

#[test]
fn equal_paths_are_one_field() {
    let mut fields = FieldTable::default();
    let mut scope = Scope {
        fields: &mut fields,
        timezone: "UTC",
    };
    let first = field("a.b", &mut scope).unwrap();
    assert_eq!(field("fields.a.b", &mut scope), Ok(first));
    assert_eq!(field("a.\"b\"", &mut scope), Ok(first));
    // One name with a point in it is another path, though it is written alike in a row.
    let flat = field("\"a.b\"", &mut scope).unwrap();
    assert_ne!(flat, first);
    assert!(field("level", &mut scope).is_err() && field("a + 1", &mut scope).is_err());
    let texts: Vec<String> = fields
        .into_paths()
        .into_iter()
        .map(|path| path.text)
        .collect();
    assert_eq!(texts, ["a.b", "a.b", "a"]);
}

#[test]
fn a_name_beside_level_reads_no_field() {
    let mut fields = FieldTable::default();
    let mut scope = Scope {
        fields: &mut fields,
        timezone: "UTC",
    };
    predicate("level >= ERROR OR level = 'warn'", &mut scope).unwrap();
    assert!(fields.paths().is_empty());
}

#[test]
fn durations() {
    for (text, ns) in [
        ("30s", 30_000_000_000),
        ("1h30m", 5_400_000_000_000),
        ("250 ms", 250_000_000),
        ("1w", 604_800_000_000_000),
        ("5us", 5_000),
        ("7d", 604_800_000_000_000),
    ] {
        assert_eq!(constant::duration_ns(text), Ok(ns), "{text}");
    }
    for text in [
        "",
        "5",
        "s",
        "-5s",
        "1.5h",
        "5 parsecs",
        "0s",
        "999999999999w",
        "5s5",
        "٥s",
    ] {
        assert!(constant::duration_ns(text).is_err(), "{text}");
    }
}

#[test]
fn an_hour_that_the_clock_skips_is_no_time() {
    assert!(constant::moment("2026-03-29 02:30", "Europe/Berlin").is_err());
    // The hour that comes twice: its first.
    assert_eq!(
        constant::moment("2026-10-25 02:30", "Europe/Berlin")
            .unwrap()
            .to_string(),
        "2026-10-25T00:30:00Z"
    );
}
