//! Any operator of a plan, and any partial of one: what scan, frames and reducer hold without knowing the kind.

use std::fmt;

use jobspec::plan::{OperatorKind, OperatorPlan, Plan};
use serde::{Deserialize, Serialize};

use super::{
    Aggregate, AggregatePartial, Context, ContextPartial, Operator, OutputColumn, Rows, Run,
    Segment, Select, SelectPartial, Sequence, SequencePartial, Session, SessionPartial, Sources,
};
use crate::entry::{Entry, Place};

/// A partial that is none of the operator's: `accepts` finds it where it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch;

impl fmt::Display for Mismatch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a partial is not of its operator's kind")
    }
}

impl std::error::Error for Mismatch {}

/// The two enums and their dispatch, from one list: an operator and a partial of one line belong together, any others
/// are a mismatch.
macro_rules! operators {
    ($($kind:ident($partial:ident),)*) => {
        #[allow(clippy::large_enum_variant, reason = "a job has a handful of them")]
        pub enum AnyOperator {
            $($kind($kind),)*
        }

        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub enum AnyPartial {
            $($kind($partial),)*
        }

        impl AnyOperator {
            /// The identity of `merge`.
            pub fn empty(&self) -> AnyPartial {
                match self {
                    $(AnyOperator::$kind(operator) => AnyPartial::$kind(operator.empty()),)*
                }
            }

            /// The partial of a segment of which nothing was absorbed yet.
            pub fn begin(&self, segment: Segment) -> AnyPartial {
                match self {
                    $(AnyOperator::$kind(operator) => AnyPartial::$kind(operator.begin(segment)),)*
                }
            }

            /// Whether the partial is one of this operator's, in all its parts: to be asked of whatever was decoded.
            pub fn accepts(&self, partial: &AnyPartial) -> bool {
                match (self, partial) {
                    $((AnyOperator::$kind(operator), AnyPartial::$kind(partial)) => operator.accepts(partial),)*
                    $((AnyOperator::$kind(_), _) => false,)*
                }
            }

            pub fn absorb(&self, partial: &mut AnyPartial, entry: &Entry<'_>) -> Result<(), Mismatch> {
                match (self, partial) {
                    $((AnyOperator::$kind(operator), AnyPartial::$kind(partial)) => {
                        operator.absorb(partial, entry);
                        Ok(())
                    })*
                    $((AnyOperator::$kind(_), _) => Err(Mismatch),)*
                }
            }

            /// Associative and commutative.
            pub fn merge(&self, left: AnyPartial, right: AnyPartial) -> Result<AnyPartial, Mismatch> {
                match (self, left, right) {
                    $((AnyOperator::$kind(operator), AnyPartial::$kind(left), AnyPartial::$kind(right)) => {
                        Ok(AnyPartial::$kind(operator.merge(left, right)))
                    })*
                    $((AnyOperator::$kind(_), _, _) => Err(Mismatch),)*
                }
            }

            /// Moves what is kept by key into a run; what is left is the core.
            pub fn take_records(&self, partial: &mut AnyPartial, run: &mut Run) -> Result<(), Mismatch> {
                match (self, partial) {
                    $((AnyOperator::$kind(operator), AnyPartial::$kind(partial)) => {
                        operator.take_records(partial, run);
                        Ok(())
                    })*
                    $((AnyOperator::$kind(_), _) => Err(Mismatch),)*
                }
            }

            /// The same of the last core, which nothing more will join.
            pub fn take_last_records(&self, core: &mut AnyPartial, run: &mut Run) -> Result<(), Mismatch> {
                match (self, core) {
                    $((AnyOperator::$kind(operator), AnyPartial::$kind(core)) => {
                        operator.take_last_records(core, run);
                        Ok(())
                    })*
                    $((AnyOperator::$kind(_), _) => Err(Mismatch),)*
                }
            }

            /// A mismatch where the record is none of this operator's, in all its parts; calls with every place whose names
            /// its rows would show.
            pub fn check_record(
                &self,
                key: &[u8],
                value: &[u8],
                visit: &mut dyn FnMut(&Place),
            ) -> Result<(), Mismatch> {
                match self {
                    $(AnyOperator::$kind(operator) => operator.check_record(key, value, visit),)*
                }
            }

            /// Associative and commutative; a mismatch where a value is none of this operator's.
            pub fn join_values(&self, key: &[u8], values: &[&[u8]]) -> Result<Vec<u8>, Mismatch> {
                match self {
                    $(AnyOperator::$kind(operator) => operator.join_values(key, values),)*
                }
            }

            /// Whether records get other keys when all keys have come.
            pub fn is_regrouped(&self) -> bool {
                match self {
                    $(AnyOperator::$kind(operator) => operator.is_regrouped(),)*
                }
            }

            /// Takes the key of a record.
            pub fn learn(&self, core: &mut AnyPartial, key: &[u8]) -> Result<(), Mismatch> {
                match (self, core) {
                    $((AnyOperator::$kind(operator), AnyPartial::$kind(core)) => operator.learn(core, key),)*
                    $((AnyOperator::$kind(_), _) => Err(Mismatch),)*
                }
            }

            /// The other key of a record.
            pub fn regroup(&self, core: &mut AnyPartial, key: &[u8], value: &[u8]) -> Result<Vec<u8>, Mismatch> {
                match (self, core) {
                    $((AnyOperator::$kind(operator), AnyPartial::$kind(core)) => operator.regroup(core, key, value),)*
                    $((AnyOperator::$kind(_), _) => Err(Mismatch),)*
                }
            }

            /// The rows of a key, whose values these are; `core` is the last one.
            pub fn finish_record(
                &self,
                core: &AnyPartial,
                key: &[u8],
                values: &[&[u8]],
                sources: &dyn Sources,
                rows: &mut dyn Rows,
            ) -> Result<(), Mismatch> {
                match (self, core) {
                    $((AnyOperator::$kind(operator), AnyPartial::$kind(core)) => {
                        operator.finish_record(core, key, values, sources, rows)
                    })*
                    $((AnyOperator::$kind(_), _) => Err(Mismatch),)*
                }
            }

            /// How many rows there are at most.
            pub fn limit(&self) -> Option<usize> {
                match self {
                    $(AnyOperator::$kind(operator) => operator.limit(),)*
                }
            }

            /// The rows of the last core; all of them where nothing is kept by key.
            pub fn finish(
                &self,
                partial: AnyPartial,
                sources: &dyn Sources,
                rows: &mut dyn Rows,
            ) -> Result<(), Mismatch> {
                match (self, partial) {
                    $((AnyOperator::$kind(operator), AnyPartial::$kind(partial)) => {
                        operator.finish(partial, sources, rows);
                        Ok(())
                    })*
                    $((AnyOperator::$kind(_), _) => Err(Mismatch),)*
                }
            }

            /// Calls with every place whose names `finish` would ask for.
            pub fn places(&self, partial: &AnyPartial, visit: &mut dyn FnMut(&Place)) {
                match (self, partial) {
                    $((AnyOperator::$kind(operator), AnyPartial::$kind(partial)) => operator.places(partial, visit),)*
                    $((AnyOperator::$kind(_), _) => {})*
                }
            }

            /// About so many bytes of memory; 0 for a partial of another operator.
            pub fn bytes(&self, partial: &AnyPartial) -> usize {
                match (self, partial) {
                    $((AnyOperator::$kind(operator), AnyPartial::$kind(partial)) => operator.bytes(partial),)*
                    $((AnyOperator::$kind(_), _) => 0,)*
                }
            }

            pub fn columns(&self) -> Vec<OutputColumn> {
                match self {
                    $(AnyOperator::$kind(operator) => operator.columns(),)*
                }
            }

            /// Values that were of the wrong type for their place; 0 for a partial of another operator.
            pub fn misfits(&self, partial: &AnyPartial) -> u64 {
                match (self, partial) {
                    $((AnyOperator::$kind(operator), AnyPartial::$kind(partial)) => operator.misfits(partial),)*
                    $((AnyOperator::$kind(_), _) => 0,)*
                }
            }
        }
    };
}

operators! {
    Context(ContextPartial),
    Session(SessionPartial),
    Aggregate(AggregatePartial),
    Select(SelectPartial),
    Sequence(SequencePartial),
}

impl AnyOperator {
    /// Whether the entries of a segment may be absorbed into the partial of the one before: not where it joins neighbours
    /// itself.
    pub fn goes_on(&self) -> bool {
        !matches!(self, AnyOperator::Context(_))
    }

    /// The operator, or why this build cannot execute it.
    pub fn new(plan: &Plan, operator: &OperatorPlan) -> Result<AnyOperator, String> {
        let range = plan.range;
        match &operator.kind {
            OperatorKind::Context(kind) => Ok(AnyOperator::Context(Context::new(kind, range))),
            OperatorKind::Session(kind) => Ok(AnyOperator::Session(Session::new(
                kind,
                range,
                &operator.logs,
            ))),
            OperatorKind::Aggregate(kind) => {
                Ok(AnyOperator::Aggregate(Aggregate::new(kind, range)))
            }
            OperatorKind::Select(kind) => Ok(AnyOperator::Select(Select::new(kind, range))),
            OperatorKind::Sequence(kind) => Sequence::new(kind, range, &operator.logs)
                .map(AnyOperator::Sequence)
                .ok_or_else(|| {
                    format!(
                        "[sequence.{}] has steps that cannot be followed",
                        operator.name
                    )
                }),
            OperatorKind::Patterns(_) | OperatorKind::Anomaly(_) => {
                let (kind, name) = (operator.kind.name(), &operator.name);
                Err(format!("[{kind}.{name}] cannot be executed by this build"))
            }
        }
    }
}
