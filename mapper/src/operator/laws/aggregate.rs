//! Random aggregates.

use jobspec::expr::{Column, Comparison, Expr, Function, Measure};
use jobspec::plan::{AggregatePlan, OperatorKind, Order};
use jobspec::value::Value;

use super::corpus::{Random, SERVICE, STATUS, TOOK, USER};
use super::{Case, field, named, predicate, range};

pub fn case(random: &mut Random) -> Case {
    let bucket_of = |argument: Expr, width: i64, step: i64| Expr::Call {
        function: Function::Bucket {
            width_ns: width * 1_000_000_000,
            step_ns: step * 1_000_000_000,
        },
        arguments: vec![argument],
    };
    let bucket = |width, step| bucket_of(Expr::Column(Column::Time), width, step);
    let by = random.pick(&[
        vec![],
        vec![field(SERVICE)],
        vec![field(STATUS), field(USER)],
        vec![bucket(5, 5)],
        vec![bucket(7, 2), field(SERVICE)],
        // No times, and so NULL.
        vec![bucket_of(field(STATUS), 7, 2)],
    ]);
    // Those that are shown, and those that having and order need of their own.
    let mut measures: Vec<Measure> = (0..1 + random.below(5)).map(|_| measure(random)).collect();
    let shown = by.len() + measures.len();
    measures.push(Measure::Count);
    measures.push(Measure::Max(field(TOOK)));
    let output = |index: usize| Expr::Output(index as u16);
    let columns = (0..shown).map(|index| named(&format!("c{index}"), output(index)));
    let order = random
        .one_in(2)
        .then(|| shown + random.below(2))
        .map(|index| Order {
            expr: output(index),
            descending: random.one_in(2),
        });
    let kind = OperatorKind::Aggregate(AggregatePlan {
        predicate: predicate(random),
        group: by.into_iter().map(|expr| named("group", expr)).collect(),
        measures,
        columns: columns.collect(),
        having: random.one_in(3).then(|| Expr::Compare {
            operator: Comparison::GreaterOrEqual,
            left: Box::new(output(shown)),
            right: Box::new(Expr::Literal(Value::Int(random.below(4) as i128))),
        }),
        order: order.into_iter().collect(),
        limit: random.one_in(4).then(|| random.below(5) as u64),
        from_sql: false,
    });
    Case {
        kind,
        range: range(random),
    }
}

/// Any of them.
pub fn measure(random: &mut Random) -> Measure {
    let of = field(random.pick(&[TOOK, TOOK, STATUS, USER]));
    let is_seven = |of: Expr| Expr::Compare {
        operator: Comparison::Equal,
        left: Box::new(of),
        right: Box::new(Expr::Literal(Value::Int(7))),
    };
    match random.below(14) {
        0 => Measure::Count,
        1 => Measure::CountOf(of),
        2 => Measure::CountIf(is_seven(of)),
        3 => Measure::Rate(is_seven(of)),
        4 => Measure::Sum(of),
        5 => Measure::Avg(of),
        6 => Measure::Stddev(of),
        7 => Measure::Min(of),
        8 => Measure::Max(of),
        9 => Measure::Percentile(of, random.below(101) as f64),
        10 => Measure::Distinct(of),
        11 => Measure::Top(of, 1 + random.below(3) as u32),
        12 => Measure::First(of),
        _ => Measure::Last(of),
    }
}
