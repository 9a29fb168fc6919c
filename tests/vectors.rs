//! The models against vectors: what a real Windows answers. See `tests/vectors/README.md`.

use faultlab::probe::Session;
use serde_json::Value;

/// Where `found` is not as `wanted`.
fn difference(wanted: &Value, found: &Value, path: &str) -> Option<String> {
    let differs = || Some(format!("{path}: wanted {wanted}, found {found}"));
    match (wanted, found) {
        (Value::Null, Value::Null) => None,
        (Value::Object(fields), Value::Object(_)) => fields.iter().find_map(|(name, wanted)| {
            let found = found.get(name).unwrap_or(&Value::Null);
            difference(wanted, found, &format!("{path}.{name}"))
        }),
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            let mut pairs = wanted.iter().zip(found).enumerate();
            pairs.find_map(|(at, (wanted, found))| {
                difference(wanted, found, &format!("{path}[{at}]"))
            })
        }
        _ if wanted == found => None,
        _ => differs(),
    }
}

#[derive(Default)]
struct Tally {
    sure: usize,
    unsure: usize,
    wrong: Vec<String>,
    open: Vec<String>,
}

fn play(file: &str) -> Tally {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(file);
    let text = std::fs::read_to_string(path).expect("the vectors are part of the project");
    let mut session = Session::new();
    let mut tally = Tally::default();
    for (index, line) in text.lines().enumerate() {
        let vector: Value = serde_json::from_str(line).expect("a vector is JSON");
        let mut answer = Vec::new();
        session.answer(vector["request"].to_string().as_bytes(), &mut answer);
        let answer: Value = serde_json::from_slice(&answer).expect("an answer is JSON");
        let shown = |why: String| format!("{file}:{}: {} {why}", index + 1, vector["request"]);
        let Some(expect) = vector.get("expect") else {
            if answer.get("ok").is_none() {
                tally
                    .wrong
                    .push(shown(format!("is set-up, and got {answer}")));
            }
            continue;
        };
        let is_sure = vector["sure"] != Value::Bool(false);
        *if is_sure {
            &mut tally.sure
        } else {
            &mut tally.unsure
        } += 1;
        if let Some(why) = difference(expect, &answer, "") {
            if is_sure {
                &mut tally.wrong
            } else {
                &mut tally.open
            }
            .push(shown(why));
        }
    }
    tally
}

/// Every sure answer of a file is given; the others are shown.
fn holds(file: &str) {
    let tally = play(file);
    for open in &tally.open {
        println!("not sure: {open}");
    }
    println!(
        "{file}: {} sure, {} wrong; {} not sure, {} of these differ",
        tally.sure,
        tally.wrong.len(),
        tally.unsure,
        tally.open.len()
    );
    assert!(tally.wrong.is_empty(), "{}", tally.wrong.join("\n"));
    assert!(tally.sure > 0, "the file was played");
}

#[test]
fn reg_exe() {
    holds("reg-exe.jsonl");
}

#[test]
fn registry() {
    holds("registry.jsonl");
}

#[test]
fn security() {
    holds("security.jsonl");
}

#[test]
fn paths() {
    holds("paths.jsonl");
}

#[test]
fn the_registry_as_other_users_see_it() {
    holds("registry-security.jsonl");
}

#[test]
fn text() {
    holds("text.jsonl");
}

#[test]
fn environment() {
    holds("environment.jsonl");
}

#[test]
fn resolve() {
    holds("resolve.jsonl");
}

#[test]
fn batch_files() {
    holds("cmd.jsonl");
}

#[test]
fn the_environment_as_cmd_shows_it() {
    holds("environment-cmd.jsonl");
}

#[test]
fn go() {
    holds("go.jsonl");
}

#[test]
fn go_source_as_go_1_19_8_answered() {
    holds("go-source.jsonl");
}

#[test]
fn fields_that_are_not_named_are_not_compared() {
    let json = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
    let differs = |wanted: &str, found: &str| difference(&json(wanted), &json(found), "").is_some();
    assert!(!differs(r#"{"ok":{}}"#, r#"{"id":1,"ok":{"type":1}}"#));
    assert!(!differs(r#"{"err":{}}"#, r#"{"err":{"code":5}}"#));
    assert!(!differs(r#"{"ok":{"found":null}}"#, r#"{"ok":{}}"#));
    assert!(differs(r#"{"err":{}}"#, r#"{"ok":{}}"#));
    assert!(differs(
        r#"{"ok":{"names":["a"]}}"#,
        r#"{"ok":{"names":["a","b"]}}"#
    ));
}
