//! What does not end, and what is too much.

use super::{run, run_bytes};

#[test]
fn an_endless_loop_ends_with_a_report_of_where() {
    let ran = run(":a\ngoto a");
    let [what] = ran.unsupported.as_slice() else {
        panic!("{:?}", ran.unsupported);
    };
    assert!(
        what.contains("still running after") && what.contains("test.bat"),
        "{what}"
    );
}

#[test]
fn endless_recursion_ends_as_in_windows() {
    let ran = run("call \"%~f0\"");
    assert!(
        ran.stderr.contains("B A T C H   R E C U R S I O N"),
        "{}",
        ran.stderr
    );
}

#[test]
fn a_chain_of_interpreters_ends() {
    let ran = run("cmd /c \"%~f0\"");
    assert!(!ran.unsupported.is_empty() || ran.exit != 0, "{ran:?}");
}

#[test]
fn a_line_of_thousands_of_commands_runs() {
    let line = format!("{}echo end", "ver>nul&".repeat(900));
    assert_eq!(run(&line).stdout, "end\r\n");
}

#[test]
fn a_line_that_is_too_long_is_refused() {
    let ran = run(&format!("echo {}", "x".repeat(8200)));
    assert_eq!(ran.stderr, "The input line is too long.\r\n");
}

#[test]
fn times_of_files_are_told_within_the_first_minute_only() {
    for show in ["for %%f in (f) do echo %%~tf", "dir f"] {
        let soon = run(&format!("echo x>f\n{show}"));
        assert_eq!(soon.unsupported, Vec::<String>::new(), "{soon:?}");
        let later = run(&format!("echo x>f\nping -n 62 127.0.0.1>nul\n{show}"));
        let refused = ["the time of a file, once a minute has passed,"];
        assert_eq!(later.unsupported, refused, "{later:?}");
    }
}

#[test]
fn an_empty_name_breaks_nothing() {
    let commands = [
        "dir", "cd", "md", "rd", "del", "type", "copy", "move", "ren", "attrib", "start", "call",
        "where", "sort", "more", "xcopy", "find", "findstr", "icacls", "pushd",
    ];
    for command in commands {
        let ran = run(&format!("{command} \"\" \"\" <nul\necho end"));
        assert!(ran.stdout.ends_with("end\r\n"), "{command}: {ran:?}");
    }
    assert_eq!(run("dir \"\"").unsupported, ["dir of an empty name"]);
}

#[test]
fn blocks_in_blocks_end_somewhere() {
    let deep = format!("{}echo x{}", "(".repeat(3000), ")".repeat(3000));
    assert!(!run(&deep).unsupported.is_empty());
    let ifs = format!("{}echo x", "if 1==1 ".repeat(900));
    assert!(!run(&ifs).unsupported.is_empty());
}

#[test]
fn a_file_without_an_end_in_a_block_runs_nothing_of_it() {
    let ran = run_bytes(b"@echo off\r\n(echo a\r\necho b", Default::default());
    assert_eq!(ran.stdout, "");
}

#[test]
fn a_script_that_deletes_itself_stops_reading() {
    let ran = run("echo one\ndel \"%~f0\"\necho two");
    assert_eq!(ran.stdout, "one\r\n");
    assert_eq!(ran.stderr, "The batch file cannot be found.\r\n");
}
