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

/// Reports have 234 to 317 calls, by what lies between (alwsl 24, clink 536, and others).
#[test]
fn endless_recursion_ends_as_in_windows() {
    for script in [
        "call \"%~f0\"",
        "call :a\ngoto :eof\n:a\nset /a n+=1\nif 1==1 (\necho %n%\ncall :a\n)",
    ] {
        let ran = run(script);
        let said = "exceeds STACK limits ******\r\nRecursion Count=300, Stack Usage=90 percent\r\n";
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
        assert_eq!(ran.unsupported, Vec::<String>::new());
    }
}

#[test]
fn calls_at_the_end_of_a_line_come_back_as_others() {
    let script = "set n=0\ncall :a 250\necho %n% [%1] %errorlevel%\ngoto :eof\n:a\nsetlocal\nset /a m=%1-1\n\
                  if %m% gtr 0 call :a %m%\nif errorlevel 7 (endlocal & set /a n=%n%+1 & exit /b 7)\nendlocal & exit /b 7";
    let ran = run(script);
    assert_eq!((&*ran.stdout, &*ran.stderr), ("249 [] 7\r\n", ""));
}

/// What has something behind it takes the interpreter's own stack: it is refused before that ends.
#[test]
fn endless_recursion_in_blocks_is_refused() {
    for line in [
        "call :a >nul",
        "call :a & echo y",
        "for %%a in (1) do call :a",
        "if 1==1 (if 2==2 (for %%a in (1) do (for /f %%b in (\"1\") do (if 1==1 (call :a) else echo no))))",
        "ver>nul && (call :a || echo x) & echo y",
        "for /f %%a in ('ver') do (cmd /c ver >nul & call :a)",
    ] {
        let ran = run(&format!("call :a\ngoto :eof\n:a\n{line}"));
        let refused = ["calls that lie so deep in blocks of each other"];
        assert_eq!(ran.unsupported, refused, "{line}");
    }
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
