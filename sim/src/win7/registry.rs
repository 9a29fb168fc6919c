//! The registry: keys, values, and the error codes of the calls that read and write them.
//!
//! Not modelled yet: hives, security, views, links, notification, limits. Each call below is one that
//! the real system performs as a whole; between two calls of a program others may come in.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A value's type and data.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Data {
    /// REG_SZ (1): text, never expanded.
    Sz(String),
    /// REG_EXPAND_SZ (2): text with `%NAME%` references.
    ExpandSz(String),
    /// REG_DWORD (4).
    Dword(u32),
}

impl Data {
    /// The data as text, as `reg query` shows it.
    pub fn text(&self) -> String {
        match self {
            Data::Sz(text) | Data::ExpandSz(text) => text.clone(),
            Data::Dword(number) => format!("{number:#x}"),
        }
    }

    /// The name of its type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Data::Sz(_) => "REG_SZ",
            Data::ExpandSz(_) => "REG_EXPAND_SZ",
            Data::Dword(_) => "REG_DWORD",
        }
    }

    /// The same type with another text.
    ///
    /// # Errors
    /// [`Error::InvalidParameter`] for a type that holds no text.
    pub fn with_text(&self, text: String) -> Result<Data, Error> {
        match self {
            Data::Sz(_) => Ok(Data::Sz(text)),
            Data::ExpandSz(_) => Ok(Data::ExpandSz(text)),
            Data::Dword(_) => Err(Error::InvalidParameter),
        }
    }
}

/// How a registry call fails, with its Win32 code.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// 2: no such key or value.
    FileNotFound,
    /// 5: refused.
    AccessDenied,
    /// 87: the call makes no sense for this data.
    InvalidParameter,
}

impl Error {
    /// The Win32 code.
    pub fn code(self) -> u32 {
        match self {
            Error::FileNotFound => 2,
            Error::AccessDenied => 5,
            Error::InvalidParameter => 87,
        }
    }

    /// The name in `winerror.h`.
    pub fn name(self) -> &'static str {
        match self {
            Error::FileNotFound => "ERROR_FILE_NOT_FOUND",
            Error::AccessDenied => "ERROR_ACCESS_DENIED",
            Error::InvalidParameter => "ERROR_INVALID_PARAMETER",
        }
    }
}

/// Names compare without case and are stored as written.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Folded(String);

impl Folded {
    fn of(name: &str) -> Folded {
        // One character to one, as the system's upper-case table has it.
        let upper = name.chars().map(|c| {
            let mut upper = c.to_uppercase();
            match (upper.next(), upper.next()) {
                (Some(single), None) => single,
                _ => c,
            }
        });
        Folded(upper.collect())
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct NamedValue {
    name: String,
    data: Data,
}

#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Values {
    name: String,
    values: BTreeMap<Folded, NamedValue>,
}

/// All keys, by full path. A clone shares them until one side writes.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Registry {
    keys: Arc<BTreeMap<Folded, Values>>,
}

impl Registry {
    /// Creates a key and those above it; one that exists stays as it is.
    pub fn create(&mut self, key: &str) {
        let keys = Arc::make_mut(&mut self.keys);
        let ends = key.match_indices('\\').map(|(at, _)| at).chain([key.len()]);
        for end in ends {
            let name = &key[..end];
            keys.entry(Folded::of(name)).or_insert_with(|| Values {
                name: name.into(),
                ..Values::default()
            });
        }
    }

    /// Whether a key exists.
    ///
    /// # Errors
    /// 2 if it does not.
    pub fn open(&self, key: &str) -> Result<(), Error> {
        self.keys
            .get(&Folded::of(key))
            .map(|_| ())
            .ok_or(Error::FileNotFound)
    }

    /// A value's data.
    ///
    /// # Errors
    /// 2 if there is no such key or value.
    pub fn query(&self, key: &str, name: &str) -> Result<&Data, Error> {
        let values = self.keys.get(&Folded::of(key)).ok_or(Error::FileNotFound)?;
        let value = values
            .values
            .get(&Folded::of(name))
            .ok_or(Error::FileNotFound)?;
        Ok(&value.data)
    }

    /// Sets a value; a value that exists keeps the spelling of its name.
    ///
    /// # Errors
    /// 2 if there is no such key.
    pub fn set(&mut self, key: &str, name: &str, data: Data) -> Result<(), Error> {
        let keys = Arc::make_mut(&mut self.keys);
        let values = keys.get_mut(&Folded::of(key)).ok_or(Error::FileNotFound)?;
        values
            .values
            .entry(Folded::of(name))
            .and_modify(|value| value.data = data.clone())
            .or_insert_with(|| NamedValue {
                name: name.into(),
                data,
            });
        Ok(())
    }

    /// Deletes a value.
    ///
    /// # Errors
    /// 2 if there is no such key or value.
    pub fn delete_value(&mut self, key: &str, name: &str) -> Result<(), Error> {
        let keys = Arc::make_mut(&mut self.keys);
        let values = keys.get_mut(&Folded::of(key)).ok_or(Error::FileNotFound)?;
        values
            .values
            .remove(&Folded::of(name))
            .map(|_| ())
            .ok_or(Error::FileNotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_compare_without_case_and_keep_their_spelling() {
        let mut registry = Registry::default();
        registry.create("HKCU\\Environment");
        registry
            .set("hkcu\\ENVIRONMENT", "Path", Data::Sz("a".into()))
            .expect("the key is there");
        registry
            .set("HKCU\\Environment", "PATH", Data::Sz("b".into()))
            .expect("the key is there");
        assert_eq!(
            registry.query("HKCU\\Environment", "pAtH"),
            Ok(&Data::Sz("b".into()))
        );
        let values = &registry.keys[&Folded::of("HKCU\\Environment")].values;
        assert_eq!(
            values
                .values()
                .map(|value| &*value.name)
                .collect::<Vec<_>>(),
            ["Path"]
        );
    }

    #[test]
    fn what_is_absent_is_error_2() {
        let mut registry = Registry::default();
        registry.create("HKCU\\Environment");
        assert_eq!(
            registry.query("HKCU\\Nope", "x").map_err(Error::code),
            Err(2)
        );
        assert_eq!(
            registry
                .query("HKCU\\Environment", "x")
                .map_err(Error::code),
            Err(2)
        );
        assert_eq!(
            registry.delete_value("HKCU\\Environment", "x"),
            Err(Error::FileNotFound)
        );
        assert_eq!(registry.open("HKCU"), Ok(()));
    }
}
