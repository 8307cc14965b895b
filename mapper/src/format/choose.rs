//! Which format a stream has: the job's word for it, or a look at its first lines.

use jobspec::plan::{FormatChoice, FormatName, FormatPlan, LogPlan};

use super::auto::Auto;
use super::json::{Json, Keys};
use super::plain::{Plain, any_times};
use super::raw::Raw;
use super::{Format, Parsed, Wanted};

/// Lines looked at.
const LINES: usize = 200;

/// A format, and why it is this one, for people.
pub struct Chosen {
    pub format: Box<dyn Format>,
    pub why: String,
}

/// The format of a stream. `head` is its first text: decoded, without a BOM, cut at a line end, up to 64 KiB.
pub fn choose(
    choice: FormatChoice,
    log: &LogPlan,
    plan_formats: &[FormatPlan],
    head: &[u8],
) -> Chosen {
    let _ = (log, plan_formats);
    match choice {
        FormatChoice::Auto => look(head),
        FormatChoice::Named(name) => Chosen {
            format: built_in(name),
            why: "the job says so".to_owned(),
        },
        FormatChoice::Custom(_) => Chosen {
            format: built_in(FormatName::Plain),
            why: "the job says so".to_owned(),
        },
    }
}

fn built_in(name: FormatName) -> Box<dyn Format> {
    match name {
        FormatName::Json => Box::new(Json::new(name.name(), Keys::new(None, None, None), None)),
        FormatName::Plain => Box::new(Plain::new(name.name(), None, None)),
        _ => Box::new(Raw::new(name.name())),
    }
}

/// Formats whose lines are told by themselves, the more particular first.
const BY_LINE: [FormatName; 1] = [FormatName::Json];

fn look(head: &[u8]) -> Chosen {
    let lines: Vec<&[u8]> = head
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .filter(|line| !line.trim_ascii().is_empty())
        .take(LINES)
        .collect();
    let of = |fitting: usize| format!("{fitting} of the first {} lines", lines.len());
    let mut best: Option<(usize, FormatName)> = None;
    for name in BY_LINE {
        let format = built_in(name);
        let fitting = lines.iter().filter(|line| fits(&*format, line)).count();
        if fitting > best.map_or(0, |(most, _)| most) {
            best = Some((fitting, name));
        }
    }
    let plain = built_in(FormatName::Plain);
    let starting = lines.iter().filter(|line| plain.starts(line)).count();
    match best {
        Some((fitting, name)) if fitting >= starting && fitting * 2 >= lines.len() => {
            auto(name, format!("{} are {}", of(fitting), name.name()))
        }
        _ if starting > 0 && (starting * 20 >= lines.len() || plain.starts(lines[0])) => auto(
            FormatName::Plain,
            format!("{} begin with a timestamp", of(starting)),
        ),
        _ => Chosen {
            format: built_in(FormatName::Raw),
            why: match lines.is_empty() {
                true => "there are no lines to tell it by".to_owned(),
                false => format!("{} fit nothing known", of(lines.len())),
            },
        },
    }
}

fn auto(name: FormatName, why: String) -> Chosen {
    let others = [FormatName::Json, FormatName::Plain];
    Chosen {
        format: Box::new(Auto {
            chosen: built_in(name),
            others: others
                .into_iter()
                .filter(|other| *other != name)
                .map(|other| (other, built_in(other)))
                .collect(),
        }),
        why,
    }
}

fn fits(format: &dyn Format, line: &[u8]) -> bool {
    let wanted = Wanted::default();
    let mut parsed = Parsed::default();
    parsed.clear(&wanted);
    format.parse(line, &wanted, &mut any_times(), &mut parsed);
    parsed.valid
}
