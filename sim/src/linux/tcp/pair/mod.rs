//! Two hosts on one link whose applications do what they are told, when they are told, and nothing by
//! themselves: what a case of the probe protocol is played on, and what the recordings of real kernels were
//! made with.
//!
//! `seen` is what is recorded, `world` the hosts and their applications, `lab` who tells them what to do.

use super::Kernel;
use super::segment::HostId;
use super::sysctl::{SysctlError, Sysctls};
use crate::engine::Span;
use crate::linux::errno::Errno;
use crate::linux::tracepoint::TcpState;

mod lab;
mod seen;
mod world;

pub use lab::PairLab;
pub use seen::{PairEvent, Seen};
pub use world::{Pair, Step};

/// One of the two hosts, or the end of a connection there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum End {
    /// The host `client`.
    Client,
    /// The host `server`.
    Server,
}

impl End {
    /// The host's name, and its actor's.
    pub const fn name(self) -> &'static str {
        match self {
            End::Client => "client",
            End::Server => "server",
        }
    }

    /// The other one.
    pub const fn other(self) -> End {
        match self {
            End::Client => End::Server,
            End::Server => End::Client,
        }
    }

    const fn of(host: HostId) -> End {
        match host {
            HostId::SERVER => End::Server,
            _ => End::Client,
        }
    }

    const fn host(self) -> HostId {
        match self {
            End::Client => HostId(1),
            End::Server => HostId::SERVER,
        }
    }
}

/// What a pair is made of.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PairConfig {
    /// The kernel of both hosts, which are namespaces of one machine.
    pub kernel: Kernel,
    /// HZ.
    pub hz: u32,
    /// The settings of both.
    pub sysctls: Sysctls,
    /// How long a segment travels, one way.
    pub delay: Span,
    /// Of a million segments so many are lost.
    pub lost_of_million: u32,
}

impl PairConfig {
    /// A kernel at its defaults, on a link without delay.
    pub fn of(kernel: Kernel) -> PairConfig {
        PairConfig {
            kernel,
            hz: kernel.profile().hz,
            sysctls: Sysctls::of(kernel),
            delay: Span::ZERO,
            lost_of_million: 0,
        }
    }

    /// Sets a sysctl of both hosts.
    ///
    /// # Errors
    /// As the kernel refuses it, or if it is not modelled.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SysctlError> {
        self.sysctls.set(self.kernel, name, value)
    }
}

/// What a listening application does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Listening {
    /// What listen() is given.
    pub backlog: u32,
    /// Whether connections are accepted as they come.
    pub accepts: bool,
    /// Whether accepted connections are read as data comes.
    pub reads: bool,
}

impl Default for Listening {
    fn default() -> Self {
        Listening {
            backlog: 128,
            accepts: true,
            reads: true,
        }
    }
}

/// How an application closes its end.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Closing {
    /// close().
    Close,
    /// SO_LINGER 0 and close().
    Abort,
    /// shutdown(SHUT_WR).
    Shutdown,
}

/// Why an application cannot do what it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PairError {
    /// The call fails.
    Errno(Errno),
    /// No connection has this number.
    NoConnection(u32),
    /// At this end there is no socket (any more): not accepted, or closed.
    NoSocket(u32),
}

/// What `ss` calls a state; none for a socket that it does not list.
pub fn ss_name(state: TcpState) -> Option<&'static str> {
    Some(match state {
        TcpState::Established => "ESTAB",
        TcpState::SynSent => "SYN-SENT",
        TcpState::SynRecv | TcpState::NewSynRecv => "SYN-RECV",
        TcpState::FinWait1 => "FIN-WAIT-1",
        TcpState::FinWait2 => "FIN-WAIT-2",
        TcpState::TimeWait => "TIME-WAIT",
        TcpState::CloseWait => "CLOSE-WAIT",
        TcpState::LastAck => "LAST-ACK",
        TcpState::Closing => "CLOSING",
        TcpState::Listen => "LISTEN",
        TcpState::Close | TcpState::Unknown => return None,
    })
}
