//! Registry files: those that other software wrote, and our own hives.

use faultlab_sim::win7::Machine;
use faultlab_sim::win7::registry::hive_file;
use faultlab_sim::win7::registry::reg_file::read;
use faultlab_sim::win7::registry::{Key, Kind, Root, Value, diff};
use faultlab_sim::win7::text::CodePage;
use proptest::prelude::*;

fn data(name: &str) -> Vec<u8> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/registry");
    std::fs::read(folder.join(name)).expect("the file is part of the project")
}

/// What both files hold, by value name.
fn lab() -> [(&'static str, Value); 9] {
    [
        ("", Value::sz("default")),
        ("text", Value::sz("C:\\Go \"bin\"")),
        ("expand", Value::expand_sz("%USERPROFILE%\\bin")),
        ("multi", Value::multi_sz(["a", "b"])),
        ("number", Value::dword(0x123)),
        ("long number", Value::qword(0x8000_0000_0000_0001)),
        ("bytes", Value::binary(&(0..32).collect::<Vec<u8>>())),
        ("odd", Value::new(Kind(99), vec![0xFF])),
        ("none", Value::new(Kind::NONE, vec![])),
    ]
}

#[test]
fn an_export_of_wine_is_loaded_as_it_was_written() {
    let mut machine = Machine::windows_7();
    let file = read(&data("wine.reg"), CodePage::Cp1252).expect("Wine writes files of version 5");
    let caller = machine.user().clone();
    machine
        .registry
        .load(&caller, &file)
        .expect("all of it makes sense");
    for (name, value) in lab() {
        assert_eq!(
            machine.get("HKCU\\Software\\Lab", name),
            Some(value),
            "{name}"
        );
    }
    assert_eq!(
        machine.get("HKCU\\Software\\Lab\\中文", "É"),
        Some(Value::sz("你好"))
    );
    assert_eq!(
        machine.get("HKCU\\Software\\Lab\\Sub key", "empty"),
        Some(Value::sz(""))
    );
    let key = machine
        .registry
        .key(&caller, &"HKCU\\Software\\Lab\\Sub key\\deeper".into());
    assert!(key.is_some());
}

#[test]
fn a_hive_of_hivex_is_mounted_as_it_was_written() {
    let hive = hive_file::read(&data("hivex.hive"), "Loaded".into());
    let hive = hive.expect("hivex writes sound hives");
    let mut machine = Machine::windows_7();
    machine
        .registry
        .mount(Root::LocalMachine, hive)
        .expect("the name is free");
    for (name, value) in lab() {
        assert_eq!(
            machine.get("HKLM\\Loaded\\Lab", name),
            Some(value),
            "{name}"
        );
    }
    assert_eq!(
        machine.get("HKLM\\Loaded\\Lab\\Zh", "中文"),
        Some(Value::sz("你好"))
    );
    let caller = machine.user().clone();
    let names = machine
        .registry
        .key_names(&caller, &"HKLM\\Loaded\\Lab\\Sub key".into());
    assert_eq!(names.expect("it is there").len(), 41);
}

#[test]
fn a_base_is_loaded_as_a_whole_or_not_at_all() {
    let machine = Machine::windows_7();
    let caller = machine.user().clone();
    for (text, expected) in [
        (
            "REGEDIT4\n[HKEY_CURRENT_USER\\a]\n\"v\"=oops\n",
            "3:5: no data: \"text\", dword:, hex: or -",
        ),
        (
            "REGEDIT4\n[HKEY_CURRENT_USER\\a]\n[HKEY_NONE\\b]\n",
            "3:2: no root key of this name",
        ),
        ("REGEDIT4\n\"v\"=\"1\"\n", "2:1: \"v\" belongs to no key"),
        (
            "REGEDIT4\n[HKEY_CURRENT_USER\\a]\n[-HKEY_LOCAL_MACHINE\\SECURITY]\n",
            "3:1: HKEY_LOCAL_MACHINE\\SECURITY: ERROR_ACCESS_DENIED (5)",
        ),
    ] {
        let file = read(text.as_bytes(), CodePage::Cp1252).expect("the first line is right");
        let mut other = machine.fork();
        let error = other.registry.load(&caller, &file).expect_err(text);
        assert_eq!(error.to_string(), expected);
        assert!(other == machine, "nothing of it was loaded");
    }
}

#[test]
fn two_states_are_told_apart() {
    let old = Machine::windows_7().with_key("HKCU\\Software\\Go", |key| {
        key.sz("root", "C:\\Go")
            .dword("installed", 1)
            .sz("gone", "x")
    });
    let mut new = old.fork();
    new.set("HKCU\\Software\\Go", "root", "D:\\Go");
    new.set("HKCU\\Software\\Go\\new", "", 7);
    let caller = new.user().clone();
    new.registry
        .delete_value(&caller, &"HKCU\\Software\\Go".into(), "GONE")
        .expect("it is there");
    let differences = diff::diff(&old.registry, &new.registry);
    let shown = diff::lines(&differences);
    let hive = "HKEY_USERS\\S-1-5-21-1004336348-1177238915-682003330-1000\\Software\\Go";
    assert_eq!(
        shown.join("\n"),
        format!(
            "~ {hive}\n-     root    REG_SZ    C:\\Go\n+     root    REG_SZ    D:\\Go\n\
             -     gone    REG_SZ    x\n\
             + {hive}\\new\n+     (Default)    REG_DWORD    0x7"
        )
    );
    assert!(diff::diff(&old.registry, &old.fork().registry).is_empty());
}

/// What the crate regf reads, in the order in which it does.
fn as_regf_reads(key: &regf::hive::RegistryKey<'_>, path: &str, all: &mut Vec<String>) {
    for value in key.values().expect("it has values") {
        let data = value.raw_data().expect("it has data");
        let kind = value.raw_data_type();
        all.push(format!("{path} {} {kind} {data:?}", value.name()));
    }
    for below in key.subkeys().expect("it has subkeys") {
        let path = format!("{path}\\{}", below.name());
        all.push(path.clone());
        as_regf_reads(&below, &path, all);
    }
}

fn as_it_is(key: &Key, path: &str, all: &mut Vec<String>) {
    for (name, value) in key.values() {
        all.push(format!(
            "{path} {name} {} {:?}",
            value.kind.0,
            &value.data[..]
        ));
    }
    for below in key.keys() {
        let path = format!("{path}\\{}", below.name());
        all.push(path.clone());
        as_it_is(below, &path, all);
    }
}

/// Another implementation of the format reads what we write: a hive of hivex, and a machine's own HKLM\SOFTWARE.
#[test]
fn hives_are_written_as_another_implementation_reads_them() {
    let hivex = hive_file::read(&data("hivex.hive"), "Lab".into());
    let hivex = hivex.expect("hivex writes sound hives");
    let machine = Machine::windows_7();
    let software = machine
        .registry
        .key(machine.user(), &"HKLM\\SOFTWARE".into());
    for key in [&hivex, software.expect("it is there")] {
        let bytes = hive_file::written(key).expect("it can be written");
        let hive = regf::RegistryHive::from_bytes(bytes.clone()).expect("it is a hive");
        let (mut read, mut ours) = (Vec::new(), Vec::new());
        let root = hive.root_key().expect("it has a root");
        as_regf_reads(&root, "", &mut read);
        as_it_is(key, "", &mut ours);
        assert!(ours.len() > 10);
        assert_eq!(read, ours);
        let again = hive_file::read(&bytes, key.name().clone());
        assert_eq!(again.as_ref(), Ok(key));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_damaged_hive_is_an_error(
        damage in proptest::collection::vec((0usize..20_480, any::<u8>()), 1..6), length in 0usize..=20_480,
    ) {
        let mut bytes = data("hivex.hive");
        for (at, byte) in damage {
            bytes[at] = byte;
        }
        let _ = hive_file::read(&bytes, "x".into());
        bytes.truncate(length);
        let _ = hive_file::read(&bytes, "x".into());
        let _ = hive_file::read(&bytes[..length / 40], "x".into());
    }
}

/// A scenario whose machine begins from a file, with one program that reads from it.
fn scenario(base: &str) -> Result<faultlab_sim::scenario::Loaded, faultlab_sim::scenario::Mistake> {
    let text = r#"Scenario(version: 1, id: "base", title: "", story: (said: "", happens: "", why: "", see: ""),
        world: Windows((base: "machine.reg", programs: [(name: "a", calls: [
            QueryText(key: "HKCU\\Software\\Lab", value: "text", into: "t"),
            SetText(key: "HKCU\\Software\\Lab", value: "copy", text: "{t}!"),
        ])])),
        cases: [(search: Exhaustive)], arms: [(name: "baseline")],
        claims: [(id: "copied", says: "", expected: Holds, claim: Some(Last(of: (kind: "reg_set"), is: { "data": Is("C:\\Go!") })))])"#;
    faultlab_sim::scenario::load("base.ron", text, &mut |_| Ok(base.into()))
}

#[test]
fn a_scenario_begins_from_the_export_of_a_machine() {
    let base = "Windows Registry Editor Version 5.00\n\n[HKEY_CURRENT_USER\\Software\\Lab]\n\"text\"=\"C:\\\\Go\"\n";
    let loaded = scenario(base).unwrap_or_else(|mistake| panic!("{mistake}"));
    let judging = faultlab_sim::scenario::Judging {
        seed: 0,
        executor: &faultlab_sim::scenario::Sequential,
        progress: &|_| {},
    };
    let report = loaded
        .judge(&judging)
        .unwrap_or_else(|mistake| panic!("{mistake}"));
    assert!(report.claims[0].is_as_expected(), "{:#?}", report.claims[0]);
}

#[test]
fn a_bad_base_is_a_mistake_at_its_line() {
    let base = "Windows Registry Editor Version 5.00\n\n[HKEY_CURRENT_USER\\Software\\Lab]\n\"text\"=oops\n";
    let mistake = scenario(base).expect_err("the line makes no sense");
    let place = (&*mistake.file, mistake.line, mistake.column);
    assert_eq!(place, ("machine.reg", 4, 8), "{mistake}");
}
