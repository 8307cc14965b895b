//! A place inside a string's value, found again in the TOML that wrote it: escapes, the newline that is trimmed
//! after three quotes, and the line ends that a backslash takes away all shift it.

use std::ops::Range;

/// The bytes of `raw` (a TOML string with its quotes, or a bare word) that wrote these bytes of its value.
pub fn locate(raw: &str, span: Range<usize>) -> Range<usize> {
    let (quotes, escapes) = if raw.starts_with("\"\"\"") && raw.len() >= 6 {
        (3, true)
    } else if raw.starts_with("'''") && raw.len() >= 6 {
        (3, false)
    } else if raw.starts_with('"') {
        (1, true)
    } else if raw.starts_with('\'') {
        (1, false)
    } else {
        (0, false)
    };
    let body_end = raw.len().saturating_sub(quotes).max(quotes.min(raw.len()));
    let body = &raw[..body_end];
    let mut at = quotes.min(body_end);
    if quotes == 3 {
        at += match &body[at..] {
            rest if rest.starts_with("\r\n") => 2,
            rest if rest.starts_with('\n') => 1,
            _ => 0,
        };
    }
    if !escapes {
        return (at + span.start).min(body_end)..(at + span.end).min(body_end);
    }

    let mut decoded = 0;
    let mut start = None;
    let mut end = at;
    while at < body_end {
        let (taken, made) = piece(&body[at..]);
        if made > 0 {
            if start.is_none() && decoded + made > span.start {
                start = Some(at);
            }
            if decoded >= span.end {
                break;
            }
            if start.is_some() {
                end = (at + taken).min(body_end);
            }
            decoded += made;
        }
        at += taken;
    }
    let start = start.unwrap_or(body_end);
    start..end.max(start)
}

/// The next piece of a basic string: how many bytes it takes there, and how many bytes it makes of the value.
fn piece(rest: &str) -> (usize, usize) {
    let Some(first) = rest.chars().next() else {
        return (1, 0);
    };
    if first != '\\' {
        return (first.len_utf8(), first.len_utf8());
    }
    let hex = |digits: usize| {
        let code = rest
            .get(2..2 + digits)
            .and_then(|code| u32::from_str_radix(code, 16).ok());
        match code.and_then(char::from_u32) {
            Some(char) => (2 + digits, char.len_utf8()),
            None => (2, 1),
        }
    };
    match rest[1..].chars().next() {
        None => (1, 0),
        Some('x') => hex(2),
        Some('u') => hex(4),
        Some('U') => hex(8),
        Some(' ' | '\t' | '\r' | '\n') => {
            let blank = rest[1..]
                .find(|char| !matches!(char, ' ' | '\t' | '\r' | '\n'))
                .unwrap_or(rest.len() - 1);
            (1 + blank, 0)
        }
        Some(char) => (1 + char.len_utf8(), 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every character of the value is found where it was written.
    #[test]
    fn every_kind_of_string_is_mapped_back() {
        for raw in [
            r#""level = 'x' AND grün""#,
            r#""a\tb\u00e9c\U0001F600d\\e\"f\x41g""#,
            "'a\\b\"c'",
            "\"\"\"\nline one\nline \\\n    two \\t three\\\r\n\r\n  four\"\"\"",
            "\"\"\"\r\nx\r\ny\"\"\"",
            "'''\nline one\n  'two'\n'''",
            "\"\"\"a \"\" quote\"\"\"",
            "\"\"",
            "''''''",
        ] {
            let document = format!("k = {raw}");
            let table: toml::Table = document.parse().unwrap();
            let value = table["k"].as_str().unwrap();
            let mut last = 0;
            for (at, char) in value.char_indices() {
                let span = locate(raw, at..at + char.len_utf8());
                assert!(
                    span.start >= last && span.end > span.start && span.end <= raw.len(),
                    "{raw} {at} {span:?}"
                );
                last = span.start;
                let piece = &raw[span];
                if raw.starts_with('"') && piece.starts_with('\\') {
                    let text = format!("k = \"{piece}\"");
                    let table: toml::Table = text.parse().unwrap();
                    assert_eq!(table["k"].as_str().unwrap(), char.to_string(), "{raw} {at}");
                } else {
                    assert_eq!(piece, char.to_string(), "{raw} {at}");
                }
            }
            let end = locate(raw, value.len()..value.len());
            assert!(end.start <= raw.len(), "{raw}");
        }
    }

    #[test]
    fn a_span_covers_its_escapes() {
        let raw = r#""a\tb\tc d""#;
        // The value is a⇥b⇥c d; "b⇥c" is bytes 2 to 5.
        assert_eq!(&raw[locate(raw, 2..5)], r"b\tc");
        assert_eq!(locate(raw, 3..3).len(), 0);
        assert_eq!(locate("bare", 1..3), 1..3);
        assert_eq!(locate(raw, 100..200).start, raw.len() - 1);
    }
}
