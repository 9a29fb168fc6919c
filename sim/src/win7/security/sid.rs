//! Security identifiers.

use std::fmt;

/// No identifier has more sub-authorities (`SID_MAX_SUB_AUTHORITIES`).
pub const MAX_SUB_AUTHORITIES: usize = 15;

/// A security identifier: who an access control entry, an owner or a token is about.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sid {
    /// 48 bits.
    authority: u64,
    len: u8,
    /// invariant: those from `len` on are 0.
    subs: [u32; MAX_SUB_AUTHORITIES],
}

impl Sid {
    /// Everyone.
    pub const EVERYONE: Sid = Sid::of(1, &[0]);
    /// Whoever logged on at this machine.
    pub const LOCAL: Sid = Sid::of(2, &[0]);
    /// Stands for the owner in an entry that is inherited.
    pub const CREATOR_OWNER: Sid = Sid::of(3, &[0]);
    /// Stands for the primary group in an entry that is inherited.
    pub const CREATOR_GROUP: Sid = Sid::of(3, &[1]);
    /// Whoever owns the object; an entry for it replaces what an owner has anyway (Vista and later).
    pub const OWNER_RIGHTS: Sid = Sid::of(3, &[4]);
    /// Logged on interactively.
    pub const INTERACTIVE: Sid = Sid::of(5, &[4]);
    /// Logged on as a service.
    pub const SERVICE: Sid = Sid::of(5, &[6]);
    /// Whoever proved an identity.
    pub const AUTHENTICATED_USERS: Sid = Sid::of(5, &[11]);
    /// LocalSystem.
    pub const SYSTEM: Sid = Sid::of(5, &[18]);
    /// LocalService.
    pub const LOCAL_SERVICE: Sid = Sid::of(5, &[19]);
    /// NetworkService.
    pub const NETWORK_SERVICE: Sid = Sid::of(5, &[20]);
    /// BUILTIN\Administrators.
    pub const ADMINISTRATORS: Sid = Sid::of(5, &[32, 544]);
    /// BUILTIN\Users.
    pub const USERS: Sid = Sid::of(5, &[32, 545]);
    /// The service that owns the system's files.
    pub const TRUSTED_INSTALLER: Sid = Sid::of(
        5,
        &[
            80, 956008885, 3418522649, 1831038044, 1853292631, 2271478464,
        ],
    );

    /// An identifier of revision 1: its authority, and at most 15 sub-authorities.
    ///
    /// # Panics
    /// With more sub-authorities, or an authority of more than 48 bits.
    pub const fn of(authority: u64, subs: &[u32]) -> Sid {
        assert!(subs.len() <= MAX_SUB_AUTHORITIES && authority < 1 << 48);
        let mut all = [0; MAX_SUB_AUTHORITIES];
        let mut at = 0;
        while at < subs.len() {
            all[at] = subs[at];
            at += 1;
        }
        Sid {
            authority,
            len: subs.len() as u8,
            subs: all,
        }
    }

    /// The label of an integrity level: `S-1-16-LEVEL`.
    pub const fn label(level: u32) -> Sid {
        Sid::of(16, &[level])
    }

    /// The integrity level that this is the label of.
    pub fn level(&self) -> Option<u32> {
        (self.authority == 16 && self.len == 1).then_some(self.subs[0])
    }

    /// The authority.
    pub fn authority(&self) -> u64 {
        self.authority
    }

    /// The sub-authorities.
    pub fn sub_authorities(&self) -> &[u32] {
        &self.subs[..usize::from(self.len)]
    }

    /// The identifier of an account or group of this domain or machine; none if there is no room.
    pub fn with(&self, rid: u32) -> Option<Sid> {
        let mut sid = *self;
        *sid.subs.get_mut(usize::from(self.len))? = rid;
        sid.len += 1;
        Some(sid)
    }

    /// The domain or machine, and the relative identifier.
    pub fn split(&self) -> Option<(Sid, u32)> {
        let last = usize::from(self.len).checked_sub(1)?;
        let mut domain = *self;
        domain.subs[last] = 0;
        domain.len -= 1;
        Some((domain, self.subs[last]))
    }

    /// ConvertStringSidToSid for the form `S-1-...`; two-letter names are SDDL's.
    ///
    /// As Windows reads it (captures of the Samba project, libcli/security/tests/windows): the letter in
    /// either case, parts in decimal or with `0x` in hexadecimal, sub-authorities of more than 32 bits cut
    /// to the largest, and a revision in hexadecimal makes all parts that.
    pub fn parse(text: &str) -> Option<Sid> {
        let mut parts = text
            .strip_prefix(['S', 's'])?
            .strip_prefix('-')?
            .split('-')
            .map(|part| part.trim_start_matches(' '));
        let revision = parts.next()?;
        let all_hex = hex(revision).is_some();
        if number(revision, false)? != 1 {
            return None;
        }
        let authority = parts.next()?;
        let authority = match number(authority, all_hex)? {
            wide if wide < 1 << 48 => wide as u64,
            _ => return None,
        };
        let mut subs = [0; MAX_SUB_AUTHORITIES];
        let mut len = 0;
        for part in parts {
            *subs.get_mut(len)? = u32::try_from(number(part, all_hex)?).unwrap_or(u32::MAX);
            len += 1;
        }
        (len > 0).then(|| Sid::of(authority, &subs[..len]))
    }
}

fn hex(part: &str) -> Option<&str> {
    part.strip_prefix("0x").or(part.strip_prefix("0X"))
}

/// A number that is cut to the largest rather than refused.
fn number(part: &str, as_hex: bool) -> Option<u128> {
    let (digits, radix) = match hex(part) {
        Some(digits) => (digits, 16),
        None if as_hex => (part, 16),
        None => (part, 10),
    };
    if digits.is_empty() || digits.len() > 64 {
        return None;
    }
    digits.chars().try_fold(0u128, |sum, digit| {
        Some(
            sum.saturating_mul(radix.into())
                .saturating_add(digit.to_digit(radix)?.into()),
        )
    })
}

/// `S-1-5-18`. An authority of more than 32 bits is in hexadecimal.
impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.authority >> 32 {
            0 => write!(f, "S-1-{}", self.authority)?,
            _ => write!(f, "S-1-0x{:X}", self.authority)?,
        }
        self.sub_authorities()
            .iter()
            .try_for_each(|sub| write!(f, "-{sub}"))
    }
}

impl fmt::Debug for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// As [`Sid::parse`], for identifiers that a program has in its source.
///
/// # Panics
/// If the text is none.
impl From<&str> for Sid {
    fn from(text: &str) -> Sid {
        Sid::parse(text).unwrap_or_else(|| panic!("{text:?} is no security identifier"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_identifiers() {
        for (text, canonical) in [
            ("S-1-5-18", "S-1-5-18"),
            ("s-1-5-18", "S-1-5-18"),
            ("S-1-0x2-3-4", "S-1-2-3-4"),
            ("S-1-3-0xffffffff-3-4", "S-1-3-4294967295-3-4"),
            ("S-1-3-4294967296-3-4", "S-1-3-4294967295-3-4"),
            ("S-1-5000000000-30-40", "S-1-0x12A05F200-30-40"),
            ("S-0x1-20-0-579", "S-1-32-0-1401"),
            ("S- 1- 2-3", "S-1-2-3"),
        ] {
            let read = Sid::parse(text).map(|sid| sid.to_string());
            assert_eq!(read.as_deref(), Some(canonical), "{text}");
        }
        let many = format!("S-1-5{}", "-1".repeat(16));
        for text in [
            "",
            "S",
            "S-1",
            "S-1-5",
            "S-2-5-18",
            "S-1-5-",
            "S-1-5-x",
            "S-1-0x1313131313131-513",
            "S-1-5-18 ",
            "X-1-5-18",
            &many,
        ] {
            assert_eq!(Sid::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_account_is_its_machine_and_a_number() {
        let alice = Sid::from("S-1-5-21-1-2-3-1001");
        let (machine, rid) = alice.split().expect("it has parts");
        assert_eq!(
            (machine.to_string().as_str(), rid),
            ("S-1-5-21-1-2-3", 1001)
        );
        assert_eq!(machine.with(1001), Some(alice));
        assert_eq!(Sid::label(0x2000).level(), Some(8192));
        assert_eq!(alice.level(), None);
    }
}
