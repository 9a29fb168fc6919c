//! In what context the events fire, and so what pid and comm are worth there.

use super::{Record, RstReason, TcpState};

/// What surrounds an event and stands in its record, which the model's [`Record`] does not have.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Context {
    /// `common_pid`: of the task that was running, which in softirq is whoever was interrupted.
    pub pid: i32,
    /// `common_flags`: [`Context::HARDIRQ`], [`Context::SOFTIRQ`] and others.
    pub flags: u8,
    /// `common_preempt_count`: how often preemption is disabled, and above it migration.
    pub preempt_count: u8,
    /// `skbaddr`: the packet buffer's address, where the tracepoint has one.
    pub skbaddr: u64,
}

impl Context {
    /// TRACE_FLAG_HARDIRQ.
    pub const HARDIRQ: u8 = 0x08;
    /// TRACE_FLAG_SOFTIRQ.
    pub const SOFTIRQ: u8 = 0x10;

    /// In a system call of `pid`.
    pub const fn task(pid: i32) -> Context {
        Context {
            pid,
            flags: 0,
            preempt_count: 0,
            skbaddr: 0,
        }
    }

    /// In softirq, while `pid` was running.
    pub const fn softirq(pid: i32) -> Context {
        Context {
            flags: Context::SOFTIRQ,
            preempt_count: 1,
            ..Context::task(pid)
        }
    }
}

impl Record {
    /// Whether the event fires in softirq, where pid and comm are those of whoever was interrupted (an idle CPU,
    /// the peer, an unrelated process), or in a system call of the process whose socket it is. None where that
    /// depends: a segment that meets a socket in use waits in its backlog and is then processed by the owner, on
    /// a virtual link a whole handshake may run in one system call, and the same change of state can be the
    /// work of a call, a segment or a timer. What applications report has no context. (Measured on Linux 6.1
    /// and 6.18; to know whose connection it is, keep the pid of TCP_CLOSE to TCP_SYN_SENT, and that of accept().)
    pub fn softirq(&self) -> Option<bool> {
        use TcpState::{
            Close, CloseWait, Closing, Established, FinWait1, FinWait2, LastAck, Listen, SynRecv,
            SynSent, TimeWait, Unknown,
        };
        match self {
            Record::SetState {
                oldstate,
                newstate,
                sport,
                ..
            } => match (oldstate, newstate) {
                (Close, SynSent | Listen) | (Listen, Close) => Some(false),
                (Established | SynRecv, FinWait1) | (CloseWait, LastAck) => Some(false),
                // connect() found no local port.
                (SynSent, Close) if *sport == 0 => Some(false),
                (Listen, SynRecv) | (SynRecv, Established) | (Established, CloseWait) => Some(true),
                (FinWait1, FinWait2 | Closing) | (Closing, Close) => Some(true),
                // close() after shutdown().
                (old, new) if old == new => Some(false),
                _ => None,
            },
            Record::RetransmitSkb { .. } | Record::RetransmitSynack { .. } => Some(true),
            Record::SendReset { state, reason, .. } => match (state, reason) {
                (Unknown | TimeWait | Listen, _) => Some(true),
                (_, RstReason::KeepaliveTimeout | RstReason::AbortOnData) => Some(true),
                (
                    Close,
                    RstReason::State | RstReason::AbortOnClose | RstReason::DisconnectWithData,
                ) => Some(false),
                (FinWait2, RstReason::State) => Some(true),
                _ => None,
            },
            Record::ReceiveReset { .. } | Record::DestroySock { .. } => None,
            Record::App { .. } | Record::Call { .. } => None,
        }
    }
}
