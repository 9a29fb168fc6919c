//! The world of a scenario: a node of a population, and observers side by side on the same events.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::aggregate::AggregateConfig;
use super::buffer::SocketBuffer;
use super::detect::{Alarm, BufferWatch, Injected, Score, Trouble};
use super::export::ExportConfig;
use super::population::{Drawn, Population, PopulationError};
use super::procfs::PollConfig;
use super::station::{Station, Stations};
use crate::engine::{Armed, Cx, Entity, Record as EngineRecord, Span, Time, matches_pattern};

/// A node and who observes it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObserveLab {
    /// The population.
    pub population: Population,
    /// Which of its nodes, from 0.
    #[serde(default)]
    pub node: u32,
    /// A socket of the node whose buffer is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer: Option<SocketBuffer>,
    /// The observers.
    pub observers: Vec<Named>,
    /// The observer with which the others are compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl ObserveLab {
    /// What is injected on a node: incidents, and stalls in which the buffer runs full.
    pub fn injected(&self, node: u32) -> Vec<Injected> {
        let mut injected = self.population.injected(node);
        let end = Time::default() + Span::from_s(self.population.seconds);
        if let Some(buffer) = &self.buffer {
            injected.extend(buffer.injected(end));
        }
        injected
    }

    /// Its observers, each with the faults that strike it.
    ///
    /// # Errors
    /// A fault that does not strike such an observer, or numbers that make no sense.
    pub fn stations(&self, faults: &[Armed]) -> Result<Vec<Station>, LabError> {
        let station = |named: &Named| {
            let on_it = faults
                .iter()
                .filter(|fault| matches_pattern(&fault.at, &named.name));
            Station::new(named, self.population.cpus, on_it)
        };
        let observers = self.observers.iter().enumerate();
        observers
            .map(|(index, named)| {
                station(named).map_err(|what| LabError::at(format!("observers[{index}]"), what))
            })
            .collect()
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), LabError> {
        self.population.check().map_err(LabError::from)?;
        if let Some(buffer) = &self.buffer {
            buffer
                .check()
                .map_err(|error| LabError::at("buffer", error.to_string()))?;
        }
        let refuse = |path: &str, what: String| Err(LabError::at(path, format!("{path}: {what}")));
        if self.node >= self.population.nodes {
            return refuse("node", format!("there is no node {}", self.node));
        }
        let names: Vec<&str> = self.observers.iter().map(|named| &*named.name).collect();
        check_names(&names)?;
        match &self.reference {
            Some(name) if !names.contains(&&**name) => {
                refuse("reference", format!("there is no observer {name:?}"))
            }
            _ => Ok(()),
        }
    }
}

/// Whether these names of observers tell them apart.
///
/// # Errors
/// The first that does not.
pub(super) fn check_names(names: &[&str]) -> Result<(), LabError> {
    for (index, name) in names.iter().enumerate() {
        if names[..index].contains(name) {
            return Err(LabError::at(
                format!("observers[{index}].name"),
                format!("observers: {name:?} is there twice"),
            ));
        }
    }
    Ok(())
}

/// An observer and its name: the actor of what is recorded of it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// The name.
    pub name: String,
    /// What it is.
    pub by: By,
    /// How its detector watches the buffer.
    #[serde(default, skip_serializing_if = "is_by_level")]
    pub watches: BufferWatch,
}

fn is_by_level(watch: &BufferWatch) -> bool {
    *watch == BufferWatch::Level
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
            /// How long after an event its reader knew of it, in us: the median of samples. Of a count, after the
            /// beginning of what it counts, which is the longest that an event waits: the mean is half of it.
            delay_p50_us: u64,
            /// The same, 99 of 100.
            delay_p99_us: u64,
        },
        /// An observer has counted a signal, or of a level has seen it last.
        Counted = "counted", "has {count} of {signal}" {
            /// The signal.
            signal: &'static str,
            /// How many, or how high.
            count: u64,
        },
        /// What an observer's reader can know of the observer.
        OwnSignal = "own_signal", "has {value} of {signal}" {
            /// The signal.
            signal: &'static str,
            /// How many, or how high in thousandths.
            value: u64,
        },
        /// What observing cost, where that was measured.
        ObserverCpu = "observer_cpu", "costs {core_ppm} millionths of a processor" {
            /// How long one processor was busy with it, in us.
            cpu_us: u64,
            /// Millionths of the run's time on one processor.
            core_ppm: u64,
        },
        /// What observing cost beside the observer of reference.
        CpuCompared = "cpu_compared", "costs {permille} thousandths of what {with} does" {
            /// The observer of reference.
            with: Arc<str>,
            /// Thousandths of its time.
            permille: u64,
        },
        /// A detector called before the deadline of something injected, or not.
        Warned = "warned", "calls {trouble} {before_ms} ms before it is too late" {
            /// What.
            trouble: &'static str,
            /// When it knew.
            at_ms: u64,
            /// How long before it was too late; 0 if it was too late.
            before_ms: u64,
        },
        /// The same beside the observer of reference, of the first that both called.
        WarnedEarlier = "warned_earlier", "calls {trouble} {earlier_ms} ms earlier than {than}" {
            /// What.
            trouble: &'static str,
            /// The observer of reference.
            than: Arc<str>,
            /// How much earlier; negative: later.
            earlier_ms: i64,
        },
    }
}

/// The observers of a node under way.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Lab {
    config: Arc<ObserveLab>,
    /// invariant: one for each observer, in their order.
    entities: Vec<Entity>,
    has_alerted: Vec<bool>,
    /// The observers until the run begins.
    idle: Vec<Station>,
    /// invariant: there from the beginning of the run, where chance decides what the node does.
    stations: Option<Stations>,
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
pub struct LabError {
    /// Which value of it, such as `population.flows[1].port`; empty: no single one.
    pub path: String,
    /// What is wrong.
    pub what: String,
}

impl LabError {
    /// What is wrong at a value.
    pub(super) fn at(path: impl Into<String>, what: impl Into<String>) -> LabError {
        LabError {
            path: path.into(),
            what: what.into(),
        }
    }
}

impl From<PopulationError> for LabError {
    fn from(error: PopulationError) -> LabError {
        LabError::at(
            format!("population.{}", error.path),
            format!("population.{error}"),
        )
    }
}

impl std::fmt::Display for LabError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for LabError {}

impl Lab {
    /// What it is of.
    pub fn config(&self) -> &ObserveLab {
        &self.config
    }

    /// The entity that notes what is injected.
    pub const POPULATION: &'static str = "population";

    /// The longest that a lab lasts, in seconds: an hour. `faultlab day` plays days.
    const LONGEST_S: u64 = 3_600;

    /// A lab at time 0, with its faults.
    ///
    /// # Errors
    /// The first thing that makes no sense.
    pub fn new(config: &ObserveLab, faults: &[Armed]) -> Result<Lab, LabError> {
        config.check()?;
        if config.population.seconds > Lab::LONGEST_S {
            let path = "population.seconds";
            let what = format!("{path}: must be at most {} here", Lab::LONGEST_S);
            return Err(LabError::at(path, what));
        }
        let is_whole = |fault: &&Armed| fault.when == crate::engine::When::default();
        if let Some(fault) = faults.iter().find(|fault| !is_whole(fault)) {
            let what = format!("{}: lasts for the whole run here", fault.name);
            return Err(LabError::at("", what));
        }
        let mut stations = config.stations(faults)?;
        for station in &mut stations {
            station.keep_delays();
        }
        Ok(Lab {
            entities: config
                .observers
                .iter()
                .map(|named| Entity::of(&named.name))
                .collect(),
            has_alerted: vec![false; config.observers.len()],
            idle: stations,
            stations: None,
            config: Arc::new(config.clone()),
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
        let idle = std::mem::take(&mut self.idle);
        self.stations = Some(Stations::new(&self.config, *node, &drawn, idle));
        for named in &self.config.observers {
            cx.name(&named.name);
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
        let stations = self.stations.as_mut().expect(BEGUN);
        stations.play(cx.now());
        for (index, station) in stations.all().iter().enumerate() {
            if self.has_alerted[index] {
                continue;
            }
            if let Some(record) = alert(station) {
                self.has_alerted[index] = true;
                cx.record(self.entities[index], record);
            }
        }
    }

    /// What each has come to.
    fn end<E, R>(&mut self, cx: &mut Cx<'_, E, R>)
    where
        R: EngineRecord + From<Record>,
    {
        let injected = self.config.injected(self.config.node);
        let reference = self.config.reference.as_deref();
        let played = self.stations.as_ref().expect(BEGUN);
        let stations = played.all();
        let beside = stations
            .iter()
            .find(|station| reference == Some(station.name()));
        let beside = beside.map(|station| (station, station.alarms()));
        for (station, entity) in stations.iter().zip(&self.entities) {
            let mut note = |record: Record| cx.record(*entity, record);
            note(observed(station, played.raw_bytes()));
            for (signal, count) in station.seen() {
                let signal = signal.name();
                note(Record::Counted { signal, count });
            }
            for (signal, value) in station.own_signals() {
                let signal = signal.name();
                note(Record::OwnSignal { signal, value });
            }
            let alarms = station.alarms();
            for alarm in &alarms {
                note(Record::Alarm {
                    trouble: alarm.trouble.name(),
                    at_ms: alarm.at.0 / 1_000_000,
                });
            }
            for trouble in Trouble::ALL {
                let score = Score::of(trouble, &injected, &alarms);
                if score.injected + score.alarms == 0 {
                    continue;
                }
                note(Record::Score {
                    trouble: trouble.name(),
                    injected: score.injected,
                    found: score.found,
                    alarms: score.alarms,
                    false_alarms: score.false_alarms,
                    delay_us: score.median_delay().map_or(0, |delay| delay.0 / 1_000),
                });
            }
            if let Some(cpu_ns) = station.cpu_ns() {
                note(Record::ObserverCpu {
                    cpu_us: cpu_ns / 1_000,
                    core_ppm: cpu_ns / self.config.population.seconds / 1_000,
                });
            }
            for warning in warnings(&injected, &alarms) {
                note(warning);
            }
            if let Some((other, others_alarms)) = &beside
                && other.name() != station.name()
            {
                compare(station, &alarms, other, others_alarms, &injected)
                    .into_iter()
                    .for_each(note);
            }
        }
    }
}

/// What lets a step be taken.
const BEGUN: &str = "the run has begun";

/// The first alert of a station, if its own signal tells of a loss.
fn alert(station: &Station) -> Option<Record> {
    let signal = station.loss_signal()?;
    // A walk over a map that is under way makes no loss.
    let toll = station.toll();
    (toll.told > 0).then(|| Record::Alert {
        signal,
        lost: toll.told,
        held: toll.most_held,
        dump: station.dump_text(),
    })
}

fn observed(station: &Station, raw_bytes: u64) -> Record {
    let toll = station.toll();
    let ratio = u128::from(toll.bytes) * 1_000_000 / u128::from(raw_bytes.max(1));
    Record::Observed {
        offered: toll.offered,
        reported: toll.reported,
        lost: toll.lost(),
        silent: toll.silent(),
        loss_signal: station.loss_signal().unwrap_or(""),
        bytes: toll.bytes,
        raw_bytes,
        ratio_ppm: ratio as u64,
        most_held: toll.most_held,
        delay_p50_us: station.delay_us(50),
        delay_p99_us: station.delay_us(99),
    }
}

/// The first alarm within each thing injected that has a deadline.
fn warnings(injected: &[Injected], alarms: &[Alarm]) -> Vec<Record> {
    let with_deadline = injected
        .iter()
        .filter_map(|each| Some((each, each.deadline?)));
    let warned = with_deadline.filter_map(|(each, deadline)| {
        let at = first_alarm(each, alarms)?;
        Some(Record::Warned {
            trouble: each.trouble.name(),
            at_ms: at.0 / 1_000_000,
            before_ms: (deadline - at).0 / 1_000_000,
        })
    });
    warned.collect()
}

/// When something injected was first called.
fn first_alarm(injected: &Injected, alarms: &[Alarm]) -> Option<Time> {
    let of_it = alarms.iter().filter(|alarm| {
        alarm.trouble == injected.trouble && (injected.from..injected.until).contains(&alarm.at)
    });
    of_it.map(|alarm| alarm.at).min()
}

/// An observer beside another.
fn compare(
    station: &Station,
    alarms: &[Alarm],
    other: &Station,
    others_alarms: &[Alarm],
    injected: &[Injected],
) -> Vec<Record> {
    let name: Arc<str> = other.name().into();
    let mut records = Vec::new();
    if let (Some(own), Some(others)) = (station.cpu_ns(), other.cpu_ns())
        && others > 0
    {
        records.push(Record::CpuCompared {
            with: name.clone(),
            permille: own * 1_000 / others,
        });
    }
    let called = injected.iter().find_map(|each| {
        let (own, others) = (
            first_alarm(each, alarms)?,
            first_alarm(each, others_alarms)?,
        );
        Some((each.trouble, own, others))
    });
    if let Some((trouble, own, others)) = called {
        let ms = |time: Time| i64::try_from(time.0 / 1_000_000).unwrap_or(i64::MAX);
        records.push(Record::WarnedEarlier {
            trouble: trouble.name(),
            than: name,
            earlier_ms: ms(others) - ms(own),
        });
    }
    records
}
