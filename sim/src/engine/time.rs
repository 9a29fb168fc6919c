//! Virtual time: whole nanoseconds since the start of a run.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

use serde::{Deserialize, Serialize};

/// A point in virtual time, in nanoseconds since the start of the run. Never a wall clock.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Time(pub u64);

/// A span of virtual time, in nanoseconds.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Span(pub u64);

impl Span {
    /// No time at all: the event is due at once, after those that are due already.
    pub const ZERO: Span = Span(0);

    /// A span of whole milliseconds. Saturates at the end of time (584 years).
    pub const fn from_ms(ms: u64) -> Span {
        Span(ms.saturating_mul(1_000_000))
    }

    /// A span of whole microseconds. Saturates at the end of time.
    pub const fn from_us(us: u64) -> Span {
        Span(us.saturating_mul(1_000))
    }

    /// A span of whole seconds. Saturates at the end of time.
    pub const fn from_s(s: u64) -> Span {
        Span(s.saturating_mul(1_000_000_000))
    }
}

impl Add<Span> for Time {
    type Output = Time;
    /// Saturates: an event further away than the end of time happens at the end of time.
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Sub for Time {
    type Output = Span;
    /// The span from `earlier` to `self`; zero if `earlier` is later.
    fn sub(self, earlier: Time) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Time {
    /// Seconds with as many decimals as there are: `1.5 s`, `0.000004 s`, `0 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, nanos) = (self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        if nanos == 0 {
            return write!(f, "{whole} s");
        }
        let decimals = format!("{nanos:09}");
        write!(f, "{whole}.{} s", decimals.trim_end_matches('0'))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Time(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn display_drops_trailing_zeros_only() {
        assert_eq!(Time(0).to_string(), "0 s");
        assert_eq!(Time(10_000_000_000).to_string(), "10 s");
        assert_eq!(Time(1_004_000_000).to_string(), "1.004 s");
        assert_eq!(Time(1).to_string(), "0.000000001 s");
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Time(u64::MAX) + Span::from_s(1), Time(u64::MAX));
        assert_eq!(Time(1) - Time(2), Span::ZERO);
        assert_eq!(Span::from_s(u64::MAX), Span(u64::MAX));
    }
}
