//! Handles, links, views, HKCR and notification, as Wine's tests hold them against real Windows
//! (`dlls/advapi32/tests/registry.c`); named after the functions there where one is followed.

use super::error::*;
use super::*;

const USER: &str = "S-1-5-21-1-2-3-1000";

fn admin() -> Caller {
    Caller::new(USER, Standing::Administrator)
}

fn all(flag: Access) -> CreateOptions {
    CreateOptions {
        access: Access::ALL.with(flag),
        ..CreateOptions::default()
    }
}

const NO_FLAG: Access = Access(0);

/// A registry, and a caller.
struct Lab {
    registry: Registry,
    caller: Caller,
}

impl Lab {
    fn new() -> Lab {
        Lab {
            registry: Registry::with_hives(&[USER, "S-1-5-20"]),
            caller: admin(),
        }
    }

    fn of_bits(bits: Bits) -> Lab {
        Lab {
            caller: admin().of_bits(bits),
            ..Lab::new()
        }
    }

    fn create(&mut self, at: impl Into<At>, sub: &str, flag: Access) -> Handle {
        let created = self
            .registry
            .create(&self.caller, at, &units(sub), all(flag));
        created.unwrap_or_else(|error| panic!("{sub}: {error}")).0
    }

    fn open(&mut self, at: impl Into<At>, sub: &str, access: Access) -> Result<Handle, OpenError> {
        self.registry.open(&self.caller, at, &units(sub), access)
    }

    /// The value `value` of a key that is created if it lacks; 0 if there is none.
    fn value_of(&mut self, at: impl Into<At>, sub: &str, flag: Access) -> u8 {
        let handle = self.create(at, sub, flag);
        let value = self.registry.query(handle, "value");
        self.registry.close(handle).expect("it is open");
        value.map_or(0, |value| value.data[0])
    }
}

const FLAGS: [Access; 3] = [NO_FLAG, Access::WOW64_64KEY, Access::WOW64_32KEY];

#[test]
fn redirection() {
    for bits in [Bits::Bits32, Bits::Bits64] {
        let mut lab = Lab::of_bits(bits);
        let own = if bits == Bits::Bits32 { 32 } else { 64 };
        for (flag, number) in [(Access::WOW64_64KEY, 64), (Access::WOW64_32KEY, 32)] {
            let key = lab.create(Root::LocalMachine, "Software\\Wine\\Winetest", flag);
            lab.registry
                .set(key, "value", Value::dword(number))
                .expect("it is new");
        }
        let hklm = Root::LocalMachine;
        // Each key that is opened, with what is found below it under no flag, the 64 and the 32-bit flag.
        let node = [32, 32, 32];
        let lost = [0, 0, 0];
        let software = if bits == Bits::Bits32 {
            node
        } else {
            [64, 64, 32]
        };
        let beyond = if bits == Bits::Bits32 { lost } else { node };
        for (opened, flag, below, expected) in [
            ("Software", NO_FLAG, "Wine\\Winetest", software),
            ("Software", NO_FLAG, "Wow6432Node\\Wine\\Winetest", beyond),
            (
                "Software",
                Access::WOW64_64KEY,
                "Wine\\Winetest",
                [64, 64, 32],
            ),
            (
                "Software",
                Access::WOW64_64KEY,
                "Wow6432Node\\Wine\\Winetest",
                node,
            ),
            ("Software", Access::WOW64_32KEY, "Wine\\Winetest", node),
            (
                "Software",
                Access::WOW64_32KEY,
                "Wow6432Node\\Wine\\Winetest",
                lost,
            ),
            ("Software\\Wow6432Node", NO_FLAG, "Wine\\Winetest", node),
            (
                "Software\\Wow6432Node",
                Access::WOW64_64KEY,
                "Wine\\Winetest",
                node,
            ),
            ("Software\\Wow6432Node\\Wine", NO_FLAG, "Winetest", node),
            ("Software\\Wine", NO_FLAG, "Winetest", software),
            (
                "Software\\Wine",
                Access::WOW64_64KEY,
                "Winetest",
                [64, 64, 32],
            ),
            ("Software\\Wine", Access::WOW64_32KEY, "Winetest", node),
        ] {
            let key = lab.create(hklm, opened, flag);
            let found = FLAGS.map(|flag| lab.value_of(key, below, flag));
            assert_eq!(
                found, expected,
                "{bits:?}: {opened} with {flag:?}, then {below}"
            );
        }
        let found = FLAGS.map(|flag| lab.value_of(hklm, "Software\\Wine\\Winetest", flag));
        assert_eq!(found, [own, 64, 32]);
        let found =
            FLAGS.map(|flag| lab.value_of(hklm, "Software\\Wow6432Node\\Wine\\Winetest", flag));
        assert_eq!(found, node);
        let both = Access::WOW64_32KEY.with(Access::WOW64_64KEY);
        assert_eq!(
            lab.open(hklm, "Software", both),
            Err(OpenError::InvalidParameter)
        );
    }
}

#[test]
fn symlinks() {
    let mut lab = Lab::new();
    let main = lab.create(Root::CurrentUser, "Software\\Wine\\Test", NO_FLAG);
    let link_options = CreateOptions {
        link: true,
        ..all(NO_FLAG)
    };
    let (link, _) = lab
        .registry
        .create(&lab.caller, main, &units("link"), link_options.clone())
        .expect("it is new");
    let target = format!("\\Registry\\User\\{USER}\\Software\\Wine\\Test\\target");
    let target = Value::new(Kind::LINK, value::bytes_of(units(&target)));
    let denied = Err(WriteError::AccessDenied);
    assert_eq!(
        lab.registry
            .set(link, "SymbolicLinkValue", Value::sz("foobar")),
        denied
    );
    assert_eq!(lab.registry.set(link, "link", target.clone()), denied);
    lab.registry
        .set(link, "SymbolicLinkValue", target.clone())
        .expect("that is its target");

    assert_eq!(
        lab.open(main, "link", Access::ALL),
        Err(OpenError::FileNotFound)
    );
    let key = lab.create(main, "target", NO_FLAG);
    lab.registry
        .set(key, "value", Value::dword(0xbeef))
        .expect("it is new");
    for through in [
        lab.open(main, "link", Access::ALL)
            .expect("the target is there"),
        lab.create(main, "link", NO_FLAG),
    ] {
        assert_eq!(
            lab.registry.query(through, "value"),
            Ok(Value::dword(0xbeef))
        );
        let absent = Err(ReadError::FileNotFound);
        assert_eq!(lab.registry.query(through, "SymbolicLinkValue"), absent);
        // A plain key takes a value of that name and type.
        lab.registry
            .set(through, "SymbolicLinkValue", target.clone())
            .expect("it is no link");
        lab.registry
            .delete_value_of(through, "SymbolicLinkValue")
            .expect("it was set");
    }
    let opened = lab
        .registry
        .open_link(&lab.caller, main, &units("link"), Access::ALL);
    let opened = opened.expect("the link itself");
    assert_eq!(lab.registry.query(opened, "symboliclinkvalue"), Ok(target));
    let again = lab
        .registry
        .create(&lab.caller, main, &units("link"), link_options.clone());
    assert_eq!(again, Err(CreateError::AlreadyExists));

    let delete = |lab: &mut Lab, sub: &str| {
        lab.registry
            .delete_below(&lab.caller, main, &units(sub), NO_FLAG)
    };
    assert_eq!(delete(&mut lab, "target"), Ok(()));
    assert_eq!(delete(&mut lab, "link"), Err(DeleteError::FileNotFound));
    assert_eq!(lab.registry.delete_open(link), Ok(()));
    assert_eq!(delete(&mut lab, "link"), Err(DeleteError::FileNotFound));
}

#[test]
fn links_without_end_lead_nowhere() {
    let mut registry = Lab::new().registry;
    registry.link("MACHINE\\SOFTWARE\\a", "MACHINE\\SOFTWARE\\b");
    registry.link("MACHINE\\SOFTWARE\\b", "MACHINE\\SOFTWARE\\a");
    let error = registry.check_open(&admin(), &"HKLM\\SOFTWARE\\a\\x".into(), Access::READ);
    assert_eq!(error, Err(OpenError::FilenameExcedRange));
}

#[test]
fn classesroot() {
    let mut lab = Lab::new();
    let class = "Software\\Classes\\WineTestCls";
    // Only the user has it.
    let hkcu = lab.create(Root::CurrentUser, class, NO_FLAG);
    let hkcr = lab
        .open(Root::ClassesRoot, "WineTestCls", Access::ALL)
        .expect("the user's");
    lab.registry
        .set(hkcu, "val1", Value::sz("user"))
        .expect("open");
    assert_eq!(lab.registry.query(hkcr, "val1"), Ok(Value::sz("user")));
    lab.registry
        .set(hkcr, "val1", Value::sz("hkcr"))
        .expect("open");
    lab.registry
        .set(hkcr, "val0", Value::sz("hkcr"))
        .expect("open");
    assert_eq!(lab.registry.query(hkcu, "val1"), Ok(Value::sz("hkcr")));
    assert_eq!(lab.registry.query(hkcu, "val0"), Ok(Value::sz("hkcr")));
    lab.registry.delete_open(hkcu).expect("it has no subkeys");
    assert_eq!(lab.registry.query(hkcr, "val0"), Err(ReadError::KeyDeleted));

    // Only the machine has it, then both.
    let hklm = lab.create(Root::LocalMachine, class, NO_FLAG);
    let hkcr = lab
        .open(Root::ClassesRoot, "WineTestCls", Access::ALL)
        .expect("the machine's");
    lab.registry
        .set(hkcr, "val2", Value::sz("hkcr"))
        .expect("open");
    assert_eq!(lab.registry.query(hklm, "val2"), Ok(Value::sz("hkcr")));
    let hkcu = lab.create(Root::CurrentUser, class, NO_FLAG);
    lab.registry
        .set(hkcu, "val2", Value::sz("user"))
        .expect("open");
    assert_eq!(lab.registry.query(hkcr, "val2"), Ok(Value::sz("user")));
    lab.registry
        .set(hkcr, "val2", Value::sz("both"))
        .expect("open");
    assert_eq!(lab.registry.query(hklm, "val2"), Ok(Value::sz("hkcr")));

    // Subkeys: the user's first, new ones for the machine.
    lab.create(hklm, "subkey1", NO_FLAG);
    let below = lab
        .open(hkcr, "subkey1", Access::ALL)
        .expect("the machine's");
    lab.create(hkcu, "subkey1", NO_FLAG);
    lab.registry
        .set(below, "subval1", Value::sz("hkcr"))
        .expect("open");
    let place = KeyPath::from(&*format!("HKCU\\{class}\\subkey1"));
    assert_eq!(
        lab.registry.value(&lab.caller, &place, "subval1"),
        Ok(Value::sz("hkcr"))
    );
    lab.create(hkcr, "subkey2", NO_FLAG);
    assert_eq!(
        lab.open(hkcu, "subkey2", Access::READ),
        Err(OpenError::FileNotFound)
    );
    assert!(lab.open(hklm, "subkey2", Access::READ).is_ok());
    let names: Vec<String> = (0..2)
        .map(|nth| lab.registry.enum_key(hkcr, nth).expect("two").to_string())
        .collect();
    assert_eq!(names, ["subkey1", "subkey2"]);
    assert_eq!(lab.registry.enum_key(hkcr, 2), Err(ReadError::NoMoreItems));
    for left in [true, false] {
        lab.registry
            .delete_below(&lab.caller, hkcr, &units("subkey1"), NO_FLAG)
            .expect("still one");
        assert_eq!(lab.open(hklm, "subkey1", Access::READ).is_ok(), left);
    }
}

#[test]
fn classes_enumerate_as_one_key() {
    let mut lab = Lab::new();
    for (root, values, keys) in [
        (Root::CurrentUser, ["X", "Y"], ["A", "B"]),
        (Root::LocalMachine, ["X", "Z"], ["A", "C"]),
    ] {
        let key = lab.create(root, "Software\\Classes\\WineTestCls", NO_FLAG);
        for (value, below) in values.into_iter().zip(keys) {
            lab.registry
                .set(key, value, Value::sz(root.short_name()))
                .expect("new");
            lab.create(key, below, NO_FLAG);
        }
    }
    let path = KeyPath::from("HKCR\\WineTestCls");
    let values = lab
        .registry
        .values(&lab.caller, &path)
        .expect("it is there");
    let shown: Vec<String> = values
        .iter()
        .map(|(name, value)| format!("{name}={}", value.shown()))
        .collect();
    assert_eq!(shown, ["X=HKCU", "Y=HKCU", "Z=HKLM"]);
    let keys = lab
        .registry
        .key_names(&lab.caller, &path)
        .expect("it is there");
    assert_eq!(keys, ["A", "B", "C"].map(Name::from));
}

#[test]
fn deleted_key() {
    let mut lab = Lab::new();
    let key = lab.create(Root::CurrentUser, "Software\\T", NO_FLAG);
    lab.registry
        .delete_key(&lab.caller, &"HKCU\\Software\\T".into())
        .expect("it is empty");
    // A key of the same name is another key.
    lab.create(Root::CurrentUser, "Software\\T", NO_FLAG);
    assert_eq!(lab.registry.query(key, "v"), Err(ReadError::KeyDeleted));
    assert_eq!(lab.registry.enum_key(key, 0), Err(ReadError::KeyDeleted));
    assert_eq!(
        lab.registry.set(key, "v", Value::dword(1)),
        Err(WriteError::KeyDeleted)
    );
    assert_eq!(lab.open(key, "x", Access::READ), Err(OpenError::KeyDeleted));
    let create = lab
        .registry
        .create(&lab.caller, key, &units("x"), all(NO_FLAG));
    assert_eq!(create, Err(CreateError::KeyDeleted));
    assert_eq!(lab.registry.delete_open(key), Err(DeleteError::KeyDeleted));
    assert_eq!(lab.registry.close(key), Ok(()));
    assert_eq!(lab.registry.close(key), Err(HandleError::InvalidHandle));
    assert_eq!(
        lab.open(key, "", Access::READ),
        Err(OpenError::InvalidHandle)
    );
}

#[test]
fn a_handle_may_what_it_was_opened_for() {
    let mut lab = Lab::new();
    let key = lab.create(Root::CurrentUser, "Software\\T", NO_FLAG);
    lab.registry
        .set(key, "v", Value::dword(1))
        .expect("all access");
    let reads = lab
        .open(key, "", Access::QUERY_VALUE)
        .expect("the key again");
    assert_ne!(reads, key);
    assert_eq!(lab.registry.query(reads, "V"), Ok(Value::dword(1)));
    assert_eq!(
        lab.registry.set(reads, "v", Value::dword(2)),
        Err(WriteError::AccessDenied)
    );
    assert_eq!(
        lab.registry.enum_key(reads, 0),
        Err(ReadError::AccessDenied)
    );
    assert_eq!(
        lab.registry.delete_open(reads),
        Err(DeleteError::AccessDenied)
    );
    let notify = lab.registry.notify(reads, true, Filter::NAME, Event(1));
    assert_eq!(notify, Err(NotifyError::AccessDenied));
    // Creating asks the parent key, not the access of its handle.
    lab.create(reads, "below", NO_FLAG);
    let most = lab
        .open(key, "", Access::MAXIMUM_ALLOWED)
        .expect("an administrator");
    assert_eq!(lab.registry.access_of(most), Ok(Access::ALL));
    let generic = lab
        .open(key, "", Access(0x8000_0000))
        .expect("GENERIC_READ");
    assert_eq!(lab.registry.access_of(generic), Ok(Access::READ));
}

#[test]
fn paths_and_their_limits() {
    let mut lab = Lab::new();
    let hkcu = Root::CurrentUser;
    assert_eq!(
        lab.open(hkcu, "\\Software", Access::READ),
        Err(OpenError::BadPathname)
    );
    assert!(lab.open(Root::ClassesRoot, "\\clsid", Access::READ).is_ok());
    assert!(lab.open(Root::ClassesRoot, "\\", Access::READ).is_ok());
    assert!(lab.open(hkcu, "Software\\\\", Access::READ).is_ok());
    let long = "k".repeat(256);
    let create = |lab: &mut Lab, sub: &str| {
        lab.registry
            .create_key(&lab.caller, &KeyPath::new(hkcu, &units(sub)))
    };
    assert_eq!(create(&mut lab, &long[1..]), Ok(Disposition::Created));
    assert_eq!(create(&mut lab, &long), Err(CreateError::InvalidParameter));
    let deep = vec!["d"; 33].join("\\");
    assert_eq!(
        create(&mut lab, &deep),
        Err(CreateError::FilenameExcedRange)
    );
    assert_eq!(create(&mut lab, &deep[2..]), Ok(Disposition::Created));
    let name = "n".repeat(16_384);
    let software = KeyPath::from("HKCU\\Software");
    let set = |lab: &mut Lab, name: &str| {
        lab.registry
            .set_value(&lab.caller, &software, name, Value::dword(1))
    };
    assert_eq!(set(&mut lab, &name), Err(WriteError::InvalidParameter));
    assert_eq!(set(&mut lab, &name[1..]), Ok(()));
    // 512 levels, 32 at a time.
    let mut key = lab.create(hkcu, "Software", NO_FLAG);
    let step = vec!["d"; 30].join("\\");
    let mut levels = 2;
    while levels + 30 <= MAX_DEPTH {
        key = lab.create(key, &step, NO_FLAG);
        levels += 30;
    }
    while levels < MAX_DEPTH {
        key = lab.create(key, "d", NO_FLAG);
        levels += 1;
    }
    let beyond = lab
        .registry
        .create(&lab.caller, key, &units("d"), all(NO_FLAG));
    assert_eq!(beyond, Err(CreateError::FilenameExcedRange));
}

#[test]
fn volatile_keys_and_roots() {
    let mut lab = Lab::new();
    let volatile = CreateOptions {
        volatile: true,
        ..CreateOptions::default()
    };
    let create = |lab: &mut Lab, path: &str, options| {
        lab.registry
            .create_key_with(&lab.caller, &path.into(), options)
    };
    let plain = CreateOptions::default();
    assert_eq!(
        create(&mut lab, "HKCU\\Software\\V\\W", volatile),
        Ok(Disposition::Created)
    );
    let stable = create(&mut lab, "HKCU\\Software\\V\\W\\x", plain.clone());
    assert_eq!(stable, Err(CreateError::ChildMustBeVolatile));
    assert_eq!(
        create(&mut lab, "HKCU\\Software\\V\\W", plain.clone()),
        Ok(Disposition::Opened)
    );
    for root in ["HKLM\\NewTop", "HKU\\NewTop"] {
        assert_eq!(
            create(&mut lab, root, plain.clone()),
            Err(CreateError::InvalidParameter)
        );
    }
    for root in [
        "HKLM",
        "HKU",
        "HKCU",
        "HKLM\\SOFTWARE",
        "HKLM\\SECURITY",
        "HKU\\.DEFAULT",
    ] {
        let deleted = lab.registry.delete_key(&lab.caller, &root.into());
        assert_eq!(deleted, Err(DeleteError::AccessDenied), "{root}");
    }
}

#[test]
fn notify_change_key_value() {
    let mut lab = Lab::new();
    let both = Filter(Filter::NAME.0 | Filter::LAST_SET.0);
    let key = lab.create(Root::CurrentUser, "Software\\TestKey", NO_FLAG);
    let event = Event(7);
    let fired = |lab: &mut Lab| lab.registry.take_signal(event);
    let arm =
        |lab: &mut Lab, key, subtree, filter| lab.registry.notify(key, subtree, filter, event);
    assert_eq!(
        arm(&mut lab, key, true, Filter(0x1000_0000)),
        Err(NotifyError::InvalidParameter)
    );
    assert_eq!(arm(&mut lab, key, true, both), Ok(()));
    assert!(!fired(&mut lab));
    let below = lab.create(key, "SubKey", NO_FLAG);
    assert!(fired(&mut lab) && !fired(&mut lab), "once");
    lab.create(key, "Another", NO_FLAG);
    assert!(!fired(&mut lab), "one shot");
    // The first call fixed the filter and the subtree.
    assert_eq!(arm(&mut lab, key, false, Filter::SECURITY), Ok(()));
    let deeper = lab.create(below, "SubKey", NO_FLAG);
    assert!(fired(&mut lab));
    // Another handle has its own.
    let other = lab.open(key, "", Access::NOTIFY).expect("it is there");
    assert_eq!(arm(&mut lab, other, false, both), Ok(()));
    lab.registry
        .set(deeper, "", Value::sz("new"))
        .expect("open");
    assert!(!fired(&mut lab));
    lab.registry.set(key, "", Value::sz("new")).expect("open");
    assert!(fired(&mut lab));
    // Closing signals, and so does deletion.
    assert_eq!(arm(&mut lab, other, false, both), Ok(()));
    lab.registry.close(other).expect("open");
    assert!(fired(&mut lab));
    let other = lab.open(deeper, "", Access::NOTIFY).expect("it is there");
    assert_eq!(arm(&mut lab, other, false, Filter(0)), Ok(()));
    lab.registry.delete_open(deeper).expect("it is empty");
    assert!(fired(&mut lab));
}

#[test]
fn a_tree_is_deleted_step_by_step() {
    use super::steps::{Call, DeleteTree, Step};
    let mut lab = Lab::new();
    for path in ["HKCU\\Software\\T\\a\\b", "HKCU\\Software\\T\\c"] {
        lab.registry
            .create_key(&lab.caller, &path.into())
            .expect("new");
    }
    let mut tree = DeleteTree::new("HKCU\\Software\\T".into());
    let mut calls = Vec::new();
    while let Step::Call(call) = tree
        .step(&mut lab.registry, &lab.caller)
        .expect("no failure")
    {
        // Somebody comes in between, and only makes the work longer.
        if calls.is_empty() {
            let path = "HKCU\\Software\\T\\a\\late".into();
            lab.registry.create_key(&lab.caller, &path).expect("new");
        }
        calls.push(match call {
            Call::EnumKey(path) => format!("finds {path}"),
            Call::DeleteKey(path) => format!("deletes {path}"),
            other => format!("{other:?}"),
        });
    }
    let t = "HKEY_CURRENT_USER\\Software\\T";
    assert_eq!(
        calls,
        [
            format!("finds {t}\\a"),
            format!("finds {t}\\a\\b"),
            format!("deletes {t}\\a\\b"),
            format!("finds {t}\\a\\late"),
            format!("deletes {t}\\a\\late"),
            format!("deletes {t}\\a"),
            format!("finds {t}\\c"),
            format!("deletes {t}\\c"),
        ]
    );
    assert!(lab.registry.key(&lab.caller, &t.into()).is_none());
}

#[test]
fn all_names_of_a_key_have_one_place() {
    let machine = crate::win7::Machine::windows_7();
    let caller = machine.user().clone();
    let place = |caller: &Caller, path: &str| machine.registry.place(caller, &path.into());
    let hive = String::from_utf16_lossy(caller.hive());
    let same: [(&str, String); 3] = [
        (
            "HKCU\\Environment",
            format!("HKEY_USERS\\{hive}\\ENVIRONMENT"),
        ),
        (
            "HKLM\\SYSTEM\\CurrentControlSet\\Control\\x",
            "HKLM\\system\\ControlSet001\\control\\X".into(),
        ),
        (
            "HKCU\\Software\\Classes\\x",
            format!("HKU\\{hive}_Classes\\x"),
        ),
    ];
    for (one, other) in same {
        let places = (place(&caller, one), place(&caller, &other));
        assert!(places.0.is_some() && places.0 == places.1, "{one} {other}");
    }
    let in_32 = caller.clone().of_bits(Bits::Bits32);
    let go = "HKLM\\SOFTWARE\\Go";
    assert_ne!(place(&caller, go), place(&in_32, go));
    assert_eq!(
        place(&caller, "HKLM\\SOFTWARE\\Wow6432Node\\Go"),
        place(&in_32, go)
    );
    assert_eq!(place(&caller, "HKCR\\.txt"), None, "two keys");
}
