//! `detect`: the table, its forms, and files of one's own.

use crate::{Lab, json_lines};

/// Two nodes for 20 seconds, with a burst of resets; a map and a ring, with a fault each.
const SMALL: &str = "(
    population: (nodes: 2, seconds: 20,
        flows: [(life: ClientCloses, port: 6379, per_1000_s: 20000, hold_us: 5000, peers: 8)],
        incidents: [
            (trouble: ResetBurst, nodes: (0, 2), from_s: 5, for_s: 5, flows: (life: Refused, port: 6379, per_1000_s: 500000)),
        ],
    ),
    buffer: (bytes: 230400, segment_bytes: 1448, truesize: 2304, per_s: 100, stalls: [(from_ms: 8000, for_ms: 8000, reads_permille: 800)]),
    observers: [
        (name: \"map\", by: Map((key: Service)), faults: [(\"map-full\", {\"max_entries\": 3})]),
        (name: \"diag\", by: Poll((source: InetDiag, period_ms: 1000, hz: 250)), faults: [(\"slow-poll\", {\"period_ms\": 19000})]),
    ],
)";

fn lab() -> Lab {
    let lab = Lab::new();
    lab.write("small.ron", SMALL);
    lab
}

#[test]
fn a_table() {
    insta::assert_snapshot!(lab().run(&["detect", "small.ron"]).exits(0));
}

#[test]
fn all_forms_say_the_same_for_any_number_of_threads() {
    let lab = lab();
    let json = |threads| {
        let args = ["detect", "small.ron", "--json", "--threads", threads];
        lab.run(&args).exits(0)
    };
    assert_eq!(json("1"), json("2"));
    let report = &json_lines(&json("1"))[0];
    let rows = report["rows"].as_array().expect("rows");
    let csv = lab.run(&["detect", "small.ron", "--csv"]).exits(0);
    let lines: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines.len(), 1 + rows.len() * 7);
    assert!(lines.iter().all(|line| line.len() == lines[0].len()));
    let column = |name: &str| lines[0].iter().position(|head| *head == name).expect(name);
    for (row, lines) in rows.iter().zip(lines[1..].chunks(7)) {
        for (scored, line) in row["detection"]
            .as_array()
            .expect("scores")
            .iter()
            .zip(lines)
        {
            assert_eq!(line[column("observer")], row["observer"]);
            assert_eq!(line[column("trouble")], scored["trouble"]);
            for number in [
                "injected",
                "found",
                "false_alarms",
                "recall_permille",
                "median_delay_ms",
            ] {
                let value = match &scored[number] {
                    serde_json::Value::Null => String::new(),
                    value => value.to_string(),
                };
                assert_eq!(line[column(number)], value, "{number}");
            }
        }
    }
    let other = lab
        .run(&["detect", "small.ron", "--json", "--seed", "9"])
        .exits(0);
    assert_ne!(
        json_lines(&other)[0]["rows"],
        report["rows"],
        "another seed, other arrivals"
    );
}

#[test]
fn what_is_printed_can_be_played() {
    let lab = lab();
    let printed = lab.run(&["detect", "small.ron", "--print"]).exits(0);
    lab.write("again.ron", &printed);
    let played = |file| lab.run(&["detect", file]).exits(0);
    assert_eq!(played("again.ron"), played("small.ron"));
}

#[test]
fn mistakes_are_named() {
    let lab = lab();
    for (from, to, what) in [
        ("name: \\\"map\\\"", "nome: \\\"map\\\"", "bad.ron:10:"),
        ("map-full", "map-ful", "there is no fault \"map-ful\""),
        ("max_entries", "entries", "no parameter \"entries\""),
        ("slow-poll", "log-in-namespace", "no parameter"),
        ("nodes: (0, 2)", "nodes: (0, 3)", "bad.ron:5:42"),
        ("name: \\\"diag\\\"", "name: \\\"map\\\"", "is there twice"),
        ("truesize: 2304", "truesize: 1000", "buffer: "),
    ] {
        let from = from.replace("\\\"", "\"");
        assert!(SMALL.contains(&from), "{from}");
        lab.write("bad.ron", &SMALL.replace(&from, &to.replace("\\\"", "\"")));
        let said = lab.run(&["detect", "bad.ron"]).refuses(2);
        assert!(said.contains(what), "{to}: {said}");
    }
    assert!(
        lab.run(&["detect", "none.ron"])
            .refuses(2)
            .contains("none.ron cannot be read")
    );
}
