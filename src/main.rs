//! logstitch: analyses logs where they lie. Command line in, exit code out.

mod args;
mod asked;
mod clock;
mod command;
mod contact;
mod deploy;
mod error;
mod fleet;
mod host;
mod job;
mod logging;
mod look;
mod notify;
mod resume;
mod transport;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    logging::begin();
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, on stdout and with success; clap knows which is which.
            let code = error.exit_code();
            return match error.print() {
                Ok(()) => ExitCode::from(code as u8),
                Err(_) => ExitCode::FAILURE,
            };
        }
    };
    match command::execute(arguments.command) {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
