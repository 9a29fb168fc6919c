//! From a text to a descriptor.

use super::super::acl::{Ace, AceType, Acl, Descriptor, Flags, ObjectTypes};
use super::super::mask::Mask;
use super::super::sid::Sid;
use super::{BITS, NULL_LIST, POLICIES, SddlError, TOGETHER, WELL_KNOWN};

/// No list has more entries: a list is at most 64 KiB long, and an entry is no shorter than this (MS-DTYP
/// 2.4.4.1, 2.4.5).
const MAX_ACES: usize = 0xFFFF / 16;

impl Descriptor {
    /// ConvertStringSecurityDescriptorToSecurityDescriptor.
    ///
    /// # Errors
    /// See [`SddlError`].
    pub fn parse(text: &str) -> Result<Descriptor, SddlError> {
        let mut descriptor = Descriptor::default();
        let mut rest = text.trim_matches(' ');
        while !rest.is_empty() {
            let section = rest.as_bytes()[0];
            rest = rest
                .get(1..)
                .and_then(|rest| rest.strip_prefix(':'))
                .ok_or(SddlError::InvalidParameter)?;
            let (body, after) = split_at_section(rest);
            rest = after;
            let body = body.trim_matches(' ');
            match section {
                b'O' if descriptor.owner.is_none() => descriptor.owner = Some(sid(body)?),
                b'G' if descriptor.group.is_none() => descriptor.group = Some(sid(body)?),
                b'D' if descriptor.dacl.is_none() => descriptor.dacl = Some(acl(body, true)?),
                b'S' if descriptor.sacl.is_none() => descriptor.sacl = Some(acl(body, false)?),
                _ => return Err(SddlError::InvalidParameter),
            }
        }
        Ok(descriptor)
    }

    /// An entry by itself, as [`Ace`] prints.
    ///
    /// # Errors
    /// See [`SddlError`].
    pub fn parse_ace(text: &str) -> Result<Ace, SddlError> {
        let inner = text
            .strip_prefix('(')
            .and_then(|text| text.strip_suffix(')'));
        let entry = ace(inner.ok_or(SddlError::InvalidAcl)?)?;
        Ok(entry)
    }
}

/// As [`Descriptor::parse`], for texts that a program has in its source.
///
/// # Panics
/// If the text is wrong.
impl From<&str> for Descriptor {
    fn from(text: &str) -> Descriptor {
        Descriptor::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"))
    }
}

/// What comes before the next section, and the rest, which begins with its letter.
fn split_at_section(text: &str) -> (&str, &str) {
    // A colon occurs nowhere else than behind the letter of a section.
    match text.find(':').and_then(|colon| colon.checked_sub(1)) {
        Some(letter) if text.is_char_boundary(letter) => text.split_at(letter),
        _ => (text, ""),
    }
}

/// An identifier: two letters, or `S-1-...`. The letters of groups of a domain (`DA`, `DU`, ..) are refused: the
/// machine is in none.
fn sid(text: &str) -> Result<Sid, SddlError> {
    let text = text.trim_start_matches(' ');
    let two = text.trim_end_matches(' ');
    let named = WELL_KNOWN
        .iter()
        .find(|(letters, _)| letters.eq_ignore_ascii_case(two));
    if let Some((_, sid)) = named {
        return Ok(*sid);
    }
    Sid::parse(text).ok_or(SddlError::InvalidSid)
}

fn acl(mut text: &str, is_dacl: bool) -> Result<Acl, SddlError> {
    let mut acl = Acl::new([]);
    loop {
        text = text.trim_start_matches(' ');
        let flag = [("P", 0), ("AR", 1), ("AI", 2)]
            .into_iter()
            .find_map(|(letters, flag)| Some((text.strip_prefix(letters)?, flag)));
        let Some((rest, flag)) = flag else { break };
        match flag {
            0 => acl.is_protected = true,
            1 => acl.wants_auto_inherit = true,
            _ => acl.is_auto_inherited = true,
        }
        text = rest;
    }
    if text == NULL_LIST {
        acl.aces = None;
        return Ok(acl);
    }
    let mut aces = Vec::new();
    while !text.is_empty() {
        let inner = text.strip_prefix('(').ok_or(SddlError::InvalidAcl)?;
        let end = inner.find(')').ok_or(SddlError::InvalidAcl)?;
        let entry = ace(&inner[..end])?;
        if entry.kind.is_discretionary() != is_dacl || aces.len() == MAX_ACES {
            return Err(SddlError::InvalidAcl);
        }
        aces.push(entry);
        text = inner[end + 1..].trim_start_matches(' ');
    }
    acl.aces = Some(aces.into());
    Ok(acl)
}

/// What stands between the parentheses.
fn ace(text: &str) -> Result<Ace, SddlError> {
    let wrong = SddlError::InvalidAcl;
    let fields: Vec<&str> = text.split(';').collect();
    let [kind, flags, mask, of, inherited_by, who] = fields[..] else {
        return Err(wrong);
    };
    let letters = kind.trim_matches(' ');
    let (kind, _) = *AceType::ALL
        .iter()
        .find(|(_, known)| known.eq_ignore_ascii_case(letters))
        .ok_or(wrong)?;
    let flags = pairs(flags.trim_matches(' '), &Flags::ALL)
        .ok_or(wrong)?
        .into_iter()
        .fold(Flags::default(), Flags::with);
    let mask = rights(mask.trim_start_matches(' '), kind).ok_or(wrong)?;
    let objects = ObjectTypes {
        of: guid(of)?,
        inherited_by: guid(inherited_by)?,
    };
    let has_objects = objects != ObjectTypes::default();
    if has_objects && !kind.is_of_objects() {
        return Err(wrong);
    }
    if who.trim_matches(' ').is_empty() {
        return Err(wrong);
    }
    let sid = sid(who)?;
    if kind == AceType::Label && sid.level().is_none() {
        return Err(SddlError::InvalidSid);
    }
    Ok(Ace {
        kind,
        flags,
        mask,
        sid,
        objects: has_objects.then(|| Box::new(objects)),
    })
}

/// Names of two letters, one after the other.
fn pairs<T: Copy>(text: &str, names: &[(T, &str)]) -> Option<Vec<T>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let known = names
                .iter()
                .find(|(_, name)| name.as_bytes().eq_ignore_ascii_case(pair));
            known.map(|(value, _)| *value)
        })
        .collect()
}

fn rights(text: &str, kind: AceType) -> Option<Mask> {
    if text.starts_with(|c: char| c.is_ascii_digit() || c == '-') {
        return number(text);
    }
    let names: Vec<(Mask, &str)> = BITS
        .iter()
        .chain(&TOGETHER)
        .filter(|_| kind != AceType::Label)
        .chain(POLICIES.iter().filter(|_| kind == AceType::Label))
        .map(|(name, mask)| (*mask, *name))
        .collect();
    let all = pairs(text, &names)?;
    Some(all.into_iter().fold(Mask::NONE, |all, one| all | one))
}

/// As `wcstoul` reads it: decimal, octal after a 0, hexadecimal after 0x; the largest number in place of a
/// larger one; a minus sign negates what was read.
fn number(text: &str) -> Option<Mask> {
    let (text, is_negative) = match text.strip_prefix('-') {
        Some(rest) => (rest, true),
        None => (text, false),
    };
    let (digits, radix) = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.len() > 1 && text.starts_with('0') => (&text[1..], 8),
        None => (text, 10),
    };
    if digits.is_empty() {
        return None;
    }
    let value = digits.chars().try_fold(0u64, |sum, digit| {
        let digit = u64::from(digit.to_digit(radix)?);
        Some(sum.saturating_mul(radix.into()).saturating_add(digit))
    })?;
    let value = u32::try_from(value).unwrap_or(u32::MAX);
    Some(Mask(if is_negative {
        value.wrapping_neg()
    } else {
        value
    }))
}

/// `bf967aba-0de6-11d0-a285-00aa003049e2`, or nothing.
fn guid(text: &str) -> Result<Option<u128>, SddlError> {
    if text.trim_matches(' ').is_empty() {
        return Ok(None);
    }
    let parts: Vec<&str> = text.split('-').collect();
    let lengths = parts.iter().map(|part| part.len());
    if !lengths.eq([8, 4, 4, 4, 12]) {
        return Err(SddlError::InvalidAcl);
    }
    let digits = parts.concat();
    let is_hex = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    u128::from_str_radix(&digits, 16)
        .ok()
        .filter(|_| is_hex)
        .map(Some)
        .ok_or(SddlError::InvalidAcl)
}
