//! Files that appear whole or not at all.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::failure::{Failure, Result};

/// A file that is being written. Until [`Output::commit`] it lies beside its place under another name;
/// dropped without, it leaves nothing behind.
#[derive(Debug)]
pub struct Output {
    path: PathBuf,
    /// Where it goes: what `path` leads to if it is a symbolic link.
    place: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl Output {
    /// Begins a file at `path`.
    ///
    /// # Errors
    /// The folder is not there or not writable, or at `path` there is something other than a file.
    pub fn create(path: &Path) -> Result<Output> {
        let cannot =
            |why: &str| Failure::bad_input(format!("{} cannot be written: {why}", path.display()));
        let place = match fs::metadata(path) {
            Ok(there) if there.is_dir() => return Err(cannot("it is a directory")),
            Ok(there) if !there.is_file() => return Err(cannot("it is not a regular file")),
            Ok(_) => fs::canonicalize(path).map_err(|error| cannot(&error.to_string()))?,
            Err(_) => path.to_owned(),
        };
        let folder = match place.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        if place.file_name().is_none() {
            return Err(cannot("it names no file"));
        }
        // Of what the system says, not the name of the temporary file, which nobody asked for.
        let file = temporary(folder).map_err(|error| cannot(&reason(&error)))?;
        Ok(Output {
            path: path.to_owned(),
            place,
            file: BufWriter::new(file),
        })
    }

    /// Begins a file at `path`, if there is one.
    ///
    /// # Errors
    /// As [`Output::create`].
    pub fn create_if_asked(path: Option<&PathBuf>) -> Result<Option<Output>> {
        path.map(|path| Output::create(path)).transpose()
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// The disk is full, or the folder went away: nothing is written then.
    pub fn commit(self) -> Result<()> {
        let cannot = |error: &io::Error| {
            let (path, why) = (self.path.display(), reason(error));
            Failure::bad_input(format!("{path} cannot be written: {why}"))
        };
        let file = self.file.into_inner();
        let file = file.map_err(|error| cannot(error.error()))?;
        file.persist(&self.place)
            .map_err(|error| cannot(&error.error))?;
        Ok(())
    }

    /// The failure of a write to this file.
    pub fn failed(&self, error: &io::Error) -> Failure {
        Failure::bad_input(format!(
            "{} cannot be written: {error}",
            self.path.display()
        ))
    }
}

/// What went wrong, in the words of the system.
pub fn reason(error: &io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.source());
    let inner = inner.and_then(|inner| inner.downcast_ref::<io::Error>());
    match (inner, error.kind()) {
        (Some(inner), _) => inner.to_string(),
        (None, io::ErrorKind::NotFound) => "there is no such folder".into(),
        (None, kind) => kind.to_string(),
    }
}

fn temporary(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".faultlab-").suffix(".tmp");
    #[cfg(unix)]
    {
        // As any other new file: what the umask leaves.
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("out");
        fs::write(&path, "before").expect("writable");
        let names = || fs::read_dir(folder.path()).expect("readable").count();

        let mut dropped = Output::create(&path).expect("writable");
        dropped.write_all(b"half").expect("writable");
        drop(dropped);
        assert_eq!(
            (fs::read(&path).expect("there"), names()),
            (b"before".to_vec(), 1)
        );

        let mut whole = Output::create(&path).expect("writable");
        whole.write_all(b"after").expect("writable");
        whole.commit().expect("writable");
        assert_eq!(
            (fs::read(&path).expect("there"), names()),
            (b"after".to_vec(), 1)
        );
    }

    #[test]
    fn only_a_file_can_be_written() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let says = |path: &Path| Output::create(path).expect_err("refused").to_string();
        assert!(says(folder.path()).ends_with("it is a directory"));
        // Only the path that was asked for, and not that of a temporary file beside it.
        let missing = folder.path().join("missing/out");
        let refused = format!("{} cannot be written", missing.display());
        assert!(says(&missing).starts_with(&refused), "{}", says(&missing));
        assert!(says(Path::new("/")).ends_with("it is a directory"));
        assert!(says(Path::new("")).contains("names no file"));
    }
}
