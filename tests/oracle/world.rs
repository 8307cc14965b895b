//! Random logs on disk: hosts whose clocks are off, rotated and packed files, times out of order and missing, entries of
//! several lines, broken lines; few values, so that keys and times meet.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{Random, Time, json_text};

/// Hours that a job may start or end in begin here.
pub const START_NS: i64 = 1_768_831_200 * SECOND_NS;
pub const SECOND_NS: i64 = 1_000_000_000;

/// What messages are made of, and sequences look for.
pub const LETTERS: [&str; 5] = ["a", "b", "c", "x", "u"];

/// The hosts of a job and their files.
pub struct World {
    pub hosts: Vec<HostWorld>,
}

pub struct HostWorld {
    pub name: &'static str,
    /// How far its clock runs ahead, in seconds: the job says so.
    pub ahead_s: i64,
    pub streams: Vec<StreamWorld>,
}

/// The files of one rotated log, oldest first.
pub struct StreamWorld {
    pub log: &'static str,
    pub name: String,
    pub files: Vec<(PathBuf, Vec<u8>)>,
}

impl World {
    /// Writes the logs below the folder, as `{host}/{log}/*`.
    pub fn write(random: &mut Random, folder: &Path) -> World {
        let count = random.pick(&[1, 2, 2, 3]);
        let mut author = Author::random(random);
        let hosts = ["ash", "beech", "box"][..count].iter().map(|name| {
            let mut streams = Vec::new();
            for log in ["app", "svc"] {
                for stream in &["one", "two"][..random.pick(&[0, 1, 1, 2])] {
                    let files = author.files(random, log);
                    let name = format!("{}/{log}/{stream}.log", folder.join(name).display());
                    let files = named(random, &name, files).collect();
                    streams.push(StreamWorld { log, name, files });
                }
            }
            HostWorld {
                name,
                ahead_s: random.pick(&[0, 0, 0, 3, -7]),
                streams,
            }
        });
        World {
            hosts: hosts.collect(),
        }
    }

    /// The job's tables of hosts, logs and formats.
    pub fn toml(&self, random: &mut Random, folder: &Path, disorder_ns: i64) -> String {
        let mut toml = String::new();
        for host in &self.hosts {
            let (name, ahead_s) = (host.name, host.ahead_s);
            let clock = match ahead_s {
                0 => String::new(),
                _ => format!("clock = \"{ahead_s:+}s\"\n"),
            };
            write!(toml, "[hosts.{name}]\nlocal = [\"{name}\"]\n{clock}").unwrap();
        }
        let names: Vec<String> = self.hosts.iter().map(|host| json_text(host.name)).collect();
        let names = names.join(", ");
        for (log, format) in [("app", "json"), ("svc", "service")] {
            // The least that is true lets the mapper leave out the most.
            let disorder = match random.below(4) {
                0 => "disorder = \"unlimited\"\n".to_owned(),
                1 => String::new(),
                _ => format!("disorder = \"{}ms\"\n", disorder_ns / 1_000_000 + 1),
            };
            let paths = folder.join(format!("{{host}}/{log}/*"));
            write!(
                toml,
                "[logs.{log}]\nhosts = [{names}]\npaths = [\"{}\"]\nformat = \"{format}\"\n{disorder}",
                paths.display(),
            )
            .unwrap();
        }
        let optional =
            ["user", "trace", "status", "n"].map(|name| format!(r"(?:{name}=(?<{name}>\S+) )?"));
        write!(
            toml,
            "[format.service]\npattern = '^(?<time>\\S+) (?<level>\\w+) {}(?<message>.*)$'\n\
             multiline = '^\\d{{4}}-'\ntypes = {{ n = \"number\" }}\n",
            optional.concat(),
        )
        .unwrap();
        toml
    }
}

/// What the entries of a world have in common.
struct Author {
    /// Entries of a stream.
    most: usize,
    letters: &'static [&'static str],
    /// As JSON.
    users: &'static [&'static str],
    traces: &'static [&'static str],
    /// Half seconds from one entry to the next.
    steps: &'static [i64],
    /// A number that no other entry has.
    sequence: u32,
}

const STATUSES: [&str; 5] = ["200", "\"200\"", "503", "\"-\"", "201"];

impl Author {
    /// Many keys and silences, or what makes many sequences: mostly one key, and entries close together.
    fn random(random: &mut Random) -> Author {
        if random.one_in(2) {
            return Author {
                most: random.pick(&[2, 6, 14]),
                letters: &LETTERS,
                users: &["7", "\"7\"", "\"alice\"", "\"alice\"", "\"bob\"", "\"bob\""],
                traces: &["\"t1\"", "\"t2\"", "\"t3\"", "7", "\"alice\""],
                steps: &[0, 0, 1, 1, 2, 5, 30, 61, -1, -3, -9, -35],
                sequence: 0,
            };
        }
        let one = &[
            "\"alice\"",
            "\"alice\"",
            "\"alice\"",
            "\"alice\"",
            "\"7\"",
            "7",
        ];
        Author {
            most: random.pick(&[2, 4, 8]),
            letters: &LETTERS[..random.pick(&[2, 3, 4, 5])],
            users: one,
            traces: one,
            steps: random.pick(&[&[0, 0, 1, -1, 2][..], &[0, 1, 2, 4, 6, -5], &[0, 2, 20, -8]]),
            sequence: 0,
        }
    }

    /// The text of each file of a stream, oldest first.
    fn files(&mut self, random: &mut Random, log: &str) -> Vec<String> {
        let mut files = vec![String::new()];
        let mut now_ns = START_NS + random.below(20) as i64 * SECOND_NS;
        let (mut first_ns, mut has_first) = (START_NS, false);
        for _ in 0..random.below(self.most + 1) {
            if files.len() < 3 && random.one_in(6) {
                files.push(String::new());
                has_first = false;
            }
            let step = random.pick(self.steps);
            now_ns += step * SECOND_NS / 2;
            let is_timed = !random.one_in(9);
            if is_timed && !has_first {
                // Files are in the order of their first times, also where these are cut to seconds: a mapper puts them so.
                now_ns = now_ns.max(first_ns + SECOND_NS);
                (first_ns, has_first) = (now_ns, true);
            }
            self.sequence += 1;
            let digits = random.pick(&[0, 0, 1, 3, 9]);
            let time = is_timed.then_some(Time { ns: now_ns, digits });
            let file = files.last_mut().unwrap();
            match log {
                "app" => self.json_line(random, time, file),
                _ => self.service_lines(random, time, file),
            }
            if random.one_in(15) {
                file.push_str(random.pick(&["\n", "  \n"]));
            }
        }
        // The last line of the newest file may have no end.
        if random.one_in(4) {
            let last = files.last_mut().unwrap();
            last.truncate(last.trim_end().len());
        }
        files
    }

    fn json_line(&self, random: &mut Random, time: Option<Time>, out: &mut String) {
        if time.is_none() && random.one_in(3) {
            let torn = random.pick(&["{\"user\":\"alice\"", "torn", "[1,2]"]);
            writeln!(out, "{torn}").unwrap();
            return;
        }
        let mut parts = Vec::new();
        match time {
            Some(time) => parts.push(format!("\"time\":\"{}\"", time.text())),
            None if random.one_in(3) => parts.push("\"time\":\"2026-13-01T00:00:00Z\"".to_owned()),
            None => {}
        }
        let levels = ["\"info\"", "\"WARN\"", "\"error\"", "\"debug\"", "null"];
        for (name, values) in [
            ("level", &levels[..]),
            ("user", self.users),
            ("trace", self.traces),
            ("status", &STATUSES),
        ] {
            match random.below(16) {
                0 => {}
                1 => parts.push(format!("\"{name}\":null")),
                _ => parts.push(format!("\"{name}\":{}", random.pick(values))),
            }
        }
        if !random.one_in(8) {
            parts.push(format!("\"n\":{}", number(random)));
        }
        parts.push(format!("\"seq\":{}", self.sequence));
        if !random.one_in(20) {
            let more = random.pick(&["", "", "", " é", " \"q\" \\", "\ttab"]);
            let message = some_of(self.letters, random) + more;
            parts.push(format!("\"message\":{}", json_text(&message)));
        }
        let line = random.pick(&["\n", "\n", "\n", "\r\n"]);
        write!(out, "{{{}}}{line}", parts.join(",")).unwrap();
    }

    fn service_lines(&self, random: &mut Random, time: Option<Time>, out: &mut String) {
        // Without a time of its own it is an entry if it looks like one, and else goes on with the one before.
        match time {
            Some(time) => out.push_str(&time.text()),
            None if random.one_in(2) => out.push_str("2026-13-01T00:00:00Z"),
            None => {
                writeln!(out, "  at step {}", self.sequence).unwrap();
                return;
            }
        }
        let level = random.pick(&["info", "WARN", "error", "notice", "odd"]);
        write!(out, " {level} ").unwrap();
        for (name, values) in [
            ("user", self.users),
            ("trace", self.traces),
            ("status", &STATUSES),
        ] {
            if !random.one_in(8) {
                let value = random.pick(values).replace('"', "");
                write!(out, "{name}={value} ").unwrap();
            }
        }
        if !random.one_in(6) {
            write!(out, "n={} ", number(random).replace('"', "")).unwrap();
        }
        writeln!(
            out,
            "{} seq {}",
            some_of(self.letters, random),
            self.sequence
        )
        .unwrap();
        for line in 0..random.pick(&[0, 0, 0, 1, 2]) {
            if random.one_in(4) {
                out.push('\n');
            }
            writeln!(out, "\tat frame {line}").unwrap();
        }
    }
}

/// Gives the files their names and puts them on disk.
fn named<'a>(
    random: &'a mut Random,
    name: &'a str,
    files: Vec<String>,
) -> impl Iterator<Item = (PathBuf, Vec<u8>)> + 'a {
    let count = files.len();
    files.into_iter().enumerate().map(move |(index, text)| {
        let age = count - 1 - index;
        let is_packed = age > 0 && random.one_in(3);
        let path = match (age, is_packed) {
            (0, _) => name.to_owned(),
            (_, true) => format!("{name}.{age}.gz"),
            (_, false) => format!("{name}.{age}"),
        };
        let path = PathBuf::from(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = text.into_bytes();
        if is_packed {
            let level = flate2::Compression::fast();
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), level);
            packed.write_all(&text).unwrap();
            std::fs::write(&path, packed.finish().unwrap()).unwrap();
        } else {
            std::fs::write(&path, &text).unwrap();
        }
        (path, text)
    })
}

/// At least one of them.
fn some_of(letters: &[&str], random: &mut Random) -> String {
    let chosen = random.below(letters.len());
    let letters = letters.iter().enumerate();
    let letters = letters.filter(|(index, _)| *index == chosen || random.one_in(6));
    letters.map(|(_, letter)| *letter).collect()
}

/// As JSON has it: a text in quotes, or a number.
fn number(random: &mut Random) -> String {
    match random.below(8) {
        0 => random
            .pick(&["\"n/a\"", "\"17\"", "\"2.5\"", "null"])
            .to_owned(),
        1 | 2 => (random.below(1000) as f64 / 8.0 + 0.1).to_string(),
        3 => (-(random.below(1000) as f64) * 1.000_001 - 0.3).to_string(),
        _ => (random.below(50) as i64 - 10).to_string(),
    }
}
