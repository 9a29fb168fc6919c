//! `run --repro`, and `replay` of what it wrote, whole, edited and damaged.

use std::fs;

use crate::{Lab, exists, without_hashes};

/// A folder with `lost.ron`, a reproduction of a lost write.
fn reproduced() -> Lab {
    let lab = Lab::new();
    let text = lab
        .run(&["run", "two-writers.ron", "--repro", "lost.ron"])
        .exits(0);
    assert!(
        text.contains("a-write-is-lost in the arm baseline, 1-minimal: "),
        "{text}"
    );
    lab
}

#[test]
fn a_reproduction_replays_anywhere() {
    let lab = reproduced();
    let elsewhere = Lab::new();
    elsewhere.write("deep/er/lost.ron", &lab.read("lost.ron"));
    let text = elsewhere
        .run(&["replay", "deep/er/lost.ron", "--exact"])
        .exits(0);
    insta::assert_snapshot!(without_hashes(&text));
}

#[test]
fn a_claim_by_name() {
    let lab = Lab::new();
    let run = |claim| {
        lab.run(&[
            "run",
            "two-writers.ron",
            "--repro",
            "out.ron",
            "--claim",
            claim,
        ])
    };
    let text = run("a-writer-fails").exits(0);
    assert!(
        text.contains("a-writer-fails in the arm refused, 1-minimal: "),
        "{text}"
    );
    fs::remove_file(lab.path("out.ron")).expect("it was written");
    for (claim, expected) in [
        (
            "go-1.20-runs-on-windows-7",
            "is not decided by a single run",
        ),
        ("a-writer-sleeps", "its claims are: a-write-is-lost, "),
    ] {
        let ran = run(claim);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(expected), "{ran:?}");
    }
    assert!(!exists(&lab.path("out.ron")));
}

#[test]
fn a_claim_that_differs_is_reproduced_first() {
    let lab = Lab::new();
    lab.variant("wrong.ron", "expected: Refuted", "expected: Holds");
    lab.run(&["run", "wrong.ron", "--json", "--repro", "wrong-repro.ron"])
        .exits(1);
    let text = lab.run(&["replay", "wrong-repro.ron"]).exits(0);
    assert!(
        text.contains("nothing-is-lost in the arm baseline"),
        "{text}"
    );
}

#[test]
fn a_changed_scenario_keeps_the_verdict_but_not_the_trace() {
    let lab = reproduced();
    let text = lab.read("lost.ron");
    lab.write(
        "later.ron",
        &text.replacen("calls: [", "calls: [Sleep(ms: 0),", 1),
    );
    let said = lab.run(&["replay", "later.ron"]).exits(0);
    assert!(said.contains("recurs"), "{said}");

    lab.write("other.ron", &text.replace("\"none\"", "\"nil\""));
    let said = lab.run(&["replay", "other.ron"]).exits(1);
    assert!(
        said.contains("does not recur: traces part at record 0"),
        "{said}"
    );
    assert!(said.contains("record 0 is now: "), "{said}");
}

#[test]
fn exact_demands_the_trace() {
    let lab = reproduced();
    let text = lab.read("lost.ron");
    let at = text.find("trace_hash: \"").expect("a hash") + "trace_hash: \"".len();
    let mut other = text.clone();
    other.replace_range(at..at + 32, &"0".repeat(32));
    lab.write("other.ron", &other);
    let said = lab.run(&["replay", "other.ron"]).exits(0);
    assert!(said.contains("same verdict, traces part"), "{said}");
    let said = lab.run(&["replay", "other.ron", "--exact"]).exits(1);
    assert!(said.contains("the exact trace was asked for"), "{said}");
}

#[test]
fn other_model_versions_are_named() {
    let lab = reproduced();
    let text = lab.read("lost.ron");
    let old = text.replacen("\"win7\": ", "\"win7\": 4", 1);
    assert_ne!(old, text);
    lab.write("old.ron", &old);
    let said = lab.run(&["replay", "old.ron"]).exits(0);
    assert!(said.contains("the win7 models were version 4"), "{said}");
}

#[test]
fn a_damaged_reproduction_is_bad_input() {
    let lab = reproduced();
    let text = lab.read("lost.ron");
    for cut in [0, 1, text.len() / 4, text.len() / 2, text.len() - 3] {
        let cut = (0..=cut).rev().find(|at| text.is_char_boundary(*at));
        lab.write("cut.ron", &text[..cut.expect("0 is one")]);
        let says = lab.run(&["replay", "cut.ron"]).refuses(2);
        assert!(says.contains("cut.ron:"), "{says}");
    }
    for (from, to) in [
        ("claim: \"a-write-is-lost\"", "claim: \"a-write-is-found\""),
        ("arm: \"baseline\"", "arm: \"bassline\""),
        ("version: 1", "version: 99"),
    ] {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "{from}");
        lab.write("edited.ron", &edited);
        let says = lab.run(&["replay", "edited.ron"]).refuses(2);
        assert!(says.contains("edited.ron:"), "{says}");
    }
    let says = lab.run(&["replay", "missing.ron"]).refuses(2);
    assert!(says.contains("missing.ron cannot be read"), "{says}");
}

#[test]
fn step_without_a_terminal_is_text() {
    let lab = Lab::new();
    lab.run(&["run", "two-writers.ron", "--repro", "lost.ron"])
        .exits(0);
    let text = lab.run(&["replay", "lost.ron", "--step"]).exits(0);
    assert!(text.contains("choice: before `one` performs"), "{text}");
    assert!(text.contains("it could have been: go on"), "{text}");
    assert!(text.contains("Value: none -> none, "), "{text}");
    // From a place on, the same lines.
    let tail = lab
        .run(&["replay", "lost.ron", "--step", "--at", "3"])
        .exits(0);
    let from = |text: &str| text[text.find("\n     3  ").expect("record 3")..].to_owned();
    assert_eq!(from(&tail), from(&text));
    for (at, says) in [
        ("99", "there is no record 99"),
        ("1h", "neither a record"),
        ("99s", "there is no record at 99 s or later"),
    ] {
        let refused = lab
            .run(&["replay", "lost.ron", "--step", "--at", at])
            .refuses(2);
        assert!(refused.contains(says), "{refused}");
    }
}
