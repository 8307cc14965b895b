//! Where secrets are: an environment variable, or a file that nobody else may read.

use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use jobspec::job::NotifySpec;

/// Bytes of a file.
const MOST_BYTES: u64 = 64 << 10;

/// Whether every secret of a notification is there.
pub fn check(spec: &NotifySpec, folder: &Path) -> Result<(), String> {
    let named: Vec<&String> = match spec {
        NotifySpec::Webhook { url }
        | NotifySpec::Slack { url }
        | NotifySpec::Alertmanager { url } => vec![url],
        NotifySpec::Pagerduty { key, endpoint } => {
            let endpoint = endpoint.iter();
            endpoint.chain([key]).collect()
        }
        NotifySpec::Smtp { password, .. } => password.iter().collect(),
        NotifySpec::Command { .. } => Vec::new(),
    };
    named
        .into_iter()
        .try_for_each(|text| value(text, folder).map(|_| ()))
}

/// The secret that a text of the job names, or the text itself where it names none.
pub fn value(text: &str, folder: &Path) -> Result<String, String> {
    let secret = if let Some(name) = text.strip_prefix('$') {
        std::env::var(name).map_err(|_| format!("the environment has no {text}"))?
    } else if let Some(path) = text.strip_prefix("file:") {
        of_file(&folder.join(path))?
    } else {
        return Ok(text.to_owned());
    };
    let secret = secret.trim_end_matches(['\n', '\r']);
    if secret.is_empty() {
        return Err(format!("{text} is empty"));
    }
    if secret.chars().any(char::is_control) {
        return Err(format!("{text} holds more than one line"));
    }
    Ok(secret.to_owned())
}

fn of_file(path: &Path) -> Result<String, String> {
    let name = path.display();
    let failed = |error| format!("{name}: {error}");
    let file = std::fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(format!("{name}: not a regular file"));
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(format!(
            "{name}: mode {mode:04o} lets others read this secret; chmod 600 it"
        ));
    }
    let mut text = String::new();
    file.take(MOST_BYTES)
        .read_to_string(&mut text)
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::InvalidData => format!("{name}: not UTF-8"),
            _ => failed(error),
        })?;
    Ok(text)
}
