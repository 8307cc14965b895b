//! Texts that are meant to break the reader: all end in a tree or a mistake, and soon.

use super::*;

fn read(text: &str) -> Result<Expr, Vec<Mistake>> {
    let mut fields = FieldTable::default();
    let mut scope = Scope {
        fields: &mut fields,
        timezone: "UTC",
    };
    predicate(text, &mut scope)
}

fn first_message(text: &str) -> String {
    read(text).unwrap_err().remove(0).message
}

#[test]
fn long_chains_are_flat() {
    let Ok(Expr::Or(terms)) = read(&vec!["a"; 10_000].join(" OR ")) else {
        panic!("a chain of OR is an Or");
    };
    assert_eq!(terms.len(), 10_000);
    let Ok(Expr::And(terms)) = read(&vec!["a = 1"; 5_000].join(" AND ")) else {
        panic!("a chain of AND is an And");
    };
    assert_eq!(terms.len(), 5_000);
    let numbers: Vec<String> = (0..9_990).map(|number| number.to_string()).collect();
    assert!(read(&format!("a IN ({})", numbers.join(","))).is_ok());
}

#[test]
fn all_sizes_are_bounded() {
    let over = "more than an expression's 65536";
    assert!(first_message(&vec!["a = 1"; 200_000].join(" OR ")).contains(over));
    let too_many = "more than 20000 words and signs";
    assert!(first_message(&"(".repeat(60_000)).contains(too_many));
    assert!(first_message(&"a,".repeat(20_000)).contains(too_many));
    let too_deep = "operators deep";
    assert!(first_message(&(vec!["a"; 9_999].join("+") + " = 1")).contains(too_deep));
    assert!(first_message(&("a = b ".to_owned() + &"= c ".repeat(9_000))).contains(too_deep));
    assert!(first_message(&("a LIKE ".repeat(3_000) + "'x'")).contains("operators deep"));
    assert!(first_message(&("a ".to_owned() + &"IS NULL ".repeat(5_000))).contains(too_deep));
    let nested = |count| format!("{}a = 1{}", "(".repeat(count), ")".repeat(count));
    assert!(read(&nested(64)).is_ok());
    assert!(first_message(&nested(65)).contains("64 parentheses"));
    assert!(first_message(&nested(9_000)).contains("64 parentheses"));
    assert!(read(&("NOT ".repeat(90) + "a")).is_ok());
    assert!(first_message(&("NOT ".repeat(9_000) + "a")).contains("too deeply"));
    assert!(first_message(&("- ".repeat(9_000) + "a = 1")).contains("too deeply"));
    assert!(first_message(&format!("a{} = 1", ".a".repeat(5_000))).contains("32 parts"));
    assert!(first_message(&format!("a{} = 1", "[0]".repeat(5_000))).contains("32 parts"));
    assert!(first_message(&format!("a = {}", "9".repeat(60_000))).contains("out of range"));
    assert!(first_message("a = 1e999").contains("out of range"));
    let regex = format!("a ~ '{}'", "(a|b){50}".repeat(5_000));
    assert!(first_message(&regex).contains("too large when compiled"));
}

#[test]
fn nested_calls_are_read_once_each() {
    // Twice each would be 2^60 times.
    for text in [
        format!("{}a{} = 'a'", "lower(".repeat(60), ")".repeat(60)),
        format!("{}a,,{} = 'a'", "lower(".repeat(60), ")".repeat(60)),
        format!("{}a{} = 'a'", "coalesce(".repeat(60), " = 'x')".repeat(60)),
        format!("{}1{}", "a IN (".repeat(60), ")".repeat(60)),
        format!("{}a=={}", "(".repeat(60), ")".repeat(60)),
        format!("a{}0{} = 1", "[a".repeat(60), "]".repeat(60)),
    ] {
        let _ = read(&text);
    }
    // Over groups each level may also be a group column, written out again.
    let mut fields = FieldTable::default();
    let mut scope = Scope {
        fields: &mut fields,
        timezone: "UTC",
    };
    let mut inner = Inner {
        group: vec![Named {
            name: "g".to_owned(),
            expr: value("lower(a)", &mut scope).unwrap(),
        }],
        measures: Vec::new(),
    };
    let text = format!("{}lower(a){}", "upper(".repeat(60), ")".repeat(60));
    assert!(column(&text, &mut inner, &mut scope).is_ok());
}

#[test]
fn what_columns_stand_for_is_bounded() {
    let mut fields = FieldTable::default();
    let mut scope = Scope {
        fields: &mut fields,
        timezone: "UTC",
    };
    let mut inner = Inner::default();
    let long = vec!["max(a) > 1"; 2_000].join(" OR ");
    let columns = [Named {
        name: "long".to_owned(),
        expr: column(&long, &mut inner, &mut scope).unwrap(),
    }];
    let text = vec!["long"; 5_000].join(" OR ");
    assert!(having(&text, &columns, &mut inner, &mut scope).is_err());
}

#[test]
fn mistakes_are_bounded() {
    let text = vec!["level = nope"; 4_000].join(" OR ");
    assert_eq!(read(&text).unwrap_err().len(), MAX_MISTAKES);
}

/// Random runs of words and signs: whatever they are, it is a tree or mistakes with places inside the text.
#[test]
fn soup_is_a_tree_or_a_mistake() {
    const WORDS: &[&str] = &[
        "a",
        "b.c",
        "level",
        "time",
        "ERROR",
        "1",
        "-",
        "0.5",
        "'x'",
        "'2026-01-19'",
        "(",
        ")",
        "(",
        ")",
        "[",
        "]",
        ",",
        ".",
        "=",
        "<>",
        "<=",
        "+",
        "*",
        "/",
        "%",
        "~",
        "!~*",
        "AND",
        "OR",
        "NOT",
        "IN",
        "BETWEEN",
        "LIKE",
        "ILIKE",
        "ESCAPE",
        "IS",
        "NULL",
        "true",
        "CASE",
        "WHEN",
        "SELECT",
        "FROM",
        "WHERE",
        "GROUP",
        "BY",
        "ORDER",
        "LIMIT",
        "AS",
        "app",
        "logs",
        "count(*)",
        "max(",
        "lower(",
        "search(",
        "bucket(time, '1m')",
        "DESC",
        "HAVING",
        "DISTINCT",
        "\"q\"",
        "é",
        "--",
        "/*",
        "*/",
        "\n",
        "'",
        "\"",
        "$1",
        "||",
        "::",
        ";",
        "{",
        "\0",
        "rows(",
        "baseline",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % below
    };
    let logs = ["app".to_owned()];
    let operators = [ResultOperator {
        name: "a".to_owned(),
        columns: vec!["b".to_owned()],
        has_key: true,
    }];
    for round in 0..2_000 {
        let mut text = String::from(if round % 3 == 0 { "SELECT " } else { "" });
        for _ in 0..=random(12) {
            text.push_str(WORDS[random(WORDS.len())]);
            text.push_str(if random(4) == 0 { "" } else { " " });
        }
        let mut fields = FieldTable::default();
        let mut scope = Scope {
            fields: &mut fields,
            timezone: "UTC",
        };
        let mut inner = Inner::default();
        let all = [
            predicate(&text, &mut scope).err(),
            column(&text, &mut inner, &mut scope).err(),
            entry_order(&text, &mut scope).err(),
            query(&text, &logs, &mut scope).err(),
            result(&text, &operators, true).err(),
        ];
        for mistake in all.into_iter().flatten().flatten() {
            assert!(
                text.get(mistake.span.clone()).is_some(),
                "{text:?}: {mistake:?}"
            );
            assert!(!mistake.message.is_empty());
        }
    }
}
