//! The Win32 path layer: from what a program writes to what the object manager is asked for.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | types of paths, device names, full paths | Wine's ntdll tests, which run on Windows (`dlls/ntdll/tests/path.c`) | yes |
//! | one dot goes at the end of each directory, all dots and blanks at the end of the whole | the same; ReactOS | yes |
//! | `...\b` becomes `..\b`, which is not looked at again | ReactOS | no |
//! | `\\?\` is taken as it is; `\\.\` is not | documentation of naming files | yes |
//! | so is `\??\`, but not by full paths | Wine's ntdll tests | yes |
//! | a path is at most 259 units long, one with `\\?\` 32 766 | documentation of MAX_PATH; the second: S, ReactOS | yes |
//! | too long without `\\?\`: 3 for most calls, see [`crate::win7::files`] | ReactOS | no |
//! | superscript digits (COM¹) are no devices before Windows 10 | | no |
//! | the empty path: 123 | Wine's kernel32 tests | yes |
//!
//! Nothing here ever shortens a path to make it fit.

mod device;
mod full;
mod nt;
mod short;
#[cfg(any(test, feature = "proptest"))]
pub mod strategies;

pub use device::{DeviceName, device_name};
pub use full::{Full, full_path};
pub use nt::{NtPath, PathError, Target, nt_path};
pub use short::{Legal83, is_legal_8dot3, short_candidates};

/// How many units a path has at most, with the NUL behind it.
pub const MAX_PATH: usize = 260;
/// How many units a component has at most (NTFS).
pub const MAX_COMPONENT: usize = 255;
/// How long the path of a new directory may be without `\\?\`: there has to be room for a short name in it.
pub const MAX_NEW_DIRECTORY: usize = MAX_PATH - 13;
/// How many units a path with `\\?\` has at most (UNICODE_STRING).
pub const MAX_PREFIXED: usize = 32_766;

pub(crate) const BACKSLASH: u16 = b'\\' as u16;
const SLASH: u16 = b'/' as u16;
const DOT: u16 = b'.' as u16;
const BLANK: u16 = b' ' as u16;
const COLON: u16 = b':' as u16;
const QUESTION: u16 = b'?' as u16;

/// What a path is by its beginning: RtlDetermineDosPathNameType_U.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PathType {
    /// `\\server\share`.
    UncAbsolute = 1,
    /// `C:\x`.
    DriveAbsolute = 2,
    /// `C:x`: relative to what the process last used on that drive.
    DriveRelative = 3,
    /// `\x`: on the drive of the current directory.
    Rooted = 4,
    /// `x`, and the empty path.
    Relative = 5,
    /// `\\.\x` or `\\?\x`.
    LocalDevice = 6,
    /// `\\.` or `\\?` alone.
    RootLocalDevice = 7,
}

#[inline]
fn is_separator(unit: u16) -> bool {
    unit == BACKSLASH || unit == SLASH
}

/// What a path is by its beginning.
pub fn path_type(path: &[u16]) -> PathType {
    use PathType::*;
    match path {
        [one, two, third, rest @ ..] if is_separator(*one) && is_separator(*two) => {
            match (*third == DOT || *third == QUESTION, rest.first()) {
                (true, None) => RootLocalDevice,
                (true, Some(fourth)) if is_separator(*fourth) => LocalDevice,
                _ => UncAbsolute,
            }
        }
        [one, two] if is_separator(*one) && is_separator(*two) => UncAbsolute,
        [one, ..] if is_separator(*one) => Rooted,
        [_, COLON, third, ..] if is_separator(*third) => DriveAbsolute,
        [_, COLON, ..] => DriveRelative,
        _ => Relative,
    }
}

/// Whether a path begins with exactly `\\?\`, or with `\??\`, which is the kernel's own: then it is taken as it is.
/// (Full paths know nothing of the second.)
pub fn is_prefixed(path: &[u16]) -> bool {
    path.starts_with(&[BACKSLASH, BACKSLASH, QUESTION, BACKSLASH])
        || path.starts_with(&[BACKSLASH, QUESTION, QUESTION, BACKSLASH])
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
