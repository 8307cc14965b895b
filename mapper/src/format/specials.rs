//! Where the bytes of a text are that end something: the quotes of a JSON line, the spaces of an access log's head.
//!
//! Strings of a log have any length, and a loop that looks for the end of each is mispredicted once a string. So bytes
//! are compared sixteen at once, 64 make a word of bits, and the end of a string is the next bit that is set.

use std::marker::PhantomData;

use wide::u8x16;

/// Which bytes are looked for.
pub(super) trait Class {
    fn find(bytes: u8x16) -> u8x16;
}

/// Quotes, backslashes and control characters: all that can end a string of JSON, or be wrong in one.
pub(super) struct StringEnds;

impl Class for StringEnds {
    #[inline(always)]
    fn find(bytes: u8x16) -> u8x16 {
        Quotes::find(bytes) | bytes.min(u8x16::splat(0x1f)).simd_eq(bytes)
    }
}

/// Quotes, and the backslashes that guard them.
pub(super) struct Quotes;

impl Class for Quotes {
    #[inline(always)]
    fn find(bytes: u8x16) -> u8x16 {
        bytes.simd_eq(u8x16::splat(b'"')) | bytes.simd_eq(u8x16::splat(b'\\'))
    }
}

pub(super) struct Spaces;

impl Class for Spaces {
    #[inline(always)]
    fn find(bytes: u8x16) -> u8x16 {
        bytes.simd_eq(u8x16::splat(b' '))
    }
}

const BLOCK: usize = 64;
/// Blocks that are looked at together: most lines need no more.
const BLOCKS: usize = 8;

/// Looks ahead in one text. It may be asked for any place, but going back costs.
pub(super) struct Specials<C> {
    words: [u64; BLOCKS],
    /// Blocks to look at together.
    blocks: usize,
    /// The places in the text that `words` are of.
    start: usize,
    end: usize,
    class: PhantomData<C>,
}

impl<C: Class> Specials<C> {
    /// For a text that is read to its end.
    pub fn new() -> Specials<C> {
        Specials::of(BLOCKS)
    }

    /// For one of which no more than the head is read.
    pub fn of_head() -> Specials<C> {
        Specials::of(1)
    }

    fn of(blocks: usize) -> Specials<C> {
        Specials {
            words: [0; BLOCKS],
            blocks,
            start: 0,
            end: 0,
            class: PhantomData,
        }
    }

    /// The next one at or after `at`; of one text, from call to call.
    #[inline(always)]
    pub fn next(&mut self, text: &[u8], at: usize) -> Option<usize> {
        if at < self.start || at >= self.end {
            if at >= text.len() {
                return None;
            }
            self.look(text, at);
        }
        let inside = at.wrapping_sub(self.start);
        let mut index = inside / BLOCK;
        let mut word = self.words[index % BLOCKS] & u64::MAX << (inside % BLOCK);
        loop {
            if word != 0 {
                return Some(self.start + index * BLOCK + word.trailing_zeros() as usize);
            }
            index += 1;
            if self.start + index * BLOCK >= self.end {
                if self.end >= text.len() {
                    return None;
                }
                self.look(text, self.end);
                index = 0;
            }
            word = self.words[index % BLOCKS];
        }
    }

    /// Looks at what begins at `at`.
    #[inline(always)]
    fn look(&mut self, text: &[u8], at: usize) {
        self.start = at;
        self.end = text.len().min(at.saturating_add(BLOCK * self.blocks));
        let ahead = text.get(at..self.end).unwrap_or_default();
        let (blocks, rest) = ahead.as_chunks::<BLOCK>();
        for (word, block) in self.words.iter_mut().zip(blocks) {
            *word = bits::<C>(block);
        }
        if !rest.is_empty() {
            self.words[blocks.len() % BLOCKS] = match ahead.last_chunk::<BLOCK>() {
                // Together with some that were looked at before: nothing needs to be copied.
                Some(last) => bits::<C>(last) >> (BLOCK - rest.len()),
                None => {
                    let mut last = [0; BLOCK];
                    last[..rest.len()].copy_from_slice(rest);
                    bits::<C>(&last) & !(u64::MAX << rest.len())
                }
            };
        }
    }
}

#[inline(always)]
fn bits<C: Class>(block: &[u8; BLOCK]) -> u64 {
    let (parts, _) = block.as_chunks::<16>();
    let mut word = 0;
    for (index, part) in parts.iter().enumerate() {
        let found = C::find(u8x16::new(*part));
        word |= u64::from(found.to_bitmask()) << (16 * index);
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_one_is_found_from_every_place() {
        // Of every byte a few, and long stretches of nothing.
        for length in [0, 1, 15, 16, 63, 64, 65, 200, 511, 512, 513, 1500] {
            let byte = |index: usize| match index * 7919 % 97 {
                0 => b'"',
                1 => b'\\',
                2 => (index % 0x22) as u8,
                3 => 0x7f + (index % 0x80) as u8,
                _ => b'a' + (index % 26) as u8,
            };
            let text: Vec<u8> = (0..length).map(byte).collect();
            let is_special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0..0x20);
            let expected = |at: usize| {
                let found = text[at..].iter().position(is_special);
                found.map(|index| at + index)
            };
            let mut rising = Specials::<StringEnds>::new();
            for at in 0..=length {
                assert_eq!(rising.next(&text, at), expected(at), "{length} {at}");
            }
            for at in (0..=length).rev() {
                assert_eq!(
                    rising.next(&text, at),
                    expected(at),
                    "{length} {at} falling"
                );
            }
        }
    }
}
