//! A test format, files in a folder, and the reader of segments once more, slow and obvious: it holds all lines of
//! all files in memory and reads them from top to bottom.

use std::borrow::Cow;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use jobspec::plan::{FormatChoice, LogPlan};
use jobspec::value::Time;

use super::*;
use crate::entry::Field;
use crate::format::{Parsed, Stamp, Unwrapped};
use crate::stream::{Stream, StreamFile};
use crate::tally::FileTally;
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
pub(crate) struct Seen {
    pub(crate) file: u32,
    pub(crate) offset: u64,
    pub(crate) line: u64,
    pub(crate) time: Option<i64>,
    pub(crate) valid: bool,
    pub(crate) raw: Vec<u8>,
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

    pub(crate) fn stream(&self, files: &[Vec<u8>], packing: &[u8]) -> Stream {
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

/// A log of these paths and nothing else said.
pub(crate) fn log(paths: &[&str]) -> LogPlan {
    LogPlan {
        name: "app".to_owned(),
        paths: paths.iter().map(|&path| path.to_owned()).collect(),
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

pub(crate) fn context<'a>(format: &'a dyn Format, wanted: &'a Wanted) -> ReadContext<'a> {
    ReadContext {
        host: "web1",
        log: "app",
        host_index: 0,
        log_index: 0,
        stream_index: 0,
        format,
        wanted,
        prefilter: None,
        spare: None,
        timezone: Zone::UTC,
        year: None,
        clock_ahead_ns: 0,
        max_decoded_bytes: u64::MAX,
        window_bytes: WINDOW_BYTES,
        line_counts: None,
        pace: None,
    }
}

pub(crate) fn read_all(
    stream: &Stream,
    cuts: &[Cut],
    context: &ReadContext<'_>,
) -> (Vec<Seen>, StreamTally) {
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
pub(super) fn oracle(files: &[Vec<u8>], format: &dyn Format) -> (Vec<Seen>, Vec<FileTally>) {
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
        let mut times = TimeReader::new(Zone::UTC, crate::time::YearRule::Fixed(2026));
        let wanted = Wanted::default();
        parsed.clear(&wanted);
        format.parse(&raw, &wanted, &mut times, &mut parsed);
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
