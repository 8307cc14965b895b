//! One operator of a report, as its kind is best read: charts of an aggregate, sessions and sequences over their hosts,
//! windows of a log, tables of all else. A section has its share of the page and ends with how many rows stand elsewhere.

use jobspec::plan::{AggregatePlan, OperatorKind};
use jobspec::value::{OwnedValue, Time, Value};
use maud::{Markup, html};

use super::chart;
use super::entries::lines;
use super::lanes::{Span, lanes, overview};
use super::links::{Links, entries, is_told, line_anchor, row_anchor, title};
use super::table::Table;
use crate::output::columns::{ColumnPlan, Kind};
use crate::output::digest::{KeptRow, OperatorDigest, list, member};
use crate::output::shown::{counted, day, duration, shown_line, shown_value, time_of_day};

/// Charts of an aggregate, and bars of one.
const CHARTS: usize = 4;
const BARS: usize = 15;
/// A table of so many rows is open under its charts.
const OPEN_ROWS: usize = 12;
/// A table of more scrolls in itself.
const TALL_ROWS: usize = 25;
/// Told rows that are open.
const OPEN_TOLD: usize = 2;

/// What else is known of an operator.
pub struct About {
    /// What its figures are where something is missing.
    pub figures: String,
    pub notes: Vec<String>,
    /// Where all of its rows are.
    pub file: Option<String>,
}

pub fn section(
    operator: &OperatorDigest<'_>,
    index: usize,
    about: &About,
    links: &Links,
    budget: usize,
) -> Markup {
    let id = format!("o{index}");
    let mut room = Room { left: budget };
    let body = match operator.kind {
        _ if operator.rows == 0 => html! { p.dim { "No rows." } },
        OperatorKind::Aggregate(plan) => aggregate(operator, plan, &id, about, links, &mut room),
        kind if is_told(kind) => told(operator, index, about, links, &mut room),
        _ => table(operator, about, links, &mut room),
    };
    html! {
        section.operator id=(id) aria-labelledby={ (id) "-name" } {
            header {
                h2 id={ (id) "-name" } { (operator.name) }
                span.dim {
                    (kind_of(operator.kind)) ", " (operator.rows) @if operator.rows == 1 { " row" } @else { " rows" }
                }
                @if about.figures != "complete" { span.bad { (about.figures) ": something is missing" } }
            }
            @for note in &about.notes { p.small.warn { (shown_line(note.as_bytes(), 400)) } }
            (body)
        }
    }
}

fn kind_of(kind: &OperatorKind) -> &'static str {
    match kind {
        OperatorKind::Aggregate(plan) if plan.from_sql => "query",
        OperatorKind::Select(plan) if plan.from_sql => "query",
        kind => kind.name(),
    }
}

/// Bytes that a section may still take.
struct Room {
    left: usize,
}

impl Room {
    /// The parts that fit, in order.
    fn take(&mut self, parts: impl Iterator<Item = Markup>) -> Vec<Markup> {
        let mut taken = Vec::new();
        for part in parts {
            if part.0.len() > self.left {
                break;
            }
            self.left -= part.0.len();
            taken.push(part);
        }
        taken
    }
}

/// How many rows are not shown, and where they are.
fn more(shown: usize, operator: &OperatorDigest<'_>, about: &About) -> Markup {
    let more = operator.rows.saturating_sub(shown as u64);
    html! {
        @if more > 0 {
            p.dim {
                (more) " more "
                @match &about.file {
                    Some(file) => { "in " a href=(file) { (file) } },
                    None => "that no file holds: formats = [\"jsonl\"] writes them",
                }
            }
        }
    }
}

fn table(operator: &OperatorDigest<'_>, about: &About, links: &Links, room: &mut Room) -> Markup {
    let table = Table::new(operator);
    let rows = room.take(operator.kept.iter().map(|kept| table.row(&kept.row, links)));
    html! {
        div.scroll.tall[rows.len() > TALL_ROWS] tabindex="0" role="region" aria-label={ "rows of " (operator.name) } {
            table.sorts {
                caption { (table.caption()) }
                (table.head())
                tbody { @for row in &rows { (row) } }
            }
        }
        (more(rows.len(), operator, about))
    }
}

fn aggregate(
    operator: &OperatorDigest<'_>,
    plan: &AggregatePlan,
    id: &str,
    about: &About,
    links: &Links,
    room: &mut Room,
) -> Markup {
    let charts = room.take(charts(operator, plan, id).into_iter());
    let rows = table(operator, about, links, room);
    html! {
        @if !charts.is_empty() { div.charts { @for chart in &charts { (chart) } } }
        @if let Some(points) = &operator.points && points.left_out > 0 && plan.limit.is_none() {
            p.small.warn { (points.left_out) " rows are in no chart: there are too many" }
        }
        @if charts.is_empty() || operator.rows <= OPEN_ROWS as u64 { (rows) } @else {
            details { summary { "The rows" } (rows) }
        }
    }
}

fn charts(operator: &OperatorDigest<'_>, plan: &AggregatePlan, id: &str) -> Vec<Markup> {
    let column = |index: usize| &operator.columns[index];
    // Of buckets that a limit has picked no line can be drawn.
    if let (Some(points), None) = (&operator.points, plan.limit) {
        let chosen = chart::chosen(points);
        let charts = points
            .measures
            .iter()
            .enumerate()
            .filter_map(|(measure, index)| {
                let id = format!("{id}-chart{measure}");
                chart::over_time(
                    points,
                    &chosen,
                    measure,
                    &column(*index).name,
                    column(*index).unit,
                    &id,
                )
            });
        return charts.take(CHARTS).collect();
    }
    let groups = || {
        operator
            .columns
            .iter()
            .enumerate()
            .filter(|(_, column)| column.is_group)
    };
    let is_drawn = |column: &ColumnPlan| {
        !column.is_group && matches!(column.kind, Some(Kind::Count | Kind::Number))
    };
    let mut measures = operator
        .columns
        .iter()
        .enumerate()
        .filter(|(_, column)| is_drawn(column));
    let (Some((measure, of)), true) = (measures.next(), operator.kept.len() > 1) else {
        return Vec::new();
    };
    let value = |kept: &KeptRow| kept.row[measure].as_f64();
    let id = format!("{id}-chart0");
    if let (Some((group, by)), None) = (groups().next(), groups().nth(1))
        && let Some(mut numbers) = numbers_of(operator, group, measure)
    {
        numbers.sort_by(|left, right| left.0.total_cmp(&right.0));
        return chart::histogram(&numbers, &of.name, of.unit, &by.name, &id)
            .into_iter()
            .collect();
    }
    let bars = operator.kept.iter().filter_map(|kept| {
        let names = groups().map(|(index, _)| match &kept.row[index] {
            Value::Null => "NULL".to_owned(),
            Value::Time(time) => time_of_day(time),
            value => shown_line(&value.to_text(), 60),
        });
        Some((names.collect::<Vec<_>>().join(" · "), value(kept)?))
    });
    let mut bars: Vec<(String, f64)> = bars.collect();
    if plan.order.is_empty() {
        bars.sort_by(|left, right| right.1.total_cmp(&left.1));
    }
    let title = match operator.rows > BARS as u64 {
        true if plan.order.is_empty() => {
            format!("{}: the greatest {BARS} of {}", of.name, operator.rows)
        }
        true => format!("{}: the first {BARS} of {}", of.name, operator.rows),
        false => of.name.clone(),
    };
    bars.truncate(BARS);
    chart::bars(&bars, &title, of.unit, &id)
        .into_iter()
        .collect()
}

/// The rows as numbers over numbers, if all are.
fn numbers_of(
    operator: &OperatorDigest<'_>,
    group: usize,
    measure: usize,
) -> Option<Vec<(f64, f64)>> {
    let rows = operator
        .kept
        .iter()
        .filter(|kept| !kept.row[group].is_null());
    let numbers = rows.map(|kept| match &kept.row[group] {
        Value::Int(_) | Value::Float(_) => {
            Some((kept.row[group].as_f64()?, kept.row[measure].as_f64()?))
        }
        _ => None,
    });
    let numbers: Option<Vec<_>> = numbers.collect();
    numbers.filter(|numbers| (2..=60).contains(&numbers.len()))
}

fn told(
    operator: &OperatorDigest<'_>,
    section: usize,
    about: &About,
    links: &Links,
    room: &mut Room,
) -> Markup {
    let is_window = matches!(operator.kind, OperatorKind::Context(_));
    let spans = spans(operator, section);
    let overview = (!is_window && spans.len() > 1).then(|| {
        overview(
            &spans,
            "From start to end; what failed is red, a click shows it",
            &format!("o{section}-all"),
        )
    });
    let overview = room.take(overview.flatten().into_iter());
    let mut left = room.left;
    let rows = operator.kept.iter().enumerate().map(|(index, kept)| {
        let part = told_row(operator, kept, section, index, links, left / 2);
        left = left.saturating_sub(part.0.len());
        part
    });
    let rows = room.take(rows);
    let shown = rows.len() as u64;
    html! {
        @for overview in &overview { (overview) }
        @if !is_window && shown < operator.rows { p.small.dim { "What failed comes first, then what took longest." } }
        @for row in &rows { (row) }
        (more(rows.len(), operator, about))
    }
}

fn spans(operator: &OperatorDigest<'_>, section: usize) -> Vec<Span> {
    let spans = operator
        .kept
        .iter()
        .enumerate()
        .filter_map(|(index, kept)| {
            let (Value::Time(start), Value::Time(end)) =
                (operator.value(kept, "start"), operator.value(kept, "end"))
            else {
                return None;
            };
            Some(Span {
                anchor: row_anchor(section, index),
                title: format!(
                    "{}: {} for {}",
                    title(operator, kept),
                    time_of_day(start),
                    took(operator, kept)
                ),
                start_ns: start.ns,
                end_ns: end.ns,
                is_failed: kept.is_failed(),
            })
        });
    let mut spans: Vec<Span> = spans.collect();
    spans.sort_by_key(|span| span.start_ns);
    spans
}

fn took(operator: &OperatorDigest<'_>, kept: &KeptRow) -> String {
    duration(operator.value(kept, "duration_ms").as_f64().unwrap_or(0.0))
}

fn told_row(
    operator: &OperatorDigest<'_>,
    kept: &KeptRow,
    section: usize,
    index: usize,
    links: &Links,
    budget: usize,
) -> Markup {
    let anchor = row_anchor(section, index);
    let value = |name: &str| operator.value(kept, name);
    let is_window = matches!(operator.kind, OperatorKind::Context(_));
    let entries = entries(operator, kept);
    let steps = step_names(operator, kept);
    let name = title(operator, kept);
    let lanes = (!is_window)
        .then(|| {
            lanes(
                &entries,
                &steps,
                &format!("entries of {name} by host"),
                &anchor,
            )
        })
        .flatten();
    let mut room = Room { left: budget };
    let lanes = room.take(lanes.into_iter());
    let shown = room.take(lines(&entries, &steps, links, &anchor, !is_window).into_iter());
    let left_out = entries.len() - shown.len();
    let related = links.of_row(operator, kept, &anchor);
    let certain = value("certain") != &Value::Bool(false);
    html! {
        details.told id=(anchor) open[index < OPEN_TOLD || (is_window && index < 4 * OPEN_TOLD)] {
            summary {
                span.key { (name) }
                @if let Value::Time(start) = value("start") { span { (day(start)) " " (time_of_day(start)) } }
                @if is_window {
                    @if let (Value::Time(start), Value::Time(end)) = (value("start"), value("end")) {
                        span.dim { (took_between(start, end)) }
                    }
                    @if let Value::Int(count) = value("matches") {
                        span { (counted(*count, "match", "matches")) " in " (counted(entry_count(&entries), "entry", "entries")) }
                    }
                } @else {
                    span { (took(operator, kept)) }
                    @if let Value::Int(count) = value("entries") { span.dim { (counted(*count, "entry", "entries")) } }
                    (levels(value("levels")))
                    span.dim { (shown_value(value("hosts"), 200)) }
                }
                @if !certain { span.warn { "uncertain" } }
                @if value("continued") == &Value::Bool(true) { span.dim { "goes on in the next row" } }
            }
            (figures(operator, kept))
            @for lanes in &lanes { (lanes) }
            @if !related.is_empty() {
                p.small {
                    "See also: "
                    @for (index, target) in related.iter().enumerate() {
                        @if index > 0 { "; " }
                        a href={ "#" (target.row) } { (target.label) }
                    }
                }
            }
            @if !shown.is_empty() { ol.lines { @for line in &shown { (line) } } }
            @if left_out > 0 { p.small.dim id=(line_anchor(&anchor, shown.len())) { (left_out) " more entries" } }
            @if let Value::Int(count) = value("left_out") {
                p.small.dim { (count) " entries between the first and the last are left out of the timeline" }
            }
        }
    }
}

fn entry_count(entries: &[&OwnedValue]) -> i128 {
    let count = |entry: &&OwnedValue| match entry {
        Value::Int(left_out) => *left_out,
        _ => 1,
    };
    entries.iter().map(count).sum()
}

fn took_between(start: &Time, end: &Time) -> String {
    duration(end.ns.saturating_sub(start.ns) as f64 / 1e6)
}

fn levels(levels: &OwnedValue) -> Markup {
    let Value::Object(levels) = levels else {
        return html! {};
    };
    html! {
        @for (name, count) in levels.iter().rev() {
            @if matches!(&**name, "WARN" | "ERROR" | "FATAL") {
                span.level.(name) { (name) " " (shown_value(count, 20)) }
            }
        }
    }
}

/// The columns of a session's own `select`, and all ids of a linked one.
fn figures(operator: &OperatorDigest<'_>, kept: &KeptRow) -> Markup {
    let OperatorKind::Session(plan) = operator.kind else {
        return html! {};
    };
    html! {
        @if !plan.select.is_empty() {
            dl.figures {
                @for named in &plan.select {
                    @let unit = operator.column(&named.name).map(|index| operator.columns[index].unit).unwrap_or_default();
                    div {
                        dt { (shown_line(named.name.as_bytes(), 80)) }
                        dd {
                            @match operator.value(kept, &named.name) {
                                Value::Null => "–",
                                value @ (Value::Int(_) | Value::Float(_)) => (chart::amount(value.as_f64().unwrap_or(0.0), unit)),
                                value => (shown_value(value, 200)),
                            }
                        }
                    }
                }
            }
        }
        @if let Value::Object(ids) = operator.value(kept, "ids") {
            p.small.dim {
                @for (index, (name, ids)) in ids.iter().enumerate() {
                    @if index > 0 { "; " }
                    (shown_line(name.as_bytes(), 80)) ": " code { (shown_value(ids, 400)) }
                }
            }
        }
    }
}

/// The step of every entry that a sequence shows.
fn step_names(operator: &OperatorDigest<'_>, kept: &KeptRow) -> Vec<String> {
    if !matches!(operator.kind, OperatorKind::Sequence(_)) {
        return Vec::new();
    }
    let steps = list(operator.value(kept, "steps")).iter();
    steps
        .flat_map(|step| {
            let name = member(step, "name").map_or(String::new(), |name| shown_value(name, 60));
            let count = member(step, "entries").map_or(0, |entries| list(entries).len());
            std::iter::repeat_n(name, count)
        })
        .collect()
}
