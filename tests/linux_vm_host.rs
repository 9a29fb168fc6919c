//! The host `linux-vm`. Where QEMU or a kernel lacks, each test says so and passes: `.ci/run` demands the host.

#![cfg(target_os = "linux")]

#[path = "support/binary.rs"]
mod binary;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use faultlab::host::linux_vm::kernel;
use faultlab::host::{Host, Places, State};
use faultlab_sim::linux::tcp::Kernel;
use faultlab_sim::linux::tracepoint::format::Layouts;
use serde_json::{Value, json};

use binary::{faultlab, run};

/// One test at a time: a guest has a processor's work to do until it is up.
static GUESTS: Mutex<()> = Mutex::new(());

fn is_here() -> Option<MutexGuard<'static, ()>> {
    if let State::Missing(what, command) = Host::LinuxVm.state(&Places::default()) {
        eprintln!("skipped: {what}; {command}");
        return None;
    }
    // A test fetches nothing.
    if kernel::cached(None).is_none() {
        eprintln!("skipped: no kernel in the cache; faultlab probe --host linux-vm </dev/null");
        return None;
    }
    Some(GUESTS.lock().unwrap_or_else(PoisonError::into_inner))
}

/// `faultlab probe --host linux-vm`.
struct Probe {
    child: Child,
    from: BufReader<ChildStdout>,
}

impl Probe {
    /// A guest that answered once.
    fn start() -> Probe {
        let mut child = faultlab(&["probe", "--host", "linux-vm"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let from = BufReader::new(child.stdout.take().expect("it was asked for"));
        let mut probe = Probe { child, from };
        let release = kernel::cached(None).expect("it is in the cache");
        let about = probe.ask(&json!({"id": 1, "op": "host.about"}));
        assert_eq!(
            about,
            json!({"id": 1, "ok": {"clock": "virtual", "release": release}})
        );
        probe
    }

    fn ask(&mut self, request: &Value) -> Value {
        let to = self.child.stdin.as_mut().expect("it was asked for");
        writeln!(to, "{request}").expect("it listens");
        let mut line = String::new();
        self.from.read_line(&mut line).expect("it answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The process of its QEMU.
    fn qemu(&self) -> u32 {
        let of = self.child.id();
        let children = fs::read_to_string(format!("/proc/{of}/task/{of}/children"));
        let children = children.expect("it runs");
        let mut children = children
            .split_whitespace()
            .filter_map(|pid| pid.parse().ok());
        let is_qemu = |pid: &u32| {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.starts_with("qemu-system")
        };
        children.find(is_qemu).expect("it has a QEMU")
    }

    fn end(mut self) {
        drop(self.child.stdin.take());
        assert!(self.child.wait().expect("it ends").success());
    }
}

/// What stands in the cache.
fn cache() -> Vec<PathBuf> {
    let folder = faultlab::host::win32_probe::cache().unwrap_or_else(|failure| panic!("{failure}"));
    let entries = fs::read_dir(folder).expect("it can be read");
    entries.flatten().map(|entry| entry.path()).collect()
}

#[test]
fn models_and_kernel_agree_and_a_rule_that_is_switched_off_is_noticed() {
    let Some(_guests) = is_here() else { return };
    let cases = ["tcp/c_client_close_61", "tcp/a_blackhole_default_61"];
    let args = ["validate", "--strict", "--host", "linux-vm"];
    let (code, text) = run(&[&args[..], &cases].concat());
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("model and host agree"), "{text}");
    let (code, text) = run(&[&args[..], &["--mutate", "time-wait"], &cases].concat());
    assert_eq!(code, 4, "{text}");
    assert!(
        text.contains("TIME-WAIT") && text.contains("model and host differ"),
        "{text}"
    );
}

/// The records of the model's 6.1 lie in memory, and are printed, as the kernel's own files say.
#[test]
fn the_kernel_s_records_are_laid_out_as_the_model_has_them() {
    let Some(_guests) = is_here() else { return };
    let release = kernel::cached(None).expect("it is in the cache");
    if !release.starts_with("6.1.") {
        eprintln!("skipped: the kernel in the cache is {release}");
        return;
    }
    let layouts = Layouts::of(Kernel::V6_1);
    // kfree_skb prints the reasons of its build, which no model has.
    let formats = layouts.formats().iter();
    let formats: Vec<_> = formats
        .filter(|format| format.path() != "skb/kfree_skb")
        .collect();
    let names: Vec<String> = formats.iter().map(|format| format.path()).collect();
    let mut probe = Probe::start();
    let answer = probe.ask(&json!({"op": "host.formats", "events": names}));
    for (format, name) in formats.iter().zip(&names) {
        let text = answer["ok"][name].as_str();
        let text = text.unwrap_or_else(|| panic!("{name}: {answer}"));
        let real = Layouts::parse(&format!("#### {name}\n{text}"));
        let real = real.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(format.is_same_as(&real.formats()[0]), "{name}: {text}");
    }
    assert_eq!(names.len(), 7);
    probe.end();
}

#[test]
fn time_passes_when_it_is_let_pass_and_costs_nothing() {
    let Some(_guests) = is_here() else { return };
    let mut probe = Probe::start();
    let mut ask = |request: Value| {
        let answer = probe.ask(&request);
        assert!(answer["ok"].is_object(), "{request}: {answer}");
        answer
    };
    ask(json!({"op": "reset", "kernel": "6.1"}));
    ask(json!({"op": "host.set", "host": "server", "port": 9_000, "drop": true}));
    ask(json!({"op": "tcp.connect", "from": "client", "to": "server", "port": 9_000}));
    // Before 6.5 a connect() that nobody answers gives up after 129 to 132 s.
    ask(json!({"op": "clock.run", "ms": 133_000}));
    let events = ask(json!({"op": "events"}));
    let events = events["ok"]["events"].as_array().expect("a list");
    let last = events.last().expect("something happened");
    assert_eq!(last["errno"], "ETIMEDOUT", "{last}");
    let at_ms = last["t_ns"].as_u64().expect("a time") / 1_000_000;
    assert!((129_000..=132_000).contains(&at_ms), "{at_ms}");
    probe.end();
}

/// An arm of a scenario in a guest: the exit code, and what is told.
fn arm(args: &[&str]) -> (i32, Value) {
    let ran = faultlab(&[&["run", "--host", "linux-vm", "--json"], args].concat()).output();
    let ran = ran.expect("it runs");
    let says = String::from_utf8_lossy(&ran.stderr);
    let report: Value = serde_json::from_slice(&ran.stdout).unwrap_or_else(|_| panic!("{says}"));
    (
        ran.status.code().expect("it ends by itself"),
        report["arms"][0].clone(),
    )
}

/// What `run --host linux` plays here, a guest plays, on the kernel that the world is about.
#[test]
fn a_scenario_is_played_in_a_guest() {
    let Some(_guests) = is_here() else { return };
    let (code, played) = arm(&["syn-blackhole", "--arm", "blackhole-6.1"]);
    assert_eq!(code, 0, "{played}");
    let release = kernel::cached(None).expect("it is in the cache");
    assert_eq!(played["kernel"], release, "{played}");
    assert_eq!(played["events"][0], played["events"][1], "{played}");
    let claims = played["claims"].as_array().expect("claims");
    assert_eq!(claims.len(), 2, "{played}");
    let verdict = |claim: &Value| (claim["verdict"].clone(), claim["model"].clone());
    for claim in claims {
        assert_eq!(verdict(claim), (json!("Holds"), json!("Holds")), "{claim}");
    }
    // A clocksource is chosen where the kernel starts.
    let asked = ["clock-sources", "--arm", "acpi-pm-on-x86", "--kernel"];
    let (code, played) = arm(&[&asked[..], &[kernel::DEFAULT]].concat());
    let claim = &played["claims"][0];
    assert_eq!(
        (code, &claim["id"], &claim["verdict"]),
        (0, &json!("acpi-pm-is-chosen"), &json!("Holds")),
        "{played}"
    );
    // Another kernel than the world is about, by its features.
    let asked = ["syn-blackhole", "--arm", "blackhole-6.18", "--kernel"];
    let (code, played) = arm(&[&asked[..], &[kernel::DEFAULT]].concat());
    let why = played["not_played"].as_str().expect("why");
    assert_eq!((code, why.contains("about Linux 6.18")), (1, true), "{why}");
    // No card, and nobody who sets one up.
    let (code, played) = arm(&[
        "syn-flood",
        "--arm",
        "no-cookies",
        "--kernel",
        kernel::DEFAULT,
    ]);
    let why = played["not_played"].as_str().expect("why");
    assert_eq!((code, why.contains("nftables")), (1, true), "{why}");
    let refused = run(&[
        "run",
        "syn-blackhole",
        "--host",
        "linux-vm",
        "--html",
        "/no/where",
    ]);
    assert!(
        refused.0 == 2 && refused.1.contains("--json"),
        "{}",
        refused.1
    );
}

/// Kept with the project, made by `faultlab record --host linux-vm`.
#[test]
fn what_6_1_answered_stands_in_for_it() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/recordings/linux-6.1.jsonl");
    let path = file.to_str().expect("UTF-8");
    let (code, text) = run(&["validate", "--strict", "--recorded", path]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("linux-vm 6.1.0-"), "{text}");
    let (code, text) = run(&["validate", "--recorded", path, "--mutate", "time-wait"]);
    assert_eq!(code, 4, "{text}");
}

#[test]
fn a_kernel_that_panics_is_told_from_one_that_ends() {
    let Some(_guests) = is_here() else { return };
    let args = ["probe", "--host", "linux-vm", "--kernel-arguments"];
    let (code, text) = run(&[&args[..], &["rdinit=/nothing"]].concat());
    assert_eq!(code, 3, "{text}");
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        text.contains("panicked: VFS: Unable to mount root fs"),
        "{text}"
    );

    let mut probe = Probe::start();
    let crashed = probe.ask(&json!({"op": "vm.panic"}));
    let said = crashed["crashed"]
        .as_str()
        .expect("it says that it crashed");
    assert!(said.ends_with("panicked: sysrq triggered crash"), "{said}");
    // The next request has another guest.
    let about = probe.ask(&json!({"id": 2, "op": "host.about"}));
    assert_eq!(about["ok"]["clock"], "virtual", "{about}");
    probe.end();
}

#[test]
fn nothing_is_left_behind_after_a_kill() {
    let Some(_guests) = is_here() else { return };
    let before = cache();
    for how in ["-KILL", "-INT", "at its end"] {
        let mut probe = Probe::start();
        let qemu = probe.qemu();
        match how {
            "at its end" => drop(probe.child.stdin.take()),
            signal => {
                let number = probe.child.id().to_string();
                let sent = Command::new("kill").args([signal, &number]).status();
                assert!(sent.expect("kill is everywhere").success());
            }
        }
        probe.child.wait().expect("it ends");
        // Ends when QEMU does.
        let waited = Command::new("tail")
            .args([&format!("--pid={qemu}"), "-f", "/dev/null"])
            .status();
        assert!(waited.expect("tail is everywhere").success());
        assert!(!Path::new(&format!("/proc/{qemu}")).exists(), "{how}");
        let left: Vec<_> = cache()
            .into_iter()
            .filter(|path| !before.contains(path))
            .collect();
        assert!(left.is_empty(), "{how}: {left:?}");
    }
}

/// Killed while apt waits for a mirror: apt goes with it, what came so far is no kernel, and the next start removes it.
#[test]
fn a_kernel_that_was_half_fetched_is_none() {
    let Some(_guests) = is_here() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mirror = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/debian", mirror.local_addr().expect("it has one"));
    let kernel = |name: &str| {
        let mut command = faultlab(&["probe", "--host", "linux-vm", "--kernel", name]);
        command
            .env("XDG_CACHE_HOME", folder.path())
            .env("FAULTLAB_DEBIAN_MIRROR", &url)
            .env_remove("http_proxy")
            .stdin(Stdio::null());
        command
    };
    let cached = |begin: &str| -> Vec<String> {
        let entries = fs::read_dir(folder.path().join("faultlab")).expect("it can be read");
        let names = entries
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(begin)).collect()
    };
    let mut child = kernel("linux-image-cloud-amd64").spawn().expect("it runs");
    let (mut asked, _) = mirror.accept().expect("apt asks");
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    // Ends when apt does, as the mirror never answers.
    let _ = std::io::copy(&mut asked, &mut std::io::sink());
    assert_eq!(cached("fetching-kernel-").len(), 1);
    assert!(cached("kernel-").is_empty());
    let next = kernel("No Such").output().expect("it runs");
    assert_eq!(next.status.code(), Some(2));
    assert!(cached("fetching-kernel-").is_empty(), "it is left");
}

#[test]
fn two_at_once_do_not_disturb_each_other() {
    let Some(_guests) = is_here() else { return };
    let (mut one, mut other) = (Probe::start(), Probe::start());
    assert_ne!(one.qemu(), other.qemu());
    assert!(one.ask(&json!({"op": "vm.panic"}))["crashed"].is_string());
    let about = other.ask(&json!({"id": "x", "op": "host.about"}));
    assert_eq!(about["id"], "x", "{about}");
    one.end();
    other.end();
}

#[test]
fn what_lacks_is_named_with_what_to_do() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("vmlinuz");
    fs::write(&file, "no kernel").expect("writable");
    let path = file.to_str().expect("UTF-8");
    if let Some(_guests) = is_here() {
        let (code, text) = run(&["probe", "--host", "linux-vm", "--kernel", path]);
        assert!(code == 2 && text.contains("no kernel for x86"), "{text}");
        let (code, text) = run(&["probe", "--host", "linux-vm", "--kernel", "No Such"]);
        assert!(
            code == 2 && text.contains("linux-image-cloud-amd64"),
            "{text}"
        );
    }
    let without = faultlab(&["probe", "--host", "linux-vm"])
        .env("PATH", folder.path())
        .output();
    let without = without.expect("it runs");
    let text = String::from_utf8_lossy(&without.stderr);
    assert_eq!(without.status.code(), Some(3), "{text}");
    // Lines are as wide as the terminal.
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(
        words
            .join(" ")
            .contains("apt-get install --no-install-recommends qemu-system-x86"),
        "{text}"
    );
}
