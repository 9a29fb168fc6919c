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
