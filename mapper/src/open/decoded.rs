//! The text of a packed file, decoded piece by piece; where the starts of its frames are known, section by section.
//!
//! A section goes from one known start to the next. Each is decoded by itself, with a decoder, a buffer and pieces of
//! its own, so that whoever comes to it, and from wherever, gets the same bytes of it, even where it is damaged; and
//! damage in it costs nothing of the next.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::decode::Decoder;
use super::frames::FrameStart;
use super::input::{Input, Source};
use super::utf16::Utf16;
use super::{Shape, reason};
use crate::tally::{Finding, FindingKind};

/// Decoders are asked for pieces of one size, whatever the caller's buffer holds: so a damaged file gives the same
/// bytes to every reader.
const PIECE_BYTES: usize = 64 << 10;

pub(super) struct Decoded {
    file: Arc<File>,
    shape: Shape,
    /// Empty where the file is one section.
    starts: Vec<FrameStart>,
    section: usize,
    decoder: Decoder,
    utf16: Option<Utf16>,
    /// Decoded bytes up to the cap, up to the end of what counts, and up to the next section.
    left: u64,
    wanted: u64,
    missing: u64,
    piece: Vec<u8>,
    text: Vec<u8>,
    served: usize,
    end: Option<End>,
}

/// Where nothing more comes.
pub(super) struct End {
    pub(super) finding: Option<Finding>,
    /// The section that reading can go on with.
    next: Option<usize>,
}

impl Decoded {
    /// From the last start on that is at or before the offset.
    pub(super) fn new(file: File, shape: Shape, starts: &[FrameStart], offset: u64) -> Decoded {
        let file = Arc::new(file);
        let behind = starts.partition_point(|start| start.decoded <= offset);
        let mut decoded = Decoded {
            decoder: Decoder::new(shape.compression, section_input(&file, &shape, 0, 0)),
            file,
            utf16: Utf16::new(shape.encoding),
            shape,
            starts: starts.to_vec(),
            section: 0,
            left: 0,
            wanted: 0,
            missing: 0,
            piece: vec![0; PIECE_BYTES],
            text: Vec::new(),
            served: 0,
            end: None,
        };
        decoded.begin(behind.saturating_sub(1));
        decoded
    }

    /// Where the section at hand begins.
    pub(super) fn start(&self) -> FrameStart {
        self.starts.get(self.section).copied().unwrap_or_default()
    }

    /// Bytes of the file up to where it was read.
    pub(super) fn taken(&self) -> u64 {
        self.decoder.taken()
    }

    /// Fills a part of `to` from what is decoded; None where that is used up.
    pub(super) fn serve(&mut self, to: &mut [u8]) -> Option<usize> {
        let rest = &self.text[self.served..];
        let count = rest.len().min(to.len());
        to[..count].copy_from_slice(&rest[..count]);
        self.served += count;
        (!rest.is_empty()).then_some(count)
    }

    pub(super) fn end(&self) -> Option<&End> {
        self.end.as_ref()
    }

    /// The decoded offset of the section that reading can go on with, once it has come to an end.
    pub(super) fn next_start(&self) -> Option<u64> {
        let end = self.end.as_ref();
        let next = end.filter(|_| self.served == self.text.len())?.next?;
        Some(self.starts.get(next)?.decoded)
    }

    /// Goes on there.
    pub(super) fn go_on(&mut self) {
        if let Some(next) = self.end.take().and_then(|end| end.next) {
            self.begin(next);
        }
    }

    fn begin(&mut self, section: usize) {
        self.section = section;
        let start = self.start();
        let next = self.starts.get(section + 1).copied();
        let end = next.map_or(self.shape.size, |next| next.disk.min(self.shape.size));
        let input = section_input(&self.file, &self.shape, start.disk, end);
        self.decoder = Decoder::new(self.shape.compression, input);
        self.left = self.shape.max_decoded_bytes.saturating_sub(start.decoded);
        self.wanted = self.shape.decoded_end.saturating_sub(start.decoded);
        self.missing = next.map_or(u64::MAX, |next| next.decoded.saturating_sub(start.decoded));
    }

    /// Decodes on: more to serve, the end, or neither yet.
    pub(super) fn next_piece(&mut self, path: &[u8]) {
        self.served = 0;
        self.text.clear();
        let end = |finding| End {
            finding,
            next: None,
        };
        let next = Some(self.section + 1).filter(|&next| next < self.starts.len());
        let (count, end) = match self.decoder.decode(&mut self.piece) {
            Ok(0) if next.is_some() && self.missing == 0 => {
                self.begin(self.section + 1);
                return;
            }
            Ok(0) if next.is_some() => (0, Some(damage(path, TOO_EARLY, next))),
            Ok(0) => {
                let note = self.decoder.note();
                let note = note.map(|(kind, detail)| Finding::new(path, kind, detail));
                (0, Some(end(note)))
            }
            Ok(count) if self.wanted <= self.left && count as u64 >= self.wanted => {
                (self.wanted as usize, Some(end(None)))
            }
            Ok(count) if self.missing <= self.left && count as u64 > self.missing => {
                let detail = "its compressed data hold more than they say";
                (self.missing as usize, Some(damage(path, detail, next)))
            }
            Ok(count) if count as u64 > self.left => {
                let capped = Finding::new(path, FindingKind::Capped, String::new());
                (self.left as usize, Some(end(Some(capped))))
            }
            Ok(count) => (count, None),
            Err(error) => (0, Some(failure(path, &error, next))),
        };
        self.left -= count as u64;
        self.wanted -= count as u64;
        self.missing -= count as u64;
        match &mut self.utf16 {
            None => self.text.extend_from_slice(&self.piece[..count]),
            Some(utf16) => {
                utf16.decode(&self.piece[..count], &mut self.text);
                if end.is_some() {
                    utf16.finish(&mut self.text);
                }
            }
        }
        self.end = end;
    }
}

const TOO_EARLY: &str = "its compressed data end too early";

fn failure(path: &[u8], error: &io::Error, next: Option<usize>) -> End {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => damage(path, TOO_EARLY, next),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            damage(path, &reason(error), next)
        }
        _ if error.raw_os_error().is_some() => End {
            finding: Some(Finding::new(path, FindingKind::Unreadable, reason(error))),
            next,
        },
        _ => damage(path, &reason(error), next),
    }
}

/// The details say not where: a file may be damaged in many places, and each says the same.
fn damage(path: &[u8], detail: &str, next: Option<usize>) -> End {
    let kind = match next {
        Some(_) => FindingKind::Damaged,
        None => FindingKind::Corrupt,
    };
    End {
        finding: Some(Finding::new(path, kind, detail)),
        next,
    }
}

fn section_input(file: &Arc<File>, shape: &Shape, start: u64, end: u64) -> Input {
    let source = Source::new(Arc::clone(file), shape.size, shape.reading);
    Input::new(source, start, end)
}
