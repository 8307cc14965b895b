//! The command line as one enum, and its help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use jobspec::job::OutputFormat;

/// Analyses logs where they lie: a TOML job goes out to every host that holds logs, partial states come back,
/// and become rows, a report, a verdict.
#[derive(Debug, Parser)]
#[command(
    name = "logstitch",
    version,
    max_term_width = 100,
    disable_help_subcommand = true
)]
#[command(after_help = "\
Example: logstitch run testdata/jobs/incident/job.toml
Exit codes: 0 done, 1 failed, 2 wrong job or command line, 3 a check failed, 4 less complete than
required, 5 running already, 130/143 stopped by a signal. RUST_LOG=info says more on stderr.")]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs a job and writes its outputs
    #[command(after_help = "\
Example: logstitch run job.toml --from -2h --set limits.threads=4 --out /tmp/today")]
    Run(RunArguments),

    /// Compiles a job and shows the plan; touches nothing
    #[command(after_help = "Example: logstitch check job.toml --set job.from=yesterday")]
    Check(JobArguments),

    /// Looks at every host before a run: reach, login, mapper, clock, files, permissions, free space
    #[command(after_help = "Example: logstitch hosts job.toml --host web --json")]
    Hosts(HostsArguments),

    /// Asks one question of local files and prints the rows as JSON lines
    #[command(after_help = "\
Example: logstitch query \"SELECT service, count(*) AS n FROM logs WHERE level >= ERROR GROUP BY service\" 'app/*.jsonl*'")]
    Query(QueryArguments),

    /// Shows what a file is and how it parses
    #[command(after_help = "Example: logstitch formats /var/log/syslog access.log.2.gz")]
    Formats(FormatsArguments),

    /// Makes the outputs again from the spools of one or several runs
    #[command(
        after_help = "Example: logstitch reduce out/nightly/20260119T020000Z/spool --out /tmp/again"
    )]
    Reduce(ReduceArguments),

    /// Writes seeded logs to try things on
    #[command(after_help = "Example: logstitch gen json --bytes 100MB --out big.jsonl")]
    Gen(GenArguments),

    /// Prints the JSON Schema of job files, for editors
    #[command(after_help = "Example: logstitch schema > job.schema.json")]
    Schema,

    /// Serves as a mapper on stdin and stdout: what a node runs
    #[command(after_help = "\
Example: a node of [hosts.X] local = [\"…\"] is a child of the runner that runs `logstitch map`")]
    Map,
}

#[derive(Debug, Args)]
pub struct JobArguments {
    /// The job file
    pub job: PathBuf,

    /// Sets a key of the job: --set run.retries=0
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,

    /// Start of the time range instead of the job's: a time, a date, -24h, today
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,

    /// End of the time range, exclusive
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<String>,

    /// Only this host or group; may be given again
    #[arg(long, value_name = "NAME")]
    pub host: Vec<String>,
}

#[derive(Debug, Args)]
pub struct RunArguments {
    #[command(flatten)]
    pub job: JobArguments,

    /// Puts the outputs straight into this folder
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Goes on with the job's last run, if that was stopped before it was done; else begins a new one
    #[arg(long)]
    pub resume: bool,

    /// Writes the figures of this run into the baseline files of its checks
    #[arg(long)]
    pub update_baseline: bool,

    /// Reduces a second time in another order and grouping, and compares the bytes
    #[arg(long)]
    pub verify: bool,
}

#[derive(Debug, Args)]
pub struct HostsArguments {
    #[command(flatten)]
    pub job: JobArguments,

    /// One JSON object a line, one line a host, instead of a table
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct QueryArguments {
    /// A SELECT over the log `logs`
    pub sql: String,

    /// Files or globs
    #[arg(required = true)]
    pub paths: Vec<String>,

    /// The files' format: auto, json, logfmt, syslog, apache, nginx, csv, plain, raw
    #[arg(long, default_value = "auto")]
    pub format: String,

    /// Start of the time range: a time, a date, -24h, today
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,

    /// End of the time range, exclusive
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub to: Option<String>,
}

#[derive(Debug, Args)]
pub struct FormatsArguments {
    /// Files, each looked at by itself; of each the first 64 MiB of its text
    #[arg(required = true)]
    pub files: Vec<PathBuf>,

    /// One JSON object a line instead of text
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ReduceArguments {
    /// Spool folders: `spool` under a run's outputs
    #[arg(required = true)]
    pub spools: Vec<PathBuf>,

    /// Where the outputs go
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,

    /// The job with other checks over the same operators
    #[arg(long, value_name = "JOB")]
    pub job: Option<PathBuf>,

    /// What is written of each operator: jsonl, csv, parquet, html, text
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', default_value = "jsonl", value_parser = output_format)]
    pub formats: Vec<OutputFormat>,
}

fn output_format(name: &str) -> Result<OutputFormat, String> {
    OutputFormat::from_name(name).ok_or_else(|| {
        let names = OutputFormat::ALL.map(OutputFormat::name).join(", ");
        format!("it is none of {names}")
    })
}

#[derive(Debug, Args)]
pub struct GenArguments {
    /// What to write: incident (a folder), json, access or plain (a file)
    pub kind: String,

    /// The folder or file; a file's default is stdout
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,

    /// Size of a file, to the first line end past it
    #[arg(long, value_name = "SIZE", default_value = "10MB")]
    pub bytes: String,

    /// The same seed gives the same bytes
    #[arg(long, default_value_t = crate::command::r#gen::SEED)]
    pub seed: u64,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_help_fits_a_screen_and_has_an_example() {
        let mut command = Arguments::command();
        command.build();
        for command in std::iter::once(&mut command.clone()).chain(command.get_subcommands_mut()) {
            let help = command.render_long_help().to_string();
            assert!(
                help.lines().count() <= 40,
                "{} lines:\n{help}",
                help.lines().count()
            );
            assert!(help.contains("Example: "), "{help}");
        }
    }
}
