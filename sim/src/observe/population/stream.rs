//! The events of one node, in the order of time, from any time on.

use super::super::event::{Event, Packet, PacketFlags};
use super::arrivals::{Arrivals, spread};
use super::config::{Flows, Population};
use super::drawn::Drawn;
use super::lane::Lane;
use super::life::Ends;
use crate::engine::{Span, Time, mix};
use crate::linux::tcp::Clock;
use crate::linux::tracepoint::{Family, Ipv4, Record};

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

/// Connections of one kind on a node.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Kind {
    index: u64,
    flows: Flows,
    arrivals: Arrivals,
    seed: u64,
    is_client: bool,
    first_peer: Ipv4,
}

/// The stream of one node's events.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NodeStream {
    address: Ipv4,
    cpus: u8,
    clock: Clock,
    kinds: Vec<Kind>,
    until: u64,
    events: Lane,
    packets: Lane,
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
        let (mut kinds, mut events, mut packets) = (Vec::new(), Lane::new(), Lane::new());
        for (planned, number) in population.kinds(node).zip(&drawn.numbers) {
            let (index, flows, seed) = (kinds.len(), planned.flows, mix(&[*number]));
            let arrivals = flows.arrivals(seed, planned.from_s, planned.until_s);
            let (link, hold) = (Span::from_us(flows.link_us), Span::from_us(flows.hold_us));
            let (of_events, of_packets) = flows.life.moments(link, hold, clock);
            events.add(index, of_events, &arrivals, clock, from.0);
            if with_packets {
                packets.add(index, of_packets, &arrivals, clock, from.0);
            }
            kinds.push(Kind {
                index: index as u64,
                flows: flows.clone(),
                arrivals,
                seed,
                is_client: flows.life.is_client(),
                first_peer: flows.first_peer(),
            });
        }
        NodeStream {
            address: Ipv4(Ipv4::new(10, 0, 0, 1).0 + node),
            cpus: population.cpus,
            clock,
            kinds,
            until: population.seconds * 1_000_000_000,
            events,
            packets,
        }
    }

    /// Puts all events before `until` that were not taken yet into `events`, and packets into `packets`.
    /// Both are emptied first. After the population's time nothing comes.
    pub fn take(&mut self, until: Time, events: &mut Vec<Event>, packets: &mut Vec<PacketEvent>) {
        let (address, cpus, clock) = (self.address, self.cpus, self.clock);
        let (until, kinds) = (until.0.min(self.until), &self.kinds);
        let arrivals = |kind: usize| &kinds[kind].arrivals;
        let events = (events, NO_EVENT);
        self.events.take(
            until,
            clock,
            arrivals,
            events,
            |kind, number, at, steps, places| {
                let kind = &kinds[kind];
                let (ends, cpu) = kind.ends(number, address, cpus);
                for (what, place) in steps.iter().zip(places) {
                    what.write(kind.flows.life, &ends, Time(at), cpu, place);
                }
            },
        );
        let packets = (packets, NO_PACKET);
        self.packets.take(
            until,
            clock,
            arrivals,
            packets,
            |kind, number, at, steps, places| {
                let kind = &kinds[kind];
                let (ends, cpu) = kind.ends(number, address, cpus);
                for (what, place) in steps.iter().zip(places) {
                    *place = PacketEvent {
                        at: Time(at),
                        cpu,
                        packet: what.packet(&ends),
                    };
                }
            },
        );
    }
}

/// What stands in a place before an event does.
const NO_EVENT: Event = Event {
    at: Time(0),
    cpu: 0,
    record: Record::ReceiveReset {
        skaddr: 0,
        sport: 0,
        dport: 0,
        family: Family::Inet,
        saddr: Ipv4::ANY,
        daddr: Ipv4::ANY,
        sock_cookie: 0,
    },
};

/// What stands in a place before a packet does.
const NO_PACKET: PacketEvent = PacketEvent {
    at: Time(0),
    cpu: 0,
    packet: Packet {
        is_inbound: false,
        saddr: Ipv4::ANY,
        daddr: Ipv4::ANY,
        sport: 0,
        dport: 0,
        len: 0,
        ttl: 0,
        id: 0,
        window: 0,
        flags: PacketFlags {
            syn: false,
            ack: false,
            fin: false,
            rst: false,
            psh: false,
        },
    },
};

impl Kind {
    /// Addresses, ports and socket of a connection, and the CPU on which its packets come in.
    #[inline]
    fn ends(&self, number: u64, address: Ipv4, cpus: u8) -> (Ends, u8) {
        let chance = spread(self.seed.wrapping_add(number));
        let peer = ((chance >> 32) * u64::from(self.flows.peers)) >> 32;
        let cpu = (((chance & 0xffff) * u64::from(cpus)) >> 16) as u8;
        // Local ports one after another; a socket's address comes back after a million others.
        let ephemeral = PORTS.0 + (number % u64::from(PORTS.1)) as u16;
        let (sport, dport) = match self.is_client {
            true => (ephemeral, self.flows.port),
            false => (self.flows.port, ephemeral),
        };
        let slot = self.index << 20 | (number & 0xf_ffff);
        let ends = Ends {
            skaddr: SOCKETS + slot * SOCKET_BYTES,
            cookie: number + 1,
            saddr: address,
            sport,
            daddr: Ipv4(self.first_peer.0 + peer as u32),
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
