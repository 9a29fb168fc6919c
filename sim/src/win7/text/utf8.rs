//! Code page 65001.

use super::Wide;

const REPLACEMENT: u16 = 0xfffd;

/// The text, and whether all of it was well formed.
pub(super) fn decode(bytes: &[u8]) -> (Wide, bool) {
    let mut units = Vec::with_capacity(bytes.len());
    let mut whole = true;
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        if first < 0x80 {
            units.push(first.into());
            rest = after;
            continue;
        }
        let (c, taken) = sequence(first, after);
        match c {
            Some(c) => units.extend_from_slice(c.encode_utf16(&mut [0; 2])),
            None => {
                units.push(REPLACEMENT);
                whole = false;
            }
        }
        rest = &after[taken..];
    }
    (Wide::new(units), whole)
}

/// The character that begins with a byte of 80 or more, and how many of the bytes after it belong to it or
/// to what is malformed.
fn sequence(first: u8, after: &[u8]) -> (Option<char>, usize) {
    let (count, mut value) = match first {
        0xc2..=0xdf => (1, u32::from(first & 0x1f)),
        0xe0..=0xef => (2, u32::from(first & 0x0f)),
        0xf0..=0xf4 => (3, u32::from(first & 0x07)),
        _ => return (None, 0),
    };
    let Some(following) = after.get(..count) else {
        // Truncated at the end of the text: one replacement for all that is left.
        return (None, after.len());
    };
    for (at, byte) in following.iter().enumerate() {
        if byte & 0xc0 != 0x80 {
            return (None, at);
        }
        value = value << 6 | u32::from(byte & 0x3f);
        // What the second byte shows: too large (not taken), overlong or a surrogate (taken).
        let (too_large, impossible) = match (count, at) {
            (3, 0) => (value >= 0x110, value < 0x10),
            (2, 0) => (false, value < 0x20 || (0x360..0x380).contains(&value)),
            _ => (false, false),
        };
        if too_large || impossible {
            return (None, at + 1);
        }
    }
    (char::from_u32(value), count)
}

/// The bytes, and whether every surrogate was one of a pair.
pub(super) fn encode(units: &[u16]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(units.len());
    let mut whole = true;
    for c in char::decode_utf16(units.iter().copied()) {
        whole &= c.is_ok();
        let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
        bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    }
    (bytes, whole)
}
