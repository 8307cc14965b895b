//! All mistakes of a job at once: each with its place, the source line, a caret and what would help.
//!
//! A job is read from several texts: its file, what `--set` and its like put over it, and the host lists that it
//! names. A `Place` says which of them, and where. Source text is printed as hostile: no control character
//! reaches the terminal, and a line of any length is cut around its caret.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// Mistakes printed before "and N more".
const PRINTED: usize = 100;
/// Mistakes kept: a file that is no job at all has one a line.
#[cfg(feature = "language")]
pub(crate) const KEPT: usize = 10_000;
/// Columns of a source line that are shown.
const WIDTH: usize = 120;
/// Columns shown before the caret of a line that is cut.
const LEAD: usize = 50;
const TAB: usize = 4;

/// A piece of one of the texts that a job is read from, in bytes. Text 0 is the job file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub text: u32,
    pub start: usize,
    pub end: usize,
}

impl Place {
    pub fn new(text: u32, span: Range<usize>) -> Place {
        Place {
            text,
            start: span.start,
            end: span.end.max(span.start),
        }
    }
}

/// One of the texts that a job is read from, under the name that messages give it.
#[derive(Clone, Debug)]
pub struct SourceText {
    pub name: String,
    pub text: Arc<str>,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    pub place: Place,
    pub message: String,
    pub help: Option<String>,
}

/// Every mistake of a job, in the order of their places; or what a job asks for and this version cannot do.
#[derive(Clone, Debug)]
pub struct Diagnostics {
    texts: Vec<SourceText>,
    list: Vec<Diagnostic>,
    /// Mistakes found beyond those kept.
    more: usize,
}

impl Diagnostics {
    pub fn new(texts: Vec<SourceText>, mut list: Vec<Diagnostic>, more: usize) -> Diagnostics {
        list.sort_by(|left, right| {
            (&left.place, &left.message).cmp(&(&right.place, &right.message))
        });
        list.dedup();
        Diagnostics { texts, list, more }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    pub fn len(&self) -> usize {
        self.list.len() + self.more
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The line and column where a mistake begins, from 1; columns count characters.
    pub fn line_column(&self, diagnostic: &Diagnostic) -> (usize, usize) {
        match self.texts.get(diagnostic.place.text as usize) {
            None => (1, 1),
            Some(source) => {
                let start = char_floor(&source.text, diagnostic.place.start);
                let before = &source.text.as_bytes()[..start];
                let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
                (
                    memchr::memchr_iter(b'\n', before).count() + 1,
                    source.text[line_start..start].chars().count() + 1,
                )
            }
        }
    }
}

impl std::error::Error for Diagnostics {}

impl fmt::Display for Diagnostics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for diagnostic in self.list.iter().take(PRINTED) {
            let (line, column) = self.line_column(diagnostic);
            let (name, text) = match self.texts.get(diagnostic.place.text as usize) {
                Some(source) => (source.name.as_str(), &*source.text),
                None => ("job", ""),
            };
            writeln!(
                formatter,
                "{}:{line}:{column}: error: {}",
                Escaped(name),
                Escaped(&diagnostic.message)
            )?;
            let (shown, caret) = excerpt(text, &diagnostic.place);
            if !shown.trim().is_empty() {
                writeln!(formatter, "    {shown}")?;
                writeln!(formatter, "    {caret}")?;
            }
            if let Some(help) = &diagnostic.help {
                writeln!(formatter, "help: {}", Escaped(help))?;
            }
        }
        let more = self.len().saturating_sub(PRINTED);
        if more > 0 {
            writeln!(formatter, "and {more} more")?;
        }
        Ok(())
    }
}

/// A text for a terminal: control characters, and those that turn the direction of writing, as escapes.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            if is_unprintable(char) {
                write!(formatter, "{}", char.escape_unicode())?;
            } else {
                fmt::Write::write_char(formatter, char)?;
            }
        }
        Ok(())
    }
}

/// A text that came from outside, for a terminal or a message: at most so many characters, and what would steer a
/// terminal or turn the direction of writing is written out.
pub fn shown(text: &[u8], most: usize) -> String {
    let mut shown = String::new();
    for (index, char) in String::from_utf8_lossy(text).chars().enumerate() {
        if index == most {
            shown.push('…');
            break;
        }
        if is_unprintable(char) {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
    }
    shown
}

fn is_unprintable(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Columns that a terminal gives a character: two for the wide ones of East Asia and for emoji.
fn width(char: char) -> usize {
    match char {
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

fn char_floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The line of a place as it is shown, and the line of carets under it.
fn excerpt(text: &str, place: &Place) -> (String, String) {
    let start = char_floor(text, place.start);
    let end = char_floor(text, place.end).max(start);
    let line_start = memchr::memrchr(b'\n', &text.as_bytes()[..start]).map_or(0, |at| at + 1);
    let line_end =
        memchr::memchr(b'\n', &text.as_bytes()[start..]).map_or(text.len(), |at| start + at);

    // Walk back from the caret rather than through the line, which may be the whole file.
    let mut from = start;
    let mut lead = 0;
    for (at, char) in text[line_start..start].char_indices().rev() {
        lead += if char == '\t' { TAB } else { width(char) };
        if lead > LEAD && start - line_start > WIDTH - LEAD {
            break;
        }
        from = line_start + at;
    }
    let mut shown = String::new();
    let mut caret = String::new();
    let mut columns = 0;
    if from > line_start {
        shown.push('…');
        caret.push(' ');
        columns += 1;
    }
    for (at, char) in text[from..line_end].char_indices() {
        if columns >= WIDTH {
            shown.push('…');
            break;
        }
        let at = from + at;
        let before = columns;
        match char {
            '\r' if text[at..line_end].len() == 1 => break,
            '\t' => {
                shown.push_str("    ");
                columns += TAB;
            }
            _ if is_unprintable(char) => {
                let escape = char.escape_unicode().to_string();
                columns += escape.len();
                shown.push_str(&escape);
            }
            _ => {
                shown.push(char);
                columns += width(char);
            }
        }
        if at >= start && (at < end || at == start) {
            caret.extend(std::iter::repeat_n('^', columns - before));
        } else if at < start {
            caret.extend(std::iter::repeat_n(' ', columns - before));
        }
    }
    if !caret.ends_with('^') {
        caret.push('^');
    }
    (shown, caret)
}

/// The candidate that a word was probably meant to be.
#[cfg(feature = "language")]
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let word: String = word.chars().take(65).flat_map(char::to_lowercase).collect();
    if word.len() > 64 {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let length = candidate.len().max(word.len());
        if length > 64 || candidate.len().abs_diff(word.len()) > length / 3 + 1 {
            continue;
        }
        let distance = strsim::osa_distance(&word, &candidate.to_lowercase());
        if distance <= (length / 3).max(1) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(text: &str, span: Range<usize>) -> String {
        let texts = vec![SourceText {
            name: "job.toml".into(),
            text: text.into(),
        }];
        let list = vec![Diagnostic {
            place: Place::new(0, span),
            message: "wrong".into(),
            help: None,
        }];
        Diagnostics::new(texts, list, 0).to_string()
    }

    #[test]
    fn the_caret_stands_under_its_piece() {
        let text = "a = 1\n\tkey = \"grün 字 x\"\r\n";
        let at = text.find('x').unwrap();
        assert_eq!(
            render(text, at..at + 1),
            "job.toml:2:16: error: wrong\n        key = \"grün 字 x\"\n                       ^\n"
        );
        let key = text.find("key").unwrap();
        assert_eq!(
            render(text, key..key + 3),
            "job.toml:2:2: error: wrong\n        key = \"grün 字 x\"\n        ^^^\n"
        );
    }

    #[test]
    fn a_span_over_lines_is_underlined_to_the_end_of_its_first() {
        assert_eq!(
            render("ab\ncd\n", 1..5),
            "job.toml:1:2: error: wrong\n    ab\n     ^\n"
        );
    }

    #[test]
    fn a_place_at_the_end_has_a_caret() {
        assert_eq!(
            render("ab", 2..2),
            "job.toml:1:3: error: wrong\n    ab\n      ^\n"
        );
        assert_eq!(render("", 0..0), "job.toml:1:1: error: wrong\n");
        assert_eq!(
            render("ab", 70..90),
            "job.toml:1:3: error: wrong\n    ab\n      ^\n"
        );
    }

    #[test]
    fn long_lines_are_cut_around_the_caret() {
        let text = format!("{}HERE{}", "a".repeat(5000), "b".repeat(5000));
        let shown = render(&text, 5000..5004);
        assert!(
            shown.starts_with("job.toml:1:5001: error: wrong\n    …aaaa"),
            "{shown}"
        );
        assert!(
            shown.lines().all(|line| line.chars().count() < 130),
            "{shown}"
        );
        let lines: Vec<_> = shown.lines().collect();
        let column = lines[1].chars().position(|char| char == 'H').unwrap();
        assert_eq!(
            lines[2].chars().position(|char| char == '^'),
            Some(column),
            "{shown}"
        );
        assert!(lines[2].ends_with("^^^^"));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let shown = render("x = \u{1b}[31m\u{202e}", 4..5);
        assert!(shown.contains("\\u{1b}[31m\\u{202e}"), "{shown}");
        assert!(!shown.contains('\u{1b}'));
        assert!(shown.contains("\n        ^^^^^^\n"), "{shown}");
    }

    #[test]
    fn only_so_many_are_printed() {
        let list = (0..250)
            .map(|at| Diagnostic {
                place: Place::new(0, at..at),
                message: "m".into(),
                help: None,
            })
            .collect();
        let shown = Diagnostics::new(Vec::new(), list, 7).to_string();
        assert!(shown.ends_with("and 157 more\n"), "{shown}");
    }

    #[cfg(feature = "language")]
    #[test]
    fn the_nearest_word_is_near() {
        assert_eq!(nearest("wher", ["where", "when"]), Some("where"));
        assert_eq!(nearest("LOGS", ["logs"]), Some("logs"));
        assert_eq!(nearest("pathes", ["paths", "format"]), Some("paths"));
        assert_eq!(nearest("colour", ["paths", "format"]), None);
        assert_eq!(nearest(&"x".repeat(1000), ["paths"]), None);
    }
}
