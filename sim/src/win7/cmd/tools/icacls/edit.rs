//! What icacls makes of a DACL.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | `/grant` adds to what the account is granted explicitly, `:r` replaces it; `/deny` also takes the same rights from explicit grants | documentation of icacls | yes |
//! | entries of one account with the same inheritance are one; a new one stands first among its like | SetEntriesInAcl | partly |
//! | `/remove` takes explicit entries alone | documentation | yes |
//! | `/inheritance:d` keeps what was inherited as explicit entries, `:r` does not | documentation | yes |
//! | a denial of `W` is one of reading as well, for it holds SYNCHRONIZE and READ_CONTROL | reports of many | partly |
//! | inheritance flags of files are left out | | no |

use super::command::Permission;
use crate::win7::security::mask::GENERIC_ALL;
use crate::win7::security::{Ace, AceType, Acl, Flags, Integrity, Kind, Mask, Sid};

fn entries(acl: &Acl) -> Vec<Ace> {
    acl.entries().to_vec()
}

fn with(acl: &Acl, aces: Vec<Ace>) -> Acl {
    Acl {
        aces: Some(aces.into()),
        ..acl.clone()
    }
}

/// Explicit denials, explicit grants, then what is inherited, each in the order that it had.
fn canonical(aces: Vec<Ace>) -> Vec<Ace> {
    let mut aces = aces;
    aces.sort_by_key(|ace| match (ace.is_inherited(), ace.kind) {
        (true, _) => 2,
        (false, AceType::Deny | AceType::DenyObject) => 0,
        (false, _) => 1,
    });
    aces
}

fn flags_for(permission: Permission, is_directory: bool) -> Flags {
    match is_directory {
        true => permission.flags,
        false => Flags::default(),
    }
}

fn is_explicit(ace: &Ace, kind: AceType, sid: &Sid) -> bool {
    ace.kind == kind && ace.sid == *sid && !ace.is_inherited()
}

/// Adds rights of an account to an entry that it has, or as a new one.
fn merged(aces: Vec<Ace>, new: Ace) -> Vec<Ace> {
    let mut aces = aces;
    let like = aces
        .iter_mut()
        .find(|ace| is_explicit(ace, new.kind, &new.sid) && ace.flags == new.flags);
    match like {
        Some(like) => like.mask = Kind::File.map(like.mask) | Kind::File.map(new.mask),
        None => aces.insert(0, new),
    }
    canonical(aces)
}

/// `/grant`.
pub fn grant(
    acl: &Acl,
    sid: Sid,
    permission: Permission,
    replace: bool,
    is_directory: bool,
) -> Acl {
    let mut aces = entries(acl);
    if replace {
        aces.retain(|ace| !is_explicit(ace, AceType::Allow, &sid));
    }
    if permission.mask == Mask::NONE {
        return with(acl, aces);
    }
    let flags = flags_for(permission, is_directory);
    with(
        acl,
        merged(aces, Ace::new(AceType::Allow, flags, permission.mask, sid)),
    )
}

/// `/deny`.
pub fn deny(acl: &Acl, sid: Sid, permission: Permission, is_directory: bool) -> Acl {
    let mask = match permission.mask {
        Mask::NONE => Kind::File.map(GENERIC_ALL),
        mask => mask,
    };
    let flags = flags_for(permission, is_directory);
    let mut aces = entries(acl);
    for ace in &mut aces {
        if is_explicit(ace, AceType::Allow, &sid) && ace.flags == flags {
            ace.mask = Kind::File.map(ace.mask).without(mask);
        }
    }
    aces.retain(|ace| !(is_explicit(ace, AceType::Allow, &sid) && ace.mask.is_empty()));
    with(acl, merged(aces, Ace::new(AceType::Deny, flags, mask, sid)))
}

/// `/remove`.
pub fn remove(acl: &Acl, sid: Sid, grants: bool, denials: bool) -> Acl {
    let mut aces = entries(acl);
    aces.retain(|ace| {
        let goes = grants && is_explicit(ace, AceType::Allow, &sid)
            || denials && is_explicit(ace, AceType::Deny, &sid);
        !goes
    });
    with(acl, aces)
}

/// `/inheritance`.
pub fn inheritance(acl: &Acl, how: char) -> Acl {
    let mut acl = acl.clone();
    acl.is_protected = how != 'e';
    let mut aces = entries(&acl);
    match how {
        'd' => {
            for ace in &mut aces {
                ace.flags = ace.flags.without(Flags::ID);
            }
            aces = canonical(aces);
        }
        'r' => aces.retain(|ace| !ace.is_inherited()),
        _ => {}
    }
    with(&acl, aces)
}

/// `/reset`: nothing but what is inherited.
pub fn reset(acl: &Acl) -> Acl {
    let mut aces = entries(acl);
    aces.retain(Ace::is_inherited);
    Acl {
        is_protected: false,
        ..with(acl, aces)
    }
}

/// `/setintegritylevel`: the SACL with that label.
pub fn label(flags: Flags, level: Integrity, is_directory: bool) -> Acl {
    const NO_WRITE_UP: Mask = Mask(1);
    let flags = match is_directory {
        true => flags,
        false => Flags::default(),
    };
    Acl::new([Ace::new(
        AceType::Label,
        flags,
        NO_WRITE_UP,
        Sid::label(level.level()),
    )])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::win7::security::Descriptor;

    fn acl(text: &str) -> Acl {
        let descriptor = Descriptor::parse(text).expect("it is right");
        descriptor.dacl.expect("it has one")
    }

    fn shown(acl: &Acl) -> Vec<String> {
        let one = |ace: &Ace| format!("{}:{}", ace.sid.account(), ace.icacls());
        acl.entries().iter().map(one).collect()
    }

    const GUESTS: Sid = Sid::of(5, &[32, 546]);
    const READ: Permission = Permission {
        flags: Flags(0),
        mask: Mask(0x120089),
    };
    const FULL: Permission = Permission {
        flags: Flags(3),
        mask: Mask(0x1f01ff),
    };

    #[test]
    fn entries_are_added_merged_and_removed() {
        let old = acl("D:AI(A;;FX;;;BU)(A;ID;FA;;;BA)");
        assert_eq!(
            shown(&grant(&old, Sid::USERS, READ, false, true)),
            ["BUILTIN\\Users:(RX)", "BUILTIN\\Administrators:(I)(F)"]
        );
        assert_eq!(
            shown(&grant(&old, Sid::USERS, FULL, true, true)),
            [
                "BUILTIN\\Users:(OI)(CI)(F)",
                "BUILTIN\\Administrators:(I)(F)"
            ]
        );
        assert_eq!(
            shown(&grant(&old, Sid::EVERYONE, FULL, false, false)),
            [
                "Everyone:(F)",
                "BUILTIN\\Users:(RC,S,X,RA)",
                "BUILTIN\\Administrators:(I)(F)"
            ]
        );
        let denied = deny(&old, Sid::EVERYONE, READ, true);
        assert_eq!(shown(&denied)[0], "Everyone:(DENY)(R)");
        assert!(denied.is_canonical());
        let none = Permission {
            mask: Mask::NONE,
            ..READ
        };
        assert_eq!(
            shown(&deny(&old, Sid::EVERYONE, none, true))[0],
            "Everyone:(N)"
        );
        assert_eq!(
            shown(&remove(&denied, Sid::EVERYONE, false, true)),
            shown(&old)
        );
        assert_eq!(
            shown(&remove(&old, Sid::ADMINISTRATORS, true, true)),
            shown(&old)
        );
        assert_eq!(
            shown(&inheritance(&old, 'r')),
            ["BUILTIN\\Users:(RC,S,X,RA)"]
        );
        assert_eq!(
            shown(&inheritance(&old, 'd'))[1],
            "BUILTIN\\Administrators:(F)"
        );
        assert_eq!(shown(&reset(&old)), ["BUILTIN\\Administrators:(I)(F)"]);
    }

    proptest! {
        #[test]
        fn what_is_granted_is_there_and_what_is_removed_is_not(
            old in crate::win7::security::strategies::dacls(), bits in 1u32..0x1ff, replace: bool, is_directory: bool,
        ) {
            let permission = Permission { flags: Flags(3), mask: Mask(bits) };
            let new = grant(&old, GUESTS, permission, replace, is_directory);
            let has = |acl: &Acl| acl.entries().iter().any(|ace| {
                is_explicit(ace, AceType::Allow, &GUESTS) && ace.mask.has(Mask(bits))
            });
            prop_assert!(has(&new));
            let gone = remove(&new, GUESTS, true, true);
            prop_assert!(!gone.entries().iter().any(|ace| ace.sid == GUESTS && !ace.is_inherited()));
            // Once more changes nothing.
            prop_assert_eq!(&grant(&new, GUESTS, permission, replace, is_directory), &new);
            prop_assert!(deny(&old, GUESTS, permission, is_directory).is_canonical());
        }
    }
}
