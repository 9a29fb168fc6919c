//! `run`, `list`, `explain`, and what is not built yet.

use std::fs;
use std::process::Command;

use serde_json::json;

use crate::{Lab, Ran, exists, json_lines, without_hashes};

#[test]
fn text() {
    let lab = Lab::new();
    let ran = lab.run(&["run", "two-writers.ron"]);
    assert!(ran.stderr.starts_with("in "), "{}", ran.stderr);
    insta::assert_snapshot!(without_hashes(&ran.exits(0)));
}

#[test]
fn verdicts_that_differ_are_exit_1_and_listed() {
    let lab = Lab::new();
    lab.variant(
        "wrong.ron",
        "expected: HoldsUnder(\"refused\")",
        "expected: Refuted, control: [\"apart\"]",
    );
    let text = lab.run(&["run", "two-writers.ron", "wrong.ron"]).exits(1);
    insta::assert_snapshot!(without_hashes(
        &text[text.find("8 claims").expect("a summary")..]
    ));
    assert!(
        text.contains("✗ HoldsUnder refused  a-writer-fails  expected Refuted"),
        "{text}"
    );
}

#[test]
fn shipped_scenarios_are_known_by_id_in_any_folder() {
    let lab = Lab::new();
    let text = lab.run(&["run", "path-lost-update"]).exits(0);
    assert!(text.starts_with("path-lost-update: "), "{text}");
    let listed = lab.run(&["list"]).exits(0);
    assert!(listed.contains("path-lost-update  "), "{listed}");
    let listed = json_lines(&lab.run(&["list", "--json"]).exits(0));
    let lost = listed
        .iter()
        .find(|one| one["scenario"] == "path-lost-update");
    assert_eq!(lost.expect("it is listed")["arms"][0], "baseline");
}

#[test]
fn a_folder_is_a_scenario_with_its_scripts() {
    let lab = Lab::new();
    let linux = "Linux((processes: [(name: \"one\", script: \"bin/one.sh\")]))";
    lab.write("mine/scenario.ron", &crate::bad_input::with_world(linux));
    lab.write("mine/bin/one.sh", "echo hello\n");
    let text = lab.run(&["run", "mine/"]).exits(0);
    assert!(text.contains("Holds  it-ends"), "{text}");
}

#[test]
fn json_has_the_documented_shape() {
    let lab = Lab::new();
    let lines = json_lines(
        &lab.run(&["run", "two-writers.ron", "--json", "--seed", "7"])
            .exits(0),
    );
    let [report] = lines.as_slice() else {
        panic!("{lines:?}")
    };
    let object = report.as_object().expect("an object");
    let keys: Vec<&str> = object.keys().map(String::as_str).collect();
    for key in [
        "scenario",
        "seed",
        "model_versions",
        "trace_hash",
        "runs",
        "claims",
    ] {
        assert!(keys.contains(&key), "{key} in {keys:?}");
    }
    assert_eq!(
        (&report["scenario"], &report["seed"]),
        (&json!("two-writers"), &json!(7))
    );
    let hash = report["trace_hash"].as_str().expect("a text");
    assert_eq!(without_hashes(hash), "<hash>");
    let arms: Vec<_> = (0..3)
        .map(|nth| report["runs"][nth]["arm"].clone())
        .collect();
    assert_eq!(arms, ["baseline", "apart", "refused"]);
    for key in ["events", "virtual_ns"] {
        assert!(report["runs"][0][key].is_u64(), "{key}");
    }
    let claims: Vec<_> = (0..4).map(|nth| &report["claims"][nth]).collect();
    let of = |key: &str| {
        claims
            .iter()
            .map(|claim| claim[key].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(of("verdict"), ["Holds", "HoldsUnder", "Refuted", "Holds"]);
    assert_eq!(
        of("under"),
        [json!(null), json!("refused"), json!(null), json!(null)]
    );
    assert_eq!(of("sure"), [true, true, false, true]);
    let bases = of("basis");
    assert!(
        bases[0]
            .as_str()
            .is_some_and(|basis| basis.starts_with("exhaustive(6, "))
    );
    assert!(
        bases[3]
            .as_str()
            .is_some_and(|basis| basis.starts_with("document(Go release"))
    );
    let records = &claims[0]["evidence"]["records"];
    assert!(
        records[0]
            .as_str()
            .is_some_and(|record| record.contains("reads HKCU"))
    );
}

#[test]
fn the_same_run_prints_the_same() {
    let lab = Lab::new();
    let args = ["run", "two-writers.ron", "--json", "--seed", "7"];
    assert_eq!(lab.run(&args).exits(0), lab.run(&args).exits(0));
}

#[test]
fn a_trace_has_a_header_and_a_record_a_line_for_each_arm() {
    let lab = Lab::new();
    let args = [
        "run",
        "two-writers.ron",
        "--json",
        "--seed",
        "3",
        "--trace",
        "out.jsonl",
    ];
    let report = &json_lines(&lab.run(&args).exits(0))[0];
    let lines = json_lines(&lab.read("out.jsonl"));
    let headers: Vec<usize> = (0..lines.len())
        .filter(|at| lines[*at]["scenario"].is_string())
        .collect();
    assert_eq!(headers.len(), 3);
    for (nth, at) in headers.iter().enumerate() {
        let (header, run) = (&lines[*at], &report["runs"][nth]);
        for key in ["arm", "trace_hash", "events"] {
            assert_eq!(header[key], run[key], "{key}");
        }
        assert_eq!(
            (&header["seed"], &header["model_versions"]),
            (&json!(3), &report["model_versions"])
        );
        let next = headers.get(nth + 1).copied().unwrap_or(lines.len());
        assert_eq!(json!(next - at - 1), run["events"]);
    }
    let record = &lines[1];
    assert!(record["t_ns"].is_u64() && record["actor"].is_string() && record["event"].is_string());
    assert_eq!(
        lab.names(),
        ["out.jsonl", "two-writers.ron"],
        "no temporary file is left"
    );
}

#[test]
fn junit() {
    let lab = Lab::new();
    lab.variant("wrong.ron", "expected: Refuted", "expected: Holds");
    lab.run(&["run", "wrong.ron", "--junit", "out.xml"])
        .exits(1);
    insta::assert_snapshot!(without_hashes(&lab.read("out.xml")));
}

#[test]
fn explain() {
    let lab = Lab::new();
    insta::assert_snapshot!(lab.run(&["explain", "two-writers.ron"]).exits(0));
}

#[test]
fn doctor() {
    let lab = Lab::new();
    let nothing_there = lab.path("nothing");
    let mut command = lab.command(&["doctor"]);
    let says = Ran::of(command.env("PATH", nothing_there)).exits(0);
    let says = says.split_whitespace().collect::<Vec<_>>().join(" ");
    for host in ["sim", "wine", "win7", "linux", "linux-vm"] {
        assert!(says.contains(&format!(" {host} ")), "{host}: {says}");
    }
    assert!(says.contains("the models; usable: needs nothing"), "{says}");
    // Whatever lacks, there is one command for it.
    assert!(
        says.contains("to install it: sh vm/wine/install.sh"),
        "{says}"
    );
    assert!(says.contains("a real Windows 7; not built yet"), "{says}");
}

#[test]
fn what_is_not_built_yet_says_so_with_exit_3() {
    let lab = Lab::new();
    for args in [
        &["run", "--host", "wine"][..],
        &["validate", "--host", "wine", "--require", "wine,win7"],
        &["record", "--host", "win7", "out.jsonl"],
        &["probe", "--host", "win7"],
    ] {
        let says = lab.run(args).refuses(3);
        assert!(says.contains("not built yet"), "{args:?}: {says}");
    }
    assert!(!exists(&lab.path("out.jsonl")));
}

#[test]
fn a_page_is_written_whole_or_not_at_all() {
    let lab = Lab::new();
    lab.run(&["run", "two-writers.ron", "--repro", "lost.ron"]);
    let before = lab.names();
    for command in [
        &["run", "two-writers.ron"][..],
        &["explore", "./two-writers.ron"],
        &["replay", "lost.ron"],
    ] {
        for (place, why) in [
            ("missing/out.html", "cannot be written"),
            (".", "it is a directory"),
        ] {
            let says = lab.run(&[command, &["--html", place]].concat()).refuses(2);
            assert!(says.contains(why), "{command:?} {place}: {says}");
        }
        let says = lab.run(&[command, &["--html", "out.html", "--html-records", "0"]].concat());
        assert!(says.refuses(2).contains("--html-records"), "{command:?}");
        assert_eq!(lab.names(), before, "{command:?}");

        lab.run(&[command, &["--html", "out.html"]].concat());
        let page = lab.read("out.html");
        assert!(page.starts_with("<!doctype html>") && page.trim_end().ends_with("</html>"));
        assert!(page.contains("Content-Security-Policy"), "{command:?}");
        fs::remove_file(lab.path("out.html")).expect("it was written");
        assert_eq!(lab.names(), before, "{command:?}");
    }
    let says = lab.run(&["run", "two-writers.ron", "--html", "one", "--trace", "one"]);
    assert!(says.refuses(2).contains("two outputs go to one file"));
}

/// The reports of all verdicts, good and bad, against what consumers of JUnit reports accept.
#[test]
fn junit_is_valid_by_schema() {
    let lab = Lab::new();
    let nasty = r#"says: "a \u{1b}[31m <b> & ]]> \u{0} text","#;
    lab.variant("wrong.ron", "expected: Refuted", "expected: Holds");
    let text = lab.read("wrong.ron");
    let (before, after) = text.split_once("says: ").expect("a claim says something");
    let (_, after) = after.split_once('\n').expect("a line");
    lab.write("nasty.ron", &format!("{before}{nasty}\n{after}"));
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/junit.xsd");
    for (args, code) in [
        (&["run", "path-lost-update", "--junit", "out.xml"][..], 0),
        (&["run", "wrong.ron", "nasty.ron", "--junit", "out.xml"], 1),
    ] {
        lab.run(args).exits(code);
        let mut xmllint = Command::new("xmllint");
        xmllint
            .args(["--noout", "--schema", schema])
            .arg(lab.path("out.xml"));
        match xmllint.output() {
            Ok(output) => {
                let says = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success(), "{says}\n{}", lab.read("out.xml"));
            }
            Err(error) => {
                eprintln!("no xmllint here ({error}): apt-get install libxml2-utils");
                return;
            }
        }
    }
}

#[test]
fn github_annotations() {
    let lab = Lab::new();
    lab.variant("wrong.ron", "expected: Refuted", "expected: Holds");
    let text = lab.run(&["run", "wrong.ron", "--github"]).exits(1);
    let commands: Vec<&str> = text.lines().filter(|line| line.starts_with("::")).collect();
    let [error, notice] = commands.as_slice() else {
        panic!("{text}")
    };
    let id = error.split("%2F").next().unwrap_or(error);
    assert!(id.starts_with("::error file=wrong.ron,line="), "{error}");
    // It stands at the claim's id.
    let line = error
        .split("line=")
        .nth(1)
        .and_then(|rest| rest.split(',').next());
    let line: usize = line.expect("a line").parse().expect("a number");
    let scenario = lab.read("wrong.ron");
    let there = scenario.lines().nth(line - 1).expect("a line of the file");
    let claim = there
        .trim()
        .strip_prefix("id: \"")
        .and_then(|rest| rest.strip_suffix("\","));
    let claim = claim.expect("the line of an id");
    assert!(
        error.contains(&format!("title=faultlab%3A two-writers / {claim}::")),
        "{error}"
    );
    assert!(error.contains("expected Holds%0A"), "{error}");
    assert!(notice.starts_with("::notice title=faultlab::"), "{notice}");

    // Standard output keeps to JSON.
    let ran = lab.run(&["run", "wrong.ron", "--github", "--json"]);
    assert!(
        ran.stderr.contains("::error file=wrong.ron"),
        "{}",
        ran.stderr
    );
    json_lines(&ran.exits(1));

    // What cannot be read is an annotation too, at its line.
    lab.variant("broken.ron", "cases: [", "cases: {");
    let ran = lab.run(&["run", "broken.ron", "--github"]);
    assert!(
        ran.stdout.starts_with("::error file=broken.ron,line="),
        "{}",
        ran.stdout
    );
    ran.exits(2);
}
