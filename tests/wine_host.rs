//! The host `wine`. Where Wine or mingw-w64 lacks, each test says so and passes: `.ci/run` demands the host.

#[path = "support/binary.rs"]
mod binary;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use faultlab::host::session::Session;
use faultlab::host::wine::Wine;
use faultlab::host::{Host, Places, State};
use faultlab::progress::Progress;
use serde_json::Value;

use binary::{faultlab, run};

fn is_here() -> bool {
    match Host::Wine.state(&Places::default()) {
        State::Usable(_) => true,
        State::Missing(what, command) => {
            eprintln!("skipped: {what}; {command}");
            false
        }
        State::NotBuilt => unreachable!("it is built"),
    }
}

#[test]
fn models_and_wine_agree_but_for_what_is_known() {
    if !is_here() {
        return;
    }
    let (code, text) = run(&["validate", "resolve", "environment", "--host", "wine"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("no-default-current-directory"), "{text}");
}

#[test]
fn a_rule_that_is_switched_off_is_noticed() {
    if !is_here() {
        return;
    }
    let args = ["validate", "--host", "wine", "--mutate"];
    let (code, text) = run(&[&args[..], &["wow64-views", "registry"]].concat());
    assert_eq!(code, 4, "{text}");
    assert!(
        text.contains("Wow6432Node") && text.contains("model and host differ"),
        "{text}"
    );
    let (code, text) = run(&[&args[..], &["code-page936", "text"]].concat());
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("text.decode"), "{text}");
}

#[test]
fn what_was_recorded_stands_in_for_the_host() {
    if !is_here() {
        return;
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("wine.jsonl");
    let path = file.to_str().expect("UTF-8");
    let (code, text) = run(&["record", path, "resolve", "--host", "wine"]);
    assert_eq!(code, 0, "{text}");
    assert_eq!(run(&["validate", "--recorded", path]).0, 0);
    let recorded = fs::read_to_string(&file).expect("it was written");
    let header: Value =
        serde_json::from_str(recorded.lines().next().unwrap_or_default()).expect("JSON");
    assert_eq!(header["host"], "wine");
    fs::write(
        &file,
        recorded.replacen(r#""found":null"#, r#""found":"C:\\x.exe""#, 1),
    )
    .expect("writable");
    let (code, text) = run(&["validate", "--recorded", path]);
    assert_eq!(code, 4, "{text}");
    fs::write(&file, "{\"recording\":1}\n").expect("writable");
    let (code, text) = run(&["validate", "--recorded", path]);
    assert!(code == 2 && text.contains("wine.jsonl:1:"), "{text}");
}

/// `faultlab probe --host wine`, and its first answer.
fn probe() -> (Child, BufReader<std::process::ChildStdout>) {
    let mut child = faultlab(&["probe", "--host", "wine"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut from = BufReader::new(child.stdout.take().expect("it was asked for"));
    let answer = ask(&mut child, &mut from, r#"{"op":"host.about"}"#);
    assert!(answer.contains("6.1.7601"), "{answer}");
    (child, from)
}

fn ask(child: &mut Child, from: &mut impl BufRead, request: &str) -> String {
    let to = child.stdin.as_mut().expect("it was asked for");
    writeln!(to, "{request}").expect("it listens");
    let mut line = String::new();
    from.read_line(&mut line).expect("it answers");
    line
}

/// The janitor of a running faultlab, and the folder that it looks after.
fn janitor(of: u32) -> (u32, PathBuf) {
    let children = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).expect("it runs");
    let mut children = children
        .split_whitespace()
        .filter_map(|pid| pid.parse().ok());
    let words = |pid: u32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split('\0').map(str::to_owned).collect::<Vec<_>>()
    };
    let pid = children
        .find(|pid| words(*pid).contains(&"janitor".into()))
        .expect("it has a janitor");
    let words = words(pid);
    let folder = words.iter().rev().find(|word| !word.is_empty());
    (pid, folder.expect("it has a folder").into())
}

/// Whether any process has this folder among its words or its variables.
fn is_used(folder: &Path) -> bool {
    let name = folder
        .file_name()
        .expect("it has a name")
        .as_encoded_bytes();
    let processes = fs::read_dir("/proc").expect("Linux").flatten();
    let own = std::process::id().to_string();
    processes
        .filter(|entry| *entry.file_name() != *own)
        .any(|entry| {
            ["cmdline", "environ"].iter().any(|file| {
                let bytes = fs::read(entry.path().join(file)).unwrap_or_default();
                bytes.windows(name.len()).any(|window| window == name)
            })
        })
}

#[test]
fn nothing_is_left_behind_after_a_kill() {
    if !is_here() {
        return;
    }
    for how in ["-KILL", "-INT", "at its end"] {
        let (mut child, _from) = probe();
        let (pid, folder) = janitor(child.id());
        assert!(folder.join("drive_c").exists(), "{}", folder.display());
        match how {
            "at its end" => drop(child.stdin.take()),
            signal => {
                let number = child.id().to_string();
                let sent = Command::new("kill").args([signal, &number]).status();
                assert!(sent.expect("kill is everywhere").success());
            }
        }
        child.wait().expect("it ends");
        // Ends when the janitor does.
        let waited = Command::new("tail")
            .args([&format!("--pid={pid}"), "-f", "/dev/null"])
            .status();
        assert!(waited.expect("tail is everywhere").success());
        assert!(!folder.exists(), "{how}: {}", folder.display());
        assert!(!is_used(&folder), "{how}: a process is left");
    }
}

#[test]
fn two_at_once_do_not_disturb_each_other() {
    if !is_here() {
        return;
    }
    let (mut one, mut from_one) = probe();
    let (mut other, mut from_other) = probe();
    let set = |data: &str| {
        format!(
            "{{\"op\":\"reg.set\",\"key\":\"HKCU\\\\Environment\",\"name\":\"t\",\"type\":1,\"data\":\"{data}\"}}"
        )
    };
    let get = r#"{"op":"reg.get","key":"HKCU\\Environment","name":"t"}"#;
    assert!(ask(&mut one, &mut from_one, &set("61000000")).contains("ok"));
    assert!(ask(&mut other, &mut from_other, get).contains("\"code\":2"));
    assert!(ask(&mut other, &mut from_other, &set("62000000")).contains("ok"));
    assert!(ask(&mut one, &mut from_one, get).contains("61000000"));
    // What a session made is undone by a reset.
    assert!(ask(&mut one, &mut from_one, r#"{"op":"reset"}"#).contains("ok"));
    assert!(ask(&mut one, &mut from_one, get).contains("\"code\":2"));
    for mut child in [one, other] {
        drop(child.stdin.take());
        assert!(child.wait().expect("it ends").success());
    }
}

#[test]
fn the_probe_speaks_over_tcp_and_survives_bad_lines() {
    if !is_here() {
        return;
    }
    let mut wine = Wine::start(&Places::default(), &Progress::spinner())
        .unwrap_or_else(|failure| panic!("{failure:?}"));
    let bad = wine
        .ask("{\"op\":\"reg.get\",\"key\":3}")
        .expect("it is there");
    assert_eq!(
        bad,
        r#"{"id":null,"bad_request":"column 23: \"key\" is a text"}"#
    );
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("it has one");
    let mut child = wine
        .start_probe(&format!("tcp:{address}"))
        .expect("it starts");
    let (mut stream, _) = listener.accept().expect("it connects");
    // Two requests and the beginning of a third in one packet, the rest in another.
    stream
        .write_all(b"{\"id\":1,\"op\":\"path.type\",\"path\":\"C:\\\\x\"}\n\xff\n{\"id\":\"")
        .expect("it listens");
    stream
        .write_all("三\",\"op\":\"no.such\"}".as_bytes())
        .expect("it listens");
    stream
        .shutdown(std::net::Shutdown::Write)
        .expect("it listens");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("it answers");
    let answers: Vec<&str> = answers.lines().collect();
    assert_eq!(answers[0], r#"{"id":1,"ok":{"type":2}}"#);
    assert!(
        answers[1].starts_with(r#"{"id":null,"bad_request":"column 1: "#),
        "{answers:?}"
    );
    assert_eq!(
        answers[2],
        r#"{"id":"三","unsupported":"this probe does not answer it"}"#
    );
    assert!(child.wait().expect("it ends").success());
    let folder = wine.prefix().to_owned();
    drop(wine);
    assert!(!folder.exists());
}
