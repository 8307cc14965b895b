//! UTF-16 to UTF-8, piece by piece; what is no character becomes U+FFFD.

use super::Encoding;

/// Carries a half unit and a half pair from one piece to the next.
pub(super) struct Utf16 {
    big: bool,
    at_head: bool,
    half: Option<u8>,
    high: Option<u16>,
}

const BOM: u16 = 0xfeff;

impl Utf16 {
    pub(super) fn new(encoding: Encoding) -> Option<Utf16> {
        let big = match encoding {
            Encoding::Utf8 => return None,
            Encoding::Utf16Little => false,
            Encoding::Utf16Big => true,
        };
        Some(Utf16 {
            big,
            at_head: true,
            half: None,
            high: None,
        })
    }

    pub(super) fn decode(&mut self, piece: &[u8], text: &mut Vec<u8>) {
        for &byte in piece {
            match self.half.take() {
                None => self.half = Some(byte),
                Some(first) if self.big => self.unit(u16::from_be_bytes([first, byte]), text),
                Some(first) => self.unit(u16::from_le_bytes([first, byte]), text),
            }
        }
    }

    /// The end: halves that nothing completes.
    pub(super) fn finish(&mut self, text: &mut Vec<u8>) {
        if self.high.take().is_some() | self.half.take().is_some() {
            push(char::REPLACEMENT_CHARACTER, text);
        }
    }

    fn unit(&mut self, unit: u16, text: &mut Vec<u8>) {
        if std::mem::take(&mut self.at_head) && unit == BOM {
            return;
        }
        if let Some(high) = self.high.take() {
            if (0xdc00..0xe000).contains(&unit) {
                let pair = 0x1_0000 + (u32::from(high - 0xd800) << 10) + u32::from(unit - 0xdc00);
                push(
                    char::from_u32(pair).unwrap_or(char::REPLACEMENT_CHARACTER),
                    text,
                );
                return;
            }
            push(char::REPLACEMENT_CHARACTER, text);
        }
        match unit {
            0xd800..0xdc00 => self.high = Some(unit),
            _ => push(
                char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER),
                text,
            ),
        }
    }
}

fn push(char: char, text: &mut Vec<u8>) {
    text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_pieces_give_the_same_text() {
        let units: Vec<u16> = "\u{feff}a\u{e9}\u{1f600}\r\n\u{4e2d}"
            .encode_utf16()
            .chain([0xd800, 0x41, 0xdc00, 0xd800])
            .collect();
        for (encoding, bytes) in [
            (
                Encoding::Utf16Little,
                units
                    .iter()
                    .flat_map(|unit| unit.to_le_bytes())
                    .collect::<Vec<u8>>(),
            ),
            (
                Encoding::Utf16Big,
                units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
            ),
        ] {
            assert_eq!(Encoding::of(&bytes), encoding);
            for size in 1..=bytes.len() {
                let mut utf16 = Utf16::new(encoding).unwrap();
                let mut text = Vec::new();
                for piece in bytes.chunks(size) {
                    utf16.decode(piece, &mut text);
                }
                utf16.finish(&mut text);
                let expected = "a\u{e9}\u{1f600}\r\n\u{4e2d}\u{fffd}A\u{fffd}\u{fffd}";
                assert_eq!(
                    String::from_utf8(text).unwrap(),
                    expected,
                    "pieces of {size}"
                );
            }
        }
    }
}
