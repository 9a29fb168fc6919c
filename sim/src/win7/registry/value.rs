//! Values: a type, and bytes that nobody checks against it.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::name::units;

/// The type of a value: any number, of which these have names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub u32);

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        impl Kind {
            $( $(#[$doc])* pub const $name: Kind = Kind($number); )*

            /// Its name in `winnt.h`, if it has one.
            pub fn known_name(self) -> Option<&'static str> {
                match self.0 { $( $number => Some($text), )* _ => None }
            }
        }
    };
}

kinds! {
    /// No type.
    NONE = 0, "REG_NONE";
    /// Text.
    SZ = 1, "REG_SZ";
    /// Text with `%NAME%` references, which whoever reads it may expand.
    EXPAND_SZ = 2, "REG_EXPAND_SZ";
    /// Bytes.
    BINARY = 3, "REG_BINARY";
    /// A 32-bit number, little endian.
    DWORD = 4, "REG_DWORD";
    /// A 32-bit number, big endian.
    DWORD_BIG_ENDIAN = 5, "REG_DWORD_BIG_ENDIAN";
    /// The target of a symbolic link, without a NUL.
    LINK = 6, "REG_LINK";
    /// Texts one after the other, each with a NUL, and one more NUL.
    MULTI_SZ = 7, "REG_MULTI_SZ";
    /// A driver's resources.
    RESOURCE_LIST = 8, "REG_RESOURCE_LIST";
    /// A driver's resources.
    FULL_RESOURCE_DESCRIPTOR = 9, "REG_FULL_RESOURCE_DESCRIPTOR";
    /// A driver's resources.
    RESOURCE_REQUIREMENTS_LIST = 10, "REG_RESOURCE_REQUIREMENTS_LIST";
    /// A 64-bit number, little endian.
    QWORD = 11, "REG_QWORD";
}

impl Kind {
    /// Its name, or its number in hexadecimal.
    pub fn name(self) -> Cow<'static, str> {
        match self.known_name() {
            Some(name) => name.into(),
            None => format!("{:#x}", self.0).into(),
        }
    }

    /// Whether its data is text.
    pub fn is_text(self) -> bool {
        matches!(self, Kind::SZ | Kind::EXPAND_SZ | Kind::MULTI_SZ)
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// A value's type and data.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Value {
    /// The type.
    pub kind: Kind,
    /// The data, as it was given.
    pub data: Arc<[u8]>,
}

impl Value {
    /// These bytes with this type.
    pub fn new(kind: Kind, data: impl Into<Arc<[u8]>>) -> Value {
        Value {
            kind,
            data: data.into(),
        }
    }

    /// REG_SZ, with its NUL.
    pub fn sz(text: &str) -> Value {
        Value::new(Kind::SZ, text_bytes(text))
    }

    /// REG_EXPAND_SZ, with its NUL.
    pub fn expand_sz(text: &str) -> Value {
        Value::new(Kind::EXPAND_SZ, text_bytes(text))
    }

    /// REG_MULTI_SZ, with all its NULs.
    pub fn multi_sz<'a>(texts: impl IntoIterator<Item = &'a str>) -> Value {
        let mut data: Vec<u8> = texts.into_iter().flat_map(text_bytes).collect();
        data.extend([0, 0]);
        Value::new(Kind::MULTI_SZ, data)
    }

    /// REG_DWORD.
    pub fn dword(number: u32) -> Value {
        Value::new(Kind::DWORD, number.to_le_bytes().to_vec())
    }

    /// REG_QWORD.
    pub fn qword(number: u64) -> Value {
        Value::new(Kind::QWORD, number.to_le_bytes().to_vec())
    }

    /// REG_BINARY.
    pub fn binary(data: &[u8]) -> Value {
        Value::new(Kind::BINARY, data.to_vec())
    }

    /// The data as UTF-16 code units; a single byte at the end is left out.
    pub fn units(&self) -> Vec<u16> {
        self.data
            .chunks_exact(2)
            .map(|pair| u16::from_le_bytes([pair[0], pair[1]]))
            .collect()
    }

    /// The data as code units up to the first NUL, as programs read a text.
    pub fn text_units(&self) -> Vec<u16> {
        let mut units = self.units();
        units.truncate(
            units
                .iter()
                .position(|unit| *unit == 0)
                .unwrap_or(units.len()),
        );
        units
    }

    /// The data as `reg query` shows it.
    pub fn shown(&self) -> String {
        let number = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0u64, |number, byte| number << 8 | u64::from(*byte))
        };
        match (self.kind, self.data.len()) {
            (Kind::SZ | Kind::EXPAND_SZ, _) => String::from_utf16_lossy(&self.text_units()),
            (Kind::MULTI_SZ, _) => {
                let units = self.units();
                let end = units.len() - units.iter().rev().take_while(|unit| **unit == 0).count();
                String::from_utf16_lossy(&units[..end]).replace('\0', "\\0")
            }
            (Kind::DWORD, 4) | (Kind::QWORD, 8) => format!("{:#x}", number(&self.data)),
            (Kind::DWORD_BIG_ENDIAN, 4) => {
                let little: Vec<u8> = self.data.iter().rev().copied().collect();
                format!("{:#x}", number(&little))
            }
            _ => self.data.iter().map(|byte| format!("{byte:02X}")).collect(),
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}    {}", self.kind.name(), self.shown())
    }
}

/// A text as the registry keeps it: UTF-16LE and a NUL.
pub fn text_bytes(text: &str) -> Vec<u8> {
    bytes_of(units(text).into_iter().chain([0]))
}

/// Code units as little-endian bytes.
pub(super) fn bytes_of(units: impl IntoIterator<Item = u16>) -> Vec<u8> {
    units.into_iter().flat_map(u16::to_le_bytes).collect()
}

/// A value as a scenario writes it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Data {
    /// REG_SZ (1): text, never expanded.
    Sz(String),
    /// REG_EXPAND_SZ (2): text with `%NAME%` references.
    ExpandSz(String),
    /// REG_DWORD (4).
    Dword(u32),
    /// REG_QWORD (11).
    Qword(u64),
    /// REG_MULTI_SZ (7).
    MultiSz(Vec<String>),
    /// REG_BINARY (3).
    Binary(Vec<u8>),
    /// Any type by its number, with its bytes as they are.
    Raw(u32, Vec<u8>),
}

impl From<&Data> for Value {
    fn from(data: &Data) -> Value {
        match data {
            Data::Sz(text) => Value::sz(text),
            Data::ExpandSz(text) => Value::expand_sz(text),
            Data::Dword(number) => Value::dword(*number),
            Data::Qword(number) => Value::qword(*number),
            Data::MultiSz(texts) => Value::multi_sz(texts.iter().map(String::as_str)),
            Data::Binary(bytes) => Value::binary(bytes),
            Data::Raw(kind, bytes) => Value::new(Kind(*kind), bytes.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_show_as_reg_query_shows_them() {
        for (value, shown) in [
            (Value::sz("Hello, World"), "Hello, World"),
            (Value::expand_sz("%SystemRoot%\\x"), "%SystemRoot%\\x"),
            (Value::multi_sz(["a", "b"]), "a\\0b"),
            (Value::dword(0x123), "0x123"),
            (Value::dword(0), "0x0"),
            (Value::binary(&[0, 0xff]), "00FF"),
            (Value::new(Kind::SZ, vec![]), ""),
            (Value::new(Kind::SZ, vec![0x61]), ""),
            (Value::new(Kind::DWORD, vec![1]), "01"),
        ] {
            assert_eq!(value.shown(), shown);
        }
        assert_eq!(format!("{:?}", Value::dword(1)), "REG_DWORD    0x1");
        assert_eq!(Kind(99).name(), "0x63");
    }
}
