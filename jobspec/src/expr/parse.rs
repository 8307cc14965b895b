//! SQL text to the typed tree. The only user of sqlparser, and only in the runner.

use std::collections::HashMap;
use std::ops::Range;

use super::{Expr, FieldId, Measure};
use crate::job::ResultExpr;
use crate::plan::{FieldPath, Named, OperatorKind, Order};

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
    unimplemented!()
}
/// Any value over an entry: a key, a group, a select's column.
pub fn value(text: &str, scope: &mut Scope<'_>) -> Result<Expr, Vec<Mistake>> {
    unimplemented!()
}
/// A column of an aggregate: measures (put into `inner`) and what is computed of them.
pub fn column(text: &str, inner: &mut Inner, scope: &mut Scope<'_>) -> Result<Expr, Vec<Mistake>> {
    unimplemented!()
}
/// A condition over a finished group: columns by name, or measures of its own.
pub fn having(
    text: &str,
    columns: &[Named],
    inner: &mut Inner,
    scope: &mut Scope<'_>,
) -> Result<Expr, Vec<Mistake>> {
    unimplemented!()
}
/// `p95 DESC, service` over finished groups; `DESC`, `ASC` in any case.
pub fn order(
    text: &str,
    columns: &[Named],
    inner: &mut Inner,
    scope: &mut Scope<'_>,
) -> Result<Vec<Order>, Vec<Mistake>> {
    unimplemented!()
}
/// The same over entries.
pub fn entry_order(text: &str, scope: &mut Scope<'_>) -> Result<Vec<Order>, Vec<Mistake>> {
    unimplemented!()
}

/// A `[query.NAME]`: an aggregate or a select, and the log that it reads.
pub struct Query {
    /// Index into `logs`; None for `FROM logs` (all)
    pub log: Option<u16>,
    pub kind: OperatorKind,
}
pub fn query(sql: &str, logs: &[String], scope: &mut Scope<'_>) -> Result<Query, Vec<Mistake>> {
    unimplemented!()
}

/// An operator as checks and alerts see it.
pub struct ResultOperator {
    pub name: String,
    pub columns: Vec<String>,
}
/// `max(latency.p95) < 300`
pub fn result(
    text: &str,
    operators: &[ResultOperator],
    baseline: bool,
) -> Result<ResultExpr, Vec<Mistake>> {
    unimplemented!()
}
