//! What differs between kernels, and what they have in common, as data.

use std::fmt;

use serde::{Deserialize, Serialize};

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

/// The data of a kernel: compile time constants, defaults that differ, and which event fires when.
/// Where nothing else is said, a value is documented (Documentation/networking/ip-sysctl.rst,
/// include/net/tcp.h) and agrees with what was measured on both kernels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KernelProfile {
    /// What it is called in files.
    pub name: &'static str,
    /// HZ, unless a lab says otherwise: 250 on both measured kernels, 1000 on some distributions.
    pub hz: u32,
    /// tcp_syn_linear_timeouts: so many SYN timeouts pass before they double. None before 6.5, which has
    /// no such sysctl.
    pub syn_linear_timeouts: Option<u32>,
    /// tcp_rto_min_us: since 6.11.
    pub has_rto_min: bool,
    /// tcp_rto_max_ms: since 6.15.
    pub has_rto_max: bool,
    /// tcp_tw_reuse_delay: since 6.14. Before, a TIME_WAIT socket was reused when the clock of whole
    /// seconds had moved on since its last segment (tcp_twsk_unique in net/ipv4/tcp_ipv4.c; measured).
    pub has_tw_reuse_delay: bool,
    /// tcp_max_tw_buckets: half the buckets of the hash of connections, which depends on memory. Of the
    /// measured machines: 1 GB and 24 GB.
    pub max_tw_buckets: u32,
    /// tcp_max_syn_backlog: depends on memory in the same way.
    pub max_syn_backlog: u32,
    /// Whether `tcp_send_reset` fires for a RST that no full socket sends (a closed port, a mini-socket
    /// in TIME_WAIT). It does since 6.10; measured.
    pub resets_without_socket_are_seen: bool,
    /// Whether `tcp_send_reset` says why. It does since 6.10.
    pub resets_have_reasons: bool,
    /// Whether a FIN, with less than a segment of data before it or none, goes out though the congestion window is
    /// full (tcp_cwnd_test). 6.1 does so, 6.18 does not; measured.
    pub lets_fin_pass: bool,
    /// Whether a receiver learns from what comes how much memory data takes (scaling_ratio). It does since 6.6;
    /// measured.
    pub learns_overhead: bool,
    /// Whether a new child has its addresses and its peer's port when it fires LISTEN to SYN_RECV. In
    /// 6.1 the event comes first in inet_csk_clone_lock: addresses 0.0.0.0 (measured), dport 0 (source).
    pub child_is_addressed: bool,
}

/// TCP_TIMEOUT_INIT: the first timeout of a SYN and of a SYN-ACK, in milliseconds.
pub(super) const SYN_TIMEOUT_MS: u64 = 1_000;
/// TCP_TIMEOUT_FALLBACK: the timeout of data after a handshake that gave no round trip time.
pub(super) const FALLBACK_TIMEOUT_MS: u64 = 3_000;
/// TCP_TIMEWAIT_LEN, a constant of the kernel that no sysctl changes.
pub(super) const TIME_WAIT_MS: u64 = 60_000;
/// TCP_DELACK_MIN and TCP_ATO_MIN at HZ of 100 and more.
pub(super) const DELAYED_ACK_MS: u64 = 40;
/// TCP_DELACK_MAX.
pub(super) const DELAYED_ACK_MAX_MS: u64 = 200;
/// TCP_MAX_QUICKACKS.
pub(super) const QUICK_ACKS: u8 = 16;
/// TCP_RTO_MIN: what the time of a number of retries is computed from, whatever tcp_rto_min_us says (measured).
pub(super) const RTO_MIN_MS: u64 = 200;
/// TCP_RTO_MAX: of a SYN-ACK's timeout, whatever tcp_rto_max_ms says (measured).
pub(super) const RTO_MAX_MS: u64 = 120_000;
/// The largest buffer that a write makes: half of the window that a peer first gives, in whole segments
/// (tcp_xmit_size_goal).
pub(super) const BUFFER_SEGMENTS: u32 = 22;
/// sk_gso_max_size.
pub(super) const OFFLOAD_MAX: u64 = 65_536;
/// TCP_INIT_CWND.
pub(super) const INITIAL_CWND: u32 = 10;
/// TCP_TIMEOUT_MIN_US: what the tail loss probe of several segments, and reordering, wait in addition. It was two ticks
/// before 6.7; 6.1 has had this fix, too, since 6.1.60 (measured on both kernels; the numbers are from memory).
pub(super) const TIMEOUT_MIN_US: u64 = 2_000;
/// tcp_invalid_ratelimit: one answer to a segment out of the window in this time.
pub(super) const OUT_OF_WINDOW_EVERY_MS: u64 = 500;
/// What the link carries in one segment: 1500 bytes less the headers of IPv4 and TCP with timestamps.
pub(super) const MSS: u32 = 1_448;
/// How much of a segment timestamps take (TCPOLEN_TSTAMP_ALIGNED).
pub(super) const STAMPS: u16 = 12;
/// The memory of a receive buffer: the default of tcp_rmem.
pub(super) const RECEIVE_BUFFER: u32 = 131_072;
/// The maximum of tcp_rmem.
pub(super) const RECEIVE_BUFFER_MAX: u32 = 6_291_456;

/// SKB_TRUESIZE of a segment: what it counts for when the send buffer is sized (tcp_sndbuf_expand). MAX_TCP_HEADER, and so
/// how the kernel was built, decides whether a segment's memory is 2048 bytes, as on both measured kernels, or 4096.
pub(super) const SEGMENT_TRUESIZE: u64 = 2_304;
/// How far the send buffer grows by itself: the maximum of tcp_wmem.
pub(super) const SEND_BUFFER_MAX: u64 = 4_194_304;

const V6_1: KernelProfile = KernelProfile {
    name: "6.1",
    hz: 250,
    syn_linear_timeouts: None,
    has_rto_min: false,
    has_rto_max: false,
    has_tw_reuse_delay: false,
    max_tw_buckets: 4_096,
    max_syn_backlog: 128,
    resets_without_socket_are_seen: false,
    resets_have_reasons: false,
    lets_fin_pass: true,
    learns_overhead: false,
    child_is_addressed: false,
};

const V6_18: KernelProfile = KernelProfile {
    name: "6.18",
    hz: 250,
    syn_linear_timeouts: Some(4),
    has_rto_min: true,
    has_rto_max: true,
    has_tw_reuse_delay: true,
    max_tw_buckets: 131_072,
    max_syn_backlog: 2_048,
    resets_without_socket_are_seen: true,
    resets_have_reasons: true,
    lets_fin_pass: false,
    learns_overhead: true,
    child_is_addressed: true,
};

/// After how many milliseconds `retries` timeouts have passed that begin at `base_ms` and double up to
/// `max_ms` (tcp_model_timeout in net/ipv4/tcp_timer.c; measured for 3, 5 and 15 from 200 ms).
pub fn model_timeout_ms(retries: u32, base_ms: u64, max_ms: u64) -> u64 {
    let base = base_ms.max(1);
    let doublings = (max_ms / base).max(1).ilog2();
    let doubled = |n: u32| ((2u64 << n.min(40)) - 1).saturating_mul(base);
    match retries.checked_sub(doublings) {
        None | Some(0) => doubled(retries),
        Some(more) => doubled(doublings).saturating_add(max_ms.saturating_mul(more.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn give_up_times_are_the_documented_ones() {
        let data = |retries| model_timeout_ms(retries, 200, 120_000);
        assert_eq!(data(15), 924_600);
        assert_eq!(data(9), 204_600);
        assert_eq!(data(5), 12_600);
        assert_eq!(data(3), 3_000);
        assert_eq!(model_timeout_ms(6, 1_000, 120_000), 127_000);
        assert_eq!(model_timeout_ms(2, 1_000, 120_000), 7_000);
        assert_eq!(model_timeout_ms(u32::MAX, 1_000, 0), 1_000);
    }
}
