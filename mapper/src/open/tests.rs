//! Packed files whole, damaged, padded and too large, against the text that went in.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use super::*;
use crate::segment::oracle::{Folder, pack};

const PACKED: [u8; 5] = [1, 2, 3, 4, 5];

fn text() -> Vec<u8> {
    (0..30_000_u64)
        .flat_map(|number| {
            format!("line {}\n", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).into_bytes()
        })
        .collect()
}

/// What is read of a file with these bytes, in steps of `step`, and what is said of it.
pub(crate) fn read(
    bytes: &[u8],
    max_decoded_bytes: u64,
    step: usize,
) -> (Vec<u8>, Option<Finding>) {
    let folder = Folder::new();
    let path = folder.path().join("packed");
    fs::write(&path, bytes).unwrap();
    let path = path.as_os_str().as_bytes();
    let (file, metadata) = open(path).unwrap();
    let shape = Shape {
        compression: Compression::of(bytes),
        encoding: Encoding::Utf8,
        size: metadata.len(),
        max_decoded_bytes,
        decoded_end: u64::MAX,
        reading: Reading::chosen(),
    };
    let mut content = Content::new(path, file, shape, 0);
    let mut read = Vec::new();
    let mut buffer = vec![0; step];
    loop {
        match content.read(&mut buffer) {
            0 => break,
            count => read.extend_from_slice(&buffer[..count]),
        }
    }
    // The folder is another one each time.
    let finding = content.finding().cloned();
    let path = "packed".into();
    (read, finding.map(|finding| Finding { path, ..finding }))
}

fn kind(finding: &Option<Finding>) -> Option<FindingKind> {
    finding.as_ref().map(|finding| finding.kind)
}

#[test]
fn members_are_read_one_after_the_other() {
    let text = text();
    for packing in PACKED {
        let (seen, finding) = read(&pack(&text, packing), u64::MAX, 7919);
        assert!(
            seen == text,
            "packing {packing}: {} of {} bytes",
            seen.len(),
            text.len()
        );
        assert_eq!(finding, None, "packing {packing}");
    }
    // An empty member, and a skippable frame.
    let (seen, finding) = read(&[pack(b"", 1), pack(b"a", 1)].concat(), u64::MAX, 10);
    assert_eq!((&seen[..], finding), (&b"a"[..], None));
    let skippable = b"\x50\x2a\x4d\x18\x03\0\0\0abc";
    let (seen, finding) = read(&[skippable, &pack(b"a", 3)[..]].concat(), u64::MAX, 10);
    assert_eq!((&seen[..], finding), (&b"a"[..], None));
}

#[test]
fn what_follows_the_last_member_is_no_loss() {
    let text = text();
    for packing in PACKED {
        for (trailer, noted) in [
            (&[0; 512][..], "zeros"),
            (b"garbage!", "garbage"),
            (b"x", "garbage"),
        ] {
            let bytes = [&pack(&text, packing), trailer].concat();
            let (seen, finding) = read(&bytes, u64::MAX, 4096);
            assert!(seen == text, "packing {packing}, {noted}");
            // Zeros between and after xz streams are as they should be.
            if packing == 5 && noted == "zeros" {
                assert_eq!(finding, None);
            } else {
                let finding = finding.unwrap();
                assert_eq!(finding.kind, FindingKind::TrailingBytes);
                assert_eq!(finding.detail, noted);
            }
        }
    }
}

#[test]
fn a_file_that_ends_too_early_is_read_up_to_there() {
    let text = text();
    for packing in PACKED {
        let packed = pack(&text, packing);
        for part in [
            7,
            20,
            packed.len() / 3,
            packed.len() * 2 / 3,
            packed.len() - 1,
        ] {
            let (seen, finding) = read(&packed[..part], u64::MAX, 4096);
            assert!(text.starts_with(&seen), "packing {packing}, {part}");
            assert_eq!(
                kind(&finding),
                Some(FindingKind::Corrupt),
                "packing {packing}, {part}"
            );
            assert!(finding.unwrap().detail.contains("too early"));
            if part == packed.len() - 1 {
                assert!(
                    seen.len() > text.len() / 2,
                    "packing {packing}: {}",
                    seen.len()
                );
            }
        }
    }
}

#[test]
fn damage_gives_the_same_bytes_to_every_reader_and_never_a_panic() {
    let text = text();
    let mut state = 20_260_119_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    for packing in PACKED {
        for _ in 0..30 {
            let mut packed = pack(&text[..50_000], packing);
            for _ in 0..1 + random(4) {
                let at = random(packed.len() - 8) + 8;
                packed[at] ^= 1 << random(8);
            }
            let first = read(&packed, 1 << 20, 1 << 16);
            let second = read(&packed, 1 << 20, 333);
            assert!(first == second, "packing {packing}");
        }
    }
}

#[test]
fn a_bomb_is_cut_off() {
    for packing in PACKED {
        let bytes = pack(&vec![b'a'; 4 << 20], packing);
        let (seen, finding) = read(&bytes, 1_000_000, 4096);
        assert_eq!(seen.len(), 1_000_000, "packing {packing}");
        assert_eq!(kind(&finding), Some(FindingKind::Capped));
        let (seen, finding) = read(&bytes, 4 << 20, 4096);
        assert_eq!((seen.len(), finding), (4 << 20, None), "packing {packing}");
    }
}

#[test]
fn a_frame_with_too_large_a_window_is_refused() {
    // A zstd frame header that asks for 2 GiB.
    let bytes = [&b"\x28\xb5\x2f\xfd\x00"[..], &[21 << 3], b"\x01\0\0"].concat();
    let (seen, finding) = read(&bytes, u64::MAX, 4096);
    assert_eq!(
        (seen.len(), kind(&finding)),
        (0, Some(FindingKind::Corrupt))
    );
}

#[test]
fn a_mapped_file_that_shrinks_is_read_as_far_as_it_is() {
    let text = text();
    let size = text.len() as u64;
    // Inside a page, whole pages, all of them, less than what was read, and one byte.
    for left in [20_001, 5 * 4096, 0, 300, text.len() - 1] {
        let folder = Folder::new();
        let path = folder.path().join("log");
        fs::write(&path, &text).unwrap();
        let name = path.as_os_str().as_bytes();
        let (file, _) = open(name).unwrap();
        let mut source = Source::new(Arc::new(file), size, Reading::Mapped);
        let mut head = [0; 4000];
        assert_eq!(source.read_at(&mut head, 0).unwrap(), 4000);
        assert!(source.is_mapped());

        let shape = Shape {
            compression: Compression::Plain,
            encoding: Encoding::Utf8,
            size,
            max_decoded_bytes: u64::MAX,
            decoded_end: u64::MAX,
            reading: Reading::Mapped,
        };
        let (file, _) = open(name).unwrap();
        let mut content = Content::new(name, file, shape, 0);
        let mut read = vec![0; text.len()];
        let mut end = content.read(&mut read[..4000]);
        let writer = File::options().write(true).open(&path).unwrap();
        writer.set_len(left as u64).unwrap();
        loop {
            match content.read(&mut read[end..]) {
                0 => break,
                count => end += count,
            }
        }
        assert_eq!(end, left.max(4000), "{left}");
        assert!(read[..end] == text[..end], "{left}");
        let finding = content.finding().unwrap();
        assert_eq!(finding.kind, FindingKind::Truncated);
        assert_eq!(finding.detail, format!("{end} of {size} bytes are there"));
        assert_eq!(
            source.read_at(&mut head, 4000).unwrap(),
            left.saturating_sub(4000).min(4000)
        );
    }
}

#[test]
fn a_mapped_file_that_grows_again_is_read_on() {
    let folder = Folder::new();
    let path = folder.path().join("log");
    fs::write(&path, text()).unwrap();
    let (file, metadata) = open(path.as_os_str().as_bytes()).unwrap();
    let mut source = Source::new(Arc::new(file), metadata.len(), Reading::Mapped);
    let mut piece = [0; 100];
    assert_eq!(source.read_at(&mut piece, 0).unwrap(), 100);
    fs::write(&path, b"").unwrap();
    assert_eq!(source.read_at(&mut piece, 9000).unwrap(), 0);
    fs::write(&path, text()).unwrap();
    assert_eq!(source.read_at(&mut piece, 9000).unwrap(), 100);
    assert_eq!(piece[..], text()[9000..9100]);
}

/// The tests of all that reads, in a process that reads through maps.
#[test]
fn what_is_read_through_maps_is_the_same() {
    if Reading::chosen() == Reading::Mapped {
        return;
    }
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["open::tests::", "segment::tests::", "stream::tests::"])
        .env("LOGSTITCH_READ", "map")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}\n{said}", output.status);
    assert!(
        said.contains("a_file_may_shrink_while_it_is_read ... ok"),
        "{said}"
    );
}
