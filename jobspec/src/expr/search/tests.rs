//! Searches that find, that do not, and that are wrong.

use super::*;

fn holds(query: &str, text: &str) -> bool {
    Search::new(query).unwrap().is_match(text.as_bytes())
}

fn mistake(query: &str) -> (&str, String) {
    let SearchError { span, message } = Search::new(query).unwrap_err();
    (&query[span], message)
}

const TEXT: &str = "Database timeout: connection reset by peer (retrying_2, db-7) ÄRGER";

#[test]
fn queries_that_find() {
    for query in [
        "database",
        "DATABASE TimeOut",
        "peer AND reset",
        "nothing OR peer",
        "\"connection reset\"",
        "\"CONNECTION   reset by\"",
        "\"timeout connection\"",
        "db-7",
        "\"db 7\"",
        "retry*",
        "*ing_2",
        "*ry*",
        "data* *out",
        "\"conn* *set by\"",
        "ärger",
        "ärg*",
        "*GER",
        "NOT nothing",
        "NOT NOT peer",
        "database NOT nothing",
        "(nothing OR peer) (reset OR nothing)",
        "nothing AND nothing OR peer",
        "peer OR nothing AND nothing",
        "NOT (nothing OR none)",
        "((peer))",
        "and",
    ] {
        let text = format!("{TEXT} and");
        assert!(holds(query, &text), "{query}");
    }
}

#[test]
fn queries_that_do_not() {
    for query in [
        "data",
        "out",
        "base*",
        "*time",
        "connection peer AND nothing",
        "\"reset connection\"",
        "\"connection by\"",
        "\"by peer retrying_2 db 7 ÄRGER more\"",
        "NOT peer",
        "peer NOT reset",
        "peer AND NOT (reset OR nothing)",
        "nothing OR none",
        "retrying",
        "and",
    ] {
        assert!(!holds(query, TEXT), "{query}");
    }
}

#[test]
fn what_is_no_utf8_separates_words() {
    let search = |query: &str, text: &[u8]| Search::new(query).unwrap().is_match(text);
    assert!(search("ab cd", b"ab\xffcd") && search("\"ab cd\"", b"ab\xff\xfecd"));
    assert!(!search("abcd", b"ab\xffcd") && !search("x", b"") && search("NOT x", b"\xff"));
    // A character that is cut off at the end.
    assert!(search("ab", b"ab\xc3"));
}

#[test]
fn a_letter_that_folds_to_ascii_is_found() {
    assert!(holds("kelvin", "\u{212a}elvin") && holds("\u{212a}elvin", "KELVIN"));
    assert!(holds("*elvi*", "\u{212a}ELVIN"));
}

#[test]
fn mistakes_have_their_place() {
    for (query, place, message) in [
        ("", "", "the search has no words"),
        ("   ", "   ", "the search has no words"),
        ("a AND", "AND", "expected a word after this"),
        ("a OR OR b", "OR", "expected a word, found `OR`"),
        ("AND a", "AND", "expected a word, found `AND`"),
        ("NOT", "NOT", "expected a word after this"),
        ("a (b", "(", "`(` is never closed"),
        ("a) b", ")", "`)` closes nothing"),
        ("()", ")", "expected a word, found `)`"),
        ("a \"b c", "\"b c", "this phrase is never closed"),
        ("a \"\" b", "\"\"", "there is no word in this"),
        ("a -- b", "--", "there is no word in this"),
        ("a * b", "*", "`*` needs a part of a word, like `retry*`"),
        (
            "re*ry",
            "re*ry",
            "`*` stands at the start or the end of a word only",
        ),
    ] {
        assert_eq!(mistake(query), (place, message.to_owned()), "{query}");
    }
}

#[test]
fn sizes_are_bounded() {
    assert!(Search::new(&"a ".repeat(256)).is_ok());
    assert!(mistake(&"a ".repeat(257)).1.contains("256 words"));
    assert!(mistake(&"(".repeat(5_000)).1.contains("50 parentheses"));
    let phrase = |words| format!("\"{}\"", "a ".repeat(words));
    assert!(Search::new(&phrase(64)).is_ok());
    assert!(mistake(&phrase(65)).1.contains("64 words"));
    assert!(mistake(&"a".repeat(20_000)).1.contains("16384 bytes"));
    assert!(holds(&("NOT ".repeat(4_000) + "a"), "a"));
}

#[test]
fn many_terms_are_found_too() {
    let query: Vec<String> = (100..300).map(|number| format!("w{number}")).collect();
    let text = query.join(" ");
    let short = &text[..text.len() - 1];
    assert!(holds(&query.join(" AND "), &text) && !holds(&query.join(" AND "), short));
    assert!(holds(&query.join(" OR "), short));
}

/// Against the plain way: all words of the text in a list.
#[test]
fn a_walk_finds_what_a_list_of_words_holds() {
    let words = ["ab", "AB", "abc", "c", "É", "x_1"];
    let mut state = 7_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    for _ in 0..500 {
        let picked: Vec<&str> = (0..random(6)).map(|_| words[random(words.len())]).collect();
        let between = [" ", ", ", "-", "\u{301}."];
        let text: String = picked
            .iter()
            .map(|word| format!("{word}{}", between[random(4)]))
            .collect();
        let phrase: Vec<&str> = (0..=random(2))
            .map(|_| words[random(words.len())])
            .collect();
        let lower = |list: &[&str]| -> Vec<String> {
            list.iter().map(|word| word.to_lowercase()).collect()
        };
        let (all, wanted) = (lower(&picked), lower(&phrase));
        let is_in = all.windows(wanted.len()).any(|window| window == wanted);
        let query = format!("\"{}\"", phrase.join(" "));
        assert_eq!(holds(&query, &text), is_in, "{query} in {text}");
        assert_eq!(holds(&format!("NOT {query}"), &text), !is_in);
    }
}
