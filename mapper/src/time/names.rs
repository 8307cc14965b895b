//! Names of months and weekdays, whole or cut to three letters, in any case.

/// The first three bytes, in small letters.
pub fn small_letters(text: &[u8]) -> Option<[u8; 3]> {
    let head = text.first_chunk::<3>()?;
    Some(head.map(|byte| byte.to_ascii_lowercase()))
}

/// The month whose name stands there, and the name's end.
pub fn month_name(text: &[u8], at: usize) -> Option<(u8, usize)> {
    let (month, name) = month(small_letters(text.get(at..)?)?)?;
    Some((month, name_end(text, at, name)?))
}

/// A month's number and whole name.
#[inline]
pub fn month(head: [u8; 3]) -> Option<(u8, &'static [u8])> {
    Some(match &head {
        b"jan" => (1, b"january"),
        b"feb" => (2, b"february"),
        b"mar" => (3, b"march"),
        b"apr" => (4, b"april"),
        b"may" => (5, b"may"),
        b"jun" => (6, b"june"),
        b"jul" => (7, b"july"),
        b"aug" => (8, b"august"),
        b"sep" => (9, b"september"),
        b"oct" => (10, b"october"),
        b"nov" => (11, b"november"),
        b"dec" => (12, b"december"),
        _ => return None,
    })
}

/// A weekday's whole name.
#[inline]
pub fn weekday(head: [u8; 3]) -> Option<&'static [u8]> {
    Some(match &head {
        b"mon" => b"monday",
        b"tue" => b"tuesday",
        b"wed" => b"wednesday",
        b"thu" => b"thursday",
        b"fri" => b"friday",
        b"sat" => b"saturday",
        b"sun" => b"sunday",
        _ => return None,
    })
}

/// The end of a name that is whole or cut to three letters.
pub fn name_end(text: &[u8], at: usize, name: &[u8]) -> Option<usize> {
    let is_letter = |at: usize| text.get(at).is_some_and(u8::is_ascii_alphabetic);
    if !is_letter(at + 3) {
        return Some(at + 3);
    }
    let end = at + name.len();
    (text.get(at..end)?.eq_ignore_ascii_case(name) && !is_letter(end)).then_some(end)
}
