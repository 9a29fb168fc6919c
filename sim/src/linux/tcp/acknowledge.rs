//! What an acknowledgement brings about (tcp_ack and what it calls, net/ipv4/tcp_input.c).

use super::net::{Net, Out};
use super::profile::{FALLBACK_TIMEOUT_MS, QUICK_ACKS};
use super::segment::Segment;
use super::socket::{Pending, Place, Recovery, Sent};
use crate::linux::tracepoint::TcpState;

/// What an acknowledgement was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Acknowledged {
    /// It made sense.
    Fine,
    /// It was for something that was never sent.
    Unsent,
}

/// So many segments beyond a hole make it a loss (tp->reordering).
const DUPLICATES: usize = 3;

impl Net {
    /// Heeds the acknowledgement of a segment.
    pub(super) fn acknowledge(
        &mut self,
        out: &mut impl Out,
        at: Place,
        segment: &Segment,
    ) -> Acknowledged {
        let jiffies = self.clock.jiffies(out.now());
        let socket = self.socket_mut(at);
        let send = &mut socket.send;
        let una = send.una;
        if segment.ack > send.nxt {
            return Acknowledged::Unsent;
        }
        if segment.ack < una {
            return Acknowledged::Fine;
        }
        let advances = segment.ack > una;
        let had_nothing = send.queue.is_empty();
        if advances {
            socket.resend.timeouts = 0;
        }
        let window = u64::from(segment.window);
        if advances
            || segment.seq > send.window_at
            || segment.seq == send.window_at && window > send.window
        {
            send.window_at = segment.seq;
            send.window = window;
        }
        send.una = segment.ack;
        socket.receive.heard_at = jiffies;
        socket.resend.probes = 0;
        if had_nothing {
            self.answer_window_probe(out, at);
            self.judge_loss_probe(at, segment, advances, false, false);
            return Acknowledged::Fine;
        }
        let is_tagged = self.tag(at, segment);
        let measured = self.clean(out, at, segment);
        if let Some(us) = measured {
            self.measure(out, at, us);
        }
        let twice = segment
            .sack
            .as_ref()
            .is_some_and(|sack| sack.twice.is_some());
        self.judge_loss_probe(at, segment, advances, twice, is_tagged);
        if measured.is_some() && !self.schedule_loss_probe(out, at, true) {
            self.rearm_retransmission(out, at);
        }
        self.recover(out, at, advances);
        Acknowledged::Fine
    }

    /// Marks what was acknowledged selectively. Whether there was something new.
    fn tag(&mut self, at: Place, segment: &Segment) -> bool {
        let Some(sack) = &segment.sack else {
            return false;
        };
        let mut is_new = false;
        for sent in &mut self.socket_mut(at).send.queue {
            let covers = |(from, to): &(u64, u64)| *from <= sent.seq && sent.end <= *to;
            if !sent.is_sacked && sack.blocks.iter().any(covers) {
                sent.is_sacked = true;
                sent.is_lost = false;
                sent.is_resent = false;
                is_new = true;
            }
        }
        is_new
    }

    /// Forgets what was acknowledged (tcp_clean_rtx_queue). If there was something: the round trip in
    /// microseconds, if it can be told.
    fn clean(&mut self, out: &impl Out, at: Place, segment: &Segment) -> Option<Option<u64>> {
        let now = out.now();
        let send = &mut self.socket_mut(at).send;
        let mut first_at = None;
        let mut was_resent = false;
        let mut acked = 0u32;
        while let Some(sent) = send.queue.front_mut() {
            if sent.end > segment.ack {
                if sent.seq < segment.ack {
                    sent.seq = segment.ack;
                    acked += 1;
                }
                break;
            }
            was_resent |= sent.was_resent;
            if !sent.was_resent && !sent.is_sacked {
                first_at = first_at.or(Some(sent.at));
            }
            acked += 1;
            send.queue.pop_front();
        }
        if acked == 0 {
            return None;
        }
        if send.recovery != Recovery::Fast {
            send.cwnd = match send.cwnd < send.ssthresh {
                true => send.cwnd.saturating_add(acked),
                false => send.cwnd.saturating_add(u32::from(acked >= send.cwnd)),
            };
            send.grow_buffer();
        }
        let timed = first_at.filter(|_| !was_resent);
        let us = timed.map(|sent_at| (now - sent_at).0 / 1_000);
        Some(us.or_else(|| self.stamped_us(out, at, segment)))
    }

    /// The round trip by the echoed timestamp, in microseconds, at least a millisecond (tcp_rtt_tsopt_us).
    pub(super) fn stamped_us(&self, out: &impl Out, at: Place, segment: &Segment) -> Option<u64> {
        let stamps = segment
            .stamps
            .filter(|_| self.socket(at).receive.has_stamps)?;
        let echo = Some(stamps.echo_ms).filter(|echo| *echo > 0)?;
        let ms = self.clock.milliseconds(out.now()).saturating_sub(echo);
        Some(ms.max(1) * 1_000)
    }

    /// Takes a round trip into account, and computes the timeout (tcp_rtt_estimator, tcp_set_rto): srtt +
    /// max(4 rttvar, TCP_RTO_MIN), rounded up to ticks: 51 of them at HZ=250 on a link without delay, 56 on one
    /// of 10 ms each way (measured).
    pub(super) fn measure(&mut self, _: &impl Out, at: Place, us: Option<u64>) {
        // A round trip takes longer than the link's delay alone: on no link is the timeout a tick shorter.
        let Some(us) = us.map(|us| us + 1) else {
            return;
        };
        let clock = self.clock;
        let min = self.sysctls(at.host).rto_min_us;
        let max = self.rto_max(at);
        let socket = self.socket_mut(at);
        let rtt = &mut socket.round_trip;
        let us = us.min(u64::from(u32::MAX));
        if rtt.srtt == 0 {
            rtt.srtt = us << 3;
            rtt.mdev = us << 1;
            rtt.rttvar = rtt.mdev.max(min);
            rtt.mdev_max = rtt.rttvar;
            rtt.seq = socket.send.nxt;
        } else {
            let error = us as i64 - (rtt.srtt >> 3) as i64;
            rtt.srtt = rtt.srtt.saturating_add_signed(error);
            let mut step = error.abs() - (rtt.mdev >> 2) as i64;
            // A round trip that falls says less about the variation than one that grows.
            if error < 0 && step > 0 {
                step >>= 3;
            }
            rtt.mdev = rtt.mdev.saturating_add_signed(step);
            if rtt.mdev > rtt.mdev_max {
                rtt.mdev_max = rtt.mdev;
                rtt.rttvar = rtt.rttvar.max(rtt.mdev_max);
            }
            if socket.send.una > rtt.seq {
                if rtt.mdev_max < rtt.rttvar {
                    rtt.rttvar -= (rtt.rttvar - rtt.mdev_max) >> 2;
                }
                rtt.seq = socket.send.nxt;
                rtt.mdev_max = min;
            }
        }
        rtt.srtt = rtt.srtt.max(1);
        let timeout_us = (rtt.srtt >> 3) + rtt.rttvar;
        socket.resend.timeout = clock.ticks_of_us(timeout_us).min(max);
        socket.resend.backoff = 0;
    }

    /// After a handshake that gave no round trip time the timeout is 3 s (tcp_init_metrics, RFC 6298).
    pub(super) fn initialise_timeout(&mut self, at: Place) {
        let fallback = self.clock.ticks_of_ms(FALLBACK_TIMEOUT_MS);
        let us = FALLBACK_TIMEOUT_MS * 1_000;
        let socket = self.socket_mut(at);
        if socket.round_trip.srtt == 0 {
            socket.resend.timeout = fallback;
            let rtt = &mut socket.round_trip;
            (rtt.mdev, rtt.mdev_max, rtt.rttvar) = (us, us, us);
        }
    }

    /// What became of the tail loss probe (tcp_process_tlp_ack).
    fn judge_loss_probe(
        &mut self,
        at: Place,
        segment: &Segment,
        advances: bool,
        twice: bool,
        is_tagged: bool,
    ) {
        let socket = self.socket_mut(at);
        let Some(probed_to) = socket.resend.probed_to else {
            return;
        };
        if segment.ack < probed_to {
            return;
        }
        let has_content = segment.has_content();
        if !socket.resend.probe_resent || twice || segment.ack > probed_to {
            let was_loss = socket.resend.probe_resent && !twice;
            if was_loss {
                socket.send.ssthresh = (socket.send.cwnd * 7 / 10).max(2);
                socket.send.cwnd = socket.send.ssthresh;
            }
            socket.resend.probed_to = None;
        } else if !advances && !has_content && !is_tagged {
            socket.resend.probed_to = None;
        }
    }

    /// Loss recovery: what counts as lost, and what of it is sent again now (tcp_fastretrans_alert,
    /// tcp_xmit_recovery). Holes are judged by three segments beyond them; RACK's reordering timer, F-RTO
    /// and undoing are not modelled.
    fn recover(&mut self, out: &mut impl Out, at: Place, advances: bool) {
        let socket = self.socket_mut(at);
        let send = &mut socket.send;
        if send.recovery != Recovery::Open && send.una >= send.high {
            send.recovery = Recovery::Open;
            for sent in &mut send.queue {
                sent.is_lost = false;
            }
        }
        if send.recovery == Recovery::Open && advances {
            socket.resend.since_ms = None;
        }
        if send.recovery == Recovery::Open && send.queue.len() <= DUPLICATES {
            return;
        }
        let beyond = send.queue.iter().filter(|sent| sent.is_sacked).count();
        if beyond >= DUPLICATES {
            let mut left = beyond;
            for sent in &mut send.queue {
                match sent.is_sacked {
                    true => left -= 1,
                    false if left >= DUPLICATES && !sent.is_resent => sent.is_lost = true,
                    false => {}
                }
            }
            if send.recovery == Recovery::Open {
                send.recovery = Recovery::Fast;
                send.high = send.nxt;
                send.ssthresh = (send.cwnd * 7 / 10).max(2);
                send.cwnd = send.ssthresh;
            }
        }
        if send.recovery == Recovery::Open {
            return;
        }
        while let Some(which) = {
            let send = &self.socket(at).send;
            let lost = |sent: &Sent| sent.is_lost && !sent.is_resent;
            let room = send.cwnd.saturating_sub(send.in_flight()) as usize;
            let first = send.queue.iter().position(lost).filter(|_| room > 0);
            first.map(|first| {
                let rest = send.queue.range(first..).take(room);
                first..first + rest.take_while(|sent| lost(sent)).count()
            })
        } {
            self.retransmit_lost(out, at, which);
            if self.socket(at).resend.pending == Pending::Nothing {
                self.rearm_retransmission(out, at);
            }
        }
    }

    /// The peer's window is known anew while nothing is under way (tcp_ack_probe).
    fn answer_window_probe(&mut self, out: &mut impl Out, at: Place) {
        let socket = self.socket_mut(at);
        let send = &socket.send;
        if !send.has_unsent() {
            return;
        }
        let left = send.end - send.nxt;
        let next = send.nxt + left.min(super::profile::MSS.into());
        if next <= send.window_end() {
            socket.resend.backoff = 0;
            socket.resend.probes_since = None;
            return self.stop_write_timer(at);
        }
        let ticks = self.window_probe_ticks(out, at);
        self.set_write_timer(out, at, Pending::WindowProbe, ticks);
    }

    /// An acknowledgement for data and FIN that make up a closing connection's end: whether our FIN is
    /// acknowledged.
    pub(super) fn fin_is_acknowledged(&self, at: Place) -> bool {
        let socket = self.socket(at);
        socket.state != TcpState::Established && socket.send.fin_is_acknowledged()
    }

    /// Data came: how soon it is acknowledged depends on how it comes (tcp_event_data_recv).
    pub(super) fn note_data(&mut self, out: &impl Out, at: Place, len: u32) {
        let clock = self.clock;
        let jiffies = clock.jiffies(out.now());
        let least = clock.ticks_of_ms(super::profile::DELAYED_ACK_MS);
        let socket = self.socket_mut(at);
        let timeout = socket.resend.timeout;
        let receive = &mut socket.receive;
        receive.owes_ack = true;
        if len >= receive.largest {
            receive.largest = len.min(super::profile::MSS);
        } else {
            receive.pushed = (receive.pushed + 1).min(2);
        }
        let room = receive.window / (2 * u64::from(receive.largest));
        let quick = room.clamp(2, QUICK_ACKS.into()) as u8;
        let since = jiffies.saturating_sub(receive.data_at);
        if receive.patience == 0 {
            receive.quick = receive.quick.max(quick);
            receive.patience = least;
        } else if since <= least / 2 {
            receive.patience = receive.patience / 2 + least / 2;
        } else if since < receive.patience {
            receive.patience = (receive.patience / 2 + since).min(timeout);
        } else if since > timeout {
            receive.quick = receive.quick.max(quick);
        }
        receive.data_at = jiffies;
    }
}
