//! `check`: the compiled plan for a person; touches nothing.

use std::fmt::Write;

use jobspec::diagnostic::shown;
use jobspec::expr::display::{Legend, Seconds};
use jobspec::job::{Job, NotifySpec, TransportSpec};
use jobspec::plan::{
    AggregatePlan, FormatChoice, Named, OperatorKind, Order, Reach, SelectPlan, SessionKey,
    TimeRange,
};
use jobspec::value::Time;

use crate::args::JobArguments;
use crate::error::{Error, Outcome};
use crate::job;

/// Characters of a check or an alert on its line.
const SHOWN_CONDITION: usize = 500;

pub fn check(arguments: &JobArguments) -> Result<Outcome, Error> {
    let job = job::load(arguments, job::now_ns(), job::Lists::FilesOnly)?;
    super::print(describe(&job).as_bytes())
}

/// The plan as text.
fn describe(job: &Job) -> String {
    let mut text = String::new();
    let out = &mut text;
    // Writing into a String does not fail.
    let _ = write_job(job, out)
        .and_then(|()| write_operators(job, out))
        .and_then(|()| write_rest(job, out));
    text
}

fn write_job(job: &Job, out: &mut String) -> std::fmt::Result {
    writeln!(out, "job {}", job.name)?;
    writeln!(out, "  entries  {}", range(&job.plan.range))?;
    writeln!(out, "  timezone {}", job.plan.timezone)?;
    writeln!(out, "\nhosts ({})", job.hosts.len())?;
    let mut groups: Vec<&str> = job.hosts.iter().map(|host| host.group.as_str()).collect();
    groups.sort_unstable();
    groups.dedup();
    for group in groups {
        let hosts: Vec<_> = job
            .hosts
            .iter()
            .filter(|host| host.group == group)
            .collect();
        let transport = match hosts[0].transport {
            TransportSpec::Local => "local",
            TransportSpec::Ssh(_) => "ssh",
            TransportSpec::Exec { .. } => "exec",
        };
        let names: Vec<&str> = hosts
            .iter()
            .take(8)
            .map(|host| host.name.as_str())
            .collect();
        let more = if hosts.len() > 8 {
            format!(" … {} in all", hosts.len())
        } else {
            String::new()
        };
        writeln!(out, "  {group} ({transport}): {}{more}", names.join(", "))?;
    }
    writeln!(out, "\nlogs")?;
    for (index, log) in job.plan.logs.iter().enumerate() {
        let format = match log.format {
            FormatChoice::Auto => "auto",
            FormatChoice::Named(name) => name.name(),
            FormatChoice::Custom(format) => &job.plan.formats[usize::from(format)].name,
        };
        let hosts = job
            .hosts
            .iter()
            .filter(|host| host.logs.contains(&(index as u16)))
            .count();
        writeln!(
            out,
            "  {} ({format}) on {hosts} hosts: {}",
            log.name,
            log.paths.join(", ")
        )?;
    }
    Ok(())
}

fn write_operators(job: &Job, out: &mut String) -> std::fmt::Result {
    let plan = &job.plan;
    for operator in &plan.operators {
        let logs: Vec<&str> = operator
            .logs
            .iter()
            .map(|log| plan.logs[usize::from(*log)].name.as_str())
            .collect();
        writeln!(
            out,
            "\n{} {} of {}",
            operator.kind.name(),
            operator.name,
            logs.join(", ")
        )?;
        let legend = Legend {
            fields: &plan.fields,
            outputs: &[],
        };
        if let Some(predicate) = operator.kind.predicate() {
            writeln!(out, "  on the hosts    where {}", legend.show(predicate))?;
        }
        match &operator.kind {
            OperatorKind::Aggregate(aggregate) => write_aggregate(aggregate, legend, out)?,
            OperatorKind::Select(select) => write_select(select, legend, out)?,
            OperatorKind::Context(context) => {
                let reach = |reach| match reach {
                    Reach::Entries(count) => format!("{count} entries"),
                    Reach::DurationNs(ns) => Seconds(ns).to_string(),
                };
                let (before, after) = (reach(context.before), reach(context.after));
                writeln!(
                    out,
                    "  on the hosts    windows of {before} before and {after} after, merged where they touch"
                )?;
            }
            OperatorKind::Sequence(sequence) => {
                writeln!(out, "  on the hosts    by {}", named(&sequence.key, legend))?;
                for step in &sequence.steps {
                    let absent = if step.absent { "absent " } else { "" };
                    writeln!(
                        out,
                        "                  {absent}step {}: {}",
                        step.name,
                        legend.show(&step.predicate)
                    )?;
                }
                writeln!(out, "  in the reducer  matching, by key over all hosts")?;
            }
            OperatorKind::Session(session) => {
                let (word, key) = match &session.key {
                    SessionKey::By(key) => ("by", key),
                    SessionKey::Link { ids, .. } => ("linked by", ids),
                };
                writeln!(
                    out,
                    "  on the hosts    fragments {word} {}",
                    named(key, legend)
                )?;
                writeln!(
                    out,
                    "  in the reducer  stitching of fragments over all hosts, having"
                )?;
            }
            OperatorKind::Patterns(patterns) => {
                writeln!(
                    out,
                    "  on the hosts    templates of {}",
                    legend.show(&patterns.field)
                )?;
                writeln!(
                    out,
                    "  in the reducer  merging of templates, change against the baseline"
                )?;
            }
            OperatorKind::Anomaly(anomaly) => {
                let of = &plan.operators[usize::from(anomaly.of)].name;
                writeln!(
                    out,
                    "  in the reducer  scores of {of} beyond {}",
                    anomaly.threshold
                )?;
            }
        }
    }
    Ok(())
}

fn write_aggregate(plan: &AggregatePlan, legend: Legend<'_>, out: &mut String) -> std::fmt::Result {
    if !plan.group.is_empty() {
        writeln!(
            out,
            "  on the hosts    group by {}",
            named(&plan.group, legend)
        )?;
    }
    let measures: Vec<String> = plan
        .measures
        .iter()
        .map(|measure| legend.show_measure(measure).to_string())
        .collect();
    writeln!(out, "  on the hosts    partial {}", measures.join(", "))?;
    let outputs: Vec<String> = plan
        .group
        .iter()
        .map(|group| group.name.clone())
        .chain(measures)
        .collect();
    let legend = Legend {
        outputs: &outputs,
        ..legend
    };
    writeln!(
        out,
        "  in the reducer  merge by group, columns {}",
        named(&plan.columns, legend)
    )?;
    if let Some(having) = &plan.having {
        writeln!(out, "  in the reducer  having {}", legend.show(having))?;
    }
    if !plan.order.is_empty() {
        writeln!(
            out,
            "  in the reducer  order by {}",
            order(&plan.order, legend)
        )?;
    }
    if let Some(limit) = plan.limit {
        writeln!(out, "  in the reducer  limit {limit}")?;
    }
    Ok(())
}

fn write_select(plan: &SelectPlan, legend: Legend<'_>, out: &mut String) -> std::fmt::Result {
    match &plan.columns {
        None => writeln!(out, "  on the hosts    whole entries")?,
        Some(columns) => writeln!(out, "  on the hosts    columns {}", named(columns, legend))?,
    }
    let by = if plan.order.is_empty() {
        "total order".to_owned()
    } else {
        order(&plan.order, legend)
    };
    match plan.limit {
        Some(limit) => writeln!(out, "  on the hosts    the first {limit} by {by}")?,
        None => writeln!(out, "  on the hosts    sorted by {by}")?,
    }
    writeln!(out, "  in the reducer  merge of the sorted rows")
}

fn write_rest(job: &Job, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\noutput {}", job.output.dir)?;
    let named = |name: &str, text: &str| {
        let text = shown(text.as_bytes(), SHOWN_CONDITION);
        match name == text {
            true => text,
            false => format!("{}: {text}", shown(name.as_bytes(), SHOWN_CONDITION)),
        }
    };
    for check in &job.checks {
        writeln!(out, "  check {}", named(&check.name, &check.text))?;
    }
    for alert in &job.alerts {
        let kind = job.notify.get(&alert.send).map_or("", NotifySpec::kind);
        let alert_text = named(&alert.name, &alert.text);
        writeln!(out, "  alert {alert_text}, told by {} ({kind})", alert.send)?;
    }
    if !job.not_yet.is_empty() {
        writeln!(out, "\nThis version cannot run all of it:")?;
        for (_, text) in &job.not_yet {
            writeln!(out, "  {text}")?;
        }
    }
    Ok(())
}

fn named(list: &[Named], legend: Legend<'_>) -> String {
    let show = |named: &Named| {
        let expr = legend.show(&named.expr).to_string();
        if expr == named.name {
            expr
        } else {
            format!("{expr} AS {}", named.name)
        }
    };
    list.iter().map(show).collect::<Vec<_>>().join(", ")
}

fn order(list: &[Order], legend: Legend<'_>) -> String {
    let show = |order: &Order| {
        format!(
            "{}{}",
            legend.show(&order.expr),
            if order.descending { " DESC" } else { "" }
        )
    };
    list.iter().map(show).collect::<Vec<_>>().join(", ")
}

fn range(range: &TimeRange) -> String {
    let show = |ns: i64| Time::from_ns(ns).to_string();
    match (range.from_ns, range.to_ns) {
        (None, None) => "of all times".to_owned(),
        (Some(from), None) => format!("from {}", show(from)),
        (None, Some(to)) => format!("before {}", show(to)),
        (Some(from), Some(to)) => format!("from {} before {}", show(from), show(to)),
    }
}
