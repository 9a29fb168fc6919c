//! Property tests: paths.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// Paths of all kinds, most of them nasty.
pub fn paths() -> impl Strategy<Value = Vec<u16>> {
    let piece = select(vec![
        "\\",
        "/",
        "\\\\",
        "\\\\?\\",
        "\\\\.\\",
        ".",
        "..",
        "...",
        " ",
        "a",
        "b.",
        "c ",
        "C:",
        "d:",
        ":",
        "nul",
        "con.txt",
        "COM1",
        "lpt9:",
        "中",
        "UNC\\",
        "x".repeat(300).leak(),
        "?",
        "*",
    ])
    .prop_map(|text: &str| text.encode_utf16().collect::<Vec<u16>>());
    let long = (200usize..300).prop_map(|len| vec![u16::from(b'x'); len]);
    let odd = select(vec![0xD800u16, 0xDFFF, 0, 1, 0xFF]).prop_map(|unit| vec![unit]);
    vec(prop_oneof![16 => piece, 2 => odd, 1 => long], 0..12).prop_map(|pieces| pieces.concat())
}
