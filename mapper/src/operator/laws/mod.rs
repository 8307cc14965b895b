//! The laws of every operator: identity, associativity, commutativity, and one pass equals any split, through bytes and
//! back.
//!
//! A case is random entries and a random plan. The entries are cut at random, absorbed segment by segment, sent through
//! bytes, and merged in random order and grouping, with empty partials in between: the rows must be those of one pass, byte
//! for byte. What they must be is for the oracle in the runner's tests to say. A seed that fails is printed.

mod aggregate;
mod context;
pub(crate) mod corpus;
mod hostile;
mod select;
mod sequence;
mod session;

use std::collections::BTreeMap;

use jobspec::expr::{Column, Comparison, Expr};
use jobspec::plan::{AnomalyPlan, Limits, Named, OperatorKind, OperatorPlan, Plan, TimeRange};
use jobspec::value::Value;

use self::corpus::{Corpus, Random};
use super::{AnyOperator, AnyPartial, Mismatch, Rows, Run, Segment, record_lengths};
use crate::frame;

/// Cases of each operator.
const CASES: u64 = 500;

/// A random plan of one operator.
struct Case {
    kind: OperatorKind,
    range: TimeRange,
}

#[test]
fn context() {
    obeys("context", context::case);
}

#[test]
fn session() {
    obeys("session", session::case);
}

#[test]
fn linked_session() {
    obeys("session", session::linked_case);
}

#[test]
fn aggregate() {
    obeys("aggregate", aggregate::case);
}

#[test]
fn select() {
    obeys("select", select::case);
}

/// Rows beyond a limit are let go of on the way where there are many.
#[test]
fn select_of_many() {
    let corpus = |random: &mut Random| Corpus::random(random, 300);
    obeys_all("select", CASES / 5, corpus, select::case);
}

#[test]
fn sequence_leftmost() {
    obeys_all("sequence", 6 * CASES, sequence::corpus, sequence::leftmost);
}

#[test]
fn sequence_tightest() {
    obeys_all("sequence", 3 * CASES, sequence::corpus, sequence::tightest);
}

/// The test above that holds an operator to its laws: a new operator does not compile without one.
fn test_of(operator: &AnyOperator) -> &'static str {
    match operator {
        AnyOperator::Context(_) => "context",
        AnyOperator::Session(_) => "session",
        AnyOperator::Aggregate(_) => "aggregate",
        AnyOperator::Select(_) => "select",
        AnyOperator::Sequence(_) => "sequence",
    }
}

#[test]
fn a_partial_of_another_operator_is_refused() {
    let mut random = Random::new(1);
    let corpus = Corpus::random(&mut random, 12);
    let event = corpus.events().next().expect("there are entries");
    let cases = [
        context::case,
        session::case,
        aggregate::case,
        select::case,
        sequence::leftmost,
    ];
    let operators = cases.map(|case| operator(&case(&mut random)));
    for (index, operator) in operators.iter().enumerate() {
        for (other, partial) in operators.iter().map(AnyOperator::empty).enumerate() {
            assert_eq!(operator.accepts(&partial), index == other);
            let merged = operator.merge(partial.clone(), operator.empty());
            assert_eq!(merged.is_ok(), index == other);
            let mut lines = Lines::of(operator);
            let finished = operator.finish(partial.clone(), &corpus.sources, &mut lines);
            assert_eq!(finished.is_ok(), index == other);
            let mut partial = partial;
            let mut run = Run::default();
            let taken = operator.take_records(&mut partial, &mut run);
            assert_eq!(taken.is_ok(), index == other);
            let taken = operator.take_last_records(&mut partial, &mut run);
            assert_eq!(taken.is_ok(), index == other);
            if index != other {
                corpus.with_entry(event, |entry| {
                    assert_eq!(operator.absorb(&mut partial, entry), Err(Mismatch));
                });
                assert_eq!(operator.learn(&mut partial, b""), Err(Mismatch));
                assert_eq!(operator.regroup(&mut partial, b"", b""), Err(Mismatch));
                let sources = &corpus.sources;
                let row = operator.finish_record(&partial, b"", &[b""], sources, &mut lines);
                assert_eq!(row, Err(Mismatch));
                let figures = (operator.bytes(&partial), operator.misfits(&partial));
                assert_eq!(figures, (0, 0));
                operator.places(&partial, &mut |place| panic!("{place:?}"));
            }
        }
    }
}

#[test]
fn what_is_not_regrouped_learns_no_keys() {
    let mut random = Random::new(1);
    let cases = [
        context::case,
        aggregate::case,
        select::case,
        sequence::leftmost,
    ];
    for case in cases {
        let operator = operator(&case(&mut random));
        let mut core = operator.empty();
        assert!(!operator.is_regrouped());
        assert_eq!(operator.learn(&mut core, b""), Err(Mismatch));
        assert_eq!(operator.regroup(&mut core, b"", b""), Err(Mismatch));
    }
}

#[test]
fn a_partial_of_another_plan_is_refused() {
    let mut random = Random::new(7);
    let corpus = Corpus::random(&mut random, 30);
    let absorbed_by = |operator: &AnyOperator| absorbed_whole(operator, &corpus);
    let mut refused = 0;
    let cases = [
        session::case,
        session::linked_case,
        aggregate::case,
        select::case,
    ];
    for case in cases {
        let operators = [(); 12].map(|_| operator(&case(&mut random)));
        for operator in &operators {
            assert!(operator.accepts(&absorbed_by(operator)));
            for other in &operators {
                // Plans that keep the same may well be alike: what is accepted must merge and finish.
                let partial = absorbed_by(other);
                match operator.accepts(&partial) {
                    false => refused += 1,
                    true => {
                        let both = merged(operator, partial, absorbed_by(operator));
                        finished(operator, &corpus, both);
                    }
                }
            }
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn what_cannot_be_executed_says_so() {
    let plan = AnomalyPlan {
        of: 0,
        value: 0,
        threshold: 4.0,
    };
    let range = TimeRange {
        from_ns: None,
        to_ns: None,
    };
    let refused = made(OperatorKind::Anomaly(plan), range);
    assert_eq!(
        refused.err().as_deref(),
        Some("[anomaly.test] cannot be executed by this build")
    );
}

type Maker = fn(&mut Random) -> Corpus;
type Caser = fn(&mut Random) -> Case;

fn obeys(name: &str, case: Caser) {
    let corpus = |random: &mut Random| {
        let most = random.pick(&[3, 12, 60]);
        Corpus::random(random, most)
    };
    obeys_all(name, CASES, corpus, case);
}

/// `LOGSTITCH_LAWS=1000000` tries so many cases.
fn obeys_all(name: &str, cases: u64, corpus: Maker, case: Caser) {
    let asked = std::env::var("LOGSTITCH_LAWS");
    let cases = asked.map_or(cases, |cases| cases.parse().expect("a number"));
    let mut with_rows = 0;
    for seed in 1..=cases {
        let mut random = Random::new(seed);
        let corpus = corpus(&mut random);
        let case = case(&mut random);
        let operator = operator(&case);
        assert_eq!(test_of(&operator), name);
        let law = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            holds(&operator, &corpus, &mut random)
        }));
        let rows = law.unwrap_or_else(|_| panic!("{name}: seed {seed}, plan {:#?}", case.kind));
        with_rows += u64::from(rows > 0);
    }
    assert!(
        with_rows * 8 > cases,
        "{name}: only {with_rows} cases have rows"
    );
}

fn operator(case: &Case) -> AnyOperator {
    made(case.kind.clone(), case.range).expect("the operator is executable")
}

fn made(kind: OperatorKind, range: TimeRange) -> Result<AnyOperator, String> {
    let operator = OperatorPlan {
        name: "test".to_owned(),
        logs: vec![0, 1],
        kind,
    };
    let plan = Plan {
        job: "laws".to_owned(),
        range,
        timezone: "UTC".to_owned(),
        fields: corpus::field_paths(),
        formats: Vec::new(),
        logs: Vec::new(),
        operators: vec![operator.clone()],
        line_numbers: true,
        limits: Limits::default(),
    };
    AnyOperator::new(&plan, &operator)
}

/// Gives the number of rows.
fn holds(operator: &AnyOperator, corpus: &Corpus, random: &mut Random) -> usize {
    let whole = absorbed(operator, corpus, &mut |_| false);
    let whole = whole
        .into_iter()
        .reduce(|left, right| merged(operator, left, right));
    let whole = whole.unwrap_or_else(|| operator.empty());
    let misfits = operator.misfits(&whole);
    let expected = finished(operator, corpus, whole.clone());
    assert_eq!(
        finished(operator, corpus, through_bytes(operator, &whole)),
        expected,
        "through bytes"
    );
    let left = merged(operator, operator.empty(), whole.clone());
    assert_eq!(
        finished(operator, corpus, left),
        expected,
        "the identity at the left"
    );
    let right = merged(operator, whole, operator.empty());
    assert_eq!(
        finished(operator, corpus, right),
        expected,
        "the identity at the right"
    );

    for _ in 0..3 {
        let chance = random.pick(&[1, 2, 7, 30]);
        let mut partials = absorbed(operator, corpus, &mut |random| random.one_in(chance));
        random.shuffle(&mut partials);
        let parts = random.pick(&[1, 1, 3, 1000]);
        while partials.len() > parts {
            let first = partials.swap_remove(random.below(partials.len()));
            let second = partials.swap_remove(random.below(partials.len()));
            let first = match random.below(9) {
                0 => merged(operator, first, operator.empty()),
                1 => through_bytes(operator, &first),
                _ => first,
            };
            let mut both = merged(operator, first, second);
            if random.one_in(3) {
                both = through_bytes(operator, &both);
            }
            partials.push(both);
        }
        let found: u64 = partials
            .iter()
            .map(|partial| operator.misfits(partial))
            .sum();
        assert_eq!(found, misfits, "misfits of random pieces");
        assert_eq!(
            reduced(operator, corpus, partials),
            expected,
            "random pieces in random order, {parts} of them split"
        );
    }
    expected.len()
}

fn absorbed_whole(operator: &AnyOperator, corpus: &Corpus) -> AnyPartial {
    let partials = absorbed(operator, corpus, &mut |_| false);
    let whole = partials
        .into_iter()
        .reduce(|left, right| merged(operator, left, right));
    whole.expect("there are streams")
}

/// A partial for each segment of each stream, cut before the entries that `cuts` says.
fn absorbed(
    operator: &AnyOperator,
    corpus: &Corpus,
    cuts: &mut dyn FnMut(&mut Random) -> bool,
) -> Vec<AnyPartial> {
    let mut random = Random::new(corpus.events().count() as u64 + 1);
    let mut partials = Vec::new();
    for (stream, events) in corpus.streams.iter().enumerate() {
        let at = |index| Segment {
            host: stream as u32 / 4,
            log: (stream / 2 % 2) as u16,
            stream: stream as u32 % 2,
            index,
        };
        let mut index = 0;
        let mut partial = operator.begin(at(index));
        for event in events {
            while cuts(&mut random) {
                index += 1;
                partials.push(std::mem::replace(&mut partial, operator.begin(at(index))));
                // With a chance of one in one there is a cut before every entry, and an end to it.
                if random.one_in(2) {
                    break;
                }
            }
            corpus.with_entry(event, |entry| {
                operator
                    .absorb(&mut partial, entry)
                    .expect("a partial of this operator");
            });
        }
        partials.push(partial);
    }
    partials
}

fn merged(operator: &AnyOperator, left: AnyPartial, right: AnyPartial) -> AnyPartial {
    operator
        .merge(left, right)
        .expect("two partials of one operator")
}

fn through_bytes(operator: &AnyOperator, partial: &AnyPartial) -> AnyPartial {
    let partial = frame::from_bytes(&frame::to_bytes(partial)).expect("and comes back");
    assert!(operator.accepts(&partial));
    partial
}

/// The rows as lines of JSON, made as a reducer makes them.
fn finished(operator: &AnyOperator, corpus: &Corpus, partial: AnyPartial) -> Vec<String> {
    reduced(operator, corpus, vec![partial])
}

/// Splits each partial into core and run; merges cores; joins values key by key, some of them first among themselves.
fn reduced(operator: &AnyOperator, corpus: &Corpus, partials: Vec<AnyPartial>) -> Vec<String> {
    let mut records: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
    let mut take = |run: Run| {
        for (key, value) in records_of(run) {
            records.entry(key).or_default().push(value);
        }
    };
    let mut whole = operator.empty();
    for partial in partials {
        let mut run = Run::default();
        let mut core = partial;
        let taken = operator.take_records(&mut core, &mut run);
        taken.expect("its own partial");
        whole = merged(operator, whole, core);
        take(run);
    }
    let mut run = Run::default();
    let taken = operator.take_last_records(&mut whole, &mut run);
    taken.expect("its own partial");
    take(run);
    if operator.is_regrouped() {
        for key in records.keys() {
            // Refused where bytes are hostile, here and below.
            let _ = operator.learn(&mut whole, key);
        }
        let mut regrouped: BTreeMap<Vec<u8>, Vec<Vec<u8>>> = BTreeMap::new();
        for (key, values) in records {
            let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
            let Ok(value) = operator.join_values(&key, &values) else {
                continue;
            };
            if let Ok(key) = operator.regroup(&mut whole, &key, &value) {
                regrouped.entry(key).or_default().push(value);
            }
        }
        records = regrouped;
    }

    let mut lines = Lines::of(operator);
    for (key, mut values) in records {
        // Two values are left, or one; a value that is alone is joined with no other.
        let first = values.len().min(2) - 1;
        let rest: Vec<&[u8]> = values[first..].iter().map(Vec::as_slice).collect();
        // Refused where bytes are hostile: a law then misses rows.
        let Ok(joined) = operator.join_values(&key, &rest) else {
            continue;
        };
        values.splice(first.., [joined]);
        let values: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let _ = operator.finish_record(&whole, &key, &values, &corpus.sources, &mut lines);
    }
    let finished = operator.finish(whole, &corpus.sources, &mut lines);
    finished.expect("a partial of this operator");
    let Lines(_, mut rows) = lines;
    // Stable: what has no key came in order.
    rows.sort_by(|left, right| left.0.cmp(&right.0));
    rows.truncate(operator.limit().unwrap_or(usize::MAX));
    rows.into_iter().map(|(_, line)| line).collect()
}

/// The records of a run with their keys.
pub fn records_of(run: Run) -> Vec<(Vec<u8>, Vec<u8>)> {
    let bytes = run.into_bytes();
    let mut records = Vec::new();
    let mut rest = &bytes[..];
    while let Some((header, after)) = rest.split_first_chunk() {
        let (key_length, value_length) = record_lengths(header);
        let (record, after) = after.split_at(key_length + value_length);
        let (key, value) = record.split_at(key_length);
        records.push((key.to_vec(), value.to_vec()));
        rest = after;
    }
    records
}

/// Rows with their keys, as lines of JSON.
struct Lines(Vec<super::OutputColumn>, Vec<(Vec<u8>, String)>);

impl Lines {
    fn of(operator: &AnyOperator) -> Lines {
        Lines(operator.columns(), Vec::new())
    }
}

impl Rows for Lines {
    fn push(&mut self, row: &[Value<'_>]) {
        self.push_keyed(b"", row);
    }

    fn push_keyed(&mut self, key: &[u8], row: &[Value<'_>]) {
        assert_eq!(row.len(), self.0.len());
        let object = self.0.iter().zip(row);
        let object = object.filter(|(column, value)| !(column.optional && value.is_null()));
        let object = object
            .map(|(column, value)| (column.name.as_str().into(), value.borrowed()))
            .collect();
        let mut line = Vec::new();
        Value::Object(object).write_json(&mut line);
        let json = serde_json::from_slice::<serde::de::IgnoredAny>(&line);
        assert!(
            json.is_ok() && !line.contains(&b'\n'),
            "a row is a line of JSON"
        );
        self.1.push((
            key.to_vec(),
            String::from_utf8(line).expect("JSON is UTF-8"),
        ));
    }
}

fn field(index: usize) -> Expr {
    Expr::Field(index as u16)
}

fn named(name: &str, expr: Expr) -> Named {
    Named {
        name: name.to_owned(),
        expr,
    }
}

/// A random predicate, or none.
fn predicate(random: &mut Random) -> Option<Expr> {
    let compare = |operator, left, right| Expr::Compare {
        operator,
        left: Box::new(left),
        right: Box::new(Expr::Literal(right)),
    };
    match random.below(4) {
        0 => None,
        1 => {
            let service = field(corpus::SERVICE);
            Some(compare(Comparison::Equal, service, Value::text(b"pay")))
        }
        2 => Some(Expr::IsNull(Box::new(field(corpus::TOOK)))),
        _ => {
            let offset = Expr::Column(Column::Offset);
            Some(compare(Comparison::Greater, offset, Value::Int(400)))
        }
    }
}

/// A random time range, often none.
fn range(random: &mut Random) -> TimeRange {
    let mut bound = |seconds: usize| {
        random
            .one_in(3)
            .then(|| 1_768_831_200_000_000_000 + random.below(seconds) as i64 * 1_000_000_000)
    };
    TimeRange {
        from_ns: bound(30),
        to_ns: bound(120),
    }
}
