//! How a registry prints: as `reg query /s` would, whole.

use std::fmt;

use super::key::Key;
use super::path::Root;
use super::{Registry, units};

/// Keys with their values, in the form of `reg query /s`; keys without values and subkeys too.
impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, root) in [("MACHINE", Root::LocalMachine), ("USER", Root::Users)] {
            if let Some(key) = self.root.find(&units(name)) {
                print(f, root.long_name(), key)?;
            }
        }
        if !self.handles.is_empty() {
            writeln!(
                f,
                "\n{} open handles, {} waiting",
                self.handles.len(),
                self.armed.len()
            )?;
        }
        Ok(())
    }
}

/// A key by its own name, with all below it.
impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        print(f, &self.name().to_string(), self)
    }
}

fn print(f: &mut fmt::Formatter<'_>, path: &str, key: &Key) -> fmt::Result {
    if key.value_count() > 0 || key.key_count() == 0 {
        writeln!(f, "\n{path}")?;
    }
    for (name, value) in key.values() {
        let name = match name.is_empty() {
            true => "(Default)".to_owned(),
            false => name.to_string(),
        };
        writeln!(f, "    {name}    {value:?}")?;
    }
    key.keys()
        .try_for_each(|below| print(f, &format!("{path}\\{}", below.name()), below))
}
