//! A node's day: its population's events through aggregation in a map and detection, and what that comes
//! to. Nodes add up, in any order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::aggregate::{Aggregate, AggregateConfig};
use super::detect::{Detector, Injected, Score, Trouble};
use super::event::{self, Event};
use super::observer::{Observer, Sample};
use super::population::{Digest, Drawn, NodeStream, PacketEvent, Population};
use crate::engine::{Span, Time};

/// What nodes come to.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tally {
    /// How many nodes.
    pub nodes: u64,
    /// How many events of tracepoints.
    pub events: u64,
    /// The sum of the nodes' digests.
    pub digest: u64,
    /// How many bytes the records have.
    pub record_bytes: u64,
    /// How many bytes the map's reader took over.
    pub read_bytes: u64,
    /// How many events the samples hold.
    pub counted: u64,
    /// How many events are lost: the map was full.
    pub lost: u64,
    /// The most keys that a node's map held.
    pub most_keys: u64,
    /// How each trouble was found.
    pub scores: BTreeMap<Trouble, Score>,
}

impl Tally {
    /// Adds what other nodes come to.
    pub fn add(&mut self, other: &Tally) {
        self.nodes += other.nodes;
        self.events += other.events;
        self.digest = self.digest.wrapping_add(other.digest);
        self.record_bytes += other.record_bytes;
        self.read_bytes += other.read_bytes;
        self.counted += other.counted;
        self.lost += other.lost;
        self.most_keys = self.most_keys.max(other.most_keys);
        for (trouble, score) in &other.scores {
            self.scores.entry(*trouble).or_default().add(score);
        }
    }
}

impl Population {
    /// What was injected on a node.
    pub fn injected(&self, node: u32) -> Vec<Injected> {
        let on_node = self.incidents.iter().filter(|incident| {
            let (first, end) = incident.nodes;
            (first..end).contains(&node)
        });
        let at = |s: u64| Time::default() + Span::from_s(s);
        on_node
            .map(|incident| Injected {
                trouble: incident.trouble,
                from: at(incident.from_s),
                until: at(incident.from_s + incident.for_s),
                deadline: None,
            })
            .collect()
    }

    /// A node's whole time as `drawn`, observed by a map that is read every `period_ms`.
    ///
    /// # Panics
    /// As [`NodeDay::new`] does.
    pub fn tally(&self, node: u32, drawn: &Drawn, config: AggregateConfig) -> Tally {
        let mut day = NodeDay::new(self, node, drawn, config);
        day.play_until(self.seconds);
        day.finish()
    }
}

/// A node's time under way, observed by a map.
#[derive(Clone, Debug)]
pub struct NodeDay<'a> {
    population: &'a Population,
    node: u32,
    second: u64,
    stream: NodeStream,
    aggregate: Aggregate,
    detector: Detector,
    digest: Digest,
    tally: Tally,
    // Room to work in.
    events: Vec<Event>,
    packets: Vec<PacketEvent>,
    samples: Vec<Sample>,
}

impl<'a> NodeDay<'a> {
    /// At its beginning.
    ///
    /// # Panics
    /// If the population does not make sense or has no such node, something else was drawn for, or the
    /// aggregation's numbers are 0.
    pub fn new(
        population: &'a Population,
        node: u32,
        drawn: &Drawn,
        config: AggregateConfig,
    ) -> NodeDay<'a> {
        NodeDay {
            population,
            node,
            second: 0,
            stream: NodeStream::new(population, node, drawn, Time::default(), false),
            aggregate: Aggregate::new(config, Time::default()),
            detector: Detector::new(),
            digest: Digest::default(),
            tally: Tally {
                nodes: 1,
                ..Tally::default()
            },
            events: Vec::new(),
            packets: Vec::new(),
            samples: Vec::new(),
        }
    }

    /// Goes on until this second is over, or the population's last.
    pub fn play_until(&mut self, second: u64) {
        while self.second < second.min(self.population.seconds) {
            self.second += 1;
            let now = Time::default() + Span::from_s(self.second);
            self.stream.take(now, &mut self.events, &mut self.packets);
            let (mut digest, mut record_bytes) = (self.digest, 0);
            for event in &self.events {
                digest.absorb(event);
                record_bytes += u64::from(event::record_bytes(&event.record));
            }
            self.digest = digest;
            self.tally.record_bytes += record_bytes;
            self.tally.events += self.events.len() as u64;
            self.aggregate.tracepoints(&self.events);
            self.samples.clear();
            self.aggregate.read(now, &mut self.samples);
            self.detector.feed(&self.samples, now);
        }
    }

    /// What it has come to.
    pub fn finish(self) -> Tally {
        let toll = self.aggregate.toll();
        let alarms = self.detector.finish();
        let injected = self.population.injected(self.node);
        let scores = Trouble::ALL.map(|trouble| (trouble, Score::of(trouble, &injected, &alarms)));
        Tally {
            digest: self.digest.of_node(self.node),
            read_bytes: toll.bytes,
            counted: toll.reported + toll.pending,
            lost: toll.lost(),
            most_keys: toll.most_held,
            scores: scores.into(),
            ..self.tally
        }
    }
}
