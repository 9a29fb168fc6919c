//! Upper case as the system has it.

/// RtlUpcaseUnicodeChar: a unit in upper case, by the table of the system, one unit to one, in no locale.
/// Names of keys, files and variables that agree in this are one name.
///
/// The table of Windows 7 is that of Unicode 5.1, simple mappings, less those that do not come back
/// (U+00B5, U+0131, U+017F, the titlecase digraphs), but with final sigma. This follows from what is
/// published of the table that NTFS volumes carry (ntfs-3g, wimlib); beyond Latin, Greek and Cyrillic it
/// was not compared letter by letter.
#[inline]
pub fn upcase(unit: u16) -> u16 {
    match unit {
        0x61..=0x7A => unit - 32,
        0..=0x7F => unit,
        _ => upcase_beyond_ascii(unit),
    }
}

fn upcase_beyond_ascii(unit: u16) -> u16 {
    match unit {
        0x03C2 => return 0x03A3,
        0x1F80..=0x1F87 | 0x1F90..=0x1F97 | 0x1FA0..=0x1FA7 => return unit + 8,
        0x1FB3 => return 0x1FBC,
        // Pairs that Unicode got after 5.1.
        0x023F
        | 0x0240
        | 0x0252
        | 0x025C
        | 0x0261
        | 0x0264..=0x0266
        | 0x026A
        | 0x026C
        | 0x0282
        | 0x0287
        | 0x029D
        | 0x029E
        | 0x03F3
        | 0x0526..=0x052F
        | 0x10D0..=0x10FF
        | 0x13F8..=0x13FD
        | 0x1C80..=0x1C8A
        | 0x1D8E
        | 0x2C5F
        | 0x2CEB..=0x2CF3
        | 0x2D27
        | 0x2D2D
        | 0xA661
        | 0xA698..=0xA69B
        | 0xA78D..=0xA7FF
        | 0xAB30..=0xABBF => return unit,
        _ => {}
    }
    let Some(lower) = char::from_u32(unit.into()) else {
        return unit;
    };
    let upper = single_of(lower.to_uppercase());
    let comes_back = |upper: char| single_of(upper.to_lowercase()) == Some(lower);
    match upper.filter(|upper| comes_back(*upper)) {
        Some(upper) => u16::try_from(u32::from(upper)).unwrap_or(unit),
        None => unit,
    }
}

fn single_of(mut mapped: impl Iterator<Item = char>) -> Option<char> {
    let one = mapped.next();
    match mapped.next() {
        None => one,
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upper_case_goes_unit_by_unit() {
        for (lower, upper) in [
            ('a', 'A'),
            ('é', 'É'),
            ('ÿ', 'Ÿ'),
            ('ж', 'Ж'),
            ('ё', 'Ё'),
            ('σ', 'Σ'),
            ('ς', 'Σ'),
            ('ａ', 'Ａ'),
            // What does not come back, or would become two.
            ('ß', 'ß'),
            ('µ', 'µ'),
            ('ı', 'ı'),
            ('ſ', 'ſ'),
            ('ŉ', 'ŉ'),
            ('中', '中'),
            ('÷', '÷'),
        ] {
            assert_eq!(upcase(lower as u16), upper as u16, "{lower}");
        }
        assert_eq!(upcase(0xD800), 0xD800, "a surrogate alone stays as it is");
    }

    #[test]
    fn twice_is_once() {
        for unit in 0..=u16::MAX {
            assert_eq!(upcase(upcase(unit)), upcase(unit), "{unit:04x}");
        }
    }
}
