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

#[test]
fn threads_and_shards_give_the_same() {
    let lab = lab();
    for flag in [&[][..], &["--json"]] {
        let day = |more: &[&str]| lab.run(&[&["day", "small.ron"], more].concat());
        let whole = day(&[flag, &["--threads", "1"]].concat()).exits(0);
        assert_eq!(day(&[flag, &["--threads", "3"]].concat()).exits(0), whole);
        for (name, part) in [
            ("one.json", "1/3"),
            ("two.json", "2/3"),
            ("three.json", "3/3"),
        ] {
            lab.write(name, &day(&["--shard", part]).exits(0));
        }
        let shards = ["three.json", "one.json", "two.json"];
        let merged = lab.run(&[&["merge"][..], &shards, flag].concat()).exits(0);
        assert_eq!(merged, whole);
    }
}

#[test]
fn a_window_is_a_part_of_the_day() {
    let lab = lab();
    let window = |window: &str| {
        lab.run(&["day", "small.ron", "--node", "1", "--window", window])
            .exits(0)
    };
    let whole = window("0s..40s");
    let minute = window("0:00:10..12.5s");
    assert!(!minute.is_empty() && whole.contains(&minute));
    let lines = json_lines(&minute);
    assert!(lines.iter().all(|line| line["node"] == 1));
    let times: Vec<u64> = lines
        .iter()
        .filter_map(|line| line["t_ns"].as_u64())
        .collect();
    assert!(times.is_sorted() && times[0] >= 10_000_000_000);
    assert!(times[times.len() - 1] < 12_500_000_000);
    assert!(
        lines
            .iter()
            .any(|line| line["event"] == "tcp_receive_reset")
    );
}

#[test]
fn mistakes_are_named() {
    let lab = lab();
    lab.write(
        "typo.ron",
        &SMALL.replace("per_1000_s: 20000", "per_second: 20"),
    );
    let said = lab.run(&["day", "typo.ron"]).refuses(2);
    assert!(
        said.contains("typo.ron:3:") && said.contains("per_second"),
        "{said}"
    );
    lab.write(
        "outside.ron",
        &SMALL.replace("nodes: (1, 3)", "nodes: (1, 5)"),
    );
    let said = lab.run(&["day", "outside.ron"]).refuses(2);
    assert!(said.contains("incident 1: it must lie within"), "{said}");
    let said = lab
        .run(&["day", "small.ron", "--window", "0s..1s", "--node", "4"])
        .refuses(2);
    assert!(said.contains("there is no node 4"), "{said}");
    lab.write(
        "one.json",
        &lab.run(&["day", "small.ron", "--shard", "1/2"]).exits(0),
    );
    let said = lab.run(&["merge", "one.json"]).refuses(2);
    assert!(said.contains("1/2"), "{said}");
    let printed = lab.run(&["day", "small.ron", "--print"]).exits(0);
    lab.write("again.ron", &printed);
    let again = lab.run(&["day", "again.ron"]).exits(0);
    assert_eq!(again, lab.run(&["day", "small.ron"]).exits(0));
}
