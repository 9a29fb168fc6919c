//! Timers as the kernel has them: late by a part of their granule, and cheap to set again.

use crate::engine::{Span, Ticket, Time};

/// A kernel's clocks: the tick, and how long the kernel had been running when the run began.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Clock {
    tick_ns: u64,
    boot_jiffies: u64,
}

impl Clock {
    /// So many boot phases differ: the granule of the wheel's level that serves timers of up to 129 s at
    /// HZ=250 has 512 ticks, that of the next level, up to 1032 s, 4096; further ones have no timer here.
    pub const PHASES: u64 = 32_768;

    /// The phase that a kernel has where no choice says otherwise, in ticks: one that the recorded kernels
    /// could have had, as it agrees with all recordings in full.
    pub const USUAL_PHASE: u64 = 296;

    /// The clocks of a kernel that was built with this HZ and has just started.
    ///
    /// # Panics
    /// If `hz` is 0.
    pub const fn of_hz(hz: u32) -> Clock {
        Clock {
            tick_ns: 1_000_000_000 / hz as u64,
            boot_jiffies: 0,
        }
    }

    /// The same kernel, which had counted so many ticks when the run began. The run begins on a tick.
    pub const fn booted_before(self, jiffies: u64) -> Clock {
        Clock {
            boot_jiffies: jiffies,
            ..self
        }
    }

    /// The counter of ticks.
    pub const fn jiffies(self, now: Time) -> u64 {
        now.0 / self.tick_ns + self.boot_jiffies
    }

    /// How many ticks so many microseconds are, rounded up (usecs_to_jiffies).
    pub const fn ticks_of_us(self, us: u64) -> u64 {
        us.saturating_mul(1_000).div_ceil(self.tick_ns)
    }

    /// How many ticks so many milliseconds are, rounded up (msecs_to_jiffies).
    pub const fn ticks_of_ms(self, ms: u64) -> u64 {
        self.ticks_of_us(ms.saturating_mul(1_000))
    }

    /// How long so many ticks are, in microseconds (jiffies_to_usecs).
    pub const fn us_of_ticks(self, ticks: u64) -> u64 {
        ticks.saturating_mul(self.tick_ns) / 1_000
    }

    /// The whole seconds for which the kernel has been running (ktime_get_seconds).
    pub const fn seconds(self, now: Time) -> u64 {
        (now.0 + self.boot_jiffies * self.tick_ns) / 1_000_000_000
    }

    /// The clock of the timestamps option, in milliseconds (tcp_clock_ms). It begins at 64, as an echo of 0
    /// means that there is none, and the timestamp of a SYN cookie lies up to 63 ms back.
    pub const fn milliseconds(self, now: Time) -> u64 {
        now.0 / 1_000_000 + 64
    }

    /// When a timer fires that is set at `now` for `ticks` later: the timer wheel has levels of 64 slots,
    /// each level eight times as coarse as the one below, and rounds up to the next slot (calc_wheel_index
    /// in kernel/time/timer.c; measured on Linux 6.1 and 6.18 with HZ=250). A timer is therefore late by
    /// more than nothing and by at most the granule of its level.
    pub const fn expiry(self, now: Time, ticks: u64) -> Time {
        // The first level whose 63 slots reach so far.
        let level = match (ticks / 63).checked_ilog2() {
            None => 0,
            Some(bits) if bits < 3 * 7 => bits / 3 + 1,
            Some(_) => 8,
        };
        let slot = ((self.jiffies(now) + ticks) >> (3 * level)) + 1;
        let jiffies = (slot << (3 * level)) - self.boot_jiffies;
        Time(jiffies.saturating_mul(self.tick_ns))
    }
}

/// Which of a socket's timers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Timer {
    /// Retransmission, tail loss probe, window probe (icsk_retransmit_timer); of a half-open request, its
    /// SYN-ACK; of a mini-socket, its end.
    Write,
    /// The delayed acknowledgement (icsk_delack_timer).
    Ack,
    /// Keepalive, and the end of an orphan in FIN_WAIT2 (sk_timer).
    Keep,
}

/// A timer that is set often and rarely fires. Setting it later than it was leaves the entry on the
/// agenda as it is, and so does stopping it, as it will be set again: when that is due, the timer is put back for the
/// rest.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Alarm {
    /// When it fires, or [`Alarm::NEVER`].
    deadline: Time,
    /// When the entry of the agenda is due that stands for it, or [`Alarm::NEVER`].
    /// invariant: not after the deadline.
    queued: Time,
    /// invariant: there exactly if `queued` is a time.
    entry: Option<Ticket>,
}

impl Default for Alarm {
    fn default() -> Alarm {
        Alarm {
            deadline: Alarm::NEVER,
            queued: Alarm::NEVER,
            entry: None,
        }
    }
}

/// What an entry of the agenda means for its timer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// Nothing: the timer was stopped, or has fired.
    Nothing,
    /// The timer fires.
    Fires,
    /// It was set to later: an entry is needed after this span.
    Later(Span),
}

impl Alarm {
    /// No time: the end of it, at which nothing happens.
    const NEVER: Time = Time(u64::MAX);

    /// Sets it; whether the entry that stands for it is early enough.
    pub(super) fn set(&mut self, deadline: Time) -> bool {
        self.deadline = deadline;
        self.entry.is_some() && self.queued <= deadline
    }

    /// An entry was put on the agenda that stands for it.
    pub(super) fn queue(&mut self, due: Time, entry: Ticket) {
        debug_assert!(self.entry.is_none(), "one entry stands for a timer");
        self.queued = due;
        self.entry = Some(entry);
    }

    /// The entry that stands for it, which does so no more.
    pub(super) fn take(&mut self) -> Option<Ticket> {
        self.queued = Alarm::NEVER;
        self.entry.take()
    }

    /// Stops it.
    pub(super) fn stop(&mut self) {
        self.deadline = Alarm::NEVER;
    }

    /// An entry of the agenda is due.
    pub(super) fn due(&mut self, now: Time) -> Due {
        if self.queued != now {
            return Due::Nothing;
        }
        self.take();
        match self.deadline {
            Alarm::NEVER => Due::Nothing,
            deadline if deadline <= now => {
                self.deadline = Alarm::NEVER;
                Due::Fires
            }
            deadline => Due::Later(deadline - now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Agenda, Names};

    /// (nominal ms, granule ms) at HZ=250: measured on Linux 6.1 and 6.18.
    #[test]
    fn timers_are_late_by_up_to_a_granule() {
        for (nominal, granule) in [
            (0, 4),
            (200, 4),
            (1_000, 32),
            (2_000, 32),
            (4_000, 256),
            (8_000, 256),
            (16_000, 256),
            (32_000, 2_048),
            (60_000, 2_048),
            (120_000, 2_048),
            (130_000, 16_384),
        ] {
            for phase in 0..3000 {
                let clock = Clock::of_hz(250).booted_before(phase * 11);
                let now = Time(phase * 1_700_000);
                let late = clock.expiry(now, clock.ticks_of_ms(nominal)) - now;
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
    fn a_second_takes_each_of_eight_values_at_250_hz() {
        let mut found: Vec<u64> = (0..Clock::PHASES)
            .map(|phase| {
                let clock = Clock::of_hz(250).booted_before(phase);
                clock.expiry(Time(0), clock.ticks_of_ms(1_000)).0 / 1_000_000
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, [1004, 1008, 1012, 1016, 1020, 1024, 1028, 1032]);
    }

    #[test]
    fn lateness_is_a_matter_of_hz() {
        let worst = |hz| {
            let late = (0..Clock::PHASES).map(|phase| {
                let clock = Clock::of_hz(hz).booted_before(phase);
                clock.expiry(Time(0), clock.ticks_of_ms(1_000)).0 / 1_000_000 - 1_000
            });
            late.max()
        };
        assert_eq!(worst(100), Some(80));
        assert_eq!(worst(250), Some(32));
        assert_eq!(worst(1000), Some(64));
    }

    /// A ticket, of whatever entry.
    fn ticket() -> Ticket {
        let (mut names, mut agenda) = (Names::new(), Agenda::default());
        let entity = names.name("client");
        agenda.push(Time(10), entity, (), &names)
    }

    #[test]
    fn a_timer_that_is_set_later_needs_no_new_entry() {
        let mut alarm = Alarm::default();
        assert!(!alarm.set(Time(10)));
        alarm.queue(Time(10), ticket());
        assert!(alarm.set(Time(20)));
        assert_eq!(alarm.due(Time(10)), Due::Later(Span(10)));
        alarm.queue(Time(20), ticket());
        assert!(!alarm.set(Time(15)));
        assert!(alarm.take().is_some());
        alarm.queue(Time(15), ticket());
        assert_eq!(alarm.due(Time(15)), Due::Fires);
        assert_eq!(alarm.due(Time(20)), Due::Nothing);
        assert!(alarm.take().is_none());
    }

    #[test]
    fn a_stopped_timer_does_not_fire() {
        let mut alarm = Alarm::default();
        alarm.set(Time(10));
        alarm.queue(Time(10), ticket());
        alarm.stop();
        assert_eq!(alarm.due(Time(10)), Due::Nothing);
        assert!(!alarm.set(Time(20)));
    }
}
