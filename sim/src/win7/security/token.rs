//! Tokens: who a process runs as, what it may beyond that, and how far it is trusted.

use std::fmt;
use std::sync::Arc;

use super::acl::{Ace, AceType, Acl, Flags};
use super::mask::{GENERIC_ALL, GENERIC_EXECUTE, GENERIC_READ};
use super::sid::Sid;

/// How far a process is trusted (Vista and later).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Integrity {
    /// Such as the protected mode of a browser.
    Low,
    /// A standard user; an administrator before elevation; an object without a label.
    Medium,
    /// An elevated administrator.
    High,
    /// Services.
    System,
}

impl Integrity {
    /// The level, as the label's identifier has it.
    pub fn level(self) -> u32 {
        match self {
            Integrity::Low => 0x1000,
            Integrity::Medium => 0x2000,
            Integrity::High => 0x3000,
            Integrity::System => 0x4000,
        }
    }

    /// The level of this name: `low`, `medium`, `high` or `system`.
    pub fn named(name: &str) -> Option<Integrity> {
        Some(match name {
            "low" => Integrity::Low,
            "medium" => Integrity::Medium,
            "high" => Integrity::High,
            "system" => Integrity::System,
            _ => return None,
        })
    }
}

/// A privilege: something that a process may do whatever descriptors say.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Privilege {
    /// SeAssignPrimaryTokenPrivilege.
    AssignPrimaryToken,
    /// SeAuditPrivilege.
    Audit,
    /// SeBackupPrivilege: reading everything, if opened for backup.
    Backup,
    /// SeChangeNotifyPrivilege: passing through directories without asking them. Everybody has it.
    ChangeNotify,
    /// SeCreateGlobalPrivilege.
    CreateGlobal,
    /// SeCreateSymbolicLinkPrivilege.
    CreateSymbolicLink,
    /// SeDebugPrivilege.
    Debug,
    /// SeImpersonatePrivilege.
    Impersonate,
    /// SeIncreaseWorkingSetPrivilege.
    IncreaseWorkingSet,
    /// SeLoadDriverPrivilege.
    LoadDriver,
    /// SeManageVolumePrivilege.
    ManageVolume,
    /// SeRelabelPrivilege: giving objects a higher label than one's own.
    Relabel,
    /// SeRestorePrivilege: writing everything, if opened for backup, and giving away.
    Restore,
    /// SeSecurityPrivilege: the SACL.
    Security,
    /// SeShutdownPrivilege.
    Shutdown,
    /// SeTakeOwnershipPrivilege: WRITE_OWNER of everything.
    TakeOwnership,
    /// SeTcbPrivilege: part of the system.
    Tcb,
    /// SeTimeZonePrivilege.
    TimeZone,
    /// SeUndockPrivilege.
    Undock,
}

impl Privilege {
    /// All of them, with their names. Windows has more, which no model here asks for.
    pub const ALL: [(Privilege, &'static str); 19] = [
        (
            Privilege::AssignPrimaryToken,
            "SeAssignPrimaryTokenPrivilege",
        ),
        (Privilege::Audit, "SeAuditPrivilege"),
        (Privilege::Backup, "SeBackupPrivilege"),
        (Privilege::ChangeNotify, "SeChangeNotifyPrivilege"),
        (Privilege::CreateGlobal, "SeCreateGlobalPrivilege"),
        (
            Privilege::CreateSymbolicLink,
            "SeCreateSymbolicLinkPrivilege",
        ),
        (Privilege::Debug, "SeDebugPrivilege"),
        (Privilege::Impersonate, "SeImpersonatePrivilege"),
        (
            Privilege::IncreaseWorkingSet,
            "SeIncreaseWorkingSetPrivilege",
        ),
        (Privilege::LoadDriver, "SeLoadDriverPrivilege"),
        (Privilege::ManageVolume, "SeManageVolumePrivilege"),
        (Privilege::Relabel, "SeRelabelPrivilege"),
        (Privilege::Restore, "SeRestorePrivilege"),
        (Privilege::Security, "SeSecurityPrivilege"),
        (Privilege::Shutdown, "SeShutdownPrivilege"),
        (Privilege::TakeOwnership, "SeTakeOwnershipPrivilege"),
        (Privilege::Tcb, "SeTcbPrivilege"),
        (Privilege::TimeZone, "SeTimeZonePrivilege"),
        (Privilege::Undock, "SeUndockPrivilege"),
    ];

    /// The privilege of this name, in any case.
    pub fn named(name: &str) -> Option<Privilege> {
        let mut all = Privilege::ALL.iter();
        all.find(|(_, known)| known.eq_ignore_ascii_case(name))
            .map(|(privilege, _)| *privilege)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        let all = Privilege::ALL.iter();
        all.filter(|(privilege, _)| *privilege == self)
            .map(|(_, name)| *name)
            .next()
            .unwrap_or_default()
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of privileges.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Privileges(u32);

impl Privileges {
    /// Whether this one is in it.
    #[inline]
    pub fn has(self, privilege: Privilege) -> bool {
        self.0 & 1 << privilege as u32 != 0
    }

    /// With this one.
    pub fn with(self, privilege: Privilege) -> Privileges {
        Privileges(self.0 | 1 << privilege as u32)
    }
}

impl FromIterator<Privilege> for Privileges {
    fn from_iter<I: IntoIterator<Item = Privilege>>(all: I) -> Privileges {
        all.into_iter()
            .fold(Privileges::default(), Privileges::with)
    }
}

impl fmt::Debug for Privileges {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = Privilege::ALL.iter().filter(|(one, _)| self.has(*one));
        f.debug_set().entries(held.map(|(_, name)| name)).finish()
    }
}

/// A token.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Token {
    /// Who it is, then its groups.
    pub sids: Arc<[Sid]>,
    /// SE_GROUP_USE_FOR_DENY_ONLY: groups that only deny.
    pub deny_only: Arc<[Sid]>,
    /// The privileges that the process could enable.
    pub held: Privileges,
    /// Those that are enabled.
    pub enabled: Privileges,
    /// The integrity level.
    pub integrity: Integrity,
    /// Who owns what it creates.
    pub owner: Sid,
    /// The group of what it creates.
    pub group: Sid,
    /// The DACL of what it creates where nothing is inherited.
    pub default_dacl: Option<Acl>,
}

/// What a logon as a person adds to the account and its groups.
const LOGON_SESSION: Sid = Sid::of(5, &[5, 0, 100_000]);

impl Token {
    /// A token of some groups, at medium level, that owns what it creates itself. The first identifier is
    /// who it is. Privileges are enabled.
    ///
    /// # Panics
    /// Without an identifier.
    pub fn new(sids: &[Sid], privileges: Privileges) -> Token {
        let user = sids[0];
        let domain_users = user.split().and_then(|(domain, _)| domain.with(513));
        Token {
            sids: sids.into(),
            deny_only: Arc::default(),
            held: privileges,
            enabled: privileges,
            integrity: Integrity::Medium,
            owner: user,
            group: domain_users.unwrap_or(user),
            default_dacl: None,
        }
    }

    /// A standard user's, logged on at the machine. (Groups: MS-WPO and the output of `whoami /groups`, from
    /// memory.)
    pub fn standard_user(user: Sid) -> Token {
        use Privilege::*;
        let none = user.split().and_then(|(machine, _)| machine.with(513));
        let mut sids = vec![user];
        sids.extend(none);
        sids.extend([
            Sid::EVERYONE,
            Sid::USERS,
            Sid::INTERACTIVE,
            Sid::of(2, &[1]),
            Sid::AUTHENTICATED_USERS,
            Sid::of(5, &[15]),
            LOGON_SESSION,
            Sid::LOCAL,
            Sid::of(5, &[64, 10]),
        ]);
        Token {
            held: [Shutdown, ChangeNotify, Undock, IncreaseWorkingSet, TimeZone]
                .into_iter()
                .collect(),
            default_dacl: Some(default_dacl(user)),
            ..Token::new(&sids, Privileges::default().with(ChangeNotify))
        }
    }

    /// An administrator's after elevation.
    pub fn administrator(user: Sid) -> Token {
        use Privilege::*;
        let plain = Token::standard_user(user);
        let mut sids = plain.sids.to_vec();
        sids.push(Sid::ADMINISTRATORS);
        let held: Privileges = Privilege::ALL
            .iter()
            .map(|(privilege, _)| *privilege)
            .filter(|one| !matches!(one, AssignPrimaryToken | Audit | Relabel | Tcb))
            .collect();
        Token {
            sids: sids.into(),
            held,
            enabled: [ChangeNotify, Impersonate, CreateGlobal]
                .into_iter()
                .collect(),
            integrity: Integrity::High,
            owner: Sid::ADMINISTRATORS,
            default_dacl: Some(default_dacl(Sid::ADMINISTRATORS)),
            ..plain
        }
    }

    /// An administrator's as it is filtered at logon (UAC): its administrators' group only denies.
    pub fn filtered_administrator(user: Sid) -> Token {
        Token {
            deny_only: [Sid::ADMINISTRATORS].into(),
            ..Token::standard_user(user)
        }
    }

    /// LocalSystem's.
    pub fn system() -> Token {
        let all = Privilege::ALL.iter().map(|(privilege, _)| *privilege);
        let sids = [
            Sid::SYSTEM,
            Sid::ADMINISTRATORS,
            Sid::EVERYONE,
            Sid::AUTHENTICATED_USERS,
        ];
        Token {
            held: all.collect(),
            integrity: Integrity::System,
            owner: Sid::ADMINISTRATORS,
            group: Sid::SYSTEM,
            default_dacl: Some(Acl::new([
                allow(GENERIC_ALL, Sid::SYSTEM),
                allow(GENERIC_READ | GENERIC_EXECUTE, Sid::ADMINISTRATORS),
            ])),
            ..Token::new(
                &sids,
                [
                    Privilege::ChangeNotify,
                    Privilege::Impersonate,
                    Privilege::CreateGlobal,
                    Privilege::Tcb,
                ]
                .into_iter()
                .collect(),
            )
        }
    }

    /// LocalService's or NetworkService's.
    pub fn service(account: Sid) -> Token {
        use Privilege::*;
        let sids = [
            account,
            Sid::EVERYONE,
            Sid::USERS,
            Sid::SERVICE,
            Sid::of(2, &[1]),
            Sid::AUTHENTICATED_USERS,
            Sid::of(5, &[15]),
            Sid::LOCAL,
        ];
        Token {
            held: [
                AssignPrimaryToken,
                Audit,
                ChangeNotify,
                CreateGlobal,
                Impersonate,
                IncreaseWorkingSet,
                Shutdown,
                TimeZone,
                Undock,
            ]
            .into_iter()
            .collect(),
            integrity: Integrity::System,
            group: account,
            default_dacl: Some(default_dacl(account)),
            ..Token::new(
                &sids,
                [ChangeNotify, CreateGlobal, Impersonate]
                    .into_iter()
                    .collect(),
            )
        }
    }

    /// Who it is.
    pub fn user(&self) -> Sid {
        self.sids[0]
    }

    /// Whether it has this identifier, for allowing.
    #[inline]
    pub fn has(&self, sid: &Sid) -> bool {
        self.sids.contains(sid)
    }

    /// Whether it has this identifier, if only for denying.
    #[inline]
    pub fn has_for_deny(&self, sid: &Sid) -> bool {
        self.has(sid) || self.deny_only.contains(sid)
    }

    /// AdjustTokenPrivileges: enables a privilege; whether it is held at all.
    pub fn enable(&mut self, privilege: Privilege) -> bool {
        let held = self.held.has(privilege);
        if held {
            self.enabled = self.enabled.with(privilege);
        }
        held
    }

    /// Whether it may make `owner` the owner of something: who it is, a group that may own (the
    /// administrators), or anybody with SeRestorePrivilege.
    pub fn may_own_as(&self, owner: &Sid) -> bool {
        let of_own = *owner == self.user()
            || *owner == self.owner
            || *owner == Sid::ADMINISTRATORS && self.has(owner);
        of_own || self.enabled.has(Privilege::Restore)
    }
}

fn allow(mask: super::mask::Mask, sid: Sid) -> Ace {
    Ace::new(AceType::Allow, Flags::default(), mask, sid)
}

fn default_dacl(owner: Sid) -> Acl {
    Acl::new([
        allow(GENERIC_ALL, owner),
        allow(GENERIC_ALL, Sid::SYSTEM),
        allow(GENERIC_READ | GENERIC_EXECUTE, LOGON_SESSION),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn privileges_by_name() {
        for (privilege, name) in Privilege::ALL {
            assert_eq!(Privilege::named(&name.to_lowercase()), Some(privilege));
            assert_eq!(privilege.name(), name);
        }
        assert_eq!(Privilege::named("SeNoSuchPrivilege"), None);
    }

    #[test]
    fn a_filtered_administrator_is_one_only_where_it_is_denied() {
        let user = Sid::from("S-1-5-21-1-2-3-1000");
        let filtered = Token::filtered_administrator(user);
        assert!(!filtered.has(&Sid::ADMINISTRATORS));
        assert!(filtered.has_for_deny(&Sid::ADMINISTRATORS));
        assert!(!filtered.held.has(Privilege::Backup));
        let mut elevated = Token::administrator(user);
        assert!(elevated.held.has(Privilege::Backup) && !elevated.enabled.has(Privilege::Backup));
        assert!(elevated.enable(Privilege::Backup) && elevated.enabled.has(Privilege::Backup));
        assert_eq!(
            (elevated.owner, filtered.owner),
            (Sid::ADMINISTRATORS, user)
        );
    }
}
