//! The descriptor of a new object: MS-DTYP 2.5.3.4, as Windows does it.
//!
//! Where the letter of ComputeACL and what is observed part, this follows what is observed (Samba's tests, of
//! which part run against Windows; `icacls` listings): an entry for containers alone leaves a file to the
//! token's default DACL, not to an empty one; explicit entries of the creator stay whether they are inheritable
//! or not; CREATOR OWNER leaves an entry for the owner and one that is passed on; exact duplicates are dropped.

use super::acl::{Ace, AceType, Acl, Descriptor, Flags};
use super::mask::Kind;
use super::sid::Sid;

/// What a new object's descriptor is made from.
#[derive(Clone, Copy, Debug)]
pub struct NewObject<'a> {
    /// The descriptor of the directory or key above.
    pub parent: Option<&'a Descriptor>,
    /// The descriptor that whoever creates it gives.
    pub creator: Option<&'a Descriptor>,
    /// Whether it is a directory or key.
    pub is_container: bool,
    /// What it is.
    pub kind: Kind,
    /// Who owns it, unless the creator says otherwise.
    pub owner: Sid,
    /// Its group, unless the creator says otherwise.
    pub group: Sid,
    /// What it gets if nothing else gives it entries: the token's default DACL.
    pub default_dacl: Option<&'a Acl>,
}

impl NewObject<'_> {
    /// The descriptor.
    pub fn descriptor(&self) -> Descriptor {
        let owner = self.creator.and_then(|given| given.owner);
        let group = self.creator.and_then(|given| given.group);
        let heirs = Heirs {
            is_container: self.is_container,
            kind: self.kind,
            owner: owner.unwrap_or(self.owner),
            group: group.unwrap_or(self.group),
        };
        let list = |of: fn(&Descriptor) -> &Option<Acl>| {
            let parent = self.parent.and_then(|parent| of(parent).as_ref());
            let given = self.creator.and_then(|given| of(given).as_ref());
            heirs.list(parent, given)
        };
        let dacl = list(|descriptor| &descriptor.dacl).or_else(|| {
            let default = self.default_dacl.map(|default| Acl {
                is_protected: false,
                wants_auto_inherit: false,
                is_auto_inherited: false,
                aces: default
                    .aces
                    .as_ref()
                    .map(|aces| heirs.explicit(aces, false).into()),
            });
            Some(default.unwrap_or_else(Acl::null))
        });
        Descriptor {
            owner: Some(heirs.owner),
            group: Some(heirs.group),
            dacl,
            sacl: list(|descriptor| &descriptor.sacl),
        }
    }
}

/// The child of a directory or key whose entries change, as SetNamedSecurityInfo, `icacls` and Explorer rewrite
/// it: its explicit entries stay, its inherited ones are those that `parent` gives now. A protected list stays
/// as it is. (The kernel's own call, NtSetSecurityObject, does nothing to children.)
pub fn reinherited(
    child: &Descriptor,
    parent: &Descriptor,
    is_container: bool,
    kind: Kind,
) -> Descriptor {
    let heirs = Heirs {
        is_container,
        kind,
        owner: child.owner.unwrap_or(Sid::CREATOR_OWNER),
        group: child.group.unwrap_or(Sid::CREATOR_GROUP),
    };
    let list = |own: &Option<Acl>, above: &Option<Acl>| {
        let own = own.as_ref()?;
        let Some(aces) = &own.aces else {
            return Some(own.clone());
        };
        if own.is_protected {
            return Some(own.clone());
        }
        let mut entries: Vec<Ace> = aces
            .iter()
            .filter(|ace| !ace.is_inherited())
            .cloned()
            .collect();
        let above = above.as_ref().map(Acl::entries).unwrap_or_default();
        entries.extend(heirs.inherited(above, true));
        Some(Acl {
            is_auto_inherited: true,
            aces: Some(entries.into()),
            ..own.clone()
        })
    };
    Descriptor {
        owner: child.owner,
        group: child.group,
        dacl: list(&child.dacl, &parent.dacl),
        sacl: child.sacl.clone(),
    }
}

/// Who inherits.
struct Heirs {
    is_container: bool,
    kind: Kind,
    owner: Sid,
    group: Sid,
}

impl Heirs {
    fn list(&self, parent: Option<&Acl>, given: Option<&Acl>) -> Option<Acl> {
        let is_auto = parent.is_some_and(|parent| parent.is_auto_inherited);
        let inherited = match (parent, given) {
            (_, Some(given)) if given.is_protected => Vec::new(),
            (Some(parent), _) => self.inherited(parent.entries(), is_auto),
            (None, _) => Vec::new(),
        };
        let got_some = !inherited.is_empty();
        let (mut entries, is_protected) = match given {
            Some(Acl { aces: None, .. }) if !got_some => return Some(Acl::null()),
            Some(given) => (
                self.explicit(given.entries(), given.is_protected),
                given.is_protected,
            ),
            None if got_some => (Vec::new(), false),
            None => return None,
        };
        entries.extend(inherited);
        Some(Acl {
            is_protected,
            wants_auto_inherit: false,
            is_auto_inherited: is_auto && got_some,
            aces: Some(entries.into()),
        })
    }

    /// The entries that someone gives for the object itself. If nothing is inherited, inherited ones become
    /// explicit; else they are dropped, as what is inherited now takes their place.
    fn explicit(&self, given: &[Ace], keeps_inherited: bool) -> Vec<Ace> {
        let mut entries = Vec::with_capacity(given.len());
        for ace in given {
            if ace.is_inherited() && !keeps_inherited {
                continue;
            }
            let ace = Ace {
                flags: ace.flags.without(Flags::ID),
                ..ace.clone()
            };
            let is_passed_on = ace.flags.has(Flags::OI) || ace.flags.has(Flags::CI);
            match ace.is_effective() {
                true if ace.changes_when_inherited() && self.is_container && is_passed_on => {
                    entries.push(self.effective(&ace, Flags::default()));
                    entries.push(Ace {
                        flags: ace.flags.with(Flags::IO),
                        ..ace
                    });
                }
                true => entries.push(Ace {
                    flags: ace.flags,
                    ..self.effective(&ace, Flags::default())
                }),
                false if is_passed_on => entries.push(ace),
                // It counts neither here nor below.
                false => {}
            }
        }
        entries
    }

    /// What the entries of the parent give.
    fn inherited(&self, parent: &[Ace], is_auto: bool) -> Vec<Ace> {
        let mark = if is_auto { Flags::ID } else { Flags::default() };
        let mut entries: Vec<Ace> = Vec::new();
        let mut add = |ace: Ace| {
            if !entries.contains(&ace) {
                entries.push(ace);
            }
        };
        for ace in parent {
            let (to_files, to_containers) = (ace.flags.has(Flags::OI), ace.flags.has(Flags::CI));
            let stops = ace.flags.has(Flags::NP);
            let kept = Flags(ace.flags.0 & (Flags::SA.0 | Flags::FA.0)).with(mark);
            match (self.is_container, to_files, to_containers) {
                (false, true, _) => add(self.effective(ace, kept)),
                (true, _, true) if stops => add(self.effective(ace, kept)),
                (true, _, true) if ace.changes_when_inherited() && ace.kind != AceType::Label => {
                    add(self.effective(ace, kept));
                    add(passed_on(ace, mark.with(Flags::IO)));
                }
                (true, _, true) => add(passed_on(ace, mark)),
                // A directory holds for the files in it what does not count for itself.
                (true, true, false) if !stops => add(passed_on(ace, mark.with(Flags::IO))),
                _ => {}
            }
        }
        entries
    }

    /// The entry as it counts here: generic rights mapped, owner and group in place.
    fn effective(&self, ace: &Ace, flags: Flags) -> Ace {
        let sid = match ace.sid {
            Sid::CREATOR_OWNER => self.owner,
            Sid::CREATOR_GROUP => self.group,
            sid => sid,
        };
        let mask = match ace.kind {
            AceType::Label => ace.mask,
            _ => self.kind.map(ace.mask),
        };
        Ace {
            flags,
            mask,
            sid,
            ..ace.clone()
        }
    }
}

/// The entry as it stands at a child that passes it on.
fn passed_on(ace: &Ace, flags: Flags) -> Ace {
    let kept = ace.flags.without(Flags::IO).without(Flags::ID);
    Ace {
        flags: kept.with(flags),
        ..ace.clone()
    }
}
