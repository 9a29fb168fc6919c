//! A contest: observers, each with and without what can be wrong with it, on the same events of every node, scored
//! against what was injected there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::aggregate::{AggregateConfig, KeyBy};
use super::buffer::{SocketBuffer, Stall};
use super::detect::{BufferWatch, Score, Trouble};
use super::export::{Buffer, ExportConfig};
use super::fault::arm;
use super::lab::{By, LabError, Named, ObserveLab, check_names};
use super::population::{Arriving, Curve, Drawn, Flows, Incident, Life, Population};
use super::procfs::{PollConfig, Source};
use super::station::{Station, Stations};
use crate::engine::{Armed, Span, Time};

/// Who takes part, and on what.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contest {
    /// The nodes, and what goes wrong on them.
    pub population: Population,
    /// A socket of each node whose buffer is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer: Option<SocketBuffer>,
    /// The observers.
    pub observers: Vec<Contender>,
}

/// An observer: it takes part as it is, and once more with each of the faults.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contender {
    /// Its name.
    pub name: String,
    /// What it is.
    pub by: By,
    /// How its detector watches the buffer.
    #[serde(default)]
    pub watches: BufferWatch,
    /// Faults by their names, with their parameters.
    #[serde(default)]
    pub faults: Vec<(String, BTreeMap<String, u64>)>,
}

/// What an observer comes to, as it is or with a fault.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// The observer.
    pub observer: String,
    /// The fault, with its parameters; none: as it is.
    pub fault: Option<String>,
    /// How many events or packets concerned it.
    pub offered: u64,
    /// How many are lost.
    pub lost: u64,
    /// How many of these with nothing to tell of it.
    pub silent: u64,
    /// How long one processor was busy with it, in ns; none: nobody has measured it.
    pub cpu_ns: Option<u64>,
    /// How it found each trouble.
    pub scores: BTreeMap<Trouble, Score>,
}

impl Row {
    /// Adds another node's.
    pub fn add(&mut self, other: &Row) {
        self.offered += other.offered;
        self.lost += other.lost;
        self.silent += other.silent;
        self.cpu_ns = self
            .cpu_ns
            .zip(other.cpu_ns)
            .map(|(one, other)| one + other);
        for (trouble, score) in &other.scores {
            self.scores.entry(*trouble).or_default().add(score);
        }
    }
}

impl Contest {
    /// Who takes part: each observer as it is, then with one fault after another.
    ///
    /// # Errors
    /// A fault that there is not, or that does not strike such an observer.
    fn entries(&self) -> Result<Vec<(Station, Option<String>)>, LabError> {
        let mut entries = Vec::new();
        for (index, contender) in self.observers.iter().enumerate() {
            let named = Named {
                name: contender.name.clone(),
                by: contender.by.clone(),
                watches: contender.watches,
            };
            let station = |fault: Option<&Armed>| {
                Station::new(&named, self.population.cpus, fault.into_iter())
            };
            let as_it_is = station(None);
            let path = format!("observers[{index}]");
            entries.push((as_it_is.map_err(|what| LabError::at(&*path, what))?, None));
            for (nth, (name, params)) in contender.faults.iter().enumerate() {
                let with_fault = arm(name, params)
                    .map_err(|what| format!("observer {}: {what}", contender.name))
                    .and_then(|armed| station(Some(&armed)))
                    .map_err(|what| LabError::at(format!("{path}.faults[{nth}]"), what))?;
                let mut words = name.clone();
                for (param, value) in params {
                    words.push_str(&format!(" {param}={value}"));
                }
                entries.push((with_fault, Some(words)));
            }
        }
        Ok(entries)
    }

    fn lab(&self) -> ObserveLab {
        ObserveLab {
            population: self.population.clone(),
            node: 0,
            buffer: self.buffer.clone(),
            observers: Vec::new(),
            reference: None,
        }
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), LabError> {
        self.lab().check()?;
        let names: Vec<&str> = self.observers.iter().map(|each| &*each.name).collect();
        check_names(&names)?;
        self.entries().map(drop)
    }

    /// What everyone comes to on a node, given what was drawn for it.
    ///
    /// # Panics
    /// If the contest does not [make sense](Contest::check), has no such node, or something else was drawn for.
    pub fn play(&self, node: u32, drawn: &Drawn) -> Vec<Row> {
        let lab = self.lab();
        let entries = self.entries().expect("the contest was checked");
        let (stations, faults): (Vec<Station>, Vec<Option<String>>) = entries.into_iter().unzip();
        let mut stations = Stations::new(&lab, node, drawn, stations);
        for second in 1..=self.population.seconds {
            stations.play(Time::default() + Span::from_s(second));
        }
        let injected = lab.injected(node);
        let row = |(station, fault): (&Station, Option<String>)| {
            let (toll, alarms) = (station.toll(), station.alarms());
            let score = |trouble| (trouble, Score::of(trouble, &injected, &alarms));
            Row {
                observer: station.name().to_owned(),
                fault,
                offered: toll.offered,
                lost: toll.lost(),
                silent: toll.silent(),
                cpu_ns: station.cpu_ns(),
                scores: Trouble::ALL.into_iter().map(score).collect(),
            }
        };
        stations.all().iter().zip(faults).map(row).collect()
    }

    /// All observers with all that can be wrong with them, on four nodes for a quarter of an hour: two incidents of
    /// each kind, one plain and one close to what its rule asks for, and what only looks like one: scans of 220
    /// ports, a buffer that fills to four fifths and is read after all. A leak comes once, and last: it stays.
    pub fn standard() -> Contest {
        let flows = |life, port, per_1000_s| Flows {
            life,
            port,
            per_1000_s,
            hold_us: 5_000,
            link_us: 100,
            peers: 40,
            arriving: Arriving::Jittered,
            curve: Curve::Flat,
        };
        let incident = |trouble, from_s, for_s, life, port, per_1000_s| Incident {
            trouble,
            nodes: (0, 4),
            from_s,
            for_s,
            flows: flows(life, port, per_1000_s),
        };
        use Trouble::{
            PoolLeak, PortExhaustion, ResetBurst, SynFlood, SynTimeouts, TimeWaitGrowth,
        };
        let incidents = vec![
            incident(SynTimeouts, 60, 20, Life::Unanswered, 5432, 40_000),
            incident(ResetBurst, 100, 10, Life::Refused, 6379, 500_000),
            incident(PortExhaustion, 130, 10, Life::NoPort, 6379, 300_000),
            incident(SynFlood, 160, 20, Life::HalfOpen, 8080, 2_000_000),
            incident(TimeWaitGrowth, 260, 30, Life::ClientCloses, 6379, 400_000),
            incident(SynTimeouts, 400, 20, Life::Unanswered, 5432, 3_000),
            incident(TimeWaitGrowth, 500, 30, Life::ClientCloses, 6379, 250_000),
            incident(ResetBurst, 620, 10, Life::Refused, 6379, 120_000),
            incident(PortExhaustion, 650, 10, Life::NoPort, 6379, 5_000),
            incident(SynFlood, 690, 20, Life::HalfOpen, 8080, 300_000),
            incident(PoolLeak, 840, 60, Life::Leaked, 6379, 50_000),
        ];
        let scan = Flows {
            arriving: Arriving::Bursts(220),
            ..flows(Life::Refused, 8081, 440)
        };
        let population = Population {
            nodes: 4,
            cpus: 2,
            seconds: 900,
            flows: vec![
                flows(Life::ClientCloses, 6379, 20_000),
                flows(Life::Served, 8080, 33_000),
                scan,
            ],
            incidents,
        };
        let stall = |from_s: u64, for_s: u64, reads_permille| Stall {
            from_ms: from_s * 1_000,
            for_ms: for_s * 1_000,
            reads_permille,
        };
        let buffer = SocketBuffer {
            bytes: 425_984,
            segment_bytes: 1_448,
            truesize: 2_304,
            per_s: 200,
            // Full after 0.9 s, 18 s and 92 s; then four fifths, and a third.
            stalls: vec![
                stall(70, 5, 0),
                stall(200, 60, 950),
                stall(400, 120, 990),
                stall(600, 15, 950),
                stall(700, 10, 970),
            ],
        };
        let contender = |name: &str, by: By, faults: &[(&str, &[(&str, u64)])]| Contender {
            name: name.into(),
            by,
            watches: BufferWatch::Level,
            faults: faults
                .iter()
                .map(|(name, params)| {
                    let params = params.iter().map(|(name, value)| ((*name).into(), *value));
                    ((*name).into(), params.collect())
                })
                .collect(),
        };
        let by_trend = |contender: Contender| Contender {
            watches: BufferWatch::Trend,
            ..contender
        };
        let map = |key| {
            By::Map(AggregateConfig {
                key,
                ..AggregateConfig::default()
            })
        };
        let poll = |source| {
            By::Poll(PollConfig {
                source,
                period_ms: 1_000,
                hz: 250,
            })
        };
        let by_buffer = |buffer| {
            By::Export(ExportConfig {
                buffer,
                ..ExportConfig::RING
            })
        };
        let ring = || By::Export(ExportConfig::RING);
        let drops: &[_] = &[("bytes", 16_384), ("reader_us", 2_000)];
        let seldom: (&str, &[_]) = ("slow-poll", &[("period_ms", 30_000)]);
        Contest {
            population,
            buffer: Some(buffer),
            observers: vec![
                contender(
                    "map",
                    map(KeyBy::Service),
                    &[
                        ("map-full", &[("max_entries", 12)]),
                        ("lru-evict", &[("max_entries", 16)]),
                        ("torn-snapshot", &[("call_us", 20_000)]),
                        ("read-and-delete", &[("call_us", 20_000)]),
                        seldom,
                    ],
                ),
                contender(
                    "map-by-connection",
                    map(KeyBy::Connection),
                    &[("uncounted-failures", &[])],
                ),
                contender(
                    "ring",
                    ring(),
                    &[
                        ("ringbuf-drop", drops),
                        ("ringbuf-no-wakeup", &[("every_ms", 1_000)]),
                        ("stamp-jiffies", &[]),
                        ("stamp-mixed", &[("apart_ms", 3_700)]),
                        ("stamp-suspended", &[("for_ms", 3_700)]),
                    ],
                ),
                contender("perf", by_buffer(Buffer::Perf), &[("ringbuf-drop", drops)]),
                contender(
                    "trace-pipe",
                    by_buffer(Buffer::TracePipe),
                    &[("ringbuf-drop", drops)],
                ),
                contender(
                    "log",
                    By::Log { reader_ns: 20_000 },
                    &[
                        ("log-overrun", &[("reader_us", 5_000)]),
                        ("log-in-namespace", &[]),
                        ("stamp-suspended", &[("for_ms", 3_700)]),
                    ],
                ),
                contender("proc", poll(Source::ProcNetTcp), &[seldom]),
                contender("inet-diag", poll(Source::InetDiag), &[seldom]),
                contender("sockstat", poll(Source::Sockstat), &[seldom]),
                by_trend(contender(
                    "ring-trend",
                    ring(),
                    &[("stamp-suspended", &[("for_ms", 3_700)])],
                )),
                by_trend(contender("inet-diag-trend", poll(Source::InetDiag), &[])),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{drawn, flows, population};
    use super::*;

    /// Twelve seconds of one node, with a burst of resets from 4 to 9.
    fn small(observers: Vec<Contender>) -> Contest {
        let mut population = population(12, vec![flows(Life::ClientCloses, 20_000)]);
        population.incidents = vec![Incident {
            trouble: Trouble::ResetBurst,
            nodes: (0, 4),
            from_s: 4,
            for_s: 5,
            flows: flows(Life::Refused, 500_000),
        }];
        Contest {
            population,
            buffer: None,
            observers,
        }
    }

    fn contender(name: &str, by: By, fault: &str, params: &[(&str, u64)]) -> Contender {
        let params = params.iter().map(|(name, value)| ((*name).into(), *value));
        Contender {
            name: name.into(),
            by,
            watches: BufferWatch::Level,
            faults: vec![(fault.into(), params.collect())],
        }
    }

    #[test]
    fn each_fault_that_matters_takes_away_what_its_observer_finds() {
        let contest = small(vec![
            contender(
                "map",
                By::Map(AggregateConfig::default()),
                "map-full",
                &[("max_entries", 3)],
            ),
            contender(
                "ring",
                By::Export(ExportConfig::RING),
                "stamp-suspended",
                &[("for_ms", 3_700)],
            ),
            contender(
                "log",
                By::Log { reader_ns: 20_000 },
                "log-in-namespace",
                &[],
            ),
        ]);
        contest.check().expect("it makes sense");
        let rows = contest.play(0, &drawn(&contest.population, 0));
        let found: Vec<(u64, u64)> = rows
            .iter()
            .map(|row| (row.scores[&Trouble::ResetBurst].found, row.lost.min(1)))
            .collect();
        assert_eq!(found, [(1, 0), (0, 1), (1, 0), (0, 0), (1, 0), (0, 1)]);
        assert_eq!(rows[1].silent, 0, "the program counts");
        assert_eq!(
            rows[5].silent, rows[5].lost,
            "nothing tells of a rule that prints nothing"
        );
        assert_eq!(rows[1].fault.as_deref(), Some("map-full max_entries=3"));
    }

    #[test]
    fn jiffies_change_nothing_that_a_window_of_seconds_sees() {
        let contest = small(vec![contender(
            "ring",
            By::Export(ExportConfig::RING),
            "stamp-jiffies",
            &[],
        )]);
        let rows = contest.play(1, &drawn(&contest.population, 1));
        let delay = |row: &Row| {
            row.scores[&Trouble::ResetBurst]
                .median_delay()
                .expect("found")
        };
        assert!(delay(&rows[0]).0.abs_diff(delay(&rows[1]).0) <= 4_000_000);
    }

    #[test]
    fn what_makes_no_sense_is_named() {
        let refused =
            |contender: Contender| small(vec![contender]).check().expect_err("no").to_string();
        let map = || By::Map(AggregateConfig::default());
        let said = refused(contender("map", map(), "map-ful", &[]));
        assert!(
            said.contains("map-ful") && said.contains("map-full"),
            "{said}"
        );
        let said = refused(contender("map", map(), "map-full", &[]));
        assert!(said.contains("needs max_entries"), "{said}");
        let said = refused(contender(
            "map",
            map(),
            "ringbuf-drop",
            &[("bytes", 4096), ("reader_us", 1)],
        ));
        assert!(said.contains("does not strike"), "{said}");
        let said = refused(contender(
            "map",
            map(),
            "map-full",
            &[("max_entries", 1), ("most", 2)],
        ));
        assert!(said.contains("no parameter \"most\""), "{said}");
    }

    #[test]
    fn the_standard_one_makes_sense_and_names_every_fault() {
        let contest = Contest::standard();
        contest.check().expect("it does");
        let named: Vec<&str> = contest
            .observers
            .iter()
            .flat_map(|contender| contender.faults.iter().map(|(name, _)| &**name))
            .collect();
        let missing: Vec<&str> = super::super::FAULTS
            .iter()
            .map(|spec| spec.name)
            .filter(|name| !named.contains(name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
