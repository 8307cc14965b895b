//! The log on stderr: warnings and the one summary line, or what RUST_LOG asks for. What carries alerts is never heard: at
//! its finest levels it would print whole requests, and with them secrets.

use log::{Log, Metadata, Record};

/// Crates that see a secret.
const SILENT: [&str; 3] = ["ureq", "lettre", "rustls"];

struct Logger(env_logger::Logger);

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let target = metadata.target();
        !SILENT.iter().any(|name| target.starts_with(name)) && self.0.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.log(record);
        }
    }

    fn flush(&self) {
        self.0.flush();
    }
}

pub fn begin() {
    let environment = env_logger::Env::default().default_filter_or("warn,summary=info");
    let mut builder = env_logger::Builder::from_env(environment);
    let logger = builder.format_target(false).build();
    log::set_max_level(logger.filter());
    // Nobody else has set one: this is the first thing that the program does.
    let _ = log::set_boxed_logger(Box::new(Logger(logger)));
}
