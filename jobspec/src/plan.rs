//! The compiled job: the one thing that travels out. It holds what a mapper and the operators need, nothing of
//! hosts, outputs or secrets (those are in `job`), and nothing in it is checked again after `compile`.

use serde::{Deserialize, Serialize};

use crate::expr::{Column, Expr, FieldId, Measure, Pattern};

/// What every host is sent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub job: String,
    pub range: TimeRange,
    /// IANA name, for log times that carry no zone.
    pub timezone: String,
    /// The own fields that any expression reads, by `FieldId`: `status`, `http.request.id`, `tags[0]`.
    pub fields: Vec<FieldPath>,
    /// The `[format.NAME]`s.
    pub formats: Vec<FormatPlan>,
    /// Sorted by name, so that an index orders as a name does.
    pub logs: Vec<LogPlan>,
    /// In the order of the job file.
    pub operators: Vec<OperatorPlan>,
    pub line_numbers: bool,
    pub limits: Limits,
}

impl Plan {
    /// Whether anybody may look at that column of an entry. Aggregates say what they look at; all others show whole
    /// entries, or may.
    pub fn reads(&self, column: Column) -> bool {
        let of_logs = self.logs.iter().any(|log| {
            let derived = log.derive.iter().map(|(_, expr)| expr);
            let tags = log.tag.iter().map(|(_, expr)| expr);
            let mut exprs = derived.chain(tags).chain(&log.drop);
            log.nested_json || !log.redact.is_empty() || exprs.any(|expr| expr.reads(column))
        });
        let of_operators = self.operators.iter().any(|operator| match &operator.kind {
            OperatorKind::Aggregate(plan) => {
                let groups = plan.group.iter().map(|named| &named.expr);
                let measured = plan.measures.iter().filter_map(Measure::argument);
                let mut exprs = groups.chain(measured).chain(&plan.predicate);
                exprs.any(|expr| expr.reads(column))
            }
            _ => true,
        });
        of_logs || of_operators
    }
}

/// Half-open; nanoseconds UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimeRange {
    pub from_ns: Option<i64>,
    pub to_ns: Option<i64>,
}

impl TimeRange {
    pub fn is_open(&self) -> bool {
        self.from_ns.is_none() && self.to_ns.is_none()
    }

    /// Whether an entry of this time is inside; one with no time is inside only where there is no range.
    pub fn contains(&self, time_ns: Option<i64>) -> bool {
        match time_ns {
            None => self.is_open(),
            Some(ns) => {
                self.from_ns.is_none_or(|from| from <= ns) && self.to_ns.is_none_or(|to| ns < to)
            }
        }
    }
}

/// The path of an own field, as written in the job (`text`) and taken apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FieldPath {
    /// `a.b[0]`: also the key of a flat field whose name has dots.
    pub text: String,
    pub parts: Vec<PathPart>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PathPart {
    Name(String),
    Index(u32),
}

/// One `[logs.NAME]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogPlan {
    pub name: String,
    /// Globs; `{host}` is still in them.
    pub paths: Vec<String>,
    pub format: FormatChoice,
    /// IANA name; the job's where None.
    pub timezone: Option<String>,
    /// The year of timestamps that have none.
    pub year: Option<i32>,
    /// How far out of order times are; None is "unlimited".
    pub disorder_ns: Option<i64>,
    /// Another scheme of rotated names, with groups `base` and `n`.
    pub rotation: Option<Pattern>,
    /// A message that holds JSON of its own: `nested = "json"`.
    pub nested_json: bool,
    pub derive: Vec<(FieldId, Expr)>,
    pub drop: Option<Expr>,
    pub tag: Vec<(String, Expr)>,
    pub redact: Vec<Redact>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Redact {
    Email,
    Card,
    Ip,
    Token,
    Pattern { pattern: Pattern, with: String },
    Field(FieldId),
}

/// `format = "…"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FormatChoice {
    Auto,
    Named(FormatName),
    /// Index into the plan's `formats`.
    Custom(u16),
}

/// The formats that are built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum FormatName {
    Json,
    Logfmt,
    Syslog,
    Apache,
    Nginx,
    Csv,
    Plain,
    Raw,
}

impl FormatName {
    pub const ALL: [FormatName; 8] = [
        FormatName::Json,
        FormatName::Logfmt,
        FormatName::Syslog,
        FormatName::Apache,
        FormatName::Nginx,
        FormatName::Csv,
        FormatName::Plain,
        FormatName::Raw,
    ];

    pub fn name(self) -> &'static str {
        match self {
            FormatName::Json => "json",
            FormatName::Logfmt => "logfmt",
            FormatName::Syslog => "syslog",
            FormatName::Apache => "apache",
            FormatName::Nginx => "nginx",
            FormatName::Csv => "csv",
            FormatName::Plain => "plain",
            FormatName::Raw => "raw",
        }
    }

    pub fn from_name(name: &str) -> Option<FormatName> {
        FormatName::ALL
            .into_iter()
            .find(|format| format.name() == name)
    }
}

/// One `[format.NAME]`: a pattern of its own, or a built-in base with other keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormatPlan {
    pub name: String,
    pub base: Option<FormatName>,
    /// Named groups are the fields.
    pub pattern: Option<Pattern>,
    /// What the first line of an entry looks like.
    pub multiline: Option<Pattern>,
    /// chrono's strftime; any known shape where None.
    pub time: Option<String>,
    pub time_key: Option<String>,
    pub level_key: Option<String>,
    pub message_key: Option<String>,
    /// Type hints: fields of a pattern that are numbers.
    pub types: Vec<(String, FieldType)>,
    /// csv: what stands between two fields; told from the header where None.
    pub delimiter: Option<u8>,
    /// csv: the columns of a file without a header.
    pub columns: Option<Vec<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FieldType {
    Text,
    Number,
    Bool,
}

/// One operator. Names are unique across kinds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OperatorPlan {
    pub name: String,
    /// Indices into the plan's `logs`, ascending.
    pub logs: Vec<u16>,
    pub kind: OperatorKind,
}

// A job has a handful of these; a box would only hide the plan.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum OperatorKind {
    Context(ContextPlan),
    Sequence(SequencePlan),
    Session(SessionPlan),
    Aggregate(AggregatePlan),
    Select(SelectPlan),
    Patterns(PatternsPlan),
    Anomaly(AnomalyPlan),
}

impl OperatorKind {
    /// The word of the job file. A `[query.NAME]` is an aggregate or a select by now.
    pub fn name(&self) -> &'static str {
        match self {
            OperatorKind::Context(_) => "context",
            OperatorKind::Sequence(_) => "sequence",
            OperatorKind::Session(_) => "session",
            OperatorKind::Aggregate(_) => "aggregate",
            OperatorKind::Select(_) => "select",
            OperatorKind::Patterns(_) => "patterns",
            OperatorKind::Anomaly(_) => "anomaly",
        }
    }

    /// What an entry must satisfy to be seen by it at all, where one predicate says so.
    pub fn predicate(&self) -> Option<&Expr> {
        match self {
            OperatorKind::Context(plan) => Some(&plan.predicate),
            OperatorKind::Session(plan) => plan.predicate.as_ref(),
            OperatorKind::Aggregate(plan) => plan.predicate.as_ref(),
            OperatorKind::Select(plan) => plan.predicate.as_ref(),
            OperatorKind::Patterns(plan) => plan.predicate.as_ref(),
            OperatorKind::Sequence(_) | OperatorKind::Anomaly(_) => None,
        }
    }
}

/// An expression and the name that its value has in a row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Named {
    pub name: String,
    pub expr: Expr,
}

/// One term of `order`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Order {
    pub expr: Expr,
    pub descending: bool,
}

/// How far a context reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    Entries(u32),
    DurationNs(i64),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContextPlan {
    pub predicate: Expr,
    pub before: Reach,
    pub after: Reach,
    /// Entries of a window before it goes on in another row.
    pub max: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SequencePlan {
    pub key: Vec<Named>,
    pub within_ns: Option<i64>,
    pub steps: Vec<StepPlan>,
    pub until: Option<Expr>,
    pub pick: Pick,
    pub scope: Scope,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepPlan {
    pub name: String,
    pub predicate: Expr,
    /// Entries it takes: at least `min`, at most `max`; None is no bound. Both 1 where the job is silent.
    pub min: u32,
    pub max: Option<u32>,
    /// The key under its own names, as many parts as the sequence's key.
    pub key: Option<Vec<Expr>>,
    pub absent: bool,
    pub within_ns: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pick {
    Leftmost,
    Tightest,
}

/// Where a sequence's entries of one key lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Scope {
    Everywhere,
    Host,
    File,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SessionPlan {
    pub predicate: Option<Expr>,
    pub key: SessionKey,
    pub gap_ns: Option<i64>,
    pub starts: Option<Expr>,
    pub ends: Option<Expr>,
    pub timeline: u32,
    /// The inner row that `select` and `having` read: these measures.
    pub measures: Vec<Measure>,
    pub select: Vec<Named>,
    pub having: Option<Expr>,
    pub max: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum SessionKey {
    By(Vec<Named>),
    /// Ids that join transitively; an id joined with more than `hub` others joins nothing.
    Link {
        ids: Vec<Named>,
        hub: u32,
    },
}

/// A finished group is an inner row: the group's values, then the measures. `columns`, `having` and `order` read
/// it by `Expr::Output`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AggregatePlan {
    pub predicate: Option<Expr>,
    pub group: Vec<Named>,
    pub measures: Vec<Measure>,
    pub columns: Vec<Named>,
    pub having: Option<Expr>,
    pub order: Vec<Order>,
    pub limit: Option<u64>,
    /// A `[query.NAME]`.
    pub from_sql: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelectPlan {
    pub predicate: Option<Expr>,
    /// None: whole entries.
    pub columns: Option<Vec<Named>>,
    pub order: Vec<Order>,
    pub limit: Option<u64>,
    pub from_sql: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PatternsPlan {
    pub predicate: Option<Expr>,
    pub field: Expr,
    pub group: Vec<Named>,
    pub baseline: Option<TimeRange>,
    pub limit: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnomalyPlan {
    /// Index into the plan's `operators`: an aggregate whose group has a time bucket.
    pub of: u16,
    /// Column of that aggregate, by index into its `columns`.
    pub value: u16,
    pub threshold: f64,
}

/// `[limits]`: the manners of a guest.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// Threads of the mapper; None: as many as the host has cores.
    pub threads: Option<u32>,
    pub memory_bytes: Option<u64>,
    pub nice: Option<i32>,
    pub read_bytes_per_second: Option<u64>,
    /// Decoded bytes of one compressed file before it is cut off.
    pub max_decoded_bytes: Option<u64>,
    pub open_files: Option<u32>,
}
