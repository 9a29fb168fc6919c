//! The encodings in which an editor saves a text.

use crate::win7::text::{CodePage, Wide};

/// An encoding, with or without its mark.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Encoding {
    /// `utf-8`: without a mark.
    Utf8,
    /// `utf-8-bom`: what Notepad of Windows 7 calls UTF-8.
    Utf8Bom,
    /// `utf-16le`: with its mark; what Notepad calls Unicode, and what `>` of PowerShell writes.
    Utf16Le,
    /// `utf-16be`: with its mark; Unicode big endian of Notepad.
    Utf16Be,
    /// `gbk` (936), `windows-1252`, `ibm437`: what Notepad calls ANSI, by the system locale.
    Page(CodePage),
}

impl Encoding {
    /// All of them, by name.
    pub const ALL: &'static [(&'static str, Encoding)] = &[
        ("utf-8", Encoding::Utf8),
        ("utf-8-bom", Encoding::Utf8Bom),
        ("utf-16le", Encoding::Utf16Le),
        ("utf-16be", Encoding::Utf16Be),
        ("gbk", Encoding::Page(CodePage::Cp936)),
        ("windows-1252", Encoding::Page(CodePage::Cp1252)),
        ("ibm437", Encoding::Page(CodePage::Cp437)),
    ];

    /// The encoding of this name.
    pub fn of(name: &str) -> Option<Encoding> {
        let mut all = Encoding::ALL.iter();
        all.find(|(known, _)| *known == name)
            .map(|(_, encoding)| *encoding)
    }

    /// The bytes of a text.
    pub fn encode(self, text: &str) -> Vec<u8> {
        let units = || text.encode_utf16();
        match self {
            Encoding::Utf8 => text.as_bytes().to_vec(),
            Encoding::Utf8Bom => [b"\xef\xbb\xbf", text.as_bytes()].concat(),
            Encoding::Utf16Le => [
                b"\xff\xfe".to_vec(),
                units().flat_map(u16::to_le_bytes).collect(),
            ]
            .concat(),
            Encoding::Utf16Be => [
                b"\xfe\xff".to_vec(),
                units().flat_map(u16::to_be_bytes).collect(),
            ]
            .concat(),
            Encoding::Page(page) => page.encode(&Wide::from(text)),
        }
    }
}
