//! Text: what code pages make of bytes, and what they make of UTF-16.
//!
//! Windows is UTF-16 inside ([`Wide`]: unpaired surrogates survive). Bytes become text and text becomes
//! bytes through a code page: [`multi_byte_to_wide_char`] and [`wide_char_to_multi_byte`], with the flags
//! and error codes of the calls of these names, or [`CodePage::decode`] and [`CodePage::encode`].
//! Nothing here guesses an encoding: UTF-8 read as 936 is three valid pairs, and no error at all.
//!
//! | rule | source | sure |
//! |---|---|---|
//! | 936: lead 81–FE, trail 40–7E and 80–FE, every such pair mapped | bestfit936.txt of unicode.org (WindowsBestFit); the tables of `encoding_rs` where they agree, 14 ranges of private use where they do not | yes |
//! | 80 is U+20AC, FF is U+F8F5 | the same | yes |
//! | AAA1–AFFE are U+E000–E233, F8A1–FEFE U+E234–E4C5, A140–A7A0 (columns 40–A0) U+E4C6–E765, other holes U+E766–E864 | the same | yes |
//! | strict: a lone lead byte and a trail byte out of range are 1113 | documentation of MB_ERR_INVALID_CHARS | yes |
//! | strict: a single byte that maps to private use (FF in 936) is 1113 | tests of Wine that pass on Windows (kernel32/tests/codepage.c) | yes |
//! | lenient: one `?` for a bad pair and for a lone lead byte; a NUL as trail byte survives | Wine | no: how many bytes one `?` takes |
//! | 437 and 1252, decoding | their tables; 81, 8D, 8F, 90, 9D of 1252 are C1 controls | yes |
//! | best fit, for 936, 1252 and 437 | bestfitNNN.txt of unicode.org | yes |
//! | a surrogate pair is two default characters in a code page that lacks it | documentation; Wine | yes |
//! | 65001, lenient: U+FFFD for what is malformed | documentation (Vista and later) | yes |
//! | how many U+FFFD | a byte that cannot follow begins anew; an overlong, surrogate or too large sequence ends at the byte that shows it; a truncated one is one (Wine) | no |
//! | 65001: an unpaired surrogate becomes EF BF BD, or 1113 with WC_ERR_INVALID_CHARS | documentation (Vista and later) | yes |
//! | 65001: asking for a default character or whether one was used is 87; other flags 1004 | documentation; tests of Wine | yes |
//! | an empty text is 87 | documentation; tests of Wine | yes |
//!
//! Refused by name: code pages other than these, MB_COMPOSITE, MB_USEGLYPHCHARS, WC_COMPOSITECHECK. 54936
//! (GB18030) is a code page of conversions alone and never an ANSI or OEM one; 1200 and 1201 (UTF-16) are
//! open to managed code only, and 87 here.

mod ansi;
#[cfg(test)]
mod tests;
mod upcase;
mod utf8;
mod wide;

pub use upcase::upcase;
pub use wide::Wide;

/// MB_PRECOMPOSED: the default of [`multi_byte_to_wide_char`].
pub const MB_PRECOMPOSED: u32 = 1;
/// MB_COMPOSITE: not modelled.
pub const MB_COMPOSITE: u32 = 2;
/// MB_USEGLYPHCHARS: not modelled.
pub const MB_USEGLYPHCHARS: u32 = 4;
/// MB_ERR_INVALID_CHARS: fail on what does not decode.
pub const MB_ERR_INVALID_CHARS: u32 = 8;
/// WC_ERR_INVALID_CHARS: fail on unpaired surrogates; 65001 alone knows it.
pub const WC_ERR_INVALID_CHARS: u32 = 0x80;
/// WC_COMPOSITECHECK, with the three flags that say how: not modelled.
pub const WC_COMPOSITECHECK: u32 = 0x200;
/// WC_NO_BEST_FIT_CHARS: what does not come back becomes the default character.
pub const WC_NO_BEST_FIT_CHARS: u32 = 0x400;

/// How a conversion fails.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Error {
    /// 87: an empty text, a code page that is none, or a default character for 65001.
    InvalidParameter,
    /// 1004: flags that this code page does not take.
    InvalidFlags,
    /// 1113: something does not decode or encode, and the flags ask for failure.
    NoUnicodeTranslation,
    /// Windows can do this and the model cannot; the text says what.
    NotModelled(&'static str),
}

impl Error {
    /// The Win32 code, and none for what is not modelled.
    pub fn code(self) -> Option<u32> {
        match self {
            Error::InvalidParameter => Some(87),
            Error::InvalidFlags => Some(1004),
            Error::NoUnicodeTranslation => Some(1113),
            Error::NotModelled(_) => None,
        }
    }

    /// The name in `winerror.h`, or what is not modelled.
    pub fn name(self) -> &'static str {
        match self {
            Error::InvalidParameter => "ERROR_INVALID_PARAMETER",
            Error::InvalidFlags => "ERROR_INVALID_FLAGS",
            Error::NoUnicodeTranslation => "ERROR_NO_UNICODE_TRANSLATION",
            Error::NotModelled(what) => what,
        }
    }
}

/// A code page that is modelled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum CodePage {
    /// 437: the United States, for consoles.
    Cp437,
    /// 936: simplified Chinese, GBK as Microsoft has it.
    Cp936,
    /// 1252: Western Europe.
    Cp1252,
    /// 65001: UTF-8. A console can have it (`chcp 65001`); the ANSI code page of Windows 7 cannot be it.
    Utf8,
}

impl CodePage {
    /// All of them.
    pub const ALL: [CodePage; 4] = [
        CodePage::Cp437,
        CodePage::Cp936,
        CodePage::Cp1252,
        CodePage::Utf8,
    ];

    /// The code page of a number. The numbers 0, 1 and 3 (CP_ACP, CP_OEMCP, CP_THREAD_ACP) depend on the
    /// machine: see [`CodePages::page`].
    ///
    /// # Errors
    /// 87 for UTF-16, which these calls do not convert; not modelled for others.
    pub fn of(number: u32) -> Result<CodePage, Error> {
        match number {
            437 => Ok(CodePage::Cp437),
            936 => Ok(CodePage::Cp936),
            1252 => Ok(CodePage::Cp1252),
            65001 => Ok(CodePage::Utf8),
            1200 | 1201 => Err(Error::InvalidParameter),
            54936 => Err(Error::NotModelled(
                "code page 54936: GB18030, converted by c_g18030.dll",
            )),
            _ => Err(Error::NotModelled(
                "a code page other than 437, 936, 1252 and 65001",
            )),
        }
    }

    /// Its number.
    pub fn number(self) -> u32 {
        match self {
            CodePage::Cp437 => 437,
            CodePage::Cp936 => 936,
            CodePage::Cp1252 => 1252,
            CodePage::Utf8 => 65001,
        }
    }

    /// IsDBCSLeadByteEx: whether a byte begins a pair.
    pub fn is_lead_byte(self, byte: u8) -> bool {
        self == CodePage::Cp936 && ansi::is_lead_936(byte)
    }

    /// The text of some bytes; what is malformed becomes a default character. Empty for no bytes.
    pub fn decode(self, bytes: &[u8]) -> Wide {
        self.decoded(bytes).0
    }

    /// The text of some bytes, if every one of them decodes.
    ///
    /// # Errors
    /// 1113 if something does not.
    pub fn decode_strict(self, bytes: &[u8]) -> Result<Wide, Error> {
        match self.decoded(bytes) {
            (text, true) => Ok(text),
            (_, false) => Err(Error::NoUnicodeTranslation),
        }
    }

    /// The bytes of a text, by best fit, with `?` for what has none. Empty for an empty text.
    pub fn encode(self, text: &(impl AsRef<[u16]> + ?Sized)) -> Vec<u8> {
        match self {
            CodePage::Utf8 => utf8::encode(text.as_ref()).0,
            _ => ansi::encode(self, text.as_ref(), true, b"?").0,
        }
    }

    /// The text, and whether a strict conversion would accept the bytes.
    fn decoded(self, bytes: &[u8]) -> (Wide, bool) {
        match self {
            CodePage::Utf8 => utf8::decode(bytes),
            _ => ansi::decode(self, bytes),
        }
    }
}

/// The code pages of a machine and of a console on it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct CodePages {
    /// What the calls that end in A use, and what `REGEDIT4` and `.ps1` files without a mark are read as.
    /// Set by the system locale, for the whole machine, at its start.
    ansi: CodePage,
    /// What a console begins with.
    oem: CodePage,
    /// What this console uses now: batch files are read in it, line by line.
    console: CodePage,
}

impl CodePages {
    /// The system locale zh-CN: 936 throughout.
    pub const CHINA: CodePages = CodePages {
        ansi: CodePage::Cp936,
        oem: CodePage::Cp936,
        console: CodePage::Cp936,
    };
    /// The system locale en-US: 1252, and 437 in consoles.
    pub const UNITED_STATES: CodePages = CodePages {
        ansi: CodePage::Cp1252,
        oem: CodePage::Cp437,
        console: CodePage::Cp437,
    };

    /// The code pages of a system locale.
    ///
    /// # Errors
    /// 87 if one of them is 65001: no locale of Windows 7 has UTF-8, GB18030 or UTF-16 for its ANSI or OEM
    /// code page.
    pub fn new(ansi: CodePage, oem: CodePage) -> Result<CodePages, Error> {
        if ansi == CodePage::Utf8 || oem == CodePage::Utf8 {
            return Err(Error::InvalidParameter);
        }
        Ok(CodePages {
            ansi,
            oem,
            console: oem,
        })
    }

    /// GetACP.
    pub fn ansi(self) -> CodePage {
        self.ansi
    }

    /// GetOEMCP.
    pub fn oem(self) -> CodePage {
        self.oem
    }

    /// GetConsoleCP and GetConsoleOutputCP (modelled as one, as `chcp` sets them).
    pub fn console(self) -> CodePage {
        self.console
    }

    /// The same machine after `chcp` in this console. ANSI and OEM stay, and so do other consoles.
    pub fn chcp(self, console: CodePage) -> CodePages {
        CodePages { console, ..self }
    }

    /// The code page that a number means here: 0 is ANSI, 1 is OEM, 3 the thread's (taken as ANSI).
    ///
    /// # Errors
    /// Those of [`CodePage::of`].
    pub fn page(self, number: u32) -> Result<CodePage, Error> {
        match number {
            0 | 3 => Ok(self.ansi),
            1 => Ok(self.oem),
            _ => CodePage::of(number),
        }
    }
}

/// MultiByteToWideChar, of a source with its length given.
///
/// # Errors
/// 87 for no bytes, 1004 for flags that exclude each other or that the page does not take, 1113 for
/// malformed bytes with [`MB_ERR_INVALID_CHARS`].
///
/// ```
/// use faultlab_sim::win7::text::{CodePage, MB_ERR_INVALID_CHARS, multi_byte_to_wide_char};
///
/// let bytes = "你".as_bytes();
/// let text = multi_byte_to_wide_char(CodePage::Cp936, 0, bytes).unwrap();
/// assert_eq!(text.to_string(), "浣?");
/// let strict = multi_byte_to_wide_char(CodePage::Cp936, MB_ERR_INVALID_CHARS, bytes);
/// assert_eq!(strict.unwrap_err().code(), Some(1113));
/// ```
pub fn multi_byte_to_wide_char(page: CodePage, flags: u32, bytes: &[u8]) -> Result<Wide, Error> {
    let known = MB_PRECOMPOSED | MB_COMPOSITE | MB_USEGLYPHCHARS | MB_ERR_INVALID_CHARS;
    let both = MB_PRECOMPOSED | MB_COMPOSITE;
    if bytes.is_empty() {
        return Err(Error::InvalidParameter);
    }
    let allowed = if page == CodePage::Utf8 {
        MB_ERR_INVALID_CHARS
    } else {
        known
    };
    if flags & !allowed != 0 || flags & both == both {
        return Err(Error::InvalidFlags);
    }
    if flags & MB_COMPOSITE != 0 {
        return Err(Error::NotModelled("MB_COMPOSITE"));
    }
    if flags & MB_USEGLYPHCHARS != 0 {
        return Err(Error::NotModelled("MB_USEGLYPHCHARS"));
    }
    match flags & MB_ERR_INVALID_CHARS {
        0 => Ok(page.decode(bytes)),
        _ => page.decode_strict(bytes),
    }
}

/// What [`wide_char_to_multi_byte`] wrote.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Encoded {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Whether a default character stands for something. 65001 does not say.
    pub used_default: Option<bool>,
}

/// WideCharToMultiByte, of a source with its length given; `default_char` stands for lpDefaultChar. Whether
/// a default character was used is answered wherever Windows can answer it.
///
/// # Errors
/// 87 for an empty text and for a default character with 65001, 1004 for flags that the page does not
/// take, 1113 for unpaired surrogates with [`WC_ERR_INVALID_CHARS`].
///
/// ```
/// use faultlab_sim::win7::text::{CodePage, WC_NO_BEST_FIT_CHARS, Wide, wide_char_to_multi_byte};
///
/// let yen = Wide::from("¥");
/// let fitted = wide_char_to_multi_byte(CodePage::Cp936, 0, &yen, None).unwrap();
/// assert_eq!((&*fitted.bytes, fitted.used_default), (&b"\xa3\xa4"[..], Some(false)));
/// let plain = wide_char_to_multi_byte(CodePage::Cp936, WC_NO_BEST_FIT_CHARS, &yen, None).unwrap();
/// assert_eq!((&*plain.bytes, plain.used_default), (&b"?"[..], Some(true)));
/// ```
pub fn wide_char_to_multi_byte(
    page: CodePage,
    flags: u32,
    text: &Wide,
    default_char: Option<&[u8]>,
) -> Result<Encoded, Error> {
    if text.units().is_empty() {
        return Err(Error::InvalidParameter);
    }
    if page == CodePage::Utf8 {
        if default_char.is_some() {
            return Err(Error::InvalidParameter);
        }
        if flags & !WC_ERR_INVALID_CHARS != 0 {
            return Err(Error::InvalidFlags);
        }
        let (bytes, whole) = utf8::encode(text.units());
        if !whole && flags & WC_ERR_INVALID_CHARS != 0 {
            return Err(Error::NoUnicodeTranslation);
        }
        return Ok(Encoded {
            bytes,
            used_default: None,
        });
    }
    // WC_DISCARDNS, WC_SEPCHARS and WC_DEFAULTCHAR say how WC_COMPOSITECHECK goes about it.
    let composing = WC_COMPOSITECHECK | 0x10 | 0x20 | 0x40;
    if flags & !(composing | WC_NO_BEST_FIT_CHARS) != 0 {
        return Err(Error::InvalidFlags);
    }
    if flags & composing != 0 {
        return Err(Error::NotModelled("WC_COMPOSITECHECK"));
    }
    let default = match default_char {
        None => b"?",
        Some([]) => return Err(Error::NotModelled("an empty default character")),
        // A default character is one character of the page: one byte, or a pair.
        Some([lead, trail, ..]) if page.is_lead_byte(*lead) => &[*lead, *trail][..],
        Some(bytes) => &bytes[..1],
    };
    let best_fit = flags & WC_NO_BEST_FIT_CHARS == 0;
    let (bytes, used) = ansi::encode(page, text.units(), best_fit, default);
    Ok(Encoded {
        bytes,
        used_default: Some(used),
    })
}
