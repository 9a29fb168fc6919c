//! What observing costs in time on a processor, as far as that was measured.
//!
//! Measured on Linux 6.18 with one request a connection, 12 events of tracepoints and 4 lines of a LOG rule each, at
//! 2 000 connections a second (medians of three, within 10 us a connection), beside 131 us for the connection
//! itself: a program and a per-CPU map 12 x 0.42 us in the kernel, a ring buffer to lines of JSON 80 us, a LOG rule
//! and a parser in C 41 us. A read of /proc/net/tcp takes 3.3 ms with no socket and 40.3 ms with 28 000; `ss -tan`,
//! with its start, 9 and 57 ms. Reading a map's rows was not measured: it was within the 10 us.

use super::export::Buffer;
use super::lab::By;
use super::observer::Toll;
use super::procfs::Source;

/// In-kernel aggregation, an event, in ns.
const AGGREGATED_NS: u64 = 420;
/// A ring buffer's record, written, read and printed as JSON, in ns.
const EXPORTED_NS: u64 = 80_000 / 12;
/// A line of a LOG rule, printed, read and parsed, in ns.
const LOGGED_NS: u64 = 41_000 / 4;
/// A read of /proc/net/tcp, and what a row adds, in ns.
const PROC_NS: (u64, u64) = (3_300_000, 37_000_000 / 28_000);
/// A run of `ss -tan`, and what a row adds, in ns.
const SS_NS: (u64, u64) = (9_000_000, 48_000_000 / 28_000);

/// What an observer of this kind has cost by now, in ns of one processor, given how often it has asked and how many
/// rows it was given; none: nobody has measured it.
pub(super) fn cpu_ns(by: &By, toll: &Toll, polls: u64, rows: u64) -> Option<u64> {
    let polled = |(each, row): (u64, u64)| polls * each + rows * row;
    match by {
        By::Map(_) => Some(toll.offered * AGGREGATED_NS),
        By::Export(config) => match config.buffer {
            // Most of it is the wake-up, so that it is another cost without.
            Buffer::Ring { .. } if config.looks_every_ms == 0 => Some(toll.offered * EXPORTED_NS),
            Buffer::Ring { .. } | Buffer::Perf | Buffer::TracePipe => None,
        },
        By::Log { .. } => Some(toll.offered * LOGGED_NS),
        By::Poll(config) => match config.source {
            Source::ProcNetTcp => Some(polled(PROC_NS)),
            Source::InetDiag => Some(polled(SS_NS)),
            Source::Sockstat => None,
        },
    }
}
