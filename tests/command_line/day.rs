//! `day`, its windows, shards and threads.

use crate::{Lab, json_lines};

/// Four nodes for 40 seconds, with an incident on two of them.
const SMALL: &str = "(nodes: 4, seconds: 40,
    flows: [
        (life: ClientCloses, port: 6379, per_1000_s: 20000, hold_us: 5000, peers: 8),
        (life: Served, port: 8080, per_1000_s: 10000, hold_us: 40000, peers: 20),
    ],
    incidents: [
        (trouble: ResetBurst, nodes: (1, 3), from_s: 10, for_s: 5, flows: (life: Refused, port: 6379, per_1000_s: 500000)),
    ])";

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("small.ron", SMALL);
    lab
}

#[test]
fn text() {
    insta::assert_snapshot!(lab().run(&["day", "small.ron"]).exits(0));
}

/// Four nodes in three parts, and in more parts than there are nodes.
#[test]
fn threads_and_shards_give_the_same() {
    let lab = lab();
    for flag in [&[][..], &["--json"], &["--csv"], &["--openmetrics"]] {
        let day = |more: &[&str]| lab.run(&[&["day", "small.ron"], more].concat());
        let whole = day(&[flag, &["--threads", "1"]].concat()).exits(0);
        assert_eq!(day(&[flag, &["--threads", "3"]].concat()).exits(0), whole);
        for of in [3, 5] {
            let mut shards: Vec<String> = Vec::new();
            for nth in 1..=of {
                let name = format!("{nth}-of-{of}.json");
                lab.write(&name, &day(&["--shard", &format!("{nth}/{of}")]).exits(0));
                shards.insert(0, name);
            }
            let shards: Vec<&str> = shards.iter().map(String::as_str).collect();
            let merged = lab.run(&[&["merge"][..], &shards, flag].concat()).exits(0);
            assert_eq!(merged, whole);
        }
    }
}

#[test]
fn all_forms_say_the_same() {
    let lab = lab();
    let day = |flag| lab.run(&["day", "small.ron", flag]).exits(0);
    let json = &json_lines(&day("--json"))[0];
    let bursts = json["detection"]
        .as_array()
        .and_then(|rows| rows.iter().find(|row| row["trouble"] == "reset-burst"))
        .expect("a row of the trouble");
    let (events, found) = (&json["events"], &bursts["found"]);
    assert_eq!(found, 2);
    let csv = day("--csv");
    let row = csv.lines().find(|line| line.starts_with("reset-burst,"));
    let row: Vec<&str> = row.expect("a row of the trouble").split(',').collect();
    let heads: Vec<&str> = csv.lines().next().expect("a head").split(',').collect();
    assert_eq!(row.len(), heads.len());
    let of = |head: &str| row[heads.iter().position(|each| *each == head).expect(head)];
    assert_eq!(of("found"), found.to_string());
    assert_eq!(of("events"), events.to_string());
    assert_eq!(json["digest"], of("digest"));
    let metrics = day("--openmetrics");
    for line in [
        format!("faultlab_day_events {events}"),
        format!("faultlab_day_found_incidents{{trouble=\"reset-burst\"}} {found}"),
        "faultlab_day_detection_delay_seconds{trouble=\"reset-burst\"} 1.0".into(),
    ] {
        assert!(
            metrics.lines().any(|each| each == line),
            "{line}: {metrics}"
        );
    }
    assert!(metrics.ends_with("# EOF\n"));
}

/// A window has the very bytes that the whole has of its time, wherever it begins.
#[test]
fn a_window_is_a_part_of_the_day() {
    let lab = lab();
    let window = |window: &str, more: &[&str]| {
        lab.run(&[&["day", "small.ron", "--window", window], more].concat())
            .exits(0)
    };
    let whole = window("0s..40s", &["--node", "1"]);
    let part = |from: &str, until: &str| window(&format!("{from}..{until}"), &["--node", "1"]);
    let within = |from_ns: u64, until_ns: u64| -> String {
        let lines = whole.split_inclusive('\n').zip(json_lines(&whole));
        let is_in = |line: &serde_json::Value| {
            (from_ns..until_ns).contains(&line["t_ns"].as_u64().expect("a time"))
        };
        lines
            .filter(|(_, line)| is_in(line))
            .map(|(text, _)| text)
            .collect()
    };
    let some = part("0:00:10", "12.5s");
    assert_eq!(some, within(10_000_000_000, 12_500_000_000));
    assert!(some.contains("\"tcp_receive_reset\""));
    assert_eq!(
        part("7.000001s", "7.5s"),
        within(7_000_001_000, 7_500_000_000)
    );
    assert_eq!(part("39s", "90s"), within(39_000_000_000, u64::MAX));
    let lines = json_lines(&some);
    assert!(lines.iter().all(|line| line["node"] == 1));
    let both: String = ["0", "1", "2", "3"]
        .map(|node| window("3s..3.2s", &["--node", node]))
        .concat();
    assert_eq!(window("3s..3.2s", &[]), both);
}

/// Each mistake is shown at its line and column, with what would be right.
#[test]
fn mistakes_in_a_population_have_their_place() {
    let lab = lab();
    for (from, to, place, what) in [
        ("per_1000_s: 20000", "per_second: 20", "3:42", "per_second"),
        ("life: Served", "life: Serves", "4:16", "ServedForever"),
        (
            "nodes: 4,",
            "nodes: -4,",
            "1:10",
            "expected a whole number from 0 to 4294967295",
        ),
        (
            "nodes: 4,",
            "nodes: 0,",
            "1:9",
            "nodes: must be from 1 to 65536",
        ),
        (
            "port: 8080",
            "port: 0",
            "4:30",
            "flows[1].port: must be from 1 to 32767",
        ),
        ("(1, 3)", "(1, 5)", "7:38", "at most 4"),
        (
            "for_s: 5,",
            "for_s: 31,",
            "7:65",
            "for_s: must be from 1 to 30",
        ),
        ("nodes: 4, ", "", "8:6", "missing field named `nodes`"),
    ] {
        assert!(SMALL.contains(from), "{from}");
        lab.write("bad.ron", &SMALL.replacen(from, to, 1));
        let said = lab.run(&["day", "bad.ron"]).refuses(2);
        assert!(
            said.contains(&format!("bad.ron:{place}")) && said.contains(what),
            "{to}: {said}"
        );
        assert!(said.contains("faultlab day --print"), "{said}");
    }
    let said = lab.run(&["day", "none.ron"]).refuses(2);
    assert!(said.contains("none.ron cannot be read"), "{said}");
}

#[test]
fn mistakes_are_named() {
    let lab = lab();
    for (window, node, what) in [
        ("0s..1s", "4", "there is no node 4"),
        ("40s..41s", "0", "begins after the end of the population"),
        ("1s..1s", "0", "empty"),
    ] {
        let said = lab
            .run(&["day", "small.ron", "--window", window, "--node", node])
            .refuses(2);
        assert!(said.contains(what), "{said}");
    }
    for shard in ["0/3", "4/3", "1/0", "1"] {
        let said = lab.run(&["day", "small.ron", "--shard", shard]).refuses(2);
        assert!(said.contains("shard"), "{shard}: {said}");
    }
    for two in [["--json", "--csv"], ["--csv", "--openmetrics"]] {
        let said = lab
            .run(&[&["day", "small.ron"][..], &two].concat())
            .refuses(2);
        assert!(said.contains("cannot be used with"), "{said}");
    }
    let shard = |seed: &str, shard: &str| {
        let args = ["day", "small.ron", "--seed", seed, "--shard", shard];
        lab.run(&args).exits(0)
    };
    lab.write("one.json", &shard("0", "1/2"));
    lab.write("other.json", &shard("7", "2/2"));
    let said = lab.run(&["merge", "one.json"]).refuses(2);
    assert!(said.contains("1/2"), "{said}");
    let said = lab.run(&["merge", "one.json", "other.json"]).refuses(2);
    assert!(said.contains("are not of one day"), "{said}");
    lab.write("cut.json", &shard("0", "2/2")[..200]);
    let said = lab.run(&["merge", "one.json", "cut.json"]).refuses(2);
    assert!(said.contains("cut.json:1:200"), "{said}");
    let printed = lab.run(&["day", "small.ron", "--print"]).exits(0);
    lab.write("again.ron", &printed);
    let again = lab.run(&["day", "again.ron"]).exits(0);
    assert_eq!(again, lab.run(&["day", "small.ron"]).exits(0));
}

/// Ctrl-C ends a long day with a word, and with nothing half written.
#[cfg(unix)]
#[test]
fn a_day_that_is_stopped_prints_nothing() {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;

    use rustix::process::{Pid, Signal, kill_process};

    let lab = lab();
    // Long enough for no machine to come to its end.
    lab.write(
        "long.ron",
        &SMALL.replace("seconds: 40", "seconds: 2678400"),
    );
    let command = lab.command(&["day", "long.ron", "--threads", "1"]);
    let child = { command }
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary starts");
    let caught = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()));
        let status = status.expect("it runs");
        let line = status.lines().find(|line| line.starts_with("SigCgt:"));
        let mask = line.and_then(|line| u64::from_str_radix(line[7..].trim(), 16).ok());
        // SIGINT is the second.
        mask.expect("a mask") & 2 != 0
    };
    while !caught() {
        std::thread::yield_now();
    }
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).expect("it is ours");
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.signal(), Some(2));
    assert!(output.stdout.is_empty());
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(
        said.contains("stopped: 0 of 4 nodes were through"),
        "{said}"
    );
}
