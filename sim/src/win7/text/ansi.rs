//! Code pages 437, 936 and 1252, by the tables of `encoding_rs` and by what Windows has otherwise.

use encoding_rs::{EncoderResult, Encoding, GBK, WINDOWS_1252};

use super::{CodePage, Wide};

/// Upper half of 437.
const HALF_437: &str = "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐\
    └┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u{a0}";

static TABLE_437: [u16; 128] = upper_half(HALF_437);

const fn upper_half(text: &str) -> [u16; 128] {
    let (bytes, mut table) = (text.as_bytes(), [0; 128]);
    let (mut at, mut row) = (0, 0);
    while at < bytes.len() {
        let (len, bits) = match bytes[at] {
            first @ 0xc0..0xe0 => (2, first & 0x1f),
            first => (3, first & 0x0f),
        };
        let mut unit = bits as u16;
        let mut next = at + 1;
        while next < at + len {
            unit = unit << 6 | (bytes[next] & 0x3f) as u16;
            next += 1;
        }
        table[row] = unit;
        row += 1;
        at += len;
    }
    assert!(row == 128, "half a code page");
    table
}

/// Pairs of 936 that later standards gave to characters of Unicode, and that Windows leaves where it had
/// them, in private use: first and last pair (of one lead byte), and what the first is.
const PRIVATE_936: [(u16, u16, u16); 14] = [
    (0xa2e3, 0xa2e3, 0xe76c),
    (0xa3a0, 0xa3a0, 0xe5e5),
    (0xa6d9, 0xa6df, 0xe78d),
    (0xa6ec, 0xa6ed, 0xe794),
    (0xa6f3, 0xa6f3, 0xe796),
    (0xa8bc, 0xa8bc, 0xe7c7),
    (0xa8bf, 0xa8bf, 0xe7c8),
    (0xa989, 0xa995, 0xe7e7),
    (0xfe50, 0xfe50, 0xe815),
    (0xfe54, 0xfe6b, 0xe819),
    (0xfe6d, 0xfe75, 0xe832),
    (0xfe77, 0xfe7e, 0xe83c),
    (0xfe80, 0xfe90, 0xe844),
    (0xfe92, 0xfea0, 0xe856),
];

/// Unit and bytes, by unit.
type BestFit = (u16, u16);

static BEST_FIT_936: [BestFit; 412] = best_fit(include_bytes!("best-fit-936.txt"));
static BEST_FIT_1252: [BestFit; 441] = best_fit(include_bytes!("best-fit-1252.txt"));
static BEST_FIT_437: [BestFit; 472] = best_fit(include_bytes!("best-fit-437.txt"));

/// Reads `unit:bytes` in hexadecimal; `#` begins a comment.
const fn best_fit<const N: usize>(text: &[u8]) -> [BestFit; N] {
    let mut table = [(0, 0); N];
    let (mut row, mut at) = (0, 0);
    while at < text.len() {
        match text[at] {
            b'#' => {
                while text[at] != b'\n' {
                    at += 1;
                }
            }
            b' ' | b'\n' | b'\r' => at += 1,
            _ => {
                let (unit, colon) = hexadecimal(text, at);
                assert!(text[colon] == b':', "unit:bytes");
                let (bytes, end) = hexadecimal(text, colon + 1);
                assert!(row == 0 || table[row - 1].0 < unit, "in order");
                table[row] = (unit, bytes);
                row += 1;
                at = end;
            }
        }
    }
    assert!(row == N, "a row for each");
    table
}

const fn hexadecimal(text: &[u8], mut at: usize) -> (u16, usize) {
    let mut value = 0;
    while at < text.len() {
        let digit = match text[at] {
            digit @ b'0'..=b'9' => digit - b'0',
            digit @ b'a'..=b'f' => digit - b'a' + 10,
            _ => break,
        };
        value = value << 4 | digit as u16;
        at += 1;
    }
    (value, at)
}

pub(super) fn is_lead_936(byte: u8) -> bool {
    matches!(byte, 0x81..=0xfe)
}

/// What one byte is, that begins no pair.
fn single(page: CodePage, byte: u8) -> u16 {
    match (page, byte) {
        (_, 0..0x80) => byte.into(),
        (CodePage::Cp936, 0x80) => 0x20ac,
        (CodePage::Cp936, _) => 0xf8f5,
        (CodePage::Cp437, _) => TABLE_437[usize::from(byte & 0x7f)],
        _ => by_standard(WINDOWS_1252, &[byte]).expect("every byte of 1252 is mapped"),
    }
}

/// What a pair of 936 is; none if the trail byte is out of range.
fn pair(lead: u8, trail: u8) -> Option<u16> {
    if !matches!(trail, 0x40..=0x7e | 0x80..=0xfe) {
        return None;
    }
    let pair = u16::from_be_bytes([lead, trail]);
    let private = PRIVATE_936
        .iter()
        .find(|(first, last, _)| (*first..=*last).contains(&pair));
    match private {
        // Trail byte 7F is skipped, and no range goes past it.
        Some((first, _, unit)) => Some(unit + (pair - first)),
        None => by_standard(GBK, &[lead, trail]),
    }
}

fn by_standard(encoding: &'static Encoding, bytes: &[u8]) -> Option<u16> {
    let mut units = [0; 8];
    let (_, _, written) = encoding
        .new_decoder_without_bom_handling()
        .decode_to_utf16_without_replacement(bytes, &mut units, true);
    (written == 1).then_some(units[0])
}

/// The text, and whether a strict conversion accepts the bytes.
pub(super) fn decode(page: CodePage, bytes: &[u8]) -> (Wide, bool) {
    let mut units = Vec::with_capacity(bytes.len());
    let mut whole = true;
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        if !page.is_lead_byte(first) {
            let unit = single(page, first);
            // A byte alone that means private use is no character for a strict conversion.
            whole &= !(0xe000..=0xf8ff).contains(&unit);
            units.push(unit);
            continue;
        }
        let found = after.first().and_then(|&trail| pair(first, trail));
        units.push(found.unwrap_or(u16::from(b'?')));
        whole &= found.is_some();
        match after.split_first() {
            // A lead byte before a NUL is bad, and the NUL stays: it may end the string.
            None | Some((0, _)) => {}
            Some((_, further)) => rest = further,
        }
    }
    (Wide::new(units), whole)
}

/// The bytes, and whether a default character stands for something.
pub(super) fn encode(page: CodePage, units: &[u16], best: bool, default: &[u8]) -> (Vec<u8>, bool) {
    let mut bytes = Vec::with_capacity(units.len() * 2);
    let mut used_default = false;
    for &unit in units {
        match exact(page, unit).or_else(|| fitting(page, unit).filter(|_| best)) {
            Some(code) if code > 0xff => bytes.extend_from_slice(&code.to_be_bytes()),
            Some(code) => bytes.push(code.to_be_bytes()[1]),
            None => {
                bytes.extend_from_slice(default);
                used_default = true;
            }
        }
    }
    (bytes, used_default)
}

/// The byte or pair that decodes to this unit.
fn exact(page: CodePage, unit: u16) -> Option<u16> {
    if unit < 0x80 {
        return Some(unit);
    }
    match page {
        CodePage::Cp437 => {
            let row = TABLE_437.iter().position(|&own| own == unit)?;
            Some(0x80 + u16::try_from(row).expect("128 rows"))
        }
        CodePage::Cp936 => match unit {
            0x20ac => Some(0x80),
            0xf8f5 => Some(0xff),
            _ => {
                let private = PRIVATE_936.iter().find_map(|(first, last, own)| {
                    let offset = unit.checked_sub(*own)?;
                    (offset <= last - first).then(|| first + offset)
                });
                // The standard has pairs for more characters: one counts if Windows reads it back so.
                private.or_else(|| {
                    let code = to_standard(GBK, unit)?;
                    let [lead, trail] = code.to_be_bytes();
                    (pair(lead, trail) == Some(unit)).then_some(code)
                })
            }
        },
        _ => to_standard(WINDOWS_1252, unit),
    }
}

fn to_standard(encoding: &'static Encoding, unit: u16) -> Option<u16> {
    let c = char::from_u32(unit.into())?;
    let mut bytes = [0; 16];
    let (result, _, written) = encoding.new_encoder().encode_from_utf8_without_replacement(
        c.encode_utf8(&mut [0; 4]),
        &mut bytes,
        true,
    );
    match (result, written) {
        (EncoderResult::InputEmpty, 1) => Some(bytes[0].into()),
        (EncoderResult::InputEmpty, 2) => Some(u16::from_be_bytes([bytes[0], bytes[1]])),
        _ => None,
    }
}

fn fitting(page: CodePage, unit: u16) -> Option<u16> {
    let table: &[BestFit] = match page {
        CodePage::Cp437 => &BEST_FIT_437,
        CodePage::Cp936 => &BEST_FIT_936,
        _ => &BEST_FIT_1252,
    };
    let row = table.binary_search_by_key(&unit, |(own, _)| *own).ok()?;
    Some(table[row].1)
}
