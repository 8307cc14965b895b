//! Logs that keep their promise and no more: all that an operator can see is kept, and what is left out is counted.

use std::fs;
use std::time::{Duration, SystemTime};

use jobspec::expr::Expr;
use jobspec::plan::{
    AggregatePlan, ContextPlan, Limits, LogPlan, OperatorPlan, PatternsPlan, Pick, Scope,
    SequencePlan, StepPlan,
};
use jobspec::value::Value;
use jobspec::zone::Zone;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::search::Grain;
use super::*;
use crate::format::Wanted;
use crate::segment::oracle::{Folder, Marks, Seen, context, log, read_all};
use crate::segment::{self, LineCounts};
use crate::tally::StreamTally;

const SECOND_NS: i64 = 1_000_000_000;

/// The cuts without what cannot matter, and what that is.
fn prune(
    stream: &Stream,
    cuts: Vec<Cut>,
    span: &Span,
    context: &ReadContext<'_>,
) -> (Vec<Cut>, Vec<Pruned>) {
    let kept = Kept::of(stream, span, context);
    (kept.clip(cuts), kept.pruned(stream))
}

const FINE: Grain = Grain {
    probe_bytes: 16,
    least_bytes: 8,
};

fn literal(value: bool) -> Expr {
    Expr::Literal(Value::Bool(value))
}

fn seconds(range: (Option<i64>, Option<i64>)) -> TimeRange {
    TimeRange {
        from_ns: range.0.map(|from| from * SECOND_NS),
        to_ns: range.1.map(|to| to * SECOND_NS),
    }
}

fn plan(disorder: Option<i64>, range: TimeRange, kinds: Vec<OperatorKind>) -> Plan {
    let operators = kinds.into_iter().map(|kind| OperatorPlan {
        name: "test".to_owned(),
        logs: vec![0],
        kind,
    });
    Plan {
        job: "prune".to_owned(),
        range,
        timezone: "UTC".to_owned(),
        fields: Vec::new(),
        formats: Vec::new(),
        logs: vec![LogPlan {
            disorder_ns: disorder.map(|disorder| disorder * SECOND_NS),
            ..log(&[])
        }],
        operators: operators.collect(),
        line_numbers: false,
        limits: Limits::default(),
    }
}

fn aggregate() -> OperatorKind {
    OperatorKind::Aggregate(AggregatePlan {
        predicate: None,
        group: Vec::new(),
        measures: Vec::new(),
        columns: Vec::new(),
        having: None,
        order: Vec::new(),
        limit: None,
        from_sql: false,
    })
}

fn around(before: Reach, after: Reach) -> OperatorKind {
    OperatorKind::Context(ContextPlan {
        predicate: literal(true),
        before,
        after,
        max: 10_000,
    })
}

fn silence() -> OperatorKind {
    let step = |absent| StepPlan {
        name: "step".to_owned(),
        predicate: literal(true),
        min: 1,
        max: Some(1),
        key: None,
        absent,
        within_ns: None,
    };
    OperatorKind::Sequence(SequencePlan {
        key: Vec::new(),
        within_ns: Some(SECOND_NS),
        steps: vec![step(false), step(true)],
        until: None,
        pick: Pick::Leftmost,
        scope: Scope::Everywhere,
    })
}

fn patterns(baseline: TimeRange) -> OperatorKind {
    OperatorKind::Patterns(PatternsPlan {
        predicate: None,
        field: literal(true),
        group: Vec::new(),
        baseline: Some(baseline),
        limit: None,
    })
}

/// A settled stream of these texts.
fn stream(folder: &Folder, files: &[Vec<u8>], packing: &[u8], format: &Marks) -> Stream {
    let mut stream = folder.stream(files, packing);
    for (place, file) in stream.files.iter_mut().enumerate() {
        file.place_by_name = place as u32;
    }
    stream.settle(format, Zone::UTC, None);
    stream
}

fn kept(stream: &Stream, span: &Span, context: &ReadContext<'_>, grain: Grain) -> Kept {
    Search {
        stream,
        span,
        context,
        grain,
    }
    .kept()
}

fn is_near(left: Option<i64>, right: Option<i64>, duration: i64) -> bool {
    left.zip(right)
        .is_some_and(|(left, right)| (left - right).abs() <= duration)
}

/// By index: what an operator sees of a stream's entries, where it takes those of the range.
fn needed(kind: &OperatorKind, range: (Option<i64>, Option<i64>), entries: &[Seen]) -> Vec<bool> {
    let whole = seconds(range);
    let baseline = match kind {
        OperatorKind::Patterns(plan) => plan.baseline,
        _ => None,
    };
    let times: Vec<Option<i64>> = entries.iter().map(|entry| entry.time).collect();
    let inside = |range: TimeRange, time: Option<i64>| range.contains(time.map(|s| s * SECOND_NS));
    let mut needed = vec![false; entries.len()];
    for (index, &time) in times.iter().enumerate() {
        needed[index] |= baseline.is_some_and(|range| inside(range, time));
        if !inside(whole, time) {
            continue;
        }
        needed[index] = true;
        let OperatorKind::Context(plan) = kind else {
            continue;
        };
        let reaches = |reach: Reach, other: usize| match reach {
            Reach::Entries(most) => index.abs_diff(other) <= most as usize,
            Reach::DurationNs(ns) => is_near(time, times[other], ns / SECOND_NS),
        };
        let back = (0..index)
            .rev()
            .take_while(|&other| reaches(plan.before, other));
        back.for_each(|other| needed[other] = true);
        let forth = (index + 1..entries.len()).take_while(|&other| reaches(plan.after, other));
        forth.for_each(|other| needed[other] = true);
    }
    needed
}

#[derive(Clone, Debug)]
struct Line {
    /// How far the clock goes on, and how much of the disorder this line takes.
    step: i64,
    late: i64,
    shape: u8,
}

/// Lines that are never more than `disorder` earlier than one before them.
fn text(lines: &[Line], disorder: i64) -> Vec<u8> {
    let mut clock = 1000;
    let lines = lines.iter().map(|line| {
        clock += line.step;
        let time = clock - line.late.min(disorder);
        match line.shape {
            0 => "# untimed\n".to_owned(),
            1 => format!("%{time} malformed\n"),
            2 => "@! odd\n".to_owned(),
            3 => format!("@{time} entry\n  and more\n"),
            4 => "\n".to_owned(),
            _ => format!("@{time} entry\n"),
        }
    });
    lines.collect::<String>().into_bytes()
}

fn any_line() -> impl Strategy<Value = Line> {
    let step = prop_oneof![4 => 0..4_i64, 1 => 0..60_i64];
    (step, 0..60_i64, 0..16_u8).prop_map(|(step, late, shape)| Line { step, late, shape })
}

fn any_reach() -> impl Strategy<Value = Reach> {
    prop_oneof![
        (0..6_u32).prop_map(Reach::Entries),
        (0..30_i64).prop_map(|duration| Reach::DurationNs(duration * SECOND_NS)),
    ]
}

fn any_range() -> impl Strategy<Value = (Option<i64>, Option<i64>)> {
    let edge = || proptest::option::weighted(0.8, 950..1300_i64);
    (edge(), edge()).prop_map(|(from, to)| match (from, to) {
        (Some(from), Some(to)) => (Some(from.min(to)), Some(from.max(to) + 1)),
        open => open,
    })
}

fn any_kind() -> impl Strategy<Value = OperatorKind> {
    prop_oneof![
        3 => (any_reach(), any_reach()).prop_map(|(before, after)| around(before, after)),
        2 => Just(aggregate()),
        1 => Just(silence()),
        1 => any_range().prop_map(|range| patterns(seconds(range))),
    ]
}

proptest! {
    #![proptest_config(Config {
        cases: 400,
        rng_seed: RngSeed::Fixed(20260119),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn what_operators_see_is_kept(
        lines in vec(any_line(), 1..120),
        disorder in prop_oneof![Just(0), Just(2), Just(15), Just(60)],
        borders in vec(0..4000_usize, 0..5),
        packing in vec(0..4_u8, 1..4),
        all_plain in any::<bool>(),
        kinds in vec(any_kind(), 1..3),
        range in any_range(),
        target in 1..400_u64,
        ahead in prop_oneof![2 => Just(0), 1 => -20..20_i64],
        multiline in any::<bool>(),
        is_splittable in any::<bool>(),
    ) {
        let text = text(&lines, disorder);
        let mut borders: Vec<usize> = borders
            .into_iter()
            .filter_map(|border| Some(border + 1 + text.get(border..)?.iter().position(|&byte| byte == b'\n')?))
            .collect();
        borders.extend([0, text.len()]);
        borders.sort_unstable();
        let files: Vec<_> = borders.windows(2).map(|pair| text[pair[0]..pair[1]].to_vec()).collect();
        let format = Marks { multiline, quotes: !is_splittable, wraps: false };
        let folder = Folder::new();
        let packing = if all_plain { vec![0] } else { packing };
        let stream = stream(&folder, &files, &packing, &format);
        let wanted = Wanted::default();
        let mut context = context(&format, &wanted);
        context.clock_ahead_ns = ahead * SECOND_NS;
        let cuts = segment::cuts(&stream, is_splittable, target);
        let (all, _) = read_all(&stream, &cuts, &context);

        let plan = plan(Some(disorder), seconds(range), kinds.clone());
        let span = Span::of(&plan, 0);
        prop_assume!(span.is_some());
        let span = span.unwrap();
        for grain in [FINE, Grain { probe_bytes: 100, least_bytes: 50 }] {
            let kept = kept(&stream, &span, &context, grain);
            let cuts = kept.clip(cuts.clone());
            let (seen, tally) = read_all(&stream, &cuts, &context);
            let first = match seen.first() {
                Some(first) => all.iter().position(|entry| entry == first).unwrap(),
                None => 0,
            };
            prop_assert_eq!(&all[first..first + seen.len()], &seen[..]);
            for kind in &kinds {
                for (index, _) in needed(kind, range, &all).iter().enumerate().filter(|(_, needed)| **needed) {
                    prop_assert!(
                        (first..first + seen.len()).contains(&index),
                        "{kind:?} in {range:?}: entry {index} of {}: {:?}, {kept:?} of {files:?}",
                        all.len(),
                        all[index]
                    );
                }
                if rests_on_silence(kind) {
                    let early = |entry: &Seen| entry.time.zip(range.0).is_some_and(|(time, from)| time < from);
                    let late = |entry: &Seen| entry.time.zip(range.1).is_some_and(|(time, to)| time >= to);
                    prop_assert_eq!(all.iter().any(early), seen.iter().any(early));
                    prop_assert_eq!(all.iter().any(late), seen.iter().any(late));
                }
            }
            // What is pruned and what is read is all there is.
            let total = tally.total();
            prop_assert_eq!(total.lines, total.entries + total.continuation + total.blank + total.header + total.outside);
            check_parts(&stream, &kept.pruned(&stream), &tally);
        }
    }
}

/// A file that is left out is not read, and one that is read is not left out as a whole.
fn check_parts(stream: &Stream, pruned: &[Pruned], tally: &StreamTally) {
    for (place, file) in stream.files.iter().enumerate() {
        let parts = pruned.iter().filter(|part| part.file == place as u32);
        let bytes: u64 = parts.clone().map(|part| part.bytes(file)).sum();
        assert!(bytes <= file.size);
        let read = tally
            .files
            .get(&(place as u32))
            .map_or(0, |file| file.bytes);
        if parts.clone().count() == 0 && file.is_plain() {
            assert_eq!(read, file.size, "{} is not left out", file.path);
        }
    }
}

/// Hours of a log with an entry a minute, in files of an hour each.
fn hours(count: i64) -> Vec<Vec<u8>> {
    let hour = |hour: i64| {
        let minutes = (0..60).map(|minute| format!("@{} entry\n", hour * 3600 + minute * 60));
        minutes.collect::<String>().into_bytes()
    };
    (0..count).map(hour).collect()
}

/// Files that are read, by place, where an operator of this kind reads 12 hourly files.
fn files_read(
    packing: u8,
    disorder: Option<i64>,
    (from, to): (Option<i64>, Option<i64>),
    kind: OperatorKind,
) -> Vec<u32> {
    let format = Marks {
        multiline: false,
        quotes: false,
        wraps: false,
    };
    let folder = Folder::new();
    let stream = stream(&folder, &hours(12), &[packing], &format);
    let wanted = Wanted::default();
    let hour = |hour: i64| hour * 3600;
    let plan = plan(
        disorder,
        seconds((from.map(hour), to.map(hour))),
        vec![kind],
    );
    let cuts = segment::cuts(&stream, true, 1000);
    let cuts = match Span::of(&plan, 0) {
        Some(span) => prune(&stream, cuts, &span, &context(&format, &wanted)).0,
        None => cuts,
    };
    let (seen, _) = read_all(&stream, &cuts, &context(&format, &wanted));
    let mut files: Vec<u32> = seen.iter().map(|entry| entry.file).collect();
    files.dedup();
    files
}

#[test]
fn files_are_left_out_by_their_first_times() {
    const HOUR: i64 = 3600;
    let all: Vec<u32> = (0..12).collect();
    for packing in [0, 1, 3] {
        let read = |disorder, range, kind| files_read(packing, disorder, range, kind);
        let plain = |disorder, range| read(Some(disorder), range, aggregate());
        // A file whose first entry is exactly `disorder` before `from` may have one of the range before it.
        assert_eq!(plain(0, (Some(5), Some(7))), [4, 5, 6]);
        assert_eq!(plain(HOUR, (Some(5), Some(7))), [3, 4, 5, 6, 7]);
        assert_eq!(plain(HOUR - 60, (Some(5), Some(7))), [4, 5, 6, 7]);
        assert_eq!(plain(0, (None, Some(2))), [0, 1]);
        assert_eq!(plain(0, (Some(10), None)), [9, 10, 11]);
        assert_eq!(plain(0, (Some(20), None)), [11]);
        assert!(plain(0, (Some(-9), Some(-8))).is_empty());
        assert_eq!(plain(0, (None, None)), all);
        assert_eq!(read(None, (Some(5), Some(7)), aggregate()), all);
        // An operator that looks beyond the range.
        let context = |before, after| around(before, after);
        let (hours, entries) = (
            |hours| Reach::DurationNs(hours * HOUR * SECOND_NS),
            Reach::Entries,
        );
        let range = (Some(5), Some(7));
        assert_eq!(
            read(Some(0), range, context(hours(1), hours(0))),
            [3, 4, 5, 6]
        );
        assert_eq!(
            read(Some(0), range, context(hours(0), hours(1))),
            [4, 5, 6, 7]
        );
        assert_eq!(
            read(Some(0), range, context(entries(1), entries(0))),
            [3, 4, 5, 6]
        );
        assert_eq!(
            read(Some(0), range, context(entries(61), entries(61))),
            [2, 3, 4, 5, 6, 7, 8]
        );
        assert_eq!(
            read(Some(0), range, context(entries(9999), entries(9999))),
            all
        );
        assert_eq!(read(Some(0), range, silence()), [3, 4, 5, 6, 7]);
        assert_eq!(read(Some(0), (Some(-9), Some(-8)), silence()), [0]);
        let baseline = seconds((Some(2 * HOUR), Some(3 * HOUR)));
        assert_eq!(read(Some(0), range, patterns(baseline)), [1, 2, 3, 4, 5, 6]);
        let open = seconds((None, Some(3 * HOUR)));
        assert_eq!(read(Some(0), range, patterns(open)), [0, 1, 2, 3, 4, 5, 6]);
    }
}

#[test]
fn dropped_entries_do_not_count_as_kept() {
    let range = seconds((Some(1), Some(2)));
    let kind = || around(Reach::Entries(3), Reach::DurationNs(SECOND_NS));
    let mut plan = plan(Some(0), range, vec![kind()]);
    plan.logs[0].drop = Some(literal(true));
    let span = Span::of(&plan, 0).unwrap();
    assert_eq!((span.from_ns, span.to_ns), (None, Some(3 * SECOND_NS)));
}

#[test]
fn operators_need_what_any_of_them_needs() {
    let range = seconds((Some(100), Some(200)));
    let of = |kinds| Span::of(&plan(Some(7), range, kinds), 0);
    let span = of(vec![
        aggregate(),
        around(Reach::DurationNs(5 * SECOND_NS), Reach::Entries(9)),
        around(Reach::Entries(3), Reach::Entries(2)),
    ]);
    let expected = Span {
        from_ns: Some(95 * SECOND_NS),
        to_ns: Some(200 * SECOND_NS),
        before: 3,
        after: 9,
        as_witness: false,
        disorder_ns: 7 * SECOND_NS,
    };
    assert_eq!(span, Some(expected));
    assert!(of(vec![aggregate(), silence()]).unwrap().as_witness);
    assert_eq!(of(Vec::new()), None);
    assert_eq!(of(vec![patterns(TimeRange::default())]), None);
    assert_eq!(Span::of(&plan(Some(7), range, vec![aggregate()]), 1), None);
}

#[test]
fn a_plain_file_is_searched_and_little_of_it_read() {
    let format = Marks {
        multiline: true,
        quotes: false,
        wraps: false,
    };
    let lines =
        (0..200_000).map(|second| format!("@{second} an entry of the log\n  and its rest\n"));
    let text = lines.collect::<String>().into_bytes();
    let folder = Folder::new();
    let stream = stream(&folder, std::slice::from_ref(&text), &[0], &format);
    let wanted = Wanted::default();
    let counts = LineCounts::default();
    let mut context = context(&format, &wanted);
    let plan = plan(
        Some(10),
        seconds((Some(100_000), Some(100_100))),
        vec![aggregate()],
    );
    let span = Span::of(&plan, 0).unwrap();
    let cuts = segment::cuts(&stream, true, 1 << 20);
    let (cuts, pruned) = prune(&stream, cuts, &span, &context);
    context.line_counts = Some(&counts);
    let (seen, tally) = read_all(&stream, &cuts, &context);
    let inside = seen
        .iter()
        .filter(|entry| (100_000..100_100).contains(&entry.time.unwrap()));
    assert_eq!(inside.count(), 100);
    assert!(
        tally.total().bytes < 1 << 20,
        "{} bytes",
        tally.total().bytes
    );
    assert_eq!(seen[0].line, seen[0].time.unwrap() as u64 * 2 + 1);
    let [before, after] = pruned[..] else {
        panic!("{pruned:?}");
    };
    assert_eq!((before.why, after.why), (Why::BeforeFrom, Why::AfterTo));
    let skipped = before.bytes(&stream.files[0]) + after.bytes(&stream.files[0]);
    assert!(skipped > text.len() as u64 - (1 << 20));
    assert_eq!((before.first, after.end), (0, None));
}

#[test]
fn one_wrong_time_decides_nothing() {
    let format = Marks {
        multiline: false,
        quotes: false,
        wraps: false,
    };
    // Every ninth entry is of 1970.
    let lines = (0..100_000).map(|second| match second % 9 {
        8 => "@0 a clock that was not set\n".to_owned(),
        _ => format!("@{} an entry of the log\n", 1_000_000 + second),
    });
    let text = lines.collect::<String>().into_bytes();
    let folder = Folder::new();
    let stream = stream(&folder, &[text], &[0], &format);
    let wanted = Wanted::default();
    let context = context(&format, &wanted);
    let plan = plan(
        Some(10),
        seconds((Some(1_050_000), Some(1_050_100))),
        vec![aggregate()],
    );
    let span = Span::of(&plan, 0).unwrap();
    let (cuts, _) = prune(
        &stream,
        segment::cuts(&stream, true, 1 << 20),
        &span,
        &context,
    );
    let (seen, _) = read_all(&stream, &cuts, &context);
    let inside = seen
        .iter()
        .filter(|entry| (1_050_000..1_050_100).contains(&entry.time.unwrap()));
    assert_eq!(inside.count(), 89);
}

#[test]
fn a_packed_file_goes_by_when_it_was_written() {
    const DAY: i64 = 86_400;
    let format = Marks {
        multiline: false,
        quotes: false,
        wraps: false,
    };
    let begin = 20_000 * DAY;
    // Days after its first time that the file was written last, the range's begin, whether it is read.
    for (packing, written, from, is_read) in [
        (1, 1, 3, false),
        (3, 1, 3, false),
        (1, 1, 2, true),
        // A time that contradicts the content, as archives and copies give it.
        (1, -400, 3, true),
        // A file that can be searched is.
        (0, 1, 3, true),
    ] {
        let folder = Folder::new();
        let text = format!("@{begin} first\n@{} last\n", begin + 3600).into_bytes();
        let path = folder.path().join("0.log");
        let mut stream = stream(&folder, &[text, b"".to_vec()], &[packing, 0], &format);
        let written = SystemTime::UNIX_EPOCH + Duration::from_secs((begin + written * DAY) as u64);
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(written)
            .unwrap();
        let first_ns = stream.files[0].first_ns;
        stream.files[0] = StreamFile::describe(path.as_os_str().as_encoded_bytes()).unwrap();
        stream.files[0].first_ns = first_ns;
        let wanted = Wanted::default();
        let context = context(&format, &wanted);
        let range = seconds((Some(begin + from * DAY), None));
        let plan = plan(Some(3600), range, vec![aggregate()]);
        let cuts = segment::cuts(&stream, true, 1 << 20);
        let (cuts, pruned) = prune(&stream, cuts, &Span::of(&plan, 0).unwrap(), &context);
        let (seen, _) = read_all(&stream, &cuts, &context);
        assert_eq!(!seen.is_empty(), is_read, "{packing} {from}");
        let whys: Vec<Why> = pruned.iter().map(|part| part.why).collect();
        match is_read {
            true => assert!(whys.is_empty()),
            false => assert_eq!(whys, [Why::WrittenBeforeFrom]),
        }
    }
}

#[test]
fn files_that_disorder_turned_round_are_all_read() {
    let format = Marks {
        multiline: false,
        quotes: false,
        wraps: false,
    };
    // The second file begins with a straggler, so its first time is the least.
    let late: String = (100..900).map(|second| format!("@{second}\n")).collect();
    let files = [
        b"@100\n@101\n".to_vec(),
        format!("@99\n{late}").into_bytes(),
    ];
    let folder = Folder::new();
    let stream = stream(&folder, &files, &[0], &format);
    assert_eq!(stream.files[0].place_by_name, 1);
    let wanted = Wanted::default();
    let context = context(&format, &wanted);
    let plan = plan(Some(5), seconds((Some(800), None)), vec![aggregate()]);
    let span = Span::of(&plan, 0).unwrap();
    let kept = kept(&stream, &span, &context, FINE);
    let cuts = kept.clip(segment::cuts(&stream, true, 100));
    let (seen, _) = read_all(&stream, &cuts, &context);
    assert_eq!(
        seen.iter().filter(|entry| entry.time >= Some(800)).count(),
        100
    );
}
