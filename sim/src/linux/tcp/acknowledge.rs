//! What an acknowledgement brings about (tcp_ack and what it calls, net/ipv4/tcp_input.c).

use super::net::{Net, Out};
use super::profile::{FALLBACK_TIMEOUT_MS, QUICK_ACKS};
use super::recovery::{Brought, Resending, reduced};
use super::segment::Segment;
use super::socket::{Pending, Place, Rack, Recovery, Sent};
use crate::engine::Time;
use crate::linux::tracepoint::TcpState;

/// What an acknowledgement was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Acknowledged {
    /// It made sense.
    Fine,
    /// It was for something that was never sent.
    Unsent,
}

/// Something was delivered (tcp_rack_advance). What came sooner than any round trip takes was sent before.
fn advance(rack: &mut Rack, sent: &Sent, now: Time, least_us: u64) {
    let rtt_us = (now - sent.at).0 / 1_000;
    if sent.was_resent && rtt_us < least_us {
        return;
    }
    rack.has_advanced = true;
    rack.rtt_us = rtt_us;
    rack.nth = rack.nth.max(sent.nth);
}

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
        let mut updates_window = false;
        if advances
            || segment.seq > send.window_at
            || segment.seq == send.window_at && window > send.window
        {
            updates_window = window != send.window;
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
        let sack = segment.sack.as_ref();
        let stamps = segment
            .stamps
            .filter(|_| self.socket(at).receive.has_stamps);
        let mut brought = Brought {
            advances,
            is_duplicate: !advances && !updates_window && !segment.has_content(),
            twice: sack.is_some_and(|sack| sack.twice.is_some()),
            echo_ms: stamps.map(|stamps| stamps.echo_ms).filter(|echo| *echo > 0),
            ..Brought::default()
        };
        let now = out.now();
        let newly_sacked = self.tag(now, at, segment, &mut brought);
        let has_acked = self.clean(now, at, segment, &mut brought);
        let us_since = |sent_at: Time| (now - sent_at).0 / 1_000;
        let timed = brought.first_at.filter(|_| !brought.has_resent);
        let timed = timed.or(brought.first_sacked_at).map(us_since);
        let stamped = || self.stamped_us(out, at, segment).filter(|_| has_acked);
        self.measure(out, at, timed.or_else(stamped));
        self.judge_loss_probe(at, segment, advances, brought.twice, newly_sacked);
        let send = &self.socket(at).send;
        let lost = send.count(|sent| sent.is_lost);
        let is_dubious = brought.is_duplicate
            || brought.twice
            || newly_sacked
            || send.recovery != Recovery::Open;
        let (resending, has_set_timer) = match is_dubious {
            true => self.heed(out, at, &brought),
            false => {
                if !send.has_resent() {
                    self.socket_mut(at).resend.since_ms = None;
                }
                (Resending::Nothing, false)
            }
        };
        if has_acked && !has_set_timer && !self.schedule_loss_probe(out, at, true) {
            self.rearm_retransmission(out, at);
        }
        let newly_lost = self.socket(at).send.count(|sent| sent.is_lost);
        self.control_congestion(at, &brought, newly_lost.saturating_sub(lost));
        self.resend(out, at, resending);
        Acknowledged::Fine
    }

    /// Marks what was acknowledged selectively, and cuts buffers where it ends (tcp_sacktag_walk). Whether there
    /// was something new.
    fn tag(&mut self, now: Time, at: Place, segment: &Segment, brought: &mut Brought) -> bool {
        let Some(sack) = &segment.sack else {
            return false;
        };
        let socket = self.socket_mut(at);
        let mss = u64::from(socket.receive.mss());
        let (high, least) = (socket.send.high, socket.round_trip.least);
        let send = &mut socket.send;
        let mut is_new = false;
        let mut index = 0;
        while let Some(sent) = send.queue.get_mut(index) {
            index += 1;
            let meets = |(from, to): &&(u64, u64)| *from < sent.end && sent.seq < *to;
            let Some((from, to)) = sack.blocks.iter().find(meets).copied() else {
                continue;
            };
            if sent.is_sacked {
                continue;
            }
            if from > sent.seq {
                // What comes before is not covered: whole segments of it.
                let before = (from - sent.seq).div_ceil(mss) * mss;
                if before < sent.len() {
                    let rest = sent.split_off(before);
                    send.queue.insert(index, rest);
                }
                continue;
            }
            if to < sent.end {
                let covered = (to - sent.seq) / mss * mss;
                if covered == 0 {
                    continue;
                }
                let rest = sent.split_off(covered);
                send.queue.insert(index, rest);
            }
            let sent = &mut send.queue[index - 1];
            if !sent.was_resent {
                brought.has_original |= sent.end <= high;
                let first = brought.first_sacked_at.get_or_insert(sent.at);
                *first = sent.at.min(*first);
            }
            sent.is_sacked = true;
            sent.is_lost = false;
            sent.is_resent = false;
            is_new = true;
            let sent = *sent;
            brought.sacked += sent.count();
            advance(&mut send.rack, &sent, now, least);
        }
        is_new
    }

    /// Forgets what was acknowledged (tcp_clean_rtx_queue). Whether there was something.
    fn clean(&mut self, now: Time, at: Place, segment: &Segment, brought: &mut Brought) -> bool {
        let echo_ms = brought.echo_ms;
        let clock = self.clock;
        let socket = self.socket_mut(at);
        let (high, least) = (socket.send.high, socket.round_trip.least);
        let send = &mut socket.send;
        let mut has_acked = false;
        while let Some(front) = send.queue.front_mut() {
            let sent = *front;
            let mut count = sent.count();
            let is_whole = sent.end <= segment.ack;
            if !is_whole {
                if segment.ack <= sent.seq {
                    break;
                }
                front.seq = segment.ack;
                count -= front.count();
                if count == 0 {
                    break;
                }
            }
            has_acked = true;
            if sent.was_resent {
                brought.has_resent = true;
            } else if !sent.is_sacked {
                brought.first_at = brought.first_at.or(Some(sent.at));
                brought.has_original |= sent.end <= high;
            }
            if !sent.is_sacked {
                brought.acked += count;
                // The echo says that it was the first of two that came.
                let sent_ms = clock.milliseconds(sent.at);
                let is_first = sent.was_resent && echo_ms.is_some_and(|echo| echo < sent_ms);
                if !is_first {
                    advance(&mut send.rack, &sent, now, least);
                }
            }
            if !is_whole {
                break;
            }
            send.queue.pop_front();
        }
        has_acked
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
        rtt.least = match rtt.least {
            0 => us,
            least => least.min(us),
        };
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

    /// The timeout after a handshake (tcp_init_metrics, RFC 6298): by a round trip that earlier connections left
    /// behind, if that was longer (measured), or 3 s if there is none at all.
    pub(super) fn initialise_timeout(&mut self, at: Place) {
        let fallback = self.clock.ticks_of_ms(FALLBACK_TIMEOUT_MS);
        let us = FALLBACK_TIMEOUT_MS * 1_000;
        let min = self.clock.ticks_of_us(self.sysctls(at.host).rto_min_us);
        let left = self.host(at.host).left_round_trip(self.socket(at).peer);
        let ticks = left / (8 * self.clock.us_of_ticks(1));
        let socket = self.socket_mut(at);
        if left > socket.round_trip.srtt {
            socket.resend.timeout = ticks + min.max(2 * ticks);
        } else if socket.round_trip.srtt == 0 {
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
                socket.send.ssthresh = reduced(socket.send.cwnd);
                socket.send.cwnd = socket.send.ssthresh;
            }
            socket.resend.probed_to = None;
        } else if !advances && !has_content && !is_tagged {
            socket.resend.probed_to = None;
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
        let next = send.nxt + left.min(socket.receive.mss().into());
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

    /// Data came in order in a segment: how soon it is acknowledged depends on how it comes (tcp_event_data_recv).
    pub(super) fn note_data(&mut self, out: &impl Out, at: Place, len: u32, has_push: bool) {
        let clock = self.clock;
        let jiffies = clock.jiffies(out.now());
        let least = clock.ticks_of_ms(super::profile::DELAYED_ACK_MS);
        let learns = self.profile(at.host).learns_overhead;
        let socket = self.socket_mut(at);
        let timeout = socket.resend.timeout;
        let receive = &mut socket.receive;
        receive.owes_ack = true;
        receive.take_in(len, has_push, learns);
        let quick = match receive.window / (2 * u64::from(receive.largest)) {
            0 => 2,
            room => room.min(QUICK_ACKS.into()) as u8,
        };
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
        receive.grow_window(len);
    }
}
