//! Random contexts.

use jobspec::expr::Expr;
use jobspec::plan::{ContextPlan, OperatorKind, Reach};
use jobspec::value::Value;

use super::corpus::Random;
use super::{Case, predicate, range};

pub fn case(random: &mut Random) -> Case {
    let condition = predicate(random);
    let range = range(random);
    let mut reach = || match random.below(2) {
        0 => Reach::Entries(random.pick(&[0, 1, 2, 5, 100])),
        _ => Reach::DurationNs(random.pick(&[
            0,
            500_000_000,
            1_000_000_000,
            3_000_000_000,
            40_000_000_000,
        ])),
    };
    let (before, after) = (reach(), reach());
    let kind = OperatorKind::Context(ContextPlan {
        predicate: condition.unwrap_or(Expr::Literal(Value::Bool(true))),
        before,
        after,
        max: random.pick(&[1, 3, 10_000]),
    });
    Case { kind, range }
}
