//! Checks and alerts.

use super::*;
use crate::expr::Arithmetic;
use crate::job::{Cell, Fold};

fn operators() -> [ResultOperator; 2] {
    let operator = |name: &str, columns: &[&str]| ResultOperator {
        name: name.to_owned(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        has_key: name == "latency",
    };
    [
        operator("latency", &["service", "minute", "p95"]),
        operator("errors", &["time"]),
    ]
}

fn read(text: &str) -> ResultExpr {
    result(text, &operators(), true).unwrap_or_else(|mistakes| panic!("{text}: {mistakes:?}"))
}

fn compare(operator: Comparison, left: ResultExpr, right: ResultExpr) -> ResultExpr {
    ResultExpr::Compare {
        operator,
        left: Box::new(left),
        right: Box::new(right),
    }
}

fn cell(filter: &[(&str, Value<'static>)]) -> Cell {
    Cell {
        operator: 0,
        column: "p95".to_owned(),
        filter: filter
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    }
}

fn int(number: i128) -> ResultExpr {
    ResultExpr::Literal(Value::Int(number))
}

#[test]
fn results_and_their_trees() {
    let p95 = ResultExpr::Cell(cell(&[]));
    assert_eq!(
        read("max(latency.p95) < 300"),
        compare(
            Comparison::Less,
            ResultExpr::Fold {
                fold: Fold::Max,
                cell: cell(&[])
            },
            int(300)
        )
    );
    assert_eq!(
        read("rows(errors) = 0"),
        compare(Comparison::Equal, ResultExpr::Rows(1), int(0))
    );
    assert_eq!(
        read("completeness >= .9"),
        compare(
            Comparison::GreaterOrEqual,
            ResultExpr::Completeness,
            ResultExpr::Literal(Value::Float(0.9))
        )
    );
    assert_eq!(
        read("latency.p95 <= baseline * 1.1"),
        compare(
            Comparison::LessOrEqual,
            p95.clone(),
            ResultExpr::Arithmetic {
                operator: Arithmetic::Multiply,
                left: Box::new(ResultExpr::Baseline(Box::new(p95.clone()))),
                right: Box::new(ResultExpr::Literal(Value::Float(1.1))),
            }
        )
    );
    // A baseline is of the other side, of the one figure beside it, and of both bounds.
    let most = ResultExpr::Fold {
        fold: Fold::Max,
        cell: cell(&[]),
    };
    for (text, of) in [
        ("baseline * 2 > max(latency.p95)", &most),
        ("max(latency.p95) - baseline < 5", &most),
        ("latency.p95 BETWEEN baseline - 1 AND 10", &p95),
        ("rows(errors) <= baseline", &ResultExpr::Rows(1)),
    ] {
        let mut found = Vec::new();
        let tree = read(text);
        tree.walk(&mut |expr| {
            if let ResultExpr::Baseline(of) = expr {
                found.push((**of).clone());
            }
        });
        assert_eq!(found, std::slice::from_ref(of), "{text}");
    }
    let filters = [
        ("service", Value::owned_text("pay")),
        ("minute", Value::Int(-5)),
    ];
    for text in [
        "latency.p95[service = 'pay', minute = -5] < 200",
        "latency.p95[service='pay' AND minute=-5] < 200",
        "latency.\"p95\"[service = 'pay' AND (minute = -5)] < 200",
    ] {
        let wanted = compare(Comparison::Less, ResultExpr::Cell(cell(&filters)), int(200));
        assert_eq!(read(text), wanted, "{text}");
    }
    assert_eq!(
        read("NOT latency.p95 IS NULL AND true"),
        ResultExpr::And(vec![
            ResultExpr::Not(Box::new(ResultExpr::IsNull(Box::new(p95)))),
            ResultExpr::Literal(Value::Bool(true)),
        ])
    );
}

#[test]
fn results_and_their_mistakes() {
    for (text, mistake) in [
        ("", "[] expected an expression, found nothing"),
        (
            "rows(errors)",
            "[rows(errors)] expected a condition, found a value; compare it with something, like `rows(errors) = 0`",
        ),
        (
            "rows(latencyy) > 1",
            "[latencyy] `latencyy` is no operator of this job; did you mean `latency`?",
        ),
        (
            "latency.p9 > 1",
            "[latency.p9] `latency` has no column `p9`; did you mean `p95`?",
        ),
        (
            "latency.p95[x = 'y'] > 1",
            "[x] `latency` has no column `x`; its columns are service, minute, p95",
        ),
        (
            "latency.p95[service] > 1",
            "[service] a filter is `column = constant`, several joined by AND or a comma",
        ),
        (
            "latency.p95[service = minute] > 1",
            "[minute] a filter is `column = constant`, several joined by AND or a comma",
        ),
        (
            "latency['a'] > 1",
            "[latency['a']] expected a column before the filter: `operator.column[…]`",
        ),
        (
            "latency > 5",
            "[latency] `latency` is no value of a result; write `rows(latency)`, or a column like `latency.service`",
        ),
        (
            "baseline > 1",
            "[baseline] there is no baseline here; give the check `baseline = \"…\"`, the file that `run --update-baseline` writes",
        ),
        (
            "sum(errors) > 1",
            "[sum(errors)] `sum` takes a column, like `sum(operator.column)`",
        ),
        (
            "rows() > 1",
            "[rows()] `rows` takes the name of an operator",
        ),
        (
            "maxx(latency.p95) > 1",
            "[maxx(latency.p95)] `maxx` is no function over results; did you mean `max`?",
        ),
        (
            "rows(errors) = 'x'",
            "[rows(errors) = 'x'] these two are never compared: they are of different kinds",
        ),
        (
            "latency.p95 LIKE 'x'",
            "[latency.p95 LIKE 'x'] this is not part of checks and alerts",
        ),
        ("rows(errors", "[(] `(` is never closed"),
    ] {
        let mistakes = result(text, &operators(), false).unwrap_err();
        assert_eq!(mistakes_of(text, &mistakes), [mistake], "{text}");
    }
}

#[test]
fn baselines_and_their_mistakes() {
    for (text, mistake) in [
        (
            "baseline > 1",
            "[baseline > 1] here `baseline` is of nothing; compare it with a figure, like `max(latency.p95) <= baseline * 1.1`",
        ),
        (
            "baseline IS NULL",
            "[baseline] here `baseline` is of nothing; compare it with a figure, like `max(latency.p95) <= baseline * 1.1`",
        ),
        (
            "baseline + rows(errors) > baseline",
            "[baseline + rows(errors) > baseline] `baseline` stands on one side of a comparison",
        ),
        (
            "errors.time > baseline",
            "[errors.time > baseline] rows of `errors` have nothing by which those of an earlier run are found; compare one figure, like `max(errors.time)`",
        ),
    ] {
        let mistakes = result(text, &operators(), true).unwrap_err();
        assert_eq!(mistakes_of(text, &mistakes), [mistake], "{text}");
    }
}

#[test]
fn a_condition_is_shown_as_it_could_be_written() {
    for text in [
        "max(latency.p95) < 300",
        "(rows(errors) = 0 AND NOT latency.p95 IS NULL)",
        "latency.p95[service = 'it''s' AND minute = -5] <= (2 * avg(latency.p95))",
    ] {
        let tree = read(text);
        let shown = tree
            .show(&["latency".to_owned(), "errors".to_owned()])
            .to_string();
        assert_eq!(shown, text);
        assert_eq!(read(&shown), tree);
    }
}
