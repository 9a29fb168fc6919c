//! Loss recovery (tcp_fastretrans_alert and what it calls in net/ipv4/tcp_input.c, tcp_recovery.c): what counts
//! as lost, by time as RFC 8985 has it, what of it is sent again when, and when a timeout turns out to have been
//! wrong (RFC 5682; undoing by timestamps and by what came twice).

use super::net::{Net, Out};
use super::profile::TIMEOUT_MIN_US;
use super::socket::{Pending, Place, Recovery, Repair, Sending, Socket};
use super::transmit::Push;
use crate::engine::Time;

/// So many segments beyond a hole make it a loss at once (tp->reordering).
const DUPLICATES: u32 = 3;

/// What an acknowledgement brought.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Brought {
    /// Whether it acknowledges more than the one before.
    pub(super) advances: bool,
    /// Whether it brought nothing at all.
    pub(super) is_duplicate: bool,
    /// How many segments it acknowledges that were not acknowledged selectively before.
    pub(super) acked: u32,
    /// How many it acknowledges selectively for the first time.
    pub(super) sacked: u32,
    /// Whether some of these were sent before the recovery and never again (FLAG_ORIG_SACK_ACKED).
    pub(super) has_original: bool,
    /// Whether some of what it acknowledges was sent again.
    pub(super) has_resent: bool,
    /// When the first of what it acknowledges, and was sent once, was sent; of what is acknowledged selectively.
    pub(super) first_at: Option<Time>,
    pub(super) first_sacked_at: Option<Time>,
    /// Whether it tells of something that came twice.
    pub(super) twice: bool,
    /// The timestamp that it echoes, if it is to be heeded.
    pub(super) echo_ms: Option<u64>,
}

/// What is to be sent on account of an acknowledgement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Resending {
    Nothing,
    /// What counts as lost.
    Lost,
    /// Something new first, to find out whether the timeout was wrong (step 2.b of RFC 5682).
    NewFirst,
}

impl Sending {
    /// How many segments count as lost (lost_out).
    fn lost(&self) -> u32 {
        self.count(|sent| sent.is_lost)
    }

    /// How many the peer has beyond what it acknowledges (sacked_out).
    fn beyond(&self) -> u32 {
        self.count(|sent| sent.is_sacked) + self.duplicates
    }

    /// Where there are no selective acknowledgements, one that brings nothing means that something beyond a hole has come
    /// (tcp_add_reno_sack, tcp_remove_reno_sacks).
    fn count_duplicate(&mut self, brought: &Brought) {
        let filled = brought.acked.saturating_sub(1);
        self.duplicates = self.duplicates.saturating_sub(filled);
        let counts = match self.recovery {
            Recovery::Fast => true,
            // After a timeout one tells of the new data that went out first.
            Recovery::Loss => self.nxt > self.high && brought.is_duplicate,
            Recovery::Open | Recovery::Disorder => !brought.advances,
        };
        if !counts && brought.advances {
            self.duplicates = 0;
        }
        if counts && brought.is_duplicate {
            let out = self.packets_out();
            let holes = self.lost().max(1).min(out);
            self.duplicates = (self.duplicates + 1).min(out - holes);
        }
    }

    fn begin_repair(&mut self) {
        let resent = self.count(|sent| sent.is_resent);
        self.repair = Some(Box::new(Repair {
            from: self.una,
            resent: Some(resent).filter(|resent| *resent > 0),
            cwnd: self.cwnd,
            ssthresh: self.ssthresh,
            delivered: 0,
            sent: 0,
            is_doubted: false,
        }));
        self.ssthresh = reduced(self.cwnd);
    }

    /// The congestion window is as if nothing had happened (tcp_undo_cwnd_reduction).
    fn undo(&mut self) {
        if let Some(repair) = self.repair.take() {
            self.cwnd = self.cwnd.max(repair.cwnd);
            self.ssthresh = self.ssthresh.max(repair.ssthresh);
        }
        self.rack.has_advanced = true;
    }

    /// Proportional rate reduction (tcp_cwnd_reduction, RFC 6937).
    fn reduce(&mut self, brought: &Brought, newly_lost: u32) {
        let in_flight = self.in_flight();
        let ssthresh = self.ssthresh;
        let Some(repair) = &mut self.repair else {
            return;
        };
        let newly = brought.acked + brought.sacked;
        if newly == 0 {
            return;
        }
        repair.delivered += newly;
        let most = match ssthresh.checked_sub(in_flight) {
            None => {
                let share = u64::from(ssthresh) * u64::from(repair.delivered);
                let share = share.div_ceil(u64::from(repair.cwnd.max(1))) as u32;
                share.saturating_sub(repair.sent)
            }
            Some(room) => {
                let owed = repair.delivered.saturating_sub(repair.sent).max(newly);
                (owed + u32::from(brought.advances && newly_lost == 0)).min(room)
            }
        };
        self.cwnd = in_flight + most.max(u32::from(repair.sent == 0));
    }

    /// What was sent before something that was delivered, and is late by more than what may be out of order,
    /// counts as lost (tcp_rack_detect_loss). After how many microseconds more would be, and whether
    /// something that was sent again is lost again.
    fn mark_late(&mut self, now: Time, least_us: u64, srtt_us: u64) -> (Option<u64>, bool) {
        let is_eager =
            matches!(self.recovery, Recovery::Fast | Recovery::Loss) || self.beyond() >= DUPLICATES;
        let reordering_us = match is_eager {
            true => 0,
            false => (least_us >> 2).min(srtt_us),
        };
        let rack = self.rack;
        let mut later_us = None;
        let mut is_lost_again = false;
        for sent in self.queue.iter_mut() {
            let is_known = sent.is_sacked || sent.was_late || sent.is_lost && !sent.is_resent;
            if is_known || rack.nth <= sent.nth {
                continue;
            }
            let passed_us = (now - sent.at).0 / 1_000;
            match (rack.rtt_us + reordering_us).checked_sub(passed_us) {
                None | Some(0) => {
                    is_lost_again |= sent.mark_lost();
                    sent.was_late = true;
                }
                left_us => later_us = later_us.max(left_us),
            }
        }
        (later_us, is_lost_again)
    }

    /// The first segment that is not acknowledged counts as lost (tcp_newreno_mark_lost).
    fn mark_first(&mut self) {
        let Some(first) = self.queue.front_mut().filter(|sent| !sent.is_lost) else {
            return;
        };
        let rest = (first.count() > 1).then(|| first.split_off(first.mss.into()));
        first.mark_lost();
        if let Some(rest) = rest {
            self.queue.insert(1, rest);
        }
    }
}

impl Socket {
    /// Without selective acknowledgements a recovery ends when something beyond it is acknowledged, or what else comes
    /// twice would begin another (tcp_is_non_sack_preventing_reopen, RFC 6582).
    fn hold_recovery(&mut self) {
        if !self.send.has_resent() {
            self.resend.since_ms = None;
        }
    }
}

/// The threshold of slow start after a loss, as CUBIC has it.
pub(super) fn reduced(cwnd: u32) -> u32 {
    (cwnd * 717 / 1024).max(2)
}

impl Net {
    /// A retransmission timeout: what was sent counts as lost, but for what was sent just now (tcp_enter_loss).
    pub(super) fn enter_loss(&mut self, out: &impl Out, at: Place) {
        let now = out.now();
        let socket = self.socket_mut(at);
        let timeouts = socket.resend.timeouts;
        let send = &mut socket.send;
        let is_new = !matches!(send.recovery, Recovery::Fast | Recovery::Loss);
        send.duplicates = 0;
        let rtt_us = send.rack.rtt_us;
        for (nth, sent) in send.queue.iter_mut().enumerate() {
            let is_recent = nth > 0 && (now - sent.at).0 / 1_000 < rtt_us;
            if !sent.is_sacked && !is_recent {
                sent.mark_lost();
            }
        }
        let begins =
            is_new || send.high <= send.una || (send.recovery, timeouts) == (Recovery::Loss, 0);
        if begins {
            send.begin_repair();
        }
        send.recovery = Recovery::Loss;
        send.cwnd = send.in_flight() + 1;
        send.high = send.nxt;
        if let Some(repair) = &mut send.repair {
            repair.is_doubted = is_new || timeouts > 0;
        }
    }

    /// A loss is evident (tcp_enter_recovery).
    fn enter_recovery(&mut self, at: Place) {
        let socket = self.socket_mut(at);
        if !socket.send.has_resent() {
            socket.resend.since_ms = None;
        }
        let send = &mut socket.send;
        send.begin_repair();
        send.recovery = Recovery::Fast;
        send.high = send.nxt;
        socket.resend.probed_to = None;
    }

    /// Looks for what is lost (tcp_identify_packet_loss): whether a timer was set for what may be, and whether
    /// something was lost again.
    fn identify_lost(&mut self, out: &mut impl Out, at: Place, brought: &Brought) -> (bool, bool) {
        let now = out.now();
        let has_sack = self.uses_sack(at);
        let socket = self.socket_mut(at);
        let rtt = socket.round_trip;
        let timeout = socket.resend.timeout;
        let send = &mut socket.send;
        if send.queue.is_empty() {
            return (false, false);
        }
        if !has_sack {
            let is_first = !matches!(send.recovery, Recovery::Fast | Recovery::Loss)
                && send.duplicates >= DUPLICATES;
            if is_first || send.recovery == Recovery::Fast && brought.advances {
                send.mark_first();
            }
            return (false, false);
        }
        if !std::mem::take(&mut send.rack.has_advanced) {
            return (false, false);
        }
        let (later_us, is_lost_again) = send.mark_late(now, rtt.least, rtt.srtt >> 3);
        if let Some(us) = later_us {
            let ticks = self.clock.ticks_of_us(us + TIMEOUT_MIN_US).min(timeout);
            self.set_write_timer(out, at, Pending::Reordering, ticks);
        }
        (later_us.is_some(), is_lost_again)
    }

    /// What may have been out of order has not come in time (tcp_rack_reo_timeout).
    pub(super) fn reordering_timed_out(&mut self, out: &mut impl Out, at: Place) {
        let now = out.now();
        let socket = self.socket_mut(at);
        let rtt = socket.round_trip;
        let before = socket.send.in_flight();
        socket.send.mark_late(now, rtt.least, rtt.srtt >> 3);
        if socket.send.in_flight() != before {
            if socket.send.recovery != Recovery::Fast {
                self.enter_recovery(at);
                let brought = Brought {
                    sacked: 1,
                    ..Brought::default()
                };
                self.socket_mut(at).send.reduce(&brought, 1);
            }
            self.resend_lost(out, at);
        }
        if self.socket(at).resend.pending != Pending::Retransmission {
            self.rearm_retransmission(out, at);
        }
    }

    /// Whether what was sent again need not have been (tcp_may_undo).
    fn may_undo(&self, at: Place, brought: &Brought) -> bool {
        let socket = self.socket(at);
        let Some(repair) = &socket.send.repair else {
            return false;
        };
        let echoed_before = |since_ms| brought.echo_ms.is_some_and(|echo_ms| echo_ms < since_ms);
        repair.resent == Some(0) || socket.resend.since_ms.is_some_and(echoed_before)
    }

    /// The timeout was wrong: nothing is lost (tcp_try_undo_loss).
    fn undo_loss(&mut self, at: Place) {
        let socket = self.socket_mut(at);
        for sent in socket.send.queue.iter_mut() {
            sent.is_lost = false;
        }
        socket.send.undo();
        socket.send.recovery = Recovery::Open;
        socket.resend.timeouts = 0;
    }

    /// Heeds an acknowledgement in recovery, or one that hints at a loss (tcp_fastretrans_alert): what is to be
    /// sent, and whether a timer was set for it.
    pub(super) fn heed(
        &mut self,
        out: &mut impl Out,
        at: Place,
        brought: &Brought,
    ) -> (Resending, bool) {
        let has_sack = self.uses_sack(at);
        let may_undo = self.may_undo(at, brought);
        let socket = self.socket_mut(at);
        let send = &mut socket.send;
        if !has_sack {
            send.count_duplicate(brought);
        }
        if brought.twice
            && let Some(repair) = &mut send.repair
        {
            repair.resent = repair.resent.map(|resent| resent.saturating_sub(1));
        }
        let may_undo = may_undo || brought.twice && self.may_undo(at, brought);
        let socket = self.socket_mut(at);
        let send = &mut socket.send;
        match send.recovery {
            Recovery::Open if !send.has_resent() => socket.resend.since_ms = None,
            Recovery::Fast if send.una >= send.high => {
                send.duplicates = 0;
                if may_undo {
                    send.undo();
                }
                if !has_sack && send.una == send.high {
                    socket.hold_recovery();
                    return (Resending::Nothing, false);
                }
                if !may_undo {
                    send.cwnd = send.cwnd.min(send.ssthresh);
                }
                send.repair = None;
                send.recovery = Recovery::Open;
            }
            _ => {}
        }
        match self.socket(at).send.recovery {
            Recovery::Fast => {
                if brought.twice && may_undo {
                    self.undo_loss(at);
                    self.try_to_open(at);
                }
                let (has_set, _) = self.identify_lost(out, at, brought);
                let send = &self.socket(at).send;
                if send.recovery != Recovery::Fast {
                    if send.lost() == 0 {
                        return (Resending::Nothing, has_set);
                    }
                    self.enter_recovery(at);
                }
                (Resending::Lost, has_set)
            }
            Recovery::Loss => {
                let resending = self.heed_in_loss(at, brought, may_undo);
                let (has_set, is_lost_again) = self.identify_lost(out, at, brought);
                match self.socket(at).send.recovery == Recovery::Open || is_lost_again {
                    true => self.judge(out, at, brought, has_set),
                    false => (resending, has_set),
                }
            }
            Recovery::Open | Recovery::Disorder => {
                if brought.twice && may_undo {
                    self.socket_mut(at).send.undo();
                }
                self.judge(out, at, brought, false)
            }
        }
    }

    /// Whether a recovery is to begin.
    fn judge(
        &mut self,
        out: &mut impl Out,
        at: Place,
        brought: &Brought,
        has_set: bool,
    ) -> (Resending, bool) {
        let (sets, _) = self.identify_lost(out, at, brought);
        if self.socket(at).send.lost() == 0 {
            self.try_to_open(at);
            return (Resending::Nothing, has_set || sets);
        }
        self.enter_recovery(at);
        (Resending::Lost, has_set || sets)
    }

    /// An acknowledgement after a timeout (tcp_process_loss).
    fn heed_in_loss(&mut self, at: Place, brought: &Brought, may_undo: bool) -> Resending {
        if brought.advances && may_undo {
            self.undo_loss(at);
            return Resending::Nothing;
        }
        let has_sack = self.uses_sack(at);
        let socket = self.socket_mut(at);
        let send = &mut socket.send;
        let is_recovered = send.una >= send.high;
        let is_doubted = send.repair.as_ref().is_some_and(|repair| repair.is_doubted);
        if is_doubted {
            if brought.has_original {
                self.undo_loss(at);
                return Resending::Nothing;
            }
            let mut stays = true;
            if send.nxt > send.high {
                stays = brought.sacked == 0 && !brought.is_duplicate;
            } else if brought.advances && !is_recovered {
                send.high = send.nxt;
                if send.has_unsent() && send.window_end() > send.nxt {
                    return Resending::NewFirst;
                }
                stays = false;
            }
            if let Some(repair) = &mut send.repair {
                repair.is_doubted = stays;
            }
        }
        if is_recovered {
            if may_undo {
                send.undo();
            }
            if !has_sack && send.una == send.high {
                socket.hold_recovery();
                return Resending::Nothing;
            }
            send.repair = None;
            send.duplicates = 0;
            send.recovery = Recovery::Open;
            return Resending::Nothing;
        }
        Resending::Lost
    }

    /// Nothing is lost (tcp_try_to_open).
    fn try_to_open(&mut self, at: Place) {
        let socket = self.socket_mut(at);
        let send = &mut socket.send;
        let has_resent = send.has_resent();
        if !has_resent {
            socket.resend.since_ms = None;
        }
        let state = match has_resent || send.beyond() > 0 {
            true => Recovery::Disorder,
            false => Recovery::Open,
        };
        if send.recovery != state {
            send.recovery = state;
            send.high = send.nxt;
        }
    }

    /// The congestion window after an acknowledgement (tcp_cong_control). In slow start it grows by what was
    /// acknowledged, if it is used, then once a window.
    pub(super) fn control_congestion(&mut self, at: Place, brought: &Brought, newly_lost: u32) {
        let send = &mut self.socket_mut(at).send;
        if send.recovery == Recovery::Fast {
            return send.reduce(brought, newly_lost);
        }
        if brought.acked == 0 {
            return;
        }
        let is_limited = match send.cwnd < send.ssthresh {
            true => send.cwnd < 2 * send.most_out,
            false => send.cwnd <= send.most_out,
        };
        if is_limited || send.recovery != Recovery::Open {
            send.cwnd = match send.cwnd < send.ssthresh {
                true => send.cwnd.saturating_add(brought.acked).min(send.ssthresh),
                false => send
                    .cwnd
                    .saturating_add(u32::from(brought.acked >= send.cwnd)),
            };
            send.grow_buffer();
        }
    }

    /// Sends what an acknowledgement calls for (tcp_xmit_recovery).
    pub(super) fn resend(&mut self, out: &mut impl Out, at: Place, what: Resending) {
        match what {
            Resending::Nothing => return,
            Resending::Lost => {}
            Resending::NewFirst => {
                self.push(out, at, Push::Off);
                let send = &mut self.socket_mut(at).send;
                if send.nxt > send.high {
                    return;
                }
                if let Some(repair) = &mut send.repair {
                    repair.is_doubted = false;
                }
            }
        }
        self.resend_lost(out, at);
    }

    /// Sends again what is lost, as far as the congestion window lets it (tcp_xmit_retransmit_queue).
    fn resend_lost(&mut self, out: &mut impl Out, at: Place) {
        let most = self.offloaded_segments(at);
        let mut rearms = false;
        let mut index = 0;
        while let Some(sent) = self.socket(at).send.queue.get(index).copied() {
            let send = &self.socket(at).send;
            let room = send.cwnd.saturating_sub(send.in_flight());
            if room == 0 {
                break;
            }
            if sent.is_lost && !sent.is_resent && !sent.is_sacked {
                if !self.retransmit_lost(out, at, index, room.min(most)) {
                    break;
                }
                rearms |= index == 0 && self.socket(at).resend.pending != Pending::Reordering;
            }
            index += 1;
        }
        if rearms {
            let ticks = self.socket(at).resend.timeout;
            self.set_write_timer(out, at, Pending::Retransmission, ticks);
        }
    }
}
