//! The state of observers as JSON and as CSV.

use std::fmt::Write as _;

use faultlab_sim::observe::Station;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Live;

#[derive(Serialize)]
struct State<'a> {
    scenario: &'a str,
    arm: &'a str,
    second: u64,
    injected: Vec<&'static str>,
    observers: Vec<Observer<'a>>,
    alerts: Map<String, Value>,
}

#[derive(Serialize)]
struct Observer<'a> {
    observer: &'a str,
    offered: u64,
    reported: u64,
    pending: u64,
    lost: u64,
    silent: u64,
    read_bytes: u64,
    cpu_us: Option<u64>,
    own_signals: Map<String, Value>,
    signals: Map<String, Value>,
    calls: Vec<&'static str>,
}

impl Observer<'_> {
    fn of(station: &Station) -> Observer<'_> {
        let toll = station.toll();
        let own = station.own_signals();
        let mut calls: Vec<&str> = station
            .ringing()
            .map(|(trouble, _)| trouble.name())
            .collect();
        calls.dedup();
        Observer {
            observer: station.name(),
            offered: toll.offered,
            reported: toll.reported,
            pending: toll.pending,
            lost: toll.lost(),
            silent: toll.silent(),
            read_bytes: toll.bytes,
            cpu_us: station.cpu_ns().map(|ns| ns / 1_000),
            own_signals: own
                .iter()
                .map(|(signal, value)| (signal.name().into(), (*value).into()))
                .collect(),
            signals: station
                .seen()
                .map(|(signal, value)| (signal.name().into(), value.into()))
                .collect(),
            calls,
        }
    }
}

/// What is injected just now, by name.
fn injected(live: &Live<'_>) -> Vec<&'static str> {
    let now = live.now();
    let is_on = live
        .injected
        .iter()
        .filter(|each| (each.from..each.until).contains(&now));
    is_on.map(|each| each.trouble.name()).collect()
}

/// One object.
pub fn json(live: &Live<'_>) -> String {
    let state = State {
        scenario: live.of.0,
        arm: live.of.1,
        second: live.second,
        injected: injected(live),
        observers: live.stations.all().iter().map(Observer::of).collect(),
        alerts: live
            .alerts
            .iter()
            .map(|(rule, told)| (rule.clone(), (*told).into()))
            .collect(),
    };
    serde_json::to_string(&state).expect("a state is made of plain values") + "\n"
}

/// A line for each number: `second,observer,number,value`, with a head. Names of observers are quoted.
pub fn csv(live: &Live<'_>) -> String {
    let mut text = String::from("second,observer,number,value\n");
    for station in live.stations.all() {
        let name = station.name().replace('"', "\"\"");
        let mut line = |number: &str, value: u64| {
            let written = writeln!(text, "{},\"{name}\",{number},{value}", live.second);
            debug_assert!(written.is_ok(), "writing to a string cannot fail");
        };
        let toll = station.toll();
        line("offered", toll.offered);
        line("reported", toll.reported);
        line("lost", toll.lost());
        line("silent", toll.silent());
        line("read_bytes", toll.bytes);
        for (signal, value) in station.own_signals() {
            line(signal.name(), value);
        }
        for (signal, value) in station.seen() {
            line(signal.name(), value);
        }
    }
    text
}
