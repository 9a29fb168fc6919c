//! TCP between one server and many clients, as Linux does it, on virtual time, seen by the kernel's
//! tracepoints.
//!
//! From the bottom: [`KernelProfile`] holds what differs between kernels as data; `timer` knows when a
//! kernel's timer fires; `socket` holds a connection, with `unacked`, what it has sent, and `disorder`, what it
//! has received out of turn; `host` keeps a kernel's sockets; `link` carries segments; `net` joins hosts and
//! link, and its parts `receive`, `window`, `transmit`, `timeout`, `recovery` and `calls` are what a kernel does with segments, timers and
//! system calls; `app` holds the applications, which see only what their kernel tells them; [`Lab`] is the
//! world. Rules name where they come from: *measured* means on Linux 6.18.44 and on Debian's
//! 6.1.0-56-cloud-amd64 in network namespaces, read from ftrace; otherwise the kernel's source.
//!
//! Records have the server or the client as their actor. A connection's own name, `client-3/conn-2`, is
//! only made where a choice is about it (see [`FAULTS`]), as a storm has a million of them. Local ports and
//! numbers of connections only grow, so a state rarely recurs in one run.
//!
//! Not modelled: tuning of the receive buffer; a network that reorders (RACK's window grows then); that a buffer waits
//! for more room in the congestion window (tcp_tso_should_defer); pacing, ECN, Fast Open, path MTU; memory pressure; a
//! bound on the link's queue; CPUs, and with them the order of timers that fall on one tick (see `firing`); time within
//! a process's exit (all its sockets close in one step).

mod acknowledge;
mod app;
mod calls;
mod config;
mod disorder;
mod fault;
mod firing;
mod flood;
mod handshake;
mod host;
mod lab;
mod link;
mod net;
mod pair;
mod port;
mod profile;
mod receive;
mod recovery;
mod reset;
mod segment;
mod socket;
mod spare;
mod sysctl;
mod time_wait;
mod timeout;
mod timer;
mod touched;
mod transmit;
mod unacked;
mod window;

#[cfg(test)]
mod tests;

pub use config::{ConfigError, Jitter, Reconnect, Service, TcpLab, Work};
pub(in crate::linux) use fault::windows;
pub use fault::{FAULTS, FaultError, check_faults};
pub use flood::{Defence, Flood};
pub use host::Counters;
pub use lab::{Event, Lab};
pub use link::{Capture, Carried, Packet};
pub use pair::{
    Closing, End, Listening, Pair, PairConfig, PairError, PairEvent, PairLab, Seen, Step, ss_name,
};
pub use profile::{Kernel, KernelProfile, UnknownKernel, model_timeout_ms};
pub use segment::{Flags, Flow, HostId, Sack, Segment, Stamps};
pub use socket::{Buffers, Keepalive, SocketOptions};
pub use sysctl::{SysctlError, Sysctls};
pub use timer::{Clock, Timer};
