//! SQL text to the typed tree. The only user of sqlparser, and only in the runner.
//!
//! `source` bounds the text and tells its words, sqlparser makes its tree of it, `scalar` and `call` make ours:
//! names resolved, constants compiled, types checked. A mistake has its bytes in the text.

mod call;
pub mod constant;
mod group;
mod names;
mod operands;
mod query;
mod result;
mod scalar;
mod source;
#[cfg(test)]
mod tests;
mod types;
mod words;

use std::collections::HashMap;
use std::ops::Range;

use super::{Expr, FieldId, Measure};
use crate::job::ResultExpr;
use crate::plan::{FieldPath, Named, OperatorKind, Order};
use scalar::Converter;
use source::{Language, Source, with_room};

/// Mistakes of one text that are told; beyond them one more says nothing.
const MAX_MISTAKES: usize = 20;

/// One mistake: where in the text (bytes), what, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    pub span: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

/// The own fields that a plan reads, each once.
#[derive(Debug, Default)]
pub struct FieldTable {
    paths: Vec<FieldPath>,
    ids: HashMap<FieldPath, FieldId>,
}

impl FieldTable {
    /// The field's id, given to it now if need be; None where there are too many.
    pub fn id(&mut self, path: FieldPath) -> Option<FieldId> {
        if let Some(&id) = self.ids.get(&path) {
            return Some(id);
        }
        let id = FieldId::try_from(self.paths.len()).ok()?;
        self.paths.push(path.clone());
        self.ids.insert(path, id);
        Some(id)
    }

    pub fn known(&self, path: &FieldPath) -> Option<FieldId> {
        self.ids.get(path).copied()
    }

    pub fn paths(&self) -> &[FieldPath] {
        &self.paths
    }

    pub fn into_paths(self) -> Vec<FieldPath> {
        self.paths
    }
}

/// What an expression over entries may name, beside the columns: any own field.
pub struct Scope<'a> {
    pub fields: &'a mut FieldTable,
    /// IANA name: of `hour` and `weekday`, and of times in texts that carry no zone.
    pub timezone: &'a str,
}

/// The inner row of an aggregate or a session's select: the group's values, then the measures.
#[derive(Debug, Default)]
pub struct Inner {
    pub group: Vec<Named>,
    pub measures: Vec<Measure>,
}

/// A condition over an entry.
pub fn predicate(text: &str, scope: &mut Scope<'_>) -> Result<Expr, Vec<Mistake>> {
    with_room(|| {
        let source = Source::new(text, Language::Expression)?;
        let tree = source.parse(Language::Expression, |parser| parser.parse_expr())?;
        let mut converter = Converter::over_entries(&source, scope);
        let expr = converter.condition(&tree);
        converter.finish(expr)
    })
}

/// Any value over an entry: a key, a group, a select's column.
pub fn value(text: &str, scope: &mut Scope<'_>) -> Result<Expr, Vec<Mistake>> {
    with_room(|| {
        let source = Source::new(text, Language::Expression)?;
        let tree = source.parse(Language::Expression, |parser| parser.parse_expr())?;
        let mut converter = Converter::over_entries(&source, scope);
        let expr = converter.expr(&tree);
        converter.finish(expr)
    })
}

/// An own field by its path, as an expression would name it: `status`, `http.request.id`, `fields.time`.
pub fn field(text: &str, scope: &mut Scope<'_>) -> Result<FieldId, Vec<Mistake>> {
    match value(text, scope)? {
        Expr::Field(field) => Ok(field),
        Expr::Column(column) => Err(vec![Mistake {
            span: 0..text.len(),
            message: format!("`{}` is a column of every entry", column.name()),
            help: Some(format!(
                "the entry's own field of this name is `fields.{}`",
                column.name()
            )),
        }]),
        _ => Err(vec![Mistake {
            span: 0..text.len(),
            message: "expected the name of a field, found an expression".to_owned(),
            help: None,
        }]),
    }
}

/// A column of an aggregate: measures (put into `inner`) and what is computed of them.
pub fn column(text: &str, inner: &mut Inner, scope: &mut Scope<'_>) -> Result<Expr, Vec<Mistake>> {
    with_room(|| {
        let source = Source::new(text, Language::Expression)?;
        let tree = source.parse(Language::Expression, |parser| parser.parse_expr())?;
        let mut converter = Converter::over_groups(&source, scope, inner, &[]);
        let expr = converter.expr(&tree);
        converter.finish(expr)
    })
}

/// A condition over a finished group: columns by name, or measures of its own.
pub fn having(
    text: &str,
    columns: &[Named],
    inner: &mut Inner,
    scope: &mut Scope<'_>,
) -> Result<Expr, Vec<Mistake>> {
    with_room(|| {
        let source = Source::new(text, Language::Expression)?;
        let tree = source.parse(Language::Expression, |parser| parser.parse_expr())?;
        let mut converter = Converter::over_groups(&source, scope, inner, columns);
        let expr = converter.condition(&tree);
        converter.finish(expr)
    })
}

/// `p95 DESC, service` over finished groups; `DESC`, `ASC` in any case.
pub fn order(
    text: &str,
    columns: &[Named],
    inner: &mut Inner,
    scope: &mut Scope<'_>,
) -> Result<Vec<Order>, Vec<Mistake>> {
    with_room(|| {
        let source = Source::new(text, Language::Order)?;
        let terms = source.parse(Language::Order, scalar::read_order)?;
        let mut converter = Converter::over_groups(&source, scope, inner, columns);
        let order = converter.order(&terms);
        converter.finish(order)
    })
}

/// The same over entries.
pub fn entry_order(text: &str, scope: &mut Scope<'_>) -> Result<Vec<Order>, Vec<Mistake>> {
    with_room(|| {
        let source = Source::new(text, Language::Order)?;
        let terms = source.parse(Language::Order, scalar::read_order)?;
        let mut converter = Converter::over_entries(&source, scope);
        let order = converter.order(&terms);
        converter.finish(order)
    })
}

/// A `[query.NAME]`: an aggregate or a select, and the log that it reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Index into `logs`; None for `FROM logs` (all)
    pub log: Option<u16>,
    pub kind: OperatorKind,
}

pub fn query(sql: &str, logs: &[String], scope: &mut Scope<'_>) -> Result<Query, Vec<Mistake>> {
    with_room(|| {
        let source = Source::new(sql, Language::Query)?;
        let tree = source.parse(Language::Query, |parser| parser.parse_query())?;
        query::compile(&source, &tree, logs, scope)
    })
}

/// An operator as checks and alerts see it.
pub struct ResultOperator {
    pub name: String,
    pub columns: Vec<String>,
    /// Whether some columns name a row, so that an earlier run's is found.
    pub has_key: bool,
}

/// `max(latency.p95) < 300`
pub fn result(
    text: &str,
    operators: &[ResultOperator],
    baseline: bool,
) -> Result<ResultExpr, Vec<Mistake>> {
    with_room(|| {
        let source = Source::new(text, Language::Result)?;
        let tree = source.parse(Language::Result, |parser| parser.parse_expr())?;
        result::compile(&source, &tree, operators, baseline)
    })
}
