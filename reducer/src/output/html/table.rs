//! Rows as a table that a script may sort and everybody may read without it.

use jobspec::value::{OwnedValue, Value};
use maud::{Markup, html};

use super::links::Links;
use crate::output::columns::{ColumnPlan, Kind, Unit};
use crate::output::digest::OperatorDigest;
use crate::output::shown::{day, shown, shown_line, shown_value, time_of_day};

/// Of a cell so much is shown at once, and so much where it is opened.
const CELL_BYTES: usize = 140;
const OPENED_BYTES: usize = 1_500;
/// A cell of more than this is broken into lines.
const LONG_BYTES: usize = 48;

/// Columns that stand in every row for a machine, and only take a person's room here.
const HIDDEN: [&str; 3] = ["fields", "raw", "offset"];

/// What all tables of a report share: which columns are shown, and how their cells look.
pub struct Table<'a> {
    operator: &'a OperatorDigest<'a>,
    /// By index into the row.
    shown: Vec<usize>,
    /// The day that all times lie in, so that cells have the time alone.
    day: Option<String>,
    numbers: Vec<bool>,
}

impl<'a> Table<'a> {
    pub fn new(operator: &'a OperatorDigest<'a>) -> Table<'a> {
        let is_entry = operator.column("raw").is_some() && operator.column("fields").is_some();
        let has_values = |index: usize| operator.kept.iter().any(|kept| !kept.row[index].is_null());
        let shown = operator
            .columns
            .iter()
            .enumerate()
            .filter(|(index, column)| {
                !(is_entry && HIDDEN.contains(&column.name.as_str()))
                    && (has_values(*index) || !is_entry || column.is_group)
            });
        let numbers = (0..operator.columns.len()).map(|index| {
            let mut values = operator
                .kept
                .iter()
                .map(|kept| &kept.row[index])
                .filter(|value| !value.is_null())
                .peekable();
            values.peek().is_some()
                && values.all(|value| matches!(value, Value::Int(_) | Value::Float(_)))
        });
        let mut days = operator
            .kept
            .iter()
            .flat_map(|kept| &kept.row)
            .filter_map(|value| match value {
                Value::Time(time) => Some(day(time)),
                _ => None,
            });
        let first = days.next();
        Table {
            operator,
            shown: shown.map(|(index, _)| index).collect(),
            day: first.filter(|first| days.all(|day| day == *first)),
            numbers: numbers.collect(),
        }
    }

    pub fn caption(&self) -> String {
        let operator = self.operator;
        let shown = operator.kept.len() as u64;
        let rows = match shown == operator.rows {
            true => format!("{} rows", operator.rows),
            false => format!("the first {shown} of {} rows", operator.rows),
        };
        match &self.day {
            Some(day) => format!("{rows}; times are UTC on {day}"),
            None => format!("{rows}; times are UTC"),
        }
    }

    pub fn head(&self) -> Markup {
        html! {
            thead {
                tr {
                    @for index in &self.shown {
                        @let column = &self.operator.columns[*index];
                        th scope="col" class=[self.numbers[*index].then_some("number")] {
                            (shown_line(column.name.as_bytes(), 80)) (unit(column))
                        }
                    }
                }
            }
        }
    }

    pub fn row(&self, row: &[OwnedValue], links: &Links) -> Markup {
        html! {
            tr {
                @for index in &self.shown {
                    (self.cell(&self.operator.columns[*index], &row[*index], self.numbers[*index], links))
                }
            }
        }
    }

    fn cell(
        &self,
        column: &ColumnPlan,
        value: &OwnedValue,
        is_number: bool,
        links: &Links,
    ) -> Markup {
        let target = links.of_cell(&column.name, value);
        let inner = match value {
            Value::Null => html! {},
            Value::Time(time) => html! {
                time datetime=(time) {
                    @if self.day.is_none() { (day(time)) " " }
                    (time_of_day(time))
                }
            },
            Value::Level(level) => html! { span.level.(level.name()) { (level.name()) } },
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => {
                html! { (shown_line(&value.to_text(), 400)) }
            }
            Value::List(_) | Value::Object(_) => html! { (shown_value(value, 600)) },
            Value::Text(text) | Value::Json(text) => {
                let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
                if first.len() < text.len() || first.len() > CELL_BYTES {
                    return html! {
                        td.long {
                            details {
                                summary { (beginning(first)) }
                                pre { (shown(text, OPENED_BYTES)) }
                            }
                        }
                    };
                }
                html! { (shown(text, CELL_BYTES)) }
            }
        };
        // What is short stands on one line: an id that is broken up is hard to read.
        let is_text = matches!(
            value,
            Value::Text(_) | Value::Json(_) | Value::List(_) | Value::Object(_)
        );
        let is_long = is_text && inner.0.len() > LONG_BYTES;
        let class = match (is_number, is_long) {
            (true, _) => Some("number"),
            (false, true) => Some("long"),
            (false, false) => None,
        };
        html! {
            td class=[class] {
                @match target {
                    Some(target) => a href={ "#" (target.anchor) } title=(target.label) { (inner) },
                    None => (inner),
                }
            }
        }
    }
}

/// The beginning of a line that can be opened.
fn beginning(line: &[u8]) -> String {
    match line.len() > CELL_BYTES {
        true => {
            let text = shown(&line[..CELL_BYTES], CELL_BYTES);
            format!("{}…", text.trim_end_matches('\u{fffd}'))
        }
        false => format!("{} …", shown(line, CELL_BYTES)),
    }
}

fn unit(column: &ColumnPlan) -> Markup {
    let is_said = column
        .name
        .to_ascii_lowercase()
        .ends_with(column.unit.name());
    html! {
        @if column.unit != Unit::None && !is_said && column.kind != Some(Kind::Text) {
            " (" (column.unit.name()) ")"
        }
    }
}
