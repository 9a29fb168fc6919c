//! What travels: segments, and whose connection they belong to.

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
    /// Which of its connections; 0 for a socket without a peer.
    pub conn: u32,
}

impl Flow {
    /// Of a listening socket.
    pub const NONE: Flow = Flow { client: 0, conn: 0 };
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
    /// The last of what was written.
    pub psh: bool,
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
    pub(super) const RST: Flags = Flags {
        rst: true,
        ..Flags::NONE
    };
    const NONE: Flags = Flags {
        syn: false,
        ack: false,
        fin: false,
        rst: false,
        psh: false,
    };
}

/// The timestamps option (RFC 7323), in milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Stamps {
    /// The sender's clock.
    pub value_ms: u64,
    /// What the sender echoes; 0 in a SYN.
    pub echo_ms: u64,
}

/// The selective acknowledgement option (RFC 2018, RFC 2883).
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Sack {
    /// What has arrived beyond `ack`, as first number and number after the last.
    pub blocks: Vec<(u64, u64)>,
    /// What has arrived twice.
    pub twice: Option<(u64, u64)>,
}

/// A segment under way. Sequence numbers have 64 bits and never wrap round.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
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
    /// How many bytes its sender has room for, scaled.
    pub window: u32,
    /// Timestamps, if both ends use them.
    pub stamps: Option<Stamps>,
    /// Selective acknowledgement, if there is something to say.
    pub sack: Option<Box<Sack>>,
    /// Whether a SYN or SYN-ACK offers what its host can: a SYN cookie without timestamps cannot, as nobody would
    /// remember it.
    pub has_options: bool,
}

impl Segment {
    /// The number after its last.
    pub fn end(&self) -> u64 {
        self.seq + u64::from(self.len) + u64::from(self.flags.syn) + u64::from(self.flags.fin)
    }

    /// The number after its last byte of data.
    pub fn end_of_data(&self) -> u64 {
        self.seq + u64::from(self.len)
    }

    /// Whether it occupies sequence numbers, and so is to be acknowledged.
    pub fn has_content(&self) -> bool {
        self.end() != self.seq
    }
}
