//! `gen`: seeded logs to try things on, from the command line.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use super::r#gen::{Corpus, Request, run};
use crate::args::GenArguments;
use crate::error::{Error, Outcome};

pub fn generate(arguments: &GenArguments) -> Result<Outcome, Error> {
    let seed = arguments.seed;
    if arguments.kind == "incident" {
        let Some(folder) = arguments.out.clone() else {
            return Err(Error::Usage(
                "gen incident: --out names the folder to write".to_owned(),
            ));
        };
        let request = Request::Incident {
            folder: folder.clone(),
            seed,
        };
        let mut facts = Vec::new();
        run(&request, &mut facts).map_err(|error| Error::failed(folder.display(), error))?;
        return super::print(&facts);
    }
    let corpus = Corpus::ALL
        .into_iter()
        .find(|(name, _)| *name == arguments.kind);
    let Some((_, corpus)) = corpus else {
        let text = format!(
            "gen: `{}` is none of incident, json, access, plain",
            arguments.kind
        );
        return Err(Error::Usage(text));
    };
    let bytes = jobspec::size(&arguments.bytes)
        .map_err(|error| Error::Usage(format!("--bytes {}: {error}", arguments.bytes)))?;
    let request = Request::Corpus {
        corpus,
        bytes,
        seed,
    };
    let write = |out: &mut dyn Write| run(&request, out).and_then(|()| out.flush());
    let (place, written) = match &arguments.out {
        Some(path) => {
            let file = File::create(path).map_err(|error| Error::failed(path.display(), error))?;
            (
                path.display().to_string(),
                write(&mut BufWriter::with_capacity(1 << 20, file)),
            )
        }
        None => {
            let out = io::stdout().lock();
            (
                "stdout".to_owned(),
                write(&mut BufWriter::with_capacity(1 << 20, out)),
            )
        }
    };
    match written {
        // A reader that has gone away (`| head`) is no failure.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::failed(place, error)),
        _ => Ok(Outcome::Done),
    }
}
