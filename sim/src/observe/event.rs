//! What an observer may see of one node's kernel: tracepoint records and packets, and what a record
//! says in the terms of operation.

use std::fmt;

use crate::engine::Time;
use crate::linux::tracepoint::{Ipv4, Record, TcpState};

/// A tracepoint's record, when and on which CPU of its node the kernel made it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Event {
    /// When.
    pub at: Time,
    /// On which CPU.
    pub cpu: u8,
    /// What the tracepoint says.
    pub record: Record,
}

/// The TCP flags that the observers tell apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct PacketFlags {
    /// Opens a connection.
    pub syn: bool,
    /// Acknowledges.
    pub ack: bool,
    /// No more data follows.
    pub fin: bool,
    /// Broken off.
    pub rst: bool,
    /// The last of what was written.
    pub psh: bool,
}

/// A TCP packet as it passes a hook of netfilter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Packet {
    /// Whether it comes in; otherwise it goes out.
    pub is_inbound: bool,
    /// The sender's address.
    pub saddr: Ipv4,
    /// The receiver's address.
    pub daddr: Ipv4,
    /// The sender's port.
    pub sport: u16,
    /// The receiver's port.
    pub dport: u16,
    /// The length of the IP packet in bytes.
    pub len: u16,
    /// The time to live.
    pub ttl: u8,
    /// The identification field of the IP header.
    pub id: u16,
    /// The window field of the TCP header, unscaled.
    pub window: u16,
    /// The flags.
    pub flags: PacketFlags,
}

/// Declares the signals: each has a name that samples, records and exports use.
macro_rules! signals {
    ($( $(#[doc = $doc:literal])* $name:ident = $text:literal, )*) => {
        /// What operation calls the things that happen to connections.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        #[repr(u8)]
        pub enum Signal {
            $( $(#[doc = $doc])* $name, )*
        }

        impl Signal {
            /// All of them.
            pub const ALL: &'static [Signal] = &[ $( Signal::$name, )* ];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $( Signal::$name => $text, )* }
            }
        }
    };
}

signals! {
    /// A client calls connect().
    ConnectStarted = "connect_started",
    /// A client's connection is open.
    Opened = "opened",
    /// A client's connection cannot be opened.
    ConnectFailed = "connect_failed",
    /// connect() found no free local port: TCP_SYN_SENT to TCP_CLOSE with port 0.
    NoPort = "no_port",
    /// A server's connection is open.
    Accepted = "accepted",
    /// An open connection is over.
    Closed = "closed",
    /// An open connection is over and leaves a mini-socket in TIME_WAIT.
    TimeWaitMade = "time_wait_made",
    /// A state event says TIME_WAIT. No kernel does.
    TimeWaitSeen = "time_wait_seen",
    /// A SYN is sent again.
    SynRetransmit = "syn_retransmit",
    /// Something else is sent again.
    DataRetransmit = "data_retransmit",
    /// A SYN-ACK is sent again.
    SynAckRetransmit = "synack_retransmit",
    /// A RST is sent.
    ResetSent = "reset_sent",
    /// A RST is heeded.
    ResetReceived = "reset_received",
    /// A SYN comes in: packets only, no tracepoint of TCP tells.
    SynReceived = "syn_received",
    /// Level: connections that are open, or that the peer has closed and the application has not.
    OpenNow = "open_now",
    /// Level: clients' connections that wait for an answer.
    SynSentNow = "syn_sent_now",
    /// Level: mini-sockets in TIME_WAIT.
    TimeWaitNow = "time_wait_now",
    /// A step between two states of closing, or a socket's end, of which nothing follows.
    Other = "other",
    /// Level: how full the receive buffer of the watched socket is, in thousandths of sk_rcvbuf.
    BufferFill = "buffer_fill",
}

impl Signal {
    /// Whether it is a level, to be read as it is; otherwise a count, to be added up.
    pub const fn is_level(self) -> bool {
        matches!(
            self,
            Signal::OpenNow | Signal::SynSentNow | Signal::TimeWaitNow | Signal::BufferFill
        )
    }

    /// How many there are.
    pub const COUNT: usize = Signal::ALL.len();
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a record says. Measured on Linux 6.1 and 6.18: a connect() without a free port is a pair of
/// state events with local port 0 and nothing else; the full socket of a connection whose end is a
/// TIME_WAIT goes from FIN_WAIT2 or CLOSING to CLOSE, and no event ever has TIME_WAIT as its new state;
/// a half-open request makes no state event. FIN_WAIT2 to CLOSE may also be an orphan whose mini-socket
/// waits for the peer's FIN: that one, too, is listed as a mini-socket.
#[inline]
pub fn signal_of(record: &Record) -> Signal {
    // Most are one of the first two: a branch each, in place of a jump by a table, is foreseen more often.
    if let Record::SetState {
        oldstate,
        newstate,
        sport,
        ..
    } = record
    {
        return match OF_STATES[oldstate.number() as usize][newstate.number() as usize] {
            Signal::ConnectFailed if *sport == 0 => Signal::NoPort,
            signal => signal,
        };
    }
    if let Record::DestroySock { .. } = record {
        return Signal::Other;
    }
    rarer_signal_of(record)
}

#[inline(never)]
fn rarer_signal_of(record: &Record) -> Signal {
    match record {
        Record::RetransmitSkb {
            state: TcpState::SynSent,
            ..
        } => Signal::SynRetransmit,
        Record::RetransmitSkb { .. } => Signal::DataRetransmit,
        Record::RetransmitSynack { .. } => Signal::SynAckRetransmit,
        Record::SendReset { .. } => Signal::ResetSent,
        Record::ReceiveReset { .. } => Signal::ResetReceived,
        Record::SetState { .. }
        | Record::DestroySock { .. }
        | Record::App { .. }
        | Record::Call { .. } => Signal::Other,
    }
}

const STATES: usize = TcpState::ALL.len();

/// What a step from one state to another says: a table, as this is asked of every event.
static OF_STATES: [[Signal; STATES]; STATES] = {
    let mut table = [[Signal::Other; STATES]; STATES];
    let mut from = 0;
    while from < STATES {
        let mut to = 0;
        while to < STATES {
            table[from][to] = of_states(TcpState::ALL[from], TcpState::ALL[to]);
            to += 1;
        }
        from += 1;
    }
    table
};

const fn of_states(from: TcpState, to: TcpState) -> Signal {
    use TcpState::{
        Close, CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, SynRecv, SynSent,
        TimeWait,
    };
    match (from, to) {
        (Close, SynSent) => Signal::ConnectStarted,
        (SynSent, Established) => Signal::Opened,
        (SynRecv, Established) => Signal::Accepted,
        (SynSent, Close) => Signal::ConnectFailed,
        (FinWait2 | Closing, Close) => Signal::TimeWaitMade,
        (Established | FinWait1 | CloseWait | LastAck, Close) => Signal::Closed,
        (_, TimeWait) => Signal::TimeWaitSeen,
        _ => Signal::Other,
    }
}

/// What a packet says to whoever has nothing but packets.
#[inline]
pub fn signal_of_packet(packet: &Packet) -> Signal {
    let PacketFlags {
        syn, ack, fin, rst, ..
    } = packet.flags;
    match (packet.is_inbound, syn, ack, rst) {
        (true, true, false, _) => Signal::SynReceived,
        (false, true, false, _) => Signal::ConnectStarted,
        (true, true, true, _) => Signal::Opened,
        // Also when it is sent again: a packet does not say.
        (false, true, true, _) => Signal::Accepted,
        (true, _, _, true) => Signal::ResetReceived,
        (false, _, _, true) => Signal::ResetSent,
        // Each end sends one.
        (false, ..) if fin => Signal::Closed,
        _ => Signal::Other,
    }
}

/// How many bytes the record has in the trace buffer of Linux 6.18, with its common header: what the
/// kernel's [`Layouts`](crate::linux::tracepoint::format::Layouts) have, without looking for it there.
#[inline]
pub fn record_bytes(record: &Record) -> u32 {
    match record {
        Record::SetState { .. } => 72,
        Record::RetransmitSkb { .. } => 80,
        Record::RetransmitSynack { .. } => 72,
        Record::SendReset { .. } => 88,
        Record::ReceiveReset { .. } | Record::DestroySock { .. } => 72,
        // No tracepoints: they cross no buffer.
        Record::App { .. } | Record::Call { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linux::tcp::Kernel;
    use crate::linux::tracepoint::format::Layouts;
    use crate::linux::tracepoint::{Family, Protocol, RstReason};

    #[test]
    fn sizes_are_those_of_the_kernel_s_formats() {
        let (family, any, state) = (Family::Inet, Ipv4::ANY, TcpState::Established);
        let (saddr, daddr, sport, dport, skaddr) = (any, any, 1, 2, 3);
        let records = [
            Record::SetState {
                skaddr,
                oldstate: TcpState::SynSent,
                newstate: state,
                sport,
                dport,
                family,
                protocol: Protocol::Tcp,
                saddr,
                daddr,
            },
            Record::RetransmitSkb {
                skaddr,
                state,
                sport,
                dport,
                family,
                saddr,
                daddr,
                err: 0,
            },
            Record::RetransmitSynack {
                skaddr,
                req: 4,
                sport,
                dport,
                family,
                saddr,
                daddr,
            },
            Record::SendReset {
                skaddr,
                state,
                reason: RstReason::State,
                sport,
                dport,
                family,
                saddr,
                daddr,
            },
            Record::ReceiveReset {
                skaddr,
                sport,
                dport,
                family,
                saddr,
                daddr,
                sock_cookie: 5,
            },
            Record::DestroySock {
                skaddr,
                sport,
                dport,
                family,
                saddr,
                daddr,
                sock_cookie: 5,
            },
        ];
        let layouts = Layouts::of(Kernel::V6_18);
        for record in records {
            let format = layouts.named(record.kind()).expect("a tracepoint");
            assert_eq!(record_bytes(&record) as usize, format.size(), "{record:?}");
        }
    }
}
