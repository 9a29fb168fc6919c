//! Access control entries and lists, and the security descriptors that hold them.

use std::sync::Arc;

use super::mask::{Kind, Mask};
use super::sid::Sid;
use crate::win7::registry::feed::Feed;

/// What an entry does. The numbers are those of the binary form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum AceType {
    /// ACCESS_ALLOWED_ACE_TYPE.
    Allow = 0,
    /// ACCESS_DENIED_ACE_TYPE.
    Deny = 1,
    /// SYSTEM_AUDIT_ACE_TYPE.
    Audit = 2,
    /// SYSTEM_ALARM_ACE_TYPE: reserved.
    Alarm = 3,
    /// ACCESS_ALLOWED_OBJECT_ACE_TYPE.
    AllowObject = 5,
    /// ACCESS_DENIED_OBJECT_ACE_TYPE.
    DenyObject = 6,
    /// SYSTEM_AUDIT_OBJECT_ACE_TYPE.
    AuditObject = 7,
    /// SYSTEM_ALARM_OBJECT_ACE_TYPE: reserved.
    AlarmObject = 8,
    /// SYSTEM_MANDATORY_LABEL_ACE_TYPE: the integrity level.
    Label = 0x11,
}

impl AceType {
    /// All of them, with what SDDL calls them.
    pub const ALL: [(AceType, &'static str); 9] = [
        (AceType::Allow, "A"),
        (AceType::Deny, "D"),
        (AceType::Audit, "AU"),
        (AceType::Alarm, "AL"),
        (AceType::AllowObject, "OA"),
        (AceType::DenyObject, "OD"),
        (AceType::AuditObject, "OU"),
        (AceType::AlarmObject, "OL"),
        (AceType::Label, "ML"),
    ];

    /// Whether entries of this type stand in a DACL; the others stand in a SACL.
    pub fn is_discretionary(self) -> bool {
        use AceType::*;
        matches!(self, Allow | Deny | AllowObject | DenyObject)
    }

    /// Whether entries of this type may name object types.
    pub fn is_of_objects(self) -> bool {
        use AceType::*;
        matches!(self, AllowObject | DenyObject | AuditObject | AlarmObject)
    }
}

/// How an entry is inherited, whether it was, and what an audit entry is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Flags(pub u8);

impl Flags {
    /// OBJECT_INHERIT_ACE: files get it.
    pub const OI: Flags = Flags(0x1);
    /// CONTAINER_INHERIT_ACE: directories and keys get it.
    pub const CI: Flags = Flags(0x2);
    /// NO_PROPAGATE_INHERIT_ACE: whoever gets it does not pass it on.
    pub const NP: Flags = Flags(0x4);
    /// INHERIT_ONLY_ACE: it does not count here.
    pub const IO: Flags = Flags(0x8);
    /// INHERITED_ACE: it comes from above.
    pub const ID: Flags = Flags(0x10);
    /// SUCCESSFUL_ACCESS_ACE_FLAG.
    pub const SA: Flags = Flags(0x40);
    /// FAILED_ACCESS_ACE_FLAG.
    pub const FA: Flags = Flags(0x80);

    /// All that have a name, with what SDDL calls them.
    pub const ALL: [(Flags, &'static str); 7] = [
        (Flags::OI, "OI"),
        (Flags::CI, "CI"),
        (Flags::NP, "NP"),
        (Flags::IO, "IO"),
        (Flags::ID, "ID"),
        (Flags::SA, "SA"),
        (Flags::FA, "FA"),
    ];

    /// Whether all flags of `other` are here.
    #[inline]
    pub const fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// With those of `other`.
    pub const fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// Less those of `other`.
    pub const fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}

/// The object types that an entry of a directory service names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct ObjectTypes {
    /// What the rights are about.
    pub of: Option<u128>,
    /// Which objects inherit it.
    pub inherited_by: Option<u128>,
}

/// An access control entry.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Ace {
    /// What it does.
    pub kind: AceType,
    /// How it is inherited.
    pub flags: Flags,
    /// The rights; the policy of a label.
    pub mask: Mask,
    /// Who; the level of a label.
    pub sid: Sid,
    /// The object types, which only a directory service has. Files and keys have none.
    pub objects: Option<Box<ObjectTypes>>,
}

impl Ace {
    /// An entry.
    pub fn new(kind: AceType, flags: Flags, mask: Mask, sid: Sid) -> Ace {
        Ace {
            kind,
            flags,
            mask,
            sid,
            objects: None,
        }
    }

    /// Whether it was inherited.
    pub fn is_inherited(&self) -> bool {
        self.flags.has(Flags::ID)
    }

    /// Whether it counts for the object that it stands at.
    #[inline]
    pub fn is_effective(&self) -> bool {
        !self.flags.has(Flags::IO)
    }

    /// Whether an inherited entry below can have come from this one, which is not inherited itself.
    pub(in crate::win7) fn is_origin_of(&self, below: &Ace, kind: Kind) -> bool {
        let stands_in = self.sid == Sid::CREATOR_OWNER || self.sid == Sid::CREATOR_GROUP;
        !self.is_inherited()
            && (self.flags.has(Flags::OI) || self.flags.has(Flags::CI))
            && self.kind == below.kind
            && kind.map(self.mask) == kind.map(below.mask)
            && (self.sid == below.sid || stands_in)
    }

    /// Whether it becomes something else on the way to a child: generic rights are mapped, and whoever
    /// creates the child takes the place of CREATOR OWNER and CREATOR GROUP.
    pub(super) fn changes_when_inherited(&self) -> bool {
        self.mask.meets(super::mask::GENERIC)
            || self.sid == Sid::CREATOR_OWNER
            || self.sid == Sid::CREATOR_GROUP
    }
}

/// The entries of a list, in the order in which they count.
pub type Aces = Arc<[Ace]>;

/// A list as a descriptor holds it, with the control bits that are about it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Acl {
    /// SE_DACL_PROTECTED, SE_SACL_PROTECTED: nothing is inherited.
    pub is_protected: bool,
    /// SE_DACL_AUTO_INHERIT_REQ: asks a call that sets it to keep [`Acl::is_auto_inherited`].
    pub wants_auto_inherit: bool,
    /// SE_DACL_AUTO_INHERITED: its entries say whether they were inherited.
    pub is_auto_inherited: bool,
    /// None is a NULL list: there is no policy, so everybody may do everything. An empty list is the
    /// opposite.
    pub aces: Option<Aces>,
}

impl Acl {
    /// A list without control bits.
    pub fn new(aces: impl Into<Aces>) -> Acl {
        Acl {
            is_protected: false,
            wants_auto_inherit: false,
            is_auto_inherited: false,
            aces: Some(aces.into()),
        }
    }

    /// A list that is there and NULL.
    pub fn null() -> Acl {
        Acl {
            aces: None,
            ..Acl::new([])
        }
    }

    /// Its entries; a NULL list has none.
    pub fn entries(&self) -> &[Ace] {
        self.aces.as_deref().unwrap_or_default()
    }

    /// Whether the entries stand in the order that the tools of Windows give them: explicit before
    /// inherited, and among the explicit ones deny before allow. The access check does not care. (Inherited
    /// entries of several levels, each deny first, cannot be told apart here, so their order is not judged.)
    pub fn is_canonical(&self) -> bool {
        let rank = |ace: &Ace| match (ace.is_inherited(), ace.kind) {
            (true, _) => 2,
            (false, AceType::Deny | AceType::DenyObject) => 0,
            (false, _) => 1,
        };
        self.entries().is_sorted_by_key(rank)
    }
}

/// A security descriptor: who owns something, and who may do what with it.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Descriptor {
    /// The owner.
    pub owner: Option<Sid>,
    /// The primary group, which only POSIX programs read.
    pub group: Option<Sid>,
    /// Who may do what; none means the same as a NULL list.
    pub dacl: Option<Acl>,
    /// What is audited, and the integrity level.
    pub sacl: Option<Acl>,
}

impl Descriptor {
    /// The entries of the DACL; none if there is no DACL or it is NULL.
    pub fn aces(&self) -> Option<&[Ace]> {
        self.dacl.as_ref()?.aces.as_deref()
    }

    /// The integrity label that counts here: level and policy.
    pub fn label(&self) -> Option<(u32, Mask)> {
        let entries = self.sacl.as_ref()?.entries();
        let label = entries
            .iter()
            .find(|ace| ace.kind == AceType::Label && ace.is_effective())?;
        Some((label.sid.level()?, label.mask))
    }

    /// The descriptor without its SACL: what READ_CONTROL lets one see.
    pub fn without_sacl(&self) -> Descriptor {
        Descriptor {
            sacl: None,
            ..self.clone()
        }
    }

    /// What the object has after a call that sets the parts of `new` that are there, and nothing else:
    /// SetFileSecurity, RegSetKeySecurity. Generic rights of entries that count here are mapped; the
    /// children keep what they have. SE_DACL_AUTO_INHERITED stays only if the caller asks for it.
    pub fn with_parts_of(&self, new: &Descriptor, kind: Kind) -> Descriptor {
        let stored = |acl: &Acl| {
            let map = |ace: &Ace| Ace {
                mask: if ace.is_effective() && ace.kind != AceType::Label {
                    kind.map(ace.mask)
                } else {
                    ace.mask
                },
                ..ace.clone()
            };
            Acl {
                is_protected: acl.is_protected,
                wants_auto_inherit: false,
                is_auto_inherited: acl.wants_auto_inherit && acl.is_auto_inherited,
                aces: acl.aces.as_ref().map(|aces| aces.iter().map(map).collect()),
            }
        };
        Descriptor {
            owner: new.owner.or(self.owner),
            group: new.group.or(self.group),
            dacl: new.dacl.as_ref().map(stored).or_else(|| self.dacl.clone()),
            sacl: new.sacl.as_ref().map(stored).or_else(|| self.sacl.clone()),
        }
    }
}

/// A descriptor that many objects have, with its digest. Clones share it.
#[derive(Clone)]
pub struct Shared(Arc<(Descriptor, u128)>);

impl Shared {
    /// The digest of the descriptor.
    pub fn digest(&self) -> u128 {
        self.0.1
    }
}

impl From<Descriptor> for Shared {
    fn from(descriptor: Descriptor) -> Shared {
        let mut feed = Feed::new();
        feed.bytes(descriptor.sddl().as_bytes());
        let digest = feed.finish();
        Shared(Arc::new((descriptor, digest)))
    }
}

impl std::ops::Deref for Shared {
    type Target = Descriptor;
    fn deref(&self) -> &Descriptor {
        &self.0.0
    }
}

impl PartialEq for Shared {
    fn eq(&self, other: &Shared) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Eq for Shared {}

impl std::hash::Hash for Shared {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.digest().hash(state);
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.0.fmt(f)
    }
}
