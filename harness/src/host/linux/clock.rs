//! This machine's clocks.

use rustix::thread::clock_nanosleep_absolute;
use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

fn ns(time: Timespec) -> u64 {
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// CLOCK_MONOTONIC in ns: the clock of bpf_ktime_get_ns.
pub fn monotonic_ns() -> u64 {
    ns(clock_gettime(ClockId::Monotonic))
}

/// How long a tick of the kernel is, in ns: the coarse clock moves once a tick.
pub fn tick_ns() -> u64 {
    ns(clock_getres(ClockId::MonotonicCoarse)).max(1)
}

/// When the latest tick was, in ns of [`monotonic_ns`].
pub fn latest_tick_ns() -> u64 {
    ns(clock_gettime(ClockId::MonotonicCoarse))
}

/// Sleeps until then.
pub fn sleep_until(at_ns: u64) {
    let at = Timespec {
        tv_sec: (at_ns / 1_000_000_000) as i64,
        tv_nsec: (at_ns % 1_000_000_000) as i64,
    };
    while clock_nanosleep_absolute(ClockId::Monotonic, &at).is_err() {}
}
