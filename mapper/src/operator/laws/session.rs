//! Random sessions, by keys and by linked ids.

use jobspec::expr::{Comparison, Expr, Measure};
use jobspec::plan::{OperatorKind, SessionKey, SessionPlan};
use jobspec::value::Value;

use super::aggregate::measure;
use super::corpus::{Random, SERVICE, STATUS, TOOK, USER};
use super::{Case, field, named, predicate, range};

pub fn case(random: &mut Random) -> Case {
    let by = random.pick(&[&[SERVICE][..], &[USER], &[USER, STATUS]]);
    let key = SessionKey::By(parts(by));
    case_of(random, key)
}

pub fn linked_case(random: &mut Random) -> Case {
    let ids = random.pick(&[
        &[USER, STATUS][..],
        &[TOOK, USER],
        &[SERVICE],
        &[STATUS, TOOK, SERVICE],
    ]);
    let key = SessionKey::Link {
        ids: parts(ids),
        hub: random.pick(&[0, 1, 2, 3, 5, 8, 1000]),
    };
    case_of(random, key)
}

fn parts(fields: &[usize]) -> Vec<jobspec::plan::Named> {
    let fields = fields.iter();
    fields
        .map(|index| named(&format!("k{index}"), field(*index)))
        .collect()
}

fn case_of(random: &mut Random, key: SessionKey) -> Case {
    let compare = |operator, left, right| Expr::Compare {
        operator,
        left: Box::new(left),
        right: Box::new(Expr::Literal(Value::Int(right))),
    };
    let shown = random.below(3);
    let mut measures: Vec<Measure> = (0..shown).map(|_| measure(random)).collect();
    measures.push(Measure::Count);
    let is_status = |status| compare(Comparison::Equal, field(STATUS), status);
    let kind = OperatorKind::Session(SessionPlan {
        predicate: predicate(random),
        key,
        gap_ns: random.pick(&[None, Some(0), Some(1_000_000_000), Some(20_000_000_000)]),
        starts: random.one_in(4).then(|| is_status(503)),
        ends: random.one_in(4).then(|| is_status(200)),
        timeline: random.pick(&[0, 1, 2, 3, 5, 1000]),
        select: (0..shown)
            .map(|index| named(&format!("c{index}"), Expr::Output(index as u16)))
            .collect(),
        having: random.one_in(3).then(|| {
            let least = random.below(4) as i128;
            let count = Expr::Output(shown as u16);
            compare(Comparison::GreaterOrEqual, count, least)
        }),
        measures,
        max: random.pick(&[2, 10_000]),
    });
    Case {
        kind,
        range: range(random),
    }
}
