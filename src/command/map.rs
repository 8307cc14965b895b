//! `map`: a node, on stdin and stdout.

use crate::error::{Error, Outcome};

pub fn map() -> Result<Outcome, Error> {
    mapper::serve::serve()
        .map(|()| Outcome::Done)
        .map_err(|error| Error::Failed(error.to_string()))
}
