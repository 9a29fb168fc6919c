//! Strings of UTF-16 units.

use std::fmt;

use super::upcase;

/// A string as Windows has it: 16-bit units, which need not be well-formed UTF-16.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Wide(Vec<u16>);

impl Wide {
    /// The string of some units.
    pub fn new(units: Vec<u16>) -> Wide {
        Wide(units)
    }

    /// Its units.
    pub fn units(&self) -> &[u16] {
        &self.0
    }

    /// Its units, for keeps.
    pub fn into_units(self) -> Vec<u16> {
        self.0
    }

    /// How many units it has. Lengths of Windows count these, not characters.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The string as UTF-8, unless a surrogate stands alone.
    pub fn to_utf8(&self) -> Option<String> {
        String::from_utf16(&self.0).ok()
    }

    /// The string with `U+FFFD` for unpaired surrogates.
    pub fn to_utf8_lossy(&self) -> String {
        String::from_utf16_lossy(&self.0)
    }

    /// The units as bytes, low byte first: what REG_SZ data and UTF-16LE files hold.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|unit| unit.to_le_bytes()).collect()
    }

    /// The string of bytes, low byte first; an odd byte at the end is returned beside it.
    pub fn from_le_bytes(bytes: &[u8]) -> (Wide, Option<u8>) {
        let (pairs, odd) = bytes.as_chunks::<2>();
        (
            Wide(pairs.iter().map(|pair| u16::from_le_bytes(*pair)).collect()),
            odd.first().copied(),
        )
    }

    /// The string with each unit in upper case: names of variables, files and keys that agree in this are
    /// one name.
    pub fn to_upcase(&self) -> Wide {
        Wide(self.0.iter().copied().map(upcase).collect())
    }
}

impl From<&str> for Wide {
    fn from(text: &str) -> Wide {
        Wide(text.encode_utf16().collect())
    }
}

impl AsRef<[u16]> for Wide {
    fn as_ref(&self) -> &[u16] {
        &self.0
    }
}

impl From<&[u16]> for Wide {
    fn from(units: &[u16]) -> Wide {
        Wide(units.to_vec())
    }
}

/// Unpaired surrogates show as U+FFFD.
impl fmt::Display for Wide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_utf8_lossy())
    }
}

/// As a Rust string literal; an unpaired surrogate is `\u{d800}`, which no such literal can hold.
impl fmt::Debug for Wide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for unit in char::decode_utf16(self.0.iter().copied()) {
            match unit {
                Ok(c) => write!(f, "{}", c.escape_debug())?,
                Err(lone) => write!(f, "\\u{{{:x}}}", lone.unpaired_surrogate())?,
            }
        }
        f.write_str("\"")
    }
}
