//! What a partial keeps by key, as bytes: records sorted by key, which the reducer merges one key at a time.
//!
//! Record after record: the lengths of key and value as four bytes each, little end first, then key and value.

use serde::Serialize;

use crate::frame;

/// The bytes before a record's key and value.
pub const RECORD_HEADER_BYTES: usize = 8;

/// A run in the making.
#[derive(Debug, Default)]
pub struct Run {
    bytes: Vec<u8>,
    /// Where the last record begins.
    last: Option<usize>,
}

impl Run {
    /// Adds a record; its key comes after all keys before it.
    pub fn push<T: Serialize + ?Sized>(&mut self, key: &[u8], value: &T) {
        debug_assert!(
            self.last_key().is_none_or(|last| last < key),
            "a run is sorted by key"
        );
        let start = self.bytes.len();
        append_record(key, &[], &mut self.bytes);
        let value_start = self.bytes.len();
        frame::append_bytes(value, &mut self.bytes);
        let value_length = length(self.bytes.len() - value_start);
        self.bytes[start + 4..start + RECORD_HEADER_BYTES].copy_from_slice(&value_length);
        self.last = Some(start);
    }

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn last_key(&self) -> Option<&[u8]> {
        let record = &self.bytes[self.last?..];
        let (key_length, _) = record_lengths(record.first_chunk()?);
        record[RECORD_HEADER_BYTES..].get(..key_length)
    }
}

/// One record after what is there already.
pub fn append_record(key: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&length(key.len()));
    out.extend_from_slice(&length(value.len()));
    out.extend_from_slice(key);
    out.extend_from_slice(value);
}

fn length(bytes: usize) -> [u8; 4] {
    let bytes = u32::try_from(bytes).expect("a record is far shorter than 4 GiB");
    bytes.to_le_bytes()
}

/// The lengths of a record's key and value.
pub fn record_lengths(header: &[u8; RECORD_HEADER_BYTES]) -> (usize, usize) {
    let [a, b, c, d, e, f, g, h] = *header;
    (
        u32::from_le_bytes([a, b, c, d]) as usize,
        u32::from_le_bytes([e, f, g, h]) as usize,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_stand_one_after_the_other() {
        let mut run = Run::default();
        assert!(run.is_empty());
        run.push(b"", &[1_u8, 2]);
        run.push(b"a", &7_u8);
        let mut bytes = run.into_bytes();
        append_record(b"ab", b"", &mut bytes);
        let mut rest = &bytes[..];
        let mut records = Vec::new();
        while let Some((header, after)) = rest.split_first_chunk() {
            let (key, value) = record_lengths(header);
            let (record, after) = after.split_at(key + value);
            records.push(record.split_at(key));
            rest = after;
        }
        assert!(rest.is_empty());
        assert_eq!(
            records,
            [
                (&b""[..], &[1, 2][..]),
                (&b"a"[..], &[7][..]),
                (&b"ab"[..], &b""[..])
            ]
        );
    }
}
