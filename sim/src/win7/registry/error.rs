//! How calls fail: one small enumeration an operation, each variant with its Win32 code.
//!
//! A code that is not established for Windows 7 is marked "inferred".

use std::fmt;

/// A Win32 error: its code, and its name in `winerror.h`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Win32 {
    /// The code.
    pub code: u32,
    /// The name.
    pub name: &'static str,
}

impl fmt::Display for Win32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.code)
    }
}

impl std::error::Error for Win32 {}

macro_rules! errors {
    ($($(#[$doc:meta])* $error:ident {
        $( $(#[$variant_doc:meta])* $variant:ident = $code:literal $name:literal, )*
        $( .. $from:ident { $($carried:ident),* } )*
    })*) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum $error { $( $(#[$variant_doc])* $variant, )* }

        impl $error {
            /// The Win32 code.
            pub fn code(self) -> u32 {
                self.win32().code
            }

            /// The Win32 error.
            pub fn win32(self) -> $crate::win7::registry::Win32 {
                let (code, name) = match self { $( $error::$variant => ($code, $name), )* };
                $crate::win7::registry::Win32 { code, name }
            }
        }

        impl From<$error> for $crate::win7::registry::Win32 {
            fn from(error: $error) -> $crate::win7::registry::Win32 {
                error.win32()
            }
        }

        impl std::fmt::Display for $error {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.win32().fmt(f)
            }
        }

        impl std::error::Error for $error {}

        $( impl From<$from> for $error {
            fn from(error: $from) -> $error {
                match error { $( $from::$carried => $error::$carried, )* }
            }
        } )*
    )* };
}

pub(crate) use errors;

errors! {
    /// Of a handle that a call is given.
    HandleError {
        /// It is none, or was closed.
        InvalidHandle = 6 "ERROR_INVALID_HANDLE",
        /// Its key was deleted.
        KeyDeleted = 1018 "ERROR_KEY_DELETED",
    }

    /// RegOpenKeyEx.
    OpenError {
        /// There is no such key.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// The caller may not have this access.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// The handle is none, or was closed.
        InvalidHandle = 6 "ERROR_INVALID_HANDLE",
        /// Both views are asked for, or a component has more than 255 units (inferred).
        InvalidParameter = 87 "ERROR_INVALID_PARAMETER",
        /// The path begins with a backslash.
        BadPathname = 161 "ERROR_BAD_PATHNAME",
        /// More than 32 components in one call, or links without end (inferred).
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// The handle's key was deleted.
        KeyDeleted = 1018 "ERROR_KEY_DELETED",
        /// The SACL was asked for without SeSecurityPrivilege.
        PrivilegeNotHeld = 1314 "ERROR_PRIVILEGE_NOT_HELD",
        .. HandleError { InvalidHandle, KeyDeleted }
    }

    /// RegCreateKeyEx.
    CreateError {
        /// A link leads to a key that does not exist.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// The caller may not create a subkey here.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// The handle is none, or was closed.
        InvalidHandle = 6 "ERROR_INVALID_HANDLE",
        /// A direct child of HKLM or HKU (inferred), a component of more than 255 units (inferred), or
        /// both views.
        InvalidParameter = 87 "ERROR_INVALID_PARAMETER",
        /// The path begins with a backslash.
        BadPathname = 161 "ERROR_BAD_PATHNAME",
        /// A link is to be created where there is a key.
        AlreadyExists = 183 "ERROR_ALREADY_EXISTS",
        /// More than 32 components in one call (inferred), or a tree of more than 512 levels (inferred).
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// The handle's key was deleted.
        KeyDeleted = 1018 "ERROR_KEY_DELETED",
        /// A stable key below a volatile one.
        ChildMustBeVolatile = 1021 "ERROR_CHILD_MUST_BE_VOLATILE",
        /// The SACL was asked for without SeSecurityPrivilege.
        PrivilegeNotHeld = 1314 "ERROR_PRIVILEGE_NOT_HELD",
        .. OpenError {
            FileNotFound, AccessDenied, InvalidHandle, InvalidParameter, BadPathname, FilenameExcedRange,
            KeyDeleted, PrivilegeNotHeld
        }
        .. HandleError { InvalidHandle, KeyDeleted }
    }

    /// RegQueryValueEx and the enumerations, with the opening of their key.
    ReadError {
        /// There is no such key or value.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// The handle's access lacks the right.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// The handle is none, or was closed.
        InvalidHandle = 6 "ERROR_INVALID_HANDLE",
        /// As for opening.
        InvalidParameter = 87 "ERROR_INVALID_PARAMETER",
        /// The path begins with a backslash.
        BadPathname = 161 "ERROR_BAD_PATHNAME",
        /// As for opening.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// There are no more.
        NoMoreItems = 259 "ERROR_NO_MORE_ITEMS",
        /// The handle's key was deleted.
        KeyDeleted = 1018 "ERROR_KEY_DELETED",
        /// The SACL was asked for without SeSecurityPrivilege.
        PrivilegeNotHeld = 1314 "ERROR_PRIVILEGE_NOT_HELD",
        .. OpenError {
            FileNotFound, AccessDenied, InvalidHandle, InvalidParameter, BadPathname, FilenameExcedRange,
            KeyDeleted, PrivilegeNotHeld
        }
        .. HandleError { InvalidHandle, KeyDeleted }
    }

    /// RegSetValueEx and RegDeleteValue, with the opening of their key.
    WriteError {
        /// There is no such key or value.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// The handle's access lacks the right, or the key is a link and the value not its target.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// The handle is none, or was closed.
        InvalidHandle = 6 "ERROR_INVALID_HANDLE",
        /// The name has more than 16 383 units (inferred), or as for opening.
        InvalidParameter = 87 "ERROR_INVALID_PARAMETER",
        /// The path begins with a backslash.
        BadPathname = 161 "ERROR_BAD_PATHNAME",
        /// As for opening.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// The handle's key was deleted.
        KeyDeleted = 1018 "ERROR_KEY_DELETED",
        /// The SACL was asked for without SeSecurityPrivilege.
        PrivilegeNotHeld = 1314 "ERROR_PRIVILEGE_NOT_HELD",
        .. OpenError {
            FileNotFound, AccessDenied, InvalidHandle, InvalidParameter, BadPathname, FilenameExcedRange,
            KeyDeleted, PrivilegeNotHeld
        }
        .. HandleError { InvalidHandle, KeyDeleted }
    }

    /// RegDeleteKeyEx and RegDeleteTree.
    DeleteError {
        /// There is no such key.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// It has subkeys, it is the root of a hive, or the caller may not delete it.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// The handle is none, or was closed.
        InvalidHandle = 6 "ERROR_INVALID_HANDLE",
        /// As for opening.
        InvalidParameter = 87 "ERROR_INVALID_PARAMETER",
        /// The path begins with a backslash.
        BadPathname = 161 "ERROR_BAD_PATHNAME",
        /// As for opening.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// The handle's key was deleted.
        KeyDeleted = 1018 "ERROR_KEY_DELETED",
        /// The SACL was asked for without SeSecurityPrivilege.
        PrivilegeNotHeld = 1314 "ERROR_PRIVILEGE_NOT_HELD",
        .. OpenError {
            FileNotFound, AccessDenied, InvalidHandle, InvalidParameter, BadPathname, FilenameExcedRange,
            KeyDeleted, PrivilegeNotHeld
        }
        .. HandleError { InvalidHandle, KeyDeleted }
    }

    /// RegNotifyChangeKeyValue, with the opening of its key.
    NotifyError {
        /// There is no such key.
        FileNotFound = 2 "ERROR_FILE_NOT_FOUND",
        /// The handle's access lacks KEY_NOTIFY.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// The handle is none, or was closed.
        InvalidHandle = 6 "ERROR_INVALID_HANDLE",
        /// The filter has bits that Windows 7 does not know (inferred), or as for opening.
        InvalidParameter = 87 "ERROR_INVALID_PARAMETER",
        /// The path begins with a backslash.
        BadPathname = 161 "ERROR_BAD_PATHNAME",
        /// As for opening.
        FilenameExcedRange = 206 "ERROR_FILENAME_EXCED_RANGE",
        /// The handle's key was deleted.
        KeyDeleted = 1018 "ERROR_KEY_DELETED",
        /// The SACL was asked for without SeSecurityPrivilege.
        PrivilegeNotHeld = 1314 "ERROR_PRIVILEGE_NOT_HELD",
        .. OpenError {
            FileNotFound, AccessDenied, InvalidHandle, InvalidParameter, BadPathname, FilenameExcedRange,
            KeyDeleted, PrivilegeNotHeld
        }
        .. HandleError { InvalidHandle, KeyDeleted }
    }

    /// RegLoadKey: a hive is put in its place.
    MountError {
        /// Only HKLM and HKU take hives, with a name of one component.
        InvalidParameter = 87 "ERROR_INVALID_PARAMETER",
        /// There is a key of that name.
        AlreadyExists = 183 "ERROR_ALREADY_EXISTS",
    }
}
