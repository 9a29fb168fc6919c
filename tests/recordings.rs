//! The models against what hosts answered that are not here: `data/recordings/`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Wine 10 runs batch files as Windows does, but for what `vm/divergences.ron` says.
#[test]
fn what_wine_10_answered_is_what_the_models_answer() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recordings/wine-10.0.jsonl");
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultlab"));
    command.args(["validate", "--json", "--recorded"]).arg(file);
    let output = command.output().expect("the binary starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{text}");
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&told["version"], &told["agrees"]),
        (&"10.0".into(), &true.into())
    );
    let same = |set: &str| told["sets"][set]["same"].as_u64().expect("a count");
    for (set, least) in [("cmd", 236), ("reg-exe", 132), ("resolve", 27)] {
        assert!(same(set) >= least, "{set}: {}", same(set));
    }
}

/// What `validate --recorded` says of a recording of Linux 6.18.
fn held_against_6_18(file: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recordings");
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultlab"));
    command
        .args(["validate", "--json", "--recorded"])
        .arg(folder.join(file));
    let output = command.output().expect("the binary starts");
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{text}");
    let told: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&told["agrees"], &told["informative"]),
        (&true.into(), &false.into())
    );
    told
}

/// 50 cases of TCP, with the events of a real kernel and their times.
#[test]
fn what_linux_6_18_answered_is_what_the_model_answers() {
    let told = held_against_6_18("linux-6.18.jsonl");
    assert_eq!(told["sets"].as_object().expect("sets").len(), 50);
}

/// 62 of 70 mixtures at random (`record --mixtures 0..70`): those that came out the same at once, on a machine that others
/// used too. That guards what agrees, and measures nothing: `validate --mixtures` asks again what a late machine may have
/// spoiled.
#[test]
fn what_linux_6_18_answered_to_mixtures_is_what_the_model_answers() {
    let told = held_against_6_18("linux-6.18-mixtures.jsonl");
    assert_eq!(told["sets"].as_object().expect("sets").len(), 62);
}
