//! "web[01-20].example.net" to host names: ranges, lists and steps in brackets, each length bounded before a name
//! is made.

use std::net::Ipv6Addr;

/// Hosts of one job.
pub const MOST_HOSTS: usize = 100_000;
/// DNS allows 253.
const LONGEST_NAME: usize = 300;

/// A mistake in a name: the bytes it is about, and what.
#[derive(Debug, PartialEq, Eq)]
pub struct NameMistake {
    pub start: usize,
    pub end: usize,
    pub message: String,
}

/// Every name that a pattern stands for, in order. `room` is how many more the job may have.
pub fn expand(pattern: &str, room: usize) -> Result<Vec<String>, NameMistake> {
    let whole = |message: String| NameMistake {
        start: 0,
        end: pattern.len(),
        message,
    };
    if pattern.len() > 4096 {
        return Err(whole("longer than any host name".to_owned()));
    }
    let mut pieces: Vec<Piece<'_>> = Vec::new();
    let mut count: usize = 1;
    let mut at = 0;
    while at < pattern.len() {
        let rest = &pattern[at..];
        let Some(open) = rest.find(['[', ']']).map(|open| at + open) else {
            pieces.push(Piece::Text(rest));
            break;
        };
        if pattern.as_bytes()[open] == b']' {
            return Err(NameMistake {
                start: open,
                end: open + 1,
                message: "a `]` that closes nothing".to_owned(),
            });
        }
        let Some(close) = pattern[open..].find(']').map(|close| open + close) else {
            return Err(NameMistake {
                start: open,
                end: pattern.len(),
                message: "a `[` that nothing closes".to_owned(),
            });
        };
        let inside = &pattern[open + 1..close];
        // An IPv6 address, not a range: it stays as it is.
        if inside.contains(':') {
            pieces.push(Piece::Text(&pattern[at..=close]));
            at = close + 1;
            continue;
        }
        if open > at {
            pieces.push(Piece::Text(&pattern[at..open]));
        }
        let choices = ranges(inside).map_err(|message| NameMistake {
            start: open,
            end: close + 1,
            message,
        })?;
        let number = choices
            .iter()
            .fold(0_u64, |sum, choice| sum.saturating_add(choice.count()));
        count = usize::try_from(number)
            .ok()
            .and_then(|number| count.checked_mul(number))
            .filter(|count| *count <= room)
            .ok_or_else(|| NameMistake {
                start: open,
                end: close + 1,
                message: format!("more than the {MOST_HOSTS} hosts that a job may have"),
            })?;
        pieces.push(Piece::Choices(choices));
        at = close + 1;
    }
    if count > room {
        return Err(whole(format!(
            "more than the {MOST_HOSTS} hosts that a job may have"
        )));
    }

    let mut names = vec![String::new()];
    for piece in &pieces {
        match piece {
            Piece::Text(text) => names.iter_mut().for_each(|name| name.push_str(text)),
            Piece::Choices(choices) => {
                let mut longer = Vec::with_capacity(count);
                for name in &names {
                    for choice in choices {
                        choice.each(&mut |text| longer.push(format!("{name}{text}")));
                    }
                }
                names = longer;
            }
        }
    }
    Ok(names)
}

enum Piece<'a> {
    Text(&'a str),
    Choices(Vec<Choice<'a>>),
}

/// One part of a bracket's list.
enum Choice<'a> {
    Word(&'a str),
    Range {
        first: u64,
        last: u64,
        step: u64,
        /// Digits that each number is padded to.
        digits: usize,
    },
    Letters {
        first: u8,
        last: u8,
        step: u64,
    },
}

impl Choice<'_> {
    fn count(&self) -> u64 {
        match self {
            Choice::Word(_) => 1,
            Choice::Range {
                first, last, step, ..
            } => ((last - first) / step).saturating_add(1),
            Choice::Letters { first, last, step } => u64::from(last - first) / step + 1,
        }
    }

    fn each(&self, visit: &mut dyn FnMut(String)) {
        match *self {
            Choice::Word(word) => visit(word.to_owned()),
            Choice::Range {
                first,
                step,
                digits,
                ..
            } => {
                for index in 0..self.count() {
                    visit(format!("{:0digits$}", first + index * step));
                }
            }
            Choice::Letters { first, step, .. } => {
                for index in 0..self.count() {
                    visit(char::from(first + (index * step) as u8).to_string());
                }
            }
        }
    }
}

fn ranges(inside: &str) -> Result<Vec<Choice<'_>>, String> {
    inside.split(',').map(|part| choice(part.trim())).collect()
}

fn choice(part: &str) -> Result<Choice<'_>, String> {
    if part.is_empty() {
        return Err("an empty choice: write [01-20], [0-10/2] or [a,b,3-5]".to_owned());
    }
    let (range, step) = match part.split_once('/') {
        None => (part, 1),
        Some((range, step)) => match step.parse::<u64>() {
            Ok(step) if step > 0 => (range, step),
            _ => return Err(format!("the step `{step}` is no positive number")),
        },
    };
    let Some((first, last)) = range.split_once('-') else {
        if step != 1 || part.contains('/') {
            return Err("a step wants a range, as in [0-10/2]".to_owned());
        }
        return Ok(Choice::Word(part));
    };
    let number = |text: &str| {
        Some(text)
            .filter(|text| {
                !text.is_empty()
                    && text.len() <= 18
                    && text.bytes().all(|byte| byte.is_ascii_digit())
            })
            .and_then(|text| text.parse::<u64>().ok())
    };
    if let (Some(low), Some(high)) = (number(first), number(last)) {
        if low > high {
            return Err(format!("the range `{range}` runs backwards"));
        }
        let padded =
            first.len() > 1 && first.starts_with('0') || last.len() > 1 && last.starts_with('0');
        if padded && first.len() != last.len() {
            return Err(format!(
                "the two ends of `{range}` have a different number of digits"
            ));
        }
        let digits = if first.len() == last.len() {
            first.len()
        } else {
            0
        };
        return Ok(Choice::Range {
            first: low,
            last: high,
            step,
            digits,
        });
    }
    if let ([low], [high]) = (first.as_bytes(), last.as_bytes()) {
        let one_case = low.is_ascii_lowercase() && high.is_ascii_lowercase()
            || low.is_ascii_uppercase() && high.is_ascii_uppercase();
        if one_case {
            if low > high {
                return Err(format!("the range `{range}` runs backwards"));
            }
            return Ok(Choice::Letters {
                first: *low,
                last: *high,
                step,
            });
        }
    }
    Err(format!(
        "`{}` is no range of numbers or letters",
        crate::table::shortened(range)
    ))
}

/// `user@name:port`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub user: Option<String>,
    /// What is dialled: a name, an alias, an address without brackets.
    pub host: String,
    pub port: Option<u16>,
}

impl Target {
    /// As rows name the host: without the user, with a port that was written.
    pub fn name(&self) -> String {
        match self.port {
            Some(port) if self.host.contains(':') => format!("[{}]:{port}", self.host),
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    pub fn parse(text: &str) -> Result<Target, String> {
        let (user, rest) = match text.rsplit_once('@') {
            None => (None, text),
            Some((user, rest)) => (Some(check_user(user)?), rest),
        };
        let (host, port) = if let Some(rest) = rest.strip_prefix('[') {
            let (address, after) = rest.split_once(']').ok_or("a `[` that nothing closes")?;
            if address.parse::<Ipv6Addr>().is_err() {
                return Err(format!(
                    "`{}` is no IPv6 address",
                    crate::table::shortened(address)
                ));
            }
            match after.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None if after.is_empty() => (address, None),
                None => {
                    return Err(format!(
                        "`{}` after the address",
                        crate::table::shortened(after)
                    ));
                }
            }
        } else if rest.parse::<Ipv6Addr>().is_ok() {
            (rest, None)
        } else {
            let (host, port) = match rest.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (rest, None),
            };
            check_host(host, &['.', '-', '_'])?;
            (host, port)
        };
        let port = match port {
            None => None,
            Some(port) => Some(
                port.parse::<u16>()
                    .ok()
                    .filter(|number| *number > 0 && port.bytes().all(|byte| byte.is_ascii_digit()))
                    .ok_or_else(|| format!("`{}` is no port", crate::table::shortened(port)))?,
            ),
        };
        Ok(Target {
            user,
            host: host.to_owned(),
            port,
        })
    }
}

/// A user name that no `ssh` would take for an option.
pub fn check_user(user: &str) -> Result<String, String> {
    if user.is_empty() || user.len() > 100 {
        return Err("a user name of no length, or too long".to_owned());
    }
    if user.starts_with('-') {
        return Err("a user name must not start with `-`".to_owned());
    }
    let allowed = |char: char| {
        char.is_alphanumeric() || matches!(char, '.' | '-' | '_' | '$' | '+' | '\\' | '@')
    };
    match user.chars().find(|char| !allowed(*char)) {
        Some(char) => Err(format!(
            "`{}` has no place in a user name",
            char.escape_default()
        )),
        None => Ok(user.to_owned()),
    }
}

/// A host name that is neither an option nor, put into a path or a command, anything but a name.
pub fn check_host(host: &str, marks: &[char]) -> Result<(), String> {
    if host.is_empty() {
        return Err("an empty host name".to_owned());
    }
    if host.len() > LONGEST_NAME {
        return Err("longer than any host name".to_owned());
    }
    if host.starts_with('-') {
        return Err("a host name must not start with `-`".to_owned());
    }
    if let Some(char) = host
        .chars()
        .find(|char| !char.is_ascii_alphanumeric() && !marks.contains(char))
    {
        return Err(format!(
            "`{}` has no place in a host name",
            char.escape_default()
        ));
    }
    if host.split('/').any(|part| matches!(part, "." | "..")) {
        return Err("`.` and `..` are no host names".to_owned());
    }
    Ok(())
}

/// The names in a list that a file or a command gives: one a line; blank lines, `#` comments and the header of
/// `ansible --list-hosts` are left out. With each its place in bytes.
pub fn listed(text: &str) -> Vec<(usize, &str)> {
    let mut names = Vec::new();
    let mut start = 0;
    for line in text.split('\n') {
        let bare = line.split('#').next().unwrap_or_default();
        let name = bare.trim();
        let header = name.starts_with("hosts (") && name.ends_with("):");
        if !name.is_empty() && !header {
            names.push((start + (bare.len() - bare.trim_start().len()), name));
        }
        start += line.len() + 1;
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_expanded() {
        for (pattern, names) in [
            ("db1", &["db1"][..]),
            (
                "web[08-11].example.net",
                &[
                    "web08.example.net",
                    "web09.example.net",
                    "web10.example.net",
                    "web11.example.net",
                ],
            ),
            ("n[8-11]", &["n8", "n9", "n10", "n11"]),
            ("n[0-10/5]", &["n0", "n5", "n10"]),
            ("n[a,b,3-5]", &["na", "nb", "n3", "n4", "n5"]),
            ("[a-c]x[1-2]", &["ax1", "ax2", "bx1", "bx2", "cx1", "cx2"]),
            ("deploy@[::1]:22", &["deploy@[::1]:22"]),
            ("x[007-008]", &["x007", "x008"]),
        ] {
            assert_eq!(expand(pattern, MOST_HOSTS).unwrap(), names, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_range() {
        for pattern in [
            "web[",
            "web]",
            "web[]",
            "web[1-]",
            "web[5-1]",
            "web[1-3/0]",
            "web[1-3/x]",
            "web[01-5]",
            "web[a-Z]",
            "web[1,,2]",
            "web[3/2]",
            "web[1-99999999999999999999]",
            "web[1--3]",
        ] {
            assert!(expand(pattern, MOST_HOSTS).is_err(), "{pattern}");
        }
    }

    #[test]
    fn no_range_is_made_that_is_too_large() {
        for pattern in [
            "web[1-999999999]",
            "[0-999][0-999][0-999]",
            "[0-999999999999999999][0-999999999999999999]",
        ] {
            let mistake = expand(pattern, MOST_HOSTS).unwrap_err();
            assert!(
                mistake.message.contains("100000 hosts"),
                "{}",
                mistake.message
            );
        }
        assert_eq!(expand("w[1-100]", 100).unwrap().len(), 100);
        assert!(expand("w[1-101]", 100).is_err());
    }

    #[test]
    fn targets_are_taken_apart() {
        for (text, user, host, port, name) in [
            ("web1", None, "web1", None, "web1"),
            (
                "deploy@web21:2222",
                Some("deploy"),
                "web21",
                Some(2222),
                "web21:2222",
            ),
            (
                "[2001:db8::1]:22",
                None,
                "2001:db8::1",
                Some(22),
                "[2001:db8::1]:22",
            ),
            ("a@[::1]", Some("a"), "::1", None, "::1"),
            ("fe80::1", None, "fe80::1", None, "fe80::1"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!(
                (target.user.as_deref(), target.host.as_str(), target.port),
                (user, host, port),
                "{text}"
            );
            assert_eq!(target.name(), name);
        }
        for text in [
            "",
            "-oProxyCommand=x",
            "-l@web",
            "@web",
            "web:",
            "web:0",
            "web:70000",
            "web:+1",
            "a b",
            "web;rm",
            "[::1",
            "[web]:22",
            "[::1]x",
            "a:b:c",
            "..",
            "web/x",
            "$(x)",
            "w\u{fc}b",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn lists_of_hosts() {
        let text = "  hosts (2):\n    web1\n# old\n\ndb1 # main\r\n  x";
        let names = listed(text);
        assert_eq!(
            names.iter().map(|(_, name)| *name).collect::<Vec<_>>(),
            ["web1", "db1", "x"]
        );
        assert!(names.iter().all(|(at, name)| text[*at..].starts_with(name)));
    }
}
