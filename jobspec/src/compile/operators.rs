//! `[KIND.NAME]`: the operators. Those with a key of their own life, sequence and session, are in `keyed`.

use std::collections::{HashMap, HashSet};

use super::Compiler;
use super::view::{Pair, View};
use crate::diagnostic::Place;
use crate::expr::parse::{self, Inner};
use crate::expr::{Expr, Function};
use crate::language::MOST;
use crate::plan::{
    AggregatePlan, AnomalyPlan, ContextPlan, Named, OperatorKind, OperatorPlan, Order,
    PatternsPlan, Reach, SelectPlan,
};
use crate::table::{Entry, Text, Written, shortened};
use crate::units;
use crate::value::Value;

pub(super) const KINDS: [&str; 8] = [
    "context",
    "sequence",
    "session",
    "aggregate",
    "select",
    "patterns",
    "anomaly",
    "query",
];

/// An operator that the job declares; its plan is there unless it has mistakes.
pub(super) struct Declared {
    pub name: String,
    pub plan: Option<OperatorPlan>,
}

impl Compiler<'_> {
    /// All operators, in the order of the file.
    pub(super) fn operators(&mut self, view: View<'_>) -> Vec<Declared> {
        let mut found: Vec<(&'static str, &Entry, View<'_>)> = Vec::new();
        for kind in KINDS {
            found.extend(
                view.named(kind)
                    .into_iter()
                    .map(|(entry, view)| (kind, entry, view)),
            );
        }
        found.sort_by_key(|(_, entry, _)| &entry.key_place);
        if found.len() > MOST {
            self.mistake(
                &found[MOST].1.key_place,
                format!("more than {MOST} operators"),
            );
            return Vec::new();
        }
        let mut kinds: HashMap<&str, &str> = HashMap::new();
        for (kind, entry, _) in &found {
            if let Some(other) = kinds.insert(&entry.key, kind) {
                self.mistake_with(
                    &entry.key_place,
                    format!(
                        "`{}` is already the name of `[{other}.{}]`",
                        entry.key, entry.key
                    ),
                    "operator names are unique across kinds, as each is the name of a file",
                );
            }
        }
        let mut operators: Vec<Declared> = Vec::new();
        for (kind, entry, view) in &found {
            let before = self.mistakes.len();
            let plan = match *kind {
                "anomaly" => None,
                "query" => self.query(*view),
                _ => self.operator(kind, *view),
            };
            operators.push(Declared {
                name: entry.key.clone(),
                plan: plan
                    .filter(|_| self.mistakes.len() == before)
                    .map(|(logs, kind)| OperatorPlan {
                        name: entry.key.clone(),
                        logs,
                        kind,
                    }),
            });
        }
        // An anomaly may stand before what it is of.
        for (index, (kind, _, view)) in found.iter().enumerate() {
            if *kind == "anomaly" {
                operators[index].plan =
                    self.anomaly(&found, &operators, *view)
                        .map(|(logs, kind)| OperatorPlan {
                            name: operators[index].name.clone(),
                            logs,
                            kind,
                        });
            }
        }
        operators
    }

    fn operator(&mut self, kind: &str, view: View<'_>) -> Option<(Vec<u16>, OperatorKind)> {
        let logs = self.operator_logs(view);
        let kind = match kind {
            "context" => OperatorKind::Context(self.context(view)?),
            "sequence" => OperatorKind::Sequence(self.sequence(view)?),
            "session" => OperatorKind::Session(self.session(view)?),
            "aggregate" => OperatorKind::Aggregate(self.aggregate(view)),
            "select" => OperatorKind::Select(self.select(view)),
            _ => OperatorKind::Patterns(self.patterns(view)?),
        };
        Some((logs, kind))
    }

    /// `logs`, as indices; all of them where it is left out.
    fn operator_logs(&mut self, view: View<'_>) -> Vec<u16> {
        let Some(names) = view.texts("logs") else {
            return self.all_logs();
        };
        let mut logs = Vec::new();
        for name in names {
            match self.logs.get(&name.value).copied() {
                None => {
                    let known: Vec<String> = self.logs.keys().cloned().collect();
                    self.unknown(
                        &name.place,
                        "log",
                        &name.value,
                        known.iter().map(String::as_str),
                    );
                }
                Some(log) if logs.contains(&log) => {
                    self.mistake(
                        &name.place,
                        format!("the log `{}` is there twice", name.value),
                    );
                }
                Some(log) => logs.push(log),
            }
        }
        logs.sort_unstable();
        logs
    }

    fn all_logs(&self) -> Vec<u16> {
        (0..self.logs.len() as u16).collect()
    }

    pub(super) fn predicate_of(&mut self, view: View<'_>, key: &str) -> Option<Expr> {
        view.written(key).and_then(|text| self.predicate(&text))
    }

    fn context(&mut self, view: View<'_>) -> Option<ContextPlan> {
        let (before, after) = (self.reach(view, "before"), self.reach(view, "after"));
        Some(ContextPlan {
            predicate: self.predicate_of(view, "where")?,
            before: before?,
            after: after?,
            max: view.count("max")?,
        })
    }

    fn reach(&mut self, view: View<'_>, key: &str) -> Option<Reach> {
        match view.node(key).map(|node| &node.value) {
            Some(Written::Text(_)) => self
                .measured(view, key, units::duration)
                .map(Reach::DurationNs),
            _ => view.count(key).map(Reach::Entries),
        }
    }

    /// Values with names that are columns of a row, each name once.
    pub(super) fn named(&mut self, pairs: Vec<Pair>) -> Vec<Named> {
        let mut named = Vec::new();
        let mut seen = HashSet::new();
        for pair in pairs {
            self.once(&mut seen, &pair.name, &pair.name_place);
            let expr = self.expression(&pair.text, parse::value);
            if let Some(expr) = &expr {
                self.check_names(expr, &pair.text);
            }
            named.push(Named {
                name: pair.name,
                // Its mistake is reported; the name stays known to what follows.
                expr: expr.unwrap_or(Expr::Literal(Value::Null)),
            });
        }
        named
    }

    fn once(&mut self, seen: &mut HashSet<String>, name: &str, place: &Place) {
        if !seen.insert(name.to_owned()) {
            self.mistake(
                place,
                format!("the column `{}` is there twice", shortened(name)),
            );
        }
    }

    fn aggregate(&mut self, view: View<'_>) -> AggregatePlan {
        let predicate = self.predicate_of(view, "where");
        let group = self.named(view.pairs("group").unwrap_or_default());
        let mut seen: HashSet<String> = group.iter().map(|named| named.name.clone()).collect();
        let mut columns: Vec<Named> = group
            .iter()
            .enumerate()
            .map(|(index, named)| Named {
                name: named.name.clone(),
                expr: Expr::Output(index as u16),
            })
            .collect();
        let mut inner = Inner {
            group,
            measures: Vec::new(),
        };
        let select = view.pairs("select").unwrap_or_default();
        if view.is_empty("select") {
            self.mistake(view.place_of("select"), "`select` names no figure");
        }
        for pair in select {
            self.once(&mut seen, &pair.name, &pair.name_place);
            columns.push(self.figure(pair, &mut inner));
        }
        let having = self.having(view, &columns, &mut inner);
        let order = match view.written("order") {
            None => Vec::new(),
            Some(order) => self
                .expression(&order, |text, scope| {
                    parse::order(text, &columns, &mut inner, scope)
                })
                .unwrap_or_default(),
        };
        AggregatePlan {
            predicate,
            group: inner.group,
            measures: inner.measures,
            columns,
            having,
            order,
            limit: limit(view),
            from_sql: false,
        }
    }

    /// A column of measures.
    pub(super) fn figure(&mut self, pair: Pair, inner: &mut Inner) -> Named {
        let expr = self.expression(&pair.text, |text, scope| parse::column(text, inner, scope));
        Named {
            name: pair.name,
            expr: expr.unwrap_or(Expr::Literal(Value::Null)),
        }
    }

    pub(super) fn having(
        &mut self,
        view: View<'_>,
        columns: &[Named],
        inner: &mut Inner,
    ) -> Option<Expr> {
        let having = view.written("having")?;
        self.expression(&having, |text, scope| {
            parse::having(text, columns, inner, scope)
        })
    }

    fn select(&mut self, view: View<'_>) -> SelectPlan {
        let columns = view.pairs("columns");
        if view
            .node("columns")
            .is_some_and(|node| node.as_table().is_some())
            && view.is_empty("columns")
        {
            self.mistake(view.place_of("columns"), "`columns` names no column");
        }
        SelectPlan {
            predicate: self.predicate_of(view, "where"),
            columns: columns.map(|pairs| self.named(pairs)),
            order: self.entry_order(view),
            limit: limit(view),
            from_sql: false,
        }
    }

    fn entry_order(&mut self, view: View<'_>) -> Vec<Order> {
        view.written("order")
            .and_then(|order| self.expression(&order, parse::entry_order))
            .unwrap_or_default()
    }

    fn patterns(&mut self, view: View<'_>) -> Option<PatternsPlan> {
        let predicate = self.predicate_of(view, "where");
        let group = view.pairs("group").unwrap_or_default();
        for pair in &group {
            if [
                "template", "count", "first", "last", "levels", "hosts", "example", "change",
            ]
            .contains(&pair.name.as_str())
            {
                self.mistake(
                    &pair.name_place,
                    format!("`{}` is a column that every row of patterns has", pair.name),
                );
            }
        }
        let group = self.named(group);
        let baseline = view.table("baseline").map(|baseline| self.range(baseline));
        let field = view.text("field")?;
        Some(PatternsPlan {
            predicate,
            field: self.expression(&field, parse::value)?,
            group,
            baseline,
            limit: limit(view),
        })
    }

    fn query(&mut self, view: View<'_>) -> Option<(Vec<u16>, OperatorKind)> {
        let sql = view.written("sql")?;
        let mut logs: Vec<String> = self.logs.keys().cloned().collect();
        logs.sort_unstable();
        let query = self.expression(&sql, |text, scope| parse::query(text, &logs, scope))?;
        if let Some(predicate) = query.kind.predicate() {
            self.check_names(predicate, &sql);
        }
        let logs = match query.log {
            Some(log) => vec![log],
            None => self.all_logs(),
        };
        Some((logs, query.kind))
    }

    fn anomaly(
        &mut self,
        found: &[(&'static str, &Entry, View<'_>)],
        operators: &[Declared],
        view: View<'_>,
    ) -> Option<(Vec<u16>, OperatorKind)> {
        let of = view.written("of")?;
        let Some(index) = operators
            .iter()
            .position(|operator| operator.name == of.value)
        else {
            let known: Vec<&str> = found
                .iter()
                .filter(|(kind, ..)| matches!(*kind, "aggregate" | "query"))
                .map(|(_, entry, _)| entry.key.as_str())
                .collect();
            self.unknown(&of.place, "aggregate", &of.value, known.into_iter());
            return None;
        };
        let kind = found[index].0;
        if !matches!(kind, "aggregate" | "query") {
            self.mistake(
                &of.place,
                format!("`{}` is a {kind}, not an aggregate", of.value),
            );
            return None;
        }
        // Where it has mistakes of its own, what is wrong with its columns is not known.
        let operator = operators[index].plan.as_ref()?;
        let OperatorKind::Aggregate(aggregate) = &operator.kind else {
            self.mistake(
                &of.place,
                format!("`{}` is a select, not an aggregate", of.value),
            );
            return None;
        };
        let bucketed = aggregate.group.iter().any(|named| {
            matches!(
                &named.expr,
                Expr::Call {
                    function: Function::Bucket { .. },
                    ..
                }
            )
        });
        if !bucketed {
            self.mistake_with(
                &of.place,
                format!("`{}` has no time bucket in its group", of.value),
                "as in group = { minute = \"bucket(time, '1m')\" }",
            );
        }
        let value = self.anomaly_value(aggregate, view);
        Some((
            operator.logs.clone(),
            OperatorKind::Anomaly(AnomalyPlan {
                of: index as u16,
                value: value?,
                threshold: view.number("threshold"),
            }),
        ))
    }

    fn anomaly_value(&mut self, aggregate: &AggregatePlan, view: View<'_>) -> Option<u16> {
        let value: Text = view.written("value")?;
        let is_group = |named: &Named| matches!(named.expr, Expr::Output(index) if usize::from(index) < aggregate.group.len());
        match aggregate
            .columns
            .iter()
            .position(|named| named.name == value.value)
        {
            Some(index) if is_group(&aggregate.columns[index]) => {
                self.mistake(
                    &value.place,
                    format!(
                        "`{}` is what the aggregate is grouped by, not a figure",
                        value.value
                    ),
                );
                None
            }
            Some(index) => u16::try_from(index).ok(),
            None => {
                let known: Vec<&str> = aggregate
                    .columns
                    .iter()
                    .filter(|named| !is_group(named))
                    .map(|named| named.name.as_str())
                    .collect();
                self.unknown(&value.place, "column", &value.value, known.into_iter());
                None
            }
        }
    }
}

fn limit(view: View<'_>) -> Option<u64> {
    view.integer("limit")
        .and_then(|limit| u64::try_from(limit).ok())
}
