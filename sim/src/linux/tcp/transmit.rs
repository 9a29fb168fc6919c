//! Sending (net/ipv4/tcp_output.c): what goes out when, and the timers that are set for it.

use super::net::{Net, Out};
use super::profile::{
    BUFFER_SEGMENTS, DELAYED_ACK_MAX_MS, DELAYED_ACK_MS, OFFLOAD_MAX, TIMEOUT_MIN_US,
};
use super::segment::{Flags, Segment, Stamps};
use super::socket::{Pending, Place, Receiving, Recovery, Sent};
use super::timer::Timer;
use crate::linux::tracepoint::{Family, Record, TcpState};

/// What a push may send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Push {
    /// What Nagle's rule allows.
    Nagle,
    /// Small segments too, as a FIN does (TCP_NAGLE_OFF).
    Off,
    /// One segment, for the tail loss probe.
    Probe,
}

impl Net {
    /// A segment of the socket in `at`, without content.
    pub(super) fn segment(&self, at: Place, flags: Flags, out: &impl Out) -> Segment {
        let socket = self.socket(at);
        let has_stamps = socket.receive.has_stamps || (flags.syn && !flags.ack);
        let stamps = (has_stamps && self.sysctls(at.host).timestamps).then(|| Stamps {
            value_ms: self.clock.milliseconds(out.now()),
            echo_ms: socket.receive.echo_ms,
        });
        Segment {
            from: at.host,
            to: socket.peer,
            sport: socket.port,
            dport: socket.peer_port,
            flags,
            len: 0,
            flow: socket.flow,
            seq: socket.send.nxt,
            ack: if flags.ack { socket.receive.nxt } else { 0 },
            window: socket.receive.window.min(u32::MAX.into()) as u32,
            stamps,
            sack: None,
            has_options: true,
        }
    }

    /// Whether a connection acknowledges selectively.
    pub(super) fn uses_sack(&self, at: Place) -> bool {
        self.sysctls(at.host).sack && !self.socket(at).lacks_options
    }

    /// Sends a segment that acknowledges, and says how large the window is (tcp_select_window,
    /// tcp_event_ack_sent).
    fn transmit_with_ack(&mut self, out: &mut impl Out, at: Place, mut segment: Segment) {
        self.stop_timer(at, Timer::Ack);
        let uses_sack = self.uses_sack(at);
        let least = self.clock.ticks_of_ms(DELAYED_ACK_MS);
        let receive = &mut self.socket_mut(at).receive;
        receive.announce();
        if receive.owes_ack && receive.quick > 0 {
            receive.quick -= 1;
            if receive.quick == 0 {
                receive.patience = least;
            }
        }
        receive.owes_ack = false;
        receive.owes_ack_now = false;
        receive.pushed = 0;
        receive.ack_due = None;
        segment.window = receive.window as u32;
        let twice = receive.disorder.take_twice();
        if uses_sack && (twice.is_some() || !receive.disorder.told().is_empty()) {
            // As many as the options have room for (tcp_established_options).
            let room = 4 - usize::from(receive.has_stamps) - usize::from(twice.is_some());
            segment.sack = Some(Box::new(super::segment::Sack {
                blocks: receive.disorder.told().iter().take(room).copied().collect(),
                twice,
            }));
        }
        self.transmit(out, segment);
    }

    /// Sends an acknowledgement (tcp_send_ack).
    pub(super) fn send_ack(&mut self, out: &mut impl Out, at: Place) {
        let segment = self.segment(at, Flags::ACK, out);
        self.transmit_with_ack(out, at, segment);
    }

    /// Answers something out of place, at most once in half a second (tcp_oow_rate_limited).
    pub(super) fn send_limited_ack(&mut self, out: &mut impl Out, at: Place) {
        let now_ms = self.clock.milliseconds(out.now());
        if self.socket_mut(at).receive.may_answer(now_ms) {
            self.send_ack(out, at);
        }
    }

    /// Sends what a buffer holds, segment by segment.
    fn send_buffer(&mut self, out: &mut impl Out, at: Place, sent: Sent) {
        let (mut seq, mut left) = (sent.seq, sent.len());
        let end_of_data = self.socket(at).send.end_of_data();
        loop {
            let len = left.min(sent.mss.into());
            left -= len;
            let flags = Flags {
                fin: sent.fin && left == 0,
                // What was written ends here (tcp_push), or a buffer of several segments (measured).
                psh: len > 0 && left == 0 && (sent.count() > 1 || seq + len == end_of_data),
                ..Flags::ACK
            };
            let segment = Segment {
                seq,
                len: len as u32,
                ..self.segment(at, flags, out)
            };
            self.transmit_with_ack(out, at, segment);
            seq += len;
            if left == 0 {
                return;
            }
        }
    }

    /// Sends what was sent before.
    fn send_again(&mut self, out: &mut impl Out, at: Place, sent: Sent) {
        let state = self.socket(at).state;
        if !matches!(state, TcpState::SynSent | TcpState::SynRecv) {
            return self.send_buffer(out, at, sent);
        }
        let flags = Flags {
            ack: state == TcpState::SynRecv,
            ..Flags::SYN
        };
        let segment = Segment {
            seq: sent.seq,
            ..self.segment(at, flags, out)
        };
        self.transmit(out, segment);
    }

    /// Sends a buffer again, at most `segments` of it, and says so once (__tcp_retransmit_skb; measured). A small
    /// one takes small ones after it along (tcp_retrans_try_collapse). Whether the peer's window let it.
    pub(super) fn retransmit(
        &mut self,
        out: &mut impl Out,
        at: Place,
        index: usize,
        segments: u32,
    ) -> bool {
        let now = out.now();
        let socket = self.socket_mut(at);
        let mss = u64::from(socket.receive.mss());
        let is_syn = matches!(socket.state, TcpState::SynSent | TcpState::SynRecv);
        let send = &mut socket.send;
        let window_end = send.window_end();
        let mut sent = send.queue[index];
        if !is_syn {
            let room = match window_end.saturating_sub(sent.seq) {
                0 if sent.seq != send.una => return false,
                0 => mss,
                room => room,
            };
            let mut most = mss * u64::from(segments);
            if most > room {
                most = (room / mss * mss).max(room.min(mss));
            }
            if sent.len() > most {
                let rest = sent.split_off(most);
                send.queue.insert(index + 1, rest);
            } else if sent.len() < mss.min(room) {
                while let Some(next) = send.queue.get(index + 1)
                    && !sent.fin
                    && !next.is_sacked
                    && sent.len() + next.len() <= mss.min(room)
                    && next.end <= window_end
                {
                    sent.end = next.end;
                    sent.fin = next.fin;
                    send.queue.remove(index + 1);
                }
            }
        }
        sent.was_resent = true;
        sent.was_late = false;
        sent.at = now;
        sent.nth = send.next_buffer();
        send.queue[index] = sent;
        let (sport, dport, saddr, daddr) = self.four_tuple(at);
        let socket = self.socket(at);
        let (state, flow) = (socket.state, socket.flow);
        let counters = &mut self.host_mut(at.host).counters;
        counters.retrans_segs += u64::from(sent.count());
        counters.syn_retrans += u64::from(state == TcpState::SynSent);
        out.record(
            self.actor(at.host, flow),
            flow,
            Record::RetransmitSkb {
                skaddr: self.skaddr(at),
                state,
                sport,
                dport,
                family: Family::Inet,
                saddr,
                daddr,
                err: 0,
            },
        );
        self.send_again(out, at, sent);
        true
    }

    /// The same for loss recovery: giving up is counted from the first of these (tcp_retransmit_skb).
    pub(super) fn retransmit_lost(
        &mut self,
        out: &mut impl Out,
        at: Place,
        index: usize,
        segments: u32,
    ) -> bool {
        let now_ms = self.clock.milliseconds(out.now());
        if !self.retransmit(out, at, index, segments) {
            return false;
        }
        let socket = self.socket_mut(at);
        let sent = &mut socket.send.queue[index];
        sent.is_resent = true;
        let count = sent.count();
        if let Some(repair) = &mut socket.send.repair {
            repair.resent = Some(repair.resent.unwrap_or(0) + count);
            repair.sent += count;
        }
        socket.resend.since_ms.get_or_insert(now_ms);
        true
    }

    /// How many segments go out as one buffer: a millisecond's worth, more on a short path (tcp_tso_autosize,
    /// tcp_update_pacing_rate).
    pub(super) fn offloaded_segments(&self, at: Place) -> u32 {
        let socket = self.socket(at);
        let (send, rtt) = (&socket.send, &socket.round_trip);
        let mss = u64::from(socket.receive.mss());
        // Half as much again once slow start is nearly over, else twice what a round trip carries.
        let percent = match send.cwnd < send.ssthresh / 2 {
            true => 200,
            false => 120,
        };
        let out = u64::from(send.cwnd.max(send.packets_out()));
        let rate = mss * out * percent * 80_000 / rtt.srtt.max(1);
        let bytes = match rtt.least >> 9 {
            shift @ 0..32 => (rate >> 10) + (OFFLOAD_MAX >> shift),
            _ => rate >> 10,
        };
        (bytes.min(OFFLOAD_MAX) / mss).max(2) as u32
    }

    /// Sends what was written, as far as the windows and `push` allow (tcp_write_xmit). Whether something
    /// is left, with nothing under way.
    fn write_out(&mut self, out: &mut impl Out, at: Place, push: Push) -> bool {
        let mss = u64::from(self.socket(at).receive.mss());
        let lets_fin_pass = self.profile(at.host).lets_fin_pass;
        let mut has_sent = false;
        loop {
            let send = &self.socket(at).send;
            if !send.has_unsent() {
                break;
            }
            let left = send.end_of_data().saturating_sub(send.nxt);
            let whole = left.min(mss * u64::from(BUFFER_SEGMENTS));
            // At least two buffers are to be under way.
            let quota = send.cwnd.saturating_sub(send.in_flight());
            let quota = match quota.min((send.cwnd / 2).max(1)) {
                0 if push == Push::Probe || lets_fin_pass && send.fin && left <= mss => 1,
                0 => break,
                quota => quota,
            };
            let first = whole.min(mss);
            let first_end = send.nxt + first + u64::from(send.fin && first == left);
            if first_end > send.window_end() {
                break;
            }
            let small_under_way = send.small_end > send.una && send.small_end <= send.nxt;
            let holds_back = push == Push::Nagle && !send.queue.is_empty() && small_under_way;
            let is_last = whole == left;
            let len = if whole <= mss {
                if holds_back && is_last && whole < mss && !send.fin {
                    break;
                }
                whole
            } else {
                let room = send.window_end() - send.nxt;
                let most = mss * u64::from(quota.min(self.offloaded_segments(at)));
                let needed = whole.min(room);
                let partial = needed % mss;
                match () {
                    () if most <= needed => most,
                    () if partial != 0 && holds_back => needed - partial,
                    () => needed,
                }
            };
            let has_fin = self.socket(at).send.fin && len == left;
            self.send_new(out, at, len, has_fin);
            has_sent = true;
            if push == Push::Probe {
                break;
            }
        }
        let send = &mut self.socket_mut(at).send;
        let is_stuck = send.queue.is_empty() && send.has_unsent();
        if has_sent {
            send.note_use();
            if push != Push::Probe {
                self.schedule_loss_probe(out, at, false);
            }
            return false;
        }
        is_stuck
    }

    /// Sends the next `len` bytes, with the FIN if `fin` (tcp_event_new_data_sent).
    fn send_new(&mut self, out: &mut impl Out, at: Place, len: u64, fin: bool) {
        let now = out.now();
        let jiffies = self.clock.jiffies(now);
        let socket = self.socket_mut(at);
        // An answer soon after something came: acknowledgements may ride along from now on.
        let receive = &mut socket.receive;
        if len > 0 && jiffies - receive.data_at < receive.patience {
            receive.ping_pong = true;
        }
        let was_idle = socket.send.queue.is_empty();
        let seq = socket.send.nxt;
        let end = seq + len + u64::from(fin);
        let sent = Sent {
            nth: socket.send.next_buffer(),
            ..Sent::new(seq, end, fin, socket.receive.mss(), now)
        };
        socket.send.queue.push_back(sent);
        socket.send.nxt = end;
        let count = sent.count();
        if len < u64::from(count * u32::from(sent.mss)) {
            socket.send.small_end = end;
        }
        if let Some(repair) = &mut socket.send.repair {
            repair.sent += count;
        }
        let was_probing = socket.resend.pending == Pending::LossProbe;
        self.send_buffer(out, at, sent);
        if was_idle || was_probing {
            self.rearm_retransmission(out, at);
        }
    }

    /// Sends what can be sent (__tcp_push_pending_frames). If nothing can, and nothing is under way, the
    /// window will be probed.
    pub(super) fn push(&mut self, out: &mut impl Out, at: Place, push: Push) {
        if self.socket(at).send.has_unsent() && self.write_out(out, at, push) {
            let resend = &self.socket(at).resend;
            if resend.pending == Pending::Nothing {
                let base = self.window_probe_base(at);
                self.set_write_timer(out, at, Pending::WindowProbe, base);
            }
        }
    }

    /// Sets the write timer for `pending`, in `ticks`, at most TCP_RTO_MAX (inet_csk_reset_xmit_timer).
    pub(super) fn set_write_timer(
        &mut self,
        out: &mut impl Out,
        at: Place,
        pending: Pending,
        ticks: u64,
    ) {
        let ticks = ticks.min(self.rto_max(at));
        self.socket_mut(at).resend.pending = pending;
        self.set_timer(out, at, Timer::Write, ticks);
    }

    pub(super) fn stop_write_timer(&mut self, at: Place) {
        self.socket_mut(at).resend.pending = Pending::Nothing;
        self.stop_timer(at, Timer::Write);
    }

    /// TCP_RTO_MAX in ticks.
    pub(super) fn rto_max(&self, at: Place) -> u64 {
        self.clock.ticks_of_ms(self.sysctls(at.host).rto_max_ms)
    }

    /// How long until the oldest unacknowledged segment's timeout, in microseconds (tcp_rto_delta_us).
    fn us_until_timeout(&self, out: &impl Out, at: Place) -> u64 {
        let socket = self.socket(at);
        let timeout_us = self.clock.us_of_ticks(socket.resend.timeout);
        match socket.send.queue.front() {
            None => timeout_us,
            Some(sent) => {
                let deadline = sent.at.0 / 1_000 + timeout_us;
                deadline.saturating_sub(out.now().0 / 1_000)
            }
        }
    }

    /// Sets the retransmission timer anew: from now, or, if something else is pending, from when the oldest
    /// segment was sent (tcp_rearm_rto).
    pub(super) fn rearm_retransmission(&mut self, out: &mut impl Out, at: Place) {
        let socket = self.socket(at);
        if socket.send.queue.is_empty() {
            return self.stop_write_timer(at);
        }
        let ticks = match socket.resend.pending {
            Pending::LossProbe | Pending::Reordering => {
                let us = self.us_until_timeout(out, at).max(1);
                self.clock.ticks_of_us(us)
            }
            _ => socket.resend.timeout,
        };
        self.set_write_timer(out, at, Pending::Retransmission, ticks);
    }

    /// Sets the timer for a tail loss probe, where one is due: two round trips after the last segment, and
    /// 200 ms more if that is the only one, but no later than the timeout (tcp_schedule_loss_probe; the
    /// first retransmission that one sees is this probe: measured).
    pub(super) fn schedule_loss_probe(
        &mut self,
        out: &mut impl Out,
        at: Place,
        is_advancing: bool,
    ) -> bool {
        let sysctls = self.sysctls(at.host);
        let socket = self.socket(at);
        if !matches!(sysctls.early_retrans, 3 | 4)
            || socket.send.queue.is_empty()
            || !self.uses_sack(at)
            || socket.send.recovery != Recovery::Open
            || !matches!(
                socket.state,
                TcpState::Established
                    | TcpState::CloseWait
                    | TcpState::FinWait1
                    | TcpState::Closing
                    | TcpState::LastAck
            )
        {
            return false;
        }
        let srtt = socket.round_trip.srtt;
        let clock = self.clock;
        let ticks = match srtt {
            0 => clock.ticks_of_ms(super::profile::SYN_TIMEOUT_MS),
            // The field holds eight round trips.
            srtt => {
                let two_round_trips_us = (srtt >> 2).max(1);
                let more_us = match socket.send.packets_out() {
                    1 => sysctls.rto_min_us,
                    _ => TIMEOUT_MIN_US,
                };
                clock.ticks_of_us(two_round_trips_us + more_us)
            }
        };
        let until_timeout = match is_advancing {
            true => clock.us_of_ticks(socket.resend.timeout),
            false => self.us_until_timeout(out, at),
        };
        let ticks = match until_timeout {
            0 => ticks,
            us => ticks.min(clock.ticks_of_us(us)),
        };
        self.set_write_timer(out, at, Pending::LossProbe, ticks);
        true
    }

    /// The tail loss probe (tcp_send_loss_probe): something new if there is, else the last segment again.
    pub(super) fn send_loss_probe(&mut self, out: &mut impl Out, at: Place) {
        if self.socket(at).resend.probed_to.is_none() {
            self.socket_mut(at).resend.probe_resent = false;
            let send = &self.socket(at).send;
            let before = send.packets_out();
            let (len, has_fin) = self.socket(at).next_segment();
            let next = send.nxt + len + u64::from(has_fin);
            let has_sent = match send.has_unsent() && next <= send.window_end() {
                true => {
                    self.write_out(out, at, Push::Probe);
                    self.socket(at).send.packets_out() > before
                }
                false if before > 0 => {
                    let last = self.last_segment(at);
                    let has_sent = self.retransmit(out, at, last, 1);
                    self.socket_mut(at).resend.probe_resent = has_sent;
                    has_sent
                }
                false => false,
            };
            if has_sent {
                self.host_mut(at.host).counters.loss_probes += 1;
                let socket = self.socket_mut(at);
                socket.resend.probed_to = Some(socket.send.nxt);
                socket.resend.pending = Pending::Nothing;
            }
        }
        self.rearm_retransmission(out, at);
    }

    /// Where the last segment that was sent is, in a buffer of its own.
    fn last_segment(&mut self, at: Place) -> usize {
        let queue = &mut self.socket_mut(at).send.queue;
        let last = queue.len() - 1;
        let whole = u64::from((queue[last].count() - 1) * u32::from(queue[last].mss));
        if whole > 0 && queue[last].len() > whole {
            let rest = queue[last].split_off(whole);
            queue.push_back(rest);
        }
        queue.len() - 1
    }

    /// The first interval of window probes, in ticks (tcp_probe0_base).
    pub(super) fn window_probe_base(&self, at: Place) -> u64 {
        let min = self.clock.ticks_of_us(self.sysctls(at.host).rto_min_us);
        self.socket(at).resend.timeout.max(min)
    }

    /// Asks the peer whether it is still there: a segment before the window, or what the window takes
    /// (tcp_write_wakeup). No event tells of it.
    pub(super) fn send_probe(&mut self, out: &mut impl Out, at: Place) {
        let send = &self.socket(at).send;
        let room = send.window_end().saturating_sub(send.nxt);
        if send.has_unsent() && room > 0 {
            let (len, has_fin) = self.socket(at).next_segment();
            let has_fin = has_fin && len < room;
            return self.send_new(out, at, len.min(room), has_fin);
        }
        let una = send.una;
        let segment = Segment {
            seq: una.saturating_sub(1),
            ..self.segment(at, Flags::ACK, out)
        };
        self.transmit(out, segment);
    }

    // Acknowledging.

    /// Sends the acknowledgement that is owed, or lets it wait (__tcp_ack_snd_check).
    pub(super) fn acknowledge_what_came(&mut self, out: &mut impl Out, at: Place) {
        let receive = &mut self.socket_mut(at).receive;
        if !receive.owes_ack {
            return;
        }
        // Who does not read makes the window smaller: then it waits, too (measured).
        let is_full = receive.nxt - receive.acked > u64::from(receive.largest);
        if is_full && receive.keeps_window()
            || receive.is_quick()
            || receive.owes_ack_now
            || !receive.disorder.early().is_empty()
        {
            return self.send_ack(out, at);
        }
        self.delay_ack(out, at);
    }

    /// Lets an acknowledgement wait (tcp_send_delayed_ack). Before any data came it waits for the next
    /// tick only, as for the FIN on a fresh connection (measured: 0.5 to 8 ms, and 42 to 44 ms after data).
    fn delay_ack(&mut self, out: &mut impl Out, at: Place) {
        let clock = self.clock;
        let jiffies = clock.jiffies(out.now());
        let min = clock.ticks_of_ms(DELAYED_ACK_MS);
        let longest = clock.ticks_of_ms(DELAYED_ACK_MAX_MS);
        let socket = self.socket_mut(at);
        let mut patience = socket.receive.patience;
        if patience > min {
            let mut most = match socket.receive.ping_pong || socket.receive.pushed > 0 {
                true => longest,
                false => clock.ticks_of_ms(500),
            };
            if socket.round_trip.srtt > 0 {
                let round_trip = clock.ticks_of_us(socket.round_trip.srtt >> 3).max(min);
                most = most.min(round_trip);
            }
            patience = patience.min(most);
        }
        let patience = patience.min(longest);
        let mut due = jiffies + patience;
        if let Some(running) = socket.receive.ack_due {
            if running <= jiffies + (patience >> 2) {
                return self.send_ack(out, at);
            }
            due = due.min(running);
        }
        socket.receive.ack_due = Some(due);
        self.set_timer(out, at, Timer::Ack, due - jiffies);
    }
}

/// TCP_TIMEOUT_MIN: two ticks.
pub(super) const TIMEOUT_MIN_TICKS: u64 = 2;

impl super::socket::Socket {
    /// What would be sent next: how many bytes, and whether the FIN with them.
    fn next_segment(&self) -> (u64, bool) {
        let send = &self.send;
        let left = send.end_of_data().saturating_sub(send.nxt);
        let len = left.min(self.receive.mss().into());
        (len, send.fin && len == left && send.has_unsent())
    }
}

impl Receiving {
    /// Whether something out of the window may be answered now; if so, it counts as answered.
    pub(super) fn may_answer(&mut self, now_ms: u64) -> bool {
        let every = super::profile::OUT_OF_WINDOW_EVERY_MS;
        if self
            .out_of_window_ms
            .is_some_and(|last| now_ms - last < every)
        {
            return false;
        }
        self.out_of_window_ms = Some(now_ms);
        true
    }
}
