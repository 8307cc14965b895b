//! `junit.xml`: every check a test case, for whatever shows the tests of a CI step.

use std::fmt::Write;
use std::path::Path;

use jobspec::diagnostic::shown;

use crate::Error;
use crate::verdict::{CheckOutcome, Verdict};

/// Characters of a message.
const MOST: usize = 10_000;

/// Writes the file into the folder, if there are checks.
pub fn write(
    folder: &Path,
    job: &str,
    started: &str,
    seconds: f64,
    verdict: &Verdict,
) -> Result<(), Error> {
    if verdict.checks.is_empty() {
        return Ok(());
    }
    let path = folder.join("junit.xml");
    std::fs::write(&path, text(job, started, seconds, verdict)).map_err(Error::io(&path))
}

fn text(job: &str, started: &str, seconds: f64, verdict: &Verdict) -> String {
    let (name, tests) = (quoted(job), verdict.checks.len());
    let failures = verdict.checks.iter();
    let failures = failures.filter(|check| check.outcome != CheckOutcome::Passed);
    let failures = failures.count();
    // xs:dateTime as the JUnit schemas have it: without a zone, which is UTC here.
    let started = quoted(started.trim_end_matches('Z'));
    let counts = format!(
        "tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{seconds:.3}\""
    );
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" time=\"{seconds:.3}\">\n\
         \x20 <testsuite name=\"{name}\" {counts} timestamp=\"{started}\">\n"
    );
    for check in &verdict.checks {
        let _ = write!(
            xml,
            "    <testcase name=\"{}\" classname=\"{name}\" time=\"0\"",
            quoted(&check.name)
        );
        let message = quoted(&check.why);
        let _ = match check.outcome {
            CheckOutcome::Passed => writeln!(xml, "/>"),
            outcome => writeln!(
                xml,
                ">\n      <failure message=\"{message}\" type=\"{}\">{}: {message}</failure>\n    </testcase>",
                outcome.name(),
                quoted(&check.text)
            ),
        };
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

/// A text inside an attribute or an element. Characters that XML cannot have are written out.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for char in shown(text.as_bytes(), MOST).chars() {
        match char {
            '&' => quoted.push_str("&amp;"),
            '<' => quoted.push_str("&lt;"),
            '>' => quoted.push_str("&gt;"),
            '"' => quoted.push_str("&quot;"),
            '\'' => quoted.push_str("&apos;"),
            '\u{fffe}' | '\u{ffff}' => quoted.push('\u{fffd}'),
            char => quoted.push(char),
        }
    }
    quoted
}
