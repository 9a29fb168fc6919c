use proptest::prelude::*;

use super::processes::{ENVIRONMENT, Listening, Processes, SERVICES};
use super::*;
use crate::win7::Machine;

fn text(value: &str) -> Value {
    Value::Text(value.into())
}

fn expand(value: &str) -> Value {
    Value::Expand(value.into())
}

fn alice(machine: &[(&str, Value)], user: &[(&str, Value)]) -> Block {
    let values = |values: &[(&str, Value)]| {
        values
            .iter()
            .map(|(name, value)| (Wide::from(*name), value.clone()))
            .collect()
    };
    let stored = Stored {
        machine: values(machine),
        user: values(user),
        volatile: Vec::new(),
    };
    let core = Account::User("alice".into()).core_variables(&Computer::default());
    create_block(&Computer::default(), &stored, &core)
}

#[test]
fn each_step_sees_the_steps_before_it() {
    let block = alice(
        &[
            ("ROOT", expand("%SystemDrive%\\x")),
            (
                "TOO_EARLY",
                expand("%USERPROFILE%;%ProgramFiles%;%COMPUTERNAME%"),
            ),
            ("SAME_STEP", expand("%ROOT%")),
        ],
        &[
            ("A", text("1")),
            ("B", expand("%A%;%ROOT%;%USERPROFILE%;%USERNAME%")),
            ("USERNAME", text("mallory")),
            ("USERPROFILE", text("D:\\alice")),
        ],
    );
    let get = |name: &str| block.text(name).expect("a variable");
    assert_eq!(get("ROOT"), "C:\\x");
    assert_eq!(
        get("TOO_EARLY"),
        "%USERPROFILE%;%ProgramFiles%;%COMPUTERNAME%"
    );
    assert_eq!(get("SAME_STEP"), "%ROOT%");
    assert_eq!(get("B"), "1;C:\\x;D:\\alice;mallory");
    assert_eq!(get("USERNAME"), "alice", "the account comes last");
    assert_eq!(get("USERPROFILE"), "D:\\alice");
}

#[test]
fn three_lists_are_appended_and_nothing_else() {
    let machine = [
        ("Path", expand("%SystemRoot%")),
        ("LibPath", text("a")),
        ("Os2LibPath", text("b")),
        ("PATHEXT", text(".EXE")),
        ("Empty", text("")),
    ];
    let user = [
        ("PATH", expand("%PATH%;mine")),
        ("LIBPATH", text("c")),
        ("Os2LibPath", text("d")),
        ("PathExt", text(".PY")),
    ];
    let block = alice(&machine, &user);
    let shown: Vec<_> = ["path", "libpath", "os2libpath", "pathext", "empty"]
        .map(|name| block.text(name).expect("a variable"))
        .into();
    assert_eq!(
        shown,
        ["C:\\Windows;C:\\Windows;mine", "a;c", "b;d", ".PY", ""]
    );
    assert!(
        block.iter().any(|(name, _)| *name == Wide::from("Path")),
        "the first spelling"
    );
    assert_eq!(
        alice(&[("Path", text(""))], &[("Path", text("x"))])
            .text("Path")
            .unwrap(),
        "x"
    );
}

#[test]
fn what_is_no_text_or_no_name_is_no_variable() {
    let block = alice(
        &[
            ("DWORD", Value::Other(4)),
            ("a=b", text("c")),
            ("", text("d")),
        ],
        &[],
    );
    assert_eq!((block.text("DWORD"), block.text("a")), (None, None));
}

#[test]
fn blocks_are_sorted_and_end_in_two_nuls() {
    let block = Block::of([
        ("b", "2"),
        ("=C:", "C:\\dir"),
        ("A", "1"),
        ("_", "3"),
        ("Z", ""),
    ]);
    let units = block.to_units();
    let shown = String::from_utf16(&units).expect("well formed");
    // `_` lies behind the capitals: names compare in upper case.
    assert_eq!(shown, "=C:=C:\\dir\0A=1\0b=2\0Z=\0_=3\0\0");
    assert_eq!(Block::from_units(&units), block);
    assert_eq!(Block::default().to_units(), [0, 0]);
    assert_eq!(block.drive_directory('c'), Some(&Wide::from("C:\\dir")));
    let odd: Vec<u16> = "sr=an=ouo\0noise\0\0x=1\0\0".encode_utf16().collect();
    assert_eq!(Block::from_units(&odd), Block::of([("sr", "an=ouo")]));
}

#[test]
fn variables_have_names_and_limits() {
    let mut block = Block::default();
    for name in ["", "=", "a=b", "a\0b"] {
        assert_eq!(
            block.set(&name.into(), &"x".into()),
            Err(Error::InvalidParameter),
            "{name:?}"
        );
    }
    assert_eq!(block.remove(&"X".into()).map_err(Error::code), Err(203));
    let long = Wide::new(vec![0x61; VARIABLE_LIMIT - 2]);
    assert_eq!(block.set(&"X".into(), &long), Ok(()));
    assert_eq!(block.set(&"XX".into(), &long), Err(Error::TooLong));
    assert_eq!(block.set(&"x".into(), &"".into()), Ok(()));
    assert_eq!(
        block.text("X").as_deref(),
        Some(""),
        "an empty value is a value"
    );
}

#[test]
fn expansion_is_one_pass() {
    let block = Block::of([
        ("foo", "toto"),
        ("=oOH", "III"),
        ("self", "%foo%"),
        ("v(x86)", "w"),
    ]);
    let cases = [
        ("hello%foo%world", "hellototoworld"),
        ("hello%=oOH%world", "helloIIIworld"),
        ("hello%foo", "hello%foo"),
        ("hello%bar%world", "hello%bar%world"),
        ("%self%%FOO%", "%foo%toto"),
        ("%%foo%%", "%%foo%%"),
        ("% foo%", "% foo%"),
        ("100%", "100%"),
        ("%v(x86)%\\x", "w\\x"),
        ("%nope%foo%", "%nope%foo%"),
        ("", ""),
    ];
    for (source, expanded) in cases {
        assert_eq!(
            block.expand(&source.into()).to_string(),
            expanded,
            "{source}"
        );
    }
}

#[test]
fn children_of_the_other_bitness_are_told_of_their_program_files() {
    let block = alice(&[("PROCESSOR_ARCHITECTURE", text("AMD64"))], &[]);
    let child = block.for_bits(Bits::Bits32);
    assert_eq!(
        child.text("ProgramFiles").unwrap(),
        "C:\\Program Files (x86)"
    );
    assert_eq!(child.text("PROCESSOR_ARCHITEW6432").unwrap(), "AMD64");
    assert_eq!(child.text("PROCESSOR_ARCHITECTURE").unwrap(), "x86");
    assert_eq!(child.for_bits(Bits::Bits64), block);
}

fn machine() -> (Processes, Stored) {
    let stored = Stored {
        machine: Machine::windows_7().stored(&Account::LocalSystem).machine,
        ..Stored::default()
    };
    let mut processes = Processes::boot(Computer::default(), &stored);
    processes
        .log_on("explorer", "alice", 1, &stored)
        .expect("a free name");
    (processes, stored)
}

#[test]
fn a_change_reaches_new_children_of_explorer_alone() {
    let (mut processes, mut stored) = machine();
    let start = |processes: &mut Processes, parent: &str, name: &str| {
        processes
            .start(parent, name, Bits::Bits64, Listening::NoWindow)
            .expect("a free name");
    };
    start(&mut processes, "explorer", "cmd");
    stored
        .user
        .push(("Path".into(), expand("%USERPROFILE%\\go\\bin")));
    let before = processes.get("explorer").unwrap().block.clone();
    start(&mut processes, "explorer", "unaware");
    let reached = processes
        .broadcast("cmd", ENVIRONMENT, &mut |_| stored.clone())
        .unwrap();
    assert_eq!(reached, ["explorer"]);
    start(&mut processes, "explorer", "new");
    start(&mut processes, "cmd", "child of old");
    let path = |name: &str| processes.get(name).unwrap().block.text("Path").unwrap();
    assert!(path("new").ends_with(";C:\\Users\\alice\\go\\bin"));
    for old in ["cmd", "unaware", "child of old"] {
        assert_eq!(processes.get(old).unwrap().block, before, "{old}");
    }
}

#[test]
fn session_0_is_a_world_of_its_own() {
    let (mut processes, mut stored) = machine();
    stored.machine.push(("NEW".into(), text("1")));
    processes
        .start_service("agent", Account::LocalSystem, &stored, &[])
        .unwrap();
    let reached = processes
        .broadcast("agent", ENVIRONMENT, &mut |_| stored.clone())
        .unwrap();
    assert_eq!(
        reached,
        Vec::<String>::new(),
        "its broadcast reaches no desktop"
    );
    processes
        .broadcast("explorer", ENVIRONMENT, &mut |_| stored.clone())
        .unwrap();
    assert_eq!(
        processes
            .get("explorer")
            .unwrap()
            .block
            .text("NEW")
            .as_deref(),
        Some("1")
    );
    assert_eq!(
        processes.get(SERVICES).unwrap().block.text("NEW"),
        None,
        "until the next start"
    );
    let own = [("GOFLAGS".into(), "-mod=mod".into())];
    let user = Stored {
        ..Machine::windows_7().stored(&Account::LocalService)
    };
    processes
        .start_service("local", Account::LocalService, &user, &own)
        .unwrap();
    let block = |name: &str| processes.get(name).unwrap().block.clone();
    let system = block("agent");
    assert_eq!(
        system.text("USERPROFILE").unwrap(),
        "C:\\Windows\\system32\\config\\systemprofile"
    );
    assert_eq!(
        (
            system.text("USERNAME").unwrap(),
            system.text("TEMP").unwrap()
        ),
        ("WIN7$".into(), "C:\\Windows\\TEMP".into())
    );
    assert_eq!(system.text("SESSIONNAME"), None);
    let local = block("local");
    let temp = "C:\\Windows\\ServiceProfiles\\LocalService\\AppData\\Local\\Temp";
    assert_eq!(
        (
            local.text("TMP").unwrap().as_str(),
            local.text("GOFLAGS").as_deref()
        ),
        (temp, Some("-mod=mod"))
    );
    assert!(processes.log_on("second", "bob", 0, &stored).is_err());
}

#[test]
fn tools_cut_what_the_system_would_take() {
    let long = Wide::new(vec![0x61; 3000]);
    let (setx, dialog) = (cut_as_setx(&long), cut_as_path_dialog(&long));
    assert_eq!(
        (setx.value.len(), setx.lost, setx.warning.is_some()),
        (1024, 1976, true)
    );
    assert_eq!((dialog.value.len(), dialog.warning), (2047, None));
    assert_eq!(cut_as_setx(&"short".into()).lost, 0);
}

proptest! {
    #[test]
    fn anything_is_read_as_a_block(units in any::<Vec<u16>>()) {
        let block = Block::from_units(&units);
        prop_assert_eq!(Block::from_units(&block.to_units()), block);
    }

    #[test]
    fn expansion_without_variables_changes_nothing(units in any::<Vec<u16>>()) {
        let text = Wide::new(units);
        prop_assert_eq!(Block::default().expand(&text), text);
    }

    #[test]
    fn names_are_found_in_any_case(name in "[A-Za-zÀ-ÿ_()0-9]{1,12}", value in "[^\0]*") {
        let block = Block::of([(&*name, &*value)]);
        prop_assert_eq!(block.text(&name), Some(value.clone()));
        prop_assert_eq!(block.get(&Wide::from(&*name).to_upcase()), Some(&Wide::from(&*value)));
    }
}
