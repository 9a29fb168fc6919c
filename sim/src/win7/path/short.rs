//! Short names: RtlIsNameLegalDOS8Dot3, and those that NTFS makes.

use super::{BLANK, DOT};
use crate::win7::text::{CodePage, Wide, upcase};

/// A name that MS-DOS could have had.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Legal83 {
    /// Whether there are blanks in it.
    pub has_spaces: bool,
}

/// RtlIsNameLegalDOS8Dot3: whether a name is one of MS-DOS, in this OEM code page, whatever the case of its
/// letters.
pub fn is_legal_8dot3(name: &[u16], oem: CodePage) -> Option<Legal83> {
    if name == [DOT] || name == [DOT, DOT] {
        return Some(Legal83 { has_spaces: false });
    }
    // More units than bytes there can be.
    if name.is_empty() || name.len() > 12 || name[0] == DOT {
        return None;
    }
    let upper = Wide::from(name).to_upcase();
    let bytes = oem.encode(upper.units());
    if bytes.len() > 12 {
        return None;
    }
    let illegal = |byte: &u8| *byte < 0x20 || b"*?<>|\"+=,;[]:/\\\xE5".contains(byte);
    // A byte of a pair is no sign of its own.
    let mut is_trail = false;
    let (mut dot, mut has_spaces) = (None, false);
    for (at, byte) in bytes.iter().enumerate() {
        if std::mem::take(&mut is_trail) {
            continue;
        }
        if oem.is_lead_byte(*byte) {
            is_trail = true;
            continue;
        }
        match byte {
            b' ' if at == 0 || at + 1 == bytes.len() || bytes[at + 1] == b'.' => return None,
            b' ' => has_spaces = true,
            b'.' if dot.is_some() => return None,
            b'.' => dot = Some(at),
            byte if illegal(byte) => return None,
            _ => {}
        }
    }
    let fits = match dot {
        None => bytes.len() <= 8,
        Some(dot) => dot <= 8 && (1..=3).contains(&(bytes.len() - dot - 1)),
    };
    fits.then_some(Legal83 { has_spaces })
}

/// The short names that NTFS tries for a long one, in order: `PROGRA~1` to `PROGRA~4`, then some with a number
/// that is made from the whole name. (From memory; signs beyond ASCII become `_`, which is a guess.)
pub fn short_candidates(name: &[u16]) -> impl Iterator<Item = Vec<u16>> + use<> {
    let dot = name.iter().rposition(|unit| *unit == DOT).filter(|at| {
        name[..*at]
            .iter()
            .any(|unit| *unit != DOT && *unit != BLANK)
    });
    let (base, extension) = match dot {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (name, &[][..]),
    };
    let clean = |text: &[u16], most: usize| -> Vec<u16> {
        let kept = text.iter().filter(|unit| **unit != DOT && **unit != BLANK);
        kept.take(most)
            .map(|unit| match upcase(*unit) {
                unit if !(0x20..=0x7E).contains(&unit) => u16::from(b'_'),
                unit if b"+,;=[]".contains(&(unit as u8)) => u16::from(b'_'),
                unit => unit,
            })
            .collect()
    };
    let (base, extension) = (clean(base, 6), clean(extension, 3));
    let sum = checksum(name);
    (1..=u32::from(u16::MAX)).map(move |number| {
        let (start, digits) = match number {
            1..=4 => (base.clone(), number.to_string()),
            _ => {
                let mut start: Vec<u16> = base.iter().copied().take(2).collect();
                start.extend(format!("{sum:04X}").encode_utf16());
                (start, (number - 4).to_string())
            }
        };
        let room = 8 - 1 - digits.len();
        let mut short: Vec<u16> = start.into_iter().take(room).collect();
        short.push(u16::from(b'~'));
        short.extend(digits.encode_utf16());
        if !extension.is_empty() {
            short.push(DOT);
            short.extend_from_slice(&extension);
        }
        short
    })
}

/// A number of 16 bits from a whole name. Which one Windows makes is not established.
fn checksum(name: &[u16]) -> u16 {
    name.iter().fold(0u16, |sum, unit| {
        sum.wrapping_mul(0x25).wrapping_add(upcase(*unit))
    })
}
