//! In what order timers fire that fall on one tick: a slot of the wheel is a list to whose front timers are added
//! (enqueue_timer in kernel/time/timer.c), so that the one that was set last fires first (measured: of two SYNs that
//! meet a SYN queue with room for one, the other gets in each time). Packets that they send arrive after all of them.
//!
//! This holds for one processor; across several the order is open. A pair keeps to it; a lab with many clients, whose
//! timers are set all over its processors, fires its timers as they were set.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::socket::Place;
use super::timer::Timer;
use crate::engine::Time;

/// The timers of two hosts, by their slots.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct Firing {
    /// How many were put into a slot.
    count: u64,
    /// When each fires, and as which it was put there. Those that were stopped are among them.
    timers: BTreeMap<(Place, Timer), (Time, u64)>,
}

impl Firing {
    /// A timer is set. One that stays in its slot keeps its place there (__mod_timer).
    pub(super) fn set(&mut self, at: Place, timer: Timer, deadline: Time) {
        let before = self.timers.get(&(at, timer));
        if before.is_some_and(|(known, _)| *known == deadline) {
            return;
        }
        self.count += 1;
        self.timers.insert((at, timer), (deadline, self.count));
    }

    /// Takes out the timers of the slot that fires now, in their order.
    pub(super) fn take(&mut self, now: Time) -> Vec<(Place, Timer)> {
        let mut due = Vec::new();
        self.timers.retain(|which, (deadline, nth)| {
            let stays = *deadline > now;
            if !stays {
                due.push((Reverse(*nth), *which));
            }
            stays
        });
        due.sort_unstable();
        due.into_iter().map(|(_, which)| which).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::tcp::HostId;

    #[test]
    fn the_timer_that_was_set_last_fires_first() {
        let at = |slot| Place {
            host: HostId(1),
            slot,
        };
        let mut firing = Firing::default();
        for slot in 0..3 {
            firing.set(at(slot), Timer::Write, Time(8));
        }
        firing.set(at(3), Timer::Write, Time(9));
        firing.set(at(1), Timer::Write, Time(8));
        assert_eq!(
            firing.take(Time(8)),
            [2, 1, 0].map(|slot| (at(slot), Timer::Write))
        );
        firing.set(at(3), Timer::Write, Time(10));
        assert_eq!(firing.take(Time(9)), []);
        assert_eq!(firing.take(Time(10)), [(at(3), Timer::Write)]);
    }
}
