//! `formats`: what a file is and how it parses.

use crate::args::FormatsArguments;
use crate::error::{Error, Outcome};

pub fn formats(_arguments: &FormatsArguments) -> Result<Outcome, Error> {
    Err(Error::Usage("formats: not in this version".to_owned()))
}
