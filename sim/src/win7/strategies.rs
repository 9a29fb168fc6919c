//! Property tests over texts, lists of directories and environments. Failing cases shrink towards short
//! ASCII, few entries, and no quotes.
//!
//! ```
//! use faultlab_sim::win7::{strategies::path_lists, resolve::split_path_cmd};
//! use proptest::prelude::*;
//!
//! proptest!(|(entries in path_lists(5))| {
//!     // No entry of these has quotes within: what was joined comes apart again.
//!     let plain: Vec<_> = entries.iter().filter(|entry| !entry.is_empty()).cloned().collect();
//!     prop_assert_eq!(split_path_cmd(&entries.join(";")), plain);
//! });
//! ```

use proptest::collection::{btree_map, vec};
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use super::environment::{Block, Stored, Value};
use super::text::Wide;

/// Texts of at most `length` units: ASCII mostly, then what code pages treat differently (Latin, Chinese,
/// private use), and unpaired surrogates.
pub fn texts(length: usize) -> impl Strategy<Value = Wide> {
    let unit = prop_oneof![
        8 => 0x20u16..0x7f,
        2 => 0xa0u16..0x180,
        4 => 0x4e00u16..0x9fa6,
        1 => 0xe000u16..0xe866,
        1 => 0xd800u16..0xe000,
        1 => any::<u16>(),
    ];
    vec(unit, 0..=length).prop_map(Wide::new)
}

/// Names that a variable may have.
pub fn variable_names() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[A-Za-z_][A-Za-z0-9_]{0,8}",
        2 => proptest::sample::select(&["Path", "PATH", "TEMP", "GOROOT", "ProgramFiles(x86)"][..])
            .prop_map(str::to_owned),
        1 => "[一-龥]{1,3}",
    ]
}

/// Values of variables: texts and directories, with references in some.
pub fn variable_values() -> impl Strategy<Value = String> {
    let reference = variable_names().prop_map(|name| format!("%{name}%"));
    let part =
        prop_oneof![3 => "[ -~]{0,8}", 2 => directories(), 1 => reference, 1 => "[一-龥]{1,3}"];
    vec(part, 0..3).prop_map(|parts| parts.concat())
}

/// Full paths of directories, as they are met in PATH.
pub fn directories() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        6 => "[a-z][a-z0-9]{0,6}",
        1 => Just("Program Files (x86)".to_owned()),
        1 => "[一-龥]{1,3}",
    ];
    ("[C-D]", vec(name, 1..4)).prop_map(|(drive, names)| format!("{drive}:\\{}", names.join("\\")))
}

/// Entries of a PATH, at most `length`; a few are empty.
pub fn path_lists(length: usize) -> impl Strategy<Value = Vec<String>> {
    vec(
        prop_oneof![8 => directories(), 1 => Just(String::new())],
        0..=length,
    )
}

/// Blocks of at most `length` variables.
pub fn environments(length: usize) -> impl Strategy<Value = Block> {
    btree_map(variable_names(), variable_values(), 0..=length)
        .prop_map(|variables| Block::of(variables.iter().map(|(name, value)| (&**name, &**value))))
}

/// What a registry may hold for environments, at most `length` values for the machine and for the user.
pub fn stored_environments(length: usize) -> impl Strategy<Value = Stored> {
    (settings(length), settings(length)).prop_map(|(machine, user)| Stored {
        machine,
        user,
        volatile: Vec::new(),
    })
}

/// The values of one key: no two names are one.
fn settings(length: usize) -> impl Strategy<Value = Vec<(Wide, Value)>> {
    let value = (any::<bool>(), variable_values()).prop_map(|(expand, text)| {
        let text = Wide::from(&*text);
        if expand {
            Value::Expand(text)
        } else {
            Value::Text(text)
        }
    });
    btree_map(variable_names(), value, 0..=length).prop_map(|values| {
        let named = |(name, value): (String, Value)| (Wide::from(&*name), value);
        let mut values: Vec<(Wide, Value)> = values.into_iter().map(named).collect();
        values.sort_by_key(|(name, _)| name.to_upcase());
        values.dedup_by_key(|(name, _)| name.to_upcase());
        values
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::win7::environment::{Computer, create_block};
    use crate::win7::resolve::split_path_cmd;
    use crate::win7::text::CodePage;

    proptest! {
        #[test]
        fn what_a_page_keeps_comes_back(text in texts(12)) {
            for page in CodePage::ALL {
                let decoded = page.decode(&page.encode(&text));
                // Once through a code page, a text stays as it is.
                prop_assert_eq!(page.decode(&page.encode(&decoded)), decoded);
            }
        }

        #[test]
        fn blocks_are_read_as_they_were_written(block in environments(8)) {
            prop_assert_eq!(Block::from_units(&block.to_units()), block);
        }

        #[test]
        fn path_comes_apart_as_it_was_joined(entries in path_lists(6)) {
            let plain: Vec<_> = entries.iter().filter(|entry| !entry.is_empty()).cloned().collect();
            prop_assert_eq!(split_path_cmd(&entries.join(";")), plain);
        }

        #[test]
        fn the_user_decides_but_for_the_lists(stored in stored_environments(5)) {
            let block = create_block(&Computer::default(), &stored, &[]);
            let plain = stored.user.iter().filter_map(|(name, value)| match value {
                Value::Text(text) => Some((name, text)),
                _ => None,
            });
            for (name, text) in plain {
                let built = block.get(name).expect("each value is a variable");
                let is_path = name.to_upcase() == Wide::from("PATH");
                let agrees = match is_path {
                    true => built.units().ends_with(text.units()),
                    false => built == text,
                };
                prop_assert!(agrees);
            }
            // Nothing is lost, and nothing appears.
            prop_assert!(stored.machine.iter().all(|(name, _)| block.get(name).is_some()));
            let core = Computer::default().core();
            let core = core.iter().map(|(name, _)| Wide::from(*name));
            let values = stored.machine.iter().chain(&stored.user);
            let mut names: Vec<Wide> = values.map(|(name, _)| name.clone()).chain(core).collect();
            names = names.iter().map(Wide::to_upcase).collect();
            names.sort();
            names.dedup();
            prop_assert_eq!(block.iter().count(), names.len());
        }
    }
}
