//! Programs on a modelled Windows: each fault shows itself where it is injected, and nowhere else.

#[allow(dead_code, reason = "each test file uses what it needs of it")]
mod support;

use faultlab_sim::scenario::{Loaded, load};
use support::judge;

const WORLD: &str = r#"
    world: Windows((
        registry: { "HKCU\\Environment": { "Path": ExpandSz("%USERPROFILE%\\bin") } },
        files: {
            "C:\\old\\go.exe": Executable,
            "C:\\Users\\admin\\go\\bin\\go.exe": Executable,
            "C:\\work\\new.reg": Encoded("utf-16le", "Windows Registry Editor Version 5.00\r\n\r\n[HKEY_CURRENT_USER\\Software\\T\\a]\r\n\"v\"=\"1\"\r\n\"broken\r\n[HKEY_CURRENT_USER\\Software\\T\\b]\r\n\"v\"=dword:1\r\n"),
        },
        programs: [
            (name: "watcher", calls: [Watch(key: "HKCU\\Environment"), AwaitChange(ms: 10000)]),
            (name: "shell", directory: "C:\\work", variables: { "PATH": "C:\\nowhere;C:\\old" }, calls: [
                Expand(text: "%PATH%", into: "path"),
                Resolve(by: Cmd, command: "go version", into: "go"),
                Import(file: "new.reg"),
                DeleteTree(key: "HKCU\\Software\\T"),
            ]),
            (name: "installer", calls: [
                Sleep(ms: 1000),
                QueryText(key: "HKCU\\Environment", value: "Path", into: "path"),
                QueryText(key: "HKCU\\Environment", value: "Path", into: "path"),
                SetText(key: "HKCU\\Environment", value: "Path", text: "{path};%USERPROFILE%\\go\\bin;LONG"),
                Broadcast,
                Launch(program: "terminal"),
            ]),
            (name: "terminal", launched: true, calls: [
                Expand(text: "%PATH%", into: "path"),
                Resolve(by: PowerShell2, command: "go", into: "go"),
            ]),
        ],
    )),
"#;

/// Each fault, whom it strikes, with what, and what is so under it alone.
const FAULTS: &[(&str, &str, &str, &str)] = &[
    (
        "stale-parent-env",
        "terminal",
        "",
        r#"Eventually((kind: "env_expand", actor: "terminal", where: { "text": Lacks("go\\bin") }))"#,
    ),
    (
        "path-entry-missing",
        "shell",
        r#""entry": "c:\\OLD""#,
        r#"Eventually((kind: "resolve", actor: "shell", where: { "file": Is("") }))"#,
    ),
    (
        "path-entry-without-exe",
        "shell",
        r#""directory": "C:\\moved""#,
        // The search goes on behind it, to the same file as before.
        r#"Sequence([
            (kind: "env_expand", actor: "shell", where: { "text": Is("C:\\moved;C:\\nowhere;C:\\old") }),
            (kind: "resolve", actor: "shell", where: { "file": Is("C:\\old\\go.exe") }),
        ])"#,
    ),
    (
        "value-changed-between-reads",
        "installer",
        r#""text": "C:\\else""#,
        r#"Eventually((kind: "reg_set", actor: "installer", where: { "data": Like("C:\\else;*") }))"#,
    ),
    (
        "notification-lost",
        "watcher",
        "",
        r#"Eventually((kind: "reg_changed", actor: "watcher", where: { "signalled": Is(false) }))"#,
    ),
    (
        "setx-1024",
        "installer",
        "",
        r#"Eventually((kind: "value_cut", where: { "said": Like("WARNING*1024*") }))"#,
    ),
    (
        "gui-2047",
        "installer",
        "",
        r#"Eventually((kind: "value_cut", where: { "said": Is("") }))"#,
    ),
];

/// A world of disks. The builder writes twice, and reads what a scanner may have taken.
const DISKS: &str = r#"
    world: Windows((
        disk: [
            ("SYSTEM", MakeTree(path: "C:\\lab\\below")),
            ("SYSTEM", Write(path: "C:\\lab\\go.exe", text: "MZ")),
            ("SYSTEM", MakeTree(path: "C:\\lab\\LONG\\LONG")),
        ],
        registry: { "HKLM\\SOFTWARE\\Lab": {} },
        programs: [
            (name: "builder", user: "admin", calls: [
                Disk(Write(path: "C:\\lab\\go.exe", text: "1")),
                Disk(Write(path: "C:\\lab\\a.out", text: "2")),
                Disk(Read(path: "C:\\lab\\go.exe")),
                Disk(Write(path: "C:\\lab\\LONG\\LONG\\LONG", text: "3")),
            ]),
            (name: "maker", user: "alice", calls: [
                Disk(Write(path: "C:\\lab\\below\\own", text: "x")),
                Disk(Open(path: "C:\\lab\\below\\own", access: "0x40")),
            ]),
            (name: "setter", calls: [SetText(key: "HKLM\\SOFTWARE\\Lab", value: "v", text: "1")]),
        ],
    )),
"#;

/// The same of faults on disks and on the DACLs of keys.
const DISK_FAULTS: &[(&str, &str, &str, &str)] = &[
    (
        "deny-ace",
        "builder",
        r#""path": "C:\\lab\\go.exe""#,
        r#"Eventually((kind: "disk", actor: "builder", where: { "path": Like("*go.exe"), "code": Is(5), "why": Like("*denied by ACE 1 (D;;DCLCRPCRSDWDWO;;;BU)*") }))"#,
    ),
    (
        "protected-dacl",
        "maker",
        r#""path": "C:\\lab\\below""#,
        r#"Eventually((kind: "disk", actor: "maker", where: { "op": Is("write"), "code": Is(5), "why": Like("*not granted by any of the 2 ACEs*") }))"#,
    ),
    (
        "creator-owner-ace",
        "maker",
        r#""path": "C:\\lab\\below""#,
        // Full control of what she made: FILE_DELETE_CHILD, which Modify has not.
        r#"Eventually((kind: "disk", actor: "maker", where: { "op": Is("open"), "code": Is(0) }))"#,
    ),
    (
        "readonly-attr",
        "builder",
        r#""path": "C:\\lab\\go.exe""#,
        r#"Eventually((kind: "disk", actor: "builder", where: { "op": Is("write"), "code": Is(5), "why": Like("*read-only attribute") }))"#,
    ),
    (
        "sharing-violation",
        "builder",
        r#""path": "C:\\lab\\go.exe""#,
        r#"All([
            Eventually((kind: "disk", actor: "builder", where: { "op": Is("write"), "path": Like("*go.exe"), "code": Is(32) })),
            Eventually((kind: "disk", actor: "builder", where: { "op": Is("read"), "path": Like("*go.exe"), "code": Is(32) })),
            Eventually((kind: "disk", actor: "builder", where: { "path": Like("*a.out"), "code": Is(0) })),
        ])"#,
    ),
    (
        "disk-full-volume",
        "builder",
        "",
        r#"Count(of: (kind: "disk", actor: "builder", where: { "op": Is("write"), "code": Is(112) }), least: 1)"#,
    ),
    (
        "write-access-denied",
        "builder",
        "",
        r#"All([
            Eventually((kind: "disk", actor: "builder", where: { "path": Like("*go.exe"), "op": Is("write"), "code": Is(0) })),
            Eventually((kind: "disk", actor: "builder", where: { "path": Like("*a.out"), "code": Is(5) })),
            Eventually((kind: "disk", actor: "builder", where: { "op": Is("read"), "code": Is(0) })),
        ])"#,
    ),
    (
        "antivirus-block",
        "builder",
        r#""path": "*.out""#,
        r#"All([
            Eventually((kind: "disk", where: { "path": Like("*go.exe"), "op": Is("write"), "code": Is(0) })),
            Eventually((kind: "disk", where: { "path": Like("*a.out"), "code": Is(225) })),
        ])"#,
    ),
    (
        "file-gone-after-scan",
        "builder",
        r#""path": "C:\\lab\\go.exe""#,
        r#"Sequence([
            (kind: "disk", actor: "builder", where: { "op": Is("write"), "path": Like("*go.exe"), "code": Is(0) }),
            (kind: "disk", actor: "builder", where: { "op": Is("read"), "path": Like("*go.exe"), "code": Is(2) }),
        ])"#,
    ),
    (
        "fixed-buffer-app",
        "builder",
        "",
        r#"Eventually((kind: "disk", actor: "builder", where: { "units": Is(259), "code": Is(0) }))"#,
    ),
    (
        "key-dacl",
        "setter",
        r#""key": "HKLM\\SOFTWARE\\Lab""#,
        r#"Eventually((kind: "reg_set", actor: "setter", where: { "code": Is(5) }))"#,
    ),
];

/// The world with a path of `long` characters, an arm for each fault, and claims that `claims` writes.
fn scenario(long: usize, claims: &str) -> Loaded {
    of_world(WORLD, FAULTS, long, claims)
}

fn of_world(world: &str, faults: &[(&str, &str, &str, &str)], long: usize, claims: &str) -> Loaded {
    let arms: String = faults
        .iter()
        .map(|(fault, at, params, _)| {
            let when = match *fault {
                "write-access-denied" => "when: (nth: 2), ",
                "file-gone-after-scan" => "when: (nth: 3), ",
                _ => "",
            };
            format!(
                "(name: {fault:?}, faults: [(name: {fault:?}, at: {at:?}, {when}params: {{ {params} }})]),\n"
            )
        })
        .collect();
    let world = world.replace("LONG", &"x".repeat(long));
    let text = format!(
        "Scenario(version: 1, id: \"t\", title: \"t\", story: (said: \"\", happens: \"\", why: \"\", see: \"\"),
         {world}
         cases: [(search: Run)],
         arms: [(name: \"baseline\"), {arms}],
         claims: [{claims}])"
    );
    let loaded = load("t", &text, &mut |name| Err(format!("no {name}")));
    loaded.unwrap_or_else(|mistake| panic!("{mistake}"))
}

fn all_as_expected(loaded: &Loaded) {
    for claim in judge(loaded).claims {
        assert!(claim.is_as_expected(), "{claim:#?}");
    }
}

/// That each fault's pattern is so under it, and under no other.
fn claims_of(faults: &[(&str, &str, &str, &str)]) -> String {
    let claims = faults.iter().map(|(fault, _, _, pattern)| {
        format!(
            "(id: {fault:?}, says: \"\", claim: Some({pattern}), arms: [{fault:?}],
                  expected: HoldsUnder({fault:?})),\n"
        )
    });
    claims.collect()
}

#[test]
fn each_fault_shows_itself_where_it_is_injected() {
    all_as_expected(&scenario(3000, &claims_of(FAULTS)));
}

#[test]
fn each_fault_of_disks_shows_itself_where_it_is_injected() {
    all_as_expected(&of_world(DISKS, DISK_FAULTS, 120, &claims_of(DISK_FAULTS)));
}

#[test]
fn every_fault_of_windows_programs_has_a_test() {
    use faultlab_sim::win7::program;
    let tested = || FAULTS.iter().chain(DISK_FAULTS).map(|(fault, ..)| *fault);
    // These are shown by scenarios: path-lost-update and gbk-source.
    let elsewhere = ["registry-access-denied", "source-encoding"];
    for spec in program::FAULTS.iter().chain(program::DISK_FAULTS) {
        let is_tested = tested().chain(elsewhere).any(|name| name == spec.name);
        assert!(is_tested, "{}", spec.name);
    }
}

#[test]
fn what_a_scanner_answers_is_a_parameter() {
    for code in [226, 5, 32] {
        let params = format!("\"path\": \"*.out\", \"code\": {code}");
        let faults = [("antivirus-block", "builder", &*params, "")];
        let claims = format!(
            r#"(id: "code", says: "", expected: HoldsUnder("antivirus-block"), arms: ["antivirus-block"],
                claim: Some(Eventually((kind: "disk", where: {{ "path": Like("*a.out"), "code": Is({code}) }}))))"#
        );
        all_as_expected(&of_world(DISKS, &faults, 3, &claims));
    }
}

#[test]
fn a_fault_that_cannot_be_is_refused_or_decides_nothing() {
    let with = |fault, params| {
        let arm = format!(
            "(name: \"f\", faults: [(name: {fault:?}, at: \"*\", params: {{ {params} }})])"
        );
        let text = format!(
            "Scenario(version: 1, id: \"t\", title: \"t\", story: (said: \"\", happens: \"\", why: \"\", see: \"\"),
             {DISKS} cases: [(search: Run)], arms: [(name: \"baseline\"), {arm}],
             claims: [(id: \"c\", says: \"\", on: \"baseline\", arms: [\"f\"], expected: Undecided,
                       claim: Some(Eventually((kind: \"nothing-of-that-kind\")))) ])"
        );
        let text = text.replace("nothing-of-that-kind", "value_cut");
        load("t", &text, &mut |name| Err(format!("no {name}")))
    };
    for (fault, params, said) in [
        ("deny-ace", r#""path": "lab""#, "no full path"),
        (
            "deny-ace",
            r#""path": "C:\\lab", "entry": "(A;;FA;;;BU)""#,
            "denies nothing",
        ),
        (
            "deny-ace",
            r#""path": "C:\\lab", "entry": "(D;;ZZ;;;BU)""#,
            "ERROR_INVALID_ACL",
        ),
        ("key-dacl", r#""key": "HKXX\\Lab""#, "no root key"),
        ("antivirus-block", r#""code": 7"#, "225, 226, 5 or 32"),
    ] {
        let loaded = with(fault, params).unwrap_or_else(|mistake| panic!("{mistake}"));
        let judging = faultlab_sim::scenario::Judging {
            seed: 0,
            executor: &faultlab_sim::scenario::Sequential,
            progress: &|_| {},
        };
        let mistake = loaded.judge(&judging).expect_err(fault).to_string();
        assert!(mistake.contains(said), "{mistake}");
    }
    for (fault, params) in [
        ("deny-ace", r#""path": "C:\\lab\\nope""#),
        ("readonly-attr", r#""path": "C:\\lab\\nope""#),
        ("key-dacl", r#""key": "HKLM\\SOFTWARE\\Nope""#),
    ] {
        let loaded = with(fault, params).unwrap_or_else(|mistake| panic!("{mistake}"));
        all_as_expected(&loaded);
    }
}

#[test]
fn what_fits_is_not_cut() {
    let claims = r#"
        (id: "short", says: "", on: "baseline", claim: Some(Eventually((kind: "value_cut"))),
         arms: ["setx-1024", "gui-2047"], uncontrolled: "the other test", expected: Refuted)"#;
    all_as_expected(&scenario(0, claims));
}

#[test]
fn a_change_reaches_whoever_is_started_by_explorer_afterwards() {
    let claims = r#"
        (id: "told", says: "", expected: Holds, control: ["notification-lost"],
         claim: Every(Eventually((kind: "reg_changed", actor: "watcher", where: { "signalled": Is(true) })))),
        (id: "new-terminal", says: "", expected: Holds, control: ["stale-parent-env"], claim: Every(Sequence([
            (kind: "env_broadcast", actor: "installer", where: { "reached": Is("explorer.exe") }),
            (kind: "program_launch", actor: "installer"),
            (kind: "resolve", actor: "terminal", where: { "file": Is("C:\\Users\\admin\\go\\bin\\go.exe") }),
        ]))),
        (id: "import", says: "", expected: Holds, claim: Every(Sequence([
            (kind: "reg_import", actor: "shell", where: { "applied": Is(4), "skipped": Is(1), "code": Is(0) }),
            (kind: "reg_delete_key", where: { "key": Like("*\\T\\a") }),
            (kind: "reg_delete_key", where: { "key": Like("*\\T\\b") }),
            (kind: "reg_delete_key", where: { "key": Like("*\\T"), "code": Is(0) }),
        ]))),"#;
    all_as_expected(&scenario(3, claims));
}

#[test]
fn what_a_set_up_cannot_be_is_said_with_its_place() {
    for (from, to, expected) in [
        (
            "Launch(program: \"terminal\")",
            "Launch(program: \"shell\")",
            "no program \"shell\" waits to be launched",
        ),
        (
            "name: \"watcher\"",
            "name: \"explorer.exe\"",
            "two programs are called \"explorer.exe\"",
        ),
        (
            "directory: \"C:\\\\work\"",
            "directory: \"work\"",
            "\"work\" is no full path",
        ),
        (
            "Encoded(\"utf-16le\"",
            "Encoded(\"utf-61\"",
            "\"utf-61\" is no encoding: use utf-8,",
        ),
        (
            "\"C:\\\\old\\\\go.exe\"",
            "\"old\"",
            "\"old\" is no full path",
        ),
        (
            "Watch(key: \"HKCU",
            "Watch(key: \"HKXX",
            "\"HKXX\" is no root key",
        ),
    ] {
        let world = WORLD.replace("LONG", "");
        assert!(world.contains(from), "{from}");
        let text = format!(
            "Scenario(version: 1, id: \"t\", title: \"t\", story: (said: \"\", happens: \"\", why: \"\", see: \"\"),
             {} cases: [(search: Run)], arms: [(name: \"baseline\")], claims: [])",
            world.replace(from, to)
        );
        let mistake = load("t", &text, &mut |name| Err(format!("no {name}"))).expect_err(to);
        let said = mistake.to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_program_is_its_user_in_the_registry_too() {
    let text = r#"Scenario(version: 1, id: "t", title: "t", story: (said: "", happens: "", why: "", see: ""),
        world: Windows((programs: [
            (name: "admins", calls: [SetText(key: "HKCU\\Environment", value: "v", text: "1")]),
            (name: "alices", user: "alice", calls: [
                Sleep(ms: 10),
                QueryText(key: "HKCU\\Environment", value: "v", into: "v"),
                SetText(key: "HKLM\\SOFTWARE", value: "v", text: "1"),
            ]),
        ])),
        cases: [(search: Run)], arms: [(name: "baseline")],
        claims: [(id: "alice", says: "", expected: Holds, claim: Every(Sequence([
            (kind: "reg_set", actor: "admins", where: { "code": Is(0) }),
            (kind: "reg_query", actor: "alices", where: { "code": Is(2) }),
            (kind: "reg_set", actor: "alices", where: { "code": Is(5) }),
        ])))])"#;
    let loaded = load("t", text, &mut |name| Err(format!("no {name}")));
    all_as_expected(&loaded.unwrap_or_else(|mistake| panic!("{mistake}")));
}
