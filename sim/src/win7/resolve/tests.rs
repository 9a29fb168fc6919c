use proptest::prelude::*;

use super::*;

struct Case {
    place: Place,
    files: FileList,
}

fn case(path: &str, files: &[&str]) -> Case {
    let variables = [("PATH", path), ("PATHEXT", ".com;.exe;.bat;.cmd")];
    Case {
        place: Place::new("C:\\t", Block::of(variables)),
        files: FileList::of(files.iter().copied()),
    }
}

impl Case {
    fn cmd(&self, line: &str) -> String {
        cmd(line, &self.place, &self.files)
            .file()
            .unwrap_or_default()
    }

    fn powershell(&self, line: &str) -> String {
        powershell2(line, &self.place, &self.files)
            .file()
            .unwrap_or_default()
    }

    fn process(&self, line: &str) -> String {
        create_process(line, &self.place, &self.files).unwrap_or_default()
    }

    fn with(mut self, name: &str, value: &str) -> Case {
        self.place
            .environment
            .set(&name.into(), &value.into())
            .expect("a variable");
        self
    }
}

/// The cases of Go's `winsplitlisttests`, whose authors asked cmd.
#[test]
fn cmd_takes_path_apart_at_semicolons_outside_quotes() {
    let cases: &[(&str, &[&str])] = &[
        ("\"a\"", &["a"]),
        ("\";\"", &[";"]),
        ("\"a;b\"", &["a;b"]),
        ("\";\";", &[";"]),
        (";\";\"", &[";"]),
        ("a\";\"b", &["a;b"]),
        ("a; \"\"b", &["a", " b"]),
        ("\"a;b", &["a;b"]),
        ("\"\"a;b", &["a", "b"]),
        ("\"\"\"a;b", &["a;b"]),
        ("\"\"\"\"a;b", &["a", "b"]),
        ("a\";b", &["a;b"]),
        ("a;b\";c", &["a", "b;c"]),
        ("\"a\";b\";c", &["a", "b;c"]),
    ];
    for (path, entries) in cases {
        assert_eq!(split_path_cmd(path), *entries, "{path}");
    }
}

#[test]
fn cmd_looks_for_the_typed_name_then_for_each_extension_in_each_directory() {
    let two = case(
        "C:\\p1;C:\\p2",
        &[
            "C:\\p1\\a.bat",
            "C:\\p2\\a.exe",
            "C:\\p2\\b",
            "C:\\p1\\d.exe\\",
        ],
    );
    assert_eq!(two.cmd("a"), "C:\\p1\\a.bat");
    assert_eq!(two.cmd("A.EXE /x"), "C:\\p2\\a.exe");
    assert_eq!(two.cmd("b"), "");
    assert_eq!(two.cmd("d"), "", "a directory");
    let doubled = case("C:\\p1;C:\\p2", &["C:\\p1\\a.exe.exe", "C:\\p2\\a.exe"]);
    assert_eq!(doubled.cmd("a.exe"), "C:\\p1\\a.exe.exe");
    let text = case("C:\\p1", &["C:\\p1\\read.txt"]);
    assert_eq!(
        text.cmd("read.txt"),
        "C:\\p1\\read.txt",
        "its association opens it"
    );
    assert_eq!(text.cmd("read"), "");
}

#[test]
fn cmd_begins_where_it_is_and_can_be_told_not_to() {
    let files = ["C:\\t\\go.exe", "C:\\Go\\bin\\go.exe", "C:\\t\\sub\\go.bat"];
    let here = case("C:\\Go\\bin", &files);
    assert_eq!(here.cmd("go"), "C:\\t\\go.exe");
    assert_eq!(here.cmd("sub\\go"), "C:\\t\\sub\\go.bat");
    assert_eq!(here.cmd("..\\Go\\bin\\go"), "C:\\Go\\bin\\go.exe");
    assert_eq!(here.cmd("\\Go\\bin\\go.exe"), "C:\\Go\\bin\\go.exe");
    assert_eq!(here.cmd("\"C:/Go/bin/go\" version"), "C:\\Go\\bin\\go.exe");
    assert_eq!(here.cmd("./go"), "");
    assert_eq!(
        here.cmd("C:\\t\\missing"),
        "",
        "no search of PATH for a name with a path"
    );
    let elsewhere = case("C:\\Go\\bin", &files).with("nodefaultcurrentdirectoryinexepath", "");
    assert_eq!(elsewhere.cmd("go"), "C:\\Go\\bin\\go.exe");
    assert_eq!(elsewhere.cmd(".\\go"), "C:\\t\\go.exe");
    assert_eq!(elsewhere.process("go"), "C:\\Go\\bin\\go.exe");
}

#[test]
fn cmd_does_some_things_itself() {
    let files = case(
        "C:\\p1",
        &["C:\\p1\\set.exe", "C:\\p1\\echo.exe", "C:\\p1\\cd.bat"],
    );
    let found = |line: &str| cmd(line, &files.place, &files.files);
    for internal in [
        "set",
        "SET x=1",
        "echo.",
        "echo:x",
        "cd\\",
        "cd..",
        "dir/w",
        "@echo off",
        "if exist x",
    ] {
        assert!(matches!(found(internal), Found::BuiltIn(_)), "{internal}");
    }
    assert_eq!(files.cmd("\"set\""), "C:\\p1\\set.exe");
    assert_eq!(files.cmd("set.exe"), "C:\\p1\\set.exe");
    assert_eq!(files.cmd("settle"), "");
    assert_eq!(files.cmd(""), "");
}

#[test]
fn powershell_takes_scripts_first_and_never_the_working_directory() {
    let files = [
        "C:\\t\\go.exe",
        "C:\\p1\\go.ps1",
        "C:\\p1\\go.exe",
        "C:\\p2\\x.ps1",
        "C:\\p1\\x.exe",
        "C:\\p1\\where.exe",
    ];
    let all = case("C:\\p1;C:\\p2", &files);
    assert_eq!(all.powershell("go version"), "C:\\p1\\go.ps1");
    assert_eq!(all.powershell("go.exe"), "C:\\p1\\go.exe");
    assert_eq!(all.powershell("x"), "C:\\p1\\x.exe");
    assert_eq!(all.powershell(".\\go"), "C:\\t\\go.exe");
    assert_eq!(all.powershell("./go"), "C:\\t\\go.exe");
    assert_eq!(all.powershell("where go"), "", "an alias");
    assert_eq!(all.powershell("where.exe go"), "C:\\p1\\where.exe");
    assert_eq!(all.powershell("& 'C:\\p1\\x.exe' 1"), "C:\\p1\\x.exe");
    assert_eq!(all.powershell("\"C:\\p1\\x.exe\""), "", "a text");
    assert_eq!(case("", &files).powershell("go"), "");
    assert_eq!(case("\"C:\\p1\"", &files).powershell("go"), "");
}

#[test]
fn create_process_adds_exe_alone() {
    let files = [
        "C:\\t\\tool.bat",
        "C:\\p1\\tool.com",
        "C:\\p2\\tool.exe",
        "C:\\Windows\\w.exe",
        "C:\\p1\\w.exe",
    ];
    let all = case("C:\\p1;C:\\p2", &files);
    assert_eq!(all.process("tool x"), "C:\\p2\\tool.exe");
    assert_eq!(all.process("tool.bat x"), "C:\\t\\tool.bat");
    assert_eq!(all.process("tool. x"), "");
    assert_eq!(all.process("w"), "C:\\Windows\\w.exe");
    assert_eq!(all.process("\"w\" x"), "C:\\Windows\\w.exe");
    let quoted = case("\"C:\\p1\"", &files);
    assert_eq!(quoted.process("tool.com"), "");
    let mut caller = case("C:\\p1", &["C:\\app\\w.exe", "C:\\t\\w.exe"]);
    caller.place.caller = Some("C:\\app".into());
    assert_eq!(caller.process("w"), "C:\\app\\w.exe");
}

#[test]
fn create_process_tries_an_unquoted_line_at_each_blank() {
    let line = "C:\\Program Files\\My Go\\go.exe version";
    let file = |path: &'static str| case("", &[path]).process(line);
    for found in [
        "C:\\Program.exe",
        "C:\\Program Files\\My.exe",
        "C:\\Program Files\\My Go\\go.exe",
    ] {
        assert_eq!(file(found), found);
    }
    assert_eq!(file("C:\\Program Files\\My Go\\go"), "");
    let quoted = case("", &["C:\\Program.exe", "C:\\Program Files\\My Go\\go.exe"]);
    assert_eq!(
        quoted.process("\"C:\\Program Files\\My Go\\go\" version"),
        "C:\\Program Files\\My Go\\go.exe"
    );
    assert_eq!(
        case("C:\\p1", &["C:\\p1\\a b.exe"]).process("a b"),
        "C:\\p1\\a b.exe"
    );
}

#[test]
fn full_paths_have_no_dots_left() {
    let cases = [
        ("a", "C:\\t\\a"),
        (".\\a", "C:\\t\\a"),
        ("..\\..\\..\\a", "C:\\a"),
        ("\\a", "C:\\a"),
        ("C:a", "C:\\t\\a"),
        ("D:a", "D:\\a"),
        ("c:/x/y.", "c:\\x\\y"),
        ("C:\\x.\\y. .", "C:\\x\\y"),
        ("\\\\server\\share\\x", "\\\\server\\share\\x"),
    ];
    for (path, full) in cases {
        assert_eq!(full_path("C:\\t", path), full, "{path}");
    }
}

proptest! {
    #[test]
    fn any_line_is_searched(line in "\\PC{0,20}", path in "\\PC{0,20}", file in "\\PC{0,12}") {
        let any = case(&path, &[&file]);
        let _ = (any.cmd(&line), any.powershell(&line), any.process(&line));
    }

    /// A directory put in front wins wherever it has the file, and changes nothing where it has not.
    #[test]
    fn a_prepended_entry_decides_if_it_has_the_file(own in any::<bool>()) {
        let files: &[&str] = if own { &["C:\\new\\go.exe", "C:\\old\\go.exe"] } else { &["C:\\old\\go.exe"] };
        let case = case("C:\\new;C:\\old", files);
        let expected = if own { "C:\\new\\go.exe" } else { "C:\\old\\go.exe" };
        prop_assert_eq!(case.cmd("go"), expected);
        prop_assert_eq!(case.powershell("go"), expected);
        prop_assert_eq!(case.process("go"), expected);
    }
}
