//! Colour, width, help.

use std::process::Command;

use crate::{Lab, Ran};

const ESCAPE: char = '\u{1b}';

#[test]
fn colour_is_for_terminals_unless_asked_for() {
    let lab = Lab::new();
    let coloured = |args: &[&str], variables: &[(&str, &str)]| {
        let mut command = lab.command(&[&["run", "two-writers.ron"], args].concat());
        let ran = Ran::of(command.envs(variables.iter().copied()));
        ran.exits(0).contains(ESCAPE)
    };
    assert!(!coloured(&[], &[]));
    assert!(coloured(&["--color", "always"], &[]));
    assert!(coloured(&["--color", "always"], &[("NO_COLOR", "1")]));
    assert!(coloured(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
}

/// Under `script`, which gives the binary a terminal; not every system has it.
#[cfg(target_os = "linux")]
#[test]
fn on_a_terminal_there_is_colour_unless_the_environment_says_no() {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("skipped: there is no `script` here");
        return;
    }
    let lab = Lab::new();
    let coloured = |variables: &[(&str, &str)]| {
        let command = format!("{} run two-writers.ron", env!("CARGO_BIN_EXE_faultlab"));
        let mut script = Command::new("script");
        script
            .args(["-qec", &command, "/dev/null"])
            .current_dir(lab.folder.path());
        for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR"] {
            script.env_remove(variable);
        }
        script.env("TERM", "xterm").envs(variables.iter().copied());
        let text = Ran::of(&mut script).exits(0);
        assert!(text.contains("a-write-is-lost"), "{text}");
        // The progress line may move the cursor; colours end in `m`.
        text.split(ESCAPE).skip(1).any(|rest| {
            rest.split_once(|c: char| c.is_ascii_alphabetic())
                .is_some_and(|(code, _)| rest[code.len()..].starts_with('m'))
        })
    };
    assert!(coloured(&[]));
    assert!(!coloured(&[("NO_COLOR", "1")]));
    assert!(!coloured(&[("CLICOLOR", "0")]));
}

#[test]
fn errors_have_no_colour_in_a_file() {
    let lab = Lab::new();
    let ran = lab.run(&["run", "nothing-of-that-name"]);
    assert!(!ran.stderr.contains(ESCAPE), "{}", ran.stderr);
    let ran = lab.run(&["--color", "always", "run", "nothing-of-that-name"]);
    assert!(ran.stderr.contains(ESCAPE), "{}", ran.stderr);
}

#[test]
fn a_hundred_columns_are_enough() {
    let lab = Lab::new();
    for args in [
        &["run", "two-writers.ron"][..],
        &["run", "path-lost-update"],
        &["explain", "path-lost-update"],
        &["explore", "path-lost-update"],
        &["sweep", "path-lost-update", "--seeds", "0..50"],
        &["doctor"],
        &["list"],
    ] {
        let text = lab.run(args).exits(0);
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(
            widest.is_some_and(|widest| widest <= 100),
            "{args:?}\n{text}"
        );
    }
}

#[test]
fn help_has_examples_and_exit_codes() {
    let lab = Lab::new();
    let help = lab.run(&["--help"]).exits(0);
    assert!(
        help.contains("Exit codes") && help.contains("5  internal error"),
        "{help}"
    );
    for command in [
        "list", "run", "replay", "explain", "explore", "sweep", "merge", "validate", "cmd",
        "probe", "doctor",
    ] {
        let help = lab.run(&[command, "--help"]).exits(0);
        let examples = help.split_once("Example:\n").map(|(_, examples)| examples);
        let is_shown = |line: &str| line.starts_with(&format!("  faultlab {command}"));
        assert!(
            examples.is_some_and(|lines| lines.lines().any(is_shown)),
            "{help}"
        );
    }
    assert!(lab.run(&["--version"]).exits(0).starts_with("faultlab 0."));
}

#[test]
fn lists_name_what_they_list() {
    let lab = Lab::new();
    for (what, name) in [("--faults", "deny-ace"), ("--records", "disk_rewrite")] {
        let text = lab.run(&["list", what]).exits(0);
        assert!(text.lines().any(|line| line == name), "{text}");
    }
}
