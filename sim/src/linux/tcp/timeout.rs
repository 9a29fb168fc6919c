//! What happens when a socket's timer fires (net/ipv4/tcp_timer.c): retransmission and giving up, probes,
//! keepalive, the delayed acknowledgement.

use super::net::{Net, Out, What};
use super::profile::{TIME_WAIT_MS, model_timeout_ms};
use super::socket::{Keepalive, Pending, Place};
use super::timer::Timer;
use crate::linux::errno::Errno;
use crate::linux::tracepoint::{RstReason, TcpState};

/// The times of keepalive, in ticks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct KeepaliveTicks {
    pub(super) idle: u64,
    interval: u64,
    count: u32,
}

impl Net {
    /// A timer of a socket fires.
    pub(super) fn timeout(&mut self, out: &mut impl Out, at: Place, timer: Timer) {
        let state = self.socket(at).state;
        match (timer, state) {
            (Timer::Write, TcpState::NewSynRecv) => self.request_timed_out(out, at),
            (Timer::Write, TcpState::TimeWait) => self.free_mini(out, at),
            (_, TcpState::Close | TcpState::Listen) => {}
            (Timer::Write, _) => self.write_timed_out(out, at),
            (Timer::Ack, _) => self.ack_timed_out(out, at),
            (Timer::Keep, _) => self.keep_timed_out(out, at),
        }
    }

    fn write_timed_out(&mut self, out: &mut impl Out, at: Place) {
        let resend = &mut self.socket_mut(at).resend;
        match resend.pending {
            Pending::Nothing => {}
            Pending::LossProbe => self.send_loss_probe(out, at),
            Pending::Reordering => self.reordering_timed_out(out, at),
            Pending::Retransmission => {
                resend.pending = Pending::Nothing;
                self.retransmission_timed_out(out, at);
            }
            Pending::WindowProbe => {
                resend.pending = Pending::Nothing;
                self.window_probe_timed_out(out, at);
            }
        }
    }

    /// Whether giving up is due: the time of `retries` doubling timeouts, or TCP_USER_TIMEOUT, has passed
    /// since the first SYN, or since the first retransmission by timeout (retransmits_timed_out; measured).
    fn has_timed_out(&self, now_ms: u64, at: Place, retries: u32) -> bool {
        let sysctls = self.sysctls(at.host);
        let socket = self.socket(at);
        let (true, Some(since_ms)) = (socket.resend.timeouts > 0, socket.resend.since_ms) else {
            return false;
        };
        let limit_ms = match socket.options().user_timeout_ms {
            0 => {
                let base_ms = match socket.state {
                    TcpState::SynSent | TcpState::SynRecv => super::profile::SYN_TIMEOUT_MS,
                    _ => super::profile::RTO_MIN_MS,
                };
                model_timeout_ms(retries, base_ms, sysctls.rto_max_ms)
            }
            user_timeout_ms => user_timeout_ms,
        };
        now_ms - since_ms >= limit_ms
    }

    /// Whether a connection is given up at this timeout (tcp_write_timeout).
    fn is_given_up(&self, now_ms: u64, at: Place) -> bool {
        let sysctls = self.sysctls(at.host);
        let socket = self.socket(at);
        if matches!(socket.state, TcpState::SynSent | TcpState::SynRecv) {
            let linear = match socket.state {
                TcpState::SynSent => sysctls.syn_linear_timeouts,
                _ => 0,
            };
            let most = sysctls.syn_retries + linear;
            return socket.resend.timeouts >= most
                || self.has_timed_out(now_ms, at, sysctls.syn_retries);
        }
        let retries = match socket.orphan {
            true => {
                let is_alive = socket.resend.timeout < self.rto_max(at);
                sysctls.orphan_retries(is_alive)
            }
            false => sysctls.retries2,
        };
        self.has_timed_out(now_ms, at, retries)
    }

    /// A SYN, data or a FIN was not acknowledged in time (tcp_retransmit_timer). SYN: 1, 3, 7, 15, 31,
    /// 63 s on 6.1; 1, 2, 3, 4, 5, 7, 11, 19, 35, 67 s on 6.18 (nominal; measured).
    fn retransmission_timed_out(&mut self, out: &mut impl Out, at: Place) {
        let now_ms = self.clock.milliseconds(out.now());
        if self.socket(at).send.queue.is_empty() {
            return;
        }
        self.host_mut(at.host).counters.timeouts += 1;
        if self.is_given_up(now_ms, at) {
            return self.give_up(out, at);
        }
        self.enter_loss(out, at);
        let linear = self.sysctls(at.host).syn_linear_timeouts;
        let max = self.rto_max(at);
        let socket = self.socket_mut(at);
        socket.resend.timeouts += 1;
        socket.resend.all_timeouts += 1;
        socket.resend.probed_to = None;
        self.retransmit_lost(out, at, 0, 1);
        let socket = self.socket_mut(at);
        if socket.state != TcpState::SynSent || socket.resend.all_timeouts > linear {
            socket.resend.backoff += 1;
            socket.resend.timeout = (socket.resend.timeout << 1).min(max);
        }
        let ticks = self.timeout_within_user_timeout(now_ms, at);
        self.set_write_timer(out, at, Pending::Retransmission, ticks);
    }

    /// The next timeout, the last one shortened to TCP_USER_TIMEOUT (tcp_clamp_rto_to_user_timeout).
    fn timeout_within_user_timeout(&self, now_ms: u64, at: Place) -> u64 {
        let socket = self.socket(at);
        let resend = &socket.resend;
        match socket.options().user_timeout_ms {
            0 => resend.timeout,
            user_timeout_ms => {
                let elapsed_ms = now_ms - resend.since_ms.unwrap_or(now_ms);
                let left_ms = user_timeout_ms.saturating_sub(elapsed_ms);
                resend.timeout.min(self.clock.ticks_of_ms(left_ms)).max(1)
            }
        }
    }

    /// A connection is given up (tcp_write_err): no RST is sent.
    fn give_up(&mut self, out: &mut impl Out, at: Place) {
        let socket = self.socket(at);
        if !socket.orphan {
            let what = match socket.state {
                TcpState::SynSent | TcpState::SynRecv => What::ConnectFailed(Errno::ETIMEDOUT),
                _ => What::Broken(Errno::ETIMEDOUT),
            };
            self.notify(at, what);
        }
        self.done(out, at);
    }

    // The closed window.

    /// The interval of the next window probe, in ticks (tcp_probe0_when), shortened to TCP_USER_TIMEOUT
    /// (tcp_clamp_probe0_to_user_timeout).
    pub(super) fn window_probe_ticks(&self, out: &impl Out, at: Place) -> u64 {
        let max = self.rto_max(at);
        let resend = &self.socket(at).resend;
        let base = self.window_probe_base(at);
        let ticks = base.saturating_mul(1 << resend.backoff.min(30)).min(max);
        let options = self.socket(at).options();
        match (options.user_timeout_ms, resend.probes_since) {
            (0, _) | (_, None) => ticks,
            (user_timeout_ms, Some(since)) => {
                let elapsed = self.clock.jiffies(out.now()) - since;
                let limit = self.clock.ticks_of_ms(user_timeout_ms);
                ticks.min(limit.saturating_sub(elapsed)).max(2)
            }
        }
    }

    /// The peer's window has been closed for an interval (tcp_probe_timer, tcp_send_probe0). A peer that
    /// answers is probed for ever.
    fn window_probe_timed_out(&mut self, out: &mut impl Out, at: Place) {
        let jiffies = self.clock.jiffies(out.now());
        let max = self.rto_max(at);
        let retries2 = self.sysctls(at.host).retries2;
        let user_timeout = self
            .clock
            .ticks_of_ms(self.socket(at).options().user_timeout_ms);
        let socket = self.socket_mut(at);
        if !socket.send.queue.is_empty() || !socket.send.has_unsent() {
            socket.resend.probes = 0;
            socket.resend.probes_since = None;
            return;
        }
        let since = *socket.resend.probes_since.get_or_insert(jiffies);
        let is_late = user_timeout > 0 && jiffies - since >= user_timeout;
        let backed_off = socket.resend.timeout << socket.resend.backoff.min(30);
        let (probes, backoff, orphan) =
            (socket.resend.probes, socket.resend.backoff, socket.orphan);
        let is_alive = backed_off < max;
        let most = match orphan {
            true => self.sysctls(at.host).orphan_retries(is_alive),
            false => retries2,
        };
        if is_late || probes >= most || orphan && !is_alive && backoff >= most {
            return self.give_up(out, at);
        }
        self.send_probe(out, at);
        let socket = self.socket_mut(at);
        if !socket.send.queue.is_empty() {
            socket.resend.probes = 0;
            socket.resend.backoff = 0;
            socket.resend.probes_since = None;
            return;
        }
        socket.resend.probes += 1;
        if socket.resend.backoff < retries2 {
            socket.resend.backoff += 1;
        }
        let ticks = self.window_probe_ticks(out, at);
        self.set_write_timer(out, at, Pending::WindowProbe, ticks);
    }

    // The delayed acknowledgement.

    fn ack_timed_out(&mut self, out: &mut impl Out, at: Place) {
        let least = self.clock.ticks_of_ms(super::profile::DELAYED_ACK_MS);
        let socket = self.socket_mut(at);
        let timeout = socket.resend.timeout;
        let receive = &mut socket.receive;
        if receive.ack_due.take().is_none() || !receive.owes_ack {
            return;
        }
        // Nothing could ride along: be quicker next time, or more patient (tcp_delack_timer_handler).
        match receive.ping_pong {
            false => receive.patience = (receive.patience << 1).min(timeout),
            true => {
                receive.ping_pong = false;
                receive.patience = least;
            }
        }
        self.send_ack(out, at);
    }

    // Keepalive.

    /// The times of keepalive of a socket that has it.
    pub(super) fn keepalive(&self, at: Place) -> Option<KeepaliveTicks> {
        let Keepalive {
            idle_s,
            interval_s,
            count,
        } = self.socket(at).options().keepalive?;
        Some(KeepaliveTicks {
            idle: self.clock.ticks_of_ms(idle_s * 1_000),
            interval: self.clock.ticks_of_ms(interval_s * 1_000),
            count,
        })
    }

    /// Keepalive, or the end of an orphan's wait in FIN_WAIT2 (tcp_keepalive_timer).
    fn keep_timed_out(&mut self, out: &mut impl Out, at: Place) {
        let socket = self.socket(at);
        if socket.state == TcpState::FinWait2 && socket.orphan {
            let time_wait = self.clock.ticks_of_ms(TIME_WAIT_MS);
            match self.fin_timeout(at).checked_sub(time_wait) {
                Some(more) if more > 0 => {
                    self.become_time_wait(out, at, TcpState::FinWait2, more);
                }
                _ => {
                    self.send_active_reset(out, at, RstReason::State);
                    self.done(out, at);
                }
            }
            return;
        }
        let Some(keepalive) = self.keepalive(at) else {
            return;
        };
        if socket.state == TcpState::SynSent {
            return;
        }
        let ticks = match socket.send.queue.is_empty() && !socket.send.has_unsent() {
            // It is alive without keepalive.
            false => keepalive.idle,
            true => match self.probe_if_idle(out, at, keepalive) {
                Some(ticks) => ticks,
                None => return,
            },
        };
        self.set_timer(out, at, Timer::Keep, ticks);
    }

    /// Probes a peer that has been silent for long enough; gives it up after so many probes, or after
    /// TCP_USER_TIMEOUT. When to look again, in ticks; none: it was given up, with a RST (measured).
    fn probe_if_idle(
        &mut self,
        out: &mut impl Out,
        at: Place,
        keepalive: KeepaliveTicks,
    ) -> Option<u64> {
        let jiffies = self.clock.jiffies(out.now());
        let socket = self.socket(at);
        let heard_at = socket.receive.heard_at.max(socket.receive.data_at);
        let idle = jiffies - heard_at;
        if idle < keepalive.idle {
            return Some(keepalive.idle - idle);
        }
        let probes = socket.resend.probes;
        let is_given_up = match socket.options().user_timeout_ms {
            0 => probes >= keepalive.count,
            user_timeout_ms => probes > 0 && idle >= self.clock.ticks_of_ms(user_timeout_ms),
        };
        if is_given_up {
            self.send_active_reset(out, at, RstReason::KeepaliveTimeout);
            self.give_up(out, at);
            return None;
        }
        self.send_probe(out, at);
        self.socket_mut(at).resend.probes += 1;
        Some(keepalive.interval)
    }
}
