//! Files of frames, well made and not, against where their frames are known to begin.

use std::fs;

use super::*;
use crate::segment::oracle::Folder;

fn walk<T>(bytes: &[u8], then: impl FnOnce(&mut Walk<'_>) -> T) -> T {
    let folder = Folder::new();
    let path = folder.path().join("frames");
    fs::write(&path, bytes).unwrap();
    let file = File::open(path).unwrap();
    then(&mut Walk::new(&file, bytes.len() as u64))
}

/// Disk and decoded offsets.
fn starts_of(bytes: &[u8], least_apart: u64) -> Vec<(u64, u64)> {
    let starts = walk(bytes, |walk| walk.starts(least_apart));
    starts
        .iter()
        .map(|start| (start.disk, start.decoded))
        .collect()
}

fn frame(text: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(text, 1).unwrap()
}

fn unsized_frame(text: &[u8]) -> Vec<u8> {
    zstd::stream::encode_all(text, 1).unwrap()
}

fn skippable(length: u32) -> Vec<u8> {
    let mut bytes = b"\x5a\x2a\x4d\x18".to_vec();
    bytes.extend(length.to_le_bytes());
    bytes.resize(8 + length as usize, 0xee);
    bytes
}

/// A frame of raw blocks, by hand: a content size of eight bytes, and blocks of these lengths.
fn raw_frame(content: u64, blocks: &[u32]) -> Vec<u8> {
    let mut header = b"\x28\xb5\x2f\xfd\xc0\x58".to_vec();
    header.extend(content.to_le_bytes());
    with_blocks(header, blocks)
}

fn with_blocks(mut bytes: Vec<u8>, blocks: &[u32]) -> Vec<u8> {
    for (index, &length) in blocks.iter().enumerate() {
        let is_last = u32::from(index + 1 == blocks.len());
        bytes.extend(&(length << 3 | is_last).to_le_bytes()[..3]);
        bytes.resize(bytes.len() + length as usize, b'x');
    }
    bytes
}

#[test]
fn each_frame_begins_where_the_one_before_ends() {
    // Of all widths that a content size has, with a block of each kind, several blocks, and a checksum.
    let mut texts = vec![
        vec![b'a'; 3],
        vec![b'b'; 255],
        vec![b'c'; 256],
        vec![b'd'; 70_000],
    ];
    texts.push((0..300_000_u32).flat_map(u32::to_le_bytes).collect());
    texts.push(
        (0..100_000_u32)
            .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
            .collect(),
    );
    let mut bytes = Vec::new();
    let mut expected = Vec::new();
    let mut decoded = 0;
    for text in &texts {
        expected.push((bytes.len() as u64, decoded));
        bytes.extend(frame(text));
        decoded += text.len() as u64;
    }
    expected.push((bytes.len() as u64, decoded));
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.set_pledged_src_size(Some(4)).unwrap();
    std::io::Write::write_all(&mut encoder, b"text").unwrap();
    bytes.extend(encoder.finish().unwrap());
    expected.push((bytes.len() as u64, decoded + 4));
    bytes.extend(raw_frame(300, &[100, 0, 200]));
    expected.push((bytes.len() as u64, decoded + 304));
    bytes.extend(frame(b"last"));
    assert_eq!(starts_of(&bytes, 1), expected);
}

#[test]
fn skippable_and_empty_frames_belong_to_what_follows() {
    let (one, two) = (frame(b"one"), frame(b"three"));
    let bytes = [
        skippable(9),
        one.clone(),
        skippable(0),
        skippable(5000),
        two.clone(),
    ]
    .concat();
    let second = (17 + one.len()) as u64;
    assert_eq!(starts_of(&bytes, 1), [(0, 0), (second, 3)]);
    let bytes = [frame(b""), one.clone(), frame(b""), two, skippable(7)].concat();
    let second = (frame(b"").len() + one.len()) as u64;
    assert_eq!(starts_of(&bytes, 1), [(0, 0), (second, 3)]);
}

#[test]
fn starts_are_apart_and_not_too_many() {
    let one = frame(&[b'a'; 10]);
    let length = one.len() as u64;
    let bytes = one.repeat(20);
    let expected = [(0, 0), (3 * length, 30), (6 * length, 60)];
    assert_eq!(starts_of(&bytes, 25)[..3], expected);
    assert_eq!(starts_of(&one, 1), [(0, 0)]);
    let bytes = one.repeat(5000);
    let starts = starts_of(&bytes, 1);
    assert!(starts.len() > MOST_STARTS / 2 && starts.len() < MOST_STARTS);
    let apart = 10 * 5000_u64.div_ceil(MOST_STARTS as u64).next_power_of_two();
    assert!(starts.windows(2).all(|pair| pair[1].1 - pair[0].1 == apart));
}

#[test]
fn the_walk_ends_at_what_is_odd_and_keeps_what_it_has() {
    let good = frame(b"good").repeat(2);
    let second = (good.len() / 2) as u64;
    let known = vec![(0, 0), (second, 4)];
    let third = (good.len() as u64, 8);
    for (what, rest, is_start) in [
        ("garbage", b"garbage and more of it".to_vec(), false),
        ("zeros", vec![0; 100], false),
        ("half a magic", b"\x28\xb5".to_vec(), false),
        ("a magic alone", b"\x28\xb5\x2f\xfd".to_vec(), false),
        (
            "a header cut short",
            b"\x28\xb5\x2f\xfd\xc0\x58\0\0".to_vec(),
            false,
        ),
        ("no block", raw_frame(10, &[]), true),
        (
            "a block cut short",
            raw_frame(10, &[10])[..20].to_vec(),
            true,
        ),
        (
            "a reserved bit",
            b"\x28\xb5\x2f\xfd\x08\x58\x01\0\0".to_vec(),
            false,
        ),
        (
            "a dictionary",
            b"\x28\xb5\x2f\xfd\x01\x58\x07\x01\0\0".to_vec(),
            false,
        ),
        (
            "a reserved block",
            b"\x28\xb5\x2f\xfd\x20\x01\x0f\0\0a".to_vec(),
            true,
        ),
        (
            "a block too large",
            b"\x28\xb5\x2f\xfd\x20\x01\xfd\xff\xffa".to_vec(),
            true,
        ),
        ("too much content", raw_frame(u64::MAX, &[10]), true),
        (
            "content beyond its blocks",
            raw_frame(LARGEST_BLOCK + 1, &[10]),
            true,
        ),
        (
            "an endless skippable",
            b"\x50\x2a\x4d\x18\xff\xff\xff\xff".to_vec(),
            false,
        ),
        ("no content size", unsized_frame(b"unsized"), true),
    ] {
        let mut expected = known.clone();
        expected.extend(is_start.then_some(third));
        // A frame behind it is out of reach.
        let bytes = [&good[..], &rest, &frame(b"behind")].concat();
        let cut = what.ends_with("short") || what.contains("magic") || what == "no block";
        let bytes = if cut {
            [&good[..], &rest].concat()
        } else {
            bytes
        };
        assert_eq!(starts_of(&bytes, 1), expected, "{what}");
    }
    assert_eq!(starts_of(b"", 1), [(0, 0)]);
}

#[test]
fn any_damage_gives_starts_in_order_and_in_the_file() {
    let texts = (0..40_usize).map(|n| frame(&vec![n as u8; n * n * 7]));
    let whole = texts.collect::<Vec<_>>().concat();
    let mut state = 20_260_119_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    for _ in 0..2000 {
        let mut bytes = whole.clone();
        bytes.truncate(bytes.len() - random(20));
        for _ in 0..1 + random(6) {
            let at = random(bytes.len());
            bytes[at] ^= 1 << random(8);
        }
        let starts = starts_of(&bytes, 1);
        let is_rising = |pair: &[(u64, u64)]| pair[0].0 < pair[1].0 && pair[0].1 < pair[1].1;
        assert!(starts.windows(2).all(is_rising), "{starts:?}");
        assert!(starts.iter().all(|start| start.0 <= bytes.len() as u64));
    }
}

#[test]
fn a_file_of_one_frame_is_not_followed_to_its_end() {
    let blocks = vec![LARGEST_BLOCK as u32 / 64; 4000];
    let content = 4000 * LARGEST_BLOCK;
    let one = raw_frame(content, &blocks);
    let (starts, reads) = walk(&one, |walk| (walk.starts(1).len(), walk.reads));
    assert_eq!(starts, 1);
    assert!(u64::from(reads) <= BLOCKS_TO_GUESS_BY + 1, "{reads}");
    // Of two, the first is; of the second its start is all there is to know.
    let two = raw_frame(content / 2, &blocks[..2000]).repeat(2);
    let (starts, reads) = walk(&two, |walk| (walk.starts(1), walk.reads));
    assert_eq!(starts.len(), 2);
    assert_eq!(starts[1].decoded, content / 2);
    assert!(u64::from(reads) <= 2000 + BLOCKS_TO_GUESS_BY + 2, "{reads}");
}

#[test]
fn reads_are_bounded() {
    let unsized_header = b"\x28\xb5\x2f\xfd\x00\x58".to_vec();
    let blocks = vec![READ_BYTES as u32; 1000];
    let known = frame(b"known");
    let bytes = [known, with_blocks(unsized_header, &blocks), frame(b"more")].concat();
    for most_reads in [0, 1, 2, 100] {
        let (starts, reads) = walk(&bytes, |walk| {
            walk.most_reads = most_reads;
            (walk.starts(1).len(), walk.reads)
        });
        assert_eq!(
            (starts, reads),
            (if most_reads > 0 { 2 } else { 1 }, most_reads)
        );
    }
    // Empty blocks, as many as fit.
    let empty = raw_frame(0, &vec![0; 1_000_000]);
    let reads = walk(&empty, |walk| (walk.starts(1), walk.reads).1);
    assert!(u64::from(reads) <= empty.len() as u64 / (READ_BYTES as u64 - 2) + 1);
}
