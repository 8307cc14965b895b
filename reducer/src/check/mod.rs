//! Checks and alerts: conditions over the finished rows, judged while these go by, in memory that does not depend on how
//! many there are.
//!
//! A column in a check must satisfy it in every row, in an alert in some row. Beside what was observed stands what could
//! have been (`truth`): a loss that could have changed an answer makes it unknown, and an unknown check has failed.

mod baseline;
mod condition;
mod figure;
mod reach;
mod row;
mod rows;
#[cfg(test)]
mod tests;
mod truth;

use std::collections::BTreeMap;

use jobspec::diagnostic::shown;
use jobspec::job::ResultExpr;
use jobspec::plan::Plan;
use jobspec::value::{OwnedValue, Value};
use mapper::operator::OutputColumn;

use crate::Error;
use crate::completeness::Completeness;
use crate::reduce::{RowSink, Takes};

pub use baseline::{Baseline, value_json};
use condition::Part;
use figure::Figure;
use reach::Reach;
use row::{Layout, RowView};
use rows::RowQuestion;
use truth::{Ranged, Truth};

/// Characters of a value in a message.
const SHOWN_VALUE: usize = 80;

/// Of which rows a bare column speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantifier {
    /// Of every row: a check.
    Every,
    /// Of some row: an alert.
    Some,
}

/// A condition that is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Question<'q> {
    pub condition: &'q ResultExpr,
    pub quantifier: Quantifier,
    /// Index into the judge's baselines.
    pub baseline: Option<usize>,
}

/// What became of a condition.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub answer: Answer,
    /// The same without regard to what was lost.
    pub observed: Option<bool>,
    /// Had nothing been lost.
    pub could_be_true: bool,
    /// What the condition takes of the results, as text and value.
    pub figures: Vec<(String, OwnedValue)>,
    /// For a person: figures, the first row that does it, why something is not known.
    pub why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    True,
    False,
    /// NULL, or what was lost could have changed it.
    Unknown,
}

/// Judges conditions over the rows that go by: a sink beside the outputs.
pub struct Judge {
    /// Of the plan's operators, as `operators` are.
    names: Vec<String>,
    operators: Vec<Watched>,
    questions: Vec<Asked>,
    baselines: Vec<Baseline>,
    completeness: Ranged,
    is_whole: bool,
    /// The operator whose rows go by.
    current: Option<u16>,
}

/// An operator of the plan.
struct Watched {
    reach: Reach,
    layout: Layout,
}

struct Asked {
    part: Part,
    takes_completeness: bool,
    figures: Vec<Figure>,
    rows: Vec<RowQuestion>,
    baseline: Option<usize>,
}

impl Judge {
    pub fn new(
        plan: &Plan,
        completeness: &Completeness,
        questions: &[Question<'_>],
        baselines: Vec<Baseline>,
    ) -> Judge {
        let operators = plan.operators.iter().map(|operator| Watched {
            reach: Reach::new(operator, completeness),
            layout: Layout::default(),
        });
        let questions = questions.iter().map(|question| {
            let part = Part::of(question.condition);
            let mut takes_completeness = false;
            question.condition.walk(&mut |expr| {
                takes_completeness |= *expr == ResultExpr::Completeness;
            });
            let mut asked = Asked {
                takes_completeness,
                figures: Vec::new(),
                rows: Vec::new(),
                baseline: question.baseline,
                part,
            };
            gather(
                &asked.part,
                question.quantifier,
                &mut asked.figures,
                &mut asked.rows,
            );
            asked
        });
        let share = completeness.share();
        Judge {
            questions: questions.collect(),
            names: plan
                .operators
                .iter()
                .map(|operator| operator.name.clone())
                .collect(),
            operators: operators.collect(),
            baselines,
            completeness: Ranged::sure(share),
            is_whole: completeness.is_all_whole(),
            current: None,
        }
    }

    /// The answers, in the order of the questions, and the baselines as they were measured.
    pub fn finish(mut self) -> (Vec<Judgement>, Vec<Baseline>) {
        let names = std::mem::take(&mut self.names);
        let questions = std::mem::take(&mut self.questions);
        let judgements = questions.iter().map(|asked| self.judge(asked, &names));
        let judgements = judgements.collect();
        (judgements, self.baselines)
    }

    fn judge(&mut self, asked: &Asked, names: &[String]) -> Judgement {
        let mut values: BTreeMap<String, Ranged> = BTreeMap::new();
        let mut reasons = Vec::new();
        for figure in &asked.figures {
            let name = figure.of.show(names).to_string();
            let reach = &self.operators[usize::from(figure.operator)].reach;
            reasons.extend(figure.why_null(&name));
            values.insert(name, figure.value(reach));
        }
        let mut known = Known {
            values: &values,
            names,
            completeness: &self.completeness,
            baseline: asked.baseline.and_then(|at| self.baselines.get_mut(at)),
            missing: Vec::new(),
        };
        let mut rows = asked.rows.iter();
        let truth = known.truth(&asked.part, &mut rows);
        reasons.extend(known.missing);
        for question in &asked.rows {
            reasons.extend(question.why(names));
        }
        let mut figures: Vec<(String, OwnedValue)> = values
            .iter()
            .map(|(name, value)| (name.clone(), value.observed.clone()))
            .collect();
        if asked.takes_completeness {
            let share = self.completeness.observed.clone();
            figures.push(("completeness".to_owned(), share));
        }
        let answer = match truth {
            _ if truth.is_surely(Some(true)) => Answer::True,
            _ if !truth.could_be(Some(true)) && truth.observed == Some(false) => Answer::False,
            _ => Answer::Unknown,
        };
        let is_changeable = answer == Answer::Unknown && !truth.is_surely(None);
        if is_changeable && !self.is_whole {
            reasons.push("what was lost could have changed it".to_owned());
        }
        let shown = figures.iter().map(|(name, value)| {
            let value = shown(&value_text(value), SHOWN_VALUE);
            format!("{name} is {value}")
        });
        let why: Vec<String> = shown.chain(reasons).collect();
        Judgement {
            answer,
            observed: truth.observed,
            could_be_true: truth.could_be(Some(true)),
            figures,
            why: why.join("; "),
        }
    }
}

fn value_text(value: &OwnedValue) -> Vec<u8> {
    let mut text = Vec::new();
    value.write_json(&mut text);
    text
}

/// Finds what has to be gathered while rows go by.
fn gather(
    part: &Part,
    quantifier: Quantifier,
    figures: &mut Vec<Figure>,
    rows: &mut Vec<RowQuestion>,
) {
    match part {
        Part::Known(expr) => {
            for figure in expr.figures() {
                if !figures.iter().any(|known| known.of == *figure) {
                    figures.extend(Figure::new(figure));
                }
            }
        }
        Part::Rows {
            rows: set,
            predicate,
        } => {
            rows.push(RowQuestion::new(set, predicate, quantifier));
        }
        Part::And(list) | Part::Or(list) => {
            list.iter()
                .for_each(|part| gather(part, quantifier, figures, rows));
        }
    }
}

/// What is known when all rows have gone by.
struct Known<'k> {
    values: &'k BTreeMap<String, Ranged>,
    names: &'k [String],
    completeness: &'k Ranged,
    baseline: Option<&'k mut Baseline>,
    missing: Vec<String>,
}

impl Known<'_> {
    /// `rows` are the questions in the order in which the parts ask them.
    fn truth(&mut self, part: &Part, rows: &mut std::slice::Iter<'_, RowQuestion>) -> Truth {
        match part {
            Part::Known(expr) => truth_of(expr, self),
            Part::Rows { .. } => match rows.next() {
                Some(question) => {
                    let of = question
                        .missing_baseline()
                        .filter(|_| self.baseline.is_some());
                    if let Some(figure) = of {
                        self.miss(&figure.show(self.names).to_string());
                    }
                    question.truth()
                }
                None => Truth::open(None),
            },
            Part::And(list) => {
                let truths = list.iter().map(|part| self.truth(part, rows));
                truths.fold(Truth::sure(Some(true)), Truth::and)
            }
            Part::Or(list) => {
                let truths = list.iter().map(|part| self.truth(part, rows));
                truths.fold(Truth::sure(Some(false)), Truth::or)
            }
        }
    }

    fn miss(&mut self, figure: &str) {
        let path = self.baseline.as_ref().map(|baseline| baseline.path());
        let path = path.map_or(String::new(), |path| path.display().to_string());
        let message = format!("{path} has no {figure}; `run --update-baseline` puts it there");
        if !self.missing.contains(&message) {
            self.missing.push(message);
        }
    }
}

/// Gives the values that an expression is made of.
trait Values {
    fn figure(&mut self, figure: &ResultExpr) -> Ranged;
    fn baseline(&mut self, of: &ResultExpr) -> Ranged;
    fn completeness(&mut self) -> Ranged;
}

impl Values for Known<'_> {
    fn figure(&mut self, figure: &ResultExpr) -> Ranged {
        let name = figure.show(self.names).to_string();
        let value = self.values.get(&name).cloned();
        value.unwrap_or_else(|| Ranged::open(OwnedValue::Null))
    }

    fn baseline(&mut self, of: &ResultExpr) -> Ranged {
        let name = of.show(self.names).to_string();
        let measured = value_of(of, self);
        let Some(baseline) = &mut self.baseline else {
            return Ranged::sure(OwnedValue::Null);
        };
        if baseline.is_written() {
            if measured.could != truth::Could::Only {
                baseline.refuse(format!("{name} rests on less than all"));
            }
            baseline.measure(&name, &measured.observed);
            return Ranged::sure(measured.observed);
        }
        let held = baseline.value(&name);
        if held.is_null() {
            self.miss(&name);
        }
        Ranged::sure(held)
    }

    fn completeness(&mut self) -> Ranged {
        self.completeness.clone()
    }
}

fn truth_of(expr: &ResultExpr, values: &mut dyn Values) -> Truth {
    match expr {
        ResultExpr::Not(inner) => truth_of(inner, values).not(),
        ResultExpr::And(list) => {
            let truths = list.iter().map(|expr| truth_of(expr, values));
            truths.fold(Truth::sure(Some(true)), Truth::and)
        }
        ResultExpr::Or(list) => {
            let truths = list.iter().map(|expr| truth_of(expr, values));
            truths.fold(Truth::sure(Some(false)), Truth::or)
        }
        ResultExpr::Compare {
            operator,
            left,
            right,
        } => {
            let left = value_of(left, values);
            left.compared(*operator, &value_of(right, values))
        }
        ResultExpr::IsNull(inner) => value_of(inner, values).is_null(),
        value => value_of(value, values).truth(),
    }
}

fn value_of(expr: &ResultExpr, values: &mut dyn Values) -> Ranged {
    match expr {
        ResultExpr::Literal(value) => Ranged::sure(value.clone()),
        ResultExpr::Rows(_) | ResultExpr::Fold { .. } | ResultExpr::Cell(_) => values.figure(expr),
        ResultExpr::Completeness => values.completeness(),
        ResultExpr::Baseline(of) => values.baseline(of),
        ResultExpr::Negate(inner) => value_of(inner, values).negated(),
        ResultExpr::Arithmetic {
            operator,
            left,
            right,
        } => {
            let left = value_of(left, values);
            left.calculated(*operator, &value_of(right, values))
        }
        condition => {
            let truth = truth_of(condition, values);
            let observed = truth.observed.map_or(OwnedValue::Null, OwnedValue::Bool);
            match truth.is_surely(truth.observed) {
                true => Ranged::sure(observed),
                false => Ranged::open(observed),
            }
        }
    }
}

impl RowSink for Judge {
    fn begin(&mut self, operator: &str, columns: &[OutputColumn]) -> Result<(), Error> {
        let index = self.names.iter().position(|name| name == operator);
        self.current = index.map(|index| index as u16);
        if let Some(index) = index {
            self.operators[index].layout = Layout::new(columns);
        }
        Ok(())
    }

    /// No rows of an operator that no question is about.
    fn takes(&self) -> Takes {
        let is_asked = |asked: &Asked| {
            let figures = asked.figures.iter().map(|figure| figure.operator);
            let rows = asked.rows.iter().map(|question| question.rows.operator);
            figures
                .chain(rows)
                .any(|operator| Some(operator) == self.current)
        };
        Takes {
            values: self.questions.iter().any(is_asked),
            lines: false,
        }
    }

    fn row(&mut self, values: &[Value<'_>]) -> Result<(), Error> {
        let Some(current) = self.current else {
            return Ok(());
        };
        let of = &self.operators[usize::from(current)];
        let row = RowView {
            layout: &of.layout,
            reach: &of.reach,
            values,
        };
        let has_cells = !row.is_rest() || of.layout.rest_has_cells();
        for asked in &mut self.questions {
            for figure in &mut asked.figures {
                if figure.operator == current {
                    figure.row(&row);
                }
            }
            for question in &mut asked.rows {
                if question.rows.operator == current && has_cells {
                    let baseline = asked.baseline.and_then(|at| self.baselines.get_mut(at));
                    question.row(&row, &self.names, &self.completeness, baseline);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self) -> Result<(), Error> {
        if let Some(current) = self.current.take() {
            let reach = &self.operators[usize::from(current)].reach;
            for question in self.questions.iter_mut().flat_map(|asked| &mut asked.rows) {
                if question.rows.operator == current {
                    question.end(reach);
                }
            }
        }
        Ok(())
    }
}
