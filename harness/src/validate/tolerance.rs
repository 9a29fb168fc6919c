//! By how much times may differ, by host: data, as `vm/tolerances.ron` has them.

use serde::Deserialize;

const TABLE: &str = include_str!("../../../vm/tolerances.ron");

/// By how much times may differ.
#[derive(Clone, Copy, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tolerance {
    /// By so many ms in any case.
    pub abs_ms: f64,
    /// By so many percent of the time since the reset, if that is more.
    pub pct: f64,
}

/// A row of the table.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    host: String,
    tolerance: Tolerance,
}

impl Tolerance {
    /// Times are the same, or differ.
    pub const NONE: Tolerance = Tolerance {
        abs_ms: 0.0,
        pct: 0.0,
    };

    /// Of a host; nothing is tolerated of one that is not in the table.
    pub fn of(host: &str) -> Tolerance {
        let rows: Vec<Row> =
            ron::from_str(TABLE).unwrap_or_else(|error| panic!("vm/tolerances.ron: {error}"));
        let row = rows.into_iter().find(|row| row.host == host);
        row.map_or(Tolerance::NONE, |row| row.tolerance)
    }

    /// What an event at this time is allowed, in ms.
    pub fn ms(self, at_ms: f64) -> f64 {
        self.abs_ms.max(at_ms * self.pct / 100.0)
    }

    /// The wider of two.
    pub fn or(self, other: Tolerance) -> Tolerance {
        Tolerance {
            abs_ms: self.abs_ms.max(other.abs_ms),
            pct: self.pct.max(other.pct),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wider_of_absolute_and_relative_counts() {
        let tolerance = Tolerance {
            abs_ms: 15.0,
            pct: 1.0,
        };
        assert_eq!((tolerance.ms(100.0), tolerance.ms(10_000.0)), (15.0, 100.0));
        assert!(Tolerance::of("linux").abs_ms > 0.0);
        assert_eq!(Tolerance::of("wine").ms(1e9), 0.0);
    }
}
