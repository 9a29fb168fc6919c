//! Loading a file as the base of a machine: all of it, or nothing.

use std::fmt;

use super::{Flaw, Line, RegFile};
use crate::win7::registry::Registry;
use crate::win7::registry::access::Caller;
use crate::win7::registry::error::{CreateError, OpenError, Win32};
use crate::win7::registry::key::{Key, split};
use crate::win7::registry::name::Name;
use crate::win7::registry::path::{KeyPath, Root};

/// Why a file was not loaded. Nothing of it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LoadError {
    /// The line, from 1.
    pub line: u32,
    /// The column in UTF-16 units, from 1.
    pub column: u32,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for LoadError {}

impl From<Flaw> for LoadError {
    fn from(flaw: Flaw) -> LoadError {
        LoadError {
            line: flaw.line,
            column: flaw.column,
            what: flaw.what.into(),
        }
    }
}

impl Registry {
    /// Adds all that a .reg file says, such as the export of a real machine. Hives that it names and that
    /// are not there are mounted. Unlike `reg import` it passes nothing over: the first line that makes no
    /// sense, or whose call fails, is the error, and the registry stays as it was.
    ///
    /// # Errors
    /// See above.
    pub fn load(&mut self, caller: &Caller, file: &RegFile) -> Result<(), LoadError> {
        if let Some(flaw) = file.passed_over.first() {
            return Err(flaw.clone().into());
        }
        let mut loaded = self.clone();
        let mut key = None;
        for entry in &file.lines {
            let wrong = |what: String| LoadError {
                line: entry.number,
                column: 1,
                what,
            };
            let refused = |path: &KeyPath, error: Win32| wrong(format!("{path}: {error}"));
            match &entry.line {
                Line::Key(path) => {
                    let mut result = loaded.create_key(caller, path);
                    if result == Err(CreateError::InvalidParameter) && loaded.mount_for(path) {
                        result = loaded.create_key(caller, path);
                    }
                    result.map_err(|error| refused(path, error.into()))?;
                    key = Some(path);
                }
                Line::DeleteKey(path) => {
                    key = None;
                    // What is not there need not go.
                    if loaded.spot(caller, path).err() != Some(OpenError::FileNotFound) {
                        let deleted = loaded.delete_tree(caller, path);
                        deleted.map_err(|error| refused(path, error.into()))?;
                    }
                }
                Line::NoKey => return Err(wrong("this names no key".into())),
                Line::Set(name, value) => {
                    let path = key.ok_or_else(|| wrong(format!("{name:?} belongs to no key")))?;
                    loaded
                        .set_value(caller, path, name, value.clone())
                        .map_err(|error| refused(path, error.into()))?;
                }
                Line::Delete(name) => {
                    let path = key.ok_or_else(|| wrong(format!("{name:?} belongs to no key")))?;
                    // A value that is not there need not go.
                    let _ = loaded.delete_value(caller, path, name);
                }
            }
        }
        *self = loaded;
        Ok(())
    }

    /// Mounts the hive that a path lies in, if it lacks.
    fn mount_for(&mut self, path: &KeyPath) -> bool {
        let (hive, _) = split(&path.sub);
        let roots = [Root::LocalMachine, Root::Users];
        roots.contains(&path.root)
            && !hive.is_empty()
            && self.mount(path.root, Key::new(Name::new(hive))).is_ok()
    }
}
