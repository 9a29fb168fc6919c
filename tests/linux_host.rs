//! The host `linux`. Where it cannot be, each test says so and passes: `.ci/run` demands it where it can be.
#![cfg(target_os = "linux")]

#[path = "support/binary.rs"]
mod binary;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::os::linux::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use faultlab::host::{Host, Places, State};
use serde_json::{Value, json};

use binary::{faultlab, run};

/// One test at a time: they have the kernel's programs and namespaces listed.
static KERNEL: Mutex<()> = Mutex::new(());

fn is_here() -> Option<MutexGuard<'static, ()>> {
    match Host::Linux.state(&Places::default()) {
        State::Usable(_) => Some(KERNEL.lock().unwrap_or_else(PoisonError::into_inner)),
        State::Missing(what, command) => {
            eprintln!("skipped: {what}; {command}");
            None
        }
        State::NotBuilt => unreachable!("it is built"),
    }
}

/// The endings of the vectors that are about a kernel like this one.
fn series() -> &'static str {
    let linear = "/proc/sys/net/ipv4/tcp_syn_linear_timeouts";
    match fs::exists(linear).expect("a name can be looked up") {
        true => "618",
        false => "61",
    }
}

fn case(name: &str) -> String {
    format!("tcp/{name}_{}", series())
}

#[test]
fn models_and_kernel_agree() {
    let Some(_kernel) = is_here() else { return };
    let cases = [
        "c_client_close",
        "b_closed_port",
        "d_write_after_peer_close",
    ]
    .map(case);
    let cases = cases.iter().map(String::as_str);
    let args: Vec<&str> = ["validate", "--strict", "--host", "linux"]
        .into_iter()
        .chain(cases)
        .collect();
    let (code, text) = run(&args);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("model and host agree"), "{text}");
}

#[test]
fn a_rule_that_is_switched_off_is_noticed_and_named() {
    let Some(_kernel) = is_here() else { return };
    let args = ["validate", "--strict", "--host", "linux", "--mutate"];
    let (code, text) = run(&[&args[..], &["time-wait", &case("c_client_close")]].concat());
    assert_eq!(code, 4, "{text}");
    assert!(
        text.contains("TIME-WAIT") && text.contains("model and host differ"),
        "{text}"
    );
    if series() == "618" {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let silent = [
            json!({"op": "reset"}),
            json!({"op": "host.set", "host": "server", "port": 9_700, "drop": true}),
            json!({"op": "tcp.connect", "from": "client", "to": "server", "port": 9_700}),
            json!({"op": "clock.run", "ms": 3_300}),
            json!({"op": "events"}),
        ];
        let file = vectors(folder.path(), &silent);
        let (code, text) = run(&[&args[..4], &["--vectors", &file]].concat());
        assert_eq!(code, 0, "{text}");
        let (code, text) = run(&[&args[..], &["linear-syns", "--vectors", &file]].concat());
        assert_eq!(code, 4, "{text}");
        assert!(text.contains("tcp_retransmit_skb"), "{text}");
    }
}

/// Writes a file of questions, and says where it is.
fn vectors(folder: &Path, lines: &[Value]) -> String {
    let file = folder.join("questions.jsonl");
    let text: Vec<String> = lines.iter().map(Value::to_string).collect();
    fs::write(&file, text.join("\n")).expect("writable");
    file.to_str().expect("UTF-8").to_owned()
}

/// The link loses what the model's loses: the same choices are asked.
#[test]
fn a_link_that_loses_packets_loses_the_model_s() {
    let Some(_kernel) = is_here() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut lines = vec![
        json!({"op": "reset", "link": {"delay_ms": 5, "loss": 0.2}}),
        json!({"op": "tcp.listen", "host": "server", "port": 9_500, "backlog": 64}),
        json!({"op": "tcp.connect", "from": "client", "to": "server", "port": 9_500, "count": 12}),
        json!({"op": "clock.run", "ms": 6_000}),
    ];
    lines.extend(
        (1..=12)
            .map(|conn| json!({"op": "tcp.close", "conn": conn, "end": "client", "how": "abort"})),
    );
    lines.extend([
        json!({"op": "clock.run", "ms": 500}),
        json!({"op": "events"}),
    ]);
    let path = vectors(folder.path(), &lines);
    agrees(&path);
    // Some were lost, or this says nothing.
    let record = folder.path().join("record.jsonl");
    let out = record.to_str().expect("UTF-8");
    assert_eq!(
        run(&["record", out, "--host", "linux", "--vectors", &path]).0,
        0
    );
    let recorded = fs::read_to_string(record).expect("it was written");
    assert!(recorded.contains("tcp_retransmit_skb"), "{recorded}");
}

/// The kernel answers these questions as the models do.
fn agrees(vectors: &str) {
    let args = [
        "validate",
        "--strict",
        "--host",
        "linux",
        "--vectors",
        vectors,
    ];
    let (code, text) = run(&args);
    assert_eq!(code, 0, "{text}");
}

/// The server asks, the client listens, and both at once.
#[test]
fn connections_go_the_other_way_too() {
    let Some(_kernel) = is_here() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let connect = |from: &str, to: &str, port: u16| json!({"op": "tcp.connect", "from": from, "to": to, "port": port});
    let lines = [
        json!({"op": "reset", "link": {"delay_ms": 3}}),
        json!({"op": "tcp.listen", "host": "client", "port": 9_510}),
        json!({"op": "tcp.listen", "host": "server", "port": 9_511}),
        connect("server", "client", 9_510),
        connect("client", "server", 9_511),
        connect("server", "client", 9_512),
        json!({"op": "clock.run", "ms": 100}),
        json!({"op": "tcp.send", "conn": 1, "end": "server", "bytes": 100}),
        json!({"op": "clock.run", "ms": 100}),
        json!({"op": "tcp.close", "conn": 1, "end": "client", "how": "close"}),
        json!({"op": "tcp.close", "conn": 2, "end": "client", "how": "abort"}),
        json!({"op": "clock.run", "ms": 100}),
        json!({"op": "tcp.close", "conn": 1, "end": "server", "how": "close"}),
        json!({"op": "clock.run", "ms": 100}),
        json!({"op": "sockets", "host": "client"}),
        json!({"op": "sockets", "host": "server"}),
        json!({"op": "events"}),
    ];
    let path = vectors(folder.path(), &lines);
    agrees(&path);
}

#[test]
fn what_was_recorded_stands_in_for_the_kernel() {
    let Some(_kernel) = is_here() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("linux.jsonl");
    let path = file.to_str().expect("UTF-8");
    let (code, text) = run(&["record", path, &case("b_closed_port"), "--host", "linux"]);
    assert_eq!(code, 0, "{text}");
    let (code, text) = run(&["validate", "--strict", "--recorded", path]);
    assert_eq!(code, 0, "{text}");
    let recorded = fs::read_to_string(&file).expect("it was written");
    let changed = recorded.replace("ECONNREFUSED", "ECONNRESET");
    assert_ne!(changed, recorded);
    fs::write(&file, &changed).expect("writable");
    let (code, text) = run(&["validate", "--strict", "--recorded", path]);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("errno"), "{text}");
    // A kernel of which the models know nothing: what differs is news, unless it is asked for strictly.
    let version = changed
        .lines()
        .next()
        .and_then(|line| serde_json::from_str::<Value>(line).ok());
    let version = version.expect("a header")["version"].to_string();
    fs::write(&file, changed.replacen(&version, "\"5.4.1\"", 1)).expect("writable");
    let (code, text) = run(&["validate", "--recorded", path]);
    assert!(
        code == 0 && text.contains("no profile of this kernel"),
        "{text}"
    );
    assert_eq!(run(&["validate", "--strict", "--recorded", path]).0, 4);
}

#[test]
fn without_root_it_refuses_politely() {
    let Some(_kernel) = is_here() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("our own");
    let program = folder.path().join("faultlab");
    fs::copy(env!("CARGO_BIN_EXE_faultlab"), &program).expect("there is room");
    let nobody = 65_534;
    let ran = Command::new(&program)
        .args(["validate", "--host", "linux"])
        .current_dir("/")
        .uid(nobody)
        .gid(nobody)
        .output()
        .expect("it runs");
    let says = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{says}");
    assert!(
        says.contains("needs root") && says.contains("sudo"),
        "{says}"
    );
}

/// A session, after its first answers: it has namespaces, a link and programs.
fn probe() -> (Child, BufReader<ChildStdout>) {
    let mut child = faultlab(&["probe", "--host", "linux"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    let mut from = BufReader::new(child.stdout.take().expect("it was asked for"));
    let listening = json!({"op": "tcp.listen", "host": "server", "port": 9_600});
    for request in [json!({"op": "reset"}), listening] {
        let answer = ask(&mut child, &mut from, &request);
        assert!(answer.get("ok").is_some(), "{answer}");
    }
    (child, from)
}

fn ask(child: &mut Child, from: &mut impl BufRead, request: &Value) -> Value {
    let to = child.stdin.as_mut().expect("it was asked for");
    writeln!(to, "{request}").expect("it listens");
    let mut line = String::new();
    from.read_line(&mut line).expect("it answers");
    serde_json::from_str(&line).expect("an answer is JSON")
}

/// The network namespaces in which threads of these processes are.
fn namespaces(of: impl Iterator<Item = String>) -> BTreeSet<u64> {
    let threads = of.flat_map(|pid| {
        let tasks = fs::read_dir(format!("/proc/{pid}/task"))
            .into_iter()
            .flatten();
        tasks.flatten().map(|task| task.path().join("ns/net"))
    });
    let inodes = threads.filter_map(|file| Some(fs::metadata(file).ok()?.st_ino()));
    inodes.collect()
}

fn processes() -> impl Iterator<Item = String> {
    let all = fs::read_dir("/proc").expect("Linux").flatten();
    let names = all.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The numbers of the loaded programs that are called as ours: a name has 15 characters.
fn programs() -> BTreeSet<u32> {
    let loaded = aya::programs::loaded_programs().flatten();
    let ours = loaded.filter(|program| program.name_as_str() == Some("tcp_destroy_soc"));
    ours.map(|program| program.id()).collect()
}

fn mounts() -> String {
    fs::read_to_string("/proc/self/mountinfo").expect("Linux")
}

#[test]
fn nothing_is_left_behind_after_a_kill() {
    let Some(_kernel) = is_here() else { return };
    let mounts_before = mounts();
    for how in ["-KILL", "-INT", "at its end"] {
        let (programs_before, all) = (programs(), namespaces(processes()));
        let (mut child, _from) = probe();
        let own = namespaces(std::iter::once(child.id().to_string()));
        let own: BTreeSet<u64> = own.difference(&all).copied().collect();
        assert_eq!(own.len(), 2, "a namespace for each host");
        let loaded: BTreeSet<u32> = programs().difference(&programs_before).copied().collect();
        assert!(!loaded.is_empty(), "programs are loaded");
        match how {
            "at its end" => drop(child.stdin.take()),
            signal => {
                let number = child.id().to_string();
                let sent = Command::new("kill").args([signal, &number]).status();
                assert!(sent.expect("kill is everywhere").success());
            }
        }
        child.wait().expect("it ends");
        // The kernel frees programs after a grace period of its own.
        let is_gone = || programs().is_disjoint(&loaded);
        let give_up = std::time::Instant::now() + std::time::Duration::from_secs(20);
        while !is_gone() && std::time::Instant::now() < give_up {
            std::thread::yield_now();
        }
        assert!(is_gone(), "{how}: programs are left");
        assert!(
            namespaces(processes()).is_disjoint(&own),
            "{how}: a namespace is left"
        );
        assert_eq!(mounts(), mounts_before, "{how}: a mount is left");
    }
}

#[test]
fn two_at_once_do_not_disturb_each_other() {
    let Some(_kernel) = is_here() else { return };
    let (mut one, mut from_one) = probe();
    let (mut other, mut from_other) = probe();
    let connect = |count| json!({"op": "tcp.connect", "from": "client", "to": "server", "port": 9_600, "count": count});
    let (run, events) = (
        json!({"op": "clock.run", "ms": 50}),
        json!({"op": "events"}),
    );
    ask(&mut one, &mut from_one, &connect(1));
    ask(&mut other, &mut from_other, &connect(3));
    let seen = |child: &mut Child, from: &mut BufReader<ChildStdout>| {
        ask(child, from, &run);
        let answer = ask(child, from, &events);
        let events = answer["ok"]["events"].as_array().expect("events").clone();
        let of = |event: &Value| event["conn"].as_u64();
        let conns: BTreeSet<u64> = events.iter().filter_map(of).collect();
        (events.len(), conns.len())
    };
    // The listener, and four of each connection: SYN_SENT and ESTABLISHED, SYN_RECV and ESTABLISHED.
    assert_eq!(seen(&mut one, &mut from_one), (5, 1));
    assert_eq!(seen(&mut other, &mut from_other), (13, 3));
    for mut child in [one, other] {
        drop(child.stdin.take());
        assert!(child.wait().expect("it ends").success());
    }
}

/// Measured beside predicted: who counts keeps up, and what each came to is there.
#[test]
fn observers_are_measured_on_the_kernel() {
    let Some(_kernel) = is_here() else { return };
    let args = [
        "bench",
        "observers",
        "--host",
        "linux",
        "--json",
        "--rate",
        "200",
        "--turns",
        "1",
    ];
    let ways = ["none", "per-CPU", "ring", "/proc", "inet_diag"];
    let chosen = ways.iter().flat_map(|way| ["--observer", *way]);
    let args: Vec<&str> = args.into_iter().chain(chosen).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (page, charts) = (
        folder.path().join("page.html"),
        folder.path().join("charts.svg"),
    );
    let mut command = faultlab(&args);
    command.arg("--html").arg(&page).arg("--svg").arg(&charts);
    let ran = command.output().expect("it runs");
    let (page, charts) = (fs::read_to_string(page), fs::read_to_string(charts));
    let charts = charts.expect("it was written");
    assert!(
        page.is_ok_and(|page| page.contains(&charts)),
        "the page has the charts"
    );
    let says = String::from_utf8_lossy(&ran.stderr);
    assert_eq!(ran.status.code(), Some(0), "{says}");
    let report: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let rows = report["rows"].as_array().expect("rows");
    assert_eq!(rows.len(), ways.len(), "{report}");
    let observers = rows.iter().filter_map(|row| row["observer"].as_str());
    for observer in observers {
        assert_eq!(
            charts.matches(&format!(">{observer}<")).count(),
            4,
            "{charts}"
        );
    }
    for row in rows {
        let measured = &row["measured"];
        assert!(measured.is_object(), "{row}");
        if row["observer"] != "none" {
            // Two hundred a second are few: nobody loses any, on a kernel or on the models.
            assert_eq!(
                (&measured["lost_ppm"], &row["model"]["lost_ppm"]),
                (&json!(0), &json!(0)),
                "{row}"
            );
            assert!(measured["delay_us"][0].as_u64() > Some(0), "{row}");
        }
    }
    let p50 = |index: usize| rows[index]["measured"]["delay_us"][0].as_u64();
    assert!(
        p50(1) > p50(2),
        "a count waits for its reading, a record does not: {report}"
    );
    let programs = |index: usize| rows[index]["measured"]["program_ns"].as_f64();
    assert!(programs(1) > Some(0.0) && programs(3).is_none(), "{report}");
    let refused = run(&[
        "bench",
        "observers",
        "--host",
        "linux",
        "--observer",
        "crystal ball",
    ]);
    assert!(
        refused.0 == 2 && refused.1.contains("per-CPU map"),
        "{}",
        refused.1
    );
}

/// Two floods at once are two pairs of namespaces; the kernel's log is one.
#[test]
fn two_floods_at_once_are_played_and_two_logs_refused() {
    let Some(_kernel) = is_here() else { return };
    if series() == "618" {
        let flood = || {
            let mut command = faultlab(&["run", "--host", "linux", "--json", "syn-flood"]);
            command.args(["--arm", "no-cookies"]).stdout(Stdio::piped());
            command.spawn().expect("it runs")
        };
        for child in [flood(), flood()] {
            let ran = child.wait_with_output().expect("it ends");
            let report: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
            let sent = report["arms"][0]["flood"]["sent_per_s"].as_u64();
            assert!(sent > Some(0), "{report}");
        }
    }
    let setting = Path::new("/proc/sys/net/netfilter/nf_log_all_netns");
    let is_set = || fs::read_to_string(setting).is_ok_and(|text| text.trim() == "1");
    if !setting.exists() || is_set() {
        return;
    }
    let args = [
        "bench",
        "observers",
        "--host",
        "linux",
        "--kernel-log",
        "--observer",
        "LOG",
    ];
    let mut one = faultlab(&args)
        .stdout(Stdio::null())
        .spawn()
        .expect("it runs");
    let give_up = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !is_set() && std::time::Instant::now() < give_up {
        std::thread::yield_now();
    }
    let (code, text) = run(&args);
    assert!(
        code == 3 && text.contains("--kernel-log is under way"),
        "{text}"
    );
    assert!(is_set(), "the other run has lost its lines");
    one.kill().expect("it runs");
    one.wait().expect("it ends");
    while is_set() && std::time::Instant::now() < give_up {
        std::thread::yield_now();
    }
    assert!(!is_set(), "it is left");
}

/// What is killed in the middle leaves no namespace, control group, program or setting.
fn is_undone_after_a_kill(args: &[&str]) {
    let setting = "/proc/sys/net/netfilter/nf_log_all_netns";
    let before = fs::read_to_string(setting).ok();
    for signal in ["-KILL", "-INT"] {
        let all = namespaces(processes());
        let mut said = tempfile::tempfile().expect("a temporary file");
        let mut child = faultlab(args)
            .stdout(Stdio::null())
            .stderr(said.try_clone().expect("a descriptor"))
            .spawn()
            .expect("it runs");
        let pid = child.id().to_string();
        let own = || -> BTreeSet<u64> {
            let own = namespaces(std::iter::once(pid.clone()));
            own.difference(&all).copied().collect()
        };
        let give_up = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let is_in_time = || std::time::Instant::now() < give_up;
        let mount = mounts();
        let mount = mount.lines().find(|line| line.contains(" - cgroup2 "));
        let mount = mount.and_then(|line| line.split(' ').nth(4));
        let group = Path::new(mount.unwrap_or("/none")).join(format!("faultlab-{pid}"));
        // In the middle: two hosts, an account and programs.
        let is_in_the_middle = || {
            own().len() == 2 && (mount.is_none() || group.exists()) && !programs_of(&pid).is_empty()
        };
        while !is_in_the_middle() {
            if let Some(ended) = child.try_wait().expect("it is ours") {
                let mut text = String::new();
                said.rewind().expect("a file");
                said.read_to_string(&mut text).expect("UTF-8");
                panic!("it ended before it was killed: {ended}, {text}");
            }
            assert!(is_in_time(), "not in the middle after 30 s: {:?}", own());
            std::thread::yield_now();
        }
        let made = own();
        assert_eq!(made.len(), 2, "a namespace for each host");
        let programs = programs_of(&pid);
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill is everywhere").success());
        child.wait().expect("it ends");
        // A tool that was just setting a namespace up ends by itself, as does what undoes; the kernel frees
        // programs after a grace period of its own.
        let is_undone = || {
            let is_left = !namespaces(processes()).is_disjoint(&made) || group.exists();
            let is_set = fs::read_to_string(setting).ok() != before;
            !is_left && !is_set && loaded().is_disjoint(&programs)
        };
        while !is_undone() && is_in_time() {
            std::thread::yield_now();
        }
        assert!(is_undone(), "{signal}: something is left");
    }
}

/// The numbers of the programs that a process holds.
fn programs_of(pid: &str) -> BTreeSet<u32> {
    let held = fs::read_dir(format!("/proc/{pid}/fdinfo"))
        .into_iter()
        .flatten();
    let held = held.flatten().filter_map(|entry| {
        let text = fs::read_to_string(entry.path()).ok()?;
        let id = text
            .lines()
            .find_map(|line| line.strip_prefix("prog_id:"))?;
        id.trim().parse().ok()
    });
    held.collect()
}

/// The numbers of all loaded programs.
fn loaded() -> BTreeSet<u32> {
    let loaded = aya::programs::loaded_programs().flatten();
    loaded.map(|program| program.id()).collect()
}

#[test]
fn nothing_is_left_behind_of_a_killed_bench() {
    let Some(_kernel) = is_here() else { return };
    let args = ["bench", "observers", "--host", "linux", "--kernel-log"];
    is_undone_after_a_kill(&[&args[..], &["--rate", "100", "--observer", "shared"]].concat());
}

#[test]
fn nothing_is_left_behind_of_a_killed_flood() {
    let Some(_kernel) = is_here() else { return };
    // Long and small, so that it does not end, and leaves room to look, before it is killed.
    let text = r#"Scenario(
        version: 1, id: "flood", title: "t", story: (said: "-", happens: "-", why: "-", see: "-"),
        world: Tcp((clients: 2, client_hosts: 1, port: 443, kernel: "6.18", ramp_ms: 100, reconnect: Never,
            flood: (syns_per_s: 1000, cores: 1, defence: XdpNative), until_ms: 60000)),
        cases: [(search: Run)],
        arms: [(name: "baseline", doc: "as it is")],
        claims: [(id: "they-connect", says: "all connect", expected: Holds, uncontrolled: "a test",
            claim: Every(Eventually((kind: "inet_sock_set_state"))))],
    )"#;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("flood.ron");
    fs::write(&file, text).expect("writable");
    is_undone_after_a_kill(&["run", file.to_str().expect("UTF-8"), "--host", "linux"]);
}

/// An arm of a scenario, played on the kernel.
fn arm(args: &[&str]) -> (i32, Value) {
    let ran = faultlab(&[&["run", "--host", "linux", "--json"], args].concat()).output();
    let ran = ran.expect("it runs");
    let says = String::from_utf8_lossy(&ran.stderr);
    let code = ran.status.code().expect("it ends by itself");
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{says}"));
    (code, report["arms"][0].clone())
}

/// Without cookies a small flood keeps nearly all out, on the kernel as on the model.
#[test]
fn a_flood_is_played_on_the_kernel() {
    let Some(_kernel) = is_here() else { return };
    if series() != "618" {
        return;
    }
    let (code, played) = arm(&["syn-flood", "--arm", "no-cookies"]);
    assert_eq!(code, 0, "{played}");
    let flood = &played["flood"];
    let sent = flood["sent_per_s"].as_u64().expect("a rate");
    assert!(
        sent > 0 && sent <= 10_500 && flood["dropped_per_s"].is_null(),
        "{flood}"
    );
    assert!(played["connected"].as_u64() < Some(100), "{played}");
    // What a card loses beside a million SYNs a second is this machine's, and whether it sends so many: the exit code
    // tells which it was.
    let (code, played) = arm(&["syn-flood", "--arm", "xdp-native"]);
    let [claim] = played["claims"].as_array().expect("claims").as_slice() else {
        panic!("{played}");
    };
    let expected = match (&claim["undecided"], &claim["as_expected"]) {
        (Value::Null, Value::Bool(true)) => 0,
        (Value::Null, _) => 4,
        _ => 1,
    };
    assert_eq!(code, expected, "{played}");
    let dropped = played["flood"]["dropped_per_s"].as_u64();
    assert!(
        dropped > Some(1_000) && played["connected"] == 200,
        "{played}"
    );
}

/// Two maps with the same elements are listed in two orders, and one element in one; what is no kernel's is said.
#[test]
fn maps_of_a_scenario_are_the_kernel_s() {
    let Some(_kernel) = is_here() else { return };
    for (name, seen) in [("two-dumps", "Refuted"), ("one-element", "Holds")] {
        let (code, played) = arm(&["connection-snapshot", "--arm", name]);
        assert_eq!(code, 0, "{played}");
        let claims = played["claims"].as_array().expect("claims");
        let depends = claims.iter().find(|claim| claim["id"] == "5-o.2");
        assert_eq!(depends.expect("it is judged")["verdict"], seen, "{played}");
    }
    for (scenario, name, why) in [
        ("connection-snapshot", "baseline", "grep"),
        ("clock-sources", "suspended", "about arm64"),
    ] {
        let (code, played) = arm(&[scenario, "--arm", name]);
        let said = played["not_played"].as_str().unwrap_or_default();
        assert!(code == 1 && said.contains(why), "{played}");
    }
}

/// A claim that the model and the kernel do not agree about: the model's call takes its four ways over the link, and
/// nothing else.
#[test]
fn a_scenario_that_differs_on_the_kernel_is_told() {
    let Some(_kernel) = is_here() else { return };
    if series() != "618" {
        return;
    }
    let text = r#"Scenario(
        version: 1, id: "calls", title: "t", story: (said: "-", happens: "-", why: "-", see: "-"),
        world: Tcp((port: 9400, kernel: "6.18", work: Calls(interval_ms: 50, bytes: 100, fresh: true), until_ms: 400)),
        cases: [(search: Run)],
        arms: [(name: "baseline", doc: "as it is")],
        claims: [
            (id: "calls-are-answered", says: "each call is answered", expected: Holds, uncontrolled: "a test",
                claim: Every(Count(of: (kind: "call"), least: 8))),
            (id: "calls-take-no-time", says: "no call takes long", expected: Holds, uncontrolled: "a test",
                claim: Every(Never((kind: "call", where: { "latency_us": Least(LIMIT) })))),
        ],
    )"#;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("calls.ron");
    let path = file.to_str().expect("UTF-8");
    for (limit, code) in [("60000000", 0), ("410", 4)] {
        fs::write(&file, text.replace("LIMIT", limit)).expect("writable");
        let (ended, played) = arm(&[path]);
        assert_eq!(ended, code, "{played}");
        assert_eq!(played["claims"][0]["verdict"], "Holds", "{played}");
        assert_eq!(played["claims"][1]["model"], "Holds", "{played}");
    }
}

#[test]
fn what_a_kernel_cannot_do_is_said() {
    let Some(_kernel) = is_here() else { return };
    let (mut child, mut from) = probe();
    let mut ask = |request: Value| ask(&mut child, &mut from, &request);
    let answer = ask(json!({"op": "reg.get", "key": "HKCU\\Environment", "name": "t"}));
    assert!(answer["unsupported"].is_string(), "{answer}");
    let answer = ask(json!({"op": "reset", "sysctl": {"net.ipv4.no_such_setting": 1}}));
    assert!(answer["unsupported"].is_string(), "{answer}");
    let answer = ask(json!({"op": "reset", "sysctl": {"kernel.panic": 1}}));
    assert!(
        answer["unsupported"].to_string().contains("net."),
        "{answer}"
    );
    let answer = ask(json!({"op": "reset", "sysctl": {"net.ipv4.tcp_syn_retries": 0}}));
    assert_eq!(answer["err"]["name"], "EINVAL", "{answer}");
    assert!(ask(json!({"op": "reset"})).get("ok").is_some());
    let answer = ask(json!({"op": "tcp.send", "conn": 1, "end": "client", "bytes": 1}));
    assert!(answer["bad_request"].is_string(), "{answer}");
}
