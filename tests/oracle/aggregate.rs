//! Aggregates: lists of entries by group, measured by plain loops.

use std::collections::BTreeMap;

use super::predicate::{Predicate, optional};
use super::select::by_value;
use super::world::SECOND_NS;
use super::{Cell, Entry, Facts, Question, Random, Time, json_text};

#[derive(Clone, Copy)]
enum By {
    Field(&'static str),
    /// In seconds.
    Bucket {
        width: i64,
        step: i64,
    },
}

/// What is asked of a list of entries.
#[derive(Clone, Debug)]
pub enum What {
    Count,
    CountOf(&'static str),
    CountIf(Predicate),
    Rate(Predicate),
    Sum(&'static str),
    Avg(&'static str),
    Stddev(&'static str),
    Min(&'static str),
    Max(&'static str),
    Median(&'static str),
    Percentile(&'static str, usize),
    Distinct(&'static str),
    Top(&'static str, usize),
    First(&'static str),
    Last(&'static str),
}

/// The values as they are shown, and the entries.
type Group<'a> = (Vec<Cell>, Vec<&'a Entry>);

pub fn question(random: &mut Random, facts: &Facts) -> Question {
    let (logs, facts) = facts.some_logs(random);
    let (condition, admits) = optional(random);
    let by = random.pick(&[
        vec![],
        vec![By::Field("user")],
        vec![By::Field("status"), By::Field("trace")],
        vec![By::Bucket { width: 5, step: 5 }],
        vec![By::Bucket { width: 7, step: 2 }, By::Field("user")],
    ]);
    let measures: Vec<What> = (0..1 + random.below(5))
        .map(|_| What::random(random))
        .collect();

    let mut groups: BTreeMap<Vec<Option<String>>, Group> = BTreeMap::new();
    if by.is_empty() {
        groups.insert(Vec::new(), (Vec::new(), Vec::new()));
    }
    let admitted = facts.entries();
    for entry in admitted.filter(|entry| facts.is_inside(entry) && admits(entry)) {
        for cells in group_cells(&by, entry) {
            let key = cells.iter().map(Cell::text).collect();
            let group = groups.entry(key);
            let group = group.or_insert_with(|| (cells.clone(), Vec::new()));
            for (shown, cell) in group.0.iter_mut().zip(cells) {
                if cell.is_number() {
                    *shown = cell;
                }
            }
            group.1.push(entry);
        }
    }

    let mut toml = format!("[aggregate.groups]\n{logs}{condition}");
    let columns = by.iter().enumerate();
    let columns = columns.map(|(index, by)| format!("g{index} = {}", json_text(&by.sql())));
    toml += &format!("group = {{ {} }}\n", columns.collect::<Vec<_>>().join(", "));
    let columns = measures.iter().enumerate();
    let columns = columns.map(|(index, what)| format!("c{index} = {}", json_text(&what.sql())));
    toml += &format!(
        "select = {{ {} }}\n",
        columns.collect::<Vec<_>>().join(", ")
    );

    // By group, then by the order that is asked for: a stable sort keeps the first as tie-break.
    let mut rows: Vec<Group> = groups.into_values().collect();
    if random.one_in(3) {
        let least = random.below(4);
        rows.retain(|(_, entries)| entries.len() >= least);
        toml += &format!("having = \"count(*) >= {least}\"\n");
    }
    rows.sort_by(|(left, _), (right, _)| {
        let mut pairs = left.iter().zip(right);
        let differ = pairs.find_map(|(left, right)| {
            let ordering = left.compare(right);
            ordering.is_ne().then_some(ordering)
        });
        differ.unwrap_or(std::cmp::Ordering::Equal)
    });
    if random.one_in(2) {
        let descending = random.one_in(2);
        let order = random.pick(&["count(*)", "max(n)"]);
        let direction = if descending { " DESC" } else { "" };
        toml += &format!("order = \"{order}{direction}\"\n");
        rows.sort_by(|(_, left), (_, right)| {
            let value = |entries: &[&Entry]| match order {
                "max(n)" => values(entries, "n").pop().unwrap_or(Cell::Null),
                _ => Cell::Int(entries.len() as i64),
            };
            by_value(&value(left), &value(right), descending)
        });
    }
    if random.one_in(4) {
        let limit = 1 + random.below(4);
        toml += &format!("limit = {limit}\n");
        rows.truncate(limit);
    }
    let rows = rows.iter().map(|(group, entries)| {
        let cells = group.iter().enumerate();
        let cells = cells.map(|(index, cell)| format!("\"g{index}\":{}", cell.json()));
        let figures = measures.iter().enumerate();
        let figures = figures.map(|(index, what)| format!("\"c{index}\":{}", what.of(entries)));
        let values: Vec<String> = cells.chain(figures).collect();
        format!("{{{}}}", values.join(","))
    });
    Question {
        name: "groups",
        rows: rows.collect(),
        toml,
    }
}

impl By {
    fn sql(self) -> String {
        match self {
            By::Field(field) => field.to_owned(),
            By::Bucket { width, step } if width == step => format!("bucket(time, '{width}s')"),
            By::Bucket { width, step } => format!("bucket(time, '{width}s', '{step}s')"),
        }
    }
}

/// The groups that an entry belongs to: more than one where buckets slide.
fn group_cells(by: &[By], entry: &Entry) -> Vec<Vec<Cell>> {
    let mut groups = vec![Vec::new()];
    for by in by {
        let choices: Vec<Cell> = match (by, entry.time) {
            (By::Field(field), _) => vec![entry.cell(field)],
            (By::Bucket { .. }, None) => vec![Cell::Null],
            (By::Bucket { width, step }, Some(time)) => {
                // Every start near it, one step at a time.
                let (width_ns, step_ns) = (width * SECOND_NS, step * SECOND_NS);
                let first = (time.ns - 2 * width_ns).div_euclid(step_ns);
                (first..first + 50)
                    .map(|index| index * step_ns)
                    .filter(|start| *start <= time.ns && time.ns < start + width_ns)
                    .map(|ns| Cell::Time(Time { ns, digits: 0 }))
                    .collect()
            }
        };
        let longer = groups.iter().flat_map(|group: &Vec<Cell>| {
            let choices = choices.iter();
            choices.map(move |choice| [&group[..], std::slice::from_ref(choice)].concat())
        });
        groups = longer.collect();
    }
    groups
}

impl What {
    pub fn random(random: &mut Random) -> What {
        let field = random.pick(&["n", "n", "status", "user"]);
        let percent = random.below(101);
        let most = 1 + random.below(3);
        match random.below(15) {
            0 => What::Count,
            1 => What::CountOf(field),
            2 => What::CountIf(Predicate::random(random)),
            3 => What::Rate(Predicate::random(random)),
            4 => What::Sum(field),
            5 => What::Avg(field),
            // Of whole numbers alone, whose sums of squares are exact.
            6 => What::Stddev(random.pick(&["status", "user"])),
            7 => What::Min(field),
            8 => What::Max(field),
            9 => What::Median(field),
            10 => What::Percentile(field, percent),
            11 => What::Distinct(field),
            12 => What::Top(field, most),
            13 => What::First(field),
            _ => What::Last(field),
        }
    }

    pub fn sql(&self) -> String {
        match self {
            What::Count => "count(*)".to_owned(),
            What::CountOf(field) => format!("count({field})"),
            What::CountIf(predicate) => format!("count_if({})", predicate.sql()),
            What::Rate(predicate) => format!("rate({})", predicate.sql()),
            What::Sum(field) => format!("sum({field})"),
            What::Avg(field) => format!("avg({field})"),
            What::Stddev(field) => format!("stddev({field})"),
            What::Min(field) => format!("min({field})"),
            What::Max(field) => format!("max({field})"),
            What::Median(field) => format!("median({field})"),
            What::Percentile(field, percent) => format!("percentile({field}, {percent})"),
            What::Distinct(field) => format!("distinct({field})"),
            What::Top(field, most) => format!("top({field}, {most})"),
            What::First(field) => format!("first({field})"),
            What::Last(field) => format!("last({field})"),
        }
    }

    /// As rows show it.
    pub fn of(&self, entries: &[&Entry]) -> String {
        let admitted = |predicate: &Predicate| {
            let entries = entries.iter();
            entries.filter(|entry| predicate.admits(entry)).count()
        };
        match self {
            What::Count => entries.len().to_string(),
            What::CountOf(field) => values(entries, field).len().to_string(),
            What::CountIf(predicate) => admitted(predicate).to_string(),
            What::Rate(_) if entries.is_empty() => "null".to_owned(),
            What::Rate(predicate) => {
                Cell::Float(admitted(predicate) as f64 / entries.len() as f64).json()
            }
            What::Sum(field) => exact_quotient(&numbers(entries, field), 1),
            What::Avg(field) => {
                let numbers = numbers(entries, field);
                exact_quotient(&numbers, numbers.len() as i128)
            }
            What::Stddev(field) => stddev(&numbers(entries, field)),
            What::Min(field) => nearest(&values(entries, field), 0),
            What::Max(field) => nearest(&values(entries, field), 100),
            What::Median(field) => nearest(&values(entries, field), 50),
            What::Percentile(field, percent) => nearest(&values(entries, field), *percent),
            What::Distinct(field) => {
                let mut texts: Vec<_> = values(entries, field).iter().map(Cell::text).collect();
                texts.sort();
                texts.dedup();
                texts.len().to_string()
            }
            What::Top(field, most) => top(entries, field, *most),
            What::First(field) | What::Last(field) => {
                let mut entries: Vec<&&Entry> = entries.iter().collect();
                entries.retain(|entry| entry.cell(field).text().is_some());
                entries.sort_by_key(|entry| entry.order());
                let entry = match self {
                    What::First(_) => entries.first(),
                    _ => entries.last(),
                };
                entry.map_or("null".to_owned(), |entry| entry.cell(field).json())
            }
        }
    }
}

/// The values of a field that are not NULL, sorted.
fn values(entries: &[&Entry], field: &str) -> Vec<Cell> {
    let cells = entries.iter().map(|entry| entry.cell(field));
    let mut cells: Vec<Cell> = cells.filter(|cell| cell.text().is_some()).collect();
    cells.sort_by(Cell::compare);
    cells
}

fn numbers(entries: &[&Entry], field: &str) -> Vec<f64> {
    values(entries, field)
        .iter()
        .filter_map(Cell::number)
        .collect()
}

/// The least value that at least so many percent of the values do not exceed. A text that is a number is that number.
fn nearest(sorted: &[Cell], percent: usize) -> String {
    let enough = |seen: &usize| seen * 100 >= percent * sorted.len();
    let found = (1..=sorted.len())
        .find(enough)
        .map(|seen| &sorted[seen - 1]);
    found.map_or("null".to_owned(), |cell| match cell.number() {
        Some(number) => Cell::Float(number).json(),
        None => cell.json(),
    })
}

fn top(entries: &[&Entry], field: &str, most: usize) -> String {
    let mut counts: Vec<(Cell, usize)> = Vec::new();
    for cell in values(entries, field) {
        match counts
            .iter_mut()
            .find(|(known, _)| known.text() == cell.text())
        {
            Some((known, count)) => {
                *count += 1;
                if cell.is_number() {
                    *known = cell;
                }
            }
            None => counts.push((cell, 1)),
        }
    }
    counts.sort_by(|(left, left_count), (right, right_count)| {
        right_count.cmp(left_count).then(left.compare(right))
    });
    let counts = counts.iter().take(most);
    let counts =
        counts.map(|(cell, count)| format!("{{\"value\":{},\"count\":{count}}}", cell.json()));
    format!("[{}]", counts.collect::<Vec<_>>().join(","))
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
