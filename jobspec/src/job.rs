//! The part of a compiled job that stays in the runner: where to go, what to write, whom to tell.

use std::collections::BTreeMap;
use std::path::PathBuf;

pub use crate::condition::{Cell, Fold, ResultExpr, row_key};
use crate::diagnostic::{Diagnostic, Diagnostics, Place, SourceText};
use crate::plan::Plan;

/// A whole job, compiled and checked.
#[derive(Clone, Debug)]
pub struct Job {
    pub name: String,
    /// The folder of the job file: relative local paths and files named by the job start here.
    pub folder: PathBuf,
    pub plan: Plan,
    /// The `[hosts.NAME]`s, in the order of the job file.
    pub groups: Vec<GroupSpec>,
    /// Those that hold a log of the job, sorted by name, so that an index orders as a name does.
    pub hosts: Vec<HostSpec>,
    pub output: OutputSpec,
    pub checks: Vec<CheckSpec>,
    pub alerts: Vec<AlertSpec>,
    pub notify: BTreeMap<String, NotifySpec>,
    pub run: RunSpec,
    /// What the job asks for and this build cannot execute yet, each with its place.
    pub not_yet: Vec<(Place, String)>,
    /// What the job was read from, for messages that show a place.
    pub texts: Vec<SourceText>,
}

impl Job {
    /// `not_yet` as messages with their source lines; None where the whole job can be run.
    pub fn refusals(&self) -> Option<Diagnostics> {
        if self.not_yet.is_empty() {
            return None;
        }
        let list = self
            .not_yet
            .iter()
            .map(|(place, message)| Diagnostic {
                place: place.clone(),
                message: message.clone(),
                help: None,
            })
            .collect();
        Some(Diagnostics::new(self.texts.clone(), list, 0))
    }
}

/// One `[hosts.NAME]`.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSpec {
    pub name: String,
    /// Hosts that it names, whether or not they hold a log of the job.
    pub hosts: u32,
    /// The list that names them, where the job does not.
    pub list: Option<ListSource>,
    /// False where the list was not asked: the group is known, its hosts are not.
    pub asked: bool,
}

/// Where the names of a group's hosts come from, if not from the job file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListSource {
    /// Relative to the job's folder.
    File(String),
    Command(Vec<String>),
}

/// One host: a node to dial, a child to start, a command to run.
#[derive(Clone, Debug, PartialEq)]
pub struct HostSpec {
    /// As rows name it: unique in the job.
    pub name: String,
    pub group: String,
    pub transport: TransportSpec,
    pub clock: ClockSpec,
    /// Indices into the plan's `logs` that this host holds, ascending.
    pub logs: Vec<u16>,
}

#[derive(Clone, Debug, PartialEq)]
pub enum TransportSpec {
    Local,
    Ssh(SshSpec),
    /// The argument vector, `{host}` replaced, `{bootstrap}` still in it.
    Exec {
        command: Vec<String>,
    },
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct SshSpec {
    /// What `ssh` would be given: a name or alias.
    pub target: String,
    pub user: Option<String>,
    pub port: Option<u16>,
    pub identity: Option<String>,
    /// Jump hosts, the first dialled first.
    pub via: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockSpec {
    Trusted,
    Measured,
    /// This host's clock runs so much ahead.
    FixedNs(i64),
}

#[derive(Clone, Debug, PartialEq)]
pub struct OutputSpec {
    /// `{job}` is replaced, `{run}` still in it.
    pub dir: String,
    pub formats: Vec<OutputFormat>,
    pub line_numbers: bool,
    pub keep: Option<u32>,
    pub metrics: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFormat {
    Jsonl,
    Csv,
    Parquet,
    Html,
    Text,
}

impl OutputFormat {
    pub const ALL: [OutputFormat; 5] = [
        OutputFormat::Jsonl,
        OutputFormat::Csv,
        OutputFormat::Parquet,
        OutputFormat::Html,
        OutputFormat::Text,
    ];

    pub fn name(self) -> &'static str {
        match self {
            OutputFormat::Jsonl => "jsonl",
            OutputFormat::Csv => "csv",
            OutputFormat::Parquet => "parquet",
            OutputFormat::Html => "html",
            OutputFormat::Text => "text",
        }
    }

    pub fn from_name(name: &str) -> Option<OutputFormat> {
        OutputFormat::ALL
            .into_iter()
            .find(|format| format.name() == name)
    }
}

/// `[run]`.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSpec {
    pub parallel_hosts: u32,
    pub retries: u32,
    pub host_timeout_ns: i64,
    pub require: Require,
    /// The reducer's budget before it spills.
    pub memory_bytes: u64,
    pub incremental: bool,
    pub state: Option<String>,
    pub wait_ns: i64,
    pub mapper: Option<String>,
    pub deploy_dir: Option<String>,
}

/// How much must be complete: hosts, as a share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Require {
    pub percent: f64,
}

/// One `[[check]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckSpec {
    pub name: String,
    /// As the job writes it.
    pub text: String,
    pub that: ResultExpr,
    /// The file, `{job}` replaced; relative to the job's folder.
    pub baseline: Option<String>,
}

/// One `[[alert]]`.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertSpec {
    pub name: String,
    /// As the job writes it.
    pub text: String,
    pub when: ResultExpr,
    /// Name of a `[notify.NAME]`.
    pub send: String,
    pub repeat_ns: Option<i64>,
}

/// One `[notify.NAME]`. Secrets are named, not held: the runner fetches them when it sends.
#[derive(Clone, Debug, PartialEq)]
pub enum NotifySpec {
    Webhook {
        url: String,
    },
    Slack {
        url: String,
    },
    Pagerduty {
        key: String,
        endpoint: Option<String>,
    },
    Alertmanager {
        url: String,
    },
    Command {
        command: Vec<String>,
    },
    Smtp {
        server: String,
        from: String,
        to: Vec<String>,
        user: Option<String>,
        password: Option<String>,
        tls: SmtpTls,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    StartTls,
    Tls,
    None,
}

impl NotifySpec {
    /// The key of the job file.
    pub fn kind(&self) -> &'static str {
        match self {
            NotifySpec::Webhook { .. } => "webhook",
            NotifySpec::Slack { .. } => "slack",
            NotifySpec::Pagerduty { .. } => "pagerduty",
            NotifySpec::Alertmanager { .. } => "alertmanager",
            NotifySpec::Command { .. } => "command",
            NotifySpec::Smtp { .. } => "smtp",
        }
    }
}
