use proptest::prelude::*;

use super::*;

fn wide(units: &[u16]) -> Wide {
    Wide::from(units)
}

/// FNV-1a.
fn hash(parts: impl Iterator<Item = Vec<u8>>) -> u64 {
    parts.flatten().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

fn of_each_unit(page: CodePage, flags: u32) -> u64 {
    hash((0..=0xffff).map(|unit| {
        let encoded = wide_char_to_multi_byte(page, flags, &wide(&[unit]), None);
        encoded.expect("flags of this page").bytes
    }))
}

fn codes(page: CodePage) -> impl Iterator<Item = Vec<u8>> {
    let singles = (0..=0xff)
        .filter(move |&byte| !page.is_lead_byte(byte))
        .map(|byte| vec![byte]);
    let leads = (0x81..=0xfe).filter(move |_| page == CodePage::Cp936);
    let trails = || (0x40..=0xfe).filter(|&trail| trail != 0x7f);
    singles.chain(leads.flat_map(move |lead| trails().map(move |trail| vec![lead, trail])))
}

/// The hashes are those of the tables that Wine builds from Microsoft's bestfitNNN.txt (c_NNN.nls, Wine 8.0):
/// every byte and pair, every unit by best fit, every unit without it.
#[test]
fn whole_tables_are_those_of_windows() {
    let expected = [
        (
            CodePage::Cp936,
            0x4c6f_88c6_639d_f86c,
            0x06e1_0d21_79ec_12f8,
            0x5dc5_8b1b_a0d9_9ef6,
        ),
        (
            CodePage::Cp1252,
            0x577d_b6d9_1242_3900,
            0x5bbe_f681_6f8b_8f6d,
            0xeb81_eb2e_d0d5_a251,
        ),
        (
            CodePage::Cp437,
            0x16da_57e1_bda7_1051,
            0x557c_9f6a_2b8b_cbe4,
            0xecfa_b475_4a99_4cdb,
        ),
    ];
    for (page, decoded, fitted, exact) in expected {
        assert_eq!(
            hash(codes(page).map(|code| page.decode(&code).to_le_bytes())),
            decoded
        );
        assert_eq!(of_each_unit(page, 0), fitted, "{page:?} by best fit");
        assert_eq!(
            of_each_unit(page, WC_NO_BEST_FIT_CHARS),
            exact,
            "{page:?} exactly"
        );
    }
}

#[test]
fn the_areas_of_private_use_are_in_order() {
    let first_and_last = [
        (b"\xaa\xa1", b"\xaf\xfe", 0xe000, 0xe233),
        (b"\xf8\xa1", b"\xfe\xfe", 0xe234, 0xe4c5),
        (b"\xa1\x40", b"\xa7\xa0", 0xe4c6, 0xe765),
    ];
    for (first, last, from, to) in first_and_last {
        assert_eq!(CodePage::Cp936.decode(first), wide(&[from]));
        assert_eq!(CodePage::Cp936.decode(last), wide(&[to]));
    }
}

#[test]
fn bad_pairs_fail_or_become_one_default_character() {
    let page = CodePage::Cp936;
    for bytes in [
        &b"\xc4"[..],
        b"\xc4\x20",
        b"\xc4\x7f",
        b"\xc4\xff",
        b"\xc4\x3f",
        b"a\xfe",
    ] {
        let strict = multi_byte_to_wide_char(page, MB_ERR_INVALID_CHARS, bytes);
        assert_eq!(strict, Err(Error::NoUnicodeTranslation));
        assert!(page.decode(bytes).to_string().ends_with('?'));
    }
    assert_eq!(page.decode(b"\xc4\x00"), wide(&[0x3f, 0]));
    assert_eq!(page.decode(b"\xff"), wide(&[0xf8f5]));
    assert_eq!(
        page.decode_strict(b"\xff"),
        Err(Error::NoUnicodeTranslation)
    );
    assert_eq!(CodePage::Cp1252.decode_strict(b"\x90"), Ok(wide(&[0x90])));
}

#[test]
fn utf8_replaces_what_is_malformed() {
    let count = |bytes: &[u8]| CodePage::Utf8.decode(bytes).units().to_vec();
    assert_eq!(count(b"\xc4\xe3\xba\xc3"), [0xfffd; 3]);
    assert_eq!(count(b"\xed\xa0\x80"), [0xfffd; 2]);
    assert_eq!(count(b"\xf4\x90\x80\x80"), [0xfffd; 3]);
    assert_eq!(count(b"\xe4\xbd"), [0xfffd]);
    assert_eq!(count(b"\xc0\xaf"), [0xfffd; 2]);
    assert_eq!(count(b"\xe4A\xbd"), [0xfffd, 0x41, 0xfffd]);
    assert_eq!(
        count("\u{feff}你😀".as_bytes()),
        [0xfeff, 0x4f60, 0xd83d, 0xde00]
    );
    assert_eq!(
        CodePage::Utf8.encode(&wide(&[0x41, 0xd800])),
        b"A\xef\xbf\xbd"
    );
}

#[test]
fn flags_and_parameters_fail_as_documented() {
    let a = Wide::from("a");
    let decode = |page, flags, bytes: &[u8]| multi_byte_to_wide_char(page, flags, bytes).err();
    let encode = |page, flags| wide_char_to_multi_byte(page, flags, &a, None).err();
    assert_eq!(
        decode(CodePage::Cp936, 0, b""),
        Some(Error::InvalidParameter)
    );
    assert_eq!(decode(CodePage::Cp936, 3, b"a"), Some(Error::InvalidFlags));
    assert_eq!(
        decode(CodePage::Cp936, 0x10, b"a"),
        Some(Error::InvalidFlags)
    );
    assert_eq!(
        decode(CodePage::Utf8, MB_PRECOMPOSED, b"a"),
        Some(Error::InvalidFlags)
    );
    assert_eq!(
        decode(CodePage::Cp437, MB_USEGLYPHCHARS, b"a").and_then(Error::code),
        None
    );
    assert_eq!(
        encode(CodePage::Utf8, WC_NO_BEST_FIT_CHARS),
        Some(Error::InvalidFlags)
    );
    assert_eq!(
        encode(CodePage::Cp936, WC_ERR_INVALID_CHARS),
        Some(Error::InvalidFlags)
    );
    let lone = wide(&[0xdc00]);
    let strict = wide_char_to_multi_byte(CodePage::Utf8, WC_ERR_INVALID_CHARS, &lone, None);
    assert_eq!(strict.map_err(Error::code), Err(Some(1113)));
    let default = wide_char_to_multi_byte(CodePage::Utf8, 0, &a, Some(b"_"));
    assert_eq!(default.map_err(Error::code), Err(Some(87)));
    let chosen = wide_char_to_multi_byte(CodePage::Cp936, 0, &lone, Some(b"_!")).expect("a text");
    assert_eq!(
        (&*chosen.bytes, chosen.used_default),
        (&b"_"[..], Some(true))
    );
}

#[test]
fn only_locales_have_ansi_code_pages() {
    assert!(CodePages::new(CodePage::Utf8, CodePage::Cp936).is_err());
    assert_eq!(CodePage::of(1200).map_err(Error::code), Err(Some(87)));
    assert_eq!(CodePage::of(54936).map_err(Error::code), Err(None));
    let console = CodePages::CHINA.chcp(CodePage::Utf8);
    assert_eq!(
        (console.ansi(), console.console()),
        (CodePage::Cp936, CodePage::Utf8)
    );
    assert_eq!(CodePages::UNITED_STATES.page(1), Ok(CodePage::Cp437));
    for page in CodePage::ALL {
        assert_eq!(CodePage::of(page.number()), Ok(page));
    }
}

#[test]
fn upper_case_is_of_no_locale() {
    let upper = |text: &str| Wide::from(text).to_upcase().to_string();
    assert_eq!(upper("Path éÿａ"), "PATH ÉŸＡ");
    assert_eq!(upper("ßıſµς"), "ßıſµΣ");
    assert_eq!(Wide::from("é").to_upcase(), Wide::from("É"));
    assert_eq!(format!("{:?}", wide(&[0x41, 0xd800])), "\"A\\u{d800}\"");
}

proptest! {
    #[test]
    fn anything_decodes_and_encodes(bytes in any::<Vec<u8>>(), units in any::<Vec<u16>>()) {
        for page in CodePage::ALL {
            prop_assert!(page.decode(&bytes).len() <= bytes.len());
            prop_assert!(page.encode(&Wide::from(&*units)).len() <= units.len() * 3);
            prop_assert_eq!(page.encode(&Wide::default()), b"");
        }
    }

    /// What decodes strictly comes back as it was: none of these pages has two codes for one character.
    #[test]
    fn what_decodes_strictly_encodes_back(bytes in any::<Vec<u8>>()) {
        for page in CodePage::ALL {
            if let Ok(text) = page.decode_strict(&bytes) {
                prop_assert_eq!(page.encode(&text), &*bytes);
            }
        }
    }

    #[test]
    fn what_encodes_without_default_decodes_back(units in any::<Vec<u16>>()) {
        let text = Wide::new(units);
        prop_assume!(!text.is_empty());
        for page in [CodePage::Cp437, CodePage::Cp936, CodePage::Cp1252] {
            let encoded = wide_char_to_multi_byte(page, WC_NO_BEST_FIT_CHARS, &text, None).expect("a text");
            if encoded.used_default == Some(false) {
                prop_assert_eq!(page.decode(&encoded.bytes), text.clone());
            }
        }
    }

    #[test]
    fn well_formed_utf8_goes_both_ways(text in any::<String>()) {
        let decoded = CodePage::Utf8.decode(text.as_bytes());
        prop_assert_eq!(decoded.to_utf8(), Some(text.clone()));
        prop_assert_eq!(CodePage::Utf8.encode(&decoded), text.as_bytes());
    }
}
