//! Folders as they are found on hosts, with all that does not belong there.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;

use bstr::ByteSlice;
use jobspec::zone::Zone;

use super::*;
use crate::open::Compression;
use crate::segment::oracle::{Folder, Marks, log, pack};
use crate::tally::FindingKind;

fn write(folder: &Folder, name: &str, text: &[u8]) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Streams as their name and the names of their files, relative to the folder.
fn streams(folder: &Folder, found: &Found) -> Vec<(String, Vec<String>)> {
    let root = folder.path().as_os_str().as_bytes();
    let short = |path: &[u8]| path[root.len() + 1..].as_bstr().to_string();
    found
        .streams
        .iter()
        .map(|stream| {
            let files = stream.files.iter().map(|file| short(&file.path));
            (short(&stream.name), files.collect())
        })
        .collect()
}

fn kinds(folder: &Folder, found: &Found) -> Vec<(String, FindingKind)> {
    let root = folder.path().as_os_str().as_bytes();
    found
        .findings
        .iter()
        .map(|(_, finding)| {
            let path = finding.path.strip_prefix(root).unwrap_or(&finding.path);
            (path.as_bstr().to_string(), finding.kind)
        })
        .collect()
}

#[test]
fn rotated_files_are_one_stream_oldest_first() {
    let folder = Folder::new();
    for (name, kind) in [
        ("app.log", 0),
        ("app.log.1", 0),
        ("app.log.2.gz", 1),
        ("app.log.10.gz", 2),
        ("app.log.3.zst", 3),
        ("other.log", 0),
        ("sub/app.log", 0),
        (".hidden.log", 0),
    ] {
        write(&folder, name, &pack(name.as_bytes(), kind));
    }
    let plan = log(&["*.log*", "{sub,none}/*.log"]);
    let found = discover("web1", folder.path(), &[(3, &plan)]);
    let app = [
        "app.log.10.gz",
        "app.log.3.zst",
        "app.log.2.gz",
        "app.log.1",
        "app.log",
    ];
    let expected = [
        ("app.log", &app[..]),
        ("other.log", &["other.log"]),
        ("sub/app.log", &["sub/app.log"]),
    ];
    let expected = expected.map(|(name, files)| {
        (
            name.to_owned(),
            files.iter().map(|&file| file.to_owned()).collect(),
        )
    });
    assert_eq!(streams(&folder, &found), expected);
    assert!(found.findings.is_empty(), "{:?}", found.findings);
    assert!(found.streams.iter().all(|stream| stream.log == 3));
    let file = &found.streams[0].files[1];
    assert_eq!(file.compression, Compression::Zstd);
    assert_eq!(file.head, Fingerprint::of(b"app.log.3.zst"));
}

#[test]
fn what_is_no_file_is_reported_and_not_read() {
    let folder = Folder::new();
    write(&folder, "a.log", b"text\n");
    let path = folder.path();
    let fifo = std::process::Command::new("mkfifo")
        .arg(path.join("b.log"))
        .status();
    assert!(fifo.unwrap().success());
    let _socket = UnixListener::bind(path.join("c.log")).unwrap();
    fs::create_dir(path.join("d.log")).unwrap();
    symlink("/dev/null", path.join("e.log")).unwrap();
    symlink("nowhere", path.join("f.log")).unwrap();
    let plan = log(&["*.log", "missing-{host}.txt"]);
    let found = discover("web1", path, &[(0, &plan)]);
    assert_eq!(
        streams(&folder, &found),
        [("a.log".to_owned(), vec!["a.log".to_owned()])]
    );
    let not = FindingKind::NotRegular;
    let mut expected = vec![
        ("/b.log".to_owned(), not),
        ("/c.log".to_owned(), not),
        ("/d.log".to_owned(), not),
        ("/e.log".to_owned(), not),
        ("/f.log".to_owned(), FindingKind::Unreadable),
        ("missing-web1.txt".to_owned(), FindingKind::NoMatch),
    ];
    expected.sort();
    let mut seen = kinds(&folder, &found);
    seen.sort();
    assert_eq!(seen, expected);
}

#[test]
fn links_are_followed_and_loops_end() {
    let folder = Folder::new();
    write(&folder, "real/deep/a.log", b"a\n");
    write(&folder, "b.log", b"b\n");
    let path = folder.path();
    symlink("..", path.join("real/up")).unwrap();
    symlink("real", path.join("alias")).unwrap();
    symlink("b.log", path.join("a-link.log")).unwrap();
    fs::hard_link(path.join("b.log"), path.join("c.log")).unwrap();
    let plan = log(&["**/*.log"]);
    let found = discover("web1", path, &[(0, &plan)]);
    let expected =
        ["b.log", "real/deep/a.log"].map(|name| (name.to_owned(), vec![name.to_owned()]));
    assert_eq!(streams(&folder, &found), expected);
    assert_eq!(
        kinds(&folder, &found),
        [
            ("/a-link.log".to_owned(), FindingKind::Duplicate),
            ("/c.log".to_owned(), FindingKind::Duplicate),
        ]
    );
    // Without `**` every way to a file is one, and still each file is read once.
    let plan = log(&["*/deep/*.log"]);
    let found = discover("web1", path, &[(0, &plan)]);
    assert_eq!(found.streams.len(), 1);
}

#[test]
fn a_fresh_copy_is_read_once() {
    let folder = Folder::new();
    let text: Vec<u8> = (0..20_000)
        .flat_map(|number| format!("2026-01-19T14:00:00Z line {}\n", number * 7919).into_bytes())
        .collect();
    write(&folder, "app.log.1", &text);
    write(&folder, "app.log.1.gz", &pack(&text, 1));
    let packed = pack(&text, 1);
    write(&folder, "half.log.1", &text);
    write(&folder, "half.log.1.gz", &packed[..packed.len() / 2]);
    write(&folder, "new.log.1", &text[1..]);
    write(&folder, "new.log.1.gz", &pack(&text, 1));
    write(&folder, "empty.log.1", b"");
    write(&folder, "empty.log.1.gz", &pack(b"x\n", 1));
    let plan = log(&["*"]);
    let found = discover("web1", folder.path(), &[(0, &plan)]);
    let files: Vec<_> = streams(&folder, &found)
        .into_iter()
        .flat_map(|(_, files)| files)
        .collect();
    assert_eq!(
        files,
        [
            "app.log.1",
            "empty.log.1.gz",
            "empty.log.1",
            "half.log.1",
            "new.log.1.gz",
            "new.log.1"
        ]
    );
    assert_eq!(
        kinds(&folder, &found),
        [
            ("/app.log.1.gz".to_owned(), FindingKind::Duplicate),
            ("/half.log.1.gz".to_owned(), FindingKind::Duplicate),
        ]
    );
}

#[test]
fn two_logs_may_have_a_file_in_common() {
    let folder = Folder::new();
    write(&folder, "app.log", b"a\n");
    write(&folder, "b.log", b"b\n");
    let (all, one) = (log(&["*.log"]), log(&["app.log"]));
    let found = discover("web1", folder.path(), &[(0, &all), (1, &one)]);
    let logs: Vec<_> = found.streams.iter().map(|stream| stream.log).collect();
    assert_eq!(logs, [0, 0, 1]);
}

#[test]
fn names_need_not_be_text() {
    let folder = Folder::new();
    let name = std::ffi::OsStr::from_bytes(b"a\xff.log");
    fs::write(folder.path().join(name), b"a\n").unwrap();
    let plan = log(&["a?.log"]);
    let found = discover("web1", folder.path(), &[(0, &plan)]);
    assert!(found.streams[0].files[0].path.ends_with(b"/a\xff.log"));
    let host = log(&["{host}.log"]);
    write(&folder, "a*b.log", b"1\n");
    write(&folder, "axb.log", b"2\n");
    let found = discover("a*b", folder.path(), &[(0, &host)]);
    assert_eq!(found.streams.len(), 1);
    assert!(found.streams[0].files[0].path.ends_with(b"/a*b.log"));
}

#[test]
fn a_file_is_described_by_its_ends() {
    let folder = Folder::new();
    let text: Vec<u8> = "\u{feff}first\nsecond\nthird"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    write(&folder, "wide.log", &text);
    write(&folder, "wide.log.gz", &pack(&text, 1));
    write(&folder, "narrow.log", b"\xef\xbb\xbffirst\nsecond\nthird");
    let describe = |name: &str| {
        let path = folder.path().join(name);
        StreamFile::describe(path.as_os_str().as_bytes()).unwrap()
    };
    for name in ["wide.log", "wide.log.gz", "narrow.log"] {
        let file = describe(name);
        assert_eq!(
            file.head,
            Fingerprint::of(b"first\nsecond\nthird"),
            "{name}"
        );
        assert_eq!(file.is_plain(), name == "narrow.log");
    }
    assert_eq!(describe("narrow.log").last_line_end, 16);
}

#[test]
fn first_times_correct_the_order_of_names() {
    let folder = Folder::new();
    for (name, text) in [
        ("app.log", "no time\n@40 d\n"),
        ("app.log.1", "@10 a\n@39 z\n"),
        ("app.log.2", "# none at all\n"),
        ("app.log.3", "@20 b\n"),
        ("app.log.4", ""),
    ] {
        write(&folder, name, text.as_bytes());
    }
    let plan = log(&["app.log*"]);
    let mut found = discover("web1", folder.path(), &[(0, &plan)]);
    let format = Marks {
        multiline: false,
        quotes: false,
        wraps: false,
    };
    let head = found.streams[0].head();
    assert!(head.starts_with(b"@20 b\n# none at all\n@10 a\n"));
    let findings = found.streams[0].settle(&format, Zone::UTC, None);
    assert_eq!(found.streams[0].head(), head);
    let order = streams(&folder, &found).remove(0).1;
    assert_eq!(
        order,
        [
            "app.log.4",
            "app.log.1",
            "app.log.3",
            "app.log.2",
            "app.log"
        ]
    );
    assert_eq!(findings.len(), 1);
    let text = findings[0].to_string();
    assert!(text.contains("begins at 1970-01-01T00:00:10Z"), "{text}");
    let firsts: Vec<_> = found.streams[0]
        .files
        .iter()
        .map(|file| file.first_ns)
        .collect();
    let seconds = |seconds: i64| Some(seconds * 1_000_000_000);
    assert_eq!(firsts, [None, seconds(10), seconds(20), None, seconds(40)]);
    // Once settled, it stays.
    assert!(found.streams[0].settle(&format, Zone::UTC, None).is_empty());
}

#[test]
fn a_copy_under_another_name_is_read_once_if_it_has_times() {
    let folder = Folder::new();
    let text: String = (100..2000)
        .map(|second| format!("@{second} entry\n"))
        .collect();
    write(
        &folder,
        "app.log",
        format!("{text}@3000 one more\n").as_bytes(),
    );
    write(&folder, "app.log.1", text.as_bytes());
    write(&folder, "app.log.2", b"@1 first\n");
    write(&folder, "app.log.3", b"@1 first\n");
    write(&folder, "app.log.4", b"# same\n");
    write(&folder, "app.log.5", b"# same\n");
    let plan = log(&["app.log*"]);
    let mut found = discover("web1", folder.path(), &[(0, &plan)]);
    assert!(found.findings.is_empty());
    let format = Marks {
        multiline: false,
        quotes: false,
        wraps: false,
    };
    let findings = found.streams[0].settle(&format, Zone::UTC, None);
    let order = streams(&folder, &found).remove(0).1;
    assert_eq!(order, ["app.log.5", "app.log.4", "app.log.3", "app.log"]);
    let kinds: Vec<_> = findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(kinds, [FindingKind::Duplicate; 2]);
}

/// The whole content, and whether it could be read to its end.
fn text_of(file: &StreamFile, offset: u64) -> Result<(Vec<u8>, bool), FindingKind> {
    let mut content = file
        .content(offset, u64::MAX)
        .map_err(|finding| finding.kind)?;
    let mut text = Vec::new();
    let mut buffer = [0; 1000];
    loop {
        match content.read(&mut buffer) {
            0 => return Ok((text, content.is_whole())),
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
}

#[test]
fn a_rotated_file_is_found_by_its_content() {
    let folder = Folder::new();
    let text: Vec<u8> = (0..3000)
        .flat_map(|line| format!("line {line}\n").into_bytes())
        .collect();
    let path = |name: &str| folder.path().join(name);
    let listed = |name: &str| {
        write(&folder, name, &text);
        StreamFile::describe(path(name).as_os_str().as_bytes()).unwrap()
    };
    let whole = Ok((text[7..].to_vec(), true));

    let moved = listed("moved.log");
    fs::rename(path("moved.log"), path("moved.log.1")).unwrap();
    assert_eq!(text_of(&moved, 7), whole);
    write(&folder, "moved.log", b"a new file\n");
    assert_eq!(text_of(&moved, 7), whole);

    let grown = listed("grown.log");
    let longer = [&text[..], b"more\n"].concat();
    write(&folder, "grown.log", &longer);
    assert_eq!(text_of(&grown, 7), whole);

    let packed = listed("packed.log.1");
    fs::remove_file(path("packed.log.1")).unwrap();
    write(&folder, "packed.log.2.gz", &pack(&longer, 2));
    assert_eq!(text_of(&packed, 7), whole);
    fs::remove_file(path("packed.log.2.gz")).unwrap();
    assert_eq!(text_of(&packed, 0), Err(FindingKind::Vanished));

    let copied = listed("copied.log");
    write(&folder, "copied.log.1", &longer);
    write(&folder, "copied.log", b"fresh\n");
    assert_eq!(text_of(&copied, 7), whole);

    let cut = listed("cut.log");
    fs::write(path("cut.log"), &text[..20]).unwrap();
    assert_eq!(text_of(&cut, 7), Ok((text[7..20].to_vec(), false)));

    let anew = listed("anew.log");
    fs::write(path("anew.log"), text.repeat(2).replace(b"line", b"LINE")).unwrap();
    assert_eq!(text_of(&anew, 7), Err(FindingKind::Vanished));

    let replaced = listed("replaced.log");
    fs::remove_file(path("replaced.log")).unwrap();
    assert_eq!(text_of(&replaced, 0), Err(FindingKind::Vanished));
}

#[test]
fn what_is_found_travels() {
    let folder = Folder::new();
    write(&folder, "a.log", b"@1 a\n@2 b\n");
    let plan = log(&["a.log"]);
    let stream = discover("web1", folder.path(), &[(0, &plan)])
        .streams
        .remove(0);
    let cuts = crate::segment::cuts(&stream, true, 3);
    let config = bincode::config::standard();
    let bytes = bincode::serde::encode_to_vec((&stream, &cuts), config).unwrap();
    let (back, _): ((Stream, Vec<crate::segment::Cut>), _) =
        bincode::serde::decode_from_slice(&bytes, config).unwrap();
    assert_eq!(back, (stream, cuts));
}
