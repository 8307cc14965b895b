//! The tables of operators, `[KIND.NAME]`, and their keys.

use super::tables::*;
use super::{Form, Key, Shape, TableShape, key};

const LOGS: Key = key(
    "logs",
    TEXTS,
    "the logs it reads; all of them where it is left out",
);
const WHERE: Key = key(
    "where",
    EXPRESSION,
    "the entries it sees; all of them where it is left out",
);

pub static CONTEXT: TableShape = table(&[
    LOGS,
    key("where", EXPRESSION, "the entries that match").required(),
    key("before", REACH, "entries before a match, or a duration").default("0"),
    key("after", REACH, "entries after a match, or a duration").default("0"),
    key(
        "max",
        COUNT,
        "entries of a window before it goes on in another row",
    )
    .default("10000"),
]);

pub static SEQUENCE: TableShape = table(&[
    LOGS,
    key(
        "by",
        EXPRESSIONS,
        "the key: entries with the same values follow one another; default: one key for all",
    ),
    key(
        "within",
        DURATION,
        "last entry minus first, inclusive; default: no bound",
    ),
    key(
        "steps",
        Shape::List {
            of: &Shape::Table(&STEP),
            most: 63,
        },
        "the steps, in order",
    )
    .required(),
    key(
        "until",
        EXPRESSION,
        "an entry that ends every open match of its key",
    ),
    key(
        "pick",
        Shape::Word(&["leftmost", "tightest"]),
        "which of several matches",
    )
    .default("leftmost"),
    key(
        "scope",
        Shape::Word(&["everywhere", "host", "file"]),
        "where the entries of one key lie: together, or each host or file by itself",
    )
    .default("everywhere"),
]);

pub static STEP: TableShape = table(&[
    key("name", ANY, "as rows name it").required(),
    key("where", EXPRESSION, "the entries that may fill it").required(),
    key(
        "times",
        Shape::OneOf(&[
            Shape::Integer {
                min: 1,
                max: 1_000_000,
            },
            Shape::Text(Form::Times),
        ]),
        "how many entries it takes: 3, \"2..5\" or \"5..\"",
    )
    .default("1"),
    key(
        "by",
        EXPRESSIONS,
        "the key's fields, where they are named otherwise here",
    ),
    key("absent", Shape::Bool, "no such entry may stand here").default("false"),
    key(
        "within",
        DURATION,
        "its first entry minus the last of the step before; absent: how long the silence lasts",
    ),
]);

pub static SESSION: TableShape = TableShape {
    keys: &[
        LOGS,
        WHERE,
        key("by", EXPRESSIONS, "the key, of one part or more"),
        key(
            "link",
            EXPRESSIONS,
            "ids that are joined where they stand in one entry",
        ),
        key(
            "gap",
            DURATION,
            "a longer silence starts another session; default: none does",
        ),
        key("starts", EXPRESSION, "an entry that starts a session"),
        key("ends", EXPRESSION, "an entry that ends a session"),
        key(
            "timeline",
            Shape::Integer {
                min: 0,
                max: 10_000_000,
            },
            "entries of each session that are kept",
        )
        .default("0"),
        key("select", NAMED, "figures of each session"),
        key("having", EXPRESSION, "the sessions that are written"),
        key(
            "hub",
            COUNT,
            "link: an id joined with more others than this joins nothing",
        )
        .default("1000"),
        key(
            "max",
            COUNT,
            "entries of a timeline before it goes on in another row",
        )
        .default("10000"),
    ],
    exactly_one: &["by", "link"],
};

pub static AGGREGATE: TableShape = table(&[
    LOGS,
    WHERE,
    key(
        "group",
        NAMED_OR_LIST,
        "what the entries are grouped by; default: one group",
    ),
    key("select", NAMED, "the figures of each group").required(),
    key("having", EXPRESSION, "the groups that are written"),
    key(
        "order",
        EXPRESSION,
        "as in SQL: \"p95 DESC, service\"; default: by the group's columns",
    ),
    key("limit", LIMIT, "rows at most"),
]);

pub static SELECT: TableShape = table(&[
    LOGS,
    WHERE,
    key("columns", NAMED_OR_LIST, "default: whole entries"),
    key(
        "order",
        EXPRESSION,
        "as in SQL: \"duration_ms DESC\"; default: by time",
    ),
    key("limit", LIMIT, "rows at most"),
]);

pub static PATTERNS: TableShape = table(&[
    LOGS,
    WHERE,
    key(
        "field",
        EXPRESSION,
        "the text whose templates are told apart",
    )
    .default("message"),
    key("group", NAMED_OR_LIST, "templates are counted by these"),
    key(
        "baseline",
        Shape::Table(&BASELINE),
        "another range: each row says new, gone or grown against it",
    ),
    key("limit", LIMIT, "rows at most"),
]);

pub static BASELINE: TableShape = table(&[
    key("from", MOMENT, "its first moment").required(),
    key("to", MOMENT, "the first moment after it").required(),
]);

pub static ANOMALY: TableShape = table(&[
    key(
        "of",
        ANY,
        "an aggregate or query whose group has a time bucket",
    )
    .required(),
    key("value", ANY, "the column of it that is scored").required(),
    key(
        "threshold",
        Shape::Number { min: 0.0, max: 1e9 },
        "robust z-score (median and MAD) from which a bucket stands out",
    )
    .default("4.0"),
]);

pub static QUERY: TableShape = table(&[key(
    "sql",
    Shape::Text(Form::Query),
    "one SELECT; FROM names a log, or `logs` for all",
)
.required()]);
