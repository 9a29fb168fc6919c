//! The server's access link, over which all hosts reach it.

use std::hash::{Hash, Hasher};

use super::segment::{Flow, Segment};
use super::spare::Spare;
use crate::engine::{Entity, Span, Time};
use crate::linux::tracepoint::Ipv4;

/// Which way a segment goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Way {
    ToServer,
    ToClient,
}

/// How many segments the link has seen. Every segment that was sent is delivered, lost or under way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Carried {
    /// Handed to the link.
    pub sent: u64,
    /// Handed to their receivers.
    pub delivered: u64,
    /// Thrown away by a fault.
    pub lost: u64,
}

impl Hash for Carried {
    /// Counts decide nothing: states that differ in them alone are the same.
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

/// A segment that was handed to the link.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Packet {
    /// When.
    pub at: Time,
    /// Whether the link lost it.
    pub is_lost: bool,
    /// What.
    pub segment: Segment,
}

/// A capture, with what is needed to read it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capture {
    /// The addresses of the hosts, by number.
    pub addresses: Vec<Ipv4>,
    /// Whether the hosts have `net.ipv4.tcp_sack` on, and offer it in a SYN.
    pub has_sack: bool,
    /// The segments, in the order in which their senders handed them to the link.
    pub packets: Vec<Packet>,
}

/// What somebody who captures on the link has seen, in order, each segment as its sender hands it over.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Captured(Option<Vec<Packet>>);

impl Hash for Captured {
    /// A capture decides nothing: states that differ in it alone are the same.
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl Captured {
    pub(super) fn begin(&mut self) {
        self.0.get_or_insert_default();
    }

    #[inline]
    pub(super) fn see(&mut self, at: Time, is_lost: bool, segment: &Segment) {
        if let Captured(Some(packets)) = self {
            packets.push(Packet {
                at,
                is_lost,
                segment: segment.clone(),
            });
        }
    }

    pub(super) fn into_packets(self) -> Vec<Packet> {
        self.0.unwrap_or_default()
    }

    pub(super) fn packets(&self) -> &[Packet] {
        self.0.as_deref().unwrap_or_default()
    }
}

/// A full-duplex link: each way a queue without a bound, then a delay.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct Link {
    pub(super) delay: Span,
    packet_time: Span,
    /// Until when the queue of each way is busy.
    busy_until: [Time; 2],
    /// Whether it throws away what is sent.
    pub(super) down: bool,
    /// Whether `packet-loss` is armed at all: asking costs time.
    pub(super) may_lose: bool,
    /// Of a million segments so many are lost: a narrow choice each, at site `loss`, by the connection's
    /// way.
    pub(super) lost_of_million: u32,
    pub(super) carried: Carried,
    pub(super) captured: Captured,
    pub(super) spare: Spare<Segment>,
    /// The names of the two ways of each client's latest connection, once a loss was asked for.
    ways: Vec<Option<Named>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Named {
    conn: u32,
    to_server: Entity,
    to_client: Entity,
}

impl Link {
    pub(super) fn new(delay: Span, packet_time: Span) -> Link {
        Link {
            delay,
            packet_time,
            busy_until: [Time::default(); 2],
            down: false,
            may_lose: false,
            lost_of_million: 0,
            carried: Carried::default(),
            captured: Captured::default(),
            spare: Spare::default(),
            ways: Vec::new(),
        }
    }

    /// Takes a packet in; after what span it arrives.
    pub(super) fn carry(&mut self, now: Time, way: Way) -> Span {
        let busy_until = &mut self.busy_until[way as usize];
        *busy_until = now.max(*busy_until) + self.packet_time;
        *busy_until + self.delay - now
    }

    /// The entity whose opportunities the segments of `flow` that go this way are.
    pub(super) fn named(
        &mut self,
        flow: Flow,
        way: Way,
        client: &str,
        mut name: impl FnMut(&str) -> Entity,
    ) -> Entity {
        let index = flow.client as usize;
        if self.ways.len() <= index {
            self.ways.resize(index + 1, None);
        }
        let named = match self.ways[index] {
            Some(named) if named.conn == flow.conn => named,
            _ => {
                let mut of = |way| name(&format!("{client}/conn-{}/{way}", flow.conn));
                let named = Named {
                    conn: flow.conn,
                    to_server: of("to-server"),
                    to_client: of("to-client"),
                };
                self.ways[index] = Some(named);
                named
            }
        };
        match way {
            Way::ToServer => named.to_server,
            Way::ToClient => named.to_client,
        }
    }
}
