//! `explore`.

use serde_json::json;

use crate::{Lab, json_lines, without_hashes};

#[test]
fn text() {
    let lab = Lab::new();
    let ran = lab.run(&["explore", "two-writers.ron"]);
    assert!(ran.stderr.starts_with("searched in "), "{}", ran.stderr);
    insta::assert_snapshot!(without_hashes(&ran.exits(0)));
}

#[test]
fn json_has_counts_of_any_size_and_a_minimal_schedule() {
    let lab = Lab::new();
    let lines = json_lines(&lab.run(&["explore", "two-writers.ron", "--json"]).exits(0));
    let [found] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    assert_eq!(
        (&found["runs"], &found["complete"]),
        (&json!("6"), &json!(true))
    );
    let lost = &found["claims"][0];
    assert_eq!(
        (&lost["id"], &lost["hits"]),
        (&json!("a-write-is-lost"), &json!("4"))
    );
    assert_eq!(
        (&lost["statement"], &lost["expected"]),
        (&json!(true), &json!(true))
    );
    let shown = &lost["shown"];
    assert_eq!(shown["choices"].as_array().map(Vec::len), Some(1));
    assert_eq!(shown["choices"][0]["key"]["site"], "sched");
    let says = shown["schedule"][0].as_str().expect("a sentence");
    assert!(says.starts_with("before `one` performs \""), "{says}");
}

#[test]
fn schedules_and_budgets() {
    let lab = Lab::new();
    for (schedules, basis) in [
        ("pct", "seeds(77)"),
        ("random", "seeds(77)"),
        ("exhaustive", "exhaustive(6, "),
    ] {
        let args = [
            "explore",
            "two-writers.ron",
            "--schedules",
            schedules,
            "--budget",
            "77",
            "--json",
        ];
        let found = &json_lines(&lab.run(&args).exits(0))[0];
        let said = found["basis"].as_str().expect("a text");
        assert!(said.starts_with(basis), "{said}");
    }
    // A budget of states that is spent leaves what it did not see undecided.
    let args = [
        "explore",
        "two-writers.ron",
        "--schedules",
        "exhaustive",
        "--budget",
        "2",
        "--json",
    ];
    let found = &json_lines(&lab.run(&args).exits(1))[0];
    assert_eq!(
        (&found["complete"], &found["claims"][0]["statement"]),
        (&json!(false), &json!(null))
    );
}

#[test]
fn an_arm_by_name() {
    let lab = Lab::new();
    let args = ["explore", "two-writers.ron", "--arm", "refused", "--json"];
    let found = &json_lines(&lab.run(&args).exits(0))[0];
    assert_eq!(found["claims"].as_array().map(Vec::len), Some(1));
    assert_eq!(found["claims"][0]["statement"], true);
    let says = lab
        .run(&["explore", "two-writers.ron", "--arm", "apart"])
        .refuses(2);
    assert!(
        says.contains("no claim of two-writers.ron is tried on the arm apart"),
        "{says}"
    );
}

#[test]
fn what_contradicts_the_record_is_exit_1() {
    let lab = Lab::new();
    lab.variant("wrong.ron", "expected: Refuted", "expected: Holds");
    let text = lab.run(&["explore", "wrong.ron"]).exits(1);
    assert!(
        text.contains("✗ this is not as the scenario records it"),
        "{text}"
    );
}

#[test]
fn point_of_no_return() {
    let lab = Lab::new();
    let args = ["explore", "two-writers.ron", "--point-of-no-return"];
    let text = lab.run(&args).exits(0);
    insta::assert_snapshot!(text);

    let told = json_lines(&lab.run(&[&args[..], &["--json"]].concat()).exits(0));
    let lost = &told[0];
    assert_eq!(
        (&lost["claim"], &lost["so"]),
        (&json!("a-write-is-lost"), &json!(true))
    );
    let futures = &lost["futures"];
    assert_eq!(
        futures["start"],
        json!({"failing": "4", "of": "6", "ppm": 666_666})
    );
    assert_eq!(futures["counted"]["interleavings"]["states"], json!(10));

    // Where seeds are asked for, it says how many.
    let seeds = ["--json", "--schedules", "random", "--budget", "9"];
    let told = json_lines(&lab.run(&[&args[..], &seeds].concat()).exits(0));
    assert_eq!(told[0]["futures"]["counted"], json!({"seeds": {"n": 9}}));
    assert_eq!(told[0]["futures"]["start"]["of"], json!("9"));
}

#[test]
fn point_of_no_return_where_there_is_none() {
    let lab = Lab::new();
    let none = lab.run(&[
        "explore",
        "max-path",
        "--point-of-no-return",
        "--arm",
        "nowhere",
    ]);
    assert!(none.refuses(2).contains("has no arm \"nowhere\""));
}
