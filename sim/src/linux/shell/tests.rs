use super::super::testing::{Outcome, file_system, machine, run};

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
