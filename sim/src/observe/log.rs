//! A LOG rule and the reader of /dev/kmsg behind it.

use std::collections::VecDeque;

use super::event::{Event, Packet, signal_of_packet};
use super::netfilter::{LogRule, format_line, parse_line};
use super::observer::{Observer, OwnSignal, Sample, Toll};
use super::stamp::StampClock;
use crate::engine::{Span, Time};

/// A LOG rule for SYN, FIN and RST, and its reader.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct LogConfig {
    /// The rule.
    pub rule: LogRule,
    /// The size of the kernel's log, in bytes: CONFIG_LOG_BUF_SHIFT 17 on most.
    pub log_bytes: u32,
    /// What printk keeps beside a line's text, in bytes.
    pub header_bytes: u32,
    /// The kernel's tick in ns: readers are woken on the next (a lazy irq_work). Measured on Linux 6.18
    /// with HZ=250: 2.0 ms until the reader has a line (median), 3.8 ms and more (99 %).
    pub tick_ns: u64,
    /// How long the reader is busy with one line, in ns.
    pub reader_ns: u64,
    /// Whether the rule is in another network namespace than the first.
    pub in_namespace: bool,
    /// net.netfilter.nf_log_all_netns: without it a rule in another namespace prints nothing.
    pub all_namespaces: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        LogConfig {
            rule: LogRule::default(),
            log_bytes: 131_072,
            header_bytes: 64,
            tick_ns: 4_000_000,
            reader_ns: 10_000,
            in_namespace: false,
            all_namespaces: false,
        }
    }
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Line {
    made: Time,
    done: Time,
    text: Vec<u8>,
}

/// The kernel's log and its reader: each packet is printed, and read back by the parser.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Log {
    config: LogConfig,
    clock: StampClock,
    lines: VecDeque<Line>,
    spare: Vec<Vec<u8>>,
    bytes: u32,
    free_at: Time,
    read: Vec<Sample>,
    toll: Toll,
    overrun: u64,
}

impl Log {
    /// An empty log.
    ///
    /// # Panics
    /// If the tick is 0.
    pub fn new(config: LogConfig) -> Log {
        assert!(config.tick_ns > 0, "a kernel has a tick");
        Log {
            config,
            clock: StampClock::Ktime,
            lines: VecDeque::new(),
            spare: Vec::new(),
            bytes: 0,
            free_at: Time::default(),
            read: Vec::new(),
            toll: Toll::default(),
            overrun: 0,
        }
    }

    /// The same, its lines stamped by another clock than one that never stood still.
    pub fn stamped_by(self, clock: StampClock) -> Log {
        Log { clock, ..self }
    }

    /// Whether the rule prints at all.
    fn prints(&self) -> bool {
        !self.config.in_namespace || self.config.all_namespaces
    }

    fn size(&self, line: &Line) -> u32 {
        self.config.header_bytes + line.text.len() as u32
    }

    fn take(&mut self, now: Time) {
        while self.lines.front().is_some_and(|line| line.done <= now) {
            let Some(line) = self.lines.pop_front() else {
                return;
            };
            self.bytes -= self.size(&line);
            self.toll.bytes += line.text.len() as u64;
            let (_, packet) =
                parse_line(&line.text).expect("what format_line prints is what parse_line reads");
            self.toll.reported += 1;
            self.read.push(Sample {
                from: line.made,
                at: line.done,
                stamp: self.clock.stamp(line.made, false),
                signal: signal_of_packet(&packet),
                value: 1,
            });
            self.spare.push(line.text);
        }
    }
}

impl Observer for Log {
    fn tracepoint(&mut self, _event: &Event) {}

    fn packet(&mut self, at: Time, _cpu: u8, packet: &Packet) {
        self.take(at);
        let flags = packet.flags;
        if !(flags.syn || flags.fin || flags.rst) {
            return;
        }
        self.toll.offered += 1;
        if !self.prints() {
            return;
        }
        let mut text = self.spare.pop().unwrap_or_default();
        text.clear();
        format_line(&self.config.rule, at, packet, &mut text);
        let tick = (at.0 / self.config.tick_ns + 1) * self.config.tick_ns;
        let begins = self.free_at.max(Time(tick));
        self.free_at = begins + Span(self.config.reader_ns);
        let line = Line {
            made: at,
            done: self.free_at,
            text,
        };
        self.bytes += self.size(&line);
        self.lines.push_back(line);
        // The oldest lines are overwritten; the reader gets EPIPE and goes on with the oldest that is
        // there.
        while self.bytes > self.config.log_bytes {
            let Some(oldest) = self.lines.pop_front() else {
                break;
            };
            self.bytes -= self.size(&oldest);
            self.overrun += 1;
            self.spare.push(oldest.text);
        }
        self.toll.most_held = self.toll.most_held.max(self.lines.len() as u64);
    }

    fn read(&mut self, now: Time, samples: &mut Vec<Sample>) {
        self.take(now);
        samples.append(&mut self.read);
    }

    fn toll(&self) -> Toll {
        Toll {
            pending: self.lines.len() as u64,
            told: self.overrun,
            ..self.toll
        }
    }

    fn loss_signal(&self) -> Option<&'static str> {
        self.prints()
            .then_some("EPIPE, and a gap in the sequence numbers of /dev/kmsg")
    }

    fn own_signals(&self, each: &mut dyn FnMut(OwnSignal, u64)) {
        if self.prints() {
            each(OwnSignal::LogGap, self.overrun);
        }
    }
}
