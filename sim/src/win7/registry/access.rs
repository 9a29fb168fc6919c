//! Rights, callers, and the one place where access is decided.

use std::sync::Arc;

use super::key::Key;
use super::name::units;
use crate::win7::security::{
    self, AccessError, Descriptor, Kind, Mask, NewObject, Shared, Sid, Token,
};

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

/// What a person's process may do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Standing {
    /// An administrator's, elevated.
    Administrator,
    /// A standard user's.
    User,
}

/// Who calls.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Caller {
    hive: Arc<[u16]>,
    has_classes_hive: bool,
    token: Arc<Token>,
    bits: Bits,
    flag: Option<Bits>,
}

impl Caller {
    /// A 64-bit process of whoever's HKCU is HKU\\`hive`: a person's, or with `.DEFAULT`, `S-1-5-19` or
    /// `S-1-5-20` a service's, whatever the standing. A hive that is no identifier has nobody behind it but
    /// Everyone, and the administrators for one.
    pub fn new(hive: &str, standing: Standing) -> Caller {
        let token = match (hive, Sid::parse(hive)) {
            (".DEFAULT", _) => Token::system(),
            (_, Some(sid)) if sid == Sid::LOCAL_SERVICE || sid == Sid::NETWORK_SERVICE => {
                Token::service(sid)
            }
            (_, sid) => {
                let sid = sid.unwrap_or(Sid::EVERYONE);
                match standing {
                    Standing::Administrator => Token::administrator(sid),
                    Standing::User => Token::standard_user(sid),
                }
            }
        };
        Caller::with_token(hive, token)
    }

    /// A 64-bit process with this token, whose HKCU is HKU\\`hive`.
    pub fn with_token(hive: &str, token: Token) -> Caller {
        Caller {
            hive: units(hive).into(),
            has_classes_hive: hive.starts_with("S-1-5-21-"),
            token: Arc::new(token),
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

    /// Its token.
    pub fn token(&self) -> &Token {
        &self.token
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

/// Decides access to a key: the access check over its descriptor. The one place for it.
pub fn access_check(caller: &Caller, key: &Key, desired: Access) -> Result<Access, Denied> {
    let views = Access::WOW64_32KEY.with(Access::WOW64_64KEY).0;
    let desired = Mask(desired.0 & !views);
    // To open a key for nothing in particular is granted.
    if desired.is_empty() {
        return Ok(Access(0));
    }
    let Some(descriptor) = key.descriptor() else {
        return Ok(Access(desired.0).mapped());
    };
    match security::access_check(&caller.token, descriptor, Kind::Key, desired) {
        Ok(granted) => Ok(Access(granted.0)),
        Err(refusal) => Err(Denied(refusal.error())),
    }
}

/// The caller may not.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Denied(pub AccessError);

/// The descriptor of a new key.
pub(super) fn created(token: &Token, above: &Shared, creator: Option<&Descriptor>) -> Shared {
    let new = NewObject {
        parent: Some(above),
        creator,
        is_container: true,
        kind: Kind::Key,
        owner: token.owner,
        group: token.group,
        default_dacl: token.default_dacl.as_ref(),
    };
    let new = new.descriptor();
    // Most keys have the descriptor of the one above.
    match new == **above {
        true => above.clone(),
        false => new.into(),
    }
}

/// The descriptor of a key that the system puts below one.
pub(super) fn inherited(above: &Shared) -> Shared {
    created(&Token::system(), above, None)
}
