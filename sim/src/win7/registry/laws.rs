//! The laws of the registry, as property tests.

use proptest::collection::vec;
use proptest::prelude::*;

use super::reg_file::{Version, read, read_text, write};
use super::strategies::{key_names, key_paths, raw_values, trees, value_names, values};
use super::*;
use crate::win7::text::{CodePage, upcase};

const USER: &str = "S-1-5-21-1-2-3-1000";

fn admin() -> Caller {
    Caller::new(USER, Standing::Administrator)
}

fn registry() -> Registry {
    Registry::with_hives(&[USER])
}

fn swapped_case(name: &[u16]) -> Vec<u16> {
    let swap = |unit: u16| match unit {
        0x41..=0x5A => unit + 32,
        _ => upcase(unit),
    };
    name.iter().map(|unit| swap(*unit)).collect()
}

/// A call, for laws over histories.
#[derive(Clone, Debug)]
enum Act {
    Create(KeyPath),
    Set(KeyPath, Name, Value),
    DeleteValue(KeyPath, Name),
    Delete(KeyPath),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let path = || {
        let name = || prop_oneof![Just("a"), Just("b"), Just("C")];
        vec(name(), 1..=3)
            .prop_map(|names| KeyPath::from(&*format!("HKCU\\Software\\{}", names.join("\\"))))
    };
    let name = || prop_oneof![Just("v"), Just("V2"), Just("")].prop_map(Name::from);
    let act = prop_oneof![
        path().prop_map(Act::Create),
        (path(), name(), values()).prop_map(|(path, name, value)| Act::Set(path, name, value)),
        (path(), name()).prop_map(|(path, name)| Act::DeleteValue(path, name)),
        path().prop_map(Act::Delete),
    ];
    vec(act, 0..40)
}

fn perform(registry: &mut Registry, act: &Act) -> Result<(), Win32> {
    let admin = admin();
    match act {
        Act::Create(path) => registry
            .create_key(&admin, path)
            .map(|_| ())
            .map_err(Win32::from),
        Act::Set(path, name, value) => registry
            .set_value(&admin, path, name, value.clone())
            .map_err(Win32::from),
        Act::DeleteValue(path, name) => registry
            .delete_value(&admin, path, name)
            .map_err(Win32::from),
        Act::Delete(path) => registry.delete_key(&admin, path).map_err(Win32::from),
    }
}

/// The same keys and values, built anew from what can be seen.
fn rebuilt(key: &Key) -> Key {
    let mut new = Key::new(key.name().clone());
    if let Some(descriptor) = key.descriptor() {
        new.set_descriptor(descriptor.clone());
    }
    for (name, value) in key.values() {
        new.set_value(name.clone(), value.clone());
    }
    for below in key.keys() {
        new.put_key(rebuilt(below));
    }
    new
}

proptest! {
    #[test]
    fn names_are_found_in_any_case(path in key_paths(), name in value_names(8), value in raw_values()) {
        let (admin, mut registry) = (admin(), registry());
        registry.create_key(&admin, &path).unwrap();
        registry.set_value(&admin, &path, &name, value.clone()).unwrap();
        let other = KeyPath::new(path.root, &swapped_case(&path.sub));
        let other_name = Name::new(&swapped_case(name.units()));
        prop_assert_eq!(registry.value(&admin, &other, &other_name), Ok(value));
        prop_assert_eq!(registry.create_key(&admin, &other), Ok(Disposition::Opened));
        let key = registry.key(&admin, &other).unwrap();
        prop_assert_eq!(key.values()[0].0.units(), name.units());
    }

    #[test]
    fn a_registry_has_no_history(acts in acts()) {
        let mut registry = registry();
        for act in &acts {
            let before = registry.clone();
            if perform(&mut registry, act).is_err() {
                prop_assert!(before == registry, "a call that fails changes nothing");
            }
        }
        let software = registry.key(&admin(), &"HKCU\\Software".into()).unwrap();
        for key in software.keys().filter(|key| !key.is_link()) {
            prop_assert_eq!(rebuilt(key).digest(), key.digest());
            prop_assert_eq!(&rebuilt(key), key);
        }
    }

    #[test]
    fn forks_go_their_own_ways(acts in acts(), others in acts()) {
        let mut one = registry();
        for act in &acts {
            let _ = perform(&mut one, act);
        }
        let (print, mut fork) = (format!("{one:?}"), one.clone());
        for act in &others {
            let _ = perform(&mut fork, act);
        }
        prop_assert_eq!(print, format!("{one:?}"));
        let differences = diff::diff(&one, &fork);
        prop_assert_eq!(differences.is_empty(), one.tree() == fork.tree(), "{:?}", differences);
    }

    #[test]
    fn a_watch_fires_if_and_only_if_its_filter_says_so(
        acts in acts(), filter in 0u32..16, subtree: bool,
    ) {
        let (admin, mut registry) = (admin(), registry());
        let watched = KeyPath::from("HKCU\\Software\\a");
        registry.create_key(&admin, &watched).unwrap();
        let handle = registry.open(&admin, watched.root, &watched.sub, Access::NOTIFY).unwrap();
        registry.notify(handle, subtree, Filter(filter), Event(1)).unwrap();
        for act in &acts {
            let before = registry.clone();
            let done = perform(&mut registry, act).is_ok();
            let old = before.key(&admin, &watched);
            let new = registry.key(&admin, &watched);
            let expected = match (old, new) {
                (Some(old), Some(new)) => done && changed(old, new, act, &watched, Filter(filter), subtree),
                (Some(_), None) => true,
                _ => false,
            };
            prop_assert_eq!(registry.take_signal(Event(1)), expected, "{:?}", act);
            if expected {
                break;
            }
        }
    }

    #[test]
    fn what_is_exported_imports_as_it_was(tree in trees("T", 3)) {
        let (admin, path) = (admin(), KeyPath::from("HKCU\\Software\\T"));
        let mut registry = registry();
        let hive = KeyPath::from("HKCU\\Software");
        let place = registry.spot(&admin, &hive).unwrap().first;
        registry.edit(&place, |software| drop(software.put_key(tree.clone())));
        let bytes = write(&registry, &admin, &path, Version::Five).unwrap();
        let file = read(&bytes, CodePage::Cp1252).unwrap();
        prop_assert!(file.passed_over.is_empty(), "{:?}", file.passed_over);
        let mut other = super::laws::registry();
        other.load(&admin, &file).unwrap();
        let differences = diff::diff(&registry, &other);
        prop_assert!(differences.is_empty(), "{differences:?}");
    }

    #[test]
    fn a_32_bit_caller_finds_what_it_made_where_the_table_says(
        row in 0..documented_keys().len(), name in key_names(6),
    ) {
        let (key, to) = documented_keys().swap_remove(row);
        let admin = admin();
        let in_32 = admin.clone().of_bits(Bits::Bits32);
        let mut registry = registry();
        let path = key.join(name.units());
        // Links in the table's place keep their children elsewhere, but one can go through them.
        registry.create_key(&in_32, &path).unwrap();
        let is_there = |path: &KeyPath, caller: &Caller| registry.key(caller, path).is_some();
        prop_assert!(is_there(&path, &in_32));
        prop_assert!(is_there(&path, &admin.clone().in_view(Some(Bits::Bits32))));
        let place = to.as_ref().unwrap_or(&key).join(name.units());
        prop_assert!(is_there(&place, &admin), "{place}");
        prop_assert!(is_there(&place, &in_32), "{place}");
        let known = documented_keys().iter().any(|(other, _)| {
            fold_units(&other.sub) == fold_units(&path.sub) && other.root == path.root
        });
        let is_node = fold_units(name.units()) == fold_units(&units("Wow6432Node"));
        prop_assert_eq!(is_there(&path, &admin), to.is_none() || known || is_node);
    }

    #[test]
    fn nothing_that_is_read_makes_a_reader_panic(bytes in vec(any::<u8>(), 0..400)) {
        let _ = read(&bytes, CodePage::Cp1252);
        let mut wide = vec![0xFF, 0xFE];
        wide.extend(&bytes);
        let _ = read(&wide, CodePage::Cp1252);
    }

    #[test]
    fn nothing_that_looks_like_a_file_makes_an_import_panic(
        header in prop_oneof![Just("REGEDIT4"), Just("REGEDIT"), Just("Windows Registry Editor Version 5.00")],
        pieces in vec(prop_oneof![
            Just("\n"), Just("\r\n"), Just("["), Just("]"), Just("-"), Just("HKEY_CURRENT_USER\\a"), Just("\\"),
            Just("\""), Just("a"), Just("="), Just("hex:"), Just("hex(2):"), Just("hex(7):00,"), Just("dword:"),
            Just("1"), Just("ff,"), Just(" "), Just(";"), Just("@"), Just("\0"), Just("HKEY_CLASSES_ROOT"),
        ], 0..60),
    ) {
        let text = format!("{header}\n[HKEY_CURRENT_USER\\a]\n{}", pieces.concat());
        let file = read_text(&units(&text), CodePage::Cp1252).unwrap();
        let mut registry = registry();
        let _ = registry.clone().load(&admin(), &file);
        let says = |entry: &&reg_file::Entry| entry.line != reg_file::Line::NoKey;
        let lines = file.lines.iter().filter(says).count() + file.passed_over.len();
        let imported = steps::Import::new(file).run(&mut registry, &admin());
        prop_assert_eq!((imported.applied + imported.skipped) as usize, lines);
    }

    #[test]
    fn paths_of_any_kind_are_answered(sub in vec(prop_oneof![Just(0x5Cu16), any::<u16>()], 0..60)) {
        let (admin, mut registry) = (admin(), registry());
        for root in Root::ALL {
            let path = KeyPath::new(root, &sub);
            let opened = registry.check_open(&admin, &path, Access::READ);
            let created = registry.create_key(&admin, &path);
            if opened.is_ok() {
                prop_assert_eq!(created, Ok(Disposition::Opened));
            }
            let _ = registry.delete_tree(&admin, &path.join(&[0x61]));
        }
    }
}

fn fold_units(units: &[u16]) -> Vec<u16> {
    name::fold_all(units)
}

/// Whether an act that succeeded did something to the watched key that the filter is about.
fn changed(
    old: &Key,
    new: &Key,
    act: &Act,
    watched: &KeyPath,
    filter: Filter,
    subtree: bool,
) -> bool {
    let is_watched = |path: &KeyPath| fold_units(&path.sub) == fold_units(&watched.sub);
    let is_here = |path: &KeyPath| {
        is_watched(path)
            || subtree && view::is_below(&fold_units(&path.sub), &fold_units(&watched.sub))
    };
    let names = |key: &Key| key.keys().map(|key| key.name().clone()).collect::<Vec<_>>();
    let names_changed = match subtree {
        true => shape(old) != shape(new),
        false => names(old) != names(new),
    };
    match act {
        Act::Create(_) | Act::Delete(_) => filter.meets(Filter::NAME) && names_changed,
        Act::Set(path, ..) | Act::DeleteValue(path, ..) => {
            filter.meets(Filter::LAST_SET) && is_here(path)
        }
    }
}

/// The names of all keys below.
fn shape(key: &Key) -> Vec<String> {
    key.keys()
        .flat_map(|below| {
            let name = below.name().to_string();
            let deeper = shape(below)
                .into_iter()
                .map(move |path| format!("{name}\\{path}"));
            [below.name().to_string()]
                .into_iter()
                .chain(deeper)
                .collect::<Vec<_>>()
        })
        .collect()
}
