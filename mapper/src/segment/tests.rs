//! Any cuts, windows, packing and distribution over files, against the oracle.

mod framed;
mod timeless;

use std::fs;
use std::sync::atomic::Ordering;

use bstr::ByteSlice;
use jobspec::plan::FormatChoice;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::oracle::{Folder, Marks, Seen, context, log, oracle, read_all};
use super::*;
use crate::format::choose;
use crate::tally::FindingKind;

fn check(files: &[Vec<u8>], packing: &[u8], target: u64, window: usize, format: &dyn Format) {
    let folder = Folder::new();
    let stream = folder.stream(files, packing);
    check_stream(&stream, files, target, window, format);
}

/// Holds what is read of a stream against the oracle's idea of its files' texts.
fn check_stream(
    stream: &Stream,
    files: &[Vec<u8>],
    target: u64,
    window: usize,
    format: &dyn Format,
) {
    let wanted = Wanted::default();
    let counts = LineCounts::default();
    let mut context = context(format, &wanted);
    context.window_bytes = window;
    context.line_counts = Some(&counts);
    let cuts = cuts(stream, format.splittable(), target);
    let (seen, tally) = read_all(stream, &cuts, &context);
    let (expected, tallies) = oracle(files, format);
    assert_eq!(seen.len(), expected.len(), "{seen:#?}\n{expected:#?}");
    for (seen, expected) in seen.iter().zip(&expected) {
        assert!(seen == expected, "{}", difference(seen, expected));
    }
    for (index, expected) in tallies.into_iter().enumerate() {
        let mut file = tally
            .files
            .get(&(index as u32))
            .cloned()
            .unwrap_or_default();
        assert_eq!(
            file.lines,
            file.entries + file.continuation + file.blank + file.header
        );
        assert!(file.findings.is_empty(), "{:?}", file.findings);
        file.samples.clear();
        file.formats.clear();
        assert_eq!(file, expected, "file {index}");
    }
}

fn difference(seen: &Seen, expected: &Seen) -> String {
    let short = |seen: &Seen| {
        let mut seen = seen.clone();
        seen.raw.truncate(80);
        let raw = seen.raw.as_bstr().to_string();
        format!("{raw:?} of {seen:?}")
    };
    format!("\nseen {}\nexpected {}", short(seen), short(expected))
}

/// Lines that are starts, continuations, blanks and all the rest, with all terminators.
fn any_text() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        4 => (0..50_u32).prop_map(|second| format!("@{second} entry")),
        1 => Just("@! no such time".to_owned()),
        1 => Just("# no time".to_owned()),
        1 => Just("% malformed".to_owned()),
        1 => Just("%9 malformed".to_owned()),
        3 => Just("  at frame".to_owned()),
        2 => Just(String::new()),
        1 => Just(" \t".to_owned()),
        1 => Just("a \"quoted".to_owned()),
        1 => Just("\r".to_owned()),
        1 => Just("header".to_owned()),
    ];
    let ending = prop_oneof![5 => Just("\n"), 1 => Just("\r\n")];
    (vec((line, ending), 0..12), any::<bool>(), 0..8_u8).prop_map(|(lines, last, mark)| {
        let mut text: Vec<u8> = lines
            .iter()
            .flat_map(|(line, ending)| [line.as_bytes(), ending.as_bytes()].concat())
            .collect();
        if last {
            text.pop();
        }
        if mark == 0 {
            text.splice(..0, *b"\xef\xbb\xbf");
        }
        text
    })
}

proptest! {
    #![proptest_config(Config {
        cases: 300,
        rng_seed: RngSeed::Fixed(20260119),
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
        quotes in any::<bool>(),
    ) {
        let packing = if all_plain { vec![0] } else { packing };
        let quotes = quotes && !multiline;
        check(&files, &packing, target, window, &Marks { multiline, quotes, wraps: false });
    }
}

proptest! {
    #![proptest_config(Config {
        cases: 100,
        rng_seed: RngSeed::Fixed(20260120),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn any_distribution_over_files_gives_the_same_entries(
        text in any_text(),
        borders in vec(0..200_usize, 0..4),
        packing in vec(0..6_u8, 1..4),
        target in 1..40_u64,
        multiline in any::<bool>(),
    ) {
        let format = Marks { multiline, quotes: false, wraps: false };
        let text = text.replace(b"\xef\xbb\xbf", b"");
        let mut borders: Vec<usize> = borders
            .into_iter()
            .filter_map(|border| Some(text.get(border..)?.find_byte(b'\n')? + border + 1))
            .collect();
        borders.extend([0, text.len()]);
        borders.sort_unstable();
        let files: Vec<_> = borders.windows(2).map(|pair| text[pair[0]..pair[1]].to_vec()).collect();
        let folder = Folder::new();
        let stream = folder.stream(&files, &packing);
        let wanted = Wanted::default();
        let context = context(&format, &wanted);
        let (seen, tally) = read_all(&stream, &cuts(&stream, true, target), &context);
        let (expected, tallies) = oracle(std::slice::from_ref(&text), &format);
        let short = |seen: &Seen| (seen.time, seen.valid, seen.raw.clone());
        prop_assert_eq!(
            seen.iter().map(short).collect::<Vec<_>>(),
            expected.iter().map(short).collect::<Vec<_>>()
        );
        let mut total = tally.total();
        total.formats.clear();
        prop_assert_eq!(&total, &tallies[0]);
    }

    #[test]
    fn wrapped_lines_are_the_lines_inside(
        files in vec(any_text(), 1..4),
        piece in 1..9_usize,
        target in 1..60_u64,
        multiline in any::<bool>(),
    ) {
        let bare: Vec<Vec<u8>> = files
            .iter()
            .map(|text| text.replace(b"\r", b"").replace(b"\xef\xbb\xbf", b""))
            .collect();
        let wrapped: Vec<Vec<u8>> = bare
            .iter()
            .map(|text| {
                let mut out = Vec::new();
                for line in text.lines() {
                    let mut pieces = line.chunks(piece).peekable();
                    if line.is_empty() {
                        out.extend_from_slice(b"f|\n");
                    }
                    while let Some(part) = pieces.next() {
                        let kind = if pieces.peek().is_some() { "p|" } else { "f|" };
                        out.extend([kind.as_bytes(), part, b"\n"].concat());
                    }
                }
                out
            })
            .collect();
        let folder = Folder::new();
        let stream = folder.stream(&wrapped, &[0]);
        let wanted = Wanted::default();
        let format = Marks { multiline, quotes: false, wraps: true };
        let context = context(&format, &wanted);
        let (seen, tally) = read_all(&stream, &cuts(&stream, false, target), &context);
        let (expected, _) = oracle(&bare, &Marks { multiline, quotes: false, wraps: false });
        let short = |seen: &Seen| (seen.file, seen.time, seen.valid, seen.raw.clone());
        prop_assert_eq!(
            seen.iter().map(short).collect::<Vec<_>>(),
            expected.iter().map(short).collect::<Vec<_>>()
        );
        for (index, text) in wrapped.iter().enumerate() {
            let file = tally.files.get(&(index as u32)).cloned().unwrap_or_default();
            prop_assert_eq!(file.lines, text.lines().count() as u64);
            prop_assert_eq!(file.lines, file.entries + file.continuation + file.blank);
        }
    }
}

#[test]
fn a_wrapper_lends_its_time() {
    let folder = Folder::new();
    let text = b"f5|# none\nf6|@7 own\np8|@!\nf9| partly\nf|# inherits\n".to_vec();
    let stream = folder.stream(&[text], &[0]);
    let wanted = Wanted::default();
    let format = Marks {
        multiline: false,
        quotes: false,
        wraps: true,
    };
    let (seen, _) = read_all(
        &stream,
        &cuts(&stream, false, 1),
        &context(&format, &wanted),
    );
    let times: Vec<_> = seen.iter().map(|seen| seen.time).collect();
    assert_eq!(times, [Some(5), Some(7), Some(8), Some(8)]);
    assert_eq!(seen[2].raw, b"@! partly");
}

#[test]
fn long_lines_and_entries_are_cut_and_counted() {
    let long = |byte: u8, size: usize| vec![byte; size];
    let text = [
        b"@1 ".to_vec(),
        long(b'a', MAX_LINE),
        b"\n@2 ".to_vec(),
        long(b'b', MAX_LINE - 3),
        b"\r\n@3 short\n".to_vec(),
        long(b'c', 3 * MAX_LINE + 17),
        b"\n\n  more\n@4 entry\n".to_vec(),
        [long(b'd', 1000), b"\n".to_vec()].concat().repeat(1100),
        b"\n@5\n".to_vec(),
        long(b' ', MAX_LINE + 5),
        b"\n@6 ".to_vec(),
        long(b'e', MAX_LINE + 1),
    ]
    .concat();
    for multiline in [false, true] {
        for target in [100_000, 1 << 20, 1 << 30] {
            for (packing, window) in [(0, 1 << 18), (0, 4096), (3, 1 << 18)] {
                let format = Marks {
                    multiline,
                    quotes: false,
                    wraps: false,
                };
                check(
                    std::slice::from_ref(&text),
                    &[packing],
                    target,
                    window,
                    &format,
                );
            }
        }
    }
}

#[test]
fn a_line_of_exactly_a_mebibyte_is_whole() {
    let text = [vec![b'a'; MAX_LINE], b"\r\n@1\n".to_vec()].concat();
    let format = Marks {
        multiline: false,
        quotes: false,
        wraps: false,
    };
    for window in [MAX_LINE, MAX_LINE + 1, MAX_LINE + 2] {
        check(std::slice::from_ref(&text), &[0], 1 << 30, window, &format);
    }
}

#[test]
fn bytes_are_told_as_they_are_read_from_disk() {
    let folder = Folder::new();
    let text = b"@1 a line\n".repeat(50_000);
    let stream = folder.stream(&[text.clone(), text], &[0, 1]);
    let wanted = Wanted::default();
    let format = Marks {
        multiline: false,
        quotes: false,
        wraps: false,
    };
    let told = std::sync::atomic::AtomicU64::new(0);
    let pace = |bytes| {
        told.fetch_add(bytes, Ordering::Relaxed);
    };
    let mut context = context(&format, &wanted);
    context.pace = Some(&pace);
    read_all(&stream, &cuts(&stream, true, 1 << 30), &context);
    assert_eq!(told.into_inner(), stream.size());
}

#[test]
fn a_head_without_times_waits_no_further_than_a_mebibyte() {
    let head: Vec<u8> = (0..30_000)
        .flat_map(|number| format!("# untimed entry number {number} of the head\n").into_bytes())
        .collect();
    assert!(head.len() > 1 << 20);
    let rest = b"@7 timed\n# inherits\n".to_vec();
    let format = Marks {
        multiline: false,
        quotes: false,
        wraps: false,
    };
    check(&[head.clone(), rest], &[0], 65_536, 8192, &format);
    check(&[head], &[0], 65_536, 8192, &format);
}

#[test]
fn missing_bytes_end_entries_and_inheritance() {
    let folder = Folder::new();
    let files = [
        b"@1 first\n  more\n@2 second\n# untimed\n".repeat(50),
        b"  lost\n# head\n@5 third\n  more\n".to_vec(),
    ];
    let mut stream = folder.stream(&files, &[1, 0]);
    let path = folder.path().join("0.log");
    let packed = fs::read(&path).unwrap();
    fs::write(&path, &packed[..packed.len() - 9]).unwrap();
    stream.files[0].size = packed.len() as u64 - 9;
    let wanted = Wanted::default();
    let format = Marks {
        multiline: true,
        quotes: false,
        wraps: false,
    };
    let context = context(&format, &wanted);
    let mut all = None;
    for target in [1, 7, 1 << 20] {
        let (seen, tally) = read_all(&stream, &cuts(&stream, true, target), &context);
        let tail: Vec<_> = seen
            .iter()
            .filter(|seen| seen.file == 1)
            .map(|seen| (seen.raw.as_bstr().to_string(), seen.time, seen.valid))
            .collect();
        assert_eq!(
            tail,
            [
                ("  lost".to_owned(), Some(5), false),
                ("# head".to_owned(), Some(5), true),
                ("@5 third\n  more".to_owned(), Some(5), true),
            ]
        );
        let kinds: Vec<_> = tally.files[&0]
            .findings
            .iter()
            .map(|finding| finding.kind)
            .collect();
        assert_eq!(kinds, [FindingKind::Corrupt]);
        assert_eq!(
            *all.get_or_insert((seen.clone(), tally.clone())),
            (seen, tally)
        );
    }
}

#[test]
fn a_file_that_shrinks_or_goes_is_a_finding() {
    let folder = Folder::new();
    let files = [
        b"@1 a\n@2 b\n".repeat(100),
        b"@3 c\n".to_vec(),
        b"@4 d\n".to_vec(),
    ];
    let stream = folder.stream(&files, &[0]);
    fs::File::options()
        .write(true)
        .open(folder.path().join("0.log"))
        .unwrap()
        .set_len(12)
        .unwrap();
    fs::remove_file(folder.path().join("1.log")).unwrap();
    let wanted = Wanted::default();
    let format = Marks {
        multiline: false,
        quotes: false,
        wraps: false,
    };
    let (seen, tally) = read_all(
        &stream,
        &cuts(&stream, true, 100),
        &context(&format, &wanted),
    );
    let raws: Vec<_> = seen
        .iter()
        .map(|seen| seen.raw.as_bstr().to_string())
        .collect();
    assert_eq!(raws, ["@1 a", "@2 b", "@1", "@4 d"]);
    let kind = |file| {
        tally.files[&file]
            .findings
            .first()
            .map(|finding| finding.kind)
    };
    assert_eq!(kind(0), Some(FindingKind::Truncated));
    assert_eq!(kind(1), Some(FindingKind::Vanished));
    assert_eq!(kind(2), None);
}

#[test]
fn a_file_may_shrink_while_it_is_read() {
    let folder = Folder::new();
    let stream = folder.stream(&[b"@1 a line\n".repeat(1000), b"@2 next\n".to_vec()], &[0]);
    let wanted = Wanted::default();
    let format = Marks {
        multiline: false,
        quotes: false,
        wraps: false,
    };
    let mut context = context(&format, &wanted);
    context.window_bytes = 64;
    let mut entries = 0;
    let tally = read(
        &stream,
        &cuts(&stream, true, 1 << 30)[0],
        &context,
        &mut |_| {
            entries += 1;
            if entries == 10 {
                let path = folder.path().join("0.log");
                let file = fs::File::options().write(true).open(path).unwrap();
                file.set_len(200).unwrap();
            }
        },
    );
    assert_eq!(tally.files[&0].entries, 20);
    assert_eq!(tally.files[&1].entries, 1);
    let finding = tally.files[&0].findings.first().unwrap();
    assert_eq!(finding.kind, FindingKind::Truncated);
    assert_eq!(finding.detail, "200 of 10000 bytes are there");
}

#[test]
fn cuts_follow_the_target_and_gather_small_files() {
    let folder = Folder::new();
    let stream = folder.stream(
        &[vec![b'x'; 25], vec![b'y'; 3], vec![b'z'; 4], vec![b'w'; 10]],
        &[0],
    );
    let at = |splittable, target| -> Vec<(u32, u64)> {
        cuts(&stream, splittable, target)
            .iter()
            .map(|cut| (cut.first.file, cut.first.offset))
            .collect()
    };
    assert_eq!(at(true, 10), [(0, 0), (0, 10), (0, 20), (2, 2), (3, 8)]);
    assert_eq!(at(false, 10), [(0, 0), (1, 0)]);
    assert_eq!(at(true, 1000), [(0, 0)]);
    let cuts = cuts(&stream, true, 10);
    assert!(
        cuts.windows(2)
            .all(|pair| pair[0].end == Some(pair[1].first))
    );
    assert_eq!(cuts.last().unwrap().end, None);
}

#[test]
fn what_follows_a_pruned_segment_is_counted_as_outside() {
    let folder = Folder::new();
    let files = [
        b"@1 a\n  more\n".to_vec(),
        b"  more\n\n# untimed\n@! odd\n\n".to_vec(),
        b"\n@2 b\n# c\n".to_vec(),
    ];
    let stream = folder.stream(&files, &[0]);
    let wanted = Wanted::default();
    let format = Marks {
        multiline: true,
        quotes: false,
        wraps: false,
    };
    let context = context(&format, &wanted);
    let at = |file| Position { file, offset: 0 };
    let cut = Cut {
        first: at(1),
        end: Some(at(2)),
        after_pruned: true,
    };
    let (seen, tally) = read_all(&stream, &[cut], &context);
    assert!(seen.is_empty());
    assert_eq!((tally.files[&1].lines, tally.files[&1].outside), (5, 5));
    assert_eq!((tally.files[&2].lines, tally.files[&2].outside), (1, 1));
    let rest = Cut {
        first: at(2),
        end: None,
        after_pruned: false,
    };
    let (seen, both) = read_all(&stream, &[cut, rest], &context);
    assert_eq!(seen.len(), 2);
    let total = both.total();
    assert_eq!(total.lines, 8);
    assert_eq!(total.outside + total.entries, 8);
    let bytes = files[1].len() + files[2].len();
    assert_eq!(total.bytes, bytes as u64);
}

/// Texts of formats as they are; cut anywhere, packed or not, they give what they give as a whole.
#[test]
fn real_formats_bear_any_cut() {
    let stack = "2026-01-19 14:00:00,123 ERROR [main] com.example.App - failed\n\
                 java.lang.IllegalStateException: no\n\tat com.example.App.run(App.java:7)\n\n\
                 Caused by: x\n2026-01-19 14:00:01,000 INFO [main] com.example.App - on\n\n";
    let json = "{\"time\":\"2026-01-19T14:00:00Z\",\"message\":\"a\"}\n{\"message\":\"untimed\"}\n{broken\n";
    let csv =
        "time,user,text\n2026-01-19T14:00:00Z,ann,\"two\nlines\"\n2026-01-19T14:00:01Z,bob,one\n";
    let syslog =
        "<34>Jan 19 14:00:00 web1 sshd[7]: Failed password\nJan 19 14:00:01 web1 cron[9]: run\n";
    let docker = "{\"log\":\"2026-01-19 14:00:00 INFO part \",\"stream\":\"stdout\",\"time\":\"2026-01-19T14:00:00.1Z\"}\n\
                  {\"log\":\"and rest\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-19T14:00:00.2Z\"}\n\
                  {\"log\":\"\\tat more\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-19T14:00:00.3Z\"}\n";
    let raw = "no time here\nnor here\n";
    for (name, text, entries) in [
        ("plain", stack, 2),
        ("json", json, 3),
        ("csv", csv, 2),
        ("syslog", syslog, 2),
        ("docker", docker, 1),
        ("raw", raw, 2),
    ] {
        let files = [
            text.repeat(3).into_bytes(),
            text.repeat(2).into_bytes(),
            text.into(),
        ];
        for packing in [0, 1] {
            let folder = Folder::new();
            let mut stream = folder.stream(&files, &[0, packing]);
            let log = log(&[]);
            let format = choose(FormatChoice::Auto, &log, &[], &stream.head()).format;
            stream.settle(&*format, Zone::UTC, None);
            let wanted = Wanted::default();
            let mut context = context(&*format, &wanted);
            let mut seen_by = |target, window| {
                context.window_bytes = window;
                let mut seen = Vec::new();
                let mut tally = StreamTally::default();
                for cut in cuts(&stream, format.splittable(), target) {
                    tally = tally.merge(read(&stream, &cut, &context, &mut |entry| {
                        let message = entry.message_value().to_text().into_owned();
                        seen.push((entry.place, entry.time, entry.valid, message));
                    }));
                }
                (seen, tally)
            };
            let whole = seen_by(1 << 30, WINDOW_BYTES);
            assert_eq!(whole.0.len(), entries * 6, "{name}: {:#?}", whole.0);
            for (target, window) in [(1, 1), (7, 64), (50, 9), (200, 1000)] {
                assert!(seen_by(target, window) == whole, "{name} cut by {target}");
            }
            let total = whole.1.total();
            let known = total.entries + total.continuation + total.blank + total.header;
            assert_eq!(total.lines, known, "{name}");
        }
    }
}
