//! Writing, as `reg export` does (Wine's `programs/reg/tests/export.c`, which runs on real Windows).

use crate::win7::registry::access::Caller;
use crate::win7::registry::calls::Spot;
use crate::win7::registry::error::ReadError;
use crate::win7::registry::name::Name;
use crate::win7::registry::path::KeyPath;
use crate::win7::registry::value::{Kind, Value};
use crate::win7::registry::{Access, Registry, access_check};
use crate::win7::text::CodePage;

/// Which form of file is written.
#[derive(Clone, Copy, Debug)]
pub enum Version {
    /// `REGEDIT4`, in this code page: what has no character there is lost.
    Four(CodePage),
    /// `Windows Registry Editor Version 5.00`, in UTF-16.
    Five,
}

/// A line of bytes in hexadecimal is broken when it reaches this width.
const WIDTH: usize = 77;

/// The text of `reg export` of a key with all below it, version 5, without the mark at its beginning.
///
/// Two things are lost, as in the real one: what follows a NUL inside a text, and whether a text had its
/// NUL. Subkeys that the caller may not read are left out.
///
/// # Errors
/// If the key cannot be read.
pub fn export(registry: &Registry, caller: &Caller, path: &KeyPath) -> Result<Vec<u16>, ReadError> {
    text(registry, caller, path, Version::Five)
}

/// The bytes of a file with a key and all below it.
///
/// # Errors
/// If the key cannot be read.
pub fn write(
    registry: &Registry,
    caller: &Caller,
    path: &KeyPath,
    version: Version,
) -> Result<Vec<u8>, ReadError> {
    Ok(encoded(text(registry, caller, path, version)?, version))
}

fn encoded(text: Vec<u16>, version: Version) -> Vec<u8> {
    match version {
        Version::Four(ansi) => ansi.encode(&text),
        Version::Five => [0xFF, 0xFE]
            .into_iter()
            .chain(text.into_iter().flat_map(u16::to_le_bytes))
            .collect(),
    }
}

fn text(
    registry: &Registry,
    caller: &Caller,
    path: &KeyPath,
    version: Version,
) -> Result<Vec<u16>, ReadError> {
    let read = registry.spot(caller, path).and_then(|spot| {
        access_check(caller, registry.at(&spot.first), Access::READ)?;
        Ok(spot)
    })?;
    let mut writer = Writer::new(version);
    keys(registry, caller, path, &read, &mut writer);
    Ok(writer.text())
}

fn keys(registry: &Registry, caller: &Caller, path: &KeyPath, spot: &Spot, out: &mut Writer) {
    out.key(path, &registry.values_at(spot));
    for below in registry.key_names_at(spot) {
        let path = path.join(below.units());
        let Ok(spot) = registry.spot(caller, &path) else {
            continue;
        };
        if access_check(caller, registry.at(&spot.first), Access::READ).is_ok() {
            keys(registry, caller, &path, &spot, out);
        }
    }
}

/// A file that is written key by key.
#[derive(Debug)]
pub struct Writer {
    text: Vec<u16>,
    version: Version,
}

impl Writer {
    /// A file with its first line.
    pub fn new(version: Version) -> Writer {
        let mut writer = Writer {
            text: Vec::new(),
            version,
        };
        writer.put(match version {
            Version::Four(_) => "REGEDIT4\r\n",
            Version::Five => "Windows Registry Editor Version 5.00\r\n",
        });
        writer
    }

    /// A key with its values.
    pub fn key(&mut self, path: &KeyPath, values: &[(Name, Value)]) {
        let sub = path
            .sub
            .iter()
            .rposition(|unit| *unit != u16::from(b'\\'))
            .map_or(0, |last| last + 1);
        self.put("\r\n[");
        self.put(path.root.long_name());
        if sub > 0 {
            self.text.push(b'\\'.into());
            self.text.extend_from_slice(&path.sub[..sub]);
        }
        self.put("]\r\n");
        for (name, value) in values {
            self.value(name, value);
        }
    }

    /// The whole text, without the mark at its beginning.
    pub fn text(mut self) -> Vec<u16> {
        self.put("\r\n");
        self.text
    }

    /// The bytes of the file.
    pub fn bytes(self) -> Vec<u8> {
        let version = self.version;
        encoded(self.text(), version)
    }

    fn put(&mut self, text: &str) {
        self.text.extend(text.encode_utf16());
    }

    /// Up to the first NUL, with what needs it escaped.
    fn escaped(&mut self, text: &[u16]) {
        for unit in text.iter().take_while(|unit| **unit != 0) {
            match unit {
                0x0D => self.put("\\r"),
                0x0A => self.put("\\n"),
                0x5C => self.put("\\\\"),
                0x22 => self.put("\\\""),
                other => self.text.push(*other),
            }
        }
    }

    fn value(&mut self, name: &Name, value: &Value) {
        let begin = self.text.len();
        match name.is_empty() {
            true => self.put("@="),
            false => {
                self.put("\"");
                self.escaped(name.units());
                self.put("\"=");
            }
        }
        let data = &value.data;
        match value.kind {
            Kind::SZ => {
                self.put("\"");
                self.escaped(&value.units());
                self.put("\"");
            }
            // Of another length it would be something else when read (not established for Windows).
            Kind::DWORD if data.len() == 4 => {
                let number = u32::from_le_bytes([data[0], data[1], data[2], data[3]]);
                self.put(&format!("dword:{number:08x}"));
            }
            Kind::BINARY => {
                self.put("hex:");
                self.hex(begin, data);
            }
            kind => {
                self.put(&format!("hex({:x}):", kind.0));
                let ansi = match self.version {
                    Version::Four(ansi) if kind.is_text() => Some(ansi.encode(&value.units())),
                    _ => None,
                };
                self.hex(begin, ansi.as_deref().unwrap_or(data));
            }
        }
        self.put("\r\n");
    }

    fn hex(&mut self, begin: usize, data: &[u8]) {
        let mut width = self.text.len() - begin;
        for (index, byte) in data.iter().enumerate() {
            self.put(&format!("{byte:02x}"));
            if index + 1 == data.len() {
                return;
            }
            self.put(",");
            width += 3;
            if width >= WIDTH {
                self.put("\\\r\n  ");
                width = 2;
            }
        }
    }
}
