//! Retransmission and giving up (net/ipv4/tcp_timer.c).

use super::host::{Resend, Socket};
use super::net::{Net, Out, What};
use super::segment::HostId;
use crate::engine::Span;
use crate::linux::errno::Errno;
use crate::linux::tracepoint::{Family, Record, TcpState};

impl Net {
    /// The timer of a socket fires.
    pub(super) fn timeout(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        match self.socket(host, slot).state {
            TcpState::NewSynRecv => self.syn_ack_timed_out(out, host, slot),
            TcpState::SynSent => self.syn_timed_out(out, host, slot),
            TcpState::TimeWait => self.free_mini(host, slot),
            _ => self.data_timed_out(out, host, slot),
        }
    }

    /// How long the running timeout of a request is: a duplicate SYN begins it anew, undoubled
    /// (measured on Linux 6.18).
    pub(super) fn syn_ack_timeout(&self, host: HostId, slot: u32) -> Span {
        let profile = self.profile(host);
        let doublings = self.socket(host, slot).resend.timeouts;
        Span(profile.syn_timeout.0 << doublings).min(profile.rto_max)
    }

    fn syn_ack_timed_out(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        if self.socket(host, slot).resend.timeouts >= self.profile(host).synack_retries {
            return self.free_mini(host, slot);
        }
        self.socket_mut(host, slot).resend.timeouts += 1;
        self.resend_syn_ack(out, host, slot);
        let after = self.syn_ack_timeout(host, slot);
        self.set_timer(out, host, slot, after);
    }

    /// Sends a SYN-ACK again, and says so.
    pub(super) fn resend_syn_ack(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let (sport, dport, saddr, daddr) = self.four_tuple(host, slot);
        let socket = self.socket(host, slot);
        let listener = self.host(host).listener(socket.port);
        out.record(
            self.actor(host, socket.flow),
            Record::RetransmitSynack {
                skaddr: listener.map_or(0, |listener| self.host(host).skaddr(listener)),
                req: self.host(host).skaddr(slot),
                sport,
                dport,
                family: Family::Inet,
                saddr,
                daddr,
            },
        );
        self.send_syn_ack(out, host, slot);
    }

    /// A SYN was not answered: 1, 3, 7, 15, 31, 63 s on 6.1; 1, 2, 3, 4, 5, 7, 11, 19, 35, 67 s on 6.18
    /// (nominal; measured).
    fn syn_timed_out(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let now = out.now();
        let profile = self.profile(host);
        let resend = &mut self.socket_mut(host, slot).resend;
        let since = *resend.since.get_or_insert(now);
        if resend.timeouts >= profile.syn_retries + profile.syn_linear_timeouts
            || now - since >= profile.connect_gives_up_after()
        {
            self.done(out, host, slot);
            return self.notify(host, slot, What::ConnectFailed(Errno::ETIMEDOUT));
        }
        resend.timeouts += 1;
        if resend.timeouts > profile.syn_linear_timeouts {
            resend.double(profile.rto_max);
        }
        let timeout = resend.timeout;
        self.resend(out, host, slot);
        self.set_timer(out, host, slot, timeout);
    }

    /// Data or a FIN was not acknowledged. The first time it is sent again as the tail loss probe, whose
    /// timeout the retransmission timer then repeats; only then does it double, and giving up is counted
    /// from there (measured on Linux 6.1 and 6.18).
    fn data_timed_out(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let now = out.now();
        let profile = self.profile(host);
        let socket = self.socket_mut(host, slot);
        let retries = match socket.orphan {
            true => profile.orphan_retries,
            false => profile.retries2,
        };
        let resend = &mut socket.resend;
        if !resend.probed {
            resend.probed = true;
        } else {
            let since = *resend.since.get_or_insert(now);
            if now - since >= profile.give_up_after(retries) {
                return self.give_up(out, host, slot);
            }
            resend.timeouts += 1;
            resend.double(profile.rto_max);
        }
        let timeout = resend.timeout;
        self.resend(out, host, slot);
        self.set_timer(out, host, slot, timeout);
    }

    /// A connection is given up: no RST is sent.
    fn give_up(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let is_orphan = self.socket(host, slot).orphan;
        if !is_orphan {
            self.notify(host, slot, What::Broken(Errno::ETIMEDOUT));
        }
        self.done(out, host, slot);
    }

    fn resend(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let (sport, dport, saddr, daddr) = self.four_tuple(host, slot);
        let socket = self.socket(host, slot);
        out.record(
            self.actor(host, socket.flow),
            Record::RetransmitSkb {
                skaddr: self.host(host).skaddr(slot),
                state: socket.state,
                sport,
                dport,
                family: Family::Inet,
                saddr,
                daddr,
                err: 0,
            },
        );
        self.send_unacknowledged(out, host, slot);
    }

    /// Something new was sent: the timer runs if it does not yet.
    pub(super) fn start_resend(&mut self, out: &mut impl Out, host: HostId, slot: u32) {
        let rto_min = self.profile(host).rto_min;
        let socket = self.socket_mut(host, slot);
        // srtt + max(4 * rttvar, TCP_RTO_MIN): the link's delay is constant, so rttvar goes to 0.
        socket.resend = Resend {
            timeout: Span(socket.round_trip.0 + rto_min.0),
            ..Resend::default()
        };
        let timeout = socket.resend.timeout;
        self.set_timer(out, host, slot, timeout);
    }

    /// The peer has acknowledged everything before `ack`.
    pub(super) fn acknowledged(&mut self, out: &mut impl Out, host: HostId, slot: u32, ack: u64) {
        let socket = self.socket_mut(host, slot);
        socket.snd_una = ack;
        match socket.has_unacknowledged() {
            true => self.start_resend(out, host, slot),
            false => self.stop_timer(host, slot),
        }
    }
}

impl Resend {
    fn double(&mut self, max: Span) {
        self.timeout = Span(self.timeout.0 * 2).min(max);
    }
}

impl Socket {
    /// Begins the retransmission of a SYN that is sent now.
    pub(super) fn begin_connect(&mut self, now: crate::engine::Time, timeout: Span) {
        self.resend = Resend {
            timeout,
            since: Some(now),
            ..Resend::default()
        };
    }
}
