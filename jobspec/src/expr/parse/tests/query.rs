//! Columns of aggregates, and whole queries.

use super::*;

/// Short for what a query is.
fn planned(sql: &str) -> String {
    let mut fields = FieldTable::default();
    let logs = ["app".to_owned(), "nginx".to_owned()];
    let mut scope = Scope {
        fields: &mut fields,
        timezone: "UTC",
    };
    let made = match query(sql, &logs, &mut scope) {
        Ok(made) => made,
        Err(mistakes) => return mistakes_of(sql, &mistakes).join("\n"),
    };
    let named = |list: &[Named]| {
        let list: Vec<String> = list
            .iter()
            .map(|named| format!("{}: {}", named.name, shown(&named.expr, &fields)))
            .collect();
        list.join(", ")
    };
    let mut text = match made.log {
        Some(log) => logs[usize::from(log)].clone(),
        None => "all".to_owned(),
    };
    let (predicate, order, limit) = match &made.kind {
        OperatorKind::Aggregate(plan) => {
            assert!(plan.from_sql);
            text += &format!(" | group {} | {}", named(&plan.group), named(&plan.columns));
            text += &format!(" | {}", measures(&plan.measures, &fields));
            if let Some(having) = &plan.having {
                text += &format!(" | having {}", shown(having, &fields));
            }
            (&plan.predicate, &plan.order, plan.limit)
        }
        OperatorKind::Select(plan) => {
            assert!(plan.from_sql);
            text += &match &plan.columns {
                Some(columns) => format!(" | {}", named(columns)),
                None => " | *".to_owned(),
            };
            (&plan.predicate, &plan.order, plan.limit)
        }
        other => panic!("{sql} is {other:?}"),
    };
    if let Some(predicate) = predicate {
        text += &format!(" | where {}", shown(predicate, &fields));
    }
    if !order.is_empty() {
        text += &format!(" | order {}", ordered(order, &fields));
    }
    if let Some(limit) = limit {
        text += &format!(" | limit {limit}");
    }
    text
}

fn ordered(order: &[Order], fields: &FieldTable) -> String {
    let order: Vec<String> = order
        .iter()
        .map(|term| {
            let way = if term.descending { " desc" } else { "" };
            format!("{}{way}", shown(&term.expr, fields))
        })
        .collect();
    order.join(", ")
}

fn measures(measures: &[Measure], fields: &FieldTable) -> String {
    let list: Vec<String> = measures
        .iter()
        .map(|measure| {
            let name = format!("{measure:?}");
            let name = name.split('(').next().unwrap_or_default().to_lowercase();
            let extra = match measure {
                Measure::Percentile(_, percent) => format!(" {percent}"),
                Measure::Top(_, count) => format!(" {count}"),
                _ => String::new(),
            };
            match measure.argument() {
                Some(argument) => format!("{name} {}{extra}", shown(argument, fields)),
                None => name,
            }
        })
        .collect();
    list.join(", ")
}

#[test]
fn queries_and_their_plans() {
    for (sql, plan) in [
        (
            "SELECT service, count(*) AS n FROM app WHERE level >= ERROR GROUP BY service ORDER BY n DESC LIMIT 10",
            "app | group service: $service | service: #0, n: #1 | count | where (>= level ERROR) | order #1 desc | limit 10",
        ),
        (
            "select * from logs where offset > 5 order by offset desc limit 5;",
            "all | * | where (> offset 5) | order offset desc | limit 5",
        ),
        (
            "SELECT time, message m, duration_ms/1000 FROM nginx ORDER BY 3 DESC, m",
            "nginx | time: time, m: message, duration_ms/1000: (divide $duration_ms 1000) | order (divide $duration_ms 1000) desc, message",
        ),
        (
            "SELECT DISTINCT service, level FROM app ORDER BY 2",
            "app | group service: $service, level: level | service: #0, level: #1 |  | order #1",
        ),
        (
            "SELECT count(*), lower(service) FROM app GROUP BY lower(service) HAVING count(*) > 5 AND max(level) >= ERROR",
            "app | group lower(service): (lower $service) | count(*): #1, lower(service): #0 | count, max level | having (and (> #1 5) (>= #2 ERROR))",
        ),
        (
            "SELECT lower(service) s, count(DISTINCT user) / count(*) FROM app GROUP BY s, 1 ORDER BY 2 DESC",
            "app | group s: (lower $service) | s: #0, count(DISTINCT user) / count(*): (divide #1 #2) | distinct $user, count | order (divide #1 #2) desc",
        ),
        (
            "SELECT lower(service) AS service, count(*) FROM app GROUP BY service",
            "app | group service: (lower $service) | service: #0, count(*): #1 | count",
        ),
        (
            "SELECT max(size) AS size FROM app GROUP BY size",
            "app | group size: $size | size: #1 | max $size",
        ),
        (
            "SELECT bucket(time, '1m') AS time, rate(level >= ERROR) AS bad, max(time) FROM app GROUP BY time",
            "app | group time: (bucket 60000000000 60000000000 time) | time: #0, bad: #1, max(time): #2 | rate (>= level ERROR), max time",
        ),
        (
            "SELECT bucket(time, '1m') AS minute, max(time) > '2026-01-19' AS late FROM app GROUP BY minute ORDER BY minute",
            "app | group minute: (bucket 60000000000 60000000000 time) | minute: #0, late: (> #1 2026-01-19T00:00:00Z) | max time | order #0",
        ),
        (
            "SELECT count(*) FROM app",
            "app | group  | count(*): #0 | count",
        ),
        (
            "SELECT host FROM app GROUP BY host ORDER BY count(*) DESC, median(x)",
            "app | group host: host | host: #0 | count, percentile $x 50 | order #1 desc, #2",
        ),
        (
            "SELECT http.status, percentile(ms, 99.9), top(url, 5), count(url), first(a), last(a), stddev(a), avg(a), sum(a), min(a), distinct(a), count_if(a = 1) FROM app GROUP BY http.status",
            "app | group http.status: $http.status | http.status: #0, percentile(ms, 99.9): #1, top(url, 5): #2, count(url): #3, first(a): #4, last(a): #5, stddev(a): #6, avg(a): #7, sum(a): #8, min(a): #9, distinct(a): #10, count_if(a = 1): #11 | percentile $ms 99.9, top $url 5, countof $url, first $a, last $a, stddev $a, avg $a, sum $a, min $a, distinct $a, countif (= $a 1)",
        ),
        (
            "SELECT date, user, left FROM app WHERE date = 'x'",
            "app | date: $date, user: $user, left: $left | where (= $date 'x')",
        ),
    ] {
        assert_eq!(planned(sql), plan, "{sql}");
    }
}

#[test]
fn queries_and_their_mistakes() {
    for (sql, mistake) in [
        ("", "[] expected `SELECT`, found nothing"),
        ("a + 1", "[a] a query begins with `SELECT`"),
        ("VALUES (1)", "[VALUES] a query begins with `SELECT`"),
        (
            "DELETE FROM app",
            "[DELETE] `DELETE` is not part of job queries",
        ),
        (
            "WITH x AS (SELECT 1) SELECT * FROM x",
            "[WITH] `WITH` is not part of job queries",
        ),
        (
            "SELECT count(*) FROM ap",
            "[ap] `ap` is no log of this job; did you mean `app`?",
        ),
        (
            "SELECT a FROM \"other log\"",
            "[\"other log\"] `other log` is no log of this job; `FROM logs` reads all logs",
        ),
        (
            "SELECT 1",
            "[SELECT 1] a query needs FROM and the name of a log; `FROM logs` reads all of them",
        ),
        (
            "SELECT a FROM app, nginx",
            "[nginx] a query reads one log, or all by `FROM logs`",
        ),
        (
            "SELECT a FROM app JOIN nginx ON a = b",
            "[JOIN] `JOIN` is not part of job queries",
        ),
        (
            "SELECT a FROM app UNION SELECT b FROM nginx",
            "[UNION] `UNION` is not part of job queries",
        ),
        (
            "SELECT a FROM (SELECT 1)",
            "[SELECT] a subquery (`SELECT`) is not part of job queries",
        ),
        (
            "SELECT a FROM app LIMIT 5 OFFSET 6",
            "[OFFSET] `OFFSET` is not part of job queries",
        ),
        (
            "SELECT a FROM app FETCH FIRST 5 ROWS ONLY",
            "[FETCH] `FETCH` is not part of job queries",
        ),
        (
            "SELECT sum(a) OVER (PARTITION BY b) FROM app",
            "[OVER] a window (`OVER`) is not part of job queries",
        ),
        (
            "SELECT a FROM app b",
            "[b] a log has no other name in a query",
        ),
        ("SELECT a, * FROM app", "[*] `*` stands alone in `SELECT *`"),
        ("SELECT a, a FROM app", "[a] two columns are called `a`"),
        (
            "SELECT FROM app",
            "[FROM] expected an expression after `SELECT`, found `FROM`",
        ),
        (
            "SELECT a FROM app WHERE",
            "[WHERE] expected an expression after `WHERE`",
        ),
        (
            "SELECT a FROM app GROUP a",
            "[GROUP] expected `BY` after `GROUP`",
        ),
        (
            "SELECT a FROM app LIMIT 5 WHERE a = 1",
            "[WHERE] expected the end, found `WHERE`; a query is SELECT … FROM … WHERE … GROUP BY … HAVING … ORDER BY … LIMIT, in this order",
        ),
        (
            "SELECT a FROM app LIMIT x",
            "[x] LIMIT takes a whole number",
        ),
        (
            "SELECT a FROM app ORDER BY 5",
            "[5] a number names a column: 1 to 1",
        ),
        (
            "SELECT a FROM app GROUP BY 0",
            "[0] a number names a column: 1 to 1",
        ),
        (
            "SELECT a FROM app ORDER BY a NULLS FIRST",
            "[NULLS] `NULLS` is not part of job queries",
        ),
        (
            "SELECT service, host, count(*) FROM app GROUP BY service",
            "[host] `host` has many values in a group: it is no group column and in no aggregate; group by it, or take an aggregate of it like `max(host)`",
        ),
        (
            "SELECT service, count(*) AS total FROM app GROUP BY service HAVING totl > 1",
            "[totl] `totl` has many values in a group: it is no group column and in no aggregate; did you mean `total`?",
        ),
        (
            "SELECT DISTINCT count(*) FROM app",
            "[DISTINCT] DISTINCT together with GROUP BY or aggregates is not part of job queries; the rows of a group are distinct already",
        ),
        (
            "SELECT max(count(*)) FROM app",
            "[count(*)] the aggregate `count` stands inside another one",
        ),
        (
            "SELECT count(*) FROM app WHERE count(*) > 1",
            "[count(*)] `count` is an aggregate: here is a single entry; aggregates stand in `select`, `having` and `order` of an aggregate or a session",
        ),
        (
            "SELECT percentile(a, 101) FROM app",
            "[101] expected a number from 0 to 100",
        ),
        (
            "SELECT top(a, 0) FROM app",
            "[0] expected a whole number from 1 to 10000",
        ),
        (
            "SELECT sum(level) FROM app",
            "[level] expected a number, found a level",
        ),
        (
            "SELECT rate(1) FROM app",
            "[1] expected a condition, found a number; compare it with something",
        ),
        (
            "SELECT sum(DISTINCT a) FROM app",
            "[sum(DISTINCT a)] `sum` takes no `DISTINCT`",
        ),
    ] {
        assert_eq!(planned(sql), mistake, "{sql}");
    }
}

#[test]
fn columns_share_their_measures() {
    let mut fields = FieldTable::default();
    let mut scope = Scope {
        fields: &mut fields,
        timezone: "UTC",
    };
    let mut inner = Inner {
        group: vec![
            Named {
                name: "svc".to_owned(),
                expr: value("service", &mut scope).unwrap(),
            },
            Named {
                name: "first letter".to_owned(),
                expr: value("extract(service, '^.')", &mut scope).unwrap(),
            },
        ],
        measures: Vec::new(),
    };
    let mut columns = Vec::new();
    for (name, text) in [
        ("bad", "count_if(level >= ERROR) / count(*)"),
        ("all", "count(*)"),
        ("shout", "upper(svc)"),
        ("again", "upper(service)"),
        ("letter", "lower(extract(service, '^.'))"),
    ] {
        let expr = column(text, &mut inner, &mut scope).unwrap();
        let name = name.to_owned();
        columns.push(Named { name, expr });
    }
    let having = having(
        "bad > 0.5 AND all > 1 AND max(x) < svc",
        &columns,
        &mut inner,
        &mut scope,
    );
    let order_text = "bad DESC, \"first letter\", upper(service) asc, count(*)";
    let order = order(order_text, &columns, &mut inner, &mut scope);
    let texts: Vec<String> = columns
        .iter()
        .map(|column| shown(&column.expr, &fields))
        .collect();
    assert_eq!(
        texts,
        [
            "(divide #2 #3)",
            "#3",
            "(upper #0)",
            "(upper #0)",
            "(lower #1)"
        ]
    );
    assert_eq!(
        shown(&having.unwrap(), &fields),
        "(and (> (divide #2 #3) 0.5) (> #3 1) (< #4 #0))"
    );
    assert_eq!(
        ordered(&order.unwrap(), &fields),
        "(divide #2 #3) desc, #1, (upper #0), #3"
    );
    assert_eq!(
        measures(&inner.measures, &fields),
        "countif (>= level ERROR), count, max $x"
    );
}

#[test]
fn an_order_over_entries() {
    let mut fields = FieldTable::default();
    let mut scope = Scope {
        fields: &mut fields,
        timezone: "UTC",
    };
    let made = entry_order("duration_ms desc, level, desc ASC", &mut scope).unwrap();
    assert_eq!(ordered(&made, &fields), "$duration_ms desc, level, $desc");
    for text in ["", "a,", "a DESC ASC", "a NULLS LAST", "a b"] {
        let mut scope = Scope {
            fields: &mut fields,
            timezone: "UTC",
        };
        assert!(entry_order(text, &mut scope).is_err(), "{text}");
    }
}
