//! The access check: MS-DTYP 2.5.3.2, the mandatory integrity check before it (2.5.3.3), and what NTFS adds
//! by the parent directory (MS-FSA 2.1.5.1.2.1).
//!
//! Every refusal says why; [`explain`] tells the whole way.

use std::fmt;
use std::sync::Arc;

use super::acl::{Ace, AceType, Descriptor};
use super::mask::{
    ACCESS_SYSTEM_SECURITY, DELETE, DELETE_CHILD, Kind, LIST_DIRECTORY, MAXIMUM_ALLOWED, Mask,
    READ_ATTRIBUTES, READ_CONTROL, WRITE_DAC, WRITE_OWNER,
};
use super::sid::Sid;
use super::token::{Integrity, Privilege, Token};

crate::win7::registry::error::errors! {
    /// How an access check fails.
    AccessError {
        /// A right is denied, or not granted.
        AccessDenied = 5 "ERROR_ACCESS_DENIED",
        /// The SACL was asked for without SeSecurityPrivilege.
        PrivilegeNotHeld = 1314 "ERROR_PRIVILEGE_NOT_HELD",
    }
}

/// Why access is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reason {
    /// The object's integrity level is above the token's, and its policy keeps these rights back.
    Integrity {
        /// The level of the object.
        level: u32,
        /// That of the token.
        own: u32,
        /// The policy: NO_WRITE_UP 1, NO_READ_UP 2, NO_EXECUTE_UP 4.
        policy: Mask,
        /// The rights that were asked for and are kept back.
        rights: Mask,
    },
    /// A privilege would be needed for these rights.
    Privilege {
        /// Which one.
        privilege: Privilege,
        /// The rights.
        rights: Mask,
    },
    /// An entry denies these rights.
    DeniedBy {
        /// Its number in the DACL, from 1.
        number: usize,
        /// The entry.
        ace: Box<Ace>,
        /// The rights that were still asked for.
        rights: Mask,
    },
    /// The file has the read-only attribute, which keeps these rights back whatever its descriptor says.
    ReadOnly {
        /// The rights.
        rights: Mask,
    },
    /// The DACL ends, and nothing granted these rights.
    NotGranted {
        /// The rights.
        rights: Mask,
        /// How many entries it has.
        entries: usize,
    },
}

/// A refusal: the error that the call gives, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// What the object is.
    pub kind: Kind,
    /// Why.
    pub reason: Reason,
    /// Where an entry that denies was inherited from, if that is known: a path.
    pub inherited_from: Option<Arc<str>>,
}

impl Refusal {
    /// The error that the call gives.
    pub fn error(&self) -> AccessError {
        match self.reason {
            Reason::Privilege { .. } => AccessError::PrivilegeNotHeld,
            _ => AccessError::AccessDenied,
        }
    }

    /// The rights that were missing.
    pub fn rights(&self) -> Mask {
        match self.reason {
            Reason::Integrity { rights, .. }
            | Reason::Privilege { rights, .. }
            | Reason::DeniedBy { rights, .. }
            | Reason::ReadOnly { rights }
            | Reason::NotGranted { rights, .. } => rights,
        }
    }
}

impl From<Refusal> for crate::win7::registry::Win32 {
    fn from(refusal: Refusal) -> Self {
        refusal.error().win32()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = |rights: &Mask| self.kind.names(*rights);
        match &self.reason {
            Reason::Integrity {
                level,
                own,
                policy,
                rights,
            } => write!(
                f,
                "{} kept back: the object's integrity level {level:#x} is above the token's {own:#x}, policy {}",
                names(rights),
                policy.sddl(AceType::Label),
            ),
            Reason::Privilege { privilege, rights } => {
                write!(f, "{} needs {privilege}", names(rights))
            }
            Reason::DeniedBy {
                number,
                ace,
                rights,
            } => {
                write!(f, "{} denied by ACE {number} {ace}", names(rights))?;
                match &self.inherited_from {
                    Some(path) => write!(f, " inherited from {path}"),
                    None if ace.is_inherited() => f.write_str(" (inherited)"),
                    None => Ok(()),
                }
            }
            Reason::ReadOnly { rights } => write!(
                f,
                "{} kept back by the read-only attribute, which no right lifts",
                names(rights)
            ),
            Reason::NotGranted { rights, entries: 0 } => {
                write!(f, "{} not granted: the DACL is empty", names(rights))
            }
            Reason::NotGranted { rights, entries } => {
                let entries = match entries {
                    1 => "the one ACE".to_owned(),
                    n => format!("any of the {n} ACEs"),
                };
                write!(f, "{} not granted by {entries}", names(rights))
            }
        }
    }
}

impl std::error::Error for Refusal {}

/// A step of the check, for [`explain`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Generic rights were replaced.
    Mapped {
        /// What was asked for.
        from: Mask,
        /// What that comes to.
        to: Mask,
    },
    /// The integrity check left these rights possible.
    Integrity {
        /// The level of the object.
        level: u32,
        /// That of the token.
        own: u32,
        /// What is possible, whatever the DACL says.
        possible: Mask,
    },
    /// A privilege granted rights.
    ByPrivilege {
        /// Which one.
        privilege: Privilege,
        /// The rights.
        rights: Mask,
    },
    /// The parent directory granted rights.
    ByParent {
        /// The right that the parent granted.
        by: Mask,
        /// The right that this gives.
        rights: Mask,
    },
    /// There is no DACL, so all is granted.
    NoDacl,
    /// The owner has these rights before any entry counts.
    ByOwner {
        /// The rights.
        rights: Mask,
    },
    /// The owner has nothing beyond the entries, since one is for OWNER RIGHTS.
    OwnerRights {
        /// The number of that entry, from 1.
        number: usize,
    },
    /// An entry was looked at.
    Entry {
        /// Its number, from 1.
        number: usize,
        /// The entry.
        ace: Ace,
        /// What came of it.
        effect: Effect,
        /// Where it was inherited from, if that is known: a path.
        inherited_from: Option<Arc<str>>,
    },
    /// The read-only attribute keeps nothing back of what is asked for, but would of deleting.
    ReadOnly,
}

/// What came of an entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It is inherit-only: it does not count here.
    InheritOnly,
    /// It is about someone else.
    SomeoneElse,
    /// It would allow something to a group that only denies in this token, as that of the administrators does
    /// before elevation.
    OnlyDenies,
    /// It is about nothing that was still asked for.
    Nothing,
    /// It granted these rights.
    Granted(Mask),
    /// It denied these rights.
    Denied(Mask),
}

/// The way of a check, and its end.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Explanation {
    /// What the object is.
    pub kind: Kind,
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// What was granted, or why not.
    pub result: Result<Mask, Refusal>,
}

impl Explanation {
    /// Tells of entries that were inherited where they come from. `origin` finds it.
    pub(in crate::win7) fn find_origins(&mut self, origin: impl Fn(&Ace) -> Option<Arc<str>>) {
        for step in &mut self.steps {
            if let Step::Entry {
                ace,
                inherited_from,
                ..
            } = step
                && ace.is_inherited()
            {
                *inherited_from = origin(ace);
            }
        }
        if let Err(refusal) = &mut self.result {
            refusal.find_origin(origin);
        }
    }
}

impl Refusal {
    /// Tells where an entry that denies was inherited from. `origin` finds it.
    pub(in crate::win7) fn find_origin(&mut self, origin: impl Fn(&Ace) -> Option<Arc<str>>) {
        if let Reason::DeniedBy { ace, .. } = &self.reason
            && ace.is_inherited()
        {
            self.inherited_from = origin(ace);
        }
    }
}

impl Step {
    /// The step in words; `kind` is what the object is.
    pub fn words(&self, kind: Kind) -> String {
        let names = |rights: Mask| kind.names(rights);
        match self {
            Step::Mapped { from, to } => {
                format!("asked for {from:#x}, which is {to:#x}: {}", names(*to))
            }
            Step::Integrity {
                level,
                own,
                possible,
            } => format!(
                "integrity {own:#x} is below the object's {level:#x}, so at most {} whatever the DACL says",
                names(*possible & kind.all())
            ),
            Step::ByPrivilege { privilege, rights } => {
                format!("{} by {privilege}", names(*rights))
            }
            Step::ByParent { by, rights } => format!(
                "{} by {} on the parent directory",
                names(*rights),
                names(*by)
            ),
            Step::NoDacl => "there is no DACL: everything is granted".into(),
            Step::ByOwner { rights } => {
                format!("{} as the owner, before any ACE counts", names(*rights))
            }
            Step::OwnerRights { number } => format!(
                "the owner has nothing beyond the entries: ACE {number} is for OWNER RIGHTS"
            ),
            Step::ReadOnly => {
                "the file has the read-only attribute: DeleteFile is refused all the same".into()
            }
            Step::Entry {
                number,
                ace,
                effect,
                inherited_from,
            } => {
                let who = ace.sid.account();
                let from = match inherited_from {
                    Some(path) => format!(" inherited from {path}"),
                    None => String::new(),
                };
                let what = match effect {
                    Effect::InheritOnly => "inherit-only, does not count here".into(),
                    Effect::SomeoneElse => format!("{who} is someone else"),
                    Effect::OnlyDenies => {
                        format!("{who} only denies in this token, and this entry allows")
                    }
                    Effect::Nothing => {
                        format!("for {who}, nothing that is still asked for")
                    }
                    Effect::Granted(rights) => format!("grants {who} {}", names(*rights)),
                    Effect::Denied(rights) => format!("denies {who} {}", names(*rights)),
                };
                format!("ACE {number} {ace}{from}: {what}")
            }
        }
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            writeln!(f, "{}", step.words(self.kind))?;
        }
        match &self.result {
            Ok(granted) => writeln!(f, "granted {granted:#x}: {}", self.kind.names(*granted)),
            Err(refusal) => writeln!(f, "refused, {}: {refusal}", refusal.error()),
        }
    }
}

/// Whether a token gets this access to an object: what it gets, with generic rights mapped, or why not.
///
/// Entries count in the order in which they stand; nothing sorts them, and their masks count as they are:
/// generic rights are mapped when a descriptor is made or set. MAXIMUM_ALLOWED gets whatever is allowed before
/// it is denied, and is refused if that is nothing at all (inferred, as is that asking for nothing is granted).
///
/// # Errors
/// See [`Refusal`].
///
/// ```
/// use faultlab_sim::win7::security::{Descriptor, Kind, Mask, Sid, Token, access_check};
///
/// let alice = Token::standard_user(Sid::from("S-1-5-21-1-2-3-1001"));
/// let tools = Descriptor::from("O:BAG:SYD:AI(A;ID;FA;;;BA)(D;ID;WD;;;BU)(A;ID;FA;;;BU)");
/// assert_eq!(access_check(&alice, &tools, Kind::File, Mask(0x2)), Ok(Mask(0x2)));
/// let refusal = access_check(&alice, &tools, Kind::File, Mask(0x4_0000)).unwrap_err();
/// assert_eq!(refusal.to_string(), "WRITE_DAC denied by ACE 2 (D;ID;WD;;;BU) (inherited)");
/// ```
pub fn access_check(
    token: &Token,
    descriptor: &Descriptor,
    kind: Kind,
    desired: Mask,
) -> Result<Mask, Refusal> {
    walk(token, descriptor, kind, desired, Mask::NONE, &mut |_| {})
}

/// The same, with what is granted already and need not be asked for.
///
/// # Errors
/// See [`Refusal`].
pub fn access_check_beyond(
    token: &Token,
    descriptor: &Descriptor,
    kind: Kind,
    desired: Mask,
    granted: Mask,
) -> Result<Mask, Refusal> {
    walk(token, descriptor, kind, desired, granted, &mut |_| {})
}

/// The access check of a file: as [`access_check`], but DELETE is also granted by FILE_DELETE_CHILD on the
/// directory that it is in, and FILE_READ_ATTRIBUTES by FILE_LIST_DIRECTORY there.
///
/// # Errors
/// See [`Refusal`].
pub fn file_access_check(
    token: &Token,
    descriptor: &Descriptor,
    parent: Option<&Descriptor>,
    desired: Mask,
) -> Result<Mask, Refusal> {
    file_access_check_beyond(token, descriptor, parent, desired, Mask::NONE)
}

/// The same, with what is granted already and need not be asked for.
///
/// # Errors
/// See [`Refusal`].
pub fn file_access_check_beyond(
    token: &Token,
    descriptor: &Descriptor,
    parent: Option<&Descriptor>,
    desired: Mask,
    before: Mask,
) -> Result<Mask, Refusal> {
    let check = |before| walk(token, descriptor, Kind::File, desired, before, &mut |_| {});
    let own = check(before);
    let asked = Kind::File.map(desired);
    let from_parent = DELETE | READ_ATTRIBUTES;
    let is_enough = match &own {
        Ok(granted) => !asked.has(MAXIMUM_ALLOWED) || granted.has(from_parent),
        Err(_) => !asked.meets(from_parent | MAXIMUM_ALLOWED),
    };
    match parent {
        Some(parent) if !is_enough => {
            let granted = by_parent(token, parent, asked, &mut |_| {});
            match granted.is_empty() {
                true => own,
                false => check(before | granted),
            }
        }
        _ => own,
    }
}

/// The same checks, telling each step. `parent` is the directory that a file is in, if that is to count.
pub fn explain(
    token: &Token,
    descriptor: &Descriptor,
    parent: Option<&Descriptor>,
    kind: Kind,
    desired: Mask,
) -> Explanation {
    let mut steps = Vec::new();
    let mut record = |step: &dyn Fn() -> Step| steps.push(step());
    let granted = match parent {
        Some(parent) => by_parent(token, parent, kind.map(desired), &mut record),
        None => Mask::NONE,
    };
    let result = walk(token, descriptor, kind, desired, granted, &mut record);
    Explanation {
        kind,
        steps,
        result,
    }
}

/// What the directory gives for something in it.
fn by_parent(
    token: &Token,
    parent: &Descriptor,
    asked: Mask,
    record: &mut dyn FnMut(&dyn Fn() -> Step),
) -> Mask {
    let mut granted = Mask::NONE;
    for (rights, by) in [(DELETE, DELETE_CHILD), (READ_ATTRIBUTES, LIST_DIRECTORY)] {
        if asked.meets(rights | MAXIMUM_ALLOWED)
            && access_check(token, parent, Kind::File, by).is_ok()
        {
            granted |= rights;
            record(&|| Step::ByParent { by, rights });
        }
    }
    granted
}

fn walk(
    token: &Token,
    descriptor: &Descriptor,
    kind: Kind,
    desired: Mask,
    before: Mask,
    record: &mut (impl FnMut(&dyn Fn() -> Step) + ?Sized),
) -> Result<Mask, Refusal> {
    let refused = |reason| {
        Err(Refusal {
            kind,
            reason,
            inherited_from: None,
        })
    };
    let asked = kind.map(desired);
    if asked != desired {
        record(&|| Step::Mapped {
            from: desired,
            to: asked,
        });
    }
    let wants_all = asked.has(MAXIMUM_ALLOWED);
    let asked = asked.without(MAXIMUM_ALLOWED);
    let mut granted = before & if wants_all { kind.all() } else { asked };
    let mut remaining = asked.without(before);

    let own = token.integrity.level();
    let (level, policy) = descriptor
        .label()
        .unwrap_or((Integrity::Medium.level(), Mask(1)));
    let possible = possible(kind, own >= level, policy);
    if own < level {
        record(&|| Step::Integrity {
            level,
            own,
            possible,
        });
        let kept = remaining.without(possible | ACCESS_SYSTEM_SECURITY);
        if !kept.is_empty() {
            return refused(Reason::Integrity {
                level,
                own,
                policy,
                rights: kept,
            });
        }
    }

    if remaining.has(ACCESS_SYSTEM_SECURITY) {
        let (privilege, rights) = (Privilege::Security, ACCESS_SYSTEM_SECURITY);
        if !token.enabled.has(privilege) {
            return refused(Reason::Privilege { privilege, rights });
        }
        record(&|| Step::ByPrivilege { privilege, rights });
        granted |= rights;
        remaining = remaining.without(rights);
    }
    if remaining.has(WRITE_OWNER) && token.enabled.has(Privilege::TakeOwnership) {
        record(&|| Step::ByPrivilege {
            privilege: Privilege::TakeOwnership,
            rights: WRITE_OWNER,
        });
        granted |= WRITE_OWNER;
        remaining = remaining.without(WRITE_OWNER);
    }

    let Some(aces) = descriptor.aces() else {
        record(&|| Step::NoDacl);
        let all = if wants_all {
            kind.all() & possible
        } else {
            Mask::NONE
        };
        return Ok(granted | remaining | all);
    };

    let is_owner = descriptor
        .owner
        .as_ref()
        .is_some_and(|owner| token.has(owner));
    if is_owner {
        let owner_rights = aces
            .iter()
            .position(|ace| ace.is_effective() && ace.sid == Sid::OWNER_RIGHTS);
        match owner_rights {
            Some(at) => record(&|| Step::OwnerRights { number: at + 1 }),
            None => {
                let implied = READ_CONTROL | WRITE_DAC;
                let rights = match wants_all {
                    true => implied & possible,
                    false => implied & remaining,
                };
                if !rights.is_empty() {
                    record(&|| Step::ByOwner { rights });
                }
                granted |= rights;
                remaining = remaining.without(implied);
            }
        }
    }

    let mut denied = Mask::NONE;
    for (at, ace) in aces.iter().enumerate() {
        if remaining.is_empty() && !wants_all {
            break;
        }
        let note = |effect, record: &mut dyn FnMut(&dyn Fn() -> Step)| {
            record(&|| Step::Entry {
                number: at + 1,
                ace: ace.clone(),
                effect,
                inherited_from: None,
            });
        };
        let mut record = |step: &dyn Fn() -> Step| record(step);
        if !ace.is_effective() {
            note(Effect::InheritOnly, &mut record);
            continue;
        }
        // What an entry of a directory service says of an object type is not about files and keys.
        let is_of_type = ace.objects.as_ref().is_some_and(|types| types.of.is_some());
        let is_owners = is_owner && ace.sid == Sid::OWNER_RIGHTS;
        let effect = match ace.kind {
            _ if is_of_type => Effect::SomeoneElse,
            AceType::Allow | AceType::AllowObject if is_owners || token.has(&ace.sid) => {
                let rights = match wants_all {
                    true => ace.mask.without(denied) & possible,
                    false => ace.mask & remaining,
                };
                granted |= rights;
                remaining = remaining.without(rights);
                match rights.is_empty() {
                    true => Effect::Nothing,
                    false => Effect::Granted(rights),
                }
            }
            AceType::Allow | AceType::AllowObject if token.has_for_deny(&ace.sid) => {
                Effect::OnlyDenies
            }
            AceType::Deny | AceType::DenyObject if is_owners || token.has_for_deny(&ace.sid) => {
                let rights = ace.mask & remaining;
                denied |= ace.mask.without(granted);
                match (rights.is_empty(), wants_all) {
                    (false, _) => {
                        note(Effect::Denied(rights), &mut record);
                        return refused(Reason::DeniedBy {
                            number: at + 1,
                            ace: Box::new(ace.clone()),
                            rights,
                        });
                    }
                    (true, true) if !ace.mask.without(granted).is_empty() => {
                        Effect::Denied(ace.mask.without(granted))
                    }
                    _ => Effect::Nothing,
                }
            }
            _ => Effect::SomeoneElse,
        };
        note(effect, &mut record);
    }
    let got_nothing = wants_all && granted.is_empty();
    if remaining.is_empty() && !got_nothing {
        return Ok(granted);
    }
    refused(Reason::NotGranted {
        rights: match got_nothing {
            true => remaining | MAXIMUM_ALLOWED,
            false => remaining,
        },
        entries: aces.len(),
    })
}

/// What the integrity check leaves: everything, or what the policy does not keep back.
fn possible(kind: Kind, dominates: bool, policy: Mask) -> Mask {
    if dominates {
        return !Mask::NONE;
    }
    [
        (Mask(1), kind.write()),
        (Mask(2), kind.read()),
        (Mask(4), kind.execute()),
    ]
    .into_iter()
    .filter(|(kept_back, _)| !policy.meets(*kept_back))
    .fold(Mask::NONE, |all, (_, rights)| all | rights)
}
