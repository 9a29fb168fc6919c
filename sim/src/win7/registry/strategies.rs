//! Property tests: names, paths, values and whole trees, which shrink towards short and plain ones.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::value::text_bytes;
use super::{Key, KeyPath, Kind, Name, Root, Value};

/// Code units that names are made of: mostly letters, but also what is awkward (quotation marks,
/// brackets, blanks, letters with a case beyond ASCII, Chinese, unpaired surrogates). Never a NUL.
fn unit(awkward: &'static str, surrogates: bool) -> impl Strategy<Value = u16> {
    let awkward: Vec<u16> = awkward.encode_utf16().collect();
    let lone: Vec<u16> = if surrogates {
        vec![0xD800, 0xDFFF]
    } else {
        vec![0x4E2D]
    };
    prop_oneof![
        6 => (b'a'..=b'e').prop_map(u16::from),
        2 => (b'A'..=b'E').prop_map(u16::from),
        2 => select(awkward),
        1 => select(lone),
    ]
}

/// One component of a key's path, of up to `longest` units.
pub fn key_names(longest: usize) -> impl Strategy<Value = Name> {
    vec(unit(" .'\"[]/;=-%éÉжЖ中ıß", true), 1..=longest).prop_map(|units| Name::new(&units))
}

/// The name of a value, of up to `longest` units; the empty one is the default value's.
pub fn value_names(longest: usize) -> impl Strategy<Value = Name> {
    vec(unit(" .'\"[]/\\;=-%@éÉжЖ中ıß", true), 0..=longest).prop_map(|units| Name::new(&units))
}

/// Paths below `HKCU\Software` and `HKLM\SOFTWARE` of one to four components.
pub fn key_paths() -> impl Strategy<Value = KeyPath> {
    let root = select(vec![Root::CurrentUser, Root::LocalMachine]);
    (root, vec(key_names(6), 1..=4)).prop_map(|(root, names)| {
        let software = KeyPath::new(root, &super::units("Software"));
        names
            .iter()
            .fold(software, |path, name| path.join(name.units()))
    })
}

/// Values as programs write them: every type with data of its form, texts with one NUL at their end.
pub fn values() -> impl Strategy<Value = Value> {
    let text = || {
        vec(unit(" .'\"\\;%=\r\néж中", false), 0..12)
            .prop_map(|units| String::from_utf16_lossy(&units))
    };
    let bytes = || vec(any::<u8>(), 0..40);
    prop_oneof![
        any::<u32>().prop_map(Value::dword),
        text().prop_map(|text| Value::sz(&text)),
        text().prop_map(|text| Value::expand_sz(&text)),
        vec(text(), 0..3).prop_map(|texts| {
            Value::multi_sz(
                texts
                    .iter()
                    .map(|text| text.as_str())
                    .filter(|text| !text.is_empty()),
            )
        }),
        any::<u64>().prop_map(Value::qword),
        bytes().prop_map(|data| Value::binary(&data)),
        bytes().prop_map(|data| Value::new(Kind::NONE, data)),
        (8u32..=100, bytes()).prop_map(|(kind, data)| Value::new(Kind(kind), data)),
    ]
}

/// Values with any type and any data: the registry checks nothing.
pub fn raw_values() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![4 => 0u32..=12, 1 => any::<u32>()];
    prop_oneof![
        values(),
        (kind, vec(any::<u8>(), 0..20)).prop_map(|(kind, data)| Value::new(Kind(kind), data)),
        Just(Value::new(Kind::SZ, text_bytes("a\0b"))),
    ]
}

/// A key of this name, with values and subkeys up to a depth.
pub fn trees(name: &'static str, depth: u32) -> impl Strategy<Value = Key> {
    let contents = || vec((value_names(6), values()), 0..4);
    let filled = |name: Name, values: Vec<(Name, Value)>, below: Vec<Key>| {
        let mut key = Key::new(name);
        values
            .into_iter()
            .for_each(|(name, value)| key.set_value(name, value));
        below.into_iter().for_each(|below| drop(key.put_key(below)));
        key
    };
    let leaf =
        (key_names(6), contents()).prop_map(move |(name, values)| filled(name, values, Vec::new()));
    let below = leaf.prop_recursive(depth, 24, 4, move |inner| {
        (key_names(6), contents(), vec(inner, 0..4))
            .prop_map(move |(name, values, below)| filled(name, values, below))
    });
    (contents(), vec(below, 0..4))
        .prop_map(move |(values, below)| filled(name.into(), values, below))
}
