//! `.reg` files: what regedit and `reg export` write, and `reg import` reads.
//!
//! [`read`] keeps what it could not make sense of as [`Flaw`]s, with their places; the import of the system
//! passes such lines over, loading a base refuses them. Versions: 5 (`Windows Registry Editor Version
//! 5.00`, UTF-16 as a rule), 4 (`REGEDIT4`, ANSI), and the one of Windows 3.1 (`REGEDIT`).

mod load;
mod read;
mod write;

use std::fmt;

pub use load::LoadError;
pub use read::{read, read_text};
pub use write::{Version, Writer, export, write};

use super::name::Name;
use super::path::KeyPath;
use super::value::Value;

/// What a .reg file says.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RegFile {
    /// Its version.
    pub header: Header,
    /// Its lines that say something, in order.
    pub lines: Vec<Entry>,
    /// Its lines that the import passes over without a word.
    pub passed_over: Vec<Flaw>,
}

/// What the first line of a .reg file comes to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Header {
    /// `REGEDIT`, of Windows 3.1: default values of HKCR only.
    Version31,
    /// `REGEDIT4`: texts in hexadecimal are ANSI.
    Version4,
    /// `Windows Registry Editor Version 5.00`: texts in hexadecimal are UTF-16.
    Version5,
    /// `REGEDIT` and something else: accepted, and nothing of it is read.
    Unread,
}

/// A line with its number, from 1.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Entry {
    /// The number of the line where it begins.
    pub number: u32,
    /// What it says.
    pub line: Line,
}

/// What a line says.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Line {
    /// `[KEY]`: values that follow go there.
    Key(KeyPath),
    /// `[-KEY]`: the key goes, with all below it.
    DeleteKey(KeyPath),
    /// A line in brackets that names no key: values that follow go nowhere.
    NoKey,
    /// `"name"=data`, or `@=data`.
    Set(Name, Value),
    /// `"name"=-`.
    Delete(Name),
}

/// What is wrong at a place of a file.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Flaw {
    /// The line, from 1.
    pub line: u32,
    /// The column in UTF-16 units, from 1.
    pub column: u32,
    /// What.
    pub what: &'static str,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.what)
    }
}

impl std::error::Error for Flaw {}
