//! A fast digest of a node's stream, which nodes add up to, in any order.

use super::super::event::{Event, signal_of};
use crate::engine::mix;
use crate::linux::tracepoint::Record;

/// The digest of a stream of events so far, in their order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Digest(u64);

impl Digest {
    /// Takes one event in.
    #[inline]
    pub fn absorb(&mut self, event: &Event) {
        let ((saddr, sport), (daddr, dport)) = event.record.ends();
        let (kind, skaddr) = match &event.record {
            Record::SetState {
                skaddr,
                oldstate,
                newstate,
                ..
            } => (
                u64::from(oldstate.number()) << 8 | u64::from(newstate.number()) | 1 << 16,
                *skaddr,
            ),
            Record::RetransmitSkb { skaddr, .. } => (2 << 16, *skaddr),
            Record::RetransmitSynack { req, .. } => (3 << 16, *req),
            Record::SendReset { skaddr, .. } => (4 << 16, *skaddr),
            Record::ReceiveReset { skaddr, .. } => (5 << 16, *skaddr),
            Record::DestroySock { sock_cookie, .. } => (6 << 16, *sock_cookie),
            Record::App { .. } | Record::Call { .. } => {
                (7 << 16 | signal_of(&event.record) as u64, 0)
            }
        };
        let ports = u64::from(sport) << 48 | u64::from(dport) << 32 | kind;
        let addresses = u64::from(saddr.0) << 32 | u64::from(daddr.0);
        // Products of their own first, so that only the last one waits for the event before.
        let words = event.at.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            ^ ports.wrapping_mul(0xc2b2_ae3d_27d4_eb4f).rotate_left(21)
            ^ addresses
                .wrapping_mul(0x1656_67b1_9e37_79f9)
                .rotate_left(42)
            ^ skaddr
                .wrapping_add(event.cpu.into())
                .wrapping_mul(0x27d4_eb2f_1656_67c5);
        self.0 = (self.0.rotate_left(5) ^ words).wrapping_mul(0x9fb2_1c65_1e98_df25);
    }

    /// What a node adds to the digest of all: the same for any order of nodes.
    pub fn of_node(self, node: u32) -> u64 {
        mix(&[node.into(), self.0])
    }
}
