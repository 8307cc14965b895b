//! Any bytes as a file of a stream, by position and through a map: no panic, the lines add up, and what is read does
//! not depend on how the stream is cut, on the window or on the way the bytes are come by.
#![no_main]

use std::os::unix::ffi::OsStrExt;

use jobspec::plan::{FormatChoice, LogPlan};
use jobspec::zone::Zone;
use libfuzzer_sys::fuzz_target;
use mapper::format::{Wanted, choose};
use mapper::open::{Compression, Content, Encoding, Reading, Shape, open};
use mapper::segment::{LineCounts, ReadContext, cuts, read};
use mapper::stream::{Stream, StreamFile};
use mapper::tally::StreamTally;

const MOST_DECODED_BYTES: u64 = 1 << 20;

fn log_plan() -> LogPlan {
    LogPlan {
        name: "log".to_owned(),
        paths: Vec::new(),
        format: FormatChoice::Auto,
        timezone: None,
        year: None,
        disorder_ns: None,
        rotation: None,
        nested_json: false,
        derive: Vec::new(),
        drop: None,
        tag: Vec::new(),
        redact: Vec::new(),
    }
}

/// All of a file's text and what is said of it.
fn content(path: &[u8], data: &[u8], reading: Reading, step: usize) -> (Vec<u8>, String) {
    let (file, metadata) = open(path).expect("it was just written");
    let shape = Shape {
        compression: Compression::of(data),
        encoding: Encoding::of(data),
        size: metadata.len(),
        max_decoded_bytes: MOST_DECODED_BYTES,
        decoded_end: u64::MAX,
        reading,
    };
    let mut content = Content::new(path, file, shape, 0);
    let (mut text, mut buffer) = (Vec::new(), vec![0; step]);
    loop {
        match content.read(&mut buffer) {
            0 => break,
            count => text.extend_from_slice(&buffer[..count]),
        }
    }
    (text, format!("{:?}", content.finding()))
}

fuzz_target!(|data: &[u8]| {
    let folder = std::env::temp_dir().join(format!("logstitch-fuzz-open-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    // The first byte says where the rest is cut in two files.
    let Some((&first, data)) = data.split_first() else {
        return;
    };
    let halves = data.split_at(data.len() * usize::from(first) / 256);
    let halves = if first < 128 { (data, &b""[..]) } else { halves };
    let files = [("a.log.1", halves.0), ("a.log", halves.1)].map(|(name, text)| {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        path
    });
    let path = files[0].as_os_str().as_bytes();
    let positional = content(path, halves.0, Reading::Positional, 1 << 16);
    assert_eq!(content(path, halves.0, Reading::Mapped, 777), positional);

    let described = files.iter().map(|path| StreamFile::describe(path.as_os_str().as_bytes()));
    let mut stream = Stream {
        log: 0,
        name: "a.log".into(),
        files: described.collect::<Result<_, _>>().expect("they were just written"),
    };
    for (place, file) in stream.files.iter_mut().enumerate() {
        file.place_by_name = place as u32;
        // Times without a year do not depend on when the fuzzer runs.
        file.mtime_ns = 1_768_867_200_000_000_000;
        file.find_frames(1);
    }
    let format = choose(FormatChoice::Auto, &log_plan(), &[], &stream.head()).format;
    stream.settle(&*format, Zone::UTC, None);
    let wanted = Wanted::default();
    let read_by = |target_bytes, window_bytes| {
        let counts = LineCounts::default();
        let context = ReadContext {
            host: "host",
            log: "log",
            host_index: 0,
            log_index: 0,
            stream_index: 0,
            format: &*format,
            wanted: &wanted,
            prefilter: None,
            timezone: Zone::UTC,
            year: None,
            clock_ahead_ns: 0,
            max_decoded_bytes: MOST_DECODED_BYTES,
            window_bytes,
            spare: None,
            line_counts: Some(&counts),
            pace: None,
        };
        let (mut seen, mut tally) = (Vec::new(), StreamTally::default());
        for cut in cuts(&stream, format.splittable(), target_bytes) {
            tally = tally.merge(read(&stream, &cut, &context, &mut |entry| {
                seen.push((entry.place, entry.time, entry.line, entry.raw.len(), entry.valid));
            }));
        }
        let total = tally.total();
        let known = total.entries + total.continuation + total.blank + total.header;
        assert_eq!(total.lines, known);
        (seen, tally)
    };
    let whole = read_by(u64::MAX, 1 << 18);
    // Cut finely, but not into more segments than a short run bears.
    assert_eq!(read_by((data.len() as u64 / 8).max(1), 100), whole);
});
