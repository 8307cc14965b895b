//! What was read, skipped and refused, file by file: a partial like any other, merged in any order.
//!
//! Nothing is dropped silently, so the lines of a file add up: `lines = entries + continuation + blank + header +
//! outside`, and `entries = parsed + malformed + unparsed`. What could not be read is a [`Finding`] beside the figures of what could.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use bstr::BString;
use jobspec::value::Time;
use serde::{Deserialize, Serialize};

/// Malformed entries of a file that are kept as examples.
const SAMPLES: usize = 3;
/// Bytes of text of each.
const SAMPLE_BYTES: usize = 200;

/// What the segments of one stream gave, by a file's place in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamTally {
    pub files: BTreeMap<u32, FileTally>,
}

impl StreamTally {
    pub fn file(&mut self, file: u32) -> &mut FileTally {
        self.files.entry(file).or_default()
    }

    pub fn merge(mut self, other: StreamTally) -> StreamTally {
        for (file, tally) in other.files {
            self.file(file).absorb(tally);
        }
        self
    }

    /// All files together; samples and findings stay with their files.
    pub fn total(&self) -> FileTally {
        let mut total = FileTally::default();
        for tally in self.files.values() {
            total.add_counts(tally);
        }
        total
    }
}

/// What was read of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileTally {
    /// Decoded bytes of the lines below, with their terminators.
    pub bytes: u64,
    pub lines: u64,
    /// Entries that begin in this file.
    pub entries: u64,
    /// Of the entries: those with `valid = false`.
    pub malformed: u64,
    /// Of the entries: those that a prefilter ruled out by their bytes, and that were judged by their shape alone. First
    /// and last time, untimed ones and formats are of the others.
    pub unparsed: u64,
    /// Lines of an entry beyond its first.
    pub continuation: u64,
    /// Blank lines outside every entry.
    pub blank: u64,
    /// Lines that repeat a header.
    pub header: u64,
    /// Lines after what pruning left out, up to the first entry with a time of its own: they count as outside from/to.
    pub outside: u64,
    /// Lines of which a part was cut off, by their own length or by their entry's.
    pub cut: u64,
    /// Entries with no time, not even an inherited one.
    pub untimed: u64,
    pub first: Option<Time>,
    pub last: Option<Time>,
    /// Valid entries by the format that they fitted.
    pub formats: BTreeMap<String, u64>,
    /// The first malformed entries.
    pub samples: Vec<Sample>,
    pub findings: BTreeSet<Finding>,
}

/// Adds to counts what hosts claim: that is no reason to count past the end.
pub fn add_up<const COUNTS: usize>(counts: [(&mut u64, u64); COUNTS]) {
    for (count, more) in counts {
        *count = count.saturating_add(more);
    }
}

/// The head of a malformed entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sample {
    pub offset: u64,
    pub text: BString,
}

impl FileTally {
    pub fn parsed(&self) -> u64 {
        let unknown = self.malformed.saturating_add(self.unparsed);
        self.entries.saturating_sub(unknown)
    }

    pub fn see_time(&mut self, time: Time) {
        self.first = Some(self.first.map_or(time, |first| first.min(time)));
        self.last = Some(self.last.map_or(time, |last| last.max(time)));
    }

    pub fn see_malformed(&mut self, offset: u64, raw: &[u8]) {
        self.malformed += 1;
        // Entries come by rising offset within a segment, so most end here.
        if self.samples.len() == SAMPLES && self.samples[SAMPLES - 1].offset <= offset {
            return;
        }
        let text = raw[..raw.len().min(SAMPLE_BYTES)].into();
        self.samples.push(Sample { offset, text });
        self.keep_first_samples();
    }

    pub fn merge(mut self, other: FileTally) -> FileTally {
        self.absorb(other);
        self
    }

    fn absorb(&mut self, other: FileTally) {
        self.add_counts(&other);
        self.samples.extend(other.samples);
        self.keep_first_samples();
        self.findings.extend(other.findings);
    }

    fn add_counts(&mut self, other: &FileTally) {
        add_up([
            (&mut self.bytes, other.bytes),
            (&mut self.lines, other.lines),
            (&mut self.entries, other.entries),
            (&mut self.malformed, other.malformed),
            (&mut self.unparsed, other.unparsed),
            (&mut self.continuation, other.continuation),
            (&mut self.blank, other.blank),
            (&mut self.header, other.header),
            (&mut self.outside, other.outside),
            (&mut self.cut, other.cut),
            (&mut self.untimed, other.untimed),
        ]);
        for time in [other.first, other.last].into_iter().flatten() {
            self.see_time(time);
        }
        for (format, entries) in &other.formats {
            let count = self.formats.entry(format.clone()).or_default();
            *count = count.saturating_add(*entries);
        }
    }

    fn keep_first_samples(&mut self) {
        self.samples.sort();
        self.samples.truncate(SAMPLES);
    }
}

/// Something about a file that its reader must know of, beside what was read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Finding {
    pub path: BString,
    pub kind: FindingKind,
    /// What, and what would help; empty where the kind says it all.
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FindingKind {
    /// A path of a log that no file matches.
    NoMatch,
    /// A folder or file that cannot be opened or read.
    Unreadable,
    /// It was there when the files were listed.
    Vanished,
    /// A FIFO, a device, a socket or a folder where a log was named.
    NotRegular,
    /// The content of another file of the log, which is read.
    Duplicate,
    /// The files' first times contradict the order of their names; the times won.
    Reordered,
    /// It became shorter while it was read.
    Truncated,
    /// Its compressed data end too early or are damaged; what came before is read.
    Corrupt,
    /// Bytes after the end of its compressed data, which are all read.
    TrailingBytes,
    /// More decoded bytes than `max_decoded_bytes` allows; the rest is not read.
    Capped,
    /// A glob that leads to more than is looked at.
    TooMany,
    /// Some of its compressed data are damaged, but not the frames that are read behind them.
    Damaged,
}

impl FindingKind {
    /// Whether entries may be missing because of it.
    pub fn is_loss(self) -> bool {
        match self {
            FindingKind::Unreadable
            | FindingKind::Vanished
            | FindingKind::Truncated
            | FindingKind::Corrupt
            | FindingKind::Capped
            | FindingKind::TooMany
            | FindingKind::Damaged => true,
            FindingKind::NoMatch
            | FindingKind::NotRegular
            | FindingKind::Duplicate
            | FindingKind::Reordered
            | FindingKind::TrailingBytes => false,
        }
    }

    pub fn text(self) -> &'static str {
        match self {
            FindingKind::NoMatch => "no file matches",
            FindingKind::Unreadable => "cannot be read",
            FindingKind::Vanished => "is gone since it was listed",
            FindingKind::NotRegular => "is no regular file, not read",
            FindingKind::Duplicate => "has the content of another file, read once",
            FindingKind::Reordered => "stands where its first time says, not its name",
            FindingKind::Truncated => "became shorter while it was read",
            FindingKind::Corrupt => "is damaged, read up to there",
            FindingKind::TrailingBytes => "has bytes after its compressed data",
            FindingKind::Capped => "decodes to more than max_decoded_bytes, read up to there",
            FindingKind::TooMany => "leads to too many files",
            FindingKind::Damaged => "is damaged, read on behind that",
        }
    }
}

impl Finding {
    pub fn new(path: &[u8], kind: FindingKind, detail: impl Into<String>) -> Finding {
        Finding {
            path: path.into(),
            kind,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.path, self.kind.text())?;
        if !self.detail.is_empty() {
            write!(formatter, ": {}", self.detail)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_host_claims_does_not_overflow() {
        let claim = || FileTally {
            bytes: u64::MAX,
            entries: u64::MAX,
            malformed: u64::MAX,
            unparsed: 1,
            formats: [("json".to_owned(), u64::MAX)].into(),
            ..FileTally::default()
        };
        let claimed = claim().merge(claim());
        assert_eq!((claimed.bytes, claimed.entries), (u64::MAX, u64::MAX));
        assert_eq!(claimed.formats["json"], u64::MAX);
        assert_eq!(claimed.parsed(), 0);
    }

    fn tally(seed: u64) -> StreamTally {
        let mut tally = StreamTally::default();
        for step in 0..5 {
            let number = seed * 7 + step * 3;
            let file = tally.file((number % 3) as u32);
            file.lines += 2;
            file.entries += 1;
            file.continuation += 1;
            file.bytes += number;
            file.see_time(Time::from_ns(number as i64));
            file.see_malformed(number * 31 % 17, &vec![b'x'; number as usize * 20]);
            *file.formats.entry(format!("f{}", number % 2)).or_default() += 1;
            let kind = [FindingKind::Corrupt, FindingKind::Truncated][number as usize % 2];
            file.findings.insert(Finding::new(b"a.log", kind, ""));
        }
        tally
    }

    #[test]
    fn merging_is_associative_and_commutes() {
        let (a, b, c) = (tally(1), tally(2), tally(3));
        let left = a.clone().merge(b.clone()).merge(c.clone());
        let right = a.clone().merge(b.clone().merge(c.clone()));
        let other = c.merge(a.clone()).merge(b);
        assert_eq!(left, right);
        assert_eq!(left, other);
        assert_eq!(a.clone().merge(StreamTally::default()), a);
        assert_eq!(left.total().lines, 30);
        assert_eq!(left.total().entries, left.total().malformed);
    }

    #[test]
    fn the_first_malformed_entries_are_kept_and_cut() {
        let mut file = FileTally::default();
        for offset in [50, 10, 40, 20, 30] {
            file.see_malformed(offset, &[b'a'; 300]);
        }
        let offsets: Vec<_> = file.samples.iter().map(|sample| sample.offset).collect();
        assert_eq!(offsets, [10, 20, 30]);
        assert!(
            file.samples
                .iter()
                .all(|sample| sample.text.len() == SAMPLE_BYTES)
        );
        assert_eq!(file.malformed, 5);
    }

    #[test]
    fn a_finding_says_what_and_where() {
        let finding = Finding::new(b"/var/log/x.gz", FindingKind::Corrupt, "unexpected end");
        assert_eq!(
            finding.to_string(),
            "/var/log/x.gz: is damaged, read up to there: unexpected end"
        );
        assert!(finding.kind.is_loss() && !FindingKind::NotRegular.is_loss());
    }
}
