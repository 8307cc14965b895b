//! Logs of which no entry can have a time: any cuts give what the oracle gives, and every segment has its part.

use jobspec::expr::{Column, Expr, Like};
use jobspec::plan::{FormatChoice, OperatorKind, OperatorPlan, Plan, SelectPlan};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::{any_text, check};
use crate::format::choose;
use crate::format::tests::format_plan;
use crate::segment::oracle::{Folder, context, log, read_all};
use crate::segment::*;

/// Every line fits it; it is an entry, or an entry begins where there is a mark.
pub(super) fn format(multiline: bool) -> Box<dyn Format> {
    let start = if multiline {
        "multiline = '^[@#%]'"
    } else {
        ""
    };
    let table = format!("pattern = '(?-u)^(?<message>.*)'\n{start}");
    let plan = format_plan("lines", &table.parse().unwrap());
    choose(FormatChoice::Custom(0), &log(&[]), &[plan], b"").format
}

/// Entries that hold a text are selected.
fn plan(text: &str) -> Plan {
    Plan {
        timezone: "UTC".to_owned(),
        logs: vec![log(&[])],
        operators: vec![OperatorPlan {
            name: "found".to_owned(),
            logs: vec![0],
            kind: OperatorKind::Select(SelectPlan {
                predicate: Some(Expr::Like {
                    value: Box::new(Expr::Column(Column::Message)),
                    like: Like::new(&format!("%{text}%"), None, false).unwrap(),
                }),
                columns: None,
                order: Vec::new(),
                limit: None,
                from_sql: false,
            }),
        }],
        ..Plan::default()
    }
}

proptest! {
    #![proptest_config(Config {
        cases: 200,
        rng_seed: RngSeed::Fixed(20260122),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn any_cut_gives_the_entries_of_the_oracle(
        files in vec(any_text(), 1..5),
        packing in vec(0..6_u8, 1..4),
        all_plain in any::<bool>(),
        target in 1..40_u64,
        window in 1..60_usize,
        multiline in any::<bool>(),
    ) {
        let packing = if all_plain { vec![0] } else { packing };
        check(&files, &packing, target, window, &*format(multiline));
    }

    #[test]
    fn what_is_passed_over_is_counted_and_nothing_wanted_is(
        files in vec(vec(any_text(), 1..6), 1..4),
        target in 1..200_u64,
        window in 1..400_usize,
    ) {
        let files: Vec<Vec<u8>> = files.iter().map(|parts| parts.concat()).collect();
        let (format, plan) = (format(false), plan("@7 "));
        let prefilter = Prefilter::new(&plan, &plan.logs[0], plan.operators.iter(), &*format);
        let folder = Folder::new();
        let stream = folder.stream(&files, &[0]);
        let (wanted, counts) = (Wanted::default(), LineCounts::default());
        let mut context = context(&*format, &wanted);
        context.window_bytes = window;
        context.line_counts = Some(&counts);
        let cuts = cuts(&stream, true, target);
        let (mut expected, whole) = read_all(&stream, &cuts, &context);
        context.prefilter = Some(prefilter.as_ref().unwrap());
        let (mut found, tally) = read_all(&stream, &cuts, &context);
        expected.retain(|seen| seen.raw.starts_with(b"@7 "));
        found.retain(|seen| seen.raw.starts_with(b"@7 "));
        prop_assert_eq!(found, expected);
        let (whole, total) = (whole.total(), tally.total());
        prop_assert_eq!(
            (total.bytes, total.lines, total.entries, total.blank, total.cut, total.malformed),
            (whole.bytes, whole.lines, whole.entries, whole.blank, whole.cut, whole.malformed)
        );
        prop_assert_eq!(total.unparsed + total.untimed, total.entries);
    }
}

#[test]
fn every_segment_has_its_part() {
    for (multiline, entries_a_segment) in [(false, 30..=36), (true, 10..=12)] {
        let folder = Folder::new();
        let text = b"# first\n  second\n\n  third\n".repeat(1_000);
        let stream = folder.stream(&[text], &[0]);
        let (format, wanted) = (format(multiline), Wanted::default());
        let context = context(&*format, &wanted);
        let cuts = cuts(&stream, format.splittable(), 286);
        assert_eq!(cuts.len(), 91);
        for cut in &cuts[..90] {
            let (seen, _) = read_all(&stream, &[*cut], &context);
            assert!(entries_a_segment.contains(&seen.len()), "{cut:?}");
        }
    }
}

/// From the first line on, where else nobody would know whose time they inherit.
#[test]
fn lines_are_passed_over_from_the_first_on() {
    let folder = Folder::new();
    let stream = folder.stream(&[b"a line of words\n".repeat(1_000)], &[0]);
    let (format, wanted, plan) = (format(false), Wanted::default(), plan("timeout"));
    let prefilter = Prefilter::new(&plan, &plan.logs[0], plan.operators.iter(), &*format);
    let mut context = context(&*format, &wanted);
    context.prefilter = prefilter.as_ref();
    let cuts = cuts(&stream, true, 4_000);
    let (seen, tally) = read_all(&stream, &cuts, &context);
    let total = tally.total();
    assert_eq!(total.entries, 1_000);
    assert_eq!(total.unparsed + seen.len() as u64, 1_000);
    assert!(
        seen.len() <= 4 * cuts.len(),
        "{} were read of {} segments",
        seen.len(),
        cuts.len()
    );
}
