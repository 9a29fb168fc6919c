//! From a descriptor to its text.

use std::fmt::{self, Write};

use super::super::acl::{Ace, AceType, Acl, Descriptor, Flags};
use super::super::mask::Mask;
use super::super::sid::Sid;
use super::{BITS, NULL_LIST, POLICIES, TOGETHER, WELL_KNOWN};

impl Sid {
    /// What SDDL calls it: two letters, or `S-1-...`.
    pub fn sddl(&self) -> String {
        match WELL_KNOWN.iter().find(|(_, sid)| sid == self) {
            Some((letters, _)) => (*letters).into(),
            None => self.to_string(),
        }
    }
}

impl Mask {
    /// What SDDL calls these rights in an entry of this type: a name for all, letters for each, or a
    /// number.
    pub fn sddl(self, kind: AceType) -> String {
        let spell = |names: &[(&str, Mask)]| {
            let known = names.iter().fold(Mask::NONE, |all, (_, bit)| all | *bit);
            let letters = names.iter().filter(|(_, bit)| self.meets(*bit));
            known
                .has(self)
                .then(|| letters.map(|(name, _)| *name).collect::<String>())
        };
        let letters = match kind {
            AceType::Label => spell(&POLICIES),
            _ => {
                let whole = TOGETHER.iter().find(|(_, mask)| *mask == self);
                whole
                    .map(|(name, _)| (*name).into())
                    .or_else(|| spell(&BITS))
            }
        };
        letters.unwrap_or_else(|| format!("{self:#x}"))
    }
}

/// As SDDL has it: `(A;OICI;FA;;;BA)`.
impl fmt::Display for Ace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = AceType::ALL.iter().find(|(kind, _)| *kind == self.kind);
        let letters = kind.map_or("", |(_, letters)| letters);
        write!(f, "({letters};")?;
        for (flag, letters) in Flags::ALL {
            if self.flags.has(flag) {
                f.write_str(letters)?;
            }
        }
        write!(f, ";{};", self.mask.sddl(self.kind))?;
        let objects = self.objects.as_deref().copied().unwrap_or_default();
        for guid in [objects.of, objects.inherited_by] {
            if let Some(guid) = guid {
                let digits = format!("{guid:032x}");
                let parts = [0..8, 8..12, 12..16, 16..20, 20..32];
                f.write_str(&parts.map(|part| &digits[part]).join("-"))?;
            }
            f.write_char(';')?;
        }
        write!(f, "{})", self.sid.sddl())
    }
}

impl Acl {
    fn sddl(&self) -> String {
        let flags = [
            (self.is_protected, "P"),
            (self.wants_auto_inherit, "AR"),
            (self.is_auto_inherited, "AI"),
        ];
        let flags = flags.iter().filter(|(set, _)| *set);
        let mut text: String = flags.map(|(_, letters)| *letters).collect();
        match &self.aces {
            None => text.push_str(NULL_LIST),
            Some(aces) => aces.iter().for_each(|ace| {
                let _ = write!(text, "{ace}");
            }),
        }
        text
    }
}

impl Descriptor {
    /// ConvertSecurityDescriptorToStringSecurityDescriptor, of all parts.
    pub fn sddl(&self) -> String {
        let mut text = String::new();
        let sids = [("O:", &self.owner), ("G:", &self.group)];
        let lists = [("D:", &self.dacl), ("S:", &self.sacl)];
        for (section, sid) in sids {
            if let Some(sid) = sid {
                text.extend([section, &*sid.sddl()]);
            }
        }
        for (section, list) in lists {
            if let Some(list) = list {
                text.extend([section, &*list.sddl()]);
            }
        }
        text
    }
}

impl fmt::Display for Descriptor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sddl())
    }
}
