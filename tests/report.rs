//! The report as those have it who read it: a conforming parser, and a browser at the widths of a desk and of a phone, in light
//! and dark. The screenshots stay under target/screenshots, to be looked at.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::{Folder, logstitch, root};
use crate::python;

/// Smaller than this, whatever the rows.
const PAGE_BYTES: u64 = 2_000_000;

const DESK: u32 = 1280;
const PHONE: u32 = 390;

#[test]
fn the_incident_is_told_to_a_parser_and_a_browser() {
    let folder = Folder::new("report");
    let out = folder.path().join("out");
    let job = root().join("testdata/jobs/incident/job.toml");
    logstitch(["run", "--set", "output.formats=['jsonl', 'html']", "--out"])
        .arg(&out)
        .arg(&job)
        .ends_with(0);
    let page = out.join("report.html");
    let read = assert_conforming(&page);
    let count = |name: &str| read["elements"][name].as_u64().unwrap_or(0);
    assert_eq!(
        (count("main"), count("nav"), count("h1"), count("h2")),
        (1, 1, 1, 12)
    );
    let text = read["text"].as_str().unwrap();
    for part in [
        "Complete, 1 alert firing 3 of 3 hosts, 12 of 12 files, 5898 entries (5 malformed)",
        "p95 (ms)",
        "See also: journeys:",
        "match: 14:42:31.012 ERROR Alarm raised for h.brandt",
        "[in] Accepted password for s.okafor",
        "/api/checkout · 201",
        "checkout failed: payments: timeout after 1200ms",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let part = "summary.json";
    let outside = read["outside"].as_array().unwrap();
    assert!(
        outside
            .iter()
            .all(|link| out.join(link.as_str().unwrap()).is_file()),
        "{outside:?}"
    );
    assert!(outside.iter().any(|link| link == part));
    let screens = root().join("target/screenshots");
    std::fs::create_dir_all(&screens).unwrap();
    for theme in [Theme::Light, Theme::Dark] {
        for width in [DESK, PHONE] {
            assert_readable(&folder, &page, width, theme, true);
            let name = format!("report-{width}-{}.png", theme.name());
            assert_screenshot(&folder, &page, width, theme, &screens.join(name));
        }
    }
    assert_readable(&folder, &page, 320, Theme::Light, true);
}

/// What a log line may try, in every place that shows one.
const HOSTILE: [&str; 9] = [
    "<script>window.pwned = 1; parent.pwned = 1</script>",
    "<img src=x onerror='parent.pwned = 1'>",
    "</td></table></main></style><script>parent.pwned=1</script>",
    "\" onmouseover=\"parent.pwned=1\" x=\"",
    "javascript:parent.pwned=1",
    "\u{202e}gnp.exe\u{2066} \u{200b}\u{feff}",
    "\u{1b}[31mred\u{1b}]8;;http://x\u{7} \u{0} \u{85} \u{fffe}",
    "{{constructor.constructor('parent.pwned=1')()}} ${1} <!-- --> ]]>",
    "<base href=http://x><meta http-equiv=refresh content='0;url=http://x'><svg onload=parent.pwned=1>",
];

#[test]
fn hostile_lines_stay_text() {
    let folder = Folder::new("hostile");
    let mut log = String::new();
    for (number, hostile) in HOSTILE.iter().cycle().take(60).enumerate() {
        let text = serde_json::to_string(hostile).unwrap();
        let time = format!("2026-01-19T14:00:{number:02}Z");
        writeln!(log, "{{\"time\":\"{time}\",\"level\":\"ERROR\",\"id\":{text},\"message\":{text},{text}:{text},\"n\":{number}}}").unwrap();
    }
    let token = "x".repeat(1 << 20);
    writeln!(
        log,
        "{{\"time\":\"2026-01-19T14:01:00Z\",\"id\":\"{token}\",\"message\":\"{token}\"}}"
    )
    .unwrap();
    folder.write("<img src=x onerror=parent.pwned=1>.jsonl", log);
    let job = folder.write(
        "job.toml",
        r#"
[job]
name = "hostile"
[hosts.here]
local = ["here"]
[logs.app]
hosts = ["here"]
paths = ["*.jsonl"]
format = "json"
[select.entries]
[select.columns]
columns = ["time", "id", "message", "n"]
[aggregate.groups]
group = { id = "id" }
select = { n = "count(*)", top = "top(message, 3)" }
[aggregate.minutes]
group = { id = "id", minute = "bucket(time, '1m')" }
select = { n = "count(*)" }
[session.sessions]
by = ["id"]
timeline = 10
[sequence.twice]
by = ["id"]
within = "1h"
steps = [{ name = "a", where = "n >= 0" }, { name = "b", where = "n >= 0" }]
[context.windows]
where = "n = 5"
before = 100
after = 100
[output]
formats = ["html", "text", "jsonl"]
"#,
    );
    let out = folder.path().join("out");
    logstitch(["run", "--out"]).arg(&out).arg(&job).ends_with(0);
    let page = out.join("report.html");
    let read = assert_conforming(&page);
    let text = read["text"].as_str().unwrap();
    assert!(
        text.contains("<script>window.pwned"),
        "hostile lines are shown"
    );
    assert!(text.contains("⟨U+202E⟩gnp.exe"));
    assert_eq!(read["title"], "hostile");
    for file in ["report.html", "report.txt"] {
        let text = folder.read(&format!("out/{file}"));
        let obeyed = |character: &char| {
            matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{80}'..='\u{9f}' | '\u{feff}' | '\u{7f}')
                || (character.is_control() && !matches!(character, '\n' | '\t'))
        };
        assert_eq!(text.chars().find(obeyed), None, "{file}");
        let longest = text.lines().map(str::len).max().unwrap();
        assert!(
            file == "report.html" || longest < 600,
            "{file}: a line of {longest} bytes"
        );
    }
    for width in [DESK, PHONE] {
        assert_readable(&folder, &page, width, Theme::Light, true);
    }
}

#[test]
fn a_report_is_small_whatever_the_rows() {
    let folder = Folder::new("large");
    let mut log = String::new();
    for number in 0..6_000 {
        let (minute, second) = (number / 60 % 60, number % 60);
        let text = "a message of some length that is said again and again ".repeat(1 + number % 9);
        writeln!(
            log,
            "{{\"time\":\"2026-01-19T14:{minute:02}:{second:02}Z\",\"level\":\"ERROR\",\"id\":\"id-{}\",\"message\":\"{text}{number}\",\"took_ms\":{}}}",
            number % 1000,
            number % 977
        )
        .unwrap();
    }
    folder.write("app.jsonl", log);
    let mut job = String::from(
        "[job]\nname = \"large\"\n[hosts.here]\nlocal = [\"here\"]\n[logs.app]\nhosts = [\"here\"]\npaths = [\"app.jsonl\"]\nformat = \"json\"\n[output]\nformats = [\"jsonl\", \"html\", \"text\"]\n",
    );
    for number in 0..7 {
        write!(
            job,
            r#"
[select.entries{number}]
[aggregate.latency{number}]
group = {{ id = "id", minute = "bucket(time, '1m')" }}
select = {{ n = "count(*)", p50 = "median(took_ms)", p95 = "percentile(took_ms, 95)", worst = "max(took_ms)", texts = "top(message, 5)" }}
[session.requests{number}]
by = ["id"]
timeline = 200
[context.windows{number}]
where = "took_ms = 5"
before = 50
after = 50
"#
        )
        .unwrap();
    }
    let job = folder.write("job.toml", job);
    let out = folder.path().join("out");
    logstitch(["run", "--out"]).arg(&out).arg(&job).ends_with(0);
    let page = out.join("report.html");
    let read = assert_conforming(&page);
    assert_eq!(read["elements"]["h2"], 28, "every operator has its section");
    let text = read["text"].as_str().unwrap();
    assert!(
        text.contains("more in entries6.jsonl"),
        "what is not shown is counted, and named"
    );
    assert!(folder.read("out/report.txt").len() < 300_000);
}

#[test]
fn a_lost_host_stands_first() {
    let folder = Folder::new("lost");
    folder.write("app.jsonl", "{\"time\":\"2026-01-19T14:00:00Z\",\"n\":1}\n");
    let job = folder.write(
        "job.toml",
        r#"
[job]
name = "lost"
[hosts.here]
local = ["here"]
[hosts.there]
exec = ["gone"]
command = ["false", "{bootstrap}"]
[logs.app]
hosts = ["here", "there"]
paths = ["app.jsonl"]
[select.entries]
[aggregate.count]
select = { n = "count(*)" }
[run]
retries = 0
[output]
formats = ["html", "text"]
"#,
    );
    let out = folder.path().join("out");
    logstitch(["run", "--out"]).arg(&out).arg(&job).ends_with(4);
    let read = assert_conforming(&out.join("report.html"));
    let text = read["text"].as_str().unwrap();
    let verdict = text.find("Less complete than required").expect(text);
    let named = text.find("gone failed").expect(text);
    assert!(
        verdict < named && named < text.find("entries select").expect(text),
        "{text}"
    );
    assert!(text.contains("lower bound: something is missing"), "{text}");
    assert!(
        text.contains("of what was observed: something is missing"),
        "{text}"
    );
    let text = folder.read("out/report.txt");
    assert!(
        text.starts_with("lost: LESS COMPLETE THAN REQUIRED\n"),
        "{text}"
    );
    assert!(text.contains("INCOMPLETE: gone"), "{text}");
}

/// Holds the page to the standard and to what a screen reader needs; gives what a parser found.
pub fn assert_conforming(page: &Path) -> Value {
    let script = include_str!("readers/page.py");
    let read = python::script(&["html5lib"], script, &[page]);
    let read: Value = serde_json::from_str(&read).unwrap();
    for name in ["errors", "twice", "dead", "handlers"] {
        let found = read[name].as_array().unwrap();
        assert!(
            found.is_empty(),
            "{}: {name}: {:?}",
            page.display(),
            &found[..found.len().min(5)]
        );
    }
    for name in [
        "untitled_tables",
        "heads_without_scope",
        "nameless_drawings",
    ] {
        assert_eq!(read[name], 0, "{}: {name}", page.display());
    }
    assert_eq!(read["language"], "en");
    let bytes = read["bytes"].as_u64().unwrap();
    assert!(bytes < PAGE_BYTES, "{}: {bytes} bytes", page.display());
    // Nothing leads out of the folder that the page is in.
    for link in read["outside"].as_array().unwrap() {
        let link = link.as_str().unwrap();
        assert!(
            !link.contains(':') && !link.starts_with('/') && !link.contains(".."),
            "{link}"
        );
    }
    read
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Theme {
    Light,
    Dark,
}

impl Theme {
    fn name(self) -> &'static str {
        match self {
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }
}

/// In a browser, so wide: nothing scrolls sideways, every text can be told from its ground, the script sorts, and nothing that
/// a log brought along runs.
fn assert_readable(folder: &Folder, page: &Path, width: u32, theme: Theme, has_script: bool) {
    let measure = include_str!("readers/measure.html")
        .replace("WIDTH", &width.to_string())
        .replace("PAGE", &format!("file://{}", page.display()));
    let measure = folder.write("measure.html", measure);
    let output = chromium(folder, theme)
        .args([
            "--dump-dom",
            "--allow-file-access-from-files",
            "--virtual-time-budget=20000",
        ])
        .arg(format!("--window-size={},1000", width + 100))
        .arg(&measure)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let result = text
        .split_once("<pre id=\"result\">BEGIN")
        .and_then(|(_, rest)| rest.split_once("END"));
    let (result, _) =
        result.unwrap_or_else(|| panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr)));
    let result: Value = serde_json::from_str(&percent_decoded(result)).unwrap();
    let what = format!(
        "{} at {width} px, {}: {result}",
        page.display(),
        theme.name()
    );
    assert_eq!(result["inner"], width, "{what}");
    assert!(
        result["scroll"].as_u64().unwrap() <= u64::from(width),
        "scrolls sideways: {what}"
    );
    assert_eq!(result["beyond"], serde_json::json!([]), "{what}");
    assert!(
        result["contrast"][0].as_f64().unwrap() >= 4.5,
        "hard to read: {what}"
    );
    assert_eq!(result["small"], 0, "{what}");
    assert_eq!(
        (&result["scripts"], &result["foreign"]),
        (&1.into(), &0.into()),
        "{what}"
    );
    assert_eq!(result["ran"], false, "{what}");
    assert_eq!(result["styled"], true, "{what}");
    assert_eq!(result["sorted"], has_script, "{what}");
}

/// Takes the picture and holds it to its size and its ground.
fn assert_screenshot(folder: &Folder, page: &Path, width: u32, theme: Theme, place: &Path) {
    let height = 2400;
    let output = chromium(folder, theme)
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--screenshot={}", place.display()))
        .arg(page)
        .output()
        .unwrap();
    let picture = std::fs::read(place)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    let word = |at: usize| u32::from_be_bytes(picture[at..at + 4].try_into().unwrap());
    assert_eq!((word(16), word(20)), (width, height));
    assert!(picture.len() > 20_000, "there is something on it");
    let corner = first_pixel(&picture);
    let is_dark = corner.iter().all(|part| *part < 60);
    let is_light = corner.iter().all(|part| *part > 240);
    assert!(
        if theme == Theme::Dark {
            is_dark
        } else {
            is_light
        },
        "{theme:?}: {corner:?}"
    );
}

/// The colour of a picture's first pixel: whatever filter its row has, the first pixel stands there as it is.
fn first_pixel(picture: &[u8]) -> [u8; 3] {
    let mut packed = Vec::new();
    let mut rest = &picture[8..];
    while rest.len() >= 12 {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        if &rest[4..8] == b"IDAT" {
            packed.extend_from_slice(&rest[8..8 + length]);
        }
        rest = &rest[12 + length..];
    }
    let mut start = [0; 4];
    std::io::Read::read_exact(&mut flate2::read::ZlibDecoder::new(&packed[..]), &mut start)
        .unwrap();
    [start[1], start[2], start[3]]
}

fn chromium(folder: &Folder, theme: Theme) -> Command {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let found = names.iter().find_map(|name| {
        places
            .iter()
            .map(|place| place.join(name))
            .find(|place| place.is_file())
    });
    let mut command =
        Command::new(found.expect("a report is looked at in chromium: tests/run installs it"));
    command.args([
        "--headless=new",
        // Root has no sandbox; the pages are our own.
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
        "--force-device-scale-factor=1",
    ]);
    command.arg(format!(
        "--user-data-dir={}",
        folder.path().join("chromium").display()
    ));
    if theme == Theme::Dark {
        command.arg("--blink-settings=preferredColorScheme=0");
    }
    command
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                let digits = [*high, *low];
                let digits = std::str::from_utf8(&digits).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = after;
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap()
}
