//! The models held against vectors, for the operations that need no machine.

use faultlab::probe::plain::Answer;
use faultlab::probe::{env_ops, go_ops, resolve_ops, text_ops};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn handle(request: &Map<String, Value>) -> Answer {
    let op = request["op"].as_str().expect("an operation");
    match op.split('.').next() {
        Some("text") => text_ops::handle(op, request),
        Some("env") => env_ops::handle(op, request),
        Some("resolve") => resolve_ops::handle(op, request),
        Some("go") => go_ops::handle(op, request),
        _ => panic!("no family for {op}"),
    }
}

/// What `wanted` names must be so; null means null or absent.
fn agrees(wanted: &Value, got: Option<&Value>) -> bool {
    match wanted {
        Value::Null => got.is_none_or(Value::is_null),
        Value::Object(fields) => {
            let got = got.and_then(Value::as_object);
            got.is_some_and(|got| {
                fields
                    .iter()
                    .all(|(name, value)| agrees(value, got.get(name)))
            })
        }
        Value::Array(items) => got.and_then(Value::as_array).is_some_and(|got| {
            got.len() == items.len()
                && items
                    .iter()
                    .zip(got)
                    .all(|(item, got)| agrees(item, Some(got)))
        }),
        plain => got == Some(plain),
    }
}

/// Every sure expectation of a file must be met; the others are reported.
fn play(name: &str, vectors: &str) {
    let (mut sure, mut unsure, mut failed, mut differ) = (0, 0, Vec::new(), Vec::new());
    for (at, line) in vectors
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty())
    {
        let vector: Value = serde_json::from_str(line).expect("a vector");
        let request = vector["request"].as_object().expect("a request");
        let answer = handle(request).to_value();
        let expected = &vector["expect"];
        let is_sure = vector["sure"].as_bool().unwrap_or(true);
        let ok = match expected {
            Value::Null => answer.get("ok").is_some(),
            expected => agrees(expected, Some(&answer)),
        };
        *(if is_sure { &mut sure } else { &mut unsure }) += usize::from(ok);
        if !ok {
            let list = if is_sure { &mut failed } else { &mut differ };
            list.push(format!(
                "line {}: wanted {expected}, found {answer}: {}",
                at + 1,
                vector["request"]
            ));
        }
    }
    let (failures, differences) = (failed.len(), differ.len());
    println!("{name}: sure {sure} met, {failures} not; unsure {unsure} met, {differences} not");
    println!("{}", differ.join("\n"));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn text() {
    play("text", include_str!("vectors/text.jsonl"));
}

#[test]
fn environment() {
    play("environment", include_str!("vectors/environment.jsonl"));
}

#[test]
fn resolve() {
    play("resolve", include_str!("vectors/resolve.jsonl"));
}

#[test]
fn go() {
    play("go", include_str!("vectors/go.jsonl"));
}

#[test]
fn go_source_as_go_1_19_8_answered() {
    play("go-source", include_str!("vectors/go-source.jsonl"));
}

const OPS: &[&str] = &[
    "text.decode",
    "text.encode",
    "env.block",
    "env.expand",
    "resolve",
    "go.find_goroot",
    "go.escape",
    "go.check_source",
];

const FIELDS: &[&str] = &[
    "cp",
    "bytes",
    "strict",
    "utf16",
    "no_best_fit",
    "machine",
    "user",
    "account",
    "text",
    "vars",
    "shell",
    "command",
    "cwd",
    "path",
    "pathext",
    "env",
    "files",
    "version",
    "env_goroot",
    "exe",
    "exe_target",
    "has_pkg_tool",
    "baked",
    "bits",
];

fn json() -> impl Strategy<Value = Value> {
    let shells = prop::sample::select(
        &[
            "cmd",
            "powershell2",
            "create_process",
            "C:\\x",
            "1.19.8",
            "c4e3",
        ][..],
    );
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        prop::sample::select(&[0u64, 1, 2, 437, 936, 1252, 65001, u64::MAX][..])
            .prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
        shells.prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("\\PC{0,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Whatever the fields hold, there is an answer.
    #[test]
    fn any_request_is_answered(op in prop::sample::select(OPS), values in prop::collection::vec(json(), FIELDS.len())) {
        let fields = FIELDS.iter().zip(values).map(|(name, value)| ((*name).to_owned(), value));
        let mut request: Map<String, Value> = fields.filter(|(_, value)| !value.is_null()).collect();
        request.insert("op".into(), op.into());
        let _ = handle(&request).to_value();
    }
}
