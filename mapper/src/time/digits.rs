//! Digits at a place of a text, and what stands around them.

/// Reads numbers of two digits at fixed places, and tells at the end whether all were digits.
pub(super) struct Pairs<'a, const LENGTH: usize> {
    text: &'a [u8; LENGTH],
    worst: u8,
}

impl<'a, const LENGTH: usize> Pairs<'a, LENGTH> {
    #[inline]
    pub fn new(text: &'a [u8; LENGTH]) -> Pairs<'a, LENGTH> {
        Pairs { text, worst: 0 }
    }

    #[inline]
    pub fn pair(&mut self, at: usize) -> u8 {
        let tens = self.text[at].wrapping_sub(b'0');
        let ones = self.text[at + 1].wrapping_sub(b'0');
        self.worst = self.worst.max(tens).max(ones);
        tens.wrapping_mul(10).wrapping_add(ones)
    }

    #[inline]
    pub fn year(&mut self, at: usize) -> i32 {
        i32::from(self.pair(at)) * 100 + i32::from(self.pair(at + 2))
    }

    pub fn are_digits(&self) -> bool {
        self.worst < 10
    }
}

pub(super) fn two(text: &[u8], at: usize) -> Option<u8> {
    match text.get(at..at + 2)? {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some((tens - b'0') * 10 + ones - b'0'),
        _ => None,
    }
}

/// A number of one to `most` digits, at most nine, and its end.
pub(super) fn number(text: &[u8], at: usize, most: usize) -> Option<(u32, usize)> {
    let run = digit_run(text, at, most);
    let value = text
        .get(at..at + run)?
        .iter()
        .fold(0, |value, digit| value * 10 + u32::from(digit - b'0'));
    (run > 0).then_some((value, at + run))
}

pub(super) fn digit_run(text: &[u8], at: usize, most: usize) -> usize {
    text.get(at..).map_or(0, |rest| {
        rest.iter()
            .take(most)
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    })
}

pub(super) fn space_run(text: &[u8], at: usize) -> usize {
    text.get(at..).map_or(0, |rest| {
        rest.iter()
            .take(8)
            .take_while(|byte| **byte == b' ')
            .count()
    })
}

pub(super) fn is_word(byte: Option<&u8>) -> bool {
    byte.is_some_and(u8::is_ascii_alphanumeric)
}
