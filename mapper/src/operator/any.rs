//! Any operator of a plan, and any partial of one: what scan, frames and reducer hold without knowing the kind.

use std::fmt;

use jobspec::plan::{OperatorKind, OperatorPlan, Plan};
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, AggregatePartial, Operator, OutputColumn, Rows, Segment, Select, SelectPartial,
    Sources,
};
use crate::entry::Entry;

pub enum AnyOperator {
    Aggregate(Aggregate),
    Select(Select),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum AnyPartial {
    Aggregate(AggregatePartial),
    Select(SelectPartial),
}

/// A partial that is none of the operator's: `accepts` finds it where it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch;

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a partial is not of its operator's kind")
    }
}

impl std::error::Error for Mismatch {}

impl AnyOperator {
    /// The operator, or why this build cannot execute it.
    pub fn new(plan: &Plan, operator: &OperatorPlan) -> Result<AnyOperator, String> {
        match &operator.kind {
            OperatorKind::Aggregate(kind) => {
                Ok(AnyOperator::Aggregate(Aggregate::new(kind, plan.range)))
            }
            OperatorKind::Select(kind) => Ok(AnyOperator::Select(Select::new(kind, plan.range))),
            kind @ (OperatorKind::Context(_)
            | OperatorKind::Session(_)
            | OperatorKind::Sequence(_)
            | OperatorKind::Patterns(_)
            | OperatorKind::Anomaly(_)) => Err(format!(
                "[{}.{}] cannot be executed by this build",
                kind.name(),
                operator.name
            )),
        }
    }

    pub fn empty(&self) -> AnyPartial {
        match self {
            AnyOperator::Aggregate(operator) => AnyPartial::Aggregate(operator.empty()),
            AnyOperator::Select(operator) => AnyPartial::Select(operator.empty()),
        }
    }

    pub fn begin(&self, segment: Segment) -> AnyPartial {
        match self {
            AnyOperator::Aggregate(operator) => AnyPartial::Aggregate(operator.begin(segment)),
            AnyOperator::Select(operator) => AnyPartial::Select(operator.begin(segment)),
        }
    }

    /// Whether the partial is one of this operator's, in all its parts: to be asked of whatever was decoded.
    pub fn accepts(&self, partial: &AnyPartial) -> bool {
        match (self, partial) {
            (AnyOperator::Aggregate(operator), AnyPartial::Aggregate(partial)) => {
                operator.accepts(partial)
            }
            (AnyOperator::Select(operator), AnyPartial::Select(partial)) => {
                operator.accepts(partial)
            }
            (AnyOperator::Aggregate(_) | AnyOperator::Select(_), _) => false,
        }
    }

    pub fn absorb(&self, partial: &mut AnyPartial, entry: &Entry<'_>) {
        match (self, partial) {
            (AnyOperator::Aggregate(operator), AnyPartial::Aggregate(partial)) => {
                operator.absorb(partial, entry)
            }
            (AnyOperator::Select(operator), AnyPartial::Select(partial)) => {
                operator.absorb(partial, entry)
            }
            (AnyOperator::Aggregate(_) | AnyOperator::Select(_), _) => {
                debug_assert!(false, "{Mismatch}")
            }
        }
    }

    pub fn merge(&self, left: AnyPartial, right: AnyPartial) -> Result<AnyPartial, Mismatch> {
        match (self, left, right) {
            (
                AnyOperator::Aggregate(operator),
                AnyPartial::Aggregate(left),
                AnyPartial::Aggregate(right),
            ) => Ok(AnyPartial::Aggregate(operator.merge(left, right))),
            (
                AnyOperator::Select(operator),
                AnyPartial::Select(left),
                AnyPartial::Select(right),
            ) => Ok(AnyPartial::Select(operator.merge(left, right))),
            (AnyOperator::Aggregate(_) | AnyOperator::Select(_), _, _) => Err(Mismatch),
        }
    }

    pub fn finish(
        &self,
        partial: AnyPartial,
        sources: &dyn Sources,
        rows: &mut dyn Rows,
    ) -> Result<(), Mismatch> {
        match (self, partial) {
            (AnyOperator::Aggregate(operator), AnyPartial::Aggregate(partial)) => {
                operator.finish(partial, sources, rows);
            }
            (AnyOperator::Select(operator), AnyPartial::Select(partial)) => {
                operator.finish(partial, sources, rows);
            }
            (AnyOperator::Aggregate(_) | AnyOperator::Select(_), _) => return Err(Mismatch),
        }
        Ok(())
    }

    pub fn columns(&self) -> Vec<OutputColumn> {
        match self {
            AnyOperator::Aggregate(operator) => operator.columns(),
            AnyOperator::Select(operator) => operator.columns(),
        }
    }

    pub fn misfits(&self, partial: &AnyPartial) -> u64 {
        match (self, partial) {
            (AnyOperator::Aggregate(operator), AnyPartial::Aggregate(partial)) => {
                operator.misfits(partial)
            }
            (AnyOperator::Select(operator), AnyPartial::Select(partial)) => {
                operator.misfits(partial)
            }
            (AnyOperator::Aggregate(_) | AnyOperator::Select(_), _) => 0,
        }
    }
}
