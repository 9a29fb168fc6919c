//! The world of a scenario: a node of a population, and observers side by side on the same events.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::aggregate::{Aggregate, AggregateConfig, Reading, signal_of_key};
use super::detect::{Detector, Score, Trouble};
use super::event::{Packet, record_bytes};
use super::export::{Buffer, Export, ExportConfig};
use super::log::{Log, LogConfig};
use super::map::{CounterMap, MapKind};
use super::observer::{Observer, Sample, Toll};
use super::population::{Drawn, NodeStream, PacketEvent, Population, PopulationError};
use super::procfs::{Poll, PollConfig};
use super::{Event as Seen, netfilter::LogRule};
use crate::engine::{
    Armed, Cx, Entity, FaultSpec, ParamKind, ParamSpec, Record as EngineRecord, Span, Time,
    matches_pattern,
};

/// A node and who observes it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObserveLab {
    /// The population.
    pub population: Population,
    /// Which of its nodes, from 0.
    #[serde(default)]
    pub node: u32,
    /// The observers.
    pub observers: Vec<Named>,
}

/// An observer and its name: the actor of what is recorded of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The name.
    pub name: String,
    /// What it is.
    pub by: By,
}

/// What an observer is.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub enum By {
    /// In-kernel aggregation.
    Map(AggregateConfig),
    /// Export of each event.
    Export(ExportConfig),
    /// Netfilter's LOG, and a reader that takes so long for a line.
    Log {
        /// How long, in ns.
        reader_ns: u64,
    },
    /// Polling.
    Poll(PollConfig),
}

const fn number(name: &'static str, doc: &'static str) -> ParamSpec {
    ParamSpec {
        name,
        kind: ParamKind::Number,
        required: true,
        doc,
    }
}

/// What can be wrong with observers. Each lasts for the whole run, at the observers that `at` names.
pub const FAULTS: &[FaultSpec] = &[
    FaultSpec {
        name: "map-full",
        doc: "A map has room for fewer keys than there are: updates with new ones fail with -E2BIG, \
              known ones still count. A key with an ephemeral port in it does it.",
        params: &[number("max_entries", "How many keys it may hold.")],
    },
    FaultSpec {
        name: "lru-evict",
        doc: "The map is an LRU map of this size: it never fails, and gives up keys early, in batches of \
              128, with what they had counted. No counter tells.",
        params: &[number("max_entries", "How many keys it may hold.")],
    },
    FaultSpec {
        name: "uncounted-failures",
        doc: "The program does not look at what an update or a reservation returns, as most do not.",
        params: &[],
    },
    FaultSpec {
        name: "torn-snapshot",
        doc: "Each system call of a map's reader takes this long, so that its rows are of different times.",
        params: &[number("call_us", "How long, in us.")],
    },
    FaultSpec {
        name: "read-and-delete",
        doc: "A map's reader looks a key up and then deletes it: what is counted in between is gone, and \
              nothing can notice.",
        params: &[number(
            "call_us",
            "How long each of the two calls takes, in us.",
        )],
    },
    FaultSpec {
        name: "ringbuf-drop",
        doc: "A buffer has this size, and its reader takes this long for each record: what does not fit \
              is dropped, or in a trace pipe overwritten.",
        params: &[
            number(
                "bytes",
                "The size: for a ring a power of two, at least 4096.",
            ),
            number("reader_us", "How long, in us."),
        ],
    },
    FaultSpec {
        name: "log-overrun",
        doc: "The reader of the kernel's log takes this long for each line: the oldest are overwritten, \
              and the reader sees a gap in the sequence numbers.",
        params: &[number("reader_us", "How long, in us.")],
    },
    FaultSpec {
        name: "log-in-namespace",
        doc: "The LOG rule is in a container's network namespace, and nf_log_all_netns is 0 as by \
              default: it prints nothing (measured on Linux 6.18).",
        params: &[],
    },
];

crate::records! {
    /// What observers come to.
    pub enum Record {
        /// Something is injected.
        Incident = "incident", "begins: {trouble}, for {for_ms} ms" {
            /// What.
            trouble: &'static str,
            /// For how long.
            for_ms: u64,
        },
        /// An observer's own signal tells of a loss for the first time, and it writes down what is in its
        /// map.
        Alert = "observer_alert", "alerts: {signal}; {lost} events lost so far, {held} keys held" {
            /// The signal.
            signal: &'static str,
            /// How many events are lost so far, by this signal.
            lost: u64,
            /// How many keys, records or lines it holds.
            held: u64,
            /// Of a map, its first rows: signal, key in hexadecimal, count.
            dump: Arc<str>,
        },
        /// A detector calls.
        Alarm = "alarm", "calls {trouble} at {at_ms} ms" {
            /// What.
            trouble: &'static str,
            /// When it knew.
            at_ms: u64,
        },
        /// How well a detector did.
        Score = "score", "finds {found} of {injected} {trouble}, {false_alarms} false alarms" {
            /// What was to be found.
            trouble: &'static str,
            /// How many were injected.
            injected: u64,
            /// How many of them were found.
            found: u64,
            /// How many alarms there were.
            alarms: u64,
            /// How many called what was not there.
            false_alarms: u64,
            /// How long after its beginning it was called, in us; of several the median; 0 if none was.
            delay_us: u64,
        },
        /// What an observer saw in all.
        Observed = "observed", "saw {offered}, reports {reported}, lost {lost} ({silent} in silence), {bytes} bytes" {
            /// How many events or packets concerned it.
            offered: u64,
            /// How many its reader has.
            reported: u64,
            /// How many are gone.
            lost: u64,
            /// How many of these with nothing to tell of it.
            silent: u64,
            /// What tells of losses; empty: nothing could.
            loss_signal: &'static str,
            /// How many bytes its reader took over.
            bytes: u64,
            /// How many bytes all records of the node have.
            raw_bytes: u64,
            /// Millionths of them that its reader took over.
            ratio_ppm: u64,
            /// The most keys, records or rows held at once.
            most_held: u64,
            /// How long after an event its reader knew of it, in us: the median of samples.
            delay_p50_us: u64,
            /// The same, 99 of 100.
            delay_p99_us: u64,
        },
    }
}

/// An observer at work.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Watcher {
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

    /// The first rows of a map.
    fn dump(&self) -> Arc<str> {
        match self {
            Watcher::Map(aggregate) => rows(aggregate.map()).into(),
            _ => "".into(),
        }
    }
}

/// How many rows an alert has.
const DUMPED: usize = 20;

fn rows(map: &CounterMap) -> String {
    let rows = map.walk().take(DUMPED).map(|(key, slots)| {
        let count: u64 = slots.iter().sum();
        format!(
            "{} {:016x}{:016x} {count}\n",
            signal_of_key(key),
            key[0],
            key[1]
        )
    });
    rows.collect()
}

/// An observer under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Station {
    entity: Entity,
    name: String,
    watcher: Watcher,
    detector: Detector,
    has_alerted: bool,
    /// How long samples took to their reader, in us.
    delays_us: Vec<u32>,
}

/// The observers of a node under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lab {
    config: Arc<ObserveLab>,
    /// invariant: there from the beginning of the run, where chance decides what it is.
    stream: Option<NodeStream>,
    stations: Vec<Station>,
    raw_bytes: u64,
}

/// What the agenda holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Event {
    /// A second is over.
    Second(u64),
    /// An incident begins, by its number.
    Incident(usize),
}

/// Why a lab makes no sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LabError {
    /// The population does not.
    Population(PopulationError),
    /// Something else.
    Other(String),
}

impl std::fmt::Display for LabError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            LabError::Population(error) => error.fmt(f),
            LabError::Other(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for LabError {}

impl Lab {
    /// The entity that notes what is injected.
    pub const POPULATION: &'static str = "population";

    /// The longest that a lab lasts, in seconds: an hour. `faultlab day` plays days.
    const LONGEST_S: u64 = 3_600;

    /// A lab at time 0, with its faults.
    ///
    /// # Errors
    /// The first thing that makes no sense.
    pub fn new(config: &ObserveLab, faults: &[Armed]) -> Result<Lab, LabError> {
        let other = |what: String| Err(LabError::Other(what));
        config.population.check().map_err(LabError::Population)?;
        if config.population.seconds > Lab::LONGEST_S {
            return other(format!("seconds: at most {} here", Lab::LONGEST_S));
        }
        if config.node >= config.population.nodes {
            return other(format!("node: there is no node {}", config.node));
        }
        let is_whole = |fault: &&Armed| fault.when == crate::engine::When::default();
        if let Some(fault) = faults.iter().find(|fault| !is_whole(fault)) {
            return other(format!("{}: lasts for the whole run here", fault.name));
        }
        let mut stations = Vec::new();
        for Named { name, by } in &config.observers {
            if stations
                .iter()
                .any(|station: &Station| station.name == *name)
            {
                return other(format!("observers: {name:?} is there twice"));
            }
            let on_it = faults
                .iter()
                .filter(|fault| matches_pattern(&fault.at, name));
            stations.push(Station {
                entity: Entity::of(name),
                name: name.clone(),
                watcher: watcher(by, &config.population, on_it)
                    .map_err(|what| LabError::Other(format!("observer {name}: {what}")))?,
                detector: Detector::new(),
                has_alerted: false,
                delays_us: Vec::new(),
            });
        }
        Ok(Lab {
            stream: None,
            config: Arc::new(config.clone()),
            stations,
            raw_bytes: 0,
        })
    }

    /// Makes the entries of the agenda.
    pub fn begin<E, R>(&mut self, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let population = cx.name(Lab::POPULATION);
        let ObserveLab {
            population: nodes,
            node,
            ..
        } = &*self.config;
        let drawn = Drawn::by(nodes, *node, |site, path, options| {
            let who = cx.name(path);
            cx.choose(site, who, options)
        });
        let stream = NodeStream::new(nodes, *node, &drawn, Time::default(), true);
        self.stream = Some(stream);
        for station in &self.stations {
            cx.name(&station.name);
        }
        for (number, incident) in self.config.population.incidents.iter().enumerate() {
            let (first, end) = incident.nodes;
            if (first..end).contains(&self.config.node) {
                let from = Span::from_s(incident.from_s);
                cx.after(from, population, Event::Incident(number));
            }
        }
        cx.after(Span::from_s(1), population, Event::Second(1));
    }

    /// Takes one step.
    pub fn step<E, R>(&mut self, event: Event, cx: &mut Cx<'_, E, R>)
    where
        E: From<Event>,
        R: EngineRecord + From<Record>,
    {
        let population = cx.name(Lab::POPULATION);
        match event {
            Event::Incident(number) => {
                let incident = &self.config.population.incidents[number];
                let record = Record::Incident {
                    trouble: incident.trouble.name(),
                    for_ms: incident.for_s * 1_000,
                };
                cx.record(population, record);
            }
            Event::Second(second) => {
                self.second(cx);
                if second < self.config.population.seconds {
                    let next = Event::Second(second + 1);
                    cx.after(Span::from_s(1), population, next);
                } else {
                    self.end(cx);
                }
            }
        }
    }

    /// All see what the last second brought, in the order of time.
    fn second<E, R>(&mut self, cx: &mut Cx<'_, E, R>)
    where
        R: EngineRecord + From<Record>,
    {
        let now = cx.now();
        let (mut events, mut packets) = (Vec::new(), Vec::new());
        let stream = self.stream.as_mut().expect("the run has begun");
        stream.take(now, &mut events, &mut packets);
        for event in &events {
            self.raw_bytes += u64::from(record_bytes(&event.record));
        }
        for station in &mut self.stations {
            station.show(&events, &packets);
            station.read(now);
            if let Some(record) = station.alert() {
                cx.record(station.entity, record);
            }
        }
    }

    /// What each has come to.
    fn end<E, R>(&mut self, cx: &mut Cx<'_, E, R>)
    where
        R: EngineRecord + From<Record>,
    {
        let injected = self.config.population.injected(self.config.node);
        for station in std::mem::take(&mut self.stations) {
            let entity = station.entity;
            cx.record(entity, station.observed(self.raw_bytes));
            let alarms = station.detector.finish();
            for alarm in &alarms {
                let record = Record::Alarm {
                    trouble: alarm.trouble.name(),
                    at_ms: alarm.at.0 / 1_000_000,
                };
                cx.record(entity, record);
            }
            for trouble in Trouble::ALL {
                let score = Score::of(trouble, &injected, &alarms);
                if score.injected + score.alarms == 0 {
                    continue;
                }
                let record = Record::Score {
                    trouble: trouble.name(),
                    injected: score.injected,
                    found: score.found,
                    alarms: score.alarms,
                    false_alarms: score.false_alarms,
                    delay_us: score.median_delay().map_or(0, |delay| delay.0 / 1_000),
                };
                cx.record(entity, record);
            }
        }
    }
}

impl Station {
    /// Shows it events and packets; of equal times the event first.
    fn show(&mut self, events: &[Seen], packets: &[PacketEvent]) {
        let observer = self.watcher.get_mut();
        let mut packets = packets.iter().peekable();
        let mut pass = |observer: &mut dyn Observer, before: Option<Time>| {
            while let Some(PacketEvent { at, cpu, packet }) =
                packets.next_if(|packet| before.is_none_or(|before| packet.at < before))
            {
                let packet: &Packet = packet;
                observer.packet(*at, *cpu, packet);
            }
        };
        for event in events {
            pass(observer, Some(event.at));
            observer.tracepoint(event);
        }
        pass(observer, None);
    }

    fn read(&mut self, now: Time) {
        let mut samples: Vec<Sample> = Vec::new();
        self.watcher.get_mut().read(now, &mut samples);
        for sample in &samples {
            let delay = (sample.at - sample.from).0 / 1_000;
            self.delays_us
                .push(u32::try_from(delay).unwrap_or(u32::MAX));
        }
        self.detector.feed(&samples, now);
    }

    fn alert(&mut self) -> Option<Record> {
        let observer = self.watcher.get();
        let signal = observer.loss_signal()?;
        // A walk over a map that is under way makes no loss.
        let Toll {
            told, most_held, ..
        } = observer.toll();
        if self.has_alerted || told == 0 {
            return None;
        }
        self.has_alerted = true;
        Some(Record::Alert {
            signal,
            lost: told,
            held: most_held,
            dump: self.watcher.dump(),
        })
    }

    fn observed(&self, raw_bytes: u64) -> Record {
        let observer = self.watcher.get();
        let toll = observer.toll();
        let mut delays = self.delays_us.clone();
        delays.sort_unstable();
        let quantile = |percent: usize| {
            let at = (delays.len() * percent / 100).min(delays.len().saturating_sub(1));
            delays.get(at).copied().unwrap_or(0).into()
        };
        let ratio = u128::from(toll.bytes) * 1_000_000 / u128::from(raw_bytes.max(1));
        Record::Observed {
            offered: toll.offered,
            reported: toll.reported,
            lost: toll.lost(),
            silent: toll.silent(),
            loss_signal: observer.loss_signal().unwrap_or(""),
            bytes: toll.bytes,
            raw_bytes,
            ratio_ppm: ratio as u64,
            most_held: toll.most_held,
            delay_p50_us: quantile(50),
            delay_p99_us: quantile(99),
        }
    }
}

/// An observer with the faults that strike it.
fn watcher<'a>(
    by: &By,
    population: &Population,
    faults: impl Iterator<Item = &'a Armed>,
) -> Result<Watcher, String> {
    let start = Time::default();
    let faults: Vec<&Armed> = faults.collect();
    let number = |fault: &Armed, name: &str| {
        let number = fault.number(name).unwrap_or_default();
        u32::try_from(number).map_err(|_| format!("{}: {name} is too large", fault.name))
    };
    let unknown = |fault: &Armed| Err(format!("{} does not strike such an observer", fault.name));
    match by {
        By::Map(config) => {
            let mut config = AggregateConfig {
                cpus: population.cpus,
                ..*config
            };
            for fault in faults {
                match fault.name {
                    "map-full" => config.max_entries = number(fault, "max_entries")?,
                    "lru-evict" => {
                        config.map = MapKind::Lru;
                        config.max_entries = number(fault, "max_entries")?;
                    }
                    "uncounted-failures" => config.counts_failures = false,
                    "torn-snapshot" => {
                        config.call_ns = u64::from(number(fault, "call_us")?) * 1_000;
                    }
                    "read-and-delete" => {
                        config.reading = Reading::Delete;
                        config.call_ns = u64::from(number(fault, "call_us")?) * 1_000;
                    }
                    _ => return unknown(fault),
                }
            }
            if !(1..=10_000_000).contains(&config.max_entries) || config.period_ms == 0 {
                return Err("max_entries is from 1 to 10000000, period_ms at least 1".into());
            }
            Ok(Watcher::Map(Box::new(Aggregate::new(config, start))))
        }
        By::Export(config) => {
            let mut config = ExportConfig {
                cpus: population.cpus,
                ..*config
            };
            for fault in faults {
                match (fault.name, &mut config.buffer) {
                    ("ringbuf-drop", _) => {
                        config.bytes = number(fault, "bytes")?;
                        config.reader_ns = u64::from(number(fault, "reader_us")?) * 1_000;
                    }
                    ("uncounted-failures", Buffer::Ring { counts_drops }) => *counts_drops = false,
                    _ => return unknown(fault),
                }
            }
            let is_ring = matches!(config.buffer, Buffer::Ring { .. });
            if config.bytes < 4_096 || is_ring && !config.bytes.is_power_of_two() {
                return Err("bytes is at least 4096, of a ring a power of two".into());
            }
            Ok(Watcher::Export(Box::new(Export::new(config))))
        }
        By::Log { reader_ns } => {
            let mut config = LogConfig {
                rule: LogRule::default(),
                reader_ns: *reader_ns,
                ..LogConfig::default()
            };
            for fault in faults {
                match fault.name {
                    "log-overrun" => {
                        config.reader_ns = u64::from(number(fault, "reader_us")?) * 1_000;
                    }
                    "log-in-namespace" => config.in_namespace = true,
                    _ => return unknown(fault),
                }
            }
            Ok(Watcher::Log(Box::new(Log::new(config))))
        }
        By::Poll(config) => {
            if let Some(fault) = faults.first() {
                return unknown(fault);
            }
            if config.period_ms == 0 || ![100, 250, 300, 1000].contains(&config.hz) {
                return Err("period_ms is at least 1, hz 100, 250, 300 or 1000".into());
            }
            Ok(Watcher::Poll(Box::new(Poll::new(*config, start))))
        }
    }
}
