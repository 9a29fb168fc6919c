//! Security descriptors as bytes, in self-relative form: as hive files hold them.
//!
//! Source: MS-DTYP 2.4.2 (SID), 2.4.4 (ACE), 2.4.5 (ACL), 2.4.6 (SECURITY_DESCRIPTOR).

use super::acl::{Ace, AceType, Acl, Descriptor, Flags};
use super::mask::Mask;
use super::sid::{MAX_SUB_AUTHORITIES, Sid};

const DACL_PRESENT: u16 = 0x0004;
const SACL_PRESENT: u16 = 0x0010;
const SELF_RELATIVE: u16 = 0x8000;
/// Of a DACL; those of a SACL are a bit further left.
const AUTO_INHERIT_REQ: u16 = 0x0100;
const AUTO_INHERITED: u16 = 0x0400;
const PROTECTED: u16 = 0x1000;

impl Descriptor {
    /// The self-relative form. Entries of a directory service have none here.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        let mut control = SELF_RELATIVE;
        let (mut body, mut places) = (Vec::new(), [0_u32; 4]);
        let mut put = |place: &mut u32, bytes: &[u8]| {
            *place = 20 + body.len() as u32;
            body.extend_from_slice(bytes);
        };
        for (shift, present, acl, place) in [
            (1, SACL_PRESENT, &self.sacl, 2),
            (0, DACL_PRESENT, &self.dacl, 3),
        ] {
            let Some(acl) = acl else { continue };
            control |= present;
            for (is_so, bit) in [
                (acl.wants_auto_inherit, AUTO_INHERIT_REQ),
                (acl.is_auto_inherited, AUTO_INHERITED),
                (acl.is_protected, PROTECTED),
            ] {
                control |= if is_so { bit << shift } else { 0 };
            }
            if let Some(aces) = &acl.aces {
                put(&mut places[place], &acl_bytes(aces)?);
            }
        }
        for (sid, place) in [(&self.owner, 0), (&self.group, 1)] {
            if let Some(sid) = sid {
                put(&mut places[place], &sid_bytes(sid));
            }
        }
        let mut bytes = vec![1, 0];
        bytes.extend(control.to_le_bytes());
        bytes.extend(places.into_iter().flat_map(u32::to_le_bytes));
        bytes.extend(body);
        Some(bytes)
    }

    /// Reads the self-relative form; nothing if it is none, or has entries that the model does not have.
    pub fn from_bytes(bytes: &[u8]) -> Option<Descriptor> {
        let control = u16_at(bytes, 2)?;
        if bytes.first() != Some(&1) || control & SELF_RELATIVE == 0 {
            return None;
        }
        let place = |nth: usize| match u32_at(bytes, 4 + 4 * nth)? {
            0 => Some(None),
            place => bytes.get(place as usize..).map(Some),
        };
        let sid = |nth: usize| match place(nth)? {
            None => Some(None),
            Some(bytes) => sid_of(bytes).map(Some),
        };
        let acl = |nth: usize, present: u16, shift: u16| {
            if control & present == 0 {
                return Some(None);
            }
            let aces = match place(nth)? {
                None => None,
                Some(bytes) => Some(aces_of(bytes)?.into()),
            };
            let has = |bit: u16| control & (bit << shift) != 0;
            Some(Some(Acl {
                is_protected: has(PROTECTED),
                wants_auto_inherit: has(AUTO_INHERIT_REQ),
                is_auto_inherited: has(AUTO_INHERITED),
                aces,
            }))
        };
        Some(Descriptor {
            owner: sid(0)?,
            group: sid(1)?,
            sacl: acl(2, SACL_PRESENT, 1)?,
            dacl: acl(3, DACL_PRESENT, 0)?,
        })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    let two = bytes.get(at..)?.first_chunk()?;
    Some(u16::from_le_bytes(*two))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let four = bytes.get(at..)?.first_chunk()?;
    Some(u32::from_le_bytes(*four))
}

fn sid_bytes(sid: &Sid) -> Vec<u8> {
    let subs = sid.sub_authorities();
    let mut bytes = vec![1, subs.len() as u8];
    bytes.extend_from_slice(&sid.authority().to_be_bytes()[2..]);
    bytes.extend(subs.iter().flat_map(|sub| sub.to_le_bytes()));
    bytes
}

fn sid_of(bytes: &[u8]) -> Option<Sid> {
    let [1, count, authority @ ..] = bytes else {
        return None;
    };
    let count = usize::from(*count);
    if count > MAX_SUB_AUTHORITIES {
        return None;
    }
    let mut number = [0; 8];
    number[2..].copy_from_slice(authority.get(..6)?);
    let subs = (0..count).map(|nth| u32_at(bytes, 8 + 4 * nth));
    let subs: Vec<u32> = subs.collect::<Option<_>>()?;
    Some(Sid::of(u64::from_be_bytes(number), &subs))
}

fn acl_bytes(aces: &[Ace]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    for ace in aces {
        if ace.kind.is_of_objects() || ace.objects.is_some() {
            return None;
        }
        let sid = sid_bytes(&ace.sid);
        body.extend([ace.kind as u8, ace.flags.0]);
        body.extend((8 + sid.len() as u16).to_le_bytes());
        body.extend(ace.mask.0.to_le_bytes());
        body.extend(sid);
    }
    let size = u16::try_from(8 + body.len()).ok()?;
    let mut bytes = vec![2, 0];
    bytes.extend(size.to_le_bytes());
    bytes.extend((aces.len() as u16).to_le_bytes());
    bytes.extend([0, 0]);
    bytes.extend(body);
    Some(bytes)
}

fn aces_of(bytes: &[u8]) -> Option<Vec<Ace>> {
    let mut at = 8;
    let mut aces = Vec::new();
    for _ in 0..u16_at(bytes, 4)? {
        let kind = *bytes.get(at)?;
        let (kind, _) = AceType::ALL
            .into_iter()
            .find(|(known, _)| *known as u8 == kind && !known.is_of_objects())?;
        let flags = Flags(*bytes.get(at + 1)?);
        let size = usize::from(u16_at(bytes, at + 2)?);
        let sid = sid_of(bytes.get(at + 8..at + size)?)?;
        aces.push(Ace::new(kind, flags, Mask(u32_at(bytes, at + 4)?), sid));
        at += size;
    }
    Some(aces)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Source: the layout that MS-DTYP 2.4.6 gives, filled in by hand.
    #[test]
    fn the_form_is_that_of_the_specification() {
        let descriptor = Descriptor::parse("O:SYD:PAI(A;CI;KA;;;BA)").expect("it is SDDL");
        let bytes = descriptor.to_bytes().expect("it has a form");
        let by_hand: Vec<u8> = [
            &[1, 0, 0x04, 0x94][..],
            &[52, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0],
            &[2, 0, 32, 0, 1, 0, 0, 0],
            &[0, 2, 24, 0, 0x3F, 0, 0x0F, 0],
            &[1, 2, 0, 0, 0, 0, 0, 5, 32, 0, 0, 0, 0x20, 2, 0, 0],
            &[1, 1, 0, 0, 0, 0, 0, 5, 18, 0, 0, 0],
        ]
        .concat();
        assert_eq!(bytes, by_hand);
    }

    #[test]
    fn bytes_come_back_as_they_went() {
        for text in [
            "O:BAG:SYD:PAI(A;CIIO;GA;;;CO)(A;;KA;;;SY)(D;;KR;;;BU)S:(ML;;NW;;;HI)",
            "D:NO_ACCESS_CONTROL",
            "O:SYD:",
            "",
        ] {
            let descriptor = Descriptor::parse(text).expect("it is SDDL");
            let bytes = descriptor.to_bytes().expect("it has a form");
            assert_eq!(Descriptor::from_bytes(&bytes), Some(descriptor), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_break_it(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
            let _ = Descriptor::from_bytes(&[&[1, 0, 4, 0x80][..], &bytes].concat());
        }
    }
}
