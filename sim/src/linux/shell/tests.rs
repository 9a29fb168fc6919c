mod bash_5_2;

use super::super::fs::FileSystem;
use super::super::process::Spawn;
use super::super::testing::{Machine, Outcome, env, file_system, machine, run};

fn script(text: &str) -> Outcome {
    let mut machine = machine(file_system(), &["-c", text], &[("N", "3")]);
    let outcome = run(&mut machine);
    assert!(
        machine.refused().is_empty(),
        "{text}: {:?}",
        machine.refused()
    );
    outcome
}

fn with_work_directory() -> FileSystem {
    let mut fs = file_system();
    fs.add_directory("/home/user/w").unwrap();
    fs
}

#[test]
fn two_settings_in_subshells_give_both_values_every_time() {
    let outcome = script(
        r#"
gset() { export GOROOT="/usr/local/go$1"; }
for i in $(seq 1 "$N"); do
  ( gset 1.22; printenv GOROOT ) &
  ( gset 1.21; printenv GOROOT ) &
done | sort -u
"#,
    );
    assert_eq!(outcome.stderr, "");
    assert_eq!(outcome.stdout, "/usr/local/go1.21\n/usr/local/go1.22\n");
    assert_eq!(outcome.status, Some(0));
}

#[test]
fn a_hundred_rounds_of_it_are_no_different() {
    let text = "for i in $(seq 1 100); do (export A=2; printenv A) & (export A=1; printenv A) & done | sort | uniq -c";
    assert_eq!(script(text).stdout, "    100 1\n    100 2\n");
}

#[test]
fn scripts_do_what_bash_does() {
    let mut different = Vec::new();
    for (text, stdout, status) in bash_5_2::CASES {
        let mut machine = Machine::new(with_work_directory());
        let argv = ["/bin/bash", "-c", text]
            .iter()
            .map(|word| (*word).into())
            .collect();
        let env = env(&[("N", "3"), ("PATH", "/usr/local/bin:/usr/bin:/bin")]);
        let (path, cwd) = ("/bin/bash".into(), "/home/user/w".into());
        machine
            .spawn(Spawn {
                name: "shell".into(),
                path,
                argv,
                env,
                cwd,
                stdin: None,
            })
            .unwrap();
        let outcome = run(&mut machine);
        if (outcome.stdout.as_str(), outcome.status) != (stdout, Some(*status)) {
            different.push(format!(
                "{text}\n--- bash, {status}\n{stdout}--- here, {:?}\n{}--- {}{:?}\n",
                outcome.status,
                outcome.stdout,
                outcome.stderr,
                machine.refused()
            ));
        }
    }
    assert!(
        different.is_empty(),
        "{} differ\n{}",
        different.len(),
        different.join("\n")
    );
}

fn refusal(text: &str) -> String {
    let mut machine = machine(file_system(), &["-c", text], &[]);
    run(&mut machine);
    machine
        .refused()
        .first()
        .unwrap_or_else(|| panic!("{text}"))
        .construct
        .to_string()
}

#[test]
fn what_only_shows_at_run_time_is_refused_too() {
    for (text, construct) in [
        ("true & echo $!", "$! outside of wait"),
        ("true & export P=$!; printenv P", "$! outside of wait"),
        (
            "while :; do :; done",
            "a loop of a million steps without a system call",
        ),
        (
            "f() { f; }; f",
            "calls nested deeper than a thousand frames",
        ),
        ("trap 'echo' EXIT", "the builtin trap"),
        ("declare -a x", "the builtin declare"),
        ("printf %q x", "printf %q"),
        ("wait 123", "wait for a number"),
        ("set -x", "set -x"),
        ("eval 'a=(1)'", "an array"),
        ("sort -k2 x", "sort -k2"),
        ("ln a b", "ln without -s"),
        ("echo $(printf '\\x41')", "the escape \\x"),
    ] {
        assert_eq!(refusal(text), construct, "{text}");
    }
}

/// The calls of one kind that a script makes, in order.
fn calls(text: &str, verb: &str) -> Vec<String> {
    let steps = script(text).steps;
    let of_kind = steps.into_iter().filter(|step| step.verb == verb);
    of_kind
        .map(|step| format!("{} {}", step.process, step.object))
        .collect()
}

#[test]
fn commands_are_looked_for_once_and_found_again_from_memory() {
    let stats = |text: &str| {
        calls(text, "stat")
            .into_iter()
            .filter(|stat| stat.contains("/true"))
            .count()
    };
    // /usr/local/bin, /usr/bin; `env` itself is no part of it.
    let twice = "command -v /usr/bin/true > /dev/null; unset -f true; ";
    assert_eq!(stats(twice), 1);
    let seqs = |text: &str| {
        calls(text, "stat")
            .into_iter()
            .filter(|stat| stat.contains("/seq"))
            .count()
    };
    assert_eq!(seqs("seq 1; seq 1"), 2);
    assert_eq!(seqs("seq 1; hash -r; seq 1"), 4);
    assert_eq!(seqs("seq 1; PATH=$PATH; seq 1"), 4);
    // A subshell finds for itself alone.
    assert_eq!(seqs("(seq 1; :); seq 1"), 4);
}

/// Each expectation was read off bash 5.2.15 with `sh -c 'echo $PPID'` as the command.
#[test]
fn forks_are_where_bash_forks() {
    for (text, last) in [
        ("(seq 1)", "shell/subshell-1"),
        ("(:; seq 1)", "shell/subshell-1"),
        ("(true && seq 1)", "shell/subshell-1"),
        ("(seq 1 > f)", "shell/subshell-1"),
        ("(:; seq 1 2>&1)", "shell/subshell-1/seq-1"),
        ("(if true; then seq 1; fi)", "shell/subshell-1/seq-1"),
        ("((seq 1) )", "shell/subshell-1"),
        ("(:; (seq 1))", "shell/subshell-1/subshell-1"),
        ("(! seq 1)", "shell/subshell-1/seq-1"),
        ("(: & seq 1)", "shell/subshell-1/seq-1"),
        ("f() { seq 1; }; (f)", "shell/subshell-1/seq-1"),
        ("{ seq 1; } & wait", "shell/job-1/seq-1"),
        ("seq 1 & wait", "shell/job-1"),
        ("true && seq 1 & wait", "shell/job-1/seq-1"),
        ("(seq 1) & wait", "shell/job-1"),
        ("echo $(seq 1)", "shell/subst-1"),
        ("echo $(seq 1 2>&1)", "shell/subst-1/seq-1"),
        (": | { :; seq 1; }", "shell/pipe-1/seq-1"),
        (": | (:; seq 1)", "shell/pipe-1"),
        (":; seq 1", "shell"),
        ("seq 1; :", "shell/seq-1"),
    ] {
        let text = text.replace("((seq", "( (seq");
        assert_eq!(calls(&text, "exec"), [format!("{last} seq")], "{text}");
    }
}

#[test]
fn exec_keeps_the_environment_and_only_a_login_shell_reads_the_profile() {
    let mut fs = file_system();
    fs.add_file("/etc/profile", b"export GOROOT=/from/profile\n")
        .unwrap();
    let with = |text: &str| {
        let mut machine = machine(fs.clone(), &["-c", text], &[("GOROOT", "/before")]);
        run(&mut machine).stdout
    };
    assert_eq!(with("exec bash -c 'printenv GOROOT'"), "/before\n");
    assert_eq!(with("exec -l bash -c 'printenv GOROOT'"), "/from/profile\n");
    assert_eq!(with("export GOROOT=/x; exec printenv GOROOT"), "/x\n");
}

#[test]
fn a_text_file_without_a_first_line_is_run_by_the_shell() {
    let mut fs = file_system();
    fs.add_script("/home/user/s", b"echo $0 $1 ${X-unset}; printenv Y")
        .unwrap();
    let mut machine = machine(fs, &["-c", "X=1; export Y=2; ./s arg; echo $?"], &[]);
    assert_eq!(run(&mut machine).stdout, "./s arg unset\n2\n0\n");
}

#[test]
fn a_switch_by_ln_is_a_rename_and_never_a_missing_name() {
    let mut fs = file_system();
    fs.add_symlink("/usr/local/go", "go1.21").unwrap();
    let mut machine = machine(fs, &["-c", "ln -sfn go1.22 /usr/local/go; :"], &[]);
    let steps = run(&mut machine).steps;
    let of_ln = steps.iter().filter(|step| &*step.process == "shell/ln-1");
    let verbs: Vec<&str> = of_ln
        .map(|step| step.verb)
        .skip_while(|verb| *verb != "exec")
        .collect();
    // strace of coreutils 9.1: symlinkat, openat(O_PATH|O_DIRECTORY), two fstatat, symlinkat, renameat.
    let real = [
        "exec", "symlink", "lstat", "lstat", "stat", "symlink", "rename", "exit",
    ];
    assert_eq!(verbs, real);
}

#[test]
fn what_nests_deepest_runs() {
    for (open, close) in [
        ("(", ")"),
        ("{ ", "; }"),
        ("echo $(", ")"),
        ("if :; then ", "; fi"),
        ("f() { ", "; }; f"),
    ] {
        let open = open
            .replace('(', "( ")
            .replace("$( ", "$(")
            .replace("f( ", "f(");
        let text = format!("{}echo deep{}", open.repeat(50), close.repeat(50));
        assert_eq!(script(&text).stdout, "deep\n", "{text}");
    }
    let text = format!("echo {}deep{}", "${x:-".repeat(50), "}".repeat(50));
    assert_eq!(script(&text).stdout, "deep\n");
}

#[cfg(feature = "proptest")]
mod random {
    use super::*;
    use proptest::prelude::*;

    const PIECES: &[&str] = &[
        "", ";", "&", "|", "&&", "!", "\"", "'", "$", "$x", "$@", "$!", "(", ")", "{ ", "; }",
        "> f", "< f", "2>&1", "wait", "exit", "return", "break", "continue", "local x", "shift",
        "set -e;", "exec", "f", "x=", "0", "-1", "*", "/", "..", "~", "\\", "eval ", ". f;",
        "read x;", "cd ..;",
    ];

    proptest! {
        #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

        #[test]
        fn no_script_makes_the_machine_panic(
            case in 0..bash_5_2::CASES.len(),
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), 0usize..6, 0..PIECES.len()), 1..4),
        ) {
            let mut chars: Vec<char> = bash_5_2::CASES[case].0.chars().collect();
            for (at, length, piece) in changes {
                let at = at.index(chars.len() + 1);
                let end = (at + length).min(chars.len());
                chars.splice(at..end, PIECES[piece].chars());
            }
            let text: String = chars.into_iter().collect();
            let mut machine = machine(with_work_directory(), &["-c", &text], &[]);
            for _ in 0..3_000 {
                let Some(name) = machine.enabled().into_iter().next() else {
                    let asleep = machine.living().find(|name| machine.pending(name).is_none()).cloned();
                    let Some(name) = asleep else { break };
                    machine.wake(&name).unwrap();
                    continue;
                };
                machine.footprint(&name);
                machine.perform(&name).unwrap();
            }
        }
    }
}
