//! Expressions over entries, and what they are.

use super::*;

#[test]
fn texts_and_their_trees() {
    for (text, tree) in [
        (
            "level >= ERROR AND message ~ 'timeout|refused'",
            "(and (>= level ERROR) (~ 'timeout|refused' message))",
        ),
        ("ERROR <= level", "(<= ERROR level)"),
        ("level = \"Error\"", "(= level ERROR)"),
        ("level IN (error, 'fatal')", "(in level ERROR FATAL)"),
        ("level BETWEEN warn AND fatal", "(between level WARN FATAL)"),
        ("level = level", "(= level level)"),
        ("level <> fields.level", "(<> level $level)"),
        (
            "coalesce(level, level) > info",
            "(> (coalesce level level) INFO)",
        ),
        ("error = 'x'", "(= $error 'x')"),
        ("time >= '2026-01-19'", "(>= time 2026-01-18T23:00:00Z)"),
        ("time < '2026-01-19 14:00'", "(< time 2026-01-19T13:00:00Z)"),
        (
            "'2026-07-19T14:00:00.250' > time",
            "(> 2026-07-19T12:00:00.250Z time)",
        ),
        (
            "time BETWEEN '2026-01-19T14:00:00Z' AND '2026-01-19T16:00:00+01:00'",
            "(between time 2026-01-19T14:00:00Z 2026-01-19T15:00:00Z)",
        ),
        (
            "bucket(time, '1h') = '2026-01-19T14:00:00Z'",
            "(= (bucket 3600000000000 3600000000000 time) 2026-01-19T14:00:00Z)",
        ),
        (
            "bucket(time, '5m', '1m')",
            "(bucket 300000000000 60000000000 time)",
        ),
        ("a.b.c", "$a.b.c"),
        ("a[0].b", "$a[0].b"),
        ("a['x y'].b", "$a.x y.b"),
        ("\"a b\"", "$a b"),
        ("\"@timestamp\"", "$@timestamp"),
        ("@timestamp", "$@timestamp"),
        ("fields.time", "$time"),
        ("fields.a.b", "$a.b"),
        ("fields", "$fields"),
        ("\"fields\".time", "$fields.time"),
        ("Level", "$Level"),
        (
            "user = 'x' AND date > 5 OR interval = 3",
            "(or (and (= $user 'x') (> $date 5)) (= $interval 3))",
        ),
        (
            "case = 5 AND left IN (1) AND position IS NULL",
            "(and (= $case 5) (in $left 1) (null? $position))",
        ),
        (
            "from = 'a' AND order.by = 'b' AND a.not = 1",
            "(and (= $from 'a') (= $order.by 'b') (= $a.not 1))",
        ),
        ("-5 + 3 * a % 2", "(add -5 (remainder (multiply 3 $a) 2))"),
        ("- a - -1", "(subtract (- $a) -1)"),
        ("(a + 1) / b", "(divide (add $a 1) $b)"),
        (
            "a = .5 AND b = 1. AND c = 1.0 AND d = 1e3",
            "(and (= $a 0.5) (= $b 1) (= $c 1) (= $d 1000))",
        ),
        ("NOT a = 1 OR b", "(or (not (= $a 1)) $b)"),
        ("NOT (a AND b)", "(not (and $a $b))"),
        ("a AND (b AND (c AND d)) AND e", "(and $a $b $c $d $e)"),
        ("a OR b AND c", "(or $a (and $b $c))"),
        ("a == 1 AND b != 2", "(and (= $a 1) (<> $b 2))"),
        ("a NOT IN (1, 'x', NULL)", "(not (in $a 1 'x' NULL))"),
        ("a IN (b, 1)", "(in $a $b 1)"),
        (
            "a NOT BETWEEN 1 AND 2 AND b",
            "(and (not (between $a 1 2)) $b)",
        ),
        ("x IS NOT NULL", "(not (null? $x))"),
        ("a NOT LIKE 'x!%' ESCAPE '!'", "(not (like 'x!%' $a))"),
        ("a ILIKE '%É%'", "(ilike '%É%' $a)"),
        (
            "a ~* 'x' AND b !~ 'y' AND c !~* 'z'",
            "(and (~* 'x' $a) (not (~ 'y' $b)) (not (~* 'z' $c)))",
        ),
        ("a ~ '^\\d+\\.''$'", "(~ '^\\d+\\.'$' $a)"),
        ("a = NULL", "(= $a NULL)"),
        ("a = true AND NOT false", "(and (= $a true) (not false))"),
        (
            "search(message, 'login OR token')",
            "(search 'login OR token' message)",
        ),
        (
            "extract(path, '^/([a-z]+)', 1)",
            "(extract '^/([a-z]+)' 1 $path)",
        ),
        (
            "extract(path, '^/([a-z]+)')",
            "(extract '^/([a-z]+)' 1 $path)",
        ),
        ("extract(path, '^/')", "(extract '^/' 0 $path)"),
        (
            "hour(time) * 100 + weekday(time)",
            "(add (multiply (hour Europe/Berlin time) 100) (weekday Europe/Berlin time))",
        ),
        ("UPPER(Lower(a))", "(upper (lower $a))"),
        ("length(a) + number(b)", "(add (length $a) (number $b))"),
        ("coalesce(a, b, 'x')", "(coalesce $a $b 'x')"),
        ("cidr(ip, '10.1.2.3/8')", "(cidr ffff0a000000/104 $ip)"),
        (
            "cidr(ip, '2001:db8::1/32')",
            "(cidr 20010db8000000000000000000000000/32 $ip)",
        ),
        ("cidr(ip, '::/0')", "(cidr 0/0 $ip)"),
        ("cidr(ip, '10.0.0.1')", "(cidr ffff0a000001/128 $ip)"),
        ("exists(a.b)", "(exists $a.b)"),
        ("exists(level)", "(not (null? level))"),
        ("a /* x */ = -- y\n 1", "(= $a 1)"),
        ("日本 = 'ß'", "(= $日本 'ß')"),
    ] {
        assert_eq!(made(text), tree, "{text}");
    }
}
