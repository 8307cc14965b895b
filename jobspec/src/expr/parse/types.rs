//! What is known of a value before there is an entry, and which values have no meaning together.

use super::Inner;
use crate::expr::{Column, Expr, Function, Measure, Type};
use crate::value::Value;

/// The type of an expression; `inner` is what its `Output`s are.
pub(super) fn type_of(expr: &Expr, inner: Option<&Inner>) -> Type {
    match expr {
        Expr::Literal(value) => match value {
            Value::Bool(_) => Type::Bool,
            Value::Int(_) | Value::Float(_) => Type::Number,
            Value::Time(_) => Type::Time,
            Value::Level(_) => Type::Level,
            Value::Text(_) | Value::Json(_) => Type::Text,
            Value::Null | Value::List(_) | Value::Object(_) => Type::Any,
        },
        Expr::Column(column) => match column {
            Column::Time => Type::Time,
            Column::Level => Type::Level,
            Column::Offset => Type::Number,
            Column::Valid => Type::Bool,
            Column::Host | Column::File | Column::Log | Column::Raw => Type::Text,
            // JSON's message may be anything.
            Column::Message => Type::Any,
        },
        Expr::Field(_) => Type::Any,
        Expr::Output(index) => {
            let Some(inner) = inner else {
                return Type::Any;
            };
            let index = usize::from(*index);
            match inner.group.get(index) {
                Some(group) => type_of(&group.expr, None),
                None => inner
                    .measures
                    .get(index - inner.group.len())
                    .map_or(Type::Any, measure_type),
            }
        }
        Expr::Not(_)
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::Compare { .. }
        | Expr::Between { .. }
        | Expr::In { .. }
        | Expr::InSet { .. }
        | Expr::Like { .. }
        | Expr::Matches { .. }
        | Expr::IsNull(_) => Type::Bool,
        Expr::Negate(_) | Expr::Arithmetic { .. } => Type::Number,
        Expr::Call {
            function,
            arguments,
        } => match function {
            Function::Search(_) | Function::Cidr { .. } | Function::Exists => Type::Bool,
            Function::Extract { .. } | Function::Lower | Function::Upper => Type::Text,
            Function::Bucket { .. } => Type::Time,
            Function::Hour { .. }
            | Function::Weekday { .. }
            | Function::Length
            | Function::Number => Type::Number,
            Function::Coalesce => {
                let mut types = arguments.iter().map(|argument| type_of(argument, inner));
                let first = types.next().unwrap_or(Type::Any);
                if types.all(|other| other == first) {
                    first
                } else {
                    Type::Any
                }
            }
        },
    }
}

fn measure_type(measure: &Measure) -> Type {
    match measure {
        Measure::Count
        | Measure::CountOf(_)
        | Measure::CountIf(_)
        | Measure::Sum(_)
        | Measure::Avg(_)
        | Measure::Stddev(_)
        | Measure::Distinct(_)
        | Measure::Rate(_) => Type::Number,
        Measure::Min(expr)
        | Measure::Max(expr)
        | Measure::Percentile(expr, _)
        | Measure::First(expr)
        | Measure::Last(expr) => type_of(expr, None),
        Measure::Top(..) => Type::Any,
    }
}

pub(super) fn type_name(kind: Type) -> &'static str {
    match kind {
        Type::Any => "anything",
        Type::Bool => "a condition",
        Type::Number => "a number",
        Type::Text => "a text",
        Type::Time => "a time",
        Type::Level => "a level",
    }
}

/// Whether a value of this type can stand where a number is wanted.
pub(super) fn may_be_number(expr: &Expr, kind: Type) -> bool {
    match (expr, kind) {
        (Expr::Literal(text @ Value::Text(_)), _) => text.as_number().is_some(),
        (_, Type::Any | Type::Number | Type::Text) => true,
        _ => false,
    }
}

/// Whether two values could ever be compared.
pub(super) fn may_compare(left: (&Expr, Type), right: (&Expr, Type)) -> bool {
    let fits = |text: &Expr, kind: Type| match text {
        Expr::Literal(Value::Text(bytes)) => match kind {
            Type::Number => Value::text(bytes).as_number().is_some(),
            Type::Bool => matches!(&***bytes, b"true" | b"false"),
            // Constants beside times and levels are times and levels by now.
            Type::Time | Type::Level => false,
            Type::Any | Type::Text => true,
        },
        _ => true,
    };
    match (left.1, right.1) {
        (Type::Any, _) | (_, Type::Any) => true,
        (Type::Text, kind) => fits(left.0, kind),
        (kind, Type::Text) => fits(right.0, kind),
        (left, right) => left == right,
    }
}
