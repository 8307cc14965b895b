//! Every table of the job file and its keys, but for the operators' (`operators`).

use super::operators::{AGGREGATE, ANOMALY, CONTEXT, PATTERNS, QUERY, SELECT, SEQUENCE, SESSION};
use super::{Form, Key, MOST, Shape, TableShape, key};
use crate::names::MOST_HOSTS;

pub(super) const fn table(keys: &'static [Key]) -> TableShape {
    TableShape {
        keys,
        exactly_one: &[],
    }
}

pub(super) const fn list(of: &'static Shape) -> Shape {
    Shape::List { of, most: MOST }
}

pub(super) const ANY: Shape = Shape::Text(Form::Any);
pub(super) const PATH: Shape = Shape::Text(Form::Path);
pub(super) const EXPRESSION: Shape = Shape::Text(Form::Expression);
pub(super) const REGEX: Shape = Shape::Text(Form::Regex);
pub(super) const DURATION: Shape = Shape::Text(Form::Duration);
pub(super) const SIZE: Shape = Shape::Text(Form::Size);
pub(super) const MOMENT: Shape = Shape::Text(Form::Moment);
pub(super) const SECRET: Shape = Shape::Text(Form::Secret);
pub(super) const TEXTS: Shape = list(&ANY);
pub(super) const EXPRESSIONS: Shape = list(&EXPRESSION);
/// Names of a row and their expressions.
pub(super) const NAMED: Shape = Shape::Map(&EXPRESSION);
/// The same, or expressions that are their own names.
pub(super) const NAMED_OR_LIST: Shape = Shape::OneOf(&[EXPRESSIONS, NAMED]);
pub(super) const LIMIT: Shape = Shape::Integer {
    min: 1,
    max: i64::MAX,
};
pub(super) const COUNT: Shape = Shape::Integer {
    min: 1,
    max: 1_000_000,
};
pub(super) const REACH: Shape = Shape::OneOf(&[
    Shape::Integer {
        min: 0,
        max: 100_000,
    },
    DURATION,
]);

pub static JOB_FILE: TableShape = table(&[
    key(
        "job",
        Shape::Table(&JOB),
        "what the job is called and which times it covers",
    ),
    key(
        "hosts",
        Shape::Map(&Shape::Table(&HOSTS)),
        "groups of hosts and how they are reached",
    )
    .required(),
    key(
        "logs",
        Shape::Map(&Shape::Table(&LOG)),
        "named sources: hosts, paths and a format",
    )
    .required(),
    key(
        "format",
        Shape::Map(&Shape::Table(&FORMAT)),
        "formats of your own",
    ),
    key(
        "context",
        Shape::Map(&Shape::Table(&CONTEXT)),
        "matching entries and those around them",
    ),
    key(
        "sequence",
        Shape::Map(&Shape::Table(&SEQUENCE)),
        "entries that follow one another, and entries that do not",
    ),
    key(
        "session",
        Shape::Map(&Shape::Table(&SESSION)),
        "entries that belong together by a key or by ids that join",
    ),
    key(
        "aggregate",
        Shape::Map(&Shape::Table(&AGGREGATE)),
        "figures by group",
    ),
    key(
        "select",
        Shape::Map(&Shape::Table(&SELECT)),
        "entries, or columns of them",
    ),
    key(
        "patterns",
        Shape::Map(&Shape::Table(&PATTERNS)),
        "message templates, counted",
    ),
    key(
        "anomaly",
        Shape::Map(&Shape::Table(&ANOMALY)),
        "time buckets of an aggregate that stand out",
    ),
    key(
        "query",
        Shape::Map(&Shape::Table(&QUERY)),
        "an aggregate or a select in SQL",
    ),
    key(
        "output",
        Shape::Table(&OUTPUT),
        "what is written, and where",
    ),
    key(
        "check",
        list(&Shape::Table(&CHECK)),
        "conditions on the results; one that fails is exit code 3",
    ),
    key(
        "alert",
        list(&Shape::Table(&ALERT)),
        "conditions on the results that send a message",
    ),
    key(
        "notify",
        Shape::Map(&Shape::Table(&NOTIFY)),
        "where alerts are sent",
    ),
    key("run", Shape::Table(&RUN), "how the job is run"),
    key(
        "limits",
        Shape::Table(&LIMITS),
        "what a mapper may take of a host",
    ),
]);

pub static JOB: TableShape = table(&[
    key(
        "name",
        ANY,
        "what the job is called: `{job}` in paths; default: the file's name",
    ),
    key(
        "from",
        MOMENT,
        "the first moment that counts; default: no bound",
    ),
    key(
        "to",
        MOMENT,
        "the first moment that no longer counts; default: no bound",
    ),
    key(
        "timezone",
        ANY,
        "IANA name of the zone of log and job times that carry none",
    )
    .default("UTC"),
]);

pub static HOSTS: TableShape = TableShape {
    keys: &[
        key("ssh", HOST_NAMES, "hosts reached over SSH: `user@name:port`, with ranges as in `web[01-20]`"),
        key("local", HOST_NAMES, "simulated nodes: a mapper each on this machine, `{host}` in paths tells them apart"),
        key("exec", HOST_NAMES, "names that `command` reaches: pods, containers, jobs of a scheduler"),
        key("command", TEXTS, "exec: the command that yields a mapper's stdin and stdout; `{host}` and `{bootstrap}` are replaced"),
        key("user", ANY, "ssh: the user where a host names none"),
        key("port", Shape::Integer { min: 1, max: 65_535 }, "ssh: the port where a host names none"),
        key("identity", PATH, "ssh: the private key's file"),
        key("via", Shape::OneOf(&[ANY, TEXTS]), "ssh: the jump host, or a chain of them"),
        key("clock", Shape::Text(Form::Clock), "whether the clock's offset is taken off: \"trusted\", \"measured\" or \"+2s\" (it runs 2 s ahead)")
            .default("trusted"),
    ],
    exactly_one: &["ssh", "local", "exec"],
};

const HOST_NAMES: Shape = Shape::OneOf(&[
    Shape::List {
        of: &ANY,
        most: MOST_HOSTS,
    },
    Shape::Table(&HOST_LIST),
]);

pub static HOST_LIST: TableShape = TableShape {
    keys: &[
        key(
            "file",
            PATH,
            "a file with a host a line, `#` begins a comment",
        ),
        key("command", TEXTS, "a command that prints a host a line"),
    ],
    exactly_one: &["file", "command"],
};

pub static LOG: TableShape = table(&[
    key("hosts", TEXTS, "groups or host names; default: every host"),
    key(
        "paths",
        TEXTS,
        "globs; `{host}` is replaced; relative to the job file on local hosts",
    )
    .required(),
    key(
        "format",
        ANY,
        "auto, json, logfmt, syslog, apache, nginx, csv, plain, raw or a `[format.NAME]`",
    )
    .default("auto"),
    key(
        "timezone",
        ANY,
        "IANA name of the zone of times that carry none; default: the job's",
    ),
    key(
        "year",
        Shape::Integer {
            min: 1678,
            max: 2261,
        },
        "the year of timestamps that have none; default: by the file's modification time",
    ),
    key(
        "disorder",
        Shape::Text(Form::Disorder),
        "how far out of order times may be, or \"unlimited\"",
    )
    .default("1h"),
    key(
        "rotation",
        REGEX,
        "another scheme of rotated names, with the groups `base` and `n`",
    ),
    key(
        "nested",
        Shape::Word(&["json"]),
        "the message holds a format of its own",
    ),
    key(
        "derive",
        NAMED,
        "fields made of others; each may use those before it",
    ),
    key("drop", EXPRESSION, "entries that no operator sees"),
    key(
        "tag",
        NAMED,
        "names and the conditions under which an entry has them",
    ),
    key(
        "redact",
        list(&Shape::OneOf(&[
            Shape::Word(&["email", "card", "ip", "token"]),
            Shape::Table(&REDACT),
        ])),
        "what never leaves the host",
    ),
]);

pub static REDACT: TableShape = TableShape {
    keys: &[
        key("pattern", REGEX, "what is replaced wherever it stands"),
        key("field", ANY, "a field that leaves as a hash"),
        key(
            "with",
            Shape::Text(Form::Free),
            "pattern: what stands there instead",
        )
        .default("[REDACTED]"),
    ],
    exactly_one: &["pattern", "field"],
};

pub static FORMAT: TableShape = table(&[
    key(
        "base",
        Shape::Word(&[
            "json", "logfmt", "syslog", "apache", "nginx", "csv", "plain", "raw",
        ]),
        "the built-in format that it varies",
    ),
    key(
        "pattern",
        REGEX,
        "matched on an entry's first line; its named groups are the fields",
    ),
    key(
        "multiline",
        REGEX,
        "what the first line of an entry looks like",
    ),
    key(
        "time",
        ANY,
        "the time's format in chrono's strftime; default: any known shape",
    ),
    key("time_key", ANY, "the field that holds the time"),
    key("level_key", ANY, "the field that holds the level"),
    key("message_key", ANY, "the field that holds the message"),
    key(
        "types",
        Shape::Map(&Shape::Word(&["text", "number", "bool"])),
        "types of a pattern's groups or a csv's columns; default: text",
    ),
    key(
        "delimiter",
        ANY,
        "csv: the one character between fields; default: told from the header",
    ),
    key(
        "columns",
        TEXTS,
        "csv: the columns of a file without a header",
    ),
]);

pub static OUTPUT: TableShape = table(&[
    key(
        "dir",
        PATH,
        "the folder; `{job}` and `{run}` (start time, UTC) are replaced",
    )
    .default("out/{job}/{run}"),
    key(
        "formats",
        list(&Shape::Word(&["jsonl", "csv", "parquet", "html", "text"])),
        "what is written of each operator; default: jsonl",
    ),
    key(
        "line_numbers",
        Shape::Bool,
        "count the lines of files, so that entries have `line`",
    )
    .default("false"),
    key(
        "keep",
        COUNT,
        "runs of this job whose folders are kept; default: all",
    ),
    key("metrics", PATH, "a file for Prometheus' textfile collector"),
]);

pub static CHECK: TableShape = table(&[
    key(
        "that",
        EXPRESSION,
        "what must hold of the results: \"max(latency.p95) < 300\"",
    )
    .required(),
    key(
        "name",
        ANY,
        "as the report names it; default: the condition",
    ),
    key(
        "baseline",
        PATH,
        "the file of an earlier run's figures, for `baseline` in the condition; `run --update-baseline` writes it",
    ),
]);

pub static ALERT: TableShape = table(&[
    key("when", EXPRESSION, "the condition: \"rows(errors) > 100\"").required(),
    key("send", ANY, "the `[notify.NAME]` that is told").required(),
    key(
        "name",
        ANY,
        "as the message names it; default: the condition",
    ),
    key(
        "repeat",
        DURATION,
        "how long it is silent before it tells again; default: it tells every run",
    ),
]);

pub static NOTIFY: TableShape = TableShape {
    keys: &[
        key(
            "webhook",
            ANY,
            "a URL that takes JSON by POST, or a secret that holds it",
        ),
        key(
            "slack",
            SECRET,
            "a secret that holds an incoming webhook's URL",
        ),
        key(
            "pagerduty",
            SECRET,
            "a secret that holds an integration key",
        ),
        key(
            "endpoint",
            ANY,
            "pagerduty: where its events go; default: https://events.pagerduty.com/v2/enqueue",
        ),
        key(
            "alertmanager",
            ANY,
            "the URL of an Alertmanager, or a secret that holds it",
        ),
        key(
            "command",
            TEXTS,
            "a command that takes the alert as JSON on its stdin",
        ),
        key("smtp", Shape::Table(&SMTP), "a mail"),
    ],
    exactly_one: &[
        "webhook",
        "slack",
        "pagerduty",
        "alertmanager",
        "command",
        "smtp",
    ],
};

pub static SMTP: TableShape = table(&[
    key("server", ANY, "`name:port`").required(),
    key("from", ANY, "the sender's address").required(),
    key("to", TEXTS, "the addresses that get it").required(),
    key("user", ANY, "the account at the server"),
    key("password", SECRET, "a secret that holds its password"),
    key(
        "tls",
        Shape::Word(&["starttls", "tls", "none"]),
        "how the connection is secured; default: starttls, tls at port 465, none to this machine itself",
    ),
]);

pub static RUN: TableShape = table(&[
    key(
        "parallel_hosts",
        Shape::Integer {
            min: 1,
            max: 10_000,
        },
        "hosts worked on at once",
    )
    .default("64"),
    key(
        "retries",
        Shape::Integer { min: 0, max: 100 },
        "attempts after the first, 1 s, 2 s, 4 s … apart",
    )
    .default("3"),
    key(
        "host_timeout",
        DURATION,
        "a host that says nothing for so long is given up for this attempt",
    )
    .default("10m"),
    key(
        "require",
        Shape::Text(Form::Percent),
        "hosts that must be complete; fewer is exit code 4",
    )
    .default("100%"),
    key("memory", SIZE, "the reducer's budget before it spills").default("1GiB"),
    key(
        "incremental",
        Shape::Bool,
        "only what came since this job's last run",
    )
    .default("false"),
    key(
        "state",
        PATH,
        "where an incremental job keeps what it knows; `{job}` is replaced",
    )
    .default("state/{job}"),
    key(
        "wait",
        DURATION,
        "incremental: how long a missing host holds rows open",
    )
    .default("24h"),
    key(
        "deploy_dir",
        PATH,
        "the folder on a host that the mapper is put into; default: the user's cache",
    ),
    key(
        "mapper",
        PATH,
        "the mapper that is uploaded; default: that of this build",
    ),
]);

pub static LIMITS: TableShape = table(&[
    key(
        "threads",
        Shape::Integer { min: 1, max: 1024 },
        "the mapper's threads; default: as many as the host has cores",
    ),
    key("memory", SIZE, "the mapper's memory").default("256MiB"),
    key(
        "nice",
        Shape::Integer { min: 0, max: 19 },
        "the mapper's niceness, beside the idle I/O class",
    )
    .default("10"),
    key(
        "read_rate",
        Shape::Text(Form::Rate),
        "bytes read a second at most; default: no bound",
    ),
    key(
        "max_decoded",
        SIZE,
        "bytes that one compressed file may decode to; default: no bound",
    ),
    key(
        "open_files",
        Shape::Integer {
            min: 1,
            max: 1_000_000,
        },
        "files open at once; default: the mapper's own bound",
    ),
]);
