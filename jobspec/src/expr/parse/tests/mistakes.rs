//! What is wrong with a text, where in it, and what is said.

use super::*;

#[test]
fn mistakes_and_their_places() {
    for (text, mistakes) in [
        ("", &["[] expected an expression, found nothing"][..]),
        (
            "  -- nothing",
            &["[  -- nothing] expected an expression, found nothing"][..],
        ),
        ("a AND", &["[AND] expected an expression after `AND`"][..]),
        (
            "a = AND b",
            &["[AND] expected an expression after `=`, found `AND`"][..],
        ),
        ("AND a", &["[AND] expected an expression, found `AND`"][..]),
        ("NOT", &["[NOT] expected an expression after `NOT`"][..]),
        (
            "a == = 2",
            &["[=] expected an expression after `==`, found `=`"][..],
        ),
        ("(a = 1", &["[(] `(` is never closed"][..]),
        ("a = 1)", &["[)] `)` closes nothing"][..]),
        ("(a[0)]", &["[)] `)` closes nothing"][..]),
        (
            "a b",
            &["[b] expected an operator or the end, found `b`"][..],
        ),
        (
            "a = 'x' 'y'",
            &["['y'] expected an operator or the end, found `'y'`"][..],
        ),
        ("a IN 5", &["[5] expected `(` after `IN`, found `5`"][..]),
        (
            "a IN ()",
            &["[)] expected an expression after `(`, found `)`"][..],
        ),
        ("a BETWEEN 1", &["[1] expected `AND` after `1`"][..]),
        ("a.b.", &["[.] expected a name after `.`"][..]),
        ("\"\" = 1", &["[\"\"] a name cannot be empty"][..]),
        ("a = 'x", &["['x] this text has no closing `'`"][..]),
        ("a = \"x", &["[\"x] this quoted name is never closed"][..]),
        ("a /* x", &["[] this comment is never closed"][..]),
        (
            "duration_ms + 1",
            &["[duration_ms + 1] expected a condition, found a number; compare it with something"]
                [..],
        ),
        (
            "'a' AND 5",
            &[
                "['a'] expected a condition, found a text; compare it with something",
                "[5] expected a condition, found a number; compare it with something",
            ][..],
        ),
        (
            "NOT time",
            &["[time] expected a condition, found a time; compare it with something"][..],
        ),
        (
            "level >= ERR0R",
            &["[ERR0R] `ERR0R` is no level; did you mean ERROR?"][..],
        ),
        (
            "level IN (WARN, 'EROR', x)",
            &[
                "['EROR'] `EROR` is no level; did you mean ERROR?",
                "[x] `x` is no level; levels are TRACE, DEBUG, INFO, WARN, ERROR and FATAL; a field is `fields.x`",
            ][..],
        ),
        (
            "level = 5",
            &["[level = 5] a level is never compared with a number"][..],
        ),
        (
            "time > 5",
            &["[time > 5] a time is never compared with a number"][..],
        ),
        (
            "time > 'yesterday'",
            &["['yesterday'] `yesterday` is no time; write it like '2026-01-19T14:00:00Z'"][..],
        ),
        (
            "time > '2026-02-30'",
            &["['2026-02-30'] `2026-02-30` is no time; write it like '2026-01-19T14:00:00Z'"][..],
        ),
        (
            "time > '9999-01-01'",
            &["['9999-01-01'] `9999-01-01` is outside the years 1678 to 2261"][..],
        ),
        (
            "'abc' > 5",
            &["['abc' > 5] the text 'abc' is never compared with a number"][..],
        ),
        (
            "offset = 'abc'",
            &["[offset = 'abc'] a number is never compared with the text 'abc'"][..],
        ),
        (
            "offset IN (1, 'abc')",
            &["['abc'] a number is never compared with the text 'abc'"][..],
        ),
        (
            "valid = 'maybe'",
            &["[valid = 'maybe'] a condition is never compared with the text 'maybe'"][..],
        ),
        (
            "valid + 1 = 2",
            &["[valid] expected a number, found a condition"][..],
        ),
        (
            "-level = 1",
            &["[level] expected a number, found a level"][..],
        ),
        (
            "'x' * 2 = 1",
            &["['x'] expected a number, found a text"][..],
        ),
        (
            "valid ~ 'x'",
            &["[valid] expected a text, found a condition"][..],
        ),
        (
            "message ~ '('",
            &["['('] this regex is wrong: unclosed group"][..],
        ),
        (
            "message ~ 'a(?=b)'",
            &[
                "['a(?=b)'] this regex is wrong: look-around, including look-ahead and look-behind, is not supported",
            ][..],
        ),
        (
            "message ~ foo",
            &["[foo] expected a regex in single quotes, found an expression"][..],
        ),
        (
            "message ~ \"foo\"",
            &[
                "[\"foo\"] expected a regex, found a name; a text stands in single quotes; double quotes are for names",
            ][..],
        ),
        (
            "a NOT LIKE 5",
            &["[5] expected a pattern in single quotes"][..],
        ),
        (
            "a LIKE 'x\\'",
            &["['x\\'] the pattern ends in its escape character `\\`"][..],
        ),
        (
            "a LIKE 'x' ESCAPE 'yy'",
            &["['yy'] ESCAPE takes exactly one character"][..],
        ),
        (
            "serch(message, 'x')",
            &["[serch(message, 'x')] `serch` is no function; did you mean `search`?"][..],
        ),
        (
            "frobnicate(a)",
            &["[frobnicate(a)] `frobnicate` is no function"][..],
        ),
        (
            "lower()",
            &["[lower()] `lower` takes one argument, found 0"][..],
        ),
        (
            "lower(a, b) = 'x'",
            &["[b] `lower` takes one argument, found 2"][..],
        ),
        (
            "search(message)",
            &["[search(message)] `search` takes 2 arguments, found 1"][..],
        ),
        (
            "coalesce() = 1",
            &["[coalesce()] `coalesce` takes at least one argument, found 0"][..],
        ),
        ("lower(*) = 'x'", &["[lower(*)] `lower` takes no `*`"][..]),
        (
            "a.lower(b) = 'x'",
            &["[a.lower(b)] a function's name has no parts"][..],
        ),
        (
            "search(message, 'a AND ( b')",
            &["[(] `(` is never closed"][..],
        ),
        ("search(message, '')", &["[''] the search has no words"][..]),
        (
            "search(message, 'it''s (')",
            &["['it''s ('] expected a word after this"][..],
        ),
        (
            "extract(a, 'x', 2) = 'b'",
            &["[2] there is no group 2: the regex has none"][..],
        ),
        (
            "extract(a, '(x)', b) = 'b'",
            &["[b] expected the number of a group, found something else"][..],
        ),
        (
            "bucket(time, '5x') = time",
            &["['5x'] `5x` is no duration; write it like '30s', '5m', '1h30m' or '7d'"][..],
        ),
        (
            "bucket(time, '0s') = time",
            &["['0s'] `0s` is no time at all"][..],
        ),
        (
            "bucket(time, '1m', '2m') = time",
            &["['2m'] the step is longer than the bucket"][..],
        ),
        (
            "bucket(time, '1d', '1ms') = time",
            &["['1ms'] a time would be in more than 1000 buckets"][..],
        ),
        (
            "hour(level) = 1",
            &["[level] expected a time, found a level"][..],
        ),
        (
            "cidr(a, '10.0.0.0/33')",
            &["['10.0.0.0/33'] `/33` is more than an address' 32 bits"][..],
        ),
        (
            "cidr(a, 'localhost')",
            &[
                "['localhost'] `localhost` is no network; write it like '10.0.0.0/8' or '2001:db8::/32'",
            ][..],
        ),
        (
            "exists(a = 1)",
            &["[a = 1] expected the name of a field"][..],
        ),
        (
            "count(*) > 1",
            &[
                "[count(*)] `count` is an aggregate: here is a single entry; aggregates stand in `select`, `having` and `order` of an aggregate or a session",
            ][..],
        ),
        (
            "CASE WHEN a THEN b END",
            &["[CASE] `CASE` is not part of job expressions"][..],
        ),
        (
            "a = 1 AND case a when 1 then 2 end",
            &["[case] `CASE` is not part of job expressions"][..],
        ),
        (
            "CAST(a AS int) = 5",
            &["[CAST] `CAST` is not part of job expressions"][..],
        ),
        (
            "a::int = 5",
            &[
                "[::] the cast `::` is not part of job expressions; number(x) makes a number of a text",
            ][..],
        ),
        (
            "a = (SELECT 1)",
            &["[SELECT] a subquery (`SELECT`) is not part of job expressions"][..],
        ),
        (
            "EXISTS (SELECT 1)",
            &["[SELECT] a subquery (`SELECT`) is not part of job expressions"][..],
        ),
        (
            "INTERVAL '5' DAY > a",
            &["[INTERVAL] `INTERVAL` is not part of job expressions"][..],
        ),
        (
            "time > TIMESTAMP '2026-01-19'",
            &["[TIMESTAMP] `TIMESTAMP` is not part of job expressions"][..],
        ),
        (
            "sum(x) OVER (PARTITION BY y) > 1",
            &["[OVER] a window (`OVER`) is not part of job expressions"][..],
        ),
        (
            "count(*) FILTER (WHERE a) > 1",
            &["[FILTER] `FILTER` is not part of job expressions"][..],
        ),
        (
            "a LIKE ANY ('x')",
            &["[ANY] `ANY` is not part of job expressions"][..],
        ),
        (
            "a SIMILAR TO 'x'",
            &["[SIMILAR] `SIMILAR` is not part of job expressions"][..],
        ),
        (
            "a REGEXP 'x'",
            &["[REGEXP] `REGEXP` is not part of job expressions; write ~"][..],
        ),
        (
            "a IS TRUE",
            &[
                "[a] after `IS` only `NULL` and `NOT NULL` are part of job expressions; compare with `= true` or `= false`",
            ][..],
        ),
        (
            "a && b",
            &["[&&] `&&` is not part of job expressions; write AND"][..],
        ),
        (
            "a || b",
            &["[||] `||` is not part of job expressions; for either of two conditions write OR"][..],
        ),
        (
            "!a",
            &["[!] `!` is not part of job expressions; write NOT"][..],
        ),
        ("~a", &["[~] `~` is not part of job expressions"][..]),
        ("a; b", &["[;] `;` is not part of job expressions"][..]),
        ("a = $1", &["[$1] `$1` is not part of job expressions"][..]),
        (
            "a \0 b",
            &["[\0] `\\u{0}` is not part of job expressions"][..],
        ),
        ("(1, 2) = a", &["[1, 2] a list stands only after IN"][..]),
        ("[1] = a", &["[1] this is not part of job expressions"][..]),
        (
            "a[1:2] = 1",
            &["[:] `:` is not part of job expressions"][..],
        ),
        (
            "a[b] = 1",
            &["[b] a field's part is a name or an index, like `a.b` or `a[0]`"][..],
        ),
        (
            "lower(a)[0] = 1",
            &["[lower(a)[0]] only a field has parts"][..],
        ),
        (
            "a\n= 1\nAND level > WRN",
            &["[WRN] `WRN` is no level; did you mean WARN?"][..],
        ),
        (
            "日本 = 'ß' AND ünï ==",
            &["[==] expected an expression after `==`"][..],
        ),
    ] {
        assert_eq!(wrong(text), mistakes, "{text}");
    }
}
