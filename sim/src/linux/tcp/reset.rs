//! RSTs: sent in answer to a segment, sent to break a connection off, and received.

use super::net::{Net, Out, What};
use super::segment::{Flags, Segment};
use super::socket::Place;
use crate::linux::errno::Errno;
use crate::linux::tracepoint::{Family, Record, RstReason, TcpState};

impl Net {
    /// A RST that is heeded ends a connection (tcp_reset).
    pub(super) fn reset(&mut self, out: &mut impl Out, at: Place) {
        let (sport, dport, saddr, daddr) = self.four_tuple(at);
        let socket = self.socket(at);
        let (state, is_orphan) = (socket.state, socket.orphan);
        let (flow, sock_cookie) = (socket.flow, socket.cookie);
        out.record(
            self.actor(at.host, flow),
            flow,
            Record::ReceiveReset {
                skaddr: self.skaddr(at),
                sport,
                dport,
                family: Family::Inet,
                saddr,
                daddr,
                sock_cookie,
            },
        );
        if state == TcpState::Close {
            return;
        }
        if !is_orphan {
            let what = match state {
                TcpState::SynSent => What::ConnectFailed(Errno::ECONNREFUSED),
                TcpState::SynRecv => What::ConnectFailed(Errno::ECONNRESET),
                TcpState::CloseWait => What::Broken(Errno::EPIPE),
                _ => What::Broken(Errno::ECONNRESET),
            };
            self.notify(at, what);
        }
        self.done(out, at);
    }

    /// Answers `segment` with a RST on behalf of the socket in `slot`, of a listener, or of nobody
    /// (tcp_v4_send_reset).
    pub(super) fn send_reset(
        &mut self,
        out: &mut impl Out,
        slot: Option<u32>,
        segment: &Segment,
        reason: RstReason,
    ) {
        if segment.flags.rst {
            return;
        }
        let host = segment.to;
        let state = slot.map_or(TcpState::Unknown, |slot| {
            self.socket(Place { host, slot }).state
        });
        let reset = self.reset_for(slot, segment, state);
        self.send_reset_as(out, reset, segment, reason);
    }

    /// The record of a RST in answer to `segment`, but for its reason; none if this kernel fires none.
    /// It is made before the socket goes, of which it tells.
    pub(super) fn reset_for(
        &self,
        slot: Option<u32>,
        segment: &Segment,
        state: TcpState,
    ) -> Option<Record> {
        let host = segment.to;
        let at = slot.map(|slot| Place { host, slot });
        let has_full_socket = at.is_some_and(|at| !self.socket(at).is_mini());
        if !has_full_socket && !self.profile(host).resets_without_socket_are_seen {
            return None;
        }
        let (sport, dport, saddr, daddr) = match at {
            Some(at) => self.four_tuple(at),
            None => (
                segment.dport,
                segment.sport,
                self.host(host).addr,
                self.host(segment.from).addr,
            ),
        };
        Some(Record::SendReset {
            skaddr: at.map_or(0, |at| self.skaddr(at)),
            state,
            reason: RstReason::NotReported,
            sport,
            dport,
            family: Family::Inet,
            saddr,
            daddr,
        })
    }

    pub(super) fn send_reset_as(
        &mut self,
        out: &mut impl Out,
        record: Option<Record>,
        segment: &Segment,
        why: RstReason,
    ) {
        let host = segment.to;
        if let Some(mut record) = record {
            let mut flow = segment.flow;
            if let Record::SendReset { reason, dport, .. } = &mut record {
                *reason = self.reason(host, why);
                if *dport == 0 {
                    flow.conn = 0;
                }
            }
            out.record(self.actor(host, segment.flow), flow, record);
        }
        self.host_mut(host).counters.out_rsts += 1;
        let answer = Segment {
            from: host,
            to: segment.from,
            sport: segment.dport,
            dport: segment.sport,
            flags: Flags {
                ack: !segment.flags.ack,
                ..Flags::RST
            },
            len: 0,
            flow: segment.flow,
            seq: if segment.flags.ack { segment.ack } else { 0 },
            ack: segment.end(),
            window: 0,
            stamps: None,
            sack: None,
            has_options: false,
        };
        self.transmit(out, answer);
    }

    /// Breaks a connection off (tcp_send_active_reset). The event fires in whatever state the socket is.
    pub(super) fn send_active_reset(&mut self, out: &mut impl Out, at: Place, why: RstReason) {
        let (sport, dport, saddr, daddr) = self.four_tuple(at);
        let socket = self.socket(at);
        let (state, flow) = (socket.state, socket.flow);
        out.record(
            self.actor(at.host, flow),
            flow,
            Record::SendReset {
                skaddr: self.skaddr(at),
                state,
                reason: self.reason(at.host, why),
                sport,
                dport,
                family: Family::Inet,
                saddr,
                daddr,
            },
        );
        self.host_mut(at.host).counters.out_rsts += 1;
        let flags = Flags {
            ack: true,
            ..Flags::RST
        };
        let segment = self.segment(at, flags, out);
        self.transmit(out, segment);
    }
}
