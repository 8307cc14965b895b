//! Zstd files of many frames, whole and damaged: any cuts give the same, and of a whole file what the plain one gives.

use std::fs;
use std::io::Write;

use bstr::ByteSlice;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};

use super::{any_text, check_stream, timeless};
use crate::segment::oracle::{Folder, Marks, Seen, context, read_all};
use crate::segment::*;
use crate::stream::StreamFile;
use crate::tally::{Finding, FindingKind};

const LINES: Marks = Marks {
    multiline: false,
    quotes: false,
    wraps: false,
};
const ENTRIES: Marks = Marks {
    multiline: true,
    ..LINES
};

/// A frame, and what may lie around it.
fn frame(text: &[u8], kind: u8) -> Vec<u8> {
    let sized = zstd::bulk::compress(text, 1).unwrap();
    match kind {
        0 => [b"\x53\x2a\x4d\x18\x05\0\0\0skip!", &sized[..]].concat(),
        1 => [&zstd::bulk::compress(b"", 1).unwrap(), &sized[..]].concat(),
        2 => {
            let mut encoder = zstd::stream::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(true).unwrap();
            let size = text.len() as u64;
            encoder.set_pledged_src_size(Some(size)).unwrap();
            encoder.write_all(text).unwrap();
            encoder.finish().unwrap()
        }
        3 => zstd::stream::encode_all(text, 1).unwrap(),
        _ => sized,
    }
}

/// The text in frames that begin at these places, of these kinds in turn.
fn frames(text: &[u8], borders: &[usize], kinds: &[u8]) -> Vec<u8> {
    let mut borders: Vec<usize> = borders
        .iter()
        .map(|border| border % (text.len() + 1))
        .collect();
    borders.extend([0, text.len()]);
    borders.sort_unstable();
    let pairs = borders.windows(2).zip(kinds.iter().cycle());
    pairs
        .flat_map(|(pair, &kind)| frame(&text[pair[0]..pair[1]], kind))
        .collect()
}

fn stream(folder: &Folder, files: &[Vec<u8>], least_apart: u64) -> Stream {
    let described = files.iter().enumerate().map(|(index, bytes)| {
        let path = folder.path().join(format!("{index}.zst"));
        fs::write(&path, bytes).unwrap();
        let mut file = StreamFile::describe(path.as_os_str().as_encoded_bytes()).unwrap();
        file.find_frames(least_apart);
        file
    });
    Stream {
        log: 0,
        name: "log".into(),
        files: described.collect(),
    }
}

/// How a stream may be read.
#[derive(Clone, Copy, Debug)]
struct Way {
    window: usize,
    max_decoded: u64,
    is_decoded_ahead: bool,
    is_backwards: bool,
}

const WAY: Way = Way {
    window: WINDOW_BYTES,
    max_decoded: u64::MAX,
    is_decoded_ahead: false,
    is_backwards: false,
};

fn read_by(
    stream: &Stream,
    cuts: &[Cut],
    format: &dyn Format,
    way: Way,
) -> (Vec<Seen>, StreamTally) {
    let wanted = Wanted::default();
    let counts = LineCounts::default();
    let spare = Spare::new(usize::from(way.is_decoded_ahead), 0);
    let mut context = context(format, &wanted);
    context.window_bytes = way.window;
    context.max_decoded_bytes = way.max_decoded;
    context.line_counts = Some(&counts);
    context.spare = Some(&spare);
    let mut cuts = cuts.to_vec();
    if way.is_backwards {
        cuts.reverse();
    }
    let (mut seen, mut tally) = (Vec::new(), StreamTally::default());
    for cut in &cuts {
        let (part, part_tally) = read_all(stream, &[*cut], &context);
        tally = tally.merge(part_tally);
        let at = if way.is_backwards { 0 } else { seen.len() };
        seen.splice(at..at, part);
    }
    (seen, tally)
}

/// Cuts at any places of the first file, also such as nothing begins at.
fn cuts_at(offsets: &[u64]) -> Vec<Cut> {
    let mut offsets = offsets.to_vec();
    offsets.push(0);
    offsets.sort_unstable();
    offsets.dedup();
    let place = |&offset: &u64| Position { file: 0, offset };
    let ends = offsets[1..].iter().map(place).map(Some).chain([None]);
    offsets
        .iter()
        .zip(ends)
        .map(|(first, end)| Cut {
            first: place(first),
            end,
            after_pruned: false,
        })
        .collect()
}

fn assert_same(left: &(Vec<Seen>, StreamTally), right: &(Vec<Seen>, StreamTally), what: &str) {
    for (left, right) in left.0.iter().zip(&right.0) {
        assert_eq!(left, right, "{what}");
    }
    assert_eq!(left.0.len(), right.0.len(), "{what}");
    assert_eq!(left.1, right.1, "{what}");
}

fn texts(seen: &[Seen]) -> Vec<String> {
    let texts = seen.iter().map(|seen| seen.raw.as_bstr().to_string());
    texts.collect()
}

fn kinds(tally: &StreamTally, file: u32) -> Vec<FindingKind> {
    let findings = tally.files[&file].findings.iter();
    findings.map(|finding: &Finding| finding.kind).collect()
}

proptest! {
    #![proptest_config(Config {
        cases: 200,
        rng_seed: RngSeed::Fixed(20260121),
        failure_persistence: None,
        ..Config::default()
    })]

    #[test]
    fn a_file_of_frames_is_the_plain_file(
        texts in vec(vec(any_text(), 1..5), 1..3),
        borders in vec(0..10_000_usize, 0..12),
        kinds in vec(0..12_u8, 1..8),
        least_apart in 1..60_u64,
        target in 1..80_u64,
        window in 1..60_usize,
        multiline in any::<bool>(),
    ) {
        let texts: Vec<Vec<u8>> = texts.iter().map(|parts| parts.concat()).collect();
        let packed: Vec<_> = texts.iter().map(|text| frames(text, &borders, &kinds)).collect();
        let folder = Folder::new();
        let stream = stream(&folder, &packed, least_apart);
        let format = Marks { multiline, ..LINES };
        check_stream(&stream, &texts, target, window, &format);
    }

    #[test]
    fn any_cuts_of_a_damaged_file_give_the_same(
        text in vec(any_text(), 1..12),
        borders in vec(0..10_000_usize, 0..12),
        kinds in vec(0..12_u8, 1..8),
        flips in vec((0..100_000_usize, 0..8_u8), 0..4),
        lost in prop_oneof![3 => Just(0_usize), 1 => 0..200_usize],
        least_apart in 1..60_u64,
        target in 1..80_u64,
        offsets in vec(0..1500_u64, 0..8),
        window in 1..60_usize,
        multiline in any::<bool>(),
        is_decoded_ahead in any::<bool>(),
        is_backwards in any::<bool>(),
        max_decoded in prop_oneof![3 => Just(u64::MAX), 1 => 0..1500_u64],
    ) {
        let mut packed = frames(&text.concat(), &borders, &kinds);
        packed.truncate(packed.len().saturating_sub(lost).max(4));
        for (at, bit) in flips {
            let at = 4 + at % packed.len();
            if let Some(byte) = packed.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        let next = b"  more\n# untimed\n@7 next file\n".to_vec();
        let folder = Folder::new();
        let framed = stream(&folder, &[packed, frame(&next, 4)], least_apart);
        let mut unframed = framed.clone();
        unframed.files[0].frames.clear();
        let (marks, timeless) = (Marks { multiline, ..LINES }, timeless::format(multiline));
        for format in [&marks as &dyn Format, &*timeless] {
            let way = Way { max_decoded, ..WAY };
            let whole = read_by(&framed, &cuts_at(&[]), format, way);
            let other = Way { window, is_decoded_ahead, is_backwards, ..way };
            let by_target = cuts(&framed, true, target);
            assert_same(&read_by(&framed, &by_target, format, other), &whole, "by target");
            assert_same(&read_by(&framed, &cuts_at(&offsets), format, other), &whole, "anywhere");
            // Without damage, what is known of the frames changes nothing at all.
            let decoded_whole = read_by(&unframed, &cuts_at(&[]), format, way);
            if kinds_of(&whole.1).is_empty() {
                assert_same(&decoded_whole, &whole, "from its head");
            } else {
                prop_assert!(decoded_whole.0.len() <= whole.0.len() + 1);
            }
        }
    }
}

fn kinds_of(tally: &StreamTally) -> Vec<FindingKind> {
    let findings = tally.files.values().flat_map(|file| &file.findings);
    findings.map(|finding| finding.kind).collect()
}

/// Five frames of three lines; the last line of each ends in the next one.
fn five_frames() -> Vec<Vec<u8>> {
    let text: String = (0..5)
        .map(|number| {
            format!("ry\n# of {number}\n@{number}1 one\n  more\n@{number}2 two\n@{number}3 ent")
        })
        .collect();
    let text = &text.as_bytes()[3..];
    let borders = text.find_iter("ry\n").collect::<Vec<_>>();
    let borders = [&[0][..], &borders, &[text.len()]].concat();
    borders
        .windows(2)
        .map(|pair| frame(&text[pair[0]..pair[1]], 2))
        .collect()
}

#[test]
fn a_damaged_frame_costs_what_is_in_it() {
    let mut packed = five_frames();
    // In one the checksum is wrong, in the other a block; lengths are not, so that the frames behind are found.
    *packed[1].last_mut().unwrap() ^= 1;
    let length = packed[3].len();
    packed[3][length - 9..].fill(0xff);
    let folder = Folder::new();
    let stream = stream(&folder, &[packed.concat(), frame(b"# behind\n", 4)], 1);
    assert_eq!(stream.files[0].frames.len(), 5);
    let (seen, tally) = read_by(&stream, &cuts(&stream, true, 1), &ENTRIES, WAY);
    let expected = [
        "# of 0",
        "@01 one\n  more",
        "@02 two",
        "@03 ent",
        "# of 2",
        "@21 one\n  more",
        "@22 two",
        "@23 ent",
        "# of 4",
        "@41 one\n  more",
        "@42 two",
        "@43 ent",
        "# behind",
    ];
    assert_eq!(texts(&seen), expected);
    // No time goes on across what is missing, but those of the next entry and of the file before do.
    let untimed: Vec<_> = seen.iter().filter(|seen| seen.raw[0] == b'#').collect();
    let times: Vec<_> = untimed.iter().map(|seen| seen.time).collect();
    assert_eq!(times, [Some(1), Some(21), Some(41), Some(43)]);
    assert_eq!(kinds(&tally, 0), [FindingKind::Damaged]);
    assert!(FindingKind::Damaged.is_loss());
    assert!(tally.files[&1].findings.is_empty());
}

#[test]
fn lines_are_counted_by_their_ends_across_gaps() {
    let mut packed = five_frames();
    let length = packed[2].len();
    packed[2][length - 9..].fill(0xff);
    let folder = Folder::new();
    let stream = stream(&folder, &[packed.concat()], 1);
    let number = |way| {
        let (seen, _) = read_by(&stream, &cuts(&stream, true, 1), &LINES, way);
        let seen = seen.iter().find(|seen| seen.raw == b"@31 one").unwrap();
        (seen.line, seen.offset)
    };
    let numbers = number(WAY);
    // "@13 ent" is line 11; the rest of what may be that line precedes "# of 3".
    assert_eq!(numbers.0, 12);
    let backwards = Way {
        is_backwards: true,
        ..WAY
    };
    assert_eq!(number(backwards), numbers);
}

#[test]
fn frames_longer_than_a_piece_are_the_same_to_every_reader() {
    let mut state = 20_260_122_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    let mut text = Vec::new();
    for second in 0..60_000_u32 {
        let word = second.wrapping_mul(2_654_435_761);
        writeln!(text, "@{second} entry {word:x}").unwrap();
    }
    let borders: Vec<usize> = (1..7).map(|part| text.len() / 7 * part).collect();
    for round in 0..8 {
        let mut packed = frames(&text, &borders, &[5, 2, 0]);
        for _ in 0..round {
            let at = 20 + random(packed.len() - 20);
            packed[at] ^= 1 << random(8);
        }
        let folder = Folder::new();
        let stream = stream(&folder, &[packed], [1, 300_000][round % 2]);
        assert!(round > 0 || stream.files[0].frames.len() == 7);
        let whole = read_by(&stream, &cuts_at(&[]), &LINES, WAY);
        assert_eq!(
            whole.0.len() == 60_000,
            round == 0 || kinds_of(&whole.1).is_empty()
        );
        let anywhere: Vec<u64> = (0..4).map(|_| random(text.len()) as u64).collect();
        let by_target = cuts(&stream, true, 150_000);
        assert!(round > 0 || by_target.len() == 7);
        for is_decoded_ahead in [false, true] {
            let way = Way {
                window: 10_000,
                is_decoded_ahead,
                ..WAY
            };
            let what = format!("round {round}, decoded ahead: {is_decoded_ahead}");
            assert_same(&read_by(&stream, &by_target, &LINES, way), &whole, &what);
            assert_same(
                &read_by(&stream, &cuts_at(&anywhere), &LINES, way),
                &whole,
                &what,
            );
        }
    }
}

#[test]
fn cuts_lie_behind_the_starts_of_frames() {
    let folder = Folder::new();
    let text = b"@1 line\n".repeat(10);
    let packed = frames(&text, &[10, 20, 30, 40, 50, 60], &[5]);
    let plain = frame(b"@2 b\n", 5);
    let stream = stream(&folder, &[packed.clone(), plain], 1);
    let at = |splittable, target| -> Vec<(u32, u64)> {
        let cuts = cuts(&stream, splittable, target);
        cuts.iter()
            .map(|cut| (cut.first.file, cut.first.offset))
            .collect()
    };
    assert_eq!(at(true, 20), [(0, 0), (0, 21), (0, 41), (0, 61), (1, 0)]);
    assert_eq!(at(true, 60), [(0, 0), (0, 61)]);
    assert_eq!(at(true, 1000), [(0, 0)]);
    assert_eq!(at(false, 20), [(0, 0), (1, 0)]);
}
