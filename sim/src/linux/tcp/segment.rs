//! What travels: segments, and whose connection they belong to.

use crate::engine::Time;

/// A host of the lab: the server is number 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostId(pub u32);

impl HostId {
    /// The one server.
    pub const SERVER: HostId = HostId(0);
}

/// Which connection of the scenario: the client by number from 0, its connection by number from 1. It is
/// not on the wire; names of choices and of actors are made of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Flow {
    /// The client.
    pub client: u32,
    /// Which of its connections.
    pub conn: u32,
}

/// The flags of a segment.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Flags {
    /// Opens a connection.
    pub syn: bool,
    /// `ack` counts.
    pub ack: bool,
    /// No more data follows.
    pub fin: bool,
    /// The connection is broken off.
    pub rst: bool,
}

impl Flags {
    pub(super) const SYN: Flags = Flags {
        syn: true,
        ..Flags::NONE
    };
    pub(super) const ACK: Flags = Flags {
        ack: true,
        ..Flags::NONE
    };
    const NONE: Flags = Flags {
        syn: false,
        ack: false,
        fin: false,
        rst: false,
    };
}

/// A segment under way. Sequence numbers have 64 bits and never wrap round.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Segment {
    /// Its sender.
    pub from: HostId,
    /// Its receiver.
    pub to: HostId,
    /// The sender's port.
    pub sport: u16,
    /// The receiver's port.
    pub dport: u16,
    /// The flags.
    pub flags: Flags,
    /// How many bytes of data it carries.
    pub len: u32,
    /// The connection.
    pub flow: Flow,
    /// The number of its first byte, or of its SYN or FIN.
    pub seq: u64,
    /// What its sender expects next.
    pub ack: u64,
}

impl Segment {
    /// The number after its last.
    pub fn end(&self) -> u64 {
        self.seq + u64::from(self.len) + u64::from(self.flags.syn) + u64::from(self.flags.fin)
    }

    /// Whether it occupies sequence numbers, and so is to be acknowledged.
    pub fn has_content(&self) -> bool {
        self.end() != self.seq
    }
}

/// The initial sequence number at `now`. The kernel adds a keyed hash of addresses and ports to a clock
/// of 64 ns (net/core/secure_seq.c); for one pair of ends only the clock matters.
pub(super) fn initial_sequence(now: Time) -> u64 {
    now.0 >> 6
}
