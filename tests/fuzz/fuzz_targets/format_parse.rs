//! Every format over any bytes: as a stream's head, as its lines and as entries. What `fields` gives must be what
//! `parse` finds under the same name, and what is said to be written already must be so.
#![no_main]

use jobspec::plan::{FieldPath, FormatChoice, FormatName, LogPlan, PathPart};
use jobspec::value::write_json_text;
use jobspec::zone::Zone;
use libfuzzer_sys::fuzz_target;
use mapper::entry::FieldKind;
use mapper::format::{Format, Parsed, Wanted, choose};
use mapper::time::{TimeReader, YearRule};

fn log_plan(nested_json: bool) -> LogPlan {
    LogPlan {
        name: "log".to_owned(),
        paths: Vec::new(),
        format: FormatChoice::Auto,
        timezone: None,
        year: None,
        disorder_ns: None,
        rotation: None,
        nested_json,
        derive: Vec::new(),
        drop: None,
        tag: Vec::new(),
        redact: Vec::new(),
    }
}

/// The fields of an entry as a JSON object, where none of them has to be escaped.
fn written(format: &dyn Format, raw: &[u8]) -> Vec<u8> {
    let mut written = Vec::new();
    format.fields(raw, &mut |name, field| {
        written.push(if written.is_empty() { b'{' } else { b',' });
        write_json_text(&name, &mut written);
        written.push(b':');
        match field.kind {
            FieldKind::Text => write_json_text(field.text, &mut written),
            _ => written.extend_from_slice(field.text),
        }
    });
    if written.is_empty() {
        written.push(b'{');
    }
    written.push(b'}');
    written
}

fuzz_target!(|data: &[u8]| {
    let berlin: Zone = "Europe/Berlin".parse().expect("a zone");
    let named = FormatName::ALL.map(FormatChoice::Named);
    for choice in named.into_iter().chain([FormatChoice::Auto]) {
        for nested in [false, true] {
            let format = choose(choice, &log_plan(nested), &[], data).format;
            let year = YearRule::LatestBefore { mtime_ns: 1_768_867_200_000_000_000 };
            let mut times = TimeReader::new(berlin, year);
            for raw in data.split(|byte| *byte == b'\n').chain([data]) {
                format.starts(raw);
                format.joins_next(raw);
                format.unwrap_line(raw, &mut Vec::new());
                let (mut wanted, mut values) = (Wanted::default(), Vec::new());
                format.fields(raw, &mut |name, field| {
                    if let Ok(name) = String::from_utf8(name.into_owned()) {
                        wanted.paths.push(FieldPath {
                            text: name.clone(),
                            parts: vec![PathPart::Name(name)],
                        });
                        values.push(field.value().into_owned());
                    }
                });
                let mut parsed = Parsed::default();
                parsed.clear(&wanted);
                format.parse(raw, &wanted, &mut times, &mut parsed);
                if parsed.valid && format.is_fields(raw) {
                    assert_eq!(written(&*format, raw), raw);
                }
                if parsed.valid {
                    for (found, value) in parsed.fields.iter().zip(&values) {
                        assert_eq!(found.map(|field| field.value().into_owned()).as_ref(), Some(value));
                    }
                }
            }
        }
    }
});
