//! What operators measure over the entries of a group: a small partial for each aggregate function.
//!
//! Every partial depends on the multiset of values alone (first and last on the order of entries), so merging is
//! commutative and a result never tells how the entries were cut. Measures that need the same partial of the same
//! expression share it: p50, p95 and p99 of a field keep its values once.

mod count;
mod distinct;
mod exact;
mod extent;
pub mod hash;
mod percentile;
mod sketch;
mod stddev;
pub mod sum;
mod top;

use std::cmp::Ordering;
use std::io::Write;
use std::mem::discriminant;
use std::ops::Range;

use jobspec::expr::{Expr, Measure, Misfits, Row};
use jobspec::value::{Number, OwnedValue, Value, digits};
use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use self::count::Count;
use self::distinct::Distinct;
use self::extent::{Edge, Extreme};
use self::percentile::Percentiles;
use self::stddev::Stddev;
use self::sum::Sum;
use self::top::Top;
use crate::entry::Place;

/// The state of one slot. Small, as there are many: all but counts lie elsewhere.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum MeasurePartial {
    Count(Count),
    Sum(Box<Sum>),
    Extreme(Box<Extreme>),
    Edge(Edge),
    Stddev(Box<Stddev>),
    Percentiles(Percentiles),
    Distinct(Box<Distinct>),
    Top(Box<Top>),
}

/// The partials of a group: mostly one.
pub type Partials = SmallVec<[MeasurePartial; 1]>;

/// The measures of an operator, compiled: what is evaluated, what is kept of it, what is made of that.
#[derive(Clone, Debug)]
pub struct Measures {
    arguments: Vec<Argument>,
    slots: Vec<Slot>,
    results: usize,
}

/// An expression, once, and the slots that take its value.
#[derive(Clone, Debug)]
struct Argument {
    /// None is `count(*)`.
    expr: Option<Expr>,
    slots: Range<usize>,
    /// Whether a number is all that its slots have to see.
    takes_numbers: bool,
    /// Whether it is a condition, and its slots only count where that holds.
    is_condition: bool,
}

impl Argument {
    fn value<'a, R: Row + ?Sized>(&'a self, row: &'a R, misfits: &Misfits) -> Value<'a> {
        self.expr
            .as_ref()
            .map_or(Value::Null, |expr| expr.eval(row, misfits))
    }
}

#[derive(Clone, Debug)]
struct Slot {
    kind: SlotKind,
    /// What is made of it in the end, and which measure that is.
    results: Vec<(usize, Finish)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SlotKind {
    Count,
    CountOf,
    CountIf,
    Sum,
    Min,
    Max,
    First,
    Last,
    Stddev,
    Percentiles,
    Distinct,
    Top,
}

#[derive(Clone, Copy, Debug)]
enum Finish {
    Value,
    Avg,
    Rate,
    Percentile(f64),
    Top(u32),
}

fn kind_and_finish(measure: &Measure) -> (SlotKind, Finish) {
    match measure {
        Measure::Count => (SlotKind::Count, Finish::Value),
        Measure::CountOf(_) => (SlotKind::CountOf, Finish::Value),
        Measure::CountIf(_) => (SlotKind::CountIf, Finish::Value),
        Measure::Rate(_) => (SlotKind::CountIf, Finish::Rate),
        Measure::Sum(_) => (SlotKind::Sum, Finish::Value),
        Measure::Avg(_) => (SlotKind::Sum, Finish::Avg),
        Measure::Min(_) => (SlotKind::Min, Finish::Value),
        Measure::Max(_) => (SlotKind::Max, Finish::Value),
        Measure::First(_) => (SlotKind::First, Finish::Value),
        Measure::Last(_) => (SlotKind::Last, Finish::Value),
        Measure::Stddev(_) => (SlotKind::Stddev, Finish::Value),
        Measure::Percentile(_, percent) => (SlotKind::Percentiles, Finish::Percentile(*percent)),
        Measure::Distinct(_) => (SlotKind::Distinct, Finish::Value),
        Measure::Top(_, limit) => (SlotKind::Top, Finish::Top(*limit)),
    }
}

impl Measures {
    pub fn new(measures: &[Measure]) -> Measures {
        let mut arguments: Vec<(Option<&Expr>, Vec<Slot>)> = Vec::new();
        for (index, measure) in measures.iter().enumerate() {
            let (kind, finish) = kind_and_finish(measure);
            let argument = measure.argument();
            let at = arguments.iter().position(|(known, _)| *known == argument);
            let at = at.unwrap_or_else(|| {
                arguments.push((argument, Vec::new()));
                arguments.len() - 1
            });
            let slots = &mut arguments[at].1;
            match slots.iter_mut().find(|slot| slot.kind == kind) {
                Some(slot) => slot.results.push((index, finish)),
                None => slots.push(Slot {
                    kind,
                    results: vec![(index, finish)],
                }),
            }
        }
        let mut compiled = Measures {
            arguments: Vec::new(),
            slots: Vec::new(),
            results: measures.len(),
        };
        for (argument, slots) in arguments {
            let start = compiled.slots.len();
            let takes_numbers = slots.iter().all(|slot| slot.kind.takes_numbers());
            let counts_hits = slots.iter().all(|slot| slot.kind == SlotKind::CountIf);
            compiled.slots.extend(slots);
            compiled.arguments.push(Argument {
                expr: argument.cloned(),
                slots: start..compiled.slots.len(),
                takes_numbers,
                is_condition: counts_hits && argument.is_some_and(Expr::is_condition),
            });
        }
        compiled
    }

    /// Whether all of them only count: their partials hold nothing elsewhere.
    pub fn are_counts(&self) -> bool {
        let is_count = |slot: &Slot| matches!(slot.kind.empty(), MeasurePartial::Count(_));
        self.slots.iter().all(is_count)
    }

    /// Whether all of them count entries, whatever these hold.
    pub fn count_entries(&self) -> bool {
        self.arguments
            .iter()
            .all(|argument| argument.expr.is_none())
    }

    pub fn empty(&self) -> Partials {
        self.empties().collect()
    }

    /// Appends what `empty` gives.
    pub fn push_empty(&self, partials: &mut Vec<MeasurePartial>) {
        partials.extend(self.empties());
    }

    fn empties(&self) -> impl Iterator<Item = MeasurePartial> {
        self.slots.iter().map(|slot| slot.kind.empty())
    }

    /// Whether the partials are of these measures: to be asked of whatever came from outside.
    pub fn accepts(&self, partials: &[MeasurePartial]) -> bool {
        partials.len() == self.slots.len()
            && self.slots.iter().zip(partials).all(|(slot, partial)| {
                discriminant(&slot.kind.empty()) == discriminant(partial) && partial.is_sound()
            })
    }

    pub fn add<R: Row + ?Sized>(
        &self,
        partials: &mut [MeasurePartial],
        row: &R,
        place: &Place,
        misfits: &Misfits,
    ) {
        for argument in &self.arguments {
            match &argument.expr {
                None => {
                    for partial in &mut partials[argument.slots.clone()] {
                        partial.count(true);
                    }
                }
                Some(Expr::Field(field))
                    if argument.takes_numbers
                        && let Some(number) = row.number(*field) =>
                {
                    for partial in &mut partials[argument.slots.clone()] {
                        partial.add_number(number);
                    }
                }
                Some(condition) if argument.is_condition => {
                    let hit = condition.holds(row, misfits);
                    for partial in &mut partials[argument.slots.clone()] {
                        partial.count(hit);
                    }
                }
                Some(expr) => {
                    let value = expr.eval(row, misfits);
                    self.add_value(partials, argument, &value, place, misfits);
                }
            }
        }
    }

    /// What `add` would take of a row, for `add_values` at another time; misfits are counted here.
    pub fn values<R: Row + ?Sized>(&self, row: &R, misfits: &Misfits) -> Box<[OwnedValue]> {
        let value = |argument: &Argument| {
            let value = argument.value(row, misfits);
            let numeric = self.slots[argument.slots.clone()]
                .iter()
                .filter(|slot| slot.kind.is_numeric());
            if !value.is_null() && value.as_number().is_none() {
                misfits.0.set(misfits.0.get() + numeric.count() as u64);
            }
            to_owned(&value)
        };
        self.arguments.iter().map(value).collect()
    }

    pub fn accepts_values(&self, values: &[OwnedValue]) -> bool {
        values.len() == self.arguments.len() && values.iter().all(is_sound)
    }

    pub fn add_values(
        &self,
        partials: &mut [MeasurePartial],
        values: &[OwnedValue],
        place: &Place,
    ) {
        let counted = Misfits::default();
        for (argument, value) in self.arguments.iter().zip(values) {
            self.add_value(partials, argument, value, place, &counted);
        }
    }

    fn add_value(
        &self,
        partials: &mut [MeasurePartial],
        argument: &Argument,
        value: &Value<'_>,
        place: &Place,
        misfits: &Misfits,
    ) {
        let slots = argument.slots.clone();
        for (slot, partial) in self.slots[slots.clone()].iter().zip(&mut partials[slots]) {
            partial.add(slot.kind, value, place, misfits);
        }
    }

    /// Commutative, and associative.
    pub fn merge(
        &self,
        left: &mut [MeasurePartial],
        right: impl IntoIterator<Item = MeasurePartial>,
    ) {
        for ((slot, left), right) in self.slots.iter().zip(left).zip(right) {
            left.merge(slot.kind, right);
        }
    }

    /// How many values `finish` gives.
    pub fn results(&self) -> usize {
        self.results
    }

    /// Appends the value of every measure, in the order of the plan.
    pub fn finish(&self, partials: Partials, values: &mut Vec<Value<'_>>) {
        let start = values.len();
        values.resize(start + self.results, Value::Null);
        for (slot, partial) in self.slots.iter().zip(partials) {
            slot.finish(partial, &mut values[start..]);
        }
    }
}

impl SlotKind {
    fn empty(self) -> MeasurePartial {
        match self {
            SlotKind::Count | SlotKind::CountOf | SlotKind::CountIf => {
                MeasurePartial::Count(Count::default())
            }
            SlotKind::Sum => MeasurePartial::Sum(Box::default()),
            SlotKind::Min | SlotKind::Max => MeasurePartial::Extreme(Box::default()),
            SlotKind::First | SlotKind::Last => MeasurePartial::Edge(Edge::default()),
            SlotKind::Stddev => MeasurePartial::Stddev(Box::default()),
            SlotKind::Percentiles => MeasurePartial::Percentiles(Percentiles::default()),
            SlotKind::Distinct => MeasurePartial::Distinct(Box::default()),
            SlotKind::Top => MeasurePartial::Top(Box::default()),
        }
    }

    /// Whether it takes numbers alone.
    fn is_numeric(self) -> bool {
        matches!(self, SlotKind::Sum | SlotKind::Stddev)
    }

    /// Whether a number is taken as such.
    fn takes_numbers(self) -> bool {
        self.is_numeric() || matches!(self, SlotKind::CountOf | SlotKind::Percentiles)
    }

    /// How a better value or place compares with the one that is held.
    fn wanted(self) -> Ordering {
        match self {
            SlotKind::Max | SlotKind::Last => Ordering::Greater,
            _ => Ordering::Less,
        }
    }
}

impl MeasurePartial {
    fn add(&mut self, kind: SlotKind, value: &Value<'_>, place: &Place, misfits: &Misfits) {
        if let MeasurePartial::Count(count) = self {
            return count.add(match kind {
                SlotKind::CountIf => *value == Value::Bool(true),
                SlotKind::CountOf => !value.is_null(),
                _ => true,
            });
        }
        if value.is_null() {
            return;
        }
        match self {
            MeasurePartial::Count(_) => {}
            MeasurePartial::Sum(sum) => {
                with_number(value, misfits, |number| sum.add(number));
            }
            MeasurePartial::Stddev(stddev) => {
                with_number(value, misfits, |number| stddev.add(number));
            }
            MeasurePartial::Extreme(extreme) => extreme.add(value, kind.wanted()),
            MeasurePartial::Edge(edge) => edge.add(place, value, kind.wanted()),
            MeasurePartial::Percentiles(percentiles) => percentiles.add(value),
            MeasurePartial::Distinct(distinct) => with_text(value, |text| distinct.add(text)),
            MeasurePartial::Top(top) => with_text(value, |text| top.add(text, value)),
        }
    }

    /// As `add`, where an entry counts or does not, and nothing else is to be seen.
    #[inline]
    pub fn count(&mut self, hit: bool) {
        match self {
            MeasurePartial::Count(count) => count.add(hit),
            _ => debug_assert!(false, "it takes values"),
        }
    }

    /// As `add`, where a number is all that is to be seen.
    #[inline]
    fn add_number(&mut self, number: Number) {
        match self {
            MeasurePartial::Count(count) => count.add(true),
            MeasurePartial::Sum(sum) => sum.add(number),
            MeasurePartial::Stddev(stddev) => stddev.add(number),
            MeasurePartial::Percentiles(percentiles) => percentiles.add_number(number),
            _ => debug_assert!(false, "it takes values"),
        }
    }

    fn merge(&mut self, kind: SlotKind, other: MeasurePartial) {
        use MeasurePartial::*;
        match (self, other) {
            (Count(left), Count(right)) => left.merge(right),
            (Sum(left), Sum(right)) => left.merge(*right),
            (Extreme(left), Extreme(right)) => left.merge(*right, kind.wanted()),
            (Edge(left), Edge(right)) => left.merge(right, kind.wanted()),
            (Stddev(left), Stddev(right)) => left.merge(*right),
            (Percentiles(left), Percentiles(right)) => left.merge(right),
            (Distinct(left), Distinct(right)) => left.merge(*right),
            (Top(left), Top(right)) => left.merge(*right),
            // `accepts` has refused it where it came in.
            (
                Count(_) | Sum(_) | Extreme(_) | Edge(_) | Stddev(_) | Percentiles(_) | Distinct(_)
                | Top(_),
                _,
            ) => debug_assert!(false, "partials of two kinds in one slot"),
        }
    }
}

impl MeasurePartial {
    /// Whether every value is one that could have been made here: what was decoded may be anything.
    fn is_sound(&self) -> bool {
        match self {
            MeasurePartial::Extreme(extreme) => is_sound(extreme.held()),
            MeasurePartial::Edge(edge) => edge.held().is_none_or(|(_, value)| is_sound(value)),
            MeasurePartial::Percentiles(percentiles) => percentiles.is_sound(),
            MeasurePartial::Top(top) => top.is_sound(),
            // These hold numbers alone, or were checked as they were decoded.
            MeasurePartial::Count(_)
            | MeasurePartial::Sum(_)
            | MeasurePartial::Stddev(_)
            | MeasurePartial::Distinct(_) => true,
        }
    }

    /// What it is, leaving nothing behind: an empty count, whatever its kind.
    pub fn take(&mut self) -> MeasurePartial {
        std::mem::replace(self, MeasurePartial::Count(Count::default()))
    }

    /// About so many bytes of memory.
    pub fn bytes(&self) -> usize {
        size_of::<MeasurePartial>() + self.bytes_elsewhere()
    }

    /// Beyond its own.
    pub fn bytes_elsewhere(&self) -> usize {
        match self {
            MeasurePartial::Count(_) => 0,
            MeasurePartial::Sum(_) => 96,
            MeasurePartial::Stddev(_) => 160,
            MeasurePartial::Extreme(extreme) => 16 + value_bytes(extreme.held()),
            MeasurePartial::Edge(edge) => {
                edge.held().map_or(0, |(_, value)| 48 + value_bytes(value))
            }
            MeasurePartial::Percentiles(percentiles) => percentiles.bytes(),
            MeasurePartial::Distinct(distinct) => distinct.bytes(),
            MeasurePartial::Top(top) => top.bytes(),
        }
    }
}

impl Slot {
    fn finish(&self, partial: MeasurePartial, values: &mut [Value<'_>]) {
        let value = match partial {
            MeasurePartial::Percentiles(percentiles) => {
                let wanted: Vec<f64> = self
                    .results
                    .iter()
                    .map(|(_, finish)| match finish {
                        Finish::Percentile(percent) => *percent,
                        _ => 0.0,
                    })
                    .collect();
                let found = percentiles.percentiles(&wanted);
                for ((index, _), value) in self.results.iter().zip(found) {
                    values[*index] = value;
                }
                return;
            }
            MeasurePartial::Top(top) => {
                let most = self.results.iter().map(|(_, finish)| match finish {
                    Finish::Top(limit) => *limit as usize,
                    _ => 0,
                });
                top.top(most.max().unwrap_or(0))
            }
            MeasurePartial::Count(count) => {
                for (index, finish) in &self.results {
                    values[*index] = match finish {
                        Finish::Rate => count.rate(),
                        _ => count.count(),
                    };
                }
                return;
            }
            MeasurePartial::Sum(sum) => {
                for (index, finish) in &self.results {
                    values[*index] = match finish {
                        Finish::Avg => sum.avg(),
                        _ => sum.sum(),
                    };
                }
                return;
            }
            MeasurePartial::Extreme(extreme) => extreme.value(),
            MeasurePartial::Edge(edge) => edge.value(),
            MeasurePartial::Stddev(stddev) => stddev.stddev(),
            MeasurePartial::Distinct(distinct) => Value::Int(distinct.count().into()),
        };
        for (index, finish) in &self.results {
            values[*index] = match (finish, &value) {
                (Finish::Top(limit), Value::List(list)) => {
                    Value::List(list.iter().take(*limit as usize).cloned().collect())
                }
                _ => value.clone(),
            };
        }
    }
}

/// Whether a value that came from elsewhere is one that an entry could have. Whether JSON is JSON is
/// seen to where it is shown.
pub fn is_sound(value: &OwnedValue) -> bool {
    match value {
        Value::Float(number) => number.is_finite(),
        Value::List(_) | Value::Object(_) => false,
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Time(_)
        | Value::Level(_)
        | Value::Text(_)
        | Value::Json(_) => true,
    }
}

/// About so many bytes of memory.
pub fn value_bytes(value: &OwnedValue) -> usize {
    let text = match value {
        Value::Text(text) | Value::Json(text) => text.len(),
        _ => 0,
    };
    size_of::<OwnedValue>() + text
}

/// A copy that borrows nothing.
pub fn to_owned(value: &Value<'_>) -> OwnedValue {
    value.borrowed().into_owned()
}

/// A text that is a number as that number, all else as it is.
fn number_form<'a>(value: &'a Value<'_>) -> Value<'a> {
    value.as_number().unwrap_or_else(|| value.borrowed())
}

/// Of two values with one text the plainer is shown: the number 200 rather than the text "200".
pub fn plainer(held: &mut OwnedValue, value: &Value<'_>) {
    if !same_kind(held, value) && value.total_cmp(held).is_lt() {
        *held = to_owned(value);
    }
}

pub fn same_kind<'a>(left: &Value<'a>, right: &Value<'a>) -> bool {
    discriminant(left) == discriminant(right)
}

/// Calls with the value as a number; any other value counts as a misfit.
fn with_number(value: &Value<'_>, misfits: &Misfits, mut call: impl FnMut(Number)) {
    match value.number() {
        Some(number) => call(number),
        None => misfits.0.set(misfits.0.get() + 1),
    }
}

/// Calls with the value's text, by which values are told apart; no allocation for texts and whole numbers.
pub fn with_text(value: &Value<'_>, call: impl FnOnce(&[u8])) {
    let mut scratch = [0_u8; 48];
    match value {
        Value::Text(text) | Value::Json(text) => call(text),
        // Formatting is slow, and most whole numbers are small.
        Value::Int(number @ 0..1_000_000_000_000) => {
            call(digits(*number as u64, &mut [0; 20]));
        }
        Value::Int(number) => {
            let mut rest = &mut scratch[..];
            // A sign and 39 digits at most.
            let _ = write!(rest, "{number}");
            let length = 48 - rest.len();
            call(&scratch[..length]);
        }
        _ => call(&value.to_text()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Place;

    #[test]
    fn what_a_partial_holds_is_counted() {
        let text = "x".repeat(1000);
        let kinds = [
            (SlotKind::Min, 1000),
            (SlotKind::Last, 1000),
            (SlotKind::Distinct, 8 * 50),
            (SlotKind::Percentiles, 50 * 1000),
            (SlotKind::Top, 50 * 1000),
        ];
        let misfits = Misfits::default();
        for (kind, least) in kinds {
            let mut partial = kind.empty();
            let empty = partial.bytes();
            for index in 0..50 {
                let place = Place {
                    time_ns: index,
                    host: 0,
                    log: 0,
                    stream: 0,
                    file: 0,
                    offset: 0,
                };
                let value = Value::owned_text(format!("{text}{index}"));
                partial.add(kind, &value, &place, &misfits);
            }
            assert!(partial.bytes() >= empty + least, "{kind:?}");
        }
        let (count, stddev) = (SlotKind::Count.empty(), SlotKind::Stddev.empty());
        assert!(stddev.bytes() > count.bytes() && count.bytes_elsewhere() == 0);
    }

    #[test]
    fn what_no_entry_has_is_not_sound() {
        assert!(is_sound(&Value::Int(1)) && is_sound(&Value::Float(0.5)));
        assert!(!is_sound(&Value::List(Vec::new())) && !is_sound(&Value::Object(Vec::new())));
        assert!(!is_sound(&Value::Float(f64::NAN)));
    }
}
