//! Descriptors as `icacls` lists them: accounts by name, rights by their letters.

use std::fmt;

use super::acl::{Ace, AceType, Descriptor, Flags};
use super::mask::{Kind, Mask};
use super::sddl::POLICIES;
use super::sid::Sid;

/// Accounts that have a name on every machine, in English.
pub(super) const ACCOUNTS: [(&str, Sid); 23] = [
    ("Everyone", Sid::EVERYONE),
    ("LOCAL", Sid::LOCAL),
    ("CREATOR OWNER", Sid::CREATOR_OWNER),
    ("CREATOR GROUP", Sid::CREATOR_GROUP),
    ("OWNER RIGHTS", Sid::OWNER_RIGHTS),
    ("NT AUTHORITY\\NETWORK", Sid::of(5, &[2])),
    ("NT AUTHORITY\\INTERACTIVE", Sid::INTERACTIVE),
    ("NT AUTHORITY\\SERVICE", Sid::SERVICE),
    (
        "NT AUTHORITY\\Authenticated Users",
        Sid::AUTHENTICATED_USERS,
    ),
    ("NT AUTHORITY\\RESTRICTED", Sid::of(5, &[12])),
    ("NT AUTHORITY\\SYSTEM", Sid::SYSTEM),
    ("NT AUTHORITY\\LOCAL SERVICE", Sid::LOCAL_SERVICE),
    ("NT AUTHORITY\\NETWORK SERVICE", Sid::NETWORK_SERVICE),
    ("BUILTIN\\Administrators", Sid::ADMINISTRATORS),
    ("BUILTIN\\Users", Sid::USERS),
    ("BUILTIN\\Guests", Sid::of(5, &[32, 546])),
    ("BUILTIN\\Power Users", Sid::of(5, &[32, 547])),
    ("NT SERVICE\\TrustedInstaller", Sid::TRUSTED_INSTALLER),
    ("Mandatory Label\\Untrusted Mandatory Level", Sid::label(0)),
    ("Mandatory Label\\Low Mandatory Level", Sid::label(0x1000)),
    (
        "Mandatory Label\\Medium Mandatory Level",
        Sid::label(0x2000),
    ),
    ("Mandatory Label\\High Mandatory Level", Sid::label(0x3000)),
    (
        "Mandatory Label\\System Mandatory Level",
        Sid::label(0x4000),
    ),
];

/// Rights that have one name together, the largest first.
pub(super) const SIMPLE: [(&str, Mask); 5] = [
    ("F", Mask(0x1F_01FF)),
    ("M", Mask(0x13_01BF)),
    ("RX", Mask(0x12_00A9)),
    ("R", Mask(0x12_0089)),
    ("W", Mask(0x12_0116)),
];

/// Single rights, in the order in which `icacls` lists them.
pub(super) const SINGLE: [(&str, Mask); 20] = [
    ("DE", Mask(0x1_0000)),
    ("RC", Mask(0x2_0000)),
    ("WDAC", Mask(0x4_0000)),
    ("WO", Mask(0x8_0000)),
    ("S", Mask(0x10_0000)),
    ("AS", Mask(0x100_0000)),
    ("MA", Mask(0x200_0000)),
    ("GR", Mask(0x8000_0000)),
    ("GW", Mask(0x4000_0000)),
    ("GE", Mask(0x2000_0000)),
    ("GA", Mask(0x1000_0000)),
    ("RD", Mask(0x1)),
    ("WD", Mask(0x2)),
    ("AD", Mask(0x4)),
    ("REA", Mask(0x8)),
    ("WEA", Mask(0x10)),
    ("X", Mask(0x20)),
    ("DC", Mask(0x40)),
    ("RA", Mask(0x80)),
    ("WA", Mask(0x100)),
];

impl Sid {
    /// The name of the account, where every machine has it; else `S-1-...`.
    pub fn account(&self) -> String {
        let known = ACCOUNTS.iter().find(|(_, sid)| sid == self);
        known.map_or_else(|| self.to_string(), |(name, _)| (*name).into())
    }
}

impl Mask {
    /// The rights of a file as `icacls` has them: `F`, `M`, `RX,W`, or single ones.
    pub fn icacls(self) -> String {
        const ALL: Mask = Mask(0x1000_0000);
        const MODIFY: Mask = Mask(0xE001_0000);
        const DELETE: Mask = Mask(0x1_0000);
        let simple = match self {
            ALL => Some("F".into()),
            MODIFY => Some("M".into()),
            DELETE => Some("D".into()),
            Mask::NONE => Some("N".into()),
            _ => SIMPLE
                .iter()
                .find(|(_, mask)| *mask == self)
                .map(|(name, _)| (*name).to_owned()),
        };
        let (read, write) = (SIMPLE[3].1, SIMPLE[4].1);
        let reading = SIMPLE[2..4].iter().find(|(_, mask)| *mask | write == self);
        simple
            .or_else(|| reading.map(|(name, _)| format!("{name},W")))
            .unwrap_or_else(|| {
                debug_assert!(self != read);
                let letters: Vec<&str> = SINGLE
                    .iter()
                    .filter(|(_, bit)| self.meets(*bit))
                    .map(|(name, _)| *name)
                    .collect();
                letters.join(",")
            })
    }
}

impl Mask {
    /// Rights by name, as people say them, several with commas: `read`, `write`, `execute`, `modify`, `delete`,
    /// `full`, `maximum`; of files those of `icacls` (`RX`, `WDAC`); the names of [`Kind::name`]; `KEY_READ` and
    /// the like; or a mask, `0x2`. None if one of them is none.
    pub fn named(kind: Kind, text: &str) -> Option<Mask> {
        let mut parts = text.split([',', '|']).map(str::trim);
        parts.try_fold(Mask::NONE, |all, part| Some(all | named(kind, part)?))
    }
}

fn named(kind: Kind, text: &str) -> Option<Mask> {
    const WORDS: [&str; 4] = ["read", "write", "execute", "full"];
    const WHOLE: [(Kind, [&str; 4]); 2] = [
        (
            Kind::File,
            [
                "FILE_GENERIC_READ",
                "FILE_GENERIC_WRITE",
                "FILE_GENERIC_EXECUTE",
                "FILE_ALL_ACCESS",
            ],
        ),
        (
            Kind::Key,
            ["KEY_READ", "KEY_WRITE", "KEY_EXECUTE", "KEY_ALL_ACCESS"],
        ),
    ];
    if let Some(digits) = text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        return u32::from_str_radix(digits, 16).ok().map(Mask);
    }
    let is = |name: &str| text.eq_ignore_ascii_case(name);
    let whole = WHOLE.iter().find(|(of, _)| *of == kind);
    let whole = WORDS
        .iter()
        .chain(whole.map(|(_, names)| names).into_iter().flatten());
    if let Some(at) = whole.clone().position(|name| is(name)) {
        return Some([kind.read(), kind.write(), kind.execute(), kind.all()][at % 4]);
    }
    let bits = || (0..32).map(|bit| Mask(1 << bit));
    let in_name = |bit: Mask| kind.name(bit).split([' ', '(', ')']).any(is);
    let letters = SIMPLE.iter().chain(&SINGLE);
    let letters = letters
        .chain(&[("D", Mask(0x1_0000)), ("modify", Mask(0x13_01BF))])
        .filter(|_| kind == Kind::File);
    match () {
        () if text.is_empty() => None,
        () if is("maximum") => Some(Mask(0x200_0000)),
        () if is("delete") => Some(Mask(0x1_0000)),
        () => bits()
            .find(|bit| kind.name(*bit) != Kind::UNNAMED && in_name(*bit))
            .or_else(|| {
                letters
                    .clone()
                    .find(|(name, _)| is(name))
                    .map(|(_, mask)| *mask)
            }),
    }
}

impl Ace {
    /// What `icacls` writes behind the account: `(I)(OI)(CI)(F)`, `(DENY)(W)`.
    pub fn icacls(&self) -> String {
        let mut text = String::new();
        for (flag, letters) in [
            (Flags::ID, "(I)"),
            (Flags::OI, "(OI)"),
            (Flags::CI, "(CI)"),
            (Flags::NP, "(NP)"),
            (Flags::IO, "(IO)"),
        ] {
            if self.flags.has(flag) {
                text.push_str(letters);
            }
        }
        let is_deny = matches!(self.kind, AceType::Deny | AceType::DenyObject);
        let rights = match self.kind {
            AceType::Label => self.mask.sddl(self.kind),
            _ => self.mask.icacls(),
        };
        match (is_deny, &*rights) {
            (true, "F") => text.push_str("(N)"),
            (true, _) => text.push_str(&format!("(DENY)({rights})")),
            (false, _) => text.push_str(&format!("({rights})")),
        }
        text
    }
}

impl Sid {
    /// The identifier of an account that every machine has, by its English name, in any case.
    pub fn named(name: &str) -> Option<Sid> {
        let known = ACCOUNTS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(_, sid)| *sid)
    }
}

impl Ace {
    /// Reads what `icacls` writes behind an account, such as `(I)(OI)(CI)(F)`; none if it is nothing that
    /// `icacls` writes.
    pub fn parse_icacls(text: &str, sid: Sid) -> Option<Ace> {
        let inner = text.strip_prefix('(')?.strip_suffix(')')?;
        let is_label = sid.level().is_some();
        let kind = match is_label {
            true => AceType::Label,
            false => AceType::Allow,
        };
        let mut ace = Ace::new(kind, Flags::default(), Mask::NONE, sid);
        let mut has_rights = false;
        for group in inner.split(")(") {
            let flag = match group {
                "I" => Flags::ID,
                "OI" => Flags::OI,
                "CI" => Flags::CI,
                "IO" => Flags::IO,
                "NP" => Flags::NP,
                "DENY" if !is_label => {
                    ace.kind = AceType::Deny;
                    continue;
                }
                "N" if !is_label => {
                    ace.kind = AceType::Deny;
                    ace.mask = SIMPLE[0].1;
                    has_rights = true;
                    continue;
                }
                rights => {
                    for name in rights.split(',') {
                        let all = SIMPLE.iter().chain(&SINGLE).chain(&[("D", Mask(0x1_0000))]);
                        let mut all = all
                            .filter(|_| !is_label)
                            .chain(POLICIES.iter().filter(|_| is_label));
                        // `Rc` is how some versions spell RC.
                        let (_, mask) = all.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
                        ace.mask |= *mask;
                    }
                    has_rights = true;
                    continue;
                }
            };
            ace.flags = ace.flags.with(flag);
        }
        has_rights.then_some(ace)
    }
}

/// As `icacls` lists it, with owner and control bits before it.
impl fmt::Debug for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |sid: &Option<Sid>| sid.as_ref().map_or("nobody".into(), Sid::account);
        write!(f, "owner {}", name(&self.owner))?;
        let lists = [("", &self.dacl), ("audit: ", &self.sacl)];
        for (what, list) in lists {
            let Some(acl) = list else { continue };
            if acl.is_protected {
                write!(f, "\n{what}(protected)")?;
            }
            match &acl.aces {
                None => write!(f, "\n{what}no access control")?,
                Some(aces) if aces.is_empty() => write!(f, "\n{what}(empty)")?,
                Some(aces) => {
                    for ace in aces.iter() {
                        write!(f, "\n{what}{}:{}", ace.sid.account(), ace.icacls())?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::defaults;
    use super::*;

    #[test]
    fn the_system_volume_as_icacls_lists_it() {
        let root = defaults::descriptor(defaults::SYSTEM_ROOT);
        let shown = format!("{root:?}");
        let wanted = "owner NT SERVICE\\TrustedInstaller
(protected)
BUILTIN\\Administrators:(F)
BUILTIN\\Administrators:(OI)(CI)(IO)(F)
NT AUTHORITY\\SYSTEM:(F)
NT AUTHORITY\\SYSTEM:(OI)(CI)(IO)(F)
BUILTIN\\Users:(OI)(CI)(RX)
NT AUTHORITY\\Authenticated Users:(OI)(CI)(IO)(M)
NT AUTHORITY\\Authenticated Users:(AD)
audit: Mandatory Label\\High Mandatory Level:(OI)(NP)(IO)(NW)";
        assert_eq!(shown, wanted);
    }

    #[test]
    fn rights_by_name() {
        for (kind, text, mask) in [
            (Kind::File, "0x2", 0x2),
            (Kind::File, "write", 0x12_0116),
            (Kind::File, "FILE_ADD_FILE, write_dac", 0x4_0002),
            (Kind::File, "FILE_LIST_DIRECTORY", 0x1),
            (Kind::File, "RX|W", 0x12_01BF),
            (Kind::File, "modify", 0x13_01BF),
            (Kind::File, "d", 0x1_0000),
            (Kind::Key, "KEY_SET_VALUE,KEY_READ", 0x2_001B),
            (Kind::Key, "full", 0xF_003F),
            (Kind::Key, "maximum", 0x200_0000),
        ] {
            assert_eq!(Mask::named(kind, text), Some(Mask(mask)), "{text}");
        }
        for (kind, text) in [
            (Kind::Key, "RX"),
            (Kind::Key, "FILE_ADD_FILE"),
            (Kind::File, "a"),
            (Kind::File, ""),
            (Kind::File, "0xg"),
            (Kind::File, "read,"),
        ] {
            assert_eq!(Mask::named(kind, text), None, "{text}");
        }
    }

    #[test]
    fn letters_of_rights() {
        for (mask, letters) in [
            (0x1201bf, "RX,W"),
            (0x12019f, "R,W"),
            (0xa0000000, "GR,GE"),
            (0x116, "WD,AD,WEA,WA"),
            (0x100026, "S,WD,AD,X"),
            (0x10000, "D"),
        ] {
            assert_eq!(Mask(mask).icacls(), letters);
        }
        let deny = |mask| Ace::new(AceType::Deny, Flags::ID, Mask(mask), Sid::USERS).icacls();
        assert_eq!(
            (deny(0x120116), deny(0x1f01ff)),
            ("(I)(DENY)(W)".into(), "(I)(N)".into())
        );
    }
}
