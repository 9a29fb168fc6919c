//! TIME_WAIT: the mini-sockets of connections that are over (net/ipv4/tcp_minisocks.c).

use super::disorder::Disorder;
use super::net::{Net, Out};
use super::profile::TIME_WAIT_MS;
use super::segment::{Flags, HostId, Segment};
use super::socket::{Place, Receiving, Sending, Socket};
use super::timer::Timer;
use crate::engine::Time;
use crate::linux::tracepoint::{RstReason, TcpState};

impl Net {
    /// A connection is over: a mini-socket in TIME_WAIT, or in FIN_WAIT2 as `substate`, takes its place, and
    /// the full socket is closed (tcp_time_wait). No state event ever says TIME_WAIT. If there are
    /// tcp_max_tw_buckets of them already, there is no mini-socket, and the port is free at once (measured).
    pub(super) fn become_time_wait(
        &mut self,
        out: &mut impl Out,
        at: Place,
        substate: TcpState,
        ticks: u64,
    ) {
        let host = self.host_mut(at.host);
        host.leave_round_trip(at.slot);
        if host.time_waits >= host.sysctls.max_tw_buckets {
            host.counters.time_wait_overflow += 1;
            return self.done(out, at);
        }
        let now = out.now();
        let old = self.socket(at);
        let timeout = old.resend.timeout;
        let peer = (old.peer, old.peer_port);
        let mut mini = Socket::new(TcpState::TimeWait, old.port, peer, old.flow);
        mini.substate = substate;
        mini.send = Sending::from(old.send.nxt);
        mini.receive = Receiving {
            disorder: Disorder::default(),
            ..old.receive.clone()
        };
        mini.receive.out_of_window_ms = None;
        mini.waits_since = self.now_for_reuse(now);
        // At least three and a half timeouts, so that a lost FIN can come again.
        let least = (timeout << 2) - (timeout >> 1);
        let ticks = match substate {
            TcpState::TimeWait => self.clock.ticks_of_ms(TIME_WAIT_MS),
            _ => ticks.max(least),
        };
        let mini = self.add(at.host, mini);
        let host = self.host_mut(at.host);
        host.time_waits += 1;
        host.hand_over(at.slot, mini.slot);
        self.set_timer(out, mini, Timer::Write, ticks);
        self.done(out, at);
    }

    fn now_for_reuse(&self, now: Time) -> (u64, u64) {
        (self.clock.milliseconds(now), self.clock.seconds(now))
    }

    /// Whether connect() may take the port of a mini-socket (tcp_twsk_unique): with tcp_tw_reuse 1 after
    /// tcp_tw_reuse_delay, in 6.1 when the clock of whole seconds has moved on (measured). 2, the default,
    /// is for loopback alone, which the lab does not have.
    pub(super) fn may_reuse(&self, host: HostId, now: Time) -> impl Fn(&Socket) -> bool + use<> {
        let (now_ms, now_s) = self.now_for_reuse(now);
        let by_delay = self.profile(host).has_tw_reuse_delay;
        let sysctls = self.sysctls(host);
        let (delay_ms, reuses) = (sysctls.tw_reuse_delay_ms, sysctls.tw_reuse == 1);
        move |socket| {
            let (since_ms, since_s) = socket.waits_since;
            let is_old = match by_delay {
                true => now_ms > since_ms + delay_ms,
                false => now_s > since_s,
            };
            let is_time_wait =
                (socket.state, socket.substate) == (TcpState::TimeWait, TcpState::TimeWait);
            reuses && is_time_wait && socket.receive.has_stamps && is_old
        }
    }

    /// Frees a mini-socket, of which nothing tells.
    pub(super) fn free_mini(&mut self, out: &mut impl Out, at: Place) {
        debug_assert!(self.socket(at).is_mini());
        let is_time_wait = self.socket(at).state == TcpState::TimeWait;
        let host = self.host_mut(at.host);
        host.time_waits -= u32::from(is_time_wait);
        host.unhash(at.slot);
        self.free(out, at);
    }

    fn wait_anew(&mut self, out: &mut impl Out, at: Place) {
        let ticks = self.clock.ticks_of_ms(TIME_WAIT_MS);
        self.set_timer(out, at, Timer::Write, ticks);
    }

    /// Acknowledges on behalf of a mini-socket.
    fn ack_from_time_wait(&mut self, out: &mut impl Out, at: Place) {
        let segment = self.segment(at, Flags::ACK, out);
        self.transmit(out, segment);
    }

    fn reset_from_time_wait(&mut self, out: &mut impl Out, at: Place, segment: &Segment) {
        self.send_reset(out, Some(at.slot), segment, RstReason::TimewaitSocket);
        self.free_mini(out, at);
    }

    /// A segment for a mini-socket in TIME_WAIT or FIN_WAIT2 (tcp_timewait_state_process).
    pub(super) fn receive_in_time_wait(
        &mut self,
        out: &mut impl Out,
        at: Place,
        segment: &Segment,
    ) {
        match self.socket(at).substate {
            TcpState::FinWait2 => self.receive_in_mini_fin_wait(out, at, segment),
            _ => self.receive_in_true_time_wait(out, at, segment),
        }
    }

    fn receive_in_mini_fin_wait(&mut self, out: &mut impl Out, at: Place, segment: &Segment) {
        let now = out.now();
        let Segment { flags, seq, .. } = *segment;
        let socket = self.socket(at);
        let expected = socket.receive.nxt;
        let window = socket.receive.window;
        let in_window = segment.end() >= expected && seq <= expected + window;
        if !in_window || is_stale(&socket.receive, segment) {
            return self.answer_out_of_window(out, at, segment);
        }
        if flags.rst {
            return self.free_mini(out, at);
        }
        if flags.syn && seq >= expected {
            return self.reset_from_time_wait(out, at, segment);
        }
        if !flags.ack || segment.end() <= expected || !segment.has_content() {
            return;
        }
        if !flags.fin || segment.end() != expected + 1 {
            return self.reset_from_time_wait(out, at, segment);
        }
        let since = self.now_for_reuse(now);
        let socket = self.socket_mut(at);
        socket.substate = TcpState::TimeWait;
        socket.receive.nxt = segment.end();
        socket.waits_since = since;
        if let Some(stamps) = segment.stamps {
            socket.receive.echo_ms = stamps.value_ms;
        }
        self.wait_anew(out, at);
        self.ack_from_time_wait(out, at);
    }

    fn receive_in_true_time_wait(&mut self, out: &mut impl Out, at: Place, segment: &Segment) {
        let now = out.now();
        let Segment { flags, seq, .. } = *segment;
        let rfc1337 = self.sysctls(at.host).rfc1337;
        let since = self.now_for_reuse(now);
        let socket = self.socket_mut(at);
        let expected = socket.receive.nxt;
        let stale = is_stale(&socket.receive, segment);
        if !stale && seq == expected && (!segment.has_content() || flags.rst) {
            if flags.rst {
                if !rfc1337 {
                    self.free_mini(out, at);
                }
                return;
            }
            if let Some(stamps) = segment.stamps {
                socket.receive.echo_ms = stamps.value_ms;
                socket.waits_since = since;
            }
            return self.wait_anew(out, at);
        }
        let echo_ms = socket.receive.echo_ms;
        let is_newer = segment
            .stamps
            .is_some_and(|stamps| stamps.value_ms > echo_ms);
        if flags.syn && !flags.rst && !flags.ack && !stale && (seq > expected || is_newer) {
            // A new connection takes the place of the old one, if somebody listens.
            if let Some(listener) = self.host(at.host).listener(segment.dport) {
                self.free_mini(out, at);
                return self.receive_syn(out, listener, segment);
            }
        }
        if !flags.rst {
            if stale || flags.ack {
                self.wait_anew(out, at);
            }
            self.answer_out_of_window(out, at, segment);
        }
    }

    /// Acknowledges what is out of the window, without data at most once in half a second
    /// (tcp_timewait_check_oow_rate_limit).
    fn answer_out_of_window(&mut self, out: &mut impl Out, at: Place, segment: &Segment) {
        let now_ms = self.clock.milliseconds(out.now());
        let receive = &mut self.socket_mut(at).receive;
        if segment.len > 0 || receive.may_answer(now_ms) {
            self.ack_from_time_wait(out, at);
        }
    }
}

/// Whether the segment's timestamp is older than one that was seen (PAWS, RFC 7323).
pub(super) fn is_stale(receive: &Receiving, segment: &Segment) -> bool {
    let older = |stamps: super::segment::Stamps| stamps.value_ms < receive.echo_ms;
    receive.has_stamps && !segment.flags.rst && segment.stamps.is_some_and(older)
}
