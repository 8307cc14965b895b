//! The messages of both directions, as bytes: a marker once, then frames of a bounded length, each checked.
//!
//! Nothing here reads or writes: `Encoder` and `Decoder` turn messages into bytes and back, so that a blocking mapper,
//! an asynchronous runner and a test use the same code. This is also the only place, with the reducer's spill, that
//! knows how a value becomes bytes (bincode).

use std::cell::RefCell;
use std::{fmt, io};

use serde::{Deserialize, Serialize};
use zstd::bulk::{Compressor, Decompressor};

/// What a stream begins with, so that whatever a login shell prints before it can be skipped.
pub const MARKER: &[u8; 16] = b"\0\xfflogstitch/1\0\xff\n";

/// Bytes that may stand before the marker.
const BANNER_BYTES: usize = 64 << 10;

/// Bytes of one frame's payload, as sent and as unpacked. A longer message goes on in further frames.
const FRAME_BYTES: usize = 1 << 20;

/// Bytes of one message of several frames.
pub const MESSAGE_BYTES: usize = 1 << 30;

/// Payloads from here on are compressed where that makes them shorter.
const COMPRESS_BYTES: usize = 512;

const MAGIC: u32 = u32::from_le_bytes(*b"LgSt");
pub const HEADER_BYTES: usize = 20;
const FLAG_ZSTD: u8 = 1;
const FLAG_MORE: u8 = 2;

/// What is wrong with bytes that should be frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// No marker within the first bytes; what stood there instead.
    NoMarker(String),
    Magic,
    Kind(u8),
    Length(usize),
    Checksum,
    Compression,
    /// The payload is no message of this build.
    Payload(String),
    /// The stream ended inside a frame or a message.
    Torn,
}

impl fmt::Display for FrameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::NoMarker(text) => {
                write!(
                    formatter,
                    "the far side does not speak the frame protocol; it began with {text:?}"
                )
            }
            FrameError::Magic => formatter.write_str("bytes that are no frame"),
            FrameError::Kind(kind) => write!(formatter, "a frame of the unknown kind {kind}"),
            FrameError::Length(length) => write!(formatter, "a frame that claims {length} bytes"),
            FrameError::Checksum => formatter.write_str("a frame whose checksum is wrong"),
            FrameError::Compression => formatter.write_str("a frame that does not decompress"),
            FrameError::Payload(error) => {
                write!(formatter, "a frame that holds no message: {error}")
            }
            FrameError::Torn => formatter.write_str("the stream ended inside a frame"),
        }
    }
}

impl std::error::Error for FrameError {}

/// One message and the kind it was sent as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub kind: u8,
    pub payload: Vec<u8>,
}

/// The bytes of one message: as many frames as it needs.
pub fn encode_message(kind: u8, payload: &[u8], out: &mut Vec<u8>) {
    let mut frames = Frames::new(kind, out);
    frames.push(payload);
    frames.end();
}

/// The message that a value is: the same bytes, without its payload ever being in memory as a whole.
pub fn encode_value<T: Serialize + ?Sized>(kind: u8, value: &T, out: &mut Vec<u8>) {
    let mut frames = Frames::new(kind, out);
    append_to(value, &mut |bytes| frames.push(bytes));
    frames.end();
}

/// The frames of one message, as its payload comes.
struct Frames<'a> {
    kind: u8,
    /// What has come and is in no frame yet: whether another follows is known when more comes.
    waiting: Vec<u8>,
    out: &'a mut Vec<u8>,
}

impl Frames<'_> {
    fn new(kind: u8, out: &mut Vec<u8>) -> Frames<'_> {
        Frames {
            kind,
            waiting: Vec::new(),
            out,
        }
    }

    fn push(&mut self, mut bytes: &[u8]) {
        while self.waiting.len() + bytes.len() > FRAME_BYTES {
            let (now, later) = bytes.split_at(FRAME_BYTES - self.waiting.len());
            if self.waiting.is_empty() {
                encode_frame(self.kind, now, true, self.out);
            } else {
                self.waiting.extend_from_slice(now);
                encode_frame(self.kind, &self.waiting, true, self.out);
                self.waiting.clear();
            }
            bytes = later;
        }
        self.waiting.extend_from_slice(bytes);
    }

    fn end(self) {
        encode_frame(self.kind, &self.waiting, false, self.out);
    }
}

thread_local! {
    // To make one takes longer than a small frame does.
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

fn compress(raw: &[u8]) -> io::Result<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| match compressor {
        Some(compressor) => compressor.compress(raw),
        None => compressor.insert(Compressor::new(1)?).compress(raw),
    })
}

fn decompress(packed: &[u8], raw_length: usize) -> io::Result<Vec<u8>> {
    DECOMPRESSOR.with_borrow_mut(|decompressor| match decompressor {
        Some(decompressor) => decompressor.decompress(packed, raw_length),
        None => {
            let decompressor = decompressor.insert(Decompressor::new()?);
            decompressor.decompress(packed, raw_length)
        }
    })
}

fn encode_frame(kind: u8, raw: &[u8], more: bool, out: &mut Vec<u8>) {
    let packed = (raw.len() >= COMPRESS_BYTES)
        .then(|| compress(raw).ok())
        .flatten();
    let packed = packed.filter(|packed| packed.len() < raw.len());
    let payload = packed.as_deref().unwrap_or(raw);
    let flags = if packed.is_some() { FLAG_ZSTD } else { 0 } | if more { FLAG_MORE } else { 0 };
    let start = out.len();
    out.extend_from_slice(&MAGIC.to_le_bytes());
    out.extend_from_slice(&[kind, flags, 0, 0]);
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&(raw.len() as u32).to_le_bytes());
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&out[start..]);
    checksum.update(payload);
    out.extend_from_slice(&checksum.finalize().to_le_bytes());
    out.extend_from_slice(payload);
}

/// The first bytes of a frame, for who reads frames one by one at places that he knows.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub kind: u8,
    /// Bytes of the payload, and of what it unpacks to.
    pub length: usize,
    pub raw_length: usize,
    flags: u8,
    checksum: u32,
    bytes: [u8; HEADER_BYTES],
}

impl Header {
    pub fn read(bytes: &[u8; HEADER_BYTES]) -> Result<Header, FrameError> {
        let word = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        if word(0) != MAGIC {
            return Err(FrameError::Magic);
        }
        let (length, raw_length) = (word(8) as usize, word(12) as usize);
        if length > FRAME_BYTES || raw_length > FRAME_BYTES {
            return Err(FrameError::Length(length.max(raw_length)));
        }
        Ok(Header {
            kind: bytes[4],
            length,
            raw_length,
            flags: bytes[5],
            checksum: word(16),
            bytes: *bytes,
        })
    }

    /// What the payload, checked, unpacks to.
    pub fn unpack(&self, payload: &[u8]) -> Result<Vec<u8>, FrameError> {
        let mut checksum = crc32fast::Hasher::new();
        checksum.update(&self.bytes[..HEADER_BYTES - 4]);
        checksum.update(payload);
        if checksum.finalize() != self.checksum || payload.len() != self.length {
            return Err(FrameError::Checksum);
        }
        let unpacked = if self.flags & FLAG_ZSTD == 0 {
            payload.to_vec()
        } else {
            decompress(payload, self.raw_length).map_err(|_| FrameError::Compression)?
        };
        if unpacked.len() != self.raw_length {
            return Err(FrameError::Compression);
        }
        Ok(unpacked)
    }
}

/// Turns bytes, in whatever pieces they arrive, into messages.
#[derive(Debug)]
pub struct Decoder {
    buffer: Vec<u8>,
    /// Bytes of `buffer` that are used up.
    used: usize,
    /// Bytes used up and gone from `buffer`.
    gone: u64,
    marker_seen: bool,
    /// The message that goes on in the next frame.
    open: Option<Message>,
    message_bytes: usize,
}

impl Decoder {
    /// For a stream that begins with the marker, perhaps after a banner.
    pub fn new() -> Decoder {
        Decoder {
            buffer: Vec::new(),
            used: 0,
            gone: 0,
            marker_seen: false,
            open: None,
            message_bytes: MESSAGE_BYTES,
        }
    }

    /// For frames alone: a spool.
    pub fn without_marker() -> Decoder {
        Decoder {
            marker_seen: true,
            ..Decoder::new()
        }
    }

    pub fn push(&mut self, bytes: &[u8]) {
        if self.used > 0 && self.used * 2 >= self.buffer.len() {
            self.buffer.drain(..self.used);
            self.gone += self.used as u64;
            self.used = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message; None: push more. After an error the stream is not to be believed any more.
    pub fn next_message(&mut self) -> Result<Option<Message>, FrameError> {
        if !self.marker_seen && !self.find_marker()? {
            return Ok(None);
        }
        while let Some((kind, more, payload)) = self.next_frame()? {
            let mut message = self.open.take().unwrap_or(Message {
                kind,
                payload: Vec::new(),
            });
            if message.kind != kind {
                return Err(FrameError::Kind(kind));
            }
            if message.payload.len() + payload.len() > self.message_bytes {
                return Err(FrameError::Length(message.payload.len() + payload.len()));
            }
            if message.payload.is_empty() {
                message.payload = payload;
            } else {
                message.payload.extend_from_slice(&payload);
            }
            if !more {
                return Ok(Some(message));
            }
            self.open = Some(message);
        }
        Ok(None)
    }

    /// Bytes of the stream up to the end of the last message.
    pub fn position(&self) -> u64 {
        self.gone + self.used as u64
    }

    /// Whether the stream may end here.
    pub fn end(&self) -> Result<(), FrameError> {
        if !self.marker_seen {
            return Err(FrameError::NoMarker(self.banner()));
        }
        if self.open.is_none() && self.used == self.buffer.len() {
            Ok(())
        } else {
            Err(FrameError::Torn)
        }
    }

    fn find_marker(&mut self) -> Result<bool, FrameError> {
        match memchr::memmem::find(&self.buffer, MARKER) {
            Some(at) => {
                self.used = at + MARKER.len();
                self.marker_seen = true;
                Ok(true)
            }
            None if self.buffer.len() > BANNER_BYTES + MARKER.len() => {
                Err(FrameError::NoMarker(self.banner()))
            }
            None => Ok(false),
        }
    }

    fn banner(&self) -> String {
        String::from_utf8_lossy(&self.buffer[..self.buffer.len().min(200)]).into_owned()
    }

    fn next_frame(&mut self) -> Result<Option<(u8, bool, Vec<u8>)>, FrameError> {
        let bytes = &self.buffer[self.used..];
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Ok(None);
        };
        let header = Header::read(header)?;
        let Some(payload) = rest.get(..header.length) else {
            return Ok(None);
        };
        let payload = header.unpack(payload)?;
        self.used += HEADER_BYTES + header.length;
        Ok(Some((header.kind, header.flags & FLAG_MORE != 0, payload)))
    }
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder::new()
    }
}

fn config() -> impl bincode::config::Config {
    // The limit is what stops a hostile length from being allocated.
    bincode::config::standard().with_limit::<{ 2 * MESSAGE_BYTES }>()
}

/// The bytes of any value that travels.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    bincode::serde::encode_to_vec(value, config())
        .expect("a value of ours has a length that is known")
}

/// The same, after what is there already.
pub fn append_bytes<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    append_to(value, &mut |bytes| out.extend_from_slice(bytes));
}

/// The same, to whoever takes it piece by piece.
#[inline]
fn append_to<T: Serialize + ?Sized>(value: &T, take: &mut impl FnMut(&[u8])) {
    struct To<'a, F>(&'a mut F);
    impl<F: FnMut(&[u8])> bincode::enc::write::Writer for To<'_, F> {
        fn write(&mut self, bytes: &[u8]) -> Result<(), bincode::error::EncodeError> {
            (self.0)(bytes);
            Ok(())
        }
    }
    bincode::serde::encode_into_writer(value, To(take), config())
        .expect("a value of ours has a length that is known")
}

/// The value of bytes that travelled; all of them must be used.
pub fn from_bytes<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, FrameError> {
    match bincode::serde::borrow_decode_from_slice(bytes, config()) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok((_, used)) => Err(FrameError::Payload(format!(
            "{} bytes too many",
            bytes.len() - used
        ))),
        Err(error) => Err(FrameError::Payload(error.to_string())),
    }
}

/// Bytes inside a message, copied at once instead of one by one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl Serialize for Blob {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Blob, D::Error> {
        struct Bytes;
        impl<'de> serde::de::Visitor<'de> for Bytes {
            type Value = Blob;
            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("bytes")
            }
            fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Blob, E> {
                Ok(Blob(bytes.to_vec()))
            }
            fn visit_byte_buf<E>(self, bytes: Vec<u8>) -> Result<Blob, E> {
                Ok(Blob(bytes))
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = b"Welcome to host7\n".to_vec();
        bytes.extend_from_slice(MARKER);
        for (kind, payload) in payloads.iter().enumerate() {
            encode_message(kind as u8, payload, &mut bytes);
        }
        bytes
    }

    fn payloads() -> Vec<Vec<u8>> {
        let noise = (0..3 * FRAME_BYTES as u32)
            .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
            .collect();
        vec![vec![], b"small".to_vec(), vec![b'a'; 10_000], noise]
    }

    #[test]
    fn messages_survive_any_cut_of_the_stream() {
        let bytes = stream(&payloads());
        for piece in [1, 7, 4096, bytes.len()] {
            let mut decoder = Decoder::new();
            let mut messages = Vec::new();
            // Byte by byte is for the head only: the tail is large.
            let (head, tail) = bytes.split_at(bytes.len().min(20_000));
            for chunk in head.chunks(piece).chain(tail.chunks(piece.max(5000))) {
                decoder.push(chunk);
                while let Some(message) = decoder.next_message().unwrap() {
                    messages.push(message);
                }
            }
            decoder.end().unwrap();
            assert_eq!(
                messages
                    .iter()
                    .map(|message| &message.payload)
                    .collect::<Vec<_>>(),
                payloads().iter().collect::<Vec<_>>()
            );
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found() {
        let bytes = stream(&[b"the payload".to_vec()]);
        let start = bytes.len() - HEADER_BYTES - b"the payload".len();
        for at in start..bytes.len() {
            for bit in 0..8 {
                let mut broken = bytes.clone();
                broken[at] ^= 1 << bit;
                let mut decoder = Decoder::new();
                decoder.push(&broken);
                let result = decoder.next_message();
                // A longer length waits for bytes that never come: the end says so.
                assert!(
                    result.is_err() || (result == Ok(None) && decoder.end().is_err()),
                    "byte {at} bit {bit}"
                );
            }
        }
    }

    #[test]
    fn a_hostile_length_is_not_allocated() {
        let mut bytes = MARKER.to_vec();
        encode_frame(1, b"x", false, &mut bytes);
        let at = MARKER.len() + 8;
        bytes[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        let mut decoder = Decoder::new();
        decoder.push(&bytes);
        assert_eq!(
            decoder.next_message(),
            Err(FrameError::Length(u32::MAX as usize))
        );
        assert!(from_bytes::<Blob>(&[253, 255, 255, 255, 255, 255, 255, 255, 127]).is_err());
        assert!(from_bytes::<Vec<u64>>(&[253, 255, 255, 255, 255, 255, 255, 255, 127]).is_err());
    }

    #[test]
    fn what_speaks_no_frames_is_shown() {
        let mut decoder = Decoder::new();
        decoder.push(b"bash: logstitch: command not found\n");
        assert_eq!(decoder.next_message(), Ok(None));
        assert!(
            decoder
                .end()
                .unwrap_err()
                .to_string()
                .contains("command not found")
        );
        decoder.push(&vec![b'x'; BANNER_BYTES + 100]);
        assert!(matches!(
            decoder.next_message(),
            Err(FrameError::NoMarker(_))
        ));
    }
}
