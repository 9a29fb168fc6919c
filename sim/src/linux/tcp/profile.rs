//! What differs between kernels, and what they have in common, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::timer::Jiffies;
use crate::engine::Span;

/// A kernel that the model knows. In files it is written as a text: `"6.1"` or `"6.18"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Kernel {
    /// Debian 12's, measured as 6.1.0-56-cloud-amd64.
    V6_1,
    /// Measured as 6.18.44.
    V6_18,
}

/// A kernel that the model does not know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownKernel(pub String);

impl fmt::Display for UnknownKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "kernel {:?} is not modelled: \"6.1\" and \"6.18\" are",
            self.0
        )
    }
}

impl std::error::Error for UnknownKernel {}

impl TryFrom<String> for Kernel {
    type Error = UnknownKernel;
    fn try_from(text: String) -> Result<Kernel, UnknownKernel> {
        match text.as_str() {
            "6.1" => Ok(Kernel::V6_1),
            "6.18" => Ok(Kernel::V6_18),
            _ => Err(UnknownKernel(text)),
        }
    }
}

impl From<Kernel> for String {
    fn from(kernel: Kernel) -> String {
        kernel.profile().name.into()
    }
}

impl Kernel {
    /// Its data.
    pub const fn profile(self) -> &'static KernelProfile {
        match self {
            Kernel::V6_1 => &V6_1,
            Kernel::V6_18 => &V6_18,
        }
    }
}

/// The data of a kernel: defaults of its sysctls, compile time constants, and which event fires when.
/// Where nothing else is said, a value is documented (Documentation/networking/ip-sysctl.rst,
/// include/net/tcp.h) and agrees with what was measured on both kernels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelProfile {
    /// What it is called in files.
    pub name: &'static str,
    /// The timer tick: HZ is 250 on both measured kernels, 1000 on some distributions.
    pub tick: Jiffies,
    /// TCP_TIMEOUT_INIT: the first timeout of a SYN and of a SYN-ACK.
    pub syn_timeout: Span,
    /// tcp_syn_retries.
    pub syn_retries: u32,
    /// tcp_syn_linear_timeouts: so many SYN timeouts pass before they double. Since 6.5.
    pub syn_linear_timeouts: u32,
    /// tcp_synack_retries.
    pub synack_retries: u32,
    /// TCP_RTO_MIN.
    pub rto_min: Span,
    /// TCP_RTO_MAX.
    pub rto_max: Span,
    /// tcp_retries2, which bounds a time: see [`KernelProfile::give_up_after`].
    pub retries2: u32,
    /// What tcp_orphan_retries 0 stands for.
    pub orphan_retries: u32,
    /// TCP_TIMEWAIT_LEN, and tcp_fin_timeout for an orphan in FIN_WAIT2.
    pub time_wait: Span,
    /// ip_local_port_range, both ends included.
    pub local_ports: (u16, u16),
    /// Whether `tcp_send_reset` fires for a RST that no full socket sends (a closed port, a mini-socket
    /// in TIME_WAIT). It does since 6.10; measured.
    pub resets_without_socket_are_seen: bool,
    /// Whether `tcp_send_reset` says why. It does since 6.10.
    pub resets_have_reasons: bool,
    /// Whether a new child has its addresses and its peer's port when it fires LISTEN to SYN_RECV. In
    /// 6.1 the event comes first in inet_csk_clone_lock: addresses 0.0.0.0 (measured), dport 0 (source).
    pub child_is_addressed: bool,
}

const V6_1: KernelProfile = KernelProfile {
    name: "6.1",
    tick: Jiffies::of_hz(250),
    syn_timeout: Span::from_s(1),
    syn_retries: 6,
    syn_linear_timeouts: 0,
    synack_retries: 5,
    rto_min: Span::from_ms(200),
    rto_max: Span::from_s(120),
    retries2: 15,
    orphan_retries: 8,
    time_wait: Span::from_s(60),
    local_ports: (32_768, 60_999),
    resets_without_socket_are_seen: false,
    resets_have_reasons: false,
    child_is_addressed: false,
};

const V6_18: KernelProfile = KernelProfile {
    name: "6.18",
    syn_linear_timeouts: 4,
    resets_without_socket_are_seen: true,
    resets_have_reasons: true,
    child_is_addressed: true,
    ..V6_1
};

impl KernelProfile {
    /// After how long since the first retransmission a connection is given up at the next timeout: the
    /// sum of `retries` doubling timeouts that begin at TCP_RTO_MIN (tcp_model_timeout in
    /// net/ipv4/tcp_timer.c; measured for 5 and 15).
    pub fn give_up_after(&self, retries: u32) -> Span {
        let doublings = (self.rto_max.0 / self.rto_min.0).ilog2();
        match retries.checked_sub(doublings) {
            None | Some(0) => Span(((2u64 << retries) - 1).saturating_mul(self.rto_min.0)),
            Some(more) => Span(
                ((2u64 << doublings) - 1)
                    .saturating_mul(self.rto_min.0)
                    .saturating_add(self.rto_max.0.saturating_mul(more.into())),
            ),
        }
    }

    /// After how long since the first SYN connect() gives up at the next timeout.
    pub fn connect_gives_up_after(&self) -> Span {
        Span(((2u64 << self.syn_retries) - 1).saturating_mul(self.syn_timeout.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn give_up_times_are_the_documented_ones() {
        let profile = Kernel::V6_18.profile();
        assert_eq!(profile.give_up_after(15), Span::from_ms(924_600));
        assert_eq!(profile.give_up_after(9), Span::from_ms(204_600));
        assert_eq!(profile.give_up_after(5), Span::from_ms(12_600));
        assert_eq!(profile.connect_gives_up_after(), Span::from_s(127));
    }
}
