use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::win7::cmd::messages::Language;
use crate::win7::cmd::tools::testing::Bench;
use crate::win7::registry::{Bits, Value};

const KEY: &str = "HKCU\\Software\\T";

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.machine.set(KEY, "Test1", "Hello, World");
    bench.machine.set(KEY, "Test2", 0x123u32);
    bench
}

#[test]
fn a_query_prints_as_the_tests_of_wine_have_it() {
    let mut bench = bench();
    let key = "\r\nHKEY_CURRENT_USER\\Software\\T\r\n";
    let (test1, test2) = (
        "    Test1    REG_SZ    Hello, World\r\n",
        "    Test2    REG_DWORD    0x123\r\n",
    );
    assert_eq!(
        bench.prints("reg query HKCU\\Software\\T"),
        format!("{key}{test1}{test2}\r\n")
    );
    assert_eq!(
        bench.prints("reg query HKCU\\Software\\T /v Test1"),
        format!("{key}{test1}\r\n")
    );
    bench.machine.set(KEY, "Wine", "First instance");
    bench
        .machine
        .set("HKCU\\Software\\T\\subkey", "Test3", "Some string data");
    bench
        .machine
        .set("HKCU\\Software\\T\\subkey", "Wine", "Second instance");
    let wine1 = "    Wine    REG_SZ    First instance\r\n";
    let below = "HKEY_CURRENT_USER\\Software\\T\\subkey\r\n";
    let test3 = "    Test3    REG_SZ    Some string data\r\n";
    let wine2 = "    Wine    REG_SZ    Second instance\r\n";
    assert_eq!(
        bench.prints("reg query HKCU\\Software\\T"),
        format!("{key}{test1}{test2}{wine1}\r\n{below}")
    );
    for command in [
        "reg query HKCU\\Software\\T /s",
        "reg query HKCU\\Software\\T\\ -S",
    ] {
        assert_eq!(
            bench.prints(command),
            format!("{key}{test1}{test2}{wine1}\r\n{below}{test3}{wine2}\r\n")
        );
    }
    assert_eq!(
        bench.prints("reg query HKCU\\Software\\T /v Wine /s"),
        format!("{key}{wine1}\r\n{below}{wine2}\r\nEnd of search: 2 match(es) found.\r\n")
    );
    let mut bench = Bench::new();
    for name in ["s1", "s2"] {
        bench.machine = bench.machine.with_key(&format!("{KEY}\\{name}"), |key| key);
    }
    let name = |at| format!("HKEY_CURRENT_USER\\Software\\T\\s{at}\r\n");
    assert_eq!(
        bench.prints("reg query HKCU\\Software\\T"),
        format!("\r\n{}{}", name(1), name(2))
    );
    assert_eq!(
        bench.prints("reg query HKCU\\Software\\T /s"),
        format!("\r\n{}\r\n{}\r\n", name(1), name(2))
    );
}

#[test]
fn keys_without_values_on_the_way_down_are_listed() {
    let mut bench = Bench::new();
    bench.machine.set("HKCU\\Software\\T\\a\\b", "q", "1");
    let key = "HKEY_CURRENT_USER\\Software\\T\\a";
    assert_eq!(
        bench.prints("reg query HKCU\\Software\\T /s"),
        format!("\r\n{key}\r\n\r\n{key}\\b\r\n    q    REG_SZ    1\r\n\r\n")
    );
}

#[test]
fn what_is_missing_goes_to_the_error_output() {
    let mut bench = bench();
    let text = "ERROR: The system was unable to find the specified registry key or value.\r\n";
    for command in [
        "reg query HKCU\\Software\\Missing",
        "reg query HKCU\\Software\\T /v Missing",
        "reg query HKCU\\Software\\T /v Test1 /t REG_DWORD",
        "reg delete HKCU\\Software\\T /v Missing /f",
        "reg export HKCU\\Software\\Missing f.reg",
    ] {
        assert_eq!(bench.fails(command), (1, text.into()), "{command}");
    }
    bench.language = Language::Chinese;
    let text = "错误: 系统找不到指定的注册表项或值。\r\n";
    assert_eq!(
        bench.fails("reg query HKCU\\Software\\Missing"),
        (1, text.into())
    );
    let shown = bench.prints("reg query HKCU\\Software\\T /ve");
    assert!(
        shown.ends_with("    (默认)    REG_SZ    (数值未设置)\r\n\r\n"),
        "{shown}"
    );
}

#[test]
fn wrong_command_lines() {
    let mut bench = bench();
    for (command, text) in [
        (
            "reg",
            "ERROR: Invalid syntax.\r\nType \"REG /?\" for usage.\r\n",
        ),
        (
            "reg query HKXX\\a",
            "ERROR: Invalid key name.\r\nType \"REG QUERY /?\" for usage.\r\n",
        ),
        (
            "reg add HKCU\\a /f /f",
            "ERROR: Invalid syntax.\r\nType \"REG ADD /?\" for usage.\r\n",
        ),
    ] {
        assert_eq!(bench.fails(command), (1, text.into()));
    }
}

#[test]
fn adding_deleting_and_asking() {
    let mut bench = bench();
    let done = "The operation completed successfully.\r\n";
    assert_eq!(bench.prints("reg add HKCU\\Software\\N /f"), done);
    assert_eq!(
        bench.machine.get("HKCU\\Software\\N", ""),
        Some(Value::sz(""))
    );
    assert_eq!(
        bench.prints("reg add HKCU\\Software\\N /v a /t REG_DWORD /d 5"),
        done
    );
    bench.input = b"maybe\r\nNo\r\n";
    let asked = bench.prints("reg add HKCU\\Software\\N /v a /d x");
    let question = "Value a exists, overwrite(Yes/No)? ";
    assert_eq!(
        asked,
        format!("{question}{question}The operation was canceled by the user.\r\n")
    );
    assert_eq!(
        bench.machine.get("HKCU\\Software\\N", "a"),
        Some(Value::dword(5))
    );
    bench.input = b"y\r\n";
    assert_eq!(
        bench.prints("reg add HKCU\\Software\\N /v a /d x"),
        format!("{question}{done}")
    );
    assert_eq!(
        bench.machine.text("HKCU\\Software\\N", "a").as_deref(),
        Some("x")
    );
    bench.machine.set("HKCU\\Software\\N\\x\\y", "z", "1");
    let ran = bench.run("reg delete HKCU\\Software\\N /va /f");
    assert_eq!(ran.stdout, done);
    assert_eq!(bench.machine.get("HKCU\\Software\\N", "a"), None);
    let ran = bench.run("reg delete HKCU\\Software\\N /f");
    assert_eq!((ran.exit, &*ran.stdout), (0, done));
    let deleted: Vec<&String> = ran
        .operations
        .iter()
        .filter(|one| one.starts_with("delete key"))
        .collect();
    assert_eq!(
        deleted,
        [
            "delete key HKEY_CURRENT_USER\\Software\\N\\x\\y 0",
            "delete key HKEY_CURRENT_USER\\Software\\N\\x 0",
            "delete key HKEY_CURRENT_USER\\Software\\N 0"
        ]
    );
}

#[test]
fn users_and_views() {
    let mut bench = bench();
    bench.user = "alice";
    let denied = (1, "ERROR: Access is denied.\r\n".to_owned());
    assert_eq!(bench.fails("reg add HKLM\\SOFTWARE\\T /f"), denied);
    let privilege = "ERROR: A required privilege is not held by the client.\r\n";
    assert_eq!(
        bench.fails("reg save HKCU\\Software\\T f.hiv"),
        (1, privilege.into())
    );
    bench.user = "admin";
    bench.prints("reg add HKLM\\SOFTWARE\\T /v a /d 64 /f /reg:64");
    bench.prints("reg add HKLM\\SOFTWARE\\T /v a /d 32 /f /reg:32");
    bench.bits = Bits::Bits32;
    assert!(
        bench
            .prints("reg query HKLM\\SOFTWARE\\T /v a")
            .contains("    32\r\n")
    );
    assert!(
        bench
            .prints("reg query HKLM\\SOFTWARE\\T /v a /reg:64")
            .contains("    64\r\n")
    );
}

#[test]
fn searching() {
    let mut bench = bench();
    bench.machine.set("HKCU\\Software\\T\\hello", "x", "C:\\Go");
    let hits = "\r\nHKEY_CURRENT_USER\\Software\\T\r\n    Test1    REG_SZ    Hello, World\r\n\r\n\
                HKEY_CURRENT_USER\\Software\\T\\hello\r\n\r\nEnd of search: 2 match(es) found.\r\n";
    assert_eq!(bench.prints("reg query HKCU\\Software\\T /f hello"), hits);
    let none = bench.run("reg query HKCU\\Software\\T /f hello /c /d /s");
    assert_eq!(
        (none.exit, &*none.stdout),
        (1, "End of search: 0 match(es) found.\r\n")
    );
    assert!(
        bench
            .prints("reg query HKCU\\Software\\T /f go /d /s")
            .contains("    x    REG_SZ    C:\\Go")
    );
    assert!(
        bench
            .prints("reg query HKCU\\Software\\T /z")
            .contains("    Test2    REG_DWORD (4)    0x123")
    );
}

#[test]
fn copying_and_comparing() {
    let mut bench = bench();
    bench.machine.set("HKCU\\Software\\T\\a\\b", "x", "1");
    bench.prints("reg copy HKCU\\Software\\T HKCU\\Software\\U /f");
    assert!(bench.machine.get("HKCU\\Software\\U\\a\\b", "x").is_none());
    bench.prints("reg copy HKCU\\Software\\T HKCU\\Software\\U /s /f");
    assert_eq!(
        bench
            .machine
            .text("HKCU\\Software\\U\\a\\b", "x")
            .as_deref(),
        Some("1")
    );
    let same = bench.prints("reg compare HKCU\\Software\\T HKCU\\Software\\U /s");
    assert!(same.contains("Identical"));
    bench.machine.set("HKCU\\Software\\U\\a\\b", "x", "2");
    let ran = bench.run("reg compare HKCU\\Software\\T HKCU\\Software\\U /s");
    assert_eq!(ran.exit, 2);
    assert!(
        ran.stdout
            .contains("< Value:  HKEY_CURRENT_USER\\Software\\T\\a\\b    x    REG_SZ    1")
    );
    assert!(
        ran.stdout
            .contains("> Value:  HKEY_CURRENT_USER\\Software\\U\\a\\b    x    REG_SZ    2")
    );
    let missing = bench.run("reg compare HKCU\\Software\\T HKCU\\Software\\Missing");
    assert_eq!(missing.exit, 1);
}

#[test]
fn files_of_keys() {
    let mut bench = bench();
    bench.prints("reg export HKCU\\Software\\T f.reg");
    let exported = bench.content("C:\\lab\\f.reg").expect("it was written");
    let (text, _) = crate::win7::text::Wide::from_le_bytes(&exported);
    assert_eq!(
        text.to_string(),
        "\u{feff}Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\Software\\T]\r\n\
         \"Test1\"=\"Hello, World\"\r\n\"Test2\"=dword:00000123\r\n\r\n"
    );
    let question = "File f.reg already exists. Overwrite (Yes/No)? ";
    let ran = bench.run("reg export HKCU\\Software\\T f.reg");
    assert!(ran.stdout.starts_with(question), "{ran:?}");
    bench.file(
        "C:\\lab\\g.reg",
        "REGEDIT4\r\n\r\n[HKEY_CURRENT_USER\\Software\\G]\r\n\"a\"=\"b\"\r\n\"c\"=-\r\n",
    );
    let ran = bench.run("reg import g.reg");
    let done = "The operation completed successfully.\r\n";
    assert_eq!((ran.exit, &*ran.stdout, &*ran.stderr), (0, "", done));
    assert_eq!(
        bench.machine.text("HKCU\\Software\\G", "a").as_deref(),
        Some("b")
    );
    assert_eq!(
        ran.operations[1..],
        [
            "import HKEY_CURRENT_USER\\Software\\G 0",
            "import HKEY_CURRENT_USER\\Software\\G\\a 0",
            "import HKEY_CURRENT_USER\\Software\\G\\c 0"
        ]
    );
    bench.file(
        "C:\\lab\\m.reg",
        "REGEDIT4\r\n\r\n[HKEY_LOCAL_MACHINE\\SOFTWARE\\G]\r\n\"a\"=\"b\"\r\n",
    );
    bench.user = "alice";
    assert_eq!(
        bench.fails("reg import m.reg"),
        (1, "ERROR: Error accessing the registry.\r\n".into())
    );
    assert_eq!(bench.run("reg import nope.reg").exit, 1);
    bench.file("C:\\lab\\n.reg", "no script\r\n");
    assert_eq!(bench.run("reg import n.reg").exit, 1);
}

#[test]
fn what_is_not_modelled_is_refused_by_name() {
    let mut bench = bench();
    for (command, what) in [
        ("reg /?", "the help text of reg"),
        ("reg query /?", "the help text of reg query"),
        (
            "reg query \\\\pc\\HKLM\\SOFTWARE",
            "reg.exe on a remote registry, \\\\pc\\HKLM\\SOFTWARE",
        ),
        ("reg delete HKCU /f", "reg delete of a root key"),
    ] {
        bench.refuses(command, what);
    }
}

#[test]
fn what_is_exported_comes_back() {
    let fresh = Bench::new();
    let texts = prop::collection::vec(("[a-z]{1,4}", "[ -~中]{0,8}"), 1..4);
    let bytes = prop::collection::vec(any::<u8>(), 0..80);
    let mut runner = TestRunner::new(ProptestConfig::with_cases(40));
    let law = |(texts, number, bytes): (Vec<(String, String)>, u32, Vec<u8>)| {
        let mut bench = fresh.clone();
        for (name, text) in &texts {
            bench
                .machine
                .set("HKCU\\Software\\T\\below", name, text.as_str());
        }
        bench.machine.set(KEY, "number", number);
        bench.machine.set(KEY, "bytes", Value::binary(&bytes));
        let before = bench.machine.clone();
        bench.prints("reg export HKCU\\Software\\T f.reg /y");
        bench.prints("reg delete HKCU\\Software\\T /f");
        prop_assert_eq!(bench.run("reg import f.reg").exit, 0);
        prop_assert!(bench.machine.registry == before.registry);
        // Any bytes are a file that can be tried.
        bench.file("C:\\lab\\any.reg", &bytes);
        prop_assert!(bench.run("reg import any.reg").exit <= 1);
        Ok(())
    };
    runner
        .run(&(texts, any::<u32>(), bytes), law)
        .expect("it is a law");
}

/// Source: documentation of RegSaveKey, RegRestoreKey, RegLoadKey and RegUnloadKey.
#[test]
fn hives_are_saved_restored_loaded_and_unloaded() {
    let mut bench = bench();
    let done = "The operation completed successfully.\r\n";
    bench.prints("reg add HKCU\\Software\\H\\sub /v a /d 1 /f");
    assert_eq!(bench.prints("reg save HKCU\\Software\\H h.hiv"), done);
    assert!(
        bench
            .content("C:\\lab\\h.hiv")
            .is_some_and(|file| file.starts_with(b"regf"))
    );
    // A question, and no.
    bench.input = b"n\r\n";
    let asked = bench.prints("reg save HKCU\\Software\\H h.hiv");
    assert!(
        asked.starts_with("File h.hiv already exists. Overwrite (Yes/No)? "),
        "{asked}"
    );
    bench.input = b"";
    assert_eq!(bench.prints("reg save HKCU\\Software\\H h.hiv /y"), done);

    bench.prints("reg add HKCU\\Software\\H /v late /d 2 /f");
    assert_eq!(bench.prints("reg restore HKCU\\Software\\H h.hiv"), done);
    bench.fails("reg query HKCU\\Software\\H /v late");
    assert!(
        bench
            .prints("reg query HKCU\\Software\\H\\sub /v a")
            .contains("REG_SZ    1")
    );

    assert_eq!(bench.prints("reg load HKLM\\Loaded h.hiv"), done);
    assert!(
        bench
            .prints("reg query HKLM\\Loaded\\sub")
            .contains("a    REG_SZ    1")
    );
    let used = "ERROR: The process cannot access the file because it is being used by another process.\r\n";
    assert_eq!(bench.fails("reg load HKU\\Again h.hiv"), (1, used.into()));
    bench.prints("reg add HKLM\\Loaded /v new /t REG_DWORD /d 7 /f");
    assert_eq!(bench.prints("reg unload HKLM\\Loaded"), done);
    bench.fails("reg query HKLM\\Loaded");
    // What was changed is in the file.
    bench.prints("reg load HKU\\Again h.hiv");
    assert!(bench.prints("reg query HKU\\Again /v new").contains("0x7"));
    bench.prints("reg unload HKU\\Again");

    bench.file("C:\\lab\\text.txt", "text");
    let (code, said) = bench.fails("reg load HKLM\\Loaded text.txt");
    assert!(
        code == 1 && said.contains("not in a registry file format"),
        "{said}"
    );
    for line in [
        "reg save HKCU\\Software\\nope n.hiv",
        "reg restore HKCU\\Software\\nope h.hiv",
        "reg restore HKCU\\Software\\H nope.hiv",
        "reg load HKLM\\Loaded nope.hiv",
        "reg load HKCU\\Loaded h.hiv",
        "reg load HKLM\\a\\b h.hiv",
        "reg load HKLM\\SOFTWARE h.hiv",
        "reg unload HKLM\\SOFTWARE",
        "reg unload HKLM\\nope",
        "reg unload HKLM\\x /y",
        "reg save HKCU\\Software\\H",
    ] {
        assert_eq!(bench.fails(line).0, 1, "{line}");
    }
    bench.user = "alice";
    for line in [
        "reg load HKLM\\Loaded h.hiv",
        "reg unload HKLM\\Loaded",
        "reg restore HKCU\\Software\\H h.hiv",
    ] {
        assert!(bench.fails(line).1.contains("privilege"), "{line}");
    }
}

/// Source: documentation of "Registry Virtualization", which shows the output.
#[test]
fn flags_are_shown_and_set() {
    let mut bench = bench();
    bench.prints("reg add HKLM\\Software\\AppKey1 /f");
    let shown = |states: [&str; 3]| {
        let [one, two, three] = states;
        format!(
            "\r\nHKEY_LOCAL_MACHINE\\Software\\AppKey1\r\n\r\n        REG_KEY_DONT_VIRTUALIZE: {one}\r\n        \
             REG_KEY_DONT_SILENT_FAIL: {two}\r\n        REG_KEY_RECURSE_FLAG: {three}\r\n\r\n\
             The operation completed successfully.\r\n"
        )
    };
    let query = "reg flags HKLM\\Software\\AppKey1 QUERY";
    assert_eq!(bench.prints(query), shown(["CLEAR"; 3]));
    bench.prints("reg flags HKLM\\Software\\AppKey1 set dont_virtualize RECURSE_FLAG /reg:64");
    assert_eq!(bench.prints(query), shown(["SET", "CLEAR", "SET"]));
    // New keys below get them.
    bench.prints("reg add HKLM\\Software\\AppKey1\\new /f");
    assert!(
        bench
            .prints("reg flags HKLM\\Software\\AppKey1\\new query")
            .contains("VIRTUALIZE: SET")
    );
    bench.prints("reg flags HKLM\\Software\\AppKey1 set");
    assert_eq!(bench.prints(query), shown(["CLEAR"; 3]));
    for line in [
        "reg flags HKLM\\Software\\AppKey1",
        "reg flags HKLM\\Software\\AppKey1 query dont_virtualize",
        "reg flags HKLM\\Software\\AppKey1 set nothing",
        "reg flags HKCU\\Software\\AppKey1 query",
        "reg flags HKLM\\Software\\nope query",
    ] {
        assert_eq!(bench.fails(line).0, 1, "{line}");
    }
    bench.user = "alice";
    assert!(
        bench
            .fails("reg flags HKLM\\Software\\AppKey1 set")
            .1
            .contains("denied")
    );
}
