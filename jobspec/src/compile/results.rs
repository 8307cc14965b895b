//! `[[check]]`, `[[alert]]` and `[notify.NAME]`: what is asked of the finished rows, and who is told.

use std::collections::{BTreeMap, HashSet};

use super::Compiler;
use super::operators::Declared;
use super::view::View;
use crate::expr::parse::{self, ResultOperator};
use crate::job::{AlertSpec, CheckSpec, NotifySpec, ResultExpr, SmtpTls, row_key};
use crate::plan::{Named, OperatorKind, OperatorPlan, Plan};
use crate::table::{Text, shortened};
use crate::value::Value;

/// Every `[notify.NAME]`, without its spec where that has mistakes.
pub(super) type Notify = BTreeMap<String, Option<NotifySpec>>;

impl Compiler<'_> {
    pub(super) fn notify(&mut self, view: View<'_>) -> Notify {
        view.named("notify")
            .into_iter()
            .map(|(entry, view)| (entry.key.clone(), self.notify_one(view)))
            .collect()
    }

    fn notify_one(&mut self, view: View<'_>) -> Option<NotifySpec> {
        if let Some(url) = view.written("webhook") {
            return self.url(url).map(|url| NotifySpec::Webhook { url });
        }
        if let Some(url) = view.written("slack") {
            return self
                .secret(url, "slack")
                .map(|url| NotifySpec::Slack { url });
        }
        let endpoint = view.written("endpoint");
        if let Some(key) = view.written("pagerduty") {
            let key = self.secret(key, "pagerduty");
            let endpoint = match endpoint {
                None => None,
                Some(endpoint) => Some(self.url(endpoint)?),
            };
            return key.map(|key| NotifySpec::Pagerduty { key, endpoint });
        }
        if endpoint.is_some() {
            self.mistake(
                view.place_of("endpoint"),
                "`endpoint` goes with `pagerduty`",
            );
        }
        if let Some(url) = view.written("alertmanager") {
            return self.url(url).map(|url| NotifySpec::Alertmanager { url });
        }
        if let Some(command) = view.texts("command") {
            return Some(NotifySpec::Command {
                command: command.into_iter().map(|text| text.value).collect(),
            });
        }
        self.smtp(view.table("smtp")?)
    }

    fn smtp(&mut self, view: View<'_>) -> Option<NotifySpec> {
        let server = view.written("server");
        if let Some(server) = &server
            && let Err(message) =
                crate::names::Target::parse(&server.value).and_then(|target| match target.user {
                    Some(_) => Err("the account stands in `user`".to_owned()),
                    None => Ok(()),
                })
        {
            self.mistake(
                &server.place,
                format!("`{}`: {message}", shortened(&server.value)),
            );
        }
        let to = view.texts("to").unwrap_or_default();
        let from = view.written("from");
        for address in from.iter().chain(&to) {
            let at = address.value.rfind('@');
            let plain = address
                .value
                .chars()
                .all(|char| !char.is_control() && !char.is_whitespace() && !"<>,;".contains(char));
            if !plain || !at.is_some_and(|at| at > 0 && at + 1 < address.value.len()) {
                self.mistake(
                    &address.place,
                    format!("`{}` is no mail address", shortened(&address.value)),
                );
            }
        }
        let place = server
            .as_ref()
            .and_then(|server| crate::names::Target::parse(&server.value).ok());
        let is_here = place.as_ref().is_some_and(|place| {
            let host = place.host.as_str();
            host == "localhost" || host == "::1" || host.starts_with("127.")
        });
        let tls = match view.written("tls").as_ref().map(|word| word.value.as_str()) {
            Some("tls") => SmtpTls::Tls,
            Some("none") => SmtpTls::None,
            Some(_) => SmtpTls::StartTls,
            None if place.is_some_and(|place| place.port == Some(465)) => SmtpTls::Tls,
            None if is_here => SmtpTls::None,
            None => SmtpTls::StartTls,
        };
        let password = view.written("password");
        if password.is_some() && tls == SmtpTls::None && !is_here {
            self.mistake(
                view.place_of("tls"),
                "a password goes to another machine over TLS only",
            );
        }
        if password.is_some() && view.entry("user").is_none() {
            self.mistake(view.place_of("password"), "`password` without `user`");
        }
        Some(NotifySpec::Smtp {
            server: server?.value,
            from: from?.value,
            to: to.into_iter().map(|text| text.value).collect(),
            user: view.written("user").map(|text| text.value),
            password: match password {
                None => None,
                Some(password) => Some(self.secret(password, "password")?),
            },
            tls,
        })
    }

    /// `$ENV` or `file:path`: the name of a secret, never the secret.
    fn secret(&mut self, text: Text, key: &str) -> Option<String> {
        if is_secret(&text.value) {
            return Some(text.value);
        }
        self.mistake_with(
            &text.place,
            format!("`{key}` is a secret, and a secret does not stand in the job"),
            "name the environment variable, \"$NAME\", or the file, \"file:path\", that holds it",
        );
        None
    }

    /// A URL, or the name of a secret that holds one.
    fn url(&mut self, text: Text) -> Option<String> {
        let is_url = ["http://", "https://"].iter().any(|scheme| {
            text.value.strip_prefix(scheme).is_some_and(|rest| {
                !rest.is_empty()
                    && !rest.starts_with('/')
                    && !rest
                        .chars()
                        .any(|char| char.is_whitespace() || char.is_control())
            })
        });
        if is_url || is_secret(&text.value) {
            return Some(text.value);
        }
        self.mistake_with(
            &text.place,
            "neither an http:// or https:// URL nor the name of a secret",
            "as in \"$OPS_WEBHOOK\", or \"file:path\"",
        );
        None
    }

    pub(super) fn results(
        &mut self,
        view: View<'_>,
        operators: &[Declared],
        notify: &Notify,
        job: &str,
    ) -> (Vec<CheckSpec>, Vec<AlertSpec>) {
        let plan_of = |index: u16| operators.get(usize::from(index))?.plan.as_ref();
        let known: Vec<ResultOperator> = operators
            .iter()
            .map(|operator| match &operator.plan {
                Some(plan) => known(plan, &plan_of),
                None => ResultOperator {
                    name: operator.name.clone(),
                    columns: Vec::new(),
                    has_key: false,
                },
            })
            .collect();
        let broken: Vec<&str> = operators
            .iter()
            .filter(|operator| operator.plan.is_none())
            .map(|operator| operator.name.as_str())
            .collect();

        let mut checks = Vec::new();
        let mut names = HashSet::new();
        for view in view.tables("check") {
            let baseline = view.written("baseline");
            if let Some(baseline) = &baseline {
                self.placeholders(baseline, &["job"]);
            }
            let name = self.name_of(view, "that", &mut names);
            let that = self.condition(view, "that", &known, &broken, baseline.is_some());
            if let (Some(name), Some((text, that))) = (name, that) {
                checks.push(CheckSpec {
                    name,
                    text,
                    that,
                    baseline: baseline.map(|text| text.value.replace("{job}", job)),
                });
            }
        }
        let mut alerts = Vec::new();
        let mut names = HashSet::new();
        for view in view.tables("alert") {
            let send = view.written("send");
            if let Some(send) = send
                .as_ref()
                .filter(|send| !notify.contains_key(&send.value))
            {
                self.unknown(
                    &send.place,
                    "notify",
                    &send.value,
                    notify
                        .keys()
                        .map(String::as_str)
                        .collect::<Vec<_>>()
                        .into_iter(),
                );
            }
            let repeat_ns = self.positive(view, "repeat");
            let name = self.name_of(view, "when", &mut names);
            let when = self.condition(view, "when", &known, &broken, false);
            if let (Some(name), Some((text, when)), Some(send)) = (name, when, send) {
                alerts.push(AlertSpec {
                    name,
                    text,
                    when,
                    send: send.value,
                    repeat_ns,
                });
            }
        }
        (checks, alerts)
    }

    fn name_of(
        &mut self,
        view: View<'_>,
        condition: &str,
        names: &mut HashSet<String>,
    ) -> Option<String> {
        let written = view.written("name");
        let name = written.clone().or_else(|| view.written(condition))?;
        if !names.insert(name.value.clone()) && written.is_some() {
            self.mistake(
                &name.place,
                format!("the name `{}` is there twice", shortened(&name.value)),
            );
        }
        Some(name.value)
    }

    fn condition(
        &mut self,
        view: View<'_>,
        key: &str,
        known: &[ResultOperator],
        broken: &[&str],
        baseline: bool,
    ) -> Option<(String, ResultExpr)> {
        let text = view.written(key)?;
        // What an operator with mistakes would have given is not known.
        if broken.iter().any(|name| text.value.contains(name)) {
            return None;
        }
        match parse::result(&text.value, known, baseline) {
            Ok(expr) if is_condition(&expr) => Some((text.value, expr)),
            Ok(_) => {
                self.mistake_with(
                    &text.place,
                    format!("`{key}` is a value, not a condition"),
                    "as in \"max(latency.p95) < 300\"",
                );
                None
            }
            Err(mistakes) => {
                self.mistakes_inside(&text, mistakes);
                None
            }
        }
    }
}

/// Whether it can be true. A cell may hold true or false.
fn is_condition(expr: &ResultExpr) -> bool {
    match expr {
        ResultExpr::Literal(value) => matches!(value, Value::Bool(_)),
        ResultExpr::Not(_)
        | ResultExpr::And(_)
        | ResultExpr::Or(_)
        | ResultExpr::Compare { .. }
        | ResultExpr::IsNull(_) => true,
        ResultExpr::Cell(_) => true,
        ResultExpr::Rows(_)
        | ResultExpr::Fold { .. }
        | ResultExpr::Completeness
        | ResultExpr::Baseline(_)
        | ResultExpr::Arithmetic { .. }
        | ResultExpr::Negate(_) => false,
    }
}

fn is_secret(text: &str) -> bool {
    match text.strip_prefix('$') {
        Some(name) => {
            name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_')
                && name
                    .chars()
                    .all(|char| char.is_ascii_alphanumeric() || char == '_')
        }
        None => text
            .strip_prefix("file:")
            .is_some_and(|path| !path.is_empty() && !path.contains('\0')),
    }
}

/// A check of a finished plan, from its text: what a spool keeps of it.
pub fn read_check(
    plan: &Plan,
    name: &str,
    text: &str,
    baseline: Option<&str>,
) -> Result<CheckSpec, String> {
    let plan_of = |index: u16| plan.operators.get(usize::from(index));
    let operators = plan.operators.iter();
    let operators: Vec<_> = operators
        .map(|operator| known(operator, &plan_of))
        .collect();
    match parse::result(text, &operators, baseline.is_some()) {
        Ok(that) => Ok(CheckSpec {
            name: name.to_owned(),
            text: text.to_owned(),
            that,
            baseline: baseline.map(str::to_owned),
        }),
        Err(mistakes) => {
            let messages = mistakes.into_iter().map(|mistake| mistake.message);
            Err(messages.collect::<Vec<_>>().join("; "))
        }
    }
}

/// An operator as conditions name it.
fn known<'p>(
    operator: &OperatorPlan,
    plan_of: &dyn Fn(u16) -> Option<&'p OperatorPlan>,
) -> ResultOperator {
    ResultOperator {
        name: operator.name.clone(),
        columns: columns(operator, plan_of),
        has_key: row_key(operator).is_some(),
    }
}

/// The columns of an operator's rows that hold one value each.
fn columns<'p>(
    operator: &OperatorPlan,
    plan_of: &dyn Fn(u16) -> Option<&'p OperatorPlan>,
) -> Vec<String> {
    let mut columns: Vec<String> = Vec::new();
    let mut add = |names: &[&str]| columns.extend(names.iter().map(|name| (*name).to_owned()));
    match &operator.kind {
        OperatorKind::Context(_) => add(&["host", "log", "start", "end", "matches"]),
        OperatorKind::Sequence(plan) => {
            add(&["start", "end", "duration_ms", "certain"]);
            add(&names(&plan.key));
        }
        OperatorKind::Session(plan) => {
            add(&["start", "end", "duration_ms", "entries", "certain"]);
            if let crate::plan::SessionKey::By(key) = &plan.key {
                add(&names(key));
            }
            add(&names(&plan.select));
        }
        OperatorKind::Aggregate(plan) => add(&names(&plan.columns)),
        OperatorKind::Select(plan) => match &plan.columns {
            Some(columns) => add(&names(columns)),
            None => add(&[
                "time", "host", "log", "file", "offset", "line", "level", "message", "raw", "valid",
            ]),
        },
        OperatorKind::Patterns(plan) => {
            add(&["template"]);
            add(&names(&plan.group));
            add(&["count", "first", "last", "example", "change"]);
        }
        OperatorKind::Anomaly(plan) => {
            if let Some(OperatorPlan {
                kind: OperatorKind::Aggregate(of),
                ..
            }) = plan_of(plan.of)
            {
                add(&names(&of.group));
            }
            add(&["time", "value", "expected", "score"]);
        }
    }
    columns
}

fn names(named: &[Named]) -> Vec<&str> {
    named.iter().map(|named| named.name.as_str()).collect()
}
