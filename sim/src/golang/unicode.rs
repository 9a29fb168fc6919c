//! Characters as Go's package `unicode` sorts them.
//!
//! The classes are those of the Unicode version of the crate `unicode-general-category`; Go 1.15 to 1.20 have
//! Unicode 12 and 13, which know fewer characters. For what those lack the answers may differ.

use unicode_general_category::{GeneralCategory as Category, get_general_category as category};

/// `unicode.IsLetter`.
pub(super) fn is_letter(c: char) -> bool {
    use Category::{
        LowercaseLetter, ModifierLetter, OtherLetter, TitlecaseLetter, UppercaseLetter,
    };
    matches!(
        category(c),
        LowercaseLetter | ModifierLetter | OtherLetter | TitlecaseLetter | UppercaseLetter
    )
}

/// `unicode.IsDigit`.
pub(super) fn is_digit(c: char) -> bool {
    category(c) == Category::DecimalNumber
}

/// `unicode.IsGraphic`: also the blanks of category Zs.
pub(super) fn is_graphic(c: char) -> bool {
    is_print(c) || category(c) == Category::SpaceSeparator
}

/// `unicode.IsPrint`, which is `strconv.IsPrint`: of the blanks, U+0020 alone.
pub(super) fn is_print(c: char) -> bool {
    use Category::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, SpaceSeparator, Surrogate,
        Unassigned,
    };
    match category(c) {
        SpaceSeparator => c == ' ',
        Control | Format | LineSeparator | ParagraphSeparator | PrivateUse | Surrogate
        | Unassigned => false,
        _ => true,
    }
}

/// `%#U` of package fmt: `U+FF08 '（'`, and without the character if it does not print.
pub(super) fn code_point(c: char) -> String {
    let number = format!("U+{:04X}", u32::from(c));
    if is_print(c) {
        format!("{number} '{c}'")
    } else {
        number
    }
}

/// `%q` of a text.
pub(super) fn quote(text: &str) -> String {
    format!(
        "\"{}\"",
        text.chars().map(|c| escaped(c, '"')).collect::<String>()
    )
}

/// `%q` of a character.
pub(super) fn quote_char(c: char) -> String {
    format!("'{}'", escaped(c, '\''))
}

fn escaped(c: char, mark: char) -> String {
    match c {
        '\u{7}' => "\\a".into(),
        '\u{8}' => "\\b".into(),
        '\u{c}' => "\\f".into(),
        '\n' => "\\n".into(),
        '\r' => "\\r".into(),
        '\t' => "\\t".into(),
        '\u{b}' => "\\v".into(),
        c if c == mark || c == '\\' => format!("\\{c}"),
        c if is_print(c) => c.into(),
        c if c < ' ' || c == '\u{7f}' => format!("\\x{:02x}", u32::from(c)),
        c if c < '\u{10000}' => format!("\\u{:04x}", u32::from(c)),
        c => format!("\\U{:08x}", u32::from(c)),
    }
}
