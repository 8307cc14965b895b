//! One log while it is made: lines in any order, each with the true time it was written at, then sorted and cut
//! into the files of a rotated stream. Counts what a reader must find in each file.

use super::facts::FileFacts;

/// What a reader makes of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The first line of an entry.
    Entry,
    /// It belongs to the entry before it.
    Continuation,
    Malformed,
    Blank,
}

#[derive(Clone, Debug)]
struct Line {
    at: u64,
    bytes: Vec<u8>,
    shape: Shape,
}

/// One file of the corpus, uncompressed.
pub struct File {
    /// Below `logs`: `node-a/access.log.1`. What ends in `.gz` is written compressed.
    pub path: String,
    pub bytes: Vec<u8>,
    pub facts: FileFacts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    Lf,
    Crlf,
    /// LF, but the last line has none.
    LfButLast,
}

/// Where a file of the stream ends.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// Before the first line at or after the moment.
    At(u64),
    /// After the first line of the first entry of several lines at or after the moment: the rest of that entry
    /// stands at the head of the next file.
    InsideEntry(u64),
    /// At the last line.
    End,
}

#[derive(Default)]
pub struct Log {
    lines: Vec<Line>,
}

impl Log {
    pub fn entry(&mut self, at: u64, line: impl Into<Vec<u8>>) {
        self.push(at, line, Shape::Entry);
    }

    /// An entry of several lines, cut at its line ends.
    pub fn entry_lines(&mut self, at: u64, text: &str) {
        for (number, line) in text.lines().enumerate() {
            self.push(
                at,
                line,
                if number == 0 {
                    Shape::Entry
                } else {
                    Shape::Continuation
                },
            );
        }
    }

    pub fn push(&mut self, at: u64, line: impl Into<Vec<u8>>, shape: Shape) {
        self.lines.push(Line {
            at,
            bytes: line.into(),
            shape,
        });
    }

    /// The files, oldest first; each takes what comes up to its cut.
    pub fn files(mut self, files: &[(&str, Ending, Cut)]) -> Vec<File> {
        // Stable, so that the lines of one entry stay together and in order.
        self.lines.sort_by_key(|line| line.at);
        let mut rest = self.lines.as_slice();
        let mut written = Vec::with_capacity(files.len());
        for &(path, ending, cut) in files {
            let count = match cut {
                Cut::At(moment) => rest.partition_point(|line| line.at < moment),
                Cut::InsideEntry(moment) => {
                    let start = rest.partition_point(|line| line.at < moment);
                    let border = rest[start..]
                        .iter()
                        .position(|line| line.shape == Shape::Continuation);
                    border.map_or(rest.len(), |distance| start + distance)
                }
                Cut::End => rest.len(),
            };
            let (head, tail) = rest.split_at(count);
            written.push(file(path, ending, head));
            rest = tail;
        }
        written
    }
}

fn file(path: &str, ending: Ending, lines: &[Line]) -> File {
    let terminator: &[u8] = if ending == Ending::Crlf {
        b"\r\n"
    } else {
        b"\n"
    };
    let mut bytes = Vec::new();
    let mut facts = FileFacts {
        path: path.to_owned(),
        ..FileFacts::default()
    };
    for (index, line) in lines.iter().enumerate() {
        bytes.extend_from_slice(&line.bytes);
        if ending != Ending::LfButLast || index + 1 < lines.len() {
            bytes.extend_from_slice(terminator);
        }
        facts.lines += 1;
        match line.shape {
            Shape::Entry => facts.valid += 1,
            Shape::Continuation => facts.continuations += 1,
            Shape::Malformed => facts.malformed += 1,
            Shape::Blank => facts.blank += 1,
        }
    }
    facts.bytes = bytes.len() as u64;
    File {
        path: path.to_owned(),
        bytes,
        facts,
    }
}
