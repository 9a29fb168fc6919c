//! `serve` against the other ends that it is for: a real Prometheus, a real HTTP receiver, and ones that fail.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use faultlab::prometheus::{self, Prometheus};
use serde_json::Value;
use tempfile::TempDir;

/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(120);

fn faultlab(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_faultlab"));
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command
}

/// What a run without a server came to: its exit code, its standard error, how long it took.
fn alerts_of(folder: &Path, rules: &str) -> (Option<i32>, String, Duration) {
    fs::write(folder.join("rules.ron"), rules).expect("writable");
    let began = Instant::now();
    let args = ["serve", "map-full-runbook", "--rules", "rules.ron"];
    let more = ["--speed", "0", "--until-end", "--no-listen"];
    let output = faultlab(folder, &[&args[..], &more].concat())
        .output()
        .expect("the binary starts");
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    (output.status.code(), said, began.elapsed())
}

fn lines(folder: &Path, name: &str) -> Vec<Value> {
    let text = fs::read_to_string(folder.join(name)).unwrap_or_default();
    let lines = text.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// A rule on a full map that tells a webhook at each of the 43 seconds after it was full.
fn rule_to(url: &str, more: &str) -> String {
    format!(
        "(version: 1, {more} rules: [(name: \"map-full\", observer: \"map\", \
         when: Own(signal: FailedUpdates, least: 1), again_after_s: 10, to: [Webhook(\"{url}\")])])"
    )
}

/// A receiver on loopback that answers with `status`, and what it was sent.
fn receiver(status: StatusCode) -> (String, Receiver<(HeaderMap, String)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    listener.set_nonblocking(true).expect("a socket");
    let url = format!("http://{}/hook", listener.local_addr().expect("bound"));
    let (sender, received) = mpsc::channel();
    let hook = post(move |headers: HeaderMap, body: String| {
        let sent = sender.send((headers, body));
        async move {
            if sent.is_ok() {
                status
            } else {
                StatusCode::GONE
            }
        }
    });
    let routes = Router::new().route("/hook", hook);
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_io().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("it does not block");
            axum::serve(listener, routes).await
        })
    });
    (url, received)
}

#[test]
fn an_alert_reaches_a_webhook_with_a_dump_of_the_map() {
    let folder = TempDir::new().expect("a temporary folder");
    let (url, received) = receiver(StatusCode::NO_CONTENT);
    let (code, said, _) = alerts_of(folder.path(), &rule_to(&url, ""));
    assert_eq!(code, Some(0), "{said}");
    let posted: Vec<(HeaderMap, String)> = received.try_iter().collect();
    assert_eq!(
        posted.len(),
        5,
        "full after 18 s, told again every 10 s until 60 s: {said}"
    );
    assert!(
        said.contains("alerts: 5 to deliver, 5 delivered, 0 fell back"),
        "{said}"
    );
    let (headers, body) = &posted[0];
    assert_eq!(headers["content-type"], "application/json");
    let alert: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(alert["rule"], "map-full");
    assert_eq!(alert["observer"], "map");
    assert_eq!(alert["at_ms"], 18_000);
    assert_eq!(alert["observer_signals"]["map_fill"], 1_000);
    assert_eq!(alert["observer_signals"]["failed_updates"], alert["value"]);
    let dump = alert["dump"].as_array().expect("rows");
    assert_eq!(dump.len(), 20);
    assert!(
        dump.iter()
            .any(|row| row["signal"] == "opened" && row["count"] == 1)
    );
}

/// The same rules where the map is not full: nothing is sent.
#[test]
fn no_alert_is_made_where_nothing_is_lost() {
    let folder = TempDir::new().expect("a temporary folder");
    let (url, received) = receiver(StatusCode::OK);
    fs::write(folder.path().join("rules.ron"), rule_to(&url, "")).expect("writable");
    let args = [
        "serve",
        "map-full-runbook",
        "--arm",
        "service-key",
        "--rules",
        "rules.ron",
    ];
    let more = ["--speed", "0", "--until-end", "--no-listen"];
    let output = faultlab(folder.path(), &[&args[..], &more].concat()).output();
    let output = output.expect("the binary starts");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty() && received.try_recv().is_err());
}

#[test]
fn what_no_webhook_takes_goes_to_the_fallback_in_bounded_time() {
    // Nobody accepts: the connection stands, and no answer comes.
    let silent = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let silent_url = format!("http://{}/hook", silent.local_addr().expect("bound"));
    let (refusing_url, _received) = receiver(StatusCode::INTERNAL_SERVER_ERROR);
    let gone = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let gone_url = format!("http://{}/hook", gone.local_addr().expect("bound"));
    drop(gone);
    for (url, why) in [
        (silent_url, "timeout"),
        (refusing_url, "500"),
        (gone_url, "refused"),
    ] {
        let folder = TempDir::new().expect("a temporary folder");
        let more = "fallback: \"kept.jsonl\", timeout_ms: 200,";
        let (code, said, took) = alerts_of(folder.path(), &rule_to(&url, more));
        assert_eq!(code, Some(1), "{said}");
        let kept = lines(folder.path(), "kept.jsonl");
        assert_eq!(kept.len(), 5, "{said}");
        assert!(kept.iter().all(|alert| alert["rule"] == "map-full"));
        let told = said.to_lowercase();
        assert!(
            told.contains(why) && told.contains("it is in kept.jsonl"),
            "{said}"
        );
        assert!(
            said.contains("5 to deliver, 0 delivered, 5 fell back"),
            "{said}"
        );
        // Three tries of two time-outs and a pause each, then it is left alone.
        assert!(took < Duration::from_secs(30), "{took:?}");
    }
}

#[test]
fn without_a_fallback_an_alert_is_said_in_full() {
    let folder = TempDir::new().expect("a temporary folder");
    let gone = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let url = format!("http://{}/hook", gone.local_addr().expect("bound"));
    drop(gone);
    let (code, said, _) = alerts_of(folder.path(), &rule_to(&url, ""));
    assert_eq!(code, Some(1));
    let said = said.lines().find_map(|line| line.split_once("; it is: "));
    let alert: Value = serde_json::from_str(said.expect("it is said").1).expect("JSON");
    assert_eq!(alert["dump"].as_array().map(Vec::len), Some(20));
}

#[test]
fn mistakes_in_rules_are_told_with_their_place() {
    let folder = TempDir::new().expect("a temporary folder");
    let rules = |rule: &str| format!("(\n  version: 1,\n  rules: [\n    {rule},\n  ],\n)\n");
    let good = "(name: \"a\", when: Own(signal: Drops, least: 1), to: [File(\"f\")])";
    for (from, to, place, what) in [
        (
            "signal: Drops",
            "signal: Dropped",
            "rules.ron:4:",
            "Dropped",
        ),
        ("least: 1", "leats: 1", "rules.ron:4:", "leats"),
        ("least: 1", "least: 0", "rules.ron:4:12", "always so"),
        ("[File(\"f\")]", "[]", "rules.ron:4:12", "nobody is told"),
        (
            "File(\"f\")",
            "Webhook(\"ftp://x/\")",
            "rules.ron:4:58",
            "http://HOST",
        ),
        (
            "File(\"f\")",
            "Webhook(\"https://x/\")",
            "rules.ron:4:58",
            "https is not built in",
        ),
    ] {
        let (code, said, _) = alerts_of(folder.path(), &rules(&good.replace(from, to)));
        let said: Vec<&str> = said
            .split_whitespace()
            .filter(|word| *word != "│")
            .collect();
        let said = said.join(" ");
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains(place) && said.contains(what), "{to}: {said}");
    }
    let (code, said, _) = alerts_of(folder.path(), &rules(&format!("{good}, {good}")));
    assert!(
        code == Some(2) && said.contains("two rules are called"),
        "{said}"
    );
    let (code, said, _) = alerts_of(folder.path(), "(version: 2, rules: [])");
    assert!(
        code == Some(2) && said.contains("rules.ron:1:11") && said.contains("this is version 2"),
        "{said}"
    );
}

#[test]
fn a_world_without_observers_is_refused() {
    let folder = TempDir::new().expect("a temporary folder");
    let output = faultlab(folder.path(), &["serve", "path-lost-update"]).output();
    let output = output.expect("the binary starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("has no observers"));
}

/// A `serve` that goes on serving; ended when it is dropped.
struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start(folder: &Path, args: &[&str]) -> Serving {
        let listen = ["--listen", "127.0.0.1:0"];
        let mut child = faultlab(folder, &[&["serve"], args, &listen].concat())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut said = BufReader::new(child.stderr.take().expect("it is piped"));
        let mut line = String::new();
        said.read_line(&mut line).expect("it says where");
        let address = line
            .strip_prefix("http://")
            .and_then(|rest| rest.split_once('/'));
        let address = address.unwrap_or_else(|| panic!("{line}")).0.to_owned();
        // Somebody has to go on reading what it says.
        thread::spawn(move || for _ in said.lines() {});
        Serving { child, address }
    }

    fn get(&self, path: &str) -> (String, String) {
        let url = format!("http://{}{path}", self.address);
        let mut answer = ureq::get(&url).call().expect("it answers");
        let media = answer.headers()["content-type"]
            .to_str()
            .expect("ASCII")
            .to_owned();
        (media, answer.body_mut().read_to_string().expect("text"))
    }

    /// The state when all is over.
    fn last_state(&self) -> Value {
        let began = Instant::now();
        loop {
            let (_, body) = self.get("/state.json");
            let state: Value = serde_json::from_str(&body).expect("JSON");
            if state["second"] == 60 {
                return state;
            }
            assert!(began.elapsed() < PATIENCE, "{state}");
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn metrics_are_open_metrics_and_all_forms_agree() {
    let folder = TempDir::new().expect("a temporary folder");
    let serving = Serving::start(folder.path(), &["map-full-runbook", "--speed", "0"]);
    let state = serving.last_state();
    let (media, metrics) = serving.get("/metrics");
    assert_eq!(
        media,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(metrics.ends_with("# EOF\n"));
    // Every sample of a counter ends in _total; every unit ends its name.
    let mut kinds = std::collections::BTreeMap::new();
    for line in metrics.lines() {
        if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        {
            assert!(name.starts_with("faultlab_"), "{line}");
            kinds.insert(name.to_owned(), kind.to_owned());
        } else if let Some((name, unit)) = line
            .strip_prefix("# UNIT ")
            .and_then(|rest| rest.split_once(' '))
        {
            assert!(name.ends_with(&format!("_{unit}")), "{line}");
        } else if !line.starts_with('#') {
            let name = line.split(['{', ' ']).next().expect("a name");
            let family = name.strip_suffix("_total").unwrap_or(name);
            let kind = kinds.get(family).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
        }
    }
    let map = &state["observers"][0];
    assert_eq!(map["observer"], "map");
    let failed = &map["own_signals"]["failed_updates"];
    assert!(failed.as_u64() > Some(0), "{map}");
    let line = format!("faultlab_observer_failed_updates_total{{observer=\"map\"}} {failed}\n");
    assert!(metrics.contains(&line), "{metrics}");
    let (media, csv) = serving.get("/state.csv");
    assert!(media.starts_with("text/csv"));
    assert!(csv.starts_with("second,observer,number,value\n"));
    assert!(
        csv.contains(&format!("60,\"map\",failed_updates,{failed}\n")),
        "{csv}"
    );
    // What an observer cannot see is no 0.
    assert!(
        !metrics.contains("faultlab_observed_sockets{observer=\"map\""),
        "{metrics}"
    );
}

#[test]
fn a_real_prometheus_scrapes_it() {
    let Some(version) = prometheus::version() else {
        println!("not run: there is no prometheus ({})", prometheus::INSTALL);
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let serving = Serving::start(folder.path(), &["map-full-runbook", "--speed", "0"]);
    let config = format!(
        "scrape_configs:\n- job_name: faultlab\n  scrape_interval: 250ms\n  scrape_timeout: 250ms\n  \
         static_configs:\n  - targets: ['{}']\n",
        serving.address
    );
    let server =
        Prometheus::start(folder.path(), &config).unwrap_or_else(|why| panic!("{version}: {why}"));
    let failed = serving.last_state()["observers"][0]["own_signals"]["failed_updates"].to_string();
    let one = |query: &str| -> Option<String> {
        let result = server
            .query(query)
            .unwrap_or_else(|why| panic!("{version}: {why}"));
        Some(result.get(0)?["value"][1].as_str()?.to_owned())
    };
    let began = Instant::now();
    loop {
        let found = one("faultlab_observer_failed_updates_total{observer=\"map\"}");
        if found.as_ref() == Some(&failed) {
            break;
        }
        assert!(
            began.elapsed() < PATIENCE,
            "{version}: {found:?}, not {failed}"
        );
    }
    assert_eq!(one("up{job=\"faultlab\"}").as_deref(), Some("1"));
    assert_eq!(
        one("faultlab_observer_map_fill_ratio{observer=\"map\"}").as_deref(),
        Some("1")
    );
    let played = one("faultlab_played_seconds");
    assert_eq!(played.as_deref(), Some("60"));
    // It knows them for what they are.
    let meta = server.get("/api/v1/metadata?metric=faultlab_observer_failed_updates");
    let meta = meta.unwrap_or_else(|why| panic!("{version}: {why}"));
    assert!(meta.contains("\"type\":\"counter\""), "{meta}");
}
