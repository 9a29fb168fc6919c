//! What a population is made of, as scenarios and command lines write it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::detect::Trouble;
use super::arrivals::Arrivals;
use super::life::Life;
use crate::linux::tracepoint::Ipv4;

/// Nodes that all have the same services and clients, and what goes wrong on some of them.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Population {
    /// How many nodes.
    pub nodes: u32,
    /// How many CPUs a node has.
    #[serde(default = "two")]
    pub cpus: u8,
    /// How long it lasts, in seconds.
    pub seconds: u64,
    /// What each node does.
    pub flows: Vec<Flows>,
    /// What goes wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub incidents: Vec<Incident>,
}

fn two() -> u8 {
    2
}

/// Connections of one kind on a node.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flows {
    /// How they go.
    pub life: Life,
    /// The service's port.
    pub port: u16,
    /// How many arrive in 1000 seconds, on average.
    pub per_1000_s: u64,
    /// How long a connection is held, in us.
    #[serde(default)]
    pub hold_us: u64,
    /// How long a packet travels, one way, in us.
    #[serde(default = "hundred")]
    pub link_us: u64,
    /// Over how many peers they are spread: clients of a server, addresses of a service.
    #[serde(default = "one")]
    pub peers: u32,
    /// How they arrive.
    #[serde(default)]
    pub arriving: Arriving,
    /// How the rate changes over the day.
    #[serde(default)]
    pub curve: Curve,
}

fn hundred() -> u64 {
    100
}

fn one() -> u32 {
    1
}

/// How connections arrive.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Arriving {
    /// One at a random time in each of equal spans: even over seconds, irregular within.
    #[default]
    Jittered,
    /// At equal distances.
    Regular,
    /// So many at once, at random times.
    Bursts(u32),
}

/// How a rate changes over the day; the mean stays.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Curve {
    /// Not at all.
    #[default]
    Flat,
    /// By the hour, as an office's: least at 4, most at 14.
    Office,
}

impl Curve {
    /// Thousandths of the mean in an hour of the day. They add up to 24 000.
    const OFFICE: [u64; 24] = [
        450, 350, 300, 260, 240, 280, 420, 700, 1_080, 1_420, 1_600, 1_680, 1_640, 1_700, 1_780,
        1_740, 1_640, 1_500, 1_300, 1_130, 970, 780, 590, 450,
    ];

    fn permille(self, hour: u64) -> u64 {
        match self {
            Curve::Flat => 1_000,
            Curve::Office => Curve::OFFICE[(hour % 24) as usize],
        }
    }
}

/// Something that goes wrong at a known time: connections that come on top of a node's own.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incident {
    /// What it is to whoever is to find it.
    pub trouble: Trouble,
    /// On which nodes: the first, and the one after the last.
    pub nodes: (u32, u32),
    /// When it begins, in seconds.
    pub from_s: u64,
    /// How long it lasts, in seconds.
    pub for_s: u64,
    /// What happens.
    pub flows: Flows,
}

/// Connections of one kind on one node, and when they come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned<'a> {
    pub(super) flows: &'a Flows,
    /// Of which incident; none: they are the node's own.
    pub(super) trouble: Option<Trouble>,
    pub(super) from_s: u64,
    pub(super) until_s: u64,
}

/// Why a population makes no sense.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PopulationError {
    /// Which value, such as `flows[1].port`.
    pub path: String,
    /// What it must be.
    pub must_be: String,
}

impl fmt::Display for PopulationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: must be {}", self.path, self.must_be)
    }
}

impl std::error::Error for PopulationError {}

/// Whether a value is possible.
fn within(path: &str, value: u64, least: u64, most: u64) -> Result<(), PopulationError> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(PopulationError {
            path: path.into(),
            must_be: format!("from {least} to {most}"),
        }),
    }
}

impl Population {
    /// The HZ that the nodes' kernels were built with.
    pub const HZ: u32 = 250;

    /// The day of the article: 4.2 billion events on 128 nodes, 380 a second on each, and one incident
    /// of each kind on a few of them.
    pub fn article_day() -> Population {
        let flows = |life, port, per_1000_s, hold_us, peers| Flows {
            life,
            port,
            per_1000_s,
            hold_us,
            link_us: 100,
            peers,
            arriving: Arriving::Jittered,
            curve: Curve::Office,
        };
        let incident = |trouble, nodes, from_s, for_s, life, port, per_1000_s| Incident {
            trouble,
            nodes,
            from_s,
            for_s,
            flows: Flows {
                curve: Curve::Flat,
                ..flows(life, port, per_1000_s, 5_000, 40)
            },
        };
        Population {
            nodes: 128,
            cpus: 2,
            seconds: 86_400,
            flows: vec![
                flows(Life::ClientCloses, 6379, 20_000, 5_000, 8),
                flows(Life::ClientCloses, 443, 10_300, 80_000, 16),
                flows(Life::Served, 8080, 33_000, 40_000, 120),
            ],
            incidents: vec![
                incident(
                    Trouble::SynTimeouts,
                    (3, 7),
                    10_000,
                    30,
                    Life::Unanswered,
                    5432,
                    40_000,
                ),
                incident(
                    Trouble::ResetBurst,
                    (20, 60),
                    36_000,
                    20,
                    Life::Refused,
                    6379,
                    500_000,
                ),
                incident(
                    Trouble::TimeWaitGrowth,
                    (64, 66),
                    43_200,
                    120,
                    Life::ClientCloses,
                    6379,
                    400_000,
                ),
                incident(
                    Trouble::PoolLeak,
                    (80, 84),
                    50_400,
                    300,
                    Life::Leaked,
                    6379,
                    50_000,
                ),
                incident(
                    Trouble::PortExhaustion,
                    (100, 102),
                    57_600,
                    15,
                    Life::NoPort,
                    6379,
                    300_000,
                ),
                incident(
                    Trouble::SynFlood,
                    (110, 114),
                    72_000,
                    60,
                    Life::HalfOpen,
                    8080,
                    2_000_000,
                ),
            ],
        }
    }

    /// What happens on a node: its own connections, then those of incidents there.
    pub(super) fn kinds(&self, node: u32) -> impl Iterator<Item = Planned<'_>> {
        let own = self.flows.iter().map(|flows| Planned {
            flows,
            trouble: None,
            from_s: 0,
            until_s: self.seconds,
        });
        let incidents = self.incidents.iter().filter_map(move |incident| {
            let (first, end) = incident.nodes;
            (first..end).contains(&node).then_some(Planned {
                flows: &incident.flows,
                trouble: Some(incident.trouble),
                from_s: incident.from_s,
                until_s: incident.from_s + incident.for_s,
            })
        });
        own.chain(incidents)
    }

    /// Whether it makes sense.
    ///
    /// # Errors
    /// The first thing that does not.
    pub fn check(&self) -> Result<(), PopulationError> {
        within("nodes", self.nodes.into(), 1, 65_536)?;
        within("cpus", self.cpus.into(), 1, 255)?;
        within("seconds", self.seconds, 1, 31 * 86_400)?;
        let at_most_64 = |path: &str, count: usize| match count {
            0..=64 => Ok(()),
            _ => Err(PopulationError {
                path: path.into(),
                must_be: "a list of at most 64".into(),
            }),
        };
        at_most_64("flows", self.flows.len())?;
        at_most_64("incidents", self.incidents.len())?;
        for (index, flows) in self.flows.iter().enumerate() {
            flows.check(&format!("flows[{index}]"))?;
        }
        for (index, incident) in self.incidents.iter().enumerate() {
            let path = format!("incidents[{index}]");
            incident.flows.check(&format!("{path}.flows"))?;
            let (first, end) = incident.nodes;
            if first >= end || end > self.nodes {
                return Err(PopulationError {
                    path: format!("{path}.nodes"),
                    must_be: format!(
                        "the first node, from 0, and the one after the last, at most {}",
                        self.nodes
                    ),
                });
            }
            within(
                &format!("{path}.from_s"),
                incident.from_s,
                0,
                self.seconds - 1,
            )?;
            let left = self.seconds - incident.from_s;
            within(&format!("{path}.for_s"), incident.for_s, 1, left)?;
        }
        Ok(())
    }
}

impl Flows {
    fn check(&self, path: &str) -> Result<(), PopulationError> {
        let within = |field: &str, value: u64, least: u64, most: u64| {
            within(&format!("{path}.{field}"), value, least, most)
        };
        within("port", self.port.into(), 1, 32_767)?;
        within("per_1000_s", self.per_1000_s, 1, 1_000_000_000)?;
        within("hold_us", self.hold_us, 0, 3_600_000_000)?;
        within("link_us", self.link_us, 0, 10_000_000)?;
        within("peers", self.peers.into(), 1, 65_536)?;
        match self.arriving {
            Arriving::Bursts(size) => within("arriving", size.into(), 1, 1_000_000),
            Arriving::Jittered | Arriving::Regular => Ok(()),
        }
    }

    /// When they arrive: hour by hour within `from_s..until_s`.
    pub(super) fn arrivals(&self, seed: u64, from_s: u64, until_s: u64) -> Arrivals {
        let (is_jittered, burst) = match self.arriving {
            Arriving::Jittered => (true, 1),
            Arriving::Regular => (false, 1),
            Arriving::Bursts(size) => (true, u64::from(size)),
        };
        let mut arrivals = Arrivals::new(seed, is_jittered, burst);
        let mut start = from_s;
        while start < until_s {
            let end = ((start / 3_600 + 1) * 3_600).min(until_s);
            // In millionths of an arrival: what is left over of an hour is lost.
            let millionths = self.per_1000_s * (end - start) * self.curve.permille(start / 3_600);
            arrivals.push(
                start * 1_000_000_000,
                (end - start) * 1_000_000_000,
                millionths / 1_000_000 / burst,
            );
            start = end;
        }
        arrivals
    }

    /// The address of the first peer; the others' follow it.
    pub(super) fn first_peer(&self) -> Ipv4 {
        match self.life.is_client() {
            true => Ipv4::new(10, 200, 0, 1),
            false => Ipv4::new(10, 100, 0, 1),
        }
    }
}
