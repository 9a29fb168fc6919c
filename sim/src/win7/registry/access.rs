//! Rights, callers, and the one place where access is decided.

use std::sync::Arc;

use super::key::Key;
use super::name::{Name, fold_all, units};

/// An access mask of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Access(pub u32);

impl Access {
    /// Reading values.
    pub const QUERY_VALUE: Access = Access(0x1);
    /// Setting and deleting values.
    pub const SET_VALUE: Access = Access(0x2);
    /// Creating subkeys.
    pub const CREATE_SUB_KEY: Access = Access(0x4);
    /// Enumerating subkeys.
    pub const ENUMERATE_SUB_KEYS: Access = Access(0x8);
    /// Being told of changes.
    pub const NOTIFY: Access = Access(0x10);
    /// Creating a link.
    pub const CREATE_LINK: Access = Access(0x20);
    /// A request for the 64-bit view. No right, and never granted.
    pub const WOW64_64KEY: Access = Access(0x100);
    /// A request for the 32-bit view. No right, and never granted.
    pub const WOW64_32KEY: Access = Access(0x200);
    /// Deleting the key.
    pub const DELETE: Access = Access(0x1_0000);
    /// What reading takes.
    pub const READ: Access = Access(0x2_0019);
    /// What writing takes.
    pub const WRITE: Access = Access(0x2_0006);
    /// All rights of a key: there is no SYNCHRONIZE.
    pub const ALL: Access = Access(0xF_003F);
    /// Whatever the caller may have.
    pub const MAXIMUM_ALLOWED: Access = Access(0x200_0000);

    /// Whether all rights of `other` are here.
    pub fn has(self, other: Access) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both together.
    pub fn with(self, other: Access) -> Access {
        Access(self.0 | other.0)
    }

    /// The rights that are asked for, with the generic ones mapped and the view taken away.
    pub fn mapped(self) -> Access {
        let views = Access::WOW64_32KEY.with(Access::WOW64_64KEY).0;
        let generic = [
            (0x8000_0000, Access::READ),
            (0x4000_0000, Access::WRITE),
            (0x2000_0000, Access::READ),
            (0x1000_0000, Access::ALL),
        ];
        let mapped = generic
            .iter()
            .filter(|(bit, _)| self.0 & bit != 0)
            .fold(self.0 & 0x0FFF_FFFF & !views, |mask, (_, rights)| {
                mask | rights.0
            });
        Access(mapped)
    }
}

/// How wide the caller's pointers are: what decides the view that it sees by default.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Bits {
    /// A 32-bit process, under WOW64.
    Bits32,
    /// A 64-bit process.
    #[default]
    Bits64,
}

/// What a caller may do, as far as it is modelled without security descriptors.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Standing {
    /// SYSTEM, or an administrator's elevated token.
    Administrator,
    /// A standard user, an administrator's filtered token, or a service account.
    User,
}

/// Who calls.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Caller {
    hive: Arc<[u16]>,
    has_classes_hive: bool,
    standing: Standing,
    bits: Bits,
    flag: Option<Bits>,
}

impl Caller {
    /// A 64-bit process of whoever's HKCU is HKU\\`hive`.
    pub fn new(hive: &str, standing: Standing) -> Caller {
        Caller {
            hive: units(hive).into(),
            has_classes_hive: hive.starts_with("S-1-5-21-"),
            standing,
            bits: Bits::Bits64,
            flag: None,
        }
    }

    /// The same, of this bitness.
    pub fn of_bits(self, bits: Bits) -> Caller {
        Caller { bits, ..self }
    }

    /// The same, passing KEY_WOW64_32KEY or KEY_WOW64_64KEY with each call.
    pub fn in_view(self, flag: Option<Bits>) -> Caller {
        Caller { flag, ..self }
    }

    /// Its bitness.
    pub fn bits(&self) -> Bits {
        self.bits
    }

    /// The view that it asks for, if it does.
    pub fn flag(&self) -> Option<Bits> {
        self.flag
    }

    /// Its standing.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// The name of its hive below HKU.
    pub fn hive(&self) -> &[u16] {
        &self.hive
    }

    /// Where its own classes are: a hive of their own for users, a plain key for services.
    pub(super) fn classes(&self) -> Vec<u16> {
        let mut path = units("USER\\");
        path.extend_from_slice(&self.hive);
        path.extend(units(match self.has_classes_hive {
            true => "_Classes",
            false => "\\Software\\Classes",
        }));
        path
    }
}

/// Decides access to a key. The one place for it: security descriptors will come in here.
///
/// So far it knows what the default descriptors come to, by place: administrators and SYSTEM everything;
/// others everything in their own hive, reading of HKLM and HKU\\.DEFAULT, nothing of other users'.
/// (Sure for HKLM\\SOFTWARE as a whole; there are keys below it, of TrustedInstaller, that differ.)
pub fn access_check(
    caller: &Caller,
    place: &[u16],
    key: &Key,
    desired: Access,
) -> Result<Access, Denied> {
    debug_assert!(
        key.descriptor().is_none(),
        "descriptors are not modelled yet"
    );
    let most = match caller.standing {
        Standing::Administrator => Access::ALL,
        Standing::User => users_access(caller, place),
    };
    let desired = desired.mapped();
    if desired.has(Access::MAXIMUM_ALLOWED) {
        let rest = Access(desired.0 & !Access::MAXIMUM_ALLOWED.0);
        return if most.0 != 0 && most.has(rest) {
            Ok(most)
        } else {
            Err(Denied)
        };
    }
    if most.has(desired) {
        Ok(desired)
    } else {
        Err(Denied)
    }
}

/// The caller may not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Denied;

fn users_access(caller: &Caller, place: &[u16]) -> Access {
    let (root, below) = super::key::split(place);
    let (hive, _) = super::key::split(below);
    let is = |text: &str| hive == fold_all(&units(text));
    let own = Name::new(&caller.hive);
    let own_classes: Vec<u16> = own
        .folded()
        .iter()
        .copied()
        .chain(units("_CLASSES"))
        .collect();
    match root == units("MACHINE") {
        true if is("SAM") || is("SECURITY") => Access(0),
        true => Access::READ,
        false if hive == own.folded() || hive == own_classes => Access::ALL,
        false if hive.is_empty() || is(".DEFAULT") || is("S-1-5-18") => Access::READ,
        false => Access(0),
    }
}
