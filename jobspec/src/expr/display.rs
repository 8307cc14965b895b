//! An expression for a person again, as `check` shows it: every pair that could be misread in parentheses.

use std::fmt::{self, Display, Formatter};

use super::{Arithmetic, Comparison, Expr, Function, Measure};
use crate::plan::FieldPath;
use crate::value::Value;

/// The names that an expression's indices stand for.
#[derive(Clone, Copy)]
pub struct Legend<'a> {
    pub fields: &'a [FieldPath],
    /// Of `Expr::Output`.
    pub outputs: &'a [String],
}

impl<'a> Legend<'a> {
    pub fn show(self, expr: &'a Expr) -> impl Display + 'a {
        Shown { expr, legend: self }
    }

    pub fn show_measure(self, measure: &'a Measure) -> impl Display + 'a {
        ShownMeasure {
            measure,
            legend: self,
        }
    }
}

struct Shown<'a> {
    expr: &'a Expr,
    legend: Legend<'a>,
}

struct ShownMeasure<'a> {
    measure: &'a Measure,
    legend: Legend<'a>,
}

impl Display for Shown<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let show = |expr| Shown {
            expr,
            legend: self.legend,
        };
        match self.expr {
            Expr::Literal(value) => write!(out, "{}", Constant(value)),
            Expr::Column(column) => out.write_str(column.name()),
            Expr::Field(field) => out.write_str(
                self.legend
                    .fields
                    .get(usize::from(*field))
                    .map_or("?", |path| &path.text),
            ),
            Expr::Output(index) => out.write_str(
                self.legend
                    .outputs
                    .get(usize::from(*index))
                    .map_or("?", |name| name),
            ),
            Expr::Not(inner) => write!(out, "NOT ({})", show(inner)),
            Expr::And(list) => write_joined(list.iter().map(show), " AND ", out),
            Expr::Or(list) => write_joined(list.iter().map(show), " OR ", out),
            Expr::Compare {
                operator,
                left,
                right,
            } => {
                write!(out, "{} {} {}", show(left), operator.symbol(), show(right))
            }
            Expr::Between { value, low, high } => {
                write!(
                    out,
                    "{} BETWEEN {} AND {}",
                    show(value),
                    show(low),
                    show(high)
                )
            }
            Expr::In { value, list } => {
                write!(out, "{} IN (", show(value))?;
                write_list(list.iter().map(show), out)?;
                out.write_str(")")
            }
            Expr::InSet { value, set } => {
                write!(out, "{} IN (", show(value))?;
                write_list(set.values().iter().map(Constant), out)?;
                out.write_str(")")
            }
            Expr::Like { value, like } => {
                let word = if like.any_case { "ILIKE" } else { "LIKE" };
                write!(
                    out,
                    "{} {word} '{}'",
                    show(value),
                    like.source.replace('\'', "''")
                )
            }
            Expr::Matches { value, pattern } => {
                let word = if pattern.any_case() { "~*" } else { "~" };
                write!(
                    out,
                    "{} {word} '{}'",
                    show(value),
                    pattern.source().replace('\'', "''")
                )
            }
            Expr::IsNull(inner) => write!(out, "{} IS NULL", show(inner)),
            Expr::Negate(inner) => write!(out, "-({})", show(inner)),
            Expr::Arithmetic {
                operator,
                left,
                right,
            } => {
                write!(
                    out,
                    "({} {} {})",
                    show(left),
                    operator.symbol(),
                    show(right)
                )
            }
            Expr::Call {
                function,
                arguments,
            } => {
                write!(out, "{}(", function_name(function))?;
                write_list(arguments.iter().map(show), out)?;
                write_constants(function, out)?;
                out.write_str(")")
            }
        }
    }
}

impl Display for ShownMeasure<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let show = |expr| Shown {
            expr,
            legend: self.legend,
        };
        match self.measure {
            Measure::Count => out.write_str("count(*)"),
            Measure::CountOf(expr) => write!(out, "count({})", show(expr)),
            Measure::CountIf(expr) => write!(out, "count_if({})", show(expr)),
            Measure::Sum(expr) => write!(out, "sum({})", show(expr)),
            Measure::Avg(expr) => write!(out, "avg({})", show(expr)),
            Measure::Min(expr) => write!(out, "min({})", show(expr)),
            Measure::Max(expr) => write!(out, "max({})", show(expr)),
            Measure::Stddev(expr) => write!(out, "stddev({})", show(expr)),
            Measure::Percentile(expr, percent) => {
                write!(out, "percentile({}, {percent})", show(expr))
            }
            Measure::Distinct(expr) => write!(out, "distinct({})", show(expr)),
            Measure::Top(expr, count) => write!(out, "top({}, {count})", show(expr)),
            Measure::First(expr) => write!(out, "first({})", show(expr)),
            Measure::Last(expr) => write!(out, "last({})", show(expr)),
            Measure::Rate(expr) => write!(out, "rate({})", show(expr)),
        }
    }
}

/// A constant as SQL has it.
struct Constant<'a>(&'a Value<'a>);

impl Display for Constant<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let text = self.0.to_text();
        let text = String::from_utf8_lossy(&text);
        match self.0 {
            Value::Null => out.write_str("NULL"),
            Value::Text(_) | Value::Json(_) | Value::Time(_) => {
                write!(out, "'{}'", text.replace('\'', "''"))
            }
            _ => out.write_str(&text),
        }
    }
}

fn write_joined<T: Display>(
    items: impl Iterator<Item = T>,
    word: &str,
    out: &mut Formatter<'_>,
) -> fmt::Result {
    out.write_str("(")?;
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.write_str(word)?;
        }
        write!(out, "{item}")?;
    }
    out.write_str(")")
}

fn write_list<T: Display>(items: impl Iterator<Item = T>, out: &mut Formatter<'_>) -> fmt::Result {
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.write_str(", ")?;
        }
        write!(out, "{item}")?;
    }
    Ok(())
}

impl Comparison {
    pub fn symbol(self) -> &'static str {
        match self {
            Comparison::Equal => "=",
            Comparison::NotEqual => "<>",
            Comparison::Less => "<",
            Comparison::LessOrEqual => "<=",
            Comparison::Greater => ">",
            Comparison::GreaterOrEqual => ">=",
        }
    }
}

impl Arithmetic {
    pub fn symbol(self) -> &'static str {
        match self {
            Arithmetic::Add => "+",
            Arithmetic::Subtract => "-",
            Arithmetic::Multiply => "*",
            Arithmetic::Divide => "/",
            Arithmetic::Remainder => "%",
        }
    }
}

fn function_name(function: &Function) -> &'static str {
    match function {
        Function::Search(_) => "search",
        Function::Extract { .. } => "extract",
        Function::Bucket { .. } => "bucket",
        Function::Hour { .. } => "hour",
        Function::Weekday { .. } => "weekday",
        Function::Lower => "lower",
        Function::Upper => "upper",
        Function::Length => "length",
        Function::Coalesce => "coalesce",
        Function::Cidr { .. } => "cidr",
        Function::Exists => "exists",
        Function::Number => "number",
    }
}

/// The arguments that are constants, compiled into the function.
fn write_constants(function: &Function, out: &mut Formatter<'_>) -> fmt::Result {
    match function {
        Function::Search(search) => write!(out, ", '{}'", search.source().replace('\'', "''")),
        Function::Extract { pattern, group } => {
            write!(out, ", '{}', {group}", pattern.source().replace('\'', "''"))
        }
        Function::Bucket { width_ns, step_ns } => {
            write!(out, ", '{}'", Seconds(*width_ns))?;
            if step_ns == width_ns {
                Ok(())
            } else {
                write!(out, ", '{}'", Seconds(*step_ns))
            }
        }
        Function::Cidr { network, bits } => {
            write!(out, ", '{}/{bits}'", std::net::Ipv6Addr::from(*network))
        }
        _ => Ok(()),
    }
}

/// A duration as it could be written in a job: `90s`, `500ms`.
pub struct Seconds(pub i64);

impl Display for Seconds {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match self.0 {
            ns if ns % 1_000_000_000 == 0 => write!(out, "{}s", ns / 1_000_000_000),
            ns if ns % 1_000_000 == 0 => write!(out, "{}ms", ns / 1_000_000),
            ns => write!(out, "{ns}ns"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::expr::parse::{FieldTable, Scope, predicate};

    #[test]
    fn what_is_shown_means_the_same_when_it_is_read_again() {
        for text in [
            "level >= ERROR AND message ~ 'timeout|refused'",
            "a = 1 OR b = 2 AND NOT (c LIKE 'it''s%' OR d ILIKE '%x')",
            "bucket(time, '5m', '1m') = '2026-01-19' OR status IN (500, 502) OR x BETWEEN 1 AND 2 + 3",
            "extract(path, '^/([a-z]+)', 1) = 'api' AND cidr(ip, '10.0.0.0/8') AND -n < 4 AND x IS NULL",
            "search(message, 'login OR token') AND coalesce(a, lower(b)) = 'x' AND exists(c.d[0])",
        ] {
            let mut fields = FieldTable::default();
            let mut scope = Scope {
                fields: &mut fields,
                timezone: "UTC",
            };
            let expr = predicate(text, &mut scope).unwrap();
            let paths = fields.into_paths();
            let shown = Legend {
                fields: &paths,
                outputs: &[],
            }
            .show(&expr)
            .to_string();
            let mut fields = FieldTable::default();
            let mut scope = Scope {
                fields: &mut fields,
                timezone: "UTC",
            };
            assert_eq!(predicate(&shown, &mut scope), Ok(expr), "{text}\n{shown}");
        }
    }
}
