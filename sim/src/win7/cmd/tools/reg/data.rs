//! The data of `reg add`: what `/t`, `/s` and `/d` come to.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | types by name in any case, also REG_DWORD_LITTLE_ENDIAN; other names and an empty one are refused | Wine's `programs/reg/tests/add.c`, run on Windows | yes |
//! | numbers are decimal (`0123` is 123) or begin with `0x`; whole, in range, and a REG_DWORD must be given | the same | yes |
//! | REG_QWORD may be left out, and takes `-1` | the same | yes |
//! | REG_DWORD_BIG_ENDIAN is stored as a REG_DWORD is, little endian | the same | yes |
//! | REG_BINARY: hexadecimal digits alone; an odd one stands first by itself | the same | yes |
//! | REG_MULTI_SZ: `\0` or the one character of `/s` parts texts; empty texts are refused but one at the end | the same | yes |
//! | REG_NONE is text | the same | yes |
//! | REG_LINK and the resource types are refused | | no |

use crate::win7::registry::{Kind, Value, units};

/// Why data was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DataError {
    /// `/t` names no type.
    Type,
    /// `/s` is not one character.
    Separator,
    /// A number, or hexadecimal digits, are asked for.
    Number,
    /// An empty text inside a REG_MULTI_SZ, or none given where one must be.
    Data,
}

/// The type of this name.
///
/// # Errors
/// If there is none that reg.exe takes.
pub fn kind(name: &str) -> Result<Kind, DataError> {
    let name = name.to_ascii_uppercase();
    let kinds = [
        Kind::NONE,
        Kind::SZ,
        Kind::EXPAND_SZ,
        Kind::BINARY,
        Kind::DWORD,
        Kind::DWORD_BIG_ENDIAN,
        Kind::MULTI_SZ,
        Kind::QWORD,
    ];
    if name == "REG_DWORD_LITTLE_ENDIAN" {
        return Ok(Kind::DWORD);
    }
    kinds
        .into_iter()
        .find(|kind| kind.name() == name)
        .ok_or(DataError::Type)
}

/// What parts the texts of a REG_MULTI_SZ.
///
/// # Errors
/// If it is not one character.
pub fn separator(text: &[u16]) -> Result<u16, DataError> {
    match text {
        [one] => Ok(*one),
        _ => Err(DataError::Separator),
    }
}

/// The value of a type with this text; `separator` is that of `/s`.
///
/// # Errors
/// See [`DataError`].
pub fn value(kind: Kind, text: Option<&[u16]>, separator: Option<u16>) -> Result<Value, DataError> {
    let data = match kind {
        Kind::DWORD | Kind::DWORD_BIG_ENDIAN => {
            let number = number(text.ok_or(DataError::Number)?)?;
            let number = u32::try_from(number).map_err(|_| DataError::Number)?;
            number.to_le_bytes().to_vec()
        }
        Kind::QWORD => {
            let minus_one = units("-1");
            let number = match text {
                None => 0,
                Some(text) if text == minus_one => u64::MAX,
                Some(text) => number(text)?,
            };
            number.to_le_bytes().to_vec()
        }
        Kind::BINARY => bytes(text.unwrap_or_default())?,
        Kind::MULTI_SZ => texts(text.unwrap_or_default(), separator)?,
        _ => {
            let text = text.unwrap_or_default().iter().copied();
            text.chain([0]).flat_map(u16::to_le_bytes).collect()
        }
    };
    Ok(Value::new(kind, data))
}

fn number(text: &[u16]) -> Result<u64, DataError> {
    let text = String::from_utf16(text).map_err(|_| DataError::Number)?;
    let hex = text.strip_prefix("0x").or(text.strip_prefix("0X"));
    let (digits, radix) = match hex {
        Some(digits) => (digits, 16),
        None => (&*text, 10),
    };
    let plain = digits.chars().all(|digit| digit.is_ascii_alphanumeric());
    match plain {
        true => u64::from_str_radix(digits, radix).map_err(|_| DataError::Number),
        false => Err(DataError::Number),
    }
}

fn bytes(text: &[u16]) -> Result<Vec<u8>, DataError> {
    let digit = |unit: &u16| {
        let digit = char::from_u32(u32::from(*unit)).and_then(|sign| sign.to_digit(16));
        digit.map(|digit| digit as u8).ok_or(DataError::Number)
    };
    let digits: Vec<u8> = text.iter().map(digit).collect::<Result<_, _>>()?;
    let (odd, pairs) = digits.split_at(digits.len() % 2);
    let pairs = pairs.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]);
    Ok(odd.iter().copied().chain(pairs).collect())
}

fn texts(text: &[u16], separator: Option<u16>) -> Result<Vec<u8>, DataError> {
    let mut parts = vec![Vec::new()];
    let mut at = 0;
    while let Some(unit) = text.get(at).copied() {
        let parted = match separator {
            Some(separator) => (unit == separator).then_some(1),
            None => text[at..]
                .starts_with(&[u16::from(b'\\'), u16::from(b'0')])
                .then_some(2),
        };
        match parted {
            Some(len) => {
                parts.push(Vec::new());
                at += len;
            }
            None => {
                parts.last_mut().expect("there is one").push(unit);
                at += 1;
            }
        }
    }
    // One separator may stand at the end.
    if parts.len() > 1 && parts.last().is_some_and(Vec::is_empty) {
        parts.pop();
    }
    if parts.len() > 1 && parts.iter().any(Vec::is_empty) {
        return Err(DataError::Data);
    }
    let is_nothing = text.is_empty();
    let mut data: Vec<u16> = match is_nothing {
        true => Vec::new(),
        false => parts
            .into_iter()
            .flat_map(|part| part.into_iter().chain([0]))
            .collect(),
    };
    data.push(0);
    Ok(data.into_iter().flat_map(u16::to_le_bytes).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(name: &str, text: Option<&str>, parted_by: Option<&str>) -> Option<Vec<u8>> {
        let text = text.map(units);
        let parted_by = match parted_by {
            Some(text) => Some(separator(&units(text)).ok()?),
            None => None,
        };
        let value = value(kind(name).ok()?, text.as_deref(), parted_by).ok()?;
        Some(value.data.to_vec())
    }

    #[test]
    fn numbers_as_the_tests_of_wine_have_them() {
        for (name, text, wanted) in [
            ("REG_DWORD", Some("12345678"), Some(12345678)),
            ("REG_DWORD", None, None),
            ("REG_DWORD", Some("zzz"), None),
            ("REG_DWORD", Some("deadbeef"), None),
            ("REG_DWORD", Some("123xyz"), None),
            ("reg_dword", Some("0123"), Some(123)),
            ("reg_dword", Some("0xabcdefg"), None),
            ("REG_dword", Some("0xdeadbeef"), Some(0xdeadbeef)),
            ("REG_DWORD", Some("-1"), None),
            ("REG_DWORD", Some("+1"), None),
            ("REG_DWORD", Some(""), None),
            ("REG_DWORD", Some("0x01ffffffff"), None),
            ("REG_DWORD", Some("00x123"), None),
            ("REG_DWORD", Some("0X123"), Some(0x123)),
            ("REG_DWORD", Some("4294967296"), None),
            ("REG_DWORD_LITTLE_ENDIAN", Some("456"), Some(456)),
            ("REG_DWORD_BIG_ENDIAN", Some("456"), Some(456)),
            ("REG_NOPE", Some("1"), None),
            ("", Some("1"), None),
        ] {
            let wanted = wanted.map(|number: u32| number.to_le_bytes().to_vec());
            assert_eq!(made(name, text, None), wanted, "{name} {text:?}");
        }
        for (text, wanted) in [
            (None, Some(0)),
            (Some("-1"), Some(u64::MAX)),
            (Some("-0x1"), None),
            (Some("0x01ffffffffffffffff"), None),
            (Some("18446744073709551616"), None),
            (Some("0x123456789abcdef"), Some(0x123456789abcdef)),
        ] {
            let wanted = wanted.map(|number: u64| number.to_le_bytes().to_vec());
            assert_eq!(made("REG_QWORD", text, None), wanted, "{text:?}");
        }
    }

    #[test]
    fn bytes_and_texts_as_the_tests_of_wine_have_them() {
        for (text, wanted) in [
            (None, Some(&[][..])),
            (Some("deadbeef"), Some(&[0xde, 0xad, 0xbe, 0xef])),
            (
                Some("DeAdBeEf0DD"),
                Some(&[0x0d, 0xea, 0xdb, 0xee, 0xf0, 0xdd]),
            ),
            (Some("0xDeAdBeEf"), None),
            (Some("01x"), None),
        ] {
            assert_eq!(
                made("REG_BINARY", text, None).as_deref(),
                wanted,
                "{text:?}"
            );
        }
        for (text, parted_by, wanted) in [
            (None, None, Some("\0")),
            (Some(""), None, Some("\0")),
            (
                Some("three\\0little\\0strings"),
                None,
                Some("three\0little\0strings\0\0"),
            ),
            (
                Some("three#little#strings"),
                Some("#"),
                Some("three\0little\0strings\0\0"),
            ),
            (
                Some("threelittlestrings"),
                Some("#"),
                Some("threelittlestrings\0\0"),
            ),
            (Some("a#b"), Some("#x"), None),
            (Some("a#b"), Some(""), None),
            (Some("##"), Some("#"), None),
            (Some("two##strings"), Some("#"), None),
            (Some("#a"), Some("#"), None),
            (Some("a#"), Some("#"), Some("a\0\0")),
            (Some("\\0a"), None, None),
            (Some("a\\0"), None, Some("a\0\0")),
            (Some("two\\0\\0strings"), None, None),
            (Some("#"), Some("#"), Some("\0\0")),
            (Some("\\0"), None, Some("\0\0")),
            (
                Some("two\\0#strings"),
                Some("#"),
                Some("two\\0\0strings\0\0"),
            ),
            (
                Some("two\\0\\0strings"),
                Some("#"),
                Some("two\\0\\0strings\0\0"),
            ),
        ] {
            let wanted = wanted.map(|text: &str| {
                text.encode_utf16()
                    .flat_map(u16::to_le_bytes)
                    .collect::<Vec<u8>>()
            });
            assert_eq!(made("REG_MULTI_SZ", text, parted_by), wanted, "{text:?}");
        }
        assert_eq!(made("REG_NONE", Some("T"), None), Some(vec![0x54, 0, 0, 0]));
    }

    proptest! {
        #[test]
        fn what_query_shows_of_a_number_adds_the_same_number(number: u32) {
            let shown = Value::dword(number).shown();
            prop_assert_eq!(made("REG_DWORD", Some(&shown), None), Some(number.to_le_bytes().to_vec()));
        }

        #[test]
        fn what_query_shows_of_bytes_adds_the_same_bytes(data: Vec<u8>) {
            let shown = Value::binary(&data).shown();
            prop_assert_eq!(made("REG_BINARY", Some(&shown), None), Some(data));
        }

        #[test]
        fn what_query_shows_of_texts_adds_the_same_texts(texts in prop::collection::vec("[a-z]{1,5}", 1..5)) {
            let value = Value::multi_sz(texts.iter().map(String::as_str));
            prop_assert_eq!(made("REG_MULTI_SZ", Some(&value.shown()), None), Some(value.data.to_vec()));
        }
    }
}
