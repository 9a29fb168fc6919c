//! Names of DOS devices in paths.

use super::{BLANK, COLON, DOT, PathType, is_separator, path_type};
use crate::win7::text::upcase;

/// Where in a path the name of a device stands, in units.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DeviceName {
    /// Where it begins.
    pub offset: usize,
    /// How long it is.
    pub len: usize,
}

impl DeviceName {
    /// The name, as it stands in the path.
    pub fn of(self, path: &[u16]) -> &[u16] {
        &path[self.offset..self.offset + self.len]
    }
}

/// RtlIsDosDeviceName_U: the device that a path names in its last component, whatever directory is before it
/// and whatever extension, colon, dots or blanks are behind it. CONIN$ and CONOUT$ are not among them before
/// Windows 8.
pub fn device_name(path: &[u16]) -> Option<DeviceName> {
    match path_type(path) {
        PathType::UncAbsolute => return None,
        // Of the devices that are named as such, it reports the console alone.
        PathType::LocalDevice | PathType::RootLocalDevice => {
            let found = DeviceName { offset: 4, len: 3 };
            let is_console = path.len() == 7
                && path[..2].iter().all(|unit| *unit == super::BACKSLASH)
                && path[2] == DOT
                && same(found.of(path), "CON");
            return is_console.then_some(found);
        }
        _ => {}
    }
    let end = path.len() - usize::from(path.last() == Some(&COLON));
    let trimmed = &path[..end];
    let kept = trimmed
        .iter()
        .rposition(|unit| *unit != DOT && *unit != BLANK)?;
    let offset = path[..=kept]
        .iter()
        .enumerate()
        .rposition(|(at, unit)| is_separator(*unit) || *unit == COLON && at == 1)
        .map_or(0, |at| at + 1);
    let last = &path[offset..=kept];
    let base = last
        .iter()
        .position(|unit| *unit == DOT || *unit == COLON)
        .map_or(last, |at| &last[..at]);
    let len = base
        .iter()
        .rposition(|unit| *unit != BLANK)
        .map_or(0, |at| at + 1);
    let base = &base[..len];
    let is_device = match len {
        3 => ["AUX", "CON", "NUL", "PRN"]
            .iter()
            .any(|name| same(base, name)),
        4 => {
            let is_port = same(&base[..3], "COM") || same(&base[..3], "LPT");
            is_port && (u16::from(b'1')..=u16::from(b'9')).contains(&base[3])
        }
        _ => false,
    };
    is_device.then_some(DeviceName { offset, len })
}

fn same(units: &[u16], name: &str) -> bool {
    units
        .iter()
        .map(|unit| upcase(*unit))
        .eq(name.encode_utf16())
}
