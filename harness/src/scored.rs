//! How well troubles were found, as JSON, CSV and OpenMetrics have it.

use faultlab_sim::observe::{Score, Trouble};
use serde::Serialize;

/// How well one trouble was found.
#[derive(Debug, Serialize)]
pub struct Scored {
    /// Which.
    pub trouble: &'static str,
    /// How many were injected.
    pub injected: u64,
    /// How many of them were found.
    pub found: u64,
    /// How many alarms there were.
    pub alarms: u64,
    /// How many of them were false.
    pub false_alarms: u64,
    /// Thousandths of the alarms that were right; none without alarms.
    pub precision_permille: Option<u64>,
    /// Thousandths of what was injected that were found; none if nothing was.
    pub recall_permille: Option<u64>,
    /// How long after its beginning a trouble was called, in ms, in the median; none if none was.
    pub median_delay_ms: Option<u64>,
}

impl Scored {
    /// The heads of its fields in CSV.
    pub const CSV_HEADS: &'static str = "trouble,injected,found,alarms,false_alarms,precision_permille,recall_permille,median_delay_ms";

    /// A score as it is shown.
    pub fn of((trouble, score): (&Trouble, &Score)) -> Scored {
        Scored {
            trouble: trouble.name(),
            injected: score.injected,
            found: score.found,
            alarms: score.alarms,
            false_alarms: score.false_alarms,
            precision_permille: score.precision_permille(),
            recall_permille: score.recall_permille(),
            median_delay_ms: score.median_delay().map(|delay| delay.0 / 1_000_000),
        }
    }

    /// Its fields in CSV; what is not there is empty. None needs quotes.
    pub fn csv(&self) -> String {
        let number = |value: Option<u64>| value.map_or_else(String::new, |value| value.to_string());
        format!(
            "{},{},{},{},{},{},{},{}",
            self.trouble,
            self.injected,
            self.found,
            self.alarms,
            self.false_alarms,
            number(self.precision_permille),
            number(self.recall_permille),
            number(self.median_delay_ms),
        )
    }
}
