//! What a kernel does with a segment (net/ipv4/tcp_ipv4.c, tcp_input.c, tcp_minisocks.c), and which
//! events fire on the way, in the measured order.

use super::host::Socket;
use super::net::{Net, Out, What};
use super::segment::{Flags, HostId, Segment, initial_sequence};
use crate::linux::errno::Errno;
use crate::linux::tracepoint::{Family, Ipv4, Record, RstReason, TcpState};

/// How far beyond what is expected a RST may lie to be answered at all.
const WINDOW: u64 = 65_535;

impl Net {
    /// A segment has arrived at its host.
    pub(super) fn receive(&mut self, out: &mut impl Out, segment: Segment) {
        self.link.carried.delivered += 1;
        let host = segment.to;
        let found = self
            .host(host)
            .find(segment.dport, segment.from, segment.sport);
        let Some(slot) = found else {
            return self.receive_unconnected(out, segment);
        };
        match self.socket(host, slot).state {
            TcpState::NewSynRecv => self.receive_at_request(out, slot, segment),
            TcpState::TimeWait => self.receive_in_time_wait(out, slot, segment),
            TcpState::SynSent => self.receive_in_syn_sent(out, slot, segment),
            _ => self.receive_connected(out, slot, segment),
        }
    }

    /// No connection is known: a listener may take it, a closed port answers RST.
    fn receive_unconnected(&mut self, out: &mut impl Out, segment: Segment) {
        let host = segment.to;
        match self.host(host).listener(segment.dport) {
            _ if segment.flags.rst => {}
            None => self.send_reset(out, None, segment, RstReason::NoSocket),
            Some(listener) if segment.flags.ack => {
                self.send_reset(out, Some(listener), segment, RstReason::Flags);
            }
            Some(_) if segment.flags.syn => self.make_request(out, segment),
            Some(_) => {}
        }
    }

    /// A SYN at a listener makes a half-open request. No event fires.
    fn make_request(&mut self, out: &mut impl Out, segment: Segment) {
        let host = segment.to;
        let peer = (segment.from, segment.sport);
        let mut request = Socket::new(TcpState::NewSynRecv, segment.dport, peer, segment.flow);
        request.snd_una = initial_sequence(out.now());
        request.snd_nxt = request.snd_una + 1;
        request.rcv_nxt = segment.end();
        let slot = self.host_mut(host).insert(request);
        self.host_mut(host).hash(slot);
        self.send_syn_ack(out, host, slot);
        self.set_timer(out, host, slot, self.profile(host).syn_timeout);
    }

    /// Sends a SYN-ACK, first or again.
    pub(super) fn send_syn_ack(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let flags = Flags {
            ack: true,
            ..Flags::SYN
        };
        let segment = Segment {
            seq: self.socket(host, slot).snd_una,
            ..self.segment(host, slot, flags)
        };
        self.transmit(out, segment);
        self.socket_mut(host, slot).resend.since = Some(out.now());
    }

    /// A segment for a half-open request (tcp_check_req): its final ACK makes a child.
    fn receive_at_request(&mut self, out: &mut impl Out, slot: u32, segment: Segment) {
        let host = segment.to;
        let request = self.socket(host, slot);
        if segment.flags.rst {
            if segment.seq == request.rcv_nxt {
                self.free_mini(host, slot);
            }
        } else if segment.flags.syn {
            self.resend_syn_ack(out, host, slot);
            let after = self.syn_ack_timeout(host, slot);
            self.set_timer(out, host, slot, after);
        } else if segment.ack != request.snd_nxt {
            let listener = self.host(host).listener(segment.dport);
            self.send_reset(out, listener, segment, RstReason::Flags);
        } else {
            self.make_child(out, slot, segment);
        }
    }

    /// The handshake is finished: the request gives way to a socket.
    fn make_child(&mut self, out: &mut impl Out, slot: u32, segment: Segment) {
        use TcpState::{Established, Listen, SynRecv};
        let host = segment.to;
        self.stop_timer(host, slot);
        let now = out.now();
        let child = self.socket_mut(host, slot);
        child.round_trip = now - child.resend.since.unwrap_or(now);
        child.resend = Default::default();
        child.snd_una = child.snd_nxt;
        let tuple = match self.profile(host).child_is_addressed {
            true => self.four_tuple(host, slot),
            false => (segment.dport, 0, Ipv4::ANY, Ipv4::ANY),
        };
        self.record_state(out, host, slot, Listen, SynRecv, tuple);
        self.socket_mut(host, slot).state = SynRecv;
        self.set_state(out, host, slot, Established);
        self.notify(host, slot, What::Accepted);
        if segment.has_content() {
            self.receive_connected(out, slot, segment);
        }
    }

    /// A segment for a connect() under way (tcp_rcv_synsent_state_process).
    fn receive_in_syn_sent(&mut self, out: &mut impl Out, slot: u32, segment: Segment) {
        let host = segment.to;
        let now = out.now();
        let Segment { flags, .. } = segment;
        if flags.ack && segment.ack != self.socket(host, slot).snd_nxt {
            // An answer to an earlier connection of these ports: the mini-socket there is told so, and
            // the SYN goes out again two ticks later.
            if self.socket(host, slot).resend.timeouts == 0 && !flags.rst {
                let soon = self.profile(host).tick.ticks(2);
                self.set_timer(out, host, slot, soon);
            }
            return self.send_reset(out, Some(slot), segment, RstReason::InvalidAckSequence);
        }
        if flags.rst && flags.ack {
            self.reset(out, host, slot);
        } else if flags.syn && flags.ack {
            self.stop_timer(host, slot);
            let socket = self.socket_mut(host, slot);
            socket.snd_una = segment.ack;
            socket.rcv_nxt = segment.end();
            socket.round_trip = now - socket.resend.since.unwrap_or(now);
            socket.resend = Default::default();
            self.set_state(out, host, slot, TcpState::Established);
            self.send_ack(out, host, slot);
            self.notify(host, slot, What::Connected);
        }
    }

    /// A segment for a connection (tcp_rcv_established, tcp_rcv_state_process).
    fn receive_connected(&mut self, out: &mut impl Out, slot: u32, segment: Segment) {
        let host = segment.to;
        let socket = self.socket(host, slot);
        let Segment { flags, seq, .. } = segment;
        if flags.rst {
            let expected = socket.rcv_nxt;
            // A RST in answer to something that was sent before the peer's FIN came (tcp_reset_check).
            let is_before_fin = seq + 1 == expected && socket.has_received_fin();
            if seq == expected || is_before_fin {
                self.reset(out, host, slot);
            } else if seq > expected && seq <= expected + WINDOW {
                self.send_ack(out, host, slot);
            }
            return;
        }
        let is_old = segment.has_content() && segment.end() <= socket.rcv_nxt;
        if flags.syn || is_old || segment.ack > socket.snd_nxt {
            return self.send_ack(out, host, slot);
        }
        if segment.ack > socket.snd_una {
            self.acknowledged(out, host, slot, segment.ack);
            if self.heed_acknowledged_fin(out, slot, &segment) {
                return;
            }
        }
        if segment.has_content() {
            self.receive_content(out, slot, segment);
        }
    }

    /// After an acknowledgement, a closing connection may go on (step 5 of tcp_rcv_state_process).
    /// Whether nothing is left to do with the segment.
    fn heed_acknowledged_fin(&mut self, out: &mut impl Out, slot: u32, segment: &Segment) -> bool {
        let host = segment.to;
        let socket = self.socket(host, slot);
        if socket.has_unacknowledged() {
            return false;
        }
        let has_data = segment.end() - u64::from(segment.flags.fin) > socket.rcv_nxt;
        match socket.state {
            TcpState::FinWait1 => {
                self.set_state(out, host, slot, TcpState::FinWait2);
                if has_data {
                    // Data for nobody: closed without tcp_reset(), so no tcp_receive_reset here.
                    let reset = self.reset_for(Some(slot), segment, TcpState::Close);
                    self.done(out, host, slot);
                    self.send_reset_as(out, reset, segment, RstReason::AbortOnData);
                    return true;
                }
                if segment.flags.fin {
                    return false;
                }
                self.become_time_wait(out, host, slot, TcpState::FinWait2);
                true
            }
            TcpState::Closing => {
                self.become_time_wait(out, host, slot, TcpState::TimeWait);
                true
            }
            TcpState::LastAck => {
                self.done(out, host, slot);
                true
            }
            _ => false,
        }
    }

    /// The data and the FIN of a segment that has some beyond what was received. What comes too early is
    /// thrown away: there is no queue for it.
    fn receive_content(&mut self, out: &mut impl Out, slot: u32, segment: Segment) {
        let host = segment.to;
        let socket = self.socket_mut(host, slot);
        let end_of_data = segment.end() - u64::from(segment.flags.fin);
        if socket.orphan && end_of_data > socket.rcv_nxt {
            // tcp_reset() is called here for a RST that never came: tcp_receive_reset fires.
            let reset = self.reset_for(Some(slot), &segment, TcpState::Close);
            self.reset(out, host, slot);
            return self.send_reset_as(out, reset, &segment, RstReason::AbortOnData);
        }
        if segment.seq > socket.rcv_nxt {
            return self.send_ack(out, host, slot);
        }
        let new = end_of_data.saturating_sub(socket.rcv_nxt);
        socket.rcv_nxt += new;
        socket.unread += new;
        if new > 0 {
            self.notify(host, slot, What::Readable);
        }
        if segment.flags.fin {
            self.receive_fin(out, host, slot);
        } else {
            self.send_ack(out, host, slot);
        }
    }

    /// The peer's FIN (tcp_fin).
    fn receive_fin(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let socket = self.socket_mut(host, slot);
        socket.rcv_nxt += 1;
        match socket.state {
            TcpState::Established => {
                self.set_state(out, host, slot, TcpState::CloseWait);
                self.send_ack(out, host, slot);
                self.notify(host, slot, What::PeerClosed);
            }
            TcpState::FinWait1 => {
                self.send_ack(out, host, slot);
                self.set_state(out, host, slot, TcpState::Closing);
            }
            TcpState::FinWait2 => {
                self.send_ack(out, host, slot);
                self.become_time_wait(out, host, slot, TcpState::TimeWait);
            }
            state => debug_assert!(false, "a second FIN in {state}"),
        }
    }

    /// A segment for a mini-socket in TIME_WAIT or FIN_WAIT2 (tcp_timewait_state_process, with
    /// tcp_rfc1337 0).
    fn receive_in_time_wait(&mut self, out: &mut impl Out, slot: u32, segment: Segment) {
        let host = segment.to;
        let socket = self.socket(host, slot);
        let Segment { flags, seq, .. } = segment;
        let expected = socket.rcv_nxt;
        let waits_for_fin = socket.substate == TcpState::FinWait2;
        if flags.rst {
            if seq == expected {
                self.free_mini(host, slot);
            }
        } else if waits_for_fin && seq == expected && segment.has_content() && !flags.syn {
            let is_bare_fin = flags.fin && segment.len == 0;
            if !is_bare_fin {
                return self.reset_from_time_wait(out, slot, segment);
            }
            let socket = self.socket_mut(host, slot);
            socket.rcv_nxt += 1;
            socket.substate = TcpState::TimeWait;
            self.set_timer(out, host, slot, self.profile(host).time_wait);
            self.send_ack(out, host, slot);
        } else if flags.syn && waits_for_fin && seq >= expected {
            self.reset_from_time_wait(out, slot, segment);
        } else if flags.syn && !flags.ack && seq > expected {
            match self.host(host).listener(segment.dport) {
                // A new connection takes the place of the old one.
                Some(_) => {
                    self.free_mini(host, slot);
                    self.make_request(out, segment);
                }
                None => self.send_ack(out, host, slot),
            }
        } else if segment.has_content() {
            self.send_ack(out, host, slot);
        }
    }

    fn reset_from_time_wait(&mut self, out: &mut impl Out, slot: u32, segment: Segment) {
        self.send_reset(out, Some(slot), segment, RstReason::TimewaitSocket);
        self.free_mini(segment.to, slot);
    }

    /// A RST that is heeded ends a connection (tcp_reset).
    fn reset(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let (sport, dport, saddr, daddr) = self.four_tuple(host, slot);
        let socket = self.socket(host, slot);
        let (state, is_orphan) = (socket.state, socket.orphan);
        out.record(
            self.actor(host, socket.flow),
            Record::ReceiveReset {
                skaddr: self.host(host).skaddr(slot),
                sport,
                dport,
                family: Family::Inet,
                saddr,
                daddr,
                sock_cookie: socket.cookie,
            },
        );
        if !is_orphan {
            let what = match state {
                TcpState::SynSent => What::ConnectFailed(Errno::ECONNREFUSED),
                TcpState::CloseWait => What::Broken(Errno::EPIPE),
                _ => What::Broken(Errno::ECONNRESET),
            };
            self.notify(host, slot, what);
        }
        self.done(out, host, slot);
    }

    // Sending RSTs in answer to a segment (tcp_v4_send_reset).

    /// Answers `segment` with a RST on behalf of the socket in `slot`, of a listener, or of nobody.
    fn send_reset(
        &mut self,
        out: &mut impl Out,
        slot: Option<u32>,
        segment: Segment,
        reason: RstReason,
    ) {
        if segment.flags.rst {
            return;
        }
        let state = slot.map_or(TcpState::Unknown, |slot| {
            self.socket(segment.to, slot).state
        });
        let reset = self.reset_for(slot, &segment, state);
        self.send_reset_as(out, reset, &segment, reason);
    }

    /// The record of a RST in answer to `segment`, but for its reason; none if this kernel fires none.
    fn reset_for(&self, slot: Option<u32>, segment: &Segment, state: TcpState) -> Option<Record> {
        let host = segment.to;
        let has_full_socket = slot.is_some_and(|slot| !self.socket(host, slot).is_mini());
        if !has_full_socket && !self.profile(host).resets_without_socket_are_seen {
            return None;
        }
        let (sport, dport, saddr, daddr) = match slot {
            Some(slot) => self.four_tuple(host, slot),
            None => (
                segment.dport,
                segment.sport,
                self.host(host).addr,
                self.host(segment.from).addr,
            ),
        };
        Some(Record::SendReset {
            skaddr: slot.map_or(0, |slot| self.host(host).skaddr(slot)),
            state,
            reason: RstReason::NotReported,
            sport,
            dport,
            family: Family::Inet,
            saddr,
            daddr,
        })
    }

    fn send_reset_as(
        &mut self,
        out: &mut impl Out,
        record: Option<Record>,
        segment: &Segment,
        why: RstReason,
    ) {
        let host = segment.to;
        if let Some(mut record) = record {
            if let Record::SendReset { reason, .. } = &mut record {
                *reason = self.reason(host, why);
            }
            out.record(self.actor(host, segment.flow), record);
        }
        let (flags, seq) = match segment.flags.ack {
            true => (false, segment.ack),
            false => (true, 0),
        };
        let answer = Segment {
            from: host,
            to: segment.from,
            sport: segment.dport,
            dport: segment.sport,
            flags: Flags {
                rst: true,
                ack: flags,
                ..Flags::default()
            },
            len: 0,
            flow: segment.flow,
            seq,
            ack: segment.end(),
        };
        self.transmit(out, answer);
    }
}
