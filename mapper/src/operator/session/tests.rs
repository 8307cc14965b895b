//! Times of entries in pieces, and the sessions that the gap makes of them.

use bstr::BStr;
use jobspec::expr::Expr;
use jobspec::plan::{Named, SessionKey, SessionPlan, TimeRange};
use jobspec::value::{Time, Value};
use smallvec::SmallVec;

use super::partial::Sessions;
use super::{Session, SessionPartial};
use crate::entry::Place;
use crate::frame;
use crate::operator::laws::corpus::{Cell, Corpus, Event, FIELDS, Random, STATUS, USER};
use crate::operator::laws::records_of;
use crate::operator::{Operator, Rows, Run};

const SECOND: i64 = 1_000_000_000;

/// First second, last second and number of entries of every session.
#[derive(Default)]
struct Found(Vec<(i64, i64, i128)>);

impl Rows for Found {
    fn push(&mut self, row: &[Value<'_>]) {
        self.push_keyed(b"", row);
    }

    fn push_keyed(&mut self, _key: &[u8], row: &[Value<'_>]) {
        let [
            _,
            Value::Time(start),
            Value::Time(end),
            _,
            Value::Int(entries),
            ..,
        ] = row
        else {
            panic!("{row:?}");
        };
        self.0.push((start.ns / SECOND, end.ns / SECOND, *entries));
    }
}

fn session(gap_ns: Option<i64>, is_linked: bool) -> Session {
    let named = |field: usize| Named {
        name: FIELDS[field].to_owned(),
        expr: Expr::Field(field as u16),
    };
    let plan = SessionPlan {
        predicate: None,
        key: match is_linked {
            true => SessionKey::Link {
                ids: vec![named(USER), named(STATUS)],
                hub: 9,
            },
            false => SessionKey::By(vec![named(USER)]),
        },
        gap_ns,
        starts: None,
        ends: None,
        timeline: 2,
        measures: Vec::new(),
        select: Vec::new(),
        having: None,
        max: 10,
    };
    Session::new(&plan, TimeRange::default(), &[0])
}

/// What comes of pieces that are merged in the reducer.
fn found(operator: &Session, corpus: &Corpus, pieces: &[Vec<i64>]) -> Vec<(i64, i64, i128)> {
    let mut records = Vec::new();
    for (file, seconds) in pieces.iter().enumerate() {
        let mut partial = operator.empty();
        for (index, second) in seconds.iter().enumerate() {
            let time = Time::new(second * SECOND, 0);
            let place = Place {
                time_ns: time.ns,
                host: 0,
                log: 0,
                stream: 0,
                file: file as u32,
                offset: 10 * index as u64,
            };
            let mut cells = vec![Cell::Missing; FIELDS.len()];
            cells[USER] = Cell::Text("alice");
            // Ids that the user joins.
            cells[STATUS] = Cell::Int(second % 3);
            let event = Event::new(place, Some(time), cells);
            corpus.with_entry(&event, |entry| operator.absorb(&mut partial, entry));
        }
        let mut run = Run::default();
        operator.take_last_records(&mut partial, &mut run);
        records.extend(records_of(run));
    }
    let (key, _) = &records[0];
    let values: Vec<&[u8]> = records.iter().map(|(_, value)| &value[..]).collect();
    let value = operator.join_values(key, &values).expect("its own records");
    let mut found = Found::default();
    let core = operator.empty();
    let finished = operator.finish_record(&core, key, &[&value], &corpus.sources, &mut found);
    finished.expect("its own record");
    found.0
}

#[test]
fn a_session_goes_on_as_long_as_no_silence_exceeds_the_gap() {
    let corpus = Corpus::random(&mut Random::new(1), 0);
    let mut of_many = 0;
    for seed in 1..=200 {
        let mut random = Random::new(seed);
        let gap = random.pick(&[None, Some(0), Some(1), Some(5), Some(20)]);
        let mut times = Vec::new();
        let mut pieces = vec![Vec::new(); 1 + random.below(3)];
        for piece in &mut pieces {
            for _ in 0..1 + random.below(12) {
                piece.push(random.below(100) as i64);
            }
            times.extend_from_slice(piece);
        }
        times.sort_unstable();
        let sessions = times.chunk_by(|left, right| gap.is_none_or(|gap| right - left <= gap));
        let sessions =
            sessions.map(|times| (times[0], times[times.len() - 1], times.len() as i128));
        let wanted: Vec<_> = sessions.collect();
        of_many += usize::from(wanted.len() > 1 && times.len() > wanted.len());
        for is_linked in [false, true] {
            let operator = session(gap.map(|gap| gap * SECOND), is_linked);
            let found = found(&operator, &corpus, &pieces);
            assert_eq!(found, wanted, "seed {seed}, linked: {is_linked}");
        }
    }
    assert!(of_many > 50, "{of_many}");
}

#[test]
fn a_key_comes_once_and_what_it_holds_is_counted() {
    let key = |key: &'static str| {
        let sessions = Sessions::Fragments(SmallVec::new());
        (BStr::new(key), (BStr::new("k"), sessions))
    };
    let decoded = |run: &[(&BStr, (&BStr, Sessions))]| {
        let bytes = frame::to_bytes(&(run, 0_u64));
        frame::from_bytes::<SessionPartial>(&bytes)
    };
    assert!(decoded(&[key("a"), key("b")]).is_ok());
    assert!(decoded(&[key("a"), key("a")]).is_err());
    let mut more_kinds = key("a");
    more_kinds.1.0 = BStr::new("kkkk");
    assert!(decoded(&[key("a"), more_kinds]).is_err());

    let corpus = Corpus::random(&mut Random::new(1), 0);
    let operator = session(None, false);
    let mut partial = operator.empty();
    let mut before = operator.bytes(&partial);
    for second in 0..3 {
        let time = Time::new(second * SECOND, 0);
        let place = Place {
            time_ns: time.ns,
            host: 0,
            log: 0,
            stream: 0,
            file: 0,
            offset: 10 * second as u64,
        };
        let mut cells = vec![Cell::Missing; FIELDS.len()];
        cells[USER] = Cell::Text("alice");
        let event = Event::new(place, Some(time), cells);
        corpus.with_entry(&event, |entry| operator.absorb(&mut partial, entry));
        // The timeline keeps two.
        let bytes = operator.bytes(&partial);
        assert_eq!(bytes > before, second < 2, "{second}");
        before = bytes;
    }
}
