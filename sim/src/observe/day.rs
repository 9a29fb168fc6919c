//! A node's day: its population's events through aggregation in a map and detection, and what that comes
//! to. Nodes add up, in any order.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::aggregate::{Aggregate, AggregateConfig};
use super::detect::{Detector, Injected, Score, Trouble};
use super::event::record_bytes;
use super::observer::Observer;
use super::population::{Digest, Drawn, NodeStream, Population};
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
    /// If the population does not make sense or has no such node, something else was drawn for, or the
    /// aggregation's numbers are 0.
    pub fn tally(&self, node: u32, drawn: &Drawn, config: AggregateConfig) -> Tally {
        let mut stream = NodeStream::new(self, node, drawn, Time::default(), false);
        let mut aggregate = Aggregate::new(config, Time::default());
        let mut detector = Detector::new();
        let mut digest = Digest::default();
        let (mut events, mut packets, mut samples) = (Vec::new(), Vec::new(), Vec::new());
        let mut tally = Tally {
            nodes: 1,
            ..Tally::default()
        };
        for second in 1..=self.seconds {
            let now = Time::default() + Span::from_s(second);
            stream.take(now, &mut events, &mut packets);
            for event in &events {
                digest.absorb(event);
                tally.record_bytes += u64::from(record_bytes(&event.record));
            }
            aggregate.tracepoints(&events);
            tally.events += events.len() as u64;
            samples.clear();
            aggregate.read(now, &mut samples);
            detector.feed(&samples, now);
        }
        let toll = aggregate.toll();
        let alarms = detector.finish();
        let injected = self.injected(node);
        for trouble in Trouble::ALL {
            let score = Score::of(trouble, &injected, &alarms);
            tally.scores.insert(trouble, score);
        }
        Tally {
            digest: digest.of_node(node),
            read_bytes: toll.bytes,
            counted: toll.reported + toll.pending,
            lost: toll.lost(),
            most_keys: toll.most_held,
            ..tally
        }
    }
}
