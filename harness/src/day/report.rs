//! What a day came to: as text, JSON, CSV and OpenMetrics.

use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;

use faultlab_sim::observe::Tally;
use faultlab_sim::scenario::Versions;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use serde::Serialize;

use super::Subject;
use crate::cli::DayForm;
use crate::console;
use crate::failure::Result;
use crate::scored::Scored;

/// A day, as JSON has it.
#[derive(Serialize)]
struct Report<'a> {
    model_versions: &'a Versions,
    seed: u64,
    period_ms: u64,
    nodes: u64,
    events: u64,
    digest: String,
    record_bytes: u64,
    read_bytes: u64,
    ratio_ppm: Option<u64>,
    counted: u64,
    lost: u64,
    most_keys: u64,
    detection: Vec<Scored>,
}

impl Report<'_> {
    fn of<'a>(subject: &'a Subject, tally: &Tally) -> Report<'a> {
        let ratio = u128::from(tally.read_bytes) * 1_000_000;
        Report {
            model_versions: &subject.model_versions,
            seed: subject.seed,
            period_ms: subject.period_ms,
            nodes: tally.nodes,
            events: tally.events,
            digest: format!("{:016x}", tally.digest),
            record_bytes: tally.record_bytes,
            read_bytes: tally.read_bytes,
            ratio_ppm: ratio
                .checked_div(tally.record_bytes.into())
                .map(|ratio| ratio as u64),
            counted: tally.counted,
            lost: tally.lost,
            most_keys: tally.most_keys,
            detection: tally.scores.iter().map(Scored::of).collect(),
        }
    }
}

/// Prints it.
///
/// # Errors
/// Standard output cannot be written.
pub(super) fn print(subject: &Subject, tally: &Tally, form: DayForm) -> Result<()> {
    let report = Report::of(subject, tally);
    match form {
        DayForm { json: true, .. } => console::print_json(&report),
        DayForm { csv: true, .. } => console::print(&csv(&report)),
        DayForm {
            openmetrics: true, ..
        } => console::print(&open_metrics(&report)),
        _ => console::print(&text(&report)),
    }
}

/// A line for each trouble, with a head; what is not there is empty.
fn csv(report: &Report<'_>) -> String {
    let mut text = format!(
        "{},nodes,events,digest,record_bytes,read_bytes,counted,lost,most_keys\n",
        Scored::CSV_HEADS
    );
    for scored in &report.detection {
        let written = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{}",
            scored.csv(),
            report.nodes,
            report.events,
            report.digest,
            report.record_bytes,
            report.read_bytes,
            report.counted,
            report.lost,
            report.most_keys,
        );
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    text
}

type Labels = Vec<(&'static str, String)>;
type Levels = Family<Labels, Gauge<u64, AtomicU64>>;

/// As a file that node_exporter's textfile collector takes: all of it gauges, as a day is over and counts no more.
fn open_metrics(report: &Report<'_>) -> String {
    let mut registry = Registry::with_prefix("faultlab_day");
    let info = Levels::default();
    let labels = vec![
        ("version", env!("CARGO_PKG_VERSION").to_owned()),
        ("seed", report.seed.to_string()),
        ("digest", report.digest.clone()),
    ];
    info.get_or_create(&labels).set(1);
    registry.register("run_info", "What was played, as labels; always 1", info);
    let mut add = |name, help, unit: Option<Unit>, value: u64| {
        let gauge: Gauge<u64, AtomicU64> = Gauge::default();
        gauge.set(value);
        match unit {
            Some(unit) => registry.register_with_unit(name, help, unit, gauge),
            None => registry.register(name, help, gauge),
        }
    };
    add("nodes", "How many nodes", None, report.nodes);
    add("events", "Events of tracepoints", None, report.events);
    let bytes = || Some(Unit::Bytes);
    add("records", "Of their records", bytes(), report.record_bytes);
    let help = "What the maps' readers took over";
    add("read", help, bytes(), report.read_bytes);
    let help = "Events that the readers have";
    add("counted_events", help, None, report.counted);
    add("lost_events", "Events that are lost", None, report.lost);
    let help = "The most keys that a node's map held";
    add("most_keys", help, None, report.most_keys);
    let (injected, found, alarms, false_alarms) = (
        Levels::default(),
        Levels::default(),
        Levels::default(),
        Levels::default(),
    );
    let delays: Family<Labels, Gauge<f64, AtomicU64>> = Family::default();
    for scored in &report.detection {
        let labels = vec![("trouble", scored.trouble.to_owned())];
        injected.get_or_create(&labels).set(scored.injected);
        found.get_or_create(&labels).set(scored.found);
        alarms.get_or_create(&labels).set(scored.alarms);
        false_alarms.get_or_create(&labels).set(scored.false_alarms);
        if let Some(ms) = scored.median_delay_ms {
            delays.get_or_create(&labels).set(ms as f64 / 1_000.0);
        }
    }
    registry.register(
        "injected_incidents",
        "Incidents that were injected",
        injected,
    );
    registry.register("found_incidents", "Those that were found", found);
    registry.register("alarms", "What detectors called", alarms);
    let help = "What they called that was not there";
    registry.register("false_alarms", help, false_alarms);
    let help = "How long after its beginning an incident was called, in the median";
    registry.register_with_unit("detection_delay", help, Unit::Seconds, delays);
    let mut text = String::new();
    encode(&mut text, &registry).expect("writing to a string cannot fail");
    in_order(&text)
}

/// The same with the lines of each family in their order: the encoder's is that of a hash map.
fn in_order(text: &str) -> String {
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    for family in lines.chunk_by_mut(|one, next| one.starts_with('#') == next.starts_with('#')) {
        if !family[0].starts_with('#') {
            family.sort_unstable();
        }
    }
    lines.concat()
}

fn text(report: &Report<'_>) -> String {
    let mut text = format!(
        "{} events on {} nodes, digest {}\n\
         records {} bytes, the map's reader takes {} ({}), every {} ms, at most {} keys a node\n\
         counted {}, lost {}\n\n\
         {:<18}{:>9}{:>7}{:>14}{:>11}{:>8}{:>16}\n",
        grouped(report.events),
        report.nodes,
        report.digest,
        grouped(report.record_bytes),
        grouped(report.read_bytes),
        report.ratio_ppm.map_or_else(|| "no events".into(), percent),
        report.period_ms,
        report.most_keys,
        grouped(report.counted),
        grouped(report.lost),
        "trouble",
        "injected",
        "found",
        "false alarms",
        "precision",
        "recall",
        "median delay",
    );
    for scored in &report.detection {
        let permille = |value: Option<u64>| {
            value.map_or_else(
                || "-".to_owned(),
                |value| format!("{}.{:03}", value / 1_000, value % 1_000),
            )
        };
        let delay = scored
            .median_delay_ms
            .map_or_else(|| "-".to_owned(), |ms| format!("{ms} ms"));
        let written = writeln!(
            text,
            "{:<18}{:>9}{:>7}{:>14}{:>11}{:>8}{:>16}",
            scored.trouble,
            scored.injected,
            scored.found,
            scored.false_alarms,
            permille(scored.precision_permille),
            permille(scored.recall_permille),
            delay
        );
        debug_assert!(written.is_ok(), "writing to a string cannot fail");
    }
    text
}

/// Parts of a million as a percentage with four decimals.
fn percent(ppm: u64) -> String {
    format!("{}.{:04} %", ppm / 10_000, ppm % 10_000)
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(4_200_000_000), "4 200 000 000");
        assert_eq!(percent(3_700), "0.3700 %");
    }
}
