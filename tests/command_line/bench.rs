//! `bench observers`: the table, JSON, the page and the charts of one small run.

use crate::{Lab, json_lines};

#[test]
fn observers_are_measured_and_shown() {
    let lab = Lab::new();
    let more = ["--json", "--html", "page.html", "--svg", "charts.svg"];
    let small = ["bench", "observers", "--rate", "20"];
    let json = lab.run(&[&small[..], &more].concat()).exits(0);
    let report = &json_lines(&json)[0];
    let names: Vec<&str> = report["observers"]
        .as_array()
        .expect("observers")
        .iter()
        .map(|row| row["observer"].as_str().expect("a name"))
        .collect();
    for polled in [
        "/proc/net/tcp, 120 ms",
        "inet_diag, 120 ms",
        "sockstat, 120 ms",
    ] {
        assert!(names.contains(&polled), "{polled}");
    }
    assert_eq!(report["workload"]["host"], "sim");
    let ids: Vec<&str> = report["article"]
        .as_array()
        .expect("figures")
        .iter()
        .map(|figure| figure["id"].as_str().expect("an id"))
        .collect();
    assert_eq!(ids, ["5-a", "5-b", "5-c", "5-e", "5-f", "5-v"]);
    let (page, charts) = (lab.read("page.html"), lab.read("charts.svg"));
    assert!(charts.starts_with("<svg ") && charts.ends_with("</svg>\n"));
    assert!(
        page.contains(charts.trim_end()),
        "the page has the charts inside"
    );
    for name in names {
        assert!(page.contains(name) && charts.contains(name), "{name}");
    }
    let text = lab.run(&small).exits(0);
    assert!(text.contains("sockstat, 120 ms") && text.contains("5-v: article"));
}

#[test]
fn nothing_is_left_where_it_cannot_be_written() {
    let lab = Lab::new();
    let args = [
        "bench",
        "observers",
        "--rate",
        "20",
        "--svg",
        "none/charts.svg",
    ];
    let said = lab.run(&args).refuses(2);
    assert!(said.contains("charts.svg"), "{said}");
    let said = lab.run(&["bench", "observers", "--rate", "0"]).refuses(2);
    assert!(said.contains("--rate"), "{said}");
}
