//! A time anywhere in a text that fits no format.

use wide::u8x16;

use super::names::{month, small_letters, weekday};
use super::shape::{Moment, leading};

/// The first date with a year and a clock in a text, at the beginning of a word.
pub(super) fn somewhere(text: &[u8]) -> Option<Moment> {
    first_of_words(text, |at| {
        // Lines without a time are looked through whole, so most words have to go at a glance.
        if !text[at].is_ascii_digit() && !is_name(&text[at..]) {
            return None;
        }
        match leading(&text[at..])?.0 {
            Moment::Civil(civil) if civil.year.is_none() => None,
            // auditd's `audit(1768831200.123:42)`; other numbers say little.
            Moment::Epoch(_) if !text[..at].ends_with(b"(") => None,
            Moment::Clock => None,
            moment => Some(moment),
        }
    })
}

/// The first of what is found where words of letters and digits begin.
#[inline]
fn first_of_words<T>(text: &[u8], mut find: impl FnMut(usize) -> Option<T>) -> Option<T> {
    const WIDTH: usize = u8x16::LANES as usize;
    let mut goes_on = 0;
    for (index, chunk) in text.chunks(WIDTH).enumerate() {
        let mut bytes = [0; WIDTH];
        bytes[..chunk.len()].copy_from_slice(chunk);
        let bytes = u8x16::new(bytes);
        let within = |bytes: u8x16, first: u8, count: u8| {
            let from_first = bytes - u8x16::splat(first);
            from_first.min(u8x16::splat(count - 1)).simd_eq(from_first)
        };
        let letters = within(bytes | u8x16::splat(0x20), b'a', 26);
        let inside = (letters | within(bytes, b'0', 10)).to_bitmask();
        let mut begins = inside & !(inside << 1 | goes_on);
        goes_on = inside >> (WIDTH - 1) & 1;
        while begins != 0 {
            let found = find(index * WIDTH + begins.trailing_zeros() as usize);
            if found.is_some() {
                return found;
            }
            begins &= begins - 1;
        }
    }
    None
}

/// Whether a text may begin with the name of a month or a weekday.
fn is_name(text: &[u8]) -> bool {
    matches!(
        text[0] | 0x20,
        b'a' | b'd' | b'f' | b'j' | b'm' | b'n' | b'o' | b's' | b't' | b'w'
    ) && small_letters(text).is_some_and(|head| month(head).is_some() || weekday(head).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_begin_where_letters_and_digits_do() {
        let bytes = b"aZ09 -_[\xe9\xff/:@`{~";
        let mut state = 7_u64;
        for length in 0..200 {
            let text: Vec<u8> = (0..length)
                .map(|_| {
                    state = state
                        .wrapping_mul(6_364_136_223_846_793_005)
                        .wrapping_add(1);
                    bytes[(state >> 33) as usize % bytes.len()]
                })
                .collect();
            let is_word = |at: usize| text[at].is_ascii_alphanumeric();
            let begins = (0..length).filter(|at| is_word(*at) && (*at == 0 || !is_word(at - 1)));
            let mut words = Vec::new();
            first_of_words(&text, |at| -> Option<()> {
                words.push(at);
                None
            });
            assert!(begins.eq(words), "{text:?}");
        }
    }
}
