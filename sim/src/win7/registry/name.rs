//! Names as the system has them: UTF-16 code units, compared by an upper-case table, kept as written.

use std::fmt;
use std::sync::Arc;

use crate::win7::text::upcase;

/// The backslash that divides a path.
pub(super) const SEPARATOR: u16 = b'\\' as u16;

/// The name of a key or value. Unpaired surrogates survive; case is kept.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Name {
    text: Arc<[u16]>,
    folded: Arc<[u16]>,
}

impl Name {
    /// The name that these code units are.
    pub fn new(units: &[u16]) -> Name {
        let text: Arc<[u16]> = units.into();
        let folded = match units.iter().all(|unit| upcase(*unit) == *unit) {
            true => text.clone(),
            false => units.iter().map(|unit| upcase(*unit)).collect(),
        };
        Name { text, folded }
    }

    /// Its code units, as written.
    pub fn units(&self) -> &[u16] {
        &self.text
    }

    /// Its code units in upper case: what names are compared and sorted by.
    pub fn folded(&self) -> &[u16] {
        &self.folded
    }

    /// Whether it is the empty name, which is that of a key's default value.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Whether the system takes both for one.
    pub fn same_as(&self, other: &Name) -> bool {
        self.folded == other.folded
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Name {
        Name::new(&units(text))
    }
}

/// Unpaired surrogates appear as U+FFFD.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&String::from_utf16_lossy(&self.text))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf16_lossy(&self.text))
    }
}

/// The code units of a text.
pub fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().collect()
}

/// All code units in upper case.
pub(super) fn fold_all(text: &[u16]) -> Vec<u16> {
    text.iter().map(|unit| upcase(*unit)).collect()
}
