//! Which format a stream has: the job's word for it, or a look at its first lines.

use bstr::BString;
use jobspec::plan::{FormatChoice, FormatName, FormatPlan, LogPlan};
use serde::{Deserialize, Serialize};

use super::auto::Auto;
use super::csv::{self, Csv};
use super::custom::Custom;
use super::json::{Json, Keys, is_object};
use super::logfmt::Logfmt;
use super::nested::Nested;
use super::pattern::PatternFormat;
use super::plain::{Plain, any_times};
use super::raw::Raw;
use super::syslog::Syslog;
use super::web::Web;
use super::wrapped::{Wrapped, Wrapper};
use super::{Format, Parsed, Wanted};
use crate::time::TimeFormat;

/// Lines looked at.
const LINES: usize = 200;

/// A head of one line from this length on may be less than the line.
const LONG: usize = 32 << 10;

/// A format, and why it is this one, for people.
pub struct Chosen {
    pub format: Box<dyn Format>,
    pub why: String,
    pub recipe: Recipe,
}

/// All that a format is made of beside the plan: who reads the stream again makes the same one, whatever became of the
/// lines that it was told by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    wrapper: Option<Wrapper>,
    base: FormatChoice,
    /// Found by a look at lines that may be of any format.
    is_auto: bool,
    /// The line that names the columns of a csv.
    header: BString,
}

/// The format of a stream. `head` is its first text: decoded, without a BOM, cut at a line end, up to 64 KiB.
pub fn choose(
    choice: FormatChoice,
    log: &LogPlan,
    plan_formats: &[FormatPlan],
    head: &[u8],
) -> Chosen {
    let wrapper = wrapper_of(&lines_of(head));
    let unwrapped = wrapper.map(|wrapper| unwrap_all(wrapper, head));
    let inside = unwrapped.as_deref().unwrap_or(head);
    let (base, is_auto, why) = match choice {
        FormatChoice::Named(_) => (choice, false, "the job says so".to_owned()),
        FormatChoice::Custom(index) if usize::from(index) < plan_formats.len() => {
            (choice, false, "the job says so".to_owned())
        }
        FormatChoice::Auto | FormatChoice::Custom(_) => look(inside),
    };
    // Docker's own lines are JSON: where the job says json, that may be what it means.
    let is_meant = choice != FormatChoice::Named(FormatName::Json)
        || wrapper == Some(Wrapper::Cri)
        || share(&lines_of(inside), is_object) >= 0.5;
    let wrapper = wrapper.filter(|_| is_meant);
    let has_header = match base {
        FormatChoice::Named(name) => name == FormatName::Csv,
        FormatChoice::Custom(index) => {
            plan_formats[usize::from(index)].base == Some(FormatName::Csv)
        }
        FormatChoice::Auto => false,
    };
    let header = has_header.then(|| csv::first_line(inside));
    let recipe = Recipe {
        wrapper,
        base,
        is_auto,
        header: header.unwrap_or_default().into(),
    };
    Chosen {
        format: make(&recipe, log, plan_formats),
        why: match wrapper {
            None => why,
            Some(Wrapper::Docker) => format!("inside docker's json-file, {why}"),
            Some(Wrapper::Cri) => format!("inside CRI's lines, {why}"),
        },
        recipe,
    }
}

/// The format of a stream that was looked at before.
pub fn make(recipe: &Recipe, log: &LogPlan, plan_formats: &[FormatPlan]) -> Box<dyn Format> {
    let header = &recipe.header[..];
    let plan = match recipe.base {
        FormatChoice::Custom(index) => plan_formats.get(usize::from(index)),
        _ => None,
    };
    let mut format = match (recipe.base, plan) {
        (_, Some(plan)) => custom(plan, header),
        (FormatChoice::Named(name), _) if recipe.is_auto => auto(name, header),
        (FormatChoice::Named(name), _) => built_in(name, header),
        (FormatChoice::Custom(_) | FormatChoice::Auto, None) => built_in(FormatName::Raw, header),
    };
    if log.nested_json {
        format = Box::new(Nested::new(format));
    }
    match recipe.wrapper {
        Some(wrapper) => Box::new(Wrapped {
            wrapper,
            inner: format,
        }),
        None => format,
    }
}

pub(crate) fn built_in(name: FormatName, head: &[u8]) -> Box<dyn Format> {
    let keys = || Keys::new(None, None, None);
    match name {
        FormatName::Json => Box::new(Json::new(name.name(), keys(), None)),
        FormatName::Logfmt => Box::new(Logfmt::new(name.name(), keys(), None)),
        FormatName::Syslog => Box::new(Syslog::new(name.name())),
        FormatName::Apache => Box::new(Web::apache(name.name())),
        FormatName::Nginx => Box::new(Web::nginx(name.name())),
        FormatName::Csv => Box::new(Csv::new(name.name(), None, None, head, keys(), None)),
        FormatName::Plain => Box::new(Plain::new(name.name(), None, None)),
        FormatName::Raw => Box::new(Raw::new(name.name())),
    }
}

/// A `[format.NAME]`. Its time format was checked when the job was compiled; one that is none after all reads as any
/// known shape.
fn custom(plan: &FormatPlan, head: &[u8]) -> Box<dyn Format> {
    let time_format = plan
        .time
        .as_deref()
        .and_then(|format| TimeFormat::new(format).ok());
    let keys = || {
        Keys::new(
            plan.time_key.as_deref(),
            plan.level_key.as_deref(),
            plan.message_key.as_deref(),
        )
    };
    let name = plan.name.as_str();
    let inner: Box<dyn Format> = match (&plan.pattern, plan.base) {
        (Some(pattern), _) => Box::new(PatternFormat::new(plan, pattern.clone(), time_format)),
        (None, Some(FormatName::Json)) => Box::new(Json::new(name, keys(), time_format)),
        (None, Some(FormatName::Logfmt)) => Box::new(Logfmt::new(name, keys(), time_format)),
        (None, Some(FormatName::Csv)) => Box::new(Csv::new(
            name,
            plan.delimiter,
            plan.columns.as_deref(),
            head,
            keys(),
            time_format,
        )),
        (None, Some(FormatName::Syslog)) => Box::new(Syslog::new(name)),
        (None, Some(FormatName::Apache)) => Box::new(Web::apache(name)),
        (None, Some(FormatName::Nginx)) => Box::new(Web::nginx(name)),
        (None, Some(FormatName::Raw)) => Box::new(Raw::new(name)),
        (None, Some(FormatName::Plain) | None) => {
            Box::new(Plain::new(name, plan.multiline.clone(), time_format))
        }
    };
    Box::new(Custom {
        inner,
        start: plan.multiline.clone(),
        types: plan.types.clone(),
    })
}

/// Formats whose lines are told one by one, the more particular first.
const BY_LINE: [FormatName; 5] = [
    FormatName::Json,
    FormatName::Syslog,
    FormatName::Apache,
    FormatName::Nginx,
    FormatName::Logfmt,
];

/// The format as it reads lines that may be of any.
fn careful(name: FormatName, head: &[u8]) -> Box<dyn Format> {
    match name {
        FormatName::Syslog => Box::new(Syslog::strict()),
        _ => built_in(name, head),
    }
}

/// What lines seem to be of, whether each may be of another format all the same, and why.
fn look(head: &[u8]) -> (FormatChoice, bool, String) {
    let lines = lines_of(head);
    let found = |name, why| (FormatChoice::Named(name), true, why);
    let of =
        |fitting: usize, what: &str| format!("{fitting} of the first {} lines {what}", lines.len());
    let plain = built_in(FormatName::Plain, head);
    let starts: Vec<bool> = lines.iter().map(|line| plain.starts(line)).collect();
    let starting = starts.iter().filter(|starts| **starts).count();
    let mut best: Option<(usize, FormatName)> = None;
    let mut fits_any = vec![false; lines.len()];
    for name in BY_LINE {
        let format = careful(name, head);
        let mut fitting = 0;
        for (line, fits_any) in lines.iter().zip(&mut fits_any) {
            if fits(&*format, line) {
                fitting += 1;
                *fits_any = true;
            }
        }
        if fitting > best.map_or(0, |(most, _)| most) {
            best = Some((fitting, name));
        }
    }
    if let Some((fitting, name)) = best {
        // Lines of several formats, each whole: read line by line, so that none swallows another.
        let by_line = fits_any.iter().filter(|fits| **fits).count();
        let known = fits_any
            .iter()
            .zip(&starts)
            .filter(|(fits, starts)| **fits || **starts);
        let is_mixed = by_line * 5 >= lines.len() && known.count() * 5 >= lines.len() * 4;
        if fitting * 2 >= lines.len() && fitting >= starting || is_mixed {
            return found(name, of(fitting, &format!("are {}", name.name())));
        }
    }
    // A first line longer than the head is cut.
    if lines.len() == 1 && head.len() >= LONG && lines[0].starts_with(b"{") {
        return found(
            FormatName::Json,
            "the first line is long and begins as json".to_owned(),
        );
    }
    if let Some((fitting, records)) = csv::look(&lines) {
        let why = format!("{fitting} of the first {records} records have the header's columns");
        return found(FormatName::Csv, why);
    }
    if starting > 0 && (starting * 20 >= lines.len() || plain.starts(lines[0])) {
        return found(FormatName::Plain, of(starting, "begin with a timestamp"));
    }
    let why = match lines.is_empty() {
        true => "there are no lines to tell it by".to_owned(),
        false => of(0, "fit a known format"),
    };
    (FormatChoice::Named(FormatName::Raw), false, why)
}

fn auto(name: FormatName, head: &[u8]) -> Box<dyn Format> {
    // A broken record that begins with a time would pass as plain.
    let others = BY_LINE
        .into_iter()
        .chain((name != FormatName::Csv).then_some(FormatName::Plain));
    Box::new(Auto {
        chosen: careful(name, head),
        others: others
            .filter(|other| *other != name)
            .map(|other| (other, careful(other, head)))
            .collect(),
    })
}

fn lines_of(head: &[u8]) -> Vec<&[u8]> {
    head.split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.trim_ascii().is_empty())
        .take(LINES)
        .collect()
}

fn fits(format: &dyn Format, line: &[u8]) -> bool {
    let wanted = Wanted::default();
    let mut parsed = Parsed::default();
    parsed.clear(&wanted);
    format.parse(line, &wanted, &mut any_times(), &mut parsed);
    parsed.valid
}

fn share(lines: &[&[u8]], is_one: impl Fn(&[u8]) -> bool) -> f64 {
    let fitting = lines.iter().filter(|line| is_one(line)).count();
    fitting as f64 / lines.len().max(1) as f64
}

/// The wrapper that nearly all lines are in.
fn wrapper_of(lines: &[&[u8]]) -> Option<Wrapper> {
    [Wrapper::Docker, Wrapper::Cri]
        .into_iter()
        .find(|wrapper| share(lines, |line| wrapper.open(line).is_some()) >= 0.9)
}

fn unwrap_all(wrapper: Wrapper, head: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(head.len());
    for line in lines_of(head) {
        if let Some(inside) = wrapper.open(line)
            && inside.append(&mut out) == super::Unwrapped::Whole
        {
            out.push(b'\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::tests::log_plan;
    use super::*;

    fn auto_name(head: &str) -> String {
        let chosen = choose(FormatChoice::Auto, &log_plan(false), &[], head.as_bytes());
        assert!(!chosen.why.is_empty());
        let wraps = if chosen.format.wraps() {
            "wrapped "
        } else {
            ""
        };
        format!("{wraps}{}", chosen.format.name())
    }

    #[test]
    fn a_look_at_the_first_lines_tells() {
        let stack = format!(
            "2026-01-19 14:00:00 ERROR x\n{}",
            "\tat org.example.Main\n".repeat(100)
        );
        for (head, name) in [
            ("", "raw"),
            ("\n\n", "raw"),
            ("{\"a\":1}\n", "json"),
            ("{\"a\":1}\nbanner\n{\"a\":2}\n", "json"),
            ("a=1 b=2\n", "logfmt"),
            ("Jan  5 03:04:05 host app: x\n", "syslog"),
            ("<14>x\n", "syslog"),
            ("2026-01-19T14:00:00Z host app[1]: x\n", "syslog"),
            ("2026-01-19T14:00:00Z INFO app: x\n", "plain"),
            ("2026-01-19T14:00:00Z main ERROR: x\n", "plain"),
            (
                "10.0.0.1 - - [19/Jan/2026:14:00:00 +0000] \"GET / HTTP/1.1\" 200 5\n",
                "apache",
            ),
            ("2026/01/19 14:00:00 [error] 1#1: x\n", "nginx"),
            ("2026/01/19 14:00:00 [error] x\n", "plain"),
            ("time,level,message\n1768831200,info,x\n", "csv"),
            (&stack, "plain"),
            ("words\nmore words\n", "raw"),
            (
                "{\"log\":\"a=1 b=2\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-19T14:00:00Z\"}\n",
                "wrapped logfmt",
            ),
            (
                "{\"log\":\"words\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-19T14:00:00Z\"}\n",
                "wrapped raw",
            ),
            (
                "{\"log\":\"words\\n\",\"stream\":\"stdout\",\"time\":\"x\",\"level\":1}\n",
                "json",
            ),
            (
                "2026-01-19T14:00:00.1Z stdout F {\"a\":1}\n",
                "wrapped json",
            ),
        ] {
            assert_eq!(auto_name(head), name, "{head}");
        }
        let long = format!("{{\"a\":\"{}", "x".repeat(60_000));
        assert_eq!(auto_name(&long), "json");
    }

    #[test]
    fn the_jobs_word_stands() {
        let head =
            b"{\"log\":\"words\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-19T14:00:00Z\"}\n";
        for name in FormatName::ALL {
            let chosen = choose(FormatChoice::Named(name), &log_plan(false), &[], head);
            assert_eq!(chosen.format.name(), name.name());
            // There is no JSON inside docker's, so that json means docker's own.
            assert_eq!(chosen.format.wraps(), name != FormatName::Json);
        }
        // A plan that names a format it does not hold is looked at as if it named none.
        let chosen = choose(FormatChoice::Custom(7), &log_plan(false), &[], b"a=1 b=2\n");
        assert_eq!(chosen.format.name(), "logfmt");
    }
}
