//! From the TOML as written to a checked job. Every step goes on after a mistake with what is still known, so
//! that one run names them all; only a job without any is given out.

mod hosts;
mod keyed;
mod logs;
mod not_yet;
mod operators;
mod results;
mod runtime;
mod view;

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;

use crate::diagnostic::{Diagnostic, Diagnostics, KEPT, Place, SourceText, nearest};
use crate::expr::parse::{FieldTable, Mistake, Scope};
use crate::expr::{Column, Comparison, Expr};
use crate::job::{Job, ListSource};
use crate::language::{JOB_FILE, check};
use crate::plan::{Plan, TimeRange};
use crate::table::{self, Text, shortened};
use crate::value::{OwnedValue, Value};
use crate::when;
use crate::zone::Zone;
pub use results::read_check;
use view::View;

/// A job file is written by a person; beyond this it is something else.
pub const LARGEST_FILE: usize = 16 << 20;
/// Words held against one another for suggestions, in one job: enough for every mistake of a person.
const COMPARISONS: usize = 2_000_000;

/// The job file: its name as messages give it, its bytes, and the folder that its relative paths start from.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    pub name: &'a str,
    pub bytes: &'a [u8],
    pub folder: &'a Path,
}

/// How a host list is read: its text, or None where it is not asked, as `check` runs no command.
pub type HostLists<'a> = dyn Fn(&ListSource) -> Result<Option<Vec<u8>>, String> + Sync + 'a;

/// What is known beside the job file when it is compiled.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// Now, for "-24h" and "today".
    pub now_ns: i64,
    /// `--from` and `--to`, over what the file says.
    pub from: Option<&'a str>,
    pub to: Option<&'a str>,
    /// `--set key=value`, in order.
    pub set: &'a [String],
    /// `--host`: names and groups to keep; all where it is empty.
    pub hosts: &'a [String],
    pub host_list: &'a HostLists<'a>,
}

impl Request<'_> {
    /// A plain request: nothing overridden, no host list asked.
    pub fn at(now_ns: i64) -> Request<'static> {
        Request {
            now_ns,
            from: None,
            to: None,
            set: &[],
            hosts: &[],
            host_list: &|_| Ok(None),
        }
    }
}

/// Reads and checks a whole job; gives it, or every mistake in it.
pub fn compile(source: &Source<'_>, request: &Request<'_>) -> Result<Job, Diagnostics> {
    match crate::room::with_room(|| Compiler::new(source, request).job(source)) {
        Ok(result) => result,
        Err(error) => Err(Diagnostics::new(
            Vec::new(),
            vec![Diagnostic {
                place: Place::default(),
                message: format!("cannot start a thread to read the job: {error}"),
                help: None,
            }],
            0,
        )),
    }
}

/// What is being put together, and the mistakes so far.
struct Compiler<'a> {
    request: &'a Request<'a>,
    texts: Vec<SourceText>,
    mistakes: Vec<Diagnostic>,
    more: usize,
    fields: FieldTable,
    zone: Zone,
    /// Index by name, which is in the order of names.
    logs: HashMap<String, u16>,
    /// Names that `host = '…'` may have; None where a group's hosts are not known.
    hosts: Option<Vec<String>>,
    comparisons: usize,
}

impl<'a> Compiler<'a> {
    fn new(source: &Source<'_>, request: &'a Request<'a>) -> Compiler<'a> {
        let shown = &source.bytes[..source.bytes.len().min(LARGEST_FILE)];
        Compiler {
            request,
            texts: vec![SourceText {
                name: source.name.to_owned(),
                text: String::from_utf8_lossy(shown).into(),
            }],
            mistakes: Vec::new(),
            more: 0,
            fields: FieldTable::default(),
            zone: Zone::UTC,
            logs: HashMap::new(),
            hosts: None,
            comparisons: COMPARISONS,
        }
    }

    fn job(mut self, source: &Source<'_>) -> Result<Job, Diagnostics> {
        if source.bytes.len() > LARGEST_FILE {
            let message = format!("the file is larger than {} MiB", LARGEST_FILE >> 20);
            self.mistake(&Place::default(), message);
            return Err(self.diagnostics());
        }
        if let Err(error) = std::str::from_utf8(source.bytes) {
            let at = error.valid_up_to();
            self.mistake(&Place::new(0, at..at + 1), "not UTF-8 from here on");
            return Err(self.diagnostics());
        }
        let root = self.read();
        let view = View::new(&root, &JOB_FILE);
        let Some(view) = view else {
            return Err(self.diagnostics());
        };

        let (name, range) = self.head(view, source.name);
        let placed = self.hosts(view);
        let formats = self.formats(view);
        let (logs, hosts) = self.logs(view, &placed, &formats);
        let operators = self.operators(view);
        let output = self.output(view, &name);
        let (run, limits) = (self.run(view, &name), self.limits(view));
        let notify = self.notify(view);
        let (checks, alerts) = self.results(view, &operators, &notify, &name);
        let not_yet = not_yet::not_yet(&root);
        if !self.mistakes.is_empty() {
            return Err(self.diagnostics());
        }

        let plan = Plan {
            job: name.clone(),
            range,
            timezone: self.zone.name().to_owned(),
            fields: std::mem::take(&mut self.fields).into_paths(),
            formats: formats
                .into_iter()
                .filter_map(|format| format.plan)
                .collect(),
            logs,
            operators: operators
                .into_iter()
                .filter_map(|operator| operator.plan)
                .collect(),
            line_numbers: output.line_numbers,
            limits,
        };
        Ok(Job {
            name,
            folder: source.folder.to_owned(),
            plan,
            groups: placed.groups,
            hosts,
            output,
            checks,
            alerts,
            notify: notify
                .into_iter()
                .filter_map(|(name, spec)| Some((name, spec?)))
                .collect(),
            run,
            not_yet,
            texts: self.texts,
        })
    }

    /// The file, with what was put over it, held against the language.
    fn read(&mut self) -> table::Node {
        let text = self.texts[0].text.clone();
        let mut mistakes = Vec::new();
        let mut root = table::read(&text, 0, &mut mistakes);
        for argument in self.request.set {
            let text = self.add_text("--set", argument);
            table::override_with(&mut root, argument, text, &mut mistakes);
        }
        for (key, option, value) in [
            ("from", "--from", self.request.from),
            ("to", "--to", self.request.to),
        ] {
            if let Some(value) = value {
                let text = self.add_text(option, value);
                table::put_text(&mut root, ["job", key], value, text);
            }
        }
        let syntax = mistakes.len();
        check(&root, &JOB_FILE, &mut |mistake| {
            if mistakes.len() <= KEPT {
                mistakes.push(mistake);
            }
        });
        // A table that a syntax error swallowed would be missed a second time.
        if syntax > 0 {
            let missed = mistakes.split_off(syntax);
            mistakes.extend(
                missed
                    .into_iter()
                    .filter(|mistake| !mistake.message.starts_with("missing key")),
            );
        }
        mistakes
            .into_iter()
            .for_each(|mistake| self.report(mistake));
        root
    }

    /// `[job]`: the name, the range, and the timezone that everything after it needs.
    fn head(&mut self, view: View<'_>, file: &str) -> (String, TimeRange) {
        let job = view.table("job");
        if let Some(zone) = job.and_then(|job| job.written("timezone"))
            && let Some(zone) = self.timezone(&zone)
        {
            self.zone = zone;
        }
        let name = match job.and_then(|job| job.written("name")) {
            None => name_of_file(file),
            Some(name) => {
                let safe = name
                    .value
                    .chars()
                    .all(|char| char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-'));
                if !safe || name.value.starts_with(['.', '-']) || name.value.len() > 100 {
                    self.mistake_with(
                        &name.place,
                        format!(
                            "`{}` cannot be the name of a folder everywhere",
                            shortened(&name.value)
                        ),
                        "letters, digits, `.`, `_` and `-`, beginning with a letter or a digit",
                    );
                }
                name.value
            }
        };
        let range = match job {
            None => TimeRange::default(),
            Some(job) => self.range(job),
        };
        (name, range)
    }

    /// `from` and `to` of a table.
    fn range(&mut self, view: View<'_>) -> TimeRange {
        let mut moment = |key| {
            let text = view.written(key)?;
            match when::moment(&text.value, self.request.now_ns, self.zone) {
                Ok(ns) => Some((ns, text.place)),
                Err(message) => {
                    self.mistake(&text.place, message);
                    None
                }
            }
        };
        let (from, to) = (moment("from"), moment("to"));
        if let (Some((from_ns, _)), Some((to_ns, place))) = (&from, &to)
            && from_ns >= to_ns
        {
            let [from, to] = [*from_ns, *to_ns].map(crate::value::Time::from_ns);
            self.mistake_with(
                place,
                format!("`to` ({to}) is not after `from` ({from})"),
                "the range is half-open: from the first moment up to, not including, the last",
            );
        }
        TimeRange {
            from_ns: from.map(|(ns, _)| ns),
            to_ns: to.map(|(ns, _)| ns),
        }
    }

    fn timezone(&mut self, text: &Text) -> Option<Zone> {
        match when::zone(&text.value) {
            Ok(zone) => Some(zone),
            Err(near) => {
                let unknown = format!("unknown timezone `{}`", shortened(&text.value));
                match near {
                    Some(near) => {
                        self.mistake(&text.place, format!("{unknown}, did you mean `{near}`?"))
                    }
                    None => self.mistake_with(
                        &text.place,
                        unknown,
                        "an IANA name, as \"UTC\" or \"Europe/Berlin\"",
                    ),
                }
                None
            }
        }
    }

    /// A condition over entries, and whether the logs and hosts that it names are known.
    fn predicate(&mut self, text: &Text) -> Option<Expr> {
        let predicate = self.expression(text, crate::expr::parse::predicate)?;
        self.check_names(&predicate, text);
        Some(predicate)
    }

    fn expression<T>(
        &mut self,
        text: &Text,
        parse: impl FnOnce(&str, &mut Scope<'_>) -> Result<T, Vec<Mistake>>,
    ) -> Option<T> {
        let mut scope = Scope {
            fields: &mut self.fields,
            timezone: self.zone.name(),
        };
        match parse(&text.value, &mut scope) {
            Ok(made) => Some(made),
            Err(mistakes) => {
                self.mistakes_inside(text, mistakes);
                None
            }
        }
    }

    fn mistakes_inside(&mut self, text: &Text, mistakes: Vec<Mistake>) {
        for mistake in mistakes {
            self.report(Diagnostic {
                place: self.inside(text, mistake.span),
                message: mistake.message,
                help: mistake.help,
            });
        }
    }

    /// `log = 'x'` and `host = 'x'` of names that do not exist are never true: a slip of the pen.
    fn check_names(&mut self, expr: &Expr, text: &Text) {
        let mut named: Vec<(Column, &OwnedValue)> = Vec::new();
        expr.walk(&mut |expr| match expr {
            Expr::Compare {
                operator: Comparison::Equal | Comparison::NotEqual,
                left,
                right,
            } => match (&**left, &**right) {
                (Expr::Column(column), Expr::Literal(value))
                | (Expr::Literal(value), Expr::Column(column)) => {
                    named.push((*column, value));
                }
                _ => {}
            },
            Expr::In { value, list } => {
                if let Expr::Column(column) = **value {
                    named.extend(list.iter().filter_map(|item| match item {
                        Expr::Literal(value) => Some((column, value)),
                        _ => None,
                    }));
                }
            }
            Expr::InSet { value, set } => {
                if let Expr::Column(column) = **value {
                    named.extend(set.values().iter().map(|value| (column, value)));
                }
            }
            _ => {}
        });
        for (column, value) in named {
            let Value::Text(name) = value else { continue };
            let name = name.to_string();
            let (what, known): (_, Vec<String>) = match (column, &self.hosts) {
                (Column::Log, _) => ("log", self.logs.keys().cloned().collect()),
                (Column::Host, Some(hosts)) => ("host", hosts.clone()),
                _ => continue,
            };
            if !known.contains(&name) {
                let quoted = format!("'{name}'");
                let at = text
                    .value
                    .find(&quoted)
                    .map(|at| at..at + quoted.len())
                    .unwrap_or(0..text.value.len());
                let place = self.inside(text, at);
                self.unknown(&place, what, &name, known.iter().map(String::as_str));
            }
        }
    }

    /// The place of a piece of a text's value, in bytes of the value.
    fn inside(&self, text: &Text, span: Range<usize>) -> Place {
        let place = &text.place;
        let raw = self
            .texts
            .get(place.text as usize)
            .and_then(|source| source.text.get(place.start..place.end));
        match raw {
            None => place.clone(),
            Some(raw) => {
                let span = table::locate(raw, span);
                Place::new(place.text, place.start + span.start..place.start + span.end)
            }
        }
    }

    /// "unknown log `ap`, did you mean `app`?"
    fn unknown<'n>(
        &mut self,
        place: &Place,
        what: &str,
        name: &str,
        known: impl ExactSizeIterator<Item = &'n str>,
    ) {
        let count = known.len();
        let mut near = None;
        let mut all = None;
        if count <= self.comparisons {
            self.comparisons -= count;
            let mut known: Vec<&str> = known.collect();
            known.sort_unstable();
            near = nearest(name, known.iter().copied()).map(str::to_owned);
            if count <= 12 {
                all = Some(known.join(", "));
            }
        }
        let unknown = format!("unknown {what} `{}`", shortened(name));
        match (near, all) {
            (Some(near), _) => self.mistake(place, format!("{unknown}, did you mean `{near}`?")),
            (None, Some(all)) if !all.is_empty() => {
                self.mistake_with(place, unknown, format!("known: {all}"))
            }
            _ => self.mistake(place, unknown),
        }
    }

    fn add_text(&mut self, name: &str, text: &str) -> u32 {
        self.texts.push(SourceText {
            name: name.to_owned(),
            text: text.into(),
        });
        self.texts.len() as u32 - 1
    }

    fn mistake(&mut self, place: &Place, message: impl Into<String>) {
        self.report(Diagnostic {
            place: place.clone(),
            message: message.into(),
            help: None,
        });
    }

    fn mistake_with(&mut self, place: &Place, message: impl Into<String>, help: impl Into<String>) {
        self.report(Diagnostic {
            place: place.clone(),
            message: message.into(),
            help: Some(help.into()),
        });
    }

    fn report(&mut self, mistake: Diagnostic) {
        if self.mistakes.len() < KEPT {
            self.mistakes.push(mistake);
        } else {
            self.more += 1;
        }
    }

    fn diagnostics(self) -> Diagnostics {
        Diagnostics::new(self.texts, self.mistakes, self.more)
    }
}

fn name_of_file(file: &str) -> String {
    let stem = Path::new(file)
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    let name: String = stem
        .chars()
        .map(|char| {
            if char.is_ascii_alphanumeric() || matches!(char, '.' | '_' | '-') {
                char
            } else {
                '-'
            }
        })
        .take(100)
        .collect();
    match name.trim_start_matches(['.', '-']) {
        "" => "job".to_owned(),
        name => name.to_owned(),
    }
}

#[cfg(test)]
mod tests;
