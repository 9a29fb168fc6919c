//! `faultlab cmd`: a user's own batch file, as a user runs it.

use std::process::Command;

use crate::{Lab, Ran, json_lines};

fn script(name: &str) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    format!("{root}/tests/batch_files/scripts/{name}")
}

#[test]
fn a_script_shows_what_its_console_would_and_what_it_changed() {
    let lab = Lab::new();
    lab.write("a.bat", "@echo off\r\necho hello %1\r\necho oops 1>&2\r\nreg add HKCU\\Software\\T /v a /d b /f >nul\r\nset X=1\r\nmd new\r\nexit /b 3\r\n");
    let ran = lab.run(&["cmd", "a.bat", "world"]);
    assert!(
        ran.stderr.contains("oops") && ran.stderr.contains("exit code 3"),
        "{ran:?}"
    );
    assert_eq!(ran.exits(1), "hello world\r\n");
    let ran = lab.run(&["cmd", "a.bat", "world", "--diff"]).exits(1);
    for change in ["Software\\T", "+ C:\\work\\new", "+ X=1"] {
        assert!(ran.contains(change), "{ran}");
    }
    let told = &json_lines(&lab.run(&["cmd", "a.bat", "--json", "--diff"]).exits(1))[0];
    assert_eq!(
        (&told["exit"], &told["stdout"]),
        (&3.into(), &"hello \r\n".into())
    );
    assert_eq!(told["diff"]["files"][0], "+ C:\\work\\new");
}

#[test]
fn a_difference_names_each_key_once_and_says_new_changed_or_gone() {
    let lab = Lab::new();
    lab.write("a.bat", "@reg add HKCU\\Software\\T /v a /d 1 /f >nul\r\n@reg add HKCU\\Software\\T /v b /d 2 /f >nul\r\n@reg add HKCU\\Environment /v N /d 3 /f >nul\r\n@set NEW=1\r\n@set PATHEXT=.X\r\n@set TEMP=\r\n");
    let told = &json_lines(&lab.run(&["cmd", "a.bat", "--json", "--diff"]).exits(0))[0]["diff"];
    let user = "HKEY_USERS\\S-1-5-21-1004336348-1177238915-682003330-1000";
    assert_eq!(
        told["registry"],
        serde_json::json!([
            format!("~ {user}\\Environment\n+     N    REG_SZ    3"),
            format!("+ {user}\\Software\\T\n+     a    REG_SZ    1\n+     b    REG_SZ    2"),
        ])
    );
    assert_eq!(
        told["variables"],
        serde_json::json!(["+ NEW=1", "~ PATHEXT=.X", "- TEMP"])
    );
}

#[test]
fn a_run_is_gone_through_step_by_step_with_what_each_operation_changed() {
    let lab = Lab::new();
    lab.write("a.bat", "@echo one>f.txt\r\n@set X=1\r\n@set X=2\r\n@ren f.txt g.txt\r\n@reg add HKCU\\Environment /v N /d 3 /f >nul\r\n@reg query HKCU\\Environment /v N >nul\r\n@setx Z 1 >nul\r\n");
    let steps = lab
        .run(&["cmd", "a.bat", "--as", "alice", "--step"])
        .exits(0);
    for line in [
        "file C:\\work\\f.txt: (not there) -> \\nO:",
        "file C:\\work\\f.txt: \\nO:",
        "%X% of a.bat: (not there) -> 1",
        "%X% of a.bat: 1 -> 2",
        "file C:\\work\\g.txt: (not there) -> one\\r\\n",
        "HKCU\\Environment\\N of alice: (not there) -> 3",
        "HKCU\\Environment\\N of alice: 3, as before",
    ] {
        let shown = steps.lines().any(|shown| shown.trim().starts_with(line));
        assert!(shown, "{line}\n{steps}");
    }
    let from = lab.run(&["cmd", "a.bat", "--step", "--at", "3"]).exits(0);
    assert!(
        from.contains("\n     3  ") && !from.contains("\n     2  "),
        "{from}"
    );
}

#[test]
fn a_page_shows_a_script_alone_and_the_shortest_run_of_two() {
    let lab = Lab::new();
    lab.write(
        "a.bat",
        "@reg add HKCU\\Software\\T /v a /d 1 /f >nul\r\n@sc query\r\n",
    );
    lab.write("b.bat", "@reg add HKCU\\Software\\T /v a /d 2 /f >nul\r\n@reg add HKCU\\Software\\T /v b /d 2 /f >nul\r\n");
    lab.write("c.bat", "@reg add HKCU\\Software\\T /v a /d 3 /f >nul\r\n@reg add HKCU\\Software\\T /v b /d 3 /f >nul\r\n");
    lab.run(&["cmd", "a.bat", "--html", "a.html"]).exits(1);
    let page = lab.read("a.html");
    for part in ["a.bat, as admin", "sc query", "operation", "Software\\\\T"] {
        assert!(page.contains(part), "{part}");
    }
    let args = ["cmd", "b.bat", "--explore", "c.bat", "--html", "race.html"];
    lab.run(&args).exits(1);
    let page = lab.read("race.html");
    for part in [
        "b.bat beside c.bat",
        "ends-as-one-after-the-other",
        "switch to",
    ] {
        assert!(page.contains(part), "{part}");
    }
    let steps = lab
        .run(&["cmd", "b.bat", "--explore", "c.bat", "--step"])
        .exits(1);
    assert!(
        steps.contains("choice: ") && steps.contains("HKCU\\Software\\T\\a: "),
        "{steps}"
    );
}

#[test]
fn users_bitness_and_language_are_those_that_were_asked_for() {
    let lab = Lab::new();
    lab.write("a.bat", "@echo %USERNAME% %PROCESSOR_ARCHITECTURE%\r\n@reg add HKLM\\SOFTWARE\\T /f >nul 2>&1\r\n@nosuch\r\n");
    let ran = lab.run(&[
        "cmd", "a.bat", "--as", "alice", "--bits", "32", "--locale", "zh-CN",
    ]);
    assert!(ran.stderr.contains("不是内部或外部命令"), "{ran:?}");
    assert_eq!(ran.exits(1), "alice x86\r\n");
}

#[test]
fn what_is_not_modelled_is_named_and_fails() {
    let lab = Lab::new();
    lab.write("a.bat", "@echo off\r\nsc query\r\necho on\r\nexit /b 0\r\n");
    let ran = lab.run(&["cmd", "a.bat"]);
    assert!(ran.stderr.contains("not modelled: sc query"), "{ran:?}");
    ran.exits(1);
}

#[test]
fn a_script_can_run_beside_itself() {
    let lab = Lab::new();
    lab.write(
        "a.bat",
        "@if exist f (echo found) else echo x>f\r\n@exit /b 0\r\n",
    );
    let ran = lab.run(&["cmd", "a.bat", "--explore", "a.bat", "--json"]);
    let told = &json_lines(&ran.exits(0))[0];
    assert_eq!(told["complete"], true, "{told}");
    // Both read the same old value: one of the two updates is lost. In the other order of whole scripts, nothing of the
    // first runs while the second waits for a program.
    lab.write("c.bat", "@for /f \"tokens=2*\" %%a in ('reg query HKCU\\Environment /v N 2^>nul') do @set N=%%b\r\n@setx N \"%N%;x\" >nul\r\n");
    let ran = lab.run(&["cmd", "c.bat", "--explore", "c.bat", "--json"]);
    let told = &json_lines(&ran.exits(1))[0];
    let outcome = told["outcome"]["registry"].as_str().expect("an end");
    assert!(!outcome.contains(";x;x") && told["races"] != "0", "{told}");
    lab.write("b.bat", "@robocopy a b\r\n");
    let told = lab.run(&["cmd", "b.bat", "--explore", "a.bat"]).exits(1);
    assert!(
        told.contains("nothing is decided") && !told.contains("each ends"),
        "{told}"
    );
}

#[test]
fn a_fault_that_strikes_nothing_says_how_calls_are_counted() {
    let lab = Lab::new();
    lab.write("a.bat", "@reg add HKCU\\Software\\T /f >nul\r\n");
    let args = ["cmd", "a.bat", "--fault", "registry-access-denied:nth=9"];
    let ran = lab.run(&args);
    for words in ["struck nothing", "for each process", "a.bat, a.bat/reg-1"] {
        assert!(ran.stderr.contains(words), "{words} {}", ran.stderr);
    }
    ran.exits(1);
}

#[test]
fn without_a_world_the_code_page_is_that_of_the_language() {
    let lab = Lab::new();
    lab.write("a.bat", "@chcp\r\n@chcp 65001\r\n@nosuch\r\n");
    let ran = lab.run(&["cmd", "a.bat"]);
    assert_eq!(
        ran.exits(1),
        "Active code page: 437\r\nActive code page: 65001\r\n"
    );
    let ran = lab.run(&["cmd", "a.bat", "--locale", "zh-CN"]);
    assert!(ran.stderr.contains("is not recognized"), "{ran:?}");
    assert_eq!(
        ran.exits(1),
        "活动代码页: 936\r\nActive code page: 65001\r\n"
    );
}

#[test]
fn bad_usage_is_said() {
    let lab = Lab::new();
    lab.write("a.bat", "@rem\r\n");
    lab.write("a.sh", "");
    lab.write("other/A.BAT", "@rem\r\n");
    lab.write("w.ron", "(registry: {");
    for (args, words) in [
        (&["cmd", "nope.bat"][..], "cannot be read"),
        (&["cmd", "a.sh"], "no batch file"),
        (
            &["cmd", "a.bat", "--as", "bob"],
            "alice, admin, admin-filtered, SYSTEM",
        ),
        (&["cmd", "a.bat", "--budget", "9"], "--explore"),
        (&["cmd", "a.bat", "--bits", "16"], "32 or 64"),
        (&["cmd", "a.bat", "--fault", "nope"], "nope"),
        (
            &["cmd", "a.bat", "--fault", "file-in-use:nth"],
            "has no value",
        ),
        (&["cmd", "a.bat", "--world", "w.ron"], "w.ron"),
        (&["cmd", "a.bat", "--explore", "other/A.BAT"], "one name"),
        (
            &["cmd", "a.bat", "--step", "--html", "a.html"],
            "cannot be used with",
        ),
        (
            &["cmd", "a.bat", "--explore", "--diff"],
            "cannot be used with",
        ),
        (&["cmd", "a.bat", "--step", "--at", "99"], "no record 99"),
        (
            &["cmd", "a.bat", "--html", "missing/a.html"],
            "missing/a.html cannot be written: there is no such folder",
        ),
    ] {
        let ran = lab.run(args);
        assert_eq!(ran.code, Some(2), "{args:?} {ran:?}");
        assert!(ran.stderr.contains(words), "{args:?} {}", ran.stderr);
    }
}

#[test]
fn a_world_of_ones_own_is_where_it_runs() {
    let lab = Lab::new();
    lab.write(
        "w.ron",
        "(registry: {\"HKLM\\\\SOFTWARE\\\\T\": {\"a\": Sz(\"from the world\")}})",
    );
    lab.write("a.bat", "@for /f \"tokens=2,*\" %%a in ('reg query HKLM\\SOFTWARE\\T /v a ^| find \"REG_\"') do @echo [%%b]\r\n");
    assert_eq!(
        lab.run(&["cmd", "a.bat", "--world", "w.ron"]).exits(0),
        "[from the world]\r\n"
    );
}

#[test]
fn a_world_may_be_written_as_in_a_scenario_and_accounts_in_any_case() {
    let lab = Lab::new();
    lab.write(
        "w.ron",
        "// ours\nWindows((files: {\"C:\\\\work\\\\x\": Text(\"1\")}))",
    );
    lab.write("tcp.ron", "Nothing");
    lab.write("a.bat", "@if exist x echo %USERNAME%\r\n");
    let args = ["cmd", "a.bat", "--world", "w.ron", "--as", "ALICE"];
    assert_eq!(lab.run(&args).exits(0), "alice\r\n");
    let ran = lab.run(&["cmd", "a.bat", "--world", "tcp.ron"]);
    assert!(
        ran.stderr.contains("other than a Windows machine"),
        "{ran:?}"
    );
    ran.exits(2);
}

#[test]
fn a_fault_that_strikes_nothing_is_said_and_fails() {
    let lab = Lab::new();
    lab.write("a.bat", "@echo x>f\r\n");
    let struck = ["cmd", "a.bat", "--fault", "write-disk-full"];
    let ran = lab.run(&struck);
    assert!(!ran.stderr.contains("struck nothing"), "{ran:?}");
    let idle = ["cmd", "a.bat", "--fault", "file-in-use:nth=9"];
    let ran = lab.run(&idle);
    assert!(
        ran.stderr
            .contains("the fault file-in-use:nth=9 struck nothing"),
        "{ran:?}"
    );
    ran.exits(1);
    let told = &json_lines(&lab.run(&[&idle[..], &["--json"]].concat()).exits(1))[0];
    assert_eq!(
        told["idle_faults"],
        serde_json::json!(["file-in-use:nth=9"])
    );
}

#[test]
fn an_installer_of_two_hundred_lines_runs_and_takes_back_what_it_did() {
    let lab = Lab::new();
    let install = script("install.bat");
    for user in ["alice", "admin"] {
        let told = lab
            .run(&["cmd", &install, "/quiet", "--as", user, "--json", "--diff"])
            .exits(0);
        let told = &json_lines(&told)[0];
        assert_eq!(told["stdout"], "", "{told}");
        let files = told["diff"]["files"].as_array().expect("a list");
        assert_eq!(files.len(), 12, "{told}");
        // With the rest of what scripts use.
        lab.run(&["cmd", &install, "/check", "/quiet", "--as", user])
            .exits(0);
    }
    assert!(
        lab.run(&["cmd", &install, "/system", "--as", "alice"])
            .stderr
            .contains("administrator")
    );
    lab.run(&["cmd", &install, "/system", "--as", "admin"])
        .exits(0);
    for fault in [
        "registry-access-denied:at=install.bat/reg-2",
        "file-in-use:at=install.bat,nth=7",
        "write-disk-full:at=install.bat,nth=12",
    ] {
        for user in ["alice", "admin"] {
            let ran = lab.run(&["cmd", &install, "/quiet", "--as", user, "--fault", fault]);
            assert!(
                ran.stderr.contains("failed") && ran.code == Some(1),
                "{user} {fault} {ran:?}"
            );
        }
    }
}

#[test]
fn two_installers_lose_a_path_and_the_run_is_written_down() {
    let lab = Lab::new();
    let (install, other) = (script("install.bat"), script("other.bat"));
    let args = [
        "cmd",
        &install,
        "/quiet",
        "--as",
        "alice",
        "--explore",
        &other,
        "--repro",
        "race.ron",
        "--json",
    ];
    let told = &json_lines(&lab.run(&args).exits(1))[0];
    assert_eq!(told["complete"], true, "{told}");
    assert!(
        told["schedule"]
            .as_array()
            .is_some_and(|choices| choices.len() <= 2),
        "{told}"
    );
    let registry = told["outcome"]["registry"].as_str().expect("a text");
    assert!(
        registry.contains("Gopher Tools\\bin") != registry.contains("C:\\Other\\bin"),
        "{registry}"
    );
    let replayed = lab.run(&["replay", "race.ron", "--exact"]).exits(0);
    assert!(replayed.contains("recurs: identical trace"), "{replayed}");
}

#[test]
fn orders_are_searched_under_faults_too() {
    let lab = Lab::new();
    lab.write(
        "a.bat",
        "@reg add HKCU\\Software\\T /v a /d 1 /f >nul || exit /b 4\r\n@echo x>f\r\n",
    );
    lab.write(
        "b.bat",
        "@if exist f (echo 1>g) else echo 1>h\r\n@if exist f echo 1>i\r\n",
    );
    let fault = "registry-access-denied:at=a.bat/reg-1";
    let plain = ["cmd", "a.bat", "--explore", "b.bat", "--json"];
    let with = [&plain[..], &["--fault", fault, "--repro", "r.ron"]].concat();
    // Without the fault `f` may come between the two looks; with it there is never one.
    let told = &json_lines(&lab.run(&plain).exits(1))[0];
    assert_ne!(told["races"], "0", "{told}");
    let told = &json_lines(&lab.run(&with).exits(0))[0];
    assert_eq!(
        (&told["races"], &told["idle_faults"]),
        (&"0".into(), &serde_json::json!([]))
    );
    let idle = [&plain[..], &["--fault", "file-in-use:nth=99"]].concat();
    let told = &json_lines(&lab.run(&idle).exits(1))[0];
    assert_eq!(
        told["idle_faults"],
        serde_json::json!(["file-in-use:nth=99"])
    );
    // The run that is written down is one of the arm with the fault.
    let late = [
        "cmd",
        "a.bat",
        "--explore",
        "b.bat",
        "--fault",
        "write-disk-full:at=b.bat,nth=9",
    ];
    lab.run(&[&late[..], &["--repro", "r.ron"]].concat())
        .exits(1);
    lab.run(&["replay", "r.ron", "--exact"]).exits(0);
}

#[test]
fn scripts_that_do_not_meet_end_alike_in_every_order() {
    let lab = Lab::new();
    lab.write("a.bat", "@reg add HKCU\\Software\\A /v a /d 1 /f >nul\r\n");
    lab.write("b.bat", "@reg add HKCU\\Software\\B /v b /d 1 /f >nul\r\n");
    let told = &json_lines(
        &lab.run(&["cmd", "a.bat", "--explore", "b.bat", "--json"])
            .exits(0),
    )[0];
    assert_eq!(
        (&told["complete"], &told["races"]),
        (&true.into(), &"0".into())
    );
}

/// Nothing real is touched: under strace, which sees every call, a script that tries starts no process, opens no socket and
/// no file to write, and deletes nothing.
#[cfg(target_os = "linux")]
#[test]
fn a_hostile_script_touches_nothing_real() {
    let lab = Lab::new();
    lab.write("canary.txt", "alive");
    let hostile = script("hostile.bat");
    let before = lab.names();
    let ran = lab.run(&["cmd", &hostile, "--as", "SYSTEM"]);
    assert!(
        !ran.stdout.contains("root:"),
        "it read a real file: {}",
        ran.stdout
    );
    assert_eq!(lab.names(), before);
    assert_eq!(lab.read("canary.txt"), "alive");
    if Command::new("strace").arg("-V").output().is_err() {
        eprintln!("skipped: there is no `strace` here");
        return;
    }
    let mut strace = Command::new("strace");
    let calls = "trace=execve,socket,connect,openat,open,creat,unlink,unlinkat,rename,renameat2,mkdir,mkdirat,rmdir,truncate,chmod,kill";
    strace
        .args(["-f", "-qq", "-o"])
        .arg(lab.path("calls"))
        .args(["-e", calls]);
    strace
        .arg(env!("CARGO_BIN_EXE_faultlab"))
        .args(["cmd", &hostile]);
    Ran::of(strace.current_dir(lab.folder.path()));
    let calls = lab.read("calls");
    assert!(calls.contains("hostile.bat"), "strace saw nothing: {calls}");
    let writes = |line: &&str| {
        let opens = line.contains("open")
            && ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC"]
                .iter()
                .any(|flag| line.contains(flag));
        opens || !(line.contains("open") || line.contains("execve"))
    };
    let harm: Vec<&str> = calls
        .lines()
        .filter(writes)
        .filter(|line| !line.contains("exit") && !line.contains("SIG"))
        .collect();
    assert_eq!(harm, Vec::<&str>::new());
    assert_eq!(calls.matches("execve").count(), 1, "{calls}");
}
