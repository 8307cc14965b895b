//! Every format over any bytes: as a stream's head, as its lines and as entries. What `fields` gives must be what
//! `parse` finds under the same name.
#![no_main]

use jobspec::plan::{FieldPath, FormatChoice, FormatName, LogPlan, PathPart};
use jobspec::zone::Zone;
use libfuzzer_sys::fuzz_target;
use mapper::format::{Parsed, Wanted, choose};
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
                if parsed.valid {
                    for (found, value) in parsed.fields.iter().zip(&values) {
                        assert_eq!(found.map(|field| field.value().into_owned()).as_ref(), Some(value));
                    }
                }
            }
        }
    }
});
