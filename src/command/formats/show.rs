//! What was seen of a file, for a person and as JSON. Log text is hostile: on a terminal it is cut and escaped.

use std::fmt::Write;

use jobspec::diagnostic::shown;
use mapper::open::Encoding;
use mapper::tally::Finding;
use serde_json::{Map, Value, json};

use super::look::{MOST_BYTES, Sample, Seen};

/// Characters of a text on a line.
const MESSAGE_WIDTH: usize = 100;
const FIELD_WIDTH: usize = 40;

pub fn text_of(seen: &Seen) -> String {
    let tally = &seen.tally;
    let mut lines = Lines {
        text: format!("{}\n", shown(&seen.path, usize::MAX)),
    };
    let read = match (seen.is_partial, tally.bytes == seen.size) {
        (true, _) => format!(", the first {} of its text read", size_text(MOST_BYTES)),
        (false, true) => String::new(),
        (false, false) => format!(", {} of text", size_text(tally.bytes)),
    };
    let (packed, encoding) = (seen.compression.name(), encoding_name(seen.encoding));
    lines.add(
        "file",
        format!("{packed}, {encoding}, {}{read}", size_text(seen.size)),
    );
    if seen.size == 0 {
        lines.add("", "it is empty".to_owned());
        return lines.text;
    }
    if seen.is_binary {
        lines.add("", "it is no text: it has NUL bytes".to_owned());
        return lines.text;
    }
    lines.add("format", format!("{}: {}", seen.format, seen.why));
    let counts = [
        (tally.malformed, "malformed"),
        (tally.untimed, "without a time"),
        (tally.continuation, "continuation"),
        (tally.blank, "blank"),
        (tally.header, "header"),
        (tally.cut, "cut"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, what)| format!("{count} {what}"))
        .collect();
    let counts = match counts.is_empty() {
        true => String::new(),
        false => format!(": {}", counts.join(", ")),
    };
    lines.add(
        "entries",
        format!("{} in {} lines{counts}", tally.entries, tally.lines),
    );
    if tally.entries > 0 {
        let fitted = tally.formats.iter();
        let mut shares: Vec<(u64, &str)> = fitted.map(|(name, count)| (*count, &**name)).collect();
        shares.sort_by(|left, right| right.cmp(left));
        shares.extend((tally.malformed > 0).then_some((tally.malformed, "nothing")));
        let share = |count: u64| 100.0 * count as f64 / tally.entries as f64;
        let shares = shares
            .iter()
            .map(|(count, name)| format!("{:.1} % {name}", share(*count)));
        lines.add("fitted", shares.collect::<Vec<_>>().join(", "));
    }
    if let (Some(first), Some(last)) = (tally.first, tally.last) {
        lines.add("times", format!("{first} to {last}"));
    }
    if let Some(bytes) = seen.bytes_per_day() {
        lines.add("a day", format!("about {} of text", size_text(bytes)));
    }
    if !seen.fields.is_empty() {
        let names = seen
            .fields
            .iter()
            .map(|name| shown(name.as_bytes(), FIELD_WIDTH));
        lines.add("fields", names.collect::<Vec<_>>().join(" "));
    }
    for sample in &seen.samples {
        add_sample(&mut lines, sample);
    }
    for sample in &tally.samples {
        let text = shown(&sample.text, MESSAGE_WIDTH);
        lines.add("malformed", format!("at byte {}: {text}", sample.offset));
    }
    for finding in &tally.findings {
        lines.add("finding", said(finding));
    }
    lines.text
}

pub fn text_of_unread(finding: &Finding) -> String {
    format!(
        "{}\n  {}\n",
        shown(&finding.path, usize::MAX),
        said(finding)
    )
}

fn add_sample(lines: &mut Lines, sample: &Sample) {
    let time = sample.time.map_or("-".to_owned(), |time| time.to_string());
    let level = sample.level.map_or("-", |level| level.name());
    let message = shown(&sample.message, MESSAGE_WIDTH);
    lines.add("entry", format!("{time} {level} {message}"));
    let fields = sample.fields.iter().map(|(name, value)| {
        let (name, value) = (
            shown(name.as_bytes(), FIELD_WIDTH),
            shown(value, FIELD_WIDTH),
        );
        format!("{name}={value}")
    });
    let fields: Vec<String> = fields.collect();
    if !fields.is_empty() {
        lines.add("", fields.join("  "));
    }
}

fn said(finding: &Finding) -> String {
    let mut text = finding.kind.text().to_owned();
    if !finding.detail.is_empty() {
        let _ = write!(text, ": {}", shown(finding.detail.as_bytes(), usize::MAX));
    }
    text
}

struct Lines {
    text: String,
}

impl Lines {
    fn add(&mut self, name: &str, value: String) {
        let line = format!("  {name:<9}  {value}");
        let _ = writeln!(self.text, "{}", line.trim_end());
    }
}

fn size_text(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut size = bytes as f64 / 1000.0;
    let mut unit = 0;
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1000.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

fn encoding_name(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Utf8 => "UTF-8",
        Encoding::Utf16Little => "UTF-16 little-endian",
        Encoding::Utf16Big => "UTF-16 big-endian",
    }
}

/// One object, and a line end.
pub fn json_of(seen: &Seen) -> String {
    let tally = &seen.tally;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let samples = seen.samples.iter().map(|sample| {
        let fields = sample.fields.iter();
        let fields = fields.map(|(name, value)| (name.clone(), Value::String(text(value))));
        json!({
            "offset": sample.offset,
            "time": sample.time.map(|time| time.to_string()),
            "level": sample.level.map(|level| level.name()),
            "message": text(&sample.message),
            "fields": fields.collect::<Map<_, _>>(),
        })
    });
    let malformed = tally.samples.iter();
    let malformed =
        malformed.map(|sample| json!({ "offset": sample.offset, "text": text(&sample.text) }));
    let findings = tally.findings.iter().map(
        |finding| json!({ "what": finding.kind.text(), "detail": finding.detail, "loss": finding.kind.is_loss() }),
    );
    let mut object = json!({
        "path": text(&seen.path),
        "compression": seen.compression.name(),
        "encoding": encoding_name(seen.encoding),
        "bytes": seen.size,
        "decoded_bytes": tally.bytes,
        "partial": seen.is_partial,
        "binary": seen.is_binary,
        "format": seen.format,
        "why": seen.why,
        "fitted": tally.formats,
        "lines": tally.lines,
        "entries": tally.entries,
        "malformed": tally.malformed,
        "continuation_lines": tally.continuation,
        "blank_lines": tally.blank,
        "header_lines": tally.header,
        "cut_lines": tally.cut,
        "untimed": tally.untimed,
        "first": tally.first.map(|time| time.to_string()),
        "last": tally.last.map(|time| time.to_string()),
        "bytes_per_day": seen.bytes_per_day(),
        "fields": seen.fields,
        "samples": samples.collect::<Vec<_>>(),
        "malformed_samples": malformed.collect::<Vec<_>>(),
        "findings": findings.collect::<Vec<_>>(),
    })
    .to_string();
    object.push('\n');
    object
}

pub fn json_of_unread(finding: &Finding) -> String {
    let error = said(finding);
    let path = String::from_utf8_lossy(&finding.path);
    format!("{}\n", json!({ "path": path, "error": error }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_the_terminal() {
        let text = "a\u{1b}[31mb\r\n\tc\u{202e}d\u{9b}e\0é";
        let escaped = shown(text.as_bytes(), 100);
        assert_eq!(escaped, "a\\u{1b}[31mb\\r\\n\\tc\\u{202e}d\\u{9b}e\\u{0}é");
        assert_eq!(shown(b"\xff\x9b", 9), "\u{fffd}\u{fffd}");
        assert_eq!(shown("ééé".as_bytes(), 2), "éé…");
    }

    #[test]
    fn sizes_are_short() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (u64::MAX, "18446.7 PB"),
        ] {
            assert_eq!(size_text(bytes), text);
        }
    }
}
