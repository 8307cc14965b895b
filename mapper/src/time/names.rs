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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_whole_or_three_letters() {
        let months =
            "january february march april may june july august september october november december";
        for (index, name) in months.split(' ').enumerate() {
            let number = index as u8 + 1;
            for name in [name.to_uppercase(), name[..3].to_owned()] {
                let end = name.len() + 1;
                assert_eq!(
                    month_name(format!("-{name} 5").as_bytes(), 1),
                    Some((number, end))
                );
                assert_eq!(month_name(name.as_bytes(), 0), Some((number, end - 1)));
            }
            assert_eq!(month_name(format!("{name}x").as_bytes(), 0), None);
        }
        let weekdays = "monday tuesday wednesday thursday friday saturday sunday";
        for name in weekdays.split(' ') {
            let head = small_letters(name.to_uppercase().as_bytes()).unwrap();
            assert_eq!(weekday(head), Some(name.as_bytes()));
            assert_eq!(month(head), None);
        }
        assert_eq!(month_name(b"ja", 0), None);
        assert_eq!(weekday(*b"jan"), None);
    }
}
