//! Export of every event: a buffer between the kernel and one reader that takes one after another.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::buffer::BufferLevel;
use super::event::{Event, Packet, Signal, record_bytes, signal_of};
use super::observer::{Observer, OwnSignal, Sample, Toll};
use super::stamp::StampClock;
use crate::engine::{Span, Time};
use crate::linux::tracepoint::Record;

/// Which buffer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Buffer {
    /// BPF_MAP_TYPE_RINGBUF: one for all CPUs, in order; a reservation fails when it is full. The kernel
    /// counts no loss: only the program can.
    Ring {
        /// Whether the program counts reservations that fail.
        counts_drops: bool,
    },
    /// BPF_MAP_TYPE_PERF_EVENT_ARRAY: one for each CPU; the kernel puts the number of lost records into
    /// the stream.
    Perf,
    /// bpf_trace_printk: lines of text in the one trace buffer of the machine, the oldest overwritten;
    /// `trace_pipe` says how many.
    TracePipe,
}

/// A buffer and its reader.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExportConfig {
    /// The buffer.
    pub buffer: Buffer,
    /// How many bytes it has; of `Perf`, for each CPU.
    pub bytes: u32,
    /// How many CPUs the node has.
    pub cpus: u8,
    /// How long it takes until a reader that waits runs, in ns. Measured on Linux 6.18: a record of a
    /// ring buffer is read after 27 us (median).
    pub wake_ns: u64,
    /// How long the reader is busy with one record, in ns.
    pub reader_ns: u64,
    /// How often a reader that nobody wakes looks into the buffer, in ms: the program hands records over with
    /// BPF_RB_NO_WAKEUP. 0: it is woken for a record.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub looks_every_ms: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl ExportConfig {
    /// A ring buffer as measured: 256 KiB, a reader that writes JSON lines.
    pub const RING: ExportConfig = ExportConfig {
        buffer: Buffer::Ring { counts_drops: true },
        bytes: 262_144,
        cpus: 2,
        wake_ns: 27_000,
        reader_ns: 6_700,
        looks_every_ms: 0,
    };

    /// When a reader that is through with all before at `free_at` begins with a record made at `made`.
    fn begins(&self, free_at: Time, made: Time) -> Time {
        if self.looks_every_ms == 0 {
            // A reader that is not busy sleeps, and has to be woken.
            return free_at.max(made + Span(self.wake_ns));
        }
        if free_at > made {
            return free_at;
        }
        let every = Span::from_ms(self.looks_every_ms.into()).0;
        Time((made.0 / every + 1) * every)
    }
}

/// A record in a buffer.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Queued {
    made: Time,
    /// When the reader is through with it.
    done: Time,
    stamp: Time,
    signal: Signal,
    value: u64,
    bytes: u32,
}

/// One buffer: first in, first out.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
struct Queue {
    records: VecDeque<Queued>,
    bytes: u32,
    /// invariant: when the reader is through with the last of `records`.
    free_at: Time,
}

/// A program that hands every event over, and its reader.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Export {
    config: ExportConfig,
    clock: StampClock,
    queues: Vec<Queue>,
    read: Vec<Sample>,
    toll: Toll,
    lost: u64,
}

impl Export {
    /// Empty buffers.
    ///
    /// # Panics
    /// If there is no CPU, or a buffer that no record fits into; a ring's size is a power of two.
    pub fn new(config: ExportConfig) -> Export {
        assert!(
            config.cpus > 0 && config.bytes >= 4_096,
            "a buffer has a page at least"
        );
        let is_ring = matches!(config.buffer, Buffer::Ring { .. });
        assert!(
            !is_ring || config.bytes.is_power_of_two(),
            "bpf() refuses a ring of another size with EINVAL"
        );
        let buffers = match config.buffer {
            Buffer::Perf => config.cpus,
            Buffer::Ring { .. } | Buffer::TracePipe => 1,
        };
        Export {
            config,
            clock: StampClock::Ktime,
            queues: vec![Queue::default(); usize::from(buffers)],
            read: Vec::new(),
            toll: Toll::default(),
            lost: 0,
        }
    }

    /// The same, its records stamped by another clock than bpf_ktime_get_ns.
    pub fn stamped_by(self, clock: StampClock) -> Export {
        Export { clock, ..self }
    }

    /// What a record takes in the buffer: with the header of 8 bytes of a ring's, or a perf record's
    /// header and size; of the trace pipe, the line's text.
    fn bytes_of(&self, record: u32) -> u32 {
        match self.config.buffer {
            Buffer::Ring { .. } => (record + 8).next_multiple_of(8),
            Buffer::Perf => (record + 12).next_multiple_of(8),
            // `  task-pid [cpu] flags time: bpf_trace_printk: ` and the message.
            Buffer::TracePipe => 128,
        }
    }

    /// The reader takes what it would have taken up to `now`.
    fn take(&mut self, now: Time) {
        for queue in &mut self.queues {
            while let Some(record) = queue.records.front().copied() {
                if record.done > now {
                    break;
                }
                queue.records.pop_front();
                queue.bytes -= record.bytes;
                self.toll.reported += 1;
                self.toll.bytes += u64::from(record.bytes);
                self.read.push(Sample {
                    from: record.made,
                    at: record.done,
                    stamp: record.stamp,
                    signal: record.signal,
                    value: record.value,
                });
            }
        }
    }
}

/// What a program makes a record of.
struct Made {
    at: Time,
    cpu: u8,
    signal: Signal,
    value: u64,
    /// How many bytes it has, headers apart.
    bytes: u32,
    /// Whether it is another program's than that of the state events.
    is_other_program: bool,
}

impl Export {
    fn put(&mut self, made: &Made) {
        self.take(made.at);
        self.toll.offered += 1;
        let bytes = self.bytes_of(made.bytes);
        let ExportConfig {
            buffer,
            bytes: room,
            reader_ns,
            ..
        } = self.config;
        let number = usize::from(made.cpu) % self.queues.len();
        let queue = &mut self.queues[number];
        if queue.bytes + bytes > room {
            self.lost += 1;
            if !matches!(buffer, Buffer::TracePipe) {
                return;
            }
            // Overwritten: whoever reads gets the newer ones.
            if let Some(oldest) = queue.records.pop_front() {
                queue.bytes -= oldest.bytes;
            }
        }
        queue.free_at = self.config.begins(queue.free_at, made.at) + Span(reader_ns);
        queue.bytes += bytes;
        queue.records.push_back(Queued {
            made: made.at,
            done: queue.free_at,
            stamp: self.clock.stamp(made.at, made.is_other_program),
            signal: made.signal,
            value: made.value,
            bytes,
        });
        let held = queue.records.len() as u64;
        self.toll.most_held = self.toll.most_held.max(held);
    }
}

impl Observer for Export {
    fn tracepoint(&mut self, event: &Event) {
        self.put(&Made {
            at: event.at,
            cpu: event.cpu,
            signal: signal_of(&event.record),
            value: 1,
            bytes: record_bytes(&event.record),
            is_other_program: !matches!(event.record, Record::SetState { .. }),
        });
    }

    /// A program at the receive path reads sk_rmem_alloc and hands it over: a cookie, two levels, a stamp.
    fn buffer(&mut self, level: &BufferLevel) {
        self.put(&Made {
            at: level.at,
            cpu: 0,
            signal: Signal::BufferFill,
            value: level.queued_permille(),
            bytes: 24,
            is_other_program: true,
        });
    }

    fn packet(&mut self, _at: Time, _cpu: u8, _packet: &Packet) {}

    fn read(&mut self, now: Time, samples: &mut Vec<Sample>) {
        self.take(now);
        // Of several CPUs' buffers one was read after the other.
        self.read.sort_by_key(|sample| sample.at);
        samples.append(&mut self.read);
    }

    fn toll(&self) -> Toll {
        let told = match self.config.buffer {
            Buffer::Ring {
                counts_drops: false,
            } => 0,
            _ => self.lost,
        };
        let held = |queue: &Queue| queue.records.len() as u64;
        Toll {
            pending: self.queues.iter().map(held).sum(),
            told,
            ..self.toll
        }
    }

    fn loss_signal(&self) -> Option<&'static str> {
        match self.config.buffer {
            Buffer::Ring {
                counts_drops: false,
            } => None,
            Buffer::Ring { .. } => Some("the program's own count of reservations that failed"),
            Buffer::Perf => Some("PERF_RECORD_LOST"),
            Buffer::TracePipe => Some("`LOST n EVENTS` in trace_pipe"),
        }
    }

    fn own_signals(&self, each: &mut dyn FnMut(OwnSignal, u64)) {
        if self.loss_signal().is_some() {
            each(OwnSignal::Drops, self.lost);
        }
    }
}
