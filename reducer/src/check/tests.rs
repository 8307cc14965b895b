//! Conditions over rows: what is observed, and what a loss leaves unknown.

use std::path::Path;

use jobspec::job::Job;
use jobspec::value::Value;
use jobspec::{Request, Source};

use super::*;
use crate::completeness::{HostCompleteness, Loss};
use crate::testing::Folder;

/// A job with an operator of each kind, and these checks.
fn job(checks: &[&str], baseline: Option<&str>) -> Job {
    let mut text = r#"
[hosts.node]
local = ["a", "b"]
[logs.app]
paths = ["x"]
[aggregate.latency]
group = { service = "service" }
select = { n = "count(*)", p95 = "percentile(ms, 95)", most = "max(ms)", least = "min(ms)" }
[aggregate.total]
select = { n = "count(*)", p95 = "percentile(ms, 95)" }
[aggregate.worst]
group = { service = "service" }
select = { n = "count(*)" }
limit = 2
[select.slow]
columns = ["ms", "host"]
[context.errors]
where = "level >= ERROR"
[sequence.lockout]
by = ["user"]
steps = [{ name = "in", where = "true" }]
[session.visits]
by = ["user"]
gap = "5m"
"#
    .to_owned();
    for check in checks {
        text.push_str(&format!("[[check]]\nthat = \"{check}\"\n"));
        if let Some(baseline) = baseline {
            text.push_str(&format!("baseline = \"{baseline}\"\n"));
        }
    }
    let source = Source {
        name: "job",
        bytes: text.as_bytes(),
        folder: Path::new("."),
    };
    jobspec::compile(&source, &Request::at(0)).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn completeness(loss: Loss) -> Completeness {
    let host = |loss| HostCompleteness {
        tallies: Vec::new(),
        is_whole: loss == Loss::None,
        losses: vec![loss],
    };
    Completeness::of_hosts(vec![host(Loss::None), host(loss)])
}

/// The rows of an operator; a number, a text, or `-` for NULL.
fn rows(judge: &mut Judge, operator: &str, columns: &[&str], rows: &[&[&str]]) {
    let columns: Vec<_> = columns.iter().copied().map(OutputColumn::new).collect();
    RowSink::begin(judge, operator, &columns).unwrap();
    for row in rows {
        let row = row.iter().map(|cell| match *cell {
            "-" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            cell => Value::parse_number(cell.as_bytes()).unwrap_or(Value::owned_text(cell)),
        });
        let mut row: Vec<OwnedValue> = row.collect();
        if columns[0].name == "key" {
            row[0] = Value::Object(vec![("user".into(), row[0].clone())]);
        }
        RowSink::row(judge, &row).unwrap();
    }
    RowSink::end(judge).unwrap();
}

const LATENCY: [&str; 5] = ["service", "n", "p95", "most", "least"];

fn feed(judge: &mut Judge) {
    let latency: [&[&str]; 3] = [
        &["cart", "10", "120", "200", "5"],
        &["pay", "4", "250", "300", "9"],
        &["search", "1", "-", "-", "-"],
    ];
    rows(judge, "latency", &LATENCY, &latency);
    rows(judge, "total", &["n", "p95"], &[&["15", "240"]]);
    rows(
        judge,
        "worst",
        &["service", "n"],
        &[&["cart", "10"], &["pay", "4"]],
    );
    rows(
        judge,
        "slow",
        &["ms", "host"],
        &[&["700", "a"], &["900", "a"]],
    );
    let errors = ["host", "matches", "continued"];
    rows(
        judge,
        "errors",
        &errors,
        &[&["a", "2", "-"], &["a", "1", "true"]],
    );
    let lockout = ["key", "duration_ms", "certain"];
    rows(
        judge,
        "lockout",
        &lockout,
        &[&["eve", "50", "true"], &["bob", "70", "false"]],
    );
    let visits = ["key", "entries", "certain", "timeline", "continued"];
    rows(
        judge,
        "visits",
        &visits,
        &[
            &["eve", "3", "true", "-", "-"],
            &["eve", "-", "true", "-", "true"],
        ],
    );
}

fn judged(condition: &str, quantifier: Quantifier, loss: Loss) -> Judgement {
    let job = job(&[condition], None);
    let question = Question {
        condition: &job.checks[0].that,
        quantifier,
        baseline: None,
    };
    let completeness = completeness(loss);
    let mut judge = Judge::new(&job.plan, &completeness, &[question], Vec::new());
    feed(&mut judge);
    judge.finish().0.remove(0)
}

#[test]
fn conditions_over_whole_rows() {
    use Answer::{False, True, Unknown};
    for (condition, answer) in [
        ("max(latency.p95) < 300", True),
        ("max(latency.p95) < 250", False),
        (
            "min(latency.least) = 5 AND sum(latency.n) = 15 AND avg(latency.n) = 5",
            True,
        ),
        ("count(latency.p95) = 2 AND rows(latency) = 3", True),
        ("latency.n >= 1", True),
        ("latency.n > 1", False),
        // A row without a value is no row that satisfies it.
        ("latency.p95 < 300", Unknown),
        ("latency.p95 < 300 OR latency.p95 IS NULL", True),
        ("latency.p95 < 200 OR latency.n < 5", True),
        ("NOT (latency.n > 5 AND latency.p95 > 200)", True),
        ("NOT latency.n > 9", False),
        ("latency.p95[service = 'pay'] = 250", True),
        ("latency.p95[service = 'pay'] < 200", False),
        ("latency.p95[service = 'nobody'] < 200", Unknown),
        (
            "latency.p95[service = 'pay'] > latency.p95[service = 'cart'] * 2",
            True,
        ),
        ("latency.n[service = 'cart'] > 2 * avg(latency.n)", False),
        // Columns of many rows beside a figure over them say nothing.
        ("latency.n > avg(latency.n)", Unknown),
        ("total.n = 15 AND total.p95 < max(latency.p95)", True),
        ("completeness = 1", True),
        // The rest of a row is no row of its own, and its own matches count.
        ("rows(errors) = 1 AND sum(errors.matches) = 3", True),
        ("rows(visits) = 1 AND visits.entries = 3", True),
        ("lockout.user <> 'eve'", False),
        ("max(slow.host) = 'a'", True),
        ("lockout.certain", False),
        ("rows(latency) = 3 OR max(latency.p95) < NULL", True),
    ] {
        let judgement = judged(condition, Quantifier::Every, Loss::None);
        assert_eq!(judgement.answer, answer, "{condition}: {judgement:?}");
    }
}

#[test]
fn an_alert_asks_for_some_row() {
    for (condition, is_firing) in [
        ("latency.p95 > 200", true),
        ("latency.p95 > 300", false),
        ("latency.p95 > 200 AND latency.n > 5", false),
        ("latency.p95[service = 'nobody'] > 0", false),
        ("rows(lockout) > 1", true),
    ] {
        let judgement = judged(condition, Quantifier::Some, Loss::None);
        assert_eq!(
            judgement.observed == Some(true),
            is_firing,
            "{condition}: {judgement:?}"
        );
        assert_eq!(
            judgement.could_be_true, is_firing,
            "{condition}: {judgement:?}"
        );
    }
}

#[test]
fn a_loss_leaves_unknown_what_it_could_have_changed() {
    use Answer::{False, True, Unknown};
    for (condition, streams, files) in [
        // Aggregates: groups stay, further ones may come, counts grow.
        ("rows(latency) >= 3", True, Unknown),
        ("rows(latency) = 3", Unknown, Unknown),
        ("rows(latency) = 0", False, Unknown),
        ("max(latency.most) >= 300", True, Unknown),
        ("max(latency.most) <= 300", Unknown, Unknown),
        ("max(latency.p95) >= 0", Unknown, Unknown),
        ("min(latency.least) <= 5", True, Unknown),
        ("sum(latency.n) >= 15", True, Unknown),
        ("latency.n < 5", False, Unknown),
        ("latency.n > 1", Unknown, Unknown),
        ("latency.n >= 1", Unknown, Unknown),
        ("latency.n[service = 'pay'] >= 4", True, Unknown),
        ("latency.n[service = 'pay'] = 4", Unknown, Unknown),
        // Without a group there is one row, whatever comes.
        ("rows(total) = 1", True, True),
        ("total.n >= 15", True, Unknown),
        ("total.n < 15", False, Unknown),
        ("total.p95 < 300", Unknown, Unknown),
        // A limit lets other rows take the place of these.
        ("rows(worst) = 2", True, Unknown),
        ("rows(worst) <= 2", True, True),
        ("worst.n > 4", Unknown, Unknown),
        ("rows(slow) > 1", True, Unknown),
        ("max(slow.ms) >= 900", True, Unknown),
        ("slow.ms >= 800", False, Unknown),
        ("slow.ms >= 700", Unknown, Unknown),
        ("rows(errors) > 0", True, Unknown),
        ("rows(errors) = 0", False, Unknown),
        // Of sequences and sessions the rows stay that say they are certain.
        ("rows(lockout) >= 1", True, True),
        ("rows(lockout) >= 2", Unknown, Unknown),
        ("lockout.duration_ms < 60", Unknown, Unknown),
        ("lockout.duration_ms < 40", False, False),
        ("rows(visits) = 0", False, False),
        ("completeness = 1", False, False),
        ("completeness >= 0.5 OR rows(latency) = 0", True, True),
    ] {
        for (loss, answer) in [
            (Loss::None, None),
            (Loss::Streams, Some(streams)),
            (Loss::Files, Some(files)),
        ] {
            let judgement = judged(condition, Quantifier::Every, loss);
            match answer {
                None => assert_ne!(judgement.answer, Unknown, "{condition}: {judgement:?}"),
                Some(answer) => {
                    assert_eq!(
                        judgement.answer, answer,
                        "{condition} {loss:?}: {judgement:?}"
                    );
                }
            }
        }
    }
    let judgement = judged("rows(errors) = 0", Quantifier::Every, Loss::Files);
    assert_eq!(
        judgement.why,
        "rows(errors) is 1; what was lost could have changed it"
    );
    let judgement = judged("max(slow.ms) > 2000", Quantifier::Some, Loss::Streams);
    assert!(judgement.could_be_true && judgement.observed == Some(false));
}

#[test]
fn what_is_told_names_the_first_row() {
    for (condition, why) in [
        (
            "latency.n > 4",
            "2 of 3 rows of latency do not satisfy it; the first is service \"pay\", n 4",
        ),
        (
            "latency.p95 < 300",
            "1 of 3 rows of latency have no answer; it is service \"search\", p95 null",
        ),
        ("max(latency.p95) < 200", "max(latency.p95) is 250"),
        ("latency.n > 0", "3 rows of latency satisfy it"),
        (
            "latency.n[service = 'x'] > 0",
            "latency has no row that the filter leaves",
        ),
        (
            "latency.n > avg(latency.n)",
            "avg(latency.n) is 5; latency.n is null; latency.n is of 3 rows, and one is wanted; take max(…), min(…), or a filter that leaves one",
        ),
    ] {
        assert_eq!(judged(condition, Quantifier::Every, Loss::None).why, why);
    }
}

#[test]
fn baselines_are_written_and_looked_up() {
    let folder = Folder::new("baseline");
    let path = folder.path().join("ci/baseline.json");
    let checks = ["latency.n <= baseline + 1", "max(latency.p95) <= baseline"];
    let job = job(&checks, Some("x"));
    let ask = |is_written: bool, latency: &[&[&str]], loss: Loss| {
        let questions = job.checks.iter().map(|check| Question {
            condition: &check.that,
            quantifier: Quantifier::Every,
            baseline: Some(0),
        });
        let questions: Vec<_> = questions.collect();
        let baseline = Baseline::open(&path, is_written).unwrap();
        let mut judge = Judge::new(&job.plan, &completeness(loss), &questions, vec![baseline]);
        rows(&mut judge, "latency", &LATENCY, latency);
        let (judgements, mut baselines) = judge.finish();
        let written = baselines.remove(0).write("job", "now");
        let answers: Vec<_> = judgements
            .iter()
            .map(|judgement| judgement.answer)
            .collect();
        let why: Vec<_> = judgements
            .into_iter()
            .map(|judgement| judgement.why)
            .collect();
        (answers, why, written)
    };
    let pay: &[&str] = &["pay", "4", "250", "-", "-"];
    let (answers, why, _) = ask(false, &[pay], Loss::None);
    assert_eq!(answers, [Answer::Unknown, Answer::Unknown]);
    assert!(
        why[0].contains("has no latency.n; `run --update-baseline`"),
        "{why:?}"
    );
    // Nothing is written of less than all.
    let (_, _, written) = ask(true, &[pay], Loss::Streams);
    assert!(
        written
            .unwrap_err()
            .to_string()
            .contains("rests on less than all")
    );
    assert!(!path.exists());
    let (answers, _, written) = ask(true, &[pay], Loss::None);
    assert_eq!(answers, [Answer::True, Answer::True]);
    written.unwrap();
    let (answers, ..) = ask(false, &[pay], Loss::None);
    assert_eq!(answers, [Answer::True, Answer::True]);
    let slower: &[&str] = &["pay", "6", "251", "-", "-"];
    let (answers, ..) = ask(false, &[slower], Loss::None);
    assert_eq!(answers, [Answer::False, Answer::False]);
    // A row that the baseline does not know.
    let cart: &[&str] = &["cart", "1", "9", "-", "-"];
    let (answers, why, _) = ask(false, &[pay, cart], Loss::None);
    assert_eq!(answers, [Answer::Unknown, Answer::True], "{why:?}");
    std::fs::write(&path, "{\"figures\": 3}").unwrap();
    assert!(Baseline::open(&path, false).is_err());
}
