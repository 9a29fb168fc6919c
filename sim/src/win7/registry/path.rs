//! Key paths as programs give them: a predefined root, a backslash, the rest.

use std::fmt;

use super::name::{SEPARATOR, units};

/// A predefined key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Root {
    /// HKEY_CLASSES_ROOT: the user's and the machine's classes as one.
    ClassesRoot,
    /// HKEY_CURRENT_USER: the caller's own hive.
    CurrentUser,
    /// HKEY_LOCAL_MACHINE.
    LocalMachine,
    /// HKEY_USERS.
    Users,
    /// HKEY_CURRENT_CONFIG: the present hardware profile.
    CurrentConfig,
}

impl Root {
    /// All of them.
    pub const ALL: [Root; 5] = [
        Root::ClassesRoot,
        Root::CurrentUser,
        Root::LocalMachine,
        Root::Users,
        Root::CurrentConfig,
    ];

    /// `HKEY_LOCAL_MACHINE`.
    pub fn long_name(self) -> &'static str {
        match self {
            Root::ClassesRoot => "HKEY_CLASSES_ROOT",
            Root::CurrentUser => "HKEY_CURRENT_USER",
            Root::LocalMachine => "HKEY_LOCAL_MACHINE",
            Root::Users => "HKEY_USERS",
            Root::CurrentConfig => "HKEY_CURRENT_CONFIG",
        }
    }

    /// `HKLM`.
    pub fn short_name(self) -> &'static str {
        match self {
            Root::ClassesRoot => "HKCR",
            Root::CurrentUser => "HKCU",
            Root::LocalMachine => "HKLM",
            Root::Users => "HKU",
            Root::CurrentConfig => "HKCC",
        }
    }

    /// The root of this name, long or short, in any case.
    pub fn named(name: &str) -> Option<Root> {
        Root::ALL.into_iter().find(|root| {
            name.eq_ignore_ascii_case(root.long_name())
                || name.eq_ignore_ascii_case(root.short_name())
        })
    }
}

/// A root, and the path below it as it was written.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct KeyPath {
    /// The root.
    pub root: Root,
    /// What comes after the first backslash; it may begin with another one, which calls refuse.
    pub sub: Vec<u16>,
}

impl KeyPath {
    /// A path in code units.
    pub fn new(root: Root, sub: &[u16]) -> KeyPath {
        KeyPath {
            root,
            sub: sub.into(),
        }
    }

    /// The path that this text is: `HKCU\Software\x`, or with the root's long name.
    ///
    /// # Errors
    /// If it does not begin with a root.
    pub fn parse(text: &str) -> Result<KeyPath, UnknownRoot> {
        let (root, sub) = text.split_once('\\').unwrap_or((text, ""));
        match Root::named(root) {
            Some(root) => Ok(KeyPath {
                root,
                sub: units(sub),
            }),
            None => Err(UnknownRoot(root.into())),
        }
    }

    /// The subkey of this name, one component or several.
    pub fn join(&self, name: &[u16]) -> KeyPath {
        let mut sub = self.sub.clone();
        if !sub.is_empty() && sub.last() != Some(&SEPARATOR) {
            sub.push(SEPARATOR);
        }
        sub.extend_from_slice(name);
        KeyPath {
            root: self.root,
            sub,
        }
    }
}

/// As [`KeyPath::parse`], for paths that a program has in its source.
///
/// # Panics
/// If the text does not begin with a root.
impl From<&str> for KeyPath {
    fn from(text: &str) -> KeyPath {
        KeyPath::parse(text).unwrap_or_else(|unknown| panic!("{unknown}"))
    }
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root.long_name())?;
        if !self.sub.is_empty() {
            write!(f, "\\{}", String::from_utf16_lossy(&self.sub))?;
        }
        Ok(())
    }
}

impl fmt::Debug for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is no key path.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownRoot(pub String);

impl fmt::Display for UnknownRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:?} is no root key: use HKLM, HKCU, HKCR, HKU or HKCC",
            self.0
        )
    }
}

impl std::error::Error for UnknownRoot {}
