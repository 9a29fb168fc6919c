//! Access masks, and what generic rights come to for a kind of object.

use std::fmt;
use std::ops::{BitAnd, BitOr, BitOrAssign, Not};

/// An access mask: rights of an object, standard rights, generic rights.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mask(pub u32);

/// FILE_READ_DATA; FILE_LIST_DIRECTORY of a directory.
pub const READ_DATA: Mask = Mask(0x1);
/// FILE_LIST_DIRECTORY.
pub const LIST_DIRECTORY: Mask = Mask(0x1);
/// FILE_WRITE_DATA.
pub const WRITE_DATA: Mask = Mask(0x2);
/// FILE_ADD_FILE: creating files in a directory.
pub const ADD_FILE: Mask = Mask(0x2);
/// FILE_APPEND_DATA.
pub const APPEND_DATA: Mask = Mask(0x4);
/// FILE_ADD_SUBDIRECTORY: creating directories in a directory.
pub const ADD_SUBDIRECTORY: Mask = Mask(0x4);
/// FILE_READ_EA.
pub const READ_EA: Mask = Mask(0x8);
/// FILE_WRITE_EA.
pub const WRITE_EA: Mask = Mask(0x10);
/// FILE_EXECUTE; FILE_TRAVERSE of a directory.
pub const EXECUTE: Mask = Mask(0x20);
/// FILE_DELETE_CHILD: deleting what is directly in a directory, whatever its own descriptor says.
pub const DELETE_CHILD: Mask = Mask(0x40);
/// FILE_READ_ATTRIBUTES.
pub const READ_ATTRIBUTES: Mask = Mask(0x80);
/// FILE_WRITE_ATTRIBUTES.
pub const WRITE_ATTRIBUTES: Mask = Mask(0x100);
/// DELETE.
pub const DELETE: Mask = Mask(0x1_0000);
/// READ_CONTROL: reading owner, group and DACL.
pub const READ_CONTROL: Mask = Mask(0x2_0000);
/// WRITE_DAC.
pub const WRITE_DAC: Mask = Mask(0x4_0000);
/// WRITE_OWNER.
pub const WRITE_OWNER: Mask = Mask(0x8_0000);
/// SYNCHRONIZE.
pub const SYNCHRONIZE: Mask = Mask(0x10_0000);
/// ACCESS_SYSTEM_SECURITY: reading and writing the SACL.
pub const ACCESS_SYSTEM_SECURITY: Mask = Mask(0x100_0000);
/// MAXIMUM_ALLOWED: whatever the caller may have.
pub const MAXIMUM_ALLOWED: Mask = Mask(0x200_0000);
/// GENERIC_ALL.
pub const GENERIC_ALL: Mask = Mask(0x1000_0000);
/// GENERIC_EXECUTE.
pub const GENERIC_EXECUTE: Mask = Mask(0x2000_0000);
/// GENERIC_WRITE.
pub const GENERIC_WRITE: Mask = Mask(0x4000_0000);
/// GENERIC_READ.
pub const GENERIC_READ: Mask = Mask(0x8000_0000);
/// The four generic rights.
pub const GENERIC: Mask = Mask(0xF000_0000);

impl Mask {
    /// No right.
    pub const NONE: Mask = Mask(0);

    /// Whether all rights of `other` are here.
    #[inline]
    pub const fn has(self, other: Mask) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether a right of `other` is here.
    #[inline]
    pub const fn meets(self, other: Mask) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// These rights, less those of `other`.
    #[inline]
    pub const fn without(self, other: Mask) -> Mask {
        Mask(self.0 & !other.0)
    }

    /// Each bit by itself, the lowest first.
    pub fn bits(self) -> impl Iterator<Item = Mask> {
        (0..32)
            .map(|bit| Mask(1 << bit))
            .filter(move |bit| self.meets(*bit))
    }
}

impl BitOr for Mask {
    type Output = Mask;
    fn bitor(self, other: Mask) -> Mask {
        Mask(self.0 | other.0)
    }
}

impl BitOrAssign for Mask {
    fn bitor_assign(&mut self, other: Mask) {
        self.0 |= other.0;
    }
}

impl BitAnd for Mask {
    type Output = Mask;
    fn bitand(self, other: Mask) -> Mask {
        Mask(self.0 & other.0)
    }
}

impl Not for Mask {
    type Output = Mask;
    fn not(self) -> Mask {
        Mask(!self.0)
    }
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl fmt::LowerHex for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::LowerHex::fmt(&self.0, f)
    }
}

/// What a descriptor is of: decides what the bits of a mask mean.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Kind {
    /// A file or directory.
    File,
    /// A key of the registry.
    Key,
}

impl Kind {
    pub(super) const UNNAMED: &str = "a bit without a name";

    /// What GENERIC_READ comes to.
    pub const fn read(self) -> Mask {
        match self {
            Kind::File => Mask(0x12_0089),
            Kind::Key => Mask(0x2_0019),
        }
    }

    /// What GENERIC_WRITE comes to.
    pub const fn write(self) -> Mask {
        match self {
            Kind::File => Mask(0x12_0116),
            Kind::Key => Mask(0x2_0006),
        }
    }

    /// What GENERIC_EXECUTE comes to.
    pub const fn execute(self) -> Mask {
        match self {
            Kind::File => Mask(0x12_00A0),
            Kind::Key => Mask(0x2_0019),
        }
    }

    /// What GENERIC_ALL comes to.
    pub const fn all(self) -> Mask {
        match self {
            Kind::File => Mask(0x1F_01FF),
            Kind::Key => Mask(0xF_003F),
        }
    }

    /// MapGenericMask: generic rights replaced by what they come to.
    #[inline]
    pub const fn map(self, mask: Mask) -> Mask {
        if mask.0 & GENERIC.0 == 0 {
            return mask;
        }
        let mut mapped = mask.0 & !GENERIC.0;
        if mask.has(GENERIC_READ) {
            mapped |= self.read().0;
        }
        if mask.has(GENERIC_WRITE) {
            mapped |= self.write().0;
        }
        if mask.has(GENERIC_EXECUTE) {
            mapped |= self.execute().0;
        }
        if mask.has(GENERIC_ALL) {
            mapped |= self.all().0;
        }
        Mask(mapped)
    }

    /// What a single bit is called.
    pub fn name(self, bit: Mask) -> &'static str {
        match (self, bit.0) {
            (Kind::File, 0x1) => "FILE_READ_DATA (FILE_LIST_DIRECTORY)",
            (Kind::File, 0x2) => "FILE_WRITE_DATA (FILE_ADD_FILE)",
            (Kind::File, 0x4) => "FILE_APPEND_DATA (FILE_ADD_SUBDIRECTORY)",
            (Kind::File, 0x8) => "FILE_READ_EA",
            (Kind::File, 0x10) => "FILE_WRITE_EA",
            (Kind::File, 0x20) => "FILE_EXECUTE (FILE_TRAVERSE)",
            (Kind::File, 0x40) => "FILE_DELETE_CHILD",
            (Kind::File, 0x80) => "FILE_READ_ATTRIBUTES",
            (Kind::File, 0x100) => "FILE_WRITE_ATTRIBUTES",
            (Kind::Key, 0x1) => "KEY_QUERY_VALUE",
            (Kind::Key, 0x2) => "KEY_SET_VALUE",
            (Kind::Key, 0x4) => "KEY_CREATE_SUB_KEY",
            (Kind::Key, 0x8) => "KEY_ENUMERATE_SUB_KEYS",
            (Kind::Key, 0x10) => "KEY_NOTIFY",
            (Kind::Key, 0x20) => "KEY_CREATE_LINK",
            (_, 0x1_0000) => "DELETE",
            (_, 0x2_0000) => "READ_CONTROL",
            (_, 0x4_0000) => "WRITE_DAC",
            (_, 0x8_0000) => "WRITE_OWNER",
            (_, 0x10_0000) => "SYNCHRONIZE",
            (_, 0x100_0000) => "ACCESS_SYSTEM_SECURITY",
            (_, 0x200_0000) => "MAXIMUM_ALLOWED",
            (_, 0x1000_0000) => "GENERIC_ALL",
            (_, 0x2000_0000) => "GENERIC_EXECUTE",
            (_, 0x4000_0000) => "GENERIC_WRITE",
            (_, 0x8000_0000) => "GENERIC_READ",
            _ => Kind::UNNAMED,
        }
    }

    /// The names of all bits, joined.
    pub fn names(self, mask: Mask) -> String {
        let names: Vec<&str> = mask.bits().map(|bit| self.name(bit)).collect();
        match names.is_empty() {
            true => "nothing".into(),
            false => names.join(", "),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generic_rights_come_to_those_of_the_kind() {
        assert_eq!(
            Kind::File.map(GENERIC_READ | GENERIC_WRITE),
            Mask(0x12_019F)
        );
        assert_eq!(Kind::File.map(GENERIC_ALL | DELETE), Mask(0x1F_01FF));
        assert_eq!(Kind::Key.map(GENERIC_EXECUTE), Mask(0x2_0019));
        assert_eq!(Kind::Key.map(MAXIMUM_ALLOWED), MAXIMUM_ALLOWED);
    }
}
