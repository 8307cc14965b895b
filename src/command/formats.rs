//! `formats`: what a file is and how it parses, each file by itself; text for a person or JSON lines.

mod look;
mod show;

use std::os::unix::ffi::OsStrExt;

use crate::args::FormatsArguments;
use crate::error::{Error, Outcome};

use super::print;

pub fn formats(arguments: &FormatsArguments) -> Result<Outcome, Error> {
    let mut unread = 0;
    for (index, path) in arguments.files.iter().enumerate() {
        let path = path.as_os_str().as_bytes();
        let looked = look::look(path);
        unread += usize::from(looked.is_err());
        let text = match (arguments.json, looked) {
            (true, Ok(seen)) => show::json_of(&seen),
            (true, Err(finding)) => show::json_of_unread(&finding),
            (false, looked) => {
                let gap = if index > 0 { "\n" } else { "" };
                let shown = match looked {
                    Ok(seen) => show::text_of(&seen),
                    Err(finding) => show::text_of_unread(&finding),
                };
                format!("{gap}{shown}")
            }
        };
        print(text.as_bytes())?;
    }
    match (unread, arguments.files.len()) {
        (0, _) => Ok(Outcome::Done),
        (_, all) => Err(Error::Failed(format!(
            "formats: {unread} of {all} files could not be read"
        ))),
    }
}
