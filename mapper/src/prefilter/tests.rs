//! The law: whatever the predicate, format and log, the entries that satisfy it are the same with a prefilter and
//! without; and what was counted still adds up.

use jobspec::expr::{Column, Comparison, Expr, Like, Pattern, Set};
use jobspec::plan::{
    ContextPlan, FieldPath, FormatName, Limits, LogPlan, OperatorKind, OperatorPlan, PathPart,
    Plan, Reach, SelectPlan, TimeRange,
};
use jobspec::value::{Level, Value};

use super::*;
use crate::format::{Wanted, built_in_of};
use crate::operator::laws::corpus::Random;
use crate::operator::{AnyOperator, Run, Segment};
use crate::segment::oracle::{Folder, context, log};
use crate::segment::{Cut, cuts, read};
use crate::stream::Stream;
use crate::tally::StreamTally;

const FIELDS: [&str; 6] = [
    "service", "path", "status", "facility", "ctx.zone", "client",
];

fn plan(predicate: Expr, log: &LogPlan) -> Plan {
    let path = |text: &str| FieldPath {
        text: text.to_owned(),
        parts: text
            .split('.')
            .map(|part| PathPart::Name(part.to_owned()))
            .collect(),
    };
    Plan {
        job: "prefilter".to_owned(),
        range: TimeRange::default(),
        timezone: "UTC".to_owned(),
        fields: FIELDS.iter().map(|text| path(text)).collect(),
        formats: Vec::new(),
        logs: vec![log.clone()],
        operators: vec![OperatorPlan {
            name: "a".to_owned(),
            logs: vec![0],
            kind: OperatorKind::Select(SelectPlan {
                predicate: Some(predicate),
                columns: None,
                order: Vec::new(),
                limit: None,
                from_sql: false,
            }),
        }],
        line_numbers: false,
        limits: Limits::default(),
    }
}

fn boxed(expr: &Expr) -> Box<Expr> {
    Box::new(expr.clone())
}

fn text(text: &str) -> Expr {
    Expr::Literal(Value::owned_text(text))
}

fn like(value: &Expr, source: &str, any_case: bool) -> Expr {
    Expr::Like {
        value: boxed(value),
        like: Like::new(source, None, any_case).unwrap(),
    }
}

fn matches(value: &Expr, source: &str, any_case: bool) -> Expr {
    Expr::Matches {
        value: boxed(value),
        pattern: Pattern::new(source, any_case).unwrap(),
    }
}

fn compare(operator: Comparison, value: &Expr, literal: Expr) -> Expr {
    Expr::Compare {
        operator,
        left: boxed(value),
        right: Box::new(literal),
    }
}

fn one_of(value: &Expr, list: &[Value<'static>]) -> Expr {
    Expr::InSet {
        value: boxed(value),
        set: Box::new(Set::new(list.to_vec())),
    }
}

/// Well over a hundred, of every kind that says something of a line and of those that do not.
fn predicates() -> Vec<Expr> {
    let subjects: Vec<Expr> = [Column::Raw, Column::Message]
        .map(Expr::Column)
        .into_iter()
        .chain((0..FIELDS.len() as u16).map(Expr::Field))
        .collect();
    let mut all = Vec::new();
    for subject in &subjects {
        all.extend([
            like(subject, "%timeout%", false),
            like(subject, "conn%out%fter%", false),
            like(subject, "%TimeOut%", true),
            like(subject, "%kiosk%", true),
            like(subject, "/api/us%rs", false),
            like(subject, "%\\%%", false),
            like(subject, "%rue", false),
            like(subject, "%50%", false),
            like(subject, "%say \"hi\"%", false),
            matches(subject, "(timeout|refused) after \\d{3,}ms", false),
            matches(subject, "(?i)refused|kiosk", false),
            matches(subject, "^conn.*(reset)+", true),
            matches(subject, "ti.{2,4}out", false),
            matches(subject, "\\w+", false),
            compare(Comparison::Equal, subject, text("checkout")),
            compare(Comparison::Equal, subject, text("true")),
            compare(Comparison::Equal, subject, text("500")),
            compare(Comparison::Equal, subject, Expr::Literal(Value::Int(500))),
            compare(Comparison::NotEqual, subject, text("checkout")),
            compare(Comparison::GreaterOrEqual, subject, text("payments")),
            one_of(
                subject,
                &[Value::owned_text("checkout"), Value::owned_text("größe")],
            ),
            one_of(subject, &[Value::owned_text("checkout"), Value::Int(500)]),
            Expr::IsNull(boxed(subject)),
            Expr::Not(Box::new(like(subject, "%timeout%", false))),
        ]);
    }
    let message = &subjects[1];
    let level = compare(
        Comparison::GreaterOrEqual,
        &Expr::Column(Column::Level),
        Expr::literal_level(Level::Error),
    );
    all.extend([
        level.clone(),
        Expr::And(vec![level.clone(), like(message, "%timeout%", false)]),
        Expr::Or(vec![level, like(message, "%timeout%", false)]),
        Expr::Or(vec![
            like(message, "%timeout%", false),
            matches(&subjects[0], "refused", false),
        ]),
        Expr::And(vec![
            like(message, "%tim%", false),
            like(&subjects[2], "%checkout%", false),
        ]),
        compare(
            Comparison::Equal,
            &Expr::Column(Column::Level),
            Expr::literal_level(Level::Error),
        ),
        one_of(
            &Expr::Column(Column::Level),
            &[Value::Level(Level::Fatal), Value::Level(Level::Warn)],
        ),
        compare(
            Comparison::Less,
            &Expr::Column(Column::Level),
            Expr::literal_level(Level::Info),
        ),
    ]);
    assert!(all.len() > 150);
    all
}

const TEXTS: [&str; 16] = [
    "connection timeout after 1200ms",
    "connection refused after 15ms",
    "Connection RESET by peer",
    "KIOSK \u{212a}iosk",
    "say \"hi\" to them",
    "/api/users",
    "checkout",
    "größe",
    "true",
    "500",
    "5e2",
    "100%",
    "ti\tmeout",
    "ERROR in the text",
    "C:\\temp\\timeout",
    "",
];

const LEVELS: [&str; 12] = [
    "error", "Err", "FATAL", "info", "E", " warn ", "50", "5e1", "3", "notice", "nothing", "severe",
];

fn any_string(random: &mut Random) -> String {
    let text = random.pick(&TEXTS);
    json_string(text, random)
}

/// A JSON string, in one of the many ways to write it.
fn json_string(text: &str, random: &mut Random) -> String {
    let (style, mut out) = (random.below(4), "\"".to_owned());
    for character in text.chars() {
        let is_special = matches!(character, '"' | '\\') || character < ' ';
        if style == 0 && random.one_in(3) || is_special && random.one_in(2) || character == '\t' {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                out += &format!("\\u{unit:04x}");
            }
        } else if is_special || character == '/' && style == 1 {
            out.push('\\');
            out.push(character);
        } else {
            out.push(character);
        }
    }
    out + "\""
}

fn json_line(random: &mut Random, second: usize) -> String {
    let mut members = Vec::new();
    let mut put = |random: &mut Random, key: &str, value: String| {
        let space = random.pick(&["", "", " "]);
        let key = match random.one_in(12) {
            true => json_string(key, random),
            false => format!("\"{key}\""),
        };
        members.push(format!("{key}{space}:{space}{value}"));
    };
    if !random.one_in(8) {
        put(random, "time", format!("\"2026-01-19T14:00:{second:02}Z\""));
    }
    for key in ["message", "service", "path", "client"] {
        for _ in 0..random.pick(&[0, 1, 1, 1, 2]) {
            let value = match random.below(8) {
                0 => random
                    .pick(&["500", "5e2", "true", "null", "0.5e3"])
                    .to_owned(),
                1 => "[116,105,109,101,111,117,116]".to_owned(),
                _ => any_string(random),
            };
            put(random, key, value);
        }
    }
    if random.one_in(10) {
        put(
            random,
            "MESSAGE",
            "[116, 105,109,101,111,117,116]".to_owned(),
        );
    }
    if random.one_in(2) {
        let level = random.pick(&LEVELS);
        let value = match random.one_in(4) && level.parse::<f64>().is_ok() {
            true => level.to_owned(),
            false => json_string(level, random),
        };
        let key = random.pick(&["level", "severity", "lvl", "PRIORITY", "log.level"]);
        put(random, key, value);
    }
    if random.one_in(4) {
        let inner = any_string(random);
        put(
            random,
            "ctx",
            format!("{{\"zone\":{inner},\"level\":\"ERROR\"}}"),
        );
    }
    if random.one_in(6) {
        let inner = format!(
            "{{\"service\":{},\"level\":\"error\"}}",
            json_string("checkout", random)
        );
        let message = json_string(&inner, random);
        put(random, "msg", message);
    }
    random.shuffle(&mut members);
    format!("{{{}}}", members.join(","))
}

fn any_line(name: FormatName, random: &mut Random, second: usize) -> String {
    let (first, other) = (random.pick(&TEXTS), random.pick(&TEXTS));
    let plain = |text: &str| text.replace(['"', '\\', '\t'], "");
    let quoted = |text: &str, random: &mut Random| match random.one_in(2) {
        true => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
        false => text
            .replace('"', "\\x22")
            .replace('t', "\\x74")
            .replace(' ', "\\u0020"),
    };
    let level = random.pick(&LEVELS);
    match name {
        FormatName::Json => json_line(random, second),
        FormatName::Logfmt => {
            let time = random.pick(&["", "ts=2026-01-19T14:00:07Z "]);
            let (message, service) = (quoted(first, random), quoted(other, random));
            format!(
                "{time}level={} msg={message} service={service} client",
                level.trim()
            )
        }
        FormatName::Apache | FormatName::Nginx if random.one_in(4) => format!(
            "2026/01/19 14:00:{second:02} [{}] 31#32: *7 {}, client: 10.0.0.1",
            level.trim(),
            plain(first),
        ),
        FormatName::Apache | FormatName::Nginx => {
            let (path, agent) = (first.replace(['"', '\\', ' '], "/"), quoted(other, random));
            format!(
                "10.0.0.1 - {} [19/Jan/2026:14:00:{second:02} +0000] \"GET {path} HTTP/1.1\" 500 12 \"-\" \"{}\"",
                plain(other).replace(' ', "-"),
                agent.trim_matches('"'),
            )
        }
        FormatName::Syslog => format!(
            "<{}>Jan 19 14:00:{second:02} web app[7]: {}",
            random.below(191),
            plain(first)
        ),
        _ => format!(
            "2026-01-19 14:00:{second:02} {} {}",
            level.trim(),
            plain(first)
        ),
    }
}

fn any_log(name: FormatName, random: &mut Random) -> Vec<u8> {
    let mut log = String::new();
    for index in 0..random.below(120) {
        let line = match random.below(20) {
            0 => String::new(),
            1 => "  \t".to_owned(),
            2 => format!("no format at all, {}", random.pick(&TEXTS)),
            3 => format!(
                "{{\"message\":\"{}\", ERROR broken}}",
                random.pick(&["timeout", "[ERROR] x"])
            ),
            4 => any_line(
                random.pick(&[FormatName::Json, FormatName::Logfmt, FormatName::Raw]),
                random,
                index % 60,
            ),
            _ => any_line(name, random, index % 60),
        };
        log += &line;
        log += random.pick(&["\n", "\n", "\n", "\n", "\r\n"]);
    }
    if random.one_in(3) {
        log.pop();
    }
    log.into_bytes()
}

/// What an operator would take, and the figures.
fn seen(
    stream: &Stream,
    cuts: &[Cut],
    window_bytes: usize,
    (format, prefilter): (&dyn Format, Option<&Prefilter>),
    plan: &Plan,
) -> (Vec<String>, StreamTally) {
    let wanted = Wanted::of(plan);
    let mut context = context(format, &wanted);
    context.prefilter = prefilter;
    context.window_bytes = window_bytes;
    let predicate = plan.operators[0].kind.predicate().unwrap();
    let (mut seen, mut tally) = (Vec::new(), StreamTally::default());
    for cut in cuts {
        tally = tally.merge(read(stream, cut, &context, &mut |entry| {
            if predicate.holds(entry, &Default::default()) {
                seen.push(format!(
                    "{:?} {:?} {:?} {} {}",
                    entry.place,
                    entry.time,
                    entry.level,
                    entry.valid,
                    String::from_utf8_lossy(entry.raw)
                ));
            }
        }));
    }
    (seen, tally)
}

fn check(
    name: &str,
    formats: &dyn Fn(&Stream) -> Box<dyn Format>,
    log_of: FormatName,
    tests: usize,
) -> u64 {
    let (predicates, folder) = (predicates(), Folder::new());
    let mut unparsed = 0;
    for seed in 0..tests as u64 {
        let mut random = Random::new(seed * 31 + log_of as u64);
        let files: Vec<Vec<u8>> = (0..1 + random.below(3))
            .map(|_| any_log(log_of, &mut random))
            .collect();
        let packing: Vec<u8> = files.iter().map(|_| random.pick(&[0, 0, 1])).collect();
        let stream = folder.stream(&files, &packing);
        let format = formats(&stream);
        let plan_log = log(&["x"]);
        for (index, predicate) in predicates.iter().enumerate() {
            let plan = plan(predicate.clone(), &plan_log);
            let Some(prefilter) = Prefilter::new(&plan, &plan_log, plan.operators.iter(), &*format)
            else {
                continue;
            };
            let (target, window) = (
                random.pick(&[300, 2_000, 1 << 20]),
                random.pick(&[50, 700, 1 << 18]),
            );
            let cuts = cuts(&stream, true, target);
            let (expected, whole) = seen(&stream, &cuts, window, (&*format, None), &plan);
            let (found, tally) = seen(&stream, &cuts, window, (&*format, Some(&prefilter)), &plan);
            assert!(
                found == expected,
                "{name}, seed {seed}, predicate {index}: {predicate:?}\n{prefilter:?}\nfound {found:#?}\nexpected {expected:#?}"
            );
            let (whole, total) = (whole.total(), tally.total());
            assert_eq!(
                (
                    total.bytes,
                    total.lines,
                    total.entries,
                    total.blank,
                    total.cut
                ),
                (
                    whole.bytes,
                    whole.lines,
                    whole.entries,
                    whole.blank,
                    whole.cut
                ),
                "{name}, seed {seed}, predicate {index}"
            );
            assert!(total.malformed <= whole.malformed && total.unparsed <= total.entries);
            unparsed += total.unparsed;
        }
    }
    unparsed
}

#[test]
fn a_prefilter_changes_no_row() {
    for name in [
        FormatName::Json,
        FormatName::Logfmt,
        FormatName::Syslog,
        FormatName::Apache,
        FormatName::Nginx,
        FormatName::Raw,
    ] {
        let format = |_: &Stream| built_in_of(name, b"");
        assert!(
            check(name.name(), &format, name, 6) > 1_000,
            "{name:?} rules nothing out"
        );
    }
}

#[test]
fn nor_where_lines_are_of_several_formats_or_nested() {
    let chosen = |nested: bool| {
        move |stream: &Stream| {
            let mut log = log(&["x"]);
            log.nested_json = nested;
            crate::format::choose(log.format, &log, &[], &stream.head()).format
        }
    };
    assert!(check("auto", &chosen(false), FormatName::Json, 6) > 1_000);
    assert!(check("nested", &chosen(true), FormatName::Json, 6) > 1_000);
}

#[test]
fn what_needs_every_line_has_no_prefilter() {
    let raw = Expr::Column(Column::Raw);
    let wanted = || like(&raw, "%timeout%", false);
    let plain_log = log(&["x"]);
    let json = built_in_of(FormatName::Json, b"");
    let prefilter = |plan: &Plan, log: &LogPlan, format: &dyn Format| {
        Prefilter::new(plan, log, plan.operators.iter(), format).is_some()
    };
    assert!(prefilter(&plan(wanted(), &plain_log), &plain_log, &*json));
    for name in [FormatName::Plain, FormatName::Csv] {
        assert!(!prefilter(
            &plan(wanted(), &plain_log),
            &plain_log,
            &*built_in_of(name, b"")
        ));
    }
    let mut other = plan(wanted(), &plain_log);
    other.operators.push(other.operators[0].clone());
    assert!(prefilter(&other, &plain_log, &*json));
    if let OperatorKind::Select(select) = &mut other.operators[1].kind {
        select.predicate = None;
    }
    assert!(!prefilter(&other, &plain_log, &*json));
    let mut dropping = log(&["x"]);
    dropping.drop = Some(wanted());
    assert!(!prefilter(&plan(wanted(), &dropping), &dropping, &*json));
    let mut deriving = log(&["x"]);
    deriving.derive = vec![(0, wanted())];
    let field = like(&Expr::Field(0), "%timeout%", false);
    assert!(prefilter(
        &plan(field.clone(), &plain_log),
        &plain_log,
        &*json
    ));
    assert!(!prefilter(&plan(field, &deriving), &deriving, &*json));
}

#[test]
fn lines_are_told_by_their_shape_whatever_the_block() {
    let prefilter = |is_object_a_line| Prefilter {
        parts: Vec::new(),
        is_object_a_line,
        beside: None,
    };
    let mut random = Random::new(7);
    for is_object in [true, false] {
        let prefilter = prefilter(is_object);
        for _ in 0..300 {
            let (mut text, mut plain) = (Vec::new(), None);
            for line in 0..random.below(200) {
                let inside = vec![b'a'; random.pick(&[0, 5, 70, 300, 9_000])];
                let odd = random.pick(&["", " ", " {}", "\t", "x{}", "{} x", "{"]);
                let odd = match odd {
                    "x{}" | "{} x" | "{" if !is_object => "",
                    odd => odd,
                };
                if random.one_in(60) && plain.is_none() {
                    plain = Some((text.len(), line as u64));
                    text.extend_from_slice(odd.as_bytes());
                    if odd == "{" {
                        text.extend_from_slice(&inside);
                    }
                } else {
                    text.extend([b"{", &inside[..], b"}"].concat());
                }
                text.extend_from_slice(random.pick(&["\n", "\n", "\n", "\r\n"]).as_bytes());
            }
            let lines = text.iter().filter(|byte| **byte == b'\n').count() as u64;
            let expected = plain.unwrap_or((text.len(), lines));
            assert_eq!(prefilter.plain_lines(&text), expected, "{is_object}");
        }
    }
}

/// The records of a context, segment by segment.
fn windows(
    stream: &Stream,
    cuts: &[Cut],
    window_bytes: usize,
    (format, prefilter): (&dyn Format, Option<&Prefilter>),
    plan: &Plan,
) -> Vec<u8> {
    let wanted = Wanted::of(plan);
    let mut context = context(format, &wanted);
    context.prefilter = prefilter;
    context.window_bytes = window_bytes;
    let operator = AnyOperator::new(plan, &plan.operators[0]).unwrap();
    let mut whole = operator.empty();
    for (index, cut) in cuts.iter().enumerate() {
        let mut partial = operator.begin(Segment {
            host: context.host_index,
            log: context.log_index,
            stream: context.stream_index,
            index: index as u32,
        });
        read(stream, cut, &context, &mut |entry| {
            operator.absorb(&mut partial, entry).unwrap();
        });
        whole = operator.merge(whole, partial).unwrap();
    }
    let mut run = Run::default();
    operator.take_last_records(&mut whole, &mut run).unwrap();
    run.into_bytes()
}

#[test]
fn a_window_has_its_neighbours_whatever_was_passed_over() {
    let (predicates, folder) = (predicates(), Folder::new());
    let (mut filtered, mut found_some) = (0, 0);
    for seed in 0..40 {
        let mut random = Random::new(seed);
        let name = random.pick(&[FormatName::Json, FormatName::Logfmt, FormatName::Raw]);
        let files: Vec<Vec<u8>> = (0..1 + random.below(3))
            .map(|_| any_log(name, &mut random))
            .collect();
        let stream = folder.stream(&files, &vec![0; files.len()]);
        let format = built_in_of(name, b"");
        let plan_log = log(&["x"]);
        for (index, predicate) in predicates.iter().enumerate() {
            let mut plan = plan(predicate.clone(), &plan_log);
            let (before, after) = (random.below(5) as u32, random.below(5) as u32);
            plan.operators[0].kind = OperatorKind::Context(ContextPlan {
                predicate: predicate.clone(),
                before: Reach::Entries(before),
                after: Reach::Entries(after),
                max: 7,
            });
            let Some(prefilter) = Prefilter::new(&plan, &plan_log, plan.operators.iter(), &*format)
            else {
                continue;
            };
            filtered += 1;
            let target = random.pick(&[100, 600, 2_000, 1 << 20]);
            let window = random.pick(&[50, 700, 1 << 18]);
            let cuts = cuts(&stream, true, target);
            let expected = windows(&stream, &cuts, window, (&*format, None), &plan);
            let found = windows(&stream, &cuts, window, (&*format, Some(&prefilter)), &plan);
            found_some += u32::from(!expected.is_empty());
            assert!(
                found == expected,
                "seed {seed}, predicate {index}, {before} before, {after} after, cuts of {target}, {window}: {predicate:?}"
            );
        }
    }
    assert!(
        filtered > 300 && found_some > 100,
        "{filtered} {found_some}"
    );
}
