//! Compressed files of several members: one decoder after the other, as long as magic bytes follow.
//!
//! A member that is damaged or ends too early is an error after all that could be decoded; other bytes after
//! the last member are no loss and only noted.

use std::io::{self, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;
use lzma_rust2::XzReader;
use zstd::stream::raw::{self, Operation};

use super::Compression;
use super::input::Input;
use crate::tally::FindingKind;

/// Largest window of a zstd frame, as a power of two: what the command line accepts unless told otherwise.
const ZSTD_WINDOW_LOG: u32 = 27;
/// Memory of one xz decoder.
const XZ_KIB: u32 = 128 << 10;

pub(super) struct Decoder {
    compression: Compression,
    state: State,
    members: u64,
    note: Option<String>,
}

enum State {
    Between(Input),
    Gzip(Box<GzDecoder<Input>>),
    Zstd(Input, raw::Decoder<'static>),
    Bzip2(Box<BzDecoder<Input>>),
    Xz(Box<XzReader<Input>>),
    Done,
}

impl Decoder {
    pub(super) fn new(compression: Compression, input: Input) -> Decoder {
        Decoder {
            compression,
            state: State::Between(input),
            members: 0,
            note: None,
        }
    }

    /// How far the file is read; 0 once nothing comes any more.
    pub(super) fn taken(&self) -> u64 {
        match &self.state {
            State::Between(input) | State::Zstd(input, _) => input.taken(),
            State::Gzip(decoder) => decoder.get_ref().taken(),
            State::Bzip2(decoder) => decoder.get_ref().taken(),
            State::Xz(decoder) => decoder.inner().taken(),
            State::Done => 0,
        }
    }

    /// What was found after the last member.
    pub(super) fn note(&mut self) -> Option<(FindingKind, String)> {
        self.note
            .take()
            .map(|note| (FindingKind::TrailingBytes, note))
    }

    /// The next decoded bytes; 0 is the end. After an error nothing comes any more.
    pub(super) fn decode(&mut self, to: &mut [u8]) -> io::Result<usize> {
        loop {
            let (count, next) = match std::mem::replace(&mut self.state, State::Done) {
                State::Done => return Ok(0),
                State::Between(mut input) if self.compression == Compression::Plain => {
                    (input.read(to)?, State::Between(input))
                }
                State::Between(input) => {
                    self.state = self.member(input)?;
                    if matches!(self.state, State::Done) {
                        return Ok(0);
                    }
                    continue;
                }
                State::Gzip(mut decoder) => match decoder.read(to)? {
                    0 => (0, State::Between(decoder.into_inner())),
                    count => (count, State::Gzip(decoder)),
                },
                State::Bzip2(mut decoder) => match decoder.read(to)? {
                    0 => (0, State::Between(decoder.into_inner())),
                    count => (count, State::Bzip2(decoder)),
                },
                State::Xz(mut decoder) => match decoder.read(to)? {
                    0 => (0, State::Between(decoder.into_inner())),
                    count => (count, State::Xz(decoder)),
                },
                State::Zstd(mut input, mut decoder) => {
                    let (count, ended) = zstd_frame(&mut input, &mut decoder, to)?;
                    match ended {
                        false => (count, State::Zstd(input, decoder)),
                        true => (count, State::Between(input)),
                    }
                }
            };
            let plain_end = self.compression == Compression::Plain && count == 0;
            if !plain_end {
                self.state = next;
            }
            if count > 0 || plain_end {
                return Ok(count);
            }
        }
    }

    /// The decoder of the member that begins here, or `Done`.
    fn member(&mut self, mut input: Input) -> io::Result<State> {
        let head = input.peek(6)?;
        if head.is_empty() {
            return Ok(State::Done);
        }
        if Compression::of(head) != self.compression {
            // Padding: tapes and some writers fill up with zeros.
            let zeros = self.members > 0 && head.iter().all(|&byte| byte == 0);
            if self.compression == Compression::Xz && zeros && head.len() >= 4 {
                // Between the streams of an xz file, zeros by fours are as it should be.
                input.read_exact(&mut [0; 4])?;
                return Ok(State::Between(input));
            }
            self.note = Some(if zeros { "zeros" } else { "garbage" }.to_owned());
            return Ok(State::Done);
        }
        self.members += 1;
        Ok(match self.compression {
            Compression::Plain => State::Between(input),
            Compression::Gzip => State::Gzip(Box::new(GzDecoder::new(input))),
            Compression::Bzip2 => State::Bzip2(Box::new(BzDecoder::new(input))),
            Compression::Xz => State::Xz(Box::new(XzReader::new_mem_limit(input, false, XZ_KIB))),
            Compression::Zstd => {
                let mut decoder = raw::Decoder::new()?;
                decoder
                    .set_parameter(zstd::zstd_safe::DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
                State::Zstd(input, decoder)
            }
        })
    }
}

/// Some bytes of a frame, and whether it has ended with them.
fn zstd_frame(
    input: &mut Input,
    decoder: &mut raw::Decoder<'static>,
    to: &mut [u8],
) -> io::Result<(usize, bool)> {
    use std::io::BufRead;
    loop {
        let from = input.fill_buf()?;
        let ended = from.is_empty();
        let status = decoder.run_on_buffers(from, to)?;
        let (read, written) = (status.bytes_read, status.bytes_written);
        let complete = status.remaining == 0;
        input.consume(read);
        if complete {
            return Ok((written, true));
        }
        if written > 0 {
            return Ok((written, false));
        }
        if ended {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
