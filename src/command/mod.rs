//! One file a command; the listing is the list of commands.

mod check;
mod formats;
pub mod r#gen;
mod generate;
mod hosts;
mod map;
mod query;
mod reduce;
mod run;
mod schema;

use crate::args::Command;
use crate::error::{Error, Outcome};

/// Executes the command.
pub fn execute(command: Command) -> Result<Outcome, Error> {
    match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Check(arguments) => check::check(&arguments),
        Command::Hosts(arguments) => hosts::hosts(&arguments),
        Command::Query(arguments) => query::query(&arguments),
        Command::Formats(arguments) => formats::formats(&arguments),
        Command::Reduce(arguments) => reduce::reduce(&arguments),
        Command::Gen(arguments) => generate::generate(&arguments),
        Command::Schema => schema::schema(),
        Command::Map => map::map(),
    }
}

/// Writes an answer to stdout. A reader that has gone away (`| head`) is no failure.
fn print(text: &[u8]) -> Result<Outcome, Error> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::failed("stdout", error))
        }
        _ => Ok(Outcome::Done),
    }
}
