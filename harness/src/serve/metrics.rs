//! The state of observers as OpenMetrics text: what Prometheus scrapes. Names have the prefix `faultlab_`, base
//! units last, `_total` of counters.

use std::sync::atomic::AtomicU64;

use faultlab_sim::observe::{OwnSignal, Signal, Station, Trouble};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::Live;

type Labels = Vec<(&'static str, String)>;
type Counts = Family<Labels, Counter>;
type Seconds = Family<Labels, Counter<f64, AtomicU64>>;
type Levels = Family<Labels, Gauge>;
type Ratios = Family<Labels, Gauge<f64, AtomicU64>>;

/// What a scrape gets. A registry is made for each: it is a picture of one second.
pub fn render(live: &Live<'_>) -> String {
    let mut registry = Registry::with_prefix("faultlab");
    of_run(live, &mut registry);
    of_seen(live, &mut registry);
    of_observers(live, &mut registry);
    of_own_signals(live, &mut registry);
    of_detection(live, &mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).expect("writing to a string cannot fail");
    text
}

fn by(station: &Station) -> Labels {
    vec![("observer", station.name().to_owned())]
}

fn by_and(station: &Station, name: &'static str, value: &str) -> Labels {
    vec![
        ("observer", station.name().to_owned()),
        (name, value.to_owned()),
    ]
}

/// The unit of parts of one.
fn ratio_unit() -> Unit {
    Unit::Other("ratio".into())
}

/// Thousandths as a ratio.
fn ratio(permille: u64) -> f64 {
    permille as f64 / 1_000.0
}

fn level(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn of_run(live: &Live<'_>, registry: &mut Registry) {
    let info = Levels::default();
    let labels = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("scenario", live.of.0.to_owned()),
        ("arm", live.of.1.to_owned()),
    ];
    info.get_or_create(&labels).set(1);
    registry.register("run_info", "What is played, as labels; always 1", info);
    let time: Gauge = Gauge::default();
    time.set(level(live.second));
    let help = "How much of the node's time is over";
    registry.register_with_unit("played", help, Unit::Seconds, time);
}

/// What observers have counted, and where levels stand.
fn of_seen(live: &Live<'_>, registry: &mut Registry) {
    let (events, sockets, buffers) = (Counts::default(), Levels::default(), Ratios::default());
    for station in live.stations.all() {
        for (signal, value) in station.seen() {
            let state = match signal {
                Signal::OpenNow => "open",
                Signal::SynSentNow => "syn_sent",
                Signal::TimeWaitNow => "time_wait",
                Signal::BufferFill => {
                    buffers.get_or_create(&by(station)).set(ratio(value));
                    continue;
                }
                _ => {
                    let labels = by_and(station, "signal", signal.name());
                    events.get_or_create(&labels).inc_by(value);
                    continue;
                }
            };
            sockets
                .get_or_create(&by_and(station, "state", state))
                .set(level(value));
        }
    }
    registry.register(
        "observed_events",
        "Events that an observer's reader has, by what they say",
        events,
    );
    registry.register(
        "observed_sockets",
        "Sockets that a poller has counted, by state",
        sockets,
    );
    let help = "How full a poller or program last saw the receive buffer of the watched socket";
    registry.register_with_unit("observed_buffer_fill", help, ratio_unit(), buffers);
}

/// What observing has cost and lost.
fn of_observers(live: &Live<'_>, registry: &mut Registry) {
    let (offered, reported, told) = (Counts::default(), Counts::default(), Counts::default());
    let (pending, lost, silent) = (Levels::default(), Levels::default(), Levels::default());
    let (bytes, cpu) = (Counts::default(), Seconds::default());
    for station in live.stations.all() {
        let toll = station.toll();
        offered.get_or_create(&by(station)).inc_by(toll.offered);
        reported.get_or_create(&by(station)).inc_by(toll.reported);
        told.get_or_create(&by(station)).inc_by(toll.told);
        bytes.get_or_create(&by(station)).inc_by(toll.bytes);
        pending.get_or_create(&by(station)).set(level(toll.pending));
        lost.get_or_create(&by(station)).set(level(toll.lost()));
        silent.get_or_create(&by(station)).set(level(toll.silent()));
        if let Some(ns) = station.cpu_ns() {
            cpu.get_or_create(&by(station)).inc_by(ns as f64 / 1e9);
        }
    }
    let mut add = |name, help, counts: Counts| registry.register(name, help, counts);
    add(
        "observer_offered_events",
        "Events that concerned an observer",
        offered,
    );
    add(
        "observer_reported_events",
        "Events that its reader has",
        reported,
    );
    add(
        "observer_told_losses",
        "Losses that its own signal tells of",
        told,
    );
    let help = "What its reader took over";
    registry.register_with_unit("observer_read", help, Unit::Bytes, bytes);
    let help = "Time on one processor, where it was measured";
    registry.register_with_unit("observer_cpu", help, Unit::Seconds, cpu);
    let mut add = |name, help, levels: Levels| registry.register(name, help, levels);
    add(
        "observer_pending_events",
        "Events on their way to the reader",
        pending,
    );
    add(
        "observer_lost_events",
        "Events that are gone, by the simulator's own count",
        lost,
    );
    add(
        "observer_silently_lost_events",
        "Of these, those that nothing tells of",
        silent,
    );
}

/// What an observer's reader can know of the observer.
fn of_own_signals(live: &Live<'_>, registry: &mut Registry) {
    for signal in OwnSignal::ALL {
        let values: Vec<(Labels, u64)> = live
            .stations
            .all()
            .iter()
            .filter_map(|station| {
                let own = station.own_signals();
                let (_, value) = own.iter().find(|(each, _)| *each == signal)?;
                Some((by(station), *value))
            })
            .collect();
        let (name, help) = match signal {
            OwnSignal::FailedUpdates => (
                "observer_failed_updates",
                "Updates of a map that failed with -E2BIG",
            ),
            OwnSignal::VanishedKeys => (
                "observer_vanished_keys",
                "Keys that an LRU map gave up between two readings",
            ),
            OwnSignal::Drops => (
                "observer_dropped_records",
                "Records that a buffer had no room for",
            ),
            OwnSignal::LogGap => (
                "observer_missing_lines",
                "Lines missing between sequence numbers of the log",
            ),
            OwnSignal::MapFill => ("observer_map_fill", "How much of a map's entries is taken"),
        };
        if signal.is_level() {
            let ratios = Ratios::default();
            for (labels, value) in values {
                ratios.get_or_create(&labels).set(ratio(value));
            }
            registry.register_with_unit(name, help, ratio_unit(), ratios);
        } else {
            let counts = Counts::default();
            for (labels, value) in values {
                counts.get_or_create(&labels).inc_by(value);
            }
            registry.register(name, help, counts);
        }
    }
}

/// What detectors call, what is so, and what alerts were made.
fn of_detection(live: &Live<'_>, registry: &mut Registry) {
    let (calls, incidents, alerts) = (Levels::default(), Levels::default(), Counts::default());
    let now = live.now();
    for trouble in Trouble::ALL {
        for station in live.stations.all() {
            let is_called = station.ringing().any(|(each, _)| each == trouble);
            let labels = by_and(station, "trouble", trouble.name());
            calls.get_or_create(&labels).set(is_called.into());
        }
        let is_on = live
            .injected
            .iter()
            .any(|each| each.trouble == trouble && (each.from..each.until).contains(&now));
        let labels = vec![("trouble", trouble.name().to_owned())];
        incidents.get_or_create(&labels).set(is_on.into());
    }
    for (rule, told) in live.alerts {
        let labels = vec![("rule", rule.clone())];
        alerts.get_or_create(&labels).inc_by(*told);
    }
    registry.register(
        "detector_calls",
        "Whether the detector behind an observer calls a trouble: 1 or 0",
        calls,
    );
    registry.register(
        "incident_injected",
        "Whether a trouble is injected: 1 or 0",
        incidents,
    );
    registry.register("alerts", "Alerts made, by rule", alerts);
}
