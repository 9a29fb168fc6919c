//! An observer of a node with its detector, and several of them side by side on the same events.

use std::sync::Arc;

use super::aggregate::{Aggregate, signal_of_key};
use super::buffer::{BufferLevel, BufferStream};
use super::cost;
use super::detect::{Alarm, Detector, Trouble};
use super::event::{Event, Packet, Signal, record_bytes};
use super::export::Export;
use super::fault;
use super::lab::{Named, ObserveLab};
use super::log::Log;
use super::observer::{Observer, OwnSignal, Sample, Toll};
use super::population::{Drawn, NodeStream, PacketEvent};
use super::procfs::Poll;
use crate::engine::{Armed, Time};

/// An observer at work.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Watcher {
    Map(Box<Aggregate>),
    Export(Box<Export>),
    Log(Box<Log>),
    Poll(Box<Poll>),
}

impl Watcher {
    fn get(&self) -> &dyn Observer {
        match self {
            Watcher::Map(map) => &**map,
            Watcher::Export(export) => &**export,
            Watcher::Log(log) => &**log,
            Watcher::Poll(poll) => &**poll,
        }
    }

    fn get_mut(&mut self) -> &mut dyn Observer {
        match self {
            Watcher::Map(map) => &mut **map,
            Watcher::Export(export) => &mut **export,
            Watcher::Log(log) => &mut **log,
            Watcher::Poll(poll) => &mut **poll,
        }
    }
}

/// A row of a map, as a dump has it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DumpRow {
    /// What the key counts.
    pub signal: Signal,
    /// The key.
    pub key: [u64; 2],
    /// The sum over all CPUs.
    pub count: u64,
}

/// How many rows a dump has.
const DUMPED: usize = 20;

/// An observer under way, with the detector behind it.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Station {
    named: Named,
    watcher: Watcher,
    detector: Detector,
    /// What its samples have counted of each signal; of a level, where it was last; none: they had none.
    seen: [Option<u64>; Signal::COUNT],
    /// How long samples took to their reader, in us; kept only where somebody will ask.
    delays_us: Option<Vec<u32>>,
    polls: u64,
    rows: u64,
}

impl Station {
    /// An observer of a node with so many CPUs, with the faults that strike it.
    ///
    /// # Errors
    /// What makes no sense.
    pub fn new<'a>(
        named: &Named,
        cpus: u8,
        faults: impl Iterator<Item = &'a Armed>,
    ) -> Result<Station, String> {
        let Named { name, by, watches } = named;
        Ok(Station {
            watcher: fault::watcher(by, cpus, faults)
                .map_err(|what| format!("observer {name}: {what}"))?,
            detector: Detector::watching(*watches),
            named: named.clone(),
            seen: [None; Signal::COUNT],
            delays_us: None,
            polls: 0,
            rows: 0,
        })
    }

    /// The observer's name.
    pub fn name(&self) -> &str {
        &self.named.name
    }

    /// Keeps how long each sample takes to its reader.
    pub(super) fn keep_delays(&mut self) {
        self.delays_us = Some(Vec::new());
    }

    /// Shows it what a node shows; of equal times the event first.
    fn show(&mut self, shown: &Shown) {
        let observer = self.watcher.get_mut();
        let mut others = shown.others.iter().peekable();
        let mut pass = |observer: &mut dyn Observer, before: Option<Time>| {
            while let Some((at, other)) =
                others.next_if(|(at, _)| before.is_none_or(|before| *at < before))
            {
                match other {
                    Other::Packet(cpu, packet) => observer.packet(*at, *cpu, packet),
                    Other::Level(level) => observer.buffer(level),
                }
            }
        };
        for event in &shown.events {
            pass(observer, Some(event.at));
            observer.tracepoint(event);
        }
        pass(observer, None);
    }

    fn read(&mut self, now: Time) {
        let mut samples: Vec<Sample> = Vec::new();
        self.watcher.get_mut().read(now, &mut samples);
        for sample in &samples {
            let before = match sample.signal.is_level() {
                true => 0,
                false => self.seen[sample.signal as usize].unwrap_or(0),
            };
            self.seen[sample.signal as usize] = Some(before + sample.value);
        }
        if let Some(delays) = &mut self.delays_us {
            let of = |sample: &Sample| {
                u32::try_from((sample.at - sample.from).0 / 1_000).unwrap_or(u32::MAX)
            };
            delays.extend(samples.iter().map(of));
        }
        if let Watcher::Poll(poll) = &self.watcher {
            (self.polls, self.rows) = poll.asked();
        }
        self.detector.feed(&samples, now);
    }

    /// What it has cost and lost so far.
    pub fn toll(&self) -> Toll {
        self.watcher.get().toll()
    }

    /// Which of its own signals tells of losses.
    pub fn loss_signal(&self) -> Option<&'static str> {
        self.watcher.get().loss_signal()
    }

    /// What its reader can have of the observer itself.
    pub fn own_signals(&self) -> Vec<(OwnSignal, u64)> {
        let mut all = Vec::new();
        self.watcher
            .get()
            .own_signals(&mut |signal, value| all.push((signal, value)));
        all
    }

    /// Of each signal that its samples had what they have counted; of a level, where it was last.
    pub fn seen(&self) -> impl Iterator<Item = (Signal, u64)> {
        Signal::ALL
            .iter()
            .filter_map(|signal| Some((*signal, self.seen[*signal as usize]?)))
    }

    /// What it calls now, and since when.
    pub fn ringing(&self) -> impl Iterator<Item = (Trouble, Time)> {
        self.detector.ringing()
    }

    /// What it has cost in time on one processor, in ns; none: nobody has measured it.
    pub fn cpu_ns(&self) -> Option<u64> {
        cost::cpu_ns(&self.named.by, &self.toll(), self.polls, self.rows)
    }

    /// The first rows of its map; of what has none, nothing.
    pub fn dump(&self) -> Vec<DumpRow> {
        let Watcher::Map(aggregate) = &self.watcher else {
            return Vec::new();
        };
        let rows = aggregate.map().walk().take(DUMPED);
        rows.map(|(key, slots)| DumpRow {
            signal: signal_of_key(key),
            key: *key,
            count: slots.iter().sum(),
        })
        .collect()
    }

    /// The same as lines: signal, key in hexadecimal, count.
    pub(super) fn dump_text(&self) -> Arc<str> {
        let line = |row: DumpRow| {
            let DumpRow { signal, key, count } = row;
            format!("{signal} {:016x}{:016x} {count}\n", key[0], key[1])
        };
        self.dump().into_iter().map(line).collect::<String>().into()
    }

    /// So many of a hundred samples took at most so long to their reader, in us.
    pub(super) fn delay_us(&self, percent: usize) -> u64 {
        let mut delays = self.delays_us.clone().unwrap_or_default();
        delays.sort_unstable();
        let at = (delays.len() * percent / 100).min(delays.len().saturating_sub(1));
        delays.get(at).copied().unwrap_or(0).into()
    }

    /// What it called, in the order of time.
    pub fn alarms(&self) -> Vec<Alarm> {
        self.detector.clone().finish()
    }
}

/// What a node shows in some time, in the order of time.
#[derive(Default)]
struct Shown {
    events: Vec<Event>,
    others: Vec<(Time, Other)>,
}

/// What is no event of a tracepoint.
enum Other {
    Packet(u8, Packet),
    Level(BufferLevel),
}

/// Observers side by side on the events of one node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Stations {
    stream: NodeStream,
    buffer: Option<BufferStream>,
    stations: Vec<Station>,
    raw_bytes: u64,
}

impl Stations {
    /// These observers of a node, given what was drawn for it, before the first event.
    ///
    /// # Panics
    /// If the lab does not make sense, has no such node, or something else was drawn for.
    pub fn new(lab: &ObserveLab, node: u32, drawn: &Drawn, stations: Vec<Station>) -> Stations {
        Stations {
            stream: NodeStream::new(&lab.population, node, drawn, Time::default(), true),
            buffer: lab.buffer.clone().map(BufferStream::new),
            stations,
            raw_bytes: 0,
        }
    }

    /// All see what comes before `now` and was not shown yet, in the order of time, and their readers read.
    pub fn play(&mut self, now: Time) {
        let mut shown = Shown::default();
        let (mut packets, mut levels) = (Vec::new(), Vec::new());
        self.stream.take(now, &mut shown.events, &mut packets);
        if let Some(buffer) = &mut self.buffer {
            buffer.take(now, &mut levels);
        }
        let of_packet = |each: PacketEvent| (each.at, Other::Packet(each.cpu, each.packet));
        shown.others.extend(packets.into_iter().map(of_packet));
        if !levels.is_empty() {
            let of_level = |level: BufferLevel| (level.at, Other::Level(level));
            shown.others.extend(levels.into_iter().map(of_level));
            shown.others.sort_by_key(|(at, _)| *at);
        }
        for event in &shown.events {
            self.raw_bytes += u64::from(record_bytes(&event.record));
        }
        for station in &mut self.stations {
            station.show(&shown);
            station.read(now);
        }
    }

    /// All of them, in the order in which they were given.
    pub fn all(&self) -> &[Station] {
        &self.stations
    }

    /// How many bytes all records of tracepoints have had so far.
    pub fn raw_bytes(&self) -> u64 {
        self.raw_bytes
    }
}
