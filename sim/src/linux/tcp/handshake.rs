//! Listening: half-open requests, SYN cookies, the accept queue (net/ipv4/inet_connection_sock.c,
//! tcp_minisocks.c, syncookies.c).

use super::net::{Net, Out, What};
use super::profile::{QUICK_ACKS, RTO_MAX_MS, SYN_TIMEOUT_MS};
use super::segment::{Flags, Segment, Stamps};
use super::socket::{NONE, Place, Sending, Socket};
use super::timer::Timer;
use super::window::initial_window;
use crate::engine::{Options, Time};
use crate::linux::tracepoint::{Family, Ipv4, Record, RstReason, TcpState};

/// MAX_SYNCOOKIE_AGE, in minutes.
const COOKIE_AGE: u64 = 2;

/// So many milliseconds apart are the timestamps that a SYN cookie may have: 1 << TSBITS.
const COOKIE_STAMPS: u64 = 64;

/// The window scale that hosts offer, with room for the maximum of tcp_rmem's default (tcp_select_initial_window).
const WINDOW_SCALE: u64 = 7;

impl Net {
    /// The first sequence number of a new connection. The kernel adds a keyed hash of addresses and ports
    /// to a clock of 64 ns (net/core/secure_seq.c); for one pair of ends only the clock matters.
    pub(super) fn initial_sequence(now: Time) -> u64 {
        (now.0 >> 6) + 1
    }

    /// A SYN at a listener (tcp_conn_request). No event fires, whatever becomes of it.
    pub(super) fn receive_syn(&mut self, out: &mut impl Out, listener: u32, segment: &Segment) {
        let host = segment.to;
        let syncookies = self.sysctls(host).syncookies;
        let max_syn_backlog = self.sysctls(host).max_syn_backlog;
        let Some(queues) = self.host_mut(host).listening(listener) else {
            return;
        };
        let is_full = queues.is_full();
        let (own, backlog) = (queues.requests, queues.backlog);
        let requests = own + self.flooding_requests(out.now(), host, own, backlog);
        // One more than the backlog fits, as in the accept queue (inet_csk_reqsk_queue_is_full since 6.13, and
        // in 6.1 since 6.1.127; measured on 6.18).
        let is_crowded = requests > backlog;
        let wants_cookie = syncookies == 2 || is_crowded && syncookies == 1;
        // Without cookies a quarter of tcp_max_syn_backlog is kept for peers known from earlier times.
        let is_reserved = syncookies == 0
            && u64::from(max_syn_backlog.saturating_sub(requests))
                < u64::from(max_syn_backlog >> 2);
        let counters = &mut self.host_mut(host).counters;
        if is_crowded && !wants_cookie {
            counters.req_q_full_drop += 1;
        } else if is_full {
            counters.listen_overflows += 1;
        } else if !is_reserved || wants_cookie {
            return match wants_cookie {
                true => self.send_cookie(out, listener, segment),
                false => self.make_request(out, listener, segment),
            };
        }
        self.host_mut(host).counters.listen_drops += 1;
    }

    fn make_request(&mut self, out: &mut impl Out, listener: u32, segment: &Segment) {
        let host = segment.to;
        let now = out.now();
        let mut request = self.request_for(segment, Net::initial_sequence(now));
        request.parent = listener;
        request.request.sent_at = Some(now);
        let at = self.add(host, request);
        self.host_mut(host).enter(at.slot);
        if let Some(queues) = self.host_mut(host).listening(listener) {
            queues.requests += 1;
            queues.young += 1;
        }
        self.send_syn_ack(out, at);
        let ticks = self.clock.ticks_of_ms(SYN_TIMEOUT_MS);
        self.set_timer(out, at, Timer::Write, ticks);
    }

    /// What is known of a connection after its SYN.
    fn request_for(&self, segment: &Segment, first: u64) -> Socket {
        let peer = (segment.from, segment.sport);
        let mut request = Socket::new(TcpState::NewSynRecv, segment.dport, peer, segment.flow);
        request.send = Sending::from(first);
        request.send.nxt = first + 1;
        request.send.end = first + 1;
        request.receive.begin(segment.end());
        let has_stamps = self.sysctls(segment.to).timestamps && segment.stamps.is_some();
        request.receive.has_stamps = has_stamps;
        request.receive.window = initial_window(has_stamps);
        request.receive.echo_ms = segment.stamps.map_or(0, |stamps| stamps.value_ms);
        request
    }

    /// Sends a SYN-ACK, first or again.
    pub(super) fn send_syn_ack(&mut self, out: &mut impl Out, at: Place) {
        let flags = Flags {
            ack: true,
            ..Flags::SYN
        };
        let segment = Segment {
            seq: self.socket(at).send.una,
            ..self.segment(at, flags, out)
        };
        self.transmit(out, segment);
    }

    /// Sends a SYN-ACK again, and says so (tcp_rtx_synack).
    pub(super) fn resend_syn_ack(&mut self, out: &mut impl Out, at: Place) {
        let (sport, dport, saddr, daddr) = self.four_tuple(at);
        let socket = self.socket(at);
        let (parent, flow) = (socket.parent, socket.flow);
        let counters = &mut self.host_mut(at.host).counters;
        counters.retrans_segs += 1;
        counters.syn_retrans += 1;
        self.socket_mut(at).request.resent += 1;
        self.send_syn_ack(out, at);
        out.record(
            self.actor(at.host, flow),
            flow,
            Record::RetransmitSynack {
                skaddr: self.host(at.host).skaddr(parent),
                req: self.skaddr(at),
                sport,
                dport,
                family: Family::Inet,
                saddr,
                daddr,
            },
        );
    }

    /// How long the running timeout of a request is, in ticks (tcp_reqsk_timeout).
    fn request_timeout(&self, at: Place) -> u64 {
        let timeouts = self.socket(at).request.timeouts.min(32);
        let ticks = self.clock.ticks_of_ms(SYN_TIMEOUT_MS) << timeouts;
        ticks.min(self.clock.ticks_of_ms(RTO_MAX_MS))
    }

    /// The timer of a request fires (reqsk_timer_handler): 1, 3, 7, 15, 31 s, and gone at 63 s (measured).
    pub(super) fn request_timed_out(&mut self, out: &mut impl Out, at: Place) {
        let parent = self.socket(at).parent;
        let mut retries = self.sysctls(at.host).synack_retries;
        let Some(queues) = self.host_mut(at.host).listening(parent) else {
            return self.free_request(out, at);
        };
        // Many requests that do not mature: fewer retries for the old ones.
        if queues.requests << 1 > queues.backlog.max(8) {
            let mut young = queues.young << 1;
            while retries > 2 && queues.requests >= young {
                retries -= 1;
                young <<= 1;
            }
        }
        if self.socket(at).request.timeouts >= retries {
            return self.free_request(out, at);
        }
        self.resend_syn_ack(out, at);
        let request = &mut self.socket_mut(at).request;
        request.timeouts += 1;
        if request.timeouts == 1
            && let Some(queues) = self.host_mut(at.host).listening(parent)
        {
            queues.young -= 1;
        }
        let ticks = self.request_timeout(at);
        self.set_timer(out, at, Timer::Write, ticks);
    }

    /// A request leaves its listener's count.
    fn forget_request(&mut self, at: Place) {
        let socket = self.socket(at);
        let (parent, is_young) = (socket.parent, socket.request.timeouts == 0);
        if let Some(queues) = self.host_mut(at.host).listening(parent) {
            queues.requests -= 1;
            queues.young -= u32::from(is_young);
        }
    }

    /// A request ends, of which nothing tells.
    pub(super) fn free_request(&mut self, out: &mut impl Out, at: Place) {
        self.forget_request(at);
        self.free_mini(out, at);
    }

    /// A segment for a half-open request (tcp_check_req): its final ACK makes a child.
    pub(super) fn receive_at_request(&mut self, out: &mut impl Out, at: Place, segment: &Segment) {
        let request = self.socket(at);
        let Segment { flags, .. } = *segment;
        let parent = request.parent;
        let expected = request.receive.nxt;
        if self.host_mut(at.host).listening(parent).is_none() {
            // Its listener is gone, and so is it.
            self.free_request(out, at);
            return self.receive_unconnected(out, segment);
        }
        let is_syn_again = segment.end() == expected && flags.syn && !flags.ack && !flags.rst;
        if is_syn_again {
            let now_ms = self.clock.milliseconds(out.now());
            if !self.socket_mut(at).receive.may_answer(now_ms) {
                return;
            }
            self.resend_syn_ack(out, at);
            // The running timeout begins anew, undoubled (measured).
            let ticks = self.request_timeout(at);
            return self.set_timer(out, at, Timer::Write, ticks);
        }
        let request = self.socket(at);
        if flags.ack && !flags.rst && segment.ack != request.send.nxt {
            return self.send_reset(out, Some(parent), segment, RstReason::Flags);
        }
        let window_end = expected + request.receive.window;
        if segment.seq > window_end || segment.end() < expected {
            if !flags.rst {
                self.send_limited_ack(out, at);
            }
            return;
        }
        if flags.rst || flags.syn {
            if !flags.rst {
                self.send_reset(out, Some(parent), segment, RstReason::InvalidSyn);
            }
            return self.free_request(out, at);
        }
        if !flags.ack {
            return;
        }
        if self
            .host_mut(at.host)
            .listening(parent)
            .is_some_and(|queues| queues.is_full())
        {
            return self.overflow(out, at, segment);
        }
        self.forget_request(at);
        self.stop_timer(at, Timer::Write);
        self.make_child(out, at, parent, segment);
    }

    /// A finished handshake finds the accept queue full: it is left as it is, and the SYN-ACK goes out
    /// again in time; with tcp_abort_on_overflow the peer gets a RST, on behalf of the listener (measured).
    fn overflow(&mut self, out: &mut impl Out, at: Place, segment: &Segment) {
        let counters = &mut self.host_mut(at.host).counters;
        counters.listen_overflows += 1;
        counters.listen_drops += 1;
        if !self.sysctls(at.host).abort_on_overflow {
            self.socket_mut(at).request.is_acked = true;
            return;
        }
        let parent = self.socket(at).parent;
        self.send_reset(out, Some(parent), segment, RstReason::InvalidSyn);
        self.free_request(out, at);
    }

    /// The handshake is finished: the socket in `at` becomes a connection, and waits for accept().
    fn make_child(&mut self, out: &mut impl Out, at: Place, parent: u32, segment: &Segment) {
        use TcpState::{Established, Listen, SynRecv};
        let now = out.now();
        let jiffies = self.clock.jiffies(now);
        let timeout = self.clock.ticks_of_ms(SYN_TIMEOUT_MS);
        let child = self.socket_mut(at);
        child.parent = parent;
        child.resend.timeout = timeout;
        let request = std::mem::take(&mut child.request);
        child.send.una = child.send.nxt;
        child.send.small_end = child.send.nxt;
        child.send.high = child.send.nxt;
        child.send.window = segment.window.into();
        child.send.window_at = segment.seq;
        child.receive.data_at = jiffies;
        child.receive.heard_at = jiffies;
        child.receive.out_of_window_ms = None;
        if child.receive.has_stamps
            && let Some(stamps) = segment.stamps
        {
            child.receive.echo_ms = stamps.value_ms;
        }
        let measured = request.sent_at.filter(|_| request.resent == 0);
        let us = measured.map(|sent_at| (now - sent_at).0 / 1_000);
        self.measure(out, at, us.or_else(|| self.stamped_us(out, at, segment)));
        self.initialise_timeout(at);
        // A SYN-ACK that was lost more than once (tcp_init_transfer, RFC 5681).
        if request.timeouts > 0 && request.resent > 1 {
            self.socket_mut(at).send.cwnd = 1;
        }
        if let Some(queues) = self.host_mut(at.host).listening(parent) {
            queues.queue.push_back(at.slot);
        }
        let tuple = match self.profile(at.host).child_is_addressed {
            true => self.four_tuple(at),
            false => (segment.dport, 0, Ipv4::ANY, Ipv4::ANY),
        };
        self.record_state(out, at, Listen, SynRecv, tuple);
        self.socket_mut(at).state = SynRecv;
        self.set_state(out, at, Established);
        let listener = Place {
            host: at.host,
            slot: parent,
        };
        self.notify(listener, What::Acceptable);
        if segment.has_content() {
            self.receive_content(out, at, segment);
        }
    }

    // SYN cookies.

    /// The sequence number that stands for the request that `segment` belongs to: the kernel hashes the
    /// four-tuple, the peer's number and the minute with a secret (secure_tcp_syn_cookie).
    fn cookie(segment: &Segment, first: u64, minute: u64) -> u64 {
        let ends = u64::from(segment.sport) << 16 | u64::from(segment.dport);
        let hash = crate::engine::mix(&[segment.from.0.into(), ends, first, minute]);
        (hash >> 32) + 1
    }

    fn minute(&self, now: Time) -> u64 {
        self.clock.seconds(now) / 60
    }

    /// Answers a SYN and remembers nothing but that it did.
    fn send_cookie(&mut self, out: &mut impl Out, listener: u32, segment: &Segment) {
        let host = segment.to;
        let now = out.now();
        let (clock, minute) = (self.clock, self.minute(now));
        let stamps = self.cookie_stamps(out, segment);
        let answer = Segment {
            from: host,
            to: segment.from,
            sport: segment.dport,
            dport: segment.sport,
            flags: Flags {
                ack: true,
                ..Flags::SYN
            },
            len: 0,
            flow: segment.flow,
            seq: Net::cookie(segment, segment.seq, minute),
            ack: segment.end(),
            window: initial_window(stamps.is_some()) as u32,
            stamps,
            sack: None,
            has_options: stamps.is_some(),
        };
        if let Some(queues) = self.host_mut(host).listening(listener) {
            queues.cookies_at = Some(clock.jiffies(now));
        }
        self.host_mut(host).counters.syncookies_sent += 1;
        self.transmit(out, answer);
    }

    /// The timestamps of a SYN cookie: the lowest six bits of the kernel's own hold what the SYN offered, and what
    /// is sent is the latest such number that is not in the future (cookie_init_timestamp). The round trip that
    /// the final ACK echoes is longer by as much, up to 63 ms, and so are the first timeouts (measured).
    fn cookie_stamps(&mut self, out: &mut impl Out, segment: &Segment) -> Option<Stamps> {
        let host = segment.to;
        let stamps = segment.stamps.filter(|_| self.sysctls(host).timestamps)?;
        let has_sack = self.sysctls(host).sack && self.sysctls(segment.from).sack;
        let offered = WINDOW_SCALE | u64::from(has_sack) << 4;
        let now_ms = self.clock.milliseconds(out.now());
        let past = (now_ms + self.cookie_clock(out)) % COOKIE_STAMPS;
        let early = (past + COOKIE_STAMPS - offered) % COOKIE_STAMPS;
        Some(Stamps {
            // The clock begins late enough.
            value_ms: now_ms - early,
            echo_ms: stamps.value_ms,
        })
    }

    /// By how many milliseconds the kernel's clock was past a multiple of 64 when the run began: a wide choice at
    /// site `cookie-clock`, by the kernel, which is made when the first cookie is sent.
    fn cookie_clock(&mut self, out: &mut impl Out) -> u64 {
        if let Some(past) = self.cookie_clock {
            return past;
        }
        let kernel = out.name(Net::KERNEL);
        let options = Options::numbers(0, COOKIE_STAMPS - 1).default_to(0);
        let past = out.choose("cookie-clock", kernel, &options);
        self.cookie_clock = Some(past);
        past
    }

    /// An ACK at a listener: it may bring a cookie back (cookie_v4_check), and then makes a child as if
    /// there had been a request. If the accept queue is full it is dropped in silence, and nothing
    /// retransmits (measured). Anything else is answered by a RST (measured).
    pub(super) fn receive_ack_at_listener(
        &mut self,
        out: &mut impl Out,
        listener: u32,
        segment: &Segment,
    ) {
        let host = segment.to;
        let now = out.now();
        let minute = self.minute(now);
        let (first, cookie) = (segment.seq.wrapping_sub(1), segment.ack.wrapping_sub(1));
        let still_valid = |queues: &mut super::socket::Listener| {
            let age = self.clock.jiffies(now) - queues.cookies_at?;
            (age <= self.clock.ticks_of_ms(COOKIE_AGE * 60_000)).then(|| queues.is_full())
        };
        let valid = self.hosts[host.0 as usize]
            .listening(listener)
            .and_then(still_valid);
        let returns = self.sysctls(host).syncookies > 0
            && (0..COOKIE_AGE)
                .filter_map(|age| minute.checked_sub(age))
                .any(|minute| Net::cookie(segment, first, minute) == cookie);
        let (Some(is_full), true) = (valid, returns) else {
            return self.send_reset(out, Some(listener), segment, RstReason::Flags);
        };
        let counters = &mut self.host_mut(host).counters;
        counters.syncookies_recv += 1;
        if is_full {
            counters.listen_overflows += 1;
            counters.listen_drops += 1;
            return;
        }
        let mut child = self.request_for(segment, cookie);
        child.lacks_options = !child.receive.has_stamps;
        child.parent = NONE;
        child.receive.begin(segment.seq);
        let at = self.add(host, child);
        self.host_mut(host).enter(at.slot);
        self.make_child(out, at, listener, segment);
    }

    /// Acknowledgements go out at once for a while (tcp_enter_quickack_mode).
    pub(super) fn be_quick(&mut self, at: Place) {
        let least = self.clock.ticks_of_ms(super::profile::DELAYED_ACK_MS);
        let receive = &mut self.socket_mut(at).receive;
        receive.quick = receive.quick.max(QUICK_ACKS);
        receive.ping_pong = false;
        receive.patience = least;
    }
}
