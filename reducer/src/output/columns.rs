//! What the plan tells of an operator's columns before any row has come: what a column holds, in which unit, and whether
//! rows are told apart by it. A file with types has the same ones every night then, and a chart knows its axes.

use jobspec::expr::{Column, Expr, Function, Measure};
use jobspec::plan::{OperatorKind, OperatorPlan, Plan, SessionKey};
use jobspec::value::Value;
use mapper::operator::OutputColumn;

/// One column of an operator's rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnPlan {
    pub name: String,
    /// None where only rows can tell.
    pub kind: Option<Kind>,
    pub unit: Unit,
    /// One of an aggregate's groups.
    pub is_group: bool,
}

/// What a column holds where the plan can tell. A row may still hold something else there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    /// A whole number.
    Count,
    Number,
    Time,
    Level,
    Text,
    /// A list or an object.
    Nested,
}

/// What a number counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    #[default]
    None,
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Bytes,
    /// From 0 to 1.
    Share,
}

impl Unit {
    /// As it stands behind a number.
    pub fn name(self) -> &'static str {
        match self {
            Unit::None => "",
            Unit::Nanoseconds => "ns",
            Unit::Microseconds => "µs",
            Unit::Milliseconds => "ms",
            Unit::Seconds => "s",
            Unit::Bytes => "B",
            Unit::Share => "share",
        }
    }

    /// The unit that a name ends in: `duration_ms`, `body_bytes`.
    fn of_name(name: &str) -> Unit {
        let last = name.rsplit(['_', '.']).next().unwrap_or(name);
        match last.to_ascii_lowercase().as_str() {
            "ns" | "nanos" | "nanoseconds" => Unit::Nanoseconds,
            "us" | "micros" | "microseconds" => Unit::Microseconds,
            "ms" | "millis" | "milliseconds" => Unit::Milliseconds,
            "s" | "sec" | "secs" | "seconds" => Unit::Seconds,
            "bytes" => Unit::Bytes,
            _ => Unit::None,
        }
    }
}

/// The columns of an operator, as the plan has them.
pub fn columns(plan: &Plan, operator: &OperatorPlan, output: &[OutputColumn]) -> Vec<ColumnPlan> {
    let known = output.iter().map(|column| ColumnPlan {
        name: column.name.clone(),
        kind: fixed(&operator.kind, &column.name),
        unit: Unit::of_name(&column.name),
        is_group: false,
    });
    let mut columns: Vec<ColumnPlan> = known.collect();
    let mut set = |name: &str, expr: &Expr, row: &InnerRow<'_>| {
        if let Some(column) = columns.iter_mut().find(|column| column.name == name) {
            column.kind = kind_of(expr, row);
            column.unit = match unit_of(expr, plan, row) {
                Unit::None => column.unit,
                unit => unit,
            };
            column.is_group =
                matches!(expr, Expr::Output(index) if usize::from(*index) < row.group.len());
        }
    };
    match &operator.kind {
        OperatorKind::Aggregate(aggregate) => {
            let row = InnerRow {
                group: aggregate.group.iter().map(|named| &named.expr).collect(),
                measures: &aggregate.measures,
            };
            for named in &aggregate.columns {
                set(&named.name, &named.expr, &row);
            }
        }
        OperatorKind::Session(session) => {
            let row = InnerRow {
                group: Vec::new(),
                measures: &session.measures,
            };
            for named in &session.select {
                set(&named.name, &named.expr, &row);
            }
        }
        OperatorKind::Select(select) => {
            let row = InnerRow {
                group: Vec::new(),
                measures: &[],
            };
            for named in select.columns.iter().flatten() {
                set(&named.name, &named.expr, &row);
            }
        }
        OperatorKind::Context(_)
        | OperatorKind::Sequence(_)
        | OperatorKind::Patterns(_)
        | OperatorKind::Anomaly(_) => {}
    }
    columns
}

/// The names of what tells the rows of a session or a sequence apart.
pub fn key_names(kind: &OperatorKind) -> Vec<&str> {
    let key = match kind {
        OperatorKind::Session(session) => match &session.key {
            SessionKey::By(key) => key,
            SessionKey::Link { ids, .. } => ids,
        },
        OperatorKind::Sequence(sequence) => &sequence.key,
        _ => return Vec::new(),
    };
    key.iter().map(|named| named.name.as_str()).collect()
}

/// A finished group, which `Expr::Output` reads: the group's values, then the measures.
struct InnerRow<'a> {
    group: Vec<&'a Expr>,
    measures: &'a [Measure],
}

impl InnerRow<'_> {
    fn measure(&self, index: u16) -> Option<&Measure> {
        self.measures
            .get(usize::from(index).checked_sub(self.group.len())?)
    }
}

/// The columns that every operator of a kind has.
fn fixed(kind: &OperatorKind, name: &str) -> Option<Kind> {
    let is_plain = matches!(
        kind,
        OperatorKind::Aggregate(_)
            | OperatorKind::Select(jobspec::plan::SelectPlan {
                columns: Some(_),
                ..
            })
    );
    if is_plain {
        return None;
    }
    Some(match name {
        "time" | "start" | "end" | "first" | "last" => Kind::Time,
        "host" | "log" | "file" | "raw" | "template" | "example" | "change" => Kind::Text,
        "offset" | "line" | "matches" | "entries" | "left_out" | "count" => match kind {
            // Of a context, the entries themselves.
            OperatorKind::Context(_) if name == "entries" => Kind::Nested,
            _ => Kind::Count,
        },
        "level" => Kind::Level,
        "valid" | "certain" | "continued" => Kind::Bool,
        "duration_ms" | "value" | "expected" | "score" => Kind::Number,
        "fields" | "key" | "ids" | "levels" | "hosts" | "logs" | "steps" | "timeline" => {
            Kind::Nested
        }
        _ => return None,
    })
}

fn kind_of(expr: &Expr, row: &InnerRow<'_>) -> Option<Kind> {
    Some(match expr {
        Expr::Literal(value) => match value {
            Value::Bool(_) => Kind::Bool,
            Value::Int(_) => Kind::Count,
            Value::Float(_) => Kind::Number,
            Value::Time(_) => Kind::Time,
            Value::Level(_) => Kind::Level,
            Value::Text(_) => Kind::Text,
            Value::Json(_) | Value::List(_) | Value::Object(_) => Kind::Nested,
            Value::Null => return None,
        },
        Expr::Column(column) => match column {
            Column::Time => Kind::Time,
            Column::Level => Kind::Level,
            Column::Raw | Column::Host | Column::File | Column::Log => Kind::Text,
            Column::Offset => Kind::Count,
            Column::Valid => Kind::Bool,
            Column::Message => return None,
        },
        Expr::Field(_) => return None,
        Expr::Output(index) => match row.group.get(usize::from(*index)) {
            Some(group) => return kind_of(group, row),
            None => return kind_of_measure(row.measure(*index)?, row),
        },
        Expr::Negate(_) | Expr::Arithmetic { .. } => Kind::Number,
        Expr::Not(_)
        | Expr::And(_)
        | Expr::Or(_)
        | Expr::Compare { .. }
        | Expr::Between { .. }
        | Expr::In { .. }
        | Expr::InSet { .. }
        | Expr::Like { .. }
        | Expr::Matches { .. }
        | Expr::IsNull(_) => Kind::Bool,
        Expr::Call {
            function,
            arguments,
        } => match function {
            Function::Search(_) | Function::Cidr { .. } | Function::Exists => Kind::Bool,
            Function::Extract { .. } | Function::Lower | Function::Upper => Kind::Text,
            Function::Bucket { .. } => Kind::Time,
            Function::Hour { .. } | Function::Weekday { .. } | Function::Length => Kind::Count,
            Function::Number => Kind::Number,
            Function::Coalesce => {
                let mut kinds = arguments.iter().map(|argument| kind_of(argument, row));
                let first = kinds.next()??;
                return kinds.all(|kind| kind == Some(first)).then_some(first);
            }
        },
    })
}

fn kind_of_measure(measure: &Measure, row: &InnerRow<'_>) -> Option<Kind> {
    match measure {
        Measure::Count | Measure::CountOf(_) | Measure::CountIf(_) | Measure::Distinct(_) => {
            Some(Kind::Count)
        }
        Measure::Sum(_) | Measure::Avg(_) | Measure::Stddev(_) | Measure::Rate(_) => {
            Some(Kind::Number)
        }
        // Of fields these are mostly numbers; where they are not, rows say so.
        Measure::Min(expr) | Measure::Max(expr) | Measure::Percentile(expr, _) => {
            kind_of(expr, row).or(Some(Kind::Number))
        }
        Measure::First(expr) | Measure::Last(expr) => kind_of(expr, row),
        Measure::Top(..) => Some(Kind::Nested),
    }
}

/// The unit of what an expression reads, where it keeps that.
fn unit_of(expr: &Expr, plan: &Plan, row: &InnerRow<'_>) -> Unit {
    match expr {
        Expr::Field(field) => plan
            .fields
            .get(usize::from(*field))
            .map_or(Unit::None, |path| Unit::of_name(&path.text)),
        Expr::Output(index) => match row.group.get(usize::from(*index)) {
            Some(group) => unit_of(group, plan, row),
            None => match row.measure(*index) {
                Some(
                    Measure::Sum(expr)
                    | Measure::Avg(expr)
                    | Measure::Min(expr)
                    | Measure::Max(expr)
                    | Measure::Stddev(expr)
                    | Measure::Percentile(expr, _)
                    | Measure::First(expr)
                    | Measure::Last(expr),
                ) => unit_of(expr, plan, row),
                Some(Measure::Rate(_)) => Unit::Share,
                _ => Unit::None,
            },
        },
        Expr::Negate(inner) => unit_of(inner, plan, row),
        Expr::Call {
            function: Function::Number | Function::Coalesce,
            arguments,
        } => arguments
            .first()
            .map_or(Unit::None, |argument| unit_of(argument, plan, row)),
        _ => Unit::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_the_ends_of_names() {
        for (name, unit) in [
            ("duration_ms", Unit::Milliseconds),
            ("ctx.took_us", Unit::Microseconds),
            ("bytes", Unit::Bytes),
            ("BODY_BYTES", Unit::Bytes),
            ("elapsed.seconds", Unit::Seconds),
            ("status", Unit::None),
            ("terms", Unit::None),
            ("", Unit::None),
        ] {
            assert_eq!(Unit::of_name(name), unit, "{name}");
        }
    }
}
