//! TCP between one server and many clients, as Linux does it, on virtual time, seen by the kernel's
//! tracepoints.
//!
//! From the bottom: [`KernelProfile`] holds what differs between kernels as data; `timer` knows when a
//! kernel's timer fires; `host` keeps a kernel's sockets; `link` carries segments; `net` joins hosts and
//! link, and its parts `receive`, `resend` and `calls` are what a kernel does with segments, timers and
//! system calls; `app` holds the applications, which see only what their kernel tells them; [`Lab`] is the
//! world. Rules name where they come from: *measured* means on Linux 6.18.44 and on Debian's
//! 6.1.0-56-cloud-amd64 in network namespaces, read from ftrace; otherwise the kernel's source.
//!
//! Records have the server or the client as their actor. A connection's own name, `client-3/conn-2`, is
//! only made where a choice is about it (see [`FAULTS`]), as a storm has a million of them. Local ports and
//! numbers of connections only grow, so a state rarely recurs in one run.
//!
//! Not modelled yet, and nothing asks for it: limits of the backlog and of the accept queue (the server
//! accepts at once), SYN cookies; shutdown(), keepalive, TCP_USER_TIMEOUT, sysctls other than the
//! defaults of [`KernelProfile`]; answers of the server; windows, segmentation (a write is one segment),
//! reassembly (what comes too early is lost), congestion control, selective acknowledgement; delayed ACKs
//! (each segment is acknowledged at once); tcp_max_tw_buckets, tcp_tw_reuse; a bound on the link's queue;
//! CPUs, pids and the context in which an event fires; time within a process's exit (all its sockets close
//! in one step).

mod app;
mod calls;
mod config;
mod fault;
mod host;
mod lab;
mod link;
mod net;
mod profile;
mod receive;
mod resend;
mod segment;
mod timer;

#[cfg(test)]
mod tests;

pub use config::{ConfigError, Jitter, Reconnect, TcpLab, Work};
pub use fault::{FAULTS, FaultError, check_faults};
pub use lab::{Event, Lab};
pub use link::Carried;
pub use profile::{Kernel, KernelProfile, UnknownKernel};
pub use segment::{Flags, Flow, HostId, Segment};
pub use timer::Jiffies;
