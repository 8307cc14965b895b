//! The folder of a run's outputs: made beside its place, renamed into it when all is written.

use std::path::{Path, PathBuf};

use super::summary::SIGN;
use crate::Error;

/// Where a run's spool lies in it.
pub const SPOOL: &str = "spool";

/// A folder in the making.
#[derive(Debug)]
pub struct Folder {
    place: PathBuf,
    temporary: PathBuf,
}

impl Folder {
    /// Where a folder is while it is in the making.
    pub fn temporary(place: &Path) -> Result<PathBuf, Error> {
        let name = place.file_name().ok_or_else(|| {
            Error::Other(format!(
                "{}: outputs need a folder with a name of its own",
                place.display()
            ))
        })?;
        let mut partial = std::ffi::OsString::from(".");
        partial.push(name);
        partial.push(".partial");
        Ok(parent(place).join(partial))
    }

    /// Goes on with the folder of a run that was stopped; of what it holds only the spool stays.
    pub fn resume(place: &Path) -> Result<Folder, Error> {
        let temporary = Folder::temporary(place)?;
        for entry in std::fs::read_dir(&temporary).map_err(Error::io(&temporary))? {
            let entry = entry.map_err(Error::io(&temporary))?;
            let path = entry.path();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let removed = match is_folder {
                true if entry.file_name() == SPOOL => Ok(()),
                true => std::fs::remove_dir_all(&path),
                false => std::fs::remove_file(&path),
            };
            removed.map_err(Error::io(&path))?;
        }
        Ok(Folder {
            place: place.to_owned(),
            temporary,
        })
    }

    /// Begins the folder that will be `place`. A folder that is there already is replaced at the end, if it is empty or
    /// holds the outputs of a run: never anything else.
    pub fn create(place: &Path) -> Result<Folder, Error> {
        match std::fs::read_dir(place) {
            Ok(mut entries) => {
                if entries.next().is_some() && !place.join(SIGN).is_file() {
                    return Err(Error::Other(format!(
                        "{}: holds files that are no outputs of a run; name a new or an empty folder",
                        place.display()
                    )));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(place)(error)),
        }
        let temporary = Folder::temporary(place)?;
        let parent = parent(place);
        std::fs::create_dir_all(parent).map_err(Error::io(parent))?;
        if temporary.exists() {
            // What a run that was killed has left.
            std::fs::remove_dir_all(&temporary).map_err(Error::io(&temporary))?;
        }
        std::fs::create_dir(&temporary).map_err(Error::io(&temporary))?;
        Ok(Folder {
            place: place.to_owned(),
            temporary,
        })
    }

    /// Where to write until `publish`.
    pub fn path(&self) -> &Path {
        &self.temporary
    }

    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Renames the folder into its place.
    pub fn publish(self) -> Result<(), Error> {
        sync(&self.temporary)?;
        let mut old = None;
        if self.place.exists() {
            let aside = self.temporary.with_extension("old");
            if aside.exists() {
                std::fs::remove_dir_all(&aside).map_err(Error::io(&aside))?;
            }
            std::fs::rename(&self.place, &aside).map_err(Error::io(&self.place))?;
            old = Some(aside);
        }
        if let Err(error) = std::fs::rename(&self.temporary, &self.place) {
            if let Some(old) = &old {
                std::fs::rename(old, &self.place).map_err(Error::io(&self.place))?;
            }
            return Err(Error::io(&self.place)(error));
        }
        let parent = parent(&self.place);
        sync(parent)?;
        match old {
            Some(old) => std::fs::remove_dir_all(&old).map_err(Error::io(&old)),
            None => Ok(()),
        }
    }

    /// Removes what was written so far.
    pub fn discard(self) -> Result<(), Error> {
        std::fs::remove_dir_all(&self.temporary).map_err(Error::io(&self.temporary))
    }
}

/// The names in a folder are on disk.
fn sync(folder: &Path) -> Result<(), Error> {
    let synced = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(Error::io(folder))
}

fn parent(place: &Path) -> &Path {
    match place.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_something_else_is_never_replaced() {
        let base = std::env::temp_dir().join(format!("logstitch-folder-{}", std::process::id()));
        std::fs::create_dir_all(&base).unwrap();
        let place = base.join("out");
        for text in ["first", "second"] {
            let folder = Folder::create(&place).unwrap();
            std::fs::write(folder.path().join(SIGN), text).unwrap();
            folder.publish().unwrap();
            assert_eq!(std::fs::read_to_string(place.join(SIGN)).unwrap(), text);
        }
        assert_eq!(
            std::fs::read_dir(&base).unwrap().count(),
            1,
            "nothing else is left beside it"
        );
        std::fs::remove_file(place.join(SIGN)).unwrap();
        std::fs::write(place.join("thesis.tex"), "").unwrap();
        assert!(
            Folder::create(&place)
                .unwrap_err()
                .to_string()
                .contains("no outputs of a run")
        );
        std::fs::remove_dir_all(&base).unwrap();
    }
}
