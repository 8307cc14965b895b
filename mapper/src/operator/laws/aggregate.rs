//! The oracle of aggregates: lists of values by group, measured by plain loops.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jobspec::expr::{Column, Comparison, Expr, Function, Measure};
use jobspec::plan::{AggregatePlan, OperatorKind, Order};
use jobspec::value::{Time, Value};

use super::corpus::{Cell, Corpus, Event, FIELDS, Random, SERVICE, STATUS, TOOK, USER};
use super::{Case, field, is_inside, named, predicate, range};

#[derive(Clone, Copy)]
enum By {
    Field(usize),
    Bucket { width_ns: i64, step_ns: i64 },
}

#[derive(Clone, Copy, Debug)]
pub enum What {
    Count,
    CountOf,
    CountIf,
    Rate,
    Sum,
    Avg,
    Stddev,
    Min,
    Max,
    Percentile(f64),
    Distinct,
    Top(u32),
    First,
    Last,
}

/// The values as they are shown, and the entries.
type Group<'a> = (Vec<Cell>, Vec<&'a Event>);

pub fn case(random: &mut Random, corpus: &Corpus) -> Case {
    let (predicate, admits) = predicate(random);
    let range = range(random);
    let by = random.pick(&[
        &[][..],
        &[By::Field(SERVICE)],
        &[By::Field(STATUS), By::Field(USER)],
        &[By::Bucket {
            width_ns: 5_000_000_000,
            step_ns: 5_000_000_000,
        }],
        &[
            By::Bucket {
                width_ns: 7_000_000_000,
                step_ns: 2_000_000_000,
            },
            By::Field(SERVICE),
        ],
    ]);
    let whats = [
        What::Count,
        What::CountOf,
        What::CountIf,
        What::Rate,
        What::Sum,
        What::Avg,
        What::Stddev,
        What::Min,
        What::Max,
        What::Percentile(50.0),
        What::Percentile(random.below(101) as f64),
        What::Distinct,
        What::Top(1 + random.below(3) as u32),
        What::First,
        What::Last,
    ];
    let measures: Vec<(What, usize)> = (0..1 + random.below(5))
        .map(|_| match random.pick(&whats) {
            What::Stddev => (What::Stddev, random.pick(&[STATUS, USER])),
            what => (what, random.pick(&[TOOK, TOOK, STATUS, USER])),
        })
        .collect();

    let mut groups: BTreeMap<Vec<Option<String>>, Group> = BTreeMap::new();
    if by.is_empty() {
        groups.insert(Vec::new(), (Vec::new(), Vec::new()));
    }
    for event in corpus
        .events()
        .filter(|event| is_inside(&range, event) && admits(event))
    {
        for cells in group_cells(by, event) {
            let key = cells.iter().map(Cell::text).collect();
            let group = groups
                .entry(key)
                .or_insert_with(|| (cells.clone(), Vec::new()));
            for (shown, cell) in group.0.iter_mut().zip(cells) {
                if matches!(cell, Cell::Int(_) | Cell::Float(_)) {
                    *shown = cell;
                }
            }
            group.1.push(event);
        }
    }

    // Rows by their group, then by the order that is asked for: a stable sort keeps the first as tie-break.
    let at_least = random.one_in(3).then(|| random.below(4) as u64);
    let mut rows: Vec<Group> = groups.into_values().collect();
    rows.retain(|row| at_least.is_none_or(|least| row.1.len() as u64 >= least));
    rows.sort_by(|left, right| {
        let pairs = left.0.iter().zip(&right.0);
        pairs
            .map(|(left, right)| compare(left, right))
            .fold(Ordering::Equal, Ordering::then)
    });
    let descending = random.one_in(2);
    let order_by = random
        .one_in(2)
        .then(|| random.pick(&[What::Count, What::Max]));
    match order_by {
        Some(What::Count) if descending => rows.sort_by_key(|row| std::cmp::Reverse(row.1.len())),
        Some(What::Count) => rows.sort_by_key(|row| row.1.len()),
        Some(_) => rows.sort_by(|left, right| {
            let greatest = |row: &[&Event]| cells(row, TOOK).max_by(compare);
            match (greatest(&left.1), greatest(&right.1)) {
                (Some(left), Some(right)) if descending => compare(&right, &left),
                (Some(left), Some(right)) => compare(&left, &right),
                (left, right) => left.is_none().cmp(&right.is_none()),
            }
        }),
        None => {}
    }
    let limit = random.one_in(4).then(|| random.below(5) as u64);
    rows.truncate(limit.unwrap_or(u64::MAX).try_into().unwrap_or(usize::MAX));

    // The inner row: the group, the measures, and those that having and order need of their own.
    let mut inner: Vec<Measure> = measures
        .iter()
        .map(|(what, field)| measure(*what, *field))
        .collect();
    inner.push(Measure::Count);
    inner.push(Measure::Max(field(TOOK)));
    let output = |index: usize| Expr::Output(index as u16);
    let columns =
        (0..by.len() + measures.len()).map(|index| named(&format!("c{index}"), output(index)));
    let count_at = by.len() + measures.len();
    let plan = AggregatePlan {
        predicate,
        group: by.iter().map(|by| named("group", by.expr())).collect(),
        measures: inner,
        columns: columns.collect(),
        having: at_least.map(|least| Expr::Compare {
            operator: Comparison::GreaterOrEqual,
            left: Box::new(output(count_at)),
            right: Box::new(Expr::Literal(Value::Int(least.into()))),
        }),
        order: order_by
            .map(|what| Order {
                expr: output(if matches!(what, What::Count) {
                    count_at
                } else {
                    count_at + 1
                }),
                descending,
            })
            .into_iter()
            .collect(),
        limit,
        from_sql: false,
    };
    let rows = rows.iter().map(|(group, events)| {
        let values = group.iter().map(Cell::json);
        let values = values.chain(
            measures
                .iter()
                .map(|(what, field)| measured(*what, events, *field)),
        );
        let values = values
            .enumerate()
            .map(|(index, value)| format!("\"c{index}\":{value}"));
        format!("{{{}}}", values.collect::<Vec<_>>().join(","))
    });
    Case {
        range,
        rows: rows.collect(),
        kind: OperatorKind::Aggregate(plan),
    }
}

impl By {
    fn expr(self) -> Expr {
        match self {
            By::Field(index) => field(index),
            By::Bucket { width_ns, step_ns } => Expr::Call {
                function: Function::Bucket { width_ns, step_ns },
                arguments: vec![Expr::Column(Column::Time)],
            },
        }
    }
}

/// The groups that an entry belongs to: more than one where buckets slide.
fn group_cells(by: &[By], event: &Event) -> Vec<Vec<Cell>> {
    let mut groups = vec![Vec::new()];
    for by in by {
        let choices = match (by, event.time) {
            (By::Field(index), _) => vec![event.cells[*index].clone()],
            (By::Bucket { .. }, None) => vec![Cell::Null],
            (By::Bucket { width_ns, step_ns }, Some(time)) => {
                // Every start near it, one step at a time.
                let first = (time.ns - 2 * width_ns).div_euclid(*step_ns);
                (first..first + 50)
                    .map(|index| index * step_ns)
                    .filter(|start| *start <= time.ns && time.ns < start + width_ns)
                    .map(|start| Cell::Time(Time::from_ns(start)))
                    .collect()
            }
        };
        groups = groups
            .iter()
            .flat_map(|group: &Vec<Cell>| {
                choices
                    .iter()
                    .map(move |choice| [&group[..], std::slice::from_ref(choice)].concat())
            })
            .collect();
    }
    groups
}

pub fn measure(what: What, index: usize) -> Measure {
    let is_error = || Expr::Compare {
        operator: Comparison::Equal,
        left: Box::new(field(index)),
        right: Box::new(Expr::Literal(Value::Int(7))),
    };
    match what {
        What::Count => Measure::Count,
        What::CountOf => Measure::CountOf(field(index)),
        What::CountIf => Measure::CountIf(is_error()),
        What::Rate => Measure::Rate(is_error()),
        What::Sum => Measure::Sum(field(index)),
        What::Avg => Measure::Avg(field(index)),
        What::Stddev => Measure::Stddev(field(index)),
        What::Min => Measure::Min(field(index)),
        What::Max => Measure::Max(field(index)),
        What::Percentile(percent) => Measure::Percentile(field(index), percent),
        What::Distinct => Measure::Distinct(field(index)),
        What::Top(limit) => Measure::Top(field(index), limit),
        What::First => Measure::First(field(index)),
        What::Last => Measure::Last(field(index)),
    }
}

/// The values of a field that are not NULL.
fn cells<'a>(events: &'a [&Event], index: usize) -> impl Iterator<Item = Cell> + 'a {
    assert!(index < FIELDS.len());
    let cells = events.iter().map(move |event| event.cells[index].clone());
    cells.filter(|cell| cell.text().is_some())
}

pub fn measured(what: What, events: &[&Event], index: usize) -> String {
    let values = || cells(events, index);
    let numbers: Vec<f64> = values().filter_map(|cell| cell.number()).collect();
    let sevens = values().filter(|cell| cell.number() == Some(7.0)).count();
    let mut sorted: Vec<Cell> = values().collect();
    sorted.sort_by(compare);
    let at = |index: Option<usize>| {
        index
            .and_then(|index| sorted.get(index))
            .map_or("null".to_owned(), number_json)
    };
    match what {
        What::Count => events.len().to_string(),
        What::CountOf => sorted.len().to_string(),
        What::CountIf => sevens.to_string(),
        What::Rate if events.is_empty() => "null".to_owned(),
        What::Rate => Cell::Float(sevens as f64 / events.len() as f64).json(),
        What::Sum => exact_quotient(&numbers, 1),
        What::Avg => exact_quotient(&numbers, numbers.len() as i128),
        What::Stddev => stddev(&numbers),
        What::Min => at(Some(0)),
        What::Max => at(sorted.len().checked_sub(1)),
        What::Percentile(percent) => {
            // The least value that at least so many percent of the values do not exceed.
            let enough = |seen: &usize| *seen as f64 * 100.0 >= percent * sorted.len() as f64;
            at((1..=sorted.len()).find(enough).map(|seen| seen - 1))
        }
        What::Distinct => values()
            .filter_map(|cell| cell.text())
            .collect::<BTreeSet<_>>()
            .len()
            .to_string(),
        What::Top(limit) => {
            let mut counts: Vec<(Cell, usize)> = Vec::new();
            for cell in values() {
                match counts
                    .iter_mut()
                    .find(|(known, _)| known.text() == cell.text())
                {
                    Some(found) => {
                        found.1 += 1;
                        if matches!(cell, Cell::Int(_) | Cell::Float(_)) {
                            found.0 = cell;
                        }
                    }
                    None => counts.push((cell, 1)),
                }
            }
            counts.sort_by(|left, right| right.1.cmp(&left.1).then(compare(&left.0, &right.0)));
            let counts = counts.iter().take(limit as usize);
            let counts = counts
                .map(|(cell, count)| format!("{{\"value\":{},\"count\":{count}}}", cell.json()));
            format!("[{}]", counts.collect::<Vec<_>>().join(","))
        }
        What::First | What::Last => {
            let mut events: Vec<&&Event> = events
                .iter()
                .filter(|event| event.cells[index].text().is_some())
                .collect();
            events.sort_by_key(|event| event.place);
            let event = if matches!(what, What::First) {
                events.first()
            } else {
                events.last()
            };
            event.map_or("null".to_owned(), |event| event.cells[index].json())
        }
    }
}

/// Numbers first, a text that is one too; then times, texts by bytes, NULL.
fn compare(left: &Cell, right: &Cell) -> Ordering {
    let rank = |cell: &Cell| match (cell.number(), cell) {
        (Some(_), _) => 0,
        (None, Cell::Time(_)) => 1,
        (None, Cell::Text(_)) => 2,
        _ => 3,
    };
    let number = |cell: &Cell| cell.number().unwrap_or(0.0);
    rank(left)
        .cmp(&rank(right))
        .then(number(left).total_cmp(&number(right)))
        .then(left.text().cmp(&right.text()))
}

fn number_json(cell: &Cell) -> String {
    match cell.number() {
        Some(number) => Cell::Float(number).json(),
        None => cell.json(),
    }
}

/// The sum by a number, rounded once: all of these numbers are multiples of 2^-72 and their sum is below 2^30.
fn exact_quotient(numbers: &[f64], divisor: i128) -> String {
    if numbers.is_empty() {
        return "null".to_owned();
    }
    let unit = 2_f64.powi(72);
    let sum: i128 = numbers.iter().map(|number| (number * unit) as i128).sum();
    let dividend = sum.unsigned_abs() << 20;
    let divisor = divisor.unsigned_abs();
    // What the division leaves over is kept as a last bit, so that half a unit is not taken for a tie.
    let quotient = (dividend / divisor) | u128::from(!dividend.is_multiple_of(divisor));
    let magnitude = quotient as f64 / unit / 2_f64.powi(20);
    Cell::Float(if sum < 0 { -magnitude } else { magnitude }).json()
}

/// Of whole numbers alone, whose sums of squares are exact.
fn stddev(numbers: &[f64]) -> String {
    let count = numbers.len() as i128;
    if count < 2 {
        return "null".to_owned();
    }
    let sum: i128 = numbers.iter().map(|number| *number as i128).sum();
    let squares: i128 = numbers.iter().map(|number| (*number as i128).pow(2)).sum();
    let variance = (count * squares - sum * sum) as f64 / (count * (count - 1)) as f64;
    Cell::Float(variance.sqrt()).json()
}
