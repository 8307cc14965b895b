//! Rules by hand: entries as letters and seconds, what is wanted as the seconds of each step's entries.

use jobspec::expr::Expr;
use jobspec::plan::{Named, Pick, Scope, SequencePlan, StepPlan, TimeRange};
use jobspec::value::{OwnedValue, Time, Value};

use super::{SHOWN, Sequence, SequencePartial};
use crate::entry::{Place, Source};
use crate::frame;
use crate::operator::laws::corpus::{Cell, Corpus, Event, FIELDS, Random, SERVICE, USER};
use crate::operator::laws::records_of;
use crate::operator::{Operator, Rows, Run, Sources};

const SECOND: i64 = 1_000_000_000;

/// A plan in short: `a` takes one entry with an `a` among its letters, `a2`, `a2..` and `a2..3` as `times` has it; `!x`
/// must be absent; `<5` is the step's own `within`, in seconds. Of the whole, `within=5`, `until=u` and `tightest`.
fn plan(text: &str) -> SequencePlan {
    let mut plan = SequencePlan {
        key: vec![Named {
            name: "user".to_owned(),
            expr: Expr::Field(USER as u16),
        }],
        within_ns: None,
        steps: Vec::new(),
        until: None,
        pick: Pick::Leftmost,
        scope: Scope::Everywhere,
    };
    for word in text.split_whitespace() {
        let seconds = |text: &str| text.parse::<i64>().unwrap() * SECOND;
        match word.split_once('=') {
            Some(("within", within)) => plan.within_ns = Some(seconds(within)),
            Some(("until", letter)) => plan.until = Some(has(letter)),
            Some(other) => panic!("{other:?}"),
            None if word == "tightest" => plan.pick = Pick::Tightest,
            None => {
                let (step, within) = match word.split_once('<') {
                    Some((step, within)) => (step, Some(seconds(within))),
                    None => (word, None),
                };
                let absent = step.starts_with('!');
                let step = step.trim_start_matches('!');
                let (letter, times) = step.split_at(1);
                let number = |text: &str| text.parse::<u32>().unwrap();
                let (min, max) = match times.split_once("..") {
                    Some((min, "")) => (number(min), None),
                    Some((min, max)) => (number(min), Some(number(max))),
                    None if times.is_empty() => (1, Some(1)),
                    None => (number(times), Some(number(times))),
                };
                plan.steps.push(StepPlan {
                    name: letter.to_owned(),
                    predicate: has(letter),
                    min,
                    max,
                    key: None,
                    absent,
                    within_ns: within,
                });
            }
        }
    }
    plan
}

fn has(letter: &str) -> Expr {
    let words = (1..32).map(|bits: usize| {
        let letters = "abcxu".char_indices();
        let chosen = letters.filter(|(index, _)| bits >> index & 1 == 1);
        chosen.map(|(_, letter)| letter).collect::<String>()
    });
    Expr::In {
        value: Box::new(Expr::Field(SERVICE as u16)),
        list: words
            .filter(|word| word.contains(letter))
            .map(|word| Expr::Literal(Value::owned_text(word)))
            .collect(),
    }
}

/// `a0 ab3 x?`: an entry a word, its letters in the order of the alphabet and its second, `?` for none.
fn corpus(text: &str) -> Corpus {
    let mut corpus = Corpus::random(&mut Random::new(1), 0);
    for (index, word) in text.split_whitespace().enumerate() {
        let letters = word.trim_end_matches(|end: char| !end.is_alphabetic());
        let second = word[letters.len()..].parse::<i64>().ok();
        push(&mut corpus, 0, index, letters, second, "alice");
    }
    corpus
}

fn push(
    corpus: &mut Corpus,
    stream: usize,
    index: usize,
    letters: &str,
    second: Option<i64>,
    user: &'static str,
) {
    let mut cells = vec![Cell::Missing; FIELDS.len()];
    cells[SERVICE] = Cell::Text(letters.to_owned().leak());
    cells[USER] = Cell::Text(user);
    let time = second.map(|second| Time::new(second * SECOND, 0));
    let place = Place {
        time_ns: time.map_or(Place::UNTIMED, |time| time.ns),
        host: stream as u32 / 4,
        log: (stream / 2 % 2) as u16,
        stream: stream as u32 % 2,
        file: 0,
        offset: 10 * index as u64,
    };
    corpus.streams[stream].push(Event::new(place, time, cells));
}

fn sequence(plan: &SequencePlan, range: TimeRange) -> Sequence {
    Sequence::new(plan, range, &[0, 1]).expect("steps that can be followed")
}

fn absorbed(operator: &Sequence, corpus: &Corpus) -> SequencePartial {
    let mut partial = operator.empty();
    for event in corpus.events() {
        corpus.with_entry(event, |entry| operator.absorb(&mut partial, entry));
    }
    partial
}

/// Rows with their keys.
struct Kept(Vec<(Vec<u8>, Vec<OwnedValue>)>);

impl Rows for Kept {
    fn push(&mut self, row: &[Value<'_>]) {
        self.push_keyed(b"", row);
    }

    fn push_keyed(&mut self, key: &[u8], row: &[Value<'_>]) {
        let row = row.iter().cloned().map(Value::into_owned);
        self.0.push((key.to_vec(), row.collect()));
    }
}

/// As a reducer makes them: key by key, and sorted.
fn rows(
    operator: &Sequence,
    mut partial: SequencePartial,
    sources: &dyn Sources,
) -> Vec<Vec<OwnedValue>> {
    let mut run = Run::default();
    operator.take_last_records(&mut partial, &mut run);
    let mut rows = Kept(Vec::new());
    for (key, value) in records_of(run) {
        let finished = operator.finish_record(&partial, &key, &[&value], sources, &mut rows);
        finished.expect("its own record");
    }
    rows.0.sort_by(|left, right| left.0.cmp(&right.0));
    rows.0.into_iter().map(|(_, row)| row).collect()
}

fn part<'a>(object: &'a OwnedValue, name: &str) -> &'a OwnedValue {
    let Value::Object(parts) = object else {
        panic!("{object:?} is no object");
    };
    &parts.iter().find(|(part, _)| part == name).unwrap().1
}

fn list(value: &OwnedValue) -> &[OwnedValue] {
    match value {
        Value::List(list) => list,
        other => panic!("{other:?} is no list"),
    }
}

/// `0,1 3`: the seconds of each step's entries, and a `?` where the row is not certain.
fn written(row: &[OwnedValue]) -> String {
    let steps = list(&row[6]).iter().map(|step| {
        let entries = list(part(step, "entries")).iter();
        let seconds = entries.map(|entry| match part(entry, "time") {
            Value::Time(time) => (time.ns / SECOND).to_string(),
            _ => "-".to_owned(),
        });
        seconds.collect::<Vec<_>>().join(",")
    });
    let certain = if row[5] == Value::Bool(true) { "" } else { "?" };
    steps.collect::<Vec<_>>().join(" ") + certain
}

fn found(plan: &SequencePlan, range: TimeRange, corpus: &Corpus) -> String {
    let operator = sequence(plan, range);
    let rows = rows(&operator, absorbed(&operator, corpus), &corpus.sources);
    let rows: Vec<String> = rows.iter().map(|row| written(row)).collect();
    rows.join(" | ")
}

fn holds(cases: &[(&str, &str, &str)]) {
    for (text, entries, wanted) in cases {
        let found = found(&plan(text), TimeRange::default(), &corpus(entries));
        assert_eq!(found, *wanted, "{text}: {entries}");
    }
}

#[test]
fn the_earliest_start_and_each_step_as_early_as_can_be() {
    holds(&[
        ("a b", "a0 b1", "0 1"),
        ("a b", "b0 a1", ""),
        ("a b", "a0 a1 b2 b3", "0 2"),
        ("a b", "a0 b1 a2 b3", "0 1 | 2 3"),
        ("a b c", "a0 a1 b2 b3 c4", "0 2 4"),
        // What was skipped belongs to no match after it.
        ("a b", "a0 a1 a2 b3 b4", "0 3"),
        // One entry fills one step.
        ("a b", "ab0 ab1 ab2", "0 1"),
        ("a a", "a0 a1 a2 a3 a4", "0 1 | 2 3"),
        // Equal times stand in the order of their places.
        ("a b", "a0 b0", "0 0"),
        ("a b", "b0 a0", ""),
        // A later entry where the first cannot be completed.
        ("a b<2 c<2", "a0 b1 b2 c4", "0 2 4"),
        ("a b<2 c<2", "a0 b1 a2 b3 c5", "2 3 5"),
    ]);
}

#[test]
fn within_is_last_minus_first_inclusive() {
    holds(&[
        ("a b within=3", "a0 b3", "0 3"),
        ("a b within=3", "a0 b4", ""),
        ("a b within=3", "a0 a1 b4", "1 4"),
        ("a b c within=5", "a0 b1 a2 b3 c7", "2 3 7"),
        ("a b<2", "a0 b3", ""),
        ("a b<2", "a0 b2", "0 2"),
        // From the last entry of the step before.
        ("a2 b<2", "a0 a3 b5", "0,3 5"),
        ("a2.. b<2", "a0 a1 a9 b11", "0,1,9 11"),
    ]);
}

#[test]
fn times_takes_at_least_so_many_and_then_all() {
    holds(&[
        ("a3", "a0 a1 a2 a3 a4 a5 a6", "0,1,2 | 3,4,5"),
        ("a2 b", "a0 a1 a2 b3", "0,1 3"),
        ("a2 b", "a0 b1 a2 b3", "0,2 3"),
        ("a2.. b", "a0 a1 a2 b3", "0,1,2 3"),
        ("a2..3 b", "a0 a1 a2 a3 b4", "0,1,2 4"),
        // Before the next step's entry, whatever else that entry is.
        ("a1.. b", "a0 a1 ab2 a3 b4", "0,1 2 | 3 4"),
        // As the last step inside `within`, or to the end.
        ("a b1.. within=5", "a0 b1 b3 b5 b6 a7 b8", "0 1,3,5 | 7 8"),
        ("a b1..2 within=5", "a0 b1 b3 b5", "0 1,3"),
        ("a1..", "a0 a1 a2", "0,1,2"),
        // Among those that it must have some can be skipped: the last of them comes as near as what follows needs.
        ("a2 b<2", "a0 a1 a2 a8 b9", "0,8 9"),
        ("a3 b<2", "a0 a1 a2 a8 b9", "0,1,8 9"),
        ("a2..3 b<2", "a0 a1 a2 a7 a8 b9", "0,2,7 9"),
        // Further ones cannot be skipped: the third is too long ago.
        ("a1..3 b<2", "a0 a1 a2 a8 b9", "1,2,8 9"),
    ]);
}

#[test]
fn an_absent_step_between_two_others() {
    holds(&[
        ("a !x b", "a0 b1", "0 1"),
        ("a !x b", "a0 x1 b2", ""),
        ("a !x b", "a0 x1 a2 b3", "2 3"),
        // Strictly between the last entry of the step before and the first of the one after.
        ("a2 !x b", "a0 x1 a2 b3", "0,2 3"),
        ("a2 !x b", "a0 a1 x2 a3 b4", "0,3 4"),
        ("a !x b2", "a0 b1 x2 b3", "0 1,3"),
        ("a !x b", "ax0 bx1", "0 1"),
        ("a1..2 !x b", "a0 a1 x2 a3 b4", "1,3 4"),
        ("a !x !u b", "a0 u1 b2", ""),
    ]);
}

#[test]
fn an_absent_first_step() {
    holds(&[
        ("!x<5 a b", "c-9 a0 b1 c9", "0 1"),
        ("!x<5 a b", "c-9 x1 a3 b4", ""),
        ("!x<5 a b", "c-9 x1 a6 b7", ""),
        ("!x<5 a b", "c-9 x1 a7 b8", "7 8"),
        // At the same time and before it counts, itself does not.
        ("!x<5 a b", "c-9 x1 a1 b2", ""),
        ("!x<5 a b", "c-9 a1 x1 b2", "1 2"),
        ("!x<5 a b", "c-9 ax1 b2", "1 2"),
        // The sequence's `within` where it has none of its own.
        ("!x a b within=5", "c-9 x1 a6 b7", ""),
        ("!x a b within=5", "c-9 x1 a7 b8", "7 8"),
        ("!x<5 a2", "c-9 x1 a3 a7 a8", "7,8"),
    ]);
}

#[test]
fn an_absent_last_step() {
    holds(&[
        // From its first entry without a `within` of its own, from its last with one.
        ("a b !x within=5", "a0 b1 x6 c9", "0 1"),
        ("a b !x within=5", "a0 b1 x5 c9", ""),
        ("a b !x<3 within=5", "a0 b1 x5 c9", "0 1"),
        ("a b !x<3 within=5", "a0 b1 x4 c9", ""),
        ("a b !x<3", "a0 b1 x4 b9 c99", "0 9"),
        // Only after the match.
        ("a b !x within=5", "a0 x1 b2 c9", "0 2"),
        ("a b !x within=5", "a0 b1 x2 b3 c9", "0 3"),
        ("a b !x within=5", "a0 b1 bx2 c9", "0 2"),
        ("a b !x within=5", "a0 b1 x1 c9", ""),
        ("a b1.. !x within=5", "a0 b1 x2 b3 c9", "0 1,3"),
        ("a b1..2 !x<1", "a0 b1 b2 x3 b9 c99", "0 2,9"),
        // Every match listens for itself.
        ("a !x within=2", "a0 x1 a3 a4 x9 c99", "3 | 4"),
    ]);
}

#[test]
fn until_ends_every_open_match() {
    holds(&[
        ("a b until=u", "a0 u1 b2", ""),
        ("a b until=u", "a0 u1 a2 b3", "2 3"),
        // It wins over being the next step, and may start the next match.
        ("a b until=u", "a0 bu1 b2", ""),
        ("a b until=u", "a0 au1 b2", "1 2"),
        ("a b until=a", "a0 a1 b2", "1 2"),
        ("a until=a", "a0 a1 a2", "0 | 1 | 2"),
        // One that has what it must have only stops taking more.
        ("a2.. until=u", "a0 a1 u2 a3", "0,1"),
        ("a2.. until=u", "a0 u1 a2 a3 au4 a5", "2,3 | 4,5"),
        ("a b1..3 until=u", "a0 b1 u2 b3", "0 1"),
        // Also one that waits for silence.
        ("a b !x within=5 until=u", "a0 b1 u5 c9", ""),
        ("a b !x within=5 until=u", "a0 b1 u6 c9", "0 1"),
        ("a b1.. !x<3 until=u", "a0 b1 u4 c9", ""),
        ("a b1.. !x<3 until=u", "a0 b1 u5 c9", "0 1"),
    ]);
}

#[test]
fn tightest_ends_first_and_is_as_late_as_can_be() {
    holds(&[
        ("a b tightest", "a0 a1 b2 b3", "1 2"),
        ("a b tightest", "a0 b1 a2 b3", "0 1 | 2 3"),
        ("a b c tightest", "a0 b1 a2 b3 c4", "2 3 4"),
        ("a2 b tightest", "a0 a1 a2 b3", "1,2 3"),
        ("a b2 tightest", "a0 b1 a2 b3 a4 b5", "0 1,3"),
        ("a b within=3 tightest", "a0 b4 a5 b6", "5 6"),
        ("a b<2 c tightest", "a0 b1 b5 c6", "0 1 6"),
        ("a !x b tightest", "a0 a1 x2 b3 a4 b5", "4 5"),
        ("a2 !x b2 tightest", "a0 a1 b2 x3 b4", "0,1 2,4"),
        ("!x<2 a b tightest", "c-9 x1 a2 a4 x5 a6 b7", "4 7"),
        ("a b until=u tightest", "a0 u1 b2 a3 b4", "3 4"),
        ("a b until=u tightest", "a0 bu1 au2 b3", "2 3"),
        // Silence from the first entry on: a later first entry would have to wait longer.
        ("a b !x within=5 tightest", "a0 a3 b4 x7 c99", "0 4"),
        ("a b !x within=5 tightest", "a3 b4 x7 c99", ""),
    ]);
}

#[test]
fn an_entry_with_no_time_is_within_nothing_and_comes_last() {
    holds(&[
        ("a b", "b? a0", "0 -"),
        ("a b", "a? b?", "- -"),
        ("a b", "a? b0", ""),
        ("a b within=5", "a0 b?", ""),
        ("a within=5", "a?", ""),
        ("a b<5", "a0 b?", ""),
        ("a !x b", "a0 b? x?", "0 -"),
        ("a !x b", "a0 x? b?", ""),
        ("a !x<5", "a0 x? c9", "0"),
        ("a !x<5", "a? c9", ""),
        ("!x<5 a", "c-9 a?", ""),
        ("a1.. until=u", "a0 u? a?", "0 | -"),
    ]);
}

#[test]
fn keys_are_apart_and_compared_by_their_text() {
    let mut corpus = Corpus::random(&mut Random::new(1), 0);
    push(&mut corpus, 0, 0, "a", Some(0), "alice");
    push(&mut corpus, 4, 1, "a", Some(1), "bob");
    push(&mut corpus, 2, 2, "b", Some(2), "bob");
    push(&mut corpus, 4, 3, "b", Some(3), "alice");
    corpus.streams[2][0].cells[USER] = Cell::Text("bob");
    let mut plan = plan("a b");
    assert_eq!(found(&plan, TimeRange::default(), &corpus), "0 3 | 1 2");
    let operator = sequence(&plan, TimeRange::default());
    let first = &rows(&operator, absorbed(&operator, &corpus), &corpus.sources)[0];
    let mut line = Vec::new();
    Value::List(first[..6].to_vec()).write_json(&mut line);
    assert_eq!(
        String::from_utf8(line).unwrap(),
        r#"[{"user":"alice"},"1970-01-01T00:00:00Z","1970-01-01T00:00:03Z",3000,["host0","host1"],true]"#
    );

    plan.scope = Scope::Host;
    assert_eq!(found(&plan, TimeRange::default(), &corpus), "");
    // A step's own key: the service itself is the user here.
    plan.scope = Scope::Everywhere;
    plan.steps[1].key = Some(vec![Expr::Literal(Value::text(b"alice"))]);
    assert_eq!(found(&plan, TimeRange::default(), &corpus), "0 2");
}

#[test]
fn steps_that_cannot_be_followed_are_refused() {
    let none = |text: &str| Sequence::new(&plan(text), TimeRange::default(), &[0]).is_none();
    assert!(none("!x<5"));
    assert!(none(&"a ".repeat(64)));
    assert!(!none(&"a ".repeat(63)));
}

#[test]
fn scope_keeps_matches_within_a_host_or_a_file() {
    let mut corpus = Corpus::random(&mut Random::new(1), 0);
    for (index, (stream, letters)) in [(0, "a"), (4, "b"), (1, "b"), (0, "b")].iter().enumerate() {
        push(
            &mut corpus,
            *stream,
            index,
            letters,
            Some(index as i64),
            "alice",
        );
    }
    let scopes = [Scope::Everywhere, Scope::Host, Scope::File];
    let wanted = ["0 1", "0 2", "0 3"];
    for (scope, wanted) in scopes.into_iter().zip(wanted) {
        let mut plan = plan("a b");
        plan.scope = scope;
        assert_eq!(found(&plan, TimeRange::default(), &corpus), wanted);
    }
}

#[test]
fn silence_that_nobody_listened_to_is_not_certain() {
    let range = |from: i64, to: i64| TimeRange {
        from_ns: Some(from * SECOND),
        to_ns: Some(to * SECOND),
    };
    let open = TimeRange::default();
    for (text, range, entries, wanted) in [
        // Up to the last entry of any key.
        ("a !x<5", open, "a0 c5", "0"),
        ("a !x<5", open, "a0 c4", "0?"),
        ("a !x within=5", open, "a0 c4", "0?"),
        ("a b !x within=5", open, "a0 b3 c5", "0 3"),
        ("a b !x<3 within=5", open, "a0 b3 c5", "0 3?"),
        ("!x<5 a", open, "c0 a5", "5"),
        ("!x<5 a", open, "c1 a5", "5?"),
        ("!x<9 !u<5 a", open, "c1 a9", "9?"),
        // Up to the edges of the range, of which the later is outside.
        ("a !x<5", range(0, 6), "c-9 a0 c9", "0"),
        ("a !x<5", range(0, 5), "c-9 a0 c9", "0?"),
        ("!x<5 a", range(0, 9), "c-9 a5 c9", "5"),
        ("!x<5 a", range(1, 9), "c-9 a5 c9", "5?"),
        // Between two others there is no edge.
        ("a !x b", range(0, 9), "a0 b8", "0 8"),
        ("a b", range(0, 9), "a0 b8", "0 8"),
        // What is outside is no candidate, not even for silence or `until`.
        ("a b", range(1, 9), "a0 a1 b8 b9", "1 8"),
        ("a !x<5", range(0, 3), "a0 x4 c9", "0?"),
        ("a b until=u", range(1, 9), "u0 a1 b8 c9", "1 8"),
    ] {
        let found = found(&plan(text), range, &corpus(entries));
        assert_eq!(found, wanted, "{text}: {entries}");
    }
}

/// Of two hosts one is lost.
struct Lost<'a>(&'a Corpus);

impl Sources for Lost<'_> {
    fn source(&self, place: &Place) -> &Source {
        self.0.sources.source(place)
    }

    fn is_complete(&self, log: u16) -> bool {
        log != 1
    }

    fn is_complete_on(&self, host: u32, log: u16) -> bool {
        (host, log) != (1, 1)
    }
}

#[test]
fn what_is_lost_in_scope_makes_no_row_certain() {
    let mut corpus = corpus("a0 b1");
    push(&mut corpus, 6, 0, "a", Some(2), "alice");
    push(&mut corpus, 6, 1, "b", Some(3), "alice");
    let mut plan = plan("a b");
    let certain = |plan: &SequencePlan, logs: &[u16]| {
        let operator = Sequence::new(plan, TimeRange::default(), logs).unwrap();
        let rows = rows(&operator, absorbed(&operator, &corpus), &Lost(&corpus));
        let rows: Vec<String> = rows.iter().map(|row| written(row)).collect();
        rows.join(" | ")
    };
    assert_eq!(certain(&plan, &[0]), "0 1 | 2 3");
    assert_eq!(certain(&plan, &[0, 1]), "0 1? | 2 3?");
    // Matches of one host rest on nothing of another.
    plan.scope = Scope::Host;
    assert_eq!(certain(&plan, &[0, 1]), "0 1 | 2 3?");
}

#[test]
fn a_step_shows_its_first_entries_and_counts_all() {
    let mut corpus = Corpus::random(&mut Random::new(1), 0);
    for index in 0..3 * SHOWN {
        push(&mut corpus, 0, index, "a", Some(index as i64), "alice");
    }
    let operator = sequence(&plan("a1.."), TimeRange::default());
    let rows = rows(&operator, absorbed(&operator, &corpus), &corpus.sources);
    assert_eq!(rows.len(), 1);
    let step = &list(&rows[0][6])[0];
    assert_eq!(part(step, "count"), &Value::Int(3 * SHOWN as i128));
    assert_eq!(list(part(step, "entries")).len(), SHOWN);
    assert_eq!(rows[0][3], Value::Int((3 * SHOWN as i128 - 1) * 1000));
}

/// Where every entry is a candidate of every step, and nothing leads anywhere, or everything does.
#[test]
fn a_key_of_many_candidates_takes_no_longer_for_each() {
    const MANY: usize = 40_000;
    let mut letters = vec!["ab"; MANY];
    letters[MANY - 1] = "abc";
    let mut corpus = Corpus::random(&mut Random::new(1), 0);
    for (index, letters) in letters.iter().enumerate() {
        push(&mut corpus, 0, index, letters, Some(index as i64), "alice");
    }
    for (text, wanted) in [
        ("a b c", 1),
        ("a b c within=20000", 1),
        ("a b c<1 within=3", 1),
        ("a b x", 0),
        ("a !b b", MANY / 2),
        ("a2 !b b", MANY / 3),
        ("a2.. !b c<1", 1),
        ("!a<1 b", 1),
        ("!a<28000 b", 1),
        ("b !a within=28000", 1),
        ("b !a<28000", 1),
        ("b1..3 !a<28000", 1),
        ("a1000 b", MANY / 1001),
        ("a b until=a", 0),
        ("a b until=c", (MANY - 1) / 2),
        ("a b tightest", MANY / 2),
        ("a b c tightest", 1),
        ("a b x tightest", 0),
        ("!a<28000 b2 c tightest", 1),
        ("a3 b !a within=28000 tightest", 2),
        ("a b until=c tightest", (MANY - 1) / 2),
        ("a1000 b1000 within=2500 tightest", MANY / 2000),
    ] {
        let operator = sequence(&plan(text), TimeRange::default());
        let partial = absorbed(&operator, &corpus);
        let rows = rows(&operator, partial, &corpus.sources);
        assert_eq!(rows.len(), wanted, "{text}");
    }
}

#[test]
fn a_partial_of_another_plan_is_refused() {
    let corpus = corpus("a0 x1 b2");
    let operator = sequence(&plan("a !x b"), TimeRange::default());
    let partial = absorbed(&operator, &corpus);
    assert!(operator.accepts(&partial));
    assert!(!sequence(&plan("a b"), TimeRange::default()).accepts(&partial));
    assert!(!sequence(&plan("!x<5 a b"), TimeRange::default()).accepts(&partial));
    for spoil in [
        (|partial| partial.candidates.swap(0, 1)) as fn(&mut super::KeyPartial),
        |partial| partial.candidates[0].record = None,
        |partial| partial.candidates[0].place.offset += 1,
        |partial| partial.candidates[1].bits |= 1 << 40,
        |partial| partial.values = Box::new([]),
    ] {
        let mut spoilt = partial.clone();
        spoilt.keys.values_mut().for_each(spoil);
        assert!(!operator.accepts(&spoilt));
    }
}

#[test]
fn bytes_do_not_show_how_the_partial_came_about() {
    let corpus = corpus("a5 b3 a1 b9 a7");
    let operator = sequence(&plan("a b"), TimeRange::default());
    let whole = absorbed(&operator, &corpus);
    let parts = corpus.events().rev().map(|event| {
        let mut partial = operator.empty();
        corpus.with_entry(event, |entry| operator.absorb(&mut partial, entry));
        partial
    });
    let merged = parts.reduce(|left, right| operator.merge(left, right));
    assert_eq!(frame::to_bytes(&merged.unwrap()), frame::to_bytes(&whole));
}
