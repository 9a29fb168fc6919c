//! What a kernel does with a segment (net/ipv4/tcp_ipv4.c, tcp_input.c), and which events fire on the way,
//! in the measured order.

use super::acknowledge::Acknowledged;
use super::net::{Net, Out, What};
use super::profile::TIME_WAIT_MS;
use super::segment::Segment;
use super::socket::{Pending, Place};
use super::time_wait::is_stale;
use super::timer::Timer;
use super::transmit::{Push, TIMEOUT_MIN_TICKS};
use crate::linux::tracepoint::{RstReason, TcpState};

impl Net {
    /// A segment has arrived at its host.
    pub(super) fn arrive(&mut self, out: &mut impl Out, segment: Box<Segment>) {
        self.receive(out, &segment);
        self.link.spare.keep([segment]);
    }

    fn receive(&mut self, out: &mut impl Out, segment: &Segment) {
        let host = segment.to;
        let deaf = &self.host(host).deaf_ports;
        let is_deaf = deaf.contains(&segment.dport) || deaf.contains(&segment.sport);
        if is_deaf || self.is_swamped(out, segment) {
            self.link.carried.lost += 1;
            return;
        }
        self.link.carried.delivered += 1;
        let found = self
            .host(host)
            .find(segment.dport, segment.from, segment.sport);
        let Some(slot) = found else {
            return self.receive_unconnected(out, segment);
        };
        let at = Place { host, slot };
        match self.socket(at).state {
            TcpState::NewSynRecv => self.receive_at_request(out, at, segment),
            TcpState::TimeWait => self.receive_in_time_wait(out, at, segment),
            TcpState::SynSent => self.receive_in_syn_sent(out, at, segment),
            _ => self.receive_connected(out, at, segment),
        }
    }

    /// No connection is known: a listener may take it, a closed port answers RST.
    pub(super) fn receive_unconnected(&mut self, out: &mut impl Out, segment: &Segment) {
        let host = segment.to;
        match self.host(host).listener(segment.dport) {
            _ if segment.flags.rst => {}
            None => self.send_reset(out, None, segment, RstReason::NoSocket),
            Some(listener) if segment.flags.ack => {
                self.receive_ack_at_listener(out, listener, segment);
            }
            Some(listener) if segment.flags.syn => self.receive_syn(out, listener, segment),
            Some(_) => {}
        }
    }

    /// A segment for a connect() under way (tcp_rcv_synsent_state_process).
    fn receive_in_syn_sent(&mut self, out: &mut impl Out, at: Place, segment: &Segment) {
        let flags = segment.flags;
        let send = &self.socket(at).send;
        if flags.ack && (segment.ack <= send.una || segment.ack > send.nxt) {
            // An answer to an earlier connection of these ports: the mini-socket there is told so, and
            // the SYN goes out again two ticks later.
            if self.socket(at).resend.timeouts == 0 {
                self.set_write_timer(out, at, Pending::Retransmission, TIMEOUT_MIN_TICKS);
            }
            return self.send_reset(out, Some(at.slot), segment, RstReason::InvalidAckSequence);
        }
        if flags.ack && flags.rst {
            return self.reset(out, at);
        }
        if flags.rst || !flags.syn {
            return;
        }
        if !flags.ack {
            return self.meet_syn(out, at, segment);
        }
        let jiffies = self.clock.jiffies(out.now());
        let uses_stamps = self.sysctls(at.host).timestamps;
        let keep = self.keepalive(at).map(|keepalive| keepalive.idle);
        let socket = self.socket_mut(at);
        socket.receive.begin(segment.end());
        socket.receive.has_stamps = uses_stamps && segment.stamps.is_some();
        socket.receive.echo_ms = segment.stamps.map_or(0, |stamps| stamps.value_ms);
        socket.receive.data_at = jiffies;
        socket.lacks_options = !segment.has_options;
        let was_resent = socket.resend.all_timeouts > 1;
        self.acknowledge(out, at, segment);
        self.initialise_timeout(at);
        let socket = self.socket_mut(at);
        socket.resend.since_ms = None;
        socket.send.small_end = socket.send.una;
        socket.send.cwnd = match was_resent {
            true => 1,
            false => super::profile::INITIAL_CWND,
        };
        self.set_state(out, at, TcpState::Established);
        if let Some(idle) = keep {
            self.set_timer(out, at, Timer::Keep, idle);
        }
        self.send_ack(out, at);
        self.notify(at, What::Connected);
    }

    /// A SYN meets ours on the way: both ends connect to each other, and neither listens (RFC 9293, 3.5;
    /// measured on 6.18). The answer is our SYN again, now with an acknowledgement.
    fn meet_syn(&mut self, out: &mut impl Out, at: Place, segment: &Segment) {
        let jiffies = self.clock.jiffies(out.now());
        let uses_stamps = self.sysctls(at.host).timestamps;
        let socket = self.socket_mut(at);
        socket.receive.begin(segment.end());
        socket.receive.has_stamps = uses_stamps && segment.stamps.is_some();
        socket.receive.echo_ms = segment.stamps.map_or(0, |stamps| stamps.value_ms);
        socket.receive.data_at = jiffies;
        socket.send.window = segment.window.into();
        socket.send.window_at = segment.seq;
        self.set_state(out, at, TcpState::SynRecv);
        self.send_syn_ack(out, at);
    }

    /// The acknowledgement of a SYN that met another: the connection is there (case TCP_SYN_RECV of
    /// tcp_rcv_state_process).
    fn establish(&mut self, out: &mut impl Out, at: Place) {
        self.initialise_timeout(at);
        let socket = self.socket_mut(at);
        socket.resend.since_ms = None;
        socket.send.small_end = socket.send.una;
        let is_shut = socket.cannot_send;
        self.set_state(out, at, TcpState::Established);
        self.notify(at, What::Connected);
        if is_shut {
            self.send_fin(out, at, TcpState::FinWait1);
        }
    }

    /// A segment for a connection (tcp_rcv_established, tcp_validate_incoming, tcp_rcv_state_process).
    fn receive_connected(&mut self, out: &mut impl Out, at: Place, segment: &Segment) {
        let socket = self.socket(at);
        let flags = segment.flags;
        let expected = socket.receive.nxt;
        let window_end = expected + socket.receive.window_left();
        // A RST in answer to something that was sent before the peer's FIN came (tcp_reset_check).
        let is_before_fin = segment.seq + 1 == expected && socket.receive.fin;
        let in_window = segment.end() >= socket.receive.acked && segment.seq <= window_end;
        if is_stale(&socket.receive, segment) || !in_window {
            match flags.rst {
                true if is_before_fin => self.reset(out, at),
                true => {}
                false if segment.has_content() && !flags.syn => {
                    // What came twice is told (tcp_send_dupack).
                    if segment.seq < expected {
                        self.be_quick(at);
                        let twice = (segment.seq, segment.end().min(expected));
                        self.socket_mut(at).receive.disorder.tell_twice(twice);
                    }
                    self.send_ack(out, at);
                }
                false => self.send_limited_ack(out, at),
            }
            return;
        }
        if flags.rst {
            if segment.seq == expected || is_before_fin {
                self.reset(out, at);
            } else {
                self.send_limited_ack(out, at);
            }
            return;
        }
        let is_crossing = socket.state == TcpState::SynRecv
            && (flags.ack, segment.end()) == (true, expected)
            && segment.ack == socket.send.nxt;
        if flags.syn && !is_crossing {
            return self.send_limited_ack(out, at);
        }
        if !flags.ack {
            return;
        }
        let acked = socket.receive.acked;
        if let Some(stamps) = segment.stamps
            && segment.seq <= acked
        {
            let receive = &mut self.socket_mut(at).receive;
            receive.echo_ms = receive.echo_ms.max(stamps.value_ms);
        }
        if self.acknowledge(out, at, segment) == Acknowledged::Unsent {
            match self.socket(at).state {
                TcpState::Established => {}
                TcpState::SynRecv => {
                    self.send_reset(out, Some(at.slot), segment, RstReason::AckUnsentData);
                }
                _ => self.send_limited_ack(out, at),
            }
            return;
        }
        if self.socket(at).state == TcpState::SynRecv {
            match self.socket(at).send.queue.is_empty() {
                true => self.establish(out, at),
                false => return,
            }
        }
        self.receive_content(out, at, segment);
    }

    /// After an acknowledgement: a closing connection may go on (step 5 of tcp_rcv_state_process), then data
    /// and FIN are taken in, then what can be sent is sent.
    pub(super) fn receive_content(&mut self, out: &mut impl Out, at: Place, segment: &Segment) {
        let cookie = self.socket(at).cookie;
        if self.fin_is_acknowledged(at) && self.heed_acknowledged_fin(out, at, segment) {
            return;
        }
        if segment.has_content() && self.queue_content(out, at, segment) {
            return;
        }
        // The socket may have gone, and its place may have been taken.
        let is_there = self
            .host(at.host)
            .get(at.slot)
            .is_some_and(|socket| socket.cookie == cookie && socket.state != TcpState::Close);
        if is_there {
            self.push(out, at, Push::Nagle);
            self.acknowledge_what_came(out, at);
        }
    }

    /// Our FIN is acknowledged. Whether nothing is left to do with the segment.
    fn heed_acknowledged_fin(&mut self, out: &mut impl Out, at: Place, segment: &Segment) -> bool {
        let socket = self.socket(at);
        let has_data = segment.len > 0 && segment.end_of_data() > socket.receive.nxt;
        match socket.state {
            TcpState::FinWait1 => {
                let is_orphan = socket.orphan;
                self.set_state(out, at, TcpState::FinWait2);
                if !is_orphan {
                    return false;
                }
                if has_data {
                    // Data for nobody: closed without tcp_reset(), so no tcp_receive_reset here.
                    let reset = self.reset_for(Some(at.slot), segment, TcpState::Close);
                    self.done(out, at);
                    self.send_reset_as(out, reset, segment, RstReason::AbortOnData);
                    return true;
                }
                self.wait_for_fin(out, at, segment.flags.fin)
            }
            TcpState::Closing => {
                self.become_time_wait(out, at, TcpState::TimeWait, 0);
                true
            }
            TcpState::LastAck => {
                self.host_mut(at.host).leave_round_trip(at.slot);
                self.done(out, at);
                true
            }
            _ => false,
        }
    }

    /// An orphan in FIN_WAIT2 waits for tcp_fin_timeout as a mini-socket; what is beyond 60 s of it, before
    /// that as a full socket (tcp_fin_time; measured: 90 s gives 30 s and 30 s). Whether a mini-socket took
    /// its place.
    pub(super) fn wait_for_fin(&mut self, out: &mut impl Out, at: Place, has_fin: bool) -> bool {
        let ticks = self.fin_timeout(at);
        let time_wait = self.clock.ticks_of_ms(TIME_WAIT_MS);
        match ticks.checked_sub(time_wait) {
            Some(more) if more > 0 => self.set_timer(out, at, Timer::Keep, more),
            _ if has_fin => self.set_timer(out, at, Timer::Keep, ticks),
            _ => {
                self.become_time_wait(out, at, TcpState::FinWait2, ticks);
                return true;
            }
        }
        false
    }

    /// tcp_fin_timeout in ticks, at least three and a half timeouts (tcp_fin_time).
    pub(super) fn fin_timeout(&self, at: Place) -> u64 {
        let timeout = self.socket(at).resend.timeout;
        let set = self
            .clock
            .ticks_of_ms(self.sysctls(at.host).fin_timeout_s * 1_000);
        set.max((timeout << 2) - (timeout >> 1))
    }

    /// The data and the FIN of a segment. Whether nothing is left to do.
    fn queue_content(&mut self, out: &mut impl Out, at: Place, segment: &Segment) -> bool {
        let socket = self.socket(at);
        let expected = socket.receive.nxt;
        let end_of_data = segment.end_of_data();
        match socket.state {
            TcpState::FinWait1 | TcpState::FinWait2
                if socket.orphan && segment.len > 0 && end_of_data > expected =>
            {
                // tcp_reset() is called here for a RST that never came: tcp_receive_reset fires.
                let reset = self.reset_for(Some(at.slot), segment, TcpState::Close);
                self.reset(out, at);
                self.send_reset_as(out, reset, segment, RstReason::AbortOnData);
                return true;
            }
            TcpState::Established | TcpState::FinWait1 | TcpState::FinWait2 => {}
            // After the peer's FIN nothing new comes; a FIN that comes again is acknowledged again.
            _ => {
                if segment.end() <= expected {
                    self.be_quick(at);
                    let receive = &mut self.socket_mut(at).receive;
                    receive.owes_ack = true;
                    receive.disorder.tell_twice((segment.seq, segment.end()));
                }
                return false;
            }
        }
        let window_left = socket.receive.window_left();
        if segment.end() <= expected || segment.seq >= expected + window_left.max(1) {
            // A retransmission, or a probe of a closed window: answered at once.
            self.be_quick(at);
            let receive = &mut self.socket_mut(at).receive;
            receive.owes_ack = true;
            if segment.end() <= expected {
                receive.disorder.tell_twice((segment.seq, segment.end()));
            }
            return false;
        }
        if segment.seq > expected || window_left == 0 && segment.len > 0 {
            self.queue_early(at, segment);
            return false;
        }
        let new = end_of_data.saturating_sub(expected);
        let socket = self.socket_mut(at);
        socket.receive.nxt += new;
        socket.receive.unread += new;
        if new > 0 {
            self.note_data(out, at, new as u32, segment.flags.psh);
        }
        let mut has_fin = segment.flags.fin;
        has_fin |= self.take_early(at);
        if has_fin {
            self.receive_fin(out, at);
        }
        if new > 0 && self.host(at.host).get(at.slot).is_some() {
            self.notify(at, What::Readable);
        }
        false
    }

    /// Keeps what came before its turn (tcp_data_queue_ofo). What lies beyond the window is cut off.
    fn queue_early(&mut self, at: Place, segment: &Segment) {
        let receive = &mut self.socket_mut(at).receive;
        receive.owes_ack = true;
        receive.owes_ack_now = true;
        let mut end = segment
            .end_of_data()
            .min(receive.nxt + receive.window_left());
        if segment.flags.fin && end == segment.end_of_data() {
            receive.disorder.keep_fin(end);
            end += 1;
        }
        if segment.seq < end {
            receive.disorder.keep((segment.seq, end));
        }
    }

    /// Takes in what came before its turn and now has it (tcp_ofo_queue). Whether the FIN is next.
    fn take_early(&mut self, at: Place) -> bool {
        let receive = &mut self.socket_mut(at).receive;
        if receive.disorder.is_nothing_early() {
            return false;
        }
        let mss = receive.mss();
        while let Some(to) = receive.disorder.take_next(receive.nxt) {
            let new = to.saturating_sub(receive.nxt);
            receive.nxt += new;
            receive.unread += new;
            receive.memory.take_early(new, mss);
        }
        receive.owes_ack_now |= receive.disorder.early().is_empty();
        receive.owes_ack = true;
        receive.disorder.go_on_from(receive.nxt)
    }

    /// The peer's FIN (tcp_fin).
    fn receive_fin(&mut self, out: &mut impl Out, at: Place) {
        let socket = self.socket_mut(at);
        let receive = &mut socket.receive;
        receive.nxt += 1;
        receive.fin = true;
        receive.owes_ack = true;
        let is_orphan = socket.orphan;
        match socket.state {
            TcpState::Established => {
                socket.receive.ping_pong = true;
                self.set_state(out, at, TcpState::CloseWait);
            }
            TcpState::FinWait1 => {
                self.send_ack(out, at);
                self.set_state(out, at, TcpState::Closing);
            }
            TcpState::FinWait2 => {
                self.send_ack(out, at);
                self.become_time_wait(out, at, TcpState::TimeWait, 0);
            }
            state => debug_assert!(false, "a second FIN in {state}"),
        }
        if !is_orphan {
            self.notify(at, What::PeerClosed);
        }
    }
}
