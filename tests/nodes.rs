//! Every folder of testdata/jobs over three nodes for each that it has. What looks at entries in total order is dealt out:
//! its entries lie on other nodes, those of one time together, and the rows are those in `expected` but for labels. What
//! looks at one stream, file or host is copied: three nodes hold what one holds, and each row comes three times.
//!
//! What three nodes do change is named in the case's `nodes.toml`, operator by operator, with why; what is named there
//! and is not so fails too.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use jobspec::job::{Job, TransportSpec};
use jobspec::plan::{OperatorKind, OperatorPlan, Scope};
use jobspec::{Request, Source};
use serde_json::Value;

use crate::harness::{Folder, logstitch, names, root, rows};
use crate::jobs::{prepared, same};

/// Bytes of a plain file to a segment, and the reducer's budget: whole, and as fine as can be.
const ROUNDS: [(&str, &str); 2] = [("1000000000", "1GiB"), ("64", "1KiB")];
const NODES: usize = 3;

#[test]
fn entries_dealt_out_over_three_nodes_give_the_same_rows() {
    for case in cases() {
        case.deal();
    }
}

#[test]
fn streams_on_three_nodes_give_each_row_three_times() {
    let copied: usize = cases().iter().map(Case::copy).sum();
    assert!(copied > 20, "{copied}");
}

fn cases() -> Vec<Case> {
    let jobs = root().join("testdata/jobs");
    let names = names(&jobs).into_iter();
    names
        .map(|name| Case::read(&name, jobs.join(&name)))
        .collect()
}

/// Why entries dealt out give an operator other rows.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Reason {
    /// Its entries cannot be written line by line: they need a header, or their file's time.
    Lines,
    /// It shows the order of equal times, in which another host's come first then.
    Order,
    /// It asks for files or offsets.
    Labels,
    /// It names a host, which nobody is then: there is no such job.
    Host,
}

/// What lies where when it is dealt out, in total order.
#[derive(Clone, Debug, PartialEq)]
struct Listed {
    time: Option<String>,
    host: String,
    log: String,
    raw: String,
}

struct Case {
    name: String,
    folder: PathBuf,
    text: Text,
    job: Job,
    /// How its runs end: a host that is lost is as lost beside three nodes.
    code: i32,
    reasons: BTreeMap<String, Reason>,
    expected: BTreeMap<String, String>,
}

impl Case {
    fn read(name: &str, folder: PathBuf) -> Case {
        let text = std::fs::read_to_string(folder.join("job.toml")).unwrap();
        let source = Source {
            name: "job.toml",
            bytes: text.as_bytes(),
            folder: &folder,
        };
        let job = jobspec::compile(&source, &Request::at(1_768_905_000_000_000_000)).unwrap();
        let reasons = std::fs::read_to_string(folder.join("nodes.toml")).unwrap_or_default();
        let reasons: toml::Table = reasons.parse().unwrap();
        let reasons = reasons.into_iter().map(|(operator, reason)| {
            let known = job.plan.operators.iter().any(|plan| plan.name == operator);
            assert!(known, "{name}: no operator `{operator}`");
            let reason = match reason.as_str() {
                Some("lines") => Reason::Lines,
                Some("order") => Reason::Order,
                Some("labels") => Reason::Labels,
                Some("host") => Reason::Host,
                _ => panic!("{name}: {reason} is no reason"),
            };
            (operator, reason)
        });
        Case {
            name: name.to_owned(),
            code: prepared(&folder),
            reasons: reasons.collect(),
            expected: rows(&folder.join("expected")).into_iter().collect(),
            folder,
            text: Text::of(&text),
            job,
        }
    }

    fn deal(&self) {
        if self.job.plan.operators.iter().all(stays) {
            return;
        }
        let folder = Folder::new(&format!("{}-dealt", self.name));
        let listed = self.listing(&self.text, &self.folder);
        self.write_dealt(&listed, folder.path());
        let mut text = self.on_three_nodes(|group| vec![group.to_owned()], "");
        for log in &self.job.plan.logs {
            let table = format!("logs.{}", log.name);
            text.set(&table, "hosts", &self.groups_of(&log.name));
            text.set(
                &table,
                "paths",
                &[format!("logs/{{host}}/{}/*.log", log.name)],
            );
        }
        let dealt = self.listing(&text, folder.path());
        let run_here = |name: &str| {
            let is_host_gone = self.reasons.get(name) == Some(&Reason::Host);
            assert!(
                !is_host_gone || self.names_a_host(name),
                "{name}: no reason"
            );
            !stays(self.operator(name)) && !is_host_gone
        };
        text.keep(|table| operator(table).is_none_or(run_here));
        let operators = self.job.plan.operators.iter();
        let operators: Vec<_> = operators.filter(|plan| run_here(&plan.name)).collect();
        for round in ROUNDS {
            let found = self.run(&text, folder.path(), round);
            for operator in &operators {
                let what = format!("{}/{} dealt out, {round:?}", self.name, operator.name);
                let file = format!("{}.jsonl", operator.name);
                let (rows, wanted) = (&found[&file], &self.expected[&file]);
                let (rows, wanted) = (unlabelled(rows), unlabelled(wanted));
                let in_order = self.seen(operator, &dealt) == self.seen(operator, &listed);
                match self.reasons.get(&operator.name) {
                    None => same(&what, &rows, &wanted),
                    Some(Reason::Labels) => {
                        assert!(in_order && rows != wanted, "{what}: no reason")
                    }
                    Some(_) => assert!(!in_order && rows != wanted, "{what}: no reason"),
                }
            }
        }
    }

    /// Gives how many operators there were.
    fn copy(&self) -> usize {
        let of_files = [Reason::Lines, Reason::Order, Reason::Labels].map(Some);
        let is_copied = |operator: &OperatorPlan| {
            let is_whole =
                matches!(&operator.kind, OperatorKind::Select(plan) if plan.limit.is_none());
            stays(operator)
                || is_whole && of_files.contains(&self.reasons.get(&operator.name).copied())
        };
        let copied = self.job.plan.operators.iter();
        let copied: Vec<_> = copied.filter(|plan| is_copied(plan)).collect();
        if copied.is_empty() {
            return 0;
        }
        let folder = Folder::new(&format!("{}-copied", self.name));
        let logs = self.folder.join("logs");
        for host in &self.job.hosts {
            for node in 1..=NODES {
                let copy = format!("{}-copy{node}", host.name);
                copy_host(&logs, folder.path(), &host.name, &copy);
            }
        }
        let hosts_of = |group: &str| {
            let hosts = self.job.hosts.iter().filter(|host| host.group == group);
            hosts.map(|host| host.name.clone()).collect()
        };
        let mut text = self.on_three_nodes(hosts_of, "copy");
        text.keep(|table| operator(table).is_none_or(|name| is_copied(self.operator(name))));
        for round in ROUNDS {
            let found = self.run(&text, folder.path(), round);
            for operator in &copied {
                let file = format!("{}.jsonl", operator.name);
                let mut rows = found[&file].clone();
                for node in 1..=NODES {
                    rows = rows.replace(&format!("-copy{node}"), "");
                }
                let thrice = self.expected[&file].repeat(NODES);
                let what = format!("{}/{} copied, {round:?}", self.name, operator.name);
                same(&what, &sorted(&rows), &sorted(&thrice));
            }
        }
        copied.len()
    }

    fn operator(&self, name: &str) -> &OperatorPlan {
        let mut operators = self.job.plan.operators.iter();
        operators.find(|plan| plan.name == name).unwrap()
    }

    fn names_a_host(&self, operator: &str) -> bool {
        let mut tables = self.text.0.iter();
        let table = tables.find(|(table, _)| self::operator(table) == Some(operator));
        let (_, text) = table.unwrap();
        let mut hosts = self.job.hosts.iter();
        hosts.any(|host| text.contains(&format!("'{}'", host.name)))
    }

    /// The job without what judges its rows, with three nodes for each of these names of a group.
    fn on_three_nodes(&self, names_of: impl Fn(&str) -> Vec<String>, word: &str) -> Text {
        let mut text = self.text.clone();
        text.keep(|table| {
            let kind = table.split('.').next().unwrap();
            !["check", "alert", "notify"].contains(&kind)
        });
        let hosts = self.job.hosts.iter();
        let local = hosts.filter(|host| host.transport == TransportSpec::Local);
        let mut groups: Vec<_> = local.map(|host| &host.group).collect();
        groups.dedup();
        for group in groups {
            let names = names_of(group).into_iter();
            let nodes =
                names.flat_map(|name| (1..=NODES).map(move |node| format!("{name}-{word}{node}")));
            text.set(
                &format!("hosts.{group}"),
                "local",
                &nodes.collect::<Vec<_>>(),
            );
        }
        text
    }

    /// The groups whose hosts hold a log.
    fn groups_of(&self, log: &str) -> Vec<String> {
        let at = self.job.plan.logs.iter().position(|plan| plan.name == log);
        let at = at.unwrap() as u16;
        let holding = self.job.hosts.iter().filter(|host| host.logs.contains(&at));
        let mut groups: Vec<_> = holding.map(|host| host.group.clone()).collect();
        groups.sort();
        groups.dedup();
        groups
    }

    /// All entries of a job of these hosts and logs in total order, by the program itself.
    fn listing(&self, text: &Text, folder: &Path) -> Vec<Listed> {
        let mut text = text.clone();
        text.keep(|table| {
            ["job", "run", "hosts", "logs", "format"].contains(&table.split('.').next().unwrap())
        });
        text.remove("job", "from");
        text.remove("job", "to");
        for log in &self.job.plan.logs {
            let table = format!("logs.{}", log.name);
            let paths: Vec<String> = text.list(&table, "paths");
            let paths: Vec<_> = paths
                .iter()
                .map(|path| format!("{}/{path}", folder.display()))
                .collect();
            text.set(&table, "paths", &paths);
        }
        text.0.push((
            "select.listing".to_owned(),
            "[select.listing]\ncolumns = ['time', 'host', 'log', 'raw']\n".to_owned(),
        ));
        let place = Folder::new(&format!("{}-listing", self.name));
        let text = self.run(&text, place.path(), ROUNDS[0]);
        let entries = text["listing.jsonl"].lines().map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            Listed {
                time: row["time"].as_str().map(str::to_owned),
                host: text("host"),
                log: text("log"),
                raw: text("raw"),
            }
        });
        entries.collect()
    }

    fn run(
        &self,
        text: &Text,
        folder: &Path,
        (segments, memory): (&str, &str),
    ) -> BTreeMap<String, String> {
        let job = folder.join("job.toml");
        let tables: String = text.0.iter().map(|(_, table)| &**table).collect();
        std::fs::write(&job, tables).unwrap();
        let out = folder.join("out");
        let _ = std::fs::remove_dir_all(&out);
        let run = logstitch([Path::new("run"), &job, Path::new("--verify")]);
        run.args([Path::new("--out"), &out])
            .args(["--set", &format!("run.memory={memory}")])
            .env("LOGSTITCH_SEGMENT_BYTES", segments)
            .ends_with(self.code);
        rows(&out).into_iter().collect()
    }

    /// Entries of one time lie on one node of their group, the next time's on the next.
    fn write_dealt(&self, listed: &[Listed], folder: &Path) {
        let mut files: BTreeMap<PathBuf, String> = BTreeMap::new();
        let times = listed.chunk_by(|left, right| left.time == right.time);
        for (turn, together) in times.enumerate() {
            for entry in together {
                let host = self.job.hosts.iter().find(|host| host.name == entry.host);
                let node = format!("{}-{}", host.unwrap().group, 1 + turn % NODES);
                let file = match entry.time {
                    Some(_) => "timed.log",
                    None => "untimed.log",
                };
                let path = folder.join("logs").join(node).join(&entry.log).join(file);
                writeln!(files.entry(path).or_default(), "{}", entry.raw).unwrap();
            }
        }
        for (path, text) in files {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
    }

    /// What an operator sees of a listing: all but labels.
    fn seen<'a>(
        &self,
        operator: &OperatorPlan,
        listed: &'a [Listed],
    ) -> Vec<(&'a Option<String>, &'a str, &'a str)> {
        let logs = operator.logs.iter();
        let logs: Vec<_> = logs
            .map(|log| &*self.job.plan.logs[usize::from(*log)].name)
            .collect();
        let seen = listed.iter().filter(|entry| logs.contains(&&*entry.log));
        seen.map(|entry| (&entry.time, &*entry.log, &*entry.raw))
            .collect()
    }
}

/// Whether an operator is of one stream, one file or one host.
fn stays(operator: &OperatorPlan) -> bool {
    match &operator.kind {
        OperatorKind::Context(_) => true,
        OperatorKind::Sequence(plan) => plan.scope != Scope::Everywhere,
        _ => false,
    }
}

/// The operator that a table of a job makes.
fn operator(table: &str) -> Option<&str> {
    let kinds = [
        "context",
        "sequence",
        "session",
        "aggregate",
        "select",
        "query",
    ];
    let (kind, name) = table.split_once('.')?;
    kinds.contains(&kind).then_some(name)
}

/// A job's text, table by table, each with its name.
#[derive(Clone)]
struct Text(Vec<(String, String)>);

impl Text {
    fn of(text: &str) -> Text {
        let mut tables = vec![(String::new(), String::new())];
        for line in text.lines() {
            if line.starts_with('[') {
                let name = line.trim_start_matches('[').split(']').next().unwrap();
                tables.push((name.to_owned(), String::new()));
            }
            let (_, table) = tables.last_mut().unwrap();
            writeln!(table, "{line}").unwrap();
        }
        Text(tables)
    }

    fn keep(&mut self, is_kept: impl Fn(&str) -> bool) {
        self.0.retain(|(name, _)| is_kept(name));
    }

    fn remove(&mut self, table: &str, key: &str) {
        let (_, text) = self.0.iter_mut().find(|(name, _)| name == table).unwrap();
        let is_other = |line: &&str| line.split('=').next().unwrap().trim() != key;
        *text = text
            .lines()
            .filter(is_other)
            .flat_map(|line| [line, "\n"])
            .collect();
    }

    fn set(&mut self, table: &str, key: &str, items: &[String]) {
        self.remove(table, key);
        let (_, text) = self.0.iter_mut().find(|(name, _)| name == table).unwrap();
        writeln!(text, "{key} = {items:?}").unwrap();
    }

    fn list(&self, table: &str, key: &str) -> Vec<String> {
        let (_, text) = self.0.iter().find(|(name, _)| name == table).unwrap();
        let mut value = toml::Value::Table(text.parse().unwrap());
        for part in table.split('.').chain([key]) {
            value = value.as_table_mut().unwrap().remove(part).unwrap();
        }
        let items = value.as_array().unwrap().iter();
        items
            .map(|item| item.as_str().unwrap().to_owned())
            .collect()
    }
}

/// What is a host's own below `logs`, a folder or a file by its name, once more under another.
fn copy_host(logs: &Path, folder: &Path, host: &str, copy: &str) {
    for name in names(logs) {
        let Some(rest) = name.strip_prefix(host) else {
            continue;
        };
        if rest.is_empty() || rest.starts_with('.') {
            let to = folder.join("logs").join(format!("{copy}{rest}"));
            copy_all(&logs.join(&name), &to);
        }
    }
}

fn copy_all(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
    if from.is_dir() {
        for name in names(from) {
            copy_all(&from.join(&name), &to.join(&name));
        }
    } else {
        std::fs::copy(from, to).unwrap();
        let modified = from.metadata().unwrap().modified().unwrap();
        let file = std::fs::File::options().append(true).open(to).unwrap();
        file.set_modified(modified).unwrap();
    }
}

/// Rows without what names a place.
fn unlabelled(rows: &str) -> String {
    let mut text = String::new();
    for line in rows.lines() {
        let mut row: Value = serde_json::from_str(line).unwrap();
        strip(&mut row);
        writeln!(text, "{row}").unwrap();
    }
    text
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for label in ["host", "hosts", "file", "offset", "line"] {
                object.shift_remove(label);
            }
            // An entry's own fields may be called so too.
            for (_, inner) in object.iter_mut().filter(|(name, _)| *name != "fields") {
                strip(inner);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(strip),
        _ => {}
    }
}

fn sorted(rows: &str) -> String {
    let mut lines: Vec<_> = rows.lines().collect();
    lines.sort_unstable();
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}
