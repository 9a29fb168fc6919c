//! The environment: what a process finds in its block, where that came from, and who learns of a change.
//!
//! A [`Block`] belongs to one process. A child gets a copy of it at its creation, and no call writes into
//! the block of another process. What the registry holds becomes a block in [`create_block`], which few
//! programs call: the logon, the service manager, and Explorer when it hears of a change
//! ([`processes`]).
//!
//! | rule | source | sure |
//! |---|---|---|
//! | the seven steps of CreateEnvironmentBlock, and which core variables come with which | R. Chen, The Old New Thing, 2023-12-12 | yes |
//! | PATH, LibPath and Os2LibPath: the user's value is appended with `;` | the same | yes |
//! | a value refers to variables of earlier steps alone, so one of its own step stays literal | the same; what happens in fact hangs on the order of the values | no |
//! | an appended value keeps the spelling of the name that was there; an empty one before it gets no `;` | inferred | no |
//! | REG_SZ is never expanded; an unknown `%NAME%` stays as it is | the same; documentation of REG_EXPAND_SZ | yes |
//! | values of other types, and of names that no variable may have, are left out | inferred | no |
//! | names: any case finds them, `=` only in front, sorted by upper case without locale | documentation of CreateProcess and SetEnvironmentVariable; tests of Wine | yes |
//! | a name is not found: 203; a bad name: 87 | tests of Wine that pass on Windows | yes |
//! | at most 32 766 units of name, `=` and value; more: 206 | documentation (32 767 with the terminator); the code inferred | no |
//! | expansion: one pass; `%%` and unknown names stay, both their per cents spent | tests of Wine that pass on Windows for `%foo%`, `%=X:%`, `a%b`; Wine for the rest | no: the last |
//! | WOW64: ProgramFiles, CommonProgramFiles and PROCESSOR_ARCHITECTURE follow the bitness of the child | "WOW64 Implementation Details" | yes |
//! | services: session 0, no SESSIONNAME, their profiles | dumps of service environments; documentation of the accounts | yes |
//! | a broadcast stays in its session and window station | documentation of SendMessage and of session 0 isolation | yes |
//! | services see a changed machine variable after a restart of the machine | KB 821761; whether the service manager ever reads again is not established | no |
//!
//! Not modelled: the 8.3 form that CreateEnvironmentBlock gives to TEMP and TMP, AUTOEXEC.BAT, roaming
//! profiles, the ANSI block (GetEnvironmentStringsA).

mod build;
mod limits;
pub mod processes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use super::registry::Bits;
use super::text::Wide;

pub use build::{Account, Computer, Stored, Value, create_block};
pub use limits::{Cut, PATH_DIALOG_LIMIT, SETX_LIMIT, cut_as_path_dialog, cut_as_setx};

/// How many units `name=value` may have, without the terminator.
pub const VARIABLE_LIMIT: usize = 32_766;

/// How a call about variables fails.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// 87: no name, or one with `=` or NUL in it; a value with NUL in it.
    InvalidParameter,
    /// 203: no variable of this name.
    NotFound,
    /// 206: too long.
    TooLong,
}

impl Error {
    /// The Win32 code.
    pub fn code(self) -> u32 {
        match self {
            Error::InvalidParameter => 87,
            Error::NotFound => 203,
            Error::TooLong => 206,
        }
    }

    /// The name in `winerror.h`.
    pub fn name(self) -> &'static str {
        match self {
            Error::InvalidParameter => "ERROR_INVALID_PARAMETER",
            Error::NotFound => "ERROR_ENVVAR_NOT_FOUND",
            Error::TooLong => "ERROR_FILENAME_EXCED_RANGE",
        }
    }
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
struct Variable {
    name: Wide,
    value: Wide,
}

/// The variables of one process, by name without case.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Block(BTreeMap<Wide, Variable>);

impl Block {
    /// A block with some variables, for tests and set-up. A later one of the same name replaces an earlier
    /// one; bad names are left out.
    pub fn of<'a>(variables: impl IntoIterator<Item = (&'a str, &'a str)>) -> Block {
        let mut block = Block::default();
        for (name, value) in variables {
            let _ = block.set(&name.into(), &value.into());
        }
        block
    }

    /// GetEnvironmentVariable.
    pub fn get(&self, name: &Wide) -> Option<&Wide> {
        Some(&self.0.get(&name.to_upcase())?.value)
    }

    /// [`Block::get`] with texts, unpaired surrogates replaced.
    pub fn text(&self, name: &str) -> Option<String> {
        self.get(&name.into()).map(Wide::to_utf8_lossy)
    }

    /// SetEnvironmentVariable with a value. The name of a variable that exists keeps its spelling, which
    /// is how `PATH` set over `Path` stays `Path`.
    ///
    /// # Errors
    /// 87 for a bad name, 206 if name and value are too long.
    pub fn set(&mut self, name: &Wide, value: &Wide) -> Result<(), Error> {
        check_name(name)?;
        if value.units().contains(&0) {
            return Err(Error::InvalidParameter);
        }
        if name.len() + 1 + value.len() > VARIABLE_LIMIT {
            return Err(Error::TooLong);
        }
        self.0
            .entry(name.to_upcase())
            .and_modify(|variable| variable.value = value.clone())
            .or_insert_with(|| Variable {
                name: name.clone(),
                value: value.clone(),
            });
        Ok(())
    }

    /// SetEnvironmentVariable without a value.
    ///
    /// # Errors
    /// 87 for a bad name, 203 if there is no such variable.
    pub fn remove(&mut self, name: &Wide) -> Result<(), Error> {
        check_name(name)?;
        self.0
            .remove(&name.to_upcase())
            .map(|_| ())
            .ok_or(Error::NotFound)
    }

    /// Names and values, in the order of the block.
    pub fn iter(&self) -> impl Iterator<Item = (&Wide, &Wide)> {
        self.0
            .values()
            .map(|variable| (&variable.name, &variable.value))
    }

    /// ExpandEnvironmentStrings: each `%NAME%` of a known variable becomes its value, in one pass; what the
    /// values contain is not looked at again.
    ///
    /// ```
    /// use faultlab_sim::win7::environment::Block;
    ///
    /// let block = Block::of([("GOROOT", "C:\\Go"), ("again", "%again%")]);
    /// let expand = |text: &str| block.expand(&text.into()).to_string();
    /// assert_eq!(expand("%goroot%\\bin;%nope%;%again%"), "C:\\Go\\bin;%nope%;%again%");
    /// ```
    pub fn expand(&self, text: &Wide) -> Wide {
        const PER_CENT: u16 = b'%' as u16;
        let mut expanded = Vec::new();
        let mut rest = text.units();
        while let Some(start) = rest.iter().position(|&unit| unit == PER_CENT) {
            let Some(length) = rest[start + 1..].iter().position(|&unit| unit == PER_CENT) else {
                break;
            };
            let (name, end) = (&rest[start + 1..start + 1 + length], start + length + 2);
            match self.get(&name.into()) {
                Some(value) => {
                    expanded.extend_from_slice(&rest[..start]);
                    expanded.extend_from_slice(value.units());
                }
                None => expanded.extend_from_slice(&rest[..end]),
            }
            rest = &rest[end..];
        }
        expanded.extend_from_slice(rest);
        Wide::new(expanded)
    }

    /// The block as CreateProcess takes it with CREATE_UNICODE_ENVIRONMENT: `name=value` and NUL for each,
    /// in order, and a NUL more. Hidden variables (`=C:`) sort as what they are.
    pub fn to_units(&self) -> Vec<u16> {
        let mut units = Vec::new();
        for (name, value) in self.iter() {
            units.extend_from_slice(name.units());
            units.push(u16::from(b'='));
            units.extend_from_slice(value.units());
            units.push(0);
        }
        if units.is_empty() {
            units.push(0);
        }
        units.push(0);
        units
    }

    /// Reads a block. What follows the double NUL is not part of it; an entry without `=` is skipped, as
    /// look-up skips it.
    pub fn from_units(units: &[u16]) -> Block {
        let mut block = Block::default();
        for entry in units
            .split(|&unit| unit == 0)
            .take_while(|entry| !entry.is_empty())
        {
            let sign = entry
                .iter()
                .skip(1)
                .position(|&unit| unit == u16::from(b'='));
            if let Some(sign) = sign {
                let (name, value) = (&entry[..=sign], &entry[sign + 2..]);
                let _ = block.set(&name.into(), &value.into());
            }
        }
        block
    }

    /// The working directory that a drive had in this process, kept in `=C:`. `C:x` is relative to it.
    pub fn drive_directory(&self, drive: char) -> Option<&Wide> {
        self.get(&Wide::from(&*format!("={drive}:")))
    }

    /// The block that a child of the other bitness gets: a 32-bit one is told of `Program Files (x86)`.
    /// For a child of the same bitness a block is just cloned.
    pub fn for_bits(&self, bits: Bits) -> Block {
        let mut block = self.clone();
        let (suffix, architecture, wow) = match bits {
            Bits::Bits32 => ("(x86)", "x86", Some("AMD64")),
            Bits::Bits64 => ("W6432", "AMD64", None),
        };
        let own = [
            ("ProgramFiles", "Program"),
            ("CommonProgramFiles", "CommonProgram"),
        ];
        for (name, stem) in own {
            let from = match bits {
                Bits::Bits32 => format!("{name}{suffix}"),
                Bits::Bits64 => format!("{stem}{suffix}"),
            };
            if let Some(value) = self.get(&Wide::from(&*from)) {
                let _ = block.set(&name.into(), value);
            }
        }
        let _ = block.set(&"PROCESSOR_ARCHITECTURE".into(), &architecture.into());
        match wow {
            Some(native) => drop(block.set(&"PROCESSOR_ARCHITEW6432".into(), &native.into())),
            None => drop(block.remove(&"PROCESSOR_ARCHITEW6432".into())),
        }
        block
    }
}

fn check_name(name: &Wide) -> Result<(), Error> {
    let units = name.units();
    let equals = units.iter().skip(1).any(|&unit| unit == u16::from(b'='));
    if units.is_empty() || equals || units == [u16::from(b'=')] || units.contains(&0) {
        return Err(Error::InvalidParameter);
    }
    Ok(())
}

/// As `set` prints it: `name=value`, a line each.
impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in self.iter() {
            writeln!(f, "{name}={value}")?;
        }
        Ok(())
    }
}
