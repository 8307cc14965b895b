//! Any cuts, windows, packing and distribution over files against an oracle that is slow and obvious: it holds all
//! lines of all files in memory and reads them once from top to bottom.

use std::borrow::Cow;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use bstr::ByteSlice;
use jobspec::value::Time;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::*;
use crate::entry::Field;
use crate::format::{Parsed, Stamp, Unwrapped};
use crate::stream::{Stream, StreamFile};
use crate::tally::{FileTally, FindingKind};
use crate::time::TimeReader;

/// `@7 text` begins an entry at second 7, `@! text` one with an impossible time, `# text` one without any, `% text`
/// a malformed one that has a time all the same (`%7 text`).
pub(crate) struct Marks {
    pub(crate) multiline: bool,
    pub(crate) quotes: bool,
    /// `p|text` goes on in the next line, `f|text` and `f9|text` do not; the latter has second 9 as its wrapper's time.
    pub(crate) wraps: bool,
}

impl Marks {
    fn number(line: &[u8]) -> Option<i64> {
        let digits = line.get(1..)?;
        let end = digits.iter().position(|byte| !byte.is_ascii_digit());
        std::str::from_utf8(&digits[..end.unwrap_or(digits.len())])
            .ok()?
            .parse()
            .ok()
    }
}

impl Format for Marks {
    fn name(&self) -> &str {
        "marks"
    }

    fn starts(&self, line: &[u8]) -> bool {
        !self.multiline || matches!(line.first(), Some(b'@' | b'#' | b'%'))
    }

    fn is_multiline(&self) -> bool {
        self.multiline
    }

    fn splittable(&self) -> bool {
        !self.quotes && !self.wraps
    }

    fn is_header(&self, line: &[u8]) -> bool {
        self.quotes && line == b"header"
    }

    fn joins_next(&self, entry_so_far: &[u8]) -> bool {
        self.quotes && entry_so_far.iter().filter(|&&byte| byte == b'"').count() % 2 == 1
    }

    fn wraps(&self) -> bool {
        self.wraps
    }

    fn unwrap_line(&self, line: &[u8], out: &mut Vec<u8>) -> Unwrapped {
        let mark = line
            .iter()
            .position(|&byte| byte == b'|')
            .map_or(0, |mark| mark + 1);
        out.extend_from_slice(&line[mark..]);
        match line.first() {
            Some(b'p') => Unwrapped::Partial,
            _ => Unwrapped::Whole,
        }
    }

    fn wrapper_time(&self, line: &[u8]) -> Option<Time> {
        Marks::number(line).map(|seconds| Time::new(seconds * 1_000_000_000, 0))
    }

    fn parse<'a>(&self, raw: &'a [u8], _: &Wanted, _: &mut TimeReader, parsed: &mut Parsed<'a>) {
        parsed.valid = raw.first() != Some(&b'%');
        parsed.message = Some(Field::text(raw));
        parsed.stamp = match (raw.first(), Marks::number(raw)) {
            (Some(b'@' | b'%'), Some(seconds)) => Stamp::At(Time::new(seconds * 1_000_000_000, 0)),
            (Some(b'@'), None) => Stamp::Impossible,
            _ => Stamp::None,
        };
    }

    fn fields<'a>(&self, _: &'a [u8], _: &mut dyn FnMut(Cow<'a, [u8]>, Field<'a>)) {}
}

/// What is compared of an entry.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    file: u32,
    offset: u64,
    line: u64,
    time: Option<i64>,
    valid: bool,
    raw: Vec<u8>,
}

/// A folder that goes when the test does.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Folder {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("logstitch-segment-{}-{count}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    fn stream(&self, files: &[Vec<u8>], packing: &[u8]) -> Stream {
        let described = files.iter().enumerate().map(|(index, text)| {
            let path = self.0.join(format!("{index}.log"));
            let kind = packing[index % packing.len()];
            fs::write(&path, pack(text, kind)).unwrap();
            StreamFile::describe(path.as_os_str().as_encoded_bytes()).unwrap()
        });
        Stream {
            log: 0,
            name: "log".into(),
            files: described.collect(),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The text as plain (0), gzip (1), gzip of two members (2), zstd (3), bzip2 of two streams (4), xz of two (5).
pub(crate) fn pack(text: &[u8], kind: u8) -> Vec<u8> {
    let halves = text.split_at(text.len() / 2);
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let bzip2 = |text: &[u8]| {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let xz = |text: &[u8]| {
        let options = lzma_rust2::XzOptions::with_preset(0);
        let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    match kind {
        0 => text.to_vec(),
        1 => gzip(text),
        2 => [gzip(halves.0), gzip(halves.1)].concat(),
        3 => {
            let frame = |text: &[u8]| zstd::bulk::compress(text, 1).unwrap();
            [frame(halves.0), frame(halves.1)].concat()
        }
        4 => [bzip2(halves.0), bzip2(halves.1)].concat(),
        5 => [xz(halves.0), xz(halves.1)].concat(),
        _ => unreachable!("no such packing"),
    }
}

fn context<'a>(format: &'a dyn Format, wanted: &'a Wanted) -> ReadContext<'a> {
    ReadContext {
        host: "web1",
        log: "app",
        host_index: 0,
        log_index: 0,
        stream_index: 0,
        format,
        wanted,
        timezone: Tz::UTC,
        year: None,
        clock_ahead_ns: 0,
        max_decoded_bytes: u64::MAX,
        window_bytes: WINDOW_BYTES,
        line_counts: None,
        pace: None,
    }
}

fn read_all(stream: &Stream, cuts: &[Cut], context: &ReadContext<'_>) -> (Vec<Seen>, StreamTally) {
    let mut seen = Vec::new();
    let mut tally = StreamTally::default();
    for cut in cuts {
        let part = read(stream, cut, context, &mut |entry| {
            assert_eq!(entry.message.unwrap().text, entry.raw);
            seen.push(Seen {
                file: entry.place.file,
                offset: entry.place.offset,
                line: entry.line,
                time: entry.time.map(|time| time.ns / 1_000_000_000),
                valid: entry.valid,
                raw: entry.raw.to_vec(),
            });
        });
        tally = tally.merge(part);
    }
    (seen, tally)
}

/// Everything at once, with no buffer, no cut and no queue.
fn oracle(files: &[Vec<u8>], format: &Marks) -> (Vec<Seen>, Vec<FileTally>) {
    struct Line<'t> {
        file: usize,
        offset: u64,
        number: u64,
        text: &'t [u8],
        cut: bool,
        distance: u64,
    }
    let mut tallies = vec![FileTally::default(); files.len()];
    let mut lines = Vec::new();
    let mut distance = 0;
    for (file, text) in files.iter().enumerate() {
        if text == b"\xef\xbb\xbf" {
            continue;
        }
        let mut offset = 0;
        for (index, whole) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            let mut text = whole.strip_suffix(b"\n").unwrap_or(whole);
            text = text.strip_suffix(b"\r").unwrap_or(text);
            if offset == 0 {
                text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
            }
            tallies[file].lines += 1;
            tallies[file].bytes += whole.len() as u64;
            lines.push(Line {
                file,
                offset,
                number: index as u64 + 1,
                cut: text.len() > MAX_LINE,
                text: &text[..text.len().min(MAX_LINE)],
                distance,
            });
            offset += whole.len() as u64;
            distance += whole.len() as u64;
        }
    }
    // Every entry is a run of lines; those between are blank.
    let mut runs: Vec<(usize, usize, bool)> = Vec::new();
    let mut joined: Vec<u8> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let blank = line.text.iter().all(u8::is_ascii_whitespace);
        if let Some(run) = runs.last_mut()
            && lines[run.0].file == line.file
            && format.joins_next(&joined)
        {
            joined = [&joined[..], b"\n", line.text].concat();
            run.1 = index;
        } else if blank || format.is_header(line.text) {
            continue;
        } else if format.starts(line.text) {
            runs.push((index, index, false));
            joined = line.text.to_vec();
        } else if let Some(run) = runs.last_mut() {
            run.1 = index;
        } else {
            runs.push((index, index, true));
        }
    }
    let mut entries: Vec<(Seen, u64)> = Vec::new();
    let mut in_entry = vec![false; lines.len()];
    for &(first, last, orphan) in &runs {
        let run = &lines[first..=last];
        let texts: Vec<&[u8]> = run.iter().map(|line| line.text).collect();
        let mut raw = texts.join(&b"\n"[..]);
        let mut end = 0;
        for (index, line) in run.iter().enumerate() {
            end += line.text.len() + usize::from(index > 0);
            let cut = line.cut || end > MAX_ENTRY;
            tallies[line.file].cut += u64::from(cut);
            tallies[line.file].continuation += u64::from(index > 0);
            in_entry[first + index] = true;
        }
        raw.truncate(MAX_ENTRY);
        let mut parsed = Parsed::default();
        let mut times = TimeReader::new(Tz::UTC, crate::time::YearRule::Fixed(2026));
        format.parse(&raw, &Wanted::default(), &mut times, &mut parsed);
        let time = match parsed.stamp {
            Stamp::At(time) => Some(time.ns / 1_000_000_000),
            _ => None,
        };
        let valid = parsed.valid && !orphan;
        let line = &run[0];
        tallies[line.file].entries += 1;
        tallies[line.file].malformed += u64::from(!valid);
        let seen = Seen {
            file: line.file as u32,
            offset: line.offset,
            line: line.number,
            time,
            valid,
            raw,
        };
        entries.push((seen, line.distance));
    }
    for (line, inside) in lines.iter().zip(&in_entry) {
        if !inside {
            match format.is_header(line.text) {
                true => tallies[line.file].header += 1,
                false => tallies[line.file].blank += 1,
            }
            tallies[line.file].cut += u64::from(line.cut);
        }
    }
    let first_timed = entries.iter().position(|(seen, _)| seen.time.is_some());
    for index in 0..entries.len() {
        if entries[index].0.time.is_none() {
            entries[index].0.time = match (index, first_timed) {
                (_, Some(first)) if index < first => {
                    let near = entries[first].1 - entries[index].1 <= LOOK_AHEAD;
                    entries[first].0.time.filter(|_| near)
                }
                (1.., Some(_)) => entries[index - 1].0.time,
                _ => None,
            };
        }
        let seen = &entries[index].0;
        let tally = &mut tallies[seen.file as usize];
        match seen.time {
            Some(seconds) => tally.see_time(Time::new(seconds * 1_000_000_000, 0)),
            None => tally.untimed += 1,
        }
    }
    (entries.into_iter().map(|(seen, _)| seen).collect(), tallies)
}

fn check(files: &[Vec<u8>], packing: &[u8], target: u64, window: usize, format: &Marks) {
    let folder = Folder::new();
    let stream = folder.stream(files, packing);
    let wanted = Wanted::default();
    let counts = LineCounts::default();
    let mut context = context(format, &wanted);
    context.window_bytes = window;
    context.line_counts = Some(&counts);
    let cuts = cuts(&stream, format.splittable(), target);
    let (seen, tally) = read_all(&stream, &cuts, &context);
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
