//! The clock that a record bears, and what the reader makes of it.

use crate::engine::{Span, Time};

/// By which clock records are stamped. Readers turn stamps into times of their own by a difference that they
/// took once, when they began.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum StampClock {
    /// bpf_ktime_get_ns: CLOCK_MONOTONIC, in ns.
    Ktime,
    /// bpf_jiffies64: the last tick.
    Jiffies {
        /// The time between two ticks.
        tick: Span,
    },
    /// The programs of state events ask bpf_ktime_get_ns, the others bpf_ktime_get_boot_ns, on a machine that
    /// was suspended for so long before.
    Mixed {
        /// How far the two are apart.
        apart: Span,
    },
    /// The machine was suspended for so long after the reader began: CLOCK_MONOTONIC, and printk's clock, stood
    /// still, and its difference from the reader's has been wrong ever since. (dmesg(1), of `-T`: "the time
    /// source used for the logs is not updated after system SUSPEND/RESUME".)
    Suspended {
        /// For how long.
        lost: Span,
    },
}

impl StampClock {
    /// When the reader takes something to have happened that happened at `at`.
    #[inline]
    pub fn stamp(self, at: Time, is_other_program: bool) -> Time {
        match self {
            StampClock::Ktime => at,
            StampClock::Jiffies { tick } => Time(at.0 - at.0 % tick.0.max(1)),
            StampClock::Mixed { apart } if is_other_program => at + apart,
            StampClock::Mixed { .. } => at,
            StampClock::Suspended { lost } => Time(at.0.saturating_sub(lost.0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_go_wrong_by_what_is_wrong_with_them() {
        let at = Time(7_999_999);
        let stamp = |clock: StampClock, other| clock.stamp(at, other).0;
        let tick = Span::from_ms(4);
        assert_eq!(stamp(StampClock::Ktime, true), at.0);
        assert_eq!(stamp(StampClock::Jiffies { tick }, false), 4_000_000);
        let mixed = StampClock::Mixed {
            apart: Span::from_s(3),
        };
        assert_eq!(stamp(mixed, true) - stamp(mixed, false), 3_000_000_000);
        let lost = Span::from_ms(5);
        assert_eq!(stamp(StampClock::Suspended { lost }, false), 2_999_999);
    }
}
