//! Random selects.

use jobspec::expr::{Column, Expr};
use jobspec::plan::{OperatorKind, Order, SelectPlan};

use super::corpus::{Random, TOOK, USER};
use super::{Case, field, named, predicate, range};

pub fn case(random: &mut Random) -> Case {
    let order = random.pick(&[
        None,
        Some(field(TOOK)),
        Some(field(USER)),
        Some(Expr::Column(Column::Time)),
    ]);
    let descending = random.one_in(2);
    let columns = vec![
        named("took", field(TOOK)),
        named("host", Expr::Column(Column::Host)),
    ];
    let kind = OperatorKind::Select(SelectPlan {
        predicate: predicate(random),
        columns: random.one_in(2).then_some(columns),
        order: order
            .into_iter()
            .map(|expr| Order { expr, descending })
            .collect(),
        limit: random
            .one_in(2)
            .then(|| random.pick(&[0, 1, 2, 5, 40, 1_000_000])),
        from_sql: false,
    });
    Case {
        kind,
        range: range(random),
    }
}
