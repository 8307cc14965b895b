//! Records in pieces that are packed, checked and read one by one: as a run travels, lies in a spool or is spilled. What a
//! host has packed is written as it came.

use crate::frame::{self, FrameError, HEADER_BYTES, Header};

/// Bytes of a chunk, unpacked, at most.
pub const CHUNK_BYTES: usize = 64 << 10;

/// The kind of a chunk's frame.
pub const KIND_CHUNK: u8 = 18;

/// Appends records as chunks, without regard to where a record ends.
pub fn append(records: &[u8], chunk_bytes: usize, out: &mut Vec<u8>) {
    for chunk in records.chunks(chunk_bytes) {
        frame::encode_message(KIND_CHUNK, chunk, out);
    }
}

pub fn pack(records: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    append(records, CHUNK_BYTES, &mut packed);
    packed
}

/// What each chunk unpacks to: something, and no more than `CHUNK_BYTES`. An error, and the end, where it is none.
pub fn unpack(mut packed: &[u8]) -> impl Iterator<Item = Result<Vec<u8>, FrameError>> {
    std::iter::from_fn(move || {
        let chunk = match next(packed).transpose()? {
            Ok((header, payload, rest)) => {
                packed = rest;
                header.unpack(payload)
            }
            Err(error) => Err(error),
        };
        if chunk.is_err() {
            packed = &[];
        }
        Some(chunk)
    })
}

/// Bytes of all records, as the chunks claim.
pub fn raw_bytes(mut packed: &[u8]) -> Result<u64, FrameError> {
    let mut bytes = 0;
    while let Some((header, _, rest)) = next(packed)? {
        bytes += header.raw_length as u64;
        packed = rest;
    }
    Ok(bytes)
}

/// Of a chunk its header and its payload, and what follows it.
type Split<'p> = (Header, &'p [u8], &'p [u8]);

/// The first chunk.
fn next(packed: &[u8]) -> Result<Option<Split<'_>>, FrameError> {
    if packed.is_empty() {
        return Ok(None);
    }
    let header = packed.split_first_chunk::<HEADER_BYTES>();
    let (header, rest) = header.ok_or(FrameError::Torn)?;
    let header = Header::read(header)?;
    if header.kind != KIND_CHUNK {
        return Err(FrameError::Kind(header.kind));
    }
    if !(1..=CHUNK_BYTES).contains(&header.raw_length) {
        return Err(FrameError::Length(header.raw_length));
    }
    let split = rest.split_at_checked(header.length);
    let (payload, rest) = split.ok_or(FrameError::Torn)?;
    Ok(Some((header, payload, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_comes_back_and_nothing_else() {
        let records: Vec<u8> = (0..200_000_u32)
            .flat_map(|n| (n / 7).to_le_bytes())
            .collect();
        let packed = pack(&records);
        assert!(packed.len() < records.len() / 2);
        let unpacked: Result<Vec<Vec<u8>>, _> = unpack(&packed).collect();
        assert_eq!(unpacked.unwrap().concat(), records);
        assert_eq!(raw_bytes(&packed), Ok(records.len() as u64));
        assert!(pack(&[]).is_empty() && unpack(&[]).next().is_none());

        for at in (1..packed.len()).step_by(97) {
            let last = unpack(&packed[..at]).last().expect("something is there");
            assert!(last.is_ok() || last == Err(FrameError::Torn), "{at}");
            let mut damaged = packed.clone();
            damaged[at] ^= 64;
            assert!(unpack(&damaged).any(|chunk| chunk.is_err()), "{at}");
        }
        let framed = |kind, raw: &[u8]| {
            let mut frame = Vec::new();
            frame::encode_message(kind, raw, &mut frame);
            unpack(&frame).next().unwrap().unwrap_err()
        };
        assert_eq!(framed(KIND_CHUNK, &[]), FrameError::Length(0));
        let many = vec![0; CHUNK_BYTES + 1];
        assert_eq!(framed(KIND_CHUNK, &many), FrameError::Length(many.len()));
        assert_eq!(framed(1, b"a"), FrameError::Kind(1));
    }
}
