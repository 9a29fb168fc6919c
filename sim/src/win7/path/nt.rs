//! From a Win32 path to what the object manager is asked for: RtlDosPathNameToNtPathName_U.

use super::{BACKSLASH, COLON, Full, MAX_PATH, MAX_PREFIXED, device_name, full_path, is_prefixed};
use crate::win7::text::upcase;

/// What a path leads to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Target {
    /// A place on a drive.
    Drive {
        /// Its letter, in upper case.
        letter: u16,
        /// The components, as they are; empty ones and `.` and `..` are still there if `\\?\` kept them.
        components: Vec<Vec<u16>>,
        /// Whether a backslash is behind the last one.
        is_directory: bool,
    },
    /// A device of this name, such as `NUL` or `PhysicalDrive0\x`.
    Device {
        /// The name, as it was written.
        name: Vec<u16>,
        /// The directory that was written before it, which has to exist.
        directory: Option<Vec<u16>>,
    },
    /// A share: what is behind `\\`.
    Unc(Vec<u16>),
}

/// What a Win32 path comes to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NtPath {
    /// Where it leads.
    pub target: Target,
    /// The full path, without `\\?\`.
    pub full: Vec<u16>,
    /// Whether it was written with `\\?\`.
    pub is_prefixed: bool,
}

/// Why a path comes to nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PathError {
    /// It is empty, or blank.
    Empty,
    /// It has more than 259 units when it is full, and no `\\?\`.
    TooLong,
    /// It has more units than the system can count, with `\\?\`.
    NameTooLong,
}

/// The way of a path through the Win32 layer. A NUL ends the path, as it does for every call.
///
/// # Errors
/// See [`PathError`]; each call has its own code for it.
pub fn nt_path(
    path: &[u16],
    directory: &[u16],
    on_drive: impl Fn(u16) -> Option<Vec<u16>>,
) -> Result<NtPath, PathError> {
    let end = path.iter().position(|unit| *unit == 0);
    let path = &path[..end.unwrap_or(path.len())];
    if is_prefixed(path) && path.len() > 4 {
        if path.len() > MAX_PREFIXED {
            return Err(PathError::NameTooLong);
        }
        return Ok(NtPath {
            target: named(&path[4..]),
            full: path[4..].to_vec(),
            is_prefixed: true,
        });
    }
    if path.len() > MAX_PREFIXED {
        return Err(PathError::TooLong);
    }
    let device = device_name(path);
    let Full { path: full, .. } = full_path(path, directory, on_drive).ok_or(PathError::Empty)?;
    if full.len() >= MAX_PATH {
        return Err(PathError::TooLong);
    }
    let starts_as_device = full.starts_with(&[BACKSLASH, BACKSLASH])
        && full.get(3) == Some(&BACKSLASH)
        && full
            .get(2)
            .is_some_and(|unit| *unit == super::DOT || *unit == super::QUESTION);
    let target = match (device, starts_as_device) {
        (Some(device), _) => Target::Device {
            name: device.of(path).to_vec(),
            directory: Some(path[..device.offset].to_vec()).filter(|before| {
                !before.is_empty() && !before.starts_with(&[BACKSLASH, BACKSLASH])
            }),
        },
        (None, true) => named(&full[4..]),
        (None, false) if full.starts_with(&[BACKSLASH, BACKSLASH]) => {
            Target::Unc(full[2..].to_vec())
        }
        (None, false) => named(&full),
    };
    Ok(NtPath {
        target,
        full,
        is_prefixed: false,
    })
}

/// What a name in `\??\` leads to. Only exactly `UNC\` there is a share.
fn named(name: &[u16]) -> Target {
    let unc: Vec<u16> = "UNC\\".encode_utf16().collect();
    if let [letter, COLON, BACKSLASH, rest @ ..] = name {
        let mut components: Vec<Vec<u16>> = rest
            .split(|unit| *unit == BACKSLASH)
            .map(<[u16]>::to_vec)
            .collect();
        let is_directory = components.last().is_some_and(Vec::is_empty);
        if is_directory {
            components.pop();
        }
        return Target::Drive {
            letter: upcase(*letter),
            components,
            is_directory,
        };
    }
    let starts_unc = name.len() > 4
        && name[..4]
            .iter()
            .map(|unit| upcase(*unit))
            .eq(unc.iter().copied());
    match starts_unc {
        true => Target::Unc(name[4..].to_vec()),
        false => Target::Device {
            name: name.to_vec(),
            directory: None,
        },
    }
}
