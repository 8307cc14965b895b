//! A stream held against what its files say: each one's first time, the order that follows, and copies under other
//! names, as a rotation by copying leaves them for a moment.

use std::collections::BTreeMap;

use jobspec::value::Time;
use jobspec::zone::Zone;

use super::same::{Content, compare};
use super::{SAMPLE_BYTES, Stream, StreamFile};
use crate::format::{Format, Parsed, Stamp, Unwrapped, Wanted};
use crate::tally::{Finding, FindingKind};
use crate::time::{TimeReader, YearRule};

impl Stream {
    /// Notes the first time of each file, puts the files in the order of these times where the order of their names
    /// contradicts it, and drops copies. To be done once, before a stream is cut.
    pub fn settle(
        &mut self,
        format: &dyn Format,
        timezone: Zone,
        year: Option<i32>,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for file in &mut self.files {
            let year = match year {
                Some(year) => YearRule::Fixed(year),
                None => YearRule::LatestBefore {
                    mtime_ns: file.mtime_ns,
                },
            };
            let mut times = TimeReader::new(timezone, year);
            file.first_ns = first_time(&file.head(SAMPLE_BYTES), format, &mut times);
        }
        self.drop_copies(&mut findings);
        self.sort_by_time(&mut findings);
        findings
    }

    fn drop_copies(&mut self, findings: &mut Vec<Finding>) {
        let mut alike: BTreeMap<_, Vec<usize>> = BTreeMap::new();
        for (index, file) in self.files.iter().enumerate() {
            // Without a time, files may well be alike and yet not copies.
            if file.first_ns.is_some() {
                let key = (file.head, file.first_ns);
                alike.entry(key).or_default().push(index);
            }
        }
        let mut gone: BTreeMap<usize, usize> = BTreeMap::new();
        for group in alike.into_values() {
            let mut kept = group[0];
            for &index in &group[1..] {
                match compare(&self.files[kept], &self.files[index]) {
                    Content::Same | Content::Continues => {
                        gone.insert(index, kept);
                    }
                    Content::Begins => {
                        gone.insert(kept, index);
                        kept = index;
                    }
                    Content::Other => {}
                }
            }
        }
        for (&index, &kept) in &gone {
            // The text that the format was chosen by is now in the file that stays.
            let place = self.files[index].place_by_name;
            let kept_file = &mut self.files[kept];
            kept_file.place_by_name = kept_file.place_by_name.min(place);
            let detail = format!("it is in {}", self.files[kept].path);
            let path = &self.files[index].path;
            findings.push(Finding::new(path, FindingKind::Duplicate, detail));
        }
        let mut index = 0;
        self.files.retain(|_| {
            index += 1;
            !gone.contains_key(&(index - 1))
        });
    }

    fn sort_by_time(&mut self, findings: &mut Vec<Finding>) {
        let timed = |file: &StreamFile| file.first_ns;
        let known: Vec<_> = self
            .files
            .iter()
            .filter(|file| timed(file).is_some())
            .collect();
        let Some(pair) = known
            .windows(2)
            .find(|pair| timed(pair[0]) > timed(pair[1]))
        else {
            return;
        };
        let at = |file: &StreamFile| Time::from_ns(file.first_ns.unwrap_or_default());
        let detail = format!(
            "it begins at {}, {} at {}",
            at(pair[1]),
            pair[0].path,
            at(pair[0])
        );
        findings.push(Finding::new(&pair[1].path, FindingKind::Reordered, detail));
        // A file without a time stays behind the one before it.
        let mut before = None;
        let mut keyed: Vec<_> = std::mem::take(&mut self.files)
            .into_iter()
            .map(|file| {
                before = file.first_ns.or(before);
                (before, file)
            })
            .collect();
        keyed.sort_by_key(|(time, _)| *time);
        self.files = keyed.into_iter().map(|(_, file)| file).collect();
    }
}

/// The time of the first valid entry that has one of its own.
fn first_time(head: &[u8], format: &dyn Format, times: &mut TimeReader) -> Option<i64> {
    let wanted = Wanted::default();
    let (is_multiline, wraps) = (format.is_multiline(), format.wraps());
    let mut unwrapped = Vec::new();
    let mut wrapper_time = None;
    for line in head.split(|&byte| byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.trim_ascii().is_empty() {
            continue;
        }
        let mut text = line;
        if wraps {
            wrapper_time = wrapper_time.or_else(|| format.wrapper_time(line));
            if format.unwrap_line(line, &mut unwrapped) == Unwrapped::Partial {
                continue;
            }
            text = &unwrapped;
        }
        if !is_multiline || format.starts(text) {
            let mut parsed = Parsed::default();
            parsed.clear(&wanted);
            format.parse(text, &wanted, times, &mut parsed);
            let time = match parsed.stamp {
                Stamp::At(time) => Some(time),
                Stamp::None | Stamp::Impossible => wrapper_time,
            };
            if let (true, Some(time)) = (parsed.valid, time) {
                return Some(time.ns);
            }
        }
        unwrapped.clear();
        wrapper_time = None;
    }
    None
}
