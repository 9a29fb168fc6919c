//! Bad input: a clear error, exit 2, nothing written, no panic.

use std::fs;
use std::process::Stdio;

use crate::{Lab, Ran, TWO_WRITERS, exists};

/// A scenario with this world and one claim that always holds.
pub fn with_world(world: &str) -> String {
    format!(
        "Scenario(version: 1, id: \"mine\", title: \"Mine\", \
         story: (said: \"\", happens: \"\", why: \"\", see: \"\"), world: {world}, \
         cases: [(search: Run)], arms: [(name: \"baseline\")], claims: [(id: \"it-ends\", \
         says: \"it ends\", claim: Every(Any([Never((kind: \"unsupported\")), \
         Eventually((kind: \"unsupported\"))])), uncontrolled: \"always so\", expected: Holds)])\n"
    )
}

#[test]
fn scenarios_that_are_not_there() {
    let lab = Lab::new();
    fs::create_dir(lab.path("folder")).expect("writable");
    for (name, expected) in [
        ("path-lost-updates", "the nearest are: path-lost-update"),
        ("folder", "a folder is named with a slash: ./folder"),
        ("folder/", "folder/scenario.ron cannot be read"),
        ("missing.ron", "missing.ron cannot be read"),
        ("./missing", "./missing cannot be read"),
        ("", "there is no scenario \"\""),
    ] {
        for command in ["run", "explain", "explore"] {
            let says = lab.run(&[command, name]).refuses(2);
            assert!(says.contains(expected), "{name}: {says}");
        }
    }
}

#[test]
fn mistakes_in_a_scenario_are_told_with_their_place() {
    let lab = Lab::new();
    for (from, to, place, what) in [
        (
            "version: 1",
            "version: 7",
            "bad.ron:3:",
            "this program reads version 1",
        ),
        ("title:", "titel:", "bad.ron:5:", "titel"),
        (
            "arms: [\"refused\"]",
            "arms: [\"refusde\"]",
            "bad.ron:",
            "the nearest are: refused",
        ),
        (
            "kind: \"reg_set\"",
            "kind: \"reg_sat\"",
            "bad.ron:",
            "reg_set",
        ),
        (
            "registry-access-denied",
            "registry-acess-denied",
            "bad.ron:",
            "registry-access-denied",
        ),
        (
            "cases: [(search: Exhaustive)]",
            "cases: []",
            "bad.ron:",
            "say how to search",
        ),
        ("Scenario(", "Scenario", "bad.ron:2:", ""),
    ] {
        lab.variant("bad.ron", from, to);
        let says = lab
            .run(&["run", "bad.ron", "--trace", "out.jsonl"])
            .refuses(2);
        assert!(says.contains(place) && says.contains(what), "{to}: {says}");
        // A good one beside it is not run either.
        lab.run(&["run", "two-writers.ron", "bad.ron"]).refuses(2);
    }
    assert!(!exists(&lab.path("out.jsonl")));
    lab.write("bad.ron", "");
    assert!(
        lab.run(&["run", "bad.ron"])
            .refuses(2)
            .contains("bad.ron:1:1")
    );
    fs::write(lab.path("bad.ron"), b"Scenario(\n\xff").expect("writable");
    assert!(
        lab.run(&["run", "bad.ron"])
            .refuses(2)
            .contains("line 2 is not UTF-8")
    );
    fs::write(lab.path("bad.ron"), vec![b' '; 5 << 20]).expect("writable");
    assert!(
        lab.run(&["run", "bad.ron"])
            .refuses(2)
            .contains("more than 4 MiB")
    );
    lab.write("bad.ron", &"[".repeat(100_000));
    assert!(
        lab.run(&["run", "bad.ron"])
            .refuses(2)
            .contains("bad.ron:1:")
    );
}

#[test]
fn scripts_that_are_not_there_or_outside() {
    let lab = Lab::new();
    lab.write("outside.sh", "echo hello\n");
    for (script, expected) in [
        ("missing.sh", "the script \"missing.sh\" cannot be read"),
        ("../outside.sh", "it is not below the scenario's folder"),
        ("/etc/passwd", "it is not below the scenario's folder"),
    ] {
        let world = format!("Linux((processes: [(name: \"one\", script: {script:?})]))");
        lab.write("mine/scenario.ron", &with_world(&world));
        let says = lab.run(&["run", "mine/"]).refuses(2);
        assert!(says.contains(expected), "{says}");
    }
}

#[test]
fn outputs_that_cannot_be_written() {
    let lab = Lab::new();
    fs::create_dir(lab.path("folder")).expect("writable");
    for flag in ["--trace", "--junit", "--repro"] {
        for (path, expected) in [
            ("folder", "it is a directory"),
            ("missing/out", "cannot be written"),
            ("two-writers.ron/out", "cannot be written"),
        ] {
            let says = lab.run(&["run", "two-writers.ron", flag, path]).refuses(2);
            assert!(says.contains(expected), "{flag} {path}: {says}");
        }
    }
    let twice = ["run", "two-writers.ron", "--trace", "out", "--junit", "out"];
    assert!(
        lab.run(&twice)
            .refuses(2)
            .contains("two outputs go to one file")
    );
    for names in [&[][..], &["two-writers.ron", "path-lost-update"]] {
        let says = lab
            .run(&[&["run", "--repro", "out"], names].concat())
            .refuses(2);
        assert!(says.contains("one run of one scenario"), "{says}");
    }
    assert_eq!(lab.names(), ["folder", "two-writers.ron"]);
    assert_eq!(lab.read("two-writers.ron"), TWO_WRITERS);
}

/// Every command that writes a page, and nothing half written.
#[test]
fn pages_that_cannot_be_written() {
    let lab = Lab::new();
    fs::create_dir(lab.path("folder")).expect("writable");
    lab.run(&["run", "two-writers.ron", "--repro", "lost.ron"])
        .exits(0);
    for command in [
        &["run", "two-writers.ron"][..],
        &["explore", "two-writers.ron"],
        &["explore", "two-writers.ron", "--point-of-no-return"],
        &["replay", "lost.ron"],
    ] {
        for (path, expected) in [
            ("folder", "it is a directory"),
            ("missing/out.html", "cannot be written"),
            ("lost.ron/out.html", "cannot be written"),
        ] {
            let says = lab.run(&[command, &["--html", path]].concat()).refuses(2);
            assert!(says.contains(expected), "{command:?} {path}: {says}");
        }
        let says = lab
            .run(&[command, &["--html", "out.html", "--html-records", "0"]].concat())
            .refuses(2);
        assert!(says.contains("--html-records"), "{says}");
        lab.run(&[command, &["--html-records", "5"]].concat())
            .refuses(2);
    }
    let files = ["folder", "lost.ron", "two-writers.ron"];
    assert_eq!(lab.names(), files);

    // A file system that takes no more, as a limit of the process.
    #[cfg(target_os = "linux")]
    {
        let script = format!(
            "trap '' XFSZ; ulimit -f 8; exec {} run two-writers.ron --html out.html",
            env!("CARGO_BIN_EXE_faultlab")
        );
        let mut shell = std::process::Command::new("bash");
        let ran = Ran::of(shell.args(["-c", &script]).current_dir(lab.folder.path()));
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains("out.html cannot be written"), "{ran:?}");
        assert_eq!(lab.names(), files);
    }
}

#[test]
fn places_that_a_run_does_not_have() {
    let lab = Lab::new();
    for (at, expected) in [
        ("9999", "there is no record 9999"),
        ("99999999999999999999", "is neither a record"),
        ("9h", "is neither a record, such as 12, nor a time"),
        ("1000s", "there is no record at"),
        ("-1", "unexpected argument"),
    ] {
        let says = lab
            .run(&["run", "two-writers.ron", "--step", "--at", at])
            .refuses(2);
        assert!(says.contains(expected), "{at}: {says}");
    }
    for more in [
        &["--at", "3"][..],
        &["--step", "--html", "out.html"],
        &["--step", "--json"],
        &["--step", "--claim", "none-such"],
        &["--step", "--arm", "none-such"],
    ] {
        lab.run(&[&["run", "two-writers.ron"], more].concat())
            .refuses(2);
    }
    assert_eq!(lab.names(), ["two-writers.ron"]);
}

#[test]
fn nothing_to_reproduce() {
    let lab = Lab::new();
    lab.write("mine.ron", &with_world("Nothing"));
    let ran = lab.run(&["run", "mine.ron", "--repro", "out.ron"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(
        ran.stderr.contains("there is nothing to reproduce"),
        "{ran:?}"
    );
    assert!(!exists(&lab.path("out.ron")));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_and_a_closed_pipe_is_not() {
    let lab = Lab::new();
    let full = fs::File::create("/dev/full").expect("Linux has it");
    let ran = Ran::of(lab.command(&["run", "two-writers.ron"]).stdout(full));
    assert_eq!(ran.code, Some(2));
    assert!(
        ran.stderr.contains("standard output cannot be written"),
        "{ran:?}"
    );

    let mut child = lab
        .command(&["run", "two-writers.ron"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!((output.status.code(), output.stderr), (Some(2), Vec::new()));
}

#[test]
fn ranges_shards_arms_and_settings() {
    let lab = Lab::new();
    for (args, expected) in [
        ("--seeds 5..5", "the range is empty"),
        ("--seeds 6..5", "the range is reversed"),
        ("--seeds 5", "A..B"),
        ("--seeds a..b", "no whole number"),
        ("", "--seeds"),
        ("--seeds 0..5 --shard 0/2", "1/2 to 2/2"),
        ("--seeds 0..5 --shard 3/2", "1/2 to 2/2"),
        ("--seeds 0..5 --shard two", "I/N"),
        ("--seeds 0..5 --threads 0", "--threads"),
        (
            "--seeds 0..5 --arm bassline",
            "its arms are: baseline, apart, refused",
        ),
        ("--seeds 0..5 --set n=2", "has no parameter \"n\""),
        ("--seeds 0..5 --set n", "NAME=VALUE"),
    ] {
        let args = ["sweep", "two-writers.ron"]
            .into_iter()
            .chain(args.split_whitespace());
        let says = lab.run(&args.collect::<Vec<_>>()).refuses(2);
        assert!(says.contains(expected), "{expected}: {says}");
    }
}

#[test]
fn usage() {
    let lab = Lab::new();
    for args in [
        &[][..],
        &["runn"],
        &["run", "--seed", "-1"],
        &["run", "--host", "amiga"],
        &["explore"],
        &["explore", "two-writers.ron", "--budget", "5"],
        &[
            "explore",
            "two-writers.ron",
            "--schedules",
            "pct",
            "--budget",
            "0",
        ],
        &["merge"],
        &["replay"],
        &["--color", "sometimes", "list"],
    ] {
        assert!(!lab.run(args).refuses(2).is_empty(), "{args:?}");
    }
}

/// What the kernel refuses is told by its errno, what the lab refuses by its field; more connections than ports
/// is no mistake: connect() fails as it does on a kernel.
#[test]
fn tcp_worlds_that_cannot_be() {
    let lab = Lab::new();
    let refused = |args: &[&str]| {
        let ran = lab.run(args);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        let words = ran.stderr.split_whitespace();
        words
            .filter(|word| *word != "│")
            .collect::<Vec<_>>()
            .join(" ")
    };
    let of = |fields: &str| with_world(&format!("Tcp((port: 80, until_ms: 1000, {fields}))"));
    let sysctl = |name, value| {
        of(&format!(
            "clients: 1, sysctl: {{ \"net.ipv4.{name}\": \"{value}\" }}"
        ))
    };
    for (text, what) in [
        (
            sysctl("tcp_syn_retries", "0"),
            "net.ipv4.tcp_syn_retries: EINVAL",
        ),
        (
            sysctl("tcp_retries2", "-1"),
            "net.ipv4.tcp_retries2: EINVAL",
        ),
        (
            sysctl("tcp_tw_recycle", "1"),
            "net.ipv4.tcp_tw_recycle: ENOENT",
        ),
        (
            sysctl("ip_local_port_range", "9 8"),
            "net.ipv4.ip_local_port_range: EINVAL",
        ),
        (sysctl("tcp_ecn", "1"), "net.ipv4.tcp_ecn: not modelled"),
        (of("clients: 0"), "clients: at least one"),
        (of("clients: 99999999"), "clients: at most"),
        (of("clients: 1, hz: 0"), "hz"),
    ] {
        fs::write(lab.path("bad.ron"), text).expect("writable");
        let says = refused(&["run", "bad.ron", "--trace", "t.jsonl"]);
        assert!(says.contains("bad.ron:1:"), "{says}");
        assert!(says.contains(what), "{what}: {says}");
        assert!(!exists(&lab.path("t.jsonl")));
    }
    let lost = of("clients: 1").replace(
        "(name: \"baseline\")",
        "(name: \"baseline\"), (name: \"lost\", faults: [(name: \"packet-loss\", at: \"client-1/*\", when: (ratio: (3, 2)))])",
    );
    fs::write(lab.path("bad.ron"), lost).expect("writable");
    let says = refused(&["run", "bad.ron"]);
    assert!(says.contains("bad.ron:1:"), "{says}");
    assert!(says.contains("the ratio 3 in 2 is none"), "{says}");

    let many = of("clients: 5, client_hosts: 1, reconnect: Never, \
         sysctl: { \"net.ipv4.ip_local_port_range\": \"40000 40003\" }");
    fs::write(lab.path("many.ron"), many).expect("writable");
    lab.run(&["run", "many.ron", "--trace", "t.jsonl"]);
    let trace = fs::read_to_string(lab.path("t.jsonl")).expect("it ran");
    let refused = trace.lines().filter(|line| line.contains("EADDRNOTAVAIL"));
    assert_eq!(refused.count(), 1, "{trace}");
}
