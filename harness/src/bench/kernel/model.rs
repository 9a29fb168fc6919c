//! What the models predict of the same observers at the same rate.

use std::collections::BTreeMap;

use faultlab_sim::engine::Record as _;
use faultlab_sim::scenario::{Chooser, Keep, Watch, load};
use serde::Serialize;

use super::Way;
use crate::failure::{Failure, Result};
use crate::library::late_mistake;

const SCENARIO: &str = include_str!("model.ron");

/// What the models say of an observer.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Predicted {
    /// Time on a processor for each connection, in us; none: nobody has measured what it is made of.
    pub cpu_us: Option<f64>,
    /// Bytes for each connection.
    pub bytes: f64,
    /// How long after an event its reader knows of it, in us: median and 99 of 100; none: it sees levels.
    pub delay_us: Option<[u64; 2]>,
    /// Millionths of the events that are lost.
    pub lost_ppm: u64,
}

/// What the models say at a rate a second, by the observers' names.
///
/// # Errors
/// The scenario has a mistake (one of ours).
pub fn predict(rate: u64, seconds: u64) -> Result<BTreeMap<String, Predicted>> {
    let text = SCENARIO
        .replace("RATE", &rate.to_string())
        .replace("SECONDS", &seconds.to_string());
    let loaded = load("model.ron", &text, &mut |name| Err(format!("no {name}")))
        .map_err(|mistake| Failure::mistake(mistake, Some(&text)))?;
    let connections = (rate * seconds).max(1) as f64;
    let mut all = BTreeMap::<String, Predicted>::new();
    for arm in &loaded.scenario.arms {
        let prepared = loaded
            .prepare(arm, &loaded.scenario.cases_of(arm)[0].params, &[])
            .map_err(|mistake| late_mistake(&loaded, mistake))?;
        let keep = Keep {
            records: true,
            ..Keep::default()
        };
        let outcome = prepared.run(&Chooser::Seed(0), &Watch::new(Vec::new()), keep);
        for entry in &outcome.entries {
            let number = |field: &str| -> u64 {
                let value = entry.record.field(field);
                let number = value.and_then(|value| value.as_number()).unwrap_or(0);
                u64::try_from(number).unwrap_or(0)
            };
            let predicted = all.entry(entry.actor.to_string()).or_default();
            match entry.record.kind() {
                "observer_cpu" => {
                    predicted.cpu_us = Some(number("cpu_us") as f64 / connections);
                }
                "observed" => {
                    let offered = number("offered");
                    predicted.bytes = number("bytes") as f64 / connections;
                    predicted.lost_ppm = (number("lost") * 1_000_000)
                        .checked_div(offered)
                        .unwrap_or(0);
                    let delays = [number("delay_p50_us"), number("delay_p99_us")];
                    predicted.delay_us = (offered > 0).then_some(delays);
                    let is_count =
                        |way: &Way| matches!(way, Way::Counts(_)) && way.name() == &*entry.actor;
                    if Way::ALL.iter().any(is_count) {
                        // Of a count that is what its first event waits; at a steady rate, others wait evenly less.
                        let [whole, _] = delays;
                        predicted.delay_us = Some([whole / 2, whole * 99 / 100]);
                    }
                }
                _ => {}
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_observer_has_a_prediction() {
        let all = predict(100, 3).expect("the scenario is sound");
        for way in Way::ALL {
            let is_watching = way != Way::Nothing;
            let of_all = all.get(way.name());
            assert_eq!(of_all.is_some(), is_watching, "{}", way.name());
        }
        let ring = &all["ring buffer, JSON lines"];
        assert!(ring.bytes > 12.0 * 72.0 && ring.lost_ppm == 0, "{ring:?}");
        assert!(all["per-CPU map"].delay_us > ring.delay_us);
        assert_eq!(all["per-CPU map"].delay_us, Some([500_000, 990_000]));
    }
}
