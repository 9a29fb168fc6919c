//! How the calls of files fail: one enumeration a call, and why.

use std::fmt;

use crate::win7::path::PathError;
use crate::win7::registry::Win32;
use crate::win7::registry::error::errors;
use crate::win7::security::{AccessError, Refusal};

/// Why a call failed, beyond its code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Why {
    /// A descriptor refuses it.
    Access {
        /// Whose.
        path: Vec<u16>,
        /// How.
        refusal: Refusal,
    },
    /// The file is read-only.
    ReadOnly,
    /// The file is hidden or a system file, and the call that overwrites it does not say so.
    Hidden,
    /// A directory cannot be opened as a file.
    IsDirectory,
    /// Somebody has it open and does not share it so.
    Shared {
        /// The handle.
        with: super::FileHandle,
    },
    /// It is deleted as soon as the last handle is closed.
    DeletePending,
    /// Something below it is open.
    InUse,
    /// It is the root of a volume.
    Root,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Access { path, refusal } => {
                write!(f, "{}: {refusal}", String::from_utf16_lossy(path))
            }
            Why::ReadOnly => f.write_str("the file has the read-only attribute"),
            Why::Hidden => {
                f.write_str("the file is hidden or a system file, and the call does not say so")
            }
            Why::IsDirectory => f.write_str("it is a directory"),
            Why::Shared { with } => write!(f, "handle {} does not share it so", with.0),
            Why::DeletePending => f.write_str("it is deleted when its last handle is closed"),
            Why::InUse => f.write_str("something in it is open"),
            Why::Root => f.write_str("it is the root of a volume"),
        }
    }
}

/// How a call failed: its error, and why, where there is more to say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure<E> {
    /// The error.
    pub error: E,
    /// Why.
    pub why: Option<Box<Why>>,
}

impl<E> Failure<E> {
    pub(super) fn new(error: E, why: impl Into<Box<Why>>) -> Failure<E> {
        Failure {
            error,
            why: Some(why.into()),
        }
    }
}

impl<E> From<E> for Failure<E> {
    fn from(error: E) -> Failure<E> {
        Failure { error, why: None }
    }
}

impl<E: Into<Win32>> Failure<E> {
    /// The Win32 error.
    pub fn win32(self) -> Win32 {
        self.error.into()
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)?;
        match &self.why {
            None => Ok(()),
            Some(why) => write!(f, ": {why}"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for Failure<E> {}

/// Why a path leads nowhere. Each call has its own codes for it.
pub(super) enum Lookup {
    PathNotFound,
    InvalidName,
    TooLong,
    NameTooLong,
    BadNetPath,
    CannotResolve,
    Denied(Box<Why>),
}

impl From<PathError> for Lookup {
    fn from(error: PathError) -> Lookup {
        match error {
            PathError::Empty => Lookup::PathNotFound,
            PathError::TooLong => Lookup::TooLong,
            PathError::NameTooLong => Lookup::NameTooLong,
        }
    }
}

macro_rules! lookups {
    ($($error:ident { too_long: $too_long:ident })*) => { $(
        impl From<Lookup> for Failure<$error> {
            fn from(lookup: Lookup) -> Failure<$error> {
                let error = match lookup {
                    Lookup::PathNotFound => $error::PathNotFound,
                    Lookup::InvalidName => $error::InvalidName,
                    Lookup::TooLong => $error::$too_long,
                    Lookup::NameTooLong => $error::FilenameExcedRange,
                    Lookup::BadNetPath => $error::BadNetPath,
                    Lookup::CannotResolve => $error::CannotResolveFilename,
                    Lookup::Denied(why) => {
                        return Failure { error: $error::AccessDenied, why: Some(why) };
                    }
                };
                error.into()
            }
        }
    )* };
}

lookups! {
    OpenError { too_long: PathNotFound }
    CreateDirectoryError { too_long: PathNotFound }
    RemoveDirectoryError { too_long: PathNotFound }
    DeleteError { too_long: PathNotFound }
    AttributesError { too_long: PathNotFound }
    CurrentDirectoryError { too_long: FilenameExcedRange }
    ListError { too_long: PathNotFound }
    MoveError { too_long: PathNotFound }
    LinkError { too_long: PathNotFound }
    NameError { too_long: PathNotFound }
    SecurityError { too_long: PathNotFound }
}

macro_rules! refusals {
    ($($error:ident)*) => { $(
        impl From<AccessError> for $error {
            fn from(error: AccessError) -> $error {
                match error {
                    AccessError::AccessDenied => $error::AccessDenied,
                    AccessError::PrivilegeNotHeld => $error::PrivilegeNotHeld,
                }
            }
        }
    )* };
}

refusals! { OpenError SecurityError }

errors! {
    /// CreateFile.
    OpenError {
        /// There is no such file.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// There is no such directory, a file stands in its place, or the path is too long (inferred).
        PathNotFound = 3 "ERROR_PATH_NOT_FOUND",
        /// The caller may not, the file is read-only, or it is a directory.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// Somebody has it open and does not share it so.
        SharingViolation = 32 "ERROR_SHARING_VIOLATION",
        /// A share: there is no network.
        BadNetPath = 53 "ERROR_BAD_NETPATH",
        /// CREATE_NEW, and there is one.
        FileExists = 80 "ERROR_FILE_EXISTS",
        /// TRUNCATE_EXISTING without GENERIC_WRITE.
        InvalidParameter = 87 "ERROR_INVALID_PARAMETER",
        /// The volume is full.
        DiskFull = 112 "ERROR_DISK_FULL",
        /// A component is no name.
        InvalidName = 123 "ERROR_INVALID_NAME",
        /// With `\\?\`, and too long even so.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// A scanner refused it.
        VirusInfected = 225 "ERROR_VIRUS_INFECTED",
        /// The SACL was asked for without SeSecurityPrivilege.
        PrivilegeNotHeld = 1314 "ERROR_PRIVILEGE_NOT_HELD",
        /// More links are on the way than a path may meet.
        CannotResolveFilename = 1921 "ERROR_CANT_RESOLVE_FILENAME",
    }

    /// ReadFile and WriteFile.
    TransferError {
        /// The handle lacks the right.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// The handle is none.
        InvalidHandle = 6 "ERROR_INVALID_HANDLE",
        /// The volume is full.
        DiskFull = 112 "ERROR_DISK_FULL",
    }

    /// CloseHandle.
    CloseError {
        /// The handle is none.
        InvalidHandle = 6 "ERROR_INVALID_HANDLE",
    }

    /// CreateDirectory.
    CreateDirectoryError {
        /// A directory on the way is not there, or the path is too long (inferred).
        PathNotFound = 3 "ERROR_PATH_NOT_FOUND",
        /// The caller may not.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// A share: there is no network.
        BadNetPath = 53 "ERROR_BAD_NETPATH",
        /// A component is no name.
        InvalidName = 123 "ERROR_INVALID_NAME",
        /// There is something of that name.
        AlreadyExists = 183 "ERROR_ALREADY_EXISTS",
        /// There would be no room for a short name in it, or with `\\?\` too long even so.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// It is the name of a device (inferred).
        Directory = 267 "ERROR_DIRECTORY",
        /// More links are on the way than a path may meet.
        CannotResolveFilename = 1921 "ERROR_CANT_RESOLVE_FILENAME",
    }

    /// RemoveDirectory.
    RemoveDirectoryError {
        /// There is no such directory.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// A directory on the way is not there, or the path is too long (inferred).
        PathNotFound = 3 "ERROR_PATH_NOT_FOUND",
        /// The caller may not, it is read-only, or the root.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// Somebody has it open and does not share it so.
        SharingViolation = 32 "ERROR_SHARING_VIOLATION",
        /// A share: there is no network.
        BadNetPath = 53 "ERROR_BAD_NETPATH",
        /// A component is no name.
        InvalidName = 123 "ERROR_INVALID_NAME",
        /// There is something in it.
        DirNotEmpty = 145 "ERROR_DIR_NOT_EMPTY",
        /// With `\\?\`, and too long even so.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// It is a file.
        Directory = 267 "ERROR_DIRECTORY",
        /// More links are on the way than a path may meet.
        CannotResolveFilename = 1921 "ERROR_CANT_RESOLVE_FILENAME",
    }

    /// DeleteFile.
    DeleteError {
        /// There is no such file.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// A directory on the way is not there, or the path is too long (inferred).
        PathNotFound = 3 "ERROR_PATH_NOT_FOUND",
        /// The caller may not, it is read-only, or a directory.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// Somebody has it open and does not share it so.
        SharingViolation = 32 "ERROR_SHARING_VIOLATION",
        /// A share: there is no network.
        BadNetPath = 53 "ERROR_BAD_NETPATH",
        /// A component is no name.
        InvalidName = 123 "ERROR_INVALID_NAME",
        /// With `\\?\`, and too long even so.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// More links are on the way than a path may meet.
        CannotResolveFilename = 1921 "ERROR_CANT_RESOLVE_FILENAME",
    }

    /// GetFileAttributes and SetFileAttributes.
    AttributesError {
        /// There is no such file.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// A directory on the way is not there, or the path is too long (inferred).
        PathNotFound = 3 "ERROR_PATH_NOT_FOUND",
        /// The caller may not.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// A share: there is no network.
        BadNetPath = 53 "ERROR_BAD_NETPATH",
        /// A component is no name.
        InvalidName = 123 "ERROR_INVALID_NAME",
        /// With `\\?\`, and too long even so.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// More links are on the way than a path may meet.
        CannotResolveFilename = 1921 "ERROR_CANT_RESOLVE_FILENAME",
    }

    /// SetCurrentDirectory.
    CurrentDirectoryError {
        /// There is no such directory.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// A directory on the way is not there.
        PathNotFound = 3 "ERROR_PATH_NOT_FOUND",
        /// The caller may not.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// A share: there is no network.
        BadNetPath = 53 "ERROR_BAD_NETPATH",
        /// A component is no name.
        InvalidName = 123 "ERROR_INVALID_NAME",
        /// With a backslash and the NUL behind it, it has more than 260 units, `\\?\` or not.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// It is a file.
        Directory = 267 "ERROR_DIRECTORY",
        /// More links are on the way than a path may meet.
        CannotResolveFilename = 1921 "ERROR_CANT_RESOLVE_FILENAME",
    }

    /// FindFirstFile and FindNextFile, for all that is in a directory.
    ListError {
        /// There is no such directory.
        PathNotFound = 3 "ERROR_PATH_NOT_FOUND",
        /// The caller may not.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// A share: there is no network.
        BadNetPath = 53 "ERROR_BAD_NETPATH",
        /// A component is no name.
        InvalidName = 123 "ERROR_INVALID_NAME",
        /// With `\\?\`, and too long even so.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// It is a file.
        Directory = 267 "ERROR_DIRECTORY",
        /// More links are on the way than a path may meet.
        CannotResolveFilename = 1921 "ERROR_CANT_RESOLVE_FILENAME",
    }

    /// MoveFileEx.
    MoveError {
        /// There is no such file.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// A directory on one of the ways is not there, or a path is too long (inferred).
        PathNotFound = 3 "ERROR_PATH_NOT_FOUND",
        /// The caller may not, or something in it is open.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// The other volume: copying is not this call.
        NotSameDevice = 17 "ERROR_NOT_SAME_DEVICE",
        /// Somebody has it open and does not share it so.
        SharingViolation = 32 "ERROR_SHARING_VIOLATION",
        /// A directory is to go below itself (inferred).
        SharedBelow = 87 "ERROR_INVALID_PARAMETER",
        /// A share: there is no network.
        BadNetPath = 53 "ERROR_BAD_NETPATH",
        /// A component is no name.
        InvalidName = 123 "ERROR_INVALID_NAME",
        /// There is something of that name, and it is not to be replaced.
        AlreadyExists = 183 "ERROR_ALREADY_EXISTS",
        /// With `\\?\`, and too long even so.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// More links are on the way than a path may meet.
        CannotResolveFilename = 1921 "ERROR_CANT_RESOLVE_FILENAME",
    }

    /// CreateSymbolicLink, and making a junction.
    LinkError {
        /// A directory on the way is not there, or the path is too long (inferred).
        PathNotFound = 3 "ERROR_PATH_NOT_FOUND",
        /// The caller may not.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// A share: there is no network.
        BadNetPath = 53 "ERROR_BAD_NETPATH",
        /// A component is no name.
        InvalidName = 123 "ERROR_INVALID_NAME",
        /// There is something of that name.
        AlreadyExists = 183 "ERROR_ALREADY_EXISTS",
        /// With `\\?\`, and too long even so.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// A symbolic link without SeCreateSymbolicLinkPrivilege.
        PrivilegeNotHeld = 1314 "ERROR_PRIVILEGE_NOT_HELD",
        /// More links are on the way than a path may meet.
        CannotResolveFilename = 1921 "ERROR_CANT_RESOLVE_FILENAME",
    }

    /// GetFullPathName, GetLongPathName, GetShortPathName.
    NameError {
        /// A component is not there.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// A component before the last is not there.
        PathNotFound = 3 "ERROR_PATH_NOT_FOUND",
        /// The caller may not list a directory on the way.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// A share: there is no network.
        BadNetPath = 53 "ERROR_BAD_NETPATH",
        /// The path is empty, or a component is no name.
        InvalidName = 123 "ERROR_INVALID_NAME",
        /// It has more units than the system can count.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// More links are on the way than a path may meet.
        CannotResolveFilename = 1921 "ERROR_CANT_RESOLVE_FILENAME",
    }

    /// GetFileSecurity and SetFileSecurity.
    SecurityError {
        /// There is no such file.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// A directory on the way is not there, or the path is too long (inferred).
        PathNotFound = 3 "ERROR_PATH_NOT_FOUND",
        /// The caller may not.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// A share: there is no network.
        BadNetPath = 53 "ERROR_BAD_NETPATH",
        /// A component is no name.
        InvalidName = 123 "ERROR_INVALID_NAME",
        /// With `\\?\`, and too long even so.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// The caller cannot make this one the owner.
        InvalidOwner = 1307 "ERROR_INVALID_OWNER",
        /// The SACL or a higher label without the privilege for it.
        PrivilegeNotHeld = 1314 "ERROR_PRIVILEGE_NOT_HELD",
        /// More links are on the way than a path may meet.
        CannotResolveFilename = 1921 "ERROR_CANT_RESOLVE_FILENAME",
    }
}
