use super::super::testing::Machine;
use super::super::testing::{file_system, machine};

/// Runs a script in many orders, and at each state checks every pair of calls that can be made and do not overlap: both
/// orders must give the same state, answers and effects. The orders come from a small generator of its own.
fn check(script: &str, runs: u64) -> (usize, usize) {
    let mut fs = file_system();
    fs.add_directory("/usr/local/go1.21/bin").unwrap();
    fs.add_directory("/usr/local/go1.22").unwrap();
    fs.add_symlink("/usr/local/go", "go1.21").unwrap();
    let first = machine(fs, &["-c", script], &[]);
    let (mut independent, mut dependent) = (0, 0);
    for run in 0..runs {
        let mut random = run.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut machine = first.clone();
        loop {
            let enabled = machine.enabled();
            if enabled.is_empty() {
                let asleep = machine
                    .living()
                    .find(|name| machine.pending(name).is_none());
                let Some(name) = asleep.cloned() else { break };
                machine.wake(&name).unwrap();
                continue;
            }
            for (number, a) in enabled.iter().enumerate() {
                for b in &enabled[number + 1..] {
                    if machine.footprint(a).overlaps(&machine.footprint(b)) {
                        dependent += 1;
                        continue;
                    }
                    independent += 1;
                    let (one, other) = (both(&machine, a, b), both(&machine, b, a));
                    let what = || {
                        (
                            machine.pending_op(a),
                            machine.pending_op(b),
                            machine.footprint(a),
                            machine.footprint(b),
                        )
                    };
                    assert_eq!(
                        (&one.1, &one.2),
                        (&other.2, &other.1),
                        "{script}\n{:?}",
                        what()
                    );
                    assert!(one.0 == other.0, "{script}\n{:#?}", what());
                }
            }
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let next = &enabled[(random % enabled.len() as u64) as usize];
            machine.perform(next).unwrap();
        }
        assert!(machine.refused().is_empty(), "{:?}", machine.refused());
    }
    (independent, dependent)
}

fn both(
    machine: &Machine,
    a: &str,
    b: &str,
) -> (
    Machine,
    super::super::process::Step,
    super::super::process::Step,
) {
    let mut machine = machine.clone();
    let first = machine.perform(a).unwrap();
    // That the other can still be made is part of what is checked.
    let second = machine.perform(b).unwrap();
    (machine, first, second)
}

#[test]
fn calls_that_do_not_overlap_commute() {
    let mut total = (0, 0);
    for script in [
        "for i in 1 2 3; do ( export A=$i; printenv A ) & done | sort -u",
        "ln -sfn go1.22 /usr/local/go & ( cd /usr/local/go; pwd ) & readlink -f /usr/local/go & wait",
        "mkdir d & mkdir d/e & echo x > d/f & ls -1 d & rm -rf d & mv d e & wait; ls -1",
        "echo a > f & echo b > f & cat f & rm f & echo c >> f & mv f g & cp g f & wait",
        "{ echo a; echo b; } | { read x; echo $x; } & seq 3 | head -n 1 & (exit 3) & wait",
        "mkdir -p a/b; ( cd a/b; cd ..; /usr/bin/pwd ) & mv a c & rmdir a/b & echo a/* & touch a/b/x & wait",
        "exec 3> log; for i in 1 2; do { echo $i >&3; echo t$i; } & done; (sleep 1; ls -1) & wait",
        "echo 'echo $1' > s; chmod +x s; ./s 1 & chmod -x s & bash s 2 & ln -s s t & ./t 3 & wait",
        "( ( sleep 1; echo late ) & echo early ) & (exec true) & x=$(echo sub; mkdir q) & ls -1 & wait; echo $?",
    ] {
        let (independent, dependent) = check(script, 60);
        assert!(independent > 0 && dependent > 0, "{script}");
        total = (total.0 + independent, total.1 + dependent);
    }
    assert!(
        total.0 > total.1,
        "most calls should be independent: {total:?}"
    );
}
