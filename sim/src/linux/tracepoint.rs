//! What the kernel's TCP tracepoints say, as records of the trace: the events are called as in
//! `/sys/kernel/tracing/events`, their fields as in the `format` files of Linux 6.1 and 6.18.
//!
//! Left out, because the model has nothing to say there: `common_*` (the model has no CPUs and no pids),
//! `skbaddr` (packet buffers have no addresses), and the `_v6` addresses, which the kernel fills with
//! the v4-mapped form: see [`Ipv4::v6_mapped`]. What only one of the kernels has says so.
//!
//! A record's fields stand in two places: their names and types below, and where they lie and how they are
//! printed in the kernels' own `format` files ([`format`](mod@format)). All else follows from those by the names:
//! [`bytes`] turns records to the bytes that a kernel writes and back, [`event`] holds all that a kernel's
//! record says, also of what the model lacks, [`print`](mod@print) prints and reads its text, and [`line`](mod@line)
//! the lines of `trace_pipe` and `perf script` around it.

mod address;
pub mod bytes;
mod context;
mod declare;
pub mod event;
pub mod format;
pub mod line;
mod place;
pub mod print;
#[cfg(test)]
mod tests;
mod values;

pub use context::Context;
use declare::tracepoint_records;
pub use values::{AppOp, Family, Ipv4, Protocol, RstReason, TcpState, names_of};

use super::errno::Errno;

tracepoint_records! {
    /// What the TCP tracepoints and the applications of the lab report.
    pub enum Record {
        tracepoints {
            /// A socket changes its state. The ports are in host order.
            SetState = "inet_sock_set_state", "goes from {oldstate} to {newstate}, {saddr}:{sport} to {daddr}:{dport}" {
                /// The socket's address. A freed socket's address is used again.
                skaddr: u64,
                /// The state that it leaves.
                oldstate: TcpState,
                /// The state that it enters.
                newstate: TcpState,
                /// The local port; 0 at TCP_CLOSE to TCP_SYN_SENT, which comes before a port is chosen.
                sport: u16,
                /// The peer's port.
                dport: u16,
                /// The address family.
                family: Family,
                /// The protocol.
                protocol: Protocol,
                /// The local address.
                saddr: Ipv4,
                /// The peer's address.
                daddr: Ipv4,
            }
            /// A segment is sent again.
            RetransmitSkb = "tcp_retransmit_skb", "retransmits in {state}, {saddr}:{sport} to {daddr}:{dport}" {
                /// The socket's address.
                skaddr: u64,
                /// Its state.
                state: TcpState,
                /// The local port.
                sport: u16,
                /// The peer's port.
                dport: u16,
                /// The address family.
                family: Family,
                /// The local address.
                saddr: Ipv4,
                /// The peer's address.
                daddr: Ipv4,
                /// Below 0 if it could not be sent, which the model never meets. 6.1 has no such field.
                err: i32,
            }
            /// A SYN-ACK is sent again, by a timer or for another SYN.
            RetransmitSynack = "tcp_retransmit_synack", "retransmits a SYN-ACK, {saddr}:{sport} to {daddr}:{dport}" {
                /// The listener's address.
                skaddr: u64,
                /// The half-open request's address.
                req: u64,
                /// The local port.
                sport: u16,
                /// The peer's port.
                dport: u16,
                /// The address family.
                family: Family,
                /// The local address.
                saddr: Ipv4,
                /// The peer's address.
                daddr: Ipv4,
            }
            /// A RST is sent. In 6.18 ports and family stand inside `saddr` and `daddr`, two sockaddrs.
            SendReset = "tcp_send_reset", "sends a reset {reason} in {state}, {saddr}:{sport} to {daddr}:{dport}" {
                /// The socket's address, 0 if there is none.
                skaddr: u64,
                /// Its state, UNKNOWN if there is no socket.
                state: TcpState,
                /// Why. 6.1 has no such field.
                reason: RstReason,
                /// The sender's port.
                sport: u16,
                /// The receiver's port.
                dport: u16,
                /// The address family.
                family: Family,
                /// The sender's address.
                saddr: Ipv4,
                /// The receiver's address.
                daddr: Ipv4,
            }
            /// A socket meets a RST that it heeds.
            ReceiveReset = "tcp_receive_reset", "receives a reset, {saddr}:{sport} from {daddr}:{dport}" {
                /// The socket's address.
                skaddr: u64,
                /// The local port.
                sport: u16,
                /// The peer's port.
                dport: u16,
                /// The address family.
                family: Family,
                /// The local address.
                saddr: Ipv4,
                /// The peer's address.
                daddr: Ipv4,
                /// The socket's number, never used again on its host.
                sock_cookie: u64,
            }
            /// A socket ends: closed by the protocol and by its application.
            DestroySock = "tcp_destroy_sock", "destroys the socket {saddr}:{sport} to {daddr}:{dport}" {
                /// The socket's address.
                skaddr: u64,
                /// The local port, also after it was given back.
                sport: u16,
                /// The peer's port; 0 after close() with linger 0 (measured on Linux 6.1 and 6.18).
                dport: u16,
                /// The address family.
                family: Family,
                /// The local address.
                saddr: Ipv4,
                /// The peer's address.
                daddr: Ipv4,
                /// The socket's number, never used again on its host.
                sock_cookie: u64,
            }
        }
        applications {
            /// A client has the answer to a call.
            Call = "call", "has its answer after {latency_us} us on connection {conn}" {
                /// How long it took, connecting included.
                latency_us: u64,
                /// Which connection of its client, from 1.
                conn: u32,
                /// The local port.
                sport: u16,
                /// The peer's port.
                dport: u16,
                /// The local address.
                saddr: Ipv4,
                /// The peer's address.
                daddr: Ipv4,
            }
            /// An application learns of an error. Successes are not recorded.
            App = "app", "gets {errno} from {op} on connection {conn}" {
                /// From what.
                op: AppOp,
                /// Which.
                errno: Errno,
                /// Which connection of its client, from 1.
                conn: u32,
                /// The local port.
                sport: u16,
                /// The peer's port.
                dport: u16,
                /// The local address.
                saddr: Ipv4,
                /// The peer's address.
                daddr: Ipv4,
            }
        }
    }
}

/// A record is as small and plain as the kernel's: it is copied by the billion.
impl Copy for Record {}

/// Two ends of a connection: the local one, then the peer's.
pub type Ends = ((Ipv4, u16), (Ipv4, u16));
