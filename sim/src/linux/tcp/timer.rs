//! Timers as the kernel has them: late by a part of their granule, and cheap to set again.

use crate::engine::{Span, Time};

/// The kernel's tick.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Jiffies {
    nanos: u64,
}

impl Jiffies {
    /// The tick of a kernel built with this HZ.
    pub const fn of_hz(hz: u64) -> Jiffies {
        Jiffies {
            nanos: 1_000_000_000 / hz,
        }
    }

    /// A span of so many ticks.
    pub const fn ticks(self, count: u64) -> Span {
        Span(self.nanos * count)
    }

    /// When a timer fires that is set at `now` for `after` later: the timer wheel has eight levels of
    /// 64 slots, each level eight times as coarse as the one below, and rounds up to the next slot
    /// (kernel/time/timer.c; the lateness was measured on Linux 6.1 and 6.18 with HZ=250). The model's
    /// ticks begin at time 0.
    pub fn expiry(self, now: Time, after: Span) -> Time {
        let now = now.0 / self.nanos;
        let delta = after.0.div_ceil(self.nanos);
        let mut level = 0;
        while level < 8 && delta >= 63 << (3 * level) {
            level += 1;
        }
        let slot = ((now + delta) >> (3 * level)) + 1;
        Time((slot << (3 * level)).saturating_mul(self.nanos))
    }
}

/// A timer that is set often and rarely fires. Setting it later than it was leaves the entry on the
/// agenda as it is: when that is due, the timer is put back for the rest.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Timer {
    /// When it fires.
    deadline: Option<Time>,
    /// invariant: if there is a deadline, an entry of the agenda is due at `queued`, not after it.
    queued: Option<Time>,
}

/// What an entry of the agenda means for its timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// Nothing: the timer was stopped, or another entry stands for it.
    Nothing,
    /// The timer fires.
    Fires,
    /// It was set to later: an entry is needed after this span.
    Later(Span),
}

impl Timer {
    /// Sets it; says after what span an entry is needed, if the one there is too late.
    pub(super) fn set(&mut self, now: Time, deadline: Time) -> Option<Span> {
        self.deadline = Some(deadline);
        match self.queued {
            Some(queued) if queued <= deadline => None,
            _ => {
                self.queued = Some(deadline);
                Some(deadline - now)
            }
        }
    }

    /// Stops it.
    pub(super) fn stop(&mut self) {
        self.deadline = None;
    }

    /// An entry of the agenda is due.
    pub(super) fn due(&mut self, now: Time) -> Due {
        if self.queued != Some(now) {
            return Due::Nothing;
        }
        self.queued = None;
        match self.deadline {
            None => Due::Nothing,
            Some(deadline) if deadline <= now => {
                self.deadline = None;
                Due::Fires
            }
            Some(deadline) => {
                self.queued = Some(deadline);
                Due::Later(deadline - now)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// (nominal ms, earliest, latest): measured on Linux 6.1 and 6.18, HZ=250.
    #[test]
    fn timers_are_late_by_up_to_a_granule() {
        let tick = Jiffies::of_hz(250);
        for (nominal, granule) in [
            (200, 4),
            (1_000, 32),
            (4_000, 256),
            (8_000, 256),
            (32_000, 2_048),
            (60_000, 2_048),
            (120_000, 2_048),
        ] {
            for phase in 0..3000 {
                let now = Time(phase * 1_700_000);
                let late = tick.expiry(now, Span::from_ms(nominal)) - now;
                let late = late.0 as i64 - Span::from_ms(nominal).0 as i64;
                assert!(late > 0, "{nominal} ms fires {late} ns late");
                assert!(
                    late <= granule * 1_000_000,
                    "{nominal} ms is {late} ns late"
                );
            }
        }
    }

    #[test]
    fn a_timer_that_is_set_later_needs_no_new_entry() {
        let mut timer = Timer::default();
        assert_eq!(timer.set(Time(0), Time(10)), Some(Span(10)));
        assert_eq!(timer.set(Time(5), Time(20)), None);
        assert_eq!(timer.due(Time(10)), Due::Later(Span(10)));
        assert_eq!(timer.set(Time(12), Time(15)), Some(Span(3)));
        assert_eq!(timer.due(Time(15)), Due::Fires);
        assert_eq!(timer.due(Time(20)), Due::Nothing);
    }

    #[test]
    fn a_stopped_timer_does_not_fire() {
        let mut timer = Timer::default();
        timer.set(Time(0), Time(10));
        timer.stop();
        assert_eq!(timer.due(Time(10)), Due::Nothing);
        assert_eq!(timer.set(Time(11), Time(20)), Some(Span(9)));
    }
}
