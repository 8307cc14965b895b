//! Texts and the trees or mistakes that they are. Trees are shown as nested lists: short, and the same for equal ones.

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
fn mistakes_of<'t>(text: &'t str, mistakes: &[Mistake]) -> Vec<String> {
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
fn texts_and_their_trees() {
    for (text, tree) in [
        (
            "level >= ERROR AND message ~ 'timeout|refused'",
            "(and (>= level ERROR) (~ 'timeout|refused' message))",
        ),
        ("a[0].b = 1", "(= $a[0].b 1)"),
        ("fields.time", "$time"),
        ("-5 + 3 * a % 2", "(add -5 (remainder (multiply 3 $a) 2))"),
        ("level IN (error, 'fatal')", "(in level ERROR FATAL)"),
        ("time >= '2026-01-19'", "(>= time 2026-01-18T23:00:00Z)"),
    ] {
        assert_eq!(made(text), tree, "{text}");
    }
}

#[test]
fn mistakes_and_their_places() {
    for (text, mistakes) in [
        ("a AND", "[AND] expected an expression after `AND`"),
        (
            "level >= ERR0R",
            "[ERR0R] `ERR0R` is no level; did you mean ERROR?",
        ),
        (
            "a = (SELECT 1)",
            "[SELECT] a subquery (`SELECT`) is not part of job expressions",
        ),
    ] {
        assert_eq!(wrong(text), [mistakes], "{text}");
    }
}
