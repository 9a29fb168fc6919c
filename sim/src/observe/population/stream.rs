//! The events of one node, in the order of time, from any time on.

use super::super::event::{Event, Packet};
use super::arrivals::{Arrivals, At, spread};
use super::config::{Flows, Population};
use super::drawn::Drawn;
use super::life::{Ends, Life, Step};
use crate::engine::{Span, Time, mix};
use crate::linux::tcp::Clock;
use crate::linux::tracepoint::Ipv4;

/// A packet of a node, when it passes and on which CPU.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PacketEvent {
    /// When.
    pub at: Time,
    /// On which CPU.
    pub cpu: u8,
    /// What.
    pub packet: Packet,
}

/// Connections of one kind, and how far each step of their life has come.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Kind {
    index: u64,
    flows: Flows,
    arrivals: Arrivals,
    seed: u64,
    cursors: Vec<Cursor>,
}

/// A step of a life, walking over the arrivals.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Cursor {
    step: Step,
    at: At,
    /// When the arrival at `at` comes to this step; `u64::MAX` after the last.
    next: u64,
}

/// Which step of which connection comes at what time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
struct Due {
    at: u64,
    /// invariant: kind, number, step, from the highest bits: of equal times this decides.
    which: u64,
}

const NUMBER_BITS: u32 = 48;
const STEP_BITS: u32 = 8;

/// The stream of one node's events.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NodeStream {
    address: Ipv4,
    cpus: u8,
    clock: Clock,
    kinds: Vec<Kind>,
    until: u64,
    due: Vec<Due>,
    sorted: Vec<Due>,
    counts: Vec<u32>,
}

impl NodeStream {
    /// A node's events from `from` on, given what was drawn for it; its packets too if `with_packets`.
    ///
    /// # Panics
    /// If the population does not [make sense](Population::check), has no such node, or something else was
    /// drawn for.
    pub fn new(
        population: &Population,
        node: u32,
        drawn: &Drawn,
        from: Time,
        with_packets: bool,
    ) -> NodeStream {
        population.check().expect("the population was checked");
        assert!(node < population.nodes, "the population has no node {node}");
        assert_eq!(
            population.kinds(node).count(),
            drawn.numbers.len(),
            "a number for each kind of connections of the node"
        );
        let clock = Clock::of_hz(Population::HZ).booted_before(drawn.boot_jiffies);
        let kinds = population.kinds(node).zip(&drawn.numbers).enumerate().map(
            |(index, (planned, number))| {
                let stretch = (planned.from_s, planned.until_s);
                Kind {
                    index: index as u64,
                    ..Kind::new(planned.flows, *number, stretch, from.0, clock, with_packets)
                }
            },
        );
        NodeStream {
            address: Ipv4(Ipv4::new(10, 0, 0, 1).0 + node),
            cpus: population.cpus,
            clock,
            kinds: kinds.collect(),
            until: population.seconds * 1_000_000_000,
            due: Vec::new(),
            sorted: Vec::new(),
            counts: Vec::new(),
        }
    }

    /// Puts all events before `until` that were not taken yet into `events`, and packets into `packets`.
    /// Both are emptied first. After the population's time nothing comes.
    pub fn take(&mut self, until: Time, events: &mut Vec<Event>, packets: &mut Vec<PacketEvent>) {
        events.clear();
        packets.clear();
        let until = until.0.min(self.until);
        self.due.clear();
        let mut least = u64::MAX;
        for (index, kind) in self.kinds.iter_mut().enumerate() {
            let high = (index as u64) << (NUMBER_BITS + STEP_BITS);
            for (step, cursor) in kind.cursors.iter_mut().enumerate() {
                least = least.min(cursor.next);
                while cursor.next < until {
                    self.due.push(Due {
                        at: cursor.next,
                        which: high | cursor.at.number << STEP_BITS | step as u64,
                    });
                    cursor.advance(&kind.arrivals, self.clock);
                }
            }
        }
        if self.due.is_empty() {
            return;
        }
        self.sort(least, until);
        for due in &self.sorted {
            let kind = &self.kinds[(due.which >> (NUMBER_BITS + STEP_BITS)) as usize];
            let cursor = &kind.cursors[(due.which & ((1 << STEP_BITS) - 1)) as usize];
            let number = due.which >> STEP_BITS & ((1 << NUMBER_BITS) - 1);
            let (ends, cpu) = kind.ends(number, self.address, self.cpus);
            let (at, what) = (Time(due.at), cursor.step.what);
            match what.packet(&ends) {
                Some(packet) => packets.push(PacketEvent { at, cpu, packet }),
                None => events.push(Event {
                    at,
                    cpu,
                    record: what.record(kind.flows.life, &ends),
                }),
            }
        }
    }

    /// Sorts what is due: first into buckets of equal time, then the few that are out of place.
    fn sort(&mut self, from: u64, until: u64) {
        const MOST_BUCKETS: usize = 1 << 16;
        let NodeStream {
            due,
            sorted,
            counts,
            ..
        } = self;
        let buckets = due.len().next_power_of_two();
        if buckets > MOST_BUCKETS {
            due.sort_unstable();
            std::mem::swap(due, sorted);
            return;
        }
        let mut shift = 0;
        while (until - from) >> shift >= buckets as u64 {
            shift += 1;
        }
        counts.clear();
        counts.resize(buckets + 1, 0);
        for each in &*due {
            counts[((each.at - from) >> shift) as usize + 1] += 1;
        }
        for bucket in 1..counts.len() {
            counts[bucket] += counts[bucket - 1];
        }
        sorted.clear();
        sorted.resize(due.len(), Due::default());
        for each in &*due {
            let place = &mut counts[((each.at - from) >> shift) as usize];
            sorted[*place as usize] = *each;
            *place += 1;
        }
        for index in 1..sorted.len() {
            let each = sorted[index];
            let mut place = index;
            while place > 0 && sorted[place - 1] > each {
                sorted[place] = sorted[place - 1];
                place -= 1;
            }
            sorted[place] = each;
        }
    }
}

impl Kind {
    fn new(
        flows: &Flows,
        number: u64,
        (from_s, until_s): (u64, u64),
        from_ns: u64,
        clock: Clock,
        with_packets: bool,
    ) -> Kind {
        let seed = mix(&[number]);
        let arrivals = flows.arrivals(seed, from_s, until_s);
        let (link, hold) = (Span::from_us(flows.link_us), Span::from_us(flows.hold_us));
        let steps = flows.life.steps(link, hold, clock);
        let cursors = steps
            .into_iter()
            .filter(|step| with_packets || !step.what.is_packet())
            .map(|step| {
                // Times grow with numbers: the first that is not before the beginning.
                let (mut low, mut high) = (0, arrivals.total());
                while low < high {
                    let middle = low + (high - low) / 2;
                    let arrival = arrivals.time(&mut arrivals.seek(middle));
                    match arrival.is_some_and(|arrival| step.when.of(clock, arrival) < from_ns) {
                        true => low = middle + 1,
                        false => high = middle,
                    }
                }
                let mut cursor = Cursor {
                    step,
                    at: arrivals.seek(low),
                    next: 0,
                };
                cursor.look(&arrivals, clock);
                cursor
            })
            .collect();
        Kind {
            index: 0,
            flows: flows.clone(),
            arrivals,
            seed,
            cursors,
        }
    }

    /// Addresses, ports and socket of a connection, and the CPU on which its packets come in.
    #[inline]
    fn ends(&self, number: u64, address: Ipv4, cpus: u8) -> (Ends, u8) {
        let chance = spread(self.seed.wrapping_add(number));
        let peer = self.flows.peer((chance >> 32) as u32);
        let cpu = (((chance & 0xffff) * u64::from(cpus)) >> 16) as u8;
        // Local ports one after another; a socket's address comes back after a million others.
        let ephemeral = PORTS.0 + (number % u64::from(PORTS.1)) as u16;
        let (sport, dport) = match self.flows.life {
            life if life.is_client() => (ephemeral, self.flows.port),
            _ => (self.flows.port, ephemeral),
        };
        let slot = self.index << 20 | (number & 0xf_ffff);
        let ends = Ends {
            skaddr: SOCKETS + slot * SOCKET_BYTES,
            cookie: number + 1,
            saddr: address,
            sport,
            daddr: peer,
            dport,
        };
        (ends, cpu)
    }
}

/// ip_local_port_range: the first, and how many.
const PORTS: (u16, u16) = (32_768, 28_232);
/// Where sockets lie in the kernel's memory.
const SOCKETS: u64 = 0xffff_8881_0000_0000;
/// The room of a struct tcp_sock in its slab.
const SOCKET_BYTES: u64 = 2_432;

impl Cursor {
    #[inline]
    fn advance(&mut self, arrivals: &Arrivals, clock: Clock) {
        self.at.number += 1;
        self.look(arrivals, clock);
    }

    #[inline]
    fn look(&mut self, arrivals: &Arrivals, clock: Clock) {
        self.next = match arrivals.time(&mut self.at) {
            Some(arrival) => self.step.when.of(clock, arrival),
            None => u64::MAX,
        };
    }
}

impl Life {
    /// How many events of tracepoints a connection makes at this end.
    pub fn events(self) -> u64 {
        let steps = self.steps(Span::ZERO, Span::ZERO, Clock::of_hz(250));
        steps.iter().filter(|step| !step.what.is_packet()).count() as u64
    }
}
